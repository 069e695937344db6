/* SPDX-License-Identifier: Apache-2.0 */
/* owner_change.c — takes ranges back, and rebuilds a damaged record. */
#include "owner_change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "durable_file.h"
#include "job_journal.h"
#include "journal_directory.h"
#include "lost_jobs.h"
#include "owner_pieces.h"
#include "ownership_file.h"
#include "wall_clock.h"

enum haul_status owner_open_journal(const struct file_calls *calls, const char *directory,
                                    const struct journal_entry *entry, bool read_only,
                                    struct journal **journal, struct haul_error *error)
{
    char identity[HAUL_IDENTITY_BYTES_MAX];
    struct journal_config config = {
        .directory = directory, .role = entry->role, .calls = calls, .read_only = true};
    memcpy(config.job_id, entry->job_id, HAUL_JOB_BYTES);
    enum haul_status status = journal_open(&config, journal, error);
    if (status != HAUL_OK || read_only) {
        return status;
    }
    (void)snprintf(identity, sizeof(identity), "%s", journal_identity(*journal));
    journal_close(*journal);
    *journal = NULL;
    config.identity = identity;
    config.read_only = false;
    return journal_open(&config, journal, error);
}

enum haul_status owner_lock_file(const struct file_calls *calls, const char *directory,
                                 const char *name, int *fd, struct haul_error *error)
{
    char path[DURABLE_FILE_PATH_BYTES_MAX];
    enum haul_status status = durable_file_path(directory, name, path, error);
    if (status == HAUL_OK) {
        status = durable_file_open(calls, path, O_RDWR | O_NOFOLLOW, fd, error);
    }
    if (status == HAUL_OK) {
        status = durable_file_lock(calls, *fd, path, error);
        if (status != HAUL_OK) {
            (void)calls->close(calls->context, *fd);
            *fd = -1;
        }
    }
    return status;
}

/* --- reclaim ---------------------------------------------------------------------------------- */

/* Does the selection cover the whole plan? */
static bool covers_plan(const struct haul_owner_selection *selection, const struct plan *plan)
{
    struct range_map map = {.count = 0};
    bool covered = true;
    for (size_t i = 0; i < plan->family_count; i++) {
        covered = covered && owner_selects(selection, plan->families[i].family.name);
    }
    for (size_t i = 0; i < selection->range_count && covered; i++) {
        struct key_range range;
        const struct range_mark mark = {.state = 1};
        covered =
            key_range_init(&range, selection->ranges[i].start, selection->ranges[i].end) == HAUL_OK;
        if (covered) {
            covered = range_map_put(&map, &range, 1, &mark) == HAUL_OK;
            key_range_fini(&range);
        }
    }
    for (size_t i = 0; i < plan->range_count && selection->range_count > 0; i++) {
        covered = covered && range_map_covers(&map, &plan->ranges[i], 0);
    }
    range_map_fini(&map);
    return covered;
}

/* Errors: NO_MEMORY. */
static enum haul_status put_released(struct range_map *map, const struct range_map *from)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < from->count && status == HAUL_OK; i++) {
        const struct range_map_part *part = &from->parts[i];
        if (part->mark.state == OWNERSHIP_RELEASED) {
            status = range_map_put(map, &part->range, 1, &part->mark);
        }
    }
    return status;
}

/* Errors: INVALID, NO_MEMORY. */
static enum haul_status take_selected(struct range_map *map,
                                      const struct haul_owner_selection *selection)
{
    const struct range_mark ours = {.state = OWNERSHIP_OWN};
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < selection->range_count && status == HAUL_OK; i++) {
        struct key_range range;
        status = key_range_init(&range, selection->ranges[i].start, selection->ranges[i].end);
        if (status == HAUL_OK) {
            status = range_map_put(map, &range, 1, &ours);
            key_range_fini(&range);
        }
    }
    return status;
}

