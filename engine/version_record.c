/* SPDX-License-Identifier: Apache-2.0 */
/* version_record.c — version and ownership, from hooks or from the record beside the database. */
#include "version_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "ownership_file.h"
#include "planted_bug.h"
#include "wall_clock.h"

enum { PATH_BYTES_MAX = 1024 };

bool haul_directory_of(const struct haul_store *store, char *path, size_t path_size_bytes)
{
    int length = snprintf(path, path_size_bytes, "%s/haul", store->ops->directory(store));
    return length > 0 && (size_t)length < path_size_bytes;
}

enum haul_status haul_directory_too_long(struct haul_error *error)
{
    haul_error_set(error, HAUL_INVALID, NULL, 0,
                   "the path of the database is too long: haul takes up to %d bytes",
                   HAUL_DIRECTORY_BYTES_MAX - 1);
    haul_error_hint(error, "use a shorter path, or a symbolic link to the directory");
    return HAUL_INVALID;
}

enum haul_status haul_place_check(struct haul_store *store, struct haul_error *error)
{
    return store->ops->place_check == NULL ? HAUL_OK : store->ops->place_check(store, error);
}

const struct file_calls *haul_files_of(const struct haul_store *store)
{
    return store->ops->files == NULL ? NULL : store->ops->files(store);
}

static enum haul_status directory_of(const struct haul_store *store, char *directory,
                                     struct haul_error *error)
{
    return haul_directory_of(store, directory, PATH_BYTES_MAX) ? HAUL_OK
                                                               : haul_directory_too_long(error);
}

enum haul_status version_record_read(struct haul_store *store, struct ownership *ownership,
                                     struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    enum haul_status status = directory_of(store, directory, error);
    return status == HAUL_OK ? ownership_read(haul_files_of(store), directory, ownership, error)
                             : status;
}

enum haul_status version_record_get(struct haul_store *store, const struct haul_hooks *hooks,
                                    struct version_claim *claim, struct haul_error *error)
{
    if (hooks->version_get != NULL) {
        claim->authoritative = true;
        return hooks->version_get(hooks->context, &claim->version, error);
    }
    struct ownership ownership;
    enum haul_status status = version_record_read(store, &ownership, error);
    if (status == HAUL_OK) {
        *claim = (struct version_claim){.version = ownership.config_version};
        ownership_fini(&ownership);
    }
    return status;
}

/* --- whose is it ------------------------------------------------------------------------------ */

/* What was recorded before there were instances may be of a copy of the peer. */
bool version_record_is_peer(const struct ownership *ownership, uint32_t index, const char *peer)
{
    const char *recorded = ownership_peer_name(ownership, index);
    return strcmp(recorded, peer) == 0 ||
           (strchr(recorded, '/') != NULL && instance_is(recorded, peer));
}

/* A part of the plan that was handed over to anybody but `peer`; NULL: there is none. */
static const struct range_map_part *find_released_to_others(const struct ownership *ownership,
                                                            const struct plan *plan,
                                                            const char *peer, const char **family)
{
    for (size_t i = 0; i < plan->family_count; i++) {
        *family = plan->families[i].family.name;
        const struct range_map *map = ownership_map(ownership, *family);
        for (size_t j = 0; map != NULL && j < map->count; j++) {
            const struct range_map_part *part = &map->parts[j];
            bool others = part->mark.state == OWNERSHIP_RELEASED &&
                          !version_record_is_peer(ownership, part->mark.peer, peer);
            for (size_t k = 0; k < plan->range_count && others; k++) {
                if (key_range_overlaps(&plan->ranges[k], &part->range)) {
                    return part;
                }
            }
        }
    }
    return NULL;
}

/* A part of the plan that was handed over; NULL: there is none. */
static const struct range_map_part *find_released(const struct ownership *ownership,
                                                  const struct plan *plan, const char **family)
{
    size_t family_count = HAUL_PLANTED_BUG(ONE_FAMILY_LOOKED_UP) ? 1 : plan->family_count;
    for (size_t i = 0; i < family_count; i++) {
        *family = plan->families[i].family.name;
        for (size_t j = 0; j < plan->range_count; j++) {
            const struct range_map_part *part =
                ownership_find(ownership, *family, &plan->ranges[j], OWNERSHIP_RELEASED);
            bool back =
                HAUL_PLANTED_BUG(PART_IS_ALL) &&
                ownership_find(ownership, *family, &plan->ranges[j], OWNERSHIP_IMPORTED) != NULL;
            if (part != NULL && !back) {
                return part;
            }
        }
    }
    return NULL;
}

