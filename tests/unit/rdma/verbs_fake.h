/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_fake.h — a device without hardware behind the call table of verbs_api.h: one connection,
 * whose peer is the test.
 *
 * It counts every object, records misuse that real libraries answer with a hang or a leak (order of
 * destruction, acknowledgements), and can let the n-th fallible call fail. The test supplies what a
 * device or peer would: completions, arrivals, connection manager events. */
#ifndef HAUL_TESTS_VERBS_FAKE_H
#define HAUL_TESTS_VERBS_FAKE_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "verbs_queue.h"

enum {
    FAKE_WORK_MAX = 2048,
    FAKE_EVENTS_MAX = 80,
    FAKE_INLINE_BYTES = 32,
    FAKE_LOST_MAX = 64,
    FAKE_MESSAGE_BYTES_MAX = 8 << 20,
    FAKE_PORT = 5000,
};

/* A posted write, as far as tests look at it. */
struct fake_write {
    uint64_t id;
    uint64_t remote_address;
    uint32_t rkey;
    uint32_t immediate;
    uint32_t size_bytes;
    uint32_t lkey;
    bool urgent;
    bool inlined;
    uint8_t data[FAKE_INLINE_BYTES]; /* the beginning */
};

struct fake_verbs {
    /* Live objects; all zero at the end. */
    int contexts, pds, regions, comp_channels, cqs, qps, event_channels, ids, cm_events,
        async_events;
    const char *misuse; /* the first; NULL: none */

    unsigned call_count; /* of fallible calls */
    unsigned fail_at;    /* 0: none */
    int fail_code;
    unsigned release_count; /* of calls that destroy an object */
    /* The device was removed: what is posted never completes, and from this call on, such calls
     * fail. 0: it was not. */
    unsigned release_fails_from;
    void *lost[FAKE_LOST_MAX]; /* what libraries then never free */
    unsigned lost_count;
    bool cq_lost;                /* its channel stays in use for ever */
    uint64_t region_bytes_limit; /* larger registrations fail with ENOMEM; 0: none do */

    bool inlines_nothing;
    bool poll_fails;            /* of the completion queue */
    uint32_t message_bytes_max; /* of the port; 0: FAKE_MESSAGE_BYTES_MAX */
    int vector_count;           /* of an opened device */
    int last_vector;            /* of a completion queue */

    struct ibv_context shared; /* what rdma_cm has opened */
    struct ibv_device device;
    struct rdma_cm_id *id;
    struct rdma_event_channel *channel;
    struct ibv_context *context;
    struct ibv_qp *qp;
    struct ibv_comp_channel *comp_channel;
    enum ibv_qp_state qp_state;
    struct ibv_qp_attr qp_attributes; /* of the last step */

    struct fake_write writes[FAKE_WORK_MAX]; /* all, in order */
    unsigned write_count;
    unsigned writes_done;
    uint64_t receives[FAKE_WORK_MAX]; /* ring */
    unsigned receive_count;
    unsigned receives_done;
    struct ibv_wc completions[2 * FAKE_WORK_MAX];
    unsigned completion_count;
    unsigned completions_taken;
    bool notify;           /* of any completion */
    bool notify_solicited; /* of an urgent receive or an error */
    bool arrives_unurgent; /* the next arrival is not urgent */
    unsigned notifications_taken, notifications_acked;

    struct rdma_cm_event events[FAKE_EVENTS_MAX];
    uint8_t event_data[FAKE_EVENTS_MAX][64];
    unsigned event_count, events_taken;
    enum ibv_event_type async_types[FAKE_EVENTS_MAX];
    unsigned async_count, async_taken;

    uint8_t shown[64]; /* private data of our request or rejection */
    uint8_t shown_size;
    int connects, establishes, accepts, rejects, disconnects;
    int listening;           /* ids that listen */
    bool listens_not_on_all; /* one of the devices is in the way */
};

static struct fake_verbs fake;

static inline bool fake_fails(void)
{
    fake.call_count++;
    if (fake.call_count == fake.fail_at) {
        errno = fake.fail_code;
        return true;
    }
    return false;
}

static inline void fake_require(bool fine, const char *misuse)
{
    if (!fine && fake.misuse == NULL) {
        fake.misuse = misuse;
    }
}

static inline void fake_signal(int fd)
{
    uint64_t one = 1;
    fake_require(write(fd, &one, sizeof(one)) == (ssize_t)sizeof(one), "eventfd write");
}

