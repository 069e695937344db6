/* SPDX-License-Identifier: Apache-2.0 */
/* target_left_over.h — ends a target's jobs that no process runs, for the operator.
 * source_left_over.h does so for a source's. Thread: the call worker's, or the operator's. */
#ifndef HAUL_TARGET_LEFT_OVER_H
#define HAUL_TARGET_LEFT_OVER_H

#include "haul/migration.h"

/* End a job that no process runs: clear its ranges and staging files. `hooks`: unreserve is called;
 * NULL: none. `steps`: of the clearing; NULL: to the end. Errors: IN_DOUBT (it is prepared or
 * further), and those of journals and store. */
enum haul_status target_left_over_give_up(struct haul_store *store,
                                          const uint8_t job[HAUL_JOB_BYTES],
                                          const struct haul_hooks *hooks,
                                          const struct haul_steps *steps,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* The same, also for a prepared job whose source is lost. Errors: IN_DOUBT (it is committed). */
enum haul_status target_left_over_force_give_up(struct haul_store *store,
                                                const uint8_t job[HAUL_JOB_BYTES],
                                                struct haul_error *error) HAUL_MUST_CHECK;

#endif
