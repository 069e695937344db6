/* SPDX-License-Identifier: Apache-2.0 */
/* attempt_keys.c — the labels and the inputs of the derivations. */
#include "attempt_keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "bytes.h"
#include "vector_registers.h"

/* Private labels of RFC 5705, 4. */
#define LABEL_BLOCKS "EXPERIMENTAL haul blocks"
#define LABEL_LINKS "EXPERIMENTAL haul links"

enum { CONTEXT_BYTES = LINK_SESSION_BYTES + 8, LINK_INPUT_BYTES = 6, DIGEST_BYTES = 32 };

enum haul_status attempt_keys_derive(struct attempt_keys *keys,
                                     const struct control_channel *channel,
                                     const uint8_t session[LINK_SESSION_BYTES], uint64_t epoch,
                                     enum haul_wire wire, struct haul_error *error)
{
    attempt_keys_wipe(keys);
    if (!control_channel_is_secret(channel)) {
        keys->block.wire = HAUL_WIRE_NONE;
        return wire <= HAUL_WIRE_NONE
                   ? HAUL_OK
                   : haul_error_set(error, HAUL_INVALID, NULL, 0, "a connection without a key");
    }
    keys->block.wire = wire;
    uint8_t context[CONTEXT_BYTES];
    memcpy(context, session, LINK_SESSION_BYTES);
    put_u64(context + LINK_SESSION_BYTES, epoch);
    struct haul_slice slice = slice_of(context, sizeof(context));
    enum haul_status status = control_channel_export(channel, LABEL_BLOCKS, slice,
                                                     keys->block.bytes, BLOCK_KEY_BYTES);
    if (status == HAUL_OK) {
        status = control_channel_export(channel, LABEL_LINKS, slice, keys->links,
                                        ATTEMPT_LINKS_SECRET_BYTES);
    }
    vector_registers_wipe();
    if (status != HAUL_OK) {
        attempt_keys_wipe(keys);
        return haul_error_set(error, HAUL_INTERNAL, "SSL_export_keying_material", 0,
                              "no keys for the data links");
    }
    keys->derived = true;
    return HAUL_OK;
}

static bool derive(const struct attempt_keys *keys, const uint8_t *input, uint8_t purpose,
                   uint8_t out[DIGEST_BYTES])
{
    uint8_t message[LINK_INPUT_BYTES];
    unsigned size = 0;
    memcpy(message, input, LINK_INPUT_BYTES);
    message[0] = purpose;
    return HMAC(EVP_sha256(), keys->links, ATTEMPT_LINKS_SECRET_BYTES, message, sizeof(message),
                out, &size) != NULL &&
           size == DIGEST_BYTES;
}

enum haul_status attempt_keys_link(const struct attempt_keys *keys, enum haul_transport transport,
                                   uint32_t index, struct link_secrets *secrets)
{
    enum { PURPOSE_TOKEN = 1, PURPOSE_FRAMES = 2 };
    uint8_t input[LINK_INPUT_BYTES] = {0, (uint8_t)transport};
    uint8_t token[DIGEST_BYTES] = {0};
    put_u32(input + 2, index);
    bool ok = derive(keys, input, PURPOSE_TOKEN, token) &&
              derive(keys, input, PURPOSE_FRAMES, secrets->frames.bytes);
    memcpy(secrets->token, token, LINK_TOKEN_BYTES);
    secrets->frames.used = ok;
    OPENSSL_cleanse(token, sizeof(token));
    vector_registers_wipe();
    return ok ? HAUL_OK : HAUL_INTERNAL;
}

void attempt_keys_wipe(struct attempt_keys *keys)
{
    OPENSSL_cleanse(keys, sizeof(*keys));
}
