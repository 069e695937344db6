/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_socket.c — the socket calls of links, listener and control channel. */
#include "tcp_socket.h"

#include <errno.h>
#include <linux/tcp.h> /* its tcp_info has the smallest round trip; the C library's lacks it */
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link_sockaddr.h"

enum {
    /* Half a second of 2,000 connections a second: a loop that is late by less loses none. */
    LISTEN_BACKLOG = 1024,
    /* Whoever connects sends at once; the kernel then retries its SYN-ACK three times, for 7 s. */
    DEFER_ACCEPT_S = 5,
    KEEPALIVE_PROBES = 3,
    MS_PER_S = 1000,
    US_PER_S = 1000000,
    /* Bytes in flight within one host. Measured with `haul bench link`: with twice as much, a
     * congestion control that paces (BBR) starts to pace and reaches two thirds of the speed; with
     * half as much, sender and receiver wait for each other. */
    NEAR_SEND_BYTES = 512 << 10,
};

enum haul_status tcp_socket_status(int code)
{
    switch (code) {
    case ECONNREFUSED:
        return HAUL_REFUSED;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
        return HAUL_UNREACHABLE;
    case ETIMEDOUT:
        return HAUL_TIMEOUT;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
        return HAUL_CLOSED;
    case EADDRINUSE:
        return HAUL_BUSY;
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
        return HAUL_UNSUPPORTED;
    case EMFILE:
    case ENFILE:
        return HAUL_LIMIT;
    case ENOMEM:
    case ENOBUFS:
        return HAUL_NO_MEMORY;
    default:
        return HAUL_IO;
    }
}

static bool set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

enum haul_status tcp_socket_configure(int fd, uint32_t peer_timeout_ms, struct haul_error *error)
{
    /* The kernel counts keep-alive in whole seconds; TCP_USER_TIMEOUT sets the exact limit. */
    int probe_s = (int)(peer_timeout_ms / KEEPALIVE_PROBES / MS_PER_S);
    probe_s = probe_s < 1 ? 1 : probe_s;
    if (!set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) ||
        !set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)peer_timeout_ms) ||
        !set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) ||
        !set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, probe_s) ||
        !set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, probe_s) ||
        !set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES)) {
        return haul_error_set(error, HAUL_IO, "setsockopt", errno, "cannot set TCP options");
    }
    return HAUL_OK;
}

static enum haul_status fail_connect(int code, const struct link_address *peer,
                                     struct haul_error *error)
{
    char name[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(peer, name);
    /* No free local port is a limit of this machine, not a wrong address. What a local firewall
     * rejects is not the file system's refusal. */
    bool no_port = code == EADDRNOTAVAIL || code == EAGAIN;
    bool filtered = code == EPERM || code == EACCES;
    enum haul_status status = no_port    ? HAUL_LIMIT
                              : filtered ? HAUL_UNREACHABLE
                                         : tcp_socket_status(code);
    (void)haul_error_set(error, status, "connect", code, "cannot connect to %s", name);
    if (no_port) {
        haul_error_hint(error, "this host has no free port, or no address, for it: look at `ss -s` "
                               "and `ip addr`");
    } else if (status == HAUL_REFUSED) {
        haul_error_hint(error, "nothing listens on that port: is `haul recv` running there?");
    } else if (status == HAUL_UNREACHABLE) {
        haul_error_hint(error, "check the address, the route and the firewall");
    } else if (status == HAUL_TIMEOUT) {
        haul_error_hint(error, "the host does not answer: check the address and the firewall");
    }
    return status;
}

enum haul_status tcp_socket_connect(const struct link_address *address, uint32_t peer_timeout_ms,
                                    int *fd, struct haul_error *error)
{
    int made = socket(link_sockaddr_of(address)->ss_family,
                      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (made < 0) {
        return haul_error_set(error, tcp_socket_status(errno), "socket", errno,
                              "cannot create a socket");
    }
    enum haul_status status = tcp_socket_configure(made, peer_timeout_ms, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    if (connect(made, (const struct sockaddr *)link_sockaddr_of(address), address->size) != 0 &&
        errno != EINPROGRESS && errno != EINTR) {
        status = fail_connect(errno, address, error);
        goto fail;
    }
    *fd = made;
    return HAUL_OK;
fail:
    (void)close(made);
    return status;
}

enum haul_status tcp_socket_connected(int fd, const struct link_address *peer,
                                      struct haul_error *error)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    if (poll(&writable, 1, 0) <= 0) {
        return HAUL_AGAIN;
    }
    int code = 0;
    socklen_t size = sizeof(code);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        code = errno;
    }
    return code == 0 ? HAUL_OK : fail_connect(code, peer, error);
}

/* --- short and long ways ---------------------------------------------------------------------- */

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family) {
        return false;
    }
    if (a->ss_family == AF_INET) {
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    }
    return a->ss_family == AF_INET6 &&
           memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

