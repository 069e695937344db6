/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_size.c — finds the edges of ranges and the number of bytes between them.
 *
 * Small ranges are counted. For others RocksDB estimates the bytes of files between two keys; bytes
 * in memory are assumed to be spread like the files. The edges are real keys, found by two seeks;
 * where a seek would read a large record, the edges of the table files are used instead. */
#include "rocks_size.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

enum {
    LARGE_RECORD_BYTES = 256 << 10,
    EXACT_SIZE_BYTES = 1 << 20, /* smaller ranges are counted, not estimated */
};

void rocks_free_key(struct haul_slice key)
{
    free((void *)(uintptr_t)key.data);
}

/* --- iterators -------------------------------------------------------------------------------- */

struct rocks_bounded rocks_bounded_open(struct rocks_store *store,
                                        const struct rocks_family *family, struct haul_slice start,
                                        struct haul_slice end)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_total_order_seek(options, 1);
    rocksdb_readoptions_set_fill_cache(options, 0);
    if (start.size > 0) {
        rocksdb_readoptions_set_iterate_lower_bound(options, (const char *)start.data, start.size);
    }
    if (end.size > 0) {
        rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)end.data, end.size);
    }
    return (struct rocks_bounded){options,
                                  rocksdb_create_iterator_cf(store->db, options, family->handle)};
}

void rocks_bounded_close(struct rocks_bounded bounded)
{
    rocksdb_iter_destroy(bounded.iterator);
    rocksdb_readoptions_destroy(bounded.options);
}

struct haul_slice rocks_current_key(const rocksdb_iterator_t *iterator)
{
    size_t size = 0;
    const char *data = rocksdb_iter_key(iterator, &size);
    return slice_of(data, size);
}

bool rocks_copy_key(struct haul_slice key, struct haul_slice *copy)
{
    uint8_t *memory = malloc(key.size + 1);
    if (memory == NULL) {
        return false;
    }
    if (key.size > 0) {
        memcpy(memory, key.data, key.size);
    }
    *copy = slice_of(memory, key.size);
    return true;
}

/* --- edges ------------------------------------------------------------------------------------ */

/* A copy of the iterator's current key. Errors: NOT_FOUND (none), others. */
static enum haul_status take_key(const struct rocks_family *family,
                                 const rocksdb_iterator_t *iterator, struct haul_slice *key,
                                 struct haul_error *error)
{
    if (rocksdb_iter_valid(iterator)) {
        return rocks_copy_key(rocks_current_key(iterator), key)
                   ? HAUL_OK
                   : haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a key");
    }
    char *message = NULL;
    rocksdb_iter_get_error(iterator, &message);
    enum haul_status status = rocks_read_error(family, message, "seek", error);
    return status == HAUL_OK ? HAUL_NOT_FOUND : status;
}

enum haul_status rocks_edge_keys(struct rocks_store *store, const struct rocks_family *family,
                                 struct haul_slice start, struct haul_slice end,
                                 struct haul_slice edges[2], struct haul_error *error)
{
    struct rocks_bounded bounded = rocks_bounded_open(store, family, start, end);
    struct haul_slice found[2] = {{NULL, 0}, {NULL, 0}};
    rocksdb_iter_seek_to_first(bounded.iterator);
    enum haul_status status = take_key(family, bounded.iterator, &found[0], error);
    if (status == HAUL_OK) {
        rocksdb_iter_seek_to_last(bounded.iterator);
        status = take_key(family, bounded.iterator, &found[1], error);
    }
    rocks_bounded_close(bounded);
    if (status != HAUL_OK) {
        rocks_free_key(found[0]);
        return status;
    }
    edges[0] = found[0];
    edges[1] = found[1];
    return HAUL_OK;
}

static uint64_t property(struct rocks_store *store, const struct rocks_family *family,
                         const char *name)
{
    uint64_t value = 0;
    return rocksdb_property_int_cf(store->db, family->handle, name, &value) == 0 ? value : 0;
}

bool rocks_has_large_records(struct rocks_store *store, const struct rocks_family *family)
{
    uint64_t records = property(store, family, "rocksdb.estimate-num-keys");
    uint64_t bytes = property(store, family, "rocksdb.live-sst-files-size");
    return records > 0 && bytes / records > LARGE_RECORD_BYTES && rocks_family_is_bytewise(family);
}

bool rocks_is_of_family(const rocksdb_livefiles_t *files, int index,
                        const struct rocks_family *family)
{
    const char *name = rocksdb_livefiles_column_family_name(files, index);
    return strcmp(name, family->family.name) == 0;
}

struct haul_slice rocks_smallest_key(const rocksdb_livefiles_t *files, int index)
{
    size_t size = 0;
    const char *data = rocksdb_livefiles_smallestkey(files, index, &size);
    return slice_of(data, size);
}

static struct haul_slice largest_key(const rocksdb_livefiles_t *files, int index)
{
    size_t size = 0;
    const char *data = rocksdb_livefiles_largestkey(files, index, &size);
    return slice_of(data, size);
}

/* The edges of [start, end) within the table files, which need not be records' keys. The slices
 * belong to the files or the caller. False: no file overlaps the range. */
static bool find_file_edges(const rocksdb_livefiles_t *files, const struct rocks_family *family,
                            struct haul_slice start, struct haul_slice end,
                            struct haul_slice edges[2])
{
    int file_count = rocksdb_livefiles_count(files);
    bool found = false;
    for (int i = 0; i < file_count; i++) {
        struct haul_slice first = rocks_smallest_key(files, i);
        struct haul_slice last = largest_key(files, i);
        first = slice_compare(first, start) < 0 ? start : first;
        last = end.size > 0 && slice_compare(last, end) > 0 ? end : last;
        if (!rocks_is_of_family(files, i, family) || slice_compare(first, last) > 0) {
            continue;
        }
        edges[0] = !found || slice_compare(first, edges[0]) < 0 ? first : edges[0];
        edges[1] = !found || slice_compare(last, edges[1]) > 0 ? last : edges[1];
        found = true;
    }
    return found;
}

