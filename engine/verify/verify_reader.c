/* SPDX-License-Identifier: Apache-2.0 */
/* verify_reader.c — reads the next chunk of pieces from a place in a family. */
#include "verify_reader.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "key_range.h"

/* Records between two steps. */
enum { STEP_RECORDS = 4096 };

static const struct haul_range everything = {{NULL, 0}, {NULL, 0}};

/* --- keys ------------------------------------------------------------------------------------- */

void verify_key_free(struct haul_slice *key)
{
    free((void *)(uintptr_t)key->data);
    *key = (struct haul_slice){NULL, 0};
}

bool verify_key_copy(struct haul_slice key, struct haul_slice *copy)
{
    uint8_t *memory = malloc(key.size + 1);
    if (memory != NULL && key.size > 0) {
        memcpy(memory, key.data, key.size);
    }
    verify_key_free(copy);
    if (memory == NULL) {
        return false;
    }
    *copy = slice_of(memory, key.size);
    return true;
}

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory to verify");
}

/* --- life ------------------------------------------------------------------------------------- */

static enum haul_status find_family(struct haul_store *store, const char *name,
                                    struct haul_family *family, struct haul_error *error)
{
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    size_t count = 0;
    if (families == NULL) {
        return no_memory(error);
    }
    enum haul_status status =
        store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
    bool found = false;
    for (size_t i = 0; status == HAUL_OK && i < count && !found; i++) {
        found = strcmp(families[i].name, name) == 0;
        *family = families[i];
    }
    free(families);
    return status != HAUL_OK || found ? status
                                      : haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                                                       "no column family named '%s'", name);
}

static enum haul_status check_ranges(const struct haul_family *family,
                                     const struct verify_reading *reading, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < reading->range_count && status == HAUL_OK; i++) {
        const struct haul_range *range = &reading->ranges[i];
        if (range->end.size > 0 && slice_compare(range->start, range->end) >= 0) {
            return haul_error_set(error, HAUL_INVALID, NULL, 0,
                                  "a range ends at or before its start");
        }
        status = key_range_check_order(range->start, range->end, family->name, family->comparator,
                                       error);
    }
    return status;
}

enum haul_status verify_reader_init(struct verify_reader *reader, struct haul_store *store,
                                    const struct verify_reading *reading, struct haul_error *error)
{
    struct haul_family family;
    memset(reader, 0, sizeof(*reader));
    enum haul_status status = find_family(store, reading->family, &family, error);
    if (status == HAUL_OK) {
        status = check_ranges(&family, reading, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    reader->store = store;
    reader->family_id = family.id;
    reader->ranges = reading->range_count == 0 ? &everything : reading->ranges;
    reader->range_count = reading->range_count == 0 ? 1 : reading->range_count;
    reader->single = reading->single;
    reader->with_keys = reading->with_keys;
    if (reading->digest_key.size == DIGEST_KEY_BYTES) {
        digest_key_init(&reader->digest_key, reading->digest_key.data);
    }
    if (reading->from == NULL) {
        return HAUL_OK;
    }
    reader->place.range = reading->from->range;
    reader->place.behind_key = reading->from->behind_key;
    if (reading->from->range >= reader->range_count) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "no such range");
    }
    return !reading->from->behind_key || verify_key_copy(reading->from->key, &reader->place.key)
               ? HAUL_OK
               : no_memory(error);
}

void verify_reader_fini(struct verify_reader *reader)
{
    verify_key_free(&reader->place.key);
}

void verify_chunk_clear(struct verify_chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++) {
        verify_key_free(&chunk->pieces[i].key);
    }
    chunk->count = 0;
    chunk->ended = false;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* One read. */
struct verify_read {
    struct verify_reader *reader;
    const struct haul_steps *steps;
    struct verify_chunk *chunk;
    uint64_t records;
    uint64_t bytes;
    uint64_t key_bytes; /* of all keys of the chunk */
    struct haul_slice
        last; /* the last record's key, malloc'ed; the scan still uses the key in `place` */
};

static bool is_full(const struct verify_read *read)
{
    return read->chunk->count == VERIFY_PIECE_COUNT_MAX ||
           read->key_bytes >= VERIFY_KEY_BYTES_MAX || read->bytes >= VERIFY_READ_BYTES_MAX ||
           read->records >= VERIFY_READ_RECORDS_MAX;
}

