/* SPDX-License-Identifier: Apache-2.0 */
/* tls_socket.h — a connected TCP socket, and TLS on it if the two sides have a key. Neither blocks.
 * Thread: the owner's. */
#ifndef HAUL_TLS_SOCKET_H
#define HAUL_TLS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "haul/status.h"
#include "tls_stream.h"

struct tls_socket {
    int fd;                 /* -1: none */
    struct tls_stream *tls; /* NULL: plain */
};

/* Under TLS with `keys`, as the side that connects to `host` (NULL: nameless); `keys` NULL: plain.
 * Takes over `fd`, also on error (then it is closed). Errors: those of tls_context_create and
 * tls_stream_create. */
enum haul_status tls_socket_open(struct tls_socket *socket, int fd, const struct haul_keys *keys,
                                 const char *host, struct haul_error *error) HAUL_MUST_CHECK;
void tls_socket_close(struct tls_socket *socket);

/* Continue the handshake. OK: it is done, or the socket is plain. Errors: AGAIN, CLOSED and others
 * of tcp_socket_receive; AUTH (the refusal waits for tls_socket_flush). */
enum haul_status tls_socket_handshake(struct tls_socket *socket,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Move what can be moved now, as tcp_socket_send and tcp_socket_receive do. Under TLS a record
 * that was taken is sent by later calls: see tls_socket_has_output. Errors: theirs;
 * CORRUPT (a record was changed on the way), AUTH (tls_stream_read). */
enum haul_status tls_socket_send(struct tls_socket *socket, const void *bytes, size_t size_bytes,
                                 size_t *sent_bytes, struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status tls_socket_receive(struct tls_socket *socket, void *to, size_t size_bytes,
                                    size_t *received_bytes,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Send what was taken and not sent. Errors: AGAIN (there is more), others of tcp_socket_send. */
enum haul_status tls_socket_flush(struct tls_socket *socket,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Is something waiting for the kernel? Then wait for EPOLLOUT, too. */
bool tls_socket_has_output(const struct tls_socket *socket);
/* Announce the end of the stream, as far as the kernel takes it now. */
void tls_socket_end(struct tls_socket *socket);

#endif
