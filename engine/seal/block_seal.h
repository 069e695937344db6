/* SPDX-License-Identifier: Apache-2.0 */
/* block_seal.h — what protects a block against everybody between the two sides: pure.
 *
 * AES-256-GCM with the attempt's key. The nonce is kind, stream and batch, which are unique in an
 * attempt; so a block that is sent again over another link is the same bytes. The header's fields
 * are associated data, except for the link's sequence and the checksum, which the link sets. The
 * tag follows the payload.
 *
 *   none    nothing: the payload's CRC detects accidents
 *   auth    the payload stays readable (GMAC)
 *   secure  the payload is encrypted
 *
 * Thread: any; a key is read only. */
#ifndef HAUL_BLOCK_SEAL_H
#define HAUL_BLOCK_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"
#include "slot_header.h"

enum { BLOCK_KEY_BYTES = 32, BLOCK_TAG_BYTES = 16 };

struct block_key {
    enum haul_wire wire; /* neither AUTH nor SECURE: the rest is not used */
    uint8_t bytes[BLOCK_KEY_BYTES];
};

static inline bool block_key_seals(const struct block_key *key)
{
    return key->wire == HAUL_WIRE_AUTH || key->wire == HAUL_WIRE_SECURE;
}

/* Bytes that a sealed payload is longer than the plain one. */
static inline uint32_t block_seal_bytes(const struct block_key *key)
{
    return block_key_seals(key) ? BLOCK_TAG_BYTES : 0;
}

/* Seal the payload, whose size is in the header and becomes the sealed one; there is room for it.
 * Errors: NO_MEMORY, INTERNAL (OpenSSL). */
enum haul_status block_seal(const struct block_key *key, struct slot_header *header,
                            uint8_t *payload) HAUL_MUST_CHECK;

/* Open the payload in place; `*size` becomes the plain one. The payload must be in memory that no
 * peer can write. Errors: CORRUPT (somebody has changed it; the bytes must not be used), NO_MEMORY,
 * INTERNAL. */
enum haul_status block_open(const struct block_key *key, const struct slot_header *header,
                            uint8_t *payload, size_t *size) HAUL_MUST_CHECK;

#endif
