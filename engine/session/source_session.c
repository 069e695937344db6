/* SPDX-License-Identifier: Apache-2.0 */
/* source_session.c — the source's state machine; the diagram is in source_session.h. */
#include "source_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "end_reason.h"
#include "planted_bug.h"
#include "source_binding.h"
#include "source_hand_over.h"
#include "source_machine.h"

/* --- greeting and plan ------------------------------------------------------------------------ */

static void send_hello(struct source_session *session, uint64_t now_ns)
{
    const struct source_session_options *options = &session->options;
    haul_control_Hello *hello = &source_push_message(session, MESSAGE_HELLO)->as.hello;
    session->welcome.session.size = 0; /* none yet on this connection */
    stall_watch_init(&session->stall, options->peer_timeout_ms);
    hello->wire_version = MESSAGE_WIRE_VERSION;
    hello->journal_version = JOURNAL_FORMAT_VERSION;
    (void)snprintf(hello->software, sizeof(hello->software), "haul %s", HAUL_RELEASE);
    hello->job.size = HAUL_JOB_BYTES;
    memcpy(hello->job.bytes, options->job, HAUL_JOB_BYTES);
    hello->epoch = options->only_tells ? MESSAGE_EPOCH_NONE : options->epoch;
    hello->config_version = options->version.version;
    hello->config_version_known = options->version.authoritative;
    size_t size = strnlen(options->identity, sizeof(hello->source_identity.bytes));
    hello->source_identity.size = (pb_size_t)size;
    memcpy(hello->source_identity.bytes, options->identity, size);
    hello->link_count = options->source.link_count;
    hello->slot_size_bytes = options->source.link.slot_size_bytes;
    hello->peer_timeout_ms = options->peer_timeout_ms;
    hello->secret.size = (pb_size_t)options->source.secret.size;
    if (hello->secret.size > 0) {
        memcpy(hello->secret.bytes, options->source.secret.data, hello->secret.size);
    }
    hello->retry_ms = options->retry_max_ms;
    hello->wire = (uint32_t)options->source.wire;
    hello->resume = session->proposed || options->continued || session->decided ||
                    options->only_tells; /* what has it of the job? */
    source_enter(session, SOURCE_GREETING, source_answer_deadline(session, now_ns));
}

static void on_channel_up(struct source_session *session, uint64_t now_ns)
{
    session->channel_up = true;
    session->proposed_before = session->proposed;
    send_hello(session, now_ns);
}

/* This often in a row, without durable progress in between, is no accident of the path. */
enum { DAMAGES_MAX = 3 };

/* Something arrived damaged here or there. True: it is sent again over a new connection, and what
 * has arrived stays. False: it always arrives damaged, and the job has ended. */
static bool survives_damage(struct source_session *session, const struct haul_error *cause,
                            uint64_t now_ns)
{
    const haul_control_PlanAccepted *accepted = &session->accepted.as.plan_accepted;
    uint64_t mark = message_durable_mark(accepted) + session->progress.durable_records;
    session->figures.crc_errors++;
    session->damages = mark > session->damage_mark ? 1 : session->damages + 1;
    session->damage_mark = mark > session->damage_mark ? mark : session->damage_mark;
    bool hopeless = session->damages >= DAMAGES_MAX && !session->decision_asked &&
                    session->state != SOURCE_ABORTING && session->state != SOURCE_RETRYING;
    if (!hopeless) {
        return true;
    }
    struct haul_error error = {0};
    haul_error_set(&error, HAUL_CORRUPT, NULL, 0, "data arrives damaged, %d times in a row: %s",
                   DAMAGES_MAX, cause->text);
    haul_error_hint(&error, "check memory, cards and cables of both hosts and the network between "
                            "them; `haul resume` continues from what has arrived");
    source_end_kept(session, &error, now_ns);
    return false;
}

