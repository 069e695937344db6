/* SPDX-License-Identifier: Apache-2.0 */
/* range_map.c — a sorted array of parts, rebuilt by each change. */
#include "range_map.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"

void range_map_fini(struct range_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        key_range_fini(&map->parts[i].range);
    }
    free(map->parts);
    memset(map, 0, sizeof(*map));
}

/* Is the end (size 0: unbounded) at or before the key? */
static bool ends_by(struct haul_slice end, struct haul_slice key)
{
    return end.size > 0 && slice_compare(end, key) <= 0;
}

/* Is one end at or before the other? */
static bool end_within(struct haul_slice end, struct haul_slice other)
{
    return other.size == 0 || (end.size > 0 && slice_compare(end, other) <= 0);
}

/* --- building --------------------------------------------------------------------------------- */

/* A map that grows at its end. */
struct builder {
    struct range_map map;
    bool last_is_new;
};

static bool merges(const struct range_map_part *last, struct haul_slice start,
                   const struct range_mark *mark)
{
    struct haul_slice end = key_range_end(&last->range);
    return last->mark.state == mark->state && last->mark.peer == mark->peer && end.size > 0 &&
           slice_compare(end, start) == 0;
}

/* Append a piece after all others. The array has room. Errors: NO_MEMORY. */
static enum haul_status emit(struct builder *builder, struct haul_slice start,
                             struct haul_slice end, const struct range_mark *mark, bool is_new)
{
    struct range_map *map = &builder->map;
    struct range_map_part *last = map->count == 0 ? NULL : &map->parts[map->count - 1];
    struct key_range range;
    bool merge = last != NULL && merges(last, start, mark);                         /* M2 */
    haul_debug_assert(last == NULL || ends_by(key_range_end(&last->range), start)); /* M1 */
    enum haul_status status =
        key_range_init(&range, merge ? key_range_start(&last->range) : start, end);
    if (status != HAUL_OK) {
        haul_assert(status == HAUL_NO_MEMORY);
        return status;
    }
    if (merge) {
        key_range_fini(&last->range);
        last->range = range;
        if (is_new || !builder->last_is_new) {
            memcpy(last->mark.job, mark->job, sizeof(mark->job));
        }
    } else {
        map->parts[map->count++] = (struct range_map_part){.range = range, .mark = *mark};
    }
    builder->last_is_new = is_new || (merge && builder->last_is_new);
    return HAUL_OK;
}

/* The position of the merge of old parts and new ranges: `from` is the start of the piece of part
 * `part` that is neither taken nor covered yet. */
struct position {
    size_t part;
    struct haul_slice from;
};

static void go_to_part(const struct range_map *map, struct position *position, size_t part)
{
    position->part = part;
    position->from = part < map->count ? key_range_start(&map->parts[part].range)
                                       : (struct haul_slice){.data = NULL, .size = 0};
}

/* Take over the parts before `range` (NULL: all remaining parts). */
static enum haul_status emit_before(struct builder *builder, const struct range_map *map,
                                    struct position *position, const struct key_range *range)
{
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK && position->part < map->count) {
        const struct range_map_part *part = &map->parts[position->part];
        struct haul_slice end = key_range_end(&part->range);
        if (range == NULL || ends_by(end, key_range_start(range))) {
            status = emit(builder, position->from, end, &part->mark, false);
            go_to_part(map, position, position->part + 1);
            continue;
        }
        struct haul_slice start = key_range_start(range);
        if (slice_compare(position->from, start) < 0) {
            status = emit(builder, position->from, start, &part->mark, false);
            position->from = start;
        }
        break;
    }
    return status;
}

/* Skip what `range` covers. */
static void skip_covered(const struct range_map *map, struct position *position,
                         const struct key_range *range)
{
    struct haul_slice end = key_range_end(range);
    while (position->part < map->count &&
           end_within(key_range_end(&map->parts[position->part].range), end)) {
        go_to_part(map, position, position->part + 1);
    }
    if (position->part < map->count && end.size > 0 && slice_compare(position->from, end) < 0) {
        position->from = end;
    }
}

