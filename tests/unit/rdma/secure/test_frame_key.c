/* SPDX-License-Identifier: Apache-2.0 */
/* test_frame_key.c — the tags of credits and of the end: nobody without the key makes one. */
#include "frame_key.h"

#include <string.h>

#include "bytes.h"
#include "check.h"
#include "credit.h"
#include "slot_header.h"
#include "tcp_frame.h"
#include "tcp_receiver.h"
#include "tcp_sender.h"

static struct frame_key key = {.used = true, .bytes = {1, 2, 3}};
static struct frame_key other = {.used = true, .bytes = {1, 2, 4}};
static const struct credit_frame counts = {.epoch = 7, .freed = 20, .applied = 11};

static void test_frame_key_check__any_bit_of_message_tag_kind_or_key__false(void)
{
    uint8_t message[] = "a message of some bytes";
    struct haul_slice slice = slice_of(message, sizeof(message));
    uint8_t tag[FRAME_TAG_BYTES];
    frame_key_tag(&key, 5, slice, tag);
    check(frame_key_check(&key, 5, slice, tag));
    check(!frame_key_check(&key, 4, slice, tag));
    check(!frame_key_check(&other, 5, slice, tag));
    check(!frame_key_check(&key, 5, slice_of(message, sizeof(message) - 1), tag));
    for (size_t bit = 0; bit < 8 * sizeof(message); bit++) {
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(!frame_key_check(&key, 5, slice, tag));
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof(tag); bit++) {
        tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(!frame_key_check(&key, 5, slice, tag));
        tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_credit_frame_decode__with_a_key__only_what_it_has_made(void)
{
    uint8_t bytes[CREDIT_FRAME_BYTES];
    struct credit_frame decoded;
    credit_frame_encode(&counts, CREDIT_RECORD_MAGIC, &key, bytes);
    check_status(credit_frame_decode(bytes, CREDIT_RECORD_MAGIC, &key, &decoded), HAUL_OK);
    check_equal(decoded.freed, counts.freed);
    check_equal(decoded.applied, counts.applied);
    check_status(credit_frame_decode(bytes, CREDIT_END_MAGIC, &key, &decoded), HAUL_CORRUPT);
    check_status(credit_frame_decode(bytes, CREDIT_RECORD_MAGIC, &other, &decoded), HAUL_CORRUPT);
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_status(credit_frame_decode(bytes, CREDIT_RECORD_MAGIC, &key, &decoded), HAUL_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    credit_frame_encode(&counts, CREDIT_RECORD_MAGIC, NULL, bytes); /* with a right CRC */
    check_status(credit_frame_decode(bytes, CREDIT_RECORD_MAGIC, &key, &decoded), HAUL_CORRUPT);
}

static void test_tcp_frame_decode__with_a_key__each_kind_is_known(void)
{
    static const enum tcp_frame_kind kinds[] = {TCP_FRAME_CREDIT, TCP_FRAME_END};
    for (size_t i = 0; i < CHECK_COUNT(kinds); i++) {
        uint8_t bytes[TCP_FRAME_BYTES];
        enum tcp_frame_kind kind;
        struct credit_frame decoded;
        tcp_frame_encode(kinds[i], &counts, &key, bytes);
        check_status(tcp_frame_decode(bytes, &key, &kind, &decoded), HAUL_OK);
        check_equal(kind, kinds[i]);
        check_equal(decoded.epoch, counts.epoch);
        check_status(tcp_frame_decode(bytes, &other, &kind, &decoded), HAUL_CORRUPT);
    }
}

static void test_slot_header_check_end__another_place_epoch_or_key__false(void)
{
    struct slot_header end = {.type = SLOT_CLOSE, .epoch = 3, .sequence = 9};
    slot_header_tag_end(&end, &key);
    check(end.batch != 0);
    check(slot_header_check_end(&end, &key));
    check(!slot_header_check_end(&end, &other));
    struct slot_header moved = end;
    moved.sequence++;
    check(!slot_header_check_end(&moved, &key));
    moved = end;
    moved.epoch++;
    check(!slot_header_check_end(&moved, &key));
    moved = end;
    moved.batch = 0;
    check(!slot_header_check_end(&moved, &key));
    static const struct frame_key none;
    slot_header_tag_end(&end, &none);
    check_equal(end.batch, 0);
    check(slot_header_check_end(&end, &none));
}

static void test_fini__key_of_a_tcp_link__nothing_is_left(void)
{
    static const struct frame_key nothing;
    struct tcp_sender sender = {.frames_key = key};
    struct tcp_receiver receiver = {.frames_key = key};
    tcp_sender_fini(&sender);
    tcp_receiver_fini(&receiver);
    check(memcmp(sender.frames_key.bytes, nothing.bytes, FRAME_KEY_BYTES) == 0);
    check(memcmp(receiver.frames_key.bytes, nothing.bytes, FRAME_KEY_BYTES) == 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_fini__key_of_a_tcp_link__nothing_is_left),
    CHECK_TEST(test_frame_key_check__any_bit_of_message_tag_kind_or_key__false),
    CHECK_TEST(test_credit_frame_decode__with_a_key__only_what_it_has_made),
    CHECK_TEST(test_tcp_frame_decode__with_a_key__each_kind_is_known),
    CHECK_TEST(test_slot_header_check_end__another_place_epoch_or_key__false),
};
CHECK_MAIN("frame_key", tests)
