/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_causes.c — each result of a socket call: status, text, and hint. The calls are replaced
 * here (by the linker's --wrap). */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "raw_peer.h"
#include "tcp_socket.h"

static int next_code;   /* of the next call; 0: it succeeds */
static int interrupted; /* this many calls before it are interrupted */
static ssize_t moved;   /* of a call that succeeds */
static unsigned calls;
static struct haul_error error;

static ssize_t give_answer(void)
{
    calls++;
    if (interrupted > 0) {
        interrupted--;
        errno = EINTR;
        return -1;
    }
    errno = next_code;
    return next_code == 0 ? moved : -1;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    check(fd >= 0 && address != NULL && size > 0);
    return (int)give_answer();
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    check(fd >= 0 && message->msg_iovlen == 1);
    check_equal(flags, MSG_NOSIGNAL | MSG_DONTWAIT);
    return give_answer();
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    check(fd >= 0 && message->msg_iovlen == 1);
    check_equal(flags, MSG_DONTWAIT);
    return give_answer();
}

static void begin(int code)
{
    next_code = code;
    interrupted = 0;
    moved = 0;
    calls = 0;
    memset(&error, 0, sizeof(error));
}

static int next_descriptor(void)
{
    int fd = dup(STDERR_FILENO);
    (void)close(fd);
    return fd;
}

static void test_tcp_socket_connect__each_answer__status_words_and_hint(void)
{
    static const struct {
        int code;
        enum haul_status status;
        const char *hint;
    } cases[] = {
        {ECONNREFUSED, HAUL_REFUSED, "is `haul recv` running there?"},
        {EHOSTUNREACH, HAUL_UNREACHABLE, "check the address, the route and the firewall"},
        {ENETUNREACH, HAUL_UNREACHABLE, "check the address, the route and the firewall"},
        {ETIMEDOUT, HAUL_TIMEOUT, "the host does not answer"},
        {EADDRNOTAVAIL, HAUL_LIMIT, "no free port"},
        {EAGAIN, HAUL_LIMIT, "no free port"},
        {ENOBUFS, HAUL_NO_MEMORY, ""},
        {EACCES, HAUL_UNREACHABLE, "the firewall"},
        {EPERM, HAUL_UNREACHABLE, "the firewall"},
    };
    struct link_address address;
    check_or_stop(link_address_parse("192.0.2.1:7", &address, NULL) == HAUL_OK);
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        int fd = -1;
        begin(cases[i].code);
        int free_one = next_descriptor();
        check_error(tcp_socket_connect(&address, 1000, &fd, &error), cases[i].status, error);
        check_text(error.text, "cannot connect to 192.0.2.1:7");
        check_text(error.call, "connect");
        check_equal(error.code, cases[i].code);
        check(strstr(error.hint, cases[i].hint) != NULL);
        check_equal(error.hint[0] == '\0', cases[i].hint[0] == '\0');
        check_equal(fd, -1);
        check_equal(next_descriptor(), free_one); /* nothing is left open */
    }
}

static void test_tcp_socket_connect__on_its_way__a_socket(void)
{
    static const int codes[] = {0, EINPROGRESS, EINTR};
    struct link_address address;
    check_or_stop(link_address_parse("192.0.2.1:7", &address, NULL) == HAUL_OK);
    for (size_t i = 0; i < CHECK_COUNT(codes); i++) {
        int fd = -1;
        begin(codes[i]);
        check_status(tcp_socket_connect(&address, 1000, &fd, &error), HAUL_OK);
        check(fd >= 0);
        (void)close(fd);
    }
}

/* Both directions return the same. */
static enum haul_status transfer(bool sends, size_t *bytes)
{
    static uint8_t memory[16];
    const struct iovec part = {.iov_base = memory, .iov_len = sizeof(memory)};
    return sends ? tcp_socket_send(STDERR_FILENO, &part, 1, bytes, &error)
                 : tcp_socket_receive(STDERR_FILENO, &part, 1, bytes, &error);
}

static void test_tcp_socket_transfer__each_answer__status_and_words(void)
{
    static const struct {
        int code;
        enum haul_status status;
        const char *text;
    } cases[] = {
        {ETIMEDOUT, HAUL_TIMEOUT, "the peer stopped answering"},
        {ECONNRESET, HAUL_CLOSED, "the connection broke"},
        {EPIPE, HAUL_CLOSED, "the connection broke"},
        {EHOSTUNREACH, HAUL_UNREACHABLE, "the connection broke"},
        {EIO, HAUL_IO, "the connection broke"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        for (int sends = 0; sends < 2; sends++) {
            size_t bytes = 99;
            begin(cases[i].code);
            check_error(transfer(sends != 0, &bytes), cases[i].status, error);
            check_text(error.text, cases[i].text);
            check_text(error.call, sends != 0 ? "sendmsg" : "recvmsg");
            check_equal(error.code, cases[i].code);
            check_equal(bytes, 99);
        }
    }
}

static void test_tcp_socket_transfer__nothing_now_or_interrupted__again_or_on(void)
{
    for (int sends = 0; sends < 2; sends++) {
        size_t bytes = 99;
        begin(EAGAIN);
        check_status(transfer(sends != 0, &bytes), HAUL_AGAIN);
        check_equal(calls, 1);
        check_equal(bytes, 99);
        begin(0);
        interrupted = 3;
        moved = 7;
        check_status(transfer(sends != 0, &bytes), HAUL_OK);
        check_equal(calls, 4);
        check_equal(bytes, 7);
    }
    size_t bytes = 99;
    begin(0); /* no byte: sending it does nothing, receiving it is the end */
    check_status(transfer(true, &bytes), HAUL_OK);
    check_equal(bytes, 0);
    check_error(transfer(false, &bytes), HAUL_CLOSED, error);
    check_text(error.text, "the peer closed the connection");
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);
    check(getsockopt(fd, level, name, &value, &size) == 0);
    return value;
}

static void test_tcp_socket_configure__timeouts__each_option_as_it_follows(void)
{
    static const struct {
        uint32_t timeout_ms;
        int probe_s;
    } cases[] = {{100, 1}, {3000, 1}, {6000, 2}, {60000, 20}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check_or_stop(fd >= 0);
        check_status(tcp_socket_configure(fd, cases[i].timeout_ms, &error), HAUL_OK);
        check(option_of(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
        check(option_of(fd, SOL_SOCKET, SO_KEEPALIVE) != 0);
        check_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), (int)cases[i].timeout_ms);
        check_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), cases[i].probe_s);
        check_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), cases[i].probe_s);
        check_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
        (void)close(fd);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_tcp_socket_connect__each_answer__status_words_and_hint),
    CHECK_TEST(test_tcp_socket_connect__on_its_way__a_socket),
    CHECK_TEST(test_tcp_socket_transfer__each_answer__status_and_words),
    CHECK_TEST(test_tcp_socket_transfer__nothing_now_or_interrupted__again_or_on),
    CHECK_TEST(test_tcp_socket_configure__timeouts__each_option_as_it_follows),
};
CHECK_MAIN("tcp_causes", tests)
