/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_failures.c — each call of the store and of the disk fails in turn in what a source,
 * or its operator, does about earlier jobs: the step reports it, and after a retry nothing of it is
 * left. */
#include "config_version.h"
#include "failing_store.h"
#include "haul/owner.h"
#include "instance.h"
#include "job_journal.h"
#include "owner_change.h"
#include "owner_copy.h"
#include "source_intent.h"
#include "source_journal.h"
#include "source_left_over.h"

enum { COPYING = 1, DECIDED = 2, ABORTED = 3, ELSEWHERE = 4, COMMITTED = 5, NEW = 9 };
enum { NEW_VERSION = 5, MOVED_VERSION = 8 /* other jobs had raised the counter */ };

static const char here[] = "the target/1";
static struct haul_source_options options;
static struct source_journal journal;
static struct haul_error error;

/* --- jobs ------------------------------------------------------------------------------------- */

static void make_plan(struct plan *plan, const char *from, const char *to)
{
    const struct haul_range range = {.start = slice_of(from, strlen(from)),
                                     .end = slice_of(to, strlen(to))};
    struct haul_source_options asked = {
        .store = &failing.base, .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    const struct failing_held held = failing_hold();
    check_or_stop(plan_make(plan, &failing.base, &asked, NEW_VERSION - 1, &error) == HAUL_OK);
    plan->new_version = NEW_VERSION;
    failing_go_on(&held);
}

/* A job that has met its target, and whose process is gone. */
static void leave(uint8_t number, const char *peer, const char *from, const char *to)
{
    struct plan plan;
    make_plan(&plan, from, to);
    source_journal_init(&journal, &options);
    memset(journal.job, number, sizeof(journal.job));
    check_status(source_journal_begin(&journal, &plan, failing.sequence, &error), HAUL_OK);
    check_status(source_journal_bind(&journal, peer, &plan, &error), HAUL_OK);
    if (number == DECIDED || number == COMMITTED) {
        const struct version_move move = {.outcome = VERSION_RELEASED,
                                          .job = journal.job,
                                          .peer = peer,
                                          .plan = &plan,
                                          .new_version = MOVED_VERSION,
                                          .epoch = 1};
        check_status(source_journal_frozen(&journal, &error), HAUL_OK);
        check_status(number == DECIDED
                         ? config_version_move(&failing.base, &options.hooks, &move, &error)
                         : source_journal_decide(&journal, &plan, 0, &error),
                     HAUL_OK);
    } else if (number == ABORTED) {
        check_status(job_journal_aborted(journal.file, HAUL_CANCELLED, "no", &error), HAUL_OK);
    }
    plan_fini(&plan);
    source_journal_fini(&journal);
}

static void start(void)
{
    failing_store_init(NULL, 0);
    memset(&error, 0, sizeof(error));
    options = (struct haul_source_options){.store = &failing.base, .to = "host:1"};
    failing_store_put(0, "a");
}

static void all_are_there(void)
{
    start();
    leave(DECIDED, here, "t", "u");
    leave(COPYING, here, "k", "l");
    leave(ELSEWHERE, "another/2", "k", "m");
    leave(ABORTED, here, "p", "q");
}

static enum journal_phase phase_of(uint8_t number)
{
    struct journal *file = NULL;
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, number, sizeof(job));
    enum haul_status status = job_journal_look(&failing.base, JOURNAL_SOURCE, job, &file, &error);
    enum journal_phase phase = status == HAUL_OK ? journal_state(file)->phase : JOURNAL_PHASE_DONE;
    journal_close(file);
    return phase;
}

static size_t journal_count(void)
{
    return failing_store_file_count(".journal");
}

/* --- finding ---------------------------------------------------------------------------------- */

