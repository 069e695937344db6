/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_others.c — how other jobs of a target affect the families that were created for
 * one. */
#include "target_others.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "config_version.h"
#include "job_journal.h"
#include "rocks_fixture.h"
#include "target_journal_fixture.h"
#include "target_left_over.h"

static void make_two_families(void)
{
    (void)rocks_fixture_family(&source, "one");
    (void)rocks_fixture_family(&source, "two");
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    check_equal(family_count(), 3);
}

static void test_target_journal_clear__families_made_for_the_job__gone_with_it(void)
{
    struct haul_error reason = {.status = HAUL_CANCELLED};
    start();
    make_two_families();
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(family_count(), 1);
    rocks_fixture_reopen(&target);
    check_equal(family_count(), 1);
    finish();
}

/* Job 1 has made two families and is away; job 2 is here, over other ranges of them. */
static void make_two_jobs(void)
{
    make_two_families();
    leave();
    check_equal(come(2, false), JOB_UNKNOWN);
    check_status(check_range("m", "n", false), HAUL_OK);
}

static void test_target_journal_clear__family_has_records_of_others__stays(void)
{
    struct haul_error reason = {.status = HAUL_CANCELLED};
    start();
    make_two_families();
    rocks_fixture_fill(&target, journal.plan.families[1].target_id, "x", RECORD_COUNT, 10);
    const char *name = journal.plan.families[1].family.name;
    char kept[HAUL_NAME_BYTES_MAX];
    (void)snprintf(kept, sizeof(kept), "%s", name);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(family_count(), 2);
    check_equal(rocks_fixture_count(&target, kept), RECORD_COUNT);
    finish();
}

/* Job 2 needs what job 1 created, and is the last to end. */
static void test_target_journal_clear__family_made_for_a_job_that_ended_before__goes(void)
{
    struct haul_error reason = {.status = HAUL_CANCELLED};
    start();
    make_two_jobs();
    leave();
    check_equal(come(1, true), JOB_COPYING);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(family_count(), 3);
    check_equal(come(2, true), JOB_COPYING);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(family_count(), 1);
    check_equal(job_count(), 0);
    finish();
}

/* Job 1 has brought nothing, and owns; job 2 came while it was under way, and ends without
 * owning. */
static void test_target_journal_clear__family_of_a_range_that_is_owned__stays(void)
{
    struct haul_error reason = {.status = HAUL_CANCELLED};
    start();
    make_two_jobs();
    leave();
    check_equal(come(1, true), JOB_COPYING);
    prepare();
    check_status(target_journal_own(&journal, 1, &error), HAUL_OK);
    leave();
    check_equal(come(2, true), JOB_COPYING);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(family_count(), 3);
    finish();
}

/* The next job needs the families, and they end with that one. */
static void damage_journal(uint8_t number)
{
    char path[600];
    char name[JOURNAL_NAME_BYTES_MAX];
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, number, sizeof(job));
    journal_name_format(JOURNAL_TARGET, job, name);
    (void)snprintf(path, sizeof(path), "%s/haul/%s", target.path, name);
    int file = open(path, O_WRONLY);
    check(file >= 0 && pwrite(file, "x", 1, 20) == 1 && close(file) == 0);
}

static void test_target_journal_clear__another_journal_is_damaged__ends_and_the_family_stays(void)
{
    struct haul_error reason = {.status = HAUL_CANCELLED};
    start();
    make_two_jobs();
    damage_journal(1);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(family_count(), 3);
    check_equal(job_count(), 1);
    finish();
}

static void test_target_left_over_give_up__another_journal_is_damaged__given_up(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, 2, sizeof(job));
    start();
    make_two_jobs();
    leave();
    damage_journal(1);
    check_status(target_left_over_give_up(target.store, job, NULL, NULL, &error), HAUL_OK);
    check_equal(job_count(), 1);
    finish();
}

/* Its source was greeted, and was gone before its plan came. */
static void test_target_left_over_give_up__no_plan_yet__gone(void)
{
    struct journal *file = NULL;
    bool existed = false;
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, 3, sizeof(job));
    start();
    rocks_fixture_put(&target, 0, text_slice("k"), text_slice("of the target"));
    check_or_stop(job_journal_open(target.store, JOURNAL_TARGET, job, &file, &existed, &error) ==
                  HAUL_OK);
    check_status(job_journal_bind(file, "source/1", "host:1", &error), HAUL_OK);
    journal_close(file);
    check_equal(job_count(), 1);
    check_status(target_left_over_give_up(target.store, job, NULL, NULL, &error), HAUL_OK);
    check_equal(job_count(), 0);
    check_equal(rocks_fixture_count(&target, "default"), 1);
    finish();
}

