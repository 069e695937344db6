/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_socket.c — what a socket knows of its way. */
#include "tcp_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
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
    /* So much a second that even this way holds a lot; an unprivileged process may not have it. */
    tcp_socket_widen(ends[0], true, UINT64_C(1) << 44, 64 << 20);
    int after = send_buffer(ends[0]);
    check(after >= before);
    check(geteuid() != 0 || after > before);
    close_pair();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_tcp_socket_round_trip_us__connected__some),
    CHECK_TEST(test_tcp_socket_is_near__loopback__yes),
    CHECK_TEST(test_tcp_socket_is_near__no_addresses__no),
    CHECK_TEST(test_tcp_socket_narrow__autotuned_before__fixed),
    CHECK_TEST(test_tcp_socket_widen__short_way__autotuning_stays),
    CHECK_TEST(test_tcp_socket_widen__more_than_autotuning__larger_or_as_it_was),
};

CHECK_MAIN("tcp_socket", tests)
