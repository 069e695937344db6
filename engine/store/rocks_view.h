/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_view.h — a consistent view of a database, also of families whose compactions drop records.
 *
 * A snapshot keeps a record that is overwritten or deleted. It does not keep one that a compaction
 * filter or FIFO compaction drops: such a record would be in the copy and in its digest, but gone
 * when the digest needs its old value. An iterator does keep it, because it holds the memory and
 * files that were current when it was created. So for a family that drops records a view holds
 * iterators over the same memory and files, and lends them to scans and look-ups.
 *
 * Thread: any. */
#ifndef HAUL_ROCKS_VIEW_H
#define HAUL_ROCKS_VIEW_H

#include "rocks_store.h"

/* At most this many scans of one such family read from one source at a time; others wait. */
enum { ROCKS_VIEW_SCANS = 8 };

struct rocks_pin;

struct haul_snapshot {
    const rocksdb_snapshot_t *snapshot;
    struct rocks_pin *pins;
    size_t pin_count;
};

/* The family's pin; NULL: the snapshot alone keeps its records. `snapshot` may be NULL. */
struct rocks_pin *rocks_view_pin(const struct haul_snapshot *snapshot, uint32_t family_id);

/* Borrow an iterator over the whole family until it is returned; waits for one. */
rocksdb_iterator_t *rocks_pin_borrow(struct rocks_pin *pin, enum read_ahead_source source);
void rocks_pin_return(struct rocks_pin *pin, rocksdb_iterator_t *iterator);

/* As haul_store_ops.get. */
enum haul_status rocks_pin_get(struct rocks_pin *pin, struct haul_slice key, uint8_t **value,
                               size_t *value_size, struct haul_error *error) HAUL_MUST_CHECK;

#endif
