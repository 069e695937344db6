/* SPDX-License-Identifier: Apache-2.0 */
/* log_tail.h — the sending end of the delta stream: follows the write-ahead log from the snapshot
 * on, keeps what belongs to the plan, and sends it in order.
 *
 * The store proves continuity (wal_open and wal_next return GAP). This file takes "no more batches"
 * for "caught up" only when the reader has reached the store's last sequence number. Small log
 * batches share one batch on the wire. A log batch is never cut in two, so that what was atomic
 * stays atomic.
 *
 * LogData stands for what follows it up to the next LogData or the end of its batch. So a log batch
 * that begins without LogData never follows one with LogData in the same batch on the wire.
 *
 * Thread: one at a time. */
#ifndef HAUL_LOG_TAIL_H
#define HAUL_LOG_TAIL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"
#include "outbox.h"
#include "plan.h"

struct log_tail;

struct log_tail_options {
    struct haul_store *store;
    const struct plan *plan; /* target ids filled in before the first round */
    struct outbox *outbox;
    uint64_t sequence; /* of the snapshot: the first round starts at sequence + 1 */
    bool adopted;      /* an earlier process has sent deltas of this job: the first rewind gives the
                        * number of batches that the target has, and the log is sent again from
                        * `sequence` on */
    uint64_t foreign_ingests; /* the store's count at the snapshot or before it */
    const struct haul_hooks *hooks;
};

enum haul_status log_tail_create(const struct log_tail_options *options, struct log_tail **tail,
                                 struct haul_error *error) HAUL_MUST_CHECK;
void log_tail_destroy(struct log_tail *tail);

/* Send everything from the end of the last round to the log's present end. `stop` ends it early
 * with CLOSED. `*bytes`: of the plan's ranges. Errors: GAP (also: files were ingested, which no log
 * contains), UNSUPPORTED (a kind of log entry that cannot be moved), STORE, CLOSED. */
enum haul_status log_tail_round(struct log_tail *tail, const atomic_bool *stop, uint64_t *bytes,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Send LogData, too, from the next round on, or not: only if the target takes it. */
void log_tail_send_log_data(struct log_tail *tail, bool send);

/* Between two connections: return the block being filled, then continue so that batch `next_batch`
 * is the next. Changes that are sent twice lead to the same state. Errors: PROTOCOL: there was no
 * such batch. */
void log_tail_pause(struct log_tail *tail);
enum haul_status log_tail_rewind(struct log_tail *tail, uint64_t next_batch,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* The log was sent up to and including this sequence number. */
uint64_t log_tail_sequence(const struct log_tail *tail);
uint64_t log_tail_next_batch(const struct log_tail *tail);
/* An estimate of the bytes of the plan's ranges in the part of the log that no round has read yet:
 * the average per sequence number so far, or `record_bytes` before anything was read.
 * Thread: any. */
uint64_t log_tail_lag_bytes(const struct log_tail *tail, uint64_t record_bytes);

#endif
