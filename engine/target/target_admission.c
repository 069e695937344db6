/* SPDX-License-Identifier: Apache-2.0 */
/* target_admission.c — checks a plan against store and journals, and writes PLAN. */
#include "target_admission.h"

#include <stdlib.h>
#include <string.h>

#include "call_steps.h"
#include "config_version.h"
#include "haul_folder.h"
#include "job_journal.h"
#include "ownership_file.h"
#include "planted_bug.h"
#include "space_limit.h"
#include "staging.h"
#include "target_arrived.h"
#include "target_commit.h"
#include "target_done.h"
#include "target_fit.h"
#include "target_others.h"
#include "target_overwrite.h"
#include "target_permit.h"
#include "target_plan.h"

/* Whatever would fail at the hand-over must fail here, also for a resumed job: other jobs may have
 * filled the ownership record meanwhile. */
static enum haul_status rehearse(struct target_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    const struct haul_hooks *hooks = &journal->target->hooks;
    enum haul_status status = target_done_check_lost(journal, error);
    if (status == HAUL_OK && !journal->source_is_told) {
        status = config_version_check_peer(store, hooks, journal->peer, &journal->plan, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    const struct version_move move = {.outcome = VERSION_IMPORTED,
                                      .job = journal->job,
                                      .peer = journal->peer,
                                      .plan = &journal->plan,
                                      .new_version = journal->plan.new_version,
                                      .epoch = journal->epoch};
    return config_version_rehearse(store, hooks, &move, error);
}

/* The families fitted before: whoever changed them can change them back. */
static enum haul_status as_changed_since(enum haul_status status, struct haul_error *error)
{
    return status == HAUL_MISMATCH ? (error->status = HAUL_UNSUPPORTED) : status;
}

static enum haul_status check_resumed(struct target_journal *journal, struct plan *plan,
                                      struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    /* Agreed on again: other jobs may have raised either side's version. */
    journal->plan.old_version = plan->old_version;
    journal->plan.new_version = plan->new_version;
    /* So are the options, which either side may have changed. */
    enum haul_status status = as_changed_since(target_fit_check(store, plan, error), error);
    if (status == HAUL_OK) {
        status = rehearse(journal, error);
    }
    if (status == HAUL_OK) {
        /* After a failed attempt the journal may hold a plan whose families were dropped with the
         * refusal. */
        status = as_changed_since(
            target_plan_make(store, &journal->plan, journal->steps, !journal->beside_others, error),
            error);
    }
    if (status == HAUL_OK) {
        status = as_changed_since(target_plan_check_names(store, plan, error), error);
    }
    plan_fini(plan);
    return status == HAUL_OK ? target_arrived_restore(journal, error) : status;
}

/* A new job has no journal: an existing one of its name belongs to another job. */
static enum haul_status make_journal(struct target_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    bool existed = false;
    enum haul_status status = job_journal_begin(store, journal->name, JOURNAL_TARGET, journal->job,
                                                &journal->file, &existed, error);
    if (status == HAUL_OK && existed) {
        status = haul_error_set(error, HAUL_BUSY, NULL, 0, "a job with this id exists already");
        journal_close(journal->file);
        journal->file = NULL;
    }
    return status;
}

/* Names the plan's families that would be dropped once no job names them. */
static enum haul_status name_families(struct target_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    enum haul_status status = target_plan_find(store, &journal->plan, error);
    for (size_t i = 0; i < journal->plan.family_count && status == HAUL_OK; i++) {
        const struct plan_family *family = &journal->plan.families[i];
        const char *name = family->family.name;
        struct journal_record made = {.type = JOURNAL_FAMILY,
                                      .family = slice_of((const uint8_t *)name, strlen(name))};
        bool goes = family->target_id == TARGET_PLAN_NO_FAMILY;
        if (!goes) { /* created for a job that may end before this one */
            status = target_others_was_made(store, name, &goes, error);
        }
        if (status == HAUL_OK && goes) {
            status = journal_append(journal->file, &made, false, error);
        }
    }
    return status == HAUL_OK ? journal_sync(journal->file, error) : status;
}

/* Families that must be dropped with the job are in the journal before they are created. */
static enum haul_status make_families(struct target_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    int lock_fd = -1;
    enum haul_status status = target_others_lock(store, &lock_fd, error);
    if (status == HAUL_OK) {
        status = name_families(journal, error);
        ownership_unlock(haul_files_of(store), lock_fd);
    }
    return status == HAUL_OK ? target_plan_make(store, &journal->plan, journal->steps,
                                                !journal->beside_others, error)
                             : status;
}

/* The plan has passed every check. */
static enum haul_status admit(struct target_journal *journal, struct target_others *others,
                              struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    enum haul_status status = journal->file == NULL ? make_journal(journal, error) : HAUL_OK;
    if (status == HAUL_OK && journal->peer[0] != '\0') {
        status = job_journal_bind(journal->file, journal->peer, journal->peer_address, error);
    }
    if (status == HAUL_OK) {
        status = make_families(journal, error);
    }
    if (status == HAUL_OK) {
        status = target_others_give_up(others, store, &journal->plan, error);
    }
    if (status == HAUL_OK && journal->plan.overwrite) {
        status = target_plan_clear(store, &journal->plan, journal->steps, error);
    }
    if (status == HAUL_OK && !steps_next(journal->steps)) {
        status = target_plan_given_up(error);
    }
    if (status == HAUL_OK) { /* again: from here on the sequence number reveals writes of others */
        status = target_plan_check_empty(store, &journal->plan, NULL, 0, error);
    }
    if (status == HAUL_OK && !HAUL_PLANTED_BUG(EMPTY_UNSYNCED)) {
        /* Deleted records must not come back after a crash in the middle of the job. */
        status = store->ops->sync(store, error);
    }
    journal->checked_sequence = store->ops->sequence(store);
    return status == HAUL_OK ? job_journal_plan(journal->file, &journal->plan, error) : status;
}

/* This target gave up an attempt of this job without its source's knowledge: remove what that
 * attempt left. This attempt takes over its reservation. */
static enum haul_status end_own(struct target_journal *journal, struct haul_error *error)
{
    struct journal *file = journal->file;
    if (file == NULL || journal_state(file)->phase == JOURNAL_PHASE_NEW) {
        return HAUL_OK;
    }
    journal->file = NULL;
    return target_others_end(journal->target->store, file, "given up", NULL, NULL, journal->steps,
                             error);
}

/* Touches nothing before the plan is known to fit. */
static enum haul_status check_new(struct target_journal *journal, struct plan *plan,
                                  struct haul_error *error)
{
    const struct target_newcomer newcomer = target_journal_newcomer(journal);
    struct target_others others;
    journal->plan = *plan;
    journal->has_plan = true;
    enum haul_status status = end_own(journal, error);
    if (status == HAUL_OK) {
        status = target_others_look(&newcomer, &journal->plan, &others, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    /* Finish jobs left at COMMITTED before another job begins, so that their ranges are recorded as
     * owned. */
    status = target_commit_finish_all(journal->target->store, &journal->target->hooks, error);
    if (status == HAUL_OK) {
        status = rehearse(journal, error);
    }
    if (status == HAUL_OK) {
        status = target_plan_look(journal->target->store, &journal->plan, others.plans,
                                  others.count, !journal->beside_others, error);
    }
    if (status == HAUL_OK) {
        status = target_overwrite_check(journal->target, &journal->plan, others.plans, others.count,
                                        error);
    }
    if (status == HAUL_OK) {
        status = admit(journal, &others, error);
    }
    target_others_fini(&others);
    return status;
}

static enum haul_status reserve(struct target_journal *journal, const struct plan *plan,
                                struct haul_error *error)
{
    const struct haul_hooks *hooks = &journal->target->hooks;
    if (hooks->reserve == NULL) {
        return HAUL_OK;
    }
    struct haul_range *ranges = calloc(plan->range_count, sizeof(*ranges));
    const char **families = calloc(plan->family_count, sizeof(*families));
    enum haul_status status = HAUL_NO_MEMORY;
    for (size_t i = 0; ranges != NULL && i < plan->range_count; i++) {
        ranges[i] = (struct haul_range){.start = key_range_start(&plan->ranges[i]),
                                        .end = key_range_end(&plan->ranges[i])};
    }
    for (size_t i = 0; families != NULL && i < plan->family_count; i++) {
        families[i] = plan->families[i].family.name;
    }
    if (ranges == NULL || families == NULL) {
        haul_error_set(error, status, "calloc", 0, "no memory for the ranges");
    } else {
        struct haul_reservation wanted = {.families = families,
                                          .family_count = plan->family_count,
                                          .ranges = ranges,
                                          .range_count = plan->range_count,
                                          .overwrite = plan->overwrite};
        memcpy(wanted.job, journal->job, HAUL_JOB_BYTES);
        status = hooks->reserve(hooks->context, &wanted, error);
    }
    free(ranges);
    free(families);
    journal->reserved = status == HAUL_OK;
    return status;
}

static enum haul_status record_epoch(struct target_journal *journal, struct haul_error *error)
{
    struct journal_record epoch = {.type = JOURNAL_EPOCH, .epoch = journal->epoch};
    return journal->epoch > target_journal_epoch(journal_state(journal->file))
               ? journal_append(journal->file, &epoch, true, error)
               : HAUL_OK;
}

/* The embedder's hook runs before any change, but not when the ranges differ from those it was
 * asked about for this job, nor for a source that has no record of what it gave. */
static enum haul_status check_plan(struct target_journal *journal, struct plan *plan,
                                   struct haul_error *error)
{
    bool same = !journal->resumed || plan_equal(&journal->plan, plan);
    journal->proof = plan->proof;
    enum haul_status status = target_journal_check_proof(journal, error);
    if (status != HAUL_OK) {
        plan_fini(plan);
        return status;
    }
    status = same ? target_journal_check_none_owned(journal, error)
                  : haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                                   "the job's plan differs from the one it began with");
    if (status == HAUL_OK) {
        status = reserve(journal, plan, error);
    }
    if (status != HAUL_OK) {
        plan_fini(plan);
        return status;
    }
    status =
        journal->resumed ? check_resumed(journal, plan, error) : check_new(journal, plan, error);
    if (status == HAUL_OK) {
        status = record_epoch(journal, error);
    }
    if (status == HAUL_OK && apply_lane_table(journal->lane)->stages_files) {
        status = staging_make(journal->target->store, journal->staging, error);
        staging_empty(journal->staging, journal->job); /* of an earlier attempt */
    }
    return status;
}

/* Overwriting frees space, and records that have arrived need none. */
static enum haul_status check_space(const struct target_journal *journal, const struct plan *plan,
                                    struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    uint64_t keep_bytes = journal->target->keep_free_bytes;
    if (journal->resumed || plan->overwrite) {
        return space_limit_check(store, keep_bytes, error);
    }
    enum haul_status status = space_limit_check_plan(store, keep_bytes, plan, journal->lane,
                                                     space_claim_others(&journal->claim), error);
    if (status == HAUL_OK) {
        space_claim_set(&journal->claim, space_limit_plan_bytes(plan));
    }
    return status;
}

enum haul_status target_admission_check(struct target_journal *journal, struct plan *plan,
                                        struct haul_error *error)
{
    const struct haul_target_options *target = journal->target;
    enum haul_lane wanted = target->lane != HAUL_LANE_AUTO ? target->lane : plan->lane;
    bool denied = plan->overwrite && !target->allow_overwrite;
    plan->overwrite = plan->overwrite && target->allow_overwrite;
    enum haul_status status = target_permit_check(target, plan, error);
    if (status == HAUL_OK) {
        status = apply_lane_choose(target->store, wanted, &journal->lane, error);
    }
    if (status == HAUL_OK) {
        status = check_space(journal, plan, error);
    }
    if (status != HAUL_OK) {
        plan_fini(plan);
        return status;
    }
    journal->held_before = false;
    status = target_held_others_look(&journal->others, journal->target->store, journal->job, error);
    if (status == HAUL_OK) {
        status = check_plan(journal, plan, error);
    } else {
        plan_fini(plan);
    }
    journal->over_count = 0; /* these jobs have ended, or stay as they are */
    if (status == HAUL_NOT_EMPTY && denied) {
        target_permit_explain(error);
    }
    if (status != HAUL_OK) {
        space_claim_set(&journal->claim, 0);
    }
    if (status != HAUL_OK && !journal->resumed) {
        struct haul_error second; /* the first error is returned */
        if (target_journal_clear(journal, error, &second) != HAUL_OK) {
            haul_log(journal->target->log, HAUL_LOG_WARNING,
                     "the journal of a refused job stays: %s", second.text);
        }
    }
    return status;
}
