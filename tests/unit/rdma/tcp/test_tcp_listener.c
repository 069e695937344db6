/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_listener.c — which peers get in, which get which answer, and that none blocks the
 * listener. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "link_ends.h"
#include "link_sockaddr.h"
#include "log_limit.h"
#include "raw_peer.h"
#include "tcp_listener.h"
#include "tcp_preamble.h"

enum { TEXT_BYTES = 256, PEERS_MAX = TCP_PENDING_MAX + 1 };

/* Log lines, counted; the last one kept. */
struct line_log {
    unsigned count;
    char last[TEXT_BYTES];
    struct haul_slice then_write; /* by the first line, to this descriptor */
    int then_write_to;
};

static struct fake_clock fake;
static struct line_log lines;
static struct haul_log log_sink;
static struct link_config config;
static struct listener *listener;
static struct link_address address;

static void keep_line(void *context, enum haul_log_level level, const char *line)
{
    struct line_log *kept = context;
    (void)level;
    kept->count++;
    (void)snprintf(kept->last, sizeof(kept->last), "%s", line);
    if (kept->then_write.size > 0) {
        check(raw_write(kept->then_write_to, kept->then_write.data, kept->then_write.size));
        kept->then_write.size = 0;
    }
}

static void open_listener(void)
{
    fake_clock_init(&fake);
    memset(&lines, 0, sizeof(lines));
    log_sink =
        (struct haul_log){.write = keep_line, .context = &lines, .level_max = HAUL_LOG_DEBUG};
    config = (struct link_config){.clock = &fake.clock, .log = &log_sink};
    config.options.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN;
    const struct link_address any = raw_loopback();
    check_or_stop(listener_create(HAUL_TRANSPORT_TCP, &any, &config, &listener, NULL) == HAUL_OK);
    listener_address(listener, &address);
}

static void close_listener(void)
{
    listener_destroy(listener);
    listener = NULL;
}

static enum haul_status poll_listener(enum tcp_purpose *purpose, struct link_incoming *incoming)
{
    enum haul_status status = listener_poll(listener, incoming);
    *purpose = status == HAUL_OK && incoming->control ? TCP_CONTROL : TCP_DATA;
    return status;
}

static int connect_peer(void)
{
    int fd = raw_connect(&address);
    check_or_stop(fd >= 0);
    return fd;
}

static void make_preamble(enum tcp_purpose purpose, uint16_t version, uint8_t *bytes)
{
    struct link_ticket ticket = {.version_min = version, .version_max = version, .index = 7};
    memset(ticket.token, 0x42, sizeof(ticket.token));
    tcp_preamble_encode(purpose, &ticket, bytes);
}

/* Poll until a peer is there or the listener has logged `line_count` lines. */
static enum haul_status poll_until(enum tcp_purpose *purpose, struct link_incoming *incoming,
                                   unsigned line_count)
{
    enum haul_status status = poll_listener(purpose, incoming);
    while (status == HAUL_AGAIN && lines.count < line_count &&
           raw_wait(listener_fd(listener), POLLIN)) {
        status = poll_listener(purpose, incoming);
    }
    return status;
}

static void poll_until_refusal(void)
{
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    check_status(poll_until(&purpose, &incoming, lines.count + 1), HAUL_AGAIN);
}

static enum haul_status read_answer(int fd)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum haul_status answer;
    uint16_t version_min;
    uint16_t version_max;
    if (!raw_read(fd, bytes, sizeof(bytes)) ||
        tcp_answer_decode(bytes, &answer, &version_min, &version_max) != HAUL_OK ||
        version_min != LINK_VERSION_MIN || version_max != LINK_VERSION_MAX) {
        return HAUL_INTERNAL;
    }
    return answer;
}

/* A peer that goes on after its first byte only if the test does. */
static int connect_slow_from(const struct link_address *from)
{
    int fd = from == NULL ? connect_peer() : raw_connect_from(from, &address);
    check_or_stop(fd >= 0 && raw_write(fd, "H", 1));
    (void)raw_wait(listener_fd(listener), POLLIN);
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    check_status(poll_listener(&purpose, &incoming), HAUL_AGAIN);
    return fd;
}

