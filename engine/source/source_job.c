/* SPDX-License-Identifier: Apache-2.0 */
/* source_job.c — options, view, plan and records of a source. */
#include "source_job.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "incoming_jobs.h"
#include "instance.h"
#include "link.h"
#include "migration_thread.h"
#include "plan_sample.h"
#include "planted_bug.h"
#include "reader_pool.h"
#include "sender_links.h"
#include "version_record.h"

enum {
    LINK_COUNT_AUTO_MAX = 4,
    FREEZE_MAX_MS_DEFAULT = 500,
    RETRY_MAX_MS_DEFAULT = 30000,
    LAG_BYTES_MAX_DEFAULT = 1 << 20,
    /* Sub-ranges are about so large: a reader each, and a few files each on the target. */
    STREAM_BYTES = 256 << 20,
};

/* --- options ---------------------------------------------------------------------------------- */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value == 0 ? otherwise : value;
}

static enum haul_status resolve_options(struct source_job *job, struct haul_error *error)
{
    struct haul_source_options *options = &job->options;
    struct haul_link_options *link = &options->link;
    link->slot_count = (uint32_t)or_default(link->slot_count, HAUL_SLOT_COUNT_DEFAULT);
    link->slot_size_bytes =
        (uint32_t)or_default(link->slot_size_bytes, HAUL_SLOT_SIZE_BYTES_DEFAULT);
    link->peer_timeout_ms =
        (uint32_t)or_default(link->peer_timeout_ms, HAUL_PEER_TIMEOUT_MS_DEFAULT);
    job->chooses_links = options->link_count == 0;
    job->chooses_readers = options->reader_count == 0;
    options->link_count = (uint32_t)or_default(options->link_count, LINK_COUNT_AUTO_MAX);
    options->reader_count = (uint32_t)or_default(options->reader_count, 1);
    options->freeze_max_ms = (uint32_t)or_default(options->freeze_max_ms, FREEZE_MAX_MS_DEFAULT);
    options->retry_max_ms = (uint32_t)or_default(options->retry_max_ms, RETRY_MAX_MS_DEFAULT);
    options->lag_bytes_max = or_default(options->lag_bytes_max, LAG_BYTES_MAX_DEFAULT);
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
    return status == HAUL_OK ? link_addresses_parse(options->to, &job->addresses, error) : status;
}

enum haul_status source_job_init(struct source_job *job, const struct haul_source_options *options,
                                 struct haul_error *error)
{
    job->options = *options;
    source_record_init(&job->record, &job->options);
    return resolve_options(job, error);
}

void source_job_fini(struct source_job *job)
{
    struct haul_store *store = job->options.store;
    source_record_fini(&job->record);
    if (job->snapshot != NULL) {
        store->ops->snapshot_close(store, job->snapshot);
    }
    if (job->wal_pinned) {
        store->ops->wal_unpin(store);
    }
    plan_fini(&job->plan);
    source_request_fini(&job->request);
    memset(job, 0, sizeof(*job));
}

/* --- beginning -------------------------------------------------------------------------------- */

/* The view that is copied, and the plan over it. */
static enum haul_status take_view(struct source_job *job, struct haul_error *error)
{
    struct haul_store *store = job->options.store;
    enum haul_status status = HAUL_OK;
    if ((store->ops->features(store) & HAUL_STORE_WAL) != 0) {
        status = store->ops->wal_pin(store, error);
        job->wal_pinned = status == HAUL_OK;
    }
    if (status == HAUL_OK) {
        /* What is copied must not be lost by a crash: the job could not go on after it. */
        status = store->ops->sync(store, error);
    }
    if (status == HAUL_OK && store->ops->foreign_ingests != NULL) {
        job->foreign_ingests = store->ops->foreign_ingests(store);
    }
    if (status == HAUL_OK) {
        status = store->ops->snapshot_open(store, &job->snapshot, &job->snapshot_sequence, error);
    }
    if (status == HAUL_OK) {
        struct haul_source_options request = job->options;
        request.reader_count = job->chooses_readers ? 0 : request.reader_count;
        status = plan_make(&job->plan, store, &request, STREAM_BYTES, error);
    }
    if (status == HAUL_OK) {
        status = plan_sample(&job->plan, store, job->snapshot, error);
    }
    for (size_t i = 0; status == HAUL_OK && i < job->plan.stream_count; i++) {
        job->bytes_expected += job->plan.streams[i].bytes;
    }
    return status;
}

static enum haul_status read_version(struct source_job *job, struct haul_error *error)
{
    const struct haul_source_options *options = &job->options;
    struct version_claim version = {.version = 0};
    enum haul_status status = version_record_get(options->store, &options->hooks, &version, error);
    job->record.recorded_version = version.version;
    if (options->keep_versions) {
        version = (struct version_claim){.version = options->config_version, .authoritative = true};
    }
    job->version = version;
    job->record.version_is_given = version.authoritative;
    job->plan.old_version = version.version;
    job->plan.new_version = version.version + 1; /* agreed on when the target has answered */
    return status;
}

static enum haul_status begin_job(struct source_job *job, struct haul_error *error)
{
    struct source_record *record = &job->record;
    if (migration_random(record->job, HAUL_JOB_BYTES) != HAUL_OK) {
        return haul_error_set(error, HAUL_IO, "getrandom", 0, "no random number for the job");
    }
    return source_record_begin(record, &job->plan, job->snapshot_sequence, error);
}

static enum haul_status begin_or_continue(struct source_job *job, struct haul_error *error)
{
    enum haul_status status = source_record_continue(
        &job->record, &job->plan, job->snapshot_sequence, &job->log_sequence, error);
    if (status != HAUL_NOT_FOUND) {
        return status;
    }
    job->log_sequence = job->snapshot_sequence;
    return begin_job(job, error);
}

