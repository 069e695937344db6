/* SPDX-License-Identifier: Apache-2.0 */
/* source_session_fixture.h — a source_session of one family: feed_*() one event, does() and sends()
 * check the next action. For the suites of source_session.c. */
#ifndef HAUL_TESTS_SOURCE_SESSION_FIXTURE_H
#define HAUL_TESTS_SOURCE_SESSION_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clock.h"
#include "source_session.h"

enum {
    PEER_TIMEOUT_MS = 1000,
    RETRY_MAX_MS = 5000,
    LAG_BYTES_MAX = 1 << 20,
    FREEZE_MAX_MS = 500,
};

static struct plan plan;
static struct plan_family family;
static struct key_range range;
static struct plan_stream stream;
static struct source_session *session;
static struct source_action action;

/* A job of one family, with everything in it. */
static inline void open_session_as(const struct source_session_options *kind)
{
    static const struct plan_family only = {
        .family = {.name = "default", .comparator = "leveldb.BytewiseComparator"}};
    family = only;
    memset(&range, 0, sizeof(range));
    memset(&stream, 0, sizeof(stream));
    plan = (struct plan){.family_count = 1,
                         .families = &family,
                         .range_count = 1,
                         .ranges = &range,
                         .stream_count = 1,
                         .streams = &stream,
                         .new_version = 1};
    struct source_session_options options = {.plan = &plan,
                                             .epoch = 1,
                                             .identity = "test",
                                             .source = {.lag_bytes_max = LAG_BYTES_MAX,
                                                        .freeze_max_ms = FREEZE_MAX_MS,
                                                        .read_back = kind->source.read_back},
                                             .peer_timeout_ms = PEER_TIMEOUT_MS,
                                             .retry_max_ms = RETRY_MAX_MS,
                                             .decided = kind->decided,
                                             .continued = kind->continued,
                                             .only_tells = kind->only_tells};
    memset(options.job, 7, sizeof(options.job));
    check_or_stop(source_session_create(&options, &session) == HAUL_OK);
}

static inline void open_session_of(bool decided)
{
    open_session_as(&(struct source_session_options){.decided = decided});
}

static inline void open_session(void)
{
    open_session_of(false);
}

static inline void feed_type(enum source_event_type type, enum haul_status status, uint64_t now_ns)
{
    struct source_event event = {.type = type};
    if (status != HAUL_OK) {
        (void)haul_error_set(&event.error, status, NULL, 0, "test");
    }
    source_session_event(session, &event, now_ns);
}

static inline void feed_message(struct message *message, uint64_t now_ns)
{
    struct source_event event = {.type = SOURCE_EVENT_MESSAGE, .message = message};
    source_session_event(session, &event, now_ns);
    message_release(message);
}

static inline struct message welcome_message(enum job_knowledge knowledge)
{
    struct message message;
    message_init(&message, MESSAGE_WELCOME);
    message.as.welcome.wire_version = MESSAGE_WIRE_VERSION;
    message.as.welcome.session.size = MESSAGE_SESSION_BYTES;
    message.as.welcome.token.size = MESSAGE_TOKEN_BYTES;
    message.as.welcome.target_identity.size = 8;
    memcpy(message.as.welcome.target_identity.bytes, "target/1", 8);
    message.as.welcome.job_phase = (uint32_t)knowledge;
    return message;
}

static inline void feed_welcome_of(enum job_knowledge knowledge, uint64_t now_ns)
{
    struct message message = welcome_message(knowledge);
    feed_message(&message, now_ns);
}

static inline void feed_welcome(uint64_t now_ns)
{
    feed_welcome_of(JOB_UNKNOWN, now_ns);
}

/* The next action, except Working messages, which come and go with time. */
static inline bool next_action(void)
{
    bool found;
    do {
        found = source_session_action(session, &action);
    } while (found && action.type == SOURCE_ACTION_SEND && action.message.type == MESSAGE_WORKING);
    return found;
}

static inline bool does(enum source_action_type type)
{
    return next_action() && action.type == type;
}

/* The driver has recorded which target the Welcome came from. */
static inline void bind_to_target(uint64_t now_ns)
{
    check(does(SOURCE_ACTION_BIND));
    feed_type(SOURCE_EVENT_BOUND, HAUL_OK, now_ns);
}

static inline void feed_refused(enum haul_status status, uint64_t now_ns)
{
    struct message message;
    message_init(&message, MESSAGE_REFUSED);
    message.as.refused.status = (uint32_t)status;
    feed_message(&message, now_ns);
}

