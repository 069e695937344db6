/* SPDX-License-Identifier: Apache-2.0 */
/* source_session.h — the life of a job on the side that gives: events and time in, actions out.
 *
 * No I/O, no clock, no threads: source_migration.c performs the actions in the product, the
 * simulator in the tests.
 *
 *   CONNECTING --send_hello: channel up----------------------> GREETING
 *   GREETING --on_welcome: bind------------------------------> BINDING
 *   BINDING --on_bound: Plan---------------------------------> PLANNING
 *   BINDING --on_bound, only_tells: Abort--------------------> ABORTING --Aborted--> ENDED(OK)
 *   BINDING --on_bound, only_tells, done before: Commit------> COMMITTING
 *   BINDING --on_bound, decided: Commit----------------------> COMMITTING
 *   BINDING --on_bound, not the job's target: Stop-----------> ENDED(MISMATCH)
 *   BINDING --source_end_late: Stop--------------------------> ENDED(TIMEOUT, or IN_DOUBT)
 *   PLANNING --on_plan_accepted: open links------------------> LINKING
 *   LINKING --links up: start the copy-----------------------> COPYING
 *   COPYING --check_copied: copied here and applied there----> CATCHING_UP
 *   CATCHING_UP --start_freeze: a round ended, small lag-----> FREEZING
 *   FREEZING --on_frozen: the last round---------------------> DRAINING
 *   DRAINING --on_digested: Prepare--------------------------> PREPARING
 *   PREPARING --on_prepared: equal, decide-------------------> DECIDING
 *   DECIDING --on_decided: release, Commit-------------------> COMMITTING
 *   COMMITTING --Committed-----------------------------------> ENDED(OK)
 *
 *   FREEZING..DECIDING --give_up_freeze: unfreeze, round-----> CATCHING_UP
 *   FREEZING..DECIDING --end_unfrozen: unfreeze, Stop--------> ENDED
 *   before DECIDING --source_abort_job: unfreeze, Abort------> ABORTING --Aborted--> ENDED
 *   before DECIDING --on_stop: unfreeze, Stop----------------> ENDED(STOPPED)
 *   PLANNING..PREPARING --source_go_retry: unfreeze----------> RETRYING --back-off--> CONNECTING
 *   PLANNING..CATCHING_UP --neither side does anything-------> RETRYING
 *   COMMITTING --source_go_retry: the target has to learn it-> RETRYING
 *   RETRYING, COMMITTING --source_leave_in_doubt: for too long, or stopped--> ENDED(IN_DOUBT)
 *
 * Invariants (checked after every event by check_invariants):
 *   S1 writes are frozen exactly in FREEZING..DECIDING, and behind a decision that is in doubt
 *   S2 the decision is asked for only after an equal Prepared for the freeze that is in force
 *   S3 unfreeze is not asked for behind the decision, unless the decision is known not to be made
 *   S4 ENDED(OK) only after the target has said that it owns, or what it was told
 *   S5 a freeze has one deadline: FREEZING has an end, DRAINING and PREPARING end by that deadline
 */
#ifndef HAUL_SOURCE_SESSION_H
#define HAUL_SOURCE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "haul/migration.h"
#include "job_journal.h"
#include "job_list.h"
#include "message.h"
#include "plan.h"
#include "source_state.h"
#include "version_claim.h"

enum source_event_type {
    SOURCE_EVENT_CHANNEL_UP,
    SOURCE_EVENT_CHANNEL_DOWN, /* error */
    SOURCE_EVENT_MESSAGE,      /* message */
    SOURCE_EVENT_BOUND,        /* error.status: OK, MISMATCH (another target) or why not; jobs */
    SOURCE_EVENT_LINKS_UP,
    SOURCE_EVENT_LINKS_DOWN, /* error: a data link broke, and no other was to be had */
    SOURCE_EVENT_COPIED,     /* every block of the snapshot was sent and freed */
    SOURCE_EVENT_ROUND_DONE, /* bytes: of the ranges found in the round; sequence; batches */
    SOURCE_EVENT_FROZEN,     /* error.status: OK or why not */
    SOURCE_EVENT_DIGESTED,   /* digests: one a family */
    SOURCE_EVENT_DECIDED,    /* error.status: OK; IN_DOUBT; else the record was NOT written */
    SOURCE_EVENT_FAILED,     /* error: something local went wrong */
    SOURCE_EVENT_STOP,       /* error: end, and keep what has arrived */
    SOURCE_EVENT_CANCEL,     /* error: end, and discard it */
    SOURCE_EVENT_TICK,
};