static enum haul_status find(void)
{
    source_journal_init(&journal, &options);
    enum haul_status status = source_journal_find(&journal, &error);
    if (status == HAUL_OK) {
        check_equal(journal.earlier.decided.count, 1);
        check_equal(journal.earlier.left_over.count + journal.earlier.left_over.aborted_count, 3);
    }
    source_journal_fini(&journal);
    return status;
}

static void check_all_there(bool was_failed)
{
    (void)was_failed;
    check_equal(journal_count(), 4);
    check_equal(phase_of(COPYING), JOURNAL_PHASE_COPYING);
    check_equal(phase_of(ELSEWHERE), JOURNAL_PHASE_COPYING);
    check_equal(phase_of(ABORTED), JOURNAL_PHASE_ABORTED);
    check_equal(phase_of(DECIDED), JOURNAL_PHASE_FROZEN);
}

static void test_source_journal_find__nth_call_fails__told_and_nothing_changed(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = all_are_there,
                                             .act = find,
                                             .look = check_all_there,
                                             .disk_calls_min = 15};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* --- a new job -------------------------------------------------------------------------------- */

/* It takes the ranges of two jobs, one of which is another target's, and the target learns what is
 * over. */
static enum haul_status take_over(void)
{
    struct plan plan;
    static uint8_t number; /* no two jobs with the same name */
    number = number < NEW ? NEW : (uint8_t)(number + 1);
    make_plan(&plan, "k", "n");
    source_journal_init(&journal, &options);
    memset(journal.job, number, sizeof(journal.job));
    enum haul_status status = source_journal_find(&journal, &error);
    if (status == HAUL_OK) {
        status = source_journal_begin(&journal, &plan, failing.sequence, &error);
    }
    if (status == HAUL_OK) {
        status = source_journal_bind(&journal, here, &plan, &error);
    }
    if (status == HAUL_OK) {
        check_text(journal_state(journal.file)->peer, here);
        check_text(journal_state(journal.file)->peer_address, "host:1");
        status = source_journal_accepted(&journal, &error);
    }
    plan_fini(&plan);
    source_journal_fini(&journal);
    return status;
}

static void check_taken_over(bool was_failed)
{
    (void)was_failed;
    check_equal(phase_of(COPYING), JOURNAL_PHASE_DONE);
    check_equal(phase_of(ABORTED), JOURNAL_PHASE_DONE);
    check_equal(phase_of(ELSEWHERE), JOURNAL_PHASE_ABORTED);
    check_equal(phase_of(DECIDED), JOURNAL_PHASE_FROZEN);
    check(journal_count() >= 3);
}

static void test_source_journal_bind__nth_call_fails__told_and_the_others_end_in_the_end(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = all_are_there,
                                             .act = take_over,
                                             .look = check_taken_over,
                                             .disk_calls_min = 30,
                                             .silent = 1};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* A job that went to the new one's address may well be at the other end. */
static void test_source_journal_find__several__those_of_the_address_first(void)
{
    start();
    options.to = "host:2";
    leave(COPYING, "t/2", "a", "b");
    options.to = "host:1";
    leave(ELSEWHERE, "t/1", "c", "d");
    for (unsigned i = 1; i <= 2; i++) {
        options.to = i == 1 ? "host:1" : "host:2";
        source_journal_init(&journal, &options);
        check_status(source_journal_find(&journal, &error), HAUL_OK);
        check_equal(journal.earlier.left_over.count, 2);
        check_text(journal_state(journal.earlier.left_over.journals[0])->peer_address, options.to);
        source_journal_fini(&journal);
    }
    failing_store_fini();
}

