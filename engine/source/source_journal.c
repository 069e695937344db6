/* SPDX-License-Identifier: Apache-2.0 */
/* source_journal.c — the source's records. */
#include "source_journal.h"

#include <stdio.h>
#include <string.h>

#include "config_version.h"
#include "instance.h"
#include "job_journal.h"
#include "planted_bug.h"
#include "source_done.h"
#include "source_left_over.h"

void source_journal_init(struct source_journal *journal, const struct haul_source_options *source)
{
    memset(journal, 0, sizeof(*journal));
    journal->source = source;
    source_earlier_init(&journal->earlier, source);
}

void source_journal_fini(struct source_journal *journal)
{
    journal_close(journal->file);
    source_earlier_fini(&journal->earlier);
    memset(journal, 0, sizeof(*journal));
}

/* --- earlier jobs ----------------------------------------------------------------------------- */

static enum haul_status append_decision(struct source_journal *journal, const struct plan *plan,
                                        bool sync, struct haul_error *error)
{
    struct journal_record decision = {.type = JOURNAL_DECISION,
                                      .decision = {.commit = true,
                                                   .old_version = plan->old_version,
                                                   .new_version = plan->new_version,
                                                   .epoch = journal->epoch}};
    return journal_append(journal->file, &decision, sync && !HAUL_PLANTED_BUG(DECISION_UNSYNCED),
                          error);
}

enum haul_status source_journal_find(struct source_journal *journal, struct haul_error *error)
{
    return source_earlier_find(&journal->earlier, error);
}

/* Take over the content of a decided job's journal. */
static enum haul_status adopt_decided(struct source_journal *journal, struct plan *plan,
                                      struct haul_error *error)
{
    enum haul_status status = job_journal_read_plan(journal->file, plan, error);
    memcpy(journal->job, journal_job_id(journal->file), HAUL_JOB_BYTES);
    journal->epoch = journal_state(journal->file)->snapshot_count;
    const struct journal_state *state = journal_state(journal->file);
    bool moved = false;
    uint64_t new_version = 0;
    journal->yielded = state->restored;
    if (status == HAUL_OK && state->outcome == JOURNAL_COMMIT) {
        plan->new_version = state->decision.new_version;
        /* The journal is deleted once the target has confirmed, but not while the ownership record
         * is damaged, since the record is rebuilt from the journal. */
        return config_version_released(journal->source->store, journal->job, &moved, &new_version,
                                       error);
    }
    if (status == HAUL_OK) {
        /* The record contains the decision: first make sure that it stays. */
        status = config_version_settle(journal->source->store, error);
    }
    if (status == HAUL_OK) {
        status = config_version_released(journal->source->store, journal->job, &moved, &new_version,
                                         error);
        plan->new_version = new_version > plan->old_version ? new_version : plan->new_version;
    }
    if (status == HAUL_OK) {
        status =
            job_journal_decide_late(journal->file, plan->old_version, plan->new_version, error);
        journal->epoch = state->snapshot_count;
    }
    return status;
}

enum haul_status source_journal_adopt(struct source_journal *journal, struct plan *plan,
                                      struct haul_error *error)
{
    enum haul_status status = source_earlier_find(&journal->earlier, error);
    if (status == HAUL_OK) {
        status = source_earlier_check_alone(&journal->earlier, error);
    }
    if (status == HAUL_OK && journal->earlier.decided.count == 0) {
        status = source_left_over_adopt(journal, error);
        return status == HAUL_NOT_FOUND ? source_done_adopt(journal, error) : status;
    }
    if (status == HAUL_OK) {
        journal->file = job_journals_take(&journal->earlier.decided, 0);
        status = adopt_decided(journal, plan, error);
    }
    if (status == HAUL_OK) {
        status = source_earlier_check_whole(journal->source, journal->file, plan, error);
    }
    if (status == HAUL_OK) {
        status = source_done_recall(journal, error);
    }
    return status;
}

/* --- the target ------------------------------------------------------------------------------- */

static enum haul_status bind_journal(struct source_journal *journal, struct haul_error *error)
{
    enum journal_phase phase = journal_state(journal->file)->phase;
    enum haul_status status = HAUL_OK;
    journal->peer_differs = !job_journal_is_bound_to(journal->file, journal->peer);
    if (journal->peer[0] == '\0' && !journal->peer_differs) {
        return HAUL_OK; /* a store without an identity: nothing to bind to */
    }
    if (source_earlier_is_of_nobody(journal->file)) {
        return source_earlier_restored(journal->file, error);
    }
    if (journal->peer_differs || phase == JOURNAL_PHASE_PLANNED || phase == JOURNAL_PHASE_COPYING) {
        status = job_journal_bind(journal->file, journal->peer, journal->source->to, error);
    }
    if (journal->peer_differs) {
        source_earlier_hint_stranger(journal->file, journal->peer, error);
    }
    return status;
}

