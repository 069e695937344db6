/* SPDX-License-Identifier: Apache-2.0 */
/* payload_codec.c — zstd at its fastest useful level, which pays only on links that are slower than
 * it. */
#include "payload_codec.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "bytes.h"

enum {
    LEVEL = 1,
    GAIN_SHARE = 10, /* a payload must lose a tenth */
};

struct payload_packer {
    ZSTD_CCtx *context;
    size_t capacity;
    uint8_t packed[];
};

enum haul_status payload_packer_create(size_t payload_bytes_max, struct payload_packer **out)
{
    struct payload_packer *packer = malloc(sizeof(*packer) + payload_bytes_max);
    if (packer == NULL) {
        return HAUL_NO_MEMORY;
    }
    packer->capacity = payload_bytes_max;
    packer->context = ZSTD_createCCtx();
    if (packer->context == NULL) {
        free(packer);
        return HAUL_NO_MEMORY;
    }
    *out = packer;
    return HAUL_OK;
}

void payload_packer_destroy(struct payload_packer *packer)
{
    if (packer != NULL) {
        (void)ZSTD_freeCCtx(packer->context);
        free(packer);
    }
}

size_t payload_pack(struct payload_packer *packer, uint8_t *payload, size_t size)
{
    size_t limit = size - size / GAIN_SHARE;
    limit = limit < packer->capacity ? limit : packer->capacity;
    size_t packed = ZSTD_compressCCtx(packer->context, packer->packed, limit, payload, size, LEVEL);
    if (ZSTD_isError(packed)) { /* mostly because it does not fit `limit` */
        return 0;
    }
    memcpy(payload, packer->packed, packed);
    return packed;
}

struct payload_unpacker {
    ZSTD_DCtx *context;
    size_t capacity;
    uint8_t payload[];
};

enum haul_status payload_unpacker_create(size_t payload_bytes_max, struct payload_unpacker **out)
{
    struct payload_unpacker *unpacker = malloc(sizeof(*unpacker) + payload_bytes_max);
    if (unpacker == NULL) {
        return HAUL_NO_MEMORY;
    }
    unpacker->capacity = payload_bytes_max;
    unpacker->context = ZSTD_createDCtx();
    if (unpacker->context == NULL) {
        free(unpacker);
        return HAUL_NO_MEMORY;
    }
    *out = unpacker;
    return HAUL_OK;
}

void payload_unpacker_destroy(struct payload_unpacker *unpacker)
{
    if (unpacker != NULL) {
        (void)ZSTD_freeDCtx(unpacker->context);
        free(unpacker);
    }
}

enum haul_status payload_unpack(struct payload_unpacker *unpacker, struct haul_slice packed,
                                size_t raw_size, struct haul_slice *payload)
{
    if (raw_size > unpacker->capacity) {
        return HAUL_LIMIT;
    }
    size_t size = ZSTD_decompressDCtx(unpacker->context, unpacker->payload, raw_size, packed.data,
                                      packed.size);
    if (ZSTD_isError(size) || size != raw_size) {
        return HAUL_CORRUPT;
    }
    *payload = slice_of(unpacker->payload, size);
    return HAUL_OK;
}
