/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_reservation.c — an embedder's reservation ends with a job that does not commit,
 * whichever way it ends, and not before. */
#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "job_journal.h"
#include "rocks_fixture.h"
#include "space_limit.h"
#include "target_journal_fixture.h"
#include "target_left_over.h"

enum { JOB_COUNT = 4 };

static unsigned reserve_count;
static bool reserved[JOB_COUNT]; /* by the number of the job */

static enum haul_status reserve(void *context, const struct haul_reservation *wanted,
                                struct haul_error *failed)
{
    (void)context;
    (void)failed;
    reserve_count++;
    reserved[wanted->job[0] % JOB_COUNT] = true;
    return HAUL_OK;
}

static void unreserve(void *context, const uint8_t job[HAUL_JOB_BYTES])
{
    (void)context;
    reserved[job[0] % JOB_COUNT] = false;
}

/* Job 1 came, and left what it had brought; the target starts anew. */
static void keep_one(void)
{
    start();
    options.hooks.reserve = reserve;
    options.hooks.unreserve = unreserve;
    reserve_count = 0;
    memset(reserved, 0, sizeof(reserved));
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    leave();
    check(reserved[1]);
}

static void clear_with(const uint8_t *over, size_t size)
{
    const struct haul_error reason = {.status = HAUL_CANCELLED};
    check_status(
        target_journal_note_over(&journal, slice_of(over, size), slice_of(NULL, 0), &error),
        HAUL_OK);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
}

static void test_target_journal_clear__kept_job_is_aborted_by_its_source__unreserved(void)
{
    keep_one();
    check_equal(come(1, true), JOB_COPYING);
    clear_with(NULL, 0);
    check(!reserved[1]);
    leave();
    finish();
}

static void test_target_journal_clear__source_only_tells_of_its_job__unreserved(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, 1, sizeof(job));
    keep_one();
    check_equal(come(2, false), JOB_UNKNOWN);
    clear_with(job, sizeof(job));
    check(!reserved[1]);
    leave();
    finish();
}

/* The new job has its own reservation, and keeps it. */
static void test_target_admission_check__another_job_comes_over_it__only_the_old_is_unreserved(void)
{
    keep_one();
    check_equal(come(2, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", true), HAUL_OK);
    check(!reserved[1]);
    check(reserved[2]);
    leave();
    finish();
}

static void test_target_admission_check__another_plan_is_refused__only_that_is_unreserved(void)
{
    keep_one();
    check_equal(come(2, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_BUSY);
    check(strstr(error.hint, "resume it from its source (`haul send`)") != NULL);
    check(reserved[1]);
    check(!reserved[2]);
    leave();
    finish();
}

static void test_target_left_over_give_up__kept_job__unreserved(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, 1, sizeof(job));
    keep_one();
    check_status(target_left_over_give_up(target.store, job, &options.hooks, NULL, &error),
                 HAUL_OK);
    check(!reserved[1]);
    finish();
}

/* The embedder knows the job by its ranges, and is not called for other ranges under the same
 * name. */
static void test_target_admission_check__resumed_with_other_ranges__not_asked_and_stays(void)
{
    keep_one();
    check_equal(come(1, true), JOB_COPYING);
    check_status(check_range("k", "m", false), HAUL_MISMATCH);
    check_equal(reserve_count, 1);
    check(reserved[1]);
    leave();
    check_equal(job_count(), 1);
    finish();
}

/* What an attempt of the same job had left is removed, and the job continues. */
static void test_target_admission_check__own_rest_is_cleared__stays_reserved(void)
{
    keep_one();
    check_equal(come(1, true), JOB_COPYING);
    check_status(job_journal_aborted(journal.file, HAUL_IO, "test", &error), HAUL_OK);
    leave();
    check_equal(come(1, true), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    check_equal(reserve_count, 2);
    check(reserved[1]);
    leave();
    finish();
}

static void test_target_journal_own__prepared__stays_reserved(void)
{
    keep_one();
    check_equal(come(1, true), JOB_COPYING);
    check_status(check_range("k", "l", false), HAUL_OK);
    prepare();
    check_status(target_journal_own(&journal, 1, &error), HAUL_OK);
    check(reserved[1]);
    leave();
    finish();
}

/* Two jobs at once: number 1 of them is checked. */
static void test_target_admission_check__beside_another__space_that_it_claims_is_not_free(void)
{
    struct space_claims claims = {.bytes = {UINT64_MAX}};
    const struct space_claim other = {.all = &claims, .index = 0};
    start();
    rocks_fixture_fill(&source, 0, "k", 1000, 1000);
    check_status(source.store->ops->flush(source.store, &error), HAUL_OK);
    check_equal(come(1, false), JOB_UNKNOWN);
    journal.claim = (struct space_claim){.all = &claims, .index = 1};
    check_error(check_range("k", "l", false), HAUL_NO_SPACE, error);
    check_equal(space_claim_others(&other), 0);
    space_claim_set(&other, 0); /* it has ended */
    check_status(check_range("k", "l", false), HAUL_OK);
    check(space_limit_plan_bytes(&journal.plan) > 0);
    check_equal(space_claim_others(&other), space_limit_plan_bytes(&journal.plan));
    leave();
    rocks_fixture_fill(&target, 0, "m", 1, 1);
    check_equal(come(2, false), JOB_UNKNOWN);
    journal.claim = (struct space_claim){.all = &claims, .index = 1};
    check_error(check_range("m", "n", false), HAUL_NOT_EMPTY, error);
    check_equal(space_claim_others(&other), 0); /* a refused plan claims nothing */
    leave();
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_journal_clear__kept_job_is_aborted_by_its_source__unreserved),
    CHECK_TEST(test_target_journal_clear__source_only_tells_of_its_job__unreserved),
    CHECK_TEST(test_target_admission_check__another_job_comes_over_it__only_the_old_is_unreserved),
    CHECK_TEST(test_target_admission_check__another_plan_is_refused__only_that_is_unreserved),
    CHECK_TEST(test_target_left_over_give_up__kept_job__unreserved),
    CHECK_TEST(test_target_admission_check__resumed_with_other_ranges__not_asked_and_stays),
    CHECK_TEST(test_target_admission_check__own_rest_is_cleared__stays_reserved),
    CHECK_TEST(test_target_journal_own__prepared__stays_reserved),
    CHECK_TEST(test_target_admission_check__beside_another__space_that_it_claims_is_not_free),
};

CHECK_MAIN("target_reservation", tests)
