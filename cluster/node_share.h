/* SPDX-License-Identifier: Apache-2.0 */
/* node_share.h — how much each node shall have, so that as little as possible moves. */
#ifndef HAUL_CLUSTER_NODE_SHARE_H
#define HAUL_CLUSTER_NODE_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

/* A load is a number of slots or of bytes. low <= wanted <= high. */
struct node_share {
    uint64_t low; /* the goal is reached between `low` and `high` */
    uint64_t high;
    uint64_t wanted; /* what the planner aims at */
};

/* The shares of `count` nodes that have `loads` now and shall have parts of their sum in proportion
 * to `weights`, give or take `tolerance_permille` of each part; a weight of 0 wants nothing. The
 * `wanted` loads have the sum of `loads`, and need the least that can move. `loads_max` (NULL: no
 * limits) is what each node can hold at most.
 * Errors: INVALID (all weights are 0, or the sum exceeds 2^54), NO_SPACE (the index of a node that
 * cannot hold its part in `*full_node`). */
enum haul_status node_share_compute(const uint64_t *loads, const uint64_t *loads_max,
                                    const uint32_t *weights, size_t count,
                                    uint32_t tolerance_permille, struct node_share *shares,
                                    size_t *full_node) HAUL_MUST_CHECK;

#endif
