/* SPDX-License-Identifier: Apache-2.0 */
/* sim_chaos.h — the faults of a seed, one now and then, and how often each was really seen. */
#ifndef HAUL_SIM_CHAOS_H
#define HAUL_SIM_CHAOS_H

#include <stdint.h>

#include "sim_host.h"
#include "sim_options.h"

struct sim_chaos {
    const struct sim_options *options;
    struct sim_random *random;
    struct sim_host *hosts;
    uint64_t next_step;
    uint64_t seen[SIM_FAULT_COUNT];
};

void sim_chaos_init(struct sim_chaos *chaos, const struct sim_options *options,
                    struct sim_random *random, struct sim_host *hosts);
/* Perhaps something happens. */
void sim_chaos_step(struct sim_chaos *chaos);
/* Everything works again, for good. */
void sim_chaos_end(struct sim_chaos *chaos);

#endif
