/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_listener.c — listening for RDMA connections.
 *
 * A request carries its ticket, so a peer is handed out as soon as its request arrives, and only
 * its id has been allocated for it. The ids of peers that were handed out and not answered are
 * remembered, so that they can be dropped with the listener.
 *
 * An id that is bound to an address dies with the device of that address. The listener creates it
 * again, with growing pauses, until the device is back; meanwhile it is not open.
 *
 * A listener on every address is one id, and the kernel maintains it when devices come and go. But
 * one device that cannot listen makes the whole call fail: an iWARP device needs the TCP port that
 * the control connections use. Then each address on a device that haul can use gets its own id (an
 * "ear"). */
#include "verbs_listener.h"

#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "link_ops.h"
#include "link_sockaddr.h"
#include "log_limit.h"
#include "verbs_cm.h"
#include "verbs_device.h"
#include "verbs_greeting.h"
#include "verbs_link.h"

enum {
    BACKLOG = 64,
    PAUSE_MS_MIN = 100,
    PAUSE_MS_MAX = 5000,
};

struct ear {
    struct link_address address;
    struct rdma_cm_id *id; /* NULL: the device is away */
};

struct verbs_listener {
    struct listener base;
    const struct verbs_api *api;
    struct rdma_event_channel *channel;
    struct link_address address; /* as requested, with the port that is in use */
    struct ear ears[VERBS_LISTENER_ADDRESSES_MAX];
    size_t ear_count;
    struct haul_error error; /* why the last ear failed */
    uint64_t retry_ns;       /* CLOCK_NEVER: every ear is open */
    uint32_t pause_ms;
    struct log_limit refusals;
    struct rdma_cm_id *pending[VERBS_LISTENER_PENDING_MAX];
    size_t pending_count;
};

static struct verbs_listener *verbs_listener_of(struct listener *listener)
{
    return (struct verbs_listener *)listener;
}

static const struct verbs_listener *const_verbs_listener_of(const struct listener *listener)
{
    return (const struct verbs_listener *)listener;
}

/* --- requests ------------------------------------------------------------------------------- */

/* Remove the id from the pending ones, because it is answered now. */
static struct rdma_cm_id *forget(struct verbs_listener *listener, struct link_incoming *incoming)
{
    struct rdma_cm_id *id = incoming->handle;
    incoming->handle = NULL;
    for (size_t i = 0; i < listener->pending_count; i++) {
        if (listener->pending[i] == id) {
            listener->pending_count--;
            listener->pending[i] = listener->pending[listener->pending_count];
            return id;
        }
    }
    haul_unreachable(); /* answered twice, or of another listener */
}

static void log_refusal(struct verbs_listener *listener, struct rdma_cm_id *id, const char *why)
{
    struct link_address peer;
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
    uint64_t unsaid = 0;
    if (log_limit_allows(&listener->refusals, clock_now_ns(listener->base.config.clock), &unsaid)) {
        verbs_cm_peer(id, &peer);
        link_address_format(&peer, text);
        haul_log(listener->base.config.log, HAUL_LOG_WARNING,
                 unsaid == 0 ? "refused an RDMA link from %s: %s"
                             : "refused an RDMA link from %s: %s (and %" PRIu64
                               " others before it)",
                 text, why, unsaid);
    }
}

static void refuse(struct verbs_listener *listener, struct rdma_cm_id *id, enum haul_status reason,
                   const char *why)
{
    log_refusal(listener, id, why);
    verbs_cm_reject(listener->api, id, reason);
    (void)listener->api->destroy_id(id);
}