/* After the change, is no range of the plan given away? */
static bool leaves_nothing(const struct haul_owner_selection *selection,
                           const struct ownership *ownership, const struct plan *plan)
{
    bool nothing = true;
    for (size_t i = 0; i < plan->family_count && nothing; i++) {
        const char *family = plan->families[i].family.name;
        const struct range_map *now = ownership_map(ownership, family);
        struct range_map map = {.count = 0};
        bool selected = owner_selects(selection, family);
        bool all = now == NULL || (selected && selection->range_count == 0);
        nothing = all || (put_released(&map, now) == HAUL_OK &&
                          (!selected || take_selected(&map, selection) == HAUL_OK));
        for (size_t j = 0; j < plan->range_count && nothing && !all; j++) {
            nothing = range_map_find(&map, &plan->ranges[j], OWNERSHIP_RELEASED) == NULL;
        }
        range_map_fini(&map);
    }
    return nothing;
}

/* The hand-over was decided, by journal or ownership record. */
static bool was_decided(const struct journal *journal, const struct ownership *ownership)
{
    return job_journal_was_decided(
        journal, ownership_has_moved(ownership, journal_job_id(journal), OWNERSHIP_GAVE));
}

static enum haul_status mark(struct journal *journal, enum journal_type type,
                             struct haul_error *error)
{
    const struct journal_record record = {.type = type};
    return journal_append(journal, &record, true, error);
}

/* Takes the job's versions from the history, if it reaches back to the job. */
static enum haul_status catch_up(struct journal *journal, const struct ownership *ownership,
                                 struct haul_error *error)
{
    const struct ownership_job *moved =
        ownership_moved(ownership, journal_job_id(journal), OWNERSHIP_GAVE);
    struct plan plan;
    if (moved != NULL) {
        return job_journal_decide_late(journal, moved->old_version, moved->new_version, error);
    }
    enum haul_status status = job_journal_read_plan(journal, &plan, error);
    if (status == HAUL_OK) {
        status = job_journal_decide_late(journal, plan.old_version, plan.new_version, error);
        plan_fini(&plan);
    }
    return status;
}

enum haul_status owner_end_decided(struct journal *journal, const struct ownership *ownership,
                                   struct haul_error *error)
{
    bool decided = was_decided(journal, ownership);
    enum haul_status status = HAUL_OK;
    if (decided && journal_state(journal)->outcome == JOURNAL_OPEN) {
        status = catch_up(journal, ownership, error);
    }
    if (status == HAUL_OK && journal_state(journal)->phase == JOURNAL_PHASE_COMMITTED) {
        status = mark(journal, JOURNAL_RELEASED, error);
    }
    if (status == HAUL_OK) {
        return job_journal_finish(journal, error);
    }
    journal_close(journal);
    return status;
}

/* End the jobs whose hand-over is taken back completely and whose target has not confirmed it. */
static enum haul_status end_all_decided(const struct file_calls *calls, const char *directory,
                                        const struct haul_owner_selection *selection,
                                        const struct ownership *ownership, struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status = journal_directory_list(calls, directory, &entries, &count, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        struct journal *journal = NULL;
        struct plan plan;
        status = owner_open_journal(calls, directory, &entries[i], true, &journal, error);
        bool ends = status == HAUL_OK && was_decided(journal, ownership);
        if (ends) {
            status = job_journal_read_plan(journal, &plan, error);
            ends = status == HAUL_OK;
        }
        if (ends) {
            bool known = ownership_has_moved(ownership, journal_job_id(journal), OWNERSHIP_GAVE);
            ends = covers_plan(selection, &plan) ||
                   (known && leaves_nothing(selection, ownership, &plan));
            plan_fini(&plan);
        }
        journal_close(journal);
        journal = NULL;
        if (ends) {
            status = owner_open_journal(calls, directory, &entries[i], false, &journal, error);
        }
        if (ends && status == HAUL_OK) {
            status = owner_end_decided(journal, ownership, error);
        }
        /* A damaged journal does not prevent taking a range back. */
        status = status == HAUL_NOT_FOUND || status == HAUL_CORRUPT ? HAUL_OK : status;
    }
    free(entries);
    return status;
}

