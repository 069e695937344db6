/* SPDX-License-Identifier: Apache-2.0 */
/* log_unpack.c — decompresses the records of a compressed log. */
#include "log_unpack.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "bytes.h"

/* RocksDB never writes a larger batch. */
static const size_t raw_bytes_max = (size_t)4 << 30;

enum { RAW_BYTES_MIN = 64 << 10 };

static bool grow(struct log_unpack *unpack)
{
    size_t capacity = unpack->capacity_bytes == 0 ? RAW_BYTES_MIN : 2 * unpack->capacity_bytes;
    uint8_t *grown = capacity > raw_bytes_max ? NULL : realloc(unpack->raw, capacity);
    if (grown != NULL) {
        unpack->raw = grown;
        unpack->capacity_bytes = capacity;
    }
    return grown != NULL;
}

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, "malloc", 0, "no memory for a record of the log");
}

static enum haul_status unpack_frame(struct log_unpack *unpack, struct haul_slice packed,
                                     size_t *size, struct haul_error *error)
{
    ZSTD_inBuffer in = {packed.data, packed.size, 0};
    ZSTD_outBuffer out = {unpack->raw, unpack->capacity_bytes, 0};
    size_t left = 1; /* 0: the frame is complete */
    (void)ZSTD_DCtx_reset(unpack->context, ZSTD_reset_session_only);
    while (left != 0) {
        if (out.pos == out.size && !grow(unpack)) {
            return no_memory(error);
        }
        out.dst = unpack->raw;
        out.size = unpack->capacity_bytes;
        left = ZSTD_decompressStream(unpack->context, &out, &in);
        if (ZSTD_isError(left) || (left != 0 && in.pos == in.size && out.pos < out.size)) {
            return haul_error_set(error, HAUL_CORRUPT, NULL, 0, "a record is not a zstd frame");
        }
    }
    *size = out.pos;
    return HAUL_OK;
}

enum haul_status log_unpack(struct log_unpack *unpack, struct haul_slice packed,
                            struct haul_slice *record, struct haul_error *error)
{
    if (unpack->context == NULL) {
        unpack->context = ZSTD_createDCtx();
    }
    if (unpack->context == NULL) {
        return no_memory(error);
    }
    size_t size = 0;
    enum haul_status status = unpack_frame(unpack, packed, &size, error);
    if (status == HAUL_OK) {
        *record = slice_of(unpack->raw, size);
    }
    return status;
}

void log_unpack_fini(struct log_unpack *unpack)
{
    (void)ZSTD_freeDCtx(unpack->context);
    free(unpack->raw);
    memset(unpack, 0, sizeof(*unpack));
}
