/* SPDX-License-Identifier: Apache-2.0 */
/* sim_verbs_calls.c — the product's table of calls, and the calls of the device and its queues. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "clock.h"
#include "sim_descriptor.h"
#include "sim_verbs_queue.h"

enum { ACK_UNIT_NS = 4096, RETRIES = 8 };

/* --- device ----------------------------------------------------------------------------------- */

static struct ibv_context *sim_open_device(struct ibv_device *device)
{
    haul_assert(device == sim_verbs_shared.device);
    if (sim_verbs_call_fails(EMFILE)) {
        return NULL;
    }
    struct sim_device *made = sim_host_alloc(sizeof(*made));
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
    struct sim_domain *made = sim_host_alloc(sizeof(*made));
    made->base.context = context;
    sim_verbs_note(sim_process_current(), 1);
    return &made->base;
}

static int sim_dealloc_pd(struct ibv_pd *pd)
{
    if (((struct sim_domain *)pd)->users > 0) {
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
    for (int i = 0; i < SIM_REGION_COUNT; i++) {
        struct sim_region *made = &sim_verbs_regions[i];
        if (!made->used) {
            *made = (struct sim_region){.used = true, .process = sim_process_current()};
            uint32_t number = sim_verbs_number();
            made->base = (struct ibv_mr){.context = pd->context,
                                         .pd = pd,
                                         .addr = address,
                                         .length = size_bytes,
                                         .lkey = number,
                                         .rkey = number};
            made->writable = (access & IBV_ACCESS_REMOTE_WRITE) != 0;
            ((struct sim_domain *)pd)->users++;
            sim_verbs_note(made->process, 1);
            return &made->base;
        }
    }
    haul_unreachable();
}

static int sim_dereg_mr(struct ibv_mr *mr)
{
    for (int i = 0; i < SIM_REGION_COUNT; i++) {
        if (&sim_verbs_regions[i].base == mr) {
            haul_assert(sim_verbs_regions[i].used);
            sim_verbs_regions[i].used = false;
            ((struct sim_domain *)mr->pd)->users--;
            sim_verbs_note(sim_verbs_regions[i].process, -1);
        }
    }
    return 0;
}

static int sim_get_async_event(struct ibv_context *context, struct ibv_async_event *event)
{
    struct sim_device *device = (struct sim_device *)context;
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
    struct sim_completions *made = sim_host_alloc(sizeof(*made));
    made->base = (struct ibv_cq){
        .context = context, .channel = channel, .cq_context = cq_context, .cqe = entry_count};
    /* A duplicate completion needs room, too. */
    made->capacity = (uint32_t)entry_count + 2;
    made->entries = sim_host_alloc(made->capacity * sizeof(*made->entries));
    sim_verbs_note(sim_process_current(), 1);
    return &made->base;
}

static int sim_destroy_cq(struct ibv_cq *cq)
{
    const struct sim_completions *completions = (const struct sim_completions *)cq;
    haul_assert(completions->queues == 0 && completions->unacknowledged == 0);
    sim_verbs_note(sim_process_current(), -1);
    return 0;
}

static int sim_poll_cq(struct ibv_cq *cq, int count, struct ibv_wc *completions)
{
    struct sim_completions *from = (struct sim_completions *)cq;
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
    struct sim_completions *completions = (struct sim_completions *)cq;
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

static struct ibv_qp *sim_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *attributes)
{
    haul_assert(attributes->send_cq->cqe >=
                (int)(attributes->cap.max_send_wr + attributes->cap.max_recv_wr));
    if (sim_verbs_call_fails(ENOMEM)) {
        return NULL;
    }
    struct sim_queue *made = sim_verbs_make_queue();
    *made = (struct sim_queue){.used = true,
                               .process = sim_process_current(),
                               .host = sim_process_current()->host,
                               .completions = (struct sim_completions *)attributes->send_cq,
                               .send_capacity = attributes->cap.max_send_wr,
                               .receive_capacity = attributes->cap.max_recv_wr,
                               .retry_ns = CLOCK_NEVER};
    made->base = (struct ibv_qp){.context = pd->context, .pd = pd, .qp_num = sim_verbs_number()};
    made->sends = sim_host_alloc(made->send_capacity * sizeof(*made->sends));
    made->receives = sim_host_alloc(made->receive_capacity * sizeof(*made->receives));
    sim_verbs_draw_fault(made);
    made->completions->queues++;
    ((struct sim_domain *)pd)->users++;
    sim_verbs_figures.queue_pairs++;
    sim_verbs_note(made->process, 1);
    return &made->base;
}

static int sim_destroy_qp(struct ibv_qp *qp)
{
    struct sim_queue *queue = (struct sim_queue *)qp;
    haul_assert(queue->used);
    queue->used = false;
    queue->completions->queues--;
    ((struct sim_domain *)qp->pd)->users--;
    sim_verbs_note(queue->process, -1);
    return 0;
}

static int sim_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attributes, int mask)
{
    struct sim_queue *queue = (struct sim_queue *)qp;
    if (attributes->qp_state == IBV_QPS_ERR) {
        sim_verbs_flush(queue);
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
        /* Some cards give up, others never do. */
        uint64_t unit_ns = (uint64_t)ACK_UNIT_NS << attributes->timeout;
        queue->retry_ns =
            sim_random_below(sim_kernel.random, 2) == 0 ? CLOCK_NEVER : RETRIES * unit_ns;
    }
    return 0;
}

static int sim_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
    struct sim_queue *queue = (struct sim_queue *)qp;
    haul_assert(wr->opcode == IBV_WR_RDMA_WRITE_WITH_IMM && wr->next == NULL);
    haul_assert(queue->state == IBV_QPS_RTS || queue->state == IBV_QPS_ERR);
    haul_assert(queue->send_count < queue->send_capacity);
    if (sim_verbs_call_fails(ENOMEM)) {
        *bad = wr;
        return ENOMEM;
    }
    struct sim_work *work =
        &queue->sends[(queue->send_first + queue->send_count++) % queue->send_capacity];
    *work = (struct sim_work){.id = wr->wr_id,
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
        haul_assert(work->piece.length <= SIM_INLINE_BYTES);
        memcpy(work->data, (const void *)(uintptr_t)work->piece.addr, work->piece.length);
    }
    if (queue->state == IBV_QPS_ERR) {
        sim_verbs_complete_send(queue, IBV_WC_WR_FLUSH_ERR);
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
    struct sim_queue *queue = (struct sim_queue *)qp;
    haul_assert(queue->state != IBV_QPS_RESET && queue->receive_count < queue->receive_capacity);
    if (sim_verbs_call_fails(ENOMEM)) {
        *bad = wr;
        return ENOMEM;
    }
    queue->receives[(queue->receive_first + queue->receive_count++) % queue->receive_capacity] =
        wr->wr_id;
    if (queue->state == IBV_QPS_ERR) {
        struct ibv_wc entry = sim_verbs_take_receive(queue);
        entry.status = IBV_WC_WR_FLUSH_ERR;
        sim_verbs_complete(queue, &entry, false);
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
