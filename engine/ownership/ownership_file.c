/* SPDX-License-Identifier: Apache-2.0 */
/* ownership_file.c — the ownership record on disk.
 *
 *   ownership_update: lock -> read -> change -> write beside -> fsync -> rename -> fsync directory
 *
 * The lock is on a file of its own, since the file itself is replaced by every change. */
#include "ownership_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "durable_file.h"
#include "planted_bug.h"

/* A change takes a few milliseconds: 2 s cover a slow disk and a queue. */
enum { LOCK_WAIT_MS = 2000, LOCK_PAUSE_MS = 10 };

/* --- reading ---------------------------------------------------------------------------------- */

/* Errors: NOT_FOUND, CORRUPT (no regular file, or larger than a record can be), NO_MEMORY, IO. */
static enum haul_status read_bytes(const struct file_calls *calls, const char *path,
                                   uint8_t **bytes, size_t *size, struct haul_error *error)
{
    int fd = -1;
    enum haul_status status = durable_file_open(calls, path, O_RDONLY | O_NOFOLLOW, &fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = durable_file_read(calls, fd, OWNERSHIP_FILE_BYTES_MAX, bytes, size);
    int code = status == HAUL_IO ? errno : 0;
    if (status == HAUL_LIMIT) {
        status = HAUL_CORRUPT;
    } else if (status != HAUL_OK) {
        status = haul_error_set(error, status, "pread", code, "cannot read %s", path);
    }
    (void)calls->close(calls->context, fd);
    return status;
}

enum haul_status ownership_read(const struct file_calls *calls, const char *directory,
                                struct ownership *ownership, struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_path(directory, "ownership", path, error);
    if (status != HAUL_OK) {
        return status;
    }
    uint8_t *bytes = NULL;
    size_t size = 0;
    status = read_bytes(file_calls_or_system(calls), path, &bytes, &size, error);
    if (status == HAUL_NOT_FOUND) {
        ownership_init(ownership);
        return HAUL_OK;
    }
    if (status != HAUL_OK && status != HAUL_CORRUPT) {
        return status;
    }
    status = status == HAUL_OK ? ownership_decode(ownership, slice_of(bytes, size)) : status;
    free(bytes);
    if (status == HAUL_VERSION) {
        haul_error_set(error, status, NULL, 0, "%s was written by a newer haul", path);
        haul_error_hint(error, "use that release, or a newer one, on this database");
    } else if (status == HAUL_NO_MEMORY) {
        haul_error_set(error, status, NULL, 0, "no memory for the ownership record %s", path);
    } else if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "the ownership record %s is damaged", path);
        haul_error_hint(error, "`haul owner --db DIR --rebuild` makes a new one from the journals; "
                               "docs/OPERATIONS.md names the risk");
    }
    return status;
}

/* --- replacing -------------------------------------------------------------------------------- */

/* Only the holder of the lock creates this file: an existing one was left by a crash. Remove one
 * that cannot be written completely: it would fill a disk that may be full.
 * Errors: NO_SPACE, IO, others of opening. */
