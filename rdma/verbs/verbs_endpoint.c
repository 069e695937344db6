/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_endpoint.c — one end of a connection and the state changes of its queue pair. */
#include "verbs_endpoint.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "link_sockaddr.h"
#include "verbs_greeting.h"

enum {
    RETRY_COUNT = 7, /* rxe takes 7 to mean "for ever": verbs_life_watch ends that */
    RNR_RETRY_COUNT = 7,
    RNR_TIMER = 12,
    ACK_TIMEOUT_MIN = 8,  /* 1 ms: shorter than a busy host's scheduling delay */
    ACK_TIMEOUT_MAX = 16, /* 268 ms: a lost packet may delay the end of a stream this long */
    ACK_UNIT_NS = 4096,
};

uint8_t verbs_ack_timeout(uint32_t peer_timeout_ms)
{
    uint64_t share_ns = (uint64_t)peer_timeout_ms * NS_PER_MS / (1 + RETRY_COUNT);
    uint8_t exponent = ACK_TIMEOUT_MIN;
    while (exponent < ACK_TIMEOUT_MAX && (uint64_t)ACK_UNIT_NS << (exponent + 1) <= share_ns) {
        exponent++;
    }
    return exponent;
}

/* --- descriptors ---------------------------------------------------------------------------- */

enum haul_status verbs_endpoint_init(struct verbs_endpoint *endpoint, const struct verbs_api *api,
                                     uint32_t peer_timeout_ms, struct haul_error *error)
{
    *endpoint = (struct verbs_endpoint){
        .api = api, .peer_timeout_ms = peer_timeout_ms, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    return endpoint->epoll_fd >= 0
               ? HAUL_OK
               : verbs_fail(error, "epoll_create1", errno, "cannot create a link");
}

void verbs_endpoint_fini(struct verbs_endpoint *endpoint)
{
    if (endpoint->epoll_fd >= 0) {
        (void)close(endpoint->epoll_fd);
        endpoint->epoll_fd = -1;
    }
}

static enum haul_status watch(struct verbs_endpoint *endpoint, int fd, enum verbs_ready ready,
                              struct haul_error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)ready};
    return verbs_check(epoll_ctl(endpoint->epoll_fd, EPOLL_CTL_ADD, fd, &event), "epoll_ctl",
                       "cannot watch an event descriptor", error);
}

unsigned verbs_endpoint_look(const struct verbs_endpoint *endpoint)
{
    struct epoll_event events[4];
    int count = epoll_wait(endpoint->epoll_fd, events, 4, 0);
    unsigned ready = 0;
    for (int i = 0; i < count; i++) {
        ready |= events[i].data.u32;
    }
    return ready;
}

enum haul_status verbs_endpoint_next_async(struct verbs_endpoint *endpoint,
                                           enum ibv_event_type *type)
{
    struct ibv_context *context = endpoint->device.context;
    struct ibv_async_event event;
    while (context != NULL && endpoint->api->get_async_event(context, &event) == 0) {
        *type = event.event_type;
        bool of_port =
            event.event_type == IBV_EVENT_PORT_ERR || event.event_type == IBV_EVENT_PORT_ACTIVE;
        bool ours = !of_port || event.element.port_num == endpoint->id->port_num;
        /* At once: destroying the queue pair waits for it. */
        endpoint->api->ack_async_event(&event);
        if (ours) {
            return HAUL_OK;
        }
    }
    return HAUL_AGAIN;
}

/* --- making --------------------------------------------------------------------------------- */

static enum haul_status open_channel(struct verbs_endpoint *endpoint, struct haul_error *error)
{
    enum haul_status status = verbs_cm_open(endpoint->api, &endpoint->channel, error);
    return status == HAUL_OK ? watch(endpoint, endpoint->channel->fd, VERBS_READY_CM, error)
                             : status;
}

