/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_receiver.c — what only a plain socket can do to a TCP link that receives: torn, damaged
 * and invalid streams. The conformance suite covers the regular life of a link. */
#include <string.h>

#include "crc32c.h"
#include "slot_header.h"
#include "tcp_frame.h"
#include "tcp_link_fixture.h"

static void open_receiver(void)
{
    fixture_open_unbound_receiver();
    fixture_bind();
}

static struct slot_header make_header(uint64_t number, uint32_t size)
{
    return (struct slot_header){.type = SLOT_DATA,
                                .kind = SLOT_KIND_DELTA,
                                .epoch = EPOCH,
                                .sequence = FIRST_SEQUENCE + number,
                                .payload_size_bytes = size,
                                .payload_crc = crc32c(fixture.payload, size)};
}

static size_t make_frame(const struct slot_header *header, uint8_t *frame)
{
    slot_header_encode(header, frame);
    memcpy(frame + SLOT_HEADER_BYTES, fixture.payload, header->payload_size_bytes);
    return SLOT_HEADER_BYTES + header->payload_size_bytes;
}

static void write_header(const struct slot_header *header)
{
    uint8_t bytes[SLOT_HEADER_BYTES];
    slot_header_encode(header, bytes);
    check(raw_write(fixture.peer, bytes, sizeof(bytes)));
}

static void write_block(uint64_t number, uint32_t size)
{
    uint8_t frame[SLOT_BYTES];
    const struct slot_header header = make_header(number, size);
    check(raw_write(fixture.peer, frame, make_frame(&header, frame)));
}

static void check_received(uint32_t size)
{
    fixture_check_next(LINK_RECEIVED);
    check_equal(fixture.event.block->header.payload_size_bytes, size);
    check(memcmp(block_payload(fixture.event.block), fixture.payload, size) == 0);
    check(fixture.event.block->payload_crc_known);
    check_equal(fixture.event.block->payload_crc_seen, fixture.event.block->header.payload_crc);
    check(!fixture.event.block->peer_writable);
}

static void read_record(enum tcp_frame_kind kind, uint64_t freed)
{
    uint8_t bytes[TCP_FRAME_BYTES];
    enum tcp_frame_kind seen;
    struct credit_frame record = {.freed = UINT64_MAX};
    check_or_stop(raw_read(fixture.peer, bytes, sizeof(bytes)));
    check_status(tcp_frame_decode(bytes, NULL, &seen, &record), HAUL_OK);
    check_equal(seen, kind);
    check_equal(record.epoch, EPOCH);
    check_equal(record.freed, freed);
}

static void test_tcp_link_poll__block_byte_by_byte__received_once_complete(void)
{
    open_receiver();
    uint8_t frame[SLOT_BYTES];
    const struct slot_header header = make_header(0, 100);
    size_t size = make_frame(&header, frame);
    for (size_t i = 0; i + 1 < size; i++) {
        check(raw_write(fixture.peer, frame + i, 1));
        check_equal(link_poll(fixture.link, &fixture.event, 1), 0);
    }
    check(raw_write(fixture.peer, frame + size - 1, 1));
    check_received(100);
    fixture_end();
}

/* Within a payload the socket wakes only for a large piece of it: here, for its very last byte. */
static void test_link_arm__in_a_payload__last_byte_ends_the_sleep(void)
{
    open_receiver();
    uint8_t frame[SLOT_BYTES];
    const struct slot_header header = make_header(0, 1000);
    size_t size = make_frame(&header, frame);
    check(raw_write(fixture.peer, frame, 100));
    check(raw_wait(link_fd(fixture.link), POLLIN));
    fixture_check_quiet();
    check(raw_write(fixture.peer, frame + 100, size - 101));
    fixture_check_quiet();
    check(raw_write(fixture.peer, frame + size - 1, 1));
    check(raw_wait(link_fd(fixture.link), POLLIN));
    check_received(1000);
    fixture_end();
}

static void test_link_arm__in_a_payload__end_of_the_stream_ends_the_sleep(void)
{
    open_receiver();
    const struct slot_header header = make_header(0, 1000);
    write_header(&header);
    check(raw_wait(link_fd(fixture.link), POLLIN));
    fixture_check_quiet();
    fixture_close_peer();
    check(raw_wait(link_fd(fixture.link), POLLIN));
    fixture_check_closed(HAUL_CLOSED);
    fixture_end();
}

