/* SPDX-License-Identifier: Apache-2.0 */
/* control_channel.c — framed messages over one non-blocking TCP connection.
 *
 *   CONNECTING --on_connecting: answered OK----------------> OPEN
 *   any        --fail: breach, broken, silent, refused-----> ENDED
 *   ENDED      --control_channel_poll: CLOSED reported-----> REPORTED
 *
 * Invariants:
 *  1. `in` holds whole unread bytes of the stream; the frame at its front is parsed only when the
 *     previous message is done with, so a limit raised by control_channel_trust applies to the
 *     very next frame.
 *  2. `in` grows only for a frame head that is within the limit in force.
 *  3. `out` never holds more than CONTROL_SEND_QUEUE_BYTES_MAX; a keep-alive is queued only when
 *     it is empty.
 *  4. The socket stays open until destroy, so that an epoll set can drop its number first. */
#include "control_channel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "byte_queue.h"
#include "clock.h"
#include "crc32c.h"
#include "link_ops.h"
#include "planted_bug.h"
#include "tcp_handshake.h"
#include "tcp_preamble.h"
#include "tcp_socket.h"

#define FRAME_MAGIC UINT32_C(0x4c544348) /* "HCTL" */

enum {
    MAGIC_AT = 0,
    TYPE_AT = 4,
    RESERVED_AT = 6,
    SIZE_AT = 8,
    CRC_AT = 12,
    /* Keep-alives go out this many times in one peer_timeout. */
    KEEPALIVES_PER_TIMEOUT = 3,
    /* After the first peer_timeout, a message must arrive at least at this rate. */
    MESSAGE_BYTES_PER_SECOND_MIN = 64 << 10,
    /* Unread bytes that destroy reads from the socket, so that closing sends an end, not a
     * reset. */
    DRAIN_READS_MAX = 16,
};

enum control_state {
    CONTROL_STATE_CONNECTING, /* the handshake runs */
    CONTROL_STATE_OPEN,       /* messages flow */
    CONTROL_STATE_ENDED,      /* CLOSED must be reported */
    CONTROL_STATE_REPORTED,   /* no more events */
};

struct control_channel {
    enum control_state state;
    struct link_config config;
    struct tls_socket socket;
    struct tcp_handshake handshake;
    struct link_address peer;
    bool trusted;
    struct byte_queue in;
    size_t lent_bytes; /* the frame at the front of `in` that the last event points into */
    struct byte_queue out;
    bool deaf; /* sending failed, see `error`: only earlier messages are left to read */
    uint32_t shorter_timeout_ms; /* of the peer's and ours */
    uint64_t heard_ns;
    uint64_t begun_ns; /* since when the rest of a message has been awaited; 0: not awaited */
    uint64_t said_ns;
    struct haul_error error; /* of the CLOSED event */
};

/* --- endings -------------------------------------------------------------------------------- */

static void end(struct control_channel *channel)
{
    channel->state = CONTROL_STATE_ENDED;
}

static void fail_silent(struct control_channel *channel)
{
    (void)haul_error_set(&channel->error, HAUL_TIMEOUT, "", 0, "the peer sent nothing for %u ms",
                         channel->config.options.peer_timeout_ms);
    end(channel);
}

static void fail_unfinished(struct control_channel *channel)
{
    (void)haul_error_set(&channel->error, HAUL_TIMEOUT, "", 0,
                         "the peer began a message and did not finish it");
    end(channel);
}

/* --- sending -------------------------------------------------------------------------------- */

/* A peer that broke the connection may have sent the reason first: read its messages to the end
 * before the failure counts. */
static void flush(struct control_channel *channel)
{
    struct byte_queue *out = &channel->out;
    enum haul_status status = channel->deaf ? HAUL_CLOSED : HAUL_OK;
    while (status == HAUL_OK && byte_queue_size(out) > 0) {
        size_t sent = 0;
        status = tls_socket_send(&channel->socket, out->bytes + out->begin, byte_queue_size(out),
                                 &sent, &channel->error);
        byte_queue_drop(out, sent);
        channel->said_ns = sent > 0 ? clock_now_ns(channel->config.clock) : channel->said_ns;
    }
    if (status == HAUL_OK) {
        status = tls_socket_flush(&channel->socket, &channel->error);
    }
    channel->deaf = status != HAUL_OK && status != HAUL_AGAIN;
}

