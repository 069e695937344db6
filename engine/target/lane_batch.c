/* SPDX-License-Identifier: Apache-2.0 */
/* lane_batch.c — writes each batch atomically through the store's log. With the hook `annotate`,
 * LogData is inserted in front of the records of the copy: the store gets the batch in the pieces
 * between the insertions, so that no record is copied for them. */
#include <stdlib.h>
#include <string.h>

#include "apply_lane.h"
#include "assertion.h"
#include "raw_batch.h"

/* Sync the log after this many bytes, which a resume of a stream repeats at most; when idle,
 * sooner. */
enum { SYNC_BYTES = 32 << 20, SYNC_IN_PAUSE_BYTES = 256 << 10 };

enum {
    RECORD_BYTES_MAX = RAW_LOG_DATA_HEAD_BYTES_MAX + HAUL_LOG_DATA_BYTES_MAX,
    INSERTIONS_MIN = 16,
    INSERTIONS_KEPT_MAX = 4096,
};

/* LogData to be inserted. */
struct insertion {
    const uint8_t *at; /* in front of this byte of the batch; NULL: of its first record */
    size_t size;
    uint8_t record[RECORD_BYTES_MAX];
};

/* The LogData of one batch. */
struct annotated {
    struct insertion *insertions;
    size_t count;
    size_t capacity;
    const uint8_t *records_end; /* of the records that were put; NULL: none yet */
};

struct batch_lane {
    struct apply_lane base;
    struct haul_store *store;
    uint64_t unsynced_bytes;
    unsigned write_flags;
    const struct haul_hooks *hooks; /* NULL: nothing is annotated */
    const char *family;
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
    /* The stream of the changes, which has no family, also holds deletions. */
    made->write_flags = options->family == NULL ? 0 : HAUL_WRITE_PUTS;
    *lane = &made->base;
    return HAUL_OK;
}

/* Room for one more. */
static enum haul_status reserve(struct annotated *annotated)
{
    if (annotated->count < annotated->capacity) {
        return HAUL_OK;
    }
    size_t capacity = annotated->capacity == 0 ? INSERTIONS_MIN : 2 * annotated->capacity;
    struct insertion *grown =
        realloc(annotated->insertions, capacity * sizeof(*annotated->insertions));
    if (grown == NULL) {
        return HAUL_NO_MEMORY;
    }
    annotated->insertions = grown;
    annotated->capacity = capacity;
    return HAUL_OK;
}

static bool repeats_last(const struct annotated *annotated, struct haul_slice blob)
{
    if (annotated->count == 0) {
        return false;
    }
    const struct insertion *last = &annotated->insertions[annotated->count - 1];
    return last->size == raw_batch_log_data_size(blob.size) &&
           memcmp(last->record + last->size - blob.size, blob.data, blob.size) == 0;
}

/* Insert the blob behind the records that were put. */
static enum haul_status insert(struct annotated *annotated, struct haul_slice blob)
{
    enum haul_status status = reserve(annotated);
    if (status == HAUL_OK) {
        struct insertion *made = &annotated->insertions[annotated->count++];
        made->at = annotated->records_end;
        made->size = (size_t)(raw_log_data_encode(made->record, blob) - made->record);
    }
    return status;
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
    struct haul_slice text = slice_of(blob, blob_size);
    if (blob_size > 0 && !repeats_last(&lane->annotated, text) &&
        insert(&lane->annotated, text) != HAUL_OK) {
        return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for a batch");
    }
    lane->annotated.records_end = value.data + value.size;
    return HAUL_OK;
}

static enum haul_status put(struct apply_lane *base, struct haul_slice key, struct haul_slice value,
                            struct haul_error *error)
{
    struct batch_lane *lane = (struct batch_lane *)base;
    return lane->hooks == NULL ? HAUL_OK : put_annotated(lane, key, value, error);
}

static void forget_insertions(struct annotated *annotated)
{
    annotated->count = 0;
    annotated->records_end = NULL;
    if (annotated->capacity > INSERTIONS_KEPT_MAX) {
        free(annotated->insertions);
        annotated->insertions = NULL;
        annotated->capacity = 0;
    }
}

/* Cut the batch where LogData is inserted. Returns the number of pieces. */
static size_t cut(const struct annotated *annotated, struct haul_slice batch,
                  struct haul_slice *pieces)
{
    const uint8_t *end = batch.data + batch.size;
    const uint8_t *done = batch.data;
    size_t count = 0;
    for (size_t i = 0; i < annotated->count; i++) {
        const struct insertion *insertion = &annotated->insertions[i];
        const uint8_t *at =
            insertion->at == NULL ? batch.data + RAW_BATCH_HEADER_BYTES : insertion->at;
        haul_assert(at > done && at < end);
        pieces[count++] = slice_of(done, (size_t)(at - done));
        pieces[count++] = slice_of(insertion->record, insertion->size);
        done = at;
    }
    pieces[count++] = slice_of(done, (size_t)(end - done));
    return count;
}

static enum haul_status write_annotated(struct batch_lane *lane, struct haul_slice batch,
                                        struct haul_error *error)
{
    const struct annotated *annotated = &lane->annotated;
    haul_assert(annotated->records_end == batch.data + batch.size);
    struct haul_slice *pieces = calloc(2 * annotated->count + 1, sizeof(*pieces));
    if (pieces == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a batch");
    }
    enum haul_status status = lane->store->ops->write_pieces(
        lane->store, pieces, cut(annotated, batch, pieces), lane->write_flags, error);
    free(pieces);
    return status;
}

static enum haul_status commit(struct apply_lane *base, struct haul_slice batch,
                               uint32_t record_count, struct haul_error *error)
{
    struct batch_lane *lane = (struct batch_lane *)base;
    enum haul_status status =
        lane->annotated.count > 0
            ? write_annotated(lane, batch, error)
            : lane->store->ops->write(lane->store, batch, lane->write_flags, error);
    lane->unsynced_bytes += batch.size;
    base->written_records += record_count;
    forget_insertions(&lane->annotated);
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
    free(((struct batch_lane *)base)->annotated.insertions);
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
