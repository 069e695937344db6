/* SPDX-License-Identifier: Apache-2.0 */
/* log_rescue.c — copies a log that is damaged in the middle. */
#include "log_rescue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_look.h"

enum { PATH_BYTES_MAX = 4096 + 600, COPY_BYTES = 64 << 10, COPIES_MAX = 1000 };

static enum haul_status failed(const char *call, const char *name, struct haul_error *error)
{
    return haul_error_set(error, errno == ENOSPC || errno == EDQUOT ? HAUL_NO_SPACE : HAUL_IO, call,
                          errno, "cannot keep a copy of the damaged log: %s", name);
}

static enum haul_status write_all(int fd, const char *bytes, ssize_t size, const char *name,
                                  struct haul_error *error)
{
    ssize_t written = 0;
    while (written < size) {
        ssize_t count = write(fd, bytes + written, (size_t)(size - written));
        if (count < 0) {
            return failed("write", name, error);
        }
        written += count;
    }
    return HAUL_OK;
}

static enum haul_status copy_bytes(int from, int to, const char *name, struct haul_error *error)
{
    char bytes[COPY_BYTES];
    ssize_t size;
    while ((size = read(from, bytes, sizeof(bytes))) > 0) {
        enum haul_status status = write_all(to, bytes, size, name, error);
        if (status != HAUL_OK) {
            return status;
        }
    }
    if (size < 0) {
        return failed("read", name, error);
    }
    return fsync(to) == 0 ? HAUL_OK : failed("fsync", name, error);
}

static enum haul_status copy_file(int from_directory, int to_directory, const char *name,
                                  struct haul_error *error)
{
    int from = openat(from_directory, name, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        return failed("open", name, error);
    }
    int to = openat(to_directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum haul_status status =
        to < 0 ? failed("open", name, error) : copy_bytes(from, to, name, error);
    if (to >= 0) {
        (void)close(to);
    }
    if (to >= 0 && status != HAUL_OK) {
        (void)unlinkat(to_directory, name, 0);
    }
    (void)close(from);
    return status;
}

enum part {
    PART_MISSING,
    PART_SAME, /* judged by size: a closed log does not change */
    PART_OTHER,
};

static enum part compare(int from_directory, int to_directory, const char *name)
{
    struct stat from;
    struct stat to;
    if (fstatat(to_directory, name, &to, 0) != 0) {
        return PART_MISSING;
    }
    bool same = fstatat(from_directory, name, &from, 0) == 0 && from.st_size == to.st_size;
    return same ? PART_SAME : PART_OTHER;
}

/* Could the copy be completed to a copy of the present log? */
static bool is_copy_of(const char *wal_dir, const char *copy)
{
    int to_directory = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = to_directory < 0 ? NULL : opendir(wal_dir);
    const struct dirent *entry;
    bool fits = directory != NULL;
    bool any = false;
    while (fits && (entry = readdir(directory)) != NULL) {
        if (log_look_is_log(entry->d_name)) {
            enum part part = compare(dirfd(directory), to_directory, entry->d_name);
            fits = part != PART_OTHER;
            any = any || part == PART_SAME;
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    if (to_directory >= 0) {
        (void)close(to_directory);
    }
    return fits && any;
}

/* `copy` false: remove the copies from `to_directory`. */
static enum haul_status walk(const char *wal_dir, int to_directory, bool copy,
                             struct haul_error *error)
{
    DIR *directory = opendir(wal_dir);
    if (directory == NULL) {
        return failed("opendir", wal_dir, error);
    }
    enum haul_status status = HAUL_OK;
    const struct dirent *entry;
    while (status == HAUL_OK && (entry = readdir(directory)) != NULL) {
        if (!log_look_is_log(entry->d_name)) {
            continue;
        }
        if (copy && compare(dirfd(directory), to_directory, entry->d_name) == PART_MISSING) {
            status = copy_file(dirfd(directory), to_directory, entry->d_name, error);
        } else if (!copy) {
            (void)unlinkat(to_directory, entry->d_name, 0);
        }
    }
    (void)closedir(directory);
    return status == HAUL_OK && copy && fsync(to_directory) != 0
               ? failed("fsync", "the directory", error)
               : status;
}

/* The first free name, or that of an earlier copy of the same log, so that a service that keeps
 * reopening its database does not fill its disk. Errors: IO, NO_SPACE. */
static enum haul_status make_directory(const char *directory, const char *wal_dir, char *copy,
                                       size_t copy_size_bytes, bool *made, struct haul_error *error)
{
    char folder[PATH_BYTES_MAX];
    (void)snprintf(folder, sizeof(folder), "%s/haul", directory);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return failed("mkdir", folder, error);
    }
    for (int number = 1; number < COPIES_MAX; number++) {
        (void)snprintf(copy, copy_size_bytes, "%s/damaged-log-%d", folder, number);
        *made = mkdir(copy, 0700) == 0;
        if (!*made && errno != EEXIST) {
            break;
        }
        if (*made || is_copy_of(wal_dir, copy)) {
            return HAUL_OK;
        }
    }
    return failed("mkdir", copy, error);
}

enum haul_status log_rescue(const char *directory, const char *wal_dir, char *copy,
                            size_t copy_size_bytes, struct haul_error *error)
{
    bool made = false;
    enum haul_status status =
        make_directory(directory, wal_dir, copy, copy_size_bytes, &made, error);
    if (status != HAUL_OK) {
        return status;
    }
    int to_directory = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to_directory < 0) {
        return failed("open", copy, error);
    }
    status = walk(wal_dir, to_directory, true, error);
    if (status != HAUL_OK && made) {
        struct haul_error ignored;
        (void)!walk(wal_dir, to_directory, false, &ignored);
        (void)rmdir(copy);
    }
    (void)close(to_directory);
    return status;
}
