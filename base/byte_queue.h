/* SPDX-License-Identifier: Apache-2.0 */
/* byte_queue.h — a queue of bytes in one piece of memory that grows on demand.
 *
 * Bytes [begin, end) are in use. A zeroed struct is an empty queue. To append, reserve room, write
 * at `bytes + end` and advance `end`. Thread: the owner's. */
#ifndef HAUL_BYTE_QUEUE_H
#define HAUL_BYTE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

struct byte_queue {
    uint8_t *bytes;
    size_t capacity;
    size_t begin;
    size_t end;
};

static inline size_t byte_queue_size(const struct byte_queue *queue)
{
    return queue->end - queue->begin;
}

/* Drop the first `size_bytes`. */
void byte_queue_drop(struct byte_queue *queue, size_t size_bytes);

/* Make room for `size_bytes` in total, counted from the first byte in use; bytes in use may move.
 * The caller bounds the size. Errors: NO_MEMORY. */
enum haul_status byte_queue_reserve(struct byte_queue *queue, size_t size_bytes) HAUL_MUST_CHECK;

void byte_queue_fini(struct byte_queue *queue);

#endif
