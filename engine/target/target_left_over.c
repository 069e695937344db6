/* SPDX-License-Identifier: Apache-2.0 */
/* target_left_over.c — ends jobs that no process runs. */
#include "target_left_over.h"

#include "job_journal.h"
#include "staging.h"
#include "target_commit.h"
#include "target_held.h"
#include "target_others.h"

/* Errors: IN_DOUBT. With `force` only a committed job is too late. */
static enum haul_status check_may_give_up(struct haul_store *store, const struct journal *journal,
                                          bool force, struct haul_error *error)
{
    enum job_knowledge knowledge = target_others_knowledge(journal_state(journal));
    if (target_commit_is_owned(store, journal)) {
        haul_error_set(error, HAUL_IN_DOUBT, NULL, 0,
                       "too late: by its record this database owns the ranges");
        haul_error_hint(error, "`haul recv --db DIR` finishes the job");
        return HAUL_IN_DOUBT;
    }
    if (knowledge != JOB_COMMITTED && (knowledge != JOB_PREPARED || force)) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_IN_DOUBT, NULL, 0,
                   "too late: all records are here, and the source may have decided");
    haul_error_hint(error, "its ownership record shows which: run `haul resolve` on the source");
    return HAUL_IN_DOUBT;
}

static enum haul_status give_up(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                bool force, const struct haul_hooks *hooks,
                                const struct haul_steps *steps, struct haul_error *error)
{
    struct journal *journal = NULL;
    enum haul_status status =
        job_journal_open_existing(store, JOURNAL_TARGET, job, &journal, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct target_held_others others = {.looked = false};
    status = check_may_give_up(store, journal, force, error);
    if (status == HAUL_OK) {
        status = target_held_others_look(&others, store, job, error);
    }
    if (status != HAUL_OK) {
        journal_close(journal);
        return status;
    }
    status =
        target_others_end(store, journal, "given up by the operator", NULL, hooks, steps, error);
    target_held_others_renew(&others, store);
    return status == HAUL_OK ? staging_remove_of(store, job, error) : status;
}

enum haul_status target_left_over_give_up(struct haul_store *store,
                                          const uint8_t job[HAUL_JOB_BYTES],
                                          const struct haul_hooks *hooks,
                                          const struct haul_steps *steps, struct haul_error *error)
{
    return give_up(store, job, false, hooks, steps, error);
}

enum haul_status target_left_over_force_give_up(struct haul_store *store,
                                                const uint8_t job[HAUL_JOB_BYTES],
                                                struct haul_error *error)
{
    return give_up(store, job, true, NULL, NULL, error);
}
