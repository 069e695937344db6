/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_split.c — sizes of ranges, and cuts into parts of about equal bytes. */
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/store.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"

enum { VALUE_BYTES = 1000, CUT_COUNT_MAX = 16 };

static struct rocks_fixture fixture;
static const struct haul_store_ops *ops;
static struct haul_error error;
static struct haul_slice cuts[CUT_COUNT_MAX];
static size_t cut_count;
static const struct haul_slice none;

static void open_fixture(void)
{
    rocks_fixture_open(&fixture);
    ops = fixture.store->ops;
    memset(&error, 0, sizeof(error));
    cut_count = 0;
}

static void open_reverse(void)
{
    rocks_fixture_make_directory(&fixture);
    struct foreign_database foreign = {.comparator = FOREIGN_REVERSE};
    rocks_foreign_make(fixture.path, &foreign);
    struct haul_rocks_options options = {0};
    check_or_stop(haul_rocks_store_open(fixture.path, &options, &fixture.store, &error) == HAUL_OK);
    ops = fixture.store->ops;
}

static void close_fixture(void)
{
    for (size_t i = 0; i < cut_count; i++) {
        free((void *)(uintptr_t)cuts[i].data);
    }
    cut_count = 0;
    rocks_fixture_close(&fixture);
}

static void flush(void)
{
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
}

static enum haul_status split(struct haul_slice start, struct haul_slice end, size_t capacity)
{
    return ops->range_split(fixture.store, 0, start, end, cuts, capacity, &cut_count, &error);
}

/* Bytes of keys and values of [start, end), really counted. */
static uint64_t bytes_between(struct haul_slice start, struct haul_slice end)
{
    uint64_t bytes = 0;
    struct haul_scan *scan = NULL;
    struct haul_record record;
    check_or_stop(ops->scan_open(fixture.store, NULL, 0, start, end, &scan, &error) == HAUL_OK);
    while (ops->scan_next(scan, &record, &error) == HAUL_OK) {
        bytes += record.key.size + record.value.size;
    }
    ops->scan_close(scan);
    return bytes;
}

static uint64_t size_of(struct haul_slice start, struct haul_slice end)
{
    uint64_t bytes = UINT64_MAX;
    check_status(ops->range_size(fixture.store, 0, start, end, &bytes, &error), HAUL_OK);
    return bytes;
}

/* Cuts ascend strictly, lie inside, and no part is larger than `percent` of an equal share. */
static void check_balanced(struct haul_slice start, struct haul_slice end, unsigned percent)
{
    uint64_t share = bytes_between(start, end) / (cut_count + 1);
    for (size_t i = 0; i <= cut_count; i++) {
        struct haul_slice from = i == 0 ? start : cuts[i - 1];
        struct haul_slice to = i == cut_count ? end : cuts[i];
        check(to.size == 0 || slice_compare(from, to) < 0);
        uint64_t part = bytes_between(from, to);
        check(part > 0);
        check(part * 100 <= share * percent);
    }
}

/* --- sizes ------------------------------------------------------------------------------------ */

static void test_rocks_range_size__empty__zero(void)
{
    open_fixture();
    check_equal(size_of(none, none), 0);
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("1"));
    check_equal(size_of(text_slice("b"), none), 0);
    close_fixture();
}

static void test_rocks_range_size__small__counted_to_the_byte(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", 100, 50); /* in memory only */
    check_equal(size_of(none, none), 100 * (11 + 50));
    check_equal(size_of(text_slice("key00000010"), text_slice("key00000020")), 10 * (11 + 50));
    flush();
    check_equal(size_of(text_slice("key00000090"), none), 10 * (11 + 50));
    close_fixture();
}

static void test_rocks_range_size__large_in_files__near_the_truth(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", 8000, VALUE_BYTES);
    flush();
    uint64_t truth = bytes_between(none, none);
    uint64_t bytes = size_of(none, none);
    check(bytes > truth * 8 / 10 && bytes < truth * 12 / 10);
    uint64_t half = size_of(text_slice("key00004000"), none);
    check(half > truth * 3 / 10 && half < truth * 7 / 10);
    close_fixture();
}

static void test_rocks_range_size__large_in_memory__not_nothing(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", 4000, VALUE_BYTES);
    uint64_t truth = bytes_between(none, none);
    uint64_t bytes = size_of(none, none);
    check(bytes > truth * 8 / 10 && bytes < truth * 13 / 10);
    close_fixture();
}

