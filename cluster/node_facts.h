/* SPDX-License-Identifier: Apache-2.0 */
/* node_facts.h — what one node has answered about itself. */
#ifndef HAUL_CLUSTER_NODE_FACTS_H
#define HAUL_CLUSTER_NODE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "topology.h"

#define NODE_FACTS_UNKNOWN UINT64_MAX

enum { NODE_FACTS_VALUE_BYTES_MAX = 128, NODE_FACTS_COUNT_MAX = TOPOLOGY_NODE_COUNT_MAX };

/* A job in the words of CLUSTER INFO. */
struct node_job {
    char slots[NODE_FACTS_VALUE_BYTES_MAX]; /* "": none since the start of the node */
    char state[NODE_FACTS_VALUE_BYTES_MAX]; /* start, success, fail */
};

struct node_facts {
    char name[TOPOLOGY_NAME_BYTES_MAX]; /* "host:port", where it was asked */
    char host[TOPOLOGY_HOST_BYTES_MAX];
    uint16_t port;
    struct haul_error error;   /* why it has not answered; status OK: it has */
    char process[256];         /* number, port and file: the same for two names of one process */
    int64_t version;           /* of its topology; -1: it has none */
    struct topology *topology; /* NULL: it has none */
    bool is_replica;
    bool link_is_up; /* of a replica: to its master */
    struct node_job migrating;
    struct node_job importing;
    bool has_haul; /* the patch: the fields below are there */
    bool uses_haul;
    bool is_unconfirmed;
    char in_doubt[NODE_FACTS_VALUE_BYTES_MAX];
    char queued[NODE_FACTS_VALUE_BYTES_MAX];
    char kept[NODE_FACTS_VALUE_BYTES_MAX];
    bool replicates_by_tls;
    bool forgets_topology;                    /* persist-cluster-nodes-enabled no */
    char release[NODE_FACTS_VALUE_BYTES_MAX]; /* git revision of Kvrocks */
    uint64_t log_ttl_s;                       /* NODE_FACTS_UNKNOWN, as all numbers */
    uint64_t log_size_mb;
    uint64_t disk_bytes;
    uint64_t disk_used_bytes;
    uint64_t database_bytes;
    uint64_t *slot_bytes; /* CLUSTER_SLOT_COUNT, of the slots that it owns; NULL: it cannot tell */
};

/* Bytes that are free on the disk of the database, or NODE_FACTS_UNKNOWN. */
uint64_t node_facts_free_bytes(const struct node_facts *facts);

struct node_facts_list {
    struct node_facts *nodes;
    size_t count;
};

/* The node that answered as this one of the topology; NULL: it has not. */
const struct node_facts *node_facts_find(const struct node_facts_list *list, const char *id);

void node_facts_list_fini(struct node_facts_list *list);

#endif
