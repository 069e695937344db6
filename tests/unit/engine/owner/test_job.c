/* SPDX-License-Identifier: Apache-2.0 */
/* test_job.c — the jobs of a database as its journals list them, even if a process has it open. */
#include "haul/job.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "job_journal.h"
#include "plan.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture;
static struct haul_error error;
static struct haul_job *jobs;
static size_t count;

static struct journal *open_job(enum journal_role role, uint8_t number)
{
    struct journal *journal = NULL;
    bool existed = false;
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, number, sizeof(job));
    check_or_stop(job_journal_open(fixture.store, role, job, &journal, &existed, &error) ==
                  HAUL_OK);
    return journal;
}

/* A job of two ranges, bound to its peer. */
static struct journal *plan_job(enum journal_role role, uint8_t number)
{
    const struct haul_range ranges[] = {{.start = text_slice("a"), .end = text_slice("c")},
                                        {.start = text_slice("m"), .end = text_slice("p")}};
    struct haul_source_options options = {
        .ranges = ranges, .range_count = 2, .lane = HAUL_LANE_WRITE_BATCH};
    struct journal *journal = open_job(role, number);
    struct plan plan;
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    check_status(job_journal_bind(journal, "the peer/1", "host:1", &error), HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    plan_fini(&plan);
    return journal;
}

static void list(size_t expected)
{
    check_status(haul_jobs_list(fixture.path, &jobs, &count, &error), HAUL_OK);
    check_or_stop(count == expected);
}

static void check_has_hint(const char *part)
{
    check(strstr(error.hint, part) != NULL);
}

static void test_jobs_list__no_directory_of_a_database__not_found(void)
{
    char path[600];
    rocks_fixture_open(&fixture);
    (void)snprintf(path, sizeof(path), "%s/CURRENT", fixture.path);
    check_error(haul_jobs_list(path, &jobs, &count, &error), HAUL_NOT_FOUND, error);
    check(error.hint[0] != '\0');
    (void)snprintf(path, sizeof(path), "%s/nothing", fixture.path);
    check_error(haul_jobs_list(path, &jobs, &count, &error), HAUL_NOT_FOUND, error);
    list(0);
    free(jobs);
    rocks_fixture_close(&fixture);
}

static void test_jobs_list__target_job_with_positions__what_is_durable_of_both_streams(void)
{
    const struct stream_position positions[] = {
        {.stream = 0, .next_batch = 1, .digest = {.count = 3, .bytes = 30}, .finished = true},
        {.stream = 1, .next_batch = 1, .digest = {.count = 4, .bytes = 50}, .finished = true}};
    rocks_fixture_open(&fixture);
    struct journal *journal = plan_job(JOURNAL_TARGET, 1);
    check_status(job_journal_positions(journal, positions, 2, &error), HAUL_OK);
    journal_close(journal);
    list(1);
    check_equal(jobs[0].role, HAUL_JOB_TARGET);
    check_equal(jobs[0].id[HAUL_JOB_BYTES - 1], 1);
    check_equal(jobs[0].durable_records, 7);
    check_equal(jobs[0].durable_bytes, 80);
    check_equal(jobs[0].epoch, 1);
    check_text(jobs[0].phase, "COPYING");
    check_text(jobs[0].peer, "the peer/1");
    check(jobs[0].sentence[0] != '\0');
    check(!jobs[0].changed);
    check_equal(jobs[0].claim, HAUL_JOB_YIELDS);
    check_equal(jobs[0].condition, HAUL_JOB_SOUND);
    free(jobs);
    rocks_fixture_close(&fixture);
}

/* Only a copy that waits for its source must stay as it is: whoever owns writes. */
static void test_jobs_list__database_written_to__changed_while_prepared(void)
{
    static struct journal_prepared prepared = {.new_version = 1, .epoch = 1, .digest_count = 1};
    const struct journal_record complete = {.type = JOURNAL_PREPARED, .prepared = &prepared};
    const struct journal_record committed = {.type = JOURNAL_COMMITTED,
                                             .committed = {.new_version = 1, .epoch = 1}};
    rocks_fixture_open(&fixture);
    struct journal *journal = plan_job(JOURNAL_TARGET, 1);
    const struct journal_record held = {
        .type = JOURNAL_HELD, .held = {.sequence = fixture.store->ops->sequence(fixture.store)}};
    check_status(journal_append(journal, &complete, true, &error), HAUL_OK);
    check_status(journal_append(journal, &held, true, &error), HAUL_OK);
    for (int i = 0; i < 3; i++) { /* as it was, written to, owned */
        if (i == 1) {
            rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("somebody's"));
        } else if (i == 2) {
            check_status(journal_append(journal, &committed, true, &error), HAUL_OK);
        }
        list(1);
        check_equal(jobs[0].changed, i == 1);
        free(jobs);
    }
    journal_close(journal);
    rocks_fixture_close(&fixture);
}

/* A source has one snapshot for each attempt. */
static void test_jobs_list__source_job_in_its_second_attempt__epoch_and_claim(void)
{
    const struct journal_record snapshot = {.type = JOURNAL_SNAPSHOT,
                                            .snapshot = {.sequence = 5, .wal_sequence = 6}};
    rocks_fixture_open(&fixture);
    struct journal *journal = plan_job(JOURNAL_SOURCE, 2);
    check_status(journal_append(journal, &snapshot, true, &error), HAUL_OK);
    check_status(journal_append(journal, &snapshot, true, &error), HAUL_OK);
    journal_close(journal);
    list(1);
    check_equal(jobs[0].role, HAUL_JOB_SOURCE);
    check_equal(jobs[0].epoch, 2);
    check_equal(jobs[0].claim, HAUL_JOB_SERVES);
    check_text(jobs[0].phase, "COPYING");
    free(jobs);
    rocks_fixture_close(&fixture);
}

