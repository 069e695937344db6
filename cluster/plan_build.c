/* SPDX-License-Identifier: Apache-2.0 */
/* plan_build.c — the planner knows indices of masters only; names, replicas and facts stay here. */
#include "plan_build.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_check.h"

enum { WEIGHT_MAX = 1000000 };

struct builder {
    const struct node_facts_list *list;
    const struct plan_goal *goal;
    const struct topology *topology;
    struct haul_error *error;
    uint16_t *masters;          /* index in the topology of each master */
    uint16_t *index_of;         /* and the reverse */
    struct planner_node *nodes; /* of the masters */
    size_t node_count;
    uint16_t owners[CLUSTER_SLOT_COUNT];
    uint64_t bytes[CLUSTER_SLOT_COUNT];
    struct slot_range ranges[CLUSTER_SLOT_COUNT];
    size_t range_count;
};

static enum haul_status invalid(struct builder *builder, const char *what, const char *name)
{
    haul_error_set(builder->error, HAUL_INVALID, NULL, 0, "%s: '%s'", what, name);
    haul_error_hint(builder->error,
                    "nodes are named HOST:PORT or by their id, as in CLUSTER NODES");
    return HAUL_INVALID;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static enum haul_status find_master(struct builder *builder, const char *name, uint16_t *index)
{
    const struct topology_node *node = topology_find(builder->topology, name);
    if (node == NULL) {
        return invalid(builder, "no such node in the topology", name);
    }
    if (!node->is_master) {
        return invalid(builder, "a replica has no slots of its own", name);
    }
    *index = builder->index_of[node - builder->topology->nodes];
    return HAUL_OK;
}

static void add_master(struct builder *builder, size_t at, const struct node_facts *facts)
{
    const struct topology_node *node = &builder->topology->nodes[at];
    builder->index_of[at] = (uint16_t)builder->node_count;
    builder->masters[builder->node_count] = (uint16_t)at;
    builder->nodes[builder->node_count++] = (struct planner_node){
        .weight = node->slot_count > 0,
        .jobs_max = 1,
        .free_bytes = facts == NULL ? PLANNER_FREE_UNKNOWN : node_facts_free_bytes(facts),
    };
}

/* What a node cannot tell of a slot is an equal part of its database. */
static uint64_t slot_bytes(const struct node_facts *facts, const struct topology_node *node,
                           size_t slot)
{
    if (facts != NULL && facts->slot_bytes != NULL) {
        return facts->slot_bytes[slot];
    }
    bool known = facts != NULL && facts->database_bytes != NODE_FACTS_UNKNOWN;
    return known ? facts->database_bytes / node->slot_count : 0;
}

static enum haul_status read_topology(struct builder *builder)
{
    const struct topology *topology = builder->topology;
    const struct node_facts **facts = calloc(topology->node_count, sizeof(*facts));
    if (facts == NULL) {
        return HAUL_NO_MEMORY;
    }
    for (size_t i = 0; i < topology->node_count; i++) {
        facts[i] = node_facts_find(builder->list, topology->nodes[i].id);
        if (topology->nodes[i].is_master) {
            add_master(builder, i, facts[i]);
        }
    }
    enum haul_status status = HAUL_OK;
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT && status == HAUL_OK; slot++) {
        uint16_t owner = topology->owners[slot];
        if (owner == TOPOLOGY_NO_OWNER) {
            status = haul_error_set(builder->error, HAUL_INVALID, NULL, 0, "slot %zu has no owner",
                                    slot);
        } else {
            builder->owners[slot] = builder->index_of[owner];
            builder->bytes[slot] = slot_bytes(facts[owner], &topology->nodes[owner], slot);
        }
    }
    free(facts);
    return status;
}

/* --- goals ------------------------------------------------------------------------------------ */

/* "NODE=W"; the name may have colons, and the weight follows the last '='. */
static enum haul_status take_weight(struct builder *builder, const char *text)
{
    char name[TOPOLOGY_NAME_BYTES_MAX];
    const char *equals = strrchr(text, '=');
    uint16_t index = 0;
    char *end = NULL;
    if (equals == NULL || (size_t)(equals - text) >= sizeof(name) || equals[1] < '0' ||
        equals[1] > '9') {
        return invalid(builder, "a weight is NODE=NUMBER", text);
    }
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    unsigned long weight = strtoul(equals + 1, &end, 10);
    if (*end != '\0' || weight > WEIGHT_MAX) {
        return invalid(builder, "a weight is a number from 0 to 1000000", text);
    }
    enum haul_status status = find_master(builder, name, &index);
    if (status == HAUL_OK) {
        builder->nodes[index].weight = (uint32_t)weight;
    }
    return status;
}