static inline bool fake_take_signal(int fd)
{
    uint64_t count;
    return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static inline int fake_eventfd(void)
{
    return eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK);
}

/* Destroy an object: returns an errno, as the libraries do. */
static inline int fake_release(void *object)
{
    fake.release_count++;
    if (fake.release_fails_from == 0 || fake.release_count < fake.release_fails_from) {
        free(object);
        return 0;
    }
    if (fake.lost_count < FAKE_LOST_MAX) {
        fake.lost[fake.lost_count++] = object;
    }
    return EIO;
}

/* --- device ---------------------------------------------------------------------------------- */

static inline struct ibv_context *fake_open_device(struct ibv_device *device)
{
    fake_require(device == &fake.device, "opened another device");
    if (fake_fails()) {
        return NULL;
    }
    fake.context = calloc(1, sizeof(*fake.context));
    fake.context->async_fd = fake_eventfd();
    fake.context->num_comp_vectors = fake.vector_count;
    fake.contexts++;
    return fake.context;
}

static inline int fake_close_device(struct ibv_context *context)
{
    fake_require(fake.pds == 0 && fake.cqs == 0 && fake.comp_channels == 0,
                 "device closed before its objects");
    (void)close(context->async_fd);
    fake.contexts--;
    return fake_release(context);
}

static inline int fake_query_device(struct ibv_context *context, struct ibv_device_attr *attributes)
{
    (void)context;
    *attributes =
        (struct ibv_device_attr){.max_mr_size = UINT64_MAX, .max_qp_wr = 1600, .max_cqe = 3200};
    return fake_fails() ? fake.fail_code : 0;
}

static inline int fake_query_port(struct ibv_context *context, uint8_t port,
                                  struct ibv_port_attr *attributes)
{
    (void)context;
    fake_require(port == 1, "asked for another port");
    memset(attributes, 0, sizeof(*attributes));
    attributes->max_msg_sz =
        fake.message_bytes_max != 0 ? fake.message_bytes_max : FAKE_MESSAGE_BYTES_MAX;
    return fake_fails() ? fake.fail_code : 0;
}

static inline struct ibv_pd *fake_alloc_pd(struct ibv_context *context)
{
    if (fake_fails()) {
        return NULL;
    }
    struct ibv_pd *pd = calloc(1, sizeof(*pd));
    pd->context = context;
    fake.pds++;
    return pd;
}

static inline int fake_dealloc_pd(struct ibv_pd *pd)
{
    fake_require(fake.regions == 0 && fake.qps == 0, "protection domain freed before its objects");
    fake.pds--;
    return fake_release(pd);
}

static inline struct ibv_mr *fake_reg_mr(struct ibv_pd *pd, void *address, size_t size_bytes,
                                         unsigned access)
{
    fake_require((access & ~(unsigned)(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
                                       IBV_ACCESS_RELAXED_ORDERING)) == 0,
                 "memory opened for more than writes");
    if (fake.region_bytes_limit != 0 && size_bytes > fake.region_bytes_limit) {
        errno = ENOMEM;
        return NULL;
    }
    if (fake_fails()) {
        return NULL;
    }
    struct ibv_mr *region = calloc(1, sizeof(*region));
    region->pd = pd;
    region->addr = address;
    region->length = size_bytes;
    region->lkey = 100 + (uint32_t)fake.regions;
    region->rkey = 200 + (uint32_t)fake.regions;
    fake.regions++;
    return region;
}

static inline int fake_dereg_mr(struct ibv_mr *region)
{
    fake_require(fake.qps == 0, "memory unregistered under a live queue pair");
    fake.regions--;
    return fake_release(region);
}

static inline int fake_get_async_event(struct ibv_context *context, struct ibv_async_event *event)
{
    if (!fake_take_signal(context->async_fd)) {
        return -1;
    }
    memset(event, 0, sizeof(*event));
    event->event_type = fake.async_types[fake.async_taken++];
    event->element.port_num = 1;
    fake.async_events++;
    return 0;
}

static inline void fake_ack_async_event(struct ibv_async_event *event)
{
    (void)event;
    fake.async_events--;
}

/* --- queues ---------------------------------------------------------------------------------- */

static inline struct ibv_comp_channel *fake_create_comp_channel(struct ibv_context *context)
{
    (void)context;
    if (fake_fails()) {
        return NULL;
    }
    fake.comp_channel = calloc(1, sizeof(*fake.comp_channel));
    fake.comp_channel->fd = fake_eventfd();
    fake.comp_channels++;
    return fake.comp_channel;
}

