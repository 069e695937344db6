/* SPDX-License-Identifier: Apache-2.0 */
/* source_machine.c — actions, states, reconnecting, and the ends of a source session. */
#include "source_machine.h"

#include <inttypes.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "end_reason.h"
#include "planted_bug.h"
#include "probe.h"
#include "wire_mode.h"

/* --- actions and states ----------------------------------------------------------------------- */

struct source_action *source_push(struct source_session *session, enum source_action_type type)
{
    haul_assert(session->action_count < SOURCE_ACTION_COUNT_MAX);
    struct source_action *action = &session->actions[session->action_count++];
    memset(action, 0, sizeof(*action));
    action->type = type;
    return action;
}

struct message *source_push_message(struct source_session *session, enum message_type type)
{
    struct source_action *action = source_push(session, SOURCE_ACTION_SEND);
    message_init(&action->message, type);
    return &action->message;
}

void source_enter(struct source_session *session, enum source_state state, uint64_t deadline_ns)
{
    if (state != session->state) {
        PROBE2(source_state, session->state, state);
    }
    session->state = state;
    session->state_deadline_ns = deadline_ns;
}

/* Deadline of an answer that the peer owes us. */
uint64_t source_answer_deadline(const struct source_session *session, uint64_t now_ns)
{
    return now_ns + (uint64_t)session->options.peer_timeout_ms * NS_PER_MS;
}

uint64_t source_stall_deadline(const struct source_session *session, uint64_t now_ns)
{
    return now_ns + (uint64_t)session->options.peer_timeout_ms * STALL_PEER_TIMEOUTS * NS_PER_MS;
}

void source_thaw(struct source_session *session, uint64_t now_ns)
{
    if (freeze_limit_is_on(&session->freeze)) {
        freeze_limit_end(&session->freeze, now_ns);
        (void)source_push(session, SOURCE_ACTION_UNFREEZE);
    }
}

void source_end(struct source_session *session)
{
    source_enter(session, SOURCE_ENDED, CLOCK_NEVER);
    (void)source_push(session, SOURCE_ACTION_STOP);
    (void)source_push(session, SOURCE_ACTION_END);
}

haul_control_Stop *source_say_stop(struct source_session *session, const struct haul_error *error)
{
    haul_control_Stop *stop = &source_push_message(session, MESSAGE_STOP)->as.stop;
    message_error_text(error, stop->text);
    return stop;
}

void source_put_proof(const struct source_session *session, haul_control_Abort *to)
{
    message_put_bytes(source_proof_slice(&session->proof), &to->proof.size, to->proof.bytes,
                      sizeof(to->proof.bytes));
}

/* Before the decision: release everything, notify the peer, end with `error`. */
void source_abort_job(struct source_session *session, const struct haul_error *error,
                      bool tell_peer, uint64_t now_ns)
{
    session->outcome = *error;
    if (session->decision_asked && !HAUL_PLANTED_BUG(UNFREEZE_UNDECIDED)) {
        return; /* the decision settles it, once known */
    }
    source_thaw(session, now_ns);
    (void)source_push(session, SOURCE_ACTION_STOP);
    bool tells = tell_peer && session->channel_up;
    if (tells && session->options.only_tells) {
        /* No attempt was made: the job in Hello, as the target has it, is not ours to end. */
        (void)source_say_stop(session, error);
    }
    if (!tells || session->options.only_tells) {
        source_enter(session, SOURCE_ENDED, CLOCK_NEVER);
        (void)source_push(session, SOURCE_ACTION_END);
        return;
    }
    struct message *message = source_push_message(session, MESSAGE_ABORT);
    message->as.abort.status = (uint32_t)error->status;
    message_error_text(error, message->as.abort.text);
    source_put_proof(session, &message->as.abort);
    source_enter(session, SOURCE_ABORTING, source_answer_deadline(session, now_ns));
}

void source_abort_with(struct source_session *session, enum haul_status status, const char *text,
                       const char *hint, uint64_t now_ns)
{
    struct haul_error error = {0};
    haul_error_set(&error, status, NULL, 0, "%s", text);
    haul_error_hint(&error, "%s", hint);
    source_abort_job(session, &error, true, now_ns);
}

void source_end_kept(struct source_session *session, const struct haul_error *error,
                     uint64_t now_ns)
{
    if (HAUL_PLANTED_BUG(STOP_CANCELS)) {
        source_abort_job(session, error, true, now_ns);
        return;
    }
    session->outcome = *error;
    session->figures.kept = true;
    source_thaw(session, now_ns);
    if (session->channel_up) {
        (void)source_say_stop(session, error);
    }
    source_end(session);
}

void source_end_unfit(struct source_session *session, const struct haul_error *error,
                      uint64_t now_ns)
{
    bool something_is_there = session->options.continued || session->sent_once ||
                              message_durable_mark(&session->accepted.as.plan_accepted) > 1;
    if (something_is_there) {
        source_end_kept(session, error, now_ns);
    } else {
        source_abort_job(session, error, true, now_ns);
    }
}

/* --- greeting --------------------------------------------------------------------------------- */

