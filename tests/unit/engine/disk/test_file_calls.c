/* SPDX-License-Identifier: Apache-2.0 */
/* test_file_calls.c — what the system's calls do that a fake disk does not show. */
#include "file_calls.h"

#include "check.h"
#include "clock.h"

/* Whoever waits for a lock must not spin meanwhile. */
static void test_file_calls_system__pause__takes_that_long(void)
{
    enum { PAUSE_MS = 20 };
    uint64_t before_ns = clock_now_ns(&clock_monotonic);
    file_calls_system.pause(NULL, PAUSE_MS);
    check(clock_now_ns(&clock_monotonic) - before_ns >= PAUSE_MS * (uint64_t)NS_PER_MS);
}

static void test_file_calls_or_system__none_and_some__the_systems_or_these(void)
{
    static const struct file_calls calls;
    check(file_calls_or_system(NULL) == &file_calls_system);
    check(file_calls_or_system(&calls) == &calls);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_file_calls_system__pause__takes_that_long),
    CHECK_TEST(test_file_calls_or_system__none_and_some__the_systems_or_these),
};

CHECK_MAIN("file_calls", tests)
