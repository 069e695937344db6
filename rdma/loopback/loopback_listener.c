/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_listener.c — a hub of port numbers, and the queues of waiting connections. */
#include "loopback_listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "assertion.h"
#include "link_ops.h"
#include "link_sockaddr.h"
#include "loopback_hub.h"
#include "loopback_link.h"

enum { LISTENER_PENDING_MAX = 64 };

struct loopback_listener {
    struct listener base;
    uint16_t port;
    int fd; /* readable while `pending_count` is not 0 */
    struct loopback_pipe *pending[LISTENER_PENDING_MAX];
    size_t pending_count;
    struct loopback_listener *next;
};

struct loopback_hub {
    pthread_mutex_t lock; /* guards the list and every listener's queue */
    struct loopback_listener *listeners;
    uint16_t next_port;
};

/* --- hub -------------------------------------------------------------------------------------- */

enum haul_status loopback_hub_create(struct loopback_hub **out)
{
    struct loopback_hub *hub = calloc(1, sizeof(*hub));
    if (hub == NULL) {
        return HAUL_NO_MEMORY;
    }
    (void)pthread_mutex_init(&hub->lock, NULL);
    hub->next_port = 1;
    *out = hub;
    return HAUL_OK;
}

void loopback_hub_destroy(struct loopback_hub *hub)
{
    if (hub != NULL) {
        haul_assert(hub->listeners == NULL);
        (void)pthread_mutex_destroy(&hub->lock);
        free(hub);
    }
}

static uint16_t port_of(const struct link_address *address)
{
    return ntohs(((const struct sockaddr_in *)link_sockaddr_of(address))->sin_port);
}

static struct link_address address_of(uint16_t port)
{
    struct link_address address = {.size = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)link_sockaddr(&address);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* Hub lock held. */
static struct loopback_listener *find_listener(const struct loopback_hub *hub, uint16_t port)
{
    struct loopback_listener *listener = hub->listeners;
    while (listener != NULL && listener->port != port) {
        listener = listener->next;
    }
    return listener;
}

enum haul_status loopback_knock(struct loopback_hub *hub, const struct link_address *address,
                                struct loopback_pipe *pipe, struct haul_error *error)
{
    haul_assert(hub != NULL);
    enum haul_status status = HAUL_REFUSED;
    (void)pthread_mutex_lock(&hub->lock);
    struct loopback_listener *listener = find_listener(hub, port_of(address));
    bool full = listener != NULL && listener->pending_count == LISTENER_PENDING_MAX;
    if (listener != NULL && !full) {
        listener->pending[listener->pending_count++] = pipe;
        loopback_pipe_wake(listener->fd);
        status = HAUL_OK;
    }
    (void)pthread_mutex_unlock(&hub->lock);
    if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "%s at loopback port %u",
                       full ? "too many connections wait" : "nothing listens", port_of(address));
    }
    return status;
}

/* --- listening -------------------------------------------------------------------------------- */

static struct loopback_listener *listener_of(const struct listener *base)
{
    return (struct loopback_listener *)(uintptr_t)base;
}

/* Hub lock held. The requested port, or (0) the next free one; false: it is taken. */
static bool take_port(struct loopback_hub *hub, struct loopback_listener *listener)
{
    while (listener->port == 0 &&
           (hub->next_port == 0 || find_listener(hub, hub->next_port) != NULL)) {
        hub->next_port++;
    }
    listener->port = listener->port == 0 ? hub->next_port++ : listener->port;
    return find_listener(hub, listener->port) == NULL;
}

static void show_address(const struct listener *base, struct link_address *address)
{
    *address = address_of(listener_of(base)->port);
}

/* The first pipe of the queue; NULL: empty. */
static struct loopback_pipe *take_pending(struct loopback_listener *listener)
{
    struct loopback_hub *hub = listener->base.config.hub;
    struct loopback_pipe *pipe = NULL;
    eventfd_t ignored;
    (void)pthread_mutex_lock(&hub->lock);
    if (listener->pending_count > 0) {
        pipe = listener->pending[0];
        listener->pending_count--;
        memmove(&listener->pending[0], &listener->pending[1],
                listener->pending_count * sizeof(listener->pending[0]));
    }
    if (listener->pending_count == 0) {
        (void)eventfd_read(listener->fd, &ignored);
    }
    (void)pthread_mutex_unlock(&hub->lock);
    return pipe;
}

