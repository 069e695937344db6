/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_store.h — shared by the rocks_*.c files: the struct and the translation of errors. Only
 * these files include it, and <rocksdb/c.h>.
 *
 *   rocks_store.c    families, writing, facts, the table of operations
 *   rocks_attach.c   a database that the embedder has open
 *   rocks_open.c     opening with the options that the database has stored
 *   rocks_view.c     snapshots
 *   rocks_scan.c     scans, single reads
 *   rocks_size.c     edges and sizes of ranges
 *   rocks_split.c    keys that cut a range
 *   rocks_clear.c    clearing a range
 *   rocks_wal.c      the write-ahead log
 *   rocks_table.c    table files
 *   rocks_ingested.c are ingested table files where they should be?
 *   rocks_takeover.c options of families, from and for another database
 *   rocks_known.c    which options these are, and their limits
 *   rocks_families.c making column families
 *   rocks_receive.c  what would drop or change received records
 *   rocks_send.c     what cannot be read faithfully
 *   rocks_place.c    is the path still the directory that was opened? */
#ifndef HAUL_ROCKS_STORE_H
#define HAUL_ROCKS_STORE_H

#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "database_lock.h"
#include "haul/store.h"
#include "read_ahead.h"
#include "rocks_door.h"
#include "rocks_known.h"

struct rocks_stored;

enum {
    ROCKS_PATH_BYTES_MAX = 4096,
    ROCKS_FAMILY_COUNT_MAX = HAUL_FAMILY_COUNT_MAX + 1, /* and RocksDB's own for statistics */
};

struct rocks_family {
    struct haul_family family;
    rocksdb_options_t *options;
    rocksdb_column_family_handle_t *handle; /* NULL: not open */
    struct rocks_key_domain *domain;        /* the keys that the owner's index takes; NULL: all */
    bool drops_records; /* its compactions may remove live records: rocks_view.h */
};

/* Dropped: its place is free for the next one. */
static inline bool rocks_family_is_gone(const struct rocks_family *family)
{
    return family->family.name[0] == '\0';
}

struct rocks_store {
    struct haul_store base;
    rocksdb_t *db;
    char *path;
    bool read_only;
    bool attached; /* database, handles and options of families are the embedder's */
    uint32_t (*features)(void *context); /* attached: or NULL */
    void *features_context;
    size_t (*log_data)(void *context, uint8_t *blob); /* of features_context; or NULL */
    bool flushes_at_close;
    bool unchosen; /* when opened: one family, with RocksDB's default options */
    bool lost;     /* closed to be created again, and could not be opened */
    struct database_lock lock;
    int place_fd; /* rocks_place.c's: the directory that was opened; -1: none */
    char wal_dir[ROCKS_PATH_BYTES_MAX]; /* of an existing database, open for writing */
    bool archives_itself;               /* old log files, by its own options */
    bool keeps_log;
    bool had_instance;          /* existed before this open: a peer may know it */
    uint64_t opened_at;         /* the last sequence number at the open */
    _Atomic unsigned log_error; /* enum haul_status of the last write that failed; rocks_write */
    char identity[HAUL_IDENTITY_BYTES_MAX];
    rocksdb_options_t *options;
    struct rocks_stored *stored;     /* from before the open; NULL: attached, or new */
    struct rocks_stored *stored_now; /* read on the first request */
    uint64_t stored_now_ns;
    pthread_mutex_t stored_lock; /* of the last three */
    rocksdb_writeoptions_t *write_options;
    rocksdb_writeoptions_t *write_options_no_wal;
    pthread_rwlock_t families_lock; /* families are created and dropped while others look them up;
                                     * each keeps its place */
    pthread_mutex_t ingest_lock;    /* makes an ingestion and its count atomic */
    struct read_ahead read_ahead;   /* of scans; a view begins it anew */
    uint64_t own_ingests;
    struct rocks_ingested *ingested; /* rocks_ingested.c's; protected by ingest_lock */
    size_t ingested_count;
    size_t ingested_capacity;
    size_t family_count;
    struct rocks_family families[ROCKS_FAMILY_COUNT_MAX];
};

