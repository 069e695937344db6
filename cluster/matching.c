/* SPDX-License-Identifier: Apache-2.0 */
/* matching.c — a greedy assignment: each step ends the need of one node, so n nodes need fewer than
 * n steps, apart from runs that are too short and pieces that are limited. */
#include "matching.h"

#include "planner_bug.h"

#define NO_NODE SIZE_MAX

static uint64_t surplus(const struct matching_node *node)
{
    return node->is_giver && node->load > node->aim ? node->load - node->aim : 0;
}

static uint64_t deficit(const struct matching_node *node)
{
    return !node->is_giver && node->load < node->aim ? node->aim - node->load : 0;
}

typedef uint64_t need_function(const struct matching_node *node);

/* The node with the greatest need; NO_NODE: none needs anything. */
static size_t greatest(const struct matching *matching, need_function *need)
{
    size_t best = NO_NODE;
    for (size_t i = 0; i < matching->node_count; i++) {
        const struct matching_node *node = &matching->nodes[i];
        if (!node->is_settled && need(node) > 0 &&
            (best == NO_NODE || need(node) > need(&matching->nodes[best]))) {
            best = i;
        }
    }
    return best;
}

/* A node with just this need; NO_NODE: none. */
static size_t counterpart(const struct matching *matching, need_function *need, uint64_t load)
{
    for (size_t i = 0; i < matching->node_count; i++) {
        if (!matching->nodes[i].is_settled && need(&matching->nodes[i]) == load) {
            return i;
        }
    }
    return NO_NODE;
}

/* The next pair; false: nobody gives, or nobody takes. */
static bool choose_pair(const struct matching *matching, size_t *giver, size_t *receiver)
{
    *giver = greatest(matching, surplus);
    *receiver = greatest(matching, deficit);
    if (*giver == NO_NODE || *receiver == NO_NODE) {
        return false;
    }
    size_t taker = counterpart(matching, deficit, surplus(&matching->nodes[*giver]));
    if (taker != NO_NODE) {
        *receiver = taker;
        return true;
    }
    size_t other = counterpart(matching, surplus, deficit(&matching->nodes[*receiver]));
    *giver = other == NO_NODE ? *giver : other;
    return true;
}

static void give(struct matching *matching, const struct slot_run *piece, uint32_t to)
{
    uint64_t load = run_list_load(matching->runs, piece);
    matching->nodes[piece->owner].load -= load;
    matching->nodes[to].load += load;
    run_list_give(matching->runs, piece, to);
}

/* `index` is as near to its share as whole slots allow. What it misses passes to the node of its
 * kind with the greatest need, so that such errors do not add up. */
static void settle(struct matching *matching, size_t index, need_function *need)
{
    struct matching_node *node = &matching->nodes[index];
    uint64_t aim = node->aim;
    node->is_settled = true;
    size_t next = greatest(matching, need);
    if (next == NO_NODE || matching->nodes[next].is_closed || node->is_closed) {
        return;
    }
    uint64_t *other = &matching->nodes[next].aim;
    uint64_t missed = aim > node->load ? aim - node->load : node->load - aim;
    if (aim > node->load || missed <= *other) {
        *other = aim > node->load ? *other + missed : *other - missed;
        node->aim = node->load;
    }
}

/* What is within the tolerance and less than half of the largest slot is not worth a move: small
 * slots, and empty ones, would go one run after the other. Where it adds up, `relieve` lengthens
 * moves. */
static bool is_trifle(const struct matching *matching, const struct matching_node *node,
                      uint64_t load)
{
    uint64_t tolerance = (node->share.high - node->share.low) / 2;
    return load <= tolerance && load < matching->slot_load_max / 2;
}

/* One step: the pair's next piece. */
static void step(struct matching *matching, size_t giver, size_t receiver)
{
    struct matching_node *from = &matching->nodes[giver];
    struct matching_node *to = &matching->nodes[receiver];
    bool giver_less = surplus(from) <= deficit(to);
    struct piece_request request = {
        .from = (uint32_t)giver,
        .to = (uint32_t)receiver,
        .load = giver_less || PLANNER_BUG(OVERSHOOT) ? surplus(from) : deficit(to),
        .bytes_max = to->piece_bytes_max,
        .slots_max = matching->move_slots_max == 0 ? CLUSTER_SLOT_COUNT : matching->move_slots_max,
    };
    struct slot_run piece;
    bool found = !is_trifle(matching, giver_less ? from : to, request.load) &&
                 run_list_piece(matching->runs, &request, &piece);
    if (found) {
        give(matching, &piece, (uint32_t)receiver);
    }
    if (giver_less && (!found || surplus(from) == 0)) {
        settle(matching, giver, surplus);
    } else if (!giver_less && (!found || deficit(to) == 0)) {
        settle(matching, receiver, deficit);
    }
}

static int64_t room_of(const struct matching_node *node)
{
    return (int64_t)node->share.wanted - (int64_t)node->load;
}

