/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_receiver.h — the receiving half of a TCP link: blocks in, credit frames out.
 *
 * The stream alternates headers and payloads; enum tcp_receiver_state is the position in it.
 * Thread: the link's owner. */
#ifndef HAUL_TCP_RECEIVER_H
#define HAUL_TCP_RECEIVER_H

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

enum tcp_receiver_state {
    TCP_RECEIVER_HEADER,  /* the 64 bytes of the next header are arriving */
    TCP_RECEIVER_PAYLOAD, /* the payload is arriving in `filling` */
    TCP_RECEIVER_ENDED,   /* the sender's orderly end has arrived: nothing follows */
};

struct tcp_receiver {
    enum tcp_receiver_state state;
    int fd;
    struct haul_link_stats *stats; /* the link's */
    struct block_pool *pool;
    uint64_t epoch;
    uint64_t first_sequence;
    uint64_t next_sequence;
    uint32_t payload_size_bytes_max;
    struct frame_key frames_key;
    bool sealed; /* payloads have a tag instead of a checksum */
    bool bound;
    bool drained;      /* the last read was short: the socket is empty */
    size_t wake_bytes; /* of the last tcp_socket_wake_at; 0: never called */
    struct credit_receiver credit;

    size_t header_bytes; /* of `header`, which may be read ahead while the payload is arriving */
    uint8_t header[SLOT_HEADER_BYTES];
    struct block *filling;
    size_t payload_bytes; /* of `filling`, received so far */

    bool ending; /* the end frame must be sent */
    bool ended;  /* the end frame is in `frame` or already sent */
    size_t frame_bytes_left;
    uint8_t frame[TCP_FRAME_BYTES];
};

/* Errors: NO_MEMORY. */
enum haul_status tcp_receiver_init(struct tcp_receiver *receiver, int fd,
                                   const struct link_config *config, struct haul_link_stats *stats,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Frees the pool too, blocks and all. */
void tcp_receiver_fini(struct tcp_receiver *receiver);

/* The ring's size is known: blocks may arrive. */
void tcp_receiver_bind(struct tcp_receiver *receiver, uint32_t slot_count);

/* Begin a pass of reading. */
void tcp_receiver_begin(struct tcp_receiver *receiver);
/* The next whole block, lent until tcp_receiver_release.
 * Errors: AGAIN (also after the sender's end: see `state`); PROTOCOL, VERSION, CORRUPT, FENCED (bad
 * headers); as tcp_socket_receive. */
enum haul_status tcp_receiver_next(struct tcp_receiver *receiver, struct block **block,
                                   struct haul_error *error) HAUL_MUST_CHECK;

void tcp_receiver_release(struct tcp_receiver *receiver, struct block *block);

/* Send the credits that are due, `idle` as in credit_receiver_due, and the end if it was requested.
 * OK: nothing is left. Errors: AGAIN; as tcp_socket_send. */
enum haul_status tcp_receiver_report(struct tcp_receiver *receiver, bool idle,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* Make the next reports send the orderly end. */
void tcp_receiver_end(struct tcp_receiver *receiver);

/* Has a block arrived that was not released? / Has the sender been sent a credit for everything
 * that was freed? */
bool tcp_receiver_in_flight(const struct tcp_receiver *receiver);
bool tcp_receiver_all_reported(const struct tcp_receiver *receiver);
/* Can tcp_receiver_next return a block without reading, or are credits due? */
bool tcp_receiver_has_news(const struct tcp_receiver *receiver);
/* Before sleeping: set the socket to wake us for a large piece of a payload, not for each segment.
 * Errors: IO. */
enum haul_status tcp_receiver_arm(struct tcp_receiver *receiver,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Has a block arrived before the bind? Its header waits for that, and everything after it stays
 * unread. */
bool tcp_receiver_awaits_bind(const struct tcp_receiver *receiver);
/* Would a read find room? */
bool tcp_receiver_wants_bytes(const struct tcp_receiver *receiver);
/* Are there frame bytes that the kernel has not taken? */
bool tcp_receiver_unwritten(const struct tcp_receiver *receiver);

#endif
