/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_sleep.c — what ends the sleep of a verbs link, and what must not. */
#include <poll.h>

#include "verbs_fixture.h"

enum { STREAM_SLOTS = 16, QUARTER = STREAM_SLOTS / 4 };

static uint8_t *peer_writes_at; /* the ring of a receiver, the credit frames of a sender */

static void find_memory(void)
{
    struct verbs_description ours;
    uint8_t bytes[LINK_DESCRIPTION_BYTES_MAX];
    size_t size = link_describe(tested, bytes);
    check_or_stop(verbs_description_decode(bytes, size, &ours, NULL) == HAUL_OK);
    peer_writes_at = (uint8_t *)(uintptr_t)ours.address;
}

static void open_receiver(void)
{
    fixture_slots = STREAM_SLOTS;
    fixture_peer_slots = STREAM_SLOTS;
    fixture_open_receiver();
    find_memory();
}

static void open_sender(void)
{
    fixture_slots = STREAM_SLOTS;
    fixture_peer_slots = STREAM_SLOTS;
    fixture_open_sender();
    find_memory();
}

static bool readable(void)
{
    struct pollfd watched = {.fd = link_fd(tested), .events = POLLIN};
    return poll(&watched, 1, 0) == 1;
}

/* Block `number` in its slot; returns the immediate that announces it. */
static uint32_t place_block(uint64_t number)
{
    const struct slot_header header = {.type = SLOT_DATA,
                                       .kind = SLOT_KIND_DELTA,
                                       .epoch = EPOCH,
                                       .sequence = FIRST_SEQUENCE + number,
                                       .payload_size_bytes = 200};
    slot_header_encode(&header, peer_writes_at + number % STREAM_SLOTS * SLOT_BYTES);
    return imm_pack(SLOT_DATA, header.sequence);
}

/* The same, as a sender sends it. */
static void bring_block(uint64_t number, bool urgent)
{
    uint32_t immediate = place_block(number);
    fake.arrives_unurgent = !urgent;
    fake_arrive(immediate, SLOT_HEADER_BYTES + 200);
    fake.arrives_unurgent = false;
}

/* Take the block that is there and release its slot. */
static void take_block(void)
{
    check_or_stop(fixture_poll() == 1 && events[0].type == LINK_RECEIVED);
    link_release((struct link_rx){tested}, events[0].block);
}

/* Two blocks, a millisecond apart: the link is asleep, in a stream. */
static void stream_two_blocks(void)
{
    ticking.now_ns += NS_PER_S;
    bring_block(0, false);
    take_block();
    (void)link_arm(tested);
    ticking.now_ns += NS_PER_MS;
    bring_block(1, false);
    take_block();
    check_or_stop(link_arm(tested));
}

static void place_credit(uint64_t freed)
{
    const struct credit_frame record = {.epoch = EPOCH, .freed = freed, .applied = freed};
    credit_frame_encode(&record, CREDIT_RECORD_MAGIC, NULL, peer_writes_at);
}

static void bring_credit(uint64_t freed)
{
    place_credit(freed);
    fake_arrive(imm_pack(SLOT_CREDIT, 0), CREDIT_FRAME_BYTES);
}

static void submit_blocks(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct block *block;
        check_or_stop(block_pool_acquire(link_pool((struct link_tx){tested}), 0, &block) ==
                      HAUL_OK);
        block->header.payload_size_bytes = 100;
        check_or_stop(link_submit((struct link_tx){tested}, block) == HAUL_OK);
    }
}

static void release_done(unsigned expected)
{
    size_t count = fixture_poll();
    unsigned done = 0;
    for (size_t i = 0; i < count; i++) {
        if (events[i].type == LINK_DONE) {
            done++;
            block_pool_release(link_pool((struct link_tx){tested}), events[i].block);
        }
    }
    check_equal(done, expected);
}

/* --- arming ----------------------------------------------------------------------------------- */

static void test_link_arm__completion_afterwards__descriptor_wakes_once(void)
{
    open_receiver();
    check(link_arm(tested));
    check(!readable());
    bring_block(0, true);
    check(readable());
    check_equal(fixture_poll(), 1);
    check(!readable());
    fixture_end();
}

static void test_link_arm__completion_already_there__false(void)
{
    open_receiver();
    bring_block(0, true);
    check(!link_arm(tested));
    fixture_end();
}

static void test_link_arm__armed_twice__one_request(void)
{
    open_receiver();
    check(link_arm(tested));
    unsigned calls = fake.call_count;
    check(link_arm(tested));
    check_equal(fake.call_count, calls);
    fixture_end();
}

static void test_link_arm__request_fails__closed(void)
{
    open_receiver();
    fake.fail_at = fake.call_count + 1;
    check(!link_arm(tested));
    fixture_check_closed(fixture_poll(), HAUL_IO);
    fixture_end();
}

/* --- receiving -------------------------------------------------------------------------------- */

static void test_link_arm__quiet_receiver__every_block_wakes_it(void)
{
    open_receiver();
    check(link_arm(tested));
    bring_block(0, false);
    check(readable());
    fixture_end();
}

