/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_listener.h — one TCP port for control connections and TCP data links.
 *
 * Every connection begins with a 64-byte preamble that names its purpose; the answer is 64 bytes
 * too. Until it is answered a connection costs one descriptor and that preamble. */
#ifndef HAUL_TCP_LISTENER_H
#define HAUL_TCP_LISTENER_H

#include "link.h"

enum {
    TCP_PENDING_MAX = 64, /* connections without a full preamble; one more drops the oldest */
    TCP_PREAMBLE_TIMEOUT_MS = 5000,
    /* So many of one host may take that time; others have to be quicker. A sender opens up to 16
     * links at once, and each sends its preamble at once. */
    TCP_PENDING_OF_HOST_MAX = 8,
    TCP_PREAMBLE_SHORT_TIMEOUT_MS = 500,
};

/* The contract is that of listener_create. `config` is resolved; its peer_timeout_ms is that of the
 * connections. An incoming with `control` set is for tcp_listener_take, or is rejected. */
enum haul_status tcp_listen(const struct link_address *address, const struct link_config *config,
                            struct listener **listener, struct haul_error *error) HAUL_MUST_CHECK;

/* Answer OK and hand out the connected, non-blocking socket (for control_channel_adopt). The
 * listener is one of tcp_listen. */
int tcp_listener_take(struct listener *listener, struct link_incoming *incoming);

#endif
