/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_pending.c — reads preambles and ClientHellos, refuses foreign peers, makes room.
 *
 * A connection (enum tcp_pending_state; each has one place of a fixed table):
 *
 *   UNUSED --tcp_pending_admit--> READING --read_preamble: 64 sound bytes--> READY
 *   READING --read_preamble: a ClientHello--> SECURING --step_handshake: TLS done--> READING
 *   READING, SECURING --foreign, damaged, other version, no key--> UNUSED (closed)
 *   SECURING --step_handshake: no certificate that counts--> REFUSED
 *   REFUSED --tcp_pending_expire--> UNUSED (answered, closed)
 *   READING, SECURING, REFUSED --tcp_pending_expire, drop_one--> UNUSED (closed)
 *   READY --tcp_pending_next--> ANSWERING --tcp_pending_accept, tcp_pending_refuse--> UNUSED
 *
 * Invariants:
 *  1. At most TCP_PENDING_MAX connections are held, and TCP_PENDING_OF_HOST_MAX of one address are
 *     READING, SECURING or REFUSED. One more drops the oldest of these, first among those that have
 *     proved neither key nor certificate. What has arrived of it is read before, so a punctual peer
 *     is never dropped. None is dropped for one that is READY: those are handed out first.
 *  2. A connection that is READING, SECURING or REFUSED has a deadline. For one that is ANSWERING
 *     the caller has promised to answer.
 *  3. A refusal is logged through log_limit: a flood does not fill the log.
 *  4. Whatever is wrong with a certificate, its refusal is sent TCP_REFUSAL_MS after it arrived, so
 *     the time does not tell what was checked. */
#include "tcp_pending.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "clock.h"
#include "haul/log.h"
#include "link_ops.h"
#include "tcp_socket.h"

/* What a peer that has proved nothing costs here, beside its descriptor. */
static_assert(sizeof(struct tcp_pending) <= TCP_PENDING_BYTES_MAX, "a stranger costs too much");

static void log_refusal(struct tcp_pending_table *table, const struct link_address *peer,
                        const char *why)
{
    char name[LINK_ADDRESS_TEXT_BYTES_MAX];
    uint64_t unsaid = 0;
    if (!log_limit_allows(&table->refusals, clock_now_ns(table->config->clock), &unsaid)) {
        return;
    }
    link_address_format(peer, name);
    haul_log(table->config->log, HAUL_LOG_WARNING,
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

static bool is_waiting(const struct tcp_pending *pending)
{
    return pending->state == TCP_PENDING_READING || pending->state == TCP_PENDING_SECURING ||
           pending->state == TCP_PENDING_REFUSED;
}

/* Forget the connection; its socket stays open. */
static struct tls_socket detach(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    if (is_waiting(pending)) {
        (void)epoll_ctl(table->epoll_fd, EPOLL_CTL_DEL, pending->socket.fd, NULL);
        table->waiting_count--;
    }
    pending->state = TCP_PENDING_UNUSED;
    return pending->socket;
}

static void drop(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    struct tls_socket socket = detach(table, pending);
    tls_socket_close(&socket);
}

/* Without an answer: nothing of the connection stays, in the kernel either. */
static void drop_silently(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    tcp_socket_forget(pending->socket.fd);
    drop(table, pending);
}

static struct tcp_pending *find_unused(struct tcp_pending_table *table)
{
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        if (table->places[i].state == TCP_PENDING_UNUSED) {
            return &table->places[i];
        }
    }
    return NULL;
}

/* Its ClientHello has proved a key, or its handshake a certificate. */
static bool is_proven(const struct tcp_pending *pending)
{
    return pending->socket.tls != NULL && tls_stream_is_proven(pending->socket.tls);
}

static bool goes_before(const struct tcp_pending *a, const struct tcp_pending *b)
{
    return is_proven(a) != is_proven(b) ? is_proven(b) : a->number < b->number;
}

/* The waiting connection that is the first to be dropped. `host` NULL: of any. */
static struct tcp_pending *find_victim(struct tcp_pending_table *table,
                                       const struct link_address *host)
{
    struct tcp_pending *victim = NULL;
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        struct tcp_pending *pending = &table->places[i];
        if (is_waiting(pending) && (host == NULL || link_address_same_host(&pending->peer, host)) &&
            (victim == NULL || goes_before(pending, victim))) {
            victim = pending;
        }
    }
    return victim;
}

