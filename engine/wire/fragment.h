/* SPDX-License-Identifier: Apache-2.0 */
/* fragment.h — batches larger than a slot, cut into fragments in consecutive blocks.
 *
 * Each fragment's payload is {u64 total bytes, u64 offset} and a piece of a complete one-batch
 * WriteBatch representation. Fragments arrive in order, without gaps; the block whose piece ends
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
    /* Overhead of a batch of one record: a header, a tag, a family and two lengths. */
    FRAGMENT_OVERHEAD_BYTES = 64,
};
/* Limit of a whole batch: nothing larger is sent or accepted. */
#define FRAGMENT_TOTAL_BYTES_MAX \
    (HAUL_RECORD_BYTES_MAX + HAUL_KEY_BYTES_MAX + FRAGMENT_OVERHEAD_BYTES)
/* Limit of all batches in fragments that are under way at a time: one of the largest, or many small
 * ones. The source observes it (outbox_reserve), the target enforces it. */
#define FRAGMENT_SESSION_BYTES_MAX FRAGMENT_TOTAL_BYTES_MAX

void fragment_header_encode(uint64_t total_bytes, uint64_t offset, uint8_t *at);

/* Joins fragments. Zeroed is empty. The buffer grows with what has really arrived, never with what
 * a header promises, and is freed after each batch. */
struct fragment_assembly {
    struct memory_budget *budget; /* shared by all streams; NULL: none */
    uint8_t *data;
    size_t size;
    size_t capacity;
    uint64_t total_bytes;
};

/* Add one payload. `*complete` is the batch if this was its last piece, borrowed until
 * fragment_assembly_reset. Errors: PROTOCOL (gap, changed total, too large, more than the budget
 * has left), NO_MEMORY. */
enum haul_status fragment_assembly_add(struct fragment_assembly *assembly,
                                       struct haul_slice payload, bool *is_complete,
                                       struct haul_slice *complete,
                                       struct haul_error *error) HAUL_MUST_CHECK;
static inline bool fragment_assembly_is_open(const struct fragment_assembly *assembly)
{
    return assembly->size > 0;
}
/* Drop the collected pieces and free their memory. */
void fragment_assembly_reset(struct fragment_assembly *assembly);

#endif
