/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_listener.h — one TCP port for control connections and TCP data links.
 *
 * Every connection begins with a 64-byte preamble that says what it wants to be; the answer is 64
 * bytes too. Until it is answered a connection costs one descriptor and that preamble. */
#ifndef HAUL_TCP_LISTENER_H
#define HAUL_TCP_LISTENER_H

#include <stdint.h>

#include "link.h"
#include "tcp_preamble.h"

enum {
    TCP_PENDING_MAX = 64, /* connections without a full preamble; one more drops the oldest */
    TCP_PREAMBLE_TIMEOUT_MS = 5000,
    /* So many of one host may take that time; others have to be quicker. A sender opens up to 16
     * links at once, and each sends its preamble at once. */
    TCP_PENDING_OF_HOST_MAX = 8,
    TCP_PREAMBLE_SHORT_TIMEOUT_MS = 500,
};

struct tcp_listener;

enum haul_status tcp_listener_create(const struct link_address *address,
                                     const struct link_config *config,
                                     struct tcp_listener **listener,
                                     struct haul_error *error) HAUL_MUST_CHECK;
void tcp_listener_destroy(struct tcp_listener *listener);
void tcp_listener_address(const struct tcp_listener *listener, struct link_address *address);
int tcp_listener_fd(const struct tcp_listener *listener);
uint64_t tcp_listener_deadline_ns(const struct tcp_listener *listener);

/* The next connection with a sound preamble of a version we speak. Errors: AGAIN. */
enum haul_status tcp_listener_poll(struct tcp_listener *listener, enum tcp_purpose *purpose,
                                   struct link_incoming *incoming) HAUL_MUST_CHECK;
void tcp_listener_reject(struct tcp_listener *listener, struct link_incoming *incoming,
                         enum haul_status reason);

/* Answer OK and make a receiving data link of it. Consumes `incoming` also on error. */
enum haul_status tcp_listener_accept_link(struct tcp_listener *listener,
                                          struct link_incoming *incoming,
                                          const struct link_config *config, struct link **link,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* Answer OK and hand out the connected, non-blocking socket (for control_channel_adopt). */
int tcp_listener_take(struct tcp_listener *listener, struct link_incoming *incoming);

#endif
