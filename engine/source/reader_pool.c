/* SPDX-License-Identifier: Apache-2.0 */
/* reader_pool.c — worker threads over one queue of tasks. */
#include "reader_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "batch_builder.h"
#include "clock.h"
#include "planted_bug.h"
#include "thread_priority.h"

struct reader_pool {
    struct reader_pool_options options;
    struct mailbox *tasks;
    struct mailbox *results;
    atomic_bool stop;
    uint32_t started_count;
    pthread_t threads[READER_THREADS_MAX];
};

/* The range of a scan. */
struct reader_span {
    const struct haul_snapshot *snapshot; /* NULL: the present state */
    uint32_t family_id;
    struct haul_slice start;
    struct haul_slice end;
};

/* --- tasks ------------------------------------------------------------------------------------ */

static bool is_stopped(const struct reader_pool *pool)
{
    return atomic_load_explicit(&pool->stop, memory_order_relaxed);
}

/* Add every record of [start, end) of a family to the result's digest. */
static enum haul_status digest_records(struct reader_pool *pool, const struct reader_span *span,
                                       struct reader_result *result)
{
    const struct haul_store_ops *ops = pool->options.store->ops;
    struct haul_scan *scan = NULL;
    struct haul_record record;
    enum haul_status status = ops->scan_open(pool->options.store, span->snapshot, span->family_id,
                                             span->start, span->end, &scan, &result->error);
    while (status == HAUL_OK &&
           (status = ops->scan_next(scan, &record, &result->error)) == HAUL_OK) {
        digest_add(&result->digest, &pool->options.plan->digest_key, record.key, record.value);
        status = is_stopped(pool) ? HAUL_CLOSED : HAUL_OK;
    }
    if (scan != NULL) {
        ops->scan_close(scan);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

static enum haul_status digest_last_key(struct reader_pool *pool, const struct reader_task *task,
                                        uint32_t family_id, struct reader_result *result)
{
    struct haul_store *store = pool->options.store;
    uint8_t *value = NULL;
    size_t size = 0;
    enum haul_status status = store->ops->get(store, pool->options.snapshot, family_id,
                                              task->start_after, &value, &size, &result->error);
    if (status == HAUL_OK) {
        digest_add(&result->digest, &pool->options.plan->digest_key, task->start_after,
                   slice_of(value, size));
        free(value);
    }
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

/* Compute the digest of what an earlier process has sent of the stream, from this view. */
static enum haul_status adopt_batches(struct reader_pool *pool, const struct reader_task *task,
                                      struct reader_result *result)
{
    const struct plan_stream *stream = &pool->options.plan->streams[task->index];
    struct reader_span there = {
        .snapshot = pool->options.snapshot,
        .family_id = pool->options.plan->families[stream->family].family.id,
        .start = key_range_start(&stream->range),
        .end = task->finished ? key_range_end(&stream->range) : task->start_after,
    };
    enum haul_status status = HAUL_OK;
    if (task->finished || task->start_after.size > 0) {
        status = digest_records(pool, &there, result);
    }
    if (status == HAUL_OK && !task->finished && !HAUL_PLANTED_BUG(LAST_KEY_UNCOUNTED)) {
        status = digest_last_key(pool, task, there.family_id, result);
    }
    if (status == HAUL_OK) {
        batch_history_adopt(&pool->options.histories[task->index], task->next_batch,
                            &result->digest);
    }
    return status;
}

/* Send every record of the scan. */
static enum haul_status copy_records(struct reader_pool *pool, struct haul_scan *scan,
                                     const struct reader_task *task, uint32_t family_id,
                                     struct batch_builder *builder, struct reader_result *result)
{
    const struct haul_store_ops *ops = pool->options.store->ops;
    struct haul_error *error = &result->error;
    struct haul_record record;
    bool first = true;
    enum haul_status status;
    while ((status = ops->scan_next(scan, &record, error)) == HAUL_OK) {
        bool repeated =
            first && task->next_batch > 0 && slice_compare(record.key, task->start_after) == 0;
        first = false;
        if (repeated) {
            continue;
        }
        status = is_stopped(pool)
                     ? HAUL_CLOSED
                     : batch_builder_put(builder, family_id, record.key, record.value, error);
        if (status != HAUL_OK) {
            return status;
        }
    }
    bool over = status == HAUL_NOT_FOUND || HAUL_PLANTED_BUG(ITERATOR_STATUS);
    return over ? batch_builder_finish(builder) : status;
}

/* Send the stream from the task's position on. */
static enum haul_status send_stream(struct reader_pool *pool, const struct reader_task *task,
                                    struct reader_result *result)
{
    const struct plan_stream *stream = &pool->options.plan->streams[task->index];
    const struct plan_family *family = &pool->options.plan->families[stream->family];
    const struct haul_store_ops *ops = pool->options.store->ops;
    struct haul_slice start =
        task->next_batch > 0 ? task->start_after : key_range_start(&stream->range);
    struct haul_scan *scan = NULL;
    enum haul_status status =
        ops->scan_open(pool->options.store, pool->options.snapshot, family->family.id, start,
                       key_range_end(&stream->range), &scan, &result->error);
    if (status != HAUL_OK) {
        return status;
    }
    struct batch_builder builder;
    batch_builder_init(&builder, pool->options.outbox, stream->id, SLOT_KIND_SNAPSHOT,
                       task->next_batch);
    builder.history = &pool->options.histories[task->index];
    builder.digest = batch_history_at(builder.history, task->next_batch);
    uint32_t sent_id = HAUL_PLANTED_BUG(WRONG_FAMILY) ? family->family.id : family->target_id;
    status = copy_records(pool, scan, task, sent_id, &builder, result);
    result->digest = builder.digest;
    result->batches = builder.next_batch;
    batch_builder_fini(&builder);
    ops->scan_close(scan);
    return status;
}

static enum haul_status run_copy(struct reader_pool *pool, const struct reader_task *task,
                                 struct reader_result *result)
{
    enum haul_status status = task->rescan ? adopt_batches(pool, task, result) : HAUL_OK;
    if (status != HAUL_OK || task->finished) {
        result->batches = task->next_batch;
        return status;
    }
    return send_stream(pool, task, result);
}

static enum haul_status run_digest(struct reader_pool *pool, const struct reader_task *task,
                                   struct reader_result *result)
{
    const struct plan *plan = pool->options.plan;
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < plan->range_count && status == HAUL_OK; i++) {
        struct reader_span range = {.family_id = plan->families[task->index].family.id,
                                    .start = key_range_start(&plan->ranges[i]),
                                    .end = key_range_end(&plan->ranges[i])};
        status = digest_records(pool, &range, result);
    }
    return status;
}

static enum haul_status run_round(struct reader_pool *pool, struct reader_result *result)
{
    struct log_tail *tail = pool->options.tail;
    enum haul_status status = log_tail_round(tail, &pool->stop, &result->bytes, &result->error);
    result->sequence = log_tail_sequence(tail);
    result->batches = log_tail_next_batch(tail);
    /* After the round, so that the target has work meanwhile. */
    return status == HAUL_OK
               ? log_digest_follow(pool->options.follower, &pool->stop, &result->error)
               : status;
}

static enum haul_status run_follow(struct reader_pool *pool, struct reader_result *result)
{
    struct log_digest *follower = pool->options.follower;
    enum haul_status status = log_digest_follow_ahead(follower, &pool->stop, &result->error);
    if (status == HAUL_OK) {
        log_digest_renew(follower);
    }
    return status;
}

static void run_task(struct reader_pool *pool, const struct reader_task *task)
{
    struct reader_result result = {.type = task->type, .index = task->index};
    enum haul_status status = is_stopped(pool)              ? HAUL_CLOSED
                              : task->type == READER_COPY   ? run_copy(pool, task, &result)
                              : task->type == READER_DIGEST ? run_digest(pool, task, &result)
                              : task->type == READER_ROUND  ? run_round(pool, &result)
                                                            : run_follow(pool, &result);
    result.error.status = status;
    /* There is room: each result belongs to a task, and tasks are limited. */
    status = mailbox_push_wait(pool->results, &result, CLOCK_NEVER);
    haul_assert(status == HAUL_OK || status == HAUL_CLOSED);
}

static void *run_thread(void *argument)
{
    struct reader_pool *pool = argument;
    struct reader_task task;
    thread_priority_step_back();
    while (mailbox_pop_wait(pool->tasks, &task, CLOCK_NEVER) == HAUL_OK) {
        run_task(pool, &task);
    }
    return NULL;
}

/* --- public ----------------------------------------------------------------------------------- */

enum haul_status reader_pool_create(const struct reader_pool_options *options,
                                    struct reader_pool **out, struct haul_error *error)
{
    haul_assert(options->thread_count >= 1 && options->thread_count <= READER_THREADS_MAX);
    struct reader_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the readers");
    }
    pool->options = *options;
    size_t capacity = options->task_count_max;
    enum haul_status status = mailbox_create(capacity, sizeof(struct reader_task), &pool->tasks);
    if (status == HAUL_OK) {
        status = mailbox_create(capacity, sizeof(struct reader_result), &pool->results);
    }
    for (uint32_t i = 0; i < options->thread_count && status == HAUL_OK; i++) {
        int result = pthread_create(&pool->threads[i], NULL, run_thread, pool);
        status = result == 0 ? HAUL_OK : HAUL_LIMIT;
        pool->started_count += result == 0;
    }
    if (status != HAUL_OK) {
        haul_error_set(error, status, "pthread_create", 0, "cannot start %u readers",
                       options->thread_count);
        reader_pool_destroy(pool);
        return status;
    }
    *out = pool;
    return HAUL_OK;
}

void reader_pool_stop(struct reader_pool *pool)
{
    atomic_store(&pool->stop, true);
}

void reader_pool_destroy(struct reader_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    reader_pool_stop(pool);
    if (pool->results != NULL) {
        mailbox_close(pool->results);
    }
    if (pool->tasks != NULL) {
        mailbox_close(pool->tasks);
    }
    for (uint32_t i = 0; i < pool->started_count; i++) {
        (void)pthread_join(pool->threads[i], NULL);
    }
    mailbox_destroy(pool->tasks);
    mailbox_destroy(pool->results);
    free(pool);
}

enum haul_status reader_pool_submit(struct reader_pool *pool, const struct reader_task *task)
{
    return mailbox_push(pool->tasks, task);
}

enum haul_status reader_pool_result(struct reader_pool *pool, struct reader_result *result)
{
    return mailbox_pop(pool->results, result);
}

int reader_pool_fd(const struct reader_pool *pool)
{
    return mailbox_fd(pool->results);
}
