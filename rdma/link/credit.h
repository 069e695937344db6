/* SPDX-License-Identifier: Apache-2.0 */
/* credit.h — receiver-owned, cumulative flow control: pure arithmetic, no I/O, no time.
 *
 * The receiver counts blocks. `freed` counts the blocks, from the first one without a gap, whose
 * slots are free again; `applied` counts the blocks that took effect. Both only grow. So a frame
 * {epoch, freed, applied} may be lost, repeated or late without harm: the newest wins.
 *
 * The sender may have at most `slot_count` blocks between freed and submitted, so that the slot
 * sequence % slot_count is free by construction when it is written.
 *
 * How many frames can wait unread at the sender: each one advances freed or applied, freed by at
 * most slot_count beyond what the sender has seen, applied by at most CREDIT_APPLIED_LEAD x
 * slot_count (the sender submits nothing beyond that lead). credit_frames_max() is that bound:
 * a sender that keeps this many receives posted can never be not-ready. */
#ifndef HAUL_CREDIT_H
#define HAUL_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "frame_key.h"
#include "haul/status.h"

enum {
    CREDIT_FRAME_BYTES = 32, /* u64 epoch, u64 freed, u64 applied, then 8 bytes: see below */
    CREDIT_APPLIED_LEAD = 4,
};
#define CREDIT_RECORD_MAGIC UINT32_C(0x54445243) /* "CRDT" */
#define CREDIT_END_MAGIC UINT32_C(0x444e4543)    /* "CEND": the last frame of a TCP link */

/* A quarter of the ring: this many freed slots are worth a frame, and this many blocks a
 * wake-up. */
static inline uint32_t credit_quarter(uint32_t slot_count)
{
    return slot_count / 4 > 0 ? slot_count / 4 : 1;
}

static inline uint32_t credit_frames_max(uint32_t slot_count)
{
    return slot_count * (1 + CREDIT_APPLIED_LEAD);
}

struct credit_frame {
    uint64_t epoch;
    uint64_t freed;
    uint64_t applied;
};

/* The last 8 bytes are u32 magic and u32 CRC32C, or with a key the tag of the 24 before them, for
 * the kind `magic`. `key` NULL, or not used: no key. */
void credit_frame_encode(const struct credit_frame *frame, uint32_t magic,
                         const struct frame_key *key, uint8_t *at);
/* Errors: PROTOCOL (another magic), CORRUPT (CRC, tag). */
enum haul_status credit_frame_decode(const uint8_t *at, uint32_t magic, const struct frame_key *key,
                                     struct credit_frame *frame) HAUL_MUST_CHECK;

/* --- sender --------------------------------------------------------------------------------- */

struct credit_sender {
    uint32_t slot_count;
    uint64_t epoch;
    uint64_t submitted;
    uint64_t freed;
    uint64_t applied;
};

void credit_sender_init(struct credit_sender *sender, uint32_t slot_count, uint64_t epoch);
/* May one more block be submitted? */
bool credit_sender_can_submit(const struct credit_sender *sender);
void credit_sender_note_submitted(struct credit_sender *sender);
/* Take a frame. Older ones are ignored. Errors: FENCED (other epoch), PROTOCOL (more than was sent;
 * applied beyond what freed or submitted allow). `*advanced`: did anything change? */
enum haul_status credit_sender_take(struct credit_sender *sender, const struct credit_frame *frame,
                                    bool *advanced) HAUL_MUST_CHECK;

/* --- receiver ------------------------------------------------------------------------------- */

enum { CREDIT_SLOT_COUNT_MAX = 256 };

struct credit_receiver {
    uint32_t slot_count;
    uint64_t epoch;
    uint64_t received;
    uint64_t freed; /* without a gap */
    uint64_t applied;
    uint64_t reported_freed;
    uint64_t reported_applied;
    uint64_t released[CREDIT_SLOT_COUNT_MAX / 64]; /* bitmap of released slots beyond freed */
};

void credit_receiver_init(struct credit_receiver *receiver, uint32_t slot_count, uint64_t epoch);
/* A block arrived in the next slot. Errors: PROTOCOL (the ring was full: written without a
 * credit). */
enum haul_status credit_receiver_note_received(struct credit_receiver *receiver) HAUL_MUST_CHECK;
/* Free the slot of block number `ordinal` (0: the first of the link). Asserts that it was lent. */
void credit_receiver_release(struct credit_receiver *receiver, uint64_t ordinal);
void credit_receiver_note_applied(struct credit_receiver *receiver, uint64_t count);
/* Is a frame due? Yes if a quarter of the ring was freed since the last frame, if the sender may be
 * out of credits, or if `idle` (nothing else to do) and anything has changed. */
bool credit_receiver_due(const struct credit_receiver *receiver, bool idle);
/* The frame to send now; counts as sent. */
void credit_receiver_report(struct credit_receiver *receiver, struct credit_frame *frame);

#endif
