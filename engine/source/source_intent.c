/* SPDX-License-Identifier: Apache-2.0 */
/* source_intent.c — options, view, plan and records of a source. */
#include "source_intent.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_version.h"
#include "incoming_jobs.h"
#include "instance.h"
#include "link.h"
#include "migration_thread.h"
#include "plan_sample.h"
#include "planted_bug.h"
#include "reader_pool.h"
#include "sender_links.h"
#include "sized_options.h"
#include "source_left_over.h"
#include "wire_mode.h"

enum {
    LINK_COUNT_AUTO_MAX = 4,
    /* Approximate size of a sub-range: one reader each, and a few files each on the target. */
    STREAM_BYTES = 256 << 20,
};

/* --- options ---------------------------------------------------------------------------------- */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static enum haul_status resolve_options(struct source_intent *intent, struct haul_error *error)
{
    struct haul_source_options *options = &intent->options;
    struct haul_link_options *link = &options->link;
    intent->chooses_window = link->slot_count == 0 && options->batch_size_bytes_min == 0 &&
                             options->batch_size_bytes_max == 0;
    link->slot_count = (uint32_t)or_default(link->slot_count, HAUL_SLOT_COUNT_DEFAULT);
    link->slot_size_bytes =
        (uint32_t)or_default(link->slot_size_bytes, HAUL_SLOT_SIZE_BYTES_DEFAULT);
    link->peer_timeout_ms =
        (uint32_t)or_default(link->peer_timeout_ms, HAUL_PEER_TIMEOUT_MS_DEFAULT);
    intent->chooses_links = options->link_count == 0;
    intent->chooses_readers = options->reader_count == 0;
    options->link_count = (uint32_t)or_default(options->link_count, LINK_COUNT_AUTO_MAX);
    options->reader_count = (uint32_t)or_default(options->reader_count, 1);
    options->freeze_max_ms =
        (uint32_t)or_default(options->freeze_max_ms, HAUL_FREEZE_MAX_MS_DEFAULT);
    options->retry_max_ms = (uint32_t)or_default(options->retry_max_ms, HAUL_RETRY_MAX_MS_DEFAULT);
    options->lag_bytes_max = or_default(options->lag_bytes_max, HAUL_LAG_BYTES_MAX_DEFAULT);
    options->batch_size_bytes_min =
        (uint32_t)or_default(options->batch_size_bytes_min, HAUL_BATCH_SIZE_BYTES_MIN_DEFAULT);
    options->batch_size_bytes_max =
        (uint32_t)or_default(options->batch_size_bytes_max, HAUL_BATCH_SIZE_BYTES_MAX_DEFAULT);
    if (options->link_count > HAUL_LINK_COUNT_MAX ||
        options->reader_count > HAUL_READER_COUNT_MAX ||
        options->batch_size_bytes_min < HAUL_BATCH_SIZE_BYTES_MIN ||
        options->batch_size_bytes_min > options->batch_size_bytes_max) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "at most %d links and %d readers, and batch sizes %d <= min <= max",
                              HAUL_LINK_COUNT_MAX, HAUL_READER_COUNT_MAX,
                              HAUL_BATCH_SIZE_BYTES_MIN);
    }
    if (options->secret.size > HAUL_SECRET_BYTES_MAX) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "a secret has at most %d bytes",
                              HAUL_SECRET_BYTES_MAX);
    }
    struct link_config checked;
    enum haul_status status =
        link_config_resolve(&(struct link_config){.options = *link}, &checked, error);
    if (status == HAUL_OK) {
        status = link_addresses_parse(options->to, &intent->addresses, error);
    }
    if (status == HAUL_OK) {
        status = wire_mode_resolve(options->keys != NULL, &options->wire, error);
    }
    return status == HAUL_OK && options->keys == NULL && !options->insecure
               ? link_addresses_check_loopback(&intent->addresses, options->to, error)
               : status;
}

