/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_stall.c — the source's machine with a target that is connected and does nothing. */
#include "check.h"
#include "source_session.h"
#include "source_session_fixture.h"
#include "stall_watch.h"

static const uint64_t limit_ns = STALL_PEER_TIMEOUTS * PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS;

static void tick(uint64_t activity, uint64_t now_ns)
{
    struct source_event event = {.type = SOURCE_EVENT_TICK, .activity = activity};
    source_session_event(session, &event, now_ns);
}

static void feed_working(uint64_t done, uint64_t now_ns)
{
    struct message message;
    message_init(&message, MESSAGE_WORKING);
    message.as.working.done = done;
    feed_message(&message, now_ns);
}

/* Up to a state that has begun at 1 ns. */
static void open_in(enum source_state state)
{
    open_session();
    propose(false, 1);
    if (state > SOURCE_PLANNING) {
        feed_accepted(1);
        check(does(SOURCE_ACTION_OPEN_LINKS));
    }
    if (state > SOURCE_LINKING) {
        feed_type(SOURCE_EVENT_LINKS_UP, HAUL_OK, 1);
        check(does(SOURCE_ACTION_START_COPY));
    }
    if (state > SOURCE_COPYING) {
        feed_type(SOURCE_EVENT_COPIED, HAUL_OK, 1);
        feed_progress(0, 1);
        check(does(SOURCE_ACTION_ROUND));
    }
    check_equal(source_session_state(session), state);
}

static void test_source_session__nothing_moves__comes_back_at_the_deadline(void)
{
    static const enum source_state states[] = {SOURCE_PLANNING, SOURCE_LINKING, SOURCE_COPYING,
                                               SOURCE_CATCHING_UP};
    for (size_t i = 0; i < CHECK_COUNT(states); i++) {
        open_in(states[i]);
        check(source_session_deadline_ns(session) <= 1 + limit_ns);
        tick(0, limit_ns);
        check_equal(source_session_state(session), states[i]);
        tick(0, 1 + limit_ns);
        check_equal(source_session_state(session), SOURCE_RETRYING);
        check_status(source_session_loss(session)->status, HAUL_TIMEOUT);
        check(strstr(source_session_loss(session)->hint, "look at the target's log and disk") !=
              NULL);
        source_session_destroy(session);
    }
}

/* Its own disk hangs, or a hook: the job is kept, and the target informed. */
static void test_source_session__records_are_not_written__ends_and_keeps(void)
{
    bool resume = false;
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome(1);
    check(does(SOURCE_ACTION_BIND));
    check_equal(source_session_deadline_ns(session), 1 + limit_ns);
    tick(0, limit_ns);
    check_equal(source_session_state(session), SOURCE_BINDING);
    tick(0, 1 + limit_ns);
    check(sends(MESSAGE_STOP, &resume));
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_TIMEOUT);
    check(strstr(source_session_outcome(session)->hint, "embedder's hooks") != NULL);
    struct source_session_figures figures;
    source_session_figures(session, &figures);
    check(figures.kept);
    source_session_destroy(session);
}

/* The path is up: a stall must not count as a connection that held, which would reset the
 * retries. */
static void test_source_session__nothing_moves_after_the_return__ends_and_keeps(void)
{
    bool resume = false;
    open_in(SOURCE_COPYING);
    tick(0, 1 + limit_ns);
    check(does(SOURCE_ACTION_DISCONNECT));
    uint64_t now_ns = source_session_deadline_ns(session);
    tick(0, now_ns);
    check(does(SOURCE_ACTION_CONNECT));
    propose(true, now_ns);
    feed_accepted(now_ns);
    check(does(SOURCE_ACTION_OPEN_LINKS));
    feed_type(SOURCE_EVENT_LINKS_UP, HAUL_OK, now_ns);
    check(does(SOURCE_ACTION_START_COPY));
    tick(0, now_ns + limit_ns);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_TIMEOUT);
    check(sends(MESSAGE_STOP, &resume)); /* Abort would discard what has arrived */
    source_session_destroy(session);
}

static void test_source_session__blocks_go_out__deadline_moves(void)
{
    open_in(SOURCE_COPYING);
    tick(1, limit_ns);
    tick(1, 2 * limit_ns - 1);
    check_equal(source_session_state(session), SOURCE_COPYING);
    tick(1, 2 * limit_ns);
    check_equal(source_session_state(session), SOURCE_RETRYING);
    source_session_destroy(session);
}

static void test_source_session__target_applies__deadline_moves(void)
{
    open_in(SOURCE_COPYING);
    feed_progress(3, limit_ns);
    tick(0, 2 * limit_ns - 1);
    check_equal(source_session_state(session), SOURCE_COPYING);
    feed_progress(3, 2 * limit_ns - 1); /* nothing new */
    tick(0, 2 * limit_ns);
    check_equal(source_session_state(session), SOURCE_RETRYING);
    source_session_destroy(session);
}

static void test_source_session__target_clears_for_long__waits_while_it_works(void)
{
    open_in(SOURCE_PLANNING);
    feed_working(1, limit_ns);
    feed_working(2, 2 * limit_ns - 1);
    tick(0, 3 * limit_ns - 2);
    check_equal(source_session_state(session), SOURCE_PLANNING);
    feed_working(2, 3 * limit_ns - 2); /* reports so, but has not */
    tick(0, 3 * limit_ns - 1);
    check_equal(source_session_state(session), SOURCE_RETRYING);
    source_session_destroy(session);
}

/* It clears the superseded jobs first. */
static void test_source_session__target_works_before_welcome__waits_for_it(void)
{
    uint64_t timeout_ns = PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS;
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 0);
    bool resume = false;
    check(sends(MESSAGE_HELLO, &resume));
    feed_working(1, timeout_ns - 1);
    tick(0, 2 * timeout_ns - 2);
    check_equal(source_session_state(session), SOURCE_GREETING);
    feed_working(1, 2 * timeout_ns - 2); /* has done nothing more */
    tick(0, 2 * timeout_ns - 1);
    check(source_session_state(session) != SOURCE_GREETING);
    source_session_destroy(session);
}

static void test_source_session__readers_work__target_is_told(void)
{
    uint64_t now_ns = 2 * (uint64_t)NS_PER_S;
    open_in(SOURCE_COPYING);
    tick(1, now_ns);
    check(source_session_action(session, &action));
    check_equal(action.message.type, MESSAGE_WORKING);
    tick(1, 2 * now_ns);
    check(!source_session_action(session, &action)); /* nothing was done since */
    source_session_destroy(session);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_session__records_are_not_written__ends_and_keeps),
    CHECK_TEST(test_source_session__nothing_moves__comes_back_at_the_deadline),
    CHECK_TEST(test_source_session__nothing_moves_after_the_return__ends_and_keeps),
    CHECK_TEST(test_source_session__blocks_go_out__deadline_moves),
    CHECK_TEST(test_source_session__target_applies__deadline_moves),
    CHECK_TEST(test_source_session__target_clears_for_long__waits_while_it_works),
    CHECK_TEST(test_source_session__target_works_before_welcome__waits_for_it),
    CHECK_TEST(test_source_session__readers_work__target_is_told),
};

CHECK_MAIN("source_stall", tests)
