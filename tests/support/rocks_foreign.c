/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_foreign.c — makes databases with RocksDB's C API. */
#include "rocks_foreign.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "rocks_store.h"

static void must(char *message)
{
    if (message != NULL) {
        (void)fprintf(stderr, "foreign database: %s\n", message);
        abort();
    }
}

/* --- operators -------------------------------------------------------------------------------- */

static void no_destructor(void *state)
{
    (void)state;
}

static int compare_reverse(void *state, const char *a, size_t a_size, const char *b, size_t b_size)
{
    (void)state;
    return slice_compare(slice_of(b, b_size), slice_of(a, a_size));
}

static const char *reverse_name(void *state)
{
    (void)state;
    return "rocksdb.ReverseBytewiseComparator";
}

static const char *unknown_comparator_name(void *state)
{
    (void)state;
    return "test.UnknownComparator";
}

static const char *unknown_merge_name(void *state)
{
    (void)state;
    return "test.UnknownMerge";
}

/* Never called: no test reads a merge with it. */
static char *merge_nothing(void *state, const char *key, size_t key_size, const char *existing,
                           size_t existing_size, const char *const *operands,
                           const size_t *operand_sizes, int operand_count, unsigned char *success,
                           size_t *new_size)
{
    (void)state, (void)key, (void)key_size, (void)existing, (void)existing_size;
    (void)operands, (void)operand_sizes, (void)operand_count;
    *success = 0;
    *new_size = 0;
    return NULL;
}

static char *merge_nothing_partially(void *state, const char *key, size_t key_size,
                                     const char *const *operands, const size_t *operand_sizes,
                                     int operand_count, unsigned char *success, size_t *new_size)
{
    (void)state, (void)key, (void)key_size;
    (void)operands, (void)operand_sizes, (void)operand_count;
    *success = 0;
    *new_size = 0;
    return NULL;
}

/* --- making ----------------------------------------------------------------------------------- */

/* What the options of one database refer to; freed after it. */
struct parts {
    rocksdb_options_t *options;        /* of the database and its default family */
    rocksdb_options_t *family_options; /* of the family with the operators */
    rocksdb_comparator_t *comparator;
};

static void set_operators(struct parts *parts, const struct foreign_database *database)
{
    rocksdb_options_t *options = parts->family_options;
    if (database->comparator != FOREIGN_BYTEWISE) {
        parts->comparator = rocksdb_comparator_create(
            NULL, no_destructor, compare_reverse,
            database->comparator == FOREIGN_REVERSE ? reverse_name : unknown_comparator_name);
        rocksdb_options_set_comparator(options, parts->comparator);
    }
    if (database->merge == FOREIGN_UINT64_ADD) {
        rocksdb_options_set_uint64add_merge_operator(options);
    } else if (database->merge == FOREIGN_UNKNOWN_MERGE) {
        rocksdb_options_set_merge_operator(
            options,
            rocksdb_mergeoperator_create(NULL, no_destructor, merge_nothing,
                                         merge_nothing_partially, NULL, unknown_merge_name));
    }
    if (database->target_file_bytes > 0) {
        rocksdb_options_set_target_file_size_base(options, database->target_file_bytes);
    }
}

static void put_records(rocksdb_t *db, rocksdb_column_family_handle_t *handle,
                        const struct foreign_database *database)
{
    char *message = NULL;
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    for (char key = 'a'; key <= 'e'; key++) {
        rocksdb_put_cf(db, options, handle, &key, 1, "value", 5, &message);
        must(message);
    }
    uint8_t operand[8];
    put_u64(operand, database->counter);
    for (int i = 0; i < 2 && database->merge == FOREIGN_UINT64_ADD; i++) {
        rocksdb_merge_cf(db, options, handle, "counter", 7, (const char *)operand, 8, &message);
        must(message);
    }
    rocksdb_writeoptions_destroy(options);
}

