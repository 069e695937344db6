/* SPDX-License-Identifier: Apache-2.0 */
/* range_option.c — parses --range and --prefix, and formats ranges.
 *
 * A range is one allocation: the bytes of `start`, then those of `end`; free `start.data`. */
#include "range_option.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    char lower = digit >= 'A' && digit <= 'F' ? (char)(digit - 'A' + 'a') : digit;
    const char *found = lower == '\0' ? NULL : strchr(digits, lower);
    return found == NULL ? -1 : (int)(found - digits);
}

/* Parse a key of `size` characters into `bytes`, which has room for as many. False: malformed. */
static bool decode_key(const char *text, size_t size, uint8_t *bytes, size_t *byte_count)
{
    size_t count = 0;
    bool sound = true;
    if (size >= 2 && text[0] == '0' && text[1] == 'x') {
        for (size_t i = 2; sound && i < size; i += 2) {
            int high = hex_digit(text[i]);
            int low = i + 1 < size ? hex_digit(text[i + 1]) : -1;
            sound = high >= 0 && low >= 0;
            bytes[count++] = (uint8_t)(high * 16 + low);
        }
    } else {
        for (size_t i = 0; i < size; i++) {
            if (text[i] == '\\' && i + 1 < size) {
                i++;
            }
            bytes[count++] = (uint8_t)text[i];
        }
    }
    *byte_count = count;
    return sound;
}

/* Size of the text before the first colon without a backslash; SIZE_MAX: no such colon. */
static size_t start_text_size(const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] == ':') {
            return i;
        }
        if (text[i] == '\\' && text[i + 1] != '\0') {
            i++;
        }
    }
    return SIZE_MAX;
}

static bool is_ascending(const struct haul_range *range)
{
    size_t common = range->start.size < range->end.size ? range->start.size : range->end.size;
    int order = common == 0 ? 0 : memcmp(range->start.data, range->end.data, common);
    return range->end.size == 0 || order < 0 || (order == 0 && range->start.size < range->end.size);
}

/* Takes over `memory`. */
static enum haul_status append(struct range_list *list, uint8_t *memory, size_t start_size,
                               size_t end_size)
{
    struct haul_range *grown = realloc(list->ranges, (list->count + 1) * sizeof(*grown));
    if (grown == NULL) {
        free(memory);
        return HAUL_NO_MEMORY;
    }
    list->ranges = grown;
    list->ranges[list->count++] = (struct haul_range){
        .start = {.data = memory, .size = start_size},
        .end = {.data = memory + start_size, .size = end_size},
    };
    return HAUL_OK;
}

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a range");
}

enum haul_status option_range(const struct option_rule *rule, const char *text, void *target,
                              struct haul_error *error)
{
    (void)rule;
    size_t start_text = start_text_size(text);
    uint8_t *memory = malloc(strlen(text) + 1);
    if (memory == NULL) {
        return no_memory(error);
    }
    size_t start_size = 0;
    size_t end_size = 0;
    bool sound = start_text != SIZE_MAX && decode_key(text, start_text, memory, &start_size);
    if (sound) {
        /* A second unescaped colon would be ambiguous. */
        const char *end_text = text + start_text + 1;
        sound = start_text_size(end_text) == SIZE_MAX &&
                decode_key(end_text, strlen(end_text), memory + start_size, &end_size);
    }
    struct haul_range range = {.start = {memory, start_size},
                               .end = {memory + start_size, end_size}};
    if (!sound || !is_ascending(&range)) {
        free(memory);
        haul_error_set(error, HAUL_INVALID, NULL, 0, "'%s' is not a range START:END", text);
        haul_error_hint(error, "keys as text or 0x... hexadecimal, START below END, END exclusive, "
                               "either may be empty; \\: for a colon, \\0x for the text 0x");
        return HAUL_INVALID;
    }
    return append(target, memory, start_size, end_size) == HAUL_OK ? HAUL_OK : no_memory(error);
}

enum haul_status option_prefix(const struct option_rule *rule, const char *text, void *target,
                               struct haul_error *error)
{
    (void)rule;
    size_t size = 0;
    uint8_t *memory = malloc(2 * strlen(text) + 1);
    if (memory == NULL) {
        return no_memory(error);
    }
    if (!decode_key(text, strlen(text), memory, &size) || size == 0) {
        free(memory);
        haul_error_set(error, HAUL_INVALID, NULL, 0, "'%s' is not a key prefix", text);
        haul_error_hint(error, "at least one byte, as text or 0x and pairs of hexadecimal digits; "
                               "\\0x for the text 0x");
        return HAUL_INVALID;
    }
    /* The end is the prefix with its last byte below 0xff incremented; all 0xff: no end. */
    uint8_t *end = memory + size;
    memcpy(end, memory, size);
    size_t end_size = size;
    while (end_size > 0 && end[end_size - 1] == 0xff) {
        end_size--;
    }
    if (end_size > 0) {
        end[end_size - 1]++;
    }
    return append(target, memory, size, end_size) == HAUL_OK ? HAUL_OK : no_memory(error);
}

void range_list_fini(struct range_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free((void *)(uintptr_t)list->ranges[i].start.data);
    }
    free(list->ranges);
    memset(list, 0, sizeof(*list));
}

/* --- the reverse ------------------------------------------------------------------------------ */

/* Whether the text needs no hexadecimal form for a shell and a terminal; quoting may still be
 * needed. */
static bool is_text(struct haul_slice key)
{
    const uint8_t *bytes = key.data;
    for (size_t i = 0; i < key.size; i++) {
        if (bytes[i] < 0x20 || bytes[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

struct range_text {
    char *bytes;
    size_t capacity; /* with the NUL */
    size_t used;     /* may exceed the buffer: the text was truncated */
};

static void put(struct range_text *text, const char *part)
{
    size_t size = strlen(part);
    if (text->used + size < text->capacity) {
        memcpy(text->bytes + text->used, part, size + 1);
    }
    text->used += size;
}

static void put_key(struct range_text *text, struct haul_slice key)
{
    const uint8_t *bytes = key.data;
    bool readable = is_text(key);
    bool looks_hexadecimal = key.size >= 2 && bytes[0] == '0' && bytes[1] == 'x';
    put(text, readable ? "" : "0x");
    for (size_t i = 0; i < key.size && text->used < text->capacity; i++) {
        char part[4];
        bool escaped = bytes[i] == ':' || bytes[i] == '\\' || (i == 0 && looks_hexadecimal);
        if (readable) {
            (void)snprintf(part, sizeof(part), "%s%c", escaped ? "\\" : "", bytes[i]);
        } else {
            (void)snprintf(part, sizeof(part), "%02x", bytes[i]);
        }
        put(text, part);
    }
}

void range_option_format(const struct haul_range *range, char *text, size_t text_size_bytes)
{
    static const char cut[] = "...";
    struct range_text made = {.bytes = text, .capacity = text_size_bytes};
    text[0] = '\0';
    put_key(&made, range->start);
    put(&made, ":");
    put_key(&made, range->end);
    if (made.used >= text_size_bytes) {
        size_t end = strlen(text);
        size_t last = text_size_bytes - sizeof(cut);
        memcpy(text + (end < last ? end : last), cut, sizeof(cut));
    }
}
