/* SPDX-License-Identifier: Apache-2.0 */
/* test_batch_size.c — additive growth, halving, and the bounds of both. */
#include "batch_size.h"

#include "check.h"

enum { MIB = 1 << 20, SLOTS = 4 };

static struct batch_size size;

static void init(void)
{
    batch_size_init(&size, MIB, 4 * MIB, 64 * MIB, SLOTS);
}

static void send_calmly(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        batch_size_note_sent(&size);
    }
}

static void test_batch_size_init__bounds__starts_at_the_lower(void)
{
    init();
    check_equal(size.bytes, MIB);
}

static void test_batch_size_init__slot_smaller_than_the_bounds__clamped(void)
{
    batch_size_init(&size, MIB, 4 * MIB, 4032, SLOTS);
    check_equal(size.bytes, 4032);
    send_calmly(10 * SLOTS);
    check_equal(size.bytes, 4032);
    batch_size_note_stall(&size);
    check_equal(size.bytes, 4032);
}

static void test_batch_size_note_sent__ring_of_calm_batches__one_step(void)
{
    init();
    send_calmly(SLOTS - 1);
    check_equal(size.bytes, MIB);
    send_calmly(1);
    check_equal(size.bytes, MIB + BATCH_SIZE_STEP_BYTES);
}

/* Each step takes a whole ring of its own. */
static void test_batch_size_note_sent__two_rings__two_steps(void)
{
    init();
    send_calmly(2 * SLOTS - 1);
    check_equal(size.bytes, MIB + BATCH_SIZE_STEP_BYTES);
    send_calmly(1);
    check_equal(size.bytes, MIB + 2 * BATCH_SIZE_STEP_BYTES);
}

static void test_batch_size_init__equal_bounds__never_another_size(void)
{
    batch_size_init(&size, MIB, MIB, 64 * MIB, SLOTS);
    send_calmly(3 * SLOTS);
    check_equal(size.bytes, MIB);
    batch_size_note_stall(&size);
    check_equal(size.bytes, MIB);
}

static void test_batch_size_note_sent__for_long__stops_at_the_upper_bound(void)
{
    batch_size_init(&size, MIB, 2 * MIB + 7, 64 * MIB, SLOTS);
    send_calmly(100 * SLOTS);
    check_equal(size.bytes, 2 * MIB + 7);
}

static void test_batch_size_note_stall__after_growth__halved(void)
{
    init();
    send_calmly(12 * SLOTS);
    check_equal(size.bytes, 4 * MIB);
    batch_size_note_stall(&size);
    check_equal(size.bytes, 2 * MIB);
}

static void test_batch_size_note_stall__at_the_lower_bound__stays(void)
{
    init();
    send_calmly(1);
    batch_size_note_stall(&size);
    check_equal(size.bytes, MIB);
}

/* The batches already on their way were sized before, so their stalls reveal nothing new. */
static void test_batch_size_note_stall__every_batch_of_one_ring__halved_once(void)
{
    init();
    send_calmly(12 * SLOTS);
    for (int i = 0; i < SLOTS; i++) {
        batch_size_note_stall(&size);
    }
    check_equal(size.bytes, 2 * MIB);
}

static void test_batch_size_note_stall__in_the_next_ring_again__halved_again(void)
{
    init();
    send_calmly(12 * SLOTS);
    for (int i = 0; i <= SLOTS; i++) {
        batch_size_note_stall(&size);
    }
    check_equal(size.bytes, MIB);
}

/* Batches without a stall settle the trouble as stalled ones do. */
static void test_batch_size_note_stall__a_ring_after_the_last__halved_again(void)
{
    init();
    send_calmly(12 * SLOTS);
    batch_size_note_stall(&size);
    send_calmly(SLOTS - 2);
    batch_size_note_stall(&size);
    check_equal(size.bytes, 2 * MIB);
    batch_size_note_stall(&size);
    check_equal(size.bytes, MIB);
    init();
    send_calmly(12 * SLOTS);
    batch_size_note_stall(&size);
    send_calmly(SLOTS - 1);
    batch_size_note_stall(&size);
    check_equal(size.bytes, MIB);
}

static void test_batch_size_note_stall__in_the_middle_of_a_ring__calm_counts_anew(void)
{
    init();
    send_calmly(SLOTS - 1);
    batch_size_note_stall(&size);
    send_calmly(SLOTS - 1);
    check_equal(size.bytes, MIB);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_batch_size_init__bounds__starts_at_the_lower),
    CHECK_TEST(test_batch_size_init__slot_smaller_than_the_bounds__clamped),
    CHECK_TEST(test_batch_size_note_sent__ring_of_calm_batches__one_step),
    CHECK_TEST(test_batch_size_note_sent__two_rings__two_steps),
    CHECK_TEST(test_batch_size_init__equal_bounds__never_another_size),
    CHECK_TEST(test_batch_size_note_sent__for_long__stops_at_the_upper_bound),
    CHECK_TEST(test_batch_size_note_stall__after_growth__halved),
    CHECK_TEST(test_batch_size_note_stall__at_the_lower_bound__stays),
    CHECK_TEST(test_batch_size_note_stall__every_batch_of_one_ring__halved_once),
    CHECK_TEST(test_batch_size_note_stall__in_the_next_ring_again__halved_again),
    CHECK_TEST(test_batch_size_note_stall__a_ring_after_the_last__halved_again),
    CHECK_TEST(test_batch_size_note_stall__in_the_middle_of_a_ring__calm_counts_anew),
};

CHECK_MAIN("batch_size", tests)
