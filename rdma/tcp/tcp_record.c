/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_record.c — credit records pass through to credit.c; the end record is its twin. */
#include "tcp_record.h"

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

static void encode_end(const struct credit_record *record, uint8_t *at)
{
    put_u64(at + EPOCH_AT, record->epoch);
    put_u64(at + FREED_AT, record->freed);
    put_u64(at + APPLIED_AT, record->applied);
    put_u32(at + MAGIC_AT, END_MAGIC);
    put_u32(at + CRC_AT, crc32c(at, CRC_AT));
}

static enum haul_status decode_end(const uint8_t *at, struct credit_record *record)
{
    if (get_u32(at + CRC_AT) != crc32c(at, CRC_AT)) {
        return HAUL_CORRUPT;
    }
    record->epoch = get_u64(at + EPOCH_AT);
    record->freed = get_u64(at + FREED_AT);
    record->applied = get_u64(at + APPLIED_AT);
    return HAUL_OK;
}

void tcp_record_encode(enum tcp_record_kind kind, const struct credit_record *record, uint8_t *at)
{
    if (kind == TCP_RECORD_END) {
        encode_end(record, at);
    } else {
        credit_record_encode(record, at);
    }
}

enum haul_status tcp_record_decode(const uint8_t *at, enum tcp_record_kind *kind,
                                   struct credit_record *record)
{
    *kind = get_u32(at + MAGIC_AT) == END_MAGIC ? TCP_RECORD_END : TCP_RECORD_CREDIT;
    return *kind == TCP_RECORD_END ? decode_end(at, record) : credit_record_decode(at, record);
}
