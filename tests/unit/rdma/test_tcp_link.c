/* SPDX-License-Identifier: Apache-2.0 */
/* test_tcp_link.c — what only a plain socket can do to a TCP link: torn, damaged and lawless
 * streams. The lawful life of a link is in the conformance suite. */
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "link.h"
#include "raw_peer.h"
#include "slot_header.h"
#include "tcp_link.h"
#include "tcp_preamble.h"
#include "tcp_record.h"

enum {
    SLOT_COUNT = 4,
    SLOT_BYTES = HAUL_SLOT_SIZE_BYTES_MIN,
    PAYLOAD_BYTES_MAX = SLOT_BYTES - SLOT_HEADER_BYTES,
    EPOCH = 5,
    FIRST_SEQUENCE = 1000,
    LARGE_SLOT_BYTES = 4 << 20, /* a few of them are more than the kernel takes unread */
    DESCRIPTION_BYTES = 16,
    PEER_TIMEOUT_MS = 3000,
};

static struct fake_clock fake;
static struct link_config config;
static struct link *link_under_test;
static struct link_event event;
static int peer = -1;
static uint8_t payload[SLOT_BYTES];

static void init_config(void)
{
    fake_clock_init(&fake);
    config = (struct link_config){
        .clock = &fake.clock, .epoch = EPOCH, .first_sequence = FIRST_SEQUENCE};
    config.options = (struct haul_link_options){.slot_count = SLOT_COUNT,
                                                .slot_size_bytes = SLOT_BYTES,
                                                .peer_timeout_ms = PEER_TIMEOUT_MS};
    for (size_t i = 0; i < sizeof(payload); i++) {
        payload[i] = (uint8_t)(i * 7 + i / 256);
    }
}

/* The next event, waited for as a poll group would; false: none came. */
static bool next_event(void)
{
    while (link_poll(link_under_test, &event, 1) == 0) {
        if (link_arm(link_under_test) && !raw_wait(link_fd(link_under_test), POLLIN)) {
            return false;
        }
    }
    return true;
}

static void check_next(enum link_event_type type)
{
    check_or_stop(next_event());
    check_or_stop(event.type == type);
}

/* Everything until the end, which has this status. */
static void check_closed(enum haul_status status)
{
    check_next(LINK_CLOSED);
    check_status(event.error.status, status);
    check_equal(link_poll(link_under_test, &event, 1), 0);
    check_equal(link_deadline_ns(link_under_test), CLOCK_NEVER);
}

/* There is nothing to poll, and the descriptor does not say otherwise. */
static void check_quiet(void)
{
    struct pollfd watched = {.fd = link_fd(link_under_test), .events = POLLIN};
    check_equal(link_poll(link_under_test, &event, 1), 0);
    check(link_arm(link_under_test));
    check_equal(poll(&watched, 1, 0), 0);
}

static void make_description(uint32_t slot_count, uint32_t slot_size_bytes, uint8_t *description)
{
    memset(description, 0, DESCRIPTION_BYTES);
    memcpy(description, "TCLK", 4);
    put_u16(description + 4, LINK_VERSION_MAX);
    put_u32(description + 8, slot_count);
    put_u32(description + 12, slot_size_bytes);
}

static void bind_link(void)
{
    uint8_t description[DESCRIPTION_BYTES];
    make_description(SLOT_COUNT, config.options.slot_size_bytes, description);
    check_or_stop(link_bind(link_under_test, description, sizeof(description), NULL) == HAUL_OK);
}

static void close_all(void)
{
    link_destroy(link_under_test);
    link_under_test = NULL;
    if (peer >= 0) {
        (void)close(peer);
        peer = -1;
    }
}

static void close_peer(void)
{
    (void)close(peer);
    peer = -1;
}

/* --- receiving ------------------------------------------------------------------------------- */

static void open_unbound_receiver(void)
{
    int fds[2];
    init_config();
    check_or_stop(raw_pair(fds));
    peer = fds[0];
    check_or_stop(tcp_link_adopt(fds[1], &config, &link_under_test, NULL) == HAUL_OK);
    check_next(LINK_CONNECTED);
}