static int connect_slow(void)
{
    return connect_slow_from(NULL);
}

/* The host with this number, of those that TCP_PENDING_OF_HOST_MAX peers each come from. */
static struct link_address host_of(size_t number)
{
    struct link_address from = raw_loopback();
    struct sockaddr_in *in = (struct sockaddr_in *)link_sockaddr(&from);
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(number / TCP_PENDING_OF_HOST_MAX));
    return from;
}

static bool is_open(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 0;
}

/* A control peer still gets in: the listener survived whatever happened before. */
static void check_still_open(void)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    int fd = connect_peer();
    make_preamble(TCP_CONTROL, LINK_VERSION_MAX, bytes);
    check(raw_write(fd, bytes, sizeof(bytes)));
    check_status(poll_until(&purpose, &incoming, UINT32_MAX), HAUL_OK);
    listener_reject(listener, &incoming, HAUL_FENCED);
    check_status(read_answer(fd), HAUL_FENCED);
    (void)close(fd);
}

static void test_tcp_listener_poll__sound_preamble__ticket_and_purpose(void)
{
    open_listener();
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    int fd = connect_peer();
    make_preamble(TCP_CONTROL, LINK_VERSION_MAX, bytes);
    check(raw_write(fd, bytes, sizeof(bytes)));
    check_status(poll_until(&purpose, &incoming, 1), HAUL_OK);
    check_equal(purpose, TCP_CONTROL);
    check_equal(incoming.ticket.index, 7);
    check_equal(incoming.ticket.token[15], 0x42);
    check_equal(link_sockaddr_of(&incoming.peer)->ss_family, AF_INET);
    int taken = tcp_listener_take(listener, &incoming).fd;
    check_status(read_answer(fd), HAUL_OK);
    check(raw_write(taken, "x", 1));
    uint8_t byte = 0;
    check(raw_read(fd, &byte, 1));
    check_equal(byte, 'x');
    (void)close(taken);
    (void)close(fd);
    close_listener();
}

static void test_tcp_listener_poll__preamble_byte_by_byte__taken_once_complete(void)
{
    open_listener();
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    int fd = connect_peer();
    make_preamble(TCP_DATA, LINK_VERSION_MAX, bytes);
    for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
        check(raw_write(fd, bytes + i, 1));
        (void)raw_wait(listener_fd(listener), POLLIN);
        check_status(poll_listener(&purpose, &incoming), HAUL_AGAIN);
    }
    check(raw_write(fd, bytes + sizeof(bytes) - 1, 1));
    check_status(poll_until(&purpose, &incoming, 1), HAUL_OK);
    check_equal(purpose, TCP_DATA);
    listener_reject(listener, &incoming, HAUL_AUTH);
    check_status(read_answer(fd), HAUL_AUTH);
    check(raw_ends(fd));
    (void)close(fd);
    close_listener();
}

static void test_tcp_listener_poll__foreign_bytes__closed_without_answer(void)
{
    open_listener();
    int fd = connect_peer();
    check(raw_write(fd, "GET / HTTP/1.1\r\n", 16));
    poll_until_refusal();
    check_equal(lines.count, 1);
    check(strstr(lines.last, "127.0.0.1:") != NULL);
    check(strstr(lines.last, "not a haul peer") != NULL);
    check(raw_ends(fd));
    (void)close(fd);
    check_still_open();
    close_listener();
}

static void test_tcp_listener_poll__damaged_preamble__answered_corrupt(void)
{
    open_listener();
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    int fd = connect_peer();
    make_preamble(TCP_DATA, LINK_VERSION_MAX, bytes);
    bytes[40] ^= 1;
    check(raw_write(fd, bytes, sizeof(bytes)));
    poll_until_refusal();
    check_status(read_answer(fd), HAUL_CORRUPT);
    check(raw_ends(fd));
    check(strstr(lines.last, "damaged") != NULL);
    (void)close(fd);
    check_still_open();
    close_listener();
}

