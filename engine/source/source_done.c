/* SPDX-License-Identifier: Apache-2.0 */
/* source_done.c — answers from the ownership record. */
#include "source_done.h"

#include <string.h>

#include "given_ranges.h"
#include "lost_jobs.h"

enum { DONE_ASKED_MAX = 64 }; /* limit for a target that keeps naming others */

static void take(struct source_journal *journal, const uint8_t job[HAUL_JOB_BYTES])
{
    memcpy(journal->job, job, HAUL_JOB_BYTES);
    journal->only_tells = true;
    journal->asks = true;
    journal->epoch = 1;
}

enum haul_status source_done_adopt(struct source_journal *journal, struct haul_error *error)
{
    uint8_t job[HAUL_JOB_BYTES];
    bool found = false;
    struct haul_error second = {.status = HAUL_OK};
    enum haul_status status =
        given_ranges_newest(journal->source->store, NULL, job, &found, &second);
    if (status != HAUL_OK) {
        *error = second;
        return status;
    }
    if (!found) {
        return HAUL_NOT_FOUND;
    }
    take(journal, job);
    journal->answers = true;
    return HAUL_OK;
}

/* Among the waiting jobs, the first that can be answered, and the others. */
struct waiting_job {
    const uint8_t *job;       /* NULL: none */
    unsigned others;          /* further jobs that this database has given to the target */
    enum haul_status refused; /* why the first job without an answer has none */
    struct haul_error why;
};

/* Errors: those of the record, NO_MEMORY. */
static enum haul_status look_at_waiting(const struct source_journal *journal, const uint8_t *job,
                                        struct waiting_job *found, struct message *commit,
                                        struct haul_error *error)
{
    struct haul_store *store = journal->source->store;
    bool known = false;
    enum haul_status status = given_ranges_know(store, job, journal->peer, &known, error);
    if (status != HAUL_OK || !known) {
        return status;
    }
    if (found->job != NULL) {
        found->others++;
        return HAUL_OK;
    }
    status = given_ranges_commit(store, job, journal->peer, commit, error);
    if (status == HAUL_OK) {
        found->job = job;
    } else if (status == HAUL_MISMATCH || status == HAUL_LIMIT) {
        found->others++;
        found->why = found->refused == HAUL_OK ? *error : found->why;
        found->refused = found->refused == HAUL_OK ? status : found->refused;
        return HAUL_OK;
    }
    return status;
}

static enum haul_status find_waiting(const struct source_journal *journal,
                                     struct haul_slice waiting, struct waiting_job *found,
                                     struct message *commit, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    memset(found, 0, sizeof(*found));
    for (size_t at = 0; at + HAUL_JOB_BYTES <= waiting.size && status == HAUL_OK;) {
        status = look_at_waiting(journal, waiting.data + at, found, commit, error);
        at += HAUL_JOB_BYTES;
    }
    if (status != HAUL_OK) {
        message_release(commit);
    } else if (found->job == NULL && found->refused != HAUL_OK) {
        *error = found->why;
        status = found->refused;
    }
    return status;
}

/* The target owned by the job, since otherwise the job would not be finished. */
static enum haul_status lost_there(struct haul_error *error)
{
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                   "the target has no record of owning by the last job from here: it "
                   "was set back to before that, or has lost its record");
    haul_error_hint(error, "check there (`haul owner`, its data); if it does not have the ranges: "
                           "`haul owner --db DIR --reclaim --accept-two-owners` here, with "
                           "`--range` for what that job gave (`haul owner --db DIR`)");
    return HAUL_NOT_FOUND;
}

void source_done_note_unknown(struct source_journal *journal)
{
    if (!journal->has_lost) {
        journal->has_lost = true;
        haul_log(journal->source->log, HAUL_LOG_WARNING, "%s", SOURCE_DONE_LOST);
    }
}

void source_done_note_lost_there(const struct source_journal *journal, const struct job_list *lost)
{
    struct haul_error error;
    bool has_register = journal->source->hooks.version_get != NULL;
    if (!has_register &&
        lost_jobs_note(journal->source->store, journal->peer, lost, &error) != HAUL_OK) {
        haul_log(journal->source->log, HAUL_LOG_WARNING,
                 "cannot record what the target has lost: %s", error.text);
    }
}

void source_done_note_owned(const struct source_journal *journal)
{
    struct job_list owned;
    struct haul_error error;
    job_list_take(&owned, slice_of(journal->job, HAUL_JOB_BYTES));
    if (journal->answered && lost_jobs_confirm(journal->source->store, &owned, &error) != HAUL_OK) {
        haul_log(journal->source->log, HAUL_LOG_WARNING,
                 "cannot record that the target has confirmed: %s", error.text);
    }
}

static enum haul_status refuse_lost(struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0, "%s", SOURCE_DONE_LOST);
    haul_error_hint(error, "to get it: `haul owner --db DIR --reclaim --accept-two-owners` on the "
                           "receiver's database, then `haul send --overwrite` from there to here");
    return HAUL_MISMATCH;
}

/* By the record, the job that Hello named is finished. Did it go to this target, and what does the
 * target know of it? */
static enum haul_status judge_named(struct source_journal *journal, enum job_knowledge knowledge,
                                    struct haul_error *error)
{
    bool known = false;
    struct haul_error second = {.status = HAUL_OK};
    if (journal->has_lost) {
        return refuse_lost(error);
    }
    if (!journal->answers ||
        given_ranges_know(journal->source->store, journal->job, journal->peer, &known, &second) !=
            HAUL_OK ||
        !known) {
        return error->status;
    }
    if (knowledge != JOB_COMMITTED) {
        struct job_list lost;
        job_list_take(&lost, slice_of(journal->job, HAUL_JOB_BYTES));
        source_done_note_lost_there(journal, &lost);
        return lost_there(error);
    }
    journal->settled = true;
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no job of this database is in doubt");
    return HAUL_NOT_FOUND;
}

