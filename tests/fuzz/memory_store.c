/* SPDX-License-Identifier: Apache-2.0 */
/* memory_store.c — a sorted array of records behind the store's table of operations. */
#include "memory_store.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "joined_pieces.h"

struct haul_scan {
    struct memory_store *store;
    uint32_t family_id;
    struct haul_slice start;
    struct haul_slice end;
    size_t at; /* index of the next record */
};

struct haul_table {
    struct memory_store *store;
    uint32_t family_id;
    uint64_t size_bytes;
    struct memory_record *records;
    size_t count;
};

/* A finished file waits here for its ingestion: there is one at a time. */
static struct haul_table *finished;

static struct memory_store *memory_of(struct haul_store *store)
{
    return (struct memory_store *)store;
}

static struct haul_slice copy_of(struct haul_slice bytes)
{
    uint8_t *copy = malloc(bytes.size + 1);
    haul_assert(copy != NULL);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return slice_of(copy, bytes.size);
}

static void free_slice(struct haul_slice bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

static bool is_reverse(const struct memory_store *store, uint32_t family_id)
{
    for (size_t i = 0; i < store->family_count; i++) {
        if (store->family_ids[i] == family_id) {
            return store->reverse[i];
        }
    }
    haul_unreachable(); /* a family that was not checked */
}

/* In the order of the family. */
static int compare(const struct memory_store *store, uint32_t family_id, struct haul_slice a,
                   struct haul_slice b)
{
    int order = slice_compare(a, b);
    return is_reverse(store, family_id) ? -order : order;
}

/* --- records ---------------------------------------------------------------------------------- */

/* The index of the key, or where it would be inserted. */
static size_t find(const struct memory_store *store, uint32_t family_id, struct haul_slice key,
                   bool *found)
{
    size_t low = 0;
    size_t high = store->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct memory_record *record = &store->records[middle];
        int order = record->family_id != family_id ? (record->family_id < family_id ? -1 : 1)
                                                   : slice_compare(record->key, key);
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = low < store->count && store->records[low].family_id == family_id &&
             slice_compare(store->records[low].key, key) == 0;
    return low;
}

static void put(struct memory_store *store, uint32_t family_id, struct haul_slice key,
                struct haul_slice value)
{
    bool found;
    size_t at = find(store, family_id, key, &found);
    if (found) {
        free_slice(store->records[at].value);
        store->records[at].value = copy_of(value);
        return;
    }
    if (store->count == store->capacity) {
        store->capacity = 2 * store->capacity + 16;
        struct memory_record *grown =
            realloc(store->records, store->capacity * sizeof(*store->records));
        haul_assert(grown != NULL);
        store->records = grown;
    }
    memmove(store->records + at + 1, store->records + at,
            (store->count - at) * sizeof(*store->records));
    store->count++;
    store->records[at] = (struct memory_record){family_id, copy_of(key), copy_of(value)};
}

static void remove_at(struct memory_store *store, size_t at)
{
    free_slice(store->records[at].key);
    free_slice(store->records[at].value);
    store->count--;
    memmove(store->records + at, store->records + at + 1,
            (store->count - at) * sizeof(*store->records));
}

/* Whether the record lies in [start, end) of the family's order. */
static bool is_inside(const struct memory_store *store, const struct memory_record *record,
                      uint32_t family_id, struct haul_slice start, struct haul_slice end)
{
    return record->family_id == family_id &&
           (start.size == 0 || compare(store, family_id, record->key, start) >= 0) &&
           (end.size == 0 || compare(store, family_id, record->key, end) < 0);
}

static void delete_range(struct memory_store *store, uint32_t family_id, struct haul_slice begin,
                         struct haul_slice end)
{
    haul_assert(compare(store, family_id, begin, end) <= 0);
    for (size_t i = store->count; i > 0; i--) {
        const struct memory_record *record = &store->records[i - 1];
        if (record->family_id == family_id && compare(store, family_id, record->key, begin) >= 0 &&
            compare(store, family_id, record->key, end) < 0) {
            remove_at(store, i - 1);
        }
    }
}

static void apply(struct memory_store *store, const struct raw_record *record)
{
    if (record->kind == RAW_LOG_DATA) {
        return; /* takes no sequence number */
    }
    store->applied++;
    if (store->watch != NULL) {
        store->watch(store->watch_context, record);
    }
    if (record->kind == RAW_PUT) {
        put(store, record->family_id, record->key, record->value);
    } else if (record->kind == RAW_DELETE_RANGE) {
        delete_range(store, record->family_id, record->key, record->value);
    } else {
        haul_assert(record->kind == RAW_DELETE);
        bool found;
        size_t at = find(store, record->family_id, record->key, &found);
        if (found) {
            remove_at(store, at);
        }
    }
}

/* --- operations ------------------------------------------------------------------------------- */

static enum haul_status store_write(struct haul_store *base, struct haul_slice batch,
                                    unsigned flags, struct haul_error *error)
{
    (void)flags;
    (void)error;
    struct raw_batch_reader reader;
    struct raw_record record;
    enum haul_status status = raw_batch_open(&reader, batch);
    while (status == HAUL_OK && (status = raw_batch_next(&reader, &record)) == HAUL_OK) {
        apply(memory_of(base), &record);
    }
    haul_assert(status == HAUL_NOT_FOUND);
    return HAUL_OK;
}

static enum haul_status store_write_pieces(struct haul_store *base, const struct haul_slice *pieces,
                                           size_t piece_count, unsigned flags,
                                           struct haul_error *error)
{
    struct haul_slice batch = joined_pieces(pieces, piece_count);
    haul_assert(batch.data != NULL);
    enum haul_status status = store_write(base, batch, flags, error);
    free((void *)(uintptr_t)batch.data);
    return status;
}

static enum haul_status store_get(struct haul_store *base, const struct haul_snapshot *snapshot,
                                  uint32_t family_id, struct haul_slice key, uint8_t **value,
                                  size_t *value_size, struct haul_error *error)
{
    const struct memory_store *store = memory_of(base);
    bool found;
    size_t at = find(store, family_id, key, &found);
    haul_assert(snapshot == NULL);
    if (!found) {
        return haul_error_set(error, HAUL_NOT_FOUND, "get", 0, "no such key");
    }
    *value_size = store->records[at].value.size;
    *value = (uint8_t *)(uintptr_t)copy_of(store->records[at].value).data;
    return HAUL_OK;
}

static enum haul_status store_scan_open(struct haul_store *base,
                                        const struct haul_snapshot *snapshot, uint32_t family_id,
                                        struct haul_slice start, struct haul_slice end,
                                        struct haul_scan **scan, struct haul_error *error)
{
    (void)error;
    haul_assert(snapshot == NULL);
    *scan = malloc(sizeof(**scan));
    haul_assert(*scan != NULL);
    **scan = (struct haul_scan){memory_of(base), family_id, start, end, 0};
    return HAUL_OK;
}

static enum haul_status store_scan_next(struct haul_scan *scan, struct haul_record *record,
                                        struct haul_error *error)
{
    const struct memory_store *store = scan->store;
    while (scan->at < store->count) {
        const struct memory_record *at = &store->records[scan->at++];
        if (is_inside(store, at, scan->family_id, scan->start, scan->end)) {
            *record = (struct haul_record){at->key, at->value};
            return HAUL_OK;
        }
    }
    return haul_error_set(error, HAUL_NOT_FOUND, "scan", 0, "the end");
}

static void store_scan_close(struct haul_scan *scan)
{
    free(scan);
}

/* --- table files ------------------------------------------------------------------------------ */

static enum haul_status table_create(struct haul_store *base, uint32_t family_id, const char *path,
                                     struct haul_table **table, struct haul_error *error)
{
    (void)path;
    (void)error;
    haul_assert(finished == NULL);
    *table = calloc(1, sizeof(**table));
    haul_assert(*table != NULL);
    (*table)->store = memory_of(base);
    (*table)->family_id = family_id;
    memory_of(base)->open_tables++;
    return HAUL_OK;
}

static enum haul_status table_put(struct haul_table *table, struct haul_slice key,
                                  struct haul_slice value, struct haul_error *error)
{
    const struct memory_record *last = table->count == 0 ? NULL : &table->records[table->count - 1];
    if (last != NULL && compare(table->store, table->family_id, last->key, key) >= 0) {
        /* The target checks byte order; the table's writer checks every other order. */
        haul_assert(is_reverse(table->store, table->family_id));
        return haul_error_set(error, HAUL_STORE, "table_put", 0, "keys that do not ascend");
    }
    struct memory_record *grown =
        realloc(table->records, (table->count + 1) * sizeof(*table->records));
    haul_assert(grown != NULL);
    table->records = grown;
    grown[table->count++] = (struct memory_record){table->family_id, copy_of(key), copy_of(value)};
    table->size_bytes += key.size + value.size;
    return HAUL_OK;
}

static uint64_t table_size(const struct haul_table *table)
{
    return table->size_bytes;
}

static void table_free(struct haul_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free_slice(table->records[i].key);
        free_slice(table->records[i].value);
    }
    free(table->records);
    free(table);
}

