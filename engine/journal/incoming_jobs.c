/* SPDX-License-Identifier: Apache-2.0 */
/* incoming_jobs.c — checks a source's plan against the journals of jobs that come to its
 * database. */
#include "incoming_jobs.h"

#include <stdlib.h>

#include "job_journal.h"

static enum haul_status refuse_sent(const struct journal *journal, struct haul_error *error)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    enum journal_phase phase = journal_state(journal)->phase;
    enum haul_status status = phase == JOURNAL_PHASE_PREPARED ? HAUL_IN_DOUBT : HAUL_BUSY;
    journal_name_format(JOURNAL_TARGET, journal_job_id(journal), name);
    haul_error_set(error, status, NULL, 0,
                   "another job is bringing a part of these ranges to this database: %s is %s",
                   name, journal_phase_name(phase));
    haul_error_hint(error, phase == JOURNAL_PHASE_PREPARED
                               ? "its source finishes it (`haul status` there); when that is lost "
                                 "for good: `haul cancel --accept-two-owners` here"
                           : phase == JOURNAL_PHASE_COMMITTED
                               ? "`haul recv` or `haul cancel` on this database finishes it"
                               : "let its source finish it (`haul send`), or give it up with "
                                 "`haul cancel` here");
    return status;
}

/* An aborted job may have records here that a later look removes. */
static bool is_unfinished(const struct journal_state *state)
{
    return state->phase != JOURNAL_PHASE_DONE && !state->cleared;
}

static enum haul_status check_one(const struct journal *journal, const struct plan *plan,
                                  struct haul_error *error)
{
    struct plan theirs;
    if (!is_unfinished(journal_state(journal))) {
        return HAUL_OK;
    }
    enum haul_status status = job_journal_read_plan(journal, &theirs, error);
    if (status != HAUL_OK) {
        return status == HAUL_NOT_FOUND ? HAUL_OK : status; /* no plan: nothing has come */
    }
    bool meets = plan_overlaps(plan, &theirs);
    plan_fini(&theirs);
    return meets ? refuse_sent(journal, error) : HAUL_OK;
}

enum haul_status incoming_jobs_check(const struct haul_store *store, const struct plan *plan,
                                     struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status = job_journal_list(store, JOURNAL_TARGET, &entries, &count, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        struct journal *journal = NULL;
        status = job_journal_look(store, JOURNAL_TARGET, entries[i].job_id, &journal, error);
        if (status == HAUL_OK) {
            status = check_one(journal, plan, error);
        }
        status = status == HAUL_NOT_FOUND ? HAUL_OK : status; /* it ended meanwhile */
        journal_close(journal);
    }
    free(entries);
    return status;
}
