/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_clear.c — clears a range in pieces; ending it early leaves no record either. */
#include <stdlib.h>

#include "call_steps.h"
#include "check.h"
#include "rocks_fixture.h"
#include "rocks_store.h"

enum { RECORD_COUNT = 4000, VALUE_BYTES = 200, CUT_COUNT = 3 };

static uint64_t pretended_bytes; /* size of any range; 0: the real one */

enum haul_status __real_rocks_range_size(struct haul_store *base, uint32_t family_id,
                                         struct haul_slice start, struct haul_slice end,
                                         uint64_t *bytes, struct haul_error *failure);
enum haul_status __wrap_rocks_range_size(struct haul_store *base, uint32_t family_id,
                                         struct haul_slice start, struct haul_slice end,
                                         uint64_t *bytes, struct haul_error *failure);
enum haul_status __wrap_rocks_range_size(struct haul_store *base, uint32_t family_id,
                                         struct haul_slice start, struct haul_slice end,
                                         uint64_t *bytes, struct haul_error *failure)
{
    if (pretended_bytes == 0) {
        return __real_rocks_range_size(base, family_id, start, end, bytes, failure);
    }
    *bytes = pretended_bytes;
    return HAUL_OK;
}

static struct rocks_fixture fixture;
static struct haul_error error;
static struct call_steps calls;
static uint32_t steps_left;

/* The owner's thread requests the end after the counted step. */
static bool next_of_few(void *context)
{
    (void)context;
    if (steps_left == 0) {
        call_steps_end(&calls);
    } else {
        steps_left--;
    }
    return call_steps_next(&calls);
}

static uint64_t bytes_of_range(void)
{
    uint64_t bytes = 1;
    struct haul_slice none = {NULL, 0};
    check_status(fixture.store->ops->range_size(fixture.store, 0, none, none, &bytes, &error),
                 HAUL_OK);
    return bytes;
}

/* Keys k00000000 .. in table files, and a neighbour on each side. */
static void start(void)
{
    rocks_fixture_open(&fixture);
    rocks_fixture_fill(&fixture, 0, "k", RECORD_COUNT, VALUE_BYTES);
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("1"));
    rocks_fixture_put(&fixture, 0, text_slice("z"), text_slice("2"));
    check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
    call_steps_begin(&calls);
    steps_left = UINT32_MAX;
}

/* In four pieces, as many as the steps allow. */
static void clear(uint32_t steps_max)
{
    struct haul_slice keys[CUT_COUNT] = {text_slice("k00001000"), text_slice("k00002000"),
                                         text_slice("k00003000")};
    const struct haul_slice edges[2] = {text_slice("k00000000"), text_slice("k00003999")};
    const struct rocks_cuts cuts = {.keys = keys, .count = CUT_COUNT, .compacts = true};
    const struct rocks_family *family = NULL;
    const struct haul_steps steps = {.next = next_of_few};
    uint64_t done = call_steps_done(&calls);
    steps_left = steps_max;
    check_or_stop(rocks_family(rocks_of(fixture.store), 0, &family, &error) == HAUL_OK);
    check_status(rocks_clear_pieces(rocks_of(fixture.store), family, edges, &cuts, &steps, &error),
                 HAUL_OK);
    uint64_t wanted = steps_max < CUT_COUNT + 1 ? steps_max + 1 : CUT_COUNT + 1;
    check_equal(call_steps_done(&calls) - done, wanted);
}

static void check_only_neighbours(void)
{
    check_equal(rocks_fixture_count(&fixture, "default"), 2);
    rocks_fixture_reopen(&fixture);
    check_equal(rocks_fixture_count(&fixture, "default"), 2);
}

static void test_rocks_clear_pieces__every_step__nothing_and_no_bytes_left(void)
{
    start();
    clear(UINT32_MAX);
    check(bytes_of_range() < VALUE_BYTES);
    check_only_neighbours();
    rocks_fixture_close(&fixture);
}

static void test_rocks_clear_pieces__ended_at_each_step__nothing_left(void)
{
    for (uint32_t steps_max = 0; steps_max <= CUT_COUNT; steps_max++) {
        start();
        clear(steps_max);
        check(bytes_of_range() > 0);
        check_only_neighbours();
        rocks_fixture_close(&fixture);
    }
}

