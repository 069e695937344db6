/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_socket.c — what a socket reveals of its path. */
#include "tcp_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "link_sockaddr.h"
#include "raw_peer.h"

static int ends[2];

static void open_pair(void)
{
    struct link_address address;
    int listening = raw_listen(&address);
    check_or_stop(listening >= 0);
    ends[0] = raw_connect(&address);
    ends[1] = raw_accept(listening);
    (void)close(listening);
    check_or_stop(ends[0] >= 0 && ends[1] >= 0);
}

static void close_pair(void)
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static int send_buffer(int fd)
{
    int bytes = 0;
    socklen_t size = sizeof(bytes);
    check(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &size) == 0);
    return bytes;
}

static void test_tcp_socket_round_trip_us__connected__some(void)
{
    open_pair();
    check(tcp_socket_round_trip_us(ends[0]) > 0);
    close_pair();
    check_equal(tcp_socket_round_trip_us(-1), 0);
}

static void test_tcp_socket_is_near__loopback__yes(void)
{
    open_pair();
    check(tcp_socket_is_near(ends[0]));
    check(tcp_socket_is_near(ends[1]));
    close_pair();
}

static void test_tcp_socket_is_near__no_addresses__no(void)
{
    check_or_stop(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    check(!tcp_socket_is_near(ends[0]));
    close_pair();
    check(!tcp_socket_is_near(-1));
}

static void test_tcp_socket_narrow__autotuned_before__fixed(void)
{
    enum { WANTED_BYTES = 512 << 10 };
    open_pair();
    tcp_socket_narrow(ends[0]);
    int bytes = send_buffer(ends[0]);
    check(bytes > 0 && bytes <= 2 * WANTED_BYTES); /* less where net.core.wmem_max is */
    check(send_buffer(ends[1]) != bytes);
    close_pair();
}

static void test_tcp_socket_widen__short_way__autotuning_stays(void)
{
    open_pair();
    int before = send_buffer(ends[0]);
    tcp_socket_widen(ends[0], true, 1000000, 64 << 20);
    check_equal(send_buffer(ends[0]), before);
    close_pair();
}

static void test_tcp_socket_widen__more_than_autotuning__larger_or_as_it_was(void)
{
    open_pair();
    int before = send_buffer(ends[0]);
    /* A bandwidth at which even this path holds a lot; an unprivileged process may not get it. */
    tcp_socket_widen(ends[0], true, UINT64_C(1) << 44, 64 << 20);
    int after = send_buffer(ends[0]);
    check(after >= before);
    check(geteuid() != 0 || after > before);
    close_pair();
}

static void test_tcp_socket_widen__receiving_end__larger_or_as_it_was(void)
{
    open_pair();
    tcp_socket_widen(ends[1], false, UINT64_C(1) << 44, 64 << 20);
    tcp_socket_widen(ends[1], false, UINT64_C(1) << 44,
                     UINT64_MAX); /* more than an int: not done */
    check(tcp_socket_is_near(ends[1]));
    close_pair();
}

/* An IPv6 pair, between one address or two; false: this system has no IPv6. */
static bool open_pair_of_six(void)
{
    struct link_address address = {.size = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)link_sockaddr(&address);
    int listening = -1;
    six->sin6_family = AF_INET6;
    six->sin6_addr = in6addr_loopback;
    if (tcp_socket_listen(&address, &listening, NULL) != HAUL_OK) {
        return false;
    }
    tcp_socket_local(listening, &address);
    ends[0] = raw_connect(&address);
    ends[1] = raw_accept(listening);
    (void)close(listening);
    return true;
}

static void test_tcp_socket_is_near__loopback_of_six__yes(void)
{
    if (!open_pair_of_six()) {
        check_skip("no IPv6 here");
        return;
    }
    check(tcp_socket_is_near(ends[0]));
    close_pair();
}

static void test_tcp_socket_is_near__another_address__no(void)
{
    struct link_address address;
    int listening = raw_listen(&address);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000102)};
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_or_stop(bind(ends[0], (struct sockaddr *)&own, sizeof(own)) == 0);
    check_or_stop(
        connect(ends[0], (const struct sockaddr *)link_sockaddr_of(&address), address.size) == 0);
    ends[1] = raw_accept(listening);
    (void)close(listening);
    check(!tcp_socket_is_near(ends[0]));
    check(!tcp_socket_is_near(ends[1]));
    close_pair();
}

/* --- what fails ------------------------------------------------------------------------------- */

static void test_tcp_socket_status__every_known_number__its_status(void)
{
    static const struct {
        int code;
        enum haul_status status;
    } meanings[] = {
        {ECONNREFUSED, HAUL_REFUSED},
        {EHOSTUNREACH, HAUL_UNREACHABLE},
        {ENETUNREACH, HAUL_UNREACHABLE},
        {EHOSTDOWN, HAUL_UNREACHABLE},
        {ENETDOWN, HAUL_UNREACHABLE},
        {ETIMEDOUT, HAUL_TIMEOUT},
        {ECONNRESET, HAUL_CLOSED},
        {ECONNABORTED, HAUL_CLOSED},
        {EPIPE, HAUL_CLOSED},
        {ENOTCONN, HAUL_CLOSED},
        {EADDRINUSE, HAUL_BUSY},
        {EAFNOSUPPORT, HAUL_UNSUPPORTED},
        {EPROTONOSUPPORT, HAUL_UNSUPPORTED},
        {EMFILE, HAUL_LIMIT},
        {ENFILE, HAUL_LIMIT},
        {ENOMEM, HAUL_NO_MEMORY},
        {ENOBUFS, HAUL_NO_MEMORY},
        {EINVAL, HAUL_IO},
    };
    for (size_t i = 0; i < CHECK_COUNT(meanings); i++) {
        check_status(tcp_socket_status(meanings[i].code), meanings[i].status);
    }
}