/* Its ranges were handed over by another job since. */
static void test_source_left_over_plan__overtaken_or_given_up__nothing_to_continue(void)
{
    struct plan plan;
    start();
    leave(ABORTED, here, "p", "q");
    leave(COPYING, here, "k", "l");
    for (int overtaken = 0; overtaken < 2; overtaken++) {
        if (overtaken != 0) {
            leave(COMMITTED, here, "k", "l");
        }
        source_journal_init(&journal, &options);
        check_status(source_journal_find(&journal, &error), HAUL_OK);
        if (overtaken == 0) {
            check_status(source_left_over_plan(&journal, &plan, &error), HAUL_OK);
            plan_fini(&plan);
        } else {
            check_error(source_left_over_plan(&journal, &plan, &error), HAUL_NOT_FOUND, error);
            check(strstr(error.hint, "`haul status` lists its jobs") != NULL);
        }
        source_journal_fini(&journal);
    }
    failing_store_fini();
}

/* A target that does not say which database it is, is not the one that the job began with. */
static void test_source_journal_bind__continued_at_a_nameless_target__mismatch(void)
{
    struct plan plan;
    uint64_t log_sequence = 0;
    start();
    leave(COPYING, here, "k", "l");
    make_plan(&plan, "k", "l");
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_status(
        source_left_over_continue(&journal, &plan, failing.sequence, &log_sequence, &error),
        HAUL_OK);
    check_error(source_journal_bind(&journal, "", &plan, &error), HAUL_MISMATCH, error);
    check(journal.peer_differs);
    source_journal_fini(&journal);
    plan_fini(&plan);
    failing_store_fini();
}

/* --- the whole beginning ---------------------------------------------------------------------- */

static struct source_intent sent;
static bool resumes;

/* A new job beside those that exist; or a continued one. */
static enum haul_status begin(void)
{
    static const struct haul_range range = {.start = {(const uint8_t *)"e", 1},
                                            .end = {(const uint8_t *)"f", 1}};
    const struct haul_source_options asked = {.store = &failing.base,
                                              .to = "127.0.0.1:7447",
                                              .ranges = resumes ? NULL : &range,
                                              .range_count = resumes ? 0 : 1,
                                              .lane = HAUL_LANE_WRITE_BATCH,
                                              .resume = resumes};
    sent = (struct source_intent){.snapshot = NULL};
    enum haul_status status = source_intent_init(&sent, &asked, &error);
    if (status == HAUL_OK) {
        status = source_intent_begin(&sent, &error);
    }
    if (status == HAUL_OK) {
        /* An unreadable journal keeps a job from continuing: the log names it, and another job
         * begins. */
        bool anew =
            failing.fail_at != 0 || failing.disk.fail_at != 0 || failing_memory.fail_at != 0;
        check(sent.journal.continued || !resumes || anew);
        check_equal(failing.snapshots, 1);
        check_equal(failing.pins, 1);
        check_equal(sent.plan.range_count, 1);
        check(strncmp(sent.identity, "in memory/", 10) == 0);
        check_text(sent.journal.name, sent.identity);
        check(sent.log_sequence == 1 || sent.log_sequence == failing.sequence);
        check_equal(journal_state(sent.journal.file)->phase, JOURNAL_PHASE_COPYING);
    }
    source_intent_fini(&sent);
    return status;
}

static void begins_anew(void)
{
    resumes = false;
    all_are_there();
}

static void goes_on(void)
{
    resumes = true;
    start();
    leave(COPYING, here, "k", "l");
}

/* One more, or more of those that failed; the others are unchanged. */
static void check_begun(bool was_failed)
{
    check(was_failed ? journal_count() >= 5 : journal_count() == 5);
    check_equal(phase_of(COPYING), JOURNAL_PHASE_COPYING);
    check_equal(phase_of(DECIDED), JOURNAL_PHASE_FROZEN);
}

static void check_gone_on(bool was_failed)
{
    check(was_failed || journal_count() <= 2);
    check_equal(phase_of(COPYING), JOURNAL_PHASE_COPYING);
}

static void test_source_intent_begin__nth_call_fails__told_and_nothing_stays_open(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = begins_anew,
                                             .act = begin,
                                             .silent_memory = true,
                                             .look = check_begun,
                                             .disk_calls_min = 40,
                                             .store_calls_min = 6,
                                             .silent_any = true};
    failing_sweep(&step);
}

