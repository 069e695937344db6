/* SPDX-License-Identifier: Apache-2.0 */
/* ownership_format.c — the bytes of the ownership file.
 *
 *   header: "HAULOWNR" | u16 format | u16 0 | u32 entry count | u64 config version | u64 epoch
 *   entry:  16 bytes job id | u16 state | u16 family count | u32 start size | u32 end size
 *           | start | end | family count x (u8 size | name)
 *   end:    u32 CRC-32C of all before it */
#include "ownership.h"

#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "crc32c.h"

static const char ownership_magic[8] = {'H', 'A', 'U', 'L', 'O', 'W', 'N', 'R'};

enum {
    HEADER_BYTES = 32,
    ENTRY_BYTES_MIN = OWNERSHIP_JOB_ID_BYTES + 12,
    CRC_BYTES = 4,
};

_Static_assert(HAUL_NAME_BYTES_MAX <= 256, "the size of a name fits into a byte");
_Static_assert(HAUL_FAMILY_COUNT_MAX <= UINT16_MAX, "the number of families fits into a u16");

/* --- encoding --------------------------------------------------------------------------------- */

static size_t entry_size(const struct ownership_entry *entry)
{
    size_t size = ENTRY_BYTES_MIN + entry->range.start_size + entry->range.end_size;
    for (size_t i = 0; i < entry->family_count; i++) {
        size += 1 + strlen(entry->families[i]);
    }
    return size;
}

/* Returns the next position. */
static uint8_t *encode_bytes(uint8_t *at, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(at, data, size);
    }
    return at + size;
}

static uint8_t *encode_entry(uint8_t *at, const struct ownership_entry *entry)
{
    at = encode_bytes(at, entry->job_id, sizeof(entry->job_id));
    put_u16(at, (uint16_t)entry->state);
    put_u16(at + 2, (uint16_t)entry->family_count);
    put_u32(at + 4, (uint32_t)entry->range.start_size);
    put_u32(at + 8, (uint32_t)entry->range.end_size);
    at = encode_bytes(at + 12, entry->range.start, entry->range.start_size);
    at = encode_bytes(at, entry->range.end, entry->range.end_size);
    for (size_t i = 0; i < entry->family_count; i++) {
        size_t size = strlen(entry->families[i]);
        *at = (uint8_t)size;
        at = encode_bytes(at + 1, entry->families[i], size);
    }
    return at;
}

enum haul_status ownership_encode(const struct ownership *ownership, uint8_t **out,
                                  size_t *out_size)
{
    size_t size = HEADER_BYTES + CRC_BYTES;
    for (size_t i = 0; i < ownership->entry_count; i++) {
        size += entry_size(&ownership->entries[i]);
        if (size > OWNERSHIP_FILE_BYTES_MAX) {
            return HAUL_LIMIT;
        }
    }
    uint8_t *bytes = malloc(size);
    if (bytes == NULL) {
        return HAUL_NO_MEMORY;
    }
    memcpy(bytes, ownership_magic, sizeof(ownership_magic));
    put_u16(bytes + 8, OWNERSHIP_FORMAT_VERSION);
    put_u16(bytes + 10, 0);
    put_u32(bytes + 12, (uint32_t)ownership->entry_count);
    put_u64(bytes + 16, ownership->config_version);
    put_u64(bytes + 24, ownership->epoch);
    uint8_t *at = bytes + HEADER_BYTES;
    for (size_t i = 0; i < ownership->entry_count; i++) {
        at = encode_entry(at, &ownership->entries[i]);
    }
    haul_assert(at == bytes + size - CRC_BYTES);
    put_u32(at, crc32c(bytes, size - CRC_BYTES));
    *out = bytes;
    *out_size = size;
    return HAUL_OK;
}

/* --- decoding --------------------------------------------------------------------------------- */

static bool state_is_known(unsigned state)
{
    return state >= OWNERSHIP_FROZEN && state <= OWNERSHIP_IMPORTED;
}

