/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_session.c — the source's machine: when the path is lost early, and its rounds. */
#include "source_session.h"

#include "check.h"
#include "source_session_fixture.h"

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
