/* SPDX-License-Identifier: Apache-2.0 */
/* frame_key.c — HMAC-SHA256, shortened. */
#include "frame_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"

enum { MESSAGE_BYTES_MAX = 64, KIND_BYTES = 4, DIGEST_BYTES = 32 };

static bool compute(const struct frame_key *key, uint32_t kind, struct haul_slice message,
                    uint8_t tag[FRAME_TAG_BYTES])
{
    uint8_t input[KIND_BYTES + MESSAGE_BYTES_MAX];
    uint8_t digest[DIGEST_BYTES];
    unsigned size = 0;
    haul_assert(message.size <= MESSAGE_BYTES_MAX);
    put_u32(input, kind);
    memcpy(input + KIND_BYTES, message.data, message.size);
    bool ok = HMAC(EVP_sha256(), key->bytes, FRAME_KEY_BYTES, input, KIND_BYTES + message.size,
                   digest, &size) != NULL;
    memset(tag, 0, FRAME_TAG_BYTES);
    if (ok) {
        memcpy(tag, digest, FRAME_TAG_BYTES);
    }
    return ok;
}

void frame_key_tag(const struct frame_key *key, uint32_t kind, struct haul_slice message,
                   uint8_t tag[FRAME_TAG_BYTES])
{
    (void)compute(key, kind, message, tag);
}

bool frame_key_check(const struct frame_key *key, uint32_t kind, struct haul_slice message,
                     const uint8_t tag[FRAME_TAG_BYTES])
{
    uint8_t wanted[FRAME_TAG_BYTES];
    return compute(key, kind, message, wanted) &&
           CRYPTO_memcmp(wanted, tag, FRAME_TAG_BYTES) == 0;
}
