/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_listener.c — accepts connections, and hands out those with a sound preamble (tcp_pending.h).
 *
 * What is ready is handed out before more is accepted, so that peers which send a sound preamble at
 * once, as fast as they like, take no place that another peer needs for its handshake.
 *
 * When the process is out of descriptors the listening socket leaves the epoll set for
 * ACCEPT_PAUSE_MS, so that the poll loop sleeps instead of spinning; the peers wait in the kernel's
 * backlog, as they do when the caller owes answers to as many as there are places. */
#include "tcp_listener.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "assertion.h"
#include "clock.h"
#include "haul/log.h"
#include "link_ops.h"
#include "tcp_link.h"
#include "tcp_pending.h"
#include "tcp_socket.h"

enum {
    ACCEPT_PAUSE_MS = 100,
    /* Connections accepted in one poll, so that a flood cannot hold the loop. */
    ACCEPTS_PER_POLL_MAX = 2 * TCP_PENDING_MAX,
    EVENTS_PER_POLL = TCP_PENDING_MAX + 1,
};

struct tcp_listener {
    struct listener base;
    struct link_address local;
    int fd;
    int epoll_fd;
    uint64_t resume_ns;        /* when accepting resumes; CLOCK_NEVER: not paused */
    bool short_of_descriptors; /* and this was logged; until an accept succeeds */
    struct tls_context *tls;   /* NULL: no keys */
    struct tcp_pending_table pending;
};

static bool watch_listening(struct tcp_listener *listener, bool wanted)
{
    struct epoll_event event = {.events = wanted ? EPOLLIN : 0, .data.ptr = NULL};
    return epoll_ctl(listener->epoll_fd, EPOLL_CTL_MOD, listener->fd, &event) == 0;
}

static void pause_accepting(struct tcp_listener *listener, int code)
{
    if (!listener->short_of_descriptors) {
        struct haul_error error;
        char line[HAUL_LOG_LINE_BYTES_MAX / 2];
        (void)haul_error_set(&error, tcp_socket_status(code), "accept4", code,
                             "cannot accept connections for now");
        haul_error_format(&error, line, sizeof(line));
        haul_log(listener->base.config.log, HAUL_LOG_WARNING, "%s", line);
    }
    listener->short_of_descriptors = true;
    (void)watch_listening(listener, false);
    listener->resume_ns = clock_deadline_ns(listener->base.config.clock, ACCEPT_PAUSE_MS);
}

static void resume_accepting(struct tcp_listener *listener)
{
    if (listener->resume_ns != CLOCK_NEVER &&
        clock_now_ns(listener->base.config.clock) >= listener->resume_ns) {
        (void)watch_listening(listener, true);
        listener->resume_ns = CLOCK_NEVER;
    }
}

/* Accept one connection; false: none waits, or none can be accepted. */
static bool accept_one(struct tcp_listener *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        listener->short_of_descriptors = false;
        tcp_pending_admit(&listener->pending, fd);
        return true;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        pause_accepting(listener, errno);
        return false;
    default:
        /* ECONNABORTED and the network errors that accept(2) passes on: only this peer is gone. */
        return true;
    }
}

static void accept_waiting(struct tcp_listener *listener)
{
    if (listener->resume_ns != CLOCK_NEVER) {
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_POLL_MAX && tcp_pending_has_room(&listener->pending) &&
                    accept_one(listener);
         i++) {
    }
}

/* Read first, expire second: a late poll must not punish a punctual peer. Accept last, so that the
 * places of closed connections are free. */
static void work(struct tcp_listener *listener)
{
    struct epoll_event events[EVENTS_PER_POLL];
    int count = epoll_wait(listener->epoll_fd, events, EVENTS_PER_POLL, 0);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr != NULL) {
            tcp_pending_read(&listener->pending, events[i].data.ptr);
        }
    }
    tcp_pending_expire(&listener->pending);
    resume_accepting(listener);
    accept_waiting(listener);
}

static struct tcp_pending *pending_of(const struct link_incoming *incoming)
{
    struct tcp_pending *pending = incoming->handle;
    haul_assert(pending != NULL && pending->state == TCP_PENDING_ANSWERING);
    return pending;
}

/* --- as a listener ---------------------------------------------------------------------------- */

static struct tcp_listener *tcp_of(const struct listener *base)
{
    return (struct tcp_listener *)(uintptr_t)base;
}

static void destroy(struct listener *base)
{
    struct tcp_listener *listener = tcp_of(base);
    tcp_pending_fini(&listener->pending);
    tls_context_destroy(listener->tls);
    if (listener->fd >= 0) {
        (void)close(listener->fd);
    }
    if (listener->epoll_fd >= 0) {
        (void)close(listener->epoll_fd);
    }
    free(listener);
}

