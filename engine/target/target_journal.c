/* SPDX-License-Identifier: Apache-2.0 */
/* target_journal.c — the target's records, and the store-wide steps between them. */
#include "target_journal.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call_steps.h"
#include "config_version.h"
#include "haul_folder.h"
#include "instance.h"
#include "job_journal.h"
#include "ownership_file.h"
#include "planted_bug.h"
#include "space_limit.h"
#include "target_arrived.h"
#include "target_commit.h"
#include "target_done.h"
#include "target_fit.h"
#include "target_others.h"
#include "target_plan.h"

/* --- staging files ---------------------------------------------------------------------------- */

/* Only the name. */
static enum haul_status name_staging(struct target_journal *journal, const struct haul_store *store,
                                     struct haul_error *error)
{
    char directory[TARGET_PATH_BYTES_MAX - 16];
    if (!haul_directory_of(store, directory, sizeof(directory))) {
        return haul_directory_too_long(error);
    }
    (void)snprintf(journal->staging, sizeof(journal->staging), "%s/staging", directory);
    return HAUL_OK;
}

static bool make_directory(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST;
}

static enum haul_status make_staging(struct target_journal *journal, struct haul_error *error)
{
    char directory[TARGET_PATH_BYTES_MAX];
    enum haul_status status = name_staging(journal, journal->target->store, error);
    if (status != HAUL_OK) {
        return status;
    }
    (void)haul_directory_of(journal->target->store, directory, sizeof(directory));
    return make_directory(directory) && make_directory(journal->staging)
               ? HAUL_OK
               : haul_error_set(error, errno == ENOSPC ? HAUL_NO_SPACE : HAUL_IO, "mkdir", errno,
                                "cannot make %s", journal->staging);
}

/* Those whose names begin so. A receiver has one job at a time: every file found is left over. */
static void remove_staging_files(const struct target_journal *journal, const char *prefix)
{
    bool none = journal->staging[0] == '\0' || HAUL_PLANTED_BUG(STAGING_LEFT);
    DIR *directory = none ? NULL : opendir(journal->staging);
    if (directory == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
            strstr(entry->d_name, ".sst") != NULL) {
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    (void)closedir(directory);
}

static void remove_staging(const struct target_journal *journal)
{
    remove_staging_files(journal, "");
    if (journal->staging[0] != '\0' && rmdir(journal->staging) != 0 && errno != ENOENT) {
        /* No harm to the next job, which uses it and removes it; but not without a word. */
        haul_log(journal->target == NULL ? NULL : journal->target->log, HAUL_LOG_WARNING,
                 "the staging directory %s stays: %s", journal->staging, strerror(errno));
    }
}

/* A receiver may run another job meanwhile, whose files have other names. */
enum haul_status target_journal_remove_staging(struct haul_store *store,
                                               const uint8_t job[HAUL_JOB_BYTES],
                                               struct haul_error *error)
{
    struct target_journal journal = {.file = NULL};
    char prefix[2 * HAUL_JOB_BYTES + 1];
    enum haul_status status = name_staging(&journal, store, error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < HAUL_JOB_BYTES; i++) {
        (void)snprintf(prefix + 2 * i, 3, "%02x", job[i]);
    }
    remove_staging_files(&journal, prefix);
    (void)rmdir(journal.staging); /* fails when somebody else has something there */
    return HAUL_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

void target_journal_init(struct target_journal *journal, const struct haul_target_options *target)
{
    memset(journal, 0, sizeof(*journal));
    journal->target = target;
}

static void free_positions(struct target_journal *journal)
{
    for (size_t i = 0; journal->positions != NULL && i < journal->plan.stream_count; i++) {
        stream_position_fini(&journal->positions[i]);
    }
    free(journal->positions);
    journal->positions = NULL;
}

void target_journal_fini(struct target_journal *journal)
{
    remove_staging(journal);
    journal_close(journal->file);
    if (journal->others.looked) {
        target_held_others_renew(&journal->others, journal->target->store);
    }
    free_positions(journal);
    free(journal->base_digests);
    free(journal->over);
    if (journal->was_done && journal->given_error.status == HAUL_OK) {
        ownership_fini(&journal->given);
    }
    plan_fini(&journal->plan);
    memset(journal, 0, sizeof(*journal));
}

/* --- journals --------------------------------------------------------------------------------- */

/* The plan of a journal, with our family ids. */
static enum haul_status read_plan(struct haul_store *store, const struct journal *journal,
                                  struct plan *plan, struct haul_error *error)
{
    enum haul_status status = job_journal_read_plan(journal, plan, error);
    if (status == HAUL_OK) {
        status = target_plan_find(store, plan, error);
        if (status != HAUL_OK) {
            plan_fini(plan);
        }
    }
    return status;
}

/* Errors: IN_DOUBT unless `force`, where only a committed job is too late. */
static enum haul_status check_may_give_up(const struct journal *journal, bool force,
                                          struct haul_error *error)
{
    enum job_knowledge knowledge = target_others_knowledge(journal_state(journal));
    if (knowledge != JOB_COMMITTED && (knowledge != JOB_PREPARED || force)) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_IN_DOUBT, NULL, 0,
                   "too late: everything is here, and the source may have decided");
    haul_error_hint(error, "its record tells: let it come back (`haul resolve` on its side)");
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
    status = check_may_give_up(journal, force, error);
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
    return status == HAUL_OK ? target_journal_remove_staging(store, job, error) : status;
}

enum haul_status target_journal_give_up(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                        const struct haul_hooks *hooks,
                                        const struct haul_steps *steps, struct haul_error *error)
{
    return give_up(store, job, false, hooks, steps, error);
}

enum haul_status target_journal_force_give_up(struct haul_store *store,
                                              const uint8_t job[HAUL_JOB_BYTES],
                                              struct haul_error *error)
{
    return give_up(store, job, true, NULL, NULL, error);
}

static struct target_newcomer newcomer_of(const struct target_journal *journal)
{
    return (struct target_newcomer){.store = journal->target->store,
                                    .job = journal->job,
                                    .peer = journal->peer,
                                    .over = journal->over,
                                    .over_count = journal->over_count,
                                    .hooks = &journal->target->hooks,
                                    .steps = journal->steps};
}

enum haul_status target_journal_note_over(struct target_journal *journal, struct haul_slice jobs,
                                          struct haul_error *error)
{
    free(journal->over);
    journal->over_count = 0;
    journal->over = malloc(jobs.size + 1);
    if (jobs.size % HAUL_JOB_BYTES != 0) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "a list of jobs is cut short");
    }
    if (journal->over == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a list of jobs");
    }
    if (jobs.size > 0) {
        memcpy(journal->over, jobs.data, jobs.size);
    }
    journal->over_count = jobs.size / HAUL_JOB_BYTES;
    return HAUL_OK;
}