/* True: a sound peer, put into `incoming`. False: the peer was answered and dropped. */
static bool on_request(struct verbs_listener *listener, const struct verbs_cm_event *event,
                       struct link_incoming *incoming)
{
    struct link_ticket ticket;
    struct link_address peer;
    verbs_cm_peer(event->id, &peer);
    const char *why = link_peer_refusal(&listener->base.config, &peer);
    if (why != NULL) {
        refuse(listener, event->id, HAUL_AUTH, why);
        return false;
    }
    enum haul_status status = verbs_greeting_decode(event->data, event->data_size_bytes, &ticket);
    if (status != HAUL_OK) {
        refuse(listener, event->id, status, "not a haul peer");
        return false;
    }
    if (ticket.version_min > LINK_VERSION_MAX || ticket.version_max < LINK_VERSION_MIN) {
        refuse(listener, event->id, HAUL_VERSION, "no protocol version in common");
        return false;
    }
    if (listener->pending_count == VERBS_LISTENER_PENDING_MAX) {
        refuse(listener, event->id, HAUL_BUSY, "too many peers wait for an answer");
        return false;
    }
    listener->pending[listener->pending_count++] = event->id;
    *incoming = (struct link_incoming){.ticket = ticket, .peer = peer, .handle = event->id};
    return true;
}

/* --- ears ----------------------------------------------------------------------------------- */

static void wait_longer(struct verbs_listener *listener)
{
    listener->retry_ns = clock_deadline_ns(listener->base.config.clock, listener->pause_ms);
    listener->pause_ms *= 2;
    listener->pause_ms = listener->pause_ms < PAUSE_MS_MAX ? listener->pause_ms : PAUSE_MS_MAX;
}

/* Listen at the ear's address. After an error nothing is left. */
static enum haul_status open_ear(struct verbs_listener *listener, struct ear *ear,
                                 struct haul_error *error)
{
    const struct verbs_api *api = listener->api;
    if (api->create_id(listener->channel, &ear->id, NULL, RDMA_PS_TCP) != 0) {
        ear->id = NULL;
        return verbs_fail(error, "rdma_create_id", errno, "cannot create an RDMA listener");
    }
    enum haul_status status = HAUL_OK;
    struct sockaddr_storage local =
        *link_sockaddr_of(&ear->address); /* the call needs it writable */
    if (api->bind_addr(ear->id, (struct sockaddr *)&local) != 0) {
        status = verbs_cm_fail_address(&ear->address, "rdma_bind_addr", errno, error);
    } else if (ear->id->verbs != NULL) {
        status = verbs_device_check(ear->id->verbs->device, error);
    }
    if (status == HAUL_OK && api->listen(ear->id, BACKLOG) != 0) {
        status = verbs_cm_fail_address(&ear->address, "rdma_listen", errno, error);
    }
    if (status != HAUL_OK) {
        (void)api->destroy_id(ear->id);
        ear->id = NULL;
    }
    return status;
}

static void lose_ear(struct verbs_listener *listener, struct ear *ear, const char *why)
{
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(&ear->address, text);
    (void)listener->api->destroy_id(ear->id);
    ear->id = NULL;
    haul_error_set(&listener->error, HAUL_UNSUPPORTED, "", 0, "the RDMA listener on %s is down: %s",
                   text, why);
    haul_log(listener->base.config.log, HAUL_LOG_WARNING, "%s; trying to reopen it",
             listener->error.text);
    listener->pause_ms = PAUSE_MS_MIN;
    wait_longer(listener);
}

static void reopen_ears(struct verbs_listener *listener)
{
    bool all = true;
    for (size_t i = 0; i < listener->ear_count; i++) {
        struct ear *ear = &listener->ears[i];
        struct haul_error error;
        if (ear->id == NULL && open_ear(listener, ear, &error) == HAUL_OK) {
            char text[LINK_ADDRESS_TEXT_BYTES_MAX];
            link_address_format(&ear->address, text);
            haul_log(listener->base.config.log, HAUL_LOG_INFO, "the RDMA listener on %s is back",
                     text);
        }
        all = all && ear->id != NULL;
    }
    if (all) {
        listener->retry_ns = CLOCK_NEVER;
    } else {
        wait_longer(listener);
    }
}

/* An event other than a request. On the id of a peer that waits for an answer it means that the
 * peer has gone: accepting the peer will fail. */
