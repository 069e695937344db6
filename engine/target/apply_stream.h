/* SPDX-License-Identifier: Apache-2.0 */
/* apply_stream.h — the receiving end of one stream: checks everything, applies each batch once.
 *
 * The checks of every batch, in this order, before anything reaches the store:
 *   A1 its number is the next one of the stream (an earlier one is a repetition: dropped, counted)
 *   A2 fragments are joined; only a complete batch is passed on
 *   A3 the walk of the representation is sound to the last byte, and its count is the header's
 *   A4 every record is one that this lane may carry (snapshot: Put; delta: Put, Delete,
 *      DeleteRange), of a family of the plan, with its keys inside the announced range; a delta may
 *      also carry LogData
 *   A5 keys of a snapshot stream ascend strictly, across batches too (descend in families in
 *      reverse order; no check in other orders; only the first POSITION_KEY_BYTES_MAX bytes of
 *      the last key of a batch are kept)
 *
 * The caller has compared the checksum, on memory that the peer cannot write (applier.c).
 * Thread: the applier that owns the stream. */
#ifndef HAUL_APPLY_STREAM_H
#define HAUL_APPLY_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "apply_lane.h"
#include "digest.h"
#include "fragment.h"
#include "haul/migration.h"
#include "ledger_base.h"
#include "memory_budget.h"
#include "plan.h"
#include "slot_header.h"
#include "stream_position.h"

/* What all streams of a session may hold together, whatever a peer sends. */
struct apply_limits {
    struct memory_budget fragments;
    struct memory_budget tables; /* counts open table files, each with buffers of its own */
};

/* Twice the number of a source's readers: streams of several links end in any order. */
enum { APPLY_TABLE_COUNT_MAX = 128 };

void apply_limits_init(struct apply_limits *limits);

struct apply_stream {
    struct haul_store *store;
    const struct plan *plan;
    const struct plan_stream *stream; /* NULL: the delta stream */
    int order;                        /* of its keys: 1 ascending, -1 descending, 0 unknown */
    struct apply_lane *lane;
    struct fragment_assembly fragments;
    uint64_t next_batch;
    bool finished;
    struct digest digest;
    bool has_key; /* last_key is the key of the last record */
    /* Only the beginning of a key that is too long for a position; keys with the same beginning
     * then count as behind it, too. */
    uint8_t *last_key;
    size_t last_key_size;
    size_t last_key_capacity;
    bool last_key_is_cut;
    uint64_t repeated_batches;
    bool dirty; /* has moved since the last position was taken */
    /* Delta stream: how the deltas have changed the digests. */
    struct ledger_base base;
    struct digest_ledger *ledger;
};

struct apply_stream_options {
    struct haul_store *store;
    const struct plan *plan;
    const struct plan_stream *stream; /* NULL: the delta stream */
    const struct apply_lane_ops *lane;
    uint64_t table_size_bytes;
    const char *staging_stem;               /* for lanes that stage files */
    const struct stream_position *position; /* continue from here; NULL: from the start */
    struct apply_limits *limits;            /* shared by the streams of a session; NULL: none */
    uint64_t ledger_bytes_max;              /* of the delta stream; 0: the ledger's default */
    const struct haul_hooks *hooks;         /* borrowed; NULL: none */
};

/* Errors: NO_MEMORY, LIMIT. Thread: any, before the owner takes it. */
enum haul_status apply_stream_init(struct apply_stream *stream,
                                   const struct apply_stream_options *options,
                                   struct haul_error *error) HAUL_MUST_CHECK;
void apply_stream_fini(struct apply_stream *stream);

/* Is it the next batch? apply_stream_take ignores earlier ones. */
bool apply_stream_awaits(const struct apply_stream *stream, const struct slot_header *header);
/* Apply one block's payload, whose checksum is right. `*records`: the number of records that took
 * effect (0 for a fragment or a repetition). Errors: PROTOCOL, CORRUPT, STORE, NO_SPACE, IO. */
enum haul_status apply_stream_take(struct apply_stream *stream, const struct slot_header *header,
                                   struct haul_slice payload, uint64_t *records,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Is it time to make applied batches durable? `pauses`: the thread is idle. */
bool apply_stream_wants_flush(const struct apply_stream *stream, bool pauses);
/* Makes the stream durable; where the lane syncs the log, a sync of the store must follow. */
enum haul_status apply_stream_flush(struct apply_stream *stream,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* A copy of the stream's position; durable if it was flushed or synced just before. Clears `dirty`.
 * Errors: NO_MEMORY. */
enum haul_status apply_stream_position(struct apply_stream *stream,
                                       struct stream_position *position) HAUL_MUST_CHECK;

#endif
