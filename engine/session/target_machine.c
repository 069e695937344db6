/* SPDX-License-Identifier: Apache-2.0 */
/* target_machine.c — actions, states, and the ends of a target session. */
#include "target_machine.h"

#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "end_reason.h"
#include "probe.h"

/* --- actions and states ----------------------------------------------------------------------- */

struct target_action *target_push(struct target_session *session, enum target_action_type type)
{
    haul_assert(session->action_count < TARGET_ACTION_COUNT_MAX);
    struct target_action *action = &session->actions[session->action_count++];
    memset(action, 0, sizeof(*action));
    action->type = type;
    return action;
}

struct message *target_push_message(struct target_session *session, enum message_type type)
{
    struct target_action *action = target_push(session, TARGET_ACTION_SEND);
    message_init(&action->message, type);
    return &action->message;
}

void target_enter(struct target_session *session, enum target_state state, uint64_t deadline_ns)
{
    if (state != session->state) {
        PROBE2(target_state, session->state, state);
    }
    session->state = state;
    session->state_deadline_ns = deadline_ns;
}

uint64_t target_answer_deadline(const struct target_session *session, uint64_t now_ns)
{
    return now_ns + (uint64_t)session->options.peer_timeout_ms * NS_PER_MS;
}

void target_end(struct target_session *session)
{
    target_enter(session, TARGET_ENDED, CLOCK_NEVER);
    (void)target_push(session, TARGET_ACTION_STOP);
    (void)target_push(session, TARGET_ACTION_END);
}

/* Nothing was changed yet: refuse and end. */
void target_refuse(struct target_session *session, const struct haul_error *error)
{
    session->outcome = *error;
    if (session->channel_up) {
        haul_control_Refused *refused = &target_push_message(session, MESSAGE_REFUSED)->as.refused;
        refused->status = (uint32_t)error->status;
        message_error_text(error, refused->text);
        (void)snprintf(refused->hint, sizeof(refused->hint), "%s", error->hint);
        refused->owned_job.size = session->owned_job == NULL ? 0 : HAUL_JOB_BYTES;
        if (session->owned_job != NULL) {
            memcpy(refused->owned_job.bytes, session->owned_job, HAUL_JOB_BYTES);
        }
        message_put_bytes(session->lost, &refused->lost.size, refused->lost.bytes,
                          sizeof(refused->lost.bytes));
    }
    target_end(session);
}

void target_refuse_with(struct target_session *session, enum haul_status status, const char *text,
                        const char *hint)
{
    struct haul_error error = {0};
    haul_error_set(&error, status, NULL, 0, "%s", text);
    haul_error_hint(&error, "%s", hint);
    target_refuse(session, &error);
}

/* Something was copied: send Abort, unless the peer has sent it, and clear the ranges. */
void target_clear(struct target_session *session, const struct haul_error *error)
{
    session->outcome = *error;
    if (session->channel_up && !session->told_to_abort) {
        haul_control_Abort *abort_message = &target_push_message(session, MESSAGE_ABORT)->as.abort;
        abort_message->status = (uint32_t)error->status;
        message_error_text(error, abort_message->text);
        (void)snprintf(abort_message->hint, sizeof(abort_message->hint), "%s", error->hint);
    }
    session->cleared = true;
    (void)target_push(session, TARGET_ACTION_STOP);
    (void)target_push(session, TARGET_ACTION_CLEAR);
    target_enter(session, TARGET_CLEARING, CLOCK_NEVER);
}

/* The source gave up: clear what the job left here, then send Aborted. */
void target_end_aborted(struct target_session *session, const struct haul_error *error)
{
    session->told_to_abort = true;
    if (session->begun) {
        target_clear(session, error);
        return;
    }
    session->outcome = *error;
    target_push_message(session, MESSAGE_ABORTED)->as.aborted.cleared = true;
    target_end(session);
}

/* The source may have decided: serve nobody, keep everything, wait for its decision record. */
static void leave_in_doubt(struct target_session *session, const struct haul_error *error)
{
    haul_error_set(&session->outcome, HAUL_IN_DOUBT, error->call, error->code,
                   "prepared, and the source's decision is not known: %s", error->text);
    haul_error_hint(&session->outcome,
                    "the source's record decides: run `haul resume` or `haul resolve` there");
    session->kept = true;
    target_end(session);
}

/* NULL: nobody is there to hear it. The source need not come back before what is lacking is there
 * again. */
static haul_control_Stop *push_stop(struct target_session *session, const struct haul_error *error)
{
    if (!session->channel_up) {
        return NULL;
    }
    haul_control_Stop *stop = &target_push_message(session, MESSAGE_STOP)->as.stop;
    message_error_text(error, stop->text);
    if (end_reason_is_lack(error->status)) {
        (void)snprintf(stop->hint, sizeof(stop->hint), "%s", error->hint);
        stop->status = (uint32_t)error->status;
    }
    return stop;
}

void target_say_stop(struct target_session *session, const struct haul_error *error)
{
    (void)push_stop(session, error);
}

/* A disk is full, or something else is missing that the operator can mend. Flush and remove
 * nothing, because both may need it; the recorded positions show what stays. */
static void keep_recorded(struct target_session *session, const struct haul_error *error)
{
    session->outcome = *error;
    session->kept = true;
    (void)push_stop(session, error);
    target_end(session);
}

void target_keep_damaged(struct target_session *session, const struct haul_error *error)
{
    if (session->state < TARGET_RECEIVING || session->state > TARGET_RECORDING) {
        target_fail(session, error);
        return;
    }
    session->outcome = *error;
    session->kept = true;
    haul_control_Stop *stop = push_stop(session, error);
    if (stop != NULL) {
        stop->damaged = true;
    }
    target_end(session);
}

void target_fail(struct target_session *session, const struct haul_error *error)
{
    switch (session->state) {
    case TARGET_WAITING:
    case TARGET_LOOKING:
    case TARGET_VERIFYING:
        target_refuse(session, error);
        return;
    case TARGET_GREETED:
        if (session->recorded) {
            leave_in_doubt(session, error);
        } else {
            target_refuse(session, error);
        }
        return;
    case TARGET_CHECKING:
    case TARGET_RECEIVING:
    case TARGET_FLUSHING:
    case TARGET_RECORDING:
        if (end_reason_is_lack(error->status) && session->state != TARGET_CHECKING) {
            keep_recorded(session, error);
        } else {
            target_clear(session, error);
        }
        return;
    case TARGET_PREPARED:
        leave_in_doubt(session, error);
        return;
    case TARGET_KEEPING: /* what is already durable stays */
        haul_error_hint(&session->outcome, "not everything could be kept: %s", error->text);
        target_end(session);
        return;
    case TARGET_OWNING: /* decided: only its own answer ends it */
    case TARGET_CLEARING:
    case TARGET_ENDED:
        return;
    }
}

/* One side ends its attempt, and both keep what has arrived. */
void target_keep(struct target_session *session, const struct haul_error *error)
{
    session->outcome = *error;
    session->kept = true;
    if (session->state == TARGET_RECEIVING || session->state == TARGET_FLUSHING) {
        (void)target_push(session, TARGET_ACTION_KEEP);
        target_enter(session, TARGET_KEEPING, CLOCK_NEVER);
    } else {
        target_end(session);
    }
}

void target_fail_with(struct target_session *session, enum haul_status status, const char *text)
{
    struct haul_error error = {0};
    haul_error_set(&error, status, NULL, 0, "%s", text);
    target_fail(session, &error);
}
