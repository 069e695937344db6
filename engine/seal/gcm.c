/* SPDX-License-Identifier: Apache-2.0 */
/* gcm.c — chooses the library, once for the process. */
#include "gcm.h"

#include <stdatomic.h>

static const struct gcm_ops *best(void)
{
    static _Atomic(const struct gcm_ops *) chosen;
    const struct gcm_ops *ops = atomic_load_explicit(&chosen, memory_order_acquire);
    if (ops == NULL) {
        ops = gcm_ipsec_mb.is_usable() ? &gcm_ipsec_mb : &gcm_openssl;
        atomic_store_explicit(&chosen, ops, memory_order_release);
    }
    return ops;
}

enum haul_status gcm_seal(const struct gcm_message *message, uint8_t tag[GCM_TAG_BYTES])
{
    return best()->seal(message, tag);
}

enum haul_status gcm_open(const struct gcm_message *message, const uint8_t tag[GCM_TAG_BYTES])
{
    return best()->open(message, tag);
}

const char *gcm_library(void)
{
    return best()->library;
}
