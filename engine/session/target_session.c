/* SPDX-License-Identifier: Apache-2.0 */
/* target_session.c — the target's state machine; the diagram is in target_session.h. */
#include "target_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "plan.h"
#include "planted_bug.h"
#include "target_hand_over.h"
#include "target_machine.h"
#include "wire_mode.h"

/* --- greeting and plan ------------------------------------------------------------------------ */

static bool check_wire_version(struct target_session *session, const haul_control_Hello *hello)
{
    char text[96];
    if (hello->wire_version == MESSAGE_WIRE_VERSION) {
        return true;
    }
    (void)snprintf(text, sizeof(text), "batch format %u of the source is not ours (%d)",
                   hello->wire_version, MESSAGE_WIRE_VERSION);
    target_refuse_with(session, HAUL_VERSION, text,
                       "install the same release of haul on both sides");
    return false;
}

static struct version_claim claim_of(const haul_control_Hello *hello)
{
    return (struct version_claim){.version = hello->config_version,
                                  .authoritative = hello->config_version_known};
}

static bool check_config_versions(struct target_session *session, const haul_control_Hello *hello)
{
    const struct version_claim theirs = claim_of(hello);
    struct haul_error error = {0};
    if (version_claim_compare(&theirs, &session->options.version, &error) == HAUL_OK) {
        return true;
    }
    target_refuse(session, &error);
    return false;
}

/* A comparing source that sends no request must not hold resources for ever. */
static uint64_t verify_deadline(const struct target_session *session, uint64_t now_ns)
{
    return now_ns + STALL_PEER_TIMEOUTS * (uint64_t)session->options.peer_timeout_ms * NS_PER_MS;
}

/* The Welcome for a source that compares; versions do not matter. */
static void greet_verify(struct target_session *session, uint64_t now_ns)
{
    if (!session->options.answers_verify) {
        target_refuse_with(session, HAUL_UNSUPPORTED, "this target does not answer comparisons",
                           "compare by manifests: `haul verify --write-manifest`");
        return;
    }
    struct message *message = target_push_message(session, MESSAGE_WELCOME);
    message->as.welcome = session->options.welcome.as.welcome;
    message->as.welcome.verify = true;
    target_enter(session, TARGET_VERIFYING, verify_deadline(session, now_ns));
}

static void on_verify(struct target_session *session, const struct message *message,
                      uint64_t now_ns)
{
    target_push(session, TARGET_ACTION_VERIFY)->message = *message; /* borrowed */
    target_enter(session, TARGET_VERIFYING, verify_deadline(session, now_ns));
}

/* In constant time. */
static bool check_secret(struct target_session *session, const haul_control_Hello *hello)
{
    struct haul_slice wanted = session->options.secret;
    unsigned difference = wanted.size == 0 || hello->secret.size == wanted.size ? 0 : 1;
    for (size_t i = 0; i < wanted.size && i < hello->secret.size; i++) {
        difference |= (unsigned)(hello->secret.bytes[i] ^ wanted.data[i]);
    }
    if (difference != 0) {
        target_refuse_with(session, HAUL_AUTH, "not the secret that this target expects",
                           "it is valid for one job: ask the target's owner for a new one");
    }
    return difference == 0;
}

/* The stronger of both modes, from Welcome on. */
static bool agree_on_wire(struct target_session *session, const haul_control_Hello *hello)
{
    haul_control_Welcome *welcome = &session->options.welcome.as.welcome;
    welcome->wire = wire_mode_agree(session->options.wire, hello->wire);
    if (wire_mode_fits(session->options.wire, session->options.has_key, welcome->wire)) {
        return true;
    }
    target_refuse_with(session, HAUL_AUTH, "the data cannot be protected as the source wants it",
                       "give both sides the same key, and the same release of haul");
    return false;
}

/* A source that is its own target would clear its own range. */
static bool check_is_another(struct target_session *session, const haul_control_Hello *hello)
{
    const haul_control_Welcome *welcome = &session->options.welcome.as.welcome;
    bool same = hello->source_identity.size > 0 &&
                hello->source_identity.size == welcome->target_identity.size &&
                memcmp(hello->source_identity.bytes, welcome->target_identity.bytes,
                       hello->source_identity.size) == 0;
    if (same) {
        target_refuse_with(session, HAUL_MISMATCH, "the target is the source itself",
                           "give the address of another database");
    }
    return !same;
}

