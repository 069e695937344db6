/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_open.c — opening a database with the options and column families that it has stored itself.
 *
 * RocksDB would go on where it must not: it takes a directory that lost its CURRENT file for a new
 * one and removes the data, and it drops comparators and merge operators that it cannot make. So
 * both are looked for before it is asked. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rocks_store.h"
#include "rocks_stored.h"

enum {
    OPTIONS_CACHE_BYTES = 8 << 20, /* block cache; scans do not fill it */
    INFO_LOG_WARNINGS = 2,         /* RocksDB's own LOG file: no more than warnings */
};

/* --- the directory ---------------------------------------------------------------------------- */

static bool is_database(const char *path)
{
    char current[ROCKS_PATH_BYTES_MAX];
    (void)snprintf(current, sizeof(current), "%s/CURRENT", path);
    return access(current, F_OK) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_size = strlen(text);
    size_t end_size = strlen(end);
    return text_size >= end_size && strcmp(text + text_size - end_size, end) == 0;
}

/* What only a database leaves behind; the first manifest alone is of one whose making was cut
 * short: no record was ever in it. */
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
    FILE *file = fopen(path, "re");
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

/* --- column families -------------------------------------------------------------------------- */

/* Takes `options`. */
static void add_family(struct rocks_store *store, const char *name, const struct rocks_names *names,
                       rocksdb_options_t *options)
{
    struct rocks_family *family = &store->families[store->family_count++];
    family->options = options;
    (void)snprintf(family->family.name, HAUL_NAME_BYTES_MAX, "%s", name);
    bool is_stored = names != NULL && names->comparator[0] != '\0';
    (void)snprintf(family->family.comparator, HAUL_NAME_BYTES_MAX, "%s",
                   is_stored ? names->comparator : ROCKS_BYTEWISE);
    (void)snprintf(family->family.merge_operator, HAUL_NAME_BYTES_MAX, "%s",
                   names == NULL ? "" : names->merge_operator);
}

/* The stored options of all families, as RocksDB gives them. */
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

/* The MANIFEST says which families there are, the OPTIONS file what they are like. */
static enum haul_status add_families(struct rocks_store *store, const struct loaded *loaded,
                                     const struct rocks_names *stored, size_t stored_count,
                                     struct haul_error *error)
{
    char *message = NULL;
    size_t count = 0;
    char **names = rocksdb_list_column_families(store->options, store->path, &count, &message);
    enum haul_status status = rocks_error(message, "list column families", error);
    if (status != HAUL_OK) {
        rocksdb_list_column_families_destroy(names, 0); /* made also then */
        return status;
    }
    if (count > HAUL_FAMILY_COUNT_MAX) {
        status = haul_error_set(error, HAUL_LIMIT, NULL, 0, "%zu column families; at most %d",
                                count, HAUL_FAMILY_COUNT_MAX);
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        if (strlen(names[i]) >= HAUL_NAME_BYTES_MAX) {
            status = haul_error_set(error, HAUL_LIMIT, NULL, 0,
                                    "a column family's name has more than %d bytes: %.64s...",
                                    HAUL_NAME_BYTES_MAX - 1, names[i]);
            break;
        }
        const struct rocks_names *found = NULL;
        for (size_t j = 0; j < stored_count && found == NULL; j++) {
            found = strcmp(stored[j].family, names[i]) == 0 ? &stored[j] : NULL;
        }
        status = found == NULL ? HAUL_OK : rocks_options_check(found, error);
        if (status == HAUL_OK) {
            add_family(store, names[i], found, copy_options(loaded, names[i]));
        }
    }
    rocksdb_list_column_families_destroy(names, count);
    return status;
}

static enum haul_status load_stored(struct rocks_store *store, const struct rocks_names *stored,
                                    size_t stored_count, struct haul_error *error)
{
    rocksdb_env_t *env = rocksdb_create_default_env();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(OPTIONS_CACHE_BYTES);
    struct loaded loaded = {0};
    rocksdb_options_t *database_options = NULL;
    char *message = NULL;
    rocksdb_load_latest_options(store->path, env, true, cache, &database_options, &loaded.count,
                                &loaded.names, &loaded.options, &message);
    enum haul_status status = rocks_error(message, "load options", error);
    if (status == HAUL_OK) {
        store->options = rocksdb_options_create_copy(database_options);
        status = add_families(store, &loaded, stored, stored_count, error);
        rocksdb_load_latest_options_destroy(database_options, loaded.names, loaded.options,
                                            loaded.count);
    }
    rocksdb_cache_destroy(cache);
    rocksdb_env_destroy(env);
    return status;
}

static enum haul_status load_options(struct rocks_store *store, struct haul_error *error)
{
    struct rocks_names *stored = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*stored));
    if (stored == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for options");
    }
    size_t count = 0;
    enum haul_status status =
        rocks_options_read(store->path, stored, HAUL_FAMILY_COUNT_MAX, &count, error);
    if (status == HAUL_OK && count > 0) {
        status = load_stored(store, stored, count, error);
    } else if (status == HAUL_OK) {
        /* No OPTIONS file, as after a repair: defaults. RocksDB compares the comparators. */
        struct loaded nothing = {0};
        store->options = rocksdb_options_create();
        status = add_families(store, &nothing, stored, 0, error);
    }
    free(stored);
    return status;
}

static void create_options(struct rocks_store *store)
{
    store->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(store->options, 1);
    store->fresh = true;
    add_family(store, "default", NULL, rocksdb_options_create_copy(store->options));
}

/* --- opening ---------------------------------------------------------------------------------- */

static void apply_options(struct rocks_store *store, const struct haul_rocks_options *options)
{
    if (options->write_buffer_mib > 0) {
        size_t size = (size_t)options->write_buffer_mib << 20;
        rocksdb_options_set_write_buffer_size(store->options, size); /* of families made later */
        for (size_t i = 0; i < store->family_count; i++) {
            rocksdb_options_set_write_buffer_size(store->families[i].options, size);
        }
    }
    rocksdb_options_set_info_log_level(store->options, INFO_LOG_WARNINGS);
}

static enum haul_status open_error(const struct rocks_store *store, char *message,
                                   struct haul_error *error)
{
    enum haul_status status = rocks_error(message, "open database", error);
    if (status == HAUL_BUSY) {
        haul_error_set(error, HAUL_BUSY, "open database", 0, "the database in %s is in use",
                       store->path);
        haul_error_hint(error, "it is open already, mostly in another process: stop that first");
    }
    return status;
}

enum haul_status rocks_open_handles(struct rocks_store *store, struct haul_error *error)
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

enum haul_status rocks_open(struct rocks_store *store, const struct haul_rocks_options *options,
                            struct haul_error *error)
{
    /* Room behind the path for a file's name. */
    if (strlen(store->path) > ROCKS_PATH_BYTES_MAX - 512) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "the directory's name is too long");
    }
    enum haul_status status;
    if (is_database(store->path)) {
        status = rocks_stored_read(store->path, &store->stored, error);
        if (status == HAUL_OK) {
            status = load_options(store, error);
        }
    } else {
        bool may_create = options->create_if_missing && !options->read_only;
        status = check_absent(store->path, may_create, error);
        if (status == HAUL_OK) {
            create_options(store);
        }
    }
    if (status == HAUL_OK && options->keep_log && !options->read_only) {
        status = rocks_archive_keep(store, error);
    }
    if (status == HAUL_OK) {
        apply_options(store, options);
        status = rocks_open_handles(store, error);
    }
    return status == HAUL_OK ? rocks_read_identity(store, error) : status;
}
