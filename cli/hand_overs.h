/* SPDX-License-Identifier: Apache-2.0 */
/* hand_overs.h — what a database has handed over already, by its ownership record and its journals:
 * so a plan that is carried out again skips what is done, and finishes what was decided.
 *
 * The record names the database that owns a range, not the address at which it was then. */
#ifndef HAUL_HAND_OVERS_H
#define HAUL_HAND_OVERS_H

#include <stddef.h>
#include <stdint.h>

#include "haul/job.h"
#include "haul/migration.h"
#include "haul/owner.h"
#include "haul/status.h"
#include "haul/store.h"

enum hand_over_state {
    HAND_OVER_NONE, /* not all of it was handed over, its new owner has lost it, or the record
                            * does not belong to this database */
    HAND_OVER_UNCONFIRMED, /* decided: the target may not know it yet, and `resolve` informs it */
    HAND_OVER_DONE,
};

struct hand_over {
    enum hand_over_state state;
    uint8_t job[HAUL_JOB_BYTES]; /* of its first range; not with NONE, likewise `peer` */
    char peer[HAUL_IDENTITY_BYTES_MAX];
};

/* The records of a database, as they were when they were read. Zeroed is empty. */
struct hand_overs {
    struct haul_owner *owner;
    struct haul_job *jobs;
    size_t job_count;
    struct haul_family *families; /* that the store has open */
    size_t family_count;
};

/* Read the records. `directory`: of the store's database. Errors: those of haul_owner_read and
 * haul_jobs_list. */
enum haul_status hand_overs_read(struct hand_overs *records, struct haul_store *store,
                                 const char *directory, struct haul_error *error) HAUL_MUST_CHECK;
void hand_overs_fini(struct hand_overs *records);

/* What became of the families and ranges that `options` select. */
struct hand_over hand_overs_find(const struct hand_overs *records,
                                 const struct haul_source_options *options);

#endif
