/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_sealed.c — what somebody on the path makes of blocks, of the short frames of a link, and of
 * the tickets that open one, when there are keys.
 *
 *   u8 which (enum which) | of a sealed block: u8 mode, u16 payload bytes, changes (tls_script.h)
 *   to header and payload; of the others: the bytes, which nobody with the key has made
 *
 * Only what was sealed is opened, and only as it was; a frame or a ticket without the key is
 * refused; a ticket with the right token is good once. */
#include <stdlib.h>
#include <string.h>

#include "block_seal.h"
#include "crc32c.h"
#include "credit.h"
#include "link_admission.h"
#include "slot_header.h"
#include "tcp_frame.h"
#include "tcp_preamble.h"
#include "tls_script.h"

enum which { SEALED, FORGED, FRAME, END, TICKET, WHICH_COUNT };

enum { SIZE_MAX_BYTES = 2048, HEADER_CRC_AT = 60, INDEX_AT = 16 };

static const struct frame_key frames = {.used = true, .bytes = {3, 1, 4}};

static struct block_key key_of(unsigned mode)
{
    struct block_key key = {.wire = mode % 2 == 0 ? HAUL_WIRE_AUTH : HAUL_WIRE_SECURE};
    memset(key.bytes, 'k', sizeof(key.bytes));
    return key;
}

static bool same_block(const struct slot_header *a, const struct slot_header *b)
{
    return a->type == b->type && a->kind == b->kind && a->epoch == b->epoch &&
           a->batch == b->batch && a->stream == b->stream && a->flags == b->flags &&
           a->payload_size_bytes == b->payload_size_bytes && a->record_count == b->record_count &&
           a->raw_size_bytes == b->raw_size_bytes;
}

/* A sound header in front of it, so that the changes decide. */
static bool decode(uint8_t *bytes, struct slot_header *header)
{
    const char *why = NULL;
    put_u32(bytes + HEADER_CRC_AT, crc32c(bytes, HEADER_CRC_AT));
    enum haul_status status = slot_header_decode(bytes, header, &why);
    haul_assert(status == HAUL_OK || why != NULL);
    return status == HAUL_OK;
}

static void fill(uint8_t *plain, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        plain[i] = (uint8_t)(i * 13 + i / 256);
    }
}

static void try_sealed(struct cursor *input)
{
    static uint8_t bytes[SLOT_HEADER_BYTES + SIZE_MAX_BYTES + BLOCK_TAG_BYTES];
    static uint8_t plain[SIZE_MAX_BYTES];
    struct block_key key = key_of(cursor_u8(input));
    size_t size = cursor_u16(input) % (SIZE_MAX_BYTES + 1);
    struct tls_changes changes = tls_changes_take(input);
    struct slot_header sent = {.type = SLOT_DATA,
                               .kind = SLOT_KIND_SNAPSHOT,
                               .epoch = 2,
                               .sequence = 9,
                               .batch = 5,
                               .stream = 3,
                               .payload_size_bytes = (uint32_t)size,
                               .record_count = 4,
                               .raw_size_bytes = (uint32_t)size};
    uint8_t *payload = bytes + SLOT_HEADER_BYTES;
    fill(plain, size);
    memcpy(payload, plain, size);
    expect_status(block_seal(&key, &sent, payload), HAUL_OK);
    uint8_t before[sizeof(bytes)];
    slot_header_encode(&sent, bytes);
    size_t whole = SLOT_HEADER_BYTES + sent.payload_size_bytes;
    memcpy(before, bytes, whole);
    (void)tls_changes_apply(&changes, 0, bytes, whole);
    struct slot_header got;
    if (!decode(bytes, &got) || got.payload_size_bytes > size + BLOCK_TAG_BYTES) {
        return; /* the links take no block that is larger than its slot */
    }
    bool intact = same_block(&sent, &got) &&
                  memcmp(before + SLOT_HEADER_BYTES, payload, sent.payload_size_bytes) == 0;
    size_t opened = got.payload_size_bytes;
    enum haul_status status = block_open(&key, &got, payload, &opened);
    expect_status(status, intact ? HAUL_OK : HAUL_CORRUPT);
    haul_assert(!intact || (opened == size && memcmp(payload, plain, size) == 0));
    haul_assert(intact || opened == 0);
}

