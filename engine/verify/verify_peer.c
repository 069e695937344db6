/* SPDX-License-Identifier: Apache-2.0 */
/* verify_peer.c — sends the Hello of a comparison, and takes the answers. */
#include "verify_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haul/migration.h"
#include "journal.h"
#include "migration_thread.h"
#include "stall_watch.h"

static uint64_t now_ns(const struct verify_peer *peer)
{
    return clock_now_ns(peer->options.clock);
}

enum haul_status verify_peer_init(struct verify_peer *peer,
                                  const struct verify_peer_options *options, const char *to,
                                  struct haul_error *error)
{
    memset(peer, 0, sizeof(*peer));
    peer->options = *options;
    peer->channel.group = options->group;
    enum haul_status status = link_addresses_parse(to, &peer->addresses, error);
    return status == HAUL_OK && options->keys == NULL && !options->insecure
               ? link_addresses_check_loopback(&peer->addresses, to, error)
               : status;
}

/* --- the channel ------------------------------------------------------------------------------ */

static void drop_channel(struct verify_peer *peer)
{
    peer_channel_close(&peer->channel);
    peer->answered = false;
    peer->greeted = false;
}

void verify_peer_close(struct verify_peer *peer)
{
    if (peer->greeted) {
        struct message message;
        struct haul_error ignored;
        message_init(&message, MESSAGE_STOP);
        (void)snprintf(message.as.stop.text, sizeof(message.as.stop.text), "compared");
        if (verify_peer_send(peer, &message, &ignored) != HAUL_OK) {
            haul_log(peer->options.log, HAUL_LOG_DEBUG, "%s", ignored.text);
        }
    }
    drop_channel(peer);
}

static enum haul_status connect_once(struct verify_peer *peer, struct haul_error *error)
{
    struct link_config config = {.options = {.peer_timeout_ms = peer->options.peer_timeout_ms},
                                 .clock = peer->options.clock,
                                 .log = peer->options.log,
                                 .keys = peer->options.keys,
                                 .host = peer->addresses.host};
    struct link_ticket ticket = {.version_min = 0};
    return peer_channel_connect(&peer->channel, &peer->addresses.items[peer->addresses.at], &ticket,
                                &config, error);
}

enum haul_status verify_peer_open(struct verify_peer *peer, struct haul_error *error)
{
    enum haul_status status;
    drop_channel(peer);
    do {
        status = connect_once(peer, error);
    } while (status != HAUL_OK && link_addresses_next(&peer->addresses));
    peer->opened_ns = now_ns(peer);
    peer->heard_ns = peer->opened_ns;
    return status;
}

enum haul_status verify_peer_send(struct verify_peer *peer, struct message *message,
                                  struct haul_error *error)
{
    return peer_channel_send(&peer->channel, message, error);
}

/* --- greeting --------------------------------------------------------------------------------- */

static enum haul_status send_hello(struct verify_peer *peer, struct haul_error *error)
{
    struct message message;
    message_init(&message, MESSAGE_HELLO);
    haul_control_Hello *hello = &message.as.hello;
    hello->wire_version = MESSAGE_WIRE_VERSION;
    hello->journal_version = JOURNAL_FORMAT_VERSION;
    (void)snprintf(hello->software, sizeof(hello->software), "haul %s", HAUL_RELEASE);
    hello->verify = true;
    hello->job.size = HAUL_JOB_BYTES;
    if (migration_random(hello->job.bytes, HAUL_JOB_BYTES) != HAUL_OK) {
        return haul_error_set(error, HAUL_IO, "getrandom", 0, "no random number for a comparison");
    }
    size_t size = strnlen(peer->options.identity, sizeof(hello->source_identity.bytes));
    hello->source_identity.size = (pb_size_t)size;
    memcpy(hello->source_identity.bytes, peer->options.identity, size);
    hello->peer_timeout_ms = peer->options.peer_timeout_ms;
    hello->secret.size = (pb_size_t)peer->options.secret.size;
    if (hello->secret.size > 0) {
        memcpy(hello->secret.bytes, peer->options.secret.data, hello->secret.size);
    }
    return verify_peer_send(peer, &message, error);
}

