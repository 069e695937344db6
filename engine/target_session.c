/* SPDX-License-Identifier: Apache-2.0 */
/* target_session.c — the taking side's state machine; the diagram is in target_session.h. */
#include "target_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "family_digests.h"
#include "planted_bug.h"

enum { ACTION_COUNT_MAX = 16 };

struct target_session {
    struct target_session_options options;
    enum target_state state;
    uint64_t state_deadline_ns;
    struct haul_error outcome;
    haul_control_Hello hello;
    bool begun;                  /* the store may hold something of the job */
    uint64_t plan_version;       /* the new one, as the plan has it */
    struct message prepare;      /* the Prepare that is worked on, owned; the driver reads it */
    struct message next_prepare; /* the last one, owned */
    bool prepare_waits;          /* next_prepare came, but not every delta is applied yet */
    uint64_t delta_batches;      /* applied */
    bool recorded;               /* a PREPARED record stands for `prepare` */
    bool owned;
    bool channel_up;
    bool told_to_abort; /* the source asked; it waits for Aborted */
    struct digest *digests;
    size_t digest_count;
    haul_control_FamilyDigest *answer; /* owned; of the next Prepared, made before it is recorded */
    struct target_action actions[ACTION_COUNT_MAX];
    size_t action_count;
};

const char *target_state_name(enum target_state state)
{
    static const char *const names[] = {
#define TARGET_STATE_NAME(name, sentence) #name,
        TARGET_STATE_LIST(TARGET_STATE_NAME)
#undef TARGET_STATE_NAME
    };
    return names[state];
}

enum haul_phase target_state_phase(enum target_state state)
{
    switch (state) {
    case TARGET_WAITING:
    case TARGET_LOOKING:
    case TARGET_GREETED:
        return HAUL_PHASE_CONNECTING;
    case TARGET_CHECKING:
        return HAUL_PHASE_PLANNING;
    case TARGET_RECEIVING:
        return HAUL_PHASE_COPYING;
    case TARGET_FLUSHING:
    case TARGET_RECORDING:
    case TARGET_PREPARED:
        return HAUL_PHASE_FROZEN;
    case TARGET_OWNING:
        return HAUL_PHASE_COMMITTING;
    case TARGET_CLEARING:
        return HAUL_PHASE_ABORTING;
    case TARGET_ENDED:
        return HAUL_PHASE_ENDED;
    }
    return HAUL_PHASE_ENDED;
}

/* --- actions and states ----------------------------------------------------------------------- */

static struct target_action *push(struct target_session *session, enum target_action_type type)
{
    haul_assert(session->action_count < ACTION_COUNT_MAX);
    struct target_action *action = &session->actions[session->action_count++];
    memset(action, 0, sizeof(*action));
    action->type = type;
    return action;
}

static struct message *push_message(struct target_session *session, enum message_type type)
{
    struct target_action *action = push(session, TARGET_ACTION_SEND);
    message_init(&action->message, type);
    return &action->message;
}

static void enter(struct target_session *session, enum target_state state, uint64_t deadline_ns)
{
    session->state = state;
    session->state_deadline_ns = deadline_ns;
}

static uint64_t answer_deadline(const struct target_session *session, uint64_t now_ns)
{
    return now_ns + (uint64_t)session->options.peer_timeout_ms * NS_PER_MS;
}

static void end(struct target_session *session)
{
    enter(session, TARGET_ENDED, CLOCK_NEVER);
    (void)push(session, TARGET_ACTION_STOP);
    (void)push(session, TARGET_ACTION_END);
}

/* Nothing was changed yet: say no and end. */
static void refuse(struct target_session *session, const struct haul_error *error)
{
    session->outcome = *error;
    if (session->channel_up) {
        haul_control_Refused *refused = &push_message(session, MESSAGE_REFUSED)->as.refused;
        refused->status = (uint32_t)error->status;
        (void)snprintf(refused->text, sizeof(refused->text), "%s", error->text);
        (void)snprintf(refused->hint, sizeof(refused->hint), "%s", error->hint);
    }
    end(session);
}

