/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_listener.c — requests to a listener, and devices that come and go under it. */
#include <ifaddrs.h>

#include "verbs_fixture.h"
#include "verbs_listener.h"

static struct listener *listening;
static struct link_incoming incoming;

static enum haul_status listen_on(const char *text, struct haul_error *error)
{
    struct link_address address;
    check_or_stop(link_address_parse(text, &address, NULL) == HAUL_OK);
    return verbs_listener_create(&fake_api, &address, &config, &listening, error);
}

static void begin_listening(void)
{
    fixture_begin();
    check_or_stop(listen_on("10.1.2.3:4", NULL) == HAUL_OK);
}

static void bring_request(const void *data, uint8_t size)
{
    fake_cm_bring(fake_make_id(fake.channel), RDMA_CM_EVENT_CONNECT_REQUEST, 0, data, size);
}

static void end_listening(void)
{
    listener_destroy(listening);
    listening = NULL;
    check(fake_is_clean());
}

static void check_refused_inside(enum haul_status status)
{
    struct verbs_refusal refusal;
    check_status(listener_poll(listening, &incoming), HAUL_AGAIN);
    check_status(verbs_refusal_decode(fake.shown, fake.shown_size, &refusal), HAUL_OK);
    check_status(refusal.status, status);
    end_listening();
}

static void test_listener_poll__greeting_with_padding__taken(void)
{
    uint8_t greeting[VERBS_GREETING_BYTES + 4] = {0};
    const struct link_ticket ticket = {.index = 8};
    begin_listening();
    verbs_greeting_encode(&ticket, greeting);
    bring_request(greeting, sizeof(greeting));
    check_status(listener_poll(listening, &incoming), HAUL_OK);
    check_equal(incoming.ticket.index, 8);
    listener_reject(listening, &incoming, HAUL_AUTH);
    end_listening();
}

static void test_listener_poll__damaged_greeting__refused_inside(void)
{
    uint8_t greeting[VERBS_GREETING_BYTES];
    const struct link_ticket ticket = {.index = 8};
    begin_listening();
    verbs_greeting_encode(&ticket, greeting);
    greeting[9] ^= 1;
    bring_request(greeting, sizeof(greeting));
    check_refused_inside(HAUL_CORRUPT);
}

static void test_listener_poll__no_greeting__refused_inside(void)
{
    begin_listening();
    bring_request(NULL, 0);
    check_refused_inside(HAUL_PROTOCOL);
}

static void test_listener_poll__newer_versions_only__refused_inside(void)
{
    uint8_t greeting[VERBS_GREETING_BYTES];
    const struct link_ticket ticket = {.version_min = LINK_VERSION_MAX + 1,
                                       .version_max = LINK_VERSION_MAX + 2};
    begin_listening();
    verbs_greeting_encode(&ticket, greeting);
    bring_request(greeting, sizeof(greeting));
    check_refused_inside(HAUL_VERSION);
}

/* As many may wait as there are places; the next one gets BUSY, and comes again. */
static void test_listener_poll__all_places_taken__busy_until_one_is_answered(void)
{
    uint8_t greeting[VERBS_GREETING_BYTES];
    const struct link_ticket ticket = {.index = 8};
    struct link_incoming first;
    struct verbs_refusal refusal;
    begin_listening();
    verbs_greeting_encode(&ticket, greeting);
    for (int i = 0; i < VERBS_LISTENER_PENDING_MAX; i++) {
        bring_request(greeting, sizeof(greeting));
        check_or_stop(listener_poll(listening, i == 0 ? &first : &incoming) == HAUL_OK);
    }
    bring_request(greeting, sizeof(greeting));
    check_status(listener_poll(listening, &incoming), HAUL_AGAIN);
    check_status(verbs_refusal_decode(fake.shown, fake.shown_size, &refusal), HAUL_OK);
    check_status(refusal.status, HAUL_BUSY);
    listener_reject(listening, &first, HAUL_AUTH);
    check(first.handle == NULL);
    bring_request(greeting, sizeof(greeting));
    check_status(listener_poll(listening, &incoming), HAUL_OK);
    end_listening();
}

static void bring_request_from(const char *host)
{
    uint8_t greeting[VERBS_GREETING_BYTES];
    const struct link_ticket ticket = {.index = 8};
    struct link_address peer;
    struct rdma_cm_id *id = fake_make_id(fake.channel);
    check_or_stop(link_address_parse(host, &peer, NULL) == HAUL_OK);
    memcpy(&id->route.addr.dst_storage, peer.storage, peer.size);
    verbs_greeting_encode(&ticket, greeting);
    fake_cm_bring(id, RDMA_CM_EVENT_CONNECT_REQUEST, 0, greeting, sizeof(greeting));
}