/* An ownership_change: the context is the selection. */
static enum haul_status take_back(void *context, struct ownership *ownership,
                                  struct haul_error *error)
{
    const struct haul_owner_selection *selection = context;
    struct owner_pieces pieces = {.count = 0};
    const struct ownership_job note = {.act = OWNERSHIP_RECLAIMED,
                                       .result = HAUL_OK,
                                       .old_version = ownership->config_version,
                                       .new_version = ownership->config_version + 1,
                                       .time_s = wall_clock_s()};
    uint32_t nobody = 0;
    enum haul_status status = owner_pieces_add_all(&pieces, ownership, selection, error);
    if (status == HAUL_OK) {
        status = ownership_peer(ownership, "", &nobody);
    }
    for (size_t i = 0; i < pieces.count && status == HAUL_OK; i++) {
        const struct ownership_move move = {.family = pieces.items[i].family,
                                            .ranges = &pieces.items[i].range,
                                            .range_count = 1,
                                            .mark = {.state = OWNERSHIP_OWN}};
        status = ownership_put(ownership, &move);
    }
    if (status == HAUL_OK) {
        ownership->config_version++;
        status = ownership_note(ownership, &note);
    }
    owner_pieces_fini(&pieces);
    return status == HAUL_OK ? HAUL_OK
                             : haul_error_set(error, status, NULL, 0,
                                              "the ownership record cannot take the change");
}

static enum haul_status check_reclaim(const struct ownership *ownership,
                                      const struct haul_owner_selection *selection,
                                      bool accept_two_owners, struct haul_error *error)
{
    struct owner_pieces pieces = {.count = 0};
    enum haul_status status = owner_pieces_add_all(&pieces, ownership, selection, error);
    size_t count = pieces.count;
    const struct range_map_part *part =
        count == 0 ? NULL
                   : ownership_find(ownership, pieces.items[0].family, &pieces.items[0].range,
                                    OWNERSHIP_RELEASED);
    const char *peer = part == NULL ? "" : ownership_peer_name(ownership, part->mark.peer);
    if (status == HAUL_OK && count == 0) {
        status = haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                                "none of the selected ranges were handed over");
        haul_error_hint(error, "`haul owner --db DIR` lists those that were");
    } else if (status == HAUL_OK && !accept_two_owners) {
        status = haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                                "database %s owns these ranges: if it is still there, the same "
                                "keys have two owners from then on, and their contents diverge",
                                peer[0] == '\0' ? "(not recorded)" : peer);
        haul_error_hint(error,
                        "if it is lost for good: --accept-two-owners; records that `haul drop` has "
                        "deleted here do not come back");
    }
    owner_pieces_fini(&pieces);
    return status;
}

static bool plan_meets(const struct plan *plan, const struct owner_pieces *pieces)
{
    bool meets = false;
    for (size_t i = 0; i < plan->family_count; i++) {
        for (size_t j = 0; j < pieces->count; j++) {
            const struct owner_piece *piece = &pieces->items[j];
            bool same = piece->family[0] == '\0' ||
                        strcmp(piece->family, plan->families[i].family.name) == 0;
            for (size_t k = 0; k < plan->range_count && same && !meets; k++) {
                meets = key_range_overlaps(&plan->ranges[k], &piece->range);
            }
        }
    }
    return meets;
}

/* Does a process hold the journal? */
static enum haul_status look_held(const struct file_calls *calls, const char *directory,
                                  const struct journal_entry *entry, bool *held,
                                  struct haul_error *error)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    int fd = -1;
    struct haul_error ignored;
    journal_name_format(entry->role, entry->job_id, name);
    enum haul_status status = owner_lock_file(calls, directory, name, &fd, &ignored);
    *held = status == HAUL_BUSY;
    if (status == HAUL_OK) {
        (void)calls->close(calls->context, fd);
    }
    status = status == HAUL_BUSY || status == HAUL_NOT_FOUND ? HAUL_OK : status;
    if (status != HAUL_OK) {
        *error = ignored;
    }
    return status;
}

