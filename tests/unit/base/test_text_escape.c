/* SPDX-License-Identifier: Apache-2.0 */
/* test_text_escape.c — what a terminal gets of foreign text. */
#include "haul/text_escape.h"

#include <string.h>

#include "check.h"

static char text[64];

static const char *escaped(const char *bytes)
{
    size_t size = haul_text_escape(bytes, strlen(bytes), text, sizeof(text));
    check_equal(size, strlen(text));
    return text;
}

static void test_haul_text_escape__ordinary_text__unchanged(void)
{
    check_text(escaped(""), "");
    check_text(escaped("user:42 ~\\x"), "user:42 ~\\x");
    check_text(escaped("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x9a"),
               "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x9a");
}

static void test_haul_text_escape__control_characters__escaped(void)
{
    check_text(escaped("a\033[2Jb\r\n\tc\x7f"), "a\\x1b[2Jb\\x0d\\x0a\\x09c\\x7f");
    check_text(escaped("\xc2\x9b"
                       "31m"),
               "\\xc2\\x9b31m");
    haul_text_escape("a\0b", 3, text, sizeof(text));
    check_text(text, "a\\x00b");
}

static void test_haul_text_escape__direction_and_line_separators__escaped(void)
{
    check_text(escaped("\xe2\x80\xae"), "\\xe2\\x80\\xae");
    check_text(escaped("\xe2\x81\xa7"), "\\xe2\\x81\\xa7");
    check_text(escaped("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");
    check_text(escaped("\xd8\x9c"), "\\xd8\\x9c");
    check_text(escaped("\xe2\x80\x8f"), "\\xe2\\x80\\x8f");
}

static void test_haul_text_escape__bytes_that_are_not_utf8__escaped_one_by_one(void)
{
    check_text(escaped("\xff"
                       "a"),
               "\\xffa");
    check_text(escaped("\xc0\x9b"), "\\xc0\\x9b");          /* not the shortest form of ESC */
    check_text(escaped("\xe0\x80\x9b"), "\\xe0\\x80\\x9b"); /* likewise */
    check_text(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80"); /* the first surrogate */
    check_text(escaped("\xed\xbf\xbf"), "\\xed\\xbf\\xbf"); /* and the last */
    check_text(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
    check_text(escaped("\xe2\x82"), "\\xe2\\x82"); /* cut short */
}

/* The neighbours of invalid code points, and the last code point. */
static void test_haul_text_escape__characters_at_each_limit__unchanged(void)
{
    static const char *const characters[] = {
        "\xc2\xa0",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\xe2\x80\x8d",
        "\xe2\x80\x90",
        "\xe2\x80\xa7",
        "\xe2\x80\xaf",
        "\xe2\x81\xa5",
        "\xe2\x81\xaa",
        " ",
        "~",
    };
    for (size_t i = 0; i < CHECK_COUNT(characters); i++) {
        check_text(escaped(characters[i]), characters[i]);
    }
}

static void test_haul_text_escape__escaped_text__unchanged(void)
{
    char once[64];
    (void)haul_text_escape("\033\xff\\", 3, once, sizeof(once));
    check_text(escaped(once), once);
}

static void test_haul_text_escape__no_room__cut_between_characters(void)
{
    check_equal(haul_text_escape("ab\033", 3, text, 6), 2);
    check_text(text, "ab");
    check_equal(haul_text_escape("ab\033", 3, text, 7), 6);
    check_text(text, "ab\\x1b");
    check_equal(haul_text_escape("a\xe2\x82\xac", 4, text, 4), 1);
    check_text(text, "a");
    check_equal(haul_text_escape("abc", 3, text, 1), 0);
    check_text(text, "");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_text_escape__ordinary_text__unchanged),
    CHECK_TEST(test_haul_text_escape__control_characters__escaped),
    CHECK_TEST(test_haul_text_escape__direction_and_line_separators__escaped),
    CHECK_TEST(test_haul_text_escape__bytes_that_are_not_utf8__escaped_one_by_one),
    CHECK_TEST(test_haul_text_escape__characters_at_each_limit__unchanged),
    CHECK_TEST(test_haul_text_escape__escaped_text__unchanged),
    CHECK_TEST(test_haul_text_escape__no_room__cut_between_characters),
};

CHECK_MAIN("text_escape", tests)
