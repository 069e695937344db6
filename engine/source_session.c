/* SPDX-License-Identifier: Apache-2.0 */
/* source_session.c — the giving side's state machine; the diagram is in source_session.h. */
#include "source_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "catch_up.h"
#include "clock.h"
#include "end_reason.h"
#include "journal.h"
#include "planted_bug.h"
#include "retry_limit.h"

enum { ACTION_COUNT_MAX = 16 };

/* Freezes that ran into their deadline before the job gives up. */
enum { FREEZE_ATTEMPTS_MAX = 10 };

struct source_session {
    struct source_session_options options;
    enum source_state state;
    uint64_t state_deadline_ns; /* CLOCK_NEVER: none */
    struct haul_error outcome;
    haul_control_Welcome welcome;
    struct message accepted; /* PlanAccepted, owned */
    haul_control_Progress progress;
    bool channel_up;
    bool proposed;      /* the plan went out: the target may have a record of the job */
    bool accepted_once; /* and has: it said so */
    struct retry_limit retry;
    bool frozen;
    bool decided;
    bool decision_asked;
    bool decision_in_doubt; /* the record could neither be written nor not */
    bool copied;
    struct catch_up catch_up;
    bool waits_for_target; /* the lag is small here; the target has yet to apply what was sent */
    uint64_t round_sequence;
    uint64_t prepared_sequence; /* frozen sequence of the Prepare in the air */
    uint32_t freeze_attempts;
    struct digest *digests; /* one a family, of this side */
    struct source_session_figures figures;
    struct source_action actions[ACTION_COUNT_MAX];
    size_t action_count;
};

const char *source_state_name(enum source_state state)
{
    static const char *const names[] = {
#define SOURCE_STATE_NAME(name, sentence) #name,
        SOURCE_STATE_LIST(SOURCE_STATE_NAME)
#undef SOURCE_STATE_NAME
    };
    return names[state];
}

/* --- actions and states ----------------------------------------------------------------------- */

static struct source_action *push(struct source_session *session, enum source_action_type type)
{
    haul_assert(session->action_count < ACTION_COUNT_MAX);
    struct source_action *action = &session->actions[session->action_count++];
    memset(action, 0, sizeof(*action));
    action->type = type;
    return action;
}

static struct message *push_message(struct source_session *session, enum message_type type)
{
    struct source_action *action = push(session, SOURCE_ACTION_SEND);
    message_init(&action->message, type);
    return &action->message;
}

static void enter(struct source_session *session, enum source_state state, uint64_t deadline_ns)
{
    session->state = state;
    session->state_deadline_ns = deadline_ns;
}

/* Deadline of an answer that the peer owes us. */
static uint64_t answer_deadline(const struct source_session *session, uint64_t now_ns)
{
    return now_ns + (uint64_t)session->options.peer_timeout_ms * NS_PER_MS;
}

static void thaw(struct source_session *session, uint64_t now_ns)
{
    if (session->frozen) {
        session->frozen = false;
        session->figures.freeze_ended_ns = now_ns;
        (void)push(session, SOURCE_ACTION_UNFREEZE);
    }
}

static void end(struct source_session *session)
{
    enter(session, SOURCE_ENDED, CLOCK_NEVER);
    (void)push(session, SOURCE_ACTION_STOP);
    (void)push(session, SOURCE_ACTION_END);
}

/* Before the decision: give everything back, tell the peer, end with `error`. */
static void abort_job(struct source_session *session, const struct haul_error *error,
                      bool tell_peer, uint64_t now_ns)
{
    session->outcome = *error;
    if (session->decision_asked && !HAUL_PLANTED_BUG(UNFREEZE_UNDECIDED)) {
        return; /* the decision, once known, settles it */
    }
    thaw(session, now_ns);
    (void)push(session, SOURCE_ACTION_STOP);
    if (!tell_peer || !session->channel_up) {
        enter(session, SOURCE_ENDED, CLOCK_NEVER);
        (void)push(session, SOURCE_ACTION_END);
        return;
    }
    struct message *message = push_message(session, MESSAGE_ABORT);
    message->as.abort.status = (uint32_t)error->status;
    (void)snprintf(message->as.abort.text, sizeof(message->as.abort.text), "%s", error->text);
    enter(session, SOURCE_ABORTING, answer_deadline(session, now_ns));
}