static void test_tcp_listener_poll__other_version__answered_with_ours(void)
{
    open_listener();
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    int fd = connect_peer();
    make_preamble(TCP_DATA, LINK_VERSION_MAX + 1, bytes);
    check(raw_write(fd, bytes, sizeof(bytes)));
    poll_until_refusal();
    check_status(read_answer(fd), HAUL_VERSION);
    check(raw_ends(fd));
    check_equal(lines.count, 1);
    (void)close(fd);
    check_still_open();
    close_listener();
}

static void test_tcp_listener_poll__peer_leaves_early__forgotten(void)
{
    open_listener();
    int fd = connect_peer();
    check(raw_write(fd, "HAUL", 4));
    (void)close(fd);
    poll_until_refusal();
    check(strstr(lines.last, "disconnected before") != NULL);
    check_equal(listener_deadline_ns(listener), CLOCK_NEVER);
    check_still_open();
    close_listener();
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
}

static void test_tcp_listener_poll__slow_peer__reset_at_the_deadline(void)
{
    open_listener();
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    int fd = connect_slow();
    check_equal(listener_deadline_ns(listener),
                fake.now_ns + TCP_PREAMBLE_TIMEOUT_MS * (uint64_t)NS_PER_MS);
    fake_clock_advance_ms(&fake, TCP_PREAMBLE_TIMEOUT_MS - 1);
    check_status(poll_listener(&purpose, &incoming), HAUL_AGAIN);
    check_equal(lines.count, 0);
    fake_clock_advance_ms(&fake, 1);
    check_status(poll_listener(&purpose, &incoming), HAUL_AGAIN);
    check_equal(lines.count, 1);
    check(raw_is_reset(fd));
    (void)close(fd);
    check_still_open();
    close_listener();
}

/* It stays in the kernel: no descriptor, no place, no line in the log. */
static void test_tcp_listener_poll__silent_peers__not_even_accepted(void)
{
    int fds[PEERS_MAX];
    open_listener();
    for (size_t i = 0; i < PEERS_MAX; i++) {
        fds[i] = connect_peer();
    }
    check_still_open();
    check_equal(listener_deadline_ns(listener), CLOCK_NEVER);
    check_equal(lines.count, 1); /* of check_still_open */
    close_all(fds, PEERS_MAX);
    close_listener();
}

static void connect_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct link_address from = host_of(i);
        fds[i] = connect_slow_from(&from);
    }
}

/* A peer that sends gets in, however many do not go on. */
static void test_tcp_listener_poll__65_slow_peers__the_oldest_goes(void)
{
    int fds[PEERS_MAX];
    open_listener();
    connect_all(fds, PEERS_MAX);
    check_equal(lines.count, 1);
    check(raw_is_reset(fds[0]));
    for (size_t i = 1; i < PEERS_MAX; i++) {
        check(is_open(fds[i]));
    }
    close_all(fds, PEERS_MAX);
    check_still_open();
    close_listener();
}

static void test_tcp_listener_poll__full_of_slow_peers__a_sender_gets_in(void)
{
    int fds[PEERS_MAX];
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    open_listener();
    connect_all(fds, TCP_PENDING_MAX);
    fds[TCP_PENDING_MAX] = connect_peer();
    make_preamble(TCP_CONTROL, LINK_VERSION_MAX, bytes);
    check(raw_write(fds[TCP_PENDING_MAX], bytes, sizeof(bytes)));
    check(raw_wait(listener_fd(listener), POLLIN));
    check_status(poll_listener(&purpose, &incoming), HAUL_OK);
    listener_reject(listener, &incoming, HAUL_FENCED);
    check_status(read_answer(fds[TCP_PENDING_MAX]), HAUL_FENCED);
    close_all(fds, PEERS_MAX);
    close_listener();
}

