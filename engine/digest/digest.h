/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h — count and order-independent 128-bit digest of a set of records.
 *
 * The digest is the sum modulo 2^128 over all records of XXH3-128 of the value, seeded with XXH3-64
 * of the key (seeded with the key's size). So records may be added in any order, by several threads
 * separately, and removed again. Without a key it finds accidents. With one, which only the two
 * sides of a job or a comparison know, XXH3 of the key takes a secret, so that nobody else can
 * choose records that collide. */
#ifndef HAUL_DIGEST_H
#define HAUL_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "digest_key.h"
#include "haul/slice.h"

struct digest {
    uint64_t count;
    uint64_t bytes; /* of keys and values */
    uint64_t low;
    uint64_t high;
};

/* `by` NULL: no key. */
void digest_add(struct digest *digest, const struct digest_key *by, struct haul_slice key,
                struct haul_slice value);
void digest_subtract(struct digest *digest, const struct digest_key *by, struct haul_slice key,
                     struct haul_slice value);
/* Add all of `other`. */
void digest_join(struct digest *digest, const struct digest *other);
bool digest_equal(const struct digest *a, const struct digest *b);

enum { DIGEST_TEXT_BYTES = 33 };
/* 32 hexadecimal digits. */
void digest_format(const struct digest *digest, char text[DIGEST_TEXT_BYTES]);

#endif
