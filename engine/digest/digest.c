/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c — a sum of 128-bit record hashes. */
#include "digest.h"

#include <inttypes.h>
#include <stdio.h>

#include "digest_avx2.h"
#include "digest_hash.h"

void digest_add(struct digest *digest, const struct digest_key *by, struct haul_slice key,
                struct haul_slice value)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        digest_add_avx2(digest, by, key, value);
        return;
    }
#endif
    digest_hash_add(digest, by, key, value);
}

void digest_subtract(struct digest *digest, const struct digest_key *by, struct haul_slice key,
                     struct haul_slice value)
{
    XXH128_hash_t hash = digest_hash(by, key, value);
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
