/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_certificates.c — two streams with certificates that feed each other: who is let in, and
 * what a refused one sees. */
#include "tls_certificates.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "tls_fixture.h"

/* With the certificates of make_all. */
static void begin_both(const char *pinned_by_client, const char *pinned_by_server, const char *host)
{
    begin(&client, TLS_CONNECTS, made_certificate_keys(&ours, &authority, pinned_by_client), host);
    begin(&server, TLS_ACCEPTS, made_certificate_keys(&theirs, &authority, pinned_by_server), NULL);
}

static void check_cause(const struct end *end, const char *part)
{
    char cause[TLS_STREAM_CAUSE_BYTES];
    tls_stream_cause(end->stream, cause);
    check(strstr(cause, part) != NULL);
}

/* --- let in ----------------------------------------------------------------------------------- */

static void check_open(void)
{
    char got[8];
    size_t size = 0;
    shake_hands();
    check_status(client.status, HAUL_OK);
    check_or_stop(server.status == HAUL_OK);
    check_text(tls_stream_key_id(client.stream), "db7.example");
    check_text(tls_stream_key_id(server.stream), "a.example");
    check_status(tls_stream_write(server.stream, (struct haul_slice){(const uint8_t *)"yes", 3}),
                 HAUL_OK);
    carry(&server, &client);
    check_status(tls_stream_read(client.stream, got, sizeof(got), &size), HAUL_OK);
    check(size == 3 && memcmp(got, "yes", 3) == 0);
    finish_both();
}

static void test_handshake__host_address_or_pinned_name__open(void)
{
    make_all();
    begin_both(NULL, NULL, "db7.example");
    check_open();
    begin_both(NULL, NULL, "db7.example."); /* a complete name, as resolvers have it */
    check_open();
    begin_both(NULL, NULL, "127.0.0.1");
    check_open();
    begin_both("db7.example", "a.example", "10.9.9.9");
    check_open();
    destroy_all();
}

static void test_handshake__certificate_between__open(void)
{
    const struct made_options of_between = {.is_authority = true};
    const struct made_options of_ours = {.alternative_name = "DNS:a.example"};
    make_all();
    made_certificate_destroy(&ours);
    made_certificate_create(&other, "between", &of_between, &authority);
    made_certificate_create(&ours, "a", &of_ours, &other);
    (void)strncat(ours.pem, other.pem, sizeof(ours.pem) - strlen(ours.pem) - 1);
    begin_both(NULL, NULL, "db7.example");
    check_open();
    destroy_all();
}

/* A chain of `count` authorities below `other`, which the file of `ours` has after it. */
static void make_deep(int count)
{
    const struct made_options of_between = {.is_authority = true};
    const struct made_options of_ours = {.alternative_name = "DNS:a.example"};
    struct made_certificate *between = calloc((size_t)count, sizeof(*between));
    check_or_stop(between != NULL);
    for (int i = 0; i < count; i++) {
        made_certificate_create(&between[i], i % 2 == 0 ? "even" : "odd", &of_between,
                                i == 0 ? &authority : &between[i - 1]);
    }
    made_certificate_destroy(&ours);
    made_certificate_create(&ours, "a", &of_ours, &between[count - 1]);
    for (int i = count - 1; i >= 0; i--) {
        (void)strncat(ours.pem, between[i].pem, sizeof(ours.pem) - strlen(ours.pem) - 1);
        made_certificate_destroy(&between[i]);
    }
    free(between);
}

static enum haul_status check_ours(void)
{
    char name[KEY_PEER_NAME_BYTES_MAX];
    struct haul_keys *keys = made_certificate_keys(&ours, &authority, NULL);
    enum haul_status status = tls_certificates_check(key_ring_certificates(keys), name, &error);
    haul_keys_destroy(keys);
    return status;
}

/* As many as are taken at start are let in. */
static void test_handshake__most_certificates_between__open(void)
{
    make_all();
    make_deep(TLS_CERTIFICATES_DEPTH_MAX);
    check_status(check_ours(), HAUL_OK);
    begin_both(NULL, NULL, "db7.example");
    check_open();
    destroy_all();
}

static void test_check__one_more_between__invalid(void)
{
    make_all();
    make_deep(TLS_CERTIFICATES_DEPTH_MAX + 1);
    check_error(check_ours(), HAUL_INVALID, error);
    check(strstr(error.text, "9 certificates between") != NULL);
    destroy_all();
}

