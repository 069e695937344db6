/* SPDX-License-Identifier: Apache-2.0 */
/* topology.h — the nodes of a Kvrocks cluster and the owner of each hash slot, as one node
 * answers CLUSTER NODES. */
#ifndef HAUL_CLUSTER_TOPOLOGY_H
#define HAUL_CLUSTER_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

enum {
    CLUSTER_SLOT_COUNT = 16384,
    TOPOLOGY_NODE_COUNT_MAX = 1024,
    TOPOLOGY_ID_BYTES = 40,         /* hexadecimal in practice; Kvrocks requires the length only */
    TOPOLOGY_HOST_BYTES_MAX = 256,  /* a DNS name of 253, and the terminating zero */
    TOPOLOGY_NAME_BYTES_MAX = 272,  /* "host:port" */
    TOPOLOGY_RANGE_BYTES_MAX = 16,  /* "0-16383" */
    TOPOLOGY_NO_OWNER = UINT16_MAX, /* in `owners` */
};

/* Slots `first` to `last`, both included. */
struct slot_range {
    uint16_t first;
    uint16_t last;
};

/* A job that the answering node reports of itself. */
struct topology_job {
    bool runs;
    struct slot_range slots;
    char peer[TOPOLOGY_ID_BYTES + 1];
};

struct topology_node {
    char id[TOPOLOGY_ID_BYTES + 1];
    char host[TOPOLOGY_HOST_BYTES_MAX];
    uint16_t port;
    bool is_master;
    char master[TOPOLOGY_ID_BYTES + 1]; /* of a replica; "" for a master */
    uint32_t slot_count;
};

struct topology {
    int64_t version; /* Kvrocks repeats it in each line */
    struct topology_node *nodes;
    size_t node_count;
    size_t self; /* the node that answered; `node_count`: it is in no line */
    struct topology_job migrating;
    struct topology_job importing;
    uint16_t owners[CLUSTER_SLOT_COUNT]; /* indices of `nodes`, or TOPOLOGY_NO_OWNER */
};

/* Parse the answer to CLUSTER NODES, `size` bytes of text.
 * Ownership: `*topology` is the caller's (topology_destroy).
 * Errors: PROTOCOL (not such an answer; a slot has two owners, or an owner that is no master),
 * LIMIT (more than TOPOLOGY_NODE_COUNT_MAX nodes), NO_MEMORY. */
enum haul_status topology_parse(const char *text, size_t size, struct topology **topology,
                                struct haul_error *error) HAUL_MUST_CHECK;
void topology_destroy(struct topology *topology);

/* Parse the answer to CLUSTERX VERSION; -1: the node knows no topology. Errors: PROTOCOL. */
enum haul_status topology_parse_version(const char *text, size_t size, int64_t *version,
                                        struct haul_error *error) HAUL_MUST_CHECK;

/* Parse "A-B" or "A", of `size` bytes. False: anything else. */
bool slot_range_parse(const char *text, size_t size, struct slot_range *range);
void slot_range_format(struct slot_range range, char text[TOPOLOGY_RANGE_BYTES_MAX]);

/* The node with this id, or with this "host:port"; NULL: none. */
const struct topology_node *topology_find(const struct topology *topology, const char *name);

/* The range of equal owners that begins at `first`. */
struct slot_range topology_run(const uint16_t *owners, uint16_t first);

/* "host:port", or "[host]:port" for IPv6. */
void topology_node_name(const struct topology_node *node, char name[TOPOLOGY_NAME_BYTES_MAX]);

#endif