static void on_hello(struct target_session *session, const haul_control_Hello *hello,
                     uint64_t now_ns)
{
    session->hello = *hello;
    stall_watch_note_peer_timeout(&session->stall, hello->peer_timeout_ms);
    if (hello->job.size != HAUL_JOB_BYTES) {
        target_refuse_with(session, HAUL_PROTOCOL, "Hello carries no job", "");
        return;
    }
    if (!message_is_identity(hello->source_identity.bytes, hello->source_identity.size)) {
        target_refuse_with(session, HAUL_PROTOCOL, "Hello does not name the source's database", "");
        return;
    }
    /* No check of config versions here: the commit of a job accepted earlier has moved our
     * version. */
    if (!check_secret(session, hello) || !check_wire_version(session, hello) ||
        !agree_on_wire(session, hello) || !check_is_another(session, hello)) {
        return;
    }
    if (hello->verify) {
        greet_verify(session, now_ns);
        return;
    }
    if (hello->epoch == 0) {
        target_refuse_with(session, HAUL_PROTOCOL, "Hello has no epoch: they count from 1", "");
        return;
    }
    if (!hello->resume && !check_config_versions(session, hello)) {
        return;
    }
    (void)target_push(session, TARGET_ACTION_LOOK_UP);
    target_enter(session, TARGET_LOOKING, CLOCK_NEVER);
}

/* We own the range for good: the job can neither begin again nor be given up. */
static void refuse_committed(struct target_session *session)
{
    target_refuse_with(session, HAUL_PROTOCOL, "the job is committed here already",
                       "run `haul resolve` on the source");
}

/* The database's records may have been forgotten since the receiver started. */
static void take_identity(struct target_session *session, const char *identity)
{
    haul_control_Welcome *welcome = &session->options.welcome.as.welcome;
    welcome->target_identity.size =
        (pb_size_t)strnlen(identity, sizeof(welcome->target_identity.bytes));
    memcpy(welcome->target_identity.bytes, identity, welcome->target_identity.size);
}

static void put_jobs(haul_control_Welcome *welcome, const struct target_event *event)
{
    message_put_bytes(event->given_back_by, &welcome->given_back_by.size,
                      welcome->given_back_by.bytes, sizeof(welcome->given_back_by.bytes));
    message_put_bytes(event->waiting, &welcome->waiting.size, welcome->waiting.bytes,
                      sizeof(welcome->waiting.bytes));
    message_put_bytes(event->between, &welcome->between.size, welcome->between.bytes,
                      sizeof(welcome->between.bytes));
}

static void on_looked_up(struct target_session *session, const struct target_event *event,
                         uint64_t now_ns)
{
    if (event->error.status != HAUL_OK) {
        target_refuse(session, &event->error);
        return;
    }
    if (event->identity != NULL) {
        take_identity(session, event->identity);
    }
    if (!check_is_another(session, &session->hello)) {
        return;
    }
    if (!session->options.version.authoritative) {
        session->options.version = event->version; /* the operator has given none */
    }
    session->recorded = event->knowledge == JOB_PREPARED;
    session->owned = event->knowledge == JOB_COMMITTED;
    session->begun = session->recorded || event->knowledge == JOB_COPYING;
    if (session->told_to_abort && session->owned) {
        refuse_committed(session);
        return;
    }
    if (session->told_to_abort) {
        target_end_aborted(session, &session->outcome);
        return;
    }
    /* Check it for a returning source too: other jobs may have moved our version before its first
     * plan. */
    bool unknown = event->knowledge == JOB_UNKNOWN && !HAUL_PLANTED_BUG(RETURN_UNCHECKED);
    if (unknown && !check_config_versions(session, &session->hello)) {
        return;
    }
    session->prepare.as.prepare.new_version = event->new_version;
    session->prepare.as.prepare.epoch = event->epoch;
    struct message *message = target_push_message(session, MESSAGE_WELCOME);
    message->as.welcome = session->options.welcome.as.welcome;
    message->as.welcome.job_phase = (uint32_t)event->knowledge;
    message->as.welcome.given_back = session->owned ? (uint32_t)event->returned : 0;
    put_jobs(&message->as.welcome, event);
    message->as.welcome.config_version = session->options.version.version;
    message->as.welcome.config_version_known = session->options.version.authoritative;
    target_enter(session, TARGET_GREETED, target_answer_deadline(session, now_ns));
}

