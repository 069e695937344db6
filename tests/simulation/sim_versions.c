/* SPDX-License-Identifier: Apache-2.0 */
/* sim_versions.c — a sorted array. */
#include "sim_versions.h"

#include <string.h>

#include "sim_memory.h"

struct haul_slice sim_version_key(const struct sim_version *version)
{
    return slice_of(version->bytes, version->key_size);
}

struct haul_slice sim_version_value(const struct sim_version *version)
{
    return slice_of(version->bytes + version->key_size, version->value_size);
}

static int compare(const struct sim_version *version, uint32_t family_id, struct haul_slice key)
{
    if (version->family_id != family_id) {
        return version->family_id < family_id ? -1 : 1;
    }
    return slice_compare(sim_version_key(version), key);
}

size_t sim_versions_find(const struct sim_versions *versions, uint32_t family_id,
                         struct haul_slice key)
{
    size_t low = 0;
    size_t high = versions->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&versions->at[middle], family_id, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t sim_versions_behind(const struct sim_versions *versions, size_t at)
{
    const struct sim_version *first = &versions->at[at];
    struct haul_slice key = sim_version_key(first);
    while (at < versions->count && compare(&versions->at[at], first->family_id, key) == 0) {
        at++;
    }
    return at;
}

const struct sim_version *sim_versions_newest(const struct sim_versions *versions, size_t at,
                                              uint64_t sequence, size_t *next)
{
    const struct sim_version *found = NULL;
    *next = sim_versions_behind(versions, at);
    for (size_t i = at; i < *next; i++) {
        found = versions->at[i].sequence <= sequence ? &versions->at[i] : found;
    }
    return found == NULL || found->deleted ? NULL : found;
}

/* After the older versions of its key. */
static void insert(struct sim_versions *versions, const struct sim_version *version)
{
    size_t at = sim_versions_find(versions, version->family_id, sim_version_key(version));
    while (at < versions->count &&
           compare(&versions->at[at], version->family_id, sim_version_key(version)) == 0) {
        at++;
    }
    if (versions->count == versions->capacity) {
        size_t capacity = 2 * versions->capacity + 128;
        versions->at = sim_host_grow(versions->at, versions->count * sizeof(*versions->at),
                                     capacity * sizeof(*versions->at));
        versions->capacity = capacity;
    }
    memmove(versions->at + at + 1, versions->at + at,
            (versions->count - at) * sizeof(*versions->at));
    versions->at[at] = *version;
    versions->count++;
}

void sim_versions_put(struct sim_versions *versions, const struct sim_version *about,
                      struct haul_slice key, const struct haul_slice *value)
{
    struct sim_version version = *about;
    version.key_size = (uint32_t)key.size;
    version.value_size = value == NULL ? 0 : (uint32_t)value->size;
    version.deleted = value == NULL;
    version.bytes = sim_host_alloc(key.size + version.value_size + 1);
    if (key.size > 0) {
        memcpy(version.bytes, key.data, key.size);
    }
    if (version.value_size > 0) {
        memcpy(version.bytes + key.size, value->data, value->size);
    }
    insert(versions, &version);
}

bool sim_versions_delete_range(struct sim_versions *versions, const struct sim_version *about,
                               struct haul_slice begin, struct haul_slice end)
{
    size_t at = sim_versions_find(versions, about->family_id, begin);
    bool any = false;
    while (at < versions->count && versions->at[at].family_id == about->family_id &&
           (end.size == 0 || slice_compare(sim_version_key(&versions->at[at]), end) < 0)) {
        size_t next;
        const struct sim_version *live =
            sim_versions_newest(versions, at, about->sequence - 1, &next);
        if (live != NULL) {
            sim_versions_put(versions, about, sim_version_key(live), NULL);
            any = true;
            next++;
        }
        at = next;
    }
    return any;
}

void sim_versions_cut(struct sim_versions *versions, uint64_t sequence)
{
    size_t kept = 0;
    for (size_t i = 0; i < versions->count; i++) {
        const struct sim_version *version = &versions->at[i];
        if (version->ingested || version->sequence <= sequence) {
            versions->at[kept++] = *version;
        }
    }
    versions->count = kept;
}