/* Of the nodes that may take something: the one farthest below its share, or least above it. */
static size_t least_loaded(const struct matching *matching)
{
    size_t best = NO_NODE;
    for (size_t i = 0; i < matching->node_count; i++) {
        const struct matching_node *node = &matching->nodes[i];
        if (!node->is_giver && !node->is_closed &&
            (best == NO_NODE || room_of(node) > room_of(&matching->nodes[best]))) {
            best = i;
        }
    }
    return best;
}

/* --- what whole slots leave over -------------------------------------------------------------- */

/* How far a node is outside its bounds. */
static uint64_t misses(const struct matching_node *node)
{
    return node->load < node->share.low    ? node->share.low - node->load
           : node->load > node->share.high ? node->load - node->share.high
                                           : 0;
}

/* May the slot go from `from`, its present owner, to `to`? Those that have moved may go back. */
static bool may_pass(const struct matching *matching, uint32_t slot, size_t from, size_t to)
{
    const struct matching_node *nodes = matching->nodes;
    size_t origin = matching->origins[slot];
    bool moves = nodes[from].is_giver || origin != from;
    return moves && from != to && !nodes[to].is_closed && (origin == to || !nodes[to].is_giver);
}

/* The first of the slots at which the run would be cut anyway, and which may pass and improve the
 * balance. */
static bool passing_slot(const struct matching *matching, size_t from, size_t to,
                         struct slot_run *slot)
{
    int64_t gap = room_of(&matching->nodes[to]) - room_of(&matching->nodes[from]);
    const uint16_t *origins = matching->origins;
    for (size_t i = 0; i < matching->runs->count; i++) {
        const struct slot_run *run = &matching->runs->runs[i];
        for (uint32_t at = run->first; run->owner == from && at < run->end; at++) {
            bool is_end = at == run->first || at + 1 == run->end ||
                          origins[at] != origins[at - 1] || origins[at] != origins[at + 1];
            *slot = (struct slot_run){at, at + 1, run->owner};
            if (is_end && (int64_t)run_list_load(matching->runs, slot) < gap &&
                may_pass(matching, at, from, to)) {
                return true;
            }
        }
    }
    return false;
}

/* Pass a slot from or to the node `worst`, with the partner that needs it most. */
static bool relieve_node(struct matching *matching, size_t worst)
{
    bool low = room_of(&matching->nodes[worst]) > 0;
    size_t partner = NO_NODE;
    struct slot_run best;
    for (size_t i = 0; i < matching->node_count; i++) {
        int64_t room = room_of(&matching->nodes[i]);
        struct slot_run slot;
        bool better = partner == NO_NODE || (low ? room < room_of(&matching->nodes[partner])
                                                 : room > room_of(&matching->nodes[partner]));
        if (better && passing_slot(matching, low ? i : worst, low ? worst : i, &slot)) {
            partner = i;
            best = slot;
        }
    }
    if (partner != NO_NODE) {
        give(matching, &best, (uint32_t)(low ? worst : partner));
    }
    return partner != NO_NODE;
}

/* Several receivers may each lack less than half of a slot, and a giver have the sum of it. Pass
 * slots while that brings two nodes nearer to their shares, which makes the sum of the squares of
 * what all nodes miss smaller each time. */
static void relieve(struct matching *matching)
{
    size_t worst = 0;
    do {
        for (size_t i = 0; i < matching->node_count; i++) {
            if (misses(&matching->nodes[i]) > misses(&matching->nodes[worst])) {
                worst = i;
            }
        }
    } while (misses(&matching->nodes[worst]) > 0 && relieve_node(matching, worst));
}

/* The run of a drained node; the end of the list: none is left. */
static size_t drained_run(const struct matching *matching)
{
    size_t i = 0;
    while (i < matching->runs->count &&
           !matching->nodes[matching->runs->runs[i].owner].is_drained) {
        i++;
    }
    return i;
}

/* Slots that are larger than every need, or that are left of pieces which came a little short. */
static void drain_rest(struct matching *matching)
{
    size_t index = drained_run(matching);
    size_t to = least_loaded(matching);
    while (index < matching->runs->count && to != NO_NODE) {
        struct slot_run piece = matching->runs->runs[index];
        uint32_t end = piece.end;
        piece.end = piece.first + 1;
        while (piece.end < end &&
               (int64_t)run_list_load(matching->runs, &piece) < room_of(&matching->nodes[to])) {
            piece.end++;
        }
        give(matching, &piece, (uint32_t)to);
        index = drained_run(matching);
        to = least_loaded(matching);
    }
}

void matching_run(struct matching *matching)
{
    size_t giver = NO_NODE;
    size_t receiver = NO_NODE;
    while (choose_pair(matching, &giver, &receiver)) {
        step(matching, giver, receiver);
    }
    if (!PLANNER_BUG(DRAIN_REST)) {
        drain_rest(matching);
    }
    if (!PLANNER_BUG(NO_RELIEF)) {
        relieve(matching);
    }
}
