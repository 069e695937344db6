/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_proof.c — who may act on a job, by what the target kept and what it is given. */
#include "source_proof.h"

#include <string.h>

#include "bytes.h"
#include "check.h"

static struct source_proof proof_of(uint8_t of)
{
    uint8_t bytes[SOURCE_PROOF_BYTES];
    struct source_proof proof;
    memset(bytes, of, sizeof(bytes));
    source_proof_take(&proof, slice_of(bytes, sizeof(bytes)));
    return proof;
}

static void test_source_proof_take__only_its_own_size__otherwise_none(void)
{
    static const uint8_t bytes[SOURCE_PROOF_BYTES + 1] = {1};
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        struct source_proof proof = proof_of(5);
        source_proof_take(&proof, slice_of(bytes, size));
        check(proof.given == (size == SOURCE_PROOF_BYTES));
        check_equal(source_proof_slice(&proof).size, proof.given ? SOURCE_PROOF_BYTES : 0);
    }
}

static void test_source_proof_fits__same_or_nothing_wanted__only_then(void)
{
    static const struct source_proof none;
    const struct source_proof wanted = proof_of(7);
    check(source_proof_fits(&none, &none));
    check(source_proof_fits(&none, &wanted));
    check(!source_proof_fits(&wanted, &none));
    for (size_t bit = 0; bit < 8 * SOURCE_PROOF_BYTES; bit++) {
        struct source_proof given = wanted;
        check(source_proof_fits(&wanted, &given));
        given.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(!source_proof_fits(&wanted, &given));
    }
    struct source_proof zeros = {.given = false}; /* zeros that were never given prove nothing */
    struct source_proof of_zeros = proof_of(0);
    check(!source_proof_fits(&of_zeros, &zeros));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_proof_take__only_its_own_size__otherwise_none),
    CHECK_TEST(test_source_proof_fits__same_or_nothing_wanted__only_then),
};
CHECK_MAIN("source_proof", tests)
