/* SPDX-License-Identifier: Apache-2.0 */
/* peer_channel.c — a control channel in a poll group. */
#include "peer_channel.h"

#include <stdlib.h>

static enum haul_status add(struct peer_channel *peer, struct haul_error *error)
{
    enum haul_status status = poll_group_add_control(peer->group, peer->channel);
    if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "cannot wait for the control connection");
        control_channel_destroy(peer->channel);
        peer->channel = NULL;
    }
    return status;
}

enum haul_status peer_channel_connect(struct peer_channel *peer, const struct link_address *address,
                                      const struct link_ticket *ticket,
                                      const struct link_config *config, struct haul_error *error)
{
    enum haul_status status =
        control_channel_connect(address, ticket, config, &peer->channel, error);
    if (status != HAUL_OK) {
        peer->channel = NULL;
        return status;
    }
    return add(peer, error);
}

enum haul_status peer_channel_adopt(struct peer_channel *peer, struct tls_socket socket,
                                    const struct link_config *config, struct haul_error *error)
{
    enum haul_status status = control_channel_adopt(socket, config, &peer->channel, error);
    return status == HAUL_OK ? add(peer, error) : status;
}

enum haul_status peer_channel_send(struct peer_channel *peer, struct message *message,
                                   struct haul_error *error)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = peer->channel == NULL ? HAUL_CLOSED : HAUL_OK;
    if (status == HAUL_OK) {
        status = message_encode(message, &bytes, &size);
    }
    if (status == HAUL_OK) {
        status = control_channel_send(peer->channel, (uint16_t)message->type, bytes, size);
    }
    if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "cannot send %s", message_name(message->type));
    }
    free(bytes);
    message_release(message);
    return status;
}

bool peer_channel_next(struct peer_channel *peer, struct control_event *event)
{
    return peer->channel != NULL && control_channel_poll(peer->channel, event);
}

void peer_channel_close(struct peer_channel *peer)
{
    if (peer->channel != NULL) {
        poll_group_remove_control(peer->group, peer->channel);
        control_channel_destroy(peer->channel);
        peer->channel = NULL;
    }
}
