/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_progress.h — how far a database has come, by the file in which RocksDB lists its tables:
 * each opening begins a file with a greater number, and each change appends to it. Also tables that
 * are ingested count, which take no sequence number.
 *
 * Thread: any. */
#ifndef HAUL_MANIFEST_PROGRESS_H
#define HAUL_MANIFEST_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: not known. */
struct manifest_progress {
    uint64_t file;  /* number of the file that CURRENT names */
    uint64_t bytes; /* its size */
};

/* Of the database in this directory. `durable`: as far as no power failure takes it back. Not known
 * when there is no database, or it cannot be read. */
struct manifest_progress manifest_progress_of(const char *database, bool durable);

static inline bool manifest_progress_is_before(const struct manifest_progress *a,
                                               const struct manifest_progress *b)
{
    return a->file < b->file || (a->file == b->file && a->bytes < b->bytes);
}

#endif