/* What the target gave on since it owned is not in its present state; and it may be a copy of the
 * database that owns. */
static enum haul_status ask_two_owners(struct haul_error *error)
{
    haul_error_set(
        error, HAUL_UNCONFIRMED, NULL, 0,
        "the receiver waits for a job that is finished by the record here: if it was set "
        "back after it owned, what it has given on since has two owners, and all of it "
        "if it is a copy of the database that owns");
    haul_error_hint(error, "look at `haul owner` of the databases concerned; if it has given "
                           "nothing on and is no copy: --accept-two-owners");
    return HAUL_UNCONFIRMED;
}

enum haul_status source_done_answer(struct source_journal *journal,
                                    const struct source_done_peer *peer, struct message *commit,
                                    bool *asks_again, struct haul_error *error)
{
    struct waiting_job found;
    struct haul_error second = {.status = HAUL_OK};
    if (journal->answered && peer->knowledge == JOB_COMMITTED) {
        return HAUL_OK; /* the answer to Commit was lost on its way */
    }
    enum haul_status status = find_waiting(journal, peer->waiting, &found, commit, &second);
    if (status != HAUL_OK) {
        *error = second;
        return status;
    }
    if (found.job == NULL) {
        return judge_named(journal, peer->knowledge, error);
    }
    if (!journal->source->accept_two_owners) {
        message_release(commit);
        return ask_two_owners(error);
    }
    if (memcmp(found.job, journal->job, HAUL_JOB_BYTES) != 0) {
        message_release(commit);
        *asks_again = journal->done_asked++ < DONE_ASKED_MAX;
        take(journal, found.job);
        return *asks_again ? HAUL_OK : error->status;
    }
    if (found.others > 0) {
        haul_log(journal->source->log, HAUL_LOG_WARNING,
                 "the receiver waits for more finished jobs (%u): run `haul resolve` again",
                 found.others);
    }
    journal->answered = true;
    return source_done_recall(journal, error);
}

void source_done_note_lost(struct source_journal *journal, const uint8_t job[HAUL_JOB_BYTES])
{
    bool took = false;
    uint64_t ignored = 0;
    struct haul_error error;
    enum haul_status status =
        config_version_imported(journal->source->store, job, &took, &ignored, &error);
    bool has_register = journal->source->hooks.version_get != NULL; /* and no record here */
    if (status == HAUL_OK && !took && !has_register && !journal->has_lost) {
        journal->has_lost = true;
        haul_log(journal->source->log, HAUL_LOG_WARNING, "%s", SOURCE_DONE_LOST);
    }
}

enum haul_status source_done_recall(struct source_journal *journal, struct haul_error *error)
{
    return given_ranges_moved(journal->source->store, journal->job, OWNERSHIP_GAVE, &journal->moved,
                              error);
}

uint64_t source_done_frozen_at(const struct source_journal *journal)
{
    const struct journal_state *state = journal->file == NULL ? NULL : journal_state(journal->file);
    bool known = state != NULL && state->outcome == JOURNAL_COMMIT && !state->restored;
    return known ? state->frozen_sequence : 0;
}

static enum haul_status refuse_returned(enum version_return returned, struct haul_error *error)
{
    if (returned == VERSION_RETURNED) {
        haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                       "it has given everything back since, but this database was set back and "
                       "has no record of that: by the records nobody owns the ranges");
        haul_error_hint(error, "if nobody else has got them from here since: `haul owner --db "
                               "DIR --reclaim --accept-two-owners` here; writes made there "
                               "are only in that copy, compare with `haul verify --to`");
        return HAUL_MISMATCH;
    }
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "it has given ranges back since, but this database was set back and has no "
                   "record of that: nobody knows which of the job's ranges it still owns");
    haul_error_hint(error,
                    "`haul owner` there lists them; for those that it gave back: `haul owner "
                    "--reclaim --accept-two-owners --range R` here, then `haul cancel "
                    "--job ID --accept-two-owners`");
    return HAUL_MISMATCH;
}

/* A target of an older release does not report by which job it has given something back. */
enum haul_status source_done_check_returned(const struct source_journal *journal,
                                            const struct plan *plan, enum version_return returned,
                                            bool is_named, struct haul_error *error)
{
    bool came = returned == VERSION_RETURNED || returned == VERSION_PERHAPS_RETURNED;
    bool has_given = false;
    struct haul_store *store = journal->source->store;
    if (!came || journal->source->hooks.version_get != NULL) {
        return HAUL_OK;
    }
    if (is_named && !journal->has_lost) {
        return config_version_settle(store, error); /* the journal is deleted because of it */
    }
    enum haul_status status =
        config_version_has_given(store, plan, journal->peer, &has_given, error);
    return status == HAUL_OK && has_given ? refuse_returned(returned, error) : status;
}

void source_done_hint(const struct source_journal *journal, struct haul_error *error)
{
    uint8_t job[HAUL_JOB_BYTES];
    bool found = false;
    struct haul_error ignored;
    bool known =
        given_ranges_newest(journal->source->store, NULL, job, &found, &ignored) == HAUL_OK;
    haul_error_hint(error, "`haul status` lists its jobs; `haul send` begins a new one%s",
                    known && found ? "; for a receiver that was set back and waits for a "
                                     "finished one: `haul resolve --db DIR --to ADDR:PORT`"
                                   : "");
}