static size_t count_waiting(const struct tcp_pending_table *table, const struct link_address *host)
{
    size_t count = 0;
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        const struct tcp_pending *pending = &table->places[i];
        count += is_waiting(pending) && link_address_same_host(&pending->peer, host);
    }
    return count;
}

void tcp_pending_refuse(struct tcp_pending_table *table, struct tcp_pending *pending,
                        enum haul_status status, const char *why)
{
    if (why != NULL) {
        log_refusal(table, &pending->peer, why);
    }
    answer(&pending->socket, status);
    drop(table, pending);
}

static void send_refusal(struct tcp_pending *pending)
{
    struct haul_slice refusal = tls_refusal();
    size_t sent;
    struct haul_error ignored;
    if (pending->socket.tls != NULL) {
        (void)!tls_socket_flush(&pending->socket, &ignored);
    } else {
        (void)!tls_socket_send(&pending->socket, refusal.data, refusal.size, &sent, &ignored);
    }
}

/* Whoever fails here gets the same answer, and learns nothing from it. */
static void refuse_key(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    log_refusal(table, &pending->peer,
                table->tls != NULL ? "it does not have the key"
                                   : "it uses a key, and this side has none");
    send_refusal(pending);
    drop(table, pending);
}

/* A certificate does not count: log why, and keep it from the peer. */
static void refuse_later(struct tcp_pending_table *table, struct tcp_pending *pending,
                         uint64_t began_ns)
{
    char why[TLS_STREAM_CAUSE_BYTES + 3];
    char cause[TLS_STREAM_CAUSE_BYTES];
    tls_stream_cause(pending->socket.tls, cause);
    (void)snprintf(why, sizeof(why), "it %s", cause);
    log_refusal(table, &pending->peer, why);
    (void)epoll_ctl(table->epoll_fd, EPOLL_CTL_DEL, pending->socket.fd, NULL);
    pending->state = TCP_PENDING_REFUSED;
    pending->deadline_ns = began_ns + TCP_REFUSAL_MS * NS_PER_MS;
}

/* What the peer has sent meanwhile is read first: unread bytes would reset the connection, perhaps
 * before it has the refusal. */
static void finish_refusal(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    const struct iovec room = {.iov_base = pending->hello, .iov_len = sizeof(pending->hello)};
    size_t received;
    struct haul_error ignored;
    (void)!tcp_socket_receive(pending->socket.fd, &room, 1, &received, &ignored);
    send_refusal(pending);
    drop(table, pending);
}

static void take_preamble(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    struct link_ticket *ticket = &pending->ticket;
    enum haul_status status = tcp_preamble_decode(pending->preamble, &pending->purpose, ticket);
    if (status != HAUL_OK) {
        tcp_pending_refuse(table, pending, status,
                           status == HAUL_CORRUPT ? "its preamble is damaged" : "unknown purpose");
        return;
    }
    bool secured = pending->socket.tls != NULL;
    if ((pending->purpose == TCP_CONTROL) != secured && (secured || table->tls != NULL)) {
        tcp_pending_refuse(table, pending, HAUL_AUTH, "it does not use the key");
        return;
    }
    if (ticket->version_min > LINK_VERSION_MAX || ticket->version_max < LINK_VERSION_MIN) {
        tcp_pending_refuse(table, pending, HAUL_VERSION, "no protocol version in common");
        return;
    }
    /* Not read until the answer: a peer that closes now must not keep the loop awake. */
    (void)epoll_ctl(table->epoll_fd, EPOLL_CTL_DEL, pending->socket.fd, NULL);
    pending->state = TCP_PENDING_READY;
    table->waiting_count--;
}

static void read_preamble(struct tcp_pending_table *table, struct tcp_pending *pending);