/* As on a wire, the ticket has the versions of the connecting build: zeroes stand for its own. */
static void resolve_versions(struct link_ticket *ticket)
{
    ticket->version_min = ticket->version_min == 0 ? LINK_VERSION_MIN : ticket->version_min;
    ticket->version_max = ticket->version_max == 0 ? LINK_VERSION_MAX : ticket->version_max;
}

static enum haul_status poll_listener(struct listener *base, struct link_incoming *incoming)
{
    struct loopback_pipe *pipe = take_pending(listener_of(base));
    while (pipe != NULL) {
        struct link_ticket ticket = pipe->ticket;
        resolve_versions(&ticket);
        if (ticket.version_min <= LINK_VERSION_MAX && ticket.version_max >= LINK_VERSION_MIN) {
            *incoming =
                (struct link_incoming){.ticket = ticket, .peer = address_of(0), .handle = pipe};
            return HAUL_OK;
        }
        haul_log(base->config.log, HAUL_LOG_WARNING,
                 "refused a loopback peer of link versions %u to %u", ticket.version_min,
                 ticket.version_max);
        loopback_pipe_answer(pipe, HAUL_VERSION);
        loopback_pipe_drop(pipe);
        pipe = take_pending(listener_of(base));
    }
    return HAUL_AGAIN;
}

static void reject_peer(struct listener *base, struct link_incoming *incoming,
                        enum haul_status reason)
{
    (void)base;
    loopback_pipe_answer(incoming->handle, reason);
    loopback_pipe_drop(incoming->handle);
    incoming->handle = NULL;
}

static enum haul_status accept_peer(struct listener *base, struct link_incoming *incoming,
                                    const struct link_config *config, struct link **link,
                                    struct haul_error *error)
{
    enum haul_status status = loopback_link_adopt(incoming->handle, config, link, error);
    if (status != HAUL_OK) {
        reject_peer(base, incoming, HAUL_BUSY);
        return status;
    }
    loopback_pipe_answer(incoming->handle, HAUL_OK);
    incoming->handle = NULL;
    return HAUL_OK;
}

static int fd_of(const struct listener *base)
{
    return listener_of(base)->fd;
}

static uint64_t deadline_ns_of(const struct listener *base)
{
    (void)base;
    return CLOCK_NEVER;
}

static void destroy(struct listener *base)
{
    struct loopback_listener *listener = listener_of(base);
    struct loopback_hub *hub = base->config.hub;
    (void)pthread_mutex_lock(&hub->lock);
    struct loopback_listener **at = &hub->listeners;
    while (*at != listener) {
        at = &(*at)->next;
    }
    *at = listener->next;
    (void)pthread_mutex_unlock(&hub->lock);
    for (size_t i = 0; i < listener->pending_count; i++) {
        loopback_pipe_answer(listener->pending[i], HAUL_REFUSED);
        loopback_pipe_drop(listener->pending[i]);
    }
    (void)close(listener->fd);
    free(listener);
}

static const struct listener_ops loopback_listener_ops = {
    .address = show_address,
    .poll = poll_listener,
    .accept = accept_peer,
    .reject = reject_peer,
    .is_open = listener_always_open,
    .fd = fd_of,
    .deadline_ns = deadline_ns_of,
    .destroy = destroy,
};

enum haul_status loopback_listen(const struct link_address *address,
                                 const struct link_config *config, struct listener **out,
                                 struct haul_error *error)
{
    struct loopback_hub *hub = config->hub;
    haul_assert(hub != NULL);
    struct loopback_listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a listener");
    }
    listener->base.ops = &loopback_listener_ops;
    listener->base.transport = HAUL_TRANSPORT_LOOPBACK;
    listener->base.config = *config;
    listener->port = port_of(address);
    listener->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (listener->fd < 0) {
        int code = errno;
        free(listener);
        return haul_error_set(error, HAUL_LIMIT, "eventfd", code, "no descriptor for a listener");
    }
    (void)pthread_mutex_lock(&hub->lock);
    bool taken = take_port(hub, listener);
    if (taken) {
        listener->next = hub->listeners;
        hub->listeners = listener;
    }
    (void)pthread_mutex_unlock(&hub->lock);
    if (!taken) {
        (void)close(listener->fd);
        free(listener);
        return haul_error_set(error, HAUL_BUSY, NULL, 0, "loopback port %u is in use",
                              port_of(address));
    }
    *out = &listener->base;
    return HAUL_OK;
}
