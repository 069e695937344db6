/* SPDX-License-Identifier: Apache-2.0 */
/* sim_verbs.c — devices, memory regions, completion queues and queue pairs. */
#include "sim_verbs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "clock.h"
#include "sim_descriptor.h"
#include "sim_network.h"
#include "sim_report.h"
#include "sim_verbs_queue.h"

enum {
    QUEUE_COUNT = 128,
    STATUS_COUNT = IBV_WC_GENERAL_ERR + 1,
    NOT_READY_NS = 640000,
    SILENCE_MS_MAX = 10000,
};

struct sim_verbs_options sim_verbs_options;
struct sim_verbs_figures sim_verbs_figures;
static struct ibv_device the_device = {.name = "sim0"};
struct ibv_context sim_verbs_shared = {.device = &the_device};
static struct sim_queue *queues[QUEUE_COUNT];
static int queue_count;
struct sim_region sim_verbs_regions[SIM_REGION_COUNT];
static uint32_t last_number;
static uint64_t due_ns;
static bool healed;
static uint32_t owned[SIM_PROCESS_COUNT];

const char *sim_verbs_fault_name(enum sim_verbs_fault fault)
{
    static const char *const names[] = {
#define SIM_VERBS_NAME(name, sentence) #name,
        SIM_VERBS_FAULT_LIST(SIM_VERBS_NAME)
#undef SIM_VERBS_NAME
    };
    return names[fault];
}

static uint32_t draw(uint32_t limit)
{
    return sim_random_below(sim_kernel.random, limit + 1);
}

void sim_verbs_init(void)
{
    memset(queues, 0, sizeof(queues));
    memset(sim_verbs_regions, 0, sizeof(sim_verbs_regions));
    memset(owned, 0, sizeof(owned));
    memset(&sim_verbs_figures, 0, sizeof(sim_verbs_figures));
    queue_count = 0;
    last_number = 0;
    due_ns = CLOCK_NEVER;
    healed = false;
    sim_cm_init();
}

bool sim_verbs_call_fails(int code)
{
    if (healed || !sim_random_chance(sim_kernel.random, sim_verbs_options.call_parts)) {
        return false;
    }
    sim_verbs_figures.calls_failed++;
    errno = code;
    return true;
}

uint64_t sim_verbs_delay_ns(void)
{
    uint32_t jitter_us = healed ? 0 : draw(sim_network_options.jitter_us_max);
    return (uint64_t)NS_PER_US * (1 + draw(sim_network_options.latency_us_max) + jitter_us);
}

void sim_verbs_wake_at(uint64_t at_ns)
{
    due_ns = at_ns < due_ns ? at_ns : due_ns;
}

void sim_verbs_note(struct sim_process *process, int change)
{
    uint32_t *count = &owned[process - sim_kernel.processes];
    *count = change > 0 ? *count + 1 : *count - 1;
}

uint32_t sim_verbs_count(const struct sim_process *process)
{
    return owned[process - sim_kernel.processes];
}

/* --- completions ------------------------------------------------------------------------------ */

static void push_entry(struct sim_completions *to, const struct ibv_wc *entry, bool solicited)
{
    haul_assert(to->count < to->capacity);
    to->entries[(to->first + to->count++) % to->capacity] = *entry;
    if (to->armed || (to->armed_solicited && (solicited || entry->status != IBV_WC_SUCCESS))) {
        to->armed = false;
        to->armed_solicited = false;
        sim_descriptor_at(to->base.channel->fd)->counter++;
        sim_descriptor_notify(to->base.channel->fd);
    }
}

/* Whether the queue pair's fault strikes here. */
static bool strikes(struct sim_queue *queue, enum sim_verbs_fault fault)
{
    if (healed || queue->fault != fault || queue->fault_in == 0 || --queue->fault_in > 0) {
        return false;
    }
    sim_verbs_figures.faults[fault]++;
    sim_say("queue pair %u: %s", queue->base.qp_num, sim_verbs_fault_name(fault));
    return true;
}

void sim_verbs_complete(struct sim_queue *queue, const struct ibv_wc *entry, bool solicited)
{
    push_entry(queue->completions, entry, solicited);
    if (strikes(queue, SIM_VERBS_TWICE)) {
        push_entry(queue->completions, entry, solicited);
    }
}

