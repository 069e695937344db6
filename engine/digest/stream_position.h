/* SPDX-License-Identifier: Apache-2.0 */
/* stream_position.h — how far the records of a stream are durable on the target: the appliers
 * report it, the journal records it, and a resumed job starts from it. Thread: one at a time for
 * each position. */
#ifndef HAUL_STREAM_POSITION_H
#define HAUL_STREAM_POSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "haul/slice.h"

/* The durable part of a stream: the point from which to continue after a crash. */
struct stream_position {
    uint32_t stream;
    uint64_t next_batch;
    bool finished;        /* its last batch is in */
    struct digest digest; /* of the records up to here */
    /* Of no bytes: the empty key, or none; a finished stream has none. Malloc'ed where positions
     * are reported or restored; borrowed where a journal reads or writes them. */
    struct haul_slice last_key;
    /* A job can resume from here. It cannot from a key that is longer than a position may carry,
     * nor from the empty key where it is not the first one: as the start of a scan that means the
     * beginning of the family. */
    bool resumable;
};

/* PlanAccepted carries one position of each stream under way, of which there are as many as readers
 * at most: longer keys would not all fit a control message. */
enum { POSITION_KEY_BYTES_MAX = 8 << 10 };

/* Is there a record up to here, and last_key its key? The empty key is one like any other. */
static inline bool stream_position_has_key(const struct stream_position *position)
{
    return position->digest.count > 0;
}
/* Frees a key that was malloc'ed. */
void stream_position_fini(struct stream_position *position);

#endif
