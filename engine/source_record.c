/* SPDX-License-Identifier: Apache-2.0 */
/* source_record.c — the source's records. */
#include "source_record.h"

#include <stdio.h>
#include <string.h>

#include "instance.h"
#include "job_journal.h"
#include "planted_bug.h"
#include "source_done.h"
#include "version_record.h"

void source_record_init(struct source_record *record, const struct haul_source_options *source)
{
    memset(record, 0, sizeof(*record));
    record->source = source;
    source_earlier_init(&record->earlier, source);
}

void source_record_fini(struct source_record *record)
{
    journal_close(record->journal);
    source_earlier_fini(&record->earlier);
    memset(record, 0, sizeof(*record));
}

/* --- earlier jobs ----------------------------------------------------------------------------- */

static enum haul_status append_decision(struct source_record *record, const struct plan *plan,
                                        bool sync, struct haul_error *error)
{
    struct journal_record decision = {.type = JOURNAL_DECISION,
                                      .decision = {.commit = true,
                                                   .old_version = plan->old_version,
                                                   .new_version = plan->new_version,
                                                   .epoch = record->epoch}};
    return journal_append(record->journal, &decision, sync && !HAUL_PLANTED_BUG(DECISION_UNSYNCED),
                          error);
}

enum haul_status source_record_find(struct source_record *record, struct haul_error *error)
{
    return source_earlier_find(&record->earlier, error);
}

/* Take over what the journal of a decided job says. */
static enum haul_status adopt_decided(struct source_record *record, struct plan *plan,
                                      struct haul_error *error)
{
    enum haul_status status = job_journal_read_plan(record->journal, plan, error);
    memcpy(record->job, journal_job_id(record->journal), HAUL_JOB_BYTES);
    record->epoch = journal_state(record->journal)->snapshot_count;
    const struct journal_state *state = journal_state(record->journal);
    bool moved = false;
    uint64_t new_version = 0;
    record->yielded = state->restored;
    if (status == HAUL_OK && state->outcome == JOURNAL_COMMIT) {
        plan->new_version = state->decision.new_version;
        /* The journal goes when the target has confirmed: not while the record is damaged, which is
         * made anew from it. */
        return version_record_released(record->source->store, record->job, &moved, &new_version,
                                       error);
    }
    if (status == HAUL_OK) {
        /* The record says that the job is decided: first of all it has to stay so. */
        status = version_record_settle(record->source->store, error);
    }
    if (status == HAUL_OK) {
        status = version_record_released(record->source->store, record->job, &moved, &new_version,
                                         error);
        plan->new_version = new_version > plan->old_version ? new_version : plan->new_version;
    }
    if (status == HAUL_OK) {
        status =
            job_journal_decide_late(record->journal, plan->old_version, plan->new_version, error);
        record->epoch = state->snapshot_count;
    }
    return status;
}

/* --- jobs that `resolve` may ask about -------------------------------------------------------- */

/* One that is left, and was not decided here. */
struct left_job {
    const uint8_t *id;
    const char *peer;
    const char *peer_address;
    uint64_t epoch;
    struct journal *journal; /* NULL: it was given up by an earlier process */
    bool over;
};

/* Number `index` of them, those that were given up first. False: there are not so many. */
static bool left_at(const struct source_record *record, size_t index, struct left_job *left)
{
    const struct job_journals *all = &record->earlier.left_over;
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
    struct journal *journal = all->journals[index];
    const struct journal_state *state = journal_state(journal);
    *left = (struct left_job){.id = journal_job_id(journal),
                              .peer = state->peer,
                              .peer_address = state->peer_address,
                              .epoch = state->snapshot_count,
                              .journal = journal,
                              .over = state->phase == JOURNAL_PHASE_ABORTED};
    return true;
}

/* May its target own by it? One that was never met owns nothing, unless the journal is older. */
static bool may_be_owned(const struct left_job *left)
{
    return left->over || left->peer[0] != '\0' ||
           (left->journal != NULL && journal_state(left->journal)->restored);
}