static void begin_listening_here_only(void)
{
    fixture_begin();
    config.loopback_only = true;
    check_or_stop(listen_on("127.0.0.1:4", NULL) == HAUL_OK);
}

static void test_listener_poll__loopback_only_and_peer_elsewhere__refused_inside(void)
{
    static const char *const hosts[] = {"10.9.0.2:1", "[fd00:9::2]:1", "[::ffff:10.9.0.2]:1"};
    for (size_t i = 0; i < CHECK_COUNT(hosts); i++) {
        begin_listening_here_only();
        bring_request_from(hosts[i]);
        check_refused_inside(HAUL_AUTH);
    }
}

static void test_listener_poll__loopback_only_and_peer_here__taken(void)
{
    static const char *const hosts[] = {"127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"};
    for (size_t i = 0; i < CHECK_COUNT(hosts); i++) {
        begin_listening_here_only();
        bring_request_from(hosts[i]);
        check_status(listener_poll(listening, &incoming), HAUL_OK);
        listener_reject(listening, &incoming, HAUL_AUTH);
        end_listening();
    }
}

static void test_listener_destroy__peer_not_answered__dropped(void)
{
    uint8_t greeting[VERBS_GREETING_BYTES];
    const struct link_ticket ticket = {.index = 8};
    begin_listening();
    verbs_greeting_encode(&ticket, greeting);
    bring_request(greeting, sizeof(greeting));
    check_status(listener_poll(listening, &incoming), HAUL_OK);
    end_listening();
}

/* --- devices that go and come back ----------------------------------------------------------- */

/* The device goes; `failures` attempts to reopen it fail. */
static void lose_device(enum rdma_cm_event_type type, unsigned failures)
{
    begin_listening();
    check(listener_is_open(listening, NULL));
    check(listener_deadline_ns(listening) == CLOCK_NEVER);
    fake_cm(type, 0);
    check_status(listener_poll(listening, &incoming), HAUL_AGAIN);
    check(!listener_is_open(listening, NULL));
    check_equal(fake.ids, 0);
    for (unsigned i = 0; i < failures; i++) {
        ticking.now_ns = listener_deadline_ns(listening);
        fake.fail_at = fake.call_count + 2; /* the id can be created, but not bound */
        fake.fail_code = ENODEV;
        check_status(listener_poll(listening, &incoming), HAUL_AGAIN);
        check(!listener_is_open(listening, NULL));
        check_equal(fake.ids, 0);
    }
}

static void check_back(void)
{
    struct link_address address;
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
    ticking.now_ns = listener_deadline_ns(listening);
    check_status(listener_poll(listening, &incoming), HAUL_AGAIN);
    check(listener_is_open(listening, NULL));
    check(listener_deadline_ns(listening) == CLOCK_NEVER);
    check_equal(fake.ids, 1);
    listener_address(listening, &address);
    link_address_format(&address, text);
    check_text(text, "10.1.2.3:4");
    end_listening();
}

static void test_listener_poll__device_removed__says_so_and_listens_again_when_it_is_back(void)
{
    struct haul_error error;
    lose_device(RDMA_CM_EVENT_DEVICE_REMOVAL, 3);
    check(!listener_is_open(listening, &error));
    check_status(error.status, HAUL_UNSUPPORTED);
    check_text(error.text, "the RDMA listener on 10.1.2.3:4 is down: the RDMA device was removed");
    check_back();
}

static void test_listener_poll__address_moved__listens_again(void)
{
    lose_device(RDMA_CM_EVENT_ADDR_CHANGE, 0);
    check_back();
}

