/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_stall.c — the target's machine with a source that is connected and does nothing. */
#include "check.h"
#include "stall_watch.h"
#include "target_session.h"
#include "target_session_fixture.h"

static const uint64_t limit_ns = STALL_PEER_TIMEOUTS * PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS;

static void tick(uint64_t activity)
{
    struct target_event event = {.type = TARGET_EVENT_TICK, .activity = activity};
    target_session_event(session, &event, now_ns);
}

static void feed_working(uint64_t done)
{
    struct message message;
    message_init(&message, MESSAGE_WORKING);
    message.as.working.done = done;
    feed_message(&message);
}

static void test_target_session__source_sends_nothing__stops_and_keeps(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    check_equal(target_session_deadline_ns(session), start_ns + limit_ns);
    now_ns += limit_ns - 1;
    tick(0);
    check_equal(state(), TARGET_RECEIVING);
    now_ns += 1;
    tick(0);
    (void)take_message(MESSAGE_STOP);
    (void)take(TARGET_ACTION_KEEP);
    check_equal(state(), TARGET_KEEPING);
    feed(TARGET_EVENT_KEPT, HAUL_OK);
    take_end();
    check_status(outcome()->status, HAUL_TIMEOUT);
    check(target_session_is_resumable(session));
    finish();
}

/* Everything that came is applied: only the source can make progress, and would report it. */
static void test_target_session__idle__stops_sooner(void)
{
    struct target_event idle = {.type = TARGET_EVENT_TICK, .idle = true};
    uint64_t idle_ns = limit_ns / STALL_PEER_TIMEOUTS * STALL_IDLE_PEER_TIMEOUTS;
    start();
    walk_to(TARGET_RECEIVING);
    target_session_event(session, &idle, now_ns);
    check_equal(target_session_deadline_ns(session), start_ns + idle_ns);
    now_ns += idle_ns - 1;
    target_session_event(session, &idle, now_ns);
    check_equal(state(), TARGET_RECEIVING);
    feed_working(1);
    now_ns += idle_ns - 1;
    target_session_event(session, &idle, now_ns);
    check_equal(state(), TARGET_RECEIVING);
    now_ns += 1;
    target_session_event(session, &idle, now_ns);
    check_equal(state(), TARGET_KEEPING);
    finish();
}

static void test_target_session__something_is_applied__deadline_moves(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    now_ns += limit_ns - 1;
    tick(1);
    now_ns += limit_ns - 1;
    tick(1);
    check_equal(state(), TARGET_RECEIVING);
    now_ns += 1;
    tick(1);
    check_equal(state(), TARGET_KEEPING);
    finish();
}

static void test_target_session__source_says_that_it_works__deadline_moves(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    now_ns += limit_ns - 1;
    feed_working(7);
    now_ns += limit_ns - 1;
    feed_working(7); /* has done nothing more */
    tick(0);
    check_equal(state(), TARGET_RECEIVING);
    now_ns += 1;
    tick(0);
    check_equal(state(), TARGET_KEEPING);
    finish();
}

/* The source may have decided: the range stays in doubt, but the receiver is free for others. */
static void test_target_session__prepared_and_no_decision__in_doubt(void)
{
    start();
    walk_to(TARGET_PREPARED);
    now_ns += limit_ns;
    tick(0);
    (void)take_message(MESSAGE_STOP);
    check_in_doubt();
    check(target_session_is_resumable(session));
    finish();
}

/* A hanging database: what was recorded stays, and the receiver is free. The source no longer has a
 * say. */
static void test_target_session__nothing_is_kept__ends_with_what_was_recorded(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    now_ns += limit_ns;
    tick(1);
    now_ns += limit_ns;
    tick(1);
    (void)take_message(MESSAGE_STOP);
    (void)take(TARGET_ACTION_KEEP);
    check_equal(target_session_deadline_ns(session), now_ns + limit_ns);
    now_ns += limit_ns - 1;
    tick(2); /* a table was written */
    now_ns += limit_ns - 1;
    feed_working(9);
    tick(2);
    check_equal(state(), TARGET_KEEPING);
    now_ns += 1;
    tick(2);
    take_end();
    check(strstr(outcome()->hint, "has written nothing for") != NULL);
    check(target_session_is_resumable(session));
    feed(TARGET_EVENT_KEPT, HAUL_OK); /* too late: nothing happens */
    finish();
}

static void test_target_session__check_takes_long__source_is_told(void)
{
    start();
    walk_to(TARGET_CHECKING);
    now_ns += PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS;
    tick(0);
    take_nothing(); /* nothing was done */
    tick(1);
    if (take_message(MESSAGE_WORKING)) {
        check_equal(action.message.as.working.done, 1);
    }
    now_ns += 10 * limit_ns;
    tick(1); /* the call ends it, not a deadline here */
    take_nothing();
    check_equal(state(), TARGET_CHECKING);
    finish();
}

static void test_target_session__working_before_the_plan__out_of_place(void)
{
    start();
    walk_to(TARGET_GREETED);
    feed_working(1);
    check_refused(HAUL_PROTOCOL);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_session__source_sends_nothing__stops_and_keeps),
    CHECK_TEST(test_target_session__idle__stops_sooner),
    CHECK_TEST(test_target_session__something_is_applied__deadline_moves),
    CHECK_TEST(test_target_session__source_says_that_it_works__deadline_moves),
    CHECK_TEST(test_target_session__prepared_and_no_decision__in_doubt),
    CHECK_TEST(test_target_session__nothing_is_kept__ends_with_what_was_recorded),
    CHECK_TEST(test_target_session__check_takes_long__source_is_told),
    CHECK_TEST(test_target_session__working_before_the_plan__out_of_place),
};

CHECK_MAIN("target_stall", tests)
