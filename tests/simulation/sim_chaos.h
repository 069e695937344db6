/* SPDX-License-Identifier: Apache-2.0 */
/* sim_chaos.h — the faults of a seed, one now and then, and how often each was really seen. */
#ifndef HAUL_SIM_CHAOS_H
#define HAUL_SIM_CHAOS_H

#include <stdint.h>

#include "sim_options.h"

struct sim_world;

struct sim_chaos {
    uint64_t next_step;
    uint64_t seen[SIM_FAULT_COUNT];
};

void sim_chaos_init(struct sim_world *world);
/* Perhaps something happens. */
void sim_chaos_step(struct sim_world *world);
/* Everything works again, for good. */
void sim_chaos_end(struct sim_world *world);

#endif
