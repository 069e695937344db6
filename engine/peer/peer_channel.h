/* SPDX-License-Identifier: Apache-2.0 */
/* peer_channel.h — the control connection of a loop to its peer, if there is one: messages in and
 * out, and its place in the loop's poll group. Each driver and each comparison has one.
 * Thread: the loop's. */
#ifndef HAUL_PEER_CHANNEL_H
#define HAUL_PEER_CHANNEL_H

#include "control_channel.h"
#include "message.h"
#include "poll_group.h"

/* `channel` NULL: the connection is lost, or was never made. */
struct peer_channel {
    struct poll_group *group; /* borrowed */
    struct control_channel *channel;
};

/* Begin to connect. Errors: those of control_channel_connect, LIMIT; the connection is then
 * lost. */
enum haul_status peer_channel_connect(struct peer_channel *peer, const struct link_address *address,
                                      const struct link_ticket *ticket,
                                      const struct link_config *config,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* Take over the socket of a connected peer, also on error. Errors: as above. */
enum haul_status peer_channel_adopt(struct peer_channel *peer, struct tls_socket socket,
                                    const struct link_config *config,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Queue a message. Ownership: takes its content. Errors: CLOSED (lost), AGAIN (the queue is full),
 * INVALID (too large), NO_MEMORY. */
enum haul_status peer_channel_send(struct peer_channel *peer, struct message *message,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* The next event; false: none. */
bool peer_channel_next(struct peer_channel *peer, struct control_event *event);
/* Close the connection. A second call does nothing. */
void peer_channel_close(struct peer_channel *peer);

#endif
