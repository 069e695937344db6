/* SPDX-License-Identifier: Apache-2.0 */
/* block_pool.c — an arena, a stack of free blocks, and the wait for one. */
#include "block_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "assertion.h"
#include "clock.h"

enum { HUGE_PAGE_BYTES = 2 << 20 };

struct block_pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    uint8_t *arena;
    uint8_t *mapping; /* what munmap gets; the arena is aligned inside */
    uint64_t mapping_size_bytes;
    uint32_t block_count;
    uint32_t block_size_bytes;
    uint32_t free_count;
    bool closed;
    struct block *blocks;
    uint32_t *free_indexes; /* a stack: the last one released is the next one acquired */
};

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static void *map_memory(uint64_t size_bytes, int flags)
{
    void *memory =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Explicit huge pages if the system has some reserved; else aligned memory that the kernel may
 * back with huge pages; else plain pages. Nothing is touched here: only what is used is resident.
 */
static enum haul_status map_arena(struct block_pool *pool, const struct haul_log *log,
                                  struct haul_error *error)
{
    uint64_t size = (uint64_t)pool->block_count * pool->block_size_bytes;
    uint64_t huge_size = round_up(size, HUGE_PAGE_BYTES);
    pool->mapping = map_memory(huge_size, MAP_HUGETLB);
    pool->mapping_size_bytes = huge_size;
    if (pool->mapping != NULL) {
        pool->arena = pool->mapping;
        haul_log(log, HAUL_LOG_DEBUG, "ring of %llu bytes in reserved huge pages",
                 (unsigned long long)size);
        return HAUL_OK;
    }
    pool->mapping_size_bytes = huge_size + HUGE_PAGE_BYTES;
    pool->mapping = map_memory(pool->mapping_size_bytes, MAP_NORESERVE);
    if (pool->mapping == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "mmap", errno,
                              "no memory for a ring of %llu bytes", (unsigned long long)size);
    }
    uint64_t address = (uint64_t)(uintptr_t)pool->mapping;
    pool->arena = pool->mapping + (round_up(address, HUGE_PAGE_BYTES) - address);
    bool transparent =
        size >= HUGE_PAGE_BYTES && madvise(pool->arena, huge_size, MADV_HUGEPAGE) == 0;
    haul_log(log, HAUL_LOG_DEBUG, "ring of %llu bytes in %s pages", (unsigned long long)size,
             transparent ? "transparent huge" : "plain");
    return HAUL_OK;
}

static void init_blocks(struct block_pool *pool)
{
    for (uint32_t i = 0; i < pool->block_count; i++) {
        pool->blocks[i].data = pool->arena + (uint64_t)i * pool->block_size_bytes;
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
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&pool->freed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
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
    status = map_arena(pool, log, error);
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
    haul_assert(pool->mapping == NULL || pool->closed || pool->free_count == pool->block_count);
    if (pool->mapping != NULL) {
        (void)munmap(pool->mapping, pool->mapping_size_bytes);
    }
    (void)pthread_cond_destroy(&pool->freed);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool->free_indexes);
    free(pool->blocks);
    free(pool);
}

uint8_t *block_pool_arena(const struct block_pool *pool, uint64_t *size_bytes)
{
    *size_bytes = (uint64_t)pool->block_count * pool->block_size_bytes;
    return pool->arena;
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

/* Wait for a free block until the deadline; false when it has passed. Lock held. */
static bool wait_freed(struct block_pool *pool, uint64_t deadline_ns)
{
    if (deadline_ns == 0) {
        return false;
    }
    if (deadline_ns == CLOCK_NEVER) {
        return pthread_cond_wait(&pool->freed, &pool->lock) == 0;
    }
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
                             .tv_nsec = (long)(deadline_ns % NS_PER_S)};
    return pthread_cond_timedwait(&pool->freed, &pool->lock, &until) == 0;
}

enum haul_status block_pool_acquire(struct block_pool *pool, uint64_t deadline_ns,
                                    struct block **block)
{
    enum haul_status status = HAUL_OK;
    (void)pthread_mutex_lock(&pool->lock);
    while (!pool->closed && pool->free_count == 0 && status == HAUL_OK) {
        if (!wait_freed(pool, deadline_ns)) {
            status = deadline_ns == 0 ? HAUL_AGAIN : HAUL_TIMEOUT;
        }
    }
    if (pool->closed) {
        status = HAUL_CLOSED;
    } else if (pool->free_count > 0) {
        status = HAUL_OK;
        struct block *taken = &pool->blocks[pool->free_indexes[--pool->free_count]];
        haul_assert(taken->state == BLOCK_FREE);
        taken->state = BLOCK_FILLING;
        memset(&taken->header, 0, sizeof(taken->header));
        *block = taken;
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
    pool->free_indexes[pool->free_count++] = block->index;
    (void)pthread_cond_signal(&pool->freed);
    (void)pthread_mutex_unlock(&pool->lock);
}

void block_pool_close(struct block_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    (void)pthread_cond_broadcast(&pool->freed);
    (void)pthread_mutex_unlock(&pool->lock);
}
