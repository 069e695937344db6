/* SPDX-License-Identifier: Apache-2.0 */
/* stream_position.h — the position of a stream on the target: how far its records are durable.
 * Appliers report it, the journal records it, and a resumed job starts from it. Thread: one at a
 * time for each position. */
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
    bool finished;        /* its last batch is durable */
    struct digest digest; /* of the records up to here */
    /* Empty: the empty key, or none; a finished stream has none. Malloc'ed where positions are
     * reported or restored, borrowed where a journal reads or writes them. */
    struct haul_slice last_key;
    /* A job can resume from here. It cannot if the key is longer than a position may carry, or if
     * it is the empty key but not the first one, because a scan from the empty key starts at the
     * beginning of the family. */
    bool resumable;
};

/* PlanAccepted carries one position for each stream under way, at most as many as there are
 * readers: longer keys would not all fit into a control message. */
enum { POSITION_KEY_BYTES_MAX = 8 << 10 };

/* Are there any records up to here, so that last_key is a key? The empty key is a valid key. */
static inline bool stream_position_has_key(const struct stream_position *position)
{
    return position->digest.count > 0;
}
/* Frees a malloc'ed key. */
void stream_position_fini(struct stream_position *position);

#endif
