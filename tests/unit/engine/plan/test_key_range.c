/* SPDX-License-Identifier: Apache-2.0 */
/* test_key_range.c — ranges of binary keys: their text forms, bounds and relations. */
#include "key_range.h"

#include <string.h>

#include "check.h"

static struct key_range range;

static struct haul_slice slice(const char *text)
{
    return slice_of(text, strlen(text));
}

static void parse(const char *text)
{
    key_range_fini(&range);
    check_or_stop(key_range_parse(&range, text, NULL) == HAUL_OK);
}

static void check_bounds(struct haul_slice start, struct haul_slice end)
{
    check(slice_compare(key_range_start(&range), start) == 0);
    check(slice_compare(key_range_end(&range), end) == 0);
    key_range_fini(&range);
}

static void test_key_range_init__end_not_behind_start__invalid(void)
{
    check_status(key_range_init(&range, slice("b"), slice("a")), HAUL_INVALID);
    check_status(key_range_init(&range, slice("a"), slice("a")), HAUL_INVALID);
    key_range_fini(&range);
}

static void test_key_range_parse__text_keys__both_bounds(void)
{
    parse("apple:pear");
    check_bounds(slice("apple"), slice("pear"));
}

static void test_key_range_parse__empty_sides__unbounded(void)
{
    parse(":");
    check_bounds(slice(""), slice(""));
    parse("a:");
    check_bounds(slice("a"), slice(""));
    parse(":b");
    check_bounds(slice(""), slice("b"));
}

static void test_key_range_parse__hexadecimal__bytes(void)
{
    parse("0x00fF:0xAb00");
    check_bounds(slice_of("\x00\xff", 2), slice_of("\xab\x00", 2));
}

static void test_key_range_parse__escapes__the_characters_themselves(void)
{
    parse("a\\:b:c\\\\d");
    check_bounds(slice("a:b"), slice("c\\d"));
    parse("\\0x41:\\0x42");
    check_bounds(slice("0x41"), slice("0x42"));
}

static void test_key_range_parse__not_a_range__invalid_with_a_hint(void)
{
    static const char *const wrong[] = {"",      "abc",   "a\\:b", "b:a",    "a:a",
                                        "0x1:b", "0xzz:", ":0x0g", "0x123:", "\\:"};
    for (size_t i = 0; i < CHECK_COUNT(wrong); i++) {
        struct haul_error error = {.status = HAUL_OK};
        check_error(key_range_parse(&range, wrong[i], &error), HAUL_INVALID, error);
        check_status(error.status, HAUL_INVALID);
        check(error.hint[0] != '\0');
    }
}

static void parse_prefix(const char *text)
{
    key_range_fini(&range);
    check_or_stop(key_range_parse_prefix(&range, text, NULL) == HAUL_OK);
}

static void test_key_range_parse_prefix__text__up_to_the_next_prefix(void)
{
    parse_prefix("user");
    check(key_range_contains(&range, slice("user")));
    check(key_range_contains(&range, slice("user\xff\xff")));
    check(!key_range_contains(&range, slice("uses")));
    check(!key_range_contains(&range, slice("use")));
    check_bounds(slice("user"), slice("uses"));
}

static void test_key_range_parse_prefix__ends_in_ff__carries(void)
{
    parse_prefix("0x61ffff");
    check_bounds(slice("a\xff\xff"), slice("b"));
    parse_prefix("0xffff");
    check(key_range_contains(&range, slice("\xff\xff\xff")));
    check_bounds(slice("\xff\xff"), slice(""));
}

static void test_key_range_parse_prefix__empty_or_malformed__invalid(void)
{
    check_status(key_range_parse_prefix(&range, "", NULL), HAUL_INVALID);
    check_status(key_range_parse_prefix(&range, "0x", NULL), HAUL_INVALID);
    check_status(key_range_parse_prefix(&range, "0x123", NULL), HAUL_INVALID);
}

