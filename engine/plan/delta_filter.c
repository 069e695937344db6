/* SPDX-License-Identifier: Apache-2.0 */
/* delta_filter.c — walks a batch of the log once and writes the kept records. When the memory is
 * full it only counts, so that the caller learns how much is needed. */
#include "delta_filter.h"

#include <stdbool.h>
#include <stdlib.h>

#include "assertion.h"
#include "bytes.h"
#include "planted_bug.h"
#include "raw_batch.h"
#include "record_limit.h"
#include "wide_column.h"

enum { KEY_TEXT_BYTES = 96 };

/* The state of one call. */
struct filtering {
    const struct delta_filter *filter;
    struct raw_batch_writer writer;
    bool full;
    size_t size_needed;
    size_t log_data_size;  /* of it */
    size_t blob_bytes_max; /* the largest LogData */
    uint32_t record_count;
};

/* --- families and ranges ---------------------------------------------------------------------- */

/* NULL: the family is not moved. */
static const struct delta_family *find_family(const struct delta_filter *filter, uint32_t id)
{
    for (size_t i = 0; i < filter->family_count; i++) {
        if (filter->families[i].source_id == id) {
            return &filter->families[i];
        }
    }
    return NULL;
}

/* Index of the first range that ends after the key; range_count: none. */
static size_t first_range_behind(const struct delta_filter *filter, struct haul_slice key)
{
    size_t low = 0;
    size_t high = filter->range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct haul_slice end = key_range_end(&filter->ranges[middle]);
        if (end.size == 0 || slice_compare(key, end) < (HAUL_PLANTED_BUG(END_IS_INSIDE) ? 1 : 0)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static bool is_inside(const struct delta_filter *filter, struct haul_slice key)
{
    size_t index = first_range_behind(filter, key);
    return index < filter->range_count &&
           slice_compare(key, key_range_start(&filter->ranges[index])) >= 0;
}

enum haul_status delta_filter_check(const struct delta_filter *filter, struct haul_error *error)
{
    for (size_t i = 0; i < filter->family_count; i++) {
        if (find_family(filter, filter->families[i].source_id) != &filter->families[i]) {
            return haul_error_set(error, HAUL_INVALID, NULL, 0, "column family %u occurs twice",
                                  filter->families[i].source_id);
        }
    }
    for (size_t i = 1; i < filter->range_count; i++) {
        struct haul_slice end = key_range_end(&filter->ranges[i - 1]);
        if (end.size == 0 || slice_compare(end, key_range_start(&filter->ranges[i])) > 0) {
            return haul_error_set(error, HAUL_INVALID, NULL, 0,
                                  "the key ranges are not ascending and disjoint");
        }
    }
    return HAUL_OK;
}

/* --- keeping ---------------------------------------------------------------------------------- */

static void keep_put(struct filtering *filtering, uint32_t family_id, struct haul_slice key,
                     struct haul_slice value)
{
    filtering->size_needed += raw_batch_put_size(family_id, key.size, value.size);
    filtering->record_count++;
    filtering->full = filtering->full || !raw_batch_put(&filtering->writer, family_id, key, value);
}

static void keep_delete(struct filtering *filtering, uint32_t family_id, struct haul_slice key)
{
    filtering->size_needed += raw_batch_delete_size(family_id, key.size);
    filtering->record_count++;
    filtering->full = filtering->full || !raw_batch_delete(&filtering->writer, family_id, key);
}

static void keep_delete_range(struct filtering *filtering, uint32_t family_id,
                              struct haul_slice begin, struct haul_slice end)
{
    filtering->size_needed += raw_batch_delete_range_size(family_id, begin.size, end.size);
    filtering->record_count++;
    filtering->full =
        filtering->full || !raw_batch_delete_range(&filtering->writer, family_id, begin, end);
}

static void keep_log_data(struct filtering *filtering, struct haul_slice blob)
{
    size_t size = raw_batch_log_data_size(blob.size);
    filtering->size_needed += size;
    filtering->log_data_size += size;
    filtering->blob_bytes_max =
        blob.size > filtering->blob_bytes_max ? blob.size : filtering->blob_bytes_max;
    filtering->full = filtering->full || !raw_batch_log_data(&filtering->writer, blob);
}

/* Write one record for each range that [begin, end) crosses. Errors: LIMIT (a bound is too
 * long). */
static enum haul_status clip_delete_range(struct filtering *filtering, uint32_t family_id,
                                          const struct raw_record *record, struct haul_error *error)
{
    const struct delta_filter *filter = filtering->filter;
    const struct haul_slice none = {NULL, 0};
    struct haul_slice begin = record->key;
    struct haul_slice end = record->value;
    enum haul_status status = HAUL_OK;
    if (slice_compare(begin, end) >= 0) {
        return HAUL_OK;
    }
    for (size_t i = first_range_behind(filter, begin); i < filter->range_count; i++) {
        struct haul_slice range_start = key_range_start(&filter->ranges[i]);
        struct haul_slice range_end = key_range_end(&filter->ranges[i]);
        if (slice_compare(range_start, end) >= 0 || status != HAUL_OK) {
            return status;
        }
        bool inside =
            slice_compare(begin, range_start) > 0 || HAUL_PLANTED_BUG(DELETE_RANGE_UNCLIPPED);
        struct haul_slice from = inside ? begin : range_start;
        bool reaches_beyond = range_end.size > 0 && slice_compare(end, range_end) > 0;
        struct haul_slice to = reaches_beyond ? range_end : end;
        status = record_limit_check(from, none, error);
        if (status == HAUL_OK) {
            status = record_limit_check(to, none, error);
        }
        keep_delete_range(filtering, family_id, from, to);
    }
    return status;
}

/* --- refusing --------------------------------------------------------------------------------- */

static enum haul_status refuse_key(const struct raw_record *record, const char *what,
                                   struct haul_error *error)
{
    char key[KEY_TEXT_BYTES];
    key_format(record->key, key, sizeof(key));
    (void)haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                         "the log holds %s for key %s of column family %u", what, key,
                         record->family_id);
    haul_error_hint(error, "stop such writes to the range while it moves, then start again");
    return HAUL_UNSUPPORTED;
}

static enum haul_status refuse_marker(const struct raw_record *record, struct haul_error *error)
{
    (void)haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                         "the log holds a marker of two-phase commit (tag 0x%02x)",
                         (unsigned)record->tag);
    haul_error_hint(error, "a store with prepared transactions can be moved only while nobody "
                           "writes to it");
    return HAUL_UNSUPPORTED;
}

