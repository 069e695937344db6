/* SPDX-License-Identifier: Apache-2.0 */
/* verify_compare.c — compares piece by piece, up to the first that differs. */
#include "verify_compare.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

/* --- queues ----------------------------------------------------------------------------------- */

static void clear_queue(struct verify_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++) {
        verify_key_free(&queue->pieces[queue->first + i].key);
    }
    queue->first = 0;
    queue->count = 0;
    queue->ended = false;
}

static bool make_room(struct verify_queue *queue, size_t more)
{
    if (queue->count > 0 && queue->first > 0) {
        memmove(queue->pieces, queue->pieces + queue->first,
                queue->count * sizeof(queue->pieces[0]));
    }
    queue->first = 0;
    size_t needed = queue->count + more;
    if (needed <= queue->capacity) {
        return true;
    }
    struct verify_piece *pieces = realloc(queue->pieces, needed * sizeof(*pieces));
    if (pieces == NULL) {
        return false;
    }
    queue->pieces = pieces;
    queue->capacity = needed;
    return true;
}

static struct verify_piece *front(struct verify_queue *queue)
{
    return queue->count > 0 ? &queue->pieces[queue->first] : NULL;
}

/* Add the first piece to the totals and drop it. */
static void take_front(struct verify_compare *compare, enum verify_side side)
{
    struct verify_queue *queue = &compare->queues[side];
    digest_join(&compare->totals[side], &queue->pieces[queue->first].digest);
    verify_key_free(&queue->pieces[queue->first].key);
    queue->first++;
    queue->count--;
}

/* --- life ------------------------------------------------------------------------------------- */

static void forget_place(struct verify_compare *compare)
{
    verify_key_free(&compare->equal.key);
    compare->equal = (struct verify_place){.range = 0};
}

static void forget_difference(struct verify_compare *compare)
{
    verify_key_free(&compare->difference.key);
    compare->found = false;
}

void verify_compare_fini(struct verify_compare *compare)
{
    for (size_t i = 0; i < VERIFY_SIDE_COUNT; i++) {
        clear_queue(&compare->queues[i]);
        free(compare->queues[i].pieces);
    }
    forget_place(compare);
    forget_difference(compare);
    memset(compare, 0, sizeof(*compare));
}

static void forget_pieces(struct verify_compare *compare)
{
    for (size_t i = 0; i < VERIFY_SIDE_COUNT; i++) {
        clear_queue(&compare->queues[i]);
    }
}

void verify_compare_begin(struct verify_compare *compare, bool single, enum verify_order order)
{
    forget_pieces(compare);
    forget_difference(compare);
    memset(compare->totals, 0, sizeof(compare->totals));
    compare->parted = false;
    compare->single = single;
    compare->order = order;
    if (!single) {
        forget_place(compare);
    }
}

void verify_compare_rewind(struct verify_compare *compare)
{
    forget_pieces(compare);
    if (compare->parted) {
        verify_compare_begin(compare, compare->single, compare->order);
    }
}

/* --- comparing -------------------------------------------------------------------------------- */

static bool is_same(const struct verify_piece *a, const struct verify_piece *b)
{
    return a->range == b->range && digest_equal(&a->digest, &b->digest);
}

/* Move `equal` behind this piece of ours. */
static void move_place(struct verify_compare *compare, struct verify_piece *piece)
{
    struct verify_place *place = &compare->equal;
    verify_key_free(&place->key);
    place->range = piece->ends_range ? piece->range + 1 : piece->range;
    place->behind_key = !piece->ends_range;
    place->key = piece->key;
    piece->key = (struct haul_slice){NULL, 0};
}

/* Below 0: our record comes first. A longer key counts only up to the size that the wire
 * carries. */
static int order_of(const struct verify_compare *compare, const struct verify_piece *ours,
                    const struct verify_piece *theirs)
{
    if (ours->range != theirs->range) {
        return ours->range < theirs->range ? -1 : 1;
    }
    struct haul_slice key = ours->key;
    bool cut = theirs->key.size == VERIFY_WIRE_KEY_BYTES_MAX && key.size > theirs->key.size;
    key.size = cut ? theirs->key.size : key.size;
    int order = slice_compare(key, theirs->key);
    return compare->order == VERIFY_ORDER_DESCENDING ? -order : order;
}

/* The first records of both sides differ; one may be missing because its side has ended. */
static void find(struct verify_compare *compare, struct verify_piece *ours,
                 struct verify_piece *theirs)
{
    int order = ours == NULL ? 1 : theirs == NULL ? -1 : order_of(compare, ours, theirs);
    struct haul_verify_difference *difference = &compare->difference;
    difference->in_a = order <= 0;
    difference->in_b = order >= 0;
    struct verify_piece *first = order <= 0 ? ours : theirs;
    difference->key = first->key;
    first->key = (struct haul_slice){NULL, 0};
    compare->found = true;
}

/* Compare as far as both sides have pieces. */
static void compare_all(struct verify_compare *compare)
{
    struct verify_queue *ours = &compare->queues[VERIFY_OURS];
    struct verify_queue *theirs = &compare->queues[VERIFY_THEIRS];
    while (!compare->parted && (front(ours) != NULL || front(theirs) != NULL)) {
        if ((front(ours) == NULL && !ours->ended) || (front(theirs) == NULL && !theirs->ended)) {
            return; /* that side is behind */
        }
        if (front(ours) != NULL && front(theirs) != NULL && is_same(front(ours), front(theirs))) {
            move_place(compare, front(ours));
            take_front(compare, VERIFY_OURS);
            take_front(compare, VERIFY_THEIRS);
        } else {
            compare->parted = true;
        }
    }
    if (compare->parted && compare->single && !compare->found) {
        find(compare, front(ours), front(theirs));
    }
    for (int i = 0; compare->parted && i < VERIFY_SIDE_COUNT; i++) {
        while (compare->queues[i].count > 0) {
            take_front(compare, (enum verify_side)i);
        }
    }
}

enum haul_status verify_compare_put(struct verify_compare *compare, enum verify_side side,
                                    struct verify_chunk *chunk)
{
    struct verify_queue *queue = &compare->queues[side];
    haul_assert(!queue->ended);
    if (!make_room(queue, chunk->count)) {
        return HAUL_NO_MEMORY;
    }
    for (size_t i = 0; i < chunk->count; i++) {
        queue->pieces[queue->first + queue->count++] = chunk->pieces[i];
    }
    queue->ended = chunk->ended;
    chunk->count = 0; /* taken over, with their keys */
    compare_all(compare);
    return HAUL_OK;
}

void verify_compare_end_side(struct verify_compare *compare, enum verify_side side)
{
    compare->queues[side].ended = true;
    compare_all(compare);
}

size_t verify_compare_waiting(const struct verify_compare *compare, enum verify_side side)
{
    return compare->queues[side].count;
}

bool verify_compare_is_over(const struct verify_compare *compare)
{
    const struct verify_queue *ours = &compare->queues[VERIFY_OURS];
    const struct verify_queue *theirs = &compare->queues[VERIFY_THEIRS];
    return compare->found ||
           (ours->ended && theirs->ended && ours->count == 0 && theirs->count == 0);
}
