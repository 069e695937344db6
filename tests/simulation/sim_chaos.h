/* SPDX-License-Identifier: Apache-2.0 */
/* sim_chaos.h — injects a seed's faults at random, and counts how often each one took effect. */
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
/* May inject a fault. */
void sim_chaos_step(struct sim_world *world);
/* End all faults for good. */
void sim_chaos_end(struct sim_world *world);

#endif
