/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_target_session.c — a script of events for the target's state machine; every action is
 * performed and compared with what the session promises.
 *
 *   event: u8 which (enum step) | u8 a | u8 b
 *
 * The source may send anything at any time. The driver is correct: it answers each request once,
 * perhaps late; it may fail. */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "clock.h"
#include "fuzz_target.h"
#include "target_session.h"

enum step {
    STEP_HELLO,
    STEP_PLAN,
    STEP_PREPARE,
    STEP_COMMIT,
    STEP_ABORT,
    STEP_MESSAGE,
    STEP_CHANNEL_DOWN,
    STEP_LOOKED_UP,
    STEP_CHECKED,
    STEP_APPLIED,
    STEP_FLUSHED,
    STEP_RECORDED,
    STEP_OWNED,
    STEP_CLEARED,
    STEP_FAILED,
    STEP_CANCEL,
    STEP_TICK,
    STEP_STOP,
    STEP_PEER_STOPS,
    STEP_KEPT,
    STEP_COUNT,
};

enum {
    EVENTS_MAX = 200,
    FAMILY_COUNT = 2,
    PEER_TIMEOUT_MS = 500,
    CONFIG_VERSION = 10,
    EPOCH = 3,
};

struct script {
    struct target_session *session;
    uint64_t now_ns;
    uint8_t a;
    uint8_t b;
    enum step step;
    bool channel_up;
    bool asked[TARGET_ACTION_END + 1]; /* not yet answered */
    bool ended;
    uint64_t applied;
    struct digest digests[FAMILY_COUNT];
    bool digests_flushed;
    /* What a PREPARED record stands for, as far as the source knows. */
    bool prepared;
    uint64_t prepared_version;
    uint64_t prepared_epoch;
    bool aborted;   /* the source has sent so */
    bool committed; /* the records show it, or `own` has succeeded */
};

static struct haul_error error_of(const struct script *script)
{
    static const enum haul_status failures[] = {HAUL_CLOSED, HAUL_IO, HAUL_STORE, HAUL_CANCELLED};
    struct haul_error error = {.status = HAUL_OK};
    (void)haul_error_set(&error, failures[script->b % 4], NULL, 0, "made up by the script");
    return error;
}

static uint64_t version_of(uint8_t choice)
{
    return CONFIG_VERSION + choice % 4;
}

/* --- actions ---------------------------------------------------------------------------------- */

static void check_message(struct script *script, const struct message *message)
{
    haul_assert(script->channel_up);
    if (message->type == MESSAGE_PREPARED) {
        const haul_control_Prepare *prepare = target_session_prepare(script->session);
        haul_assert(script->step == STEP_RECORDED && script->digests_flushed);
        haul_assert(message->as.prepared.frozen_sequence == prepare->frozen_sequence);
        haul_assert(message->as.prepared.digests_count == FAMILY_COUNT);
        script->prepared = true;
        script->prepared_version = prepare->new_version;
        script->prepared_epoch = prepare->epoch;
    }
    haul_assert(message->type != MESSAGE_COMMITTED || script->committed);
    haul_assert(message->type != MESSAGE_ABORTED || !script->committed);
    uint8_t *bytes = NULL;
    size_t size = 0;
    expect_status(message_encode(message, &bytes, &size), HAUL_OK);
    free(bytes);
}

static void check_own(const struct script *script)
{
    haul_assert(script->step == STEP_COMMIT && script->prepared);
    haul_assert(version_of(script->a) == script->prepared_version);
    haul_assert((uint64_t)EPOCH + script->b % 2 == script->prepared_epoch);
}