static void test_tcp_link_poll__blocks_cut_at_every_byte__all_received(void)
{
    uint8_t frames[2 * (SLOT_HEADER_BYTES + 50)];
    for (size_t cut = 1; cut < sizeof(frames); cut++) {
        open_receiver();
        struct slot_header header = make_header(0, 50);
        size_t size = make_frame(&header, frames);
        header = make_header(1, 50);
        (void)make_frame(&header, frames + size);
        check(raw_write(fixture.peer, frames, cut));
        bool early = link_poll(fixture.link, &fixture.event, 1) == 1;
        check(raw_write(fixture.peer, frames + cut, sizeof(frames) - cut));
        if (!early) {
            check_received(50);
        }
        check_received(50);
        fixture_check_quiet();
        fixture_end();
    }
}

static void test_tcp_link_poll__empty_payloads_read_ahead__each_received(void)
{
    open_receiver();
    for (uint64_t i = 0; i < SLOT_COUNT; i++) {
        write_block(i, 0);
    }
    for (uint64_t i = 0; i < SLOT_COUNT; i++) {
        check_received(0);
        check_equal(fixture.event.block->header.sequence, FIRST_SEQUENCE + i);
    }
    fixture_end();
}

/* Earlier contents of a block do not affect its checksum. */
static void test_tcp_link_poll__blocks_used_again__each_with_its_own_crc(void)
{
    open_receiver();
    for (uint64_t i = 0; i < 3 * SLOT_COUNT; i++) {
        write_block(i, (uint32_t)(10 + i));
        check_received((uint32_t)(10 + i));
        link_release((struct link_rx){fixture.link}, fixture.event.block);
    }
    fixture_end();
}

static void test_tcp_link_poll__payload_damaged__received_with_the_other_crc(void)
{
    open_receiver();
    uint8_t frame[SLOT_BYTES];
    const struct slot_header header = make_header(0, 100);
    size_t size = make_frame(&header, frame);
    frame[size - 1] ^= 1;
    check(raw_write(fixture.peer, frame, size));
    fixture_check_next(LINK_RECEIVED);
    check(fixture.event.block->payload_crc_known);
    check(fixture.event.block->payload_crc_seen != fixture.event.block->header.payload_crc);
    fixture_end();
}

static void test_tcp_link_poll__any_header_bit_flipped__closed(void)
{
    for (size_t bit = 0; bit < SLOT_HEADER_BYTES * 8; bit += 5) {
        open_receiver();
        uint8_t frame[SLOT_BYTES];
        const struct slot_header header = make_header(0, 0);
        size_t size = make_frame(&header, frame);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(raw_write(fixture.peer, frame, size));
        fixture_check_next(LINK_CLOSED);
        check(fixture.event.error->status == HAUL_PROTOCOL ||
              fixture.event.error->status == HAUL_VERSION ||
              fixture.event.error->status == HAUL_CORRUPT);
        check(strstr(fixture.event.error->text, "bad block header") != NULL);
        fixture_end();
    }
}

static void test_tcp_link_poll__other_epoch__fenced(void)
{
    open_receiver();
    struct slot_header header = make_header(0, 0);
    header.epoch = EPOCH - 1;
    write_header(&header);
    fixture_check_closed(HAUL_FENCED);
    fixture_end();
}

static void test_tcp_link_poll__sequence_skipped__protocol(void)
{
    open_receiver();
    write_block(0, 10);
    write_block(2, 10);
    check_received(10);
    fixture_check_closed(HAUL_PROTOCOL);
    fixture_end();
}

static void test_tcp_link_poll__payload_larger_than_a_slot__protocol(void)
{
    open_receiver();
    struct slot_header header = make_header(0, 0);
    header.payload_size_bytes = PAYLOAD_BYTES_MAX + 1;
    write_header(&header);
    fixture_check_closed(HAUL_PROTOCOL);
    fixture_end();
}

static void test_tcp_link_poll__payload_of_a_whole_slot__received(void)
{
    open_receiver();
    write_block(0, PAYLOAD_BYTES_MAX);
    check_received(PAYLOAD_BYTES_MAX);
    fixture_end();
}

static void test_tcp_link_poll__unknown_type__protocol(void)
{
    open_receiver();
    struct slot_header header = make_header(0, 0);
    header.type = SLOT_CREDIT;
    write_header(&header);
    fixture_check_closed(HAUL_PROTOCOL);
    fixture_end();
}

static void test_tcp_link_poll__block_without_credit__protocol(void)
{
    open_receiver();
    for (uint64_t i = 0; i <= SLOT_COUNT; i++) {
        write_block(i, 10);
    }
    for (uint64_t i = 0; i < SLOT_COUNT; i++) {
        check_received(10);
    }
    fixture_check_closed(HAUL_PROTOCOL);
    fixture_end();
}

static void test_tcp_link_poll__block_before_the_bind__waits_and_sleeps(void)
{
    fixture_open_unbound_receiver();
    write_block(0, 100);
    check(raw_wait(link_fd(fixture.link), POLLIN));
    check_equal(link_poll(fixture.link, &fixture.event, 1), 0);
    fixture_check_quiet();
    fixture_bind();
    check_received(100);
    fixture_end();
}

