/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_sender.c — what only a plain socket can do to a TCP link that sends: torn, damaged and
 * invented credits, and a peer that vanishes or never reads. */
#include <string.h>

#include "crc32c.h"
#include "link_ends.h"
#include "slot_header.h"
#include "tcp_frame.h"
#include "tcp_link_fixture.h"
#include "tcp_preamble.h"
#include "tcp_socket.h"

enum {
    LARGE_SLOT_BYTES = 4 << 20, /* a few of them are more than the kernel takes unread */
};

/* --- a kernel that takes a few bytes at a time ------------------------------------------------ */

static size_t send_bytes_max; /* of one call; 0: as much as the kernel takes */

enum haul_status __real_tcp_socket_send(int fd, const struct iovec *parts, size_t part_count,
                                        size_t *sent_bytes, struct haul_error *error);
enum haul_status __wrap_tcp_socket_send(int fd, const struct iovec *parts, size_t part_count,
                                        size_t *sent_bytes, struct haul_error *error);

enum haul_status __wrap_tcp_socket_send(int fd, const struct iovec *parts, size_t part_count,
                                        size_t *sent_bytes, struct haul_error *error)
{
    if (send_bytes_max == 0) {
        return __real_tcp_socket_send(fd, parts, part_count, sent_bytes, error);
    }
    struct iovec first = parts[0];
    first.iov_len = first.iov_len < send_bytes_max ? first.iov_len : send_bytes_max;
    return __real_tcp_socket_send(fd, &first, 1, sent_bytes, error);
}

/* --- a link that sends ------------------------------------------------------------------------ */

static void open_sender_of(uint32_t slot_size_bytes)
{
    struct link_address address;
    const struct link_ticket ticket = {.index = 1};
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    fixture_begin();
    fixture.config.options.slot_size_bytes = slot_size_bytes;
    int listening = raw_listen(&address);
    check_or_stop(listening >= 0);
    check_or_stop(connect_end(HAUL_TRANSPORT_TCP, &address, &ticket, &fixture.config, &fixture.link,
                              NULL) == HAUL_OK);
    fixture.peer = raw_accept(listening);
    (void)close(listening);
    check_or_stop(fixture.peer >= 0);
    check_equal(link_poll(fixture.link, &fixture.event, 1), 0);
    check_or_stop(raw_read(fixture.peer, bytes, sizeof(bytes)));
    tcp_answer_encode(HAUL_OK, bytes);
    check(raw_write(fixture.peer, bytes, sizeof(bytes)));
    fixture_check_next(LINK_CONNECTED);
    fixture_bind();
}

static void open_sender(void)
{
    open_sender_of(SLOT_BYTES);
}

static struct block *fill_block(uint32_t size)
{
    struct block *block = NULL;
    check_or_stop(block_pool_acquire(link_pool((struct link_tx){fixture.link}), 0, &block) ==
                  HAUL_OK);
    memcpy(block_payload(block), fixture.payload, size);
    block->header.payload_size_bytes = size;
    block->header.payload_crc = crc32c(fixture.payload, size);
    return block;
}

static struct block *submit_block(uint32_t size)
{
    struct block *block = fill_block(size);
    check_or_stop(link_submit((struct link_tx){fixture.link}, block) == HAUL_OK);
    return block;
}

static void write_record(enum tcp_frame_kind kind, uint64_t epoch, uint64_t freed)
{
    uint8_t bytes[TCP_FRAME_BYTES];
    const struct credit_frame record = {.epoch = epoch, .freed = freed, .applied = 0};
    tcp_frame_encode(kind, &record, NULL, bytes);
    check(raw_write(fixture.peer, bytes, sizeof(bytes)));
}

static void check_done(const struct block *block, enum haul_status status)
{
    fixture_check_next(LINK_DONE);
    check(fixture.event.block == block);
    check_status(fixture.event.status, status);
    block_pool_release(link_pool((struct link_tx){fixture.link}), fixture.event.block);
}

static void read_header(struct slot_header *header)
{
    uint8_t bytes[SLOT_HEADER_BYTES];
    const char *why;
    check_or_stop(raw_read(fixture.peer, bytes, sizeof(bytes)));
    check_status(slot_header_decode(bytes, header, &why), HAUL_OK);
}

static void test_link_submit__one_block__frame_on_the_wire_and_done_after_its_credit(void)
{
    open_sender();
    struct block *block = submit_block(300);
    struct slot_header header;
    uint8_t received[300];
    read_header(&header);
    check_equal(header.type, SLOT_DATA);
    check_equal(header.epoch, EPOCH);
    check_equal(header.sequence, FIRST_SEQUENCE);
    check_equal(header.payload_size_bytes, 300);
    check(raw_read(fixture.peer, received, sizeof(received)));
    check(memcmp(received, fixture.payload, sizeof(received)) == 0);
    fixture_check_quiet();
    write_record(TCP_FRAME_CREDIT, EPOCH, 1);
    check_done(block, HAUL_OK);
    fixture_check_next(LINK_CREDIT);
    check_equal(link_freed_count((struct link_tx){fixture.link}), 1);
    fixture_check_quiet();
    fixture_end();
}

