/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_description.h — what a verbs link sends the peer before the bind: pure, no I/O.
 *
 *   0 u32 magic "VLNK"    4 u16 version      6 u16 role (1 sends, 2 receives)
 *   8 u32 slot count     12 u32 slot size   16 u64 address of the peer's writes
 *  24 u32 rkey           28 u32 records     32 u32 largest message
 *  36 u32 CRC32C of bytes 0..35
 *
 * The address is that of the ring (a receiver's) or of the credit frames (a sender's); `records`
 * is the number of credit frames, 0 for a receiver. */
#ifndef HAUL_VERBS_DESCRIPTION_H
#define HAUL_VERBS_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

enum { VERBS_DESCRIPTION_BYTES = 40 };

struct verbs_description {
    bool sending;
    uint32_t slot_count;
    uint32_t slot_size_bytes;
    uint64_t address;
    uint32_t rkey;
    uint32_t record_count;
    uint32_t message_bytes_max; /* of the port */
};

void verbs_description_encode(const struct verbs_description *description, uint8_t *at);
/* Errors: PROTOCOL (size, magic, version, role, impossible counts), CORRUPT (CRC). */
enum haul_status verbs_description_decode(const uint8_t *at, size_t size_bytes,
                                          struct verbs_description *description,
                                          struct haul_error *error) HAUL_MUST_CHECK;

#endif
