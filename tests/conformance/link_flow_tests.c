/* SPDX-License-Identifier: Apache-2.0 */
/* link_flow_tests.c — blocks on their way: contents, order, credits, fences, pools, threads. */
#include <pthread.h>

#include "credit.h"
#include "link_conformance.h"

enum { WRAP_BLOCK_COUNT = 64, POOL_BLOCK_COUNT = 12 };
/* 16 blocks before the low 32 bits (and the 28 of an immediate) wrap around. */
#define WRAP_FIRST_SEQUENCE UINT64_C(0xfffffff0)

static uint32_t varied_payload(uint64_t number)
{
    return (uint32_t)(number * 2654435761u) % (HAUL_SLOT_SIZE_BYTES_MIN - SLOT_HEADER_BYTES + 1);
}

/* This many blocks, with their headers. */
static uint64_t varied_frames_bytes(uint64_t count)
{
    uint64_t bytes = count * SLOT_HEADER_BYTES;
    for (uint64_t i = 0; i < count; i++) {
        bytes += varied_payload(i);
    }
    return bytes;
}

static uint32_t tiny_payload(uint64_t number)
{
    return (uint32_t)(number % 7);
}

static uint64_t long_block_count(void)
{
    return conformance_backend()->limits.block_count;
}

/* --- content and order ------------------------------------------------------------------------ */

static void test_link_submit__many_blocks__all_arrive_whole_and_in_order(void)
{
    struct haul_link_stats sent;
    struct haul_link_stats got;
    conformance_pair_open();
    check(conformance_send(&pair.party, &pair.sender, long_block_count(), varied_payload));
    conformance_pair_await(&pair.sender.done_ok, long_block_count());
    check_equal(pair.receiver.received, long_block_count());
    check_equal(pair.sender.freed, long_block_count());
    link_stats(pair.sender.link, &sent);
    link_stats(pair.receiver.link, &got);
    check_equal(sent.blocks_sent, long_block_count());
    check_equal(got.blocks_received, long_block_count());
    check(sent.credits_received > 0);
    check(sent.credits_received <= got.credits_sent);
    check_equal(sent.bytes_sent, varied_frames_bytes(long_block_count()));
    check_equal(got.bytes_received, sent.bytes_sent);
    check_equal(sent.bytes_received, sent.credits_received * CREDIT_FRAME_BYTES);
    check_equal(got.bytes_sent, got.credits_sent * CREDIT_FRAME_BYTES);
    check_equal(sent.blocks_received + sent.credits_sent + sent.crc_errors, 0);
    check_equal(got.blocks_sent + got.credits_received + got.crc_errors, 0);
    conformance_pair_end();
}

static void test_link_poll__one_event_a_call__nothing_is_lost(void)
{
    conformance_pair_begin();
    pair.sender.capacity = 1;
    pair.receiver.capacity = 1;
    conformance_pair_connect();
    conformance_pair_bind();
    check(conformance_send(&pair.party, &pair.sender, 200, varied_payload));
    conformance_pair_await(&pair.sender.done_ok, 200);
    link_close(pair.sender.link);
    conformance_pair_await_closed(&pair.sender, HAUL_OK);
    conformance_pair_await_closed(&pair.receiver, HAUL_OK);
    conformance_pair_end();
}

static void test_link_poll__one_event_a_call_and_an_abrupt_end__every_block_comes_back(void)
{
    conformance_pair_begin();
    pair.sender.capacity = 1;
    conformance_pair_connect();
    conformance_pair_bind();
    pair.receiver.holds = true;
    check(conformance_send(&pair.party, &pair.sender, 4, tiny_payload));
    conformance_pair_await(&pair.receiver.received, 4);
    conformance_drop(&pair.receiver);
    conformance_pair_await_closed(&pair.sender, HAUL_CLOSED);
    check_equal(pair.sender.done_cancelled, 4);
    conformance_pair_end();
}

static void test_link_submit__payloads_around_powers_of_two__all_arrive_whole(void)
{
    uint32_t slot_size = conformance_backend()->limits.slot_size_bytes;
    conformance_pair_begin();
    pair.sender.config.options.slot_size_bytes = slot_size;
    pair.receiver.config.options.slot_size_bytes = slot_size;
    conformance_pair_connect();
    conformance_pair_bind();
    uint32_t size_max = link_payload_size_bytes_max(pair.sender.link);
    check(size_max > 0 && size_max <= slot_size - SLOT_HEADER_BYTES);
    uint64_t sent = 0;
    for (uint32_t power = 1; power <= slot_size; power *= 2) {
        for (uint32_t size = power - 1; size <= power + 1; size++) {
            /* One by one: each size meets an empty ring, and its credit must come by itself. */
            if (size <= size_max) {
                check_or_stop(conformance_submit(&pair.sender, size) == HAUL_OK);
                conformance_pair_await(&pair.sender.done_ok, ++sent);
            }
        }
    }
    check_or_stop(conformance_submit(&pair.sender, size_max) == HAUL_OK);
    conformance_pair_await(&pair.sender.done_ok, ++sent);
    conformance_pair_end();
}

