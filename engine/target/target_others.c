/* SPDX-License-Identifier: Apache-2.0 */
/* target_others.c — other jobs of a target: finds those that block a plan, and ends them. */
#include "target_others.h"

#include <stdlib.h>
#include <string.h>

#include "config_version.h"
#include "durable_file.h"
#include "haul_folder.h"
#include "job_journal.h"
#include "ownership_file.h"
#include "planted_bug.h"
#include "target_plan.h"

enum job_knowledge target_others_knowledge(const struct journal_state *state)
{
    switch (state->phase) {
    case JOURNAL_PHASE_PREPARED:
        return JOB_PREPARED;
    case JOURNAL_PHASE_COMMITTED:
        return JOB_COMMITTED;
    case JOURNAL_PHASE_DONE:
        return state->outcome == JOURNAL_COMMIT ? JOB_COMMITTED : JOB_UNKNOWN;
    case JOURNAL_PHASE_PLANNED:
    case JOURNAL_PHASE_COPYING:
        return JOB_COPYING;
    default:
        return JOB_UNKNOWN;
    }
}

static enum haul_status busy(const struct target_newcomer *newcomer, const struct journal *journal,
                             struct haul_error *error)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    bool prepared = target_others_knowledge(journal_state(journal)) != JOB_COPYING;
    journal_name_format(JOURNAL_TARGET, journal_job_id(journal), name);
    haul_error_set(error, HAUL_BUSY, NULL, 0, "another job is using this range: %s is %s", name,
                   journal_phase_name(journal_state(journal)->phase));
    haul_error_hint(
        error, prepared ? "its source finishes it (`haul status` there); when that is lost for "
                          "good: `haul cancel --accept-two-owners` here"
               : newcomer->may_overwrite ? "resume it from its source (`haul send`), or give it "
                                           "up with --overwrite or `haul cancel`"
                                         : "resume it from its source (`haul send`), or give it "
                                           "up: `haul cancel` on the receiver's database");
    return HAUL_BUSY;
}

enum haul_status target_others_check_peer(const struct journal *journal, const char *peer,
                                          struct haul_error *error)
{
    if (job_journal_is_bound_to(journal, peer) || HAUL_PLANTED_BUG(PEER_UNCHECKED)) {
        return HAUL_OK;
    }
    char name[JOURNAL_NAME_BYTES_MAX];
    journal_name_format(JOURNAL_TARGET, journal_job_id(journal), name);
    haul_error_set(error, HAUL_MISMATCH, NULL, 0, "%s is a job of database %s, not of %s", name,
                   journal_state(journal)->peer, peer);
    bool prepared = target_others_knowledge(journal_state(journal)) != JOB_COPYING;
    haul_error_hint(error,
                    "a copy cannot resume the jobs of the original; if that is lost or has "
                    "forgotten them, `haul cancel%s` here gives them up",
                    prepared ? " --accept-two-owners" : "");
    return HAUL_MISMATCH;
}

enum haul_status target_others_waiting(struct haul_store *store, const char *peer, uint8_t *jobs,
                                       size_t max, size_t *count, struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t entry_count = 0;
    *count = 0;
    enum haul_status status =
        job_journal_list(store, JOURNAL_TARGET, &entries, &entry_count, error);
    for (size_t i = 0; i < entry_count && status == HAUL_OK && *count < max; i++) {
        struct journal *journal = NULL;
        status = job_journal_look(store, JOURNAL_TARGET, entries[i].job_id, &journal, error);
        bool theirs = status == HAUL_OK && journal_state(journal)->peer[0] != '\0' &&
                      job_journal_is_bound_to(journal, peer);
        if (theirs && journal_state(journal)->phase == JOURNAL_PHASE_PREPARED) {
            memcpy(jobs + *count * HAUL_JOB_BYTES, entries[i].job_id, HAUL_JOB_BYTES);
            *count += 1;
        }
        status = status == HAUL_NOT_FOUND || status == HAUL_CORRUPT ? HAUL_OK : status;
        journal_close(journal);
    }
    free(entries);
    return status;
}