enum haul_status verbs_endpoint_dial(struct verbs_endpoint *endpoint,
                                     const struct link_address *peer, struct haul_error *error)
{
    const struct verbs_api *api = endpoint->api;
    enum haul_status status = open_channel(endpoint, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    status = verbs_check(api->create_id(endpoint->channel, &endpoint->id, NULL, RDMA_PS_TCP),
                         "rdma_create_id", "cannot create a connection", error);
    if (status != HAUL_OK) {
        endpoint->id = NULL;
        goto fail;
    }
    struct sockaddr_storage target = *link_sockaddr_of(peer); /* the call needs it writable */
    if (api->resolve_addr(endpoint->id, NULL, (struct sockaddr *)&target,
                          (int)endpoint->peer_timeout_ms) != 0) {
        status = verbs_cm_fail_address(peer, "rdma_resolve_addr", errno, error);
        goto fail;
    }
    return HAUL_OK;
fail:
    verbs_endpoint_close(endpoint);
    return status;
}

enum haul_status verbs_endpoint_adopt(struct verbs_endpoint *endpoint, struct rdma_cm_id *id,
                                      struct haul_error *error)
{
    enum haul_status status = open_channel(endpoint, error);
    if (status == HAUL_OK) {
        status = verbs_check(endpoint->api->migrate_id(id, endpoint->channel), "rdma_migrate_id",
                             "cannot take over a connection request", error);
    }
    if (status == HAUL_OK) {
        endpoint->id = id;
    } else {
        verbs_endpoint_close(endpoint);
    }
    return status;
}

enum haul_status verbs_endpoint_open_device(struct verbs_endpoint *endpoint,
                                            struct haul_error *error)
{
    enum haul_status status =
        verbs_device_open(&endpoint->device, endpoint->api, endpoint->id, error);
    return status == HAUL_OK
               ? watch(endpoint, endpoint->device.context->async_fd, VERBS_READY_ASYNC, error)
               : status;
}

/* --- the steps of the queue pair ------------------------------------------------------------ */

/* Change the state, with the attributes of rdma_cm and haul's own. */
static enum haul_status step(struct verbs_endpoint *endpoint, enum ibv_qp_state state,
                             struct haul_error *error)
{
    struct ibv_qp_attr attributes = {.qp_state = state};
    int mask = 0;
    enum haul_status status =
        verbs_check(endpoint->api->init_qp_attr(endpoint->id, &attributes, &mask),
                    "rdma_init_qp_attr", "cannot prepare the queue pair", error);
    if (status != HAUL_OK) {
        return status;
    }
    /* The peer may write, and do nothing else. */
    attributes.qp_access_flags = IBV_ACCESS_REMOTE_WRITE;
    attributes.min_rnr_timer = RNR_TIMER;
    attributes.rnr_retry = RNR_RETRY_COUNT;
    attributes.retry_cnt = RETRY_COUNT;
    attributes.timeout = verbs_ack_timeout(endpoint->peer_timeout_ms);
    return verbs_check(endpoint->api->modify_qp(endpoint->queue.qp, &attributes, mask),
                       "ibv_modify_qp", "cannot prepare the queue pair", error);
}

static enum haul_status make_ready(struct verbs_endpoint *endpoint, struct haul_error *error)
{
    enum haul_status status = step(endpoint, IBV_QPS_RTR, error);
    return status == HAUL_OK ? step(endpoint, IBV_QPS_RTS, error) : status;
}

enum haul_status verbs_endpoint_open_queue(struct verbs_endpoint *endpoint, uint32_t send_count,
                                           uint32_t receive_count, struct haul_error *error)
{
    struct verbs_queue *queue = &endpoint->queue;
    enum haul_status status =
        verbs_queue_open(queue, &endpoint->device, send_count, receive_count, error);
    if (status == HAUL_OK) {
        status = watch(endpoint, queue->channel->fd, VERBS_READY_COMPLETION, error);
    }
    if (status == HAUL_OK) {
        status = step(endpoint, IBV_QPS_INIT, error);
    }
    return status == HAUL_OK ? verbs_queue_fill(queue, error) : status;
}

/* No reads and no atomics: their resources are zero. */
static struct rdma_conn_param connection_parameters(const struct verbs_endpoint *endpoint)
{
    return (struct rdma_conn_param){.flow_control = 1,
                                    .retry_count = RETRY_COUNT,
                                    .rnr_retry_count = RNR_RETRY_COUNT,
                                    .qp_num = endpoint->queue.qp->qp_num};
}

enum haul_status verbs_endpoint_connect(struct verbs_endpoint *endpoint, const uint8_t *greeting,
                                        struct haul_error *error)
{
    struct rdma_conn_param parameters = connection_parameters(endpoint);
    parameters.private_data = greeting;
    parameters.private_data_len = VERBS_GREETING_BYTES;
    return verbs_check(endpoint->api->connect(endpoint->id, &parameters), "rdma_connect",
                       "cannot connect", error);
}

enum haul_status verbs_endpoint_establish(struct verbs_endpoint *endpoint, struct haul_error *error)
{
    enum haul_status status = make_ready(endpoint, error);
    return status == HAUL_OK ? verbs_check(endpoint->api->establish(endpoint->id), "rdma_establish",
                                           "cannot connect", error)
                             : status;
}

enum haul_status verbs_endpoint_accept(struct verbs_endpoint *endpoint, struct haul_error *error)
{
    enum haul_status status = make_ready(endpoint, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct rdma_conn_param parameters = connection_parameters(endpoint);
    return verbs_check(endpoint->api->accept(endpoint->id, &parameters), "rdma_accept",
                       "cannot accept a connection", error);
}

/* --- unmaking ------------------------------------------------------------------------------- */

void verbs_endpoint_disconnect(struct verbs_endpoint *endpoint)
{
    if (endpoint->queue.qp == NULL) {
        return;
    }
    /* Fails if the peer was faster or was never connected; both are fine. */
    (void)endpoint->api->disconnect(endpoint->id);
    verbs_queue_fail(&endpoint->queue);
}

void verbs_endpoint_close_queue(struct verbs_endpoint *endpoint)
{
    if (endpoint->queue.api != NULL) {
        enum ibv_event_type ignored;
        while (verbs_endpoint_next_async(endpoint, &ignored) == HAUL_OK) {
        }
        verbs_queue_close(&endpoint->queue);
    }
}

void verbs_endpoint_close(struct verbs_endpoint *endpoint)
{
    verbs_endpoint_close_queue(endpoint);
    if (endpoint->device.api != NULL) {
        verbs_device_close(&endpoint->device);
    }
    if (endpoint->id != NULL) {
        (void)endpoint->api->destroy_id(endpoint->id);
        endpoint->id = NULL;
    }
    if (endpoint->channel != NULL) {
        endpoint->api->destroy_event_channel(endpoint->channel);
        endpoint->channel = NULL;
    }
}