enum haul_status source_intent_init(struct source_intent *intent,
                                    const struct haul_source_options *options,
                                    struct haul_error *error)
{
    enum haul_status status =
        sized_options_take(&intent->options, sizeof(intent->options),
                           SIZED_OPTIONS_END(struct haul_source_options, log), options, error);
    source_journal_init(&intent->journal, &intent->options);
    return status == HAUL_OK ? resolve_options(intent, error) : status;
}

void source_intent_fini(struct source_intent *intent)
{
    struct haul_store *store = intent->options.store;
    source_journal_fini(&intent->journal);
    if (intent->snapshot != NULL) {
        store->ops->snapshot_close(store, intent->snapshot);
    }
    if (intent->wal_pinned) {
        store->ops->wal_unpin(store);
    }
    plan_fini(&intent->plan);
    source_request_fini(&intent->request);
    memset(intent, 0, sizeof(*intent));
}

/* --- beginning -------------------------------------------------------------------------------- */

/* Take the view to be copied, and make the plan over it. */
static enum haul_status take_view(struct source_intent *intent, struct haul_error *error)
{
    struct haul_store *store = intent->options.store;
    enum haul_status status = HAUL_OK;
    if ((store->ops->features(store) & HAUL_STORE_WAL) != 0) {
        status = store->ops->wal_pin(store, error);
        intent->wal_pinned = status == HAUL_OK;
    }
    if (status == HAUL_OK) {
        /* A crash must not lose what is copied, because then the job could not continue. */
        status = store->ops->sync(store, error);
    }
    if (status == HAUL_OK && store->ops->foreign_ingests != NULL) {
        intent->foreign_ingests = store->ops->foreign_ingests(store);
    }
    if (status == HAUL_OK) {
        status =
            store->ops->snapshot_open(store, &intent->snapshot, &intent->snapshot_sequence, error);
    }
    if (status == HAUL_OK) {
        struct haul_source_options request = intent->options;
        request.reader_count = intent->chooses_readers ? 0 : request.reader_count;
        status = plan_make(&intent->plan, store, &request, STREAM_BYTES, error);
    }
    if (status == HAUL_OK) {
        status = plan_sample(&intent->plan, store, intent->snapshot, error);
    }
    for (size_t i = 0; status == HAUL_OK && i < intent->plan.stream_count; i++) {
        intent->bytes_expected += intent->plan.streams[i].bytes;
    }
    return status;
}

static enum haul_status read_version(struct source_intent *intent, struct haul_error *error)
{
    const struct haul_source_options *options = &intent->options;
    struct version_claim version = {.version = 0};
    enum haul_status status = config_version_get(options->store, &options->hooks, &version, error);
    intent->journal.recorded_version = version.version;
    if (options->keep_versions) {
        version = (struct version_claim){.version = options->config_version, .authoritative = true};
    }
    intent->version = version;
    intent->journal.version_is_given = version.authoritative;
    intent->plan.old_version = version.version;
    intent->plan.new_version = version.version + 1; /* agreed on when the target has answered */
    return status;
}

static enum haul_status begin_job(struct source_intent *intent, struct haul_error *error)
{
    struct source_journal *journal = &intent->journal;
    uint8_t digest_key[DIGEST_KEY_BYTES];
    if (migration_random(journal->job, HAUL_JOB_BYTES) != HAUL_OK ||
        migration_random(digest_key, sizeof(digest_key)) != HAUL_OK) {
        return haul_error_set(error, HAUL_IO, "getrandom", 0, "no random number for the job");
    }
    digest_key_init(&intent->plan.digest_key, digest_key);
    return source_journal_begin(journal, &intent->plan, intent->snapshot_sequence, error);
}

/* A job that has just begun has promised nothing to anybody. */
static enum haul_status check_appeared(struct source_intent *intent, bool begins,
                                       struct haul_error *error)
{
    struct source_journal *journal = &intent->journal;
    enum haul_status status =
        source_earlier_check_appeared(&journal->earlier, journal->job, &intent->plan, error);
    if (status != HAUL_OK && begins) {
        struct haul_error ignored; /* a journal that stays is of a job that can be cancelled */
        (void)!source_earlier_drop(journal->file, status, error->text, &ignored);
        journal->file = NULL;
    }
    return status;
}

