/* SPDX-License-Identifier: Apache-2.0 */
/* lost_jobs.c — compares the ownership records of two databases.
 *
 * The history records a peer's loss as a second entry of the job, with the result MISMATCH; and
 * with UNCONFIRMED that the job was ended here before its target had confirmed it. */
#include "lost_jobs.h"

#include <stdlib.h>
#include <string.h>

#include "config_version.h"
#include "haul_folder.h"
#include "journal_directory.h"
#include "ownership_file.h"
#include "wall_clock.h"

enum { PATH_BYTES_MAX = 1024 };

/* Does the job have a journal? Then its end is not known on both sides. */
static bool is_open(const struct journal_entry *entries, size_t count,
                    const uint8_t id[HAUL_JOB_BYTES])
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found = found || memcmp(entries[i].job_id, id, HAUL_JOB_BYTES) == 0;
    }
    return found;
}

/* The journals of both roles. Ownership: the caller's (free). Errors: INVALID, and those of
 * journal_directory_list. */
static enum haul_status list_journals(const struct haul_store *store,
                                      struct journal_entry **entries, size_t *count,
                                      struct haul_error *error)
{
    char path[PATH_BYTES_MAX];
    return haul_directory_of(store, path, sizeof(path))
               ? journal_directory_list(haul_files_of(store), path, entries, count, error)
               : haul_directory_too_long(error);
}

/* --- this side's jobs ------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, HAUL_JOB_BYTES);
}

/* The jobs that the map names, in order: a record may have as many parts as it has jobs, and more.
 * Ownership: the caller's (free). NULL: no memory. */
static uint8_t *sort_named(const struct ownership *ownership, size_t *count)
{
    size_t parts = 0;
    for (size_t i = 0; i < ownership->family_count; i++) {
        parts += ownership->families[i].map.count;
    }
    uint8_t *ids = calloc(parts + 1, HAUL_JOB_BYTES);
    *count = 0;
    for (size_t i = 0; ids != NULL && i < ownership->family_count; i++) {
        const struct range_map *map = &ownership->families[i].map;
        for (size_t j = 0; j < map->count; j++) {
            memcpy(&ids[*count * HAUL_JOB_BYTES], map->parts[j].mark.job, HAUL_JOB_BYTES);
            *count += 1;
        }
    }
    if (ids != NULL) {
        qsort(ids, *count, HAUL_JOB_BYTES, compare_ids);
    }
    return ids;
}

/* The newest jobs by which one of the two owns anything. Neighbours merge and keep the newest job's
 * id. Errors: NO_MEMORY. */
static enum haul_status list_jobs(const struct ownership *ownership, const char *peer,
                                  const struct journal_entry *entries, size_t count,
                                  struct job_list *moved)
{
    size_t named = 0;
    bool fits = true;
    uint8_t *ids = sort_named(ownership, &named);
    if (ids == NULL) {
        return HAUL_NO_MEMORY;
    }
    for (size_t i = ownership->job_count; i > 0 && fits; i--) {
        const struct ownership_job *job = &ownership->jobs[i - 1];
        if (job->act != OWNERSHIP_RECLAIMED && job->result == HAUL_OK &&
            config_version_is_peer(ownership, job->peer, peer) &&
            bsearch(job->id, ids, named, HAUL_JOB_BYTES, compare_ids) != NULL &&
            !is_open(entries, count, job->id)) {
            fits = job_list_add(moved, job->id);
        }
    }
    free(ids);
    return HAUL_OK;
}

enum haul_status lost_jobs_list(struct haul_store *store, const struct haul_hooks *hooks,
                                const char *peer, struct job_list *moved, struct haul_error *error)
{
    struct ownership ownership;
    struct journal_entry *entries = NULL;
    size_t count = 0;
    moved->size_bytes = 0;
    if (hooks->version_get != NULL || peer[0] == '\0') {
        return HAUL_OK;
    }
    enum haul_status status = config_version_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (ownership.job_count > 0) {
        status = list_journals(store, &entries, &count, error);
    }
    if (status == HAUL_OK) {
        status = list_jobs(&ownership, peer, entries, count, moved);
    }
    if (status == HAUL_NO_MEMORY) {
        haul_error_set(error, status, "calloc", 0, "no memory for the jobs");
    }
    free(entries);
    ownership_fini(&ownership);
    return status;
}

/* --- missing jobs ----------------------------------------------------------------------------- */

