/* SPDX-License-Identifier: Apache-2.0 */
/* position_queue.h — stream positions that are durable in the store and wait for the journal: they
 * gather while the call worker records those taken before. Thread: the loop's; the array of `taken`
 * belongs to the call worker from a take to its done. */
#ifndef HAUL_POSITION_QUEUE_H
#define HAUL_POSITION_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "apply_stream.h"

/* Zeroed: empty. */
struct position_queue {
    struct stream_position *waiting;
    size_t waiting_count;
    struct stream_position *taken; /* NULL: none are being recorded */
    size_t taken_count;
};

/* Takes the array over. Positions that are not resumable are dropped: a resume then repeats more.
 * Positions of finished streams and of the delta stream are always resumable.
 * Errors: NO_MEMORY (the whole array is lost: the job cannot continue). */
enum haul_status position_queue_add(struct position_queue *queue, struct stream_position *positions,
                                    size_t count) HAUL_MUST_CHECK;
/* Hand the waiting positions to the call worker. False: it is busy, or none wait. */
bool position_queue_take(struct position_queue *queue);
bool position_queue_is_busy(const struct position_queue *queue);
/* How many of the taken positions are the end of a stream? */
uint32_t position_queue_taken_finished(const struct position_queue *queue);
/* The taken positions are recorded, or recording them failed. */
void position_queue_done(struct position_queue *queue);
void position_queue_fini(struct position_queue *queue);

#endif
