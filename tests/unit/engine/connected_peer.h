/* SPDX-License-Identifier: Apache-2.0 */
/* connected_peer.h — a control_peer for code that connects by itself: control_channel_connect
 * returns one end of a socket pair, and the other end answers whenever a loop waits. The suite
 * links with --wrap of control_channel_connect, control_channel_poll and poll_group_wait, and
 * implements the reaction to a message: connected_peer_take. Thread: one. */
#ifndef HAUL_TESTS_CONNECTED_PEER_H
#define HAUL_TESTS_CONNECTED_PEER_H

#include <string.h>

#include "control_peer.h"
#include "poll_group.h"

enum { CONNECTED_PEER_WAITS_MAX = 20000, CONNECTED_PEER_WAIT_MS = 1 };

static struct control_peer peer;
static struct control_channel *connected_theirs; /* the end of the code under test */
static bool connected_is_told;
static unsigned connects;
static unsigned failing_connects;
static enum haul_status connect_failure; /* of these */
static unsigned waits;

/* The caller releases `message` afterwards. */
static void connected_peer_take(struct message *message);

static inline void connected_peer_begin(void)
{
    peer = (struct control_peer){.channel = NULL};
    connected_theirs = NULL;
    connects = failing_connects = waits = 0;
    connect_failure = HAUL_UNREACHABLE;
}

enum haul_status __wrap_control_channel_connect(const struct link_address *address,
                                                const struct link_ticket *ticket,
                                                const struct link_config *config,
                                                struct control_channel **channel,
                                                struct haul_error *failed);
enum haul_status __wrap_control_channel_connect(const struct link_address *address,
                                                const struct link_ticket *ticket,
                                                const struct link_config *config,
                                                struct control_channel **channel,
                                                struct haul_error *failed)
{
    (void)address;
    check_equal(ticket->version_min, 0);
    connects++;
    if (failing_connects > 0) {
        failing_connects--;
        return haul_error_set(failed, connect_failure, NULL, 0, "no way there");
    }
    control_peer_close(&peer);
    enum haul_status status = control_channel_adopt(
        (struct tls_socket){.fd = control_peer_open(&peer)}, config, &connected_theirs, failed);
    *channel = connected_theirs;
    connected_is_told = false;
    return status;
}

bool __real_control_channel_poll(struct control_channel *channel, struct control_event *event);
bool __wrap_control_channel_poll(struct control_channel *channel, struct control_event *event);
bool __wrap_control_channel_poll(struct control_channel *channel, struct control_event *event)
{
    if (channel != connected_theirs || connected_is_told) {
        return __real_control_channel_poll(channel, event);
    }
    connected_is_told = true;
    *event = (struct control_event){.type = CONTROL_CONNECTED};
    return true;
}

bool __real_poll_group_wait(struct poll_group *group, bool progress, uint64_t deadline_ns);
bool __wrap_poll_group_wait(struct poll_group *group, bool progress, uint64_t deadline_ns);
bool __wrap_poll_group_wait(struct poll_group *group, bool progress, uint64_t deadline_ns)
{
    struct message message;
    uint64_t soon = clock_deadline_ns(&clock_monotonic, CONNECTED_PEER_WAIT_MS);
    check_or_stop(waits++ < CONNECTED_PEER_WAITS_MAX);
    while (peer.channel != NULL && control_peer_hear(&peer, &message)) {
        connected_peer_take(&message);
        message_release(&message);
    }
    return __real_poll_group_wait(group, progress, soon < deadline_ns ? soon : deadline_ns);
}

#endif