static enum haul_status begin_or_continue(struct source_intent *intent, struct haul_error *error)
{
    enum haul_status status = source_left_over_continue(
        &intent->journal, &intent->plan, intent->snapshot_sequence, &intent->log_sequence, error);
    bool begins = status == HAUL_NOT_FOUND;
    if (begins) {
        intent->log_sequence = intent->snapshot_sequence;
        status = begin_job(intent, error);
    }
    return status == HAUL_OK ? check_appeared(intent, begins, error) : status;
}

/* Take over the families and ranges of the earlier attempt. */
static enum haul_status take_request(struct source_intent *intent, struct haul_error *error)
{
    struct plan plan = {.family_count = 0};
    enum haul_status status = source_left_over_plan(&intent->journal, &plan, error);
    intent->left_version = plan.old_version;
    return status == HAUL_OK
               ? source_request_apply(&intent->request, &plan, &intent->options, error)
               : status;
}

/* haul's own counter never goes back: the job was begun with a version that nobody gives now. */
static enum haul_status check_given(const struct source_intent *intent, struct haul_error *error)
{
    if (intent->version.authoritative || intent->left_version <= intent->plan.old_version) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_VERSION, NULL, 0,
                   "the job was begun at config version %" PRIu64
                   ", which was given, and none is given now",
                   intent->left_version);
    haul_error_hint(error,
                    "give it again (`--config-version`), on both sides; or begin a new job with "
                    "`haul send`");
    return HAUL_VERSION;
}

/* We do not know which ranges an embedder still owns. Its version shows whether anything has
 * changed since it started this job. */
static enum haul_status check_resumed(const struct source_intent *intent, struct haul_error *error)
{
    if (intent->options.resume && intent->options.hooks.version_get == NULL) {
        return check_given(intent, error);
    }
    if (!intent->options.resume || intent->options.hooks.version_get == NULL ||
        intent->left_version == intent->plan.old_version) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_VERSION, NULL, 0,
                   "the job began at config version %" PRIu64
                   ", but the present version is %" PRIu64,
                   intent->left_version, intent->plan.old_version);
    haul_error_hint(error,
                    "its ranges may have moved: begin a new job for those that this database "
                    "still owns, or cancel this one");
    return HAUL_VERSION;
}

/* Checks the record, and the jobs that are bringing ranges here: even an embedder's own register
 * does not contain those. */
static enum haul_status check_owned(const struct source_intent *intent, struct haul_error *error)
{
    const struct haul_source_options *options = &intent->options;
    enum haul_status status = incoming_jobs_check(options->store, &intent->plan, error);
    return status == HAUL_OK
               ? config_version_check(options->store, &options->hooks, &intent->plan, error)
               : status;
}

/* Checks the other jobs that this database gives its ranges by. */
static enum haul_status check_others(const struct source_intent *intent, struct haul_error *error)
{
    const struct source_earlier *earlier = &intent->journal.earlier;
    enum haul_status status = source_earlier_check_running(earlier, &intent->plan, error);
    return status == HAUL_OK ? source_earlier_check_decided(earlier, &intent->plan, error) : status;
}

/* Determine our identity before anything is promised or reported. */
static enum haul_status take_name(struct source_intent *intent, struct haul_error *error)
{
    enum haul_status status = instance_begin(intent->options.store, intent->identity, error);
    memcpy(intent->journal.name, intent->identity, sizeof(intent->journal.name));
    return status;
}

static enum haul_status begin_resolving(struct source_intent *intent, struct haul_error *error)
{
    enum haul_status status = source_journal_adopt(&intent->journal, &intent->plan, error);
    return status == HAUL_OK ? take_name(intent, error) : status;
}

