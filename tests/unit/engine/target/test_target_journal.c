/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_journal.c — the target's records: what a refused check leaves, what a crash between
 * COMMITTED and DONE leaves, and that no other job changes either. */
#include "target_journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "config_version.h"
#include "haul/job.h"
#include "job_journal.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"
#include "target_done.h"
#include "target_journal_fixture.h"
#include "target_left_over.h"

static unsigned unreserved;

static void count_unreserve(void *context, const uint8_t job[HAUL_JOB_BYTES])
{
    (void)context;
    (void)job;
    unreserved++;
}

static enum haul_status refuse_to_reserve(void *context, const struct haul_reservation *wanted,
                                          struct haul_error *failed)
{
    (void)context;
    (void)wanted;
    return haul_error_set(failed, HAUL_BUSY, NULL, 0, "the ranges are taken");
}

/* The same job, by another attempt of its source. */
static enum haul_status come_again(uint8_t number, uint64_t epoch)
{
    return greet(number, epoch, true);
}

/* Job 1 over k..l has reached COMMITTED, and its process died in the hook. */
static void die_while_owning(void)
{
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    prepare();
    own_status = HAUL_IO;
    check_error(target_journal_own(&journal, 1, &error), HAUL_IO, error);
    leave();
    own_status = HAUL_OK;
    own_count = 0;
}

static void test_target_journal_look_up__died_while_owning__owned_now(void)
{
    start();
    die_while_owning();
    check_equal(job_count(), 1);
    check_equal(come(1, true), JOB_COMMITTED);
    check_equal(own_count, 1);
    check_equal(owned_version, 1);
    leave();
    check_equal(job_count(), 0);
    check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
    finish();
}

static void test_target_journal_look_up__owned_long_ago__committed(void)
{
    start();
    die_while_owning();
    check_equal(come(1, true), JOB_COMMITTED);
    leave();
    check_equal(come(1, true), JOB_COMMITTED);
    check_equal(own_count, 1);
    leave();
    finish();
}

static void test_target_journal_look_up__died_while_owning__no_staging_files_stay(void)
{
    char directory[512];
    char file[544];
    start();
    die_while_owning();
    (void)snprintf(directory, sizeof(directory), "%s/haul/staging", target.path);
    (void)snprintf(file, sizeof(file), "%s/left-over.sst", directory);
    check_equal(mkdir(directory, 0755), 0);
    check_equal(close(creat(file, 0644)), 0);
    check_equal(come(1, true), JOB_COMMITTED);
    leave();
    check_equal(access(file, F_OK), -1);
    check_equal(access(directory, F_OK), -1);
    finish();
}

/* A process made its table files and died after PREPARED: there is no other plan. */
static void test_target_journal_own__prepared_by_an_earlier_process__no_staging_files_stay(void)
{
    char directory[512];
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    prepare();
    leave();
    (void)snprintf(directory, sizeof(directory), "%s/haul/staging", target.path);
    check_equal(mkdir(directory, 0755), 0);
    check_equal(come(1, true), JOB_PREPARED);
    check_status(target_journal_own(&journal, 1, &error), HAUL_OK);
    leave();
    check_equal(access(directory, F_OK), -1);
    finish();
}

static void test_target_journal_own__owned__no_staging_files_before_the_end(void)
{
    char directory[512];
    char file[600];
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    (void)snprintf(directory, sizeof(directory), "%s/haul/staging", target.path);
    (void)snprintf(file, sizeof(file), "%s/01010101010101010101010101010101-0-0.sst", directory);
    check_equal(mkdir(directory, 0755), 0);
    check_equal(close(creat(file, 0644)), 0);
    prepare();
    check_status(target_journal_own(&journal, 1, &error), HAUL_OK);
    check_equal(access(file, F_OK), -1);
    leave();
    check_equal(access(directory, F_OK), -1);
    finish();
}

static void test_target_journal_own__other_records_decided_on__refused(void)
{
    struct message commit;
    message_init(&commit, MESSAGE_COMMIT);
    commit.as.commit.records = 1 << 20;
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    prepare();
    target_done_note(&journal, &commit);
    check_error(target_journal_own(&journal, 1, &error), HAUL_MISMATCH, error);
    check(journal.refused && journal_state(journal.file)->phase == JOURNAL_PHASE_PREPARED);
    leave();
    finish();
}