static void abort_with(struct source_session *session, enum haul_status status, const char *text,
                       const char *hint, uint64_t now_ns)
{
    struct haul_error error = {0};
    haul_error_set(&error, status, NULL, 0, "%s", text);
    haul_error_hint(&error, "%s", hint);
    abort_job(session, &error, true, now_ns);
}

/* --- coming back ------------------------------------------------------------------------------ */

static bool may_retry(const struct source_session *session, const struct haul_error *error,
                      uint64_t now_ns)
{
    bool was_up = session->accepted_once && session->state > SOURCE_LINKING &&
                  session->state < SOURCE_RETRYING;
    return (session->proposed || session->decided) && end_reason_is_path(error->status) &&
           retry_limit_allows(&session->retry, was_up, now_ns);
}

static void go_retry(struct source_session *session, uint64_t now_ns)
{
    thaw(session, now_ns);
    session->channel_up = false;
    session->copied = false;
    session->waits_for_target = false;
    memset(&session->progress, 0, sizeof(session->progress));
    (void)push(session, SOURCE_ACTION_DISCONNECT);
    enter(session, SOURCE_RETRYING, retry_limit_next_ns(&session->retry, now_ns));
}

static void leave_in_doubt(struct source_session *session, const char *why)
{
    haul_error_set(&session->outcome, HAUL_IN_DOUBT, NULL, 0,
                   "the decision to commit is recorded, but the target has not confirmed it: %s",
                   why);
    haul_error_hint(&session->outcome,
                    "the target owns the range; run `haul resolve` when it is reachable");
    end(session);
}

static void send_commit(struct source_session *session, uint64_t now_ns)
{
    haul_control_Commit *commit = &push_message(session, MESSAGE_COMMIT)->as.commit;
    commit->new_version = session->options.plan->new_version;
    commit->epoch = session->options.epoch;
    enter(session, SOURCE_COMMITTING, answer_deadline(session, now_ns));
}

/* The decision was made before the path was lost: does the target know it? */
static void on_welcome_decided(struct source_session *session, uint64_t now_ns)
{
    if (session->welcome.job_phase == JOB_COMMITTED) {
        end(session);
    } else if (session->welcome.job_phase == JOB_PREPARED) {
        send_commit(session, now_ns);
    } else {
        leave_in_doubt(session, "the target has no record of the job; is it the right one?");
    }
}

/* --- greeting and plan ------------------------------------------------------------------------ */

static void send_hello(struct source_session *session, uint64_t now_ns)
{
    const struct source_session_options *options = &session->options;
    haul_control_Hello *hello = &push_message(session, MESSAGE_HELLO)->as.hello;
    session->welcome.session.size = 0; /* not yet, on this connection */
    hello->wire_version = MESSAGE_WIRE_VERSION;
    hello->journal_version = JOURNAL_FORMAT_VERSION;
    (void)snprintf(hello->software, sizeof(hello->software), "haul %s", HAUL_RELEASE);
    hello->job.size = HAUL_JOB_BYTES;
    memcpy(hello->job.bytes, options->job, HAUL_JOB_BYTES);
    hello->epoch = options->epoch;
    hello->config_version = options->plan->old_version;
    hello->config_version_known = options->config_version_known;
    size_t size = strnlen(options->identity, sizeof(hello->source_identity.bytes));
    hello->source_identity.size = (pb_size_t)size;
    memcpy(hello->source_identity.bytes, options->identity, size);
    hello->link_count = options->source.link_count;
    hello->slot_size_bytes = options->source.link.slot_size_bytes;
    hello->transport_mode = (uint32_t)options->source.mode;
    hello->peer_timeout_ms = options->peer_timeout_ms;
    hello->secret.size = (pb_size_t)options->source.secret.size;
    if (hello->secret.size > 0) {
        memcpy(hello->secret.bytes, options->source.secret.data, hello->secret.size);
    }
    hello->resume = session->proposed || options->continued || session->decided;
    hello->supersedes_count = (pb_size_t)options->superseded_count;
    for (size_t i = 0; i < options->superseded_count; i++) {
        hello->supersedes[i].size = HAUL_JOB_BYTES;
        memcpy(hello->supersedes[i].bytes, options->supersedes[i], HAUL_JOB_BYTES);
    }
    enter(session, SOURCE_GREETING, answer_deadline(session, now_ns));
}

