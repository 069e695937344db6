/* SPDX-License-Identifier: Apache-2.0 */
/* target_fit.h — does the target's store keep a plan's records unchanged? It refuses families whose
 * own configuration would drop or change records, creates new ones with the source's options, and
 * reports the remaining differences. Thread: the call worker's. */
#ifndef HAUL_TARGET_FIT_H
#define HAUL_TARGET_FIT_H

#include "haul/store.h"
#include "option_report.h"
#include "plan.h"

/* Changes nothing. Errors: UNSUPPORTED (names feature and remedy), those of the store. */
enum haul_status target_fit_check(struct haul_store *store, const struct plan *plan,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Create the plan's family `index` with the source's options. The store must lack it, or have it as
 * created with the database and never written to. Errors: EXISTS (it is in use), those of the
 * store. */
enum haul_status target_fit_make(struct haul_store *store, const struct plan *plan, size_t index,
                                 struct haul_family *made,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* Put the options that differ from the source's into `report`. */
void target_fit_report(struct haul_store *store, const struct plan *plan,
                       struct option_report *report);

#endif