const uint8_t *target_journal_owned_job(const struct target_journal *journal)
{
    return journal->owns_by_over ? journal->owned_job : NULL;
}

/* The epoch of a job counts its source's attempts, from 1. */
static uint64_t epoch_of(const struct journal_state *state)
{
    return state->epoch == 0 ? 1 : state->epoch;
}

/* --- looking up ------------------------------------------------------------------------------- */

static enum haul_status read_journal(struct target_journal *journal, uint64_t *new_version,
                                     struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal->file);
    enum haul_status status = target_others_check_peer(journal->file, journal->peer, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (journal->epoch < epoch_of(state) && !HAUL_PLANTED_BUG(EPOCH_UNCHECKED)) {
        haul_error_set(error, HAUL_FENCED, NULL, 0,
                       "a newer attempt of this job has been here: %" PRIu64 ", not %" PRIu64,
                       epoch_of(state), journal->epoch);
        haul_error_hint(error, "was the source set back? `haul resolve` there asks who owns the "
                               "ranges; then `haul cancel`, and a new `haul send`");
        return HAUL_FENCED;
    }
    if (journal->epoch == MESSAGE_EPOCH_NONE) { /* no attempt: what it decides is of the last one */
        journal->epoch = epoch_of(state);
    }
    journal->knowledge = target_others_knowledge(state);
    journal->resumed = journal->knowledge != JOB_UNKNOWN;
    journal->held_before = journal->knowledge == JOB_PREPARED;
    /* What had arrived of one that was given up is on its way out. */
    bool counts = journal->resumed && state->has_delta;
    journal->delta_next_batch = counts ? state->delta.next_batch : 0;
    *new_version = state->prepared.new_version;
    if (journal->resumed) {
        status = read_plan(journal->target->store, journal->file, &journal->plan, error);
        journal->has_plan = status == HAUL_OK;
    }
    return status;
}

static enum haul_status was_owned(const struct target_journal *journal, const uint8_t *job,
                                  bool *owned, enum version_return *returned,
                                  struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    const struct haul_hooks *hooks = &journal->target->hooks;
    uint64_t ignored = 0;
    enum haul_status status = config_version_imported(store, job, owned, &ignored, error);
    *returned = VERSION_KEPT;
    if (status == HAUL_OK && *owned) {
        status = config_version_returned(store, job, journal->peer, returned, error);
    } else if (status == HAUL_OK && hooks->was_owned != NULL) {
        *owned = hooks->was_owned(hooks->context, job);
    }
    return status;
}