static void on_welcome(struct source_session *session, const haul_control_Welcome *welcome,
                       uint64_t now_ns)
{
    session->welcome = *welcome;
    if (session->decided) { /* nothing may abort any more */
        on_welcome_decided(session, now_ns);
        return;
    }
    if (welcome->wire_version != MESSAGE_WIRE_VERSION) {
        abort_with(session, HAUL_VERSION, "the target speaks another batch format",
                   "install the same release of haul on both sides", now_ns);
        return;
    }
    if (welcome->token.size != MESSAGE_TOKEN_BYTES ||
        welcome->session.size != MESSAGE_SESSION_BYTES) {
        abort_with(session, HAUL_PROTOCOL, "the target's Welcome carries no token", "", now_ns);
        return;
    }
    struct source_action *action = push(session, SOURCE_ACTION_SEND);
    if (plan_to_message(session->options.plan, &action->message) != HAUL_OK) {
        session->action_count--;
        abort_with(session, HAUL_NO_MEMORY, "no memory for the plan", "", now_ns);
        return;
    }
    session->proposed = true;
    /* Clearing an --overwrite range takes the target its time; its keep-alives cover for it. */
    enter(session, SOURCE_PLANNING, CLOCK_NEVER);
}

/* Keep the answer: its parts are the message's, so the message changes hands. */
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
    bool sound =
        accepted->family_ids_count == plan->family_count && accepted->lane <= HAUL_LANE_WRITE_BATCH;
    for (size_t i = 0; sound && i < plan->family_count; i++) {
        plan->families[i].target_id = accepted->family_ids[i];
    }
    if (!sound) {
        abort_with(session, HAUL_PROTOCOL, "the target's answer does not fit the plan", "", now_ns);
        return;
    }
    take_accepted(session, accepted);
    session->accepted_once = true;
    retry_limit_note_up(&session->retry, message_durable_mark(&session->accepted.as.plan_accepted),
                        now_ns);
    session->catch_up.batches = session->accepted.as.plan_accepted.delta_next_batch;
    (void)push(session, SOURCE_ACTION_OPEN_LINKS);
    /* Each attempt has its own deadlines; the driver reports LINKS_UP or FAILED. */
    enter(session, SOURCE_LINKING, CLOCK_NEVER);
}

/* --- copy and rounds -------------------------------------------------------------------------- */

static void start_round(struct source_session *session)
{
    session->figures.rounds++;
    (void)push(session, SOURCE_ACTION_ROUND);
}

static void check_caught_up(struct source_session *session)
{
    if (session->waits_for_target && session->state == SOURCE_CATCHING_UP &&
        catch_up_is_level(&session->catch_up, session->progress.delta_applied_batches)) {
        session->waits_for_target = false;
        start_round(session);
    }
}

static void check_copied(struct source_session *session)
{
    if (session->state == SOURCE_COPYING && session->copied &&
        session->progress.snapshot_complete) {
        enter(session, SOURCE_CATCHING_UP, CLOCK_NEVER);
        start_round(session);
    }
}

