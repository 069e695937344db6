/* SPDX-License-Identifier: Apache-2.0 */
/* database_lock.c — takes and releases the lock of a database. */
#include "database_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096 };

static bool is_open_here(const struct stat *file)
{
    DIR *descriptors = opendir("/proc/self/fd");
    const struct dirent *entry;
    bool open_here = false;
    while (descriptors != NULL && !open_here && (entry = readdir(descriptors)) != NULL) {
        struct stat other;
        open_here = fstatat(dirfd(descriptors), entry->d_name, &other, 0) == 0 &&
                    other.st_dev == file->st_dev && other.st_ino == file->st_ino;
    }
    if (descriptors != NULL) {
        (void)closedir(descriptors);
    }
    return open_here;
}

/* Does this process hold a lock on the file already? Opening and closing the file would release it,
 * so this reads the kernel's list of locks. That list has the device number of the whole file
 * system, which stat does not return for a btrfs subvolume or an overlay. */
static bool is_held_here(const char *path)
{
    struct stat found;
    bool may_hold = stat(path, &found) == 0 && is_open_here(&found);
    FILE *locks = may_hold ? fopen("/proc/locks", "re") : NULL;
    char line[256];
    bool held = false;
    while (locks != NULL && !held && fgets(line, sizeof(line), locks) != NULL) {
        long pid = 0;
        unsigned long inode = 0;
        held = sscanf(line, "%*s POSIX %*s WRITE %ld %*x:%*x:%lu", &pid, &inode) == 2 &&
               pid == (long)getpid() && inode == found.st_ino;
    }
    if (locks != NULL) {
        (void)fclose(locks);
    }
    return held;
}

static struct flock whole_file(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
}

static enum haul_status in_use(const char *directory, pid_t pid, struct haul_error *error)
{
    if (pid > 0) {
        haul_error_set(error, HAUL_BUSY, "lock", 0, "the database in %s is in use by process %ld",
                       directory, (long)pid);
        haul_error_hint(error, "stop that process first");
    } else {
        haul_error_set(error, HAUL_BUSY, "lock", 0, "the database in %s is in use", directory);
        haul_error_hint(error, "it is open already, here or in another process: close it first");
    }
    return HAUL_BUSY;
}

enum haul_status database_lock_acquire(const char *directory, struct database_lock *lock,
                                       struct haul_error *error)
{
    char path[PATH_BYTES_MAX + sizeof("/LOCK")];
    (void)snprintf(path, sizeof(path), "%s/LOCK", directory);
    lock->fd = -1;
    if (is_held_here(path)) {
        return in_use(directory, 0, error);
    }
    bool missing = access(path, F_OK) != 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return haul_error_set(error, errno == ENOSPC ? HAUL_NO_SPACE : HAUL_IO, "open", errno,
                              "cannot open %s", path);
    }
    struct flock request = whole_file(F_WRLCK);
    if (fcntl(fd, F_SETLK, &request) != 0) {
        int code = errno;
        struct flock holder = whole_file(F_WRLCK);
        bool known = fcntl(fd, F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK;
        (void)close(fd);
        return code == EAGAIN || code == EACCES
                   ? in_use(directory, known ? holder.l_pid : 0, error)
                   : haul_error_set(error, HAUL_IO, "fcntl", code, "cannot lock %s", path);
    }
    lock->fd = fd;
    lock->made_file = missing;
    return HAUL_OK;
}

bool database_lock_regain(struct database_lock *lock)
{
    struct flock request = whole_file(F_WRLCK);
    return lock->fd >= 0 && fcntl(lock->fd, F_SETLK, &request) == 0;
}

void database_lock_release(struct database_lock *lock, const char *directory, bool keep_file)
{
    if (lock->fd < 0) {
        return;
    }
    if (lock->made_file && !keep_file) {
        char path[PATH_BYTES_MAX + sizeof("/LOCK")];
        (void)snprintf(path, sizeof(path), "%s/LOCK", directory);
        (void)unlink(path);
    }
    (void)close(lock->fd);
    lock->fd = -1;
}
