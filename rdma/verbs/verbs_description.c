/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_description.c — encodes and checks the description of a verbs link. */
#include "verbs_description.h"

#include <assert.h>

#include "bytes.h"
#include "crc32c.h"
#include "credit.h"
#include "haul/transport.h"
#include "link.h"

enum {
    VERSION_AT = 4,
    ROLE_AT = 6,
    SLOT_COUNT_AT = 8,
    SLOT_SIZE_AT = 12,
    ADDRESS_AT = 16,
    RKEY_AT = 24,
    RECORDS_AT = 28,
    MESSAGE_AT = 32,
    CRC_AT = 36,

    ROLE_SENDS = 1,
    ROLE_RECEIVES = 2,
};
#define DESCRIPTION_MAGIC UINT32_C(0x4b4e4c56) /* "VLNK" */
static_assert(CRC_AT + 4 == VERBS_DESCRIPTION_BYTES, "the description is exactly full");
static_assert((int)VERBS_DESCRIPTION_BYTES <= (int)LINK_DESCRIPTION_BYTES_MAX,
              "a description fits the room that link.h promises");

void verbs_description_encode(const struct verbs_description *description, uint8_t *at)
{
    put_u32(at, DESCRIPTION_MAGIC);
    put_u16(at + VERSION_AT, LINK_VERSION_MAX);
    put_u16(at + ROLE_AT, description->sending ? ROLE_SENDS : ROLE_RECEIVES);
    put_u32(at + SLOT_COUNT_AT, description->slot_count);
    put_u32(at + SLOT_SIZE_AT, description->slot_size_bytes);
    put_u64(at + ADDRESS_AT, description->address);
    put_u32(at + RKEY_AT, description->rkey);
    put_u32(at + RECORDS_AT, description->record_count);
    put_u32(at + MESSAGE_AT, description->message_bytes_max);
    put_u32(at + CRC_AT, crc32c(at, CRC_AT));
}

/* Reject impossible numbers before anything is computed with them. */
static enum haul_status check_numbers(const struct verbs_description *description,
                                      struct haul_error *error)
{
    if (description->slot_count == 0 || description->slot_count > HAUL_SLOT_COUNT_MAX) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer's description has a ring of %u slots",
                              description->slot_count);
    }
    if (description->message_bytes_max < HAUL_SLOT_SIZE_BYTES_MIN) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer's description has messages of %u bytes",
                              description->message_bytes_max);
    }
    if (description->sending &&
        description->record_count < credit_frames_max(description->slot_count)) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer's description has room for only %u credit frames",
                              description->record_count);
    }
    return HAUL_OK;
}

enum haul_status verbs_description_decode(const uint8_t *at, size_t size_bytes,
                                          struct verbs_description *description,
                                          struct haul_error *error)
{
    if (size_bytes != VERBS_DESCRIPTION_BYTES || get_u32(at) != DESCRIPTION_MAGIC) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer's description is not that of a verbs link");
    }
    if (get_u32(at + CRC_AT) != crc32c(at, CRC_AT)) {
        return haul_error_set(error, HAUL_CORRUPT, "", 0, "the peer's description is damaged");
    }
    uint16_t version = get_u16(at + VERSION_AT);
    if (version < LINK_VERSION_MIN || version > LINK_VERSION_MAX) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer's description has the unknown version %u", version);
    }
    uint16_t role = get_u16(at + ROLE_AT);
    if (role != ROLE_SENDS && role != ROLE_RECEIVES) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer's description has the unknown role %u", role);
    }
    const struct verbs_description read = {
        .sending = role == ROLE_SENDS,
        .slot_count = get_u32(at + SLOT_COUNT_AT),
        .slot_size_bytes = get_u32(at + SLOT_SIZE_AT),
        .address = get_u64(at + ADDRESS_AT),
        .rkey = get_u32(at + RKEY_AT),
        .record_count = get_u32(at + RECORDS_AT),
        .message_bytes_max = get_u32(at + MESSAGE_AT),
    };
    enum haul_status status = check_numbers(&read, error);
    if (status == HAUL_OK) {
        *description = read;
    }
    return status;
}