static void open_receiver(void)
{
    open_unbound_receiver();
    bind_link();
}

static struct slot_header make_header(uint64_t number, uint32_t size)
{
    return (struct slot_header){.type = SLOT_DATA,
                                .lane = LANE_DELTA,
                                .epoch = EPOCH,
                                .sequence = FIRST_SEQUENCE + number,
                                .payload_size_bytes = size,
                                .payload_crc = crc32c(payload, size)};
}

static size_t make_frame(const struct slot_header *header, uint8_t *frame)
{
    slot_header_encode(header, frame);
    memcpy(frame + SLOT_HEADER_BYTES, payload, header->payload_size_bytes);
    return SLOT_HEADER_BYTES + header->payload_size_bytes;
}

static void write_header(const struct slot_header *header)
{
    uint8_t bytes[SLOT_HEADER_BYTES];
    slot_header_encode(header, bytes);
    check(raw_write(peer, bytes, sizeof(bytes)));
}

static void write_block(uint64_t number, uint32_t size)
{
    uint8_t frame[SLOT_BYTES];
    const struct slot_header header = make_header(number, size);
    check(raw_write(peer, frame, make_frame(&header, frame)));
}

static void check_received(uint32_t size)
{
    check_next(LINK_RECEIVED);
    check_equal(event.block->header.payload_size_bytes, size);
    check(memcmp(block_payload(event.block), payload, size) == 0);
    check(event.block->payload_crc_known);
    check_equal(event.block->payload_crc_seen, event.block->header.payload_crc);
    check(!event.block->peer_writable);
}

static void read_record(enum tcp_record_kind kind, uint64_t freed)
{
    uint8_t bytes[TCP_RECORD_BYTES];
    enum tcp_record_kind seen;
    struct credit_record record = {.freed = UINT64_MAX};
    check_or_stop(raw_read(peer, bytes, sizeof(bytes)));
    check_status(tcp_record_decode(bytes, &seen, &record), HAUL_OK);
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
        check(raw_write(peer, frame + i, 1));
        check_equal(link_poll(link_under_test, &event, 1), 0);
    }
    check(raw_write(peer, frame + size - 1, 1));
    check_received(100);
    close_all();
}

/* In a payload the socket wakes only for a good piece of it: here, for its very last byte. */
static void test_link_arm__in_a_payload__last_byte_ends_the_sleep(void)
{
    open_receiver();
    uint8_t frame[SLOT_BYTES];
    const struct slot_header header = make_header(0, 1000);
    size_t size = make_frame(&header, frame);
    check(raw_write(peer, frame, 100));
    check(raw_wait(link_fd(link_under_test), POLLIN));
    check_quiet();
    check(raw_write(peer, frame + 100, size - 101));
    check_quiet();
    check(raw_write(peer, frame + size - 1, 1));
    check(raw_wait(link_fd(link_under_test), POLLIN));
    check_received(1000);
    close_all();
}

static void test_link_arm__in_a_payload__end_of_the_stream_ends_the_sleep(void)
{
    open_receiver();
    const struct slot_header header = make_header(0, 1000);
    write_header(&header);
    check(raw_wait(link_fd(link_under_test), POLLIN));
    check_quiet();
    close_peer();
    check(raw_wait(link_fd(link_under_test), POLLIN));
    check_closed(HAUL_CLOSED);
    close_all();
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
        check(raw_write(peer, frames, cut));
        bool early = link_poll(link_under_test, &event, 1) == 1;
        check(raw_write(peer, frames + cut, sizeof(frames) - cut));
        if (!early) {
            check_received(50);
        }
        check_received(50);
        check_quiet();
        close_all();
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
        check_equal(event.block->header.sequence, FIRST_SEQUENCE + i);
    }
    close_all();
}

