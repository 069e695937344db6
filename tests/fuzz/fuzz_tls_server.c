/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tls_server.c — what a listener with a key receives before it knows who is there.
 *
 *   u8 flags (enum flags) | u8 bytes a segment (0: all) | RAW: the bytes; otherwise: changes
 *   (tls_script.h) to what a client sends, which is a handshake and a preamble
 *
 * Nobody without the key gets in as a control connection, or gets any answer but the refusal or the
 * 64 bytes of a plain one. Who gets in has had the same conversation as the listener. */
#include <stdlib.h>
#include <sys/epoll.h>

#include "raw_peer.h"
#include "tcp_pending.h"
#include "tcp_socket.h"
#include "tls_script.h"

enum flags {
    RAW = 1 << 0,
    WRONG_KEY = 1 << 1,
    UNKNOWN_ID = 1 << 2,
    CLOSE = 1 << 3, /* at the end, instead of silence */
};

enum {
    RAW_BYTES_MAX = 8 << 10,
    ANSWER_BYTES_MAX = 4 << 10,
    TURNS_MAX = 6,
    OURS_FILL = 1,
    OTHER_FILL = 2
};

struct listening {
    struct fake_clock fake;
    struct link_config config;
    struct haul_keys *keys;
    struct tcp_pending_table table;
    int peer; /* the stranger's end */
};

/* Thread: one; too large for the stack. */
static struct listening listening;

static struct tcp_pending *place(void)
{
    return &listening.table.places[0];
}

static bool is_waiting(void)
{
    return place()->state == TCP_PENDING_READING || place()->state == TCP_PENDING_SECURING;
}

static void begin(void)
{
    int fds[2];
    memset(&listening, 0, sizeof(listening));
    fake_clock_init(&listening.fake);
    listening.keys = tls_script_keys("ours", OURS_FILL);
    listening.config = (struct link_config){.clock = &listening.fake.clock};
    listening.config.options.peer_timeout_ms = HAUL_PEER_TIMEOUT_MS_MIN;
    listening.table.config = &listening.config;
    listening.table.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    expect_status(tls_context_create(TLS_ACCEPTS, listening.keys, &listening.table.tls, NULL),
                  HAUL_OK);
    bool connected = raw_pair(fds);
    haul_assert(connected && listening.table.epoll_fd >= 0);
    expect_status(tcp_socket_configure(fds[0], RAW_PEER_WAIT_MS, NULL), HAUL_OK); /* no delay */
    listening.peer = fds[0];
    tcp_pending_admit(&listening.table, fds[1]);
}

static void end(void)
{
    tcp_socket_forget(listening.peer);
    (void)close(listening.peer);
    tcp_pending_fini(&listening.table);
    tls_context_destroy(listening.table.tls);
    haul_keys_destroy(listening.keys);
    (void)close(listening.table.epoll_fd);
}

/* Send the bytes in segments, which the listener reads one by one. */
static void send_all(const uint8_t *bytes, size_t size, size_t segment)
{
    while (size > 0 && is_waiting()) {
        size_t part = segment == 0 || segment > size ? size : segment;
        if (!raw_write(listening.peer, bytes, part)) {
            return;
        }
        (void)raw_wait(place()->socket.fd, POLLIN);
        tcp_pending_read(&listening.table, place());
        haul_assert(!is_waiting() || place()->received_bytes <= sizeof(place()->hello));
        bytes += part;
        size -= part;
    }
}

/* What the listener has sent so far. */
static size_t receive(uint8_t *answer)
{
    ssize_t size = recv(listening.peer, answer, ANSWER_BYTES_MAX, MSG_DONTWAIT);
    return size > 0 ? (size_t)size : 0;
}

/* The connection ends by itself when its time is over. */
static void expire(void)
{
    listening.fake.now_ns += (uint64_t)TCP_PREAMBLE_TIMEOUT_MS * NS_PER_MS;
    tcp_pending_expire(&listening.table);
    haul_assert(!is_waiting() && listening.table.waiting_count == 0);
}

static bool is_refusal(const uint8_t *answer, size_t size)
{
    struct haul_slice refusal = tls_refusal();
    return size == refusal.size && memcmp(answer, refusal.data, size) == 0;
}

