/* SPDX-License-Identifier: Apache-2.0 */
/* source_done.c — answers of the ownership record. */
#include "source_done.h"

#include <string.h>

#include "given_ranges.h"
#include "lost_jobs.h"

enum { DONE_ASKED_MAX = 64 }; /* a target that names ever others is not believed */

static void take(struct source_record *record, const uint8_t job[HAUL_JOB_BYTES])
{
    memcpy(record->job, job, HAUL_JOB_BYTES);
    record->only_tells = true;
    record->asks = true;
    record->epoch = 1;
}

enum haul_status source_done_adopt(struct source_record *record, struct haul_error *error)
{
    uint8_t job[HAUL_JOB_BYTES];
    bool found = false;
    struct haul_error second = {.status = HAUL_OK};
    enum haul_status status =
        given_ranges_newest(record->source->store, NULL, job, &found, &second);
    if (status != HAUL_OK) {
        *error = second;
        return status;
    }
    if (!found) {
        return HAUL_NOT_FOUND;
    }
    take(record, job);
    record->answers = true;
    return HAUL_OK;
}

/* Of those that wait: the first that can be answered, with what to say to it. */
struct waiting_job {
    const uint8_t *job;       /* NULL: none */
    unsigned others;          /* that this database has given to the target, too */
    enum haul_status refused; /* why the first that cannot be answered is not */
    struct haul_error why;
};