/* Both sides name the one between as their authority; nobody knows the root. */
static void test_handshake__authority_that_another_has_signed__open(void)
{
    const struct made_options of_between = {.is_authority = true};
    const struct made_options of_ours = {.alternative_name = "DNS:a.example"};
    const struct made_options of_theirs = {.alternative_name = "DNS:db7.example"};
    make_all();
    made_certificate_destroy(&ours);
    made_certificate_destroy(&theirs);
    made_certificate_create(&other, "between", &of_between, &authority);
    made_certificate_create(&ours, "a", &of_ours, &other);
    made_certificate_create(&theirs, "db7", &of_theirs, &other);
    begin(&client, TLS_CONNECTS, made_certificate_keys(&ours, &other, NULL), "db7.example");
    begin(&server, TLS_ACCEPTS, made_certificate_keys(&theirs, &other, NULL), NULL);
    check_open();
    destroy_all();
}

static void test_export__both_ends__equal(void)
{
    uint8_t of_client[32] = {0};
    uint8_t of_server[32] = {1};
    const struct haul_slice context = {.data = (const uint8_t *)"1", .size = 1};
    make_all();
    begin_both(NULL, NULL, "db7.example");
    shake_hands();
    check_status(tls_stream_export(client.stream, "EXPORTER-haul-test", context, of_client, 32),
                 HAUL_OK);
    check_status(tls_stream_export(server.stream, "EXPORTER-haul-test", context, of_server, 32),
                 HAUL_OK);
    check(memcmp(of_client, of_server, 32) == 0);
    finish_both();
    destroy_all();
}

static void test_is_proven__only_after_the_handshake(void)
{
    make_all();
    begin_both(NULL, NULL, "db7.example");
    step(&client);
    carry(&client, &server);
    step(&server);
    check_status(server.status, HAUL_AGAIN);
    check(!tls_stream_is_proven(server.stream));
    carry(&server, &client);
    step(&client);
    carry(&client, &server);
    step(&server);
    check(tls_stream_is_proven(server.stream));
    finish_both();
    destroy_all();
}

/* --- clients that are refused ----------------------------------------------------------------- */

/* The server refuses, with the same last bytes, and the client learns it when it reads. */
static void check_client_refused(struct haul_keys *keys_of_client, const char *pinned_by_server,
                                 const char *cause)
{
    char got[8];
    size_t size = 0;
    begin(&client, TLS_CONNECTS, keys_of_client, "db7.example");
    begin(&server, TLS_ACCEPTS, made_certificate_keys(&theirs, &authority, pinned_by_server), NULL);
    shake_hands();
    check_status(client.status, HAUL_OK);
    check_status(server.status, HAUL_AUTH);
    check_cause(&server, cause);
    check(server.sent_bytes > sizeof(refusal));
    check_refusal_sent(&server);
    check_status(tls_stream_read(client.stream, got, sizeof(got), &size), HAUL_AUTH);
    check_equal(size, 0);
    finish_both();
}

static void check_refused_with(const struct made_options *options, const char *cause)
{
    made_certificate_create(&other, "a", options, &authority);
    check_client_refused(made_certificate_keys(&other, &authority, NULL), NULL, cause);
    made_certificate_destroy(&other);
}

static void test_server__client_expired_early_of_another_purpose_or_name__one_refusal(void)
{
    make_all();
    check_refused_with(&(struct made_options){.ends_s = -60}, "expired");
    check_refused_with(&(struct made_options){.begins_s = 3600}, "not yet valid");
    check_refused_with(&(struct made_options){.purpose = "serverAuth"}, "certificate purpose");
    check_client_refused(made_certificate_keys(&ours, &authority, NULL), "b.example", "mismatch");
    destroy_all();
}

/* `trusted` is the server's only authority. */
static void check_trust(const struct made_certificate *trusted, bool let_in)
{
    begin(&client, TLS_CONNECTS, made_certificate_keys(&ours, &authority, NULL), "db7.example");
    begin(&server, TLS_ACCEPTS, made_certificate_keys(&theirs, trusted, NULL), NULL);
    if (let_in) {
        check_open();
        return;
    }
    shake_hands();
    check_status(server.status, HAUL_AUTH);
    finish_both();
}