static void test_source_intent_begin__resumed_and_nth_call_fails__told_and_goes_on(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = goes_on,
                                             .act = begin,
                                             .silent_memory = true,
                                             .look = check_gone_on,
                                             .disk_calls_min = 20,
                                             .store_calls_min = 6,
                                             .silent_any = true};
    failing_sweep(&step);
}

/* --- going on --------------------------------------------------------------------------------- */

static void one_is_frozen(void)
{
    start();
    leave(COPYING, here, "k", "l");
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    journal.file = job_journals_take(&journal.earlier.left_over, 0);
    check_status(source_journal_frozen(&journal, &error), HAUL_OK);
    source_journal_fini(&journal);
    failing_store_put(0, "b");
}

static enum haul_status go_on(void)
{
    struct plan plan;
    uint64_t log_sequence = 99;
    make_plan(&plan, "k", "l");
    source_journal_init(&journal, &options);
    enum haul_status status = source_journal_find(&journal, &error);
    if (status == HAUL_OK) {
        status =
            source_left_over_continue(&journal, &plan, failing.sequence, &log_sequence, &error);
    }
    if (status == HAUL_OK) {
        check(journal.continued);
        check(journal.epoch >= 2);
        check_equal(log_sequence, 1);
        check(!journal_state(journal.file)->frozen);
    }
    if (status == HAUL_NOT_FOUND) { /* a new job begins; the log has the reason */
        error.status = status;
    }
    plan_fini(&plan);
    source_journal_fini(&journal);
    return status;
}

static void check_copying(bool was_failed)
{
    (void)was_failed;
    check_equal(journal_count(), 1);
    check_equal(phase_of(COPYING), JOURNAL_PHASE_COPYING);
}

static void test_source_left_over_continue__nth_call_fails__told_and_goes_on_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = one_is_frozen,
                                             .act = go_on,
                                             .look = check_copying,
                                             .disk_calls_min = 10,
                                             .store_calls_min = 1};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* --- resolving -------------------------------------------------------------------------------- */

static enum haul_status resolve(void)
{
    struct plan plan = {.family_count = 0};
    struct haul_source_options resolving = options;
    resolving.resolve = true;
    source_journal_init(&journal, &resolving);
    enum haul_status status = source_journal_adopt(&journal, &plan, &error);
    if (status == HAUL_OK) {
        check(!journal.only_tells);
        check_equal(plan.new_version, MOVED_VERSION);
        check_equal(journal.epoch, 1);
        status = source_journal_released(&journal, &error);
    }
    plan_fini(&plan);
    source_journal_fini(&journal);
    return status;
}

static void check_released(bool was_failed)
{
    (void)was_failed;
    check_equal(phase_of(DECIDED), JOURNAL_PHASE_RELEASED);
    check_equal(journal_count(), 4);
}

static void test_source_journal_adopt__nth_call_fails__told_and_released_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = all_are_there,
                                             .act = resolve,
                                             .look = check_released,
                                             .disk_calls_min = 20,
                                             .silent = 1};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* Its target reports that it owns by a job that was given up here. */
static void one_was_given_up(void)
{
    start();
    leave(ABORTED, here, "k", "l");
}

static enum haul_status yield(void)
{
    struct plan plan = {.family_count = 0};
    struct haul_source_options resolving = options;
    resolving.resolve = true;
    source_journal_init(&journal, &resolving);
    enum haul_status status = source_journal_adopt(&journal, &plan, &error);
    if (status == HAUL_OK) {
        status = source_journal_bind(&journal, here, &plan, &error);
    }
    if (status == HAUL_OK) {
        status = source_journal_yield_left(&journal, MOVED_VERSION, &error);
    }
    check(status != HAUL_OK || journal.yielded || !journal.only_tells);
    plan_fini(&plan);
    source_journal_fini(&journal);
    bool was_done = status == HAUL_NOT_FOUND && journal_count() == 0; /* the last step failed */
    return was_done ? HAUL_OK : status;
}