static void test_link_submit__full_blocks_in_a_full_ring__all_arrive_whole(void)
{
    uint32_t slot_size = conformance_backend()->limits.slot_size_bytes;
    conformance_pair_begin();
    pair.sender.config.options.slot_size_bytes = slot_size;
    pair.receiver.config.options.slot_size_bytes = slot_size;
    conformance_pair_connect();
    conformance_pair_bind();
    uint32_t size_max = link_payload_size_bytes_max(pair.sender.link);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 4; i++) {
            check_or_stop(conformance_submit(&pair.sender, size_max) == HAUL_OK);
        }
        conformance_pair_await(&pair.sender.done_ok, (uint64_t)round * 4);
    }
    conformance_pair_end();
}

static void test_link_submit__sequence_wraps__order_is_kept(void)
{
    conformance_pair_begin();
    pair.sender.config.first_sequence = WRAP_FIRST_SEQUENCE;
    pair.receiver.config.first_sequence = WRAP_FIRST_SEQUENCE;
    conformance_pair_connect();
    conformance_pair_bind();
    check(conformance_send(&pair.party, &pair.sender, WRAP_BLOCK_COUNT, varied_payload));
    conformance_pair_await(&pair.sender.done_ok, WRAP_BLOCK_COUNT);
    conformance_pair_end();
}

static void test_link_submit__ring_of_one_slot__all_arrive(void)
{
    conformance_pair_begin();
    pair.sender.config.options.slot_count = 1;
    pair.receiver.config.options.slot_count = 1;
    conformance_pair_connect();
    conformance_pair_bind();
    check(conformance_send(&pair.party, &pair.sender, 50, varied_payload));
    conformance_pair_await(&pair.sender.done_ok, 50);
    conformance_pair_end();
}

/* --- credits ---------------------------------------------------------------------------------- */

static struct block_pool *shared_pool;

/* A pool with more blocks than the ring has slots, so that the ring fills up first. */
static void begin_with_pool(void)
{
    conformance_pair_begin();
    block_pool_destroy(shared_pool);
    shared_pool = NULL;
    check_or_stop(block_pool_create(POOL_BLOCK_COUNT, HAUL_SLOT_SIZE_BYTES_MIN, NULL, &shared_pool,
                                    NULL) == HAUL_OK);
    pair.sender.config.pool = shared_pool;
}

/* All blocks are back in the pool, which is of no further use. */
static void end_with_pool(void)
{
    conformance_pair_end();
    struct block *block = NULL;
    for (int i = 0; i < POOL_BLOCK_COUNT; i++) {
        check_status(block_pool_acquire(shared_pool, 0, &block), HAUL_OK);
    }
    block_pool_close(shared_pool);
    block_pool_destroy(shared_pool);
    shared_pool = NULL;
}

static void fill_ring(void)
{
    for (int i = 0; i < 4; i++) {
        check_or_stop(conformance_submit(&pair.sender, 100) == HAUL_OK);
    }
    check_status(conformance_submit(&pair.sender, 100), HAUL_AGAIN);
}

static void test_link_submit__ring_full__again_until_an_event_tells(void)
{
    struct haul_link_stats stats;
    begin_with_pool();
    conformance_pair_connect();
    conformance_pair_bind();
    pair.receiver.holds = true;
    fill_ring();
    conformance_pair_await(&pair.receiver.received, 4);
    check_status(conformance_submit(&pair.sender, 100), HAUL_AGAIN);
    check_equal(pair.sender.moves, 0);
    link_stats(pair.sender.link, &stats);
    check_equal(stats.credit_stalls, 2);
    conformance_release(&pair.receiver, 0);
    conformance_pair_await(&pair.sender.moves, 1);
    check_status(conformance_submit(&pair.sender, 100), HAUL_OK);
    check_status(conformance_submit(&pair.sender, 100), HAUL_AGAIN);
    conformance_pair_await(&pair.receiver.received, 5);
    pair.receiver.holds = false;
    conformance_release_all(&pair.receiver);
    conformance_pair_await(&pair.sender.done_ok, 5);
    end_with_pool();
}

