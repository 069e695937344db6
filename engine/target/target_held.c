/* SPDX-License-Identifier: Apache-2.0 */
/* target_held.c — compares the last sequence number and the manifest's size, at PREPARED and
 * now. */
#include "target_held.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_journal.h"
#include "manifest_progress.h"

struct journal_held target_held_now(struct haul_store *store)
{
    const struct manifest_progress listed =
        manifest_progress_of(store->ops->directory(store), false);
    return (struct journal_held){.sequence = store->ops->sequence(store),
                                 .manifest = listed.file,
                                 .manifest_bytes = listed.bytes};
}

enum target_held target_held_compare(const struct journal_state *state,
                                     const struct journal_held *now)
{
    const struct journal_held *then = &state->held;
    const struct manifest_progress before = {.file = then->manifest, .bytes = then->manifest_bytes};
    const struct manifest_progress after = {.file = now->manifest, .bytes = now->manifest_bytes};
    if (!state->has_held) {
        return TARGET_HELD_SAME;
    }
    /* Every open begins a new manifest: a shorter one of the same number is an older state. */
    bool cut = after.file != 0 && manifest_progress_is_before(&after, &before);
    if (cut || now->sequence < then->sequence) {
        return TARGET_HELD_SET_BACK;
    }
    bool written = now->sequence != UINT64_MAX && now->sequence > then->sequence;
    return written ? TARGET_HELD_WRITTEN : TARGET_HELD_SAME;
}

void target_held_explain(enum target_held held, char *text, size_t text_size_bytes)
{
    static const char *const what[] = {
        [TARGET_HELD_SAME] = "",
        [TARGET_HELD_WRITTEN] = "something else has written to the target, here or elsewhere, "
                                "since all records had arrived",
        [TARGET_HELD_SET_BACK] = "the target was set back since all records had arrived"};
    (void)snprintf(text, text_size_bytes, "%s%s", what[held],
                   held == TARGET_HELD_SAME ? ""
                                            : ": compare, `haul verify --db DIR --to ADDR:PORT` on "
                                              "the source, before `haul drop` there");
}

/* --- what haul itself writes ------------------------------------------------------------------ */

/* Errors: those of journal_open. A job that is damaged, or ended since it was listed, counts as
 * disturbed. */
static enum haul_status look_untouched(const struct haul_store *store, const uint8_t *job,
                                       const struct journal_held *now, bool *untouched,
                                       struct haul_error *error)
{
    struct journal *journal = NULL;
    enum haul_status status = job_journal_look(store, JOURNAL_TARGET, job, &journal, error);
    *untouched = false;
    if (status == HAUL_OK) {
        const struct journal_state *state = journal_state(journal);
        *untouched = state->phase == JOURNAL_PHASE_PREPARED && state->has_held &&
                     target_held_compare(state, now) == TARGET_HELD_SAME;
        journal_close(journal);
    }
    return status == HAUL_NOT_FOUND || status == HAUL_CORRUPT ? HAUL_OK : status;
}

enum haul_status target_held_others_look(struct target_held_others *others,
                                         struct haul_store *store, const uint8_t *except,
                                         struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    if (others->looked) {
        return HAUL_OK;
    }
    enum haul_status status = job_journal_list(store, JOURNAL_TARGET, &entries, &count, error);
    if (status == HAUL_OK) {
        others->jobs = calloc(count + 1, sizeof(*others->jobs));
        status = others->jobs == NULL
                     ? haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for jobs")
                     : HAUL_OK;
    }
    const struct journal_held now = target_held_now(store);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        const uint8_t *job = entries[i].job_id;
        bool untouched = false;
        if (except == NULL || memcmp(job, except, HAUL_JOB_BYTES) != 0) {
            status = look_untouched(store, job, &now, &untouched, error);
        }
        if (untouched) {
            memcpy(others->jobs[others->count++], job, HAUL_JOB_BYTES);
        }
    }
    free(entries);
    others->looked = status == HAUL_OK;
    if (status != HAUL_OK) {
        free(others->jobs);
        memset(others, 0, sizeof(*others));
    }
    return status;
}

static void renew(const struct haul_store *store, const uint8_t *job,
                  const struct journal_held *now)
{
    const struct journal_record held = {.type = JOURNAL_HELD, .held = *now};
    struct journal *journal = NULL;
    struct haul_error ignored;
    if (job_journal_open_existing(store, JOURNAL_TARGET, job, &journal, &ignored) != HAUL_OK) {
        return;
    }
    const struct journal_state *state = journal_state(journal);
    if (state->phase == JOURNAL_PHASE_PREPARED && state->held.sequence != now->sequence) {
        (void)!journal_append(journal, &held, true, &ignored);
    }
    journal_close(journal);
}

void target_held_others_renew(struct target_held_others *others, struct haul_store *store)
{
    if (others->count > 0) {
        const struct journal_held now = target_held_now(store);
        for (size_t i = 0; i < others->count; i++) {
            renew(store, others->jobs[i], &now);
        }
    }
    free(others->jobs);
    memset(others, 0, sizeof(*others));
}
