/* SPDX-License-Identifier: Apache-2.0 */
/* test_range_option.c — parses ranges as a command line gives them, and formats them. */
#include "range_option.h"

#include <string.h>

#include "check.h"

static struct haul_error error;
static char text[64];

static const char *formatted(struct haul_slice start, struct haul_slice end)
{
    struct haul_range range = {.start = start, .end = end};
    range_option_format(&range, text, sizeof(text));
    return text;
}

static struct haul_slice bytes_of(const char *bytes, size_t size)
{
    return (struct haul_slice){(const uint8_t *)bytes, size};
}

static struct haul_slice key_of(const char *bytes)
{
    return bytes_of(bytes, strlen(bytes));
}

static void test_range_option_format__text_and_bytes__as_the_option_takes_them(void)
{
    struct haul_slice none = {.size = 0};
    struct haul_slice binary = bytes_of("\x00\xff", 2);
    check_text(formatted(none, none), ":");
    check_text(formatted(key_of("user"), none), "user:");
    check_text(formatted(key_of("a:b"), key_of("a\\c")), "a\\:b:a\\\\c");
    check_text(formatted(key_of("0xab"), key_of("1")), "\\0xab:1");
    check_text(formatted(binary, key_of("gr\xc3\xbc\xc3\x9f")), "0x00ff:0x6772c3bcc39f");
}

static void test_range_option_format__any_bytes__parsed_to_the_same(void)
{
    static const char *const keys[] = {"",    "a",        "0x",  "\\",      ":",
                                       "\\:", "\x01\x02", "~ z", "0xzz\xff"};
    for (size_t i = 0; i < CHECK_COUNT(keys); i++) {
        struct range_list list = {.count = 0};
        (void)formatted(key_of(keys[i]), (struct haul_slice){.size = 0});
        check_status(option_range(NULL, text, &list, &error), HAUL_OK);
        check_equal(list.ranges[0].start.size, strlen(keys[i]));
        check(memcmp(list.ranges[0].start.data, keys[i], strlen(keys[i])) == 0);
        check_equal(list.ranges[0].end.size, 0);
        range_list_fini(&list);
    }
}

static void test_range_option_format__too_long__ends_with_dots(void)
{
    char key[1000];
    memset(key, 'k', sizeof(key));
    (void)formatted(bytes_of(key, sizeof(key)), key_of("z"));
    check_equal(strlen(text), sizeof(text) - 1);
    check(strcmp(text + sizeof(text) - 4, "...") == 0);
    memset(key, 0xff, sizeof(key));
    (void)formatted(bytes_of(key, sizeof(key)), key_of("z"));
    check(strcmp(text + strlen(text) - 3, "...") == 0);
}

static void test_option_range__start_below_end__taken(void)
{
    static const char *const texts[] = {":",      "a:",   ":b",        "a:b",    "a:aa",
                                        "a\\::b", ":\\:", "0x61:0x62", "0x:0xfF"};
    for (size_t i = 0; i < CHECK_COUNT(texts); i++) {
        struct range_list list = {.count = 0};
        check_status(option_range(NULL, texts[i], &list, &error), HAUL_OK);
        check_equal(list.count, 1);
        range_list_fini(&list);
    }
}

static void test_option_range__no_range__invalid(void)
{
    static const char *const texts[] = {"",      "a",      "b:a",   "a:a",    "aa:a", "0x6:b",
                                        "0xg0:", "a:0x6z", "a\\:b", "b:0x61", "a:b:c"};
    for (size_t i = 0; i < CHECK_COUNT(texts); i++) {
        struct range_list list = {.count = 0};
        check_error(option_range(NULL, texts[i], &list, &error), HAUL_INVALID, error);
        check_equal(list.count, 0);
        check(strstr(error.text, "is not a range START:END") != NULL);
        check(error.hint[0] != '\0');
        range_list_fini(&list);
    }
}

static void test_option_prefix__no_byte_or_half_of_one__invalid(void)
{
    static const char *const texts[] = {"", "0x", "0x6", "0xzz"};
    for (size_t i = 0; i < CHECK_COUNT(texts); i++) {
        struct range_list list = {.count = 0};
        check_error(option_prefix(NULL, texts[i], &list, &error), HAUL_INVALID, error);
        check(strstr(error.hint, "at least one byte, as text or 0x") != NULL);
        check_equal(list.count, 0);
        range_list_fini(&list);
    }
}

static void test_option_prefix__all_ff__no_end(void)
{
    struct range_list list = {.count = 0};
    check_status(option_prefix(NULL, "0xffff", &list, &error), HAUL_OK);
    check_equal(list.ranges[0].start.size, 2);
    check_equal(list.ranges[0].end.size, 0);
    check_status(option_prefix(NULL, "0x61ff", &list, &error), HAUL_OK);
    check_equal(list.ranges[1].end.size, 1);
    check(memcmp(list.ranges[1].end.data, "b", 1) == 0);
    range_list_fini(&list);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_range_option_format__text_and_bytes__as_the_option_takes_them),
    CHECK_TEST(test_range_option_format__any_bytes__parsed_to_the_same),
    CHECK_TEST(test_range_option_format__too_long__ends_with_dots),
    CHECK_TEST(test_option_range__start_below_end__taken),
    CHECK_TEST(test_option_range__no_range__invalid),
    CHECK_TEST(test_option_prefix__no_byte_or_half_of_one__invalid),
    CHECK_TEST(test_option_prefix__all_ff__no_end),
};

CHECK_MAIN("range_option", tests)
