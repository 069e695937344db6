/* SPDX-License-Identifier: Apache-2.0 */
/* matching.h — who gives which slots to whom, so that every node comes to its share. */
#ifndef HAUL_CLUSTER_MATCHING_H
#define HAUL_CLUSTER_MATCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node_share.h"
#include "planner.h"
#include "run_list.h"

/* A node while moves are chosen. */
struct matching_node {
    struct node_share share;
    uint64_t load;
    uint64_t aim;             /* its share, corrected by what others have missed of theirs */
    uint64_t piece_bytes_max; /* of a move to it */
    bool is_giver; /* never takes, as a receiver never gives, also when a slot too much went */
    bool is_drained;
    bool is_closed;  /* takes nothing */
    bool is_settled; /* what it lacks, or has too much, is less than half of a slot */
};

struct matching {
    struct run_list *runs;
    const uint16_t *origins; /* the owner of each slot before */
    struct matching_node *nodes;
    size_t node_count;
    uint32_t move_slots_max; /* 0: no limit */
    uint64_t slot_load_max;  /* of all slots */
};

/* Give slots to new owners in `runs`: the largest giver with the largest receiver, unless one of
 * them finds its exact counterpart. Drained nodes end without slots. A giver takes no slots, a
 * receiver gives none that it had before. */
void matching_run(struct matching *matching);

#endif
