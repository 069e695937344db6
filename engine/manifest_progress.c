/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_progress.c — CURRENT, and the size of the file that it names. */
#include "manifest_progress.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "haul/limits.h"

enum {
    PATH_BYTES_MAX = HAUL_DIRECTORY_BYTES_MAX + 64,
    CURRENT_BYTES_MAX = 64, /* "MANIFEST-", digits, newline */
};

static uint64_t read_current(const char *database)
{
    char path[PATH_BYTES_MAX];
    char text[CURRENT_BYTES_MAX];
    uint64_t number = 0;
    (void)snprintf(path, sizeof(path), "%s/CURRENT", database);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return 0;
    }
    ssize_t size = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[size < 0 ? 0 : size] = '\0';
    return sscanf(text, "MANIFEST-%" SCNu64, &number) == 1 ? number : 0;
}

struct manifest_progress manifest_progress_of(const char *database, bool durable)
{
    char path[PATH_BYTES_MAX];
    struct stat state;
    struct manifest_progress progress = {.file = read_current(database)};
    (void)snprintf(path, sizeof(path), "%s/MANIFEST-%06" PRIu64, database, progress.file);
    int fd = progress.file == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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
