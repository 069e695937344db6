/* SPDX-License-Identifier: Apache-2.0 */
/* store_look.h — examines a database before RocksDB opens it: what it is, what it holds and where
 * its files are. Writes and locks nothing.
 *
 * Thread: any. */
#ifndef HAUL_STORE_LOOK_H
#define HAUL_STORE_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log_look.h"
#include "manifest.h"
#include "stored_options.h"

/* RocksDB's own family for statistics (persist_stats_to_disk). */
#define STATISTICS_FAMILY "___rocksdb_stats_history___"

enum table_kind {
    TABLE_BLOCK_BASED,
    TABLE_PLAIN,
    TABLE_CUCKOO,
    TABLE_UNKNOWN,
};

/* Where the log is, by the database's files. */
enum wal_place {
    WAL_HERE,      /* in the directory */
    WAL_ELSEWHERE, /* where OPTIONS names it, and it is this database's own */
    WAL_UNSURE,    /* OPTIONS names a directory that may be another database's */
};

struct store_look {
    char directory[STORED_PATH_BYTES_MAX];
    struct stored_options options;
    struct manifest manifest;
    char manifest_path[STORED_PATH_BYTES_MAX];
    struct log_look log;
    bool has_identity;
    bool has_stacked_blobs; /* blob_dir/ of BlobDB before RocksDB 6.18 */
    bool is_leveldb;
    enum wal_place wal_place;
    char wal_dir[STORED_PATH_BYTES_MAX];    /* in effect; with WAL_UNSURE: the named one */
    char other_path[STORED_PATH_BYTES_MAX]; /* one of several db_paths; empty: none known */
    uint64_t missing_table;                 /* a live table file that is missing; 0: none */
    uint64_t cut_table;                     /* a truncated table file; 0: none */
    enum table_kind foreign_tables;         /* kind of a foreign file; TABLE_BLOCK_BASED: none */
    uint32_t table_format_max;              /* of the block-based files examined */
};

struct store_look_options {
    const char *directory;
    const char *wal_dir; /* given by the user; NULL: found as above */
    bool with_log;       /* read the log files, too */
};

/* Close `*look` even if this fails.
 * Errors: NOT_FOUND (no CURRENT, or no such `wal_dir`), CORRUPT, UNSUPPORTED (encrypted, or not a
 * file of RocksDB), VERSION (of a later release), IO, NO_MEMORY. */
enum haul_status store_look_open(const struct store_look_options *options, struct store_look *look,
                                 struct haul_error *error) HAUL_MUST_CHECK;
void store_look_close(struct store_look *look);

#endif