static void start_freeze(struct source_session *session, uint64_t now_ns)
{
    session->figures.lag_bytes_at_freeze = session->figures.lag_bytes;
    session->figures.freeze_started_ns = now_ns;
    session->freeze_attempts++;
    session->frozen = true;
    (void)push(session, SOURCE_ACTION_FREEZE);
    uint64_t limit_ns = (uint64_t)session->options.source.freeze_max_ms * NS_PER_MS;
    enter(session, SOURCE_FREEZING, now_ns + limit_ns);
}

static void on_round_done(struct source_session *session, const struct source_event *event,
                          uint64_t now_ns)
{
    session->figures.lag_bytes = event->bytes;
    session->round_sequence = event->sequence;
    catch_up_note_round(&session->catch_up, event->bytes, event->batches);
    if (session->state == SOURCE_DRAINING) {
        (void)push(session, SOURCE_ACTION_DIGEST);
        return;
    }
    switch (catch_up_next(&session->catch_up, session->progress.delta_applied_batches)) {
    case CATCH_UP_ROUND:
        start_round(session);
        break;
    case CATCH_UP_WAIT:
        session->waits_for_target = true; /* a Progress goes on, when one is still to come */
        check_caught_up(session);
        break;
    case CATCH_UP_FREEZE:
        start_freeze(session, now_ns);
        break;
    case CATCH_UP_GIVE_UP:
        abort_with(session, HAUL_TIMEOUT, "the log grows as fast as it can be sent",
                   "slow the writers down or raise the lag limit", now_ns);
        break;
    }
}

/* The freeze took too long: writers first, another round later. */
static void give_up_freeze(struct source_session *session, uint64_t now_ns)
{
    thaw(session, now_ns);
    if (session->freeze_attempts >= FREEZE_ATTEMPTS_MAX) {
        abort_with(session, HAUL_TIMEOUT, "every freeze ran into its deadline",
                   "raise --freeze-max or lower the write load", now_ns);
        return;
    }
    bool under_way = session->state == SOURCE_DRAINING; /* a round or the digest: its end goes on */
    enter(session, SOURCE_CATCHING_UP, CLOCK_NEVER);
    if (!under_way) {
        start_round(session);
    }
}

static void on_frozen(struct source_session *session, const struct source_event *event,
                      uint64_t now_ns)
{
    if (event->error.status != HAUL_OK) {
        give_up_freeze(session, now_ns);
        return;
    }
    session->state = SOURCE_DRAINING; /* the freeze deadline stays in force */
    start_round(session);
}

static void on_digested(struct source_session *session, const struct source_event *event,
                        uint64_t now_ns)
{
    const struct plan *plan = session->options.plan;
    memcpy(session->digests, event->digests, plan->family_count * sizeof(struct digest));
    haul_control_FamilyDigest *digests = calloc(plan->family_count, sizeof(*digests));
    if (digests == NULL) {
        abort_with(session, HAUL_NO_MEMORY, "no memory for the digests", "", now_ns);
        return;
    }
    haul_control_Prepare *prepare = &push_message(session, MESSAGE_PREPARE)->as.prepare;
    prepare->frozen_sequence = session->round_sequence;
    prepare->freeze = session->freeze_attempts;
    prepare->delta_batches = session->catch_up.batches;
    prepare->old_version = plan->old_version;
    prepare->new_version = plan->new_version;
    prepare->epoch = session->options.epoch;
    prepare->digests = digests;
    prepare->digests_count = (pb_size_t)plan->family_count;
    for (size_t i = 0; i < plan->family_count; i++) {
        prepare->digests[i] = (haul_control_FamilyDigest){.count = session->digests[i].count,
                                                          .low = session->digests[i].low,
                                                          .high = session->digests[i].high,
                                                          .bytes = session->digests[i].bytes};
    }
    session->prepared_sequence = session->round_sequence;
    session->state = SOURCE_PREPARING;
}

