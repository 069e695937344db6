/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_receiver.h — the receiving half of a verbs link: a ring that the peer writes into, and
 * credit frames that we write into the peer's memory.
 *
 * Block number n lies in slot n % slot_count of the ring. Only the completion with its
 * immediate shows that it has arrived. The ring itself is never polled, and nothing in it is
 * trusted before it is in a private copy: the peer's key is valid until the link ends.
 *
 * At most one record is on its way at a time. What happens meanwhile goes into the next one.
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
    /* When memory is short the ring is halved, but not below this many slots. */
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
    uint64_t first_sequence;
    uint64_t next_sequence;
    bool bound;
    struct credit_receiver credit;

    /* The peer's records. */
    uint64_t record_address;
    uint32_t record_rkey;
    uint32_t record_count;
    uint64_t next_record;
    bool record_in_flight;
    struct pages record; /* ours on its way, for a device that inlines nothing */
    struct ibv_mr *record_region;
};

void verbs_receiver_init(struct verbs_receiver *receiver, struct verbs_endpoint *endpoint,
                         const struct link_config *config, struct haul_link_stats *stats);
/* The ring goes with it, lent blocks and all. Accepts a zeroed one. */
void verbs_receiver_fini(struct verbs_receiver *receiver);

/* Make and register the ring, with fewer slots when memory is short, and open the queues on the
 * endpoint's device. Detach after the queue is closed.
 * Errors: LIMIT, UNSUPPORTED, NO_MEMORY, IO. */
enum haul_status verbs_receiver_attach(struct verbs_receiver *receiver, const struct haul_log *log,
                                       struct haul_error *error) HAUL_MUST_CHECK;
void verbs_receiver_detach(struct verbs_receiver *receiver);

void verbs_receiver_describe(const struct verbs_receiver *receiver,
                             struct verbs_description *description);
/* The peer's records are known; at most `slot_count` blocks come without credit. */
void verbs_receiver_bind(struct verbs_receiver *receiver, const struct verbs_description *records,
                         uint32_t slot_count);

/* A completion without error: `block` is the one that arrived, lent until release, or NULL.
 * Errors: PROTOCOL, VERSION, CORRUPT, FENCED (what came breaks the rules). */
enum haul_status verbs_receiver_on_completion(struct verbs_receiver *receiver,
                                              const struct verbs_completion *completion,
                                              struct block **block,
                                              struct haul_error *error) HAUL_MUST_CHECK;

/* Take a slot back; `post` a receive for its next block while the link is open. Errors: IO. */
enum haul_status verbs_receiver_release(struct verbs_receiver *receiver, struct block *block,
                                        bool post, struct haul_error *error) HAUL_MUST_CHECK;

/* Send a record if one is due, `idle` as in credit_receiver_due. Errors: IO. */
enum haul_status verbs_receiver_report(struct verbs_receiver *receiver, bool idle,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Is a block lent? Does the next record, due if `idle`, wait for the one before? Has the sender
 * received a credit for everything that was freed? Would a report send one? */
bool verbs_receiver_in_flight(const struct verbs_receiver *receiver);
/* Has the peer written where the next block comes, sound or not? Its completion should follow at
 * once. */
bool verbs_receiver_has_arrival(const struct verbs_receiver *receiver);
bool verbs_receiver_waits_for_sends(const struct verbs_receiver *receiver, bool idle);
bool verbs_receiver_all_reported(const struct verbs_receiver *receiver);
bool verbs_receiver_has_news(const struct verbs_receiver *receiver);

#endif
