/* SPDX-License-Identifier: Apache-2.0 */
/* target_plan.h — holding a plan against the target's store before any data: families (created
 * where they are missing), comparators and merge operators, emptiness of the ranges, the lane. */
#ifndef HAUL_TARGET_PLAN_H
#define HAUL_TARGET_PLAN_H

#include "digest.h"
#include "haul/migration.h"
#include "plan.h"

/* Fill in the target ids, creating families that are missing. Errors: MISMATCH, LIMIT, STORE. */
enum haul_status target_plan_match(struct haul_store *store, struct plan *plan,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Fill in the target ids. With the plan's `overwrite` set, ranges that are not empty are cleared;
 * otherwise they are refused.
 * Errors: MISMATCH (comparator, merge operator), NOT_EMPTY, UNSUPPORTED (lane), LIMIT, and those
 * of the store. A family that was created stays: it is empty. */
enum haul_status target_plan_check(struct haul_store *store, struct plan *plan,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* The lane for the job: what both sides want, and what the store allows. Errors: UNSUPPORTED. */
enum haul_status target_plan_lane(const struct haul_store *store, enum haul_lane source,
                                  enum haul_lane target, enum haul_lane *lane,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Remove every record of the plan's ranges from every family of it. */
enum haul_status target_plan_clear(struct haul_store *store, const struct plan *plan,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* A stretch of one family, in the family's own order; `end` of size 0: to its end. */
struct target_span {
    uint32_t family;
    struct haul_slice start;
    struct haul_slice end;
};
/* Remove every record of the span but that of its start, whatever the family's order. */
enum haul_status target_plan_clear_behind(struct haul_store *store, const struct target_span *span,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* Count and digest of one family of the plan, by scan. */
enum haul_status target_plan_digest(struct haul_store *store, const struct plan *plan,
                                    uint32_t family, struct digest *digest,
                                    struct haul_error *error) HAUL_MUST_CHECK;

#endif