static enum haul_status append_frame(struct control_channel *channel, uint16_t type,
                                     const void *body, size_t size_bytes)
{
    struct byte_queue *out = &channel->out;
    size_t total = byte_queue_size(out) + CONTROL_FRAME_BYTES + size_bytes;
    if (total > CONTROL_SEND_QUEUE_BYTES_MAX) {
        return HAUL_AGAIN;
    }
    if (byte_queue_reserve(out, total) != HAUL_OK) {
        return HAUL_AGAIN;
    }
    uint8_t *head = out->bytes + out->end;
    put_u32(head + MAGIC_AT, FRAME_MAGIC);
    put_u16(head + TYPE_AT, type);
    put_u16(head + RESERVED_AT, 0);
    put_u32(head + SIZE_AT, (uint32_t)size_bytes);
    put_u32(head + CRC_AT, 0);
    if (size_bytes > 0) {
        memcpy(head + CONTROL_FRAME_BYTES, body, size_bytes);
    }
    put_u32(head + CRC_AT, crc32c(head, CONTROL_FRAME_BYTES + size_bytes));
    out->end += CONTROL_FRAME_BYTES + size_bytes;
    return HAUL_OK;
}

static uint64_t keepalive_due_ns(const struct control_channel *channel)
{
    uint64_t timeout_ns = channel->shorter_timeout_ms * (uint64_t)NS_PER_MS;
    return channel->said_ns + timeout_ns / KEEPALIVES_PER_TIMEOUT;
}

/* Bytes that wait for the kernel replace a keep-alive. */
static void keep_alive(struct control_channel *channel)
{
    if (byte_queue_size(&channel->out) == 0 &&
        clock_now_ns(channel->config.clock) >= keepalive_due_ns(channel)) {
        (void)!append_frame(channel, CONTROL_TYPE_KEEPALIVE, NULL, 0);
    }
}

/* --- receiving ------------------------------------------------------------------------------ */

static size_t body_limit(const struct control_channel *channel)
{
    return channel->trusted ? CONTROL_BODY_BYTES_MAX : CONTROL_BODY_BYTES_MAX_UNTRUSTED;
}

static enum haul_status check_head(const struct control_channel *channel, const uint8_t *head,
                                   struct haul_error *error)
{
    if (get_u32(head + MAGIC_AT) != FRAME_MAGIC || get_u16(head + RESERVED_AT) != 0) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer sent bytes that are not a message");
    }
    uint32_t size_bytes = get_u32(head + SIZE_AT);
    if (size_bytes > body_limit(channel)) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer sent a message of %u bytes, at most %zu are allowed",
                              size_bytes, body_limit(channel));
    }
    return HAUL_OK;
}

static bool is_sound(uint8_t *frame, size_t frame_bytes)
{
    uint32_t expected = get_u32(frame + CRC_AT);
    put_u32(frame + CRC_AT, 0);
    return crc32c(frame, frame_bytes) == expected;
}

/* Is a whole frame at the front? Returns its size, or 0 if it is incomplete. Makes room for the
 * rest. */
static enum haul_status front_frame(struct control_channel *channel, size_t *frame_bytes,
                                    struct haul_error *error)
{
    struct byte_queue *in = &channel->in;
    *frame_bytes = 0;
    if (byte_queue_size(in) < CONTROL_FRAME_BYTES) {
        return HAUL_OK;
    }
    uint8_t *head = in->bytes + in->begin;
    enum haul_status status = check_head(channel, head, error);
    if (status != HAUL_OK) {
        return status;
    }
    size_t wanted = CONTROL_FRAME_BYTES + (size_t)get_u32(head + SIZE_AT);
    if (byte_queue_size(in) < wanted) {
        if (byte_queue_reserve(in, wanted) != HAUL_OK) {
            return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0,
                                  "no memory for a message of %zu bytes", wanted);
        }
        return HAUL_OK;
    }
    if (!is_sound(head, wanted)) {
        return haul_error_set(error, HAUL_CORRUPT, "", 0, "the peer sent a damaged message");
    }
    *frame_bytes = wanted;
    return HAUL_OK;
}

