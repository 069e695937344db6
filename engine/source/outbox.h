/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.h — between the readers and the loop thread: free blocks go in one direction, filled
 * blocks in the other. It holds the size of the next batch, and stops all readers at the end.
 *
 * Thread: outbox_acquire, outbox_emit and outbox_give_back from any reader; the rest as noted. */
#ifndef HAUL_OUTBOX_H
#define HAUL_OUTBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "block_pool.h"
#include "block_seal.h"
#include "byte_gate.h"
#include "digest.h"
#include "mailbox.h"

struct outbox {
    struct block_pool *pool;
    struct mailbox *filled;           /* struct block * */
    atomic_uint_fast32_t batch_bytes; /* wanted payload of the next batch; set by the loop thread */
    uint32_t payload_bytes_max;       /* of a block */
    atomic_uint_fast64_t waits;       /* of readers for a free block */
    atomic_bool packs;                /* fill blocks with compressed payloads; the loop sets it */
    atomic_uint_fast64_t raw_bytes;   /* of payloads that a reader tried to compress */
    atomic_uint_fast64_t packed_bytes;
    atomic_uint_fast64_t pack_ns;
    struct byte_gate pieces; /* limits batches larger than a block that are under way */
    uint64_t epoch;
    const struct digest_key *digest_key; /* borrowed; NULL: none */
    struct block_key key;                /* seals payloads, on the reader's thread */
};

/* Creates its own pool. Errors: NO_MEMORY, LIMIT. */
enum haul_status outbox_init(struct outbox *outbox, uint32_t block_count, uint32_t block_size_bytes,
                             uint64_t epoch, struct haul_error *error) HAUL_MUST_CHECK;
void outbox_fini(struct outbox *outbox);

/* Change the number of blocks, to at most that of outbox_init, before any block is acquired and
 * while no link uses the pool. After an error the pool is unchanged. Errors: NO_MEMORY. */
enum haul_status outbox_resize(struct outbox *outbox, uint32_t block_count,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* Seal the payloads from now on; before any block is acquired. Payloads get shorter by the tag. */
void outbox_seal(struct outbox *outbox, const struct block_key *key);

/* Wait for a free block to fill. Errors: CLOSED (the job ends). */
enum haul_status outbox_acquire(struct outbox *outbox, struct block **block) HAUL_MUST_CHECK;
/* Checksum or seal the payload and pass the block to the loop. Takes the block even on error.
 * Errors: CLOSED, those of block_seal. */
enum haul_status outbox_emit(struct outbox *outbox, struct block *block) HAUL_MUST_CHECK;
/* Return a block that is not needed, or that its link has released. Thread: any. */
void outbox_give_back(struct outbox *outbox, struct block *block);
/* Reserve `bytes` before the first fragment of a batch; its last block returns them. The target
 * joins the fragments in memory, so the bytes under way are limited (FRAGMENT_SESSION_BYTES_MAX).
 * Waits. The caller holds no block. Errors: CLOSED. */
enum haul_status outbox_reserve(struct outbox *outbox, uint64_t bytes) HAUL_MUST_CHECK;

/* Loop thread: the next filled block; NULL: none at present. */
struct block *outbox_take(struct outbox *outbox);
/* Any thread: wake every reader with CLOSED. */
void outbox_close(struct outbox *outbox);

#endif
