/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ownership.c — an ownership file as a disk may give it back.
 *
 *   u8 flags (MEND: a sound checksum and format) | u8 size of a key | key | the file */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "crc32c.h"
#include "fuzz_target.h"
#include "ownership.h"

enum flags { MEND = 1 << 0 };

enum { HEADER_BYTES = 32, FORMAT_AT = 8, RESERVED_AT = 10, CRC_BYTES = 4 };

static void mend(uint8_t *file, size_t size)
{
    if (size < HEADER_BYTES + CRC_BYTES) {
        return;
    }
    memcpy(file, "HAULOWNR", 8);
    put_u16(file + FORMAT_AT, OWNERSHIP_FORMAT_VERSION);
    put_u16(file + RESERVED_AT, 0);
    put_u32(file + size - CRC_BYTES, crc32c(file, size - CRC_BYTES));
}

/* What everything that reads entries relies on. */
static void check_entries(const struct ownership *ownership)
{
    haul_assert(ownership->entry_count <= OWNERSHIP_ENTRY_COUNT_MAX);
    for (size_t i = 0; i < ownership->entry_count; i++) {
        const struct ownership_entry *entry = &ownership->entries[i];
        struct haul_slice start = key_range_start(&entry->range);
        struct haul_slice end = key_range_end(&entry->range);
        haul_assert(end.size == 0 || slice_compare(start, end) < 0);
        haul_assert(ownership_state_name(entry->state)[0] != '\0');
        for (size_t f = 0; f < entry->family_count; f++) {
            size_t length = strnlen(entry->families[f], HAUL_NAME_BYTES_MAX);
            haul_assert(length > 0 && length < HAUL_NAME_BYTES_MAX);
        }
    }
}

/* The newest entry that has the key; a job that is dropped is found no more. */
static void check_find(struct ownership *ownership, struct haul_slice key)
{
    struct key_range from_key;
    expect_status(key_range_init(&from_key, key, slice_of(NULL, 0)), HAUL_OK);
    const struct ownership_entry *found = ownership_find(ownership, NULL, &from_key);
    for (size_t i = ownership->entry_count; i > 0; i--) {
        const struct ownership_entry *entry = &ownership->entries[i - 1];
        if (entry == found) {
            break;
        }
        haul_assert(!key_range_overlaps(&entry->range, &from_key));
    }
    key_range_fini(&from_key);
    if (found != NULL) {
        uint8_t job_id[OWNERSHIP_JOB_ID_BYTES];
        memcpy(job_id, found->job_id, sizeof(job_id));
        ownership_drop(ownership, job_id);
        for (size_t i = 0; i < ownership->entry_count; i++) {
            haul_assert(memcmp(ownership->entries[i].job_id, job_id, sizeof(job_id)) != 0);
        }
    }
}

/* Its bytes, decoded and encoded again, are the same. */
static void check_round(const struct ownership *ownership)
{
    uint8_t *once = NULL;
    uint8_t *twice = NULL;
    size_t once_size = 0;
    size_t twice_size = 0;
    struct ownership again;
    expect_status(ownership_encode(ownership, &once, &once_size), HAUL_OK);
    expect_status(ownership_decode(&again, slice_of(once, once_size)), HAUL_OK);
    haul_assert(again.entry_count == ownership->entry_count);
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
        mend(file, file_size);
    }
    struct ownership ownership;
    enum haul_status status = ownership_decode(&ownership, slice_of(file, file_size));
    if (status == HAUL_OK) {
        check_entries(&ownership);
        check_round(&ownership);
        check_find(&ownership, key);
        check_round(&ownership);
        ownership_fini(&ownership);
    } else {
        haul_assert(status == HAUL_CORRUPT || status == HAUL_VERSION || status == HAUL_LIMIT);
    }
    free(file);
    return 0;
}
