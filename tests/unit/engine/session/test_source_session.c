/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_session.c — the source's machine: paths that are lost early, and its rounds. */
#include "source_session.h"

#include "check.h"
#include "source_session_fixture.h"
#include "stall_watch.h"

static void test_source_session__path_lost_before_welcome__comes_back(void)
{
    bool resume = false;
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_CLOSED, 2);
    check_equal(source_session_state(session), SOURCE_RETRYING);
    source_session_destroy(session);
}

/* --- answers that cannot be ------------------------------------------------------------------- */

/* A Welcome that differs from a good one in the given fields. */
static void check_welcome_refused(uint32_t wire_version, size_t token_size, size_t session_size,
                                  enum haul_status expected)
{
    struct message message;
    bool resume = false;
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    message_init(&message, MESSAGE_WELCOME);
    message.as.welcome.wire_version = wire_version;
    message.as.welcome.token.size = (pb_size_t)token_size;
    message.as.welcome.session.size = (pb_size_t)session_size;
    feed_message(&message, 2);
    check(does(SOURCE_ACTION_STOP));
    check(sends(MESSAGE_ABORT, &resume));
    check_status(source_session_outcome(session)->status, expected);
    source_session_destroy(session);
}

static void test_source_session__welcome_of_another_format__version(void)
{
    check_welcome_refused(MESSAGE_WIRE_VERSION + 1, MESSAGE_TOKEN_BYTES, MESSAGE_SESSION_BYTES,
                          HAUL_VERSION);
    check_welcome_refused(MESSAGE_WIRE_VERSION - 1, MESSAGE_TOKEN_BYTES, MESSAGE_SESSION_BYTES,
                          HAUL_VERSION);
}

static void test_source_session__welcome_without_token_or_session__protocol(void)
{
    check_welcome_refused(MESSAGE_WIRE_VERSION, 0, MESSAGE_SESSION_BYTES, HAUL_PROTOCOL);
    check_welcome_refused(MESSAGE_WIRE_VERSION, MESSAGE_TOKEN_BYTES, MESSAGE_SESSION_BYTES - 1,
                          HAUL_PROTOCOL);
}

/* No target can use up a source's versions, either. */
static void test_source_session__targets_version_is_too_far__no_plan(void)
{
    struct message message = welcome_message(JOB_UNKNOWN);
    bool resume = false;
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    message.as.welcome.config_version = UINT64_C(1) << 62;
    feed_message(&message, 2);
    check(does(SOURCE_ACTION_BIND));
    feed_type(SOURCE_EVENT_BOUND, HAUL_OK, 3);
    check(does(SOURCE_ACTION_STOP));
    check(sends(MESSAGE_ABORT, &resume));
    check_status(source_session_outcome(session)->status, HAUL_VERSION);
    check(strstr(source_session_outcome(session)->hint, "look at the target with `haul owner`") !=
          NULL);
    source_session_destroy(session);
}

/* What the plan tells the target of earlier jobs counts from OPEN_LINKS on, not before. */
static void test_source_session__accepted_before_the_plan__no_links(void)
{
    struct message message;
    bool resume = false;
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome(2);
    check(does(SOURCE_ACTION_BIND));
    message_init(&message, MESSAGE_PLAN_ACCEPTED);
    feed_message(&message, 3);
    check(does(SOURCE_ACTION_STOP));
    check(sends(MESSAGE_ABORT, &resume));
    check_status(source_session_outcome(session)->status, HAUL_PROTOCOL);
    source_session_destroy(session);
}

static void test_source_session__welcome_that_names_no_database__protocol(void)
{
    static const char *const identities[] = {"", "a\nb", "\x80"};
    for (size_t i = 0; i < CHECK_COUNT(identities); i++) {
        struct message message;
        bool resume = false;
        open_session();
        feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
        check(sends(MESSAGE_HELLO, &resume));
        message = welcome_message(JOB_UNKNOWN);
        message.as.welcome.target_identity.size = (pb_size_t)strlen(identities[i]);
        memcpy(message.as.welcome.target_identity.bytes, identities[i], strlen(identities[i]));
        feed_message(&message, 2);
        check(does(SOURCE_ACTION_STOP));
        check(sends(MESSAGE_ABORT, &resume));
        check_status(source_session_outcome(session)->status, HAUL_PROTOCOL);
        source_session_destroy(session);
    }
}

