/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_keys.c — control connections under TLS, from connect to the last message: who is let in,
 * and what the others get to see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "control_channel.h"
#include "haul/key.h"
#include "link_ends.h"
#include "raw_peer.h"
#include "tcp_listener.h"
#include "tcp_preamble.h"
#include "tls_stream.h"

enum { TURNS_MAX = 2000, TURN_MS = 5 };

static const uint8_t tls_alert[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28};

static struct haul_keys *server_keys, *client_keys;
static struct listener *listener;
static struct link_address address;
static struct control_channel *ours, *theirs; /* the connecting side's, the accepting side's */
static struct control_event event;
static uint8_t body[CONTROL_BODY_BYTES_MAX];

static struct haul_keys *keys_of(const char *id, uint8_t fill)
{
    struct haul_key key;
    struct haul_keys *made = NULL;
    memset(&key, 0, sizeof(key));
    (void)snprintf(key.id, sizeof(key.id), "%s", id);
    memset(key.secret, fill, sizeof(key.secret));
    check_or_stop(haul_keys_create(&key, 1, &made, NULL) == HAUL_OK);
    return made;
}

static struct link_config config_of(const struct haul_keys *keys)
{
    struct link_config config = {.keys = keys};
    config.options.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN;
    return config;
}

static void begin(struct haul_keys *accepts)
{
    const struct link_address any = raw_loopback();
    server_keys = accepts;
    const struct link_config config = config_of(server_keys);
    check_or_stop(listener_create(HAUL_TRANSPORT_TCP, &any, &config, &listener, NULL) == HAUL_OK);
    listener_address(listener, &address);
}

static void connect_with(struct haul_keys *keys)
{
    const struct link_ticket ticket = {.index = 3};
    client_keys = keys;
    const struct link_config config = config_of(client_keys);
    check_or_stop(control_channel_connect(&address, &ticket, &config, &ours, NULL) == HAUL_OK);
}

static void end(void)
{
    control_channel_destroy(ours);
    control_channel_destroy(theirs);
    if (listener != NULL) {
        listener_destroy(listener);
    }
    haul_keys_destroy(server_keys);
    haul_keys_destroy(client_keys);
    listener = NULL;
    ours = theirs = NULL;
    server_keys = client_keys = NULL;
}

static void work_listener(void)
{
    struct link_incoming incoming;
    if (listener != NULL && listener_poll(listener, &incoming) == HAUL_OK) {
        check(incoming.control);
        check_equal(incoming.ticket.index, 3);
        struct link_config config = config_of(server_keys);
        check_status(
            control_channel_adopt(tcp_listener_take(listener, &incoming), &config, &theirs, NULL),
            HAUL_OK);
    }
}

/* The next event of the channel, while both sides work. False: none came. */
static bool next(struct control_channel *channel)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        work_listener();
        struct control_channel *other = channel == ours ? theirs : ours;
        struct control_event ignored;
        if (control_channel_poll(channel, &event)) {
            return true;
        }
        if (other != NULL) {
            (void)control_channel_poll(other, &ignored);
        }
        (void)poll(NULL, 0, i < 20 ? 0 : TURN_MS);
    }
    return false;
}

/* Until a sender has got in. */
static void work_until_taken(void)
{
    for (int i = 0; i < TURNS_MAX && theirs == NULL; i++) {
        work_listener();
        (void)poll(NULL, 0, i < 20 ? 0 : TURN_MS);
    }
}

static void open_both(void)
{
    begin(keys_of("a", 1));
    connect_with(keys_of("a", 1));
    check_or_stop(next(ours));
    check_equal(event.type, CONTROL_CONNECTED);
    check_or_stop(theirs != NULL);
}

static void check_message(struct control_channel *from, struct control_channel *to, size_t size)
{
    check_status(control_channel_send(from, 9, body, size), HAUL_OK);
    check_or_stop(next(to));
    check_equal(event.type, CONTROL_MESSAGE);
    check_equal(event.message_type, 9);
    check_equal(event.body.size, size);
    check(event.body.size == size && memcmp(event.body.data, body, size) == 0);
}

static void test_keys__the_same__messages_of_every_size_both_ways(void)
{
    static const size_t sizes[] = {0, 1, 4096, 100000, CONTROL_BODY_BYTES_MAX};
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (uint8_t)(i * 31 + i / 251);
    }
    open_both();
    control_channel_trust(ours);
    control_channel_trust(theirs);
    for (size_t i = 0; i < CHECK_COUNT(sizes); i++) {
        check_message(ours, theirs, sizes[i]);
        check_message(theirs, ours, sizes[i]);
    }
    end();
}

static void test_keys__the_same__the_end_is_orderly(void)
{
    open_both();
    control_channel_destroy(ours);
    ours = NULL;
    check(next(theirs));
    check_equal(event.type, CONTROL_CLOSED);
    check_status(event.error.status, HAUL_CLOSED);
    end();
}

static void check_refused(struct haul_keys *accepts, struct haul_keys *connects)
{
    begin(accepts);
    connect_with(connects);
    check_or_stop(next(ours));
    check_equal(event.type, CONTROL_CLOSED);
    check_status(event.error.status, HAUL_AUTH);
    check(theirs == NULL);
    end();
}

