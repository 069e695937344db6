/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_ends.c — why a verbs link ended, as status and text, and what it had counted until
 * then. */
#include "verbs_fixture.h"

static uint8_t *memory; /* written by the peer: credit frames to a sender, the ring of a receiver */

static void describe(void)
{
    struct verbs_description ours;
    uint8_t bytes[LINK_DESCRIPTION_BYTES_MAX];
    size_t size = link_describe(tested, bytes);
    check_or_stop(verbs_description_decode(bytes, size, &ours, NULL) == HAUL_OK);
    memory = (uint8_t *)(uintptr_t)ours.address;
}

static void open_sender(unsigned blocks)
{
    fixture_open_sender();
    describe();
    for (unsigned i = 0; i < blocks; i++) {
        struct block *block;
        check_or_stop(block_pool_acquire(link_pool((struct link_tx){tested}), 0, &block) ==
                      HAUL_OK);
        block->header.payload_size_bytes = 100;
        check_or_stop(link_submit((struct link_tx){tested}, block) == HAUL_OK);
    }
}

/* Block 0 of a receiver, with this type in its header. */
static void bring_block(uint8_t type)
{
    const struct slot_header header = {.type = type,
                                       .kind = SLOT_KIND_DELTA,
                                       .epoch = EPOCH,
                                       .sequence = FIRST_SEQUENCE,
                                       .payload_size_bytes = 10};
    fixture_open_receiver();
    describe();
    slot_header_encode(&header, memory);
    fake_arrive(imm_pack(SLOT_DATA, FIRST_SEQUENCE), SLOT_HEADER_BYTES + 10);
}

static void bring_credit(uint64_t number, uint64_t freed, uint64_t applied)
{
    const struct credit_frame record = {.epoch = EPOCH, .freed = freed, .applied = applied};
    credit_frame_encode(&record, CREDIT_RECORD_MAGIC, NULL, memory + number * CREDIT_FRAME_BYTES);
    fake_arrive(imm_pack(SLOT_CREDIT, number), CREDIT_FRAME_BYTES);
}

static void check_says(size_t count, enum haul_status status, const char *words)
{
    fixture_check_closed(count, status);
    check_status(events[count - 1].status, status);
    if (strstr(events[count - 1].error->text, words) == NULL) {
        check_text(events[count - 1].error->text, words);
    }
    fixture_end();
}

/* The peer sends its end, and we hold a block that it has not heard of. */
static void test_link_poll__peer_ends_while_its_block_is_held__protocol(void)
{
    bring_block(SLOT_DATA);
    check_or_stop(fixture_poll() == 1 && events[0].type == LINK_RECEIVED);
    fake_arrive(imm_pack(SLOT_CLOSE, FIRST_SEQUENCE + 1), 0);
    check_says(fixture_poll(), HAUL_PROTOCOL, "the peer closed before its blocks were freed");
}

/* The last event carries the text of a sender's end; its block comes back before. */
static void test_link_poll__peer_ends_while_a_block_is_on_its_way__closed(void)
{
    open_sender(1);
    fake_arrive(imm_pack(SLOT_CLOSE, 0), 0);
    size_t count = fixture_poll();
    check_or_stop(count == 2);
    check_equal(events[0].type, LINK_DONE);
    check_status(events[0].status, HAUL_CANCELLED);
    check(events[0].error == NULL);
    check_equal(events[0].block->state, BLOCK_FILLING);
    check_says(count, HAUL_CLOSED, "the peer closed while blocks were in flight");
}

static void test_link_poll__writes_are_never_acknowledged__timeout(void)
{
    open_sender(1);
    check(link_arm(tested));
    fake_clock_advance_ms(&ticking, PEER_TIMEOUT_MS);
    size_t count = fixture_poll();
    check_or_stop(count > 0);
    check_says(count, HAUL_TIMEOUT, "its network no longer acknowledges writes");
}

/* The block lies there, and its completion never comes. */
static void test_link_poll__completion_of_an_arrival_is_lost__timeout(void)
{
    bring_block(SLOT_DATA);
    check_or_stop(fixture_poll() == 1);
    link_release((struct link_rx){tested}, events[0].block);
    (void)fixture_poll();
    fake_complete_write(IBV_WC_SUCCESS);
    (void)fixture_poll();
    const struct slot_header header = {.type = SLOT_DATA,
                                       .kind = SLOT_KIND_DELTA,
                                       .epoch = EPOCH,
                                       .sequence = FIRST_SEQUENCE + 1,
                                       .payload_size_bytes = 10};
    slot_header_encode(&header, memory + SLOT_BYTES);
    (void)link_arm(tested);
    fake_clock_advance_ms(&ticking, PEER_TIMEOUT_MS);
    check_says(fixture_poll(), HAUL_TIMEOUT, "its device lost a completion");
}

static void test_link_poll__block_with_the_header_of_an_end__protocol(void)
{
    bring_block(SLOT_CLOSE);
    size_t count = fixture_poll();
    check_or_stop(count == 1);
    check_equal(events[0].type, LINK_CLOSED);
    check_status(events[0].status, HAUL_PROTOCOL);
    fixture_end();
}

