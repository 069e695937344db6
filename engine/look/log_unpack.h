/* SPDX-License-Identifier: Apache-2.0 */
/* log_unpack.h — decompresses the records of a compressed log (wal_compression). RocksDB writes
 * each record as its own zstd frame.
 *
 * Thread: any, one for each. */
#ifndef HAUL_LOG_UNPACK_H
#define HAUL_LOG_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "haul/slice.h"
#include "haul/status.h"

/* All zeros: empty. */
struct log_unpack {
    void *context; /* the zstd context */
    uint8_t *raw;
    size_t capacity_bytes;
};

/* The decompressed record, valid until the next call.
 * Errors: CORRUPT (not a zstd frame: another compression, or none), NO_MEMORY. */
enum haul_status log_unpack(struct log_unpack *unpack, struct haul_slice packed,
                            struct haul_slice *record, struct haul_error *error) HAUL_MUST_CHECK;
void log_unpack_fini(struct log_unpack *unpack);

#endif
