/* SPDX-License-Identifier: Apache-2.0 */
/* test_acceptor.c — which connection comes in by which door, and which doors there are. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "acceptor.h"
#include "check.h"
#include "link_ends.h"
#include "loopback_hub.h"
#include "raw_peer.h"
#include "seeming_peer.h"
#include "tcp_preamble.h"

static bool loopback_only;
static struct poll_group *group;
static struct acceptor *acceptor;
static struct loopback_hub *hub;
static char said[512];

static void keep_line(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    (void)level;
    (void)snprintf(said, sizeof(said), "%s", line);
}

static const struct haul_log log_sink = {.write = keep_line, .level_max = HAUL_LOG_DEBUG};

static enum haul_status open_at(const char *listen, enum haul_transport first,
                                enum haul_transport second, struct haul_error *error)
{
    said[0] = '\0';
    check_or_stop(poll_group_create(0, NULL, &group) == HAUL_OK);
    check_or_stop(loopback_hub_create(&hub) == HAUL_OK);
    const struct acceptor_options options = {
        .listen = listen,
        .loopback_only = loopback_only,
        .transports = {{first, second}},
        .config = {.log = &log_sink, .hub = hub},
        .group = group,
    };
    return acceptor_create(&options, &acceptor, error);
}

static void end(void)
{
    acceptor_destroy(acceptor);
    acceptor = NULL;
    loopback_hub_destroy(hub);
    poll_group_destroy(group);
}

static int connect_peer(enum tcp_purpose purpose)
{
    struct link_address address;
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    const struct link_ticket ticket = {
        .version_min = LINK_VERSION_MAX, .version_max = LINK_VERSION_MAX, .index = 3};
    acceptor_address(acceptor, &address);
    int fd = raw_connect(&address);
    tcp_preamble_encode(purpose, &ticket, bytes);
    check_or_stop(fd >= 0 && raw_write(fd, bytes, sizeof(bytes)));
    return fd;
}

static enum haul_status read_answer(int fd)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    enum haul_status answer = HAUL_INTERNAL;
    uint16_t version_min;
    uint16_t version_max;
    return raw_read(fd, bytes, sizeof(bytes)) &&
                   tcp_answer_decode(bytes, &answer, &version_min, &version_max) == HAUL_OK
               ? answer
               : HAUL_INTERNAL;
}

/* The next arrival, awaited as a loop does. */
static enum haul_status next(struct acceptor_arrival *arrival)
{
    for (int i = 0; i < 100; i++) {
        if (acceptor_poll(acceptor, arrival) == HAUL_OK) {
            return HAUL_OK;
        }
        (void)poll_group_wait(group, false, clock_deadline_ns(&clock_monotonic, 50));
    }
    return HAUL_AGAIN;
}

static void test_acceptor_poll__several_at_once__each_once_and_by_its_kind(void)
{
    enum { PEERS = 5 };
    int fds[PEERS];
    unsigned controls = 0;
    check_status(open_at("127.0.0.1:0", HAUL_TRANSPORT_TCP, HAUL_TRANSPORT_NONE, NULL), HAUL_OK);
    for (int i = 0; i < PEERS; i++) {
        fds[i] = connect_peer(i % 2 == 0 ? TCP_CONTROL : TCP_DATA);
    }
    for (int i = 0; i < PEERS; i++) {
        struct acceptor_arrival arrival;
        check_status(next(&arrival), HAUL_OK);
        check_equal(arrival.incoming.ticket.index, 3);
        controls += arrival.incoming.control;
        listener_reject(arrival.listener, &arrival.incoming, HAUL_FENCED);
    }
    check_equal(controls, 3);
    for (int i = 0; i < PEERS; i++) {
        check_status(read_answer(fds[i]), HAUL_FENCED);
        (void)close(fds[i]);
    }
    end();
}