static void test_link_arm__blocks_stream__only_an_urgent_one_wakes_it(void)
{
    open_receiver();
    stream_two_blocks();
    bring_block(2, false);
    check(!readable());
    bring_block(3, true);
    check(readable());
    check_equal(fixture_poll(), 2);
    fixture_end();
}

static void test_link_arm__stream_ends__deadline_soon_and_all_is_told(void)
{
    open_receiver();
    stream_two_blocks();
    unsigned written = fake.write_count;
    uint64_t deadline = link_deadline_ns(tested);
    check(deadline <= ticking.now_ns + 20 * NS_PER_MS);
    ticking.now_ns = deadline;
    check_equal(fixture_poll(), 0);
    fake_complete_write(IBV_WC_SUCCESS); /* of the credit frame that the first block caused */
    (void)link_arm(tested);
    check_equal(fake.write_count, written + 1);
    struct credit_frame record;
    check_status(credit_frame_decode(fake.writes[written].data, CREDIT_RECORD_MAGIC, NULL, &record),
                 HAUL_OK);
    check_equal(record.freed, 2);
    bring_block(2, false);
    check(readable());
    fixture_end();
}

/* The next block may come as late as twice the last gap before the stream counts as over. */
static void test_link_arm__next_block_is_late__streams_until_two_gaps_have_passed(void)
{
    open_receiver();
    stream_two_blocks();
    check_equal(link_deadline_ns(tested), ticking.now_ns + 2 * NS_PER_MS);
    ticking.now_ns += 3 * NS_PER_MS / 2;
    check_or_stop(link_arm(tested));
    bring_block(2, false);
    check(!readable());
    take_block(); /* the gap is 1.5 ms now */
    check_or_stop(link_arm(tested));
    ticking.now_ns += 3 * NS_PER_MS;
    (void)link_arm(tested);
    bring_block(3, false);
    check(readable());
    fixture_end();
}

static void test_link_arm__blocks_far_apart__every_one_wakes_the_receiver(void)
{
    open_receiver();
    for (uint64_t n = 0; n < 3; n++) {
        ticking.now_ns += NS_PER_S;
        (void)link_arm(tested);
        bring_block(n, false);
        check(readable());
        take_block();
    }
    fixture_end();
}

static void test_link_arm__own_record_done__receiver_sleeps_on(void)
{
    open_receiver();
    stream_two_blocks();
    check_equal(fake.write_count, 1);
    fake_complete_write(IBV_WC_SUCCESS);
    check(!readable());
    fixture_end();
}

/* --- sending ---------------------------------------------------------------------------------- */

static void test_link_submit__blocks__each_quarter_of_the_ring_is_urgent(void)
{
    open_sender();
    submit_blocks(STREAM_SLOTS);
    for (unsigned i = 0; i < STREAM_SLOTS; i++) {
        check_equal(fake.writes[i].urgent, i % QUARTER == QUARTER - 1);
    }
    fixture_end();
}

static void test_link_submit__block_that_nothing_follows__urgent(void)
{
    open_sender();
    for (unsigned i = 0; i < 2; i++) {
        struct block *block;
        check_or_stop(block_pool_acquire(link_pool((struct link_tx){tested}), 0, &block) ==
                      HAUL_OK);
        check(!block->urgent);
        block->header.payload_size_bytes = 100;
        block->urgent = i == 0;
        check_or_stop(link_submit((struct link_tx){tested}, block) == HAUL_OK);
        check_equal(fake.writes[i].urgent, i == 0);
    }
    fixture_end();
}

static void test_link_arm__write_done__sender_sleeps_on_until_the_credit(void)
{
    open_sender();
    submit_blocks(2);
    check(link_arm(tested));
    fake_complete_write(IBV_WC_SUCCESS);
    fake_complete_write(IBV_WC_SUCCESS);
    check(!readable());
    bring_credit(2);
    check(readable());
    release_done(2);
    fixture_end();
}

static void test_link_arm__credit_before_its_write_is_done__the_write_wakes_it(void)
{
    open_sender();
    submit_blocks(1);
    bring_credit(1);
    release_done(0);
    check(link_arm(tested));
    fake_complete_write(IBV_WC_SUCCESS);
    check(readable());
    release_done(1);
    fixture_end();
}

static void test_link_arm__write_fails__sender_wakes(void)
{
    open_sender();
    submit_blocks(1);
    check(link_arm(tested));
    fake_complete_write(IBV_WC_RETRY_EXC_ERR);
    check(readable());
    fixture_end();
}

static void test_link_arm__every_write_unfinished__done_ones_wake_it(void)
{
    open_sender();
    submit_blocks(STREAM_SLOTS);
    check(link_arm(tested));
    fake_complete_write(IBV_WC_SUCCESS);
    check(readable());
    fixture_end();
}

/* --- lost completions ------------------------------------------------------------------------- */

