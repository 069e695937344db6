/* SPDX-License-Identifier: Apache-2.0 */
/* ownership.h — which ranges a database gave away or took over, and which jobs moved them: the
 * record `<directory>/ownership` in memory. The file is in ownership_file.h.
 *
 * A cluster manager has its own record of this kind; a database directory has this file. No file
 * means version 0 and nothing moved: a database that never took part in a job owns all of itself.
 *
 * The record is a map and a history. The map has the RELEASED and IMPORTED ranges of each column
 * family. A newer job subtracts its ranges from older ones, and neighbours merge, so the size
 * follows the ranges and not the number of jobs. The history holds the newest
 * OWNERSHIP_JOB_COUNT_MAX jobs.
 *
 * Thread: one at a time for each struct. */
#ifndef HAUL_OWNERSHIP_H
#define HAUL_OWNERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/limits.h"
#include "haul/status.h"
#include "haul/store.h"
#include "key_range.h"
#include "range_map.h"

enum {
    OWNERSHIP_PART_COUNT_MAX = 1 << 18, /* of all families */
    OWNERSHIP_FAMILY_COUNT_MAX = 4096,  /* with ranges that ever moved */
    OWNERSHIP_JOB_COUNT_MAX = 8192,
    OWNERSHIP_FILE_BYTES_MAX = 256 << 20,
    OWNERSHIP_FORMAT_VERSION = 2,
};
/* Name, value, sentence. Values are part of the file: append only; 1 was FROZEN in format 1. */
#define OWNERSHIP_STATE_LIST(X)                          \
    X(RELEASED, 2, "handed over: another database owns") \
    X(IMPORTED, 3, "taken over from another database: ours")

enum ownership_state {
    OWNERSHIP_OWN = 0, /* not in the map: ours */
#define OWNERSHIP_STATE_ENUM(name, value, sentence) OWNERSHIP_##name = value,
    OWNERSHIP_STATE_LIST(OWNERSHIP_STATE_ENUM)
#undef OWNERSHIP_STATE_ENUM
};

/* What a job did; values are part of the file. */
enum ownership_act {
    OWNERSHIP_GAVE = 1,
    OWNERSHIP_TOOK = 2,
    OWNERSHIP_RECLAIMED = 3,
};

struct ownership_job {
    uint8_t id[HAUL_JOB_BYTES];
    enum ownership_act act;
    enum haul_status result; /* OK: the ranges moved */
    uint32_t peer;           /* index into `peers` */
    uint64_t old_version;
    uint64_t new_version;
    uint64_t time_s;
    uint64_t records;
    uint64_t bytes;
};

struct ownership_family {
    char name[HAUL_NAME_BYTES_MAX]; /* "": each family without an entry of its own */
    struct range_map map;           /* marks: enum ownership_state, index into `peers`, job */
};

struct ownership {
    uint64_t config_version;
    uint64_t epoch;
    struct ownership_family *families; /* in the order of their first job */
    size_t family_count;
    char (*peers)[HAUL_IDENTITY_BYTES_MAX]; /* index 0 is "": unknown */
    size_t peer_count;                      /* 0: without index 0 */
    struct ownership_job *jobs;             /* oldest first */
    size_t job_count;
};

/* Version 0, nothing moved. */
void ownership_init(struct ownership *ownership);
void ownership_fini(struct ownership *ownership);

/* The index of a peer, which is added if it is missing. Errors: NO_MEMORY, INVALID (longer than an
 * identity can be). */
enum haul_status ownership_peer(struct ownership *ownership, const char *identity,
                                uint32_t *index) HAUL_MUST_CHECK;

struct ownership_move {
    const char *family;             /* "": all */
    const struct key_range *ranges; /* ascending, disjoint */
    size_t range_count;
    struct range_mark mark;
};
/* Mark ranges of one family. Errors: NO_MEMORY, INVALID (a name that is too long), LIMIT (too many
 * parts or families); the record may be half changed then and must be discarded. */
enum haul_status ownership_put(struct ownership *ownership,
                               const struct ownership_move *move) HAUL_MUST_CHECK;
/* Append to the history; a full history drops its oldest job. Errors: NO_MEMORY. */
enum haul_status ownership_note(struct ownership *ownership,
                                const struct ownership_job *job) HAUL_MUST_CHECK;

/* A part of the range that has the state (OWN: any state); NULL: no such part. Ownership: the
 * record's, until the next change. */
const struct range_map_part *ownership_find(const struct ownership *ownership, const char *family,
                                            const struct key_range *range,
                                            enum ownership_state state);
/* The map that applies to the family; NULL: none of its ranges moved. */
const struct range_map *ownership_map(const struct ownership *ownership, const char *family);
/* The newest entry of a job that moved its ranges; NULL: none in the history. */
const struct ownership_job *ownership_moved(const struct ownership *ownership,
                                            const uint8_t id[HAUL_JOB_BYTES],
                                            enum ownership_act act);
/* Does a part of the map name the job? Finds jobs that a full history has dropped. */
bool ownership_names(const struct ownership *ownership, const uint8_t id[HAUL_JOB_BYTES],
                     enum ownership_state state);
/* Has the job moved its ranges, by the history or by the map? */
bool ownership_has_moved(const struct ownership *ownership, const uint8_t id[HAUL_JOB_BYTES],
                         enum ownership_act act);
/* "": unknown. */
const char *ownership_peer_name(const struct ownership *ownership, uint32_t index);

/* The bytes of the file, without peers that nothing names. Ownership: `*bytes` is the caller's
 * (free). Errors: NO_MEMORY, LIMIT. */
enum haul_status ownership_encode(const struct ownership *ownership, uint8_t **bytes,
                                  size_t *size) HAUL_MUST_CHECK;
/* Decode formats 1 and 2 into an uninitialised struct. Errors: CORRUPT, VERSION, NO_MEMORY,
 * LIMIT. */
enum haul_status ownership_decode(struct ownership *ownership,
                                  struct haul_slice bytes) HAUL_MUST_CHECK;
/* The config version in the head of a damaged file; 0: not a valid head, or a number that no
 * counter reaches. The version itself may still be damaged. */
uint64_t ownership_damaged_version(struct haul_slice bytes);

#endif
