/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_hand_over.c — the deadline of a freeze, in each state and against late answers. */
#include "source_hand_over.h"

#include "check.h"
#include "source_session_fixture.h"

static const uint64_t start_ns = NS_PER_S;
static const uint64_t limit_ns = (uint64_t)FREEZE_MAX_MS * NS_PER_MS;

/* Frozen at start_ns, up to this state. */
static void walk_to(enum source_state state)
{
    bool resume = false;
    open_session();
    start_freeze(start_ns);
    if (state >= SOURCE_DRAINING) {
        feed_type(SOURCE_EVENT_FROZEN, HAUL_OK, start_ns + 1);
        check(does(SOURCE_ACTION_ROUND));
    }
    if (state >= SOURCE_PREPARING) {
        feed_round_done(0, 0, start_ns + 2);
        check(does(SOURCE_ACTION_DIGEST));
        feed_digested(start_ns + 3);
        check(sends(MESSAGE_PREPARE, &resume));
    }
    check_equal(source_session_state(session), state);
}

static void check_nothing_more(void)
{
    check(!next_action());
}

static void test_source_hand_over_check_deadline__draining__unfreezes_at_freeze_max(void)
{
    walk_to(SOURCE_DRAINING);
    check_equal(source_session_deadline_ns(session), start_ns + limit_ns);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, start_ns + limit_ns - 1);
    check_equal(source_session_state(session), SOURCE_DRAINING);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, start_ns + limit_ns);
    check(does(SOURCE_ACTION_UNFREEZE));
    check_nothing_more(); /* the round under way goes on */
    check_equal(source_session_state(session), SOURCE_CATCHING_UP);
    source_session_destroy(session);
}

static void test_source_hand_over_check_deadline__preparing__unfreezes_at_freeze_max(void)
{
    walk_to(SOURCE_PREPARING);
    check_equal(source_session_deadline_ns(session), start_ns + limit_ns);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, start_ns + limit_ns);
    check(does(SOURCE_ACTION_UNFREEZE));
    check(does(SOURCE_ACTION_ROUND));
    check_equal(source_session_state(session), SOURCE_CATCHING_UP);
    source_session_destroy(session);
}

/* A late answer finds the freeze given up, even if no TICK came before it. */
static void test_source_hand_over_check_deadline__late_prepared__is_no_decision(void)
{
    walk_to(SOURCE_PREPARING);
    feed_prepared(1, start_ns + limit_ns);
    check(does(SOURCE_ACTION_UNFREEZE));
    check(does(SOURCE_ACTION_ROUND));
    check_nothing_more();
    source_session_destroy(session);
}

static void test_source_hand_over_check_deadline__late_round__next_round(void)
{
    walk_to(SOURCE_DRAINING);
    feed_round_done(LAG_BYTES_MAX + 1, 9, start_ns + limit_ns);
    check(does(SOURCE_ACTION_UNFREEZE));
    check(does(SOURCE_ACTION_ROUND));
    check_nothing_more();
    source_session_destroy(session);
}

static void test_source_hand_over_check_deadline__late_digest__next_round(void)
{
    walk_to(SOURCE_DRAINING);
    feed_round_done(0, 0, start_ns + 2);
    check(does(SOURCE_ACTION_DIGEST));
    feed_digested(start_ns + limit_ns);
    check(does(SOURCE_ACTION_UNFREEZE));
    check(does(SOURCE_ACTION_ROUND));
    check_nothing_more();
    source_session_destroy(session);
}

static void test_source_hand_over_on_prepared__in_time__decides(void)
{
    walk_to(SOURCE_PREPARING);
    feed_prepared(1, start_ns + limit_ns - 1);
    check(does(SOURCE_ACTION_DECIDE));
    check_equal(source_session_state(session), SOURCE_DECIDING);
    source_session_destroy(session);
}

