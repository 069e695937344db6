/* SPDX-License-Identifier: Apache-2.0 */
/* test_human_size.c — bytes and times as people read them. */
#include "human_size.h"

#include "check.h"

static char text[HUMAN_TEXT_BYTES_MAX];

static const char *bytes_of(double bytes)
{
    human_bytes(bytes, text);
    return text;
}

static const char *seconds_of(double seconds)
{
    human_seconds(seconds, text);
    return text;
}

static void test_human_bytes__any_size__three_digits_at_most_and_its_unit(void)
{
    check_text(bytes_of(0), "0 B");
    check_text(bytes_of(999), "999 B");
    check_text(bytes_of(1000), "1.0 kB");
    check_text(bytes_of(1234), "1.2 kB");
    check_text(bytes_of(99900), "99.9 kB");
    check_text(bytes_of(99960), "100 kB");
    check_text(bytes_of(999499), "999 kB");
    check_text(bytes_of(999500), "1.0 MB");
    check_text(bytes_of(4e9), "4.0 GB");
    check_text(bytes_of(5e12), "5.0 TB");
    check_text(bytes_of(6e15), "6.0 PB");
    check_text(bytes_of(1.8e19), "18000 PB"); /* there is no larger unit */
}

static void test_human_seconds__any_time__tenths_then_minutes_then_hours(void)
{
    check_text(seconds_of(0), "0.0 s");
    check_text(seconds_of(0.25), "0.2 s");
    check_text(seconds_of(99.5), "99.5 s");
    check_text(seconds_of(100), "1:40 min");
    check_text(seconds_of(3599.9), "59:59 min");
    check_text(seconds_of(3600), "1:00:00 h");
    check_text(seconds_of(86399), "23:59:59 h");
}

/* An estimate may be any number: a rate near zero makes it infinite. */
static void test_human_seconds__endless__a_million_hours(void)
{
    check_text(seconds_of(1e300), "1000000:00:00 h");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_human_bytes__any_size__three_digits_at_most_and_its_unit),
    CHECK_TEST(test_human_seconds__any_time__tenths_then_minutes_then_hours),
    CHECK_TEST(test_human_seconds__endless__a_million_hours),
};
CHECK_MAIN("human_size", tests)
