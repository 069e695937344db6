/* SPDX-License-Identifier: Apache-2.0 */
/* test_day_window.c — hours of the day, also over midnight. */
#include "check.h"
#include "day_window.h"

static const struct option_rule rule = {.name = "window"};
static struct haul_error error;

static struct day_window parse(const char *text)
{
    struct day_window window = {0};
    check_status(option_window(&rule, text, &window, &error), HAUL_OK);
    return window;
}

static void test_window__none__always_open(void)
{
    struct day_window window = {0};
    check(day_window_is_open(&window, 0) && day_window_is_open(&window, 1439));
}

static void test_window__within_a_day__first_minute_in_last_out(void)
{
    struct day_window window = parse("08:30-17:00");
    check(!day_window_is_open(&window, 8 * 60 + 29));
    check(day_window_is_open(&window, 8 * 60 + 30));
    check(day_window_is_open(&window, 17 * 60 - 1));
    check(!day_window_is_open(&window, 17 * 60));
    window = parse("22:00-24:00");
    check(day_window_is_open(&window, 1439));
    check(!day_window_is_open(&window, 0));
}

static void test_window__over_midnight__both_ends(void)
{
    struct day_window window = parse("22:00-06:00");
    check(day_window_is_open(&window, 22 * 60));
    check(day_window_is_open(&window, 1439));
    check(day_window_is_open(&window, 0));
    check(day_window_is_open(&window, 6 * 60 - 1));
    check(!day_window_is_open(&window, 6 * 60));
    check(!day_window_is_open(&window, 12 * 60));
}

static void test_window__anything_else__invalid(void)
{
    static const char *const texts[] = {"",
                                        "22:00",
                                        "22:00-6:00",
                                        "22:00-06:00 ",
                                        "24:01-06:00",
                                        "22:60-06:00",
                                        "aa:00-06:00",
                                        "22-00-06:00",
                                        "22:00/06:00",
                                        "06:00-06:00"};
    for (size_t i = 0; i < CHECK_COUNT(texts); i++) {
        struct day_window window = {0};
        check_error(option_window(&rule, texts[i], &window, &error), HAUL_INVALID, error);
        check(!window.limited);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_window__none__always_open),
    CHECK_TEST(test_window__within_a_day__first_minute_in_last_out),
    CHECK_TEST(test_window__over_midnight__both_ends),
    CHECK_TEST(test_window__anything_else__invalid),
};

CHECK_MAIN("day_window", tests)
