/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_listener.c — accepts, reads preambles, refuses foreign peers.
 *
 * A connection after accept (enum pending_state; each has one slot of a fixed table):
 *
 *   UNUSED --accept_one--> READING --read_preamble: 64 sound bytes--> READY
 *   READING --greet: a ClientHello, and there are keys--> SECURING --TLS done--> READING
 *   READING, SECURING --foreign, damaged, other version, no key; expire--> UNUSED (closed)
 *   READY --poll_listener--> ANSWERING --accept_peer, reject_peer, tcp_listener_take--> UNUSED
 *
 * Invariants:
 *  1. At most TCP_PENDING_MAX connections are held. One more drops the connection that has been
 *     READING or SECURING for the longest time, so silent peers keep nobody out. If none is READING, the new
 *     one is answered BUSY and closed.
 *  2. A slot in READING or SECURING has a deadline. In ANSWERING the caller has promised to answer.
 *  3. A refusal is logged through log_limit: a flood does not fill the log.
 *  4. When the process is out of descriptors the listening socket leaves the epoll set for
 *     ACCEPT_PAUSE_MS, so that the poll loop sleeps instead of spinning; the peers wait in the
 *     kernel's backlog. */
#include "tcp_listener.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "assertion.h"
#include "clock.h"
#include "haul/log.h"
#include "link_ops.h"
#include "log_limit.h"
#include "tcp_link.h"
#include "tcp_preamble.h"
#include "tcp_socket.h"

enum {
    ACCEPT_PAUSE_MS = 100,
    /* Connections accepted in one poll, so that a flood cannot hold the loop. */
    ACCEPTS_PER_POLL_MAX = 2 * TCP_PENDING_MAX,
    EVENTS_PER_POLL = TCP_PENDING_MAX + 1,
};

enum pending_state {
    PENDING_UNUSED,    /* no connection */
    PENDING_READING,   /* the preamble is not complete */
    PENDING_SECURING,  /* the ClientHello is not complete, or the TLS handshake runs */
    PENDING_READY,     /* a sound preamble; still to be handed out */
    PENDING_ANSWERING, /* handed out; the caller owes the answer */
};

struct pending {
    enum pending_state state;
    struct tls_socket socket;
    uint64_t deadline_ns;
    uint64_t number; /* in the order of arrival */
    struct link_address peer;
    enum tcp_purpose purpose;
    struct link_ticket ticket;
    size_t received_bytes;
    union {
        uint8_t preamble[TCP_PREAMBLE_BYTES];
        uint8_t hello[TLS_STREAM_HELLO_BYTES_MAX];
    };
};

struct tcp_listener {
    struct listener base;
    struct link_address local;
    int fd;
    int epoll_fd;
    uint64_t resume_ns;        /* when accepting resumes; CLOCK_NEVER: not paused */
    bool short_of_descriptors; /* and this was logged; until an accept succeeds */
    uint64_t accepted_count;
    struct log_limit refusals;
    struct tls_context *tls; /* NULL: no keys */
    size_t waiting_count;    /* of `pending`: READING or SECURING */
    struct pending pending[TCP_PENDING_MAX];
};

static void log_refusal(struct tcp_listener *listener, const struct link_address *peer,
                        const char *why)
{
    char name[LINK_ADDRESS_TEXT_BYTES_MAX];
    uint64_t unsaid = 0;
    if (!log_limit_allows(&listener->refusals, clock_now_ns(listener->base.config.clock),
                          &unsaid)) {
        return;
    }
    link_address_format(peer, name);
    haul_log(listener->base.config.log, HAUL_LOG_WARNING,
             unsaid == 0 ? "refused a connection from %s: %s"
                         : "refused a connection from %s: %s (and %" PRIu64 " others before it)",
             name, why, unsaid);
}

/* The answer is the first thing this side writes, so the kernel has room for it. The next owner of
 * the socket notices a peer that has gone. */
static void answer(struct tls_socket *socket, enum haul_status status)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    tcp_answer_encode(status, bytes);
    size_t sent;
    struct haul_error ignored;
    (void)!tls_socket_send(socket, bytes, sizeof(bytes), &sent, &ignored);
}

static bool is_waiting(const struct pending *pending)
{
    return pending->state == PENDING_READING || pending->state == PENDING_SECURING;
}

