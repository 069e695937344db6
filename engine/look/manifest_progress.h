/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_progress.h — how far a database has come, by its manifest: each open starts a manifest
 * with a greater number, and each change appends to it. This also counts ingested tables, which
 * take no sequence number.
 *
 * Thread: any. */
#ifndef HAUL_MANIFEST_PROGRESS_H
#define HAUL_MANIFEST_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: unknown. */
struct manifest_progress {
    uint64_t file;  /* number of the file that CURRENT names */
    uint64_t bytes; /* its size */
};

/* The progress of the database in this directory. `durable`: only the part that survives a power
 * failure. Unknown without a readable database. */
struct manifest_progress manifest_progress_of(const char *database, bool durable);

/* The same for the database that this folder of haul's (`<database>/haul`) lies in. */
struct manifest_progress manifest_progress_around(const char *folder, bool durable);

static inline bool manifest_progress_is_before(const struct manifest_progress *a,
                                               const struct manifest_progress *b)
{
    return a->file < b->file || (a->file == b->file && a->bytes < b->bytes);
}

#endif
