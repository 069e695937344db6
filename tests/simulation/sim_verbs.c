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
    REGION_COUNT = 512,
    INLINE_BYTES = 64,
    STATUS_COUNT = IBV_WC_GENERAL_ERR + 1,
    ACK_UNIT_NS = 4096,
    RETRIES = 8,
    NOT_READY_NS = 640000,
    SILENCE_MS_MAX = 10000,
    EVENT_COUNT = 8,
};

struct device {
    struct ibv_context base; /* first */
    struct sim_process *process;
    enum ibv_event_type events[EVENT_COUNT];
    uint32_t event_count;
};

struct domain {
    struct ibv_pd base; /* first */
    uint32_t users;
};

struct region {
    bool used;
    struct ibv_mr base;
    struct sim_process *process;
    bool writable;
};

struct completions {
    struct ibv_cq base; /* first */
    struct ibv_wc *entries;
    uint32_t first, count, capacity;
    bool armed, armed_solicited;
    uint32_t queues, unacknowledged;
};

/* A write that was posted and is not yet completed. */
struct work {
    uint64_t id;
    struct ibv_sge piece;
    bool has_data, inlined, solicited, placed;
    uint8_t data[INLINE_BYTES];
    uint64_t remote;
    uint32_t rkey, immediate;
    uint64_t arrives_ns, done_ns;
};

struct queue {
    struct ibv_qp base; /* first */
    bool used;
    bool mute;
    bool established;
    struct sim_process *process;
    int host;
    enum ibv_qp_state state;
    struct completions *completions;
    struct work *sends;
    uint32_t send_first, send_count, send_capacity;
    uint64_t *receives;
    uint32_t receive_first, receive_count, receive_capacity;
    uint32_t peer_number;
    uint64_t last_ns; /* nothing overtakes */
    uint64_t retry_ns;
    uint64_t silent_until_ns;
    enum sim_verbs_fault fault;
    uint32_t fault_in; /* so many completions or writes from now; 0: none */
};

struct sim_verbs_options sim_verbs_options;
struct sim_verbs_figures sim_verbs_figures;
static struct ibv_device the_device = {.name = "sim0"};
struct ibv_context sim_verbs_shared = {.device = &the_device};
static struct queue *queues[QUEUE_COUNT];
static int queue_count;
static struct region regions[REGION_COUNT];
static uint32_t numbers;
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
    memset(regions, 0, sizeof(regions));
    memset(owned, 0, sizeof(owned));
    memset(&sim_verbs_figures, 0, sizeof(sim_verbs_figures));
    queue_count = 0;
    numbers = 0;
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

static void push_entry(struct completions *to, const struct ibv_wc *entry, bool solicited)
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

/* Does the queue pair's fault strike here? */
static bool strikes(struct queue *queue, enum sim_verbs_fault fault)
{
    if (healed || queue->fault != fault || queue->fault_in == 0 || --queue->fault_in > 0) {
        return false;
    }
    sim_verbs_figures.faults[fault]++;
    sim_say("queue pair %u: %s", queue->base.qp_num, sim_verbs_fault_name(fault));
    return true;
}

static void complete(struct queue *queue, const struct ibv_wc *entry, bool solicited)
{
    push_entry(queue->completions, entry, solicited);
    if (strikes(queue, SIM_VERBS_TWICE)) {
        push_entry(queue->completions, entry, solicited);
    }
}

static struct work *oldest(struct queue *queue)
{
    return &queue->sends[queue->send_first];
}

static void complete_send(struct queue *queue, enum ibv_wc_status status)
{
    struct ibv_wc entry = {.wr_id = oldest(queue)->id,
                           .status = status,
                           .opcode = IBV_WC_RDMA_WRITE,
                           .qp_num = queue->base.qp_num};
    queue->send_first = (queue->send_first + 1) % queue->send_capacity;
    queue->send_count--;
    if (!strikes(queue, SIM_VERBS_LOST)) {
        complete(queue, &entry, false);
    }
}

