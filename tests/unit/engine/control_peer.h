/* SPDX-License-Identifier: Apache-2.0 */
/* control_peer.h — the other side of a control connection: a socket pair with the code under test
 * at one end, and a channel at the other that sends and receives messages. Thread: one. */
#ifndef HAUL_TESTS_CONTROL_PEER_H
#define HAUL_TESTS_CONTROL_PEER_H

#include <stdlib.h>
#include <sys/socket.h>

#include "check.h"
#include "clock.h"
#include "control_channel.h"
#include "message.h"

struct control_peer {
    struct control_channel *channel; /* NULL: we have closed */
    bool lost;                       /* the code under test has closed */
};

/* The caller owns the other end. */
static inline int control_peer_open(struct control_peer *peer)
{
    const struct link_config config = {.clock = &clock_monotonic};
    struct haul_error error;
    int fds[2];
    check_or_stop(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    *peer = (struct control_peer){.lost = false};
    check_or_stop(control_channel_adopt((struct tls_socket){.fd = fds[0]}, &config, &peer->channel,
                                        &error) == HAUL_OK);
    control_channel_trust(peer->channel);
    return fds[1];
}

static inline void control_peer_close(struct control_peer *peer)
{
    control_channel_destroy(peer->channel);
    peer->channel = NULL;
}

/* Send the message and release it. */
static inline void control_peer_say(struct control_peer *peer, struct message *message)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    check_or_stop(message_encode(message, &bytes, &size) == HAUL_OK);
    check_status(control_channel_send(peer->channel, (uint16_t)message->type, bytes, size),
                 HAUL_OK);
    free(bytes);
    message_release(message);
}

/* Whether a message has arrived; the caller then owns it. */
static inline bool control_peer_hear(struct control_peer *peer, struct message *message)
{
    struct control_event event;
    struct haul_error error;
    if (peer->lost || !control_channel_poll(peer->channel, &event)) {
        return false;
    }
    peer->lost = event.type == CONTROL_CLOSED;
    if (peer->lost) {
        return false;
    }
    check_or_stop(message_decode(event.message_type, event.body, message, &error) == HAUL_OK);
    return true;
}

#endif