/* --- families --------------------------------------------------------------------------------- */

static bool names_family(const struct plan *plan, const char *name)
{
    bool named = false;
    for (size_t i = 0; plan != NULL && i < plan->family_count; i++) {
        named = named || strcmp(plan->families[i].family.name, name) == 0;
    }
    return named;
}

static bool names_made(const struct journal_state *state, const char *name)
{
    bool made = false;
    for (size_t i = 0; i < state->made_count; i++) {
        made = made || strcmp(state->made[i], name) == 0;
    }
    return made;
}

/* May the job of a journal put records into the family? Yes for one that cannot be read; a job that
 * is being admitted names its families before its plan. */
static bool may_need(const struct journal *journal, const char *name)
{
    struct haul_error ignored;
    struct plan plan;
    bool over = journal_state(journal)->phase == JOURNAL_PHASE_ABORTED;
    enum haul_status status =
        over ? HAUL_NOT_FOUND : job_journal_read_plan(journal, &plan, &ignored);
    bool names = !over && names_made(journal_state(journal), name);
    bool needs =
        names || (status == HAUL_OK ? names_family(&plan, name) : status != HAUL_NOT_FOUND);
    if (status == HAUL_OK) {
        plan_fini(&plan);
    }
    return needs;
}

/* Does a job other than that of `journal` put records into the family, or has one done so? */
static enum haul_status look_needed(struct haul_store *store, const struct journal *journal,
                                    const char *name, bool *needed, struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status = config_version_names_family(store, name, needed, error);
    if (status == HAUL_OK) {
        status = job_journal_list(store, JOURNAL_TARGET, &entries, &count, error);
    }
    for (size_t i = 0; i < count && status == HAUL_OK && !*needed; i++) {
        struct journal *other = NULL;
        if (memcmp(entries[i].job_id, journal_job_id(journal), HAUL_JOB_BYTES) == 0) {
            continue;
        }
        status = job_journal_look(store, JOURNAL_TARGET, entries[i].job_id, &other, error);
        *needed = status == HAUL_CORRUPT || (status == HAUL_OK && may_need(other, name));
        /* It ended meanwhile, or is damaged, which is for the operator to mend and blocks no other
         * job. */
        status = status == HAUL_NOT_FOUND || status == HAUL_CORRUPT ? HAUL_OK : status;
        journal_close(other);
    }
    free(entries);
    return status;
}

enum haul_status target_others_lock(struct haul_store *store, int *lock_fd,
                                    struct haul_error *error)
{
    char directory[DURABLE_FILE_PATH_BYTES_MAX];
    if (!haul_directory_of(store, directory, sizeof(directory))) {
        return haul_directory_too_long(error);
    }
    return ownership_lock(haul_files_of(store), directory, lock_fd, error);
}

enum haul_status target_others_was_made(struct haul_store *store, const char *name, bool *made,
                                        struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    *made = false;
    enum haul_status status = job_journal_list(store, JOURNAL_TARGET, &entries, &count, error);
    for (size_t i = 0; i < count && status == HAUL_OK && !*made; i++) {
        struct journal *other = NULL;
        status = job_journal_look(store, JOURNAL_TARGET, entries[i].job_id, &other, error);
        *made = status == HAUL_OK && names_made(journal_state(other), name);
        status = status == HAUL_NOT_FOUND || status == HAUL_CORRUPT ? HAUL_OK : status;
        journal_close(other);
    }
    free(entries);
    return status;
}

