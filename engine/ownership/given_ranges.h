/* SPDX-License-Identifier: Apache-2.0 */
/* given_ranges.h — ranges that a database has given to another one by jobs that are done, from its
 * record and in a Commit: the answer to a target that was set back to before it owned.
 *
 * The source's journal of such a job is gone, with its plan; only the target's journal has the
 * plan. So the source names the ranges that the target must still own, and the target takes those
 * inside the plan. Errors are those of ownership_read where none are named. Thread: any. */
#ifndef HAUL_GIVEN_RANGES_H
#define HAUL_GIVEN_RANGES_H

#include <stdbool.h>

#include "digest.h"
#include "haul/migration.h"
#include "message.h"
#include "ownership.h"
#include "plan.h"

/* The newest job that gave something to the database `peer`; NULL: to any database. */
enum haul_status given_ranges_newest(struct haul_store *store, const char *peer,
                                     uint8_t job[HAUL_JOB_BYTES], bool *found,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Did the job give something to the database `peer`? */
enum haul_status given_ranges_know(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                   const char *peer, bool *known,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* How much the job has given, or taken over; all zeros: not recorded. */
enum haul_status given_ranges_moved(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                    enum ownership_act act, struct digest *moved,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* The Commit of that job, with the ranges that `peer` must own; the caller releases it. Errors:
 * MISMATCH (none: they were given or taken back), LIMIT (more ranges than a message holds),
 * NO_MEMORY. */
enum haul_status given_ranges_commit(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                     const char *peer, struct message *message,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Read the ranges of a Commit into an uninitialised struct. Errors: PROTOCOL (also more ranges than
 * given_ranges_commit names), LIMIT (more than a record can hold), NO_MEMORY. */
enum haul_status given_ranges_read(struct ownership *given, const haul_control_Commit *commit,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Do the given ranges cover the whole plan? */
bool given_ranges_cover(const struct ownership *given, const struct plan *plan);

#endif
