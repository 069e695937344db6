/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_frame.c — credits and ends on a TCP stream: the same frame on both sides, and every
 * damaged byte noticed. */
#include "tcp_frame.h"

#include <string.h>

#include "check.h"
#include "credit.h"

static const enum tcp_frame_kind kinds[] = {TCP_FRAME_CREDIT, TCP_FRAME_END};
static const struct credit_frame sample = {
    .epoch = UINT64_C(0x0102030405060708), .freed = 77, .applied = UINT64_C(0xfffffffffffffff0)};

static void test_tcp_frame_decode__encoded__same_kind_and_numbers(void)
{
    for (size_t i = 0; i < CHECK_COUNT(kinds); i++) {
        uint8_t bytes[TCP_FRAME_BYTES];
        enum tcp_frame_kind kind = kinds[1 - i];
        struct credit_frame record;
        memset(&record, 0, sizeof(record));
        tcp_frame_encode(kinds[i], &sample, NULL, bytes);
        check_status(tcp_frame_decode(bytes, NULL, &kind, &record), HAUL_OK);
        check_equal(kind, kinds[i]);
        check_equal(record.epoch, sample.epoch);
        check_equal(record.freed, sample.freed);
        check_equal(record.applied, sample.applied);
    }
}

static void test_tcp_frame_decode__any_bit_turned_over__corrupt(void)
{
    for (size_t i = 0; i < CHECK_COUNT(kinds); i++) {
        for (unsigned bit = 0; bit < 8 * TCP_FRAME_BYTES; bit++) {
            uint8_t bytes[TCP_FRAME_BYTES];
            enum tcp_frame_kind kind;
            struct credit_frame record;
            tcp_frame_encode(kinds[i], &sample, NULL, bytes);
            bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
            enum haul_status status = tcp_frame_decode(bytes, NULL, &kind, &record);
            check(status == HAUL_CORRUPT || status == HAUL_PROTOCOL);
            if (bit < 8 * 24 || bit >= 8 * 28) { /* not of its kind */
                check_status(status, HAUL_CORRUPT);
            }
        }
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_tcp_frame_decode__encoded__same_kind_and_numbers),
    CHECK_TEST(test_tcp_frame_decode__any_bit_turned_over__corrupt),
};
CHECK_MAIN("tcp_frame", tests)