/* Both sides have other slots: that is no reason to give up what an earlier attempt has brought. */
static void test_source_session__welcome_of_other_slots__ends_and_an_earlier_attempt_is_kept(void)
{
    for (unsigned continued = 0; continued < 2; continued++) {
        struct message message;
        struct source_session_figures figures;
        bool resume = false;
        open_session_as(&(struct source_session_options){.continued = continued == 1});
        feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
        check(sends(MESSAGE_HELLO, &resume));
        message = welcome_message(JOB_UNKNOWN);
        message.as.welcome.slot_size_bytes = 12345;
        feed_message(&message, 2);
        check(continued == 1 || does(SOURCE_ACTION_STOP));
        check(sends(continued == 1 ? MESSAGE_STOP : MESSAGE_ABORT, &resume));
        check_status(source_session_outcome(session)->status, HAUL_MISMATCH);
        check(strstr(source_session_outcome(session)->hint, "--slot-size") != NULL);
        source_session_figures(session, &figures);
        check_equal(figures.kept, continued == 1);
        source_session_destroy(session);
    }
}

/* This database was set back to before its decision. */
static void check_owned_there(enum haul_status recorded)
{
    bool resume = false;
    open_session_as(&(struct source_session_options){.continued = true});
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome_of(JOB_COMMITTED, 2);
    check(does(SOURCE_ACTION_BIND));
    feed_type(SOURCE_EVENT_BOUND, recorded, 3);
    check(does(SOURCE_ACTION_STOP));
    check(does(SOURCE_ACTION_END)); /* no Plan, and no Abort */
    check_status(source_session_outcome(session)->status, HAUL_IN_DOUBT);
    check(recorded != HAUL_OK ||
          strstr(source_session_outcome(session)->hint,
                 "`haul resolve --db DIR --to ADDR:PORT` ends the job") != NULL);
    source_session_destroy(session);
}

static void test_source_session__undecided_and_owned_there__in_doubt(void)
{
    check_owned_there(HAUL_OK);
    check_owned_there(HAUL_IO);
    check_owned_there(HAUL_FENCED);
}

/* An answer to a plan of one family. */
static void check_answer_refused(size_t family_count, enum haul_lane lane)
{
    struct message message;
    bool resume = false;
    open_session();
    propose(false, 1);
    message_init(&message, MESSAGE_PLAN_ACCEPTED);
    message.as.plan_accepted.lane = (uint32_t)lane;
    message.as.plan_accepted.family_ids_count = (pb_size_t)family_count;
    message.as.plan_accepted.family_ids = calloc(family_count + 1, sizeof(uint32_t));
    check_or_stop(message.as.plan_accepted.family_ids != NULL);
    feed_message(&message, 2);
    check(does(SOURCE_ACTION_STOP));
    check(sends(MESSAGE_ABORT, &resume));
    check_status(source_session_outcome(session)->status, HAUL_PROTOCOL);
    source_session_destroy(session);
}

static void test_source_session__answer_that_does_not_fit_the_plan__protocol(void)
{
    check_answer_refused(0, HAUL_LANE_INGEST);
    check_answer_refused(2, HAUL_LANE_INGEST);
    check_answer_refused(1, HAUL_LANE_WRITE_BATCH + 1);
}

