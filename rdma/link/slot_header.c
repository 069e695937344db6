/* SPDX-License-Identifier: Apache-2.0 */
/* slot_header.c — encodes and checks the 64 bytes before every payload. */
#include "slot_header.h"

#include "bytes.h"
#include "crc32c.h"

enum { CRC_AT = SLOT_HEADER_BYTES - 4 };

void slot_header_encode(const struct slot_header *header, uint8_t *at)
{
    put_u32(at, SLOT_HEADER_MAGIC);
    put_u16(at + 4, SLOT_HEADER_VERSION);
    at[6] = header->type;
    at[7] = header->kind;
    put_u64(at + 8, header->epoch);
    put_u64(at + 16, header->sequence);
    put_u64(at + 24, header->batch);
    put_u32(at + 32, header->stream);
    put_u32(at + 36, header->flags);
    put_u32(at + 40, header->payload_size_bytes);
    put_u32(at + 44, header->record_count);
    put_u32(at + 48, header->raw_size_bytes);
    put_u32(at + 52, 0);
    put_u32(at + 56, header->payload_crc);
    put_u32(at + CRC_AT, crc32c(at, CRC_AT));
}

/* Is it a sound header except for a flipped bit in its magic? */
static bool is_sound_but_for_magic(const uint8_t *at)
{
    uint8_t mended[SLOT_HEADER_BYTES];
    memcpy(mended, at, sizeof(mended));
    put_u32(mended, SLOT_HEADER_MAGIC);
    return get_u32(at + CRC_AT) == crc32c(mended, CRC_AT);
}

enum { END_BYTES = 16 };

static void put_end(const struct slot_header *header, uint8_t at[END_BYTES])
{
    put_u64(at, header->epoch);
    put_u64(at + 8, header->sequence);
}

void slot_header_tag_end(struct slot_header *header, const struct frame_key *key)
{
    uint8_t end[END_BYTES];
    uint8_t tag[FRAME_TAG_BYTES] = {0};
    put_end(header, end);
    if (key->used) {
        frame_key_tag(key, SLOT_CLOSE, slice_of(end, END_BYTES), tag);
    }
    header->batch = get_u64(tag);
}

bool slot_header_check_end(const struct slot_header *header, const struct frame_key *key)
{
    uint8_t end[END_BYTES];
    uint8_t tag[FRAME_TAG_BYTES];
    put_end(header, end);
    put_u64(tag, header->batch);
    return !key->used || frame_key_check(key, SLOT_CLOSE, slice_of(end, END_BYTES), tag);
}

enum haul_status slot_header_decode(const uint8_t *at, struct slot_header *header, const char **why)
{
    if (get_u32(at) != SLOT_HEADER_MAGIC) {
        *why = "wrong magic";
        return is_sound_but_for_magic(at) ? HAUL_CORRUPT : HAUL_PROTOCOL;
    }
    if (get_u32(at + CRC_AT) != crc32c(at, CRC_AT)) {
        *why = "header checksum does not match";
        return HAUL_CORRUPT;
    }
    if (get_u16(at + 4) != SLOT_HEADER_VERSION) {
        *why = "unknown header version";
        return HAUL_VERSION;
    }
    if (get_u32(at + 52) != 0) {
        *why = "reserved bytes are not zero";
        return HAUL_PROTOCOL;
    }
    *header = (struct slot_header){
        .type = at[6],
        .kind = at[7],
        .epoch = get_u64(at + 8),
        .sequence = get_u64(at + 16),
        .batch = get_u64(at + 24),
        .stream = get_u32(at + 32),
        .flags = get_u32(at + 36),
        .payload_size_bytes = get_u32(at + 40),
        .record_count = get_u32(at + 44),
        .raw_size_bytes = get_u32(at + 48),
        .payload_crc = get_u32(at + 56),
    };
    return HAUL_OK;
}
