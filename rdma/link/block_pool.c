/* SPDX-License-Identifier: Apache-2.0 */
/* block_pool.c — an arena, a stack of free blocks, and a queue of waiters. A released block goes to
 * the longest waiter, so no reader can take all blocks. */
#include "block_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "condition.h"
#include "crc32c.h"
#include "pages.h"
#include "planted_bug.h"

/* A waiter, in the memory of its own call. */
struct waiter {
    struct waiter *next;
    pthread_cond_t woken;
    struct block *granted; /* NULL: not yet */
};

struct block_pool {
    pthread_mutex_t lock;
    struct waiter *first_waiter; /* none while a block is free */
    struct waiter *last_waiter;
    struct pages arena;
    uint32_t block_count;
    uint32_t block_size_bytes;
    uint32_t free_count;
    bool closed;
    struct block *blocks;
    uint32_t *free_indexes; /* a stack: the last one released is the next one acquired */
};

enum haul_status block_take_payload(const struct block *block, uint8_t *copy,
                                    struct haul_slice *payload, uint32_t *crc)
{
    size_t size = block->header.payload_size_bytes;
    *payload = (struct haul_slice){.data = block_payload(block), .size = size};
    if (block->payload_crc_known) {
        *crc = block->payload_crc_seen;
    } else if (!block->peer_writable || copy == NULL) {
        *crc = crc32c(payload->data, size);
    } else if (HAUL_PLANTED_BUG(SLOT_CRC)) {
        *crc = crc32c(payload->data, size);
        payload->data = memcpy(copy, payload->data, size);
    } else {
        *crc = crc32c_copy(copy, payload->data, size);
        payload->data = copy;
    }
    bool sound = *crc == block->header.payload_crc || HAUL_PLANTED_BUG(SKIP_CRC);
    return sound ? HAUL_OK : HAUL_CORRUPT;
}

static void init_blocks(struct block_pool *pool)
{
    for (uint32_t i = 0; i < pool->block_count; i++) {
        pool->blocks[i].data = pool->arena.data + (uint64_t)i * pool->block_size_bytes;
        pool->blocks[i].index = i;
        pool->blocks[i].state = BLOCK_FREE;
        pool->free_indexes[i] = pool->block_count - 1 - i;
    }
    pool->free_count = pool->block_count;
}

enum haul_status block_pool_create(uint32_t block_count, uint32_t block_size_bytes,
                                   const struct haul_log *log, struct block_pool **out,
                                   struct haul_error *error)
{
    haul_assert(block_count > 0);
    haul_assert(block_size_bytes > SLOT_HEADER_BYTES);
    struct block_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a block pool");
    }
    (void)pthread_mutex_init(&pool->lock, NULL);
    pool->block_count = block_count;
    pool->block_size_bytes = block_size_bytes;
    pool->blocks = calloc(block_count, sizeof(*pool->blocks));
    pool->free_indexes = calloc(block_count, sizeof(*pool->free_indexes));
    enum haul_status status = HAUL_NO_MEMORY;
    if (pool->blocks == NULL || pool->free_indexes == NULL) {
        haul_error_set(error, status, "calloc", 0, "no memory for a block pool");
        goto fail;
    }
    status = pages_map(&pool->arena, (uint64_t)block_count * block_size_bytes, "ring", log, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    init_blocks(pool);
    *out = pool;
    return HAUL_OK;
fail:
    block_pool_destroy(pool);
    return status;
}

void block_pool_destroy(struct block_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    haul_assert(pool->arena.data == NULL || pool->closed || pool->free_count == pool->block_count);
    pages_unmap(&pool->arena);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->free_indexes);
    free(pool->blocks);
    free(pool);
}

uint8_t *block_pool_arena(const struct block_pool *pool, uint64_t *size_bytes)
{
    *size_bytes = (uint64_t)pool->block_count * pool->block_size_bytes;
    return pool->arena.data;
}

uint32_t block_pool_count(const struct block_pool *pool)
{
    return pool->block_count;
}

