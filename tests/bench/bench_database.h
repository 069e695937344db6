/* SPDX-License-Identifier: Apache-2.0 */
/* bench_database.h — a temporary database of random records, uncompressed and compacted. */
#ifndef HAUL_TESTS_BENCH_DATABASE_H
#define HAUL_TESTS_BENCH_DATABASE_H

#include <stdint.h>

#include "haul/status.h"

enum {
    BENCH_KEY_BYTES = 16,
    BENCH_VALUE_BYTES_MAX = 1 << 20,
};

struct bench_database {
    char path[512];
    uint64_t record_count;
    uint64_t bytes; /* of keys and values */
};

/* Make one in $TMPDIR (else /tmp) with about `bytes` of records with values of `value_bytes` (1 to
 * BENCH_VALUE_BYTES_MAX), and close it. After a failure the directory may remain. Errors: IO,
 * STORE, NO_MEMORY. */
enum haul_status bench_database_make(struct bench_database *database, uint64_t bytes,
                                     uint32_t value_bytes,
                                     struct haul_error *error) HAUL_MUST_CHECK;
void bench_database_remove(struct bench_database *database);

#endif
