/* SPDX-License-Identifier: Apache-2.0 */
/* span_set.h — spans of keys of several families, sorted, disjoint, and merged where they touch.
 * Memory counts towards the owner's budget. Thread: one at a time. */
#ifndef HAUL_SPAN_SET_H
#define HAUL_SPAN_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/slice.h"
#include "haul/status.h"
#include "memory_budget.h"

/* [begin, end) of one family. */
struct key_span {
    uint32_t family_id;
    struct haul_slice begin;
    struct haul_slice end;
};

struct span_set {
    struct memory_budget *budget;
    struct key_span *spans; /* own the bytes of their bounds; no two of one family touch */
    size_t count;
    size_t capacity;
};

void span_set_init(struct span_set *set, struct memory_budget *budget);
/* Empty the set and free its memory. The object may be used again. */
void span_set_clear(struct span_set *set);

/* Add a span, which must not be empty. Errors: LIMIT, NO_MEMORY. */
enum haul_status span_set_add(struct span_set *set, const struct key_span *span) HAUL_MUST_CHECK;
bool span_set_contains(const struct span_set *set, uint32_t family_id, struct haul_slice key);

/* The first part of `span` that is not in the set. False: there is none. The bounds are borrowed
 * from the span and the set. */
bool span_set_gap(const struct span_set *set, const struct key_span *span, struct key_span *gap);

#endif
