/* SPDX-License-Identifier: Apache-2.0 */
/* space_limit.h — how much of the target's disk a job may fill. A database on a full disk can
 * neither write nor compact, so a job ends before that: it is refused when its plan does not fit,
 * and stopped, keeping what has arrived, when the disk fills up during the copy.
 *
 * The limit keeps bytes free: the embedder's number, or 5 % of the file system, at least 1 GiB, at
 * most 10 %; and in addition what the store has in memory and must still write.
 * Thread: any. */
#ifndef HAUL_SPACE_LIMIT_H
#define HAUL_SPACE_LIMIT_H

#include "haul/store.h"
#include "plan.h"

/* `keep_bytes` 0: the default above. A store that cannot report its free space has no limit.
 * Errors: NO_SPACE. */
enum haul_status space_limit_check(struct haul_store *store, uint64_t keep_bytes,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* The size of a plan, by its source's estimate. */
uint64_t space_limit_plan_bytes(const struct plan *plan);
/* Would the whole plan fit, beside what other jobs will still write (`others_bytes`)? In the
 * write-batch lane the records lie in the log and in memory, and must become table files before the
 * log can go: the limit above must also hold when memory is full. */
enum haul_status space_limit_check_plan(struct haul_store *store, uint64_t keep_bytes,
                                        const struct plan *plan, enum haul_lane lane,
                                        uint64_t others_bytes,
                                        struct haul_error *error) HAUL_MUST_CHECK;

#endif