/* End the open piece with `key`; NULL: with its range. */
static enum haul_status end_piece(struct verify_read *read, const struct haul_slice *key,
                                  struct haul_error *error)
{
    struct verify_reader *reader = read->reader;
    struct verify_piece *piece = &read->chunk->pieces[read->chunk->count++];
    haul_assert(read->chunk->count <= VERIFY_PIECE_COUNT_MAX);
    *piece = (struct verify_piece){
        .digest = reader->begun, .range = reader->place.range, .ends_range = key == NULL};
    reader->begun = (struct digest){0};
    if (key == NULL || !reader->with_keys) {
        return HAUL_OK;
    }
    read->key_bytes += key->size;
    return verify_key_copy(*key, &piece->key) ? HAUL_OK : no_memory(error);
}

static enum haul_status add_record(struct verify_read *read, const struct haul_record *record,
                                   struct haul_error *error)
{
    struct digest *begun = &read->reader->begun;
    digest_add(begun, &read->reader->digest_key, record->key, record->value);
    read->records++;
    read->bytes += record->key.size + record->value.size;
    if (read->records % STEP_RECORDS == 0 && !steps_next(read->steps)) {
        return haul_error_set(error, HAUL_STOPPED, NULL, 0, "verification stopped");
    }
    return read->reader->single || begun->low % VERIFY_PIECE_RECORDS == 0
               ? end_piece(read, &record->key, error)
               : HAUL_OK;
}

/* Read until the chunk is full (OK) or the range ends (NOT_FOUND). */
static enum haul_status read_records(struct verify_read *read, struct haul_scan *scan,
                                     struct haul_error *error)
{
    struct verify_reader *reader = read->reader;
    const struct haul_store_ops *ops = reader->store->ops;
    struct haul_record record;
    bool first = reader->place.behind_key;
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK && !is_full(read) &&
           (status = ops->scan_next(scan, &record, error)) == HAUL_OK) {
        bool taken_before = first && slice_compare(record.key, reader->place.key) == 0;
        first = false;
        status = taken_before ? HAUL_OK : add_record(read, &record, error);
    }
    if (status != HAUL_OK || read->records == 0) {
        return status;
    }
    return verify_key_copy(record.key, &read->last) ? HAUL_OK : no_memory(error);
}

/* Read the rest of a range, or as much as fits the chunk. */
static enum haul_status read_range(struct verify_read *read, struct haul_error *error)
{
    struct verify_reader *reader = read->reader;
    const struct haul_store_ops *ops = reader->store->ops;
    const struct haul_range *range = &reader->ranges[reader->place.range];
    struct haul_scan *scan = NULL;
    struct haul_slice start = reader->place.behind_key ? reader->place.key : range->start;
    enum haul_status status =
        ops->scan_open(reader->store, NULL, reader->family_id, start, range->end, &scan, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = read_records(read, scan, error);
    ops->scan_close(scan);
    if (status == HAUL_NOT_FOUND) { /* the range has ended */
        status = reader->begun.count > 0 ? end_piece(read, NULL, error) : HAUL_OK;
        reader->place.range++;
        reader->place.behind_key = false;
        reader->ended = reader->place.range == reader->range_count;
    } else if (status == HAUL_OK) {
        verify_key_free(&reader->place.key);
        reader->place.key = read->last;
        reader->place.behind_key = true;
        read->last = (struct haul_slice){NULL, 0};
    }
    return status;
}

enum haul_status verify_reader_next(struct verify_reader *reader, const struct haul_steps *steps,
                                    struct verify_chunk *chunk, struct haul_error *error)
{
    struct verify_read read = {.reader = reader, .steps = steps, .chunk = chunk};
    enum haul_status status = HAUL_OK;
    haul_assert(chunk->count == 0);
    if (!steps_next(steps)) {
        return haul_error_set(error, HAUL_STOPPED, NULL, 0, "verification stopped");
    }
    while (status == HAUL_OK && !reader->ended && !is_full(&read)) {
        status = read_range(&read, error);
    }
    chunk->ended = reader->ended;
    return status;
}
