/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_open.c — opens a database with the options and column families that it has stored.
 *
 * RocksDB would continue where it must not: it treats a directory without its CURRENT file as new
 * and removes the data, it drops objects that it cannot create, and it discards log records after
 * damage. So haul takes the lock, examines the files (store_look.h) and decides (feature_gate.h)
 * before it calls RocksDB. An open rewrites the OPTIONS file, which belongs to the owner: haul
 * restores it at once. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feature_gate.h"
#include "haul/job.h"
#include "haul_folder.h"
#include "instance.h"
#include "job_families.h"
#include "log_links.h"
#include "log_look.h"
#include "plain_file.h"
#include "rocks_damage.h"
#include "rocks_door.h"
#include "rocks_store.h"
#include "rocks_stored.h"
#include "store_look.h"

enum {
    OPTIONS_CACHE_BYTES = 8 << 20, /* block cache; scans do not fill it */
    INFO_LOG_WARNINGS = 2,         /* RocksDB's own LOG file: only warnings */
};

/* --- the directory ---------------------------------------------------------------------------- */

/* Errors: IO (it cannot be examined). */
static enum haul_status look_for_database(const char *path, bool *found, struct haul_error *error)
{
    char current[ROCKS_PATH_BYTES_MAX];
    (void)snprintf(current, sizeof(current), "%s/CURRENT", path);
    *found = access(current, F_OK) == 0;
    return *found || errno == ENOENT || errno == ENOTDIR || errno == ELOOP
               ? HAUL_OK
               : haul_error_set(error, HAUL_IO, "access", errno, "cannot read %s", path);
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_size = strlen(text);
    size_t end_size = strlen(end);
    return text_size >= end_size && strcmp(text + text_size - end_size, end) == 0;
}

/* Files that only a database leaves. The first manifest alone comes from an interrupted creation
 * and never held a record. */
