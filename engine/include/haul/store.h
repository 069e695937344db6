/* SPDX-License-Identifier: Apache-2.0 */
/* store.h — what a migration needs of a database: families, snapshots, scans, the write-ahead
 * log, atomic batches and table files. RocksDB through its C API is one implementation
 * (haul_rocks_store_open); an embedder may supply its own.
 *
 * A store's struct begins with `struct haul_store`. Threads: any number of threads may call
 * `snapshot_*`, `scan_*`, `write`, `sync`, `get`, `table_*`, `sequence` and `wal_*` at the same
 * time (a scan, log reader or table belongs to one thread at a time); all other calls come from
 * one thread. */
#ifndef HAUL_STORE_H
#define HAUL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/limits.h"
#include "haul/log.h"
#include "haul/slice.h"
#include "haul/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A column family. An empty merge operator name means none. */
struct haul_family {
    uint32_t id; /* the store's own number, as its write batches use it */
    char name[HAUL_NAME_BYTES_MAX];
    char comparator[HAUL_NAME_BYTES_MAX];
    char merge_operator[HAUL_NAME_BYTES_MAX];
};

struct haul_record {
    struct haul_slice key;
    struct haul_slice value;
};

/* A batch of the write-ahead log: RocksDB's WriteBatch representation with the sequence number of
 * its first record. */
struct haul_log_batch {
    uint64_t sequence;
    struct haul_slice data;
};

/* A long operation runs in steps and calls `next` before each: false ends it. The calls also show
 * the owner that it is working. NULL: run to the end. Thread: that of the call. */
struct haul_steps {
    bool (*next)(void *context);
    void *context;
};

enum haul_store_features {
    HAUL_STORE_WAL = 1 << 0,       /* the log can be read: live migration */
    HAUL_STORE_INGEST = 1 << 1,    /* table files can be ingested */
    HAUL_STORE_FOLLOWERS = 1 << 2, /* the log has followers: do not ingest */
};

enum haul_write_flags {
    HAUL_WRITE_SYNC = 1 << 0,   /* durable when the call returns */
    HAUL_WRITE_NO_WAL = 1 << 1, /* durable only after flush() */
    HAUL_WRITE_PUTS = 1 << 2,   /* the batch holds only Put and LogData */
};

/* Of the file system in which a store lies. */
struct haul_space {
    uint64_t free_bytes; /* for this process's user */
    uint64_t total_bytes;
    uint64_t unwritten_bytes; /* in memory: files that the store still has to write */
    /* The most that each column family holds in memory, and the size to which the store extends a
     * log file in advance. 0: unknown. */
    uint64_t family_memory_bytes;
    uint64_t log_ahead_bytes;
};

struct haul_store;
struct haul_snapshot;
struct haul_scan;
struct haul_wal_reader;
struct haul_table;

/* Every function is mandatory unless its comment mentions NULL; a store returns UNSUPPORTED for
 * what it cannot do. Errors of the database are STORE, and CORRUPT, NO_SPACE or IO where named.
 * Keys and values are binary. `end` of size 0 means "to the end of the family". */
struct haul_store_ops {
    void (*close)(struct haul_store *store);
    uint32_t (*features)(const struct haul_store *store); /* HAUL_STORE_* */
    /* Identifies the database: the text changes only if it is another database. */
    const char *(*identity)(const struct haul_store *store);
    /* Where journals and staging files may lie: the database's own file system. */
    const char *(*directory)(const struct haul_store *store);
    /* Is the path of directory() still the directory that was opened? Called before anything that
     * must not reach another database, above all a decision. NULL: nobody moves it. Thread: any.
     * Errors: NOT_FOUND (moved, mounted over). */
    enum haul_status (*place_check)(struct haul_store *store, struct haul_error *error);
    /* For haul's own tests, which replace the system's calls on files below directory(). Otherwise
     * NULL. */
    const void *(*files)(const struct haul_store *store);