static void test_tcp_link_poll__payload_damaged__received_with_the_other_crc(void)
{
    open_receiver();
    uint8_t frame[SLOT_BYTES];
    const struct slot_header header = make_header(0, 100);
    size_t size = make_frame(&header, frame);
    frame[size - 1] ^= 1;
    check(raw_write(peer, frame, size));
    check_next(LINK_RECEIVED);
    check(event.block->payload_crc_known);
    check(event.block->payload_crc_seen != event.block->header.payload_crc);
    close_all();
}

static void test_tcp_link_poll__any_header_bit_flipped__closed(void)
{
    for (size_t bit = 0; bit < SLOT_HEADER_BYTES * 8; bit += 5) {
        open_receiver();
        uint8_t frame[SLOT_BYTES];
        const struct slot_header header = make_header(0, 0);
        size_t size = make_frame(&header, frame);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(raw_write(peer, frame, size));
        check_next(LINK_CLOSED);
        check(event.error.status == HAUL_PROTOCOL || event.error.status == HAUL_VERSION ||
              event.error.status == HAUL_CORRUPT);
        check(strstr(event.error.text, "bad block header") != NULL);
        close_all();
    }
}

static void test_tcp_link_poll__other_epoch__fenced(void)
{
    open_receiver();
    struct slot_header header = make_header(0, 0);
    header.epoch = EPOCH - 1;
    write_header(&header);
    check_closed(HAUL_FENCED);
    close_all();
}

static void test_tcp_link_poll__sequence_skipped__protocol(void)
{
    open_receiver();
    write_block(0, 10);
    write_block(2, 10);
    check_received(10);
    check_closed(HAUL_PROTOCOL);
    close_all();
}

static void test_tcp_link_poll__payload_larger_than_a_slot__protocol(void)
{
    open_receiver();
    struct slot_header header = make_header(0, 0);
    header.payload_size_bytes = PAYLOAD_BYTES_MAX + 1;
    write_header(&header);
    check_closed(HAUL_PROTOCOL);
    close_all();
}

static void test_tcp_link_poll__payload_of_a_whole_slot__received(void)
{
    open_receiver();
    write_block(0, PAYLOAD_BYTES_MAX);
    check_received(PAYLOAD_BYTES_MAX);
    close_all();
}

static void test_tcp_link_poll__unknown_type__protocol(void)
{
    open_receiver();
    struct slot_header header = make_header(0, 0);
    header.type = SLOT_CREDIT;
    write_header(&header);
    check_closed(HAUL_PROTOCOL);
    close_all();
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
    check_closed(HAUL_PROTOCOL);
    close_all();
}

static void test_tcp_link_poll__block_before_the_bind__waits_and_sleeps(void)
{
    open_unbound_receiver();
    write_block(0, 100);
    check(raw_wait(link_fd(link_under_test), POLLIN));
    check_equal(link_poll(link_under_test, &event, 1), 0);
    check_quiet();
    bind_link();
    check_received(100);
    close_all();
}

static void test_tcp_link_poll__reset_before_the_bind_with_data_waiting__closed(void)
{
    open_unbound_receiver();
    write_block(0, 100);
    check(raw_wait(link_fd(link_under_test), POLLIN));
    check_quiet();
    const struct linger abort_it = {.l_onoff = 1, .l_linger = 0};
    check(setsockopt(peer, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it)) == 0);
    close_peer();
    check_closed(HAUL_CLOSED);
    close_all();
}

static void test_link_release__ring_released_out_of_order__credit_for_what_is_contiguous(void)
{
    open_receiver();
    struct block *blocks[SLOT_COUNT];
    for (uint64_t i = 0; i < SLOT_COUNT; i++) {
        write_block(i, 10);
        check_received(10);
        blocks[i] = event.block;
    }
    link_release(link_under_test, blocks[1]);
    check_quiet();
    link_release(link_under_test, blocks[0]);
    check(!link_arm(link_under_test));
    check_equal(link_poll(link_under_test, &event, 1), 0);
    read_record(TCP_RECORD_CREDIT, 2);
    check_quiet();
    close_all();
}

