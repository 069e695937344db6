/* SPDX-License-Identifier: Apache-2.0 */
/* digest_hash.h — the hash of one record, compiled into each including file with the instructions
 * that the file may use. (xxHash's own choice at run time takes its AVX-512 code, whose set-up
 * costs more than it gains for values of some kilobytes.) */
#ifndef HAUL_DIGEST_HASH_H
#define HAUL_DIGEST_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "digest.h"

/* The value is hashed with a seed that depends on the key, so that one call hashes the large part
 * and no record needs a copy or a streaming state. */
static inline XXH128_hash_t digest_hash(const struct digest_key *by, struct haul_slice key,
                                        struct haul_slice value)
{
    bool keyed = by != NULL && by->used;
    XXH64_hash_t seed =
        keyed ? XXH3_64bits_withSecret(key.data, key.size, by->secret, DIGEST_SECRET_BYTES)
              : XXH3_64bits_withSeed(key.data, key.size, key.size);
    return XXH3_128bits_withSeed(value.data, value.size, seed);
}

static inline void digest_hash_add(struct digest *digest, const struct digest_key *by,
                                   struct haul_slice key, struct haul_slice value)
{
    XXH128_hash_t hash = digest_hash(by, key, value);
    digest->count++;
    digest->bytes += key.size + value.size;
    digest->low += hash.low64;
    digest->high += hash.high64 + (digest->low < hash.low64 ? 1 : 0);
}

#endif
