/* SPDX-License-Identifier: Apache-2.0 */
/* test_slot_header.c — the 64 bytes of a block header, and the immediate's serial arithmetic. */
#include "slot_header.h"

#include <string.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"

static const struct slot_header sample = {
    .type = SLOT_DATA,
    .kind = SLOT_KIND_DELTA,
    .epoch = UINT64_C(0x1112131415161718),
    .sequence = UINT64_C(0x2122232425262728),
    .batch = UINT64_C(0x3132333435363738),
    .stream = 0x41424344,
    .flags = SLOT_LAST | SLOT_COMPRESSED,
    .payload_size_bytes = 0x51525354,
    .record_count = 0x61626364,
    .raw_size_bytes = 0x71727374,
    .payload_crc = 0x81828384,
};

/* Recompute the header CRC after a change. */
static void seal(uint8_t *bytes)
{
    put_u32(bytes + SLOT_HEADER_BYTES - 4, crc32c(bytes, SLOT_HEADER_BYTES - 4));
}

static void test_slot_header_encode__sample__bytes_of_the_protocol(void)
{
    uint8_t bytes[SLOT_HEADER_BYTES];
    slot_header_encode(&sample, bytes);
    check(memcmp(bytes, "HAUL\1\0\1\2", 8) == 0);
    check_equal(get_u64(bytes + 8), sample.epoch);
    check_equal(get_u64(bytes + 16), sample.sequence);
    check_equal(get_u64(bytes + 24), sample.batch);
    check_equal(get_u32(bytes + 32), sample.stream);
    check_equal(get_u32(bytes + 36), sample.flags);
    check_equal(get_u32(bytes + 40), sample.payload_size_bytes);
    check_equal(get_u32(bytes + 44), sample.record_count);
    check_equal(get_u32(bytes + 48), sample.raw_size_bytes);
    check_equal(get_u32(bytes + 52), 0);
    check_equal(get_u32(bytes + 56), sample.payload_crc);
    check_equal(get_u32(bytes + 60), crc32c(bytes, 60));
}

static void test_slot_header_decode__encoded__same_fields(void)
{
    uint8_t bytes[SLOT_HEADER_BYTES];
    uint8_t again[SLOT_HEADER_BYTES];
    struct slot_header header;
    const char *why = NULL;
    slot_header_encode(&sample, bytes);
    check_status(slot_header_decode(bytes, &header, &why), HAUL_OK);
    check(why == NULL);
    check_equal(header.type, sample.type);
    check_equal(header.kind, sample.kind);
    check_equal(header.payload_crc, sample.payload_crc);
    slot_header_encode(&header, again); /* every other field */
    check(memcmp(bytes, again, sizeof(bytes)) == 0);
}

static void test_slot_header_decode__any_bit_flipped__damaged_with_a_reason(void)
{
    for (size_t bit = 0; bit < SLOT_HEADER_BYTES * 8; bit++) {
        uint8_t bytes[SLOT_HEADER_BYTES];
        struct slot_header header;
        const char *why = NULL;
        slot_header_encode(&sample, bytes);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum haul_status status = slot_header_decode(bytes, &header, &why);
        check_status(status, HAUL_CORRUPT);
        check(why != NULL);
    }
}

static void check_sealed_refused(size_t at, uint8_t value, enum haul_status expected)
{
    uint8_t bytes[SLOT_HEADER_BYTES];
    struct slot_header header;
    const char *why = NULL;
    slot_header_encode(&sample, bytes);
    bytes[at] = value;
    seal(bytes);
    check_status(slot_header_decode(bytes, &header, &why), expected);
    check(why != NULL);
}

static void test_slot_header_decode__sound_crc_and_another_version__version(void)
{
    check_sealed_refused(4, SLOT_HEADER_VERSION + 1, HAUL_VERSION);
    check_sealed_refused(5, 1, HAUL_VERSION);
}

static void test_slot_header_decode__sound_crc_and_reserved_bytes_set__protocol(void)
{
    for (size_t at = 52; at < 56; at++) {
        check_sealed_refused(at, 1, HAUL_PROTOCOL);
    }
}

static void test_slot_header_decode__sound_crc_and_another_magic__protocol(void)
{
    check_sealed_refused(0, 'h', HAUL_PROTOCOL);
}

static void test_imm_pack__types_and_sequences__unpacked_again(void)
{
    static const uint64_t sequences[] = {
        0, 1, IMM_SEQUENCE_MASK, UINT64_C(1) << 28, UINT64_C(0xfffffff0), UINT64_MAX};
    for (int type = SLOT_DATA; type <= SLOT_CLOSE; type++) {
        for (size_t i = 0; i < CHECK_COUNT(sequences); i++) {
            uint32_t imm = imm_pack((enum slot_type)type, sequences[i]);
            check_equal(imm_type(imm), (enum slot_type)type);
            check_equal(imm_distance(imm, sequences[i]), 0);
        }
    }
}

static void test_imm_distance__around_the_wrap__signed_serial_distance(void)
{
    static const uint64_t bases[] = {0, 5, IMM_SEQUENCE_MASK, UINT64_C(0xfffffff0), UINT64_MAX};
    for (size_t i = 0; i < CHECK_COUNT(bases); i++) {
        for (int32_t distance = -300; distance <= 300; distance++) {
            uint64_t sequence = bases[i] + (uint64_t)(int64_t)distance;
            check_equal(imm_distance(imm_pack(SLOT_DATA, sequence), bases[i]), distance);
        }
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_slot_header_encode__sample__bytes_of_the_protocol),
    CHECK_TEST(test_slot_header_decode__encoded__same_fields),
    CHECK_TEST(test_slot_header_decode__any_bit_flipped__damaged_with_a_reason),
    CHECK_TEST(test_slot_header_decode__sound_crc_and_another_version__version),
    CHECK_TEST(test_slot_header_decode__sound_crc_and_reserved_bytes_set__protocol),
    CHECK_TEST(test_slot_header_decode__sound_crc_and_another_magic__protocol),
    CHECK_TEST(test_imm_pack__types_and_sequences__unpacked_again),
    CHECK_TEST(test_imm_distance__around_the_wrap__signed_serial_distance),
};

CHECK_MAIN("slot_header", tests)