/* The connection was lost before the target could report that something had arrived damaged. */
static bool survives_untold_damage(struct source_session *session, uint64_t now_ns)
{
    uint32_t count = session->accepted.as.plan_accepted.damaged_attempts;
    bool untold = session->accepted_once && count > session->their_damages;
    const struct haul_error cause = {.status = HAUL_CORRUPT,
                                     .text = "the target ended an attempt because of it"};
    session->their_damages = count;
    return !untold || survives_damage(session, &cause, now_ns);
}

/* Keep the answer. Its parts belong to the message, so take the message. */
static void take_accepted(struct source_session *session, haul_control_PlanAccepted *accepted)
{
    message_release(&session->accepted);
    session->accepted.type = MESSAGE_PLAN_ACCEPTED;
    session->accepted.as.plan_accepted = *accepted;
    memset(accepted, 0, sizeof(*accepted));
}

static void on_plan_accepted(struct source_session *session, struct message *message,
                             uint64_t now_ns)
{
    haul_control_PlanAccepted *accepted = &message->as.plan_accepted;
    struct plan *plan = session->options.plan;
    bool sound = accepted->family_ids_count == plan->family_count &&
                 haul_lane_name((enum haul_lane)accepted->lane) != NULL;
    for (size_t i = 0; sound && i < plan->family_count; i++) {
        plan->families[i].target_id = accepted->family_ids[i];
    }
    if (!sound) {
        source_abort_with(session, HAUL_PROTOCOL, "the target's answer does not fit the plan", "",
                          now_ns);
        return;
    }
    plan->digest_key.used = plan->digest_key.used && accepted->keyed;
    take_accepted(session, accepted);
    if (!survives_untold_damage(session, now_ns)) {
        return;
    }
    session->accepted_once = true;
    retry_limit_note_up(&session->retry, message_durable_mark(&session->accepted.as.plan_accepted),
                        now_ns);
    session->catch_up.batches = session->accepted.as.plan_accepted.delta_next_batch;
    (void)source_push(session, SOURCE_ACTION_OPEN_LINKS);
    source_enter(session, SOURCE_LINKING, CLOCK_NEVER);
}

/* --- copy and rounds -------------------------------------------------------------------------- */

static void check_copied(struct source_session *session)
{
    if (session->state == SOURCE_COPYING && session->copied &&
        session->progress.snapshot_complete) {
        source_enter(session, SOURCE_CATCHING_UP, CLOCK_NEVER);
        source_start_round(session);
    }
}

/* --- ends ------------------------------------------------------------------------------------- */

static bool is_connecting(const struct source_session *session)
{
    return session->state == SOURCE_CONNECTING || session->state == SOURCE_LINKING;
}

/* The path failed, or something local did. */
static void on_failure(struct source_session *session, const struct haul_error *error,
                       uint64_t now_ns)
{
    if (session->decided) {
        source_leave_in_doubt(session, error->text);
    } else if (session->state == SOURCE_ABORTING) {
        source_enter(session, SOURCE_ENDED, CLOCK_NEVER);
        (void)source_push(session, SOURCE_ACTION_END);
    } else if ((is_connecting(session) &&
                (error->status == HAUL_MISMATCH || error->status == HAUL_UNSUPPORTED)) ||
               (end_reason_is_lack(error->status) && !session->decision_asked)) {
        source_end_unfit(session, error, now_ns);
    } else {
        source_abort_job(session, error, true, now_ns);
    }
}

/* After the decision, stop and cancel finish the job but do not reconnect for it. */
static void end_decided(struct source_session *session, const struct haul_error *error)
{
    session->ending = true;
    if (session->decided && session->state != SOURCE_COMMITTING) {
        source_leave_in_doubt(session, error->text);
    }
}

static void on_stop(struct source_session *session, const struct haul_error *error, uint64_t now_ns)
{
    if (session->decision_asked || session->state == SOURCE_ABORTING) {
        end_decided(session, error);
        return;
    }
    source_end_kept(session, error, now_ns);
}

