/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_events.c — the steps of a verbs link from resolving to READY, and the ends that the
 * connection manager and the device cause. */
#include "verbs_events.h"

#include <errno.h>

#include "verbs_cm.h"
#include "verbs_greeting.h"

enum {
    /* A link that never sleeps checks its descriptors once in this many polls. */
    POLLS_PER_LOOK = 64,
    /* Each attempt has a new queue pair, so that even one retry should succeed. */
    ATTEMPTS_MAX = 8,
};

/* --- events of the connection manager ------------------------------------------------------- */

static void on_address_resolved(struct verbs_link *link)
{
    int timeout_ms = (int)link->base.config.options.peer_timeout_ms;
    if (link->api->resolve_route(link->endpoint.id, timeout_ms) != 0) {
        (void)verbs_cm_fail_address(&link->peer, "rdma_resolve_route", errno, &link->error);
        verbs_life_fail(link);
    } else {
        link->state = VERBS_LINK_RESOLVING_ROUTE;
    }
}

static enum haul_status request(struct verbs_link *link)
{
    struct verbs_endpoint *endpoint = &link->endpoint;
    enum haul_status status = verbs_endpoint_open_device(endpoint, &link->error);
    if (status == HAUL_OK) {
        status = verbs_sender_attach(&link->sender, &link->error);
    }
    if (status == HAUL_OK) {
        uint8_t greeting[VERBS_GREETING_BYTES];
        verbs_greeting_encode(&link->ticket, greeting);
        status = verbs_endpoint_connect(endpoint, greeting, &link->error);
    }
    return status;
}

static void on_route_resolved(struct verbs_link *link)
{
    if (request(link) != HAUL_OK) {
        verbs_life_fail(link);
    } else {
        link->state = VERBS_LINK_CONNECTING;
    }
}

static void become_ready(struct verbs_link *link)
{
    link->state = VERBS_LINK_READY;
    link->deadline_ns = CLOCK_NEVER;
}

static void on_response(struct verbs_link *link)
{
    if (verbs_endpoint_establish(&link->endpoint, &link->error) != HAUL_OK) {
        verbs_life_fail(link);
    } else {
        become_ready(link);
    }
}

enum haul_status verbs_events_dial(struct verbs_link *link, struct haul_error *error)
{
    link->state = VERBS_LINK_RESOLVING_ADDRESS;
    link->attempts++;
    return verbs_endpoint_dial(&link->endpoint, &link->peer, error);
}

/* A host that remembers an earlier connection of this queue pair number rejects the request as a
 * "stale connection"; the next attempt has a new number. The deadline of the whole attempt keeps
 * running. */
static void on_rejected(struct verbs_link *link, const struct verbs_cm_event *event)
{
    if (verbs_cm_is_stale(event) && link->state == VERBS_LINK_CONNECTING &&
        link->attempts < ATTEMPTS_MAX) {
        haul_log(link->base.config.log, HAUL_LOG_INFO, "%s: stale RDMA connection, trying again",
                 link->peer_text);
        verbs_life_give_back(link);
        if (verbs_events_dial(link, &link->error) != HAUL_OK) {
            verbs_life_fail(link);
        }
        return;
    }
    (void)verbs_cm_fail_rejected(event, link->peer_text, &link->error);
    link->base.refused = true;
    verbs_life_fail(link);
}

static void on_disconnected(struct verbs_link *link)
{
    link->disconnected = true;
    if (link->state < VERBS_LINK_READY) {
        verbs_life_fail_with(link, HAUL_CLOSED, "the peer disappeared");
    }
}

/* Since 6.0, kernels report the peer of an established connection as unreachable when its address
 * moved to another card. Only the writes can show whether it really is. */
static void on_cm_error(struct verbs_link *link, const struct verbs_cm_event *event)
{
    if (event->type == RDMA_CM_EVENT_UNREACHABLE && link->state >= VERBS_LINK_READY) {
        haul_log(
            link->base.config.log, HAUL_LOG_INFO,
            "%s: the connection manager reports it as unreachable; the link continues while it can",
            link->peer_text);
        return;
    }
    int code = event->status < 0 ? -event->status : EHOSTUNREACH;
    (void)verbs_cm_fail_address(&link->peer, rdma_event_str(event->type), code, &link->error);
    verbs_life_fail(link);
}

