/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_progress.c — reads CURRENT, and the size of the manifest that it names. */
#include "manifest_progress.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "haul/limits.h"
#include "manifest.h"
#include "plain_file.h"

enum { PATH_BYTES_MAX = HAUL_DIRECTORY_BYTES_MAX + 64 };

struct manifest_progress manifest_progress_of(const char *database, bool durable)
{
    char path[PATH_BYTES_MAX];
    struct stat state;
    struct haul_error ignored;
    struct manifest_progress progress = {0};
    bool found = manifest_find(database, path, sizeof(path), &ignored) == HAUL_OK &&
                 sscanf(strrchr(path, '/'), "/MANIFEST-%" SCNu64, &progress.file) == 1;
    int fd = found ? plain_file_open(path, O_RDONLY, 0) : -1;
    bool read = fd >= 0 && fstat(fd, &state) == 0 && (!durable || fsync(fd) == 0);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (!read) {
        return (struct manifest_progress){0};
    }
    progress.bytes = (uint64_t)state.st_size;
    return progress;
}

struct manifest_progress manifest_progress_around(const char *folder, bool durable)
{
    char database[PATH_BYTES_MAX];
    const char *end = strrchr(folder, '/');
    (void)snprintf(database, sizeof(database), "%.*s", end == NULL ? 1 : (int)(end - folder),
                   end == NULL ? "." : folder);
    return manifest_progress_of(database, durable);
}
