/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c — a sum of 128-bit record hashes. */
#include "digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>
#ifdef __x86_64__
#include <xxh_x86dispatch.h> /* the same hashes by the widest registers that this processor has */
#endif

/* The value is hashed with a seed that depends on the key, so that one call hashes the large part
 * and no record needs a copy or a streaming state. */
static XXH128_hash_t hash_record(struct haul_slice key, struct haul_slice value)
{
    XXH64_hash_t seed = XXH3_64bits_withSeed(key.data, key.size, key.size);
    return XXH3_128bits_withSeed(value.data, value.size, seed);
}

void digest_add(struct digest *digest, struct haul_slice key, struct haul_slice value)
{
    XXH128_hash_t hash = hash_record(key, value);
    digest->count++;
    digest->bytes += key.size + value.size;
    digest->low += hash.low64;
    digest->high += hash.high64 + (digest->low < hash.low64 ? 1 : 0);
}

void digest_subtract(struct digest *digest, struct haul_slice key, struct haul_slice value)
{
    XXH128_hash_t hash = hash_record(key, value);
    digest->count--;
    digest->bytes -= key.size + value.size;
    digest->high -= hash.high64 + (digest->low < hash.low64 ? 1 : 0);
    digest->low -= hash.low64;
}

void digest_join(struct digest *digest, const struct digest *other)
{
    digest->count += other->count;
    digest->bytes += other->bytes;
    digest->low += other->low;
    digest->high += other->high + (digest->low < other->low ? 1 : 0);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return a->count == b->count && a->low == b->low && a->high == b->high;
}

void digest_format(const struct digest *digest, char text[DIGEST_TEXT_BYTES])
{
    (void)snprintf(text, DIGEST_TEXT_BYTES, "%016" PRIx64 "%016" PRIx64, digest->high, digest->low);
}
