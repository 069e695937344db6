/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_sender.h — the sending half of a TCP link: blocks out in order, credit frames in.
 *
 * A block passes three counts, all since the link began:
 *
 *   submitted --tcp_sender_write: all bytes with the kernel--> written
 *             --tcp_sender_read: the receiver's credit--> freed
 *             --tcp_sender_take_freed--> returned
 *
 * Invariants:
 *   C1 returned <= freed while the link lives, and returned <= submitted for ever
 *   C2 freed <= written <= submitted
 *   C3 submitted - returned <= the blocks of the pool
 *
 * Thread: the link's owner. */
#ifndef HAUL_TCP_SENDER_H
#define HAUL_TCP_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block_pool.h"
#include "credit.h"
#include "haul/status.h"
#include "haul/transport.h"
#include "link.h"
#include "slot_header.h"
#include "tcp_frame.h"

enum {
    /* Frames read by one call. They are cumulative, so more than a few seldom wait. */
    TCP_SENDER_FRAMES_PER_READ = 32,
};

struct tcp_sender {
    int fd;
    struct haul_link_stats *stats; /* the link's */
    struct block_pool *pool;
    bool owns_pool; /* created here, not given in the configuration */
    uint64_t epoch;
    uint64_t next_sequence;
    struct frame_key frames_key;
    struct credit_sender credit;

    struct block *queue[HAUL_SLOT_COUNT_MAX]; /* block number n at n % HAUL_SLOT_COUNT_MAX */
    uint64_t submitted;
    uint64_t written;
    uint64_t returned;
    size_t written_bytes; /* of block number `written` */

    bool ending; /* SLOT_CLOSE must follow the blocks */
    size_t end_bytes_left;
    uint8_t end[SLOT_HEADER_BYTES];

    bool peer_ended; /* the end frame has arrived: nothing follows */
    bool advanced;   /* credits advanced, which is still to be reported to the owner */
    size_t frame_bytes;
    uint8_t frames[TCP_SENDER_FRAMES_PER_READ * TCP_FRAME_BYTES];
};

/* Errors: NO_MEMORY. */
enum haul_status tcp_sender_init(struct tcp_sender *sender, int fd,
                                 const struct link_config *config, struct haul_link_stats *stats,
                                 struct haul_error *error) HAUL_MUST_CHECK;
/* Frees the pool if it is the sender's own, blocks and all. */
void tcp_sender_fini(struct tcp_sender *sender);

/* The ring's size is known: blocks may be sent. */
void tcp_sender_bind(struct tcp_sender *sender, uint32_t slot_count);

/* Queue a block after the others. Errors: AGAIN (no credit). */
enum haul_status tcp_sender_submit(struct tcp_sender *sender, struct block *block) HAUL_MUST_CHECK;

/* Pass the kernel as much as it takes. OK: nothing is left. Errors: AGAIN; as tcp_socket_send. */
enum haul_status tcp_sender_write(struct tcp_sender *sender,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Take the credits that have arrived. OK: some have, and there may be more. Errors: AGAIN; FENCED,
 * PROTOCOL, CORRUPT (bad frames); as tcp_socket_receive. */
enum haul_status tcp_sender_read(struct tcp_sender *sender,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* The next freed block, in order; NULL: none. */
struct block *tcp_sender_take_freed(struct tcp_sender *sender);
/* The next block that will never be freed; NULL: none. Only when the link is over. */
struct block *tcp_sender_take_cancelled(struct tcp_sender *sender);

/* Queue the orderly end. */
void tcp_sender_end(struct tcp_sender *sender);

/* Are there blocks that the peer has not freed? Are there bytes for the kernel? Is there a freed
 * block or a credit to report? */
bool tcp_sender_in_flight(const struct tcp_sender *sender);
bool tcp_sender_unwritten(const struct tcp_sender *sender);
bool tcp_sender_has_news(const struct tcp_sender *sender);

#endif