    /* All families. Errors: LIMIT (more than `capacity`). */
    enum haul_status (*families)(struct haul_store *store, struct haul_family *families,
                                 size_t capacity, size_t *count, struct haul_error *error);
    enum haul_status (*family_create)(struct haul_store *store, const char *name,
                                      struct haul_family *family, struct haul_error *error);
    /* The options that determine how a family's records lie on disk: one `name=value` per line,
     * malloc'ed, freed by the caller. NULL: this store has none. */
    enum haul_status (*family_options)(struct haul_store *store, uint32_t family_id, char **options,
                                       struct haul_error *error);
    /* family_create with such options, which come from another store and are not trusted; options
     * that this store lacks keep its own values. A family that a new store was created with may be
     * created again while nothing has been written. NULL: family_create is used.
     * Errors: EXISTS (such a family, in use), others. */
    enum haul_status (*family_create_like)(struct haul_store *store, const char *name,
                                           const char *options, struct haul_family *family,
                                           struct haul_error *error);
    /* Remove, for good, an empty family that this process has created or found. NULL: families
     * stay.
     * Errors: NOT_FOUND, UNSUPPORTED (only its owner removes families), those of the store. */
    enum haul_status (*family_drop)(struct haul_store *store, const char *name,
                                    struct haul_error *error);
    /* Would this store's own configuration drop or change records of the family after they were
     * received? `options` are those of the source's family. NULL: it never does.
     * Errors: UNSUPPORTED (with the option and a remedy), others. */
    enum haul_status (*receive_check)(struct haul_store *store, const char *name,
                                      const char *options, struct haul_error *error);

    /* Do scans, single reads and the log of these families return everything that their readers
     * get? Called when a view is open. NULL: they do. Errors: UNSUPPORTED (with the option and a
     * remedy), others. */
    enum haul_status (*send_check)(struct haul_store *store, const uint32_t *family_ids,
                                   size_t family_count, struct haul_error *error);

    /* NULL: unknown. Errors: IO. */
    enum haul_status (*space)(struct haul_store *store, struct haul_space *space,
                              struct haul_error *error);

    /* The last sequence number that was assigned. */
    uint64_t (*sequence)(struct haul_store *store);
    /* A consistent view. `*sequence` is at or before its last record: replaying the log from
     * *sequence + 1 over a copy of the view loses nothing (and may repeat what is in it). */
    enum haul_status (*snapshot_open)(struct haul_store *store, struct haul_snapshot **snapshot,
                                      uint64_t *sequence, struct haul_error *error);
    void (*snapshot_close)(struct haul_store *store, struct haul_snapshot *snapshot);

    /* Scan [start, end) of one family in the family's own order, which its comparator defines and
     * in which `end` follows `start`; `snapshot` NULL: the current state. The bounds are borrowed
     * for the life of the scan. */
    enum haul_status (*scan_open)(struct haul_store *store, const struct haul_snapshot *snapshot,
                                  uint32_t family_id, struct haul_slice start,
                                  struct haul_slice end, struct haul_scan **scan,
                                  struct haul_error *error);
    /* The next record, borrowed until the next call. Errors: NOT_FOUND (the end, without an error),
     * others. */
    enum haul_status (*scan_next)(struct haul_scan *scan, struct haul_record *record,
                                  struct haul_error *error);
    void (*scan_close)(struct haul_scan *scan);

    /* Read one value into `*value` (malloc; the caller frees). Errors: NOT_FOUND. */
    enum haul_status (*get)(struct haul_store *store, const struct haul_snapshot *snapshot,
                            uint32_t family_id, struct haul_slice key, uint8_t **value,
                            size_t *value_size, struct haul_error *error);

    /* Apply a WriteBatch representation atomically. The caller has checked every byte of it. */
    enum haul_status (*write)(struct haul_store *store, struct haul_slice batch, unsigned flags,
                              struct haul_error *error);
    /* The same for a batch in pieces that follow each other; each byte is copied once. */
    enum haul_status (*write_pieces)(struct haul_store *store, const struct haul_slice *pieces,
                                     size_t piece_count, unsigned flags, struct haul_error *error);
    /* All earlier writes with the log are durable when this returns. */
    enum haul_status (*sync)(struct haul_store *store, struct haul_error *error);
    /* All earlier writes, also without the log, are durable in table files. */
    enum haul_status (*flush)(struct haul_store *store, struct haul_error *error);
    /* Remove every record of [start, end) of one family, durably; bounds as for a scan. When
     * `steps` end it early, all records are removed nevertheless, but their space is not yet given
     * back. */
    enum haul_status (*range_clear)(struct haul_store *store, uint32_t family_id,
                                    struct haul_slice start, struct haul_slice end,
                                    const struct haul_steps *steps, struct haul_error *error);
    /* Estimated bytes of [start, end), in files and in memory. UNSUPPORTED: bounds in a family that
     * is not ordered by bytes; likewise range_split. */
    enum haul_status (*range_size)(struct haul_store *store, uint32_t family_id,
                                   struct haul_slice start, struct haul_slice end, uint64_t *bytes,
                                   struct haul_error *error);
    /* Up to `capacity` ascending keys that cut [start, end) into parts of about equal bytes; each
     * key is malloc'ed, the caller frees. Fewer, or none, when the store has nothing to cut by. */
    enum haul_status (*range_split)(struct haul_store *store, uint32_t family_id,
                                    struct haul_slice start, struct haul_slice end,
                                    struct haul_slice *keys, size_t capacity, size_t *count,
                                    struct haul_error *error);

