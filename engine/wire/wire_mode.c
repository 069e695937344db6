/* SPDX-License-Identifier: Apache-2.0 */
/* wire_mode.c — names of the modes and their order. */
#include "wire_mode.h"

#include <string.h>

#include "haul/log.h"
#include "key_ring.h"

static const char *const names[] = {
    [HAUL_WIRE_AUTO] = "auto",
    [HAUL_WIRE_NONE] = "none",
    [HAUL_WIRE_AUTH] = "auth",
    [HAUL_WIRE_SECURE] = "secure",
};

enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

const char *haul_wire_name(enum haul_wire wire)
{
    return (unsigned)wire < NAME_COUNT ? names[wire] : NULL;
}

enum haul_status haul_wire_parse(const char *text, enum haul_wire *wire)
{
    for (unsigned i = 0; i < NAME_COUNT; i++) {
        if (strcmp(names[i], text) == 0) {
            *wire = (enum haul_wire)i;
            return HAUL_OK;
        }
    }
    return HAUL_INVALID;
}

enum haul_status wire_mode_resolve(bool has_key, enum haul_wire *wire, struct haul_error *error)
{
    if ((unsigned)*wire >= NAME_COUNT) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "no such mode of the wire: %d",
                              (int)*wire);
    }
    if (*wire > HAUL_WIRE_NONE && !has_key) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "data can be %s only with a key",
                       *wire == HAUL_WIRE_AUTH ? "authenticated" : "encrypted");
        haul_error_hint(error, "make one with `haul keygen FILE` and give it to both sides");
        return HAUL_INVALID;
    }
    if (*wire == HAUL_WIRE_AUTO) {
        *wire = has_key ? HAUL_WIRE_SECURE : HAUL_WIRE_NONE;
    }
    return HAUL_OK;
}

uint32_t wire_mode_agree(enum haul_wire ours, uint32_t theirs)
{
    return theirs > (uint32_t)ours ? theirs : (uint32_t)ours;
}

bool wire_mode_fits(enum haul_wire ours, bool has_key, uint32_t agreed)
{
    uint32_t mode = agreed == HAUL_WIRE_AUTO ? HAUL_WIRE_NONE : agreed; /* of an earlier release */
    return mode >= (uint32_t)ours && mode < NAME_COUNT &&
           (has_key || mode == (uint32_t)HAUL_WIRE_NONE);
}

const char *haul_trust_name(enum haul_trust trust)
{
    static const char *const trusts[] = {
        [HAUL_TRUST_HOST] = "host",
        [HAUL_TRUST_KEY] = "key",
        [HAUL_TRUST_ANYBODY] = "anybody",
        [HAUL_TRUST_CERTIFICATE] = "certificate",
    };
    return (unsigned)trust < sizeof(trusts) / sizeof(trusts[0]) ? trusts[trust] : NULL;
}

enum haul_trust wire_mode_trust(const struct haul_keys *keys, bool insecure)
{
    if (keys == NULL) {
        return insecure ? HAUL_TRUST_ANYBODY : HAUL_TRUST_HOST;
    }
    return key_ring_certificates(keys) != NULL ? HAUL_TRUST_CERTIFICATE : HAUL_TRUST_KEY;
}

void wire_mode_warn(const struct haul_keys *keys, bool insecure, const struct haul_log *log)
{
    if (wire_mode_trust(keys, insecure) == HAUL_TRUST_ANYBODY) {
        haul_log(log, HAUL_LOG_WARNING,
                 "insecure: without a key every peer is trusted, and the data is readable on its "
                 "way");
    }
}
