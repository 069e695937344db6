/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_resolve.c — what the call worker makes of a target's answer to `resolve`: for jobs
 * that were given up or left open, finished ones, and a decided one that came back. */
#include <poll.h>

#include "config_version.h"
#include "failing_store.h"
#include "job_journal.h"
#include "owner_change.h"
#include "source_calls.h"

enum { NEW_VERSION = 5, WAIT_MS = 20000, FIRST = 1, SECOND = 2 };

static struct source_intent intent;
static struct source_calls calls;
static struct source_event event;
static haul_control_Welcome from; /* the target's */
static struct haul_error error;
static unsigned warnings;

static void write_log(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    (void)line;
    warnings += level == HAUL_LOG_WARNING;
}

static const struct haul_log log_of_test = {.write = write_log, .level_max = HAUL_LOG_WARNING};

static const uint8_t *id_of(uint8_t number)
{
    static uint8_t id[HAUL_JOB_BYTES];
    memset(id, number, sizeof(id));
    return id;
}

static void make_plan(struct plan *plan, const char *start, const char *end)
{
    const struct haul_range range = {.start = slice_of(start, 1), .end = slice_of(end, 1)};
    const struct haul_source_options asked = {
        .store = &failing.base, .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    check_or_stop(plan_make(plan, &failing.base, &asked, NEW_VERSION - 1, &error) == HAUL_OK);
    plan->new_version = NEW_VERSION;
}

/* Job FIRST of k to l, bound to t/1. */
static struct journal *leave(void)
{
    struct plan plan;
    struct journal *file = NULL;
    bool existed = false;
    const struct journal_record begun = {.type = JOURNAL_SNAPSHOT,
                                         .snapshot = {.sequence = 1, .wal_sequence = 2}};
    make_plan(&plan, "k", "l");
    check_or_stop(job_journal_open(&failing.base, JOURNAL_SOURCE, id_of(FIRST), &file, &existed,
                                   &error) == HAUL_OK);
    check_status(job_journal_plan(file, &plan, &error), HAUL_OK);
    check_status(job_journal_bind(file, "t/1", "host:1", &error), HAUL_OK);
    check_status(journal_append(file, &begun, true, &error), HAUL_OK);
    plan_fini(&plan);
    return file;
}

static void leave_open(void)
{
    journal_close(leave());
}

static void leave_given_up(void)
{
    struct journal *file = leave();
    check_status(job_journal_aborted(file, HAUL_CANCELLED, "no", &error), HAUL_OK);
    journal_close(file);
}

static void give(uint8_t number, const char *start, const char *end)
{
    static const struct haul_hooks no_hooks;
    struct plan plan;
    make_plan(&plan, start, end);
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = id_of(number),
                                      .peer = "t/1",
                                      .plan = &plan,
                                      .new_version = NEW_VERSION,
                                      .records = 11,
                                      .bytes = 222,
                                      .epoch = 1};
    check_status(config_version_move(&failing.base, &no_hooks, &move, &error), HAUL_OK);
    plan_fini(&plan);
}

/* Done: of job FIRST only the ownership record is left. */
static void leave_finished(void)
{
    give(FIRST, "k", "l");
}

static void start(void (*left)(void))
{
    failing_store_init(NULL, 0);
    memset(&from, 0, sizeof(from));
    memset(&error, 0, sizeof(error));
    warnings = 0;
    left();
}

static enum haul_status adopt(bool accept_two_owners)
{
    memset(&intent, 0, sizeof(intent));
    intent.options = (struct haul_source_options){.store = &failing.base,
                                                  .to = "host:1",
                                                  .log = &log_of_test,
                                                  .resolve = true,
                                                  .accept_two_owners = accept_two_owners};
    source_journal_init(&intent.journal, &intent.options);
    return source_journal_adopt(&intent.journal, &intent.plan, &error);
}

static void begin(void (*left)(void), bool accept_two_owners)
{
    start(left);
    check_status(adopt(accept_two_owners), HAUL_OK);
    check_or_stop(source_calls_create(&calls, &intent, NULL, &clock_monotonic, &error) == HAUL_OK);
}

static void finish(void)
{
    source_calls_destroy(&calls);
    source_journal_fini(&intent.journal);
    plan_fini(&intent.plan);
    failing_store_fini();
}

