/* SPDX-License-Identifier: Apache-2.0 */
/* wave.c — waves are the colours of the edges of a bipartite graph: givers on one side, receivers
 * on the other, an edge for each move. By Kőnig's theorem as many colours are enough as the node
 * with the most moves has: when both ends of a new edge have no colour free in common, one colour
 * that is free at the giver and one that is free at the receiver change places along a path from
 * the receiver, which cannot come back to the giver.
 *
 * A node that takes several jobs at once stands for as many places, with its moves dealt out to
 * them. Waves that have more moves than may run at once give some to others, by exchanging two
 * colours along a path that has one more of the first. */
#include "wave.h"

#include <stdlib.h>

#include "assertion.h"
#include "planner_bug.h"

#define NO_MOVE UINT32_MAX

struct wave_table {
    struct planner_move *moves;
    size_t move_count;
    uint32_t wave_count;
    uint32_t *places[2]; /* of each move: that of its giver, that of its receiver */
    uint32_t *at;        /* by place and wave: the move that is there */
    uint32_t *sizes;     /* moves of each wave */
};

static uint32_t *cell(struct wave_table *table, uint32_t place, uint32_t wave)
{
    return &table->at[(size_t)place * table->wave_count + wave];
}

static uint32_t free_wave(struct wave_table *table, uint32_t place)
{
    uint32_t wave = 0;
    while (*cell(table, place, wave) != NO_MOVE) {
        wave++;
        haul_assert(wave < table->wave_count);
    }
    return wave;
}

/* The first wave in which both places are free; `wave_count`: none. */
static uint32_t common_wave(struct wave_table *table, uint32_t giver, uint32_t receiver)
{
    uint32_t wave = 0;
    while (wave < table->wave_count &&
           (*cell(table, giver, wave) != NO_MOVE || *cell(table, receiver, wave) != NO_MOVE)) {
        wave++;
    }
    return wave;
}

/* Exchange waves `a` and `b` along the path that leaves `place` by its move in wave `a`; it has
 * none in `b`. */
static void exchange(struct wave_table *table, uint32_t place, uint32_t a, uint32_t b)
{
    uint32_t move = *cell(table, place, a);
    *cell(table, place, a) = NO_MOVE;
    while (move != NO_MOVE) {
        uint32_t other =
            table->places[0][move] == place ? table->places[1][move] : table->places[0][move];
        uint32_t next = *cell(table, other, b);
        *cell(table, place, b) = move;
        *cell(table, other, b) = move;
        table->moves[move].wave = b;
        table->sizes[a]--;
        table->sizes[b]++;
        if (next == NO_MOVE) {
            *cell(table, other, a) = NO_MOVE;
        }
        place = other;
        move = next;
        uint32_t swap = a;
        a = b;
        b = swap;
    }
}

static void put(struct wave_table *table, uint32_t move, uint32_t wave)
{
    for (int side = 0; side < 2; side++) {
        *cell(table, table->places[side][move], wave) = move;
    }
    table->moves[move].wave = wave;
    table->sizes[wave]++;
}

static void assign(struct wave_table *table, uint32_t move)
{
    uint32_t giver = table->places[0][move];
    uint32_t receiver = table->places[1][move];
    uint32_t wave = common_wave(table, giver, receiver);
    if (wave == table->wave_count) {
        wave = free_wave(table, giver);
        if (!PLANNER_BUG(WAVES_FIRST_FIT)) {
            exchange(table, receiver, wave, free_wave(table, receiver));
        }
    }
    put(table, move, wave);
}

/* --- evening out ------------------------------------------------------------------------------ */

/* Does the path from `place` by wave `a`, then `b`, ... have one more move of `a` than of `b`? */
static bool has_more(struct wave_table *table, uint32_t place, uint32_t a, uint32_t b)
{
    uint32_t wave = a;
    uint32_t move = *cell(table, place, wave);
    while (move != NO_MOVE) {
        place = table->places[0][move] == place ? table->places[1][move] : table->places[0][move];
        wave = wave == a ? b : a;
        move = *cell(table, place, wave);
    }
    return wave == b; /* the last move was of `a` */
}

/* Bring one move of wave `a` to wave `b`, which has fewer. */
static void even_out(struct wave_table *table, uint32_t place_count, uint32_t a, uint32_t b)
{
    for (uint32_t place = 0; place < place_count; place++) {
        if (*cell(table, place, a) != NO_MOVE && *cell(table, place, b) == NO_MOVE &&
            has_more(table, place, a, b)) {
            exchange(table, place, a, b);
            return;
        }
    }
    haul_unreachable();
}

static void limit_sizes(struct wave_table *table, uint32_t place_count, uint32_t parallel_max)
{
    for (uint32_t wave = 0; wave < table->wave_count;) {
        uint32_t smallest = 0;
        if (table->sizes[wave] <= parallel_max) {
            wave++;
            continue;
        }
        for (uint32_t i = 1; i < table->wave_count; i++) {
            smallest = table->sizes[i] < table->sizes[smallest] ? i : smallest;
        }
        even_out(table, place_count, wave, smallest);
    }
}

