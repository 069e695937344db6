/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_migration.c — a receiver as an embedder runs it, and sources that come as far as
 * their plan, over real sockets. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "control_channel.h"
#include "haul/migration.h"
#include "job_journal.h"
#include "journal.h"
#include "message.h"
#include "migration_wait.h"
#include "plan.h"
#include "rocks_fixture.h"

enum { PEER_TIMEOUT_MS = 5000, TURNS_MAX = 10000 };

static struct rocks_fixture source;
static struct rocks_fixture target;
static struct haul_migration *migration;
static struct control_channel *channel;
static struct message heard;
static struct haul_error error;
static struct haul_result ended; /* the last job's, as the hook has it */
static atomic_uint ended_count;
static uint64_t epoch; /* of the source's last attempt */

static void note_ended(void *context, const struct haul_result *result)
{
    (void)context;
    ended = *result;
    (void)atomic_fetch_add(&ended_count, 1);
}

static struct haul_target_options options_of(bool once)
{
    return (struct haul_target_options){.store = target.store,
                                        .listen = "127.0.0.1:0",
                                        .transports = {{HAUL_TRANSPORT_TCP}},
                                        .once = once,
                                        .hooks = {.job_ended = note_ended},
                                        .link = {.peer_timeout_ms = PEER_TIMEOUT_MS}};
}

static void open_databases(void)
{
    rocks_fixture_open(&source);
    rocks_fixture_open(&target);
    memset(&error, 0, sizeof(error));
    memset(&heard, 0, sizeof(heard));
    channel = NULL;
    atomic_store(&ended_count, 0);
    epoch = 0;
}

static void start_with(const struct haul_target_options *options)
{
    check_or_stop(haul_target_start(options, &migration, &error) == HAUL_OK);
}

static void start(bool once)
{
    open_databases();
    const struct haul_target_options options = options_of(once);
    start_with(&options);
}

static void finish(void)
{
    message_release(&heard);
    control_channel_destroy(channel);
    channel = NULL;
    haul_migration_destroy(migration);
    migration = NULL;
    rocks_fixture_close(&source);
    rocks_fixture_close(&target);
}

static void pause_briefly(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    (void)nanosleep(&pause, NULL);
}

/* The next event of the connection; false: none in time. */
static bool next(struct control_event *event)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        if (control_channel_poll(channel, event)) {
            return true;
        }
        pause_briefly();
    }
    return false;
}

static void hear(enum message_type type)
{
    struct control_event event;
    message_release(&heard);
    do {
        check_or_stop(next(&event) && event.type == CONTROL_MESSAGE);
    } while (event.message_type == MESSAGE_WORKING || event.message_type == MESSAGE_PROGRESS);
    check_or_stop(message_decode(event.message_type, event.body, &heard, &error) == HAUL_OK);
    check_text(message_name(heard.type), message_name(type));
}

/* Send and release it. */
static void say(struct message *message)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    check_or_stop(message_encode(message, &bytes, &size) == HAUL_OK);
    check_status(control_channel_send(channel, (uint16_t)message->type, bytes, size), HAUL_OK);
    free(bytes);
    message_release(message);
}

static void connect_to_it(void)
{
    const struct link_config config = {.clock = &clock_monotonic,
                                       .options = {.peer_timeout_ms = PEER_TIMEOUT_MS}};
    const struct link_ticket ticket = {.version_min = 0};
    struct link_address address;
    struct control_event event;
    check_or_stop(link_address_parse(haul_migration_address(migration), &address, &error) ==
                  HAUL_OK);
    check_or_stop(control_channel_connect(&address, &ticket, &config, &channel, &error) == HAUL_OK);
    control_channel_trust(channel);
    check_or_stop(next(&event) && event.type == CONTROL_CONNECTED);
}

static void come(void)
{
    struct message said;
    connect_to_it();
    message_init(&said, MESSAGE_HELLO);
    said.as.hello.wire_version = MESSAGE_WIRE_VERSION;
    said.as.hello.journal_version = JOURNAL_FORMAT_VERSION;
    said.as.hello.epoch = ++epoch;
    said.as.hello.resume = epoch > 1;
    said.as.hello.job.size = HAUL_JOB_BYTES;
    memset(said.as.hello.job.bytes, 1, HAUL_JOB_BYTES);
    said.as.hello.source_identity.size = 8;
    memcpy(said.as.hello.source_identity.bytes, "source/1", 8);
    say(&said);
    hear(MESSAGE_WELCOME);
}

