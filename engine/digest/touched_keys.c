/* SPDX-License-Identifier: Apache-2.0 */
/* touched_keys.c — a hash table over an arena, and a list whose newest part is unsorted. */
#include "touched_keys.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "assertion.h"
#include "bytes.h"

enum {
    SLOT_COUNT_FIRST = 256,
    CHUNK_BYTES = 64 << 10,
    LIST_COUNT_FIRST = 1024,
    /* This many unsorted keys, plus a share of the sorted ones, are searched one by one. */
    UNSORTED_COUNT_MAX = 1024,
    UNSORTED_SHARE = 64,
};

struct touched_slot {
    uint64_t hash;
    struct touched_key *at; /* NULL: free */
};

struct touched_chunk {
    struct touched_chunk *next;
    size_t capacity;
    size_t used;
    alignas(struct touched_key) uint8_t bytes[];
};

static const struct digest absent;

static struct haul_slice key_of(const struct touched_key *touched)
{
    return slice_of(touched->key, touched->key_size);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Errors: LIMIT, NO_MEMORY. */
static enum haul_status allocate(struct touched_keys *keys, size_t size, void **memory)
{
    if (!memory_budget_take(keys->budget, size)) {
        return HAUL_LIMIT;
    }
    *memory = calloc(1, size);
    if (*memory == NULL) {
        memory_budget_give(keys->budget, size);
        return HAUL_NO_MEMORY;
    }
    return HAUL_OK;
}

static void release(struct touched_keys *keys, void *memory, size_t size)
{
    if (memory != NULL) {
        free(memory);
        memory_budget_give(keys->budget, size);
    }
}

static enum haul_status arena_take(struct touched_keys *keys, size_t size, void **memory)
{
    size_t alignment = alignof(struct touched_key);
    size = (size + alignment - 1) / alignment * alignment;
    struct touched_chunk *chunk = keys->chunks;
    if (chunk == NULL || chunk->capacity - chunk->used < size) {
        size_t capacity = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        void *made = NULL;
        enum haul_status status = allocate(keys, sizeof(*chunk) + capacity, &made);
        if (status != HAUL_OK) {
            return status;
        }
        chunk = made;
        chunk->capacity = capacity;
        chunk->next = keys->chunks;
        keys->chunks = chunk;
    }
    *memory = chunk->bytes + chunk->used;
    chunk->used += size;
    return HAUL_OK;
}

void touched_keys_init(struct touched_keys *keys, struct memory_budget *budget)
{
    memset(keys, 0, sizeof(*keys));
    keys->budget = budget;
}

void touched_keys_clear(struct touched_keys *keys)
{
    struct touched_chunk *chunk = keys->chunks;
    while (chunk != NULL) {
        struct touched_chunk *next = chunk->next;
        release(keys, chunk, sizeof(*chunk) + chunk->capacity);
        chunk = next;
    }
    release(keys, keys->slots, keys->slot_count * sizeof(*keys->slots));
    release(keys, (void *)keys->list, keys->list_capacity * sizeof(struct touched_key *));
    touched_keys_init(keys, keys->budget);
}

/* --- the table -------------------------------------------------------------------------------- */

static uint64_t hash_of(uint32_t family_id, struct haul_slice key)
{
    return XXH3_64bits_withSeed(key.data, key.size, family_id);
}

/* The slot of the key, or the free slot for it. */
static struct touched_slot *probe(const struct touched_keys *keys, uint32_t family_id,
                                  struct haul_slice key, uint64_t hash)
{
    size_t mask = keys->slot_count - 1;
    for (size_t index = (size_t)hash & mask;; index = (index + 1) & mask) {
        struct touched_slot *slot = &keys->slots[index];
        if (slot->at == NULL || (slot->hash == hash && slot->at->family_id == family_id &&
                                 slice_compare(key_of(slot->at), key) == 0)) {
            return slot;
        }
    }
}

/* Both tables count towards the budget while they live. The keys stay where they are. */
static enum haul_status grow_table(struct touched_keys *keys)
{
    struct touched_slot *old = keys->slots;
    size_t old_count = keys->slot_count;
    size_t count = old_count == 0 ? SLOT_COUNT_FIRST : 2 * old_count;
    void *memory = NULL;
    enum haul_status status = allocate(keys, count * sizeof(*old), &memory);
    if (status != HAUL_OK) {
        return status;
    }
    keys->slots = memory;
    keys->slot_count = count;
    for (size_t i = 0; i < old_count; i++) {
        size_t at = (size_t)old[i].hash & (count - 1);
        while (old[i].at != NULL && keys->slots[at].at != NULL) {
            at = (at + 1) & (count - 1);
        }
        if (old[i].at != NULL) {
            keys->slots[at] = old[i];
        }
    }
    release(keys, old, old_count * sizeof(*old));
    return HAUL_OK;
}

struct touched_key *touched_keys_find(const struct touched_keys *keys, uint32_t family_id,
                                      struct haul_slice key)
{
    return keys->key_count == 0 ? NULL : probe(keys, family_id, key, hash_of(family_id, key))->at;
}

/* --- the list --------------------------------------------------------------------------------- */

static enum haul_status reserve_list(struct touched_keys *keys)
{
    if (keys->listed_count < keys->list_capacity) {
        return HAUL_OK;
    }
    size_t capacity = keys->list_capacity == 0 ? LIST_COUNT_FIRST : 2 * keys->list_capacity;
    void *memory = NULL;
    enum haul_status status = allocate(keys, capacity * sizeof(struct touched_key *), &memory);
    if (status != HAUL_OK) {
        return status;
    }
    if (keys->listed_count > 0) {
        memcpy(memory, (void *)keys->list, keys->listed_count * sizeof(struct touched_key *));
    }
    release(keys, (void *)keys->list, keys->list_capacity * sizeof(struct touched_key *));
    keys->list = memory;
    keys->list_capacity = capacity;
    return HAUL_OK;
}

/* Errors: LIMIT, NO_MEMORY. */
static enum haul_status enlist(struct touched_keys *keys, struct touched_key *touched)
{
    if (!keys->lists || touched->listed || touched->now.count == 0) {
        return HAUL_OK;
    }
    enum haul_status status = reserve_list(keys);
    if (status == HAUL_OK) {
        keys->list[keys->listed_count++] = touched;
        touched->listed = true;
    }
    return status;
}

static int compare(uint32_t family_a, struct haul_slice a, uint32_t family_b, struct haul_slice b)
{
    return family_a != family_b ? (family_a < family_b ? -1 : 1) : slice_compare(a, b);
}

static int compare_listed(const void *a, const void *b)
{
    const struct touched_key *left = *(struct touched_key *const *)a;
    const struct touched_key *right = *(struct touched_key *const *)b;
    return compare(left->family_id, key_of(left), right->family_id, key_of(right));
}

/* Merge the unsorted keys into the others, from the end, so that nothing is overwritten. */
static enum haul_status sort_list(struct touched_keys *keys)
{
    size_t unsorted = keys->listed_count - keys->sorted_count;
    size_t size = unsorted * sizeof(struct touched_key *);
    void *memory = NULL;
    enum haul_status status = allocate(keys, size, &memory);
    if (status != HAUL_OK) {
        return status;
    }
    struct touched_key **fresh = memory;
    memcpy(memory, (void *)(keys->list + keys->sorted_count), size);
    qsort(memory, unsorted, sizeof(struct touched_key *), compare_listed);
    size_t left = keys->sorted_count;
    for (size_t to = keys->listed_count; unsorted > 0; to--) {
        bool from_left =
            left > 0 && compare_listed(&keys->list[left - 1], &fresh[unsorted - 1]) > 0;
        keys->list[to - 1] = from_left ? keys->list[left - 1] : fresh[unsorted - 1];
        left -= from_left ? 1 : 0;
        unsorted -= from_left ? 0 : 1;
    }
    keys->sorted_count = keys->listed_count;
    release(keys, memory, size);
    return HAUL_OK;
}

/* Make the list, or sort it if too much of it is unsorted. */
static enum haul_status prepare_list(struct touched_keys *keys)
{
    enum haul_status status = HAUL_OK;
    bool first = !keys->lists;
    keys->lists = true;
    for (size_t i = 0; first && i < keys->slot_count && status == HAUL_OK; i++) {
        status = keys->slots[i].at == NULL ? HAUL_OK : enlist(keys, keys->slots[i].at);
    }
    size_t unsorted = keys->listed_count - keys->sorted_count;
    if (status == HAUL_OK && unsorted > UNSORTED_COUNT_MAX + keys->sorted_count / UNSORTED_SHARE) {
        status = sort_list(keys);
    }
    return status;
}

/* The first sorted key at or after the given one. */
static size_t lower_bound(const struct touched_keys *keys, uint32_t family_id,
                          struct haul_slice key)
{
    size_t low = 0;
    size_t high = keys->sorted_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct touched_key *at = keys->list[middle];
        if (compare(at->family_id, key_of(at), family_id, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* --- public ----------------------------------------------------------------------------------- */

enum haul_status touched_keys_enter(struct touched_keys *keys, uint32_t family_id,
                                    struct haul_slice key, const struct digest *now,
                                    struct touched_key **out)
{
    enum haul_status status = HAUL_OK;
    if ((keys->key_count + 1) * 3 > keys->slot_count * 2) {
        status = grow_table(keys);
    }
    void *memory = NULL;
    if (status == HAUL_OK) {
        status = arena_take(keys, sizeof(struct touched_key) + key.size, &memory);
    }
    if (status != HAUL_OK) {
        return status;
    }
    struct touched_key *touched = memory;
    touched->now = *now;
    touched->family_id = family_id;
    touched->key_size = (uint32_t)key.size;
    if (key.size > 0) {
        memcpy(touched->key, key.data, key.size);
    }
    uint64_t hash = hash_of(family_id, key);
    struct touched_slot *slot = probe(keys, family_id, key, hash);
    haul_debug_assert(slot->at == NULL);
    *slot = (struct touched_slot){.hash = hash, .at = touched};
    keys->key_count++;
    *out = touched;
    return enlist(keys, touched);
}

enum haul_status touched_keys_set(struct touched_keys *keys, struct touched_key *touched,
                                  const struct digest *now)
{
    touched->now = *now;
    return enlist(keys, touched);
}

static bool is_inside(const struct touched_key *touched, uint32_t family_id,
                      struct haul_slice begin, struct haul_slice end)
{
    return touched->family_id == family_id && slice_compare(begin, key_of(touched)) <= 0 &&
           slice_compare(key_of(touched), end) < 0;
}

static void take_out(struct touched_key *touched, touched_keys_visit *visit, void *context)
{
    if (touched->now.count > 0) {
        visit(context, touched);
    }
    touched->now = absent;
    touched->listed = false;
}

enum haul_status touched_keys_remove(struct touched_keys *keys, uint32_t family_id,
                                     struct haul_slice begin, struct haul_slice end,
                                     touched_keys_visit *visit, void *context)
{
    enum haul_status status = keys->key_count == 0 ? HAUL_OK : prepare_list(keys);
    if (status != HAUL_OK || keys->listed_count == 0) {
        return status;
    }
    size_t first = lower_bound(keys, family_id, begin);
    size_t behind = lower_bound(keys, family_id, end);
    haul_assert(first <= behind);
    for (size_t i = first; i < behind; i++) {
        take_out(keys->list[i], visit, context);
    }
    memmove((void *)(keys->list + first), (void *)(keys->list + behind),
            (keys->listed_count - behind) * sizeof(struct touched_key *));
    keys->sorted_count -= behind - first;
    keys->listed_count -= behind - first;
    size_t kept = keys->sorted_count;
    for (size_t i = keys->sorted_count; i < keys->listed_count; i++) {
        if (is_inside(keys->list[i], family_id, begin, end)) {
            take_out(keys->list[i], visit, context);
        } else {
            keys->list[kept++] = keys->list[i];
        }
    }
    keys->listed_count = kept;
    return HAUL_OK;
}

void touched_keys_each_ahead(const struct touched_keys *keys, touched_keys_go_on *go_on,
                             void *context)
{
    bool going_on = true;
    for (size_t i = 0; i < keys->slot_count && going_on; i++) {
        struct touched_key *at = keys->slots[i].at;
        going_on = at == NULL || !at->ahead || go_on(context, at);
    }
}
