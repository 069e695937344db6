/* SPDX-License-Identifier: Apache-2.0 */
/* log_reader.h — reads a source's write-ahead log batch by batch, and filters each for the plan.
 *
 * The store proves continuity (wal_open and wal_next return GAP). Thread: one at a time. */
#ifndef HAUL_LOG_READER_H
#define HAUL_LOG_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "delta_filter.h"
#include "plan.h"

struct log_reader {
    struct haul_store *store;
    const struct plan *plan;
    bool keeps_ids; /* families keep the source's ids instead of getting the target's */
    struct haul_wal_reader *wal; /* NULL: the next read opens it */
    uint64_t sequence;           /* read up to and including it */
    uint64_t merge_count;        /* merges looked up so far */
    struct delta_family *families;
    struct delta_filter filter;
    struct delta_memory scratch;
};

/* One batch of the log. */
struct log_piece {
    struct haul_slice kept; /* size 0: nothing of the batch; valid until the next read */
    uint32_t record_count;  /* of `kept` */
    uint64_t bytes;
    bool has_log_data;
};

/* Reads the log after `sequence`. Store and plan are borrowed; target ids may be filled in until
 * the first read. Errors: NO_MEMORY (`error` is not set). */
enum haul_status log_reader_init(struct log_reader *reader, struct haul_store *store,
                                 const struct plan *plan, uint64_t sequence) HAUL_MUST_CHECK;
/* Also valid for a zeroed reader. */
void log_reader_fini(struct log_reader *reader);
/* Pass LogData to `log_data` from now on. */
void log_reader_set_log_data(struct log_reader *reader, delta_filter_log_data *log_data,
                             void *context);

/* Keep LogData beside kept records from the next read on, or not. */
void log_reader_keep_log_data(struct log_reader *reader, bool keep);

/* Continue after `sequence`. */
void log_reader_seek(struct log_reader *reader, uint64_t sequence);
/* Errors: AGAIN (the present end of the log), GAP, those of delta_filter_apply except AGAIN. */
enum haul_status log_reader_next(struct log_reader *reader, struct log_piece *piece,
                                 struct haul_error *error) HAUL_MUST_CHECK;

#endif