/* Blocks that follow the log may not overtake what is still to be applied of the view. */
static void test_source_session__copied_and_not_yet_applied__no_round(void)
{
    struct message message;
    open_session();
    propose(false, 1);
    feed_accepted(1);
    check(does(SOURCE_ACTION_OPEN_LINKS));
    feed_type(SOURCE_EVENT_LINKS_UP, HAUL_OK, 1);
    check(does(SOURCE_ACTION_START_COPY));
    feed_type(SOURCE_EVENT_COPIED, HAUL_OK, 1);
    message_init(&message, MESSAGE_PROGRESS);
    feed_message(&message, 1);
    check(!next_action());
    check_equal(source_session_state(session), SOURCE_COPYING);
    feed_progress(0, 1);
    check(does(SOURCE_ACTION_ROUND));
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

/* The target has not noticed yet that we were gone. */
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

/* The target refused to continue the job, and so may still have it. */
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

/* Its journal may still have the job as open: ours must stay, for the next job to supersede it. */
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

/* Only a Welcome, on this connection too, identifies the target that refuses. */
static void test_source_session__owned_job_of_a_refusal__believed_behind_welcome(void)
{
    for (unsigned i = 0; i < 3; i++) {
        struct source_session_figures figures;
        struct message message;
        open_session();
        if (i > 0) {
            propose(false, 1);
        }
        if (i == 2) {
            lose_path_and_return(2);
        }
        if (i != 1) {
            feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 2);
        }
        message_init(&message, MESSAGE_REFUSED);
        message.as.refused.status = HAUL_MISMATCH;
        message.as.refused.owned_job.size = HAUL_JOB_BYTES;
        feed_message(&message, 3);
        source_session_figures(session, &figures);
        check_equal(figures.was_owned, i == 1);
        source_session_destroy(session);
    }
}

/* A source that comes while another job runs, or the target has no time, waits, but not for
 * ever. */
static void check_refused_tries_again(enum haul_status refusal)
{
    uint64_t now_ns = 1;
    int attempts = 0;
    open_session();
    while (source_session_state(session) != SOURCE_ENDED && attempts < 1000) {
        propose(false, now_ns);
        feed_refused(refusal, now_ns);
        attempts++;
        if (source_session_state(session) == SOURCE_RETRYING) {
            check(does(SOURCE_ACTION_DISCONNECT));
            now_ns = source_session_deadline_ns(session);
            feed_type(SOURCE_EVENT_TICK, HAUL_OK, now_ns);
            check(does(SOURCE_ACTION_CONNECT));
        }
    }
    check(attempts > 3);
    check(now_ns >= (uint64_t)RETRY_MAX_MS * NS_PER_MS);
    check(now_ns < 2 * (uint64_t)RETRY_MAX_MS * NS_PER_MS);
    check_status(source_session_outcome(session)->status, refusal);
    struct source_session_figures figures;
    source_session_figures(session, &figures);
    check(figures.retries > 0 && !figures.resumed); /* there was nothing to continue */
    source_session_destroy(session);
}

static void test_source_session__busy_at_first__tries_again_within_its_limit(void)
{
    check_refused_tries_again(HAUL_BUSY);
    check_refused_tries_again(HAUL_TIMEOUT);
}

/* The preamble was answered with BUSY: too many connections at once. */
static void test_source_session__connection_refused_as_busy__tries_again(void)
{
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_BUSY, 1);
    check(does(SOURCE_ACTION_DISCONNECT));
    check_equal(source_session_state(session), SOURCE_RETRYING);
    source_session_destroy(session);
}

/* It copies nothing anywhere: a wrong address only costs time. */
static void test_source_session__only_tells_or_asks_and_nobody_listens__tries_again(void)
{
    for (int asks = 0; asks < 2; asks++) {
        open_session_as(&(struct source_session_options){.only_tells = true, .asks = asks == 1});
        feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_REFUSED, 1);
        check_equal(source_session_state(session), SOURCE_RETRYING);
        source_session_destroy(session);
    }
}

static void test_source_session__nobody_listens_at_first__ends(void)
{
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_REFUSED, 1);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_REFUSED);
    source_session_destroy(session);
}

static void feed_stop(uint64_t now_ns)
{
    feed_type(SOURCE_EVENT_STOP, HAUL_STOPPED, now_ns);
}

static void test_source_session__stopped_while_copying__target_is_told_to_keep(void)
{
    bool resume = false;
    open_session();
    propose(false, 1);
    feed_stop(2);
    check(sends(MESSAGE_STOP, &resume));
    check(does(SOURCE_ACTION_STOP));
    check(does(SOURCE_ACTION_END));
    check_status(source_session_outcome(session)->status, HAUL_STOPPED);
    source_session_destroy(session);
}

