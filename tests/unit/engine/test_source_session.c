/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_session.c — the source's machine: when the path is lost early, and its rounds. */
#include "source_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clock.h"

enum { PEER_TIMEOUT_MS = 1000, RETRY_MAX_MS = 5000, LAG_BYTES_MAX = 1 << 20 };

static struct plan plan;
static struct plan_family family;
static struct key_range range;
static struct plan_stream stream;
static struct source_session *session;
static struct source_action action;

/* A job of one family, everything in it. */
static void open_session_of(bool decided)
{
    static const struct plan_family only = {
        .family = {.name = "default", .comparator = "leveldb.BytewiseComparator"}};
    family = only;
    memset(&range, 0, sizeof(range));
    memset(&stream, 0, sizeof(stream));
    plan = (struct plan){.family_count = 1,
                         .families = &family,
                         .range_count = 1,
                         .ranges = &range,
                         .stream_count = 1,
                         .streams = &stream,
                         .new_version = 1};
    struct source_session_options options = {.plan = &plan,
                                             .epoch = 1,
                                             .identity = "test",
                                             .source.lag_bytes_max = LAG_BYTES_MAX,
                                             .peer_timeout_ms = PEER_TIMEOUT_MS,
                                             .retry_max_ms = RETRY_MAX_MS,
                                             .decided = decided};
    memset(options.job, 7, sizeof(options.job));
    check_or_stop(source_session_create(&options, &session) == HAUL_OK);
}

static void open_session(void)
{
    open_session_of(false);
}

static void feed_type(enum source_event_type type, enum haul_status status, uint64_t now_ns)
{
    struct source_event event = {.type = type};
    if (status != HAUL_OK) {
        (void)haul_error_set(&event.error, status, NULL, 0, "test");
    }
    source_session_event(session, &event, now_ns);
}

static void feed_message(struct message *message, uint64_t now_ns)
{
    struct source_event event = {.type = SOURCE_EVENT_MESSAGE, .message = message};
    source_session_event(session, &event, now_ns);
    message_release(message);
}

static void feed_welcome_of(enum job_phase phase, uint64_t now_ns)
{
    struct message message;
    message_init(&message, MESSAGE_WELCOME);
    message.as.welcome.wire_version = MESSAGE_WIRE_VERSION;
    message.as.welcome.session.size = MESSAGE_SESSION_BYTES;
    message.as.welcome.token.size = MESSAGE_TOKEN_BYTES;
    message.as.welcome.job_phase = (uint32_t)phase;
    feed_message(&message, now_ns);
}

static void feed_welcome(uint64_t now_ns)
{
    feed_welcome_of(JOB_UNKNOWN, now_ns);
}

static void feed_refused(enum haul_status status, uint64_t now_ns)
{
    struct message message;
    message_init(&message, MESSAGE_REFUSED);
    message.as.refused.status = (uint32_t)status;
    feed_message(&message, now_ns);
}

/* The next action is that message; `resume` of a Hello. */
static bool sends(enum message_type type, bool *resume)
{
    bool found = source_session_action(session, &action) && action.type == SOURCE_ACTION_SEND &&
                 action.message.type == type;
    if (found) {
        *resume = type == MESSAGE_HELLO && action.message.as.hello.resume;
        message_release(&action.message);
    }
    return found;
}

static bool does(enum source_action_type type)
{
    return source_session_action(session, &action) && action.type == type;
}

/* Up to the plan, which is out. */
static void propose(bool expect_resume, uint64_t now_ns)
{
    bool resume = false;
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, now_ns);
    check(sends(MESSAGE_HELLO, &resume));
    check_equal(resume, expect_resume);
    feed_welcome(now_ns);
    check(sends(MESSAGE_PLAN, &resume));
}

/* The path is lost; the session comes back. */
static void lose_path_and_return(uint64_t now_ns)
{
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_CLOSED, now_ns);
    check(does(SOURCE_ACTION_DISCONNECT));
    check_equal(source_session_state(session), SOURCE_RETRYING);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, source_session_deadline_ns(session));
    check(does(SOURCE_ACTION_CONNECT));
}

static void test_source_session__path_lost_before_welcome__ends_temporary(void)
{
    bool resume = false;
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_CLOSED, 2);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_CLOSED);
    source_session_destroy(session);
}

/* The target may have recorded the job, and would then refuse every other one. */
static void test_source_session__path_lost_before_plan_accepted__comes_back_with_the_job(void)
{
    open_session();
    propose(false, 1);
    lose_path_and_return(2);
    propose(true, 3 * (uint64_t)NS_PER_MS);
    source_session_destroy(session);
}

/* It has not noticed yet that we were gone. */
static void test_source_session__busy_after_the_return__tries_again(void)
{
    open_session();
    propose(false, 1);
    lose_path_and_return(2);
    propose(true, 3);
    feed_refused(HAUL_BUSY, 4);
    check_equal(source_session_state(session), SOURCE_RETRYING);
    source_session_destroy(session);
}