static void test_acceptor_take__control_connection__socket_is_ours(void)
{
    struct acceptor_arrival arrival;
    uint8_t byte = 0;
    check_status(open_at("127.0.0.1:0", HAUL_TRANSPORT_TCP, HAUL_TRANSPORT_NONE, NULL), HAUL_OK);
    int fd = connect_peer(TCP_CONTROL);
    check_status(next(&arrival), HAUL_OK);
    int taken = acceptor_take(&arrival).fd;
    check_status(read_answer(fd), HAUL_OK);
    check(raw_write(taken, "x", 1) && raw_read(fd, &byte, 1));
    check_equal(byte, 'x');
    (void)close(taken);
    (void)close(fd);
    end();
}

/* Control connections come over TCP whatever the links use. */
static void test_acceptor_poll__list_without_tcp__control_comes_and_links_are_refused(void)
{
    struct acceptor_arrival arrival;
    char reason[ACCEPTOR_REASON_BYTES_MAX];
    check_status(open_at("127.0.0.1:0", HAUL_TRANSPORT_LOOPBACK, HAUL_TRANSPORT_NONE, NULL),
                 HAUL_OK);
    int data = connect_peer(TCP_DATA);
    int control = connect_peer(TCP_CONTROL);
    check_status(next(&arrival), HAUL_OK);
    check(arrival.incoming.control);
    listener_reject(arrival.listener, &arrival.incoming, HAUL_BUSY);
    check_status(read_answer(data), HAUL_UNSUPPORTED);
    check_status(read_answer(control), HAUL_BUSY);
    check(!acceptor_offers(acceptor, HAUL_TRANSPORT_TCP, reason));
    check_text(reason, "it uses other transports only");
    check(acceptor_offers(acceptor, HAUL_TRANSPORT_LOOPBACK, reason));
    check_text(reason, "");
    (void)close(data);
    (void)close(control);
    end();
}

/* A transport listens at the address that TCP was given, and the same poll returns its links. */
static void test_acceptor_poll__second_transport__its_links_come_in(void)
{
    struct acceptor_arrival arrival;
    struct link_address address;
    struct link *sender = NULL;
    struct link *receiver = NULL;
    check_status(open_at("127.0.0.1:0", HAUL_TRANSPORT_TCP, HAUL_TRANSPORT_LOOPBACK, NULL),
                 HAUL_OK);
    const struct link_ticket ticket = {.index = 9};
    const struct link_config config = {.hub = hub, .epoch = 1};
    acceptor_address(acceptor, &address);
    check_or_stop(connect_end(HAUL_TRANSPORT_LOOPBACK, &address, &ticket, &config, &sender, NULL) ==
                  HAUL_OK);
    check_status(next(&arrival), HAUL_OK);
    check(!arrival.incoming.control);
    check_equal(arrival.incoming.ticket.index, 9);
    check_status(accept_end(arrival.listener, &arrival.incoming, &config, &receiver, NULL),
                 HAUL_OK);
    check_equal(link_transport(receiver), HAUL_TRANSPORT_LOOPBACK);
    link_destroy(receiver);
    link_destroy(sender);
    end();
}

/* A transport that cannot listen is left out, with a log line, if another can replace it; alone it
 * is an error. */
static void test_acceptor_create__transport_cannot_listen__left_out_or_an_error(void)
{
    const enum haul_transport unknown = (enum haul_transport)77;
    char reason[ACCEPTOR_REASON_BYTES_MAX];
    struct haul_error error = {0};
    check_status(open_at("127.0.0.1:0", unknown, HAUL_TRANSPORT_TCP, &error), HAUL_OK);
    check(strstr(said, "no none links here: this build has no none links") != NULL);
    check(!acceptor_offers(acceptor, unknown, reason));
    check(strstr(reason, "this build has no none links") != NULL);
    check(acceptor_offers(acceptor, HAUL_TRANSPORT_TCP, reason));
    end();
    check_error(open_at("127.0.0.1:0", unknown, HAUL_TRANSPORT_NONE, &error), HAUL_UNSUPPORTED,
                error);
    end();
}

