/* SPDX-License-Identifier: Apache-2.0 */
/* acceptor.h — everything that arrives at one address: control connections and links of every
 * transport.
 *
 * Control connections use TCP. Each transport listens on the same address and, in a port space of
 * its own, the same port number. Thread: the loop's. */
#ifndef HAUL_ACCEPTOR_H
#define HAUL_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "poll_group.h"
#include "tls_socket.h"

struct acceptor;

enum {
    ACCEPTOR_REASON_BYTES_MAX = 256,
    /* A loop that takes no more in a turn has time for its jobs while strangers connect. */
    ACCEPTOR_ARRIVALS_PER_TURN_MAX = 64,
};

struct acceptor_options {
    const char *listen; /* ADDR:PORT; NULL: every address, `port` */
    uint16_t port;      /* only without `listen` */
    /* Other hosts must not reach it: other addresses are refused with AUTH, and without `listen` it
     * is 127.0.0.1 only. Peers whose own address is another are dropped. */
    bool loopback_only;
    struct haul_transport_list transports; /* transports whose links are accepted */
    struct link_config config;
    struct poll_group *group;
};

/* An arrival. Answer it by acceptor_take (incoming.control), listener_accept (a link), or
 * listener_reject. */
struct acceptor_arrival {
    struct listener *listener;
    struct link_incoming incoming;
};

/* Listen. A transport that cannot listen is left out, with a line in the log. It is an error if
 * none can, or if control connections cannot be accepted.
 * Errors: those of listener_create and link_address_parse. */
enum haul_status acceptor_create(const struct acceptor_options *options, struct acceptor **acceptor,
                                 struct haul_error *error) HAUL_MUST_CHECK;
/* Unanswered arrivals are dropped. */
void acceptor_destroy(struct acceptor *acceptor);

/* The actual address. */
void acceptor_address(const struct acceptor *acceptor, struct link_address *address);

/* The next arrival. Errors: AGAIN. */
enum haul_status acceptor_poll(struct acceptor *acceptor,
                               struct acceptor_arrival *arrival) HAUL_MUST_CHECK;
uint64_t acceptor_deadline_ns(const struct acceptor *acceptor);

/* Answer OK to a control connection and return its socket (for control_channel_adopt). */
struct tls_socket acceptor_take(struct acceptor_arrival *arrival);

/* Can links of this transport currently connect? False: `reason` gets the cause. */
bool acceptor_offers(const struct acceptor *acceptor, enum haul_transport transport,
                     char reason[ACCEPTOR_REASON_BYTES_MAX]);

#endif
