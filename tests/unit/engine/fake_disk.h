/* SPDX-License-Identifier: Apache-2.0 */
/* fake_disk.h — an in-memory disk behind struct file_calls, for tests: the n-th call fails, space
 * ends, writes are short, and a crash loses or tears whatever was not synced.
 *
 * For each byte it keeps what programs see now, what is on the platter, and whether the byte is
 * still to be written. As in Linux, a failed sync still marks the bytes as written, and names are
 * durable only after a sync of their directory. */
#ifndef HAUL_TESTS_FAKE_DISK_H
#define HAUL_TESTS_FAKE_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "file_calls.h"

/* A suite whose allocations fail has others for its disk (failing_memory.h). */
#ifndef FAKE_DISK_REALLOC
#define FAKE_DISK_REALLOC realloc
#endif

enum {
    FAKE_INODES_MAX = 64,
    FAKE_NAMES_MAX = 64,
    FAKE_FDS_MAX = 32,
    FAKE_PATH_BYTES = 128,
    FAKE_FILE_BYTES_MIN = 1 << 8, /* of memory; grows with the file */
    FAKE_FILE_BYTES_MAX = 1 << 16,
    FAKE_TEAR_BYTES = 16, /* small, so that short records tear too */
};

struct fake_inode {
    bool is_directory;
    int lock_fd; /* -1: not locked */
    size_t size;
    size_t platter_size;
    size_t capacity; /* for each byte: */
    uint8_t *bytes;
    uint8_t *platter;
    bool *dirty;
};

struct fake_name {
    char path[FAKE_PATH_BYTES];
    int inode;         /* -1: absent */
    int platter_inode; /* the same after a crash */
};

struct fake_disk {
    struct file_calls calls;
    struct fake_inode inodes[FAKE_INODES_MAX];
    int inode_count;
    struct fake_name names[FAKE_NAMES_MAX];
    int name_count;
    struct {
        int inode; /* -1: closed */
        int name;
    } fds[FAKE_FDS_MAX];
    unsigned writable_count; /* files opened to be written */
    unsigned call_count;
    unsigned fail_at;   /* the call that fails, from 1; 0: none */
    bool fail_for_ever; /* and all later ones: the process is as good as dead */
    int fail_errno;
    size_t write_bytes_max; /* of one pwrite; 0: no limit */
    size_t space_bytes;     /* that files may still grow by */
    uint64_t random;
};

static inline uint32_t fake_disk_random(struct fake_disk *disk)
{
    disk->random = disk->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(disk->random >> 33);
}

/* Count a call; true: it fails, with errno set. */
static inline bool fake_disk_fails(struct fake_disk *disk)
{
    disk->call_count++;
    if (disk->fail_at != 0 && (disk->call_count == disk->fail_at ||
                               (disk->fail_for_ever && disk->call_count > disk->fail_at))) {
        errno = disk->fail_errno;
        return true;
    }
    return false;
}

static inline int fake_disk_name(struct fake_disk *disk, const char *path)
{
    for (int i = 0; i < disk->name_count; i++) {
        if (strcmp(disk->names[i].path, path) == 0) {
            return i;
        }
    }
    if (disk->name_count == FAKE_NAMES_MAX || strlen(path) >= FAKE_PATH_BYTES) {
        abort();
    }
    struct fake_name *name = &disk->names[disk->name_count];
    (void)snprintf(name->path, sizeof(name->path), "%s", path);
    name->inode = -1;
    name->platter_inode = -1;
    return disk->name_count++;
}

static inline void *fake_disk_enlarge(void *bytes, size_t from, size_t to)
{
    uint8_t *larger = FAKE_DISK_REALLOC(bytes, to);
    if (larger == NULL) {
        abort();
    }
    memset(larger + from, 0, to - from);
    return larger;
}

/* Make room for `end` bytes, with zeros where nothing was written yet. */
static inline void fake_disk_reach(struct fake_inode *inode, size_t end)
{
    size_t capacity = inode->capacity == 0 ? FAKE_FILE_BYTES_MIN : inode->capacity;
    while (capacity < end) {
        capacity *= 2;
    }
    if (capacity > FAKE_FILE_BYTES_MAX) {
        abort();
    }
    if (capacity > inode->capacity) {
        inode->bytes = fake_disk_enlarge(inode->bytes, inode->capacity, capacity);
        inode->platter = fake_disk_enlarge(inode->platter, inode->capacity, capacity);
        inode->dirty = fake_disk_enlarge(inode->dirty, inode->capacity, capacity);
        inode->capacity = capacity;
    }
}

