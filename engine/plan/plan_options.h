/* SPDX-License-Identifier: Apache-2.0 */
/* plan_options.h — the options of a plan's column families: read from the source's store, carried
 * in Plan, and compared with the target's. Families mostly share one set, so a plan holds each set
 * once. */
#ifndef HAUL_PLAN_OPTIONS_H
#define HAUL_PLAN_OPTIONS_H

#include "haul/store.h"
#include "plan.h"

/* Sets longer than PLAN_OPTION_SET_BYTES_MAX, and sets that would exceed PLAN_OPTIONS_BYTES_MAX in
 * total, are left out: such a family is created with the target's own options, and the difference
 * is reported. */
enum { PLAN_OPTION_SET_BYTES_MAX = 8 << 10, PLAN_OPTIONS_BYTES_MAX = 128 << 10 };

/* Read the options of every family of `plan` from its store. Errors: those of the store. */
enum haul_status plan_options_read(struct plan *plan, struct haul_store *store,
                                   struct haul_error *error) HAUL_MUST_CHECK;
void plan_options_fini(struct plan *plan);

/* To and from the message; the plan must already have its families. Sets that are too long and
 * invalid set numbers are the peer's error. Errors: PROTOCOL, NO_MEMORY. */
enum haul_status plan_options_put(const struct plan *plan,
                                  haul_control_Plan *message) HAUL_MUST_CHECK;
enum haul_status plan_options_take(struct plan *plan, const haul_control_Plan *message,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* The options of one family; NULL: the source sent none. Borrowed from the plan. */
const char *plan_options_of(const struct plan *plan, size_t family);

#endif
