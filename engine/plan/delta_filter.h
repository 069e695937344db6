/* SPDX-License-Identifier: Apache-2.0 */
/* delta_filter.h — filters one batch of the source's write-ahead log for the ranges of a job. The
 * result is nothing, one batch for the target, or an error that ends the job. Pure.
 *
 *   in the log                    for the target
 *   Put, Delete                   unchanged, if the key is in a range
 *   SingleDelete                  Delete: the target may hold an older Put that it would uncover
 *   DeleteRange                   one for each range that it crosses, clipped to the range
 *   LogData                       unchanged, if the filter keeps it and the batch keeps a record;
 *                                 also to the callback, if there is one
 *   Noop                          nothing
 *   Merge                         Put of the key's present value, or Delete: see below
 *   PutEntity                     Put, if the default column is the only one
 *   other PutEntity, BlobIndex    UNSUPPORTED if the key is in a range
 *   two-phase commit markers      UNSUPPORTED: their records are elsewhere in the log
 *
 * A merge must not be applied twice, and the log may be replayed over a view that contains it.
 * So the filter looks up the key's present value. That may be newer than this place in the log;
 * then a later log entry for the key follows, and the last one is right.
 *
 * Records of families that are not moved are dropped; the others get the target's family.
 * The kept part of a batch keeps its order and stays one batch, so that it stays atomic.
 *
 * Thread: any, one call at a time for each filter. */
#ifndef HAUL_DELTA_FILTER_H
#define HAUL_DELTA_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "haul/store.h"
#include "key_range.h"

struct delta_family {
    uint32_t source_id;
    uint32_t target_id;
};

/* Takes the borrowed blob of a LogData entry, in order with the other entries of the batch. */
typedef void delta_filter_log_data(void *context, struct haul_slice blob);

/* Returns the present value of a source's key, with merges resolved; `*value` is malloc'ed.
 * Errors: NOT_FOUND, others. */
typedef enum haul_status delta_filter_value(void *context, uint32_t source_id,
                                            struct haul_slice key, uint8_t **value, size_t *size,
                                            struct haul_error *error);

struct delta_filter {
    const struct delta_family *families; /* borrowed; no source_id twice */
    size_t family_count;
    const struct key_range
        *ranges; /* borrowed; ascending and disjoint, the same for all families */
    size_t range_count;
    delta_filter_log_data *log_data; /* may be NULL */
    void *log_data_context;
    bool keeps_log_data;
    delta_filter_value *value; /* NULL: merges are UNSUPPORTED */
    void *value_context;
};

/* Memory for the target's batch: at least RAW_BATCH_HEADER_BYTES. */
struct delta_memory {
    uint8_t *data;
    size_t capacity_bytes;
};

struct delta_result {
    size_t size;            /* of the batch in memory; 0: nothing was kept */
    size_t size_needed;     /* of the batch, even if it did not fit */
    uint32_t record_count;  /* kept; each clip of a DeleteRange counts */
    uint64_t bytes;         /* of kept records: the lag in bytes of the range */
    bool has_log_data;      /* the batch has kept some */
    uint64_t sequence_next; /* of the batch that follows in the log */
};

/* Do the families and ranges meet the filter's requirements? Errors: INVALID. */
enum haul_status delta_filter_check(const struct delta_filter *filter,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Filter one batch into memory. `result` is written on OK and on AGAIN. After AGAIN call again with
 * result->size_needed bytes of memory, until the batch fits (a merged value may grow meanwhile);
 * LogData is passed out again, too.
 * Errors: AGAIN (does not fit; a normal result, `error` is not set), UNSUPPORTED, CORRUPT, LIMIT (a
 * record in the ranges, or LogData beside one, is larger than may be moved), and those of the value
 * callback. */
enum haul_status delta_filter_apply(const struct delta_filter *filter,
                                    const struct haul_log_batch *batch, struct delta_memory memory,
                                    struct delta_result *result,
                                    struct haul_error *error) HAUL_MUST_CHECK;

#endif
