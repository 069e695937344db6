/* SPDX-License-Identifier: Apache-2.0 */
/* owner_drop.c — deletes from a store the ranges that it has handed over.
 *
 *   find the pieces -> no job meets one -> for each: lock -> look again -> clear -> unlock
 *
 * The lock is that of the ownership record: while a piece is deleted, nobody can take it back, and
 * no plan that brings it here is accepted. */
#include <stdlib.h>
#include <string.h>

#include "haul/owner.h"
#include "haul_folder.h"
#include "instance.h"
#include "job_journal.h"
#include "lost_jobs.h"
#include "owner_change.h"
#include "owner_pieces.h"
#include "ownership_file.h"
#include "planted_bug.h"
#include "target_held.h"

enum { PATH_BYTES_MAX = 1024 };

/* Errors: UNSUPPORTED. */
static enum haul_status check_order(const struct haul_family *family,
                                    const struct owner_pieces *pieces, size_t first,
                                    struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = first; i < pieces->count && status == HAUL_OK; i++) {
        const struct key_range *range = &pieces->items[i].range;
        status = key_range_check_order(key_range_start(range), key_range_end(range), family->name,
                                       family->comparator, error);
    }
    return status;
}

/* The store has none of the pieces: has the record, of families that are gone? Errors: NOT_FOUND,
 * NO_MEMORY. */
static enum haul_status check_record(const struct ownership *ownership,
                                     const struct haul_owner_selection *selection,
                                     struct haul_error *error)
{
    struct owner_pieces recorded = {.count = 0};
    enum haul_status status = owner_pieces_add_all(&recorded, ownership, selection, error);
    if (status == HAUL_OK && recorded.count == 0) {
        status = haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                                "none of the selected ranges were handed over");
    }
    owner_pieces_fini(&recorded);
    return status;
}

/* Find the pieces to delete in the store's families. */
static enum haul_status find_pieces(struct haul_store *store,
                                    const struct haul_owner_selection *selection,
                                    const struct haul_family *families, size_t count,
                                    struct owner_pieces *pieces, struct haul_error *error)
{
    char path[PATH_BYTES_MAX];
    struct ownership ownership;
    if (!haul_directory_of(store, path, sizeof(path))) {
        return haul_directory_too_long(error);
    }
    enum haul_status status = ownership_read(haul_files_of(store), path, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        size_t first = pieces->count;
        if (owner_selects(selection, families[i].name)) {
            status = owner_pieces_add(pieces, &ownership, families[i].name, selection, error);
        }
        if (status == HAUL_OK) {
            status = check_order(&families[i], pieces, first, error);
        }
    }
    if (status == HAUL_OK && pieces->count == 0) {
        status = check_record(&ownership, selection, error);
    }
    ownership_fini(&ownership);
    return status;
}

static bool meets(const struct plan *plan, const struct owner_pieces *pieces)
{
    bool meets = false;
    for (size_t i = 0; i < pieces->count; i++) {
        for (size_t j = 0; j < plan->family_count; j++) {
            bool same = strcmp(plan->families[j].family.name, pieces->items[i].family) == 0;
            for (size_t k = 0; same && k < plan->range_count; k++) {
                meets = meets || key_range_overlaps(&plan->ranges[k], &pieces->items[i].range);
            }
        }
    }
    return meets;
}

/* Does a process hold the journal of a target's job? */
static bool is_held(struct haul_store *store, const struct journal *journal)
{
    struct journal *opened = NULL;
    struct haul_error ignored;
    enum haul_status status = job_journal_open_existing(store, JOURNAL_TARGET,
                                                        journal_job_id(journal), &opened, &ignored);
    journal_close(opened);
    return status == HAUL_BUSY;
}

/* A target that waits for its plan may get one that brings the ranges back. Errors: BUSY. */
static enum haul_status check_without_plan(struct haul_store *store, const struct journal *journal,
                                           struct haul_error *error)
{
    if (journal_state(journal)->role != JOURNAL_TARGET || !is_held(store, journal)) {
        return HAUL_OK; /* a source never sends ranges that were handed over */
    }
    return haul_error_set(error, HAUL_BUSY, NULL, 0,
                          "a process runs a job that may bring these ranges back");
}