static struct ibv_wc take_receive(struct queue *queue)
{
    struct ibv_wc entry = {.wr_id = queue->receives[queue->receive_first],
                           .qp_num = queue->base.qp_num};
    queue->receive_first = (queue->receive_first + 1) % queue->receive_capacity;
    queue->receive_count--;
    return entry;
}

static void flush(struct queue *queue)
{
    queue->state = IBV_QPS_ERR;
    while (queue->send_count > 0) {
        complete_send(queue, IBV_WC_WR_FLUSH_ERR);
    }
    while (queue->receive_count > 0) {
        struct ibv_wc entry = take_receive(queue);
        entry.status = IBV_WC_WR_FLUSH_ERR;
        complete(queue, &entry, false);
    }
}

static void tell_async(struct queue *queue, enum ibv_event_type type)
{
    struct device *device = (struct device *)queue->base.context;
    if (device->event_count < EVENT_COUNT) {
        device->events[device->event_count++] = type;
        sim_descriptor_at(device->base.async_fd)->counter++;
        sim_descriptor_notify(device->base.async_fd);
    }
}

static void fail_queue(struct queue *queue)
{
    if (queue->used && (queue->state == IBV_QPS_RTR || queue->state == IBV_QPS_RTS)) {
        flush(queue);
        tell_async(queue, IBV_EVENT_QP_FATAL);
    }
}

/* --- what passes between two queue pairs ------------------------------------------------------ */

static struct queue *find_queue(uint32_t number)
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
    struct queue *queue = find_queue(number);
    if (queue != NULL) {
        queue->established = true;
    }
}

static struct region *find_region(const struct ibv_pd *pd, uint32_t key, uint64_t address,
                                  uint64_t size)
{
    for (int i = 0; i < REGION_COUNT; i++) {
        struct region *region = &regions[i];
        uint64_t start = (uint64_t)(uintptr_t)region->base.addr;
        if (region->used && region->base.rkey == key && region->base.pd == pd) {
            bool inside = address >= start && address + size <= start + region->base.length;
            return inside ? region : NULL;
        }
    }
    return NULL;
}

