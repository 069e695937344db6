/* SPDX-License-Identifier: Apache-2.0 */
/* job.h — the unfinished jobs of a database, read from its journals: their state, and how to end
 * one that nobody will finish. */
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
    HAUL_JOB_IN_DOUBT, /* not known here: accept no writes. A source that was frozen and has not
                        * decided decides when it continues; a target waits for that decision */
    HAUL_JOB_YIELDS,   /* the other side */
};

/* Can this database continue the job? */
enum haul_job_condition {
    HAUL_JOB_SOUND,
    HAUL_JOB_FOREIGN, /* the journal belongs to another database, such as the original of this
                       * copy: never acted on; haul_owner_forget or haul_owner_adopt ends the
                       * state */
    HAUL_JOB_DAMAGED, /* the journal cannot be read: haul_job_force_give_up moves it aside */
};

struct haul_job {
    enum haul_job_role role;
    uint8_t id[HAUL_JOB_BYTES];
    enum haul_job_claim claim;
    uint64_t epoch;           /* attempts of the source so far, from 1 */
    uint64_t durable_records; /* target: records that are durable here; source: 0 */
    uint64_t durable_bytes;   /* keys and values of these records */
    enum haul_job_condition condition;
    bool changed;  /* target, PREPARED: something else has written to the database since, or it
                    * was set back; the source's decision stands nevertheless */
    bool restored; /* source: the job may have been decided after the state that this database was
                    * set back to; only its target knows */
    bool parted;   /* restored or decided, and its target reports that it owned by the job and
                    * has given a part of the ranges back; this side does not know which */
    bool returned; /* as `parted`, but for all of the ranges: according to the records nobody owns
                    * them */
    char peer[HAUL_IDENTITY_BYTES_MAX];     /* identity of the other database; "": none yet */
    char phase[HAUL_JOB_TEXT_BYTES_MAX];    /* "COPYING" */
    char sentence[HAUL_JOB_TEXT_BYTES_MAX]; /* what the phase means */
    uint64_t reserved[4];
};

/* "source" or "target"; "serves", "in doubt" or "yields"; "sound", "foreign" or "damaged". */
const char *haul_job_role_name(enum haul_job_role role);
const char *haul_job_claim_name(enum haul_job_claim claim);
const char *haul_job_condition_name(enum haul_job_condition condition);

/* All jobs of the database in `directory` that are not done, also while a process runs one. The
 * database itself is not opened. Ranges are not listed: a program remembers those of its jobs.
 * Ownership: `*jobs` is the caller's (free).
 * Errors: NOT_FOUND (no such directory), CORRUPT, VERSION, LIMIT, NO_MEMORY, IO. Thread: any. */
enum haul_status haul_jobs_list(const char *directory, struct haul_job **jobs, size_t *count,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* End a job of this store that no process runs: a source keeps the ranges; a target removes the
 * job's records from every column family, and its staging files.
 * Errors: NOT_FOUND, BUSY (a process runs it), IN_DOUBT (too late: the job was decided, or it is
 * prepared and only the source's record knows the outcome), UNCONFIRMED (a source's job that was
 * open when its database was restored or set back (`restored`): only its target knows the outcome,
 * and `resolve` asks it), and those of the store. Thread: one for each store. */
enum haul_status haul_job_give_up(struct haul_store *store, const struct haul_job *job,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* End a job that haul_job_give_up refuses with IN_DOUBT or UNCONFIRMED, or whose journal is
 * damaged. A prepared target removes what it received; a damaged journal is moved aside, its name
 * with ".damaged-TIME", and what its job had received stays. Risk: if the source has decided, the
 * range has no owner until haul_owner_reclaim on the source; if a damaged or restored source
 * journal held the decision, the range has two owners.
 * Errors: UNCONFIRMED (without `accept_two_owners`; `error` names the risk), IN_DOUBT (a source
 * that has decided: haul_owner_reclaim or haul_job_end_decided), and those of haul_job_give_up. */
enum haul_status haul_job_force_give_up(struct haul_store *store, const struct haul_job *job,
                                        bool accept_two_owners,
                                        struct haul_error *error) HAUL_MUST_CHECK;

/* End a source's decided job as handed over, without its target, which owns the ranges and has lost
 * its record of the job. The ranges stay the target's; the `release` hook is not called. Risk: if
 * the target never learned of the decision, nobody owns the ranges until haul_owner_reclaim here.
 * Errors: NOT_FOUND, BUSY (a process runs it), INVALID (a target's job, or not decided),
 * UNCONFIRMED (without `accept_two_owners`; `error` names the risk), and those of files: the job
 * stays. Thread: one for each store. */
enum haul_status haul_job_end_decided(struct haul_store *store, const struct haul_job *job,
                                      bool accept_two_owners,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Forget a source's job that is over (phase ABORTED) although its target has not learned of the
 * end, because the target is lost or has forgotten its jobs. The target keeps what it holds of the
 * ranges; if it is prepared, it waits until its operator gives the job up. Risk: if the target owns
 * the ranges, and this database was set back to before its decision, the same keys have two owners.
 * Errors: NOT_FOUND, BUSY (a process runs it), INVALID (not a source's job, or not over),
 * UNCONFIRMED (without `accept_two_owners`), and those of journals. Thread: any. */
enum haul_status haul_job_forget_over(struct haul_store *store, const struct haul_job *job,
                                      bool accept_two_owners,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Finish a target's job whose source has decided (phase COMMITTED): this database owns the ranges,
 * and the rest needs no source. A receiver does the same when it starts. `hooks`: those of the
 * receiver; NULL: none.
 * Errors: NOT_FOUND, BUSY (a process runs it), INVALID (not committed, or a source's job), and
 * those of the store and of the hook: the job stays. Thread: one for each store. */
enum haul_status haul_job_finish(struct haul_store *store, const struct haul_hooks *hooks,
                                 const struct haul_job *job,
                                 struct haul_error *error) HAUL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
