/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_failures.c — each call of the store and of the disk fails in turn in what a target
 * does for its jobs: the step reports it, and after a retry nothing of it is left. */
#include "config_version.h"
#include "failing_store.h"
#include "incoming_jobs.h"
#include "job_journal.h"
#include "target_admission.h"
#include "target_commit.h"
#include "target_journal.h"
#include "target_others.h"

enum { NEW_VERSION = 5, FAMILY_ONE = 1 };

static struct haul_target_options options;
static struct target_journal journal;
static struct haul_error error;
static unsigned own_count;
static bool came_before; /* the source, to what is looked at */

static enum haul_status own(void *context, uint64_t new_version, struct haul_error *failed)
{
    (void)context;
    (void)new_version;
    (void)failed;
    own_count++;
    return HAUL_OK;
}

/* --- jobs ------------------------------------------------------------------------------------- */

static enum haul_status greet(uint8_t number, bool resume)
{
    haul_control_Hello hello = {.epoch = 1, .resume = resume, .job = {.size = HAUL_JOB_BYTES}};
    uint64_t new_version = 0;
    memset(hello.job.bytes, number, HAUL_JOB_BYTES);
    hello.source_identity.size = 1;
    hello.source_identity.bytes[0] = 's';
    target_journal_init(&journal, &options);
    return target_journal_look_up(&journal, &hello, &new_version, &error);
}

/* A plan of these ranges, a stream each, in the families "default" and "one". */
static void make_plan(struct plan *plan, const struct haul_range *ranges, size_t count)
{
    const char *const families[] = {"default", "one"};
    struct haul_source_options source = {.lane = HAUL_LANE_WRITE_BATCH,
                                         .ranges = ranges,
                                         .range_count = count,
                                         .families = families,
                                         .family_count = 2,
                                         .overwrite = true};
    check_or_stop(plan_make(plan, &failing.base, &source, NEW_VERSION - 1, &error) == HAUL_OK);
    plan->new_version = NEW_VERSION;
}

static struct haul_range range_of(const char *from, const char *to)
{
    return (struct haul_range){.start = slice_of(from, strlen(from)),
                               .end = slice_of(to, strlen(to))};
}

/* The families of the source are those of this store at the time of the plan. */
static void make_plan_of(struct plan *plan, const char *from, const char *to)
{
    const struct haul_range range = range_of(from, to);
    char kept[sizeof(failing.families[0])];
    memcpy(kept, failing.families[FAMILY_ONE], sizeof(kept));
    (void)snprintf(failing.families[FAMILY_ONE], sizeof(kept), "one");
    make_plan(plan, &range, 1);
    memcpy(failing.families[FAMILY_ONE], kept, sizeof(kept));
}

static enum haul_status check_plan(const char *from, const char *to)
{
    struct plan plan;
    const struct failing_held held = failing_hold();
    make_plan_of(&plan, from, to);
    failing_go_on(&held);
    return target_admission_check(&journal, &plan, &error);
}

static enum haul_status prepare(void)
{
    haul_control_Prepare message = {.new_version = NEW_VERSION, .epoch = 1};
    struct digest digests[2] = {{.count = 0}};
    return target_journal_prepare(&journal, &message, digests, &error);
}

/* Job `number` has copied its range. */
static void copy(uint8_t number, const char *from, const char *to)
{
    check_status(greet(number, false), HAUL_OK);
    check_status(check_plan(from, to), HAUL_OK);
    failing_store_put(0, from);
    failing_store_put(journal.plan.families[1].target_id, from);
    target_journal_fini(&journal);
}

static void start(void)
{
    failing_store_init(NULL, 0);
    memset(&error, 0, sizeof(error));
    options = (struct haul_target_options){
        .store = &failing.base, .hooks = {.own = own}, .allow_overwrite = true};
    own_count = 0;
    came_before = false;
}

static size_t journal_count(void)
{
    return failing_store_file_count(".journal");
}

/* --- a new job -------------------------------------------------------------------------------- */

/* Its range holds records of no job and those of job 2, which it gives up; job 3 belongs to another
 * source. */
static void others_are_there(void)
{
    start();
    copy(2, "k", "l");
    copy(3, "t", "u");
    failing_store_put(0, "kk");
    failing_store_put(0, "z");
}

static enum haul_status begin_anew(void)
{
    enum haul_status status = greet(1, came_before);
    came_before = true;
    status = status == HAUL_OK ? check_plan("k", "m") : status;
    target_journal_fini(&journal);
    return status;
}