/* A certificate that is no authority is trusted for itself, not for what it has signed. */
static void test_server__its_authority_is_none__lets_in_that_certificate_only(void)
{
    const struct made_options of_other = {.alternative_name = "DNS:x.example"};
    const struct made_options of_ours = {.alternative_name = "DNS:a.example"};
    make_all();
    check_trust(&ours, true);
    check_trust(&theirs, false);
    made_certificate_create(&other, "x", &of_other, &authority);
    made_certificate_destroy(&ours);
    made_certificate_create(&ours, "a", &of_ours, &other);
    (void)strncat(ours.pem, other.pem, sizeof(ours.pem) - strlen(ours.pem) - 1);
    check_trust(&other, false);
    destroy_all();
}

static void test_server__client_of_another_authority__one_refusal(void)
{
    const struct made_options of_authority = {.is_authority = true};
    struct made_certificate *stranger = calloc(1, sizeof(*stranger));
    make_all();
    check_or_stop(stranger != NULL);
    made_certificate_create(&other, "haul test authority", &of_authority, NULL);
    made_certificate_create(stranger, "a", &(struct made_options){.ends_s = 60}, &other);
    check_client_refused(made_certificate_keys(stranger, &authority, NULL), NULL, "not trusted");
    made_certificate_destroy(stranger);
    free(stranger);
    destroy_all();
}

/* The size of all records but the last. */
static size_t without_last_record(struct haul_slice records)
{
    size_t last = 0;
    for (size_t at = 0; at + TLS_RECORD_HEAD_BYTES <= records.size;) {
        last = at;
        at += TLS_RECORD_HEAD_BYTES + ((size_t)records.data[at + 3] << 8 | records.data[at + 4]);
    }
    return last;
}

/* Finished comes last, and proves that the handshake is the client's own: before it nobody learns
 * whether a certificate would do. */
static void test_server__foreign_certificate_without_finished__no_verdict_yet(void)
{
    make_all();
    made_certificate_create(&other, "a", &(struct made_options){.ends_s = -60}, NULL);
    begin(&client, TLS_CONNECTS, made_certificate_keys(&other, &authority, NULL), "db7.example");
    begin(&server, TLS_ACCEPTS, made_certificate_keys(&theirs, &authority, NULL), NULL);
    step(&client);
    carry(&client, &server);
    step(&server);
    carry(&server, &client);
    step(&client);
    struct haul_slice flight = tls_stream_output(client.stream);
    size_t size = without_last_record(flight);
    check(size > flight.size / 2); /* the certificate is there */
    check_status(
        tls_stream_feed(server.stream, (struct haul_slice){.data = flight.data, .size = size}),
        HAUL_OK);
    step(&server);
    check_status(server.status, HAUL_AGAIN);
    check_equal(tls_stream_output(server.stream).size, 0);
    tls_stream_sent(client.stream, size);
    carry(&client, &server);
    step(&server);
    check_status(server.status, HAUL_AUTH);
    finish_both();
    destroy_all();
}

/* What the server has put out goes to `ssl`, and what `ssl` has to the server. */
static void exchange(SSL *ssl)
{
    uint8_t bytes[4096];
    size_t size = 0;
    struct haul_slice output = tls_stream_output(server.stream);
    if (output.size > 0) {
        check_equal(BIO_write(SSL_get_rbio(ssl), output.data, (int)output.size), (int)output.size);
        tls_stream_sent(server.stream, output.size);
    }
    (void)SSL_do_handshake(ssl);
    while (BIO_read_ex(SSL_get_wbio(ssl), bytes, sizeof(bytes), &size) == 1) {
        check_status(
            tls_stream_feed(server.stream, (struct haul_slice){.data = bytes, .size = size}),
            HAUL_OK);
    }
}

/* haul has no such client: OpenSSL's own. */
static void test_server__client_without_a_certificate__one_refusal(void)
{
    make_all();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    check_or_stop(ssl != NULL);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    begin(&server, TLS_ACCEPTS, made_certificate_keys(&theirs, &authority, NULL), NULL);
    exchange(ssl);
    step(&server);
    check_status(server.status, HAUL_AGAIN);
    exchange(ssl);
    step(&server);
    check_status(server.status, HAUL_AUTH);
    check_cause(&server, "shows no certificate");
    struct haul_slice output = tls_stream_output(server.stream);
    check_equal(output.size, sizeof(refusal));
    check(output.size == sizeof(refusal) && memcmp(output.data, refusal, sizeof(refusal)) == 0);
    SSL_free(ssl);
    SSL_CTX_free(context);
    finish(&server);
    destroy_all();
}

