/* SPDX-License-Identifier: Apache-2.0 */
/* run_world.h — a simulated cluster under `cluster_run`: nodes that fall silent, jobs that fail,
 * somebody else who changes the topology, an operator who pauses and aborts, and a tool that is
 * killed before or behind any command. A judge watches what every command does. */
#ifndef HAUL_TESTS_RUN_WORLD_H
#define HAUL_TESTS_RUN_WORLD_H

#include <stdbool.h>
#include <stdint.h>

enum { RUN_WORLD_TEXT_BYTES_MAX = 200 };

/* Run the plan of world number `seed` to its end. False: an invariant broke, and `text` has it. */
bool run_world_check(uint64_t seed, char text[RUN_WORLD_TEXT_BYTES_MAX]);

/* What the worlds have shown so far, so that a test sees that they reach what they are for. */
struct run_world_tally {
    unsigned completed;
    unsigned aborted;
    unsigned fenced;
    unsigned lost;
    unsigned failed;
    unsigned misfit;
    unsigned refused;
    unsigned kills;
    unsigned moves;
};
extern struct run_world_tally run_world_tally;

#endif