static void refuse_with(struct target_session *session, enum haul_status status, const char *text,
                        const char *hint)
{
    struct haul_error error = {0};
    haul_error_set(&error, status, NULL, 0, "%s", text);
    haul_error_hint(&error, "%s", hint);
    refuse(session, &error);
}

/* Something was copied: tell the peer (unless it told us) and remove it. */
static void clear(struct target_session *session, const struct haul_error *error)
{
    session->outcome = *error;
    if (session->channel_up && !session->told_to_abort) {
        haul_control_Abort *abort_message = &push_message(session, MESSAGE_ABORT)->as.abort;
        abort_message->status = (uint32_t)error->status;
        (void)snprintf(abort_message->text, sizeof(abort_message->text), "%s", error->text);
        (void)snprintf(abort_message->hint, sizeof(abort_message->hint), "%s", error->hint);
    }
    (void)push(session, TARGET_ACTION_STOP);
    (void)push(session, TARGET_ACTION_CLEAR);
    enter(session, TARGET_CLEARING, CLOCK_NEVER);
}

/* The source gave up: Aborted, after what the job left here is removed. */
static void end_aborted(struct target_session *session, const struct haul_error *error)
{
    session->told_to_abort = true;
    if (session->begun) {
        clear(session, error);
        return;
    }
    session->outcome = *error;
    push_message(session, MESSAGE_ABORTED)->as.aborted.cleared = true;
    end(session);
}

/* The source may have decided: stay dark, keep everything, let its record tell. */
static void leave_in_doubt(struct target_session *session, const struct haul_error *error)
{
    haul_error_set(&session->outcome, HAUL_IN_DOUBT, NULL, 0,
                   "prepared, and the source's decision is not known: %s", error->text);
    haul_error_hint(&session->outcome, "the source's decision record tells: `haul resolve`");
    end(session);
}

static void fail(struct target_session *session, const struct haul_error *error)
{
    switch (session->state) {
    case TARGET_WAITING:
    case TARGET_LOOKING:
        refuse(session, error);
        return;
    case TARGET_GREETED:
        if (session->recorded) {
            leave_in_doubt(session, error);
        } else {
            refuse(session, error);
        }
        return;
    case TARGET_CHECKING:
    case TARGET_RECEIVING:
    case TARGET_FLUSHING:
    case TARGET_RECORDING:
        clear(session, error);
        return;
    case TARGET_PREPARED:
        leave_in_doubt(session, error);
        return;
    case TARGET_OWNING: /* decided: nothing stops it but its own answer */
    case TARGET_CLEARING:
    case TARGET_ENDED:
        return;
    }
}

static void fail_with(struct target_session *session, enum haul_status status, const char *text)
{
    struct haul_error error = {0};
    haul_error_set(&error, status, NULL, 0, "%s", text);
    fail(session, &error);
}

/* --- greeting and plan ------------------------------------------------------------------------ */

static bool check_wire_version(struct target_session *session, const haul_control_Hello *hello)
{
    char text[96];
    if (hello->wire_version == MESSAGE_WIRE_VERSION) {
        return true;
    }
    (void)snprintf(text, sizeof(text), "batch format %u of the source is not ours (%d)",
                   hello->wire_version, MESSAGE_WIRE_VERSION);
    refuse_with(session, HAUL_VERSION, text, "install the same release of haul on both sides");
    return false;
}

/* Config versions: a side that knows none takes the other's; an older target has a stale view of
 * the cluster, an older source is a job of the past. */
