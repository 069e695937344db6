/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_handshake.c — how the connecting side handles each answer, and none: the status, which
 * decides about a retry, and the text. */
#include "tcp_handshake.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "raw_peer.h"

enum { PEER_TIMEOUT_MS = 300, VERSIONS_AT = 8, STATUS_AT = 12, CRC_AT = TCP_PREAMBLE_BYTES - 4 };

static int fds[2]; /* the peer's end, ours */
static struct fake_clock clock_of_test;
static struct link_config config;
static struct tcp_handshake handshake;
static struct haul_error error;

static void start(void)
{
    const struct link_address peer = raw_loopback();
    const struct link_ticket ticket = {.index = 3};
    memset(&error, 0, sizeof(error));
    memset(&config, 0, sizeof(config));
    check_or_stop(raw_pair(fds));
    fake_clock_init(&clock_of_test);
    config.clock = &clock_of_test.clock;
    config.options.peer_timeout_ms = PEER_TIMEOUT_MS;
    tcp_handshake_init(&handshake, &peer, TCP_CONTROL, &ticket, &config);
}

static void finish(void)
{
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static enum haul_status step(void)
{
    memset(&error, 0, sizeof(error));
    return tcp_handshake_step(&handshake, &(struct tls_socket){.fd = fds[1]}, &error);
}

/* The preamble was sent, and has arrived. */
static void send_preamble(void)
{
    uint8_t expected[TCP_PREAMBLE_BYTES];
    uint8_t came[TCP_PREAMBLE_BYTES];
    const struct link_ticket ticket = {.index = 3};
    check_equal(tcp_handshake_interest(&handshake, &(struct tls_socket){.fd = fds[1]}), EPOLLOUT);
    check_status(step(), HAUL_AGAIN);
    check_equal(handshake.state, TCP_HANDSHAKE_READING);
    check_equal(tcp_handshake_interest(&handshake, &(struct tls_socket){.fd = fds[1]}), EPOLLIN);
    tcp_preamble_encode(TCP_CONTROL, &ticket, expected);
    check(raw_read(fds[0], came, sizeof(came)) && memcmp(came, expected, sizeof(came)) == 0);
}

static void answer(const void *bytes, size_t size)
{
    check(raw_write(fds[0], bytes, size));
    check(raw_wait(fds[1], POLLIN));
}

/* An answer with these versions and a valid checksum. */
static void make_answer(uint32_t status, uint16_t version_min, uint16_t version_max,
                        uint8_t bytes[TCP_PREAMBLE_BYTES])
{
    tcp_answer_encode(HAUL_OK, bytes);
    put_u16(bytes + VERSIONS_AT, version_min);
    put_u16(bytes + VERSIONS_AT + 2, version_max);
    put_u32(bytes + STATUS_AT, status);
    put_u32(bytes + CRC_AT, crc32c(bytes, CRC_AT));
}

static void test_tcp_handshake_step__each_answer__its_status_and_words(void)
{
    static const struct {
        uint32_t status;
        uint16_t version_min;
        uint16_t version_max;
        enum haul_status expected;
        const char *words; /* in the text */
    } cases[] = {
        {HAUL_OK, LINK_VERSION_MIN, LINK_VERSION_MAX, HAUL_OK, ""},
        {HAUL_OK, LINK_VERSION_MAX, LINK_VERSION_MAX + 3, HAUL_OK, ""},
        {HAUL_OK, LINK_VERSION_MIN - 1, LINK_VERSION_MIN, HAUL_OK, ""},
        {HAUL_OK, LINK_VERSION_MAX + 1, LINK_VERSION_MAX + 3, HAUL_VERSION, "speaks link versions"},
        {HAUL_OK, 0, LINK_VERSION_MIN - 1, HAUL_VERSION, "speaks link versions"},
        {HAUL_VERSION, LINK_VERSION_MIN, LINK_VERSION_MAX, HAUL_VERSION, "speaks link versions"},
        {HAUL_AUTH, LINK_VERSION_MIN, LINK_VERSION_MAX, HAUL_AUTH, "refused the connection"},
        {HAUL_BUSY, LINK_VERSION_MIN, LINK_VERSION_MAX, HAUL_BUSY, "refused the connection"},
        {HAUL_FENCED, LINK_VERSION_MIN, LINK_VERSION_MAX, HAUL_FENCED, "refused the connection"},
        {HAUL_AGAIN, LINK_VERSION_MIN, LINK_VERSION_MAX, HAUL_PROTOCOL, "refused the connection"},
        {9999, LINK_VERSION_MIN, LINK_VERSION_MAX, HAUL_PROTOCOL, "an unknown status"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        uint8_t bytes[TCP_PREAMBLE_BYTES];
        start();
        send_preamble();
        make_answer(cases[i].status, cases[i].version_min, cases[i].version_max, bytes);
        answer(bytes, sizeof(bytes));
        check_status(step(), cases[i].expected);
        check_equal(handshake.state == TCP_HANDSHAKE_DONE, cases[i].expected == HAUL_OK);
        check_equal(error.status, cases[i].expected);
        check(strstr(error.text, cases[i].words) != NULL);
        finish();
    }
}

static void test_tcp_handshake_step__answer_in_pieces__accepted_with_the_last_byte(void)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    start();
    send_preamble();
    tcp_answer_encode(HAUL_OK, bytes);
    answer(bytes, sizeof(bytes) - 1);
    check_status(step(), HAUL_AGAIN);
    check_equal(handshake.state, TCP_HANDSHAKE_READING);
    answer(bytes + sizeof(bytes) - 1, 1);
    check_status(step(), HAUL_OK);
    check_equal(handshake.state, TCP_HANDSHAKE_DONE);
    finish();
}

static void test_tcp_handshake_step__damaged_answer__corrupt(void)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    start();
    send_preamble();
    tcp_answer_encode(HAUL_OK, bytes);
    bytes[STATUS_AT] ^= 1;
    answer(bytes, sizeof(bytes));
    check_error(tcp_handshake_step(&handshake, &(struct tls_socket){.fd = fds[1]}, &error),
                HAUL_CORRUPT, error);
    finish();
}

