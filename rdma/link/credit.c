/* SPDX-License-Identifier: Apache-2.0 */
/* credit.c — the arithmetic of both sides. */
#include "credit.h"

#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "crc32c.h"
#include "planted_bug.h"

/* --- frame ------------------------------------------------------------------------------------ */

enum { RECORD_MAGIC_AT = 24, RECORD_CRC_AT = 28 };

static bool has_key(const struct frame_key *key)
{
    return key != NULL && key->used;
}

void credit_frame_encode(const struct credit_frame *frame, uint32_t magic,
                         const struct frame_key *key, uint8_t *at)
{
    put_u64(at, frame->epoch);
    put_u64(at + 8, frame->freed);
    put_u64(at + 16, frame->applied);
    if (has_key(key)) {
        frame_key_tag(key, magic, slice_of(at, RECORD_MAGIC_AT), at + RECORD_MAGIC_AT);
        return;
    }
    put_u32(at + RECORD_MAGIC_AT, magic);
    put_u32(at + RECORD_CRC_AT, crc32c(at, RECORD_CRC_AT));
}

/* Is it a sound frame except for a flipped bit in its magic? */
static bool is_sound_but_for_magic(const uint8_t *at, uint32_t magic)
{
    uint8_t mended[CREDIT_FRAME_BYTES];
    memcpy(mended, at, sizeof(mended));
    put_u32(mended + RECORD_MAGIC_AT, magic);
    return get_u32(at + RECORD_CRC_AT) == crc32c(mended, RECORD_CRC_AT);
}

static enum haul_status check_frame(const uint8_t *at, uint32_t magic, const struct frame_key *key)
{
    if (has_key(key)) {
        bool sound =
            frame_key_check(key, magic, slice_of(at, RECORD_MAGIC_AT), at + RECORD_MAGIC_AT);
        return sound ? HAUL_OK : HAUL_CORRUPT;
    }
    if (get_u32(at + RECORD_MAGIC_AT) != magic) {
        return is_sound_but_for_magic(at, magic) ? HAUL_CORRUPT : HAUL_PROTOCOL;
    }
    return get_u32(at + RECORD_CRC_AT) == crc32c(at, RECORD_CRC_AT) ? HAUL_OK : HAUL_CORRUPT;
}

enum haul_status credit_frame_decode(const uint8_t *at, uint32_t magic, const struct frame_key *key,
                                     struct credit_frame *frame)
{
    enum haul_status status = check_frame(at, magic, key);
    if (status == HAUL_OK) {
        frame->epoch = get_u64(at);
        frame->freed = get_u64(at + 8);
        frame->applied = get_u64(at + 16);
    }
    return status;
}

/* --- sender ----------------------------------------------------------------------------------- */

void credit_sender_init(struct credit_sender *sender, uint32_t slot_count, uint64_t epoch)
{
    haul_assert(slot_count > 0 && slot_count <= CREDIT_SLOT_COUNT_MAX);
    *sender = (struct credit_sender){.slot_count = slot_count, .epoch = epoch};
}

bool credit_sender_can_submit(const struct credit_sender *sender)
{
    uint64_t slot_count = sender->slot_count + (HAUL_PLANTED_BUG(CREDIT_OFF_BY_ONE) ? 1 : 0);
    return sender->submitted - sender->freed < slot_count &&
           sender->submitted - sender->applied < (uint64_t)CREDIT_APPLIED_LEAD * sender->slot_count;
}

void credit_sender_note_submitted(struct credit_sender *sender)
{
    haul_assert(credit_sender_can_submit(sender));
    sender->submitted++;
}

enum haul_status credit_sender_take(struct credit_sender *sender, const struct credit_frame *frame,
                                    bool *advanced)
{
    *advanced = false;
    if (frame->epoch != sender->epoch) {
        return HAUL_FENCED;
    }
    if (frame->freed > sender->submitted || frame->applied > sender->submitted) {
        return HAUL_PROTOCOL;
    }
    if (frame->freed > sender->freed) {
        sender->freed = frame->freed;
        *advanced = true;
    }
    if (frame->applied > sender->applied) {
        sender->applied = frame->applied;
        *advanced = true;
    }
    return HAUL_OK;
}

/* --- receiver --------------------------------------------------------------------------------- */

void credit_receiver_init(struct credit_receiver *receiver, uint32_t slot_count, uint64_t epoch)
{
    haul_assert(slot_count > 0 && slot_count <= CREDIT_SLOT_COUNT_MAX);
    memset(receiver, 0, sizeof(*receiver));
    receiver->slot_count = slot_count;
    receiver->epoch = epoch;
}

enum haul_status credit_receiver_note_received(struct credit_receiver *receiver)
{
    if (receiver->received - receiver->freed >= receiver->slot_count) {
        return HAUL_PROTOCOL;
    }
    receiver->received++;
    return HAUL_OK;
}

void credit_receiver_release(struct credit_receiver *receiver, uint64_t ordinal)
{
    haul_assert(ordinal >= receiver->freed && ordinal < receiver->received);
    uint64_t slot = ordinal % receiver->slot_count;
    uint64_t bit = UINT64_C(1) << (slot % 64);
    haul_assert((receiver->released[slot / 64] & bit) == 0);
    receiver->released[slot / 64] |= bit;
    while (receiver->freed < receiver->received) {
        slot = receiver->freed % receiver->slot_count;
        bit = UINT64_C(1) << (slot % 64);
        if ((receiver->released[slot / 64] & bit) == 0) {
            return;
        }
        receiver->released[slot / 64] &= ~bit;
        receiver->freed++;
    }
}

void credit_receiver_note_applied(struct credit_receiver *receiver, uint64_t count)
{
    receiver->applied += count;
    haul_assert(receiver->applied <= receiver->received);
}

bool credit_receiver_due(const struct credit_receiver *receiver, bool idle)
{
    uint64_t quarter = credit_quarter(receiver->slot_count);
    uint64_t freed = receiver->freed - receiver->reported_freed;
    uint64_t applied = receiver->applied - receiver->reported_applied;
    if (freed == 0 && applied == 0) {
        return false;
    }
    /* The sender may have used up `slot_count` beyond what was reported; then it waits. */
    bool exhausted =
        receiver->received - receiver->reported_freed >= receiver->slot_count && freed > 0;
    uint64_t lead = (uint64_t)CREDIT_APPLIED_LEAD * receiver->slot_count;
    bool behind = receiver->received - receiver->reported_applied >= lead && applied > 0;
    return freed >= quarter || exhausted || (behind && !HAUL_PLANTED_BUG(LEAD_UNREPORTED)) || idle;
}

void credit_receiver_report(struct credit_receiver *receiver, struct credit_frame *frame)
{
    *frame = (struct credit_frame){
        .epoch = receiver->epoch, .freed = receiver->freed, .applied = receiver->applied};
    receiver->reported_freed = receiver->freed;
    receiver->reported_applied = receiver->applied;
}
