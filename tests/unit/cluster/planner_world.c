/* SPDX-License-Identifier: Apache-2.0 */
/* planner_world.c — the judge replays the moves slot by slot. */
#include "planner_world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLACK = 3 }; /* of free disk, in parts of the whole */

/* --- random clusters -------------------------------------------------------------------------- */

/* SplitMix64. */
uint64_t world_random(struct planner_world *world, uint64_t below)
{
    uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return below == 0 ? 0 : (z ^ (z >> 31)) % below;
}

static bool chance(struct planner_world *world, unsigned percent)
{
    return world_random(world, 100) < percent;
}

/* Runs of random owners; some nodes have none. */
static void make_owners(struct planner_world *world)
{
    size_t slots = world->cluster.slot_count;
    size_t nodes = world->cluster.node_count;
    size_t with_slots = 1 + world_random(world, nodes);
    size_t runs = 1 + world_random(world, chance(world, 4) ? slots : nodes * 4);
    uint16_t owner = 0;
    for (size_t slot = 0; slot < slots; slot++) {
        if (slot == 0 || world_random(world, slots) < runs) {
            owner = (uint16_t)world_random(world, with_slots);
        }
        world->owners[slot] = owner;
    }
}

static void make_bytes(struct planner_world *world)
{
    uint64_t kind = world_random(world, 4);
    for (size_t slot = 0; slot < world->cluster.slot_count; slot++) {
        uint64_t bytes = 1000;
        if (kind == 1) {
            bytes = world_random(world, 2000);
        } else if (kind == 2) {
            bytes =
                chance(world, 2) ? 50000 + world_random(world, 50000) : world_random(world, 100);
        } else if (kind == 3) {
            bytes = (world->owners[slot] + 1U) * 500;
        }
        world->bytes[slot] = bytes;
    }
}

static uint64_t all_bytes(const struct planner_world *world)
{
    uint64_t sum = 0;
    for (size_t slot = 0; slot < world->cluster.slot_count; slot++) {
        sum += world->bytes[slot];
    }
    return sum;
}

static void make_nodes(struct planner_world *world)
{
    size_t count = world->cluster.node_count;
    uint64_t part = all_bytes(world) / count + 1;
    bool plain = chance(world, 50);
    bool tight = chance(world, 30);
    for (size_t i = 0; i < count; i++) {
        struct planner_node *node = &world->nodes[i];
        node->weight = plain ? 1 : (uint32_t)world_random(world, 6);
        node->jobs_max = chance(world, 80) ? 1 : 1 + (uint32_t)world_random(world, 3);
        node->free_bytes = tight ? world_random(world, SLACK * part) : PLANNER_FREE_UNKNOWN;
    }
    world->nodes[world_random(world, count)].weight = 1;
}

void world_make(struct planner_world *world, uint64_t seed)
{
    world->random = seed;
    size_t bits = 4 + world_random(world, 11);
    size_t slots =
        chance(world, 10) ? CLUSTER_SLOT_COUNT : ((size_t)1 << bits) - world_random(world, 8);
    size_t nodes_max = slots / 2 < WORLD_NODE_COUNT_MAX ? slots / 2 : WORLD_NODE_COUNT_MAX;
    world->cluster = (struct planner_cluster){.owners = world->owners,
                                              .bytes = world->bytes,
                                              .slot_count = slots,
                                              .nodes = world->nodes,
                                              .node_count = 1 + world_random(world, nodes_max)};
    make_owners(world);
    make_bytes(world);
    make_nodes(world);
    world->measure = chance(world, 50) ? PLANNER_SLOTS : PLANNER_BYTES;
    world->limits = (struct planner_limits){
        .tolerance_permille = chance(world, 50) ? 0 : (uint32_t)world_random(world, 100),
        .move_slots_max = chance(world, 70) ? 0 : 1 + (uint32_t)world_random(world, slots),
        .parallel_max = chance(world, 70) ? 0 : 1 + (uint32_t)world_random(world, 6),
    };
    world_add_up(world);
}

