/* SPDX-License-Identifier: Apache-2.0 */
/* source_earlier.c — finds earlier jobs, ends them, reports them to their targets. */
#include "source_earlier.h"

#include <stdlib.h>
#include <string.h>

#include "config_version.h"
#include "instance.h"
#include "message.h"
#include "planted_bug.h"

enum { TOLD_COUNT_MAX = MESSAGE_BYTES_MAX / HAUL_JOB_BYTES };

void source_earlier_init(struct source_earlier *earlier, const struct haul_source_options *source)
{
    memset(earlier, 0, sizeof(*earlier));
    earlier->source = source;
}

void source_earlier_fini(struct source_earlier *earlier)
{
    job_journals_close(&earlier->left_over);
    job_journals_close(&earlier->decided);
    free(earlier->told);
    memset(earlier, 0, sizeof(*earlier));
}

/* --- finding ---------------------------------------------------------------------------------- */

/* Put jobs with this job's target address first; keep the order otherwise. */
static void put_likely_first(const struct source_earlier *earlier, struct job_journals *left)
{
    const char *to = earlier->source->to == NULL ? "" : earlier->source->to;
    size_t likely = 0;
    for (size_t i = 0; i < left->count; i++) {
        struct journal *journal = left->journals[i];
        if (strcmp(journal_state(journal)->peer_address, to) == 0) {
            memmove(&left->journals[likely + 1], &left->journals[likely],
                    (i - likely) * sizeof(left->journals[0]));
            left->journals[likely++] = journal;
        }
    }
}

/* The change of the ownership file is the decision; a crash may have prevented the journal's
 * copy. */
enum haul_status source_earlier_look_decided(struct haul_store *store,
                                             const struct journal *journal, bool *decided,
                                             struct haul_error *error)
{
    bool released = false;
    uint64_t ignored = 0;
    enum haul_status status =
        journal_state(journal)->outcome == JOURNAL_OPEN
            ? config_version_released(store, journal_job_id(journal), &released, &ignored, error)
            : HAUL_OK;
    *decided = job_journal_was_decided(journal, released);
    return status;
}

/* Move the decided jobs to a list of their own. */
static enum haul_status part_decided(struct source_earlier *earlier, struct haul_error *error)
{
    struct job_journals *left = &earlier->left_over;
    size_t at = 0;
    earlier->decided.journals = calloc(left->count + 1, sizeof(*left->journals));
    if (earlier->decided.journals == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for earlier jobs");
    }
    while (at < left->count) {
        bool decided = false;
        enum haul_status status = source_earlier_look_decided(earlier->source->store,
                                                              left->journals[at], &decided, error);
        if (status != HAUL_OK) {
            return status;
        }
        if (decided) {
            earlier->decided.journals[earlier->decided.count++] = job_journals_take(left, at);
        } else {
            at++;
        }
    }
    return HAUL_OK;
}

enum haul_status source_earlier_find(struct source_earlier *earlier, struct haul_error *error)
{
    enum haul_status status =
        job_journals_find(earlier->source->store, JOURNAL_SOURCE, &earlier->left_over, error);
    if (status == HAUL_OK) {
        status = part_decided(earlier, error);
    }
    if (status == HAUL_OK) {
        put_likely_first(earlier, &earlier->left_over);
        put_likely_first(earlier, &earlier->decided);
    }
    return status;
}

bool source_earlier_is_overtaken(const struct source_earlier *earlier,
                                 const struct journal *journal)
{
    struct haul_error error;
    struct plan plan;
    if (job_journal_read_plan(journal, &plan, &error) != HAUL_OK) {
        return false;
    }
    enum haul_status status =
        config_version_check(earlier->source->store, &earlier->source->hooks, &plan, &error);
    plan_fini(&plan);
    return status == HAUL_MISMATCH;
}

/* A database that has forgotten its jobs has a new name with the same RocksDB identity. */
static bool has_same_identity(const char *peer, const char *other)
{
    size_t size = strcspn(peer, "/");
    return size > 0 && strcspn(other, "/") == size && memcmp(peer, other, size) == 0;
}