/* Errors: NOT_FOUND (no such family), those of the store. */
static enum haul_status look_empty(struct haul_store *store, const char *name, bool *empty,
                                   struct haul_error *error)
{
    struct haul_family *families = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*families));
    size_t count = 0;
    struct haul_scan *scan = NULL;
    struct haul_record record;
    size_t at = 0;
    if (families == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the families");
    }
    enum haul_status status =
        store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, error);
    while (status == HAUL_OK && at < count && strcmp(families[at].name, name) != 0) {
        at++;
    }
    uint32_t id = at < count ? families[at].id : 0;
    free(families);
    if (status != HAUL_OK || at == count) {
        return status == HAUL_OK ? HAUL_NOT_FOUND : status;
    }
    status =
        store->ops->scan_open(store, NULL, id, slice_of(NULL, 0), slice_of(NULL, 0), &scan, error);
    if (status == HAUL_OK) {
        status = store->ops->scan_next(scan, &record, error);
        store->ops->scan_close(scan);
        *empty = status == HAUL_NOT_FOUND;
        status = *empty ? HAUL_OK : status;
    }
    return status;
}

/* Drop families that were created for the job and that nobody uses. */
static enum haul_status drop_made_locked(struct haul_store *store, const struct journal *journal,
                                         const struct plan *keep, struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; store->ops->family_drop != NULL && i < state->made_count; i++) {
        const char *name = state->made[i];
        bool needed = names_family(keep, name);
        bool empty = false;
        if (!needed) {
            status = look_needed(store, journal, name, &needed, error);
        }
        if (status == HAUL_OK && !needed) {
            status = look_empty(store, name, &empty, error);
        }
        if (status == HAUL_OK && empty) {
            status = store->ops->family_drop(store, name, error);
        }
        status = status == HAUL_NOT_FOUND ? HAUL_OK : status; /* no longer there */
        if (status != HAUL_OK) {
            break;
        }
    }
    return status;
}

static enum haul_status drop_made(struct haul_store *store, const struct journal *journal,
                                  const struct plan *keep, struct haul_error *error)
{
    int lock_fd = -1;
    if (journal_state(journal)->made_count == 0) {
        return HAUL_OK;
    }
    enum haul_status status = target_others_lock(store, &lock_fd, error);
    if (status == HAUL_OK) {
        status = drop_made_locked(store, journal, keep, error);
        ownership_unlock(haul_files_of(store), lock_fd);
    }
    return status;
}

/* --- ending one ------------------------------------------------------------------------------- */

/* Clear the ranges of a journal that has a plan, after writing ABORTED. */
static enum haul_status clear(struct haul_store *store, struct journal *journal, const char *text,
                              const struct haul_steps *steps, struct haul_error *error)
{
    struct plan plan;
    enum haul_status status = job_journal_read_plan(journal, &plan, error);
    bool has_plan = status == HAUL_OK;
    status = status == HAUL_NOT_FOUND ? HAUL_OK : status;
    if (has_plan) {
        status = target_plan_find(store, &plan, error);
    }
    if (status == HAUL_OK && has_plan && journal_state(journal)->phase != JOURNAL_PHASE_ABORTED) {
        status = job_journal_aborted(journal, HAUL_CANCELLED, text, error);
    }
    bool clears = has_plan && !journal_state(journal)->cleared;
    if (status == HAUL_OK && clears) {
        status = target_plan_clear(store, &plan, steps, error);
    }
    if (status == HAUL_OK && clears) {
        status = job_journal_mark(journal, JOURNAL_CLEARED, true, error);
    }
    if (has_plan) {
        plan_fini(&plan);
    }
    return status;
}

/* Before the journal is removed: after a crash in between it is called again. */
static void unreserve(const struct haul_hooks *hooks, const struct journal *journal)
{
    if (hooks != NULL && hooks->unreserve != NULL) {
        hooks->unreserve(hooks->context, journal_job_id(journal));
    }
}

