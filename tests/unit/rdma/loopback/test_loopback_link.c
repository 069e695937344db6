/* SPDX-License-Identifier: Apache-2.0 */
/* test_loopback_link.c — what the conformance suite, which covers all transports, does not test of
 * the one in memory: its ports, its description, and blocks that do not fit. */
#include <string.h>
#include <sys/resource.h>

#include "check.h"
#include "credit.h"
#include "link_ends.h"
#include "link_sockaddr.h"
#include "loopback_hub.h"
#include "raw_peer.h"

enum { SLOT_BYTES = HAUL_SLOT_SIZE_BYTES_MIN, PEER_TIMEOUT_MS = 3000, PAYLOAD_BYTES = 10 };

static struct loopback_hub *hub;
static struct fake_clock ticking;
static struct listener *listener;
static struct link_address address;
static struct link *sender;
static struct link *receiver;
static struct link_event event;

static struct link_config config_of(uint64_t first_sequence)
{
    struct link_config config = {
        .clock = &ticking.clock, .hub = hub, .first_sequence = first_sequence};
    config.options = (struct haul_link_options){
        .slot_count = 2, .slot_size_bytes = SLOT_BYTES, .peer_timeout_ms = PEER_TIMEOUT_MS};
    return config;
}

static void open_hub(void)
{
    struct link_config config;
    fake_clock_init(&ticking);
    check_or_stop(loopback_hub_create(&hub) == HAUL_OK);
    config = config_of(0);
    address = raw_loopback();
    check_or_stop(listener_create(HAUL_TRANSPORT_LOOPBACK, &address, &config, &listener, NULL) ==
                  HAUL_OK);
    listener_address(listener, &address);
}

static enum haul_status connect_one(struct link **link)
{
    const struct link_ticket ticket = {.index = 1};
    struct link_config config = config_of(0);
    return connect_end(HAUL_TRANSPORT_LOOPBACK, &address, &ticket, &config, link, NULL);
}

static void open_links(uint64_t receivers_sequence)
{
    struct link_incoming incoming;
    open_hub();
    struct link_config config = config_of(receivers_sequence);
    check_or_stop(connect_one(&sender) == HAUL_OK);
    check_or_stop(listener_poll(listener, &incoming) == HAUL_OK);
    check_or_stop(accept_end(listener, &incoming, &config, &receiver, NULL) == HAUL_OK);
    check_or_stop(link_poll(sender, &event, 1) == 1 && event.type == LINK_CONNECTED);
    check_or_stop(link_poll(receiver, &event, 1) == 1 && event.type == LINK_CONNECTED);
}

static void bind_links(void)
{
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    size_t size = link_describe(sender, description);
    check_or_stop(link_bind(receiver, description, size, NULL) == HAUL_OK);
    size = link_describe(receiver, description);
    check_or_stop(link_bind(sender, description, size, NULL) == HAUL_OK);
}

static void close_hub(void)
{
    if (sender != NULL) {
        link_destroy(sender);
    }
    if (receiver != NULL) {
        link_destroy(receiver);
    }
    sender = NULL;
    receiver = NULL;
    listener_destroy(listener);
    loopback_hub_destroy(hub);
}

static void submit(void)
{
    struct block *block = NULL;
    check_or_stop(block_pool_acquire(link_pool((struct link_tx){sender}), 0, &block) == HAUL_OK);
    block->header.payload_size_bytes = PAYLOAD_BYTES;
    check_or_stop(link_submit((struct link_tx){sender}, block) == HAUL_OK);
}

static void check_closed(struct link *link, enum haul_status status)
{
    check_or_stop(link_poll(link, &event, 1) == 1);
    check_equal(event.type, LINK_CLOSED);
    check_status(event.error->status, status);
}

/* --- ports ------------------------------------------------------------------------------------ */

static void test_listener_create__port_in_use__busy(void)
{
    struct listener *second = NULL;
    open_hub();
    struct link_config config = config_of(0);
    check_status(listener_create(HAUL_TRANSPORT_LOOPBACK, &address, &config, &second, NULL),
                 HAUL_BUSY);
    close_hub();
}

static void test_listener_create__free_port_after_one_that_was_asked_for__another(void)
{
    struct listener *third = NULL;
    struct listener *second = NULL;
    struct link_address next = address;
    open_hub();
    struct link_config config = config_of(0);
    next = address;
    struct sockaddr_in *in = (struct sockaddr_in *)link_sockaddr(&next);
    in->sin_port = htons((uint16_t)(ntohs(in->sin_port) + 1));
    check_or_stop(listener_create(HAUL_TRANSPORT_LOOPBACK, &next, &config, &second, NULL) ==
                  HAUL_OK);
    next = raw_loopback();
    check_or_stop(listener_create(HAUL_TRANSPORT_LOOPBACK, &next, &config, &third, NULL) ==
                  HAUL_OK);
    struct link_address one;
    struct link_address other;
    listener_address(second, &one);
    listener_address(third, &other);
    check(memcmp(&one.storage, &other.storage, one.size) != 0);
    listener_destroy(second); /* from the middle */
    listener_destroy(third);
    close_hub();
}

