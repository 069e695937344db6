/* SPDX-License-Identifier: Apache-2.0 */
/* target_record.c — the target's records, and the store-wide steps between them. */
#include "target_record.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call_steps.h"
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
#include "version_record.h"

/* --- staging files ---------------------------------------------------------------------------- */

/* Only the name. */
static enum haul_status name_staging(struct target_record *record, const struct haul_store *store,
                                     struct haul_error *error)
{
    char directory[TARGET_PATH_BYTES_MAX - 16];
    if (!haul_directory_of(store, directory, sizeof(directory))) {
        return haul_directory_too_long(error);
    }
    (void)snprintf(record->staging, sizeof(record->staging), "%s/staging", directory);
    return HAUL_OK;
}

static bool make_directory(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST;
}

static enum haul_status make_staging(struct target_record *record, struct haul_error *error)
{
    char directory[TARGET_PATH_BYTES_MAX];
    enum haul_status status = name_staging(record, record->target->store, error);
    if (status != HAUL_OK) {
        return status;
    }
    (void)haul_directory_of(record->target->store, directory, sizeof(directory));
    return make_directory(directory) && make_directory(record->staging)
               ? HAUL_OK
               : haul_error_set(error, errno == ENOSPC ? HAUL_NO_SPACE : HAUL_IO, "mkdir", errno,
                                "cannot make %s", record->staging);
}

