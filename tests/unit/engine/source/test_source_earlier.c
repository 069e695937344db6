/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_earlier.c — which earlier jobs of a source end with a new one, and which stay. */
#include "source_earlier.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "job_journal.h"
#include "kept_log.h"
#include "rocks_fixture.h"
#include "source_journal.h"

static struct rocks_fixture source;
static struct haul_source_options options;
static struct source_journal journal;
static struct haul_error error;

/* The new job's plan, bound to the target of the job k to l. */
static void bind_range(const char *start, const char *end, const struct plan *earlier,
                       size_t told_count)
{
    const struct haul_range range = {.start = text_slice(start), .end = text_slice(end)};
    struct plan next;
    options.ranges = &range;
    check_or_stop(plan_make(&next, source.store, &options, 0, &error) == HAUL_OK);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_status(source_journal_bind(&journal, "id", &next, &error), HAUL_OK);
    check_equal(journal.earlier.told_count, told_count);
    check_equal(source_earlier_count_apart(&journal.earlier, &next), 1 - told_count);
    check_equal(journal_state(journal.earlier.left_over.journals[0])->phase, JOURNAL_PHASE_COPYING);
    check(plan_is_same_request(earlier, &next) == (told_count == 1 && strcmp(start, "k") == 0));
    source_journal_fini(&journal);
    plan_fini(&next);
}

/* An unfinished job of k to l that was begun with the target "id". */
static void leave_job(struct plan *plan)
{
    static struct haul_range range;
    range = (struct haul_range){.start = text_slice("k"), .end = text_slice("l")};
    rocks_fixture_open(&source);
    options = (struct haul_source_options){
        .store = source.store, .log = &kept_log, .ranges = &range, .range_count = 1};
    check_or_stop(plan_make(plan, source.store, &options, 0, &error) == HAUL_OK);
    plan->new_version = 1;
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(source_journal_begin(&journal, plan, 0, &error), HAUL_OK);
    check_status(job_journal_bind(journal.file, "id", "host:1", &error), HAUL_OK);
    source_journal_fini(&journal);
}

static void test_source_earlier_bind__other_ranges_of_the_same_target__both_stay(void)
{
    struct plan plan;
    leave_job(&plan);
    bind_range("x", "y", &plan, 0);
    bind_range("l", "m", &plan, 0);
    bind_range("k5", "m", &plan, 1);
    bind_range("k", "l", &plan, 1);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* The target `identity` refuses a new job of `start` to `end`, because it owns by the unfinished
 * job. Returns whether that one is marked so. */
static bool is_marked(const char *start, const char *end, const char *identity)
{
    const struct haul_range range = {.start = text_slice(start), .end = text_slice(end)};
    uint8_t job[HAUL_JOB_BYTES];
    struct plan next;
    options.ranges = &range;
    memset(job, 3, sizeof(job));
    check_or_stop(plan_make(&next, source.store, &options, 0, &error) == HAUL_OK);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_status(source_journal_bind(&journal, "id", &next, &error), HAUL_OK);
    source_earlier_is_owned(&journal.earlier, job, identity);
    source_journal_fini(&journal);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_or_stop(journal.earlier.left_over.count == 1);
    bool marked = journal_state(journal.earlier.left_over.journals[0])->restored;
    source_journal_fini(&journal);
    plan_fini(&next);
    return marked;
}

/* Only for a job that the target was informed of: it could name any, and the source would not
 * continue that one. */
static void test_source_earlier_is_owned__not_told_of__stays_as_it_is(void)
{
    struct plan plan;
    leave_job(&plan);
    check(!is_marked("x", "y", "id"));
    check(!is_marked("k", "l", "another"));
    check(is_marked("k", "l", "id"));
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* Job `number` was given up, and "id" does not know yet. */
static void leave_aborted(const struct plan *plan, uint8_t number)
{
    source_journal_init(&journal, &options);
    memset(journal.job, number, sizeof(journal.job));
    check_status(source_journal_begin(&journal, plan, 0, &error), HAUL_OK);
    check_status(job_journal_bind(journal.file, "id", "host:1", &error), HAUL_OK);
    check_status(source_earlier_abort(journal.file, HAUL_CANCELLED, "no", &error), HAUL_OK);
    source_journal_fini(&journal);
}

static bool has_journal(uint8_t number, bool damage)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    char path[1024];
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, number, sizeof(job));
    journal_name_format(JOURNAL_SOURCE, job, name);
    (void)snprintf(path, sizeof(path), "%s/haul/%s", source.path, name);
    FILE *file = fopen(path, damage ? "r+" : "r");
    if (file != NULL) {
        check(!damage || (fseek(file, 20, SEEK_SET) == 0 && fputs("damage", file) >= 0));
        check_equal(fclose(file), 0);
    }
    return file != NULL;
}

/* A journal that cannot be removed is reported as the failure, and the other one goes all the
 * same. */
static void test_source_earlier_were_told__one_fails__the_other_goes(void)
{
    for (uint8_t damaged = 4; damaged <= 5; damaged++) {
        struct plan plan;
        leave_job(&plan);
        leave_aborted(&plan, 4);
        leave_aborted(&plan, 5);
        source_journal_init(&journal, &options);
        check_status(source_journal_find(&journal, &error), HAUL_OK);
        check_status(source_journal_bind(&journal, "id", &plan, &error), HAUL_OK);
        check_equal(journal.earlier.told_count, 3);
        check(has_journal(damaged, true));
        check_error(source_earlier_were_told(&journal.earlier, &error), HAUL_CORRUPT, error);
        check(kept_log_had("warning: an earlier job is kept: "));
        source_journal_fini(&journal);
        for (uint8_t number = 3; number <= 5; number++) {
            check_equal(has_journal(number, false), number == damaged);
        }
        plan_fini(&plan);
        rocks_fixture_close(&source);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_earlier_were_told__one_fails__the_other_goes),
    CHECK_TEST(test_source_earlier_is_owned__not_told_of__stays_as_it_is),
    CHECK_TEST(test_source_earlier_bind__other_ranges_of_the_same_target__both_stay),
};

CHECK_MAIN("source_earlier", tests)