/* --- one record ------------------------------------------------------------------------------- */

/* Write the present value of a merged key. Errors: UNSUPPORTED, those of the look-up. */
static enum haul_status keep_merged(struct filtering *filtering, uint32_t family_id,
                                    const struct raw_record *record, struct haul_error *error)
{
    const struct delta_filter *filter = filtering->filter;
    if (filter->value == NULL) {
        return refuse_key(record, "a merge, which must not be applied twice,", error);
    }
    uint8_t *value = NULL;
    size_t size = 0;
    enum haul_status status =
        filter->value(filter->value_context, record->family_id, record->key, &value, &size, error);
    if (status == HAUL_NOT_FOUND) {
        keep_delete(filtering, family_id, record->key);
        return HAUL_OK;
    }
    if (status == HAUL_OK) {
        keep_put(filtering, family_id, record->key, slice_of(value, size));
        free(value);
    }
    return status;
}

/* Errors: UNSUPPORTED. */
static enum haul_status keep_entity(struct filtering *filtering, uint32_t family_id,
                                    const struct raw_record *record, struct haul_error *error)
{
    struct haul_slice value;
    if (!wide_column_is_plain(record->value, &value)) {
        return refuse_key(record, "a wide-column entity", error);
    }
    keep_put(filtering, family_id, record->key, value);
    return HAUL_OK;
}

/* Filter an entry of a family that is moved. Errors: UNSUPPORTED, CORRUPT, LIMIT, those of a
 * look-up. */
static enum haul_status filter_keyed(struct filtering *filtering, uint32_t family_id,
                                     const struct raw_record *record, struct haul_error *error)
{
    if (record->kind == RAW_DELETE_RANGE && slice_compare(record->key, record->value) > 0) {
        /* Valid only in another key order; our ranges and the digest use byte order. */
        return refuse_key(record, "a DeleteRange that is not in byte order,", error);
    }
    if (record->kind == RAW_DELETE_RANGE && HAUL_PLANTED_BUG(DELETE_RANGE_IGNORED)) {
        return HAUL_OK;
    }
    if (record->kind == RAW_DELETE_RANGE) {
        return clip_delete_range(filtering, family_id, record, error);
    }
    if (!is_inside(filtering->filter, record->key)) {
        return HAUL_OK;
    }
    enum haul_status status = record_limit_check(record->key, record->value, error);
    if (status != HAUL_OK) {
        return status;
    }
    switch (record->kind) {
    case RAW_PUT:
        keep_put(filtering, family_id, record->key, record->value);
        return HAUL_OK;
    case RAW_DELETE:
    case RAW_SINGLE_DELETE:
        if (record->kind == RAW_DELETE || !HAUL_PLANTED_BUG(SINGLE_DELETE)) {
            keep_delete(filtering, family_id, record->key);
        }
        return HAUL_OK;
    case RAW_MERGE:
        return keep_merged(filtering, family_id, record, error);
    case RAW_BLOB_INDEX:
        return refuse_key(record, "a reference to a blob file", error);
    case RAW_PUT_ENTITY:
        return keep_entity(filtering, family_id, record, error);
    default:
        return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "unknown record 0x%02x in the log",
                              (unsigned)record->tag);
    }
}

