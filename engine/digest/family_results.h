/* SPDX-License-Identifier: Apache-2.0 */
/* family_results.h — the families of a plan in a result, with what was moved of each.
 * Thread: any. */
#ifndef HAUL_FAMILY_RESULTS_H
#define HAUL_FAMILY_RESULTS_H

#include "digest.h"
#include "haul/migration.h"
#include "plan.h"

/* `digests`: one for each family; NULL: nothing was moved. Returns the sum of counts and bytes. */
struct digest family_results_fill(struct haul_result *result, const struct plan *plan,
                                  const struct digest *digests);

#endif
