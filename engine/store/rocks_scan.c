/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_scan.c — ordered scans and single reads. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "key_range.h"
#include "planted_bug.h"
#include "rocks_door.h"
#include "rocks_store.h"
#include "rocks_view.h"

enum { KEY_TEXT_BYTES = 96 };

struct haul_scan {
    const struct rocks_family *family;
    struct read_ahead *ahead;       /* of the store */
    int64_t disk_blocks;            /* of the thread, when the scan began */
    uint64_t bytes;                 /* of keys and values so far */
    rocksdb_readoptions_t *options; /* NULL: `pin` lends the iterator */
    rocksdb_iterator_t *iterator;
    struct rocks_pin *pin;
    struct haul_slice end; /* of a lent iterator, which has no own bounds; size 0: none */
    enum rocks_door_record at;
    bool started;
};

rocksdb_readoptions_t *rocks_scan_options(const rocksdb_snapshot_t *snapshot,
                                          enum read_ahead_source source)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_readahead_size(options, read_ahead_bytes(source));
    rocksdb_readoptions_set_fill_cache(options, 0);
    rocksdb_readoptions_set_verify_checksums(options, 1);
    rocksdb_readoptions_set_total_order_seek(options, !HAUL_PLANTED_BUG(PREFIX_ORDER));
    rocksdb_readoptions_set_background_purge_on_iterator_cleanup(options, 1);
    if (snapshot != NULL) {
        rocksdb_readoptions_set_snapshot(options, snapshot);
    }
    return options;
}

/* RocksDB keeps the pointers to the bounds: the caller must keep them for the life of the scan. */
static void set_bounds(rocksdb_readoptions_t *options, struct haul_slice start,
                       struct haul_slice end)
{
    if (start.size > 0) {
        rocksdb_readoptions_set_iterate_lower_bound(options, (const char *)start.data, start.size);
    }
    if (end.size > 0) {
        rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)end.data, end.size);
    }
}

/* Move to the first record. */
static void start_scan(struct haul_scan *scan, struct haul_slice start)
{
    if (scan->pin != NULL && start.size > 0) {
        rocksdb_iter_seek(scan->iterator, (const char *)start.data, start.size);
    } else {
        rocksdb_iter_seek_to_first(scan->iterator);
    }
}

enum haul_status rocks_scan_open(struct haul_store *base, const struct haul_snapshot *snapshot,
                                 uint32_t family_id, struct haul_slice start, struct haul_slice end,
                                 struct haul_scan **out, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    const struct rocks_family *family = NULL;
    enum haul_status status = rocks_family(store, family_id, &family, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_scan *scan = calloc(1, sizeof(*scan));
    if (scan == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a scan");
    }
    scan->family = family;
    scan->ahead = &store->read_ahead;
    scan->disk_blocks = read_ahead_disk_blocks();
    enum read_ahead_source source = atomic_load(&scan->ahead->next);
    scan->pin = rocks_view_pin(snapshot, family_id);
    if (scan->pin != NULL) {
        scan->iterator = rocks_pin_borrow(scan->pin, source);
        scan->end = end;
    } else {
        scan->options = rocks_scan_options(snapshot == NULL ? NULL : snapshot->snapshot, source);
        set_bounds(scan->options, start, end);
        scan->iterator = rocksdb_create_iterator_cf(store->db, scan->options, family->handle);
    }
    start_scan(scan, start);
    *out = scan;
    return HAUL_OK;
}

/* The iterator has no record: it is at its end, or has an error that its status shows. */
static enum haul_status end_status(struct haul_scan *scan, struct haul_error *error)
{
    char *message = NULL;
    rocksdb_iter_get_error(scan->iterator, &message);
    enum haul_status status = rocks_read_error(scan->family, message, "scan", error);
    return status == HAUL_OK ? HAUL_NOT_FOUND : status;
}

enum haul_status rocks_refuse_columns(const struct rocks_family *family, struct haul_slice key,
                                      struct haul_error *error)
{
    char text[KEY_TEXT_BYTES];
    key_format(key, text, sizeof(text));
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "column family '%s' holds a wide-column entity at key %s, which cannot be moved",
                   family->family.name, text);
    haul_error_hint(error, "move column families or ranges without entities, or store them as "
                           "plain values first");
    return HAUL_UNSUPPORTED;
}

enum haul_status rocks_scan_next(struct haul_scan *scan, struct haul_record *record,
                                 struct haul_error *error)
{
    if (!scan->started) {
        scan->at = rocks_door_current(scan->iterator, &record->key, &record->value);
        scan->started = true;
    } else if (scan->at == ROCKS_DOOR_PLAIN) {
        scan->at = rocks_door_next(scan->iterator, &record->key, &record->value);
    } /* otherwise undefined past the end */
    if (scan->at == ROCKS_DOOR_END) {
        return end_status(scan, error);
    }
    if (scan->end.size > 0 && slice_compare(record->key, scan->end) >= 0) {
        scan->at = ROCKS_DOOR_END;
        return HAUL_NOT_FOUND;
    }
    scan->bytes += record->key.size + record->value.size;
    return scan->at == ROCKS_DOOR_PLAIN ? HAUL_OK
                                        : rocks_refuse_columns(scan->family, record->key, error);
}

void rocks_scan_close(struct haul_scan *scan)
{
    read_ahead_note(scan->ahead, scan->bytes, scan->disk_blocks);
    if (scan->pin != NULL) {
        rocks_pin_return(scan->pin, scan->iterator);
    } else {
        rocksdb_iter_destroy(scan->iterator);
        rocksdb_readoptions_destroy(scan->options);
    }
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
    struct rocks_pin *pin = rocks_view_pin(snapshot, family_id);
    if (pin != NULL) {
        return rocks_pin_get(pin, key, value, value_size, error);
    }
    rocksdb_readoptions_t *options =
        rocks_scan_options(snapshot == NULL ? NULL : snapshot->snapshot, READ_AHEAD_DISK);
    char *message = NULL;
    size_t size = 0;
    char *found = rocksdb_get_cf(store->db, options, family->handle, (const char *)key.data,
                                 key.size, &size, &message);
    rocksdb_readoptions_destroy(options);
    status = rocks_read_error(family, message, "get", error);
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