/* One host cannot push out the peers of another one. */
static void test_tcp_listener_poll__more_than_eight_of_a_host__its_oldest_goes(void)
{
    int fds[TCP_PENDING_OF_HOST_MAX + 2];
    const struct link_address another = host_of(0);
    open_listener();
    int first = connect_slow_from(&another);
    for (size_t i = 0; i < CHECK_COUNT(fds); i++) {
        fds[i] = connect_slow();
    }
    check_equal(lines.count, 2);
    check(raw_is_reset(fds[0]));
    check(raw_is_reset(fds[1]));
    check(is_open(first));
    for (size_t i = 2; i < CHECK_COUNT(fds); i++) {
        check(is_open(fds[i]));
    }
    close_all(fds, CHECK_COUNT(fds));
    (void)close(first);
    close_listener();
}

/* The rest of its preamble is there by the time its place is needed: the refusal of a peer that is
 * accepted between the two sends it. */
static void test_tcp_listener_poll__oldest_has_sent_the_rest__stays(void)
{
    int fds[TCP_PENDING_OF_HOST_MAX + 1];
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    open_listener();
    make_preamble(TCP_CONTROL, LINK_VERSION_MAX, bytes);
    for (size_t i = 0; i < CHECK_COUNT(fds); i++) {
        fds[i] = connect_peer();
        check(raw_write(fds[i], "H", 1));
        if (i == 0) {
            int foreign = connect_peer();
            check(raw_write(foreign, "GET", 3));
            (void)close(foreign);
        }
    }
    lines.then_write_to = fds[0];
    lines.then_write = slice_of(bytes + 1, sizeof(bytes) - 1);
    check_or_stop(poll_until(&purpose, &incoming, 2) == HAUL_OK);
    check_equal(lines.count, 1);
    check(strstr(lines.last, "not a haul peer") != NULL);
    listener_reject(listener, &incoming, HAUL_FENCED);
    check_status(read_answer(fds[0]), HAUL_FENCED);
    for (size_t i = 1; i < CHECK_COUNT(fds); i++) {
        check(is_open(fds[i]));
    }
    close_all(fds, CHECK_COUNT(fds));
    close_listener();
}

