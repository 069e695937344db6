/* SPDX-License-Identifier: Apache-2.0 */
/* payload_codec.h — compresses and decompresses payloads. The only door to zstd. */
#ifndef HAUL_PAYLOAD_CODEC_H
#define HAUL_PAYLOAD_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/slice.h"
#include "haul/status.h"

/* Bits of Welcome.compression: the formats that a target can unpack. */
enum { PAYLOAD_ZSTD = 1 << 0 };

struct payload_packer;

/* For payloads of at most `payload_bytes_max`. Errors: NO_MEMORY. */
enum haul_status payload_packer_create(size_t payload_bytes_max,
                                       struct payload_packer **packer) HAUL_MUST_CHECK;
void payload_packer_destroy(struct payload_packer *packer);
/* Compress the payload in place, by at least a tenth; 0: not possible, the payload is unchanged.
 * Thread: one at a time. */
size_t payload_pack(struct payload_packer *packer, uint8_t *payload, size_t size);

struct payload_unpacker;

/* Errors: NO_MEMORY. */
enum haul_status payload_unpacker_create(size_t payload_bytes_max,
                                         struct payload_unpacker **unpacker) HAUL_MUST_CHECK;
void payload_unpacker_destroy(struct payload_unpacker *unpacker);
/* The payload after decompression, valid until the next call. `packed` may contain anything.
 * Errors: CORRUPT (not packed by us, or not `raw_size` bytes), LIMIT (larger than
 * payload_bytes_max). Thread: one at a time. */
enum haul_status payload_unpack(struct payload_unpacker *unpacker, struct haul_slice packed,
                                size_t raw_size, struct haul_slice *payload) HAUL_MUST_CHECK;

#endif
