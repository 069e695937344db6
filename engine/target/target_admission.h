/* SPDX-License-Identifier: Apache-2.0 */
/* target_admission.h — lets a job in: its plan against the store, the records and the embedder.
 *
 * The order is that of docs/PROTOCOL.md: first everything that may be said against the plan, then
 * what it changes. Thread: the call worker's. */
#ifndef HAUL_TARGET_ADMISSION_H
#define HAUL_TARGET_ADMISSION_H

#include "target_journal.h"

/* Hold the plan (taken over, also on error) against the store and the records; then PLAN stands.
 * The embedder is asked first. Nothing is changed before it is known that the plan fits; then jobs
 * that are in its way, or that it says are over, are given up.
 * Errors: those of the hook and of target_plan_look; BUSY (another job has its hand on these
 * ranges); MISMATCH (the journal has another plan, or a job that is said to be over is another
 * source's). A new job that fails here leaves no journal, and no family that was made for it. */
enum haul_status target_admission_check(struct target_journal *journal, struct plan *plan,
                                        struct haul_error *error) HAUL_MUST_CHECK;

#endif
