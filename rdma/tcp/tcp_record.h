/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_record.h — the receiver's way back on a TCP link: 32-byte records, credits and the end.
 *
 * A credit record is that of credit.h. The end record has the same layout with the magic "CEND"
 * and carries the last credits; nothing follows it. A stream that ends without it was cut. */
#ifndef HAUL_TCP_RECORD_H
#define HAUL_TCP_RECORD_H

#include <stdint.h>

#include "credit.h"
#include "haul/status.h"

enum tcp_record_kind {
    TCP_RECORD_CREDIT,
    TCP_RECORD_END,
};

enum { TCP_RECORD_BYTES = CREDIT_RECORD_BYTES };

void tcp_record_encode(enum tcp_record_kind kind, const struct credit_record *record, uint8_t *at);
/* Errors: PROTOCOL (magic), CORRUPT (CRC). */
enum haul_status tcp_record_decode(const uint8_t *at, enum tcp_record_kind *kind,
                                   struct credit_record *record) HAUL_MUST_CHECK;

#endif
