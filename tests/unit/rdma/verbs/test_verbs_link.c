/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_link.c — what only a device can do to a verbs link: completions in every order,
 * invalid arrivals, errors. The conformance suite covers the regular life of a link. */
#include "verbs_fixture.h"

#include "crc32c.h"
#include "verbs_endpoint.h"

/* --- sending ---------------------------------------------------------------------------------- */

static uint8_t *records_of_sender;
static uint64_t record_number;

static void open_sender(void)
{
    struct verbs_description ours;
    uint8_t bytes[LINK_DESCRIPTION_BYTES_MAX];
    fixture_open_sender();
    size_t size = link_describe(tested, bytes);
    check_or_stop(verbs_description_decode(bytes, size, &ours, NULL) == HAUL_OK);
    records_of_sender = (uint8_t *)(uintptr_t)ours.address;
    record_number = 0;
}

static enum haul_status submit(uint32_t payload_bytes)
{
    struct block *block;
    check_or_stop(block_pool_acquire(link_pool((struct link_tx){tested}), 0, &block) == HAUL_OK);
    block->header.payload_size_bytes = payload_bytes;
    enum haul_status status = link_submit((struct link_tx){tested}, block);
    if (status != HAUL_OK) {
        block_pool_release(link_pool((struct link_tx){tested}), block);
    }
    return status;
}

static void submit_blocks(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        check_or_stop(submit(100) == HAUL_OK);
    }
}

static uint8_t *put_record(uint64_t freed, uint64_t applied)
{
    const struct credit_frame record = {.epoch = EPOCH, .freed = freed, .applied = applied};
    uint64_t place = record_number % credit_frames_max(SLOT_COUNT);
    uint8_t *at = records_of_sender + place * CREDIT_FRAME_BYTES;
    credit_frame_encode(&record, CREDIT_RECORD_MAGIC, NULL, at);
    return at;
}

static void announce_record(void)
{
    fake_arrive(imm_pack(SLOT_CREDIT, record_number), CREDIT_FRAME_BYTES);
    record_number++;
}

static void bring_credit(uint64_t freed, uint64_t applied)
{
    (void)put_record(freed, applied);
    announce_record();
}

/* Poll; returns how many blocks came back with the status. Their memory goes back to the pool. */
static unsigned poll_done(enum haul_status status)
{
    unsigned found = 0;
    size_t count = fixture_wake();
    for (size_t i = 0; i < count; i++) {
        if (events[i].type == LINK_DONE) {
            found += events[i].status == status ? 1 : 0;
            block_pool_release(link_pool((struct link_tx){tested}), events[i].block);
        }
    }
    return found;
}

static void test_link_submit__blocks__written_into_their_slots(void)
{
    open_sender();
    submit_blocks(SLOT_COUNT);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        check_equal(fake.writes[i].remote_address, PEER_ADDRESS + i * SLOT_BYTES);
        check_equal(fake.writes[i].rkey, PEER_RKEY);
        check_equal(fake.writes[i].size_bytes, SLOT_HEADER_BYTES + 100);
        check_equal(fake.writes[i].immediate, imm_pack(SLOT_DATA, FIRST_SEQUENCE + i));
    }
    fixture_end();
}

/* A block counts with its headers once it is written to the wire. */
static void test_link_stats__blocks_written__counted_with_their_headers(void)
{
    struct haul_link_stats stats;
    open_sender();
    submit_blocks(2);
    link_stats(tested, &stats);
    check_equal(stats.blocks_sent, 0);
    fake_complete_write(IBV_WC_SUCCESS);
    fake_complete_write(IBV_WC_SUCCESS);
    check_equal(poll_done(HAUL_OK), 0);
    link_stats(tested, &stats);
    check_equal(stats.blocks_sent, 2);
    check_equal(stats.bytes_sent, 2 * (SLOT_HEADER_BYTES + 100));
    fixture_end();
}

