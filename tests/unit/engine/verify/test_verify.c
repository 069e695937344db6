/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify.c — digests of families, how two sets of them differ, and the first record that
 * differs between two stores. */
#include "haul/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "key_range.h"
#include "rocks_fixture.h"

enum { CANCEL_RECORDS = 4096 };

static struct rocks_fixture a;
static struct rocks_fixture b;
static struct haul_family_result results[HAUL_FAMILY_COUNT_MAX];
static size_t result_count;
static struct haul_verify_difference difference;
static struct haul_error error;
static unsigned asked;
static unsigned told;
static uint64_t piece_records;
static unsigned piece_count;
static unsigned pieces_until_error; /* 0: none */

static bool stop_at_once(void *context)
{
    (void)context;
    asked++;
    return true;
}

static void take_progress(void *context, uint64_t records, uint64_t bytes)
{
    (void)context;
    check_equal(records, CANCEL_RECORDS);
    check(bytes > records);
    told++;
}

static enum haul_status take_piece(void *context, const struct haul_verify_piece *piece,
                                   struct haul_error *failed)
{
    (void)context;
    check_text(piece->family, "default");
    check_equal(strlen(piece->digest), 32);
    piece_records += piece->records;
    piece_count++;
    return piece_count == pieces_until_error
               ? haul_error_set(failed, HAUL_NO_SPACE, NULL, 0, "no more")
               : HAUL_OK;
}

static void begin(void)
{
    rocks_fixture_open(&a);
    rocks_fixture_open(&b);
    asked = told = piece_count = pieces_until_error = 0;
    piece_records = 0;
    difference = (struct haul_verify_difference){.in_a = false};
}

static void end(void)
{
    rocks_fixture_close(&a);
    rocks_fixture_close(&b);
}

static void put(struct rocks_fixture *fixture, const char *key, const char *value)
{
    rocks_fixture_put(fixture, 0, text_slice(key), text_slice(value));
}

static enum haul_status first(const struct haul_verify_options *options, const char *family)
{
    memset(&error, 0, sizeof(error));
    return haul_verify_first_difference(a.store, b.store, options, family, &difference, &error);
}

static void check_first(const struct haul_verify_options *options, const char *key, bool in_a,
                        bool in_b)
{
    check_or_stop(first(options, "default") == HAUL_OK);
    check(slice_compare(difference.key, text_slice(key)) == 0);
    check_equal(difference.in_a, in_a);
    check_equal(difference.in_b, in_b);
    free((void *)(uintptr_t)difference.key.data);
}

/* --- the first difference --------------------------------------------------------------------- */

static void test_haul_verify_first_difference__alike_and_empty__not_found(void)
{
    const struct haul_verify_options all = {.family_count = 0};
    begin();
    check_status(first(&all, "default"), HAUL_NOT_FOUND);
    put(&a, "k", "v");
    put(&b, "k", "v");
    check_status(first(&all, "default"), HAUL_NOT_FOUND);
    end();
}

static void test_haul_verify_first_difference__record_of_one_side__told_which(void)
{
    const struct haul_verify_options all = {.family_count = 0};
    begin();
    put(&a, "k", "v");
    check_first(&all, "k", true, false); /* the other side is at its end */
    put(&b, "k", "v");
    put(&b, "m", "v");
    check_first(&all, "m", false, true);
    put(&a, "l", "v");
    check_first(&all, "l", true, false);
    put(&b, "j", "v");
    check_first(&all, "j", false, true);
    put(&a, "j", "another");
    check_first(&all, "j", true, true);
    put(&a, "", "the empty key");
    check_first(&all, "", true, false);
    end();
}

/* Differences outside the ranges do not count; each range is checked. */
static void test_haul_verify_first_difference__ranges__only_within_them(void)
{
    const struct haul_range ranges[] = {{text_slice("b"), text_slice("c")},
                                        {text_slice("d"), text_slice("e")}};
    const struct haul_verify_options two = {.ranges = ranges, .range_count = 2};
    begin();
    put(&a, "a", "v");
    put(&b, "c", "v");
    put(&a, "e", "v");
    check_status(first(&two, "default"), HAUL_NOT_FOUND);
    put(&a, "d", "v");
    check_first(&two, "d", true, false);
    put(&b, "bb", "v");
    check_first(&two, "bb", false, true);
    end();
}

