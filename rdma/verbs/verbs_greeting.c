/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_greeting.c — encodes and checks the private data of requests and rejections. */
#include "verbs_greeting.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"

enum {
    VERSION_MIN_AT = 4,
    VERSION_MAX_AT = 6,
    INDEX_AT = 8,
    SESSION_AT = 12,
    TOKEN_AT = SESSION_AT + LINK_SESSION_BYTES,
    RESERVED_AT = TOKEN_AT + LINK_TOKEN_BYTES,
    GREETING_CRC_AT = VERBS_GREETING_BYTES - 4,

    STATUS_AT = 8,
    REFUSAL_CRC_AT = VERBS_REFUSAL_BYTES - 4,
};
static_assert(RESERVED_AT + 8 == GREETING_CRC_AT, "the greeting is exactly full");
static_assert(STATUS_AT + 4 == REFUSAL_CRC_AT, "the refusal is exactly full");

#define GREETING_MAGIC UINT32_C(0x51524c48) /* "HLRQ" */
#define REFUSAL_MAGIC UINT32_C(0x4a524c48)  /* "HLRJ" */

static enum haul_status check_seal(const uint8_t *at, size_t size_bytes, uint32_t magic,
                                   size_t crc_at)
{
    if (size_bytes < crc_at + 4 || get_u32(at) != magic) {
        return HAUL_PROTOCOL;
    }
    return get_u32(at + crc_at) == crc32c(at, crc_at) ? HAUL_OK : HAUL_CORRUPT;
}

static bool is_refusal_status(uint32_t value)
{
    switch (value) {
#define KNOWN_STATUS(name, number, sentence) case number:
        HAUL_STATUS_LIST(KNOWN_STATUS)
#undef KNOWN_STATUS
        return value != HAUL_OK;
    default:
        return false;
    }
}

void verbs_greeting_encode(const struct link_ticket *ticket, uint8_t *at)
{
    memset(at, 0, VERBS_GREETING_BYTES);
    put_u32(at, GREETING_MAGIC);
    put_u16(at + VERSION_MIN_AT, ticket->version_min != 0 ? ticket->version_min : LINK_VERSION_MIN);
    put_u16(at + VERSION_MAX_AT, ticket->version_max != 0 ? ticket->version_max : LINK_VERSION_MAX);
    put_u32(at + INDEX_AT, ticket->index);
    memcpy(at + SESSION_AT, ticket->session, LINK_SESSION_BYTES);
    memcpy(at + TOKEN_AT, ticket->token, LINK_TOKEN_BYTES);
    put_u32(at + GREETING_CRC_AT, crc32c(at, GREETING_CRC_AT));
}

enum haul_status verbs_greeting_decode(const uint8_t *at, size_t size_bytes,
                                       struct link_ticket *ticket)
{
    enum haul_status status = check_seal(at, size_bytes, GREETING_MAGIC, GREETING_CRC_AT);
    if (status != HAUL_OK) {
        return status;
    }
    ticket->version_min = get_u16(at + VERSION_MIN_AT);
    ticket->version_max = get_u16(at + VERSION_MAX_AT);
    ticket->index = get_u32(at + INDEX_AT);
    memcpy(ticket->session, at + SESSION_AT, LINK_SESSION_BYTES);
    memcpy(ticket->token, at + TOKEN_AT, LINK_TOKEN_BYTES);
    return HAUL_OK;
}

void verbs_refusal_encode(enum haul_status status, uint8_t *at)
{
    put_u32(at, REFUSAL_MAGIC);
    put_u16(at + VERSION_MIN_AT, LINK_VERSION_MIN);
    put_u16(at + VERSION_MAX_AT, LINK_VERSION_MAX);
    put_u32(at + STATUS_AT, (uint32_t)status);
    put_u32(at + REFUSAL_CRC_AT, crc32c(at, REFUSAL_CRC_AT));
}

enum haul_status verbs_refusal_decode(const uint8_t *at, size_t size_bytes,
                                      struct verbs_refusal *refusal)
{
    enum haul_status status = check_seal(at, size_bytes, REFUSAL_MAGIC, REFUSAL_CRC_AT);
    if (status != HAUL_OK) {
        return status;
    }
    uint32_t value = get_u32(at + STATUS_AT);
    if (!is_refusal_status(value)) {
        return HAUL_PROTOCOL;
    }
    refusal->status = (enum haul_status)value;
    refusal->version_min = get_u16(at + VERSION_MIN_AT);
    refusal->version_max = get_u16(at + VERSION_MAX_AT);
    return HAUL_OK;
}
