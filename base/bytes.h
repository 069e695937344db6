/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h — little-endian integers, slices and bounded cursors: all wire and journal bytes go
 * through here, never through struct casts. */
#ifndef HAUL_BYTES_H
#define HAUL_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "haul/slice.h"

static inline struct haul_slice slice_of(const void *data, size_t size)
{
    return (struct haul_slice){.data = (const uint8_t *)data, .size = size};
}

/* memcmp order, shorter first. */
static inline int slice_compare(struct haul_slice a, struct haul_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) {
        return order;
    }
    return a.size < b.size ? -1 : a.size > b.size;
}

static inline void put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void put_u32(uint8_t *at, uint32_t value)
{
    put_u16(at, (uint16_t)value);
    put_u16(at + 2, (uint16_t)(value >> 16));
}

static inline void put_u64(uint8_t *at, uint64_t value)
{
    put_u32(at, (uint32_t)value);
    put_u32(at + 4, (uint32_t)(value >> 32));
}

static inline uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | (uint16_t)at[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)get_u16(at) | (uint32_t)get_u16(at + 2) << 16;
}

static inline uint64_t get_u64(const uint8_t *at)
{
    return (uint64_t)get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

enum { VARINT32_BYTES_MAX = 5 };

static inline size_t varint32_size(uint32_t value)
{
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

/* Write the varint; the caller has room for VARINT32_BYTES_MAX. Returns the next position. */
static inline uint8_t *put_varint32(uint8_t *at, uint32_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* A reading position that never passes its end. After a failed read, `failed` stays set and every
 * further read returns zeros, so a parser may check once at the end of a group. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct cursor cursor_of(const void *data, size_t size)
{
    const uint8_t *at = (const uint8_t *)data;
    return (struct cursor){.at = at, .end = at + size, .failed = false};
}

static inline size_t cursor_left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static inline const uint8_t *cursor_take(struct cursor *cursor, size_t size)
{
    if (cursor->failed || cursor_left(cursor) < size) {
        cursor->failed = true;
        return NULL;
    }
    const uint8_t *taken = cursor->at;
    cursor->at += size;
    return taken;
}

static inline uint8_t cursor_u8(struct cursor *cursor)
{
    const uint8_t *at = cursor_take(cursor, 1);
    return at == NULL ? 0 : *at;
}

static inline uint16_t cursor_u16(struct cursor *cursor)
{
    const uint8_t *at = cursor_take(cursor, 2);
    return at == NULL ? 0 : get_u16(at);
}

static inline uint32_t cursor_u32(struct cursor *cursor)
{
    const uint8_t *at = cursor_take(cursor, 4);
    return at == NULL ? 0 : get_u32(at);
}

static inline uint64_t cursor_u64(struct cursor *cursor)
{
    const uint8_t *at = cursor_take(cursor, 8);
    return at == NULL ? 0 : get_u64(at);
}

/* RocksDB's varint32: at most five bytes, value at most 32 bits. */
static inline uint32_t cursor_varint32(struct cursor *cursor)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift <= 28; shift += 7) {
        const uint8_t *at = cursor_take(cursor, 1);
        if (at == NULL) {
            return 0;
        }
        if (shift == 28 && *at > 0x0f) {
            break;
        }
        value |= (uint32_t)(*at & 0x7f) << shift;
        if ((*at & 0x80) == 0) {
            return value;
        }
    }
    cursor->failed = true;
    return 0;
}

/* RocksDB's varint64: at most ten bytes, value at most 64 bits. */
static inline uint64_t cursor_varint64(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift <= 63; shift += 7) {
        const uint8_t *at = cursor_take(cursor, 1);
        if (at == NULL) {
            return 0;
        }
        if (shift == 63 && *at > 0x01) {
            break;
        }
        value |= (uint64_t)(*at & 0x7f) << shift;
        if ((*at & 0x80) == 0) {
            return value;
        }
    }
    cursor->failed = true;
    return 0;
}

static inline struct haul_slice cursor_slice(struct cursor *cursor, size_t size)
{
    const uint8_t *at = cursor_take(cursor, size);
    return at == NULL ? slice_of(NULL, 0) : slice_of(at, size);
}

/* varint32 length, then the bytes. */
static inline struct haul_slice cursor_varstring(struct cursor *cursor)
{
    uint32_t size = cursor_varint32(cursor);
    return cursor_slice(cursor, size);
}

#endif
