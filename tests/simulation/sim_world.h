/* SPDX-License-Identifier: Apache-2.0 */
/* sim_world.h — one seed from its first step to its end: databases, operators, clients and all
 * faults.
 *
 * Safety phase: the seed's faults happen, and invariants are checked after each step. Liveness
 * phase: no faults; operators go on until every job has ended, within a bounded time. */
#ifndef HAUL_SIM_WORLD_H
#define HAUL_SIM_WORLD_H

#include <stdint.h>

#include "sim_chaos.h"
#include "sim_client.h"
#include "sim_codec.h"
#include "sim_options.h"
#include "sim_task.h"

struct sim_world {
    const struct sim_options *options;
    struct sim_random random;
    struct sim_host hosts[SIM_HOST_COUNT_MAX];
    struct sim_truth truth;
    struct sim_task tasks[SIM_TASK_COUNT];
    uint32_t task_count; /* so far */
    uint32_t task_limit; /* how many there will be */
    uint64_t next_task_ns;
    struct sim_client client;
    struct sim_chaos chaos;
    uint64_t next_client;
    bool done;           /* nothing is left to do */
    uint64_t wake_ns;    /* operators next have something to do then, ... */
    uint64_t ended_seen; /* ... or when a command has ended */
    uint64_t commands;
    bool side_by_side; /* a receiver was seen with several jobs */
};

struct sim_figures {
    uint64_t seeds;
    uint64_t steps;
    double seconds; /* of simulated time */
    uint64_t hosts;
    uint64_t tasks, committed, decisions;
    uint64_t side_by_side; /* worlds in which a receiver was seen with several jobs */
    uint64_t commands;
    uint64_t client_writes;
    uint64_t faults[SIM_FAULT_COUNT]; /* faults that took effect */
    struct sim_network_figures network;
    struct sim_verbs_figures verbs;
    struct sim_codec_figures codec;
    uint64_t stalls;
};

/* Does not return when an invariant does not hold. Adds to `figures`. */
void sim_world_run(const struct sim_options *options, struct sim_figures *figures);

#endif