static void check_yielded(bool was_failed)
{
    struct plan plan;
    (void)was_failed;
    make_plan(&plan, "k", "l");
    check_error(config_version_check(&failing.base, &options.hooks, &plan, &error), HAUL_MISMATCH,
                error);
    plan_fini(&plan);
}

static void test_source_journal_yield_left__nth_call_fails__told_and_yielded_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = one_was_given_up,
                                             .act = yield,
                                             .look = check_yielded,
                                             .disk_calls_min = 15};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* --- the operator ----------------------------------------------------------------------------- */

static enum haul_status give_up(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, COPYING, sizeof(job));
    return source_left_over_give_up(&failing.base, job, false, &error);
}

static void check_given_up(bool was_failed)
{
    (void)was_failed;
    check_equal(phase_of(COPYING), JOURNAL_PHASE_ABORTED);
    check(!journal.yielded);
}

static void test_source_left_over_give_up__nth_call_fails__told_and_given_up_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = one_is_frozen,
                                             .act = give_up,
                                             .look = check_given_up,
                                             .disk_calls_min = 8};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

static const struct haul_owner_selection everything;

static void two_are_decided(void)
{
    all_are_there();
    leave(COMMITTED, here, "w", "x");
}

/* A decided job ends as taken back: on a retry there is nothing left to take. */
static enum haul_status reclaim(void)
{
    enum haul_status status =
        owner_reclaim(&failing.disk.calls, "/db/haul", &everything, true, &error);
    if (status == HAUL_NOT_FOUND && phase_of(DECIDED) == JOURNAL_PHASE_DONE) {
        status = phase_of(COMMITTED) == JOURNAL_PHASE_DONE ? HAUL_OK : HAUL_NOT_FOUND;
    }
    return status;
}

static void check_taken_back(bool was_failed)
{
    struct plan plan;
    (void)was_failed;
    check_equal(phase_of(DECIDED), JOURNAL_PHASE_DONE);
    check_equal(phase_of(COMMITTED), JOURNAL_PHASE_DONE);
    check_equal(phase_of(COPYING), JOURNAL_PHASE_COPYING);
    make_plan(&plan, "t", "x");
    check_status(config_version_check(&failing.base, &options.hooks, &plan, &error), HAUL_OK);
    plan_fini(&plan);
}

static void test_owner_reclaim__nth_call_fails__told_and_taken_back_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = two_are_decided,
                                             .act = reclaim,
                                             .fixed_path = true,
                                             .look = check_taken_back,
                                             .disk_calls_min = 40};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

static enum haul_status forget(void)
{
    const struct instance_place place = {
        .calls = &failing.disk.calls, .directory = "/db/haul", .identity = "in memory"};
    return owner_forget(&place, true, &error);
}

static void check_forgotten(bool was_failed)
{
    (void)was_failed;
    check_equal(journal_count(), 0);
    check_equal(failing_store_file_count("/ownership"), 0);
    check_equal(failing_store_file_count("/instance"), 0);
}

static void test_owner_forget__nth_call_fails__told_and_forgotten_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = all_are_there,
                                             .act = forget,
                                             .fixed_path = true,
                                             .look = check_forgotten,
                                             .disk_calls_min = 15,
                                             .silent = 5};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* What was handed over, and is still there: t..u, which no target waits for. */
static void stale_copy_is_there(void)
{
    start();
    leave(DECIDED, here, "t", "u");
    check_status(resolve(), HAUL_OK);
    uint8_t job[HAUL_JOB_BYTES];
    struct journal *file = NULL;
    memset(job, DECIDED, sizeof(job));
    check_or_stop(job_journal_open_existing(&failing.base, JOURNAL_SOURCE, job, &file, &error) ==
                  HAUL_OK);
    check_status(job_journal_finish(file, &error), HAUL_OK);
    failing_store_put(0, "t1");
    failing_store_put(0, "t2");
    failing_store_put(0, "u");
}

