/* SPDX-License-Identifier: Apache-2.0 */
/* source_session.h — the life of a job on the source: events and time in, actions out.
 *
 * No I/O, no clock, no threads: source_driver.c performs the actions.
 *
 *   CONNECTING --send_hello: channel up-----------------------------> GREETING
 *   GREETING --ask_to_bind: Welcome---------------------------------> BINDING
 *   BINDING --send_plan: bound--------------------------------------> PLANNING
 *   PLANNING --on_plan_accepted: open links-------------------------> LINKING
 *   LINKING --dispatch: links up, start the copy--------------------> COPYING
 *   COPYING --check_copied: all sent here, applied there------------> CATCHING_UP
 *   CATCHING_UP --start_freeze: a round ended, small lag------------> FREEZING
 *   FREEZING --source_hand_over_on_frozen: last round---------------> DRAINING
 *   DRAINING --source_hand_over_on_digested: Prepare----------------> PREPARING
 *   PREPARING --source_hand_over_on_prepared: equal-----------------> DECIDING
 *   DECIDING --source_hand_over_on_decided: release, Commit---------> COMMITTING
 *   COMMITTING --source_hand_over_on_committed: Committed-----------> ENDED(OK)
 *
 *   BINDING --send_jobs: only_tells, Abort--------------------------> ABORTING
 *   BINDING --source_hand_over_answer: done before, Commit----------> COMMITTING
 *   BINDING --source_hand_over_on_welcome: decided, Commit----------> COMMITTING
 *   BINDING --source_ask_next: only_tells, another job--------------> CONNECTING
 *   BINDING --leave_stranger: not the job's target, Stop------------> ENDED(MISMATCH)
 *   BINDING --source_leave_owned: the record was lost---------------> ENDED(IN_DOUBT)
 *   BINDING --source_end_late: Stop---------------------------------> ENDED(TIMEOUT, IN_DOUBT)
 *
 *   FREEZING --source_hand_over_on_hook_late: wait on---------------> FREEZING
 *   FREEZING..DECIDING --give_up_freeze: unfreeze, round------------> CATCHING_UP
 *   FREEZING..DECIDING --end_unfrozen: unfreeze, Stop---------------> ENDED
 *   DECIDING --on_undecided: unfreeze, Abort------------------------> ABORTING
 *   DECIDING --source_hand_over_on_decided: in doubt----------------> ENDED(IN_DOUBT)
 *   before DECIDING --source_abort_job: unfreeze, Abort-------------> ABORTING
 *   before DECIDING --on_stop: unfreeze, Stop-----------------------> ENDED(STOPPED)
 *   ABORTING --on_message: Aborted, Refused-------------------------> ENDED
 *   PLANNING..PREPARING --source_go_retry: unfreeze-----------------> RETRYING
 *   PLANNING..CATCHING_UP --check_stalled: no progress--------------> RETRYING
 *   COMMITTING --source_go_retry: the target must learn it---------> RETRYING
 *   RETRYING --on_tick: back-off is over----------------------------> CONNECTING
 *   RETRYING, COMMITTING --source_leave_in_doubt: out of time-------> ENDED(IN_DOUBT)
 *
 * Invariants (checked after every event by check_invariants):
 *   S1 writes are frozen exactly in FREEZING..DECIDING, and after a decision that is in doubt
 *   S2 DECIDE follows only an equal Prepared for the current freeze
 *   S3 no UNFREEZE follows DECIDE, unless the decision is known not to have been made
 *   S4 ENDED(OK) only after the target has confirmed that it owns, or the Abort of jobs
 *   S5 a freeze has one deadline: FREEZING is bounded, DRAINING and PREPARING end at it */
#ifndef HAUL_SOURCE_SESSION_H
#define HAUL_SOURCE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "haul/migration.h"
#include "job_list.h"
#include "message.h"
#include "plan.h"
#include "source_state.h"
#include "version_claim.h"

enum source_event_type {
    SOURCE_EVENT_CHANNEL_UP,
    SOURCE_EVENT_CHANNEL_DOWN, /* error */
    SOURCE_EVENT_MESSAGE,      /* message */
    SOURCE_EVENT_BOUND,        /* error.status: OK, MISMATCH (another target) or the failure;
                                * jobs */
    SOURCE_EVENT_LINKS_UP,
    SOURCE_EVENT_LINKS_DOWN, /* error: a data link broke, and no other was available */
    SOURCE_EVENT_COPIED,     /* every block of the snapshot was sent and freed */
    SOURCE_EVENT_ROUND_DONE, /* bytes found in the ranges; sequence; batches */
    SOURCE_EVENT_FROZEN,     /* error.status: OK or the failure */
    SOURCE_EVENT_DIGESTED,   /* digests: one for each family */
    SOURCE_EVENT_DECIDED,    /* error.status: OK; IN_DOUBT; any other: the record was NOT written */
    SOURCE_EVENT_FAILED,     /* error: something local failed */
    SOURCE_EVENT_STOP,       /* error: end, and keep what has arrived */
    SOURCE_EVENT_CANCEL,     /* error: end, and discard what has arrived */
    SOURCE_EVENT_TICK,
};

