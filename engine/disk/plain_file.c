/* SPDX-License-Identifier: Apache-2.0 */
/* plain_file.c — opens files and checks what was opened. */
#include "plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/* Did a umask remove rights from the owner? Without them nobody could open the file again. */
static bool lacks_rights(const struct stat *found, unsigned mode)
{
    return (found->st_mode & mode & S_IRWXU) != (mode & S_IRWXU);
}

/* 0, or the errno if the file is not of the requested kind. */
static int check_opened(int fd, int flags, unsigned mode)
{
    struct stat found;
    if (fstat(fd, &found) != 0) {
        return errno;
    }
    if (!S_ISREG(found.st_mode)) {
        return S_ISDIR(found.st_mode) ? EISDIR : ENXIO;
    }
    if ((flags & O_CREAT) != 0 && lacks_rights(&found, mode)) {
        (void)fchmod(fd, (found.st_mode | mode) & 07777); /* not every file system has modes */
    }
    return 0;
}

int plain_file_open(const char *path, int flags, unsigned mode)
{
    bool is_directory = (flags & O_DIRECTORY) != 0;
    int fd = open(path, flags | O_CLOEXEC | (is_directory ? 0 : O_NONBLOCK), mode);
    int code = fd < 0 || is_directory ? 0 : check_opened(fd, flags, mode);
    if (code != 0) {
        (void)close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

int plain_file_create(const char *path, unsigned mode)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        return -1;
    }
    return plain_file_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
}

FILE *plain_file_read(const char *path)
{
    int fd = plain_file_open(path, O_RDONLY, 0);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (fd >= 0 && file == NULL) {
        int code = errno;
        (void)close(fd);
        errno = code;
    }
    return file;
}

int plain_file_make_directory(const char *path, unsigned mode)
{
    struct stat found;
    if (mkdir(path, (mode_t)mode) != 0) {
        return -1;
    }
    if (lstat(path, &found) == 0 && S_ISDIR(found.st_mode) && lacks_rights(&found, mode)) {
        (void)chmod(path, (found.st_mode | mode) & 07777);
    }
    return 0;
}