/* --- hand-over -------------------------------------------------------------------------------- */

static bool digests_agree(const struct source_session *session,
                          const haul_control_Prepared *prepared)
{
    size_t count = session->options.plan->family_count;
    bool equal = prepared->digests_count == count;
    for (size_t i = 0; equal && i < count; i++) {
        const haul_control_FamilyDigest *theirs = &prepared->digests[i];
        const struct digest *ours = &session->digests[i];
        equal =
            theirs->count == ours->count && theirs->low == ours->low && theirs->high == ours->high;
    }
    return equal || HAUL_PLANTED_BUG(DIGEST_SKIPPED);
}

static void on_prepared(struct source_session *session, const haul_control_Prepared *prepared,
                        uint64_t now_ns)
{
    /* Without a write in between, two freezes have the same sequence. */
    if ((prepared->freeze != session->freeze_attempts && !HAUL_PLANTED_BUG(LATE_PREPARED)) ||
        prepared->frozen_sequence != session->prepared_sequence) {
        return; /* the answer to a freeze that was given up */
    }
    if (!digests_agree(session, prepared)) {
        abort_with(session, HAUL_CORRUPT, "count or digest of the two sides differ",
                   "the source still owns the range; `haul verify` shows which family", now_ns);
        return;
    }
    session->figures.verified = true;
    session->decision_asked = true;
    (void)push(session, SOURCE_ACTION_DECIDE);
    enter(session, SOURCE_DECIDING, CLOCK_NEVER);
}

static void on_decided(struct source_session *session, const struct source_event *event,
                       uint64_t now_ns)
{
    if (event->error.status == HAUL_IN_DOUBT) {
        /* Nobody knows before the record is read again: stay frozen, change nothing. */
        session->outcome = event->error;
        session->decision_in_doubt = true;
        end(session);
        return;
    }
    if (event->error.status != HAUL_OK) {
        session->decision_asked = false;
        abort_job(session, &event->error, true, now_ns);
        return;
    }
    session->frozen = false;
    memset(&session->outcome, 0, sizeof(session->outcome)); /* the path may be lost already */
    session->decided = true;
    session->figures.freeze_ended_ns = now_ns;
    (void)push(session, SOURCE_ACTION_RELEASE);
    if (session->channel_up) {
        send_commit(session, now_ns);
    } else {
        go_retry(session, now_ns);
    }
}

/* --- dispatch --------------------------------------------------------------------------------- */

/* The peer ended the job: its reason becomes ours. */
static void on_peer_end(struct source_session *session, uint32_t status, const char *text,
                        const char *hint, uint64_t now_ns)
{
    struct haul_error error = {0};
    bool known = status != HAUL_OK && status <= HAUL_INTERNAL;
    enum haul_status reason = known ? (enum haul_status)status : HAUL_PROTOCOL;
    haul_error_set(&error, reason, NULL, 0, "the target refused: %s", text);
    haul_error_hint(&error, "%s", hint);
    if (session->decided) {
        if (may_retry(session, &error, now_ns)) {
            go_retry(session, now_ns);
        } else {
            leave_in_doubt(session, text);
        }
        return;
    }
    bool came_back = session->accepted_once || session->figures.retries > 0;
    if (came_back && session->state <= SOURCE_PLANNING && may_retry(session, &error, now_ns)) {
        go_retry(session, now_ns); /* the target has not yet noticed that we were gone */
        return;
    }
    abort_job(session, &error, false, now_ns);
}

static void on_unexpected(struct source_session *session, unsigned type, uint64_t now_ns)
{
    char text[96];
    (void)snprintf(text, sizeof(text), "message %s is out of place in state %s", message_name(type),
                   source_state_name(session->state));
    if (session->decided) {
        leave_in_doubt(session, text);
    } else {
        abort_with(session, HAUL_PROTOCOL, text, "", now_ns);
    }
}

