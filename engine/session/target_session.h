/* SPDX-License-Identifier: Apache-2.0 */
/* target_session.h — the life of a job on the target: events and time in, actions out.
 *
 * No I/O, no clock, no threads: target_driver.c performs the actions.
 *
 *   WAITING --on_hello: look up-------------------------------------> LOOKING
 *   LOOKING --on_looked_up: Welcome---------------------------------> GREETED
 *   GREETED --on_plan: check it-------------------------------------> CHECKING
 *   CHECKING --on_checked: start, PlanAccepted----------------------> RECEIVING
 *   RECEIVING, PREPARED --target_hand_over_check: Prepare, flush----> FLUSHING
 *   FLUSHING --target_hand_over_on_flushed: equal, record-----------> RECORDING
 *   RECORDING --target_hand_over_on_recorded: Prepared--------------> PREPARED
 *   PREPARED --target_hand_over_on_commit: own----------------------> OWNING
 *   OWNING --target_hand_over_on_owned: Committed-------------------> ENDED(OK)
 *
 *   GREETED --target_hand_over_on_commit: was PREPARED, own---------> OWNING
 *   FLUSHING, RECORDING --is_outdated: its freeze was given up------> RECEIVING
 *   WAITING --greet_verify: a comparison, Welcome-------------------> VERIFYING
 *   VERIFYING --on_verify: verify-----------------------------------> VERIFYING
 *   VERIFYING --target_end: nothing was changed---------------------> ENDED
 *
 *   WAITING..CHECKING --target_refuse: Refused, nothing changed------> ENDED
 *   WAITING..GREETED --target_end_aborted: nothing begun, Aborted---> ENDED
 *   GREETED..PREPARED --target_end_aborted: Abort, clear------------> CLEARING
 *   CHECKING..RECORDING --target_clear: failure, cancel; Abort------> CLEARING
 *   CLEARING --on_cleared: Aborted----------------------------------> ENDED
 *   RECEIVING..RECORDING --keep_recorded: no space, Stop------------> ENDED(NO_SPACE)
 *   RECEIVING..RECORDING --target_keep_damaged: Stop----------------> ENDED(CORRUPT)
 *   RECEIVING, FLUSHING --target_keep: stop, Stop; keep-------------> KEEPING
 *   other, not PREPARED --target_keep: stop, Stop-------------------> ENDED(STOPPED, CLOSED)
 *   RECEIVING --check_stalled: neither side moves, Stop-------------> KEEPING
 *   KEEPING --dispatch: kept----------------------------------------> ENDED(STOPPED, CLOSED)
 *   KEEPING --target_clear: cancel----------------------------------> CLEARING
 *   KEEPING --target_fail: this side does nothing-------------------> ENDED
 *   CHECKING..RECORDING --on_channel_down: kept---------------------> ENDED(CLOSED)
 *   PREPARED --leave_in_doubt: lost, or neither side moves----------> ENDED(IN_DOUBT)
 *
 * Invariants (checked after every event by check_invariants):
 *   T1 OWN follows only PREPARED and a Commit of the recorded version and epoch; or a Commit of a
 *      source without an attempt, which had finished the job before
 *   T2 Prepared goes out only when everything sent was applied, is durable, equal and recorded
 *   T3 after PREPARED only an Abort of the source leads to clearing
 *   T4 ENDED(OK) only after OWN has succeeded
 *   T5 data to be kept is cleared only after a cancel or an Abort of the source
 *   T6 a comparing session requests nothing but VERIFY, and never ends with OK */
#ifndef HAUL_TARGET_SESSION_H
#define HAUL_TARGET_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "haul/migration.h"
#include "message.h"
#include "target_state.h"
#include "version_claim.h"

enum target_event_type {
    TARGET_EVENT_MESSAGE,      /* message: borrowed */
    TARGET_EVENT_CHANNEL_DOWN, /* error */
    TARGET_EVENT_LOOKED_UP,    /* error.status; phase, versions, epoch, identity */
    TARGET_EVENT_CHECKED,      /* error.status: OK or why the plan is refused; accepted: taken */
    TARGET_EVENT_APPLIED,      /* delta_batches: applied so far */
    TARGET_EVENT_FLUSHED,      /* digests: one for each family; everything was durable before. NULL:
                                * more has arrived since the Prepare, so its freeze was given up */
    TARGET_EVENT_RECORDED,     /* error.status */
    TARGET_EVENT_OWNED,        /* error.status */
    TARGET_EVENT_KEPT,         /* what has arrived is durable and recorded */
    TARGET_EVENT_CLEARED,      /* error.status */
    TARGET_EVENT_FAILED,       /* error: something local failed */
    TARGET_EVENT_DAMAGED,      /* error: a block arrived damaged */
    TARGET_EVENT_BUSY,         /* error: another job began before this one's plan */
    TARGET_EVENT_STOP,         /* error: end, and keep what has arrived */
    TARGET_EVENT_CANCEL,       /* error: end, and discard it */
    TARGET_EVENT_TICK,
};

