/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_link.c — the TCP backend: a link's life; its traffic is in tcp_sender.c and tcp_receiver.c.
 *
 *   CONNECTING --on_connecting: answered OK----------------> OPEN       (the side that sends)
 *   ACCEPTED   --on_accepted--------------------------------> OPEN       (the side that receives)
 *   OPEN       --tcp_close, on_peer_end: nothing in flight--> CLOSING
 *   CLOSING    --finish_close: both ends sent and received--> ENDED (OK)
 *   any        --tcp_close with something in flight---------> ENDED (CANCELLED)
 *   any        --fail: breach, broken connection, deadline--> ENDED (error)
 *   ENDED      --on_ended: all blocks are back--------------> CLOSED
 *
 * Forward, the link carries 64-byte slot headers with their payloads and ends with a SLOT_CLOSE
 * header; backward, it carries the 32-byte frames of tcp_frame.h. An end is orderly when both sides
 * have sent theirs; the peer of a closing side sends its own without a request. A stream that just
 * stops is CLOSED, and so is a peer that closes with blocks in flight.
 *
 * Sleeping: a socket alone cannot show an epoll set that it also waits for room to write, so the
 * link has a small epoll set of its own, whose interest tcp_arm sets. It is level-triggered: what
 * arrives between the last poll and the sleep ends the sleep.
 *
 * Deadlines: CONNECTING and CLOSING have one each. OPEN has none here: a slow consumer is legal,
 * and TCP_USER_TIMEOUT and keep-alive probes of the same length detect a dead peer. */
#include "tcp_link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "link_ops.h"
#include "probe.h"
#include "tcp_description.h"
#include "tcp_handshake.h"
#include "tcp_listener.h"
#include "tcp_preamble.h"
#include "tcp_receiver.h"
#include "tcp_sender.h"
#include "tcp_socket.h"

enum {
    /* A poll returns its blocks after this many bytes, while they are still in the cache. */
    READ_BYTES_PER_POLL = 1 << 20,
    FAR_BYTES_PER_SECOND = 1250000000, /* 10 Gb/s */
};

enum tcp_link_state {
    TCP_LINK_CONNECTING, /* the handshake runs */
    TCP_LINK_ACCEPTED,   /* the handshake is over; CONNECTED is still to be reported */
    TCP_LINK_OPEN,       /* connected; bound, or about to be */
    TCP_LINK_CLOSING,    /* our end is sent; the peer's is awaited */
    TCP_LINK_ENDED,      /* over; blocks go back, then CLOSED is reported */
    TCP_LINK_CLOSED,     /* reported */
};

struct tcp_link {
    struct link base;
    enum tcp_link_state state;
    int fd; /* -1 from ENDED on */
    int epoll_fd;
    uint32_t interest; /* as registered */
    uint64_t deadline_ns;
    struct tcp_handshake handshake;
    struct tcp_sender sender;     /* base.sending */
    struct tcp_receiver receiver; /* !base.sending */
    struct haul_error error;      /* of the CLOSED event */
};

static struct tcp_link *tcp_link_of(struct link *link)
{
    return (struct tcp_link *)link;
}

static const struct tcp_link *const_tcp_link_of(const struct link *link)
{
    return (const struct tcp_link *)link;
}

static void enter(struct tcp_link *link, enum tcp_link_state state)
{
    PROBE3(link_state, link, link->state, state);
    link->state = state;
}

/* --- endings -------------------------------------------------------------------------------- */

/* End the link, with `link->error` filled in. Closing the socket takes it out of the epoll set. */
static void end(struct tcp_link *link)
{
    if (link->state >= TCP_LINK_ENDED) {
        return;
    }
    enter(link, TCP_LINK_ENDED);
    link->deadline_ns = CLOCK_NEVER;
    (void)close(link->fd);
    link->fd = -1;
}

static void end_cancelled(struct tcp_link *link, const char *text)
{
    (void)haul_error_set(&link->error, HAUL_CANCELLED, "", 0, "%s", text);
    end(link);
}

