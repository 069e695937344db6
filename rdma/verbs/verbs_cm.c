/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_cm.c — copies and acknowledges events; the meaning of connection manager errors. */
#include "verbs_cm.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "verbs_greeting.h"

enum {
    /* Reasons of a rejection, by the InfiniBand specification. */
    REJECT_INVALID_SERVICE = 8,
    REJECT_STALE_CONNECTION = 10,
};

static enum haul_status fail_channel(int code, struct haul_error *error)
{
    if (code == EMFILE || code == ENFILE || code == ENOMEM) {
        return verbs_fail(error, "rdma_create_event_channel", code,
                          "cannot make an RDMA event channel");
    }
    haul_error_set(error, HAUL_UNSUPPORTED, "rdma_create_event_channel", code,
                   "no RDMA device here");
    haul_error_hint(error, "rdma link shows the devices; the rdma_cm and rdma_ucm modules must be "
                           "loaded and /dev/infiniband/rdma_cm accessible");
    return HAUL_UNSUPPORTED;
}

enum haul_status verbs_cm_open(const struct verbs_api *api, struct rdma_event_channel **channel,
                               struct haul_error *error)
{
    struct rdma_event_channel *made = api->create_event_channel();
    if (made == NULL) {
        return fail_channel(errno, error);
    }
    enum haul_status status = verbs_set_nonblocking(made->fd, error);
    if (status != HAUL_OK) {
        api->destroy_event_channel(made);
        return status;
    }
    *channel = made;
    return HAUL_OK;
}

static bool carries_data(enum rdma_cm_event_type type)
{
    return type == RDMA_CM_EVENT_CONNECT_REQUEST || type == RDMA_CM_EVENT_REJECTED;
}

enum haul_status verbs_cm_next(const struct verbs_api *api, struct rdma_event_channel *channel,
                               struct verbs_cm_event *event, struct haul_error *error)
{
    struct rdma_cm_event *got = NULL;
    if (api->get_cm_event(channel, &got) != 0) {
        /* The peer may vanish between the kernel's report and this read: no event. */
        if (errno == EAGAIN || errno == EINTR) {
            return HAUL_AGAIN;
        }
        return verbs_fail(error, "rdma_get_cm_event", errno, "the connection manager failed");
    }
    *event = (struct verbs_cm_event){.type = got->event, .status = got->status, .id = got->id};
    const struct rdma_conn_param *conn = &got->param.conn;
    if (carries_data(got->event) && conn->private_data != NULL) {
        size_t size = conn->private_data_len;
        size = size < sizeof(event->data) ? size : sizeof(event->data);
        memcpy(event->data, conn->private_data, size);
        event->data_size_bytes = size;
    }
    (void)api->ack_cm_event(got);
    return HAUL_OK;
}

enum haul_status verbs_cm_fail_address(const struct link_address *address, const char *call,
                                       int code, struct haul_error *error)
{
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(address, text);
    switch (code) {
    case ENODEV:
    case EADDRNOTAVAIL:
    case ENOENT:
    case ENXIO:
        haul_error_set(error, HAUL_UNSUPPORTED, call, code, "%s is not on an RDMA device", text);
        haul_error_hint(error, "rdma link shows which network devices have one");
        return HAUL_UNSUPPORTED;
    case EADDRINUSE:
        return haul_error_set(error, HAUL_BUSY, call, code, "%s is in use", text);
    case ETIMEDOUT:
    case ENETUNREACH:
    case EHOSTUNREACH:
        return haul_error_set(error, HAUL_UNREACHABLE, call, code, "%s cannot be reached by RDMA",
                              text);
    default: {
        enum haul_status status = verbs_status(code);
        status = status == HAUL_OK || status == HAUL_AGAIN ? HAUL_IO : status;
        return haul_error_set(error, status, call, code, "RDMA with %s failed", text);
    }
    }
}

static void copy_address(const struct sockaddr *from, struct link_address *address)
{
    *address = (struct link_address){
        .size =
            from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in),
    };
    memcpy(&address->storage, from, address->size);
}

void verbs_cm_peer(struct rdma_cm_id *id, struct link_address *address)
{
    copy_address(rdma_get_peer_addr(id), address);
}

void verbs_cm_local(struct rdma_cm_id *id, struct link_address *address)
{
    copy_address(rdma_get_local_addr(id), address);
}

void verbs_cm_reject(const struct verbs_api *api, struct rdma_cm_id *id, enum haul_status reason)
{
    uint8_t refusal[VERBS_REFUSAL_BYTES];
    verbs_refusal_encode(reason, refusal);
    /* Fails if the peer has given up meanwhile: then it does not need the answer. */
    (void)api->reject(id, refusal, sizeof(refusal));
}

bool verbs_cm_is_stale(const struct verbs_cm_event *event)
{
    return event->type == RDMA_CM_EVENT_REJECTED && event->status == REJECT_STALE_CONNECTION;
}

enum haul_status verbs_cm_fail_rejected(const struct verbs_cm_event *event, const char *peer,
                                        struct haul_error *error)
{
    struct verbs_refusal refusal;
    if (verbs_refusal_decode(event->data, event->data_size_bytes, &refusal) == HAUL_OK) {
        if (refusal.status == HAUL_VERSION) {
            return haul_error_set(error, HAUL_VERSION, "", 0,
                                  "%s speaks versions %u to %u of the link protocol", peer,
                                  refusal.version_min, refusal.version_max);
        }
        return haul_error_set(error, refusal.status, "", 0, "%s refused the link: %s", peer,
                              haul_status_sentence(refusal.status));
    }
    if (event->status == REJECT_INVALID_SERVICE) {
        haul_error_set(error, HAUL_REFUSED, "rdma_connect", 0, "nobody listens on %s for RDMA",
                       peer);
    } else {
        haul_error_set(error, HAUL_REFUSED, "rdma_connect", 0,
                       "%s rejected the RDMA connection (reason %d)", peer, event->status);
    }
    haul_error_hint(error, "check that a haul receiver with RDMA listens at this address and port");
    return HAUL_REFUSED;
}
