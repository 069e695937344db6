/* SPDX-License-Identifier: Apache-2.0 */
/* digest_ledger.c — an open-addressing table from (family, key) to what the key counts for now.
 * Entries are never removed, so probing needs no tombstones and keys live in an arena. */
#include "digest_ledger.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "assertion.h"
#include "bytes.h"
#include "haul/store.h"
#include "raw_batch.h"

enum {
    SLOT_COUNT_FIRST = 256, /* a power of two, as all sizes of the table */
    CHUNK_BYTES = 64 * 1024,
};

struct ledger_slot {
    const uint8_t *key; /* in the arena; NULL: the slot is free */
    uint64_t hash;
    uint32_t key_size;
    uint32_t family_id;
    struct digest now; /* count 1: present; all zero: absent */
};

struct arena_chunk {
    struct arena_chunk *next;
    size_t capacity;
    size_t used;
    uint8_t bytes[];
};

struct ledger_family {
    uint32_t family_id;
    struct digest difference; /* modulo 2^64 and 2^128: may stand for less than nothing */
};

struct digest_ledger {
    struct digest_ledger_base base;
    uint64_t memory_bytes_max;
    uint64_t memory_bytes;
    enum haul_status broken; /* OK while sound */
    struct ledger_slot *slots;
    size_t slot_count;
    size_t key_count;
    struct arena_chunk *chunks; /* the first is the one being filled */
    size_t family_count;
    struct ledger_family families[HAUL_FAMILY_COUNT_MAX];
};

/* --- digests ---------------------------------------------------------------------------------- */

/* The digest that, joined, takes `digest` away. */
static struct digest negative(const struct digest *digest)
{
    struct digest result;
    result.count = 0 - digest->count;
    result.bytes = 0 - digest->bytes;
    result.low = 0 - digest->low;
    result.high = ~digest->high + (digest->low == 0);
    return result;
}

static struct digest digest_of(struct haul_slice key, struct haul_slice value)
{
    struct digest digest = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    digest_add(&digest, key, value);
    return digest;
}

/* The difference of a family; NULL: too many families. */
static struct digest *difference_of(struct digest_ledger *ledger, uint32_t family_id)
{
    for (size_t i = 0; i < ledger->family_count; i++) {
        if (ledger->families[i].family_id == family_id) {
            return &ledger->families[i].difference;
        }
    }
    if (ledger->family_count == HAUL_FAMILY_COUNT_MAX) {
        return NULL;
    }
    struct ledger_family *family = &ledger->families[ledger->family_count++];
    memset(family, 0, sizeof(*family));
    family->family_id = family_id;
    return &family->difference;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Zeroed memory on the ledger's account. Errors: LIMIT, NO_MEMORY. */
static enum haul_status allocate(struct digest_ledger *ledger, size_t size, void **memory)
{
    if (size > ledger->memory_bytes_max - ledger->memory_bytes) {
        return HAUL_LIMIT;
    }
    *memory = calloc(1, size);
    if (*memory == NULL) {
        return HAUL_NO_MEMORY;
    }
    ledger->memory_bytes += size;
    return HAUL_OK;
}

/* Copy a key into the arena. Errors: LIMIT, NO_MEMORY. */
static enum haul_status arena_copy(struct digest_ledger *ledger, struct haul_slice key,
                                   const uint8_t **copy)
{
    struct arena_chunk *chunk = ledger->chunks;
    if (chunk == NULL || chunk->capacity - chunk->used < key.size) {
        size_t capacity = key.size > CHUNK_BYTES ? key.size : CHUNK_BYTES;
        void *memory = NULL;
        enum haul_status status = allocate(ledger, sizeof(*chunk) + capacity, &memory);
        if (status != HAUL_OK) {
            return status;
        }
        chunk = memory;
        chunk->capacity = capacity;
        chunk->next = ledger->chunks;
        ledger->chunks = chunk;
    }
    uint8_t *at = chunk->bytes + chunk->used;
    if (key.size > 0) {
        memcpy(at, key.data, key.size);
    }
    chunk->used += key.size;
    *copy = at;
    return HAUL_OK;
}

/* --- the table -------------------------------------------------------------------------------- */

static uint64_t hash_of(uint32_t family_id, struct haul_slice key)
{
    return XXH3_64bits_withSeed(key.data, key.size, family_id);
}

static struct haul_slice slot_key(const struct ledger_slot *slot)
{
    return slice_of(slot->key, slot->key_size);
}

/* The slot of the key, or the free one where it belongs. */
static struct ledger_slot *probe(const struct digest_ledger *ledger, uint32_t family_id,
                                 struct haul_slice key, uint64_t hash)
{
    size_t mask = ledger->slot_count - 1;
    for (size_t index = (size_t)hash & mask;; index = (index + 1) & mask) {
        struct ledger_slot *slot = &ledger->slots[index];
        if (slot->key == NULL || (slot->hash == hash && slot->family_id == family_id &&
                                  slice_compare(slot_key(slot), key) == 0)) {
            return slot;
        }
    }
}

/* Make the table twice as large; both tables count while they live. Errors: LIMIT, NO_MEMORY. */
static enum haul_status grow(struct digest_ledger *ledger)
{
    struct ledger_slot *old = ledger->slots;
    size_t old_count = ledger->slot_count;
    void *memory = NULL;
    enum haul_status status = allocate(ledger, 2 * old_count * sizeof(*old), &memory);
    if (status != HAUL_OK) {
        return status;
    }
    ledger->slots = memory;
    ledger->slot_count = 2 * old_count;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].key != NULL) {
            *probe(ledger, old[i].family_id, slot_key(&old[i]), old[i].hash) = old[i];
        }
    }
    free(old);
    ledger->memory_bytes -= old_count * sizeof(*old);
    return HAUL_OK;
}

