/* SPDX-License-Identifier: Apache-2.0 */
/* raw_peer.h — a plain socket on the other side, and a clock that only the test moves.
 *
 * Every wait is for a descriptor and ends after RAW_PEER_WAIT_MS, so that a defect is a failure and
 * not a hang. */
#ifndef HAUL_TESTS_RAW_PEER_H
#define HAUL_TESTS_RAW_PEER_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "link.h"
#include "link_sockaddr.h"

enum { RAW_PEER_WAIT_MS = 5000 };

/* --- fake clock ------------------------------------------------------------------------------ */

struct fake_clock {
    uint64_t now_ns;
    struct haul_clock clock;
};

static inline uint64_t fake_clock_now_ns(void *context)
{
    return ((struct fake_clock *)context)->now_ns;
}

static inline void fake_clock_init(struct fake_clock *fake)
{
    fake->now_ns = NS_PER_S;
    fake->clock = (struct haul_clock){.now_ns = fake_clock_now_ns, .context = fake};
}

static inline void fake_clock_advance_ms(struct fake_clock *fake, uint64_t ms)
{
    fake->now_ns += ms * NS_PER_MS;
}

/* --- sockets --------------------------------------------------------------------------------- */

static inline struct link_address raw_loopback(void)
{
    struct link_address address = {.size = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)link_sockaddr(&address);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static inline bool raw_wait(int fd, short events)
{
    struct pollfd watched = {.fd = fd, .events = events};
    return poll(&watched, 1, RAW_PEER_WAIT_MS) > 0;
}

/* A listening socket on a free port of the loopback interface. */
static inline int raw_listen(struct link_address *address)
{
    *address = raw_loopback();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)link_sockaddr(address), address->size) != 0 ||
        listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)link_sockaddr(address), &address->size) != 0) {
        return -1;
    }
    return fd;
}

static inline int raw_accept(int listening_fd)
{
    return raw_wait(listening_fd, POLLIN) ? accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
}

/* `from` NULL: whichever the system takes. */
static inline int raw_connect_from(const struct link_address *from,
                                   const struct link_address *address)
{
    int fd = socket(link_sockaddr_of(address)->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && from != NULL &&
        bind(fd, (const struct sockaddr *)link_sockaddr_of(from), from->size) != 0) {
        (void)close(fd);
        return -1;
    }
    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)link_sockaddr_of(address), address->size) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static inline int raw_connect(const struct link_address *address)
{
    return raw_connect_from(NULL, address);
}

/* A connected pair: [0] blocking, for the test; [1] non-blocking, for the code under test. */
static inline bool raw_pair(int fds[2])
{
    struct link_address address;
    int listening = raw_listen(&address);
    fds[0] = raw_connect(&address);
    fds[1] = raw_accept(listening);
    (void)close(listening);
    return fds[0] >= 0 && fds[1] >= 0 && fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0;
}

static inline bool raw_write(int fd, const void *data, size_t size)
{
    return send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Exactly `size` bytes; false if the stream ends or falls silent before. */
static inline bool raw_read(int fd, void *data, size_t size)
{
    uint8_t *at = data;
    while (size > 0) {
        if (!raw_wait(fd, POLLIN)) {
            return false;
        }
        ssize_t received = recv(fd, at, size, 0);
        if (received <= 0) {
            return false;
        }
        at += received;
        size -= (size_t)received;
    }
    return true;
}

/* Whether the connection was reset. */
static inline bool raw_is_reset(int fd)
{
    uint8_t byte;
    return raw_wait(fd, POLLIN) && recv(fd, &byte, 1, 0) < 0 && errno == ECONNRESET;
}

/* Whether the stream ends here (or breaks), with nothing before. */
static inline bool raw_ends(int fd)
{
    uint8_t byte;
    return raw_wait(fd, POLLIN) && recv(fd, &byte, 1, 0) <= 0;
}

#endif