void source_earlier_hint_stranger(const struct journal *journal, const char *peer,
                                  struct haul_error *error)
{
    bool decided = journal_state(journal)->outcome == JOURNAL_COMMIT;
    bool forgot = has_same_identity(journal_state(journal)->peer, peer);
    haul_error_hint(error, "%s",
                    decided && forgot ? "this one has forgotten its jobs, or is a copy; if it "
                                        "owns the ranges: `haul cancel --db DIR --job ID "
                                        "--accept-two-owners` here"
                    : decided         ? "give that database's address"
                    : forgot          ? "this one has forgotten its jobs, or is a copy: end the "
                                        "job with `haul cancel`, or give that database's address"
                                      : "give that database's address, or end the job with "
                                        "`haul cancel`");
}

/* --- ending ----------------------------------------------------------------------------------- */

enum haul_status source_earlier_mark_owned(struct journal *journal, bool parted,
                                           struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    enum haul_status status = HAUL_OK;
    if (!state->restored) {
        status = job_journal_mark(journal, JOURNAL_RESTORED, true, error);
    }
    if (status == HAUL_OK && parted && !state->parted) {
        status = job_journal_mark(journal, JOURNAL_PARTED, true, error);
    }
    return status;
}

enum haul_status source_earlier_mark_returned(struct journal *journal, bool parted,
                                              struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    bool is_said = parted ? state->parted : state->returned;
    return is_said
               ? HAUL_OK
               : job_journal_mark(journal, parted ? JOURNAL_PARTED : JOURNAL_RESTORED, true, error);
}

enum haul_status source_earlier_parted(enum haul_status refused, bool has_lost,
                                       struct haul_error *error)
{
    haul_error_set(
        error, refused, NULL, 0,
        "the target has taken the ranges over by this very job and has since given ranges "
        "to this database: nobody knows which of the job's ranges it still owns");
    if (has_lost) {
        haul_error_hint(error, "what it gave back is newer there: `haul owner --db DIR --reclaim "
                               "--accept-two-owners` there, then `haul send --overwrite --range R` "
                               "of all that the job gave; then `haul cancel --db DIR --job ID "
                               "--accept-two-owners` here");
        return refused;
    }
    haul_error_hint(error, "send those that it owns from there (`haul owner` lists them: `haul "
                           "send --overwrite --range R` for each); then `haul cancel --db DIR "
                           "--job ID --accept-two-owners` here");
    return refused;
}

enum haul_status source_earlier_restored(const struct journal *journal, struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    if (state->parted) {
        return source_earlier_parted(HAUL_UNCONFIRMED, false, error);
    }
    haul_error_set(
        error, HAUL_UNCONFIRMED, NULL, 0,
        "this database was restored or set back while the job was open: it may have been "
        "decided since, and then %s%s owns the ranges, too",
        state->peer[0] == '\0' ? "the receiver" : "database ", state->peer);
    haul_error_hint(error,
                    "ask it with `haul resolve --db DIR --to %s`; if it is lost for good: `haul "
                    "cancel --db DIR --accept-two-owners`",
                    state->peer_address[0] == '\0' ? "ADDR:PORT" : state->peer_address);
    return HAUL_UNCONFIRMED;
}

enum haul_status source_earlier_abort(struct journal *journal, enum haul_status reason,
                                      const char *text, struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    enum haul_status status = HAUL_OK;
    if (state->phase != JOURNAL_PHASE_ABORTED) {
        status = job_journal_aborted(journal, reason, text, error);
    }
    if (status == HAUL_OK && state->frozen) {
        status = job_journal_mark(journal, JOURNAL_UNFROZEN, true, error);
    }
    return status;
}

enum haul_status source_earlier_drop(struct journal *journal, enum haul_status reason,
                                     const char *text, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    if (journal_state(journal)->phase != JOURNAL_PHASE_DONE) {
        status = source_earlier_abort(journal, reason, text, error);
    }
    if (status != HAUL_OK) {
        journal_close(journal);
        return status;
    }
    return job_journal_finish(journal, error);
}

static void log_stays(const struct source_earlier *earlier, const struct haul_error *error)
{
    haul_log(earlier->source->log, HAUL_LOG_WARNING, "an earlier job is kept: %s", error->text);
}

