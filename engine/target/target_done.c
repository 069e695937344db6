/* SPDX-License-Identifier: Apache-2.0 */
/* target_done.c — serves a source that makes no attempt. */
#include "target_done.h"

#include <inttypes.h>
#include <stdio.h>

#include "given_ranges.h"
#include "target_commit.h"
#include "target_others.h"

/* --- for Welcome ------------------------------------------------------------------------------ */

static enum haul_status look_owned(struct target_journal *journal, struct haul_error *error)
{
    return journal->knowledge == JOB_COMMITTED
               ? given_ranges_moved(journal->target->store, journal->job, OWNERSHIP_TOOK,
                                    &journal->owned, error)
               : HAUL_OK;
}

/* A source that was set back learns from this that it lacks what was given back. */
static enum haul_status look_given_back(struct target_journal *journal, struct haul_error *error)
{
    bool looks = journal->knowledge == JOB_COMMITTED && journal->returned != VERSION_KEPT;
    return looks ? given_ranges_newest(journal->target->store, journal->peer,
                                       journal->given_back_by, &journal->has_given_back, error)
                 : HAUL_OK;
}

enum haul_status target_done_look(struct target_journal *journal, const haul_control_Hello *hello,
                                  struct haul_error *error)
{
    enum haul_status status = lost_jobs_list(journal->target->store, &journal->target->hooks,
                                             journal->peer, &journal->between, error);
    if (status == HAUL_OK && hello->epoch == MESSAGE_EPOCH_NONE) {
        status = target_others_waiting(journal->target->store, journal->peer, journal->waiting,
                                       TARGET_WAITING_COUNT_MAX, &journal->waiting_count, error);
    }
    if (status == HAUL_OK) {
        status = look_owned(journal, error);
    }
    return status == HAUL_OK ? look_given_back(journal, error) : status;
}

void target_done_tell(const struct target_journal *journal, struct target_event *event)
{
    event->knowledge = journal->knowledge;
    event->returned = journal->returned;
    event->epoch = journal->epoch;
    event->identity = journal->name;
    event->given_back_by =
        slice_of(journal->given_back_by, journal->has_given_back ? HAUL_JOB_BYTES : 0);
    event->between = job_list_slice(&journal->between);
    event->waiting = slice_of(journal->waiting, journal->waiting_count * HAUL_JOB_BYTES);
}

/* --- the source's reports --------------------------------------------------------------------- */

enum haul_status target_done_note_plan(struct target_journal *journal,
                                       const haul_control_Plan *plan, struct haul_error *error)
{
    job_list_take(&journal->their_between, message_slice(plan->between));
    job_list_take(&journal->their_lost, message_slice(plan->lost));
    return target_journal_note_over(journal, message_slice(plan->supersedes),
                                    message_slice(plan->supersedes_proofs), error);
}

/* Which side lost the ranges, and which copy is newer, depends on the job's direction. */
static enum haul_status refuse_lost(const struct target_journal *journal, struct haul_error *error)
{
    bool gave = false;
    enum haul_status status = given_ranges_know(journal->target->store, journal->their_lost.ids,
                                                journal->peer, &gave, error);
    if (status != HAUL_OK) {
        return status;
    }
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "database %s has no record of ranges that it %s this one: it was restored from "
                   "before that, or set back; the newer copy is here",
                   journal->peer, gave ? "got from" : "gave to");
    haul_error_hint(error,
                    gave ? "`haul owner --db DIR --reclaim --accept-two-owners` and `haul "
                           "send --overwrite` on this side bring it there"
                         : "to give it once more: `haul owner --db DIR --forget` on the "
                           "source, which may ask for --accept-two-owners; otherwise nothing");
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

enum haul_status target_done_note_lost(const struct target_journal *journal,
                                       const struct job_list *lost, struct haul_error *error)
{
    return journal->target->hooks.version_get == NULL
               ? lost_jobs_note(journal->target->store, journal->peer, lost, error)
               : HAUL_OK;
}

enum haul_status target_done_check_lost(struct target_journal *journal, struct haul_error *error)
{
    enum haul_status status = lost_jobs_look(journal->target->store, &journal->target->hooks,
                                             &journal->their_between, &journal->lost, error);
    if (status != HAUL_OK || journal->target->hooks.version_get != NULL) {
        return status;
    }
    if (journal->their_lost.size_bytes > 0) {
        status = target_done_note_lost(journal, &journal->their_lost, error);
        return status == HAUL_OK ? refuse_lost(journal, error) : status;
    }
    return journal->lost.size_bytes > 0 ? refuse_lost_here(error) : HAUL_OK;
}

void target_done_explain(const struct target_journal *journal, struct target_event *event)
{
    event->owned_job = target_journal_owned_job(journal);
    event->lost = job_list_slice(&journal->lost);
}

