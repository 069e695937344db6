/* SPDX-License-Identifier: Apache-2.0 */
/* test_credit.c — the flow control arithmetic of both sides, separately and together. */
#include "credit.h"

#include <string.h>

#include "check.h"

enum { SLOTS = 8, EPOCH = 3, ROUND_COUNT = 20000 };

static struct credit_sender sender;
static struct credit_receiver receiver;

static void init(uint32_t slot_count)
{
    credit_sender_init(&sender, slot_count, EPOCH);
    credit_receiver_init(&receiver, slot_count, EPOCH);
}

static void submit(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        check_or_stop(credit_sender_can_submit(&sender));
        credit_sender_note_submitted(&sender);
        check_status(credit_receiver_note_received(&receiver), HAUL_OK);
    }
}

static bool take(uint64_t epoch, uint64_t freed, uint64_t applied, enum haul_status expected)
{
    const struct credit_frame record = {.epoch = epoch, .freed = freed, .applied = applied};
    bool advanced = true;
    check_status(credit_sender_take(&sender, &record, &advanced), expected);
    return advanced;
}

/* --- record ----------------------------------------------------------------------------------- */

static void test_credit_frame_decode__encoded__same_values(void)
{
    const struct credit_frame record = {.epoch = 1, .freed = UINT64_MAX, .applied = 2};
    struct credit_frame decoded;
    uint8_t bytes[CREDIT_FRAME_BYTES];
    credit_frame_encode(&record, CREDIT_RECORD_MAGIC, NULL, bytes);
    check_status(credit_frame_decode(bytes, CREDIT_RECORD_MAGIC, NULL, &decoded), HAUL_OK);
    check_equal(decoded.epoch, 1);
    check_equal(decoded.freed, UINT64_MAX);
    check_equal(decoded.applied, 2);
}

static void test_credit_frame_decode__any_bit_flipped__damaged(void)
{
    const struct credit_frame record = {.epoch = 1, .freed = 2, .applied = 3};
    for (size_t bit = 0; bit < CREDIT_FRAME_BYTES * 8; bit++) {
        struct credit_frame decoded;
        uint8_t bytes[CREDIT_FRAME_BYTES];
        credit_frame_encode(&record, CREDIT_RECORD_MAGIC, NULL, bytes);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_status(credit_frame_decode(bytes, CREDIT_RECORD_MAGIC, NULL, &decoded), HAUL_CORRUPT);
    }
}

/* --- sender ----------------------------------------------------------------------------------- */

static void test_credit_sender_can_submit__ring_full__false_until_freed(void)
{
    init(SLOTS);
    submit(SLOTS);
    check(!credit_sender_can_submit(&sender));
    check(take(EPOCH, 1, 0, HAUL_OK));
    check(credit_sender_can_submit(&sender));
    credit_sender_note_submitted(&sender);
    check(!credit_sender_can_submit(&sender));
}

static void test_credit_sender_can_submit__all_freed_none_applied__false_at_the_lead(void)
{
    init(SLOTS);
    for (uint32_t i = 0; i < CREDIT_APPLIED_LEAD * SLOTS; i++) {
        check(credit_sender_can_submit(&sender));
        credit_sender_note_submitted(&sender);
        check(take(EPOCH, i + 1, 0, HAUL_OK));
    }
    check(!credit_sender_can_submit(&sender));
    check(take(EPOCH, CREDIT_APPLIED_LEAD * SLOTS, 1, HAUL_OK));
    check(credit_sender_can_submit(&sender));
}

static void test_credit_sender_take__old_or_repeated_record__ignored(void)
{
    init(SLOTS);
    submit(5);
    check(take(EPOCH, 4, 3, HAUL_OK));
    check(!take(EPOCH, 4, 3, HAUL_OK));
    check(!take(EPOCH, 2, 1, HAUL_OK));
    check_equal(sender.freed, 4);
    check_equal(sender.applied, 3);
}

static void test_credit_sender_take__only_applied_moved__advanced(void)
{
    init(SLOTS);
    submit(5);
    check(take(EPOCH, 0, 1, HAUL_OK));
    check_equal(sender.freed, 0);
    check_equal(sender.applied, 1);
}

static void test_credit_sender_take__other_epoch__fenced_and_unchanged(void)
{
    init(SLOTS);
    submit(5);
    check(!take(EPOCH + 1, 1, 1, HAUL_FENCED));
    check(!take(EPOCH - 1, 1, 1, HAUL_FENCED));
    check_equal(sender.freed, 0);
}

