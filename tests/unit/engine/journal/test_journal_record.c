/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal_record.c — bodies and frames: round trips, damage, bounds. */
#include "journal_record.h"

#include <stdlib.h>

#include "crc32c.h"
#include "journal_samples.h"

enum { SEED = 0x5eed1234, FRAME_BYTES_MAX = 1024 };

static struct journal_scratch scratch;

static const struct journal_record sample_others[] = {SAMPLE_ABORTED,
                                                      SAMPLE_DECISION(false),
                                                      SAMPLE_FAMILY,
                                                      {.type = JOURNAL_RESTORED},
                                                      {.type = JOURNAL_PARTED},
                                                      {.type = JOURNAL_HELD, .held = {1, 2, 3}}};

/* Encode with number 42; the size. */
static size_t encode(const struct journal_record *record, uint8_t memory[FRAME_BYTES_MAX])
{
    const struct journal_frame frame = {
        .seed = SEED, .flags = JOURNAL_FRAME_AFTER_SYNC, .number = 42};
    size_t size = 0;
    check_status(journal_record_size(record, &size), HAUL_OK);
    check_or_stop(size <= FRAME_BYTES_MAX);
    journal_record_encode(record, &frame, memory);
    return size;
}

static enum haul_status decode(const uint8_t *memory, size_t size, struct journal_record *record)
{
    struct journal_frame frame = {.seed = SEED, .flags = 0, .number = 0};
    size_t used = 0;
    return journal_record_decode(slice_of(memory, size), &frame, &scratch, record, &used);
}

/* Correct the checksum of a frame whose body the test has changed. */
static void seal(uint8_t *memory, size_t size)
{
    put_u32(memory, (uint32_t)(size - JOURNAL_FRAME_BYTES));
    put_u32(memory + size - 4, crc32c_extend(SEED, memory, size - 4));
}

static void check_round_trip(const struct journal_record *record)
{
    uint8_t memory[FRAME_BYTES_MAX];
    uint8_t again[FRAME_BYTES_MAX];
    size_t size = encode(record, memory);
    struct journal_record decoded;
    check_status(decode(memory, size, &decoded), HAUL_OK);
    check_equal(decoded.type, record->type);
    check_equal(encode(&decoded, again), size);
    check(memcmp(memory, again, size) == 0);
}

/* Texts from the writer of the file: they are printed, and end at a NUL. */
static void test_journal_record_decode__peer_that_is_no_text__corrupt(void)
{
    const struct journal_record peer = SAMPLE_PEER("host:2");
    uint8_t memory[FRAME_BYTES_MAX];
    struct journal_record decoded;
    size_t size = encode(&peer, memory);
    uint8_t *identity = memmem(memory, size, "id/12", 5);
    uint8_t *address = memmem(memory, size, "host:2", 6);
    check_or_stop(identity != NULL && address != NULL);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *at = i == 0 ? identity : address;
        uint8_t kept = at[1];
        at[1] = 0;
        seal(memory, size);
        check_status(decode(memory, size, &decoded), HAUL_CORRUPT);
        at[1] = kept;
        seal(memory, size);
        check_status(decode(memory, size, &decoded), HAUL_OK);
    }
}

static void test_journal_record_decode__each_type__encodes_to_the_same_bytes(void)
{
    for (size_t i = 0; i < CHECK_COUNT(sample_source); i++) {
        check_round_trip(&sample_source[i]);
    }
    for (size_t i = 0; i < CHECK_COUNT(sample_target); i++) {
        check_round_trip(&sample_target[i]);
    }
    for (size_t i = 0; i < CHECK_COUNT(sample_others); i++) {
        check_round_trip(&sample_others[i]);
    }
}

static void test_journal_record_decode__positions__every_field_is_back(void)
{
    uint8_t memory[FRAME_BYTES_MAX];
    struct journal_record record;
    size_t size = encode(&sample_target[1], memory);
    check_status(decode(memory, size, &record), HAUL_OK);
    check_or_stop(record.positions.count == 2);
    const struct stream_position *first = &record.positions.items[0];
    check_equal(first->stream, 7);
    check(!first->finished);
    check_equal(first->next_batch, 3);
    check_equal(first->digest.low, 0x1122334455667788);
    check(slice_compare(first->last_key, slice_of("key-0007", 8)) == 0);
    check(record.positions.items[1].finished);
    check_equal(record.positions.items[1].last_key.size, 0);
}

