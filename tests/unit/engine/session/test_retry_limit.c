/* SPDX-License-Identifier: Apache-2.0 */
/* test_retry_limit.c — delays that double, and an end of the retries. */
#include "retry_limit.h"

#include "check.h"
#include "clock.h"

enum { LIMIT_MS = 10000 };

static const uint64_t start_ns = 5 * NS_PER_S;
static const uint64_t limit_ns = LIMIT_MS * (uint64_t)NS_PER_MS;

static void test_retry_limit_allows__zero__never(void)
{
    struct retry_limit limit;
    retry_limit_init(&limit, 0);
    check(!retry_limit_allows(&limit, false, start_ns));
    check(!retry_limit_allows(&limit, true, start_ns));
}

static void test_retry_limit_next__repeated__doubles_to_two_seconds(void)
{
    static const uint64_t pauses_ms[] = {100, 200, 400, 800, 1600, 2000, 2000};
    struct retry_limit limit;
    retry_limit_init(&limit, LIMIT_MS);
    uint64_t now_ns = start_ns;
    for (size_t i = 0; i < CHECK_COUNT(pauses_ms); i++) {
        uint64_t next_ns = retry_limit_next_ns(&limit, now_ns);
        check_equal((next_ns - now_ns) / NS_PER_MS, pauses_ms[i]);
        now_ns = next_ns;
    }
}

static void test_retry_limit_allows__never_up__until_the_limit(void)
{
    struct retry_limit limit;
    retry_limit_init(&limit, LIMIT_MS);
    check(retry_limit_allows(&limit, false, start_ns));
    (void)retry_limit_next_ns(&limit, start_ns);
    check(retry_limit_allows(&limit, false, start_ns + limit_ns - 1));
    check(!retry_limit_allows(&limit, false, start_ns + limit_ns));
}

static void test_retry_limit_note_up__something_lasted__time_starts_anew(void)
{
    struct retry_limit limit;
    retry_limit_init(&limit, LIMIT_MS);
    (void)retry_limit_next_ns(&limit, start_ns);
    (void)retry_limit_next_ns(&limit, start_ns);
    uint64_t later_ns = start_ns + limit_ns - 1;
    retry_limit_note_up(&limit, 1, later_ns);
    check(retry_limit_allows(&limit, true, start_ns + limit_ns));
    uint64_t lost_ns = start_ns + limit_ns + 1;
    check_equal((retry_limit_next_ns(&limit, lost_ns) - lost_ns) / NS_PER_MS, 100);
    check(retry_limit_allows(&limit, false, lost_ns + limit_ns - 1));
}

/* The path is up and down again, a second each time, without any progress. */
static void test_retry_limit_allows__up_in_vain__ends(void)
{
    struct retry_limit limit;
    retry_limit_init(&limit, LIMIT_MS);
    uint64_t now_ns = start_ns;
    retry_limit_note_up(&limit, 7, now_ns);
    int losses = 0;
    while (retry_limit_allows(&limit, true, now_ns) && losses < 1000) {
        now_ns = retry_limit_next_ns(&limit, now_ns);
        retry_limit_note_up(&limit, 7, now_ns);
        now_ns += NS_PER_S;
        losses++;
    }
    check(losses > 3);
    check(now_ns - start_ns < 2 * limit_ns);
}

static void test_retry_limit_allows__up_for_the_limit__time_starts_anew(void)
{
    struct retry_limit limit;
    retry_limit_init(&limit, LIMIT_MS);
    (void)retry_limit_next_ns(&limit, start_ns);
    retry_limit_note_up(&limit, 0, start_ns + NS_PER_S);
    uint64_t lost_ns = start_ns + NS_PER_S + limit_ns;
    check(!retry_limit_allows(&limit, false, lost_ns));
    check(retry_limit_allows(&limit, true, lost_ns));
    check_equal((retry_limit_next_ns(&limit, lost_ns) - lost_ns) / NS_PER_MS, 100);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_retry_limit_allows__zero__never),
    CHECK_TEST(test_retry_limit_next__repeated__doubles_to_two_seconds),
    CHECK_TEST(test_retry_limit_allows__never_up__until_the_limit),
    CHECK_TEST(test_retry_limit_note_up__something_lasted__time_starts_anew),
    CHECK_TEST(test_retry_limit_allows__up_in_vain__ends),
    CHECK_TEST(test_retry_limit_allows__up_for_the_limit__time_starts_anew),
};

CHECK_MAIN("retry_limit", tests)