static void test_credit_sender_take__more_than_was_sent__protocol_and_unchanged(void)
{
    init(SLOTS);
    submit(5);
    check(!take(EPOCH, 6, 0, HAUL_PROTOCOL));
    check(!take(EPOCH, 0, 6, HAUL_PROTOCOL));
    check(!take(EPOCH, UINT64_MAX, 0, HAUL_PROTOCOL));
    check_equal(sender.freed, 0);
    check_equal(sender.applied, 0);
}

/* --- receiver --------------------------------------------------------------------------------- */

static void test_credit_receiver_note_received__ring_full__protocol(void)
{
    init(SLOTS);
    submit(SLOTS);
    check_status(credit_receiver_note_received(&receiver), HAUL_PROTOCOL);
    check_equal(receiver.received, SLOTS);
    credit_receiver_release(&receiver, 0);
    check_status(credit_receiver_note_received(&receiver), HAUL_OK);
}

static void test_credit_receiver_release__out_of_order__freed_is_contiguous(void)
{
    init(SLOTS);
    submit(4);
    credit_receiver_release(&receiver, 2);
    credit_receiver_release(&receiver, 1);
    check_equal(receiver.freed, 0);
    credit_receiver_release(&receiver, 0);
    check_equal(receiver.freed, 3);
    credit_receiver_release(&receiver, 3);
    check_equal(receiver.freed, 4);
}

static void test_credit_receiver_release__largest_ring_backwards__all_freed_at_the_end(void)
{
    init(CREDIT_SLOT_COUNT_MAX);
    submit(CREDIT_SLOT_COUNT_MAX);
    for (uint64_t i = CREDIT_SLOT_COUNT_MAX; i-- > 1;) {
        credit_receiver_release(&receiver, i);
        check_equal(receiver.freed, 0);
    }
    credit_receiver_release(&receiver, 0);
    check_equal(receiver.freed, CREDIT_SLOT_COUNT_MAX);
}

static void test_credit_receiver_due__nothing_moved__false_even_when_idle(void)
{
    init(SLOTS);
    check(!credit_receiver_due(&receiver, true));
    submit(3);
    check(!credit_receiver_due(&receiver, true));
}

static void test_credit_receiver_due__less_than_a_quarter__only_when_idle(void)
{
    init(SLOTS);
    submit(3);
    credit_receiver_release(&receiver, 0);
    check(!credit_receiver_due(&receiver, false));
    check(credit_receiver_due(&receiver, true));
    credit_receiver_release(&receiver, 1);
    check(credit_receiver_due(&receiver, false));
}

static void test_credit_receiver_due__sender_may_be_out_of_credits__true_for_one_slot(void)
{
    init(SLOTS);
    submit(SLOTS);
    credit_receiver_release(&receiver, 0);
    check(credit_receiver_due(&receiver, false));
}

static void test_credit_receiver_due__only_applied__when_idle(void)
{
    init(SLOTS);
    submit(1);
    credit_receiver_note_applied(&receiver, 1);
    check(!credit_receiver_due(&receiver, false));
    check(credit_receiver_due(&receiver, true));
}

/* Every slot is free and reported; the sender only waits to learn that blocks were applied. */
static void test_credit_receiver_due__lead_used_up__true_for_one_applied(void)
{
    init(SLOTS);
    while (credit_sender_can_submit(&sender)) {
        struct credit_frame record;
        submit(1);
        credit_receiver_release(&receiver, receiver.freed);
        credit_receiver_report(&receiver, &record);
        check_or_stop(take(record.epoch, record.freed, record.applied, HAUL_OK));
    }
    check_equal(receiver.received, CREDIT_APPLIED_LEAD * SLOTS);
    check(!credit_receiver_due(&receiver, false));
    credit_receiver_note_applied(&receiver, 1);
    check(credit_receiver_due(&receiver, false));
}

static void test_credit_receiver_report__moved__record_once(void)
{
    struct credit_frame record;
    init(SLOTS);
    submit(2);
    credit_receiver_release(&receiver, 0);
    credit_receiver_note_applied(&receiver, 2);
    credit_receiver_report(&receiver, &record);
    check_equal(record.epoch, EPOCH);
    check_equal(record.freed, 1);
    check_equal(record.applied, 2);
    check(!credit_receiver_due(&receiver, true));
}