    /* Keep log files from being purged until unpinned; calls are counted. The pin ends with the
     * process. */
    enum haul_status (*wal_pin)(struct haul_store *store, struct haul_error *error);
    void (*wal_unpin)(struct haul_store *store);
    /* Disk space of files that only the pin keeps: log files, and table files (not blob files). May
     * read the directory. NULL: unknown. */
    void (*pinned_bytes)(struct haul_store *store, uint64_t *log_bytes, uint64_t *table_bytes);
    /* Read the log from the batch that holds `sequence`. The reader proves continuity itself: the
     * first batch begins at or before `sequence`, every next one exactly where the last ended.
     * Errors: GAP (the log does not reach back, or has a hole). */
    enum haul_status (*wal_open)(struct haul_store *store, uint64_t sequence,
                                 struct haul_wal_reader **reader, struct haul_error *error);
    /* The next batch, borrowed until the next call. Errors: AGAIN (nothing newer now, and the
     * reader is exactly at the store's last sequence number), GAP, others. */
    enum haul_status (*wal_next)(struct haul_wal_reader *reader, struct haul_log_batch *batch,
                                 struct haul_error *error);
    /* The sequence number that the next batch must begin with. */
    uint64_t (*wal_position)(const struct haul_wal_reader *reader);
    void (*wal_close)(struct haul_wal_reader *reader);

    /* The number of files that others than this interface's callers have ingested since the store
     * was opened: changes that are not in the log. NULL: this cannot happen to this store. */
    uint64_t (*foreign_ingests)(struct haul_store *store);

    /* Table files: sorted, strictly ascending records of one family, written below directory(),
     * with the family's own compression and table options. */
    enum haul_status (*table_create)(struct haul_store *store, uint32_t family_id, const char *path,
                                     struct haul_table **table, struct haul_error *error);
    enum haul_status (*table_put)(struct haul_table *table, struct haul_slice key,
                                  struct haul_slice value, struct haul_error *error);
    uint64_t (*table_size)(const struct haul_table *table);
    /* Finish (durable on disk) or abandon; frees the table either way. */
    enum haul_status (*table_finish)(struct haul_table *table, struct haul_error *error);
    void (*table_abandon)(struct haul_table *table);
    /* Move finished files into the family. The range of each must be private to the caller.
     * Errors: AGAIN (a flush is needed: the call has done it, call again), CORRUPT (the store took
     * the files, and does not have them). */
    enum haul_status (*table_ingest)(struct haul_store *store, uint32_t family_id,
                                     const char *const *paths, size_t path_count,
                                     struct haul_error *error);
    /* Are the tables that table_ingest has moved into [start, end) still there, with all their
     * records? table_ingest has checked this; this call checks again, without reading the records.
     * `*sure` false: only a scan can prove it. NULL: this store does not lose tables.
     * Errors: those of the database. */
    enum haul_status (*tables_check)(struct haul_store *store, uint32_t family_id,
                                     struct haul_slice start, struct haul_slice end, bool *sure,
                                     struct haul_error *error);
    /* The tables of [start, end) will not be checked again. NULL with tables_check. */
    void (*tables_forget)(struct haul_store *store, uint32_t family_id, struct haul_slice start,
                          struct haul_slice end);
};

struct haul_store {
    const struct haul_store_ops *ops;
};

/* --- RocksDB ---------------------------------------------------------------------------------- */