static inline int fake_destroy_comp_channel(struct ibv_comp_channel *channel)
{
    fake_require(fake.cqs == 0, "completion channel destroyed before its queue");
    fake.comp_channels--;
    if (fake.cq_lost) {
        fake.lost[fake.lost_count++] = channel;
        (void)close(channel->fd); /* here, so that no test runs out of them */
        return EBUSY;
    }
    (void)close(channel->fd);
    return fake_release(channel);
}

static inline struct ibv_cq *fake_create_cq(struct ibv_context *context, int entry_count,
                                            void *cq_context, struct ibv_comp_channel *channel,
                                            int vector)
{
    (void)cq_context;
    fake_require(vector == 0 || vector < fake.vector_count, "a completion vector of no device");
    fake.last_vector = vector;
    if (fake_fails()) {
        return NULL;
    }
    struct ibv_cq *cq = calloc(1, sizeof(*cq));
    cq->context = context;
    cq->channel = channel;
    cq->cqe = entry_count;
    fake.cqs++;
    return cq;
}

static inline int fake_destroy_cq(struct ibv_cq *cq)
{
    fake_require(fake.qps == 0, "completion queue destroyed under a live queue pair");
    fake_require(fake.notifications_taken == fake.notifications_acked,
                 "completion events not acknowledged: the real call would hang");
    fake.cqs--;
    int result = fake_release(cq);
    fake.cq_lost = fake.cq_lost || result != 0;
    return result;
}

static inline void fake_push_completion(struct ibv_wc wc)
{
    fake.completions[fake.completion_count++ % (2 * FAKE_WORK_MAX)] = wc;
    bool urgent = verbs_work_kind(wc.wr_id) == VERBS_WORK_RECEIVE && !fake.arrives_unurgent;
    bool solicited = wc.status != IBV_WC_SUCCESS || urgent;
    if (fake.notify || (fake.notify_solicited && solicited)) {
        fake.notify = false;
        fake.notify_solicited = false;
        fake_signal(fake.comp_channel->fd);
    }
}

static inline int fake_poll_cq(struct ibv_cq *cq, int count, struct ibv_wc *completions)
{
    (void)cq;
    int taken = 0;
    if (fake.poll_fails) {
        return -1;
    }
    while (taken < count && fake.completions_taken < fake.completion_count) {
        completions[taken++] = fake.completions[fake.completions_taken++ % (2 * FAKE_WORK_MAX)];
    }
    return taken;
}

static inline int fake_req_notify_cq(struct ibv_cq *cq, int solicited_only)
{
    (void)cq;
    if (fake_fails()) {
        return fake.fail_code;
    }
    fake.notify = fake.notify || solicited_only == 0;
    fake.notify_solicited = true;
    return 0;
}

static inline int fake_get_cq_event(struct ibv_comp_channel *channel, struct ibv_cq **cq,
                                    void **cq_context)
{
    (void)cq;
    (void)cq_context;
    if (!fake_take_signal(channel->fd)) {
        return -1;
    }
    fake.notifications_taken++;
    return 0;
}

static inline void fake_ack_cq_events(struct ibv_cq *cq, unsigned count)
{
    (void)cq;
    fake.notifications_acked += count;
}

static inline struct ibv_qp *fake_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *attributes)
{
    fake_require(attributes->send_cq->cqe >=
                     (int)(attributes->cap.max_send_wr + attributes->cap.max_recv_wr),
                 "the completion queue can overflow");
    if (fake.inlines_nothing && attributes->cap.max_inline_data > 0) {
        errno = EINVAL;
        return NULL;
    }
    if (fake_fails()) {
        return NULL;
    }
    struct ibv_qp *qp = calloc(1, sizeof(*qp));
    qp->pd = pd;
    qp->qp_num = 17;
    fake.qp = qp;
    fake.qp_state = IBV_QPS_RESET;
    fake.qps++;
    return qp;
}

static inline int fake_destroy_qp(struct ibv_qp *qp)
{
    fake_require(fake.async_events == 0, "queue pair destroyed with events unacknowledged");
    fake.qps--;
    fake.qp = NULL;
    return fake_release(qp);
}

static inline void fake_flush(void)
{
    for (; fake.writes_done < fake.write_count; fake.writes_done++) {
        fake_push_completion((struct ibv_wc){.wr_id = fake.writes[fake.writes_done].id,
                                             .status = IBV_WC_WR_FLUSH_ERR});
    }
    for (; fake.receives_done < fake.receive_count; fake.receives_done++) {
        fake_push_completion(
            (struct ibv_wc){.wr_id = fake.receives[fake.receives_done % FAKE_WORK_MAX],
                            .status = IBV_WC_WR_FLUSH_ERR});
    }
}

