/* SPDX-License-Identifier: Apache-2.0 */
/* verify_peer.h — the connection of a comparison to the other database's target: greeting,
 * requests, answers. One attempt; the caller retries.
 *
 * Thread: its owner's; only resolving the name blocks. */
#ifndef HAUL_VERIFY_PEER_H
#define HAUL_VERIFY_PEER_H

#include "message.h"
#include "peer_channel.h"
#include "poll_group.h"

struct verify_peer_options {
    char identity[HAUL_IDENTITY_BYTES_MAX]; /* as peers know our database */
    uint32_t peer_timeout_ms;
    struct haul_slice secret;
    const struct haul_keys *keys;
    bool insecure; /* without keys: any host */
    const struct haul_log *log;
    const struct haul_clock *clock;
    struct poll_group *group;
};

struct verify_peer {
    struct verify_peer_options options;
    struct link_addresses addresses;
    struct peer_channel channel;
    bool answered;      /* the address has a listener */
    bool greeted;       /* Welcome has come */
    uint32_t features;  /* of the target, by Welcome */
    uint64_t opened_ns; /* when connecting began */
    uint64_t heard_ns;  /* when the last message arrived */
};

/* Errors: INVALID, NOT_FOUND (the name). */
enum haul_status verify_peer_init(struct verify_peer *peer,
                                  const struct verify_peer_options *options, const char *to,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Send Stop if Welcome has come, and close. */
void verify_peer_close(struct verify_peer *peer);

/* Connect, and send Hello. Errors: those of control_channel_connect. */
enum haul_status verify_peer_open(struct verify_peer *peer,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* The next message, which the caller releases: WELCOME once, VERIFY_FAMILIES, VERIFY_PIECES,
 * WORKING.
 * Errors: AGAIN (none now); of the path: CLOSED, TIMEOUT, REFUSED, UNREACHABLE, BUSY; UNSUPPORTED
 * (the target cannot compare), PROTOCOL, any status of a refusal. */
enum haul_status verify_peer_poll(struct verify_peer *peer, struct message *message,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Send a request and release it. Errors: CLOSED, NO_MEMORY, INVALID (too large). */
enum haul_status verify_peer_send(struct verify_peer *peer, struct message *message,
                                  struct haul_error *error) HAUL_MUST_CHECK;

#endif
