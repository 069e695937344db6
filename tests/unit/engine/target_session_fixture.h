/* SPDX-License-Identifier: Apache-2.0 */
/* target_session_fixture.h — a target_session with a clock of its own: feed_*() one event, take*()
 * the next action and check it, walk_to() a state. For the suites of target_session.c. */
#ifndef HAUL_TESTS_TARGET_SESSION_FIXTURE_H
#define HAUL_TESTS_TARGET_SESSION_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clock.h"
#include "target_session.h"

enum {
    FAMILY_COUNT = 2,
    PEER_TIMEOUT_MS = 500,
    CONFIG_VERSION = 10,
    NEW_VERSION = 11,
    EPOCH = 3,
    DELTA_FIRST = 4, /* PlanAccepted reports a continued job */
    DELTA_COUNT = 9, /* Prepare requests it */
    FROZEN_SEQUENCE = 777,
};

static const uint64_t start_ns = 1000000;

static struct target_session *session;
static struct target_action action; /* the last one taken */
static uint64_t now_ns;
static struct digest digests[FAMILY_COUNT];
static haul_control_FamilyDigest peer_digests[FAMILY_COUNT];

/* --- fixture ---------------------------------------------------------------------------------- */

static inline void drop_action(void)
{
    if (action.type == TARGET_ACTION_SEND) {
        message_release(&action.message);
    }
    memset(&action, 0, sizeof(action));
}

static inline void start_with(uint64_t config_version, bool known)
{
    struct target_session_options options = {.version = {config_version, known},
                                             .peer_timeout_ms = PEER_TIMEOUT_MS,
                                             .answers_verify = true};
    message_init(&options.welcome, MESSAGE_WELCOME);
    options.welcome.as.welcome.slot_count = 64;
    options.welcome.as.welcome.target_identity.size = 8;
    memcpy(options.welcome.as.welcome.target_identity.bytes, "target/1", 8);
    memset(&action, 0, sizeof(action));
    now_ns = start_ns;
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        digests[i] = (struct digest){.count = 5 + i, .low = 6, .high = 7, .bytes = 8};
        peer_digests[i] =
            (haul_control_FamilyDigest){.count = 5 + i, .low = 6, .high = 7, .bytes = 8};
    }
    check_or_stop(target_session_create(&options, now_ns, &session) == HAUL_OK);
}

/* Like start_with, for a target that expects a secret. */
static inline void start_expecting(struct haul_slice secret)
{
    struct target_session_options options = {
        .version = {CONFIG_VERSION, true},
        .peer_timeout_ms = PEER_TIMEOUT_MS,
        .secret = secret,
    };
    message_init(&options.welcome, MESSAGE_WELCOME);
    memset(&action, 0, sizeof(action));
    now_ns = start_ns;
    check_or_stop(target_session_create(&options, now_ns, &session) == HAUL_OK);
}

static inline void start(void)
{
    start_with(CONFIG_VERSION, true);
}

/* Ends with all pending work undone: destroy must free it. */
static inline void finish(void)
{
    drop_action();
    target_session_destroy(session);
    session = NULL;
}

static inline enum target_state state(void)
{
    return target_session_state(session);
}

static inline const struct haul_error *outcome(void)
{
    return target_session_outcome(session);
}

/* The next action is this one. */
static inline bool take(enum target_action_type type)
{
    drop_action();
    bool taken = target_session_action(session, &action);
    check(taken);
    check_equal(action.type, type);
    return taken && action.type == type;
}

static inline bool take_message(enum message_type type)
{
    bool sent = take(TARGET_ACTION_SEND);
    check_equal(action.message.type, type);
    return sent && action.message.type == type;
}

static inline void take_nothing(void)
{
    drop_action();
    check(!target_session_action(session, &action));
}

/* The session does this last, and nothing else. */
static inline void take_end(void)
{
    (void)take(TARGET_ACTION_STOP);
    (void)take(TARGET_ACTION_END);
    take_nothing();
    check_equal(state(), TARGET_ENDED);
}

