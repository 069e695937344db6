/* SPDX-License-Identifier: Apache-2.0 */
/* sim_disk.c — files, names and descriptors in memory. */
#include "sim_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "assertion.h"
#include "clock.h"
#include "sim_kernel.h"
#include "sim_memory.h"
#include "sim_report.h"

enum { TEAR_BYTES = 16, CAPACITY_BYTES_MIN = 1024, ROT_BEGIN = 12, ROT_END = 124 };

/* Whether this call fails, with errno set. Before that, others may run or the process may die. */
static bool fails(struct sim_disk *disk)
{
    if (disk->looking || sim_process_current() == NULL) {
        return false;
    }
    sim_yield();
    if (disk->fail_in == 0) {
        return false;
    }
    if (disk->fail_in > 1) {
        disk->fail_in--;
        return false;
    }
    disk->fail_in = disk->fail_for_ever ? 1 : 0;
    disk->failures++;
    errno = disk->fail_errno;
    return true;
}

/* --- names and files -------------------------------------------------------------------------- */

static int find_name(struct sim_disk *disk, const char *path)
{
    int unused = -1;
    for (int i = 0; i < disk->name_count; i++) {
        const struct sim_name *name = &disk->names[i];
        if (strcmp(name->path, path) == 0) {
            return i;
        }
        unused = name->file < 0 && name->platter_file < 0 ? i : unused;
    }
    if (unused < 0) {
        haul_assert(disk->name_count < SIM_DISK_NAME_COUNT);
        unused = disk->name_count++;
    }
    size_t size = strlen(path);
    haul_assert(size < SIM_DISK_PATH_BYTES);
    struct sim_name *name = &disk->names[unused];
    memcpy(name->path, path, size + 1);
    name->file = -1;
    name->platter_file = -1;
    return unused;
}

static bool is_referenced(const struct sim_disk *disk, int file)
{
    for (int i = 0; i < disk->name_count; i++) {
        if (disk->names[i].file == file || disk->names[i].platter_file == file) {
            return true;
        }
    }
    for (int fd = 0; fd < SIM_DISK_FD_COUNT; fd++) {
        if (disk->fds[fd].file == file) {
            return true;
        }
    }
    return false;
}

static void file_fini(struct sim_file *file)
{
    memset(file, 0, sizeof(*file));
}

static void note_change(struct sim_disk *disk, struct sim_file *file)
{
    file->changes = ++disk->changes;
}

static int make_file(struct sim_disk *disk, bool is_directory)
{
    for (int i = 0; i < SIM_DISK_FILE_COUNT; i++) {
        struct sim_file *file = &disk->files[i];
        if (file->used && !is_referenced(disk, i)) {
            file_fini(file);
        }
        if (!file->used) {
            file->used = true;
            file->is_directory = is_directory;
            file->inode = ++disk->inodes;
            note_change(disk, file);
            file->birth_ns = sim_kernel.now_ns + 1;
            file->lock_fd = -1;
            return i;
        }
    }
    haul_unreachable();
}

static struct sim_file *file_of(struct sim_disk *disk, int fd)
{
    haul_assert(fd >= 0 && fd < SIM_DISK_FD_COUNT && disk->fds[fd].file >= 0);
    return &disk->files[disk->fds[fd].file];
}

static void reserve(struct sim_file *file, size_t size)
{
    if (size <= file->capacity) {
        return;
    }
    size_t capacity = file->capacity == 0 ? CAPACITY_BYTES_MIN : file->capacity;
    while (capacity < size) {
        capacity *= 2;
    }
    file->bytes = sim_host_grow(file->bytes, file->capacity, capacity);
    file->platter = sim_host_grow(file->platter, file->capacity, capacity);
    file->capacity = capacity;
}

static void mark_dirty(struct sim_file *file, size_t begin, size_t end)
{
    bool clean = file->dirty_begin == file->dirty_end;
    file->dirty_begin = clean || begin < file->dirty_begin ? begin : file->dirty_begin;
    file->dirty_end = clean || end > file->dirty_end ? end : file->dirty_end;
}

static bool is_child(const char *directory, const char *path)
{
    size_t size = strlen(directory);
    return strncmp(path, directory, size) == 0 && path[size] == '/' &&
           strchr(path + size + 1, '/') == NULL;
}