static enum haul_status write_beside(const struct file_calls *calls, const char *path,
                                     struct haul_slice bytes, struct haul_error *error)
{
    enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW };
    int fd = -1;
    enum haul_status status = durable_file_open(calls, path, FLAGS, &fd, error);
    if (status == HAUL_EXISTS && calls->unlink(calls->context, path) == 0) {
        status = durable_file_open(calls, path, FLAGS, &fd, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    status = durable_file_write(calls, fd, bytes, 0);
    if (status != HAUL_OK) {
        status = haul_error_set(error, status, "pwrite", errno, "cannot write %s", path);
    } else if (calls->fsync(calls->context, fd) != 0) {
        int code = errno;
        status = haul_error_set(error, durable_file_status(code), "fsync", code, "cannot write %s",
                                path);
    }
    (void)calls->close(calls->context, fd);
    if (status != HAUL_OK) {
        (void)calls->unlink(calls->context, path);
    }
    return status;
}

/* The path of the temporary file, free for use: removes what a crash left there, and what is no
 * file: somebody has planted it. Only the holder of the lock may. Errors: NO_SPACE, IO. */
static enum haul_status temporary_path(const struct file_calls *calls, const char *directory,
                                       char path[DURABLE_FILE_PATH_BYTES_MAX],
                                       struct haul_error *error)
{
    enum haul_status status = durable_file_path(directory, "ownership.tmp", path, error);
    return status == HAUL_OK ? durable_file_remove(calls, directory, "ownership.tmp", error)
                             : status;
}

/* A rename reported `code`. Network file systems may report an error although it took effect: the
 * reply was lost, and its repetition found nothing to rename. OK: the file has the new bytes.
 * Errors: those of the code (the file has other bytes), IN_DOUBT (it cannot be read). */
static enum haul_status look_again(const struct file_calls *calls, const char *path,
                                   struct haul_slice expected, int code, struct haul_error *error)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct haul_error ignored;
    enum haul_status status = read_bytes(calls, path, &bytes, &size, &ignored);
    if (status != HAUL_OK && status != HAUL_NOT_FOUND) {
        return haul_error_set(error, HAUL_IN_DOUBT, "rename", code,
                              "%s may have been replaced, and cannot be read", path);
    }
    bool same =
        status == HAUL_OK && size == expected.size && memcmp(bytes, expected.data, size) == 0;
    free(bytes);
    return same ? HAUL_OK
                : haul_error_set(error, durable_file_status(code), "rename", code,
                                 "cannot replace %s", path);
}

/* Errors: those of write_beside; IN_DOUBT. */
static enum haul_status replace(const struct file_calls *calls, const char *directory,
                                struct haul_slice bytes, struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    char beside[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_path(directory, "ownership", path, error);
    if (status == HAUL_OK) {
        status = temporary_path(calls, directory, beside, error);
    }
    if (status == HAUL_OK) {
        status = write_beside(calls, beside, bytes, error);
    }
    if (status == HAUL_OK && calls->rename(calls->context, beside, path) != 0) { /* O1 */
        status = HAUL_PLANTED_BUG(RENAME_BELIEVED)
                     ? durable_file_status(errno)
                     : look_again(calls, path, bytes, errno, error); /* O3 */
        (void)calls->unlink(calls->context, beside);                 /* the file may still exist */
    }
    if (status != HAUL_OK) {
        return status;
    }
    struct haul_error cause;
    status = durable_file_sync_directory(calls, directory, &cause);
    if (status != HAUL_OK) {
        return haul_error_set(error, HAUL_IN_DOUBT, cause.call, cause.code,
                              "%s was replaced, but a crash might undo that", path);
    }
    return HAUL_OK;
}

/* Used instead of replace. Errors: those of write_beside. */
static enum haul_status try_to_write(const struct file_calls *calls, const char *directory,
                                     struct haul_slice bytes, struct haul_error *error)
{
    char beside[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = temporary_path(calls, directory, beside, error);
    if (status == HAUL_OK) {
        status = write_beside(calls, beside, bytes, error);
        (void)calls->unlink(calls->context, beside);
    }
    return status;
}

/* --- the lock --------------------------------------------------------------------------------- */

/* The lock of the directory, held until `*fd` is closed. Errors: BUSY, NO_SPACE, IO. */
static enum haul_status lock_directory(const struct file_calls *calls, const char *directory,
                                       uint32_t wait_max_ms, int *fd, struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_make_directory(calls, directory, error);
    if (status == HAUL_OK) {
        status = durable_file_path(directory, "ownership.lock", path, error);
    }
    if (status == HAUL_OK) {
        status = durable_file_open(calls, path, O_RDWR | O_CREAT | O_NOFOLLOW, fd, error);
    }
    if (status == HAUL_CORRUPT) {
        haul_error_hint(error,
                        "`mv DIR/haul/ownership.lock DIR/haul/ownership.lock.aside`: it holds "
                        "nothing; docs/OPERATIONS.md, D3");
    }
    if (status != HAUL_OK) {
        return status;
    }
    status = durable_file_lock(calls, *fd, path, error);
    for (uint32_t waited_ms = 0; status == HAUL_BUSY && waited_ms + LOCK_PAUSE_MS <= wait_max_ms;
         waited_ms += LOCK_PAUSE_MS) {
        calls->pause(calls->context, LOCK_PAUSE_MS);
        status = durable_file_lock(calls, *fd, path, error);
    }
    if (status != HAUL_OK) {
        (void)calls->close(calls->context, *fd);
    }
    return status;
}

enum haul_status ownership_lock(const struct file_calls *calls, const char *directory, int *lock_fd,
                                struct haul_error *error)
{
    return lock_directory(file_calls_or_system(calls), directory, LOCK_WAIT_MS, lock_fd, error);
}

void ownership_unlock(const struct file_calls *calls, int lock_fd)
{
    const struct file_calls *used = file_calls_or_system(calls);
    (void)used->close(used->context, lock_fd);
}

/* --- changing --------------------------------------------------------------------------------- */

typedef enum haul_status put_function(const struct file_calls *calls, const char *directory,
                                      struct haul_slice bytes, struct haul_error *error);

static enum haul_status put_changed(const struct file_calls *calls, const char *directory,
                                    const struct ownership *changed, put_function *put,
                                    struct haul_error *error)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = ownership_encode(changed, &bytes, &size);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0,
                              status == HAUL_LIMIT
                                  ? "the ownership record of this database has too many separate "
                                    "ranges"
                                  : "no memory for the ownership record of this database");
    }
    status = put(calls, directory, slice_of(bytes, size), error);
    free(bytes);
    return status;
}

