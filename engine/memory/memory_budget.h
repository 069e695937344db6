/* SPDX-License-Identifier: Apache-2.0 */
/* memory_budget.h — a limit on the bytes that several owners hold together.
 * Thread: any. */
#ifndef HAUL_MEMORY_BUDGET_H
#define HAUL_MEMORY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct memory_budget {
    uint64_t bytes_max;
    atomic_uint_fast64_t bytes;
};

static inline void memory_budget_init(struct memory_budget *budget, uint64_t bytes_max)
{
    budget->bytes_max = bytes_max;
    atomic_init(&budget->bytes, 0);
}

/* False: less is left, and nothing was taken. */
static inline bool memory_budget_take(struct memory_budget *budget, uint64_t bytes)
{
    uint64_t before = atomic_fetch_add_explicit(&budget->bytes, bytes, memory_order_relaxed);
    if (before <= budget->bytes_max && bytes <= budget->bytes_max - before) {
        return true;
    }
    (void)atomic_fetch_sub_explicit(&budget->bytes, bytes, memory_order_relaxed);
    return false;
}

static inline void memory_budget_give(struct memory_budget *budget, uint64_t bytes)
{
    (void)atomic_fetch_sub_explicit(&budget->bytes, bytes, memory_order_relaxed);
}

static inline uint64_t memory_budget_bytes(const struct memory_budget *budget)
{
    return atomic_load_explicit(&budget->bytes, memory_order_relaxed);
}

#endif
