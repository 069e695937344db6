/* SPDX-License-Identifier: Apache-2.0 */
/* planner_world.h — random clusters with random goals, and a judge of plans that shares no code
 * with the planner. */
#ifndef HAUL_TESTS_PLANNER_WORLD_H
#define HAUL_TESTS_PLANNER_WORLD_H

#include <stdbool.h>

#include "planner.h"

enum { WORLD_NODE_COUNT_MAX = 32, WORLD_TEXT_BYTES_MAX = 256 };

struct planner_world {
    uint64_t random; /* state of the generator */
    uint16_t owners[CLUSTER_SLOT_COUNT];
    uint64_t bytes[CLUSTER_SLOT_COUNT];
    struct planner_node nodes[WORLD_NODE_COUNT_MAX];
    struct planner_cluster cluster;
    struct planner_limits limits;
    enum planner_measure measure;
    double load_sum;
    double weight_sum;
};

/* A generator whose results depend on `seed` alone. */
uint64_t world_random(struct planner_world *world, uint64_t below);

/* The cluster and goal number `seed`. */
void world_make(struct planner_world *world, uint64_t seed);

/* Compute the sums again, after a change of the world. */
void world_add_up(struct planner_world *world);

/* What of the goal and of the limits `result` misses, into `text`; true: nothing. */
bool world_judge(const struct planner_world *world, const struct planner_result *result,
                 char text[WORLD_TEXT_BYTES_MAX]);

/* Is it certain that no plan exists for lack of disk? By slots of different sizes this is not easy
 * to know: `world_is_even` returns when it is. */
bool world_is_even(const struct planner_world *world);
bool world_lacks_disk(const struct planner_world *world);

/* Loads that a node may have at the end, as the judge computes them. */
struct world_bounds {
    double low;
    double high;
};
uint64_t world_load(const struct planner_world *world, size_t slot);
struct world_bounds world_bounds_of(const struct planner_world *world, size_t node);

#endif