static void test_link_submit__more_blocks_than_slots__ring_of_the_peer_goes_round(void)
{
    open_sender();
    for (unsigned i = 0; i < PEER_SLOT_COUNT + 1; i++) {
        submit_blocks(1);
        fake_complete_write(IBV_WC_SUCCESS);
        bring_credit(i + 1, i + 1);
        check_equal(poll_done(HAUL_OK), 1);
    }
    check_equal(fake.writes[PEER_SLOT_COUNT].remote_address, PEER_ADDRESS);
    fixture_end();
}

static void test_link_poll__written_but_not_freed__not_done(void)
{
    open_sender();
    submit_blocks(1);
    fake_complete_write(IBV_WC_SUCCESS);
    check_equal(poll_done(HAUL_OK), 0);
    bring_credit(1, 0);
    check_equal(poll_done(HAUL_OK), 1);
    fixture_end();
}

static void test_link_poll__freed_but_not_written__not_done(void)
{
    open_sender();
    submit_blocks(1);
    uint8_t *at = put_record(1, 0);
    announce_record();
    check_equal(poll_done(HAUL_OK), 0);
    check_equal(at[0] | at[1] | at[2] | at[3], 0); /* else the peer has written again */
    check_equal(link_freed_count((struct link_tx){tested}), 1);
    fake_complete_write(IBV_WC_SUCCESS);
    check_equal(poll_done(HAUL_OK), 1);
    fixture_end();
}

static void test_link_submit__credits_faster_than_completions__again(void)
{
    struct block_pool *pool;
    fixture_begin();
    check_or_stop(block_pool_create(2 * SLOT_COUNT, SLOT_BYTES, NULL, &pool, NULL) == HAUL_OK);
    config.pool = pool;
    check_or_stop(fixture_connect(NULL) == HAUL_OK);
    check_or_stop(fixture_walk() == 1);
    fixture_bind();
    struct verbs_description ours;
    uint8_t bytes[LINK_DESCRIPTION_BYTES_MAX];
    size_t size = link_describe(tested, bytes);
    check_or_stop(verbs_description_decode(bytes, size, &ours, NULL) == HAUL_OK);
    records_of_sender = (uint8_t *)(uintptr_t)ours.address;
    record_number = 0;
    submit_blocks(SLOT_COUNT);
    bring_credit(SLOT_COUNT, SLOT_COUNT);
    check_equal(poll_done(HAUL_OK), 0);
    check_status(submit(100), HAUL_AGAIN);
    fake_complete_write(IBV_WC_SUCCESS);
    check_equal(poll_done(HAUL_OK), 1);
    check_status(submit(100), HAUL_OK);
    fixture_end();
    block_pool_close(pool); /* the link was closed with blocks in flight */
    block_pool_destroy(pool);
}

static void check_cancelled_then_closed(unsigned blocks, enum haul_status status)
{
    size_t count = fixture_wake();
    check_equal(count, blocks + 1);
    for (unsigned i = 0; i < blocks; i++) {
        check_equal(events[i].type, LINK_DONE);
        check_status(events[i].status, HAUL_CANCELLED);
    }
    fixture_check_closed(count, status);
}

static void test_link_poll__peer_does_not_answer__cancelled_and_unreachable(void)
{
    open_sender();
    submit_blocks(3);
    fake_complete_write(IBV_WC_RETRY_EXC_ERR);
    check_cancelled_then_closed(3, HAUL_UNREACHABLE);
    check(strstr(events[3].error->text, "retry counter exceeded") != NULL);
    check(strstr(events[3].error->text, "vendor error 0x42") != NULL);
    check(strstr(events[3].error->text, "10.1.2.3:4") != NULL);
    fixture_end();
}

static void test_link_poll__peer_closed_its_memory__cancelled_and_protocol(void)
{
    open_sender();
    submit_blocks(1);
    fake_complete_write(IBV_WC_REM_ACCESS_ERR);
    check_cancelled_then_closed(1, HAUL_PROTOCOL);
    fixture_end();
}

