/* SPDX-License-Identifier: Apache-2.0 */
/* planner.c — shares, then pieces, then waves. A plan that needs more disk than a node has is made
 * again with smaller moves, for those that run need a multiple of their size. */
#include "planner.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "matching.h"
#include "node_share.h"
#include "planner_bug.h"
#include "run_list.h"
#include "wave.h"

/* Smaller moves may be other slots, with other bytes. */
enum { ATTEMPT_COUNT_MAX = 4 };

struct planner {
    const struct planner_cluster *cluster;
    const struct planner_limits *limits;
    uint64_t *load_sums;
    uint64_t *byte_sums;
    uint64_t *loads; /* of each node at first */
    uint64_t *loads_max;
    uint32_t *weights;
    struct node_share *shares;
    uint64_t *arrived; /* bytes that moves bring to each node */
    uint64_t *largest; /* of these moves */
    struct matching matching;
    struct planner_result *result;
};

/* --- memory ----------------------------------------------------------------------------------- */

void planner_result_destroy(struct planner_result *result)
{
    if (result != NULL) {
        free(result->moves);
        free(result->effects);
        free(result);
    }
}

static void fini(struct planner *planner)
{
    free(planner->load_sums);
    free(planner->byte_sums);
    free(planner->loads);
    free(planner->loads_max);
    free(planner->weights);
    free(planner->shares);
    free(planner->arrived);
    free(planner->largest);
    free(planner->matching.runs);
    free(planner->matching.nodes);
    planner_result_destroy(planner->result);
}

static bool allocate(struct planner *planner)
{
    size_t slots = planner->cluster->slot_count;
    size_t nodes = planner->cluster->node_count;
    struct planner_result *result = calloc(1, sizeof(*result));
    planner->result = result;
    planner->load_sums = calloc(slots + 1, sizeof(uint64_t));
    planner->byte_sums = calloc(slots + 1, sizeof(uint64_t));
    planner->loads = calloc(nodes, sizeof(uint64_t));
    planner->loads_max = calloc(nodes, sizeof(uint64_t));
    planner->weights = calloc(nodes, sizeof(uint32_t));
    planner->shares = calloc(nodes, sizeof(struct node_share));
    planner->arrived = calloc(nodes, sizeof(uint64_t));
    planner->largest = calloc(nodes, sizeof(uint64_t));
    planner->matching.runs = malloc(sizeof(struct run_list));
    planner->matching.nodes = calloc(nodes, sizeof(struct matching_node));
    if (result != NULL) {
        result->moves = calloc(slots, sizeof(struct planner_move));
        result->effects = calloc(nodes, sizeof(struct planner_effect));
    }
    return result != NULL && result->moves != NULL && result->effects != NULL &&
           planner->load_sums != NULL && planner->byte_sums != NULL && planner->loads != NULL &&
           planner->loads_max != NULL && planner->weights != NULL && planner->shares != NULL &&
           planner->arrived != NULL && planner->largest != NULL && planner->matching.runs != NULL &&
           planner->matching.nodes != NULL;
}

/* --- input ------------------------------------------------------------------------------------ */

static enum haul_status check_input(const struct planner_cluster *cluster,
                                    const struct planner_limits *limits, struct haul_error *error)
{
    bool ok = cluster->slot_count > 0 && cluster->slot_count <= CLUSTER_SLOT_COUNT &&
              cluster->node_count > 0 && cluster->node_count <= TOPOLOGY_NODE_COUNT_MAX &&
              limits->tolerance_permille <= PLANNER_TOLERANCE_PERMILLE_MAX;
    for (size_t i = 0; ok && i < cluster->node_count; i++) {
        uint32_t jobs_max = cluster->nodes[i].jobs_max;
        ok = jobs_max >= 1 && jobs_max <= PLANNER_JOBS_MAX;
    }
    for (size_t i = 0; ok && i < cluster->slot_count; i++) {
        ok = cluster->owners[i] < cluster->node_count;
    }
    return ok ? HAUL_OK
              : haul_error_set(error, HAUL_INVALID, NULL, 0,
                               "a limit is out of range, or a slot has no owner");
}

/* An empty slot counts as one byte, so that it moves, too. */
static uint64_t load_of(const struct planner_cluster *cluster, enum planner_measure measure,
                        size_t slot)
{
    return measure == PLANNER_SLOTS || cluster->bytes[slot] == 0 ? 1 : cluster->bytes[slot];
}

