/* SPDX-License-Identifier: Apache-2.0 */
/* source_session.h — the life of a job on the side that gives: events and time in, actions out.
 *
 * No I/O, no clock, no threads: source_migration.c performs the actions in the product, the
 * simulator in the tests.
 *
 *   CONNECTING --channel up / Hello--> GREETING --Welcome / Plan--> PLANNING
 *   PLANNING --PlanAccepted / open links--> LINKING --links up / start copy--> COPYING
 *   COPYING --copied here and applied there / round--> CATCHING_UP
 *   CATCHING_UP --round done, lag small / freeze--> FREEZING --frozen / last round--> DRAINING
 *   DRAINING --round done / digest, Prepare--> PREPARING --Prepared, equal / decide--> DECIDING
 *   DECIDING --decided / release, Commit--> COMMITTING --Committed--> ENDED(OK)
 *
 *   FREEZING, DRAINING, PREPARING --freeze deadline / unfreeze, round--> CATCHING_UP
 *   any before DECIDING --failure, cancel, Abort, Refused / unfreeze, Abort--> ABORTING --> ENDED
 *   PLANNING..PREPARING --path lost / unfreeze, disconnect--> RETRYING --back-off--> CONNECTING
 *   COMMITTING --path lost / disconnect--> RETRYING: the record says commit, the target must learn
 * it RETRYING --too long--> ENDED (temporary, or IN_DOUBT once decided)
 *
 * Invariants (checked after every event by check_invariants):
 *   S1 writes are frozen exactly in FREEZING..COMMITTING, and released only by the decision
 *   S2 a decision to commit is asked for only after a Prepared for this very freeze, equal digests
 *   S3 unfreeze is never asked for once the decision was asked for, unless it is known to be
 * refused S4 ENDED(OK) only after Committed */
#ifndef HAUL_SOURCE_SESSION_H
#define HAUL_SOURCE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "haul/migration.h"
#include "job_journal.h"
#include "message.h"
#include "plan.h"

#define SOURCE_STATE_LIST(X)                                    \
    X(CONNECTING, "the control channel is being opened")        \
    X(GREETING, "Hello is out, Welcome awaited")                \
    X(PLANNING, "Plan is out, PlanAccepted awaited")            \
    X(LINKING, "the data links are being opened")               \
    X(COPYING, "the snapshot is on its way")                    \
    X(CATCHING_UP, "rounds over the write-ahead log")           \
    X(FREEZING, "the owner was asked to refuse writes")         \
    X(DRAINING, "frozen; the last of the log is on its way")    \
    X(PREPARING, "frozen; Prepare is out, Prepared awaited")    \
    X(DECIDING, "frozen; the decision record is being written") \
    X(COMMITTING, "released; Commit is out, Committed awaited") \
    X(RETRYING, "the path was lost; waiting to connect again")  \
    X(ABORTING, "Abort is out, Aborted awaited")                \
    X(ENDED, "nothing more happens")

enum source_state {
#define SOURCE_STATE_ENUM(name, sentence) SOURCE_##name,
    SOURCE_STATE_LIST(SOURCE_STATE_ENUM)
#undef SOURCE_STATE_ENUM
};

const char *source_state_name(enum source_state state);

enum source_event_type {
    SOURCE_EVENT_CHANNEL_UP,
    SOURCE_EVENT_CHANNEL_DOWN, /* error */
    SOURCE_EVENT_MESSAGE,      /* message */
    SOURCE_EVENT_LINKS_UP,
    SOURCE_EVENT_LINKS_DOWN, /* error: a data link broke, and no other was to be had */
    SOURCE_EVENT_COPIED,     /* every block of the snapshot was sent and freed */
    SOURCE_EVENT_ROUND_DONE, /* bytes: of the ranges found in the round; sequence; batches */
    SOURCE_EVENT_FROZEN,     /* error.status: OK or why not */
    SOURCE_EVENT_DIGESTED,   /* digests: one a family */
    SOURCE_EVENT_DECIDED,    /* error.status: OK; IN_DOUBT; else the record was NOT written */
    SOURCE_EVENT_FAILED,     /* error: something local went wrong */
    SOURCE_EVENT_CANCEL,
    SOURCE_EVENT_TICK,
};

struct source_event {
    enum source_event_type type;
    struct haul_error error;
    struct message *message; /* the session may take its parts; the owner releases it */
    uint64_t bytes;
    uint64_t sequence;
    uint64_t batches; /* of the delta lane, sent since the job began */
    const struct digest *digests;
};

enum source_action_type {
    SOURCE_ACTION_SEND,       /* message: take it, send it, release it */
    SOURCE_ACTION_CONNECT,    /* open the control channel again */
    SOURCE_ACTION_DISCONNECT, /* close channel and links, stop readers; the view is kept */
    SOURCE_ACTION_OPEN_LINKS,
    SOURCE_ACTION_START_COPY,
    SOURCE_ACTION_ROUND, /* read the log up to its end now */
    SOURCE_ACTION_FREEZE,
    SOURCE_ACTION_UNFREEZE,
    SOURCE_ACTION_DIGEST,
    SOURCE_ACTION_DECIDE, /* make the decision to commit durable */
    SOURCE_ACTION_RELEASE,
    SOURCE_ACTION_STOP, /* stop readers, close links */
    SOURCE_ACTION_END,  /* the result is known */
};

struct source_action {
    enum source_action_type type;
    struct message message;
};

struct source_session_options {
    struct plan *plan;                 /* borrowed; target ids are filled in from PlanAccepted */
    struct haul_source_options source; /* numbers resolved */
    uint8_t job[HAUL_JOB_BYTES];
    uint64_t epoch;
    const char *identity; /* of the database */
    bool config_version_known;
    uint32_t peer_timeout_ms;
    uint32_t retry_max_ms; /* keep trying to come back for so long; 0: never */
    bool continued;        /* the job was begun by an earlier run */
    bool decided;          /* resolve: the decision to commit was made by an earlier run */
    uint8_t supersedes[JOB_JOURNALS_MAX][HAUL_JOB_BYTES]; /* jobs that this one replaces */
    size_t superseded_count;
};

struct source_session;

enum haul_status source_session_create(const struct source_session_options *options,
                                       struct source_session **session) HAUL_MUST_CHECK;
void source_session_destroy(struct source_session *session);

/* Feed one event; then take actions until there is none. Time in nanoseconds, monotonic. */
void source_session_event(struct source_session *session, const struct source_event *event,
                          uint64_t now_ns);
bool source_session_action(struct source_session *session, struct source_action *action);

/* When a TICK is due at the latest. */
uint64_t source_session_deadline_ns(const struct source_session *session);

enum source_state source_session_state(const struct source_session *session);
/* The outcome, once ENDED. */
const struct haul_error *source_session_outcome(const struct source_session *session);
/* The last Welcome and PlanAccepted, for the driver (positions, token, slots). */
const haul_control_Welcome *source_session_welcome(const struct source_session *session);
const haul_control_PlanAccepted *source_session_accepted(const struct source_session *session);
const haul_control_Progress *source_session_progress(const struct source_session *session);

struct source_session_figures {
    uint32_t rounds;
    uint64_t lag_bytes;
    uint64_t lag_bytes_at_freeze;
    uint64_t freeze_started_ns; /* 0: never */
    uint64_t freeze_ended_ns;
    bool verified;
    bool peer_knows; /* of the abort: it was told, and answered, or it was its own */
    uint32_t retries;
};
void source_session_figures(const struct source_session *session,
                            struct source_session_figures *figures);

#endif
