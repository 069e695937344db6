/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_session_end.c — how the target's state machine ends early, in every state: abort,
 * lost channel, cancel, failure, a peer that sends nonsense or falls silent. */
#include "target_session.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "target_session_fixture.h"

/* --- every state ------------------------------------------------------------------------------ */

static void test_target_session_event__abort_with_nothing_begun__aborted_without_clear(void)
{
    static const enum target_state states[] = {TARGET_WAITING, TARGET_GREETED};
    for (size_t i = 0; i < CHECK_COUNT(states); i++) {
        start();
        walk_to(states[i]);
        feed_abort(HAUL_NO_SPACE);
        if (take_message(MESSAGE_ABORTED)) {
            check(action.message.as.aborted.cleared);
        }
        take_end();
        check_status(outcome()->status, HAUL_NO_SPACE);
        finish();
    }
}

static void test_target_session_event__abort_once_begun__cleared_then_aborted(void)
{
    for (int at = TARGET_CHECKING; at <= TARGET_PREPARED; at++) {
        start();
        walk_to((enum target_state)at);
        feed_abort(HAUL_NO_SPACE);
        take_clear();
        feed(TARGET_EVENT_CLEARED, HAUL_OK);
        if (take_message(MESSAGE_ABORTED)) {
            check(action.message.as.aborted.cleared);
        }
        (void)take(TARGET_ACTION_END);
        take_nothing();
        check_status(outcome()->status, HAUL_NO_SPACE);
        check(strstr(outcome()->text, "enough") != NULL);
        finish();
    }
}

static void test_target_session_event__abort_of_unknown_status__cancelled(void)
{
    static const enum haul_status statuses[] = {HAUL_OK, (enum haul_status)HAUL_STATUS_COUNT};
    for (size_t i = 0; i < CHECK_COUNT(statuses); i++) {
        start();
        feed_abort(statuses[i]);
        check_status(outcome()->status, HAUL_CANCELLED);
        finish();
    }
}

/* Our own failure comes first: the source, informed of it, may still answer with an Abort. */
static void test_target_session_event__abort_while_clearing__one_clear_and_aborted(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    feed(TARGET_EVENT_FAILED, HAUL_MISMATCH);
    (void)take_message(MESSAGE_ABORT);
    take_clear();
    feed_abort(HAUL_CANCELLED);
    take_nothing();
    feed(TARGET_EVENT_CLEARED, HAUL_OK);
    (void)take_message(MESSAGE_ABORTED);
    (void)take(TARGET_ACTION_END);
    check_status(outcome()->status, HAUL_MISMATCH);
    finish();
}

/* The source has decided and sent so: only the result of our own records counts now. */
static void test_target_session_event__anything_while_owning__owned(void)
{
    static const enum target_event_type types[] = {TARGET_EVENT_CHANNEL_DOWN, TARGET_EVENT_CANCEL,
                                                   TARGET_EVENT_FAILED};
    for (size_t i = 0; i < CHECK_COUNT(types); i++) {
        start();
        walk_to(TARGET_OWNING);
        feed_abort(HAUL_CANCELLED);
        take_nothing();
        feed(types[i], HAUL_CANCELLED);
        take_nothing();
        feed(TARGET_EVENT_OWNED, HAUL_OK);
        if (types[i] != TARGET_EVENT_CHANNEL_DOWN) {
            (void)take_message(MESSAGE_COMMITTED);
        }
        take_end();
        check_status(outcome()->status, HAUL_OK);
        finish();
    }
}

static void test_target_session_event__owning_fails__in_doubt(void)
{
    start();
    struct target_event owned = {.type = TARGET_EVENT_OWNED};
    haul_error_set(&owned.error, HAUL_NO_SPACE, "pwrite", ENOSPC, "made up by the test");
    walk_to(TARGET_OWNING);
    target_session_event(session, &owned, now_ns);
    check_in_doubt();
    check(strstr(outcome()->text, "made up by the test") != NULL);
    check_text(outcome()->call, "pwrite"); /* the operator learns what to remove */
    check_equal(outcome()->code, ENOSPC);
    finish();
}

static void test_target_session_event__channel_lost_when_all_was_committed__ok(void)
{
    start();
    walk_to_resumed(JOB_COMMITTED);
    feed(TARGET_EVENT_CHANNEL_DOWN, HAUL_CLOSED);
    take_end();
    check_status(outcome()->status, HAUL_OK);
    finish();
}