static uint64_t largest_slot(const struct planner_cluster *cluster)
{
    uint64_t largest = 0;
    for (size_t i = 0; i < cluster->slot_count; i++) {
        largest = cluster->bytes[i] > largest ? cluster->bytes[i] : largest;
    }
    return largest;
}

/* What a node can hold when moves to it are as small as can be. */
static uint64_t load_max(const struct planner_node *node, uint64_t load, uint64_t slot_bytes)
{
    uint64_t meanwhile = slot_bytes * PLANNER_INGEST_FACTOR * node->jobs_max;
    if (node->free_bytes == PLANNER_FREE_UNKNOWN || PLANNER_BUG(FREE_DISK)) {
        return UINT64_MAX;
    }
    return load + (node->free_bytes > meanwhile ? node->free_bytes - meanwhile : 0);
}

static void add_up(struct planner *planner, enum planner_measure measure)
{
    const struct planner_cluster *cluster = planner->cluster;
    for (size_t i = 0; i < cluster->slot_count; i++) {
        uint64_t load = load_of(cluster, measure, i);
        planner->load_sums[i + 1] = planner->load_sums[i] + load;
        planner->byte_sums[i + 1] = planner->byte_sums[i] + cluster->bytes[i];
        planner->loads[cluster->owners[i]] += load;
    }
    uint64_t slot_bytes = largest_slot(cluster);
    for (size_t i = 0; i < cluster->node_count; i++) {
        planner->weights[i] = cluster->nodes[i].weight;
        planner->loads_max[i] = load_max(&cluster->nodes[i], planner->loads[i], slot_bytes);
    }
}

/* --- disk ------------------------------------------------------------------------------------- */

static uint64_t extra_bytes_peak(const struct planner *planner, size_t node)
{
    uint64_t at_once = planner->largest[node] * planner->cluster->nodes[node].jobs_max;
    at_once = at_once < planner->arrived[node] ? at_once : planner->arrived[node];
    return planner->arrived[node] + PLANNER_INGEST_FACTOR * at_once;
}

static void count_arrivals(struct planner *planner)
{
    size_t bytes = planner->cluster->node_count * sizeof(uint64_t);
    memset(planner->arrived, 0, bytes);
    memset(planner->largest, 0, bytes);
    for (size_t i = 0; i < planner->result->move_count; i++) {
        const struct planner_move *move = &planner->result->moves[i];
        planner->arrived[move->to] += move->bytes;
        if (move->bytes > planner->largest[move->to]) {
            planner->largest[move->to] = move->bytes;
        }
    }
}

/* Is there disk for the moves? If not, the limits of the next attempt, or NO_SPACE. */
static enum haul_status check_disk(struct planner *planner, size_t *full_node)
{
    enum haul_status status = HAUL_OK;
    count_arrivals(planner);
    for (size_t i = 0; i < planner->cluster->node_count; i++) {
        const struct planner_node *node = &planner->cluster->nodes[i];
        uint64_t needed =
            PLANNER_BUG(INGEST_DISK) ? planner->arrived[i] : extra_bytes_peak(planner, i);
        if (needed <= node->free_bytes || PLANNER_BUG(FREE_DISK)) {
            continue;
        }
        uint64_t left =
            node->free_bytes > planner->arrived[i] ? node->free_bytes - planner->arrived[i] : 0;
        uint64_t bytes_max = left / PLANNER_INGEST_FACTOR / node->jobs_max;
        *full_node = i;
        if (bytes_max == 0) {
            return HAUL_NO_SPACE;
        }
        planner->matching.nodes[i].piece_bytes_max = bytes_max;
        status = HAUL_AGAIN;
    }
    return status;
}

static enum haul_status report_full(struct haul_error *error, size_t node)
{
    haul_error_set(error, HAUL_NO_SPACE, NULL, 0,
                   "node %zu of the cluster has not enough free disk for this goal", node);
    haul_error_hint(error, "free some disk there, or give it a smaller weight");
    return HAUL_NO_SPACE;
}

/* --- result ----------------------------------------------------------------------------------- */

static void add_move(struct planner *planner, uint32_t first, uint32_t end, uint16_t to)
{
    struct planner_result *result = planner->result;
    result->moves[result->move_count++] = (struct planner_move){
        .slots = {(uint16_t)first, (uint16_t)(end - 1)},
        .from = planner->cluster->owners[first],
        .to = to,
        .bytes = planner->byte_sums[end] - planner->byte_sums[first],
    };
}

/* The end of the longest move that begins at `first`: its slots have one giver, and it keeps the
 * limits. */
