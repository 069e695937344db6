/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_store.c — a store over RocksDB's C API: opening, column families, writing. Scans, sizes,
 * the log and table files are in rocks_scan.c, rocks_split.c, rocks_wal.c and rocks_table.c. */
#include "rocks_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"

enum { PATH_BYTES_MAX = 4096 };

/* --- errors ----------------------------------------------------------------------------------- */

enum haul_status rocks_error(char *message, const char *call, struct haul_error *error)
{
    if (message == NULL) {
        return HAUL_OK;
    }
    enum haul_status status = HAUL_STORE;
    const char *hint = "";
    if (strstr(message, "No space left") != NULL || strstr(message, "NoSpace") != NULL) {
        status = HAUL_NO_SPACE;
        hint = "free some space on the database's file system";
    } else if (strstr(message, "lock") != NULL && strstr(message, "IO error") != NULL) {
        status = HAUL_BUSY;
        hint = "another process has the database open; stop it first";
    } else if (strncmp(message, "Corruption", 10) == 0) {
        status = HAUL_CORRUPT;
        hint = "`ldb checkconsistency` or a backup";
    } else if (strstr(message, "does not exist") != NULL) {
        status = HAUL_NOT_FOUND;
        hint = "check the directory";
    } else if (strncmp(message, "IO error", 8) == 0) {
        status = HAUL_IO;
    }
    haul_error_set(error, status, call, 0, "%s", message);
    haul_error_hint(error, "%s", hint);
    rocksdb_free(message);
    return status;
}

/* --- families --------------------------------------------------------------------------------- */

static struct rocks_family *find_family(struct rocks_store *store, uint32_t family_id)
{
    struct rocks_family *found = NULL;
    (void)pthread_rwlock_rdlock(&store->families_lock);
    for (size_t i = 0; i < store->family_count && found == NULL; i++) {
        if (store->families[i].family.id == family_id) {
            found = &store->families[i];
        }
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    return found;
}

rocksdb_column_family_handle_t *rocks_handle(struct rocks_store *store, uint32_t family_id)
{
    const struct rocks_family *family = find_family(store, family_id);
    return family == NULL ? NULL : family->handle;
}

rocksdb_options_t *rocks_family_options(struct rocks_store *store, uint32_t family_id)
{
    const struct rocks_family *family = find_family(store, family_id);
    return family == NULL ? NULL : family->options;
}

enum haul_status rocks_no_family(uint32_t family_id, struct haul_error *error)
{
    return haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no column family with the id %u",
                          family_id);
}

static enum haul_status store_families(struct haul_store *base, struct haul_family *families,
                                       size_t capacity, size_t *count, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    if (store->family_count > capacity) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "%zu column families; at most %zu",
                              store->family_count, capacity);
    }
    for (size_t i = 0; i < store->family_count; i++) {
        families[i] = store->families[i].family;
    }
    *count = store->family_count;
    return HAUL_OK;
}

static enum haul_status store_family_create(struct haul_store *base, const char *name,
                                            struct haul_family *created, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    if (store->family_count == HAUL_FAMILY_COUNT_MAX) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "more than %d column families",
                              HAUL_FAMILY_COUNT_MAX);
    }
    struct rocks_family *family = &store->families[store->family_count];
    memset(family, 0, sizeof(*family));
    char *message = NULL;
    rocksdb_options_t *options = rocksdb_options_create_copy(store->options);
    rocksdb_column_family_handle_t *handle =
        rocksdb_create_column_family(store->db, options, name, &message);
    enum haul_status status = rocks_error(message, "create column family", error);
    if (status != HAUL_OK) {
        rocksdb_options_destroy(options);
        return status;
    }
    family->options = options;
    family->handle = handle;
    family->family.id = rocksdb_column_family_handle_get_id(handle);
    (void)snprintf(family->family.name, HAUL_NAME_BYTES_MAX, "%s", name);
    (void)snprintf(family->family.comparator, HAUL_NAME_BYTES_MAX, "%s", ROCKS_BYTEWISE);
    (void)pthread_rwlock_wrlock(&store->families_lock);
    store->family_count++;
    (void)pthread_rwlock_unlock(&store->families_lock);
    *created = family->family;
    return HAUL_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum haul_status store_write(struct haul_store *base, struct haul_slice batch,
                                    unsigned flags, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    rocksdb_writebatch_t *copy =
        rocksdb_writebatch_create_from((const char *)batch.data, batch.size);
    char *message = NULL;
    bool without_log = (flags & HAUL_WRITE_NO_WAL) != 0;
    rocksdb_write(store->db, without_log ? store->write_options_no_wal : store->write_options,
                  copy, &message);
    rocksdb_writebatch_destroy(copy);
    if (message == NULL && (flags & HAUL_WRITE_SYNC) != 0) {
        rocksdb_flush_wal(store->db, 1, &message);
    }
    return rocks_error(message, "write", error);
}

