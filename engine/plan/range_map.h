/* SPDX-License-Identifier: Apache-2.0 */
/* range_map.h — disjoint key ranges of one column family, each with a mark. A newer range takes
 * what it covers from older ones, and neighbours with the same mark become one.
 *
 * Invariants:
 *   M1 parts are in ascending order, none is empty, no two overlap
 *   M2 two parts that touch have different states or peers
 *
 * Thread: one at a time. */
#ifndef HAUL_RANGE_MAP_H
#define HAUL_RANGE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/limits.h"
#include "haul/status.h"
#include "key_range.h"

struct range_mark {
    uint8_t state; /* 0: none, only to erase; otherwise the caller's */
    uint32_t peer; /* the caller's */
    /* The newest job that marked a part of the range. Neighbours of different jobs still merge. */
    uint8_t job[HAUL_JOB_BYTES];
};

struct range_map_part {
    struct key_range range;
    struct range_mark mark;
};

/* Zeroed is empty. */
struct range_map {
    struct range_map_part *parts;
    size_t count;
    size_t capacity;
};

void range_map_fini(struct range_map *map);
/* `copy` need not be initialised. Errors: NO_MEMORY. */
enum haul_status range_map_copy(const struct range_map *map,
                                struct range_map *copy) HAUL_MUST_CHECK;

/* Mark `ranges`, which must be ascending and disjoint; state 0 erases. The time needed grows with
 * the number of ranges and of parts between the first and the last of them. Errors: NO_MEMORY; the
 * map is then unchanged. */
enum haul_status range_map_put(struct range_map *map, const struct key_range *ranges, size_t count,
                               const struct range_mark *mark) HAUL_MUST_CHECK;

/* The first part that overlaps the range and has the state (0: any); NULL: none. The map owns it,
 * until the next change. */
const struct range_map_part *range_map_find(const struct range_map *map,
                                            const struct key_range *range, uint8_t state);
/* Does every key of the range lie in a part with the state (0: any)? */
bool range_map_covers(const struct range_map *map, const struct key_range *range, uint8_t state);

/* The first piece of `range`, at or after `from`, that no part covers. False: none.
 * `*start` and `*end` borrow from the map and the range; an `*end` of size 0 is unbounded. */
bool range_map_gap(const struct range_map *map, const struct key_range *range,
                   struct haul_slice from, struct haul_slice *start, struct haul_slice *end);

#endif
