/* SPDX-License-Identifier: Apache-2.0 */
/* load_options.h — what a load writes, and where. */
#ifndef HAUL_LOAD_OPTIONS_H
#define HAUL_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/store.h"

enum {
    LOAD_KEYS_DEFAULT = 10000,
    LOAD_KEYS_MAX = 100000000,
    LOAD_VALUE_BYTES_DEFAULT = 100,
    LOAD_VALUE_BYTES_MIN = 16,
    LOAD_VALUE_BYTES_MAX = 1 << 20,
    LOAD_LEAD_MS_DEFAULT = 1000,
    LOAD_KEY_BYTES_MAX = 256,
};

struct load_options {
    uint64_t rate; /* writes per second; 0: no limit */
    uint32_t key_count;
    uint32_t value_bytes;
    const char *prefix; /* prefix of the keys; NULL: "load:" */
    const char *family; /* NULL: "default" */
    const char *ledger; /* path; NULL: none */
    bool sync;          /* every write is durable before the next */
    uint32_t lead_ms;   /* how long to write before the migration, for comparison */
};

/* Fill in the defaults. */
void load_options_resolve(const struct load_options *given, struct load_options *options);
/* Check that all keys lie in one of the ranges (none: everything). Errors: INVALID. */
enum haul_status load_options_check(const struct load_options *options,
                                    const struct haul_range *ranges, size_t range_count,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* The id of the column family. Errors: NOT_FOUND, and those of the store. */
enum haul_status load_options_family(const struct load_options *options, struct haul_store *store,
                                     uint32_t *id, struct haul_error *error) HAUL_MUST_CHECK;

#endif
