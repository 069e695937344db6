/* SPDX-License-Identifier: Apache-2.0 */
/* applier.h — the threads that check and apply what the links received.
 *
 * The loop thread hands over received blocks and takes notes back; it never touches the store. A
 * stream belongs to one thread (stream number modulo thread count), so its batches stay in order.
 *
 * A block whose memory the peer can still write is copied first. Checksum or seal cover the copy,
 * so the checked bytes are the applied bytes. */
#ifndef HAUL_APPLIER_H
#define HAUL_APPLIER_H

#include <stdbool.h>
#include <stdint.h>

#include "apply_stream.h"
#include "block_pool.h"
#include "block_seal.h"
#include "clock.h"
#include "link.h"

struct applier;

struct applier_options {
    struct haul_store *store;
    const struct plan *plan; /* borrowed; target ids filled in */
    enum haul_lane lane;     /* INGEST, WRITE_BATCH; AUTO is resolved already */
    uint32_t thread_count;
    uint32_t slot_size_bytes;
    uint32_t block_count_max; /* blocks lent at the same time, at most */
    uint64_t table_size_bytes;
    uint64_t ledger_bytes_max;     /* of the keys that deltas touch; 0: the ledger's default */
    const char *staging_directory; /* exists */
    const char *job;               /* hexadecimal, for file names */
    const struct stream_position *positions; /* one a stream of the plan, or NULL */
    /* Digests of the present range, one a family, when it may contain deltas already; NULL: the sum
     * of the streams' digests counts. Borrowed. */
    const struct digest *base_digests;
    uint64_t delta_next_batch;
    const struct haul_log *log;
    const struct haul_hooks *hooks; /* borrowed; NULL: none */
    struct block_key key;           /* opens the blocks */
};

enum applier_note_type {
    APPLIER_FREED,   /* `block` of `link` may be reused */
    APPLIER_APPLIED, /* a batch took effect */
    APPLIER_DURABLE, /* `positions` are durable; the receiver frees them */
    APPLIER_FLUSHED, /* answers applier_flush: everything taken before it is durable */
    APPLIER_FAILED,  /* `error`: the job cannot go on; blocks are still freed */
};

struct applier_note {
    enum applier_note_type type;
    struct link *link;
    struct block *block;
    uint32_t stream;
    uint32_t records;
    uint64_t bytes; /* of payload */
    bool stream_finished;
    size_t position_count;
    struct stream_position *positions; /* malloc'ed array of malloc'ed parts */
    struct haul_error error;
};

enum haul_status applier_create(const struct applier_options *options, struct applier **applier,
                                struct haul_error *error) HAUL_MUST_CHECK;
/* The threads apply nothing more, and end as soon as their store calls return. */
void applier_stop(struct applier *applier);
/* Stop the threads and wait for them. Unapplied blocks are dropped; their links belong to the
 * caller. */
void applier_destroy(struct applier *applier);

/* Hand a received block over. There is always room for `block_count_max`. */
void applier_take(struct applier *applier, struct link *link, struct block *block);
/* Make everything taken so far durable; every thread answers with FLUSHED. */
void applier_flush(struct applier *applier);

/* The next note. Errors: AGAIN. */
enum haul_status applier_note(struct applier *applier, struct applier_note *note) HAUL_MUST_CHECK;
/* Readable while there is a note. */
int applier_fd(const struct applier *applier);
uint32_t applier_thread_count(const struct applier *applier);

/* Records written in batches so far: each took one sequence number of the store. Valid only after
 * FLUSHED, like the next function. */
uint64_t applier_written_records(const struct applier *applier);
/* Digest of one family of the plan: its snapshot streams, changed by the deltas. Only while the
 * threads have no block (after FLUSHED). Errors: LIMIT and others: the digest is unknown, scan the
 * range. */
enum haul_status applier_family_digest(const struct applier *applier, uint32_t family,
                                       struct digest *digest) HAUL_MUST_CHECK;
/* Batches of the delta stream applied. Same condition. */
uint64_t applier_delta_batches(const struct applier *applier);
/* Blocks whose checksum or seal did not match. Thread: any. */
uint64_t applier_crc_errors(const struct applier *applier);

#endif