/* The bytes of a whole ClientHello: 0: not known yet, or more than are taken. */
static size_t hello_bytes(const struct tcp_pending *pending)
{
    if (pending->received_bytes < TLS_RECORD_HEAD_BYTES) {
        return 0;
    }
    size_t size = TLS_RECORD_HEAD_BYTES + ((size_t)pending->hello[3] << 8 | pending->hello[4]);
    return size <= sizeof(pending->hello) ? size : 0;
}

/* Is the message as long as the record says? TLS would wait for the rest of a longer one, and a
 * peer that has proved nothing would have its state. */
static bool is_one_hello(const struct tcp_pending *pending)
{
    enum { CLIENT_HELLO = 1, MESSAGE_HEAD_BYTES = 4 }; /* RFC 8446, 4: type, three of length */
    const uint8_t *message = pending->hello + TLS_RECORD_HEAD_BYTES;
    size_t size = pending->received_bytes - TLS_RECORD_HEAD_BYTES;
    return size >= MESSAGE_HEAD_BYTES && message[0] == CLIENT_HELLO &&
           ((size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3]) ==
               size - MESSAGE_HEAD_BYTES;
}

static void step_handshake(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    struct haul_error error;
    uint64_t began_ns = clock_now_ns(table->config->clock);
    enum haul_status status = tls_socket_handshake(&pending->socket, &error);
    if (status == HAUL_AGAIN) {
        return;
    }
    if (status == HAUL_AUTH && tls_stream_has_certificates(pending->socket.tls)) {
        refuse_later(table, pending, began_ns);
    } else if (status == HAUL_AUTH) {
        refuse_key(table, pending);
    } else if (status != HAUL_OK) {
        log_refusal(table, &pending->peer, "it disconnected before it had proved its key");
        drop(table, pending);
    } else {
        pending->state = TCP_PENDING_READING;
        pending->received_bytes = 0;
        read_preamble(table, pending);
    }
}

/* The ClientHello is complete: its binder shows whether the peer has a key. */
static void take_hello(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    struct haul_error error;
    struct haul_slice hello = {.data = pending->hello, .size = pending->received_bytes};
    if (tls_stream_create(table->tls, &pending->socket.tls, &error) != HAUL_OK ||
        tls_stream_feed(pending->socket.tls, hello) != HAUL_OK) {
        log_refusal(table, &pending->peer, "no memory for its TLS connection");
        drop(table, pending);
        return;
    }
    step_handshake(table, pending);
}

static void read_hello(struct tcp_pending_table *table, struct tcp_pending *pending)
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
        log_refusal(table, &pending->peer, "it disconnected before it had proved its key");
        drop(table, pending);
    } else if (whole == 0 || !is_one_hello(pending)) {
        refuse_key(table, pending);
    } else {
        take_hello(table, pending);
    }
}

static void read_preamble(struct tcp_pending_table *table, struct tcp_pending *pending)
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
        pending->state = TCP_PENDING_SECURING;
        if (table->tls == NULL) {
            refuse_key(table, pending);
        } else {
            read_hello(table, pending);
        }
    } else if (!tcp_preamble_plausible(pending->preamble, pending->received_bytes)) {
        log_refusal(table, &pending->peer, "not a haul peer");
        drop(table, pending);
    } else if (status != HAUL_OK) {
        log_refusal(table, &pending->peer, "it disconnected before its preamble was complete");
        drop(table, pending);
    } else if (pending->received_bytes == sizeof(pending->preamble)) {
        take_preamble(table, pending);
    }
}

static void read_waiting(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    if (pending->state == TCP_PENDING_REFUSED) {
        return;
    }
    if (pending->state == TCP_PENDING_READING) {
        read_preamble(table, pending);
    } else if (pending->socket.tls == NULL) {
        read_hello(table, pending);
    } else {
        step_handshake(table, pending);
    }
}

void tcp_pending_read(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    if (is_waiting(pending)) {
        read_waiting(table, pending);
    }
}

/* Drop a waiting connection, unless what has arrived of it lets it go on. False: none waits. */
static bool drop_one(struct tcp_pending_table *table, const struct link_address *host)
{
    struct tcp_pending *victim = find_victim(table, host);
    if (victim == NULL) {
        return false;
    }
    bool was_proven = is_proven(victim);
    read_waiting(table, victim);
    if (is_waiting(victim) && is_proven(victim) == was_proven) {
        log_refusal(table, &victim->peer,
                    "its preamble did not arrive before other connections did");
        drop_silently(table, victim);
    }
    return true;
}

