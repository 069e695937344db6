/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_record.c — the source's records: what is left of a job that a crash interrupted. */
#include "source_record.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/job.h"
#include "job_journal.h"
#include "rocks_fixture.h"
#include "source_job.h"

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

/* A job that was decided, and whose process died before it wrote RELEASED. */
static void decide_and_die(struct plan *plan)
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
    check_status(source_record_decide(&record, plan, &error), HAUL_OK);
    plan_fini(plan);
    source_record_fini(&record);
}

static void test_source_record_end__resolved_before_released__journal_is_gone(void)
{
    struct plan plan;
    struct haul_error outcome = {.status = HAUL_OK};
    struct source_ending ending = {.outcome = &outcome, .was_accepted = true};
    rocks_fixture_open(&source);
    decide_and_die(&plan);
    check_equal(job_count(), 1);
    source_record_init(&record, &options);
    check_status(source_record_adopt(&record, &plan, &error), HAUL_OK);
    source_record_end(&record, &ending);
    source_record_fini(&record);
    plan_fini(&plan);
    check_equal(job_count(), 0);
    rocks_fixture_close(&source);
}

/* Of a crash between DONE and the removal. */
static void test_source_record_find__journal_is_done__removed_and_nothing_left_over(void)
{
    static const struct haul_range whole = {.start = {NULL, 0}};
    struct plan plan;
    rocks_fixture_open(&source);
    options =
        (struct haul_source_options){.store = source.store, .ranges = &whole, .range_count = 1};
    check_or_stop(plan_make(&plan, source.store, &options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    source_record_init(&record, &options);
    memset(record.job, 3, sizeof(record.job));
    check_status(source_record_begin(&record, &plan, 0, &error), HAUL_OK);
    check_status(job_journal_aborted(record.journal, HAUL_IO, "test", &error), HAUL_OK);
    check_status(job_journal_mark(record.journal, JOURNAL_DONE, true, &error), HAUL_OK);
    source_record_fini(&record);
    source_record_init(&record, &options);
    check_status(source_record_find(&record, &error), HAUL_OK);
    check(record.left_over == NULL);
    source_record_fini(&record);
    check_equal(job_count(), 0);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_record_end__resolved_before_released__journal_is_gone),
    CHECK_TEST(test_source_record_find__journal_is_done__removed_and_nothing_left_over),
};

CHECK_MAIN("source_record", tests)
