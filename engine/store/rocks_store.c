/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_store.c — a store over RocksDB's C API: column families, writing, the table of operations.
 * rocks_store.h names the files that hold the rest. */
#include "rocks_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "key_range.h"
#include "raw_batch.h"
#include "rocks_door.h"
#include "rocks_stored.h"
#include "sized_options.h"
#include "store_look.h"

/* --- errors ----------------------------------------------------------------------------------- */

/* RocksDB's messages begin with their kind and end with the system's text for errno; paths and keys
 * are between them. */
enum place { AT_START, AT_END, ANYWHERE };

/* The first match counts. */
struct translation {
    const char *text;
    enum place place;
    enum haul_status status;
    const char *hint;
};

/* Part of RocksDB's message when it reads a merge without an operator. */
#define MERGE_OPERATOR "merge_operator"

static const struct translation translations[] = {
    {"No space left on device", ANYWHERE, HAUL_NO_SPACE,
     "free some space on the database's file system"},
    {"Disk quota exceeded", AT_END, HAUL_NO_SPACE, "free some of the quota, or have it raised"},
    {"File too large", AT_END, HAUL_LIMIT,
     "raise the largest file size of the process (ulimit -f)"},
    {"Too many open files", AT_END, HAUL_LIMIT,
     "raise the number of descriptors of the process (ulimit -n)"},
    {"Cannot allocate memory", AT_END, HAUL_NO_MEMORY, "free some memory (ulimit -v, cgroup)"},
    {"Read-only file system", AT_END, HAUL_IO, "mount the file system of the database for writing"},
    {"Permission denied", AT_END, HAUL_IO, "run haul as the user that the database belongs to"},
    {"Operation not permitted", AT_END, HAUL_IO,
     "run haul as the user that the database belongs to; `lsattr` shows files that are immutable"},
    {"IO error: lock hold by current process", AT_START, HAUL_BUSY,
     "this process has the database open already"}, /* ends with the text of ENOLCK */
    {"No locks available", AT_END, HAUL_IO,
     "the file system of the database has no lock service: start it (NFS: rpc.statd), or use "
     "another file system"},
    {"IO error: While lock file", AT_START, HAUL_BUSY,
     "another process has the database open; stop it first"},
    {"does not match existing comparator", ANYWHERE, HAUL_MISMATCH,
     "embed libhaul in the program that has the comparator"},
    {"Invalid blob file number", ANYWHERE, HAUL_UNSUPPORTED,
     "this may be a BlobDB of the old kind: rewrite it with integrated blob files first"},
    {MERGE_OPERATOR, ANYWHERE, HAUL_UNSUPPORTED, "embed libhaul in the program that has it"},
    {"Corruption", AT_START, HAUL_CORRUPT, "`ldb checkconsistency` shows more; restore a backup"},
    {"IO error", AT_START, HAUL_IO, ""},
    {"", AT_START, HAUL_STORE, ""},
};

static bool fits(const struct translation *translation, const char *message)
{
    const char *found = strstr(message, translation->text);
    size_t text_size = strlen(translation->text);
    size_t size = strlen(message);
    switch (translation->place) {
    case AT_START:
        return found == message;
    case AT_END:
        return size >= text_size && strcmp(message + size - text_size, translation->text) == 0;
    case ANYWHERE:
        break;
    }
    return found != NULL;
}

enum haul_status rocks_error(char *message, const char *call, struct haul_error *error)
{
    if (message == NULL) {
        return HAUL_OK;
    }
    const struct translation *translation = translations;
    while (!fits(translation, message)) {
        translation++;
    }
    haul_error_set(error, translation->status, call, 0, "%s", message);
    haul_error_hint(error, "%s", translation->hint);
    rocksdb_free(message);
    return translation->status;
}

enum haul_status rocks_read_error(const struct rocks_family *family, char *message,
                                  const char *call, struct haul_error *error)
{
    bool lacks_operator = message != NULL && strstr(message, MERGE_OPERATOR) != NULL;
    enum haul_status status = rocks_error(message, call, error);
    if (lacks_operator) {
        haul_error_set(error, status, NULL, 0,
                       "column family '%s' holds merges, and no merge operator is stored for it",
                       family->family.name);
        haul_error_hint(error, "embed libhaul in the program that has it");
    }
    return status;
}