static void take_actions(struct script *script)
{
    struct target_action action;
    while (target_session_action(script->session, &action)) {
        bool verifies = target_session_hello(script->session)->verify;
        bool of_a_job = action.type != TARGET_ACTION_SEND && action.type != TARGET_ACTION_VERIFY &&
                        action.type != TARGET_ACTION_STOP && action.type != TARGET_ACTION_END;
        haul_assert(!script->ended && !script->asked[action.type]);
        haul_assert(!verifies || !of_a_job);
        switch (action.type) {
        case TARGET_ACTION_SEND:
            check_message(script, &action.message);
            message_release(&action.message);
            break;
        case TARGET_ACTION_OWN:
            check_own(script);
            script->asked[action.type] = true;
            break;
        case TARGET_ACTION_CLEAR:
            haul_assert(!script->committed);
            haul_assert(!script->prepared || script->aborted);
            script->prepared = false;
            script->asked[action.type] = true;
            break;
        case TARGET_ACTION_FLUSH:
            haul_assert(script->applied == target_session_prepare(script->session)->delta_batches);
            script->asked[action.type] = true;
            break;
        case TARGET_ACTION_LOOK_UP:
        case TARGET_ACTION_CHECK:
        case TARGET_ACTION_RECORD:
        case TARGET_ACTION_KEEP:
            script->asked[action.type] = true;
            break;
        case TARGET_ACTION_VERIFY:
            haul_assert(verifies);
            break;
        case TARGET_ACTION_START:
        case TARGET_ACTION_STOP:
            break;
        case TARGET_ACTION_END:
            script->ended = true;
            break;
        }
    }
}

static void check_state(const struct script *script)
{
    enum haul_status outcome = target_session_outcome(script->session)->status;
    haul_assert(script->ended == (target_session_state(script->session) == TARGET_ENDED));
    if (script->ended) {
        haul_assert(outcome != HAUL_OK || script->committed);
        haul_assert(!script->prepared || script->committed || outcome == HAUL_IN_DOUBT ||
                    outcome == HAUL_STOPPED || script->aborted);
    }
}

/* --- events ----------------------------------------------------------------------------------- */

static void feed(struct script *script, const struct target_event *event)
{
    target_session_event(script->session, event, script->now_ns);
    take_actions(script);
    check_state(script);
}

static void feed_message(struct script *script, struct message *message)
{
    if (script->channel_up) {
        struct target_event event = {.type = TARGET_EVENT_MESSAGE, .message = message};
        feed(script, &event);
    }
}

static void feed_hello(struct script *script)
{
    struct message message;
    message_init(&message, MESSAGE_HELLO);
    message.as.hello.wire_version = (script->a & 1) != 0 ? 0 : MESSAGE_WIRE_VERSION;
    message.as.hello.resume = (script->a & 2) != 0;
    message.as.hello.config_version_known = (script->a & 4) != 0;
    message.as.hello.job.size = (script->a & 8) != 0 ? 1 : HAUL_JOB_BYTES;
    message.as.hello.source_identity.size = (script->a & 16) != 0 ? 0 : 6;
    memcpy(message.as.hello.source_identity.bytes, "source", 6);
    message.as.hello.verify = (script->a & 0x60) == 0x60;
    message.as.hello.config_version = version_of(script->b);
    message.as.hello.epoch = EPOCH;
    feed_message(script, &message);
}

static void feed_prepare(struct script *script)
{
    haul_control_FamilyDigest digests[FAMILY_COUNT + 1] = {{.count = 1}, {.count = 2}};
    struct message message;
    message_init(&message, MESSAGE_PREPARE);
    message.as.prepare = (haul_control_Prepare){
        .frozen_sequence = script->b,
        .delta_batches = script->b % 8,
        .new_version = version_of(script->a),
        .epoch = (uint64_t)EPOCH + (script->a >> 2) % 2,
        .digests = digests,
        .digests_count = (script->a & 0x40) != 0 ? (script->a >> 4) % 4 : FAMILY_COUNT};
    if (script->channel_up && target_session_state(script->session) >= TARGET_RECEIVING &&
        target_session_state(script->session) <= TARGET_PREPARED) {
        script->prepared = false; /* that freeze was given up: nothing was decided on it */
    }
    feed_message(script, &message);
}