static void on_cancel(struct source_session *session, const struct haul_error *error,
                      uint64_t now_ns)
{
    if (session->decision_asked) {
        session->outcome = session->decided ? session->outcome : *error;
        end_decided(session, error);
    } else {
        on_failure(session, error, now_ns);
    }
}

/* The control channel or the links are lost. */
static void on_path_lost(struct source_session *session, const struct haul_error *error,
                         uint64_t now_ns)
{
    bool leaves = session->state != SOURCE_ABORTING && session->state != SOURCE_DECIDING &&
                  session->state != SOURCE_RETRYING;
    struct haul_error damaged = {0};
    if (error->status == HAUL_CORRUPT) {
        haul_error_set(&damaged, HAUL_CLOSED, NULL, 0, "%s", error->text);
        if (!survives_damage(session, error, now_ns)) {
            return;
        }
        error = &damaged;
    }
    if (leaves && source_may_retry(session, error, now_ns)) {
        source_go_retry(session, error, now_ns);
    } else if (session->state != SOURCE_RETRYING) {
        on_failure(session, error, now_ns);
    }
}

/* The target lacks something, and would again if we came back at once. */
static void on_peer_lacks(struct source_session *session, const haul_control_Stop *stop,
                          uint64_t now_ns)
{
    struct haul_error error = {0};
    haul_error_set(&error, (enum haul_status)stop->status, NULL, 0,
                   "the target has ended its attempt: %s", stop->text);
    haul_error_hint(&error, "%s", stop->hint);
    source_end_kept(session, &error, now_ns);
}

/* The target's operator has stopped it: it keeps what it has, and may be started again. */
static void on_peer_stop(struct source_session *session, const haul_control_Stop *stop,
                         uint64_t now_ns)
{
    struct haul_error error = {0};
    if (end_reason_is_lack((enum haul_status)stop->status) && !session->decision_asked &&
        session->state != SOURCE_ABORTING) {
        on_peer_lacks(session, stop, now_ns);
        return;
    }
    haul_error_set(&error, stop->damaged ? HAUL_CORRUPT : HAUL_CLOSED, NULL, 0,
                   "the target has ended its attempt: %s", stop->text);
    haul_error_hint(&error, "start `haul recv` again; `haul resume` continues the job");
    session->their_damages += stop->damaged;
    on_path_lost(session, &error, now_ns);
}

/* --- dispatch --------------------------------------------------------------------------------- */

/* The peer ended the job: take over its reason. */
static void on_peer_end(struct source_session *session, uint32_t status, const char *text,
                        const char *hint, uint64_t now_ns)
{
    struct haul_error error = {0};
    haul_error_set(&error, message_status(status, HAUL_PROTOCOL), NULL, 0, "the target refused: %s",
                   text);
    haul_error_hint(&error, "%s", hint);
    if (session->decided && session->options.only_tells && error.status == HAUL_MISMATCH) {
        session->outcome = error; /* nothing of the finished job is the target's any more */
        source_end(session);
        return;
    }
    if (session->decided) {
        if (source_may_retry(session, &error, now_ns)) {
            source_go_retry(session, &error, now_ns);
        } else {
            source_leave_hinted(session, text, hint);
        }
        return;
    }
    /* The target may not have noticed yet that our last connection is gone, another of its jobs may
     * be ending, or it may have had no time for us. All of these pass. */
    bool came_back = session->accepted_once || session->figures.retries > 0;
    bool waits = came_back || error.status == HAUL_BUSY || error.status == HAUL_TIMEOUT;
    if (waits && session->state <= SOURCE_PLANNING && source_may_wait(session, &error, now_ns)) {
        source_go_retry(session, &error, now_ns);
        return;
    }
    /* What the target lacks may come, and unsuitable options can be changed: keep what has
     * arrived. */
    bool stands = session->accepted_once || session->options.continued;
    bool mends = end_reason_is_lack(error.status) || error.status == HAUL_UNSUPPORTED;
    if (stands && mends && session->state <= SOURCE_PLANNING) {
        source_end_kept(session, &error, now_ns);
        return;
    }
    source_abort_job(session, &error, false, now_ns);
}

