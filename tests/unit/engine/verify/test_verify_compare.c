/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify_compare.c — two streams of pieces: equal, cut differently, and the first record that
 * differs. */
#include "verify_compare.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"

static struct verify_compare compare;
static struct verify_chunk chunk;

static void start(bool single)
{
    memset(&compare, 0, sizeof(compare));
    memset(&chunk, 0, sizeof(chunk));
    verify_compare_begin(&compare, single, VERIFY_ORDER_ASCENDING);
}

static void finish(void)
{
    verify_compare_fini(&compare);
    verify_chunk_clear(&chunk);
}

/* One more piece for the next put; `low` determines its contents. */
static void add_piece(const char *key, uint64_t low, size_t range)
{
    struct verify_piece *piece = &chunk.pieces[chunk.count++];
    *piece = (struct verify_piece){.digest = {.count = 1, .bytes = 2, .low = low}, .range = range};
    check_or_stop(verify_key_copy(slice_of(key, strlen(key)), &piece->key));
}

static void put(enum verify_side side, bool ended)
{
    chunk.ended = ended;
    check_status(verify_compare_put(&compare, side, &chunk), HAUL_OK);
    check_equal(chunk.count, 0);
    chunk.ended = false;
}

static void check_difference(const char *key, bool in_a, bool in_b)
{
    struct haul_slice found = compare.difference.key;
    check(compare.found && verify_compare_is_over(&compare));
    check(slice_compare(found, slice_of(key, strlen(key))) == 0);
    check_equal(compare.difference.in_a, in_a);
    check_equal(compare.difference.in_b, in_b);
}

static void test_verify_compare_put__equal_in_other_chunks__over_and_not_parted(void)
{
    start(false);
    add_piece("a", 1, 0);
    add_piece("b", 2, 0);
    put(VERIFY_OURS, false);
    check_equal(verify_compare_waiting(&compare, VERIFY_OURS), 2);
    add_piece("a", 1, 0);
    put(VERIFY_THEIRS, false);
    check_equal(verify_compare_waiting(&compare, VERIFY_OURS), 1);
    add_piece("b", 2, 0);
    add_piece("c", 3, 0);
    put(VERIFY_THEIRS, true);
    check(!verify_compare_is_over(&compare));
    add_piece("c", 3, 0);
    put(VERIFY_OURS, true);
    check(verify_compare_is_over(&compare) && !compare.parted);
    check_equal(compare.totals[VERIFY_OURS].count, 3);
    check(digest_equal(&compare.totals[VERIFY_OURS], &compare.totals[VERIFY_THEIRS]));
    check(slice_compare(compare.equal.key, slice_of("c", 1)) == 0);
    finish();
}

static void test_verify_compare_put__a_piece_differs__totals_go_on_the_place_stays(void)
{
    start(false);
    add_piece("a", 1, 0);
    add_piece("b", 2, 0);
    add_piece("c", 3, 0);
    put(VERIFY_OURS, true);
    add_piece("a", 1, 0);
    add_piece("b", 9, 0);
    put(VERIFY_THEIRS, false);
    check(compare.parted);
    check_equal(verify_compare_waiting(&compare, VERIFY_OURS), 0);
    put(VERIFY_THEIRS, true);
    check(verify_compare_is_over(&compare));
    check_equal(compare.totals[VERIFY_OURS].count, 3);
    check_equal(compare.totals[VERIFY_THEIRS].count, 2);
    check(compare.equal.behind_key);
    check(slice_compare(compare.equal.key, slice_of("a", 1)) == 0);
    finish();
}

static void test_verify_compare_put__one_side_ends_first__parted(void)
{
    start(false);
    add_piece("a", 1, 0);
    put(VERIFY_OURS, false);
    put(VERIFY_THEIRS, true);
    check(compare.parted && !verify_compare_is_over(&compare));
    put(VERIFY_OURS, true);
    check(verify_compare_is_over(&compare));
    check_equal(compare.totals[VERIFY_OURS].count, 1);
    finish();
}

/* The same records in another range are not the same. */
static void test_verify_compare_put__same_piece_of_another_range__parted(void)
{
    start(false);
    add_piece("a", 1, 0);
    put(VERIFY_OURS, true);
    add_piece("a", 1, 1);
    put(VERIFY_THEIRS, true);
    check(compare.parted);
    finish();
}

static void test_verify_compare_put__piece_that_ends_its_range__place_in_the_next(void)
{
    start(false);
    chunk.pieces[0] = (struct verify_piece){.digest = {.count = 1}, .ends_range = true};
    chunk.count = 1;
    put(VERIFY_OURS, false);
    chunk.pieces[0] = (struct verify_piece){.digest = {.count = 1}};
    chunk.count = 1;
    put(VERIFY_THEIRS, false);
    check_equal(compare.equal.range, 1);
    check(!compare.equal.behind_key);
    finish();
}

static void test_verify_compare_rewind__not_parted__equal_pieces_count_once(void)
{
    start(false);
    add_piece("a", 1, 0);
    add_piece("b", 2, 0);
    put(VERIFY_OURS, false);
    add_piece("a", 1, 0);
    put(VERIFY_THEIRS, false);
    verify_compare_rewind(&compare);
    check_equal(compare.totals[VERIFY_OURS].count, 1);
    check(slice_compare(compare.equal.key, slice_of("a", 1)) == 0);
    add_piece("b", 2, 0);
    put(VERIFY_OURS, true);
    add_piece("b", 2, 0);
    put(VERIFY_THEIRS, true);
    check(verify_compare_is_over(&compare) && !compare.parted);
    check_equal(compare.totals[VERIFY_THEIRS].count, 2);
    finish();
}