static void test_source_session__stopped_without_a_path__ends(void)
{
    open_session();
    propose(false, 1);
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_CLOSED, 2);
    check(does(SOURCE_ACTION_DISCONNECT));
    feed_stop(3);
    check(does(SOURCE_ACTION_STOP));
    check(does(SOURCE_ACTION_END));
    check_status(source_session_outcome(session)->status, HAUL_STOPPED);
    source_session_destroy(session);
}

/* The receiver may be started again meanwhile. */
static void test_source_session__target_stops__comes_back(void)
{
    struct message message;
    open_session();
    propose(false, 1);
    message_init(&message, MESSAGE_STOP);
    feed_message(&message, 2);
    check(does(SOURCE_ACTION_DISCONNECT));
    check_equal(source_session_state(session), SOURCE_RETRYING);
    check_status(source_session_loss(session)->status, HAUL_CLOSED);
    check(strstr(source_session_loss(session)->hint, "start `haul recv` again") != NULL);
    source_session_destroy(session);
}

/* No further Progress can request the next round. */
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

/* The target closes its links after Committed; either may be read first. */
static void test_source_session__links_end_before_committed_is_read__no_loss_of_path(void)
{
    bool resume = false;
    open_session_of(true);
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome_of(JOB_PREPARED, 1);
    bind_to_target(1);
    check(sends(MESSAGE_COMMIT, &resume));
    feed_type(SOURCE_EVENT_LINKS_DOWN, HAUL_CLOSED, 2);
    check_equal(source_session_state(session), SOURCE_COMMITTING);
    struct message message;
    message_init(&message, MESSAGE_COMMITTED);
    message.as.committed.new_version = plan.new_version;
    feed_message(&message, 3);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_OK);
    source_session_destroy(session);
}

/* A stop or a cancel comes too late: the target must learn the decision. */
static void test_source_session__stop_behind_the_decision__is_finished(void)
{
    static const enum source_event_type types[] = {SOURCE_EVENT_STOP, SOURCE_EVENT_CANCEL};
    for (size_t i = 0; i < CHECK_COUNT(types); i++) {
        bool resume = false;
        struct message message;
        open_session_of(true);
        feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
        check(sends(MESSAGE_HELLO, &resume));
        feed_welcome_of(JOB_PREPARED, 1);
        bind_to_target(1);
        check(sends(MESSAGE_COMMIT, &resume));
        feed_type(types[i], HAUL_STOPPED, 2);
        check_equal(source_session_state(session), SOURCE_COMMITTING);
        message_init(&message, MESSAGE_COMMITTED);
        message.as.committed.new_version = plan.new_version;
        feed_message(&message, 3);
        check_status(source_session_outcome(session)->status, HAUL_OK);
        source_session_destroy(session);
    }
}

/* Whatever such a target owns is not what was handed over. */
static void test_source_session__committed_of_another_version__in_doubt(void)
{
    bool resume = false;
    struct message message;
    open_session_of(true);
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome_of(JOB_PREPARED, 1);
    bind_to_target(1);
    check(sends(MESSAGE_COMMIT, &resume));
    message_init(&message, MESSAGE_COMMITTED);
    message.as.committed.new_version = plan.new_version + 1;
    feed_message(&message, 2);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_IN_DOUBT);
    check(strstr(source_session_outcome(session)->text, "config version 2, not 1") != NULL);
    source_session_destroy(session);
}

static void test_source_session__stop_behind_the_decision_without_a_path__in_doubt(void)
{
    open_session_of(true);
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_REFUSED, 1);
    check(does(SOURCE_ACTION_DISCONNECT));
    feed_stop(2);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_IN_DOUBT);
    check(strstr(source_session_outcome(session)->hint,
                 "run `haul resolve` when it is reachable") != NULL);
    source_session_destroy(session);
}