static void test_link_connect__nobody_listens__refused(void)
{
    open_hub();
    ((struct sockaddr_in *)link_sockaddr(&address))->sin_port = htons(999);
    check_status(connect_one(&sender), HAUL_REFUSED);
    close_hub();
}

static void test_link_connect__too_many_wait__refused(void)
{
    enum { WAITING_MAX = 64 };
    static struct link *links[WAITING_MAX];
    open_hub();
    for (size_t i = 0; i < WAITING_MAX; i++) {
        check_or_stop(connect_one(&links[i]) == HAUL_OK);
    }
    check_status(connect_one(&sender), HAUL_REFUSED);
    listener_destroy(listener);
    for (size_t i = 0; i < WAITING_MAX; i++) {
        check_closed(links[i], HAUL_REFUSED); /* the listener is gone */
        link_destroy(links[i]);
    }
    loopback_hub_destroy(hub);
}

/* Allow no descriptor beyond the open ones; returns the limit before. */
static struct rlimit limit_descriptors(void)
{
    struct rlimit before;
    check_or_stop(getrlimit(RLIMIT_NOFILE, &before) == 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    check_or_stop(setrlimit(RLIMIT_NOFILE, &none) == 0);
    return before;
}

static void test_link_connect__no_descriptors__limit(void)
{
    struct listener *second = NULL;
    open_hub();
    struct link_config config = config_of(0);
    struct link_address any = raw_loopback();
    struct rlimit before = limit_descriptors();
    enum haul_status connected = connect_one(&sender);
    enum haul_status listening =
        listener_create(HAUL_TRANSPORT_LOOPBACK, &any, &config, &second, NULL);
    check_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    check_status(connected, HAUL_LIMIT);
    check_status(listening, HAUL_LIMIT);
    close_hub();
}

static void test_loopback_hub_destroy__none__nothing(void)
{
    loopback_hub_destroy(NULL);
    check(true);
}

/* --- descriptions ----------------------------------------------------------------------------- */

static void test_link_bind__malformed__protocol_and_not_bound(void)
{
    uint8_t sound[LINK_DESCRIPTION_BYTES_MAX + 1];
    open_links(0);
    size_t size = link_describe(sender, sound);
    for (size_t cut = 0; cut < size; cut++) {
        check_status(link_bind(receiver, sound, cut, NULL), HAUL_PROTOCOL);
    }
    check_status(link_bind(receiver, sound, size + 1, NULL), HAUL_PROTOCOL);
    for (size_t at = 0; at < 8; at++) { /* the magic, and how many slots */
        uint8_t bent[LINK_DESCRIPTION_BYTES_MAX];
        memcpy(bent, sound, size);
        bent[at] ^= at == 4 ? 2 : 0x80; /* no slot, or too many */
        check_status(link_bind(receiver, bent, size, NULL), HAUL_PROTOCOL);
    }
    check(!link_is_bound(receiver));
    close_hub();
}

static void test_link_bind__other_slots__mismatch(void)
{
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    open_links(0);
    size_t size = link_describe(sender, description);
    description[9] ^= 0x40;
    check_status(link_bind(receiver, description, size, NULL), HAUL_MISMATCH);
    close_hub();
}

static void test_link_bind__closed_before__closed(void)
{
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    open_links(0);
    size_t size = link_describe(sender, description);
    link_close(receiver);
    check_status(link_bind(receiver, description, size, NULL), HAUL_CLOSED);
    close_hub();
}

/* --- blocks and ends -------------------------------------------------------------------------- */

static void test_link_poll__block_out_of_sequence__protocol(void)
{
    open_links(1);
    bind_links();
    submit();
    check_closed(receiver, HAUL_PROTOCOL);
    close_hub();
}

static void test_link_poll__closed_with_a_block_on_its_way__cancelled_on_both_sides(void)
{
    open_links(0);
    bind_links();
    link_close(receiver);
    submit();
    check_closed(receiver, HAUL_CANCELLED);
    check_or_stop(link_poll(sender, &event, 1) == 1 && event.type == LINK_DONE);
    check_status(event.status, HAUL_CANCELLED);
    block_pool_release(link_pool((struct link_tx){sender}), event.block);
    check_closed(sender, HAUL_CLOSED);
    close_hub();
}

static void test_link_close__before_the_answer__cancelled(void)
{
    open_hub();
    check_or_stop(connect_one(&sender) == HAUL_OK);
    link_close(sender);
    link_close(sender);
    check_closed(sender, HAUL_CANCELLED);
    check_equal(link_poll(sender, &event, 1), 0);
    close_hub();
}

static void test_link_poll__no_answer__timeout(void)
{
    open_hub();
    check_or_stop(connect_one(&sender) == HAUL_OK);
    check_equal(link_poll(sender, &event, 1), 0);
    fake_clock_advance_ms(&ticking, PEER_TIMEOUT_MS);
    check(link_deadline_ns(sender) <= ticking.now_ns);
    check_closed(sender, HAUL_TIMEOUT);
    close_hub();
}

static void test_link_poll__end_that_the_peer_never_says__timeout(void)
{
    open_links(0);
    bind_links();
    link_close(sender);
    check_equal(link_poll(sender, &event, 1), 0);
    fake_clock_advance_ms(&ticking, PEER_TIMEOUT_MS);
    check_closed(sender, HAUL_TIMEOUT);
    check_closed(receiver, HAUL_OK); /* nothing was in flight, and the end was sent */
    close_hub();
}

/* The other end's close wakes a sleeper. */
static void test_link_close__either_end__the_other_one_wakes(void)
{
    for (int sending = 0; sending < 2; sending++) {
        open_links(0);
        bind_links();
        struct link *sleeping = sending ? sender : receiver;
        check_equal(link_poll(sleeping, &event, 1), 0);
        check(link_arm(sleeping));
        struct pollfd watched = {.fd = link_fd(sleeping), .events = POLLIN};
        check_equal(poll(&watched, 1, 0), 0);
        link_close(sending ? receiver : sender);
        check_equal(poll(&watched, 1, 0), 1);
        close_hub();
    }
}

static void test_link_poll__room_for_one_event__one_after_the_other(void)
{
    open_links(0);
    bind_links();
    submit();
    submit();
    for (int i = 0; i < 2; i++) {
        check_or_stop(link_poll(receiver, &event, 1) == 1 && event.type == LINK_RECEIVED);
        link_note_applied((struct link_rx){receiver}, 1);
        link_release((struct link_rx){receiver}, event.block);
    }
    check_equal(link_poll(receiver, &event, 1), 0);
    check_or_stop(link_poll(sender, &event, 1) == 1 && event.type == LINK_CREDIT);
    for (int i = 0; i < 2; i++) {
        check(!link_arm(sender));
        check_or_stop(link_poll(sender, &event, 1) == 1 && event.type == LINK_DONE);
        check_status(event.status, HAUL_OK);
        block_pool_release(link_pool((struct link_tx){sender}), event.block);
    }
    check(link_arm(sender));
    close_hub();
}

/* The sender may be only this many blocks ahead of what was applied: it waits for this one. */
static void test_link_note_applied__sender_is_as_far_ahead_as_it_may_be__credit_at_once(void)
{
    struct haul_link_stats stats;
    open_links(0);
    bind_links();
    for (int i = 0; i < CREDIT_APPLIED_LEAD * 2; i++) {
        submit();
        check_or_stop(link_poll(receiver, &event, 1) == 1 && event.type == LINK_RECEIVED);
        link_release((struct link_rx){receiver}, event.block);
        while (link_poll(sender, &event, 1) == 1) {
            if (event.type == LINK_DONE) {
                block_pool_release(link_pool((struct link_tx){sender}), event.block);
            }
        }
    }
    link_stats(receiver, &stats);
    uint64_t before = stats.credits_sent;
    link_note_applied((struct link_rx){receiver}, 1);
    link_stats(receiver, &stats);
    check_equal(stats.credits_sent, before + 1);
    check_or_stop(link_poll(sender, &event, 1) == 1 && event.type == LINK_CREDIT);
    close_hub();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_listener_create__port_in_use__busy),
    CHECK_TEST(test_listener_create__free_port_after_one_that_was_asked_for__another),
    CHECK_TEST(test_link_connect__nobody_listens__refused),
    CHECK_TEST(test_link_connect__too_many_wait__refused),
    CHECK_TEST(test_link_connect__no_descriptors__limit),
    CHECK_TEST(test_loopback_hub_destroy__none__nothing),
    CHECK_TEST(test_link_bind__malformed__protocol_and_not_bound),
    CHECK_TEST(test_link_bind__other_slots__mismatch),
    CHECK_TEST(test_link_bind__closed_before__closed),
    CHECK_TEST(test_link_poll__block_out_of_sequence__protocol),
    CHECK_TEST(test_link_poll__closed_with_a_block_on_its_way__cancelled_on_both_sides),
    CHECK_TEST(test_link_close__before_the_answer__cancelled),
    CHECK_TEST(test_link_poll__no_answer__timeout),
    CHECK_TEST(test_link_poll__end_that_the_peer_never_says__timeout),
    CHECK_TEST(test_link_close__either_end__the_other_one_wakes),
    CHECK_TEST(test_link_poll__room_for_one_event__one_after_the_other),
    CHECK_TEST(test_link_note_applied__sender_is_as_far_ahead_as_it_may_be__credit_at_once),
};

CHECK_MAIN("loopback_link", tests)
