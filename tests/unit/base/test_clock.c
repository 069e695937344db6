/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c — deadline arithmetic at its edges. */
#include "clock.h"

#include "check.h"

static uint64_t now_ns;

static uint64_t fixed_now_ns(void *context)
{
    return *(const uint64_t *)context;
}

static const struct haul_clock fixed = {.now_ns = fixed_now_ns, .context = &now_ns};

static void test_clock_monotonic__two_readings__never_goes_back(void)
{
    uint64_t first = clock_now_ns(&clock_monotonic);
    check(first > 0);
    check(clock_now_ns(&clock_monotonic) >= first);
}

static void test_clock_deadline_ns__some_milliseconds__now_plus_those(void)
{
    now_ns = 1000;
    check_equal(clock_deadline_ns(&fixed, 0), 1000);
    check_equal(clock_deadline_ns(&fixed, 5), 1000 + 5 * (uint64_t)NS_PER_MS);
}

static void test_clock_deadline_ns__beyond_the_end_of_time__never(void)
{
    now_ns = 1000;
    check_equal(clock_deadline_ns(&fixed, UINT64_MAX), CLOCK_NEVER);
    now_ns = CLOCK_NEVER - NS_PER_MS;
    check_equal(clock_deadline_ns(&fixed, 2), CLOCK_NEVER);
    check_equal(clock_deadline_ns(&fixed, 1), CLOCK_NEVER);
    now_ns = CLOCK_NEVER - NS_PER_MS - 1;
    check_equal(clock_deadline_ns(&fixed, 1), CLOCK_NEVER - 1);
}

static void test_clock_ms_until__future__rounded_up(void)
{
    now_ns = 1000;
    check_equal(clock_ms_until(&fixed, now_ns + 1, 100), 1);
    check_equal(clock_ms_until(&fixed, now_ns + NS_PER_MS, 100), 1);
    check_equal(clock_ms_until(&fixed, now_ns + NS_PER_MS + 1, 100), 2);
}

static void test_clock_ms_until__past__zero(void)
{
    now_ns = 1000;
    check_equal(clock_ms_until(&fixed, 999, 100), 0);
    check_equal(clock_ms_until(&fixed, 1000, 100), 0);
}

static void test_clock_ms_until__far__at_most_the_bound(void)
{
    now_ns = 1;
    check_equal(clock_ms_until(&fixed, 1 + 101 * (uint64_t)NS_PER_MS, 100), 100);
    check_equal(clock_ms_until(&fixed, CLOCK_NEVER - NS_PER_S, 100), 100);
}

static void test_clock_ms_until__never__the_bound(void)
{
    now_ns = 1;
    check_equal(clock_ms_until(&fixed, CLOCK_NEVER, 100), 100);
    now_ns = 0; /* rounding up must not overflow */
    check_equal(clock_ms_until(&fixed, CLOCK_NEVER, 100), 100);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_clock_monotonic__two_readings__never_goes_back),
    CHECK_TEST(test_clock_deadline_ns__some_milliseconds__now_plus_those),
    CHECK_TEST(test_clock_deadline_ns__beyond_the_end_of_time__never),
    CHECK_TEST(test_clock_ms_until__future__rounded_up),
    CHECK_TEST(test_clock_ms_until__past__zero),
    CHECK_TEST(test_clock_ms_until__far__at_most_the_bound),
    CHECK_TEST(test_clock_ms_until__never__the_bound),
};

CHECK_MAIN("clock", tests)