/* --- others that are refused ------------------------------------------------------------------ */

static struct haul_keys *a_key(void)
{
    const struct haul_key key = {.id = "a", .secret = {1}};
    struct haul_keys *keys = NULL;
    check_or_stop(haul_keys_create(&key, 1, &keys, NULL) == HAUL_OK);
    return keys;
}

/* One record with a ClientHello, which names nobody, and perhaps an alert. */
static void check_only_hello(void)
{
    const uint8_t *sent = client.sent;
    check(memmem(sent, client.sent_bytes, "example", strlen("example")) == NULL);
    check_or_stop(client.sent_bytes > 9);
    check_equal(sent[0], TLS_RECORD_HANDSHAKE);
    check_equal(sent[5], 1);
    size_t hello = TLS_RECORD_HEAD_BYTES + ((size_t)sent[3] << 8 | sent[4]);
    check(hello <= TLS_STREAM_HELLO_BYTES_MAX);
    check(client.sent_bytes == hello || (client.sent_bytes == hello + sizeof(refusal) &&
                                         memcmp(sent + hello, refusal, sizeof(refusal)) == 0));
}

/* The client refuses `of_server` as the certificate of this host; it then has sent a ClientHello
 * only. */
static void check_server_refused(const struct made_certificate *of_server, const char *pinned,
                                 const char *host, const char *cause)
{
    begin(&client, TLS_CONNECTS, made_certificate_keys(&ours, &authority, pinned), host);
    begin(&server, TLS_ACCEPTS, made_certificate_keys(of_server, &authority, NULL), NULL);
    shake_hands();
    check_status(client.status, HAUL_AUTH);
    check_status(server.status, HAUL_AUTH);
    check_cause(&client, cause);
    check_only_hello();
    finish_both();
}

static void test_client__false_server__gets_only_a_client_hello(void)
{
    make_all();
    check_server_refused(&theirs, NULL, "db8.example", "mismatch");
    check_server_refused(&theirs, NULL, "127.0.0.2", "mismatch");
    check_server_refused(&theirs, "db8.example", "db7.example", "mismatch");
    made_certificate_create(&other, "db7.example", &(struct made_options){.ends_s = 60},
                            &authority); /* the name is that of the subject only */
    check_server_refused(&other, NULL, "db7.example", "mismatch");
    made_certificate_destroy(&other);
    made_certificate_create(
        &other, "db7", &(struct made_options){.alternative_name = "DNS:db7.example", .ends_s = -60},
        &authority);
    check_server_refused(&other, NULL, "db7.example", "expired");
    made_certificate_destroy(&other);
    made_certificate_create(&other, "db7",
                            &(struct made_options){.alternative_name = "DNS:db7.example"}, NULL);
    check_server_refused(&other, NULL, "db7.example", "self");
    destroy_all();
}

static void test_client__without_the_host__no_stream(void)
{
    struct tls_context *context = NULL;
    struct tls_stream *stream = NULL;
    make_all();
    struct haul_keys *keys = made_certificate_keys(&ours, &authority, NULL);
    check_or_stop(tls_context_create(TLS_CONNECTS, keys, &context, &error) == HAUL_OK);
    check_error(tls_stream_create(context, &stream, &error), HAUL_INVALID, error);
    tls_context_set_host(context, "");
    check_error(tls_stream_create(context, &stream, &error), HAUL_INVALID, error);
    check(stream == NULL);
    tls_context_destroy(context);
    haul_keys_destroy(keys);
    /* OpenSSL would take the first for each name below, and for any. */
    static const char *const hosts[] = {".example", ".", "..", "db7..example", "%lo"};
    for (size_t i = 0; i < CHECK_COUNT(hosts); i++) {
        keys = made_certificate_keys(&ours, &authority, NULL);
        check_or_stop(tls_context_create(TLS_CONNECTS, keys, &context, &error) == HAUL_OK);
        tls_context_set_host(context, hosts[i]);
        check_error(tls_stream_create(context, &stream, &error), HAUL_INVALID, error);
        tls_context_destroy(context);
        haul_keys_destroy(keys);
    }
    destroy_all();
}

static void test_client_with_a_key__certificate_server__both_refuse(void)
{
    make_all();
    begin(&client, TLS_CONNECTS, a_key(), "db7.example");
    begin(&server, TLS_ACCEPTS, made_certificate_keys(&theirs, &authority, NULL), NULL);
    shake_hands();
    check_status(client.status, HAUL_AUTH);
    check_status(server.status, HAUL_AUTH);
    check_only_hello();
    check_refusal_sent(&server);
    finish_both();
    destroy_all();
}

