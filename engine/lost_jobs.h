/* SPDX-License-Identifier: Apache-2.0 */
/* lost_jobs.h — jobs between two databases of which one has no record any more: it was set back to
 * before them. What it has got since is not there, and what it gave away looks like its own.
 *
 *   `lost_jobs_list`: jobs with the peer by which one of the two owns (Welcome, Plan: `between`)
 *   `lost_jobs_look`: which of these has the other one lost? (Plan, Stop, Refused: `lost`)
 *   `lost_jobs_note`: remembers what the peer has lost of what was given to it, so that
 *                     `haul_owner_drop` deletes no such range unasked
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

/* The newest jobs between this database and `peer` by which one of the two owns ranges. Those with
 * a journal are left out: one side may not know yet how they end. Errors: those of ownership_read
 * and of journal_directory_list, NO_MEMORY. */
enum haul_status lost_jobs_list(struct haul_store *store, const struct haul_hooks *hooks,
                                const char *peer, struct job_list *between,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Those of `between` that this database's record does not know. None when the record was rebuilt
 * or is full: it does not know all jobs then. Errors: as above. */
enum haul_status lost_jobs_look(struct haul_store *store, const struct haul_hooks *hooks,
                                const struct job_list *between, struct job_list *lost,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* `peer` has lost what it got by these jobs; those that gave it nothing are left out. Errors: those
 * of ownership_update. */
enum haul_status lost_jobs_note(struct haul_store *store, const char *peer,
                                const struct job_list *lost,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Is it unknown that somebody has lost a part of the pieces? Errors: MISMATCH (it is known), those
 * of ownership_read. */
enum haul_status lost_jobs_check(struct haul_store *store, const struct owner_pieces *pieces,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* Into the history of a record that was made anew: it does not know all jobs. Errors: NO_MEMORY. */
enum haul_status lost_jobs_note_rebuilt(struct ownership *ownership,
                                        uint64_t time_s) HAUL_MUST_CHECK;

#endif