static void test_link_submit__kernel_takes_few_bytes_at_a_time__whole_frames_and_the_end(void)
{
    for (size_t bytes = 1; bytes < SLOT_HEADER_BYTES; bytes += 6) {
        struct slot_header header;
        uint8_t received[100];
        open_sender();
        send_bytes_max = bytes;
        struct block *blocks[] = {submit_block(100), submit_block(0)};
        write_record(TCP_FRAME_END, EPOCH, 0);
        check_done(blocks[0], HAUL_CANCELLED);
        check_done(blocks[1], HAUL_CANCELLED);
        fixture_check_closed(HAUL_CLOSED);
        for (uint64_t i = 0; i < 2; i++) {
            read_header(&header);
            check_equal(header.sequence, FIRST_SEQUENCE + i);
            check(i > 0 || raw_read(fixture.peer, received, sizeof(received)));
            check(i > 0 || memcmp(received, fixture.payload, sizeof(received)) == 0);
        }
        send_bytes_max = 0;
        fixture_end();
        open_sender();
        send_bytes_max = bytes;
        write_record(TCP_FRAME_END, EPOCH, 0);
        fixture_check_closed(HAUL_OK);
        read_header(&header);
        check_equal(header.type, SLOT_CLOSE);
        check_equal(header.sequence, FIRST_SEQUENCE);
        check(raw_ends(fixture.peer));
        send_bytes_max = 0;
        fixture_end();
    }
}

static void test_tcp_link_poll__credit_byte_by_byte__done_once_complete(void)
{
    open_sender();
    struct block *block = submit_block(10);
    uint8_t bytes[TCP_FRAME_BYTES];
    const struct credit_frame record = {.epoch = EPOCH, .freed = 1};
    tcp_frame_encode(TCP_FRAME_CREDIT, &record, NULL, bytes);
    for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
        check(raw_write(fixture.peer, bytes + i, 1));
        check_equal(link_poll(fixture.link, &fixture.event, 1), 0);
    }
    check(raw_write(fixture.peer, bytes + sizeof(bytes) - 1, 1));
    check_done(block, HAUL_OK);
    fixture_end();
}

static void test_tcp_link_poll__credit_for_more_than_was_sent__protocol(void)
{
    open_sender();
    struct block *block = submit_block(10);
    write_record(TCP_FRAME_CREDIT, EPOCH, 2);
    check_done(block, HAUL_CANCELLED);
    fixture_check_closed(HAUL_PROTOCOL);
    fixture_end();
}

static void test_tcp_link_poll__credit_for_a_block_half_written__protocol(void)
{
    open_sender_of(LARGE_SLOT_BYTES);
    struct block *blocks[SLOT_COUNT];
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        check_or_stop(block_pool_acquire(link_pool((struct link_tx){fixture.link}), 0,
                                         &blocks[i]) == HAUL_OK);
        blocks[i]->header.payload_size_bytes = LARGE_SLOT_BYTES - SLOT_HEADER_BYTES;
        check_or_stop(link_submit((struct link_tx){fixture.link}, blocks[i]) == HAUL_OK);
    }
    write_record(TCP_FRAME_CREDIT, EPOCH, SLOT_COUNT);
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        check_done(blocks[i], HAUL_CANCELLED);
    }
    fixture_check_closed(HAUL_PROTOCOL);
    fixture_end();
}

/* What the socket did not accept at once goes out as the peer reads, and no frame is torn. */
static void test_tcp_link_poll__socket_full__rest_is_written_when_the_peer_reads(void)
{
    open_sender_of(LARGE_SLOT_BYTES);
    static uint8_t received[LARGE_SLOT_BYTES];
    const uint32_t size = LARGE_SLOT_BYTES - SLOT_HEADER_BYTES;
    uint32_t sums[SLOT_COUNT];
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        struct block *block = NULL;
        check_or_stop(block_pool_acquire(link_pool((struct link_tx){fixture.link}), 0, &block) ==
                      HAUL_OK);
        memset(block_payload(block), (int)i + 1, size);
        sums[i] = crc32c(block_payload(block), size);
        block->header.payload_size_bytes = size;
        check_or_stop(link_submit((struct link_tx){fixture.link}, block) == HAUL_OK);
    }
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        for (size_t at = 0; at < LARGE_SLOT_BYTES; at += 64 << 10) {
            check_or_stop(raw_read(fixture.peer, received + at, 64 << 10));
            check_equal(link_poll(fixture.link, &fixture.event, 1), 0);
        }
        check_equal(crc32c(received + SLOT_HEADER_BYTES, size), sums[i]);
    }
    fixture_check_quiet();
    fixture_end();
}

