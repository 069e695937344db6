/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_listener.h — one TCP port for control connections and TCP data links.
 *
 * Every connection begins with a 64-byte preamble that names its purpose; the answer has 64 bytes
 * too. With keys (link_config) the preamble of a control connection, and everything after it, lies
 * under TLS; that of a data link stays plain. tcp_pending.h has what a
 * connection costs until it is answered. */
#ifndef HAUL_TCP_LISTENER_H
#define HAUL_TCP_LISTENER_H

#include "link.h"
#include "tls_socket.h"

enum {
    TCP_PENDING_MAX = 64, /* connections with an incomplete preamble; one more drops the oldest */
    TCP_PREAMBLE_TIMEOUT_MS = 5000,
    /* From the arrival of a certificate to its refusal; checking one takes a few milliseconds. */
    TCP_REFUSAL_MS = 100,
    /* Of one address; one more drops the oldest of these. A sender opens up to 16 links at once,
     * and each sends its preamble immediately, so few of them ever wait. */
    TCP_PENDING_OF_HOST_MAX = 8,
    TCP_PENDING_BYTES_MAX = 4 << 10, /* of memory for each of them */
};

/* The contract is that of listener_create. `config` is resolved; its peer_timeout_ms applies to the
 * connections. An incoming with `control` set goes to tcp_listener_take, or is rejected. */
enum haul_status tcp_listen(const struct link_address *address, const struct link_config *config,
                            struct listener **listener, struct haul_error *error) HAUL_MUST_CHECK;

/* Answer OK and return the connected, non-blocking socket (for control_channel_adopt). `listener`
 * comes from tcp_listen. */
struct tls_socket tcp_listener_take(struct listener *listener, struct link_incoming *incoming);

#endif
