/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_calls.c — what the call worker does for a source, in the promised order: the record
 * before the hook, the hook once, the last Welcome, each result as its event. */
#include "source_calls.h"

#include <poll.h>

#include "clock.h"
#include "config_version.h"
#include "failing_store.h"
#include "job_journal.h"

enum { FREEZE_MAX_MS = 70, NEW_VERSION = 5, WAIT_MS = 20000, OTHER = 2 };

static struct source_intent intent;
static struct source_calls calls;
static struct source_copy copy;
static struct digest copied[1];
static struct source_event event;
static struct haul_error error;
static unsigned freezes;
static unsigned unfreezes;
static bool was_recorded; /* FROZEN was recorded when the hook was called */
static uint64_t hook_ns;
static unsigned warnings;

static enum haul_status hook_freeze(void *context, uint32_t max_ms, struct haul_error *failed)
{
    (void)context;
    (void)failed;
    freezes++;
    check_equal(max_ms, FREEZE_MAX_MS);
    was_recorded = journal_state(intent.journal.file)->frozen;
    hook_ns = clock_now_ns(&clock_monotonic);
    return HAUL_OK;
}

static void hook_unfreeze(void *context)
{
    (void)context;
    unfreezes++;
}

static void write_log(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    (void)line;
    warnings += level == HAUL_LOG_WARNING;
}

static const struct haul_log log_of_test = {.write = write_log, .level_max = HAUL_LOG_WARNING};