static enum haul_status store_sync(struct haul_store *base, struct haul_error *error)
{
    char *message = NULL;
    rocksdb_flush_wal(rocks_of(base)->db, 1, &message);
    return rocks_error(message, "sync log", error);
}

static enum haul_status flush_family(struct rocks_store *store,
                                     rocksdb_column_family_handle_t *handle,
                                     struct haul_error *error)
{
    char *message = NULL;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flush_cf(store->db, options, handle, &message);
    rocksdb_flushoptions_destroy(options);
    return rocks_error(message, "flush", error);
}

static enum haul_status store_flush(struct haul_store *base, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < store->family_count && status == HAUL_OK; i++) {
        status = flush_family(store, store->families[i].handle, error);
    }
    return status;
}

/* Tombstones over [start, last], then compaction, so that nothing of them is left to push files
 * that are ingested later up in the tree. */
static enum haul_status clear_up_to(struct rocks_store *store,
                                    rocksdb_column_family_handle_t *handle,
                                    struct haul_slice start, struct haul_slice last,
                                    struct haul_error *error)
{
    char *message = NULL;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    rocksdb_writebatch_delete_range_cf(batch, handle, (const char *)start.data, start.size,
                                       (const char *)last.data, last.size);
    rocksdb_writebatch_delete_cf(batch, handle, (const char *)last.data, last.size);
    rocksdb_write(store->db, store->write_options, batch, &message);
    rocksdb_writebatch_destroy(batch);
    enum haul_status status = rocks_error(message, "clear range", error);
    if (status == HAUL_OK) {
        status = flush_family(store, handle, error);
    }
    if (status == HAUL_OK) {
        rocksdb_compact_range_cf(store->db, handle, (const char *)start.data, start.size,
                                 (const char *)last.data, last.size);
    }
    return status;
}

