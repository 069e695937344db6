/* SPDX-License-Identifier: Apache-2.0 */
/* key_range.c — owned ranges of binary keys, and their text forms. */
#include "key_range.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *copy_bytes(struct haul_slice bytes)
{
    uint8_t *copy = malloc(bytes.size + 1);
    if (copy != NULL && bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return copy;
}

enum haul_status key_range_init(struct key_range *range, struct haul_slice start,
                                struct haul_slice end)
{
    memset(range, 0, sizeof(*range));
    if (end.size > 0 && slice_compare(start, end) >= 0) {
        return HAUL_INVALID;
    }
    range->start = copy_bytes(start);
    range->end = copy_bytes(end);
    range->start_size = start.size;
    range->end_size = end.size;
    if (range->start == NULL || range->end == NULL) {
        key_range_fini(range);
        return HAUL_NO_MEMORY;
    }
    return HAUL_OK;
}

void key_range_fini(struct key_range *range)
{
    free(range->start);
    free(range->end);
    memset(range, 0, sizeof(*range));
}

/* --- text ------------------------------------------------------------------------------------- */

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    int lower = tolower((unsigned char)digit);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Parse one key: "0x" and an even number of digits, or text where a backslash escapes the next
 * character. `memory` has room for `size` bytes. False: malformed. */
static bool parse_key(const char *text, size_t size, uint8_t *memory, size_t *key_size)
{
    *key_size = 0;
    if (size >= 2 && text[0] == '0' && text[1] == 'x') {
        bool sound = size % 2 == 0;
        for (size_t i = 2; sound && i + 1 < size; i += 2) {
            int high = hex_digit(text[i]);
            int low = hex_digit(text[i + 1]);
            sound = high >= 0 && low >= 0;
            memory[(*key_size)++] = sound ? (uint8_t)(high << 4 | low) : 0;
        }
        return sound;
    }
    for (size_t i = 0; i < size; i++) {
        i += text[i] == '\\' && i + 1 < size ? 1 : 0;
        memory[(*key_size)++] = (uint8_t)text[i];
    }
    return true;
}

/* The first colon that no backslash escapes, which separates start and end; NULL: none. */
static const char *find_colon(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' && text[1] != '\0') {
            text++;
        } else if (*text == ':') {
            return text;
        }
    }
    return NULL;
}

static enum haul_status bad_range(const char *text, struct haul_error *error)
{
    haul_error_set(error, HAUL_INVALID, NULL, 0, "'%s' is not a range START:END", text);
    haul_error_hint(error, "keys are text or 0x... hexadecimal; END is exclusive and after START; "
                           "either may be empty; \\: is a colon in a key");
    return HAUL_INVALID;
}

enum haul_status key_range_parse(struct key_range *range, const char *text,
                                 struct haul_error *error)
{
    const char *colon = find_colon(text);
    if (colon == NULL || find_colon(colon + 1) != NULL) {
        return bad_range(text, error);
    }
    size_t start_size = 0;
    size_t end_size = 0;
    uint8_t *memory = malloc(2 * strlen(text) + 1);
    if (memory == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a range");
    }
    uint8_t *end = memory + strlen(text);
    bool sound = parse_key(text, (size_t)(colon - text), memory, &start_size) &&
                 parse_key(colon + 1, strlen(colon + 1), end, &end_size);
    enum haul_status status =
        sound ? key_range_init(range, slice_of(memory, start_size), slice_of(end, end_size))
              : HAUL_INVALID;
    free(memory);
    return status == HAUL_INVALID ? bad_range(text, error) : status;
}

enum haul_status key_range_parse_prefix(struct key_range *range, const char *text,
                                        struct haul_error *error)
{
    size_t size = 0;
    uint8_t *memory = malloc(2 * strlen(text) + 1);
    if (memory == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a prefix");
    }
    if (!parse_key(text, strlen(text), memory, &size) || size == 0) {
        free(memory);
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "'%s' is not a key prefix", text);
    }
    /* The end is the prefix with its last byte below 0xff incremented; without such a byte there is
     * no end. */
    uint8_t *end = memory + size;
    memcpy(end, memory, size);
    size_t end_size = size;
    while (end_size > 0 && end[end_size - 1] == 0xff) {
        end_size--;
    }
    if (end_size > 0) {
        end[end_size - 1]++;
    }
    enum haul_status status =
        key_range_init(range, slice_of(memory, size), slice_of(end, end_size));
    free(memory);
    return status;
}

void key_format(struct haul_slice key, char *text, size_t text_size_bytes)
{
    bool printable = true;
    for (size_t i = 0; i < key.size && printable; i++) {
        printable = isprint(key.data[i]) != 0;
    }
    if (printable) {
        (void)snprintf(text, text_size_bytes, "'%.*s'", (int)key.size, (const char *)key.data);
        return;
    }
    size_t used = (size_t)snprintf(text, text_size_bytes, "0x");
    for (size_t i = 0; i < key.size && used + 3 < text_size_bytes; i++) {
        used += (size_t)snprintf(text + used, text_size_bytes - used, "%02x", key.data[i]);
    }
}

/* --- relations -------------------------------------------------------------------------------- */

struct haul_slice key_range_start(const struct key_range *range)
{
    return slice_of(range->start, range->start_size);
}

struct haul_slice key_range_end(const struct key_range *range)
{
    return slice_of(range->end, range->end_size);
}

bool key_range_contains(const struct key_range *range, struct haul_slice key)
{
    return slice_compare(key, key_range_start(range)) >= 0 &&
           (range->end_size == 0 || slice_compare(key, key_range_end(range)) < 0);
}

bool key_range_overlaps(const struct key_range *a, const struct key_range *b)
{
    bool a_before_b = a->end_size > 0 && slice_compare(key_range_end(a), key_range_start(b)) <= 0;
    bool b_before_a = b->end_size > 0 && slice_compare(key_range_end(b), key_range_start(a)) <= 0;
    return !a_before_b && !b_before_a;
}

bool key_range_clip(const struct key_range *range, struct haul_slice *start, struct haul_slice *end)
{
    struct haul_slice first = key_range_start(range);
    struct haul_slice last = key_range_end(range);
    if (slice_compare(first, *start) > 0) {
        *start = first;
    }
    if (last.size > 0 && (end->size == 0 || slice_compare(last, *end) < 0)) {
        *end = last;
    }
    return end->size == 0 || slice_compare(*start, *end) < 0;
}

enum haul_status key_range_check_order(struct haul_slice start, struct haul_slice end,
                                       const char *family, const char *comparator,
                                       struct haul_error *error)
{
    if ((start.size == 0 && end.size == 0) || strcmp(comparator, HAUL_COMPARATOR_BYTEWISE) == 0) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                   "column family '%s' is ordered by '%s', so it has no byte ranges", family,
                   comparator);
    haul_error_hint(error, "take the whole column family, without --range and --prefix, or name "
                           "only other families with --cf");
    return HAUL_UNSUPPORTED;
}