static void on_cm_event(struct verbs_link *link, const struct verbs_cm_event *event)
{
    switch (event->type) {
    case RDMA_CM_EVENT_ADDR_RESOLVED:
        if (link->state == VERBS_LINK_RESOLVING_ADDRESS) {
            on_address_resolved(link);
        }
        break;
    case RDMA_CM_EVENT_ROUTE_RESOLVED:
        if (link->state == VERBS_LINK_RESOLVING_ROUTE) {
            on_route_resolved(link);
        }
        break;
    case RDMA_CM_EVENT_CONNECT_RESPONSE:
        if (link->state == VERBS_LINK_CONNECTING) {
            on_response(link);
        }
        break;
    case RDMA_CM_EVENT_ESTABLISHED:
        if (link->state == VERBS_LINK_ACCEPTING) {
            become_ready(link);
        }
        break;
    case RDMA_CM_EVENT_REJECTED:
        on_rejected(link, event);
        break;
    case RDMA_CM_EVENT_DISCONNECTED:
        on_disconnected(link);
        break;
    case RDMA_CM_EVENT_ADDR_ERROR:
    case RDMA_CM_EVENT_ROUTE_ERROR:
    case RDMA_CM_EVENT_CONNECT_ERROR:
    case RDMA_CM_EVENT_UNREACHABLE:
        on_cm_error(link, event);
        break;
    case RDMA_CM_EVENT_DEVICE_REMOVAL:
        verbs_life_lose_device(link, "the RDMA device was removed");
        break;
    case RDMA_CM_EVENT_ADDR_CHANGE:
        /* Another member of a bond: the queue pair stays with the card that is no longer used. */
        verbs_life_fail_with(link, HAUL_UNREACHABLE,
                             "our address moved to another device; the link must be reopened");
        break;
    default:
        break; /* a connection left its time-wait: ignore */
    }
}

static void take_cm_events(struct verbs_link *link)
{
    /* An event may end the link, close its channel or give it a new one. */
    while (link->endpoint.channel != NULL) {
        struct verbs_cm_event event;
        struct haul_error error;
        enum haul_status status = verbs_cm_next(link->api, link->endpoint.channel, &event, &error);
        if (status == HAUL_AGAIN) {
            return;
        }
        if (status != HAUL_OK) {
            verbs_life_fail_with(link, status, error.text);
            return;
        }
        if (link->state < VERBS_LINK_DRAINING || event.type == RDMA_CM_EVENT_DEVICE_REMOVAL) {
            on_cm_event(link, &event);
        }
    }
}

/* --- events of the device ------------------------------------------------------------------- */

static void on_async_event(struct verbs_link *link, enum ibv_event_type type)
{
    switch (type) {
    case IBV_EVENT_QP_FATAL:
    case IBV_EVENT_QP_REQ_ERR:
    case IBV_EVENT_QP_ACCESS_ERR:
    case IBV_EVENT_CQ_ERR:
        verbs_life_fail_with(link, HAUL_IO, ibv_event_type_str(type));
        break;
    case IBV_EVENT_DEVICE_FATAL:
        verbs_life_lose_device(link, ibv_event_type_str(type));
        break;
    case IBV_EVENT_PORT_ERR:
        verbs_life_port_down(link);
        break;
    case IBV_EVENT_PORT_ACTIVE:
        link->port_down_ns = CLOCK_NEVER;
        break;
    case IBV_EVENT_COMM_EST:
        /* Data arrived before the peer's confirmation, which may be lost: the data confirms as
         * well. */
        if (link->state == VERBS_LINK_ACCEPTING) {
            (void)link->api->notify(link->endpoint.id, type);
        }
        break;
    default:
        break;
    }
}

static void take_async_events(struct verbs_link *link)
{
    enum ibv_event_type type;
    while (verbs_endpoint_next_async(&link->endpoint, &type) == HAUL_OK) {
        on_async_event(link, type);
    }
}

/* Checking the descriptors costs system calls, so a busy link does it only now and then. A sleeping
 * link is nearly always woken by a completion: one call takes its notification, and the other
 * descriptors are left to the next wake-up, or to the check that is due anyway. */
void verbs_events_look(struct verbs_link *link)
{
    bool due = link->state < VERBS_LINK_OPEN || ++link->polls_since_look >= POLLS_PER_LOOK;
    if (link->state >= VERBS_LINK_ENDED || (!due && !link->look)) {
        return;
    }
    bool woken = link->look;
    link->look = false;
    if (!due && woken && verbs_queue_take_notification(&link->endpoint.queue)) {
        return;
    }
    link->polls_since_look = 0;
    unsigned ready = verbs_endpoint_look(&link->endpoint);
    if ((ready & VERBS_READY_COMPLETION) != 0) {
        (void)verbs_queue_take_notification(&link->endpoint.queue);
    }
    if ((ready & VERBS_READY_ASYNC) != 0) {
        take_async_events(link);
    }
    if ((ready & VERBS_READY_CM) != 0) {
        take_cm_events(link);
    }
}