static void test_client_with_a_certificate__key_server__the_answer_of_a_wrong_key(void)
{
    make_all();
    begin(&client, TLS_CONNECTS, made_certificate_keys(&ours, &authority, NULL), "db7.example");
    begin(&server, TLS_ACCEPTS, a_key(), NULL);
    shake_hands();
    check_status(client.status, HAUL_AUTH);
    check_status(server.status, HAUL_AUTH);
    check_equal(server.sent_bytes, sizeof(refusal));
    check_refusal_sent(&server);
    check_only_hello();
    finish_both();
    destroy_all();
}

/* --- limits ----------------------------------------------------------------------------------- */

/* A ClientHello of 64 KiB, in records of 1000 bytes. */
static void test_server__client_sends_too_much__refused_and_not_kept(void)
{
    uint8_t record[TLS_RECORD_HEAD_BYTES + 1000] = {
        TLS_RECORD_HANDSHAKE, 3, 1, 1000 >> 8, 1000 & 255, 1, 1, 0, 0};
    const struct haul_slice piece = {.data = record, .size = sizeof(record)};
    size_t fed = 0;
    make_all();
    begin(&server, TLS_ACCEPTS, made_certificate_keys(&theirs, &authority, NULL), NULL);
    while (fed + sizeof(record) <= TLS_STREAM_HANDSHAKE_BYTES_MAX) {
        check_status(tls_stream_feed(server.stream, piece), HAUL_OK);
        step(&server);
        check_status(server.status, HAUL_AGAIN);
        fed += sizeof(record);
        memset(record + TLS_RECORD_HEAD_BYTES, 0, 4);
    }
    check_status(tls_stream_feed(server.stream, piece), HAUL_OK);
    step(&server);
    check_status(server.status, HAUL_AUTH);
    finish(&server);
    destroy_all();
}

static void test_server__certificate_too_large__refused(void)
{
    make_all();
    made_certificate_create(&other, "a", &(struct made_options){.padding_bytes = 13 << 10},
                            &authority);
    begin(&client, TLS_CONNECTS, made_certificate_keys(&other, &authority, NULL), "db7.example");
    begin(&server, TLS_ACCEPTS, made_certificate_keys(&theirs, &authority, NULL), NULL);
    shake_hands();
    check_status(server.status, HAUL_AUTH);
    finish_both();
    destroy_all();
}

static void test_server__largest_certificate__let_in(void)
{
    make_all();
    made_certificate_destroy(&ours);
    made_certificate_create(
        &ours, "a",
        &(struct made_options){.alternative_name = "DNS:a.example",
                               .padding_bytes = TLS_CERTIFICATES_BYTES_MAX - 1024},
        &authority);
    begin_both(NULL, NULL, "db7.example");
    check_open();
    destroy_all();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_handshake__host_address_or_pinned_name__open),
    CHECK_TEST(test_handshake__certificate_between__open),
    CHECK_TEST(test_handshake__most_certificates_between__open),
    CHECK_TEST(test_check__one_more_between__invalid),
    CHECK_TEST(test_handshake__authority_that_another_has_signed__open),
    CHECK_TEST(test_server__its_authority_is_none__lets_in_that_certificate_only),
    CHECK_TEST(test_export__both_ends__equal),
    CHECK_TEST(test_is_proven__only_after_the_handshake),
    CHECK_TEST(test_server__client_expired_early_of_another_purpose_or_name__one_refusal),
    CHECK_TEST(test_server__client_of_another_authority__one_refusal),
    CHECK_TEST(test_server__foreign_certificate_without_finished__no_verdict_yet),
    CHECK_TEST(test_server__client_without_a_certificate__one_refusal),
    CHECK_TEST(test_client__false_server__gets_only_a_client_hello),
    CHECK_TEST(test_client__without_the_host__no_stream),
    CHECK_TEST(test_client_with_a_key__certificate_server__both_refuse),
    CHECK_TEST(test_client_with_a_certificate__key_server__the_answer_of_a_wrong_key),
    CHECK_TEST(test_server__client_sends_too_much__refused_and_not_kept),
    CHECK_TEST(test_server__certificate_too_large__refused),
    CHECK_TEST(test_server__largest_certificate__let_in),
};

CHECK_MAIN("tls_certificates", tests)