static void begin_closing(struct tcp_link *link)
{
    if (link->base.sending) {
        tcp_sender_end(&link->sender);
    } else {
        tcp_receiver_end(&link->receiver);
    }
    enter(link, TCP_LINK_CLOSING);
    link->deadline_ns =
        clock_deadline_ns(link->base.config.clock, link->base.config.options.peer_timeout_ms);
}

static bool peer_ended(const struct tcp_link *link)
{
    return link->base.sending ? link->sender.peer_ended
                              : link->receiver.state == TCP_RECEIVER_ENDED;
}

static bool unwritten(const struct tcp_link *link)
{
    return link->base.sending ? tcp_sender_unwritten(&link->sender)
                              : tcp_receiver_unwritten(&link->receiver);
}

/* Write what closing left; the end is orderly once both ends have been sent and received. */
static void finish_close(struct tcp_link *link)
{
    enum haul_status status = link->base.sending
                                  ? tcp_sender_write(&link->sender, &link->error)
                                  : tcp_receiver_report(&link->receiver, true, &link->error);
    if (status != HAUL_OK && status != HAUL_AGAIN) {
        end(link);
    } else if (peer_ended(link) && !unwritten(link)) {
        (void)haul_error_set(&link->error, HAUL_OK, "", 0, "closed by both sides");
        end(link);
    }
}

/* Pass blocks to the kernel. When the connection breaks here, earlier credits may still wait to be
 * read, and a block that was freed must not be reported as cancelled. */
static bool write_blocks(struct tcp_link *link)
{
    struct tcp_sender *sender = &link->sender;
    enum haul_status status = tcp_sender_write(sender, &link->error);
    if (status == HAUL_OK || status == HAUL_AGAIN) {
        return true;
    }
    struct haul_error ignored;
    while (tcp_sender_read(sender, &ignored) == HAUL_OK) {
    }
    end(link);
    return false;
}

/* The peer sent its end while the link was open. It is orderly if nothing is in flight. */
static void on_peer_end(struct tcp_link *link)
{
    if (link->base.sending && tcp_sender_in_flight(&link->sender)) {
        (void)haul_error_set(&link->error, HAUL_CLOSED, "", 0,
                             "the peer closed while blocks were in flight");
        end(link);
    } else if (!link->base.sending && !tcp_receiver_all_reported(&link->receiver)) {
        (void)haul_error_set(&link->error, HAUL_PROTOCOL, "", 0,
                             "the peer closed before its blocks were freed");
        end(link);
    } else {
        begin_closing(link);
    }
}

static void check_end(struct tcp_link *link)
{
    if (link->state == TCP_LINK_OPEN && peer_ended(link)) {
        on_peer_end(link);
    }
    if (link->state == TCP_LINK_CLOSING) {
        finish_close(link);
    }
    if (link->state == TCP_LINK_CLOSING &&
        clock_now_ns(link->base.config.clock) >= link->deadline_ns) {
        (void)haul_error_set(&link->error, HAUL_TIMEOUT, "", 0,
                             "the peer did not end the link within %u ms",
                             link->base.config.options.peer_timeout_ms);
        end(link);
    }
}

/* --- one dispatch: what a poll does in each state -------------------------------------------- */

static size_t put_event(struct link_event *event, enum link_event_type type,
                        enum haul_status status, struct block *block)
{
    event->type = type;
    event->status = status;
    event->block = block;
    event->error = NULL;
    return 1;
}

/* Size the buffers by the path's capacity if it is configured. Otherwise the kernel decides,
 * because a far too large window only fills the queues of routers. The receiver's buffer is the
 * window. */
static void fit_buffers(const struct tcp_link *link)
{
    const struct link_config *config = &link->base.config;
    if (link->base.sending && tcp_socket_is_near(link->fd)) {
        tcp_socket_narrow(link->fd);
        return;
    }
    uint64_t rate = link->base.sending ? config->path_bytes_per_second : FAR_BYTES_PER_SECOND;
    tcp_socket_widen(link->fd, link->base.sending, rate,
                     (uint64_t)config->options.slot_count * config->options.slot_size_bytes);
}