static void on_plan(struct target_session *session, const struct message *message)
{
    const struct version_claim theirs = claim_of(&session->hello);
    struct haul_error error = {0};
    /* Not checked yet for a job that continues, because its source could have decided. */
    if (!check_config_versions(session, &session->hello)) {
        return;
    }
    if (version_claim_check(&theirs, &session->options.version, message->as.plan.new_version,
                            &error) != HAUL_OK) {
        target_refuse(session, &error);
        return;
    }
    struct target_action *action = target_push(session, TARGET_ACTION_CHECK);
    action->message = *message; /* borrowed */
    session->plan_version = message->as.plan.new_version;
    session->begun = true;     /* the check records the plan */
    session->recorded = false; /* the source continues copying: what was prepared is void */
    target_enter(session, TARGET_CHECKING, CLOCK_NEVER);
}

static void on_checked(struct target_session *session, const struct target_event *event)
{
    if (event->error.status != HAUL_OK) {
        session->owned_job = event->owned_job;
        session->lost = event->lost;
        target_refuse(session, &event->error);
        return;
    }
    session->digest_count = event->accepted->as.plan_accepted.family_ids_count;
    session->digests = calloc(session->digest_count, sizeof(*session->digests));
    session->family_names = calloc(session->digest_count, sizeof(*session->family_names));
    if (session->digests == NULL || session->family_names == NULL) {
        target_refuse_with(session, HAUL_NO_MEMORY, "no memory for the job", "");
        return;
    }
    for (size_t i = 0; event->plan != NULL && i < session->digest_count; i++) {
        memcpy(session->family_names[i], event->plan->families[i].family.name, HAUL_NAME_BYTES_MAX);
    }
    session->delta_batches = event->accepted->as.plan_accepted.delta_next_batch;
    (void)target_push(session, TARGET_ACTION_START);
    struct target_action *action = target_push(session, TARGET_ACTION_SEND);
    action->message = *event->accepted;
    event->accepted->type = 0; /* taken */
    target_enter(session, TARGET_RECEIVING, CLOCK_NEVER);
}

static void on_cleared(struct target_session *session, const struct target_event *event)
{
    /* Without an answer the source keeps its record, and a later job clears this one. */
    bool cleared = event->error.status == HAUL_OK;
    if (cleared && session->channel_up && session->told_to_abort) {
        target_push_message(session, MESSAGE_ABORTED)->as.aborted.cleared = true;
    }
    bool stranger = session->told_to_abort && event->error.status == HAUL_AUTH;
    if (stranger || (session->told_of_jobs && event->error.status == HAUL_MISMATCH)) {
        /* it stays refused */
        session->owned_job = event->owned_job;
        target_refuse(session, &event->error);
        return;
    }
    target_enter(session, TARGET_ENDED, CLOCK_NEVER);
    (void)target_push(session, TARGET_ACTION_END);
}

/* --- dispatch --------------------------------------------------------------------------------- */

static void on_stop(struct target_session *session, const struct haul_error *error)
{
    bool stops = session->state != TARGET_OWNING && session->state != TARGET_CLEARING &&
                 session->state != TARGET_KEEPING;
    if (session->state == TARGET_KEEPING) {
        session->outcome = *error; /* the source has stopped before */
    }
    if (!stops) {
        return; /* decided, or about to end */
    }
    target_say_stop(session, error);
    if (session->state == TARGET_VERIFYING) {
        session->outcome = *error;
        target_end(session);
        return;
    }
    target_keep(session, error);
    if (session->recorded) {
        haul_error_hint(
            &session->outcome,
            "the prepared job stays; start `haul recv` again, and its source finishes it");
    }
}

static void on_abort(struct target_session *session, const haul_control_Abort *message)
{
    struct haul_error error = {0};
    haul_error_set(&error, message_status(message->status, HAUL_CANCELLED), NULL, 0,
                   "the source ended the job: %s", message->text);
    bool names_jobs = message->jobs != NULL && message->jobs->size > 0;
    if (names_jobs && session->state != TARGET_GREETED) {
        target_fail_with(session, HAUL_PROTOCOL, "Abort names other jobs out of place");
        return;
    }
    if (!names_jobs && session->hello.epoch == MESSAGE_EPOCH_NONE) {
        on_stop(session, &error); /* it has made no attempt that it could end */
        return;
    }
    session->told_of_jobs = names_jobs;
    session->begun = session->begun || names_jobs; /* there is something to clear */
    if (session->state == TARGET_CLEARING) {
        session->told_to_abort = true;
    } else if (session->state == TARGET_LOOKING) {
        session->told_to_abort = true; /* the records show whether there is something to clear */
        session->outcome = error;
    } else {
        target_end_aborted(session, &error);
    }
}

