/* SPDX-License-Identifier: Apache-2.0 */
/* text_escape.c — decodes UTF-8 itself: the result must not depend on the locale. */
#include "haul/text_escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { CHARACTER_BYTES_MAX = 4, ESCAPE_BYTES = 4 };

/* Decode the character at `bytes` and set `*size` to its size. Returns UINT32_MAX and a size of 1
 * when no complete, shortest UTF-8 sequence begins there. */
static uint32_t decode(const uint8_t *bytes, size_t left, size_t *size)
{
    static const uint32_t smallest[CHARACTER_BYTES_MAX + 1] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = bytes[0];
    *size = 1;
    if (first < 0x80) {
        return first;
    }
    size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || left < wanted) {
        return UINT32_MAX;
    }
    uint32_t character = first & (0x7fU >> wanted);
    for (size_t i = 1; i < wanted; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return UINT32_MAX;
        }
        character = character << 6 | (bytes[i] & 0x3fU);
    }
    if (character < smallest[wanted] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff)) {
        return UINT32_MAX;
    }
    *size = wanted;
    return character;
}

static bool is_within(uint32_t character, uint32_t first, uint32_t last)
{
    return character >= first && character <= last;
}

static bool is_safe(uint32_t character)
{
    return character != UINT32_MAX && character >= 0x20 && !is_within(character, 0x7f, 0x9f) &&
           character != 0x061c && !is_within(character, 0x200e, 0x200f) &&
           !is_within(character, 0x2028, 0x202e) && !is_within(character, 0x2066, 0x2069) &&
           character != 0xfeff;
}

size_t haul_text_escape(const char *bytes, size_t size, char *text, size_t text_size_bytes)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    size_t character_size = 0;
    for (size_t at = 0; at < size; at += character_size) {
        const uint8_t *from = (const uint8_t *)bytes + at;
        bool plain = *from >= ' ' && *from < 0x7f; /* nearly always */
        bool safe = plain || is_safe(decode(from, size - at, &character_size));
        character_size = plain ? 1 : character_size;
        size_t wanted = safe ? character_size : character_size * ESCAPE_BYTES;
        if (wanted >= text_size_bytes - used) {
            break;
        }
        if (safe) {
            memcpy(text + used, from, character_size);
        }
        for (size_t i = 0; !safe && i < character_size; i++) {
            const char escape[ESCAPE_BYTES] = {'\\', 'x', digits[from[i] >> 4],
                                               digits[from[i] & 0xf]};
            memcpy(text + used + i * ESCAPE_BYTES, escape, ESCAPE_BYTES);
        }
        used += wanted;
    }
    text[used] = '\0';
    return used;
}