static inline void take_clear(void)
{
    (void)take(TARGET_ACTION_STOP);
    (void)take(TARGET_ACTION_CLEAR);
    take_nothing();
    check_equal(state(), TARGET_CLEARING);
}

static inline void feed(enum target_event_type type, enum haul_status status)
{
    struct target_event event = {.type = type, .digests = digests};
    if (status != HAUL_OK) {
        haul_error_set(&event.error, status, NULL, 0, "made up by the test");
        haul_error_hint(&event.error, "read the test");
    }
    target_session_event(session, &event, now_ns);
}

static inline void feed_message(const struct message *message)
{
    struct target_event event = {.type = TARGET_EVENT_MESSAGE, .message = message};
    target_session_event(session, &event, now_ns);
}

static inline struct message hello_of(uint64_t config_version, bool known)
{
    struct message message;
    message_init(&message, MESSAGE_HELLO);
    message.as.hello.wire_version = MESSAGE_WIRE_VERSION;
    message.as.hello.epoch = EPOCH;
    message.as.hello.config_version = config_version;
    message.as.hello.config_version_known = known;
    message.as.hello.job.size = HAUL_JOB_BYTES;
    memset(message.as.hello.job.bytes, 0xa5, HAUL_JOB_BYTES);
    message.as.hello.source_identity.size = 8;
    memcpy(message.as.hello.source_identity.bytes, "source/1", 8);
    return message;
}

static inline void feed_hello(void)
{
    struct message message = hello_of(CONFIG_VERSION, true);
    feed_message(&message);
}

static inline void feed_looked_up(enum job_knowledge knowledge)
{
    struct target_event event = {.type = TARGET_EVENT_LOOKED_UP,
                                 .knowledge = knowledge,
                                 .new_version = knowledge == JOB_PREPARED ? NEW_VERSION : 0,
                                 .epoch = EPOCH};
    target_session_event(session, &event, now_ns);
}

static inline void feed_plan(void)
{
    struct message message;
    message_init(&message, MESSAGE_PLAN);
    message.as.plan.old_version = CONFIG_VERSION;
    message.as.plan.new_version = NEW_VERSION;
    feed_message(&message);
}

static inline void feed_checked(void)
{
    struct message accepted;
    message_init(&accepted, MESSAGE_PLAN_ACCEPTED);
    accepted.as.plan_accepted.family_ids_count = FAMILY_COUNT;
    accepted.as.plan_accepted.family_ids = calloc(FAMILY_COUNT, sizeof(uint32_t));
    accepted.as.plan_accepted.delta_next_batch = DELTA_FIRST;
    check_or_stop(accepted.as.plan_accepted.family_ids != NULL);
    struct target_event event = {.type = TARGET_EVENT_CHECKED, .accepted = &accepted};
    target_session_event(session, &event, now_ns);
    message_release(&accepted); /* still ours if it was not taken */
}

static inline void feed_prepare_of(uint64_t new_version, uint64_t epoch, uint64_t delta_batches)
{
    struct message message;
    message_init(&message, MESSAGE_PREPARE);
    message.as.prepare.frozen_sequence = FROZEN_SEQUENCE;
    message.as.prepare.delta_batches = delta_batches;
    message.as.prepare.old_version = CONFIG_VERSION;
    message.as.prepare.new_version = new_version;
    message.as.prepare.epoch = epoch;
    message.as.prepare.digests = peer_digests; /* the session keeps a copy */
    message.as.prepare.digests_count = FAMILY_COUNT;
    feed_message(&message);
}

static inline void feed_prepare(void)
{
    feed_prepare_of(NEW_VERSION, EPOCH, DELTA_COUNT);
}

static inline void feed_applied(uint64_t delta_batches)
{
    struct target_event event = {.type = TARGET_EVENT_APPLIED, .delta_batches = delta_batches};
    target_session_event(session, &event, now_ns);
}

static inline void feed_commit(uint64_t new_version, uint64_t epoch)
{
    struct message message;
    message_init(&message, MESSAGE_COMMIT);
    message.as.commit = (haul_control_Commit){.new_version = new_version, .epoch = epoch};
    feed_message(&message);
}