/* Those whose names begin so. A receiver has one job at a time: every file found is left over. */
static void remove_staging_files(const struct target_record *record, const char *prefix)
{
    bool none = record->staging[0] == '\0' || HAUL_PLANTED_BUG(STAGING_LEFT);
    DIR *directory = none ? NULL : opendir(record->staging);
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

static void remove_staging(const struct target_record *record)
{
    remove_staging_files(record, "");
    if (record->staging[0] != '\0' && rmdir(record->staging) != 0 && errno != ENOENT) {
        /* No harm to the next job, which uses it and removes it; but not without a word. */
        haul_log(record->target == NULL ? NULL : record->target->log, HAUL_LOG_WARNING,
                 "the staging directory %s stays: %s", record->staging, strerror(errno));
    }
}

/* A receiver may run another job meanwhile, whose files have other names. */
enum haul_status target_record_remove_staging(struct haul_store *store,
                                              const uint8_t job[HAUL_JOB_BYTES],
                                              struct haul_error *error)
{
    struct target_record record = {.journal = NULL};
    char prefix[2 * HAUL_JOB_BYTES + 1];
    enum haul_status status = name_staging(&record, store, error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; i < HAUL_JOB_BYTES; i++) {
        (void)snprintf(prefix + 2 * i, 3, "%02x", job[i]);
    }
    remove_staging_files(&record, prefix);
    (void)rmdir(record.staging); /* fails when somebody else has something there */
    return HAUL_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

void target_record_init(struct target_record *record, const struct haul_target_options *target)
{
    memset(record, 0, sizeof(*record));
    record->target = target;
}

static void free_positions(struct target_record *record)
{
    for (size_t i = 0; record->positions != NULL && i < record->plan.stream_count; i++) {
        stream_position_fini(&record->positions[i]);
    }
    free(record->positions);
    record->positions = NULL;
}

void target_record_fini(struct target_record *record)
{
    remove_staging(record);
    journal_close(record->journal);
    if (record->others.looked) {
        target_held_others_renew(&record->others, record->target->store);
    }
    free_positions(record);
    free(record->base_digests);
    free(record->over);
    if (record->was_done && record->given_error.status == HAUL_OK) {
        ownership_fini(&record->given);
    }
    plan_fini(&record->plan);
    memset(record, 0, sizeof(*record));
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
    enum job_phase phase = target_others_phase(journal_state(journal));
    if (phase != JOB_COMMITTED && (phase != JOB_PREPARED || force)) {
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
    return status == HAUL_OK ? target_record_remove_staging(store, job, error) : status;
}

enum haul_status target_record_give_up(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                       const struct haul_hooks *hooks,
                                       const struct haul_steps *steps, struct haul_error *error)
{
    return give_up(store, job, false, hooks, steps, error);
}

enum haul_status target_record_force_give_up(struct haul_store *store,
                                             const uint8_t job[HAUL_JOB_BYTES],
                                             struct haul_error *error)
{
    return give_up(store, job, true, NULL, NULL, error);
}

static struct target_newcomer newcomer_of(const struct target_record *record)
{
    return (struct target_newcomer){.store = record->target->store,
                                    .job = record->job,
                                    .peer = record->peer,
                                    .over = record->over,
                                    .over_count = record->over_count,
                                    .hooks = &record->target->hooks,
                                    .steps = record->steps};
}

enum haul_status target_record_note_over(struct target_record *record, struct haul_slice jobs,
                                         struct haul_error *error)
{
    free(record->over);
    record->over_count = 0;
    record->over = malloc(jobs.size + 1);
    if (jobs.size % HAUL_JOB_BYTES != 0) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "a list of jobs is cut short");
    }
    if (record->over == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a list of jobs");
    }
    if (jobs.size > 0) {
        memcpy(record->over, jobs.data, jobs.size);
    }
    record->over_count = jobs.size / HAUL_JOB_BYTES;
    return HAUL_OK;
}

const uint8_t *target_record_owned_job(const struct target_record *record)
{
    return record->owns_by_over ? record->owned_job : NULL;
}

/* The epoch of a job counts its source's attempts, from 1. */
static uint64_t epoch_of(const struct journal_state *state)
{
    return state->epoch == 0 ? 1 : state->epoch;
}

/* --- looking up ------------------------------------------------------------------------------- */

static enum haul_status read_journal(struct target_record *record, uint64_t *new_version,
                                     struct haul_error *error)
{
    const struct journal_state *state = journal_state(record->journal);
    enum haul_status status = target_others_check_peer(record->journal, record->peer, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (record->epoch < epoch_of(state) && !HAUL_PLANTED_BUG(EPOCH_UNCHECKED)) {
        haul_error_set(error, HAUL_FENCED, NULL, 0,
                       "a newer attempt of this job has been here: %" PRIu64 ", not %" PRIu64,
                       epoch_of(state), record->epoch);
        haul_error_hint(error, "was the source set back? `haul resolve` there asks who owns the "
                               "ranges; then `haul cancel`, and a new `haul send`");
        return HAUL_FENCED;
    }
    if (record->epoch == MESSAGE_EPOCH_NONE) { /* no attempt: what it decides is of the last one */
        record->epoch = epoch_of(state);
    }
    record->phase = target_others_phase(state);
    record->resumed = record->phase != JOB_UNKNOWN;
    record->held_before = record->phase == JOB_PREPARED;
    /* What had arrived of one that was given up is on its way out. */
    bool counts = record->resumed && state->has_delta;
    record->delta_next_batch = counts ? state->delta.next_batch : 0;
    *new_version = state->prepared.new_version;
    if (record->resumed) {
        status = read_plan(record->target->store, record->journal, &record->plan, error);
        record->has_plan = status == HAUL_OK;
    }
    return status;
}

static enum haul_status was_owned(const struct target_record *record, const uint8_t *job,
                                  bool *owned, enum version_return *returned,
                                  struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    const struct haul_hooks *hooks = &record->target->hooks;
    uint64_t ignored = 0;
    enum haul_status status = version_record_imported(store, job, owned, &ignored, error);
    *returned = VERSION_KEPT;
    if (status == HAUL_OK && *owned) {
        status = version_record_returned(store, job, record->peer, returned, error);
    } else if (status == HAUL_OK && hooks->was_owned != NULL) {
        *owned = hooks->was_owned(hooks->context, job);
    }
    return status;
}

/* The job has no journal: it ended here, or never came. */
static enum haul_status look_owned(struct target_record *record, struct haul_error *error)
{
    bool owned = false;
    enum haul_status status = was_owned(record, record->job, &owned, &record->returned, error);
    record->phase = owned ? JOB_COMMITTED : JOB_UNKNOWN;
    return status;
}

enum haul_status target_record_look_up(struct target_record *record,
                                       const haul_control_Hello *hello, uint64_t *new_version,
                                       struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    memcpy(record->job, hello->job.bytes, HAUL_JOB_BYTES);
    record->epoch = hello->epoch;
    record->source_is_told = hello->config_version_known;
    (void)snprintf(record->peer, sizeof(record->peer), "%.*s", (int)hello->source_identity.size,
                   (const char *)hello->source_identity.bytes);
    /* Whatever lies there is this job's now, also when it only learns that it is committed. */
    enum haul_status status = name_staging(record, store, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (!hello->resume) {
        return HAUL_OK; /* the journal is made when the plan is found good */
    }
    status = job_journal_open_existing(store, JOURNAL_TARGET, record->job, &record->journal, error);
    if (status == HAUL_NOT_FOUND) {
        return look_owned(record, error);
    }
    if (status == HAUL_OK) {
        status = read_journal(record, new_version, error);
    }
    if (status == HAUL_OK && record->phase == JOB_COMMITTED) {
        struct journal *journal = record->journal;
        record->journal = NULL;
        status = target_commit_finish(store, &record->target->hooks, journal, error);
        bool ignored = false; /* the journal is the proof, whatever register there is */
        status = status == HAUL_OK
                     ? was_owned(record, record->job, &ignored, &record->returned, error)
                     : status;
    }
    return status;
}

/* --- the plan --------------------------------------------------------------------------------- */

/* What would fail when the job owns fails here; also of one that goes on: other jobs may have
 * filled the record meanwhile. */
static enum haul_status rehearse(struct target_record *record, struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    const struct haul_hooks *hooks = &record->target->hooks;
    enum haul_status status = target_done_check_lost(record, error);
    if (status == HAUL_OK && !record->source_is_told) {
        status = version_record_check_peer(store, hooks, record->peer, &record->plan, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    const struct version_move move = {.outcome = VERSION_IMPORTED,
                                      .job = record->job,
                                      .peer = record->peer,
                                      .plan = &record->plan,
                                      .new_version = record->plan.new_version,
                                      .epoch = record->epoch};
    return version_record_rehearse(store, hooks, &move, error);
}

/* They did fit: whoever has changed them can change them back. */
static enum haul_status as_changed_since(enum haul_status status, struct haul_error *error)
{
    return status == HAUL_MISMATCH ? (error->status = HAUL_UNSUPPORTED) : status;
}

static enum haul_status check_resumed(struct target_record *record, struct plan *plan,
                                      struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    /* Agreed on anew: other jobs may have moved either side's on. */
    record->plan.old_version = plan->old_version;
    record->plan.new_version = plan->new_version;
    /* So are the options, which either side may have changed since. */
    enum haul_status status = as_changed_since(target_fit_check(store, plan, error), error);
    if (status == HAUL_OK) {
        status = rehearse(record, error);
    }
    if (status == HAUL_OK) {
        /* A journal that failed may hold a plan whose families went when the job was refused. */
        status = as_changed_since(target_plan_make(store, &record->plan, error), error);
    }
    if (status == HAUL_OK) {
        status = as_changed_since(target_plan_check_names(store, plan, error), error);
    }
    plan_fini(plan);
    return status == HAUL_OK ? target_arrived_restore(record, error) : status;
}

/* A new job has no journal yet: one of its name is of another job, whatever it is. */
static enum haul_status make_journal(struct target_record *record, struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    bool existed = false;
    enum haul_status status = job_journal_begin(store, record->name, JOURNAL_TARGET, record->job,
                                                &record->journal, &existed, error);
    if (status == HAUL_OK && existed) {
        status = haul_error_set(error, HAUL_BUSY, NULL, 0, "a job of this name is here already");
        journal_close(record->journal);
        record->journal = NULL;
    }
    return status;
}

/* Whatever of the plan's families goes when no job names it any more is named by this one. */
static enum haul_status name_families(struct target_record *record, struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    enum haul_status status = target_plan_find(store, &record->plan, error);
    for (size_t i = 0; i < record->plan.family_count && status == HAUL_OK; i++) {
        const struct plan_family *family = &record->plan.families[i];
        const char *name = family->family.name;
        struct journal_record made = {.type = JOURNAL_FAMILY,
                                      .family = slice_of((const uint8_t *)name, strlen(name))};
        bool goes = family->target_id == TARGET_PLAN_NO_FAMILY;
        if (!goes) { /* made for a job whose end may come before this one's */
            status = target_others_was_made(store, name, &goes, error);
        }
        if (status == HAUL_OK && goes) {
            status = journal_append(record->journal, &made, false, error);
        }
    }
    return status == HAUL_OK ? journal_sync(record->journal, error) : status;
}

/* The families that go when the job goes stand in the journal before they are made. */
static enum haul_status make_families(struct target_record *record, struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    int lock_fd = -1;
    enum haul_status status = target_others_lock(store, &lock_fd, error);
    if (status == HAUL_OK) {
        status = name_families(record, error);
        ownership_unlock(haul_files_of(store), lock_fd);
    }
    return status == HAUL_OK ? target_plan_make(store, &record->plan, error) : status;
}

/* Everything is said that could be said against the plan. */
static enum haul_status admit(struct target_record *record, struct target_others *others,
                              struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    enum haul_status status = record->journal == NULL ? make_journal(record, error) : HAUL_OK;
    if (status == HAUL_OK && record->peer[0] != '\0') {
        status = job_journal_bind(record->journal, record->peer, record->peer_address, error);
    }
    if (status == HAUL_OK) {
        status = make_families(record, error);
    }
    if (status == HAUL_OK) {
        status = target_others_give_up(others, store, &record->plan, error);
    }
    if (status == HAUL_OK && record->plan.overwrite) {
        status = target_plan_clear(store, &record->plan, record->steps, error);
    }
    if (status == HAUL_OK && !steps_next(record->steps)) {
        status = target_plan_given_up(error);
    }
    if (status == HAUL_OK) { /* again: writes of others from here on are told by the sequence */
        status = target_plan_check_empty(store, &record->plan, NULL, 0, error);
    }
    if (status == HAUL_OK && !HAUL_PLANTED_BUG(EMPTY_UNSYNCED)) {
        /* What was deleted there must not come back with a crash in the middle of the job. */
        status = store->ops->sync(store, error);
    }
    record->checked_sequence = store->ops->sequence(store);
    return status == HAUL_OK ? job_journal_plan(record->journal, &record->plan, error) : status;
}

/* An attempt of this job was given up here, and its source does not know: what it left goes. Its
 * reservation is this attempt's now. */
static enum haul_status end_own(struct target_record *record, struct haul_error *error)
{
    struct journal *journal = record->journal;
    if (journal == NULL || journal_state(journal)->phase == JOURNAL_PHASE_NEW) {
        return HAUL_OK;
    }
    record->journal = NULL;
    return target_others_end(record->target->store, journal, "given up", NULL, NULL, record->steps,
                             error);
}

/* Nothing is touched before it is known that the plan fits. */
static enum haul_status check_new(struct target_record *record, struct plan *plan,
                                  struct haul_error *error)
{
    const struct target_newcomer newcomer = newcomer_of(record);
    struct target_others others;
    record->plan = *plan;
    record->has_plan = true;
    enum haul_status status = end_own(record, error);
    if (status == HAUL_OK) {
        status = target_others_look(&newcomer, &record->plan, &others, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    /* Jobs that were left behind COMMITTED own what they have before another comes. */
    status = target_commit_finish_all(record->target->store, &record->target->hooks, error);
    if (status == HAUL_OK) {
        status = rehearse(record, error);
    }
    if (status == HAUL_OK) {
        status = target_plan_look(record->target->store, &record->plan, others.plans, others.count,
                                  error);
    }
    if (status == HAUL_OK) {
        status = admit(record, &others, error);
    }
    target_others_fini(&others);
    return status;
}

static enum haul_status reserve(struct target_record *record, const struct plan *plan,
                                struct haul_error *error)
{
    const struct haul_hooks *hooks = &record->target->hooks;
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
        memcpy(wanted.job, record->job, HAUL_JOB_BYTES);
        status = hooks->reserve(hooks->context, &wanted, error);
    }
    free(ranges);
    free(families);
    record->reserved = status == HAUL_OK;
    return status;
}

static enum haul_status record_epoch(struct target_record *record, struct haul_error *error)
{
    struct journal_record epoch = {.type = JOURNAL_EPOCH, .epoch = record->epoch};
    return record->epoch > epoch_of(journal_state(record->journal))
               ? journal_append(record->journal, &epoch, true, error)
               : HAUL_OK;
}

/* A source gives up only what it has not decided, and nothing else makes us own. What it has back
 * is its own. */
static enum haul_status check_none_owned(struct target_record *record, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < record->over_count && status == HAUL_OK; i++) {
        const uint8_t *job = record->over + i * HAUL_JOB_BYTES;
        char name[JOURNAL_NAME_BYTES_MAX];
        bool owned = false;
        enum version_return returned = VERSION_KEPT;
        status = was_owned(record, job, &owned, &returned, error);
        if (status == HAUL_OK && owned && returned != VERSION_RETURNED) {
            record->owns_by_over = true;
            memcpy(record->owned_job, job, HAUL_JOB_BYTES);
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
static enum haul_status check_plan(struct target_record *record, struct plan *plan,
                                   struct haul_error *error)
{
    bool same = !record->resumed || plan_equal(&record->plan, plan);
    enum haul_status status = same ? check_none_owned(record, error)
                                   : haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                                                    "the job's plan is not the one that was begun");
    if (status == HAUL_OK) {
        status = reserve(record, plan, error);
    }
    if (status != HAUL_OK) {
        plan_fini(plan);
        return status;
    }
    status = record->resumed ? check_resumed(record, plan, error) : check_new(record, plan, error);
    if (status == HAUL_OK) {
        status = record_epoch(record, error);
    }
    if (status == HAUL_OK && record->lane == HAUL_LANE_INGEST) {
        status = make_staging(record, error);
        remove_staging_files(record, "");
    }
    return status;
}

/* What is overwritten makes room, and what has arrived needs none. */
static enum haul_status check_space(const struct target_record *record, const struct plan *plan,
                                    struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    uint64_t keep_bytes = record->target->keep_free_bytes;
    return record->resumed || plan->overwrite
               ? space_limit_check(store, keep_bytes, error)
               : space_limit_check_plan(store, keep_bytes, plan, error);
}

enum haul_status target_record_check(struct target_record *record, struct plan *plan,
                                     struct haul_error *error)
{
    enum haul_status status = target_plan_lane(record->target->store, plan->lane,
                                               record->target->lane, &record->lane, error);
    if (status == HAUL_OK) {
        status = check_space(record, plan, error);
    }
    if (status != HAUL_OK) {
        plan_fini(plan);
        return status;
    }
    record->held_before = false;
    status = target_held_others_look(&record->others, record->target->store, record->job, error);
    if (status == HAUL_OK) {
        status = check_plan(record, plan, error);
    } else {
        plan_fini(plan);
    }
    record->over_count = 0; /* they have ended, or stay as they are */
    if (status != HAUL_OK && !record->resumed) {
        struct haul_error second; /* the first one is the answer */
        if (target_record_clear(record, error, &second) != HAUL_OK) {
            haul_log(record->target->log, HAUL_LOG_WARNING, "a refused job's record stays: %s",
                     second.text);
        }
    }
    return status;
}

/* --- records ---------------------------------------------------------------------------------- */

enum haul_status target_record_positions(struct target_record *record,
                                         const struct stream_position *positions, size_t count,
                                         struct haul_error *error)
{
    return job_journal_positions(record->journal, positions, count, error);
}

enum haul_status target_record_prepare(struct target_record *record,
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
    prepared->digest_count = (uint32_t)record->plan.family_count;
    for (size_t i = 0; i < record->plan.family_count; i++) {
        prepared->digests[i] = (struct journal_family_digest){
            .family_id = record->plan.families[i].target_id, .digest = digests[i]};
    }
    struct journal_record entry = {.type = JOURNAL_PREPARED, .prepared = prepared};
    const struct journal_record held = {.type = JOURNAL_HELD,
                                        .held = target_held_now(record->target->store)};
    enum haul_status status = journal_append(record->journal, &held, false, error);
    if (status == HAUL_OK) {
        status = journal_append(record->journal, &entry, true, error);
    }
    free(prepared);
    return status;
}

/* Of a job that another attempt has prepared. While the same receiver runs, its embedder keeps
 * everybody off the ranges. */
static void look_at_held(struct target_record *record)
{
    const struct journal_held now = target_held_now(record->target->store);
    enum target_held held = target_held_compare(journal_state(record->journal), &now);
    bool same = memcmp(record->left.job, record->job, HAUL_JOB_BYTES) == 0;
    bool kept_off = same && record->target->hooks.reserve != NULL;
    if (record->held_before && !kept_off && held != TARGET_HELD_SAME) {
        target_held_explain(held, record->warning, sizeof(record->warning));
        haul_log(record->target->log, HAUL_LOG_WARNING, "%s", record->warning);
    }
}

enum haul_status target_record_own(struct target_record *record, uint64_t new_version,
                                   struct haul_error *error)
{
    struct journal_record committed = {
        .type = JOURNAL_COMMITTED,
        .committed = {.new_version = new_version, .epoch = record->epoch}};
    look_at_held(record);
    /* The journal does not say that only a part is ours: the record does, before it goes on. */
    enum haul_status status = target_done_check(record, error);
    if (status == HAUL_OK && record->was_done) {
        status = target_done_take(record, &committed.committed, error);
    }
    record->refused = status != HAUL_OK && status != HAUL_IN_DOUBT;
    if (status == HAUL_OK) {
        status = journal_append(record->journal, &committed, true, error);
    }
    if (status == HAUL_OK) {
        status = target_commit_own(record->target->store, &record->target->hooks, record->journal,
                                   &committed.committed, &record->plan, error);
    }
    if (status == HAUL_OK) {
        remove_staging(record); /* before DONE: whoever comes after it looks for nothing */
        status = job_journal_finish(record->journal, error);
        record->journal = NULL;
        instance_note(record->target->store);
    }
    return status;
}

enum haul_status target_record_clear(struct target_record *record, const struct haul_error *reason,
                                     struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    const struct haul_hooks *hooks = &record->target->hooks;
    enum haul_status status = target_held_others_look(&record->others, store, record->job, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct journal *journal = record->journal;
    record->journal = NULL;
    if (journal != NULL) {
        status = target_others_end(store, journal, reason->text, NULL, hooks, record->steps, error);
        if (status != HAUL_OK) {
            return status; /* what is left there is not to be mixed with other writes */
        }
    } else if (record->reserved && hooks->unreserve != NULL) {
        hooks->unreserve(hooks->context, record->job);
    }
    record->reserved = false;
    const struct target_newcomer newcomer = newcomer_of(record);
    status = target_others_end_over(&newcomer, error);
    return status == HAUL_OK ? check_none_owned(record, error) : status;
}