/* The next action is that message; `resume` of a Hello. */
static inline bool sends(enum message_type type, bool *resume)
{
    bool found = next_action() && action.type == SOURCE_ACTION_SEND && action.message.type == type;
    if (found) {
        *resume = type == MESSAGE_HELLO && action.message.as.hello.resume;
        message_release(&action.message);
    }
    return found;
}

/* Up to the plan, which was sent. */
static inline void propose(bool expect_resume, uint64_t now_ns)
{
    bool resume = false;
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, now_ns);
    check(sends(MESSAGE_HELLO, &resume));
    check_equal(resume, expect_resume);
    feed_welcome(now_ns);
    bind_to_target(now_ns);
    check(sends(MESSAGE_PLAN, &resume));
}

/* The path is lost; the session reconnects. */
static inline void lose_path_and_return(uint64_t now_ns)
{
    feed_type(SOURCE_EVENT_CHANNEL_DOWN, HAUL_CLOSED, now_ns);
    check(does(SOURCE_ACTION_DISCONNECT));
    check_equal(source_session_state(session), SOURCE_RETRYING);
    feed_type(SOURCE_EVENT_TICK, HAUL_OK, source_session_deadline_ns(session));
    check(does(SOURCE_ACTION_CONNECT));
}

/* From a target that has ended this many attempts of the job because of damaged data. */
static inline void feed_accepted_after(uint32_t damaged_attempts, uint64_t now_ns)
{
    struct message message;
    message_init(&message, MESSAGE_PLAN_ACCEPTED);
    message.as.plan_accepted.damaged_attempts = damaged_attempts;
    message.as.plan_accepted.family_ids_count = 1;
    message.as.plan_accepted.family_ids = calloc(1, sizeof(uint32_t));
    check_or_stop(message.as.plan_accepted.family_ids != NULL);
    feed_message(&message, now_ns);
}

static inline void feed_accepted(uint64_t now_ns)
{
    feed_accepted_after(0, now_ns);
}

static inline void feed_progress(uint64_t delta_applied_batches, uint64_t now_ns)
{
    struct message message;
    message_init(&message, MESSAGE_PROGRESS);
    message.as.progress.snapshot_complete = true;
    message.as.progress.delta_applied_batches = delta_applied_batches;
    feed_message(&message, now_ns);
}

static inline void feed_round_done(uint64_t bytes, uint64_t batches, uint64_t now_ns)
{
    struct source_event event = {
        .type = SOURCE_EVENT_ROUND_DONE, .bytes = bytes, .sequence = batches, .batches = batches};
    source_session_event(session, &event, now_ns);
}

/* Up to the first round, which was requested. */
static inline void copy_everything(void)
{
    propose(false, 1);
    feed_accepted(1);
    check(does(SOURCE_ACTION_OPEN_LINKS));
    feed_type(SOURCE_EVENT_LINKS_UP, HAUL_OK, 1);
    check(does(SOURCE_ACTION_START_COPY));
    feed_type(SOURCE_EVENT_COPIED, HAUL_OK, 1);
    feed_progress(0, 1);
    check(does(SOURCE_ACTION_ROUND));
}

/* Up to a freeze, which was requested at `now_ns`. */
static inline void start_freeze(uint64_t now_ns)
{
    copy_everything();
    feed_round_done(0, 0, now_ns);
    check(does(SOURCE_ACTION_FREEZE));
    check_equal(source_session_state(session), SOURCE_FREEZING);
}

static inline void feed_digested(uint64_t now_ns)
{
    static const struct digest digests[1] = {{.count = 5, .low = 6, .high = 7, .bytes = 8}};
    struct source_event event = {.type = SOURCE_EVENT_DIGESTED, .digests = digests};
    source_session_event(session, &event, now_ns);
}

/* Prepared, equal to feed_digested, for the freeze of that number. */
static inline void feed_prepared(uint32_t freeze, uint64_t now_ns)
{
    struct message message;
    message_init(&message, MESSAGE_PREPARED);
    message.as.prepared.freeze = freeze;
    message.as.prepared.digests_count = 1;
    message.as.prepared.digests = calloc(1, sizeof(haul_control_FamilyDigest));
    check_or_stop(message.as.prepared.digests != NULL);
    message.as.prepared.digests[0] =
        (haul_control_FamilyDigest){.count = 5, .low = 6, .high = 7, .bytes = 8};
    feed_message(&message, now_ns);
}

#endif
