/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_control_frame.c — the bytes of a control connection, and a reference reader that determines
 * the expected messages.
 *
 *   u8 flags (enum flags) | u8 trust after so many messages | u8 bytes a segment (0: all) | stream
 *
 * Checksums of frames would reject nearly every input, so MEND writes valid ones. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "assertion.h"
#include "control_channel.h"
#include "crc32c.h"
#include "fuzz_target.h"
#include "raw_peer.h"

enum flags {
    MEND = 1 << 0,
    TRUST_FROM_START = 1 << 1,
    FALL_SILENT = 1 << 2, /* at the end, instead of closing */
};

enum {
    PEER_TIMEOUT_MS = 3000,
    FRAME_MAGIC = 0x4c544348,
    SEGMENT_BYTES_MAX = 32 << 10,
    STREAM_BYTES_MAX = 256 << 10,
};

/* The expected result: a simpler reader of the same stream. */
struct expectation {
    const uint8_t *at;
    const uint8_t *written_end;
    bool trusted;
    enum haul_status end; /* OK: the stream goes on */
};

struct script {
    struct fake_clock fake;
    struct control_channel *channel;
    int peer;
    unsigned flags;
    unsigned messages_to_trust;
    unsigned messages;
    struct expectation expected;
};

static void mend(uint8_t *stream, size_t size)
{
    for (size_t at = 0; size - at >= CONTROL_FRAME_BYTES;) {
        size_t body = get_u32(stream + at + 8);
        if (body > size - at - CONTROL_FRAME_BYTES) {
            return;
        }
        put_u32(stream + at + 12, 0);
        put_u32(stream + at + 12, crc32c(stream + at, CONTROL_FRAME_BYTES + body));
        at += CONTROL_FRAME_BYTES + body;
    }
}

static bool is_sound(const uint8_t *frame, size_t body)
{
    static const uint8_t no_crc[4];
    uint32_t crc = crc32c_extend(0, frame, 12);
    crc = crc32c_extend(crc, no_crc, sizeof(no_crc));
    return crc32c_extend(crc, frame + CONTROL_FRAME_BYTES, body) == get_u32(frame + 12);
}

/* The next expected message; false: not yet, or never (`end`). */
static bool expect_message(struct expectation *expected, uint16_t *type, struct haul_slice *body)
{
    for (;;) {
        size_t left = (size_t)(expected->written_end - expected->at);
        if (expected->end != HAUL_OK || left < CONTROL_FRAME_BYTES) {
            return false;
        }
        const uint8_t *frame = expected->at;
        size_t size = get_u32(frame + 8);
        size_t size_max =
            expected->trusted ? CONTROL_BODY_BYTES_MAX : CONTROL_BODY_BYTES_MAX_UNTRUSTED;
        if (get_u32(frame) != FRAME_MAGIC || get_u16(frame + 6) != 0 || size > size_max) {
            expected->end = HAUL_PROTOCOL;
            return false;
        }
        if (left - CONTROL_FRAME_BYTES < size) {
            return false;
        }
        if (!is_sound(frame, size)) {
            expected->end = HAUL_CORRUPT;
            return false;
        }
        expected->at += CONTROL_FRAME_BYTES + size;
        *type = get_u16(frame + 4);
        *body = slice_of(frame + CONTROL_FRAME_BYTES, size);
        if (*type != CONTROL_TYPE_KEEPALIVE) {
            return true;
        }
    }
}

static void trust(struct script *script)
{
    control_channel_trust(script->channel);
    script->expected.trusted = true;
}

static void take_message(struct script *script, const struct control_event *event)
{
    uint16_t type;
    struct haul_slice body;
    bool wanted = expect_message(&script->expected, &type, &body);
    haul_assert(wanted && event->message_type == type);
    haul_assert(event->body.size == body.size && slice_compare(event->body, body) == 0);
    if (++script->messages == script->messages_to_trust) {
        trust(script);
    }
    /* Answer as the sessions do: the two directions must not disturb each other. */
    enum haul_status status = control_channel_send(script->channel, type, "answer", 6);
    haul_assert(status == HAUL_OK || status == HAUL_AGAIN || status == HAUL_CLOSED);
}