bool tcp_socket_is_near(int fd)
{
    struct link_address own;
    struct link_address peer;
    tcp_socket_local(fd, &own);
    tcp_socket_peer(fd, &peer);
    return own.size > 0 && peer.size > 0 &&
           same_address(link_sockaddr_of(&own), link_sockaddr_of(&peer));
}

void tcp_socket_forget(int fd)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

void tcp_socket_narrow(int fd)
{
    (void)set_option(fd, SOL_SOCKET, SO_SNDBUF, NEAR_SEND_BYTES);
}

uint32_t tcp_socket_round_trip_us(int fd)
{
    struct tcp_info info = {.tcpi_min_rtt = 0};
    socklen_t size = sizeof(info);
    bool told = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
    return told && info.tcpi_min_rtt != UINT32_MAX ? info.tcpi_min_rtt : 0;
}

/* The last number in a file of /proc/sys; 0: unreadable. */
static uint64_t kernel_limit(const char *path)
{
    unsigned long long value = 0;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        while (fscanf(file, "%llu", &value) == 1) {
        }
        (void)fclose(file);
    }
    return value;
}

void tcp_socket_widen(int fd, bool sending, uint64_t bytes_per_second, uint64_t bytes_max)
{
    uint64_t wanted = (uint64_t)tcp_socket_round_trip_us(fd) * (bytes_per_second / US_PER_S) * 2;
    wanted = wanted < bytes_max ? wanted : bytes_max;
    uint64_t tuned =
        kernel_limit(sending ? "/proc/sys/net/ipv4/tcp_wmem" : "/proc/sys/net/ipv4/tcp_rmem");
    /* The kernel doubles the requested size: half of a buffer is its own bookkeeping. */
    if (tuned == 0 || 2 * wanted <= tuned || wanted > INT32_MAX / 2) {
        return;
    }
    if (set_option(fd, SOL_SOCKET, sending ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, (int)wanted)) {
        return; /* privileged, so it exceeds the system's limits */
    }
    uint64_t allowed =
        kernel_limit(sending ? "/proc/sys/net/core/wmem_max" : "/proc/sys/net/core/rmem_max");
    if (2 * allowed > tuned) {
        (void)set_option(fd, SOL_SOCKET, sending ? SO_SNDBUF : SO_RCVBUF, (int)wanted);
    }
}

/* --- listening -------------------------------------------------------------------------------- */