static inline int fake_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attributes, int mask)
{
    (void)qp;
    (void)mask;
    if (attributes->qp_state == IBV_QPS_ERR) {
        fake.qp_state = IBV_QPS_ERR;
        if (fake.release_fails_from != 0) {
            return EIO; /* nobody is left to end what was posted */
        }
        fake_flush();
        return 0;
    }
    if (fake_fails()) {
        return fake.fail_code;
    }
    fake.qp_state = attributes->qp_state;
    fake.qp_attributes = *attributes;
    return 0;
}

static inline int fake_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr,
                                 struct ibv_send_wr **bad)
{
    (void)qp;
    fake_require(fake.qp_state == IBV_QPS_RTS, "send before the connection stands");
    fake_require(wr->opcode == IBV_WR_RDMA_WRITE_WITH_IMM, "something else than a write");
    if (fake_fails()) {
        *bad = wr;
        return fake.fail_code;
    }
    struct fake_write *write = &fake.writes[fake.write_count++];
    *write = (struct fake_write){.id = wr->wr_id,
                                 .remote_address = wr->wr.rdma.remote_addr,
                                 .rkey = wr->wr.rdma.rkey,
                                 .immediate = ntohl(wr->imm_data),
                                 .size_bytes = wr->num_sge == 0 ? 0 : wr->sg_list[0].length,
                                 .lkey = wr->num_sge == 0 ? 0 : wr->sg_list[0].lkey,
                                 .inlined = (wr->send_flags & IBV_SEND_INLINE) != 0,
                                 .urgent = (wr->send_flags & IBV_SEND_SOLICITED) != 0};
    fake_require(!write->inlined ||
                     (!fake.inlines_nothing && write->size_bytes <= FAKE_INLINE_BYTES),
                 "more inline data than the queue pair takes");
    if (write->size_bytes > 0) {
        uint32_t size =
            write->size_bytes < FAKE_INLINE_BYTES ? write->size_bytes : FAKE_INLINE_BYTES;
        memcpy(write->data, (const void *)(uintptr_t)wr->sg_list[0].addr, size);
    }
    return 0;
}

static inline int fake_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr,
                                 struct ibv_recv_wr **bad)
{
    (void)qp;
    fake_require(fake.qp_state != IBV_QPS_RESET, "receive posted before INIT");
    if (fake_fails()) {
        *bad = wr;
        return fake.fail_code;
    }
    fake.receives[fake.receive_count++ % FAKE_WORK_MAX] = wr->wr_id;
    return 0;
}

/* --- connection manager ---------------------------------------------------------------------- */

static inline struct rdma_event_channel *fake_create_event_channel(void)
{
    if (fake_fails()) {
        return NULL;
    }
    struct rdma_event_channel *channel = calloc(1, sizeof(*channel));
    channel->fd = fake_eventfd();
    fake.channel = channel;
    fake.event_channels++;
    return channel;
}

static inline void fake_destroy_event_channel(struct rdma_event_channel *channel)
{
    fake_require(fake.id == NULL || fake.id->channel != channel, "channel destroyed before its id");
    (void)close(channel->fd);
    free(channel);
    fake.event_channels--;
}

static inline int fake_get_cm_event(struct rdma_event_channel *channel,
                                    struct rdma_cm_event **event)
{
    if (!fake_take_signal(channel->fd)) {
        return -1;
    }
    *event = &fake.events[fake.events_taken++];
    fake.cm_events++;
    return 0;
}

static inline int fake_ack_cm_event(struct rdma_cm_event *event)
{
    /* Makes any later use visible. */
    memset(event, 0xee, sizeof(*event));
    fake.cm_events--;
    return 0;
}

static inline struct rdma_cm_id *fake_make_id(struct rdma_event_channel *channel)
{
    struct rdma_cm_id *id = calloc(1, sizeof(*id));
    id->channel = channel;
    id->route.addr.src_addr.sa_family = AF_INET;
    id->route.addr.dst_addr.sa_family = AF_INET;
    id->port_num = 1;
    id->verbs = &fake.shared;
    fake.ids++;
    return id;
}

