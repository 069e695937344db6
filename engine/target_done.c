/* SPDX-License-Identifier: Apache-2.0 */
/* target_done.c — what a source that makes no attempt asks, and says. */
#include "target_done.h"

#include <inttypes.h>
#include <stdio.h>

#include "given_ranges.h"
#include "target_commit.h"
#include "target_others.h"

/* --- asked ------------------------------------------------------------------------------------ */

/* The source that was set back knows by it that it has not got what was given back. */
static enum haul_status look_given_back(struct target_record *record, struct haul_error *error)
{
    bool looks = record->phase == JOB_COMMITTED && record->returned != VERSION_KEPT;
    return looks ? given_ranges_newest(record->target->store, record->peer, record->given_back_by,
                                       &record->has_given_back, error)
                 : HAUL_OK;
}

enum haul_status target_done_look(struct target_record *record, const haul_control_Hello *hello,
                                  struct haul_error *error)
{
    enum haul_status status = lost_jobs_list(record->target->store, &record->target->hooks,
                                             record->peer, &record->between, error);
    if (status == HAUL_OK && hello->epoch == MESSAGE_EPOCH_NONE) {
        status = target_others_waiting(record->target->store, record->peer, record->waiting,
                                       TARGET_WAITING_COUNT_MAX, &record->waiting_count, error);
    }
    return status == HAUL_OK ? look_given_back(record, error) : status;
}

void target_done_tell(const struct target_record *record, struct target_event *event)
{
    event->given_back_by =
        slice_of(record->given_back_by, record->has_given_back ? HAUL_JOB_BYTES : 0);
    event->between = job_list_slice(&record->between);
    event->waiting = slice_of(record->waiting, record->waiting_count * HAUL_JOB_BYTES);
}

/* --- told ------------------------------------------------------------------------------------- */

enum haul_status target_done_note_plan(struct target_record *record, const haul_control_Plan *plan,
                                       struct haul_error *error)
{
    job_list_take(&record->their_between, message_slice(plan->between));
    job_list_take(&record->their_lost, message_slice(plan->lost));
    return target_record_note_over(record, message_slice(plan->supersedes), error);
}

/* Who lost it, and whose copy is the newer one, depends on who gave by the job. */
static enum haul_status refuse_lost(const struct target_record *record, struct haul_error *error)
{
    bool gave = false;
    enum haul_status status = given_ranges_know(record->target->store, record->their_lost.ids,
                                                record->peer, &gave, error);
    if (status != HAUL_OK) {
        return status;
    }
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "database %s has no record of ranges that it %s this one: it was restored from "
                   "before that, or set back; the newer copy is here",
                   record->peer, gave ? "got from" : "gave to");
    haul_error_hint(error, gave ? "`haul owner --db DIR --reclaim --accept-two-owners` and `haul "
                                  "send --overwrite` on this side bring it there"
                                : "to give it once more: `haul owner --db DIR --forget` on the "
                                  "source, which may ask for --accept-two-owners; else nothing");
    return HAUL_MISMATCH;
}

static enum haul_status refuse_lost_here(struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "this database has no record of a job with the source by which one of the two "
                   "owns: it was restored from before that, or set back");
    haul_error_hint(error,
                    "`haul owner` on both sides; a job that is prepared here: `haul resolve` on "
                    "the source; what the source gave: `haul owner --reclaim --accept-two-owners` "
                    "there; what it got: `haul owner --forget` here");
    return HAUL_MISMATCH;
}

enum haul_status target_done_note_lost(const struct target_record *record,
                                       const struct job_list *lost, struct haul_error *error)
{
    return record->target->hooks.version_get == NULL
               ? lost_jobs_note(record->target->store, record->peer, lost, error)
               : HAUL_OK;
}

enum haul_status target_done_check_lost(struct target_record *record, struct haul_error *error)
{
    enum haul_status status = lost_jobs_look(record->target->store, &record->target->hooks,
                                             &record->their_between, &record->lost, error);
    if (status != HAUL_OK || record->target->hooks.version_get != NULL) {
        return status;
    }
    if (record->their_lost.size_bytes > 0) {
        status = target_done_note_lost(record, &record->their_lost, error);
        return status == HAUL_OK ? refuse_lost(record, error) : status;
    }
    return record->lost.size_bytes > 0 ? refuse_lost_here(error) : HAUL_OK;
}

void target_done_explain(const struct target_record *record, struct target_event *event)
{
    event->owned_job = target_record_owned_job(record);
    event->lost = job_list_slice(&record->lost);
}