static void test_link_submit__post_fails__block_comes_back_cancelled(void)
{
    open_sender();
    fake.fail_at = fake.call_count + 1;
    check_status(submit(100), HAUL_OK);
    check_cancelled_then_closed(1, HAUL_IO);
    fixture_end();
}

static void test_link_poll__disconnected__cancelled_and_closed(void)
{
    open_sender();
    submit_blocks(2);
    fake_cm(RDMA_CM_EVENT_DISCONNECTED, 0);
    check_cancelled_then_closed(2, HAUL_CLOSED);
    check(strstr(events[2].error->text, "peer disappeared") != NULL);
    fixture_end();
}

static void test_link_poll__freed_before_the_disconnect__done_ok(void)
{
    open_sender();
    submit_blocks(2);
    bring_credit(1, 1);
    fake_cm(RDMA_CM_EVENT_DISCONNECTED, 0);
    size_t count = fixture_wake();
    check_equal(count, 3);
    check_status(events[0].status, HAUL_OK);
    check_status(events[1].status, HAUL_CANCELLED);
    fixture_check_closed(count, HAUL_CLOSED);
    fixture_end();
}

static void check_async(enum ibv_event_type type, enum haul_status status)
{
    open_sender();
    submit_blocks(1);
    fake_async(type);
    check_cancelled_then_closed(1, status);
    fixture_end();
}

static void test_link_poll__completion_queue_is_broken__io(void)
{
    open_sender();
    fake.poll_fails = true;
    size_t count = fixture_wake();
    fake.poll_fails = false;
    fixture_check_closed(count, HAUL_IO);
    check_text(events[0].error->text, "the completion queue is broken");
    fixture_end();
}

static void test_link_poll__queue_pair_fatal__io(void)
{
    check_async(IBV_EVENT_QP_FATAL, HAUL_IO);
}

static void test_link_poll__device_fatal__io(void)
{
    check_async(IBV_EVENT_DEVICE_FATAL, HAUL_IO);
}

static void bring_port_down(void)
{
    open_sender();
    submit_blocks(1);
    fake_async(IBV_EVENT_PORT_ERR);
    check_equal(fixture_wake(), 0);
}

static void test_link_poll__port_stays_down__unreachable_at_the_deadline(void)
{
    bring_port_down();
    uint64_t deadline_ns = link_deadline_ns(tested);
    check(deadline_ns > ticking.now_ns && deadline_ns <= ticking.now_ns + 500 * NS_PER_MS);
    ticking.now_ns = deadline_ns - 1;
    check_equal(fixture_wake(), 0);
    fake_async(IBV_EVENT_PORT_ERR); /* repeated: it does not extend the deadline */
    ticking.now_ns++;
    check_cancelled_then_closed(1, HAUL_UNREACHABLE);
    fixture_end();
}

static void test_link_poll__port_comes_up_again_soon__goes_on(void)
{
    bring_port_down();
    fake_clock_advance_ms(&ticking, 200);
    fake_async(IBV_EVENT_PORT_ACTIVE);
    check_equal(fixture_wake(), 0);
    fake_clock_advance_ms(&ticking, 400);
    check_equal(fixture_wake(), 0);
    check_status(submit(100), HAUL_OK);
    fixture_end();
}

/* Newer kernels send this when the peer's address moved; the queue pair may well get through. */
static void test_link_poll__unreachable_when_established__goes_on(void)
{
    open_sender();
    fake_cm(RDMA_CM_EVENT_UNREACHABLE, -ETIMEDOUT);
    check_equal(fixture_wake(), 0);
    check_status(submit(100), HAUL_OK);
    fixture_end();
}

static void test_link_poll__our_address_moved_to_another_card__unreachable(void)
{
    open_sender();
    submit_blocks(1);
    fake_cm(RDMA_CM_EVENT_ADDR_CHANGE, 0);
    check_cancelled_then_closed(1, HAUL_UNREACHABLE);
    fixture_end();
}

static void test_link_poll__harmless_device_event__goes_on(void)
{
    open_sender();
    fake_async(IBV_EVENT_GID_CHANGE);
    check_equal(fixture_wake(), 0);
    check_status(submit(100), HAUL_OK);
    fixture_end();
}