/* Read what fits after the bytes in `in`. */
static enum haul_status fill(struct control_channel *channel, struct haul_error *error)
{
    struct byte_queue *in = &channel->in;
    if (byte_queue_reserve(in, CONTROL_FRAME_BYTES) != HAUL_OK) {
        return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for messages");
    }
    size_t received = 0;
    enum haul_status status = tls_socket_receive(&channel->socket, in->bytes + in->end,
                                                 in->capacity - in->end, &received, error);
    if (status == HAUL_OK) {
        in->end += received;
        channel->heard_ns = clock_now_ns(channel->config.clock);
    } else if (status == HAUL_CLOSED && error->code == 0 && byte_queue_size(in) > 0) {
        return haul_error_set(error, HAUL_CLOSED, "", 0,
                              "the peer closed the connection in the middle of a message");
    }
    return status;
}

/* Take frames until one is a message. OK: `event` is filled. Errors: AGAIN; errors that end the
 * channel. */
static enum haul_status receive(struct control_channel *channel, struct control_event *event,
                                struct haul_error *error)
{
    struct byte_queue *in = &channel->in;
    byte_queue_drop(in, channel->lent_bytes);
    channel->lent_bytes = 0;
    for (;;) {
        size_t frame_bytes;
        enum haul_status status = front_frame(channel, &frame_bytes, error);
        if (status == HAUL_OK && frame_bytes == 0) {
            status = fill(channel, error);
            if (status == HAUL_OK) {
                continue;
            }
        }
        if (status != HAUL_OK) {
            return status;
        }
        channel->begun_ns = HAUL_PLANTED_BUG(MESSAGE_CLOCK_KEPT) ? channel->begun_ns : 0;
        const uint8_t *frame = in->bytes + in->begin;
        if (get_u16(frame + TYPE_AT) == CONTROL_TYPE_KEEPALIVE) {
            byte_queue_drop(in, frame_bytes);
            continue;
        }
        channel->lent_bytes = frame_bytes;
        event->type = CONTROL_MESSAGE;
        event->message_type = get_u16(frame + TYPE_AT);
        event->body = slice_of(frame + CONTROL_FRAME_BYTES, frame_bytes - CONTROL_FRAME_BYTES);
        return HAUL_OK;
    }
}

/* --- one dispatch ---------------------------------------------------------------------------- */

static bool on_connecting(struct control_channel *channel, struct control_event *event)
{
    enum haul_status status =
        tcp_handshake_step(&channel->handshake, &channel->socket, &channel->error);
    if (status == HAUL_AGAIN) {
        return false;
    }
    if (status != HAUL_OK) {
        end(channel);
        return false;
    }
    channel->state = CONTROL_STATE_OPEN;
    channel->heard_ns = clock_now_ns(channel->config.clock);
    channel->said_ns = channel->heard_ns;
    event->type = CONTROL_CONNECTED;
    return true;
}

static uint64_t silence_ends_ns(const struct control_channel *channel)
{
    return channel->heard_ns + channel->config.options.peer_timeout_ms * (uint64_t)NS_PER_MS;
}

/* With a damaged size, the channel waits for bytes that the peer never sends. Keep-alives then
 * count as those bytes, so the checksum fails only at the end. That is why the end has a deadline
 * that depends on the size. */
static uint64_t message_ends_ns(const struct control_channel *channel)
{
    const struct byte_queue *in = &channel->in;
    if (channel->begun_ns == 0) {
        return CLOCK_NEVER;
    }
    uint64_t bytes =
        byte_queue_size(in) < CONTROL_FRAME_BYTES ? 0 : get_u32(in->bytes + in->begin + SIZE_AT);
    return channel->begun_ns + channel->config.options.peer_timeout_ms * (uint64_t)NS_PER_MS +
           bytes * NS_PER_S / MESSAGE_BYTES_PER_SECOND_MIN;
}

/* Called when nothing more can be read now. */
static void judge(struct control_channel *channel)
{
    uint64_t now_ns = clock_now_ns(channel->config.clock);
    if (now_ns >= silence_ends_ns(channel)) {
        fail_silent(channel);
    } else if (byte_queue_size(&channel->in) > 0 && channel->begun_ns == 0) {
        channel->begun_ns = now_ns;
    } else if (now_ns >= message_ends_ns(channel)) {
        fail_unfinished(channel);
    }
}

