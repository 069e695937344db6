/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_reader.c — reads the log of a real database, batch by batch: merges, records larger than
 * the reader's memory, and going back. */
#include "log_reader.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum { LARGE_BYTES = 200000, BATCH_BYTES_MAX = 4096, TAG_AT = 12 };

static struct rocks_fixture fixture;
static struct haul_family merging; /* the larger value wins */
static struct plan plan;
static struct log_reader reader;
static struct log_piece piece;
static struct haul_error error;
static uint64_t begun; /* the sequence number where the reader begins */

static void begin(void)
{
    struct haul_source_options options = {.lane = HAUL_LANE_WRITE_BATCH};
    rocks_fixture_open(&fixture);
    check_or_stop(fixture.store->ops->family_create_like(fixture.store, "merging",
                                                         "merge_operator=MaxOperator\n", &merging,
                                                         &error) == HAUL_OK);
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    for (size_t i = 0; i < plan.family_count; i++) { /* the target's ids differ from ours */
        plan.families[i].target_id = plan.families[i].family.id + 10;
    }
    begun = fixture.store->ops->sequence(fixture.store);
    check_or_stop(log_reader_init(&reader, fixture.store, &plan, begun) == HAUL_OK);
}

static void end(void)
{
    log_reader_fini(&reader);
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

static void merge(const char *key, const char *value)
{
    uint8_t memory[BATCH_BYTES_MAX];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    check_or_stop(raw_batch_put(&writer, merging.id, text_slice(key), text_slice(value)));
    size_t size = raw_batch_finish(&writer);
    check_equal(memory[TAG_AT], RAW_FAMILY_PUT);
    memory[TAG_AT] = RAW_FAMILY_MERGE;
    check_status(fixture.store->ops->write(fixture.store, slice_of(memory, size), 0, &error),
                 HAUL_OK);
}

/* The next piece is one Put of this key, with a value of this size. */
static struct haul_slice next_put(uint32_t family_id, const char *key, size_t size)
{
    struct raw_batch_reader records;
    struct raw_record record = {.key = {NULL, 0}};
    check_or_stop(log_reader_next(&reader, &piece, &error) == HAUL_OK);
    check_equal(piece.record_count, 1);
    check_or_stop(raw_batch_open(&records, piece.kept) == HAUL_OK);
    check_or_stop(raw_batch_next(&records, &record) == HAUL_OK);
    check_equal(record.kind, RAW_PUT);
    check_equal(record.family_id, family_id);
    check(slice_compare(record.key, text_slice(key)) == 0);
    check_equal(record.value.size, size);
    check(piece.bytes >= size);
    return record.value;
}

static void check_at_the_end(void)
{
    check_status(log_reader_next(&reader, &piece, &error), HAUL_AGAIN);
    check_equal(reader.sequence, fixture.store->ops->sequence(fixture.store));
}

/* A merge arrives as what the key reads as now. */
static void test_log_reader_next__merges__puts_of_the_value_now(void)
{
    begin();
    merge("a", "1");
    merge("a", "3");
    merge("b", "2");
    for (int i = 0; i < 2; i++) {
        check(slice_compare(next_put(merging.id + 10, "a", 1), text_slice("3")) == 0);
    }
    check(slice_compare(next_put(merging.id + 10, "b", 1), text_slice("2")) == 0);
    check_equal(reader.merge_count, 3);
    check_at_the_end();
    end();
}

static void test_log_reader_next__larger_than_its_memory__grows_and_keeps_all(void)
{
    static uint8_t value[3 * LARGE_BYTES];
    begin();
    for (size_t i = 0; i < sizeof(value); i++) {
        value[i] = (uint8_t)(i * 7);
    }
    for (size_t times = 1; times <= 3; times++) {
        rocks_fixture_put(&fixture, 0, text_slice("k"), slice_of(value, times * LARGE_BYTES));
    }
    rocks_fixture_put(&fixture, 0, text_slice("s"), text_slice("small"));
    for (size_t times = 1; times <= 3; times++) {
        struct haul_slice got = next_put(10, "k", times * LARGE_BYTES);
        check(memcmp(got.data, value, got.size) == 0);
    }
    check(slice_compare(next_put(10, "s", 5), text_slice("small")) == 0);
    check_at_the_end();
    end();
}

static void test_log_reader_seek__back__the_same_again_and_what_came_since(void)
{
    begin();
    check_at_the_end();
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("1"));
    rocks_fixture_put(&fixture, 0, text_slice("b"), text_slice("22"));
    (void)next_put(10, "a", 1);
    check_equal(reader.sequence, begun + 1);
    (void)next_put(10, "b", 2);
    check_at_the_end();
    log_reader_seek(&reader, begun + 1);
    (void)next_put(10, "b", 2);
    log_reader_seek(&reader, begun);
    (void)next_put(10, "a", 1);
    (void)next_put(10, "b", 2);
    rocks_fixture_put(&fixture, 0, text_slice("c"), text_slice("333"));
    (void)next_put(10, "c", 3);
    check_at_the_end();
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_log_reader_next__merges__puts_of_the_value_now),
    CHECK_TEST(test_log_reader_next__larger_than_its_memory__grows_and_keeps_all),
    CHECK_TEST(test_log_reader_seek__back__the_same_again_and_what_came_since),
};

CHECK_MAIN("log_reader", tests)