/* The job has no journal: it ended here, or never came. */
static enum haul_status look_owned(struct target_journal *journal, struct haul_error *error)
{
    bool owned = false;
    enum haul_status status = was_owned(journal, journal->job, &owned, &journal->returned, error);
    journal->knowledge = owned ? JOB_COMMITTED : JOB_UNKNOWN;
    return status;
}

enum haul_status target_journal_look_up(struct target_journal *journal,
                                        const haul_control_Hello *hello, uint64_t *new_version,
                                        struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    memcpy(journal->job, hello->job.bytes, HAUL_JOB_BYTES);
    journal->epoch = hello->epoch;
    journal->source_is_told = hello->config_version_known;
    (void)snprintf(journal->peer, sizeof(journal->peer), "%.*s", (int)hello->source_identity.size,
                   (const char *)hello->source_identity.bytes);
    /* Whatever lies there is this job's now, also when it only learns that it is committed. */
    enum haul_status status = name_staging(journal, store, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (!hello->resume) {
        return HAUL_OK; /* the journal is made when the plan is found good */
    }
    status = job_journal_open_existing(store, JOURNAL_TARGET, journal->job, &journal->file, error);
    if (status == HAUL_NOT_FOUND) {
        return look_owned(journal, error);
    }
    if (status == HAUL_OK) {
        status = read_journal(journal, new_version, error);
    }
    if (status == HAUL_OK && journal->knowledge == JOB_COMMITTED) {
        struct journal *file = journal->file;
        journal->file = NULL;
        status = target_commit_finish(store, &journal->target->hooks, file, error);
        bool ignored = false; /* the journal is the proof, whatever register there is */
        status = status == HAUL_OK
                     ? was_owned(journal, journal->job, &ignored, &journal->returned, error)
                     : status;
    }
    return status;
}

/* --- the plan --------------------------------------------------------------------------------- */

/* What would fail when the job owns fails here; also of one that goes on: other jobs may have
 * filled the record meanwhile. */
static enum haul_status rehearse(const struct target_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    const struct haul_hooks *hooks = &journal->target->hooks;
    enum haul_status status =
        journal->source_is_told
            ? HAUL_OK
            : config_version_check_peer(store, hooks, journal->peer, &journal->plan, error);
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

/* They did fit: whoever has changed them can change them back. */
static enum haul_status as_changed_since(enum haul_status status, struct haul_error *error)
{
    return status == HAUL_MISMATCH ? (error->status = HAUL_UNSUPPORTED) : status;
}

static enum haul_status check_resumed(struct target_journal *journal, struct plan *plan,
                                      struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    /* Agreed on anew: other jobs may have moved either side's on. */
    journal->plan.old_version = plan->old_version;
    journal->plan.new_version = plan->new_version;
    /* So are the options, which either side may have changed since. */
    enum haul_status status = as_changed_since(target_fit_check(store, plan, error), error);
    if (status == HAUL_OK) {
        status = rehearse(journal, error);
    }
    if (status == HAUL_OK) {
        /* A journal that failed may hold a plan whose families went when the job was refused. */
        status = as_changed_since(target_plan_make(store, &journal->plan, error), error);
    }
    if (status == HAUL_OK) {
        status = as_changed_since(target_plan_check_names(store, plan, error), error);
    }
    plan_fini(plan);
    return status == HAUL_OK ? target_arrived_restore(journal, error) : status;
}

/* A new job has no journal yet: one of its name is of another job, whatever it is. */
static enum haul_status make_journal(struct target_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    bool existed = false;
    enum haul_status status = job_journal_begin(store, journal->name, JOURNAL_TARGET, journal->job,
                                                &journal->file, &existed, error);
    if (status == HAUL_OK && existed) {
        status = haul_error_set(error, HAUL_BUSY, NULL, 0, "a job of this name is here already");
        journal_close(journal->file);
        journal->file = NULL;
    }
    return status;
}

/* Whatever of the plan's families goes when no job names it any more is named by this one. */
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
        if (!goes) { /* made for a job whose end may come before this one's */
            status = target_others_was_made(store, name, &goes, error);
        }
        if (status == HAUL_OK && goes) {
            status = journal_append(journal->file, &made, false, error);
        }
    }
    return status == HAUL_OK ? journal_sync(journal->file, error) : status;
}