/* --- calls ------------------------------------------------------------------------------------ */

static int disk_open(void *context, const char *path, int flags, unsigned mode)
{
    (void)mode;
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    int name = find_name(disk, path);
    bool exists = disk->names[name].file >= 0;
    if (!exists && (flags & O_CREAT) == 0) {
        errno = ENOENT;
        return -1;
    }
    if (exists && (flags & O_EXCL) != 0) {
        errno = EEXIST;
        return -1;
    }
    if (!exists) {
        disk->names[name].file = make_file(disk, false);
        disk->changes++;
    }
    for (int fd = 0; fd < SIM_DISK_FD_COUNT; fd++) {
        if (disk->fds[fd].file < 0) {
            disk->fds[fd].file = disk->names[name].file;
            disk->fds[fd].name = name;
            struct sim_file *file = file_of(disk, fd);
            if ((flags & O_TRUNC) != 0 && file->size > 0) {
                note_change(disk, file);
                memset(file->bytes, 0, file->size);
                mark_dirty(file, 0, file->size);
                file->size = 0;
            }
            return fd;
        }
    }
    errno = EMFILE;
    return -1;
}

static int disk_close(void *context, int fd)
{
    struct sim_disk *disk = context;
    struct sim_file *file = file_of(disk, fd);
    file->lock_fd = file->lock_fd == fd ? -1 : file->lock_fd;
    disk->fds[fd].file = -1;
    return 0;
}

static ssize_t disk_pread(void *context, int fd, void *data, size_t size, uint64_t offset)
{
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    const struct sim_file *file = file_of(disk, fd);
    size_t left = offset < file->size ? file->size - (size_t)offset : 0;
    size_t count = size < left ? size : left;
    if (count > 0) {
        memcpy(data, file->bytes + offset, count);
    }
    return (ssize_t)count;
}

/* A failing write writes half of its bytes; a write that meets the end of the space is short. */
static ssize_t disk_pwrite(void *context, int fd, const void *data, size_t size, uint64_t offset)
{
    struct sim_disk *disk = context;
    struct sim_file *file = file_of(disk, fd);
    bool failing = fails(disk);
    note_change(disk, file);
    size_t count = failing ? size / 2 : size;
    size_t end = (size_t)offset + count;
    size_t added = end > file->size ? end - file->size : 0;
    if (added > disk->space_bytes) {
        size_t missing = added - disk->space_bytes;
        count = missing < count ? count - missing : 0;
        end = (size_t)offset + count;
        added = disk->space_bytes;
    }
    if (count > 0) {
        reserve(file, end);
        memcpy(file->bytes + offset, data, count);
        mark_dirty(file, (size_t)offset, end);
        file->size = end > file->size ? end : file->size;
        disk->space_bytes -= added;
    }
    if (!failing && count == 0 && size > 0) {
        disk->failures++;
        errno = ENOSPC;
        return -1;
    }
    return failing ? -1 : (ssize_t)count;
}

static int disk_ftruncate(void *context, int fd, uint64_t size)
{
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    struct sim_file *file = file_of(disk, fd);
    note_change(disk, file);
    reserve(file, (size_t)size);
    if (size < file->size) {
        memset(file->bytes + size, 0, file->size - (size_t)size);
        mark_dirty(file, (size_t)size, file->size);
    }
    file->size = (size_t)size;
    return 0;
}

static int disk_fsync(void *context, int fd)
{
    struct sim_disk *disk = context;
    struct sim_file *file = file_of(disk, fd);
    bool failing = fails(disk);
    if (disk->slow_ms > 0 && !disk->looking && sim_random_below(disk->random, 3) == 0) {
        uint64_t slow_ns = (uint64_t)NS_PER_MS * sim_random_below(disk->random, disk->slow_ms);
        sim_say("the disk of %s takes %llu ms", disk->names[0].path,
                (unsigned long long)(slow_ns / NS_PER_MS));
        if (sim_kernel.now_ns + slow_ns > disk->slow_until_ns) {
            disk->slow_since_ns = sim_kernel.now_ns;
            disk->slow_until_ns = sim_kernel.now_ns + slow_ns;
        }
        sim_sleep(slow_ns);
        disk->slow_ns += slow_ns;
    }
    if (!failing && file->dirty_end > file->dirty_begin) {
        memcpy(file->platter + file->dirty_begin, file->bytes + file->dirty_begin,
               file->dirty_end - file->dirty_begin);
    }
    file->dirty_begin = 0;
    file->dirty_end = 0;
    if (failing) {
        return -1;
    }
    file->platter_size = file->size;
    const char *path = disk->names[disk->fds[fd].name].path;
    for (int i = 0; file->is_directory && i < disk->name_count; i++) {
        if (is_child(path, disk->names[i].path)) {
            disk->names[i].platter_file = disk->names[i].file;
        }
    }
    return 0;
}

