/* SPDX-License-Identifier: Apache-2.0 */
/* load_record.c — builds keys and values that a check can predict. */
#include "load_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VERSION_BYTES = 8, NUMBER_BYTES = 4, HEAD_BYTES = VERSION_BYTES + NUMBER_BYTES };

struct haul_slice load_record_key(const char *prefix, uint32_t number, char *memory,
                                  size_t memory_size)
{
    int size = snprintf(memory, memory_size, "%s%010" PRIu32, prefix, number);
    return (struct haul_slice){(const uint8_t *)memory, (size_t)size};
}

static uint8_t pattern_at(uint64_t version, uint32_t number, size_t i)
{
    return (uint8_t)(version * 31 + number * 7 + i);
}

void load_record_fill(uint64_t version, uint32_t number, uint8_t *value, size_t size)
{
    memcpy(value, &version, VERSION_BYTES);
    memcpy(value + VERSION_BYTES, &number, NUMBER_BYTES);
    for (size_t i = HEAD_BYTES; i < size; i++) {
        value[i] = pattern_at(version, number, i);
    }
}

bool load_record_version(struct haul_slice value, uint32_t number, uint64_t *version)
{
    uint32_t found = 0;
    if (value.size < HEAD_BYTES) {
        return false;
    }
    memcpy(version, value.data, VERSION_BYTES);
    memcpy(&found, value.data + VERSION_BYTES, NUMBER_BYTES);
    bool sound = found == number;
    for (size_t i = HEAD_BYTES; i < value.size && sound; i++) {
        sound = value.data[i] == pattern_at(*version, number, i);
    }
    return sound;
}
