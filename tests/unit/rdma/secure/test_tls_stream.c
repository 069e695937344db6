/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_stream.c — two streams that feed each other: who is let in, what comes through, and what
 * everybody else gets to see. */
#include "tls_stream.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "key_ring.h"
#include "tls_fixture.h"

static struct haul_slice slice_of(const void *data, size_t size)
{
    return (struct haul_slice){.data = data, .size = size};
}

/* `second_id` NULL: one key only. */
static void begin_with(struct end *end, enum tls_role role, const char *id, uint8_t fill,
                       const char *second_id, uint8_t second_fill)
{
    struct haul_key list[2];
    struct haul_keys *keys = NULL;
    memset(list, 0, sizeof(list));
    (void)snprintf(list[0].id, sizeof(list[0].id), "%s", id);
    memset(list[0].secret, fill, sizeof(list[0].secret));
    if (second_id != NULL) {
        (void)snprintf(list[1].id, sizeof(list[1].id), "%s", second_id);
        memset(list[1].secret, second_fill, sizeof(list[1].secret));
    }
    check_or_stop(haul_keys_create(list, second_id != NULL ? 2 : 1, &keys, &error) == HAUL_OK);
    begin(end, role, keys, NULL);
}

static void open_both(void)
{
    begin_with(&client, TLS_CONNECTS, "a", 1, NULL, 0);
    begin_with(&server, TLS_ACCEPTS, "a", 1, NULL, 0);
    shake_hands();
    check_status(client.status, HAUL_OK);
    check_status(server.status, HAUL_OK);
}

static void test_handshake__same_key__open(void)
{
    open_both();
    check_text(tls_stream_key_id(client.stream), "a");
    check_text(tls_stream_key_id(server.stream), "a");
    finish_both();
}

static void test_handshake__second_key_of_the_server__open_and_named(void)
{
    begin_with(&client, TLS_CONNECTS, "former", 2, "older", 3);
    begin_with(&server, TLS_ACCEPTS, "new", 1, "former", 2);
    shake_hands();
    check_status(client.status, HAUL_OK);
    check_status(server.status, HAUL_OK);
    check_text(tls_stream_key_id(server.stream), "former");
    finish_both();
}

/* The server's answer to a client of this key, into `answer`. */
static size_t answer_to(const char *id, uint8_t fill, uint8_t answer[64])
{
    begin_with(&client, TLS_CONNECTS, id, fill, NULL, 0);
    begin_with(&server, TLS_ACCEPTS, "a", 1, NULL, 0);
    check_status(tls_stream_handshake(client.stream, &error), HAUL_AGAIN);
    carry(&client, &server);
    check_error(tls_stream_handshake(server.stream, &error), HAUL_AUTH, error);
    check_status(tls_stream_handshake(server.stream, &error), HAUL_AUTH);
    struct haul_slice bytes = tls_stream_output(server.stream);
    check_or_stop(bytes.size <= 64);
    memcpy(answer, bytes.data, bytes.size);
    carry(&server, &client);
    check_error(tls_stream_handshake(client.stream, &error), HAUL_AUTH, error);
    finish_both();
    return bytes.size;
}

static void test_handshake__wrong_key_or_unknown_id__the_same_answer(void)
{
    uint8_t answer[64];
    check_equal(answer_to("a", 9, answer), sizeof(refusal));
    check(memcmp(answer, refusal, sizeof(refusal)) == 0);
    check_equal(answer_to("unknown", 1, answer), sizeof(refusal));
    check(memcmp(answer, refusal, sizeof(refusal)) == 0);
}