static inline int fake_disk_inode(struct fake_disk *disk, bool is_directory)
{
    if (disk->inode_count == FAKE_INODES_MAX) {
        abort();
    }
    struct fake_inode *inode = &disk->inodes[disk->inode_count];
    *inode = (struct fake_inode){.is_directory = is_directory, .lock_fd = -1};
    fake_disk_reach(inode, 0);
    return disk->inode_count++;
}

static inline struct fake_inode *fake_disk_file(struct fake_disk *disk, int fd)
{
    return &disk->inodes[disk->fds[fd].inode];
}

static inline int fake_disk_open(void *context, const char *path, int flags, unsigned mode)
{
    (void)mode;
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    int name = fake_disk_name(disk, path);
    bool exists = disk->names[name].inode >= 0;
    disk->writable_count += (flags & O_ACCMODE) != O_RDONLY;
    if (!exists && (flags & O_CREAT) == 0) {
        errno = ENOENT;
        return -1;
    }
    if (exists && (flags & O_EXCL) != 0) {
        errno = EEXIST;
        return -1;
    }
    if (!exists) {
        disk->names[name].inode = fake_disk_inode(disk, false);
    }
    for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
        if (disk->fds[fd].inode < 0) {
            disk->fds[fd].inode = disk->names[name].inode;
            disk->fds[fd].name = name;
            if ((flags & O_TRUNC) != 0) {
                fake_disk_file(disk, fd)->size = 0;
            }
            return fd;
        }
    }
    errno = EMFILE;
    return -1;
}

static inline int fake_disk_close(void *context, int fd)
{
    struct fake_disk *disk = context;
    struct fake_inode *inode = fake_disk_file(disk, fd);
    inode->lock_fd = inode->lock_fd == fd ? -1 : inode->lock_fd;
    disk->fds[fd].inode = -1;
    return 0;
}

static inline ssize_t fake_disk_pread(void *context, int fd, void *data, size_t size,
                                      uint64_t offset)
{
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    struct fake_inode *inode = fake_disk_file(disk, fd);
    size_t left = offset < inode->size ? inode->size - (size_t)offset : 0;
    size_t count = size < left ? size : left;
    memcpy(data, inode->bytes + offset, count);
    return (ssize_t)count;
}

/* A failing write writes half of its bytes. */
static inline ssize_t fake_disk_pwrite(void *context, int fd, const void *data, size_t size,
                                       uint64_t offset)
{
    struct fake_disk *disk = context;
    bool fails = fake_disk_fails(disk);
    if (fails && disk->fail_for_ever && disk->call_count > disk->fail_at) {
        return -1;
    }
    struct fake_inode *inode = fake_disk_file(disk, fd);
    size_t count = fails ? size / 2 : size;
    if (disk->write_bytes_max != 0 && count > disk->write_bytes_max) {
        count = disk->write_bytes_max;
    }
    size_t end = (size_t)offset + count;
    fake_disk_reach(inode, end);
    size_t added = end > inode->size ? end - inode->size : 0;
    if (added > disk->space_bytes) {
        count = added - disk->space_bytes < count ? count - (added - disk->space_bytes) : 0;
        added = disk->space_bytes;
        end = (size_t)offset + count;
    }
    memcpy(inode->bytes + offset, data, count);
    memset(inode->dirty + offset, true, count);
    disk->space_bytes -= added;
    inode->size = end > inode->size ? end : inode->size;
    if (!fails && count == 0 && size > 0) {
        errno = ENOSPC;
        return -1;
    }
    return fails ? -1 : (ssize_t)count;
}

static inline int fake_disk_ftruncate(void *context, int fd, uint64_t size)
{
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    struct fake_inode *inode = fake_disk_file(disk, fd);
    if (size < inode->size) {
        disk->space_bytes += inode->size - (size_t)size;
        memset(inode->bytes + size, 0, inode->size - (size_t)size);
        memset(inode->dirty + size, true, inode->size - (size_t)size);
    }
    fake_disk_reach(inode, (size_t)size);
    inode->size = (size_t)size;
    return 0;
}