static void plan_it(void)
{
    const struct haul_range range = {.start = text_slice("k"), .end = text_slice("l")};
    const struct haul_source_options asked = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    struct plan plan;
    struct message said;
    check_or_stop(plan_make(&plan, source.store, &asked, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    check_or_stop(plan_to_message(&plan, &said) == HAUL_OK);
    say(&said);
    plan_fini(&plan);
    hear(MESSAGE_PLAN_ACCEPTED);
}

/* Whether that happens in time. */
static bool comes_to(enum haul_phase phase)
{
    struct haul_progress progress = {.phase = HAUL_PHASE_ENDED};
    for (int i = 0; i < TURNS_MAX; i++) {
        haul_migration_progress(migration, &progress);
        if (progress.phase == phase) {
            return true;
        }
        pause_briefly();
    }
    return false;
}

static void test_target_migration__a_job_comes_and_goes__progress_says_so(void)
{
    start(false);
    check(comes_to(HAUL_PHASE_LISTENING));
    come();
    plan_it();
    check(comes_to(HAUL_PHASE_COPYING));
    control_channel_destroy(channel);
    channel = NULL;
    check(comes_to(HAUL_PHASE_LISTENING));
    finish();
}

static void test_target_migration__stopped_with_a_job__kept_and_source_is_told(void)
{
    struct haul_result result = {.status = HAUL_AGAIN};
    start(true);
    come();
    plan_it();
    haul_migration_stop(migration);
    hear(MESSAGE_STOP);
    check_status(migration_wait(migration, TURNS_MAX, &result), HAUL_STOPPED);
    check_status(result.status, HAUL_STOPPED);
    finish();
}

static void test_target_migration__cancelled_with_a_job__source_is_told(void)
{
    struct haul_result result = {.status = HAUL_AGAIN};
    start(true);
    come();
    plan_it();
    haul_migration_cancel(migration);
    hear(MESSAGE_ABORT);
    check_status(migration_wait(migration, TURNS_MAX, &result), HAUL_CANCELLED);
    check_equal(result.job[0], 1);
    finish();
}

/* --- callers that are no source --------------------------------------------------------------- */

static void count_refusals(void *context, enum haul_log_level level, const char *line)
{
    if (level == HAUL_LOG_WARNING && strstr(line, " refused: ") != NULL) {
        (void)atomic_fetch_add((atomic_uint *)context, 1);
    }
}

static void test_target_migration__caller_says_nothing_known__logged(void)
{
    atomic_uint refusals = 0;
    const struct haul_log log = {
        .write = count_refusals, .context = &refusals, .level_max = HAUL_LOG_WARNING};
    open_databases();
    struct haul_target_options options = options_of(false);
    options.log = &log;
    start_with(&options);
    connect_to_it();
    check_status(control_channel_send(channel, 9999, "x", 1), HAUL_OK);
    for (int i = 0; i < TURNS_MAX && atomic_load(&refusals) == 0; i++) {
        struct control_event event;
        (void)control_channel_poll(channel, &event);
        pause_briefly();
    }
    check_equal(atomic_load(&refusals), 1);
    check_equal(atomic_load(&ended_count), 0);
    finish();
}

/* --- a job's end ------------------------------------------------------------------------------ */

/* The source's process ends behind its plan, twice: only a job that is known, or has data links,
 * counts. */
static void leave(void)
{
    for (int i = 0; i < 2; i++) {
        come();
        plan_it();
        check(comes_to(HAUL_PHASE_COPYING));
        control_channel_destroy(channel);
        channel = NULL;
        check(i == 1 || comes_to(HAUL_PHASE_LISTENING));
    }
}

static bool has_journal(void)
{
    struct journal *journal = NULL;
    uint8_t job[HAUL_JOB_BYTES];
    struct haul_error ignored;
    memset(job, 1, sizeof(job));
    bool found = job_journal_look(target.store, JOURNAL_TARGET, job, &journal, &ignored) == HAUL_OK;
    if (found) {
        found = journal_state(journal)->phase != JOURNAL_PHASE_ABORTED;
        journal_close(journal);
    }
    return found;
}

static void test_target_migration__source_leaves__hook_has_the_result(void)
{
    start(false);
    leave();
    for (int i = 0; i < TURNS_MAX && atomic_load(&ended_count) == 0; i++) {
        pause_briefly();
    }
    check_equal(atomic_load(&ended_count), 1);
    check(ended.status != HAUL_OK);
    check_equal(ended.job[0], 1);
    check(comes_to(HAUL_PHASE_LISTENING));
    finish();
}

static void test_target_migration__stopped_or_cancelled_without_a_job__says_so(void)
{
    static const struct {
        void (*request)(struct haul_migration *);
        enum haul_status status;
        const char *text;
    } cases[] = {{haul_migration_stop, HAUL_STOPPED, "stopped while listening"},
                 {haul_migration_cancel, HAUL_CANCELLED, "cancelled while listening"}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct haul_result result = {.status = HAUL_OK};
        start(false);
        cases[i].request(migration);
        check_status(migration_wait(migration, TURNS_MAX, &result), cases[i].status);
        check_text(result.error.text, cases[i].text);
        finish();
    }
}

static void cancel_behind_the_job(void *context, enum haul_log_level level, const char *line)
{
    (void)level;
    if (atomic_load((atomic_bool *)context) && strncmp(line, "job ended", 9) == 0) {
        haul_migration_cancel(migration);
    }
}

/* A request that comes when it is over already changes nothing. */
static void test_target_migration__requested_as_the_job_ends__result_is_the_jobs(void)
{
    atomic_bool is_last = false;
    const struct haul_log log = {
        .write = cancel_behind_the_job, .context = &is_last, .level_max = HAUL_LOG_WARNING};
    struct haul_result result = {.status = HAUL_OK};
    struct message said;
    open_databases();
    struct haul_target_options options = options_of(true);
    options.log = &log;
    start_with(&options);
    leave(); /* so that it counts */
    check(comes_to(HAUL_PHASE_LISTENING));
    come();
    plan_it();
    atomic_store(&is_last, true);
    message_init(&said, MESSAGE_ABORT);
    said.as.abort.status = HAUL_MISMATCH;
    say(&said);
    check(migration_wait(migration, TURNS_MAX, &result) != HAUL_OK);
    check(strstr(result.error.text, "listening") == NULL);
    check_equal(result.job[0], 1);
    finish();
}

/* --- once: waiting for the source ------------------------------------------------------------- */

static void wait_for_source(uint32_t resume_wait_ms)
{
    open_databases();
    struct haul_target_options options = options_of(true);
    options.resume_wait_ms = resume_wait_ms;
    start_with(&options);
    leave();
}

static void test_target_migration__source_stays_away__ends_with_the_jobs_result(void)
{
    enum { WAIT_MS = 50 };
    struct haul_result result = {.status = HAUL_OK};
    wait_for_source(WAIT_MS);
    enum haul_status status = migration_wait(migration, TURNS_MAX, &result);
    check(status != HAUL_OK && status != HAUL_AGAIN && status != HAUL_STOPPED);
    check_equal(result.job[0], 1);
    check_equal(atomic_load(&ended_count), 0); /* the result is the migration's */
    check(has_journal());
    finish();
}

static void test_target_migration__requested_while_waiting__kept_or_removed(void)
{
    static const struct {
        void (*request)(struct haul_migration *);
        enum haul_status status;
        const char *text;
    } cases[] = {{haul_migration_stop, HAUL_STOPPED, "what it has sent is kept"},
                 {haul_migration_cancel, HAUL_CANCELLED, "what it had sent is removed"}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct haul_result result = {.status = HAUL_OK};
        wait_for_source(TURNS_MAX);
        check(comes_to(HAUL_PHASE_LISTENING));
        cases[i].request(migration);
        check_status(migration_wait(migration, TURNS_MAX, &result), cases[i].status);
        check(strstr(result.error.text, cases[i].text) != NULL);
        check_equal(has_journal(), cases[i].status == HAUL_STOPPED);
        finish();
    }
}

static enum haul_status refuse_clear(struct haul_store *store, uint32_t family_id,
                                     struct haul_slice start_key, struct haul_slice end_key,
                                     const struct haul_steps *steps, struct haul_error *failed)
{
    (void)store;
    (void)family_id;
    (void)start_key;
    (void)end_key;
    (void)steps;
    return haul_error_set(failed, HAUL_IO, NULL, 0, "no disk");
}

/* The result says why what it has sent is still there. */
static void test_target_migration__cannot_be_removed_while_waiting__ends_with_that_error(void)
{
    struct haul_result result = {.status = HAUL_OK};
    wait_for_source(10 * TURNS_MAX);
    check(comes_to(HAUL_PHASE_LISTENING));
    const struct haul_store_ops *ops = target.store->ops;
    struct haul_store_ops failing_ops = *ops;
    failing_ops.range_clear = refuse_clear;
    target.store->ops = &failing_ops;
    haul_migration_cancel(migration);
    check_status(migration_wait(migration, TURNS_MAX, &result), HAUL_IO);
    check_text(result.error.text, "no disk");
    target.store->ops = ops;
    finish();
}

/* A return within the time ends the wait. */
static void test_target_migration__source_returns__job_goes_on(void)
{
    struct haul_result result = {.status = HAUL_OK};
    wait_for_source(TURNS_MAX);
    check(comes_to(HAUL_PHASE_LISTENING));
    come();
    plan_it();
    check(comes_to(HAUL_PHASE_COPYING));
    haul_migration_stop(migration);
    hear(MESSAGE_STOP);
    check_status(migration_wait(migration, TURNS_MAX, &result), HAUL_STOPPED);
    check_equal(result.job[0], 1);
    finish();
}

/* --- options ---------------------------------------------------------------------------------- */

static void test_haul_target_start__no_options__defaults_are_offered(void)
{
    open_databases();
    struct haul_target_options options = options_of(false);
    options.link.peer_timeout_ms = 0;
    start_with(&options);
    come();
    check_equal(heard.as.welcome.slot_count, HAUL_SLOT_COUNT_DEFAULT);
    check_equal(heard.as.welcome.slot_size_bytes, HAUL_SLOT_SIZE_BYTES_DEFAULT);
    check_equal(heard.as.welcome.peer_timeout_ms, HAUL_PEER_TIMEOUT_MS_DEFAULT);
    finish();
}

static void test_haul_target_start__given_options__offered(void)
{
    open_databases();
    struct haul_target_options options = options_of(false);
    options.link.slot_count = 16;
    options.link.slot_size_bytes = 2 * HAUL_SLOT_SIZE_BYTES_DEFAULT;
    start_with(&options);
    come();
    check_equal(heard.as.welcome.slot_count, 16);
    check_equal(heard.as.welcome.slot_size_bytes, 2 * HAUL_SLOT_SIZE_BYTES_DEFAULT);
    check_equal(heard.as.welcome.peer_timeout_ms, PEER_TIMEOUT_MS);
    finish();
}

static void check_start(const struct haul_target_options *options, enum haul_status expected)
{
    migration = NULL;
    memset(&error, 0, sizeof(error));
    check_status(haul_target_start(options, &migration, &error), expected);
    check((migration != NULL) == (expected == HAUL_OK));
    if (migration != NULL) {
        haul_migration_destroy(migration);
        migration = NULL;
    }
}

static void test_haul_target_start__options__at_their_limits(void)
{
    static const uint8_t secret[HAUL_SECRET_BYTES_MAX + 1] = {1};
    open_databases();
    struct haul_target_options options = options_of(false);
    options.applier_count = HAUL_APPLIER_COUNT_MAX;
    options.secret = slice_of(secret, HAUL_SECRET_BYTES_MAX);
    check_start(&options, HAUL_OK);
    options.applier_count++;
    check_start(&options, HAUL_INVALID);
    options.applier_count = 1;
    options.secret = slice_of(secret, HAUL_SECRET_BYTES_MAX + 1);
    check_start(&options, HAUL_INVALID);
    options.secret = slice_of(NULL, 0);
    options.listen = "nonsense";
    check_start(&options, HAUL_INVALID);
    check(strstr(error.hint, "for example 10.0.0.7:7447") != NULL);
    rocks_fixture_close(&source);
    rocks_fixture_close(&target);
}

static void test_haul_target_start__instance_is_unreadable__its_error(void)
{
    char path[600];
    open_databases();
    const struct haul_target_options options = options_of(false);
    (void)snprintf(path, sizeof(path), "%s/haul", target.path);
    check_or_stop(symlink("/nowhere", path) == 0);
    migration = NULL;
    check(haul_target_start(&options, &migration, &error) != HAUL_OK);
    check(migration == NULL);
    check_or_stop(unlink(path) == 0);
    check_start(&options, HAUL_OK);
    rocks_fixture_close(&source);
    rocks_fixture_close(&target);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_migration__a_job_comes_and_goes__progress_says_so),
    CHECK_TEST(test_target_migration__stopped_with_a_job__kept_and_source_is_told),
    CHECK_TEST(test_target_migration__cancelled_with_a_job__source_is_told),
    CHECK_TEST(test_target_migration__caller_says_nothing_known__logged),
    CHECK_TEST(test_target_migration__source_leaves__hook_has_the_result),
    CHECK_TEST(test_target_migration__stopped_or_cancelled_without_a_job__says_so),
    CHECK_TEST(test_target_migration__source_stays_away__ends_with_the_jobs_result),
    CHECK_TEST(test_target_migration__requested_while_waiting__kept_or_removed),
    CHECK_TEST(test_target_migration__cannot_be_removed_while_waiting__ends_with_that_error),
    CHECK_TEST(test_target_migration__requested_as_the_job_ends__result_is_the_jobs),
    CHECK_TEST(test_target_migration__source_returns__job_goes_on),
    CHECK_TEST(test_haul_target_start__no_options__defaults_are_offered),
    CHECK_TEST(test_haul_target_start__given_options__offered),
    CHECK_TEST(test_haul_target_start__options__at_their_limits),
    CHECK_TEST(test_haul_target_start__instance_is_unreadable__its_error),
};
CHECK_MAIN("target_migration", tests)