static uint32_t move_end(const struct planner *planner, const struct slot_run *run, uint32_t first)
{
    const uint16_t *owners = planner->cluster->owners;
    uint32_t slots_max = planner->limits->move_slots_max + PLANNER_BUG(CUT_LONG);
    uint64_t bytes_max = planner->matching.nodes[run->owner].piece_bytes_max;
    uint32_t end = first + 1;
    while (end < run->end && (owners[end] == owners[first] || PLANNER_BUG(JOIN_ANY)) &&
           (planner->limits->move_slots_max == 0 || end - first < slots_max) &&
           planner->byte_sums[end + 1] - planner->byte_sums[first] <= bytes_max) {
        end++;
    }
    return end;
}

/* The moves that turn the present owners into those of the runs. */
static void list_moves(struct planner *planner)
{
    const struct run_list *runs = planner->matching.runs;
    planner->result->move_count = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const struct slot_run *run = &runs->runs[i];
        for (uint32_t first = run->first; first < run->end;) {
            uint32_t end = first + 1;
            if (planner->cluster->owners[first] != run->owner) {
                end = move_end(planner, run, first);
                add_move(planner, first, end, (uint16_t)run->owner);
            }
            first = end;
        }
    }
}

static void fill_effects(struct planner *planner)
{
    const struct planner_cluster *cluster = planner->cluster;
    struct planner_result *result = planner->result;
    result->node_count = cluster->node_count;
    for (size_t i = 0; i < cluster->slot_count; i++) {
        struct planner_effect *effect = &result->effects[cluster->owners[i]];
        effect->slots_before++;
        effect->bytes_before += cluster->bytes[i];
    }
    for (size_t i = 0; i < cluster->node_count; i++) {
        struct planner_effect *effect = &result->effects[i];
        effect->slots_after = effect->slots_before;
        effect->bytes_after = effect->bytes_before;
        effect->extra_bytes_peak = extra_bytes_peak(planner, i);
    }
    for (size_t i = 0; i < result->move_count; i++) {
        const struct planner_move *move = &result->moves[i];
        uint32_t slots = (uint32_t)(move->slots.last - move->slots.first) + 1;
        result->effects[move->from].slots_after -= slots;
        result->effects[move->from].bytes_after -= move->bytes;
        result->effects[move->to].slots_after += slots;
        result->effects[move->to].bytes_after += move->bytes;
        result->bytes += move->bytes;
    }
}

/* --- attempts --------------------------------------------------------------------------------- */

static uint64_t largest_load(const struct planner *planner)
{
    uint64_t largest = 0;
    for (size_t i = 0; i < planner->cluster->slot_count; i++) {
        uint64_t load = planner->load_sums[i + 1] - planner->load_sums[i];
        largest = load > largest ? load : largest;
    }
    return largest;
}

static void begin_attempt(struct planner *planner)
{
    const struct planner_cluster *cluster = planner->cluster;
    struct matching *matching = &planner->matching;
    run_list_init(matching->runs, cluster->owners, cluster->slot_count, planner->load_sums,
                  planner->byte_sums);
    matching->origins = cluster->owners;
    matching->node_count = cluster->node_count;
    matching->move_slots_max = planner->limits->move_slots_max;
    matching->slot_load_max = largest_load(planner);
    for (size_t i = 0; i < cluster->node_count; i++) {
        struct matching_node *node = &matching->nodes[i];
        node->share = planner->shares[i];
        node->load = planner->loads[i];
        node->aim = node->share.wanted;
        node->is_giver = node->load > node->share.wanted;
        node->is_drained = node->is_giver && cluster->nodes[i].weight == 0;
        node->is_closed = cluster->nodes[i].weight == 0;
        node->is_settled = false;
    }
}

/* What is moved: the ranges of `from`, or, if there are none, what balances. */
struct wish {
    uint16_t from;
    uint16_t to;
    const struct slot_range *ranges;
    size_t range_count;
};

static void move_ranges(struct planner *planner, const struct wish *wish)
{
    for (size_t i = 0; i < wish->range_count; i++) {
        struct slot_run piece = {wish->ranges[i].first, wish->ranges[i].last + 1U, wish->from};
        run_list_give(planner->matching.runs, &piece, wish->to);
    }
}

static enum haul_status attempt(struct planner *planner, const struct wish *wish, size_t *full_node)
{
    enum haul_status status = HAUL_AGAIN;
    for (size_t i = 0; i < planner->cluster->node_count; i++) {
        planner->matching.nodes[i].piece_bytes_max = UINT64_MAX;
    }
    for (int i = 0; i < ATTEMPT_COUNT_MAX && status == HAUL_AGAIN; i++) {
        begin_attempt(planner);
        if (wish->range_count > 0) {
            move_ranges(planner, wish);
        } else {
            matching_run(&planner->matching);
        }
        list_moves(planner);
        status = check_disk(planner, full_node);
    }
    return status == HAUL_AGAIN ? HAUL_NO_SPACE : status;
}