static void test_tcp_link_poll__sender_ends_orderly__end_record_and_ok(void)
{
    open_receiver();
    write_block(0, 10);
    check_received(10);
    link_release(link_under_test, event.block);
    check_equal(link_poll(link_under_test, &event, 1), 0);
    read_record(TCP_RECORD_CREDIT, 1);
    struct slot_header header = make_header(1, 0);
    header.type = SLOT_CLOSE;
    write_header(&header);
    check_closed(HAUL_OK);
    read_record(TCP_RECORD_END, 1);
    check(raw_ends(peer));
    close_all();
}

static void test_tcp_link_poll__sender_ends_with_a_block_lent__protocol(void)
{
    open_receiver();
    write_block(0, 10);
    check_received(10);
    struct block *lent = event.block;
    struct slot_header header = make_header(1, 0);
    header.type = SLOT_CLOSE;
    write_header(&header);
    check_closed(HAUL_PROTOCOL);
    link_release(link_under_test, lent);
    close_all();
}

static void test_tcp_link_poll__sender_vanishes_between_blocks__closed(void)
{
    open_receiver();
    write_block(0, 10);
    close_peer();
    check_received(10);
    check_closed(HAUL_CLOSED);
    close_all();
}

static void test_tcp_link_poll__sender_vanishes_in_a_block__closed(void)
{
    open_receiver();
    const struct slot_header header = make_header(0, 100);
    write_header(&header);
    close_peer();
    check_closed(HAUL_CLOSED);
    close_all();
}

static void test_link_close__receiver_and_silent_sender__timeout_at_the_deadline(void)
{
    open_receiver();
    link_close(link_under_test);
    read_record(TCP_RECORD_END, 0);
    check_equal(link_deadline_ns(link_under_test),
                fake.now_ns + PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS);
    check_quiet();
    fake_clock_advance_ms(&fake, PEER_TIMEOUT_MS);
    check_closed(HAUL_TIMEOUT);
    close_all();
}

static void test_link_close__receiver_while_a_block_is_on_its_way__cancelled(void)
{
    open_receiver();
    link_close(link_under_test);
    write_block(0, 10);
    check_closed(HAUL_CANCELLED);
    read_record(TCP_RECORD_END, 0);
    close_all();
}

/* --- sending --------------------------------------------------------------------------------- */

static void open_sender_of(uint32_t slot_size_bytes)
{
    struct link_address address;
    const struct link_ticket ticket = {.index = 1};
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    init_config();
    config.options.slot_size_bytes = slot_size_bytes;
    int listening = raw_listen(&address);
    check_or_stop(listening >= 0);
    check_or_stop(link_connect(HAUL_TRANSPORT_TCP, &address, &ticket, &config, &link_under_test,
                               NULL) == HAUL_OK);
    peer = raw_accept(listening);
    (void)close(listening);
    check_or_stop(peer >= 0);
    check_equal(link_poll(link_under_test, &event, 1), 0);
    check_or_stop(raw_read(peer, bytes, sizeof(bytes)));
    tcp_answer_encode(HAUL_OK, bytes);
    check(raw_write(peer, bytes, sizeof(bytes)));
    check_next(LINK_CONNECTED);
    bind_link();
}

static void open_sender(void)
{
    open_sender_of(SLOT_BYTES);
}

static struct block *fill_block(uint32_t size)
{
    struct block *block = NULL;
    check_or_stop(block_pool_acquire(link_pool(link_under_test), 0, &block) == HAUL_OK);
    memcpy(block_payload(block), payload, size);
    block->header.payload_size_bytes = size;
    block->header.payload_crc = crc32c(payload, size);
    return block;
}

static struct block *submit_block(uint32_t size)
{
    struct block *block = fill_block(size);
    check_or_stop(link_submit(link_under_test, block) == HAUL_OK);
    return block;
}

static void write_record(enum tcp_record_kind kind, uint64_t epoch, uint64_t freed)
{
    uint8_t bytes[TCP_RECORD_BYTES];
    const struct credit_record record = {.epoch = epoch, .freed = freed, .applied = 0};
    tcp_record_encode(kind, &record, bytes);
    check(raw_write(peer, bytes, sizeof(bytes)));
}

