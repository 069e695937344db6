/* SPDX-License-Identifier: Apache-2.0 */
/* source_left_over.c — continues jobs of earlier processes, asks and notifies their targets, and
 * ends jobs. */
#include "source_left_over.h"

#include <stdio.h>
#include <string.h>

#include "instance.h"
#include "job_journal.h"
#include "source_done.h"

/* --- jobs that `resolve` may ask about -------------------------------------------------------- */

/* A remaining job that was not decided here. */
struct left_job {
    const uint8_t *id;
    const char *peer;
    const char *peer_address;
    uint64_t epoch;
    struct journal *journal; /* NULL: an earlier process gave it up */
    bool over;
};

/* Job number `index`, those that were given up first. False: there are fewer. */
static bool left_at(const struct source_journal *journal, size_t index, struct left_job *left)
{
    const struct job_journals *all = &journal->earlier.left_over;
    if (index < all->aborted_count) {
        const struct job_left *aborted = &all->aborted[index];
        *left = (struct left_job){.id = aborted->id,
                                  .peer = aborted->peer,
                                  .peer_address = aborted->peer_address,
                                  .epoch = aborted->epoch,
                                  .over = true};
        return true;
    }
    index -= all->aborted_count;
    if (index >= all->count) {
        return false;
    }
    struct journal *file = all->journals[index];
    const struct journal_state *state = journal_state(file);
    *left = (struct left_job){.id = journal_job_id(file),
                              .peer = state->peer,
                              .peer_address = state->peer_address,
                              .epoch = state->snapshot_count,
                              .journal = file,
                              .over = state->phase == JOURNAL_PHASE_ABORTED};
    return true;
}

/* May the job's target own by it? A target that was never met owns nothing, unless the journal was
 * restored from an older state. */
static bool may_be_owned(const struct left_job *left)
{
    return left->over || left->peer[0] != '\0' ||
           (left->journal != NULL && journal_state(left->journal)->restored);
}

static bool is_job_of(const struct left_job *left, const char *identity)
{
    return left->peer[0] == '\0' || instance_is(left->peer, identity);
}

