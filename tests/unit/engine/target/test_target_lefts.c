/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_lefts.c — what a receiver remembers of its last jobs. */
#include "target_lefts.h"

#include "check.h"
#include "target_damages.h"

static const uint8_t *job(uint8_t number)
{
    static uint8_t id[HAUL_JOB_BYTES];
    id[0] = number;
    id[1] = 1;
    return id;
}

static void test_target_lefts_of__two_jobs__each_its_own(void)
{
    struct target_lefts lefts = {.next = 0};
    check(!target_lefts_find(&lefts, job(1)).known);
    *target_lefts_of(&lefts, job(1)) =
        (struct target_left){.known = true, .job = {1, 1}, .sequence = 10};
    target_lefts_of(&lefts, job(2))->sequence = 20;
    check(target_lefts_find(&lefts, job(1)).known);
    check_equal(target_lefts_find(&lefts, job(1)).sequence, 10);
    check(!target_lefts_find(&lefts, job(2)).known);
    check_equal(target_lefts_find(&lefts, job(2)).sequence, 20);
    check_equal(target_lefts_of(&lefts, job(1))->sequence, 10);
}

static void test_target_lefts_of__many_jobs__the_oldest_is_forgotten(void)
{
    struct target_lefts lefts = {.next = 0};
    for (uint8_t i = 0; i <= TARGET_LEFTS_MAX; i++) {
        target_lefts_of(&lefts, job(i))->known = true;
    }
    check(!target_lefts_find(&lefts, job(0)).known);
    for (uint8_t i = 1; i <= TARGET_LEFTS_MAX; i++) {
        check(target_lefts_find(&lefts, job(i)).known);
    }
}

static void test_target_damages_add__two_jobs__each_is_counted(void)
{
    struct target_damages damages = {.next = 0};
    target_damages_add(&damages, job(1));
    target_damages_add(&damages, job(2));
    target_damages_add(&damages, job(1));
    check_equal(target_damages_of(&damages, job(1)), 2);
    check_equal(target_damages_of(&damages, job(2)), 1);
    check_equal(target_damages_of(&damages, job(3)), 0);
    for (uint8_t i = 3; i < 2 + TARGET_DAMAGES_JOBS_MAX; i++) {
        target_damages_add(&damages, job(i));
    }
    check_equal(target_damages_of(&damages, job(1)), 0); /* forgotten */
    check_equal(target_damages_of(&damages, job(2)), 1);
    target_damages_add(&damages, job(1));
    check_equal(target_damages_of(&damages, job(1)), 1);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_lefts_of__two_jobs__each_its_own),
    CHECK_TEST(test_target_lefts_of__many_jobs__the_oldest_is_forgotten),
    CHECK_TEST(test_target_damages_add__two_jobs__each_is_counted),
};
CHECK_MAIN("target_lefts", tests)