enum haul_status source_check_welcome(const struct source_session *session,
                                      const haul_control_Welcome *welcome, struct haul_error *error)
{
    uint32_t ours = session->options.source.link.slot_size_bytes;
    if (welcome->wire_version != MESSAGE_WIRE_VERSION) {
        haul_error_set(error, HAUL_VERSION, NULL, 0, "the target speaks another batch format");
        haul_error_hint(error, "install the same release of haul on both sides");
        return HAUL_VERSION;
    }
    if (welcome->token.size != MESSAGE_TOKEN_BYTES ||
        welcome->session.size != MESSAGE_SESSION_BYTES) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "the target's Welcome has no token");
    }
    if (!wire_mode_fits(session->options.source.wire, session->options.source.keys != NULL,
                        welcome->wire)) {
        haul_error_set(error, HAUL_AUTH, NULL, 0,
                       "the target agrees to another protection of the data than `%s`",
                       haul_wire_name(session->options.source.wire));
        haul_error_hint(error, "install the same release of haul on both sides");
        return HAUL_AUTH;
    }
    if (!message_is_identity(welcome->target_identity.bytes, welcome->target_identity.size)) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the target's Welcome does not name its database");
    }
    bool has_slots = !session->options.only_tells && welcome->slot_size_bytes > 0;
    if (has_slots && welcome->slot_size_bytes != ours) {
        haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                       "the target's slots have %" PRIu32 " bytes, ours %" PRIu32,
                       welcome->slot_size_bytes, ours);
        haul_error_hint(error, "set the same `--slot-size` on both sides");
        return HAUL_MISMATCH;
    }
    return HAUL_OK;
}

/* --- reconnecting ----------------------------------------------------------------------------- */

bool source_may_wait(const struct source_session *session, const struct haul_error *error,
                     uint64_t now_ns)
{
    /* A path on which nothing moves does not count as up. */
    bool was_up = session->accepted_once && session->state > SOURCE_LINKING &&
                  session->state < SOURCE_RETRYING && !session->stalled;
    bool passes = end_reason_is_path(error->status) ||
                  (session->state == SOURCE_CONNECTING && end_reason_is_shortage(error->status));
    return !session->ending && passes && retry_limit_allows(&session->retry, was_up, now_ns);
}

bool source_may_retry(const struct source_session *session, const struct haul_error *error,
                      uint64_t now_ns)
{
    /* While another job runs there, or strangers fill its connections, wait. For a job that is to
     * copy, a receiver that is not there at all may be a mistake in the command line. */
    bool known = session->proposed || session->decided || session->options.only_tells ||
                 session->figures.retries > 0 || error->status == HAUL_BUSY ||
                 error->status == HAUL_CLOSED;
    return known && source_may_wait(session, error, now_ns);
}

void source_go_retry(struct source_session *session, const struct haul_error *loss, uint64_t now_ns)
{
    session->loss = *loss;
    source_thaw(session, now_ns);
    session->channel_up = false;
    session->copied = false;
    session->waits_for_target = session->waits_for_target && HAUL_PLANTED_BUG(WAIT_KEPT);
    memset(&session->progress, 0, sizeof(session->progress));
    (void)source_push(session, SOURCE_ACTION_DISCONNECT);
    source_enter(session, SOURCE_RETRYING, retry_limit_next_ns(&session->retry, now_ns));
}

void source_ask_next(struct source_session *session, const struct source_event *event)
{
    memcpy(session->options.job, event->next_job, HAUL_JOB_BYTES);
    session->options.epoch = event->next_epoch;
    session->channel_up = false;
    (void)source_push(session, SOURCE_ACTION_DISCONNECT);
    (void)source_push(session, SOURCE_ACTION_CONNECT);
    source_enter(session, SOURCE_CONNECTING, CLOCK_NEVER);
}

void source_leave_in_doubt(struct source_session *session, const char *why)
{
    haul_error_set(&session->outcome, HAUL_IN_DOUBT, NULL, 0,
                   "the decision to commit is recorded, but the target has not confirmed it: %s",
                   why);
    haul_error_hint(&session->outcome,
                    "the target owns the range; run `haul resolve` when it is reachable");
    source_end(session);
}

void source_leave_hinted(struct source_session *session, const char *why, const char *hint)
{
    source_leave_in_doubt(session, why);
    if (hint[0] != '\0') {
        haul_error_hint(&session->outcome, "%s", hint);
    }
}

void source_leave_owned(struct source_session *session, const struct haul_error *error)
{
    static const char text[] = "the target already owns the ranges by this job: this "
                               "database was set back to an earlier state";
    struct haul_error *outcome = &session->outcome;
    if (error->status == HAUL_OK) {
        haul_error_set(outcome, HAUL_IN_DOUBT, NULL, 0, "%s and has now given up the ranges again",
                       text);
        haul_error_hint(outcome, "`haul resolve --db DIR --to ADDR:PORT` ends the job; writes made "
                                 "here since then are not on the target");
    } else if (error->status == HAUL_FENCED) { /* FENCED explains everything */
        *outcome = *error;
        outcome->status = HAUL_IN_DOUBT;
    } else {
        haul_error_set(outcome, HAUL_IN_DOUBT, NULL, 0, "%s; this cannot be recorded: %s", text,
                       error->text);
        haul_error_hint(outcome, "nobody may write to them here; run the same command again");
    }
    source_end(session);
}

void source_end_late(struct source_session *session, uint64_t now_ns)
{
    struct haul_error error = {0};
    haul_error_set(&error, HAUL_TIMEOUT, NULL, 0,
                   "the records of this database were not written within %u s",
                   session->options.peer_timeout_ms * STALL_PEER_TIMEOUTS / 1000);
    haul_error_hint(&error, "look at the disk of this host, and at the embedder's hooks");
    if (session->decided) {
        source_leave_in_doubt(session, error.text);
    } else {
        source_end_kept(session, &error, now_ns);
    }
}

void source_start_round(struct source_session *session)
{
    session->figures.rounds++;
    (void)source_push(session, SOURCE_ACTION_ROUND);
}
