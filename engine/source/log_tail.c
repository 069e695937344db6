/* SPDX-License-Identifier: Apache-2.0 */
/* log_tail.c — rounds over the write-ahead log: filter and send. */
#include "log_tail.h"

#include <stdlib.h>
#include <string.h>

#include "batch_builder.h"
#include "log_reader.h"
#include "planted_bug.h"

struct log_tail {
    struct log_tail_options options;
    struct log_reader reader;
    struct batch_builder builder;
    uint64_t log_data_batch; /* the batch being built has LogData if it has this number */
    /* [n]: everything up to this sequence number is in the batches up to and including batch_base +
     * n. */
    uint64_t *batch_sequences;
    uint64_t batch_base;  /* sent by an earlier process */
    uint64_t batch_count; /* including those of the base */
    size_t batch_capacity;
    /* For log_tail_lag_bytes. */
    atomic_uint_fast64_t read_sequence; /* the log was read up to and including it */
    atomic_uint_fast64_t read_numbers;  /* sequence numbers read in all */
    atomic_uint_fast64_t read_bytes;    /* bytes of the plan's ranges in them */
};

/* --- life ------------------------------------------------------------------------------------- */

static void pass_log_data(void *context, struct haul_slice blob)
{
    const struct haul_hooks *hooks = context;
    hooks->log_data(hooks->context, blob);
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
    tail->log_data_batch = UINT64_MAX;
    atomic_init(&tail->read_sequence, options->sequence);
    batch_builder_init(&tail->builder, options->outbox, PLAN_DELTA_STREAM, SLOT_KIND_DELTA, 0);
    status = log_reader_init(&tail->reader, options->store, options->plan, options->sequence);
    if (status != HAUL_OK) {
        log_tail_destroy(tail);
        return haul_error_set(error, status, NULL, 0, "no memory for the log reader");
    }
    if (options->hooks->log_data != NULL) {
        log_reader_set_log_data(&tail->reader, pass_log_data, (void *)(uintptr_t)options->hooks);
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
    log_reader_fini(&tail->reader);
    free(tail->batch_sequences);
    free(tail);
}

/* --- a round ---------------------------------------------------------------------------------- */

/* The batches sent so far hold the log up to `sequence` at least. */
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

static bool begins_with_log_data(struct haul_slice batch)
{
    return batch.data[RAW_BATCH_HEADER_BYTES] == RAW_LOG_DATA;
}

static enum haul_status append_piece(struct log_tail *tail, const struct log_piece *piece,
                                     struct haul_error *error)
{
    struct batch_builder *builder = &tail->builder;
    enum haul_status status = HAUL_OK;
    if (tail->log_data_batch == builder->next_batch && !begins_with_log_data(piece->kept)) {
        status = batch_builder_flush(builder);
    }
    if (status == HAUL_OK) {
        status = batch_builder_append(builder, piece->kept, piece->record_count, error);
    }
    if (piece->has_log_data && builder->block != NULL) {
        tail->log_data_batch = builder->next_batch;
    }
    return status;
}

static enum haul_status send_piece(struct log_tail *tail, const struct log_piece *piece,
                                   uint64_t before, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    if (piece->kept.size > 0) {
        status = append_piece(tail, piece, error);
    }
    /* A batch sent just now may not hold this piece: note the position before it. */
    return status == HAUL_OK ? note_batches(tail, before) : status;
}

/* For log_tail_lag_bytes. */
static void note_read(struct log_tail *tail, uint64_t before, uint64_t bytes)
{
    uint64_t sequence = tail->reader.sequence;
    atomic_store_explicit(&tail->read_sequence, sequence, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&tail->read_numbers, sequence - before, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&tail->read_bytes, bytes, memory_order_relaxed);
}

uint64_t log_tail_lag_bytes(const struct log_tail *tail, uint64_t record_bytes)
{
    struct haul_store *store = tail->options.store;
    uint64_t read = atomic_load_explicit(&tail->read_sequence, memory_order_relaxed);
    uint64_t numbers = atomic_load_explicit(&tail->read_numbers, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&tail->read_bytes, memory_order_relaxed);
    uint64_t last = store->ops->sequence(store);
    double each = numbers > 0 ? (double)bytes / (double)numbers : (double)record_bytes;
    return last > read ? (uint64_t)((double)(last - read) * each) : 0;
}

/* Ingested records are not in the log, and may have taken no sequence number. */
static enum haul_status check_ingests(const struct log_tail *tail, struct haul_error *error)
{
    struct haul_store *store = tail->options.store;
    if (store->ops->foreign_ingests == NULL ||
        store->ops->foreign_ingests(store) == tail->options.foreign_ingests) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_GAP, NULL, 0,
                   "table files were ingested into the database while the job ran");
    haul_error_hint(error, "the log does not contain them: run the job again");
    return HAUL_GAP;
}