/* What is asked for is what the earlier process was asked for. */
static enum haul_status take_request(struct source_job *job, struct haul_error *error)
{
    struct plan plan = {.family_count = 0};
    enum haul_status status = source_record_left_plan(&job->record, &plan, error);
    job->left_version = plan.old_version;
    return status == HAUL_OK ? source_request_apply(&job->request, &plan, &job->options, error)
                             : status;
}

/* Of an embedder we do not know which ranges are still his; his version says whether anything has
 * changed since he asked for this one. */
static enum haul_status check_resumed(const struct source_job *job, struct haul_error *error)
{
    if (!job->options.resume || job->options.hooks.version_get == NULL ||
        job->left_version == job->plan.old_version) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_VERSION, NULL, 0,
                   "the job was begun at config version %" PRIu64 ", and this is version %" PRIu64,
                   job->left_version, job->plan.old_version);
    haul_error_hint(error, "its range may have moved meanwhile: begin a new job for what is still "
                           "this database's, or give this one up");
    return HAUL_VERSION;
}

/* By the record; also an embedder's own does not tell what comes here just now. */
static enum haul_status check_owned(const struct source_job *job, struct haul_error *error)
{
    const struct haul_source_options *options = &job->options;
    enum haul_status status = incoming_jobs_check(options->store, &job->plan, error);
    return status == HAUL_OK
               ? version_record_check(options->store, &options->hooks, &job->plan, error)
               : status;
}

/* Before anything is promised or told: who we are. */
static enum haul_status take_name(struct source_job *job, struct haul_error *error)
{
    enum haul_status status = instance_begin(job->options.store, job->identity, error);
    memcpy(job->record.name, job->identity, sizeof(job->record.name));
    return status;
}

static enum haul_status begin_resolving(struct source_job *job, struct haul_error *error)
{
    enum haul_status status = source_record_adopt(&job->record, &job->plan, error);
    return status == HAUL_OK ? take_name(job, error) : status;
}

/* A family that the left job was begun with is gone: it never goes on. */
static void hint_dropped(const struct source_job *job, enum haul_status status,
                         struct haul_error *error)
{
    if (status == HAUL_NOT_FOUND && job->options.resume) {
        haul_error_hint(error, "it was dropped since the job began: `haul send` of what is there "
                               "begins anew, or `haul cancel --db DIR` gives the job up");
    }
}

enum haul_status source_job_begin(struct source_job *job, struct haul_error *error)
{
    enum haul_status status = instance_check_store(job->options.store, error);
    if (status != HAUL_OK || job->options.resolve) {
        return status == HAUL_OK ? begin_resolving(job, error) : status;
    }
    status = source_record_find(&job->record, error);
    if (status == HAUL_OK && job->options.resume) {
        status = take_request(job, error);
    }
    if (status == HAUL_OK) {
        status = take_view(job, error);
        hint_dropped(job, status, error);
    }
    if (status == HAUL_OK) {
        status = read_version(job, error);
    }
    if (status == HAUL_OK) {
        status = check_resumed(job, error);
    }
    if (status == HAUL_OK) {
        status = source_earlier_check_decided(&job->record.earlier, &job->plan, error);
    }
    if (status == HAUL_OK) {
        status = check_owned(job, error);
    }
    if (status == HAUL_OK) {
        status = take_name(job, error);
    }
    return status == HAUL_OK ? begin_or_continue(job, error) : status;
}

enum haul_status source_job_check_again(const struct source_job *job, struct haul_error *error)
{
    const struct journal *journal = job->record.journal;
    bool decided = journal == NULL || journal_state(journal)->outcome == JOURNAL_COMMIT;
    enum haul_status status = job->options.resolve || decided || HAUL_PLANTED_BUG(OWNED_AT_FIRST)
                                  ? HAUL_OK
                                  : check_owned(job, error);
    if (status == HAUL_MISMATCH) { /* which would name another target */
        status = HAUL_FENCED;
        error->status = status;
    }
    return status;
}

enum haul_status source_job_yield(struct source_job *job, const struct version_claim *theirs,
                                  struct haul_error *error)
{
    /* A register outside haul counts the hand-over itself; a counter has to pass the target's. */
    enum haul_status status = job->options.resolve ? read_version(job, error) : HAUL_OK;
    bool counts = !job->version.authoritative && !theirs->authoritative;
    if (status == HAUL_OK && counts) {
        status = version_claim_check_theirs(&job->version, theirs, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    uint64_t next = counts ? version_claim_next(&job->version, theirs) : job->plan.old_version + 1;
    return job->record.only_tells ? source_record_yield_left(&job->record, next, error)
                                  : source_record_yield(&job->record, &job->plan, next, error);
}

enum haul_status source_job_released(struct source_job *job, struct haul_error *error)
{
    enum haul_status status = source_record_released(&job->record, error);
    instance_note(job->options.store);
    return status;
}

enum haul_status haul_source_check(const struct haul_source_options *options,
                                   struct haul_error *error)
{
    struct source_job job = {.plan = {.family_count = 0}};
    enum haul_status status = source_job_init(&job, options, error);
    if (status == HAUL_OK) {
        status = instance_check_store(options->store, error);
    }
    if (status == HAUL_OK) {
        status = source_record_find(&job.record, error);
    }
    if (status == HAUL_OK) {
        status = plan_make(&job.plan, options->store, &job.options, 0, error);
    }
    if (status == HAUL_OK) {
        status = plan_sample(&job.plan, options->store, NULL, error);
    }
    if (status == HAUL_OK) {
        status = source_earlier_check_decided(&job.record.earlier, &job.plan, error);
    }
    if (status == HAUL_OK) {
        status = check_owned(&job, error);
    }
    source_job_fini(&job);
    return status;
}
