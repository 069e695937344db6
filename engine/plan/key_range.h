/* SPDX-License-Identifier: Apache-2.0 */
/* key_range.h — [start, end) of binary keys: parsing from the command line, clipping, overlap. */
#ifndef HAUL_KEY_RANGE_H
#define HAUL_KEY_RANGE_H

#include <stdbool.h>

#include "bytes.h"
#include "haul/limits.h"
#include "haul/status.h"

/* `end` of size 0: unbounded. Owned copies; free with key_range_fini. */
struct key_range {
    uint8_t *start;
    size_t start_size;
    uint8_t *end;
    size_t end_size;
};

/* Copy. Errors: NO_MEMORY, INVALID (end at or before start). */
enum haul_status key_range_init(struct key_range *range, struct haul_slice start,
                                struct haul_slice end) HAUL_MUST_CHECK;
/* "START:END", each as text or 0x... hexadecimal, "\:" for a colon in text, either may be empty.
 * Errors: INVALID. */
enum haul_status key_range_parse(struct key_range *range, const char *text,
                                 struct haul_error *error) HAUL_MUST_CHECK;
/* All keys that begin with the prefix (text or 0x...). Errors: INVALID (empty). */
enum haul_status key_range_parse_prefix(struct key_range *range, const char *text,
                                        struct haul_error *error) HAUL_MUST_CHECK;
void key_range_fini(struct key_range *range);

struct haul_slice key_range_start(const struct key_range *range);
struct haul_slice key_range_end(const struct key_range *range);
bool key_range_contains(const struct key_range *range, struct haul_slice key);
bool key_range_overlaps(const struct key_range *a, const struct key_range *b);
/* Cut [*start, *end) down to its part inside the range; `*end` of size 0: unbounded. False: no
 * part.
 * Ownership: both then point into the range, or to where they pointed before. */
bool key_range_clip(const struct key_range *range, struct haul_slice *start,
                    struct haul_slice *end);

/* May [start, end) be cut out of a column family? Bounds are byte strings in memcmp order; a family
 * with another order is taken whole, without bounds. Call this before sending, comparing, deleting
 * or taking back a part of a family. Errors: UNSUPPORTED. */
enum haul_status key_range_check_order(struct haul_slice start, struct haul_slice end,
                                       const char *family, const char *comparator,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Printable form of a key for messages: text if printable, otherwise 0x...; truncated to fit. */
void key_format(struct haul_slice key, char *text, size_t text_size_bytes);

#endif