/* CPU time in which the server answers a client of this key, in nanoseconds. */
static uint64_t answer_ns(const char *id, uint8_t fill)
{
    struct timespec before;
    struct timespec after;
    begin_with(&client, TLS_CONNECTS, id, fill, NULL, 0);
    begin_with(&server, TLS_ACCEPTS, "a", 1, NULL, 0);
    check_status(tls_stream_handshake(client.stream, &error), HAUL_AGAIN);
    carry(&client, &server);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    enum haul_status status = tls_stream_handshake(server.stream, &error);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    check_status(status, HAUL_AUTH);
    finish_both();
    return (uint64_t)((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec);
}

/* Otherwise the time would show which ids there are. The least of many is what the work itself
 * takes; other work on the machine only adds to it, hence the tries. */
static void test_handshake__wrong_key_or_unknown_id__the_same_time(void)
{
    enum { ANSWERS = 200, TRIES = 5, TOLERANCE_PERCENT = 15 };
    bool alike = false;
    for (int i = 0; i < TRIES && !alike; i++) {
        uint64_t wrong_ns = UINT64_MAX;
        uint64_t unknown_ns = UINT64_MAX;
        for (int j = 0; j < ANSWERS; j++) {
            uint64_t of_wrong = answer_ns("a", 9);
            uint64_t of_unknown = answer_ns("b", 9);
            wrong_ns = of_wrong < wrong_ns ? of_wrong : wrong_ns;
            unknown_ns = of_unknown < unknown_ns ? of_unknown : unknown_ns;
        }
        alike = wrong_ns * 100 < unknown_ns * (100 + TOLERANCE_PERCENT) &&
                unknown_ns * 100 < wrong_ns * (100 + TOLERANCE_PERCENT);
    }
    check(alike);
}

static void test_handshake__no_tls__the_same_answer(void)
{
    static const char *const strangers[] = {"GET / HTTP/1.1\r\n\r\n", "HAULPRE1",
                                            "\x16\x03\x01\x00\x02\x01\x00\x00\x00\x00\x00\x00"};
    for (size_t i = 0; i < CHECK_COUNT(strangers); i++) {
        begin_with(&server, TLS_ACCEPTS, "a", 1, NULL, 0);
        uint8_t bytes[64] = {0};
        memcpy(bytes, strangers[i], strlen(strangers[i]));
        check_status(tls_stream_feed(server.stream, slice_of(bytes, sizeof(bytes))), HAUL_OK);
        check_error(tls_stream_handshake(server.stream, &error), HAUL_AUTH, error);
        struct haul_slice answer = tls_stream_output(server.stream);
        check_equal(answer.size, sizeof(refusal));
        check(memcmp(answer.data, refusal, sizeof(refusal)) == 0);
        finish(&server);
    }
}

/* A stranger's ClientHello that asks for another one is refused at once: nothing waits for it. */
static void test_handshake__proven_by_a_key__a_hello_for_another_group_is_refused(void)
{
    uint8_t bytes[4096];
    size_t size = 0;
    begin_with(&client, TLS_CONNECTS, "a", 1, NULL, 0);
    begin_with(&server, TLS_ACCEPTS, "a", 1, NULL, 0);
    check_status(tls_stream_handshake(client.stream, &error), HAUL_AGAIN);
    carry(&client, &server);
    check_status(tls_stream_handshake(server.stream, &error), HAUL_AGAIN);
    check(tls_stream_is_proven(server.stream));
    finish_both();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    check_or_stop(context != NULL && SSL_CTX_set1_groups_list(context, "P-256:X25519") == 1);
    SSL *ssl = SSL_new(context);
    check_or_stop(ssl != NULL);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    (void)SSL_do_handshake(ssl);
    check_or_stop(BIO_read_ex(SSL_get_wbio(ssl), bytes, sizeof(bytes), &size) == 1);
    begin_with(&server, TLS_ACCEPTS, "a", 1, NULL, 0);
    check_status(tls_stream_feed(server.stream, slice_of(bytes, size)), HAUL_OK);
    check(!tls_stream_is_proven(server.stream));
    check_status(tls_stream_handshake(server.stream, &error), HAUL_AUTH);
    check(!tls_stream_is_proven(server.stream));
    SSL_free(ssl);
    SSL_CTX_free(context);
    finish(&server);
}

static void test_handshake__false_server__gets_only_a_client_hello(void)
{
    begin_with(&client, TLS_CONNECTS, "a", 1, NULL, 0);
    begin_with(&server, TLS_ACCEPTS, "a", 9, NULL, 0);
    shake_hands();
    check_status(client.status, HAUL_AUTH);
    check_status(server.status, HAUL_AUTH);
    /* One record of type handshake, with a ClientHello, and then perhaps an alert. */
    check_or_stop(client.sent_bytes > 9);
    check_equal(client.sent[0], 0x16);
    check_equal(client.sent[5], 0x01);
    size_t hello = 5 + ((size_t)client.sent[3] << 8 | client.sent[4]);
    check(hello <= TLS_STREAM_HELLO_BYTES_MAX);
    check(client.sent_bytes == hello ||
          (client.sent[hello] == 0x15 && client.sent_bytes == hello + 7));
    finish_both();
}

static void test_handshake__any_bit_of_the_server_changed__refused(void)
{
    begin_with(&client, TLS_CONNECTS, "a", 1, NULL, 0);
    begin_with(&server, TLS_ACCEPTS, "a", 1, NULL, 0);
    check_status(tls_stream_handshake(client.stream, &error), HAUL_AGAIN);
    uint8_t hello[TLS_STREAM_HELLO_BYTES_MAX];
    struct haul_slice sent = tls_stream_output(client.stream);
    size_t size = sent.size;
    memcpy(hello, sent.data, size);
    finish_both();
    for (size_t at = 11; at < size; at++) { /* before: the head of the record and its versions */
        begin_with(&server, TLS_ACCEPTS, "a", 1, NULL, 0);
        hello[at] ^= 0x10;
        check_status(tls_stream_feed(server.stream, slice_of(hello, size)), HAUL_OK);
        check(tls_stream_handshake(server.stream, &error) != HAUL_OK);
        hello[at] ^= 0x10;
        finish(&server);
    }
}

static void test_bytes__large__arrive(void)
{
    enum { SIZE = 100 << 10 };
    static uint8_t plain[SIZE];
    static uint8_t got[SIZE];
    for (size_t i = 0; i < SIZE; i++) {
        plain[i] = (uint8_t)(i * 7 + i / 256);
    }
    open_both();
    check_status(tls_stream_write(client.stream, slice_of(plain, SIZE)), HAUL_OK);
    carry(&client, &server);
    size_t total = 0;
    size_t piece = 0;
    while (total < SIZE &&
           tls_stream_read(server.stream, got + total, SIZE - total, &piece) == HAUL_OK) {
        total += piece;
    }
    check_equal(total, SIZE);
    check(memcmp(plain, got, SIZE) == 0);
    check_status(tls_stream_read(server.stream, got, SIZE, &piece), HAUL_AGAIN);
    finish_both();
}

static void test_bytes__planted_value__not_on_the_wire(void)
{
    static const char value[] = "the-planted-value-of-a-customer";
    open_both();
    check_status(tls_stream_write(client.stream, slice_of(value, sizeof(value))), HAUL_OK);
    carry(&client, &server);
    check(memmem(client.sent, client.sent_bytes, value, sizeof(value) - 1) == NULL);
    finish_both();
}

static void test_bytes__changed_on_the_way__corrupt(void)
{
    open_both();
    check_status(tls_stream_write(client.stream, slice_of("commit", 6)), HAUL_OK);
    struct haul_slice output = tls_stream_output(client.stream);
    uint8_t record[256];
    check_or_stop(output.size <= sizeof(record));
    memcpy(record, output.data, output.size);
    record[output.size - 1] ^= 1;
    check_status(tls_stream_feed(server.stream, slice_of(record, output.size)), HAUL_OK);
    char got[16];
    size_t size = 0;
    check_status(tls_stream_read(server.stream, got, sizeof(got), &size), HAUL_CORRUPT);
    check_equal(size, 0);
    finish_both();
}

/* Not that memory is short. */
static void test_write__a_changed_record_was_read__corrupt(void)
{
    uint8_t record[256];
    char got[16];
    size_t size = 0;
    open_both();
    check_status(tls_stream_write(client.stream, slice_of("commit", 6)), HAUL_OK);
    struct haul_slice output = tls_stream_output(client.stream);
    check_or_stop(output.size <= sizeof(record));
    memcpy(record, output.data, output.size);
    record[output.size - 1] ^= 1;
    check_status(tls_stream_feed(server.stream, slice_of(record, output.size)), HAUL_OK);
    check_status(tls_stream_read(server.stream, got, sizeof(got), &size), HAUL_CORRUPT);
    check_status(tls_stream_write(server.stream, slice_of("committed", 9)), HAUL_CORRUPT);
    check_status(tls_stream_read(server.stream, got, sizeof(got), &size), HAUL_CORRUPT);
    finish_both();
}

static void test_bytes__sent_again__corrupt(void)
{
    open_both();
    check_status(tls_stream_write(client.stream, slice_of("commit", 6)), HAUL_OK);
    struct haul_slice output = tls_stream_output(client.stream);
    char got[16];
    size_t size = 0;
    check_status(tls_stream_feed(server.stream, output), HAUL_OK);
    check_status(tls_stream_read(server.stream, got, sizeof(got), &size), HAUL_OK);
    check_status(tls_stream_feed(server.stream, output), HAUL_OK);
    check_status(tls_stream_read(server.stream, got, sizeof(got), &size), HAUL_CORRUPT);
    finish_both();
}

static void test_end__announced__closed(void)
{
    open_both();
    tls_stream_end(client.stream);
    carry(&client, &server);
    char got[16];
    size_t size = 0;
    check_status(tls_stream_read(server.stream, got, sizeof(got), &size), HAUL_CLOSED);
    finish_both();
}

static void test_export__both_ends__equal_and_of_this_connection(void)
{
    uint8_t of_client[32];
    uint8_t of_server[32];
    uint8_t others[32];
    open_both();
    check_status(
        tls_stream_export(client.stream, "EXPORTER-haul-test", slice_of("1", 1), of_client, 32),
        HAUL_OK);
    check_status(
        tls_stream_export(server.stream, "EXPORTER-haul-test", slice_of("1", 1), of_server, 32),
        HAUL_OK);
    check(memcmp(of_client, of_server, 32) == 0);
    check_status(
        tls_stream_export(client.stream, "EXPORTER-haul-test", slice_of("2", 1), others, 32),
        HAUL_OK);
    check(memcmp(of_client, others, 32) != 0);
    finish_both();
    open_both();
    check_status(
        tls_stream_export(client.stream, "EXPORTER-haul-test", slice_of("1", 1), others, 32),
        HAUL_OK);
    check(memcmp(of_client, others, 32) != 0);
    finish_both();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_handshake__same_key__open),
    CHECK_TEST(test_handshake__second_key_of_the_server__open_and_named),
    CHECK_TEST(test_handshake__wrong_key_or_unknown_id__the_same_answer),
    CHECK_TEST(test_handshake__wrong_key_or_unknown_id__the_same_time),
    CHECK_TEST(test_handshake__no_tls__the_same_answer),
    CHECK_TEST(test_handshake__proven_by_a_key__a_hello_for_another_group_is_refused),
    CHECK_TEST(test_handshake__false_server__gets_only_a_client_hello),
    CHECK_TEST(test_handshake__any_bit_of_the_server_changed__refused),
    CHECK_TEST(test_bytes__large__arrive),
    CHECK_TEST(test_bytes__planted_value__not_on_the_wire),
    CHECK_TEST(test_bytes__changed_on_the_way__corrupt),
    CHECK_TEST(test_write__a_changed_record_was_read__corrupt),
    CHECK_TEST(test_bytes__sent_again__corrupt),
    CHECK_TEST(test_end__announced__closed),
    CHECK_TEST(test_export__both_ends__equal_and_of_this_connection),
};

CHECK_MAIN("tls_stream", tests)