void source_earlier_abort_overtaken(struct source_earlier *earlier)
{
    for (size_t i = 0; i < earlier->left_over.count; i++) {
        struct journal *journal = earlier->left_over.journals[i];
        struct haul_error error = {.status = HAUL_OK};
        if (!journal_state(journal)->restored && source_earlier_is_overtaken(earlier, journal) &&
            source_earlier_abort(journal, HAUL_CANCELLED, "its range was handed over", &error) !=
                HAUL_OK) {
            log_stays(earlier, &error);
        }
    }
}

/* --- telling ---------------------------------------------------------------------------------- */

static void tell(struct source_earlier *earlier, const uint8_t job[HAUL_JOB_BYTES])
{
    if (earlier->told_count < TOLD_COUNT_MAX) {
        memcpy(earlier->told + earlier->told_count * HAUL_JOB_BYTES, job, HAUL_JOB_BYTES);
        earlier->told_count++;
    }
}

/* Does the job move any of `plan`? `otherwise`: the answer for a journal whose plan cannot be read.
 * Errors: NO_MEMORY. */
static enum haul_status look_meets(const struct journal *journal, const struct plan *plan,
                                   bool otherwise, bool *meets, struct haul_error *error)
{
    struct plan theirs;
    enum haul_status status = job_journal_read_plan(journal, &theirs, error);
    *meets = otherwise;
    if (status == HAUL_OK) {
        *meets = plan_overlaps(plan, &theirs);
        plan_fini(&theirs);
    }
    return status == HAUL_NO_MEMORY ? status : HAUL_OK;
}

/* By the map, has `peer` got the whole range, or given it back? Errors: NO_MEMORY. */
static enum haul_status look_whole(const struct ownership *ownership, const struct range_map *map,
                                   const struct key_range *range, const char *peer, bool *whole)
{
    struct range_map theirs = {.count = 0};
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; map != NULL && i < map->count && status == HAUL_OK; i++) {
        const struct range_map_part *part = &map->parts[i];
        if (config_version_is_peer(ownership, part->mark.peer, peer)) {
            status = range_map_put(&theirs, &part->range, 1, &part->mark);
        }
    }
    *whole = range_map_covers(&theirs, range, 0);
    range_map_fini(&theirs);
    return status;
}

static enum haul_status refuse_taken_back(struct haul_error *error)
{
    haul_error_set(
        error, HAUL_MISMATCH, NULL, 0,
        "a part of the job's ranges was taken back here since (`haul owner "
        "--reclaim`): if the receiver learned the decision now, it would own that part as well");
    haul_error_hint(error, "`haul cancel --db DIR --job ID --accept-two-owners` ends the job "
                           "as recorded; then `haul resolve` gives the waiting receiver "
                           "the rest");
    return HAUL_MISMATCH;
}

enum haul_status source_earlier_check_whole(const struct haul_source_options *source,
                                            const struct journal *journal, const struct plan *plan,
                                            struct haul_error *error)
{
    struct ownership ownership;
    bool whole = true;
    if (source->hooks.version_get != NULL) {
        return HAUL_OK;
    }
    enum haul_status status = config_version_read(source->store, &ownership, error);
    if (status != HAUL_OK) {
        return status;
    }
    const struct ownership_job *gave =
        ownership_moved(&ownership, journal_job_id(journal), OWNERSHIP_GAVE);
    const char *peer = gave == NULL ? "" : ownership_peer_name(&ownership, gave->peer);
    size_t count = gave == NULL ? 0 : plan->family_count * plan->range_count;
    for (size_t i = 0; i < count && whole && status == HAUL_OK; i++) {
        const char *family = plan->families[i / plan->range_count].family.name;
        status = look_whole(&ownership, ownership_map(&ownership, family),
                            &plan->ranges[i % plan->range_count], peer, &whole);
    }
    ownership_fini(&ownership);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, "malloc", 0, "no memory for the ranges");
    }
    return whole ? HAUL_OK : refuse_taken_back(error);
}

/* The record contains the hand-over, and shows that the ranges are this database's: they were taken
 * back, or came back. */