static bool check_config_versions(struct target_session *session, const haul_control_Hello *hello)
{
    const struct target_session_options *options = &session->options;
    char text[160];
    if (!options->config_version_known || !hello->config_version_known ||
        options->config_version == hello->config_version) {
        return true;
    }
    bool older = options->config_version < hello->config_version;
    (void)snprintf(text, sizeof(text),
                   "the config versions differ: source %" PRIu64 ", target %" PRIu64,
                   hello->config_version, options->config_version);
    refuse_with(session, older ? HAUL_VERSION : HAUL_FENCED, text,
                older ? "the target's view is stale: bring it up to date, or give both sides "
                        "--config-version"
                      : "the source's view is stale: bring it up to date, or give both sides "
                        "--config-version");
    return false;
}

/* In a time that does not tell how much of it was right. */
static bool check_secret(struct target_session *session, const haul_control_Hello *hello)
{
    struct haul_slice wanted = session->options.secret;
    unsigned difference = wanted.size == 0 || hello->secret.size == wanted.size ? 0 : 1;
    for (size_t i = 0; i < wanted.size && i < hello->secret.size; i++) {
        difference |= (unsigned)(hello->secret.bytes[i] ^ wanted.data[i]);
    }
    if (difference != 0) {
        refuse_with(session, HAUL_AUTH, "not the secret that this target expects",
                    "it is valid for one job: ask the target's owner for a new one");
    }
    return difference == 0;
}

static void on_hello(struct target_session *session, const haul_control_Hello *hello,
                     uint64_t now_ns)
{
    session->hello = *hello;
    if (hello->job.size != HAUL_JOB_BYTES) {
        refuse_with(session, HAUL_PROTOCOL, "Hello carries no job", "");
        return;
    }
    /* A job that was accepted before has moved our version on itself when it was committed. */
    if (!check_secret(session, hello) || !check_wire_version(session, hello) ||
        (!hello->resume && !check_config_versions(session, hello))) {
        return;
    }
    (void)push(session, TARGET_ACTION_LOOK_UP);
    enter(session, TARGET_LOOKING, CLOCK_NEVER);
    (void)now_ns;
}

/* The range is ours for good: nothing of the job can be begun again or given up. */
static void refuse_committed(struct target_session *session)
{
    refuse_with(session, HAUL_PROTOCOL, "the job is committed here already",
                "`haul resolve` on the source tells it");
}

static void on_looked_up(struct target_session *session, const struct target_event *event,
                         uint64_t now_ns)
{
    if (event->error.status != HAUL_OK) {
        refuse(session, &event->error);
        return;
    }
    session->recorded = event->phase == JOB_PREPARED;
    session->owned = event->phase == JOB_COMMITTED;
    session->begun = session->recorded || event->phase == JOB_COPYING;
    if (session->told_to_abort && session->owned) {
        refuse_committed(session);
        return;
    }
    if (session->told_to_abort) {
        end_aborted(session, &session->outcome);
        return;
    }
    session->prepare.as.prepare.new_version = event->new_version;
    session->prepare.as.prepare.epoch = event->epoch;
    struct message *message = push_message(session, MESSAGE_WELCOME);
    message->as.welcome = session->options.welcome.as.welcome;
    message->as.welcome.job_phase = (uint32_t)event->phase;
    enter(session, TARGET_GREETED, answer_deadline(session, now_ns));
}

static void on_plan(struct target_session *session, const struct message *message)
{
    struct target_action *action = push(session, TARGET_ACTION_CHECK);
    action->message = *message; /* borrowed */
    session->plan_version = message->as.plan.new_version;
    session->begun = true; /* the check records the plan */
    enter(session, TARGET_CHECKING, CLOCK_NEVER);
}

static void on_checked(struct target_session *session, const struct target_event *event)
{
    if (event->error.status != HAUL_OK) {
        refuse(session, &event->error);
        return;
    }
    session->digest_count = event->accepted->as.plan_accepted.family_ids_count;
    session->digests = calloc(session->digest_count, sizeof(*session->digests));
    if (session->digests == NULL) {
        refuse_with(session, HAUL_NO_MEMORY, "no memory for the job", "");
        return;
    }
    session->delta_batches = event->accepted->as.plan_accepted.delta_next_batch;
    session->recorded = false; /* the source goes on copying: what was prepared is void */
    (void)push(session, TARGET_ACTION_START);
    struct target_action *action = push(session, TARGET_ACTION_SEND);
    action->message = *event->accepted;
    event->accepted->type = 0; /* taken */
    enter(session, TARGET_RECEIVING, CLOCK_NEVER);
}

