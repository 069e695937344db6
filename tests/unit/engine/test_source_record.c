/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_record.c — the source's records: what is left of a job that a crash interrupted. */
#include "source_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "haul/job.h"
#include "job_journal.h"
#include "rocks_fixture.h"
#include "source_job.h"
#include "version_record.h"

static struct rocks_fixture source;
static struct haul_source_options options;
static struct source_record record;
static struct haul_error error;

static size_t job_count(void)
{
    struct haul_job *jobs = NULL;
    size_t count = 99;
    check_status(haul_jobs_list(source.path, &jobs, &count, &error), HAUL_OK);
    free(jobs);
    return count;
}

/* A job that was decided, and whose process died before it wrote RELEASED; or even before the
 * journal repeated what the ownership file says. */
static void decide_and_die(struct plan *plan, bool in_journal)
{
    static const struct haul_range whole = {.start = {NULL, 0}};
    options =
        (struct haul_source_options){.store = source.store, .ranges = &whole, .range_count = 1};
    check_or_stop(plan_make(plan, source.store, &options, 0, &error) == HAUL_OK);
    plan->new_version = 1;
    source_record_init(&record, &options);
    memset(record.job, 3, sizeof(record.job));
    check_status(source_record_begin(&record, plan, 0, &error), HAUL_OK);
    check_status(source_record_frozen(&record, &error), HAUL_OK);
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = record.job,
                                      .peer = "",
                                      .plan = plan,
                                      .new_version = 1,
                                      .epoch = 1};
    check_status(in_journal ? source_record_decide(&record, plan, &error)
                            : version_record_move(source.store, &options.hooks, &move, &error),
                 HAUL_OK);
    plan_fini(plan);
    source_record_fini(&record);
}

/* The ownership file cannot be read for a while. */
static void hide_ownership(bool hide)
{
    char file[600];
    char aside[600];
    (void)snprintf(file, sizeof(file), "%s/haul/ownership", source.path);
    (void)snprintf(aside, sizeof(aside), "%s/aside", source.path);
    check(hide ? rename(file, aside) == 0 && mkdir(file, 0755) == 0
               : rmdir(file) == 0 && rename(aside, file) == 0);
}

static void test_source_record_end__resolved_before_released__journal_is_gone(void)
{
    struct plan plan;
    struct haul_error outcome = {.status = HAUL_OK};
    struct source_ending ending = {.outcome = &outcome, .was_accepted = true};
    rocks_fixture_open(&source);
    decide_and_die(&plan, true);
    check_equal(job_count(), 1);
    source_record_init(&record, &options);
    check_status(source_record_adopt(&record, &plan, &error), HAUL_OK);
    source_record_end(&record, &ending);
    source_record_fini(&record);
    plan_fini(&plan);
    check_equal(job_count(), 0);
    rocks_fixture_close(&source);
}

static void test_source_record_adopt__ownership_cannot_be_read__error_and_the_job_stays(void)
{
    struct plan plan = {.family_count = 0};
    struct source_ending ending = {.outcome = &error};
    rocks_fixture_open(&source);
    decide_and_die(&plan, false);
    hide_ownership(true);
    options.resolve = true;
    source_record_init(&record, &options);
    check_status(source_record_adopt(&record, &plan, &error), HAUL_IO);
    error.status = HAUL_IO;
    source_record_end(&record, &ending);
    source_record_fini(&record);
    source_record_init(&record, &options);
    check_status(source_record_find(&record, &error), HAUL_IO);
    source_record_fini(&record);
    memset(record.job, 3, sizeof(record.job));
    check_status(source_record_give_up(source.store, record.job, &error), HAUL_IO);
    check_equal(job_count(), 1);
    hide_ownership(false);
    source_record_init(&record, &options);
    check_status(source_record_find(&record, &error), HAUL_IN_DOUBT);
    source_record_fini(&record);
    rocks_fixture_close(&source);
}

/* No memory, nobody there, cancelled: whatever ends a `resolve`, the decision is there for the
 * next. */
