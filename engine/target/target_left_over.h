/* SPDX-License-Identifier: Apache-2.0 */
/* target_left_over.h — jobs of a target that no process runs, and an operator ends. The source's
 * are in source_left_over.h. Thread: the call worker's, or the operator's. */
#ifndef HAUL_TARGET_LEFT_OVER_H
#define HAUL_TARGET_LEFT_OVER_H

#include "haul/migration.h"

/* End a job that no process runs: clear its ranges and staging files. `hooks`: unreserve is told;
 * NULL: none. `steps`: of the clearing; NULL: to the end. Errors: IN_DOUBT (it is prepared, or
 * more), and those of journals and store. */
enum haul_status target_left_over_give_up(struct haul_store *store,
                                          const uint8_t job[HAUL_JOB_BYTES],
                                          const struct haul_hooks *hooks,
                                          const struct haul_steps *steps,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* The same of one that is prepared, too: its source is lost. Errors: IN_DOUBT (it is committed). */
enum haul_status target_left_over_force_give_up(struct haul_store *store,
                                                const uint8_t job[HAUL_JOB_BYTES],
                                                struct haul_error *error) HAUL_MUST_CHECK;

#endif
