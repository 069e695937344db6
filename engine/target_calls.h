/* SPDX-License-Identifier: Apache-2.0 */
/* target_calls.h — the slow calls of a target's job: those that wait for the disk, for hooks of the
 * embedder, or for the store. The call worker runs them one after another, for all jobs.
 *
 * While a call runs, the members marked so belong to the call worker; the loop reads and changes
 * them between calls only. Thread: the loop's. */
#ifndef HAUL_TARGET_CALLS_H
#define HAUL_TARGET_CALLS_H

#include "call_steps.h"
#include "call_worker.h"
#include "haul/migration.h"
#include "option_report.h"
#include "plan.h"
#include "target_copy.h"
#include "target_record.h"
#include "target_session.h"
#include "target_verify.h"
#include "version_record.h"

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

struct target_job;

struct target_calls {
    struct target_job *job; /* whose calls they are; borrowed, as the next four */
    const struct haul_target_options *target;
    struct call_worker *worker;
    struct target_copy *copy;
    const struct target_session *session;
    struct call calls[TARGET_CALL_COUNT];
    struct call_steps steps[TARGET_CALL_COUNT];
    /* The call worker's while a call runs. */
    struct target_record record;
    struct plan incoming_plan;        /* on its way to the check */
    struct version_claim version;     /* as recorded */
    uint64_t prepared_version;        /* of the records, when the source came back */
    struct option_report differences; /* of the target's families */
    struct job_list lost;             /* by the source, as its Stop says */
    struct target_verify verify; /* of a source that compares; target_verify.h says whose what is */
};

/* The session and the copy are set by the job when it has them. */
void target_calls_init(struct target_calls *calls, struct target_job *job,
                       const struct haul_target_options *target, struct call_worker *worker);
/* No call may be under way. */
void target_calls_fini(struct target_calls *calls);

void target_calls_submit(struct target_calls *calls, enum target_call number);
/* If the message is a Stop: what the source says that it has lost. */
void target_calls_note_stop(struct target_calls *calls, const struct message *message);
/* Of a call that has returned: whose it is, and which. */
struct target_job *target_calls_job(const struct call *call);
enum target_call target_calls_number(const struct target_calls *calls, const struct call *call);
bool target_calls_any(const struct target_calls *calls);
/* Steps done so far by all of them: as long as it grows, they make progress. */
uint64_t target_calls_activity(const struct target_calls *calls);

/* Those that take long are to end soon: one; all; those whose result the session, in its present
 * state, does not want any more. */
void target_calls_end(struct target_calls *calls, enum target_call number);
void target_calls_end_all(struct target_calls *calls);
void target_calls_end_stale(struct target_calls *calls);

#endif