/* The files must suffice: neither measuring nor cutting reads a record. */
static void test_rocks_range_size__large_records_in_files__none_is_read(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "a", 12, 1 << 20);
    flush();
    rocks_fixture_fill(&fixture, 0, "b", 12, 1 << 20);
    flush();
    rocksdb_set_perf_level(rocksdb_enable_count);
    rocksdb_perfcontext_t *context = rocksdb_perfcontext_create();
    rocksdb_perfcontext_reset(context);
    uint64_t whole = size_of(none, none);
    uint64_t half = size_of(slice_of("b", 1), none);
    check_status(split(none, none, 3), HAUL_OK);
    check(rocksdb_perfcontext_metric(context, rocksdb_block_read_byte) < 1 << 20);
    rocksdb_perfcontext_destroy(context);
    rocksdb_set_perf_level(rocksdb_disable);
    check_equal(cut_count, 1);
    check(whole >= 20 << 20 && whole <= 26 << 20);
    check(half >= 8 << 20 && half <= 14 << 20);
    check_equal(size_of(slice_of("c", 1), none), 0);
    close_fixture();
}

static void test_rocks_range_size__unknown_family__not_found(void)
{
    open_fixture();
    uint64_t bytes = 0;
    check_error(ops->range_size(fixture.store, 99, none, none, &bytes, &error), HAUL_NOT_FOUND,
                error);
    check_error(ops->range_split(fixture.store, 99, none, none, cuts, 1, &cut_count, &error),
                HAUL_NOT_FOUND, error);
    close_fixture();
}

static void test_rocks_range_size__reverse_family__whole_only(void)
{
    open_reverse();
    uint64_t bytes = 0;
    check_equal(size_of(none, none), 5 * 6);
    check_error(ops->range_size(fixture.store, 0, text_slice("a"), none, &bytes, &error),
                HAUL_UNSUPPORTED, error);
    check_error(ops->range_size(fixture.store, 0, none, text_slice("c"), &bytes, &error),
                HAUL_UNSUPPORTED, error);
    close_fixture();
}

/* --- cuts ------------------------------------------------------------------------------------- */

static void test_rocks_range_split__empty_or_one_record__no_cut(void)
{
    open_fixture();
    check_status(split(none, none, 4), HAUL_OK);
    check_equal(cut_count, 0);
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("1"));
    flush();
    check_status(split(none, none, 4), HAUL_OK);
    check_equal(cut_count, 0);
    close_fixture();
}

static void test_rocks_range_split__no_room_for_cuts__none(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", 2000, VALUE_BYTES);
    flush();
    check_status(split(none, none, 0), HAUL_OK);
    check_equal(cut_count, 0);
    close_fixture();
}

static void test_rocks_range_split__one_file__parts_of_about_equal_bytes(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", 8000, VALUE_BYTES);
    flush();
    check_status(split(none, none, 3), HAUL_OK);
    check_equal(cut_count, 3);
    check_balanced(none, none, 140);
    close_fixture();
}

static void test_rocks_range_split__sub_range__cuts_inside_it(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", 8000, VALUE_BYTES);
    flush();
    struct haul_slice start = text_slice("key00002000");
    struct haul_slice end = text_slice("key00006000");
    check_status(split(start, end, 3), HAUL_OK);
    check_equal(cut_count, 3);
    check(slice_compare(start, cuts[0]) < 0 && slice_compare(cuts[2], end) < 0);
    check_balanced(start, end, 150);
    close_fixture();
}

/* Equal by bytes, not by keys: few large records weigh as much as many small ones. */
static void test_rocks_range_split__large_records_at_one_end__balanced_by_bytes(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "a", 40000, 100);
    rocks_fixture_fill(&fixture, 0, "b", 400, 10000);
    flush();
    check_status(split(none, none, 1), HAUL_OK);
    check_equal(cut_count, 1);
    check_balanced(none, none, 130);
    close_fixture();
}

/* Searching a key between two others would read a large record each time: the files must
 * suffice. */
static void test_rocks_range_split__large_records_in_one_file__not_searched(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "a", 12, 1 << 20);
    flush();
    check_status(split(none, none, 3), HAUL_OK);
    check_equal(cut_count, 0);
    rocks_fixture_fill(&fixture, 0, "b", 12, 1 << 20);
    flush();
    check_status(split(none, none, 3), HAUL_OK);
    check_equal(cut_count, 1); /* where the second file begins */
    close_fixture();
}

/* All keys near the ends of the key space: the middle is empty. */
static void test_rocks_range_split__hole_in_the_key_space__still_balanced(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "\x01", 4000, VALUE_BYTES);
    rocks_fixture_fill(&fixture, 0, "\xfe", 4000, VALUE_BYTES);
    flush();
    check_status(split(none, none, 3), HAUL_OK);
    check_equal(cut_count, 3);
    check_balanced(none, none, 150);
    close_fixture();
}