/* Asleep until the link's own deadline. */
static void sleep_on(void)
{
    check_or_stop(link_arm(tested));
    check(link_deadline_ns(tested) <= ticking.now_ns + (uint64_t)PEER_TIMEOUT_MS * NS_PER_MS);
    fake_clock_advance_ms(&ticking, PEER_TIMEOUT_MS);
}

/* The block lies in its slot, and nothing follows that could show that one is missing. */
static void test_link_arm__block_without_its_completion__timeout(void)
{
    open_receiver();
    (void)place_block(0);
    sleep_on();
    fixture_check_closed(fixture_wake(), HAUL_TIMEOUT);
    fixture_end();
}

/* The header cannot show it either: one of its bits flipped on the way. */
static void test_link_arm__damaged_block_without_its_completion__timeout(void)
{
    open_receiver();
    (void)place_block(0);
    peer_writes_at[0] ^= 1;
    sleep_on();
    fixture_check_closed(fixture_wake(), HAUL_TIMEOUT);
    fixture_end();
}

/* An old block in a slot is not mistaken for the next one there. */
static void test_link_arm__ring_goes_round__old_blocks_are_no_arrivals(void)
{
    open_receiver();
    unsigned records_done = 0;
    for (uint64_t number = 0; number < (uint64_t)STREAM_SLOTS + 1; number++) {
        bring_block(number, true);
        take_block();
        (void)link_arm(tested);
        for (; records_done < fake.write_count; records_done++) {
            fake_complete_write(IBV_WC_SUCCESS);
        }
        check_equal(fixture_poll(), 0);
    }
    for (int i = 0; i < 2; i++) {
        check_or_stop(link_arm(tested));
        fake_clock_advance_ms(&ticking, PEER_TIMEOUT_MS);
        check_equal(fixture_poll(), 0);
    }
    fixture_end();
}

static void test_link_arm__completion_of_a_block_comes_late__received(void)
{
    open_receiver();
    (void)place_block(0);
    sleep_on();
    bring_block(0, true);
    take_block();
    check_or_stop(link_arm(tested));
    fake_clock_advance_ms(&ticking, PEER_TIMEOUT_MS);
    check_equal(fixture_poll(), 0);
    fixture_end();
}

/* The peer accepted the only block, and its credit frame came; `damage` flips bits of it. */
static void check_lost_record(uint8_t damage)
{
    open_sender();
    submit_blocks(1);
    fake_complete_write(IBV_WC_SUCCESS);
    release_done(0);
    place_credit(1);
    peer_writes_at[CREDIT_FRAME_BYTES - 1] ^= damage;
    sleep_on();
    size_t count = fixture_wake();
    check_or_stop(count == 2 && events[0].type == LINK_DONE);
    block_pool_release(link_pool((struct link_tx){tested}), events[0].block);
    fixture_check_closed(count, HAUL_TIMEOUT);
    fixture_end();
}

static void test_link_arm__record_without_its_completion__timeout(void)
{
    check_lost_record(0);
}

static void test_link_arm__damaged_record_without_its_completion__timeout(void)
{
    check_lost_record(1);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_arm__completion_afterwards__descriptor_wakes_once),
    CHECK_TEST(test_link_arm__completion_already_there__false),
    CHECK_TEST(test_link_arm__armed_twice__one_request),
    CHECK_TEST(test_link_arm__request_fails__closed),
    CHECK_TEST(test_link_arm__quiet_receiver__every_block_wakes_it),
    CHECK_TEST(test_link_arm__blocks_stream__only_an_urgent_one_wakes_it),
    CHECK_TEST(test_link_arm__stream_ends__deadline_soon_and_all_is_told),
    CHECK_TEST(test_link_arm__next_block_is_late__streams_until_two_gaps_have_passed),
    CHECK_TEST(test_link_arm__blocks_far_apart__every_one_wakes_the_receiver),
    CHECK_TEST(test_link_arm__own_record_done__receiver_sleeps_on),
    CHECK_TEST(test_link_submit__blocks__each_quarter_of_the_ring_is_urgent),
    CHECK_TEST(test_link_submit__block_that_nothing_follows__urgent),
    CHECK_TEST(test_link_arm__write_done__sender_sleeps_on_until_the_credit),
    CHECK_TEST(test_link_arm__credit_before_its_write_is_done__the_write_wakes_it),
    CHECK_TEST(test_link_arm__write_fails__sender_wakes),
    CHECK_TEST(test_link_arm__every_write_unfinished__done_ones_wake_it),
    CHECK_TEST(test_link_arm__block_without_its_completion__timeout),
    CHECK_TEST(test_link_arm__damaged_block_without_its_completion__timeout),
    CHECK_TEST(test_link_arm__ring_goes_round__old_blocks_are_no_arrivals),
    CHECK_TEST(test_link_arm__completion_of_a_block_comes_late__received),
    CHECK_TEST(test_link_arm__record_without_its_completion__timeout),
    CHECK_TEST(test_link_arm__damaged_record_without_its_completion__timeout),
};
CHECK_MAIN("verbs_sleep", tests)