/* Read before judging the peer's silence: this side itself may be late. */
static bool on_open(struct control_channel *channel, struct control_event *event)
{
    keep_alive(channel);
    flush(channel);
    struct haul_error error;
    enum haul_status status = receive(channel, event, &error);
    if (status == HAUL_OK) {
        return true;
    }
    if (channel->deaf) {
        end(channel);
    } else if (status != HAUL_AGAIN) {
        channel->error = error;
        end(channel);
    } else {
        judge(channel);
    }
    return false;
}

bool control_channel_poll(struct control_channel *channel, struct control_event *event)
{
    *event = (struct control_event){.body = slice_of(NULL, 0)};
    bool found = false;
    if (channel->state == CONTROL_STATE_CONNECTING) {
        found = on_connecting(channel, event);
    } else if (channel->state == CONTROL_STATE_OPEN) {
        found = on_open(channel, event);
    }
    if (!found && channel->state == CONTROL_STATE_ENDED) {
        channel->state = CONTROL_STATE_REPORTED;
        event->type = CONTROL_CLOSED;
        event->error = channel->error;
        found = true;
    }
    return found;
}

/* --- making and unmaking --------------------------------------------------------------------- */

static enum haul_status create(const struct link_config *config, enum control_state state,
                               struct control_channel **channel, struct haul_error *error)
{
    struct control_channel *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a channel");
    }
    enum haul_status status = link_config_resolve(config, &made->config, error);
    if (status == HAUL_OK &&
        byte_queue_reserve(&made->in, CONTROL_FRAME_BYTES + CONTROL_BODY_BYTES_MAX_UNTRUSTED) !=
            HAUL_OK) {
        status = haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for a channel");
    }
    made->socket = (struct tls_socket){.fd = -1};
    made->state = state;
    made->shorter_timeout_ms = made->config.options.peer_timeout_ms;
    if (status != HAUL_OK) {
        control_channel_destroy(made);
        return status;
    }
    made->heard_ns = clock_now_ns(made->config.clock);
    made->said_ns = made->heard_ns;
    *channel = made;
    return HAUL_OK;
}

enum haul_status control_channel_connect(const struct link_address *address,
                                         const struct link_ticket *ticket,
                                         const struct link_config *config,
                                         struct control_channel **channel, struct haul_error *error)
{
    struct control_channel *made = NULL;
    enum haul_status status = create(config, CONTROL_STATE_CONNECTING, &made, error);
    if (status != HAUL_OK) {
        return status;
    }
    int fd = -1;
    status = tcp_socket_connect(address, made->config.options.peer_timeout_ms, &fd, error);
    if (status == HAUL_OK) {
        status = tls_socket_open(&made->socket, fd, made->config.keys, made->config.host, error);
    }
    if (status != HAUL_OK) {
        control_channel_destroy(made);
        return status;
    }
    made->peer = *address;
    tcp_handshake_init(&made->handshake, address, TCP_CONTROL, ticket, &made->config);
    *channel = made;
    return HAUL_OK;
}

enum haul_status control_channel_adopt(struct tls_socket socket, const struct link_config *config,
                                       struct control_channel **channel, struct haul_error *error)
{
    struct control_channel *made = NULL;
    enum haul_status status = create(config, CONTROL_STATE_OPEN, &made, error);
    if (status != HAUL_OK) {
        tls_socket_close(&socket);
        return status;
    }
    made->socket = socket;
    tcp_socket_peer(socket.fd, &made->peer);
    *channel = made;
    return HAUL_OK;
}

void control_channel_note_peer_timeout(struct control_channel *channel, uint32_t peer_timeout_ms)
{
    if (peer_timeout_ms >= HAUL_PEER_TIMEOUT_MS_MIN &&
        peer_timeout_ms < channel->shorter_timeout_ms) {
        channel->shorter_timeout_ms = peer_timeout_ms;
    }
}

void control_channel_trust(struct control_channel *channel)
{
    channel->trusted = true;
}

