/* SPDX-License-Identifier: Apache-2.0 */
/* log_reader.h — the write-ahead log of a source, batch by batch, of each what belongs to the plan.
 *
 * Continuity is the store's to prove (wal_open, wal_next answer GAP). Thread: one at a time. */
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
    struct haul_wal_reader *wal; /* NULL: opened by the next read */
    uint64_t sequence;           /* read up to and with it */
    uint64_t merge_count;        /* merges that were looked up so far */
    struct delta_family *families;
    struct delta_filter filter;
    struct delta_memory scratch;
};

/* One batch of the log. */
struct log_piece {
    struct haul_slice kept; /* size 0: nothing of it; valid until the next read */
    uint32_t record_count;  /* of `kept` */
    uint64_t bytes;
};

/* The log is read behind `sequence`. Store and plan are borrowed; target ids may be filled in until
 * the first read. Errors: NO_MEMORY (`error` is not set). */
enum haul_status log_reader_init(struct log_reader *reader, struct haul_store *store,
                                 const struct plan *plan, uint64_t sequence) HAUL_MUST_CHECK;
/* A zeroed reader may be finished, too. */
void log_reader_fini(struct log_reader *reader);
/* LogData goes there from now on. */
void log_reader_set_log_data(struct log_reader *reader, delta_filter_log_data *log_data,
                             void *context);

/* Go on behind `sequence`. */
void log_reader_seek(struct log_reader *reader, uint64_t sequence);
/* Errors: AGAIN (the end of the log as of now), GAP, those of delta_filter_apply but AGAIN. */
enum haul_status log_reader_next(struct log_reader *reader, struct log_piece *piece,
                                 struct haul_error *error) HAUL_MUST_CHECK;

#endif