struct update {
    ownership_change *change; /* NULL: none */
    void *context;
    put_function *put;
    uint32_t wait_max_ms; /* for the lock */
};

static enum haul_status run_locked(const struct file_calls *used, const char *directory,
                                   const struct update *update, struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = ownership_read(used, directory, &ownership, error); /* O2 */
    if (status != HAUL_OK) {
        return status;
    }
    if (update->change != NULL) {
        status = update->change(update->context, &ownership, error);
    }
    if (status == HAUL_OK) {
        status = put_changed(used, directory, &ownership, update->put, error);
    }
    ownership_fini(&ownership);
    return status;
}

static enum haul_status run_update(const struct file_calls *calls, const char *directory,
                                   const struct update *update, struct haul_error *error)
{
    const struct file_calls *used = file_calls_or_system(calls);
    int lock_fd = -1;
    enum haul_status status = lock_directory(used, directory, update->wait_max_ms, &lock_fd, error);
    if (status == HAUL_OK) {
        status = run_locked(used, directory, update, error);
        ownership_unlock(used, lock_fd);
    }
    return status;
}

enum haul_status ownership_update(const struct file_calls *calls, const char *directory,
                                  ownership_change *change, void *context, struct haul_error *error)
{
    const struct update update = {
        .change = change, .context = context, .put = replace, .wait_max_ms = LOCK_WAIT_MS};
    return run_update(calls, directory, &update, error);
}

enum haul_status ownership_update_within(const struct file_calls *calls, const char *directory,
                                         uint32_t wait_max_ms, ownership_change *change,
                                         void *context, struct haul_error *error)
{
    const struct update update = {
        .change = change, .context = context, .put = replace, .wait_max_ms = wait_max_ms};
    return run_update(calls, directory, &update, error);
}

enum haul_status ownership_update_locked(const struct file_calls *calls, const char *directory,
                                         ownership_change *change, void *context,
                                         struct haul_error *error)
{
    const struct update update = {.change = change, .context = context, .put = replace};
    return run_locked(file_calls_or_system(calls), directory, &update, error);
}