/* --- hand-over -------------------------------------------------------------------------------- */

/* What Prepared will carry; false: no memory, while the job can still be given up. */
static bool make_answer(struct target_session *session)
{
    free(session->answer);
    session->answer = family_digests_encode(session->digests, session->digest_count);
    return session->answer != NULL;
}

static void on_recorded(struct target_session *session, const struct target_event *event);

/* Says what the source wants to hear. */
static void pretend(struct target_session *session)
{
    const haul_control_Prepare *prepare = &session->prepare.as.prepare;
    const struct target_event event = {.type = TARGET_EVENT_RECORDED};
    family_digests_decode(prepare->digests, session->digest_count, session->digests);
    (void)make_answer(session);
    on_recorded(session, &event);
}

static void check_prepare(struct target_session *session)
{
    bool may = session->state == TARGET_RECEIVING || session->state == TARGET_PREPARED;
    if (may && session->prepare_waits &&
        session->delta_batches == session->next_prepare.as.prepare.delta_batches) {
        message_release(&session->prepare);
        session->prepare = session->next_prepare;
        memset(&session->next_prepare, 0, sizeof(session->next_prepare));
        session->prepare_waits = false;
        session->recorded = false;
        if (HAUL_PLANTED_BUG(EARLY_DECISION)) {
            pretend(session);
            return;
        }
        (void)push(session, TARGET_ACTION_FLUSH);
        enter(session, TARGET_FLUSHING, CLOCK_NEVER);
    }
}

static void on_prepare(struct target_session *session, const struct message *message)
{
    const haul_control_Prepare *from = &message->as.prepare;
    if (from->epoch != session->hello.epoch) {
        fail_with(session, HAUL_FENCED, "Prepare names another epoch than Hello");
        return;
    }
    if (from->digests_count != session->digest_count ||
        from->new_version != session->plan_version) {
        fail_with(session, HAUL_PROTOCOL, "Prepare does not fit the plan");
        return;
    }
    message_release(&session->next_prepare);
    message_init(&session->next_prepare, MESSAGE_PREPARE);
    haul_control_Prepare *to = &session->next_prepare.as.prepare;
    *to = *from;
    to->digests = calloc(from->digests_count, sizeof(*to->digests));
    if (to->digests == NULL) {
        to->digests_count = 0;
        fail_with(session, HAUL_NO_MEMORY, "no memory for the digests");
        return;
    }
    memcpy(to->digests, from->digests, from->digests_count * sizeof(*to->digests));
    session->prepare_waits = true;
    check_prepare(session);
}

/* Another Prepare, or the changes before it, came while the last one was worked on: its freeze was
 * given up. */
static bool is_outdated(struct target_session *session)
{
    const haul_control_Prepare *prepare = &session->prepare.as.prepare;
    if (session->prepare_waits || session->delta_batches != prepare->delta_batches) {
        enter(session, TARGET_RECEIVING, CLOCK_NEVER);
        check_prepare(session);
        return true;
    }
    return false;
}

static void on_flushed(struct target_session *session, const struct target_event *event)
{
    if (event->digests == NULL) {
        enter(session, TARGET_RECEIVING, CLOCK_NEVER);
        check_prepare(session);
        return;
    }
    if (is_outdated(session)) {
        return;
    }
    const haul_control_Prepare *prepare = &session->prepare.as.prepare;
    memcpy(session->digests, event->digests, session->digest_count * sizeof(struct digest));
    size_t differs =
        family_digests_difference(prepare->digests, session->digests, session->digest_count);
    if (differs < session->digest_count && !HAUL_PLANTED_BUG(DIGEST_SKIPPED)) {
        char text[192];
        (void)snprintf(text, sizeof(text),
                       "column family %zu differs: source has %" PRIu64 " records, target %" PRIu64
                       ", or their digests disagree",
                       differs, prepare->digests[differs].count, session->digests[differs].count);
        fail_with(session, HAUL_CORRUPT, text);
        return;
    }
    if (!make_answer(session)) {
        fail_with(session, HAUL_NO_MEMORY, "no memory for the digests");
        return;
    }
    (void)push(session, TARGET_ACTION_RECORD);
    enter(session, TARGET_RECORDING, CLOCK_NEVER);
}