static void test_link_poll__credit__freed_and_applied_are_counted_each(void)
{
    open_sender(3);
    for (int i = 0; i < 3; i++) {
        fake_complete_write(IBV_WC_SUCCESS);
    }
    bring_credit(0, 2, 1);
    check(fixture_poll() > 0);
    check_equal(link_freed_count((struct link_tx){tested}), 2);
    check_equal(link_applied_count((struct link_tx){tested}), 1);
    bring_credit(1, 3, 3);
    check(fixture_poll() > 0);
    check_equal(link_freed_count((struct link_tx){tested}), 3);
    check_equal(link_applied_count((struct link_tx){tested}), 3);
    fixture_end();
}

/* We have sent our end, and a block arrives: the peer did not know yet, and the block is lost. */
static void test_link_close__block_still_comes__cancelled(void)
{
    const struct slot_header header = {.type = SLOT_DATA,
                                       .kind = SLOT_KIND_DELTA,
                                       .epoch = EPOCH,
                                       .sequence = FIRST_SEQUENCE,
                                       .payload_size_bytes = 10};
    fixture_open_receiver();
    describe();
    link_close(tested);
    slot_header_encode(&header, memory);
    fake_arrive(imm_pack(SLOT_DATA, FIRST_SEQUENCE), SLOT_HEADER_BYTES + 10);
    check_says(fixture_poll(), HAUL_CANCELLED, "closed while the peer had blocks in flight");
}

/* Two senders, or two receivers, or slots of other sizes: each learns why. */
static void test_link_bind__peer_that_does_not_fit__refused_in_words(void)
{
    static const struct {
        bool same_role;
        uint32_t slot_bytes;
        enum haul_status status;
        const char *words;
    } cases[] = {
        {true, SLOT_BYTES, HAUL_PROTOCOL, "the peer has the same role"},
        {false, 2 * SLOT_BYTES, HAUL_MISMATCH, "the peer's slots have 8192 bytes, ours 4096"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        uint8_t bytes[VERBS_DESCRIPTION_BYTES];
        struct haul_error error;
        fixture_open_unbound_receiver();
        const struct verbs_description peer = {
            .sending = !cases[i].same_role,
            .slot_count = PEER_SLOT_COUNT,
            .slot_size_bytes = cases[i].slot_bytes,
            .address = PEER_ADDRESS,
            .rkey = PEER_RKEY,
            .record_count = cases[i].same_role ? 0 : credit_frames_max(PEER_SLOT_COUNT),
            .message_bytes_max = 1 << 20,
        };
        verbs_description_encode(&peer, bytes);
        check_error(link_bind(tested, bytes, sizeof(bytes), &error), cases[i].status, error);
        check_text(error.text, cases[i].words);
        check(!link_is_bound(tested));
        fixture_end();
    }
}

/* A connection manager that fails without an errno at least names the step. */
static void test_link_connect__cm_fails__address_call_and_cause_in_words(void)
{
    fixture_begin();
    check_or_stop(fixture_connect(NULL) == HAUL_OK);
    fake_cm(RDMA_CM_EVENT_ADDR_ERROR, -ENODEV);
    size_t count = fixture_poll();
    check_or_stop(count == 1);
    check_text(events[0].error->call, "RDMA_CM_EVENT_ADDR_ERROR");
    check_equal(events[0].error->code, ENODEV);
    check_says(count, HAUL_UNSUPPORTED, "10.1.2.3:4 is not on an RDMA device");
    fixture_begin();
    check_or_stop(fixture_connect(NULL) == HAUL_OK);
    fake_cm(RDMA_CM_EVENT_ADDR_ERROR, 0);
    check_says(fixture_poll(), HAUL_UNREACHABLE, "10.1.2.3:4 cannot be reached by RDMA");
}

static void test_link_poll__disconnected_before_it_was_ready__closed(void)
{
    fixture_begin();
    check_or_stop(fixture_accept(NULL) == HAUL_OK);
    fake_cm(RDMA_CM_EVENT_DISCONNECTED, 0);
    check_says(fixture_poll(), HAUL_CLOSED, "the peer disappeared");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_poll__peer_ends_while_its_block_is_held__protocol),
    CHECK_TEST(test_link_poll__peer_ends_while_a_block_is_on_its_way__closed),
    CHECK_TEST(test_link_poll__writes_are_never_acknowledged__timeout),
    CHECK_TEST(test_link_poll__completion_of_an_arrival_is_lost__timeout),
    CHECK_TEST(test_link_poll__block_with_the_header_of_an_end__protocol),
    CHECK_TEST(test_link_poll__credit__freed_and_applied_are_counted_each),
    CHECK_TEST(test_link_close__block_still_comes__cancelled),
    CHECK_TEST(test_link_bind__peer_that_does_not_fit__refused_in_words),
    CHECK_TEST(test_link_connect__cm_fails__address_call_and_cause_in_words),
    CHECK_TEST(test_link_poll__disconnected_before_it_was_ready__closed),
};
CHECK_MAIN("verbs_ends", tests)