/* Read everything that has arrived. False: the channel has ended, for the expected reason. */
static bool take_events(struct script *script)
{
    struct control_event event;
    while (control_channel_poll(script->channel, &event)) {
        if (event.type == CONTROL_MESSAGE) {
            take_message(script, &event);
            continue;
        }
        uint16_t type;
        struct haul_slice body;
        bool more = expect_message(&script->expected, &type, &body);
        haul_assert(event.type == CONTROL_CLOSED && !more);
        haul_assert(event.error.text[0] != '\0');
        expect_status(event.error.status, script->expected.end);
        haul_assert(!control_channel_poll(script->channel, &event));
        haul_assert(control_channel_interest(script->channel) == 0);
        return false;
    }
    uint16_t type;
    struct haul_slice body;
    bool more = expect_message(&script->expected, &type, &body);
    haul_assert(!more && script->expected.end == HAUL_OK);
    haul_assert((control_channel_interest(script->channel) & EPOLLIN) != 0);
    return true;
}

/* Nothing else comes: the peer closes or stays silent. */
static void end_stream(struct script *script)
{
    struct expectation *expected = &script->expected;
    if ((script->flags & FALL_SILENT) != 0) {
        fake_clock_advance_ms(&script->fake, PEER_TIMEOUT_MS);
        haul_assert(control_channel_deadline_ns(script->channel) <= script->fake.now_ns);
        expected->end = HAUL_TIMEOUT;
    } else {
        (void)shutdown(script->peer, SHUT_WR);
        expected->end = HAUL_CLOSED;
    }
    bool open = take_events(script);
    haul_assert(!open);
}

static void play(struct script *script, const uint8_t *stream, size_t size, size_t segment)
{
    script->expected.at = stream;
    script->expected.written_end = stream;
    bool open = take_events(script);
    while (open && script->expected.written_end < stream + size) {
        size_t left = (size_t)(stream + size - script->expected.written_end);
        size_t part = segment < left ? segment : left;
        ssize_t sent =
            send(script->peer, script->expected.written_end, part, MSG_NOSIGNAL | MSG_DONTWAIT);
        haul_assert(sent > 0);
        script->expected.written_end += sent;
        open = take_events(script);
    }
    if (open) {
        end_stream(script);
    }
}

static void run(struct cursor *input)
{
    struct script script = {.flags = cursor_u8(input), .messages_to_trust = cursor_u8(input)};
    size_t segment = cursor_u8(input);
    size_t size = cursor_left(input);
    size = size > STREAM_BYTES_MAX ? STREAM_BYTES_MAX : size;
    uint8_t *stream = malloc(size + 1);
    haul_assert(stream != NULL);
    struct haul_slice bytes = cursor_slice(input, size);
    if (size > 0) {
        memcpy(stream, bytes.data, size);
    }
    if ((script.flags & MEND) != 0) {
        mend(stream, size);
    }
    int fds[2];
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
    haul_assert(failed == 0);
    script.peer = fds[0];
    fake_clock_init(&script.fake);
    struct link_config config = {.clock = &script.fake.clock};
    config.options.peer_timeout_ms = PEER_TIMEOUT_MS;
    expect_status(
        control_channel_adopt((struct tls_socket){.fd = fds[1]}, &config, &script.channel, NULL),
        HAUL_OK);
    if ((script.flags & TRUST_FROM_START) != 0) {
        trust(&script);
    }
    play(&script, stream, size, segment == 0 ? SEGMENT_BYTES_MAX : segment);
    control_channel_destroy(script.channel);
    (void)close(script.peer);
    free(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    run(&input);
    return 0;
}
