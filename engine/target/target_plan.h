/* SPDX-License-Identifier: Apache-2.0 */
/* target_plan.h — checks a plan against the target's store before any data comes: families,
 * comparators and merge operators, empty ranges, the lane; and prepares the store for it. */
#ifndef HAUL_TARGET_PLAN_H
#define HAUL_TARGET_PLAN_H

#include "digest.h"
#include "haul/migration.h"
#include "plan.h"

/* The target id of a family that the store lacks. */
#define TARGET_PLAN_NO_FAMILY UINT32_MAX

/* Fill in the target ids. Errors: those of the store. */
enum haul_status target_plan_find(struct haul_store *store, struct plan *plan,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Are the ranges empty, apart from records in the ranges of `others`? Target ids are filled in.
 * Errors: NOT_EMPTY, and those of the store. */
enum haul_status target_plan_check_empty(struct haul_store *store, const struct plan *plan,
                                         const struct plan *others, size_t other_count,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Could the store take the plan? Changes nothing in the store, and fills in the target ids. Records
 * in the ranges of `others`, which end for the plan, do not block it. `alone`: no other job uses
 * the store, so that a new database may be created again as the plan needs it.
 * Errors: MISMATCH (comparator, merge operator), NOT_EMPTY (unless the plan overwrites),
 * UNSUPPORTED, LIMIT, and those of the store. */
enum haul_status target_plan_look(struct haul_store *store, struct plan *plan,
                                  const struct plan *others, size_t other_count, bool alone,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Do the target's existing families still compare and merge like those of a resumed job?
 * Errors: MISMATCH, NO_MEMORY, and those of the store. */
enum haul_status target_plan_check_names(struct haul_store *store, const struct plan *plan,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Create the missing families, each in a step, and fill in the target ids. `alone`: as above.
 * Errors: MISMATCH (a created family does not fit: it stays, empty), LIMIT, CLOSED (the steps have
 * ended), and those of the store. */
enum haul_status target_plan_make(struct haul_store *store, struct plan *plan,
                                  const struct haul_steps *steps, bool alone,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* A stretch of one family, in the family's own order; `end` of size 0: to its end. */
struct target_span {
    uint32_t family;
    struct haul_slice start;
    struct haul_slice end;
    const struct digest_key *digest_key; /* NULL: none, or no digest */
};

/* `steps`, below: of long work; NULL: to the end. */

/* Are the tables that this job has ingested into a family still live? For a store with
 * tables_check; `*sure` and errors as there. */
enum haul_status target_plan_tables(struct haul_store *store, const struct plan *plan,
                                    uint32_t family, bool *sure,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Forget the tables of an earlier job: they need not be live. */
void target_plan_forget_tables(struct haul_store *store, const struct plan *plan);
/* Remove every record of the plan's ranges from each of its families that exists. */
enum haul_status target_plan_clear(struct haul_store *store, const struct plan *plan,
                                   const struct haul_steps *steps,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Remove every record of the span except that of its start, in any key order. */
enum haul_status target_plan_clear_behind(struct haul_store *store, const struct target_span *span,
                                          const struct haul_steps *steps,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* Count and digest of one family of the plan, by scan.
 * Errors: CLOSED (the caller ended the steps), those of the store. */
enum haul_status target_plan_digest(struct haul_store *store, const struct plan *plan,
                                    uint32_t family, struct digest *digest,
                                    const struct haul_steps *steps,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Add the records of a span to a digest. Errors: as above. */
enum haul_status target_plan_digest_span(struct haul_store *store, const struct target_span *span,
                                         struct digest *digest, const struct haul_steps *steps,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* The error of a call that its steps ended: CLOSED. */
enum haul_status target_plan_given_up(struct haul_error *error);

#endif