static void test_source_record_end__resolve_failed__the_job_stays(void)
{
    static const enum haul_status outcomes[] = {HAUL_NO_MEMORY, HAUL_UNREACHABLE, HAUL_CANCELLED};
    rocks_fixture_open(&source);
    struct plan plan;
    decide_and_die(&plan, false);
    options.resolve = true;
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        struct haul_error outcome = {.status = outcomes[i]};
        struct source_ending ending = {.outcome = &outcome};
        source_record_init(&record, &options);
        check_status(source_record_adopt(&record, &plan, &error), HAUL_OK);
        check_equal(journal_state(record.journal)->outcome, JOURNAL_COMMIT);
        source_record_end(&record, &ending);
        plan_fini(&plan);
        source_record_fini(&record);
        check_equal(job_count(), 1);
    }
    rocks_fixture_close(&source);
}

/* A new job was begun in the place of one that could not go on, and its process died before the
 * target had heard of it: both are there, whichever is the older. */
static void begin_and_die(uint8_t job, struct plan *plan, bool decides)
{
    source_record_init(&record, &options);
    memset(record.job, job, sizeof(record.job));
    check_status(source_record_begin(&record, plan, 0, &error), HAUL_OK);
    if (decides) {
        check_status(source_record_frozen(&record, &error), HAUL_OK);
        check_status(source_record_decide(&record, plan, &error), HAUL_OK);
    }
    source_record_fini(&record);
}

/* A store, and the plan of a job that moves all of it. */
static void open_source(struct plan *plan)
{
    static const struct haul_range whole = {.start = {NULL, 0}};
    rocks_fixture_open(&source);
    options =
        (struct haul_source_options){.store = source.store, .ranges = &whole, .range_count = 1};
    check_or_stop(plan_make(plan, source.store, &options, 0, &error) == HAUL_OK);
    plan->new_version = 1;
}

static void test_source_record_find__several_left_over__all_are_seen(void)
{
    struct plan plan;
    open_source(&plan);
    begin_and_die(3, &plan, false);
    begin_and_die(5, &plan, false);
    source_record_init(&record, &options);
    check_status(source_record_find(&record, &error), HAUL_OK);
    check_equal(record.left_over.count, 2);
    check_status(source_record_accepted(&record, &error), HAUL_OK);
    source_record_fini(&record);
    check_equal(job_count(), 0);
    begin_and_die(3, &plan, false);
    begin_and_die(5, &plan, true); /* behind one that is not decided */
    source_record_init(&record, &options);
    check_status(source_record_find(&record, &error), HAUL_IN_DOUBT);
    source_record_fini(&record);
    plan_fini(&plan);
    source_record_init(&record, &options);
    check_status(source_record_adopt(&record, &plan, &error), HAUL_OK);
    check_equal(record.job[0], 5);
    check_equal(record.left_over.count, 1);
    source_record_fini(&record);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* Of a crash between DONE and the removal. */
static void test_source_record_find__journal_is_done__removed_and_nothing_left_over(void)
{
    struct plan plan;
    open_source(&plan);
    source_record_init(&record, &options);
    memset(record.job, 3, sizeof(record.job));
    check_status(source_record_begin(&record, &plan, 0, &error), HAUL_OK);
    check_status(job_journal_aborted(record.journal, HAUL_IO, "test", &error), HAUL_OK);
    check_status(job_journal_mark(record.journal, JOURNAL_DONE, true, &error), HAUL_OK);
    source_record_fini(&record);
    source_record_init(&record, &options);
    check_status(source_record_find(&record, &error), HAUL_OK);
    check_equal(record.left_over.count, 0);
    source_record_fini(&record);
    check_equal(job_count(), 0);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_record_end__resolved_before_released__journal_is_gone),
    CHECK_TEST(test_source_record_adopt__ownership_cannot_be_read__error_and_the_job_stays),
    CHECK_TEST(test_source_record_end__resolve_failed__the_job_stays),
    CHECK_TEST(test_source_record_find__several_left_over__all_are_seen),
    CHECK_TEST(test_source_record_find__journal_is_done__removed_and_nothing_left_over),
};

CHECK_MAIN("source_record", tests)