struct haul_rocks_options {
    size_t size_bytes; /* of this struct: haul/version.h */
    bool create_if_missing;
    bool read_only; /* RocksDB writes nothing. Alone: without the lock and the log, for verify; with
                     * keep_log: under the lock, for a source that nobody writes to */
    uint32_t write_buffer_mib; /* 0: the database's own options */
    bool keep_log; /* the previous log stays readable until close: for a source whose job is resumed
                    * after a restart */
    bool flush_at_close; /* flush the log into tables, compressed as usual: for a target, whose next
                          * open then replays no log */
    const char *wal_dir; /* borrowed: the directory of the database's own log; NULL: as the database
                          * has it stored, unless it could be another database's */
    const struct haul_log *log;  /* borrowed */
    const char *const *families; /* borrowed: with read_only, only these and "default" are opened */
    size_t family_count;         /* 0: all families, and haul must be able to open each */
    bool families_of_jobs;       /* with read_only, instead of `families`: those that the journals
                                  * of the source's unfinished jobs name, and "default" */
};

/* Open with the options that the database has stored; a new one gets RocksDB's defaults. An
 * existing database is checked before RocksDB opens it: what cannot be moved faithfully, or would
 * be harmed by an open, is refused (docs/COMPATIBILITY.md).
 * Errors: NOT_FOUND (no database there), BUSY (locked by another process), MISMATCH (a comparator,
 * merge operator or table factory that this program does not have), UNSUPPORTED, VERSION (of a
 * later RocksDB), CORRUPT, NO_SPACE, IO, STORE. */
enum haul_status haul_rocks_store_open(const char *path, const struct haul_rocks_options *options,
                                       struct haul_store **store,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Can haul open all column families of this database, as it must for writing? The database may be
 * open; only its files are read. Errors: UNSUPPORTED, MISMATCH (both: no, and why), those of
 * reading. */
enum haul_status haul_rocks_store_check_families(const char *directory,
                                                 struct haul_error *error) HAUL_MUST_CHECK;

/* Remove the second names of log files that a crashed source with keep_log has left and that no job
 * needs any more. (Otherwise closing the store removes them, unless a job can be resumed.) Does
 * nothing while the database is in use. */
void haul_rocks_store_tidy(const char *directory);

/* A database that the embedder has open: it stays the embedder's, and outlives the store. The
 * handles are those of RocksDB's C API (`rocksdb_t` and so on), of the release that libhaul was
 * built with. */
struct rocksdb_t;
struct rocksdb_column_family_handle_t;
struct rocksdb_options_t;

struct haul_rocks_family {
    const char *name;
    struct rocksdb_column_family_handle_t *handle;
    struct rocksdb_options_t *options; /* as in force: table files are written with them */
    const char *comparator;            /* its name; NULL: the bytewise one */
    const char *merge_operator;        /* its name; NULL: none */
};

/* Everything is borrowed until the store is closed, except `families`, which is copied. */
struct haul_rocks_database {
    size_t size_bytes; /* of this struct: haul/version.h */
    const char *path;
    struct rocksdb_t *db;
    const struct haul_rocks_family *families;
    size_t family_count;
    /* Which HAUL_STORE_* currently hold; called for each job. NULL: WAL and INGEST. */
    uint32_t (*features)(void *context);
    void *context;
    /* LogData that the program ends each of its own batches with (an id of its log's lineage, say):
     * haul ends its batches with it, too. Fills `blob` and returns the size; 0: none now. Called
     * for each batch, by any thread. NULL: none. */
    size_t (*log_data)(void *context, uint8_t blob[HAUL_LOG_DATA_BYTES_MAX]);
};

/* A store over an open database. It cannot create column families. Closing it leaves the database
 * open.
 *
 * The log. While a job runs, wal_pin keeps the source's log. After a crash of the program its job
 * can be resumed only if the log still reaches back to the beginning of the job, and RocksDB
 * removes the log that it has replayed when it opens the database. So open it with WAL_ttl_seconds
 * of more than the longest job, an outage and a restart take together (or WAL_size_limit_MB of more
 * than is written in that time). Otherwise the job starts over and logs the reason.
 *
 * C++: a `rocksdb_t` is not a rocksdb::DB, and a cast to it is wrong. haul/rocksdb.hpp attaches a
 * rocksdb::DB with its column family handles.
 *
 * Errors: INVALID, LIMIT (too many families), NO_MEMORY. */
enum haul_status haul_rocks_store_attach(const struct haul_rocks_database *database,
                                         struct haul_store **store,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Closes a store of either kind. */
void haul_store_close(struct haul_store *store);

#ifdef __cplusplus
}
#endif

#endif