/* No key anywhere: bytes of somebody who knows the protocol. */
static void try_raw(struct cursor *input, unsigned flags, size_t segment)
{
    uint8_t answer[ANSWER_BYTES_MAX];
    size_t size = cursor_left(input);
    size = size < RAW_BYTES_MAX ? size : RAW_BYTES_MAX;
    send_all(cursor_take(input, size), size, segment);
    if ((flags & CLOSE) != 0 && is_waiting()) {
        (void)shutdown(listening.peer, SHUT_WR);
        (void)raw_wait(place()->socket.fd, POLLIN);
        tcp_pending_read(&listening.table, place());
        haul_assert(!is_waiting());
    }
    haul_assert(place()->state != TCP_PENDING_READY || place()->purpose == TCP_DATA);
    haul_assert(place()->socket.tls == NULL || place()->state != TCP_PENDING_READY);
    size_t got = receive(answer);
    if (got > 0 && !is_refusal(answer, got)) {
        enum haul_status status;
        uint16_t versions[2];
        haul_assert(got == TCP_PREAMBLE_BYTES);
        expect_status(tcp_answer_decode(answer, &status, &versions[0], &versions[1]), HAUL_OK);
        haul_assert(status != HAUL_OK);
    }
}

struct client {
    struct haul_keys *keys;
    struct tls_context *context;
    struct tls_stream *stream;
    struct tls_changes changes;
    enum haul_status status;
    size_t sent;
    bool changed;
};

/* Send what the client has to say, changed on its way. */
static void carry(struct client *client, size_t segment)
{
    struct haul_slice output = tls_stream_output(client->stream);
    uint8_t *bytes = malloc(output.size + 1);
    haul_assert(bytes != NULL);
    if (output.size > 0) {
        memcpy(bytes, output.data, output.size);
    }
    client->changed |= tls_changes_apply(&client->changes, client->sent, bytes, output.size);
    client->sent += output.size;
    send_all(bytes, output.size, segment);
    tls_stream_sent(client->stream, output.size);
    free(bytes);
}

static void check_admitted(const struct client *client, unsigned flags)
{
    bool holds_key = (flags & (WRONG_KEY | UNKNOWN_ID)) == 0;
    bool admitted = place()->state == TCP_PENDING_READY;
    haul_assert(!admitted || (holds_key && client->status == HAUL_OK));
    haul_assert(!admitted || tls_script_same(client->stream, place()->socket.tls));
    haul_assert(!admitted || place()->ticket.index == 7);
    haul_assert(admitted || !holds_key || client->changed);
}

static void try_client(struct cursor *input, unsigned flags, size_t segment)
{
    uint8_t answer[ANSWER_BYTES_MAX];
    uint8_t preamble[TCP_PREAMBLE_BYTES];
    struct haul_error error;
    const struct link_ticket ticket = {.index = 7};
    struct client client = {.changes = tls_changes_take(input), .status = HAUL_AGAIN};
    client.keys = tls_script_keys((flags & UNKNOWN_ID) != 0 ? "nobody" : "ours",
                                  (flags & WRONG_KEY) != 0 ? OTHER_FILL : OURS_FILL);
    expect_status(tls_context_create(TLS_CONNECTS, client.keys, &client.context, NULL), HAUL_OK);
    expect_status(tls_stream_create(client.context, &client.stream, NULL), HAUL_OK);
    for (int turn = 0; turn < TURNS_MAX && client.status == HAUL_AGAIN; turn++) {
        client.status = tls_stream_handshake(client.stream, &error);
        carry(&client, segment);
        size_t got = receive(answer);
        haul_assert((flags & (WRONG_KEY | UNKNOWN_ID)) == 0 || got == 0 || is_refusal(answer, got));
        expect_status(tls_stream_feed(client.stream, slice_of(answer, got)), HAUL_OK);
    }
    if (client.status == HAUL_OK) {
        tcp_preamble_encode(TCP_CONTROL, &ticket, preamble);
        expect_status(tls_stream_write(client.stream, slice_of(preamble, sizeof(preamble))),
                      HAUL_OK);
        carry(&client, segment);
    }
    check_admitted(&client, flags);
    tls_stream_destroy(client.stream);
    tls_context_destroy(client.context);
    haul_keys_destroy(client.keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    unsigned flags = cursor_u8(&input);
    size_t segment = cursor_u8(&input);
    begin();
    if ((flags & RAW) != 0) {
        try_raw(&input, flags, segment);
    } else {
        try_client(&input, flags, segment);
    }
    expire();
    end();
    return 0;
}