void world_add_up(struct planner_world *world)
{
    world->load_sum = 0;
    world->weight_sum = 0;
    for (size_t slot = 0; slot < world->cluster.slot_count; slot++) {
        world->load_sum += (double)world_load(world, slot);
    }
    for (size_t i = 0; i < world->cluster.node_count; i++) {
        world->weight_sum += world->nodes[i].weight;
    }
}

/* --- the judge -------------------------------------------------------------------------------- */

uint64_t world_load(const struct planner_world *world, size_t slot)
{
    bool one = world->measure == PLANNER_SLOTS || world->bytes[slot] == 0;
    return one ? 1 : world->bytes[slot];
}

struct world_bounds world_bounds_of(const struct planner_world *world, size_t node)
{
    double part = world->load_sum * world->nodes[node].weight / world->weight_sum;
    double tolerance = world->limits.tolerance_permille / 1000.0;
    return (struct world_bounds){floor(part + 1e-6) * (1 - tolerance),
                                 ceil(part - 1e-6) * (1 + tolerance)};
}

/* A replay of the moves. */
struct replay {
    uint16_t owners[CLUSTER_SLOT_COUNT];
    uint64_t arrived[WORLD_NODE_COUNT_MAX];
    uint64_t arriving[WORLD_NODE_COUNT_MAX]; /* in the present wave */
    uint32_t jobs[WORLD_NODE_COUNT_MAX];
    uint32_t degree[WORLD_NODE_COUNT_MAX];
    uint32_t in_wave;
    const char *fault;
};

static void replay_move(const struct planner_world *world, const struct planner_move *move,
                        struct replay *replay)
{
    uint64_t bytes = 0;
    uint32_t slots = (uint32_t)(move->slots.last - move->slots.first) + 1;
    for (size_t slot = move->slots.first; slot <= move->slots.last; slot++) {
        if (replay->owners[slot] != move->from || world->owners[slot] != move->from) {
            replay->fault = "a slot that the giver does not have, or that moves twice";
        }
        replay->owners[slot] = move->to;
        bytes += world->bytes[slot];
    }
    if (bytes != move->bytes || move->slots.first > move->slots.last || move->from == move->to) {
        replay->fault = "a move whose figures are wrong";
    }
    if (world->limits.move_slots_max > 0 && slots > world->limits.move_slots_max) {
        replay->fault = "a move of too many slots";
    }
    replay->arriving[move->to] += bytes;
    replay->arrived[move->to] += bytes;
    replay->in_wave++;
    for (int side = 0; side < 2; side++) {
        uint16_t node = side == 0 ? move->from : move->to;
        replay->degree[node]++;
        if (++replay->jobs[node] > world->nodes[node].jobs_max) {
            replay->fault = "a node with too many jobs in a wave";
        }
    }
}

/* What a wave needs while it runs. */
static void replay_wave_end(const struct planner_world *world, const struct planner_result *result,
                            struct replay *replay)
{
    for (size_t i = 0; i < world->cluster.node_count; i++) {
        uint64_t needed = replay->arrived[i] + PLANNER_INGEST_FACTOR * replay->arriving[i];
        if (needed > world->nodes[i].free_bytes) {
            replay->fault = "more disk than a node has";
        }
        if (needed > result->effects[i].extra_bytes_peak) {
            replay->fault = "more disk than the plan says";
        }
    }
    if (world->limits.parallel_max > 0 && replay->in_wave > world->limits.parallel_max) {
        replay->fault = "a wave of too many moves";
    }
    if (replay->in_wave == 0) {
        replay->fault = "an empty wave";
    }
    memset(replay->arriving, 0, sizeof(replay->arriving));
    memset(replay->jobs, 0, sizeof(replay->jobs));
    replay->in_wave = 0;
}

static void replay_all(const struct planner_world *world, const struct planner_result *result,
                       struct replay *replay)
{
    uint32_t wave = 0;
    for (size_t i = 0; i < result->move_count; i++) {
        for (; wave < result->moves[i].wave; wave++) {
            replay_wave_end(world, result, replay);
        }
        if (wave > result->moves[i].wave) {
            replay->fault = "moves out of order";
        }
        replay_move(world, &result->moves[i], replay);
    }
    if (result->move_count > 0) {
        replay_wave_end(world, result, replay);
        wave++;
    }
    if (wave != result->wave_count) {
        replay->fault = "waves that are counted wrong";
    }
}