static void on_recorded(struct target_session *session, const struct target_event *event)
{
    if (event->error.status != HAUL_OK) {
        fail(session, &event->error);
        return;
    }
    if (is_outdated(session)) {
        return;
    }
    session->recorded = true;
    if (HAUL_PLANTED_BUG(OWN_UNASKED)) {
        (void)push(session, TARGET_ACTION_OWN);
        enter(session, TARGET_OWNING, CLOCK_NEVER);
        return;
    }
    enter(session, TARGET_PREPARED, CLOCK_NEVER);
    haul_control_Prepared *prepared = &push_message(session, MESSAGE_PREPARED)->as.prepared;
    prepared->frozen_sequence = session->prepare.as.prepare.frozen_sequence;
    prepared->freeze = session->prepare.as.prepare.freeze;
    prepared->digests = session->answer;
    prepared->digests_count = (pb_size_t)session->digest_count;
    session->answer = NULL;
}

static void on_commit(struct target_session *session, const haul_control_Commit *commit)
{
    const haul_control_Prepare *prepare = &session->prepare.as.prepare;
    if (commit->new_version != prepare->new_version || commit->epoch != prepare->epoch) {
        fail_with(session, HAUL_FENCED, "Commit names another version or epoch than Prepare");
        return;
    }
    (void)push(session, TARGET_ACTION_OWN);
    enter(session, TARGET_OWNING, CLOCK_NEVER);
}

static void on_owned(struct target_session *session, const struct target_event *event)
{
    if (event->error.status != HAUL_OK) {
        haul_error_set(&session->outcome, HAUL_IN_DOUBT, NULL, 0,
                       "the source has handed over, and this side could not record it: %s",
                       event->error.text);
        haul_error_hint(&session->outcome,
                        "put it right, start `haul recv` again, and `haul resolve` on the source");
        end(session);
        return;
    }
    session->owned = true;
    if (session->channel_up) {
        haul_control_Committed *committed = &push_message(session, MESSAGE_COMMITTED)->as.committed;
        committed->new_version = session->prepare.as.prepare.new_version;
    }
    end(session);
}

static void on_cleared(struct target_session *session, const struct target_event *event)
{
    /* Without an answer the source keeps its record, and a later job of it comes to clear. */
    bool cleared = event->error.status == HAUL_OK;
    if (cleared && session->channel_up && session->told_to_abort) {
        push_message(session, MESSAGE_ABORTED)->as.aborted.cleared = true;
    }
    enter(session, TARGET_ENDED, CLOCK_NEVER);
    (void)push(session, TARGET_ACTION_END);
}

/* --- dispatch --------------------------------------------------------------------------------- */

static void on_abort(struct target_session *session, const haul_control_Abort *message)
{
    struct haul_error error = {0};
    bool known = message->status != HAUL_OK && message->status <= HAUL_INTERNAL;
    haul_error_set(&error, known ? (enum haul_status)message->status : HAUL_CANCELLED, NULL, 0,
                   "the source ended the job: %s", message->text);
    if (session->state == TARGET_CLEARING) {
        session->told_to_abort = true;
    } else if (session->state == TARGET_LOOKING) {
        session->told_to_abort = true; /* the records tell whether there is something to clear */
        session->outcome = error;
    } else {
        end_aborted(session, &error);
    }
}

