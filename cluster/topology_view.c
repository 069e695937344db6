/* SPDX-License-Identifier: Apache-2.0 */
/* topology_view.c — judges every view by the newest one, so that a node that has missed a version
 * is named, and not the others. */
#include "topology_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char remedy_publish[] =
    "send the newest topology to the nodes that lack it (kvrocks-controller does, or CLUSTERX "
    "SETNODES)";

static const struct topology_view *newest_view(const struct topology_view *views, size_t count)
{
    const struct topology_view *newest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (newest == NULL || views[i].topology->version > newest->topology->version) {
            newest = &views[i];
        }
    }
    return newest;
}

const struct topology *topology_view_newest(const struct topology_view *views, size_t count)
{
    const struct topology_view *newest = newest_view(views, count);
    return newest == NULL ? NULL : newest->topology;
}

/* The id of a slot's owner; "": none. Indices mean nothing in another view. */
static const char *owner_id(const struct topology *topology, size_t slot)
{
    uint16_t owner = topology->owners[slot];
    return owner == TOPOLOGY_NO_OWNER ? "" : topology->nodes[owner].id;
}

/* --- one view --------------------------------------------------------------------------------- */

static void check_owned(const struct topology *topology, struct finding_list *findings)
{
    size_t missing = 0;
    struct slot_range first = {0, 0};
    char range[TOPOLOGY_RANGE_BYTES_MAX];
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
        if (topology->owners[slot] == TOPOLOGY_NO_OWNER) {
            first = missing == 0 ? topology_run(topology->owners, (uint16_t)slot) : first;
            missing++;
        }
    }
    if (missing > 0) {
        slot_range_format(first, range);
        finding_add(findings, FINDING_BLOCKS, "", "assign them to a node (CLUSTERX SETNODES)",
                    "%zu slot%s without an owner, the first: %s", missing, missing == 1 ? "" : "s",
                    range);
    }
}

static void check_masters(const struct topology *topology, struct finding_list *findings)
{
    for (size_t i = 0; i < topology->node_count; i++) {
        const struct topology_node *node = &topology->nodes[i];
        const struct topology_node *master =
            node->is_master ? NULL : topology_find(topology, node->master);
        char name[TOPOLOGY_NAME_BYTES_MAX];
        topology_node_name(node, name);
        if (!node->is_master && (master == NULL || !master->is_master)) {
            finding_add(findings, FINDING_BLOCKS, name,
                        "correct its line in the topology (CLUSTERX SETNODES)",
                        "replica of %s, which is not a master of the topology", node->master);
        }
    }
}

/* Commands to one of them would reach the other. */
static void check_addresses(const struct topology *topology, struct finding_list *findings)
{
    for (size_t i = 0; i < topology->node_count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct topology_node *a = &topology->nodes[j];
            const struct topology_node *b = &topology->nodes[i];
            char name[TOPOLOGY_NAME_BYTES_MAX];
            if (a->port == b->port && strcmp(a->host, b->host) == 0) {
                topology_node_name(b, name);
                finding_add(findings, FINDING_BLOCKS, name,
                            "correct one of them in the topology (CLUSTERX SETNODES)",
                            "is the address of two nodes, %s and %s", a->id, b->id);
            }
        }
    }
}

static void check_self(const struct topology_view *view, struct finding_list *findings)
{
    if (view->topology->self == view->topology->node_count) {
        finding_add(findings, FINDING_BLOCKS, view->name,
                    "set its id (CLUSTERX SETNODEID) and send the topology again",
                    "is not in the topology that it has");
        return;
    }
    const struct topology_node *named = topology_find(view->topology, view->name);
    const struct topology_node *self = &view->topology->nodes[view->topology->self];
    if (named != NULL && named != self) {
        finding_add(findings, FINDING_BLOCKS, view->name,
                    "correct the addresses in the topology (CLUSTERX SETNODES)",
                    "is node %s, and its address in the topology that of node %s", self->id,
                    named->id);
    }
}

/* Two nodes with one id would both take the same slots. */
static void check_ids(const struct topology_view *views, size_t count,
                      struct finding_list *findings)
{
    for (size_t i = 0; i < count; i++) {
        const struct topology *own = views[i].topology;
        for (size_t j = 0; j < i && own->self < own->node_count; j++) {
            const struct topology *other = views[j].topology;
            if (other->self < other->node_count &&
                strcmp(own->nodes[own->self].id, other->nodes[other->self].id) == 0) {
                finding_add(findings, FINDING_BLOCKS, views[i].name,
                            "give one of them an id of its own (CLUSTERX SETNODEID)",
                            "has the id of %s", views[j].name);
            }
        }
    }
}

/* --- two views -------------------------------------------------------------------------------- */

static void compare_owners(const struct topology_view *view, const struct topology_view *newest,
                           struct finding_list *findings)
{
    size_t different = 0;
    size_t first = 0;
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
        if (strcmp(owner_id(view->topology, slot), owner_id(newest->topology, slot)) != 0) {
            first = different++ == 0 ? slot : first;
        }
    }
    if (different > 0) {
        finding_add(findings, FINDING_BLOCKS, view->name, remedy_publish,
                    "disagrees with %s on the owner of %zu slot%s, the first is %zu", newest->name,
                    different, different == 1 ? "" : "s", first);
    }
}

static bool is_same_node(const struct topology_node *a, const struct topology_node *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->is_master == b->is_master &&
           strcmp(a->master, b->master) == 0;
}

static void compare_nodes(const struct topology_view *view, const struct topology_view *newest,
                          struct finding_list *findings)
{
    const struct topology *known = view->topology;
    const struct topology *wanted = newest->topology;
    for (size_t i = 0; i < wanted->node_count; i++) {
        const struct topology_node *node = topology_find(known, wanted->nodes[i].id);
        if (node == NULL) {
            finding_add(findings, FINDING_BLOCKS, view->name, remedy_publish,
                        "does not know node %s", wanted->nodes[i].id);
        } else if (!is_same_node(node, &wanted->nodes[i])) {
            finding_add(findings, FINDING_BLOCKS, view->name, remedy_publish,
                        "has another address or role for node %s than %s", node->id, newest->name);
        }
    }
    for (size_t i = 0; i < known->node_count; i++) {
        if (topology_find(wanted, known->nodes[i].id) == NULL) {
            finding_add(findings, FINDING_BLOCKS, view->name, remedy_publish,
                        "knows node %s, which %s does not know", known->nodes[i].id, newest->name);
        }
    }
}

static void compare_versions(const struct topology_view *view, const struct topology_view *newest,
                             struct finding_list *findings)
{
    if (view->topology->version != newest->topology->version) {
        finding_add(findings, FINDING_BLOCKS, view->name, remedy_publish,
                    "has version %" PRId64 " of the topology, %s has %" PRId64,
                    view->topology->version, newest->name, newest->topology->version);
    }
}

void topology_view_compare(const struct topology_view *views, size_t count,
                           struct finding_list *findings)
{
    const struct topology_view *newest = newest_view(views, count);
    if (newest == NULL) {
        return;
    }
    check_owned(newest->topology, findings);
    check_masters(newest->topology, findings);
    check_addresses(newest->topology, findings);
    check_ids(views, count, findings);
    for (size_t i = 0; i < count; i++) {
        check_self(&views[i], findings);
        if (&views[i] != newest) {
            compare_versions(&views[i], newest, findings);
            compare_nodes(&views[i], newest, findings);
            compare_owners(&views[i], newest, findings);
        }
    }
}