static void test_link_poll__busy_and_never_armed__disconnect_is_seen(void)
{
    open_sender();
    fake_cm(RDMA_CM_EVENT_DISCONNECTED, 0);
    size_t count = 0;
    for (int i = 0; i < 100 && count == 0; i++) {
        count = fixture_poll();
    }
    fixture_check_closed(count, HAUL_CLOSED);
    fixture_end();
}

/* --- lawless records -------------------------------------------------------------------------- */

static void check_closes(enum haul_status status)
{
    size_t count = fixture_wake();
    fixture_check_closed(count, status);
    fixture_end();
}

static void test_link_poll__damaged_record__corrupt(void)
{
    open_sender();
    put_record(0, 0)[3] ^= 1;
    announce_record();
    check_closes(HAUL_CORRUPT);
}

static void test_link_poll__record_of_another_epoch__fenced(void)
{
    const struct credit_frame record = {.epoch = EPOCH + 1};
    open_sender();
    credit_frame_encode(&record, CREDIT_RECORD_MAGIC, NULL, records_of_sender);
    announce_record();
    check_closes(HAUL_FENCED);
}

static void test_link_poll__more_freed_than_sent__protocol(void)
{
    open_sender();
    bring_credit(1, 0);
    check_closes(HAUL_PROTOCOL);
}

static void test_link_poll__record_out_of_turn__protocol(void)
{
    open_sender();
    put_record(0, 0);
    record_number = 1;
    announce_record();
    check_closes(HAUL_PROTOCOL);
}

static void test_link_poll__block_at_a_sender__protocol(void)
{
    open_sender();
    fake_arrive(imm_pack(SLOT_DATA, 0), CREDIT_FRAME_BYTES);
    check_closes(HAUL_PROTOCOL);
}

/* --- receiving -------------------------------------------------------------------------------- */

static uint8_t *ring;

static void describe_ring(void)
{
    struct verbs_description ours;
    uint8_t bytes[LINK_DESCRIPTION_BYTES_MAX];
    size_t size = link_describe(tested, bytes);
    check_or_stop(verbs_description_decode(bytes, size, &ours, NULL) == HAUL_OK);
    check(!ours.sending);
    ring = (uint8_t *)(uintptr_t)ours.address;
}

static void open_receiver(void)
{
    fixture_open_receiver();
    describe_ring();
}

static struct slot_header make_header(uint64_t number)
{
    return (struct slot_header){.type = SLOT_DATA,
                                .kind = SLOT_KIND_DELTA,
                                .epoch = EPOCH,
                                .sequence = FIRST_SEQUENCE + number,
                                .payload_size_bytes = 200};
}

/* Block `number` as a peer sends it. */
static void bring_block(uint64_t number)
{
    const struct slot_header header = make_header(number);
    slot_header_encode(&header, ring + number % SLOT_COUNT * SLOT_BYTES);
    fake_arrive(imm_pack(SLOT_DATA, header.sequence), SLOT_HEADER_BYTES + 200);
}

static void test_link_poll__block__lent_and_not_believed(void)
{
    open_receiver();
    bring_block(0);
    check_equal(fixture_poll(), 1);
    check_equal(events[0].type, LINK_RECEIVED);
    check(events[0].block->peer_writable);
    check(!events[0].block->payload_crc_known);
    check_equal(events[0].block->state, BLOCK_LENT);
    check_equal(events[0].block->data, ring);
    check_equal(events[0].block->header.payload_size_bytes, 200);
    struct haul_link_stats stats;
    link_stats(tested, &stats);
    check_equal(stats.blocks_received, 1);
    check_equal(stats.bytes_received, SLOT_HEADER_BYTES + 200);
    fixture_end();
}

static void test_link_poll__header_changes_after_the_arrival__block_keeps_what_was_checked(void)
{
    open_receiver();
    bring_block(0);
    check_equal(fixture_poll(), 1);
    memset(ring, 0xff, SLOT_HEADER_BYTES);
    check_equal(events[0].block->header.payload_size_bytes, 200);
    fixture_end();
}

