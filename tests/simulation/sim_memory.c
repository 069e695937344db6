/* SPDX-License-Identifier: Apache-2.0 */
/* sim_memory.c — the host's arena, and malloc(3) and its relatives as the product sees them (by the
 * linker's --wrap). */
#include "sim_memory.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "assertion.h"

#if defined(__SANITIZE_ADDRESS__)
#define SIM_POOLS 0 /* overwrites freed blocks, so that their use is noticed */
#else
#define SIM_POOLS 1
#endif

enum { CHUNK_BYTES = 4 << 20, CHUNK_COUNT = 256, FILL = 0xa5, FILL_BYTES_MAX = 4096,
       PAGE_BYTES = 4096, POOL_COUNT = 18, POOLED_BYTES_MAX = 1 << (POOL_COUNT - 1) };

struct sim_block {
    struct sim_block *next;
    struct sim_block *before;
    struct sim_heap *heap;
    size_t size;
    void *allocated; /* where an aligned block really begins */
    size_t pool;     /* its real size is two to this power; 0: allocated by the system */
};

void *__real_malloc(size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *memory);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_mmap(void *wanted, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *memory, size_t size);
int __wrap_madvise(void *memory, size_t size, int advice);

static uint8_t *chunks[CHUNK_COUNT];
static size_t chunk_index;
static size_t chunk_used;
static struct sim_heap *selected;
static void *pools[POOL_COUNT]; /* each piece points to the next */

/* --- host ------------------------------------------------------------------------------------- */

void *sim_host_alloc(size_t size_bytes)
{
    size_t rounded = (size_bytes + 15) & ~(size_t)15;
    haul_assert(rounded <= CHUNK_BYTES);
    if (chunk_used + rounded > CHUNK_BYTES) {
        chunk_index++;
        chunk_used = 0;
        haul_assert(chunk_index < CHUNK_COUNT);
    }
    if (chunks[chunk_index] == NULL) {
        chunks[chunk_index] = __real_malloc(CHUNK_BYTES);
        haul_assert(chunks[chunk_index] != NULL);
    }
    void *memory = chunks[chunk_index] + chunk_used;
    chunk_used += rounded;
    return memset(memory, 0, size_bytes);
}

void *sim_host_grow(void *old, size_t old_bytes, size_t new_bytes)
{
    void *grown = sim_host_alloc(new_bytes);
    if (old_bytes > 0) {
        memcpy(grown, old, old_bytes);
    }
    return grown;
}

void sim_host_reset(void)
{
    chunk_index = 0;
    chunk_used = 0;
}

/* --- processes -------------------------------------------------------------------------------- */

void sim_heap_select(struct sim_heap *heap)
{
    selected = heap;
}

/* Free pieces are shared by all processes, as malloc(3) would do, at a tenth of its cost. */
static void *take(size_t size, size_t *pool)
{
    *pool = 0;
    if (!SIM_POOLS || size > POOLED_BYTES_MAX) {
        return __real_malloc(size);
    }
    *pool = 64 - (size_t)__builtin_clzll((unsigned long long)size - 1);
    void *piece = pools[*pool];
    if (piece == NULL) {
        return __real_malloc((size_t)1 << *pool);
    }
    memcpy(&pools[*pool], piece, sizeof(void *));
    return piece;
}

static void give_back(void *piece, size_t pool)
{
    if (pool == 0) {
        __real_free(piece);
        return;
    }
    memcpy(piece, &pools[pool], sizeof(void *));
    pools[pool] = piece;
}

static void link_block(struct sim_block *block, struct sim_heap *heap, size_t size, size_t pool)
{
    *block = (struct sim_block){.heap = heap, .size = size, .pool = pool};
    if (heap != NULL) {
        block->next = heap->first;
        if (heap->first != NULL) {
            heap->first->before = block;
        }
        heap->first = block;
        heap->count++;
    }
}

static void unlink_block(struct sim_block *block)
{
    if (block->heap == NULL) {
        return;
    }
    if (block->before != NULL) {
        block->before->next = block->next;
    } else {
        block->heap->first = block->next;
    }
    if (block->next != NULL) {
        block->next->before = block->before;
    }
    block->heap->count--;
}

static void free_block(struct sim_block *block)
{
    give_back(block->allocated != NULL ? block->allocated : block, block->pool);
}

void sim_heap_free_all(struct sim_heap *heap)
{
    while (heap->first != NULL) {
        struct sim_block *block = heap->first;
        unlink_block(block);
        free_block(block);
    }
}

static bool fails(void)
{
    if (selected == NULL || selected->fail_in == 0 || --selected->fail_in > 0) {
        return false;
    }
    selected->failures++;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    size_t pool = 0;
    struct sim_block *block = fails() ? NULL : take(sizeof(*block) + size, &pool);
    if (block == NULL) {
        return NULL;
    }
    link_block(block, selected, size, pool);
    /* Uninitialized memory is the same in every run; of large pieces, most of it. */
    (void)memset(block + 1, FILL, size < FILL_BYTES_MAX ? size : FILL_BYTES_MAX);
    return block + 1;
}

void *__wrap_calloc(size_t count, size_t size)
{
    haul_assert(size == 0 || count <= SIZE_MAX / 2 / size);
    size_t pool = 0;
    struct sim_block *block = fails() ? NULL : take(sizeof(*block) + count * size, &pool);
    if (block == NULL) {
        return NULL;
    }
    link_block(block, selected, count * size, pool);
    return memset(block + 1, 0, count * size);
}

void __wrap_free(void *memory)
{
    if (memory != NULL) {
        struct sim_block *block = (struct sim_block *)memory - 1;
        unlink_block(block);
        free_block(block);
    }
}

/* Memory filled with `fill`. */
static void *allocate_aligned(size_t alignment, size_t size, int fill)
{
    size_t pool = 0;
    uint8_t *allocated =
        fails() ? NULL : take(sizeof(struct sim_block) + alignment + size, &pool);
    if (allocated == NULL) {
        return NULL;
    }
    uintptr_t at = (uintptr_t)(allocated + sizeof(struct sim_block));
    uint8_t *memory =
        allocated + sizeof(struct sim_block) + (alignment - at % alignment) % alignment;
    struct sim_block *block = (struct sim_block *)(void *)memory - 1;
    link_block(block, selected, size, pool);
    block->allocated = allocated;
    return memset(memory, fill, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return allocate_aligned(alignment, size, FILL);
}

void *__wrap_realloc(void *old, size_t size)
{
    void *grown = __wrap_malloc(size);
    if (grown != NULL && old != NULL) {
        size_t before = ((struct sim_block *)old - 1)->size;
        memcpy(grown, old, before < size ? before : size);
        __wrap_free(old);
    }
    return grown;
}

/* Pages belong to the process as well: they are counted, and released when it is killed. */
void *__wrap_mmap(void *wanted, size_t size, int protection, int flags, int fd, off_t offset)
{
    haul_assert(wanted == NULL && fd < 0 && offset == 0);
    (void)protection;
    void *memory = (flags & MAP_HUGETLB) != 0 ? NULL : allocate_aligned(PAGE_BYTES, size, 0);
    if (memory == NULL) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return memory;
}

int __wrap_munmap(void *memory, size_t size)
{
    (void)size;
    __wrap_free(memory);
    return 0;
}

int __wrap_madvise(void *memory, size_t size, int advice)
{
    (void)memory;
    (void)size;
    (void)advice;
    return 0;
}