static enum haul_status store_range_clear(struct haul_store *base, uint32_t family_id,
                                          struct haul_slice start, struct haul_slice end,
                                          struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    struct haul_slice last = {NULL, 0};
    static const uint8_t empty_key[1];
    start.data = start.size == 0 ? empty_key : start.data;
    enum haul_status status = rocks_last_key(store, family_id, start, end, &last, error);
    if (status == HAUL_OK) {
        status = clear_up_to(store, rocks_handle(store, family_id), start, last, error);
        free((void *)(uintptr_t)last.data);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

/* --- facts ------------------------------------------------------------------------------------ */

static uint32_t store_features(const struct haul_store *base)
{
    const struct rocks_store *store = (const struct rocks_store *)base;
    return store->read_only ? 0 : HAUL_STORE_WAL | HAUL_STORE_INGEST;
}

static const char *store_identity(const struct haul_store *base)
{
    return ((const struct rocks_store *)base)->identity;
}

static const char *store_directory(const struct haul_store *base)
{
    return ((const struct rocks_store *)base)->path;
}

static uint64_t store_sequence(struct haul_store *base)
{
    return rocksdb_get_latest_sequence_number(rocks_of(base)->db);
}

static void store_close(struct haul_store *base)
{
    struct rocks_store *store = rocks_of(base);
    for (size_t i = 0; i < store->family_count; i++) {
        if (store->families[i].handle != NULL) {
            rocksdb_column_family_handle_destroy(store->families[i].handle);
        }
    }
    if (store->db != NULL) {
        rocksdb_close(store->db);
    }
    for (size_t i = 0; i < store->family_count; i++) {
        rocksdb_options_destroy(store->families[i].options);
    }
    if (store->options != NULL) {
        rocksdb_options_destroy(store->options);
    }
    if (store->reverse_comparator != NULL) {
        rocksdb_comparator_destroy(store->reverse_comparator);
    }
    rocksdb_writeoptions_destroy(store->write_options);
    rocksdb_writeoptions_destroy(store->write_options_no_wal);
    (void)pthread_rwlock_destroy(&store->families_lock);
    free(store->path);
    free(store);
}

static const struct haul_store_ops rocks_store_ops = {
    .close = store_close,
    .features = store_features,
    .identity = store_identity,
    .directory = store_directory,
    .families = store_families,
    .family_create = store_family_create,
    .sequence = store_sequence,
    .snapshot_open = rocks_snapshot_open,
    .snapshot_close = rocks_snapshot_close,
    .scan_open = rocks_scan_open,
    .scan_next = rocks_scan_next,
    .scan_close = rocks_scan_close,
    .get = rocks_get,
    .write = store_write,
    .sync = store_sync,
    .flush = store_flush,
    .range_clear = store_range_clear,
    .range_size = rocks_range_size,
    .range_split = rocks_range_split,
    .wal_pin = rocks_wal_pin,
    .wal_unpin = rocks_wal_unpin,
    .wal_open = rocks_wal_open,
    .wal_next = rocks_wal_next,
    .wal_position = rocks_wal_position,
    .wal_close = rocks_wal_close,
    .table_create = rocks_table_create,
    .table_put = rocks_table_put,
    .table_size = rocks_table_size,
    .table_finish = rocks_table_finish,
    .table_abandon = rocks_table_abandon,
    .table_ingest = rocks_table_ingest,
};

/* --- opening ---------------------------------------------------------------------------------- */

static void read_identity(struct rocks_store *store)
{
    char path[PATH_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%s/IDENTITY", store->path);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(store->identity, sizeof(store->identity), file) != NULL) {
            store->identity[strcspn(store->identity, "\r\n")] = '\0';
        }
        (void)fclose(file);
    }
}

static bool is_database(const char *path)
{
    char current[PATH_BYTES_MAX];
    (void)snprintf(current, sizeof(current), "%s/CURRENT", path);
    return access(current, F_OK) == 0;
}

/* Options for one family: the stored ones, with the comparator and operator by name. */
static enum haul_status add_family(struct rocks_store *store, const rocksdb_options_t *stored,
                                   const struct rocks_names *names, struct haul_error *error)
{
    struct rocks_family *family = &store->families[store->family_count];
    memset(family, 0, sizeof(*family));
    family->options = rocksdb_options_create_copy((rocksdb_options_t *)(uintptr_t)stored);
    store->family_count++;
    (void)snprintf(family->family.name, HAUL_NAME_BYTES_MAX, "%s", names->family);
    (void)snprintf(family->family.comparator, HAUL_NAME_BYTES_MAX, "%s",
                   names->comparator[0] == '\0' ? ROCKS_BYTEWISE : names->comparator);
    (void)snprintf(family->family.merge_operator, HAUL_NAME_BYTES_MAX, "%s",
                   names->merge_operator);
    return rocks_options_apply(store, family->options, names, error);
}

static enum haul_status add_families(struct rocks_store *store, rocksdb_options_t **stored,
                                     char **stored_names, size_t stored_count,
                                     struct haul_error *error)
{
    struct rocks_names *names = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*names));
    if (names == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for options");
    }
    size_t count = 0;
    enum haul_status status =
        rocks_options_read(store->path, names, HAUL_FAMILY_COUNT_MAX, &count, error);
    for (size_t i = 0; i < stored_count && status == HAUL_OK; i++) {
        struct rocks_names unknown = {.family = ""};
        const struct rocks_names *found = NULL;
        for (size_t j = 0; j < count; j++) {
            found = strcmp(names[j].family, stored_names[i]) == 0 ? &names[j] : found;
        }
        (void)snprintf(unknown.family, sizeof(unknown.family), "%s", stored_names[i]);
        status = add_family(store, stored[i], found == NULL ? &unknown : found, error);
    }
    free(names);
    return status;
}

/* Names first: RocksDB may fail to load what it cannot make, and would not say which. */
static enum haul_status check_names(struct rocks_store *store, struct haul_error *error)
{
    struct rocks_names *names = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*names));
    rocksdb_options_t *scratch = rocksdb_options_create();
    size_t count = 0;
    enum haul_status status = HAUL_NO_MEMORY;
    if (names != NULL) {
        status = rocks_options_read(store->path, names, HAUL_FAMILY_COUNT_MAX, &count, error);
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        status = rocks_options_apply(store, scratch, &names[i], error);
    }
    rocksdb_options_destroy(scratch);
    free(names);
    return status;
}

