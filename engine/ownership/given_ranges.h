/* SPDX-License-Identifier: Apache-2.0 */
/* given_ranges.h — what a database has given to another one by jobs that are done, as its record
 * has it and as Commit carries it: the answer to a target that was set back to before it owned.
 *
 * The journal of such a job is gone, and its plan with it; the target's journal has the plan. So
 * the source names the ranges that the target still has to own, and the target takes what lies in
 * the plan. Errors are those of ownership_read where none are named. Thread: any. */
#ifndef HAUL_GIVEN_RANGES_H
#define HAUL_GIVEN_RANGES_H

#include <stdbool.h>

#include "digest.h"
#include "haul/migration.h"
#include "message.h"
#include "ownership.h"
#include "plan.h"

/* The newest job that gave something to the database `peer`; NULL: to any. */
enum haul_status given_ranges_newest(struct haul_store *store, const char *peer,
                                     uint8_t job[HAUL_JOB_BYTES], bool *found,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Did the job give something to the database `peer`? */
enum haul_status given_ranges_know(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                   const char *peer, bool *known,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* How much the job has given; all zeros: that is not recorded. */
enum haul_status given_ranges_moved(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                    struct digest *moved, struct haul_error *error) HAUL_MUST_CHECK;
/* The Commit of that job, with the ranges that `peer` must own; the caller releases it. Errors:
 * MISMATCH (nothing of it: it came back, or was taken back), LIMIT (more ranges than a message
 * holds), NO_MEMORY. */
enum haul_status given_ranges_commit(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                     const char *peer, struct message *message,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* What a Commit names, into a struct that was not initialised. Errors: PROTOCOL (also more ranges
 * than given_ranges_commit names), LIMIT (more than a record can have), NO_MEMORY. */
enum haul_status given_ranges_read(struct ownership *given, const haul_control_Commit *commit,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Is that all of the plan? */
bool given_ranges_cover(const struct ownership *given, const struct plan *plan);

#endif