/* Does an unfinished job overlap the pieces? A job without a plan may.
 * Errors: those of opening and reading; `*meets` is false then. */
static enum haul_status look_met(const struct journal *journal, bool held,
                                 const struct owner_pieces *pieces, bool *meets,
                                 struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    struct plan plan;
    *meets = false;
    if (state->phase == JOURNAL_PHASE_DONE) {
        return HAUL_OK;
    }
    enum haul_status status = job_journal_read_plan(journal, &plan, error);
    if (status == HAUL_NOT_FOUND) {
        *meets = held && state->role == JOURNAL_TARGET;
        return HAUL_OK;
    }
    if (status == HAUL_OK) {
        *meets = plan_meets(&plan, pieces);
        plan_fini(&plan);
    }
    return status;
}

enum haul_status owner_refuse_returning(const struct journal *journal, bool runs,
                                        struct haul_error *error)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    enum journal_phase phase = journal_state(journal)->phase;
    journal_name_format(JOURNAL_TARGET, journal_job_id(journal), name);
    if (runs) {
        haul_error_set(error, HAUL_BUSY, NULL, 0,
                       "a process runs a job that brings a part of these ranges back here: %s",
                       name);
        haul_error_hint(error, "wait for its end, or stop it");
        return HAUL_BUSY;
    }
    haul_error_set(error, HAUL_EXISTS, NULL, 0,
                   "a job that brings a part of these ranges back here is not finished: %s is %s",
                   name, journal_phase_name(phase));
    haul_error_hint(
        error, phase == JOURNAL_PHASE_PREPARED
                   ? "`haul recv --db DIR`, and its source settles it; if that is lost for good: "
                     "`haul cancel --db DIR --job ID --accept-two-owners`"
               : phase == JOURNAL_PHASE_COMMITTED
                   ? "`haul recv --db DIR` or `haul cancel --db DIR --job ID` finishes it"
                   : "`haul recv --db DIR`, and its source continues it; `haul cancel --db "
                     "DIR --job ID` gives it up");
    return HAUL_EXISTS;
}

/* Giving up an unfinished job removes the records that it has brought here: they must not be ours
 * by then. A running source continues as if the other database owned the ranges. Errors: BUSY,
 * EXISTS, those of opening. */
static enum haul_status check_job(const struct file_calls *calls, const char *directory,
                                  const struct journal_entry *entry,
                                  const struct owner_pieces *pieces, struct haul_error *error)
{
    struct journal *journal = NULL;
    bool target = entry->role == JOURNAL_TARGET;
    bool held = false;
    bool meets = false;
    enum haul_status status = look_held(calls, directory, entry, &held, error);
    if (status == HAUL_OK) {
        status = owner_open_journal(calls, directory, entry, true, &journal, error);
    }
    if (status == HAUL_OK) {
        status = look_met(journal, held, pieces, &meets, error);
    }
    if (meets && target) {
        status = owner_refuse_returning(journal, held, error);
    }
    journal_close(journal);
    if (status == HAUL_NOT_FOUND || (status == HAUL_CORRUPT && !target && !held)) {
        return HAUL_OK; /* over meanwhile; or a source's, which the record shows */
    }
    if (status == HAUL_CORRUPT) {
        haul_error_hint(error, "`haul cancel --db DIR --job ID --accept-two-owners` moves the "
                               "journal aside");
    } else if (meets && held && !target) {
        status = haul_error_set(error, HAUL_BUSY, NULL, 0,
                                "a process runs a job that gives a part of these ranges away");
        haul_error_hint(error, "wait for its end, or stop it");
    }
    return status;
}

