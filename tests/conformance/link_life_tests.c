/* SPDX-License-Identifier: Apache-2.0 */
/* link_life_tests.c — how a link begins, and how it ends while both sides live. */
#include <dirent.h>
#include <poll.h>
#include <string.h>

#include "link_ends.h"

#include "link_conformance.h"

enum { CYCLE_COUNT = 1000, ADDRESS_BYTES_MIN = 8 };

static uint32_t small_payload(uint64_t number)
{
    return (uint32_t)(number % 100);
}

/* --- connecting ------------------------------------------------------------------------------- */

static void test_link_connect__listener__connected_on_both_sides(void)
{
    conformance_pair_begin();
    conformance_pair_connect();
    check_equal(link_transport(pair.sender.link), conformance_backend()->transport);
    check_equal(link_transport(pair.receiver.link), conformance_backend()->transport);
    check(link_pool((struct link_tx){pair.sender.link}) != NULL);
    check(!link_is_bound(pair.sender.link));
    conformance_pair_bind();
    check(link_is_bound(pair.sender.link));
    check(link_is_bound(pair.receiver.link));
    conformance_pair_end();
}

static void test_listener_poll__peer_with_ticket__ticket_arrives_whole(void)
{
    conformance_pair_begin();
    check_or_stop(conformance_connect(&pair.sender, &pair.address) == HAUL_OK);
    check_or_stop(conformance_take_incoming(&pair.party));
    const struct link_ticket *ticket = &pair.party.incoming.ticket;
    check(!pair.party.incoming.control);
    check_equal(ticket->index, 2);
    check(memcmp(ticket->session, "session-of-test", LINK_SESSION_BYTES) == 0);
    check(memcmp(ticket->token, "token\0\0\0\0\0\0\0\0\0\0\0", LINK_TOKEN_BYTES) == 0);
    check(ticket->version_min <= LINK_VERSION_MAX);
    check(ticket->version_max >= LINK_VERSION_MIN);
    check(pair.party.incoming.peer.size >= ADDRESS_BYTES_MIN);
    conformance_pair_end();
}

/* A failure to connect is reported at once, or comes as the CLOSED event. */
static void check_connect_fails(enum haul_status expected)
{
    enum haul_status status = conformance_connect(&pair.sender, &pair.address);
    if (status == HAUL_OK) {
        conformance_pair_await(&pair.sender.closed, 1);
        status = pair.sender.error.status;
    }
    check_status(status, expected);
    check(pair.sender.error.text[0] != '\0');
    check_equal(pair.sender.connected, 0);
}

static void test_link_connect__nothing_listens__refused(void)
{
    conformance_pair_begin();
    conformance_unlisten(&pair.party);
    check_connect_fails(HAUL_REFUSED);
    conformance_pair_end();
}

static void check_rejected(enum haul_status reason)
{
    conformance_pair_begin();
    check_or_stop(conformance_connect(&pair.sender, &pair.address) == HAUL_OK);
    check_or_stop(conformance_take_incoming(&pair.party));
    conformance_reject(&pair.party, reason);
    conformance_pair_await_closed(&pair.sender, reason);
    check_equal(pair.sender.connected, 0);
    conformance_pair_end();
}

static void test_listener_reject__auth__closed_says_auth(void)
{
    check_rejected(HAUL_AUTH);
}

static void test_listener_reject__busy__closed_says_busy(void)
{
    check_rejected(HAUL_BUSY);
}

static void test_listener_reject__fenced__closed_says_fenced(void)
{
    check_rejected(HAUL_FENCED);
}

static void check_version_refused(uint16_t version_min, uint16_t version_max)
{
    conformance_pair_begin();
    const struct link_ticket ticket = {.version_min = version_min, .version_max = version_max};
    check_or_stop(connect_end(conformance_backend()->transport, &pair.address, &ticket,
                              &pair.sender.config, &pair.sender.link, NULL) == HAUL_OK);
    conformance_pair_await_closed(&pair.sender, HAUL_VERSION);
    check_equal(pair.party.incoming_count, 0);
    conformance_pair_end();
}

static void test_listener_poll__peer_of_a_newer_version__refused_inside(void)
{
    check_version_refused(LINK_VERSION_MAX + 1, LINK_VERSION_MAX + 5);
}

