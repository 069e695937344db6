/* SPDX-License-Identifier: Apache-2.0 */
/* batch_history.c — a growing array of digests. */
#include "batch_history.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"

enum { CAPACITY_INITIAL = 64 };

enum haul_status batch_history_note(struct batch_history *history, const struct digest *digest)
{
    if (history->count == history->capacity) {
        size_t capacity = history->capacity == 0 ? CAPACITY_INITIAL : 2 * history->capacity;
        struct digest *after = realloc(history->after, capacity * sizeof(*after));
        if (after == NULL) {
            return HAUL_NO_MEMORY;
        }
        history->after = after;
        history->capacity = capacity;
    }
    history->after[history->count++] = *digest;
    return HAUL_OK;
}

struct digest batch_history_at(const struct batch_history *history, size_t batch_count)
{
    haul_assert(batch_count <= history->count);
    return batch_count == 0 ? (struct digest){0} : history->after[batch_count - 1];
}

void batch_history_truncate(struct batch_history *history, size_t batch_count)
{
    haul_assert(batch_count <= history->count);
    history->count = batch_count;
}

void batch_history_fini(struct batch_history *history)
{
    free(history->after);
    memset(history, 0, sizeof(*history));
}