/* Another database answers at the address of the job's target. */
static void test_source_session__bound_to_another_target__nothing_is_given_up(void)
{
    bool ignored = false;
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &ignored));
    feed_welcome(1);
    check(does(SOURCE_ACTION_BIND));
    feed_type(SOURCE_EVENT_BOUND, HAUL_MISMATCH, 2);
    check(sends(MESSAGE_STOP, &ignored));
    check_status(source_session_outcome(session)->status, HAUL_MISMATCH);
    check_equal(source_session_state(session), SOURCE_ENDED);
    source_session_destroy(session);
    open_session_of(true);
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &ignored));
    feed_welcome_of(JOB_COMMITTED, 1);
    check(does(SOURCE_ACTION_BIND));
    feed_type(SOURCE_EVENT_BOUND, HAUL_MISMATCH, 2);
    check_status(source_session_outcome(session)->status, HAUL_IN_DOUBT);
    source_session_destroy(session);
}

static void feed_bound_jobs(uint8_t *jobs, size_t size)
{
    struct source_event event = {.type = SOURCE_EVENT_BOUND, .jobs = slice_of(jobs, size)};
    source_session_event(session, &event, 1);
}

static void test_source_session__earlier_jobs_are_over__the_plan_names_them(void)
{
    bool ignored = false;
    uint8_t jobs[2 * HAUL_JOB_BYTES] = {1, 2, 3};
    open_session();
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &ignored));
    feed_welcome(1);
    check(does(SOURCE_ACTION_BIND));
    feed_bound_jobs(jobs, sizeof(jobs));
    check(does(SOURCE_ACTION_SEND));
    check_equal(action.message.type, MESSAGE_PLAN);
    check(slice_compare(message_slice(action.message.as.plan.supersedes),
                        slice_of(jobs, sizeof(jobs))) == 0);
    message_release(&action.message);
    source_session_destroy(session);
}

/* A target that is clearing: the source waits as long as the target reports so. */
static void test_source_session__only_tells_and_nothing_is_said__timeout(void)
{
    static const uint64_t limit_ns = STALL_PEER_TIMEOUTS * PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS;
    struct message working;
    bool resume = false;
    open_session_as(&(struct source_session_options){.only_tells = true});
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    check(resume); /* what does it have of the job? */
    feed_welcome(1);
    bind_to_target(1);
    check_equal(source_session_deadline_ns(session), 1 + limit_ns);
    message_init(&working, MESSAGE_WORKING);
    working.as.working.done = 1;
    feed_message(&working, limit_ns);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, 2 * limit_ns - 1);
    check_equal(source_session_state(session), SOURCE_ABORTING);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, 2 * limit_ns);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_TIMEOUT);
    source_session_destroy(session);
}

/* This session must not end what the target has of the job that Hello names: it sends Stop. */
static void test_source_session__only_tells_and_is_cancelled_or_fails__nothing_is_aborted(void)
{
    static const enum source_event_type events[] = {SOURCE_EVENT_CANCEL, SOURCE_EVENT_FAILED,
                                                    SOURCE_EVENT_TICK};
    const uint64_t late_ns = 100 * PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS;
    for (size_t i = 0; i < CHECK_COUNT(events); i++) {
        for (int greeted = 0; greeted < 2; greeted++) {
            bool ignored = false;
            open_session_as(&(struct source_session_options){.only_tells = true, .asks = true});
            feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
            check(sends(MESSAGE_HELLO, &ignored));
            if (greeted == 1) {
                feed_welcome_of(JOB_PREPARED, 1);
                check(does(SOURCE_ACTION_BIND));
            }
            feed_type(events[i], HAUL_CANCELLED, late_ns);
            while (source_session_action(session, &action)) {
                check(action.type != SOURCE_ACTION_SEND || action.message.type == MESSAGE_STOP);
                if (action.type == SOURCE_ACTION_SEND) {
                    message_release(&action.message);
                }
            }
            check(source_session_state(session) == SOURCE_ENDED ||
                  source_session_state(session) == SOURCE_RETRYING);
            source_session_destroy(session);
        }
    }
}