/* The same digest except for one figure, or another number of families. */
static void test_source_hand_over_on_prepared__digests_differ__aborted_and_unfrozen(void)
{
    static const haul_control_FamilyDigest same = {.count = 5, .low = 6, .high = 7, .bytes = 8};
    static const struct {
        size_t count;
        haul_control_FamilyDigest digest;
    } cases[] = {{0, same},
                 {2, same},
                 {1, {.count = 4, .low = 6, .high = 7, .bytes = 8}},
                 {1, {.count = 5, .low = 5, .high = 7, .bytes = 8}},
                 {1, {.count = 5, .low = 6, .high = 6, .bytes = 8}}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct message message;
        walk_to(SOURCE_PREPARING);
        message_init(&message, MESSAGE_PREPARED);
        message.as.prepared.freeze = 1;
        message.as.prepared.digests_count = (pb_size_t)cases[i].count;
        message.as.prepared.digests = calloc(2, sizeof(haul_control_FamilyDigest));
        check_or_stop(message.as.prepared.digests != NULL);
        message.as.prepared.digests[0] = cases[i].digest;
        feed_message(&message, start_ns + 4);
        check(does(SOURCE_ACTION_UNFREEZE));
        check_equal(source_session_state(session), SOURCE_ABORTING);
        check_status(source_session_outcome(session)->status, HAUL_CORRUPT);
        source_session_destroy(session);
    }
}

/* The hook used up its time, or the FROZEN record took long to become durable. */
static void test_source_hand_over_on_frozen__too_late__unfreezes_at_once(void)
{
    static const uint64_t late_ns[] = {0, 1, 3 * NS_PER_S / 10};
    for (size_t i = 0; i < CHECK_COUNT(late_ns); i++) {
        walk_to(SOURCE_FREEZING);
        feed_type(SOURCE_EVENT_TICK, HAUL_OK, start_ns + limit_ns);
        check_nothing_more();
        feed_type(SOURCE_EVENT_FROZEN, HAUL_OK, start_ns + limit_ns + late_ns[i]);
        check(does(SOURCE_ACTION_UNFREEZE));
        check(does(SOURCE_ACTION_ROUND));
        check_nothing_more();
        check_equal(source_session_state(session), SOURCE_CATCHING_UP);
        source_session_destroy(session);
    }
}

static void test_source_hand_over_on_frozen__nearly_late__the_deadline_stays(void)
{
    walk_to(SOURCE_FREEZING);
    feed_type(SOURCE_EVENT_FROZEN, HAUL_OK, start_ns + limit_ns - 1);
    check(does(SOURCE_ACTION_ROUND));
    check_equal(source_session_deadline_ns(session), start_ns + limit_ns);
    source_session_destroy(session);
}

static void test_source_hand_over_on_frozen__hook_failed__unfreezes(void)
{
    walk_to(SOURCE_FREEZING);
    feed_type(SOURCE_EVENT_FROZEN, HAUL_TIMEOUT, start_ns + 1);
    check(does(SOURCE_ACTION_UNFREEZE));
    check(does(SOURCE_ACTION_ROUND));
    source_session_destroy(session);
}

/* The job ends with the cause, and what has arrived stays. */
static void check_ended_kept(enum haul_status status)
{
    bool resume = false;
    check(sends(MESSAGE_STOP, &resume));
    check(does(SOURCE_ACTION_STOP));
    check(does(SOURCE_ACTION_END));
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, status);
}

static void test_source_hand_over_on_hook_late__hook_never_returns__kept_with_timeout(void)
{
    uint64_t last_ns = start_ns + limit_ns + (uint64_t)PEER_TIMEOUT_MS * NS_PER_MS;
    walk_to(SOURCE_FREEZING);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, start_ns + limit_ns);
    check_equal(source_session_deadline_ns(session), last_ns);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, last_ns);
    check(does(SOURCE_ACTION_UNFREEZE));
    check_ended_kept(HAUL_TIMEOUT);
    check(strstr(source_session_outcome(session)->hint, "a freeze hook has to fail with TIMEOUT") !=
          NULL);
    source_session_destroy(session);
}

static void fail_one_freeze(uint64_t now_ns)
{
    feed_type(SOURCE_EVENT_FROZEN, HAUL_TIMEOUT, now_ns);
    check(does(SOURCE_ACTION_UNFREEZE));
}

static void test_source_hand_over_on_frozen__ten_freezes_failed__kept_with_the_cause(void)
{
    uint64_t now_ns = start_ns;
    open_session();
    start_freeze(now_ns);
    for (int i = 1; i < FREEZE_ATTEMPTS_MAX; i++) {
        fail_one_freeze(++now_ns);
        check(does(SOURCE_ACTION_ROUND));
        feed_round_done(0, 0, ++now_ns);
        check(does(SOURCE_ACTION_FREEZE));
    }
    fail_one_freeze(++now_ns);
    check_ended_kept(HAUL_TIMEOUT);
    check(strstr(source_session_outcome(session)->text, "the last one failed: test") != NULL);
    source_session_destroy(session);
}