static void explain_peer_stop(const struct target_session *session,
                              const haul_control_Stop *message, struct haul_error *error)
{
    if (session->hello.epoch == MESSAGE_EPOCH_NONE) { /* it has sent no data, only a question */
        haul_error_set(error, HAUL_CLOSED, NULL, 0, "the source asked, and ended: %s",
                       message->text);
        return;
    }
    haul_error_set(error, HAUL_CLOSED, NULL, 0,
                   "the source has ended its attempt; what it sent is kept: %s", message->text);
    haul_error_hint(error, "run `haul send` or `haul resume` on the source to continue");
}

/* The source sent Stop: it ends its attempt, decides nothing and gives nothing up. */
static void on_peer_stop(struct target_session *session, const haul_control_Stop *message)
{
    struct haul_error error = {0};
    if (session->state == TARGET_VERIFYING) {
        haul_error_set(&session->outcome, HAUL_CLOSED, NULL, 0, "the comparison is over");
        target_end(session);
    } else if (session->owned && session->state == TARGET_GREETED && message->lost.size > 0) {
        target_end(session); /* it knows of the commit, and has reported its losses */
    } else if (session->recorded) {
        haul_error_set(&error, HAUL_CLOSED, NULL, 0, "the source has ended its attempt: %s",
                       message->text);
        target_fail(session, &error);
    } else if (session->state != TARGET_KEEPING && session->state != TARGET_CLEARING) {
        explain_peer_stop(session, message, &error);
        target_keep(session, &error);
    }
}

static bool is_verify(enum message_type type)
{
    return type == MESSAGE_VERIFY_LIST || type == MESSAGE_VERIFY_SCAN ||
           type == MESSAGE_VERIFY_NEXT;
}

/* Keep what was received; the source can continue from there. */
static void on_channel_down(struct target_session *session, const struct haul_error *error)
{
    if (session->state == TARGET_KEEPING) {
        return;
    }
    if (session->state >= TARGET_CHECKING && session->state <= TARGET_RECORDING) {
        haul_error_set(&session->outcome, HAUL_CLOSED, error->call, error->code,
                       "the source is gone; what it sent is kept until it comes back: %s",
                       error->text);
        haul_error_hint(&session->outcome, "run `haul send` again");
        session->kept = true;
        target_end(session);
    } else if (session->owned && session->state == TARGET_GREETED) {
        target_end(session); /* the source knows that the job is committed: nothing is left to do */
    } else {
        target_fail(session, error);
    }
}

static void on_message(struct target_session *session, const struct message *message,
                       uint64_t now_ns)
{
    enum target_state state = session->state;
    if (message->type == MESSAGE_WORKING && state >= TARGET_CHECKING && state != TARGET_KEEPING) {
        (void)stall_watch_note_working(&session->stall, message->as.working.done, now_ns);
    } else if (session->owned &&
               (message->type == MESSAGE_PLAN || message->type == MESSAGE_ABORT)) {
        refuse_committed(session);
    } else if (message->type == MESSAGE_ABORT && state != TARGET_OWNING) {
        on_abort(session, &message->as.abort);
    } else if (message->type == MESSAGE_STOP && state != TARGET_OWNING) {
        on_peer_stop(session, &message->as.stop);
    } else if (message->type == MESSAGE_HELLO && state == TARGET_WAITING) {
        on_hello(session, &message->as.hello, now_ns);
    } else if (message->type == MESSAGE_PLAN && state == TARGET_GREETED) {
        on_plan(session, message);
    } else if (message->type == MESSAGE_PREPARE && state >= TARGET_RECEIVING &&
               state <= TARGET_PREPARED) {
        target_hand_over_on_prepare(session, message);
    } else if (message->type == MESSAGE_COMMIT && session->recorded && !session->prepare_waits &&
               (state == TARGET_PREPARED || state == TARGET_GREETED)) {
        target_hand_over_on_commit(session, message);
    } else if (is_verify(message->type) && state == TARGET_VERIFYING) {
        on_verify(session, message, now_ns);
    } else if (state != TARGET_CLEARING && state != TARGET_KEEPING) {
        char text[96];
        (void)snprintf(text, sizeof(text), "message %s is out of place in state %s",
                       message_name(message->type), target_state_name(state));
        target_fail_with(session, HAUL_PROTOCOL, text);
    }
}