/* As few waves as the busiest node, or --parallel, allows. */
static void judge_waves(const struct planner_world *world, const struct planner_result *result,
                        struct replay *replay)
{
    uint32_t fewest = 0;
    for (size_t i = 0; i < world->cluster.node_count; i++) {
        uint32_t jobs_max = world->nodes[i].jobs_max;
        uint32_t waves = (replay->degree[i] + jobs_max - 1) / jobs_max;
        fewest = waves > fewest ? waves : fewest;
    }
    uint32_t parallel = world->limits.parallel_max;
    uint32_t waves = parallel == 0 ? 0 : (uint32_t)((result->move_count + parallel - 1) / parallel);
    if (result->wave_count > (waves > fewest ? waves : fewest)) {
        replay->fault = "more waves than needed";
    }
}

static uint64_t largest_slot(const struct planner_world *world)
{
    uint64_t largest = 0;
    for (size_t slot = 0; slot < world->cluster.slot_count; slot++) {
        uint64_t load = world_load(world, slot);
        largest = load > largest ? load : largest;
    }
    return largest;
}

struct loads {
    double before[WORLD_NODE_COUNT_MAX];
    double after[WORLD_NODE_COUNT_MAX];
};

/* Every node is within its bounds, or misses them by less than the largest slot. */
static void judge_goal(const struct planner_world *world, const struct loads *loads,
                       struct replay *replay)
{
    double slack = (double)largest_slot(world) - 1;
    for (size_t i = 0; i < world->cluster.node_count; i++) {
        struct world_bounds bounds = world_bounds_of(world, i);
        if (loads->after[i] < bounds.low - slack - 0.001 ||
            loads->after[i] > bounds.high + slack + 0.001) {
            replay->fault = "a node that is not at its goal";
        }
        if (world->nodes[i].weight == 0 && loads->after[i] > 0) {
            replay->fault = "a drained node with slots";
        }
    }
}

/* What must move at least; by slots it is also enough, by bytes for whole slots. */
static void judge_minimum(const struct planner_world *world, const struct loads *loads,
                          struct replay *replay)
{
    double given = 0;
    double taken = 0;
    double moved = 0;
    for (size_t i = 0; i < world->cluster.node_count; i++) {
        struct world_bounds bounds = world_bounds_of(world, i);
        double low = ceil(bounds.low - 0.001);
        double high = floor(bounds.high + 0.001);
        given += fmax(0, loads->before[i] - high);
        taken += fmax(0, low - loads->before[i]);
        moved += fmax(0, loads->before[i] - loads->after[i]);
    }
    double slack = (double)(largest_slot(world) - 1) * (double)world->cluster.node_count;
    if (moved > fmax(given, taken) + slack + 0.5) {
        replay->fault = "more moved than needed";
    }
}

