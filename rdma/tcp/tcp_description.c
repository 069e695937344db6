/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_description.c — encodes and checks the description of a TCP link. */
#include "tcp_description.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "haul/transport.h"
#include "link.h"

enum {
    VERSION_AT = 4,
    SLOT_COUNT_AT = 8,
    SLOT_SIZE_AT = 12,
};
#define DESCRIPTION_MAGIC UINT32_C(0x4b4c4354) /* "TCLK" */
static_assert((int)TCP_DESCRIPTION_BYTES <= (int)LINK_DESCRIPTION_BYTES_MAX,
              "a description fits the room that link.h promises");

void tcp_description_encode(const struct tcp_description *description, uint8_t *at)
{
    memset(at, 0, TCP_DESCRIPTION_BYTES);
    put_u32(at, DESCRIPTION_MAGIC);
    put_u16(at + VERSION_AT, LINK_VERSION_MAX);
    put_u32(at + SLOT_COUNT_AT, description->slot_count);
    put_u32(at + SLOT_SIZE_AT, description->slot_size_bytes);
}

enum haul_status tcp_description_decode(const uint8_t *at, size_t size_bytes,
                                        struct tcp_description *description,
                                        struct haul_error *error)
{
    if (size_bytes != TCP_DESCRIPTION_BYTES || get_u32(at) != DESCRIPTION_MAGIC) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer's description is not that of a TCP link");
    }
    uint16_t version = get_u16(at + VERSION_AT);
    if (version < LINK_VERSION_MIN || version > LINK_VERSION_MAX) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer's description has the unknown version %u", version);
    }
    uint32_t slot_count = get_u32(at + SLOT_COUNT_AT);
    if (slot_count == 0 || slot_count > HAUL_SLOT_COUNT_MAX) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer's description has a ring of %u slots", slot_count);
    }
    description->slot_count = slot_count;
    description->slot_size_bytes = get_u32(at + SLOT_SIZE_AT);
    return HAUL_OK;
}
