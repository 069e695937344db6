/* SPDX-License-Identifier: Apache-2.0 */
/* test_spelling.c — the edit distance of two words. */
#include "spelling.h"

#include <stdint.h>
#include <string.h>

#include "check.h"

static void test_spelling_distance__words__edits_between_them(void)
{
    static const struct {
        const char *a;
        const char *b;
        size_t distance;
    } cases[] = {
        {"", "", 0},         {"", "send", 4},     {"send", "send", 0},     {"send", "sned", 1},
        {"send", "sent", 1}, {"send", "snd", 1},  {"send", "sends", 1},    {"ab", "ba", 1},
        {"ca", "abc", 3},    {"recv", "send", 3}, {"status", "sttaus", 1}, {"a", "b", 1},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        check_equal(spelling_distance(cases[i].a, cases[i].b), cases[i].distance);
        check_equal(spelling_distance(cases[i].b, cases[i].a), cases[i].distance);
    }
}

static void test_spelling_distance__longer_than_any_option__like_nothing(void)
{
    char word[80];
    memset(word, 'a', sizeof(word));
    word[63] = '\0';
    check_equal(spelling_distance(word, word), 0);
    word[63] = 'a';
    word[64] = '\0';
    check_equal(spelling_distance(word, "send"), SIZE_MAX);
    check_equal(spelling_distance("send", word), SIZE_MAX);
}

static void test_spelling_distance_max__words__a_third_and_one_at_least(void)
{
    check_equal(spelling_distance_max(""), 1);
    check_equal(spelling_distance_max("abcde"), 1);
    check_equal(spelling_distance_max("abcdef"), 2);
    check_equal(spelling_distance_max("abcdefghi"), 3);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_spelling_distance__words__edits_between_them),
    CHECK_TEST(test_spelling_distance__longer_than_any_option__like_nothing),
    CHECK_TEST(test_spelling_distance_max__words__a_third_and_one_at_least),
};

CHECK_MAIN("spelling", tests)