static void on_unexpected(struct source_session *session, unsigned type, uint64_t now_ns)
{
    char text[96];
    (void)snprintf(text, sizeof(text), "message %s is out of place in state %s", message_name(type),
                   source_state_name(session->state));
    if (session->decided) {
        source_leave_in_doubt(session, text);
    } else {
        source_abort_with(session, HAUL_PROTOCOL, text, "", now_ns);
    }
}

/* Messages that belong to one state each. */
static bool on_expected_message(struct source_session *session, struct message *message,
                                uint64_t now_ns)
{
    enum source_state state = session->state;
    if (message->type == MESSAGE_WELCOME && state == SOURCE_GREETING) {
        source_binding_on_welcome(session, &message->as.welcome, now_ns);
    } else if (message->type == MESSAGE_PLAN_ACCEPTED && state == SOURCE_PLANNING) {
        on_plan_accepted(session, message, now_ns);
    } else if (message->type == MESSAGE_PREPARED && state == SOURCE_PREPARING) {
        source_hand_over_on_prepared(session, &message->as.prepared, now_ns);
    } else if (message->type == MESSAGE_PREPARED && state >= SOURCE_CATCHING_UP &&
               state <= SOURCE_DRAINING) {
        return true; /* for a freeze that was given up */
    } else if (message->type == MESSAGE_COMMITTED && state == SOURCE_COMMITTING) {
        source_hand_over_on_committed(session, &message->as.committed);
    } else {
        return false;
    }
    return true;
}

/* A refused job leaves nothing on the target. But what the target already had of it stays, and the
 * target still has to clear a job that it aborts. */
static void note_refused(struct source_session *session, const haul_control_Refused *refused)
{
    bool gone = !session->accepted_once && !session->options.continued &&
                !session->proposed_before &&
                !end_reason_may_lack_record((enum haul_status)refused->status);
    session->figures.peer_knows = gone;
    session->proposed = session->proposed && !gone;
    session->figures.was_owned = refused->owned_job.size == HAUL_JOB_BYTES &&
                                 session->welcome.session.size > 0; /* a known peer */
    memcpy(session->figures.owned_job, refused->owned_job.bytes, HAUL_JOB_BYTES);
    job_list_take(&session->figures.lost, slice_of(refused->lost.bytes, refused->lost.size));
}

static void on_progress(struct source_session *session, const haul_control_Progress *progress,
                        uint64_t now_ns)
{
    uint64_t count = progress->applied_records + progress->applied_bytes +
                     progress->delta_applied_batches + progress->snapshot_complete +
                     progress->metadata_complete;
    session->progress = *progress;
    stall_watch_note_theirs(&session->stall, count, now_ns);
    check_copied(session);
    source_hand_over_check_caught_up(session);
}

/* only_tells: the answer is the outcome. */
static void note_told(struct source_session *session, const struct message *message)
{
    if (!session->options.only_tells) {
        return;
    }
    if (message->type == MESSAGE_ABORTED && message->as.aborted.cleared) {
        memset(&session->outcome, 0, sizeof(session->outcome));
    } else if (message->type == MESSAGE_REFUSED) {
        const haul_control_Refused *refused = &message->as.refused;
        haul_error_set(&session->outcome, message_status(refused->status, HAUL_PROTOCOL), NULL, 0,
                       "the target refused: %s", refused->text);
        haul_error_hint(&session->outcome, "%s", refused->hint);
    }
}

/* A target that first clears a superseded job sends its Welcome late. */
static void on_working(struct source_session *session, uint64_t done, uint64_t now_ns)
{
    bool grows = stall_watch_note_working(&session->stall, done, now_ns);
    if (grows && session->state == SOURCE_GREETING) {
        session->state_deadline_ns = source_answer_deadline(session, now_ns);
    } else if (grows && session->state == SOURCE_ABORTING && session->options.only_tells) {
        session->state_deadline_ns = source_stall_deadline(session, now_ns);
    }
}