static int disk_flock(void *context, int fd, int operation)
{
    (void)operation;
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    struct sim_file *file = file_of(disk, fd);
    if (file->lock_fd >= 0 && file->lock_fd != fd) {
        errno = EWOULDBLOCK;
        return -1;
    }
    file->lock_fd = fd;
    return 0;
}

static int disk_rename(void *context, const char *from, const char *to)
{
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    disk->changes++;
    int source = find_name(disk, from);
    if (disk->names[source].file < 0) {
        errno = ENOENT;
        return -1;
    }
    int target = find_name(disk, to);
    disk->names[target].file = disk->names[source].file;
    disk->names[source].file = -1;
    return 0;
}

static int disk_unlink(void *context, const char *path)
{
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    disk->changes++;
    int name = find_name(disk, path);
    if (disk->names[name].file < 0) {
        errno = ENOENT;
        return -1;
    }
    disk->names[name].file = -1;
    return 0;
}

static int disk_mkdir(void *context, const char *path, unsigned mode)
{
    (void)mode;
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    disk->changes++;
    int name = find_name(disk, path);
    if (disk->names[name].file >= 0) {
        errno = EEXIST;
        return -1;
    }
    disk->names[name].file = make_file(disk, true);
    return 0;
}

static int disk_link_count(void *context, int fd)
{
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    int links = 0;
    for (int i = 0; i < disk->name_count; i++) {
        links += disk->names[i].file == disk->fds[fd].file;
    }
    return links;
}

/* Copies have other inode numbers and times. */
static int disk_identity(void *context, int fd, struct file_identity *identity)
{
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    const struct sim_file *file = file_of(disk, fd);
    identity->inode = file->inode;
    identity->birth_ns = file->birth_ns;
    return 0;
}

static int disk_list(void *context, const char *path, file_calls_visit *visit, void *visit_context)
{
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    if (disk->names[find_name(disk, path)].file < 0) {
        errno = ENOENT;
        return -1;
    }
    for (int i = 0; i < disk->name_count; i++) {
        if (disk->names[i].file >= 0 && is_child(path, disk->names[i].path)) {
            visit(visit_context, disk->names[i].path + strlen(path) + 1);
        }
    }
    return 0;
}

static int disk_random(void *context, void *data, size_t size)
{
    struct sim_disk *disk = context;
    if (fails(disk)) {
        return -1;
    }
    sim_random_fill(disk->random, data, size);
    return 0;
}

static void disk_pause(void *context, unsigned pause_ms)
{
    (void)context;
    sim_sleep((uint64_t)pause_ms * NS_PER_MS);
}

/* --- life ------------------------------------------------------------------------------------- */

void sim_disk_init(struct sim_disk *disk, struct sim_random *random, const char *root)
{
    memset(disk, 0, sizeof(*disk));
    disk->calls = (struct file_calls){
        .context = disk,
        .open = disk_open,
        .close = disk_close,
        .pread = disk_pread,
        .pwrite = disk_pwrite,
        .ftruncate = disk_ftruncate,
        .fdatasync = disk_fsync,
        .fsync = disk_fsync,
        .flock = disk_flock,
        .rename = disk_rename,
        .unlink = disk_unlink,
        .mkdir = disk_mkdir,
        .link_count = disk_link_count,
        .identity = disk_identity,
        .list = disk_list,
        .random = disk_random,
        .pause = disk_pause,
    };
    disk->random = random;
    disk->space_bytes = SIZE_MAX;
    for (int fd = 0; fd < SIM_DISK_FD_COUNT; fd++) {
        disk->fds[fd].file = -1;
    }
    int name = find_name(disk, root);
    disk->names[name].file = make_file(disk, true);
    disk->names[name].platter_file = disk->names[name].file;
}