/* Forget the connection; its socket stays open. */
static struct tls_socket detach(struct tcp_listener *listener, struct pending *pending)
{
    if (is_waiting(pending)) {
        (void)epoll_ctl(listener->epoll_fd, EPOLL_CTL_DEL, pending->socket.fd, NULL);
        listener->waiting_count--;
    }
    pending->state = PENDING_UNUSED;
    return pending->socket;
}

static void drop(struct tcp_listener *listener, struct pending *pending)
{
    struct tls_socket socket = detach(listener, pending);
    tls_socket_close(&socket);
}

static struct pending *find_unused(struct tcp_listener *listener)
{
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        if (listener->pending[i].state == PENDING_UNUSED) {
            return &listener->pending[i];
        }
    }
    return NULL;
}

/* The oldest connection with an incomplete preamble, which makes room; NULL: no such one. */
static struct pending *make_room(struct tcp_listener *listener)
{
    struct pending *oldest = NULL;
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        struct pending *pending = &listener->pending[i];
        if (is_waiting(pending) && (oldest == NULL || pending->number < oldest->number)) {
            oldest = pending;
        }
    }
    if (oldest != NULL) {
        log_refusal(listener, &oldest->peer,
                    "its preamble did not arrive before other connections did");
        drop(listener, oldest);
    }
    return oldest;
}

static uint64_t preamble_timeout_ms(const struct tcp_listener *listener,
                                    const struct link_address *peer)
{
    size_t count = 0;
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        const struct pending *pending = &listener->pending[i];
        count += is_waiting(pending) && link_address_same_host(&pending->peer, peer);
    }
    return count < TCP_PENDING_OF_HOST_MAX ? TCP_PREAMBLE_TIMEOUT_MS
                                           : TCP_PREAMBLE_SHORT_TIMEOUT_MS;
}

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

static void refuse(struct tcp_listener *listener, struct pending *pending, enum haul_status status,
                   const char *why)
{
    log_refusal(listener, &pending->peer, why);
    answer(&pending->socket, status);
    drop(listener, pending);
}

/* Whoever fails here gets the same answer, and learns nothing from it. */
static void refuse_key(struct tcp_listener *listener, struct pending *pending)
{
    log_refusal(listener, &pending->peer, listener->tls != NULL
                                              ? "it does not have the key"
                                              : "it uses a key, and this side has none");
    if (pending->socket.tls == NULL) {
        struct haul_slice refusal = tls_refusal();
        size_t sent;
        struct haul_error ignored;
        (void)!tls_socket_send(&pending->socket, refusal.data, refusal.size, &sent, &ignored);
    }
    drop(listener, pending);
}

static void take_preamble(struct tcp_listener *listener, struct pending *pending)
{
    struct link_ticket *ticket = &pending->ticket;
    enum haul_status status = tcp_preamble_decode(pending->preamble, &pending->purpose, ticket);
    if (status != HAUL_OK) {
        refuse(listener, pending, status,
               status == HAUL_CORRUPT ? "its preamble is damaged" : "unknown purpose");
        return;
    }
    bool secured = pending->socket.tls != NULL;
    if ((pending->purpose == TCP_CONTROL) != secured && (secured || listener->tls != NULL)) {
        refuse(listener, pending, HAUL_AUTH, "it does not use the key");
        return;
    }
    if (ticket->version_min > LINK_VERSION_MAX || ticket->version_max < LINK_VERSION_MIN) {
        refuse(listener, pending, HAUL_VERSION, "no protocol version in common");
        return;
    }
    /* Not read until the answer: a peer that closes now must not keep the loop awake. */
    (void)epoll_ctl(listener->epoll_fd, EPOLL_CTL_DEL, pending->socket.fd, NULL);
    pending->state = PENDING_READY;
    listener->waiting_count--;
}

static void read_preamble(struct tcp_listener *listener, struct pending *pending);

/* The bytes of a whole ClientHello: 0: not known yet, or more than are taken. */
static size_t hello_bytes(const struct pending *pending)
{
    if (pending->received_bytes < TLS_RECORD_HEAD_BYTES) {
        return 0;
    }
    size_t size = TLS_RECORD_HEAD_BYTES + ((size_t)pending->hello[3] << 8 | pending->hello[4]);
    return size <= sizeof(pending->hello) ? size : 0;
}

