/* SPDX-License-Identifier: Apache-2.0 */
/* plan_sample.h — looks at some records of a plan before it is sent. Records that cannot be moved,
 * such as wide-column entities, mostly fill a whole column family: it is better to refuse them now
 * than after half of the copy. The copy refuses the rest. */
#ifndef HAUL_PLAN_SAMPLE_H
#define HAUL_PLAN_SAMPLE_H

#include "haul/store.h"
#include "plan.h"

enum { PLAN_SAMPLE_RECORDS_MAX = 16384, PLAN_SAMPLE_BYTES_MAX = 4 << 20, PLAN_SAMPLE_PLACES = 32 };

/* Read the beginnings of up to PLAN_SAMPLE_PLACES streams, within the two limits for all of them
 * together. Errors: those of scans, including UNSUPPORTED. */
enum haul_status plan_sample(const struct plan *plan, struct haul_store *store,
                             const struct haul_snapshot *snapshot,
                             struct haul_error *error) HAUL_MUST_CHECK;

#endif
