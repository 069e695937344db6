/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_greeting.h — what rdma_cm carries for haul while a connection is made: pure, no I/O.
 *
 * The connecting side sends its ticket in the 56 bytes of private data that fit in a request. All
 * integers little-endian:
 *
 *   0 u32 magic "HLRQ"   4 u16 version min   6 u16 version max   8 u32 link index
 *  12 session (16)      28 token (16)       44 u64 reserved     52 u32 CRC32C of bytes 0..51
 *
 * A side that refuses states the reason in the private data of the rejection:
 *
 *   0 u32 magic "HLRJ"   4 u16 version min   6 u16 version max   8 u32 status
 *  12 u32 CRC32C of bytes 0..11
 *
 * Reserved bytes are written as zero and not checked. rdma_cm pads what it delivers, so the sizes
 * here are minimum sizes. */
#ifndef HAUL_VERBS_GREETING_H
#define HAUL_VERBS_GREETING_H

#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "link.h"

enum {
    VERBS_GREETING_BYTES = 56,
    VERBS_REFUSAL_BYTES = 16,
};

struct verbs_refusal {
    enum haul_status status;
    uint16_t version_min;
    uint16_t version_max;
};

/* Versions that are zero in the ticket become this build's. */
void verbs_greeting_encode(const struct link_ticket *ticket, uint8_t *at);
/* Errors: PROTOCOL (not a haul peer), CORRUPT (CRC). The caller compares versions. */
enum haul_status verbs_greeting_decode(const uint8_t *at, size_t size_bytes,
                                       struct link_ticket *ticket) HAUL_MUST_CHECK;

/* With this build's versions. */
void verbs_refusal_encode(enum haul_status status, uint8_t *at);
/* Errors: PROTOCOL (not from a haul peer, unknown status), CORRUPT (CRC). */
enum haul_status verbs_refusal_decode(const uint8_t *at, size_t size_bytes,
                                      struct verbs_refusal *refusal) HAUL_MUST_CHECK;

#endif
