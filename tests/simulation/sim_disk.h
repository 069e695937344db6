/* SPDX-License-Identifier: Apache-2.0 */
/* sim_disk.h — the file system of one simulated host behind struct file_calls: a power failure may
 * lose or tear what was not synced, calls fail on demand, space is limited.
 *
 * As in Linux, a failed sync still marks the bytes as written, names are durable only after a sync
 * of their directory, and the death of a process only releases its locks. */
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
    uint64_t inode;   /* never reused */
    uint64_t changes; /* the disk's number of the last change of the contents */
    uint64_t birth_ns;
    int lock_fd; /* -1: not locked */
    size_t size;
    size_t capacity;
    size_t platter_size;
    uint8_t *bytes;   /* the contents that programs see */
    uint8_t *platter; /* the contents that survive a power failure */
    size_t dirty_begin;
    size_t dirty_end; /* bytes still to be written: [dirty_begin, dirty_end) */
};

struct sim_name {
    char path[SIM_DISK_PATH_BYTES];
    int file;         /* -1: absent */
    int platter_file; /* the state after a power failure */
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
    uint64_t changes;  /* of readable contents, so far */
    uint64_t inodes;   /* files made so far */
    size_t space_bytes;
    uint32_t slow_ms;       /* the longest duration of a sync */
    uint64_t slow_ns;       /* the sum of the durations of all finished ones */
    uint64_t slow_since_ns; /* the longest running one began then ... */
    uint64_t slow_until_ns; /* ... and returns then */
    bool looking;           /* the simulation itself reads: no call fails, no other thread runs */
};

/* Empty except for the directory `root`. */
void sim_disk_init(struct sim_disk *disk, struct sim_random *random, const char *root);

void sim_disk_fail(struct sim_disk *disk, uint32_t in_calls, int code, bool for_ever);
/* The process that used it is gone: its descriptors are closed, its locks released. */
void sim_disk_kill(struct sim_disk *disk);
/* The power failed; the process is gone too. */
void sim_disk_power_failure(struct sim_disk *disk);

/* For setting up the world: a file and its directory that have been durable for long. */
void sim_disk_put(struct sim_disk *disk, const char *directory, const char *name,
                  struct haul_slice bytes);

/* Flip one bit of a record in this directory, after magic and version: of an ownership file, of a
 * journal's header, or, if `*instance`, of the instance file. False: there is no such file. Out:
 * whether it was the instance file. */
bool sim_disk_rot(struct sim_disk *disk, const char *directory, bool *instance);
/* Replace every file by a copy of itself. */
void sim_disk_move(struct sim_disk *disk);
/* Make `disk` a durable copy of `from`, below `path` instead of `from_path`. */
void sim_disk_copy(struct sim_disk *disk, const char *path, const struct sim_disk *from,
                   const char *from_path);

/* A number that identifies the contents of the file of this name: never the same for different
 * bytes. 0: there is no such file. */
uint64_t sim_disk_state(const struct sim_disk *disk, const char *directory, const char *name);

uint32_t sim_disk_open_count(const struct sim_disk *disk);
/* The number of files whose names contain `part`. */
uint32_t sim_disk_count(const struct sim_disk *disk, const char *part);

#endif
