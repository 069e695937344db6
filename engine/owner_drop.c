/* SPDX-License-Identifier: Apache-2.0 */
/* owner_drop.c — deleting from a store what it has handed over. */
#include <stdlib.h>
#include <string.h>

#include "haul/owner.h"
#include "job_journal.h"
#include "owner_pieces.h"
#include "ownership_file.h"
#include "version_record.h"

enum { PATH_BYTES_MAX = 1024 };

/* What is to go, of the store's families. */
static enum haul_status find_pieces(struct haul_store *store,
                                    const struct haul_owner_selection *selection,
                                    const struct haul_family *families, size_t count,
                                    struct owner_pieces *pieces, struct haul_error *error)
{
    char path[PATH_BYTES_MAX];
    struct ownership ownership;
    if (!haul_directory_of(store, path, sizeof(path))) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "the database's path is too long");
    }
    enum haul_status status = ownership_read(haul_files_of(store), path, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        if (owner_selects(selection, families[i].name)) {
            status = owner_pieces_add(pieces, &ownership, families[i].name, selection, error);
        }
    }
    ownership_fini(&ownership);
    if (status == HAUL_OK && pieces->count == 0) {
        status = haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                                "nothing of what is selected was handed over");
    }
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

/* Errors: IN_DOUBT, BUSY. */
static enum haul_status check_journal(const struct journal *journal,
                                      const struct owner_pieces *pieces, struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    struct plan plan;
    struct haul_error ignored;
    bool over = state->phase == JOURNAL_PHASE_DONE || state->phase == JOURNAL_PHASE_ABORTED;
    if (over || job_journal_read_plan(journal, &plan, &ignored) != HAUL_OK) {
        return HAUL_OK;
    }
    bool covers = meets(&plan, pieces);
    plan_fini(&plan);
    if (!covers) {
        return HAUL_OK;
    }
    if (state->role == JOURNAL_TARGET) {
        return haul_error_set(error, HAUL_BUSY, NULL, 0,
                              "an unfinished job brings a part of these ranges back");
    }
    haul_error_set(error, HAUL_IN_DOUBT, NULL, 0,
                   "the target has not confirmed that it owns a part of these ranges");
    haul_error_hint(error, "run `haul resolve --db DIR --to ADDR:PORT` first");
    return HAUL_IN_DOUBT;
}

static enum haul_status check_jobs(struct haul_store *store, enum journal_role role,
                                   const struct owner_pieces *pieces, struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status = job_journal_list(store, role, &entries, &count, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        struct journal *journal = NULL;
        status = job_journal_look(store, role, entries[i].job_id, &journal, error);
        if (status == HAUL_OK) {
            status = check_journal(journal, pieces, error);
        }
        journal_close(journal);
        status = status == HAUL_NOT_FOUND ? HAUL_OK : status; /* ended in between */
    }
    free(entries);
    return status;
}

static enum haul_status clear_pieces(struct haul_store *store, const struct haul_family *families,
                                     size_t count, const struct owner_pieces *pieces,
                                     struct haul_owner_dropped *dropped, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < pieces->count && status == HAUL_OK; i++) {
        const struct owner_piece *piece = &pieces->items[i];
        struct haul_slice start = key_range_start(&piece->range);
        struct haul_slice end = key_range_end(&piece->range);
        size_t at = 0;
        uint64_t bytes = 0;
        struct haul_error ignored;
        while (at + 1 < count && strcmp(families[at].name, piece->family) != 0) {
            at++;
        }
        (void)!store->ops->range_size(store, families[at].id, start, end, &bytes, &ignored);
        status = store->ops->range_clear(store, families[at].id, start, end, NULL, error);
        dropped->bytes += status == HAUL_OK ? bytes : 0;
        dropped->ranges += status == HAUL_OK ? 1 : 0;
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
    enum haul_status status =
        store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
    if (status == HAUL_OK) {
        status = find_pieces(store, selection, families, count, &pieces, error);
    }
    if (status == HAUL_OK) {
        status = check_jobs(store, JOURNAL_SOURCE, &pieces, error);
    }
    if (status == HAUL_OK) {
        status = check_jobs(store, JOURNAL_TARGET, &pieces, error);
    }
    if (status == HAUL_OK) {
        status = clear_pieces(store, families, count, &pieces, dropped, error);
    }
    owner_pieces_fini(&pieces);
    free(families);
    return status;
}
