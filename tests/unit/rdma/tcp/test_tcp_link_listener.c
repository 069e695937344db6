/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_link_listener.c — a TCP listener as any other backend's: data links are taken, control
 * connections are sent away. */
#include "check.h"
#include "control_channel.h"
#include "raw_peer.h"

static struct listener *listener;
static struct link_address address;
static struct link_incoming incoming;
static struct link_event event;

static const struct link_config config = {.options = {.slot_count = 2,
                                                      .slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN,
                                                      .peer_timeout_ms = RAW_PEER_WAIT_MS}};
static const struct link_ticket ticket = {.index = 3};

static void open_listener(void)
{
    address = raw_loopback();
    check_or_stop(listener_create(HAUL_TRANSPORT_TCP, &address, &config, &listener, NULL) ==
                  HAUL_OK);
    listener_address(listener, &address);
    check(listener_fd(listener) >= 0);
}

/* Until somebody has knocked, or `link` (may be NULL) has an event. */
static bool await_either(struct link *link)
{
    for (;;) {
        if (listener_poll(listener, &incoming) == HAUL_OK) {
            return true;
        }
        if (link != NULL && link_poll(link, &event, 1) == 1) {
            return false;
        }
        struct pollfd watched[] = {{.fd = listener_fd(listener), .events = POLLIN},
                                   {.fd = link == NULL ? -1 : link_fd(link), .events = POLLIN}};
        bool idle = link == NULL || link_arm(link);
        check_or_stop(!idle || poll(watched, 2, RAW_PEER_WAIT_MS) > 0);
    }
}

static struct link *knock(void)
{
    struct link *link = NULL;
    check_or_stop(link_connect(HAUL_TRANSPORT_TCP, &address, &ticket, &config, &link, NULL) ==
                  HAUL_OK);
    check_or_stop(await_either(link));
    check_equal(incoming.ticket.index, 3);
    return link;
}

static void test_listener_accept__data_link__connected(void)
{
    struct link *accepted = NULL;
    open_listener();
    struct link *link = knock();
    check_status(listener_accept(listener, &incoming, &config, &accepted, NULL), HAUL_OK);
    check(!await_either(link));
    check_equal(event.type, LINK_CONNECTED);
    link_destroy(link);
    link_destroy(accepted);
    listener_destroy(listener);
}

static void test_listener_reject__data_link__closed_with_the_reason(void)
{
    open_listener();
    struct link *link = knock();
    listener_reject(listener, &incoming, HAUL_AUTH);
    check(!await_either(link));
    check_equal(event.type, LINK_CLOSED);
    check_status(event.error.status, HAUL_AUTH);
    link_destroy(link);
    listener_destroy(listener);
}

static void test_listener_poll__control_connection__sent_away(void)
{
    struct control_channel *channel = NULL;
    struct control_event said;
    open_listener();
    check_or_stop(control_channel_connect(&address, &ticket, &config, &channel, NULL) == HAUL_OK);
    while (!control_channel_poll(channel, &said)) {
        check(listener_poll(listener, &incoming) == HAUL_AGAIN);
        struct pollfd watched[] = {{.fd = listener_fd(listener), .events = POLLIN},
                                   {.fd = control_channel_fd(channel),
                                    .events = (short)control_channel_interest(channel)}};
        check_or_stop(poll(watched, 2, RAW_PEER_WAIT_MS) > 0);
    }
    check_equal(said.type, CONTROL_CLOSED);
    check_status(said.error.status, HAUL_UNSUPPORTED);
    control_channel_destroy(channel);
    listener_destroy(listener);
}

static void test_listener_create__port_in_use__busy(void)
{
    struct listener *second = NULL;
    open_listener();
    check_status(listener_create(HAUL_TRANSPORT_TCP, &address, &config, &second, NULL), HAUL_BUSY);
    check(listener_deadline_ns(listener) > 0);
    listener_destroy(listener);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_listener_accept__data_link__connected),
    CHECK_TEST(test_listener_reject__data_link__closed_with_the_reason),
    CHECK_TEST(test_listener_poll__control_connection__sent_away),
    CHECK_TEST(test_listener_create__port_in_use__busy),
};

CHECK_MAIN("tcp_link_listener", tests)
