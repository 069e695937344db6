/* SPDX-License-Identifier: Apache-2.0 */
/* gcm.h — AES-256-GCM of one message: pure.
 *
 * Two libraries compute the same: Intel's Multi-Buffer Crypto (libipsec-mb), if it was there when
 * haul was built and this processor suits it, and OpenSSL. The first needs half the time or less
 * where the processor has VAES, which OpenSSL uses from 3.1 on. Thread: any. */
#ifndef HAUL_GCM_H
#define HAUL_GCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

/* NIST SP 800-38D. */
enum { GCM_KEY_BYTES = 32, GCM_NONCE_BYTES = 12, GCM_TAG_BYTES = 16 };

struct gcm_message {
    const uint8_t *key;
    const uint8_t *nonce; /* never twice with one key and other contents */
    const uint8_t *associated;
    size_t associated_size;
    uint8_t *payload;
    size_t payload_size; /* at most INT_MAX */
    bool hides;          /* encrypt the payload in place; otherwise it is associated data, too */
};

/* Errors: NO_MEMORY, INTERNAL (OpenSSL). */
enum haul_status gcm_seal(const struct gcm_message *message,
                          uint8_t tag[GCM_TAG_BYTES]) HAUL_MUST_CHECK;
/* Errors: CORRUPT (another tag: the payload must not be used), NO_MEMORY, INTERNAL. */
enum haul_status gcm_open(const struct gcm_message *message,
                          const uint8_t tag[GCM_TAG_BYTES]) HAUL_MUST_CHECK;

/* The name of the library that these two use: "libipsec-mb" or "OpenSSL". */
const char *gcm_library(void);

/* --- each library by itself, for gcm.c and tests ---------------------------------------------- */

struct gcm_ops {
    const char *library;
    bool (*is_usable)(void); /* built in, and this processor has what it needs */
    enum haul_status (*seal)(const struct gcm_message *message, uint8_t tag[GCM_TAG_BYTES]);
    enum haul_status (*open)(const struct gcm_message *message, const uint8_t tag[GCM_TAG_BYTES]);
};
extern const struct gcm_ops gcm_openssl;
extern const struct gcm_ops gcm_ipsec_mb;

#endif
