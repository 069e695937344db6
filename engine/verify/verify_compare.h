/* SPDX-License-Identifier: Apache-2.0 */
/* verify_compare.h — compares two streams of pieces of one column family, ours and another
 * database's: are they equal, where do they differ first, and in which record?
 *
 * Up to their first difference both sides have the same pieces. Behind it only counts and digests
 * are added up. When the pieces are single records, the comparison ends at the first difference.
 *
 * No clock, no I/O. Thread: its owner's. */
#ifndef HAUL_VERIFY_COMPARE_H
#define HAUL_VERIFY_COMPARE_H

#include "haul/verify.h"
#include "verify_reader.h"

enum verify_side { VERIFY_OURS, VERIFY_THEIRS, VERIFY_SIDE_COUNT };

enum verify_order {
    VERIFY_ORDER_UNKNOWN, /* the order of two keys is unknown */
    VERIFY_ORDER_ASCENDING,
    VERIFY_ORDER_DESCENDING,
};

/* Pieces of one side that have come and are not compared yet. */
struct verify_queue {
    struct verify_piece *pieces;
    size_t first;
    size_t count;
    size_t capacity;
    bool ended; /* no more pieces will come */
};

/* Zeroed, then begun. */
struct verify_compare {
    struct verify_queue queues[VERIFY_SIDE_COUNT];
    struct digest totals[VERIFY_SIDE_COUNT]; /* of all compared pieces */
    bool single;
    enum verify_order order;
    bool parted;               /* a piece differs */
    struct verify_place equal; /* both are equal up to here; its key is malloc'ed */
    bool found;                /* single: `difference` is valid */
    struct haul_verify_difference difference;
};

void verify_compare_fini(struct verify_compare *compare);

/* Begin a family at its start; with `single`, at the place `equal` of the comparison that found the
 * difference. Earlier results are dropped, except that place. */
void verify_compare_begin(struct verify_compare *compare, bool single, enum verify_order order);
/* Both sides will start again at `equal`, or at the family's start if they have differed
 * already. */
void verify_compare_rewind(struct verify_compare *compare);

/* Take the chunk's pieces over, and compare as far as possible. Errors: NO_MEMORY. */
enum haul_status verify_compare_put(struct verify_compare *compare, enum verify_side side,
                                    struct verify_chunk *chunk) HAUL_MUST_CHECK;
/* This side has no such family. */
void verify_compare_end_side(struct verify_compare *compare, enum verify_side side);

/* The number of pieces of a side that wait for the other side's. */
size_t verify_compare_waiting(const struct verify_compare *compare, enum verify_side side);
bool verify_compare_is_over(const struct verify_compare *compare);

#endif