static void test_haul_verify_first_difference__backward_order__the_first_in_it(void)
{
    const struct haul_verify_options all = {.family_count = 0};
    struct haul_family family;
    const char *options = "comparator=" HAUL_COMPARATOR_REVERSE "\n";
    begin();
    check_or_stop(a.store->ops->family_create_like(a.store, "back", options, &family, &error) ==
                  HAUL_OK);
    check_or_stop(b.store->ops->family_create_like(b.store, "back", options, &family, &error) ==
                  HAUL_OK);
    check_text(family.comparator, HAUL_COMPARATOR_REVERSE);
    rocks_fixture_put(&a, family.id, text_slice("1"), text_slice("v"));
    rocks_fixture_put(&b, family.id, text_slice("2"), text_slice("v"));
    check_or_stop(first(&all, "back") == HAUL_OK);
    check(slice_compare(difference.key, text_slice("2")) == 0);
    check(!difference.in_a && difference.in_b);
    free((void *)(uintptr_t)difference.key.data);
    end();
}

static void test_haul_verify_first_difference__orders_differ__unsupported(void)
{
    const struct haul_verify_options all = {.family_count = 0};
    struct haul_family family;
    begin();
    (void)rocks_fixture_family(&a, "one");
    check_status(first(&all, "one"), HAUL_NOT_FOUND); /* b has none */
    check_or_stop(b.store->ops->family_create_like(b.store, "one",
                                                   "comparator=" HAUL_COMPARATOR_REVERSE "\n",
                                                   &family, &error) == HAUL_OK);
    check_error(first(&all, "one"), HAUL_UNSUPPORTED, error);
    check(strstr(error.text, "'one'") != NULL);
    end();
}

/* Called after this many records, not before. */
static void test_haul_verify_first_difference__is_to_stop__stopped(void)
{
    const struct haul_verify_options stoppable = {.is_cancelled = stop_at_once};
    begin();
    rocks_fixture_fill(&a, 0, "k", CANCEL_RECORDS - 2, 1);
    rocks_fixture_fill(&b, 0, "k", CANCEL_RECORDS - 2, 1);
    check_status(first(&stoppable, "default"), HAUL_NOT_FOUND);
    check_equal(asked, 0);
    rocks_fixture_fill(&a, 0, "l", 2, 1);
    rocks_fixture_fill(&b, 0, "l", 2, 1);
    check_error(first(&stoppable, "default"), HAUL_STOPPED, error);
    check_equal(asked, 1);
    end();
}

/* --- scans ------------------------------------------------------------------------------------ */

static enum haul_status scan(const struct haul_verify_options *options)
{
    memset(&error, 0, sizeof(error));
    memset(results, 0, sizeof(results));
    return haul_verify_scan(a.store, options, results, &result_count, &error);
}

static void test_haul_verify_scan__families_and_ranges__those_that_are_wanted(void)
{
    const char *const names[] = {"one", "default"};
    const struct haul_range ranges[] = {{text_slice("a"), text_slice("c")},
                                        {text_slice("d"), {NULL, 0}}};
    struct haul_verify_options options = {.family_count = 0};
    begin();
    uint32_t one = rocks_fixture_family(&a, "one");
    (void)rocks_fixture_family(&a, "two");
    put(&a, "a", "v");
    put(&a, "c", "v");
    put(&a, "d", "vv");
    rocks_fixture_put(&a, one, text_slice("x"), text_slice("v"));
    check_status(scan(&options), HAUL_OK);
    check_equal(result_count, 3);
    check_equal(results[0].records, 3);
    check_equal(results[0].bytes, 7);
    check_text(results[1].name, "one");
    check_equal(results[1].records, 1);
    check_equal(results[2].records, 0);
    char all_of_default[33];
    (void)snprintf(all_of_default, sizeof(all_of_default), "%s", results[0].digest);
    options = (struct haul_verify_options){
        .families = names, .family_count = 2, .ranges = ranges, .range_count = 2};
    check_status(scan(&options), HAUL_OK);
    check_equal(result_count, 2);
    check_text(results[0].name, "default");
    check_equal(results[0].records, 2);
    check_equal(results[0].bytes, 5);
    check(strcmp(results[0].digest, all_of_default) != 0);
    end();
}