static void test_key_range_contains__bounds__start_in_end_out(void)
{
    parse("b:d");
    check(!key_range_contains(&range, slice("a")));
    check(key_range_contains(&range, slice("b")));
    check(key_range_contains(&range, slice("c\xff")));
    check(!key_range_contains(&range, slice("d")));
    parse(":");
    check(key_range_contains(&range, slice("")));
    check(key_range_contains(&range, slice("\xff\xff")));
    key_range_fini(&range);
}

static void test_key_range_overlaps__pairs__symmetric(void)
{
    static const struct {
        const char *a;
        const char *b;
        bool overlap;
    } cases[] = {
        {"a:c", "b:d", true}, {"a:b", "b:c", false}, {"a:b", "c:d", false}, {"a:d", "b:c", true},
        {":", "b:c", true},   {":b", "b:", false},   {":c", "b:", true},    {"a:", "b:", true},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct key_range a;
        struct key_range b;
        check_or_stop(key_range_parse(&a, cases[i].a, NULL) == HAUL_OK);
        check_or_stop(key_range_parse(&b, cases[i].b, NULL) == HAUL_OK);
        check_equal(key_range_overlaps(&a, &b), cases[i].overlap);
        check_equal(key_range_overlaps(&b, &a), cases[i].overlap);
        key_range_fini(&a);
        key_range_fini(&b);
    }
}

static void test_key_range_clip__pairs__what_both_have(void)
{
    static const struct {
        const char *range;
        const char *start;
        const char *end;
        bool any;
        const char *common_start;
        const char *common_end;
    } cases[] = {
        {"b:d", "a", "c", true, "b", "c"},    {"b:d", "c", "e", true, "c", "d"},
        {"b:d", "a", "e", true, "b", "d"},    {"a:e", "b", "d", true, "b", "d"},
        {"b:", "a", "", true, "b", ""},       {":", "", "", true, "", ""},
        {":b", "a", "", true, "a", "b"},      {"b:c", "c", "d", false, NULL, NULL},
        {"c:d", "b", "c", false, NULL, NULL},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct haul_slice start = slice(cases[i].start);
        struct haul_slice end = slice(cases[i].end);
        parse(cases[i].range);
        bool any = key_range_clip(&range, &start, &end);
        check_equal(any, cases[i].any);
        check(!any || slice_compare(start, slice(cases[i].common_start)) == 0);
        check(!any || slice_compare(end, slice(cases[i].common_end)) == 0);
    }
    key_range_fini(&range);
}

static void test_key_format__keys__text_or_hexadecimal_cut_to_fit(void)
{
    char text[32];
    key_format(slice("user:1"), text, sizeof(text));
    check_text(text, "'user:1'");
    key_format(slice_of("a\0b", 3), text, sizeof(text));
    check_text(text, "0x610062");
    key_format(slice("\x01\x02\x03\x04"), text, 8);
    check(strlen(text) < 8);
    check(strncmp(text, "0x0102", 6) == 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_key_range_init__end_not_behind_start__invalid),
    CHECK_TEST(test_key_range_parse__text_keys__both_bounds),
    CHECK_TEST(test_key_range_parse__empty_sides__unbounded),
    CHECK_TEST(test_key_range_parse__hexadecimal__bytes),
    CHECK_TEST(test_key_range_parse__escapes__the_characters_themselves),
    CHECK_TEST(test_key_range_parse__not_a_range__invalid_with_a_hint),
    CHECK_TEST(test_key_range_parse_prefix__text__up_to_the_next_prefix),
    CHECK_TEST(test_key_range_parse_prefix__ends_in_ff__carries),
    CHECK_TEST(test_key_range_parse_prefix__empty_or_malformed__invalid),
    CHECK_TEST(test_key_range_contains__bounds__start_in_end_out),
    CHECK_TEST(test_key_range_overlaps__pairs__symmetric),
    CHECK_TEST(test_key_range_clip__pairs__what_both_have),
    CHECK_TEST(test_key_format__keys__text_or_hexadecimal_cut_to_fit),
};

CHECK_MAIN("key_range", tests)
