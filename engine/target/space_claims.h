/* SPDX-License-Identifier: Apache-2.0 */
/* space_claims.h — what each job of a receiver will still write, so that the check of another one's
 * plan counts it (space_limit.h).
 *
 * A plan that passes its check claims its whole size. The loop lowers the claim as records arrive,
 * and drops it with the job's place.
 *
 * Thread: any; one at a time for each claim. */
#ifndef HAUL_SPACE_CLAIMS_H
#define HAUL_SPACE_CLAIMS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/limits.h"

/* Zeroed: nobody claims anything. */
struct space_claims {
    atomic_uint_fast64_t bytes[HAUL_TARGET_JOBS_MAX];
};

/* One job's. */
struct space_claim {
    struct space_claims *all; /* NULL: it is the only job */
    size_t index;
};

static inline void space_claim_set(const struct space_claim *claim, uint64_t bytes)
{
    if (claim->all != NULL) {
        atomic_store_explicit(&claim->all->bytes[claim->index], bytes, memory_order_relaxed);
    }
}

/* Of all other jobs. */
static inline uint64_t space_claim_others(const struct space_claim *claim)
{
    uint64_t sum = 0;
    for (size_t i = 0; claim->all != NULL && i < HAUL_TARGET_JOBS_MAX; i++) {
        uint64_t one = atomic_load_explicit(&claim->all->bytes[i], memory_order_relaxed);
        one = i == claim->index ? 0 : one;
        sum = sum + one < sum ? UINT64_MAX : sum + one;
    }
    return sum;
}

#endif