enum haul_status log_tail_round(struct log_tail *tail, const atomic_bool *stop, uint64_t *bytes,
                                struct haul_error *error)
{
    struct haul_store *store = tail->options.store;
    uint64_t until = store->ops->sequence(store);
    *bytes = 0;
    /* A crash here must not lose what is sent, because then the job could not continue. */
    bool behind = tail->reader.sequence < until && !HAUL_PLANTED_BUG(LOG_UNSYNCED);
    enum haul_status status = behind ? store->ops->sync(store, error) : HAUL_OK;
    while (status == HAUL_OK && tail->reader.sequence < until) {
        struct log_piece piece;
        uint64_t before = tail->reader.sequence;
        status = atomic_load(stop) ? HAUL_CLOSED : log_reader_next(&tail->reader, &piece, error);
        if (status == HAUL_OK) {
            note_read(tail, before, piece.bytes);
            status = send_piece(tail, &piece, before, error);
            *bytes += piece.bytes;
        }
    }
    if (status == HAUL_AGAIN || (status == HAUL_GAP && HAUL_PLANTED_BUG(END_OF_LOG))) {
        /* The reader has reached the last sequence number, so it has read more than `until`. */
        status = HAUL_OK;
    }
    if (status == HAUL_OK) {
        status = check_ingests(tail, error);
    }
    if (status == HAUL_OK) {
        status = batch_builder_flush(&tail->builder);
    }
    return status == HAUL_OK ? note_batches(tail, tail->reader.sequence) : status;
}

void log_tail_send_log_data(struct log_tail *tail, bool send)
{
    log_reader_keep_log_data(&tail->reader, send);
}

void log_tail_pause(struct log_tail *tail)
{
    tail->log_data_batch = UINT64_MAX;
    batch_builder_fini(&tail->builder);
}

enum haul_status log_tail_rewind(struct log_tail *tail, uint64_t next_batch,
                                 struct haul_error *error)
{
    bool begins = next_batch == 0; /* the target may have lost what an earlier process sent */
    if (begins || (tail->options.adopted && tail->batch_count == 0)) {
        tail->batch_base = next_batch;
        tail->batch_count = next_batch;
    }
    if (next_batch < tail->batch_base || next_batch > tail->batch_count) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the target claims deltas that were never sent");
    }
    log_reader_seek(&tail->reader, next_batch == tail->batch_base
                                       ? tail->options.sequence
                                       : tail->batch_sequences[next_batch - tail->batch_base - 1]);
    atomic_store_explicit(&tail->read_sequence, tail->reader.sequence, memory_order_relaxed);
    tail->batch_count = next_batch;
    batch_builder_init(&tail->builder, tail->options.outbox, PLAN_DELTA_STREAM, SLOT_KIND_DELTA,
                       next_batch);
    tail->log_data_batch = UINT64_MAX;
    return HAUL_OK;
}

uint64_t log_tail_sequence(const struct log_tail *tail)
{
    return tail->reader.sequence;
}

uint64_t log_tail_next_batch(const struct log_tail *tail)
{
    return tail->builder.next_batch;
}