static void test_source_hand_over_on_frozen__journal_or_hook_cannot__kept_at_once(void)
{
    static const enum haul_status causes[] = {HAUL_IO, HAUL_UNSUPPORTED};
    for (size_t i = 0; i < CHECK_COUNT(causes); i++) {
        walk_to(SOURCE_FREEZING);
        feed_type(SOURCE_EVENT_FROZEN, causes[i], start_ns + 1);
        check(does(SOURCE_ACTION_UNFREEZE));
        check_ended_kept(causes[i]);
        source_session_destroy(session);
    }
}

static void walk_to_deciding(uint64_t now_ns)
{
    walk_to(SOURCE_PREPARING);
    feed_prepared(1, now_ns);
    check(does(SOURCE_ACTION_DECIDE));
    check_equal(action.until_ns, start_ns + limit_ns);
}

/* A lock that is held, a disk that is full: the next freeze may find it otherwise. */
static void test_source_hand_over_on_decided__not_now__unfreezes_and_another_freeze(void)
{
    static const enum haul_status causes[] = {HAUL_BUSY, HAUL_NO_SPACE, HAUL_NO_MEMORY};
    for (size_t i = 0; i < CHECK_COUNT(causes); i++) {
        walk_to_deciding(start_ns + 4);
        feed_type(SOURCE_EVENT_DECIDED, causes[i], start_ns + 5);
        check(does(SOURCE_ACTION_UNFREEZE));
        check(does(SOURCE_ACTION_ROUND));
        check_nothing_more();
        check_equal(source_session_state(session), SOURCE_CATCHING_UP);
        check(!source_session_is_decided(session));
        feed_round_done(0, 0, start_ns + 6);
        check(does(SOURCE_ACTION_FREEZE));
        source_session_destroy(session);
    }
}

static void test_source_hand_over_on_decided__fenced__aborted(void)
{
    bool resume = false;
    walk_to_deciding(start_ns + 4);
    feed_type(SOURCE_EVENT_DECIDED, HAUL_FENCED, start_ns + 5);
    check(does(SOURCE_ACTION_UNFREEZE));
    check(does(SOURCE_ACTION_STOP));
    check(sends(MESSAGE_ABORT, &resume));
    source_session_destroy(session);
}

/* Another database is at the path now: the job stays with the one that was opened. */
static void test_source_hand_over_on_decided__database_moved__unfreezes_and_keeps(void)
{
    bool resume = false;
    walk_to_deciding(start_ns + 4);
    feed_type(SOURCE_EVENT_DECIDED, HAUL_NOT_FOUND, start_ns + 5);
    check(does(SOURCE_ACTION_UNFREEZE));
    check(sends(MESSAGE_STOP, &resume));
    check(!source_session_is_decided(session));
    check_status(source_session_outcome(session)->status, HAUL_NOT_FOUND);
    source_session_destroy(session);
}

static void test_source_hand_over_on_decided__not_now_and_path_lost__comes_back(void)
{
    walk_to_deciding(start_ns + 4);
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_CLOSED, start_ns + 5);
    check_nothing_more();
    feed_type(SOURCE_EVENT_DECIDED, HAUL_BUSY, start_ns + 6);
    check(does(SOURCE_ACTION_UNFREEZE));
    check(does(SOURCE_ACTION_DISCONNECT));
    check_equal(source_session_state(session), SOURCE_RETRYING);
    source_session_destroy(session);
}

static void test_source_hand_over_on_decided__not_now_and_cancelled__aborted(void)
{
    bool resume = false;
    walk_to_deciding(start_ns + 4);
    feed_type(SOURCE_EVENT_CANCEL, HAUL_CANCELLED, start_ns + 5);
    check_nothing_more();
    feed_type(SOURCE_EVENT_DECIDED, HAUL_BUSY, start_ns + 6);
    check(does(SOURCE_ACTION_UNFREEZE));
    check(does(SOURCE_ACTION_STOP));
    check(sends(MESSAGE_ABORT, &resume));
    check_status(source_session_outcome(session)->status, HAUL_CANCELLED);
    source_session_destroy(session);
}

