/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_link_fixture.h — one TCP link against a plain socket, and a clock that only the test moves.
 *
 * A test opens the link, talks to it through `fixture.peer` and ends with fixture_end. The checks
 * stop the test if what they wait for does not come within RAW_PEER_WAIT_MS. */
#ifndef HAUL_TESTS_TCP_LINK_FIXTURE_H
#define HAUL_TESTS_TCP_LINK_FIXTURE_H

#include <stdint.h>

#include "check.h"
#include "link.h"
#include "raw_peer.h"
#include "slot_header.h"

enum {
    SLOT_COUNT = 4,
    SLOT_BYTES = HAUL_SLOT_SIZE_BYTES_MIN,
    PAYLOAD_BYTES_MAX = SLOT_BYTES - SLOT_HEADER_BYTES,
    EPOCH = 5,
    FIRST_SEQUENCE = 1000,
    DESCRIPTION_BYTES = 16,
    PEER_TIMEOUT_MS = 3000,
};

struct tcp_link_fixture {
    struct fake_clock fake;
    struct link_config config;
    struct link *link;
    struct link_event event; /* the last one polled */
    int peer;                /* -1: none */
    uint8_t payload[SLOT_BYTES];
};
extern struct tcp_link_fixture fixture;

/* The clock, a configuration (a test may change it) and the pattern of the payload. */
void fixture_begin(void);
/* Begin, and adopt one end of a connected pair: a receiver that has reported CONNECTED. */
void fixture_open_unbound_receiver(void);
/* Bind to a peer whose ring is like ours. */
void fixture_bind(void);
void fixture_close_peer(void);
/* Close link and peer. */
void fixture_end(void);

/* The peer's DESCRIPTION_BYTES. */
void fixture_make_description(uint32_t slot_count, uint32_t slot_size_bytes, uint8_t *description);

/* The next event, awaited as a poll group would, has this type. */
void fixture_check_next(enum link_event_type type);
/* The next event is the end, with this status, and nothing follows it. */
void fixture_check_closed(enum haul_status status);
/* There is nothing to poll, and the descriptor agrees. */
void fixture_check_quiet(void);

#endif