/* --- the table -------------------------------------------------------------------------------- */

static uint32_t quotient_up(size_t value, size_t divisor)
{
    return (uint32_t)((value + divisor - 1) / divisor);
}

/* The first place of each node, into `first`, with room for `node_count` + 1. Returns the number of
 * places. */
static uint32_t count_places(const struct planner_node *nodes, size_t node_count, uint32_t *first)
{
    first[0] = 0;
    for (size_t i = 0; i < node_count; i++) {
        first[i + 1] = first[i] + nodes[i].jobs_max + PLANNER_BUG(JOBS);
    }
    return first[node_count];
}

/* Deal the moves out to the places of their nodes; the waves that are needed. */
static uint32_t deal(struct wave_table *table, const struct planner_node *nodes,
                     const uint32_t *first, uint32_t *degrees)
{
    uint32_t most = 0;
    for (size_t i = 0; i < table->move_count; i++) {
        uint16_t ends[2] = {table->moves[i].from, table->moves[i].to};
        for (int side = 0; side < 2; side++) {
            uint32_t jobs_max = nodes[ends[side]].jobs_max + PLANNER_BUG(JOBS);
            uint32_t degree = degrees[ends[side]]++;
            table->places[side][i] = first[ends[side]] + degree % jobs_max;
            uint32_t needed = degree / jobs_max + 1;
            most = needed > most ? needed : most;
        }
    }
    return most;
}

static enum haul_status fill(struct wave_table *table, const struct planner_node *nodes,
                             size_t node_count, uint32_t parallel_max, uint32_t *scratch)
{
    uint32_t place_count = count_places(nodes, node_count, scratch);
    table->wave_count = deal(table, nodes, scratch, scratch + node_count + 1);
    uint32_t at_once = parallel_max == 0 ? UINT32_MAX : parallel_max;
    uint32_t by_parallel = quotient_up(table->move_count, at_once);
    if (by_parallel > table->wave_count && !PLANNER_BUG(PARALLEL)) {
        table->wave_count = by_parallel;
    }
    size_t cells = (size_t)place_count * table->wave_count;
    table->at = malloc((cells + 1) * sizeof(*table->at));
    table->sizes = calloc((size_t)table->wave_count + 1, sizeof(*table->sizes));
    if (table->at == NULL || table->sizes == NULL) {
        return HAUL_NO_MEMORY;
    }
    for (size_t i = 0; i < cells; i++) {
        table->at[i] = NO_MOVE;
    }
    for (uint32_t i = 0; i < table->move_count; i++) {
        assign(table, i);
    }
    if (!PLANNER_BUG(PARALLEL) && !PLANNER_BUG(WAVES_FIRST_FIT)) {
        limit_sizes(table, place_count, at_once);
    }
    return HAUL_OK;
}

/* --- order ------------------------------------------------------------------------------------ */

static int compare_bytes(const void *left, const void *right)
{
    const struct planner_move *a = left;
    const struct planner_move *b = right;
    if (a->bytes != b->bytes) {
        return a->bytes < b->bytes ? 1 : -1;
    }
    return (a->slots.first > b->slots.first) - (a->slots.first < b->slots.first);
}

static int compare_waves(const void *left, const void *right)
{
    const struct planner_move *a = left;
    const struct planner_move *b = right;
    if (a->wave != b->wave) {
        return a->wave < b->wave ? -1 : 1;
    }
    return compare_bytes(left, right);
}

enum haul_status wave_assign(struct planner_move *moves, size_t move_count,
                             const struct planner_node *nodes, size_t node_count,
                             uint32_t parallel_max, uint32_t *wave_count)
{
    struct wave_table table = {.moves = moves, .move_count = move_count};
    uint32_t *scratch = calloc(2 * node_count + 1, sizeof(*scratch));
    table.places[0] = calloc(move_count + 1, sizeof(uint32_t));
    table.places[1] = calloc(move_count + 1, sizeof(uint32_t));
    enum haul_status status = HAUL_NO_MEMORY;
    if (scratch != NULL && table.places[0] != NULL && table.places[1] != NULL) {
        /* Moves of one size meet in one wave, so that no small one waits for a large one. */
        if (move_count > 0) {
            qsort(moves, move_count, sizeof(*moves), compare_bytes);
        }
        status = fill(&table, nodes, node_count, parallel_max, scratch);
    }
    if (status == HAUL_OK && move_count > 0) {
        qsort(moves, move_count, sizeof(*moves), compare_waves);
    }
    *wave_count = table.wave_count;
    free(scratch);
    free(table.places[0]);
    free(table.places[1]);
    free(table.at);
    free(table.sizes);
    return status;
}