static void test_tcp_link_poll__reset_before_the_bind_with_data_waiting__closed(void)
{
    fixture_open_unbound_receiver();
    write_block(0, 100);
    check(raw_wait(link_fd(fixture.link), POLLIN));
    fixture_check_quiet();
    const struct linger abort_it = {.l_onoff = 1, .l_linger = 0};
    check(setsockopt(fixture.peer, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it)) == 0);
    fixture_close_peer();
    fixture_check_closed(HAUL_CLOSED);
    fixture_end();
}

static void test_tcp_link_poll__stream_ends_before_the_bind_behind_a_block__wakes_and_closed(void)
{
    fixture_open_unbound_receiver();
    write_block(0, 100);
    check(raw_wait(link_fd(fixture.link), POLLIN));
    fixture_check_quiet();
    fixture_close_peer();
    check(raw_wait(link_fd(fixture.link), POLLIN));
    fixture_check_closed(HAUL_CLOSED);
    fixture_end();
}

static void test_tcp_link_poll__block_and_end_come_at_once_before_the_bind__closed(void)
{
    fixture_open_unbound_receiver();
    write_block(0, 100);
    fixture_close_peer();
    fixture_check_closed(HAUL_CLOSED);
    fixture_end();
}

static void test_link_bind__stream_ended_behind_a_block__received_then_closed(void)
{
    fixture_open_unbound_receiver();
    write_block(0, 100);
    check(raw_wait(link_fd(fixture.link), POLLIN));
    fixture_check_quiet();
    fixture_close_peer();
    fixture_bind();
    check_received(100);
    fixture_check_closed(HAUL_CLOSED);
    fixture_end();
}

static void test_link_close__block_came_before_the_bind__cancelled(void)
{
    fixture_open_unbound_receiver();
    write_block(0, 100);
    check(raw_wait(link_fd(fixture.link), POLLIN));
    fixture_check_quiet();
    link_close(fixture.link);
    fixture_check_closed(HAUL_CANCELLED);
    fixture_end();
}

static void test_link_close__before_the_bind_while_a_block_is_on_its_way__cancelled(void)
{
    fixture_open_unbound_receiver();
    link_close(fixture.link);
    write_block(0, 100);
    fixture_check_closed(HAUL_CANCELLED);
    fixture_end();
}

static void test_link_release__ring_released_out_of_order__credit_for_what_is_contiguous(void)
{
    open_receiver();
    struct block *blocks[SLOT_COUNT];
    for (uint64_t i = 0; i < SLOT_COUNT; i++) {
        write_block(i, 10);
        check_received(10);
        blocks[i] = fixture.event.block;
    }
    link_release((struct link_rx){fixture.link}, blocks[1]);
    fixture_check_quiet();
    link_release((struct link_rx){fixture.link}, blocks[0]);
    check(!link_arm(fixture.link));
    check_equal(link_poll(fixture.link, &fixture.event, 1), 0);
    read_record(TCP_FRAME_CREDIT, 2);
    fixture_check_quiet();
    fixture_end();
}

static void test_tcp_link_poll__sender_ends_orderly__end_record_and_ok(void)
{
    open_receiver();
    write_block(0, 10);
    check_received(10);
    link_release((struct link_rx){fixture.link}, fixture.event.block);
    check_equal(link_poll(fixture.link, &fixture.event, 1), 0);
    read_record(TCP_FRAME_CREDIT, 1);
    struct slot_header header = make_header(1, 0);
    header.type = SLOT_CLOSE;
    write_header(&header);
    fixture_check_closed(HAUL_OK);
    read_record(TCP_FRAME_END, 1);
    check(raw_ends(fixture.peer));
    fixture_end();
}

static void test_tcp_link_poll__sender_ends_with_a_block_lent__protocol(void)
{
    open_receiver();
    write_block(0, 10);
    check_received(10);
    struct block *lent = fixture.event.block;
    struct slot_header header = make_header(1, 0);
    header.type = SLOT_CLOSE;
    write_header(&header);
    fixture_check_closed(HAUL_PROTOCOL);
    link_release((struct link_rx){fixture.link}, lent);
    fixture_end();
}

static void test_tcp_link_poll__sender_vanishes_between_blocks__closed(void)
{
    open_receiver();
    write_block(0, 10);
    fixture_close_peer();
    check_received(10);
    fixture_check_closed(HAUL_CLOSED);
    fixture_end();
}

