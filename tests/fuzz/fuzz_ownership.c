/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ownership.c — an ownership file as a disk may return it.
 *
 *   u8 flags (MEND: valid checksum and format; FORMAT_1) | u8 size of a key | key | the file */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "crc32c.h"
#include "fuzz_target.h"
#include "ownership.h"

enum flags { MEND = 1 << 0, FORMAT_1 = 1 << 1 };

enum { HEADER_BYTES = 32, FORMAT_AT = 8, RESERVED_AT = 10, CRC_BYTES = 4 };

static void mend(uint8_t *file, size_t size, unsigned format)
{
    if (size < HEADER_BYTES + CRC_BYTES) {
        return;
    }
    memcpy(file, "HAULOWNR", 8);
    put_u16(file + FORMAT_AT, (uint16_t)format);
    put_u16(file + RESERVED_AT, 0);
    put_u32(file + size - CRC_BYTES, crc32c(file, size - CRC_BYTES));
}

/* What every reader of the map relies on. */
static void check_map(const struct ownership *ownership, const struct range_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct range_map_part *part = &map->parts[i];
        struct haul_slice end = key_range_end(&part->range);
        haul_assert(end.size == 0 || slice_compare(key_range_start(&part->range), end) < 0);
        haul_assert(part->mark.state == OWNERSHIP_RELEASED ||
                    part->mark.state == OWNERSHIP_IMPORTED);
        haul_assert(part->mark.peer == 0 || part->mark.peer < ownership->peer_count);
        if (i > 0) {
            haul_assert(!key_range_overlaps(&map->parts[i - 1].range, &part->range));
        }
    }
}

static void check_record(const struct ownership *ownership)
{
    haul_assert(ownership->job_count <= OWNERSHIP_JOB_COUNT_MAX);
    haul_assert(ownership->family_count <= OWNERSHIP_FAMILY_COUNT_MAX);
    for (size_t i = 0; i < ownership->family_count; i++) {
        haul_assert(strnlen(ownership->families[i].name, HAUL_NAME_BYTES_MAX) <
                    HAUL_NAME_BYTES_MAX);
        check_map(ownership, &ownership->families[i].map);
    }
}

/* A job gives away everything from the key on; then the record shows all of it as given away. */
static void check_put(struct ownership *ownership, struct haul_slice key)
{
    struct key_range from_key;
    expect_status(key_range_init(&from_key, key, slice_of(NULL, 0)), HAUL_OK);
    const struct ownership_move move = {.family = "fuzzed",
                                        .ranges = &from_key,
                                        .range_count = 1,
                                        .mark = {.state = OWNERSHIP_RELEASED}};
    if (ownership_put(ownership, &move) == HAUL_OK) {
        check_record(ownership);
        haul_assert(ownership_find(ownership, "fuzzed", &from_key, OWNERSHIP_IMPORTED) == NULL);
        haul_assert(
            range_map_covers(ownership_map(ownership, "fuzzed"), &from_key, OWNERSHIP_RELEASED));
    }
    key_range_fini(&from_key);
}

/* The record's bytes, decoded and encoded again, are the same. */
static void check_round(const struct ownership *ownership)
{
    uint8_t *once = NULL;
    uint8_t *twice = NULL;
    size_t once_size = 0;
    size_t twice_size = 0;
    struct ownership again;
    expect_status(ownership_encode(ownership, &once, &once_size), HAUL_OK);
    expect_status(ownership_decode(&again, slice_of(once, once_size)), HAUL_OK);
    haul_assert(again.family_count == ownership->family_count);
    expect_status(ownership_encode(&again, &twice, &twice_size), HAUL_OK);
    haul_assert(once_size == twice_size && memcmp(once, twice, once_size) == 0);
    ownership_fini(&again);
    free(once);
    free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    unsigned flags = cursor_u8(&input);
    size_t key_size = cursor_u8(&input);
    struct haul_slice key =
        cursor_slice(&input, key_size < cursor_left(&input) ? key_size : cursor_left(&input));
    size_t file_size = cursor_left(&input);
    uint8_t *file = malloc(file_size + 1);
    haul_assert(file != NULL);
    if (file_size > 0) {
        memcpy(file, input.at, file_size);
    }
    if ((flags & MEND) != 0) {
        mend(file, file_size, (flags & FORMAT_1) != 0 ? 1 : OWNERSHIP_FORMAT_VERSION);
    }
    struct ownership ownership;
    enum haul_status status = ownership_decode(&ownership, slice_of(file, file_size));
    if (status == HAUL_OK) {
        check_record(&ownership);
        check_round(&ownership);
        check_put(&ownership, key);
        check_round(&ownership);
        ownership_fini(&ownership);
    } else {
        haul_assert(status == HAUL_CORRUPT || status == HAUL_VERSION || status == HAUL_LIMIT);
    }
    free(file);
    return 0;
}
