/* SPDX-License-Identifier: Apache-2.0 */
/* slot_header.h — the 64 bytes before every payload, and the immediate that announces them.
 *
 * The same header travels in an RDMA ring slot and in a TCP frame. All fields little-endian:
 *
 *   0 u32 magic "HAUL"     4 u16 version       6 u8 type       7 u8 kind
 *   8 u64 epoch           16 u64 sequence     24 u64 batch    32 u32 stream
 *  36 u32 flags           40 u32 payload size 44 u32 records  48 u32 raw size
 *  52 u32 reserved (0)    56 u32 CRC32C of the payload        60 u32 CRC32C of bytes 0..59
 *
 * The header CRC covers the payload CRC, so a header can be trusted before its payload is read.
 * The immediate is 4 bits of type and the low 28 bits of the sequence. */
#ifndef HAUL_SLOT_HEADER_H
#define HAUL_SLOT_HEADER_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "frame_key.h"
#include "haul/status.h"

enum {
    SLOT_HEADER_BYTES = 64,
    SLOT_HEADER_VERSION = 1,
    IMM_SEQUENCE_BITS = 28,
    IMM_SEQUENCE_MASK = (1 << IMM_SEQUENCE_BITS) - 1,
};
#define SLOT_HEADER_MAGIC UINT32_C(0x4c554148) /* "HAUL" */

enum slot_type {
    SLOT_DATA = 1,   /* a payload for the upper layer; takes a ring slot and a credit */
    SLOT_CREDIT = 2, /* a credit frame; has its own path back */
    SLOT_CLOSE = 3,  /* orderly end of this direction; nothing follows */
};

/* The consumer of a block in the upper layer; opaque to the links. */
enum slot_kind {
    SLOT_KIND_SNAPSHOT = 1,
    SLOT_KIND_DELTA = 2,
};

enum slot_flags {
    SLOT_LAST = 1 << 0,       /* last batch of its stream */
    SLOT_FRAGMENT = 1 << 1,   /* part of one record that is larger than a slot */
    SLOT_COMPRESSED = 1 << 2, /* payload is compressed; raw_size_bytes is its size after
                               * decompression */
    SLOT_FLAGS = SLOT_LAST | SLOT_FRAGMENT | SLOT_COMPRESSED,
};

struct slot_header {
    uint8_t type;
    uint8_t kind;
    uint64_t epoch;    /* fence: the job's epoch */
    uint64_t sequence; /* of the link, which sets it; +1 for each block */
    uint64_t batch;    /* of the stream; +1 for each batch */
    uint32_t stream;
    uint32_t flags;
    uint32_t payload_size_bytes;
    uint32_t record_count;
    uint32_t raw_size_bytes;
    uint32_t payload_crc;
};

/* Write the 64 bytes, header CRC included. */
void slot_header_encode(const struct slot_header *header, uint8_t *at);

/* Read and check magic, version, reserved bytes and header CRC. `why` gets a short sentence.
 * Errors: PROTOCOL (magic, reserved), VERSION, CORRUPT (CRC). */
enum haul_status slot_header_decode(const uint8_t *at, struct slot_header *header,
                                    const char **why) HAUL_MUST_CHECK;

/* The header of the end, SLOT_CLOSE, carries in `batch` the tag of its epoch and sequence, if there
 * is a key; 0 otherwise. */
void slot_header_tag_end(struct slot_header *header, const struct frame_key *key);
bool slot_header_check_end(const struct slot_header *header, const struct frame_key *key);

static inline uint32_t imm_pack(enum slot_type type, uint64_t sequence)
{
    return (uint32_t)type << IMM_SEQUENCE_BITS | ((uint32_t)sequence & IMM_SEQUENCE_MASK);
}

static inline enum slot_type imm_type(uint32_t imm)
{
    return (enum slot_type)(imm >> IMM_SEQUENCE_BITS);
}

/* Signed distance of the immediate's sequence from the low bits of `expected`, by serial arithmetic
 * (RFC 1982); 0: equal. */
static inline int32_t imm_distance(uint32_t imm, uint64_t expected)
{
    uint32_t difference = (imm - (uint32_t)expected) & IMM_SEQUENCE_MASK;
    /* Sign-extend 28 bits. */
    return (int32_t)(difference << (32 - IMM_SEQUENCE_BITS)) >> (32 - IMM_SEQUENCE_BITS);
}

static_assert(SLOT_CLOSE < 1 << (32 - IMM_SEQUENCE_BITS), "the type fits its four bits");

#endif