static void step_handshake(struct tcp_listener *listener, struct pending *pending)
{
    struct haul_error error;
    enum haul_status status = tls_socket_handshake(&pending->socket, &error);
    if (status == HAUL_AGAIN) {
        return;
    }
    if (status == HAUL_AUTH) {
        refuse_key(listener, pending);
    } else if (status != HAUL_OK) {
        log_refusal(listener, &pending->peer, "it disconnected before it had proved its key");
        drop(listener, pending);
    } else {
        pending->state = PENDING_READING;
        pending->received_bytes = 0;
        read_preamble(listener, pending);
    }
}

/* The ClientHello is complete: its binder shows whether the peer has a key. */
static void take_hello(struct tcp_listener *listener, struct pending *pending)
{
    struct haul_error error;
    struct haul_slice hello = {.data = pending->hello, .size = pending->received_bytes};
    if (tls_stream_create(listener->tls, &pending->socket.tls, &error) != HAUL_OK ||
        tls_stream_feed(pending->socket.tls, hello) != HAUL_OK) {
        log_refusal(listener, &pending->peer, "no memory for its TLS connection");
        drop(listener, pending);
        return;
    }
    step_handshake(listener, pending);
}

static void read_hello(struct tcp_listener *listener, struct pending *pending)
{
    enum haul_status status = HAUL_OK;
    size_t whole = hello_bytes(pending);
    size_t wanted = whole > 0 ? whole : TLS_RECORD_HEAD_BYTES;
    while (status == HAUL_OK && pending->received_bytes < wanted) {
        size_t received = 0;
        struct haul_error error;
        status = tls_socket_receive(&pending->socket, pending->hello + pending->received_bytes,
                                    wanted - pending->received_bytes, &received, &error);
        pending->received_bytes += received;
        whole = hello_bytes(pending);
        wanted = whole > 0 ? whole : wanted;
    }
    if (status == HAUL_AGAIN) {
        return;
    }
    if (status != HAUL_OK) {
        log_refusal(listener, &pending->peer, "it disconnected before it had proved its key");
        drop(listener, pending);
    } else if (whole == 0) {
        refuse_key(listener, pending);
    } else {
        take_hello(listener, pending);
    }
}

static void read_preamble(struct tcp_listener *listener, struct pending *pending)
{
    size_t received = 0;
    struct haul_error error;
    enum haul_status status =
        tls_socket_receive(&pending->socket, pending->preamble + pending->received_bytes,
                           sizeof(pending->preamble) - pending->received_bytes, &received, &error);
    if (status == HAUL_AGAIN) {
        return;
    }
    pending->received_bytes += received;
    bool is_tls = received > 0 && pending->preamble[0] == TLS_RECORD_HANDSHAKE;
    if (is_tls && pending->socket.tls == NULL) {
        pending->state = PENDING_SECURING;
        if (listener->tls == NULL) {
            refuse_key(listener, pending);
        } else {
            read_hello(listener, pending);
        }
    } else if (!tcp_preamble_plausible(pending->preamble, pending->received_bytes)) {
        log_refusal(listener, &pending->peer, "not a haul peer");
        drop(listener, pending);
    } else if (status != HAUL_OK) {
        log_refusal(listener, &pending->peer, "it disconnected before its preamble was complete");
        drop(listener, pending);
    } else if (pending->received_bytes == sizeof(pending->preamble)) {
        take_preamble(listener, pending);
    }
}

static void read_waiting(struct tcp_listener *listener, struct pending *pending)
{
    if (pending->state == PENDING_READING) {
        read_preamble(listener, pending);
    } else if (pending->socket.tls == NULL) {
        read_hello(listener, pending);
    } else {
        step_handshake(listener, pending);
    }
}

