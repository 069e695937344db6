/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.h — reads a database's manifest without opening the database: its column families, its
 * live table and blob files, and the first log file that counts.
 *
 * RocksDB's own reader ends the process on some manifests that other programs can make, and accepts
 * LevelDB's as its own; so haul checks first.
 *
 * Thread: any. */
#ifndef HAUL_MANIFEST_H
#define HAUL_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

struct manifest_family {
    uint32_t id;
    char *name; /* `name_size` bytes, which may include zeros, and a NUL */
    size_t name_size;
    char *comparator;
    uint64_t log_number; /* log files below this one are not replayed for it */
};

struct manifest_file {
    uint64_t number;
    uint32_t family_id;
    uint64_t size_bytes;
    uint32_t path_id; /* index in db_paths or cf_paths */
};

/* All zeros: empty. */
struct manifest {
    struct manifest_family *families; /* live ones */
    size_t family_count;
    struct manifest_file *tables; /* live ones, in no order */
    size_t table_count;
    uint64_t blob_file_count;
    uint64_t min_log_number;       /* log files below this one are obsolete */
    uint64_t unflushed_log_number; /* older log files hold nothing but, perhaps, prepared
                                    * transactions */
    uint64_t last_sequence;
    bool has_rocksdb_fields; /* at least one that LevelDB does not write */
};

/* The manifest that `directory`/CURRENT names. Its name goes to `file_path` also on failure; empty
 * when CURRENT could not be read.
 * Errors: NOT_FOUND (no CURRENT), CORRUPT, UNSUPPORTED (encrypted, or not a file of RocksDB),
 * VERSION (a field of a later release), IO, NO_MEMORY. */
enum haul_status manifest_read(const char *directory, struct manifest *manifest, char *file_path,
                               size_t file_path_size_bytes,
                               struct haul_error *error) HAUL_MUST_CHECK;
/* Drop the families that are not in `names`; always keep "default". */
void manifest_select(struct manifest *manifest, const char *const *names, size_t count);
void manifest_fini(struct manifest *manifest);

/* The file that CURRENT names. Errors: NOT_FOUND, CORRUPT, UNSUPPORTED (foreign), IO. */
enum haul_status manifest_find(const char *directory, char *path, size_t path_size_bytes,
                               struct haul_error *error) HAUL_MUST_CHECK;

#endif