static bool is_ours_again(const struct source_earlier *earlier, const struct journal *journal,
                          const struct plan *plan)
{
    const struct haul_source_options *source = earlier->source;
    struct haul_error ignored;
    uint64_t version = 0;
    bool gave = false;
    return source->hooks.version_get == NULL &&
           config_version_released(source->store, journal_job_id(journal), &gave, &version,
                                   &ignored) == HAUL_OK &&
           gave && config_version_check(source->store, &source->hooks, plan, &ignored) == HAUL_OK;
}

enum haul_status source_earlier_check_decided(const struct source_earlier *earlier,
                                              const struct plan *plan, struct haul_error *error)
{
    bool in_doubt = false;
    for (size_t i = 0; i < earlier->decided.count && !in_doubt; i++) {
        const struct journal *journal = earlier->decided.journals[i];
        enum haul_status status = look_meets(journal, plan, false, &in_doubt, error);
        if (status != HAUL_OK) {
            return status;
        }
        in_doubt = in_doubt && !is_ours_again(earlier, journal, plan);
    }
    if (!in_doubt) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_IN_DOUBT, NULL, 0,
                   "an earlier job of these ranges was decided, but its target has not confirmed "
                   "it");
    haul_error_hint(error, "run `haul resolve --db DIR --to ADDR:PORT` first");
    return HAUL_IN_DOUBT;
}

/* --- side by side ----------------------------------------------------------------------------- */

static enum haul_status refuse_running(const uint8_t *job, struct haul_error *error)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    journal_name_format(JOURNAL_SOURCE, job, name);
    haul_error_set(error, HAUL_BUSY, NULL, 0, "another job of this database runs: %s", name);
    haul_error_hint(error, "try again when it has ended");
    return HAUL_BUSY;
}

enum haul_status source_earlier_check_alone(const struct source_earlier *earlier,
                                            struct haul_error *error)
{
    const struct job_journals *left = &earlier->left_over;
    return left->running_count == 0 ? HAUL_OK : refuse_running(left->running[0], error);
}

/* One that has no plan yet is just beginning, and may be about anything. */
static enum haul_status check_running_one(const struct source_earlier *earlier, const uint8_t *job,
                                          const struct plan *plan, struct haul_error *error)
{
    struct journal *journal = NULL;
    struct plan theirs;
    enum haul_status status =
        job_journal_look(earlier->source->store, JOURNAL_SOURCE, job, &journal, error);
    if (status != HAUL_OK) {
        return status == HAUL_NOT_FOUND ? HAUL_OK : status; /* it has ended */
    }
    status = job_journal_read_plan(journal, &theirs, error);
    bool meets = status == HAUL_NOT_FOUND;
    if (status == HAUL_OK) {
        meets = plan_overlaps(&theirs, plan) && !HAUL_PLANTED_BUG(RUNNING_IGNORED);
        plan_fini(&theirs);
    }
    journal_close(journal);
    return meets ? refuse_running(job, error) : status;
}

enum haul_status source_earlier_check_running(const struct source_earlier *earlier,
                                              const struct plan *plan, struct haul_error *error)
{
    const struct job_journals *left = &earlier->left_over;
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < left->running_count && status == HAUL_OK; i++) {
        status = check_running_one(earlier, left->running[i], plan, error);
    }
    return status;
}

static bool has_journal(const struct job_journals *found, const uint8_t *job)
{
    bool has = false;
    for (size_t i = 0; i < found->count; i++) {
        has = has || memcmp(journal_job_id(found->journals[i]), job, HAUL_JOB_BYTES) == 0;
    }
    for (size_t i = 0; i < found->running_count; i++) {
        has = has || memcmp(found->running[i], job, HAUL_JOB_BYTES) == 0;
    }
    return has;
}

/* Errors: BUSY, those of journals. */
static enum haul_status check_appeared_one(const struct source_earlier *earlier, const uint8_t *job,
                                           const struct plan *plan, struct haul_error *error)
{
    struct journal *journal = NULL;
    enum haul_status status =
        job_journal_look(earlier->source->store, JOURNAL_SOURCE, job, &journal, error);
    bool over = status == HAUL_OK && (journal_state(journal)->phase == JOURNAL_PHASE_ABORTED ||
                                      journal_state(journal)->phase == JOURNAL_PHASE_DONE);
    journal_close(journal);
    if (status != HAUL_OK || over) {
        return status == HAUL_NOT_FOUND ? HAUL_OK : status;
    }
    return check_running_one(earlier, job, plan, error);
}