static void test_tcp_listener_poll__no_descriptor_left__sleeps_and_accepts_later(void)
{
    open_listener();
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    int fd = connect_peer();
    make_preamble(TCP_CONTROL, LINK_VERSION_MAX, bytes);
    check(raw_write(fd, bytes, sizeof(bytes)));
    check(raw_wait(listener_fd(listener), POLLIN));
    struct rlimit limit;
    check_or_stop(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
    check_or_stop(setrlimit(RLIMIT_NOFILE, &none) == 0);
    check_status(poll_listener(&purpose, &incoming), HAUL_AGAIN);
    check_or_stop(setrlimit(RLIMIT_NOFILE, &limit) == 0);

    check_equal(lines.count, 1);
    struct pollfd quiet = {.fd = listener_fd(listener), .events = POLLIN};
    check_equal(poll(&quiet, 1, 0), 0);
    check(listener_deadline_ns(listener) > fake.now_ns);
    check(listener_deadline_ns(listener) != CLOCK_NEVER);

    fake.now_ns = listener_deadline_ns(listener);
    check_status(poll_until(&purpose, &incoming, UINT32_MAX), HAUL_OK);
    listener_reject(listener, &incoming, HAUL_BUSY);
    check_status(read_answer(fd), HAUL_BUSY);
    (void)close(fd);
    close_listener();
}

static void test_tcp_listener_accept__data_peer__link_reports_connected(void)
{
    open_listener();
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum tcp_purpose purpose;
    struct link_incoming incoming;
    struct link *link = NULL;
    struct link_event event;
    int fd = connect_peer();
    make_preamble(TCP_DATA, LINK_VERSION_MAX, bytes);
    check(raw_write(fd, bytes, sizeof(bytes)));
    check_or_stop(poll_until(&purpose, &incoming, 1) == HAUL_OK);
    check_or_stop(accept_end(listener, &incoming, &config, &link, NULL) == HAUL_OK);
    check_status(read_answer(fd), HAUL_OK);
    check_equal(link_poll(link, &event, 1), 1);
    check_equal(event.type, LINK_CONNECTED);
    close_listener();
    /* The link outlives its listener. */
    check(link_arm(link));
    link_destroy(link);
    check(raw_ends(fd));
    (void)close(fd);
}

/* All places are taken by peers that the caller has yet to answer: the next one waits outside. */
static void test_tcp_listener_poll__all_wait_for_an_answer__next_comes_after_one(void)
{
    struct link_incoming incoming[TCP_PENDING_MAX];
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum tcp_purpose purpose;
    int fds[TCP_PENDING_MAX];
    open_listener();
    make_preamble(TCP_CONTROL, LINK_VERSION_MAX, bytes);
    for (int i = 0; i < TCP_PENDING_MAX; i++) {
        fds[i] = connect_peer();
        check(raw_write(fds[i], bytes, sizeof(bytes)));
        check_or_stop(poll_until(&purpose, &incoming[i], UINT32_MAX) == HAUL_OK);
    }
    struct link_incoming next;
    int fd = connect_peer();
    check(raw_write(fd, bytes, sizeof(bytes)));
    check_status(poll_listener(&purpose, &next), HAUL_AGAIN);
    listener_reject(listener, &incoming[0], HAUL_FENCED);
    check_or_stop(poll_until(&purpose, &next, UINT32_MAX) == HAUL_OK);
    listener_reject(listener, &next, HAUL_VERSION);
    check_status(read_answer(fd), HAUL_VERSION);
    check(raw_ends(fd));
    (void)close(fd);
    for (int i = 0; i < TCP_PENDING_MAX; i++) {
        if (i > 0) {
            listener_reject(listener, &incoming[i], HAUL_FENCED);
        }
        (void)close(fds[i]);
    }
    check_still_open();
    close_listener();
}

/* Peers that send sound preambles faster than they are handed out, and one that is slow: each of
 * them is handed out, and the slow one is not dropped for them. */
static void test_tcp_listener_poll__more_ready_than_places__none_is_lost(void)
{
    enum { PEERS = 2 * TCP_PENDING_MAX + 5 };
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum tcp_purpose purpose;
    int fds[PEERS];
    open_listener();
    int slow = connect_slow();
    make_preamble(TCP_DATA, LINK_VERSION_MAX, bytes);
    for (int i = 0; i < PEERS; i++) {
        fds[i] = connect_peer();
        check(raw_write(fds[i], bytes, sizeof(bytes)));
    }
    for (int i = 0; i < PEERS; i++) {
        struct link_incoming incoming;
        check_or_stop(poll_until(&purpose, &incoming, UINT32_MAX) == HAUL_OK);
        listener_reject(listener, &incoming, HAUL_FENCED);
    }
    for (int i = 0; i < PEERS; i++) {
        check_status(read_answer(fds[i]), HAUL_FENCED);
        (void)close(fds[i]);
    }
    struct link_incoming incoming;
    check(raw_write(slow, bytes + 1, sizeof(bytes) - 1));
    check_or_stop(poll_until(&purpose, &incoming, UINT32_MAX) == HAUL_OK);
    listener_reject(listener, &incoming, HAUL_FENCED);
    check_status(read_answer(slow), HAUL_FENCED);
    (void)close(slow);
    close_listener();
}

/* The peer learns why, and nothing of it stays open here. */
static void test_tcp_listener_accept__link_cannot_be_made__answered_and_closed(void)
{
    static const struct haul_link_options impossible[] = {
        {.slot_count = HAUL_SLOT_COUNT_MAX + 1},
        {.slot_count = 1, .slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN + 1},
    };
    for (size_t i = 0; i < CHECK_COUNT(impossible); i++) {
        open_listener();
        uint8_t bytes[TCP_PREAMBLE_BYTES];
        enum tcp_purpose purpose;
        struct link_incoming incoming;
        struct link *link = NULL;
        struct haul_error error = {.status = HAUL_OK};
        int fd = connect_peer();
        make_preamble(TCP_DATA, LINK_VERSION_MAX, bytes);
        check(raw_write(fd, bytes, sizeof(bytes)));
        check_or_stop(poll_until(&purpose, &incoming, 1) == HAUL_OK);
        config.options = impossible[i];
        check_error(accept_end(listener, &incoming, &config, &link, &error), HAUL_INVALID, error);
        check(link == NULL && incoming.handle == NULL);
        check_status(read_answer(fd), HAUL_INVALID);
        check(raw_ends(fd));
        (void)close(fd);
        check_still_open();
        close_listener();
    }
}

static void test_tcp_listener_destroy__peers_pending__dropped(void)
{
    open_listener();
    int fd = connect_slow();
    close_listener();
    check(raw_ends(fd));
    (void)close(fd);
}

static void test_tcp_listener_create__port_in_use__busy_with_hint(void)
{
    open_listener();
    struct listener *second = NULL;
    struct haul_error error;
    check_status(listener_create(HAUL_TRANSPORT_TCP, &address, &config, &second, &error),
                 HAUL_BUSY);
    check(strstr(error.text, "127.0.0.1:") != NULL);
    check(error.hint[0] != '\0');
    check(second == NULL);
    close_listener();
}

static void test_tcp_listener_create__any_ipv6__takes_ipv4_too(void)
{
    fake_clock_init(&fake);
    memset(&lines, 0, sizeof(lines));
    config = (struct link_config){.clock = &fake.clock};
    struct link_address any;
    check_or_stop(link_address_parse("[::]:0", &any, NULL) == HAUL_OK);
    if (listener_create(HAUL_TRANSPORT_TCP, &any, &config, &listener, NULL) != HAUL_OK) {
        check_skip("no IPv6 here");
        return;
    }
    struct link_address bound;
    listener_address(listener, &bound);
    address = raw_loopback();
    ((struct sockaddr_in *)link_sockaddr(&address))->sin_port =
        ((struct sockaddr_in6 *)link_sockaddr(&bound))->sin6_port;
    check_still_open();
    close_listener();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_tcp_listener_poll__sound_preamble__ticket_and_purpose),
    CHECK_TEST(test_tcp_listener_poll__preamble_byte_by_byte__taken_once_complete),
    CHECK_TEST(test_tcp_listener_poll__foreign_bytes__closed_without_answer),
    CHECK_TEST(test_tcp_listener_poll__damaged_preamble__answered_corrupt),
    CHECK_TEST(test_tcp_listener_poll__other_version__answered_with_ours),
    CHECK_TEST(test_tcp_listener_poll__peer_leaves_early__forgotten),
    CHECK_TEST(test_tcp_listener_poll__slow_peer__reset_at_the_deadline),
    CHECK_TEST(test_tcp_listener_poll__silent_peers__not_even_accepted),
    CHECK_TEST(test_tcp_listener_poll__65_slow_peers__the_oldest_goes),
    CHECK_TEST(test_tcp_listener_poll__full_of_slow_peers__a_sender_gets_in),
    CHECK_TEST(test_tcp_listener_poll__more_than_eight_of_a_host__its_oldest_goes),
    CHECK_TEST(test_tcp_listener_poll__oldest_has_sent_the_rest__stays),
    CHECK_TEST(test_tcp_listener_poll__no_descriptor_left__sleeps_and_accepts_later),
    CHECK_TEST(test_tcp_listener_accept__data_peer__link_reports_connected),
    CHECK_TEST(test_tcp_listener_poll__all_wait_for_an_answer__next_comes_after_one),
    CHECK_TEST(test_tcp_listener_poll__more_ready_than_places__none_is_lost),
    CHECK_TEST(test_tcp_listener_accept__link_cannot_be_made__answered_and_closed),
    CHECK_TEST(test_tcp_listener_destroy__peers_pending__dropped),
    CHECK_TEST(test_tcp_listener_create__port_in_use__busy_with_hint),
    CHECK_TEST(test_tcp_listener_create__any_ipv6__takes_ipv4_too),
};
CHECK_MAIN("tcp_listener", tests)
