/* SPDX-License-Identifier: Apache-2.0 */
/* job.h — the jobs that have left a journal beside a database: where they stand, and giving one up
 * that nobody will finish. */
#ifndef HAUL_JOB_H
#define HAUL_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"
#include "haul/store.h"

#ifdef __cplusplus
extern "C" {
#endif

enum haul_job_role {
    HAUL_JOB_SOURCE = 1, /* this database gives */
    HAUL_JOB_TARGET = 2, /* this database takes */
};

/* Who serves the ranges, by this journal alone. */
enum haul_job_claim {
    HAUL_JOB_SERVES,   /* this side */
    HAUL_JOB_IN_DOUBT, /* nobody accepts writes until the source's decision is known */
    HAUL_JOB_YIELDS,   /* the other side */
};

/* Can this database go on with the job? */
enum haul_job_condition {
    HAUL_JOB_SOUND,
    HAUL_JOB_FOREIGN, /* the journal is of another database, or of the one that this is a copy of:
                       * never acted on; haul_owner_forget or haul_owner_adopt ends the state */
    HAUL_JOB_DAMAGED, /* the journal cannot be read: haul_job_force_give_up moves it aside */
};

enum { HAUL_JOB_TEXT_BYTES_MAX = 128 };

struct haul_job {
    enum haul_job_role role;
    uint8_t id[HAUL_JOB_BYTES];
    enum haul_job_claim claim;
    uint64_t epoch;           /* attempts of the source so far, from 1 */
    uint64_t durable_records; /* target: so many are safe here; source: 0 */
    uint64_t durable_bytes;   /* of keys and values of these */
    enum haul_job_condition condition;
    bool changed;  /* a target's that is PREPARED: something else has written to the database since,
                   * or it was set back; the source's decision stands all the same */
    bool restored; /* a source's: it may have been decided after the state that this database was
                    * set back to; only its target knows */
    bool parted;   /* restored or decided, and its target has said that it owned by the job, and
                    * that it has given a part of the ranges back; which, this side does not know */
    bool returned; /* decided, and the same of all of them: by the records nobody owns them */
    char peer[HAUL_IDENTITY_BYTES_MAX];     /* identity of the other database; "": none yet */
    char phase[HAUL_JOB_TEXT_BYTES_MAX];    /* "COPYING" */
    char sentence[HAUL_JOB_TEXT_BYTES_MAX]; /* what the phase means */
};

/* "source" or "target"; "serves", "in doubt" or "yields"; "sound", "foreign" or "damaged". */
const char *haul_job_role_name(enum haul_job_role role);
const char *haul_job_claim_name(enum haul_job_claim claim);
const char *haul_job_condition_name(enum haul_job_condition condition);

/* All jobs of the database in `directory` that are not done, also while a process runs one. The
 * database itself is not opened. Ownership: `*jobs` is the caller's (free).
 * Errors: NOT_FOUND (no such directory), CORRUPT, VERSION, LIMIT, NO_MEMORY, IO. Thread: any. */
enum haul_status haul_jobs_list(const char *directory, struct haul_job **jobs, size_t *count,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* End a job of this store that no process runs: the source keeps the ranges; a target removes what
 * it has of them in every column family, and its staging files.
 * Errors: NOT_FOUND, BUSY (a process runs it), IN_DOUBT (too late: it was decided, or is prepared
 * and only the source's record tells), UNCONFIRMED (a source's, which was open when its database
 * was restored or set back (`restored`): only its target knows, and `resolve` asks it), and those
 * of the store. Thread: one for each store. */
enum haul_status haul_job_give_up(struct haul_store *store, const struct haul_job *job,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* End a job that haul_job_give_up refuses with IN_DOUBT or UNCONFIRMED, or whose journal is
 * damaged. A prepared target removes what it received; a damaged journal is moved aside, its name
 * with ".damaged-TIME", and what it had received stays. Risk: if the source has decided, the range
 * has no owner until haul_owner_reclaim on the source; if a damaged or restored source journal held
 * the decision, it has two.
 * Errors: UNCONFIRMED (without `accept_two_owners`; `error` names the risk), IN_DOUBT (a source
 * that has decided: haul_owner_reclaim or haul_job_end_decided), and those of
 * haul_job_give_up. */
enum haul_status haul_job_force_give_up(struct haul_store *store, const struct haul_job *job,
                                        bool accept_two_owners,
                                        struct haul_error *error) HAUL_MUST_CHECK;

/* End a source's job that was decided, as handed over, without its target, which owns the ranges
 * and has lost its record of the job. The ranges stay the target's; the `release` hook is not
 * called. Risk: the target has never heard of the decision. Then nobody owns the ranges, until
 * haul_owner_reclaim here.
 * Errors: NOT_FOUND, BUSY (a process runs it), INVALID (it is a target's, or was not decided),
 * UNCONFIRMED (without `accept_two_owners`; `error` names the risk), and those of files: the job
 * stays. Thread: one for each store. */
enum haul_status haul_job_end_decided(struct haul_store *store, const struct haul_job *job,
                                      bool accept_two_owners,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Forget a source's job that is over (phase ABORTED), though its target has not learned of it: that
 * one is lost, or has forgotten its jobs. What it may hold of the ranges stays there, and when it
 * is prepared, it waits until its operator gives the job up. Risk: it owns them, and this database
 * was set back to before its decision: the same keys have two owners.
 * Errors: NOT_FOUND, BUSY (a process runs it), INVALID (it is no source's, or not over),
 * UNCONFIRMED (without `accept_two_owners`), journals'. Thread: any. */
enum haul_status haul_job_forget_over(struct haul_store *store, const struct haul_job *job,
                                      bool accept_two_owners,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Finish a target's job whose source has decided (phase COMMITTED: this database owns the ranges,
 * and no source is needed for the rest). A receiver does it when it starts. `hooks`: those of the
 * receiver; NULL: it has none.
 * Errors: NOT_FOUND, BUSY (a process runs it), INVALID (it is not committed, or is a source's), and
 * those of the store and of the hook: the job stays. Thread: one for each store. */
enum haul_status haul_job_finish(struct haul_store *store, const struct haul_hooks *hooks,
                                 const struct haul_job *job,
                                 struct haul_error *error) HAUL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
