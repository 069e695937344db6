/* SPDX-License-Identifier: Apache-2.0 */
/* target_session.h — the life of a job on the side that takes: events and time in, actions out.
 *
 * No I/O, no clock, no threads: target_job.c performs the actions in the product, the
 * simulator in the tests.
 *
 *   WAITING --Hello / look up--> LOOKING --records read / Welcome--> GREETED
 *   GREETED --Plan / check it--> CHECKING      GREETED, was PREPARED --Commit / own--> OWNING
 *   CHECKING --sound / start, PlanAccepted--> RECEIVING
 *   RECEIVING, PREPARED --Prepare, all deltas applied / flush--> FLUSHING
 *   FLUSHING --durable, digests equal / record--> RECORDING --recorded / Prepared--> PREPARED
 *   PREPARED --Commit / own--> OWNING --owned / Committed--> ENDED(OK)
 *
 *   WAITING --Hello that compares / Welcome--> VERIFYING --request / verify--> VERIFYING
 *   VERIFYING --Stop, failure, another job / Refused but for Stop--> ENDED   (nothing was changed)
 *
 *   WAITING..CHECKING --refusal / Refused--> ENDED           (nothing was changed)
 *   WAITING..GREETED --Abort, nothing begun / Aborted--> ENDED
 *   GREETED..PREPARED --Abort, begun / clear--> CLEARING --cleared / Aborted--> ENDED
 *   CHECKING..RECORDING --failure, cancel / Abort, clear--> CLEARING --cleared--> ENDED
 *   RECEIVING..RECORDING --no space / Stop--> ENDED(NO_SPACE)   (what is recorded is kept)
 *   RECEIVING, FLUSHING --stop, Stop / keep--> KEEPING --kept--> ENDED(STOPPED or CLOSED)
 *   WAITING..GREETED, CHECKING, RECORDING --stop, Stop--> ENDED(STOPPED or CLOSED)
 *   RECEIVING..RECORDING --damaged block / Stop--> ENDED(CORRUPT) (kept: it is sent again)
 *   CHECKING..RECORDING --channel lost--> ENDED(CLOSED)      (kept: the source may come back)
 *   PREPARED --channel lost--> ENDED(IN_DOUBT)               (dark until the record is known)
 *   RECEIVING --neither side does anything / Stop, keep--> KEEPING
 *   KEEPING --this side does nothing--> ENDED, with what was recorded before
 *   PREPARED --neither side does anything / Stop--> ENDED(IN_DOUBT)
 *
 * Invariants (checked after every event by check_invariants):
 *   T1 own is asked for only in PREPARED, on a Commit of the recorded version and epoch; or of a
 *      source without an attempt, which had the job done before
 *   T2 Prepared goes out only when everything sent was applied, is durable, equal and recorded
 *   T3 once PREPARED nothing is cleared but on an Abort of the source
 *   T4 ENDED(OK) only after own has succeeded
 *   T5 nothing that is to be kept is cleared, unless a cancel or an Abort of the source follows
 *   T6 a session that compares asks for nothing but VERIFY, and never ends with OK */
#ifndef HAUL_TARGET_SESSION_H
#define HAUL_TARGET_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "haul/migration.h"
#include "message.h"
#include "target_state.h"
#include "version_claim.h"
#include "version_record.h"

enum target_event_type {
    TARGET_EVENT_MESSAGE,      /* message: borrowed */
    TARGET_EVENT_CHANNEL_DOWN, /* error */
    TARGET_EVENT_LOOKED_UP,    /* error.status; phase, versions, epoch, identity */
    TARGET_EVENT_CHECKED,      /* error.status: OK or why the plan is refused; accepted: taken */
    TARGET_EVENT_APPLIED,      /* delta_batches: applied so far */
    TARGET_EVENT_FLUSHED,      /* digests: one a family; all was durable before. NULL: more has come
                                * since the Prepare, whose freeze was given up then */
    TARGET_EVENT_RECORDED,     /* error.status */
    TARGET_EVENT_OWNED,        /* error.status */
    TARGET_EVENT_KEPT,         /* what has arrived is durable and recorded */
    TARGET_EVENT_CLEARED,      /* error.status */
    TARGET_EVENT_FAILED,       /* error: something local went wrong */
    TARGET_EVENT_DAMAGED,      /* error: a block came damaged */
    TARGET_EVENT_BUSY,         /* error: another job has begun, before this one's plan */
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
    enum job_phase phase;
    enum version_return returned;    /* of COMMITTED */
    uint64_t new_version;            /* of PREPARED */
    struct haul_slice given_back_by; /* of COMMITTED: the newest job that did */
    struct haul_slice between;       /* of LOOKED_UP: jobs by which one of the two owns */
    struct haul_slice lost;    /* of CHECKED: those of the plan's that this database has lost */
    struct haul_slice waiting; /* jobs of this source that are prepared, HAUL_JOB_BYTES each */
    uint64_t epoch;
    const uint8_t *owned_job;     /* of an error: by which this database owns, not over; or NULL */
    bool refused;                 /* of OWNED: what was decided is not here; nothing was changed */
    const char *warning;          /* of OWNED: for the source; NULL: none */
    const char *identity;         /* as peers know the database now; NULL: as before */
    struct version_claim version; /* as recorded beside the store, or by the embedder */
    uint64_t activity; /* of a TICK: changes whenever links, appliers or calls do something */
    bool idle;         /* of a TICK: all that came is applied */
};

enum target_action_type {
    TARGET_ACTION_SEND,    /* message: take it, send it, release it */
    TARGET_ACTION_VERIFY,  /* message: a request of one that compares, borrowed as the next */
    TARGET_ACTION_LOOK_UP, /* read the records of the job that Hello names */
    TARGET_ACTION_CHECK,   /* message: the Plan, borrowed until the next event */
    TARGET_ACTION_START,   /* appliers up, links welcome */
    TARGET_ACTION_FLUSH,   /* make everything durable, then digest */
    TARGET_ACTION_RECORD,  /* write the PREPARED record */
    TARGET_ACTION_OWN,     /* message: the Commit, borrowed; of no type: a planted bug's */
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
    struct message welcome;       /* WELCOME, complete but for what Hello decides */
    struct version_claim version; /* the operator's, authoritative; else LOOKED_UP tells */
    uint32_t peer_timeout_ms;
    struct haul_slice secret; /* borrowed; none: any source may come */
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
/* After the end: does the target keep a part of the job, for a source that comes back? */
bool target_session_is_resumable(const struct target_session *session);
/* Of the Prepare that is worked on: unchanged from FLUSH until the answer to RECORD or OWN. */
const haul_control_Prepare *target_session_prepare(const struct target_session *session);

#endif