static void make_plan(struct plan *plan, const char *from, const char *to)
{
    const struct haul_range range = {.start = slice_of(from, 1), .end = slice_of(to, 1)};
    struct haul_source_options asked = {
        .store = &failing.base, .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    check_or_stop(plan_make(plan, &failing.base, &asked, NEW_VERSION - 1, &error) == HAUL_OK);
    plan->new_version = NEW_VERSION;
}

/* A job that an earlier process left: given up, and bound to the database t/1. */
static void leave_other(void)
{
    struct plan plan;
    struct source_journal journal;
    make_plan(&plan, "p", "q");
    source_journal_init(&journal, &intent.options);
    memset(journal.job, OTHER, sizeof(journal.job));
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    check_status(source_journal_bind(&journal, "t/1", &plan, &error), HAUL_OK);
    check_status(job_journal_aborted(journal.file, HAUL_CANCELLED, "no", &error), HAUL_OK);
    source_journal_fini(&journal);
    plan_fini(&plan);
}

static void start(void)
{
    failing_store_init(NULL, 0);
    memset(&intent, 0, sizeof(intent));
    memset(&copy, 0, sizeof(copy));
    freezes = 0;
    unfreezes = 0;
    warnings = 0;
    was_recorded = false;
    intent.options =
        (struct haul_source_options){.store = &failing.base,
                                     .to = "host:1",
                                     .log = &log_of_test,
                                     .freeze_max_ms = FREEZE_MAX_MS,
                                     .hooks = {.freeze = hook_freeze, .unfreeze = hook_unfreeze}};
    leave_other();
    make_plan(&intent.plan, "k", "l");
    source_journal_init(&intent.journal, &intent.options);
    memset(intent.journal.job, 1, sizeof(intent.journal.job));
    check_status(source_journal_find(&intent.journal, &error), HAUL_OK);
    check_status(source_journal_begin(&intent.journal, &intent.plan, 0, &error), HAUL_OK);
    copied[0] = (struct digest){.count = 3, .bytes = 30};
    copy.options.plan = &intent.plan;
    copy.family_digests = copied;
    check_or_stop(source_calls_create(&calls, &intent, &copy, &clock_monotonic, &error) == HAUL_OK);
}

static void finish(void)
{
    source_calls_destroy(&calls);
    source_journal_fini(&intent.journal);
    plan_fini(&intent.plan);
    failing_store_fini();
}

static enum source_calls_news next(void)
{
    struct pollfd wait = {.fd = call_worker_fd(calls.worker), .events = POLLIN};
    check_or_stop(poll(&wait, 1, WAIT_MS) == 1);
    enum source_calls_news news = source_calls_next(&calls, &event);
    check(news != SOURCE_CALLS_NOTHING);
    return news;
}

static enum journal_phase phase(void)
{
    return journal_state(intent.journal.file)->phase;
}

static void welcome(const char *identity, bool owns)
{
    haul_control_Welcome from = {.config_version = NEW_VERSION,
                                 .config_version_known = true,
                                 .job_phase = owns ? JOB_COMMITTED : JOB_UNKNOWN};
    from.target_identity.size = (pb_size_t)strlen(identity);
    memcpy(from.target_identity.bytes, identity, strlen(identity));
    source_calls_bind(&calls, &from);
}

/* --- freezing --------------------------------------------------------------------------------- */

static void test_source_calls_freeze__works__recorded_before_the_hook(void)
{
    start();
    source_calls_freeze(&calls);
    check_equal(next(), SOURCE_CALLS_EVENT);
    check_equal(event.type, SOURCE_EVENT_FROZEN);
    check_status(event.error.status, HAUL_OK);
    check(was_recorded);
    check(event.frozen_ns != 0 && event.frozen_ns <= hook_ns);
    check_equal(freezes, 1);
    finish();
}

static void test_source_calls_freeze__cannot_be_recorded__told_and_no_hook_at_all(void)
{
    start();
    fake_disk_fail(&failing.disk, 1, false);
    source_calls_freeze(&calls);
    check_equal(next(), SOURCE_CALLS_EVENT);
    check_equal(event.type, SOURCE_EVENT_FROZEN);
    check_status(event.error.status, HAUL_IO);
    fake_disk_fail(&failing.disk, 0, false);
    source_calls_unfreeze(&calls);
    check_equal(next(), SOURCE_CALLS_TIDIED);
    check_equal(freezes, 0);
    check_equal(unfreezes, 0);
    finish();
}

/* The next freeze fails: it stopped no writer, and must release none. */
static void test_source_calls_unfreeze__of_an_earlier_freeze__hook_once(void)
{
    start();
    source_calls_freeze(&calls);
    check_equal(next(), SOURCE_CALLS_EVENT);
    source_calls_unfreeze(&calls);
    check_equal(next(), SOURCE_CALLS_TIDIED);
    check_equal(unfreezes, 1);
    check(!journal_state(intent.journal.file)->frozen);
    check(source_calls_waited_for(&calls) == NULL);
    fake_disk_fail(&failing.disk, 1, true);
    source_calls_freeze(&calls);
    check_equal(next(), SOURCE_CALLS_EVENT);
    check_status(event.error.status, HAUL_IO);
    check_equal(warnings, 0);
    source_calls_unfreeze(&calls);
    check_equal(next(), SOURCE_CALLS_TIDIED);
    check_equal(unfreezes, 1);
    fake_disk_fail(&failing.disk, 0, false);
    finish();
}

static void test_source_calls_unfreeze__cannot_be_recorded__a_warning(void)
{
    start();
    source_calls_freeze(&calls);
    check_equal(next(), SOURCE_CALLS_EVENT);
    fake_disk_fail(&failing.disk, 1, true);
    source_calls_unfreeze(&calls);
    check_equal(next(), SOURCE_CALLS_TIDIED);
    check_equal(unfreezes, 1);
    check_equal(warnings, 1);
    fake_disk_fail(&failing.disk, 0, false);
    finish();
}

/* --- binding ---------------------------------------------------------------------------------- */

static void test_source_calls_bind__welcomed__bound_and_told_of_the_other_job(void)
{
    uint8_t told[HAUL_JOB_BYTES];
    start();
    memset(told, OTHER, sizeof(told));
    welcome("t/1", false);
    check_equal(next(), SOURCE_CALLS_EVENT);
    check_equal(event.type, SOURCE_EVENT_BOUND);
    check_status(event.error.status, HAUL_OK);
    check(event.jobs.size == sizeof(told) && memcmp(event.jobs.data, told, sizeof(told)) == 0);
    check_text(journal_state(intent.journal.file)->peer, "t/1");
    check_equal(phase(), JOURNAL_PHASE_COPYING);
    finish();
}

/* A path that is lost at once: the last one to answer counts. */
static void test_source_calls_bind__welcomed_again_meanwhile__the_last_one_counts(void)
{
    start();
    welcome("t/1", false);
    welcome("t/2", false);
    check_equal(next(), SOURCE_CALLS_TIDIED);
    check_equal(next(), SOURCE_CALLS_EVENT);
    check_equal(event.type, SOURCE_EVENT_BOUND);
    check_status(event.error.status, HAUL_MISMATCH);
    check_text(journal_state(intent.journal.file)->peer, "t/1");
    finish();
}

static void test_source_calls_bind__owns_already__yielded(void)
{
    start();
    welcome("t/1", true);
    check_equal(next(), SOURCE_CALLS_EVENT);
    check_equal(event.type, SOURCE_EVENT_BOUND);
    check_equal(phase(), JOURNAL_PHASE_COMMITTED);
    finish();
}

enum { SWEEP_CALLS_MAX = 64 };

/* As long as the decision is not recorded, the journal shows that the target must be asked. */
static void test_source_calls_bind__owns_and_that_cannot_be_recorded__still_restored(void)
{
    unsigned failures = 0;
    for (unsigned call = 1; call < SWEEP_CALLS_MAX; call++) {
        start();
        welcome("t/1", false);
        check_equal(next(), SOURCE_CALLS_EVENT);
        check_status(job_journal_mark(intent.journal.file, JOURNAL_RESTORED, true, &error),
                     HAUL_OK);
        fake_disk_fail(&failing.disk, call, true);
        welcome("t/1", true);
        check_equal(next(), SOURCE_CALLS_EVENT);
        fake_disk_fail(&failing.disk, 0, false);
        const struct journal_state *state = journal_state(intent.journal.file);
        bool recorded = event.error.status == HAUL_OK || state->outcome == JOURNAL_COMMIT;
        check(recorded || journal_state_claim(state) == JOURNAL_IN_DOUBT);
        check(recorded || state->restored);
        failures += event.error.status != HAUL_OK;
        finish();
    }
    check(failures > 3 && failures < SWEEP_CALLS_MAX - 1);
}

/* A job moved x..y to t/1 before. */
static void give_before(void)
{
    static const uint8_t earlier[HAUL_JOB_BYTES] = {9};
    static const struct haul_hooks no_hooks;
    struct plan plan;
    const struct version_move moved = {.outcome = VERSION_RELEASED,
                                       .job = earlier,
                                       .peer = "t/1",
                                       .plan = &plan,
                                       .new_version = 1,
                                       .epoch = 1};
    make_plan(&plan, "x", "y");
    check_status(config_version_move(&failing.base, &no_hooks, &moved, &error), HAUL_OK);
    plan_fini(&plan);
}

/* Whoever does not know what it gave to the target before does not go on. */
static void test_source_calls_bind__nth_allocation_fails__told(void)
{
    unsigned at = 1;
    for (bool failed = true; failed && at < SWEEP_CALLS_MAX; at++) {
        start();
        give_before();
        failing_memory_fail(at);
        welcome("t/1", false);
        check_equal(next(), SOURCE_CALLS_EVENT);
        failed = failing_memory_failed();
        check_equal(event.error.status == HAUL_NO_MEMORY, failed);
        finish();
    }
    check(at > 3 && at < SWEEP_CALLS_MAX);
}

static void test_source_calls_bind__identity_with_a_nul__nobody_in_particular(void)
{
    haul_control_Welcome from = {.job_phase = JOB_UNKNOWN};
    start();
    from.target_identity.size = 4;
    memcpy(from.target_identity.bytes, "t\0/1", 4);
    source_calls_bind(&calls, &from);
    check_equal(next(), SOURCE_CALLS_EVENT);
    check_text(calls.bound.identity, "");
    finish();
}

static void test_source_calls_accepted__told__the_other_job_is_gone(void)
{
    start();
    welcome("t/1", false);
    check_equal(next(), SOURCE_CALLS_EVENT);
    check_equal(failing_store_file_count(".journal"), 2);
    source_calls_accepted(&calls);
    check_equal(next(), SOURCE_CALLS_TIDIED);
    check_equal(failing_store_file_count(".journal"), 1);
    check_equal(warnings, 0);
    finish();
}

/* --- the decision ----------------------------------------------------------------------------- */

static void test_source_calls_decide__frozen__decided_and_released_in_their_turn(void)
{
    start();
    welcome("t/1", false);
    check_equal(next(), SOURCE_CALLS_EVENT);
    source_calls_freeze(&calls);
    check_equal(next(), SOURCE_CALLS_EVENT);
    source_calls_decide(&calls, clock_now_ns(&clock_monotonic) + 1000000000);
    check_equal(next(), SOURCE_CALLS_EVENT);
    check_equal(event.type, SOURCE_EVENT_DECIDED);
    check_status(event.error.status, HAUL_OK);
    check_equal(phase(), JOURNAL_PHASE_COMMITTED);
    check_equal(intent.journal.moved.count, 3);
    check_equal(intent.journal.moved.bytes, 30);
    source_calls_released(&calls);
    check_equal(next(), SOURCE_CALLS_TIDIED);
    check_equal(phase(), JOURNAL_PHASE_RELEASED);
    finish();
}

static void test_source_calls_decide__another_change_hangs__busy_when_its_time_is_up(void)
{
    start();
    int fd = -1;
    welcome("t/1", false);
    check_equal(next(), SOURCE_CALLS_EVENT);
    source_calls_freeze(&calls);
    check_equal(next(), SOURCE_CALLS_EVENT);
    fd = fake_disk_open(&failing.disk, "/db/haul/ownership.lock", O_CREAT | O_RDWR, 0);
    check_equal(fake_disk_flock(&failing.disk, fd, LOCK_EX), 0);
    source_calls_decide(&calls, clock_now_ns(&clock_monotonic));
    check_equal(next(), SOURCE_CALLS_EVENT);
    check_equal(event.type, SOURCE_EVENT_DECIDED);
    check_status(event.error.status, HAUL_BUSY);
    check_equal(phase(), JOURNAL_PHASE_FROZEN);
    (void)fake_disk_close(&failing.disk, fd);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_calls_freeze__works__recorded_before_the_hook),
    CHECK_TEST(test_source_calls_freeze__cannot_be_recorded__told_and_no_hook_at_all),
    CHECK_TEST(test_source_calls_unfreeze__of_an_earlier_freeze__hook_once),
    CHECK_TEST(test_source_calls_unfreeze__cannot_be_recorded__a_warning),
    CHECK_TEST(test_source_calls_bind__welcomed__bound_and_told_of_the_other_job),
    CHECK_TEST(test_source_calls_bind__welcomed_again_meanwhile__the_last_one_counts),
    CHECK_TEST(test_source_calls_bind__owns_already__yielded),
    CHECK_TEST(test_source_calls_bind__owns_and_that_cannot_be_recorded__still_restored),
    CHECK_TEST(test_source_calls_bind__nth_allocation_fails__told),
    CHECK_TEST(test_source_calls_bind__identity_with_a_nul__nobody_in_particular),
    CHECK_TEST(test_source_calls_accepted__told__the_other_job_is_gone),
    CHECK_TEST(test_source_calls_decide__frozen__decided_and_released_in_their_turn),
    CHECK_TEST(test_source_calls_decide__another_change_hangs__busy_when_its_time_is_up),
};
CHECK_MAIN("source_calls", tests)
