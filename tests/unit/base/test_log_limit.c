/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_limit.c — many events give few lines, and every event is counted. */
#include "log_limit.h"

#include "check.h"
#include "clock.h"

static const uint64_t quiet_ns = LOG_LIMIT_QUIET_S * NS_PER_S;

static void test_log_limit_allows__first_few__one_line_each(void)
{
    struct log_limit limit = {.count = 0};
    uint64_t unsaid = 9;
    for (int i = 0; i < LOG_LIMIT_LINES; i++) {
        check(log_limit_allows(&limit, 5, &unsaid));
        check_equal(unsaid, 0);
    }
    check(!log_limit_allows(&limit, 5, &unsaid));
}

static void test_log_limit_allows__ten_thousand__fifty_lines_that_count_them_all(void)
{
    struct log_limit limit = {.count = 0};
    uint64_t lines = 0;
    uint64_t counted = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t unsaid = 0;
        if (log_limit_allows(&limit, (uint64_t)i, &unsaid)) {
            lines++;
            counted += 1 + unsaid;
        }
    }
    check(lines <= 50);
    check_equal(counted + limit.unsaid, 10000);
}

static void test_log_limit_allows__after_a_quiet_time__a_line_each_again(void)
{
    struct log_limit limit = {.count = 0};
    uint64_t unsaid = 0;
    uint64_t now_ns = 5;
    for (int i = 0; i < 20; i++) {
        (void)log_limit_allows(&limit, now_ns, &unsaid);
    }
    check(!log_limit_allows(&limit, now_ns + quiet_ns - 1, &unsaid));
    check(log_limit_allows(&limit, now_ns + 2 * quiet_ns - 1, &unsaid));
    check_equal(unsaid, 20 - LOG_LIMIT_LINES + 1);
    check(log_limit_allows(&limit, now_ns + 2 * quiet_ns, &unsaid));
    check_equal(unsaid, 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_log_limit_allows__first_few__one_line_each),
    CHECK_TEST(test_log_limit_allows__ten_thousand__fifty_lines_that_count_them_all),
    CHECK_TEST(test_log_limit_allows__after_a_quiet_time__a_line_each_again),
};

CHECK_MAIN("log_limit", tests)
