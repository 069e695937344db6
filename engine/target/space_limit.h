/* SPDX-License-Identifier: Apache-2.0 */
/* space_limit.h — how much of the target's disk a job may fill. A database whose disk is full can
 * neither write nor compact, so a job ends before that: it is refused when its plan does not fit,
 * and stopped, keeping what has arrived, when the disk fills up meanwhile.
 *
 * Some bytes are kept free: as many as the embedder says, or 5 % of the file system, at least
 * 1 GiB, at most 10 %; and those that the store has in memory and is still to write.
 * Thread: any. */
#ifndef HAUL_SPACE_LIMIT_H
#define HAUL_SPACE_LIMIT_H

#include "haul/store.h"
#include "plan.h"

/* `keep_bytes` 0: as above. A store that does not know its space has no limit.
 * Errors: NO_SPACE. */
enum haul_status space_limit_check(struct haul_store *store, uint64_t keep_bytes,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Would all of the plan fit? Its bytes are the source's estimate. */
enum haul_status space_limit_check_plan(struct haul_store *store, uint64_t keep_bytes,
                                        const struct plan *plan,
                                        struct haul_error *error) HAUL_MUST_CHECK;

#endif
