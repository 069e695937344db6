/* SPDX-License-Identifier: Apache-2.0 */
/* batch_history.c — a growing array of digests. */
#include "batch_history.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"

enum { CAPACITY_INITIAL = 64 };

void batch_history_adopt(struct batch_history *history, size_t batch_count,
                         const struct digest *base)
{
    history->base = *base;
    history->base_count = batch_count;
    history->count = batch_count;
}

enum haul_status batch_history_note(struct batch_history *history, const struct digest *digest)
{
    size_t noted = history->count - history->base_count;
    if (noted == history->capacity) {
        size_t capacity = history->capacity == 0 ? CAPACITY_INITIAL : 2 * history->capacity;
        struct digest *after = realloc(history->after, capacity * sizeof(*after));
        if (after == NULL) {
            return HAUL_NO_MEMORY;
        }
        history->after = after;
        history->capacity = capacity;
    }
    history->after[noted] = *digest;
    history->count++;
    return HAUL_OK;
}

struct digest batch_history_at(const struct batch_history *history, size_t batch_count)
{
    haul_assert(batch_count >= history->base_count && batch_count <= history->count);
    return batch_count == history->base_count
               ? history->base
               : history->after[batch_count - history->base_count - 1];
}

void batch_history_truncate(struct batch_history *history, size_t batch_count)
{
    haul_assert(batch_count >= history->base_count && batch_count <= history->count);
    history->count = batch_count;
}

void batch_history_fini(struct batch_history *history)
{
    free(history->after);
    memset(history, 0, sizeof(*history));
}
