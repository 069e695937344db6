/* SPDX-License-Identifier: Apache-2.0 */
/* haul_folder.c — checks what has the name of haul's directory. */
#include "haul_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "haul/limits.h"
#include "plain_file.h"

enum haul_status haul_folder_check(const char *database, struct haul_error *error)
{
    char path[HAUL_DIRECTORY_BYTES_MAX + 8];
    struct stat found;
    (void)snprintf(path, sizeof(path), "%s/haul", database);
    if (lstat(path, &found) != 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? HAUL_OK
                   : haul_error_set(error, HAUL_IO, "lstat", errno, "cannot look at %s", path);
    }
    if (S_ISDIR(found.st_mode)) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_CORRUPT, NULL, 0,
                   "%s is not a directory: haul keeps its records "
                   "there",
                   path);
    haul_error_hint(error, "move it away (`mv`); if it was a link, put the directory that it "
                           "pointed to in its place");
    return HAUL_CORRUPT;
}

void haul_folder_close(const char *database)
{
    char path[HAUL_DIRECTORY_BYTES_MAX + 8];
    struct stat found;
    (void)snprintf(path, sizeof(path), "%s/haul", database);
    int fd = plain_file_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &found) == 0 && (found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)fchmod(fd, S_IRWXU); /* fails if another user owns it */
    }
    (void)close(fd);
}

bool haul_directory_of(const struct haul_store *store, char *path, size_t path_size_bytes)
{
    int length = snprintf(path, path_size_bytes, "%s/haul", store->ops->directory(store));
    return length > 0 && (size_t)length < path_size_bytes;
}

enum haul_status haul_directory_too_long(struct haul_error *error)
{
    haul_error_set(error, HAUL_INVALID, NULL, 0,
                   "the path of the database is too long: haul takes up to %d bytes",
                   HAUL_DIRECTORY_BYTES_MAX - 1);
    haul_error_hint(error, "use a shorter path, or a symbolic link to the directory");
    return HAUL_INVALID;
}

enum haul_status haul_place_check(struct haul_store *store, struct haul_error *error)
{
    return store->ops->place_check == NULL ? HAUL_OK : store->ops->place_check(store, error);
}

void haul_place_explain(struct haul_store *store, struct haul_error *error)
{
    struct haul_error moved = {.status = HAUL_OK};
    bool of_files = error->status == HAUL_IO || error->status == HAUL_STORE;
    if (of_files && haul_place_check(store, &moved) != HAUL_OK) {
        *error = moved;
    }
}

const struct file_calls *haul_files_of(const struct haul_store *store)
{
    return store->ops->files == NULL ? NULL : store->ops->files(store);
}