/* What becomes of the answer of `identity`, by whose records the job is in this phase. */
static enum haul_status welcome(const char *identity, enum job_knowledge phase)
{
    from.config_version = NEW_VERSION;
    from.job_phase = phase;
    from.target_identity.size = (pb_size_t)strlen(identity);
    memcpy(from.target_identity.bytes, identity, strlen(identity));
    source_calls_bind(&calls, &from);
    struct pollfd wait = {.fd = call_worker_fd(calls.worker), .events = POLLIN};
    check_or_stop(poll(&wait, 1, WAIT_MS) == 1);
    check_equal(source_calls_next(&calls, &event), SOURCE_CALLS_EVENT);
    check_equal(event.type, SOURCE_EVENT_BOUND);
    return event.error.status;
}

static enum haul_status look_owned(const char *start, const char *end_key)
{
    struct plan plan;
    struct haul_error ignored;
    make_plan(&plan, start, end_key);
    enum haul_status status =
        config_version_check(&failing.base, &intent.options.hooks, &plan, &ignored);
    plan_fini(&plan);
    return status;
}

/* --- given up or left open -------------------------------------------------------------------- */

static void test_source_resolve__given_up__its_target_is_told(void)
{
    begin(leave_given_up, false);
    check_status(welcome("t/1", JOB_UNKNOWN), HAUL_OK);
    check_or_stop(event.jobs.size == HAUL_JOB_BYTES);
    check(memcmp(event.jobs.data, id_of(FIRST), HAUL_JOB_BYTES) == 0);
    check(event.next_job == NULL && event.commit == NULL);
    check_status(look_owned("k", "l"), HAUL_OK);
    finish();
}

static void test_source_resolve__given_up_and_another_target__names_its_own(void)
{
    begin(leave_given_up, false);
    check_error(welcome("t/2", JOB_UNKNOWN), HAUL_NOT_FOUND, event.error);
    check_text(event.error.text, "no job of this database waits for database t/2");
    check_text(event.error.hint, "one waits for database t/1, which was at host:1");
    check_equal(event.jobs.size, 0);
    finish();
}

/* The target owns by a job that was given up here, or never decided: the journal was set back. */
static void test_source_resolve__target_owns__handed_over(void)
{
    void (*const left[])(void) = {leave_given_up, leave_open};
    for (size_t i = 0; i < CHECK_COUNT(left); i++) {
        begin(left[i], false);
        check_status(welcome("t/1", JOB_COMMITTED), HAUL_OK);
        check_status(look_owned("k", "l"), HAUL_MISMATCH);
        check_status(look_owned("a", "b"), HAUL_OK);
        finish();
    }
}

/* Another database of the same job's name is not that job's target. */
static void test_source_resolve__another_target_owns__not_handed_over(void)
{
    begin(leave_given_up, false);
    check_error(welcome("t/2", JOB_COMMITTED), HAUL_NOT_FOUND, event.error);
    check_status(look_owned("k", "l"), HAUL_OK);
    finish();
}

static void test_source_resolve__open_and_not_owned__to_be_resumed(void)
{
    begin(leave_open, false);
    check_error(welcome("t/1", JOB_COPYING), HAUL_NOT_FOUND, event.error);
    check(strstr(event.error.hint, "is not decided: `haul resume` continues it") != NULL);
    check_equal(failing_store_file_count(".journal"), 1);
    finish();
}

/* --- finished --------------------------------------------------------------------------------- */

static void test_source_resolve__finished_and_target_owns__nothing_in_doubt(void)
{
    begin(leave_finished, false);
    check_error(welcome("t/1", JOB_COMMITTED), HAUL_NOT_FOUND, event.error);
    check_text(event.error.text, "no job of this database is in doubt");
    check(intent.journal.settled);
    finish();
}

static void test_source_resolve__finished_and_target_has_no_record__lost_there(void)
{
    begin(leave_finished, false);
    check_error(welcome("t/1", JOB_UNKNOWN), HAUL_NOT_FOUND, event.error);
    check(strstr(event.error.text, "the target has no record of owning") != NULL);
    check(strstr(event.error.hint, "--reclaim --accept-two-owners") != NULL);
    check(!intent.journal.settled);
    check_equal(warnings, 0);
    finish();
}