static bool has_remains(const char *path)
{
    DIR *directory = opendir(path);
    bool found = false;
    const struct dirent *entry;
    while (directory != NULL && !found && (entry = readdir(directory)) != NULL) {
        bool manifest = strncmp(entry->d_name, "MANIFEST-", 9) == 0;
        found = (manifest && strcmp(entry->d_name, "MANIFEST-000001") != 0) ||
                ends_with(entry->d_name, ".sst") || ends_with(entry->d_name, ".log");
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return found;
}

static enum haul_status check_absent(const char *path, bool may_create, struct haul_error *error)
{
    if (has_remains(path)) {
        haul_error_set(error, HAUL_CORRUPT, NULL, 0,
                       "%s holds files of a database, but no CURRENT file", path);
        haul_error_hint(error, "restore a backup or use `ldb repair`; nothing was changed");
        return HAUL_CORRUPT;
    }
    if (!may_create) {
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no RocksDB database in %s", path);
        haul_error_hint(error, "check the directory");
        return HAUL_NOT_FOUND;
    }
    return HAUL_OK;
}

enum haul_status rocks_read_identity(struct rocks_store *store, struct haul_error *error)
{
    char path[ROCKS_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%s/IDENTITY", store->path);
    FILE *file = plain_file_read(path);
    if (file == NULL && errno == ENOENT) {
        return HAUL_OK;
    }
    bool read = file != NULL;
    if (read && fgets(store->identity, sizeof(store->identity), file) != NULL) {
        store->identity[strcspn(store->identity, "\r\n")] = '\0';
    }
    int code = errno;
    read = read && ferror(file) == 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    return read ? HAUL_OK : haul_error_set(error, HAUL_IO, "read", code, "cannot read %s", path);
}

/* --- looking ---------------------------------------------------------------------------------- */

/* One open in progress. */
struct opening {
    struct rocks_store *store;
    const struct haul_rocks_options *options;
    struct feature_release release;
    struct store_look look;
    char *options_text; /* of the OPTIONS file before the open; NULL: no file */
    size_t options_text_size;
};

/* Every open except verify's read-only one holds the lock and needs the log. */
static bool is_guarded(const struct haul_rocks_options *options)
{
    return !options->read_only || options->keep_log;
}

static struct feature_release this_release(void)
{
    enum { FORMATS_MAX = 64 };
    struct rocks_release running = rocks_door_release();
    struct feature_release release = {
        .major = running.major, .minor = running.minor, .patch = running.patch};
    for (uint32_t format = 0; format < FORMATS_MAX; format++) {
        release.table_format_max =
            rocks_door_reads_tables(format) ? format : release.table_format_max;
    }
    return release;
}

/* Keep only the families to open. */
static enum haul_status select_families(struct opening *opening, struct haul_error *error)
{
    const struct haul_rocks_options *options = opening->options;
    struct manifest *manifest = &opening->look.manifest;
    if (!options->read_only || (options->family_count == 0 && !options->families_of_jobs)) {
        return HAUL_OK;
    }
    if (!options->families_of_jobs) {
        manifest_select(manifest, options->families, options->family_count);
        return HAUL_OK;
    }
    const char **names = NULL;
    size_t count = 0;
    enum haul_status status = job_families_read(opening->store->path, &names, &count, error);
    if (status == HAUL_OK) {
        manifest_select(manifest, names, count);
        free(names);
    }
    return status;
}

static enum haul_status look(struct opening *opening, struct haul_error *error)
{
    const struct store_look_options options = {.directory = opening->store->path,
                                               .wal_dir = opening->options->wal_dir,
                                               .with_log = is_guarded(opening->options)};
    enum haul_status status = store_look_open(&options, &opening->look, error);
    if (status == HAUL_CORRUPT) {
        haul_error_hint(error, "nothing was changed; restore a backup");
    }
    status = feature_gate_explain(&opening->look, &opening->release, status, error);
    if (status == HAUL_OK) {
        status = select_families(opening, error);
    }
    if (status == HAUL_OK) {
        status = feature_gate_check(&opening->look, &opening->release,
                                    !is_guarded(opening->options), error);
    }
    return status;
}

enum haul_status haul_rocks_store_check_families(const char *directory, struct haul_error *error)
{
    const struct store_look_options options = {.directory = directory};
    struct store_look *look_at = calloc(1, sizeof(*look_at));
    if (look_at == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a look");
    }
    enum haul_status status = store_look_open(&options, look_at, error);
    if (status == HAUL_OK) {
        status = feature_gate_check_families(look_at, false, error);
    }
    store_look_close(look_at);
    free(look_at);
    return status;
}

/* --- options ---------------------------------------------------------------------------------- */

/* Takes `options` over. */
static void add_family(struct rocks_store *store, const char *name, const char *comparator,
                       rocksdb_options_t *options)
{
    struct rocks_family *family = &store->families[store->family_count++];
    family->options = options;
    (void)snprintf(family->family.name, HAUL_NAME_BYTES_MAX, "%s", name);
    (void)snprintf(family->family.comparator, HAUL_NAME_BYTES_MAX, "%s", comparator);
    rocks_name_merge(family, options);
}

/* The stored options of all families, as RocksDB loads them. */
struct loaded {
    size_t count;
    char **names;
    rocksdb_options_t **options;
};

static rocksdb_options_t *copy_options(const struct loaded *loaded, const char *name)
{
    for (size_t i = 0; i < loaded->count; i++) {
        if (strcmp(loaded->names[i], name) == 0) {
            return rocksdb_options_create_copy(loaded->options[i]);
        }
    }
    return rocksdb_options_create();
}

/* Has RocksDB created the stored operator? Then its description equals the stored text. */
static enum haul_status check_merge(const struct rocks_family *family,
                                    const struct stored_family *stored, struct haul_error *error)
{
    if (stored == NULL || strcmp(family->family.merge_operator, stored->merge_operator) == 0) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "the stored options of column family '%s' do not fully describe its merge "
                   "operator '%s'",
                   family->family.name, stored->merge_operator);
    haul_error_hint(error, "embed libhaul in the program that has it");
    return HAUL_UNSUPPORTED;
}

/* The manifest lists the families, the OPTIONS file has their options. */
static enum haul_status add_families(struct opening *opening, const struct loaded *loaded,
                                     struct haul_error *error)
{
    struct rocks_store *store = opening->store;
    const struct manifest *manifest = &opening->look.manifest;
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < manifest->family_count && status == HAUL_OK; i++) {
        const struct manifest_family *family = &manifest->families[i];
        const char *comparator =
            family->comparator[0] == '\0' ? HAUL_COMPARATOR_BYTEWISE : family->comparator;
        add_family(store, family->name, comparator, copy_options(loaded, family->name));
        status = check_merge(&store->families[store->family_count - 1],
                             stored_options_family(&opening->look.options, family->name), error);
    }
    /* A receiver may have died between creating the database and creating its families. */
    store->unchosen = store->family_count == 1 && status == HAUL_OK &&
                      rocks_door_is_default_family(store->families[0].options);
    return status;
}