static enum ibv_wc_status place(struct queue *queue, struct work *work, struct queue *peer)
{
    uint32_t size = work->has_data ? work->piece.length : 0;
    if (size == 0) {
        return IBV_WC_SUCCESS;
    }
    const struct region *to = find_region(peer->base.pd, work->rkey, work->remote, size);
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

static void end_with(struct queue *queue, enum ibv_wc_status status)
{
    complete_send(queue, status);
    if (queue->state != IBV_QPS_ERR) {
        flush(queue);
    }
}

/* A write is there. True: it was taken. */
static bool arrive(struct queue *queue, struct work *work, struct queue *peer)
{
    if (peer->receive_count == 0 || strikes(queue, SIM_VERBS_NOT_READY)) {
        sim_verbs_figures.not_ready++;
        work->arrives_ns = sim_kernel.now_ns + NOT_READY_NS;
        return false;
    }
    enum ibv_wc_status status = place(queue, work, peer);
    if (status != IBV_WC_SUCCESS) {
        while (oldest(queue) != work) {
            complete_send(queue, IBV_WC_SUCCESS);
        }
        end_with(queue, status);
        if (status == IBV_WC_REM_ACCESS_ERR && peer->state != IBV_QPS_ERR) {
            flush(peer);
            tell_async(peer, IBV_EVENT_QP_ACCESS_ERR);
        }
        return false;
    }
    sim_verbs_figures.writes++;
    struct ibv_wc entry = take_receive(peer);
    entry.opcode = IBV_WC_RECV_RDMA_WITH_IMM;
    entry.wc_flags = IBV_WC_WITH_IMM;
    entry.imm_data = work->immediate;
    entry.byte_len = work->has_data ? work->piece.length : 0;
    if (!peer->established) {
        peer->established = true;
        tell_async(peer, IBV_EVENT_COMM_EST);
    }
    complete(peer, &entry, work->solicited);
    work->placed = true;
    work->done_ns = sim_kernel.now_ns + sim_verbs_delay_ns();
    return true;
}

static bool is_there(const struct queue *queue, const struct queue *peer)
{
    bool open = peer != NULL && (peer->state == IBV_QPS_RTR || peer->state == IBV_QPS_RTS);
    return open && !peer->mute && !queue->mute && queue->silent_until_ns <= sim_kernel.now_ns &&
           peer->silent_until_ns <= sim_kernel.now_ns;
}

/* The oldest write that has not been placed; NULL: none. */
static struct work *next_unplaced(struct queue *queue)
{
    for (uint32_t i = 0; i < queue->send_count; i++) {
        struct work *work = &queue->sends[(queue->send_first + i) % queue->send_capacity];
        if (!work->placed) {
            return work;
        }
    }
    return NULL;
}

static void check_faults(struct queue *queue)
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

static void deliver_placing(struct queue *queue)
{
    struct work *work = next_unplaced(queue);
    while (work != NULL && work->arrives_ns <= sim_kernel.now_ns) {
        struct queue *peer = find_queue(queue->peer_number);
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

static void deliver(struct queue *queue)
{
    deliver_placing(queue);
    while (queue->state == IBV_QPS_RTS && queue->send_count > 0 && oldest(queue)->placed &&
           oldest(queue)->done_ns <= sim_kernel.now_ns) {
        complete_send(queue, IBV_WC_SUCCESS);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_of(struct queue *queue)
{
    uint64_t next_ns = CLOCK_NEVER;
    if (queue->state != IBV_QPS_RTS || queue->send_count == 0) {
        return next_ns;
    }
    if (oldest(queue)->placed) {
        next_ns = oldest(queue)->done_ns;
    }
    const struct work *work = next_unplaced(queue);
    if (work == NULL) {
        return next_ns;
    }
    if (work->arrives_ns > sim_kernel.now_ns) {
        return earlier(next_ns, work->arrives_ns);
    }
    /* It was not taken: silence ends, or the retries do. */
    const struct queue *peer = find_queue(queue->peer_number);
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
    for (int i = 0; i < REGION_COUNT; i++) {
        regions[i].used = regions[i].used && regions[i].process != process;
    }
    owned[process - sim_kernel.processes] = 0;
    sim_verbs_wake_at(sim_kernel.now_ns);
}

/* --- device ----------------------------------------------------------------------------------- */

struct ibv_context *sim_open_device(struct ibv_device *device)
{
    haul_assert(device == &the_device);
    if (sim_verbs_call_fails(EMFILE)) {
        return NULL;
    }
    struct device *made = sim_host_alloc(sizeof(*made));
    made->base.device = device;
    made->base.async_fd = sim_descriptor_open(SIM_EVENT);
    made->process = sim_process_current();
    sim_verbs_note(made->process, 1);
    return &made->base;
}

static int sim_close_device(struct ibv_context *context)
{
    (void)close(context->async_fd);
    sim_verbs_note(sim_process_current(), -1);
    return 0;
}

static int sim_query_device(struct ibv_context *context, struct ibv_device_attr *attributes)
{
    (void)context;
    *attributes =
        (struct ibv_device_attr){.max_mr_size = 1U << 30, .max_qp_wr = 1 << 14, .max_cqe = 1 << 15};
    return sim_verbs_call_fails(EIO) ? EIO : 0;
}

static int sim_query_port(struct ibv_context *context, uint8_t port,
                          struct ibv_port_attr *attributes)
{
    (void)context;
    haul_assert(port == 1);
    memset(attributes, 0, sizeof(*attributes));
    attributes->max_msg_sz = 1U << 30;
    attributes->state = IBV_PORT_ACTIVE;
    return 0;
}

static struct ibv_pd *sim_alloc_pd(struct ibv_context *context)
{
    if (sim_verbs_call_fails(ENOMEM)) {
        return NULL;
    }
    struct domain *made = sim_host_alloc(sizeof(*made));
    made->base.context = context;
    sim_verbs_note(sim_process_current(), 1);
    return &made->base;
}

static int sim_dealloc_pd(struct ibv_pd *pd)
{
    if (((struct domain *)pd)->users > 0) {
        return EBUSY;
    }
    sim_verbs_note(sim_process_current(), -1);
    return 0;
}

static struct ibv_mr *sim_reg_mr(struct ibv_pd *pd, void *address, size_t size_bytes,
                                 unsigned access)
{
    if (sim_verbs_call_fails(ENOMEM)) {
        return NULL;
    }
    for (int i = 0; i < REGION_COUNT; i++) {
        struct region *made = &regions[i];
        if (!made->used) {
            *made = (struct region){.used = true, .process = sim_process_current()};
            numbers++;
            made->base = (struct ibv_mr){.context = pd->context,
                                         .pd = pd,
                                         .addr = address,
                                         .length = size_bytes,
                                         .lkey = numbers,
                                         .rkey = numbers};
            made->writable = (access & IBV_ACCESS_REMOTE_WRITE) != 0;
            ((struct domain *)pd)->users++;
            sim_verbs_note(made->process, 1);
            return &made->base;
        }
    }
    haul_unreachable();
}

static int sim_dereg_mr(struct ibv_mr *mr)
{
    for (int i = 0; i < REGION_COUNT; i++) {
        if (&regions[i].base == mr) {
            haul_assert(regions[i].used);
            regions[i].used = false;
            ((struct domain *)mr->pd)->users--;
            sim_verbs_note(regions[i].process, -1);
        }
    }
    return 0;
}

static int sim_get_async_event(struct ibv_context *context, struct ibv_async_event *event)
{
    struct device *device = (struct device *)context;
    if (device->event_count == 0) {
        errno = EAGAIN;
        return -1;
    }
    *event = (struct ibv_async_event){.event_type = device->events[0]};
    device->event_count--;
    memmove(device->events, device->events + 1, device->event_count * sizeof(device->events[0]));
    sim_descriptor_at(context->async_fd)->counter--;
    return 0;
}

static void sim_ack_async_event(struct ibv_async_event *event)
{
    (void)event;
}

/* --- completion queues ------------------------------------------------------------------------ */

static struct ibv_comp_channel *sim_create_comp_channel(struct ibv_context *context)
{
    if (sim_verbs_call_fails(EMFILE)) {
        return NULL;
    }
    struct ibv_comp_channel *made = sim_host_alloc(sizeof(*made));
    made->context = context;
    made->fd = sim_descriptor_open(SIM_EVENT);
    sim_verbs_note(sim_process_current(), 1);
    return made;
}

static int sim_destroy_comp_channel(struct ibv_comp_channel *channel)
{
    (void)close(channel->fd);
    sim_verbs_note(sim_process_current(), -1);
    return 0;
}

static struct ibv_cq *sim_create_cq(struct ibv_context *context, int entry_count, void *cq_context,
                                    struct ibv_comp_channel *channel, int vector)
{
    (void)vector;
    if (sim_verbs_call_fails(ENOMEM)) {
        return NULL;
    }
    struct completions *made = sim_host_alloc(sizeof(*made));
    made->base = (struct ibv_cq){
        .context = context, .channel = channel, .cq_context = cq_context, .cqe = entry_count};
    /* One that is told twice needs room, too. */
    made->capacity = (uint32_t)entry_count + 2;
    made->entries = sim_host_alloc(made->capacity * sizeof(*made->entries));
    sim_verbs_note(sim_process_current(), 1);
    return &made->base;
}

static int sim_destroy_cq(struct ibv_cq *cq)
{
    const struct completions *completions = (const struct completions *)cq;
    haul_assert(completions->queues == 0 && completions->unacknowledged == 0);
    sim_verbs_note(sim_process_current(), -1);
    return 0;
}

static int sim_poll_cq(struct ibv_cq *cq, int count, struct ibv_wc *completions)
{
    struct completions *from = (struct completions *)cq;
    int taken = 0;
    while (taken < count && from->count > 0) {
        completions[taken++] = from->entries[from->first];
        from->first = (from->first + 1) % from->capacity;
        from->count--;
    }
    return taken;
}

static int sim_req_notify_cq(struct ibv_cq *cq, int solicited_only)
{
    struct completions *completions = (struct completions *)cq;
    completions->armed = completions->armed || solicited_only == 0;
    completions->armed_solicited = true;
    return sim_verbs_call_fails(EIO) ? EIO : 0;
}

static int sim_get_cq_event(struct ibv_comp_channel *channel, struct ibv_cq **cq, void **cq_context)
{
    struct sim_descriptor *descriptor = sim_descriptor_at(channel->fd);
    *cq_context = NULL;
    if (descriptor->counter == 0) {
        errno = EAGAIN;
        return -1;
    }
    descriptor->counter--;
    *cq = NULL;
    return 0;
}

static void sim_ack_cq_events(struct ibv_cq *cq, unsigned count)
{
    (void)cq;
    (void)count;
}

/* --- queue pairs ------------------------------------------------------------------------------ */

static struct queue *make_queue(void)
{
    for (int i = 0; i < queue_count; i++) {
        if (!queues[i]->used) {
            return queues[i];
        }
    }
    haul_assert(queue_count < QUEUE_COUNT);
    return queues[queue_count++] = sim_host_alloc(sizeof(struct queue));
}

static struct ibv_qp *sim_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *attributes)
{
    haul_assert(attributes->send_cq->cqe >=
                (int)(attributes->cap.max_send_wr + attributes->cap.max_recv_wr));
    if (sim_verbs_call_fails(ENOMEM)) {
        return NULL;
    }
    struct queue *made = make_queue();
    *made = (struct queue){.used = true,
                           .process = sim_process_current(),
                           .host = sim_process_current()->host,
                           .completions = (struct completions *)attributes->send_cq,
                           .send_capacity = attributes->cap.max_send_wr,
                           .receive_capacity = attributes->cap.max_recv_wr,
                           .retry_ns = CLOCK_NEVER};
    made->base = (struct ibv_qp){.context = pd->context, .pd = pd, .qp_num = ++numbers};
    made->sends = sim_host_alloc(made->send_capacity * sizeof(*made->sends));
    made->receives = sim_host_alloc(made->receive_capacity * sizeof(*made->receives));
    if (!healed && sim_random_chance(sim_kernel.random, sim_verbs_options.fault_parts)) {
        made->fault = (enum sim_verbs_fault)draw(SIM_VERBS_FAULT_COUNT - 1);
        made->fault_in = 1 + draw(sim_verbs_options.fault_max);
    }
    made->completions->queues++;
    ((struct domain *)pd)->users++;
    sim_verbs_figures.queue_pairs++;
    sim_verbs_note(made->process, 1);
    return &made->base;
}

static int sim_destroy_qp(struct ibv_qp *qp)
{
    struct queue *queue = (struct queue *)qp;
    haul_assert(queue->used);
    queue->used = false;
    queue->completions->queues--;
    ((struct domain *)qp->pd)->users--;
    sim_verbs_note(queue->process, -1);
    return 0;
}

static int sim_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attributes, int mask)
{
    struct queue *queue = (struct queue *)qp;
    if (attributes->qp_state == IBV_QPS_ERR) {
        flush(queue);
        return 0;
    }
    if (sim_verbs_call_fails(EINVAL)) {
        return EINVAL;
    }
    queue->state = attributes->qp_state;
    if ((mask & IBV_QP_DEST_QPN) != 0) {
        queue->peer_number = attributes->dest_qp_num;
    }
    if (queue->state == IBV_QPS_RTS) {
        /* Some cards give up, some never do. */
        uint64_t unit_ns = (uint64_t)ACK_UNIT_NS << attributes->timeout;
        queue->retry_ns = draw(1) == 0 ? CLOCK_NEVER : RETRIES * unit_ns;
    }
    return 0;
}

static int sim_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
    struct queue *queue = (struct queue *)qp;
    haul_assert(wr->opcode == IBV_WR_RDMA_WRITE_WITH_IMM && wr->next == NULL);
    haul_assert(queue->state == IBV_QPS_RTS || queue->state == IBV_QPS_ERR);
    haul_assert(queue->send_count < queue->send_capacity);
    if (sim_verbs_call_fails(ENOMEM)) {
        *bad = wr;
        return ENOMEM;
    }
    struct work *work =
        &queue->sends[(queue->send_first + queue->send_count++) % queue->send_capacity];
    *work = (struct work){.id = wr->wr_id,
                          .has_data = wr->num_sge > 0,
                          .inlined = (wr->send_flags & IBV_SEND_INLINE) != 0,
                          .solicited = (wr->send_flags & IBV_SEND_SOLICITED) != 0,
                          .remote = wr->wr.rdma.remote_addr,
                          .rkey = wr->wr.rdma.rkey,
                          .immediate = wr->imm_data};
    if (work->has_data) {
        work->piece = wr->sg_list[0];
    }
    if (work->inlined && work->has_data) {
        haul_assert(work->piece.length <= INLINE_BYTES);
        memcpy(work->data, (const void *)(uintptr_t)work->piece.addr, work->piece.length);
    }
    if (queue->state == IBV_QPS_ERR) {
        complete_send(queue, IBV_WC_WR_FLUSH_ERR);
        return 0;
    }
    uint64_t arrives_ns = sim_kernel.now_ns + sim_verbs_delay_ns();
    queue->last_ns = arrives_ns > queue->last_ns ? arrives_ns : queue->last_ns;
    work->arrives_ns = queue->last_ns;
    sim_verbs_wake_at(work->arrives_ns);
    return 0;
}

static int sim_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
{
    struct queue *queue = (struct queue *)qp;
    haul_assert(queue->state != IBV_QPS_RESET && queue->receive_count < queue->receive_capacity);
    if (sim_verbs_call_fails(ENOMEM)) {
        *bad = wr;
        return ENOMEM;
    }
    queue->receives[(queue->receive_first + queue->receive_count++) % queue->receive_capacity] =
        wr->wr_id;
    if (queue->state == IBV_QPS_ERR) {
        struct ibv_wc entry = take_receive(queue);
        entry.status = IBV_WC_WR_FLUSH_ERR;
        complete(queue, &entry, false);
    }
    return 0;
}

extern const struct verbs_api __wrap_verbs_api_system;
const struct verbs_api __wrap_verbs_api_system = {
    .open_device = sim_open_device,
    .close_device = sim_close_device,
    .query_device = sim_query_device,
    .query_port = sim_query_port,
    .alloc_pd = sim_alloc_pd,
    .dealloc_pd = sim_dealloc_pd,
    .reg_mr = sim_reg_mr,
    .dereg_mr = sim_dereg_mr,
    .get_async_event = sim_get_async_event,
    .ack_async_event = sim_ack_async_event,
    .create_comp_channel = sim_create_comp_channel,
    .destroy_comp_channel = sim_destroy_comp_channel,
    .create_cq = sim_create_cq,
    .destroy_cq = sim_destroy_cq,
    .poll_cq = sim_poll_cq,
    .req_notify_cq = sim_req_notify_cq,
    .get_cq_event = sim_get_cq_event,
    .ack_cq_events = sim_ack_cq_events,
    .create_qp = sim_create_qp,
    .destroy_qp = sim_destroy_qp,
    .modify_qp = sim_modify_qp,
    .post_send = sim_post_send,
    .post_recv = sim_post_recv,
    .create_event_channel = sim_create_event_channel,
    .destroy_event_channel = sim_destroy_event_channel,
    .get_cm_event = sim_get_cm_event,
    .ack_cm_event = sim_ack_cm_event,
    .create_id = sim_create_id,
    .destroy_id = sim_destroy_id,
    .migrate_id = sim_migrate_id,
    .bind_addr = sim_bind_addr,
    .listen = sim_listen,
    .resolve_addr = sim_resolve_addr,
    .resolve_route = sim_resolve_route,
    .init_qp_attr = sim_init_qp_attr,
    .connect = sim_connect,
    .establish = sim_establish,
    .accept = sim_accept,
    .reject = sim_reject,
    .notify = sim_notify,
    .disconnect = sim_disconnect,
};
