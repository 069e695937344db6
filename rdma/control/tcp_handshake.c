/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_handshake.c — how the connecting side opens links and control channels. */
#include "tcp_handshake.h"

#include <stdbool.h>
#include <sys/epoll.h>

#include "clock.h"
#include "tcp_socket.h"

static enum haul_status fail_foreign(const struct tcp_handshake *handshake, const char *how,
                                     struct haul_error *error)
{
    char name[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(&handshake->peer, name);
    (void)haul_error_set(error, HAUL_PROTOCOL, "", 0, "%s is not a haul peer: %s", name, how);
    haul_error_hint(error, "check that this is the port of `haul recv`");
    return HAUL_PROTOCOL;
}

/* The peer may have died between accepting and answering; retrying is safe. */
static enum haul_status fail_unanswered(const struct tcp_handshake *handshake,
                                        struct haul_error *error)
{
    char name[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(&handshake->peer, name);
    (void)haul_error_set(error, HAUL_CLOSED, "", 0, "%s closed the connection without an answer",
                         name);
    haul_error_hint(error, "check that this is the port of `haul recv`");
    return HAUL_CLOSED;
}

static enum haul_status fail_version(const struct tcp_handshake *handshake, uint16_t version_min,
                                     uint16_t version_max, struct haul_error *error)
{
    char name[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(&handshake->peer, name);
    (void)haul_error_set(error, HAUL_VERSION, "", 0,
                         "%s speaks link versions %u to %u, this side %u to %u", name, version_min,
                         version_max, LINK_VERSION_MIN, LINK_VERSION_MAX);
    haul_error_hint(error, "install compatible versions of haul on both sides");
    return HAUL_VERSION;
}

static enum haul_status fail_timeout(const struct tcp_handshake *handshake,
                                     struct haul_error *error)
{
    char name[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(&handshake->peer, name);
    bool connecting = handshake->state == TCP_HANDSHAKE_CONNECTING;
    bool securing = handshake->state == TCP_HANDSHAKE_SECURING;
    (void)haul_error_set(error, HAUL_TIMEOUT, "", 0, "%s did not %s within %u ms", name,
                         connecting ? "accept the connection"
                         : securing ? "prove who it is"
                                    : "answer our preamble",
                         handshake->peer_timeout_ms);
    haul_error_hint(error, connecting
                               ? "the host does not answer: check the address and the firewall"
                               : "check that this is the port of `haul recv`");
    return HAUL_TIMEOUT;
}

static enum haul_status fail_certificate(const char *name, const struct tls_socket *socket,
                                         struct haul_error *error)
{
    char cause[TLS_STREAM_CAUSE_BYTES];
    tls_stream_cause(socket->tls, cause);
    (void)haul_error_set(error, HAUL_AUTH, "", 0, "%s %s", name, cause);
    haul_error_hint(error, "check --tls-ca, --tls-name, the dates of the certificates and the "
                           "receiver's log");
    return HAUL_AUTH;
}

static enum haul_status fail_key(const struct tcp_handshake *handshake,
                                 const struct tls_socket *socket, struct haul_error *error)
{
    char name[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(&handshake->peer, name);
    if (tls_stream_has_certificates(socket->tls)) {
        return fail_certificate(name, socket, error);
    }
    (void)haul_error_set(error, HAUL_AUTH, "", 0, "%s does not have the key of this side", name);
    haul_error_hint(error, "give both sides the same file: --key FILE (made by `haul keygen`)");
    return HAUL_AUTH;
}

static enum haul_status on_connecting(struct tcp_handshake *handshake, struct tls_socket *socket,
                                      struct haul_error *error)
{
    enum haul_status status = tcp_socket_connected(socket->fd, &handshake->peer, error);
    if (status == HAUL_OK) {
        handshake->state = TCP_HANDSHAKE_SECURING;
    }
    return status;
}

static enum haul_status on_securing(struct tcp_handshake *handshake, struct tls_socket *socket,
                                    struct haul_error *error)
{
    enum haul_status status = tls_socket_handshake(socket, error);
    if (status == HAUL_OK) {
        handshake->state = TCP_HANDSHAKE_SENDING;
    } else if (status == HAUL_AUTH) {
        struct haul_error ignored;
        (void)!tls_socket_flush(socket, &ignored);
        status = fail_key(handshake, socket, error);
    } else if (status == HAUL_CLOSED && error->code == 0) {
        status = fail_unanswered(handshake, error);
    }
    return status;
}

static enum haul_status on_sending(struct tcp_handshake *handshake, struct tls_socket *socket,
                                   struct haul_error *error)
{
    size_t sent = 0;
    enum haul_status status =
        tls_socket_send(socket, handshake->bytes + handshake->moved_bytes,
                        sizeof(handshake->bytes) - handshake->moved_bytes, &sent, error);
    handshake->moved_bytes += sent;
    /* A peer without room answers and closes before it has read the preamble: read its answer. */
    if (handshake->moved_bytes == sizeof(handshake->bytes) || status == HAUL_CLOSED) {
        handshake->state = TCP_HANDSHAKE_READING;
        handshake->moved_bytes = 0;
        return HAUL_OK;
    }
    return status;
}

static enum haul_status take_answer(const struct tcp_handshake *handshake, struct haul_error *error)
{
    enum haul_status answer;
    uint16_t version_min;
    uint16_t version_max;
    enum haul_status status =
        tcp_answer_decode(handshake->bytes, &answer, &version_min, &version_max);
    if (status == HAUL_CORRUPT) {
        return haul_error_set(error, status, "", 0, "the answer to our preamble is damaged");
    }
    if (status != HAUL_OK) {
        return fail_foreign(handshake, "its answer has an unknown status", error);
    }
    if (answer == HAUL_VERSION ||
        (answer == HAUL_OK && (version_min > LINK_VERSION_MAX || version_max < LINK_VERSION_MIN))) {
        return fail_version(handshake, version_min, version_max, error);
    }
    if (answer == HAUL_OK) {
        return HAUL_OK;
    }
    /* AGAIN is not a refusal; a peer that sends it anyway must not keep us waiting. */
    answer = answer == HAUL_AGAIN ? HAUL_PROTOCOL : answer;
    char name[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(&handshake->peer, name);
    return haul_error_set(error, answer, "", 0, "%s refused the connection: %s", name,
                          haul_status_sentence(answer));
}

static enum haul_status on_reading(struct tcp_handshake *handshake, struct tls_socket *socket,
                                   struct haul_error *error)
{
    size_t received = 0;
    struct haul_error of_flushing;
    (void)!tls_socket_flush(socket, &of_flushing); /* a failure shows below, too */
    enum haul_status status =
        tls_socket_receive(socket, handshake->bytes + handshake->moved_bytes,
                           sizeof(handshake->bytes) - handshake->moved_bytes, &received, error);
    handshake->moved_bytes += received;
    if (!tcp_answer_plausible(handshake->bytes, handshake->moved_bytes)) {
        return fail_foreign(handshake, "its answer is not haul's", error);
    }
    if (status == HAUL_CLOSED && error->code == 0) {
        return fail_unanswered(handshake, error);
    }
    if (status == HAUL_AUTH) {
        return fail_key(handshake, socket, error);
    }
    if (status != HAUL_OK || handshake->moved_bytes < sizeof(handshake->bytes)) {
        return status;
    }
    status = take_answer(handshake, error);
    if (status == HAUL_OK) {
        handshake->state = TCP_HANDSHAKE_DONE;
    }
    return status;
}

void tcp_handshake_init(struct tcp_handshake *handshake, const struct link_address *peer,
                        enum tcp_purpose purpose, const struct link_ticket *ticket,
                        const struct link_config *config)
{
    *handshake = (struct tcp_handshake){
        .state = TCP_HANDSHAKE_CONNECTING,
        .peer = *peer,
        .clock = config->clock,
        .peer_timeout_ms = config->options.peer_timeout_ms,
        .deadline_ns = clock_deadline_ns(config->clock, config->options.peer_timeout_ms),
    };
    tcp_preamble_encode(purpose, ticket, handshake->bytes);
}

enum haul_status tcp_handshake_step(struct tcp_handshake *handshake, struct tls_socket *socket,
                                    struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK && handshake->state != TCP_HANDSHAKE_DONE) {
        switch (handshake->state) {
        case TCP_HANDSHAKE_CONNECTING:
            status = on_connecting(handshake, socket, error);
            break;
        case TCP_HANDSHAKE_SECURING:
            status = on_securing(handshake, socket, error);
            break;
        case TCP_HANDSHAKE_SENDING:
            status = on_sending(handshake, socket, error);
            break;
        case TCP_HANDSHAKE_READING:
            status = on_reading(handshake, socket, error);
            break;
        case TCP_HANDSHAKE_DONE:
            break;
        }
    }
    if (status == HAUL_AGAIN && clock_now_ns(handshake->clock) >= handshake->deadline_ns) {
        return fail_timeout(handshake, error);
    }
    return status;
}

bool tcp_handshake_is_answered(const struct tcp_handshake *handshake)
{
    return handshake->state == TCP_HANDSHAKE_READING && handshake->moved_bytes > 0;
}

uint32_t tcp_handshake_interest(const struct tcp_handshake *handshake,
                                const struct tls_socket *socket)
{
    switch (handshake->state) {
    case TCP_HANDSHAKE_SECURING:
    case TCP_HANDSHAKE_READING:
        return EPOLLIN | (tls_socket_has_output(socket) ? EPOLLOUT : 0u);
    default:
        return EPOLLOUT;
    }
}