static void test_verify_compare_rewind__parted__all_anew(void)
{
    start(false);
    add_piece("a", 1, 0);
    put(VERIFY_OURS, true);
    add_piece("a", 2, 0);
    put(VERIFY_THEIRS, false);
    verify_compare_rewind(&compare);
    check(!compare.parted && !compare.equal.behind_key);
    check_equal(compare.totals[VERIFY_OURS].count, 0);
    check(!verify_compare_is_over(&compare));
    finish();
}

static void test_verify_compare_put__single_value_differs__in_both(void)
{
    start(true);
    add_piece("a", 1, 0);
    add_piece("b", 2, 0);
    put(VERIFY_OURS, false);
    add_piece("a", 1, 0);
    add_piece("b", 3, 0);
    put(VERIFY_THEIRS, false);
    check_difference("b", true, true);
    finish();
}

static void test_verify_compare_put__single_key_of_one_side__the_lower_one(void)
{
    start(true);
    add_piece("b", 2, 0);
    put(VERIFY_OURS, false);
    add_piece("a", 1, 0);
    put(VERIFY_THEIRS, false);
    check_difference("a", false, true);
    finish();
    start(true);
    compare.order = VERIFY_ORDER_DESCENDING;
    add_piece("b", 2, 0);
    put(VERIFY_OURS, false);
    add_piece("a", 1, 0);
    put(VERIFY_THEIRS, false);
    check_difference("b", true, false);
    finish();
}

static void test_verify_compare_put__single_behind_the_other_sides_end__in_one(void)
{
    start(true);
    verify_compare_end_side(&compare, VERIFY_OURS);
    add_piece("a", 1, 0);
    put(VERIFY_THEIRS, false);
    check_difference("a", false, true);
    finish();
    start(true);
    verify_compare_end_side(&compare, VERIFY_THEIRS);
    add_piece("a", 1, 0);
    put(VERIFY_OURS, false);
    check_difference("a", true, false);
    finish();
}

/* One of their keys arrives truncated: the rest of ours does not make them two keys. */
static void test_verify_compare_put__single_long_keys__compared_as_far_as_they_go(void)
{
    static uint8_t bytes[VERIFY_WIRE_KEY_BYTES_MAX + 5];
    memset(bytes, 'k', sizeof(bytes));
    start(true);
    for (int side = 0; side < VERIFY_SIDE_COUNT; side++) {
        size_t size = side == VERIFY_OURS ? sizeof(bytes) : VERIFY_WIRE_KEY_BYTES_MAX;
        chunk.pieces[0] = (struct verify_piece){.digest = {.count = 1, .low = (uint64_t)side}};
        check_or_stop(verify_key_copy(slice_of(bytes, size), &chunk.pieces[0].key));
        chunk.count = 1;
        put((enum verify_side)side, false);
    }
    check(compare.found && compare.difference.in_a && compare.difference.in_b);
    finish();
}

/* The next family, or the same one for the record that differs. */
static void test_verify_compare_begin__again__nothing_of_the_last_time(void)
{
    start(true);
    add_piece("a", 1, 0);
    put(VERIFY_OURS, false);
    add_piece("b", 2, 0);
    put(VERIFY_THEIRS, false);
    check_difference("a", true, false);
    verify_compare_begin(&compare, true, VERIFY_ORDER_DESCENDING);
    check(!compare.found && !compare.parted && !verify_compare_is_over(&compare));
    check(compare.difference.key.data == NULL);
    for (int side = 0; side < VERIFY_SIDE_COUNT; side++) {
        check_equal(verify_compare_waiting(&compare, (enum verify_side)side), 0);
        check_equal(compare.totals[side].count, 0);
    }
    add_piece("b", 1, 0);
    put(VERIFY_OURS, false);
    add_piece("a", 2, 0);
    put(VERIFY_THEIRS, false);
    check_difference("b", true, false);
    finish();
}

static void test_verify_compare_begin__pieces_wait__forgotten(void)
{
    for (int single = 0; single < 2; single++) {
        start(single);
        add_piece("a", 1, 0);
        add_piece("b", 1, 0);
        put(VERIFY_OURS, true);
        check_equal(verify_compare_waiting(&compare, VERIFY_OURS), 2);
        verify_compare_begin(&compare, single, VERIFY_ORDER_ASCENDING);
        check_equal(verify_compare_waiting(&compare, VERIFY_OURS), 0);
        check(!verify_compare_is_over(&compare));
        finish();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_verify_compare_begin__pieces_wait__forgotten),
    CHECK_TEST(test_verify_compare_begin__again__nothing_of_the_last_time),
    CHECK_TEST(test_verify_compare_put__equal_in_other_chunks__over_and_not_parted),
    CHECK_TEST(test_verify_compare_put__a_piece_differs__totals_go_on_the_place_stays),
    CHECK_TEST(test_verify_compare_put__one_side_ends_first__parted),
    CHECK_TEST(test_verify_compare_put__same_piece_of_another_range__parted),
    CHECK_TEST(test_verify_compare_put__piece_that_ends_its_range__place_in_the_next),
    CHECK_TEST(test_verify_compare_rewind__not_parted__equal_pieces_count_once),
    CHECK_TEST(test_verify_compare_rewind__parted__all_anew),
    CHECK_TEST(test_verify_compare_put__single_value_differs__in_both),
    CHECK_TEST(test_verify_compare_put__single_key_of_one_side__the_lower_one),
    CHECK_TEST(test_verify_compare_put__single_behind_the_other_sides_end__in_one),
    CHECK_TEST(test_verify_compare_put__single_long_keys__compared_as_far_as_they_go),
};

CHECK_MAIN("verify_compare", tests)
