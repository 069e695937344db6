/* SPDX-License-Identifier: Apache-2.0 */
/* mutation.h — small mutations of bytes, the same for the same seed on every machine. */
#ifndef HAUL_FUZZ_MUTATION_H
#define HAUL_FUZZ_MUTATION_H

#include <stddef.h>
#include <stdint.h>

/* SplitMix64; any seed will do. */
struct mutation_random {
    uint64_t state;
};

uint64_t mutation_random_next(struct mutation_random *random);
/* Below `limit`, which is not 0. */
size_t mutation_random_below(struct mutation_random *random, size_t limit);

/* Change the first `size` of `capacity` bytes in one to four places: bits and bytes changed,
 * parts cut off, removed, repeated or overwritten. Returns the new size, at most `capacity`. */
size_t mutate(struct mutation_random *random, uint8_t *bytes, size_t size, size_t capacity);

#endif