static void check_done(const struct block *block, enum haul_status status)
{
    check_next(LINK_DONE);
    check(event.block == block);
    check_status(event.status, status);
    block_pool_release(link_pool(link_under_test), event.block);
}

static void read_header(struct slot_header *header)
{
    uint8_t bytes[SLOT_HEADER_BYTES];
    const char *why;
    check_or_stop(raw_read(peer, bytes, sizeof(bytes)));
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
    check(raw_read(peer, received, sizeof(received)));
    check(memcmp(received, payload, sizeof(received)) == 0);
    check_quiet();
    write_record(TCP_RECORD_CREDIT, EPOCH, 1);
    check_done(block, HAUL_OK);
    check_next(LINK_CREDIT);
    check_equal(link_freed_count(link_under_test), 1);
    check_quiet();
    close_all();
}

static void test_tcp_link_poll__credit_byte_by_byte__done_once_complete(void)
{
    open_sender();
    struct block *block = submit_block(10);
    uint8_t bytes[TCP_RECORD_BYTES];
    const struct credit_record record = {.epoch = EPOCH, .freed = 1};
    tcp_record_encode(TCP_RECORD_CREDIT, &record, bytes);
    for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
        check(raw_write(peer, bytes + i, 1));
        check_equal(link_poll(link_under_test, &event, 1), 0);
    }
    check(raw_write(peer, bytes + sizeof(bytes) - 1, 1));
    check_done(block, HAUL_OK);
    close_all();
}

static void test_tcp_link_poll__credit_for_more_than_was_sent__protocol(void)
{
    open_sender();
    struct block *block = submit_block(10);
    write_record(TCP_RECORD_CREDIT, EPOCH, 2);
    check_done(block, HAUL_CANCELLED);
    check_closed(HAUL_PROTOCOL);
    close_all();
}

static void test_tcp_link_poll__credit_for_a_block_half_written__protocol(void)
{
    open_sender_of(LARGE_SLOT_BYTES);
    struct block *blocks[SLOT_COUNT];
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        check_or_stop(block_pool_acquire(link_pool(link_under_test), 0, &blocks[i]) == HAUL_OK);
        blocks[i]->header.payload_size_bytes = LARGE_SLOT_BYTES - SLOT_HEADER_BYTES;
        check_or_stop(link_submit(link_under_test, blocks[i]) == HAUL_OK);
    }
    write_record(TCP_RECORD_CREDIT, EPOCH, SLOT_COUNT);
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        check_done(blocks[i], HAUL_CANCELLED);
    }
    check_closed(HAUL_PROTOCOL);
    close_all();
}

/* What the socket did not take at once goes out as the peer reads, and nothing is torn. */
static void test_tcp_link_poll__socket_full__rest_is_written_when_the_peer_reads(void)
{
    open_sender_of(LARGE_SLOT_BYTES);
    static uint8_t received[LARGE_SLOT_BYTES];
    const uint32_t size = LARGE_SLOT_BYTES - SLOT_HEADER_BYTES;
    uint32_t sums[SLOT_COUNT];
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        struct block *block = NULL;
        check_or_stop(block_pool_acquire(link_pool(link_under_test), 0, &block) == HAUL_OK);
        memset(block_payload(block), (int)i + 1, size);
        sums[i] = crc32c(block_payload(block), size);
        block->header.payload_size_bytes = size;
        check_or_stop(link_submit(link_under_test, block) == HAUL_OK);
    }
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        for (size_t at = 0; at < LARGE_SLOT_BYTES; at += 64 << 10) {
            check_or_stop(raw_read(peer, received + at, 64 << 10));
            check_equal(link_poll(link_under_test, &event, 1), 0);
        }
        check_equal(crc32c(received + SLOT_HEADER_BYTES, size), sums[i]);
    }
    check_quiet();
    close_all();
}

static void test_tcp_link_poll__credit_of_another_epoch__fenced(void)
{
    open_sender();
    struct block *block = submit_block(10);
    write_record(TCP_RECORD_CREDIT, EPOCH + 1, 1);
    check_done(block, HAUL_CANCELLED);
    check_closed(HAUL_FENCED);
    close_all();
}

