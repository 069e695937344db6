/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_size.h — shared by rocks_size.c and rocks_split.c: edges of ranges and the bytes between
 * them. */
#ifndef HAUL_ENGINE_ROCKS_SIZE_H
#define HAUL_ENGINE_ROCKS_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rocks_store.h"

/* An iterator with its options. It sees only the range; an empty bound is no bound. RocksDB keeps
 * the pointers to the bounds. */
struct rocks_bounded {
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *iterator;
};

struct rocks_bounded rocks_bounded_open(struct rocks_store *store,
                                        const struct rocks_family *family, struct haul_slice start,
                                        struct haul_slice end);
void rocks_bounded_close(struct rocks_bounded bounded);

/* The iterator's current key; the iterator's memory, until it moves. */
struct haul_slice rocks_current_key(const rocksdb_iterator_t *iterator);

/* `copy` is the caller's (rocks_free_key). False: no memory. */
bool rocks_copy_key(struct haul_slice key, struct haul_slice *copy);

/* Would a seek read too much to be worth it? */
bool rocks_has_large_records(struct rocks_store *store, const struct rocks_family *family);

/* For a list of table files. The key belongs to the list. */
bool rocks_is_of_family(const rocksdb_livefiles_t *files, int index,
                        const struct rocks_family *family);
struct haul_slice rocks_smallest_key(const rocksdb_livefiles_t *files, int index);

/* The keys between which a range is measured and cut: as rocks_edge_keys, but for large records
 * what the table files name, which need not be a record's key. Errors: NOT_FOUND (the range is
 * empty), others. */
enum haul_status rocks_find_edges(struct rocks_store *store, const struct rocks_family *family,
                                  struct haul_slice start, struct haul_slice end,
                                  struct haul_slice edges[2], struct haul_error *error);

/* Bytes of files in each of the `count` intervals between count + 1 bounds. A failed estimate
 * counts as 0. */
void rocks_approximate_sizes(struct rocks_store *store, const struct rocks_family *family,
                             const struct haul_slice *bounds, size_t count, uint64_t *sizes);

#endif