/* --- families --------------------------------------------------------------------------------- */

enum haul_status rocks_lost(const struct rocks_store *store, struct haul_error *error)
{
    haul_error_set(error, HAUL_STORE, NULL, 0,
                   "the database in %s is closed: it could not be "
                   "opened again after its column family was created",
                   store->path);
    haul_error_hint(error, "start again; the log has the reason");
    return HAUL_STORE;
}

enum haul_status rocks_family(struct rocks_store *store, uint32_t family_id,
                              const struct rocks_family **found, struct haul_error *error)
{
    const struct rocks_family *family = NULL;
    if (store->lost) {
        return rocks_lost(store, error);
    }
    (void)pthread_rwlock_rdlock(&store->families_lock);
    for (size_t i = 0; i < store->family_count && family == NULL; i++) {
        const struct rocks_family *one = &store->families[i];
        bool its = one->family.id == family_id && !rocks_family_is_gone(one);
        family = its ? one : NULL;
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    if (family == NULL) {
        return haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no column family with the id %u",
                              family_id);
    }
    *found = family;
    return HAUL_OK;
}

enum haul_status rocks_check_key(const struct rocks_family *family, struct haul_slice key,
                                 struct haul_error *error)
{
    if (family->domain == NULL || rocks_door_is_in_domain(family->domain, key)) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "column family '%s' has a hash index or hash memtables by prefix, and a key of "
                   "%zu bytes has no prefix: RocksDB would end the process",
                   family->family.name, key.size);
    haul_error_hint(error, "receive into a column family without them (index_type=kBinarySearch, "
                           "memtable=skip_list), or leave such keys out");
    return HAUL_UNSUPPORTED;
}

bool rocks_family_is_bytewise(const struct rocks_family *family)
{
    return strcmp(family->family.comparator, HAUL_COMPARATOR_BYTEWISE) == 0;
}

enum haul_status rocks_family_range(struct rocks_store *store, uint32_t family_id,
                                    struct haul_slice start, struct haul_slice end,
                                    const struct rocks_family **found, struct haul_error *error)
{
    const struct rocks_family *family = NULL;
    enum haul_status status = rocks_family(store, family_id, &family, error);
    if (status != HAUL_OK) {
        return status;
    }
    *found = family;
    return key_range_check_order(start, end, family->family.name, family->family.comparator, error);
}

void rocks_name_merge(struct rocks_family *family, const rocksdb_options_t *options)
{
    char description[ROCKS_DOOR_NAME_BYTES];
    rocks_door_describe_merge(options, description);
    stored_options_unescape(description, strlen(description), family->family.merge_operator,
                            HAUL_NAME_BYTES_MAX);
}

enum haul_status rocks_note_families(struct rocks_store *store, struct haul_error *error)
{
    if (!rocks_door_fits()) {
        struct rocks_release release = rocks_door_release();
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "RocksDB %d.%d.%d is not the release that haul was built with",
                       release.major, release.minor, release.patch);
        haul_error_hint(error, "build haul with the headers of the RocksDB that it runs with");
        return HAUL_UNSUPPORTED;
    }
    for (size_t i = 0; i < store->family_count; i++) {
        struct rocks_family_facts facts;
        rocks_door_family(store->db, store->families[i].handle, &facts);
        store->families[i].drops_records = facts.drops_records;
        if (store->families[i].domain == NULL) {
            store->families[i].domain = rocks_door_domain(store->db, store->families[i].handle);
        }
        stored_options_unescape(facts.merge_operator, strlen(facts.merge_operator),
                                store->families[i].family.merge_operator, HAUL_NAME_BYTES_MAX);
    }
    return HAUL_OK;
}

/* RocksDB's own family holds no user data. */
static bool is_listed(const struct rocks_family *family)
{
    return !rocks_family_is_gone(family) && strcmp(family->family.name, STATISTICS_FAMILY) != 0;
}

