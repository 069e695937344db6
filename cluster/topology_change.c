/* SPDX-License-Identifier: Apache-2.0 */
/* topology_change.c — nodes are told apart by their ids: each node lists them in an order of its
 * own. */
#include "topology_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- comparing -------------------------------------------------------------------------------- */

static const struct topology_node *find_id(const struct topology *topology, const char *id)
{
    for (size_t i = 0; i < topology->node_count; i++) {
        if (strcmp(topology->nodes[i].id, id) == 0) {
            return &topology->nodes[i];
        }
    }
    return NULL;
}

bool topology_same_nodes(const struct topology *a, const struct topology *b)
{
    for (size_t i = 0; i < a->node_count; i++) {
        const struct topology_node *node = &a->nodes[i];
        const struct topology_node *other = find_id(b, node->id);
        if (other == NULL || node->is_master != other->is_master || node->port != other->port ||
            strcmp(node->master, other->master) != 0 || strcmp(node->host, other->host) != 0) {
            return false;
        }
    }
    return a->node_count == b->node_count;
}

/* "" stands for no owner. */
static const char *owner_at(const struct topology *topology, uint32_t slot)
{
    uint16_t owner = topology->owners[slot];
    return owner == TOPOLOGY_NO_OWNER ? "" : topology->nodes[owner].id;
}

uint32_t topology_next_difference(const struct topology *a, const struct topology *b,
                                  uint32_t first)
{
    /* Runs with one owner in each are compared once. */
    uint32_t slot = first;
    while (slot < CLUSTER_SLOT_COUNT && strcmp(owner_at(a, slot), owner_at(b, slot)) == 0) {
        uint32_t end = topology_run(a->owners, (uint16_t)slot).last;
        uint32_t other = topology_run(b->owners, (uint16_t)slot).last;
        slot = (end < other ? end : other) + 1;
    }
    return slot;
}

const char *topology_owner_of(const struct topology *topology, struct slot_range slots)
{
    bool one = topology_run(topology->owners, slots.first).last >= slots.last;
    return one && topology->owners[slots.first] != TOPOLOGY_NO_OWNER
               ? owner_at(topology, slots.first)
               : NULL;
}

/* --- changing --------------------------------------------------------------------------------- */

struct topology *topology_copy(const struct topology *topology)
{
    struct topology *copy = malloc(sizeof(*copy));
    struct topology_node *nodes = calloc(topology->node_count, sizeof(*nodes));
    if (copy == NULL || nodes == NULL) {
        free(copy);
        free(nodes);
        return NULL;
    }
    memcpy(nodes, topology->nodes, topology->node_count * sizeof(*nodes));
    *copy = *topology;
    copy->nodes = nodes;
    return copy;
}

void topology_give(struct topology *topology, struct slot_range slots, const char *id)
{
    const struct topology_node *node = find_id(topology, id);
    for (uint32_t slot = slots.first; slot <= slots.last; slot++) {
        if (topology->owners[slot] != TOPOLOGY_NO_OWNER) {
            topology->nodes[topology->owners[slot]].slot_count--;
        }
        topology->owners[slot] = (uint16_t)(node - topology->nodes);
        topology->nodes[node - topology->nodes].slot_count++;
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_slots(FILE *file, const struct topology *topology, size_t node)
{
    for (uint32_t slot = 0; slot < CLUSTER_SLOT_COUNT;) {
        struct slot_range run = topology_run(topology->owners, (uint16_t)slot);
        if (topology->owners[slot] == node) {
            char range[TOPOLOGY_RANGE_BYTES_MAX];
            slot_range_format(run, range);
            (void)fprintf(file, " %s", range);
        }
        slot = (uint32_t)run.last + 1;
    }
}

char *topology_setnodes_text(const struct topology *topology)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < topology->node_count; i++) {
        const struct topology_node *node = &topology->nodes[i];
        (void)fprintf(file, "%s%s %s %u %s %s", i == 0 ? "" : "\n", node->id, node->host,
                      node->port, node->is_master ? "master" : "slave",
                      node->is_master ? "-" : node->master);
        write_slots(file, topology, i);
    }
    if (fclose(file) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
