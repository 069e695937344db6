/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_receiver.h — the receiving half of a verbs link: a ring that the peer writes into, and
 * credit frames that this side writes into the peer's memory.
 *
 * Block number n lies in slot n % slot_count of the ring. Only the completion with its immediate
 * proves that it has arrived. The ring itself is never polled, and nothing in it is trusted before
 * it is in a private copy: the peer's key is valid until the link ends.
 *
 * At most one credit frame is in flight. Changes meanwhile go into the next one.
 *
 * Thread: the link's owner. */
#ifndef HAUL_VERBS_RECEIVER_H
#define HAUL_VERBS_RECEIVER_H

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

enum {
    /* If memory is short the ring is halved, but not below this many slots. */
    VERBS_RECEIVER_SLOTS_MIN = 4,
};

struct verbs_receiver {
    struct verbs_endpoint *endpoint;
    struct haul_link_stats *stats; /* the link's */
    struct block_pool *pool;       /* the ring; outlives the queue, for blocks still lent */
    struct ibv_mr *ring;
    uint32_t slot_count; /* of the ring */
    uint32_t slot_size_bytes;
    uint64_t epoch;
    struct frame_key frames_key;
    uint64_t first_sequence;
    uint64_t next_sequence;
    bool bound;
    struct credit_receiver credit;

    /* The peer's credit frames. */
    uint64_t record_address;
    uint32_t record_rkey;
    uint32_t record_count;
    uint64_t next_record;
    bool record_in_flight;
    struct pages record; /* our frame in flight, for a device that inlines nothing */
    struct ibv_mr *record_region;
};

void verbs_receiver_init(struct verbs_receiver *receiver, struct verbs_endpoint *endpoint,
                         const struct link_config *config, struct haul_link_stats *stats);
/* Frees the ring too, lent blocks and all. Accepts a zeroed receiver. */
void verbs_receiver_fini(struct verbs_receiver *receiver);

/* Create and register the ring, with fewer slots if memory is short, and open the queues on the
 * endpoint's device. Detach after the queue is closed.
 * Errors: LIMIT, UNSUPPORTED, NO_MEMORY, IO. */
enum haul_status verbs_receiver_attach(struct verbs_receiver *receiver, const struct haul_log *log,
                                       struct haul_error *error) HAUL_MUST_CHECK;
void verbs_receiver_detach(struct verbs_receiver *receiver);

void verbs_receiver_describe(const struct verbs_receiver *receiver,
                             struct verbs_description *description);
/* The peer's credit frames are known; at most `slot_count` blocks arrive without credit. */
void verbs_receiver_bind(struct verbs_receiver *receiver, const struct verbs_description *records,
                         uint32_t slot_count);

/* Process a successful completion: `block` is the block that arrived, lent until release, or NULL.
 * Errors: PROTOCOL, VERSION, CORRUPT, FENCED (what arrived breaks the rules). */
enum haul_status verbs_receiver_on_completion(struct verbs_receiver *receiver,
                                              const struct verbs_completion *completion,
                                              struct block **block,
                                              struct haul_error *error) HAUL_MUST_CHECK;

/* Free a slot; `post` a receive for its next block while the link is open. Errors: IO. */
enum haul_status verbs_receiver_release(struct verbs_receiver *receiver, struct block *block,
                                        bool post, struct haul_error *error) HAUL_MUST_CHECK;

/* Send a credit frame if one is due, `idle` as in credit_receiver_due. Errors: IO. */
enum haul_status verbs_receiver_report(struct verbs_receiver *receiver, bool idle,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Is a block lent? / Does the next frame, due if `idle`, wait for the one before? / Has the sender
 * received a credit for everything that was freed? / Would a report send a frame? */
bool verbs_receiver_in_flight(const struct verbs_receiver *receiver);
/* Has the peer written to the next block's slot, sound or not? The completion should follow at
 * once. */
bool verbs_receiver_has_arrival(const struct verbs_receiver *receiver);
bool verbs_receiver_waits_for_sends(const struct verbs_receiver *receiver, bool idle);
bool verbs_receiver_all_reported(const struct verbs_receiver *receiver);
bool verbs_receiver_has_news(const struct verbs_receiver *receiver);

#endif
