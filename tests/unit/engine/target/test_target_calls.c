/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_calls.c — what the call worker does for a target: the records of a whole job in their
 * order, and which calls can be stopped early, and when. */
#include "target_calls.h"

#include <poll.h>

#include "config_version.h"
#include "failing_store.h"
#include "job_journal.h"
#include "target_machine.h"

enum { NEW_VERSION = 5, WAIT_MS = 20000 };

static struct haul_target_options options;
static struct target_calls calls;
static struct target_copy copy;
static struct target_session session;
static struct call_worker *worker;
static struct haul_error error;
static uint64_t owned_version;

static enum haul_status own(void *context, uint64_t new_version, struct haul_error *failed)
{
    (void)context;
    (void)failed;
    owned_version = new_version;
    return HAUL_OK;
}

static void start(void)
{
    failing_store_init(NULL, 0);
    memset(&session, 0, sizeof(session));
    memset(&copy, 0, sizeof(copy));
    owned_version = 0;
    options = (struct haul_target_options){
        .store = &failing.base, .hooks = {.own = own}, .allow_overwrite = true};
    session.hello = (haul_control_Hello){.epoch = 1, .job = {.size = HAUL_JOB_BYTES}};
    session.hello.job.bytes[0] = 1;
    session.hello.source_identity.size = 1;
    session.hello.source_identity.bytes[0] = 's';
    check_or_stop(call_worker_create(&worker, &error) == HAUL_OK);
    target_calls_init(&calls, NULL, &options, worker);
    calls.copy = &copy;
    calls.session = &session;
}

static void finish(void)
{
    call_worker_destroy(worker);
    target_calls_fini(&calls);
    failing_store_fini();
}

static enum haul_status take(enum target_call number)
{
    struct pollfd wait = {.fd = call_worker_fd(worker), .events = POLLIN};
    check(target_calls_any(&calls));
    check_or_stop(poll(&wait, 1, WAIT_MS) == 1);
    struct call *call = call_worker_result(worker);
    check_or_stop(call != NULL);
    check(target_calls_driver(call) == NULL);
    check_equal(target_calls_number(&calls, call), number);
    error = call->error;
    return call->error.status;
}

static enum haul_status run(enum target_call number)
{
    target_calls_submit(&calls, number);
    return take(number);
}

/* The source's plan, on its way. */
static void bring_plan(void)
{
    const struct haul_range range = {.start = slice_of("k", 1), .end = slice_of("l", 1)};
    struct haul_source_options source = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH, .overwrite = true};
    check_or_stop(plan_make(&calls.incoming_plan, &failing.base, &source, NEW_VERSION - 1,
                            &error) == HAUL_OK);
    calls.incoming_plan.new_version = NEW_VERSION;
}

static void copy_all(void)
{
    check_status(run(TARGET_CALL_LOOK_UP), HAUL_OK);
    bring_plan();
    check_status(run(TARGET_CALL_CHECK), HAUL_OK);
}

static void test_target_calls_submit__a_whole_job__records_in_their_order(void)
{
    struct stream_position position = {.next_batch = 3, .finished = true, .resumable = true};
    start();
    copy_all();
    check_equal(journal_state(calls.journal.file)->phase, JOURNAL_PHASE_PLANNED);
    check_equal(calls.incoming_plan.range_count, 0); /* the record has it */
    copy.positions.taken = &position;
    copy.positions.taken_count = 1;
    check_status(run(TARGET_CALL_POSITIONS), HAUL_OK);
    check_equal(journal_state_position(journal_state(calls.journal.file), 0)->next_batch, 3);
    session.prepare.as.prepare.new_version = NEW_VERSION;
    session.prepare.as.prepare.epoch = 1;
    copy.digests[0] = (struct digest){.count = 7, .bytes = 70};
    check_status(run(TARGET_CALL_RECORD), HAUL_OK);
    check_equal(journal_state(calls.journal.file)->phase, JOURNAL_PHASE_PREPARED);
    check_equal(journal_state(calls.journal.file)->prepared.digests[0].digest.count, 7);
    check_equal(owned_version, 0);
    check_status(run(TARGET_CALL_OWN), HAUL_OK);
    check_equal(owned_version, NEW_VERSION);
    check(!target_calls_any(&calls));
    check_status(run(TARGET_CALL_LOOK_UP), HAUL_OK);
    check_equal(calls.version.version, NEW_VERSION);
    finish();
}

static void test_target_calls_submit__fails__its_error(void)
{
    start();
    fake_disk_fail(&failing.disk, 1, true);
    check_status(run(TARGET_CALL_LOOK_UP), HAUL_IO);
    fake_disk_fail(&failing.disk, 0, false);
    check_status(run(TARGET_CALL_LOOK_UP), HAUL_OK);
    bring_plan();
    failing.call_count = 0;
    failing.fail_at = 1;
    check_status(run(TARGET_CALL_CHECK), HAUL_IO);
    failing.fail_at = 0;
    finish();
}

static void note_line(void *context, enum haul_log_level level, const char *line)
{
    (void)level;
    (void)snprintf(context, 256, "%s", line);
}