static bool has_changed(uint8_t number)
{
    uint8_t job[HAUL_JOB_BYTES];
    struct journal *file = NULL;
    const struct journal_held now = target_held_now(target.store);
    memset(job, number, sizeof(job));
    check_or_stop(job_journal_look(target.store, JOURNAL_TARGET, job, &file, &error) == HAUL_OK);
    bool changed = target_held_compare(journal_state(file), &now) != TARGET_HELD_SAME;
    journal_close(file);
    return changed;
}

/* `foreign`: another writer has written before. */
static void check_held(bool foreign)
{
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, 2, sizeof(job));
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    prepare();
    leave();
    if (foreign) {
        rocks_fixture_fill(&target, 0, "z", 1, 10);
    }
    check_equal(come(2, false), JOB_UNKNOWN);
    check_status(check_range("m", "n", false), HAUL_OK);
    rocks_fixture_fill(&target, 0, "m", RECORD_COUNT, 10);
    check(has_changed(1));
    leave();
    check_equal(has_changed(1), foreign);
    check_status(target_left_over_give_up(target.store, job, NULL, NULL, &error), HAUL_OK);
    check_equal(has_changed(1), foreign);
    finish();
}

/* haul's own writes, for another job or to give it up, do not count as foreign for a prepared
 * job. */
static void test_target_journal_fini__another_is_prepared__holds_what_haul_wrote(void)
{
    check_held(false);
    check_held(true);
}

/* A receiver may run another job at the time. */
static void test_target_left_over_give_up__another_job_has_files__only_its_own_go(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    char directory[512];
    char own_file[600];
    char other_file[600];
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    leave();
    (void)snprintf(directory, sizeof(directory), "%s/haul/staging", target.path);
    (void)snprintf(own_file, sizeof(own_file), "%s/%s-0-1.sst", directory,
                   "01010101010101010101010101010101");
    (void)snprintf(other_file, sizeof(other_file), "%s/%s-0-1.sst", directory,
                   "02020202020202020202020202020202");
    check_equal(mkdir(directory, 0755), 0);
    check_equal(close(creat(own_file, 0644)), 0);
    check_equal(close(creat(other_file, 0644)), 0);
    memset(job, 1, sizeof(job));
    check_status(target_left_over_give_up(target.store, job, NULL, NULL, &error), HAUL_OK);
    check_equal(access(own_file, F_OK), -1);
    check_equal(access(other_file, F_OK), 0);
    finish();
}

static bool was_owned(void *context, const uint8_t job[HAUL_JOB_BYTES])
{
    (void)context;
    return job[0] == 7;
}

static void test_target_journal_look_up__embedder_remembers_the_job__committed(void)
{
    start();
    options.hooks.was_owned = was_owned;
    check_equal(come(7, true), JOB_COMMITTED);
    leave();
    check_equal(come(8, true), JOB_UNKNOWN);
    leave();
    finish();
}

static void test_target_journal_look_up__hook_still_fails__error_and_all_is_kept(void)
{
    start();
    die_while_owning();
    own_status = HAUL_IO;
    check_status(greet(1, EPOCH, true), HAUL_IO);
    leave();
    check_equal(job_count(), 1);
    check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
    finish();
}

static void test_target_journal_look_up__never_heard_of__unknown_and_no_journal(void)
{
    start();
    check_equal(come(1, true), JOB_UNKNOWN);
    leave();
    check_equal(job_count(), 0);
    finish();
}

static void test_target_admission_check__other_job_died_while_owning__keeps_its_records(void)
{
    static const bool overwrite[] = {false, true};
    for (size_t i = 0; i < CHECK_COUNT(overwrite); i++) {
        start();
        die_while_owning();
        check_equal(come(2, false), JOB_UNKNOWN);
        check_status(check_range("m", "n", overwrite[i]), HAUL_OK);
        check_equal(own_count, 1);
        check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
        check_equal(job_count(), 1);
        leave();
        finish();
    }
}

static enum haul_status read_register(void *context, uint64_t *version, struct haul_error *failed)
{
    (void)context;
    (void)failed;
    *version = owned_version;
    return HAUL_OK;
}

