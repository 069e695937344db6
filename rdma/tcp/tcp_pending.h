/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_pending.h — connections that a listener has accepted and not yet handed out: reads their
 * preambles, under TLS if there are keys, and decides which is dropped when there are too many.
 *
 * Until its preamble is complete, a connection costs one descriptor and one place of a fixed table;
 * only a peer whose ClientHello proves that it has a key gets the state of a TLS connection. With
 * certificates a ClientHello proves nothing, and every peer gets it for the time of its handshake:
 * OpenSSL's, and TLS_STREAM_HANDSHAKE_BYTES_MAX.
 * Thread: the owner's. */
#ifndef HAUL_TCP_PENDING_H
#define HAUL_TCP_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "log_limit.h"
#include "tcp_listener.h"
#include "tcp_preamble.h"
#include "tls_socket.h"

enum tcp_pending_state {
    TCP_PENDING_UNUSED,    /* no connection */
    TCP_PENDING_READING,   /* the preamble is not complete */
    TCP_PENDING_SECURING,  /* the ClientHello is not complete, or the TLS handshake runs */
    TCP_PENDING_REFUSED,   /* not trusted; the answer waits */
    TCP_PENDING_READY,     /* a sound preamble; still to be handed out */
    TCP_PENDING_ANSWERING, /* handed out; the caller owes the answer */
};

struct tcp_pending {
    enum tcp_pending_state state;
    struct tls_socket socket;
    uint64_t deadline_ns;
    uint64_t number; /* in the order of arrival */
    struct link_address peer;
    enum tcp_purpose purpose;
    struct link_ticket ticket;
    size_t received_bytes;
    union {
        uint8_t preamble[TCP_PREAMBLE_BYTES];
        uint8_t hello[TLS_STREAM_HELLO_BYTES_MAX];
    };
};

/* Zeroed but for the first three: no connections. */
struct tcp_pending_table {
    const struct link_config *config; /* resolved; borrowed */
    int epoll_fd;                     /* reports a place that can be read; data.ptr is the place */
    struct tls_context *tls;          /* borrowed; NULL: no keys */
    struct log_limit refusals;
    uint64_t accepted_count;
    size_t waiting_count; /* READING, SECURING or REFUSED */
    struct tcp_pending places[TCP_PENDING_MAX];
};

void tcp_pending_fini(struct tcp_pending_table *table);

/* May one more be admitted? No: every place is taken, and some by connections that are READY, or
 * all by connections that the caller has yet to answer. */
bool tcp_pending_has_room(const struct tcp_pending_table *table);
/* Take over an accepted, non-blocking socket, read what has arrived, or close it. */
void tcp_pending_admit(struct tcp_pending_table *table, int fd);
/* The epoll set reports this place. It may be another connection's by now, or nobody's. */
void tcp_pending_read(struct tcp_pending_table *table, struct tcp_pending *pending);
/* Drop those whose deadline has passed. */
void tcp_pending_expire(struct tcp_pending_table *table);
/* When tcp_pending_expire has something to do; CLOCK_NEVER: nothing waits. */
uint64_t tcp_pending_deadline_ns(const struct tcp_pending_table *table);

/* One that is READY, and is ANSWERING from now on; NULL: none. */
struct tcp_pending *tcp_pending_next(struct tcp_pending_table *table);
/* Answer OK and give the socket up to the caller. */
struct tls_socket tcp_pending_accept(struct tcp_pending_table *table, struct tcp_pending *pending);
/* Answer this status and close. `why` is for the log; NULL: the caller has logged it. */
void tcp_pending_refuse(struct tcp_pending_table *table, struct tcp_pending *pending,
                        enum haul_status status, const char *why);

#endif
