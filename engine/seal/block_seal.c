/* SPDX-License-Identifier: Apache-2.0 */
/* block_seal.c — one AES-256-GCM message for each block. */
#include "block_seal.h"

#include <openssl/evp.h>
#include <string.h>

#include "bytes.h"

enum { NONCE_BYTES = 12, ASSOCIATED_BYTES = 40, STREAM_AT = 1, BATCH_AT = 5 };

/* kind (1), stream (4), batch (7): a stream of 2^56 batches does not end. */
static void make_nonce(const struct slot_header *header, uint8_t nonce[NONCE_BYTES])
{
    uint8_t batch[8];
    put_u64(batch, header->batch);
    nonce[0] = header->kind;
    put_u32(nonce + STREAM_AT, header->stream);
    memcpy(nonce + BATCH_AT, batch, NONCE_BYTES - BATCH_AT);
}

/* What the header says of the sealed block. */
static void make_associated(const struct block_key *key, const struct slot_header *header,
                            uint8_t associated[ASSOCIATED_BYTES])
{
    memset(associated, 0, ASSOCIATED_BYTES);
    associated[0] = header->type;
    associated[1] = header->kind;
    associated[2] = (uint8_t)key->wire;
    put_u64(associated + 4, header->epoch);
    put_u64(associated + 12, header->batch);
    put_u32(associated + 20, header->stream);
    put_u32(associated + 24, header->flags);
    put_u32(associated + 28, header->payload_size_bytes);
    put_u32(associated + 32, header->record_count);
    put_u32(associated + 36, header->raw_size_bytes);
}

static bool begin(EVP_CIPHER_CTX *context, const struct block_key *key,
                  const struct slot_header *header, bool seals)
{
    uint8_t nonce[NONCE_BYTES];
    uint8_t associated[ASSOCIATED_BYTES];
    int used = 0;
    make_nonce(header, nonce);
    make_associated(key, header, associated);
    return EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key->bytes, nonce, seals ? 1 : 0) ==
               1 &&
           EVP_CipherUpdate(context, NULL, &used, associated, ASSOCIATED_BYTES) == 1;
}

/* The payload itself: as associated data, or encrypted in place. */
static bool pass(EVP_CIPHER_CTX *context, const struct block_key *key, uint8_t *payload,
                 size_t size)
{
    int used = 0;
    uint8_t *out = key->wire == HAUL_WIRE_SECURE ? payload : NULL;
    return size == 0 || EVP_CipherUpdate(context, out, &used, payload, (int)size) == 1;
}

enum haul_status block_seal(const struct block_key *key, struct slot_header *header,
                            uint8_t *payload)
{
    if (!block_key_seals(key)) {
        return HAUL_OK;
    }
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL) {
        return HAUL_NO_MEMORY;
    }
    size_t size = header->payload_size_bytes;
    uint8_t *tag = payload + size;
    uint8_t none[16]; /* GCM has no last block; OpenSSL wants a place for it */
    int used = 0;
    header->payload_size_bytes += BLOCK_TAG_BYTES;
    bool ok = begin(context, key, header, true) && pass(context, key, payload, size) &&
              EVP_CipherFinal_ex(context, none, &used) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, BLOCK_TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(context);
    return ok ? HAUL_OK : HAUL_INTERNAL;
}

enum haul_status block_open(const struct block_key *key, const struct slot_header *header,
                            uint8_t *payload, size_t *size)
{
    if (!block_key_seals(key)) {
        return HAUL_OK;
    }
    if (*size < BLOCK_TAG_BYTES) {
        *size = 0;
        return HAUL_CORRUPT;
    }
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL) {
        return HAUL_NO_MEMORY;
    }
    size_t plain = *size - BLOCK_TAG_BYTES;
    uint8_t none[16];
    int used = 0;
    bool ok =
        begin(context, key, header, false) && pass(context, key, payload, plain) &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, BLOCK_TAG_BYTES, payload + plain) == 1;
    bool sound = ok && EVP_CipherFinal_ex(context, none, &used) == 1;
    EVP_CIPHER_CTX_free(context);
    *size = sound ? plain : 0;
    return !ok ? HAUL_INTERNAL : sound ? HAUL_OK : HAUL_CORRUPT;
}
