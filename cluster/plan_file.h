/* SPDX-License-Identifier: Apache-2.0 */
/* plan_file.h — the file between `haul cluster plan` and `haul cluster run`: JSON that people can
 * read, with a checksum, so that nobody runs what a hand or a disk has changed. */
#ifndef HAUL_CLUSTER_PLAN_FILE_H
#define HAUL_CLUSTER_PLAN_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "planner.h"
#include "topology.h"

enum { PLAN_FILE_VERSION = 1, PLAN_FILE_BYTES_MAX = 16 << 20 };

/* A master, and what the moves do to it. */
struct plan_node {
    char id[TOPOLOGY_ID_BYTES + 1];
    char host[TOPOLOGY_HOST_BYTES_MAX];
    uint16_t port;
    struct planner_effect effect;
};

struct cluster_plan {
    int64_t topology_version; /* the plan is for this one; later versions may be from its moves */
    enum planner_measure measure;
    struct plan_node *nodes; /* moves name them by index */
    size_t node_count;
    struct planner_move *moves; /* by wave */
    size_t move_count;
    uint32_t wave_count;
    uint64_t bytes; /* of all moves, as estimated */
};

/* Write a new file, durably: it is complete or absent. Errors: EXISTS (the name is taken: an
 * earlier plan may be running), NO_SPACE, NOT_FOUND (no such directory), NO_MEMORY, INVALID (the
 * path is too long), IO. */
enum haul_status plan_file_write(const char *path, const struct cluster_plan *plan,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* Read a file completely, and check it. Ownership: `*plan` is the caller's (plan_file_destroy).
 * Errors: NOT_FOUND, VERSION (of a later release), CORRUPT (no plan file, or a changed one),
 * LIMIT (more than PLAN_FILE_BYTES_MAX), NO_MEMORY, IO. */
enum haul_status plan_file_read(const char *path, struct cluster_plan **plan,
                                struct haul_error *error) HAUL_MUST_CHECK;
void plan_file_destroy(struct cluster_plan *plan);

#endif
