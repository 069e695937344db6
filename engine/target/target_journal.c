/* SPDX-License-Identifier: Apache-2.0 */
/* target_journal.c — the target's journal, and the steps between its records. */
#include "target_journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_version.h"
#include "instance.h"
#include "job_journal.h"
#include "planted_bug.h"
#include "target_commit.h"
#include "target_done.h"
#include "target_others.h"
#include "target_plan.h"

/* --- life ------------------------------------------------------------------------------------- */

void target_journal_init(struct target_journal *journal, const struct haul_target_options *target)
{
    memset(journal, 0, sizeof(*journal));
    journal->target = target;
}

static const struct haul_log *log_of(const struct target_journal *journal)
{
    return journal->target == NULL ? NULL : journal->target->log;
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
    if (journal->beside_others) {
        staging_empty(journal->staging, journal->job);
    } else {
        staging_remove(journal->staging, log_of(journal));
    }
    journal_close(journal->file);
    if (journal->others.looked) {
        target_held_others_renew(&journal->others, journal->target->store);
    }
    free_positions(journal);
    free(journal->base_digests);
    free(journal->over);
    free(journal->over_proofs);
    if (journal->was_done && journal->given_error.status == HAUL_OK) {
        ownership_fini(&journal->given);
    }
    plan_fini(&journal->plan);
    memset(journal, 0, sizeof(*journal));
}

/* --- journals --------------------------------------------------------------------------------- */

/* The plan of a journal, with this store's family ids. */
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

struct target_newcomer target_journal_newcomer(const struct target_journal *journal)
{
    return (struct target_newcomer){.store = journal->target->store,
                                    .job = journal->job,
                                    .peer = journal->peer,
                                    .over = journal->over,
                                    .over_count = journal->over_count,
                                    .over_proofs = journal->over_proofs,
                                    .hooks = &journal->target->hooks,
                                    .may_overwrite = journal->target->allow_overwrite,
                                    .steps = journal->steps};
}

/* Errors: NO_MEMORY. */
static enum haul_status copy_bytes(struct haul_slice from, uint8_t **to)
{
    free(*to);
    *to = malloc(from.size + 1);
    if (*to != NULL && from.size > 0) {
        memcpy(*to, from.data, from.size);
    }
    return *to == NULL ? HAUL_NO_MEMORY : HAUL_OK;
}

enum haul_status target_journal_note_over(struct target_journal *journal, struct haul_slice jobs,
                                          struct haul_slice proofs, struct haul_error *error)
{
    size_t count = jobs.size / HAUL_JOB_BYTES;
    journal->over_count = 0;
    if (jobs.size % HAUL_JOB_BYTES != 0 ||
        (proofs.size > 0 && proofs.size != count * SOURCE_PROOF_BYTES)) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "a list of jobs is cut short");
    }
    if (copy_bytes(jobs, &journal->over) != HAUL_OK ||
        copy_bytes(proofs, &journal->over_proofs) != HAUL_OK) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a list of jobs");
    }
    if (proofs.size == 0) { /* a source of an earlier release */
        free(journal->over_proofs);
        journal->over_proofs = NULL;
    }
    journal->over_count = count;
    return HAUL_OK;
}

enum haul_status target_journal_check_proof(const struct target_journal *journal,
                                            struct haul_error *error)
{
    bool proved = !journal->has_plan || source_proof_fits(&journal->plan.proof, &journal->proof);
    return proved ? HAUL_OK : target_others_refuse_stranger(error);
}

const uint8_t *target_journal_owned_job(const struct target_journal *journal)
{
    return journal->owns_by_over ? journal->owned_job : NULL;
}

uint64_t target_journal_epoch(const struct journal_state *state)
{
    return state->epoch == 0 ? 1 : state->epoch;
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

/* A source gives up only undecided jobs, and only a decision makes this database own. Ranges that
 * the source has got back do not count. */
enum haul_status target_journal_check_none_owned(struct target_journal *journal,
                                                 struct haul_error *error)
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
            haul_error_hint(error, "write to them only here; `haul resolve` on the source records "
                                   "that; to move them back: `haul send` from here with "
                                   "--overwrite");
        }
    }
    return status;
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
    if (journal->epoch < target_journal_epoch(state) && !HAUL_PLANTED_BUG(EPOCH_UNCHECKED)) {
        haul_error_set(error, HAUL_FENCED, NULL, 0,
                       "a newer attempt of this job was here already: %" PRIu64 ", not %" PRIu64,
                       target_journal_epoch(state), journal->epoch);
        haul_error_hint(error, "was the source set back? `haul resolve` there finds out who owns "
                               "the ranges; then `haul cancel`, and a new `haul send`");
        return HAUL_FENCED;
    }
    if (journal->epoch == MESSAGE_EPOCH_NONE) { /* no attempt: its decision is about the last one */
        journal->epoch = target_journal_epoch(state);
    }
    journal->knowledge = target_others_knowledge(state);
    journal->resumed = journal->knowledge != JOB_UNKNOWN;
    journal->held_before = journal->knowledge == JOB_PREPARED;
    /* Records of a job that was given up are being removed. */
    bool counts = journal->resumed && state->has_delta;
    journal->delta_next_batch = counts ? state->delta.next_batch : 0;
    *new_version = state->prepared.new_version;
    if (journal->resumed) {
        status = read_plan(journal->target->store, journal->file, &journal->plan, error);
        journal->has_plan = status == HAUL_OK;
    }
    return status;
}

/* The job has no journal: it ended here, or never began. */
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
    /* Staging files belong to this job now, also when it only learns that it is committed. */
    enum haul_status status = staging_name(store, journal->staging, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (!hello->resume) {
        return HAUL_OK; /* the journal is created once the plan passes its checks */
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
        bool ignored = false; /* the journal is the proof, with any register */
        status = status == HAUL_OK
                     ? was_owned(journal, journal->job, &ignored, &journal->returned, error)
                     : status;
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
        status = journal_append(journal->file, &entry, !HAUL_PLANTED_BUG(EARLY_DECISION), error);
    }
    free(prepared);
    return status;
}

/* For a job that another attempt has prepared. While the same receiver runs, its embedder keeps all
 * others off the ranges. */
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
    if (target_journal_check_proof(journal, error) != HAUL_OK) {
        journal->refused = true;
        return HAUL_AUTH;
    }
    look_at_held(journal);
    journal->owned = target_commit_total(journal->file);
    /* The journal does not show that only a part is ours: the ownership record must, before the job
     * continues. */
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
        /* Before DONE: later steps do not look for files. */
        staging_empty(journal->staging, journal->job);
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
    enum haul_status status =
        journal->told_to_end ? target_journal_check_proof(journal, error) : HAUL_OK;
    if (status == HAUL_OK) {
        status = target_held_others_look(&journal->others, store, journal->job, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    struct journal *file = journal->file;
    journal->file = NULL;
    if (file != NULL) {
        status = target_others_end(store, file, reason->text, NULL, hooks, journal->steps, error);
        if (status != HAUL_OK) {
            return status; /* the rest must not be mixed with other writes */
        }
    } else if (journal->reserved && hooks->unreserve != NULL) {
        hooks->unreserve(hooks->context, journal->job);
    }
    journal->reserved = false;
    const struct target_newcomer newcomer = target_journal_newcomer(journal);
    status = target_others_end_over(&newcomer, error);
    return status == HAUL_OK ? target_journal_check_none_owned(journal, error) : status;
}
