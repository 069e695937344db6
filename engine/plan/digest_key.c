/* SPDX-License-Identifier: Apache-2.0 */
/* digest_key.c — XXH3's own way from a key to a secret. */
#include "digest_key.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void digest_key_init(struct digest_key *by, const uint8_t key[DIGEST_KEY_BYTES])
{
    by->used = true;
    memcpy(by->bytes, key, DIGEST_KEY_BYTES);
    XXH3_generateSecret(by->secret, DIGEST_SECRET_BYTES, key, DIGEST_KEY_BYTES);
}