/* Enter a key that is not there, with what it counts for in the base. Moves slots.
 * Errors: LIMIT, NO_MEMORY. */
static enum haul_status enter(struct digest_ledger *ledger, uint32_t family_id,
                              struct haul_slice key, const struct digest *now)
{
    enum haul_status status = HAUL_OK;
    if ((ledger->key_count + 1) * 3 > ledger->slot_count * 2) {
        status = grow(ledger);
    }
    const uint8_t *copy = NULL;
    if (status == HAUL_OK) {
        status = arena_copy(ledger, key, &copy);
    }
    if (status != HAUL_OK) {
        return status;
    }
    uint64_t hash = hash_of(family_id, key);
    struct ledger_slot *slot = probe(ledger, family_id, key, hash);
    haul_debug_assert(slot->key == NULL);
    slot->key = copy;
    slot->hash = hash;
    slot->key_size = (uint32_t)key.size;
    slot->family_id = family_id;
    slot->now = *now;
    ledger->key_count++;
    return HAUL_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

enum haul_status digest_ledger_create(const struct digest_ledger_base *base,
                                      uint64_t memory_bytes_max, struct digest_ledger **out)
{
    struct digest_ledger *ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL) {
        return HAUL_NO_MEMORY;
    }
    ledger->base = *base;
    ledger->memory_bytes_max =
        memory_bytes_max == 0 ? DIGEST_LEDGER_MEMORY_BYTES_DEFAULT : memory_bytes_max;
    void *memory = NULL;
    enum haul_status status =
        allocate(ledger, SLOT_COUNT_FIRST * sizeof(struct ledger_slot), &memory);
    if (status != HAUL_OK) {
        digest_ledger_destroy(ledger);
        return status;
    }
    ledger->slots = memory;
    ledger->slot_count = SLOT_COUNT_FIRST;
    *out = ledger;
    return HAUL_OK;
}

void digest_ledger_destroy(struct digest_ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    struct arena_chunk *chunk = ledger->chunks;
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    free(ledger->slots);
    free(ledger);
}

/* --- deltas ----------------------------------------------------------------------------------- */

static enum haul_status break_ledger(struct digest_ledger *ledger, enum haul_status status,
                                     struct haul_error *error)
{
    ledger->broken = status;
    if (status == HAUL_NO_MEMORY) {
        return haul_error_set(error, status, NULL, 0, "cannot hold the digest ledger");
    }
    if (status == HAUL_LIMIT) {
        return haul_error_set(error, status, NULL, 0,
                              "the digest ledger has reached its limit of %llu bytes",
                              (unsigned long long)ledger->memory_bytes_max);
    }
    return status;
}

/* The slot of the key, entered with its base when it is new. Errors: LIMIT, NO_MEMORY, the base's.
 */
static enum haul_status touch(struct digest_ledger *ledger, uint32_t family_id,
                              struct haul_slice key, struct ledger_slot **out,
                              struct haul_error *error)
{
    uint64_t hash = hash_of(family_id, key);
    struct ledger_slot *slot = probe(ledger, family_id, key, hash);
    if (slot->key == NULL) {
        struct digest now = {.count = 0, .bytes = 0, .low = 0, .high = 0};
        struct haul_slice value;
        enum haul_status status =
            ledger->base.value(ledger->base.context, family_id, key, &value, error);
        if (status == HAUL_OK) {
            now = digest_of(key, value);
        } else if (status != HAUL_NOT_FOUND) {
            return status;
        }
        status = enter(ledger, family_id, key, &now);
        if (status != HAUL_OK) {
            return status;
        }
        slot = probe(ledger, family_id, key, hash);
    }
    *out = slot;
    return HAUL_OK;
}

/* Let the slot count for `next` from now on. */
static void change(struct ledger_slot *slot, const struct digest *next, struct digest *difference)
{
    struct digest less = negative(&slot->now);
    digest_join(difference, &less);
    digest_join(difference, next);
    slot->now = *next;
}

static enum haul_status touch_and_change(struct digest_ledger *ledger, uint32_t family_id,
                                         struct haul_slice key, const struct digest *next,
                                         struct haul_error *error)
{
    if (ledger->broken != HAUL_OK) {
        return haul_error_set(error, ledger->broken, NULL, 0, "the digest ledger broke before");
    }
    struct digest *difference = difference_of(ledger, family_id);
    struct ledger_slot *slot = NULL;
    enum haul_status status =
        difference == NULL ? HAUL_LIMIT : touch(ledger, family_id, key, &slot, error);
    if (status != HAUL_OK) {
        return break_ledger(ledger, status, error);
    }
    change(slot, next, difference);
    return HAUL_OK;
}