/* The families that go when the job goes stand in the journal before they are made. */
static enum haul_status make_families(struct target_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    int lock_fd = -1;
    enum haul_status status = target_others_lock(store, &lock_fd, error);
    if (status == HAUL_OK) {
        status = name_families(journal, error);
        ownership_unlock(haul_files_of(store), lock_fd);
    }
    return status == HAUL_OK ? target_plan_make(store, &journal->plan, error) : status;
}

/* Everything is said that could be said against the plan. */
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
    if (status == HAUL_OK) { /* again: writes of others from here on are told by the sequence */
        status = target_plan_check_empty(store, &journal->plan, NULL, 0, error);
    }
    if (status == HAUL_OK && !HAUL_PLANTED_BUG(EMPTY_UNSYNCED)) {
        /* What was deleted there must not come back with a crash in the middle of the job. */
        status = store->ops->sync(store, error);
    }
    journal->checked_sequence = store->ops->sequence(store);
    return status == HAUL_OK ? job_journal_plan(journal->file, &journal->plan, error) : status;
}

/* An attempt of this job was given up here, and its source does not know: what it left goes. Its
 * reservation is this attempt's now. */
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

/* Nothing is touched before it is known that the plan fits. */
static enum haul_status check_new(struct target_journal *journal, struct plan *plan,
                                  struct haul_error *error)
{
    const struct target_newcomer newcomer = newcomer_of(journal);
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
    /* Jobs that were left behind COMMITTED own what they have before another comes. */
    status = target_commit_finish_all(journal->target->store, &journal->target->hooks, error);
    if (status == HAUL_OK) {
        status = rehearse(journal, error);
    }
    if (status == HAUL_OK) {
        status = target_plan_look(journal->target->store, &journal->plan, others.plans,
                                  others.count, error);
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
    return journal->epoch > epoch_of(journal_state(journal->file))
               ? journal_append(journal->file, &epoch, true, error)
               : HAUL_OK;
}

/* A source gives up only what it has not decided, and nothing else makes us own. What it has back
 * is its own. */
static enum haul_status check_none_owned(struct target_journal *journal, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < journal->over_count && status == HAUL_OK; i++) {
        const uint8_t *job = journal->over + i * HAUL_JOB_BYTES;
        char name[JOURNAL_NAME_BYTES_MAX];
        bool owned = false;
        enum version_return returned = VERSION_KEPT;
        status = was_owned(journal, job, &owned, &returned, error);
        if (status == HAUL_OK && owned && returned != VERSION_RETURNED) {
            journal->owns_by_over = true;
            memcpy(journal->owned_job, job, HAUL_JOB_BYTES);
            journal_name_format(JOURNAL_SOURCE, job, name);
            status = haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                                    "this database owns the ranges of %s: the source was set back "
                                    "to before its decision, and has given the job up",
                                    name);
            haul_error_hint(error, "write to them here only; `haul resolve` on the source records "
                                   "that; to move them back: `haul send` from here with "
                                   "--overwrite");
        }
    }
    return status;
}

/* The embedder is asked before anything is done, but not for other ranges than it knows the job by,
 * nor for a source that does not know what it gave. */
static enum haul_status check_plan(struct target_journal *journal, struct plan *plan,
                                   struct haul_error *error)
{
    bool same = !journal->resumed || plan_equal(&journal->plan, plan);
    enum haul_status status = same ? check_none_owned(journal, error)
                                   : haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                                                    "the job's plan is not the one that was begun");
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
        status = make_staging(journal, error);
        remove_staging_files(journal, "");
    }
    return status;
}

/* What is overwritten makes room, and what has arrived needs none. */
static enum haul_status check_space(const struct target_journal *journal, const struct plan *plan,
                                    struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    uint64_t keep_bytes = journal->target->keep_free_bytes;
    return journal->resumed || plan->overwrite
               ? space_limit_check(store, keep_bytes, error)
               : space_limit_check_plan(store, keep_bytes, plan, error);
}

enum haul_status target_journal_check(struct target_journal *journal, struct plan *plan,
                                      struct haul_error *error)
{
    const struct haul_target_options *target = journal->target;
    enum haul_lane wanted = target->lane != HAUL_LANE_AUTO ? target->lane : plan->lane;
    enum haul_status status = apply_lane_choose(target->store, wanted, &journal->lane, error);
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
    journal->over_count = 0; /* they have ended, or stay as they are */
    if (status != HAUL_OK && !journal->resumed) {
        struct haul_error second; /* the first one is the answer */
        if (target_journal_clear(journal, error, &second) != HAUL_OK) {
            haul_log(journal->target->log, HAUL_LOG_WARNING, "a refused job's record stays: %s",
                     second.text);
        }
    }
    return status;
}

