/* SPDX-License-Identifier: Apache-2.0 */
/* sim_disk.h — the file system of one host of a simulation behind struct file_calls: what was not
 * synced may be lost or torn when the power fails, calls fail when they are told to, space ends.
 *
 * As in Linux, a sync that failed marks bytes as written although they are not, names last only
 * after a sync of their directory, and a process that dies takes nothing with it but its locks. */
#ifndef HAUL_SIM_DISK_H
#define HAUL_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "file_calls.h"
#include "sim_random.h"

enum {
    SIM_DISK_PATH_BYTES = 96,
    SIM_DISK_FILE_COUNT = 96,
    SIM_DISK_NAME_COUNT = 96,
    SIM_DISK_FD_COUNT = 32,
};

struct sim_file {
    bool used;
    bool is_directory;
    uint64_t inode;   /* never used again */
    uint64_t changes; /* the disk's number of the last change of what it holds */
    uint64_t birth_ns;
    int lock_fd; /* -1: not locked */
    size_t size;
    size_t capacity;
    size_t platter_size;
    uint8_t *bytes;   /* as programs see them */
    uint8_t *platter; /* what the power cannot take */
    size_t dirty_begin;
    size_t dirty_end; /* bytes still to be written: [dirty_begin, dirty_end) */
};

struct sim_name {
    char path[SIM_DISK_PATH_BYTES];
    int file;         /* -1: not there */
    int platter_file; /* after a power failure */
};

struct sim_disk {
    struct file_calls calls;
    struct sim_random *random;
    struct sim_file files[SIM_DISK_FILE_COUNT];
    struct sim_name names[SIM_DISK_NAME_COUNT];
    int name_count;
    struct {
        int file; /* -1: closed */
        int name;
    } fds[SIM_DISK_FD_COUNT];
    uint32_t fail_in; /* the n-th call from now fails; 0: none */
    bool fail_for_ever;
    int fail_errno;
    uint64_t failures; /* so far */
    uint64_t changes;  /* so far, of what can be read */
    uint64_t inodes;   /* made so far */
    size_t space_bytes;
    uint32_t slow_ms;       /* a sync may take so long */
    uint64_t slow_ns;       /* and all that have come back have, so far */
    uint64_t slow_since_ns; /* the one that takes longest began then ... */
    uint64_t slow_until_ns; /* ... and comes back then */
    bool looking;           /* the simulation reads: no call fails, nobody else runs */
};

/* Empty but for the directory `root`. */
void sim_disk_init(struct sim_disk *disk, struct sim_random *random, const char *root);

void sim_disk_fail(struct sim_disk *disk, uint32_t in_calls, int code, bool for_ever);
/* The process that used it is gone: descriptors and locks end. */
void sim_disk_kill(struct sim_disk *disk);
/* The power failed; the process is gone, too. */
void sim_disk_power_failure(struct sim_disk *disk);

/* Before the world begins: a file, and its directory, that have been there for long. */
void sim_disk_put(struct sim_disk *disk, const char *directory, const char *name,
                  struct haul_slice bytes);

/* One bit of a record of this directory is another one, behind magic and version: of an ownership
 * file, of the header of a journal, or, if `*instance`, of the instance file. False: there is no
 * such file. Out: was it that one? */
bool sim_disk_rot(struct sim_disk *disk, const char *directory, bool *instance);
/* All files are copies of themselves. */
void sim_disk_move(struct sim_disk *disk);
/* `disk` holds what `from` holds, below `path` instead of `from_path`: copies, and durable. */
void sim_disk_copy(struct sim_disk *disk, const char *path, const struct sim_disk *from,
                   const char *from_path);

/* Whether and how the file of this name differs from what it once was: never the same number for
 * different bytes. 0: there is no such file. */
uint64_t sim_disk_state(const struct sim_disk *disk, const char *directory, const char *name);

uint32_t sim_disk_open_count(const struct sim_disk *disk);
/* Names that contain `part`, of files. */
uint32_t sim_disk_count(const struct sim_disk *disk, const char *part);

#endif
