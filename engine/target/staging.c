/* SPDX-License-Identifier: Apache-2.0 */
/* staging.c — creates and removes the directory of table files. */
#include "staging.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "haul_folder.h"
#include "planted_bug.h"

enum haul_status staging_name(const struct haul_store *store, char path[STAGING_PATH_BYTES_MAX],
                              struct haul_error *error)
{
    char directory[STAGING_PATH_BYTES_MAX - 16];
    if (!haul_directory_of(store, directory, sizeof(directory))) {
        return haul_directory_too_long(error);
    }
    (void)snprintf(path, STAGING_PATH_BYTES_MAX, "%s/staging", directory);
    return HAUL_OK;
}

static bool make_directory(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

enum haul_status staging_make(const struct haul_store *store, char path[STAGING_PATH_BYTES_MAX],
                              struct haul_error *error)
{
    char directory[STAGING_PATH_BYTES_MAX];
    enum haul_status status = staging_name(store, path, error);
    if (status != HAUL_OK) {
        return status;
    }
    (void)haul_directory_of(store, directory, sizeof(directory));
    return make_directory(directory) && make_directory(path)
               ? HAUL_OK
               : haul_error_set(error, errno == ENOSPC ? HAUL_NO_SPACE : HAUL_IO, "mkdir", errno,
                                "cannot create %s", path);
}

/* Remove the files whose names begin with `prefix`. */
static void remove_files(const char *path, const char *prefix)
{
    bool none = path[0] == '\0' || HAUL_PLANTED_BUG(STAGING_LEFT);
    DIR *directory = none ? NULL : opendir(path);
    if (directory == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            strstr(entry->d_name, ".sst") != NULL) {
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    (void)closedir(directory);
}

void staging_empty(const char *path, const uint8_t job[HAUL_JOB_BYTES])
{
    char prefix[2 * HAUL_JOB_BYTES + 1];
    for (size_t i = 0; i < HAUL_JOB_BYTES; i++) {
        (void)snprintf(prefix + 2 * i, 3, "%02x", job[i]);
    }
    remove_files(path, HAUL_PLANTED_BUG(STAGING_OF_ALL) ? "" : prefix);
}

void staging_remove(const char *path, const struct haul_log *log)
{
    remove_files(path, "");
    if (path[0] != '\0' && rmdir(path) != 0 && errno != ENOENT) {
        /* Harmless for the next job, which uses and removes the directory; but log it. */
        haul_log(log, HAUL_LOG_WARNING, "the staging directory %s stays: %s", path,
                 strerror(errno));
    }
}

enum haul_status staging_remove_of(const struct haul_store *store,
                                   const uint8_t job[HAUL_JOB_BYTES], struct haul_error *error)
{
    char path[STAGING_PATH_BYTES_MAX];
    enum haul_status status = staging_name(store, path, error);
    if (status != HAUL_OK) {
        return status;
    }
    staging_empty(path, job);
    (void)rmdir(path); /* fails when it holds somebody else's files */
    return HAUL_OK;
}