static int compare_values(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* The fewest of a giver's runs that have what it gives. */
static size_t fewest_pieces(const struct planner_world *world, size_t node, double load)
{
    static uint64_t runs[CLUSTER_SLOT_COUNT];
    size_t count = 0;
    for (size_t slot = 0; slot < world->cluster.slot_count; slot++) {
        if (world->owners[slot] == node) {
            bool begins = slot == 0 || world->owners[slot - 1] != node;
            count += begins;
            runs[count - 1] = (begins ? 0 : runs[count - 1]) + world_load(world, slot);
        }
    }
    qsort(runs, count, sizeof(runs[0]), compare_values);
    size_t pieces = 0;
    while (load > 0.5 && pieces < count) {
        load -= (double)runs[count - ++pieces];
    }
    return pieces;
}

/* Without limits each receiver costs at most one cut more than the runs of the givers demand. */
static void judge_moves(const struct planner_world *world, const struct planner_result *result,
                        const struct loads *loads, struct replay *replay)
{
    size_t most = 0;
    for (size_t i = 0; i < world->cluster.node_count; i++) {
        if (world->nodes[i].free_bytes != PLANNER_FREE_UNKNOWN ||
            world->limits.move_slots_max > 0 || world->measure == PLANNER_BYTES) {
            return;
        }
        most += loads->after[i] > loads->before[i] ? 1 : 0;
        most += fewest_pieces(world, i, loads->before[i] - loads->after[i]);
    }
    if (result->move_count > most) {
        replay->fault = "more moves than the runs demand";
    }
}

bool world_judge(const struct planner_world *world, const struct planner_result *result,
                 char text[WORLD_TEXT_BYTES_MAX])
{
    static struct replay replay;
    memset(&replay, 0, sizeof(replay));
    memcpy(replay.owners, world->owners, sizeof(replay.owners));
    replay_all(world, result, &replay);
    struct loads loads = {{0}, {0}};
    for (size_t slot = 0; slot < world->cluster.slot_count; slot++) {
        loads.before[world->owners[slot]] += (double)world_load(world, slot);
        loads.after[replay.owners[slot]] += (double)world_load(world, slot);
    }
    if (replay.fault == NULL) {
        judge_waves(world, result, &replay);
        judge_goal(world, &loads, &replay);
        judge_minimum(world, &loads, &replay);
        judge_moves(world, result, &loads, &replay);
    }
    (void)snprintf(text, WORLD_TEXT_BYTES_MAX, "%s (%zu slots, %zu nodes, %zu moves, %u waves)",
                   replay.fault == NULL ? "" : replay.fault, world->cluster.slot_count,
                   world->cluster.node_count, result->move_count, result->wave_count);
    return replay.fault == NULL;
}

/* --- disk ------------------------------------------------------------------------------------- */

/* The disk that `node` needs to take `count` slots, one at a time, the smallest of nodes that may
 * give some. */
static uint64_t least_disk(const struct planner_world *world, const double *loads, size_t node,
                           size_t count)
{
    static uint64_t bytes[CLUSTER_SLOT_COUNT];
    bool gives[WORLD_NODE_COUNT_MAX];
    size_t others = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < world->cluster.node_count; i++) {
        gives[i] = i != node && loads[i] > world_bounds_of(world, i).low;
    }
    for (size_t slot = 0; slot < world->cluster.slot_count; slot++) {
        if (gives[world->owners[slot]]) {
            bytes[others++] = world->bytes[slot];
        }
    }
    qsort(bytes, others, sizeof(bytes[0]), compare_values);
    for (size_t i = 0; i < count && i < others; i++) {
        sum += bytes[i];
    }
    return sum + (count > 0 && count <= others ? PLANNER_INGEST_FACTOR * bytes[count - 1] : 0);
}

bool world_is_even(const struct planner_world *world)
{
    bool even = true;
    for (size_t slot = 1; slot < world->cluster.slot_count; slot++) {
        even = even && world->bytes[slot] == world->bytes[0];
    }
    return even || world->measure == PLANNER_BYTES;
}

bool world_lacks_disk(const struct planner_world *world)
{
    double loads[WORLD_NODE_COUNT_MAX] = {0};
    double held = 0;
    for (size_t slot = 0; slot < world->cluster.slot_count; slot++) {
        loads[world->owners[slot]] += (double)world_load(world, slot);
    }
    for (size_t i = 0; i < world->cluster.node_count; i++) {
        const struct planner_node *node = &world->nodes[i];
        struct world_bounds bounds = world_bounds_of(world, i);
        double needed = ceil(bounds.low - 0.001) - loads[i];
        double meanwhile = (double)(largest_slot(world) * PLANNER_INGEST_FACTOR) * node->jobs_max;
        double room = fmax(0, (double)node->free_bytes - meanwhile);
        held += fmin(floor(bounds.high + 0.001), loads[i] + room);
        if (world->measure == PLANNER_BYTES && needed > room) {
            return true;
        }
        if (world->measure == PLANNER_SLOTS && needed > 0 &&
            least_disk(world, loads, i, (size_t)needed) > node->free_bytes) {
            return true;
        }
    }
    return world->measure == PLANNER_BYTES && held < world->load_sum;
}
