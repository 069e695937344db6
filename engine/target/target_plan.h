/* SPDX-License-Identifier: Apache-2.0 */
/* target_plan.h — holding a plan against the target's store before any data: families, comparators
 * and merge operators, emptiness of the ranges, the lane; and making the store ready for it. */
#ifndef HAUL_TARGET_PLAN_H
#define HAUL_TARGET_PLAN_H

#include "digest.h"
#include "haul/migration.h"
#include "plan.h"

/* The target id of a family that the store does not have. */
#define TARGET_PLAN_NO_FAMILY UINT32_MAX

/* Fill in the target ids. Errors: those of the store. */
enum haul_status target_plan_find(struct haul_store *store, struct plan *plan,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Are the ranges empty, but for what lies in those of `others`? Target ids are known.
 * Errors: NOT_EMPTY, and those of the store. */
enum haul_status target_plan_check_empty(struct haul_store *store, const struct plan *plan,
                                         const struct plan *others, size_t other_count,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Could the store take the plan? Changes nothing, and fills in the target ids. What lies in the
 * ranges of `others`, which end for the plan, is in nobody's way.
 * Errors: MISMATCH (comparator, merge operator), NOT_EMPTY (unless the plan overwrites),
 * UNSUPPORTED, LIMIT, and those of the store. */
enum haul_status target_plan_look(struct haul_store *store, struct plan *plan,
                                  const struct plan *others, size_t other_count,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Do the target's families that are there still compare and merge as those of a job that goes on?
 * Errors: MISMATCH, NO_MEMORY, and those of the store. */
enum haul_status target_plan_check_names(struct haul_store *store, const struct plan *plan,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Make the families that are missing, and fill in the target ids. Errors: MISMATCH (what was made
 * does not fit: the family stays, empty), LIMIT, and those of the store. */
enum haul_status target_plan_make(struct haul_store *store, struct plan *plan,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* A stretch of one family, in the family's own order; `end` of size 0: to its end. */
struct target_span {
    uint32_t family;
    struct haul_slice start;
    struct haul_slice end;
};

/* `steps`, below: of what takes long; NULL: to the end. */

/* Are the tables there that this job has ingested into a family? For a store with tables_check;
 * `*sure` and errors are of that. */
enum haul_status target_plan_tables(struct haul_store *store, const struct plan *plan,
                                    uint32_t family, bool *sure,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Those of an earlier job need not be there. */
void target_plan_forget_tables(struct haul_store *store, const struct plan *plan);
/* Remove every record of the plan's ranges from every family of it that there is. */
enum haul_status target_plan_clear(struct haul_store *store, const struct plan *plan,
                                   const struct haul_steps *steps,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Remove every record of the span but that of its start, whatever the family's order. */
enum haul_status target_plan_clear_behind(struct haul_store *store, const struct target_span *span,
                                          const struct haul_steps *steps,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* Count and digest of one family of the plan, by scan.
 * Errors: CLOSED (a step was not to be taken), those of the store. */
enum haul_status target_plan_digest(struct haul_store *store, const struct plan *plan,
                                    uint32_t family, struct digest *digest,
                                    const struct haul_steps *steps,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Add the records of a span to a digest. Errors: as above. */
enum haul_status target_plan_digest_span(struct haul_store *store, const struct target_span *span,
                                         struct digest *digest, const struct haul_steps *steps,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* The error of a call that was not to go on: CLOSED. */
enum haul_status target_plan_given_up(struct haul_error *error);

#endif