enum haul_status source_earlier_check_appeared(const struct source_earlier *earlier,
                                               const uint8_t *own, const struct plan *plan,
                                               struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status =
        job_journal_list(earlier->source->store, JOURNAL_SOURCE, &entries, &count, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        const uint8_t *job = entries[i].job_id;
        bool known = memcmp(job, own, HAUL_JOB_BYTES) == 0 ||
                     has_journal(&earlier->left_over, job) || has_journal(&earlier->decided, job);
        if (!known && !HAUL_PLANTED_BUG(RUNNING_IGNORED)) {
            status = check_appeared_one(earlier, job, plan, error);
        }
    }
    free(entries);
    return status;
}

/* Nothing of the job has arrived anywhere, it is over, or `plan` moves its ranges. Errors:
 * NO_MEMORY. */
static enum haul_status look_ends(const struct source_earlier *earlier,
                                  const struct journal *journal, const struct plan *plan,
                                  bool *ends, struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    enum haul_status status = HAUL_OK;
    *ends = state->peer[0] == '\0' || state->phase == JOURNAL_PHASE_ABORTED;
    if (!*ends) {
        status = look_meets(journal, plan, true, ends, error);
    }
    *ends = *ends || source_earlier_is_overtaken(earlier, journal);
    return status;
}

size_t source_earlier_count_apart(const struct source_earlier *earlier, const struct plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < earlier->left_over.count; i++) {
        struct haul_error ignored; /* the number is only for the log */
        bool ends = false;
        enum haul_status status =
            look_ends(earlier, earlier->left_over.journals[i], plan, &ends, &ignored);
        count += status == HAUL_OK && !ends ? 1 : 0;
    }
    return count;
}

void source_earlier_leave_apart(struct source_earlier *earlier, const struct plan *plan)
{
    struct job_journals *left = &earlier->left_over;
    job_journals_close(&earlier->decided);
    for (size_t i = left->count; i-- > 0;) {
        struct haul_error ignored; /* one that stays blocks others of its ranges, no more */
        bool ends = true;
        enum haul_status status = look_ends(earlier, left->journals[i], plan, &ends, &ignored);
        if (status == HAUL_OK && !ends && !journal_state(left->journals[i])->restored) {
            journal_close(job_journals_take(left, i));
        }
    }
}

bool source_earlier_is_of_nobody(const struct journal *journal)
{
    const struct journal_state *state = journal_state(journal);
    return state->restored && state->outcome == JOURNAL_OPEN && state->peer[0] == '\0';
}

/* By its journal, does the job go to `identity`? */
static bool is_of(const struct journal *journal, const char *identity)
{
    return job_journal_is_bound_to(journal, identity) && !source_earlier_is_of_nobody(journal);
}

/* Give nothing up before it is certain that everything may be given up. Errors: UNCONFIRMED,
 * NO_MEMORY. */
static enum haul_status check_restored(const struct source_earlier *earlier, const char *identity,
                                       const struct plan *plan, struct haul_error *error)
{
    for (size_t i = 0; plan != NULL && i < earlier->left_over.count; i++) {
        const struct journal *journal = earlier->left_over.journals[i];
        bool ends = false;
        if (!journal_state(journal)->restored || is_of(journal, identity)) {
            continue;
        }
        enum haul_status status = look_meets(journal, plan, true, &ends, error);
        if (status != HAUL_OK) {
            return status;
        }
        if (ends || source_earlier_is_overtaken(earlier, journal)) {
            return source_earlier_restored(journal, error);
        }
    }
    return HAUL_OK;
}

/* Handle a job that can continue when another job goes to `identity`. It can still continue if the
 * other job moves something else. */
static enum haul_status bind_one(struct source_earlier *earlier, struct journal *journal,
                                 const char *identity, const struct plan *plan,
                                 struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    bool ends = plan == NULL;
    if (is_of(journal, identity)) {
        status = ends ? HAUL_OK : look_ends(earlier, journal, plan, &ends, error);
        if (status == HAUL_OK && ends) {
            tell(earlier, journal_job_id(journal));
        }
        return status;
    }
    if (plan == NULL || journal_state(journal)->restored) {
        return HAUL_OK;
    }
    status = look_meets(journal, plan, false, &ends, error);
    if (status == HAUL_OK && (ends || source_earlier_is_overtaken(earlier, journal))) {
        status = source_earlier_abort(journal, HAUL_CANCELLED,
                                      "another job took its range to another target", error);
    }
    return status;
}