/* The error for what RocksDB does not understand in the file. */
static enum haul_status options_error(const struct opening *opening, char *message,
                                      struct haul_error *error)
{
    enum haul_status status = rocks_error(message, "load options", error);
    if (status != HAUL_STORE && status != HAUL_CORRUPT) {
        return status;
    }
    char reason[160];
    (void)snprintf(reason, sizeof(reason), "%.150s", error->text);
    haul_error_set(error, HAUL_UNSUPPORTED, "load options", 0, "%s holds what haul cannot read: %s",
                   opening->look.options.path, reason);
    haul_error_hint(error, "correct the file, or open the database with its own program, which "
                           "writes it again");
    return HAUL_UNSUPPORTED;
}

static enum haul_status load_stored(struct opening *opening, struct haul_error *error)
{
    struct rocks_store *store = opening->store;
    rocksdb_env_t *env = rocksdb_create_default_env();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(OPTIONS_CACHE_BYTES);
    struct loaded loaded = {0};
    rocksdb_options_t *database_options = NULL;
    char *message = NULL;
    rocksdb_load_latest_options(store->path, env, true, cache, &database_options, &loaded.count,
                                &loaded.names, &loaded.options, &message);
    enum haul_status status = options_error(opening, message, error);
    if (status == HAUL_OK) {
        store->options = rocksdb_options_create_copy(database_options);
        status = add_families(opening, &loaded, error);
        rocksdb_load_latest_options_destroy(database_options, loaded.names, loaded.options,
                                            loaded.count);
    }
    rocksdb_cache_destroy(cache);
    rocksdb_env_destroy(env);
    return status;
}

static enum haul_status load_options(struct opening *opening, struct haul_error *error)
{
    if (opening->look.options.path[0] != '\0') {
        return load_stored(opening, error);
    }
    /* No OPTIONS file, as after a repair: defaults. RocksDB compares the comparators. */
    struct loaded nothing = {0};
    opening->store->options = rocksdb_options_create();
    return add_families(opening, &nothing, error);
}

static void create_options(struct rocks_store *store)
{
    store->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(store->options, 1);
    store->unchosen = true;
    add_family(store, "default", HAUL_COMPARATOR_BYTEWISE,
               rocksdb_options_create_copy(store->options));
}

/* --- the owner's OPTIONS file ----------------------------------------------------------------- */

