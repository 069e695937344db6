/* SPDX-License-Identifier: Apache-2.0 */
/* planner.h — the moves of hash slots that bring a cluster to a goal: the fewest that move the
 * least. Pure functions; `haul cluster plan` gives them what the nodes have answered. */
#ifndef HAUL_CLUSTER_PLANNER_H
#define HAUL_CLUSTER_PLANNER_H

#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "topology.h"

#define PLANNER_FREE_UNKNOWN UINT64_MAX

enum {
    PLANNER_JOBS_MAX = 16,
    PLANNER_TOLERANCE_PERMILLE_MAX = 500,
    /* A receiver needs this many times the bytes of the moves that run on it, besides those that
     * arrive: RocksDB compacts what was ingested later (server_patch/README.md, "What it
     * costs"). */
    PLANNER_INGEST_FACTOR = 2,
};

/* A master. */
struct planner_node {
    uint32_t weight;     /* its part, in proportion to the others'; 0: it gives everything away */
    uint32_t jobs_max;   /* moves at once, 1 to PLANNER_JOBS_MAX; Kvrocks takes 1 */
    uint64_t free_bytes; /* disk that moves may fill, or PLANNER_FREE_UNKNOWN */
};

enum planner_measure {
    PLANNER_SLOTS,
    PLANNER_BYTES,
};

struct planner_cluster {
    const uint16_t *owners; /* of each slot: an index of `nodes` */
    const uint64_t *bytes;  /* of each slot */
    size_t slot_count;      /* 1 to CLUSTER_SLOT_COUNT */
    const struct planner_node *nodes;
    size_t node_count; /* 1 to TOPOLOGY_NODE_COUNT_MAX */
};

struct planner_limits {
    uint32_t tolerance_permille; /* of each node's part; a goal within it needs no move */
    uint32_t move_slots_max;     /* 0: no limit */
    uint32_t parallel_max;       /* moves of a wave; 0: no limit */
};

/* One CLUSTERX MIGRATE. */
struct planner_move {
    struct slot_range slots;
    uint16_t from;
    uint16_t to;
    uint32_t wave; /* from 0; the moves of a wave may run at once */
    uint64_t bytes;
};

/* What the moves do to a node. */
struct planner_effect {
    uint32_t slots_before;
    uint32_t slots_after;
    uint64_t bytes_before;
    uint64_t bytes_after;
    uint64_t extra_bytes_peak; /* disk that it needs besides, at most, while the moves run */
};

struct planner_result {
    struct planner_move *moves; /* by wave, the largest of a wave first */
    size_t move_count;
    uint32_t wave_count;
    uint64_t bytes; /* of all moves */
    struct planner_effect *effects;
    size_t node_count;
};

/* Balance by slots or by bytes. By slots, without a tolerance, every node gets its exact part,
 * rounded up or down. By bytes a part is missed by less than the largest slot.
 * Ownership: `*result` is the caller's (planner_result_destroy).
 * Errors: INVALID (a limit or a weight is out of range), NO_SPACE (a node has not the disk, with
 * its index in `*full_node`; may be NULL), NO_MEMORY. */
enum haul_status planner_balance(const struct planner_cluster *cluster,
                                 enum planner_measure measure, const struct planner_limits *limits,
                                 struct planner_result **result, size_t *full_node,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* Move exactly these ranges, which must be owned by `from`. Errors: as above; INVALID (`from` does
 * not own a range, or ranges overlap). */
enum haul_status planner_move_ranges(const struct planner_cluster *cluster, uint16_t from,
                                     uint16_t to, const struct slot_range *ranges,
                                     size_t range_count, const struct planner_limits *limits,
                                     struct planner_result **result, size_t *full_node,
                                     struct haul_error *error) HAUL_MUST_CHECK;

void planner_result_destroy(struct planner_result *result);

#endif
