/* SPDX-License-Identifier: Apache-2.0 */
/* sender_links.h — the data links of a source: chooses a transport, opens the links together, falls
 * back, queues blocks for each link, and counts blocks in flight.
 *
 *   CLOSED --sender_links_open--> OPENING --all bound--> UP --failure--> DOWN
 *   OPENING --memory cannot be registered--> OPENING with half the blocks, down to 4
 *   OPENING --a link fails--> OPENING with the next transport of the list; keeps the reason
 *   OPENING --a link of the last one fails--> DOWN   any --sender_links_close--> CLOSING --> CLOSED
 *
 * Blocks of one stream always take the same link, so that their order is the stream's.
 * Thread: the loop's. */
#ifndef HAUL_SENDER_LINKS_H
#define HAUL_SENDER_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "attempt_keys.h"
#include "batch_size.h"
#include "haul/migration.h"
#include "link.h"
#include "message.h"
#include "outbox.h"
#include "pack_choice.h"
#include "poll_group.h"
#include "rate_limit.h"
#include "shared_rate.h"

enum sender_links_state {
    SENDER_LINKS_CLOSED,
    SENDER_LINKS_OPENING,
    SENDER_LINKS_UP,
    SENDER_LINKS_DOWN, /* see `error` */
};

struct sender_links_options {
    struct link_address address;
    struct haul_transport_list transports; /* in this order; zero: auto */
    struct link_config config;             /* the pool is the outbox's */
    uint32_t link_count;                   /* maximum; see sender_links_use */
    uint32_t batch_bytes_min;
    uint32_t batch_bytes_max;
    uint64_t rate_bytes_per_second; /* 0: unlimited */
    struct haul_rate *rate;         /* of several sources; borrowed; NULL: none */
    const struct haul_clock *clock;
    struct poll_group *group;
    const struct haul_log *log;
};

struct sender_link;

struct sender_links {
    struct sender_links_options options;
    enum sender_links_state state;
    enum haul_transport transport;
    struct link_ticket ticket;
    const struct attempt_keys *keys; /* borrowed while links are opened */
    uint32_t attempt_count; /* attempts to open links in this session over this transport */
    size_t choice;          /* index of `transport` in the list; earlier ones have failed or were
                             * not offered, and are not tried again */
    const haul_control_TransportOffer *offers; /* the peer's; borrowed while links are opened */
    size_t offer_count;
    char fallback_reason[HAUL_REASON_BYTES_MAX];
    struct haul_error error;
    struct outbox *outbox;
    struct batch_size batch_size;
    uint64_t waits_seen; /* of the outbox */
    bool is_near;        /* TCP needs little in flight to fill the path */
    bool is_far;         /* the window must fill the path: blocks all in flight are no stall */
    struct pack_choice pack;
    bool waits;                /* since polled_ns: see pack_totals.waited_ns */
    uint64_t polled_ns;        /* 0: never */
    struct pack_totals waited; /* only the times */
    uint64_t submitted_blocks; /* to the open links */
    struct rate_limit rate;
    struct rate_share share;
    bool rate_waited;       /* the last block had to wait for the rate */
    uint64_t rate_ready_ns; /* nothing is submitted before this time; 0: at once */
    struct sender_link *links;
    uint32_t active_count;     /* links that are opened; blocks are spread over them */
    uint64_t in_flight_blocks; /* submitted, DONE pending */
    uint64_t queued_blocks;
    uint64_t queued_delta_bytes; /* payload of the queued blocks that carry the log */
    uint64_t submitted_records;
    uint64_t submitted_bytes;            /* of payload */
    struct haul_link_stats closed_stats; /* of closed links */
};

enum haul_status sender_links_init(struct sender_links *links,
                                   const struct sender_links_options *options,
                                   struct outbox *outbox) HAUL_MUST_CHECK;
/* Tears links down at once. */
void sender_links_fini(struct sender_links *links);

/* Open `link_count` links from now on, at most options.link_count, and keep blocks for these only.
 * Call before sender_links_open. */
void sender_links_use(struct sender_links *links, uint32_t link_count);

/* Limit the rate from now on; 0: unlimited. */
void sender_links_rate(struct sender_links *links, uint64_t bytes_per_second);
/* Choose how payloads are packed from now on. `target_reports`: sender_links_note_target is called
 * whenever it has. */
void sender_links_pack(struct sender_links *links, enum pack_state state, uint32_t reader_count,
                       bool target_reports);
/* The target's account of its time: see pack_totals. */
void sender_links_note_target(struct sender_links *links, uint64_t starved_us, uint64_t target_us);

/* Begin to open links. `keys`: of the attempt; derived ones make a token for each link, otherwise
 * that of the ticket counts. `offers`: the transports that the peer offers. Both are borrowed while
 * links are open. */
void sender_links_open(struct sender_links *links, const struct link_ticket *ticket,
                       const struct attempt_keys *keys, const haul_control_TransportOffer *offers,
                       size_t offer_count);
/* Handle a LINK message of the peer. */
void sender_links_describe(struct sender_links *links,
                           const haul_control_LinkDescription *description);
/* A LINK message for the peer, if one is due. */
bool sender_links_next_message(struct sender_links *links, struct message *message);

/* Poll all links, return free blocks, submit filled ones. True: something happened. */
bool sender_links_poll(struct sender_links *links);
/* When the rate limit admits the next block; CLOCK_NEVER: it delays nothing. */
uint64_t sender_links_deadline_ns(const struct sender_links *links);
/* Tear all links down and forget their blocks (the caller drops the outbox and its pool, too). Keep
 * counters and reasons. The links can be opened again. */
void sender_links_reset(struct sender_links *links);
/* Nothing queued, nothing in flight? */
bool sender_links_is_idle(const struct sender_links *links);
void sender_links_close(struct sender_links *links);
void sender_links_stats(const struct sender_links *links, struct haul_link_stats *stats);

#endif
