/* SPDX-License-Identifier: Apache-2.0 */
/* gcm_ipsec_mb.c — AES-256-GCM by Intel's Multi-Buffer Crypto for IPsec (libipsec-mb).
 *
 * One manager for the process: it holds the functions that suit this processor, and is only read
 * after it was made. Expanded keys and contexts are the callers', on their stacks, and wiped. */
#include "gcm.h"

#ifdef HAUL_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

#include "vector_registers.h"

/* The library wants this alignment, and its header demands it only if LINUX is defined. */
enum { ALIGNMENT_BYTES = 64 };

struct state {
    _Alignas(ALIGNMENT_BYTES) struct gcm_key_data key;
    _Alignas(ALIGNMENT_BYTES) struct gcm_context_data context;
};

static IMB_MGR *manager; /* NULL: not usable; lives as long as the process */

static void compute(const IMB_MGR *by, const struct gcm_message *message, bool seals,
                    uint8_t tag[GCM_TAG_BYTES])
{
    struct state state;
    uint8_t *payload = message->payload;
    IMB_AES256_GCM_PRE(by, message->key, &state.key);
    if (!message->hides) {
        IMB_AES256_GMAC_INIT(by, &state.key, &state.context, message->nonce, GCM_NONCE_BYTES);
        IMB_AES256_GMAC_UPDATE(by, &state.key, &state.context, message->associated,
                               message->associated_size);
        if (message->payload_size > 0) {
            IMB_AES256_GMAC_UPDATE(by, &state.key, &state.context, payload, message->payload_size);
        }
        IMB_AES256_GMAC_FINALIZE(by, &state.key, &state.context, tag, GCM_TAG_BYTES);
    } else if (seals) {
        IMB_AES256_GCM_ENC(by, &state.key, &state.context, payload, payload, message->payload_size,
                           message->nonce, message->associated, message->associated_size, tag,
                           GCM_TAG_BYTES);
    } else {
        IMB_AES256_GCM_DEC(by, &state.key, &state.context, payload, payload, message->payload_size,
                           message->nonce, message->associated, message->associated_size, tag,
                           GCM_TAG_BYTES);
    }
    OPENSSL_cleanse(&state, sizeof(state));
    vector_registers_wipe(); /* of round keys */
}

/* Does it compute what OpenSSL computes? A processor that misreports itself must not cost data. */
static bool agrees(const IMB_MGR *by)
{
    enum { SIZE = 1000 };
    uint8_t key[GCM_KEY_BYTES];
    uint8_t ours[SIZE];
    uint8_t theirs[SIZE];
    bool same = true;
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(i * 5 + 1);
    }
    for (int hides = 0; hides < 2 && same; hides++) {
        uint8_t our_tag[GCM_TAG_BYTES];
        uint8_t their_tag[GCM_TAG_BYTES];
        memset(ours, 3, sizeof(ours));
        memset(theirs, 3, sizeof(theirs));
        struct gcm_message message = {.key = key,
                                      .nonce = key + 7,
                                      .associated = key,
                                      .associated_size = sizeof(key),
                                      .payload = ours,
                                      .payload_size = SIZE,
                                      .hides = hides == 1};
        compute(by, &message, true, our_tag);
        message.payload = theirs;
        same = gcm_openssl.seal(&message, their_tag) == HAUL_OK &&
               memcmp(our_tag, their_tag, GCM_TAG_BYTES) == 0 && memcmp(ours, theirs, SIZE) == 0;
    }
    return same;
}

static void make_manager(void)
{
    IMB_ARCH arch = IMB_ARCH_NONE;
    IMB_MGR *made = alloc_mb_mgr(0);
    if (made == NULL) {
        return;
    }
    init_mb_mgr_auto(made, &arch);
    /* IMB_ARCH_NOAESNI computes in software: OpenSSL does that better. */
    if (imb_get_errno(made) != 0 || arch < IMB_ARCH_SSE || !agrees(made)) {
        free_mb_mgr(made);
        return;
    }
    manager = made;
}

static bool is_usable(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_manager);
    return manager != NULL;
}

static enum haul_status seal(const struct gcm_message *message, uint8_t tag[GCM_TAG_BYTES])
{
    compute(manager, message, true, tag);
    return HAUL_OK;
}

static enum haul_status open_message(const struct gcm_message *message,
                                     const uint8_t tag[GCM_TAG_BYTES])
{
    uint8_t computed[GCM_TAG_BYTES];
    compute(manager, message, false, computed);
    return CRYPTO_memcmp(computed, tag, GCM_TAG_BYTES) == 0 ? HAUL_OK : HAUL_CORRUPT;
}

#else

static bool is_usable(void)
{
    return false;
}

static enum haul_status seal(const struct gcm_message *message, uint8_t tag[GCM_TAG_BYTES])
{
    (void)message;
    (void)tag;
    return HAUL_UNSUPPORTED;
}

static enum haul_status open_message(const struct gcm_message *message,
                                     const uint8_t tag[GCM_TAG_BYTES])
{
    (void)message;
    (void)tag;
    return HAUL_UNSUPPORTED;
}

#endif

const struct gcm_ops gcm_ipsec_mb = {
    .library = "libipsec-mb",
    .is_usable = is_usable,
    .seal = seal,
    .open = open_message,
};