static void test_link_poll__block_before_the_bind__received_after_it(void)
{
    fixture_open_unbound_receiver();
    describe_ring();
    bring_block(0);
    check_equal(fixture_poll(), 0);
    check(link_arm(tested)); /* nothing to do yet: no busy loop until the bind */
    fixture_bind();
    check(!link_arm(tested));
    check_equal(fixture_poll(), 1);
    check_equal(events[0].type, LINK_RECEIVED);
    fixture_end();
}

static void test_link_release__block__receive_posted_and_record_written(void)
{
    struct credit_frame record;
    open_receiver();
    unsigned posted = fake.receive_count;
    bring_block(0);
    check_equal(fixture_poll(), 1);
    link_note_applied((struct link_rx){tested}, 1);
    link_release((struct link_rx){tested}, events[0].block);
    check_equal(fake.receive_count, posted + 1);
    check_equal(fixture_poll(), 0);
    check_equal(fake.write_count, 1);
    check_equal(fake.writes[0].remote_address, PEER_ADDRESS);
    check_equal(fake.writes[0].immediate, imm_pack(SLOT_CREDIT, 0));
    fixture_take_credit(0, &record);
    check_equal(record.epoch, EPOCH);
    check_equal(record.freed, 1);
    check_equal(record.applied, 1);
    fixture_end();
}

static void test_link_release__record_on_its_way__next_one_waits_and_tells_all(void)
{
    struct credit_frame record;
    open_receiver();
    for (uint64_t n = 0; n < 3; n++) {
        bring_block(n);
        check_equal(fixture_poll(), 1);
        link_release((struct link_rx){tested}, events[0].block);
        check_equal(fixture_poll(), 0);
    }
    check_equal(fake.write_count, 1);
    fake_complete_write(IBV_WC_SUCCESS);
    check_equal(fixture_poll(), 0);
    check_equal(fake.write_count, 2);
    check_equal(fake.writes[1].remote_address, PEER_ADDRESS + CREDIT_FRAME_BYTES);
    fixture_take_credit(1, &record);
    check_equal(record.freed, 3);
    fixture_end();
}

static void test_link_release__after_the_end__block_stays_readable_and_nothing_is_posted(void)
{
    open_receiver();
    bring_block(0);
    check_equal(fixture_poll(), 1);
    struct block *block = events[0].block;
    fake_cm(RDMA_CM_EVENT_DISCONNECTED, 0);
    fixture_check_closed(fixture_wake(), HAUL_CLOSED);
    unsigned posted = fake.receive_count;
    check_equal(block_payload(block)[0], 0);
    link_release((struct link_rx){tested}, block);
    check_equal(fake.receive_count, posted);
    fixture_end();
}

static void test_link_poll__block_before_the_disconnect__received_first(void)
{
    open_receiver();
    bring_block(0);
    fake_cm(RDMA_CM_EVENT_DISCONNECTED, 0);
    check_equal(fixture_wake(), 2);
    check_equal(events[0].type, LINK_RECEIVED);
    fixture_check_closed(2, HAUL_CLOSED);
    fixture_end();
}

static void test_link_poll__one_event_room_and_a_disconnect__no_block_is_lost(void)
{
    open_receiver();
    bring_block(0);
    bring_block(1);
    fake_cm(RDMA_CM_EVENT_DISCONNECTED, 0);
    for (int i = 0; i < 2; i++) {
        (void)link_arm(tested);
        check_equal(link_poll(tested, events, 1), 1);
        check_equal(events[0].type, LINK_RECEIVED);
    }
    check_equal(fixture_wake(), 1);
    fixture_check_closed(1, HAUL_CLOSED);
    fixture_end();
}

/* --- lawless arrivals ------------------------------------------------------------------------- */

static void bring_header(const struct slot_header *header, uint32_t immediate, uint32_t size)
{
    open_receiver();
    slot_header_encode(header, ring);
    fake_arrive(immediate, size);
}