static void on_message(struct source_session *session, struct message *message, uint64_t now_ns)
{
    if (session->state == SOURCE_ABORTING) {
        if (message->type == MESSAGE_ABORTED || message->type == MESSAGE_REFUSED) {
            if (message->type == MESSAGE_REFUSED) {
                note_refused(session, &message->as.refused);
            }
            bool knows = message->type == MESSAGE_ABORTED || session->figures.peer_knows;
            session->figures.peer_knows = knows && session->welcome.session.size > 0;
            note_told(session, message);
            source_enter(session, SOURCE_ENDED, CLOCK_NEVER);
            (void)source_push(session, SOURCE_ACTION_END);
        } else if (message->type == MESSAGE_WORKING) {
            on_working(session, message->as.working.done, now_ns);
        }
        return;
    }
    switch (message->type) {
    case MESSAGE_PROGRESS:
        on_progress(session, &message->as.progress, now_ns);
        return;
    case MESSAGE_WORKING:
        on_working(session, message->as.working.done, now_ns);
        return;
    case MESSAGE_ABORT:
        on_peer_end(session, message->as.abort.status, message->as.abort.text,
                    message->as.abort.hint, now_ns);
        return;
    case MESSAGE_STOP:
        on_peer_stop(session, &message->as.stop, now_ns);
        return;
    case MESSAGE_REFUSED:
        note_refused(session, &message->as.refused);
        on_peer_end(session, message->as.refused.status, message->as.refused.text,
                    message->as.refused.hint, now_ns);
        return;
    default:
        if (!on_expected_message(session, message, now_ns)) {
            on_unexpected(session, message->type, now_ns);
        }
    }
}

static void on_tick(struct source_session *session, uint64_t now_ns)
{
    if (now_ns < session->state_deadline_ns) {
        return;
    }
    struct haul_error error = {0};
    haul_error_set(&error, HAUL_TIMEOUT, NULL, 0, "the target did not answer in state %s",
                   source_state_name(session->state));
    switch (session->state) {
    case SOURCE_RETRYING:
        session->figures.retries++;
        session->figures.resumed = session->figures.resumed || session->accepted_once;
        (void)source_push(session, SOURCE_ACTION_CONNECT);
        /* The channel has its own deadline. */
        source_enter(session, SOURCE_CONNECTING, CLOCK_NEVER);
        return;
    case SOURCE_GREETING:
    case SOURCE_COMMITTING:
        on_path_lost(session, &error, now_ns);
        return;
    case SOURCE_FREEZING:
        source_hand_over_on_hook_late(session, now_ns);
        return;
    case SOURCE_BINDING:
        source_end_late(session, now_ns);
        return;
    default:
        on_failure(session, &error, now_ns);
    }
}

static bool is_watched(const struct source_session *session)
{
    return session->state >= SOURCE_PLANNING && session->state <= SOURCE_CATCHING_UP;
}

/* Neither side has made progress for so long that this attempt will not succeed. */
static void check_stalled(struct source_session *session, uint64_t now_ns)
{
    if (!is_watched(session) || now_ns < stall_watch_deadline_ns(&session->stall, false)) {
        return;
    }
    struct haul_error error = {0};
    haul_error_set(&error, HAUL_TIMEOUT, NULL, 0,
                   "nothing has moved for %u s in state %s, though the target is there",
                   stall_watch_limit_s(&session->stall, false), source_state_name(session->state));
    haul_error_hint(&error, "look at the target's log and disk; `haul resume` continues the job");
    session->stalled = true;
    if (source_may_retry(session, &error, now_ns)) {
        source_go_retry(session, &error, now_ns);
    } else {
        source_end_kept(session, &error, now_ns);
    }
    session->stalled = false;
}