/* Nobody waits for it: only the log shows that it failed. */
static void test_target_calls_submit__lost_by_the_source__recorded_or_a_warning(void)
{
    static const uint8_t lost[HAUL_JOB_BYTES] = {9};
    static char warning[256];
    static const struct haul_log log = {
        .write = note_line, .context = warning, .level_max = HAUL_LOG_WARNING};
    start();
    options.log = &log;
    copy_all();
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = lost,
                                      .peer = calls.journal.peer,
                                      .plan = &calls.journal.plan,
                                      .new_version = NEW_VERSION,
                                      .epoch = 1};
    check_status(config_version_move(&failing.base, &options.hooks, &move, &error), HAUL_OK);
    job_list_take(&calls.lost, slice_of(lost, sizeof(lost)));
    warning[0] = '\0';
    fake_disk_fail(&failing.disk, 1, true);
    check_status(run(TARGET_CALL_NOTE_LOST), HAUL_IO);
    check(strstr(warning, "cannot record what the source has lost: ") == warning);
    fake_disk_fail(&failing.disk, 0, false);
    warning[0] = '\0';
    check_status(run(TARGET_CALL_NOTE_LOST), HAUL_OK);
    check_text(warning, "");
    struct ownership ownership;
    check_or_stop(config_version_read(&failing.base, &ownership, &error) == HAUL_OK);
    const struct ownership_job *newest = &ownership.jobs[ownership.job_count - 1];
    check_status(newest->result, HAUL_MISMATCH);
    check(memcmp(newest->id, lost, sizeof(lost)) == 0);
    ownership_fini(&ownership);
    finish();
}

/* --- steps ------------------------------------------------------------------------------------ */

static void test_target_calls_submit__clears__steps_of_the_call_that_runs(void)
{
    start();
    copy_all();
    check(failing.steps == &calls.steps[TARGET_CALL_CHECK].steps);
    failing_store_put(0, "k");
    check_status(run(TARGET_CALL_CLEAR), HAUL_OK);
    check(failing.steps == &calls.steps[TARGET_CALL_CLEAR].steps);
    check_equal(failing.count, 0);
    check_equal(failing_store_file_count(".journal"), 0);
    finish();
}

static bool goes_on(enum target_call number)
{
    return steps_next(&calls.steps[number].steps);
}

static void begin_all(void)
{
    for (size_t i = 0; i < TARGET_CALL_COUNT; i++) {
        call_steps_begin(&calls.steps[i]);
        calls.calls[i].under_way = true;
    }
}

static void end_none(void)
{
    for (size_t i = 0; i < TARGET_CALL_COUNT; i++) {
        calls.calls[i].under_way = false;
    }
}

static void test_target_calls_end__one_or_all__they_take_no_step(void)
{
    start();
    begin_all();
    check(target_calls_any(&calls));
    target_calls_end(&calls, TARGET_CALL_CLEAR);
    check(!goes_on(TARGET_CALL_CLEAR));
    check(goes_on(TARGET_CALL_CHECK) && goes_on(TARGET_CALL_DIGEST) && goes_on(TARGET_CALL_VERIFY));
    uint64_t all = 0;
    check_equal(target_calls_activity(&calls, &all), 4);
    target_calls_end_all(&calls);
    for (unsigned i = 0; i < TARGET_CALL_COUNT; i++) {
        check(!goes_on((enum target_call)i));
    }
    check_equal(target_calls_activity(&calls, &all), 4 + TARGET_CALL_COUNT);
    check_equal(all, 4 + TARGET_CALL_COUNT);
    all += 10; /* steps of others: they count while a call of this job may wait for theirs */
    check_equal(target_calls_activity(&calls, &all), 14 + TARGET_CALL_COUNT);
    end_none();
    check_equal(target_calls_activity(&calls, &all), 4 + TARGET_CALL_COUNT);
    check(!target_calls_any(&calls));
    finish();
}

/* Which calls go on in a state; nobody waits for the results of the others. */
static void test_target_calls_end_stale__state__only_those_that_are_not_waited_for(void)
{
    static const struct {
        enum target_state state;
        enum target_call wanted; /* TARGET_CALL_OWN: none of the four */
    } cases[] = {{TARGET_LOOKING, TARGET_CALL_LOOK_UP}, {TARGET_CHECKING, TARGET_CALL_CHECK},
                 {TARGET_FLUSHING, TARGET_CALL_DIGEST}, {TARGET_VERIFYING, TARGET_CALL_VERIFY},
                 {TARGET_RECEIVING, TARGET_CALL_OWN},   {TARGET_OWNING, TARGET_CALL_OWN},
                 {TARGET_PREPARED, TARGET_CALL_OWN}};
    static const enum target_call four[] = {TARGET_CALL_LOOK_UP, TARGET_CALL_CHECK,
                                            TARGET_CALL_DIGEST, TARGET_CALL_VERIFY};
    start();
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin_all();
        session.state = cases[i].state;
        target_calls_end_stale(&calls);
        for (size_t j = 0; j < CHECK_COUNT(four); j++) {
            check_equal(goes_on(four[j]), four[j] == cases[i].wanted);
        }
        check(goes_on(TARGET_CALL_OWN) && goes_on(TARGET_CALL_CLEAR));
        check(goes_on(TARGET_CALL_RECORD) && goes_on(TARGET_CALL_POSITIONS));
    }
    end_none();
    begin_all();
    calls.calls[TARGET_CALL_CHECK].under_way = false;
    target_calls_end_stale(&calls);
    check(goes_on(TARGET_CALL_CHECK)); /* it has returned: a later call is about to begin */
    end_none();
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_calls_submit__a_whole_job__records_in_their_order),
    CHECK_TEST(test_target_calls_submit__fails__its_error),
    CHECK_TEST(test_target_calls_submit__lost_by_the_source__recorded_or_a_warning),
    CHECK_TEST(test_target_calls_submit__clears__steps_of_the_call_that_runs),
    CHECK_TEST(test_target_calls_end__one_or_all__they_take_no_step),
    CHECK_TEST(test_target_calls_end_stale__state__only_those_that_are_not_waited_for),
};
CHECK_MAIN("target_calls", tests)