static void test_link_release__out_of_order__slots_return_in_order(void)
{
    begin_with_pool();
    conformance_pair_connect();
    conformance_pair_bind();
    pair.receiver.holds = true;
    fill_ring();
    conformance_pair_await(&pair.receiver.received, 4);
    conformance_release(&pair.receiver, 3);
    conformance_release(&pair.receiver, 1);
    conformance_release(&pair.receiver, 1);
    check_status(conformance_submit(&pair.sender, 100), HAUL_AGAIN);
    check_equal(pair.sender.done, 0);
    conformance_release(&pair.receiver, 0);
    conformance_pair_await(&pair.sender.done_ok, 4);
    check_equal(pair.sender.freed, 4);
    end_with_pool();
}

/* Each round fills the free slots of the ring and releases blocks in a changing order; in two of
 * three rounds some, perhaps the oldest, stay with the receiver. */
static void test_link_release__slow_receiver_out_of_order__all_arrive_whole(void)
{
    enum { ROUND_COUNT = 90 };
    begin_with_pool();
    conformance_pair_connect();
    conformance_pair_bind();
    pair.receiver.holds = true;
    for (uint32_t round = 0; round < ROUND_COUNT; round++) {
        while (conformance_submit(&pair.sender, varied_payload(round)) == HAUL_OK) {
        }
        conformance_pair_await(&pair.receiver.received, pair.sender.submitted);
        for (uint32_t step = round; pair.receiver.lent_count > (round + 1) % 3; step += 5) {
            conformance_release(&pair.receiver, step % pair.receiver.lent_count);
        }
        if (pair.receiver.lent_count == 0) {
            conformance_pair_await(&pair.sender.freed, pair.sender.submitted);
        }
    }
    conformance_release_all(&pair.receiver);
    conformance_pair_await(&pair.sender.done_ok, pair.sender.submitted);
    check(pair.sender.submitted > ROUND_COUNT);
    end_with_pool();
}

static void test_link_note_applied__some_blocks__sender_learns_the_count(void)
{
    conformance_pair_open();
    pair.receiver.applies_not = true;
    check(conformance_send(&pair.party, &pair.sender, 4, tiny_payload));
    conformance_pair_await(&pair.sender.done_ok, 4);
    check_equal(pair.sender.applied, 0);
    uint64_t credits = pair.sender.credits;
    link_note_applied((struct link_rx){pair.receiver.link}, 3);
    conformance_pair_await(&pair.sender.applied, 3);
    check(pair.sender.credits > credits);
    check_equal(pair.sender.freed, 4);
    link_note_applied((struct link_rx){pair.receiver.link}, 1);
    conformance_pair_await(&pair.sender.applied, 4);
    conformance_pair_end();
}

static void test_link_submit__nothing_applied__again_at_the_lead_until_some_is(void)
{
    begin_with_pool();
    conformance_pair_connect();
    conformance_pair_bind();
    pair.receiver.applies_not = true;
    check(conformance_send(&pair.party, &pair.sender, 16, tiny_payload));
    conformance_pair_await(&pair.sender.done_ok, 16);
    check_status(conformance_submit(&pair.sender, 1), HAUL_AGAIN);
    uint64_t moves = pair.sender.moves;
    link_note_applied((struct link_rx){pair.receiver.link}, 2);
    conformance_pair_await(&pair.sender.moves, moves + 1);
    check_status(conformance_submit(&pair.sender, 1), HAUL_OK);
    conformance_pair_await(&pair.sender.done_ok, 17);
    end_with_pool();
}

/* --- fences ----------------------------------------------------------------------------------- */

static void test_link_poll__block_of_another_epoch__fenced(void)
{
    conformance_pair_begin();
    pair.receiver.config.epoch = CONFORMANCE_EPOCH + 1;
    conformance_pair_connect();
    conformance_pair_bind();
    check_or_stop(conformance_submit(&pair.sender, 10) == HAUL_OK);
    conformance_pair_await_closed(&pair.receiver, HAUL_FENCED);
    conformance_pair_await(&pair.sender.closed, 1);
    check(pair.sender.error.status != HAUL_OK);
    check_equal(pair.receiver.received, 0);
    check_equal(pair.sender.done_cancelled, 1);
    conformance_pair_end();
}

static void test_link_poll__sequences_begin_differently__protocol(void)
{
    conformance_pair_begin();
    pair.receiver.config.first_sequence = pair.sender.config.first_sequence + 1;
    conformance_pair_connect();
    conformance_pair_bind();
    check_or_stop(conformance_submit(&pair.sender, 10) == HAUL_OK);
    conformance_pair_await_closed(&pair.receiver, HAUL_PROTOCOL);
    conformance_pair_await(&pair.sender.closed, 1);
    check_equal(pair.receiver.received, 0);
    check_equal(pair.sender.done_cancelled, 1);
    conformance_pair_end();
}