enum haul_status source_journal_meet(struct source_journal *journal, const char *identity,
                                     enum version_return returned, struct haul_error *error)
{
    (void)snprintf(journal->peer, sizeof(journal->peer), "%s", identity);
    journal->has_met = true;
    journal->returned = returned;
    journal->peer_differs =
        journal->file != NULL && !job_journal_is_bound_to(journal->file, journal->peer);
    /* bind_journal sets the error */
    return journal->peer_differs ? bind_journal(journal, error) : HAUL_OK;
}

enum haul_status source_journal_bind(struct source_journal *journal, const char *identity,
                                     const struct plan *plan, struct haul_error *error)
{
    enum haul_status status = source_journal_meet(journal, identity, VERSION_RETURN_UNTOLD, error);
    if (status == HAUL_OK && journal->file != NULL) {
        status = bind_journal(journal, error);
    }
    bool resolves = journal->source->resolve;
    if (status == HAUL_OK) {
        status = source_earlier_bind(&journal->earlier, identity, resolves ? NULL : plan, error);
    }
    bool tells = journal->only_tells && !journal->asks;
    if (status == HAUL_OK && tells && journal->earlier.told_count == 0) {
        status = source_left_over_nothing_to_tell(journal, error);
    }
    return status;
}

enum haul_status source_journal_accepted(struct source_journal *journal, struct haul_error *error)
{
    return source_earlier_were_told(&journal->earlier, error);
}

/* --- records in their order ------------------------------------------------------------------- */

enum haul_status source_journal_begin(struct source_journal *journal, const struct plan *plan,
                                      uint64_t snapshot_sequence, struct haul_error *error)
{
    bool existed = false;
    enum haul_status status =
        job_journal_begin(journal->source->store, journal->name, JOURNAL_SOURCE, journal->job,
                          &journal->file, &existed, error);
    if (status == HAUL_OK) {
        status = job_journal_plan(journal->file, plan, error);
    }
    struct journal_record snapshot = {
        .type = JOURNAL_SNAPSHOT,
        .snapshot = {.sequence = snapshot_sequence, .wal_sequence = snapshot_sequence + 1}};
    journal->epoch = 1;
    return status == HAUL_OK ? journal_append(journal->file, &snapshot, true, error) : status;
}

enum haul_status source_journal_frozen(struct source_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->source->store;
    struct journal_record frozen = {.type = JOURNAL_FROZEN,
                                    .frozen_sequence = store->ops->sequence(store)};
    return journal_append(journal->file, &frozen, true, error);
}

enum haul_status source_journal_unfrozen(struct source_journal *journal, struct haul_error *error)
{
    return journal_state(journal->file)->frozen
               ? job_journal_mark(journal->file, JOURNAL_UNFROZEN, false, error)
               : HAUL_OK;
}

static enum haul_status give_away(struct source_journal *journal, const struct plan *plan,
                                  uint32_t wait_max_ms, struct haul_error *error)
{
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = journal->job,
                                      .peer = journal->peer,
                                      .plan = plan,
                                      .expected = journal->recorded_version,
                                      .new_version = plan->new_version,
                                      .epoch = journal->epoch,
                                      .is_owned = journal->is_owned,
                                      .waits_briefly = true,
                                      .wait_max_ms = wait_max_ms,
                                      .records = journal->moved.count,
                                      .bytes = journal->moved.bytes};
    return config_version_move(journal->source->store, &journal->source->hooks, &move, error);
}

enum haul_status source_journal_decide(struct source_journal *journal, const struct plan *plan,
                                       uint32_t wait_max_ms, struct haul_error *error)
{
    /* Without a register of the embedder's, the change of the ownership record is the decision; the
     * journal repeats it, and RELEASED makes that durable. With a register, the journal record is
     * the decision. */
    enum haul_status status = give_away(journal, plan, wait_max_ms, error);
    if (status != HAUL_OK) {
        return status;
    }
    bool is_the_decision = journal->source->hooks.version_get != NULL;
    status = append_decision(journal, plan, is_the_decision, error);
    if (status == HAUL_OK || !is_the_decision) {
        return HAUL_OK;
    }
    bool not_written = status == HAUL_INVALID || status == HAUL_LIMIT || status == HAUL_NO_MEMORY ||
                       status == HAUL_NO_SPACE;
    return not_written || HAUL_PLANTED_BUG(DOUBT_IS_NO) ? status : HAUL_IN_DOUBT;
}