static enum haul_status fail_listen(const char *call, int code, const struct link_address *address,
                                    struct haul_error *error)
{
    char name[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(address, name);
    if (code == EADDRINUSE) {
        (void)haul_error_set(error, HAUL_BUSY, call, code, "%s is in use", name);
        haul_error_hint(error, "another process listens there: stop it or choose another port");
        return HAUL_BUSY;
    }
    if (code == EADDRNOTAVAIL) {
        (void)haul_error_set(error, HAUL_INVALID, call, code, "cannot listen on %s", name);
        haul_error_hint(error, "the address must belong to an interface of this host");
        return HAUL_INVALID;
    }
    if (code == EACCES) {
        (void)haul_error_set(error, HAUL_INVALID, call, code, "cannot listen on %s", name);
        haul_error_hint(error, "ports below 1024 need a privilege: choose a higher one");
        return HAUL_INVALID;
    }
    return haul_error_set(error, tcp_socket_status(code), call, code, "cannot listen on %s", name);
}

enum haul_status tcp_socket_listen(const struct link_address *address, int *fd,
                                   struct haul_error *error)
{
    int made = socket(link_sockaddr_of(address)->ss_family,
                      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (made < 0) {
        return fail_listen("socket", errno, address, error);
    }
    enum haul_status status;
    if (!set_option(made, SOL_SOCKET, SO_REUSEADDR, 1)) {
        status = fail_listen("setsockopt", errno, address, error);
        goto fail;
    }
    if (link_sockaddr_of(address)->ss_family == AF_INET6) {
        /* Both families on one socket if the system allows it; IPv6 alone is not an error. */
        (void)set_option(made, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    /* A precaution: without it silent connections take places here until their deadline. */
    (void)set_option(made, IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_ACCEPT_S);
    if (bind(made, (const struct sockaddr *)link_sockaddr_of(address), address->size) != 0) {
        status = fail_listen("bind", errno, address, error);
        goto fail;
    }
    if (listen(made, LISTEN_BACKLOG) != 0) {
        status = fail_listen("listen", errno, address, error);
        goto fail;
    }
    *fd = made;
    return HAUL_OK;
fail:
    (void)close(made);
    return status;
}

static enum haul_status fail_transfer(const char *call, int code, struct haul_error *error)
{
    enum haul_status status = tcp_socket_status(code);
    if (status == HAUL_TIMEOUT) {
        return haul_error_set(error, status, call, code, "the peer stopped answering");
    }
    return haul_error_set(error, status, call, code, "the connection broke");
}

static struct msghdr message_of(const struct iovec *parts, size_t part_count)
{
    /* msghdr lacks the const: the calls do not write to the vector. */
    return (struct msghdr){.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = part_count};
}

enum haul_status tcp_socket_send(int fd, const struct iovec *parts, size_t part_count,
                                 size_t *sent_bytes, struct haul_error *error)
{
    struct msghdr message = message_of(parts, part_count);
    ssize_t moved;
    do {
        moved = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (moved < 0 && errno == EINTR);
    if (moved >= 0) {
        *sent_bytes = (size_t)moved;
        return HAUL_OK;
    }
    if (errno == EAGAIN) { /* equals EWOULDBLOCK on Linux */
        return HAUL_AGAIN;
    }
    return fail_transfer("sendmsg", errno, error);
}

enum haul_status tcp_socket_receive(int fd, const struct iovec *parts, size_t part_count,
                                    size_t *received_bytes, struct haul_error *error)
{
    struct msghdr message = message_of(parts, part_count);
    ssize_t moved;
    do {
        moved = recvmsg(fd, &message, MSG_DONTWAIT);
    } while (moved < 0 && errno == EINTR);
    if (moved > 0) {
        *received_bytes = (size_t)moved;
        return HAUL_OK;
    }
    if (moved == 0) {
        return haul_error_set(error, HAUL_CLOSED, "", 0, "the peer closed the connection");
    }
    if (errno == EAGAIN) { /* equals EWOULDBLOCK on Linux */
        return HAUL_AGAIN;
    }
    return fail_transfer("recvmsg", errno, error);
}

enum haul_status tcp_socket_wake_at(int fd, size_t size_bytes, struct haul_error *error)
{
    if (!set_option(fd, SOL_SOCKET, SO_RCVLOWAT, (int)size_bytes)) {
        return haul_error_set(error, HAUL_IO, "setsockopt", errno, "cannot set TCP options");
    }
    return HAUL_OK;
}

enum haul_status tcp_socket_failure(int fd, struct haul_error *error)
{
    int code = 0;
    socklen_t size = sizeof(code);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        code = errno;
    }
    return code == 0 ? HAUL_OK : fail_transfer("getsockopt", code, error);
}

enum haul_status tcp_socket_stream_end(int fd, struct haul_error *error)
{
    struct pollfd watched = {.fd = fd, .events = POLLRDHUP};
    int ready;
    do {
        ready = poll(&watched, 1, 0);
    } while (ready < 0 && errno == EINTR);
    if (ready > 0) {
        return haul_error_set(error, HAUL_CLOSED, "", 0, "the peer closed the connection");
    }
    return HAUL_OK;
}

void tcp_socket_peer(int fd, struct link_address *address)
{
    memset(address, 0, sizeof(*address));
    address->size = sizeof(address->storage);
    if (getpeername(fd, (struct sockaddr *)link_sockaddr(address), &address->size) != 0) {
        address->size = 0;
    }
}

void tcp_socket_local(int fd, struct link_address *address)
{
    memset(address, 0, sizeof(*address));
    address->size = sizeof(address->storage);
    if (getsockname(fd, (struct sockaddr *)link_sockaddr(address), &address->size) != 0) {
        address->size = 0;
    }
}
