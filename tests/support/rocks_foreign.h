/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_foreign.h — databases as other programs leave them: made with RocksDB itself, with options
 * that our store interface does not offer. */
#ifndef HAUL_TESTS_ROCKS_FOREIGN_H
#define HAUL_TESTS_ROCKS_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/store.h"

enum foreign_comparator {
    FOREIGN_BYTEWISE = 0,
    FOREIGN_REVERSE, /* RocksDB's own reverse order, by its name */
    FOREIGN_UNKNOWN, /* "test.UnknownComparator" */
};

enum foreign_merge {
    FOREIGN_NO_MERGE = 0,
    FOREIGN_UINT64_ADD,    /* RocksDB's own */
    FOREIGN_UNKNOWN_MERGE, /* "test.UnknownMerge" */
};

/* A zeroed one is a database with the default column family and one record. */
struct foreign_database {
    const char *family; /* the family that gets the operators below; NULL: "default" */
    enum foreign_comparator comparator;
    enum foreign_merge merge;
    bool tiny_log;              /* memory is flushed, and the log dropped, every 64 KiB */
    bool manual_wal_flush;      /* the log's tail stays in the process */
    uint32_t target_file_bytes; /* of table files; 0: RocksDB's default */
    uint64_t wal_ttl_seconds;   /* old log files are archived for this long */
    uint64_t wal_size_limit_mb; /* or up to this many bytes */
    uint64_t counter;           /* FOREIGN_UINT64_ADD: merged into "counter" twice */
    uint32_t family_count;      /* further families, "f0000", ... */
};

/* Make one below the empty or missing directory `path`, and close it. Records in the family: "a" to
 * "e", value "value". A failure aborts the test program. */
void rocks_foreign_make(const char *path, const struct foreign_database *database);

/* Ingest a file with one record into the default family of an open store, by RocksDB's own call, as
 * another part of the program would. */
void rocks_foreign_ingest(struct haul_store *store, const char *key, const char *value);

/* Remove whole table files of the default family, or compact it, in the same way. */
void rocks_foreign_delete_files(struct haul_store *store);
void rocks_foreign_compact(struct haul_store *store);

#endif
