/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_store.h — what the rocks_*.c files share: the struct and the translation of errors. Nobody
 * else includes it; nobody else includes <rocksdb/c.h>. */
#ifndef HAUL_ROCKS_STORE_H
#define HAUL_ROCKS_STORE_H

#include <pthread.h>
#include <rocksdb/c.h>

#include "haul/store.h"

struct rocks_family {
    struct haul_family family;
    rocksdb_options_t *options;
    rocksdb_column_family_handle_t *handle;
};

struct rocks_store {
    struct haul_store base;
    rocksdb_t *db;
    char *path;
    bool read_only;
    char identity[HAUL_IDENTITY_BYTES_MAX];
    rocksdb_options_t *options;
    rocksdb_comparator_t *reverse_comparator;
    rocksdb_writeoptions_t *write_options;
    rocksdb_writeoptions_t *write_options_no_wal;
    pthread_rwlock_t families_lock; /* a family may be created while readers look one up */
    size_t family_count;
    struct rocks_family families[HAUL_FAMILY_COUNT_MAX];
};

/* Takes (frees) RocksDB's message; OK when it is NULL. `call` names what was tried. */
enum haul_status rocks_error(char *message, const char *call, struct haul_error *error);

/* The handle of a family; NULL: no such family. Thread: any. */
rocksdb_column_family_handle_t *rocks_handle(struct rocks_store *store, uint32_t family_id);
rocksdb_options_t *rocks_family_options(struct rocks_store *store, uint32_t family_id);
enum haul_status rocks_no_family(uint32_t family_id, struct haul_error *error);

static inline struct rocks_store *rocks_of(struct haul_store *store)
{
    return (struct rocks_store *)store;
}

/* --- rocks_options.c -------------------------------------------------------------------------- */

/* Names of the stored options of one column family. */
struct rocks_names {
    char family[HAUL_NAME_BYTES_MAX];
    char comparator[HAUL_NAME_BYTES_MAX];
    char merge_operator[HAUL_NAME_BYTES_MAX];
};

#define ROCKS_BYTEWISE "leveldb.BytewiseComparator"
#define ROCKS_REVERSE_BYTEWISE "rocksdb.ReverseBytewiseComparator"
#define ROCKS_UINT64_ADD "UInt64AddOperator"

/* Read the newest OPTIONS file of a database. Errors: NOT_FOUND (there is none), IO, LIMIT. */
enum haul_status rocks_options_read(const char *path, struct rocks_names *names, size_t capacity,
                                    size_t *count, struct haul_error *error) HAUL_MUST_CHECK;
/* Make the comparator and merge operator by name. Errors: MISMATCH (we do not have it). */
enum haul_status rocks_options_apply(struct rocks_store *store, rocksdb_options_t *options,
                                     const struct rocks_names *names,
                                     struct haul_error *error) HAUL_MUST_CHECK;
rocksdb_comparator_t *rocks_reverse_comparator_create(void);

/* --- rocks_scan.c ----------------------------------------------------------------------------- */

enum haul_status rocks_snapshot_open(struct haul_store *base, struct haul_snapshot **snapshot,
                                     uint64_t *sequence, struct haul_error *error);
void rocks_snapshot_close(struct haul_store *base, struct haul_snapshot *snapshot);
enum haul_status rocks_scan_open(struct haul_store *base, const struct haul_snapshot *snapshot,
                                 uint32_t family_id, struct haul_slice start,
                                 struct haul_slice end, struct haul_scan **scan,
                                 struct haul_error *error);
enum haul_status rocks_scan_next(struct haul_scan *scan, struct haul_record *record,
                                 struct haul_error *error);
void rocks_scan_close(struct haul_scan *scan);
enum haul_status rocks_get(struct haul_store *base, const struct haul_snapshot *snapshot,
                           uint32_t family_id, struct haul_slice key, uint8_t **value,
                           size_t *value_size, struct haul_error *error);

/* --- rocks_split.c ---------------------------------------------------------------------------- */

enum haul_status rocks_range_size(struct haul_store *base, uint32_t family_id,
                                  struct haul_slice start, struct haul_slice end, uint64_t *bytes,
                                  struct haul_error *error);
enum haul_status rocks_range_split(struct haul_store *base, uint32_t family_id,
                                   struct haul_slice start, struct haul_slice end,
                                   struct haul_slice *keys, size_t capacity, size_t *count,
                                   struct haul_error *error);
/* The last key of [start, end); NOT_FOUND: none. `*key` is malloc'ed. */
enum haul_status rocks_last_key(struct rocks_store *store, uint32_t family_id,
                                struct haul_slice start, struct haul_slice end,
                                struct haul_slice *key, struct haul_error *error);

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
enum haul_status rocks_table_ingest(struct haul_store *base, uint32_t family_id,
                                    const char *const *paths, size_t path_count,
                                    struct haul_error *error);

#endif
