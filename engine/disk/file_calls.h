/* SPDX-License-Identifier: Apache-2.0 */
/* file_calls.h — the system calls that journals and ownership files make, as a table, so that a
 * test or the simulator can fail the n-th one, tear a write or lose what was never synced. */
#ifndef HAUL_FILE_CALLS_H
#define HAUL_FILE_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Called once for each directory entry; `name` is borrowed for the call. */
typedef void file_calls_visit(void *visit_context, const char *name);

/* What distinguishes a file from a copy of it. */
struct file_identity {
    uint64_t inode;
    uint64_t birth_ns; /* 0: the file system does not record it */
};

/* Every slot is mandatory. Results and errno are those of the call of the same name: -1 and errno
 * on failure. Thread: any, as for the system's own calls. */
struct file_calls {
    void *context;
    int (*open)(void *context, const char *path, int flags, unsigned mode);
    int (*close)(void *context, int fd);
    ssize_t (*pread)(void *context, int fd, void *data, size_t size, uint64_t offset);
    ssize_t (*pwrite)(void *context, int fd, const void *data, size_t size, uint64_t offset);
    int (*ftruncate)(void *context, int fd, uint64_t size);
    int (*fdatasync)(void *context, int fd);
    int (*fsync)(void *context, int fd); /* of directories too */
    int (*flock)(void *context, int fd, int operation);
    int (*rename)(void *context, const char *from, const char *to);
    int (*unlink)(void *context, const char *path);
    int (*mkdir)(void *context, const char *path, unsigned mode);
    /* The number of names of the open file; 0 if it was unlinked or replaced meanwhile. */
    int (*link_count)(void *context, int fd);
    /* Errors: -1 and errno. */
    int (*identity)(void *context, int fd, struct file_identity *identity);
    /* Visit every entry of a directory except "." and "..", in any order. */
    int (*list)(void *context, const char *path, file_calls_visit *visit, void *visit_context);
    /* Fill with random bytes. */
    int (*random)(void *context, void *data, size_t size);
    /* Wait, so that another process can release a lock. */
    void (*pause)(void *context, unsigned pause_ms);
};

/* The system itself. */
extern const struct file_calls file_calls_system;

/* `calls`, or the system's for NULL, as in every function that accepts NULL. */
const struct file_calls *file_calls_or_system(const struct file_calls *calls);

#endif
