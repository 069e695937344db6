/* SPDX-License-Identifier: Apache-2.0 */
/* target_fit.h — does the target's store keep what a plan brings? Families are refused whose own
 * configuration would drop or change records; new ones take over the source's options; and what
 * still differs is reported. Thread: the call worker's. */
#ifndef HAUL_TARGET_FIT_H
#define HAUL_TARGET_FIT_H

#include "haul/store.h"
#include "option_report.h"
#include "plan.h"

/* Changes nothing. Errors: UNSUPPORTED (which names feature and remedy), those of the store. */
enum haul_status target_fit_check(struct haul_store *store, const struct plan *plan,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Make the plan's family `index`, which the store does not have, or has as it was born and never
 * written to, with the source's options. Errors: EXISTS (it is in use), those of the store. */
enum haul_status target_fit_make(struct haul_store *store, const struct plan *plan, size_t index,
                                 struct haul_family *made,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* What the families have otherwise than the source's, into `report`. */
void target_fit_report(struct haul_store *store, const struct plan *plan,
                       struct option_report *report);

#endif