static void test_listener_poll__peer_that_speaks_more_versions__taken(void)
{
    conformance_pair_begin();
    const struct link_ticket ticket = {.version_min = LINK_VERSION_MIN,
                                       .version_max = LINK_VERSION_MAX + 5};
    check_or_stop(connect_end(conformance_backend()->transport, &pair.address, &ticket,
                              &pair.sender.config, &pair.sender.link, NULL) == HAUL_OK);
    check_or_stop(conformance_take_incoming(&pair.party));
    check_or_stop(conformance_accept(&pair.party, &pair.receiver));
    conformance_pair_await(&pair.sender.connected, 1);
    conformance_pair_end();
}

static void test_link_connect__options_out_of_bounds__invalid(void)
{
    conformance_pair_begin();
    pair.sender.config.options.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN + 1;
    check_status(conformance_connect(&pair.sender, &pair.address), HAUL_INVALID);
    pair.sender.config.options.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN;
    pair.sender.config.options.slot_count = HAUL_SLOT_COUNT_MAX + 1;
    check_status(conformance_connect(&pair.sender, &pair.address), HAUL_INVALID);
    pair.sender.config.options.slot_count = 4;
    pair.sender.config.options.peer_timeout_ms = HAUL_PEER_TIMEOUT_MS_MIN - 1;
    check_status(conformance_connect(&pair.sender, &pair.address), HAUL_INVALID);
    conformance_pair_end();
}

static void test_link_connect__nobody_answers__timeout_after_the_peer_timeout(void)
{
    conformance_pair_begin();
    pair.sender.config.options.peer_timeout_ms = HAUL_PEER_TIMEOUT_MS_MIN;
    check_or_stop(conformance_connect(&pair.sender, &pair.address) == HAUL_OK);
    check(link_deadline_ns(pair.sender.link) != CLOCK_NEVER);
    conformance_pair_await_closed(&pair.sender, HAUL_TIMEOUT);
    check_equal(link_deadline_ns(pair.sender.link), CLOCK_NEVER);
    conformance_pair_end();
}

/* --- binding ---------------------------------------------------------------------------------- */

static void check_description_refused(const uint8_t *description, size_t size)
{
    struct haul_error error = {.status = HAUL_OK};
    check_status(link_bind(pair.sender.link, description, size, &error), HAUL_PROTOCOL);
    check(error.text[0] != '\0');
    check_status(link_bind(pair.receiver.link, description, size, &error), HAUL_PROTOCOL);
    check(!link_is_bound(pair.sender.link));
    check(!link_is_bound(pair.receiver.link));
}

static void test_link_bind__nonsense__protocol_and_a_sound_one_still_binds(void)
{
    uint8_t nonsense[LINK_DESCRIPTION_BYTES_MAX] = {0};
    conformance_pair_begin();
    conformance_pair_connect();
    check_description_refused(nonsense, 0);
    check_description_refused(nonsense, sizeof(nonsense));
    memset(nonsense, 0xff, sizeof(nonsense));
    check_description_refused(nonsense, sizeof(nonsense));
    conformance_pair_bind();
    check(conformance_send(&pair.party, &pair.sender, 3, small_payload));
    conformance_pair_await(&pair.receiver.received, 3);
    conformance_pair_end();
}

static void test_link_bind__description_of_another_length__protocol(void)
{
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX + 1] = {0};
    conformance_pair_begin();
    conformance_pair_connect();
    size_t size = link_describe(pair.receiver.link, description);
    for (size_t cut = 0; cut < size; cut++) {
        check_status(link_bind(pair.sender.link, description, cut, NULL), HAUL_PROTOCOL);
    }
    check_status(link_bind(pair.sender.link, description, size + 1, NULL), HAUL_PROTOCOL);
    conformance_pair_end();
}

static void test_link_bind__other_slot_size__mismatch(void)
{
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    struct haul_error error = {.status = HAUL_OK};
    conformance_pair_begin();
    pair.receiver.config.options.slot_size_bytes *= 2;
    conformance_pair_connect();
    size_t size = link_describe(pair.receiver.link, description);
    check_status(link_bind(pair.sender.link, description, size, &error), HAUL_MISMATCH);
    check(error.text[0] != '\0');
    size = link_describe(pair.sender.link, description);
    check_status(link_bind(pair.receiver.link, description, size, NULL), HAUL_MISMATCH);
    conformance_pair_end();
}

static void test_link_bind__after_the_end__closed(void)
{
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    conformance_pair_begin();
    conformance_pair_connect();
    size_t size = link_describe(pair.receiver.link, description);
    link_close(pair.sender.link);
    conformance_pair_await(&pair.sender.closed, 1);
    check_status(link_bind(pair.sender.link, description, size, NULL), HAUL_CLOSED);
    conformance_pair_end();
}

