/* SPDX-License-Identifier: Apache-2.0 */
/* durable_file.h — small files that must survive a crash: complete reads and writes, locks, and
 * names that are made durable by syncing their directory. */
#ifndef HAUL_DURABLE_FILE_H
#define HAUL_DURABLE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "file_calls.h"
#include "haul/slice.h"
#include "haul/status.h"

enum { DURABLE_FILE_PATH_BYTES_MAX = 4096 };

/* NO_SPACE, NO_MEMORY, LIMIT, NOT_FOUND or IO for an errno. */
enum haul_status durable_file_status(int code);

/* "directory/name" into `path`. Errors: INVALID (too long). */
enum haul_status durable_file_path(const char *directory, const char *name,
                                   char path[DURABLE_FILE_PATH_BYTES_MAX],
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Opens with O_CLOEXEC. Errors: NOT_FOUND, EXISTS (with O_EXCL), LIMIT, NO_SPACE, IO. */
enum haul_status durable_file_open(const struct file_calls *calls, const char *path, int flags,
                                   int *fd, struct haul_error *error) HAUL_MUST_CHECK;

/* Take the exclusive lock without waiting, and check that the file still has its name: a file that
 * was replaced or removed between open and lock is stale. Closing the descriptor releases the lock.
 * Errors: BUSY (another process has it), NOT_FOUND (it lost its name), IO. */
enum haul_status durable_file_lock(const struct file_calls *calls, int fd, const char *path,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Is `path` the only name of the open file? Otherwise, as after a power failure in the middle of a
 * rename, the file loses this name, and must not be written through it.
 * Errors: BUSY (it had another name), IO. */
enum haul_status durable_file_one_name(const struct file_calls *calls, int fd, const char *path,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Read the whole file. Ownership: `*data` is the caller's (free), never NULL.
 * Errors: LIMIT (more than `size_max` bytes), NO_MEMORY, IO. */
enum haul_status durable_file_read(const struct file_calls *calls, int fd, size_t size_max,
                                   uint8_t **data, size_t *size) HAUL_MUST_CHECK;

/* Write all of `bytes` at `offset`; after a failure the file may contain any part of it.
 * Errors: those of durable_file_status; `errno` is that of the failing call. */
enum haul_status durable_file_write(const struct file_calls *calls, int fd, struct haul_slice bytes,
                                    uint64_t offset) HAUL_MUST_CHECK;

/* Make the names of a directory durable. Errors: NOT_FOUND, LIMIT, IO. */
enum haul_status durable_file_sync_directory(const struct file_calls *calls, const char *directory,
                                             struct haul_error *error) HAUL_MUST_CHECK;

/* Rename a file of the directory, durably. `calls` NULL: the system's.
 * Errors: NOT_FOUND, INVALID (too long), NO_SPACE, IO. */
enum haul_status durable_file_rename(const struct file_calls *calls, const char *directory,
                                     const char *name, const char *new_name,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Create a directory, durably, unless it exists. Errors: NOT_FOUND (no parent), NO_SPACE, IO. */
enum haul_status durable_file_make_directory(const struct file_calls *calls, const char *directory,
                                             struct haul_error *error) HAUL_MUST_CHECK;

/* Remove a name, if it exists. A directory is not a record and may hold somebody's data, so it is
 * moved aside: durable_file_put_aside. The caller syncs the directory. Errors: those of the call,
 * by durable_file_status. */
enum haul_status durable_file_remove(const struct file_calls *calls, const char *directory,
                                     const char *name, struct haul_error *error) HAUL_MUST_CHECK;
enum { DURABLE_FILE_ASIDE_BYTES_MAX = 128 };
/* The name under which `name` is put aside: with ".damaged-TIME" appended, in seconds since 1970,
 * or the next free second, so that nothing put aside earlier is lost. Errors: those of
 * durable_file_path, IO (no free name). */
enum haul_status durable_file_aside(const struct file_calls *calls, const char *directory,
                                    const char *name, uint64_t time_s,
                                    char aside[DURABLE_FILE_ASIDE_BYTES_MAX],
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Rename a directory that has the name of a file to its name with ".damaged-TIME". Anything else
 * stays. Errors: those of the rename. */
enum haul_status durable_file_put_aside(const struct file_calls *calls, const char *directory,
                                        const char *name, struct haul_error *error) HAUL_MUST_CHECK;

/* Open a temporary file for writing, or create it. Removes what is no file (a directory is moved
 * aside): somebody has planted it. Errors: those of durable_file_open. */
enum haul_status durable_file_open_beside(const struct file_calls *calls, const char *directory,
                                          const char *name, int *fd,
                                          struct haul_error *error) HAUL_MUST_CHECK;

#endif
