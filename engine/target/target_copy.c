/* SPDX-License-Identifier: Apache-2.0 */
/* target_copy.c — links, appliers and their figures. */
#include "target_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "digest_ledger.h"
#include "family_results.h"
#include "haul_folder.h"
#include "planted_bug.h"
#include "space_limit.h"
#include "target_plan.h"

enum {
    JOB_TEXT_BYTES = 2 * HAUL_JOB_BYTES + 1,
    PROGRESS_INTERVAL_MS = 50,
};

void target_copy_init(struct target_copy *copy, const struct haul_target_options *target,
                      const struct target_journal *journal, struct poll_group *group,
                      const struct link_config *config)
{
    memset(copy, 0, sizeof(*copy));
    copy->target = target;
    copy->journal = journal;
    copy->group = group;
    copy->jobs = 1;
    copy->applier_count = target->applier_count;
    receiver_links_init(&copy->links, group, config, target->log);
}

void target_copy_fini(struct target_copy *copy)
{
    if (target_copy_stop(copy)) {
        target_copy_join(copy);
    }
    target_copy_stopped(copy);
    receiver_links_fini(&copy->links);
    position_queue_fini(&copy->positions);
    free(copy->recorded);
}

static uint32_t share_of(uint32_t total, uint32_t jobs)
{
    return total / jobs > 0 ? total / jobs : 1;
}

void target_copy_share(struct target_copy *copy, uint32_t jobs)
{
    copy->jobs = jobs;
    copy->applier_count = share_of(copy->target->applier_count, jobs);
    copy->links.config.options.slot_count = share_of(copy->target->link.slot_count, jobs);
}

/* The journal has the stream up to `digest`. */
static void note_recorded(struct target_copy *copy, uint32_t stream, const struct digest *digest)
{
    if (copy->recorded != NULL && stream < copy->journal->plan.stream_count) {
        struct digest *before = &copy->recorded[stream];
        copy->durable_records += digest->count - before->count;
        copy->durable_bytes += digest->bytes - before->bytes;
        *before = *digest;
    }
}

void target_copy_count_finished(struct target_copy *copy)
{
    const struct plan *plan = &copy->journal->plan;
    free(copy->recorded);
    copy->recorded = calloc(plan->stream_count, sizeof(*copy->recorded));
    for (uint32_t i = 0; copy->journal->positions != NULL && i < plan->stream_count; i++) {
        note_recorded(copy, i, &copy->journal->positions[i].digest);
    }
    for (size_t i = 0; i < plan->stream_count; i++) {
        bool metadata = plan->families[plan->streams[i].family].metadata;
        bool finished = copy->journal->positions != NULL && copy->journal->positions[i].finished;
        copy->metadata_streams += metadata;
        copy->recorded_streams += finished;
        copy->finished_metadata_streams += finished && metadata;
        copy->bytes_expected += plan->streams[i].bytes;
    }
    copy->delta_batches = copy->journal->delta_next_batch;
    copy->progress_due = true;
}