/* Keep its text. A file that has become unreadable is no error: RocksDB has read it. */
static void keep_options_text(struct opening *opening)
{
    FILE *file =
        opening->look.options.path[0] == '\0' ? NULL : plain_file_read(opening->look.options.path);
    long size = file != NULL && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    if (text != NULL && fseek(file, 0, SEEK_SET) == 0 &&
        fread(text, 1, (size_t)size, file) == (size_t)size) {
        opening->options_text = text;
        opening->options_text_size = (size_t)size;
        text = NULL;
    }
    free(text);
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* The open has written a new file, with haul's settings and without options that RocksDB does not
 * know. Restore the old text. A failure leaves a sound file. */
static void restore_options_text(const struct opening *opening)
{
    struct haul_error ignored;
    struct stored_options newest;
    char path[STORED_PATH_BYTES_MAX + sizeof(".dbtmp")];
    if (opening->options_text == NULL ||
        stored_options_read(opening->store->path, &newest, &ignored) != HAUL_OK) {
        return;
    }
    (void)snprintf(path, sizeof(path), "%s.dbtmp", newest.path);
    bool is_new = strcmp(newest.path, opening->look.options.path) != 0;
    int fd = is_new ? plain_file_create(path, 0644) : -1;
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (fd >= 0 && file == NULL) {
        (void)close(fd);
    }
    if (file != NULL) {
        size_t size = opening->options_text_size;
        bool written = fwrite(opening->options_text, 1, size, file) == size;
        written = fflush(file) == 0 && written;
        written = fsync(fileno(file)) == 0 && written;
        written = fclose(file) == 0 && written;
        if (!written || rename(path, newest.path) != 0) {
            (void)unlink(path);
        }
    }
    stored_options_fini(&newest);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Log records stay in the log until something is received, and no compaction drops records that a
 * source must send. */
static void spare_records(struct rocks_store *store, bool is_source)
{
    rocks_door_avoid_flush(store->options);
    for (size_t i = 0; i < store->family_count; i++) {
        if (is_source && rocks_door_drops_records(store->families[i].options)) {
            rocksdb_options_set_disable_auto_compactions(store->families[i].options, 1);
        }
    }
}

static void apply_options(const struct opening *opening)
{
    struct rocks_store *store = opening->store;
    const struct haul_rocks_options *options = opening->options;
    if (options->write_buffer_mib > 0) {
        size_t size = (size_t)options->write_buffer_mib << 20;
        rocksdb_options_set_write_buffer_size(store->options, size); /* of families created later */
        for (size_t i = 0; i < store->family_count; i++) {
            rocksdb_options_set_write_buffer_size(store->families[i].options, size);
        }
    }
    if (opening->look.wal_dir[0] != '\0') {
        rocksdb_options_set_wal_dir(
            store->options, opening->look.wal_place == WAL_HERE ? "" : opening->look.wal_dir);
    }
    spare_records(store, options->keep_log);
    rocksdb_options_set_info_log_level(store->options, INFO_LOG_WARNINGS);
    rocksdb_options_set_error_if_exists(store->options, 0);
    /* A write that is in the log but not yet in memory would be missing from a view. */
    rocksdb_options_set_unordered_write(store->options, 0);
    /* The owner may use a release build and have keys that fail an assertion of RocksDB. */
    rocks_door_domain_free(rocks_door_avoid_prefixes(store->options));
    for (size_t i = 0; i < store->family_count; i++) {
        store->families[i].domain = rocks_door_avoid_prefixes(store->families[i].options);
    }
    /* A view would see later values, and memory could not be read backwards. */
    for (size_t i = 0; i < store->family_count; i++) {
        rocksdb_options_set_inplace_update_support(store->families[i].options, 0);
    }
}

static enum haul_status open_error(const struct rocks_store *store, char *message,
                                   struct haul_error *error)
{
    enum haul_status status = rocks_error(message, "open database", error);
    if (status == HAUL_BUSY) {
        haul_error_set(error, HAUL_BUSY, "open database", 0, "the database in %s is in use",
                       store->path);
        haul_error_hint(error, "it is open already, probably in another process: stop that first");
    }
    return status;
}

enum haul_status rocks_open_handles(struct rocks_store *store, struct haul_error *error)
{
    const char *names[ROCKS_FAMILY_COUNT_MAX];
    const rocksdb_options_t *options[ROCKS_FAMILY_COUNT_MAX];
    rocksdb_column_family_handle_t *handles[ROCKS_FAMILY_COUNT_MAX] = {NULL};
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
        rocks_door_write_log(store->options, store->path);
        store->db = rocksdb_open_column_families(store->options, store->path, count, names, options,
                                                 handles, &message);
    }
    enum haul_status status = open_error(store, message, error);
    for (size_t i = 0; i < store->family_count && status == HAUL_OK; i++) {
        store->families[i].handle = handles[i];
        store->families[i].family.id = rocksdb_column_family_handle_get_id(handles[i]);
    }
    return status == HAUL_OK ? rocks_note_families(store, error) : status;
}

static bool archives_itself(struct rocks_store *store)
{
    return rocksdb_options_get_WAL_ttl_seconds(store->options) > 0 ||
           rocksdb_options_get_WAL_size_limit_MB(store->options) > 0;
}

static bool has_instance(const struct rocks_store *store)
{
    char path[ROCKS_PATH_BYTES_MAX + 32];
    (void)snprintf(path, sizeof(path), "%s/haul/instance", store->path);
    return access(path, F_OK) == 0;
}

/* An open for writing also drops, takes over or gives up according to the folder's records. */
static enum haul_status check_not_set_back(const struct rocks_store *store,
                                           struct haul_error *error)
{
    char folder[ROCKS_PATH_BYTES_MAX + 32];
    (void)snprintf(folder, sizeof(folder), "%s/haul", store->path);
    return store->had_instance ? instance_check_list(folder, error) : HAUL_OK;
}

/* For an existing database: all checks and changes before RocksDB opens it. */
static enum haul_status prepare(struct opening *opening, struct haul_error *error)
{
    struct rocks_store *store = opening->store;
    const struct haul_rocks_options *options = opening->options;
    enum haul_status status =
        is_guarded(options) ? database_lock_acquire(store->path, &store->lock, error) : HAUL_OK;
    if (status == HAUL_OK) {
        status = look(opening, error);
    }
    if (status == HAUL_OK) {
        status = load_options(opening, error);
    }
    if (status != HAUL_OK || !is_guarded(options)) {
        return status;
    }
    (void)snprintf(store->wal_dir, sizeof(store->wal_dir), "%s", opening->look.wal_dir);
    store->had_instance = has_instance(store);
    store->archives_itself = archives_itself(store);
    keep_options_text(opening);
    if (!options->read_only) {
        status = check_not_set_back(store, error);
    }
    if (status == HAUL_OK) {
        status = rocks_damage_keep(&opening->look, options,
                                   rocksdb_options_get_wal_recovery_mode(store->options),
                                   rocksdb_options_get_paranoid_checks(store->options), error);
    }
    if (status == HAUL_OK && options->keep_log && !store->archives_itself) {
        status = log_links_make(store->path, store->wal_dir, options->log, error);
    }
    return status;
}

/* RocksDB silently ends its replay at a batch that it cannot apply. */
static enum haul_status check_replay(const struct opening *opening, struct haul_error *error)
{
    const struct log_look *log = &opening->look.log;
    uint64_t replayed = opening->store->opened_at;
    if (log->loses_records || replayed >= log->last_sequence) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "RocksDB replays the log up to record %" PRIu64 " of %" PRIu64
                   ": it cannot apply the rest with the stored options",
                   replayed, log->last_sequence);
    haul_error_hint(error, "embed libhaul in the program that opens the database");
    return HAUL_UNSUPPORTED;
}