static size_t on_connecting(struct tcp_link *link, struct link_event *events)
{
    struct tls_socket plain = {.fd = link->fd};
    enum haul_status status = tcp_handshake_step(&link->handshake, &plain, &link->error);
    if (status == HAUL_AGAIN) {
        return 0;
    }
    if (status != HAUL_OK) {
        link->base.refused = tcp_handshake_is_answered(&link->handshake);
        end(link);
        return 0;
    }
    enter(link, TCP_LINK_OPEN);
    link->deadline_ns = CLOCK_NEVER;
    fit_buffers(link);
    return put_event(events, LINK_CONNECTED, HAUL_OK, NULL);
}

static size_t on_accepted(struct tcp_link *link, struct link_event *events)
{
    enter(link, TCP_LINK_OPEN);
    fit_buffers(link);
    return put_event(events, LINK_CONNECTED, HAUL_OK, NULL);
}

static size_t put_freed(struct tcp_link *link, struct link_event *events, size_t capacity)
{
    size_t count = 0;
    while (count < capacity) {
        struct block *block = tcp_sender_take_freed(&link->sender);
        if (block == NULL) {
            break;
        }
        block->state = BLOCK_FILLING;
        count += put_event(&events[count], LINK_DONE, HAUL_OK, block);
    }
    if (count < capacity && link->sender.advanced) {
        link->sender.advanced = false;
        count += put_event(&events[count], LINK_CREDIT, HAUL_OK, NULL);
    }
    return count;
}

static size_t on_sending(struct tcp_link *link, struct link_event *events, size_t capacity)
{
    struct tcp_sender *sender = &link->sender;
    enum haul_status status = tcp_sender_read(sender, &link->error);
    if (status != HAUL_OK && status != HAUL_AGAIN) {
        end(link);
    } else if (write_blocks(link)) {
        check_end(link);
    }
    link->base.freed_count = sender->credit.freed;
    link->base.applied_count = sender->credit.applied;
    return put_freed(link, events, capacity);
}

/* No read would notice now that the connection broke. When a block waits for the bind, the end of
 * the stream may follow it: then drop the block together with its sender. */
static enum haul_status check_unread(struct tcp_link *link)
{
    enum haul_status status = tcp_socket_failure(link->fd, &link->error);
    if (status == HAUL_OK && tcp_receiver_awaits_bind(&link->receiver)) {
        status = tcp_socket_stream_end(link->fd, &link->error);
    }
    return status;
}

static size_t on_receiving(struct tcp_link *link, struct link_event *events, size_t capacity)
{
    struct tcp_receiver *receiver = &link->receiver;
    const uint64_t enough = link->base.stats.bytes_received + READ_BYTES_PER_POLL;
    size_t count = 0;
    enum haul_status status = HAUL_OK;
    tcp_receiver_begin(receiver);
    while (count < capacity && link->base.stats.bytes_received < enough) {
        struct block *block;
        status = tcp_receiver_next(receiver, &block, &link->error);
        if (status != HAUL_OK) {
            break;
        }
        count += put_event(&events[count], LINK_RECEIVED, HAUL_OK, block);
    }
    if (status == HAUL_AGAIN && !tcp_receiver_wants_bytes(receiver)) {
        status = check_unread(link);
    }
    if (status == HAUL_OK || status == HAUL_AGAIN) {
        status = tcp_receiver_report(receiver, count == 0, &link->error);
    }
    if (status != HAUL_OK && status != HAUL_AGAIN) {
        end(link);
    } else {
        check_end(link);
    }
    return count;
}