/* Into `names`, which has room for `count`. Errors: CORRUPT. */
static enum haul_status decode_names(struct cursor *cursor, char (*names)[HAUL_NAME_BYTES_MAX],
                                     size_t count)
{
    memset(names, 0, count * sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        struct haul_slice name = cursor_slice(cursor, cursor_u8(cursor));
        if (cursor->failed || name.size >= HAUL_NAME_BYTES_MAX) {
            return HAUL_CORRUPT;
        }
        (void)encode_bytes((uint8_t *)names[i], name.data, name.size);
    }
    return HAUL_OK;
}

/* Errors: CORRUPT, NO_MEMORY, LIMIT. */
static enum haul_status decode_entry(struct cursor *cursor, struct ownership *ownership,
                                     char (*names)[HAUL_NAME_BYTES_MAX])
{
    struct ownership_entry entry;
    memset(&entry, 0, sizeof(entry));
    struct haul_slice job_id = cursor_slice(cursor, OWNERSHIP_JOB_ID_BYTES);
    unsigned state = cursor_u16(cursor);
    entry.family_count = cursor_u16(cursor);
    uint32_t start_size = cursor_u32(cursor);
    uint32_t end_size = cursor_u32(cursor);
    struct haul_slice start = cursor_slice(cursor, start_size);
    struct haul_slice end = cursor_slice(cursor, end_size);
    if (cursor->failed || !state_is_known(state) || entry.family_count > HAUL_FAMILY_COUNT_MAX) {
        return HAUL_CORRUPT;
    }
    memcpy(entry.job_id, job_id.data, job_id.size);
    entry.state = (enum ownership_state)state;
    enum haul_status status = decode_names(cursor, names, entry.family_count);
    if (status != HAUL_OK) {
        return status;
    }
    entry.families = names;
    status = key_range_init(&entry.range, start, end);
    if (status == HAUL_OK) {
        status = ownership_add(ownership, &entry);
        key_range_fini(&entry.range);
    }
    return status == HAUL_INVALID ? HAUL_CORRUPT : status;
}

/* Errors: CORRUPT, VERSION. */
static enum haul_status check_frame(struct haul_slice bytes)
{
    if (bytes.size < HEADER_BYTES + CRC_BYTES ||
        memcmp(bytes.data, ownership_magic, sizeof(ownership_magic)) != 0) {
        return HAUL_CORRUPT;
    }
    if (get_u16(bytes.data + 8) != OWNERSHIP_FORMAT_VERSION) {
        return HAUL_VERSION;
    }
    size_t covered = bytes.size - CRC_BYTES;
    return crc32c(bytes.data, covered) == get_u32(bytes.data + covered) ? HAUL_OK : HAUL_CORRUPT;
}

enum haul_status ownership_decode(struct ownership *out, struct haul_slice bytes)
{
    enum haul_status status = check_frame(bytes);
    if (status != HAUL_OK) {
        return status;
    }
    char(*names)[HAUL_NAME_BYTES_MAX] = calloc(HAUL_FAMILY_COUNT_MAX, sizeof(*names));
    if (names == NULL) {
        return HAUL_NO_MEMORY;
    }
    struct ownership ownership;
    ownership_init(&ownership);
    ownership.config_version = get_u64(bytes.data + 16);
    ownership.epoch = get_u64(bytes.data + 24);
    uint32_t count = get_u32(bytes.data + 12);
    struct cursor cursor =
        cursor_of(bytes.data + HEADER_BYTES, bytes.size - HEADER_BYTES - CRC_BYTES);
    for (uint32_t i = 0; status == HAUL_OK && i < count; i++) {
        status = decode_entry(&cursor, &ownership, names);
    }
    if (status == HAUL_OK && (cursor_left(&cursor) != 0 || get_u16(bytes.data + 10) != 0)) {
        status = HAUL_CORRUPT;
    }
    free(names);
    if (status != HAUL_OK) {
        ownership_fini(&ownership);
        return status;
    }
    *out = ownership;
    return HAUL_OK;
}