static void feed_plan(struct script *script)
{
    struct message message;
    message_init(&message, MESSAGE_PLAN);
    message.as.plan.old_version = CONFIG_VERSION;
    message.as.plan.new_version = version_of(script->a);
    if (script->channel_up && target_session_state(script->session) == TARGET_GREETED) {
        script->prepared = false; /* the source continues to copy */
    }
    feed_message(script, &message);
}

static void feed_other(struct script *script)
{
    struct message message;
    message_init(&message, (enum message_type)(1 + script->a % MESSAGE_VERIFY_PIECES));
    enum message_type type = message.type;
    bool own_step = type == MESSAGE_HELLO || type == MESSAGE_PLAN || type == MESSAGE_PREPARE ||
                    type == MESSAGE_COMMIT || type == MESSAGE_ABORT || type == MESSAGE_STOP;
    if (!own_step) {
        feed_message(script, &message);
    }
}

static void feed_from_source(struct script *script)
{
    struct message message;
    switch (script->step) {
    case STEP_HELLO:
        feed_hello(script);
        return;
    case STEP_PLAN:
        feed_plan(script);
        return;
    case STEP_PREPARE:
        feed_prepare(script);
        return;
    case STEP_COMMIT:
        message_init(&message, MESSAGE_COMMIT);
        message.as.commit.new_version = version_of(script->a);
        message.as.commit.epoch = (uint64_t)EPOCH + script->b % 2;
        feed_message(script, &message);
        return;
    case STEP_ABORT:
        message_init(&message, MESSAGE_ABORT);
        message.as.abort.status = script->a;
        script->aborted = script->aborted || script->channel_up;
        feed_message(script, &message);
        return;
    case STEP_PEER_STOPS:
        message_init(&message, MESSAGE_STOP);
        feed_message(script, &message);
        return;
    default:
        feed_other(script);
    }
}

/* --- the driver's answers --------------------------------------------------------------------- */

static bool was_asked(struct script *script, enum target_action_type type)
{
    bool asked = script->asked[type];
    script->asked[type] = false;
    return asked;
}

static void answer_look_up(struct script *script, struct target_event *event)
{
    event->type = TARGET_EVENT_LOOKED_UP;
    event->knowledge = (enum job_knowledge)(script->a % 4);
    event->new_version = event->knowledge == JOB_PREPARED ? version_of(script->b >> 2) : 0;
    event->epoch = EPOCH;
    if (target_session_state(script->session) == TARGET_LOOKING && event->error.status == HAUL_OK) {
        script->prepared = event->knowledge == JOB_PREPARED;
        script->prepared_version = event->new_version;
        script->prepared_epoch = event->epoch;
        script->committed = event->knowledge == JOB_COMMITTED;
    }
    feed(script, event);
}

static void answer_check(struct script *script, struct target_event *event)
{
    struct message accepted;
    message_init(&accepted, MESSAGE_PLAN_ACCEPTED);
    accepted.as.plan_accepted.family_ids_count = FAMILY_COUNT;
    accepted.as.plan_accepted.family_ids = calloc(FAMILY_COUNT, sizeof(uint32_t));
    accepted.as.plan_accepted.delta_next_batch = script->b % 4;
    haul_assert(accepted.as.plan_accepted.family_ids != NULL);
    event->type = TARGET_EVENT_CHECKED;
    event->accepted = &accepted;
    if (target_session_state(script->session) == TARGET_CHECKING) {
        script->applied = script->b % 4;
    }
    feed(script, event);
    message_release(&accepted);
}

static void answer_flush(struct script *script, struct target_event *event)
{
    script->digests[0].count = 1;
    script->digests[1].count = 2 + (script->a == 0xff ? 1 : 0);
    script->digests_flushed = script->digests[1].count == 2;
    event->type = TARGET_EVENT_FLUSHED;
    event->error = (struct haul_error){.status = HAUL_OK};
    event->digests = script->digests;
    feed(script, event);
}