static void test_rocks_clear_pieces__left_to_rocksdb__nothing_left(void)
{
    start();
    const struct haul_slice edges[2] = {text_slice("k00000000"), text_slice("k00003999")};
    const struct rocks_cuts cuts = {.compacts = false};
    const struct rocks_family *family = NULL;
    check_or_stop(rocks_family(rocks_of(fixture.store), 0, &family, &error) == HAUL_OK);
    check_status(rocks_clear_pieces(rocks_of(fixture.store), family, edges, &cuts, NULL, &error),
                 HAUL_OK);
    check(bytes_of_range() > 0); /* nothing was compacted */
    check_only_neighbours();
    rocks_fixture_close(&fixture);
}

/* A deletion counts as done even if nobody synced it, so it must be durable. */
static void test_rocks_range_clear__deleted_without_log__stays_deleted(void)
{
    start();
    const struct haul_store_ops *ops = fixture.store->ops;
    struct haul_slice none = {NULL, 0};
    for (unsigned i = 0; i < 2; i++) {
        static const char *const keys[] = {"a", "z"};
        rocks_fixture_delete(&fixture, 0, text_slice(keys[i]));
    }
    check_status(ops->range_clear(fixture.store, 0, text_slice("k"), text_slice("l"), NULL, &error),
                 HAUL_OK);
    uint64_t sequence = ops->sequence(fixture.store);
    check_status(ops->range_clear(fixture.store, 0, none, none, NULL, &error), HAUL_OK);
    check_equal(ops->sequence(fixture.store), sequence); /* no tombstone where nothing is */
    check_equal(bytes_of_range(), 0);
    rocks_fixture_close(&fixture);
}

/* How many steps a clearing of k takes when it has so many bytes. */
static uint64_t steps_for(uint64_t bytes)
{
    const struct haul_steps steps = {.next = next_of_few};
    uint64_t before = call_steps_done(&calls);
    pretended_bytes = bytes;
    check_status(fixture.store->ops->range_clear(fixture.store, 0, text_slice("k"), text_slice("l"),
                                                 &steps, &error),
                 HAUL_OK);
    pretended_bytes = 0;
    check_only_neighbours();
    return call_steps_done(&calls) - before;
}

static void test_rocks_range_clear__by_size__one_piece_for_each_part(void)
{
    static const struct {
        uint64_t bytes;
        uint64_t steps;
    } cases[] = {{1, 1},
                 {ROCKS_CLEAR_PIECE_BYTES - 1, 1},
                 {ROCKS_CLEAR_PIECE_BYTES, 2},
                 {3 * ROCKS_CLEAR_PIECE_BYTES, 4}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        start();
        check_equal(steps_for(cases[i].bytes), cases[i].steps);
        rocks_fixture_close(&fixture);
    }
}

/* Its compactions would rewrite the whole family. */
static void test_rocks_range_clear__large_in_universal_style__left_to_rocksdb(void)
{
    start();
    rocksdb_options_set_compaction_style(rocks_of(fixture.store)->families[0].options,
                                         rocksdb_universal_compaction);
    check_equal(steps_for(ROCKS_CLEAR_PIECE_BYTES + 1), 0);
    rocks_fixture_close(&fixture);
    start();
    rocksdb_options_set_compaction_style(rocks_of(fixture.store)->families[0].options,
                                         rocksdb_universal_compaction);
    check_equal(steps_for(ROCKS_CLEAR_PIECE_BYTES), 1);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_clear_pieces__every_step__nothing_and_no_bytes_left),
    CHECK_TEST(test_rocks_clear_pieces__ended_at_each_step__nothing_left),
    CHECK_TEST(test_rocks_clear_pieces__left_to_rocksdb__nothing_left),
    CHECK_TEST(test_rocks_range_clear__deleted_without_log__stays_deleted),
    CHECK_TEST(test_rocks_range_clear__by_size__one_piece_for_each_part),
    CHECK_TEST(test_rocks_range_clear__large_in_universal_style__left_to_rocksdb),
};

CHECK_MAIN("rocks_clear", tests)
