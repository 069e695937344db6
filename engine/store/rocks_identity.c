/* SPDX-License-Identifier: Apache-2.0 */
/* rocks_identity.c — keeps the identity of a database that is created again, because journals name
 * it. RocksDB assigns a new one whenever it creates a database. So the old one is kept under
 * another name until the new database exists, and a process that finds it there completes the
 * exchange. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "durable_file.h"
#include "plain_file.h"
#include "rocks_store.h"

static const char kept_name[] = "IDENTITY.haul"; /* RocksDB leaves files of other names alone */

enum haul_status rocks_identity_keep(const struct rocks_store *store, struct haul_error *error)
{
    char path[ROCKS_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", store->path, kept_name);
    int fd = plain_file_create(path, 0644);
    const struct haul_slice text = slice_of(store->identity, strlen(store->identity));
    enum haul_status status =
        fd < 0 ? durable_file_status(errno) : durable_file_write(&file_calls_system, fd, text, 0);
    if (status == HAUL_OK && fdatasync(fd) != 0) {
        status = durable_file_status(errno);
    }
    int code = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (status != HAUL_OK) {
        (void)unlink(path);
        return haul_error_set(error, status, "write", code, "cannot write %s", path);
    }
    return durable_file_sync_directory(&file_calls_system, store->path, error);
}

enum haul_status rocks_identity_restore(const struct rocks_store *store, struct haul_error *error)
{
    char path[ROCKS_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", store->path, kept_name);
    return access(path, F_OK) != 0
               ? HAUL_OK
               : durable_file_rename(NULL, store->path, kept_name, "IDENTITY", error);
}
