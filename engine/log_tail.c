/* SPDX-License-Identifier: Apache-2.0 */
/* log_tail.c — rounds over the write-ahead log: filter, keep the digest, send. */
#include "log_tail.h"

#include <stdlib.h>
#include <string.h>

#include "batch_builder.h"
#include "delta_filter.h"
#include "digest_ledger.h"
#include "ledger_base.h"
#include "planted_bug.h"

enum { SCRATCH_BYTES_INITIAL = 64 << 10 };

struct log_tail {
    struct log_tail_options options;
    struct haul_wal_reader *reader; /* NULL before the first round */
    uint64_t sequence;              /* sent up to and with it */
    struct batch_builder builder;
    struct delta_family *families;
    struct delta_filter filter;
    struct delta_memory scratch;
    struct ledger_base base;
    struct digest_ledger *ledger;
    /* [n]: everything up to this sequence number is in the batches up to and with
     * batch_base + n. */
    uint64_t *batch_sequences;
    uint64_t batch_base;  /* batches of an earlier process */
    uint64_t batch_count; /* those of the base included */
    size_t batch_capacity;
};

/* --- life ------------------------------------------------------------------------------------- */

static void pass_log_data(void *context, struct haul_slice blob)
{
    const struct haul_hooks *hooks = context;
    hooks->log_data(hooks->context, blob);
}

static enum haul_status value_now(void *context, uint32_t source_id, struct haul_slice key,
                                  uint8_t **value, size_t *size, struct haul_error *error)
{
    struct haul_store *store = context;
    return store->ops->get(store, NULL, source_id, key, value, size, error);
}

static void init_filter(struct log_tail *tail)
{
    const struct plan *plan = tail->options.plan;
    const struct haul_hooks *hooks = tail->options.hooks;
    for (size_t i = 0; i < plan->family_count; i++) {
        tail->families[i] = (struct delta_family){.source_id = plan->families[i].family.id,
                                                  .target_id = plan->families[i].target_id};
    }
    tail->filter = (struct delta_filter){
        .families = tail->families,
        .family_count = plan->family_count,
        .ranges = plan->ranges,
        .range_count = plan->range_count,
        .log_data = hooks->log_data == NULL ? NULL : pass_log_data,
        .log_data_context = (void *)(uintptr_t)hooks,
        .value = value_now,
        .value_context = tail->options.store,
    };
}

enum haul_status log_tail_create(const struct log_tail_options *options, struct log_tail **out,
                                 struct haul_error *error)
{
    struct log_tail *tail = calloc(1, sizeof(*tail));
    enum haul_status status = HAUL_NO_MEMORY;
    if (tail == NULL) {
        return haul_error_set(error, status, "calloc", 0, "no memory for the log reader");
    }
    tail->options = *options;
    tail->sequence = options->sequence;
    batch_builder_init(&tail->builder, options->outbox, PLAN_DELTA_STREAM, LANE_DELTA, 0);
    tail->families = calloc(options->plan->family_count, sizeof(*tail->families));
    tail->scratch.data = malloc(SCRATCH_BYTES_INITIAL);
    tail->scratch.capacity_bytes = SCRATCH_BYTES_INITIAL;
    tail->base = (struct ledger_base){.store = options->store,
                                      .snapshot = options->snapshot,
                                      .families = tail->families,
                                      .family_count = options->plan->family_count};
    struct digest_ledger_base base = ledger_base_callbacks(&tail->base);
    if (tail->families != NULL && tail->scratch.data != NULL) {
        status = digest_ledger_create(&base, 0, &tail->ledger);
    }
    if (status != HAUL_OK) {
        log_tail_destroy(tail);
        return haul_error_set(error, status, NULL, 0, "no memory for the log reader");
    }
    *out = tail;
    return HAUL_OK;
}

void log_tail_destroy(struct log_tail *tail)
{
    if (tail == NULL) {
        return;
    }
    batch_builder_fini(&tail->builder);
    if (tail->reader != NULL) {
        tail->options.store->ops->wal_close(tail->reader);
    }
    digest_ledger_destroy(tail->ledger);
    ledger_base_fini(&tail->base);
    free(tail->batch_sequences);
    free(tail->scratch.data);
    free(tail->families);
    free(tail);
}

/* --- a round ---------------------------------------------------------------------------------- */

static enum haul_status grow_scratch(struct log_tail *tail, size_t size, struct haul_error *error)
{
    uint8_t *data = realloc(tail->scratch.data, size);
    if (data == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0,
                              "no memory for a log batch of %zu bytes", size);
    }
    tail->scratch.data = data;
    tail->scratch.capacity_bytes = size;
    return HAUL_OK;
}

static enum haul_status filter_batch(struct log_tail *tail, const struct haul_log_batch *batch,
                                     struct delta_result *result, struct haul_error *error)
{
    enum haul_status status =
        delta_filter_apply(&tail->filter, batch, tail->scratch, result, error);
    while (status == HAUL_AGAIN) {
        status = grow_scratch(tail, result->size_needed, error);
        if (status == HAUL_OK) {
            status = delta_filter_apply(&tail->filter, batch, tail->scratch, result, error);
        }
    }
    return status;
}