/* A source that forgot its hand-over: nothing of the range is given up. */
static void test_target_session_event__abort_or_plan_when_all_was_committed__refused(void)
{
    start();
    walk_to_resumed(JOB_COMMITTED);
    feed_abort(HAUL_CANCELLED);
    check_refused(HAUL_PROTOCOL);
    finish();
    start();
    walk_to_resumed(JOB_COMMITTED);
    feed_plan();
    check_refused(HAUL_PROTOCOL);
    finish();
}

static void test_target_session_event__abort_before_committed_is_known__refused(void)
{
    start();
    walk_to(TARGET_LOOKING);
    feed_abort(HAUL_CANCELLED);
    take_nothing();
    feed_looked_up(JOB_COMMITTED);
    check_refused(HAUL_PROTOCOL);
    finish();
}

static const char *channel_lost_hint(enum target_state at)
{
    return at >= TARGET_PREPARED   ? "the source's record decides"
           : at >= TARGET_CHECKING ? "run `haul send` again"
                                   : "";
}

static void test_target_session_event__channel_lost__kept_or_in_doubt(void)
{
    for (int at = TARGET_WAITING; at <= TARGET_PREPARED; at++) {
        start();
        walk_to((enum target_state)at);
        feed(TARGET_EVENT_CHANNEL_DOWN, HAUL_CLOSED);
        take_end(); /* nothing sent, nothing cleared */
        check_status(outcome()->status, at < TARGET_PREPARED ? HAUL_CLOSED : HAUL_IN_DOUBT);
        check(strstr(outcome()->hint, channel_lost_hint((enum target_state)at)) != NULL);
        finish();
    }
}

static void test_target_session_event__channel_lost_resumed_prepared__in_doubt(void)
{
    start();
    walk_to_resumed(JOB_PREPARED);
    feed(TARGET_EVENT_CHANNEL_DOWN, HAUL_CLOSED);
    check_in_doubt();
    finish();
}

static void test_target_session_event__channel_lost_while_clearing__cleared_in_silence(void)
{
    start();
    walk_to(TARGET_CLEARING);
    feed(TARGET_EVENT_CHANNEL_DOWN, HAUL_CLOSED);
    take_nothing();
    feed(TARGET_EVENT_CLEARED, HAUL_OK);
    (void)take(TARGET_ACTION_END);
    take_nothing();
    check_status(outcome()->status, HAUL_CANCELLED);
    finish();
}

/* How a state answers an event that ends the job from our side. */
static void check_given_up(int at, enum haul_status status)
{
    if (at <= TARGET_GREETED) {
        check_refused(status);
    } else if (at <= TARGET_RECORDING) {
        check_cleared(status);
    } else {
        check_in_doubt();
    }
}

static void test_target_session_event__cancel__refused_cleared_or_in_doubt(void)
{
    for (int at = TARGET_WAITING; at <= TARGET_PREPARED; at++) {
        start();
        walk_to((enum target_state)at);
        feed(TARGET_EVENT_CANCEL, HAUL_CANCELLED);
        check_given_up(at, HAUL_CANCELLED);
        finish();
    }
}

static void test_target_session_event__local_failure__refused_cleared_or_in_doubt(void)
{
    for (int at = TARGET_WAITING; at <= TARGET_PREPARED; at++) {
        start();
        walk_to((enum target_state)at);
        feed(TARGET_EVENT_FAILED, HAUL_MISMATCH);
        check_given_up(at, HAUL_MISMATCH);
        finish();
    }
}

static void check_lack_keeps(enum target_state at, enum haul_status lack)
{
    start();
    walk_to(at);
    feed(TARGET_EVENT_FAILED, lack);
    if (take_message(MESSAGE_STOP)) {
        check_status((enum haul_status)action.message.as.stop.status, lack);
    }
    take_end();
    check_status(outcome()->status, lack);
    check(target_session_is_resumable(session));
    finish();
}

/* An operator can free space, raise a limit or mend a disk, and what has arrived is worth the wait:
 * nothing is flushed or cleared. */
static void test_target_session_event__something_is_lacking__stop_and_kept(void)
{
    static const enum haul_status lacks[] = {HAUL_NO_SPACE, HAUL_LIMIT, HAUL_NO_MEMORY,
                                             HAUL_IO,       HAUL_STORE, HAUL_NOT_FOUND};
    for (size_t i = 0; i < CHECK_COUNT(lacks); i++) {
        for (int at = TARGET_RECEIVING; at <= TARGET_RECORDING; at++) {
            check_lack_keeps((enum target_state)at, lacks[i]);
        }
    }
}