/* It refused to go on with what it has, and so may have it still. */
static void
test_source_session__cancelled_and_refused_after_the_return__is_not_believed_to_know(void)
{
    struct source_session_figures figures;
    struct source_event cancel = {.type = SOURCE_EVENT_CANCEL};
    haul_error_set(&cancel.error, HAUL_CANCELLED, NULL, 0, "cancelled");
    open_session();
    propose(false, 1);
    lose_path_and_return(2);
    propose(true, 3);
    source_session_event(session, &cancel, 4);
    check_equal(source_session_state(session), SOURCE_ABORTING);
    feed_refused(HAUL_STORE, 5);
    source_session_figures(session, &figures);
    check(!figures.peer_knows);
    check_equal(source_session_state(session), SOURCE_ENDED);
    source_session_destroy(session);
}

/* Its journal may say that the job goes on: ours has to stay, for the next one to supersede it. */
static void test_source_session__targets_disk_fails__is_not_believed_to_know(void)
{
    static const struct {
        enum haul_status status;
        bool knows;
    } cases[] = {{HAUL_IO, false},       {HAUL_NO_SPACE, false}, {HAUL_STORE, false},
                 {HAUL_NOT_EMPTY, true}, {HAUL_CANCELLED, true}, {HAUL_BUSY, true}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct source_session_figures figures;
        open_session();
        propose(false, 1);
        feed_refused(cases[i].status, 2);
        source_session_figures(session, &figures);
        check_equal(figures.peer_knows, cases[i].knows);
        source_session_destroy(session);
    }
}

static void test_source_session__busy_at_first__ends(void)
{
    open_session();
    propose(false, 1);
    feed_refused(HAUL_BUSY, 2);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_BUSY);
    source_session_destroy(session);
}

static void feed_accepted(uint64_t now_ns)
{
    struct message message;
    message_init(&message, MESSAGE_PLAN_ACCEPTED);
    message.as.plan_accepted.family_ids_count = 1;
    message.as.plan_accepted.family_ids = calloc(1, sizeof(uint32_t));
    check_or_stop(message.as.plan_accepted.family_ids != NULL);
    feed_message(&message, now_ns);
}

static void feed_progress(uint64_t delta_applied_batches, uint64_t now_ns)
{
    struct message message;
    message_init(&message, MESSAGE_PROGRESS);
    message.as.progress.snapshot_complete = true;
    message.as.progress.delta_applied_batches = delta_applied_batches;
    feed_message(&message, now_ns);
}

static void feed_round_done(uint64_t bytes, uint64_t batches, uint64_t now_ns)
{
    struct source_event event = {
        .type = SOURCE_EVENT_ROUND_DONE, .bytes = bytes, .sequence = batches, .batches = batches};
    source_session_event(session, &event, now_ns);
}

/* Up to the first round, which is asked for. */
static void copy_everything(void)
{
    propose(false, 1);
    feed_accepted(1);
    check(does(SOURCE_ACTION_OPEN_LINKS));
    feed_type(SOURCE_EVENT_LINKS_UP, HAUL_OK, 1);
    check(does(SOURCE_ACTION_START_COPY));
    feed_type(SOURCE_EVENT_COPIED, HAUL_OK, 1);
    feed_progress(0, 1);
    check(does(SOURCE_ACTION_ROUND));
}

/* No Progress comes any more that could ask for the next round. */
static void test_source_session__all_applied_before_the_round_ends__goes_on(void)
{
    open_session();
    copy_everything();
    feed_progress(9, 2);
    feed_round_done(LAG_BYTES_MAX / 2, 9, 3);
    check_equal(source_session_state(session), SOURCE_CATCHING_UP);
    check(does(SOURCE_ACTION_ROUND));
    source_session_destroy(session);
}

static void test_source_session__round_done_target_behind__waits_for_progress(void)
{
    open_session();
    copy_everything();
    feed_round_done(LAG_BYTES_MAX / 2, 9, 2);
    check(!source_session_action(session, &action));
    feed_progress(9, 3);
    check(does(SOURCE_ACTION_ROUND));
    source_session_destroy(session);
}

/* The target closes its links behind Committed; nobody says which of the two is read first. */
static void test_source_session__links_end_before_committed_is_read__no_loss_of_path(void)
{
    bool resume = false;
    open_session_of(true);
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome_of(JOB_PREPARED, 1);
    check(sends(MESSAGE_COMMIT, &resume));
    feed_type(SOURCE_EVENT_LINKS_DOWN, HAUL_CLOSED, 2);
    check_equal(source_session_state(session), SOURCE_COMMITTING);
    struct message message;
    message_init(&message, MESSAGE_COMMITTED);
    feed_message(&message, 3);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_OK);
    source_session_destroy(session);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_session__path_lost_before_welcome__ends_temporary),
    CHECK_TEST(test_source_session__path_lost_before_plan_accepted__comes_back_with_the_job),
    CHECK_TEST(test_source_session__busy_after_the_return__tries_again),
    CHECK_TEST(
        test_source_session__cancelled_and_refused_after_the_return__is_not_believed_to_know),
    CHECK_TEST(test_source_session__targets_disk_fails__is_not_believed_to_know),
    CHECK_TEST(test_source_session__busy_at_first__ends),
    CHECK_TEST(test_source_session__all_applied_before_the_round_ends__goes_on),
    CHECK_TEST(test_source_session__round_done_target_behind__waits_for_progress),
    CHECK_TEST(test_source_session__links_end_before_committed_is_read__no_loss_of_path),
};

CHECK_MAIN("source_session", tests)