bool tcp_pending_has_room(const struct tcp_pending_table *table)
{
    bool has_unused = false;
    bool has_ready = false;
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        has_unused = has_unused || table->places[i].state == TCP_PENDING_UNUSED;
        has_ready = has_ready || table->places[i].state == TCP_PENDING_READY;
    }
    return has_unused || (!has_ready && table->waiting_count > 0);
}

/* NULL: those that waited have become READY meanwhile. */
static struct tcp_pending *make_room(struct tcp_pending_table *table,
                                     const struct link_address *host)
{
    while (count_waiting(table, host) >= TCP_PENDING_OF_HOST_MAX && drop_one(table, host)) {
    }
    struct tcp_pending *unused = find_unused(table);
    while (unused == NULL && drop_one(table, NULL)) {
        unused = find_unused(table);
    }
    return unused;
}

void tcp_pending_admit(struct tcp_pending_table *table, int fd)
{
    struct link_address peer;
    struct tls_socket socket = {.fd = fd};
    tcp_socket_peer(fd, &peer);
    const char *why = link_peer_refusal(table->config, &peer);
    if (why != NULL) {
        log_refusal(table, &peer, why);
        tcp_socket_forget(fd);
        tls_socket_close(&socket);
        return;
    }
    struct tcp_pending *pending = make_room(table, &peer);
    if (pending == NULL) {
        log_refusal(table, &peer, "too many connections wait for an answer");
        tls_socket_close(&socket); /* a plain answer would tell a peer that its key is wrong */
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = pending};
    struct haul_error error;
    if (tcp_socket_configure(fd, table->config->options.peer_timeout_ms, &error) != HAUL_OK ||
        epoll_ctl(table->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        log_refusal(table, &peer, "cannot set up its socket");
        tls_socket_close(&socket);
        return;
    }
    pending->deadline_ns = clock_deadline_ns(table->config->clock, TCP_PREAMBLE_TIMEOUT_MS);
    pending->state = TCP_PENDING_READING;
    table->waiting_count++;
    pending->socket = socket;
    pending->peer = peer;
    pending->number = table->accepted_count++;
    pending->received_bytes = 0;
    read_preamble(table, pending); /* it has usually arrived */
}

void tcp_pending_expire(struct tcp_pending_table *table)
{
    uint64_t now = clock_now_ns(table->config->clock);
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        struct tcp_pending *pending = &table->places[i];
        if (!is_waiting(pending) || now < pending->deadline_ns) {
            continue;
        }
        if (pending->state == TCP_PENDING_REFUSED) {
            finish_refusal(table, pending);
        } else {
            log_refusal(table, &pending->peer, "its preamble did not arrive in time");
            drop_silently(table, pending);
        }
    }
}

uint64_t tcp_pending_deadline_ns(const struct tcp_pending_table *table)
{
    uint64_t deadline_ns = CLOCK_NEVER;
    for (size_t i = 0; i < TCP_PENDING_MAX && table->waiting_count > 0; i++) {
        const struct tcp_pending *pending = &table->places[i];
        if (is_waiting(pending) && pending->deadline_ns < deadline_ns) {
            deadline_ns = pending->deadline_ns;
        }
    }
    return deadline_ns;
}

struct tcp_pending *tcp_pending_next(struct tcp_pending_table *table)
{
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        struct tcp_pending *pending = &table->places[i];
        if (pending->state == TCP_PENDING_READY) {
            pending->state = TCP_PENDING_ANSWERING;
            return pending;
        }
    }
    return NULL;
}

struct tls_socket tcp_pending_accept(struct tcp_pending_table *table, struct tcp_pending *pending)
{
    answer(&pending->socket, HAUL_OK);
    return detach(table, pending);
}

void tcp_pending_fini(struct tcp_pending_table *table)
{
    for (size_t i = 0; i < TCP_PENDING_MAX; i++) {
        if (table->places[i].state != TCP_PENDING_UNUSED) {
            drop(table, &table->places[i]);
        }
    }
}