/* Our end has been sent: only the peer's end still matters. */
static size_t on_closing_receiver(struct tcp_link *link)
{
    struct block *block;
    tcp_receiver_begin(&link->receiver);
    enum haul_status status = tcp_receiver_next(&link->receiver, &block, &link->error);
    if (status != HAUL_OK && status != HAUL_AGAIN) {
        end(link);
    } else if (tcp_receiver_in_flight(&link->receiver)) {
        end_cancelled(link, "closed while the peer had blocks in flight");
    } else {
        check_end(link);
    }
    return 0;
}

/* Blocks that were freed before the end are done; cancel the others. */
static size_t on_ended(struct tcp_link *link, struct link_event *events, size_t capacity)
{
    size_t count = 0;
    if (link->base.sending) {
        count = put_freed(link, events, capacity);
        while (count < capacity) {
            struct block *block = tcp_sender_take_cancelled(&link->sender);
            if (block == NULL) {
                break;
            }
            block->state = BLOCK_FILLING;
            count += put_event(&events[count], LINK_DONE, HAUL_CANCELLED, block);
        }
    }
    if (count < capacity) {
        put_event(&events[count], LINK_CLOSED, link->error.status, NULL);
        events[count].error = &link->error;
        enter(link, TCP_LINK_CLOSED);
        count++;
    }
    return count;
}

static size_t tcp_poll(struct link *base, struct link_event *events, size_t capacity)
{
    struct tcp_link *link = tcp_link_of(base);
    size_t count = 0;
    if (capacity == 0) {
        return 0;
    }
    switch (link->state) {
    case TCP_LINK_CONNECTING:
        count = on_connecting(link, events);
        break;
    case TCP_LINK_ACCEPTED:
        count = on_accepted(link, events);
        break;
    case TCP_LINK_OPEN:
        count = base->sending ? on_sending(link, events, capacity)
                              : on_receiving(link, events, capacity);
        break;
    case TCP_LINK_CLOSING:
        count = base->sending ? on_sending(link, events, capacity) : on_closing_receiver(link);
        break;
    case TCP_LINK_ENDED:
    case TCP_LINK_CLOSED:
        break;
    }
    if (link->state == TCP_LINK_ENDED && count < capacity) {
        count += on_ended(link, events + count, capacity - count);
    }
    return count;
}

/* --- sleeping ------------------------------------------------------------------------------- */

static uint32_t wanted_interest(const struct tcp_link *link)
{
    if (link->state == TCP_LINK_CONNECTING) {
        return tcp_handshake_interest(&link->handshake, &(struct tls_socket){.fd = link->fd});
    }
    bool reads =
        link->base.sending ? !link->sender.peer_ended : tcp_receiver_wants_bytes(&link->receiver);
    bool only_end = !link->base.sending && tcp_receiver_awaits_bind(&link->receiver);
    return (reads ? EPOLLIN : 0u) | (only_end ? EPOLLRDHUP : 0u) |
           (unwritten(link) ? EPOLLOUT : 0u);
}

static bool has_news(const struct tcp_link *link)
{
    switch (link->state) {
    case TCP_LINK_ACCEPTED:
    case TCP_LINK_ENDED:
        return true;
    case TCP_LINK_OPEN:
    case TCP_LINK_CLOSING:
        return link->base.sending ? tcp_sender_has_news(&link->sender)
                                  : tcp_receiver_has_news(&link->receiver);
    case TCP_LINK_CONNECTING:
    case TCP_LINK_CLOSED:
        break;
    }
    return false;
}

/* Set what the epoll set and the socket wait for. */
static enum haul_status watch(struct tcp_link *link)
{
    uint32_t interest = wanted_interest(link);
    if (interest != link->interest) {
        struct epoll_event event = {.events = interest};
        if (epoll_ctl(link->epoll_fd, EPOLL_CTL_MOD, link->fd, &event) != 0) {
            return haul_error_set(&link->error, HAUL_IO, "epoll_ctl", errno,
                                  "cannot wait for a link");
        }
        link->interest = interest;
    }
    return link->base.sending ? HAUL_OK : tcp_receiver_arm(&link->receiver, &link->error);
}

