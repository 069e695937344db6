/* SPDX-License-Identifier: Apache-2.0 */
/* file_calls.c — the table for the operating system itself. */
#include "file_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "plain_file.h"

static int system_open(void *context, const char *path, int flags, unsigned mode)
{
    (void)context;
    return plain_file_open(path, flags, mode);
}

static int system_close(void *context, int fd)
{
    (void)context;
    return close(fd);
}

static ssize_t system_pread(void *context, int fd, void *data, size_t size, uint64_t offset)
{
    (void)context;
    return pread(fd, data, size, (off_t)offset);
}

static ssize_t system_pwrite(void *context, int fd, const void *data, size_t size, uint64_t offset)
{
    (void)context;
    return pwrite(fd, data, size, (off_t)offset);
}

static int system_ftruncate(void *context, int fd, uint64_t size)
{
    (void)context;
    return ftruncate(fd, (off_t)size);
}

static int system_fdatasync(void *context, int fd)
{
    (void)context;
    return fdatasync(fd);
}

static int system_fsync(void *context, int fd)
{
    (void)context;
    return fsync(fd);
}

static int system_flock(void *context, int fd, int operation)
{
    (void)context;
    return flock(fd, operation);
}

static int system_rename(void *context, const char *from, const char *to)
{
    (void)context;
    return rename(from, to);
}

static int system_unlink(void *context, const char *path)
{
    (void)context;
    return unlink(path);
}

static int system_mkdir(void *context, const char *path, unsigned mode)
{
    (void)context;
    return plain_file_make_directory(path, mode);
}

static int system_link_count(void *context, int fd)
{
    (void)context;
    struct stat status;
    return fstat(fd, &status) == 0 ? (int)status.st_nlink : -1;
}

static int system_identity(void *context, int fd, struct file_identity *identity)
{
    (void)context;
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status) != 0) {
        return -1;
    }
    bool has_birth = (status.stx_mask & STATX_BTIME) != 0;
    identity->inode = status.stx_ino;
    identity->birth_ns =
        has_birth ? (uint64_t)status.stx_btime.tv_sec * NS_PER_S + status.stx_btime.tv_nsec : 0;
    return 0;
}

static int system_list(void *context, const char *path, file_calls_visit *visit,
                       void *visit_context)
{
    (void)context;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return -1;
    }
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            visit(visit_context, entry->d_name);
        }
        errno = 0;
    }
    int failure = errno;
    (void)closedir(directory);
    errno = failure;
    return failure == 0 ? 0 : -1;
}

static int system_random(void *context, void *data, size_t size)
{
    (void)context;
    return getentropy(data, size);
}

static void system_pause(void *context, unsigned pause_ms)
{
    (void)context;
    (void)poll(NULL, 0, (int)pause_ms);
}

const struct file_calls file_calls_system = {
    .context = NULL,
    .open = system_open,
    .close = system_close,
    .pread = system_pread,
    .pwrite = system_pwrite,
    .ftruncate = system_ftruncate,
    .fdatasync = system_fdatasync,
    .fsync = system_fsync,
    .flock = system_flock,
    .rename = system_rename,
    .unlink = system_unlink,
    .mkdir = system_mkdir,
    .link_count = system_link_count,
    .identity = system_identity,
    .list = system_list,
    .random = system_random,
    .pause = system_pause,
};

const struct file_calls *file_calls_or_system(const struct file_calls *calls)
{
    return calls == NULL ? &file_calls_system : calls;
}
