/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_frame.c — credit frames are those of credit.c; the end frame is their twin. */
#include "tcp_frame.h"

#include "bytes.h"
#include "crc32c.h"

enum {
    EPOCH_AT = 0,
    FREED_AT = 8,
    APPLIED_AT = 16,
    MAGIC_AT = 24,
    CRC_AT = 28,
};
#define END_MAGIC UINT32_C(0x444e4543) /* "CEND" */

static void encode_end(const struct credit_frame *frame, uint8_t *at)
{
    put_u64(at + EPOCH_AT, frame->epoch);
    put_u64(at + FREED_AT, frame->freed);
    put_u64(at + APPLIED_AT, frame->applied);
    put_u32(at + MAGIC_AT, END_MAGIC);
    put_u32(at + CRC_AT, crc32c(at, CRC_AT));
}

static enum haul_status decode_end(const uint8_t *at, struct credit_frame *frame)
{
    if (get_u32(at + CRC_AT) != crc32c(at, CRC_AT)) {
        return HAUL_CORRUPT;
    }
    frame->epoch = get_u64(at + EPOCH_AT);
    frame->freed = get_u64(at + FREED_AT);
    frame->applied = get_u64(at + APPLIED_AT);
    return HAUL_OK;
}

void tcp_frame_encode(enum tcp_frame_kind kind, const struct credit_frame *frame, uint8_t *at)
{
    if (kind == TCP_FRAME_END) {
        encode_end(frame, at);
    } else {
        credit_frame_encode(frame, at);
    }
}

enum haul_status tcp_frame_decode(const uint8_t *at, enum tcp_frame_kind *kind,
                                  struct credit_frame *frame)
{
    *kind = get_u32(at + MAGIC_AT) == END_MAGIC ? TCP_FRAME_END : TCP_FRAME_CREDIT;
    return *kind == TCP_FRAME_END ? decode_end(at, frame) : credit_frame_decode(at, frame);
}