static bool tcp_arm(struct link *base)
{
    struct tcp_link *link = tcp_link_of(base);
    if (has_news(link)) {
        return false;
    }
    if (link->fd >= 0 && watch(link) != HAUL_OK) {
        end(link);
        return false;
    }
    return true;
}

static int tcp_fd(const struct link *base)
{
    return const_tcp_link_of(base)->epoll_fd;
}

static uint64_t tcp_deadline_ns(const struct link *base)
{
    return const_tcp_link_of(base)->deadline_ns;
}

/* --- making and unmaking --------------------------------------------------------------------- */

static void tcp_destroy(struct link *base)
{
    struct tcp_link *link = tcp_link_of(base);
    if (link->fd >= 0) {
        (void)close(link->fd);
    }
    if (link->epoll_fd >= 0) {
        (void)close(link->epoll_fd);
    }
    tcp_sender_fini(&link->sender);
    tcp_receiver_fini(&link->receiver);
    free(link);
}

/* Everything but the socket. */
static enum haul_status create(bool sending, const struct link_config *config,
                               struct tcp_link **link, struct haul_error *error)
{
    struct tcp_link *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a link");
    }
    made->base.ops = &tcp_link_ops;
    made->base.config = *config;
    made->base.sending = sending;
    made->state = sending ? TCP_LINK_CONNECTING : TCP_LINK_ACCEPTED;
    made->fd = -1;
    made->deadline_ns = CLOCK_NEVER;
    made->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (made->epoll_fd < 0) {
        enum haul_status status = haul_error_set(error, tcp_socket_status(errno), "epoll_create1",
                                                 errno, "cannot create a link");
        tcp_destroy(&made->base);
        return status;
    }
    *link = made;
    return HAUL_OK;
}

/* Give the link its socket. The link keeps the socket only on OK. */
static enum haul_status attach(struct tcp_link *link, int fd, struct haul_error *error)
{
    struct haul_link_stats *stats = &link->base.stats;
    const struct link_config *config = &link->base.config;
    enum haul_status status = link->base.sending
                                  ? tcp_sender_init(&link->sender, fd, config, stats, error)
                                  : tcp_receiver_init(&link->receiver, fd, config, stats, error);
    if (status != HAUL_OK) {
        return status;
    }
    link->interest = link->base.sending ? EPOLLOUT : EPOLLIN;
    struct epoll_event event = {.events = link->interest};
    if (epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return haul_error_set(error, tcp_socket_status(errno), "epoll_ctl", errno,
                              "cannot create a link");
    }
    link->fd = fd;
    return HAUL_OK;
}

