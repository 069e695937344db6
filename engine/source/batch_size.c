/* SPDX-License-Identifier: Apache-2.0 */
/* batch_size.c — additive increase, multiplicative decrease. */
#include "batch_size.h"

#include "assertion.h"

void batch_size_init(struct batch_size *size, uint32_t bytes_min, uint32_t bytes_max,
                     uint32_t payload_size_bytes_max, uint32_t slot_count)
{
    haul_assert(bytes_min <= bytes_max);
    haul_assert(slot_count > 0);
    size->bytes_max = bytes_max < payload_size_bytes_max ? bytes_max : payload_size_bytes_max;
    size->bytes_min = bytes_min < size->bytes_max ? bytes_min : size->bytes_max;
    size->bytes = size->bytes_min;
    size->window = slot_count;
    size->calm = 0;
    size->settling = 0;
}

void batch_size_note_sent(struct batch_size *size)
{
    size->settling -= size->settling > 0 ? 1 : 0;
    if (++size->calm < size->window) {
        return;
    }
    size->calm = 0;
    uint32_t room = size->bytes_max - size->bytes;
    size->bytes += room < BATCH_SIZE_STEP_BYTES ? room : (uint32_t)BATCH_SIZE_STEP_BYTES;
}

void batch_size_note_stall(struct batch_size *size)
{
    size->calm = 0;
    /* Once in a window: the batches under way were sized before the trouble began. */
    if (size->settling > 0) {
        size->settling--;
        return;
    }
    uint32_t half = size->bytes / 2;
    size->bytes = half > size->bytes_min ? half : size->bytes_min;
    size->settling = size->window - 1;
}