static inline bool fake_disk_is_child(const char *directory, const char *path)
{
    size_t size = strlen(directory);
    return strncmp(path, directory, size) == 0 && path[size] == '/' &&
           strchr(path + size + 1, '/') == NULL;
}

static inline void fake_disk_sync_names(struct fake_disk *disk, const char *directory)
{
    for (int i = 0; i < disk->name_count; i++) {
        if (fake_disk_is_child(directory, disk->names[i].path)) {
            disk->names[i].platter_inode = disk->names[i].inode;
        }
    }
}

static inline int fake_disk_fsync(void *context, int fd)
{
    struct fake_disk *disk = context;
    struct fake_inode *inode = fake_disk_file(disk, fd);
    bool fails = fake_disk_fails(disk);
    for (size_t i = 0; i < inode->capacity; i++) {
        if (inode->dirty[i] && !fails) {
            inode->platter[i] = inode->bytes[i];
        }
        inode->dirty[i] = false;
    }
    if (fails) {
        return -1;
    }
    inode->platter_size = inode->size;
    if (inode->is_directory) {
        fake_disk_sync_names(disk, disk->names[disk->fds[fd].name].path);
    }
    return 0;
}

static inline int fake_disk_flock(void *context, int fd, int operation)
{
    (void)operation;
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    struct fake_inode *inode = fake_disk_file(disk, fd);
    if (inode->lock_fd >= 0 && inode->lock_fd != fd) {
        errno = EWOULDBLOCK;
        return -1;
    }
    inode->lock_fd = fd;
    return 0;
}

static inline int fake_disk_rename(void *context, const char *from, const char *to)
{
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    int source = fake_disk_name(disk, from);
    int target = fake_disk_name(disk, to);
    if (disk->names[source].inode < 0) {
        errno = ENOENT;
        return -1;
    }
    disk->names[target].inode = disk->names[source].inode;
    disk->names[source].inode = -1;
    return 0;
}

static inline int fake_disk_unlink(void *context, const char *path)
{
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    int name = fake_disk_name(disk, path);
    if (disk->names[name].inode < 0) {
        errno = ENOENT;
        return -1;
    }
    disk->names[name].inode = -1;
    return 0;
}

static inline int fake_disk_mkdir(void *context, const char *path, unsigned mode)
{
    (void)mode;
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    int name = fake_disk_name(disk, path);
    if (disk->names[name].inode >= 0) {
        errno = EEXIST;
        return -1;
    }
    disk->names[name].inode = fake_disk_inode(disk, true);
    return 0;
}

static inline int fake_disk_link_count(void *context, int fd)
{
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    int links = 0;
    for (int i = 0; i < disk->name_count; i++) {
        links += disk->names[i].inode == disk->fds[fd].inode;
    }
    return links;
}

/* Every inode has its own number and time. */
static inline int fake_disk_identity(void *context, int fd, struct file_identity *identity)
{
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    identity->inode = (uint64_t)disk->fds[fd].inode + 1;
    identity->birth_ns = identity->inode * 1000;
    return 0;
}

static inline int fake_disk_list(void *context, const char *path, file_calls_visit *visit,
                                 void *visit_context)
{
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    if (disk->names[fake_disk_name(disk, path)].inode < 0) {
        errno = ENOENT;
        return -1;
    }
    for (int i = 0; i < disk->name_count; i++) {
        if (disk->names[i].inode >= 0 && fake_disk_is_child(path, disk->names[i].path)) {
            visit(visit_context, disk->names[i].path + strlen(path) + 1);
        }
    }
    return 0;
}

static inline int fake_disk_fill(void *context, void *data, size_t size)
{
    struct fake_disk *disk = context;
    if (fake_disk_fails(disk)) {
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)data)[i] = (uint8_t)fake_disk_random(disk);
    }
    return 0;
}

static inline void fake_disk_pause(void *context, unsigned pause_ms)
{
    (void)context;
    (void)pause_ms;
}