static struct sim_work *oldest(struct sim_queue *queue)
{
    return &queue->sends[queue->send_first];
}

void sim_verbs_complete_send(struct sim_queue *queue, enum ibv_wc_status status)
{
    struct ibv_wc entry = {.wr_id = oldest(queue)->id,
                           .status = status,
                           .opcode = IBV_WC_RDMA_WRITE,
                           .qp_num = queue->base.qp_num};
    queue->send_first = (queue->send_first + 1) % queue->send_capacity;
    queue->send_count--;
    if (!strikes(queue, SIM_VERBS_LOST)) {
        sim_verbs_complete(queue, &entry, false);
    }
}

struct ibv_wc sim_verbs_take_receive(struct sim_queue *queue)
{
    struct ibv_wc entry = {.wr_id = queue->receives[queue->receive_first],
                           .qp_num = queue->base.qp_num};
    queue->receive_first = (queue->receive_first + 1) % queue->receive_capacity;
    queue->receive_count--;
    return entry;
}

void sim_verbs_flush(struct sim_queue *queue)
{
    queue->state = IBV_QPS_ERR;
    while (queue->send_count > 0) {
        sim_verbs_complete_send(queue, IBV_WC_WR_FLUSH_ERR);
    }
    while (queue->receive_count > 0) {
        struct ibv_wc entry = sim_verbs_take_receive(queue);
        entry.status = IBV_WC_WR_FLUSH_ERR;
        sim_verbs_complete(queue, &entry, false);
    }
}

static void tell_async(struct sim_queue *queue, enum ibv_event_type type)
{
    struct sim_device *device = (struct sim_device *)queue->base.context;
    if (device->event_count < SIM_ASYNC_COUNT) {
        device->events[device->event_count++] = type;
        sim_descriptor_at(device->base.async_fd)->counter++;
        sim_descriptor_notify(device->base.async_fd);
    }
}

static void fail_queue(struct sim_queue *queue)
{
    if (queue->used && (queue->state == IBV_QPS_RTR || queue->state == IBV_QPS_RTS)) {
        sim_verbs_flush(queue);
        tell_async(queue, IBV_EVENT_QP_FATAL);
    }
}

/* --- what passes between two queue pairs ------------------------------------------------------ */

static struct sim_queue *find_queue(uint32_t number)
{
    for (int i = 0; i < queue_count; i++) {
        if (queues[i]->used && queues[i]->base.qp_num == number) {
            return queues[i];
        }
    }
    return NULL;
}

void sim_verbs_queue_established(uint32_t number)
{
    struct sim_queue *queue = find_queue(number);
    if (queue != NULL) {
        queue->established = true;
    }
}

static struct sim_region *find_region(const struct ibv_pd *pd, uint32_t key, uint64_t address,
                                      uint64_t size)
{
    for (int i = 0; i < SIM_REGION_COUNT; i++) {
        struct sim_region *region = &sim_verbs_regions[i];
        uint64_t start = (uint64_t)(uintptr_t)region->base.addr;
        if (region->used && region->base.rkey == key && region->base.pd == pd) {
            bool inside = address >= start && address + size <= start + region->base.length;
            return inside ? region : NULL;
        }
    }
    return NULL;
}

static enum ibv_wc_status place(struct sim_queue *queue, struct sim_work *work,
                                struct sim_queue *peer)
{
    uint32_t size = work->has_data ? work->piece.length : 0;
    if (size == 0) {
        return IBV_WC_SUCCESS;
    }
    const struct sim_region *to = find_region(peer->base.pd, work->rkey, work->remote, size);
    if (to == NULL || !to->writable) {
        sim_verbs_figures.refused_writes++;
        return IBV_WC_REM_ACCESS_ERR;
    }
    const uint8_t *from = work->data;
    if (!work->inlined) {
        if (find_region(queue->base.pd, work->piece.lkey, work->piece.addr, size) == NULL) {
            return IBV_WC_LOC_PROT_ERR;
        }
        from = (const uint8_t *)(uintptr_t)work->piece.addr;
    }
    uint8_t *at = (uint8_t *)(uintptr_t)work->remote;
    memcpy(at, from, size);
    if (strikes(queue, SIM_VERBS_FLIP)) {
        at[draw(size - 1)] ^= (uint8_t)(1U << draw(7));
    }
    return IBV_WC_SUCCESS;
}

