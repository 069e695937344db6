/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_table.c — writes table files with the family's own options, and ingests them. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rocks_store.h"

/* Start the writeback of each piece of this size while the next one is built, so that the final
 * sync has little to do. (RocksDB's bytes_per_sync does the same for its own files, but its C API
 * cannot enable it here.) */
enum { WRITEBACK_BYTES = 4 << 20 };

struct haul_table {
    struct rocks_store *store;
    uint32_t family_id;
    bool checks_keys; /* the family does not take every key */
    rocksdb_envoptions_t *env_options;
    rocksdb_sstfilewriter_t *writer;
    char *path;
    uint64_t bytes;           /* of keys and values; the writer's own figure lags behind */
    int fd;                   /* the same file, for writeback; -1: no writeback */
    uint64_t writeback_bytes; /* how much of `bytes` is started */
};

static void destroy_table(struct haul_table *table)
{
    if (table->fd >= 0) {
        (void)close(table->fd);
    }
    rocksdb_sstfilewriter_destroy(table->writer);
    rocksdb_envoptions_destroy(table->env_options);
    free(table->path);
    free(table);
}

void rocks_table_abandon(struct haul_table *table)
{
    (void)unlink(table->path);
    destroy_table(table);
}

enum haul_status rocks_table_create(struct haul_store *base, uint32_t family_id, const char *path,
                                    struct haul_table **out, struct haul_error *error)
{
    const struct rocks_family *family = NULL;
    enum haul_status status = rocks_family(rocks_of(base), family_id, &family, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_table *table = calloc(1, sizeof(*table));
    if (table == NULL || (table->path = strdup(path)) == NULL) {
        free(table);
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a table file");
    }
    table->store = rocks_of(base);
    table->family_id = family_id;
    table->checks_keys = family->domain != NULL;
    table->env_options = rocksdb_envoptions_create();
    table->writer = rocksdb_sstfilewriter_create(table->env_options, family->options);
    char *message = NULL;
    rocksdb_sstfilewriter_open(table->writer, path, &message);
    table->fd = message == NULL ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    status = rocks_error(message, "open table file", error);
    if (status != HAUL_OK) {
        rocks_table_abandon(table);
        return status;
    }
    *out = table;
    return HAUL_OK;
}

enum haul_status rocks_table_put(struct haul_table *table, struct haul_slice key,
                                 struct haul_slice value, struct haul_error *error)
{
    if (table->checks_keys) {
        const struct rocks_family *family = NULL;
        enum haul_status status = rocks_family(table->store, table->family_id, &family, error);
        if (status == HAUL_OK) {
            status = rocks_check_key(family, key, error);
        }
        if (status != HAUL_OK) {
            return status;
        }
    }
    char *message = NULL;
    rocksdb_sstfilewriter_put(table->writer, (const char *)key.data, key.size,
                              (const char *)value.data, value.size, &message);
    if (message != NULL) {
        return rocks_error(message, "write table file", error);
    }
    table->bytes += key.size + value.size;
    if (table->bytes - table->writeback_bytes >= WRITEBACK_BYTES && table->fd >= 0) {
        /* Only a hint: a failed write shows in the sync. */
        (void)sync_file_range(table->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        table->writeback_bytes = table->bytes;
    }
    return HAUL_OK;
}

uint64_t rocks_table_size(const struct haul_table *table)
{
    return table->bytes;
}

enum haul_status rocks_table_finish(struct haul_table *table, struct haul_error *error)
{
    char *message = NULL;
    struct rocks_table_facts facts;
    rocks_door_finish_table(table->writer, &facts, &message); /* writes all, syncs, closes */
    enum haul_status status = rocks_error(message, "finish table file", error);
    if (status == HAUL_OK) {
        status = rocks_ingested_note(table->store, table->family_id, table->path, &facts, error);
    }
    if (status != HAUL_OK) {
        (void)unlink(table->path);
    }
    destroy_table(table);
    return status;
}

/* --- ingestion -------------------------------------------------------------------------------- */

/* Files ingested into a family since the database was opened, parsed from RocksDB's statistics
 * text: "AddFile(Total Files): cumulative 3, interval 0". */
static uint64_t ingests_of(struct rocks_store *store, const struct rocks_family *family)
{
    static const char mark[] = "AddFile(Total Files): cumulative ";
    char *text =
        rocksdb_property_value_cf(store->db, family->handle, "rocksdb.cfstats-no-file-histogram");
    const char *found = text == NULL ? NULL : strstr(text, mark);
    uint64_t count = found == NULL ? 0 : strtoull(found + sizeof(mark) - 1, NULL, 10);
    rocksdb_free(text);
    return count;
}

uint64_t rocks_foreign_ingests(struct haul_store *base)
{
    struct rocks_store *store = rocks_of(base);
    uint64_t count = 0;
    (void)pthread_mutex_lock(&store->ingest_lock);
    (void)pthread_rwlock_rdlock(&store->families_lock);
    for (size_t i = 0; i < store->family_count; i++) {
        if (store->families[i].handle != NULL) {
            count += ingests_of(store, &store->families[i]);
        }
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    count -= store->own_ingests;
    (void)pthread_mutex_unlock(&store->ingest_lock);
    return count;
}

static char *ingest(struct rocks_store *store, rocksdb_column_family_handle_t *handle,
                    const char *const *paths, size_t path_count)
{
    rocksdb_ingestexternalfileoptions_t *options = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(options, 1);
    rocksdb_ingestexternalfileoptions_set_snapshot_consistency(options, 0);
    rocksdb_ingestexternalfileoptions_set_allow_global_seqno(options, 1);
    rocksdb_ingestexternalfileoptions_set_allow_blocking_flush(options, 0);
    char *message = NULL;
    (void)pthread_mutex_lock(&store->ingest_lock);
    rocksdb_ingest_external_file_cf(store->db, handle, paths, path_count, options, &message);
    store->own_ingests += message == NULL ? path_count : 0;
    (void)pthread_mutex_unlock(&store->ingest_lock);
    rocksdb_ingestexternalfileoptions_destroy(options);
    return message;
}

/* The table overlaps records that are still in memory. RocksDB reports this only as text. */
static bool needs_flush(const char *message)
{
    return message != NULL && strstr(message, "requires flush") != NULL;
}

enum haul_status rocks_table_ingest(struct haul_store *base, uint32_t family_id,
                                    const char *const *paths, size_t path_count,
                                    struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    const struct rocks_family *family = NULL;
    enum haul_status status = rocks_place_check(base, error);
    if (status == HAUL_OK) {
        status = rocks_family(store, family_id, &family, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    char *message = ingest(store, family->handle, paths, path_count);
    if (needs_flush(message)) {
        /* Never flush inside the ingestion: it would hold up every writer of the database. */
        rocksdb_free(message);
        status = rocks_flush_family(store, family, error);
        if (status != HAUL_OK) {
            return status;
        }
        message = ingest(store, family->handle, paths, path_count);
    }
    bool again = needs_flush(message); /* another writer wrote there meanwhile */
    status = rocks_error(message, "ingest table file", error);
    if (again) {
        return HAUL_AGAIN;
    }
    if (status == HAUL_OK) {
        status = rocks_ingested_prove(store, family, paths, path_count, error);
    } else {
        for (size_t i = 0; i < path_count; i++) {
            rocks_ingested_drop(store, paths[i]);
        }
    }
    return status;
}
