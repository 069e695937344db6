/* SPDX-License-Identifier: Apache-2.0 */
/* ownership.c — the map of moved ranges and the history of jobs, in memory. */
#include "ownership.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

void ownership_init(struct ownership *ownership)
{
    memset(ownership, 0, sizeof(*ownership));
}

void ownership_fini(struct ownership *ownership)
{
    for (size_t i = 0; i < ownership->family_count; i++) {
        range_map_fini(&ownership->families[i].map);
    }
    free(ownership->families);
    free(ownership->peers);
    free(ownership->jobs);
    ownership_init(ownership);
}

/* Room for `count` items, with some to spare. Errors: NO_MEMORY. */
static enum haul_status grow(void **items, size_t count, size_t item_bytes)
{
    /* The array has room for the next power of two. */
    if (count > 0 && (count & (count - 1)) != 0) {
        return HAUL_OK;
    }
    void *larger = realloc(*items, (count == 0 ? 1 : 2 * count) * item_bytes);
    if (larger == NULL) {
        return HAUL_NO_MEMORY;
    }
    *items = larger;
    return HAUL_OK;
}

/* --- peers ------------------------------------------------------------------------------------ */

static enum haul_status add_peer(struct ownership *ownership, const char *identity)
{
    void *peers = ownership->peers;
    enum haul_status status = grow(&peers, ownership->peer_count, sizeof(*ownership->peers));
    ownership->peers = peers;
    if (status == HAUL_OK) {
        char *name = ownership->peers[ownership->peer_count++];
        memset(name, 0, HAUL_IDENTITY_BYTES_MAX);
        memcpy(name, identity, strlen(identity));
    }
    return status;
}

enum haul_status ownership_peer(struct ownership *ownership, const char *identity, uint32_t *index)
{
    if (strnlen(identity, HAUL_IDENTITY_BYTES_MAX) == HAUL_IDENTITY_BYTES_MAX) {
        return HAUL_INVALID;
    }
    enum haul_status status = HAUL_OK;
    if (ownership->peer_count == 0) {
        status = add_peer(ownership, "");
    }
    /* The newest peers are the likeliest. */
    for (size_t i = ownership->peer_count; status == HAUL_OK && i > 0; i--) {
        if (strcmp(ownership->peers[i - 1], identity) == 0) {
            *index = (uint32_t)(i - 1);
            return HAUL_OK;
        }
    }
    if (status == HAUL_OK) {
        *index = (uint32_t)ownership->peer_count;
        status = add_peer(ownership, identity);
    }
    return status;
}

const char *ownership_peer_name(const struct ownership *ownership, uint32_t index)
{
    return index < ownership->peer_count ? ownership->peers[index] : "";
}

/* --- map -------------------------------------------------------------------------------------- */

static struct ownership_family *find_family(const struct ownership *ownership, const char *name)
{
    for (size_t i = 0; i < ownership->family_count; i++) {
        if (strcmp(ownership->families[i].name, name) == 0) {
            return &ownership->families[i];
        }
    }
    return NULL;
}

const struct range_map *ownership_map(const struct ownership *ownership, const char *family)
{
    const struct ownership_family *found = find_family(ownership, family);
    found = found == NULL ? find_family(ownership, "") : found;
    return found == NULL ? NULL : &found->map;
}

/* A new family starts with the default for all families. Errors: NO_MEMORY, LIMIT. */
static enum haul_status add_family(struct ownership *ownership, const char *name,
                                   struct ownership_family **out)
{
    if (ownership->family_count == OWNERSHIP_FAMILY_COUNT_MAX) {
        return HAUL_LIMIT;
    }
    void *families = ownership->families;
    enum haul_status status = grow(&families, ownership->family_count, sizeof(**out));
    ownership->families = families;
    if (status != HAUL_OK) {
        return status;
    }
    const struct ownership_family *all = find_family(ownership, "");
    struct ownership_family *family = &ownership->families[ownership->family_count];
    memset(family, 0, sizeof(*family));
    memcpy(family->name, name, strlen(name));
    if (all != NULL) {
        status = range_map_copy(&all->map, &family->map);
    }
    if (status == HAUL_OK) {
        ownership->family_count++;
        *out = family;
    }
    return status;
}