static void test_link_poll__immediate_out_of_turn__protocol(void)
{
    const struct slot_header header = make_header(0);
    bring_header(&header, imm_pack(SLOT_DATA, FIRST_SEQUENCE + 1), SLOT_HEADER_BYTES + 200);
    check_closes(HAUL_PROTOCOL);
}

static void test_link_poll__immediate_of_unknown_type__protocol(void)
{
    const struct slot_header header = make_header(0);
    bring_header(&header, imm_pack((enum slot_type)9, FIRST_SEQUENCE), SLOT_HEADER_BYTES + 200);
    check_closes(HAUL_PROTOCOL);
}

static void test_link_poll__shorter_than_a_header__protocol(void)
{
    const struct slot_header header = make_header(0);
    bring_header(&header, imm_pack(SLOT_DATA, FIRST_SEQUENCE), SLOT_HEADER_BYTES - 1);
    check_closes(HAUL_PROTOCOL);
}

static void test_link_poll__longer_than_a_slot__protocol(void)
{
    struct slot_header header = make_header(0);
    header.payload_size_bytes = SLOT_BYTES;
    bring_header(&header, imm_pack(SLOT_DATA, FIRST_SEQUENCE), SLOT_HEADER_BYTES + SLOT_BYTES);
    check_closes(HAUL_PROTOCOL);
}

static void test_link_poll__length_against_the_header__protocol(void)
{
    const struct slot_header header = make_header(0);
    bring_header(&header, imm_pack(SLOT_DATA, FIRST_SEQUENCE), SLOT_HEADER_BYTES + 199);
    check_closes(HAUL_PROTOCOL);
    bring_header(&header, imm_pack(SLOT_DATA, FIRST_SEQUENCE), SLOT_HEADER_BYTES + 201);
    check_closes(HAUL_PROTOCOL);
}

static void test_link_poll__sequence_of_header_against_immediate__protocol(void)
{
    const struct slot_header header = make_header(UINT64_C(1) << IMM_SEQUENCE_BITS);
    bring_header(&header, imm_pack(SLOT_DATA, FIRST_SEQUENCE), SLOT_HEADER_BYTES + 200);
    check_closes(HAUL_PROTOCOL);
}

static void test_link_poll__block_of_another_epoch__fenced(void)
{
    struct slot_header header = make_header(0);
    header.epoch++;
    bring_header(&header, imm_pack(SLOT_DATA, FIRST_SEQUENCE), SLOT_HEADER_BYTES + 200);
    check_closes(HAUL_FENCED);
}

static void test_link_poll__damaged_header__corrupt(void)
{
    const struct slot_header header = make_header(0);
    bring_header(&header, imm_pack(SLOT_DATA, FIRST_SEQUENCE), SLOT_HEADER_BYTES + 200);
    ring[20] ^= 1;
    check_closes(HAUL_CORRUPT);
}

static void test_link_poll__more_blocks_than_credits__protocol(void)
{
    open_receiver();
    for (uint64_t n = 0; n < SLOT_COUNT; n++) {
        bring_block(n);
    }
    check_equal(fixture_wake(), SLOT_COUNT);
    bring_block(SLOT_COUNT);
    fixture_check_closed(fixture_wake(), HAUL_PROTOCOL);
    fixture_end();
}

static void test_link_poll__plain_message__protocol(void)
{
    open_receiver();
    fake_push_completion((struct ibv_wc){
        .wr_id = fake.receives[fake.receives_done++], .opcode = IBV_WC_RECV, .byte_len = 0});
    check_closes(HAUL_PROTOCOL);
}

/* --- the orderly end -------------------------------------------------------------------------- */

static void test_link_close__both_say_it__ok_and_one_disconnect(void)
{
    open_sender();
    link_close(tested);
    check_equal(fake.writes[0].immediate, imm_pack(SLOT_CLOSE, FIRST_SEQUENCE));
    check_equal(fake.writes[0].size_bytes, 0);
    fake_complete_write(IBV_WC_SUCCESS);
    check_equal(fixture_poll(), 0);
    fake_arrive(imm_pack(SLOT_CLOSE, 0), 0);
    fixture_check_closed(fixture_poll(), HAUL_OK);
    check_equal(fake.disconnects, 1);
    fixture_end();
}

