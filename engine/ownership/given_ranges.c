/* SPDX-License-Identifier: Apache-2.0 */
/* given_ranges.c — carries ranges from the source's record to the target's. */
#include "given_ranges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_version.h"

enum {
    RANGE_COUNT_MAX = MESSAGE_FIELD_COUNT_MAX / 4, /* each a submessage with two bounds */
    FAMILY_COUNT_MAX = MESSAGE_FIELD_COUNT_MAX / 16,
};

/* --- the source ------------------------------------------------------------------------------- */

static bool has_given(const struct ownership *ownership, const struct ownership_job *job,
                      const char *peer)
{
    return job->act == OWNERSHIP_GAVE && job->result == HAUL_OK &&
           (peer == NULL || config_version_is_peer(ownership, job->peer, peer));
}

enum haul_status given_ranges_newest(struct haul_store *store, const char *peer,
                                     uint8_t job[HAUL_JOB_BYTES], bool *found,
                                     struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = config_version_read(store, &ownership, error);
    *found = false;
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = ownership.job_count; i > 0 && !*found; i--) {
        *found = has_given(&ownership, &ownership.jobs[i - 1], peer);
        memcpy(job, ownership.jobs[i - 1].id, HAUL_JOB_BYTES);
    }
    ownership_fini(&ownership);
    return HAUL_OK;
}

static bool knows(const struct ownership *ownership, const uint8_t job[HAUL_JOB_BYTES],
                  const char *peer)
{
    const struct ownership_job *gave = ownership_moved(ownership, job, OWNERSHIP_GAVE);
    return gave != NULL && config_version_is_peer(ownership, gave->peer, peer);
}

enum haul_status given_ranges_know(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                   const char *peer, bool *known, struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = config_version_read(store, &ownership, error);
    if (status == HAUL_OK) {
        *known = knows(&ownership, job, peer);
        ownership_fini(&ownership);
    }
    return status;
}

enum haul_status given_ranges_moved(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                    enum ownership_act act, struct digest *moved,
                                    struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = config_version_read(store, &ownership, error);
    memset(moved, 0, sizeof(*moved));
    if (status != HAUL_OK) {
        return status;
    }
    const struct ownership_job *found = ownership_moved(&ownership, job, act);
    if (found != NULL) {
        moved->count = found->records;
        moved->bytes = found->bytes;
    }
    ownership_fini(&ownership);
    return HAUL_OK;
}

/* Has anything come to this database since? It may include what the job gave. */
static bool came_something(const struct ownership *ownership, const struct ownership_job *since)
{
    bool came = false;
    for (size_t i = ownership->job_count; i > 0 && &ownership->jobs[i - 1] != since; i--) {
        came = came || ownership->jobs[i - 1].act != OWNERSHIP_GAVE;
    }
    return came;
}

static bool is_peers(const struct ownership *ownership, const struct range_map_part *part,
                     const struct ownership_job *gave)
{
    const char *peer = ownership_peer_name(ownership, gave->peer);
    return part->mark.state == OWNERSHIP_RELEASED &&
           config_version_is_peer(ownership, part->mark.peer, peer);
}

/* Does the peer certainly own this part by this job, as far as the job gave it? Neighbours of
 * different jobs merge and keep the newest job's id; but a range is given again only after it came
 * back. */
static bool is_sure(const struct ownership *ownership, const struct range_map_part *part,
                    const struct ownership_job *gave)
{
    return memcmp(part->mark.job, gave->id, HAUL_JOB_BYTES) == 0 ||
           !came_something(ownership, gave);
}

static enum haul_status put_range(haul_control_Given *given, const struct key_range *range)
{
    haul_control_Range *ranges =
        realloc(given->ranges, (given->ranges_count + 1) * sizeof(*ranges));
    if (ranges == NULL) {
        return HAUL_NO_MEMORY;
    }
    given->ranges = ranges;
    haul_control_Range *to = &ranges[given->ranges_count++];
    to->start = message_bytes(key_range_start(range));
    to->end = message_bytes(key_range_end(range));
    return to->start != NULL && to->end != NULL ? HAUL_OK : HAUL_NO_MEMORY;
}