static void test_tcp_link_poll__damaged_credit__corrupt(void)
{
    open_sender();
    uint8_t bytes[TCP_RECORD_BYTES];
    const struct credit_record record = {.epoch = EPOCH};
    tcp_record_encode(TCP_RECORD_CREDIT, &record, bytes);
    bytes[8] ^= 1;
    check(raw_write(peer, bytes, sizeof(bytes)));
    check_closed(HAUL_CORRUPT);
    close_all();
}

static void
test_tcp_link_poll__receiver_ends_with_a_block_in_flight__freed_done_rest_cancelled(void)
{
    open_sender();
    struct block *first = submit_block(10);
    struct block *second = submit_block(10);
    write_record(TCP_RECORD_END, EPOCH, 1);
    check_done(first, HAUL_OK);
    check_next(LINK_CREDIT);
    check_done(second, HAUL_CANCELLED);
    check_closed(HAUL_CLOSED);
    close_all();
}

static void test_tcp_link_poll__receiver_ends_idle__close_header_and_ok(void)
{
    open_sender();
    struct slot_header header;
    write_record(TCP_RECORD_END, EPOCH, 0);
    check_closed(HAUL_OK);
    read_header(&header);
    check_equal(header.type, SLOT_CLOSE);
    check_equal(header.sequence, FIRST_SEQUENCE);
    check(raw_ends(peer));
    close_all();
}

static void test_tcp_link_poll__receiver_vanishes__blocks_cancelled_closed(void)
{
    open_sender();
    struct block *block = submit_block(10);
    close_peer();
    check_done(block, HAUL_CANCELLED);
    check_closed(HAUL_CLOSED);
    close_all();
}

static void test_link_close__sender_idle_and_silent_receiver__timeout_at_the_deadline(void)
{
    open_sender();
    struct slot_header header;
    link_close(link_under_test);
    read_header(&header);
    check_equal(header.type, SLOT_CLOSE);
    check_status(link_submit(link_under_test, fill_block(1)), HAUL_CLOSED);
    check_quiet();
    fake_clock_advance_ms(&fake, PEER_TIMEOUT_MS);
    check_closed(HAUL_TIMEOUT);
    close_all();
}

static void test_link_connect__answer_never_comes__timeout_at_the_deadline(void)
{
    struct link_address address;
    const struct link_ticket ticket = {.index = 1};
    init_config();
    int listening = raw_listen(&address);
    check_or_stop(link_connect(HAUL_TRANSPORT_TCP, &address, &ticket, &config, &link_under_test,
                               NULL) == HAUL_OK);
    check_equal(link_poll(link_under_test, &event, 1), 0);
    check_equal(link_deadline_ns(link_under_test),
                fake.now_ns + PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS);
    fake_clock_advance_ms(&fake, PEER_TIMEOUT_MS);
    check_closed(HAUL_TIMEOUT);
    (void)close(listening);
    close_all();
}

/* --- describe and bind ----------------------------------------------------------------------- */

static void check_bind_refused(const uint8_t *description, size_t size, enum haul_status status)
{
    struct haul_error error = {.status = HAUL_OK};
    open_unbound_receiver();
    check_status(link_bind(link_under_test, description, size, &error), status);
    check(error.text[0] != '\0');
    close_all();
}

static void test_link_describe__receiver__bytes_of_the_protocol(void)
{
    open_unbound_receiver();
    uint8_t expected[DESCRIPTION_BYTES];
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    make_description(SLOT_COUNT, SLOT_BYTES, expected);
    check_equal(link_describe(link_under_test, description), DESCRIPTION_BYTES);
    check(memcmp(description, expected, sizeof(expected)) == 0);
    close_all();
}