static void show_address(const struct listener *base, struct link_address *address)
{
    *address = tcp_of(base)->local;
}

static int fd_of(const struct listener *base)
{
    return tcp_of(base)->epoll_fd;
}

static uint64_t deadline_ns_of(const struct listener *base)
{
    const struct tcp_listener *listener = tcp_of(base);
    uint64_t deadline_ns = tcp_pending_deadline_ns(&listener->pending);
    return listener->resume_ns < deadline_ns ? listener->resume_ns : deadline_ns;
}

static enum haul_status poll_listener(struct listener *base, struct link_incoming *incoming)
{
    struct tcp_listener *listener = tcp_of(base);
    struct tcp_pending *pending = tcp_pending_next(&listener->pending);
    if (pending == NULL) {
        work(listener);
        pending = tcp_pending_next(&listener->pending);
    }
    if (pending == NULL) {
        return HAUL_AGAIN;
    }
    *incoming = (struct link_incoming){.control = pending->purpose == TCP_CONTROL,
                                       .ticket = pending->ticket,
                                       .peer = pending->peer,
                                       .handle = pending};
    return HAUL_OK;
}

static void reject_peer(struct listener *base, struct link_incoming *incoming,
                        enum haul_status reason)
{
    struct tcp_listener *listener = tcp_of(base);
    tcp_pending_refuse(&listener->pending, pending_of(incoming), reason,
                       haul_status_sentence(reason));
    incoming->handle = NULL;
}

static enum haul_status accept_peer(struct listener *base, struct link_incoming *incoming,
                                    const struct link_config *config, struct link **link,
                                    struct haul_error *error)
{
    struct tcp_listener *listener = tcp_of(base);
    struct tcp_pending *pending = pending_of(incoming);
    haul_assert(!incoming->control);
    enum haul_status status = tcp_link_adopt(pending->socket.fd, config, link, error);
    if (status == HAUL_OK) {
        (void)tcp_pending_accept(&listener->pending, pending);
    } else {
        tcp_pending_refuse(&listener->pending, pending, status, NULL);
    }
    incoming->handle = NULL;
    return status;
}

struct tls_socket tcp_listener_take(struct listener *base, struct link_incoming *incoming)
{
    struct tcp_pending *pending = pending_of(incoming);
    haul_assert(incoming->control);
    incoming->handle = NULL;
    return tcp_pending_accept(&tcp_of(base)->pending, pending);
}

static const struct listener_ops tcp_listener_ops = {
    .address = show_address,
    .poll = poll_listener,
    .accept = accept_peer,
    .reject = reject_peer,
    .is_open = listener_always_open,
    .fd = fd_of,
    .deadline_ns = deadline_ns_of,
    .destroy = destroy,
};

/* --- making ----------------------------------------------------------------------------------- */

enum haul_status tcp_listen(const struct link_address *address, const struct link_config *config,
                            struct listener **listener, struct haul_error *error)
{
    struct tcp_listener *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a listener");
    }
    made->base.ops = &tcp_listener_ops;
    made->base.transport = HAUL_TRANSPORT_TCP;
    made->base.config = *config;
    made->fd = -1;
    made->epoll_fd = -1;
    made->resume_ns = CLOCK_NEVER;
    enum haul_status status =
        config->keys == NULL ? HAUL_OK
                             : tls_context_create(TLS_ACCEPTS, config->keys, &made->tls, error);
    if (status == HAUL_OK) {
        status = tcp_socket_listen(address, &made->fd, error);
    }
    if (status != HAUL_OK) {
        goto fail;
    }
    tcp_socket_local(made->fd, &made->local);
    if (made->local.size == 0) {
        status = haul_error_set(error, tcp_socket_status(errno), "getsockname", errno,
                                "cannot read the listener's address");
        goto fail;
    }
    made->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (made->epoll_fd < 0) {
        status = haul_error_set(error, tcp_socket_status(errno), "epoll_create1", errno,
                                "cannot create a listener");
        goto fail;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(made->epoll_fd, EPOLL_CTL_ADD, made->fd, &event) != 0) {
        status = haul_error_set(error, tcp_socket_status(errno), "epoll_ctl", errno,
                                "cannot create a listener");
        goto fail;
    }
    made->pending.config = &made->base.config;
    made->pending.epoll_fd = made->epoll_fd;
    made->pending.tls = made->tls;
    *listener = &made->base;
    return HAUL_OK;
fail:
    destroy(&made->base);
    return status;
}