/* Errors: UNSUPPORTED, CORRUPT, LIMIT. */
static enum haul_status filter_record(struct filtering *filtering, const struct raw_record *record,
                                      struct haul_error *error)
{
    const struct delta_filter *filter = filtering->filter;
    switch (record->kind) {
    case RAW_NOOP:
        return HAUL_OK;
    case RAW_LOG_DATA:
        if (filter->log_data != NULL) {
            filter->log_data(filter->log_data_context, record->value);
        }
        if (filter->keeps_log_data) {
            keep_log_data(filtering, record->value);
        }
        return HAUL_OK;
    case RAW_BEGIN_PREPARE:
    case RAW_END_PREPARE:
    case RAW_COMMIT:
    case RAW_ROLLBACK:
    case RAW_BEGIN_PERSISTED_PREPARE:
    case RAW_BEGIN_UNPREPARE:
        return refuse_marker(record, error);
    case RAW_COMMIT_WITH_TIMESTAMP:
        return HAUL_PLANTED_BUG(TIMED_COMMIT) ? HAUL_OK : refuse_marker(record, error);
    default:
        break;
    }
    const struct delta_family *family = find_family(filter, record->family_id);
    return family == NULL ? HAUL_OK : filter_keyed(filtering, family->target_id, record, error);
}

/* Fill in the result. Errors: AGAIN, LIMIT. */
static enum haul_status finish(struct filtering *filtering, struct delta_result *result,
                               struct haul_error *error)
{
    /* LogData alone is not sent, however large it is. */
    bool is_empty = filtering->record_count == 0;
    bool full = filtering->full && !is_empty;
    size_t records_size = filtering->size_needed - filtering->log_data_size;
    result->bytes = records_size;
    result->has_log_data = !is_empty && filtering->log_data_size > 0;
    result->size_needed = is_empty ? 0 : RAW_BATCH_HEADER_BYTES + filtering->size_needed;
    result->record_count = filtering->record_count;
    if (!is_empty && filtering->blob_bytes_max > HAUL_RECORD_BYTES_MAX) {
        return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                              "the log has LogData of %zu bytes; at most %llu",
                              filtering->blob_bytes_max, (unsigned long long)HAUL_RECORD_BYTES_MAX);
    }
    result->size = is_empty || full ? 0 : raw_batch_finish(&filtering->writer);
    haul_assert(is_empty || full || result->size == result->size_needed);
    return full ? HAUL_AGAIN : HAUL_OK;
}

enum haul_status delta_filter_apply(const struct delta_filter *filter,
                                    const struct haul_log_batch *batch, struct delta_memory memory,
                                    struct delta_result *result, struct haul_error *error)
{
    haul_assert(memory.capacity_bytes >= RAW_BATCH_HEADER_BYTES);
    struct filtering filtering = {.filter = filter};
    raw_batch_begin(&filtering.writer, memory.data, memory.capacity_bytes);
    struct raw_batch_reader reader;
    enum haul_status status = raw_batch_open(&reader, batch->data);
    struct raw_record record;
    while (status == HAUL_OK) {
        status = raw_batch_next(&reader, &record);
        if (status == HAUL_OK) {
            status = filter_record(&filtering, &record, error);
            if (status != HAUL_OK) {
                return status;
            }
        }
    }
    if (status != HAUL_NOT_FOUND) {
        return haul_error_set(error, status, NULL, 0,
                              "the batch at sequence %llu of the log is torn, or holds a record "
                              "of an unknown kind",
                              (unsigned long long)batch->sequence);
    }
    result->sequence_next = batch->sequence + reader.count;
    return finish(&filtering, result, error);
}