/* An empty disk with the directory "/db". End with fake_disk_fini. */
static inline void fake_disk_init(struct fake_disk *disk, uint64_t seed)
{
    memset(disk, 0, sizeof(*disk));
    disk->calls = (struct file_calls){
        .context = disk,
        .open = fake_disk_open,
        .close = fake_disk_close,
        .pread = fake_disk_pread,
        .pwrite = fake_disk_pwrite,
        .ftruncate = fake_disk_ftruncate,
        .fdatasync = fake_disk_fsync,
        .fsync = fake_disk_fsync,
        .flock = fake_disk_flock,
        .rename = fake_disk_rename,
        .unlink = fake_disk_unlink,
        .mkdir = fake_disk_mkdir,
        .link_count = fake_disk_link_count,
        .identity = fake_disk_identity,
        .list = fake_disk_list,
        .random = fake_disk_fill,
        .pause = fake_disk_pause,
    };
    disk->random = seed;
    disk->fail_errno = EIO;
    disk->space_bytes = SIZE_MAX;
    for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
        disk->fds[fd].inode = -1;
    }
    int name = fake_disk_name(disk, "/db");
    disk->names[name].inode = fake_disk_inode(disk, true);
    disk->names[name].platter_inode = disk->names[name].inode;
}

static inline void fake_disk_fini(struct fake_disk *disk)
{
    for (int i = 0; i < disk->inode_count; i++) {
        free(disk->inodes[i].bytes);
        free(disk->inodes[i].platter);
        free(disk->inodes[i].dirty);
    }
}

/* The call number `call` from now on fails, counted from 1; 0: none. */
static inline void fake_disk_fail(struct fake_disk *disk, unsigned call, bool for_ever)
{
    disk->call_count = 0;
    disk->fail_at = call;
    disk->fail_for_ever = for_ever;
}

static inline unsigned fake_disk_open_count(const struct fake_disk *disk)
{
    unsigned count = 0;
    for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
        count += disk->fds[fd].inode >= 0;
    }
    return count;
}

/* For each unwritten piece, and each size and name that was not synced, chance decides whether it
 * survives. */
static inline void fake_disk_tear(struct fake_disk *disk, struct fake_inode *inode)
{
    for (size_t at = 0; at < inode->capacity; at += FAKE_TEAR_BYTES) {
        bool written = fake_disk_random(disk) % 2 == 0;
        for (size_t i = at; i < at + FAKE_TEAR_BYTES; i++) {
            if (inode->dirty[i] && written) {
                inode->platter[i] = inode->bytes[i];
            }
        }
    }
    if (fake_disk_random(disk) % 2 == 0) {
        inode->platter_size = inode->size;
    }
    memcpy(inode->bytes, inode->platter, inode->capacity);
    memset(inode->dirty, 0, inode->capacity);
    memset(inode->bytes + inode->platter_size, 0, inode->capacity - inode->platter_size);
    inode->size = inode->platter_size;
    inode->lock_fd = -1;
}

/* A directory whose name was lost loses its contents as well. */
static inline void fake_disk_drop_orphans(struct fake_disk *disk, const struct fake_name *lost)
{
    for (int i = 0; i < disk->name_count; i++) {
        if (fake_disk_is_child(lost->path, disk->names[i].path)) {
            disk->names[i].inode = -1;
            disk->names[i].platter_inode = -1;
        }
    }
}

/* Power loss: every descriptor and lock is gone, and whatever chance takes of the rest. */
static inline void fake_disk_crash(struct fake_disk *disk)
{
    for (int i = 0; i < disk->inode_count; i++) {
        fake_disk_tear(disk, &disk->inodes[i]);
    }
    for (int i = 0; i < disk->name_count; i++) {
        struct fake_name *name = &disk->names[i];
        if (name->inode != name->platter_inode && fake_disk_random(disk) % 2 == 0) {
            name->platter_inode = name->inode;
        }
        name->inode = name->platter_inode;
    }
    for (int i = 0; i < disk->name_count; i++) {
        if (disk->names[i].inode < 0) {
            fake_disk_drop_orphans(disk, &disk->names[i]);
        }
    }
    for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
        disk->fds[fd].inode = -1;
    }
    fake_disk_fail(disk, 0, false);
}

/* The file's contents as programs see them. */
static inline struct fake_inode *fake_disk_find(struct fake_disk *disk, const char *path)
{
    int inode = disk->names[fake_disk_name(disk, path)].inode;
    return inode < 0 ? NULL : &disk->inodes[inode];
}

#endif
