/* SPDX-License-Identifier: Apache-2.0 */
/* sim_store.h — a simulated database behind struct haul_store: families, snapshots, a log, table
 * files, and failures on demand.
 *
 * A batch that a real database would not survive (malformed, of an unknown family, a DeleteRange
 * that runs backwards) ends the program. */
#ifndef HAUL_SIM_STORE_H
#define HAUL_SIM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/store.h"
#include "sim_disk.h"
#include "sim_log.h"
#include "sim_random.h"
#include "sim_versions.h"

/* The text of an injected failure. */
#define SIM_STORE_FAILURE "simulated failure"

enum {
    SIM_STORE_FAMILY_COUNT_MAX = 4,
    SIM_STORE_TABLE_COUNT_MAX = 64,
    SIM_STORE_PATH_BYTES = 128,
};

/* A table file: being written, or complete. */
struct sim_table_file {
    bool used;
    bool finished;
    uint32_t family_id;
    char path[SIM_STORE_PATH_BYTES];
    struct sim_versions records;
    uint64_t size_bytes;
};

struct sim_store {
    struct haul_store base;
    struct sim_disk *disk;
    struct sim_random *random;
    const char *path;
    const char *identity;
    uint32_t features;
    uint64_t record_bytes; /* bytes a record for range_size, which sets the stream count */
    struct haul_family families[SIM_STORE_FAMILY_COUNT_MAX];
    size_t family_count;
    struct sim_versions versions;
    struct sim_log log;
    uint64_t sequence;
    struct sim_table_file files[SIM_STORE_TABLE_COUNT_MAX];
    /* Resources that are in use. */
    uint32_t pins, snapshots, scans, readers, open_tables;
    uint64_t foreign_ingests;
    uint64_t written; /* records that processes, not clients, have written or cleared */
    /* Called for every key (`is_key`) or range that a process writes; NULL: no callback. */
    void (*watch)(void *context, uint32_t family_id, struct haul_slice begin, struct haul_slice end,
                  bool is_key);
    void *watch_context;
    /* Failures. */
    uint32_t fail_in; /* the n-th fallible call of a process from now; 0: none */
    enum haul_status fail_status;
    bool dead; /* after a failed write or sync, all writes fail until a restart */
    uint64_t failures;
    uint32_t drop_in;     /* the n-th record that a process writes from now is dropped; 0: none */
    uint32_t hide_in;     /* the n-th record that a process's scan reaches is skipped */
    uint32_t stall_parts; /* of ten thousand: calls that are slow */
    uint64_t stalls;
    uint64_t stalled_ns; /* the sum of their durations */
};

struct sim_store_options {
    struct sim_disk *disk;
    struct sim_random *random;
    const char *path; /* of the database; borrowed, like the following pointers */
    const char *identity;
    uint64_t record_bytes;
    uint32_t features;
};

/* A store without families. */
void sim_store_init(struct sim_store *store, const struct sim_store_options *options);
void sim_store_add_family(struct sim_store *store, uint32_t id, const char *name);

void sim_store_fail(struct sim_store *store, uint32_t in_calls, enum haul_status status);
/* Delete log files that only hold records up to `sequence`, even pinned ones. */
void sim_store_purge(struct sim_store *store, uint64_t sequence);
/* The process is gone, with everything that it had open. */
void sim_store_kill(struct sim_store *store);
/* The power failed: what was not synced is gone as well, except for what chance keeps. */
void sim_store_power_failure(struct sim_store *store);

/* The contents of a store, as a checkpoint or a copy of its files. */
struct sim_store_state {
    struct haul_family families[SIM_STORE_FAMILY_COUNT_MAX];
    size_t family_count;
    struct sim_versions versions;
    struct sim_log log;
    uint64_t sequence;
};

void sim_store_save(const struct sim_store *store, struct sim_store_state *state);
/* No process has it open. Everything in it is durable. */
void sim_store_restore(struct sim_store *store, const struct sim_store_state *state);

/* Handles that are still open. */
uint32_t sim_store_handles(const struct sim_store *store);
/* The number of files below the staging directory. */
uint32_t sim_store_file_count(const struct sim_store *store);
/* For sim_table.c and sim_store.c: a process writes this. */
void sim_store_tell(const struct sim_store *store, uint32_t family_id, struct haul_slice begin,
                    struct haul_slice end, bool is_key);
/* Whether this is the n-th call, which then is also the last one. For sim_table.c and sim_store.c:
 * a lie that takes effect. */
bool sim_store_lies(const struct sim_store *store, uint32_t *count, const char *what);
bool sim_store_has_family(const struct sim_store *store, uint32_t family_id);

/* For sim_table.c: whether this call may go on. */
enum haul_status sim_store_try(struct sim_store *store, const char *call,
                               struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status sim_store_try_write(struct sim_store *store, const char *call,
                                     struct haul_error *error) HAUL_MUST_CHECK;
struct sim_store *sim_store_of(struct haul_store *store);

#endif
