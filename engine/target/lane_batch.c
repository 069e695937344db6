/* SPDX-License-Identifier: Apache-2.0 */
/* lane_batch.c — writes each batch atomically through the store's log. With the hook `annotate` a
 * batch of the copy is built anew, with LogData in front of its records, and the store's own at its
 * end. */
#include <stdlib.h>
#include <string.h>

#include "apply_lane.h"
#include "assertion.h"
#include "raw_batch.h"

/* Sync the log after this many bytes, which a resume of a stream repeats at most; when idle,
 * sooner. */
enum { SYNC_BYTES = 32 << 20, SYNC_IN_PAUSE_BYTES = 256 << 10 };

enum { MEMORY_BYTES_MIN = 64 << 10, MEMORY_BYTES_KEPT_MAX = 8 << 20 };

/* A batch being built with annotations. */
struct annotated {
    uint8_t *memory;
    size_t capacity;
    struct raw_batch_writer writer; /* begin NULL: no batch is begun */
    size_t blob_size;               /* of the last LogData of this batch; 0: none yet */
    uint8_t blob[HAUL_LOG_DATA_BYTES_MAX];
};

struct batch_lane {
    struct apply_lane base;
    struct haul_store *store;
    uint64_t unsynced_bytes;
    const struct haul_hooks *hooks; /* NULL: nothing is annotated */
    const char *family;
    uint32_t family_id;
    struct annotated annotated;
};

static bool suits_store(const struct haul_store *store, const char **why)
{
    (void)store;
    (void)why;
    return true;
}

static bool suits_stream(const struct plan_family *family, const struct plan_stream *stream)
{
    (void)family;
    (void)stream;
    return true;
}

static enum haul_status create(const struct apply_lane_options *options, struct apply_lane **lane,
                               struct haul_error *error)
{
    struct batch_lane *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a stream");
    }
    made->base.ops = apply_lane_table(HAUL_LANE_WRITE_BATCH);
    made->store = options->store;
    bool annotates = options->hooks != NULL && options->hooks->annotate != NULL;
    made->hooks = annotates ? options->hooks : NULL;
    made->family = options->family;
    made->family_id = options->family_id;
    *lane = &made->base;
    return HAUL_OK;
}

/* Room for so many bytes more. */
static enum haul_status reserve(struct annotated *annotated, size_t size)
{
    struct raw_batch_writer *writer = &annotated->writer;
    size_t used =
        writer->begin == NULL ? RAW_BATCH_HEADER_BYTES : (size_t)(writer->at - writer->begin);
    if (used + size > annotated->capacity) {
        size_t capacity = 2 * (used + size);
        capacity = capacity < MEMORY_BYTES_MIN ? MEMORY_BYTES_MIN : capacity;
        uint8_t *memory = realloc(annotated->memory, capacity);
        if (memory == NULL) {
            return HAUL_NO_MEMORY;
        }
        annotated->memory = memory;
        annotated->capacity = capacity;
    }
    if (writer->begin == NULL) {
        raw_batch_begin(writer, annotated->memory, annotated->capacity);
        annotated->blob_size = 0;
    }
    writer->begin = annotated->memory;
    writer->at = annotated->memory + used;
    writer->end = annotated->memory + annotated->capacity;
    return HAUL_OK;
}

static void put_blob(struct annotated *annotated, struct haul_slice blob)
{
    bool repeated =
        blob.size == annotated->blob_size && memcmp(blob.data, annotated->blob, blob.size) == 0;
    if (blob.size > 0 && !repeated) {
        bool fits = raw_batch_log_data(&annotated->writer, blob);
        haul_assert(fits);
        memcpy(annotated->blob, blob.data, blob.size);
        annotated->blob_size = blob.size;
    }
}

