/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tls_client.c — what a false server makes of a client with a key, and what somebody on the
 * path makes of the bytes of a true one, in the handshake and after it.
 *
 *   u8 flags (enum flags) | u8 bytes of a message | RAW: the server's bytes; otherwise: changes
 *   (tls_script.h) to what the server sends, changes to what the client sends
 *
 * Without the key the client's side of the connection is one ClientHello and perhaps an alert. With
 * it each side reads a beginning of what the other has written, or nothing. */
#include <stdlib.h>
#include <string.h>

#include "tls_script.h"

enum flags {
    RAW = 1 << 0,
    WRONG_KEY = 1 << 1,
    END = 1 << 2, /* both announce their end behind the messages */
};

enum {
    CLIENT,
    SERVER,
    END_COUNT,
    TURNS_MAX = 4,
    MESSAGES = 5,
    ALERT_BYTES = 7,
    ALERT = 0x15,
    CLIENT_HELLO = 0x01,
};

struct end {
    struct haul_keys *keys;
    struct tls_context *context;
    struct tls_stream *stream;
    enum haul_status status;
    struct tls_changes changes; /* to what it sends */
    size_t sent;
    bool changed;
    bool broken; /* it has met a changed record */
};

struct conversation {
    struct end ends[END_COUNT];
    uint8_t first[TLS_STREAM_HELLO_BYTES_MAX]; /* of the client's bytes */
};

static void end_init(struct end *end, enum tls_role role, uint8_t fill)
{
    end->keys = tls_script_keys("ours", fill);
    end->status = HAUL_AGAIN;
    expect_status(tls_context_create(role, end->keys, &end->context, NULL), HAUL_OK);
    expect_status(tls_stream_create(end->context, &end->stream, NULL), HAUL_OK);
}

static void end_fini(struct end *end)
{
    tls_stream_destroy(end->stream);
    tls_context_destroy(end->context);
    haul_keys_destroy(end->keys);
}

static void handshake(struct end *end)
{
    struct haul_error error;
    if (end->status == HAUL_AGAIN) {
        end->status = tls_stream_handshake(end->stream, &error);
        haul_assert(end->status == HAUL_OK || end->status == HAUL_AGAIN ||
                    end->status == HAUL_AUTH);
    }
}

/* Move what one end has to send to the other, if there is one, changed on its way. */
static void carry(struct conversation *talk, size_t from, struct end *to)
{
    struct end *end = &talk->ends[from];
    struct haul_slice output = tls_stream_output(end->stream);
    uint8_t *bytes = malloc(output.size + 1);
    haul_assert(bytes != NULL);
    if (output.size > 0) {
        memcpy(bytes, output.data, output.size);
    }
    size_t room = end->sent < sizeof(talk->first) ? sizeof(talk->first) - end->sent : 0;
    if (from == CLIENT && room > 0 && output.size > 0) {
        memcpy(talk->first + end->sent, bytes, output.size < room ? output.size : room);
    }
    end->changed |= tls_changes_apply(&end->changes, end->sent, bytes, output.size);
    end->sent += output.size;
    if (to != NULL) {
        expect_status(tls_stream_feed(to->stream, slice_of(bytes, output.size)), HAUL_OK);
    }
    tls_stream_sent(end->stream, output.size);
    free(bytes);
}

/* A ClientHello, and perhaps an alert. */
static void check_little_was_said(const struct conversation *talk)
{
    const uint8_t *bytes = talk->first;
    size_t sent = talk->ends[CLIENT].sent;
    haul_assert(sent > TLS_RECORD_HEAD_BYTES && bytes[0] == TLS_RECORD_HANDSHAKE);
    haul_assert(bytes[TLS_RECORD_HEAD_BYTES] == CLIENT_HELLO);
    size_t hello = TLS_RECORD_HEAD_BYTES + ((size_t)bytes[3] << 8 | bytes[4]);
    haul_assert(hello <= TLS_STREAM_HELLO_BYTES_MAX);
    haul_assert(sent == hello || (sent == hello + ALERT_BYTES && bytes[hello] == ALERT));
}