bool source_journal_is_undecided(const struct source_journal *journal)
{
    return journal->only_tells ||
           (journal->file != NULL && journal_state(journal->file)->outcome != JOURNAL_COMMIT);
}

enum { YIELD_WAIT_MAX_MS = 2000 };

/* Do not give away a second time what a target has given back. A target of an older release does
 * not report that; it is believed as long as nothing here came from it. Errors: `refused`, those of
 * the record and of the journal. */
static enum haul_status check_kept(struct source_journal *journal, const struct plan *plan,
                                   enum haul_status refused, struct haul_error *error)
{
    bool has = false;
    enum haul_status status = HAUL_OK;
    if (journal->returned == VERSION_RETURN_UNTOLD) {
        status = config_version_has_from(journal->source->store, plan, journal->peer, &has, error);
    }
    journal->is_owned =
        status == HAUL_OK && !has &&
        (journal->returned == VERSION_KEPT || journal->returned == VERSION_RETURN_UNTOLD);
    if (status != HAUL_OK || journal->is_owned) {
        return status == HAUL_OK ? source_earlier_mark_owned(journal->file, false, error) : status;
    }
    struct haul_error second; /* the target's report is the answer, even if it cannot be recorded */
    if (journal->returned == VERSION_RETURNED) {
        (void)!source_earlier_mark_owned(journal->file, false, &second);
        haul_error_set(error, refused, NULL, 0,
                       "the target has taken the ranges over by this very job and has given them "
                       "back since: this database owns them");
        haul_error_hint(error, "`haul resolve --db DIR --to ADDR:PORT` ends the job");
        return refused;
    }
    (void)!source_earlier_mark_owned(journal->file, true, &second);
    return source_earlier_parted(refused, journal->has_lost, error);
}

enum haul_status source_journal_yield(struct source_journal *journal, const struct plan *plan,
                                      uint64_t new_version, struct haul_error *error)
{
    struct plan yielded = *plan; /* keeps the memory that it points to */
    yielded.new_version = new_version;
    enum haul_status status = check_kept(journal, plan, HAUL_FENCED, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = source_journal_frozen(journal, error);
    if (status == HAUL_OK) {
        status = source_journal_decide(journal, &yielded, YIELD_WAIT_MAX_MS, error);
    }
    if (status != HAUL_OK && status != HAUL_IN_DOUBT) {
        struct haul_error second; /* the first error is the answer */
        (void)!source_journal_unfrozen(journal, &second);
    }
    return status;
}

/* RELEASED is due once, after the decision; an earlier process may have written it. */
static enum haul_status mark_released(struct journal *journal, struct haul_error *error)
{
    bool due = journal_state(journal)->phase == JOURNAL_PHASE_COMMITTED;
    return due && !HAUL_PLANTED_BUG(RELEASED_FORGOTTEN)
               ? job_journal_mark(journal, JOURNAL_RELEASED, true, error)
               : HAUL_OK;
}

enum haul_status source_journal_released(struct source_journal *journal, struct haul_error *error)
{
    return mark_released(journal->file, error);
}

/* The target owns. RELEASED may be missing: a crash after the decision, then a `resolve`. Closes
 * the journal. */
static enum haul_status finish_committed(struct journal *journal, struct haul_error *error)
{
    enum haul_status status = mark_released(journal, error);
    if (status == HAUL_OK) {
        return job_journal_finish(journal, error);
    }
    journal_close(journal);
    return status;
}

/* In a journal a commit never follows an abort: only the ownership record contains it. */
static enum haul_status yield_aborted(struct source_journal *journal, const struct plan *plan,
                                      struct haul_error *error)
{
    if (journal->source->hooks.version_get == NULL) {
        return give_away(journal, plan, YIELD_WAIT_MAX_MS, error);
    }
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "the target owns the ranges by a job that was given up here");
    haul_error_hint(error, "release them in the embedder's own register");
    return HAUL_MISMATCH;
}

/* The ranges are here again, and nobody owns anything by the job. */
static enum haul_status end_returned(struct source_journal *journal, struct haul_error *error)
{
    struct journal *file = journal->file;
    journal->file = NULL;
    enum haul_status status =
        source_earlier_drop(file, HAUL_CANCELLED, "the ranges came back", error);
    journal->came_back = status == HAUL_OK;
    return status;
}

