/* SPDX-License-Identifier: Apache-2.0 */
/* lost_jobs.c — what the records of two databases say of each other.
 *
 * That a peer has lost a job stands in the history: the job once more, with the result MISMATCH. */
#include "lost_jobs.h"

#include <stdlib.h>
#include <string.h>

#include "job_journal.h"
#include "ownership_file.h"
#include "version_record.h"
#include "wall_clock.h"

enum { PATH_BYTES_MAX = 1024 };

/* Is there a journal of the job? Its end is not known on both sides then. */
static bool is_open(const struct journal_entry *entries, size_t count,
                    const uint8_t id[HAUL_JOB_BYTES])
{
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found = found || memcmp(entries[i].job_id, id, HAUL_JOB_BYTES) == 0;
    }
    return found;
}

/* Of both roles. Ownership: the caller's (free). */
static enum haul_status list_journals(const struct haul_store *store,
                                      struct journal_entry **entries, size_t *count,
                                      struct haul_error *error)
{
    struct journal_entry *lists[2] = {NULL, NULL};
    size_t counts[2] = {0, 0};
    enum haul_status status = job_journal_list(store, JOURNAL_SOURCE, &lists[0], &counts[0], error);
    if (status == HAUL_OK) {
        status = job_journal_list(store, JOURNAL_TARGET, &lists[1], &counts[1], error);
    }
    struct journal_entry *all =
        status == HAUL_OK ? calloc(counts[0] + counts[1] + 1, sizeof(*all)) : NULL;
    if (status == HAUL_OK && all == NULL) {
        status = haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the journals");
    }
    for (size_t i = 0; all != NULL && i < counts[0] + counts[1]; i++) {
        all[i] = i < counts[0] ? lists[0][i] : lists[1][i - counts[0]];
    }
    free(lists[0]);
    free(lists[1]);
    *entries = all;
    *count = all == NULL ? 0 : counts[0] + counts[1];
    return status;
}

/* --- what there is ---------------------------------------------------------------------------- */

/* Does one of the two own anything by the job? Neighbours merge, and have the newest job's id. */
static bool owns_by(const struct ownership *ownership, const struct ownership_job *job,
                    const char *peer)
{
    enum ownership_state state =
        job->act == OWNERSHIP_GAVE ? OWNERSHIP_RELEASED : OWNERSHIP_IMPORTED;
    return job->act != OWNERSHIP_RECLAIMED && job->result == HAUL_OK &&
           version_record_is_peer(ownership, job->peer, peer) &&
           ownership_names(ownership, job->id, state);
}

static void list_jobs(const struct ownership *ownership, const char *peer,
                      const struct journal_entry *entries, size_t count, struct job_list *moved)
{
    bool fits = true;
    for (size_t i = ownership->job_count; i > 0 && fits; i--) {
        const struct ownership_job *job = &ownership->jobs[i - 1];
        if (owns_by(ownership, job, peer) && !is_open(entries, count, job->id)) {
            fits = job_list_add(moved, job->id);
        }
    }
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
    enum haul_status status = version_record_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (ownership.job_count > 0) {
        status = list_journals(store, &entries, &count, error);
    }
    if (status == HAUL_OK) {
        list_jobs(&ownership, peer, entries, count, moved);
    }
    free(entries);
    ownership_fini(&ownership);
    return status;
}

/* --- what is missing -------------------------------------------------------------------------- */

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
    enum haul_status status = version_record_read(store, &ownership, error);
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

/* --- what became of what was given ------------------------------------------------------------ */

/* The newest that the history says of what was given by the job. */
static const struct ownership_job *newest_of(const struct ownership *ownership,
                                             const uint8_t id[HAUL_JOB_BYTES])
{
    for (size_t i = ownership->job_count; i > 0; i--) {
        const struct ownership_job *job = &ownership->jobs[i - 1];
        if (job->act == OWNERSHIP_GAVE && memcmp(job->id, id, HAUL_JOB_BYTES) == 0) {
            return job;
        }
    }
    return NULL;
}

static bool is_lost(const struct ownership_job *newest)
{
    return newest != NULL && newest->result == HAUL_MISMATCH;
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
        const struct ownership_job *newest = newest_of(ownership, job_list_at(noting->lost, i));
        if (newest == NULL || is_lost(newest) ||
            !version_record_is_peer(ownership, newest->peer, noting->peer)) {
            continue;
        }
        struct ownership_job job = *newest;
        job.result = HAUL_MISMATCH;
        job.time_s = wall_clock_s();
        status = ownership_note(ownership, &job);
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

static bool piece_is_lost(const struct ownership *ownership, const struct owner_piece *piece)
{
    const struct range_map *map = ownership_map(ownership, piece->family);
    bool lost = false;
    for (size_t i = 0; map != NULL && i < map->count && !lost; i++) {
        const struct range_map_part *part = &map->parts[i];
        lost = part->mark.state == OWNERSHIP_RELEASED &&
               key_range_overlaps(&part->range, &piece->range) &&
               is_lost(newest_of(ownership, part->mark.job));
    }
    return lost;
}

enum haul_status lost_jobs_check(struct haul_store *store, const struct owner_pieces *pieces,
                                 struct haul_error *error)
{
    struct ownership ownership;
    bool lost = false;
    enum haul_status status = version_record_read(store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < pieces->count; i++) {
        lost = lost || piece_is_lost(&ownership, &pieces->items[i]);
    }
    ownership_fini(&ownership);
    if (!lost) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "the database that these ranges were given to was set back to before it got "
                   "them: the newer copy is here, and perhaps the only one");
    haul_error_hint(error, "`haul owner --db DIR --reclaim --accept-two-owners` and `haul send "
                           "--overwrite` bring it there; --accept-loss deletes it here");
    return HAUL_MISMATCH;
}

enum haul_status lost_jobs_note_rebuilt(struct ownership *ownership, uint64_t time_s)
{
    const struct ownership_job rebuilt = {
        .act = OWNERSHIP_RECLAIMED, .result = HAUL_CORRUPT, .time_s = time_s};
    return ownership_note(ownership, &rebuilt);
}