static bool find_job(const struct source_journal *journal, struct left_job *left)
{
    for (size_t i = 0; left_at(journal, i, left); i++) {
        if (memcmp(left->id, journal->job, HAUL_JOB_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

static void take_left(struct source_journal *journal, const struct left_job *left)
{
    memcpy(journal->job, left->id, HAUL_JOB_BYTES);
    if (!journal->only_tells) {
        memcpy(journal->first_job, left->id, HAUL_JOB_BYTES);
    }
    journal->only_tells = true;
    journal->asks = !left->over;
    journal->epoch = left->epoch == 0 ? 1 : left->epoch;
}

/* `resolve` has nothing to do for undecided jobs, but their targets may well be waiting. */
static enum haul_status nothing_in_doubt(const struct job_journals *left, struct haul_error *error)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no job of this database is in doubt");
    if (left->count == 0) {
        haul_error_hint(error, "there is nothing to resolve; `haul send` begins a new job");
        return HAUL_NOT_FOUND;
    }
    journal_name_format(JOURNAL_SOURCE, journal_job_id(left->journals[0]), name);
    haul_error_hint(error, "%s is not decided: `haul resume` continues it", name);
    return HAUL_NOT_FOUND;
}

/* Take the first job that is over and whose target may be at the other end. Otherwise take an open
 * one: by its own records this database owns its ranges, and only the target knows whether these
 * records are older than the decision. */
enum haul_status source_left_over_adopt(struct source_journal *journal, struct haul_error *error)
{
    struct left_job left;
    source_earlier_abort_overtaken(&journal->earlier);
    for (unsigned open = 0; open < 2; open++) {
        for (size_t i = 0; left_at(journal, i, &left); i++) {
            if (left.over == (open == 0) && may_be_owned(&left)) {
                take_left(journal, &left);
                return HAUL_OK;
            }
        }
    }
    return nothing_in_doubt(&journal->earlier.left_over, error);
}

/* Only notifications are due, and this is not the database to notify. */
enum haul_status source_left_over_nothing_to_tell(const struct source_journal *journal,
                                                  struct haul_error *error)
{
    struct left_job left;
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no job of this database waits for database %s",
                   journal->peer);
    if (left_at(journal, 0, &left) && left.peer[0] != '\0') {
        haul_error_hint(error, "one waits for database %s, which was at %s", left.peer,
                        left.peer_address);
    }
    return HAUL_NOT_FOUND;
}

bool source_left_over_is_met(const struct source_journal *journal)
{
    struct left_job left;
    return find_job(journal, &left) && is_job_of(&left, journal->peer);
}

enum haul_status source_left_over_not_owned(struct source_journal *journal,
                                            struct haul_error *error)
{
    struct left_job left;
    bool answers = find_job(journal, &left) && !left.over && left.peer[0] != '\0' &&
                   is_job_of(&left, journal->peer);
    return answers ? job_journal_bind(left.journal, journal->peer, journal->source->to, error)
                   : HAUL_OK;
}

/* The first Hello had to name one before the target's identity was known. */
bool source_left_over_ask_next(struct source_journal *journal)
{
    struct left_job left;
    while (left_at(journal, journal->asked, &left)) {
        journal->asked++;
        if (may_be_owned(&left) && is_job_of(&left, journal->peer) &&
            memcmp(left.id, journal->first_job, HAUL_JOB_BYTES) != 0) {
            take_left(journal, &left);
            return true;
        }
    }
    return false;
}

enum haul_status source_left_over_tell(struct source_journal *journal, struct haul_error *error)
{
    struct left_job left;
    enum haul_status status = source_earlier_bind(&journal->earlier, journal->peer, NULL, error);
    if (status != HAUL_OK || journal->earlier.told_count > 0) {
        return status;
    }
    for (size_t i = 0; left_at(journal, i, &left); i++) {
        if (left.peer[0] != '\0' && is_job_of(&left, journal->peer)) {
            return nothing_in_doubt(&journal->earlier.left_over, error);
        }
        if (left.journal != NULL && source_earlier_is_of_nobody(left.journal)) {
            return source_earlier_restored(left.journal, error);
        }
    }
    return source_left_over_nothing_to_tell(journal, error);
}

/* --- giving up -------------------------------------------------------------------------------- */

/* Errors: IN_DOUBT, UNCONFIRMED, those of the record. */
static enum haul_status check_may_give_up(struct haul_store *store, const struct journal *journal,
                                          bool accept_two_owners, struct haul_error *error)
{
    bool decided = false;
    enum haul_status status = source_earlier_look_decided(store, journal, &decided, error);
    if (status == HAUL_OK && decided) {
        status = haul_error_set(error, HAUL_IN_DOUBT, NULL, 0, "too late: the job was decided");
        haul_error_hint(error, "finish it with `haul resolve --db DIR --to ADDR:PORT`");
    } else if (status == HAUL_OK && journal_state(journal)->restored && !accept_two_owners) {
        status = source_earlier_restored(journal, error);
    }
    return status;
}

enum haul_status source_left_over_give_up(struct haul_store *store,
                                          const uint8_t job[HAUL_JOB_BYTES], bool accept_two_owners,
                                          struct haul_error *error)
{
    struct journal *journal = NULL;
    enum haul_status status =
        job_journal_open_existing(store, JOURNAL_SOURCE, job, &journal, error);
    if (status == HAUL_OK) {
        status = check_may_give_up(store, journal, accept_two_owners, error);
    }
    static const char reason[] = "given up by the operator";
    const struct journal_state *state = status == HAUL_OK ? journal_state(journal) : NULL;
    if (state != NULL && state->restored &&
        (state->parted || state->phase == JOURNAL_PHASE_ABORTED)) {
        return source_earlier_drop(journal, HAUL_CANCELLED, reason, error); /* the target knows */
    }
    if (status == HAUL_OK) {
        status = source_earlier_abort(journal, HAUL_CANCELLED, reason, error);
    }
    journal_close(journal);
    return status;
}

/* --- going on after a restart ----------------------------------------------------------------- */

/* The job to continue, if any: the first one. */
static struct journal *first_left_over(const struct source_journal *journal)
{
    const struct job_journals *left = &journal->earlier.left_over;
    for (size_t i = 0; i < left->count; i++) {
        const struct journal *file = left->journals[i];
        if (journal_state(file)->phase != JOURNAL_PHASE_ABORTED &&
            !source_earlier_is_overtaken(&journal->earlier, file)) {
            return left->journals[i];
        }
    }
    return NULL;
}

enum haul_status source_left_over_plan(const struct source_journal *journal, struct plan *plan,
                                       struct haul_error *error)
{
    const struct journal *file = first_left_over(journal);
    if (file == NULL) {
        enum haul_status status = source_earlier_check_alone(&journal->earlier, error);
        if (status != HAUL_OK) {
            return status;
        }
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "this database has no job to continue");
        source_done_hint(journal, error);
        return HAUL_NOT_FOUND;
    }
    return job_journal_read_plan(file, plan, error);
}

/* Is the log complete from `sequence` + 1 on? Reads all of it, because a gap found after the copy
 * has begun would end the job. */
static bool log_reaches_back(struct haul_store *store, uint64_t sequence, struct haul_error *error)
{
    const uint64_t until = store->ops->sequence(store);
    struct haul_wal_reader *reader = NULL;
    struct haul_log_batch batch;
    if (until < sequence) {
        haul_error_set(error, HAUL_GAP, NULL, 0, "the database has lost its last writes");
        return false;
    }
    enum haul_status status = store->ops->wal_open(store, sequence + 1, &reader, error);
    while (status == HAUL_OK && store->ops->wal_position(reader) <= until) {
        status = store->ops->wal_next(reader, &batch, error);
    }
    if (reader != NULL) {
        store->ops->wal_close(reader);
    }
    return status == HAUL_OK || status == HAUL_AGAIN;
}

static const char other_ranges[] = "it is not for these ranges and column families";

/* Why an earlier job cannot continue as `plan`; `*reason` NULL: it can, and `earlier` is filled in.
 * haul's own counter never goes back: a job above it was begun with a version that nobody gives
 * now. Errors: NO_MEMORY. */
static enum haul_status look_why_not(struct source_journal *journal, const struct journal *file,
                                     const struct plan *plan, struct plan *earlier,
                                     const char **reason, struct haul_error *error)
{
    const struct journal_state *state = journal_state(file);
    bool is_moving = state->phase == JOURNAL_PHASE_COPYING || state->phase == JOURNAL_PHASE_FROZEN;
    if (!is_moving) {
        *reason = "it had not begun to copy";
        return HAUL_OK;
    }
    enum haul_status status = job_journal_read_plan(file, earlier, error);
    if (status != HAUL_OK) {
        *reason = "its plan cannot be read";
        return status == HAUL_NO_MEMORY ? status : HAUL_OK;
    }
    *reason = NULL;
    if (!plan_is_same_request(earlier, plan)) {
        *reason = other_ranges;
    } else if (journal->version_is_given ? earlier->old_version != plan->old_version
                                         : earlier->old_version > plan->old_version) {
        *reason = "it was for another config version";
    } else if (!log_reaches_back(journal->source->store, state->snapshot.wal_sequence - 1, error)) {
        *reason = error->text;
    }
    if (*reason != NULL) {
        plan_fini(earlier);
    }
    return HAUL_OK;
}

/* Log the fate of the earlier jobs, none of which continues as `plan`; `reason`: why the last one
 * does not. */
static void log_not_continued(const struct source_journal *journal, const struct plan *plan,
                              const char *reason)
{
    const struct haul_log *log = journal->source->log;
    size_t count = journal->earlier.left_over.count;
    size_t kept = source_earlier_count_apart(&journal->earlier, plan);
    if (kept > 0) {
        haul_log(
            log, HAUL_LOG_WARNING,
            "%zu earlier job%s of other ranges %s unfinished: `haul resume` continues %s, as does "
            "the same `haul send`",
            kept, kept == 1 ? "" : "s", kept == 1 ? "is" : "are", kept == 1 ? "it" : "one");
    }
    if (count > kept) {
        haul_log(log, HAUL_LOG_WARNING, "the earlier job %s: %s",
                 reason == other_ranges ? "is given up, and what has arrived of it is discarded"
                                        : "cannot continue, and is copied from the start",
                 reason == other_ranges ? "its ranges, column families, metadata families or "
                                          "config version are not those of this one"
                                        : reason);
    }
}

enum haul_status source_left_over_continue(struct source_journal *journal, struct plan *plan,
                                           uint64_t snapshot_sequence, uint64_t *log_sequence,
                                           struct haul_error *error)
{
    struct plan earlier;
    const char *reason = "";
    struct job_journals *left = &journal->earlier.left_over;
    size_t index = 0;
    enum haul_status status = HAUL_OK;
    for (; index < left->count && reason != NULL; index++) {
        status = look_why_not(journal, left->journals[index], plan, &earlier, &reason, error);
        if (status != HAUL_OK) {
            return status;
        }
    }
    if (reason != NULL) {
        log_not_continued(journal, plan, reason);
        return HAUL_NOT_FOUND;
    }
    plan_continue(plan, &earlier);
    plan_fini(&earlier);
    journal->file = job_journals_take(left, index - 1);
    journal->continued = true;
    memcpy(journal->job, journal_job_id(journal->file), HAUL_JOB_BYTES);
    const struct journal_state *state = journal_state(journal->file);
    struct journal_record snapshot = {
        .type = JOURNAL_SNAPSHOT,
        .snapshot = {.sequence = snapshot_sequence, .wal_sequence = state->snapshot.wal_sequence}};
    *log_sequence = state->snapshot.wal_sequence - 1;
    if (state->frozen) {
        status = job_journal_mark(journal->file, JOURNAL_UNFROZEN, false, error);
    }
    if (status == HAUL_OK) {
        status = journal_append(journal->file, &snapshot, true, error);
    }
    journal->epoch = journal_state(journal->file)->snapshot_count;
    return status;
}