void sim_disk_fail(struct sim_disk *disk, uint32_t in_calls, int code, bool for_ever)
{
    disk->fail_in = in_calls;
    disk->fail_errno = code;
    disk->fail_for_ever = for_ever;
}

void sim_disk_kill(struct sim_disk *disk)
{
    for (int fd = 0; fd < SIM_DISK_FD_COUNT; fd++) {
        disk->fds[fd].file = -1;
    }
    for (int i = 0; i < SIM_DISK_FILE_COUNT; i++) {
        disk->files[i].lock_fd = -1;
    }
    sim_disk_fail(disk, 0, 0, false);
    disk->space_bytes = SIZE_MAX;
    disk->slow_ms = 0;
}

/* For each unwritten piece and each unsynced size, chance decides whether it survives. */
static void tear(struct sim_disk *disk, struct sim_file *file)
{
    for (size_t at = file->dirty_begin; at < file->dirty_end; at += TEAR_BYTES) {
        size_t left = file->dirty_end - at;
        if (sim_random_below(disk->random, 2) == 0) {
            memcpy(file->platter + at, file->bytes + at, left < TEAR_BYTES ? left : TEAR_BYTES);
        }
    }
    if (file->platter_size != file->size && sim_random_below(disk->random, 2) == 0) {
        file->platter_size = file->size;
    }
    note_change(disk, file);
    if (file->capacity > 0) {
        memcpy(file->bytes, file->platter, file->capacity);
        memset(file->bytes + file->platter_size, 0, file->capacity - file->platter_size);
        memcpy(file->platter, file->bytes, file->capacity);
    }
    file->size = file->platter_size;
    file->dirty_begin = 0;
    file->dirty_end = 0;
}

static void drop_children(struct sim_disk *disk, const char *directory)
{
    for (int i = 0; i < disk->name_count; i++) {
        if (is_child(directory, disk->names[i].path)) {
            disk->names[i].file = -1;
            disk->names[i].platter_file = -1;
        }
    }
}

void sim_disk_power_failure(struct sim_disk *disk)
{
    sim_disk_kill(disk);
    disk->changes++;
    for (int i = 0; i < SIM_DISK_FILE_COUNT; i++) {
        if (disk->files[i].used) {
            tear(disk, &disk->files[i]);
        }
    }
    for (int i = 0; i < disk->name_count; i++) {
        struct sim_name *name = &disk->names[i];
        if (name->file != name->platter_file && sim_random_below(disk->random, 2) == 0) {
            name->platter_file = name->file;
        }
        name->file = name->platter_file;
    }
    for (int i = 0; i < disk->name_count; i++) {
        if (disk->names[i].file < 0 && disk->names[i].path[0] != '\0') {
            drop_children(disk, disk->names[i].path);
        }
    }
}

void sim_disk_put(struct sim_disk *disk, const char *directory, const char *name,
                  struct haul_slice bytes)
{
    char path[SIM_DISK_PATH_BYTES];
    int made = find_name(disk, directory);
    if (disk->names[made].file < 0) {
        disk->names[made].file = make_file(disk, true);
        disk->names[made].platter_file = disk->names[made].file;
    }
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    made = find_name(disk, path);
    disk->names[made].file = make_file(disk, false);
    disk->names[made].platter_file = disk->names[made].file;
    struct sim_file *file = &disk->files[disk->names[made].file];
    reserve(file, bytes.size);
    memcpy(file->bytes, bytes.data, bytes.size);
    memcpy(file->platter, bytes.data, bytes.size);
    file->size = bytes.size;
    file->platter_size = bytes.size;
}

