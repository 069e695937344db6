/* SPDX-License-Identifier: Apache-2.0 */
/* target_arrived.c — compares the journal's positions with the records of the store. */
#include "target_arrived.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_journal.h"
#include "planted_bug.h"
#include "target_journal.h"
#include "target_plan.h"

/* The journal's positions, in the plan's order. */
static enum haul_status read_positions(struct target_journal *journal, bool *complete,
                                       struct haul_error *error)
{
    journal->positions = calloc(journal->plan.stream_count, sizeof(*journal->positions));
    if (journal->positions == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for positions");
    }
    *complete = true;
    for (size_t i = 0; i < journal->plan.stream_count; i++) {
        struct stream_position *to = &journal->positions[i];
        const struct stream_position *from =
            journal_state_position(journal_state(journal->file), (uint32_t)i);
        to->stream = (uint32_t)i;
        *complete = *complete && from != NULL && from->finished;
        if (from == NULL) {
            continue;
        }
        to->next_batch = from->next_batch;
        to->finished = from->finished;
        to->digest = from->digest;
        if (from->last_key.size > 0) {
            uint8_t *key = malloc(from->last_key.size);
            if (key == NULL) {
                return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0,
                                      "no memory for positions");
            }
            memcpy(key, from->last_key.data, from->last_key.size);
            to->last_key = slice_of(key, from->last_key.size);
        }
    }
    return HAUL_OK;
}

/* Deltas may have been applied already: the accumulated digest is not valid, so scan the range. */
static enum haul_status scan_base(struct target_journal *journal, struct haul_error *error)
{
    journal->base_digests = calloc(journal->plan.family_count, sizeof(*journal->base_digests));
    if (journal->base_digests == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for digests");
    }
    enum haul_status status = HAUL_OK;
    for (uint32_t i = 0; i < journal->plan.family_count && status == HAUL_OK; i++) {
        status = target_plan_digest(journal->target->store, &journal->plan, i,
                                    &journal->base_digests[i], journal->steps, error);
    }
    return status;
}

static struct target_span span_of(const struct target_journal *journal, size_t stream)
{
    const struct plan_stream *from = &journal->plan.streams[stream];
    return (struct target_span){.family = journal->plan.families[from->family].target_id,
                                .start = key_range_start(&from->range),
                                .end = key_range_end(&from->range),
                                .digest_key = &journal->plan.digest_key};
}

/* Records applied behind the recorded positions are in no digest, and a restarted source may not
 * send them again: remove them. Deltas come only once every stream is recorded as finished. */
static enum haul_status clear_behind(struct target_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < journal->plan.stream_count && status == HAUL_OK; i++) {
        const struct stream_position *position = &journal->positions[i];
        struct target_span behind = span_of(journal, i);
        if (position->finished) {
            continue;
        }
        bool has_key = stream_position_has_key(position) &&
                       (position->last_key.size > 0 || !HAUL_PLANTED_BUG(EMPTY_KEY_IS_NONE));
        if (has_key) {
            behind.start = position->last_key;
            status = target_plan_clear_behind(store, &behind, journal->steps, error);
        } else {
            status = store->ops->range_clear(store, behind.family, behind.start, behind.end,
                                             journal->steps, error);
        }
    }
    return status;
}

/* --- is it still there? ----------------------------------------------------------------------- */

/* Has this receiver kept the database since, and has nobody else written to it? */
static bool is_undisturbed(const struct target_journal *journal)
{
    const struct target_left *left = &journal->left;
    struct haul_store *store = journal->target->store;
    bool same = left->known && memcmp(left->job, journal->job, HAUL_JOB_BYTES) == 0;
    bool kept_off = journal->target->hooks.reserve != NULL; /* the embedder keeps others off */
    return same && (kept_off || store->ops->sequence(store) == left->sequence);
}

/* Nothing is left behind the positions: a stream's records are exactly those that had arrived. */
static enum haul_status compare(struct target_journal *journal, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < journal->plan.stream_count && status == HAUL_OK; i++) {
        const struct digest *arrived = &journal->positions[i].digest;
        const struct target_span span = span_of(journal, i);
        struct digest there = {0};
        status =
            target_plan_digest_span(journal->target->store, &span, &there, journal->steps, error);
        if (status == HAUL_OK && !digest_equal(&there, arrived)) {
            (void)snprintf(journal->begun_anew, sizeof(journal->begun_anew),
                           "the target holds %" PRIu64 " records where %" PRIu64
                           " had arrived, or others: something else has changed them",
                           there.count, arrived->count);
            return HAUL_OK;
        }
    }
    return status;
}

static enum haul_status begin_anew(struct target_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    haul_log(journal->target->log, HAUL_LOG_WARNING, "the job is copied from the start: %s",
             journal->begun_anew);
    for (size_t i = 0; i < journal->plan.stream_count; i++) {
        stream_position_fini(&journal->positions[i]);
        journal->positions[i] = (struct stream_position){.stream = (uint32_t)i};
    }
    journal->delta_next_batch = 0;
    enum haul_status status = target_plan_clear(store, &journal->plan, journal->steps, error);
    target_plan_forget_tables(store, &journal->plan);
    if (status == HAUL_OK) {
        status = store->ops->sync(store, error);
    }
    return status == HAUL_OK ? job_journal_mark(journal->file, JOURNAL_CLEARED, true, error)
                             : status;
}

enum haul_status target_arrived_restore(struct target_journal *journal, struct haul_error *error)
{
    struct haul_store *store = journal->target->store;
    bool complete = false;
    bool undisturbed = is_undisturbed(journal) || HAUL_PLANTED_BUG(ARRIVED_BELIEVED);
    enum haul_status status = read_positions(journal, &complete, error);
    if (status == HAUL_OK && !complete) {
        status = clear_behind(journal, error);
    }
    journal->checked_sequence =
        store->ops->sequence(store); /* writes of others get higher numbers */
    if (status == HAUL_OK && complete) {
        return scan_base(journal, error);
    }
    if (status == HAUL_OK && !undisturbed) {
        status = compare(journal, error);
    }
    return status == HAUL_OK && journal->begun_anew[0] != '\0' ? begin_anew(journal, error)
                                                               : status;
}