enum haul_status source_earlier_bind(struct source_earlier *earlier, const char *identity,
                                     const struct plan *plan, struct haul_error *error)
{
    const struct job_journals *left = &earlier->left_over;
    size_t most = left->count + left->aborted_count;
    enum haul_status status = check_restored(earlier, identity, plan, error);
    free(earlier->told);
    earlier->told_count = 0;
    earlier->told = calloc(most + 1, HAUL_JOB_BYTES);
    if (earlier->told == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for earlier jobs");
    }
    for (size_t i = 0; i < left->count && status == HAUL_OK; i++) {
        if (plan != NULL || journal_state(left->journals[i])->phase == JOURNAL_PHASE_ABORTED) {
            status = bind_one(earlier, left->journals[i], identity, plan, error);
        }
    }
    for (size_t i = 0; i < left->aborted_count; i++) {
        const char *peer = left->aborted[i].peer;
        if (peer[0] == '\0' || instance_is(peer, identity)) {
            tell(earlier, left->aborted[i].id);
        }
    }
    return status;
}

enum haul_status source_earlier_take(struct source_earlier *earlier,
                                     const uint8_t job[HAUL_JOB_BYTES], struct journal **journal,
                                     struct haul_error *error)
{
    for (size_t i = 0; i < earlier->left_over.count; i++) {
        if (memcmp(journal_job_id(earlier->left_over.journals[i]), job, HAUL_JOB_BYTES) == 0) {
            *journal = job_journals_take(&earlier->left_over, i);
            return HAUL_OK;
        }
    }
    return job_journal_open_existing(earlier->source->store, JOURNAL_SOURCE, job, journal, error);
}

static enum haul_status drop_told(struct source_earlier *earlier, const uint8_t job[HAUL_JOB_BYTES],
                                  struct haul_error *error)
{
    struct journal *journal = NULL;
    enum haul_status status = source_earlier_take(earlier, job, &journal, error);
    if (status == HAUL_OK) {
        status = source_earlier_drop(journal, HAUL_CANCELLED, "superseded by a new job", error);
    }
    /* Another job that runs here has told of it, too. */
    return status == HAUL_NOT_FOUND || status == HAUL_BUSY ? HAUL_OK : status;
}

enum haul_status source_earlier_were_told(struct source_earlier *earlier, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < earlier->told_count; i++) {
        struct haul_error one = {.status = HAUL_OK};
        enum haul_status result = drop_told(earlier, earlier->told + i * HAUL_JOB_BYTES, &one);
        if (result != HAUL_OK) {
            log_stays(earlier, &one);
        }
        if (status == HAUL_OK && result != HAUL_OK) {
            *error = one;
            status = result;
        }
    }
    return status;
}

static bool was_told(const struct source_earlier *earlier, const uint8_t job[HAUL_JOB_BYTES])
{
    bool told = false;
    for (size_t i = 0; i < earlier->told_count && !told; i++) {
        told = memcmp(earlier->told + i * HAUL_JOB_BYTES, job, HAUL_JOB_BYTES) == 0;
    }
    return told;
}

void source_earlier_is_owned(struct source_earlier *earlier, const uint8_t job[HAUL_JOB_BYTES],
                             const char *identity)
{
    struct haul_error error = {.status = HAUL_OK};
    struct journal *journal = NULL;
    if (!was_told(earlier, job)) {
        return;
    }
    enum haul_status status = source_earlier_take(earlier, job, &journal, &error);
    bool theirs = status == HAUL_OK && job_journal_is_bound_to(journal, identity) &&
                  journal_state(journal)->outcome != JOURNAL_COMMIT;
    if (theirs) {
        status = source_earlier_mark_owned(journal, false, &error);
    }
    if (status != HAUL_OK && status != HAUL_NOT_FOUND) {
        log_stays(earlier, &error);
    }
    journal_close(journal);
}