static void test_link_bind__smaller_ring__the_smaller_counts(void)
{
    open_unbound_receiver();
    uint8_t description[DESCRIPTION_BYTES];
    make_description(2, SLOT_BYTES, description);
    check_status(link_bind(link_under_test, description, sizeof(description), NULL), HAUL_OK);
    check_equal(link_slot_count(link_under_test), 2);
    check_equal(link_payload_size_bytes_max(link_under_test), PAYLOAD_BYTES_MAX);
    close_all();
}

static void test_link_bind__other_slot_size__mismatch(void)
{
    uint8_t description[DESCRIPTION_BYTES];
    make_description(SLOT_COUNT, 2 * SLOT_BYTES, description);
    check_bind_refused(description, sizeof(description), HAUL_MISMATCH);
}

static void test_link_bind__nonsense__protocol(void)
{
    uint8_t description[DESCRIPTION_BYTES];
    make_description(0, SLOT_BYTES, description);
    check_bind_refused(description, sizeof(description), HAUL_PROTOCOL);
    make_description(HAUL_SLOT_COUNT_MAX + 1, SLOT_BYTES, description);
    check_bind_refused(description, sizeof(description), HAUL_PROTOCOL);
    make_description(SLOT_COUNT, SLOT_BYTES, description);
    check_bind_refused(description, sizeof(description) - 1, HAUL_PROTOCOL);
    description[0] ^= 1;
    check_bind_refused(description, sizeof(description), HAUL_PROTOCOL);
    description[0] ^= 1;
    put_u16(description + 4, LINK_VERSION_MAX + 1);
    check_bind_refused(description, sizeof(description), HAUL_PROTOCOL);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_tcp_link_poll__block_byte_by_byte__received_once_complete),
    CHECK_TEST(test_link_arm__in_a_payload__last_byte_ends_the_sleep),
    CHECK_TEST(test_link_arm__in_a_payload__end_of_the_stream_ends_the_sleep),
    CHECK_TEST(test_tcp_link_poll__blocks_cut_at_every_byte__all_received),
    CHECK_TEST(test_tcp_link_poll__empty_payloads_read_ahead__each_received),
    CHECK_TEST(test_tcp_link_poll__payload_damaged__received_with_the_other_crc),
    CHECK_TEST(test_tcp_link_poll__any_header_bit_flipped__closed),
    CHECK_TEST(test_tcp_link_poll__other_epoch__fenced),
    CHECK_TEST(test_tcp_link_poll__sequence_skipped__protocol),
    CHECK_TEST(test_tcp_link_poll__payload_larger_than_a_slot__protocol),
    CHECK_TEST(test_tcp_link_poll__payload_of_a_whole_slot__received),
    CHECK_TEST(test_tcp_link_poll__unknown_type__protocol),
    CHECK_TEST(test_tcp_link_poll__block_without_credit__protocol),
    CHECK_TEST(test_tcp_link_poll__block_before_the_bind__waits_and_sleeps),
    CHECK_TEST(test_tcp_link_poll__reset_before_the_bind_with_data_waiting__closed),
    CHECK_TEST(test_link_release__ring_released_out_of_order__credit_for_what_is_contiguous),
    CHECK_TEST(test_tcp_link_poll__sender_ends_orderly__end_record_and_ok),
    CHECK_TEST(test_tcp_link_poll__sender_ends_with_a_block_lent__protocol),
    CHECK_TEST(test_tcp_link_poll__sender_vanishes_between_blocks__closed),
    CHECK_TEST(test_tcp_link_poll__sender_vanishes_in_a_block__closed),
    CHECK_TEST(test_link_close__receiver_and_silent_sender__timeout_at_the_deadline),
    CHECK_TEST(test_link_close__receiver_while_a_block_is_on_its_way__cancelled),
    CHECK_TEST(test_link_submit__one_block__frame_on_the_wire_and_done_after_its_credit),
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
    CHECK_TEST(test_link_describe__receiver__bytes_of_the_protocol),
    CHECK_TEST(test_link_bind__smaller_ring__the_smaller_counts),
    CHECK_TEST(test_link_bind__other_slot_size__mismatch),
    CHECK_TEST(test_link_bind__nonsense__protocol),
};
CHECK_MAIN("tcp_link", tests)