static enum haul_status table_finish(struct haul_table *table, struct haul_error *error)
{
    (void)error;
    haul_assert(table->count > 0);
    table->store->open_tables--;
    finished = table;
    return HAUL_OK;
}

static void table_abandon(struct haul_table *table)
{
    table->store->open_tables--;
    table_free(table);
}

static enum haul_status table_ingest(struct haul_store *base, uint32_t family_id,
                                     const char *const *paths, size_t path_count,
                                     struct haul_error *error)
{
    (void)paths;
    (void)error;
    haul_assert(path_count == 1 && finished != NULL && finished->family_id == family_id);
    for (size_t i = 0; i < finished->count; i++) {
        const struct memory_record *from = &finished->records[i];
        struct raw_record record = {.tag = RAW_FAMILY_PUT,
                                    .kind = RAW_PUT,
                                    .family_id = family_id,
                                    .key = from->key,
                                    .value = from->value};
        apply(memory_of(base), &record);
    }
    table_free(finished);
    finished = NULL;
    return HAUL_OK;
}

/* --- public ----------------------------------------------------------------------------------- */

static const struct haul_store_ops memory_ops = {
    .get = store_get,
    .write = store_write,
    .write_pieces = store_write_pieces,
    .scan_open = store_scan_open,
    .scan_next = store_scan_next,
    .scan_close = store_scan_close,
    .table_create = table_create,
    .table_put = table_put,
    .table_size = table_size,
    .table_finish = table_finish,
    .table_abandon = table_abandon,
    .table_ingest = table_ingest,
};

void memory_store_init(struct memory_store *store)
{
    *store = (struct memory_store){.base.ops = &memory_ops};
}

void memory_store_add_family(struct memory_store *store, uint32_t family_id, bool reverse)
{
    haul_assert(store->family_count < MEMORY_STORE_FAMILY_COUNT_MAX);
    store->family_ids[store->family_count] = family_id;
    store->reverse[store->family_count++] = reverse;
}

void memory_store_fini(struct memory_store *store)
{
    haul_assert(store->open_tables == 0 && finished == NULL);
    while (store->count > 0) {
        remove_at(store, store->count - 1);
    }
    free(store->records);
}

struct digest memory_store_digest(const struct memory_store *store, uint32_t family_id)
{
    struct digest digest = {0};
    for (size_t i = 0; i < store->count; i++) {
        if (store->records[i].family_id == family_id) {
            digest_add(&digest, NULL, store->records[i].key, store->records[i].value);
        }
    }
    return digest;
}
