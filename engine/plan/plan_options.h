/* SPDX-License-Identifier: Apache-2.0 */
/* plan_options.h — the options of a plan's column families: read from the source's store, carried
 * in Plan, and compared with what the target has. Families mostly share one set, so that a plan
 * holds each set once. */
#ifndef HAUL_PLAN_OPTIONS_H
#define HAUL_PLAN_OPTIONS_H

#include "haul/store.h"
#include "plan.h"

/* A set longer than this, and all sets that would take Plan beyond PLAN_OPTIONS_BYTES_MAX, are left
 * out: such a family is made with the target's own options, and the difference is reported. */
enum { PLAN_OPTION_SET_BYTES_MAX = 8 << 10, PLAN_OPTIONS_BYTES_MAX = 128 << 10 };

/* Read the options of every family of `plan` from its store. Errors: those of the store. */
enum haul_status plan_options_read(struct plan *plan, struct haul_store *store,
                                   struct haul_error *error) HAUL_MUST_CHECK;
void plan_options_fini(struct plan *plan);

/* To and from the message; the plan's families are there already. Sets that are too long or not
 * named soundly are an error of the peer. Errors: PROTOCOL, NO_MEMORY. */
enum haul_status plan_options_put(const struct plan *plan,
                                  haul_control_Plan *message) HAUL_MUST_CHECK;
enum haul_status plan_options_take(struct plan *plan, const haul_control_Plan *message,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Options of one family, NULL when the source named none. Borrowed from the plan. */
const char *plan_options_of(const struct plan *plan, size_t family);

#endif
