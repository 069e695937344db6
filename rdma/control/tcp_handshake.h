/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_handshake.h — how the connecting side opens: TCP connect, preamble out, answer in.
 *
 *   CONNECTING --connected--> SECURING --TLS done--> SENDING --64 bytes out--> READING
 *   READING --64 bytes in--> DONE
 *
 * A plain socket is secured at once. tcp_handshake_step makes all transitions, within
 * peer_timeout_ms of the beginning.
 * Thread: the owner's. */
#ifndef HAUL_TCP_HANDSHAKE_H
#define HAUL_TCP_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"
#include "link.h"
#include "tcp_preamble.h"
#include "tls_socket.h"

enum tcp_handshake_state {
    TCP_HANDSHAKE_CONNECTING, /* the kernel is connecting */
    TCP_HANDSHAKE_SECURING,   /* the TLS handshake runs */
    TCP_HANDSHAKE_SENDING,    /* our preamble is being sent */
    TCP_HANDSHAKE_READING,    /* the answer is being read */
    TCP_HANDSHAKE_DONE,       /* accepted */
};

struct tcp_handshake {
    enum tcp_handshake_state state;
    struct link_address peer;
    const struct haul_clock *clock;
    uint32_t peer_timeout_ms;
    uint64_t deadline_ns;
    size_t moved_bytes; /* of `bytes`, in the direction of the state */
    uint8_t bytes[TCP_PREAMBLE_BYTES];
};

/* `config` has its defaults resolved. */
void tcp_handshake_init(struct tcp_handshake *handshake, const struct link_address *peer,
                        enum tcp_purpose purpose, const struct link_ticket *ticket,
                        const struct link_config *config);

/* Continue as far as possible without waiting. OK: the peer accepted.
 * Errors: AGAIN; TIMEOUT; AUTH (the other side does not have the key); PROTOCOL and CORRUPT (not
 * a haul peer); VERSION; those of tcp_socket_connected; the status that the peer answered
 * (AUTH, BUSY, FENCED, ...). */
enum haul_status tcp_handshake_step(struct tcp_handshake *handshake, struct tls_socket *socket,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Has the peer answered, or begun to? */
bool tcp_handshake_is_answered(const struct tcp_handshake *handshake);

/* Of EPOLLIN|EPOLLOUT. */
uint32_t tcp_handshake_interest(const struct tcp_handshake *handshake,
                                const struct tls_socket *socket);

#endif
