/* SPDX-License-Identifier: Apache-2.0 */
/* test_block_seal.c — what a sealed block hides, and that nobody changes any part of it. */
#include "block_seal.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { SIZE = 300 };

static struct block_key key;
static struct slot_header header;
static uint8_t payload[SIZE + BLOCK_TAG_BYTES];
static uint8_t plain[SIZE];

static void make(enum haul_wire wire, size_t size)
{
    key.wire = wire;
    memset(key.bytes, 7, sizeof(key.bytes));
    header = (struct slot_header){.type = SLOT_DATA,
                                  .kind = SLOT_KIND_SNAPSHOT,
                                  .epoch = 3,
                                  .sequence = 99,
                                  .batch = 5,
                                  .stream = 2,
                                  .flags = SLOT_LAST,
                                  .payload_size_bytes = (uint32_t)size,
                                  .record_count = 4,
                                  .raw_size_bytes = 1000};
    for (size_t i = 0; i < SIZE; i++) {
        plain[i] = (uint8_t)(i * 7 + 1);
    }
    memcpy(payload, plain, size);
}

static void seal(enum haul_wire wire, size_t size)
{
    make(wire, size);
    check_status(block_seal(&key, &header, payload), HAUL_OK);
    check_equal(header.payload_size_bytes, size + block_seal_bytes(&key));
}

static enum haul_status open_now(void)
{
    static uint8_t copy[sizeof(payload)];
    size_t size = header.payload_size_bytes;
    memcpy(copy, payload, sizeof(copy));
    enum haul_status status = block_open(&key, &header, copy, &size);
    check(status != HAUL_OK || memcmp(copy, plain, size) == 0);
    check(status == HAUL_OK || size == 0);
    return status;
}

static void test_block__sealed_and_opened__as_before(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, SIZE};
    for (enum haul_wire wire = HAUL_WIRE_NONE; wire <= HAUL_WIRE_SECURE; wire++) {
        for (size_t i = 0; i < CHECK_COUNT(sizes); i++) {
            seal(wire, sizes[i]);
            check_status(open_now(), HAUL_OK);
        }
    }
}

static void test_block__each_mode__hides_what_it_says(void)
{
    seal(HAUL_WIRE_NONE, SIZE);
    check(memcmp(payload, plain, SIZE) == 0);
    seal(HAUL_WIRE_AUTH, SIZE);
    check(memcmp(payload, plain, SIZE) == 0);
    seal(HAUL_WIRE_SECURE, SIZE);
    check(memmem(payload, SIZE, plain, 8) == NULL);
    check(memmem(payload, SIZE, plain + 100, 8) == NULL);
}

static void test_block__any_bit_of_payload_or_tag_changed__corrupt(void)
{
    for (enum haul_wire wire = HAUL_WIRE_AUTH; wire <= HAUL_WIRE_SECURE; wire++) {
        seal(wire, SIZE);
        for (size_t bit = 0; bit < 8 * sizeof(payload); bit++) {
            payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
            check_status(open_now(), HAUL_CORRUPT);
            payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

#define CHANGED(member, by)                     \
    do {                                        \
        header.member ^= (by);                  \
        check_status(open_now(), HAUL_CORRUPT); \
        header.member ^= (by);                  \
    } while (0)

static void test_block__any_field_of_the_header_changed__corrupt(void)
{
    seal(HAUL_WIRE_SECURE, SIZE);
    CHANGED(type, 1);
    CHANGED(kind, 1);
    CHANGED(epoch, 1);
    CHANGED(batch, 1);
    CHANGED(batch, UINT64_C(1) << 60);
    CHANGED(stream, 1);
    CHANGED(flags, SLOT_COMPRESSED);
    CHANGED(record_count, 1);
    CHANGED(raw_size_bytes, 1);
    header.sequence++; /* the link's own: the same block may go over another link */
    header.payload_crc++;
    check_status(open_now(), HAUL_OK);
}

static void test_block__cut_or_prolonged__corrupt(void)
{
    seal(HAUL_WIRE_SECURE, SIZE);
    for (uint32_t size = 0; size < SIZE + BLOCK_TAG_BYTES; size++) {
        header.payload_size_bytes = size;
        check_status(open_now(), HAUL_CORRUPT);
    }
}

static void test_block__another_key_or_mode__corrupt(void)
{
    seal(HAUL_WIRE_SECURE, SIZE);
    key.bytes[31] ^= 1;
    check_status(open_now(), HAUL_CORRUPT);
    key.bytes[31] ^= 1;
    key.wire = HAUL_WIRE_AUTH;
    check_status(open_now(), HAUL_CORRUPT);
    seal(HAUL_WIRE_AUTH, SIZE);
    key.wire = HAUL_WIRE_SECURE;
    check_status(open_now(), HAUL_CORRUPT);
}

static void test_block__sealed_twice__the_same_bytes(void)
{
    uint8_t first[sizeof(payload)];
    seal(HAUL_WIRE_SECURE, SIZE);
    memcpy(first, payload, sizeof(first));
    make(HAUL_WIRE_SECURE, SIZE);
    header.sequence = 1234;
    check_status(block_seal(&key, &header, payload), HAUL_OK);
    check(memcmp(first, payload, sizeof(first)) == 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_block__sealed_and_opened__as_before),
    CHECK_TEST(test_block__each_mode__hides_what_it_says),
    CHECK_TEST(test_block__any_bit_of_payload_or_tag_changed__corrupt),
    CHECK_TEST(test_block__any_field_of_the_header_changed__corrupt),
    CHECK_TEST(test_block__cut_or_prolonged__corrupt),
    CHECK_TEST(test_block__another_key_or_mode__corrupt),
    CHECK_TEST(test_block__sealed_twice__the_same_bytes),
};

CHECK_MAIN("block_seal", tests)