/* Takes (frees) RocksDB's message; OK when it is NULL. `call` names the operation. Never returns
 * NOT_FOUND or AGAIN, which callers take for a regular end.
 * Errors: NO_SPACE, BUSY, CORRUPT, MISMATCH, IO, STORE. */
enum haul_status rocks_error(char *message, const char *call, struct haul_error *error);

/* The same for reading records: names the family where that helps. */
enum haul_status rocks_read_error(const struct rocks_family *family, char *message,
                                  const char *call, struct haul_error *error);

/* The error of a store that is `lost`. */
enum haul_status rocks_lost(const struct rocks_store *store, struct haul_error *error);
/* The pointer is valid until a family is dropped or the database is created again. The caller of
 * those ensures that no other thread uses a family: jobs, clearing and comparisons take turns.
 * Errors: NOT_FOUND. Thread: any. */
enum haul_status rocks_family(struct rocks_store *store, uint32_t family_id,
                              const struct rocks_family **family,
                              struct haul_error *error) HAUL_MUST_CHECK;
/* Bounds are byte strings in memcmp order: a family in another order has only the range of all
 * keys.
 * Errors: NOT_FOUND (family), UNSUPPORTED (bounds in such a family). Thread: any. */
enum haul_status rocks_family_range(struct rocks_store *store, uint32_t family_id,
                                    struct haul_slice start, struct haul_slice end,
                                    const struct rocks_family **family,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* End a batch with the owner's LogData, if it has any. */
void rocks_close_batch(struct rocks_store *store, rocksdb_writebatch_t *batch);
/* Write a batch to the log and to memory. `call` names the operation. After a failed write the log
 * must not be synced (RocksDB asserts this): rocks_sync returns the error until a write
 * succeeds. */
enum haul_status rocks_write(struct rocks_store *store, const rocksdb_writeoptions_t *options,
                             rocksdb_writebatch_t *batch, const char *call,
                             struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status rocks_sync(struct rocks_store *store, struct haul_error *error) HAUL_MUST_CHECK;
/* Flush memory to table files; returns when they are durable. */
enum haul_status rocks_flush_family(struct rocks_store *store, const struct rocks_family *family,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Errors: UNSUPPORTED (the owner's index or memtable cannot take the key). */
enum haul_status rocks_check_key(const struct rocks_family *family, struct haul_slice key,
                                 struct haul_error *error) HAUL_MUST_CHECK;
bool rocks_family_is_bytewise(const struct rocks_family *family);

static inline struct rocks_store *rocks_of(struct haul_store *store)
{
    return (struct rocks_store *)store;
}

/* The merge operator with its stored options, so that both sides of a job can compare how theirs
 * merge. */
void rocks_name_merge(struct rocks_family *family, const rocksdb_options_t *options);
/* For open families: note what RocksDB itself reports. Errors: UNSUPPORTED (another RocksDB). */
enum haul_status rocks_note_families(struct rocks_store *store,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* A store with its operations, but without a database; store_close frees it. NULL: no memory. */
struct rocks_store *rocks_store_create(const char *path);

/* --- rocks_open.c ----------------------------------------------------------------------------- */

/* Open the families in `store->families`, and fill in handles and ids. Errors: BUSY, those of
 * RocksDB. */
enum haul_status rocks_open_handles(struct rocks_store *store,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Open `store->path` with `options`, fill families and identity. A failed store may be closed.
 * Errors: as haul_rocks_store_open. */
enum haul_status rocks_open(struct rocks_store *store, const struct haul_rocks_options *options,
                            struct haul_error *error) HAUL_MUST_CHECK;

/* Databases of early releases have no identity. Errors: IO: an unreadable identity must not make a
 * journal look like another database's. */
enum haul_status rocks_read_identity(struct rocks_store *store,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Before an empty database is created anew: its identity is kept aside, and restored once the new
 * database exists, or by the next process that opens it for writing. Errors: NO_SPACE, IO. */
enum haul_status rocks_identity_keep(const struct rocks_store *store,
                                     struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status rocks_identity_restore(const struct rocks_store *store,
                                        struct haul_error *error) HAUL_MUST_CHECK;

/* After the database was closed, or could not be opened: remove the second names of log files
 * unless a job needs them, remove haul/ if it is empty, and release the lock. */
void rocks_tidy(struct rocks_store *store);

/* Sync log files that another process may have left unsynced; RocksDB does so only when it opens
 * them for writing. Errors: IO. */
enum haul_status rocks_sync_files(struct rocks_store *store,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* --- rocks_place.c ---------------------------------------------------------------------------- */

/* Before the open: resolve symbolic links in `store->path`, which may be switched later. */
void rocks_place_follow(struct rocks_store *store);
/* Remember the directory that the path names now, once. */
void rocks_place_note(struct rocks_store *store);
enum haul_status rocks_place_check(struct haul_store *base,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* --- rocks_takeover.c, rocks_families.c, rocks_receive.c, rocks_send.c ------------------------ */

/* The stored value of one option of a family ("table." before a table option); "" without one, and
 * for one that does not fit. Thread: any. */
void rocks_family_option(struct rocks_store *store, const char *family, const char *name,
                         char value[ROCKS_OPTION_VALUE_BYTES_MAX]);
/* Thread: any. */
enum haul_status rocks_family_options(struct haul_store *base, uint32_t family_id, char **options,
                                      struct haul_error *error);
/* RocksDB has rewritten its options; `anew`: for a database that was created again. */
void rocks_takeover_forget(struct rocks_store *store, bool anew);
/* Name, classes and options (the caller's) of a family that takes over the options of `text` that
 * fit. */
void rocks_takeover_prepare(const struct rocks_store *store, const char *name, const char *text,
                            bool with_compression, struct rocks_family *family);

/* Was nothing ever written, and no option chosen? Then the only family may be made anew. */
bool rocks_is_unwritten(struct rocks_store *store);
enum haul_status rocks_family_create(struct haul_store *base, const char *name,
                                     struct haul_family *created, struct haul_error *error);
enum haul_status rocks_family_create_like(struct haul_store *base, const char *name,
                                          const char *options, struct haul_family *created,
                                          struct haul_error *error);
enum haul_status rocks_receive_check(struct haul_store *base, const char *name, const char *options,
                                     struct haul_error *error);
enum haul_status rocks_family_drop(struct haul_store *base, const char *name,
                                   struct haul_error *error);
enum haul_status rocks_space(struct haul_store *base, struct haul_space *space,
                             struct haul_error *error);
enum haul_status rocks_send_check(struct haul_store *base, const uint32_t *family_ids, size_t count,
                                  struct haul_error *error);

/* --- rocks_view.c, rocks_scan.c --------------------------------------------------------------- */

/* Options of a scan of everything; `snapshot` NULL: as of now. */
rocksdb_readoptions_t *rocks_scan_options(const rocksdb_snapshot_t *snapshot,
                                          enum read_ahead_source source);
/* Sets the error for a record that is not a plain value. */
enum haul_status rocks_refuse_columns(const struct rocks_family *family, struct haul_slice key,
                                      struct haul_error *error);
enum haul_status rocks_snapshot_open(struct haul_store *base, struct haul_snapshot **snapshot,
                                     uint64_t *sequence, struct haul_error *error);
void rocks_snapshot_close(struct haul_store *base, struct haul_snapshot *snapshot);
enum haul_status rocks_scan_open(struct haul_store *base, const struct haul_snapshot *snapshot,
                                 uint32_t family_id, struct haul_slice start, struct haul_slice end,
                                 struct haul_scan **scan, struct haul_error *error);
enum haul_status rocks_scan_next(struct haul_scan *scan, struct haul_record *record,
                                 struct haul_error *error);
void rocks_scan_close(struct haul_scan *scan);
enum haul_status rocks_get(struct haul_store *base, const struct haul_snapshot *snapshot,
                           uint32_t family_id, struct haul_slice key, uint8_t **value,
                           size_t *value_size, struct haul_error *error);

/* --- rocks_size.c, rocks_split.c -------------------------------------------------------------- */

enum haul_status rocks_range_size(struct haul_store *base, uint32_t family_id,
                                  struct haul_slice start, struct haul_slice end, uint64_t *bytes,
                                  struct haul_error *error);
enum haul_status rocks_range_split(struct haul_store *base, uint32_t family_id,
                                   struct haul_slice start, struct haul_slice end,
                                   struct haul_slice *keys, size_t capacity, size_t *count,
                                   struct haul_error *error);
/* The first and the last key of [start, end) in the family's order, malloc'ed each.
 * Errors: NOT_FOUND (no record there), others. */
enum haul_status rocks_edge_keys(struct rocks_store *store, const struct rocks_family *family,
                                 struct haul_slice start, struct haul_slice end,
                                 struct haul_slice edges[2], struct haul_error *error);
void rocks_free_key(struct haul_slice key);

/* --- rocks_clear.c ---------------------------------------------------------------------------- */

/* One tombstone's worth: its compaction takes seconds, not minutes. */
#define ROCKS_CLEAR_PIECE_BYTES ((uint64_t)256 << 20)

/* Where a range is cut: keys between its edges, ascending. */
struct rocks_cuts {
    struct haul_slice *keys;
    size_t count;
    bool compacts; /* false: left to RocksDB */
};
/* Clear everything from edges[0] to edges[1], both included, piece by piece. */
enum haul_status rocks_clear_pieces(struct rocks_store *store, const struct rocks_family *family,
                                    const struct haul_slice edges[2], const struct rocks_cuts *cuts,
                                    const struct haul_steps *steps,
                                    struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status rocks_range_clear(struct haul_store *base, uint32_t family_id,
                                   struct haul_slice start, struct haul_slice end,
                                   const struct haul_steps *steps, struct haul_error *error);

/* --- rocks_wal.c ------------------------------------------------------------------------------ */

enum haul_status rocks_wal_pin(struct haul_store *base, struct haul_error *error);
void rocks_wal_unpin(struct haul_store *base);
enum haul_status rocks_wal_open(struct haul_store *base, uint64_t sequence,
                                struct haul_wal_reader **reader, struct haul_error *error);
enum haul_status rocks_wal_next(struct haul_wal_reader *reader, struct haul_log_batch *batch,
                                struct haul_error *error);
uint64_t rocks_wal_position(const struct haul_wal_reader *reader);
void rocks_wal_close(struct haul_wal_reader *reader);

/* --- rocks_table.c ---------------------------------------------------------------------------- */

enum haul_status rocks_table_create(struct haul_store *base, uint32_t family_id, const char *path,
                                    struct haul_table **table, struct haul_error *error);
enum haul_status rocks_table_put(struct haul_table *table, struct haul_slice key,
                                 struct haul_slice value, struct haul_error *error);
uint64_t rocks_table_size(const struct haul_table *table);
enum haul_status rocks_table_finish(struct haul_table *table, struct haul_error *error);
void rocks_table_abandon(struct haul_table *table);
uint64_t rocks_foreign_ingests(struct haul_store *base);
void rocks_pinned_bytes(struct haul_store *base, uint64_t *log_bytes, uint64_t *table_bytes);
enum haul_status rocks_table_ingest(struct haul_store *base, uint32_t family_id,
                                    const char *const *paths, size_t path_count,
                                    struct haul_error *error);

/* --- rocks_ingested.c ------------------------------------------------------------------------- */

/* A finished table, noted by its path until it is ingested. Takes the keys of `facts`. */
enum haul_status rocks_ingested_note(struct rocks_store *store, uint32_t family_id,
                                     const char *path, const struct rocks_table_facts *facts,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Check that the tables with these paths, which RocksDB has taken, are live with all their entries.
 * Errors: CORRUPT (they are not), others. */
enum haul_status rocks_ingested_prove(struct rocks_store *store, const struct rocks_family *family,
                                      const char *const *paths, size_t path_count,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* Forget a table that was not ingested. */
void rocks_ingested_drop(struct rocks_store *store, const char *path);
/* Forget the tables in [start, end): they need not be live. */
void rocks_ingested_forget(struct haul_store *base, uint32_t family_id, struct haul_slice start,
                           struct haul_slice end);
enum haul_status rocks_ingested_check(struct haul_store *base, uint32_t family_id,
                                      struct haul_slice start, struct haul_slice end, bool *sure,
                                      struct haul_error *error);
void rocks_ingested_free(struct rocks_store *store);

#endif