static void test_listener_poll__before_its_deadline__leaves_the_device_alone(void)
{
    lose_device(RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
    ticking.now_ns = listener_deadline_ns(listening) - 1;
    check_status(listener_poll(listening, &incoming), HAUL_AGAIN);
    check(!listener_is_open(listening, NULL));
    check_back();
}

static void test_listener_poll__device_stays_away__pauses_grow_to_a_limit(void)
{
    const uint64_t limit_ns = UINT64_C(5000000000);
    lose_device(RDMA_CM_EVENT_DEVICE_REMOVAL, 1);
    uint64_t first = listener_deadline_ns(listening) - ticking.now_ns;
    check(first < limit_ns);
    end_listening();
    lose_device(RDMA_CM_EVENT_DEVICE_REMOVAL, 20);
    check_equal(listener_deadline_ns(listening) - ticking.now_ns, limit_ns);
    end_listening();
}

static void test_listener_poll__pending_peers_device_removed__listener_stays_open(void)
{
    uint8_t greeting[VERBS_GREETING_BYTES];
    const struct link_ticket ticket = {.index = 8};
    begin_listening();
    verbs_greeting_encode(&ticket, greeting);
    bring_request(greeting, sizeof(greeting));
    check_status(listener_poll(listening, &incoming), HAUL_OK);
    fake_cm_bring(incoming.handle, RDMA_CM_EVENT_DEVICE_REMOVAL, 0, NULL, 0);
    check_status(listener_poll(listening, &incoming), HAUL_AGAIN);
    check(listener_is_open(listening, NULL));
    end_listening();
}

/* --- every address --------------------------------------------------------------------------- */

static int count_addresses(bool six)
{
    struct ifaddrs *all;
    int count = 0;
    check_or_stop(getifaddrs(&all) == 0);
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        int family = one->ifa_addr == NULL ? AF_UNSPEC : one->ifa_addr->sa_family;
        count += family == AF_INET || (six && family == AF_INET6) ? 1 : 0;
    }
    freeifaddrs(all);
    return count;
}

static void check_listening_on_all(const char *text, bool one_by_one, int count)
{
    struct link_address address;
    fixture_begin();
    fake.listens_not_on_all = one_by_one;
    check_or_stop(listen_on(text, NULL) == HAUL_OK);
    check(listener_is_open(listening, NULL));
    check_equal(fake.listening, count);
    check_equal(fake.ids, count);
    listener_address(listening, &address);
    char shown[LINK_ADDRESS_TEXT_BYTES_MAX];
    link_address_format(&address, shown);
    check(strstr(shown, ":5000") != NULL);
    end_listening();
}

static void test_listener_create__every_address__one_id(void)
{
    check_listening_on_all("0.0.0.0:0", false, 1);
    check_listening_on_all("[::]:0", false, 1);
}

static void test_listener_create__one_device_cannot_listen__the_others_do(void)
{
    int four = count_addresses(false);
    int both = count_addresses(true);
    check_or_stop(both >= four && four > 0 && both <= VERBS_LISTENER_ADDRESSES_MAX);
    check_listening_on_all("0.0.0.0:0", true, four);
    check_listening_on_all("[::]:0", true, both);
}

static void test_listener_create__no_device_can_listen__error_of_the_first_attempt(void)
{
    struct haul_error error;
    fixture_begin();
    fake.listens_not_on_all = true;
    fake.device.transport_type = IBV_TRANSPORT_IWARP;
    check_status(listen_on("0.0.0.0:7", &error), HAUL_BUSY);
    check_text(error.text, "0.0.0.0:7 is in use");
    check(fake_is_clean());
}

static void test_listener_create__address_on_an_iwarp_device__unsupported(void)
{
    fixture_begin();
    fake.device.transport_type = IBV_TRANSPORT_IWARP;
    check_status(listen_on("10.1.2.3:4", NULL), HAUL_UNSUPPORTED);
    check_equal(fake.listening, 0);
    check(fake_is_clean());
}

static const struct check_test tests[] = {
    CHECK_TEST(test_listener_poll__greeting_with_padding__taken),
    CHECK_TEST(test_listener_poll__damaged_greeting__refused_inside),
    CHECK_TEST(test_listener_poll__no_greeting__refused_inside),
    CHECK_TEST(test_listener_poll__newer_versions_only__refused_inside),
    CHECK_TEST(test_listener_poll__all_places_taken__busy_until_one_is_answered),
    CHECK_TEST(test_listener_poll__loopback_only_and_peer_elsewhere__refused_inside),
    CHECK_TEST(test_listener_poll__loopback_only_and_peer_here__taken),
    CHECK_TEST(test_listener_destroy__peer_not_answered__dropped),
    CHECK_TEST(test_listener_poll__device_removed__says_so_and_listens_again_when_it_is_back),
    CHECK_TEST(test_listener_poll__address_moved__listens_again),
    CHECK_TEST(test_listener_poll__before_its_deadline__leaves_the_device_alone),
    CHECK_TEST(test_listener_poll__device_stays_away__pauses_grow_to_a_limit),
    CHECK_TEST(test_listener_poll__pending_peers_device_removed__listener_stays_open),
    CHECK_TEST(test_listener_create__every_address__one_id),
    CHECK_TEST(test_listener_create__one_device_cannot_listen__the_others_do),
    CHECK_TEST(test_listener_create__no_device_can_listen__error_of_the_first_attempt),
    CHECK_TEST(test_listener_create__address_on_an_iwarp_device__unsupported),
};
CHECK_MAIN("verbs_listener", tests)