/* An open that is not guarded has not looked at the log: another process may be writing it. If
 * RocksDB fails, the log may hold the reason. */
static enum haul_status explain_by_log(struct opening *opening, enum haul_status status,
                                       struct haul_error *error)
{
    const struct store_look_options options = {
        .directory = opening->store->path, .wal_dir = opening->options->wal_dir, .with_log = true};
    struct haul_error reason = {.status = HAUL_OK};
    struct store_look *look =
        status == HAUL_OK || is_guarded(opening->options) ? NULL : calloc(1, sizeof(*look));
    if (look == NULL) {
        return status;
    }
    enum haul_status explained = store_look_open(&options, look, &reason);
    if (explained == HAUL_OK && feature_gate_check_log(look, &reason) == HAUL_UNSUPPORTED) {
        *error = reason;
        status = HAUL_UNSUPPORTED;
    }
    store_look_close(look);
    free(look);
    return status;
}

static enum haul_status open_prepared(struct opening *opening, struct haul_error *error)
{
    apply_options(opening);
    enum haul_status status = rocks_open_handles(opening->store, error);
    status = explain_by_log(opening, status, error);
    status = feature_gate_explain(&opening->look, &opening->release, status, error);
    if (status == HAUL_OK && !opening->options->read_only) {
        restore_options_text(opening);
    }
    if (status == HAUL_OK) {
        opening->store->opened_at = rocksdb_get_latest_sequence_number(opening->store->db);
        status = check_replay(opening, error);
    }
    if (status == HAUL_OK && !opening->options->read_only) {
        status = rocks_identity_restore(opening->store, error);
    }
    return status == HAUL_OK ? rocks_read_identity(opening->store, error) : status;
}

enum haul_status rocks_open(struct rocks_store *store, const struct haul_rocks_options *options,
                            struct haul_error *error)
{
    if (strlen(store->path) >= HAUL_DIRECTORY_BYTES_MAX) {
        return haul_directory_too_long(error);
    }
    struct opening *opening = calloc(1, sizeof(*opening));
    if (opening == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for an open");
    }
    rocks_place_follow(store);
    opening->store = store;
    opening->options = options;
    opening->release = this_release();
    bool found = false;
    enum haul_status status = look_for_database(store->path, &found, error);
    if (status == HAUL_OK && is_guarded(options)) {
        status = haul_folder_check(store->path, error);
    }
    if (status == HAUL_OK && found) {
        rocks_place_note(store);
        status = rocks_stored_read(store->path, &store->stored, error);
        if (status == HAUL_OK) {
            status = prepare(opening, error);
        }
    } else if (status == HAUL_OK) {
        bool may_create = options->create_if_missing && !options->read_only;
        status = check_absent(store->path, may_create, error);
        if (status == HAUL_OK) {
            create_options(store);
        }
    }
    if (status == HAUL_OK) {
        status = open_prepared(opening, error);
        rocks_place_note(store);
    }
    store_look_close(&opening->look);
    free(opening->options_text);
    free(opening);
    return status;
}