/* The source made its plan before it handed these ranges over: the target owns them now. */
static void test_target_admission_check__ranges_of_a_job_left_owning__refused_and_all_stays(void)
{
    static const enum haul_status statuses[] = {HAUL_MISMATCH, HAUL_VERSION};
    for (int has_register = 0; has_register < 2; has_register++) {
        start();
        die_while_owning();
        owned_version = 0;
        options.hooks.version_get = has_register ? read_register : NULL;
        check_equal(come(2, false), JOB_UNKNOWN);
        check_error(check_range("k", "l", true), statuses[has_register], error);
        check(!has_register || strstr(error.hint, "another job has ended meanwhile") != NULL);
        check_equal(own_count, 1);
        check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
        leave();
        check_equal(job_count(), 0);
        finish();
    }
}

static void test_target_admission_check__other_job_prepared__busy(void)
{
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    prepare();
    leave();
    check_equal(come(2, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", true), HAUL_BUSY);
    leave();
    check_equal(job_count(), 1);
    finish();
}

/* The disk failed while it was to be cleared, and its source was informed that it is over. */
static void test_target_admission_check__other_job_aborted__its_rest_is_cleared(void)
{
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    check_status(job_journal_aborted(journal.file, HAUL_IO, "test", &error), HAUL_OK);
    leave();
    check_equal(job_count(), 1);
    check_equal(come(2, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    check_equal(rocks_fixture_count(&target, "default"), 0);
    leave();
    check_equal(job_count(), 1);
    finish();
}

/* Its Abort was lost, and its process died before it had cleared: the source knows of no end. */
static void test_target_admission_check__its_own_journal_aborted__begins_anew(void)
{
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    const struct stream_position delta = {.stream = PLAN_DELTA_STREAM, .next_batch = 7};
    check_status(target_journal_positions(&journal, &delta, 1, &error), HAUL_OK);
    check_status(job_journal_aborted(journal.file, HAUL_IO, "test", &error), HAUL_OK);
    leave();
    check_equal(come(1, true), JOB_UNKNOWN);
    check_equal(journal.delta_next_batch, 0);
    check_status(check_range("k", "l", false), HAUL_OK);
    check_equal(rocks_fixture_count(&target, "default"), 0);
    check_equal(journal_state(journal.file)->phase, JOURNAL_PHASE_PLANNED);
    leave();
    check_equal(job_count(), 1);
    finish();
}

static enum haul_status (*real_sync)(struct haul_store *store, struct haul_error *failed);
static enum haul_status (*real_clear)(struct haul_store *store, uint32_t family,
                                      struct haul_slice from, struct haul_slice to,
                                      const struct haul_steps *steps, struct haul_error *failed);
static bool is_synced;

static enum haul_status note_sync(struct haul_store *store, struct haul_error *failed)
{
    is_synced = true;
    return real_sync(store, failed);
}

static enum haul_status clear_unsynced(struct haul_store *store, uint32_t family,
                                       struct haul_slice from, struct haul_slice to,
                                       const struct haul_steps *steps, struct haul_error *failed)
{
    is_synced = false;
    return real_clear(store, family, from, to, steps, failed);
}

/* A power failure in the middle of the job must not bring the records back. */
static void test_target_admission_check__records_overwritten__durably(void)
{
    start();
    const struct haul_store_ops *real = target.store->ops;
    struct haul_store_ops ops = *real;
    real_sync = ops.sync;
    real_clear = ops.range_clear;
    ops.sync = note_sync;
    ops.range_clear = clear_unsynced;
    is_synced = true;
    target.store->ops = &ops;
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", true), HAUL_OK);
    check_equal(rocks_fixture_count(&target, "default"), 0);
    check(is_synced);
    leave();
    target.store->ops = real;
    finish();
}

static void test_target_admission_check__not_empty__no_journal_and_nothing_cleared(void)
{
    start();
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_NOT_EMPTY);
    leave();
    check_equal(job_count(), 0);
    check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
    finish();
}

static void test_target_admission_check__not_reserved__no_journal(void)
{
    start();
    options.hooks.reserve = refuse_to_reserve;
    options.hooks.unreserve = count_unreserve;
    unreserved = 0;
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_BUSY);
    check(strstr(error.text, "the ranges are taken") != NULL);
    check_equal(unreserved, 0);
    leave();
    check_equal(job_count(), 0);
    finish();
}

static bool no_further(void *context)
{
    (void)context;
    return false;
}

/* The source hung up while its plan was checked. */
static void test_target_admission_check__ended_in_the_middle__range_empty_and_no_journal(void)
{
    static const struct haul_steps steps = {.next = no_further};
    start();
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    check_equal(come(1, false), JOB_UNKNOWN);
    journal.steps = &steps;
    check_status(check_range("k", "l", true), HAUL_CLOSED);
    leave();
    check_equal(job_count(), 0);
    check_equal(rocks_fixture_count(&target, "default"), 0);
    finish();
}

static void test_target_journal_clear__copied__range_empty_and_no_journal(void)
{
    struct haul_error reason = {.status = HAUL_CANCELLED};
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    rocks_fixture_fill(&target, 0, "m", RECORD_COUNT, 10);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(job_count(), 0);
    check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
    finish();
}

static void test_target_journal_look_up__attempt_that_was_given_up__fenced(void)
{
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    leave();
    check_status(come_again(1, EPOCH + 1), HAUL_OK);
    check_status(check_range("k", "l", false), HAUL_OK);
    leave();
    check_status(come_again(1, EPOCH), HAUL_FENCED);
    leave();
    check_status(come_again(1, EPOCH + 1), HAUL_OK);
    leave();
    finish();
}

/* --- whose job -------------------------------------------------------------------------------- */

/* Job 1 over k..l has records, and its source is gone. */
static void copy_and_leave(void)
{
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    leave();
}

/* The next source reports that job 1 is over. */
static enum haul_status say_that_it_is_over(const char *from, const char *to)
{
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, 1, sizeof(job));
    check_equal(come(2, false), JOB_UNKNOWN);
    note_over(job);
    enum haul_status status = check_range(from, to, false);
    leave();
    return status;
}

static void test_target_journal_look_up__job_of_another_database__mismatch(void)
{
    start();
    copy_and_leave();
    identity = "source/2";
    check_status(greet(1, EPOCH, true), HAUL_MISMATCH);
    check(strstr(error.text, "is a job of database source/1, not of source/2") != NULL);
    check(strstr(error.hint, "a copy cannot resume the jobs of the original") != NULL);
    leave();
    identity = "source/1";
    check_equal(come(1, true), JOB_COPYING);
    leave();
    check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
    finish();
}

static void test_target_admission_check__over_says_its_source__cleared(void)
{
    start();
    copy_and_leave();
    check_status(say_that_it_is_over("m", "n"), HAUL_OK);
    check_equal(rocks_fixture_count(&target, "default"), 0);
    check_equal(job_count(), 1);
    finish();
}

static void test_target_admission_check__over_says_another_database__mismatch_and_all_stays(void)
{
    start();
    copy_and_leave();
    identity = "source/2";
    check_status(say_that_it_is_over("m", "n"), HAUL_MISMATCH);
    check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
    check_equal(job_count(), 1);
    finish();
}

/* `haul resolve` comes under the name of the job that it reports on. */
static void test_target_journal_clear__source_only_tells_of_its_job__ended(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    struct haul_error reason = {0};
    start();
    copy_and_leave();
    check_equal(job_count(), 1);
    memset(job, 1, sizeof(job));
    check_equal(come(1, false), JOB_UNKNOWN);
    note_over(job);
    check_status(target_journal_clear(&journal, &reason, &error), HAUL_OK);
    leave();
    check_equal(rocks_fixture_count(&target, "default"), 0);
    check_equal(job_count(), 0);
    finish();
}

/* Its source was set back to before its decision, and has given the job up. */
static void test_target_journal_clear__over_and_owned_here__mismatch(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    struct haul_error reason = {0};
    start();
    check_equal(come(2, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    memset(job, 1, sizeof(job));
    const struct version_move move = {.outcome = VERSION_IMPORTED,
                                      .job = job,
                                      .peer = "source/1",
                                      .plan = &journal.plan,
                                      .new_version = 1,
                                      .epoch = 1};
    check_status(config_version_move(journal.target->store, &journal.target->hooks, &move, &error),
                 HAUL_OK);
    note_over(job);
    check(target_journal_owned_job(&journal) == NULL);
    check_error(target_journal_clear(&journal, &reason, &error), HAUL_MISMATCH, error);
    check_or_stop(target_journal_owned_job(&journal) != NULL);
    check_equal(memcmp(target_journal_owned_job(&journal), job, sizeof(job)), 0);
    leave();
    finish();
}

/* The source has its ranges back: whatever it reports about the old job is right. */
static void test_target_journal_look_up__given_back_since__told_and_not_owned(void)
{
    static const uint8_t back[HAUL_JOB_BYTES] = {9};
    uint8_t job[HAUL_JOB_BYTES];
    struct haul_error reason = {0};
    memset(job, 1, sizeof(job));
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    prepare();
    check_status(target_journal_own(&journal, 1, &error), HAUL_OK);
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = back,
                                      .peer = "source/1",
                                      .plan = &journal.plan,
                                      .new_version = 2,
                                      .epoch = 1};
    for (unsigned given = 0; given < 2; given++) {
        if (given == 1) {
            check_status(config_version_move(target.store, &options.hooks, &move, &error), HAUL_OK);
        }
        struct target_journal first = journal;
        check_equal(come(1, true), JOB_COMMITTED);
        check_equal(journal.returned, given == 1 ? VERSION_RETURNED : VERSION_KEPT);
        note_over(job);
        check_status(target_journal_clear(&journal, &reason, &error),
                     given == 1 ? HAUL_OK : HAUL_MISMATCH);
        check_equal(target_journal_owned_job(&journal) == NULL, given == 1);
        leave();
        journal = first;
    }
    leave();
    finish();
}

/* It makes no attempt and fences no process; a source that was set back may count fewer of them. */
static void test_target_journal_look_up__source_only_asks__whatever_attempt_was_here(void)
{
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    check_status(check_range("k", "l", false), HAUL_OK);
    leave();
    check_status(come_again(1, EPOCH + 1), HAUL_OK);
    check_status(check_range("k", "l", false), HAUL_OK);
    leave();
    check_error(come_again(1, EPOCH), HAUL_FENCED, error);
    check(strstr(error.hint, "haul resolve") != NULL);
    leave();
    check_status(come_again(1, MESSAGE_EPOCH_NONE), HAUL_OK);
    check_equal(journal.knowledge, JOB_COPYING);
    leave();
    check_status(come_again(1, EPOCH + 1), HAUL_OK);
    leave();
    finish();
}

static void test_target_journal_note_over__cut_short__protocol(void)
{
    static const uint8_t jobs[HAUL_JOB_BYTES + 1];
    start();
    check_equal(come(1, false), JOB_UNKNOWN);
    struct haul_slice list = slice_of(jobs, sizeof(jobs));
    check_error(target_journal_note_over(&journal, list, slice_of(NULL, 0), &error), HAUL_PROTOCOL,
                error);
    check_equal(journal.over_count, 0);
    leave();
    finish();
}

/* Another job of the source has records in k..l and is over; the plan would clear all of them. */
static void refuse_everything(enum haul_status expected, bool overwrite)
{
    uint8_t job[HAUL_JOB_BYTES];
    uint64_t sequence = target.store->ops->sequence(target.store);
    size_t before = family_count();
    size_t jobs = job_count();
    memset(job, 1, sizeof(job));
    check_equal(come(2, false), JOB_UNKNOWN);
    note_over(job);
    check_status(check_range("k", "n", overwrite), expected);
    check(expected != HAUL_NOT_EMPTY || strstr(error.hint, "first clears") != NULL);
    leave();
    check_equal(target.store->ops->sequence(target.store), sequence);
    check_equal(family_count(), before);
    check_equal(job_count(), jobs);
}

static void test_target_admission_check__not_reserved__nothing_is_touched(void)
{
    start();
    copy_and_leave();
    (void)rocks_fixture_family(&source, "other");
    rocks_fixture_fill(&target, 0, "m", RECORD_COUNT, 10);
    options.hooks.reserve = refuse_to_reserve;
    refuse_everything(HAUL_BUSY, true);
    finish();
}

static void test_target_admission_check__not_empty__nothing_is_touched(void)
{
    start();
    copy_and_leave();
    (void)rocks_fixture_family(&source, "other");
    rocks_fixture_fill(&target, 0, "m", RECORD_COUNT, 10);
    refuse_everything(HAUL_NOT_EMPTY, false);
    finish();
}

static void test_target_admission_check__only_records_of_a_job_that_is_over__accepted(void)
{
    start();
    copy_and_leave();
    rocks_fixture_fill(&target, 0, "o", RECORD_COUNT, 10);
    check_status(say_that_it_is_over("a", "n"), HAUL_OK);
    check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
    finish();
}

/* What it has brought to one family does not affect another one. */
static void test_target_admission_check__records_in_a_family_of_nobody_else__not_empty(void)
{
    start();
    copy_and_leave();
    (void)rocks_fixture_family(&source, "two");
    rocks_fixture_fill(&target, rocks_fixture_family(&target, "two"), "k", RECORD_COUNT, 10);
    check_status(say_that_it_is_over("k", "n"), HAUL_NOT_EMPTY);
    check_equal(rocks_fixture_count(&target, "two"), RECORD_COUNT);
    check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT); /* unchanged, too */
    finish();
}

/* It commits between the look-up of another job and its plan: its source has decided, whatever any
 * message claims now. */
static void test_target_admission_check__over_is_said_of_a_committed_job__mismatch(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    start();
    prepare_and_leave();
    check_equal(come(2, false), JOB_UNKNOWN);
    struct target_journal second = journal;
    check_equal(come(1, true), JOB_PREPARED);
    own_status = HAUL_IO;
    check_error(target_journal_own(&journal, 1, &error), HAUL_IO, error);
    leave();
    journal = second;
    memset(job, 1, sizeof(job));
    note_over(job);
    check_status(check_range("m", "n", true), HAUL_MISMATCH);
    check(strstr(error.text, "source-0101") != NULL);
    check(strstr(error.hint, "haul resolve") != NULL);
    leave();
    check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
    check_equal(job_count(), 1);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_admission_check__records_in_a_family_of_nobody_else__not_empty),
    CHECK_TEST(test_target_admission_check__over_is_said_of_a_committed_job__mismatch),
    CHECK_TEST(test_target_admission_check__not_reserved__nothing_is_touched),
    CHECK_TEST(test_target_admission_check__not_empty__nothing_is_touched),
    CHECK_TEST(test_target_admission_check__only_records_of_a_job_that_is_over__accepted),
    CHECK_TEST(test_target_journal_look_up__job_of_another_database__mismatch),
    CHECK_TEST(test_target_admission_check__over_says_its_source__cleared),
    CHECK_TEST(test_target_admission_check__over_says_another_database__mismatch_and_all_stays),
    CHECK_TEST(test_target_journal_clear__source_only_tells_of_its_job__ended),
    CHECK_TEST(test_target_journal_clear__over_and_owned_here__mismatch),
    CHECK_TEST(test_target_journal_note_over__cut_short__protocol),
    CHECK_TEST(test_target_journal_look_up__attempt_that_was_given_up__fenced),
    CHECK_TEST(test_target_journal_look_up__given_back_since__told_and_not_owned),
    CHECK_TEST(test_target_journal_look_up__source_only_asks__whatever_attempt_was_here),
    CHECK_TEST(test_target_journal_look_up__died_while_owning__owned_now),
    CHECK_TEST(test_target_journal_look_up__owned_long_ago__committed),
    CHECK_TEST(test_target_journal_look_up__died_while_owning__no_staging_files_stay),
    CHECK_TEST(test_target_journal_own__prepared_by_an_earlier_process__no_staging_files_stay),
    CHECK_TEST(test_target_journal_own__owned__no_staging_files_before_the_end),
    CHECK_TEST(test_target_journal_fini__another_is_prepared__holds_what_haul_wrote),
    CHECK_TEST(test_target_left_over_give_up__another_job_has_files__only_its_own_go),
    CHECK_TEST(test_target_journal_look_up__embedder_remembers_the_job__committed),
    CHECK_TEST(test_target_journal_look_up__hook_still_fails__error_and_all_is_kept),
    CHECK_TEST(test_target_journal_look_up__never_heard_of__unknown_and_no_journal),
    CHECK_TEST(test_target_admission_check__other_job_died_while_owning__keeps_its_records),
    CHECK_TEST(test_target_admission_check__ranges_of_a_job_left_owning__refused_and_all_stays),
    CHECK_TEST(test_target_admission_check__other_job_prepared__busy),
    CHECK_TEST(test_target_admission_check__other_job_aborted__its_rest_is_cleared),
    CHECK_TEST(test_target_admission_check__its_own_journal_aborted__begins_anew),
    CHECK_TEST(test_target_journal_own__other_records_decided_on__refused),
    CHECK_TEST(test_target_admission_check__records_overwritten__durably),
    CHECK_TEST(test_target_admission_check__not_empty__no_journal_and_nothing_cleared),
    CHECK_TEST(test_target_admission_check__not_reserved__no_journal),
    CHECK_TEST(test_target_admission_check__ended_in_the_middle__range_empty_and_no_journal),
    CHECK_TEST(test_target_journal_clear__copied__range_empty_and_no_journal),
};

CHECK_MAIN("target_journal", tests)