static void admit(struct tcp_listener *listener, int fd)
{
    struct link_address peer;
    tcp_socket_peer(fd, &peer);
    struct pending *pending = find_unused(listener);
    pending = pending == NULL ? make_room(listener) : pending;
    struct tls_socket socket = {.fd = fd};
    if (pending == NULL) {
        log_refusal(listener, &peer, "too many connections wait for their preamble");
        answer(&socket, HAUL_BUSY);
        tls_socket_close(&socket);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = pending};
    struct haul_error error;
    if (tcp_socket_configure(fd, listener->base.config.options.peer_timeout_ms, &error) !=
            HAUL_OK ||
        epoll_ctl(listener->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        log_refusal(listener, &peer, "cannot set up its socket");
        tls_socket_close(&socket);
        return;
    }
    pending->deadline_ns =
        clock_deadline_ns(listener->base.config.clock, preamble_timeout_ms(listener, &peer));
    pending->state = PENDING_READING;
    listener->waiting_count++;
    pending->socket = socket;
    pending->peer = peer;
    pending->number = listener->accepted_count++;
    pending->received_bytes = 0;
    read_preamble(listener, pending); /* it has usually arrived */
}

/* Accept one connection; false: none waits, or none can be accepted. */
static bool accept_one(struct tcp_listener *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        listener->short_of_descriptors = false;
        admit(listener, fd);
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
    for (int i = 0; i < ACCEPTS_PER_POLL_MAX && accept_one(listener); i++) {
    }
}

static void expire(struct tcp_listener *listener)
{
    uint64_t now = clock_now_ns(listener->base.config.clock);
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        struct pending *pending = &listener->pending[i];
        if (is_waiting(pending) && now >= pending->deadline_ns) {
            log_refusal(listener, &pending->peer, "its preamble did not arrive in time");
            drop(listener, pending);
        }
    }
}

/* Read first, expire second: a late poll must not punish a punctual peer. Accept last, so that the
 * slots of closed connections are free. */
static void work(struct tcp_listener *listener)
{
    struct epoll_event events[EVENTS_PER_POLL];
    int count = epoll_wait(listener->epoll_fd, events, EVENTS_PER_POLL, 0);
    for (int i = 0; i < count; i++) {
        struct pending *pending = events[i].data.ptr;
        if (pending != NULL && is_waiting(pending)) {
            read_waiting(listener, pending);
        }
    }
    expire(listener);
    resume_accepting(listener);
    accept_waiting(listener);
}

static struct pending *find_ready(struct tcp_listener *listener)
{
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        if (listener->pending[i].state == PENDING_READY) {
            return &listener->pending[i];
        }
    }
    return NULL;
}

static struct pending *pending_of(const struct link_incoming *incoming)
{
    struct pending *pending = incoming->handle;
    haul_assert(pending != NULL && pending->state == PENDING_ANSWERING);
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
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        if (listener->pending[i].state != PENDING_UNUSED) {
            drop(listener, &listener->pending[i]);
        }
    }
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
    uint64_t deadline_ns = listener->resume_ns;
    for (size_t i = 0; i < TCP_PENDING_MAX && listener->waiting_count > 0; i++) {
        const struct pending *pending = &listener->pending[i];
        if (is_waiting(pending) && pending->deadline_ns < deadline_ns) {
            deadline_ns = pending->deadline_ns;
        }
    }
    return deadline_ns;
}

static enum haul_status poll_listener(struct listener *base, struct link_incoming *incoming)
{
    struct tcp_listener *listener = tcp_of(base);
    work(listener);
    struct pending *pending = find_ready(listener);
    if (pending == NULL) {
        return HAUL_AGAIN;
    }
    pending->state = PENDING_ANSWERING;
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
    struct pending *pending = pending_of(incoming);
    refuse(listener, pending, reason, haul_status_sentence(reason));
    incoming->handle = NULL;
}

static enum haul_status accept_peer(struct listener *base, struct link_incoming *incoming,
                                    const struct link_config *config, struct link **link,
                                    struct haul_error *error)
{
    struct tcp_listener *listener = tcp_of(base);
    struct pending *pending = pending_of(incoming);
    haul_assert(!incoming->control);
    enum haul_status status = tcp_link_adopt(pending->socket.fd, config, link, error);
    answer(&pending->socket, status);
    if (status == HAUL_OK) {
        (void)detach(listener, pending);
    } else {
        drop(listener, pending);
    }
    incoming->handle = NULL;
    return status;
}

struct tls_socket tcp_listener_take(struct listener *base, struct link_incoming *incoming)
{
    struct pending *pending = pending_of(incoming);
    haul_assert(incoming->control);
    answer(&pending->socket, HAUL_OK);
    incoming->handle = NULL;
    return detach(tcp_of(base), pending);
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
    *listener = &made->base;
    return HAUL_OK;
fail:
    destroy(&made->base);
    return status;
}
