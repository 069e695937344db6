/* SPDX-License-Identifier: Apache-2.0 */
/* key_text.c — one line a key, with a checksum against slips of an editor. */
#include "key_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "crc32c.h"
#include "key_ring.h"

enum { HEX_BYTES = 2 * HAUL_KEY_SECRET_BYTES, LINE_BYTES_MAX = 160 };

static const char head[] = "haul-key 1\n";

size_t key_text_write(const struct haul_key *keys, size_t count, char to[KEY_TEXT_BYTES_MAX])
{
    static const char digits[] = "0123456789abcdef";
    char checked[LINE_BYTES_MAX];
    int size = snprintf(to, KEY_TEXT_BYTES_MAX, "%s", head);
    for (size_t i = 0; i < count; i++) {
        int length = snprintf(checked, sizeof(checked), "%s ", keys[i].id);
        for (size_t at = 0; at < HAUL_KEY_SECRET_BYTES; at++) {
            checked[length++] = digits[keys[i].secret[at] >> 4];
            checked[length++] = digits[keys[i].secret[at] & 15];
        }
        checked[length] = '\0';
        size += snprintf(to + size, KEY_TEXT_BYTES_MAX - (size_t)size, "key %s %08x\n", checked,
                         crc32c(checked, (size_t)length));
    }
    explicit_bzero(checked, sizeof(checked));
    return (size_t)size;
}

static int value_of(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool read_hex(const char *hex, uint8_t *to, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = value_of(hex[2 * i]);
        int low = value_of(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* "key ID SECRET CRC", without the end of the line. */
static bool read_line(const char *line, size_t size, struct haul_key *key)
{
    const char *id = line + 4;
    const char *space = size > 4 ? memchr(id, ' ', size - 4) : NULL;
    if (space == NULL || memcmp(line, "key ", 4) != 0) {
        return false;
    }
    size_t id_bytes = (size_t)(space - id);
    if (id_bytes >= HAUL_KEY_ID_BYTES_MAX || size != 4 + id_bytes + 1 + HEX_BYTES + 1 + 8) {
        return false;
    }
    memset(key, 0, sizeof(*key));
    memcpy(key->id, id, id_bytes);
    const char *hex = space + 1;
    uint8_t sum[4];
    if (!key_id_is_valid(key->id) || !read_hex(hex, key->secret, HAUL_KEY_SECRET_BYTES) ||
        hex[HEX_BYTES] != ' ' || !read_hex(hex + HEX_BYTES + 1, sum, sizeof(sum))) {
        return false;
    }
    uint32_t expected =
        (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | (uint32_t)sum[3];
    return crc32c(id, id_bytes + 1 + HEX_BYTES) == expected;
}

/* A whole first line with another number. Anything else is damage: an editor's "\r" for example. */
static bool is_newer(const char *text, size_t size)
{
    enum { NUMBER_AT = sizeof("haul-key ") - 1 };
    size_t at = NUMBER_AT;
    if (size <= NUMBER_AT || memcmp(text, head, NUMBER_AT) != 0) {
        return false;
    }
    while (at < size && text[at] >= '0' && text[at] <= '9') {
        at++;
    }
    bool ours = at == NUMBER_AT + 1 && text[NUMBER_AT] == '1';
    return at > NUMBER_AT && at < size && text[at] == '\n' && !ours;
}

enum haul_status key_text_read(const char *text, size_t size, struct haul_key keys[HAUL_KEYS_MAX],
                               size_t *count)
{
    *count = 0;
    size_t head_bytes = sizeof(head) - 1;
    if (size < head_bytes || memcmp(text, head, head_bytes) != 0) {
        return is_newer(text, size) ? HAUL_VERSION : HAUL_CORRUPT;
    }
    const char *line = text + head_bytes;
    const char *end = text + size;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL || *count == HAUL_KEYS_MAX ||
            !read_line(line, (size_t)(stop - line), &keys[*count])) {
            return HAUL_CORRUPT;
        }
        (*count)++;
        line = stop + 1;
    }
    return *count > 0 ? HAUL_OK : HAUL_CORRUPT;
}
