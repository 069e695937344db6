/* SPDX-License-Identifier: Apache-2.0 */
/* tls_socket.c — carries bytes between the socket and the TLS stream. */
#include "tls_socket.h"

#include <sys/uio.h>
#include <unistd.h>

#include "tcp_socket.h"

enum {
    RECEIVE_PIECE_BYTES = 16 << 10,
    /* Plain bytes taken at a time: a record. */
    SEND_PIECE_BYTES = 16 << 10,
};

static const char changed[] = "a message of the peer was changed on the way";

enum haul_status tls_socket_open(struct tls_socket *socket, int fd, const struct haul_keys *keys,
                                 const char *host, struct haul_error *error)
{
    *socket = (struct tls_socket){.fd = fd, .tls = NULL};
    if (keys == NULL) {
        return HAUL_OK;
    }
    struct tls_context *context = NULL;
    enum haul_status status = tls_context_create(TLS_CONNECTS, keys, &context, error);
    if (status == HAUL_OK) {
        tls_context_set_host(context, host);
        status = tls_stream_create(context, &socket->tls, error);
    }
    tls_context_destroy(context);
    if (status != HAUL_OK) {
        tls_socket_close(socket);
    }
    return status;
}

void tls_socket_close(struct tls_socket *socket)
{
    tls_stream_destroy(socket->tls);
    socket->tls = NULL;
    if (socket->fd >= 0) {
        (void)close(socket->fd);
    }
    socket->fd = -1;
}

bool tls_socket_has_output(const struct tls_socket *socket)
{
    return socket->tls != NULL && tls_stream_output(socket->tls).size > 0;
}

enum haul_status tls_socket_flush(struct tls_socket *socket, struct haul_error *error)
{
    while (tls_socket_has_output(socket)) {
        struct haul_slice output = tls_stream_output(socket->tls);
        const struct iovec part = {.iov_base = (void *)(uintptr_t)output.data,
                                   .iov_len = output.size};
        size_t sent = 0;
        enum haul_status status = tcp_socket_send(socket->fd, &part, 1, &sent, error);
        tls_stream_sent(socket->tls, sent);
        if (status != HAUL_OK) {
            return status;
        }
    }
    return HAUL_OK;
}

/* Feed the stream with what the kernel has. Errors: those of tcp_socket_receive. */
static enum haul_status feed(struct tls_socket *socket, struct haul_error *error)
{
    uint8_t bytes[RECEIVE_PIECE_BYTES];
    const struct iovec room = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    size_t received = 0;
    enum haul_status status = tcp_socket_receive(socket->fd, &room, 1, &received, error);
    if (received > 0 &&
        tls_stream_feed(socket->tls, (struct haul_slice){.data = bytes, .size = received}) !=
            HAUL_OK) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for a TLS record");
    }
    return status;
}

enum haul_status tls_socket_handshake(struct tls_socket *socket, struct haul_error *error)
{
    if (socket->tls == NULL) {
        return HAUL_OK;
    }
    for (;;) {
        enum haul_status status = tls_stream_handshake(socket->tls, error);
        if (status == HAUL_AUTH) {
            return status;
        }
        struct haul_error of_sending;
        enum haul_status flushed = tls_socket_flush(socket, &of_sending);
        if (status != HAUL_AGAIN) {
            return status;
        }
        if (flushed != HAUL_OK && flushed != HAUL_AGAIN) {
            *error = of_sending;
            return flushed;
        }
        status = feed(socket, error);
        if (status != HAUL_OK) {
            return status;
        }
    }
}

enum haul_status tls_socket_send(struct tls_socket *socket, const void *bytes, size_t size_bytes,
                                 size_t *sent_bytes, struct haul_error *error)
{
    *sent_bytes = 0;
    if (socket->tls == NULL) {
        const struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size_bytes};
        return tcp_socket_send(socket->fd, &part, 1, sent_bytes, error);
    }
    enum haul_status status = tls_socket_flush(socket, error);
    if (status != HAUL_OK) {
        return status;
    }
    size_t piece = size_bytes < SEND_PIECE_BYTES ? size_bytes : SEND_PIECE_BYTES;
    status = tls_stream_write(socket->tls, (struct haul_slice){.data = bytes, .size = piece});
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0,
                              status == HAUL_CORRUPT ? changed : "no memory for a TLS record");
    }
    *sent_bytes = piece;
    status = tls_socket_flush(socket, error);
    return status == HAUL_AGAIN ? HAUL_OK : status; /* the piece was taken */
}

enum haul_status tls_socket_receive(struct tls_socket *socket, void *to, size_t size_bytes,
                                    size_t *received_bytes, struct haul_error *error)
{
    *received_bytes = 0;
    if (socket->tls == NULL) {
        const struct iovec room = {.iov_base = to, .iov_len = size_bytes};
        return tcp_socket_receive(socket->fd, &room, 1, received_bytes, error);
    }
    for (;;) {
        enum haul_status status = tls_stream_read(socket->tls, to, size_bytes, received_bytes);
        switch (status) {
        case HAUL_AGAIN:
            status = feed(socket, error);
            break;
        case HAUL_CLOSED:
            return haul_error_set(error, status, "", 0, "the peer closed the connection");
        case HAUL_AUTH: {
            char cause[TLS_STREAM_CAUSE_BYTES];
            tls_stream_cause(socket->tls, cause);
            return haul_error_set(error, status, "", 0, "the peer %s", cause);
        }
        case HAUL_CORRUPT:
            return haul_error_set(error, status, "", 0, changed);
        default:
            return status;
        }
        if (status != HAUL_OK) {
            return status;
        }
    }
}

void tls_socket_end(struct tls_socket *socket)
{
    if (socket->tls != NULL) {
        struct haul_error ignored;
        tls_stream_end(socket->tls);
        (void)!tls_socket_flush(socket, &ignored);
    }
}