/* The history of format 1 is empty. */
static bool knows_all_jobs(const struct ownership *ownership)
{
    bool knows = ownership->job_count < OWNERSHIP_JOB_COUNT_MAX &&
                 (ownership->job_count > 0 || ownership->config_version == 0);
    for (size_t i = 0; i < ownership->job_count && knows; i++) {
        const struct ownership_job *job = &ownership->jobs[i];
        knows = job->act != OWNERSHIP_RECLAIMED || job->result != HAUL_CORRUPT;
    }
    return knows;
}

static void look_at(const struct ownership *ownership, const struct journal_entry *entries,
                    size_t count, const struct job_list *moved, struct job_list *lost)
{
    for (size_t i = 0; i < job_list_count(moved); i++) {
        const uint8_t *id = job_list_at(moved, i);
        bool has = ownership_has_moved(ownership, id, OWNERSHIP_TOOK) ||
                   ownership_has_moved(ownership, id, OWNERSHIP_GAVE) ||
                   is_open(entries, count, id);
        (void)(has || job_list_add(lost, id));
    }
}

enum haul_status lost_jobs_look(struct haul_store *store, const struct haul_hooks *hooks,
                                const struct job_list *moved, struct job_list *lost,
                                struct haul_error *error)
{
    struct ownership ownership;
    struct journal_entry *entries = NULL;
    size_t count = 0;
    lost->size_bytes = 0;
    if (hooks->version_get != NULL || moved->size_bytes == 0) {
        return HAUL_OK;
    }
    enum haul_status status = config_version_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (knows_all_jobs(&ownership)) {
        status = list_journals(store, &entries, &count, error);
        if (status == HAUL_OK) {
            look_at(&ownership, entries, count, moved, lost);
        }
    }
    free(entries);
    ownership_fini(&ownership);
    return status;
}

/* --- lost ranges ------------------------------------------------------------------------------ */

/* `what`: MISMATCH or UNCONFIRMED. */
static bool is_noted(const struct ownership *ownership, const uint8_t id[HAUL_JOB_BYTES],
                     enum haul_status what)
{
    bool found = false;
    for (size_t i = 0; i < ownership->job_count && !found; i++) {
        const struct ownership_job *job = &ownership->jobs[i];
        found = job->act == OWNERSHIP_GAVE && job->result == what &&
                memcmp(job->id, id, HAUL_JOB_BYTES) == 0;
    }
    return found;
}

/* Errors: NO_MEMORY. */
static enum haul_status note(struct ownership *ownership, const uint8_t id[HAUL_JOB_BYTES],
                             enum haul_status what)
{
    const struct ownership_job *gave = ownership_moved(ownership, id, OWNERSHIP_GAVE);
    if (gave == NULL || is_noted(ownership, id, what)) {
        return HAUL_OK;
    }
    struct ownership_job job = *gave;
    job.result = what;
    job.time_s = wall_clock_s();
    return ownership_note(ownership, &job);
}

struct noting {
    const char *peer;
    const struct job_list *lost;
};

/* An ownership_change. */
static enum haul_status note_lost(void *context, struct ownership *ownership,
                                  struct haul_error *error)
{
    const struct noting *noting = context;
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < job_list_count(noting->lost) && status == HAUL_OK; i++) {
        const uint8_t *id = job_list_at(noting->lost, i);
        const struct ownership_job *gave = ownership_moved(ownership, id, OWNERSHIP_GAVE);
        if (gave != NULL && config_version_is_peer(ownership, gave->peer, noting->peer)) {
            status = note(ownership, id, HAUL_MISMATCH);
        }
    }
    return status == HAUL_OK ? status
                             : haul_error_set(error, status, NULL, 0, "no memory for a record");
}

enum haul_status lost_jobs_note(struct haul_store *store, const char *peer,
                                const struct job_list *lost, struct haul_error *error)
{
    char path[PATH_BYTES_MAX];
    struct noting noting = {.peer = peer, .lost = lost};
    if (lost->size_bytes == 0) {
        return HAUL_OK;
    }
    return haul_directory_of(store, path, sizeof(path))
               ? ownership_update(haul_files_of(store), path, note_lost, &noting, error)
               : haul_directory_too_long(error);
}

/* An ownership_change: the context is the job. */
static enum haul_status note_unconfirmed(void *context, struct ownership *ownership,
                                         struct haul_error *error)
{
    enum haul_status status = note(ownership, context, HAUL_UNCONFIRMED);
    return status == HAUL_OK ? status
                             : haul_error_set(error, status, NULL, 0, "no memory for a record");
}