/* The target waits for blocks and does not see what keeps us from sending. */
static void tell_working(struct source_session *session, uint64_t now_ns)
{
    enum source_state state = session->state;
    bool bounded = state == SOURCE_LINKING || state == SOURCE_FREEZING ||
                   state == SOURCE_DRAINING || state == SOURCE_PREPARING;
    uint64_t done = 0;
    if (state >= SOURCE_LINKING && state <= SOURCE_PREPARING &&
        stall_watch_must_tell(&session->stall, bounded, now_ns, &done)) {
        source_push_message(session, MESSAGE_WORKING)->as.working.done = done;
    }
}

static void check_invariants(const struct source_session *session, uint64_t now_ns)
{
    enum source_state state = session->state;
    bool frozen = freeze_limit_is_on(&session->freeze);
    bool freezes = state >= SOURCE_FREEZING && state <= SOURCE_DECIDING;
    bool ended_well = state == SOURCE_ENDED && session->outcome.status == HAUL_OK;
    haul_assert(frozen == (freezes || session->decision_in_doubt)); /* S1 */
    haul_assert(!session->decision_asked || session->options.decided ||
                session->verified_freeze == session->freeze.attempts);   /* S2 */
    haul_assert(!session->decision_asked || session->decided || frozen); /* S3 */
    haul_assert(!ended_well || session->options.only_tells ||
                (session->committed && session->decision_asked)); /* S4 */
    if (state == SOURCE_DRAINING || state == SOURCE_PREPARING) {  /* S5 */
        haul_assert(session->state_deadline_ns == session->freeze.deadline_ns);
        haul_assert(now_ns < session->freeze.deadline_ns);
    }
    haul_assert(state != SOURCE_FREEZING || session->state_deadline_ns != CLOCK_NEVER); /* S5 */
}

static void dispatch(struct source_session *session, const struct source_event *event,
                     uint64_t now_ns)
{
    switch (event->type) {
    case SOURCE_EVENT_CHANNEL_UP:
        on_channel_up(session, now_ns);
        break;
    case SOURCE_EVENT_CHANNEL_DOWN:
        session->channel_up = false;
        on_path_lost(session, &event->error, now_ns);
        break;
    case SOURCE_EVENT_LINKS_DOWN:
        if (session->state != SOURCE_COMMITTING) { /* its target closes them; Committed follows */
            on_path_lost(session, &event->error, now_ns);
        }
        break;
    case SOURCE_EVENT_MESSAGE:
        on_message(session, event->message, now_ns);
        break;
    case SOURCE_EVENT_BOUND:
        if (session->state == SOURCE_BINDING) {
            source_binding_on_bound(session, event, now_ns);
        }
        break;
    case SOURCE_EVENT_LINKS_UP:
        if (session->state == SOURCE_LINKING) {
            session->sent_once = true;
            (void)source_push(session, SOURCE_ACTION_START_COPY);
            source_enter(session, SOURCE_COPYING, CLOCK_NEVER);
        }
        break;
    case SOURCE_EVENT_COPIED:
        session->copied = true;
        check_copied(session);
        break;
    case SOURCE_EVENT_ROUND_DONE:
        if (session->state == SOURCE_CATCHING_UP || session->state == SOURCE_DRAINING) {
            source_hand_over_on_round_done(session, event, now_ns);
        }
        break;
    case SOURCE_EVENT_FROZEN:
        if (session->state == SOURCE_FREEZING) {
            source_hand_over_on_frozen(session, event, now_ns);
        }
        break;
    case SOURCE_EVENT_DIGESTED:
        if (session->state == SOURCE_DRAINING) {
            source_hand_over_on_digested(session, event, now_ns);
        } else if (session->state == SOURCE_CATCHING_UP) {
            source_start_round(session); /* for a freeze that was given up */
        }
        break;
    case SOURCE_EVENT_DECIDED:
        haul_assert(session->state == SOURCE_DECIDING);
        source_hand_over_on_decided(session, event, now_ns);
        break;
    case SOURCE_EVENT_FAILED:
        on_failure(session, &event->error, now_ns);
        break;
    case SOURCE_EVENT_STOP:
        on_stop(session, &event->error, now_ns);
        break;
    case SOURCE_EVENT_CANCEL:
        on_cancel(session, &event->error, now_ns);
        break;
    case SOURCE_EVENT_TICK:
        stall_watch_note_ours(&session->stall, event->activity, now_ns);
        on_tick(session, now_ns);
        check_stalled(session, now_ns);
        tell_working(session, now_ns);
        break;
    }
}