static enum haul_status drop(void)
{
    struct haul_owner_dropped dropped = {.ranges = 99};
    enum haul_status status = haul_owner_drop(&failing.base, &everything, &dropped, &error);
    check(status != HAUL_OK || dropped.ranges == 1);
    return status;
}

static void check_dropped(bool was_failed)
{
    (void)was_failed;
    check_equal(failing.count, 2);
    check(failing_store_has(0, "a") && failing_store_has(0, "u"));
}

static void test_owner_drop__nth_call_fails__told_and_dropped_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = stale_copy_is_there,
                                             .act = drop,
                                             .look = check_dropped,
                                             .disk_calls_min = 6,
                                             .store_calls_min = 2,
                                             .silent_store = 1};
    failing_sweep(&step);
}

/* The record of a frozen job is damaged. */
static void record_is_damaged(void)
{
    all_are_there();
    struct fake_inode *file = fake_disk_find(&failing.disk, "/db/haul/ownership");
    check_or_stop(file != NULL);
    file->bytes[20] ^= 1;
    file->platter[20] ^= 1;
}

static enum haul_status rebuild(void)
{
    enum haul_status status = owner_rebuild(&failing.disk.calls, "/db/haul", true, &error);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status; /* sound: done before */
}

static void check_rebuilt(bool was_failed)
{
    struct plan plan;
    (void)was_failed;
    make_plan(&plan, "t", "u");
    check_error(config_version_check(&failing.base, &options.hooks, &plan, &error), HAUL_MISMATCH,
                error);
    plan_fini(&plan);
    make_plan(&plan, "k", "l");
    check_status(config_version_check(&failing.base, &options.hooks, &plan, &error), HAUL_OK);
    plan_fini(&plan);
    check_equal(journal_count(), 4);
}

static void test_owner_rebuild__nth_call_fails__told_and_rebuilt_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = record_is_damaged,
                                             .act = rebuild,
                                             .fixed_path = true,
                                             .look = check_rebuilt,
                                             .disk_calls_min = 15,
                                             .silent = 1}; /* the search for a free name */
    failing_sweep(&step);
    failing_sweep_power(&step);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_journal_find__nth_call_fails__told_and_nothing_changed),
    CHECK_TEST(test_source_journal_bind__nth_call_fails__told_and_the_others_end_in_the_end),
    CHECK_TEST(test_source_journal_find__several__those_of_the_address_first),
    CHECK_TEST(test_source_left_over_plan__overtaken_or_given_up__nothing_to_continue),
    CHECK_TEST(test_source_journal_bind__continued_at_a_nameless_target__mismatch),
    CHECK_TEST(test_source_intent_begin__nth_call_fails__told_and_nothing_stays_open),
    CHECK_TEST(test_source_intent_begin__resumed_and_nth_call_fails__told_and_goes_on),
    CHECK_TEST(test_source_left_over_continue__nth_call_fails__told_and_goes_on_when_done_again),
    CHECK_TEST(test_source_journal_adopt__nth_call_fails__told_and_released_when_done_again),
    CHECK_TEST(test_source_journal_yield_left__nth_call_fails__told_and_yielded_when_done_again),
    CHECK_TEST(test_source_left_over_give_up__nth_call_fails__told_and_given_up_when_done_again),
    CHECK_TEST(test_owner_reclaim__nth_call_fails__told_and_taken_back_when_done_again),
    CHECK_TEST(test_owner_forget__nth_call_fails__told_and_forgotten_when_done_again),
    CHECK_TEST(test_owner_drop__nth_call_fails__told_and_dropped_when_done_again),
    CHECK_TEST(test_owner_rebuild__nth_call_fails__told_and_rebuilt_when_done_again),
};
CHECK_MAIN("source_failures", tests)
