/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_frame.h — the receiver's path back on a TCP link: 32-byte frames, credits and the end.
 *
 * A credit frame is that of credit.h. The end frame has the same layout with the magic "CEND"
 * and carries the last credits; nothing follows it. A stream that ends without it was cut. With a
 * key the kind is in the tag alone. */
#ifndef HAUL_TCP_FRAME_H
#define HAUL_TCP_FRAME_H

#include <stdint.h>

#include "credit.h"
#include "haul/status.h"

enum tcp_frame_kind {
    TCP_FRAME_CREDIT,
    TCP_FRAME_END,
};

enum { TCP_FRAME_BYTES = CREDIT_FRAME_BYTES };

/* `key` NULL, or not used: no key. */
void tcp_frame_encode(enum tcp_frame_kind kind, const struct credit_frame *frame,
                      const struct frame_key *key, uint8_t *at);
/* Errors: PROTOCOL (magic), CORRUPT (CRC, tag). */
enum haul_status tcp_frame_decode(const uint8_t *at, const struct frame_key *key,
                                  enum tcp_frame_kind *kind,
                                  struct credit_frame *frame) HAUL_MUST_CHECK;

#endif