/* The hand-over is recorded by then: there is nothing to send. */
static void test_source_session__only_tells_and_owned_there__ok(void)
{
    bool resume = false;
    open_session_as(&(struct source_session_options){.only_tells = true});
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome_of(JOB_COMMITTED, 1);
    bind_to_target(1);
    check(does(SOURCE_ACTION_STOP));
    check(does(SOURCE_ACTION_END));
    check_status(source_session_outcome(session)->status, HAUL_OK);
    source_session_destroy(session);
}

/* Only then is it known who answers: it has another job. */
static void test_source_session__another_job_is_to_be_asked__hello_names_it(void)
{
    static const uint8_t next_job[HAUL_JOB_BYTES] = {7, 7};
    const struct source_event bound = {
        .type = SOURCE_EVENT_BOUND, .next_job = next_job, .next_epoch = 3};
    bool ignored = false;
    open_session_as(&(struct source_session_options){.only_tells = true});
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &ignored));
    feed_welcome(1);
    check(does(SOURCE_ACTION_BIND));
    source_session_event(session, &bound, 1);
    check(does(SOURCE_ACTION_DISCONNECT));
    check(does(SOURCE_ACTION_CONNECT));
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 2);
    check(does(SOURCE_ACTION_SEND));
    check(memcmp(action.message.as.hello.job.bytes, next_job, HAUL_JOB_BYTES) == 0);
    check_equal(action.message.as.hello.epoch, MESSAGE_EPOCH_NONE);
    message_release(&action.message);
    feed_welcome_of(JOB_COMMITTED, 2);
    bind_to_target(2);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_OK);
    source_session_destroy(session);
}

/* The target owns, and this side could not record it: in doubt for every request. Ranges that have
 * come back since are named as such. */
static void test_source_session__owned_and_not_recorded__in_doubt(void)
{
    static const enum haul_status causes[] = {HAUL_IO, HAUL_FENCED};
    for (size_t i = 0; i < CHECK_COUNT(causes); i++) {
        for (int tells = 0; tells < 2; tells++) {
            struct source_event bound = {.type = SOURCE_EVENT_BOUND};
            bool ignored = false;
            haul_error_set(&bound.error, causes[i], NULL, 0, "the cause");
            haul_error_hint(&bound.error, "the way out");
            open_session_as(
                &(struct source_session_options){.only_tells = tells == 1, .continued = true});
            feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
            check(sends(MESSAGE_HELLO, &ignored));
            feed_welcome_of(JOB_COMMITTED, 1);
            check(does(SOURCE_ACTION_BIND));
            source_session_event(session, &bound, 1);
            const struct haul_error *outcome = source_session_outcome(session);
            check_status(outcome->status, HAUL_IN_DOUBT);
            bool all = causes[i] == HAUL_FENCED;
            check((strstr(outcome->text, "cannot be recorded: the cause") == NULL) == all);
            check((strstr(outcome->hint, "run the same command again") == NULL) == all);
            check((strcmp(outcome->hint, "the way out") == 0) == all);
            source_session_destroy(session);
        }
    }
}

static void test_source_session__only_tells__ok_when_the_target_has_cleared(void)
{
    for (int cleared = 0; cleared < 2; cleared++) {
        bool ignored = false;
        uint8_t jobs[HAUL_JOB_BYTES] = {1};
        struct message message;
        open_session_as(&(struct source_session_options){.only_tells = true});
        feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
        check(sends(MESSAGE_HELLO, &ignored));
        feed_welcome_of(JOB_COPYING, 1);
        check(does(SOURCE_ACTION_BIND));
        feed_bound_jobs(jobs, sizeof(jobs));
        check(does(SOURCE_ACTION_SEND));
        check_equal(action.message.type, MESSAGE_ABORT);
        check_equal(message_slice(action.message.as.abort.jobs).size, sizeof(jobs));
        message_release(&action.message);
        message_init(&message, MESSAGE_ABORTED);
        message.as.aborted.cleared = cleared == 1;
        feed_message(&message, 3);
        check_equal(source_session_state(session), SOURCE_ENDED);
        check_status(source_session_outcome(session)->status,
                     cleared == 1 ? HAUL_OK : HAUL_TIMEOUT);
        source_session_destroy(session);
    }
}

