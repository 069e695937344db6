/* SPDX-License-Identifier: Apache-2.0 */
/* sim_world.h — one seed from its first step to its end: a source, a target, their operators, their
 * clients and everything that goes wrong.
 *
 * Safety phase: the faults of the seed happen, invariants are checked after each step. Liveness
 * phase: no faults; operators go on until the job is done, within bounded time. */
#ifndef HAUL_SIM_WORLD_H
#define HAUL_SIM_WORLD_H

#include <stdint.h>

#include "sim_codec.h"
#include "sim_options.h"

struct sim_figures {
    uint64_t seeds;
    uint64_t steps;
    double seconds; /* of the simulated time */
    uint64_t attempts;
    uint64_t client_writes;
    uint64_t faults[SIM_FAULT_COUNT]; /* that took effect */
    struct sim_network_figures network;
    struct sim_verbs_figures verbs;
    struct sim_codec_figures codec;
    uint64_t stalls;
};

/* Does not return when an invariant does not hold. Adds to `figures`. */
void sim_world_run(const struct sim_options *options, struct sim_figures *figures);

#endif
