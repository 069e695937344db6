/* SPDX-License-Identifier: Apache-2.0 */
/* digest_key.h — what distinguishes the digests of one job, or of one comparison, from all others:
 * both sides have it, and nobody else. See digest.h.
 * Thread: any; it is read only. */
#ifndef HAUL_DIGEST_KEY_H
#define HAUL_DIGEST_KEY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DIGEST_KEY_BYTES = 32,
    DIGEST_SECRET_BYTES = 192, /* as many as XXH3 has by default */
};

/* Zeroed: no key. */
struct digest_key {
    bool used;
    uint8_t bytes[DIGEST_KEY_BYTES];     /* as drawn */
    uint8_t secret[DIGEST_SECRET_BYTES]; /* made of them */
};

/* Make the secret from a key of random bytes. */
void digest_key_init(struct digest_key *by, const uint8_t key[DIGEST_KEY_BYTES]);

#endif