enum haul_status ownership_rehearse(const struct file_calls *calls, const char *directory,
                                    ownership_change *change, void *context,
                                    struct haul_error *error)
{
    const struct update update = {
        .change = change, .context = context, .put = try_to_write, .wait_max_ms = LOCK_WAIT_MS};
    return run_update(calls, directory, &update, error);
}

enum haul_status ownership_settle(const struct file_calls *calls, const char *directory,
                                  struct haul_error *error)
{
    const struct update update = {.change = NULL, .put = replace, .wait_max_ms = LOCK_WAIT_MS};
    return run_update(calls, directory, &update, error);
}

/* --- rebuilding ------------------------------------------------------------------------------- */

/* Copies the damaged file. The following rename replaces the original, so the record exists at
 * every moment.
 * Errors: those of read_bytes and write_beside. */
static enum haul_status set_aside(const struct file_calls *calls, const char *directory,
                                  uint64_t time_s, struct haul_error *error)
{
    char name[DURABLE_FILE_ASIDE_BYTES_MAX];
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    char aside[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status =
        durable_file_aside(calls, directory, "ownership", time_s, name, error);
    if (status == HAUL_OK) {
        status = durable_file_path(directory, "ownership", path, error);
    }
    if (status == HAUL_OK) {
        status = durable_file_path(directory, name, aside, error);
    }
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (status == HAUL_OK) {
        status = read_bytes(calls, path, &bytes, &size, error);
    }
    if (status == HAUL_CORRUPT) {
        /* A FIFO or a link has no contents to keep. */
        return durable_file_put_aside(calls, directory, "ownership", error);
    }
    if (status == HAUL_OK) {
        status = write_beside(calls, aside, slice_of(bytes, size), error);
        free(bytes);
    }
    return status;
}

/* Peers remember how far the counter was: a restarted counter would look like a database that was
 * set back. A FIFO or a link has no counter.
 * Errors: those of read_bytes. */
static enum haul_status keep_version(const struct file_calls *calls, const char *directory,
                                     struct ownership *ownership, struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = durable_file_path(directory, "ownership", path, error);
    if (status == HAUL_OK) {
        status = read_bytes(calls, path, &bytes, &size, error);
    }
    if (status != HAUL_OK) {
        return status == HAUL_CORRUPT ? HAUL_OK : status;
    }
    uint64_t version = ownership_damaged_version(slice_of(bytes, size));
    if (version > ownership->config_version) {
        ownership->config_version = version;
    }
    free(bytes);
    return HAUL_OK;
}

static enum haul_status rebuild_locked(const struct file_calls *calls, const char *directory,
                                       uint64_t time_s, const struct update *update,
                                       struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = ownership_read(calls, directory, &ownership, error);
    if (status == HAUL_OK) {
        ownership_fini(&ownership);
        return haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                              "the ownership record of this database is not damaged");
    }
    if (status != HAUL_CORRUPT) {
        return status;
    }
    ownership_init(&ownership);
    status = update->change(update->context, &ownership, error);
    if (status == HAUL_OK) {
        status = keep_version(calls, directory, &ownership, error);
    }
    if (status == HAUL_OK) {
        status = set_aside(calls, directory, time_s, error);
    }
    if (status == HAUL_OK) {
        status = put_changed(calls, directory, &ownership, update->put, error);
    }
    ownership_fini(&ownership);
    return status;
}

enum haul_status ownership_rebuild(const struct file_calls *calls, const char *directory,
                                   uint64_t time_s, ownership_change *change, void *context,
                                   struct haul_error *error)
{
    const struct file_calls *used = file_calls_or_system(calls);
    const struct update update = {
        .change = change, .context = context, .put = replace, .wait_max_ms = LOCK_WAIT_MS};
    int lock_fd = -1;
    enum haul_status status = lock_directory(used, directory, update.wait_max_ms, &lock_fd, error);
    if (status == HAUL_OK) {
        status = rebuild_locked(used, directory, time_s, &update, error);
        (void)used->close(used->context, lock_fd);
    }
    return status;
}