static enum haul_status plan(struct planner *planner, const struct wish *wish, size_t *full_node)
{
    enum haul_status status = attempt(planner, wish, full_node);
    if (status == HAUL_OK) {
        fill_effects(planner);
        status = wave_assign(planner->result->moves, planner->result->move_count,
                             planner->cluster->nodes, planner->cluster->node_count,
                             planner->limits->parallel_max, &planner->result->wave_count);
    }
    return status;
}

/* Hand the result over, or explain. */
static enum haul_status finish(struct planner *planner, enum haul_status status, size_t node,
                               struct planner_result **result, size_t *full_node,
                               struct haul_error *error)
{
    if (status == HAUL_OK) {
        *result = planner->result;
        planner->result = NULL;
    } else if (status == HAUL_NO_SPACE) {
        report_full(error, node);
        if (full_node != NULL) {
            *full_node = node;
        }
    } else if (status == HAUL_NO_MEMORY) {
        haul_error_set(error, status, NULL, 0, "no memory for the planner");
    }
    fini(planner);
    return status;
}

enum haul_status planner_balance(const struct planner_cluster *cluster,
                                 enum planner_measure measure, const struct planner_limits *limits,
                                 struct planner_result **result, size_t *full_node,
                                 struct haul_error *error)
{
    static const struct wish balance;
    struct planner planner = {.cluster = cluster, .limits = limits};
    size_t node = 0;
    enum haul_status status = check_input(cluster, limits, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (!allocate(&planner)) {
        return finish(&planner, HAUL_NO_MEMORY, 0, result, full_node, error);
    }
    add_up(&planner, measure);
    status = node_share_compute(planner.loads, measure == PLANNER_BYTES ? planner.loads_max : NULL,
                                planner.weights, cluster->node_count, limits->tolerance_permille,
                                planner.shares, &node);
    if (status == HAUL_OK) {
        status = plan(&planner, &balance, &node);
    } else if (status == HAUL_INVALID) {
        haul_error_set(error, status, NULL, 0,
                       "no node has a weight, or the cluster holds more than 2^54 bytes");
    }
    return finish(&planner, status, node, result, full_node, error);
}

/* Are the ranges the giver's, and apart? Uses the runs of the cluster as it is. */
static enum haul_status check_ranges(struct planner *planner, const struct wish *wish,
                                     struct haul_error *error)
{
    bool taken[CLUSTER_SLOT_COUNT] = {false};
    for (size_t i = 0; i < wish->range_count; i++) {
        char text[TOPOLOGY_RANGE_BYTES_MAX];
        const struct slot_range *range = &wish->ranges[i];
        slot_range_format(*range, text);
        for (size_t slot = range->first; slot <= range->last; slot++) {
            if (slot >= planner->cluster->slot_count || taken[slot] ||
                planner->cluster->owners[slot] != wish->from) {
                return haul_error_set(error, HAUL_INVALID, NULL, 0,
                                      "slot %zu of %s is not this node's, or is named twice", slot,
                                      text);
            }
            taken[slot] = true;
        }
    }
    return HAUL_OK;
}

enum haul_status planner_move_ranges(const struct planner_cluster *cluster, uint16_t from,
                                     uint16_t to, const struct slot_range *ranges,
                                     size_t range_count, const struct planner_limits *limits,
                                     struct planner_result **result, size_t *full_node,
                                     struct haul_error *error)
{
    struct planner planner = {.cluster = cluster, .limits = limits};
    struct wish wish = {from, to, ranges, range_count};
    size_t node = to;
    enum haul_status status = check_input(cluster, limits, error);
    if (status == HAUL_OK && (from == to || from >= cluster->node_count ||
                              to >= cluster->node_count || range_count == 0)) {
        status = haul_error_set(error, HAUL_INVALID, NULL, 0,
                                "ranges move between two different nodes, and at least one does");
    }
    if (status == HAUL_OK) {
        status = check_ranges(&planner, &wish, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (!allocate(&planner)) {
        return finish(&planner, HAUL_NO_MEMORY, 0, result, full_node, error);
    }
    add_up(&planner, PLANNER_SLOTS);
    status = plan(&planner, &wish, &node);
    return finish(&planner, status, node, result, full_node, error);
}
