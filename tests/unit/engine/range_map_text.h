/* SPDX-License-Identifier: Apache-2.0 */
/* range_map_text.h — converts key ranges and range maps from and to text, for tests. */
#ifndef HAUL_TESTS_RANGE_MAP_TEXT_H
#define HAUL_TESTS_RANGE_MAP_TEXT_H

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "range_map.h"

enum { RANGE_MAP_TEXT_BYTES = 1024, RANGE_MAP_TEXT_RANGES = 16 };

/* "a:c m:" as ascending ranges. End each with key_range_fini. Returns their number. */
static inline size_t ranges_from_text(const char *text, struct key_range *ranges)
{
    char copy[RANGE_MAP_TEXT_BYTES];
    struct haul_error error;
    size_t count = 0;
    (void)snprintf(copy, sizeof(copy), "%s", text);
    char *rest = copy;
    char *word = NULL;
    while ((word = strsep(&rest, " ")) != NULL) {
        check_or_stop(count < RANGE_MAP_TEXT_RANGES);
        check_status(key_range_parse(&ranges[count++], word, &error), HAUL_OK);
    }
    return count;
}

/* "a:c=1/0 m:=2/7": each part with its state and its peer. Valid until the next call. */
static inline const char *range_map_text(const struct range_map *map)
{
    static char text[RANGE_MAP_TEXT_BYTES];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < map->count; i++) {
        const struct range_map_part *part = &map->parts[i];
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s:%.*s=%u/%u",
                                 i == 0 ? "" : " ", (int)part->range.start_size,
                                 (const char *)part->range.start, (int)part->range.end_size,
                                 (const char *)part->range.end, part->mark.state, part->mark.peer);
    }
    return text;
}

#endif