/* Errors: NO_MEMORY, LIMIT, MISMATCH (a part is uncertain). */
static enum haul_status put_family(haul_control_Given *given, const struct ownership *ownership,
                                   const struct ownership_family *family,
                                   const struct ownership_job *gave, size_t *count)
{
    memset(given, 0, sizeof(*given));
    (void)snprintf(given->family, sizeof(given->family), "%s", family->name);
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < family->map.count && status == HAUL_OK; i++) {
        const struct range_map_part *part = &family->map.parts[i];
        if (!is_peers(ownership, part, gave)) {
            continue;
        }
        *count += 1;
        status = !is_sure(ownership, part, gave) ? HAUL_MISMATCH
                 : *count > RANGE_COUNT_MAX      ? HAUL_LIMIT
                                                 : put_range(given, &part->range);
    }
    return status;
}

/* A family without ranges is named when unnamed families have some: the default does not apply to
 * it.
 * Errors: NO_MEMORY, LIMIT, MISMATCH. */
static enum haul_status put_families(haul_control_Commit *commit, const struct ownership *ownership,
                                     const struct ownership_job *gave, size_t *count)
{
    bool for_all = ownership_map(ownership, "") != NULL;
    enum haul_status status = HAUL_OK;
    commit->given = calloc(ownership->family_count + 1, sizeof(*commit->given));
    if (commit->given == NULL) {
        return HAUL_NO_MEMORY;
    }
    for (size_t i = 0; i < ownership->family_count && status == HAUL_OK; i++) {
        haul_control_Given *given = &commit->given[commit->given_count++];
        status = put_family(given, ownership, &ownership->families[i], gave, count);
        if (status == HAUL_OK && !for_all && given->ranges_count == 0) {
            commit->given_count--;
        }
        status = commit->given_count > FAMILY_COUNT_MAX ? HAUL_LIMIT : status;
    }
    return status;
}

static enum haul_status given_back(struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "the target was set back, and waits for a job whose ranges it gave back later, "
                   "or which were taken back here: by the record it owns none of them");
    haul_error_hint(error, "compare (`haul verify --to`); `haul cancel --db DIR "
                           "--accept-two-owners` there removes what is prepared");
    return HAUL_MISMATCH;
}

/* The job that the target waits for cannot be answered. */
static void hint_by_hand(struct haul_error *error)
{
    haul_error_hint(error, "if the copy here still exists (`haul verify --to`): `haul owner "
                           "--reclaim --accept-two-owners`, then `haul cancel "
                           "--accept-two-owners` there; if it was dropped, the last copy is "
                           "there: `haul owner --db DIR --forget --accept-two-owners` there");
}

/* An uncertain part does not become the source's: it would have no owner. */
static enum haul_status not_sure(struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "the target was set back, and the record does not show which of its ranges it "
                   "owns by the job that it waits for: others went to it since, and something came "
                   "back");
    hint_by_hand(error);
    return HAUL_MISMATCH;
}

static enum haul_status make_commit(const struct ownership *ownership,
                                    const struct ownership_job *gave, struct message *message,
                                    struct haul_error *error)
{
    haul_control_Commit *commit = &message->as.commit;
    size_t count = 0;
    message_init(message, MESSAGE_COMMIT);
    commit->epoch = MESSAGE_EPOCH_NONE;
    commit->new_version = gave->new_version;
    commit->records = gave->records;
    commit->bytes = gave->bytes;
    enum haul_status status = put_families(commit, ownership, gave, &count);
    if (status == HAUL_OK && count == 0) {
        status = given_back(error);
    } else if (status == HAUL_MISMATCH) {
        status = not_sure(error);
    } else if (status == HAUL_LIMIT) {
        haul_error_set(error, status, NULL, 0, "the target has more than %d separate ranges",
                       RANGE_COUNT_MAX);
        hint_by_hand(error);
    } else if (status != HAUL_OK) {
        haul_error_set(error, status, "malloc", 0, "no memory for the ranges");
    }
    if (status != HAUL_OK) {
        message_release(message);
    }
    return status;
}