static void try_forged(struct cursor *input)
{
    uint8_t bytes[SLOT_HEADER_BYTES] = {0};
    struct block_key key = key_of(cursor_u8(input));
    size_t size = cursor_left(input) < sizeof(bytes) ? cursor_left(input) : sizeof(bytes);
    struct haul_slice head = cursor_slice(input, size);
    if (size > 0) {
        memcpy(bytes, head.data, size);
    }
    struct slot_header header;
    size_t left = cursor_left(input);
    if (!decode(bytes, &header)) {
        return;
    }
    header.payload_size_bytes = (uint32_t)left;
    uint8_t *payload = malloc(left + 1);
    haul_assert(payload != NULL);
    struct haul_slice rest = cursor_slice(input, left);
    if (left > 0) {
        memcpy(payload, rest.data, left);
    }
    expect_status(block_open(&key, &header, payload, &left), HAUL_CORRUPT);
    haul_assert(left == 0);
    free(payload);
}

static void try_frame(struct cursor *input)
{
    enum tcp_frame_kind kind;
    struct credit_frame frame;
    uint8_t bytes[TCP_FRAME_BYTES] = {0};
    size_t size = cursor_left(input) < sizeof(bytes) ? cursor_left(input) : sizeof(bytes);
    struct haul_slice taken = cursor_slice(input, size);
    if (size > 0) {
        memcpy(bytes, taken.data, size);
    }
    expect_status(tcp_frame_decode(bytes, &frames, &kind, &frame), HAUL_CORRUPT);
    expect_status(credit_frame_decode(bytes, CREDIT_RECORD_MAGIC, &frames, &frame), HAUL_CORRUPT);
}

static void try_end(struct cursor *input)
{
    struct slot_header end = {.type = SLOT_CLOSE, .epoch = cursor_u64(input)};
    end.sequence = cursor_u64(input);
    uint64_t bits = cursor_u64(input);
    slot_header_tag_end(&end, &frames);
    haul_assert(slot_header_check_end(&end, &frames));
    end.batch ^= bits;
    haul_assert(slot_header_check_end(&end, &frames) == (bits == 0));
}

/* The right token only where the input does not touch it. */
static void try_ticket(struct cursor *input)
{
    static struct link_admission admission;
    struct link_secrets secrets;
    struct frame_key taken;
    struct link_ticket ticket = {.index = cursor_u32(input)};
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum tcp_purpose purpose;
    memset(&admission, 0, sizeof(admission));
    memset(admission.session, 's', sizeof(admission.session));
    memset(admission.keys.links, 'l', sizeof(admission.keys.links));
    admission.keys.derived = true;
    expect_status(attempt_keys_link(&admission.keys, HAUL_TRANSPORT_TCP, ticket.index, &secrets),
                  HAUL_OK);
    memcpy(ticket.session, admission.session, sizeof(ticket.session));
    memcpy(ticket.token, secrets.token, sizeof(ticket.token));
    tcp_preamble_encode(TCP_DATA, &ticket, bytes);
    struct tls_changes changes = tls_changes_take(input);
    uint8_t before[TCP_PREAMBLE_BYTES];
    memcpy(before, bytes, sizeof(before));
    (void)tls_changes_apply(&changes, 0, bytes, HEADER_CRC_AT);
    put_u32(bytes + HEADER_CRC_AT, crc32c(bytes, HEADER_CRC_AT));
    if (tcp_preamble_decode(bytes, &purpose, &ticket) != HAUL_OK) {
        return;
    }
    bool ours = memcmp(before + INDEX_AT, bytes + INDEX_AT,
                       sizeof(ticket.index) + LINK_SESSION_BYTES + LINK_TOKEN_BYTES) == 0;
    bool has_place = link_index_place(ticket.index) < HAUL_LINK_COUNT_MAX;
    enum haul_status expected = ours ? (has_place ? HAUL_OK : HAUL_BUSY) : HAUL_AUTH;
    expect_status(link_admission_take(&admission, HAUL_TRANSPORT_TCP, &ticket, &taken), expected);
    if (expected == HAUL_OK) {
        haul_assert(memcmp(taken.bytes, secrets.frames.bytes, sizeof(taken.bytes)) == 0);
        expect_status(link_admission_take(&admission, HAUL_TRANSPORT_TCP, &ticket, &taken),
                      HAUL_AUTH);
    }
    expect_status(link_admission_take(&admission, HAUL_TRANSPORT_VERBS, &ticket, &taken),
                  HAUL_AUTH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    switch ((enum which)(cursor_u8(&input) % WHICH_COUNT)) {
    case SEALED:
        try_sealed(&input);
        break;
    case FORGED:
        try_forged(&input);
        break;
    case FRAME:
        try_frame(&input);
        break;
    case END:
        try_end(&input);
        break;
    case TICKET:
    case WHICH_COUNT:
        try_ticket(&input);
        break;
    }
    return 0;
}
