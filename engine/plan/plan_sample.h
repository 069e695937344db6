/* SPDX-License-Identifier: Apache-2.0 */
/* plan_sample.h — a look at some records of a plan before anybody is asked to take them. What
 * cannot be moved, such as wide-column entities, is mostly all over a column family: better refused
 * now than when half of it has been copied. The copy refuses the rest. */
#ifndef HAUL_PLAN_SAMPLE_H
#define HAUL_PLAN_SAMPLE_H

#include "haul/store.h"
#include "plan.h"

enum { PLAN_SAMPLE_RECORDS_MAX = 16384, PLAN_SAMPLE_BYTES_MAX = 4 << 20, PLAN_SAMPLE_PLACES = 32 };

/* Read the beginnings of up to PLAN_SAMPLE_PLACES streams, and of all of them together no more than
 * the two limits. Errors: those of scans, UNSUPPORTED among them. */
enum haul_status plan_sample(const struct plan *plan, struct haul_store *store,
                             const struct haul_snapshot *snapshot,
                             struct haul_error *error) HAUL_MUST_CHECK;

#endif