void target_done_note(struct target_journal *journal, const struct message *message)
{
    const haul_control_Commit *commit = &message->as.commit;
    if (message->type != MESSAGE_COMMIT) {
        return;
    }
    source_proof_take(&journal->proof, slice_of(commit->proof.bytes, commit->proof.size));
    if (journal->was_done) {
        return;
    }
    journal->given_records = commit->records;
    journal->given_bytes = commit->bytes;
    journal->given_sequence = commit->frozen_sequence;
    journal->was_done = commit->epoch == MESSAGE_EPOCH_NONE;
    if (journal->was_done) {
        journal->given_error.status =
            given_ranges_read(&journal->given, commit, &journal->given_error);
    }
}

/* Is the decision known to be about something else? */
static bool differs(const struct target_journal *journal, const struct digest *prepared)
{
    bool is_known = journal->given_records > 0 || journal->given_bytes > 0;
    return (is_known && journal->given_records != prepared->count) ||
           (journal->given_bytes > 0 && journal->given_bytes != prepared->bytes);
}

/* The source's copy may be gone, and this one may be the last: neither own nor remove it. */
static enum haul_status refuse_done(struct target_journal *journal, uint64_t count,
                                    struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "this database was set back to before the decision: the %" PRIu64
                   " records that are prepared are not the %" PRIu64 " of the hand-over",
                   count, journal->given_records);
    haul_error_hint(error, "the source has its copy: `haul owner --db DIR --reclaim "
                           "--accept-two-owners` there, then `haul cancel --accept-two-owners` "
                           "here; it has dropped it: `haul owner --db DIR --forget "
                           "--accept-two-owners` here keeps what is prepared");
    haul_log(journal->target->log, HAUL_LOG_WARNING, "%s", error->text);
    return HAUL_MISMATCH;
}

static enum haul_status refuse_earlier(struct target_journal *journal, uint64_t count,
                                       struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "this database was set back to before the decision: %" PRIu64
                   " records of attempt %" PRIu64 " are prepared, but attempt %" PRIu64
                   " decided on others",
                   count, journal_state(journal->file)->prepared.epoch, journal->epoch);
    haul_error_hint(error, "the source's copy is whole: `haul owner --db DIR --reclaim "
                           "--accept-two-owners` there takes the ranges back; then `haul cancel "
                           "--accept-two-owners` here");
    haul_log(journal->target->log, HAUL_LOG_WARNING, "%s", error->text);
    return HAUL_MISMATCH;
}

enum haul_status target_done_check(struct target_journal *journal, struct haul_error *error)
{
    const struct journal_prepared *prepared = &journal_state(journal->file)->prepared;
    const struct digest total = target_commit_total(journal->file);
    bool is_other = differs(journal, &total);
    if (journal->was_done) {
        return is_other ? refuse_done(journal, total.count, error) : HAUL_OK;
    }
    if (prepared->epoch != journal->epoch || is_other) {
        return refuse_earlier(journal, total.count, error);
    }
    if (prepared->frozen_sequence < journal->given_sequence) {
        (void)snprintf(journal->warning, sizeof(journal->warning),
                       "the receiver was set back to before the last freeze: changes of the source "
                       "may be missing; compare, `haul verify --db DIR --to`, before `haul drop`");
        haul_log(journal->target->log, HAUL_LOG_WARNING, "%s", journal->warning);
    }
    return HAUL_OK;
}

/* The source's job is done: this database owned already, and has lost the record of it. */
static void explain_done(struct target_journal *journal)
{
    (void)snprintf(
        journal->warning, sizeof(journal->warning),
        "unless the job was ended by hand at the source, the receiver was set back to before it "
        "owned: later writes to it are lost, and ranges that it gave on have two owners; compare, "
        "`haul verify --db DIR --to`, before `haul drop`");
    haul_log(journal->target->log, HAUL_LOG_WARNING, "%s", journal->warning);
}

enum haul_status target_done_take(struct target_journal *journal,
                                  const struct journal_committed *committed,
                                  struct haul_error *error)
{
    const struct haul_hooks *hooks = &journal->target->hooks;
    if (journal->given_error.status != HAUL_OK) {
        *error = journal->given_error;
        return error->status;
    }
    if (hooks->version_get != NULL && !given_ranges_cover(&journal->given, &journal->plan)) {
        haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                       "a part of what the job gave belongs to the source again");
        haul_error_hint(error, "look up in the embedder's register which part");
        return HAUL_MISMATCH;
    }
    enum haul_status status = target_commit_take(journal->target->store, hooks, journal->file,
                                                 committed, &journal->plan, &journal->given, error);
    if (status == HAUL_OK) {
        explain_done(journal);
    }
    return status;
}
