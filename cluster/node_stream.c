/* SPDX-License-Identifier: Apache-2.0 */
/* node_stream.c — the socket does not block; poll waits, until the deadline of each operation. */
#include "node_stream.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

enum { POLL_MS_MAX = 60000, PORT_BYTES = 8 };

struct node_stream {
    int fd;
    uint32_t timeout_ms;
    uint64_t deadline_ns; /* of the request that was sent last, and its answer */
    SSL_CTX *context;     /* NULL: no TLS */
    SSL *tls;
};

/* --- waiting ---------------------------------------------------------------------------------- */

static enum haul_status too_late(const struct node_stream *stream, struct haul_error *error)
{
    return haul_error_set(error, HAUL_TIMEOUT, NULL, 0, "no answer within %u ms",
                          stream->timeout_ms);
}

static enum haul_status wait_for(const struct node_stream *stream, short events,
                                 uint64_t deadline_ns, struct haul_error *error)
{
    for (;;) {
        struct pollfd wanted = {.fd = stream->fd, .events = events};
        int ready = poll(&wanted, 1, clock_ms_until(&clock_monotonic, deadline_ns, POLL_MS_MAX));
        if (ready > 0) {
            return HAUL_OK;
        }
        if (ready < 0 && errno != EINTR) {
            return haul_error_set(error, HAUL_IO, "poll", errno, "cannot wait for the node");
        }
        if (clock_now_ns(&clock_monotonic) >= deadline_ns) {
            return too_late(stream, error);
        }
    }
}

static uint64_t deadline_of(const struct node_stream *stream)
{
    return clock_deadline_ns(&clock_monotonic, stream->timeout_ms);
}

static enum haul_status socket_failed(struct haul_error *error, const char *call, int code)
{
    enum haul_status status = code == ECONNREFUSED                  ? HAUL_REFUSED
                              : code == ECONNRESET || code == EPIPE ? HAUL_CLOSED
                              : code == ENETUNREACH || code == EHOSTUNREACH || code == ETIMEDOUT
                                  ? HAUL_UNREACHABLE
                              : code == EMFILE || code == ENFILE ? HAUL_LIMIT
                                                                 : HAUL_IO;
    return haul_error_set(error, status, call, code, "the connection failed");
}

/* --- TLS -------------------------------------------------------------------------------------- */

static enum haul_status tls_failed(struct haul_error *error, enum haul_status status,
                                   const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return haul_error_set(error, status, NULL, 0, "%s%s%s", what, reason == NULL ? "" : ": ",
                          reason == NULL ? "" : reason);
}

static enum haul_status load_files(SSL_CTX *context, const struct node_access *access,
                                   struct haul_error *error)
{
    bool ok = access->ca_file == NULL
                  ? SSL_CTX_set_default_verify_paths(context) == 1
                  : SSL_CTX_load_verify_locations(context, access->ca_file, NULL) == 1;
    if (ok && access->certificate != NULL) {
        ok = SSL_CTX_use_certificate_chain_file(context, access->certificate) == 1 &&
             SSL_CTX_use_PrivateKey_file(context, access->private_key, SSL_FILETYPE_PEM) == 1 &&
             SSL_CTX_check_private_key(context) == 1;
    }
    return ok ? HAUL_OK : tls_failed(error, HAUL_INVALID, "a TLS file cannot be used");
}

/* The certificate must name the host, by name or by address. */
static bool expect_host(SSL *tls, const char *host)
{
    X509_VERIFY_PARAM *parameters = SSL_get0_param(tls);
    return X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1 ||
           (SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1);
}

/* Wait for what the last call of OpenSSL needs. CLOSED: it is over. */
static enum haul_status tls_wait(struct node_stream *stream, int result, uint64_t deadline_ns,
                                 struct haul_error *error)
{
    int code = errno;
    switch (SSL_get_error(stream->tls, result)) {
    case SSL_ERROR_WANT_READ:
        return wait_for(stream, POLLIN, deadline_ns, error);
    case SSL_ERROR_WANT_WRITE:
        return wait_for(stream, POLLOUT, deadline_ns, error);
    case SSL_ERROR_ZERO_RETURN:
        return haul_error_set(error, HAUL_CLOSED, NULL, 0, "the node closed the connection");
    case SSL_ERROR_SYSCALL:
        return socket_failed(error, "TLS", code == 0 ? ECONNRESET : code);
    default:
        (void)tls_failed(error, HAUL_AUTH, "TLS failed");
        haul_error_hint(error, "check that this port of the node speaks TLS, and --tls-ca");
        return HAUL_AUTH;
    }
}

static enum haul_status start_tls(struct node_stream *stream, const char *host,
                                  const struct node_access *access, struct haul_error *error)
{
    stream->context = SSL_CTX_new(TLS_client_method());
    if (stream->context == NULL) {
        return tls_failed(error, HAUL_NO_MEMORY, "no memory for TLS");
    }
    enum haul_status status = load_files(stream->context, access, error);
    if (status != HAUL_OK) {
        return status;
    }
    SSL_CTX_set_verify(stream->context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_min_proto_version(stream->context, TLS1_2_VERSION);
    stream->tls = SSL_new(stream->context);
    if (stream->tls == NULL || SSL_set_fd(stream->tls, stream->fd) != 1 ||
        !expect_host(stream->tls, host)) {
        return tls_failed(error, HAUL_NO_MEMORY, "no memory for TLS");
    }
    uint64_t deadline_ns = deadline_of(stream);
    int result = SSL_connect(stream->tls);
    while (result != 1 && status == HAUL_OK) {
        status = tls_wait(stream, result, deadline_ns, error);
        result = status == HAUL_OK ? SSL_connect(stream->tls) : result;
    }
    return status;
}

/* --- connecting ------------------------------------------------------------------------------- */

static enum haul_status finish_connect(struct node_stream *stream, struct haul_error *error)
{
    int code = 0;
    socklen_t size = sizeof(code);
    enum haul_status status = wait_for(stream, POLLOUT, deadline_of(stream), error);
    if (status != HAUL_OK) {
        return status;
    }
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        code = errno;
    }
    return code == 0 ? HAUL_OK : socket_failed(error, "connect", code);
}

