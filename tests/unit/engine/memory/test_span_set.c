/* SPDX-License-Identifier: Apache-2.0 */
/* test_span_set.c — spans of keys: joined where they touch, separate elsewhere, within a budget. */
#include "span_set.h"

#include <string.h>

#include "bytes.h"
#include "check.h"

static struct memory_budget budget;
static struct span_set set;

static struct haul_slice text(const char *characters)
{
    return slice_of(characters, strlen(characters));
}

static struct key_span span_of(uint32_t family_id, const char *begin, const char *end)
{
    return (struct key_span){.family_id = family_id, .begin = text(begin), .end = text(end)};
}

static void start(uint64_t bytes_max)
{
    memory_budget_init(&budget, bytes_max);
    span_set_init(&set, &budget);
}

static void finish(void)
{
    span_set_clear(&set);
    check_equal(memory_budget_bytes(&budget), 0);
}

static enum haul_status add(uint32_t family_id, const char *begin, const char *end)
{
    const struct key_span span = span_of(family_id, begin, end);
    return span_set_add(&set, &span);
}

static void test_span_set_add__touching_or_apart__as_few_as_can_be(void)
{
    static const struct {
        const char *begin;
        const char *end;
        size_t count;
    } cases[] = {{"f", "h", 1}, {"a", "c", 2}, {"h", "k", 2}, {"c", "d", 2}, {"m", "n", 3},
                 {"e", "f", 3}, {"d", "e", 2}, {"b", "g", 2}, {"a", "z", 1}};
    start(1 << 20);
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        check_status(add(1, cases[i].begin, cases[i].end), HAUL_OK);
        check_equal(set.count, cases[i].count);
    }
    check_status(add(2, "a", "z"), HAUL_OK);
    check_status(add(0, "a", "z"), HAUL_OK);
    check_equal(set.count, 3); /* spans of other families are separate */
    finish();
}

static void test_span_set_contains__bounds__begin_and_not_end(void)
{
    start(1 << 20);
    check_status(add(1, "b", "d"), HAUL_OK);
    check_status(add(1, "f", "h"), HAUL_OK);
    check(span_set_contains(&set, 1, text("b")) && span_set_contains(&set, 1, text("cz")));
    check(span_set_contains(&set, 1, text("f")) && !span_set_contains(&set, 1, text("h")));
    check(!span_set_contains(&set, 1, text("a")) && !span_set_contains(&set, 1, text("d")));
    check(!span_set_contains(&set, 0, text("b")) && !span_set_contains(&set, 2, text("b")));
    finish();
}

static void test_span_set_gap__covered_in_part__the_first_part_that_is_not(void)
{
    static const struct {
        const char *begin;
        const char *end;
        const char *gap_begin; /* NULL: none */
        const char *gap_end;
    } cases[] = {{"a", "c", "a", "b"},    {"b", "d", NULL, NULL}, {"c", "g", "d", "f"},
                 {"b", "z", "d", "f"},    {"d", "f", "d", "f"},   {"h", "k", "h", "k"},
                 {"bb", "cc", NULL, NULL}};
    start(1 << 20);
    check_status(add(1, "b", "d"), HAUL_OK);
    check_status(add(1, "f", "h"), HAUL_OK);
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        const struct key_span span = span_of(1, cases[i].begin, cases[i].end);
        struct key_span gap;
        bool found = span_set_gap(&set, &span, &gap);
        check_equal(found, cases[i].gap_begin != NULL);
        if (found) {
            check_equal(slice_compare(gap.begin, text(cases[i].gap_begin)), 0);
            check_equal(slice_compare(gap.end, text(cases[i].gap_end)), 0);
            check_equal(gap.family_id, 1);
        }
    }
    finish();
}

/* A refused change leaves the set and its argument unchanged. */
static void test_span_set_add__budget_is_used_up__limit_and_unchanged(void)
{
    enum { BYTES_MAX = 6000, SPANS_MAX = 10000 };
    uint64_t before = 0;
    size_t count = 0;
    enum haul_status status = HAUL_OK;
    start(BYTES_MAX);
    for (int i = 0; status == HAUL_OK && i < SPANS_MAX; i++) {
        const char begin[] = {(char)(1 + i / 50), (char)(1 + 2 * (i % 50)), '\0'};
        const char end[] = {begin[0], (char)(begin[1] + 1), '\0'};
        before = memory_budget_bytes(&budget);
        count = set.count;
        status = add(1, begin, end);
        check(memory_budget_bytes(&budget) <= BYTES_MAX);
        check(status != HAUL_OK ||
              memory_budget_bytes(&budget) >= set.count * sizeof(*set.spans) + 2 * set.count);
    }
    check_status(status, HAUL_LIMIT);
    check(count > 3);
    check_equal(set.count, count);
    check_equal(memory_budget_bytes(&budget), before);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_span_set_add__touching_or_apart__as_few_as_can_be),
    CHECK_TEST(test_span_set_contains__bounds__begin_and_not_end),
    CHECK_TEST(test_span_set_gap__covered_in_part__the_first_part_that_is_not),
    CHECK_TEST(test_span_set_add__budget_is_used_up__limit_and_unchanged),
};
CHECK_MAIN("span_set", tests)