enum haul_status target_others_end(struct haul_store *store, struct journal *journal,
                                   const char *text, const struct plan *keep,
                                   const struct haul_hooks *hooks, const struct haul_steps *steps,
                                   struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    if (journal_state(journal)->phase != JOURNAL_PHASE_DONE) { /* otherwise only its file is left */
        status = clear(store, journal, text, steps, error);
        if (status == HAUL_OK) {
            status = drop_made(store, journal, keep, error);
        }
        if (status == HAUL_OK) {
            unreserve(hooks, journal);
        }
    }
    if (status != HAUL_OK) {
        journal_close(journal);
        return status;
    }
    return job_journal_finish(journal, error);
}

/* --- jobs that block a plan ------------------------------------------------------------------- */

/* The place of the job in the newcomer's list; over_count: it is not there. */
static size_t place_in_list(const struct target_newcomer *newcomer, const uint8_t *job)
{
    size_t at = 0;
    while (at < newcomer->over_count &&
           memcmp(newcomer->over + at * HAUL_JOB_BYTES, job, HAUL_JOB_BYTES) != 0) {
        at++;
    }
    return at;
}

static bool is_said_to_be_over(const struct target_newcomer *newcomer, const uint8_t *job)
{
    return place_in_list(newcomer, job) < newcomer->over_count;
}

/* May the newcomer say that the job of this plan is over? */
static bool proves(const struct target_newcomer *newcomer, const uint8_t *job,
                   const struct plan *theirs)
{
    struct source_proof proof = {.given = false};
    size_t at = place_in_list(newcomer, job);
    if (newcomer->over_proofs != NULL && at < newcomer->over_count) {
        source_proof_take(
            &proof, slice_of(newcomer->over_proofs + at * SOURCE_PROOF_BYTES, SOURCE_PROOF_BYTES));
    }
    return source_proof_fits(&theirs->proof, &proof);
}

enum haul_status target_others_refuse_stranger(struct haul_error *error)
{
    haul_error_set(error, HAUL_AUTH, NULL, 0,
                   "the job was begun by a database whose secret this one does not have");
    haul_error_hint(error, "was `haul/secret` removed there? `haul cancel` here gives the job up");
    return HAUL_AUTH;
}

/* `*ends`: the job ends for the plan (NULL: no plan, only jobs that are over end). `*apart`: it
 * only does because it is over, and has nothing of the plan. */
static enum haul_status judge(const struct target_newcomer *newcomer, const struct plan *plan,
                              const struct journal *other, bool *ends, bool *apart,
                              struct haul_error *error)
{
    struct plan theirs;
    enum job_knowledge knowledge = target_others_knowledge(journal_state(other));
    enum haul_status status = job_journal_read_plan(other, &theirs, error);
    bool meets = status == HAUL_OK && plan != NULL && plan_overlaps(plan, &theirs);
    bool proved = status != HAUL_OK || proves(newcomer, journal_job_id(other), &theirs);
    if (status == HAUL_OK) {
        plan_fini(&theirs);
    } else if (status != HAUL_NOT_FOUND) {
        return status;
    }
    if (is_said_to_be_over(newcomer, journal_job_id(other))) {
        *ends = true;
        status = target_others_check_peer(other, newcomer->peer, error);
        if (status == HAUL_OK && !proved) {
            return target_others_refuse_stranger(error);
        }
        return status == HAUL_OK && knowledge == JOB_COMMITTED ? busy(newcomer, other, error)
                                                               : status;
    }
    /* An aborted job is over and only could not be cleared; its source may have forgotten it. A job
     * that does not overlap the plan stays for its own source. */
    bool over = plan != NULL && knowledge == JOB_UNKNOWN;
    *ends = knowledge != JOB_COMMITTED && (over || meets);
    *apart = over && !meets;
    bool stays = knowledge == JOB_PREPARED && !HAUL_PLANTED_BUG(PREPARED_GIVEN_UP);
    return *ends && !over && (stays || !plan->overwrite) ? busy(newcomer, other, error) : HAUL_OK;
}

