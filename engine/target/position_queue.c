/* SPDX-License-Identifier: Apache-2.0 */
/* position_queue.c — durable stream positions that wait for the journal. */
#include "position_queue.h"

#include <stdlib.h>
#include <string.h>

static void free_positions(struct stream_position *positions, size_t count)
{
    for (size_t i = 0; positions != NULL && i < count; i++) {
        stream_position_fini(&positions[i]);
    }
    free(positions);
}

/* Returns the number of positions that are left. */
static size_t keep_resumable(struct stream_position *positions, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (positions[i].resumable) {
            positions[kept++] = positions[i];
        } else {
            stream_position_fini(&positions[i]);
        }
    }
    return kept;
}

enum haul_status position_queue_add(struct position_queue *queue, struct stream_position *positions,
                                    size_t count)
{
    count = keep_resumable(positions, count);
    if (count == 0) {
        free(positions);
        return HAUL_OK;
    }
    size_t total = queue->waiting_count + count;
    struct stream_position *all = realloc(queue->waiting, total * sizeof(*all));
    if (all == NULL) {
        free_positions(positions, count);
        return HAUL_NO_MEMORY;
    }
    memcpy(all + queue->waiting_count, positions, count * sizeof(*all));
    free(positions);
    queue->waiting = all;
    queue->waiting_count = total;
    return HAUL_OK;
}

bool position_queue_take(struct position_queue *queue)
{
    if (queue->taken != NULL || queue->waiting_count == 0) {
        return false;
    }
    queue->taken = queue->waiting;
    queue->taken_count = queue->waiting_count;
    queue->waiting = NULL;
    queue->waiting_count = 0;
    return true;
}

bool position_queue_is_busy(const struct position_queue *queue)
{
    return queue->taken != NULL;
}

uint32_t position_queue_taken_finished(const struct position_queue *queue)
{
    uint32_t finished = 0;
    for (size_t i = 0; i < queue->taken_count; i++) {
        finished += queue->taken[i].finished ? 1 : 0;
    }
    return finished;
}

void position_queue_done(struct position_queue *queue)
{
    free_positions(queue->taken, queue->taken_count);
    queue->taken = NULL;
    queue->taken_count = 0;
}

void position_queue_fini(struct position_queue *queue)
{
    position_queue_done(queue);
    free_positions(queue->waiting, queue->waiting_count);
    queue->waiting = NULL;
    queue->waiting_count = 0;
}
