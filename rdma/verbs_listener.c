/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_listener.c — listening for RDMA connections.
 *
 * A request carries its ticket with it, so a peer is handed out as soon as it is heard of, and
 * nothing has been allocated for it but its id. The ids of peers that were handed out and not
 * answered are remembered, so that they can be dropped with the listener. */
#include "verbs_listener.h"

#include <errno.h>
#include <stdlib.h>

#include "assertion.h"
#include "clock.h"
#include "link_ops.h"
#include "verbs_cm.h"
#include "verbs_greeting.h"
#include "verbs_link.h"

enum { BACKLOG = 64 };

struct verbs_listener {
    struct listener base;
    const struct verbs_api *api;
    struct rdma_event_channel *channel;
    struct rdma_cm_id *id;
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

/* Take the id out of the pending ones: it is answered now. */
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
    haul_unreachable(); /* answered twice, or a stranger's */
}

static void refuse(const struct verbs_listener *listener, struct rdma_cm_id *id,
                   enum haul_status reason, const char *why)
{
    struct link_address peer;
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
    verbs_cm_peer(id, &peer);
    link_address_format(&peer, text);
    haul_log(listener->base.config.log, HAUL_LOG_WARNING, "refused an RDMA link from %s: %s", text,
             why);
    verbs_cm_reject(listener->api, id, reason);
    (void)listener->api->destroy_id(id);
}

/* True: a sound peer, put into `incoming`. False: it was answered and dropped. */
static bool on_request(struct verbs_listener *listener, const struct verbs_cm_event *event,
                       struct link_incoming *incoming)
{
    struct link_ticket ticket;
    enum haul_status status = verbs_greeting_decode(event->data, event->data_size_bytes, &ticket);
    if (status != HAUL_OK) {
        refuse(listener, event->id, status, "it is no haul peer");
        return false;
    }
    if (ticket.version_min > LINK_VERSION_MAX || ticket.version_max < LINK_VERSION_MIN) {
        refuse(listener, event->id, HAUL_VERSION, "it speaks other versions");
        return false;
    }
    if (listener->pending_count == VERBS_LISTENER_PENDING_MAX) {
        refuse(listener, event->id, HAUL_BUSY, "too many wait for an answer");
        return false;
    }
    listener->pending[listener->pending_count++] = event->id;
    incoming->ticket = ticket;
    incoming->handle = event->id;
    verbs_cm_peer(event->id, &incoming->peer);
    return true;
}

enum haul_status verbs_listen_poll(struct listener *base, struct link_incoming *incoming)
{
    struct verbs_listener *listener = verbs_listener_of(base);
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
            /* A peer that waits for its answer has gone (accepting it will fail), or a device. */
            haul_log(base->config.log, HAUL_LOG_DEBUG, "RDMA listener: %s",
                     rdma_event_str(event.type));
        }
    }
}

enum haul_status verbs_listen_accept(struct listener *base, struct link_incoming *incoming,
                                     const struct link_config *config, struct link **link,
                                     struct haul_error *error)
{
    struct verbs_listener *listener = verbs_listener_of(base);
    struct rdma_cm_id *id = forget(listener, incoming);
    return verbs_link_accept(listener->api, id, config, link, error);
}

void verbs_listen_reject(struct listener *base, struct link_incoming *incoming,
                         enum haul_status reason)
{
    struct verbs_listener *listener = verbs_listener_of(base);
    struct rdma_cm_id *id = forget(listener, incoming);
    verbs_cm_reject(listener->api, id, reason);
    (void)listener->api->destroy_id(id);
}

/* --- making and unmaking -------------------------------------------------------------------- */

static enum haul_status start(struct verbs_listener *listener, const struct link_address *address,
                              struct haul_error *error)
{
    const struct verbs_api *api = listener->api;
    enum haul_status status = verbs_cm_open(api, &listener->channel, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (api->create_id(listener->channel, &listener->id, NULL, RDMA_PS_TCP) != 0) {
        listener->id = NULL;
        return verbs_fail(error, "rdma_create_id", errno, "cannot make an RDMA listener");
    }
    struct sockaddr_storage local = address->storage; /* the call wants it writable */
    if (api->bind_addr(listener->id, (struct sockaddr *)&local) != 0) {
        return verbs_cm_fail_address(address, "rdma_bind_addr", errno, error);
    }
    if (api->listen(listener->id, BACKLOG) != 0) {
        return verbs_cm_fail_address(address, "rdma_listen", errno, error);
    }
    return HAUL_OK;
}

enum haul_status verbs_listener_create(const struct verbs_api *api,
                                       const struct link_address *address,
                                       const struct link_config *config, struct listener **listener,
                                       struct haul_error *error)
{
    struct verbs_listener *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a listener");
    }
    made->base.ops = &verbs_link_ops;
    made->base.config = *config;
    made->api = api;
    enum haul_status status = start(made, address, error);
    if (status != HAUL_OK) {
        verbs_listen_destroy(&made->base);
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

void verbs_listen_destroy(struct listener *base)
{
    struct verbs_listener *listener = verbs_listener_of(base);
    for (size_t i = 0; i < listener->pending_count; i++) {
        (void)listener->api->destroy_id(listener->pending[i]); /* the kernel rejects it */
    }
    if (listener->id != NULL) {
        (void)listener->api->destroy_id(listener->id);
    }
    if (listener->channel != NULL) {
        listener->api->destroy_event_channel(listener->channel);
    }
    free(listener);
}

void verbs_listen_address(const struct listener *base, struct link_address *address)
{
    verbs_cm_local(const_verbs_listener_of(base)->id, address);
}

int verbs_listen_fd(const struct listener *base)
{
    return const_verbs_listener_of(base)->channel->fd;
}

/* A request is complete when it is heard of: there is nothing to wait for. */
uint64_t verbs_listen_deadline_ns(const struct listener *base)
{
    (void)base;
    return CLOCK_NEVER;
}
