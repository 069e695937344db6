/* SPDX-License-Identifier: Apache-2.0 */
/* link_admission.c — compares tickets in constant time, and remembers those that were used. */
#include "link_admission.h"

#include <openssl/crypto.h>
#include <string.h>

#include "haul/limits.h"
#include "migration_thread.h"

enum haul_status link_admission_init(struct link_admission *admission)
{
    memset(admission, 0, sizeof(*admission));
    enum haul_status status = migration_random(admission->session, sizeof(admission->session));
    return status == HAUL_OK ? migration_random(admission->token, sizeof(admission->token))
                             : status;
}

enum haul_status link_admission_open(struct link_admission *admission,
                                     const struct control_channel *channel, uint64_t epoch,
                                     enum haul_wire wire, struct haul_error *error)
{
    return channel == NULL ? haul_error_set(error, HAUL_CLOSED, NULL, 0, "the source has gone")
                           : attempt_keys_derive(&admission->keys, channel, admission->session,
                                                 epoch, wire, error);
}

static bool was_used(const struct link_admission *admission, uint64_t name)
{
    for (size_t i = 0; i < admission->used_count; i++) {
        if (admission->used[i] == name) {
            return true;
        }
    }
    return false;
}

/* `secrets`: what the ticket has to prove, and what the link gets. */
static enum haul_status take(struct link_admission *admission, enum haul_transport transport,
                             const struct link_ticket *ticket, const struct link_secrets *secrets,
                             struct frame_key *frames)
{
    uint64_t name = (uint64_t)transport << 32 | ticket->index;
    bool ours = CRYPTO_memcmp(ticket->session, admission->session, LINK_SESSION_BYTES) == 0;
    bool proved = CRYPTO_memcmp(ticket->token, secrets->token, LINK_TOKEN_BYTES) == 0;
    if (!ours || !proved || was_used(admission, name)) {
        return HAUL_AUTH;
    }
    if (link_index_place(ticket->index) >= HAUL_LINK_COUNT_MAX ||
        admission->used_count == LINK_ADMISSIONS_MAX) {
        return HAUL_BUSY;
    }
    admission->used[admission->used_count++] = name;
    *frames = secrets->frames;
    return HAUL_OK;
}

enum haul_status link_admission_take(struct link_admission *admission,
                                     enum haul_transport transport,
                                     const struct link_ticket *ticket, struct frame_key *frames)
{
    struct link_secrets secrets = {.frames = {.used = false}};
    enum haul_status status = HAUL_OK;
    memcpy(secrets.token, admission->token, LINK_TOKEN_BYTES);
    if (admission->keys.derived) {
        status = attempt_keys_link(&admission->keys, transport, ticket->index, &secrets);
    }
    if (status == HAUL_OK) {
        status = take(admission, transport, ticket, &secrets, frames);
    }
    OPENSSL_cleanse(&secrets, sizeof(secrets));
    return status;
}