static bool is_job_of(const struct left_job *left, const char *identity)
{
    return left->peer[0] == '\0' || instance_is(left->peer, identity);
}

static bool find_job(const struct source_record *record, struct left_job *left)
{
    for (size_t i = 0; left_at(record, i, left); i++) {
        if (memcmp(left->id, record->job, HAUL_JOB_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

static void take_left(struct source_record *record, const struct left_job *left)
{
    memcpy(record->job, left->id, HAUL_JOB_BYTES);
    if (!record->only_tells) {
        memcpy(record->first_job, left->id, HAUL_JOB_BYTES);
    }
    record->only_tells = true;
    record->asks = !left->over;
    record->epoch = left->epoch == 0 ? 1 : left->epoch;
}

/* A job that nothing has decided is no matter of `resolve`, but its target may well wait for it. */
static enum haul_status nothing_in_doubt(const struct job_journals *left, struct haul_error *error)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no job of this database is in doubt");
    if (left->count == 0) {
        haul_error_hint(error, "there is nothing to resolve; `haul send` begins a new job");
        return HAUL_NOT_FOUND;
    }
    journal_name_format(JOURNAL_SOURCE, journal_job_id(left->journals[0]), name);
    haul_error_hint(error, "%s is not decided: `haul resume` goes on with it", name);
    return HAUL_NOT_FOUND;
}

/* The first that is over, whose target may be at the other end. By its own records this database
 * owns what an open one was to move, and only its target knows whether they are older than the
 * decision: that comes next. */
static enum haul_status adopt_left(struct source_record *record, struct haul_error *error)
{
    struct left_job left;
    source_earlier_abort_overtaken(&record->earlier);
    for (unsigned open = 0; open < 2; open++) {
        for (size_t i = 0; left_at(record, i, &left); i++) {
            if (left.over == (open == 0) && may_be_owned(&left)) {
                take_left(record, &left);
                return HAUL_OK;
            }
        }
    }
    return nothing_in_doubt(&record->earlier.left_over, error);
}

enum haul_status source_record_adopt(struct source_record *record, struct plan *plan,
                                     struct haul_error *error)
{
    enum haul_status status = source_earlier_find(&record->earlier, error);
    if (status == HAUL_OK && record->earlier.decided.count == 0) {
        status = adopt_left(record, error);
        return status == HAUL_NOT_FOUND ? source_done_adopt(record, error) : status;
    }
    if (status == HAUL_OK) {
        record->journal = job_journals_take(&record->earlier.decided, 0);
        status = adopt_decided(record, plan, error);
    }
    if (status == HAUL_OK) {
        status = source_earlier_check_whole(record->source, record->journal, plan, error);
    }
    if (status == HAUL_OK) {
        status = source_done_recall(record, error);
    }
    return status;
}

/* --- the target ------------------------------------------------------------------------------- */

static enum haul_status bind_journal(struct source_record *record, struct haul_error *error)
{
    enum journal_phase phase = journal_state(record->journal)->phase;
    enum haul_status status = HAUL_OK;
    record->peer_differs = !job_journal_is_bound_to(record->journal, record->peer);
    if (record->peer[0] == '\0' && !record->peer_differs) {
        return HAUL_OK; /* a store without an identity: nothing to be bound to */
    }
    if (source_earlier_is_of_nobody(record->journal)) {
        return source_earlier_restored(record->journal, error);
    }
    if (record->peer_differs || phase == JOURNAL_PHASE_PLANNED || phase == JOURNAL_PHASE_COPYING) {
        status = job_journal_bind(record->journal, record->peer, record->source->to, error);
    }
    if (record->peer_differs) {
        source_earlier_hint_stranger(record->journal, record->peer, error);
    }
    return status;
}

enum haul_status source_record_meet(struct source_record *record, const char *identity,
                                    enum version_return returned, struct haul_error *error)
{
    (void)snprintf(record->peer, sizeof(record->peer), "%s", identity);
    record->has_met = true;
    record->returned = returned;
    record->peer_differs =
        record->journal != NULL && !job_journal_is_bound_to(record->journal, record->peer);
    return record->peer_differs ? bind_journal(record, error) : HAUL_OK; /* which says so */
}

/* Only to tell, and this is not the one to be told. */
static enum haul_status nothing_to_tell(const struct source_record *record,
                                        struct haul_error *error)
{
    struct left_job left;
    haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "no job of this database waits for database %s",
                   record->peer);
    if (left_at(record, 0, &left) && left.peer[0] != '\0') {
        haul_error_hint(error, "one waits for database %s, which was at %s", left.peer,
                        left.peer_address);
    }
    return HAUL_NOT_FOUND;
}

bool source_record_is_met(const struct source_record *record)
{
    struct left_job left;
    return find_job(record, &left) && is_job_of(&left, record->peer);
}

enum haul_status source_record_not_owned(struct source_record *record, struct haul_error *error)
{
    struct left_job left;
    bool answers = find_job(record, &left) && !left.over && left.peer[0] != '\0' &&
                   is_job_of(&left, record->peer);
    return answers ? job_journal_bind(left.journal, record->peer, record->source->to, error)
                   : HAUL_OK;
}

/* The first Hello had to name one before it was known who answers. */
bool source_record_ask_next(struct source_record *record)
{
    struct left_job left;
    while (left_at(record, record->asked, &left)) {
        record->asked++;
        if (may_be_owned(&left) && is_job_of(&left, record->peer) &&
            memcmp(left.id, record->first_job, HAUL_JOB_BYTES) != 0) {
            take_left(record, &left);
            return true;
        }
    }
    return false;
}

enum haul_status source_record_tell(struct source_record *record, struct haul_error *error)
{
    struct left_job left;
    enum haul_status status = source_earlier_bind(&record->earlier, record->peer, NULL, error);
    if (status != HAUL_OK || record->earlier.told_count > 0) {
        return status;
    }
    for (size_t i = 0; left_at(record, i, &left); i++) {
        if (left.peer[0] != '\0' && is_job_of(&left, record->peer)) {
            return nothing_in_doubt(&record->earlier.left_over, error);
        }
        if (left.journal != NULL && source_earlier_is_of_nobody(left.journal)) {
            return source_earlier_restored(left.journal, error);
        }
    }
    return nothing_to_tell(record, error);
}

enum haul_status source_record_bind(struct source_record *record, const char *identity,
                                    const struct plan *plan, struct haul_error *error)
{
    enum haul_status status = source_record_meet(record, identity, VERSION_RETURN_UNTOLD, error);
    if (status == HAUL_OK && record->journal != NULL) {
        status = bind_journal(record, error);
    }
    bool resolves = record->source->resolve;
    if (status == HAUL_OK) {
        status = source_earlier_bind(&record->earlier, identity, resolves ? NULL : plan, error);
    }
    bool tells = record->only_tells && !record->asks;
    if (status == HAUL_OK && tells && record->earlier.told_count == 0) {
        status = nothing_to_tell(record, error);
    }
    return status;
}

enum haul_status source_record_accepted(struct source_record *record, struct haul_error *error)
{
    return source_earlier_were_told(&record->earlier, error);
}

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

enum haul_status source_record_give_up(struct haul_store *store, const uint8_t job[HAUL_JOB_BYTES],
                                       bool accept_two_owners, struct haul_error *error)
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

/* The first one is what goes on, if any does. */
static struct journal *first_left_over(const struct source_record *record)
{
    const struct job_journals *left = &record->earlier.left_over;
    for (size_t i = 0; i < left->count; i++) {
        const struct journal *journal = left->journals[i];
        if (journal_state(journal)->phase != JOURNAL_PHASE_ABORTED &&
            !source_earlier_is_overtaken(&record->earlier, journal)) {
            return left->journals[i];
        }
    }
    return NULL;
}

enum haul_status source_record_left_plan(const struct source_record *record, struct plan *plan,
                                         struct haul_error *error)
{
    const struct journal *journal = first_left_over(record);
    if (journal == NULL) {
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "this database has no job to go on with");
        source_done_hint(record, error);
        return HAUL_NOT_FOUND;
    }
    return job_journal_read_plan(journal, plan, error);
}

/* Is the log whole from `sequence` + 1 on? All of it is read: a hole that is found when the copy
 * has begun ends the job. */
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

/* Why a left-over job cannot go on as `plan`; NULL: it can. `earlier` is filled in then. */
static const char *why_not(struct source_record *record, const struct journal *journal,
                           const struct plan *plan, struct plan *earlier, struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    bool is_moving = state->phase == JOURNAL_PHASE_COPYING || state->phase == JOURNAL_PHASE_FROZEN;
    if (!is_moving) {
        return "it had not begun to copy";
    }
    if (job_journal_read_plan(journal, earlier, error) != HAUL_OK) {
        return "its plan cannot be read";
    }
    const char *reason = NULL;
    if (!plan_is_same_request(earlier, plan)) {
        reason = other_ranges;
    } else if (record->version_is_given && earlier->old_version != plan->old_version) {
        reason = "it was for another config version";
    } else if (!log_reaches_back(record->source->store, state->snapshot.wal_sequence - 1, error)) {
        reason = error->text;
    }
    if (reason != NULL) {
        plan_fini(earlier);
    }
    return reason;
}

/* What becomes of the left-over jobs, none of which goes on as `plan`: the last one's `reason`. */
static void log_not_continued(const struct source_record *record, const struct plan *plan,
                              const char *reason)
{
    const struct haul_log *log = record->source->log;
    size_t count = record->earlier.left_over.count;
    size_t kept = source_earlier_count_apart(&record->earlier, plan);
    if (kept > 0) {
        haul_log(log, HAUL_LOG_WARNING,
                 "%zu earlier job%s of other ranges %s not done: `haul resume` goes on with %s, or "
                 "the same `haul send`",
                 kept, kept == 1 ? "" : "s", kept == 1 ? "is" : "are", kept == 1 ? "it" : "one");
    }
    if (count > kept) {
        haul_log(log, HAUL_LOG_WARNING, "the earlier job %s: %s",
                 reason == other_ranges ? "is given up, and what had arrived of it is discarded"
                                        : "cannot go on, it is copied anew",
                 reason == other_ranges ? "some of its ranges, not all, are those of this one"
                                        : reason);
    }
}

enum haul_status source_record_continue(struct source_record *record, struct plan *plan,
                                        uint64_t snapshot_sequence, uint64_t *log_sequence,
                                        struct haul_error *error)
{
    struct plan earlier;
    const char *reason = "";
    struct job_journals *left = &record->earlier.left_over;
    size_t index = 0;
    while (index < left->count &&
           (reason = why_not(record, left->journals[index], plan, &earlier, error)) != NULL) {
        index++;
    }
    if (index == left->count) {
        log_not_continued(record, plan, reason);
        return HAUL_NOT_FOUND;
    }
    plan_continue(plan, &earlier);
    plan_fini(&earlier);
    record->journal = job_journals_take(left, index);
    record->continued = true;
    memcpy(record->job, journal_job_id(record->journal), HAUL_JOB_BYTES);
    const struct journal_state *state = journal_state(record->journal);
    struct journal_record snapshot = {
        .type = JOURNAL_SNAPSHOT,
        .snapshot = {.sequence = snapshot_sequence, .wal_sequence = state->snapshot.wal_sequence}};
    *log_sequence = state->snapshot.wal_sequence - 1;
    enum haul_status status = HAUL_OK;
    if (state->frozen) {
        status = job_journal_mark(record->journal, JOURNAL_UNFROZEN, false, error);
    }
    if (status == HAUL_OK) {
        status = journal_append(record->journal, &snapshot, true, error);
    }
    record->epoch = journal_state(record->journal)->snapshot_count;
    return status;
}

/* --- records in their order ------------------------------------------------------------------- */

enum haul_status source_record_begin(struct source_record *record, const struct plan *plan,
                                     uint64_t snapshot_sequence, struct haul_error *error)
{
    bool existed = false;
    enum haul_status status = job_journal_begin(record->source->store, record->name, JOURNAL_SOURCE,
                                                record->job, &record->journal, &existed, error);
    if (status == HAUL_OK) {
        status = job_journal_plan(record->journal, plan, error);
    }
    struct journal_record snapshot = {
        .type = JOURNAL_SNAPSHOT,
        .snapshot = {.sequence = snapshot_sequence, .wal_sequence = snapshot_sequence + 1}};
    record->epoch = 1;
    return status == HAUL_OK ? journal_append(record->journal, &snapshot, true, error) : status;
}

enum haul_status source_record_frozen(struct source_record *record, struct haul_error *error)
{
    struct haul_store *store = record->source->store;
    struct journal_record frozen = {.type = JOURNAL_FROZEN,
                                    .frozen_sequence = store->ops->sequence(store)};
    return journal_append(record->journal, &frozen, true, error);
}

enum haul_status source_record_unfrozen(struct source_record *record, struct haul_error *error)
{
    return journal_state(record->journal)->frozen
               ? job_journal_mark(record->journal, JOURNAL_UNFROZEN, false, error)
               : HAUL_OK;
}

static enum haul_status give_away(struct source_record *record, const struct plan *plan,
                                  uint32_t wait_max_ms, struct haul_error *error)
{
    const struct version_move move = {.outcome = VERSION_RELEASED,
                                      .job = record->job,
                                      .peer = record->peer,
                                      .plan = plan,
                                      .expected = record->recorded_version,
                                      .new_version = plan->new_version,
                                      .epoch = record->epoch,
                                      .is_owned = record->is_owned,
                                      .waits_briefly = true,
                                      .wait_max_ms = wait_max_ms,
                                      .records = record->moved.count,
                                      .bytes = record->moved.bytes};
    return version_record_move(record->source->store, &record->source->hooks, &move, error);
}

enum haul_status source_record_decide(struct source_record *record, const struct plan *plan,
                                      uint32_t wait_max_ms, struct haul_error *error)
{
    /* Without a register of the embedder's the change of the ownership record is the decision, and
     * the journal repeats it, which RELEASED makes durable; with one, the journal's record is. */
    enum haul_status status = give_away(record, plan, wait_max_ms, error);
    if (status != HAUL_OK) {
        return status;
    }
    bool is_the_decision = record->source->hooks.version_get != NULL;
    status = append_decision(record, plan, is_the_decision, error);
    if (status == HAUL_OK || !is_the_decision) {
        return HAUL_OK;
    }
    bool not_written = status == HAUL_INVALID || status == HAUL_LIMIT || status == HAUL_NO_MEMORY ||
                       status == HAUL_NO_SPACE;
    return not_written || HAUL_PLANTED_BUG(DOUBT_IS_NO) ? status : HAUL_IN_DOUBT;
}

bool source_record_is_undecided(const struct source_record *record)
{
    return record->only_tells ||
           (record->journal != NULL && journal_state(record->journal)->outcome != JOURNAL_COMMIT);
}

enum { YIELD_WAIT_MAX_MS = 2000 };

/* What a target has given back is not given away a second time. One that does not tell, of an older
 * release, is believed as long as nothing here came from it. Errors: `refused`, those of the
 * record and of the journal. */
static enum haul_status check_kept(struct source_record *record, const struct plan *plan,
                                   enum haul_status refused, struct haul_error *error)
{
    bool has = false;
    enum haul_status status = HAUL_OK;
    if (record->returned == VERSION_RETURN_UNTOLD) {
        status = version_record_has_from(record->source->store, plan, record->peer, &has, error);
    }
    record->is_owned =
        status == HAUL_OK && !has &&
        (record->returned == VERSION_KEPT || record->returned == VERSION_RETURN_UNTOLD);
    if (status != HAUL_OK || record->is_owned) {
        return status == HAUL_OK ? source_earlier_mark_owned(record->journal, false, error)
                                 : status;
    }
    struct haul_error second; /* the target's word is the answer, also when it cannot be kept */
    if (record->returned == VERSION_RETURNED) {
        (void)!source_earlier_mark_owned(record->journal, false, &second);
        haul_error_set(error, refused, NULL, 0,
                       "the target has taken the ranges over by this very job, and has given them "
                       "back since: they are this database's");
        haul_error_hint(error, "`haul resolve --db DIR --to ADDR:PORT` ends the job");
        return refused;
    }
    (void)!source_earlier_mark_owned(record->journal, true, &second);
    return source_earlier_parted(refused, record->has_lost, error);
}

enum haul_status source_record_yield(struct source_record *record, const struct plan *plan,
                                     uint64_t new_version, struct haul_error *error)
{
    struct plan yielded = *plan; /* which keeps what it points to */
    yielded.new_version = new_version;
    enum haul_status status = check_kept(record, plan, HAUL_FENCED, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = source_record_frozen(record, error);
    if (status == HAUL_OK) {
        status = source_record_decide(record, &yielded, YIELD_WAIT_MAX_MS, error);
    }
    if (status != HAUL_OK && status != HAUL_IN_DOUBT) {
        struct haul_error second; /* the first one is the answer */
        (void)!source_record_unfrozen(record, &second);
    }
    return status;
}

/* RELEASED is due once, behind the decision; an earlier process may have come so far. */
static enum haul_status mark_released(struct journal *journal, struct haul_error *error)
{
    bool due = journal_state(journal)->phase == JOURNAL_PHASE_COMMITTED;
    return due && !HAUL_PLANTED_BUG(RELEASED_FORGOTTEN)
               ? job_journal_mark(journal, JOURNAL_RELEASED, true, error)
               : HAUL_OK;
}

enum haul_status source_record_released(struct source_record *record, struct haul_error *error)
{
    return mark_released(record->journal, error);
}

/* The target owns. Nobody may have come to RELEASED: a crash behind the decision, and then a
 * `resolve`. Closes the journal. */
static enum haul_status finish_committed(struct journal *journal, struct haul_error *error)
{
    enum haul_status status = mark_released(journal, error);
    if (status == HAUL_OK) {
        return job_journal_finish(journal, error);
    }
    journal_close(journal);
    return status;
}

/* A commit never follows an abort in a journal: the ownership record alone says it. */
static enum haul_status yield_aborted(struct source_record *record, const struct plan *plan,
                                      struct haul_error *error)
{
    if (record->source->hooks.version_get == NULL) {
        return give_away(record, plan, YIELD_WAIT_MAX_MS, error);
    }
    haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                   "the target owns the ranges by a job that was given up here");
    haul_error_hint(error, "the embedder's own register has to give them away");
    return HAUL_MISMATCH;
}

/* The ranges are here again, and nobody owns anything by the job. */
static enum haul_status end_returned(struct source_record *record, struct haul_error *error)
{
    struct journal *journal = record->journal;
    record->journal = NULL;
    enum haul_status status =
        source_earlier_drop(journal, HAUL_CANCELLED, "the ranges came back", error);
    record->came_back = status == HAUL_OK;
    return status;
}

/* The target has finished, and waits for nothing. */
static enum haul_status yield_journal(struct source_record *record, uint64_t new_version,
                                      struct haul_error *error)
{
    struct plan plan;
    enum haul_status status = job_journal_read_plan(record->journal, &plan, error);
    if (status != HAUL_OK) {
        return status;
    }
    plan.new_version = new_version;
    bool aborted = journal_state(record->journal)->phase == JOURNAL_PHASE_ABORTED;
    status = check_kept(record, &plan, HAUL_MISMATCH, error);
    if (status == HAUL_OK) {
        status = aborted ? yield_aborted(record, &plan, error)
                         : source_record_yield(record, &plan, new_version, error);
    }
    plan_fini(&plan);
    if (status == HAUL_OK) {
        struct journal *journal = record->journal;
        record->journal = NULL;
        status = aborted ? source_earlier_drop(journal, HAUL_CANCELLED, "", error)
                         : finish_committed(journal, error);
    }
    return status;
}

enum haul_status source_record_yield_left(struct source_record *record, uint64_t new_version,
                                          struct haul_error *error)
{
    if (record->yielded || record->came_back) {
        return HAUL_OK; /* for an earlier Welcome */
    }
    enum haul_status status =
        source_earlier_take(&record->earlier, record->job, &record->journal, error);
    if (status != HAUL_OK) {
        return status;
    }
    record->earlier.told_count = 0; /* the others are told another time */
    bool bound = job_journal_is_bound_to(record->journal, record->peer);
    status = !bound                                 ? nothing_to_tell(record, error)
             : record->returned == VERSION_RETURNED ? end_returned(record, error)
                                                    : yield_journal(record, new_version, error);
    record->yielded = status == HAUL_OK && !record->came_back;
    journal_close(record->journal);
    record->journal = NULL;
    return status;
}

/* What could not be dropped when the target had: a disk that was full may be so no more, and no job
 * of this range comes after one that has moved it. */
static void give_up_told(struct source_record *record)
{
    struct haul_error error = {.status = HAUL_OK};
    (void)!source_earlier_were_told(&record->earlier, &error); /* which logs what stays */
}

/* What becomes of the journal; the first that fits. */
static enum haul_status end_journal(struct source_record *record, struct journal *journal,
                                    const struct source_ending *ending, struct haul_error *error)
{
    enum haul_status outcome = ending->outcome->status;
    bool kept = ending->kept || outcome == HAUL_CLOSED || outcome == HAUL_TIMEOUT ||
                outcome == HAUL_REFUSED || outcome == HAUL_UNREACHABLE || outcome == HAUL_BUSY ||
                outcome == HAUL_STOPPED;
    bool target_may_hold_a_part = ending->was_accepted && !ending->peer_knows;
    if (outcome == HAUL_OK) {
        record->journal = NULL;
        give_up_told(record);
        return finish_committed(journal, error);
    }
    if (kept && target_may_hold_a_part) {
        return HAUL_OK; /* the next job of this store goes on with it, or supersedes it */
    }
    if (target_may_hold_a_part) {
        return source_earlier_abort(journal, outcome, ending->outcome->text, error);
    }
    record->journal = NULL;
    return source_earlier_drop(journal, outcome, ending->outcome->text, error);
}

void source_record_end(struct source_record *record, const struct source_ending *ending)
{
    struct haul_error error = {0};
    enum haul_status outcome = ending->outcome->status;
    /* What is to be resolved was decided by another process: it ends well, or another time. */
    bool stands = outcome == HAUL_IN_DOUBT || (record->source->resolve && outcome != HAUL_OK);
    if (record->only_tells && outcome == HAUL_OK) {
        give_up_told(record);
    }
    if (ending->owned_job != NULL) {
        source_earlier_is_owned(&record->earlier, ending->owned_job, record->peer);
    }
    if (ending->lost != NULL) {
        source_done_note_lost_there(record, ending->lost);
    }
    /* Whoever refused a job of an earlier process at once need not have been its target. */
    bool stranger = record->peer_differs ||
                    (record->continued && !record->has_met && outcome != HAUL_CANCELLED);
    if (record->journal == NULL || stands || stranger) {
        return;
    }
    /* Its target was not asked yet: whatever ends this attempt, the job may have been decided. */
    if (outcome != HAUL_OK && journal_state(record->journal)->restored) {
        if (outcome == HAUL_CANCELLED) {
            (void)!source_earlier_restored(record->journal, ending->outcome);
        }
        return;
    }
    if (end_journal(record, record->journal, ending, &error) != HAUL_OK) {
        haul_log(record->source->log, HAUL_LOG_WARNING, "the journal could not be finished: %s",
                 error.text);
    }
}