/* --- earlier log files ------------------------------------------------------------------------ */

static enum haul_status sync_file(const char *directory, const char *name, struct haul_error *error)
{
    char path[ROCKS_PATH_BYTES_MAX + 300];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool synced = fd >= 0 ? fdatasync(fd) == 0 : errno == ENOENT;
    int code = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return synced ? HAUL_OK
                  : haul_error_set(error, HAUL_IO, "fdatasync", code, "cannot sync %s", path);
}

enum haul_status rocks_sync_files(struct rocks_store *store, struct haul_error *error)
{
    if (!store->keeps_log) {
        return HAUL_OK;
    }
    DIR *directory = opendir(store->wal_dir);
    if (directory == NULL) {
        return haul_error_set(error, HAUL_IO, "opendir", errno, "cannot read %s", store->wal_dir);
    }
    enum haul_status status = HAUL_OK;
    const struct dirent *entry;
    while (status == HAUL_OK && (entry = readdir(directory)) != NULL) {
        if (log_look_is_log(entry->d_name)) {
            status = sync_file(store->wal_dir, entry->d_name, error);
        }
    }
    (void)closedir(directory);
    return status;
}

/* --- after the close -------------------------------------------------------------------------- */

/* Could a job of this source continue from the log? When in doubt, yes. */
static bool needs_log(const char *directory)
{
    static const char *const ended[] = {"ABORTED", "RELEASED", "DONE"};
    struct haul_error ignored;
    struct haul_job *jobs = NULL;
    size_t count = 0;
    bool needs = haul_jobs_list(directory, &jobs, &count, &ignored) != HAUL_OK;
    for (size_t i = 0; i < count; i++) {
        bool over = jobs[i].role != HAUL_JOB_SOURCE;
        for (size_t j = 0; j < sizeof(ended) / sizeof(ended[0]); j++) {
            over = over || strcmp(jobs[i].phase, ended[j]) == 0;
        }
        needs = needs || !over;
    }
    free(jobs);
    return needs;
}

static void tidy(const char *directory, const char *wal_dir, bool archives)
{
    if (log_links_exist(directory) && (archives || !needs_log(directory))) {
        log_links_drop(directory, wal_dir, archives);
    }
}

/* A refused source leaves the instance file, whose name no peer knows, and the secret, of which no
 * peer keeps a proof. */
static void drop_unused_instance(const struct rocks_store *store, const char *folder)
{
    DIR *directory = store->keeps_log && !store->had_instance ? opendir(folder) : NULL;
    bool alone = directory != NULL;
    const struct dirent *entry;
    while (alone && (entry = readdir(directory)) != NULL) {
        alone = entry->d_name[0] == '.' || strcmp(entry->d_name, "instance") == 0 ||
                strcmp(entry->d_name, "secret") == 0;
    }
    if (alone) {
        (void)unlinkat(dirfd(directory), "secret", 0);
        (void)unlinkat(dirfd(directory), "instance", 0);
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
}

void rocks_tidy(struct rocks_store *store)
{
    struct haul_error ignored;
    if (rocks_place_check(&store->base, &ignored) != HAUL_OK) {
        store->lock.made_file = false; /* a file there belongs to another database */
    } else if (store->wal_dir[0] != '\0' && database_lock_regain(&store->lock)) {
        char folder[ROCKS_PATH_BYTES_MAX];
        tidy(store->path, store->wal_dir, store->archives_itself);
        (void)snprintf(folder, sizeof(folder), "%s/haul", store->path);
        drop_unused_instance(store, folder);
        (void)rmdir(folder); /* fails when it holds a job, a record or anything else */
    }
    database_lock_release(&store->lock, store->path, store->db != NULL);
}

void haul_rocks_store_tidy(const char *directory)
{
    struct haul_error ignored;
    struct database_lock lock = {.fd = -1};
    if (!log_links_exist(directory) ||
        database_lock_acquire(directory, &lock, &ignored) != HAUL_OK) {
        return;
    }
    struct store_look *look_at = calloc(1, sizeof(*look_at));
    const struct store_look_options options = {.directory = directory};
    if (look_at != NULL && store_look_open(&options, look_at, &ignored) == HAUL_OK &&
        look_at->wal_place != WAL_UNSURE) {
        tidy(directory, look_at->wal_dir, look_at->options.archives_log);
    }
    if (look_at != NULL) {
        store_look_close(look_at);
    }
    free(look_at);
    database_lock_release(&lock, directory, true);
}
