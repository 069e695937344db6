/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_scan.c — snapshots, ordered scans and single reads. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "rocks_store.h"

/* Large reads from the file system: a scan touches every byte once. */
enum { READAHEAD_BYTES = 2 << 20 };

struct haul_snapshot {
    const rocksdb_snapshot_t *snapshot;
};

struct haul_scan {
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *iterator;
    bool started;
};

enum haul_status rocks_snapshot_open(struct haul_store *base, struct haul_snapshot **out,
                                     uint64_t *sequence, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    struct haul_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a snapshot");
    }
    /* 7.8's C API does not tell a snapshot's number: the one before it is at or below. */
    *sequence = rocksdb_get_latest_sequence_number(store->db);
    snapshot->snapshot = rocksdb_create_snapshot(store->db);
    *out = snapshot;
    return HAUL_OK;
}

void rocks_snapshot_close(struct haul_store *base, struct haul_snapshot *snapshot)
{
    rocksdb_release_snapshot(rocks_of(base)->db, snapshot->snapshot);
    free(snapshot);
}

static rocksdb_readoptions_t *scan_options(const struct haul_snapshot *snapshot,
                                           struct haul_slice start, struct haul_slice end)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_readahead_size(options, READAHEAD_BYTES);
    rocksdb_readoptions_set_fill_cache(options, 0);
    rocksdb_readoptions_set_verify_checksums(options, 1);
    rocksdb_readoptions_set_total_order_seek(options, 1);
    rocksdb_readoptions_set_background_purge_on_iterator_cleanup(options, 1);
    if (snapshot != NULL) {
        rocksdb_readoptions_set_snapshot(options, snapshot->snapshot);
    }
    if (start.size > 0) {
        rocksdb_readoptions_set_iterate_lower_bound(options, (const char *)start.data, start.size);
    }
    if (end.size > 0) {
        rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)end.data, end.size);
    }
    return options;
}

enum haul_status rocks_scan_open(struct haul_store *base, const struct haul_snapshot *snapshot,
                                 uint32_t family_id, struct haul_slice start, struct haul_slice end,
                                 struct haul_scan **out, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    const struct rocks_family *family = NULL;
    enum haul_status status = rocks_family_range(store, family_id, start, end, &family, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_scan *scan = calloc(1, sizeof(*scan));
    if (scan == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a scan");
    }
    scan->options = scan_options(snapshot, start, end);
    /* RocksDB keeps the pointers to the bounds: they are the caller's for the life of the scan. */
    scan->iterator = rocksdb_create_iterator_cf(store->db, scan->options, family->handle);
    *out = scan;
    return HAUL_OK;
}

/* The iterator has no record: its end, or an error that looks like one until asked. */
static enum haul_status end_status(struct haul_scan *scan, struct haul_error *error)
{
    char *message = NULL;
    rocksdb_iter_get_error(scan->iterator, &message);
    enum haul_status status = rocks_error(message, "scan", error);
    return status == HAUL_OK ? HAUL_NOT_FOUND : status;
}

enum haul_status rocks_scan_next(struct haul_scan *scan, struct haul_record *record,
                                 struct haul_error *error)
{
    if (!scan->started) {
        rocksdb_iter_seek_to_first(scan->iterator);
        scan->started = true;
    } else if (rocksdb_iter_valid(scan->iterator)) {
        rocksdb_iter_next(scan->iterator); /* undefined past the end */
    }
    if (!rocksdb_iter_valid(scan->iterator)) {
        return end_status(scan, error);
    }
    record->key.data = (const uint8_t *)rocksdb_iter_key(scan->iterator, &record->key.size);
    record->value.data = (const uint8_t *)rocksdb_iter_value(scan->iterator, &record->value.size);
    return HAUL_OK;
}

void rocks_scan_close(struct haul_scan *scan)
{
    rocksdb_iter_destroy(scan->iterator);
    rocksdb_readoptions_destroy(scan->options);
    free(scan);
}

enum haul_status rocks_get(struct haul_store *base, const struct haul_snapshot *snapshot,
                           uint32_t family_id, struct haul_slice key, uint8_t **value,
                           size_t *value_size, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    const struct rocks_family *family = NULL;
    enum haul_status status = rocks_family(store, family_id, &family, error);
    if (status != HAUL_OK) {
        return status;
    }
    rocksdb_readoptions_t *options = scan_options(snapshot, slice_of(NULL, 0), slice_of(NULL, 0));
    char *message = NULL;
    size_t size = 0;
    char *found = rocksdb_get_cf(store->db, options, family->handle, (const char *)key.data,
                                 key.size, &size, &message);
    rocksdb_readoptions_destroy(options);
    status = rocks_error(message, "get", error);
    if (status != HAUL_OK) {
        return status;
    }
    if (found == NULL) {
        return HAUL_NOT_FOUND;
    }
    *value = (uint8_t *)found;
    *value_size = size;
    return HAUL_OK;
}
