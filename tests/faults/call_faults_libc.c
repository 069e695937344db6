/* SPDX-License-Identifier: Apache-2.0 */
/* call_faults_libc.c — wrappers of the C library's calls. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "call_faults.h"

/* A call that reports failure by the value `failed` and errno. */
#define FAULTY(result, name, failed, group, parameters, arguments)                            \
    result name parameters;                                                                   \
    result name parameters                                                                    \
    {                                                                                         \
        static result(*real) parameters;                                                      \
        if (real == NULL) {                                                                   \
            *(void **)&real = call_faults_real(#name);                                        \
        }                                                                                     \
        return call_faults_fails(#name, group, __builtin_return_address(0)) ? failed          \
                                                                            : real arguments; \
    }

/* The same for a call that moves bytes, and may move fewer. */
#define FAULTY_MOVE(name, group, parameters, arguments)                                            \
    ssize_t name parameters;                                                                       \
    ssize_t name parameters                                                                        \
    {                                                                                              \
        static ssize_t(*real) parameters;                                                          \
        if (real == NULL) {                                                                        \
            *(void **)&real = call_faults_real(#name);                                             \
        }                                                                                          \
        size = call_faults_shorten(#name, size, __builtin_return_address(0));                      \
        return call_faults_fails(#name, group, __builtin_return_address(0)) ? -1 : real arguments; \
    }

/* --- memory ------------------------------------------------------------------------------------*/

/* Memory that is allocated while the real calls are looked up, or before they can be (a sanitizer
 * starts up), comes from here and is never freed. */
static union {
    max_align_t alignment;
    char bytes[64 << 10];
} early;
static size_t early_used;
static bool looking_up;

static void *early_memory(size_t size)
{
    size_t step = (size + 15) & ~(size_t)15;
    if (step > sizeof(early.bytes) - early_used) {
        return NULL;
    }
    void *memory = early.bytes + early_used;
    early_used += step;
    return memory;
}

static bool is_early(const void *memory)
{
    uintptr_t at = (uintptr_t)memory;
    return at >= (uintptr_t)early.bytes && at < (uintptr_t)early.bytes + sizeof(early.bytes);
}

/* False: not available now. */
static bool look_up(const char *name, void **real)
{
    if (*real == NULL && !looking_up) {
        looking_up = true;
        *real = call_faults_real(name);
        looking_up = false;
    }
    return *real != NULL;
}

void *malloc(size_t size)
{
    static void *(*real)(size_t);
    if (!look_up("malloc", (void **)&real)) {
        return early_memory(size);
    }
    return call_faults_fails("malloc", GROUP_MEMORY, __builtin_return_address(0)) ? NULL
                                                                                  : real(size);
}

void *calloc(size_t count, size_t size)
{
    static void *(*real)(size_t, size_t);
    if (!look_up("calloc", (void **)&real)) {
        return early_memory(count * size);
    }
    return call_faults_fails("calloc", GROUP_MEMORY, __builtin_return_address(0))
               ? NULL
               : real(count, size);
}

void *realloc(void *memory, size_t size)
{
    static void *(*real)(void *, size_t);
    if (!look_up("realloc", (void **)&real) || is_early(memory)) {
        void *moved = malloc(size);
        if (moved != NULL && memory != NULL) {
            size_t rest = (size_t)(early.bytes + sizeof(early.bytes) - (char *)memory);
            memcpy(moved, memory, size < rest ? size : rest);
        }
        return moved;
    }
    return call_faults_fails("realloc", GROUP_MEMORY, __builtin_return_address(0))
               ? NULL
               : real(memory, size);
}

void free(void *memory)
{
    static void (*real)(void *);
    if (!is_early(memory) && look_up("free", (void **)&real)) {
        real(memory);
    }
}

FAULTY(void *, aligned_alloc, NULL, GROUP_MEMORY, (size_t alignment, size_t size),
       (alignment, size))
FAULTY(char *, strdup, NULL, GROUP_MEMORY, (const char *text), (text))
FAULTY(void *, mmap, MAP_FAILED, GROUP_MEMORY,
       (void *address, size_t size, int protection, int flags, int fd, off_t offset),
       (address, size, protection, flags, fd, offset))

/* --- files -------------------------------------------------------------------------------------*/

int open(const char *path, int flags, ...)
{
    static int (*real)(const char *, int, ...);
    va_list list;
    va_start(list, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    if (real == NULL) {
        *(void **)&real = call_faults_real("open");
    }
    return call_faults_fails("open", GROUP_FILE, __builtin_return_address(0))
               ? -1
               : real(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    static int (*real)(int, const char *, int, ...);
    va_list list;
    va_start(list, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    if (real == NULL) {
        *(void **)&real = call_faults_real("openat");
    }
    return call_faults_fails("openat", GROUP_FILE, __builtin_return_address(0))
               ? -1
               : real(directory, path, flags, mode);
}

FAULTY_MOVE(pread, GROUP_FILE, (int fd, void *data, size_t size, off_t offset),
            (fd, data, size, offset))
FAULTY_MOVE(pwrite, GROUP_FILE, (int fd, const void *data, size_t size, off_t offset),
            (fd, data, size, offset))
FAULTY_MOVE(read, GROUP_FILE, (int fd, void *data, size_t size), (fd, data, size))
FAULTY_MOVE(write, GROUP_FILE, (int fd, const void *data, size_t size), (fd, data, size))
FAULTY(int, fdatasync, -1, GROUP_FILE, (int fd), (fd))
FAULTY(int, fsync, -1, GROUP_FILE, (int fd), (fd))
FAULTY(int, sync_file_range, -1, GROUP_FILE, (int fd, off64_t at, off64_t size, unsigned flags),
       (fd, at, size, flags))
FAULTY(int, ftruncate, -1, GROUP_FILE, (int fd, off_t size), (fd, size))
FAULTY(int, flock, -1, GROUP_FILE, (int fd, int operation), (fd, operation))
FAULTY(int, rename, -1, GROUP_FILE, (const char *from, const char *to), (from, to))
FAULTY(int, unlink, -1, GROUP_FILE, (const char *path), (path))
FAULTY(int, unlinkat, -1, GROUP_FILE, (int directory, const char *path, int flags),
       (directory, path, flags))
FAULTY(int, linkat, -1, GROUP_FILE,
       (int from_directory, const char *from, int to_directory, const char *to, int flags),
       (from_directory, from, to_directory, to, flags))
FAULTY(int, link, -1, GROUP_FILE, (const char *from, const char *to), (from, to))
FAULTY(int, mkdir, -1, GROUP_FILE, (const char *path, mode_t mode), (path, mode))
FAULTY(int, mkdirat, -1, GROUP_FILE, (int directory, const char *path, mode_t mode),
       (directory, path, mode))
FAULTY(int, rmdir, -1, GROUP_FILE, (const char *path), (path))
FAULTY(int, fstat, -1, GROUP_FILE, (int fd, struct stat *status), (fd, status))
FAULTY(int, stat, -1, GROUP_FILE, (const char *path, struct stat *status), (path, status))
FAULTY(int, access, -1, GROUP_FILE, (const char *path, int mode), (path, mode))
FAULTY(off_t, lseek, -1, GROUP_FILE, (int fd, off_t offset, int whence), (fd, offset, whence))
FAULTY(int, fallocate, -1, GROUP_FILE, (int fd, int mode, off_t offset, off_t size),
       (fd, mode, offset, size))
FAULTY(DIR *, opendir, NULL, GROUP_FILE, (const char *path), (path))
FAULTY(FILE *, fopen, NULL, GROUP_FILE, (const char *path, const char *mode), (path, mode))
FAULTY(int, fclose, -1, GROUP_FILE, (FILE * file), (file))
FAULTY(int, getentropy, -1, GROUP_FILE, (void *data, size_t size), (data, size))
FAULTY_MOVE(getrandom, GROUP_FILE, (void *data, size_t size, unsigned flags), (data, size, flags))

/* --- sockets and waiting -----------------------------------------------------------------------*/

FAULTY(int, socket, -1, GROUP_SOCKET, (int domain, int type, int protocol),
       (domain, type, protocol))
FAULTY(int, bind, -1, GROUP_SOCKET, (int fd, const struct sockaddr *address, socklen_t size),
       (fd, address, size))
FAULTY(int, listen, -1, GROUP_SOCKET, (int fd, int backlog), (fd, backlog))
FAULTY(int, connect, -1, GROUP_SOCKET, (int fd, const struct sockaddr *address, socklen_t size),
       (fd, address, size))
FAULTY(int, accept4, -1, GROUP_SOCKET,
       (int fd, struct sockaddr *address, socklen_t *size, int flags), (fd, address, size, flags))
FAULTY(int, getsockname, -1, GROUP_SOCKET, (int fd, struct sockaddr *address, socklen_t *size),
       (fd, address, size))
FAULTY(int, getpeername, -1, GROUP_SOCKET, (int fd, struct sockaddr *address, socklen_t *size),
       (fd, address, size))
FAULTY(int, getsockopt, -1, GROUP_SOCKET,
       (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size))
FAULTY(int, setsockopt, -1, GROUP_SOCKET,
       (int fd, int level, int name, const void *value, socklen_t size),
       (fd, level, name, value, size))
FAULTY_MOVE(send, GROUP_SOCKET, (int fd, const void *data, size_t size, int flags),
            (fd, data, size, flags))
FAULTY_MOVE(recv, GROUP_SOCKET, (int fd, void *data, size_t size, int flags),
            (fd, data, size, flags))
FAULTY(ssize_t, sendmsg, -1, GROUP_SOCKET, (int fd, const struct msghdr *message, int flags),
       (fd, message, flags))
FAULTY(ssize_t, recvmsg, -1, GROUP_SOCKET, (int fd, struct msghdr *message, int flags),
       (fd, message, flags))
FAULTY(int, getaddrinfo, EAI_MEMORY, GROUP_SOCKET,
       (const char *node, const char *service, const struct addrinfo *hints,
        struct addrinfo **result),
       (node, service, hints, result))
FAULTY(int, epoll_create1, -1, GROUP_SOCKET, (int flags), (flags))
FAULTY(int, epoll_ctl, -1, GROUP_SOCKET, (int fd, int operation, int of, struct epoll_event *event),
       (fd, operation, of, event))
FAULTY(int, epoll_wait, -1, GROUP_SOCKET,
       (int fd, struct epoll_event *events, int count, int timeout_ms),
       (fd, events, count, timeout_ms))
FAULTY(int, poll, -1, GROUP_SOCKET, (struct pollfd * waits, nfds_t count, int timeout_ms),
       (waits, count, timeout_ms))
FAULTY(int, eventfd, -1, GROUP_SOCKET, (unsigned value, int flags), (value, flags))

/* --- threads -----------------------------------------------------------------------------------*/

/* These return their error. */
FAULTY(int, pthread_create, errno, GROUP_THREAD,
       (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context),
       (thread, attributes, run, context))
FAULTY(int, pthread_mutex_init, errno, GROUP_THREAD,
       (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes), (mutex, attributes))
FAULTY(int, pthread_cond_init, errno, GROUP_THREAD,
       (pthread_cond_t * condition, const pthread_condattr_t *attributes), (condition, attributes))
FAULTY(int, pthread_rwlock_init, errno, GROUP_THREAD,
       (pthread_rwlock_t * lock, const pthread_rwlockattr_t *attributes), (lock, attributes))