enum haul_status lost_jobs_note_unconfirmed(struct haul_store *store,
                                            const uint8_t job[HAUL_JOB_BYTES],
                                            struct haul_error *error)
{
    char path[PATH_BYTES_MAX];
    uint8_t id[HAUL_JOB_BYTES];
    bool gave = false;
    uint64_t ignored = 0;
    memcpy(id, job, sizeof(id));
    enum haul_status status = config_version_released(store, job, &gave, &ignored, error);
    if (status != HAUL_OK || !gave) {
        return status;
    }
    return haul_directory_of(store, path, sizeof(path))
               ? ownership_update(haul_files_of(store), path, note_unconfirmed, id, error)
               : haul_directory_too_long(error);
}

static bool has(const struct job_list *jobs, const uint8_t id[HAUL_JOB_BYTES])
{
    bool found = false;
    for (size_t i = 0; i < job_list_count(jobs); i++) {
        found = found || memcmp(job_list_at(jobs, i), id, HAUL_JOB_BYTES) == 0;
    }
    return found;
}

/* An ownership_change: the context is a job list. */
static enum haul_status forget_unconfirmed(void *context, struct ownership *ownership,
                                           struct haul_error *error)
{
    const struct job_list *jobs = context;
    size_t kept = 0;
    (void)error;
    for (size_t i = 0; i < ownership->job_count; i++) {
        const struct ownership_job *job = &ownership->jobs[i];
        bool goes =
            job->act == OWNERSHIP_GAVE && job->result == HAUL_UNCONFIRMED && has(jobs, job->id);
        ownership->jobs[kept] = *job;
        kept += goes ? 0 : 1;
    }
    ownership->job_count = kept;
    return HAUL_OK;
}

enum haul_status lost_jobs_confirm(struct haul_store *store, const struct job_list *jobs,
                                   struct haul_error *error)
{
    char path[PATH_BYTES_MAX];
    struct ownership ownership;
    bool any = false;
    if (jobs->size_bytes == 0) {
        return HAUL_OK;
    }
    enum haul_status status = config_version_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < job_list_count(jobs); i++) {
        any = any || is_noted(&ownership, job_list_at(jobs, i), HAUL_UNCONFIRMED);
    }
    ownership_fini(&ownership);
    if (!any) {
        return HAUL_OK;
    }
    return haul_directory_of(store, path, sizeof(path))
               ? ownership_update(haul_files_of(store), path, forget_unconfirmed,
                                  (void *)(uintptr_t)jobs, error)
               : haul_directory_too_long(error);
}

static bool piece_is_noted(const struct ownership *ownership, const struct owner_piece *piece,
                           enum haul_status what)
{
    const struct range_map *map = ownership_map(ownership, piece->family);
    bool noted = false;
    for (size_t i = 0; map != NULL && i < map->count && !noted; i++) {
        const struct range_map_part *part = &map->parts[i];
        noted = part->mark.state == OWNERSHIP_RELEASED &&
                key_range_overlaps(&part->range, &piece->range) &&
                is_noted(ownership, part->mark.job, what);
    }
    return noted;
}

static enum haul_status refuse_lost(struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "the database that got these ranges was set back to before it got them: the "
                   "newer copy is here, and perhaps the only one");
    haul_error_hint(error, "`haul owner --db DIR --reclaim --accept-two-owners` and `haul send "
                           "--overwrite` bring it there; --accept-loss deletes it here");
    return HAUL_MISMATCH;
}

static enum haul_status refuse_unconfirmed(struct haul_error *error)
{
    haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                   "the job of these ranges was ended here before its target had confirmed it: the "
                   "copy here is perhaps the only one");
    haul_error_hint(error, "`haul resolve --db DIR --to ADDR:PORT` asks the target; when it "
                           "owns the ranges and cannot say so: --accept-loss");
    return HAUL_UNCONFIRMED;
}

enum haul_status lost_jobs_check(struct haul_store *store, const struct owner_pieces *pieces,
                                 struct haul_error *error)
{
    struct ownership ownership;
    bool lost = false;
    bool unconfirmed = false;
    enum haul_status status = config_version_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < pieces->count; i++) {
        const struct owner_piece *piece = &pieces->items[i];
        lost = lost || piece_is_noted(&ownership, piece, HAUL_MISMATCH);
        unconfirmed = unconfirmed || piece_is_noted(&ownership, piece, HAUL_UNCONFIRMED);
    }
    ownership_fini(&ownership);
    return lost ? refuse_lost(error) : unconfirmed ? refuse_unconfirmed(error) : HAUL_OK;
}

enum haul_status lost_jobs_note_rebuilt(struct ownership *ownership, uint64_t time_s)
{
    const struct ownership_job rebuilt = {
        .act = OWNERSHIP_RECLAIMED, .result = HAUL_CORRUPT, .time_s = time_s};
    return ownership_note(ownership, &rebuilt);
}