static size_t count_parts(const struct ownership *ownership)
{
    size_t count = 0;
    for (size_t i = 0; i < ownership->family_count; i++) {
        count += ownership->families[i].map.count;
    }
    return count;
}

/* A family with no moved ranges needs no entry, unless the default has some. */
static void prune_families(struct ownership *ownership)
{
    size_t kept = 0;
    if (find_family(ownership, "") != NULL) {
        return;
    }
    for (size_t i = 0; i < ownership->family_count; i++) {
        if (ownership->families[i].map.count == 0) {
            range_map_fini(&ownership->families[i].map);
        } else {
            ownership->families[kept++] = ownership->families[i];
        }
    }
    ownership->family_count = kept;
}

enum haul_status ownership_put(struct ownership *ownership, const struct ownership_move *move)
{
    if (strnlen(move->family, HAUL_NAME_BYTES_MAX) == HAUL_NAME_BYTES_MAX) {
        return HAUL_INVALID;
    }
    struct ownership_family *family = find_family(ownership, move->family);
    enum haul_status status = HAUL_OK;
    if (family == NULL) {
        status = add_family(ownership, move->family, &family);
    }
    bool all = move->family[0] == '\0';
    for (size_t i = 0; i < ownership->family_count && status == HAUL_OK; i++) {
        struct ownership_family *one = &ownership->families[i];
        if (all || one == family) {
            status = range_map_put(&one->map, move->ranges, move->range_count, &move->mark);
        }
    }
    if (status == HAUL_OK && count_parts(ownership) > OWNERSHIP_PART_COUNT_MAX) {
        status = HAUL_LIMIT;
    }
    prune_families(ownership);
    return status;
}

const struct range_map_part *ownership_find(const struct ownership *ownership, const char *family,
                                            const struct key_range *range,
                                            enum ownership_state state)
{
    const struct range_map *map = ownership_map(ownership, family);
    return map == NULL ? NULL : range_map_find(map, range, (uint8_t)state);
}

bool ownership_names(const struct ownership *ownership, const uint8_t id[HAUL_JOB_BYTES],
                     enum ownership_state state)
{
    for (size_t i = 0; i < ownership->family_count; i++) {
        const struct range_map *map = &ownership->families[i].map;
        for (size_t j = 0; j < map->count; j++) {
            const struct range_mark *mark = &map->parts[j].mark;
            if (mark->state == (uint8_t)state && memcmp(mark->job, id, sizeof(mark->job)) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* --- history ---------------------------------------------------------------------------------- */

enum haul_status ownership_note(struct ownership *ownership, const struct ownership_job *job)
{
    haul_assert(job->peer == 0 || job->peer < ownership->peer_count);
    if (ownership->job_count == OWNERSHIP_JOB_COUNT_MAX) {
        ownership->job_count--;
        memmove(&ownership->jobs[0], &ownership->jobs[1],
                ownership->job_count * sizeof(ownership->jobs[0]));
    } else {
        void *jobs = ownership->jobs;
        enum haul_status status = grow(&jobs, ownership->job_count, sizeof(*ownership->jobs));
        ownership->jobs = jobs;
        if (status != HAUL_OK) {
            return status;
        }
    }
    ownership->jobs[ownership->job_count++] = *job;
    return HAUL_OK;
}

const struct ownership_job *ownership_moved(const struct ownership *ownership,
                                            const uint8_t id[HAUL_JOB_BYTES],
                                            enum ownership_act act)
{
    for (size_t i = ownership->job_count; i > 0; i--) {
        const struct ownership_job *job = &ownership->jobs[i - 1];
        if (job->act == act && job->result == HAUL_OK &&
            memcmp(job->id, id, sizeof(job->id)) == 0) {
            return job;
        }
    }
    return NULL;
}

bool ownership_has_moved(const struct ownership *ownership, const uint8_t id[HAUL_JOB_BYTES],
                         enum ownership_act act)
{
    return ownership_moved(ownership, id, act) != NULL ||
           ownership_names(ownership, id,
                           act == OWNERSHIP_GAVE ? OWNERSHIP_RELEASED : OWNERSHIP_IMPORTED);
}