static void test_target_session_event__message_out_of_place__protocol(void)
{
    struct message message;
    message_init(&message, MESSAGE_COMMITTED); /* only the target sends that */
    for (int at = TARGET_WAITING; at <= TARGET_PREPARED; at++) {
        start();
        walk_to((enum target_state)at);
        feed_message(&message);
        check_given_up(at, HAUL_PROTOCOL);
        check(strstr(outcome()->text, "COMMITTED") != NULL);
        check(strstr(outcome()->text, target_state_name((enum target_state)at)) != NULL);
        finish();
    }
}

static void test_target_session_event__ended__everything_ignored(void)
{
    start();
    walk_to(TARGET_ENDED);
    for (int type = TARGET_EVENT_CHANNEL_DOWN; type <= TARGET_EVENT_TICK; type++) {
        feed((enum target_event_type)type, HAUL_IO);
        take_nothing();
    }
    feed_abort(HAUL_CANCELLED);
    take_nothing();
    check_status(outcome()->status, HAUL_OK);
    finish();
}

/* The driver was at work when the session left the state. */
static void test_target_session_event__late_answers__dropped(void)
{
    start();
    walk_to(TARGET_CLEARING);
    feed_looked_up(JOB_COPYING);
    feed_checked();
    feed(TARGET_EVENT_FLUSHED, HAUL_OK);
    feed(TARGET_EVENT_RECORDED, HAUL_OK);
    feed(TARGET_EVENT_OWNED, HAUL_OK);
    feed_applied(DELTA_COUNT + 1);
    take_nothing();
    check_equal(state(), TARGET_CLEARING);
    finish();
}

/* --- stopping, and keeping what has arrived --------------------------------------------------- */

static void feed_peer_stop(void)
{
    struct message message;
    message_init(&message, MESSAGE_STOP);
    feed_message(&message);
}

static void test_target_session_event__stop__source_is_told_and_nothing_cleared(void)
{
    for (int at = TARGET_WAITING; at <= TARGET_PREPARED; at++) {
        start();
        walk_to((enum target_state)at);
        feed(TARGET_EVENT_STOP, HAUL_STOPPED);
        if (take_message(MESSAGE_STOP)) {
            check(action.message.as.stop.text[0] != '\0');
            check_equal(action.message.as.stop.status, 0); /* the source may come back */
        }
        if (at == TARGET_RECEIVING || at == TARGET_FLUSHING) {
            (void)take(TARGET_ACTION_KEEP);
            check_equal(state(), TARGET_KEEPING);
            feed(TARGET_EVENT_KEPT, HAUL_OK);
        }
        take_end();
        check_status(outcome()->status, HAUL_STOPPED);
        check(target_session_is_resumable(session));
        check(at != TARGET_PREPARED || strstr(outcome()->hint, "start `haul recv` again") != NULL);
        finish();
    }
}

/* It would find the disk as full as before. */
static void test_target_session_event__stop_for_lack_of_space__source_need_not_come_back(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    feed(TARGET_EVENT_STOP, HAUL_NO_SPACE);
    check(take_message(MESSAGE_STOP));
    check_status((enum haul_status)action.message.as.stop.status, HAUL_NO_SPACE);
    (void)take(TARGET_ACTION_KEEP);
    feed(TARGET_EVENT_KEPT, HAUL_OK);
    take_end();
    check_status(outcome()->status, HAUL_NO_SPACE);
    check(target_session_is_resumable(session));
    finish();
}

static void test_target_session_event__source_stops__kept_or_in_doubt(void)
{
    for (int at = TARGET_WAITING; at <= TARGET_PREPARED; at++) {
        start();
        walk_to((enum target_state)at);
        feed_peer_stop();
        if (at == TARGET_RECEIVING || at == TARGET_FLUSHING) {
            (void)take(TARGET_ACTION_KEEP);
            feed(TARGET_EVENT_CHANNEL_DOWN, HAUL_CLOSED);
            take_nothing();
            feed(TARGET_EVENT_KEPT, HAUL_OK);
        }
        take_end();
        check_status(outcome()->status, at < TARGET_PREPARED ? HAUL_CLOSED : HAUL_IN_DOUBT);
        check(target_session_is_resumable(session));
        check(at >= TARGET_PREPARED ||
              strstr(outcome()->hint, "on the source to continue") != NULL);
        finish();
    }
}

static void test_target_session_event__source_stops_resumed_prepared__in_doubt(void)
{
    start();
    walk_to_resumed(JOB_PREPARED);
    feed_peer_stop();
    check_in_doubt();
    finish();
}

static void test_target_session_event__stop_while_owning_or_clearing__goes_on(void)
{
    static const enum target_state states[] = {TARGET_OWNING, TARGET_CLEARING};
    for (size_t i = 0; i < CHECK_COUNT(states); i++) {
        start();
        walk_to(states[i]);
        feed(TARGET_EVENT_STOP, HAUL_STOPPED);
        feed_peer_stop();
        take_nothing();
        check_equal(state(), states[i]);
        finish();
    }
}

