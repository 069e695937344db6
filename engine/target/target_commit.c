/* SPDX-License-Identifier: Apache-2.0 */
/* target_commit.c — takes ownership, and finishes what a crash interrupted. */
#include "target_commit.h"

#include <stdlib.h>

#include "config_version.h"
#include "job_journal.h"
#include "target_others.h"

/* --- owning ----------------------------------------------------------------------------------- */

struct digest target_commit_total(const struct journal *journal)
{
    const struct journal_prepared *prepared = &journal_state(journal)->prepared;
    struct digest total = {0};
    for (uint32_t i = 0; i < prepared->digest_count; i++) {
        total.count += prepared->digests[i].digest.count;
        total.bytes += prepared->digests[i].digest.bytes;
    }
    return total;
}

enum haul_status target_commit_take(struct haul_store *store, const struct haul_hooks *hooks,
                                    const struct journal *journal,
                                    const struct journal_committed *committed,
                                    const struct plan *plan, const struct ownership *given,
                                    struct haul_error *error)
{
    const struct digest total = target_commit_total(journal);
    const struct version_move move = {.outcome = VERSION_IMPORTED,
                                      .job = journal_job_id(journal),
                                      .peer = journal_state(journal)->peer,
                                      .plan = plan,
                                      .new_version = committed->new_version,
                                      .epoch = committed->epoch,
                                      .given = given,
                                      .records = total.count,
                                      .bytes = total.bytes};
    return config_version_move(store, hooks, &move, error);
}

static enum haul_status tell(const struct haul_hooks *hooks, const struct journal *journal,
                             uint64_t new_version, struct haul_error *error)
{
    if (hooks->own_job != NULL) {
        return hooks->own_job(hooks->context, journal_job_id(journal), new_version, error);
    }
    return hooks->own == NULL ? HAUL_OK : hooks->own(hooks->context, new_version, error);
}

enum haul_status target_commit_own(struct haul_store *store, const struct haul_hooks *hooks,
                                   const struct journal *journal,
                                   const struct journal_committed *committed,
                                   const struct plan *plan, struct haul_error *error)
{
    enum haul_status status =
        target_commit_take(store, hooks, journal, committed, plan, NULL, error);
    return status == HAUL_OK ? tell(hooks, journal, committed->new_version, error) : status;
}

/* --- finishing -------------------------------------------------------------------------------- */

/* The move may be an old one. A part that was handed over since proves that the hook was called: no
 * database sends ranges that an unfinished job brings to it. */
static enum haul_status finish_owning(struct haul_store *store, const struct haul_hooks *hooks,
                                      const struct journal *journal, const struct plan *plan,
                                      struct haul_error *error)
{
    const struct journal_committed committed = journal_state(journal)->committed;
    enum haul_status status =
        target_commit_take(store, hooks, journal, &committed, plan, NULL, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = config_version_check(store, hooks, plan, error);
    return status == HAUL_OK         ? tell(hooks, journal, committed.new_version, error)
           : status == HAUL_MISMATCH ? HAUL_OK
                                     : status;
}

enum haul_status target_commit_finish(struct haul_store *store, const struct haul_hooks *hooks,
                                      struct journal *journal, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    struct plan plan;
    if (journal_state(journal)->phase == JOURNAL_PHASE_DONE) {
        return job_journal_finish(journal, error);
    }
    status = job_journal_read_plan(journal, &plan, error);
    if (status == HAUL_OK) {
        status = finish_owning(store, hooks, journal, &plan, error);
        plan_fini(&plan);
    }
    if (status != HAUL_OK) {
        journal_close(journal);
        return status;
    }
    return job_journal_finish(journal, error);
}

bool target_commit_is_owned(struct haul_store *store, const struct journal *journal)
{
    const struct journal_state *state = journal_state(journal);
    struct haul_error ignored;
    bool moved = false;
    uint64_t version = 0;
    return state->phase == JOURNAL_PHASE_PREPARED &&
           config_version_imported(store, journal_job_id(journal), &moved, &version, &ignored) ==
               HAUL_OK &&
           moved;
}

/* A crash came between the record and COMMITTED. */
static enum haul_status catch_up(struct haul_store *store, struct journal *journal,
                                 struct haul_error *error)
{
    const struct journal_prepared *prepared = &journal_state(journal)->prepared;
    const struct journal_record committed = {
        .type = JOURNAL_COMMITTED,
        .committed = {.new_version = prepared->new_version, .epoch = prepared->epoch}};
    return target_commit_is_owned(store, journal) ? journal_append(journal, &committed, true, error)
                                                  : HAUL_OK;
}

/* One job of the list; undecided jobs stay as they are. */
static enum haul_status finish_due(struct haul_store *store, const struct haul_hooks *hooks,
                                   const uint8_t job[HAUL_JOB_BYTES], struct haul_error *error)
{
    struct journal *journal = NULL;
    enum haul_status status = job_journal_look(store, JOURNAL_TARGET, job, &journal, error);
    bool due =
        status == HAUL_OK && (target_others_knowledge(journal_state(journal)) == JOB_COMMITTED ||
                              target_commit_is_owned(store, journal));
    journal_close(journal);
    journal = NULL;
    if (due) {
        status = job_journal_open_existing(store, JOURNAL_TARGET, job, &journal, error);
        if (status == HAUL_BUSY) {
            return HAUL_OK; /* it runs beside this one, and finishes itself */
        }
    }
    if (due && status == HAUL_OK) {
        status = catch_up(store, journal, error);
    }
    if (due && status == HAUL_OK) {
        status = target_commit_finish(store, hooks, journal, error);
    } else if (due) {
        journal_close(journal);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status; /* it ended meanwhile */
}

enum haul_status target_commit_finish_all(struct haul_store *store, const struct haul_hooks *hooks,
                                          struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status = job_journal_list(store, JOURNAL_TARGET, &entries, &count, error);
    for (size_t i = 0; i < count; i++) {
        struct haul_error second = {.status = HAUL_OK};
        struct haul_error *answer = status == HAUL_OK ? error : &second;
        enum haul_status one = finish_due(store, hooks, entries[i].job_id, answer);
        status = status == HAUL_OK ? one : status;
    }
    free(entries);
    return status;
}

enum haul_status target_commit_finish_job(struct haul_store *store, const struct haul_hooks *hooks,
                                          const uint8_t job[HAUL_JOB_BYTES],
                                          struct haul_error *error)
{
    struct journal *journal = NULL;
    enum haul_status status =
        job_journal_open_existing(store, JOURNAL_TARGET, job, &journal, error);
    if (status == HAUL_OK && target_others_knowledge(journal_state(journal)) != JOB_COMMITTED) {
        journal_close(journal);
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "the job is not committed");
    }
    return status == HAUL_OK ? target_commit_finish(store, hooks, journal, error) : status;
}