/* What was received is kept: the source can go on from there. */
static void on_channel_down(struct target_session *session, const struct haul_error *error)
{
    if (session->state >= TARGET_CHECKING && session->state <= TARGET_RECORDING) {
        haul_error_set(&session->outcome, HAUL_CLOSED, NULL, 0,
                       "the source is gone; what it sent is kept until it comes back: %s",
                       error->text);
        haul_error_hint(&session->outcome, "run `haul send` again");
        end(session);
    } else if (session->owned && session->state == TARGET_GREETED) {
        end(session); /* the source has learned that the job is committed: nothing is left to do */
    } else {
        fail(session, error);
    }
}

static void on_message(struct target_session *session, const struct message *message,
                       uint64_t now_ns)
{
    enum target_state state = session->state;
    if (session->owned && (message->type == MESSAGE_PLAN || message->type == MESSAGE_ABORT)) {
        refuse_committed(session);
    } else if (message->type == MESSAGE_ABORT && state != TARGET_OWNING) {
        on_abort(session, &message->as.abort);
    } else if (message->type == MESSAGE_HELLO && state == TARGET_WAITING) {
        on_hello(session, &message->as.hello, now_ns);
    } else if (message->type == MESSAGE_PLAN && state == TARGET_GREETED) {
        on_plan(session, message);
    } else if (message->type == MESSAGE_PREPARE && state >= TARGET_RECEIVING &&
               state <= TARGET_PREPARED) {
        on_prepare(session, message);
    } else if (message->type == MESSAGE_COMMIT && session->recorded && !session->prepare_waits &&
               (state == TARGET_PREPARED || state == TARGET_GREETED)) {
        on_commit(session, &message->as.commit);
    } else if (state != TARGET_CLEARING) {
        char text[96];
        (void)snprintf(text, sizeof(text), "message %s is out of place in state %s",
                       message_name(message->type), target_state_name(state));
        fail_with(session, HAUL_PROTOCOL, text);
    }
}

static void check_invariants(const struct target_session *session)
{
    haul_assert(session->state != TARGET_PREPARED || session->recorded); /* T2 */
    haul_assert(session->state != TARGET_OWNING ||
                (session->recorded && !session->prepare_waits)); /* T1 */
    if (session->state == TARGET_ENDED && session->outcome.status == HAUL_OK) {
        haul_assert(session->owned); /* T4 */
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
        check_prepare(session);
        return;
    case TARGET_EVENT_FLUSHED:
        on_flushed(session, event);
        return;
    case TARGET_EVENT_RECORDED:
        on_recorded(session, event);
        return;
    case TARGET_EVENT_OWNED:
        on_owned(session, event);
        return;
    case TARGET_EVENT_CLEARED:
        on_cleared(session, event);
        return;
    case TARGET_EVENT_FAILED:
    case TARGET_EVENT_CANCEL:
        fail(session, &event->error);
        return;
    case TARGET_EVENT_TICK:
        if (now_ns >= session->state_deadline_ns) {
            fail_with(session, HAUL_TIMEOUT, "the source fell silent before its plan");
        }
        return;
    }
}

/* Answers of the driver to actions of a state that was left in the meantime are dropped. */
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
    case TARGET_EVENT_CLEARED:
        return session->state != TARGET_CLEARING;
    default:
        return session->state == TARGET_ENDED;
    }
}

void target_session_event(struct target_session *session, const struct target_event *event,
                          uint64_t now_ns)
{
    if (!is_stale(session, event->type)) {
        dispatch(session, event, now_ns);
        check_invariants(session);
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
    enter(session, TARGET_WAITING, answer_deadline(session, now_ns));
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
    return session->state_deadline_ns;
}

enum target_state target_session_state(const struct target_session *session)
{
    return session->state;
}

const struct haul_error *target_session_outcome(const struct target_session *session)
{
    return &session->outcome;
}

const haul_control_Hello *target_session_hello(const struct target_session *session)
{
    return &session->hello;
}

const haul_control_Prepare *target_session_prepare(const struct target_session *session)
{
    return &session->prepare.as.prepare;
}