/* --- pools ------------------------------------------------------------------------------------ */

static void test_link_pool__of_the_caller__serves_and_outlives_two_links(void)
{
    static struct conformance_end second_sender;
    static struct conformance_end second_receiver;
    begin_with_pool();
    conformance_pair_connect();
    conformance_pair_bind();
    check(link_pool((struct link_tx){pair.sender.link}) == shared_pool);
    second_sender = (struct conformance_end){.config = pair.sender.config};
    second_receiver = (struct conformance_end){.config = pair.receiver.config};
    conformance_party_add(&pair.party, &second_sender);
    conformance_party_add(&pair.party, &second_receiver);
    check_or_stop(conformance_connect(&second_sender, &pair.address) == HAUL_OK);
    check_or_stop(conformance_take_incoming(&pair.party));
    check_or_stop(conformance_accept(&pair.party, &second_receiver));
    conformance_pair_await(&second_sender.connected, 1);
    conformance_pair_await(&second_receiver.connected, 1);
    check_or_stop(conformance_bind_both(&second_sender, &second_receiver));
    check(conformance_send(&pair.party, &pair.sender, 30, varied_payload));
    check(conformance_send(&pair.party, &second_sender, 30, varied_payload));
    conformance_pair_await(&pair.sender.done_ok, 30);
    conformance_pair_await(&second_sender.done_ok, 30);
    check(second_receiver.defect == NULL);
    conformance_drop(&pair.sender);
    check(conformance_send(&pair.party, &second_sender, 10, varied_payload));
    conformance_pair_await(&second_sender.done_ok, 40);
    conformance_drop(&second_sender);
    conformance_drop(&second_receiver);
    end_with_pool();
}

/* --- threads ---------------------------------------------------------------------------------- */

static void *receive_all(void *context)
{
    struct conformance_party *party = context;
    return conformance_await(party, &party->ends[0]->closed, 1) ? context : NULL;
}

static void test_link_poll__sender_and_receiver_in_two_threads__all_arrive(void)
{
    struct conformance_party sending;
    struct conformance_party receiving;
    pthread_t thread;
    conformance_pair_open();
    conformance_party_init(&sending);
    conformance_party_add(&sending, &pair.sender);
    conformance_party_init(&receiving);
    conformance_party_add(&receiving, &pair.receiver);
    check_or_stop(pthread_create(&thread, NULL, receive_all, &receiving) == 0);
    bool sent = conformance_send(&sending, &pair.sender, long_block_count(), varied_payload) &&
                conformance_await(&sending, &pair.sender.done_ok, long_block_count());
    link_close(pair.sender.link);
    bool closed = conformance_await(&sending, &pair.sender.closed, 1);
    void *result = NULL;
    check(pthread_join(thread, &result) == 0);
    check(sent);
    check(closed);
    check(result != NULL);
    check_status(pair.sender.error.status, HAUL_OK);
    check_status(pair.receiver.error.status, HAUL_OK);
    check_equal(pair.receiver.received, long_block_count());
    check(pair.sender.defect == NULL);
    check(pair.receiver.defect == NULL);
    conformance_pair_end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_submit__many_blocks__all_arrive_whole_and_in_order),
    CHECK_TEST(test_link_poll__one_event_a_call__nothing_is_lost),
    CHECK_TEST(test_link_poll__one_event_a_call_and_an_abrupt_end__every_block_comes_back),
    CHECK_TEST(test_link_submit__payloads_around_powers_of_two__all_arrive_whole),
    CHECK_TEST(test_link_submit__full_blocks_in_a_full_ring__all_arrive_whole),
    CHECK_TEST(test_link_submit__sequence_wraps__order_is_kept),
    CHECK_TEST(test_link_submit__ring_of_one_slot__all_arrive),
    CHECK_TEST(test_link_submit__ring_full__again_until_an_event_tells),
    CHECK_TEST(test_link_release__out_of_order__slots_return_in_order),
    CHECK_TEST(test_link_release__slow_receiver_out_of_order__all_arrive_whole),
    CHECK_TEST(test_link_note_applied__some_blocks__sender_learns_the_count),
    CHECK_TEST(test_link_submit__nothing_applied__again_at_the_lead_until_some_is),
    CHECK_TEST(test_link_poll__block_of_another_epoch__fenced),
    CHECK_TEST(test_link_poll__sequences_begin_differently__protocol),
    CHECK_TEST(test_link_pool__of_the_caller__serves_and_outlives_two_links),
    CHECK_TEST(test_link_poll__sender_and_receiver_in_two_threads__all_arrive),
};

const struct conformance_tests conformance_flow_tests = {tests, CHECK_COUNT(tests)};