static enum haul_status refuse_released(const struct ownership *ownership,
                                        const struct range_map_part *part, const char *family,
                                        enum haul_status status, struct haul_error *error)
{
    char start[64];
    const char *peer = ownership_peer_name(ownership, part->mark.peer);
    key_format(key_range_start(&part->range), start, sizeof(start));
    haul_error_set(error, status, NULL, 0,
                   "column family '%s' was handed over from key %s on: database %s owns it now",
                   family, start, peer[0] == '\0' ? "(not recorded)" : peer);
    haul_error_hint(error, "send from the database that owns it; what is left here goes with "
                           "`--range` (`haul owner --db DIR` lists what is not)");
    return status;
}

enum haul_status version_record_check(struct haul_store *store, const struct haul_hooks *hooks,
                                      const struct plan *plan, struct haul_error *error)
{
    struct ownership ownership;
    const char *family = "";
    if (hooks->version_get != NULL) {
        return HAUL_OK;
    }
    enum haul_status status = version_record_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    const struct range_map_part *part = find_released(&ownership, plan, &family);
    if (part != NULL) {
        status = refuse_released(&ownership, part, family, HAUL_MISMATCH, error);
    }
    ownership_fini(&ownership);
    return status;
}

enum haul_status version_record_names_family(struct haul_store *store, const char *family,
                                             bool *named, struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = version_record_read(store, &ownership, error);
    if (status == HAUL_OK) {
        *named = ownership_map(&ownership, family) != NULL;
        ownership_fini(&ownership);
    }
    return status;
}

/* The greatest versions at which the peer gave something to this database, and got something from
 * it: its own counter has been there. A job that was only found out to be the peer's, of which
 * nothing was counted, has a version of this side alone. */
struct peer_versions {
    uint64_t gave;
    uint64_t got;
};

static struct peer_versions versions_of(const struct ownership *ownership, const char *peer)
{
    struct peer_versions versions = {.gave = 0};
    for (size_t i = 0; i < ownership->job_count; i++) {
        const struct ownership_job *job = &ownership->jobs[i];
        bool counts = job->act != OWNERSHIP_RECLAIMED && job->result == HAUL_OK && job->peer != 0 &&
                      version_record_is_peer(ownership, job->peer, peer);
        bool took = job->act == OWNERSHIP_TOOK;
        uint64_t *version = took ? &versions.gave : &versions.got;
        counts = counts && (took || job->records > 0 || job->bytes > 0);
        *version = counts && job->new_version > *version ? job->new_version : *version;
    }
    return versions;
}

/* The version before which the peer did not know that the part is not its own, or had not got it
 * back; 0: neither is so. What it gave, or got back and gave on, may be here from a third database,
 * or have gone there. */
static uint64_t suspect_before(const struct ownership *ownership, const struct range_map_part *part,
                               const char *peer, const struct peer_versions *versions)
{
    bool peers = version_record_is_peer(ownership, part->mark.peer, peer);
    if (part->mark.state == OWNERSHIP_IMPORTED) {
        return peers ? versions->gave : 0;
    }
    bool newest_is_got = peers || versions->got > versions->gave;
    return newest_is_got ? versions->got : versions->gave;
}

/* The greatest of these for the parts that the plan meets. */
static uint64_t plan_suspect_before(const struct ownership *ownership, const char *peer,
                                    const struct plan *plan)
{
    const struct peer_versions versions = versions_of(ownership, peer);
    uint64_t greatest = 0;
    for (size_t i = 0; i < plan->family_count; i++) {
        const struct range_map *map = ownership_map(ownership, plan->families[i].family.name);
        for (size_t j = 0; map != NULL && j < map->count; j++) {
            uint64_t before = suspect_before(ownership, &map->parts[j], peer, &versions);
            for (size_t k = 0; k < plan->range_count && before > greatest; k++) {
                bool meets = key_range_overlaps(&plan->ranges[k], &map->parts[j].range);
                greatest = meets ? before : greatest;
            }
        }
    }
    return greatest;
}

static enum haul_status refuse_set_back(const char *peer, uint64_t version, uint64_t theirs,
                                        bool gave, struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "database %s %s this one at version %" PRIu64 ", and is at version %" PRIu64
                   ": it was restored from before that, or set back",
                   peer, gave ? "gave ranges to" : "got ranges from", version, theirs);
    haul_error_hint(error,
                    gave ? "`haul owner --db DIR` on this side tells what it gave; to give it "
                           "once more: `haul owner --db DIR --forget` on the source, which may "
                           "ask for --accept-two-owners"
                         : "it was: the newer copy is here, `haul owner --db DIR --reclaim "
                           "--accept-two-owners` and `haul send --overwrite --range R` of it on "
                           "this side bring it there; but if its record was rebuilt, its copy is "
                           "newer: after that --reclaim here, send it again");
    return HAUL_MISMATCH;
}