/* --- records ---------------------------------------------------------------------------------- */

enum haul_status target_journal_positions(struct target_journal *journal,
                                          const struct stream_position *positions, size_t count,
                                          struct haul_error *error)
{
    return job_journal_positions(journal->file, positions, count, error);
}

enum haul_status target_journal_prepare(struct target_journal *journal,
                                        const haul_control_Prepare *prepare,
                                        const struct digest *digests, struct haul_error *error)
{
    struct journal_prepared *prepared = calloc(1, sizeof(*prepared));
    if (prepared == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a record");
    }
    prepared->old_version = prepare->old_version;
    prepared->new_version = prepare->new_version;
    prepared->epoch = prepare->epoch;
    prepared->frozen_sequence = prepare->frozen_sequence;
    prepared->digest_count = (uint32_t)journal->plan.family_count;
    for (size_t i = 0; i < journal->plan.family_count; i++) {
        prepared->digests[i] = (struct journal_family_digest){
            .family_id = journal->plan.families[i].target_id, .digest = digests[i]};
    }
    struct journal_record entry = {.type = JOURNAL_PREPARED, .prepared = prepared};
    const struct journal_record held = {.type = JOURNAL_HELD,
                                        .held = target_held_now(journal->target->store)};
    enum haul_status status = journal_append(journal->file, &held, false, error);
    if (status == HAUL_OK) {
        status = journal_append(journal->file, &entry, true, error);
    }
    free(prepared);
    return status;
}

/* Of a job that another attempt has prepared. While the same receiver runs, its embedder keeps
 * everybody off the ranges. */
static void look_at_held(struct target_journal *journal)
{
    const struct journal_held now = target_held_now(journal->target->store);
    enum target_held held = target_held_compare(journal_state(journal->file), &now);
    bool same = memcmp(journal->left.job, journal->job, HAUL_JOB_BYTES) == 0;
    bool kept_off = same && journal->target->hooks.reserve != NULL;
    if (journal->held_before && !kept_off && held != TARGET_HELD_SAME) {
        target_held_explain(held, journal->warning, sizeof(journal->warning));
        haul_log(journal->target->log, HAUL_LOG_WARNING, "%s", journal->warning);
    }
}

enum haul_status target_journal_own(struct target_journal *journal, uint64_t new_version,
                                    struct haul_error *error)
{
    struct journal_record committed = {
        .type = JOURNAL_COMMITTED,
        .committed = {.new_version = new_version, .epoch = journal->epoch}};
    look_at_held(journal);
    /* The journal does not say that only a part is ours: the record does, before it goes on. */
    enum haul_status status = target_done_check(journal, error);
    if (status == HAUL_OK && journal->was_done) {
        status = target_done_take(journal, &committed.committed, error);
    }
    journal->refused = status != HAUL_OK && status != HAUL_IN_DOUBT;
    if (status == HAUL_OK) {
        status = journal_append(journal->file, &committed, true, error);
    }
    if (status == HAUL_OK) {
        status = target_commit_own(journal->target->store, &journal->target->hooks, journal->file,
                                   &committed.committed, &journal->plan, error);
    }
    if (status == HAUL_OK) {
        remove_staging(journal); /* before DONE: whoever comes after it looks for nothing */
        status = job_journal_finish(journal->file, error);
        journal->file = NULL;
        instance_note(journal->target->store);
    }
    return status;
}

enum haul_status target_journal_clear(struct target_journal *journal,
                                      const struct haul_error *reason, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    const struct haul_hooks *hooks = &journal->target->hooks;
    enum haul_status status = target_held_others_look(&journal->others, store, journal->job, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct journal *file = journal->file;
    journal->file = NULL;
    if (file != NULL) {
        status = target_others_end(store, file, reason->text, NULL, hooks, journal->steps, error);
        if (status != HAUL_OK) {
            return status; /* what is left there is not to be mixed with other writes */
        }
    } else if (journal->reserved && hooks->unreserve != NULL) {
        hooks->unreserve(hooks->context, journal->job);
    }
    journal->reserved = false;
    const struct target_newcomer newcomer = newcomer_of(journal);
    status = target_others_end_over(&newcomer, error);
    return status == HAUL_OK ? check_none_owned(journal, error) : status;
}
