/* SPDX-License-Identifier: Apache-2.0 */
/* gcm_openssl.c — AES-256-GCM by OpenSSL. */
#include <openssl/evp.h>

#include "gcm.h"

static bool is_usable(void)
{
    return true;
}

static bool pass(EVP_CIPHER_CTX *context, const struct gcm_message *message, bool seals)
{
    int used = 0;
    uint8_t *out = message->hides ? message->payload : NULL;
    return EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, message->key, message->nonce,
                             seals ? 1 : 0) == 1 &&
           EVP_CipherUpdate(context, NULL, &used, message->associated,
                            (int)message->associated_size) == 1 &&
           (message->payload_size == 0 || EVP_CipherUpdate(context, out, &used, message->payload,
                                                           (int)message->payload_size) == 1);
}

/* GCM has no last block; OpenSSL wants a place for it. */
static bool finish(EVP_CIPHER_CTX *context)
{
    uint8_t none[16];
    int used = 0;
    return EVP_CipherFinal_ex(context, none, &used) == 1;
}

static enum haul_status seal(const struct gcm_message *message, uint8_t tag[GCM_TAG_BYTES])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL) {
        return HAUL_NO_MEMORY;
    }
    bool ok = pass(context, message, true) && finish(context) &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(context);
    return ok ? HAUL_OK : HAUL_INTERNAL;
}

static enum haul_status open_message(const struct gcm_message *message,
                                     const uint8_t tag[GCM_TAG_BYTES])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL) {
        return HAUL_NO_MEMORY;
    }
    uint8_t *expected = (uint8_t *)(uintptr_t)tag; /* OpenSSL only reads it */
    bool ok = pass(context, message, false) &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, expected) == 1;
    bool sound = ok && finish(context);
    EVP_CIPHER_CTX_free(context);
    return !ok ? HAUL_INTERNAL : sound ? HAUL_OK : HAUL_CORRUPT;
}

const struct gcm_ops gcm_openssl = {
    .library = "OpenSSL",
    .is_usable = is_usable,
    .seal = seal,
    .open = open_message,
};