static void check_smaller_ring(uint32_t of_sender, uint32_t of_receiver)
{
    conformance_pair_begin();
    pair.sender.config.options.slot_count = of_sender;
    pair.receiver.config.options.slot_count = of_receiver;
    conformance_pair_connect();
    conformance_pair_bind();
    check_equal(link_slot_count(pair.sender.link), 3);
    check_equal(link_slot_count(pair.receiver.link), 3);
    check_equal(link_payload_size_bytes_max(pair.sender.link),
                HAUL_SLOT_SIZE_BYTES_MIN - SLOT_HEADER_BYTES);
    check(conformance_send(&pair.party, &pair.sender, 40, small_payload));
    conformance_pair_await(&pair.sender.done_ok, 40);
    conformance_pair_end();
}

static void test_link_bind__fewer_slots_at_the_sender__the_smaller_ring_counts(void)
{
    check_smaller_ring(3, 16);
}

static void test_link_bind__fewer_slots_at_the_receiver__the_smaller_ring_counts(void)
{
    check_smaller_ring(16, 3);
}

static void test_link_submit__before_the_bind__closed(void)
{
    conformance_pair_begin();
    conformance_pair_connect();
    check_status(conformance_submit(&pair.sender, 10), HAUL_CLOSED);
    conformance_pair_end();
}

/* --- the end ---------------------------------------------------------------------------------- */

/* After CLOSED a link is silent: no event, no deadline, and it may sleep. */
static void check_silent(const struct conformance_end *end)
{
    struct link_event event;
    check_equal(link_poll(end->link, &event, 1), 0);
    check(link_arm(end->link));
    check_equal(link_deadline_ns(end->link), CLOCK_NEVER);
    link_close(end->link);
    check_equal(link_poll(end->link, &event, 1), 0);
}

static void check_both_closed(enum haul_status of_sender, enum haul_status of_receiver)
{
    conformance_pair_await_closed(&pair.sender, of_sender);
    conformance_pair_await_closed(&pair.receiver, of_receiver);
    check_silent(&pair.sender);
    check_silent(&pair.receiver);
}

static void test_link_close__sender_idle__ok_on_both_sides(void)
{
    conformance_pair_open();
    link_close(pair.sender.link);
    link_close(pair.sender.link);
    check_both_closed(HAUL_OK, HAUL_OK);
    conformance_pair_end();
}

static void test_link_close__receiver_idle__ok_on_both_sides(void)
{
    conformance_pair_open();
    link_close(pair.receiver.link);
    check_both_closed(HAUL_OK, HAUL_OK);
    conformance_pair_end();
}

static void test_link_close__both_at_once__ok_on_both_sides(void)
{
    conformance_pair_open();
    link_close(pair.sender.link);
    link_close(pair.receiver.link);
    check_both_closed(HAUL_OK, HAUL_OK);
    conformance_pair_end();
}

static void test_link_close__sender_after_blocks__ok_on_both_sides(void)
{
    conformance_pair_open();
    check(conformance_send(&pair.party, &pair.sender, 30, small_payload));
    conformance_pair_await(&pair.sender.done, 30);
    link_close(pair.sender.link);
    check_both_closed(HAUL_OK, HAUL_OK);
    check_equal(pair.sender.done_ok, 30);
    conformance_pair_end();
}

/* The credit for the last block must not be lost to the end of the receiver. */
static void test_link_close__receiver_right_after_its_last_release__done_ok_then_ok(void)
{
    conformance_pair_open();
    pair.receiver.holds = true;
    check(conformance_send(&pair.party, &pair.sender, 3, small_payload));
    conformance_pair_await(&pair.receiver.received, 3);
    conformance_release_all(&pair.receiver);
    link_close(pair.receiver.link);
    check_both_closed(HAUL_OK, HAUL_OK);
    check_equal(pair.sender.done_ok, 3);
    check_equal(pair.sender.applied, 3);
    conformance_pair_end();
}

static void test_link_close__one_side_destroyed_after_its_closed__the_other_still_ok(void)
{
    conformance_pair_open();
    link_close(pair.sender.link);
    conformance_pair_await_closed(&pair.receiver, HAUL_OK);
    conformance_drop(&pair.receiver);
    conformance_pair_await_closed(&pair.sender, HAUL_OK);
    conformance_pair_end();
}

static void test_link_close__connected_not_bound__both_closed(void)
{
    conformance_pair_begin();
    conformance_pair_connect();
    link_close(pair.sender.link);
    conformance_pair_await(&pair.sender.closed, 1);
    conformance_pair_await(&pair.receiver.closed, 1);
    conformance_pair_end();
}

