/* SPDX-License-Identifier: Apache-2.0 */
/* span_set.c — a sorted array of disjoint spans. */
#include "span_set.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

enum { COUNT_FIRST = 64 };

/* --- memory ----------------------------------------------------------------------------------- */

void span_set_init(struct span_set *set, struct memory_budget *budget)
{
    memset(set, 0, sizeof(*set));
    set->budget = budget;
}

/* Both bounds lie in one allocation, which `begin` points to. */
static size_t bounds_size(const struct key_span *span)
{
    return span->begin.size + span->end.size + 1;
}

static void release(struct span_set *set, struct key_span *span)
{
    memory_budget_give(set->budget, bounds_size(span));
    free((void *)(uintptr_t)span->begin.data);
}

void span_set_clear(struct span_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        release(set, &set->spans[i]);
    }
    memory_budget_give(set->budget, set->capacity * sizeof(*set->spans));
    free(set->spans);
    span_set_init(set, set->budget);
}

static enum haul_status copy_span(struct span_set *set, const struct key_span *span,
                                  struct key_span *copy)
{
    size_t size = bounds_size(span);
    if (!memory_budget_take(set->budget, size)) {
        return HAUL_LIMIT;
    }
    uint8_t *memory = malloc(size);
    if (memory == NULL) {
        memory_budget_give(set->budget, size);
        return HAUL_NO_MEMORY;
    }
    if (span->begin.size > 0) {
        memcpy(memory, span->begin.data, span->begin.size);
    }
    if (span->end.size > 0) {
        memcpy(memory + span->begin.size, span->end.data, span->end.size);
    }
    *copy = (struct key_span){.family_id = span->family_id,
                              .begin = slice_of(memory, span->begin.size),
                              .end = slice_of(memory + span->begin.size, span->end.size)};
    return HAUL_OK;
}

static enum haul_status reserve(struct span_set *set)
{
    if (set->count < set->capacity) {
        return HAUL_OK;
    }
    size_t capacity = set->capacity == 0 ? COUNT_FIRST : 2 * set->capacity;
    size_t more = (capacity - set->capacity) * sizeof(*set->spans);
    if (!memory_budget_take(set->budget, more)) {
        return HAUL_LIMIT;
    }
    struct key_span *spans = realloc(set->spans, capacity * sizeof(*spans));
    if (spans == NULL) {
        memory_budget_give(set->budget, more);
        return HAUL_NO_MEMORY;
    }
    set->spans = spans;
    set->capacity = capacity;
    return HAUL_OK;
}

/* --- order ------------------------------------------------------------------------------------ */

/* The first span of the family, or of a later one, that ends after the key, or also at it. */
static size_t find(const struct span_set *set, uint32_t family_id, struct haul_slice key,
                   bool at_it_too)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct key_span *span = &set->spans[middle];
        int order = slice_compare(span->end, key);
        bool before = span->family_id < family_id ||
                      (span->family_id == family_id && (at_it_too ? order < 0 : order <= 0));
        if (before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct haul_slice lesser(struct haul_slice a, struct haul_slice b)
{
    return slice_compare(a, b) <= 0 ? a : b;
}

static struct haul_slice greater(struct haul_slice a, struct haul_slice b)
{
    return slice_compare(a, b) >= 0 ? a : b;
}

/* --- public ----------------------------------------------------------------------------------- */

enum haul_status span_set_add(struct span_set *set, const struct key_span *span)
{
    size_t first = find(set, span->family_id, span->begin, true);
    size_t behind = first;
    struct key_span joined = *span;
    /* Spans that overlap it or touch it. */
    while (behind < set->count && set->spans[behind].family_id == span->family_id &&
           slice_compare(set->spans[behind].begin, span->end) <= 0) {
        joined.begin = lesser(joined.begin, set->spans[behind].begin);
        joined.end = greater(joined.end, set->spans[behind].end);
        behind++;
    }
    struct key_span copy;
    enum haul_status status = reserve(set);
    if (status == HAUL_OK) {
        status = copy_span(set, &joined, &copy);
    }
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = first; i < behind; i++) {
        release(set, &set->spans[i]);
    }
    memmove(&set->spans[first + 1], &set->spans[behind],
            (set->count - behind) * sizeof(*set->spans));
    set->spans[first] = copy;
    set->count = set->count + 1 - (behind - first);
    return HAUL_OK;
}

bool span_set_contains(const struct span_set *set, uint32_t family_id, struct haul_slice key)
{
    size_t at = find(set, family_id, key, false);
    return at < set->count && set->spans[at].family_id == family_id &&
           slice_compare(set->spans[at].begin, key) <= 0;
}

bool span_set_gap(const struct span_set *set, const struct key_span *span, struct key_span *gap)
{
    *gap = *span;
    size_t at = find(set, span->family_id, span->begin, false);
    bool here = at < set->count && set->spans[at].family_id == span->family_id;
    if (here && slice_compare(set->spans[at].begin, span->begin) <= 0) {
        gap->begin = set->spans[at].end;
        at++;
    }
    here = at < set->count && set->spans[at].family_id == span->family_id;
    if (here) {
        gap->end = lesser(span->end, set->spans[at].begin);
    }
    return slice_compare(gap->begin, gap->end) < 0;
}
