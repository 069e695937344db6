/* SPDX-License-Identifier: Apache-2.0 */
/* sim_versions.h — every version of every key of a simulated database, by family, key and sequence
 * number: a snapshot is a number, and a crash truncates. */
#ifndef HAUL_SIM_VERSIONS_H
#define HAUL_SIM_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

struct sim_version {
    uint32_t family_id;
    uint32_t key_size;
    uint32_t value_size;
    bool deleted;
    bool ingested; /* durable at once, and not in the log */
    uint64_t sequence;
    uint8_t *bytes; /* key, then value */
};

struct sim_versions {
    struct sim_version *at;
    size_t count;
    size_t capacity;
};

struct haul_slice sim_version_key(const struct sim_version *version);
struct haul_slice sim_version_value(const struct sim_version *version);

/* `value` NULL: a deletion. */
void sim_versions_put(struct sim_versions *versions, const struct sim_version *about,
                      struct haul_slice key, const struct haul_slice *value);
/* Delete the live records in [begin, end); `end` of size 0: to the end of the family. True: there
 * was one. */
bool sim_versions_delete_range(struct sim_versions *versions, const struct sim_version *about,
                               struct haul_slice begin, struct haul_slice end);

/* The first version of the key, or of one after it. */
size_t sim_versions_find(const struct sim_versions *versions, uint32_t family_id,
                         struct haul_slice key);
/* The index after the last version of the key at index `at`. */
size_t sim_versions_behind(const struct sim_versions *versions, size_t at);
/* The versions of one key are [at, *next). Returns the newest one that `sequence` sees, if it is
 * live, or NULL. */
const struct sim_version *sim_versions_newest(const struct sim_versions *versions, size_t at,
                                              uint64_t sequence, size_t *next);
/* Remove what was written after `sequence`, except for ingested files. */
void sim_versions_cut(struct sim_versions *versions, uint64_t sequence);

#endif