/* Each freeze has a deadline of its own. */
static void test_source_hand_over_check_deadline__second_freeze__counts_from_its_own_start(void)
{
    uint64_t second_ns = start_ns + 7 * limit_ns;
    walk_to(SOURCE_PREPARING);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, start_ns + limit_ns);
    check(does(SOURCE_ACTION_UNFREEZE));
    check(does(SOURCE_ACTION_ROUND));
    feed_round_done(0, 0, second_ns);
    check(does(SOURCE_ACTION_FREEZE));
    check_equal(source_session_deadline_ns(session), second_ns + limit_ns);
    source_session_destroy(session);
}

static void test_source_session__path_lost_while_frozen__unfreezes(void)
{
    static const enum source_state states[] = {SOURCE_FREEZING, SOURCE_DRAINING, SOURCE_PREPARING};
    for (size_t i = 0; i < CHECK_COUNT(states); i++) {
        walk_to(states[i]);
        feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_CLOSED, start_ns + 5);
        check(does(SOURCE_ACTION_UNFREEZE));
        check(does(SOURCE_ACTION_DISCONNECT));
        check_equal(source_session_state(session), SOURCE_RETRYING);
        source_session_destroy(session);
    }
}

/* The peer is of an earlier release, and has not understood. */
static void test_source_hand_over_on_prepared__asked_to_read_and_did_not__no_decision(void)
{
    static const struct source_session_options reading = {.source = {.read_back = true}};
    open_session_as(&reading);
    start_freeze(start_ns);
    feed_type(SOURCE_EVENT_FROZEN, HAUL_OK, start_ns + 1);
    check(does(SOURCE_ACTION_ROUND));
    feed_round_done(0, 0, start_ns + 2);
    check(does(SOURCE_ACTION_DIGEST));
    feed_digested(start_ns + 3);
    check(next_action() && action.message.as.prepare.read_back);
    message_release(&action.message);
    feed_prepared(1, start_ns + 4);
    check(!does(SOURCE_ACTION_DECIDE));
    check_equal(source_session_state(session), SOURCE_ABORTING);
    check_status(source_session_outcome(session)->status, HAUL_UNSUPPORTED);
    source_session_destroy(session);
}

/* Unknown until the record is read again: no writes, and no message to the target. */
static void test_source_hand_over_on_decided__in_doubt__stays_frozen_and_ends(void)
{
    walk_to_deciding(start_ns + 4);
    feed_type(SOURCE_EVENT_DECIDED, HAUL_IN_DOUBT, start_ns + 5);
    while (next_action()) {
        check(action.type != SOURCE_ACTION_UNFREEZE && action.type != SOURCE_ACTION_SEND &&
              action.type != SOURCE_ACTION_RELEASE);
    }
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_IN_DOUBT);
    source_session_destroy(session);
}

/* This side no longer decides the outcome. */
static void test_source_hand_over_on_decided__stopped_meanwhile__is_finished(void)
{
    bool resume = false;
    walk_to_deciding(start_ns + 4);
    feed_type(SOURCE_EVENT_STOP, HAUL_STOPPED, start_ns + 5);
    check_nothing_more();
    check_equal(source_session_state(session), SOURCE_DECIDING);
    feed_type(SOURCE_EVENT_DECIDED, HAUL_OK, start_ns + 6);
    check(does(SOURCE_ACTION_RELEASE));
    check(sends(MESSAGE_COMMIT, &resume));
    source_session_destroy(session);
}

static void test_source_hand_over_on_decided__path_lost_meanwhile__comes_back_to_commit(void)
{
    bool resume = false;
    walk_to_deciding(start_ns + 4);
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_CLOSED, start_ns + 5);
    feed_type(SOURCE_EVENT_DECIDED, HAUL_OK, start_ns + 6);
    check(does(SOURCE_ACTION_RELEASE));
    check(does(SOURCE_ACTION_DISCONNECT));
    check(source_session_is_decided(session));
    check_equal(source_session_state(session), SOURCE_RETRYING);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, source_session_deadline_ns(session));
    check(does(SOURCE_ACTION_CONNECT));
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, start_ns + NS_PER_S);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome_of(JOB_PREPARED, start_ns + NS_PER_S);
    bind_to_target(start_ns + NS_PER_S);
    check(sends(MESSAGE_COMMIT, &resume));
    check_equal(source_session_state(session), SOURCE_COMMITTING);
    source_session_destroy(session);
}

