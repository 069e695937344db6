/* SPDX-License-Identifier: Apache-2.0 */
/* verify_compare.h — two streams of pieces of one column family, ours and another database's: are
 * they equal, and where do they part? What is the first record that differs?
 *
 * Up to their first difference both sides have the same pieces. Behind it only counts and digests
 * are taken. When the pieces are single records, the comparison is over with the first difference.
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

/* Of one side: what has come and is not compared yet. */
struct verify_queue {
    struct verify_piece *pieces;
    size_t first;
    size_t count;
    size_t capacity;
    bool ended; /* no more will come */
};

/* Zeroed, then begun. */
struct verify_compare {
    struct verify_queue queues[VERIFY_SIDE_COUNT];
    struct digest totals[VERIFY_SIDE_COUNT]; /* of what is compared */
    bool single;
    enum verify_order order;
    bool parted;               /* a piece differs */
    struct verify_place equal; /* up to here both are the same; its key is malloc'ed */
    bool found;                /* single: `difference` is one */
    struct haul_verify_difference difference;
};

void verify_compare_fini(struct verify_compare *compare);

/* A family from its start; `single` from the place `equal` of the comparison that found it to
 * differ. What was found before is forgotten, but for that place. */
void verify_compare_begin(struct verify_compare *compare, bool single, enum verify_order order);
/* Both sides will begin again at `equal`, or from the start when they have parted already. */
void verify_compare_rewind(struct verify_compare *compare);

/* Take the chunk's pieces, and compare as far as that goes. Errors: NO_MEMORY. */
enum haul_status verify_compare_put(struct verify_compare *compare, enum verify_side side,
                                    struct verify_chunk *chunk) HAUL_MUST_CHECK;
/* This side has no such family. */
void verify_compare_end_side(struct verify_compare *compare, enum verify_side side);

/* How many pieces of a side wait for the other's? */
size_t verify_compare_waiting(const struct verify_compare *compare, enum verify_side side);
bool verify_compare_is_over(const struct verify_compare *compare);

#endif