static void test_link_poll__peer_ends__answered_by_itself(void)
{
    open_receiver();
    fake_arrive(imm_pack(SLOT_CLOSE, FIRST_SEQUENCE), 0);
    check_equal(fixture_poll(), 0);
    check_equal(fake.writes[0].immediate, imm_pack(SLOT_CLOSE, 0));
    fake_complete_write(IBV_WC_SUCCESS);
    fixture_check_closed(fixture_poll(), HAUL_OK);
    fixture_end();
}

static void test_link_close__peer_gone_before_our_end_completes__ok_all_the_same(void)
{
    open_sender();
    link_close(tested);
    fake_arrive(imm_pack(SLOT_CLOSE, 0), 0);
    fake_cm(RDMA_CM_EVENT_DISCONNECTED, 0);
    fixture_check_closed(fixture_wake(), HAUL_OK);
    fixture_end();
}

static void test_link_close__record_on_its_way__end_waits_for_it(void)
{
    open_receiver();
    bring_block(0);
    check_equal(fixture_poll(), 1);
    link_release((struct link_rx){tested}, events[0].block);
    check_equal(fixture_poll(), 0);
    link_close(tested);
    check_equal(fake.write_count, 1);
    fake_complete_write(IBV_WC_SUCCESS);
    check_equal(fixture_poll(), 0);
    check_equal(fake.writes[1].immediate, imm_pack(SLOT_CLOSE, 1));
    fixture_end();
}

static void test_link_close__peer_silent__timeout_at_the_deadline(void)
{
    open_sender();
    link_close(tested);
    ticking.now_ns = link_deadline_ns(tested) - 1;
    check_equal(fixture_poll(), 0);
    ticking.now_ns++;
    fixture_check_closed(fixture_poll(), HAUL_TIMEOUT);
    fixture_end();
}

static void test_link_poll__peer_writes_after_its_end__protocol(void)
{
    open_receiver();
    fake_arrive(imm_pack(SLOT_CLOSE, FIRST_SEQUENCE), 0);
    bring_block(0);
    check_closes(HAUL_PROTOCOL);
}

static void test_link_poll__end_out_of_turn__protocol(void)
{
    open_receiver();
    fake_arrive(imm_pack(SLOT_CLOSE, FIRST_SEQUENCE + 1), 0);
    check_closes(HAUL_PROTOCOL);
}

static void test_link_poll__requests_never_complete__ended_at_the_deadline(void)
{
    open_sender();
    submit_blocks(1);
    fake.writes_done = 1; /* a device that loses a request: it will not be flushed */
    fake_cm(RDMA_CM_EVENT_DISCONNECTED, 0);
    check_equal(fixture_wake(), 0);
    ticking.now_ns = link_deadline_ns(tested);
    check_cancelled_then_closed(1, HAUL_CLOSED);
    fixture_end();
}