bool sim_disk_rot(struct sim_disk *disk, const char *directory, bool *instance)
{
    int first = (int)sim_random_below(disk->random, (uint32_t)disk->name_count);
    bool may_be_instance = *instance;
    for (int i = 0; i < disk->name_count; i++) {
        const struct sim_name *name = &disk->names[(first + i) % disk->name_count];
        if (name->file < 0 || name->file != name->platter_file ||
            !is_child(directory, name->path)) {
            continue;
        }
        const char *last = name->path + strlen(directory) + 1;
        size_t size = strlen(last);
        bool is_journal = size > 8 && strcmp(last + size - 8, ".journal") == 0;
        struct sim_file *file = &disk->files[name->file];
        *instance = may_be_instance && strcmp(last, "instance") == 0;
        if ((!is_journal && !*instance && strcmp(last, "ownership") != 0) || file->size < ROT_END) {
            continue;
        }
        size_t end = is_journal ? (size_t)ROT_END : file->size;
        size_t at = ROT_BEGIN + sim_random_below(disk->random, (uint32_t)end - ROT_BEGIN);
        file->bytes[at] ^= (uint8_t)(1U << sim_random_below(disk->random, 8));
        file->platter[at] = file->bytes[at];
        note_change(disk, file);
        sim_say("%s rots", name->path);
        return true;
    }
    return false;
}

void sim_disk_move(struct sim_disk *disk)
{
    for (int i = 0; i < SIM_DISK_FILE_COUNT; i++) {
        struct sim_file *file = &disk->files[i];
        if (file->used) {
            file->inode = ++disk->inodes;
            file->birth_ns = sim_kernel.now_ns + 1;
            note_change(disk, file);
        }
    }
}

/* File objects never move, so names and copies of them stay valid. */
static void copy_file(struct sim_disk *disk, struct sim_file *file, const struct sim_file *from)
{
    *file = (struct sim_file){.used = true, .is_directory = from->is_directory, .lock_fd = -1};
    file->inode = ++disk->inodes;
    file->birth_ns = sim_kernel.now_ns + 1;
    note_change(disk, file);
    if (from->size > 0) {
        reserve(file, from->size);
        memcpy(file->bytes, from->bytes, from->size);
        memcpy(file->platter, from->bytes, from->size);
    }
    file->size = from->size;
    file->platter_size = from->size;
}

void sim_disk_copy(struct sim_disk *disk, const char *path, const struct sim_disk *from,
                   const char *from_path)
{
    size_t skipped = strlen(from_path);
    sim_disk_kill(disk);
    memset(disk->files, 0, sizeof(disk->files));
    disk->name_count = 0;
    for (int i = 0; i < from->name_count; i++) {
        const struct sim_name *name = &from->names[i];
        if (name->file < 0 || strncmp(name->path, from_path, skipped) != 0) {
            continue;
        }
        char copied[SIM_DISK_PATH_BYTES];
        (void)snprintf(copied, sizeof(copied), "%.8s%s", path, name->path + skipped);
        int made = find_name(disk, copied);
        disk->names[made].file = name->file;
        disk->names[made].platter_file = name->file;
        copy_file(disk, &disk->files[name->file], &from->files[name->file]);
    }
}

uint64_t sim_disk_state(const struct sim_disk *disk, const char *directory, const char *name)
{
    size_t size = strlen(directory);
    for (int i = 0; i < disk->name_count; i++) {
        const struct sim_name *at = &disk->names[i];
        if (at->file >= 0 && is_child(directory, at->path) &&
            strcmp(at->path + size + 1, name) == 0) {
            return disk->files[at->file].changes;
        }
    }
    return 0;
}

uint32_t sim_disk_open_count(const struct sim_disk *disk)
{
    uint32_t count = 0;
    for (int fd = 0; fd < SIM_DISK_FD_COUNT; fd++) {
        count += disk->fds[fd].file >= 0;
    }
    return count;
}

uint32_t sim_disk_count(const struct sim_disk *disk, const char *part)
{
    uint32_t count = 0;
    for (int i = 0; i < disk->name_count; i++) {
        count += disk->names[i].file >= 0 && strstr(disk->names[i].path, part) != NULL;
    }
    return count;
}

/* --- what the product calls ------------------------------------------------------------------- */

FILE *__wrap_fopen(const char *path, const char *mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_getifaddrs(struct ifaddrs **found);

/* The only files are those of haul's folders, which the calls above handle. */
FILE *__wrap_fopen(const char *path, const char *mode)
{
    (void)path;
    (void)mode;
    errno = ENOENT;
    return NULL;
}

int __wrap_open(const char *path, int flags, ...)
{
    (void)path;
    (void)flags;
    errno = ENOENT;
    return -1;
}

/* The simulation does not model the machine's own files. */
int __wrap_getifaddrs(struct ifaddrs **found)
{
    (void)found;
    errno = ENOSYS;
    return -1;
}