static void test_target_session_event__both_stop__ours_is_the_outcome(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    feed_peer_stop();
    (void)take(TARGET_ACTION_KEEP);
    feed(TARGET_EVENT_STOP, HAUL_STOPPED);
    take_nothing();
    feed(TARGET_EVENT_KEPT, HAUL_OK);
    take_end();
    check_status(outcome()->status, HAUL_STOPPED);
    finish();
}

/* Durable data stays: a failing disk is no reason to remove it. */
static void test_target_session_event__keeping_fails__ends_and_says_so(void)
{
    start();
    walk_to(TARGET_KEEPING);
    feed(TARGET_EVENT_FAILED, HAUL_NO_SPACE);
    take_end();
    check_status(outcome()->status, HAUL_STOPPED);
    check(strstr(outcome()->hint, "made up by the test") != NULL);
    check(target_session_is_resumable(session));
    finish();
}

static void test_target_session_event__cancel_while_keeping__cleared(void)
{
    start();
    walk_to(TARGET_KEEPING);
    feed(TARGET_EVENT_CANCEL, HAUL_CANCELLED);
    check_cleared(HAUL_CANCELLED);
    finish();
}

static void test_target_session_event__abort_while_keeping__cleared_then_aborted(void)
{
    start();
    walk_to(TARGET_KEEPING);
    feed_abort(HAUL_CANCELLED);
    take_clear();
    feed(TARGET_EVENT_CLEARED, HAUL_OK);
    (void)take_message(MESSAGE_ABORTED);
    (void)take(TARGET_ACTION_END);
    finish();
}

/* --- time ------------------------------------------------------------------------------------- */

static void test_target_session_event__silent_before_plan__refused_timeout(void)
{
    static const enum target_state states[] = {TARGET_WAITING, TARGET_GREETED};
    for (size_t i = 0; i < CHECK_COUNT(states); i++) {
        start();
        walk_to(states[i]);
        now_ns = target_session_deadline_ns(session) - 1;
        feed(TARGET_EVENT_TICK, HAUL_OK);
        take_nothing();
        now_ns++;
        feed(TARGET_EVENT_TICK, HAUL_OK);
        check_refused(HAUL_TIMEOUT);
        finish();
    }
}

static void test_target_session_event__silent_resumed_prepared__in_doubt(void)
{
    start();
    walk_to_resumed(JOB_PREPARED);
    now_ns = target_session_deadline_ns(session);
    feed(TARGET_EVENT_TICK, HAUL_OK);
    check_in_doubt();
    finish();
}

/* From the plan on, the stall watch decides whether the source makes progress and whether what has
 * arrived is being kept; the session has no deadline for other work of this side. */
static void test_target_session_deadline_ns__after_plan__only_while_it_waits(void)
{
    for (int at = TARGET_CHECKING; at <= TARGET_ENDED; at++) {
        start();
        walk_to((enum target_state)at);
        bool waits = at == TARGET_RECEIVING || at == TARGET_PREPARED || at == TARGET_KEEPING;
        check_equal(target_session_deadline_ns(session) != CLOCK_NEVER, waits);
        finish();
    }
}

static void test_target_session_event__system_says_why__the_source_is_told(void)
{
    struct target_event event = {.type = TARGET_EVENT_FAILED};
    haul_error_set(&event.error, HAUL_IO, "open", EPERM, "cannot open a file");
    haul_error_hint(&event.error, "look at it");
    start();
    walk_to(TARGET_RECEIVING);
    target_session_event(session, &event, now_ns);
    if (take_message(MESSAGE_STOP)) {
        check_text(action.message.as.stop.text, "cannot open a file: Operation not permitted");
        check_text(action.message.as.stop.hint, "look at it");
    }
    finish();
}

/* Everything durable is kept; the source learns why, and sends the rest again. */
static void test_target_session_event__block_came_damaged__kept_and_told(void)
{
    for (int at = TARGET_RECEIVING; at <= TARGET_RECORDING; at++) {
        start();
        walk_to((enum target_state)at);
        feed(TARGET_EVENT_DAMAGED, HAUL_CORRUPT);
        if (take_message(MESSAGE_STOP)) {
            check(action.message.as.stop.damaged);
            check_text(action.message.as.stop.text, "made up by the test");
        }
        take_end();
        check_status(outcome()->status, HAUL_CORRUPT);
        check(target_session_is_resumable(session));
        finish();
    }
}

