/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_certificates.c — control connections with certificates, from connect to a message: who
 * is let in, and when the others get their refusal. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "control_channel.h"
#include "link_ends.h"
#include "made_certificate.h"
#include "raw_peer.h"
#include "tcp_listener.h"
#include "tls_stream.h"

enum { TURNS_MAX = 2000, TURN_MS = 5 };

static const uint8_t tls_alert[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28};

static struct made_certificate authority, of_server, of_client, foreign;
static struct haul_keys *server_keys, *client_keys;
static struct listener *listener;
static struct link_address address;
static struct control_channel *ours, *theirs; /* the connecting side's, the accepting side's */
static struct control_event event;
static struct fake_clock fake;
static struct haul_error error;

static void make_all(void)
{
    const struct made_options of_authority = {.is_authority = true};
    const struct made_options here = {.alternative_name = "IP:127.0.0.1"};
    const struct made_options there = {.alternative_name = "DNS:a.example"};
    made_certificate_create(&authority, "haul test authority", &of_authority, NULL);
    made_certificate_create(&of_server, "db7", &here, &authority);
    made_certificate_create(&of_client, "a", &there, &authority);
    made_certificate_create(&foreign, "a", &there, NULL);
}

static struct link_config config_of(const struct haul_keys *keys, const struct haul_clock *clock)
{
    struct link_config config = {.keys = keys, .host = "127.0.0.1", .clock = clock};
    config.options.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN;
    return config;
}

static void begin(const char *pinned, const struct haul_clock *clock)
{
    const struct link_address any = raw_loopback();
    make_all();
    server_keys = made_certificate_keys(&of_server, &authority, pinned);
    const struct link_config config = config_of(server_keys, clock);
    check_or_stop(listener_create(HAUL_TRANSPORT_TCP, &any, &config, &listener, &error) == HAUL_OK);
    listener_address(listener, &address);
}

static void connect_with(const struct made_certificate *certificate)
{
    const struct link_ticket ticket = {.index = 3};
    client_keys = made_certificate_keys(certificate, &authority, NULL);
    const struct link_config config = config_of(client_keys, NULL);
    check_or_stop(control_channel_connect(&address, &ticket, &config, &ours, &error) == HAUL_OK);
}

static void end(void)
{
    control_channel_destroy(ours);
    control_channel_destroy(theirs);
    listener_destroy(listener);
    haul_keys_destroy(server_keys);
    haul_keys_destroy(client_keys);
    made_certificate_destroy(&authority);
    made_certificate_destroy(&of_server);
    made_certificate_destroy(&of_client);
    made_certificate_destroy(&foreign);
    listener = NULL;
    ours = theirs = NULL;
    server_keys = client_keys = NULL;
}

static void work_listener(void)
{
    struct link_incoming incoming;
    if (listener_poll(listener, &incoming) == HAUL_OK) {
        const struct link_config config = config_of(server_keys, NULL);
        check_status(
            control_channel_adopt(tcp_listener_take(listener, &incoming), &config, &theirs, NULL),
            HAUL_OK);
    }
}

/* The next event of the channel, while both sides work. False: none came. */
static bool next(struct control_channel *channel)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        struct control_event ignored;
        struct control_channel *other = channel == ours ? theirs : ours;
        work_listener();
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

static void test_certificates__of_one_authority__a_message_comes_through(void)
{
    begin("a.example", NULL);
    connect_with(&of_client);
    check_or_stop(next(ours));
    check_or_stop(event.type == CONTROL_CONNECTED && theirs != NULL);
    check(control_channel_is_secret(ours) && control_channel_is_secret(theirs));
    check_status(control_channel_send(ours, 9, "hello", 5), HAUL_OK);
    check_or_stop(next(theirs));
    check_equal(event.message_type, 9);
    check(event.body.size == 5 && memcmp(event.body.data, "hello", 5) == 0);
    end();
}

static void check_refused(const char *pinned, const struct made_certificate *certificate)
{
    begin(pinned, NULL);
    connect_with(certificate);
    check_or_stop(next(ours));
    check_equal(event.type, CONTROL_CLOSED);
    check_status(event.error.status, HAUL_AUTH);
    check(event.error.hint[0] != '\0');
    check(theirs == NULL);
    end();
}

static void test_certificates__another_name_or_authority__auth(void)
{
    check_refused("b.example", &of_client);
    check_refused(NULL, &foreign);
}

/* --- the time of a refusal -------------------------------------------------------------------- */

/* What has come from the listener: its number of bytes, into `bytes`; 0: the end; -1: nothing. */
static ssize_t receive_now(int fd, uint8_t *bytes, size_t size)
{
    ssize_t got = recv(fd, bytes, size, MSG_DONTWAIT);
    return got >= 0 || errno == ECONNRESET ? got : -1;
}

