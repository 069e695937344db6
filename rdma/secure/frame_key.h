/* SPDX-License-Identifier: Apache-2.0 */
/* frame_key.h — what protects the short frames that a link itself sends: credits and its end.
 *
 * With a key a frame ends in the first 8 bytes of HMAC-SHA256 over the rest, where it otherwise has
 * a magic number and a CRC32C. One wrong tag ends the link, so a forger has one guess of 2^64.
 * Counts in a frame only grow, so an old one says nothing new.
 * Thread: any; a key is read only. */
#ifndef HAUL_FRAME_KEY_H
#define HAUL_FRAME_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/slice.h"

enum { FRAME_KEY_BYTES = 32, FRAME_TAG_BYTES = 8 };

struct frame_key {
    bool used; /* false: no key; the rest is not used */
    uint8_t bytes[FRAME_KEY_BYTES];
};

/* The tag of `message`, which a frame of this kind has. All zero if OpenSSL fails, which
 * frame_key_check refuses. */
void frame_key_tag(const struct frame_key *key, uint32_t kind, struct haul_slice message,
                   uint8_t tag[FRAME_TAG_BYTES]);
/* In constant time. */
bool frame_key_check(const struct frame_key *key, uint32_t kind, struct haul_slice message,
                     const uint8_t tag[FRAME_TAG_BYTES]);

#endif