/* Without an answer the source keeps its record, and comes again. */
static void test_target_session_event__aborted_and_not_cleared__in_silence(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    feed_abort(HAUL_NO_SPACE);
    take_clear();
    feed(TARGET_EVENT_CLEARED, HAUL_IO);
    (void)take(TARGET_ACTION_END);
    take_nothing();
    finish();
}

/* Other jobs are named before there is a plan, or not at all. */
static void test_target_session_event__abort_names_other_jobs_while_copying__protocol(void)
{
    struct message message;
    start();
    walk_to(TARGET_RECEIVING);
    message_init(&message, MESSAGE_ABORT);
    message.as.abort.jobs = message_bytes(slice_of("of sixteen bytes", 16));
    feed_message(&message);
    message_release(&message);
    check_status(outcome()->status, HAUL_PROTOCOL);
    finish();
}

/* This database owns by one of them; the source would come for ever. */
static void test_target_session_event__abort_names_a_job_that_owns__refused(void)
{
    struct message message;
    start();
    walk_to(TARGET_GREETED);
    message_init(&message, MESSAGE_ABORT);
    message.as.abort.jobs = message_bytes(slice_of("of sixteen bytes", 16));
    feed_message(&message);
    message_release(&message);
    take_clear();
    feed(TARGET_EVENT_CLEARED, HAUL_MISMATCH);
    check(take_message(MESSAGE_REFUSED));
    check_status(outcome()->status, HAUL_MISMATCH);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_session_event__abort_names_a_job_that_owns__refused),
    CHECK_TEST(test_target_session_event__system_says_why__the_source_is_told),
    CHECK_TEST(test_target_session_event__block_came_damaged__kept_and_told),
    CHECK_TEST(test_target_session_event__aborted_and_not_cleared__in_silence),
    CHECK_TEST(test_target_session_event__abort_names_other_jobs_while_copying__protocol),
    CHECK_TEST(test_target_session_event__abort_with_nothing_begun__aborted_without_clear),
    CHECK_TEST(test_target_session_event__abort_once_begun__cleared_then_aborted),
    CHECK_TEST(test_target_session_event__abort_of_unknown_status__cancelled),
    CHECK_TEST(test_target_session_event__abort_while_clearing__one_clear_and_aborted),
    CHECK_TEST(test_target_session_event__anything_while_owning__owned),
    CHECK_TEST(test_target_session_event__owning_fails__in_doubt),
    CHECK_TEST(test_target_session_event__channel_lost_when_all_was_committed__ok),
    CHECK_TEST(test_target_session_event__abort_or_plan_when_all_was_committed__refused),
    CHECK_TEST(test_target_session_event__abort_before_committed_is_known__refused),
    CHECK_TEST(test_target_session_event__channel_lost__kept_or_in_doubt),
    CHECK_TEST(test_target_session_event__channel_lost_resumed_prepared__in_doubt),
    CHECK_TEST(test_target_session_event__channel_lost_while_clearing__cleared_in_silence),
    CHECK_TEST(test_target_session_event__cancel__refused_cleared_or_in_doubt),
    CHECK_TEST(test_target_session_event__local_failure__refused_cleared_or_in_doubt),
    CHECK_TEST(test_target_session_event__something_is_lacking__stop_and_kept),
    CHECK_TEST(test_target_session_event__message_out_of_place__protocol),
    CHECK_TEST(test_target_session_event__ended__everything_ignored),
    CHECK_TEST(test_target_session_event__late_answers__dropped),
    CHECK_TEST(test_target_session_event__stop__source_is_told_and_nothing_cleared),
    CHECK_TEST(test_target_session_event__stop_for_lack_of_space__source_need_not_come_back),
    CHECK_TEST(test_target_session_event__source_stops__kept_or_in_doubt),
    CHECK_TEST(test_target_session_event__source_stops_resumed_prepared__in_doubt),
    CHECK_TEST(test_target_session_event__stop_while_owning_or_clearing__goes_on),
    CHECK_TEST(test_target_session_event__both_stop__ours_is_the_outcome),
    CHECK_TEST(test_target_session_event__keeping_fails__ends_and_says_so),
    CHECK_TEST(test_target_session_event__cancel_while_keeping__cleared),
    CHECK_TEST(test_target_session_event__abort_while_keeping__cleared_then_aborted),
    CHECK_TEST(test_target_session_event__silent_before_plan__refused_timeout),
    CHECK_TEST(test_target_session_event__silent_resumed_prepared__in_doubt),
    CHECK_TEST(test_target_session_deadline_ns__after_plan__only_while_it_waits),
};

CHECK_MAIN("target_session_end", tests)