/* The parts that the ranges overlap or touch: those from `*begin` to before `*end`. */
static void find_window(const struct range_map *map, struct haul_slice from, struct haul_slice to,
                        size_t *begin, size_t *end)
{
    size_t low = 0;
    size_t high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct haul_slice bound = key_range_end(&map->parts[middle].range);
        if (bound.size > 0 && slice_compare(bound, from) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *begin = low;
    high = map->count;
    while (low < high && to.size > 0) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(key_range_start(&map->parts[middle].range), to) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *end = to.size > 0 ? low : map->count;
}

/* Replace the parts from `begin` to before `end` by `built`; takes it over on OK. Errors:
 * NO_MEMORY. */
static enum haul_status splice(struct range_map *map, size_t begin, size_t end,
                               struct range_map *built)
{
    size_t count = map->count - (end - begin) + built->count;
    if (count > map->capacity) {
        size_t capacity = 2 * count;
        struct range_map_part *larger = realloc(map->parts, capacity * sizeof(*larger));
        if (larger == NULL) {
            return HAUL_NO_MEMORY;
        }
        map->parts = larger;
        map->capacity = capacity;
    }
    for (size_t i = begin; i < end; i++) {
        key_range_fini(&map->parts[i].range);
    }
    if (map->count > end) {
        memmove(&map->parts[begin + built->count], &map->parts[end],
                (map->count - end) * sizeof(map->parts[0]));
    }
    if (built->count > 0) {
        memcpy(&map->parts[begin], built->parts, built->count * sizeof(map->parts[0]));
    }
    map->count = count;
    built->count = 0; /* its parts were moved */
    return HAUL_OK;
}

/* Build the parts of `window` with the ranges marked in them. Errors: NO_MEMORY. */
static enum haul_status rebuild(struct builder *builder, const struct range_map *window,
                                const struct key_range *ranges, size_t count,
                                const struct range_mark *mark)
{
    struct position position;
    /* Each range adds itself, and may cut one part in two. */
    builder->map.parts = calloc(window->count + 2 * count + 1, sizeof(*builder->map.parts));
    if (builder->map.parts == NULL) {
        return HAUL_NO_MEMORY;
    }
    go_to_part(window, &position, 0);
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        status = emit_before(builder, window, &position, &ranges[i]);
        if (status == HAUL_OK && mark->state != 0) {
            status =
                emit(builder, key_range_start(&ranges[i]), key_range_end(&ranges[i]), mark, true);
        }
        skip_covered(window, &position, &ranges[i]);
    }
    return status == HAUL_OK ? emit_before(builder, window, &position, NULL) : status;
}

enum haul_status range_map_put(struct range_map *map, const struct key_range *ranges, size_t count,
                               const struct range_mark *mark)
{
    struct builder builder = {.last_is_new = false};
    size_t begin = 0;
    size_t end = 0;
    if (count == 0) {
        return HAUL_OK;
    }
    find_window(map, key_range_start(&ranges[0]), key_range_end(&ranges[count - 1]), &begin, &end);
    struct range_map window = {.parts = end > begin ? &map->parts[begin] : NULL,
                               .count = end - begin};
    enum haul_status status = rebuild(&builder, &window, ranges, count, mark);
    if (status == HAUL_OK) {
        status = splice(map, begin, end, &builder.map);
    }
    range_map_fini(&builder.map);
    return status;
}

enum haul_status range_map_copy(const struct range_map *map, struct range_map *copy)
{
    static const struct range_mark none = {.state = 0};
    struct builder builder = {.last_is_new = false};
    enum haul_status status = rebuild(&builder, map, NULL, 0, &none);
    if (status != HAUL_OK) {
        range_map_fini(&builder.map);
        return status;
    }
    *copy = builder.map;
    copy->capacity = copy->count;
    return HAUL_OK;
}

/* --- looking ---------------------------------------------------------------------------------- */

/* The index of the first part that ends after the key. */
static size_t first_behind(const struct range_map *map, struct haul_slice key)
{
    size_t low = 0;
    size_t high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ends_by(key_range_end(&map->parts[middle].range), key)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct range_map_part *range_map_find(const struct range_map *map,
                                            const struct key_range *range, uint8_t state)
{
    for (size_t i = first_behind(map, key_range_start(range)); i < map->count; i++) {
        const struct range_map_part *part = &map->parts[i];
        if (!key_range_overlaps(&part->range, range)) {
            return NULL;
        }
        if (state == 0 || part->mark.state == state) {
            return part;
        }
    }
    return NULL;
}

bool range_map_covers(const struct range_map *map, const struct key_range *range, uint8_t state)
{
    struct haul_slice start;
    struct haul_slice end;
    if (range_map_gap(map, range, key_range_start(range), &start, &end)) {
        return false;
    }
    for (size_t i = first_behind(map, key_range_start(range)); state != 0 && i < map->count; i++) {
        const struct range_map_part *part = &map->parts[i];
        if (!key_range_overlaps(&part->range, range)) {
            return true;
        }
        if (part->mark.state != state) {
            return false;
        }
    }
    return true;
}

bool range_map_gap(const struct range_map *map, const struct key_range *range,
                   struct haul_slice from, struct haul_slice *start, struct haul_slice *end)
{
    struct haul_slice at = from;
    struct haul_slice limit = key_range_end(range);
    for (size_t i = first_behind(map, from); i < map->count; i++) {
        const struct key_range *part = &map->parts[i].range;
        if (slice_compare(at, key_range_start(part)) < 0) {
            break;
        }
        if (end_within(limit, key_range_end(part))) {
            return false;
        }
        at = key_range_end(part);
    }
    if (limit.size > 0 && slice_compare(at, limit) >= 0) {
        return false;
    }
    size_t next = first_behind(map, at);
    *start = at;
    *end = limit;
    if (next < map->count) {
        struct haul_slice bound = key_range_start(&map->parts[next].range);
        *end = end_within(limit, bound) && limit.size > 0 ? limit : bound;
    }
    return true;
}
