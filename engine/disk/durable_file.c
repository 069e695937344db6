/* SPDX-License-Identifier: Apache-2.0 */
/* durable_file.c — whole reads and writes, locks, and durable names. */
#include "durable_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "bytes.h"
#include "wall_clock.h"

enum { READ_BYTES_FIRST = 16 * 1024 };

enum haul_status durable_file_status(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
        return HAUL_NO_SPACE;
    case ENOMEM:
        return HAUL_NO_MEMORY;
    case EMFILE:
    case ENFILE:
    case EFBIG:
    case ENOLCK:
        return HAUL_LIMIT;
    case ENOENT:
        return HAUL_NOT_FOUND;
    case EEXIST:
        return HAUL_EXISTS;
    case ENXIO: /* a FIFO, a link or a directory in place of a file counts as damage */
    case ELOOP:
    case EISDIR:
        return HAUL_CORRUPT;
    default:
        return HAUL_IO;
    }
}

enum haul_status durable_file_path(const char *directory, const char *name,
                                   char path[DURABLE_FILE_PATH_BYTES_MAX], struct haul_error *error)
{
    size_t directory_size = strlen(directory);
    size_t name_size = strlen(name);
    if (directory_size + 1 + name_size >= DURABLE_FILE_PATH_BYTES_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "the path of %s is too long", name);
    }
    memcpy(path, directory, directory_size);
    path[directory_size] = '/';
    memcpy(path + directory_size + 1, name, name_size + 1);
    return HAUL_OK;
}

enum haul_status durable_file_open(const struct file_calls *calls, const char *path, int flags,
                                   int *fd, struct haul_error *error)
{
    int opened = calls->open(calls->context, path, flags | O_CLOEXEC, 0600);
    if (opened < 0) {
        int code = errno;
        enum haul_status status = durable_file_status(code);
        bool damaged = status == HAUL_CORRUPT;
        haul_error_set(error, status, "open", code,
                       damaged ? "%s is not a regular file" : "cannot open %s", path);
        if (damaged) {
            haul_error_hint(error, "`haul owner` and `haul status` show the way out; "
                                   "docs/OPERATIONS.md, D3");
        }
        return status;
    }
    *fd = opened;
    return HAUL_OK;
}

/* Errors: IO. */
static enum haul_status count_names(const struct file_calls *calls, int fd, const char *path,
                                    int *links, struct haul_error *error)
{
    *links = calls->link_count(calls->context, fd);
    if (*links < 0) {
        int code = errno;
        return haul_error_set(error, HAUL_IO, "fstat", code, "cannot look at %s", path);
    }
    return HAUL_OK;
}

enum haul_status durable_file_lock(const struct file_calls *calls, int fd, const char *path,
                                   struct haul_error *error)
{
    if (calls->flock(calls->context, fd, LOCK_EX | LOCK_NB) != 0) {
        int code = errno;
        enum haul_status status = code == EWOULDBLOCK ? HAUL_BUSY : durable_file_status(code);
        return haul_error_set(error, status, "flock", code, "cannot lock %s", path);
    }
    int links = 0;
    enum haul_status status = count_names(calls, fd, path, &links, error);
    return status == HAUL_OK && links == 0
               ? haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "%s was removed meanwhile", path)
               : status;
}

enum haul_status durable_file_one_name(const struct file_calls *calls, int fd, const char *path,
                                       struct haul_error *error)
{
    int links = 0;
    enum haul_status status = count_names(calls, fd, path, &links, error);
    if (links > 1) {
        (void)calls->unlink(calls->context, path);
        return HAUL_BUSY;
    }
    return status;
}

/* Read once into [size, capacity); 0 at the end, -1 with errno on failure. */
static ssize_t read_piece(const struct file_calls *calls, int fd, uint8_t *data, size_t size,
                          size_t capacity)
{
    ssize_t count;
    do {
        count = calls->pread(calls->context, fd, data + size, capacity - size, size);
    } while (count < 0 && errno == EINTR);
    return count;
}

enum haul_status durable_file_read(const struct file_calls *calls, int fd, size_t size_max,
                                   uint8_t **data, size_t *size)
{
    enum haul_status status = HAUL_NO_MEMORY;
    size_t capacity = READ_BYTES_FIRST;
    size_t used = 0;
    uint8_t *memory = malloc(capacity);
    if (memory == NULL) {
        return HAUL_NO_MEMORY;
    }
    ssize_t count;
    while ((count = read_piece(calls, fd, memory, used, capacity)) > 0) {
        used += (size_t)count;
        if (used > size_max) {
            status = HAUL_LIMIT;
            goto fail;
        }
        if (used == capacity) {
            uint8_t *larger = realloc(memory, capacity * 2);
            if (larger == NULL) {
                goto fail;
            }
            memory = larger;
            capacity *= 2;
        }
    }
    if (count < 0) {
        status = HAUL_IO;
        goto fail;
    }
    *data = memory;
    *size = used;
    return HAUL_OK;
fail:
    free(memory);
    return status;
}

enum haul_status durable_file_write(const struct file_calls *calls, int fd, struct haul_slice bytes,
                                    uint64_t offset)
{
    size_t done = 0;
    while (done < bytes.size) {
        ssize_t count =
            calls->pwrite(calls->context, fd, bytes.data + done, bytes.size - done, offset + done);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            /* A write of 0 bytes without an error would loop for ever. */
            errno = count < 0 ? errno : EIO;
            return durable_file_status(errno);
        }
        done += (size_t)count;
    }
    return HAUL_OK;
}