static enum haul_status load_options(struct rocks_store *store, struct haul_error *error)
{
    enum haul_status status = check_names(store, error);
    if (status != HAUL_OK) {
        return status;
    }
    rocksdb_env_t *env = rocksdb_create_default_env();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(8 << 20);
    size_t count = 0;
    char **names = NULL;
    rocksdb_options_t **families = NULL;
    char *message = NULL;
    rocksdb_load_latest_options(store->path, env, true, cache, &store->options, &count, &names,
                                &families, &message);
    status = rocks_error(message, "load options", error);
    if (status == HAUL_OK && count > HAUL_FAMILY_COUNT_MAX) {
        status = haul_error_set(error, HAUL_LIMIT, NULL, 0, "%zu column families; at most %d",
                                count, HAUL_FAMILY_COUNT_MAX);
    }
    if (message == NULL && families != NULL) {
        if (status == HAUL_OK) {
            status = add_families(store, families, names, count, error);
        }
        /* Frees the families' options and names; the database's options stay ours. */
        rocksdb_options_t *keep = store->options;
        rocksdb_options_t *unused = rocksdb_options_create();
        rocksdb_load_latest_options_destroy(unused, names, families, count);
        store->options = keep;
    }
    rocksdb_cache_destroy(cache);
    rocksdb_env_destroy(env);
    return status;
}

static enum haul_status open_handles(struct rocks_store *store, struct haul_error *error)
{
    const char *names[HAUL_FAMILY_COUNT_MAX];
    const rocksdb_options_t *options[HAUL_FAMILY_COUNT_MAX];
    rocksdb_column_family_handle_t *handles[HAUL_FAMILY_COUNT_MAX] = {NULL};
    for (size_t i = 0; i < store->family_count; i++) {
        names[i] = store->families[i].family.name;
        options[i] = store->families[i].options;
    }
    char *message = NULL;
    int count = (int)store->family_count;
    if (store->read_only) {
        store->db = rocksdb_open_for_read_only_column_families(
            store->options, store->path, count, names, options, handles, 0, &message);
    } else {
        store->db = rocksdb_open_column_families(store->options, store->path, count, names,
                                                 options, handles, &message);
    }
    enum haul_status status = rocks_error(message, "open database", error);
    for (size_t i = 0; i < store->family_count && status == HAUL_OK; i++) {
        store->families[i].handle = handles[i];
        store->families[i].family.id = rocksdb_column_family_handle_get_id(handles[i]);
    }
    return status;
}

static enum haul_status create_new(struct rocks_store *store, struct haul_error *error)
{
    store->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(store->options, 1);
    struct rocks_names names = {.family = "default"};
    return add_family(store, store->options, &names, error);
}

static enum haul_status open_store(struct rocks_store *store,
                                   const struct haul_rocks_options *options,
                                   struct haul_error *error)
{
    enum haul_status status;
    if (is_database(store->path)) {
        status = load_options(store, error);
    } else if (options->create_if_missing && !options->read_only) {
        status = create_new(store, error);
    } else {
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no RocksDB database in %s", store->path);
        haul_error_hint(error, "check the directory");
        return HAUL_NOT_FOUND;
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (options->wal_keep_seconds > 0) {
        rocksdb_options_set_WAL_ttl_seconds(store->options, options->wal_keep_seconds);
    }
    for (size_t i = 0; options->write_buffer_mib > 0 && i < store->family_count; i++) {
        rocksdb_options_set_write_buffer_size(store->families[i].options,
                                              (size_t)options->write_buffer_mib << 20);
    }
    rocksdb_options_set_info_log_level(store->options, 2);
    status = open_handles(store, error);
    if (status == HAUL_OK) {
        read_identity(store);
    }
    return status;
}

enum haul_status haul_rocks_store_open(const char *path, const struct haul_rocks_options *options,
                                       struct haul_store **out, struct haul_error *error)
{
    struct rocks_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a store");
    }
    store->base.ops = &rocks_store_ops;
    store->read_only = options->read_only;
    store->path = strdup(path);
    store->reverse_comparator = rocks_reverse_comparator_create();
    store->write_options = rocksdb_writeoptions_create();
    store->write_options_no_wal = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(store->write_options_no_wal, 1);
    (void)pthread_rwlock_init(&store->families_lock, NULL);
    enum haul_status status =
        store->path == NULL ? HAUL_NO_MEMORY : open_store(store, options, error);
    if (status != HAUL_OK) {
        store_close(&store->base);
        return status;
    }
    *out = &store->base;
    return HAUL_OK;
}