static enum haul_status file_edges(struct rocks_store *store, const struct rocks_family *family,
                                   struct haul_slice start, struct haul_slice end,
                                   struct haul_slice edges[2], struct haul_error *error)
{
    const rocksdb_livefiles_t *files = rocksdb_livefiles(store->db);
    struct haul_slice found[2];
    struct haul_slice copies[2] = {{NULL, 0}, {NULL, 0}};
    enum haul_status status = HAUL_NOT_FOUND;
    if (find_file_edges(files, family, start, end, found)) {
        if (rocks_copy_key(found[0], &copies[0]) && rocks_copy_key(found[1], &copies[1])) {
            memcpy(edges, copies, sizeof(copies));
            status = HAUL_OK;
        } else {
            rocks_free_key(copies[0]);
            status = haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a key");
        }
    }
    rocksdb_livefiles_destroy(files);
    return status;
}

enum haul_status rocks_find_edges(struct rocks_store *store, const struct rocks_family *family,
                                  struct haul_slice start, struct haul_slice end,
                                  struct haul_slice edges[2], struct haul_error *error)
{
    return rocks_has_large_records(store, family)
               ? file_edges(store, family, start, end, edges, error)
               : rocks_edge_keys(store, family, start, end, edges, error);
}

/* --- sizes ------------------------------------------------------------------------------------ */

void rocks_approximate_sizes(struct rocks_store *store, const struct rocks_family *family,
                             const struct haul_slice *bounds, size_t count, uint64_t *sizes)
{
    const char **starts = calloc(count + 1, sizeof(*starts));
    size_t *start_sizes = calloc(count + 1, sizeof(*start_sizes));
    char *message = NULL;
    if (starts != NULL && start_sizes != NULL) {
        for (size_t i = 0; i <= count; i++) {
            starts[i] = (const char *)bounds[i].data;
            start_sizes[i] = bounds[i].size;
        }
        rocksdb_approximate_sizes_cf(store->db, family->handle, (int)count, starts, start_sizes,
                                     starts + 1, start_sizes + 1, sizes, &message);
    }
    /* A failed estimate counts as 0: the split is then less even, never wrong. */
    rocksdb_free(message);
    free(starts);
    free(start_sizes);
}

/* Count the keys and values of a range; false: more than EXACT_SIZE_BYTES. */
static bool count_bytes(const struct rocks_bounded *bounded, uint64_t *bytes)
{
    *bytes = 0;
    rocksdb_iter_seek_to_first(bounded->iterator);
    while (rocksdb_iter_valid(bounded->iterator)) {
        size_t size = 0;
        (void)rocksdb_iter_value(bounded->iterator, &size);
        *bytes += size + rocks_current_key(bounded->iterator).size;
        if (*bytes > EXACT_SIZE_BYTES) {
            return false; /* do not step to the next record, which may be large */
        }
        rocksdb_iter_next(bounded->iterator);
    }
    return true;
}

/* RocksDB estimates only files: bytes in memory are assumed to be spread like the files. */
static uint64_t memory_share(struct rocks_store *store, const struct rocks_family *family,
                             uint64_t file_bytes)
{
    uint64_t memory = property(store, family, "rocksdb.cur-size-all-mem-tables");
    uint64_t all_files = property(store, family, "rocksdb.live-sst-files-size");
    if (file_bytes >= all_files) {
        return memory;
    }
    return (uint64_t)((double)memory * ((double)file_bytes / (double)all_files));
}

static enum haul_status estimate(struct rocks_store *store, const struct rocks_family *family,
                                 struct haul_slice start, struct haul_slice end, uint64_t *bytes,
                                 struct haul_error *error)
{
    struct haul_slice edges[2];
    enum haul_status status = rocks_find_edges(store, family, start, end, edges, error);
    if (status == HAUL_OK) {
        rocks_approximate_sizes(store, family, edges, 1, bytes);
        *bytes += memory_share(store, family, *bytes);
        rocks_free_key(edges[0]);
        rocks_free_key(edges[1]);
    }
    return status;
}

enum haul_status rocks_range_size(struct haul_store *base, uint32_t family_id,
                                  struct haul_slice start, struct haul_slice end, uint64_t *bytes,
                                  struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    const struct rocks_family *family = NULL;
    enum haul_status status = rocks_family_range(store, family_id, start, end, &family, error);
    if (status != HAUL_OK) {
        return status;
    }
    uint64_t estimated = 0;
    if (rocks_has_large_records(store, family)) {
        status = estimate(store, family, start, end, &estimated, error);
        if (status != HAUL_NOT_FOUND && (status != HAUL_OK || estimated > EXACT_SIZE_BYTES)) {
            *bytes = estimated;
            return status;
        }
    }
    uint64_t counted = 0;
    struct rocks_bounded bounded = rocks_bounded_open(store, family, start, end);
    bool is_exact = count_bytes(&bounded, &counted);
    char *message = NULL;
    rocksdb_iter_get_error(bounded.iterator, &message);
    rocks_bounded_close(bounded);
    status = rocks_read_error(family, message, "scan", error);
    if (status == HAUL_OK && !is_exact) {
        status = estimate(store, family, start, end, &estimated, error);
        status = status == HAUL_NOT_FOUND ? HAUL_OK : status; /* all deleted meanwhile */
    }
    if (status == HAUL_OK) {
        *bytes = counted > estimated ? counted : estimated;
    }
    return status;
}
