/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_queue.c — one queue pair, its completion queue and channel. */
#include "verbs_queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>

#include "assertion.h"
#include "planted_bug.h"

enum {
    KIND_SHIFT = 56,
    GENERATION_SHIFT = 32,
    GENERATION_MASK = (1 << 24) - 1,
};

uint64_t verbs_work_id(enum verbs_work_kind kind, uint64_t generation, uint32_t index)
{
    return (uint64_t)kind << KIND_SHIFT | (generation & GENERATION_MASK) << GENERATION_SHIFT |
           index;
}

enum verbs_work_kind verbs_work_kind(uint64_t id)
{
    return (enum verbs_work_kind)(id >> KIND_SHIFT);
}

uint32_t verbs_work_generation(uint64_t id)
{
    return (uint32_t)(id >> GENERATION_SHIFT) & GENERATION_MASK;
}

uint32_t verbs_work_index(uint64_t id)
{
    return (uint32_t)id;
}

/* --- making --------------------------------------------------------------------------------- */

static enum haul_status check_room(const struct verbs_device *device, uint32_t send_count,
                                   uint32_t receive_count, struct haul_error *error)
{
    uint32_t most = send_count > receive_count ? send_count : receive_count;
    if (most > (uint32_t)device->work_requests_max ||
        send_count + receive_count > (uint32_t)device->completions_max) {
        haul_error_set(error, HAUL_UNSUPPORTED, "", 0,
                       "the RDMA device has queues of %d requests and %d completions, needed are "
                       "%u and %u",
                       device->work_requests_max, device->completions_max, most,
                       send_count + receive_count);
        haul_error_hint(error, "use fewer slots");
        return HAUL_UNSUPPORTED;
    }
    return HAUL_OK;
}

/* Spread completions over the interrupts of the device. */
static int next_vector(const struct ibv_context *context)
{
    static atomic_uint opened;
    unsigned number = atomic_fetch_add_explicit(&opened, 1, memory_order_relaxed);
    return context->num_comp_vectors > 1 ? (int)(number % (unsigned)context->num_comp_vectors) : 0;
}