static void test_source_hand_over_on_decided__path_lost_and_stopped__in_doubt(void)
{
    walk_to_deciding(start_ns + 4);
    feed_type(SOURCE_EVENT_STOP, HAUL_STOPPED, start_ns + 5);
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_CLOSED, start_ns + 5);
    feed_type(SOURCE_EVENT_DECIDED, HAUL_OK, start_ns + 6);
    check(does(SOURCE_ACTION_RELEASE));
    check(does(SOURCE_ACTION_STOP));
    check(does(SOURCE_ACTION_END));
    check(source_session_is_decided(session));
    check_status(source_session_outcome(session)->status, HAUL_IN_DOUBT);
    check(strstr(source_session_outcome(session)->text, "the path was lost") != NULL);
    source_session_destroy(session);
}

/* --- a source that comes back with its decision ----------------------------------------------- */

static void come_back_decided(enum job_knowledge knowledge)
{
    bool resume = false;
    open_session_of(true);
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome_of(knowledge, 1);
    bind_to_target(1);
}

static void test_source_hand_over_on_welcome__committed_there__ended_well(void)
{
    come_back_decided(JOB_COMMITTED);
    check(does(SOURCE_ACTION_STOP));
    check(does(SOURCE_ACTION_END));
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_OK);
    source_session_destroy(session);
}

/* Another database, or one that has forgotten or was set back: no other one may report who owns. */
static void test_source_hand_over_on_welcome__not_known_there__in_doubt_and_what_to_do(void)
{
    static const struct {
        enum job_knowledge knowledge;
        const char *text;
        const char *hint;
    } cases[] = {{JOB_UNKNOWN, "no record of the job", "haul cancel"},
                 {JOB_COPYING, "set back to before the decision", "--reclaim"}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        come_back_decided(cases[i].knowledge);
        check_equal(source_session_state(session), SOURCE_ENDED);
        check_status(source_session_outcome(session)->status, HAUL_IN_DOUBT);
        check(strstr(source_session_outcome(session)->text, cases[i].text) != NULL);
        check(strstr(source_session_outcome(session)->hint, cases[i].hint) != NULL);
        check(strstr(source_session_outcome(session)->hint, "--accept-two-owners") != NULL);
        source_session_destroy(session);
    }
}

/* --- no way to a freeze, or from it ----------------------------------------------------------- */

static void test_source_hand_over_on_round_done__log_grows_for_ever__aborted(void)
{
    bool resume = false;
    uint64_t bytes = LAG_BYTES_MAX;
    open_session();
    copy_everything();
    for (uint64_t i = 1; i < 5000; i++) {
        bytes += LAG_BYTES_MAX;
        feed_progress(i, i);
        feed_round_done(bytes, i, i);
        if (source_session_state(session) != SOURCE_CATCHING_UP) {
            break;
        }
        feed_progress(i, i);
        check(does(SOURCE_ACTION_ROUND));
    }
    check_equal(source_session_state(session), SOURCE_ABORTING);
    check_status(source_session_outcome(session)->status, HAUL_TIMEOUT);
    check(strstr(source_session_outcome(session)->text, "the log grows") != NULL);
    check(strstr(source_session_outcome(session)->hint, "lag limit") != NULL);
    check(does(SOURCE_ACTION_STOP));
    check(sends(MESSAGE_ABORT, &resume));
    source_session_destroy(session);
}