/* Errors: those of the record, NO_MEMORY. */
static enum haul_status look_at_waiting(const struct source_record *record, const uint8_t *job,
                                        struct waiting_job *found, struct message *commit,
                                        struct haul_error *error)
{
    struct haul_store *store = record->source->store;
    bool known = false;
    enum haul_status status = given_ranges_know(store, job, record->peer, &known, error);
    if (status != HAUL_OK || !known) {
        return status;
    }
    if (found->job != NULL) {
        found->others++;
        return HAUL_OK;
    }
    status = given_ranges_commit(store, job, record->peer, commit, error);
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

static enum haul_status find_waiting(const struct source_record *record, struct haul_slice waiting,
                                     struct waiting_job *found, struct message *commit,
                                     struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    memset(found, 0, sizeof(*found));
    for (size_t at = 0; at + HAUL_JOB_BYTES <= waiting.size && status == HAUL_OK;) {
        status = look_at_waiting(record, waiting.data + at, found, commit, error);
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

/* It owned by the job, for otherwise the job were not done. */
static enum haul_status lost_there(struct haul_error *error)
{
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                   "the target has no record that it owns by the last job that went from here: it "
                   "was set back to before that, or has lost its record");
    haul_error_hint(error, "look there (`haul owner`, its data); when it has not got the records: "
                           "`haul owner --db DIR --reclaim --accept-two-owners` here, with "
                           "`--range` for what that job gave (`haul owner --db DIR`)");
    return HAUL_NOT_FOUND;
}

void source_done_note_unknown(struct source_record *record)
{
    if (!record->has_lost) {
        record->has_lost = true;
        haul_log(record->source->log, HAUL_LOG_WARNING, "%s", SOURCE_DONE_LOST);
    }
}

void source_done_note_lost_there(const struct source_record *record, const struct job_list *lost)
{
    struct haul_error error;
    bool has_register = record->source->hooks.version_get != NULL;
    if (!has_register &&
        lost_jobs_note(record->source->store, record->peer, lost, &error) != HAUL_OK) {
        haul_log(record->source->log, HAUL_LOG_WARNING,
                 "what the target has lost cannot be recorded: %s", error.text);
    }
}

static enum haul_status refuse_lost(struct haul_error *error)
{
    haul_error_set(error, HAUL_MISMATCH, NULL, 0, "%s", SOURCE_DONE_LOST);
    haul_error_hint(error, "to have it: `haul owner --db DIR --reclaim --accept-two-owners` on the "
                           "receiver's database, then `haul send --overwrite` from there to here");
    return HAUL_MISMATCH;
}

/* The job that Hello has named is done by the record. Did it go to this target, and what does that
 * one know of it? */
static enum haul_status judge_named(const struct source_record *record, enum job_phase phase,
                                    struct haul_error *error)
{
    bool known = false;
    struct haul_error second = {.status = HAUL_OK};
    if (record->has_lost) {
        return refuse_lost(error);
    }
    if (!record->answers ||
        given_ranges_know(record->source->store, record->job, record->peer, &known, &second) !=
            HAUL_OK ||
        !known) {
        return error->status;
    }
    if (phase != JOB_COMMITTED) {
        struct job_list lost;
        job_list_take(&lost, slice_of(record->job, HAUL_JOB_BYTES));
        source_done_note_lost_there(record, &lost);
        return lost_there(error);
    }
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no job of this database is in doubt");
    haul_error_hint(error, "there is nothing to resolve; `haul send` begins a new job");
    return HAUL_NOT_FOUND;
}

enum haul_status source_done_answer(struct source_record *record,
                                    const struct source_done_peer *peer, struct message *commit,
                                    bool *asks_again, struct haul_error *error)
{
    struct waiting_job found;
    struct haul_error second = {.status = HAUL_OK};
    if (record->answered && peer->phase == JOB_COMMITTED) {
        return HAUL_OK; /* the answer to Commit was lost on its way */
    }
    enum haul_status status = find_waiting(record, peer->waiting, &found, commit, &second);
    if (status != HAUL_OK) {
        *error = second;
        return status;
    }
    if (found.job == NULL) {
        return judge_named(record, peer->phase, error);
    }
    if (memcmp(found.job, record->job, HAUL_JOB_BYTES) != 0) {
        message_release(commit);
        *asks_again = record->done_asked++ < DONE_ASKED_MAX;
        take(record, found.job);
        return *asks_again ? HAUL_OK : error->status;
    }
    if (found.others > 0) {
        haul_log(record->source->log, HAUL_LOG_WARNING,
                 "the receiver waits for more jobs that are done (%u): `haul resolve` once more",
                 found.others);
    }
    record->answered = true;
    return HAUL_OK;
}

void source_done_note_lost(struct source_record *record, const uint8_t job[HAUL_JOB_BYTES])
{
    bool took = false;
    uint64_t ignored = 0;
    struct haul_error error;
    enum haul_status status =
        version_record_imported(record->source->store, job, &took, &ignored, &error);
    bool has_register = record->source->hooks.version_get != NULL; /* and no record here */
    if (status == HAUL_OK && !took && !has_register && !record->has_lost) {
        record->has_lost = true;
        haul_log(record->source->log, HAUL_LOG_WARNING, "%s", SOURCE_DONE_LOST);
    }
}

enum haul_status source_done_recall(struct source_record *record, struct haul_error *error)
{
    return given_ranges_moved(record->source->store, record->job, &record->moved, error);
}

uint64_t source_done_frozen_at(const struct source_record *record)
{
    const struct journal_state *state =
        record->journal == NULL ? NULL : journal_state(record->journal);
    bool known = state != NULL && state->outcome == JOURNAL_COMMIT && !state->restored;
    return known ? state->frozen_sequence : 0;
}

static enum haul_status refuse_returned(enum version_return returned, struct haul_error *error)
{
    if (returned == VERSION_RETURNED) {
        haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                       "it has given everything back since, of which this database knows nothing, "
                       "for it was set back: by the records nobody owns the ranges");
        haul_error_hint(error, "when nobody else has got them from here since: `haul owner --db "
                               "DIR --reclaim --accept-two-owners` here; what was written there "
                               "is only in that copy, compare with `haul verify --to`");
        return HAUL_MISMATCH;
    }
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "it has given ranges back since, of which this database knows nothing, for it "
                   "was set back: nobody knows which of the job's it still owns");
    haul_error_hint(error, "`haul owner` there tells; those that it gave back: `haul owner "
                           "--reclaim --accept-two-owners --range R` here, then `haul cancel "
                           "--job ID --accept-two-owners`");
    return HAUL_MISMATCH;
}

/* Which job the target has given something back by, one of an older release does not say. */
enum haul_status source_done_check_returned(const struct source_record *record,
                                            const struct plan *plan, enum version_return returned,
                                            bool is_named, struct haul_error *error)
{
    bool came = returned == VERSION_RETURNED || returned == VERSION_PERHAPS_RETURNED;
    bool has_given = false;
    struct haul_store *store = record->source->store;
    if (!came || record->source->hooks.version_get != NULL) {
        return HAUL_OK;
    }
    if (is_named && !record->has_lost) {
        return version_record_settle(store, error); /* the journal is to go for what it says */
    }
    enum haul_status status =
        version_record_has_given(store, plan, record->peer, &has_given, error);
    return status == HAUL_OK && has_given ? refuse_returned(returned, error) : status;
}

void source_done_hint(const struct source_record *record, struct haul_error *error)
{
    uint8_t job[HAUL_JOB_BYTES];
    bool found = false;
    struct haul_error ignored;
    bool known = given_ranges_newest(record->source->store, NULL, job, &found, &ignored) == HAUL_OK;
    haul_error_hint(error, "`haul status` tells its jobs; `haul send` begins a new one%s",
                    known && found ? "; a receiver that was set back and waits for one that is "
                                     "done: `haul resolve --db DIR --to ADDR:PORT`"
                                   : "");
}