static void make_more_families(rocksdb_t *db, const struct foreign_database *database)
{
    rocksdb_options_t *options = rocksdb_options_create();
    for (uint32_t i = 0; i < database->family_count; i++) {
        char name[16];
        char *message = NULL;
        (void)snprintf(name, sizeof(name), "f%04u", i);
        rocksdb_column_family_handle_t *handle =
            rocksdb_create_column_family(db, options, name, &message);
        must(message);
        rocksdb_column_family_handle_destroy(handle);
    }
    rocksdb_options_destroy(options);
}

void rocks_foreign_make(const char *path, const struct foreign_database *database)
{
    struct parts parts = {.options = rocksdb_options_create()};
    bool apart = database->family != NULL;
    parts.family_options = apart ? rocksdb_options_create() : parts.options;
    set_operators(&parts, database);
    rocksdb_options_set_create_if_missing(parts.options, 1);
    rocksdb_options_set_create_missing_column_families(parts.options, 1);
    rocksdb_options_set_WAL_ttl_seconds(parts.options, database->wal_ttl_seconds);
    rocksdb_options_set_WAL_size_limit_MB(parts.options, database->wal_size_limit_mb);
    if (database->tiny_log) {
        rocksdb_options_set_write_buffer_size(parts.options, 64 << 10);
        rocksdb_options_set_max_total_wal_size(parts.options, 64 << 10);
    }
    rocksdb_options_set_manual_wal_flush(parts.options, database->manual_wal_flush ? 1 : 0);
    const char *names[] = {"default", database->family};
    const rocksdb_options_t *options[] = {parts.options, parts.family_options};
    rocksdb_column_family_handle_t *handles[2] = {NULL};
    char *message = NULL;
    rocksdb_t *db = rocksdb_open_column_families(parts.options, path, apart ? 2 : 1, names, options,
                                                 handles, &message);
    must(message);
    put_records(db, handles[apart ? 1 : 0], database);
    make_more_families(db, database);
    rocksdb_column_family_handle_destroy(handles[0]);
    if (apart) {
        rocksdb_column_family_handle_destroy(handles[1]);
        rocksdb_options_destroy(parts.family_options);
    }
    rocksdb_close(db);
    rocksdb_options_destroy(parts.options);
    if (parts.comparator != NULL) {
        rocksdb_comparator_destroy(parts.comparator);
    }
}

void rocks_foreign_ingest(struct haul_store *store, const char *key, const char *value)
{
    char path[512];
    char *message = NULL;
    (void)snprintf(path, sizeof(path), "%s/foreign.sst", store->ops->directory(store));
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_envoptions_t *env = rocksdb_envoptions_create();
    rocksdb_sstfilewriter_t *writer = rocksdb_sstfilewriter_create(env, options);
    rocksdb_sstfilewriter_open(writer, path, &message);
    must(message);
    rocksdb_sstfilewriter_put(writer, key, strlen(key), value, strlen(value), &message);
    must(message);
    rocksdb_sstfilewriter_finish(writer, &message);
    must(message);
    rocksdb_ingestexternalfileoptions_t *how = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(how, 1);
    /* So that it gets no sequence number unless it overlaps something. */
    rocksdb_ingestexternalfileoptions_set_snapshot_consistency(how, 0);
    const char *paths[] = {path};
    rocksdb_ingest_external_file(rocks_of(store)->db, paths, 1, how, &message);
    must(message);
    rocksdb_ingestexternalfileoptions_destroy(how);
    rocksdb_sstfilewriter_destroy(writer);
    rocksdb_envoptions_destroy(env);
    rocksdb_options_destroy(options);
}

void rocks_foreign_delete_files(struct haul_store *store)
{
    char *message = NULL;
    const struct rocks_store *rocks = rocks_of(store);
    rocksdb_delete_file_in_range_cf(rocks->db, rocks->families[0].handle, "", 0, "\xff", 1,
                                    &message);
    must(message);
}

void rocks_foreign_compact(struct haul_store *store)
{
    const struct rocks_store *rocks = rocks_of(store);
    rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
    enum { FORCE = 2 }; /* including the bottommost level */
    rocksdb_compactoptions_set_bottommost_level_compaction(options, FORCE);
    rocksdb_compact_range_cf_opt(rocks->db, rocks->families[0].handle, options, NULL, 0, NULL, 0);
    rocksdb_compactoptions_destroy(options);
}
