/* SPDX-License-Identifier: Apache-2.0 */
/* digest_avx2.h — digest_add for processors with AVX2. */
#ifndef HAUL_DIGEST_AVX2_H
#define HAUL_DIGEST_AVX2_H

#include "digest.h"

/* The processor must have AVX2. */
void digest_add_avx2(struct digest *digest, const struct digest_key *by, struct haul_slice key,
                     struct haul_slice value);

#endif