void target_done_note(struct target_record *record, const struct message *message)
{
    const haul_control_Commit *commit = &message->as.commit;
    if (message->type != MESSAGE_COMMIT || record->was_done) {
        return;
    }
    record->given_records = commit->records;
    record->given_bytes = commit->bytes;
    record->given_sequence = commit->frozen_sequence;
    record->was_done = commit->epoch == MESSAGE_EPOCH_NONE;
    if (record->was_done) {
        record->given_error.status =
            given_ranges_read(&record->given, commit, &record->given_error);
    }
}

/* Is it known that something else was decided on? */
static bool differs(const struct target_record *record, const struct digest *prepared)
{
    bool is_known = record->given_records > 0 || record->given_bytes > 0;
    return (is_known && record->given_records != prepared->count) ||
           (record->given_bytes > 0 && record->given_bytes != prepared->bytes);
}

/* The source's copy may be gone, and this one the last: it is neither owned nor removed. */
static enum haul_status refuse_done(struct target_record *record, uint64_t count,
                                    struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "this database was set back to before the decision: the %" PRIu64
                   " records that are prepared are not the %" PRIu64 " of the hand-over",
                   count, record->given_records);
    haul_error_hint(error, "the source has its copy: `haul owner --db DIR --reclaim "
                           "--accept-two-owners` there, then `haul cancel --accept-two-owners` "
                           "here; it has dropped it: `haul owner --db DIR --forget "
                           "--accept-two-owners` here keeps what is prepared");
    haul_log(record->target->log, HAUL_LOG_WARNING, "%s", error->text);
    return HAUL_MISMATCH;
}

static enum haul_status refuse_earlier(struct target_record *record, uint64_t count,
                                       struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "this database was set back to before the decision: %" PRIu64
                   " records of attempt %" PRIu64 " are prepared, and not what attempt %" PRIu64
                   " has decided on",
                   count, journal_state(record->journal)->prepared.epoch, record->epoch);
    haul_error_hint(error, "the source's copy is whole: `haul owner --db DIR --reclaim "
                           "--accept-two-owners` there takes the ranges back; then `haul cancel "
                           "--accept-two-owners` here");
    haul_log(record->target->log, HAUL_LOG_WARNING, "%s", error->text);
    return HAUL_MISMATCH;
}

enum haul_status target_done_check(struct target_record *record, struct haul_error *error)
{
    const struct journal_prepared *prepared = &journal_state(record->journal)->prepared;
    const struct digest total = target_commit_total(record->journal);
    bool is_other = differs(record, &total);
    if (record->was_done) {
        return is_other ? refuse_done(record, total.count, error) : HAUL_OK;
    }
    if (prepared->epoch != record->epoch || is_other) {
        return refuse_earlier(record, total.count, error);
    }
    if (prepared->frozen_sequence < record->given_sequence) {
        (void)snprintf(record->warning, sizeof(record->warning),
                       "the receiver was set back to before the last freeze: changes of the source "
                       "may be missing; compare, `haul verify --db DIR --to`, before `haul drop`");
        haul_log(record->target->log, HAUL_LOG_WARNING, "%s", record->warning);
    }
    return HAUL_OK;
}

/* The source had the job done: this database owned already, and knows of it no more. */
static void explain_done(struct target_record *record)
{
    (void)snprintf(record->warning, sizeof(record->warning),
                   "the receiver was set back to before it owned: what was written to it since is "
                   "gone, what it gave on has two owners; compare, `haul verify --db DIR --to`, "
                   "before `haul drop`");
    haul_log(record->target->log, HAUL_LOG_WARNING, "%s", record->warning);
}

enum haul_status target_done_take(struct target_record *record,
                                  const struct journal_committed *committed,
                                  struct haul_error *error)
{
    const struct haul_hooks *hooks = &record->target->hooks;
    if (record->given_error.status != HAUL_OK) {
        *error = record->given_error;
        return error->status;
    }
    if (hooks->version_get != NULL && !given_ranges_cover(&record->given, &record->plan)) {
        haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                       "a part of what the job gave is the source's again");
        haul_error_hint(error, "the register of the embedder has to tell which");
        return HAUL_MISMATCH;
    }
    enum haul_status status = target_commit_take(record->target->store, hooks, record->journal,
                                                 committed, &record->plan, &record->given, error);
    if (status == HAUL_OK) {
        explain_done(record);
    }
    return status;
}