/* Messages that belong to one state each. */
static bool on_expected_message(struct source_session *session, struct message *message,
                                uint64_t now_ns)
{
    enum source_state state = session->state;
    if (message->type == MESSAGE_WELCOME && state == SOURCE_GREETING) {
        on_welcome(session, &message->as.welcome, now_ns);
    } else if (message->type == MESSAGE_PLAN_ACCEPTED && state == SOURCE_PLANNING) {
        on_plan_accepted(session, message, now_ns);
    } else if (message->type == MESSAGE_PREPARED && state == SOURCE_PREPARING) {
        on_prepared(session, &message->as.prepared, now_ns);
    } else if (message->type == MESSAGE_PREPARED && state >= SOURCE_CATCHING_UP &&
               state <= SOURCE_DRAINING) {
        return true; /* for a freeze that was given up */
    } else if (message->type == MESSAGE_COMMITTED && state == SOURCE_COMMITTING) {
        end(session);
    } else {
        return false;
    }
    return true;
}

/* Nothing of a job that is refused is with the target; but one that it had before stays with it,
 * and one that it aborts it has still to clear. */
static bool refused_means_gone(const struct source_session *session,
                               const haul_control_Refused *refused)
{
    return !session->accepted_once && !session->options.continued &&
           session->figures.retries == 0 &&
           !end_reason_may_lack_record((enum haul_status)refused->status);
}

static void on_message(struct source_session *session, struct message *message, uint64_t now_ns)
{
    if (session->state == SOURCE_ABORTING) {
        if (message->type == MESSAGE_ABORTED || message->type == MESSAGE_REFUSED) {
            bool looked = session->welcome.session.size > 0;
            session->figures.peer_knows =
                looked && (message->type == MESSAGE_ABORTED ||
                           refused_means_gone(session, &message->as.refused));
            enter(session, SOURCE_ENDED, CLOCK_NEVER);
            (void)push(session, SOURCE_ACTION_END);
        }
        return;
    }
    switch (message->type) {
    case MESSAGE_PROGRESS:
        session->progress = message->as.progress;
        check_copied(session);
        check_caught_up(session);
        return;
    case MESSAGE_ABORT:
        on_peer_end(session, message->as.abort.status, message->as.abort.text,
                    message->as.abort.hint, now_ns);
        return;
    case MESSAGE_REFUSED:
        session->figures.peer_knows = refused_means_gone(session, &message->as.refused);
        on_peer_end(session, message->as.refused.status, message->as.refused.text,
                    message->as.refused.hint, now_ns);
        return;
    default:
        if (!on_expected_message(session, message, now_ns)) {
            on_unexpected(session, message->type, now_ns);
        }
    }
}

/* The path or something of ours failed. */
static void on_failure(struct source_session *session, const struct haul_error *error,
                       uint64_t now_ns)
{
    if (session->decided) {
        leave_in_doubt(session, error->text);
    } else if (session->state == SOURCE_ABORTING) {
        enter(session, SOURCE_ENDED, CLOCK_NEVER);
        (void)push(session, SOURCE_ACTION_END);
    } else {
        abort_job(session, error, true, now_ns);
    }
}

/* Channel or links are gone. */
static void on_path_lost(struct source_session *session, const struct haul_error *error,
                         uint64_t now_ns)
{
    bool leaves = session->state != SOURCE_ABORTING && session->state != SOURCE_DECIDING &&
                  session->state != SOURCE_RETRYING;
    if (leaves && may_retry(session, error, now_ns)) {
        go_retry(session, now_ns);
    } else if (session->state != SOURCE_RETRYING) {
        on_failure(session, error, now_ns);
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
        (void)push(session, SOURCE_ACTION_CONNECT);
        enter(session, SOURCE_CONNECTING, CLOCK_NEVER); /* the channel has its own deadline */
        return;
    case SOURCE_COMMITTING:
        on_path_lost(session, &error, now_ns);
        return;
    case SOURCE_FREEZING:
        session->state_deadline_ns = CLOCK_NEVER; /* the hook has its own; wait for its answer */
        return;
    case SOURCE_DRAINING:
    case SOURCE_PREPARING:
        give_up_freeze(session, now_ns);
        return;
    default:
        on_failure(session, &error, now_ns);
    }
}