uint32_t block_pool_block_size_bytes(const struct block_pool *pool)
{
    return pool->block_size_bytes;
}

struct block *block_pool_at(struct block_pool *pool, uint32_t index)
{
    haul_assert(index < pool->block_count);
    return &pool->blocks[index];
}

uint32_t block_pool_waiter_count(struct block_pool *pool)
{
    uint32_t count = 0;
    (void)pthread_mutex_lock(&pool->lock);
    for (const struct waiter *at = pool->first_waiter; at != NULL; at = at->next) {
        count++;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return count;
}

/* --- acquire and release ---------------------------------------------------------------------- */

static void append_waiter(struct block_pool *pool, struct waiter *waiter)
{
    condition_init(&waiter->woken);
    if (pool->last_waiter == NULL) {
        pool->first_waiter = waiter;
    } else {
        pool->last_waiter->next = waiter;
    }
    pool->last_waiter = waiter;
}

static void remove_waiter(struct block_pool *pool, struct waiter *waiter)
{
    struct waiter *before = NULL;
    struct waiter *at = pool->first_waiter;
    while (at != NULL && at != waiter) {
        before = at;
        at = at->next;
    }
    if (at == NULL) {
        return; /* receives the block */
    }
    if (before == NULL) {
        pool->first_waiter = at->next;
    } else {
        before->next = at->next;
    }
    if (pool->last_waiter == at) {
        pool->last_waiter = before;
    }
}

/* Wait for a block to be released. NULL: the deadline has passed, or the pool is closed. Lock
 * held. */
static struct block *await_block(struct block_pool *pool, uint64_t deadline_ns)
{
    struct waiter waiter = {.granted = NULL};
    append_waiter(pool, &waiter);
    bool in_time = true;
    while (waiter.granted == NULL && !pool->closed && in_time) {
        in_time = condition_wait(&waiter.woken, &pool->lock, deadline_ns);
    }
    remove_waiter(pool, &waiter);
    (void)pthread_cond_destroy(&waiter.woken);
    if (waiter.granted != NULL && pool->closed) {
        pool->free_indexes[pool->free_count++] = waiter.granted->index;
        return NULL;
    }
    return waiter.granted;
}

enum haul_status block_pool_acquire(struct block_pool *pool, uint64_t deadline_ns,
                                    struct block **block)
{
    enum haul_status status = HAUL_OK;
    struct block *taken = NULL;
    (void)pthread_mutex_lock(&pool->lock);
    if (!pool->closed && pool->free_count > 0) {
        taken = &pool->blocks[pool->free_indexes[--pool->free_count]];
    } else if (!pool->closed && deadline_ns > 0) {
        taken = await_block(pool, deadline_ns);
    }
    if (taken != NULL) {
        haul_assert(taken->state == BLOCK_FREE);
        taken->state = BLOCK_FILLING;
        taken->urgent = false;
        taken->reserved_bytes = 0;
        memset(&taken->header, 0, sizeof(taken->header));
        *block = taken;
    } else if (pool->closed) {
        status = HAUL_CLOSED;
    } else {
        status = deadline_ns == 0 ? HAUL_AGAIN : HAUL_TIMEOUT;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return status;
}

void block_pool_release(struct block_pool *pool, struct block *block)
{
    (void)pthread_mutex_lock(&pool->lock);
    haul_assert(block->state != BLOCK_FREE);
    haul_assert(pool->free_count < pool->block_count);
    block->state = BLOCK_FREE;
    struct waiter *waiter = pool->first_waiter;
    if (waiter == NULL) {
        pool->free_indexes[pool->free_count++] = block->index;
    } else {
        remove_waiter(pool, waiter);
        waiter->granted = block;
        (void)pthread_cond_signal(&waiter->woken);
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

void block_pool_close(struct block_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    for (struct waiter *at = pool->first_waiter; at != NULL; at = at->next) {
        (void)pthread_cond_signal(&at->woken);
    }
    (void)pthread_mutex_unlock(&pool->lock);
}
