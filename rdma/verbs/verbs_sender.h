/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_sender.h — the sending half of a verbs link: it writes blocks into the peer's ring, and
 * reads credit frames from its own memory, where the peer writes them.
 *
 * A block passes four counts, all since the link began:
 *
 *   submitted --on_completion: its write is done--> completed   (the device needs it no more)
 *   submitted --on_completion: a record came-----> freed        (the peer needs its slot no more)
 *   both of them --verbs_sender_take_done--> returned
 *
 * Invariants:
 *   V1 returned <= completed and returned <= freed while the link lives; both <= submitted.
 *   V2 submitted - freed < the ring's slots when a block is written: its number's slot is free.
 *   V3 submitted - completed < the send queue's size; a block may be freed before its completion.
 *   V4 Credit frame n lies in place n % record_count, which the peer does not write again before
 *      frames n+1 .. n+record_count: more than can be unread (credit.h).
 *
 * Thread: the link's owner. */
#ifndef HAUL_VERBS_SENDER_H
#define HAUL_VERBS_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block_pool.h"
#include "credit.h"
#include "haul/transport.h"
#include "link.h"
#include "pages.h"
#include "verbs_description.h"
#include "verbs_endpoint.h"

struct verbs_sender {
    struct verbs_endpoint *endpoint;
    struct haul_link_stats *stats; /* the link's */
    struct block_pool *pool;
    bool pool_is_ours;
    uint64_t epoch;
    struct frame_key frames_key;
    uint64_t first_sequence;
    uint64_t next_sequence;
    uint32_t slot_count; /* ours; limits the queues */
    uint32_t slot_size_bytes;
    struct credit_sender credit;

    struct ibv_mr *arena;
    struct ibv_mr *record_region;
    struct pages records; /* pages of their own: the peer writes there */
    uint32_t record_count;
    uint64_t next_record;

    /* The peer's ring. */
    uint64_t ring_address;
    uint32_t ring_rkey;
    uint32_t ring_slot_count;

    struct block *queue[HAUL_SLOT_COUNT_MAX]; /* block number n at n % HAUL_SLOT_COUNT_MAX */
    uint64_t submitted;
    uint64_t completed;
    uint64_t returned;
    bool advanced; /* credits advanced, which is still to be reported to the owner */
};

/* Errors: NO_MEMORY, INVALID (the pool's blocks and the slots differ in size). */
enum haul_status verbs_sender_init(struct verbs_sender *sender, struct verbs_endpoint *endpoint,
                                   const struct link_config *config, struct haul_link_stats *stats,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Frees the pool if it is the sender's own, blocks and all. Accepts a zeroed sender. */
void verbs_sender_fini(struct verbs_sender *sender);

/* Register the memory and open the queues on the endpoint's device. Detach after the queue is
 * closed. Errors: LIMIT, UNSUPPORTED, NO_MEMORY, IO. */
enum haul_status verbs_sender_attach(struct verbs_sender *sender,
                                     struct haul_error *error) HAUL_MUST_CHECK;
void verbs_sender_detach(struct verbs_sender *sender);

void verbs_sender_describe(const struct verbs_sender *sender,
                           struct verbs_description *description);
/* The peer's ring is known; `slot_count` blocks may be without credit. */
void verbs_sender_bind(struct verbs_sender *sender, const struct verbs_description *ring,
                       uint32_t slot_count);

/* Write a block. Errors: AGAIN (no credit or no room); IO: the block is accepted all the same, and
 * the link is over. */
enum haul_status verbs_sender_submit(struct verbs_sender *sender, struct block *block,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Process a successful completion, of a block or of a credit frame. Errors: PROTOCOL, CORRUPT,
 * FENCED (frames), IO. */
enum haul_status verbs_sender_on_completion(struct verbs_sender *sender,
                                            const struct verbs_completion *completion,
                                            struct haul_error *error) HAUL_MUST_CHECK;

/* The next finished block, in order; NULL: none. */
struct block *verbs_sender_take_done(struct verbs_sender *sender);
/* After the queue is closed: the next block, and whether the peer has freed it; NULL: none. */
struct block *verbs_sender_take_rest(struct verbs_sender *sender, bool *freed);

/* Are there blocks that the peer has not freed? / Does anything but their credits wait for the
 * completions of writes? / Is there something to report to the owner? */
bool verbs_sender_in_flight(const struct verbs_sender *sender);
/* Has the peer written to the next frame's place, sound or not? The completion should follow at
 * once. */
bool verbs_sender_has_arrival(const struct verbs_sender *sender);
bool verbs_sender_waits_for_sends(const struct verbs_sender *sender);
bool verbs_sender_has_news(const struct verbs_sender *sender);

#endif