static void test_tcp_socket_connect__no_such_family__unsupported(void)
{
    struct link_address address = raw_loopback();
    struct haul_error error;
    int fd = -1;
    link_sockaddr(&address)->ss_family = AF_MAX + 1;
    check_status(tcp_socket_connect(&address, 1000, &fd, &error), HAUL_UNSUPPORTED);
    check_text(error.call, "socket");
    check_status(tcp_socket_listen(&address, &fd, &error), HAUL_UNSUPPORTED);
    check_text(error.call, "socket");
    check_equal(fd, -1);
}

static void test_tcp_socket_listen__address_of_nobody_here__invalid(void)
{
    struct link_address address;
    struct haul_error error;
    int fd = -1;
    check_or_stop(link_address_parse("192.0.2.1:0", &address, NULL) == HAUL_OK);
    check_error(tcp_socket_listen(&address, &fd, &error), HAUL_INVALID, error);
    check(strstr(error.hint, "interface") != NULL);
    check_equal(fd, -1);
}

static void test_tcp_socket_listen__port_in_use__busy(void)
{
    struct link_address address;
    struct haul_error error;
    int fd = -1;
    int listening = raw_listen(&address);
    check_error(tcp_socket_listen(&address, &fd, &error), HAUL_BUSY, error);
    check(strstr(error.text, "in use") != NULL);
    (void)close(listening);
}

static void test_tcp_socket_connected__refused__says_what_to_look_at(void)
{
    struct link_address address;
    struct haul_error error = {.status = HAUL_OK};
    int fd = -1;
    (void)close(raw_listen(&address));
    enum haul_status status = tcp_socket_connect(&address, 1000, &fd, &error);
    while (status == HAUL_OK || status == HAUL_AGAIN) { /* it may be known at once */
        check_or_stop(raw_wait(fd, POLLOUT));
        status = tcp_socket_connected(fd, &address, &error);
        check_or_stop(status != HAUL_OK);
    }
    check_status(status, HAUL_REFUSED);
    check(strstr(error.hint, "haul recv") != NULL);
    (void)close(fd);
}

static void test_tcp_socket_peer__connected_or_not__both_addresses_or_none(void)
{
    struct link_address local;
    struct link_address peer;
    open_pair();
    tcp_socket_local(ends[0], &local);
    tcp_socket_peer(ends[1], &peer);
    check(local.size > 0);
    check_equal(local.size, peer.size);
    check_equal(memcmp(&local.storage, &peer.storage, local.size), 0);
    close_pair();
    memset(&peer, 0xff, sizeof(peer));
    tcp_socket_peer(-1, &peer);
    check_equal(peer.size, 0);
    check_equal(link_sockaddr_of(&peer)->ss_family, AF_UNSPEC);
    memset(&local, 0xff, sizeof(local));
    tcp_socket_local(-1, &local);
    check_equal(local.size, 0);
    check_equal(link_sockaddr_of(&local)->ss_family, AF_UNSPEC);
}

/* No socket at all: every call must report so, and none may wait. */
static void test_tcp_socket__no_descriptor__errors(void)
{
    struct haul_error error;
    struct link_address address = raw_loopback();
    uint8_t byte = 0;
    size_t moved = 0;
    const struct iovec part = {.iov_base = &byte, .iov_len = 1};
    int fd = dup(STDERR_FILENO);
    (void)close(fd);
    check_status(tcp_socket_configure(fd, 1000, &error), HAUL_IO);
    check_status(tcp_socket_connected(fd, &address, &error), HAUL_IO);
    check_status(tcp_socket_send(fd, &part, 1, &moved, &error), HAUL_IO);
    check_status(tcp_socket_receive(fd, &part, 1, &moved, &error), HAUL_IO);
    check_status(tcp_socket_wake_at(fd, 1, &error), HAUL_IO);
    check_status(tcp_socket_failure(fd, &error), HAUL_IO);
    check_status(tcp_socket_stream_end(fd, &error), HAUL_CLOSED);
    tcp_socket_widen(fd, true, UINT64_C(1) << 44, 64 << 20);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_tcp_socket_round_trip_us__connected__some),
    CHECK_TEST(test_tcp_socket_is_near__loopback__yes),
    CHECK_TEST(test_tcp_socket_is_near__no_addresses__no),
    CHECK_TEST(test_tcp_socket_narrow__autotuned_before__fixed),
    CHECK_TEST(test_tcp_socket_widen__short_way__autotuning_stays),
    CHECK_TEST(test_tcp_socket_widen__more_than_autotuning__larger_or_as_it_was),
    CHECK_TEST(test_tcp_socket_widen__receiving_end__larger_or_as_it_was),
    CHECK_TEST(test_tcp_socket_is_near__loopback_of_six__yes),
    CHECK_TEST(test_tcp_socket_is_near__another_address__no),
    CHECK_TEST(test_tcp_socket_status__every_known_number__its_status),
    CHECK_TEST(test_tcp_socket_connect__no_such_family__unsupported),
    CHECK_TEST(test_tcp_socket_listen__address_of_nobody_here__invalid),
    CHECK_TEST(test_tcp_socket_listen__port_in_use__busy),
    CHECK_TEST(test_tcp_socket_connected__refused__says_what_to_look_at),
    CHECK_TEST(test_tcp_socket_peer__connected_or_not__both_addresses_or_none),
    CHECK_TEST(test_tcp_socket__no_descriptor__errors),
};

CHECK_MAIN("tcp_socket", tests)