static void test_tcp_link_poll__sender_vanishes_in_a_block__closed(void)
{
    open_receiver();
    const struct slot_header header = make_header(0, 100);
    write_header(&header);
    fixture_close_peer();
    fixture_check_closed(HAUL_CLOSED);
    fixture_end();
}

static void test_link_close__receiver_and_silent_sender__timeout_at_the_deadline(void)
{
    open_receiver();
    link_close(fixture.link);
    read_record(TCP_FRAME_END, 0);
    check_equal(link_deadline_ns(fixture.link),
                fixture.fake.now_ns + PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS);
    fixture_check_quiet();
    fake_clock_advance_ms(&fixture.fake, PEER_TIMEOUT_MS);
    fixture_check_closed(HAUL_TIMEOUT);
    fixture_end();
}

/* After our end nobody waits for blocks, and an invalid frame is not waited out either. */
static void test_link_close__receiver_and_sender_of_another_epoch__fenced_at_once(void)
{
    open_receiver();
    link_close(fixture.link);
    read_record(TCP_FRAME_END, 0);
    struct slot_header header = make_header(0, 10);
    header.epoch++;
    write_header(&header);
    fixture_check_closed(HAUL_FENCED);
    fixture_end();
}

static void test_link_close__receiver_and_sender_that_vanishes__closed_at_once(void)
{
    open_receiver();
    link_close(fixture.link);
    read_record(TCP_FRAME_END, 0);
    fixture_close_peer();
    fixture_check_closed(HAUL_CLOSED);
    fixture_end();
}

static void test_link_close__receiver_while_a_block_is_on_its_way__cancelled(void)
{
    open_receiver();
    link_close(fixture.link);
    write_block(0, 10);
    fixture_check_closed(HAUL_CANCELLED);
    read_record(TCP_FRAME_END, 0);
    fixture_end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_tcp_link_poll__block_byte_by_byte__received_once_complete),
    CHECK_TEST(test_link_arm__in_a_payload__last_byte_ends_the_sleep),
    CHECK_TEST(test_link_arm__in_a_payload__end_of_the_stream_ends_the_sleep),
    CHECK_TEST(test_tcp_link_poll__blocks_cut_at_every_byte__all_received),
    CHECK_TEST(test_tcp_link_poll__empty_payloads_read_ahead__each_received),
    CHECK_TEST(test_tcp_link_poll__payload_damaged__received_with_the_other_crc),
    CHECK_TEST(test_tcp_link_poll__blocks_used_again__each_with_its_own_crc),
    CHECK_TEST(test_tcp_link_poll__any_header_bit_flipped__closed),
    CHECK_TEST(test_tcp_link_poll__other_epoch__fenced),
    CHECK_TEST(test_tcp_link_poll__sequence_skipped__protocol),
    CHECK_TEST(test_tcp_link_poll__payload_larger_than_a_slot__protocol),
    CHECK_TEST(test_tcp_link_poll__payload_of_a_whole_slot__received),
    CHECK_TEST(test_tcp_link_poll__unknown_type__protocol),
    CHECK_TEST(test_tcp_link_poll__block_without_credit__protocol),
    CHECK_TEST(test_tcp_link_poll__block_before_the_bind__waits_and_sleeps),
    CHECK_TEST(test_tcp_link_poll__reset_before_the_bind_with_data_waiting__closed),
    CHECK_TEST(test_tcp_link_poll__stream_ends_before_the_bind_behind_a_block__wakes_and_closed),
    CHECK_TEST(test_tcp_link_poll__block_and_end_come_at_once_before_the_bind__closed),
    CHECK_TEST(test_link_bind__stream_ended_behind_a_block__received_then_closed),
    CHECK_TEST(test_link_close__block_came_before_the_bind__cancelled),
    CHECK_TEST(test_link_close__before_the_bind_while_a_block_is_on_its_way__cancelled),
    CHECK_TEST(test_link_release__ring_released_out_of_order__credit_for_what_is_contiguous),
    CHECK_TEST(test_tcp_link_poll__sender_ends_orderly__end_record_and_ok),
    CHECK_TEST(test_tcp_link_poll__sender_ends_with_a_block_lent__protocol),
    CHECK_TEST(test_tcp_link_poll__sender_vanishes_between_blocks__closed),
    CHECK_TEST(test_tcp_link_poll__sender_vanishes_in_a_block__closed),
    CHECK_TEST(test_link_close__receiver_and_silent_sender__timeout_at_the_deadline),
    CHECK_TEST(test_link_close__receiver_and_sender_of_another_epoch__fenced_at_once),
    CHECK_TEST(test_link_close__receiver_and_sender_that_vanishes__closed_at_once),
    CHECK_TEST(test_link_close__receiver_while_a_block_is_on_its_way__cancelled),
};
CHECK_MAIN("tcp_receiver", tests)
