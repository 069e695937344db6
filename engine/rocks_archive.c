/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_archive.c — log files that outlive a restart.
 *
 * Opening a database replays its log into table files and removes the log. A job that goes on after
 * a restart needs it: so before opening, each log file gets a second name in the directory where
 * RocksDB itself archives and looks for old logs. It reads them from there, and never removes them,
 * as long as the database's own options archive nothing; when they do, its own archive serves.
 * Closing removes the second names. After a crash the next opening finds them, and keeps them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rocks_store.h"

static bool is_log(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits > 0 && strcmp(name + digits, ".log") == 0;
}

static bool archives_itself(struct rocks_store *store)
{
    return rocksdb_options_get_WAL_ttl_seconds(store->options) > 0 ||
           rocksdb_options_get_WAL_size_limit_MB(store->options) > 0;
}

static enum haul_status failed(const char *call, const char *name, struct haul_error *error)
{
    return haul_error_set(error, errno == ENOSPC ? HAUL_NO_SPACE : HAUL_IO, call, errno,
                          "cannot keep the log file %s", name);
}

static enum haul_status keep_files(const struct rocks_store *store, DIR *directory,
                                   struct haul_error *error)
{
    char archive[ROCKS_PATH_BYTES_MAX];
    (void)snprintf(archive, sizeof(archive), "%s/archive", store->path);
    if (mkdir(archive, 0755) != 0 && errno != EEXIST) {
        return failed("mkdir", archive, error);
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        char name[ROCKS_PATH_BYTES_MAX + sizeof("/") + sizeof(entry->d_name)];
        (void)snprintf(name, sizeof(name), "%s/%s", archive, entry->d_name);
        if (is_log(entry->d_name) &&
            linkat(dirfd(directory), entry->d_name, AT_FDCWD, name, 0) != 0 && errno != EEXIST) {
            return failed("link", entry->d_name, error);
        }
    }
    return HAUL_OK;
}

enum haul_status rocks_archive_keep(struct rocks_store *store, struct haul_error *error)
{
    if (archives_itself(store)) {
        return HAUL_OK;
    }
    DIR *directory = opendir(store->path);
    if (directory == NULL) {
        return failed("opendir", store->path, error);
    }
    enum haul_status status = keep_files(store, directory, error);
    (void)closedir(directory);
    store->keeps_log = status == HAUL_OK;
    return status;
}

void rocks_archive_drop(struct rocks_store *store)
{
    char archive[ROCKS_PATH_BYTES_MAX];
    (void)snprintf(archive, sizeof(archive), "%s/archive", store->path);
    DIR *directory = store->keeps_log ? opendir(archive) : NULL;
    if (directory == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (is_log(entry->d_name)) {
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    (void)closedir(directory);
    (void)rmdir(archive);
}