static void check_begun(bool was_failed)
{
    (void)was_failed;
    check_equal(journal_count(), 2);
    check_equal(failing.count, 3); /* both of job 3, and z */
    check(failing_store_has(0, "t") && failing_store_has(0, "z"));
    check_status(greet(1, true), HAUL_OK);
    check_equal(journal.knowledge, JOB_COPYING);
    target_journal_fini(&journal);
}

static void test_target_admission_check__nth_call_fails__told_and_begun_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = others_are_there,
                                             .act = begin_anew,
                                             .look = check_begun,
                                             .disk_calls_min = 80,
                                             .silent = 2,
                                             .store_calls_min = 10};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* --- one that goes on ------------------------------------------------------------------------- */

static void stands_in_the_middle(void)
{
    static uint8_t key[] = {'k', 'b'};
    struct stream_position position = {
        .next_batch = 1, .last_key = slice_of(key, sizeof(key)), .resumable = true};
    start();
    check_status(greet(1, false), HAUL_OK);
    check_status(check_plan("k", "m"), HAUL_OK);
    failing_store_put(0, "kb");
    failing_store_put(0, "kc");
    failing_store_put(journal.plan.families[1].target_id, "kd");
    digest_add(&position.digest, NULL, slice_of(key, sizeof(key)), slice_of("v", 1));
    check_status(target_journal_positions(&journal, &position, 1, &error), HAUL_OK);
    target_journal_fini(&journal);
}

static enum haul_status go_on(void)
{
    enum haul_status status = greet(1, true);
    status = status == HAUL_OK ? check_plan("k", "m") : status;
    target_journal_fini(&journal);
    return status;
}

static void check_went_on(bool was_failed)
{
    (void)was_failed;
    check_equal(failing.count, 1);
    check(failing_store_has(0, "kb"));
    check_equal(journal_count(), 1);
}

static void test_target_admission_check__resumed_and_nth_call_fails__told_and_as_recorded(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = stands_in_the_middle,
                                             .act = go_on,
                                             .look = check_went_on,
                                             .disk_calls_min = 15,
                                             .silent = 1,
                                             .store_calls_min = 8};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* A program has deleted what had arrived. */
static void stands_on_sand(void)
{
    stands_in_the_middle();
    failing.count = 0;
    failing.sequence++;
}

static void check_anew(bool was_failed)
{
    (void)was_failed;
    check_equal(failing.count, 0);
    check_status(greet(1, true), HAUL_OK);
    check_equal(journal_state(journal.file)->stream_count, 0);
    target_journal_fini(&journal);
}

static void
test_target_admission_check__begins_anew_and_nth_call_fails__told_and_nothing_counts(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = stands_on_sand,
                                             .act = go_on,
                                             .look = check_anew,
                                             .disk_calls_min = 15,
                                             .silent = 1,
                                             .store_calls_min = 8};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* --- owning ----------------------------------------------------------------------------------- */

/* Two jobs have died after COMMITTED. */
static void leave_committed(uint8_t number, const char *from, const char *to)
{
    const struct journal_record committed = {.type = JOURNAL_COMMITTED,
                                             .committed = {.new_version = NEW_VERSION, .epoch = 1}};
    check_status(greet(number, false), HAUL_OK);
    check_status(check_plan(from, to), HAUL_OK);
    check_status(prepare(), HAUL_OK);
    check_status(journal_append(journal.file, &committed, true, &error), HAUL_OK);
    target_journal_fini(&journal);
}

static void two_are_committed(void)
{
    start();
    leave_committed(1, "k", "l");
    leave_committed(2, "m", "n");
}

static enum haul_status finish_all(void)
{
    return target_commit_finish_all(&failing.base, &options.hooks, &error);
}

static void check_both_own(bool was_failed)
{
    (void)was_failed;
    check_equal(journal_count(), 0);
    check(own_count >= 2);
    for (uint8_t number = 1; number <= 2; number++) {
        uint8_t job[HAUL_JOB_BYTES];
        uint64_t ignored = 0;
        bool moved = false;
        memset(job, number, sizeof(job));
        check_status(config_version_imported(&failing.base, job, &moved, &ignored, &error),
                     HAUL_OK);
        check(moved);
    }
}

static void test_target_commit_finish_all__nth_call_fails__told_and_both_own_in_the_end(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = two_are_committed,
                                             .act = finish_all,
                                             .look = check_both_own,
                                             .disk_calls_min = 30};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* Its journal says DONE, and is still there. */
