/* SPDX-License-Identifier: Apache-2.0 */
/* private_file.c — checks who else could have read the file that was opened. */
#include "private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable_file.h"
#include "plain_file.h"

/* Does the service manager keep the file? Then it decides who reads it. */
static bool is_credential(const char *path)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    size_t length = directory != NULL ? strlen(directory) : 0;
    return length > 0 && strncmp(path, directory, length) == 0 && path[length] == '/' &&
           strstr(path + length, "/../") == NULL;
}

static enum haul_status check_access(int fd, const char *path, struct haul_error *error)
{
    struct stat about;
    if (fstat(fd, &about) != 0) {
        int code = errno;
        return haul_error_set(error, durable_file_status(code), "fstat", code, "cannot read %s",
                              path);
    }
    mode_t forbidden = is_credential(path) ? S_IRWXO : S_IRWXG | S_IRWXO;
    if ((about.st_mode & forbidden) != 0) {
        haul_error_set(error, HAUL_AUTH, NULL, 0, "others can read the key in %s (mode %04o)", path,
                       (unsigned)about.st_mode & 07777);
        haul_error_hint(error, "chmod 600 it; if somebody has read it, make a new one");
        return HAUL_AUTH;
    }
    if (about.st_uid != geteuid() && about.st_uid != 0) {
        return haul_error_set(error, HAUL_AUTH, NULL, 0, "%s belongs to user %u, not to %u or root",
                              path, (unsigned)about.st_uid, (unsigned)geteuid());
    }
    return HAUL_OK;
}

enum haul_status private_file_fail(const char *path, const char *call, int code,
                                   struct haul_error *error)
{
    if (code == ENXIO || code == EISDIR || code == ELOOP) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "%s is not a regular file", path);
        haul_error_hint(error, "name the file itself");
        return HAUL_INVALID;
    }
    return haul_error_set(error, durable_file_status(code), call, code, "cannot read %s", path);
}

enum haul_status private_file_open(const char *path, int *fd, struct haul_error *error)
{
    int opened = plain_file_open(path, O_RDONLY, 0);
    if (opened < 0) {
        return private_file_fail(path, "open", errno, error);
    }
    enum haul_status status = check_access(opened, path, error);
    if (status != HAUL_OK) {
        (void)close(opened);
        return status;
    }
    *fd = opened;
    return HAUL_OK;
}
