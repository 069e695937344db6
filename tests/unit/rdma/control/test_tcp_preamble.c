/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_preamble.c — the 64 bytes that open a connection, encoded and decoded. */
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "tcp_preamble.h"

static struct link_ticket sample_ticket(void)
{
    struct link_ticket ticket = {.version_min = 3, .version_max = 9, .index = 0x01020304};
    memset(ticket.session, 0x5a, sizeof(ticket.session));
    memset(ticket.token, 0xa5, sizeof(ticket.token));
    return ticket;
}

static void test_tcp_preamble_decode__encoded__same_ticket(void)
{
    const struct link_ticket sent = sample_ticket();
    struct link_ticket received;
    enum tcp_purpose purpose;
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    tcp_preamble_encode(TCP_DATA, &sent, bytes);
    check_status(tcp_preamble_decode(bytes, &purpose, &received), HAUL_OK);
    check_equal(purpose, TCP_DATA);
    check_equal(received.version_min, 3);
    check_equal(received.version_max, 9);
    check_equal(received.index, 0x01020304);
    check(memcmp(received.session, sent.session, sizeof(sent.session)) == 0);
    check(memcmp(received.token, sent.token, sizeof(sent.token)) == 0);
}

static void test_tcp_preamble_encode__known_ticket__bytes_of_the_protocol(void)
{
    const struct link_ticket ticket = sample_ticket();
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    tcp_preamble_encode(TCP_CONTROL, &ticket, bytes);
    const uint8_t head[] = {'H', 'A', 'U', 'L', 'P', 'R', 'E', '1', 3, 0,
                            9,   0,   1,   0,   0,   0,   4,   3,   2, 1};
    check(memcmp(bytes, head, sizeof(head)) == 0);
    check_equal(bytes[20], 0x5a);
    check_equal(bytes[36], 0xa5);
    check_equal(get_u64(bytes + 52), 0);
    check_equal(get_u32(bytes + 60), crc32c(bytes, 60));
}

static void test_tcp_preamble_encode__no_versions__those_of_the_build(void)
{
    const struct link_ticket ticket = {.index = 1};
    struct link_ticket received;
    enum tcp_purpose purpose;
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    tcp_preamble_encode(TCP_CONTROL, &ticket, bytes);
    check_status(tcp_preamble_decode(bytes, &purpose, &received), HAUL_OK);
    check_equal(received.version_min, LINK_VERSION_MIN);
    check_equal(received.version_max, LINK_VERSION_MAX);
}

static void test_tcp_preamble_decode__any_bit_flipped__refused(void)
{
    const struct link_ticket ticket = sample_ticket();
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    tcp_preamble_encode(TCP_DATA, &ticket, bytes);
    for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
        struct link_ticket received;
        enum tcp_purpose purpose;
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_status(tcp_preamble_decode(bytes, &purpose, &received),
                     bit < 64 ? HAUL_PROTOCOL : HAUL_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_tcp_preamble_decode__unknown_purpose__protocol(void)
{
    const struct link_ticket ticket = sample_ticket();
    struct link_ticket received;
    enum tcp_purpose purpose;
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    tcp_preamble_encode(TCP_DATA, &ticket, bytes);
    put_u16(bytes + 12, 3);
    put_u32(bytes + 60, crc32c(bytes, 60));
    check_status(tcp_preamble_decode(bytes, &purpose, &received), HAUL_PROTOCOL);
}

static void test_tcp_preamble_decode__reserved_bytes_of_a_later_version__ignored(void)
{
    const struct link_ticket ticket = sample_ticket();
    struct link_ticket received;
    enum tcp_purpose purpose;
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    tcp_preamble_encode(TCP_DATA, &ticket, bytes);
    put_u64(bytes + 52, 77);
    put_u32(bytes + 60, crc32c(bytes, 60));
    check_status(tcp_preamble_decode(bytes, &purpose, &received), HAUL_OK);
}

static void test_tcp_answer_decode__each_status__same_status_and_our_versions(void)
{
    const enum haul_status statuses[] = {HAUL_OK, HAUL_VERSION, HAUL_AUTH, HAUL_BUSY, HAUL_FENCED};
    for (size_t i = 0; i < CHECK_COUNT(statuses); i++) {
        uint8_t bytes[TCP_PREAMBLE_BYTES];
        enum haul_status answer;
        uint16_t version_min;
        uint16_t version_max;
        tcp_answer_encode(statuses[i], bytes);
        check_status(tcp_answer_decode(bytes, &answer, &version_min, &version_max), HAUL_OK);
        check_status(answer, statuses[i]);
        check_equal(version_min, LINK_VERSION_MIN);
        check_equal(version_max, LINK_VERSION_MAX);
    }
}

static void test_tcp_answer_decode__unknown_status__protocol(void)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum haul_status answer;
    uint16_t version_min;
    uint16_t version_max;
    tcp_answer_encode(HAUL_OK, bytes);
    put_u32(bytes + 12, 9999);
    put_u32(bytes + 60, crc32c(bytes, 60));
    check_status(tcp_answer_decode(bytes, &answer, &version_min, &version_max), HAUL_PROTOCOL);
}

static void test_tcp_answer_decode__a_preamble__protocol(void)
{
    const struct link_ticket ticket = sample_ticket();
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum haul_status answer;
    uint16_t version_min;
    uint16_t version_max;
    tcp_preamble_encode(TCP_DATA, &ticket, bytes);
    check_status(tcp_answer_decode(bytes, &answer, &version_min, &version_max), HAUL_PROTOCOL);
}

static void test_tcp_answer_decode__damaged__corrupt(void)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum haul_status answer;
    uint16_t version_min;
    uint16_t version_max;
    tcp_answer_encode(HAUL_OK, bytes);
    bytes[9] ^= 1;
    check_status(tcp_answer_decode(bytes, &answer, &version_min, &version_max), HAUL_CORRUPT);
}

static void test_tcp_preamble_plausible__prefixes__true_until_the_first_wrong_byte(void)
{
    const uint8_t *ours = (const uint8_t *)"HAULPRE1...";
    const uint8_t *foreign = (const uint8_t *)"HAXL";
    for (size_t size = 0; size <= 11; size++) {
        check(tcp_preamble_plausible(ours, size));
    }
    check(tcp_preamble_plausible(foreign, 2));
    check(!tcp_preamble_plausible(foreign, 3));
    check(!tcp_answer_plausible(ours, 5));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_tcp_preamble_decode__encoded__same_ticket),
    CHECK_TEST(test_tcp_preamble_encode__known_ticket__bytes_of_the_protocol),
    CHECK_TEST(test_tcp_preamble_encode__no_versions__those_of_the_build),
    CHECK_TEST(test_tcp_preamble_decode__any_bit_flipped__refused),
    CHECK_TEST(test_tcp_preamble_decode__unknown_purpose__protocol),
    CHECK_TEST(test_tcp_preamble_decode__reserved_bytes_of_a_later_version__ignored),
    CHECK_TEST(test_tcp_answer_decode__each_status__same_status_and_our_versions),
    CHECK_TEST(test_tcp_answer_decode__unknown_status__protocol),
    CHECK_TEST(test_tcp_answer_decode__a_preamble__protocol),
    CHECK_TEST(test_tcp_answer_decode__damaged__corrupt),
    CHECK_TEST(test_tcp_preamble_plausible__prefixes__true_until_the_first_wrong_byte),
};
CHECK_MAIN("tcp_preamble", tests)
