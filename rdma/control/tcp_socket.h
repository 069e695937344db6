/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_socket.h — non-blocking TCP sockets with haul's options; errno becomes haul_status here.
 *
 * Thread: any; a socket belongs to its caller. */
#ifndef HAUL_TCP_SOCKET_H
#define HAUL_TCP_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "haul/status.h"
#include "link.h"

/* The status for an errno of a socket call. */
enum haul_status tcp_socket_status(int code);

/* Non-blocking, no Nagle, keep-alive probes; the connection fails after `peer_timeout_ms` of
 * unacknowledged bytes. The kernel's autotuning sets buffer sizes, except after tcp_socket_narrow
 * and tcp_socket_widen. Errors: IO. */
enum haul_status tcp_socket_configure(int fd, uint32_t peer_timeout_ms,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Start connecting; when the socket is writable, call tcp_socket_connected.
 * Errors: REFUSED, UNREACHABLE, LIMIT, UNSUPPORTED (address family), IO, if already known. */
enum haul_status tcp_socket_connect(const struct link_address *address, uint32_t peer_timeout_ms,
                                    int *fd, struct haul_error *error) HAUL_MUST_CHECK;
/* Errors: AGAIN (still connecting), REFUSED, UNREACHABLE, TIMEOUT, IO. */
enum haul_status tcp_socket_connected(int fd, const struct link_address *peer,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Bind and listen. "[::]" also accepts IPv4. A connection arrives with its first bytes: one that
 * sends nothing stays in the kernel, which forgets it after some seconds. Errors: BUSY (port in
 * use), INVALID (not an address of this host, or not permitted), LIMIT, UNSUPPORTED, IO. */
enum haul_status tcp_socket_listen(const struct link_address *address, int *fd,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* When it is closed, the kernel resets the connection and keeps nothing of it. */
void tcp_socket_forget(int fd);

/* Is the peer on this host? True if both ends have the same address. */
bool tcp_socket_is_near(int fd);
/* Within a host there is no path to fill: set a small send buffer, whose bytes stay in the
 * caches. */
void tcp_socket_narrow(int fd);

/* The smallest round trip that the kernel has measured, in microseconds; 0: unknown. It is the
 * path's own; an average would include the late acknowledgements of a busy peer. */
uint32_t tcp_socket_round_trip_us(int fd);
/* On a long path the kernel's autotuning may stop before the path is full. Set the buffer to twice
 * what the path holds at `bytes_per_second`, at most `bytes_max`. Nothing changes if autotuning
 * reaches as far, or if the kernel does not allow more. */
void tcp_socket_widen(int fd, bool sending, uint64_t bytes_per_second, uint64_t bytes_max);

/* Move as much as possible now. Errors: AGAIN; CLOSED (error.code 0: orderly end of the stream,
 * else reset); TIMEOUT (dead peer); UNREACHABLE; IO. `error` is unchanged after AGAIN. */
enum haul_status tcp_socket_send(int fd, const struct iovec *parts, size_t part_count,
                                 size_t *sent_bytes, struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status tcp_socket_receive(int fd, const struct iovec *parts, size_t part_count,
                                    size_t *received_bytes,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Make the socket readable only when this many bytes wait (or the stream has ended, or the
 * kernel's buffer is full). Reading itself does not change. Errors: IO. */
enum haul_status tcp_socket_wake_at(int fd, size_t size_bytes,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Has the connection failed? For connections that nobody reads. Errors: as tcp_socket_receive. */
enum haul_status tcp_socket_failure(int fd, struct haul_error *error) HAUL_MUST_CHECK;
/* Has the peer ended its stream, even if bytes before the end are unread? Errors: CLOSED. */
enum haul_status tcp_socket_stream_end(int fd, struct haul_error *error) HAUL_MUST_CHECK;

/* The socket's address on the other / on this side; size 0: unknown. */
void tcp_socket_peer(int fd, struct link_address *address);
void tcp_socket_local(int fd, struct link_address *address);

#endif