static void test_target_admission_check__families_of_a_job_that_is_over__belong_to_the_next(void)
{
    struct haul_error reason = {.status = HAUL_CANCELLED};
    uint8_t jobs[2 * HAUL_JOB_BYTES]; /* job 1, and one that was never here */
    start();
    make_two_families();
    leave();
    memset(jobs, 1, HAUL_JOB_BYTES);
    memset(jobs + HAUL_JOB_BYTES, 7, HAUL_JOB_BYTES);
    check_equal(come(2, false), JOB_UNKNOWN);
    check_status(
        target_journal_note_over(&journal, slice_of(jobs, sizeof(jobs)), slice_of(NULL, 0), &error),
        HAUL_OK);
    check_status(check_range("m", "n", false), HAUL_OK);
    check_equal(family_count(), 3);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(family_count(), 1);
    check_equal(job_count(), 0);
    finish();
}

/* The families of job 1 are those of job 2 as well, which has put nothing into them yet. */
static void test_target_journal_clear__another_job_needs_its_families__they_stay(void)
{
    struct haul_error reason = {.status = HAUL_CANCELLED};
    uint8_t job[HAUL_JOB_BYTES];
    start();
    make_two_jobs();
    leave();
    memset(job, 1, sizeof(job));
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(
        target_journal_note_over(&journal, slice_of(job, sizeof(job)), slice_of(NULL, 0), &error),
        HAUL_OK);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(job_count(), 1);
    check_equal(family_count(), 3);
    finish();
}

/* Job 2 has looked up the families of job 1, and its plan is not recorded yet. */
static void test_target_journal_clear__another_job_is_being_let_in__its_family_stays(void)
{
    const struct journal_record named = {.type = JOURNAL_FAMILY, .family = text_slice("one")};
    struct haul_error reason = {.status = HAUL_CANCELLED};
    struct journal *file = NULL;
    bool existed = false;
    uint8_t job[HAUL_JOB_BYTES];
    start();
    make_two_families();
    memset(job, 2, sizeof(job));
    check_or_stop(job_journal_open(target.store, JOURNAL_TARGET, job, &file, &existed, &error) ==
                  HAUL_OK);
    check_status(journal_append(file, &named, true, &error), HAUL_OK);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(family_count(), 2);
    journal_close(file);
    finish();
}

/* Job 2 was given up, and could not be cleared: nothing of it will come. */
static void test_target_journal_clear__another_job_is_aborted__keeps_no_family(void)
{
    struct haul_error reason = {.status = HAUL_CANCELLED};
    start();
    make_two_jobs();
    check_status(job_journal_aborted(journal.file, HAUL_CANCELLED, "given up", &error), HAUL_OK);
    leave();
    check_equal(come(1, true), JOB_COPYING);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(family_count(), 1);
    finish();
}

/* Job 1 owns, and part of its range was given back: the rest may well be this database's. */
static void test_target_journal_clear__over_and_given_back_in_part__mismatch(void)
{
    static const uint8_t back[HAUL_JOB_BYTES] = {9};
    const struct haul_range part = {.start = text_slice("k"), .end = text_slice("k5")};
    const struct haul_source_options source_options = {
        .ranges = &part, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    struct haul_error reason = {.status = HAUL_CANCELLED};
    struct plan plan;
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, 1, sizeof(job));
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    prepare();
    check_status(target_journal_own(&journal, 1, &error), HAUL_OK);
    leave();
    check_or_stop(plan_make(&plan, source.store, &source_options, 0, &error) == HAUL_OK);
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = back,
                                      .peer = "source/1",
                                      .plan = &plan,
                                      .new_version = 2,
                                      .epoch = 1};
    check_status(config_version_move(target.store, &options.hooks, &move, &error), HAUL_OK);
    plan_fini(&plan);
    check_equal(come(1, true), JOB_COMMITTED);
    check_equal(journal.returned, VERSION_PERHAPS_RETURNED);
    check_status(
        target_journal_note_over(&journal, slice_of(job, sizeof(job)), slice_of(NULL, 0), &error),
        HAUL_OK);
    check_error(target_journal_clear(&journal, &reason, &error), HAUL_MISMATCH, error);
    check(target_journal_owned_job(&journal) != NULL &&
          memcmp(target_journal_owned_job(&journal), job, HAUL_JOB_BYTES) == 0);
    leave();
    finish();
}