static void test_source_resolve__finished_and_another_target__not_its_job(void)
{
    begin(leave_finished, false);
    check_error(welcome("t/2", JOB_UNKNOWN), HAUL_NOT_FOUND, event.error);
    check(strstr(event.error.text, "t/2") != NULL);
    check(!intent.journal.settled);
    finish();
}

/* The target lists a job between the two that this database has no record of. */
static void test_source_resolve__set_back__refused(void)
{
    begin(leave_finished, false);
    from.between.size = HAUL_JOB_BYTES;
    memcpy(from.between.bytes, id_of(SECOND), HAUL_JOB_BYTES);
    check_error(welcome("t/1", JOB_COMMITTED), HAUL_MISMATCH, event.error);
    check(strstr(event.error.hint, "haul send --overwrite") != NULL);
    check(event.lost.size == HAUL_JOB_BYTES &&
          memcmp(event.lost.data, id_of(SECOND), HAUL_JOB_BYTES) == 0);
    check_equal(warnings, 1);
    finish();
}

static void wait_for(uint8_t number)
{
    from.waiting.size = HAUL_JOB_BYTES;
    memcpy(from.waiting.bytes, id_of(number), HAUL_JOB_BYTES);
}

static void test_source_resolve__finished_and_target_waits__only_if_confirmed(void)
{
    for (int accepts = 0; accepts < 2; accepts++) {
        begin(leave_finished, accepts != 0);
        wait_for(FIRST);
        check_status(welcome("t/1", JOB_PREPARED), accepts != 0 ? HAUL_OK : HAUL_UNCONFIRMED);
        check_equal(event.commit != NULL, accepts != 0);
        check_equal(intent.journal.answered, accepts != 0);
        check_equal(intent.journal.moved.count, accepts != 0 ? 11 : 0);
        check_equal(intent.journal.moved.bytes, accepts != 0 ? 222 : 0);
        if (accepts != 0) { /* its answer is lost on its way */
            from.waiting.size = 0;
            check_status(welcome("t/1", JOB_COMMITTED), HAUL_OK);
        }
        finish();
    }
}

static void leave_two_finished(void)
{
    give(FIRST, "k", "l");
    give(SECOND, "p", "q");
}

/* It waits for one that Hello did not name: asked again, with its name. */
static void test_source_resolve__finished_and_target_waits_for_another__asked_again(void)
{
    begin(leave_two_finished, true);
    uint8_t other = intent.journal.job[0] == FIRST ? SECOND : FIRST;
    wait_for(other);
    check_status(welcome("t/1", JOB_UNKNOWN), HAUL_OK);
    check_or_stop(event.next_job != NULL);
    check(memcmp(event.next_job, id_of(other), HAUL_JOB_BYTES) == 0);
    check(event.commit == NULL && !intent.journal.answered);
    check_status(welcome("t/1", JOB_PREPARED), HAUL_OK);
    check(event.next_job == NULL && event.commit != NULL && intent.journal.answered);
    finish();
}

/* --- decided ---------------------------------------------------------------------------------- */

/* Its journal is not deleted yet. */
static void leave_decided(void)
{
    struct journal *file = leave();
    check_status(job_journal_decide_late(file, NEW_VERSION - 1, NEW_VERSION, &error), HAUL_OK);
    journal_close(file);
    give(FIRST, "k", "l");
}

static void leave_partly_taken_back(void)
{
    const struct haul_range part = {.start = slice_of("k", 1), .end = slice_of("kk", 2)};
    const struct haul_owner_selection selection = {.ranges = &part, .range_count = 1};
    leave_decided();
    check_status(owner_reclaim(&failing.disk.calls, "/db/haul", &selection, true, &error), HAUL_OK);
}

static void test_source_resolve__a_part_was_taken_back__refused(void)
{
    start(leave_partly_taken_back);
    check_error(adopt(true), HAUL_MISMATCH, error);
    check(strstr(error.text, "was taken back here") != NULL);
    check(strstr(error.hint, "haul cancel") != NULL);
    source_journal_fini(&intent.journal);
    plan_fini(&intent.plan);
    failing_store_fini();
}