enum haul_status digest_ledger_put(struct digest_ledger *ledger, uint32_t family_id,
                                   struct haul_slice key, struct haul_slice value,
                                   struct haul_error *error)
{
    struct digest next = digest_of(key, value);
    return touch_and_change(ledger, family_id, key, &next, error);
}

enum haul_status digest_ledger_delete(struct digest_ledger *ledger, uint32_t family_id,
                                      struct haul_slice key, struct haul_error *error)
{
    const struct digest absent = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    return touch_and_change(ledger, family_id, key, &absent, error);
}

/* The walk over the base records of a DeleteRange. */
struct removal {
    struct digest_ledger *ledger;
    uint32_t family_id;
};

/* Enter a base record that no delta has touched; the sweep that follows takes it out. */
static enum haul_status visit_removed(void *context, struct haul_slice key, struct haul_slice value)
{
    struct removal *removal = context;
    struct digest_ledger *ledger = removal->ledger;
    uint64_t hash = hash_of(removal->family_id, key);
    if (probe(ledger, removal->family_id, key, hash)->key != NULL) {
        return HAUL_OK;
    }
    struct digest now = digest_of(key, value);
    return enter(ledger, removal->family_id, key, &now);
}

static void sweep(struct digest_ledger *ledger, const struct digest_ledger_span *span,
                  struct digest *difference)
{
    const struct digest absent = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    for (size_t i = 0; i < ledger->slot_count; i++) {
        struct ledger_slot *slot = &ledger->slots[i];
        if (slot->key != NULL && slot->family_id == span->family_id &&
            slice_compare(span->begin, slot_key(slot)) <= 0 &&
            slice_compare(slot_key(slot), span->end) < 0) {
            change(slot, &absent, difference);
        }
    }
}

enum haul_status digest_ledger_delete_range(struct digest_ledger *ledger, uint32_t family_id,
                                            struct haul_slice begin, struct haul_slice end,
                                            struct haul_error *error)
{
    if (ledger->broken != HAUL_OK) {
        return haul_error_set(error, ledger->broken, NULL, 0, "the digest ledger broke before");
    }
    if (slice_compare(begin, end) >= 0) {
        return HAUL_OK;
    }
    struct digest *difference = difference_of(ledger, family_id);
    struct removal removal = {.ledger = ledger, .family_id = family_id};
    struct digest_ledger_span span = {.family_id = family_id, .begin = begin, .end = end};
    enum haul_status status =
        difference == NULL
            ? HAUL_LIMIT
            : ledger->base.walk(ledger->base.context, &span, visit_removed, &removal, error);
    if (status != HAUL_OK) {
        return break_ledger(ledger, status, error);
    }
    sweep(ledger, &span, difference);
    return HAUL_OK;
}

static enum haul_status take_record(struct digest_ledger *ledger, const struct raw_record *record,
                                    struct haul_error *error)
{
    switch (record->kind) {
    case RAW_PUT:
        return digest_ledger_put(ledger, record->family_id, record->key, record->value, error);
    case RAW_DELETE:
        return digest_ledger_delete(ledger, record->family_id, record->key, error);
    case RAW_DELETE_RANGE:
        return digest_ledger_delete_range(ledger, record->family_id, record->key, record->value,
                                          error);
    default:
        ledger->broken = HAUL_UNSUPPORTED;
        return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                              "the digest ledger cannot follow record 0x%02x",
                              (unsigned)record->tag);
    }
}

enum haul_status digest_ledger_batch(struct digest_ledger *ledger, struct haul_slice batch,
                                     struct haul_error *error)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    enum haul_status status = raw_batch_open(&reader, batch);
    while (status == HAUL_OK) {
        status = raw_batch_next(&reader, &record);
        if (status != HAUL_OK) {
            break;
        }
        status = take_record(ledger, &record, error);
        if (status != HAUL_OK) {
            return status;
        }
    }
    if (status == HAUL_NOT_FOUND) {
        return HAUL_OK;
    }
    ledger->broken = status;
    return haul_error_set(error, status, NULL, 0, "the digest ledger met a torn batch");
}

/* --- results ---------------------------------------------------------------------------------- */

enum haul_status digest_ledger_join(const struct digest_ledger *ledger, uint32_t family_id,
                                    struct digest *digest)
{
    if (ledger->broken != HAUL_OK) {
        return ledger->broken;
    }
    for (size_t i = 0; i < ledger->family_count; i++) {
        if (ledger->families[i].family_id == family_id) {
            digest_join(digest, &ledger->families[i].difference);
        }
    }
    return HAUL_OK;
}

uint64_t digest_ledger_key_count(const struct digest_ledger *ledger)
{
    return ledger->key_count;
}

uint64_t digest_ledger_memory_bytes(const struct digest_ledger *ledger)
{
    return ledger->memory_bytes;
}