static void test_jobs_list__one_done_and_one_damaged__only_the_damaged_one(void)
{
    const struct journal_record done = {.type = JOURNAL_DONE};
    char path[600];
    char name[JOURNAL_NAME_BYTES_MAX];
    rocks_fixture_open(&fixture);
    struct journal *journal = plan_job(JOURNAL_SOURCE, 1);
    check_status(job_journal_aborted(journal, HAUL_CANCELLED, "no", &error), HAUL_OK);
    check_status(journal_append(journal, &done, true, &error), HAUL_OK);
    journal_close(journal);
    journal = plan_job(JOURNAL_SOURCE, 2);
    journal_name_format(JOURNAL_SOURCE, journal_job_id(journal), name);
    journal_close(journal);
    (void)snprintf(path, sizeof(path), "%s/haul/%s", fixture.path, name);
    int file = open(path, O_WRONLY);
    check(file >= 0 && pwrite(file, "x", 1, 20) == 1 && close(file) == 0);
    list(1);
    check_equal(jobs[0].id[0], 2);
    check_equal(jobs[0].condition, HAUL_JOB_DAMAGED);
    check_equal(jobs[0].claim, HAUL_JOB_IN_DOUBT);
    check_text(jobs[0].phase, "DAMAGED");
    check(jobs[0].sentence[0] != '\0');
    free(jobs);
    rocks_fixture_close(&fixture);
}

static void test_job_names__each__its_word(void)
{
    check_text(haul_job_role_name(HAUL_JOB_SOURCE), "source");
    check_text(haul_job_role_name(HAUL_JOB_TARGET), "target");
    check_text(haul_job_claim_name(HAUL_JOB_SERVES), "serves");
    check_text(haul_job_claim_name(HAUL_JOB_IN_DOUBT), "in doubt");
    check_text(haul_job_claim_name(HAUL_JOB_YIELDS), "yields");
    check_text(haul_job_condition_name(HAUL_JOB_SOUND), "sound");
    check_text(haul_job_condition_name(HAUL_JOB_FOREIGN), "foreign");
    check_text(haul_job_condition_name(HAUL_JOB_DAMAGED), "damaged");
}

/* --- what an operator ends -------------------------------------------------------------------- */

/* The only job of the database, as it is listed. */
static struct haul_job the_job(void)
{
    list(1);
    struct haul_job job = jobs[0];
    free(jobs);
    return job;
}

static void test_job_forget_over__job_of_a_source__only_one_that_is_over_and_accepted(void)
{
    rocks_fixture_open(&fixture);
    journal_close(plan_job(JOURNAL_SOURCE, 3));
    struct haul_job job = the_job();
    check_error(haul_job_forget_over(fixture.store, &job, false, &error), HAUL_UNCONFIRMED, error);
    check_has_hint("--accept-two-owners");
    check_error(haul_job_forget_over(fixture.store, &job, true, &error), HAUL_INVALID, error);
    struct journal *journal = open_job(JOURNAL_SOURCE, 3);
    check_status(job_journal_aborted(journal, HAUL_CANCELLED, "", &error), HAUL_OK);
    journal_close(journal);
    check_error(haul_job_forget_over(fixture.store, &job, false, &error), HAUL_UNCONFIRMED, error);
    check_equal(the_job().id[0], 3);
    check_status(haul_job_forget_over(fixture.store, &job, true, &error), HAUL_OK);
    list(0);
    free(jobs);
    check_error(haul_job_forget_over(fixture.store, &job, true, &error), HAUL_NOT_FOUND, error);
    rocks_fixture_close(&fixture);
}

/* An action for one role is refused for a job of the other, which stays. */
static void test_job_calls__job_of_the_other_side__invalid(void)
{
    rocks_fixture_open(&fixture);
    journal_close(plan_job(JOURNAL_TARGET, 4));
    struct haul_job job = the_job();
    check_error(haul_job_forget_over(fixture.store, &job, true, &error), HAUL_INVALID, error);
    check_error(haul_job_end_decided(fixture.store, &job, true, &error), HAUL_INVALID, error);
    job.role = HAUL_JOB_SOURCE;
    check_error(haul_job_finish(fixture.store, NULL, &job, &error), HAUL_INVALID, error);
    check_error(haul_job_end_decided(fixture.store, &job, true, &error), HAUL_NOT_FOUND, error);
    check_equal(the_job().id[0], 4);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_job_forget_over__job_of_a_source__only_one_that_is_over_and_accepted),
    CHECK_TEST(test_job_calls__job_of_the_other_side__invalid),
    CHECK_TEST(test_jobs_list__no_directory_of_a_database__not_found),
    CHECK_TEST(test_jobs_list__target_job_with_positions__what_is_durable_of_both_streams),
    CHECK_TEST(test_jobs_list__database_written_to__changed_while_prepared),
    CHECK_TEST(test_jobs_list__source_job_in_its_second_attempt__epoch_and_claim),
    CHECK_TEST(test_jobs_list__one_done_and_one_damaged__only_the_damaged_one),
    CHECK_TEST(test_job_names__each__its_word),
};
CHECK_MAIN("job", tests)
