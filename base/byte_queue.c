/* SPDX-License-Identifier: Apache-2.0 */
/* byte_queue.c — grows by doubling, and moves its bytes to the front when the end has no room
 * left. */
#include "byte_queue.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"

enum { CAPACITY_BYTES_FIRST = 4 << 10 };

void byte_queue_drop(struct byte_queue *queue, size_t size_bytes)
{
    haul_assert(size_bytes <= byte_queue_size(queue));
    queue->begin += size_bytes;
    if (queue->begin == queue->end) {
        queue->begin = 0;
        queue->end = 0;
    }
}

enum haul_status byte_queue_reserve(struct byte_queue *queue, size_t size_bytes)
{
    if (queue->begin > 0 && queue->begin + size_bytes > queue->capacity) {
        memmove(queue->bytes, queue->bytes + queue->begin, byte_queue_size(queue));
        queue->end -= queue->begin;
        queue->begin = 0;
    }
    if (size_bytes <= queue->capacity) {
        return HAUL_OK;
    }
    size_t capacity = queue->capacity == 0 ? CAPACITY_BYTES_FIRST : queue->capacity;
    while (capacity < size_bytes) {
        capacity *= 2;
    }
    uint8_t *bytes = realloc(queue->bytes, capacity);
    if (bytes == NULL) {
        return HAUL_NO_MEMORY;
    }
    queue->bytes = bytes;
    queue->capacity = capacity;
    return HAUL_OK;
}

void byte_queue_fini(struct byte_queue *queue)
{
    free(queue->bytes);
    *queue = (struct byte_queue){0};
}