/* Does the session wait for the source? While it does, it sends Working. */
static bool is_watched(const struct target_session *session)
{
    return session->state == TARGET_RECEIVING || session->state == TARGET_PREPARED ||
           session->state == TARGET_KEEPING;
}

/* A working source reports its work, and does not leave the target idle for long. */
static bool is_idle(const struct target_session *session)
{
    return session->idle && session->state == TARGET_RECEIVING;
}

static void check_stalled(struct target_session *session, uint64_t now_ns)
{
    bool idle = is_idle(session);
    if (!is_watched(session) || now_ns < stall_watch_deadline_ns(&session->stall, idle)) {
        return;
    }
    struct haul_error error = {0};
    if (session->state == TARGET_KEEPING) { /* what was recorded before stays */
        haul_error_set(&error, HAUL_TIMEOUT, NULL, 0, "the database has written nothing for %u s",
                       stall_watch_limit_s(&session->stall, idle));
        target_fail(session, &error);
        return;
    }
    haul_error_set(&error, HAUL_TIMEOUT, NULL, 0,
                   "nothing has moved for %u s, though the source is there; what it sent is kept",
                   stall_watch_limit_s(&session->stall, idle));
    haul_error_hint(&error, "run `haul send` or `haul resume` on the source to continue");
    target_say_stop(session, &error);
    if (session->state == TARGET_PREPARED) {
        target_fail(session, &error);
    } else {
        target_keep(session, &error);
    }
}

/* The source waits for Welcome while a superseded job is cleared, for the answer to its plan, or
 * for the end of the jobs that it named. */
static bool has_source_waiting(const struct target_session *session)
{
    return session->channel_up &&
           (session->state == TARGET_LOOKING || session->state == TARGET_CHECKING ||
            (session->state == TARGET_CLEARING && session->told_of_jobs));
}

static void on_tick(struct target_session *session, const struct target_event *tick,
                    uint64_t now_ns)
{
    uint64_t done = 0;
    session->idle = tick->idle;
    stall_watch_note_ours(&session->stall, tick->activity, now_ns);
    check_stalled(session, now_ns);
    if (now_ns >= session->state_deadline_ns) {
        target_fail_with(session, HAUL_TIMEOUT,
                         session->state == TARGET_VERIFYING
                             ? "the comparing source sends no more requests"
                             : "the source sent no plan in time");
    } else if (has_source_waiting(session) &&
               stall_watch_must_tell(&session->stall, false, now_ns, &done)) {
        target_push_message(session, MESSAGE_WORKING)->as.working.done = done;
    }
}

static void check_invariants(const struct target_session *session)
{
    const haul_control_Prepare *prepare = &session->prepare.as.prepare;
    if (session->state == TARGET_OWNING) { /* T1 */
        haul_assert(session->recorded && !session->prepare_waits);
        haul_assert(session->was_done || session->commit.new_version == prepare->new_version);
        haul_assert(session->was_done || session->commit.epoch == prepare->epoch);
    }
    haul_assert(session->state != TARGET_PREPARED || session->recorded);            /* T2 */
    haul_assert(!session->cleared || !session->recorded || session->told_to_abort); /* T3 */
    if (session->state == TARGET_ENDED && session->outcome.status == HAUL_OK) {
        haul_assert(session->owned); /* T4 */
    }
    haul_assert(!session->kept || !session->cleared || session->state != TARGET_KEEPING); /* T5 */
    if (session->state == TARGET_VERIFYING) {
        haul_assert(!session->begun && !session->recorded && !session->owned); /* T6 */
    }
}