/* Apart from put, which is called for every record and does nothing without the hook. */
__attribute__((noinline)) static enum haul_status put_annotated(struct batch_lane *lane,
                                                                struct haul_slice key,
                                                                struct haul_slice value,
                                                                struct haul_error *error)
{
    uint8_t blob[HAUL_LOG_DATA_BYTES_MAX];
    size_t blob_size = lane->hooks->annotate(lane->hooks->context, lane->family, key, value, blob);
    if (blob_size > sizeof(blob)) {
        return haul_error_set(error, HAUL_INVALID, "annotate", 0,
                              "the hook returned %zu bytes of LogData; at most %zu", blob_size,
                              sizeof(blob));
    }
    size_t size = raw_batch_log_data_size(blob_size) +
                  raw_batch_put_size(lane->family_id, key.size, value.size);
    if (reserve(&lane->annotated, size) != HAUL_OK) {
        return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for a batch");
    }
    put_blob(&lane->annotated, slice_of(blob, blob_size));
    bool fits = raw_batch_put(&lane->annotated.writer, lane->family_id, key, value);
    haul_assert(fits);
    return HAUL_OK;
}

static enum haul_status put(struct apply_lane *base, struct haul_slice key, struct haul_slice value,
                            struct haul_error *error)
{
    struct batch_lane *lane = (struct batch_lane *)base;
    return lane->hooks == NULL ? HAUL_OK : put_annotated(lane, key, value, error);
}

/* What the store ends each batch with; appending it there would copy the batch once more. */
static enum haul_status put_closing(struct batch_lane *lane, struct haul_error *error)
{
    uint8_t blob[HAUL_LOG_DATA_BYTES_MAX];
    const struct haul_store_ops *ops = lane->store->ops;
    size_t size = ops->log_data == NULL ? 0 : ops->log_data(lane->store, blob);
    if (reserve(&lane->annotated, raw_batch_log_data_size(size)) != HAUL_OK) {
        return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for a batch");
    }
    if (size > 0) {
        bool fits = raw_batch_log_data(&lane->annotated.writer, slice_of(blob, size));
        haul_assert(fits);
    }
    return HAUL_OK;
}

/* The batch with its annotations. */
static enum haul_status finish_annotated(struct batch_lane *lane, uint32_t record_count,
                                         struct haul_slice *batch, struct haul_error *error)
{
    struct annotated *annotated = &lane->annotated;
    haul_assert(annotated->writer.count == record_count);
    enum haul_status status = put_closing(lane, error);
    size_t size = raw_batch_finish(&annotated->writer);
    annotated->writer.begin = NULL;
    *batch = slice_of(annotated->memory, size);
    return status;
}

static void forget_memory(struct annotated *annotated)
{
    if (annotated->capacity > MEMORY_BYTES_KEPT_MAX) {
        free(annotated->memory);
        annotated->memory = NULL;
        annotated->capacity = 0;
    }
}

static enum haul_status commit(struct apply_lane *base, struct haul_slice batch,
                               uint32_t record_count, struct haul_error *error)
{
    struct batch_lane *lane = (struct batch_lane *)base;
    unsigned flags = lane->hooks == NULL ? 0 : HAUL_WRITE_CLOSED;
    enum haul_status status = HAUL_OK;
    if (lane->hooks != NULL) {
        status = finish_annotated(lane, record_count, &batch, error);
    }
    if (status == HAUL_OK) {
        status = lane->store->ops->write(lane->store, batch, flags, error);
    }
    lane->unsynced_bytes += batch.size;
    base->written_records += record_count;
    forget_memory(&lane->annotated);
    return status;
}

static bool is_full(const struct apply_lane *base, bool pauses)
{
    const struct batch_lane *lane = (const struct batch_lane *)base;
    return lane->unsynced_bytes >= (pauses ? SYNC_IN_PAUSE_BYTES : SYNC_BYTES);
}

/* The caller syncs the log afterwards. */
static enum haul_status flush(struct apply_lane *base, struct haul_error *error)
{
    (void)error;
    ((struct batch_lane *)base)->unsynced_bytes = 0;
    return HAUL_OK;
}

static void destroy(struct apply_lane *base)
{
    free(((struct batch_lane *)base)->annotated.memory);
    free(base);
}

extern const struct apply_lane_ops batch_lane_ops;
const struct apply_lane_ops batch_lane_ops = {
    .lane = HAUL_LANE_WRITE_BATCH,
    .syncs_log = true,
    .suits_store = suits_store,
    .suits_stream = suits_stream,
    .create = create,
    .put = put,
    .commit = commit,
    .is_full = is_full,
    .flush = flush,
    .destroy = destroy,
};