static void test_haul_verify_scan__family_that_is_not_there__not_found(void)
{
    const char *const names[] = {"default", "none"};
    const struct haul_verify_options options = {.families = names, .family_count = 2};
    begin();
    check_error(scan(&options), HAUL_NOT_FOUND, error);
    check(strstr(error.text, "'none'") != NULL);
    check_equal(result_count, 0);
    end();
}

static void test_haul_verify_scan__thousands__told_asked_and_in_pieces(void)
{
    struct haul_verify_options options = {.on_progress = take_progress, .on_piece = take_piece};
    begin();
    rocks_fixture_fill(&a, 0, "k", CANCEL_RECORDS + 1, 8);
    check_status(scan(&options), HAUL_OK);
    check_equal(told, 1);
    check_equal(results[0].records, CANCEL_RECORDS + 1);
    check_equal(piece_records, CANCEL_RECORDS + 1);
    check(piece_count > 20 && piece_count < 200);
    options = (struct haul_verify_options){.is_cancelled = stop_at_once};
    check_error(scan(&options), HAUL_STOPPED, error);
    check_equal(asked, 1);
    options = (struct haul_verify_options){.on_piece = take_piece};
    for (unsigned last = piece_count, at = 1; at <= last; at += last - 1) {
        piece_count = 0;
        pieces_until_error = at;
        check_error(scan(&options), HAUL_NO_SPACE, error);
        check_equal(piece_count, at);
    }
    end();
}

/* --- sets of digests -------------------------------------------------------------------------- */

static void test_haul_verify_differences__sets__how_many_and_the_first(void)
{
    const struct haul_family_result here[] = {{.name = "same", .records = 1, .digest = "d1"},
                                              {.name = "count", .records = 1, .digest = "d1"},
                                              {.name = "digest", .records = 1, .digest = "d1"},
                                              {.name = "ours", .records = 1, .digest = "d1"},
                                              {.name = "empty", .records = 0, .digest = "d0"}};
    const struct haul_family_result there[] = {{.name = "theirs", .records = 1, .digest = "d1"},
                                               {.name = "nothing", .records = 0, .digest = "d0"},
                                               {.name = "digest", .records = 1, .digest = "d2"},
                                               {.name = "count", .records = 2, .digest = "d1"},
                                               {.name = "same", .records = 1, .digest = "d1"}};
    const char *name = "before";
    check_equal(haul_verify_differences(here, 1, &there[4], 1, &name), 0);
    check(name == NULL);
    check_equal(haul_verify_differences(here, 5, there, 5, &name), 4);
    check_text(name, "count");
    check_equal(haul_verify_differences(here, 1, there, 5, &name), 3);
    check_text(name, "theirs");
    check_equal(haul_verify_differences(here, 5, there, 5, NULL), 4);
    check_equal(haul_verify_differences(NULL, 0, &there[1], 1, &name), 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_verify_first_difference__alike_and_empty__not_found),
    CHECK_TEST(test_haul_verify_first_difference__record_of_one_side__told_which),
    CHECK_TEST(test_haul_verify_first_difference__ranges__only_within_them),
    CHECK_TEST(test_haul_verify_first_difference__backward_order__the_first_in_it),
    CHECK_TEST(test_haul_verify_first_difference__orders_differ__unsupported),
    CHECK_TEST(test_haul_verify_first_difference__is_to_stop__stopped),
    CHECK_TEST(test_haul_verify_scan__families_and_ranges__those_that_are_wanted),
    CHECK_TEST(test_haul_verify_scan__family_that_is_not_there__not_found),
    CHECK_TEST(test_haul_verify_scan__thousands__told_asked_and_in_pieces),
    CHECK_TEST(test_haul_verify_differences__sets__how_many_and_the_first),
};
CHECK_MAIN("verify", tests)