static void check_invariants(const struct source_session *session)
{
    bool may_freeze = session->state >= SOURCE_FREEZING && session->state <= SOURCE_DECIDING;
    haul_assert(!session->frozen || may_freeze || session->decision_in_doubt); /* S1 */
    haul_assert(!session->decision_asked || session->figures.verified);        /* S2 */
    if (session->state == SOURCE_ENDED && session->outcome.status == HAUL_OK) {
        haul_assert(session->decision_asked && !session->frozen); /* S4 */
    }
}

void source_session_event(struct source_session *session, const struct source_event *event,
                          uint64_t now_ns)
{
    if (session->state == SOURCE_ENDED) {
        return;
    }
    switch (event->type) {
    case SOURCE_EVENT_CHANNEL_UP:
        session->channel_up = true;
        send_hello(session, now_ns);
        break;
    case SOURCE_EVENT_CHANNEL_DOWN:
        session->channel_up = false;
        on_path_lost(session, &event->error, now_ns);
        break;
    case SOURCE_EVENT_LINKS_DOWN:
        if (session->state != SOURCE_COMMITTING) { /* whose target closes them: Committed comes */
            on_path_lost(session, &event->error, now_ns);
        }
        break;
    case SOURCE_EVENT_MESSAGE:
        on_message(session, event->message, now_ns);
        break;
    case SOURCE_EVENT_LINKS_UP:
        if (session->state == SOURCE_LINKING) {
            (void)push(session, SOURCE_ACTION_START_COPY);
            enter(session, SOURCE_COPYING, CLOCK_NEVER);
        }
        break;
    case SOURCE_EVENT_COPIED:
        session->copied = true;
        check_copied(session);
        break;
    case SOURCE_EVENT_ROUND_DONE:
        if (session->state == SOURCE_CATCHING_UP || session->state == SOURCE_DRAINING) {
            on_round_done(session, event, now_ns);
        }
        break;
    case SOURCE_EVENT_FROZEN:
        if (session->state == SOURCE_FREEZING) {
            on_frozen(session, event, now_ns);
        }
        break;
    case SOURCE_EVENT_DIGESTED:
        if (session->state == SOURCE_DRAINING) {
            on_digested(session, event, now_ns);
        } else if (session->state == SOURCE_CATCHING_UP) {
            start_round(session); /* of a freeze that was given up */
        }
        break;
    case SOURCE_EVENT_DECIDED:
        haul_assert(session->state == SOURCE_DECIDING);
        on_decided(session, event, now_ns);
        break;
    case SOURCE_EVENT_FAILED:
    case SOURCE_EVENT_CANCEL:
        on_failure(session, &event->error, now_ns);
        break;
    case SOURCE_EVENT_TICK:
        on_tick(session, now_ns);
        break;
    }
    check_invariants(session);
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
    session->figures.verified = options->decided; /* no decision without */
    session->state = SOURCE_CONNECTING;
    retry_limit_init(&session->retry, options->retry_max_ms);
    catch_up_init(&session->catch_up, options->source.lag_bytes_max);
    session->state_deadline_ns = CLOCK_NEVER; /* the channel has its own */
    session->digests = calloc(options->plan->family_count, sizeof(*session->digests));
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
    return session->state_deadline_ns;
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

const haul_control_Progress *source_session_progress(const struct source_session *session)
{
    return &session->progress;
}

void source_session_figures(const struct source_session *session,
                            struct source_session_figures *figures)
{
    *figures = session->figures;
}
