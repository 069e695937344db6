/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_listener.h — one TCP port for control connections and TCP data links.
 *
 * Every connection begins with a 64-byte preamble that says what it wants to be; the answer is 64
 * bytes too. Until it is answered a connection costs one descriptor and that preamble. */
#ifndef HAUL_TCP_LISTENER_H
#define HAUL_TCP_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"

enum tcp_purpose {
    TCP_CONTROL = 1,
    TCP_DATA = 2,
};

enum {
    TCP_PREAMBLE_BYTES = 64,
    TCP_PENDING_MAX = 64, /* connections without a full preamble; more are refused */
    TCP_PREAMBLE_TIMEOUT_MS = 5000,
};

/* --- preamble, pure ------------------------------------------------------------------------- */

void tcp_preamble_encode(enum tcp_purpose purpose, const struct link_ticket *ticket,
                         uint8_t *at);
/* Errors: PROTOCOL (not a haul peer), CORRUPT (CRC). Versions are the caller's to compare. */
enum haul_status tcp_preamble_decode(const uint8_t *at, enum tcp_purpose *purpose,
                                     struct link_ticket *ticket) HAUL_MUST_CHECK;
/* The answer: OK or the reason of a refusal, and the versions of the side that answers. */
void tcp_answer_encode(enum haul_status status, uint8_t *at);
enum haul_status tcp_answer_decode(const uint8_t *at, enum haul_status *answer,
                                   uint16_t *version_min, uint16_t *version_max) HAUL_MUST_CHECK;

/* --- listener ------------------------------------------------------------------------------- */

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