enum haul_status control_channel_send(struct control_channel *channel, uint16_t type,
                                      const void *body, size_t size_bytes)
{
    if (size_bytes > CONTROL_BODY_BYTES_MAX || type == CONTROL_TYPE_KEEPALIVE) {
        return HAUL_INVALID;
    }
    if (channel->state > CONTROL_STATE_OPEN || channel->deaf) {
        return HAUL_CLOSED;
    }
    enum haul_status status = append_frame(channel, type, body, size_bytes);
    if (status == HAUL_OK && channel->state == CONTROL_STATE_OPEN) {
        flush(channel);
    }
    return status;
}

size_t control_channel_pending_bytes(const struct control_channel *channel)
{
    return byte_queue_size(&channel->out) + (tls_socket_has_output(&channel->socket)
                                                 ? tls_stream_output(channel->socket.tls).size
                                                 : 0);
}

uint32_t control_channel_round_trip_us(const struct control_channel *channel)
{
    return tcp_socket_round_trip_us(channel->socket.fd);
}

void control_channel_local(const struct control_channel *channel, struct link_address *local)
{
    tcp_socket_local(channel->socket.fd, local);
}

bool control_channel_is_secret(const struct control_channel *channel)
{
    return channel->socket.tls != NULL;
}

enum haul_status control_channel_export(const struct control_channel *channel, const char *label,
                                        struct haul_slice context, void *to, size_t size_bytes)
{
    return channel->socket.tls == NULL || channel->state != CONTROL_STATE_OPEN
               ? HAUL_INVALID
               : tls_stream_export(channel->socket.tls, label, context, to, size_bytes);
}

int control_channel_fd(const struct control_channel *channel)
{
    return channel->socket.fd;
}

uint32_t control_channel_interest(const struct control_channel *channel)
{
    switch (channel->state) {
    case CONTROL_STATE_CONNECTING:
        return tcp_handshake_interest(&channel->handshake, &channel->socket);
    case CONTROL_STATE_OPEN:
        return EPOLLIN |
               (control_channel_pending_bytes(channel) > 0 && !channel->deaf ? EPOLLOUT : 0u);
    case CONTROL_STATE_ENDED:
    case CONTROL_STATE_REPORTED:
        break;
    }
    return 0;
}

uint64_t control_channel_deadline_ns(const struct control_channel *channel)
{
    switch (channel->state) {
    case CONTROL_STATE_CONNECTING:
        return channel->handshake.deadline_ns;
    case CONTROL_STATE_OPEN: {
        uint64_t silence_ns = silence_ends_ns(channel);
        uint64_t message_ns = message_ends_ns(channel);
        silence_ns = message_ns < silence_ns ? message_ns : silence_ns;
        uint64_t keepalive_ns = keepalive_due_ns(channel);
        bool idle = byte_queue_size(&channel->out) == 0;
        return idle && keepalive_ns < silence_ns ? keepalive_ns : silence_ns;
    }
    case CONTROL_STATE_ENDED:
        return 0;
    case CONTROL_STATE_REPORTED:
        break;
    }
    return CLOCK_NEVER;
}

void control_channel_peer(const struct control_channel *channel, struct link_address *peer)
{
    *peer = channel->peer;
}

/* Send the queued messages and read what the peer sent, both to their ends: closing a socket with
 * unread bytes would reset the connection and could discard our own last messages. */
static void part(struct control_channel *channel)
{
    flush(channel);
    tls_socket_end(&channel->socket);
    struct haul_error ignored;
    uint8_t unread[1024];
    const struct iovec room = {.iov_base = unread, .iov_len = sizeof(unread)};
    enum haul_status status = HAUL_OK;
    for (int i = 0; i < DRAIN_READS_MAX && status == HAUL_OK; i++) {
        size_t received;
        status = tcp_socket_receive(channel->socket.fd, &room, 1, &received, &ignored);
    }
}

void control_channel_destroy(struct control_channel *channel)
{
    if (channel == NULL) {
        return;
    }
    if (channel->socket.fd >= 0 && channel->state == CONTROL_STATE_OPEN) {
        part(channel);
    }
    tls_socket_close(&channel->socket);
    byte_queue_fini(&channel->in);
    byte_queue_fini(&channel->out);
    free(channel);
}
