/* SPDX-License-Identifier: Apache-2.0 */
/* reader_pool.h — the threads that read the store for the source: streams of the snapshot, rounds
 * over the log, digests by scan. The loop thread submits tasks and takes results; filled blocks go
 * through the outbox. */
#ifndef HAUL_READER_POOL_H
#define HAUL_READER_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "log_digest.h"
#include "log_tail.h"
#include "outbox.h"
#include "plan.h"

struct reader_pool;

enum { READER_THREADS_MAX = HAUL_READER_COUNT_MAX + 1 }; /* one for the log */

enum reader_task_type {
    READER_COPY,   /* one stream, from the given position on */
    READER_ROUND,  /* the log to its present end, for the target and for the digests */
    READER_FOLLOW, /* the log to its present end, for the digests only; may renew their base view */
    READER_DIGEST, /* count and digest of one family by scan, at present */
};

struct reader_task {
    enum reader_task_type type;
    uint32_t index;                /* stream (COPY) or family (DIGEST) of the plan */
    uint64_t next_batch;           /* COPY: the batch to continue with; 0: from the start */
    struct haul_slice start_after; /* COPY with next_batch > 0: the last key that the target has;
                                    * borrowed until the result */
    bool rescan;                   /* COPY: the history lacks what the target has; a scan computes
                                    * its digest, which then enters the history */
    bool finished;                 /* with rescan: the target has the whole stream */
};

struct reader_result {
    enum reader_task_type type;
    uint32_t index;
    struct haul_error error; /* status OK, CLOSED (the job ends), or the failure */
    struct digest digest;    /* COPY: of the whole stream; DIGEST: of the family */
    uint64_t bytes;          /* ROUND: of the ranges */
    uint64_t sequence;       /* ROUND: the log was read up to this number */
    uint64_t batches;        /* COPY, ROUND: of the stream, emitted since it began */
};

struct reader_pool_options {
    struct haul_store *store;
    const struct haul_snapshot *snapshot; /* borrowed until destroy */
    const struct plan *plan;
    struct outbox *outbox;
    struct batch_history *histories; /* one for each stream of the plan */
    struct log_tail *tail;           /* borrowed; used by one ROUND at a time */
    struct log_digest *follower;     /* borrowed; used by one ROUND or FOLLOW at a time */
    uint32_t thread_count;
    size_t task_count_max; /* tasks that may wait or run at the same time */
};

enum haul_status reader_pool_create(const struct reader_pool_options *options,
                                    struct reader_pool **pool,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Request the running tasks to end early. Also close the outbox, since a task may wait there. */
void reader_pool_stop(struct reader_pool *pool);
/* Joins the threads. */
void reader_pool_destroy(struct reader_pool *pool);

/* Errors: AGAIN (task_count_max reached), CLOSED. */
enum haul_status reader_pool_submit(struct reader_pool *pool,
                                    const struct reader_task *task) HAUL_MUST_CHECK;
/* Errors: AGAIN. */
enum haul_status reader_pool_result(struct reader_pool *pool,
                                    struct reader_result *result) HAUL_MUST_CHECK;
int reader_pool_fd(const struct reader_pool *pool);

#endif