static void test_tcp_link_poll__credit_of_another_epoch__fenced(void)
{
    open_sender();
    struct block *block = submit_block(10);
    write_record(TCP_FRAME_CREDIT, EPOCH + 1, 1);
    check_done(block, HAUL_CANCELLED);
    fixture_check_closed(HAUL_FENCED);
    fixture_end();
}

static void test_tcp_link_poll__damaged_credit__corrupt(void)
{
    open_sender();
    uint8_t bytes[TCP_FRAME_BYTES];
    const struct credit_frame record = {.epoch = EPOCH};
    tcp_frame_encode(TCP_FRAME_CREDIT, &record, NULL, bytes);
    bytes[8] ^= 1;
    check(raw_write(fixture.peer, bytes, sizeof(bytes)));
    fixture_check_closed(HAUL_CORRUPT);
    fixture_end();
}

static void
test_tcp_link_poll__receiver_ends_with_a_block_in_flight__freed_done_rest_cancelled(void)
{
    open_sender();
    struct block *first = submit_block(10);
    struct block *second = submit_block(10);
    write_record(TCP_FRAME_END, EPOCH, 1);
    check_done(first, HAUL_OK);
    fixture_check_next(LINK_CREDIT);
    check_done(second, HAUL_CANCELLED);
    fixture_check_closed(HAUL_CLOSED);
    fixture_end();
}

static void test_tcp_link_poll__receiver_ends_idle__close_header_and_ok(void)
{
    open_sender();
    struct slot_header header;
    write_record(TCP_FRAME_END, EPOCH, 0);
    fixture_check_closed(HAUL_OK);
    read_header(&header);
    check_equal(header.type, SLOT_CLOSE);
    check_equal(header.sequence, FIRST_SEQUENCE);
    check(raw_ends(fixture.peer));
    fixture_end();
}

static void test_tcp_link_poll__receiver_vanishes__blocks_cancelled_closed(void)
{
    open_sender();
    struct block *block = submit_block(10);
    fixture_close_peer();
    check_done(block, HAUL_CANCELLED);
    fixture_check_closed(HAUL_CLOSED);
    fixture_end();
}

static void test_link_close__sender_idle_and_silent_receiver__timeout_at_the_deadline(void)
{
    open_sender();
    struct slot_header header;
    link_close(fixture.link);
    read_header(&header);
    check_equal(header.type, SLOT_CLOSE);
    check_status(link_submit((struct link_tx){fixture.link}, fill_block(1)), HAUL_CLOSED);
    fixture_check_quiet();
    fake_clock_advance_ms(&fixture.fake, PEER_TIMEOUT_MS);
    fixture_check_closed(HAUL_TIMEOUT);
    fixture_end();
}

static void test_link_connect__answer_never_comes__timeout_at_the_deadline(void)
{
    struct link_address address;
    const struct link_ticket ticket = {.index = 1};
    fixture_begin();
    int listening = raw_listen(&address);
    check_or_stop(connect_end(HAUL_TRANSPORT_TCP, &address, &ticket, &fixture.config, &fixture.link,
                              NULL) == HAUL_OK);
    check_equal(link_poll(fixture.link, &fixture.event, 1), 0);
    check_equal(link_deadline_ns(fixture.link),
                fixture.fake.now_ns + PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS);
    fake_clock_advance_ms(&fixture.fake, PEER_TIMEOUT_MS);
    fixture_check_closed(HAUL_TIMEOUT);
    (void)close(listening);
    fixture_end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_submit__one_block__frame_on_the_wire_and_done_after_its_credit),
    CHECK_TEST(test_link_submit__kernel_takes_few_bytes_at_a_time__whole_frames_and_the_end),
    CHECK_TEST(test_tcp_link_poll__credit_byte_by_byte__done_once_complete),
    CHECK_TEST(test_tcp_link_poll__credit_for_more_than_was_sent__protocol),
    CHECK_TEST(test_tcp_link_poll__credit_for_a_block_half_written__protocol),
    CHECK_TEST(test_tcp_link_poll__socket_full__rest_is_written_when_the_peer_reads),
    CHECK_TEST(test_tcp_link_poll__credit_of_another_epoch__fenced),
    CHECK_TEST(test_tcp_link_poll__damaged_credit__corrupt),
    CHECK_TEST(test_tcp_link_poll__receiver_ends_with_a_block_in_flight__freed_done_rest_cancelled),
    CHECK_TEST(test_tcp_link_poll__receiver_ends_idle__close_header_and_ok),
    CHECK_TEST(test_tcp_link_poll__receiver_vanishes__blocks_cancelled_closed),
    CHECK_TEST(test_link_close__sender_idle_and_silent_receiver__timeout_at_the_deadline),
    CHECK_TEST(test_link_connect__answer_never_comes__timeout_at_the_deadline),
};
CHECK_MAIN("tcp_sender", tests)
