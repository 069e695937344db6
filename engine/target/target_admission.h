/* SPDX-License-Identifier: Apache-2.0 */
/* target_admission.h — admits a job: checks its plan against store, journals and embedder.
 *
 * The order is that of docs/PROTOCOL.md: first everything that can refuse the plan, then all
 * changes. Thread: the call worker's. */
#ifndef HAUL_TARGET_ADMISSION_H
#define HAUL_TARGET_ADMISSION_H

#include "target_journal.h"

/* Check the plan (taken over, also on error) against the store and the journals, then write PLAN.
 * The embedder's hook runs first. Nothing changes before the plan is known to fit; then conflicting
 * jobs, and jobs that the plan names as over, are given up.
 * Errors: those of the hook and of target_plan_look; BUSY (another job is using these ranges);
 * MISMATCH (the journal has another plan, or a job named as over belongs to another source). A new
 * job that fails here leaves neither a journal nor a family that was created for it. */
enum haul_status target_admission_check(struct target_journal *journal, struct plan *plan,
                                        struct haul_error *error) HAUL_MUST_CHECK;

#endif