/* --- both ------------------------------------------------------------------------------------- */

/* Both sides for a long time, in random steps; only the newest credit frame gets through, and late.
 * The sender never overruns the ring (note_received would refuse) and always continues; what waits
 * unread stays within the stated bound. */
static void check_long_run(uint32_t slot_count)
{
    uint32_t state = slot_count;
    uint32_t unread = 0;
    struct credit_frame newest = {.epoch = EPOCH};
    init(slot_count);
    for (int round = 0; round < ROUND_COUNT; round++) {
        state = state * 1664525 + 1013904223;
        uint32_t step = (state >> 16) % 4;
        if (step == 0 && credit_sender_can_submit(&sender)) {
            submit(1);
        } else if (step == 1 && receiver.freed < receiver.received) {
            credit_receiver_release(&receiver, receiver.freed);
        } else if (step == 2 && receiver.applied < receiver.received) {
            credit_receiver_note_applied(&receiver, 1);
        } else if (step == 3 && (state >> 20) % 4 == 0) {
            (void)take(EPOCH, newest.freed, newest.applied, HAUL_OK);
            unread = 0;
        }
        if (credit_receiver_due(&receiver, (state >> 9) % 4 == 0)) {
            credit_receiver_report(&receiver, &newest);
            check(++unread <= credit_frames_max(slot_count));
        }
    }
    check(sender.submitted > ROUND_COUNT / 50);
}

static void test_credit__long_run__sender_never_overruns_and_never_stalls(void)
{
    static const uint32_t slot_counts[] = {1, 2, 3, 5, 16, 255, CREDIT_SLOT_COUNT_MAX};
    for (size_t i = 0; i < CHECK_COUNT(slot_counts); i++) {
        check_long_run(slot_counts[i]);
    }
}

/* Without any idle poll, releases alone must report a ring that was used up. */
static void test_credit_receiver_due__never_idle__the_sender_goes_on(void)
{
    for (uint32_t slots = 1; slots <= CREDIT_SLOT_COUNT_MAX; slots++) {
        init(slots);
        for (uint32_t round = 0; round < 10; round++) {
            bool reported = false;
            while (credit_sender_can_submit(&sender)) {
                submit(1);
            }
            while (receiver.freed < receiver.received) {
                struct credit_frame record;
                credit_receiver_note_applied(&receiver, 1);
                credit_receiver_release(&receiver, receiver.freed);
                if (credit_receiver_due(&receiver, false)) {
                    credit_receiver_report(&receiver, &record);
                    reported = take(record.epoch, record.freed, record.applied, HAUL_OK);
                }
            }
            check_or_stop(reported);
        }
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_credit_frame_decode__encoded__same_values),
    CHECK_TEST(test_credit_frame_decode__any_bit_flipped__damaged),
    CHECK_TEST(test_credit_sender_can_submit__ring_full__false_until_freed),
    CHECK_TEST(test_credit_sender_can_submit__all_freed_none_applied__false_at_the_lead),
    CHECK_TEST(test_credit_sender_take__old_or_repeated_record__ignored),
    CHECK_TEST(test_credit_sender_take__only_applied_moved__advanced),
    CHECK_TEST(test_credit_sender_take__other_epoch__fenced_and_unchanged),
    CHECK_TEST(test_credit_sender_take__more_than_was_sent__protocol_and_unchanged),
    CHECK_TEST(test_credit_receiver_note_received__ring_full__protocol),
    CHECK_TEST(test_credit_receiver_release__out_of_order__freed_is_contiguous),
    CHECK_TEST(test_credit_receiver_release__largest_ring_backwards__all_freed_at_the_end),
    CHECK_TEST(test_credit_receiver_due__nothing_moved__false_even_when_idle),
    CHECK_TEST(test_credit_receiver_due__less_than_a_quarter__only_when_idle),
    CHECK_TEST(test_credit_receiver_due__sender_may_be_out_of_credits__true_for_one_slot),
    CHECK_TEST(test_credit_receiver_due__only_applied__when_idle),
    CHECK_TEST(test_credit_receiver_due__lead_used_up__true_for_one_applied),
    CHECK_TEST(test_credit_receiver_report__moved__record_once),
    CHECK_TEST(test_credit__long_run__sender_never_overruns_and_never_stalls),
    CHECK_TEST(test_credit_receiver_due__never_idle__the_sender_goes_on),
};

CHECK_MAIN("credit", tests)
