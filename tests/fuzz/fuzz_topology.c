/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_topology.c — an answer to CLUSTER NODES. An accepted one names an owner that is a master for
 * each slot, or none, and can be compared, copied and sent on. */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "fuzz_target.h"
#include "topology.h"
#include "topology_change.h"

static void check_nodes(const struct topology *topology)
{
    uint32_t counts[TOPOLOGY_NODE_COUNT_MAX] = {0};
    haul_assert(topology->node_count >= 1 && topology->node_count <= TOPOLOGY_NODE_COUNT_MAX);
    haul_assert(topology->self <= topology->node_count && topology->version >= 0);
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
        uint16_t owner = topology->owners[slot];
        if (owner != TOPOLOGY_NO_OWNER) {
            haul_assert(owner < topology->node_count && topology->nodes[owner].is_master);
            counts[owner]++;
        }
    }
    for (size_t i = 0; i < topology->node_count; i++) {
        const struct topology_node *node = &topology->nodes[i];
        char name[TOPOLOGY_NAME_BYTES_MAX];
        topology_node_name(node, name);
        haul_assert(strlen(node->id) <= TOPOLOGY_ID_BYTES && node->port > 0 && name[0] != '\0');
        haul_assert(node->slot_count == counts[i] && topology_find(topology, name) != NULL);
        haul_assert(!node->is_master || node->master[0] == '\0');
    }
    haul_assert(!topology->migrating.runs ||
                topology->migrating.slots.first <= topology->migrating.slots.last);
}

static void change(const struct topology *topology)
{
    struct slot_range all = {0, CLUSTER_SLOT_COUNT - 1};
    struct topology *copy = topology_copy(topology);
    haul_assert(copy != NULL);
    haul_assert(topology_next_difference(topology, copy, 0) == CLUSTER_SLOT_COUNT);
    topology_give(copy, all, topology->nodes[0].id);
    haul_assert(strcmp(topology_owner_of(copy, all), topology->nodes[0].id) == 0);
    char *text = topology_setnodes_text(copy);
    haul_assert(text != NULL && strstr(text, " 0-16383") != NULL);
    free(text);
    topology_destroy(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topology *topology = NULL;
    struct haul_error error = {.status = HAUL_OK};
    struct slot_range range;
    int64_t version = 0;
    const char *text = (const char *)data;
    enum haul_status status = topology_parse(text, size, &topology, &error);
    if (status == HAUL_OK) {
        check_nodes(topology);
        change(topology);
        topology_destroy(topology);
    } else {
        haul_assert((status == HAUL_PROTOCOL || status == HAUL_LIMIT) && error.text[0] != '\0');
    }
    haul_assert(topology_parse_version(text, size, &version, &error) != HAUL_OK || version >= -1);
    haul_assert(!slot_range_parse(text, size, &range) || range.first <= range.last);
    return 0;
}