static void dispatch(struct target_session *session, const struct target_event *event,
                     uint64_t now_ns)
{
    switch (event->type) {
    case TARGET_EVENT_MESSAGE:
        on_message(session, event->message, now_ns);
        return;
    case TARGET_EVENT_CHANNEL_DOWN:
        session->channel_up = false;
        on_channel_down(session, &event->error);
        return;
    case TARGET_EVENT_LOOKED_UP:
        on_looked_up(session, event, now_ns);
        return;
    case TARGET_EVENT_CHECKED:
        on_checked(session, event);
        return;
    case TARGET_EVENT_APPLIED:
        session->delta_batches = event->delta_batches;
        target_hand_over_check(session);
        return;
    case TARGET_EVENT_FLUSHED:
        target_hand_over_on_flushed(session, event);
        return;
    case TARGET_EVENT_RECORDED:
        target_hand_over_on_recorded(session, event);
        return;
    case TARGET_EVENT_OWNED:
        target_hand_over_on_owned(session, event);
        return;
    case TARGET_EVENT_KEPT:
        target_end(session);
        return;
    case TARGET_EVENT_CLEARED:
        on_cleared(session, event);
        return;
    case TARGET_EVENT_FAILED:
        target_fail(session, &event->error);
        return;
    case TARGET_EVENT_DAMAGED:
        target_keep_damaged(session, &event->error);
        return;
    case TARGET_EVENT_BUSY:
        if (session->state == TARGET_LOOKING || session->state == TARGET_GREETED ||
            session->state == TARGET_VERIFYING) {
            target_refuse(session, &event->error);
        }
        return;
    case TARGET_EVENT_STOP:
        on_stop(session, &event->error);
        return;
    case TARGET_EVENT_CANCEL:
        if (session->state == TARGET_KEEPING) {
            target_clear(session, &event->error);
        } else {
            target_fail(session, &event->error);
        }
        return;
    case TARGET_EVENT_TICK:
        on_tick(session, event, now_ns);
        return;
    }
}

/* Drop the driver's answers to actions of a state that was left in the meantime. */
static bool is_stale(const struct target_session *session, enum target_event_type type)
{
    switch (type) {
    case TARGET_EVENT_LOOKED_UP:
        return session->state != TARGET_LOOKING;
    case TARGET_EVENT_CHECKED:
        return session->state != TARGET_CHECKING;
    case TARGET_EVENT_FLUSHED:
        return session->state != TARGET_FLUSHING;
    case TARGET_EVENT_RECORDED:
        return session->state != TARGET_RECORDING;
    case TARGET_EVENT_OWNED:
        return session->state != TARGET_OWNING;
    case TARGET_EVENT_KEPT:
        return session->state != TARGET_KEEPING;
    case TARGET_EVENT_CLEARED:
        return session->state != TARGET_CLEARING;
    default:
        return session->state == TARGET_ENDED;
    }
}

void target_session_event(struct target_session *session, const struct target_event *event,
                          uint64_t now_ns)
{
    enum target_state before = session->state;
    if (!is_stale(session, event->type)) {
        dispatch(session, event, now_ns);
        check_invariants(session);
    }
    if (session->state != before) {
        stall_watch_begin(&session->stall, now_ns);
    }
}

/* --- public ----------------------------------------------------------------------------------- */

enum haul_status target_session_create(const struct target_session_options *options,
                                       uint64_t now_ns, struct target_session **out)
{
    struct target_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return HAUL_NO_MEMORY;
    }
    session->options = *options;
    session->channel_up = true;
    stall_watch_init(&session->stall, options->peer_timeout_ms);
    target_enter(session, TARGET_WAITING, target_answer_deadline(session, now_ns));
    *out = session;
    return HAUL_OK;
}

void target_session_destroy(struct target_session *session)
{
    if (session == NULL) {
        return;
    }
    for (size_t i = 0; i < session->action_count; i++) {
        if (session->actions[i].type == TARGET_ACTION_SEND) {
            message_release(&session->actions[i].message);
        }
    }
    message_release(&session->prepare);
    message_release(&session->next_prepare);
    free(session->digests);
    free(session->family_names);
    free(session->answer);
    free(session);
}

bool target_session_action(struct target_session *session, struct target_action *action)
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

uint64_t target_session_deadline_ns(const struct target_session *session)
{
    uint64_t stall_ns = stall_watch_deadline_ns(&session->stall, is_idle(session));
    return is_watched(session) && stall_ns < session->state_deadline_ns
               ? stall_ns
               : session->state_deadline_ns;
}

enum target_state target_session_state(const struct target_session *session)
{
    return session->state;
}

const struct haul_error *target_session_outcome(const struct target_session *session)
{
    return &session->outcome;
}

bool target_session_is_resumable(const struct target_session *session)
{
    return session->kept;
}

enum haul_wire target_session_wire(const struct target_session *session)
{
    return (enum haul_wire)session->options.welcome.as.welcome.wire;
}

const haul_control_Hello *target_session_hello(const struct target_session *session)
{
    return &session->hello;
}

const haul_control_Prepare *target_session_prepare(const struct target_session *session)
{
    return &session->prepare.as.prepare;
}