static void answer(struct script *script)
{
    struct target_event event = {.type = TARGET_EVENT_TICK};
    if ((script->b & 1) != 0) {
        event.error = error_of(script);
    }
    switch (script->step) {
    case STEP_LOOKED_UP:
        if (was_asked(script, TARGET_ACTION_LOOK_UP)) {
            answer_look_up(script, &event);
        }
        return;
    case STEP_CHECKED:
        if (was_asked(script, TARGET_ACTION_CHECK)) {
            answer_check(script, &event);
        }
        return;
    case STEP_FLUSHED:
        if (was_asked(script, TARGET_ACTION_FLUSH)) {
            answer_flush(script, &event);
        }
        return;
    case STEP_RECORDED:
        event.type = TARGET_EVENT_RECORDED;
        if (was_asked(script, TARGET_ACTION_RECORD)) {
            feed(script, &event);
        }
        return;
    case STEP_OWNED:
        event.type = TARGET_EVENT_OWNED;
        if (was_asked(script, TARGET_ACTION_OWN)) {
            script->committed = event.error.status == HAUL_OK;
            feed(script, &event);
        }
        return;
    case STEP_KEPT:
        event = (struct target_event){.type = TARGET_EVENT_KEPT};
        if (was_asked(script, TARGET_ACTION_KEEP)) {
            feed(script, &event);
        }
        return;
    default:
        event.type = TARGET_EVENT_CLEARED;
        if (was_asked(script, TARGET_ACTION_CLEAR)) {
            feed(script, &event);
        }
    }
}

static void happen(struct script *script)
{
    struct target_event event = {.type = TARGET_EVENT_TICK};
    switch (script->step) {
    case STEP_CHANNEL_DOWN:
        if (script->channel_up) {
            script->channel_up = false;
            event.type = TARGET_EVENT_CHANNEL_DOWN;
            event.error = error_of(script);
            feed(script, &event);
        }
        return;
    case STEP_APPLIED:
        script->applied += script->a % 4;
        event.type = TARGET_EVENT_APPLIED;
        event.delta_batches = script->applied;
        if (target_session_state(script->session) >= TARGET_RECEIVING) {
            feed(script, &event);
        }
        return;
    case STEP_STOP:
        event.type = TARGET_EVENT_STOP;
        (void)haul_error_set(&event.error, HAUL_STOPPED, NULL, 0, "made up by the script");
        feed(script, &event);
        return;
    case STEP_FAILED:
    case STEP_CANCEL:
        event.type = script->step == STEP_FAILED ? TARGET_EVENT_FAILED : TARGET_EVENT_CANCEL;
        event.error = error_of(script);
        feed(script, &event);
        return;
    default:
        script->now_ns += script->a * (uint64_t)10 * NS_PER_MS;
        feed(script, &event);
    }
}

static void play(struct script *script)
{
    switch (script->step) {
    case STEP_HELLO:
    case STEP_PLAN:
    case STEP_PREPARE:
    case STEP_COMMIT:
    case STEP_ABORT:
    case STEP_MESSAGE:
    case STEP_PEER_STOPS:
        feed_from_source(script);
        return;
    case STEP_CHANNEL_DOWN:
    case STEP_APPLIED:
    case STEP_FAILED:
    case STEP_CANCEL:
    case STEP_STOP:
    case STEP_TICK:
        happen(script);
        return;
    default:
        answer(script);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    struct script script = {.now_ns = NS_PER_S, .channel_up = true};
    struct target_session_options options = {.version = {CONFIG_VERSION, true},
                                             .peer_timeout_ms = PEER_TIMEOUT_MS,
                                             .answers_verify = true};
    message_init(&options.welcome, MESSAGE_WELCOME);
    expect_status(target_session_create(&options, script.now_ns, &script.session), HAUL_OK);
    for (int i = 0; i < EVENTS_MAX && cursor_left(&input) > 0; i++) {
        script.step = (enum step)(cursor_u8(&input) % STEP_COUNT);
        script.a = cursor_u8(&input);
        script.b = cursor_u8(&input);
        play(&script);
    }
    target_session_destroy(script.session);
    return 0;
}
