/* SPDX-License-Identifier: Apache-2.0 */
/* block_pool.h — fixed blocks in one arena, registered once with the device that sends them.
 *
 * States of a block, each with the function that makes the step:
 *
 *   FREE --block_pool_acquire--> FILLING --link_submit--> IN_FLIGHT --DONE event--> FILLING
 *   FILLING --block_pool_release--> FREE          (receiver's blocks: FREE <-> LENT)
 *
 * Free blocks are reused last-in first-out, so that the blocks of a slow producer stay in the
 * cache. Thread: any, for acquire, release and close. */
#ifndef HAUL_BLOCK_POOL_H
#define HAUL_BLOCK_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/log.h"
#include "haul/slice.h"
#include "haul/status.h"
#include "slot_header.h"

enum block_state {
    BLOCK_FREE,      /* in the pool */
    BLOCK_FILLING,   /* the producer writes the payload */
    BLOCK_IN_FLIGHT, /* the link owns it until the DONE event */
    BLOCK_LENT,      /* received; the consumer reads it until link_release */
};

struct block {
    uint8_t *data;             /* slot_size_bytes: header bytes, then the payload */
    struct slot_header header; /* sender: to be sent; receiver: as received and checked */
    uint32_t index;            /* in its arena */
    enum block_state state;
    /* Sender: a hint that the peer should process the block at once, because none follows soon. */
    bool urgent;
    uint64_t reserved_bytes; /* sender: bytes that the producer gives back with the block; 0 when
                              * acquired */
    /* Receiver: for block_take_payload only. Can the peer still write to the block? And was the
     * CRC32C of the payload computed on arrival, in memory that only this process can write? */
    bool peer_writable;
    bool payload_crc_known;
    uint32_t payload_crc_seen;
};

static inline uint8_t *block_payload(const struct block *block)
{
    return block->data + SLOT_HEADER_BYTES;
}

/* Returns the payload of a received block in memory that no peer can write, with its CRC32C checked
 * against the header. If the peer still could write to the block, the payload is copied to `copy`,
 * which must have room for it: then `payload->data == copy`, and the block may be released at once.
 * Otherwise the payload lies in the block until the block is released. `copy` NULL: the payload is
 * checked in place and not copied, for a caller that does not use the bytes.
 * Errors: CORRUPT (`*crc` is that of the payload). Thread: any. */
enum haul_status block_take_payload(const struct block *block, uint8_t *copy,
                                    struct haul_slice *payload, uint32_t *crc) HAUL_MUST_CHECK;

struct block_pool;

/* One arena of slot_count x slot_size_bytes, from pages_map. Errors: NO_MEMORY. */
enum haul_status block_pool_create(uint32_t block_count, uint32_t block_size_bytes,
                                   const struct haul_log *log, struct block_pool **pool,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* All blocks must be FREE or the pool closed. */
void block_pool_destroy(struct block_pool *pool);

uint8_t *block_pool_arena(const struct block_pool *pool, uint64_t *size_bytes);
uint32_t block_pool_count(const struct block_pool *pool);
uint32_t block_pool_block_size_bytes(const struct block_pool *pool);
/* Direct access by index, for backends. */
struct block *block_pool_at(struct block_pool *pool, uint32_t index);

/* Take a free block, waiting until `deadline_ns` (monotonic; 0: do not wait). Waiters are served in
 * turn. The block is FILLING, with a zeroed header. Errors: TIMEOUT (AGAIN if the deadline is 0),
 * CLOSED. */
enum haul_status block_pool_acquire(struct block_pool *pool, uint64_t deadline_ns,
                                    struct block **block) HAUL_MUST_CHECK;
void block_pool_release(struct block_pool *pool, struct block *block);

/* The number of current waiters. */
uint32_t block_pool_waiter_count(struct block_pool *pool);

/* Wake all waiters with CLOSED; further acquires fail. */
void block_pool_close(struct block_pool *pool);

#endif
