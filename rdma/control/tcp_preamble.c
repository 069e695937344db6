/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_preamble.c — encodes and checks the 64-byte preamble and answer of a TCP connection. */
#include "tcp_preamble.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"

enum {
    MAGIC_BYTES = 8,
    VERSION_MIN_AT = 8,
    VERSION_MAX_AT = 10,
    PURPOSE_AT = 12,
    STATUS_AT = 12,
    INDEX_AT = 16,
    SESSION_AT = 20,
    TOKEN_AT = SESSION_AT + LINK_SESSION_BYTES,
    RESERVED_AT = TOKEN_AT + LINK_TOKEN_BYTES,
    CRC_AT = TCP_PREAMBLE_BYTES - 4,
};
static_assert(RESERVED_AT + 8 == CRC_AT, "the preamble is exactly full");

static const char PREAMBLE_MAGIC[MAGIC_BYTES + 1] = "HAULPRE1";
static const char ANSWER_MAGIC[MAGIC_BYTES + 1] = "HAULANS1";

static void begin(uint8_t *at, const char *magic, uint16_t version_min, uint16_t version_max)
{
    memset(at, 0, TCP_PREAMBLE_BYTES);
    memcpy(at, magic, MAGIC_BYTES);
    put_u16(at + VERSION_MIN_AT, version_min);
    put_u16(at + VERSION_MAX_AT, version_max);
}

static void seal(uint8_t *at)
{
    put_u32(at + CRC_AT, crc32c(at, CRC_AT));
}

static bool begins_with(const uint8_t *at, size_t size_bytes, const char *magic)
{
    return memcmp(at, magic, size_bytes < MAGIC_BYTES ? size_bytes : MAGIC_BYTES) == 0;
}

static enum haul_status check_seal(const uint8_t *at, const char *magic)
{
    if (!begins_with(at, TCP_PREAMBLE_BYTES, magic)) {
        return HAUL_PROTOCOL;
    }
    return get_u32(at + CRC_AT) == crc32c(at, CRC_AT) ? HAUL_OK : HAUL_CORRUPT;
}

static bool is_known_status(uint32_t value)
{
    switch (value) {
#define KNOWN_STATUS(name, number, sentence) case number:
        HAUL_STATUS_LIST(KNOWN_STATUS)
#undef KNOWN_STATUS
        return true;
    default:
        return false;
    }
}

void tcp_preamble_encode(enum tcp_purpose purpose, const struct link_ticket *ticket, uint8_t *at)
{
    begin(at, PREAMBLE_MAGIC, ticket->version_min != 0 ? ticket->version_min : LINK_VERSION_MIN,
          ticket->version_max != 0 ? ticket->version_max : LINK_VERSION_MAX);
    put_u16(at + PURPOSE_AT, (uint16_t)purpose);
    put_u32(at + INDEX_AT, ticket->index);
    memcpy(at + SESSION_AT, ticket->session, LINK_SESSION_BYTES);
    memcpy(at + TOKEN_AT, ticket->token, LINK_TOKEN_BYTES);
    seal(at);
}

enum haul_status tcp_preamble_decode(const uint8_t *at, enum tcp_purpose *purpose,
                                     struct link_ticket *ticket)
{
    enum haul_status status = check_seal(at, PREAMBLE_MAGIC);
    if (status != HAUL_OK) {
        return status;
    }
    uint16_t wanted = get_u16(at + PURPOSE_AT);
    if (wanted != TCP_CONTROL && wanted != TCP_DATA) {
        return HAUL_PROTOCOL;
    }
    *purpose = (enum tcp_purpose)wanted;
    ticket->version_min = get_u16(at + VERSION_MIN_AT);
    ticket->version_max = get_u16(at + VERSION_MAX_AT);
    ticket->index = get_u32(at + INDEX_AT);
    memcpy(ticket->session, at + SESSION_AT, LINK_SESSION_BYTES);
    memcpy(ticket->token, at + TOKEN_AT, LINK_TOKEN_BYTES);
    return HAUL_OK;
}

void tcp_answer_encode(enum haul_status status, uint8_t *at)
{
    begin(at, ANSWER_MAGIC, LINK_VERSION_MIN, LINK_VERSION_MAX);
    put_u32(at + STATUS_AT, (uint32_t)status);
    seal(at);
}

enum haul_status tcp_answer_decode(const uint8_t *at, enum haul_status *answer,
                                   uint16_t *version_min, uint16_t *version_max)
{
    enum haul_status status = check_seal(at, ANSWER_MAGIC);
    if (status != HAUL_OK) {
        return status;
    }
    uint32_t value = get_u32(at + STATUS_AT);
    if (!is_known_status(value)) {
        return HAUL_PROTOCOL;
    }
    *answer = (enum haul_status)value;
    *version_min = get_u16(at + VERSION_MIN_AT);
    *version_max = get_u16(at + VERSION_MAX_AT);
    return HAUL_OK;
}

bool tcp_preamble_plausible(const uint8_t *at, size_t size_bytes)
{
    return begins_with(at, size_bytes, PREAMBLE_MAGIC);
}

bool tcp_answer_plausible(const uint8_t *at, size_t size_bytes)
{
    return begins_with(at, size_bytes, ANSWER_MAGIC);
}