static enum haul_status store_families(struct haul_store *base, struct haul_family *families,
                                       size_t capacity, size_t *count, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    size_t listed = 0;
    bool fits = true;
    (void)pthread_rwlock_rdlock(&store->families_lock);
    for (size_t i = 0; i < store->family_count && fits; i++) {
        bool wanted = is_listed(&store->families[i]);
        fits = !wanted || listed < capacity;
        if (wanted && fits) {
            families[listed++] = store->families[i].family;
        }
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    *count = listed;
    return fits ? HAUL_OK
                : haul_error_set(error, HAUL_LIMIT, NULL, 0, "more than %zu column families",
                                 capacity);
}

/* --- writing ---------------------------------------------------------------------------------- */

enum { LOG_DATA_RECORD_BYTES_MAX = RAW_LOG_DATA_HEAD_BYTES_MAX + HAUL_LOG_DATA_BYTES_MAX };

static bool has_domains(struct rocks_store *store)
{
    bool found = false;
    (void)pthread_rwlock_rdlock(&store->families_lock);
    for (size_t i = 0; i < store->family_count; i++) {
        found = found || store->families[i].domain != NULL;
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    return found;
}

/* Errors: UNSUPPORTED, CORRUPT, NOT_FOUND (family). */
static enum haul_status check_keys(struct rocks_store *store, struct haul_slice batch,
                                   struct haul_error *error)
{
    struct raw_batch_reader reader;
    struct raw_record record;
    enum haul_status status = raw_batch_open(&reader, batch);
    while (status == HAUL_OK && (status = raw_batch_next(&reader, &record)) == HAUL_OK) {
        const struct rocks_family *family = NULL;
        if (record.kind == RAW_LOG_DATA || record.kind == RAW_DELETE_RANGE) {
            continue;
        }
        status = rocks_family(store, record.family_id, &family, error);
        if (status == HAUL_OK) {
            status = rocks_check_key(family, record.key, error);
        }
        if (status != HAUL_OK) {
            return status;
        }
    }
    return status == HAUL_NOT_FOUND
               ? HAUL_OK
               : haul_error_set(error, status, NULL, 0, "a batch to be written is damaged");
}

static size_t log_data_now(const struct rocks_store *store, uint8_t blob[HAUL_LOG_DATA_BYTES_MAX])
{
    return store->log_data == NULL ? 0 : store->log_data(store->features_context, blob);
}

/* What the store ends each batch with; empty: nothing. */
static struct haul_slice closing_record(const struct rocks_store *store,
                                        uint8_t memory[LOG_DATA_RECORD_BYTES_MAX])
{
    uint8_t blob[HAUL_LOG_DATA_BYTES_MAX];
    size_t size = log_data_now(store, blob);
    uint8_t *end = size == 0 ? memory : raw_log_data_encode(memory, slice_of(blob, size));
    return slice_of(memory, (size_t)(end - memory));
}

void rocks_close_batch(struct rocks_store *store, rocksdb_writebatch_t *batch)
{
    uint8_t blob[HAUL_LOG_DATA_BYTES_MAX];
    size_t size = log_data_now(store, blob);
    if (size > 0) {
        rocksdb_writebatch_put_log_data(batch, (const char *)blob, size);
    }
}

enum haul_status rocks_write(struct rocks_store *store, const rocksdb_writeoptions_t *options,
                             rocksdb_writebatch_t *batch, const char *call,
                             struct haul_error *error)
{
    char *message = NULL;
    unsigned before = atomic_load(&store->log_error);
    rocksdb_write(store->db, (rocksdb_writeoptions_t *)options, batch, &message);
    enum haul_status status = rocks_error(message, call, error);
    if (status != HAUL_OK) {
        atomic_store(&store->log_error, (unsigned)status);
    } else if (before != HAUL_OK) { /* otherwise it began before the failed write */
        atomic_store(&store->log_error, HAUL_OK);
    }
    return status;
}

enum haul_status rocks_sync(struct rocks_store *store, struct haul_error *error)
{
    char *message = NULL;
    enum haul_status status = (enum haul_status)atomic_load(&store->log_error);
    if (status != HAUL_OK) {
        haul_error_set(error, status, "sync log", 0, "an earlier write to the log has failed");
        haul_error_hint(error, "check the database's disk, and open the database again");
        return status;
    }
    rocksdb_flush_wal(store->db, 1, &message);
    return rocks_error(message, "sync log", error);
}

static enum haul_status store_write_pieces(struct haul_store *base, const struct haul_slice *pieces,
                                           size_t piece_count, unsigned flags,
                                           struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    if (store->lost) {
        return rocks_lost(store, error);
    }
    uint8_t closing[LOG_DATA_RECORD_BYTES_MAX];
    rocksdb_writebatch_t *batch = rocks_door_batch(
        pieces, piece_count, closing_record(store, closing), (flags & HAUL_WRITE_PUTS) != 0);
    size_t size = 0;
    const char *data = rocksdb_writebatch_data(batch, &size);
    enum haul_status status =
        has_domains(store) ? check_keys(store, slice_of(data, size), error) : HAUL_OK;
    if (status == HAUL_OK) {
        bool without_log = (flags & HAUL_WRITE_NO_WAL) != 0;
        status =
            rocks_write(store, without_log ? store->write_options_no_wal : store->write_options,
                        batch, "write", error);
    }
    rocksdb_writebatch_destroy(batch);
    bool syncs = status == HAUL_OK && (flags & HAUL_WRITE_SYNC) != 0;
    return syncs ? rocks_sync(store, error) : status;
}

static enum haul_status store_write(struct haul_store *base, struct haul_slice batch,
                                    unsigned flags, struct haul_error *error)
{
    return store_write_pieces(base, &batch, 1, flags, error);
}

static enum haul_status store_sync(struct haul_store *base, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    if (store->lost) {
        return rocks_lost(store, error);
    }
    return store->read_only ? rocks_sync_files(store, error) : rocks_sync(store, error);
}

enum haul_status rocks_flush_family(struct rocks_store *store, const struct rocks_family *family,
                                    struct haul_error *error)
{
    char *message = NULL;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flush_cf(store->db, options, family->handle, &message); /* waits for the flush */
    rocksdb_flushoptions_destroy(options);
    return rocks_error(message, "flush", error);
}

static enum haul_status store_flush(struct haul_store *base, struct haul_error *error)
{
    struct rocks_store *store = rocks_of(base);
    enum haul_status status =
        store->lost ? rocks_lost(store, error) : rocks_place_check(base, error);
    (void)pthread_rwlock_rdlock(&store->families_lock); /* none is dropped meanwhile */
    for (size_t i = 0; i < store->family_count && status == HAUL_OK; i++) {
        bool gone = rocks_family_is_gone(&store->families[i]);
        status = gone ? HAUL_OK : rocks_flush_family(store, &store->families[i], error);
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    return status;
}

/* --- facts ------------------------------------------------------------------------------------ */

static uint32_t store_features(const struct haul_store *base)
{
    const struct rocks_store *store = (const struct rocks_store *)base;
    if (store->features != NULL) {
        return store->features(store->features_context);
    }
    uint32_t log = store->read_only && !store->keeps_log ? 0 : HAUL_STORE_WAL;
    return log | (store->read_only ? 0 : HAUL_STORE_INGEST);
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
    return rocks_of(base)->lost ? 0 : rocksdb_get_latest_sequence_number(rocks_of(base)->db);
}

/* A receiver that has got nothing leaves the log to the owner, who may keep tables elsewhere. */
static bool was_written(const struct rocks_store *store)
{
    return store->own_ingests > 0 ||
           rocksdb_get_latest_sequence_number(store->db) != store->opened_at;
}

static void close_database(struct rocks_store *store)
{
    struct haul_error ignored; /* the log still holds what is not flushed */
    if (store->flushes_at_close && store->db != NULL && was_written(store)) {
        (void)!store_flush(&store->base, &ignored);
    }
    for (size_t i = 0; i < store->family_count; i++) {
        if (store->families[i].handle != NULL) {
            rocksdb_column_family_handle_destroy(store->families[i].handle);
        }
    }
    if (store->db != NULL) {
        rocksdb_close(store->db);
    }
    rocks_tidy(store);
    for (size_t i = 0; i < store->family_count; i++) {
        if (store->families[i].options != NULL) {
            rocksdb_options_destroy(store->families[i].options);
        }
    }
}

static void store_close(struct haul_store *base)
{
    struct rocks_store *store = rocks_of(base);
    for (size_t i = 0; i < store->family_count; i++) {
        rocks_door_domain_free(store->families[i].domain);
    }
    if (!store->attached) {
        close_database(store);
    }
    if (store->options != NULL) {
        rocksdb_options_destroy(store->options);
    }
    rocks_ingested_free(store);
    rocks_stored_free(store->stored);
    rocks_stored_free(store->stored_now);
    rocksdb_writeoptions_destroy(store->write_options);
    rocksdb_writeoptions_destroy(store->write_options_no_wal);
    (void)pthread_rwlock_destroy(&store->families_lock);
    (void)pthread_mutex_destroy(&store->ingest_lock);
    (void)pthread_mutex_destroy(&store->stored_lock);
    if (store->place_fd >= 0) {
        (void)close(store->place_fd);
    }
    free(store->path);
    free(store);
}

static const struct haul_store_ops rocks_store_ops = {
    .close = store_close,
    .features = store_features,
    .identity = store_identity,
    .directory = store_directory,
    .place_check = rocks_place_check,
    .families = store_families,
    .family_create = rocks_family_create,
    .family_create_like = rocks_family_create_like,
    .family_drop = rocks_family_drop,
    .family_options = rocks_family_options,
    .receive_check = rocks_receive_check,
    .space = rocks_space,
    .send_check = rocks_send_check,
    .sequence = store_sequence,
    .snapshot_open = rocks_snapshot_open,
    .snapshot_close = rocks_snapshot_close,
    .scan_open = rocks_scan_open,
    .scan_next = rocks_scan_next,
    .scan_close = rocks_scan_close,
    .get = rocks_get,
    .write = store_write,
    .write_pieces = store_write_pieces,
    .sync = store_sync,
    .flush = store_flush,
    .range_clear = rocks_range_clear,
    .range_size = rocks_range_size,
    .range_split = rocks_range_split,
    .wal_pin = rocks_wal_pin,
    .wal_unpin = rocks_wal_unpin,
    .pinned_bytes = rocks_pinned_bytes,
    .wal_open = rocks_wal_open,
    .wal_next = rocks_wal_next,
    .wal_position = rocks_wal_position,
    .wal_close = rocks_wal_close,
    .foreign_ingests = rocks_foreign_ingests,
    .table_create = rocks_table_create,
    .table_put = rocks_table_put,
    .table_size = rocks_table_size,
    .table_finish = rocks_table_finish,
    .table_abandon = rocks_table_abandon,
    .table_ingest = rocks_table_ingest,
    .tables_check = rocks_ingested_check,
    .tables_forget = rocks_ingested_forget,
};

struct rocks_store *rocks_store_create(const char *path)
{
    struct rocks_store *store = calloc(1, sizeof(*store));
    char *path_copy = strdup(path);
    if (store == NULL || path_copy == NULL) {
        free(store);
        free(path_copy);
        return NULL;
    }
    store->base.ops = &rocks_store_ops;
    store->lock.fd = -1;
    store->place_fd = -1;
    store->path = path_copy;
    store->write_options = rocksdb_writeoptions_create();
    store->write_options_no_wal = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(store->write_options_no_wal, 1);
    (void)pthread_rwlock_init(&store->families_lock, NULL);
    (void)pthread_mutex_init(&store->ingest_lock, NULL);
    (void)pthread_mutex_init(&store->stored_lock, NULL);
    return store;
}

void haul_store_close(struct haul_store *store)
{
    if (store != NULL) {
        store->ops->close(store);
    }
}

enum haul_status haul_rocks_store_open(const char *path, const struct haul_rocks_options *given,
                                       struct haul_store **out, struct haul_error *error)
{
    struct haul_rocks_options options;
    enum haul_status status = sized_options_take(
        &options, sizeof(options), SIZED_OPTIONS_END(struct haul_rocks_options, families_of_jobs),
        given, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct rocks_store *store = rocks_store_create(path);
    if (store == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a store");
    }
    store->read_only = options.read_only;
    store->keeps_log = options.keep_log;
    store->flushes_at_close = options.flush_at_close && !options.read_only;
    status = rocks_open(store, &options, error);
    if (status != HAUL_OK) {
        store_close(&store->base);
        return status;
    }
    *out = &store->base;
    return HAUL_OK;
}