static enum haul_status set_weights(struct builder *builder, const struct name_span *span,
                                    uint32_t weight)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < span->count && status == HAUL_OK; i++) {
        uint16_t index = 0;
        status = find_master(builder, span->names[i], &index);
        if (status == HAUL_OK) {
            builder->nodes[index].weight = weight;
        }
    }
    return status;
}

static enum haul_status read_weights(struct builder *builder)
{
    const struct plan_goal *goal = builder->goal;
    enum haul_status status = set_weights(builder, &goal->added, 1);
    for (size_t i = 0; i < goal->weights.count && status == HAUL_OK; i++) {
        status = take_weight(builder, goal->weights.names[i]);
    }
    return status == HAUL_OK ? set_weights(builder, &goal->drained, 0) : status;
}

static enum haul_status read_ranges(struct builder *builder)
{
    const char *rest = builder->goal->slots;
    for (;;) {
        size_t size = strcspn(rest, ",");
        struct slot_range *range = &builder->ranges[builder->range_count];
        if (builder->range_count == CLUSTER_SLOT_COUNT || !slot_range_parse(rest, size, range)) {
            return invalid(builder, "slots are ranges such as 0-99,200", builder->goal->slots);
        }
        builder->range_count++;
        if (rest[size] == '\0') {
            return HAUL_OK;
        }
        rest += size + 1;
    }
}

/* Does the weight "NODE=W" name this node? */
static bool is_weight_of(const char *weight, const struct topology *topology,
                         const struct topology_node *node)
{
    char name[TOPOLOGY_NAME_BYTES_MAX];
    const char *equals = strrchr(weight, '=');
    size_t size = equals == NULL ? 0 : (size_t)(equals - weight);
    if (size == 0 || size >= sizeof(name)) {
        return false;
    }
    memcpy(name, weight, size);
    name[size] = '\0';
    return topology_find(topology, name) == node;
}

static unsigned count_named(const struct name_span *span, const struct topology *topology,
                            const struct topology_node *node)
{
    unsigned count = 0;
    for (size_t i = 0; i < span->count; i++) {
        count += topology_find(topology, span->names[i]) == node;
    }
    return count;
}

/* A node has one wish. */
static enum haul_status check_wishes(const struct builder *builder)
{
    const struct plan_goal *goal = builder->goal;
    for (size_t i = 0; i < builder->topology->node_count; i++) {
        const struct topology_node *node = &builder->topology->nodes[i];
        unsigned wishes = count_named(&goal->added, builder->topology, node) +
                          count_named(&goal->drained, builder->topology, node);
        for (size_t k = 0; k < goal->weights.count; k++) {
            wishes += is_weight_of(goal->weights.names[k], builder->topology, node);
        }
        if (wishes > 1) {
            char name[TOPOLOGY_NAME_BYTES_MAX];
            topology_node_name(node, name);
            return haul_error_set(builder->error, HAUL_INVALID, NULL, 0,
                                  "more than one of --weight, --add and --drain for %s", name);
        }
    }
    return HAUL_OK;
}

static enum haul_status check_goal(const struct plan_goal *goal, struct haul_error *error)
{
    bool ranges = goal->from != NULL || goal->to != NULL || goal->slots != NULL;
    bool all = goal->from != NULL && goal->to != NULL && goal->slots != NULL;
    bool balance = goal->weights.count + goal->added.count + goal->drained.count > 0;
    if (ranges && (!all || balance)) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "--from, --to and --slots belong together, and exclude --weight, "
                              "--add and --drain");
    }
    return HAUL_OK;
}

/* --- the plan --------------------------------------------------------------------------------- */

static void name_full_node(const struct builder *builder, size_t index)
{
    char name[TOPOLOGY_NAME_BYTES_MAX];
    topology_node_name(&builder->topology->nodes[builder->masters[index]], name);
    haul_error_set(builder->error, HAUL_NO_SPACE, NULL, 0,
                   "%s has not enough free disk for this goal", name);
    haul_error_hint(builder->error, "free some disk there, or give it a smaller weight");
}