static enum haul_status connect_to(struct node_stream *stream, const struct addrinfo *address,
                                   struct haul_error *error)
{
    stream->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stream->fd < 0) {
        return socket_failed(error, "socket", errno);
    }
    enum haul_status status = HAUL_OK;
    if (connect(stream->fd, address->ai_addr, address->ai_addrlen) != 0) {
        status = errno == EINPROGRESS ? finish_connect(stream, error)
                                      : socket_failed(error, "connect", errno);
    }
    if (status != HAUL_OK) {
        (void)close(stream->fd);
        stream->fd = -1;
    }
    return status;
}

/* Try the addresses of the host one after the other. */
static enum haul_status connect_any(struct node_stream *stream, const char *host, uint16_t port,
                                    struct haul_error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    char service[PORT_BYTES];
    (void)snprintf(service, sizeof(service), "%u", port);
    int code = getaddrinfo(host, service, &hints, &addresses);
    if (code != 0) {
        return haul_error_set(error, HAUL_UNREACHABLE, NULL, 0, "cannot look up '%s': %s", host,
                              gai_strerror(code));
    }
    enum haul_status status = HAUL_UNREACHABLE;
    for (struct addrinfo *at = addresses; at != NULL && status != HAUL_OK; at = at->ai_next) {
        status = connect_to(stream, at, error);
    }
    freeaddrinfo(addresses);
    return status;
}

enum haul_status node_stream_open(const char *host, uint16_t port, const struct node_access *access,
                                  struct node_stream **stream, struct haul_error *error)
{
    struct node_stream *opened = calloc(1, sizeof(*opened));
    if (opened == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, NULL, 0, "no memory for a connection");
    }
    opened->fd = -1;
    opened->timeout_ms = access->timeout_ms;
    enum haul_status status = connect_any(opened, host, port, error);
    if (status == HAUL_OK && access->tls) {
        status = start_tls(opened, host, access, error);
    }
    if (status != HAUL_OK) {
        node_stream_close(opened);
        return status;
    }
    *stream = opened;
    return HAUL_OK;
}

void node_stream_close(struct node_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    SSL_free(stream->tls);
    SSL_CTX_free(stream->context);
    if (stream->fd >= 0) {
        (void)close(stream->fd);
    }
    free(stream);
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* One attempt: bytes, or a wait. */
static enum haul_status write_some(struct node_stream *stream, const char *data, size_t size,
                                   uint64_t deadline_ns, size_t *written, struct haul_error *error)
{
    *written = 0;
    if (stream->tls != NULL) {
        int result = SSL_write_ex(stream->tls, data, size, written);
        return result == 1 ? HAUL_OK : tls_wait(stream, result, deadline_ns, error);
    }
    ssize_t sent = send(stream->fd, data, size, MSG_NOSIGNAL);
    if (sent >= 0) {
        *written = (size_t)sent;
        return HAUL_OK;
    }
    return errno == EAGAIN || errno == EINTR ? wait_for(stream, POLLOUT, deadline_ns, error)
                                             : socket_failed(error, "send", errno);
}

enum haul_status node_stream_write(struct node_stream *stream, const void *data, size_t size,
                                   struct haul_error *error)
{
    const char *rest = data;
    enum haul_status status = HAUL_OK;
    stream->deadline_ns = deadline_of(stream);
    while (size > 0 && status == HAUL_OK) {
        size_t written = 0;
        status = write_some(stream, rest, size, stream->deadline_ns, &written, error);
        rest += written;
        size -= written;
    }
    return status;
}

static enum haul_status read_some(struct node_stream *stream, void *data, size_t size_max,
                                  uint64_t deadline_ns, size_t *size, struct haul_error *error)
{
    if (stream->tls != NULL) {
        int result = SSL_read_ex(stream->tls, data, size_max, size);
        return result == 1 ? HAUL_OK : tls_wait(stream, result, deadline_ns, error);
    }
    ssize_t received = recv(stream->fd, data, size_max, 0);
    if (received > 0) {
        *size = (size_t)received;
        return HAUL_OK;
    }
    if (received == 0) {
        return haul_error_set(error, HAUL_CLOSED, NULL, 0, "the node closed the connection");
    }
    return errno == EAGAIN || errno == EINTR ? wait_for(stream, POLLIN, deadline_ns, error)
                                             : socket_failed(error, "recv", errno);
}

enum haul_status node_stream_read(struct node_stream *stream, void *data, size_t size_max,
                                  size_t *size, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    bool late = clock_now_ns(&clock_monotonic) >= stream->deadline_ns;
    *size = 0;
    while (*size == 0 && status == HAUL_OK && !late) {
        status = read_some(stream, data, size_max, stream->deadline_ns, size, error);
    }
    return late ? too_late(stream, error) : status;
}