static void test_keys__different_or_on_one_side_only__auth(void)
{
    check_refused(keys_of("a", 1), keys_of("a", 2));
    check_refused(keys_of("a", 1), keys_of("b", 1));
    check_refused(keys_of("a", 1), NULL);
    check_refused(NULL, keys_of("a", 1));
}

/* What the listener answers to these bytes before it closes; at most `size_max`. */
static size_t answer_to(const uint8_t *bytes, size_t size, uint8_t *answer, size_t size_max)
{
    struct link_incoming incoming;
    int fd = raw_connect(&address);
    check_or_stop(fd >= 0 && raw_write(fd, bytes, size));
    size_t got = 0;
    for (int i = 0; i < TURNS_MAX; i++) {
        check_status(listener_poll(listener, &incoming), HAUL_AGAIN);
        ssize_t piece = recv(fd, answer + got, size_max - got, MSG_DONTWAIT);
        if (piece == 0) {
            break;
        }
        got += piece > 0 ? (size_t)piece : 0;
        (void)poll(NULL, 0, i < 20 ? 0 : TURN_MS);
    }
    (void)close(fd);
    return got;
}

/* A ClientHello for this key; its size. */
static size_t hello_of(const char *id, uint8_t fill, uint8_t hello[TLS_STREAM_HELLO_BYTES_MAX])
{
    struct haul_keys *keys = keys_of(id, fill);
    struct tls_context *context = NULL;
    struct tls_stream *stream = NULL;
    struct haul_error error;
    check_or_stop(tls_context_create(TLS_CONNECTS, keys, &context, &error) == HAUL_OK);
    check_or_stop(tls_stream_create(context, &stream, &error) == HAUL_OK);
    check_status(tls_stream_handshake(stream, &error), HAUL_AGAIN);
    struct haul_slice output = tls_stream_output(stream);
    memcpy(hello, output.data, output.size);
    size_t size = output.size;
    tls_stream_destroy(stream);
    tls_context_destroy(context);
    haul_keys_destroy(keys);
    return size;
}

static void test_listener__wrong_key_unknown_id_and_rubbish__one_answer(void)
{
    uint8_t hello[TLS_STREAM_HELLO_BYTES_MAX];
    uint8_t answer[256];
    begin(keys_of("a", 1));
    size_t size = hello_of("a", 2, hello);
    check_equal(answer_to(hello, size, answer, sizeof(answer)), sizeof(tls_alert));
    check(memcmp(answer, tls_alert, sizeof(tls_alert)) == 0);
    size = hello_of("b", 1, hello);
    check_equal(answer_to(hello, size, answer, sizeof(answer)), sizeof(tls_alert));
    check(memcmp(answer, tls_alert, sizeof(tls_alert)) == 0);
    memset(hello + 5, 0x55, sizeof(hello) - 5);
    check_equal(answer_to(hello, size, answer, sizeof(answer)), sizeof(tls_alert));
    check(memcmp(answer, tls_alert, sizeof(tls_alert)) == 0);
    end();
}

static void test_listener__a_hello_without_end__refused_before_it_is_kept(void)
{
    uint8_t hello[TLS_RECORD_HEAD_BYTES] = {TLS_RECORD_HANDSHAKE, 3, 1, 0x40, 0};
    uint8_t answer[64];
    begin(keys_of("a", 1));
    check_equal(answer_to(hello, sizeof(hello), answer, sizeof(answer)), sizeof(tls_alert));
    end();
}

static void test_listener__a_hello_longer_than_its_record__refused_before_it_is_kept(void)
{
    uint8_t hello[TLS_STREAM_HELLO_BYTES_MAX];
    uint8_t answer[64];
    begin(keys_of("a", 1));
    size_t size = hello_of("a", 1, hello);
    hello[TLS_RECORD_HEAD_BYTES + 2]++; /* 256 bytes more would have to follow */
    check_equal(answer_to(hello, size, answer, sizeof(answer)), sizeof(tls_alert));
    check(memcmp(answer, tls_alert, sizeof(tls_alert)) == 0);
    end();
}

static void test_listener__without_a_key__answers_a_hello_too(void)
{
    uint8_t hello[TLS_STREAM_HELLO_BYTES_MAX];
    uint8_t answer[64];
    begin(NULL);
    size_t size = hello_of("a", 1, hello);
    check_equal(answer_to(hello, size, answer, sizeof(answer)), sizeof(tls_alert));
    end();
}

static void test_listener__control_preamble_in_the_clear__auth(void)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    uint8_t answer[TCP_PREAMBLE_BYTES];
    const struct link_ticket ticket = {.index = 3};
    enum haul_status status = HAUL_INTERNAL;
    uint16_t version;
    begin(keys_of("a", 1));
    tcp_preamble_encode(TCP_CONTROL, &ticket, bytes);
    check_equal(answer_to(bytes, sizeof(bytes), answer, sizeof(answer)), sizeof(answer));
    check_status(tcp_answer_decode(answer, &status, &version, &version), HAUL_OK);
    check_status(status, HAUL_AUTH);
    end();
}

