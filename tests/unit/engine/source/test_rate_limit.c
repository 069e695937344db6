/* SPDX-License-Identifier: Apache-2.0 */
/* test_rate_limit.c — the token bucket over given time. */
#include "rate_limit.h"

#include "check.h"

enum { KIB = 1024, RATE = 1000, BURST = 100 };

static const uint64_t start_ns = UINT64_C(5) * 1000 * 1000 * 1000;

static void test_rate_limit_take__new__burst_at_once_and_no_more(void)
{
    struct rate_limit limit;
    rate_limit_init(&limit, RATE, BURST, start_ns);
    check(rate_limit_take(&limit, BURST, start_ns));
    check(!rate_limit_take(&limit, 1, start_ns));
}

static void test_rate_limit_take__time_passes__exactly_the_rate(void)
{
    struct rate_limit limit;
    rate_limit_init(&limit, RATE, BURST, start_ns);
    check(rate_limit_take(&limit, BURST, start_ns));
    check(!rate_limit_take(&limit, 10, start_ns + 10 * NS_PER_MS - 1));
    check(rate_limit_take(&limit, 10, start_ns + 10 * NS_PER_MS));
    check(!rate_limit_take(&limit, 1, start_ns + 10 * NS_PER_MS));
}

static void test_rate_limit_take__asked_every_nanosecond__rounding_does_not_add_up(void)
{
    struct rate_limit limit;
    uint64_t taken = 0;
    rate_limit_init(&limit, 7 * NS_PER_MS, 1, start_ns); /* 0.007 bytes a nanosecond */
    check(rate_limit_take(&limit, 1, start_ns));
    for (uint64_t ns = 1; ns <= 1000000; ns++) {
        taken += rate_limit_take(&limit, 1, start_ns + ns);
    }
    check(taken <= 7000);
    check(taken >= 6990); /* what exceeds the burst of one byte is lost */
}

static void test_rate_limit_take__idle_for_long__saves_no_more_than_the_burst(void)
{
    struct rate_limit limit;
    rate_limit_init(&limit, RATE, BURST, start_ns);
    check(rate_limit_take(&limit, BURST, start_ns));
    check(rate_limit_take(&limit, BURST, UINT64_MAX));
    check(!rate_limit_take(&limit, 1, UINT64_MAX));
}

static void test_rate_limit_take__larger_than_burst__waits_for_full_then_owes(void)
{
    struct rate_limit limit;
    rate_limit_init(&limit, RATE, BURST, start_ns);
    check(rate_limit_take(&limit, 1, start_ns));
    check(!rate_limit_take(&limit, 300, start_ns));
    check(rate_limit_take(&limit, 300, start_ns + NS_PER_MS));
    /* 200 owed: 0.2 s until the level is 0, and 1 ms for a byte. */
    check_equal(rate_limit_ready_ns(&limit, 1, start_ns), start_ns + 202 * NS_PER_MS);
    check(!rate_limit_take(&limit, 1, start_ns + 202 * NS_PER_MS - 1));
    check(rate_limit_take(&limit, 1, start_ns + 202 * NS_PER_MS));
}

static void test_rate_limit_take__largest_bytes_at_highest_rate__no_overflow(void)
{
    struct rate_limit limit;
    rate_limit_init(&limit, UINT64_MAX, RATE_LIMIT_BYTES_MAX, start_ns);
    check(rate_limit_take(&limit, RATE_LIMIT_BYTES_MAX, start_ns));
    check(!rate_limit_take(&limit, RATE_LIMIT_BYTES_MAX, start_ns));
    check(rate_limit_take(&limit, RATE_LIMIT_BYTES_MAX, start_ns + 1));
    rate_limit_init(&limit, 1, 1, start_ns);
    check(rate_limit_take(&limit, RATE_LIMIT_BYTES_MAX, start_ns));
    check_equal(rate_limit_ready_ns(&limit, 1, start_ns),
                start_ns + RATE_LIMIT_BYTES_MAX * NS_PER_S);
}