static inline void feed_abort(enum haul_status status)
{
    struct message message;
    message_init(&message, MESSAGE_ABORT);
    message.as.abort.status = (uint32_t)status;
    memcpy(message.as.abort.text, "enough", sizeof("enough"));
    feed_message(&message);
}

/* The happy path up to `goal`, taking every action. */
static inline void walk_to(enum target_state goal)
{
    for (int step = 0; step <= TARGET_ENDED && state() != goal; step++) {
        switch (state()) {
        case TARGET_WAITING:
            feed_hello();
            (void)take(TARGET_ACTION_LOOK_UP);
            break;
        case TARGET_LOOKING:
            feed_looked_up(JOB_UNKNOWN);
            (void)take_message(MESSAGE_WELCOME);
            break;
        case TARGET_GREETED:
            feed_plan();
            (void)take(TARGET_ACTION_CHECK);
            break;
        case TARGET_CHECKING:
            feed_checked();
            (void)take(TARGET_ACTION_START);
            (void)take_message(MESSAGE_PLAN_ACCEPTED);
            break;
        case TARGET_RECEIVING:
            if (goal == TARGET_KEEPING) {
                feed(TARGET_EVENT_STOP, HAUL_STOPPED);
                (void)take_message(MESSAGE_STOP);
                (void)take(TARGET_ACTION_KEEP);
                break;
            }
            feed_applied(DELTA_COUNT);
            feed_prepare();
            (void)take(TARGET_ACTION_FLUSH);
            break;
        case TARGET_FLUSHING:
            feed(TARGET_EVENT_FLUSHED, HAUL_OK);
            (void)take(TARGET_ACTION_RECORD);
            break;
        case TARGET_RECORDING:
            feed(TARGET_EVENT_RECORDED, HAUL_OK);
            (void)take_message(MESSAGE_PREPARED);
            break;
        case TARGET_PREPARED:
            if (goal == TARGET_CLEARING) {
                feed_abort(HAUL_CANCELLED);
                take_clear();
            } else {
                feed_commit(NEW_VERSION, EPOCH);
                (void)take(TARGET_ACTION_OWN);
            }
            break;
        case TARGET_OWNING:
            feed(TARGET_EVENT_OWNED, HAUL_OK);
            (void)take_message(MESSAGE_COMMITTED);
            take_end();
            break;
        default:
            break;
        }
    }
    take_nothing();
    check_or_stop(state() == goal);
}

/* Up to Welcome, for a job that was here before. */
static inline void walk_to_resumed(enum job_knowledge knowledge)
{
    struct message message = hello_of(CONFIG_VERSION, true);
    message.as.hello.resume = true;
    feed_message(&message);
    (void)take(TARGET_ACTION_LOOK_UP);
    feed_looked_up(knowledge);
    if (take_message(MESSAGE_WELCOME)) {
        check_equal(action.message.as.welcome.job_phase, (uint32_t)knowledge);
    }
    take_nothing();
    check_equal(state(), TARGET_GREETED);
}

static inline void check_refused(enum haul_status status)
{
    if (take_message(MESSAGE_REFUSED)) {
        check_status((enum haul_status)action.message.as.refused.status, status);
        check(action.message.as.refused.text[0] != '\0');
    }
    take_end();
    check_status(outcome()->status, status);
}

/* The job failed while the channel is up: the source learns why, and the copy is removed. */
static inline void check_cleared(enum haul_status status)
{
    if (take_message(MESSAGE_ABORT)) {
        check_status((enum haul_status)action.message.as.abort.status, status);
        check(action.message.as.abort.text[0] != '\0');
    }
    take_clear();
    feed(TARGET_EVENT_CLEARED, HAUL_OK);
    (void)take(TARGET_ACTION_END);
    take_nothing();
    check_equal(state(), TARGET_ENDED);
    check_status(outcome()->status, status);
}

static inline void check_in_doubt(void)
{
    take_end();
    check_status(outcome()->status, HAUL_IN_DOUBT);
    check(strstr(outcome()->hint, "haul resolve") != NULL);
}

#endif