/* Send what the stream has put out. */
static void send_output(int fd, struct tls_stream *stream)
{
    struct haul_slice output = tls_stream_output(stream);
    check(raw_write(fd, output.data, output.size));
    tls_stream_sent(stream, output.size);
}

/* Feed the stream with what the listener answers. */
static void receive_answer(int fd, struct tls_stream *stream)
{
    uint8_t piece[4096];
    struct link_incoming incoming;
    for (int i = 0; i < TURNS_MAX; i++) {
        check_status(listener_poll(listener, &incoming), HAUL_AGAIN);
        ssize_t got = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (got > 0) {
            check_status(
                tls_stream_feed(stream, (struct haul_slice){.data = piece, .size = (size_t)got}),
                HAUL_OK);
            return;
        }
        (void)poll(NULL, 0, i < 20 ? 0 : TURN_MS);
    }
    check(!"no answer");
}

/* A sender whose ClientHello has proved its key keeps its place, however many strangers of the same
 * address come after it. */
static void test_listener__strangers_after_a_sender__they_drop_each_other(void)
{
    int strangers[3 * TCP_PENDING_OF_HOST_MAX];
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    const struct link_ticket ticket = {.index = 3};
    struct tls_context *context = NULL;
    struct tls_stream *stream = NULL;
    struct link_incoming incoming;
    struct haul_error error;
    begin(keys_of("a", 1));
    client_keys = keys_of("a", 1);
    check_or_stop(tls_context_create(TLS_CONNECTS, client_keys, &context, &error) == HAUL_OK);
    check_or_stop(tls_stream_create(context, &stream, &error) == HAUL_OK);
    int fd = raw_connect(&address);
    check_status(tls_stream_handshake(stream, &error), HAUL_AGAIN);
    send_output(fd, stream);
    receive_answer(fd, stream);
    for (size_t i = 0; i < CHECK_COUNT(strangers); i++) {
        strangers[i] = raw_connect(&address);
        check_or_stop(strangers[i] >= 0 && raw_write(strangers[i], "\x16", 1)); /* of a hello */
        (void)raw_wait(listener_fd(listener), POLLIN);
        check_status(listener_poll(listener, &incoming), HAUL_AGAIN);
    }
    check(raw_is_reset(strangers[0]));
    check_status(tls_stream_handshake(stream, &error), HAUL_OK);
    tcp_preamble_encode(TCP_CONTROL, &ticket, bytes);
    check_status(
        tls_stream_write(stream, (struct haul_slice){.data = bytes, .size = sizeof(bytes)}),
        HAUL_OK);
    send_output(fd, stream);
    work_until_taken();
    check(theirs != NULL);
    for (size_t i = 0; i < CHECK_COUNT(strangers); i++) {
        (void)close(strangers[i]);
    }
    (void)close(fd);
    tls_stream_destroy(stream);
    tls_context_destroy(context);
    end();
}

static void test_false_listener__gets_only_a_client_hello(void)
{
    uint8_t seen[4096];
    int listening = raw_listen(&address);
    check_or_stop(listening >= 0);
    connect_with(keys_of("a", 1));
    check(!control_channel_poll(ours, &event));
    int fd = raw_accept(listening);
    check_or_stop(fd >= 0);
    size_t got = 0;
    for (int i = 0; i < 100; i++) {
        check(!control_channel_poll(ours, &event));
        ssize_t piece = recv(fd, seen + got, sizeof(seen) - got, MSG_DONTWAIT);
        got += piece > 0 ? (size_t)piece : 0;
        (void)poll(NULL, 0, 1);
    }
    check_or_stop(got > TLS_RECORD_HEAD_BYTES);
    check_equal(seen[0], TLS_RECORD_HANDSHAKE);
    check_equal(got, TLS_RECORD_HEAD_BYTES + ((size_t)seen[3] << 8 | seen[4]));
    check_equal(seen[TLS_RECORD_HEAD_BYTES], 1); /* client_hello */
    check(raw_write(fd, "HAULANS1", 8));         /* it would take anything for an answer */
    check_or_stop(next(ours));
    check_equal(event.type, CONTROL_CLOSED);
    check_status(event.error.status, HAUL_AUTH);
    (void)close(fd);
    (void)close(listening);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_keys__the_same__messages_of_every_size_both_ways),
    CHECK_TEST(test_keys__the_same__the_end_is_orderly),
    CHECK_TEST(test_keys__different_or_on_one_side_only__auth),
    CHECK_TEST(test_listener__wrong_key_unknown_id_and_rubbish__one_answer),
    CHECK_TEST(test_listener__a_hello_without_end__refused_before_it_is_kept),
    CHECK_TEST(test_listener__a_hello_longer_than_its_record__refused_before_it_is_kept),
    CHECK_TEST(test_listener__without_a_key__answers_a_hello_too),
    CHECK_TEST(test_listener__control_preamble_in_the_clear__auth),
    CHECK_TEST(test_listener__strangers_after_a_sender__they_drop_each_other),
    CHECK_TEST(test_false_listener__gets_only_a_client_hello),
};

CHECK_MAIN("tcp_keys", tests)