static void test_acceptor_create__bad_address_or_port_in_use__error(void)
{
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
    struct link_address address;
    struct haul_error error = {0};
    check_error(open_at("nonsense", HAUL_TRANSPORT_TCP, HAUL_TRANSPORT_NONE, &error), HAUL_INVALID,
                error);
    end();
    check_status(open_at("127.0.0.1:0", HAUL_TRANSPORT_TCP, HAUL_TRANSPORT_NONE, NULL), HAUL_OK);
    acceptor_address(acceptor, &address);
    link_address_format(&address, text);
    struct acceptor *second = NULL;
    const struct acceptor_options options = {
        .listen = text, .transports = {{HAUL_TRANSPORT_TCP}}, .group = group};
    check_error(acceptor_create(&options, &second, &error), HAUL_BUSY, error);
    check(second == NULL);
    end();
}

/* One connection arrives, whose peer seems to be `from`. */
static void check_peer(const char *from, bool only_this_host, bool let_in)
{
    struct acceptor_arrival arrival;
    loopback_only = only_this_host;
    seeming_peer = from;
    check_status(open_at("127.0.0.1:0", HAUL_TRANSPORT_TCP, HAUL_TRANSPORT_NONE, NULL), HAUL_OK);
    int fd = connect_peer(TCP_CONTROL);
    enum haul_status status = acceptor_poll(acceptor, &arrival);
    for (int i = 0; i < 100 && status == HAUL_AGAIN && said[0] == '\0'; i++) {
        (void)poll_group_wait(group, false, clock_deadline_ns(&clock_monotonic, 50));
        status = acceptor_poll(acceptor, &arrival);
    }
    check_status(status, let_in ? HAUL_OK : HAUL_AGAIN);
    check((strstr(said, "only this host is trusted") == NULL) == let_in);
    if (status == HAUL_OK) {
        listener_reject(arrival.listener, &arrival.incoming, HAUL_FENCED);
    }
    check(let_in ? read_answer(fd) == HAUL_FENCED : raw_ends(fd));
    (void)close(fd);
    seeming_peer = NULL;
    loopback_only = false;
    end();
}

/* The kernel lets neighbours reach 127.0.0.1 where net.ipv4.conf.all.route_localnet is 1. */
static void test_acceptor_poll__loopback_only_and_peer_elsewhere__closed(void)
{
    check_peer("10.9.0.2:1234", true, false);
    check_peer("[fd00:9::2]:1234", true, false);
    check_peer("[::ffff:10.9.0.2]:1234", true, false);
    check_peer("0.0.0.0:1234", true, false);
    check_peer("[::]:1234", true, false);
}

static void test_acceptor_poll__loopback_only_and_peer_here__arrives(void)
{
    check_peer("127.0.0.1:1234", true, true);
    check_peer("127.200.3.4:1234", true, true);
    check_peer("[::1]:1234", true, true);
    check_peer("[::ffff:127.0.0.1]:1234", true, true);
}

static void test_acceptor_poll__any_host_and_peer_elsewhere__arrives(void)
{
    check_peer("10.9.0.2:1234", false, true);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_acceptor_poll__loopback_only_and_peer_elsewhere__closed),
    CHECK_TEST(test_acceptor_poll__loopback_only_and_peer_here__arrives),
    CHECK_TEST(test_acceptor_poll__any_host_and_peer_elsewhere__arrives),
    CHECK_TEST(test_acceptor_poll__several_at_once__each_once_and_by_its_kind),
    CHECK_TEST(test_acceptor_take__control_connection__socket_is_ours),
    CHECK_TEST(test_acceptor_poll__list_without_tcp__control_comes_and_links_are_refused),
    CHECK_TEST(test_acceptor_poll__second_transport__its_links_come_in),
    CHECK_TEST(test_acceptor_create__transport_cannot_listen__left_out_or_an_error),
    CHECK_TEST(test_acceptor_create__bad_address_or_port_in_use__error),
};
CHECK_MAIN("acceptor", tests)