/* Takes the journal over, except on error. */
static enum haul_status keep_one(struct target_others *others, struct journal *journal,
                                 struct haul_error *error)
{
    size_t count = others->count + 1;
    struct journal **journals = realloc(others->journals, count * sizeof(*journals));
    others->journals = journals == NULL ? others->journals : journals;
    struct plan *plans = realloc(others->plans, count * sizeof(*plans));
    others->plans = plans == NULL ? others->plans : plans;
    if (journals == NULL || plans == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for other jobs");
    }
    struct plan *plan = &plans[others->count];
    memset(plan, 0, sizeof(*plan));
    bool has_records = !journal_state(journal)->cleared;
    enum haul_status status =
        has_records ? job_journal_read_plan(journal, plan, error) : HAUL_NOT_FOUND;
    if (status != HAUL_OK && status != HAUL_NOT_FOUND) {
        return status;
    }
    journals[others->count++] = journal;
    return HAUL_OK;
}

static enum haul_status look_at(const struct target_newcomer *newcomer, const struct plan *plan,
                                const uint8_t *job, struct target_others *others,
                                struct haul_error *error)
{
    struct journal *journal = NULL;
    bool ends = false;
    bool apart = false;
    enum haul_status status =
        job_journal_look(newcomer->store, JOURNAL_TARGET, job, &journal, error);
    if (status == HAUL_OK) {
        status = judge(newcomer, plan, journal, &ends, &apart, error);
    }
    journal_close(journal);
    journal = NULL;
    if (status == HAUL_OK && ends) {
        status = job_journal_open_existing(newcomer->store, JOURNAL_TARGET, job, &journal, error);
    }
    if (status == HAUL_BUSY && journal == NULL && apart) {
        return HAUL_OK; /* a job that runs beside this one removes it */
    }
    if (status == HAUL_OK && ends) {
        status = keep_one(others, journal, error);
        if (status != HAUL_OK) {
            journal_close(journal);
        }
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status; /* it ended meanwhile */
}

enum haul_status target_others_look(const struct target_newcomer *newcomer, const struct plan *plan,
                                    struct target_others *others, struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    *others = (struct target_others){.hooks = newcomer->hooks, .steps = newcomer->steps};
    enum haul_status status =
        job_journal_list(newcomer->store, JOURNAL_TARGET, &entries, &count, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        const uint8_t *job = entries[i].job_id;
        /* A source that only reports connects under the id of one of the jobs that are over. */
        if (memcmp(job, newcomer->job, HAUL_JOB_BYTES) != 0 || is_said_to_be_over(newcomer, job)) {
            status = look_at(newcomer, plan, job, others, error);
        }
    }
    free(entries);
    if (status != HAUL_OK) {
        target_others_fini(others);
    }
    return status;
}

enum haul_status target_others_give_up(struct target_others *others, struct haul_store *store,
                                       const struct plan *plan, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < others->count && status == HAUL_OK; i++) {
        struct journal *journal = others->journals[i];
        others->journals[i] = NULL;
        status = target_others_end(store, journal, "given up for another job", plan, others->hooks,
                                   others->steps, error);
    }
    return status;
}

enum haul_status target_others_end_over(const struct target_newcomer *newcomer,
                                        struct haul_error *error)
{
    struct target_others others;
    if (newcomer->over_count == 0) {
        return HAUL_OK;
    }
    enum haul_status status = target_others_look(newcomer, NULL, &others, error);
    if (status == HAUL_OK) {
        status = target_others_give_up(&others, newcomer->store, NULL, error);
        target_others_fini(&others);
    }
    return status;
}

void target_others_fini(struct target_others *others)
{
    for (size_t i = 0; i < others->count; i++) {
        journal_close(others->journals[i]);
        plan_fini(&others->plans[i]);
    }
    free(others->journals);
    free(others->plans);
    memset(others, 0, sizeof(*others));
}