/* Errors: IN_DOUBT, BUSY, EXISTS, CORRUPT and NO_MEMORY (the job's ranges are unknown). */
static enum haul_status check_journal(struct haul_store *store, const struct journal *journal,
                                      const struct owner_pieces *pieces, struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    struct plan plan;
    if (state->phase == JOURNAL_PHASE_DONE || state->phase == JOURNAL_PHASE_ABORTED) {
        return HAUL_OK;
    }
    enum haul_status status = job_journal_read_plan(journal, &plan, error);
    if (status == HAUL_NOT_FOUND) {
        return check_without_plan(store, journal, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    bool covers = meets(&plan, pieces);
    plan_fini(&plan);
    if (!covers || (HAUL_PLANTED_BUG(DROP_RETURNING) && state->role == JOURNAL_TARGET)) {
        return HAUL_OK;
    }
    if (state->role == JOURNAL_TARGET) {
        return owner_refuse_returning(journal, is_held(store, journal), error);
    }
    haul_error_set(error, HAUL_IN_DOUBT, NULL, 0,
                   "the target has not confirmed that it owns a part of these ranges");
    haul_error_hint(error, "run `haul resolve --db DIR --to ADDR:PORT` first");
    return HAUL_IN_DOUBT;
}

static enum haul_status check_jobs_of(struct haul_store *store, enum journal_role role,
                                      const struct owner_pieces *pieces, struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status = job_journal_list(store, role, &entries, &count, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        struct journal *journal = NULL;
        status = job_journal_look(store, role, entries[i].job_id, &journal, error);
        if (status == HAUL_OK) {
            status = check_journal(store, journal, pieces, error);
        }
        journal_close(journal);
        status = status == HAUL_NOT_FOUND ? HAUL_OK : status; /* it ended meanwhile */
    }
    free(entries);
    return status;
}

static enum haul_status check_jobs(struct haul_store *store, const struct owner_pieces *pieces,
                                   struct haul_error *error)
{
    enum haul_status status = check_jobs_of(store, JOURNAL_SOURCE, pieces, error);
    return status == HAUL_OK ? check_jobs_of(store, JOURNAL_TARGET, pieces, error) : status;
}

/* Errors: BUSY (a part of the piece has become ours meanwhile), those of ownership_read. */
static enum haul_status check_released(struct haul_store *store, const char *directory,
                                       const struct owner_piece *piece, struct haul_error *error)
{
    struct ownership ownership;
    enum haul_status status = ownership_read(haul_files_of(store), directory, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    const struct range_map *map = ownership_map(&ownership, piece->family);
    bool released = map != NULL && range_map_covers(map, &piece->range, OWNERSHIP_RELEASED);
    ownership_fini(&ownership);
    return released ? HAUL_OK
                    : haul_error_set(error, HAUL_BUSY, NULL, 0,
                                     "a part of these ranges was taken back meanwhile");
}

/* The caller holds the lock. */
static enum haul_status clear_locked(struct haul_store *store, const char *directory,
                                     uint32_t family, struct owner_piece *piece,
                                     struct haul_error *error)
{
    const struct owner_pieces one = {.items = piece, .count = 1};
    enum haul_status status = haul_place_check(store, error);
    if (status == HAUL_OK) {
        status = check_released(store, directory, piece, error);
    }
    if (status == HAUL_OK) {
        status = check_jobs(store, &one, error);
    }
    return status == HAUL_OK
               ? store->ops->range_clear(store, family, key_range_start(&piece->range),
                                         key_range_end(&piece->range), NULL, error)
               : status;
}

static enum haul_status clear_piece(struct haul_store *store, uint32_t family,
                                    struct owner_piece *piece, struct haul_owner_dropped *dropped,
                                    struct haul_error *error)
{
    char path[PATH_BYTES_MAX];
    uint64_t bytes = 0;
    int lock_fd = -1;
    struct haul_error ignored;
    if (!haul_directory_of(store, path, sizeof(path))) {
        return haul_directory_too_long(error);
    }
    (void)!store->ops->range_size(store, family, key_range_start(&piece->range),
                                  key_range_end(&piece->range), &bytes, &ignored);
    enum haul_status status = ownership_lock(haul_files_of(store), path, &lock_fd, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = clear_locked(store, path, family, piece, error);
    ownership_unlock(haul_files_of(store), lock_fd);
    dropped->bytes += status == HAUL_OK ? bytes : 0;
    dropped->ranges += status == HAUL_OK ? 1 : 0;
    return status;
}

static enum haul_status clear_pieces(struct haul_store *store, const struct haul_family *families,
                                     size_t count, const struct owner_pieces *pieces,
                                     struct haul_owner_dropped *dropped, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < pieces->count && status == HAUL_OK; i++) {
        struct owner_piece *piece = &pieces->items[i];
        for (size_t at = 0; at < count && status == HAUL_OK; at++) {
            if (strcmp(families[at].name, piece->family) == 0) {
                status = clear_piece(store, families[at].id, piece, dropped, error);
            }
        }
    }
    return status;
}

enum haul_status haul_owner_drop(struct haul_store *store,
                                 const struct haul_owner_selection *selection,
                                 struct haul_owner_dropped *dropped, struct haul_error *error)
{
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    struct owner_pieces pieces = {.count = 0};
    size_t count = 0;
    memset(dropped, 0, sizeof(*dropped));
    if (families == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the families");
    }
    enum haul_status status = instance_check_store(store, error);
    if (status == HAUL_OK) {
        status = store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
    }
    if (status == HAUL_OK) {
        status = find_pieces(store, selection, families, count, &pieces, error);
    }
    if (status == HAUL_OK) {
        status = check_jobs(store, &pieces, error);
    }
    if (status == HAUL_OK && !selection->accept_loss) {
        status = lost_jobs_check(store, &pieces, error);
    }
    struct target_held_others others = {.looked = false};
    if (status == HAUL_OK) {
        status = target_held_others_look(&others, store, NULL, error);
    }
    if (status == HAUL_OK) {
        status = clear_pieces(store, families, count, &pieces, dropped, error);
    }
    target_held_others_renew(&others, store);
    owner_pieces_fini(&pieces);
    free(families);
    return status;
}