static void test_rate_limit_take__time_goes_back__stands_still(void)
{
    struct rate_limit limit;
    rate_limit_init(&limit, RATE, BURST, start_ns);
    check(rate_limit_take(&limit, BURST, start_ns));
    check(!rate_limit_take(&limit, 1, 0));
    check(!rate_limit_take(&limit, 2, start_ns + NS_PER_MS));
    check(rate_limit_take(&limit, 1, start_ns + NS_PER_MS));
}

static void test_rate_limit_take__no_limit__always(void)
{
    struct rate_limit limit;
    rate_limit_init(&limit, 0, BURST, start_ns);
    for (int i = 0; i < 10; i++) {
        check(rate_limit_take(&limit, RATE_LIMIT_BYTES_MAX, start_ns));
    }
    check_equal(rate_limit_ready_ns(&limit, KIB, start_ns), start_ns);
}

static void test_rate_limit_change__slower__from_that_moment_on(void)
{
    struct rate_limit limit;
    rate_limit_init(&limit, RATE, BURST, start_ns);
    check(rate_limit_take(&limit, BURST, start_ns));
    rate_limit_change(&limit, 10, BURST, start_ns + 50 * NS_PER_MS); /* 50 bytes were saved */
    check(rate_limit_take(&limit, 50, start_ns + 50 * NS_PER_MS));
    check_equal(rate_limit_ready_ns(&limit, 1, start_ns), start_ns + 150 * NS_PER_MS);
}

static void test_rate_limit_change__smaller_burst__savings_beyond_it_are_lost(void)
{
    struct rate_limit limit;
    rate_limit_init(&limit, 0, BURST, start_ns);
    rate_limit_change(&limit, RATE, BURST / 2, start_ns);
    check(rate_limit_take(&limit, BURST / 2, start_ns));
    check(!rate_limit_take(&limit, 1, start_ns));
    rate_limit_change(&limit, RATE, BURST, start_ns);
    check(!rate_limit_take(&limit, 1, start_ns));
    check(rate_limit_take(&limit, BURST, start_ns + NS_PER_S));
    rate_limit_change(&limit, 0, BURST, start_ns + NS_PER_S);
    check(rate_limit_take(&limit, RATE_LIMIT_BYTES_MAX, start_ns + NS_PER_S));
}

static void test_rate_limit_ready_ns__take_at_that_moment__succeeds_and_not_before(void)
{
    struct rate_limit limit;
    rate_limit_init(&limit, 333, BURST, start_ns);
    check(rate_limit_take(&limit, BURST, start_ns));
    for (uint64_t bytes = 1; bytes <= BURST; bytes++) {
        struct rate_limit early = limit;
        struct rate_limit late = limit;
        uint64_t ready_ns = rate_limit_ready_ns(&limit, bytes, start_ns);
        check(!rate_limit_take(&early, bytes, ready_ns - 1));
        check(rate_limit_take(&late, bytes, ready_ns));
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rate_limit_take__new__burst_at_once_and_no_more),
    CHECK_TEST(test_rate_limit_take__time_passes__exactly_the_rate),
    CHECK_TEST(test_rate_limit_take__asked_every_nanosecond__rounding_does_not_add_up),
    CHECK_TEST(test_rate_limit_take__idle_for_long__saves_no_more_than_the_burst),
    CHECK_TEST(test_rate_limit_take__larger_than_burst__waits_for_full_then_owes),
    CHECK_TEST(test_rate_limit_take__largest_bytes_at_highest_rate__no_overflow),
    CHECK_TEST(test_rate_limit_take__time_goes_back__stands_still),
    CHECK_TEST(test_rate_limit_take__no_limit__always),
    CHECK_TEST(test_rate_limit_change__slower__from_that_moment_on),
    CHECK_TEST(test_rate_limit_change__smaller_burst__savings_beyond_it_are_lost),
    CHECK_TEST(test_rate_limit_ready_ns__take_at_that_moment__succeeds_and_not_before),
};
CHECK_MAIN("rate_limit", tests)
