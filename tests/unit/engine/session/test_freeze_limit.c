/* SPDX-License-Identifier: Apache-2.0 */
/* test_freeze_limit.c — the deadline of a freeze, and the number of freezes. */
#include "freeze_limit.h"

#include "check.h"
#include "clock.h"

enum { LIMIT_MS = 500 };

static const uint64_t limit_ns = (uint64_t)LIMIT_MS * NS_PER_MS;

static void test_freeze_limit_is_over__before_at_and_behind_the_deadline__from_it_on(void)
{
    struct freeze_limit limit;
    freeze_limit_init(&limit, LIMIT_MS);
    check(!freeze_limit_is_on(&limit));
    check(!freeze_limit_is_over(&limit, UINT64_MAX - 1));
    freeze_limit_begin(&limit, 7);
    check(freeze_limit_is_on(&limit));
    check(!freeze_limit_is_over(&limit, 7 + limit_ns - 1));
    check(freeze_limit_is_over(&limit, 7 + limit_ns));
    check(freeze_limit_is_over(&limit, UINT64_MAX - 1));
}

static void test_freeze_limit_end__frozen__no_deadline_left(void)
{
    struct freeze_limit limit;
    freeze_limit_init(&limit, LIMIT_MS);
    freeze_limit_begin(&limit, 7);
    freeze_limit_end(&limit, 9);
    check(!freeze_limit_is_on(&limit));
    check(!freeze_limit_is_over(&limit, UINT64_MAX - 1));
    check_equal(limit.started_ns, 7);
    check_equal(limit.ended_ns, 9);
}

static void test_freeze_limit_is_used_up__ten_freezes__behind_the_tenth(void)
{
    struct freeze_limit limit;
    freeze_limit_init(&limit, LIMIT_MS);
    for (int i = 0; i < FREEZE_ATTEMPTS_MAX; i++) {
        check(!freeze_limit_is_used_up(&limit));
        freeze_limit_begin(&limit, 7);
        freeze_limit_end(&limit, 8);
    }
    check(freeze_limit_is_used_up(&limit));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_freeze_limit_is_over__before_at_and_behind_the_deadline__from_it_on),
    CHECK_TEST(test_freeze_limit_end__frozen__no_deadline_left),
    CHECK_TEST(test_freeze_limit_is_used_up__ten_freezes__behind_the_tenth),
};

CHECK_MAIN("freeze_limit", tests)