static void test_link_close__still_connecting__closed(void)
{
    conformance_pair_begin();
    check_or_stop(conformance_connect(&pair.sender, &pair.address) == HAUL_OK);
    link_close(pair.sender.link);
    conformance_pair_await(&pair.sender.closed, 1);
    check(pair.sender.error.status != HAUL_OK);
    check_equal(pair.sender.connected, 0);
    conformance_pair_end();
}

static void test_link_close__sender_with_blocks_in_flight__cancelled_and_closed(void)
{
    conformance_pair_open();
    pair.receiver.holds = true;
    check(conformance_send(&pair.party, &pair.sender, 3, small_payload));
    conformance_pair_await(&pair.receiver.received, 3);
    link_close(pair.sender.link);
    check_status(conformance_submit(&pair.sender, 10), HAUL_CLOSED);
    check_both_closed(HAUL_CANCELLED, HAUL_CLOSED);
    check_equal(pair.sender.done_cancelled, 3);
    conformance_release_all(&pair.receiver); /* late, and harmless */
    conformance_pair_end();
}

static void test_link_close__receiver_with_blocks_lent__cancelled_and_closed(void)
{
    conformance_pair_open();
    pair.receiver.holds = true;
    check(conformance_send(&pair.party, &pair.sender, 3, small_payload));
    conformance_pair_await(&pair.receiver.received, 3);
    link_close(pair.receiver.link);
    check_both_closed(HAUL_CLOSED, HAUL_CANCELLED);
    check_equal(pair.sender.done, 3);
    check_equal(pair.sender.done_ok, 0);
    conformance_pair_end();
}

static void test_link_close__some_blocks_freed_before__those_are_done_ok(void)
{
    conformance_pair_open();
    pair.receiver.holds = true;
    check(conformance_send(&pair.party, &pair.sender, 4, small_payload));
    conformance_pair_await(&pair.receiver.received, 4);
    conformance_release(&pair.receiver, 0);
    conformance_release(&pair.receiver, 0);
    conformance_pair_await(&pair.sender.done_ok, 2);
    link_close(pair.sender.link);
    check_both_closed(HAUL_CANCELLED, HAUL_CLOSED);
    check_equal(pair.sender.done_ok, 2);
    check_equal(pair.sender.done_cancelled, 2);
    conformance_pair_end();
}

static void test_link_submit__after_the_close__closed(void)
{
    conformance_pair_open();
    link_close(pair.sender.link);
    check_status(conformance_submit(&pair.sender, 10), HAUL_CLOSED);
    check_both_closed(HAUL_OK, HAUL_OK);
    check_status(conformance_submit(&pair.sender, 10), HAUL_CLOSED);
    conformance_pair_end();
}

static void test_link_destroy__links_open__nothing_is_left(void)
{
    conformance_pair_open();
    pair.receiver.holds = true;
    check(conformance_send(&pair.party, &pair.sender, 3, small_payload));
    conformance_pair_await(&pair.receiver.received, 2);
    conformance_drop(&pair.sender);
    conformance_drop(&pair.receiver);
    conformance_pair_end();
}

static void test_listener_destroy__accepted_link__lives_on(void)
{
    conformance_pair_open();
    conformance_unlisten(&pair.party);
    check(conformance_send(&pair.party, &pair.sender, 10, small_payload));
    conformance_pair_await(&pair.sender.done_ok, 10);
    conformance_pair_end();
}

static void test_listener_destroy__peer_waiting__its_link_closes(void)
{
    conformance_pair_begin();
    check_or_stop(conformance_connect(&pair.sender, &pair.address) == HAUL_OK);
    conformance_unlisten(&pair.party);
    conformance_pair_await(&pair.sender.closed, 1);
    check(pair.sender.error.status != HAUL_OK);
    conformance_pair_end();
}

/* An idle link lets its owner sleep: armed, and nothing readable. */
static void test_link_arm__idle_link__descriptor_stays_quiet(void)
{
    conformance_pair_open();
    check(conformance_send(&pair.party, &pair.sender, 10, small_payload));
    conformance_pair_await(&pair.sender.done_ok, 10);
    struct conformance_end *const ends[] = {&pair.sender, &pair.receiver};
    for (size_t i = 0; i < CHECK_COUNT(ends); i++) {
        struct link_event event;
        bool quiet = false;
        /* The link's own messages may arrive late; then nothing is left. */
        for (int attempt = 0; attempt < 100 && !quiet; attempt++) {
            struct pollfd watched = {.fd = link_fd(ends[i]->link), .events = POLLIN};
            (void)link_poll(ends[i]->link, &event, 1);
            quiet = link_arm(ends[i]->link) && poll(&watched, 1, 0) == 0;
        }
        check(quiet);
    }
    conformance_pair_end();
}