enum haul_status durable_file_sync_directory(const struct file_calls *calls, const char *directory,
                                             struct haul_error *error)
{
    int fd = -1;
    enum haul_status status =
        durable_file_open(calls, directory, O_RDONLY | O_DIRECTORY, &fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (calls->fsync(calls->context, fd) != 0) {
        int code = errno;
        status =
            haul_error_set(error, HAUL_IO, "fsync", code, "cannot sync directory %s", directory);
    }
    (void)calls->close(calls->context, fd);
    return status;
}

/* The directory that contains `path`: "." if there is no slash in it. */
static void parent_of(const char *path, char parent[DURABLE_FILE_PATH_BYTES_MAX])
{
    (void)snprintf(parent, DURABLE_FILE_PATH_BYTES_MAX, "%s", path);
    size_t size = strlen(parent);
    while (size > 1 && parent[size - 1] == '/') {
        parent[--size] = '\0';
    }
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        (void)snprintf(parent, DURABLE_FILE_PATH_BYTES_MAX, ".");
    } else if (slash == parent) {
        slash[1] = '\0';
    } else {
        *slash = '\0';
    }
}

enum haul_status durable_file_make_directory(const struct file_calls *calls, const char *directory,
                                             struct haul_error *error)
{
    if (calls->mkdir(calls->context, directory, 0700) != 0) {
        int code = errno;
        int fd = -1;
        enum haul_status status =
            code != EEXIST
                ? haul_error_set(error, durable_file_status(code), "mkdir", code,
                                 "cannot make directory %s", directory)
                : durable_file_open(calls, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &fd,
                                    error); /* a link leads to somebody else's files */
        if (status != HAUL_OK) {
            return status;
        }
        (void)calls->close(calls->context, fd);
    }
    /* Also if it existed: its creator may have died before this line. */
    char parent[DURABLE_FILE_PATH_BYTES_MAX];
    parent_of(directory, parent);
    return durable_file_sync_directory(calls, parent, error);
}

enum haul_status durable_file_rename(const struct file_calls *calls, const char *directory,
                                     const char *name, const char *new_name,
                                     struct haul_error *error)
{
    const struct file_calls *used = file_calls_or_system(calls);
    char from[DURABLE_FILE_PATH_BYTES_MAX];
    char to[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_path(directory, name, from, error);
    if (status == HAUL_OK) {
        status = durable_file_path(directory, new_name, to, error);
    }
    if (status == HAUL_OK && used->rename(used->context, from, to) != 0) {
        int code = errno;
        status = haul_error_set(error, durable_file_status(code), "rename", code,
                                "cannot rename %s", from);
    }
    return status == HAUL_OK ? durable_file_sync_directory(used, directory, error) : status;
}

static bool is_free(const struct file_calls *calls, const char *path)
{
    int fd = calls->open(calls->context, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    int code = errno;
    if (fd >= 0) {
        (void)calls->close(calls->context, fd);
    }
    return fd < 0 && code == ENOENT;
}

enum { ASIDE_TRIES_MAX = 1000 };

enum haul_status durable_file_aside(const struct file_calls *calls, const char *directory,
                                    const char *name, uint64_t time_s,
                                    char aside[DURABLE_FILE_ASIDE_BYTES_MAX],
                                    struct haul_error *error)
{
    const struct file_calls *used = file_calls_or_system(calls);
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = HAUL_OK;
    for (unsigned i = 0; i < ASIDE_TRIES_MAX; i++) {
        (void)snprintf(aside, DURABLE_FILE_ASIDE_BYTES_MAX, "%s.damaged-%" PRIu64, name,
                       time_s + i);
        status = durable_file_path(directory, aside, path, error);
        if (status != HAUL_OK || is_free(used, path)) {
            return status;
        }
    }
    return haul_error_set(error, HAUL_IO, NULL, 0, "no free name next to %s", path);
}

enum haul_status durable_file_put_aside(const struct file_calls *calls, const char *directory,
                                        const char *name, struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    char aside[DURABLE_FILE_ASIDE_BYTES_MAX];
    struct haul_error ignored;
    int fd = -1;
    enum haul_status status = durable_file_path(directory, name, path, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (durable_file_open(calls, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &fd, &ignored) !=
        HAUL_OK) {
        return HAUL_OK;
    }
    (void)calls->close(calls->context, fd);
    status = durable_file_aside(calls, directory, name, wall_clock_s(), aside, error);
    return status == HAUL_OK ? durable_file_rename(calls, directory, name, aside, error) : status;
}

enum haul_status durable_file_remove(const struct file_calls *calls, const char *directory,
                                     const char *name, struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_path(directory, name, path, error);
    if (status != HAUL_OK || calls->unlink(calls->context, path) == 0 || errno == ENOENT) {
        return status;
    }
    if (errno == EISDIR) {
        return durable_file_put_aside(calls, directory, name, error);
    }
    int code = errno;
    return haul_error_set(error, durable_file_status(code), "unlink", code, "cannot remove %s",
                          path);
}

enum haul_status durable_file_open_beside(const struct file_calls *calls, const char *directory,
                                          const char *name, int *fd, struct haul_error *error)
{
    enum { FLAGS = O_RDWR | O_CREAT | O_NOFOLLOW };
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_path(directory, name, path, error);
    if (status == HAUL_OK) {
        status = durable_file_open(calls, path, FLAGS, fd, error);
    }
    return status == HAUL_CORRUPT && durable_file_remove(calls, directory, name, error) == HAUL_OK
               ? durable_file_open(calls, path, FLAGS, fd, error)
               : status;
}