static enum haul_status on_welcome(struct verify_peer *peer, const haul_control_Welcome *welcome,
                                   struct haul_error *error)
{
    if (!welcome->verify) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the target's release does not answer comparisons");
        haul_error_hint(error, "install the same release of haul on both sides, or compare by "
                               "manifests: `haul verify --write-manifest`");
        return HAUL_UNSUPPORTED;
    }
    if (welcome->wire_version != MESSAGE_WIRE_VERSION) {
        haul_error_set(error, HAUL_VERSION, NULL, 0, "the target uses another batch format");
        haul_error_hint(error, "install the same release of haul on both sides");
        return HAUL_VERSION;
    }
    if (!message_is_identity(welcome->target_identity.bytes, welcome->target_identity.size)) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0,
                              "the target's Welcome does not name its database");
    }
    peer->features = welcome->features;
    control_channel_note_peer_timeout(peer->channel.channel, welcome->peer_timeout_ms);
    peer->greeted = true;
    return HAUL_OK;
}

/* --- answers ---------------------------------------------------------------------------------- */

static enum haul_status on_refused(const haul_control_Refused *refused, struct haul_error *error)
{
    enum haul_status status = message_status(refused->status, HAUL_PROTOCOL);
    haul_error_set(error, status, NULL, 0, "the target refused: %s",
                   refused->text[0] == '\0' ? "it gives no reason" : refused->text);
    if (refused->hint[0] != '\0') {
        haul_error_hint(error, "%s", refused->hint);
    }
    return status;
}

/* OK: the caller gets `message`. */
static enum haul_status on_message(struct verify_peer *peer, struct message *message,
                                   struct haul_error *error)
{
    switch (message->type) {
    case MESSAGE_WELCOME:
        if (!peer->greeted) {
            return on_welcome(peer, &message->as.welcome, error);
        }
        break;
    case MESSAGE_REFUSED:
        return on_refused(&message->as.refused, error);
    case MESSAGE_STOP:
        return haul_error_set(error, HAUL_CLOSED, NULL, 0, "the target closes the session: %s",
                              message->as.stop.text);
    case MESSAGE_WORKING:
        return HAUL_OK;
    case MESSAGE_VERIFY_FAMILIES:
    case MESSAGE_VERIFY_PIECES:
        if (peer->greeted) {
            return HAUL_OK;
        }
        break;
    default:
        break;
    }
    return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "message %s of the target is out of place",
                          message_name(message->type));
}

/* A host may have several addresses, of which some have no listener. */
static enum haul_status on_closed(struct verify_peer *peer, const struct haul_error *reason,
                                  struct haul_error *error)
{
    bool answered = peer->answered;
    drop_channel(peer);
    *error = *reason;
    if (!answered && link_addresses_next(&peer->addresses) &&
        verify_peer_open(peer, error) == HAUL_OK) {
        return HAUL_AGAIN;
    }
    return error->status;
}

static enum haul_status on_event(struct verify_peer *peer, const struct control_event *event,
                                 struct message *message, struct haul_error *error)
{
    if (event->type == CONTROL_CLOSED) {
        return on_closed(peer, &event->error, error);
    }
    peer->heard_ns = now_ns(peer);
    if (event->type == CONTROL_CONNECTED) {
        control_channel_trust(peer->channel.channel);
        link_addresses_found(&peer->addresses);
        peer->answered = true;
        enum haul_status status = send_hello(peer, error);
        return status == HAUL_OK ? HAUL_AGAIN : status;
    }
    enum haul_status status = message_decode(event->message_type, event->body, message, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = on_message(peer, message, error);
    if (status != HAUL_OK) {
        message_release(message);
    }
    return status;
}

enum haul_status verify_peer_poll(struct verify_peer *peer, struct message *message,
                                  struct haul_error *error)
{
    struct control_event event;
    enum haul_status status = HAUL_AGAIN;
    while (status == HAUL_AGAIN && peer_channel_next(&peer->channel, &event)) {
        status = on_event(peer, &event, message, error);
    }
    uint64_t limit_ns = (uint64_t)peer->options.peer_timeout_ms * NS_PER_MS;
    uint64_t silent_ns = now_ns(peer) - peer->heard_ns;
    uint64_t waited_ns = now_ns(peer) - peer->opened_ns;
    bool waits = peer->channel.channel != NULL && peer->answered && !peer->greeted &&
                 (status == HAUL_AGAIN || status == HAUL_OK);
    if (!waits || (silent_ns <= limit_ns && waited_ns <= STALL_PEER_TIMEOUTS * limit_ns)) {
        return status;
    }
    if (status == HAUL_OK) {
        message_release(message);
    }
    return haul_error_set(error, HAUL_TIMEOUT, NULL, 0, "the target does not answer Hello");
}