static enum haul_status check_jobs(const struct file_calls *calls, const char *directory,
                                   const struct haul_owner_selection *selection,
                                   const struct ownership *ownership, struct haul_error *error)
{
    struct owner_pieces pieces = {.count = 0};
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status = owner_pieces_add_all(&pieces, ownership, selection, error);
    if (status == HAUL_OK) {
        status = journal_directory_list(calls, directory, &entries, &count, error);
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        status = check_job(calls, directory, &entries[i], &pieces, error);
    }
    free(entries);
    owner_pieces_fini(&pieces);
    return status;
}

/* Without the lock: is there anything to take back, and is it allowed? */
static enum haul_status ask_reclaim(const struct file_calls *calls, const char *directory,
                                    const struct haul_owner_selection *selection,
                                    bool accept_two_owners, uint64_t *version,
                                    struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = ownership_read(calls, directory, &ownership, error);
    if (status == HAUL_OK) {
        status = check_reclaim(&ownership, selection, accept_two_owners, error);
        *version = ownership.config_version;
        ownership_fini(&ownership);
    }
    return status;
}

/* With the lock held: no job can decide from here on. */
static enum haul_status reclaim_locked(const struct file_calls *calls, const char *directory,
                                       const struct haul_owner_selection *selection,
                                       uint64_t version, struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = ownership_read(calls, directory, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (ownership.config_version != version) {
        status = haul_error_set(error, HAUL_BUSY, NULL, 0,
                                "a job has moved ranges of this database meanwhile");
        haul_error_hint(error, "look at `haul owner --db DIR`, and try again");
    }
    if (status == HAUL_OK) {
        status = check_jobs(calls, directory, selection, &ownership, error);
    }
    if (status == HAUL_OK) { /* first: after a crash the ranges can be taken back again */
        status = end_all_decided(calls, directory, selection, &ownership, error);
    }
    ownership_fini(&ownership);
    return status == HAUL_OK ? ownership_update_locked(calls, directory, take_back,
                                                       (void *)(uintptr_t)selection, error)
                             : status;
}

enum haul_status owner_reclaim(const struct file_calls *calls, const char *directory,
                               const struct haul_owner_selection *selection, bool accept_two_owners,
                               struct haul_error *error)
{
    const struct file_calls *used = file_calls_or_system(calls);
    int lock_fd = -1;
    uint64_t version = 0;
    enum haul_status status =
        ask_reclaim(used, directory, selection, accept_two_owners, &version, error);
    if (status == HAUL_OK) {
        status = ownership_lock(used, directory, &lock_fd, error);
    }
    if (status == HAUL_OK) {
        status = reclaim_locked(used, directory, selection, version, error);
        ownership_unlock(used, lock_fd);
    }
    return status;
}

/* --- rebuild ---------------------------------------------------------------------------------- */

struct rebuilding {
    const struct file_calls *calls;
    const char *directory;
};

/* Put the owner of the ranges by one journal. A source in doubt may have decided, which only the
 * lost record showed: its ranges count as handed over, but by no job, so that the job does not
 * count as decided. */
static enum haul_status put_plan(struct ownership *ownership, const struct journal *journal,
                                 const struct plan *plan)
{
    const struct journal_state *state = journal_state(journal);
    struct ownership_move move = {.ranges = plan->ranges, .range_count = plan->range_count};
    bool gave = state->role == JOURNAL_SOURCE;
    bool decided = state->outcome == JOURNAL_COMMIT;
    enum haul_status status = ownership_peer(ownership, state->peer, &move.mark.peer);
    move.mark.state = gave ? OWNERSHIP_RELEASED : OWNERSHIP_IMPORTED;
    if (decided) {
        memcpy(move.mark.job, journal_job_id(journal), HAUL_JOB_BYTES);
    }
    for (size_t i = 0; i < plan->family_count && status == HAUL_OK; i++) {
        move.family = plan->families[i].family.name;
        status = ownership_put(ownership, &move);
    }
    struct ownership_job job = {.act = gave ? OWNERSHIP_GAVE : OWNERSHIP_TOOK,
                                .peer = move.mark.peer,
                                .old_version = plan->old_version,
                                .new_version = !decided ? plan->new_version
                                               : gave   ? state->decision.new_version
                                                        : state->committed.new_version,
                                .time_s = wall_clock_s()};
    memcpy(job.id, journal_job_id(journal), sizeof(job.id));
    if (status == HAUL_OK && decided) {
        status = ownership_note(ownership, &job);
    }
    if (job.new_version > ownership->config_version) {
        ownership->config_version = job.new_version;
    }
    return status;
}

/* Errors: CORRUPT (the journal is unreadable), NO_MEMORY, IO, LIMIT. */
static enum haul_status tell_by_journal(const struct rebuilding *rebuilding,
                                        const struct journal_entry *entry, bool decided,
                                        struct ownership *ownership, struct haul_error *error)
{
    struct journal *journal = NULL;
    struct plan plan;
    enum haul_status status =
        owner_open_journal(rebuilding->calls, rebuilding->directory, entry, true, &journal, error);
    if (status == HAUL_CORRUPT) {
        haul_error_hint(error, "look at the other side's `haul status`; `haul cancel --db DIR "
                               "--job ID --accept-two-owners` moves the journal aside");
    }
    if (status != HAUL_OK) {
        return status == HAUL_NOT_FOUND ? HAUL_OK : status;
    }
    const struct journal_state *state = journal_state(journal);
    bool commit = state->outcome == JOURNAL_COMMIT;
    bool in_doubt = state->role == JOURNAL_SOURCE && journal_state_claim(state) == JOURNAL_IN_DOUBT;
    if (decided ? commit : in_doubt) {
        status = job_journal_read_plan(journal, &plan, error);
        if (status == HAUL_OK) {
            status = put_plan(ownership, journal, &plan);
            plan_fini(&plan);
            if (status != HAUL_OK) {
                haul_error_set(error, status, NULL, 0, "cannot record what a journal says");
            }
        }
    }
    journal_close(journal);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

/* An ownership_change: put the hand-overs of all journals. Those in doubt come last, so that ranges
 * taken over by an earlier job cannot hide them. */
static enum haul_status tell_by_journals(void *context, struct ownership *ownership,
                                         struct haul_error *error)
{
    const struct rebuilding *rebuilding = context;
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status =
        journal_directory_list(rebuilding->calls, rebuilding->directory, &entries, &count, error);
    for (size_t i = 0; i < 2 * count && status == HAUL_OK; i++) {
        status = tell_by_journal(rebuilding, &entries[i % count], i < count, ownership, error);
    }
    free(entries);
    if (status == HAUL_OK && lost_jobs_note_rebuilt(ownership, wall_clock_s()) != HAUL_OK) {
        status = haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for a record");
    }
    return status;
}

enum haul_status owner_rebuild(const struct file_calls *calls, const char *directory,
                               bool accept_two_owners, struct haul_error *error)
{
    struct ownership ownership;
    struct rebuilding rebuilding = {.calls = calls, .directory = directory};
    enum haul_status status = ownership_read(calls, directory, &ownership, error);
    if (status == HAUL_OK) {
        ownership_fini(&ownership);
        return haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                              "the ownership record of this database is not damaged");
    }
    if (status != HAUL_CORRUPT) {
        return status;
    }
    if (!accept_two_owners) {
        haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                       "ranges that were handed over by jobs which have ended count as this "
                       "database's own from then on, and those of jobs that may have been decided "
                       "as the other's");
        haul_error_hint(error, "restore the file haul/ownership from a backup that is not older "
                               "than the last hand-over, or --accept-two-owners");
        return HAUL_UNCONFIRMED;
    }
    return ownership_rebuild(calls, directory, wall_clock_s(), tell_by_journals, &rebuilding,
                             error);
}