/* --- leaks ------------------------------------------------------------------------------------ */

static size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (directory != NULL) {
        while (readdir(directory) != NULL) {
            count++;
        }
        (void)closedir(directory);
    }
    return count;
}

static void run_cycle(void)
{
    struct conformance_end *const ends[] = {&pair.sender, &pair.receiver};
    for (size_t i = 0; i < CHECK_COUNT(ends); i++) {
        memset(ends[i], 0, sizeof(*ends[i]));
        ends[i]->config = conformance_config();
        ends[i]->config.options.slot_count = 2;
    }
    conformance_pair_connect();
    conformance_pair_bind();
    check(conformance_send(&pair.party, &pair.sender, 1, small_payload));
    conformance_pair_await(&pair.sender.done_ok, 1);
    link_close(pair.sender.link);
    conformance_pair_await_closed(&pair.sender, HAUL_OK);
    conformance_pair_await_closed(&pair.receiver, HAUL_OK);
    conformance_drop(&pair.sender);
    conformance_drop(&pair.receiver);
}

static void test_link_destroy__thousand_cycles__no_descriptor_is_lost(void)
{
    conformance_pair_begin();
    run_cycle(); /* what a library opens once and keeps */
    size_t before = count_descriptors();
    check(before > 0);
    for (int i = 0; i < CYCLE_COUNT; i++) {
        run_cycle();
    }
    check_equal(count_descriptors(), before);
    conformance_pair_end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_connect__listener__connected_on_both_sides),
    CHECK_TEST(test_listener_poll__peer_with_ticket__ticket_arrives_whole),
    CHECK_TEST(test_link_connect__nothing_listens__refused),
    CHECK_TEST(test_listener_reject__auth__closed_says_auth),
    CHECK_TEST(test_listener_reject__busy__closed_says_busy),
    CHECK_TEST(test_listener_reject__fenced__closed_says_fenced),
    CHECK_TEST(test_listener_poll__peer_of_a_newer_version__refused_inside),
    CHECK_TEST(test_listener_poll__peer_that_speaks_more_versions__taken),
    CHECK_TEST(test_link_connect__options_out_of_bounds__invalid),
    CHECK_TEST(test_link_connect__nobody_answers__timeout_after_the_peer_timeout),
    CHECK_TEST(test_link_bind__nonsense__protocol_and_a_sound_one_still_binds),
    CHECK_TEST(test_link_bind__description_of_another_length__protocol),
    CHECK_TEST(test_link_bind__other_slot_size__mismatch),
    CHECK_TEST(test_link_bind__after_the_end__closed),
    CHECK_TEST(test_link_bind__fewer_slots_at_the_sender__the_smaller_ring_counts),
    CHECK_TEST(test_link_bind__fewer_slots_at_the_receiver__the_smaller_ring_counts),
    CHECK_TEST(test_link_submit__before_the_bind__closed),
    CHECK_TEST(test_link_close__sender_idle__ok_on_both_sides),
    CHECK_TEST(test_link_close__receiver_idle__ok_on_both_sides),
    CHECK_TEST(test_link_close__both_at_once__ok_on_both_sides),
    CHECK_TEST(test_link_close__sender_after_blocks__ok_on_both_sides),
    CHECK_TEST(test_link_close__receiver_right_after_its_last_release__done_ok_then_ok),
    CHECK_TEST(test_link_close__one_side_destroyed_after_its_closed__the_other_still_ok),
    CHECK_TEST(test_link_close__connected_not_bound__both_closed),
    CHECK_TEST(test_link_close__still_connecting__closed),
    CHECK_TEST(test_link_close__sender_with_blocks_in_flight__cancelled_and_closed),
    CHECK_TEST(test_link_close__receiver_with_blocks_lent__cancelled_and_closed),
    CHECK_TEST(test_link_close__some_blocks_freed_before__those_are_done_ok),
    CHECK_TEST(test_link_submit__after_the_close__closed),
    CHECK_TEST(test_link_destroy__links_open__nothing_is_left),
    CHECK_TEST(test_listener_destroy__accepted_link__lives_on),
    CHECK_TEST(test_listener_destroy__peer_waiting__its_link_closes),
    CHECK_TEST(test_link_arm__idle_link__descriptor_stays_quiet),
    CHECK_TEST(test_link_destroy__thousand_cycles__no_descriptor_is_lost),
};

const struct conformance_tests conformance_life_tests = {tests, CHECK_COUNT(tests)};