static void end_with(struct sim_queue *queue, enum ibv_wc_status status)
{
    sim_verbs_complete_send(queue, status);
    if (queue->state != IBV_QPS_ERR) {
        sim_verbs_flush(queue);
    }
}

/* A write arrives. True: it was accepted. */
static bool arrive(struct sim_queue *queue, struct sim_work *work, struct sim_queue *peer)
{
    if (peer->receive_count == 0 || strikes(queue, SIM_VERBS_NOT_READY)) {
        sim_verbs_figures.not_ready++;
        work->arrives_ns = sim_kernel.now_ns + NOT_READY_NS;
        return false;
    }
    enum ibv_wc_status status = place(queue, work, peer);
    if (status != IBV_WC_SUCCESS) {
        while (oldest(queue) != work) {
            sim_verbs_complete_send(queue, IBV_WC_SUCCESS);
        }
        end_with(queue, status);
        if (status == IBV_WC_REM_ACCESS_ERR && peer->state != IBV_QPS_ERR) {
            sim_verbs_flush(peer);
            tell_async(peer, IBV_EVENT_QP_ACCESS_ERR);
        }
        return false;
    }
    sim_verbs_figures.writes++;
    struct ibv_wc entry = sim_verbs_take_receive(peer);
    entry.opcode = IBV_WC_RECV_RDMA_WITH_IMM;
    entry.wc_flags = IBV_WC_WITH_IMM;
    entry.imm_data = work->immediate;
    entry.byte_len = work->has_data ? work->piece.length : 0;
    if (!peer->established) {
        peer->established = true;
        tell_async(peer, IBV_EVENT_COMM_EST);
    }
    if (!strikes(peer, SIM_VERBS_LOST)) {
        sim_verbs_complete(peer, &entry, work->solicited);
    }
    work->placed = true;
    work->done_ns = sim_kernel.now_ns + sim_verbs_delay_ns();
    return true;
}

static bool is_there(const struct sim_queue *queue, const struct sim_queue *peer)
{
    bool open = peer != NULL && (peer->state == IBV_QPS_RTR || peer->state == IBV_QPS_RTS);
    return open && !peer->mute && !queue->mute && queue->silent_until_ns <= sim_kernel.now_ns &&
           peer->silent_until_ns <= sim_kernel.now_ns;
}

/* The oldest write that has not arrived; NULL: none. */
static struct sim_work *next_unplaced(struct sim_queue *queue)
{
    for (uint32_t i = 0; i < queue->send_count; i++) {
        struct sim_work *work = &queue->sends[(queue->send_first + i) % queue->send_capacity];
        if (!work->placed) {
            return work;
        }
    }
    return NULL;
}

static void check_faults(struct sim_queue *queue)
{
    if (strikes(queue, SIM_VERBS_SILENCE)) {
        queue->silent_until_ns =
            sim_kernel.now_ns + (uint64_t)NS_PER_MS * (1 + draw(SILENCE_MS_MAX));
    } else if (strikes(queue, SIM_VERBS_ERROR)) {
        fail_queue(queue);
    } else if (strikes(queue, SIM_VERBS_STATUS)) {
        end_with(queue, (enum ibv_wc_status)(1 + draw(STATUS_COUNT - 2)));
    }
}

static void deliver_placing(struct sim_queue *queue)
{
    struct sim_work *work = next_unplaced(queue);
    while (work != NULL && work->arrives_ns <= sim_kernel.now_ns) {
        struct sim_queue *peer = find_queue(queue->peer_number);
        if (!is_there(queue, peer)) {
            bool over = sim_kernel.now_ns >= work->arrives_ns + queue->retry_ns;
            if (queue->retry_ns != CLOCK_NEVER && over) {
                end_with(queue, IBV_WC_RETRY_EXC_ERR);
            }
            return;
        }
        if (!arrive(queue, work, peer)) {
            return;
        }
        check_faults(queue);
        work = queue->state == IBV_QPS_RTS ? next_unplaced(queue) : NULL;
    }
}