enum haul_status version_record_check_peer(struct haul_store *store, const struct haul_hooks *hooks,
                                           const char *peer, const struct plan *plan,
                                           struct haul_error *error)
{
    struct ownership ownership;
    if (hooks->version_get != NULL || peer[0] == '\0') {
        return HAUL_OK;
    }
    enum haul_status status = version_record_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    uint64_t version = plan_suspect_before(&ownership, peer, plan);
    if (version > plan->old_version) {
        bool gave = version == versions_of(&ownership, peer).gave;
        status = refuse_set_back(peer, version, plan->old_version, gave, error);
    }
    ownership_fini(&ownership);
    return status;
}

/* A journal that is gone may have ended well: the record remembers. */
static enum haul_status find_moved(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                   enum ownership_act act, bool *moved, uint64_t *new_version,
                                   struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = version_record_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    const struct ownership_job *found = ownership_moved(&ownership, job, act);
    *moved = ownership_has_moved(&ownership, job, act);
    *new_version = found == NULL ? 0 : found->new_version;
    ownership_fini(&ownership);
    return HAUL_OK;
}

enum haul_status version_record_released(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], bool *moved,
                                         uint64_t *new_version, struct haul_error *error)
{
    return find_moved(store, job, OWNERSHIP_GAVE, moved, new_version, error);
}

enum haul_status version_record_imported(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], bool *moved,
                                         uint64_t *new_version, struct haul_error *error)
{
    return find_moved(store, job, OWNERSHIP_TOOK, moved, new_version, error);
}

/* --- given back ------------------------------------------------------------------------------- */

static bool is_released_to(const struct ownership *ownership, const struct range_map_part *part,
                           const char *peer)
{
    return part->mark.state == OWNERSHIP_RELEASED &&
           version_record_is_peer(ownership, part->mark.peer, peer);
}

/* How many parts of the map are the peer's now, and how many are not? */
static void count_released(const struct ownership *ownership, const char *peer, size_t *theirs,
                           size_t *others)
{
    for (size_t i = 0; i < ownership->family_count; i++) {
        const struct range_map *map = &ownership->families[i].map;
        for (size_t j = 0; j < map->count; j++) {
            bool released = is_released_to(ownership, &map->parts[j], peer);
            *theirs += released ? 1 : 0;
            *others += released ? 0 : 1;
        }
    }
}

/* Behind the job in the history; in all of it, when that does not reach back so far. */
static bool gave_since(const struct ownership *ownership, const struct ownership_job *since,
                       const char *peer)
{
    bool gave = false;
    for (size_t i = ownership->job_count; i > 0 && &ownership->jobs[i - 1] != since; i--) {
        const struct ownership_job *job = &ownership->jobs[i - 1];
        gave = gave || (job->act == OWNERSHIP_GAVE && job->result == HAUL_OK &&
                        version_record_is_peer(ownership, job->peer, peer));
    }
    return gave;
}

/* The map does not name the job of each range, for neighbours merge: only when the peer has all of
 * it is it certain that nothing of the job is left. */
enum haul_status version_record_returned(struct haul_store *store,
                                         const uint8_t job[HAUL_JOB_BYTES], const char *peer,
                                         enum version_return *returned, struct haul_error *error)
{
    struct ownership ownership;
    size_t theirs = 0;
    size_t others = 0;
    enum haul_status status = version_record_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    const struct ownership_job *took = ownership_moved(&ownership, job, OWNERSHIP_TOOK);
    count_released(&ownership, peer, &theirs, &others);
    bool gave = gave_since(&ownership, took, peer) || (took == NULL && theirs > 0);
    *returned = !gave                       ? VERSION_KEPT
                : theirs > 0 && others == 0 ? VERSION_RETURNED
                                            : VERSION_PERHAPS_RETURNED;
    ownership_fini(&ownership);
    return HAUL_OK;
}

/* Has a part of the plan this state, by a job of `peer`? */
static enum haul_status has_part(struct haul_store *store, const struct plan *plan,
                                 const char *peer, enum ownership_state state, bool *has,
                                 struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = version_record_read(store, &ownership, error);
    *has = false;
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < plan->family_count; i++) {
        const struct range_map *map = ownership_map(&ownership, plan->families[i].family.name);
        for (size_t j = 0; map != NULL && j < map->count; j++) {
            const struct range_map_part *part = &map->parts[j];
            bool theirs = part->mark.state == state &&
                          version_record_is_peer(&ownership, part->mark.peer, peer);
            for (size_t k = 0; k < plan->range_count && theirs && !*has; k++) {
                *has = key_range_overlaps(&plan->ranges[k], &part->range);
            }
        }
    }
    ownership_fini(&ownership);
    return HAUL_OK;
}