struct source_event {
    enum source_event_type type;
    struct haul_error error;
    struct message *message; /* the session may take its parts; the owner releases it */
    uint64_t bytes;
    uint64_t sequence;
    uint64_t batches;   /* of the delta stream, sent since the job began */
    uint64_t frozen_ns; /* of FROZEN: when writers began to wait */
    const struct digest *digests;
    uint64_t activity;       /* of a TICK: changes whenever readers and links make progress */
    struct haul_slice jobs;  /* of BOUND: earlier jobs to report, HAUL_JOB_BYTES each */
    const uint8_t *next_job; /* of BOUND: the job that the next Hello names; NULL: all were named */
    uint64_t next_epoch;
    struct message *commit;    /* of BOUND: the answer for a finished job, taken over; NULL: none */
    struct haul_slice between; /* of BOUND: jobs with this target by which one of the two owns */
    struct haul_slice lost;    /* of BOUND: jobs of the Welcome that have no record here */
    struct haul_slice proof;   /* of BOUND: source_proof.h; empty: none */
    struct haul_slice job_proofs; /* of BOUND: of `jobs`, SOURCE_PROOF_BYTES each */
};

enum source_action_type {
    SOURCE_ACTION_SEND,       /* message: take it, send it, release it */
    SOURCE_ACTION_CONNECT,    /* open the control channel again */
    SOURCE_ACTION_DISCONNECT, /* close channel and links, stop readers; keep the view */
    SOURCE_ACTION_BIND,       /* record the target's identity from the last Welcome */
    SOURCE_ACTION_OPEN_LINKS,
    SOURCE_ACTION_START_COPY,
    SOURCE_ACTION_ROUND, /* read the log to its present end */
    SOURCE_ACTION_FREEZE,
    SOURCE_ACTION_UNFREEZE,
    SOURCE_ACTION_DIGEST,
    SOURCE_ACTION_DECIDE, /* make the decision durable; wait for locks until until_ns at most */
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
    uint32_t retry_max_ms; /* keep trying to reconnect for this long; 0: never */
    bool continued;        /* an earlier run began the job */
    /* Of a decided job: what it moved (0 and 0: not known), and the freeze's sequence. */
    uint64_t moved_records;
    uint64_t moved_bytes;
    uint64_t frozen_sequence;
    bool decided;    /* resolve: an earlier run made the decision to commit */
    bool only_tells; /* resolve: nothing was decided; only report jobs that are over */
    bool asks;       /* with only_tells, and no job is over: does the target own by one? */
};

struct source_session;

enum haul_status source_session_create(const struct source_session_options *options,
                                       struct source_session **session) HAUL_MUST_CHECK;
void source_session_destroy(struct source_session *session);

/* Feed one event, then take actions until there are none. `now_ns`: monotonic nanoseconds. */
void source_session_event(struct source_session *session, const struct source_event *event,
                          uint64_t now_ns);
bool source_session_action(struct source_session *session, struct source_action *action);

/* The latest time at which a TICK is due. */
uint64_t source_session_deadline_ns(const struct source_session *session);

enum source_state source_session_state(const struct source_session *session);
/* Was DECIDE requested? From then on nothing but its own end ends the job. */
bool source_session_is_decided(const struct source_session *session);
/* The outcome, once ENDED. */
const struct haul_error *source_session_outcome(const struct source_session *session);
/* Why the session is RETRYING, or last was. */
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
    bool kept;       /* this attempt ended, and both sides keep what has arrived */
    bool peer_knows; /* of an abort: the target has confirmed it, or it was the target's own */
    bool was_owned;  /* the target refused: it owns by `owned_job`, which we report as over */
    uint8_t owned_job[HAUL_JOB_BYTES];
    struct job_list lost; /* jobs by which the target owned, and of which it has no record */
    uint32_t retries;
    bool resumed;        /* a retry, after the target had accepted the job */
    uint64_t crc_errors; /* damaged blocks, credits and messages, on either side */
    char warning[HAUL_ERROR_HINT_BYTES_MAX]; /* the target's, about the ranges it owns; or "" */
};
void source_session_figures(const struct source_session *session,
                            struct source_session_figures *figures);

#endif
