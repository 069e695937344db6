/* SPDX-License-Identifier: Apache-2.0 */
/* attempt_keys.h — the secrets of one attempt. Both sides derive them from its TLS connection, so
 * they never travel, and end with it.
 *
 *   exporter(session, epoch) --> the key of its blocks
 *                            --> the secret of its links --HMAC(transport, index)--> token, key
 *
 * The token admits one data link, once; the key protects what the link itself says: credits and the
 * end.
 * Thread: the loop's. */
#ifndef HAUL_ATTEMPT_KEYS_H
#define HAUL_ATTEMPT_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "block_seal.h"
#include "control_channel.h"
#include "frame_key.h"

enum { ATTEMPT_LINKS_SECRET_BYTES = 32 };

struct attempt_keys {
    bool derived; /* false: the connection is plain, and the token of Welcome counts */
    struct block_key block;
    uint8_t links[ATTEMPT_LINKS_SECRET_BYTES];
};

/* What belongs to one data link. */
struct link_secrets {
    uint8_t token[LINK_TOKEN_BYTES];
    struct frame_key frames;
};

/* `wire`: as agreed on. A plain connection has no keys, and only NONE. Errors: INVALID (another
 * mode on a plain connection), INTERNAL (OpenSSL). */
enum haul_status attempt_keys_derive(struct attempt_keys *keys,
                                     const struct control_channel *channel,
                                     const uint8_t session[LINK_SESSION_BYTES], uint64_t epoch,
                                     enum haul_wire wire,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Of derived keys. Errors: INTERNAL (OpenSSL). */
enum haul_status attempt_keys_link(const struct attempt_keys *keys, enum haul_transport transport,
                                   uint32_t index,
                                   struct link_secrets *secrets) HAUL_MUST_CHECK;
/* Overwrite them. Keys that are all zero are not derived. */
void attempt_keys_wipe(struct attempt_keys *keys);

#endif