/* A family of the earlier job is gone: that job can never continue. */
static void hint_dropped(const struct source_intent *intent, enum haul_status status,
                         struct haul_error *error)
{
    if (status == HAUL_NOT_FOUND && intent->options.resume) {
        haul_error_hint(error,
                        "it was dropped since the job began: begin again with `haul send` of "
                        "those that exist, or give the job up with `haul cancel --db DIR`");
    }
}

enum haul_status source_intent_begin(struct source_intent *intent, struct haul_error *error)
{
    enum haul_status status = instance_check_store(intent->options.store, error);
    if (status != HAUL_OK || intent->options.resolve) {
        return status == HAUL_OK ? begin_resolving(intent, error) : status;
    }
    status = source_journal_find(&intent->journal, error);
    if (status == HAUL_OK && intent->options.resume) {
        status = take_request(intent, error);
    }
    if (status == HAUL_OK) {
        status = take_view(intent, error);
        hint_dropped(intent, status, error);
    }
    if (status == HAUL_OK) {
        status = read_version(intent, error);
    }
    if (status == HAUL_OK) {
        status = check_resumed(intent, error);
    }
    if (status == HAUL_OK) {
        status = check_others(intent, error);
    }
    if (status == HAUL_OK) {
        status = check_owned(intent, error);
    }
    if (status == HAUL_OK) {
        status = take_name(intent, error);
    }
    if (status == HAUL_OK) {
        status = begin_or_continue(intent, error);
    }
    if (status == HAUL_OK) {
        source_earlier_leave_apart(&intent->journal.earlier, &intent->plan);
    }
    return status;
}

enum haul_status source_intent_check_again(const struct source_intent *intent,
                                           struct haul_error *error)
{
    const struct journal *journal = intent->journal.file;
    bool decided = journal == NULL || journal_state(journal)->outcome == JOURNAL_COMMIT;
    enum haul_status status = intent->options.resolve || decided || HAUL_PLANTED_BUG(OWNED_AT_FIRST)
                                  ? HAUL_OK
                                  : check_owned(intent, error);
    if (status == HAUL_MISMATCH) { /* a mismatch would mean the wrong target */
        status = HAUL_FENCED;
        error->status = status;
    }
    return status;
}

enum haul_status source_intent_yield(struct source_intent *intent,
                                     const struct version_claim *theirs, struct haul_error *error)
{
    /* A register outside haul counts the hand-over itself; haul's own counter must exceed the
     * target's. */
    enum haul_status status = intent->options.resolve ? read_version(intent, error) : HAUL_OK;
    bool counts = !intent->version.authoritative && !theirs->authoritative;
    if (status == HAUL_OK && counts) {
        status = version_claim_check_theirs(&intent->version, theirs, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    uint64_t next =
        counts ? version_claim_next(&intent->version, theirs) : intent->plan.old_version + 1;
    return intent->journal.only_tells
               ? source_journal_yield_left(&intent->journal, next, error)
               : source_journal_yield(&intent->journal, &intent->plan, next, error);
}

enum haul_status source_intent_released(struct source_intent *intent, struct haul_error *error)
{
    enum haul_status status = source_journal_released(&intent->journal, error);
    instance_note(intent->options.store);
    return status;
}

enum haul_status haul_source_check(const struct haul_source_options *options,
                                   struct haul_error *error)
{
    struct source_intent intent = {.plan = {.family_count = 0}};
    enum haul_status status = source_intent_init(&intent, options, error);
    if (status == HAUL_OK) {
        status = instance_check_store(intent.options.store, error);
    }
    if (status == HAUL_OK) {
        status = source_journal_find(&intent.journal, error);
    }
    if (status == HAUL_OK) {
        status = plan_make(&intent.plan, intent.options.store, &intent.options, 0, error);
    }
    if (status == HAUL_OK) {
        status = plan_sample(&intent.plan, intent.options.store, NULL, error);
    }
    if (status == HAUL_OK) {
        status = check_others(&intent, error);
    }
    if (status == HAUL_OK) {
        status = check_owned(&intent, error);
    }
    source_intent_fini(&intent);
    return status;
}