static void test_journal_record_encode__delta__bytes_are_as_documented(void)
{
    static const uint8_t expected[] = {
        16, 0, 0, 0, 33, 0, 1, 0, 42, 0, 0, 0, 0, 0, 0, 0, /* size, type, flags, number */
        1,  0, 0, 0, 0,  0, 0, 0, 2,  0, 0, 0, 0, 0, 0, 0, /* next batch, sequence */
    };
    const struct journal_record record = SAMPLE_DELTA(1, 2);
    uint8_t memory[FRAME_BYTES_MAX];
    size_t size = encode(&record, memory);
    check_equal(size, sizeof(expected) + 4);
    check(memcmp(memory, expected, sizeof(expected)) == 0);
    check_equal(get_u32(memory + sizeof(expected)),
                crc32c_extend(SEED, expected, sizeof(expected)));
}

static void test_journal_record_decode__any_bit_flipped__not_found(void)
{
    uint8_t memory[FRAME_BYTES_MAX];
    size_t size = encode(&sample_target[1], memory);
    struct journal_record record;
    for (size_t bit = 0; bit < size * 8; bit++) {
        memory[bit / 8] ^= (uint8_t)(1U << bit % 8);
        check_status(decode(memory, size, &record), HAUL_NOT_FOUND);
        memory[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void test_journal_record_decode__cut_anywhere__not_found(void)
{
    uint8_t memory[FRAME_BYTES_MAX];
    size_t size = encode(&sample_target[1], memory);
    for (size_t cut = 0; cut < size; cut++) {
        struct journal_record record;
        uint8_t *exact = malloc(cut == 0 ? 1 : cut); /* so that sanitizers notice overreads */
        check_or_stop(exact != NULL);
        memcpy(exact, memory, cut);
        check_status(decode(exact, cut, &record), HAUL_NOT_FOUND);
        free(exact);
    }
}

static void test_journal_record_decode__other_seed__not_found(void)
{
    uint8_t memory[FRAME_BYTES_MAX];
    size_t size = encode(&sample_source[0], memory);
    struct journal_frame frame = {.seed = SEED + 1, .flags = 0, .number = 0};
    struct journal_record record;
    size_t used = 0;
    check_status(journal_record_decode(slice_of(memory, size), &frame, &scratch, &record, &used),
                 HAUL_NOT_FOUND);
}

static void test_journal_record_decode__zeros__not_found(void)
{
    uint8_t memory[FRAME_BYTES_MAX] = {0};
    struct journal_record record;
    check_status(decode(memory, sizeof(memory), &record), HAUL_NOT_FOUND);
}

/* A valid checksum over a body that is one byte too short or too long. */
static void check_body_size_is_exact(const struct journal_record *record)
{
    uint8_t memory[FRAME_BYTES_MAX] = {0};
    size_t size = encode(record, memory);
    struct journal_record decoded;
    memory[size] = 0;
    seal(memory, size + 1);
    check_status(decode(memory, size + 1, &decoded), HAUL_CORRUPT);
    if (size > JOURNAL_FRAME_BYTES) {
        seal(memory, size - 1);
        check_status(decode(memory, size - 1, &decoded), HAUL_CORRUPT);
    }
}

static void test_journal_record_decode__body_of_wrong_size__corrupt(void)
{
    for (size_t i = 1; i < CHECK_COUNT(sample_source); i++) { /* a plan may have any size */
        check_body_size_is_exact(&sample_source[i]);
    }
    for (size_t i = 1; i < CHECK_COUNT(sample_target); i++) {
        check_body_size_is_exact(&sample_target[i]);
    }
    check_body_size_is_exact(&sample_others[0]);
}

static void check_change_is_corrupt(const struct journal_record *record, size_t at, uint8_t value)
{
    uint8_t memory[FRAME_BYTES_MAX];
    size_t size = encode(record, memory);
    struct journal_record decoded;
    memory[at] = value;
    seal(memory, size);
    check_status(decode(memory, size, &decoded), HAUL_CORRUPT);
}

static void test_journal_record_decode__fields_out_of_bounds__corrupt(void)
{
    enum { BODY = JOURNAL_FRAME_HEADER_BYTES };
    check_change_is_corrupt(&sample_target[1], 4, 99);                /* unknown type */
    check_change_is_corrupt(&sample_target[1], 6, 2);                 /* unknown flag */
    check_change_is_corrupt(&sample_target[1], BODY, 0);              /* no position */
    check_change_is_corrupt(&sample_target[1], BODY + 1, 2);          /* too many positions */
    check_change_is_corrupt(&sample_target[1], BODY + 4 + 4, 2);      /* finished: 2 */
    check_change_is_corrupt(&sample_target[1], BODY + 4 + 48 + 3, 1); /* key too long */
    check_change_is_corrupt(&sample_target[6], BODY + 32 + 1, 2);     /* too many digests */
    check_change_is_corrupt(&sample_source[7], BODY, 3);              /* decision: 3 */
    check_change_is_corrupt(&sample_source[7], BODY + 1, 1);          /* not zero */
    check_change_is_corrupt(&sample_others[0], BODY, 0);              /* aborted with OK */
}

/* Its size is right: only the rule for the number refuses it. */
static void test_journal_record_decode__list_of_no_positions__corrupt(void)
{
    enum { BODY = JOURNAL_FRAME_HEADER_BYTES, COUNT_BYTES = 4, CRC_BYTES = 4 };
    uint8_t memory[FRAME_BYTES_MAX];
    struct journal_record decoded;
    (void)encode(&sample_target[1], memory);
    put_u32(memory + BODY, 0);
    seal(memory, BODY + COUNT_BYTES + CRC_BYTES);
    check_status(decode(memory, BODY + COUNT_BYTES + CRC_BYTES, &decoded), HAUL_CORRUPT);
}

static void test_journal_record_size__fields_out_of_bounds__invalid(void)
{
    static uint8_t bytes[JOURNAL_PLAN_BYTES_MAX + 1];
    size_t size = 0;
    struct journal_record record = {.type = JOURNAL_PLAN, .plan = slice_of(bytes, sizeof(bytes))};
    check_status(journal_record_size(&record, &size), HAUL_INVALID);
    record.plan.size = 0;
    check_status(journal_record_size(&record, &size), HAUL_INVALID);
    record.plan.size = JOURNAL_PLAN_BYTES_MAX;
    check_status(journal_record_size(&record, &size), HAUL_OK);

    struct journal_record aborted = SAMPLE_ABORTED;
    aborted.aborted.text = slice_of(bytes, JOURNAL_TEXT_BYTES_MAX + 1);
    check_status(journal_record_size(&aborted, &size), HAUL_INVALID);

    struct journal_record positions = SAMPLE_POSITION;
    positions.positions.count = JOURNAL_POSITIONS_MAX + 1;
    check_status(journal_record_size(&positions, &size), HAUL_INVALID);
}

static void test_journal_record_size__keys_fill_the_body__limit(void)
{
    struct stream_position items[3];
    for (size_t i = 0; i < 3; i++) {
        items[i] = sample_positions[0];
        items[i].stream = (uint32_t)i;
        items[i].last_key.size = HAUL_KEY_BYTES_MAX;
    }
    struct journal_record record = {.type = JOURNAL_POSITION,
                                    .positions = {.items = items, .count = 1}};
    size_t size = 0;
    check_status(journal_record_size(&record, &size), HAUL_OK);
    record.positions.count = 3;
    check_status(journal_record_size(&record, &size), HAUL_LIMIT);
}

static void test_journal_type_is_of__record_of_one_side__not_of_the_other(void)
{
    check(journal_type_is_of(JOURNAL_PLAN, JOURNAL_SOURCE));
    check(journal_type_is_of(JOURNAL_PLAN, JOURNAL_TARGET));
    check(journal_type_is_of(JOURNAL_DECISION, JOURNAL_SOURCE));
    check(!journal_type_is_of(JOURNAL_DECISION, JOURNAL_TARGET));
    check(!journal_type_is_of(JOURNAL_COMMITTED, JOURNAL_SOURCE));
    check_text(journal_type_name(JOURNAL_COMMITTED), "COMMITTED");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_journal_record_decode__peer_that_is_no_text__corrupt),
    CHECK_TEST(test_journal_record_decode__each_type__encodes_to_the_same_bytes),
    CHECK_TEST(test_journal_record_decode__positions__every_field_is_back),
    CHECK_TEST(test_journal_record_encode__delta__bytes_are_as_documented),
    CHECK_TEST(test_journal_record_decode__any_bit_flipped__not_found),
    CHECK_TEST(test_journal_record_decode__cut_anywhere__not_found),
    CHECK_TEST(test_journal_record_decode__other_seed__not_found),
    CHECK_TEST(test_journal_record_decode__zeros__not_found),
    CHECK_TEST(test_journal_record_decode__body_of_wrong_size__corrupt),
    CHECK_TEST(test_journal_record_decode__fields_out_of_bounds__corrupt),
    CHECK_TEST(test_journal_record_decode__list_of_no_positions__corrupt),
    CHECK_TEST(test_journal_record_size__fields_out_of_bounds__invalid),
    CHECK_TEST(test_journal_record_size__keys_fill_the_body__limit),
    CHECK_TEST(test_journal_type_is_of__record_of_one_side__not_of_the_other),
};
CHECK_MAIN("journal_record", tests)