enum haul_status tcp_link_adopt(int fd, const struct link_config *config, struct link **link,
                                struct haul_error *error)
{
    struct tcp_link *made = NULL;
    enum haul_status status = create(false, config, &made, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = attach(made, fd, error);
    if (status != HAUL_OK) {
        tcp_destroy(&made->base);
        return status;
    }
    *link = &made->base;
    return HAUL_OK;
}

static enum haul_status tcp_connect(const struct link_address *address,
                                    const struct link_ticket *ticket,
                                    const struct link_config *config, struct link **link,
                                    struct haul_error *error)
{
    struct tcp_link *made = NULL;
    enum haul_status status = create(true, config, &made, error);
    if (status != HAUL_OK) {
        return status;
    }
    int fd = -1;
    status = tcp_socket_connect(address, config->options.peer_timeout_ms, &fd, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    status = attach(made, fd, error);
    if (status != HAUL_OK) {
        (void)close(fd);
        goto fail;
    }
    tcp_handshake_init(&made->handshake, address, TCP_DATA, ticket, config);
    made->deadline_ns = made->handshake.deadline_ns;
    *link = &made->base;
    return HAUL_OK;
fail:
    tcp_destroy(&made->base);
    return status;
}

/* --- the calls of link.h --------------------------------------------------------------------- */

static struct block_pool *tcp_pool(struct link *base)
{
    return base->sending ? tcp_link_of(base)->sender.pool : NULL;
}

static enum haul_status tcp_submit(struct link *base, struct block *block)
{
    struct tcp_link *link = tcp_link_of(base);
    if (link->state != TCP_LINK_OPEN) {
        return HAUL_CLOSED;
    }
    bool behind = tcp_sender_unwritten(&link->sender);
    enum haul_status status = tcp_sender_submit(&link->sender, block);
    if (status != HAUL_OK) {
        return status;
    }
    block->state = BLOCK_IN_FLIGHT;
    if (!behind) {
        /* If this ends the link, the block is accepted all the same and comes back cancelled. */
        (void)write_blocks(link);
    }
    return HAUL_OK;
}

static void tcp_release(struct link *base, struct block *block)
{
    tcp_receiver_release(&tcp_link_of(base)->receiver, block);
}

static void tcp_note_applied(struct link *base, uint64_t count)
{
    credit_receiver_note_applied(&tcp_link_of(base)->receiver.credit, count);
}

static size_t tcp_describe(const struct link *base, uint8_t *description)
{
    const struct tcp_description ours = {
        .slot_count = base->config.options.slot_count,
        .slot_size_bytes = base->config.options.slot_size_bytes,
    };
    tcp_description_encode(&ours, description);
    return TCP_DESCRIPTION_BYTES;
}

static enum haul_status tcp_bind(struct link *base, const uint8_t *description, size_t size_bytes,
                                 struct haul_error *error)
{
    struct tcp_link *link = tcp_link_of(base);
    if (link->state != TCP_LINK_OPEN) {
        return haul_error_set(error, HAUL_CLOSED, "", 0, "the link is not open");
    }
    struct tcp_description theirs;
    enum haul_status status = tcp_description_decode(description, size_bytes, &theirs, error);
    if (status != HAUL_OK) {
        return status;
    }
    const struct haul_link_options *ours = &base->config.options;
    if (theirs.slot_size_bytes != ours->slot_size_bytes) {
        (void)haul_error_set(error, HAUL_MISMATCH, "", 0, "the peer's slots have %u bytes, ours %u",
                             theirs.slot_size_bytes, ours->slot_size_bytes);
        haul_error_hint(error, "set the same slot size on both sides");
        return HAUL_MISMATCH;
    }
    base->slot_count = theirs.slot_count < ours->slot_count ? theirs.slot_count : ours->slot_count;
    base->payload_size_bytes_max = ours->slot_size_bytes - SLOT_HEADER_BYTES;
    if (base->sending) {
        tcp_sender_bind(&link->sender, base->slot_count);
    } else {
        tcp_receiver_bind(&link->receiver, base->slot_count);
    }
    return HAUL_OK;
}

static void tcp_close(struct link *base)
{
    struct tcp_link *link = tcp_link_of(base);
    if (link->state == TCP_LINK_CONNECTING) {
        end_cancelled(link, "closed before it was connected");
        return;
    }
    if (link->state != TCP_LINK_OPEN && link->state != TCP_LINK_ACCEPTED) {
        return;
    }
    bool in_flight = base->sending ? tcp_sender_in_flight(&link->sender)
                                   : tcp_receiver_in_flight(&link->receiver);
    if (in_flight) {
        end_cancelled(link, "closed with blocks in flight");
        return;
    }
    begin_closing(link);
    finish_close(link);
}

const struct link_ops tcp_link_ops = {
    .transport = HAUL_TRANSPORT_TCP,
    .connect = tcp_connect,
    .pool = tcp_pool,
    .submit = tcp_submit,
    .release = tcp_release,
    .note_applied = tcp_note_applied,
    .describe = tcp_describe,
    .bind = tcp_bind,
    .poll = tcp_poll,
    .arm = tcp_arm,
    .fd = tcp_fd,
    .deadline_ns = tcp_deadline_ns,
    .close = tcp_close,
    .destroy = tcp_destroy,
    .listen = tcp_listen,
};
