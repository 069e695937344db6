/* SPDX-License-Identifier: Apache-2.0 */
/* wave.h — groups moves into waves, in which no node has more jobs than it can take. */
#ifndef HAUL_CLUSTER_WAVE_H
#define HAUL_CLUSTER_WAVE_H

#include "planner.h"

/* Set `wave` of every move, and sort them by wave, the largest first. No node may both give and
 * take. The waves are as few as can be: the most jobs that one node has, divided by what it takes
 * at once, or all moves divided by `parallel_max`.
 * Errors: NO_MEMORY. */
enum haul_status wave_assign(struct planner_move *moves, size_t move_count,
                             const struct planner_node *nodes, size_t node_count,
                             uint32_t parallel_max, uint32_t *wave_count) HAUL_MUST_CHECK;

#endif
