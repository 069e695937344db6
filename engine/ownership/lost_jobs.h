/* SPDX-License-Identifier: Apache-2.0 */
/* lost_jobs.h — jobs between two databases of which one has lost the record, because it was set
 * back to before them. The ranges it had received are missing, and the ranges it gave away look
 * like its own.
 *
 *   `lost_jobs_list`: jobs with the peer by which one of the two owns (Welcome, Plan: `between`)
 *   `lost_jobs_look`: which of these has the other one lost? (Plan, Stop, Refused: `lost`)
 *   `lost_jobs_note`: records the ranges given to the peer that it has lost, so that
 *                     `haul_owner_drop` deletes none of them without the operator's consent
 *
 * A set-back database loses its newest jobs first, and no plan between the two is accepted as long
 * as one has lost something; so it is enough that neighbouring ranges, which merge, keep the newest
 * job's id. Where an embedder has a register of its own, nothing is listed, and nothing counts as
 * lost. Thread: any. */
#ifndef HAUL_LOST_JOBS_H
#define HAUL_LOST_JOBS_H

#include <stdbool.h>

#include "haul/migration.h"
#include "job_list.h"
#include "owner_pieces.h"
#include "ownership.h"

/* The newest jobs between this database and `peer` by which one of the two owns ranges. Jobs with a
 * journal are omitted, because one side may not know yet how they end. Errors: those of
 * ownership_read and of journal_directory_list, NO_MEMORY. */
enum haul_status lost_jobs_list(struct haul_store *store, const struct haul_hooks *hooks,
                                const char *peer, struct job_list *between,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* The jobs of `between` that this database's record lacks. None when the record was rebuilt or is
 * full, because it does not hold all jobs then. Errors: as above. */
enum haul_status lost_jobs_look(struct haul_store *store, const struct haul_hooks *hooks,
                                const struct job_list *between, struct job_list *lost,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Record that `peer` has lost what it got by these jobs; skips jobs that gave it nothing. Errors:
 * those of ownership_update. */
enum haul_status lost_jobs_note(struct haul_store *store, const char *peer,
                                const struct job_list *lost,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Record that the job, if it gave anything, was ended here before its target had confirmed that it
 * owns. Errors: those of ownership_read and of ownership_update. */
enum haul_status lost_jobs_note_unconfirmed(struct haul_store *store,
                                            const uint8_t job[HAUL_JOB_BYTES],
                                            struct haul_error *error) HAUL_MUST_CHECK;
/* The target owns by these jobs: what lost_jobs_note_unconfirmed has recorded is over. Errors: as
 * above. */
enum haul_status lost_jobs_confirm(struct haul_store *store, const struct job_list *jobs,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* OK unless a database is known to have lost a part of the pieces, or has not confirmed one.
 * Errors: MISMATCH (lost), UNCONFIRMED, those of ownership_read. */
enum haul_status lost_jobs_check(struct haul_store *store, const struct owner_pieces *pieces,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* Note in the history of a rebuilt record that it does not hold all jobs. Errors: NO_MEMORY. */
enum haul_status lost_jobs_note_rebuilt(struct ownership *ownership,
                                        uint64_t time_s) HAUL_MUST_CHECK;

#endif