static void on_other_event(struct verbs_listener *listener, const struct verbs_cm_event *event)
{
    haul_log(listener->base.config.log, HAUL_LOG_DEBUG, "RDMA listener: %s",
             rdma_event_str(event->type));
    const char *why = event->type == RDMA_CM_EVENT_DEVICE_REMOVAL ? "the RDMA device was removed"
                      : event->type == RDMA_CM_EVENT_ADDR_CHANGE
                          ? "the address moved to another device"
                          : NULL;
    for (size_t i = 0; why != NULL && i < listener->ear_count; i++) {
        if (listener->ears[i].id == event->id) {
            lose_ear(listener, &listener->ears[i], why);
            return;
        }
    }
}

static enum haul_status poll_listener(struct listener *base, struct link_incoming *incoming)
{
    struct verbs_listener *listener = verbs_listener_of(base);
    if (listener->retry_ns != CLOCK_NEVER &&
        clock_now_ns(base->config.clock) >= listener->retry_ns) {
        reopen_ears(listener);
    }
    for (;;) {
        struct verbs_cm_event event;
        struct haul_error error;
        enum haul_status status = verbs_cm_next(listener->api, listener->channel, &event, &error);
        if (status != HAUL_OK) {
            if (status != HAUL_AGAIN) {
                haul_log(base->config.log, HAUL_LOG_ERROR, "RDMA listener: %s", error.text);
            }
            return HAUL_AGAIN;
        }
        if (event.type == RDMA_CM_EVENT_CONNECT_REQUEST) {
            if (on_request(listener, &event, incoming)) {
                return HAUL_OK;
            }
        } else {
            on_other_event(listener, &event);
        }
    }
}

static enum haul_status accept_peer(struct listener *base, struct link_incoming *incoming,
                                    const struct link_config *config, struct link **link,
                                    struct haul_error *error)
{
    struct verbs_listener *listener = verbs_listener_of(base);
    struct rdma_cm_id *id = forget(listener, incoming);
    return verbs_link_accept(listener->api, id, config, link, error);
}

static void reject_peer(struct listener *base, struct link_incoming *incoming,
                        enum haul_status reason)
{
    struct verbs_listener *listener = verbs_listener_of(base);
    struct rdma_cm_id *id = forget(listener, incoming);
    verbs_cm_reject(listener->api, id, reason);
    (void)listener->api->destroy_id(id);
}

/* --- making and unmaking -------------------------------------------------------------------- */

static uint16_t *port_of(struct link_address *address)
{
    return link_sockaddr_of(address)->ss_family == AF_INET
               ? &((struct sockaddr_in *)link_sockaddr(address))->sin_port
               : &((struct sockaddr_in6 *)link_sockaddr(address))->sin6_port;
}

static bool is_any(const struct link_address *address)
{
    if (link_sockaddr_of(address)->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)link_sockaddr_of(address);
        return four->sin_addr.s_addr == htonl(INADDR_ANY);
    }
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)link_sockaddr_of(address);
    return memcmp(&six->sin6_addr, &in6addr_any, sizeof(in6addr_any)) == 0;
}

/* One address of the host, with the port of the requested one. The unspecified IPv6 address matches
 * both families. False: `from` does not match. */
static bool take_address(const struct sockaddr *from, struct link_address *asked,
                         struct link_address *address)
{
    *address = (struct link_address){.size = 0};
    if (from == NULL) {
        return false;
    }
    bool four = from->sa_family == AF_INET;
    bool six = from->sa_family == AF_INET6 && link_sockaddr_of(asked)->ss_family == AF_INET6;
    if (!four && !six) {
        return false;
    }
    address->size = four ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    memcpy(&address->storage, from, address->size);
    *port_of(address) = *port_of(asked);
    return true;
}

/* Remember the port that the first ear got, for the others and for reopening it. */
static void keep_port(struct verbs_listener *listener, struct ear *ear)
{
    struct link_address local;
    verbs_cm_local(ear->id, &local);
    *port_of(&ear->address) = *port_of(&local);
    *port_of(&listener->address) = *port_of(&local);
}

