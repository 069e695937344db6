/* SPDX-License-Identifier: Apache-2.0 */
/* run_list.c — pieces are searched in the sums over slots, so a cut costs a look at each run. */
#include "run_list.h"

#include <string.h>

#include "assertion.h"
#include "planner_bug.h"

/* An end of a run that misses the wanted load by at most this part of it is near enough: a piece
 * from the middle would leave the giver with two runs. */
enum { NEAR_PART = 64 };

uint64_t run_list_load(const struct run_list *list, const struct slot_run *run)
{
    return list->load_sums[run->end] - list->load_sums[run->first];
}

uint64_t run_list_bytes(const struct run_list *list, const struct slot_run *run)
{
    return list->byte_sums[run->end] - list->byte_sums[run->first];
}

void run_list_init(struct run_list *list, const uint16_t *owners, size_t slot_count,
                   const uint64_t *load_sums, const uint64_t *byte_sums)
{
    haul_assert(slot_count <= CLUSTER_SLOT_COUNT);
    list->count = 0;
    list->load_sums = load_sums;
    list->byte_sums = byte_sums;
    for (uint32_t slot = 0; slot < slot_count; slot++) {
        struct slot_run *last = list->count == 0 ? NULL : &list->runs[list->count - 1];
        if (last != NULL && last->owner == owners[slot]) {
            last->end++;
        } else {
            list->runs[list->count++] = (struct slot_run){slot, slot + 1, owners[slot]};
        }
    }
}

/* --- searching -------------------------------------------------------------------------------- */

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a < b ? b - a : a - b;
}

/* The slot in `run` before which the load since its beginning is nearest to `load`. */
static uint32_t nearest_cut(const struct run_list *list, const struct slot_run *run, uint64_t load)
{
    const uint64_t *sums = list->load_sums;
    uint64_t goal = sums[run->first] + load;
    uint32_t low = run->first;
    uint32_t high = run->end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sums[middle] < goal) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool before = low > run->first && distance(sums[low - 1], goal) <= distance(sums[low], goal);
    return before ? low - 1 : low;
}

struct neighbours {
    bool before;
    bool after;
};

/* Does `to` own what lies before or after the run? */
static struct neighbours neighbours_of(const struct run_list *list, size_t index, uint32_t to)
{
    return (struct neighbours){
        .before = index > 0 && list->runs[index - 1].owner == to,
        .after = index + 1 < list->count && list->runs[index + 1].owner == to,
    };
}

/* Of a run that has more than is wanted: the end that joins the receiver's slots, or comes nearer.
 * May be empty. */
static struct slot_run end_of(const struct run_list *list, size_t index,
                              const struct piece_request *request)
{
    const struct slot_run *run = &list->runs[index];
    struct neighbours joins = neighbours_of(list, index, request->to);
    struct slot_run head = {run->first, nearest_cut(list, run, request->load), run->owner};
    uint64_t rest = run_list_load(list, run) - request->load;
    struct slot_run tail = {nearest_cut(list, run, rest), run->end, run->owner};
    if (joins.before != joins.after) {
        return joins.before ? head : tail;
    }
    uint64_t head_error = distance(run_list_load(list, &head), request->load);
    uint64_t tail_error = distance(run_list_load(list, &tail), request->load);
    return tail_error < head_error ? tail : head;
}

/* The piece of all runs of the giver that comes nearest. Two ends move through each run. */
static struct slot_run nearest_window(const struct run_list *list,
                                      const struct piece_request *request, struct slot_run best)
{
    uint64_t error = distance(run_list_load(list, &best), request->load);
    for (size_t i = 0; i < list->count && error > 0; i++) {
        struct slot_run window = list->runs[i];
        uint32_t end = window.end;
        if (window.owner != request->from) {
            continue;
        }
        window.end = window.first;
        while (window.end < end) {
            window.end++;
            while (window.first < window.end) {
                uint64_t load = run_list_load(list, &window);
                if (distance(load, request->load) < error) {
                    error = distance(load, request->load);
                    best = window;
                }
                if (load <= request->load) {
                    break;
                }
                window.first++;
            }
        }
    }
    return best;
}

/* --- choosing --------------------------------------------------------------------------------- */

enum rank { RANK_NONE, RANK_SHORT, RANK_LONG, RANK_JOINS, RANK_EXACT };

