/* SPDX-License-Identifier: Apache-2.0 */
/* source_proof.c — taking and comparing proofs. */
#include "source_proof.h"

#include <string.h>

#include "bytes.h"

void source_proof_take(struct source_proof *proof, struct haul_slice bytes)
{
    memset(proof, 0, sizeof(*proof));
    proof->given = bytes.size == SOURCE_PROOF_BYTES;
    if (proof->given) {
        memcpy(proof->bytes, bytes.data, SOURCE_PROOF_BYTES);
    }
}

struct haul_slice source_proof_slice(const struct source_proof *proof)
{
    return slice_of(proof->bytes, proof->given ? SOURCE_PROOF_BYTES : 0);
}

bool source_proof_fits(const struct source_proof *wanted, const struct source_proof *given)
{
    unsigned difference = given->given ? 0 : 1;
    for (size_t i = 0; i < SOURCE_PROOF_BYTES; i++) {
        difference |= (unsigned)(wanted->bytes[i] ^ given->bytes[i]);
    }
    return !wanted->given || difference == 0;
}