/* The target has finished, and waits for nothing. */
static enum haul_status yield_journal(struct source_journal *journal, uint64_t new_version,
                                      struct haul_error *error)
{
    struct plan plan;
    enum haul_status status = job_journal_read_plan(journal->file, &plan, error);
    if (status != HAUL_OK) {
        return status;
    }
    plan.new_version = new_version;
    bool aborted = journal_state(journal->file)->phase == JOURNAL_PHASE_ABORTED;
    status = check_kept(journal, &plan, HAUL_MISMATCH, error);
    if (status == HAUL_OK) {
        status = aborted ? yield_aborted(journal, &plan, error)
                         : source_journal_yield(journal, &plan, new_version, error);
    }
    plan_fini(&plan);
    if (status == HAUL_OK) {
        struct journal *file = journal->file;
        journal->file = NULL;
        status = aborted ? source_earlier_drop(file, HAUL_CANCELLED, "", error)
                         : finish_committed(file, error);
    }
    return status;
}

enum haul_status source_journal_yield_left(struct source_journal *journal, uint64_t new_version,
                                           struct haul_error *error)
{
    if (journal->yielded || journal->came_back) {
        return HAUL_OK; /* for an earlier Welcome */
    }
    enum haul_status status =
        source_earlier_take(&journal->earlier, journal->job, &journal->file, error);
    if (status != HAUL_OK) {
        return status;
    }
    journal->earlier.told_count = 0; /* the others are reported another time */
    bool bound = job_journal_is_bound_to(journal->file, journal->peer);
    status = !bound ? source_left_over_nothing_to_tell(journal, error)
             : journal->returned == VERSION_RETURNED ? end_returned(journal, error)
                                                     : yield_journal(journal, new_version, error);
    journal->yielded = status == HAUL_OK && !journal->came_back;
    journal_close(journal->file);
    journal->file = NULL;
    return status;
}

/* Retry what failed earlier: the disk may have space again, and no later job would clean this
 * up. */
static void give_up_told(struct source_journal *journal)
{
    struct haul_error error = {.status = HAUL_OK};
    (void)!source_earlier_were_told(&journal->earlier, &error); /* logs what stays */
}

/* Decide the end of the journal; the first case that fits. */
static enum haul_status end_journal(struct source_journal *journal, struct journal *file,
                                    const struct source_ending *ending, struct haul_error *error)
{
    enum haul_status outcome = ending->outcome->status;
    bool kept = ending->kept || outcome == HAUL_CLOSED || outcome == HAUL_TIMEOUT ||
                outcome == HAUL_REFUSED || outcome == HAUL_UNREACHABLE || outcome == HAUL_BUSY ||
                outcome == HAUL_STOPPED;
    bool target_may_hold_a_part = ending->was_accepted && !ending->peer_knows;
    if (outcome == HAUL_OK) {
        journal->file = NULL;
        give_up_told(journal);
        return finish_committed(file, error);
    }
    if (kept && target_may_hold_a_part) {
        return HAUL_OK; /* the next job of this store continues or supersedes it */
    }
    if (target_may_hold_a_part) {
        return source_earlier_abort(file, outcome, ending->outcome->text, error);
    }
    journal->file = NULL;
    return source_earlier_drop(file, outcome, ending->outcome->text, error);
}

void source_journal_end(struct source_journal *journal, const struct source_ending *ending)
{
    struct haul_error error = {0};
    enum haul_status outcome = ending->outcome->status;
    /* Another process decided the job to be resolved: it ends well, or another time. */
    bool stands = outcome == HAUL_IN_DOUBT || (journal->source->resolve && outcome != HAUL_OK);
    if (journal->only_tells && outcome == HAUL_OK) {
        give_up_told(journal);
        source_done_note_owned(journal);
    }
    if (ending->owned_job != NULL) {
        source_earlier_is_owned(&journal->earlier, ending->owned_job, journal->peer);
    }
    if (ending->lost != NULL) {
        source_done_note_lost_there(journal, ending->lost);
    }
    /* A peer that refused an earlier process's job at once need not be its target. */
    bool stranger = journal->peer_differs ||
                    (journal->continued && !journal->has_met && outcome != HAUL_CANCELLED);
    if (journal->file == NULL || stands || stranger) {
        return;
    }
    /* The target has not been asked yet: however this attempt ended, the job may have been
     * decided. */
    if (outcome != HAUL_OK && journal_state(journal->file)->restored) {
        if (outcome == HAUL_CANCELLED) {
            (void)!source_earlier_restored(journal->file, ending->outcome);
        }
        return;
    }
    if (end_journal(journal, journal->file, ending, &error) != HAUL_OK) {
        haul_log(journal->source->log, HAUL_LOG_WARNING, "the journal could not be finished: %s",
                 error.text);
    }
}