/* A link breaks, then the channel: that counts as one loss. */
static void test_source_session__path_lost_twice__one_retry(void)
{
    open_session();
    copy_everything();
    feed_type(SOURCE_EVENT_LINKS_DOWN, HAUL_CLOSED, 10);
    check(does(SOURCE_ACTION_DISCONNECT));
    check_equal(source_session_state(session), SOURCE_RETRYING);
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_CLOSED, 11);
    check_equal(source_session_state(session), SOURCE_RETRYING);
    check(!next_action());
    source_session_destroy(session);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_session__path_lost_twice__one_retry),
    CHECK_TEST(test_source_session__bound_to_another_target__nothing_is_given_up),
    CHECK_TEST(test_source_session__earlier_jobs_are_over__the_plan_names_them),
    CHECK_TEST(test_source_session__only_tells_and_nothing_is_said__timeout),
    CHECK_TEST(test_source_session__only_tells_and_is_cancelled_or_fails__nothing_is_aborted),
    CHECK_TEST(test_source_session__only_tells_and_owned_there__ok),
    CHECK_TEST(test_source_session__another_job_is_to_be_asked__hello_names_it),
    CHECK_TEST(test_source_session__owned_and_not_recorded__in_doubt),
    CHECK_TEST(test_source_session__only_tells__ok_when_the_target_has_cleared),
    CHECK_TEST(test_source_session__welcome_of_another_format__version),
    CHECK_TEST(test_source_session__targets_version_is_too_far__no_plan),
    CHECK_TEST(test_source_session__accepted_before_the_plan__no_links),
    CHECK_TEST(test_source_session__welcome_without_token_or_session__protocol),
    CHECK_TEST(test_source_session__welcome_that_names_no_database__protocol),
    CHECK_TEST(test_source_session__welcome_of_other_slots__ends_and_an_earlier_attempt_is_kept),
    CHECK_TEST(test_source_session__undecided_and_owned_there__in_doubt),
    CHECK_TEST(test_source_session__answer_that_does_not_fit_the_plan__protocol),
    CHECK_TEST(test_source_session__copied_and_not_yet_applied__no_round),
    CHECK_TEST(test_source_session__path_lost_before_welcome__comes_back),
    CHECK_TEST(test_source_session__path_lost_before_plan_accepted__comes_back_with_the_job),
    CHECK_TEST(test_source_session__busy_after_the_return__tries_again),
    CHECK_TEST(
        test_source_session__cancelled_and_refused_after_the_return__is_not_believed_to_know),
    CHECK_TEST(test_source_session__targets_disk_fails__is_not_believed_to_know),
    CHECK_TEST(test_source_session__owned_job_of_a_refusal__believed_behind_welcome),
    CHECK_TEST(test_source_session__busy_at_first__tries_again_within_its_limit),
    CHECK_TEST(test_source_session__connection_refused_as_busy__tries_again),
    CHECK_TEST(test_source_session__only_tells_or_asks_and_nobody_listens__tries_again),
    CHECK_TEST(test_source_session__nobody_listens_at_first__ends),
    CHECK_TEST(test_source_session__stopped_while_copying__target_is_told_to_keep),
    CHECK_TEST(test_source_session__stopped_without_a_path__ends),
    CHECK_TEST(test_source_session__target_stops__comes_back),
    CHECK_TEST(test_source_session__stop_behind_the_decision__is_finished),
    CHECK_TEST(test_source_session__committed_of_another_version__in_doubt),
    CHECK_TEST(test_source_session__stop_behind_the_decision_without_a_path__in_doubt),
    CHECK_TEST(test_source_session__all_applied_before_the_round_ends__goes_on),
    CHECK_TEST(test_source_session__round_done_target_behind__waits_for_progress),
    CHECK_TEST(test_source_session__links_end_before_committed_is_read__no_loss_of_path),
};

CHECK_MAIN("source_session", tests)