static enum rank rank_of(const struct run_list *list, size_t index,
                         const struct piece_request *request)
{
    uint64_t load = run_list_load(list, &list->runs[index]);
    struct neighbours joins = neighbours_of(list, index, request->to);
    if (load == request->load) {
        return RANK_EXACT;
    }
    if (load < request->load) {
        return RANK_SHORT;
    }
    return joins.before || joins.after ? RANK_JOINS : RANK_LONG;
}

static bool is_better(const struct run_list *list, size_t index, size_t than, enum rank rank)
{
    uint64_t load = run_list_load(list, &list->runs[index]);
    uint64_t other = run_list_load(list, &list->runs[than]);
    bool shorter = PLANNER_BUG(SMALLEST_FIRST) || rank != RANK_SHORT;
    return shorter ? load < other : load > other;
}

/* Index of the run to cut; `count`: none. */
static size_t choose_run(const struct run_list *list, const struct piece_request *request,
                         enum rank *best_rank)
{
    size_t best = list->count;
    *best_rank = RANK_NONE;
    for (size_t i = 0; i < list->count; i++) {
        if (list->runs[i].owner != request->from) {
            continue;
        }
        enum rank rank = rank_of(list, i, request);
        if (rank > *best_rank || (rank == *best_rank && is_better(list, i, best, rank))) {
            best = i;
            *best_rank = rank;
        }
    }
    return best;
}

/* Shorten the piece to its limits, from the end that does not join the receiver's slots. */
static void shorten(const struct run_list *list, const struct piece_request *request, bool head,
                    struct slot_run *piece)
{
    while (piece->end - piece->first > 1 &&
           (piece->end - piece->first > request->slots_max + PLANNER_BUG(CUT_LONG) ||
            run_list_bytes(list, piece) > request->bytes_max)) {
        if (head) {
            piece->end--;
        } else {
            piece->first++;
        }
    }
    if (PLANNER_BUG(CUT_SHORT) && piece->end - piece->first > 1) {
        piece->end--;
    }
}

bool run_list_piece(const struct run_list *list, const struct piece_request *request,
                    struct slot_run *piece)
{
    enum rank rank = RANK_NONE;
    size_t index = choose_run(list, request, &rank);
    if (rank == RANK_NONE) {
        return false;
    }
    const struct slot_run *run = &list->runs[index];
    bool whole = rank == RANK_SHORT || rank == RANK_EXACT;
    *piece = whole ? *run : end_of(list, index, request);
    uint64_t error = distance(run_list_load(list, piece), request->load);
    if (!whole && error > request->load / NEAR_PART) {
        *piece = nearest_window(list, request, *piece);
    }
    if (piece->first == piece->end) {
        return false;
    }
    bool tail = piece->end == run->end && neighbours_of(list, index, request->to).after;
    shorten(list, request, !tail, piece);
    return true;
}

/* --- changing --------------------------------------------------------------------------------- */

static void insert(struct run_list *list, size_t index, struct slot_run run)
{
    haul_assert(list->count < CLUSTER_SLOT_COUNT);
    memmove(&list->runs[index + 1], &list->runs[index],
            (list->count - index) * sizeof(list->runs[0]));
    list->runs[index] = run;
    list->count++;
}

/* Join the run with its predecessor, if both have one owner. */
static void join(struct run_list *list, size_t index)
{
    if (index == 0 || index >= list->count ||
        list->runs[index - 1].owner != list->runs[index].owner) {
        return;
    }
    list->runs[index - 1].end = list->runs[index].end;
    list->count--;
    memmove(&list->runs[index], &list->runs[index + 1],
            (list->count - index) * sizeof(list->runs[0]));
}

void run_list_give(struct run_list *list, const struct slot_run *piece, uint32_t owner)
{
    size_t index = 0;
    while (list->runs[index].end <= piece->first) {
        index++;
    }
    struct slot_run run = list->runs[index];
    haul_assert(run.first <= piece->first && piece->end <= run.end);
    list->runs[index] = (struct slot_run){piece->first, piece->end, owner};
    if (piece->end < run.end) {
        insert(list, index + 1, (struct slot_run){piece->end, run.end, run.owner});
    }
    if (run.first < piece->first) {
        insert(list, index, (struct slot_run){run.first, piece->first, run.owner});
        index++;
    }
    join(list, index + 1);
    join(list, index);
}