struct target_event {
    enum target_event_type type;
    struct haul_error error;
    const struct message *message;
    struct message *accepted;
    const struct plan *plan; /* of `accepted`: for the names of its families */
    uint64_t delta_batches;
    const struct digest *digests;
    enum job_knowledge knowledge;
    enum version_return returned;    /* of COMMITTED */
    uint64_t new_version;            /* of PREPARED */
    struct haul_slice given_back_by; /* of COMMITTED: the newest job that gave the ranges back */
    struct haul_slice between;       /* of LOOKED_UP: jobs by which source or target owns */
    struct haul_slice lost;          /* of CHECKED: jobs of the plan that this database has lost */
    struct haul_slice waiting; /* jobs of this source that are prepared, HAUL_JOB_BYTES each */
    uint64_t epoch;
    const uint8_t *owned_job;     /* of an error: the open job by which this database owns; or
                                   * NULL */
    bool refused;                 /* of OWNED: the decided ranges are not here; nothing changed */
    const char *warning;          /* of OWNED: for the source; NULL: none */
    const char *identity;         /* as peers know the database from now on; NULL: unchanged */
    struct version_claim version; /* as recorded next to the store, or by the embedder */
    uint64_t activity; /* of a TICK: changes whenever links, appliers or calls do something */
    bool idle;         /* of a TICK: everything that has arrived is applied */
};

enum target_action_type {
    TARGET_ACTION_SEND,    /* message: take it, send it, release it */
    TARGET_ACTION_VERIFY,  /* message: a request of a comparison, borrowed until the next event */
    TARGET_ACTION_LOOK_UP, /* read the records of the job that Hello names */
    TARGET_ACTION_CHECK,   /* message: the Plan, borrowed until the next event */
    TARGET_ACTION_START,   /* start appliers, accept links */
    TARGET_ACTION_FLUSH,   /* make everything durable, then digest */
    TARGET_ACTION_RECORD,  /* write the PREPARED record */
    TARGET_ACTION_OWN,     /* message: the Commit, borrowed; without a type: from a planted bug */
    TARGET_ACTION_KEEP,    /* make durable and record what has arrived */
    TARGET_ACTION_STOP,    /* stop appliers, close links */
    TARGET_ACTION_CLEAR,   /* remove what was copied */
    TARGET_ACTION_END,
};

struct target_action {
    enum target_action_type type;
    struct message message;
};

struct target_session_options {
    struct message welcome;       /* WELCOME, complete except for what Hello decides */
    struct version_claim version; /* the operator's, authoritative; otherwise that of LOOKED_UP */
    uint32_t peer_timeout_ms;
    struct haul_slice secret; /* borrowed; empty: any source may connect */
    enum haul_wire wire;      /* at least; resolved */
    bool has_key;             /* the connection is under TLS */
    bool answers_verify;
};

struct target_session;

enum haul_status target_session_create(const struct target_session_options *options,
                                       uint64_t now_ns,
                                       struct target_session **session) HAUL_MUST_CHECK;
void target_session_destroy(struct target_session *session);

void target_session_event(struct target_session *session, const struct target_event *event,
                          uint64_t now_ns);
bool target_session_action(struct target_session *session, struct target_action *action);
uint64_t target_session_deadline_ns(const struct target_session *session);

enum target_state target_session_state(const struct target_session *session);
const struct haul_error *target_session_outcome(const struct target_session *session);
/* Valid from GREETED on. */
const haul_control_Hello *target_session_hello(const struct target_session *session);
/* After the end: does the target keep a part of the job for a source that reconnects? */
bool target_session_is_resumable(const struct target_session *session);
/* How the blocks travel, as agreed on; valid from GREETED on. */
enum haul_wire target_session_wire(const struct target_session *session);
/* The Prepare being processed: unchanged from FLUSH until the answer to RECORD or OWN. */
const haul_control_Prepare *target_session_prepare(const struct target_session *session);

#endif