static inline int fake_create_id(struct rdma_event_channel *channel, struct rdma_cm_id **id,
                                 void *context, enum rdma_port_space space)
{
    (void)context;
    fake_require(space == RDMA_PS_TCP, "another port space");
    if (fake_fails()) {
        return -1;
    }
    *id = fake_make_id(channel);
    fake.id = *id;
    return 0;
}

static inline int fake_destroy_id(struct rdma_cm_id *id)
{
    fake_require(fake.cm_events == 0, "id destroyed with events unacknowledged: would hang");
    if (id == fake.id) {
        fake.id = NULL;
    }
    fake.ids--;
    errno = EIO;
    return fake_release(id) == 0 ? 0 : -1;
}

static inline int fake_migrate_id(struct rdma_cm_id *id, struct rdma_event_channel *channel)
{
    if (fake_fails()) {
        return -1;
    }
    id->channel = channel;
    return 0;
}

static inline int fake_step(struct rdma_cm_id *id)
{
    (void)id;
    return fake_fails() ? -1 : 0;
}

/* The unspecified address is on no device yet. */
static inline int fake_bind_addr(struct rdma_cm_id *id, struct sockaddr *address)
{
    bool six = address->sa_family == AF_INET6;
    memcpy(&id->route.addr.src_storage, address,
           six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    if (id->route.addr.src_sin.sin_port == 0) {
        id->route.addr.src_sin.sin_port = htons(FAKE_PORT); /* of IPv6 addresses, too */
    }
    bool any = six ? IN6_IS_ADDR_UNSPECIFIED(&id->route.addr.src_sin6.sin6_addr)
                   : id->route.addr.src_sin.sin_addr.s_addr == htonl(INADDR_ANY);
    id->verbs = any ? NULL : &fake.shared;
    return fake_step(id);
}

static inline int fake_listen(struct rdma_cm_id *id, int backlog)
{
    (void)backlog;
    if (fake.listens_not_on_all && id->verbs == NULL) {
        errno = EADDRINUSE;
        return -1;
    }
    int result = fake_step(id);
    fake.listening += result == 0 ? 1 : 0;
    return result;
}

static inline int fake_resolve_addr(struct rdma_cm_id *id, struct sockaddr *source,
                                    struct sockaddr *target, int timeout_ms)
{
    (void)source;
    (void)target;
    fake_require(timeout_ms > 0, "address resolved without a timeout");
    return fake_step(id);
}

static inline int fake_resolve_route(struct rdma_cm_id *id, int timeout_ms)
{
    fake_require(timeout_ms > 0, "route resolved without a timeout");
    return fake_step(id);
}

static inline int fake_init_qp_attr(struct rdma_cm_id *id, struct ibv_qp_attr *attributes,
                                    int *mask)
{
    (void)attributes;
    *mask = IBV_QP_STATE;
    return fake_step(id);
}

static inline void fake_note_shown(const void *data, uint8_t size_bytes)
{
    fake.shown_size = size_bytes;
    if (data != NULL) {
        memcpy(fake.shown, data, size_bytes);
    }
}

static inline int fake_connect(struct rdma_cm_id *id, struct rdma_conn_param *parameters)
{
    fake_require(fake.receive_count > fake.receives_done, "connected without receives posted");
    fake_require(parameters->qp_num == 17, "another queue pair's number");
    fake_note_shown(parameters->private_data, parameters->private_data_len);
    fake.connects++;
    return fake_step(id);
}

static inline int fake_establish(struct rdma_cm_id *id)
{
    fake_require(fake.qp_state == IBV_QPS_RTS, "established before RTS");
    fake.establishes++;
    return fake_step(id);
}

static inline int fake_accept(struct rdma_cm_id *id, struct rdma_conn_param *parameters)
{
    fake_require(fake.receive_count > fake.receives_done, "accepted without receives posted");
    fake_require(fake.qp_state == IBV_QPS_RTS, "accepted before RTS");
    fake_require(parameters->qp_num == 17, "another queue pair's number");
    fake.accepts++;
    return fake_step(id);
}

static inline int fake_reject(struct rdma_cm_id *id, const void *data, uint8_t size_bytes)
{
    (void)id;
    fake_note_shown(data, size_bytes);
    fake.rejects++;
    return 0;
}

static inline int fake_notify(struct rdma_cm_id *id, enum ibv_event_type event)
{
    (void)id;
    (void)event;
    return 0;
}

static inline int fake_disconnect(struct rdma_cm_id *id)
{
    (void)id;
    fake.disconnects++;
    return 0;
}

static const struct verbs_api fake_api = {
    .open_device = fake_open_device,
    .close_device = fake_close_device,
    .query_device = fake_query_device,
    .query_port = fake_query_port,
    .alloc_pd = fake_alloc_pd,
    .dealloc_pd = fake_dealloc_pd,
    .reg_mr = fake_reg_mr,
    .dereg_mr = fake_dereg_mr,
    .get_async_event = fake_get_async_event,
    .ack_async_event = fake_ack_async_event,
    .create_comp_channel = fake_create_comp_channel,
    .destroy_comp_channel = fake_destroy_comp_channel,
    .create_cq = fake_create_cq,
    .destroy_cq = fake_destroy_cq,
    .poll_cq = fake_poll_cq,
    .req_notify_cq = fake_req_notify_cq,
    .get_cq_event = fake_get_cq_event,
    .ack_cq_events = fake_ack_cq_events,
    .create_qp = fake_create_qp,
    .destroy_qp = fake_destroy_qp,
    .modify_qp = fake_modify_qp,
    .post_send = fake_post_send,
    .post_recv = fake_post_recv,
    .create_event_channel = fake_create_event_channel,
    .destroy_event_channel = fake_destroy_event_channel,
    .get_cm_event = fake_get_cm_event,
    .ack_cm_event = fake_ack_cm_event,
    .create_id = fake_create_id,
    .destroy_id = fake_destroy_id,
    .migrate_id = fake_migrate_id,
    .bind_addr = fake_bind_addr,
    .listen = fake_listen,
    .resolve_addr = fake_resolve_addr,
    .resolve_route = fake_resolve_route,
    .init_qp_attr = fake_init_qp_attr,
    .connect = fake_connect,
    .establish = fake_establish,
    .accept = fake_accept,
    .reject = fake_reject,
    .notify = fake_notify,
    .disconnect = fake_disconnect,
};

/* --- what a test brings ---------------------------------------------------------------------- */

static inline void fake_reset(void)
{
    while (fake.lost_count > 0) {
        free(fake.lost[--fake.lost_count]);
    }
    memset(&fake, 0, sizeof(fake));
    fake.fail_code = EIO;
    fake.shared.device = &fake.device;
}

/* Whether everything is destroyed, and nothing was misused. */
static inline bool fake_is_clean(void)
{
    return fake.misuse == NULL && fake.contexts == 0 && fake.pds == 0 && fake.regions == 0 &&
           fake.comp_channels == 0 && fake.cqs == 0 && fake.qps == 0 && fake.event_channels == 0 &&
           fake.ids == 0 && fake.cm_events == 0 && fake.async_events == 0 &&
           fake.notifications_taken == fake.notifications_acked;
}

/* The oldest write completes. */
static inline void fake_complete_write(enum ibv_wc_status status)
{
    fake_require(fake.writes_done < fake.write_count, "no write to complete");
    fake_push_completion((struct ibv_wc){
        .wr_id = fake.writes[fake.writes_done++].id, .status = status, .vendor_err = 0x42});
}

/* A write of the peer arrives with this immediate; the test puts its bytes there. */
static inline void fake_arrive(uint32_t immediate, uint32_t size_bytes)
{
    fake_require(fake.receives_done < fake.receive_count, "receiver not ready");
    fake_push_completion(
        (struct ibv_wc){.wr_id = fake.receives[fake.receives_done++ % FAKE_WORK_MAX],
                        .status = IBV_WC_SUCCESS,
                        .opcode = IBV_WC_RECV_RDMA_WITH_IMM,
                        .imm_data = htonl(immediate),
                        .byte_len = size_bytes});
}

/* An event for `id` on its channel, with private data. */
static inline void fake_cm_bring(struct rdma_cm_id *id, enum rdma_cm_event_type type, int status,
                                 const void *data, uint8_t size_bytes)
{
    unsigned at = fake.event_count++;
    fake.events[at] = (struct rdma_cm_event){.id = id, .event = type, .status = status};
    if (data != NULL) {
        memcpy(fake.event_data[at], data, size_bytes);
        fake.events[at].param.conn.private_data = fake.event_data[at];
        fake.events[at].param.conn.private_data_len = size_bytes;
    }
    fake_signal(id->channel->fd);
}

static inline void fake_cm(enum rdma_cm_event_type type, int status)
{
    fake_cm_bring(fake.id, type, status, NULL, 0);
}

static inline void fake_async(enum ibv_event_type type)
{
    fake.async_types[fake.async_count++] = type;
    fake_signal(fake.context->async_fd);
}

#endif