/* Recognized at its first byte: a web server must not keep us waiting for 64 of them. */
static void test_tcp_handshake_step__not_our_answer__protocol_at_once(void)
{
    start();
    send_preamble();
    answer("HTTP", 4);
    check_error(tcp_handshake_step(&handshake, &(struct tls_socket){.fd = fds[1]}, &error),
                HAUL_PROTOCOL, error);
    check(strstr(error.text, "is not a haul peer") != NULL);
    check(strstr(error.hint, "haul recv") != NULL);
    finish();
}

static void test_tcp_handshake_step__closed_without_an_answer__closed_and_a_hint(void)
{
    start();
    send_preamble();
    check_equal(shutdown(fds[0], SHUT_WR), 0);
    check(raw_wait(fds[1], POLLIN));
    check_error(tcp_handshake_step(&handshake, &(struct tls_socket){.fd = fds[1]}, &error),
                HAUL_CLOSED, error);
    check(strstr(error.text, "without an answer") != NULL);
    check(strstr(error.hint, "haul recv") != NULL);
    finish();
}

static void test_tcp_handshake_step__no_answer__timeout_when_it_is_due_and_not_before(void)
{
    start();
    send_preamble();
    fake_clock_advance_ms(&clock_of_test, PEER_TIMEOUT_MS - 1);
    check_status(step(), HAUL_AGAIN);
    fake_clock_advance_ms(&clock_of_test, 1);
    check_error(tcp_handshake_step(&handshake, &(struct tls_socket){.fd = fds[1]}, &error),
                HAUL_TIMEOUT, error);
    check(strstr(error.text, "answer our preamble within 300 ms") != NULL);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_tcp_handshake_step__each_answer__its_status_and_words),
    CHECK_TEST(test_tcp_handshake_step__answer_in_pieces__accepted_with_the_last_byte),
    CHECK_TEST(test_tcp_handshake_step__damaged_answer__corrupt),
    CHECK_TEST(test_tcp_handshake_step__not_our_answer__protocol_at_once),
    CHECK_TEST(test_tcp_handshake_step__closed_without_an_answer__closed_and_a_hint),
    CHECK_TEST(test_tcp_handshake_step__no_answer__timeout_when_it_is_due_and_not_before),
};
CHECK_MAIN("tcp_handshake", tests)