/* Batches that have gone out hold the log up to `sequence` at least. */
static enum haul_status note_batches(struct log_tail *tail, uint64_t sequence)
{
    while (tail->batch_count < tail->builder.next_batch) {
        size_t noted = (size_t)(tail->batch_count - tail->batch_base);
        if (noted == tail->batch_capacity) {
            size_t capacity = tail->batch_capacity == 0 ? 64 : 2 * tail->batch_capacity;
            uint64_t *sequences = realloc(tail->batch_sequences, capacity * sizeof(*sequences));
            if (sequences == NULL) {
                return HAUL_NO_MEMORY;
            }
            tail->batch_sequences = sequences;
            tail->batch_capacity = capacity;
        }
        tail->batch_sequences[noted] = sequence;
        tail->batch_count++;
    }
    return HAUL_OK;
}

static enum haul_status send_batch(struct log_tail *tail, const struct haul_log_batch *batch,
                                   uint64_t *bytes, struct haul_error *error)
{
    struct delta_result result;
    enum haul_status status = filter_batch(tail, batch, &result, error);
    if (status == HAUL_OK && result.size > 0) {
        struct haul_slice kept = slice_of(tail->scratch.data, result.size);
        /* A ledger that gave up says so when it is asked; the copy goes on without it. */
        struct haul_error ledger_error;
        (void)!digest_ledger_batch(tail->ledger, kept, &ledger_error);
        status = batch_builder_append(&tail->builder, kept, result.record_count, error);
        *bytes += result.bytes;
    }
    if (status == HAUL_OK) {
        /* A batch that went out just now may not hold this one: note what was before. */
        status = note_batches(tail, tail->sequence);
    }
    if (status == HAUL_OK) {
        tail->sequence = result.sequence_next - 1;
    }
    return status;
}

/* What was ingested has no place in the log, and may have taken no sequence number. */
static enum haul_status check_ingests(const struct log_tail *tail, struct haul_error *error)
{
    struct haul_store *store = tail->options.store;
    if (store->ops->foreign_ingests == NULL ||
        store->ops->foreign_ingests(store) == tail->options.foreign_ingests) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_GAP, NULL, 0,
                   "table files were ingested into the database while the job ran");
    haul_error_hint(error, "the log does not have them: run the job again");
    return HAUL_GAP;
}

enum haul_status log_tail_round(struct log_tail *tail, const atomic_bool *stop, uint64_t *bytes,
                                struct haul_error *error)
{
    struct haul_store *store = tail->options.store;
    uint64_t until = store->ops->sequence(store);
    *bytes = 0;
    /* What is sent must not be lost here by a crash: the job could not go on after it. */
    bool behind = tail->sequence < until && !HAUL_PLANTED_BUG(LOG_UNSYNCED);
    enum haul_status status = behind ? store->ops->sync(store, error) : HAUL_OK;
    if (status == HAUL_OK && tail->reader == NULL && tail->sequence < until) {
        init_filter(tail);
        status = delta_filter_check(&tail->filter, error);
        if (status == HAUL_OK) {
            status = store->ops->wal_open(store, tail->sequence + 1, &tail->reader, error);
        }
    }
    while (status == HAUL_OK && tail->sequence < until) {
        struct haul_log_batch batch;
        status = store->ops->wal_next(tail->reader, &batch, error);
        if (status == HAUL_OK) {
            status = atomic_load(stop) ? HAUL_CLOSED : send_batch(tail, &batch, bytes, error);
        }
    }
    if (status == HAUL_AGAIN || (status == HAUL_GAP && HAUL_PLANTED_BUG(END_OF_LOG))) {
        /* The reader stands behind the last sequence number: more than `until` was read. */
        status = HAUL_OK;
    }
    if (status == HAUL_OK) {
        status = check_ingests(tail, error);
    }
    if (status == HAUL_OK) {
        status = batch_builder_flush(&tail->builder);
    }
    return status == HAUL_OK ? note_batches(tail, tail->sequence) : status;
}

void log_tail_pause(struct log_tail *tail)
{
    batch_builder_fini(&tail->builder);
}

enum haul_status log_tail_rewind(struct log_tail *tail, uint64_t next_batch,
                                 struct haul_error *error)
{
    if (tail->options.adopted && tail->batch_count == 0) {
        tail->batch_base = next_batch;
        tail->batch_count = next_batch;
    }
    if (next_batch < tail->batch_base || next_batch > tail->batch_count) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the target has other deltas than were sent");
    }
    if (tail->reader != NULL) {
        tail->options.store->ops->wal_close(tail->reader);
        tail->reader = NULL;
    }
    tail->sequence = next_batch == tail->batch_base
                         ? tail->options.sequence
                         : tail->batch_sequences[next_batch - tail->batch_base - 1];
    tail->batch_count = next_batch;
    batch_builder_init(&tail->builder, tail->options.outbox, PLAN_DELTA_STREAM, LANE_DELTA,
                       next_batch);
    return HAUL_OK;
}

uint64_t log_tail_sequence(const struct log_tail *tail)
{
    return tail->sequence;
}

uint64_t log_tail_next_batch(const struct log_tail *tail)
{
    return tail->builder.next_batch;
}

enum haul_status log_tail_join_digest(const struct log_tail *tail, uint32_t family,
                                      struct digest *digest)
{
    return digest_ledger_join(tail->ledger, tail->options.plan->families[family].target_id, digest);
}
