/* SPDX-License-Identifier: Apache-2.0 */
/* source_binding.c — Welcome, and the answer to it. */
#include "source_binding.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "planted_bug.h"
#include "source_hand_over.h"

/* The driver writes records here. The deadline bounds a disk or a hook that does not answer. */
static void ask_to_bind(struct source_session *session, uint64_t now_ns)
{
    (void)source_push(session, SOURCE_ACTION_BIND);
    source_enter(session, SOURCE_BINDING, source_stall_deadline(session, now_ns));
}

void source_binding_on_welcome(struct source_session *session, const haul_control_Welcome *welcome,
                               uint64_t now_ns)
{
    session->welcome = *welcome;
    stall_watch_note_peer_timeout(&session->stall, welcome->peer_timeout_ms);
    if (session->decided) { /* no abort after the decision */
        ask_to_bind(session, now_ns);
        return;
    }
    struct haul_error error = {0};
    if (source_check_welcome(session, welcome, &error) != HAUL_OK) {
        source_end_unfit(session, &error, now_ns);
        return;
    }
    ask_to_bind(session, now_ns);
}

/* False: no memory. */
static bool put_jobs(struct haul_slice jobs, pb_bytes_array_t **to)
{
    *to = jobs.size == 0 ? NULL : message_bytes(jobs);
    return *to != NULL || jobs.size == 0;
}

/* False: no memory. */
static bool put_all_jobs(const struct source_event *event, haul_control_Plan *plan)
{
    return put_jobs(event->jobs, &plan->supersedes) &&
           put_jobs(event->job_proofs, &plan->supersedes_proofs) &&
           put_jobs(event->between, &plan->between) && put_jobs(event->lost, &plan->lost);
}

static void send_plan(struct source_session *session, const struct source_event *event,
                      uint64_t now_ns)
{
    const haul_control_Welcome *welcome = &session->welcome;
    const struct version_claim theirs = {.version = welcome->config_version,
                                         .authoritative = welcome->config_version_known};
    struct haul_error error = {0};
    if (version_claim_check_theirs(&session->options.version, &theirs, &error) != HAUL_OK) {
        source_abort_job(session, &error, true, now_ns);
        return;
    }
    session->options.plan->new_version =
        HAUL_PLANTED_BUG(OWN_VERSION_ONLY) ? session->options.version.version + 1
                                           : version_claim_next(&session->options.version, &theirs);
    struct source_action *action = source_push(session, SOURCE_ACTION_SEND);
    if (plan_to_message(session->options.plan, &action->message) != HAUL_OK ||
        !put_all_jobs(event, &action->message.as.plan)) {
        message_release(&action->message);
        session->action_count--;
        source_abort_with(session, HAUL_NO_MEMORY, "no memory for the plan", "", now_ns);
        return;
    }
    session->proposed = true;
    session->figures.peer_knows = false;
    /* Clearing an --overwrite range takes time; meanwhile the target sends Working. */
    source_enter(session, SOURCE_PLANNING, CLOCK_NEVER);
}

/* Only notify the target: end these jobs as if they were aborted now. Clearing takes time;
 * meanwhile the target sends Working. */
static void send_jobs(struct source_session *session, const struct source_event *event,
                      uint64_t now_ns)
{
    struct message *message = source_push_message(session, MESSAGE_ABORT);
    haul_control_Abort *abort_message = &message->as.abort;
    abort_message->status = HAUL_CANCELLED;
    (void)snprintf(abort_message->text, sizeof(abort_message->text), "given up by the source");
    haul_error_set(&session->outcome, HAUL_TIMEOUT, NULL, 0,
                   "the target has not confirmed that the jobs are over");
    source_put_proof(session, abort_message);
    if (!put_jobs(event->jobs, &abort_message->jobs) ||
        !put_jobs(event->job_proofs, &abort_message->job_proofs)) {
        haul_error_set(&session->outcome, HAUL_NO_MEMORY, NULL, 0, "no memory for the jobs");
    }
    source_enter(session, SOURCE_ABORTING, source_stall_deadline(session, now_ns));
}

static void say_stop_and_lost(struct source_session *session, const struct source_event *event)
{
    haul_control_Stop *stop = source_say_stop(session, &event->error);
    message_put_bytes(event->lost, &stop->lost.size, stop->lost.bytes, sizeof(stop->lost.bytes));
}

/* Another database answers here, or there is nothing to report. The job stays as it is. */
static void leave_stranger(struct source_session *session, const struct source_event *event)
{
    session->outcome = event->error;
    say_stop_and_lost(session, event);
    source_end(session);
}

/* Send a Stop only if jobs were lost; otherwise end without one. */
static void say_lost(struct source_session *session, const struct source_event *event)
{
    if (event->lost.size > 0) {
        say_stop_and_lost(session, event);
    }
}

void source_binding_on_bound(struct source_session *session, const struct source_event *event,
                             uint64_t now_ns)
{
    enum haul_status status = event->error.status;
    source_proof_take(&session->proof, event->proof);
    session->options.plan->proof = session->proof;
    bool stranger = status == HAUL_MISMATCH || session->options.only_tells;
    bool owned = session->welcome.job_phase == JOB_COMMITTED;
    bool tells = session->options.only_tells;
    bool unrecorded = tells && owned && status != HAUL_NOT_FOUND && status != HAUL_MISMATCH;
    if (status != HAUL_OK && session->decided) {
        bool hints = status == HAUL_MISMATCH || status == HAUL_FENCED;
        say_lost(session, event);
        source_leave_hinted(session, event->error.text, hints ? event->error.hint : "");
    } else if (status == HAUL_OK && tells && event->next_job != NULL) {
        source_ask_next(session, event);
    } else if (status == HAUL_OK && tells && event->commit != NULL) {
        source_hand_over_answer(session, event->commit, now_ns);
    } else if (status != HAUL_OK && stranger && !unrecorded) {
        leave_stranger(session, event);
    } else if (owned && !session->decided && (!stranger || status != HAUL_OK)) {
        say_lost(session, event);
        source_leave_owned(session, &event->error);
    } else if (status != HAUL_OK) {
        source_abort_job(session, &event->error, true, now_ns);
    } else if (session->decided && !tells) {
        source_hand_over_on_welcome(session, now_ns);
    } else if (tells && owned && event->jobs.size == 0) {
        say_lost(session, event);
        memset(&session->outcome, 0, sizeof(session->outcome)); /* recorded here, and finished */
        source_end(session);
    } else if (tells) {
        send_jobs(session, event, now_ns);
    } else {
        send_plan(session, event, now_ns);
    }
}
