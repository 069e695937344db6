/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_preamble.h — the first 64 bytes of a TCP connection in each direction: pure, no I/O.
 *
 * The connecting side names the purpose of the connection. All integers little-endian:
 *
 *   0 "HAULPRE1"      8 u16 version min  10 u16 version max  12 u16 purpose  14 u16 reserved
 *  16 u32 link index 20 session (16)     36 token (16)       52 u64 reserved
 *  60 u32 CRC32C of bytes 0..59
 *
 * The other side answers:
 *
 *   0 "HAULANS1"      8 u16 version min  10 u16 version max  12 u32 status   16 reserved (44)
 *  60 u32 CRC32C of bytes 0..59
 *
 * Reserved bytes are written as zero and not checked, so that a peer of a later version gets the
 * answer VERSION instead of being taken for a foreign program. */
#ifndef HAUL_TCP_PREAMBLE_H
#define HAUL_TCP_PREAMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "link.h"

enum tcp_purpose {
    TCP_CONTROL = 1,
    TCP_DATA = 2,
};

enum { TCP_PREAMBLE_BYTES = 64 };

/* Versions that are zero in the ticket become this build's. */
void tcp_preamble_encode(enum tcp_purpose purpose, const struct link_ticket *ticket, uint8_t *at);
/* Errors: PROTOCOL (not a haul peer, unknown purpose), CORRUPT (CRC). The caller compares
 * versions. */
enum haul_status tcp_preamble_decode(const uint8_t *at, enum tcp_purpose *purpose,
                                     struct link_ticket *ticket) HAUL_MUST_CHECK;

/* The answer: OK or the reason of a refusal, and the versions of the answering side. */
void tcp_answer_encode(enum haul_status status, uint8_t *at);
/* Errors: PROTOCOL (not a haul peer, unknown status), CORRUPT (CRC). */
enum haul_status tcp_answer_decode(const uint8_t *at, enum haul_status *answer,
                                   uint16_t *version_min, uint16_t *version_max) HAUL_MUST_CHECK;

/* Can the first `size_bytes` (at most 64) be the beginning of a preamble / of an answer? Detects a
 * foreign peer before all 64 bytes have arrived. */
bool tcp_preamble_plausible(const uint8_t *at, size_t size_bytes);
bool tcp_answer_plausible(const uint8_t *at, size_t size_bytes);

#endif
