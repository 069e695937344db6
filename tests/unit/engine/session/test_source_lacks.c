/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_lacks.c — source_session: what a host lacks, and its operator can mend. */
#include <stdio.h>

#include "source_session_fixture.h"

/* What has arrived stays on both sides, until there is room again. */
static void test_source_session__targets_disk_is_full_after_the_return__kept(void)
{
    static const struct source_session_options continued = {.continued = true};
    open_session_as(&continued);
    propose(true, 1);
    feed_refused(HAUL_NO_SPACE, 2);
    bool resume = false;
    check(!sends(MESSAGE_ABORT, &resume));
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_NO_SPACE);
    struct source_session_figures figures;
    source_session_figures(session, &figures);
    check(figures.kept && !figures.peer_knows);
    source_session_destroy(session);
}

/* No port or descriptor is free just now. */
static void test_source_session__shortage_while_it_reconnects__tries_again(void)
{
    open_session();
    copy_everything();
    lose_path_and_return(1);
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_LIMIT, NS_PER_S);
    check(does(SOURCE_ACTION_DISCONNECT));
    check_equal(source_session_state(session), SOURCE_RETRYING);
    source_session_destroy(session);
}

static void check_ended_kept(enum haul_status status)
{
    struct source_session_figures figures;
    check(does(SOURCE_ACTION_STOP));
    check(does(SOURCE_ACTION_END));
    source_session_figures(session, &figures);
    check(figures.kept);
    check_status(source_session_outcome(session)->status, status);
    source_session_destroy(session);
}

static void test_source_session__shortage_that_lasts__kept(void)
{
    uint64_t now_ns = 1;
    open_session();
    copy_everything();
    lose_path_and_return(now_ns);
    for (int i = 0; i < 1000 && source_session_state(session) != SOURCE_ENDED; i++) {
        feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_LIMIT, now_ns);
        if (source_session_state(session) == SOURCE_RETRYING) {
            check(does(SOURCE_ACTION_DISCONNECT));
            now_ns = source_session_deadline_ns(session);
            feed_type(SOURCE_EVENT_TICK, HAUL_OK, now_ns);
            check(does(SOURCE_ACTION_CONNECT));
        }
    }
    check_ended_kept(HAUL_LIMIT);
}

static void test_source_session__something_is_lacking_here__target_is_told_to_keep(void)
{
    bool ignored = false;
    open_session();
    copy_everything();
    feed_type(SOURCE_EVENT_FAILED, HAUL_IO, 2);
    check(sends(MESSAGE_STOP, &ignored));
    check_ended_kept(HAUL_IO);
}

/* It would lack the same if this side came back at once. */
static void test_source_session__something_is_lacking_there__kept_and_it_says_what(void)
{
    struct message message;
    bool ignored = false;
    open_session();
    copy_everything();
    message_init(&message, MESSAGE_STOP);
    message.as.stop.status = HAUL_LIMIT;
    (void)snprintf(message.as.stop.text, sizeof(message.as.stop.text), "file too large");
    (void)snprintf(message.as.stop.hint, sizeof(message.as.stop.hint), "raise it");
    feed_message(&message, 2);
    check(sends(MESSAGE_STOP, &ignored));
    check_text(source_session_outcome(session)->hint, "raise it");
    check(strstr(source_session_outcome(session)->text, "file too large") != NULL);
    check_ended_kept(HAUL_LIMIT);
}

/* Only the decision itself ends it now: a thaw before it is known could make two owners. */
static void test_source_session__something_is_lacking_while_it_decides__stays_frozen(void)
{
    open_session();
    start_freeze(1);
    feed_type(SOURCE_EVENT_FROZEN, HAUL_OK, 1);
    check(does(SOURCE_ACTION_ROUND));
    feed_round_done(0, 0, 1);
    check(does(SOURCE_ACTION_DIGEST));
    feed_digested(1);
    bool ignored = false;
    check(sends(MESSAGE_PREPARE, &ignored));
    feed_prepared(1, 1);
    check(does(SOURCE_ACTION_DECIDE));
    feed_type(SOURCE_EVENT_FAILED, HAUL_IO, 2);
    check(!next_action());
    check_equal(source_session_state(session), SOURCE_DECIDING);
    source_session_destroy(session);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_session__something_is_lacking_while_it_decides__stays_frozen),
    CHECK_TEST(test_source_session__targets_disk_is_full_after_the_return__kept),
    CHECK_TEST(test_source_session__shortage_while_it_reconnects__tries_again),
    CHECK_TEST(test_source_session__shortage_that_lasts__kept),
    CHECK_TEST(test_source_session__something_is_lacking_here__target_is_told_to_keep),
    CHECK_TEST(test_source_session__something_is_lacking_there__kept_and_it_says_what),
};

CHECK_MAIN("source_lacks", tests)
