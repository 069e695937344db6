/* SPDX-License-Identifier: Apache-2.0 */
/* fragment.h — records larger than a slot: one batch cut over consecutive blocks.
 *
 * Each fragment's payload is {u64 total bytes, u64 offset} and a piece of a complete one-batch
 * WriteBatch representation. Fragments come in order, without a hole; the block whose piece ends
 * at `total` completes the batch. */
#ifndef HAUL_FRAGMENT_H
#define HAUL_FRAGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/slice.h"
#include "haul/status.h"
#include "haul/store.h"
#include "memory_budget.h"

enum {
    FRAGMENT_HEADER_BYTES = 16,
    /* What a batch of one record adds to it: a header, a tag, a family and two lengths. */
    FRAGMENT_OVERHEAD_BYTES = 64,
};
/* Of a whole batch: nothing larger is sent or taken. */
#define FRAGMENT_TOTAL_BYTES_MAX \
    (HAUL_RECORD_BYTES_MAX + HAUL_KEY_BYTES_MAX + FRAGMENT_OVERHEAD_BYTES)
/* Of all batches whose pieces are on their way at a time: one of the largest, or many small ones.
 * A source keeps to it (outbox_reserve), a target insists on it. */
#define FRAGMENT_SESSION_BYTES_MAX FRAGMENT_TOTAL_BYTES_MAX

void fragment_header_encode(uint64_t total_bytes, uint64_t offset, uint8_t *at);

/* Puts fragments together again. A zeroed one is empty. The buffer grows with what really
 * arrived, never with what a header promises, and is freed after each batch. */
struct fragment_assembly {
    struct memory_budget *budget; /* of all streams; NULL: none */
    uint8_t *data;
    size_t size;
    size_t capacity;
    uint64_t total_bytes;
};

/* Take one payload. `*complete` gets the batch when this was its last piece, borrowed until
 * fragment_assembly_reset. Errors: PROTOCOL (hole, changed total, too large, more than the budget
 * has left), NO_MEMORY. */
enum haul_status fragment_assembly_add(struct fragment_assembly *assembly,
                                       struct haul_slice payload, bool *is_complete,
                                       struct haul_slice *complete,
                                       struct haul_error *error) HAUL_MUST_CHECK;
static inline bool fragment_assembly_is_open(const struct fragment_assembly *assembly)
{
    return assembly->size > 0;
}
/* Drop what was collected and its memory. */
void fragment_assembly_reset(struct fragment_assembly *assembly);

#endif
