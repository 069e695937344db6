/* SPDX-License-Identifier: Apache-2.0 */
/* target_overwrite.h — what a plan that overwrites must not delete: where it brings back ranges
 * that this database has given away, the records that it owns beside them. The other database never
 * had those. */
#ifndef HAUL_TARGET_OVERWRITE_H
#define HAUL_TARGET_OVERWRITE_H

#include "haul/migration.h"
#include "plan.h"

/* Does the plan, whose target ids are filled in, clear such records? Records in the ranges of
 * `others`, which end for the plan, are not owned. An embedder with its own register, in which haul
 * cannot look, decides that in its `reserve` hook.
 * Errors: NOT_EMPTY, NO_MEMORY, those of ownership_read and of the store. Thread: any. */
enum haul_status target_overwrite_check(const struct haul_target_options *target,
                                        const struct plan *plan, const struct plan *others,
                                        size_t other_count,
                                        struct haul_error *error) HAUL_MUST_CHECK;

#endif
