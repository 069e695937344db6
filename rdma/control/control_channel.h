/* SPDX-License-Identifier: Apache-2.0 */
/* control_channel.h — the session's ordered, bounded, versioned messages over one TCP connection.
 *
 * A message is a 16-byte frame head {u32 magic "HCTL", u16 type, u16 reserved, u32 body size,
 * u32 CRC32C of head (this field zero) and body}, then the body (the upper layer's protobuf).
 * Type 0 is the keep-alive, sent every third of the shorter peer_timeout when nothing else is;
 * silence for peer_timeout closes the channel with TIMEOUT.
 *
 * Thread: all calls from the owner's poll loop. Nothing blocks; name resolution was done before. */
#ifndef HAUL_CONTROL_CHANNEL_H
#define HAUL_CONTROL_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "link.h"
#include "tls_socket.h"

enum {
    CONTROL_FRAME_BYTES = 16,
    /* Limit until the upper layer has authenticated the peer (control_channel_trust). */
    CONTROL_BODY_BYTES_MAX_UNTRUSTED = 4 << 10,
    CONTROL_BODY_BYTES_MAX = 1 << 20,
    CONTROL_SEND_QUEUE_BYTES_MAX = 4 << 20,
    CONTROL_TYPE_KEEPALIVE = 0,
};

struct control_channel;

enum control_event_type {
    CONTROL_CONNECTED, /* the connecting side's preamble was answered with OK */
    CONTROL_MESSAGE,   /* `type`, `body`: borrowed until the next poll */
    CONTROL_CLOSED,    /* last event; error.status CLOSED for an orderly end by the peer */
};

struct control_event {
    enum control_event_type type;
    uint16_t message_type;
    struct haul_slice body;
    struct haul_error error;
};

/* Start connecting, under TLS if `config` has keys; poll for CONNECTED or CLOSED
 * (REFUSED, UNREACHABLE, TIMEOUT, VERSION, BUSY, AUTH: without the key, PROTOCOL: not a haul
 * peer). */
enum haul_status control_channel_connect(const struct link_address *address,
                                         const struct link_ticket *ticket,
                                         const struct link_config *config,
                                         struct control_channel **channel,
                                         struct haul_error *error) HAUL_MUST_CHECK;

/* Take over a connected socket (also on error). */
enum haul_status control_channel_adopt(struct tls_socket socket, const struct link_config *config,
                                       struct control_channel **channel,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* The peer closes the channel after this silence, so keep-alives follow the shorter of its timeout
 * and ours. 0 and values that are not a timeout (haul/transport.h) are ignored. */
void control_channel_note_peer_timeout(struct control_channel *channel, uint32_t peer_timeout_ms);

/* Allow bodies up to CONTROL_BODY_BYTES_MAX from here on. */
void control_channel_trust(struct control_channel *channel);

/* Queue a message. Errors: AGAIN (queue full), CLOSED, INVALID (too large). */
enum haul_status control_channel_send(struct control_channel *channel, uint16_t type,
                                      const void *body, size_t size_bytes) HAUL_MUST_CHECK;

/* One event at a time; false: nothing now. */
bool control_channel_poll(struct control_channel *channel, struct control_event *event);

/* Bytes that are queued and not yet passed to the kernel. */
size_t control_channel_pending_bytes(const struct control_channel *channel);

/* The round trip to the peer in microseconds; 0: unknown. */
uint32_t control_channel_round_trip_us(const struct control_channel *channel);

/* Is the connection under TLS? Decided when it is made. */
bool control_channel_is_secret(const struct control_channel *channel);
/* Bytes that only the two ends of this connection can derive: tls_stream_export. Errors: INVALID
 * (it is plain, or not connected), INTERNAL. */
enum haul_status control_channel_export(const struct control_channel *channel, const char *label,
                                        struct haul_slice context, void *to,
                                        size_t size_bytes) HAUL_MUST_CHECK;

int control_channel_fd(const struct control_channel *channel);
/* The events to wait for now, of EPOLLIN|EPOLLOUT. */
uint32_t control_channel_interest(const struct control_channel *channel);
uint64_t control_channel_deadline_ns(const struct control_channel *channel);
void control_channel_local(const struct control_channel *channel, struct link_address *local);
void control_channel_peer(const struct control_channel *channel, struct link_address *peer);

/* Close at once; queued messages that the kernel does not accept now are lost. */
void control_channel_destroy(struct control_channel *channel);

#endif