/* By bytes that nobody reports, every slot would count the same. */
static enum haul_status check_bytes(const struct builder *builder)
{
    uint64_t sum = 0;
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
        sum += builder->bytes[slot];
    }
    if (builder->goal->measure == PLANNER_BYTES && builder->goal->from == NULL && sum == 0) {
        haul_error_set(builder->error, HAUL_INVALID, NULL, 0,
                       "the nodes report no bytes to balance");
        haul_error_hint(builder->error, "balance by slots, or wait until data is on disk");
        return HAUL_INVALID;
    }
    return HAUL_OK;
}

static enum haul_status run_planner(struct builder *builder, struct planner_result **result)
{
    const struct planner_cluster cluster = {builder->owners, builder->bytes, CLUSTER_SLOT_COUNT,
                                            builder->nodes, builder->node_count};
    const struct plan_goal *goal = builder->goal;
    size_t full = 0;
    uint16_t from = 0;
    uint16_t to = 0;
    enum haul_status status = HAUL_OK;
    if (goal->from == NULL) {
        status = read_weights(builder);
        status = status == HAUL_OK ? check_wishes(builder) : status;
        status = status != HAUL_OK ? status
                                   : planner_balance(&cluster, goal->measure, &goal->limits, result,
                                                     &full, builder->error);
    } else {
        status = find_master(builder, goal->from, &from);
        status = status == HAUL_OK ? find_master(builder, goal->to, &to) : status;
        status = status == HAUL_OK ? read_ranges(builder) : status;
        status = status != HAUL_OK ? status
                                   : planner_move_ranges(&cluster, from, to, builder->ranges,
                                                         builder->range_count, &goal->limits,
                                                         result, &full, builder->error);
    }
    if (status == HAUL_NO_SPACE) {
        name_full_node(builder, full);
    }
    return status;
}

/* Takes the moves out of `result`. */
static enum haul_status make_plan(const struct builder *builder, struct planner_result *result,
                                  struct cluster_plan **plan)
{
    struct cluster_plan *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return HAUL_NO_MEMORY;
    }
    made->nodes = calloc(builder->node_count, sizeof(*made->nodes));
    if (made->nodes == NULL) {
        free(made);
        return HAUL_NO_MEMORY;
    }
    made->topology_version = builder->topology->version;
    made->measure = builder->goal->measure;
    made->node_count = builder->node_count;
    for (size_t i = 0; i < made->node_count; i++) {
        const struct topology_node *node = &builder->topology->nodes[builder->masters[i]];
        memcpy(made->nodes[i].id, node->id, sizeof(node->id));
        memcpy(made->nodes[i].host, node->host, sizeof(node->host));
        made->nodes[i].port = node->port;
        made->nodes[i].effect = result->effects[i];
    }
    made->moves = result->moves;
    result->moves = NULL;
    made->move_count = result->move_count;
    made->wave_count = result->wave_count;
    made->bytes = result->bytes;
    *plan = made;
    return HAUL_OK;
}

static enum haul_status build(struct builder *builder, struct cluster_plan **plan)
{
    size_t count = builder->topology->node_count;
    struct planner_result *result = NULL;
    builder->masters = calloc(count, sizeof(*builder->masters));
    builder->index_of = calloc(count, sizeof(*builder->index_of));
    builder->nodes = calloc(count, sizeof(*builder->nodes));
    bool allocated =
        builder->masters != NULL && builder->index_of != NULL && builder->nodes != NULL;
    enum haul_status status = allocated ? read_topology(builder) : HAUL_NO_MEMORY;
    if (status == HAUL_OK) {
        status = check_bytes(builder);
    }
    if (status == HAUL_OK) {
        status = run_planner(builder, &result);
    }
    if (status == HAUL_OK) {
        status = make_plan(builder, result, plan);
    }
    planner_result_destroy(result);
    free(builder->masters);
    free(builder->index_of);
    free(builder->nodes);
    return status;
}

enum haul_status plan_build(const struct node_facts_list *list, const struct plan_goal *goal,
                            struct cluster_plan **plan, struct haul_error *error)
{
    enum haul_status status = check_goal(goal, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct builder *builder = calloc(1, sizeof(*builder));
    status = HAUL_NO_MEMORY;
    if (builder != NULL) {
        builder->list = list;
        builder->goal = goal;
        builder->error = error;
        builder->topology = cluster_check_topology(list);
        status = builder->topology == NULL
                     ? haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no node has a topology")
                     : build(builder, plan);
        free(builder);
    }
    if (status == HAUL_NO_MEMORY) {
        haul_error_set(error, status, NULL, 0, "no memory for a plan");
    }
    return status;
}
