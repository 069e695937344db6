/* SPDX-License-Identifier: Apache-2.0 */
/* haul_folder.c — what has the name of haul's directory. */
#include "haul_folder.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "haul/limits.h"

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
    haul_error_set(error, HAUL_CORRUPT, NULL, 0, "%s is no directory: haul keeps its records there",
                   path);
    haul_error_hint(error, "move it away (`mv`); where it was a link, put the directory that it "
                           "named in its place");
    return HAUL_CORRUPT;
}
