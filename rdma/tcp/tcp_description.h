/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_description.h — what a TCP link sends the peer about itself before the bind: pure, no I/O.
 *
 *   0 u32 magic "TCLK"   4 u16 version   6 u16 reserved   8 u32 slot count   12 u32 slot size */
#ifndef HAUL_TCP_DESCRIPTION_H
#define HAUL_TCP_DESCRIPTION_H

#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

enum { TCP_DESCRIPTION_BYTES = 16 };

struct tcp_description {
    uint32_t slot_count;
    uint32_t slot_size_bytes;
};

void tcp_description_encode(const struct tcp_description *description, uint8_t *at);
/* Errors: PROTOCOL (size, magic, version, an impossible ring). */
enum haul_status tcp_description_decode(const uint8_t *at, size_t size_bytes,
                                        struct tcp_description *description,
                                        struct haul_error *error) HAUL_MUST_CHECK;

#endif
