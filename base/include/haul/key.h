/* SPDX-License-Identifier: Apache-2.0 */
/* key.h — why a sender and a receiver trust each other: pre-shared keys, or certificates.
 *
 * Two sides trust each other if they hold the same key. A second key makes rotation possible: a
 * sender uses the first one, a receiver accepts each. haul/key_file.h reads and writes files of
 * them. Or each side has a certificate from an authority that the other trusts: then
 * haul/certificate_files.h makes the struct haul_keys. Whatever takes one takes the other, too.
 * Keys, and private keys of certificates, lie in memory of their own, which is not swapped (as far
 * as the limit of locked memory allows), not in core dumps and not in child processes, and which is
 * wiped at the end. */
#ifndef HAUL_KEY_H
#define HAUL_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    HAUL_KEY_SECRET_BYTES = 32, /* as many as AES-256 and X25519 take */
    HAUL_KEY_ID_BYTES_MAX = 33, /* 32 characters and NUL */
    HAUL_KEYS_MAX = 2,
};

struct haul_key {
    char id[HAUL_KEY_ID_BYTES_MAX]; /* public: 1 to 32 letters, digits, '-', '_' or '.' */
    uint8_t secret[HAUL_KEY_SECRET_BYTES];
};

struct haul_keys;

/* Copy `count` keys, 1 to HAUL_KEYS_MAX, with different ids. The caller wipes its own copy.
 * Errors: INVALID (count, id), NO_MEMORY. Thread: any. */
enum haul_status haul_keys_create(const struct haul_key *keys, size_t count,
                                  struct haul_keys **created,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Wipe and free; NULL is allowed. No migration may use them any more. Thread: any. */
void haul_keys_destroy(struct haul_keys *keys);

/* Their number, and the id of one of them. For certificates: 1, and the name in this side's own.
 * Thread: any. */
size_t haul_keys_count(const struct haul_keys *keys);
const char *haul_keys_id(const struct haul_keys *keys, size_t index);

#ifdef __cplusplus
}
#endif

#endif
