/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_pinned.c — counts the existing files minus those that the database still needs. While file
 * deletions are off, RocksDB does not report which files it would remove. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rocks_door.h"
#include "rocks_store.h"

/* "000123.log": 123; 0: another kind of file. */
static uint64_t file_number(const char *name, const char *suffix)
{
    char *end = NULL;
    uint64_t number = strtoull(name, &end, 10);
    return end != name && strcmp(end, suffix) == 0 ? number : 0;
}

/* The bytes of all files of a directory with this suffix and a number below `number`. */
static uint64_t bytes_of(const char *path, const char *suffix, uint64_t number)
{
    uint64_t bytes = 0;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        uint64_t found = file_number(entry->d_name, suffix);
        struct stat file;
        if (found > 0 && found < number &&
            fstatat(dirfd(directory), entry->d_name, &file, 0) == 0) {
            bytes += (uint64_t)file.st_size;
        }
    }
    (void)closedir(directory);
    return bytes;
}

/* Values outside of tables. */
static uint64_t live_blob_bytes(struct rocks_store *store)
{
    uint64_t bytes = 0;
    (void)pthread_rwlock_rdlock(&store->families_lock); /* none is dropped meanwhile */
    for (size_t i = 0; i < store->family_count; i++) {
        uint64_t found = 0;
        if (store->families[i].handle != NULL &&
            rocksdb_property_int_cf(store->db, store->families[i].handle,
                                    "rocksdb.live-blob-file-size", &found) == 0) {
            bytes += found;
        }
    }
    (void)pthread_rwlock_unlock(&store->families_lock);
    return bytes;
}

static uint64_t live_table_bytes(rocksdb_t *db)
{
    uint64_t bytes = 0;
    const rocksdb_livefiles_t *files = rocksdb_livefiles(db);
    for (int i = 0; i < rocksdb_livefiles_count(files); i++) {
        bytes += rocksdb_livefiles_size(files, i);
    }
    rocksdb_livefiles_destroy(files);
    return bytes;
}

void rocks_pinned_bytes(struct haul_store *base, uint64_t *log_bytes, uint64_t *table_bytes)
{
    struct rocks_store *store = rocks_of(base);
    *log_bytes = 0;
    *table_bytes = 0;
    if (store->read_only || store->db == NULL) {
        return; /* no file would be removed */
    }
    struct rocks_database_facts facts;
    rocks_door_database(store->db, &facts);
    uint64_t needed = 0;
    if (rocksdb_property_int(store->db, "rocksdb.min-log-number-to-keep", &needed) == 0) {
        const char *log_path = facts.wal_dir[0] == '\0' ? store->path : facts.wal_dir;
        *log_bytes = bytes_of(log_path, ".log", needed);
    }
    /* The live files first: a table that is added meanwhile is live. */
    uint64_t live = live_table_bytes(store->db) + live_blob_bytes(store);
    uint64_t all =
        bytes_of(store->path, ".sst", UINT64_MAX) + bytes_of(store->path, ".blob", UINT64_MAX);
    *table_bytes = all > live ? all - live : 0;
}