/* Open an ear for each address of the host that is on a usable device. All have the same port. */
static void listen_one_by_one(struct verbs_listener *listener)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) {
        return;
    }
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        struct ear *ear = &listener->ears[listener->ear_count];
        struct haul_error ignored;
        if (listener->ear_count < VERBS_LISTENER_ADDRESSES_MAX &&
            take_address(one->ifa_addr, &listener->address, &ear->address) &&
            open_ear(listener, ear, &ignored) == HAUL_OK) {
            keep_port(listener, ear);
            listener->ear_count++;
        }
    }
    freeifaddrs(all);
}

static enum haul_status start(struct verbs_listener *listener, const struct link_address *address,
                              struct haul_error *error)
{
    enum haul_status status = verbs_cm_open(listener->api, &listener->channel, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_error reason = {0};
    listener->address = *address;
    listener->ears[0].address = *address;
    status = open_ear(listener, &listener->ears[0], &reason);
    if (status == HAUL_OK) {
        listener->ear_count = 1;
        keep_port(listener, &listener->ears[0]);
    } else if (is_any(address)) {
        listen_one_by_one(listener);
        haul_log(listener->base.config.log, HAUL_LOG_INFO,
                 "%s; listening for RDMA on %zu address(es) of this host instead", reason.text,
                 listener->ear_count);
    }
    if (listener->ear_count > 0) {
        return HAUL_OK;
    }
    if (error != NULL) {
        *error = reason;
    }
    return status;
}

static void destroy(struct listener *base)
{
    struct verbs_listener *listener = verbs_listener_of(base);
    for (size_t i = 0; i < listener->pending_count; i++) {
        (void)listener->api->destroy_id(listener->pending[i]); /* the kernel rejects it */
    }
    for (size_t i = 0; i < listener->ear_count; i++) {
        if (listener->ears[i].id != NULL) {
            (void)listener->api->destroy_id(listener->ears[i].id);
        }
    }
    if (listener->channel != NULL) {
        listener->api->destroy_event_channel(listener->channel);
    }
    free(listener);
}

static void address_of(const struct listener *base, struct link_address *address)
{
    *address = const_verbs_listener_of(base)->address;
}

static bool is_open(const struct listener *base, struct haul_error *error)
{
    const struct verbs_listener *listener = const_verbs_listener_of(base);
    for (size_t i = 0; i < listener->ear_count; i++) {
        if (listener->ears[i].id != NULL) {
            return true;
        }
    }
    if (error != NULL) {
        *error = listener->error;
    }
    return false;
}

static int fd_of(const struct listener *base)
{
    return const_verbs_listener_of(base)->channel->fd;
}

/* A request arrives complete, so the listener has no deadline except for a lost device. */
static uint64_t deadline_ns_of(const struct listener *base)
{
    return const_verbs_listener_of(base)->retry_ns;
}

static const struct listener_ops verbs_listener_ops = {
    .address = address_of,
    .poll = poll_listener,
    .accept = accept_peer,
    .reject = reject_peer,
    .is_open = is_open,
    .fd = fd_of,
    .deadline_ns = deadline_ns_of,
    .destroy = destroy,
};

enum haul_status verbs_listener_create(const struct verbs_api *api,
                                       const struct link_address *address,
                                       const struct link_config *config, struct listener **listener,
                                       struct haul_error *error)
{
    struct verbs_listener *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a listener");
    }
    made->base.ops = &verbs_listener_ops;
    made->base.transport = HAUL_TRANSPORT_VERBS;
    made->base.config = *config;
    made->api = api;
    made->retry_ns = CLOCK_NEVER;
    enum haul_status status = start(made, address, error);
    if (status != HAUL_OK) {
        destroy(&made->base);
        return status;
    }
    *listener = &made->base;
    return HAUL_OK;
}

enum haul_status verbs_listen(const struct link_address *address, const struct link_config *config,
                              struct listener **listener, struct haul_error *error)
{
    return verbs_listener_create(&verbs_api_system, address, config, listener, error);
}