enum haul_status target_copy_start(struct target_copy *copy, const uint8_t job[HAUL_JOB_BYTES],
                                   const struct block_key *key, uint64_t now_ns,
                                   struct haul_error *error)
{
    const struct haul_target_options *target = copy->target;
    const struct target_journal *journal = copy->journal;
    const struct haul_link_options *link = &copy->links.config.options;
    char text[JOB_TEXT_BYTES];
    for (size_t i = 0; i < HAUL_JOB_BYTES; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", job[i]);
    }
    struct applier_options options = {
        .store = target->store,
        .plan = &journal->plan,
        .lane = journal->lane,
        .thread_count = copy->applier_count,
        .slot_size_bytes = link->slot_size_bytes,
        .block_count_max = link->slot_count * RECEIVER_LINK_COUNT_MAX,
        .table_size_bytes = target->table_size_bytes,
        .ledger_bytes_max = DIGEST_LEDGER_MEMORY_BYTES_DEFAULT / copy->jobs,
        .staging_directory = journal->staging,
        .job = text,
        .positions = journal->positions,
        .base_digests = journal->base_digests,
        .delta_next_batch = journal->delta_next_batch,
        .log = target->log,
        .hooks = &target->hooks,
        .key = *key,
    };
    copy->links.config.sealed = block_key_seals(key);
    enum haul_status status = applier_create(&options, &copy->applier, error);
    if (status == HAUL_OK) {
        status = poll_group_add_fd(copy->group, applier_fd(copy->applier));
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (!journal->resumed) {
        target_plan_forget_tables(target->store, &journal->plan);
    }
    copy->started = true;
    copy->started_sequence = journal->checked_sequence;
    copy->started_ns = now_ns;
    return HAUL_OK;
}

bool target_copy_stop(struct target_copy *copy)
{
    bool stops = copy->applier != NULL;
    copy->started = false;
    if (stops) {
        poll_group_remove_fd(copy->group, applier_fd(copy->applier));
        applier_stop(copy->applier);
        copy->stopping = copy->applier;
        copy->applier = NULL;
    } else if (copy->stopping == NULL) {
        receiver_links_close(&copy->links);
    }
    return stops;
}

void target_copy_join(struct target_copy *copy)
{
    applier_destroy(copy->stopping);
}

void target_copy_stopped(struct target_copy *copy)
{
    copy->stopping = NULL;
    receiver_links_forget_lent(&copy->links); /* not earlier: appliers read lent blocks */
    receiver_links_close(&copy->links);
}

void target_copy_flush(struct target_copy *copy)
{
    copy->flushes_missing = applier_thread_count(copy->applier);
    applier_flush(copy->applier);
}

/* --- news ------------------------------------------------------------------------------------- */

static enum target_copy_news on_applied(struct target_copy *copy, const struct applier_note *note)
{
    receiver_links_on_applied(&copy->links, note->link);
    copy->records += note->records;
    copy->bytes += note->bytes;
    copy->progress_due = true;
    if (note->stream == PLAN_DELTA_STREAM) {
        copy->delta_batches++;
        if (receiver_links_unapplied(&copy->links) == 0) {
            target_copy_hurry_progress(copy); /* the source waits for this before it freezes */
        }
        return TARGET_COPY_DELTA;
    }
    if (note->stream_finished) {
        const struct plan *plan = &copy->journal->plan;
        copy->finished_metadata_streams +=
            plan->families[plan->streams[note->stream].family].metadata;
        target_copy_hurry_progress(copy);
    }
    return TARGET_COPY_WORKED;
}

static enum target_copy_news on_durable(struct target_copy *copy, const struct applier_note *note,
                                        struct haul_error *error)
{
    if (position_queue_add(&copy->positions, note->positions, note->position_count) != HAUL_OK) {
        haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for positions");
        return TARGET_COPY_FAILED;
    }
    return TARGET_COPY_DURABLE;
}

static enum target_copy_news on_flushed(struct target_copy *copy)
{
    haul_assert(copy->flushes_missing > 0);
    return --copy->flushes_missing > 0 ? TARGET_COPY_WORKED : TARGET_COPY_FLUSHED;
}

enum target_copy_news target_copy_next(struct target_copy *copy, struct haul_error *error)
{
    struct applier_note note;
    if (copy->applier == NULL || applier_note(copy->applier, &note) != HAUL_OK) {
        return TARGET_COPY_NOTHING;
    }
    copy->moves++;
    switch (note.type) {
    case APPLIER_FREED:
        receiver_links_on_freed(&copy->links, note.link, note.block);
        return TARGET_COPY_WORKED;
    case APPLIER_APPLIED:
        return on_applied(copy, &note);
    case APPLIER_DURABLE:
        return on_durable(copy, &note, error);
    case APPLIER_FLUSHED:
        return on_flushed(copy);
    case APPLIER_FAILED:
        *error = note.error;
        haul_place_explain(copy->target->store, error);
        return TARGET_COPY_FAILED;
    }
    return TARGET_COPY_NOTHING;
}

static uint64_t now_ns(const struct target_copy *copy)
{
    const struct haul_clock *clock = copy->links.config.clock;
    return clock_now_ns(clock == NULL ? &clock_monotonic : clock);
}

bool target_copy_is_violation(const struct haul_error *failed)
{
    return failed->status == HAUL_PROTOCOL || failed->status == HAUL_FENCED ||
           failed->status == HAUL_VERSION;
}

bool target_copy_poll_links(struct target_copy *copy, struct haul_error *failed)
{
    if (copy->starves_since_ns != 0) {
        copy->starved_ns += now_ns(copy) - copy->starves_since_ns;
    }
    bool any = receiver_links_poll(&copy->links, copy->started ? copy->applier : NULL, failed);
    if (target_copy_is_violation(failed) && copy->links.config.sealed) {
        failed->status = HAUL_CORRUPT; /* headers have no tag: somebody on the path did it */
    }
    bool starves = copy->started && !any && receiver_links_unapplied(&copy->links) == 0;
    copy->starves_since_ns = starves ? now_ns(copy) : 0;
    return any;
}

/* --- digests ---------------------------------------------------------------------------------- */

bool target_copy_is_quiet(const struct target_copy *copy, const haul_control_Prepare *prepare)
{
    return copy->delta_batches == prepare->delta_batches &&
           receiver_links_unapplied(&copy->links) == 0;
}

/* How many records have others written to the store meanwhile? If any, the accumulated digests may
 * be wrong, unless the embedder keeps others off the ranges. */
static uint64_t foreign_writes(const struct target_copy *copy)
{
    struct haul_store *store = copy->target->store;
    uint64_t taken = store->ops->sequence(store) - copy->started_sequence;
    uint64_t ours = applier_written_records(copy->applier);
    return copy->target->hooks.reserve == NULL ? taken - ours : 0;
}

static bool has_foreign_writes(const struct target_copy *copy)
{
    uint64_t foreign = foreign_writes(copy);
    if (foreign > 0) {
        haul_log(copy->target->log, HAUL_LOG_INFO,
                 "others write to this database (%" PRIu64 " records): the range is scanned",
                 foreign);
    }
    return foreign > 0;
}

void target_copy_leave(const struct target_copy *copy, struct target_left *left)
{
    struct haul_store *store = copy->target->store;
    left->sequence = store->ops->sequence(store);
    left->known = foreign_writes(copy) == 0;
    memcpy(left->job, copy->journal->job, HAUL_JOB_BYTES);
}

static bool has_tables(const struct target_copy *copy)
{
    const struct apply_lane_ops *lane = apply_lane_table(copy->journal->lane);
    return lane != NULL && lane->stages_files && copy->target->store->ops->tables_check != NULL;
}

bool target_copy_take_digests(struct target_copy *copy, const haul_control_Prepare *prepare)
{
    bool read_back =
        (copy->target->read_back || prepare->read_back) && !HAUL_PLANTED_BUG(READ_BACK_SKIPPED);
    bool complete = !has_tables(copy);
    bool foreign = has_foreign_writes(copy);
    for (uint32_t i = 0; i < copy->journal->plan.family_count; i++) {
        copy->scan_wanted[i] =
            read_back || foreign ||
            applier_family_digest(copy->applier, i, &copy->digests[i]) != HAUL_OK;
        complete = complete && !copy->scan_wanted[i];
    }
    return complete;
}

/* Digests counted on arrival are valid for tables as long as these are live. */
static enum haul_status check_tables(struct target_copy *copy, uint32_t family,
                                     struct haul_error *error)
{
    const struct plan *plan = &copy->journal->plan;
    bool sure = true;
    enum haul_status status = target_plan_tables(copy->target->store, plan, family, &sure, error);
    if (status == HAUL_OK && !sure) {
        haul_log(copy->target->log, HAUL_LOG_INFO,
                 "column family '%s': ingested tables have changed: the range is scanned",
                 plan->families[family].family.name);
        copy->scan_wanted[family] = true;
    }
    return status;
}

enum haul_status target_copy_scan_digests(struct target_copy *copy, struct haul_error *error)
{
    const struct plan *plan = &copy->journal->plan;
    enum haul_status status = HAUL_OK;
    for (uint32_t i = 0; i < plan->family_count && status == HAUL_OK; i++) {
        if (!copy->scan_wanted[i] && has_tables(copy)) {
            status = check_tables(copy, i, error);
        }
        if (status == HAUL_OK && copy->scan_wanted[i]) {
            status = target_plan_digest(copy->target->store, plan, i, &copy->digests[i],
                                        copy->journal->steps, error);
        }
    }
    return status;
}

/* --- space ------------------------------------------------------------------------------------ */

/* What is still to come of the copy. An earlier attempt may have brought a part of it. */
static void lower_claim(const struct target_copy *copy)
{
    uint64_t arrived = copy->bytes > copy->durable_bytes ? copy->bytes : copy->durable_bytes;
    bool over = copy->recorded_streams == copy->journal->plan.stream_count ||
                arrived > copy->bytes_expected;
    space_claim_set(&copy->journal->claim, over ? 0 : copy->bytes_expected - arrived);
}

enum haul_status target_copy_check_space(struct target_copy *copy, uint64_t now_ns,
                                         struct haul_error *error)
{
    enum { INTERVAL_MS = 250, INTERVAL_BYTES = 8 << 20 };
    if (now_ns < copy->space_due_ns && copy->bytes < copy->space_due_bytes) {
        return HAUL_OK;
    }
    copy->space_due_ns = now_ns + (uint64_t)INTERVAL_MS * NS_PER_MS;
    copy->space_due_bytes = copy->bytes + INTERVAL_BYTES;
    lower_claim(copy);
    return space_limit_check(copy->target->store, copy->target->keep_free_bytes, error);
}

/* --- progress --------------------------------------------------------------------------------- */

uint64_t target_copy_progress_ns(const struct target_copy *copy)
{
    return copy->progress_due && copy->started
               ? copy->progress_sent_ns + (uint64_t)PROGRESS_INTERVAL_MS * NS_PER_MS
               : CLOCK_NEVER;
}

void target_copy_recorded(struct target_copy *copy)
{
    copy->recorded_streams += position_queue_taken_finished(&copy->positions);
    for (size_t i = 0; i < copy->positions.taken_count; i++) {
        note_recorded(copy, copy->positions.taken[i].stream, &copy->positions.taken[i].digest);
    }
    position_queue_done(&copy->positions);
    target_copy_hurry_progress(copy); /* the source may be waiting for this */
}

void target_copy_hurry_progress(struct target_copy *copy)
{
    copy->progress_due = true;
    copy->progress_sent_ns = 0;
}

bool target_copy_progress(struct target_copy *copy, uint64_t now_ns, struct message *message)
{
    if (now_ns < target_copy_progress_ns(copy)) {
        return false;
    }
    message_init(message, MESSAGE_PROGRESS);
    message->as.progress = (haul_control_Progress){
        .applied_records = copy->records,
        .applied_bytes = copy->bytes,
        /* Deltas come after it: a resume must know that all streams were complete before them. */
        .snapshot_complete = copy->recorded_streams == copy->journal->plan.stream_count,
        .metadata_complete = copy->finished_metadata_streams == copy->metadata_streams,
        .delta_applied_batches = copy->delta_batches,
        .durable_records = copy->durable_records,
        .durable_bytes = copy->durable_bytes,
        .starved_us = copy->starved_ns / NS_PER_US,
        .elapsed_us = (now_ns - copy->started_ns) / NS_PER_US,
    };
    copy->progress_due = false;
    copy->progress_sent_ns = now_ns;
    return true;
}

uint64_t target_copy_activity(const struct target_copy *copy, bool *idle)
{
    struct haul_link_stats stats;
    receiver_links_stats(&copy->links, &stats);
    *idle = receiver_links_unapplied(&copy->links) == 0;
    return copy->moves + stats.bytes_received;
}

/* --- result ----------------------------------------------------------------------------------- */

uint64_t target_copy_crc_errors(const struct target_copy *copy)
{
    return copy->applier == NULL ? 0 : applier_crc_errors(copy->applier);
}

void target_copy_result(const struct target_copy *copy, struct haul_result *result)
{
    const struct plan *plan = &copy->journal->plan;
    receiver_links_stats(&copy->links, &result->link);
    result->resumed = copy->journal->resumed;
    result->lane = copy->journal->lane;
    result->old_version = plan->old_version;
    result->new_version = plan->new_version;
    const struct digest total = family_results_fill(result, plan, copy->digests);
    bool copied = copy->started_ns > 0; /* otherwise an earlier process has */
    if (result->status == HAUL_OK) {    /* same definition as the source's */
        result->progress.records = copied ? total.count : copy->journal->owned.count;
        result->progress.bytes = copied ? total.bytes : copy->journal->owned.bytes;
    }
}

void target_copy_figures(const struct target_copy *copy, uint64_t now_ns,
                         struct haul_progress *progress)
{
    struct haul_link_stats stats;
    receiver_links_stats(&copy->links, &stats);
    *progress = (struct haul_progress){
        .transport = copy->links.transport,
        .records = copy->records,
        .bytes = copy->bytes,
        .wire_bytes = stats.bytes_received,
        .bytes_expected = copy->bytes_expected,
        .durable_records = copy->durable_records,
        .durable_bytes = copy->durable_bytes,
    };
    if (copy->started_ns > 0) {
        progress->seconds = (double)(now_ns - copy->started_ns) / (double)NS_PER_S;
    }
}
