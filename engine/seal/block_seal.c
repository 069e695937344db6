/* SPDX-License-Identifier: Apache-2.0 */
/* block_seal.c — one AES-256-GCM message for each block. */
#include "block_seal.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "gcm.h"

enum { ASSOCIATED_BYTES = 40, STREAM_AT = 1, BATCH_AT = 5 };
static_assert((int)BLOCK_KEY_BYTES == (int)GCM_KEY_BYTES, "the key of a block is one of GCM");
static_assert((int)BLOCK_TAG_BYTES == (int)GCM_TAG_BYTES, "so is its tag");

/* kind (1), stream (4), batch (7): a stream of 2^56 batches does not end. */
static void make_nonce(const struct slot_header *header, uint8_t nonce[GCM_NONCE_BYTES])
{
    uint8_t batch[8];
    put_u64(batch, header->batch);
    nonce[0] = header->kind;
    put_u32(nonce + STREAM_AT, header->stream);
    memcpy(nonce + BATCH_AT, batch, GCM_NONCE_BYTES - BATCH_AT);
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

static struct gcm_message message_of(const struct block_key *key, const uint8_t *nonce,
                                     const uint8_t *associated, uint8_t *payload, size_t size)
{
    return (struct gcm_message){.key = key->bytes,
                                .nonce = nonce,
                                .associated = associated,
                                .associated_size = ASSOCIATED_BYTES,
                                .payload = payload,
                                .payload_size = size,
                                .hides = key->wire == HAUL_WIRE_SECURE};
}

enum haul_status block_seal(const struct block_key *key, struct slot_header *header,
                            uint8_t *payload)
{
    if (!block_key_seals(key)) {
        return HAUL_OK;
    }
    uint8_t nonce[GCM_NONCE_BYTES];
    uint8_t associated[ASSOCIATED_BYTES];
    size_t size = header->payload_size_bytes;
    header->payload_size_bytes += BLOCK_TAG_BYTES;
    make_nonce(header, nonce);
    make_associated(key, header, associated);
    struct gcm_message message = message_of(key, nonce, associated, payload, size);
    return gcm_seal(&message, payload + size);
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
    uint8_t nonce[GCM_NONCE_BYTES];
    uint8_t associated[ASSOCIATED_BYTES];
    size_t plain = *size - BLOCK_TAG_BYTES;
    make_nonce(header, nonce);
    make_associated(key, header, associated);
    struct gcm_message message = message_of(key, nonce, associated, payload, plain);
    enum haul_status status = gcm_open(&message, payload + plain);
    *size = status == HAUL_OK ? plain : 0;
    return status;
}
