/* SPDX-License-Identifier: Apache-2.0 */
/* target_calls.h — the slow calls of a target's job: those that wait for the disk, for the
 * embedder's hooks or for the store. A worker runs them one after another: that of all callers
 * until the plan is accepted, then that of the job's place.
 *
 * While a call runs, the members marked below belong to the call worker; the loop reads and changes
 * them only between calls. Thread: the loop's. */
#ifndef HAUL_TARGET_CALLS_H
#define HAUL_TARGET_CALLS_H

#include "call_steps.h"
#include "call_worker.h"
#include "config_version.h"
#include "haul/migration.h"
#include "option_report.h"
#include "plan.h"
#include "target_copy.h"
#include "target_journal.h"
#include "target_session.h"
#include "target_verify.h"

/* Each is under way at most once. */
enum target_call {
    TARGET_CALL_CHECK,
    TARGET_CALL_OWN,
    TARGET_CALL_CLEAR,
    TARGET_CALL_RECORD,
    TARGET_CALL_DIGEST,
    TARGET_CALL_LOOK_UP,
    TARGET_CALL_POSITIONS,
    TARGET_CALL_VERIFY,
    TARGET_CALL_STOP,
    TARGET_CALL_NOTE_LOST,
    TARGET_CALL_COUNT,
};

struct target_driver;

struct target_calls {
    struct target_driver *driver; /* owner of the calls; borrowed, like the next four */
    const struct haul_target_options *target;
    struct call_worker *worker;
    struct target_copy *copy;
    const struct target_session *session;
    bool abort_noted; /* an Abort has come, with this proof; the loop's */
    struct source_proof abort_proof;
    struct call calls[TARGET_CALL_COUNT];
    struct call_steps steps[TARGET_CALL_COUNT];
    uint64_t steps_seen; /* the loop's */
    /* These belong to the call worker while a call runs. */
    struct target_journal journal;
    struct plan incoming_plan;        /* waits for its check */
    struct version_claim version;     /* as recorded */
    uint64_t prepared_version;        /* of the journal, when the source came back */
    struct option_report differences; /* of the target's families */
    struct job_list lost;             /* by the source, from its Stop */
    struct target_verify verify; /* of a source that compares; ownership as in target_verify.h */
};

/* The job sets session and copy when they exist. */
void target_calls_init(struct target_calls *calls, struct target_driver *driver,
                       const struct haul_target_options *target, struct call_worker *worker);
/* No call may be under way. */
void target_calls_fini(struct target_calls *calls);

/* Later calls go to this worker (NULL: the present one), unless one is under way: no two may run at
 * the same time. */
void target_calls_move(struct target_calls *calls, struct call_worker *worker);
void target_calls_submit(struct target_calls *calls, enum target_call number);
/* Keep a Plan for its check. Errors: those of plan_from_message and target_done_note_plan. */
enum haul_status target_calls_take_plan(struct target_calls *calls, const struct message *message,
                                        struct haul_error *error) HAUL_MUST_CHECK;
/* If the message is an Abort: keep its proof, and the jobs that it lists, for the call that clears.
 * Errors: NO_MEMORY, PROTOCOL. */
enum haul_status target_calls_note_abort(struct target_calls *calls, const struct message *message,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Before that call is submitted. */
void target_calls_take_abort(struct target_calls *calls);
/* If the message is a Stop: keep its list of jobs that the source has lost. */
void target_calls_note_stop(struct target_calls *calls, const struct message *message);
/* The driver of a returned call, and the call's number. */
struct target_driver *target_calls_driver(const struct call *call);
enum target_call target_calls_number(const struct target_calls *calls, const struct call *call);
bool target_calls_any(const struct target_calls *calls);
/* Steps done so far: while the number grows, they make progress. A call may wait for those of other
 * jobs, so their steps count while it is under way; `*all` adds up the steps of all of them. */
uint64_t target_calls_activity(struct target_calls *calls, uint64_t *all);

/* End long calls soon: one; all; those whose result the session does not need in its present
 * state. */
void target_calls_end(struct target_calls *calls, enum target_call number);
void target_calls_end_all(struct target_calls *calls);
void target_calls_end_stale(struct target_calls *calls);

#endif