void source_session_event(struct source_session *session, const struct source_event *event,
                          uint64_t now_ns)
{
    source_hand_over_check_deadline(session, now_ns);
    enum source_state before = session->state;
    if (before == SOURCE_ENDED) {
        return;
    }
    dispatch(session, event, now_ns);
    if (session->state != before) {
        stall_watch_begin(&session->stall, now_ns);
    }
    check_invariants(session, now_ns);
}

/* --- public ----------------------------------------------------------------------------------- */

enum haul_status source_session_create(const struct source_session_options *options,
                                       struct source_session **out)
{
    struct source_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return HAUL_NO_MEMORY;
    }
    session->options = *options;
    session->decided = options->decided;
    session->decision_asked = options->decided;
    session->figures.verified = options->decided; /* there is no decision without it */
    session->state = SOURCE_CONNECTING;
    retry_limit_init(&session->retry, options->retry_max_ms);
    freeze_limit_init(&session->freeze, options->source.freeze_max_ms);
    catch_up_init(&session->catch_up, options->source.lag_bytes_max);
    session->state_deadline_ns = CLOCK_NEVER; /* the channel has its own deadline */
    session->digests = calloc(options->plan->family_count + 1, sizeof(*session->digests));
    if (session->digests == NULL) {
        source_session_destroy(session);
        return HAUL_NO_MEMORY;
    }
    *out = session;
    return HAUL_OK;
}

void source_session_destroy(struct source_session *session)
{
    if (session == NULL) {
        return;
    }
    for (size_t i = 0; i < session->action_count; i++) {
        message_release(&session->actions[i].message);
    }
    message_release(&session->accepted);
    free(session->digests);
    free(session);
}

bool source_session_action(struct source_session *session, struct source_action *action)
{
    if (session->action_count == 0) {
        return false;
    }
    *action = session->actions[0];
    session->action_count--;
    memmove(&session->actions[0], &session->actions[1],
            session->action_count * sizeof(session->actions[0]));
    return true;
}

uint64_t source_session_deadline_ns(const struct source_session *session)
{
    uint64_t stall_ns = stall_watch_deadline_ns(&session->stall, false);
    return is_watched(session) && stall_ns < session->state_deadline_ns
               ? stall_ns
               : session->state_deadline_ns;
}

bool source_session_is_decided(const struct source_session *session)
{
    return session->decision_asked;
}

enum source_state source_session_state(const struct source_session *session)
{
    return session->state;
}

const struct haul_error *source_session_outcome(const struct source_session *session)
{
    return &session->outcome;
}

const haul_control_Welcome *source_session_welcome(const struct source_session *session)
{
    return &session->welcome;
}

const haul_control_PlanAccepted *source_session_accepted(const struct source_session *session)
{
    return &session->accepted.as.plan_accepted;
}

const struct haul_error *source_session_loss(const struct source_session *session)
{
    return &session->loss;
}

const haul_control_Progress *source_session_progress(const struct source_session *session)
{
    return &session->progress;
}

void source_session_figures(const struct source_session *session,
                            struct source_session_figures *figures)
{
    *figures = session->figures;
    figures->freeze_started_ns = session->freeze.started_ns;
    figures->freeze_ended_ns = session->freeze.ended_ns;
}