/* Jobs 1 and 2 are prepared; 2 has no PEER, and 3 is not prepared. */
static void test_target_others_waiting__prepared_and_bound__only_these(void)
{
    uint8_t waiting[2 * HAUL_JOB_BYTES];
    size_t count = 9;
    const struct haul_source_options everything = {.lane = HAUL_LANE_WRITE_BATCH};
    static struct journal_prepared prepared = {.new_version = 1, .epoch = EPOCH, .digest_count = 1};
    struct plan plan;
    start();
    check_or_stop(plan_make(&plan, source.store, &everything, 0, &error) == HAUL_OK);
    plan.new_version = plan.old_version + 1;
    for (uint8_t number = 1; number <= 3; number++) {
        uint8_t job[HAUL_JOB_BYTES];
        struct journal *file = NULL;
        bool existed = false;
        memset(job, number, sizeof(job));
        check_or_stop(job_journal_open(target.store, JOURNAL_TARGET, job, &file, &existed,
                                       &error) == HAUL_OK);
        if (number != 2) {
            check_status(job_journal_bind(file, "source/1", "host:1", &error), HAUL_OK);
        }
        check_status(job_journal_plan(file, &plan, &error), HAUL_OK);
        const struct journal_record last = {.type = JOURNAL_PREPARED, .prepared = &prepared};
        if (number != 3) {
            check_status(journal_append(file, &last, true, &error), HAUL_OK);
        }
        journal_close(file);
    }
    plan_fini(&plan);
    check_status(target_others_waiting(target.store, "source/1", waiting, 2, &count, &error),
                 HAUL_OK);
    check_equal(count, 1);
    check_equal(waiting[0], 1);
    check_status(target_others_waiting(target.store, "source/2", waiting, 2, &count, &error),
                 HAUL_OK);
    check_equal(count, 0);
    damage_journal(3); /* its operator decides it; other jobs can end */
    check_status(target_others_waiting(target.store, "source/1", waiting, 2, &count, &error),
                 HAUL_OK);
    check_equal(count, 1);
    check_equal(waiting[0], 1);
    finish();
}

static void test_target_others_was_made__another_journal_is_damaged__told_by_the_others(void)
{
    bool made = false;
    start();
    make_two_jobs();
    leave();
    for (uint8_t damaged = 1; damaged <= 2; damaged++) {
        damage_journal(damaged);
        check_status(target_others_was_made(target.store, "one", &made, &error), HAUL_OK);
        check_equal(made, damaged == 1); /* then nobody is left who could report it */
    }
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_journal_clear__families_made_for_the_job__gone_with_it),
    CHECK_TEST(test_target_journal_clear__family_has_records_of_others__stays),
    CHECK_TEST(test_target_journal_clear__family_made_for_a_job_that_ended_before__goes),
    CHECK_TEST(test_target_journal_clear__family_of_a_range_that_is_owned__stays),
    CHECK_TEST(test_target_journal_clear__another_journal_is_damaged__ends_and_the_family_stays),
    CHECK_TEST(test_target_left_over_give_up__another_journal_is_damaged__given_up),
    CHECK_TEST(test_target_left_over_give_up__no_plan_yet__gone),
    CHECK_TEST(test_target_admission_check__families_of_a_job_that_is_over__belong_to_the_next),
    CHECK_TEST(test_target_journal_clear__another_job_needs_its_families__they_stay),
    CHECK_TEST(test_target_journal_clear__another_job_is_being_let_in__its_family_stays),
    CHECK_TEST(test_target_journal_clear__another_job_is_aborted__keeps_no_family),
    CHECK_TEST(test_target_journal_clear__over_and_given_back_in_part__mismatch),
    CHECK_TEST(test_target_others_waiting__prepared_and_bound__only_these),
    CHECK_TEST(test_target_others_was_made__another_journal_is_damaged__told_by_the_others),
};

CHECK_MAIN("target_others", tests)