struct source_event {
    enum source_event_type type;
    struct haul_error error;
    struct message *message; /* the session may take its parts; the owner releases it */
    uint64_t bytes;
    uint64_t sequence;
    uint64_t batches;   /* of the delta lane, sent since the job began */
    uint64_t frozen_ns; /* of FROZEN: when writers began to wait */
    const struct digest *digests;
    uint64_t activity;       /* of a TICK: changes whenever readers and links have done something */
    struct haul_slice jobs;  /* earlier ones that the target is told of, HAUL_JOB_BYTES each */
    const uint8_t *next_job; /* of BOUND: Hello is to name this one next; NULL: all were named */
    uint64_t next_epoch;
    struct message *commit;    /* of BOUND: the answer for a job that is done; taken. NULL: none */
    struct haul_slice between; /* of BOUND: jobs with the target by which one of the two owns */
    struct haul_slice lost;    /* and those of its Welcome that this database knows nothing of */
};

enum source_action_type {
    SOURCE_ACTION_SEND,       /* message: take it, send it, release it */
    SOURCE_ACTION_CONNECT,    /* open the control channel again */
    SOURCE_ACTION_DISCONNECT, /* close channel and links, stop readers; the view is kept */
    SOURCE_ACTION_BIND,       /* record whom the last Welcome is from */
    SOURCE_ACTION_OPEN_LINKS,
    SOURCE_ACTION_START_COPY,
    SOURCE_ACTION_ROUND, /* read the log up to its end now */
    SOURCE_ACTION_FREEZE,
    SOURCE_ACTION_UNFREEZE,
    SOURCE_ACTION_DIGEST,
    SOURCE_ACTION_DECIDE, /* make the decision to commit durable; wait for nobody after until_ns */
    SOURCE_ACTION_RELEASE,
    SOURCE_ACTION_STOP, /* stop readers, close links */
    SOURCE_ACTION_END,  /* the result is known */
};

struct source_action {
    enum source_action_type type;
    struct message message;
    uint64_t until_ns;
};

struct source_session_options {
    struct plan *plan;                 /* borrowed; target ids are filled in from PlanAccepted */
    struct haul_source_options source; /* numbers resolved */
    uint8_t job[HAUL_JOB_BYTES];
    uint64_t epoch;
    const char *identity;         /* of the database */
    struct version_claim version; /* of this side */
    uint32_t peer_timeout_ms;
    uint32_t retry_max_ms; /* keep trying to come back for so long; 0: never */
    bool continued;        /* the job was begun by an earlier run */
    /* Of a decided job: what was decided on (0 and 0: not known), and the freeze's sequence. */
    uint64_t moved_records;
    uint64_t moved_bytes;
    uint64_t frozen_sequence;
    bool decided;    /* resolve: the decision to commit was made by an earlier run */
    bool only_tells; /* resolve: nothing was decided, the target learns which jobs are over */
    bool asks;       /* only_tells, and no job is over: does the target own by one? */
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
/* Was the decision asked for? From then on nothing ends the job but its end. */
bool source_session_is_decided(const struct source_session *session);
/* The outcome, once ENDED. */
const struct haul_error *source_session_outcome(const struct source_session *session);
/* Why the session is RETRYING, or was last. */
const struct haul_error *source_session_loss(const struct source_session *session);
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
    bool kept;       /* this attempt ended so that both sides keep what has arrived */
    bool peer_knows; /* of the abort: it was told, and answered, or it was its own */
    bool was_owned;  /* it was refused: the target owns by `owned_job`, which is said to be over */
    uint8_t owned_job[HAUL_JOB_BYTES];
    struct job_list lost; /* and has no record of these, by which it owned */
    uint32_t retries;
    uint64_t crc_errors; /* blocks, credits and messages that came damaged, on either side */
    char warning[HAUL_ERROR_HINT_BYTES_MAX]; /* the target's, of what it owns; or "" */
};
void source_session_figures(const struct source_session *session,
                            struct source_session_figures *figures);

#endif
