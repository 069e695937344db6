/* SPDX-License-Identifier: Apache-2.0 */
/* target_arrived.c — positions of the journal against records of the store. */
#include "target_arrived.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_journal.h"
#include "planted_bug.h"
#include "target_plan.h"
#include "target_record.h"

/* Positions of the journal, in the plan's order. */
static enum haul_status read_positions(struct target_record *record, bool *complete,
                                       struct haul_error *error)
{
    record->positions = calloc(record->plan.stream_count, sizeof(*record->positions));
    if (record->positions == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for positions");
    }
    *complete = true;
    for (size_t i = 0; i < record->plan.stream_count; i++) {
        struct stream_position *to = &record->positions[i];
        const struct journal_position *from =
            journal_state_position(journal_state(record->journal), (uint32_t)i);
        to->stream = (uint32_t)i;
        *complete = *complete && from != NULL && from->finished;
        if (from == NULL) {
            continue;
        }
        to->next_batch = from->next_batch;
        to->finished = from->finished;
        to->digest = from->digest;
        if (from->last_key.size > 0) {
            to->last_key = malloc(from->last_key.size);
            if (to->last_key == NULL) {
                return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0,
                                      "no memory for positions");
            }
            memcpy(to->last_key, from->last_key.data, from->last_key.size);
            to->last_key_size = from->last_key.size;
        }
    }
    return HAUL_OK;
}

/* Deltas may have been applied already: what was accumulated does not hold, the range is scanned.
 */
static enum haul_status scan_base(struct target_record *record, struct haul_error *error)
{
    record->base_digests = calloc(record->plan.family_count, sizeof(*record->base_digests));
    if (record->base_digests == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for digests");
    }
    enum haul_status status = HAUL_OK;
    for (uint32_t i = 0; i < record->plan.family_count && status == HAUL_OK; i++) {
        status = target_plan_digest(record->target->store, &record->plan, i,
                                    &record->base_digests[i], record->steps, error);
    }
    return status;
}

static struct target_span span_of(const struct target_record *record, size_t stream)
{
    const struct plan_stream *from = &record->plan.streams[stream];
    return (struct target_span){.family = record->plan.families[from->family].target_id,
                                .start = key_range_start(&from->range),
                                .end = key_range_end(&from->range)};
}

/* What was applied behind the recorded positions is in no digest, and a source that was restarted
 * may not send it again: it goes. Deltas come only when every stream is recorded as finished. */
static enum haul_status clear_behind(struct target_record *record, struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < record->plan.stream_count && status == HAUL_OK; i++) {
        const struct stream_position *position = &record->positions[i];
        struct target_span behind = span_of(record, i);
        if (position->finished) {
            continue;
        }
        bool has_key = stream_position_has_key(position) &&
                       (position->last_key_size > 0 || !HAUL_PLANTED_BUG(EMPTY_KEY_IS_NONE));
        if (has_key) {
            behind.start = slice_of(position->last_key, position->last_key_size);
            status = target_plan_clear_behind(store, &behind, record->steps, error);
        } else {
            status = store->ops->range_clear(store, behind.family, behind.start, behind.end,
                                             record->steps, error);
        }
    }
    return status;
}

/* --- is it still there? ----------------------------------------------------------------------- */

/* Has nobody but this receiver had the database since, and nobody else written to it? */
static bool is_undisturbed(const struct target_record *record)
{
    const struct target_left *left = &record->left;
    struct haul_store *store = record->target->store;
    bool same = left->known && memcmp(left->job, record->job, HAUL_JOB_BYTES) == 0;
    bool kept_off = record->target->hooks.reserve != NULL; /* by the embedder */
    return same && (kept_off || store->ops->sequence(store) == left->sequence);
}

/* Nothing lies behind the positions any more: a stream's records are what had arrived of it. */
static enum haul_status compare(struct target_record *record, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < record->plan.stream_count && status == HAUL_OK; i++) {
        const struct digest *arrived = &record->positions[i].digest;
        const struct target_span span = span_of(record, i);
        struct digest there = {0};
        status =
            target_plan_digest_span(record->target->store, &span, &there, record->steps, error);
        if (status == HAUL_OK && !digest_equal(&there, arrived)) {
            (void)snprintf(record->begun_anew, sizeof(record->begun_anew),
                           "the target holds %" PRIu64 " records where %" PRIu64
                           " had arrived, or others: something else has changed them",
                           there.count, arrived->count);
            return HAUL_OK;
        }
    }
    return status;
}

static enum haul_status begin_anew(struct target_record *record, struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    haul_log(record->target->log, HAUL_LOG_WARNING, "the job is copied anew: %s",
             record->begun_anew);
    for (size_t i = 0; i < record->plan.stream_count; i++) {
        stream_position_fini(&record->positions[i]);
        record->positions[i] = (struct stream_position){.stream = (uint32_t)i};
    }
    record->delta_next_batch = 0;
    enum haul_status status = target_plan_clear(store, &record->plan, record->steps, error);
    target_plan_forget_tables(store, &record->plan);
    if (status == HAUL_OK) {
        status = store->ops->sync(store, error);
    }
    return status == HAUL_OK ? job_journal_mark(record->journal, JOURNAL_CLEARED, true, error)
                             : status;
}

enum haul_status target_arrived_restore(struct target_record *record, struct haul_error *error)
{
    struct haul_store *store = record->target->store;
    bool complete = false;
    bool undisturbed = is_undisturbed(record) || HAUL_PLANTED_BUG(ARRIVED_BELIEVED);
    enum haul_status status = read_positions(record, &complete, error);
    if (status == HAUL_OK && !complete) {
        status = clear_behind(record, error);
    }
    record->checked_sequence =
        store->ops->sequence(store); /* the writes of others come behind it */
    if (status == HAUL_OK && complete) {
        return scan_base(record, error);
    }
    if (status == HAUL_OK && !undisturbed) {
        status = compare(record, error);
    }
    return status == HAUL_OK && record->begun_anew[0] != '\0' ? begin_anew(record, error) : status;
}