enum haul_status given_ranges_commit(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                     const char *peer, struct message *message,
                                     struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = config_version_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    const struct ownership_job *gave = ownership_moved(&ownership, job, OWNERSHIP_GAVE);
    status = knows(&ownership, job, peer) ? make_commit(&ownership, gave, message, error)
                                          : given_back(error);
    ownership_fini(&ownership);
    return status;
}

/* --- the target ------------------------------------------------------------------------------- */

/* Errors: INVALID, NO_MEMORY, LIMIT. */
static enum haul_status put(struct ownership *given, const char *family, struct haul_slice start,
                            struct haul_slice end, enum ownership_state state)
{
    struct key_range range;
    enum haul_status status = key_range_init(&range, start, end);
    if (status != HAUL_OK) {
        return status;
    }
    const struct ownership_move move = {
        .family = family, .ranges = &range, .range_count = 1, .mark = {.state = (uint8_t)state}};
    status = ownership_put(given, &move);
    key_range_fini(&range);
    return status;
}

static enum haul_status read_family(struct ownership *given, const haul_control_Given *from)
{
    const struct haul_slice none = slice_of(NULL, 0);
    enum haul_status status = put(given, from->family, none, none, OWNERSHIP_OWN);
    for (size_t i = 0; i < from->ranges_count && status == HAUL_OK; i++) {
        status = put(given, from->family, message_slice(from->ranges[i].start),
                     message_slice(from->ranges[i].end), OWNERSHIP_RELEASED);
    }
    return status;
}

/* The source never names more (put_family, put_families); each one takes space in the maps. */
static bool are_too_many(const haul_control_Commit *commit)
{
    size_t count = 0;
    for (size_t i = 0; i < commit->given_count; i++) {
        count += commit->given[i].ranges_count;
    }
    return count > RANGE_COUNT_MAX || commit->given_count > FAMILY_COUNT_MAX;
}

enum haul_status given_ranges_read(struct ownership *given, const haul_control_Commit *commit,
                                   struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    if (are_too_many(commit)) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "Commit names more than %d ranges, or than %d families",
                              RANGE_COUNT_MAX, FAMILY_COUNT_MAX);
    }
    ownership_init(given);
    for (unsigned named = 0; named < 2; named++) { /* the default for all families comes first */
        for (size_t i = 0; i < commit->given_count && status == HAUL_OK; i++) {
            bool reads = (commit->given[i].family[0] != '\0') == (named == 1);
            status = reads ? read_family(given, &commit->given[i]) : HAUL_OK;
        }
    }
    if (status == HAUL_OK) {
        return HAUL_OK;
    }
    ownership_fini(given);
    if (status == HAUL_LIMIT) {
        return haul_error_set(error, status, NULL, 0,
                              "Commit names more ranges than an ownership record can hold");
    }
    return status == HAUL_NO_MEMORY
               ? haul_error_set(error, status, "malloc", 0, "no memory for the ranges")
               : haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "Commit names invalid ranges");
}

bool given_ranges_cover(const struct ownership *given, const struct plan *plan)
{
    bool all = true;
    for (size_t i = 0; i < plan->family_count && all; i++) {
        const struct range_map *map = ownership_map(given, plan->families[i].family.name);
        for (size_t j = 0; j < plan->range_count && all; j++) {
            all = map != NULL && range_map_covers(map, &plan->ranges[j], OWNERSHIP_RELEASED);
        }
    }
    return all;
}
