/* SPDX-License-Identifier: Apache-2.0 */
/* fragment.c — cuts and joins batches that are larger than a slot. */
#include "fragment.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "planted_bug.h"

void fragment_header_encode(uint64_t total_bytes, uint64_t offset, uint8_t *at)
{
    put_u64(at, total_bytes);
    put_u64(at + 8, offset);
}

static enum haul_status grow(struct fragment_assembly *assembly, size_t piece_size,
                             struct haul_error *error)
{
    size_t wanted = assembly->size + piece_size;
    if (wanted <= assembly->capacity) {
        return HAUL_OK;
    }
    size_t capacity = assembly->capacity == 0 ? wanted : assembly->capacity * 2;
    capacity = capacity < wanted ? wanted : capacity;
    capacity = capacity > assembly->total_bytes ? assembly->total_bytes : capacity;
    uint8_t *data = realloc(assembly->data, capacity);
    if (data == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0,
                              "no memory for a record of %llu bytes",
                              (unsigned long long)assembly->total_bytes);
    }
    assembly->data = data;
    assembly->capacity = capacity;
    return HAUL_OK;
}

enum haul_status fragment_assembly_add(struct fragment_assembly *assembly,
                                       struct haul_slice payload, bool *is_complete,
                                       struct haul_slice *complete, struct haul_error *error)
{
    struct cursor cursor = cursor_of(payload.data, payload.size);
    uint64_t total = cursor_u64(&cursor);
    uint64_t offset = cursor_u64(&cursor);
    size_t piece_size = cursor_left(&cursor);
    bool sound = !cursor.failed && piece_size > 0 && offset == assembly->size &&
                 (offset == 0 || total == assembly->total_bytes) &&
                 total <= FRAGMENT_TOTAL_BYTES_MAX && piece_size <= total - offset;
    if (!sound) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "fragment of %zu bytes at %llu of %llu does not follow byte %zu",
                              piece_size, (unsigned long long)offset, (unsigned long long)total,
                              assembly->size);
    }
    if (offset == 0) {
        if (assembly->budget != NULL && !memory_budget_take(assembly->budget, total)) {
            return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                                  "batches in fragments take more than %llu bytes at a time",
                                  (unsigned long long)assembly->budget->bytes_max);
        }
        assembly->total_bytes = total;
    }
    enum haul_status status = grow(assembly, piece_size, error);
    if (status != HAUL_OK) {
        return status;
    }
    size_t at = assembly->size;
    if (HAUL_PLANTED_BUG(FRAGMENT_ORDER)) {
        memmove(assembly->data + piece_size, assembly->data, assembly->size);
        at = 0;
    }
    memcpy(assembly->data + at, cursor.at, piece_size);
    assembly->size += piece_size;
    *is_complete = assembly->size == total;
    if (*is_complete) {
        *complete = slice_of(assembly->data, assembly->size);
    }
    return HAUL_OK;
}

void fragment_assembly_reset(struct fragment_assembly *assembly)
{
    struct memory_budget *budget = assembly->budget;
    free(assembly->data);
    if (budget != NULL) {
        memory_budget_give(budget, assembly->total_bytes);
    }
    memset(assembly, 0, sizeof(*assembly));
    assembly->budget = budget;
}