static void test_source_hand_over_check_deadline__ten_freezes_over__kept_and_what_to_raise(void)
{
    uint64_t now_ns = start_ns;
    open_session();
    start_freeze(now_ns);
    for (int i = 1; i <= FREEZE_ATTEMPTS_MAX; i++) {
        feed_type(SOURCE_EVENT_FROZEN, HAUL_OK, now_ns + 1);
        check(does(SOURCE_ACTION_ROUND));
        feed_round_done(0, 0, now_ns + 2);
        check(does(SOURCE_ACTION_DIGEST));
        now_ns += limit_ns;
        feed_type(SOURCE_EVENT_TICK, HAUL_OK, now_ns);
        check(does(SOURCE_ACTION_UNFREEZE));
        if (i < FREEZE_ATTEMPTS_MAX) {
            feed_digested(now_ns); /* too late */
            check(does(SOURCE_ACTION_ROUND));
            feed_round_done(0, 0, ++now_ns);
            check(does(SOURCE_ACTION_FREEZE));
        }
    }
    check_ended_kept(HAUL_TIMEOUT);
    check(strstr(source_session_outcome(session)->text, "ran into its deadline") != NULL);
    check(strstr(source_session_outcome(session)->hint, "--freeze-max") != NULL);
    source_session_destroy(session);
}

static void test_source_hand_over_on_prepared__of_an_earlier_freeze__nothing(void)
{
    walk_to(SOURCE_PREPARING);
    feed_prepared(0, start_ns + 4);
    feed_prepared(2, start_ns + 4);
    check_nothing_more();
    check_equal(source_session_state(session), SOURCE_PREPARING);
    feed_prepared(1, start_ns + 5);
    check(does(SOURCE_ACTION_DECIDE));
    source_session_destroy(session);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_hand_over_on_decided__path_lost_meanwhile__comes_back_to_commit),
    CHECK_TEST(test_source_hand_over_on_decided__path_lost_and_stopped__in_doubt),
    CHECK_TEST(test_source_hand_over_on_welcome__committed_there__ended_well),
    CHECK_TEST(test_source_hand_over_on_welcome__not_known_there__in_doubt_and_what_to_do),
    CHECK_TEST(test_source_hand_over_on_round_done__log_grows_for_ever__aborted),
    CHECK_TEST(test_source_hand_over_check_deadline__ten_freezes_over__kept_and_what_to_raise),
    CHECK_TEST(test_source_hand_over_on_prepared__of_an_earlier_freeze__nothing),
    CHECK_TEST(test_source_hand_over_on_decided__in_doubt__stays_frozen_and_ends),
    CHECK_TEST(test_source_hand_over_on_decided__database_moved__unfreezes_and_keeps),
    CHECK_TEST(test_source_hand_over_on_decided__stopped_meanwhile__is_finished),
    CHECK_TEST(test_source_hand_over_on_prepared__asked_to_read_and_did_not__no_decision),
    CHECK_TEST(test_source_hand_over_check_deadline__draining__unfreezes_at_freeze_max),
    CHECK_TEST(test_source_hand_over_check_deadline__preparing__unfreezes_at_freeze_max),
    CHECK_TEST(test_source_hand_over_check_deadline__late_prepared__is_no_decision),
    CHECK_TEST(test_source_hand_over_check_deadline__late_round__next_round),
    CHECK_TEST(test_source_hand_over_check_deadline__late_digest__next_round),
    CHECK_TEST(test_source_hand_over_on_prepared__in_time__decides),
    CHECK_TEST(test_source_hand_over_on_prepared__digests_differ__aborted_and_unfrozen),
    CHECK_TEST(test_source_hand_over_on_frozen__too_late__unfreezes_at_once),
    CHECK_TEST(test_source_hand_over_on_frozen__nearly_late__the_deadline_stays),
    CHECK_TEST(test_source_hand_over_on_frozen__hook_failed__unfreezes),
    CHECK_TEST(test_source_hand_over_on_hook_late__hook_never_returns__kept_with_timeout),
    CHECK_TEST(test_source_hand_over_on_frozen__ten_freezes_failed__kept_with_the_cause),
    CHECK_TEST(test_source_hand_over_on_frozen__journal_or_hook_cannot__kept_at_once),
    CHECK_TEST(test_source_hand_over_on_decided__not_now__unfreezes_and_another_freeze),
    CHECK_TEST(test_source_hand_over_on_decided__fenced__aborted),
    CHECK_TEST(test_source_hand_over_on_decided__not_now_and_path_lost__comes_back),
    CHECK_TEST(test_source_hand_over_on_decided__not_now_and_cancelled__aborted),
    CHECK_TEST(test_source_hand_over_check_deadline__second_freeze__counts_from_its_own_start),
    CHECK_TEST(test_source_session__path_lost_while_frozen__unfreezes),
};

CHECK_MAIN("source_hand_over", tests)