static void try_raw(struct conversation *talk, struct cursor *input)
{
    struct end *client = &talk->ends[CLIENT];
    handshake(client);
    carry(talk, CLIENT, NULL);
    size_t size = cursor_left(input);
    expect_status(tls_stream_feed(client->stream, cursor_slice(input, size)), HAUL_OK);
    handshake(client);
    haul_assert(client->status != HAUL_OK);
    handshake(client);
    carry(talk, CLIENT, NULL);
    check_little_was_said(talk);
}

/* All that can be read is what was written; after a failure nothing is. */
static void check_reading(struct end *end, const uint8_t *written, size_t size, bool changed)
{
    uint8_t got[1024];
    size_t at = 0;
    size_t piece = 0;
    enum haul_status status;
    while ((status = tls_stream_read(end->stream, got, sizeof(got), &piece)) == HAUL_OK) {
        haul_assert(piece <= size - at && memcmp(got, written + at, piece) == 0);
        at += piece;
    }
    haul_assert(status == HAUL_AGAIN || status == HAUL_CLOSED || status == HAUL_CORRUPT);
    haul_assert(changed || (at == size && status != HAUL_CORRUPT));
    end->broken = status == HAUL_CORRUPT;
    if (end->broken) {
        expect_status(tls_stream_read(end->stream, got, sizeof(got), &piece), HAUL_CORRUPT);
        haul_assert(piece == 0);
    }
}

static void exchange(struct conversation *talk, unsigned flags, size_t size)
{
    static uint8_t message[UINT8_MAX * MESSAGES];
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (uint8_t)(i * 31 + i / 7);
    }
    for (size_t from = 0; from < END_COUNT; from++) {
        struct end *end = &talk->ends[from];
        struct end *other = &talk->ends[1 - from];
        for (size_t i = 0; i < MESSAGES; i++) {
            enum haul_status written =
                tls_stream_write(end->stream, slice_of(message + i * size, size));
            expect_status(written, end->broken ? HAUL_CORRUPT : HAUL_OK);
            carry(talk, from, other);
        }
        if ((flags & END) != 0) {
            tls_stream_end(end->stream);
            carry(talk, from, other);
        }
        /* The end that notices a change sends an alert, too. */
        check_reading(other, message, MESSAGES * size, end->changed || other->changed);
    }
}

static void try_server(struct conversation *talk, unsigned flags, size_t size)
{
    struct end *client = &talk->ends[CLIENT];
    struct end *server = &talk->ends[SERVER];
    end_init(server, TLS_ACCEPTS, (flags & WRONG_KEY) != 0 ? 2 : 1);
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        handshake(client);
        carry(talk, CLIENT, server);
        handshake(server);
        carry(talk, SERVER, client);
    }
    bool open = client->status == HAUL_OK && server->status == HAUL_OK;
    if ((flags & WRONG_KEY) != 0) {
        haul_assert(client->status != HAUL_OK && server->status != HAUL_OK);
        check_little_was_said(talk);
    }
    haul_assert(open || (flags & WRONG_KEY) != 0 || client->changed || server->changed);
    if (open) {
        haul_assert(tls_script_same(client->stream, server->stream));
        exchange(talk, flags, size);
    }
    end_fini(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    unsigned flags = cursor_u8(&input);
    size_t message_bytes = cursor_u8(&input);
    struct conversation talk = {0};
    end_init(&talk.ends[CLIENT], TLS_CONNECTS, 1);
    if ((flags & RAW) != 0) {
        try_raw(&talk, &input);
    } else {
        talk.ends[SERVER].changes = tls_changes_take(&input);
        talk.ends[CLIENT].changes = tls_changes_take(&input);
        try_server(&talk, flags, message_bytes);
    }
    end_fini(&talk.ends[CLIENT]);
    return 0;
}
