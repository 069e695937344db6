/* SPDX-License-Identifier: Apache-2.0 */
/* digest_avx2.c — the same sum with wider registers; empty for other processors. */
#include "digest_avx2.h"

#include "digest_hash.h"

#ifdef __AVX2__
void digest_add_avx2(struct digest *digest, const struct digest_key *by, struct haul_slice key,
                     struct haul_slice value)
{
    digest_hash_add(digest, by, key, value);
}
#endif