enum haul_status version_record_has_from(struct haul_store *store, const struct plan *plan,
                                         const char *peer, bool *has, struct haul_error *error)
{
    return has_part(store, plan, peer, OWNERSHIP_IMPORTED, has, error);
}

enum haul_status version_record_has_given(struct haul_store *store, const struct plan *plan,
                                          const char *peer, bool *has, struct haul_error *error)
{
    return has_part(store, plan, peer, OWNERSHIP_RELEASED, has, error);
}

/* --- moving ----------------------------------------------------------------------------------- */

enum haul_status version_record_settle(struct haul_store *store, struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    enum haul_status status = directory_of(store, directory, error);
    if (status != HAUL_OK || HAUL_PLANTED_BUG(UNSETTLED_SWAP)) {
        return status;
    }
    return ownership_settle(haul_files_of(store), directory, error);
}

static enum ownership_act act_of(const struct version_move *move)
{
    return move->outcome == VERSION_RELEASED ? OWNERSHIP_GAVE : OWNERSHIP_TOOK;
}

static enum haul_status put_ranges(struct ownership *ownership, const struct version_move *move,
                                   uint32_t peer)
{
    const struct plan *plan = move->plan;
    bool released = move->outcome == VERSION_RELEASED || move->given != NULL;
    struct ownership_move to = {
        .ranges = plan->ranges,
        .range_count = plan->range_count,
        .mark = {.state = released ? OWNERSHIP_RELEASED : OWNERSHIP_IMPORTED, .peer = peer}};
    memcpy(to.mark.job, move->job, RANGE_MARK_JOB_BYTES);
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < plan->family_count && status == HAUL_OK; i++) {
        to.family = plan->families[i].family.name;
        status = ownership_put(ownership, &to);
    }
    return status;
}

/* What a part of the source's and a range of the plan have in common, if anything. */
static enum haul_status put_common(struct ownership *ownership, struct ownership_move *to,
                                   const struct key_range *part, const struct key_range *range,
                                   size_t *count)
{
    struct haul_slice start = key_range_start(range);
    struct haul_slice end = key_range_end(range);
    struct key_range common;
    if (!key_range_clip(part, &start, &end)) {
        return HAUL_OK;
    }
    *count += 1;
    enum haul_status status = key_range_init(&common, start, end);
    if (status != HAUL_OK) {
        return status;
    }
    to->ranges = &common;
    to->range_count = 1;
    status = ownership_put(ownership, to);
    key_range_fini(&common);
    return status;
}

/* Of the plan, which is the source's otherwise. `*count`: parts that are ours. */
static enum haul_status put_given(struct ownership *ownership, const struct version_move *move,
                                  uint32_t peer, size_t *count)
{
    const struct plan *plan = move->plan;
    struct ownership_move to = {.mark = {.state = OWNERSHIP_IMPORTED, .peer = peer}};
    memcpy(to.mark.job, move->job, RANGE_MARK_JOB_BYTES);
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < plan->family_count; i++) {
        to.family = plan->families[i].family.name;
        const struct range_map *given = ownership_map(move->given, to.family);
        for (size_t j = 0; given != NULL && j < given->count; j++) {
            for (size_t k = 0; k < plan->range_count && status == HAUL_OK; k++) {
                status =
                    put_common(ownership, &to, &given->parts[j].range, &plan->ranges[k], count);
            }
        }
    }
    return status;
}

/* The ranges, the history, the version. */
static enum haul_status record_move(struct ownership *ownership, const struct version_move *move)
{
    struct ownership_job job = {.act = act_of(move),
                                .result = HAUL_OK,
                                .old_version = move->plan->old_version,
                                .new_version = move->new_version,
                                .time_s = wall_clock_s(),
                                .records = move->records,
                                .bytes = move->bytes};
    memcpy(job.id, move->job, sizeof(job.id));
    enum haul_status status = ownership_peer(ownership, move->peer, &job.peer);
    if (status == HAUL_OK) {
        status = put_ranges(ownership, move, job.peer);
    }
    if (status == HAUL_OK && move->given != NULL) {
        size_t count = 0;
        status = put_given(ownership, move, job.peer, &count);
        status = status == HAUL_OK && count == 0 ? HAUL_NOT_FOUND : status;
    }
    if (status == HAUL_OK) {
        status = ownership_note(ownership, &job);
    }
    uint64_t next = ownership->config_version + 1;
    ownership->config_version = move->new_version > next ? move->new_version : next;
    ownership->epoch = move->epoch > ownership->epoch ? move->epoch : ownership->epoch;
    return status;
}