static void one_could_not_be_removed(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    struct journal *file = NULL;
    memset(job, 1, sizeof(job));
    start();
    leave_committed(1, "k", "l");
    check_or_stop(job_journal_open_existing(&failing.base, JOURNAL_TARGET, job, &file, &error) ==
                  HAUL_OK);
    check_status(job_journal_mark(file, JOURNAL_DONE, true, &error), HAUL_OK);
    journal_close(file);
}

static void check_removed(bool was_failed)
{
    (void)was_failed;
    check_equal(journal_count(), 0);
    check_equal(own_count, 0);
}

static void test_target_commit_finish_all__done_and_nth_call_fails__told_and_removed(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = one_could_not_be_removed,
                                             .act = finish_all,
                                             .look = check_removed,
                                             .disk_calls_min = 3};
    failing_sweep(&step);
}

/* The source of a job that ended here long ago comes back, or asks for a job of another one. */
static void one_has_ended(void)
{
    start();
    leave_committed(1, "k", "l");
    check_status(finish_all(), HAUL_OK);
}

static enum haul_status look_up(void)
{
    enum haul_status status = greet(1, true);
    target_journal_fini(&journal);
    return status;
}

static void check_committed(bool was_failed)
{
    (void)was_failed;
    check_status(greet(1, true), HAUL_OK);
    check_equal(journal.knowledge, JOB_COMMITTED);
    target_journal_fini(&journal);
    check_equal(own_count, 1);
}

static void test_target_journal_look_up__ended_and_nth_call_fails__told(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = one_has_ended,
                                             .act = look_up,
                                             .look = check_committed,
                                             .disk_calls_min = 3};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* --- ending ----------------------------------------------------------------------------------- */

/* Job 1 came last, and its family is its own; its source reports that job 2 is over, too. */
static void two_are_to_end(void)
{
    start();
    copy(2, "k", "l");
    copy(1, "m", "n");
}

static enum haul_status clear(void)
{
    const struct haul_error reason = {.status = HAUL_CANCELLED};
    uint8_t over[HAUL_JOB_BYTES];
    memset(over, 2, sizeof(over));
    enum haul_status status = greet(1, true);
    if (status == HAUL_OK) {
        status = target_journal_note_over(&journal, slice_of(over, sizeof(over)), slice_of(NULL, 0),
                                          &error);
    }
    if (status == HAUL_OK) {
        status = target_journal_clear(&journal, &reason, &error);
    }
    target_journal_fini(&journal);
    return status;
}

static void check_nothing_left(bool was_failed)
{
    (void)was_failed;
    check_equal(failing.count, 0);
    check_equal(journal_count(), 0);
    check_equal(failing_store_family_count(), 1);
}

static void test_target_journal_clear__nth_call_fails__told_and_nothing_left_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = two_are_to_end,
                                             .act = clear,
                                             .silent_memory = true,
                                             .look = check_nothing_left,
                                             .disk_calls_min = 30,
                                             .store_calls_min = 8};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

/* --- sending on ------------------------------------------------------------------------------- */

static void one_is_copied(void)
{
    start();
    copy(1, "k", "l");
    copy(2, "p", "q");
}

/* No job brings any of a..b. */
static enum haul_status check_sent(void)
{
    struct plan plan;
    const struct failing_held held = failing_hold();
    make_plan_of(&plan, "a", "b");
    failing_go_on(&held);
    enum haul_status status = incoming_jobs_check(&failing.base, &plan, &error);
    plan_fini(&plan);
    return status;
}

static void check_untouched(bool was_failed)
{
    (void)was_failed;
    check_equal(failing.count, 4);
    check_equal(journal_count(), 2);
}

static void test_incoming_jobs_check__nth_call_fails__told(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = one_is_copied,
                                             .act = check_sent,
                                             .look = check_untouched,
                                             .disk_calls_min = 6};
    failing_sweep(&step);
    failing_sweep_power(&step);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_admission_check__nth_call_fails__told_and_begun_when_done_again),
    CHECK_TEST(test_target_admission_check__resumed_and_nth_call_fails__told_and_as_recorded),
    CHECK_TEST(
        test_target_admission_check__begins_anew_and_nth_call_fails__told_and_nothing_counts),
    CHECK_TEST(test_target_commit_finish_all__nth_call_fails__told_and_both_own_in_the_end),
    CHECK_TEST(test_target_commit_finish_all__done_and_nth_call_fails__told_and_removed),
    CHECK_TEST(test_target_journal_look_up__ended_and_nth_call_fails__told),
    CHECK_TEST(test_target_journal_clear__nth_call_fails__told_and_nothing_left_when_done_again),
    CHECK_TEST(test_incoming_jobs_check__nth_call_fails__told),
};
CHECK_MAIN("target_failures", tests)