/* What a target of an older release reports is kept for `haul status`. */
static void test_source_resolve__target_has_given_back__refused_and_noted(void)
{
    static const uint32_t answers[] = {VERSION_KEPT, VERSION_RETURNED, VERSION_PERHAPS_RETURNED};
    for (size_t i = 0; i < CHECK_COUNT(answers); i++) {
        begin(leave_decided, false);
        check(!intent.journal.only_tells);
        from.given_back = answers[i];
        check_status(welcome("t/1", JOB_COMMITTED),
                     answers[i] == VERSION_KEPT ? HAUL_OK : HAUL_MISMATCH);
        const struct journal_state *state = journal_state(intent.journal.file);
        check_equal(state->returned, answers[i] == VERSION_RETURNED);
        check_equal(state->parted, answers[i] == VERSION_PERHAPS_RETURNED);
        check_equal(state->outcome, JOURNAL_COMMIT);
        check_status(look_owned("k", "l"), HAUL_MISMATCH);
        finish();
    }
}

/* --- failures --------------------------------------------------------------------------------- */

static void (*left_over)(void);
static enum job_knowledge phase_there;
static enum haul_status expected; /* when nothing fails */

static void prepare(void)
{
    start(left_over);
    if (phase_there == JOB_PREPARED) {
        wait_for(FIRST);
    }
}

/* A process of its own. After one that was handed over, none is in doubt. */
static enum haul_status resolve(void)
{
    enum haul_status status = adopt(true);
    if (status == HAUL_OK) {
        status = source_calls_create(&calls, &intent, NULL, &clock_monotonic, &error);
    }
    if (status == HAUL_OK) {
        status = welcome("t/1", phase_there);
        error = event.error;
        source_calls_destroy(&calls);
    }
    source_journal_fini(&intent.journal);
    plan_fini(&intent.plan);
    bool again = phase_there == JOB_COMMITTED && status == HAUL_NOT_FOUND;
    return status == expected || again ? HAUL_OK : status;
}

static void look(bool was_failed)
{
    (void)was_failed;
    bool gave = left_over == leave_finished || phase_there == JOB_COMMITTED;
    check_status(look_owned("k", "l"), gave ? HAUL_MISMATCH : HAUL_OK);
}

static void test_source_resolve__nth_call_fails__told_and_the_same_when_done_again(void)
{
    static const struct {
        void (*left)(void);
        enum job_knowledge phase;
        enum haul_status status;
    } rows[] = {{leave_given_up, JOB_UNKNOWN, HAUL_OK},
                {leave_given_up, JOB_COMMITTED, HAUL_OK},
                {leave_open, JOB_COPYING, HAUL_NOT_FOUND},
                {leave_finished, JOB_COMMITTED, HAUL_NOT_FOUND},
                {leave_finished, JOB_UNKNOWN, HAUL_NOT_FOUND},
                {leave_finished, JOB_PREPARED, HAUL_OK}};
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        const struct failing_step step = {.error = &error,
                                          .prepare = prepare,
                                          .act = resolve,
                                          .look = look,
                                          .disk_calls_min = 2,
                                          .silent_any = true,
                                          .silent_memory = true,
                                          .fixed_path = true};
        left_over = rows[i].left;
        phase_there = rows[i].phase;
        expected = rows[i].status;
        failing_sweep(&step);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_resolve__given_up__its_target_is_told),
    CHECK_TEST(test_source_resolve__given_up_and_another_target__names_its_own),
    CHECK_TEST(test_source_resolve__target_owns__handed_over),
    CHECK_TEST(test_source_resolve__another_target_owns__not_handed_over),
    CHECK_TEST(test_source_resolve__open_and_not_owned__to_be_resumed),
    CHECK_TEST(test_source_resolve__finished_and_target_owns__nothing_in_doubt),
    CHECK_TEST(test_source_resolve__finished_and_target_has_no_record__lost_there),
    CHECK_TEST(test_source_resolve__finished_and_another_target__not_its_job),
    CHECK_TEST(test_source_resolve__set_back__refused),
    CHECK_TEST(test_source_resolve__finished_and_target_waits__only_if_confirmed),
    CHECK_TEST(test_source_resolve__finished_and_target_waits_for_another__asked_again),
    CHECK_TEST(test_source_resolve__a_part_was_taken_back__refused),
    CHECK_TEST(test_source_resolve__target_has_given_back__refused_and_noted),
    CHECK_TEST(test_source_resolve__nth_call_fails__told_and_the_same_when_done_again),
};

CHECK_MAIN("source_resolve", tests)