/* One key far out, all others close together below it: the first halves are empty. */
static void test_rocks_range_split__all_but_one_close_together__still_balanced(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "\x01\x01\x01\x01\x01\x01", 6000, VALUE_BYTES);
    rocks_fixture_put(&fixture, 0, text_slice("\xff\xff"), text_slice("far"));
    flush();
    check_status(split(none, none, 3), HAUL_OK);
    check_equal(cut_count, 3);
    check_balanced(none, none, 150);
    close_fixture();
}

static void test_rocks_range_split__long_common_prefix__still_balanced(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "a/prefix/that/is/longer/than/any/middle/", 6000, VALUE_BYTES);
    flush();
    check_status(split(none, none, 3), HAUL_OK);
    check_equal(cut_count, 3);
    check_balanced(none, none, 150);
    close_fixture();
}

static void test_rocks_range_split__many_files__balanced(void)
{
    open_fixture();
    for (char prefix[] = "a"; prefix[0] <= 'h'; prefix[0]++) {
        rocks_fixture_fill(&fixture, 0, prefix, 1000, VALUE_BYTES);
        flush();
    }
    check_status(split(none, none, 7), HAUL_OK);
    check_equal(cut_count, 7);
    check_balanced(none, none, 175);
    close_fixture();
}

/* More cuts than records: the result has fewer, and every part has a record. */
static void test_rocks_range_split__fewer_records_than_cuts__no_empty_part(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", 5, 300000);
    flush();
    check_status(split(none, none, CUT_COUNT_MAX), HAUL_OK);
    check(cut_count <= 4);
    for (size_t i = 0; i <= cut_count; i++) {
        check(bytes_between(i == 0 ? none : cuts[i - 1], i == cut_count ? none : cuts[i]) > 0);
    }
    close_fixture();
}

static void test_rocks_range_split__reverse_family__one_part_and_no_bounds(void)
{
    open_reverse();
    rocks_fixture_fill(&fixture, 0, "key", 4000, VALUE_BYTES);
    flush();
    check_status(split(none, none, 4), HAUL_OK);
    check_equal(cut_count, 0);
    check_status(split(text_slice("a"), text_slice("c"), 4), HAUL_UNSUPPORTED);
    close_fixture();
}

/* Other families do not count here. */
static void test_rocks_range_split__other_family_is_full__no_cut(void)
{
    open_fixture();
    uint32_t other = rocks_fixture_family(&fixture, "other");
    rocks_fixture_fill(&fixture, other, "key", 4000, VALUE_BYTES);
    rocks_fixture_put(&fixture, 0, text_slice("only"), text_slice("1"));
    flush();
    check_status(split(none, none, 4), HAUL_OK);
    check_equal(cut_count, 0);
    check_equal(size_of(none, none), 5);
    close_fixture();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_range_size__empty__zero),
    CHECK_TEST(test_rocks_range_size__small__counted_to_the_byte),
    CHECK_TEST(test_rocks_range_size__large_in_files__near_the_truth),
    CHECK_TEST(test_rocks_range_size__large_in_memory__not_nothing),
    CHECK_TEST(test_rocks_range_size__large_records_in_files__none_is_read),
    CHECK_TEST(test_rocks_range_size__unknown_family__not_found),
    CHECK_TEST(test_rocks_range_size__reverse_family__whole_only),
    CHECK_TEST(test_rocks_range_split__empty_or_one_record__no_cut),
    CHECK_TEST(test_rocks_range_split__no_room_for_cuts__none),
    CHECK_TEST(test_rocks_range_split__one_file__parts_of_about_equal_bytes),
    CHECK_TEST(test_rocks_range_split__sub_range__cuts_inside_it),
    CHECK_TEST(test_rocks_range_split__large_records_at_one_end__balanced_by_bytes),
    CHECK_TEST(test_rocks_range_split__large_records_in_one_file__not_searched),
    CHECK_TEST(test_rocks_range_split__hole_in_the_key_space__still_balanced),
    CHECK_TEST(test_rocks_range_split__all_but_one_close_together__still_balanced),
    CHECK_TEST(test_rocks_range_split__long_common_prefix__still_balanced),
    CHECK_TEST(test_rocks_range_split__many_files__balanced),
    CHECK_TEST(test_rocks_range_split__fewer_records_than_cuts__no_empty_part),
    CHECK_TEST(test_rocks_range_split__reverse_family__one_part_and_no_bounds),
    CHECK_TEST(test_rocks_range_split__other_family_is_full__no_cut),
};

CHECK_MAIN("rocks_split", tests)