/* The peer relies on it: its blocks are free when we end. */
static void test_link_close__freed_and_not_told__told_before_the_end(void)
{
    open_receiver();
    bring_block(0);
    check_equal(fixture_poll(), 1);
    link_release((struct link_rx){tested}, events[0].block);
    link_close(tested);
    check_equal(fixture_poll(), 0);
    check_equal(fake.writes[0].immediate, imm_pack(SLOT_CREDIT, 0));
    fixture_end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_close__freed_and_not_told__told_before_the_end),
    CHECK_TEST(test_link_submit__blocks__written_into_their_slots),
    CHECK_TEST(test_link_stats__blocks_written__counted_with_their_headers),
    CHECK_TEST(test_link_submit__more_blocks_than_slots__ring_of_the_peer_goes_round),
    CHECK_TEST(test_link_poll__written_but_not_freed__not_done),
    CHECK_TEST(test_link_poll__freed_but_not_written__not_done),
    CHECK_TEST(test_link_submit__credits_faster_than_completions__again),
    CHECK_TEST(test_link_poll__peer_does_not_answer__cancelled_and_unreachable),
    CHECK_TEST(test_link_poll__peer_closed_its_memory__cancelled_and_protocol),
    CHECK_TEST(test_link_submit__post_fails__block_comes_back_cancelled),
    CHECK_TEST(test_link_poll__disconnected__cancelled_and_closed),
    CHECK_TEST(test_link_poll__freed_before_the_disconnect__done_ok),
    CHECK_TEST(test_link_poll__completion_queue_is_broken__io),
    CHECK_TEST(test_link_poll__queue_pair_fatal__io),
    CHECK_TEST(test_link_poll__device_fatal__io),
    CHECK_TEST(test_link_poll__port_stays_down__unreachable_at_the_deadline),
    CHECK_TEST(test_link_poll__port_comes_up_again_soon__goes_on),
    CHECK_TEST(test_link_poll__unreachable_when_established__goes_on),
    CHECK_TEST(test_link_poll__our_address_moved_to_another_card__unreachable),
    CHECK_TEST(test_link_poll__harmless_device_event__goes_on),
    CHECK_TEST(test_link_poll__busy_and_never_armed__disconnect_is_seen),
    CHECK_TEST(test_link_poll__damaged_record__corrupt),
    CHECK_TEST(test_link_poll__record_of_another_epoch__fenced),
    CHECK_TEST(test_link_poll__more_freed_than_sent__protocol),
    CHECK_TEST(test_link_poll__record_out_of_turn__protocol),
    CHECK_TEST(test_link_poll__block_at_a_sender__protocol),
    CHECK_TEST(test_link_poll__block__lent_and_not_believed),
    CHECK_TEST(test_link_poll__header_changes_after_the_arrival__block_keeps_what_was_checked),
    CHECK_TEST(test_link_poll__block_before_the_bind__received_after_it),
    CHECK_TEST(test_link_release__block__receive_posted_and_record_written),
    CHECK_TEST(test_link_release__record_on_its_way__next_one_waits_and_tells_all),
    CHECK_TEST(test_link_release__after_the_end__block_stays_readable_and_nothing_is_posted),
    CHECK_TEST(test_link_poll__block_before_the_disconnect__received_first),
    CHECK_TEST(test_link_poll__one_event_room_and_a_disconnect__no_block_is_lost),
    CHECK_TEST(test_link_poll__immediate_out_of_turn__protocol),
    CHECK_TEST(test_link_poll__immediate_of_unknown_type__protocol),
    CHECK_TEST(test_link_poll__shorter_than_a_header__protocol),
    CHECK_TEST(test_link_poll__longer_than_a_slot__protocol),
    CHECK_TEST(test_link_poll__length_against_the_header__protocol),
    CHECK_TEST(test_link_poll__sequence_of_header_against_immediate__protocol),
    CHECK_TEST(test_link_poll__block_of_another_epoch__fenced),
    CHECK_TEST(test_link_poll__damaged_header__corrupt),
    CHECK_TEST(test_link_poll__more_blocks_than_credits__protocol),
    CHECK_TEST(test_link_poll__plain_message__protocol),
    CHECK_TEST(test_link_close__both_say_it__ok_and_one_disconnect),
    CHECK_TEST(test_link_poll__peer_ends__answered_by_itself),
    CHECK_TEST(test_link_close__peer_gone_before_our_end_completes__ok_all_the_same),
    CHECK_TEST(test_link_close__record_on_its_way__end_waits_for_it),
    CHECK_TEST(test_link_close__peer_silent__timeout_at_the_deadline),
    CHECK_TEST(test_link_poll__peer_writes_after_its_end__protocol),
    CHECK_TEST(test_link_poll__end_out_of_turn__protocol),
    CHECK_TEST(test_link_poll__requests_never_complete__ended_at_the_deadline),
};
CHECK_MAIN("verbs_link", tests)
