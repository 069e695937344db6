/* SPDX-License-Identifier: Apache-2.0 */
/* load_record.h — keys and values of the load: a key is the prefix and ten digits; a value is its
 * version (u64), its key number (u32) and a pattern that follows from both. */
#ifndef HAUL_LOAD_RECORD_H
#define HAUL_LOAD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/slice.h"

/* Returns the key in `memory`. */
struct haul_slice load_record_key(const char *prefix, uint32_t number, char *memory,
                                  size_t memory_size);
void load_record_fill(uint64_t version, uint32_t number, uint8_t *value, size_t size);
/* The version of a value; false: the value was not made here for this key. */
bool load_record_version(struct haul_slice value, uint32_t number, uint64_t *version);

#endif