/* What is prepared here was given by a job that is done, and is the source's again. */
static enum haul_status given_nothing(struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "the job was done, and by the source's record nothing of it is this database's "
                   "any more: it came back, or was taken back there");
    haul_error_hint(error, "compare (`haul verify --to` on the source); what is prepared here goes "
                           "with `haul cancel --db DIR --accept-two-owners` here");
    return HAUL_MISMATCH;
}

struct moving {
    struct haul_store *store;
    const struct version_move *move;
};

/* An ownership_change: the context is a struct moving. */
static enum haul_status change_record(void *context, struct ownership *ownership,
                                      struct haul_error *error)
{
    const struct moving *moving = context;
    const struct version_move *move = moving->move;
    const char *family = "";
    enum haul_status status = haul_place_check(moving->store, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (ownership_moved(ownership, move->job, act_of(move)) != NULL) {
        return HAUL_OK; /* before; writing the record again makes it sure */
    }
    const struct range_map_part *part =
        move->outcome != VERSION_RELEASED ? NULL
        : move->is_owned ? find_released_to_others(ownership, move->plan, move->peer, &family)
                         : find_released(ownership, move->plan, &family);
    if (part != NULL) {
        return refuse_released(ownership, part, family, HAUL_FENCED, error);
    }
    status = record_move(ownership, move);
    if (status == HAUL_LIMIT) {
        haul_error_set(error, status, NULL, 0,
                       "the ownership record of this database has too many separate ranges");
        haul_error_hint(error, "move neighbouring ranges, or the whole column family");
    } else if (status == HAUL_NOT_FOUND) {
        status = given_nothing(error);
    } else if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "no memory for the ownership record");
    }
    return status;
}

static enum haul_status compare_hook(const struct haul_hooks *hooks,
                                     const struct version_move *move, struct haul_error *error)
{
    uint64_t version = 0;
    enum haul_status status = hooks->version_get(hooks->context, &version, error);
    if (status == HAUL_OK && version != move->expected) {
        status = haul_error_set(error, HAUL_FENCED, NULL, 0,
                                "the config version moved from %" PRIu64 " to %" PRIu64
                                " while the job ran",
                                move->expected, version);
    }
    return status;
}

enum haul_status version_record_move(struct haul_store *store, const struct haul_hooks *hooks,
                                     const struct version_move *move, struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    enum haul_status status = haul_place_check(store, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (hooks->version_get != NULL) {
        /* On the target the decision was the source's: its version binds us, whatever ours is. */
        return move->outcome == VERSION_RELEASED ? compare_hook(hooks, move, error) : HAUL_OK;
    }
    status = directory_of(store, directory, error);
    if (status != HAUL_OK) {
        return status;
    }
    const struct file_calls *calls = haul_files_of(store);
    struct moving moving = {.store = store, .move = move};
    return move->waits_briefly ? ownership_update_within(calls, directory, move->wait_max_ms,
                                                         change_record, &moving, error)
                               : ownership_update(calls, directory, change_record, &moving, error);
}

/* The register may have moved on since both sides compared theirs: a job that was left COMMITTED
 * has come to own meanwhile, and the plan is of a source from before that. */
static enum haul_status rehearse_hook(const struct haul_hooks *hooks,
                                      const struct version_move *move, struct haul_error *error)
{
    uint64_t version = 0;
    enum haul_status status = hooks->version_get(hooks->context, &version, error);
    if (status == HAUL_OK && move->new_version <= version) {
        status = haul_error_set(error, HAUL_VERSION, NULL, 0,
                                "the target's config version has moved on: it is %" PRIu64
                                ", and the job would set %" PRIu64,
                                version, move->new_version);
        haul_error_hint(error, "another job has ended meanwhile: bring the source's view up to "
                               "date, and see whether it owns the ranges still");
    }
    return status;
}

enum haul_status version_record_rehearse(struct haul_store *store, const struct haul_hooks *hooks,
                                         const struct version_move *move, struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    struct moving moving = {.store = store, .move = move};
    enum haul_status status = haul_place_check(store, error);
    if (status == HAUL_OK && hooks->version_get != NULL) {
        return rehearse_hook(hooks, move, error);
    }
    if (status == HAUL_OK) {
        status = directory_of(store, directory, error);
    }
    return status == HAUL_OK
               ? ownership_rehearse(haul_files_of(store), directory, change_record, &moving, error)
               : status;
}