/* Shake hands by hand, as far as the client's part; the listener's clock stands still. */
static int shake_hands(struct tls_stream *stream)
{
    uint8_t bytes[8192];
    struct link_incoming incoming;
    enum haul_status status = HAUL_AGAIN;
    int fd = raw_connect(&address);
    check_or_stop(fd >= 0);
    for (int i = 0; i < TURNS_MAX && status == HAUL_AGAIN; i++) {
        status = tls_stream_handshake(stream, &error);
        struct haul_slice output = tls_stream_output(stream);
        check(raw_write(fd, output.data, output.size));
        tls_stream_sent(stream, output.size);
        check_status(listener_poll(listener, &incoming), HAUL_AGAIN);
        ssize_t got = receive_now(fd, bytes, sizeof(bytes));
        if (got > 0) {
            check_status(
                tls_stream_feed(stream, (struct haul_slice){.data = bytes, .size = (size_t)got}),
                HAUL_OK);
        }
        (void)poll(NULL, 0, i < 20 ? 0 : TURN_MS);
    }
    check_status(status, HAUL_OK);
    return fd;
}

/* The listener takes what has arrived; then there is still nothing to read. */
static void check_silence(int fd)
{
    uint8_t byte;
    struct link_incoming incoming;
    for (int i = 0; i < 20; i++) {
        check_status(listener_poll(listener, &incoming), HAUL_AGAIN);
        check_equal(receive_now(fd, &byte, 1), -1);
        (void)poll(NULL, 0, 1);
    }
}

static void check_refusal(int fd)
{
    uint8_t answer[64];
    size_t got = 0;
    struct link_incoming incoming;
    for (int i = 0; i < TURNS_MAX && got < sizeof(tls_alert); i++) {
        check_status(listener_poll(listener, &incoming), HAUL_AGAIN);
        ssize_t piece = receive_now(fd, answer + got, sizeof(answer) - got);
        got += piece > 0 ? (size_t)piece : 0;
        (void)poll(NULL, 0, i < 20 ? 0 : TURN_MS);
    }
    check_equal(got, sizeof(tls_alert));
    check(memcmp(answer, tls_alert, sizeof(tls_alert)) == 0);
}

static void check_time(const char *pinned, const struct made_certificate *certificate)
{
    struct tls_context *context = NULL;
    struct tls_stream *stream = NULL;
    fake_clock_init(&fake);
    begin(pinned, &fake.clock);
    client_keys = made_certificate_keys(certificate, &authority, NULL);
    check_or_stop(tls_context_create(TLS_CONNECTS, client_keys, &context, &error) == HAUL_OK);
    tls_context_set_host(context, "127.0.0.1");
    check_or_stop(tls_stream_create(context, &stream, &error) == HAUL_OK);
    int fd = shake_hands(stream);
    check_silence(fd);
    fake_clock_advance_ms(&fake, TCP_REFUSAL_MS - 1);
    check_silence(fd);
    fake_clock_advance_ms(&fake, 1);
    check_refusal(fd);
    (void)close(fd);
    tls_stream_destroy(stream);
    tls_context_destroy(context);
    end();
}

static void test_refusal__whatever_the_reason__after_the_same_time(void)
{
    check_time("b.example", &of_client);
    check_time(NULL, &foreign);
}

/* A refusal that waits gives its place to newcomers. */
static void test_refusal__waits_while_others_come__dropped_for_them(void)
{
    int strangers[TCP_PENDING_OF_HOST_MAX];
    struct tls_context *context = NULL;
    struct tls_stream *stream = NULL;
    struct link_incoming incoming;
    fake_clock_init(&fake);
    begin("b.example", &fake.clock);
    client_keys = made_certificate_keys(&of_client, &authority, NULL);
    check_or_stop(tls_context_create(TLS_CONNECTS, client_keys, &context, &error) == HAUL_OK);
    tls_context_set_host(context, "127.0.0.1");
    check_or_stop(tls_stream_create(context, &stream, &error) == HAUL_OK);
    int fd = shake_hands(stream);
    check_silence(fd);
    for (size_t i = 0; i < CHECK_COUNT(strangers); i++) {
        strangers[i] = raw_connect(&address);
        check_or_stop(strangers[i] >= 0 && raw_write(strangers[i], "\x16", 1)); /* of a hello */
        (void)raw_wait(listener_fd(listener), POLLIN);
        check_status(listener_poll(listener, &incoming), HAUL_AGAIN);
    }
    check(raw_is_reset(fd));
    for (size_t i = 0; i < CHECK_COUNT(strangers); i++) {
        (void)close(strangers[i]);
    }
    (void)close(fd);
    tls_stream_destroy(stream);
    tls_context_destroy(context);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_certificates__of_one_authority__a_message_comes_through),
    CHECK_TEST(test_certificates__another_name_or_authority__auth),
    CHECK_TEST(test_refusal__whatever_the_reason__after_the_same_time),
    CHECK_TEST(test_refusal__waits_while_others_come__dropped_for_them),
};

CHECK_MAIN("tcp_certificates", tests)