static enum haul_status open_completions(struct verbs_queue *queue,
                                         const struct verbs_device *device,
                                         struct haul_error *error)
{
    const struct verbs_api *api = queue->api;
    queue->channel = api->create_comp_channel(device->context);
    enum haul_status status = verbs_check_made(queue->channel, "ibv_create_comp_channel",
                                               "cannot create a completion channel", error);
    if (status != HAUL_OK) {
        return status;
    }
    status = verbs_set_nonblocking(queue->channel->fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    int entries = (int)(queue->send_count + queue->receive_count);
    queue->cq = api->create_cq(device->context, entries, NULL, queue->channel,
                               next_vector(device->context));
    if (queue->cq == NULL) {
        return verbs_device_fail_pin(error, "ibv_create_cq", errno, 0);
    }
    return HAUL_OK;
}

/* A device may refuse inline data altogether, or together with the largest queues that it
 * promises. */
static enum haul_status open_pair(struct verbs_queue *queue, const struct verbs_device *device,
                                  struct haul_error *error)
{
    struct ibv_qp_init_attr attributes = {
        .send_cq = queue->cq,
        .recv_cq = queue->cq,
        .qp_type = IBV_QPT_RC,
        .sq_sig_all = 1,
        .cap = {.max_send_wr = queue->send_count,
                .max_recv_wr = queue->receive_count,
                .max_send_sge = 1,
                .max_recv_sge = 1,
                .max_inline_data = VERBS_QUEUE_INLINE_BYTES},
    };
    struct ibv_qp_init_attr plain = attributes;
    queue->qp = queue->api->create_qp(device->pd, &attributes);
    queue->inlines = queue->qp != NULL;
    if (queue->qp == NULL && errno == EINVAL) {
        plain.cap.max_inline_data = 0;
        queue->qp = queue->api->create_qp(device->pd, &plain);
    }
    return queue->qp != NULL ? HAUL_OK : verbs_device_fail_pin(error, "ibv_create_qp", errno, 0);
}

enum haul_status verbs_queue_open(struct verbs_queue *queue, struct verbs_device *device,
                                  uint32_t send_count, uint32_t receive_count,
                                  struct haul_error *error)
{
    *queue = (struct verbs_queue){.api = device->api,
                                  .leak = &device->leak,
                                  .send_count = send_count,
                                  .receive_count = receive_count};
    enum haul_status status = check_room(device, send_count, receive_count, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = open_completions(queue, device, error);
    if (status == HAUL_OK) {
        status = open_pair(queue, device, error);
    }
    if (status != HAUL_OK) {
        verbs_queue_close(queue);
    }
    return status;
}

void verbs_queue_close(struct verbs_queue *queue)
{
    const struct verbs_api *api = queue->api;
    if (queue->qp != NULL) {
        int code = api->destroy_qp(queue->qp);
        haul_assert(code == 0 || !HAUL_PLANTED_BUG(DEVICE_STAYS));
        verbs_leak_note(queue->leak, code, "ibv_destroy_qp");
        queue->qp = NULL;
    }
    if (queue->cq != NULL) {
        while (verbs_queue_take_notification(queue)) {
        }
        if (queue->events_taken > 0) { /* Q2 */
            api->ack_cq_events(queue->cq, queue->events_taken);
            queue->events_taken = 0;
        }
        verbs_leak_note(queue->leak, api->destroy_cq(queue->cq), "ibv_destroy_cq");
        queue->cq = NULL;
    }
    if (queue->channel != NULL) {
        verbs_leak_note(queue->leak, api->destroy_comp_channel(queue->channel),
                        "ibv_destroy_comp_channel");
        queue->channel = NULL;
    }
    queue->polled_count = 0;
    queue->polled_at = 0;
}

/* --- posting -------------------------------------------------------------------------------- */

enum haul_status verbs_queue_post_receive(struct verbs_queue *queue, struct haul_error *error)
{
    haul_assert(queue->receives_posted - queue->receives_done < queue->receive_count); /* Q1 */
    struct ibv_recv_wr *bad = NULL;
    struct ibv_recv_wr wr = {.wr_id = verbs_work_id(VERBS_WORK_RECEIVE, queue->receives_posted, 0)};
    enum haul_status status = verbs_check(queue->api->post_recv(queue->qp, &wr, &bad),
                                          "ibv_post_recv", "cannot post a receive", error);
    queue->receives_posted += status == HAUL_OK ? 1 : 0;
    return status;
}

enum haul_status verbs_queue_fill(struct verbs_queue *queue, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK &&
           queue->receives_posted - queue->receives_done < queue->receive_count) {
        status = verbs_queue_post_receive(queue, error);
    }
    return status;
}

enum haul_status verbs_queue_write(struct verbs_queue *queue, const struct verbs_write *write,
                                   struct haul_error *error)
{
    haul_assert(verbs_queue_send_room(queue) > 0); /* Q1 */
    haul_assert(!write->inlined ||
                (queue->inlines && write->size_bytes <= VERBS_QUEUE_INLINE_BYTES));
    struct ibv_sge piece = {
        .addr = (uint64_t)(uintptr_t)write->data, .length = write->size_bytes, .lkey = write->lkey};
    struct ibv_send_wr *bad = NULL;
    struct ibv_send_wr wr = {
        .wr_id = verbs_work_id(write->kind, queue->sends_posted, write->index),
        .sg_list = &piece,
        .num_sge = write->data != NULL ? 1 : 0,
        .opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
        .send_flags = IBV_SEND_SIGNALED | (write->inlined ? (unsigned)IBV_SEND_INLINE : 0u) |
                      (write->urgent ? (unsigned)IBV_SEND_SOLICITED : 0u),
        .imm_data = htonl(write->immediate),
        .wr.rdma = {.remote_addr = write->remote_address, .rkey = write->rkey},
    };
    enum haul_status status = verbs_check(queue->api->post_send(queue->qp, &wr, &bad),
                                          "ibv_post_send", "cannot post a write", error);
    queue->sends_posted += status == HAUL_OK ? 1 : 0;
    return status;
}

/* --- completions ---------------------------------------------------------------------------- */

static bool refill(struct verbs_queue *queue)
{
    if (queue->polled_at < queue->polled_count) {
        return true;
    }
    queue->polled_at = 0;
    queue->polled_count = queue->api->poll_cq(queue->cq, VERBS_QUEUE_BATCH, queue->polled);
    return queue->polled_count != 0;
}

static bool is_oldest(const struct verbs_queue *queue, uint64_t id)
{
    bool receive = verbs_work_kind(id) == VERBS_WORK_RECEIVE;
    uint64_t done = receive ? queue->receives_done : queue->sends_done;
    uint64_t posted = receive ? queue->receives_posted : queue->sends_posted;
    bool known = verbs_work_generation(id) == (done & GENERATION_MASK);
    return done < posted && (known || HAUL_PLANTED_BUG(STALE_WORK));
}

enum haul_status verbs_queue_peek(struct verbs_queue *queue, struct verbs_completion *completion,
                                  struct haul_error *error)
{
    if (!refill(queue)) {
        return HAUL_AGAIN;
    }
    if (queue->polled_count < 0) {
        queue->polled_count = 0;
        return haul_error_set(error, HAUL_IO, "ibv_poll_cq", 0, "the completion queue is broken");
    }
    const struct ibv_wc *wc = &queue->polled[queue->polled_at];
    if (!is_oldest(queue, wc->wr_id)) {
        return haul_error_set(error, HAUL_IO, "ibv_poll_cq", 0,
                              "the RDMA device reported a request that is not outstanding");
    }
    *completion = (struct verbs_completion){
        .kind = verbs_work_kind(wc->wr_id),
        .index = verbs_work_index(wc->wr_id),
        .status = wc->status,
        .vendor_error = wc->vendor_err,
    };
    if (wc->status == IBV_WC_SUCCESS && completion->kind == VERBS_WORK_RECEIVE) { /* Q3 */
        completion->with_immediate = wc->opcode == IBV_WC_RECV_RDMA_WITH_IMM;
        completion->immediate = ntohl(wc->imm_data);
        completion->size_bytes = wc->byte_len;
    }
    return HAUL_OK;
}

void verbs_queue_take(struct verbs_queue *queue)
{
    haul_assert(queue->polled_at < queue->polled_count);
    if (verbs_work_kind(queue->polled[queue->polled_at].wr_id) == VERBS_WORK_RECEIVE) {
        queue->receives_done++;
    } else {
        queue->sends_done++;
    }
    queue->polled_at++;
}

/* A notification is a one-shot: once requested, it stays due until it is taken. A poll after the
 * request finds what completed before the request. */
enum haul_status verbs_queue_arm(struct verbs_queue *queue, enum verbs_notify wanted,
                                 struct haul_error *error)
{
    if (queue->notify < wanted) {
        int solicited_only = wanted == VERBS_NOTIFY_URGENT;
        enum haul_status status =
            verbs_check(queue->api->req_notify_cq(queue->cq, solicited_only), "ibv_req_notify_cq",
                        "cannot wait for completions", error);
        if (status != HAUL_OK) {
            return status;
        }
        queue->notify = wanted;
    }
    return refill(queue) ? HAUL_AGAIN : HAUL_OK;
}

bool verbs_queue_take_notification(struct verbs_queue *queue)
{
    struct ibv_cq *cq;
    void *context;
    if (queue->channel == NULL || queue->api->get_cq_event(queue->channel, &cq, &context) != 0) {
        return false;
    }
    queue->events_taken++;
    queue->notify = VERBS_NOTIFY_NONE;
    return true;
}

void verbs_queue_fail(struct verbs_queue *queue)
{
    struct ibv_qp_attr attributes = {.qp_state = IBV_QPS_ERR};
    /* If even this fails, closing the queue ends the requests, but without completions. */
    (void)queue->api->modify_qp(queue->qp, &attributes, IBV_QP_STATE);
}

bool verbs_queue_is_empty(const struct verbs_queue *queue)
{
    return queue->sends_done == queue->sends_posted &&
           queue->receives_done == queue->receives_posted;
}

static enum haul_status meaning(enum ibv_wc_status status, const char **hint)
{
    switch (status) {
    case IBV_WC_RETRY_EXC_ERR:
        *hint = "the peer's host does not answer; RoCE needs UDP port 4791 open "
                "and the same MTU on the whole path";
        return HAUL_UNREACHABLE;
    case IBV_WC_RNR_RETRY_EXC_ERR:
        *hint = "the peer has no receive posted";
        return HAUL_PROTOCOL;
    case IBV_WC_REM_ACCESS_ERR:
    case IBV_WC_REM_INV_REQ_ERR:
        *hint = "the peer's memory is no longer accessible";
        return HAUL_PROTOCOL;
    case IBV_WC_REM_OP_ERR:
    case IBV_WC_REM_ABORT_ERR:
    case IBV_WC_WR_FLUSH_ERR:
        return HAUL_CLOSED;
    default:
        return HAUL_IO;
    }
}

enum haul_status verbs_completion_fail(const struct verbs_completion *completion, const char *peer,
                                       struct haul_error *error)
{
    const char *hint = NULL;
    enum haul_status status = meaning(completion->status, &hint);
    /* `code` stays 0, because it is printed as an errno; the name is more useful anyway. */
    haul_error_set(error, status, "", 0, "RDMA to %s failed: %s, vendor error 0x%x", peer,
                   ibv_wc_status_str(completion->status), completion->vendor_error);
    if (hint != NULL) {
        haul_error_hint(error, "%s", hint);
    }
    return status;
}
