/* SPDX-License-Identifier: Apache-2.0 */
/* batch_size.h — the size of the next batch in bytes: additive growth, halving on trouble.
 *
 * Grows by a step after every `slot_count` batches that met neither a credit stall nor a slow
 * apply; halves at most once for every `slot_count` batches. Pure arithmetic. Thread: its
 * owner's. */
#ifndef HAUL_BATCH_SIZE_H
#define HAUL_BATCH_SIZE_H

#include <stdint.h>

struct batch_size {
    uint32_t bytes_min;
    uint32_t bytes_max;
    uint32_t bytes;
    uint32_t window;   /* batches between two decisions */
    uint32_t calm;     /* batches since the last decision */
    uint32_t settling; /* batches still to come that were sized before the last halving */
};

enum { BATCH_SIZE_STEP_BYTES = 256 << 10 };

/* Bounds are clamped to `payload_size_bytes_max`; starts at the lower bound. */
void batch_size_init(struct batch_size *size, uint32_t bytes_min, uint32_t bytes_max,
                     uint32_t payload_size_bytes_max, uint32_t slot_count);
/* One batch was sent without waiting for a credit. */
void batch_size_note_sent(struct batch_size *size);
/* A batch had to wait for a credit, or its apply took longer than the link needs to send it. */
void batch_size_note_stall(struct batch_size *size);

#endif
