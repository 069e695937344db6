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

enum { HAUL_JOB_TEXT_BYTES_MAX = 128 };

struct haul_job {
    enum haul_job_role role;
    uint8_t id[HAUL_JOB_BYTES];
    enum haul_job_claim claim;
    uint64_t epoch;                         /* attempts of the source so far, from 1 */
    char phase[HAUL_JOB_TEXT_BYTES_MAX];    /* "COPYING" */
    char sentence[HAUL_JOB_TEXT_BYTES_MAX]; /* what the phase means */
};

/* "source" or "target"; "serves", "in doubt" or "yields". */
const char *haul_job_role_name(enum haul_job_role role);
const char *haul_job_claim_name(enum haul_job_claim claim);

/* All jobs of the database in `directory` that are not done, also while a process runs one. The
 * database itself is not opened. Ownership: `*jobs` is the caller's (free).
 * Errors: NOT_FOUND (no such directory), CORRUPT, VERSION, LIMIT, NO_MEMORY, IO. Thread: any. */
enum haul_status haul_jobs_list(const char *directory, struct haul_job **jobs, size_t *count,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* End a job of this store that no process runs: the source keeps the ranges; a target removes what
 * it has of them in every column family, and its staging files.
 * Errors: NOT_FOUND, BUSY (a process runs it), IN_DOUBT (too late: it was decided, or is prepared
 * and only the source's record tells), and those of the store. Thread: one for each store. */
enum haul_status haul_job_give_up(struct haul_store *store, const struct haul_job *job,
                                  struct haul_error *error) HAUL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