static void deliver(struct sim_queue *queue)
{
    deliver_placing(queue);
    while (queue->state == IBV_QPS_RTS && queue->send_count > 0 && oldest(queue)->placed &&
           oldest(queue)->done_ns <= sim_kernel.now_ns) {
        sim_verbs_complete_send(queue, IBV_WC_SUCCESS);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_of(struct sim_queue *queue)
{
    uint64_t next_ns = CLOCK_NEVER;
    if (queue->state != IBV_QPS_RTS || queue->send_count == 0) {
        return next_ns;
    }
    if (oldest(queue)->placed) {
        next_ns = oldest(queue)->done_ns;
    }
    const struct sim_work *work = next_unplaced(queue);
    if (work == NULL) {
        return next_ns;
    }
    if (work->arrives_ns > sim_kernel.now_ns) {
        return earlier(next_ns, work->arrives_ns);
    }
    /* The write was not accepted: its silence or its retries end. */
    const struct sim_queue *peer = find_queue(queue->peer_number);
    uint64_t silent_ns = queue->silent_until_ns;
    silent_ns =
        peer != NULL && peer->silent_until_ns > silent_ns ? peer->silent_until_ns : silent_ns;
    next_ns = silent_ns > sim_kernel.now_ns ? earlier(next_ns, silent_ns) : next_ns;
    return queue->retry_ns == CLOCK_NEVER ? next_ns
                                          : earlier(next_ns, work->arrives_ns + queue->retry_ns);
}

void sim_verbs_deliver(void)
{
    if (sim_kernel.now_ns < due_ns) {
        return;
    }
    sim_cm_deliver();
    for (int i = 0; i < queue_count; i++) {
        if (queues[i]->used && queues[i]->state == IBV_QPS_RTS) {
            deliver(queues[i]);
        }
    }
    due_ns = sim_cm_next_ns();
    for (int i = 0; i < queue_count; i++) {
        if (queues[i]->used) {
            sim_verbs_wake_at(next_of(queues[i]));
        }
    }
}

uint64_t sim_verbs_next_ns(void)
{
    return due_ns;
}

/* --- faults ----------------------------------------------------------------------------------- */

void sim_verbs_cut_all(void)
{
    for (int i = 0; i < queue_count; i++) {
        fail_queue(queues[i]);
    }
}

void sim_verbs_silence_all(void)
{
    for (int i = 0; i < queue_count; i++) {
        queues[i]->silent_until_ns = sim_kernel.now_ns + (uint64_t)NS_PER_MS * draw(SILENCE_MS_MAX);
    }
    sim_verbs_wake_at(sim_kernel.now_ns);
}

void sim_verbs_heal(void)
{
    healed = true;
}

void sim_verbs_power_failure(int host)
{
    for (int i = 0; i < queue_count; i++) {
        queues[i]->mute = queues[i]->mute || queues[i]->host == host;
    }
    sim_cm_power_failure(host);
}

void sim_verbs_kill(struct sim_process *process)
{
    sim_cm_kill(process);
    for (int i = 0; i < queue_count; i++) {
        queues[i]->used = queues[i]->used && queues[i]->process != process;
    }
    for (int i = 0; i < SIM_REGION_COUNT; i++) {
        sim_verbs_regions[i].used =
            sim_verbs_regions[i].used && sim_verbs_regions[i].process != process;
    }
    owned[process - sim_kernel.processes] = 0;
    sim_verbs_wake_at(sim_kernel.now_ns);
}

/* --- for sim_verbs_calls.c -------------------------------------------------------------------- */

uint32_t sim_verbs_number(void)
{
    return ++last_number;
}

struct sim_queue *sim_verbs_make_queue(void)
{
    for (int i = 0; i < queue_count; i++) {
        if (!queues[i]->used) {
            return queues[i];
        }
    }
    haul_assert(queue_count < QUEUE_COUNT);
    return queues[queue_count++] = sim_host_alloc(sizeof(struct sim_queue));
}

void sim_verbs_draw_fault(struct sim_queue *made)
{
    if (!healed && sim_random_chance(sim_kernel.random, sim_verbs_options.fault_parts)) {
        made->fault = (enum sim_verbs_fault)draw(SIM_VERBS_FAULT_COUNT - 1);
        made->fault_in = 1 + draw(sim_verbs_options.fault_max);
    }
}
