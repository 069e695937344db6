/* SPDX-License-Identifier: Apache-2.0 */
/* delta_filter.h — what one batch of the source's write-ahead log means for the ranges of a job:
 * nothing, one batch for the target, or that the job cannot continue. Pure.
 *
 *   in the log                    for the target
 *   Put, Delete                   as they are, when the key is in a range
 *   SingleDelete                  Delete: the target may hold an older Put that it would uncover
 *   DeleteRange                   one for each range that it crosses, clipped to that
 *   LogData                       to the callback, when there is one; never sent
 *   Noop                          nothing
 *   Merge                         Put of the value that the key has now, or Delete: see below
 *   PutEntity                     Put, when the default column is the only one
 *   other PutEntity, BlobIndex    UNSUPPORTED when the key is in a range
 *   two-phase commit markers      UNSUPPORTED: what they commit is elsewhere in the log
 *
 * A merge must not be applied twice, and the log may be replayed over a view that has it already.
 * So the filter looks up what the merge has made of the key. That may be newer than the log at this
 * place; then the log has a later record of the key, and the last one is right.
 *
 * Records of families that are not in the map are dropped; the others get the target's family.
 * What is kept of a batch keeps its order and stays one batch, so that it stays atomic.
 *
 * Thread: any, one call at a time for each filter. */
#ifndef HAUL_DELTA_FILTER_H
#define HAUL_DELTA_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "haul/store.h"
#include "key_range.h"

struct delta_family {
    uint32_t source_id;
    uint32_t target_id;
};

/* Borrowed blob of a LogData record, in order with the other records of the batch. */
typedef void delta_filter_log_data(void *context, struct haul_slice blob);

/* What a key of the source reads as now, merges resolved; `*value` is malloc'ed.
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
    delta_filter_value *value; /* NULL: merges are UNSUPPORTED */
    void *value_context;
};

/* Where the batch for the target goes: at least RAW_BATCH_HEADER_BYTES. */
struct delta_memory {
    uint8_t *data;
    size_t capacity_bytes;
};

struct delta_result {
    size_t size;            /* of the batch in memory; 0: nothing of it was kept */
    size_t size_needed;     /* of the batch, also when it did not fit */
    uint32_t record_count;  /* kept; clips of a DeleteRange count each */
    uint64_t bytes;         /* of kept records: the lag in bytes of the range */
    uint64_t sequence_next; /* of the batch that follows in the log */
};

/* Are the families and ranges as a filter needs them? Errors: INVALID. */
enum haul_status delta_filter_check(const struct delta_filter *filter,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Filter one batch into memory. `result` is written on OK and on AGAIN: then call again with
 * result->size_needed bytes of memory, until it fits (a merged value may grow meanwhile); LogData
 * is handed out again, too.
 * Errors: AGAIN (does not fit; a normal answer, `error` is not set), UNSUPPORTED, CORRUPT, LIMIT (a
 * record of the ranges is larger than may be moved), and what looking up a value answers. */
enum haul_status delta_filter_apply(const struct delta_filter *filter,
                                    const struct haul_log_batch *batch, struct delta_memory memory,
                                    struct delta_result *result,
                                    struct haul_error *error) HAUL_MUST_CHECK;

#endif
