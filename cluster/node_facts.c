/* SPDX-License-Identifier: Apache-2.0 */
/* node_facts.c — looks facts up. */
#include "node_facts.h"

#include <stdlib.h>
#include <string.h>

uint64_t node_facts_free_bytes(const struct node_facts *facts)
{
    if (facts->disk_bytes == NODE_FACTS_UNKNOWN || facts->disk_used_bytes == NODE_FACTS_UNKNOWN ||
        facts->disk_used_bytes > facts->disk_bytes) {
        return NODE_FACTS_UNKNOWN;
    }
    return facts->disk_bytes - facts->disk_used_bytes;
}

const struct node_facts *node_facts_find(const struct node_facts_list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct topology *topology = list->nodes[i].topology;
        if (topology != NULL && topology->self < topology->node_count &&
            strcmp(topology->nodes[topology->self].id, id) == 0) {
            return &list->nodes[i];
        }
    }
    return NULL;
}

void node_facts_list_fini(struct node_facts_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        topology_destroy(list->nodes[i].topology);
        free(list->nodes[i].slot_bytes);
    }
    free(list->nodes);
    *list = (struct node_facts_list){NULL, 0};
}
