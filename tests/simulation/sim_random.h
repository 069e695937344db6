/* SPDX-License-Identifier: Apache-2.0 */
/* sim_random.h — the only source of randomness in a simulation: everything follows from the
 * seed. */
#ifndef HAUL_SIM_RANDOM_H
#define HAUL_SIM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

/* splitmix64: every seed is a good one. */
static inline uint64_t sim_random_next(struct sim_random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = random->state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* 0 <= result < `limit`; `limit` is at least 1. */
static inline uint32_t sim_random_below(struct sim_random *random, uint32_t limit)
{
    return (uint32_t)(sim_random_next(random) % limit);
}

/* From `low` to `high`, both inclusive. */
static inline uint32_t sim_random_between(struct sim_random *random, uint32_t low, uint32_t high)
{
    return low + sim_random_below(random, high - low + 1);
}

/* True with a probability of `parts` in ten thousand. */
static inline bool sim_random_chance(struct sim_random *random, uint32_t parts)
{
    return sim_random_below(random, 10000) < parts;
}

static inline void sim_random_fill(struct sim_random *random, void *data, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        ((uint8_t *)data)[i] = (uint8_t)sim_random_next(random);
    }
}

#endif
