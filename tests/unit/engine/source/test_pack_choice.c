/* SPDX-License-Identifier: Apache-2.0 */
/* test_pack_choice.c — compresses where links are slow and it helps, and nowhere else. */
#include "pack_choice.h"

#include "check.h"
#include "clock.h"

enum { BLOCK_BYTES = 1 << 20 };

/* A link of that many MB/s, a target and readers of these; the slowest is waited for. */
struct world {
    uint64_t link_mb_per_s;
    uint64_t target_mb_per_s;
    uint64_t pack_mb_per_s;
    unsigned packed_percent;
};

static struct pack_choice choice;
static struct pack_totals totals;
static uint64_t now_ns;
static uint32_t packed_count;

static void begin(uint32_t reader_count, bool target_reports)
{
    pack_choice_init(&choice, PACK_WATCHING, reader_count, target_reports);
    totals = (struct pack_totals){0};
    now_ns = NS_PER_S;
    packed_count = 0;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The blocks leave at the pace of the slowest; packing takes time only where it is the slowest. */
static void run(const struct world *world, uint32_t block_count)
{
    for (uint32_t i = 0; i < block_count; i++) {
        struct pack_block block = {.bytes = BLOCK_BYTES, .raw_bytes = BLOCK_BYTES};
        uint64_t reading_ns = 0;
        if (pack_choice_packs(&choice)) {
            packed_count++;
            block.packed = world->packed_percent < 100;
            block.bytes = BLOCK_BYTES / 100 * world->packed_percent;
            totals.raw_bytes += BLOCK_BYTES;
            totals.packed_bytes += block.bytes;
            totals.pack_ns += (uint64_t)BLOCK_BYTES * 1000 / world->pack_mb_per_s;
            reading_ns = (uint64_t)BLOCK_BYTES * 1000 / world->pack_mb_per_s / choice.reader_count;
        }
        uint64_t link_ns = block.bytes * UINT64_C(1000) / world->link_mb_per_s;
        uint64_t target_ns = (uint64_t)BLOCK_BYTES * 1000 / world->target_mb_per_s;
        uint64_t pace_ns = greater(greater(link_ns, target_ns), reading_ns);
        now_ns += pace_ns;
        totals.waited_ns += pace_ns - reading_ns;
        totals.target_us += pace_ns / NS_PER_US;
        totals.starved_us += (pace_ns - target_ns) / NS_PER_US;
        pack_choice_note(&choice, &block, &totals, now_ns);
    }
}

static void test_pack_choice_note__slow_link_and_text__packs_and_goes_on(void)
{
    begin(1, true);
    run(&(struct world){100, 1000, 400, 40}, 4000);
    check_equal(choice.state, PACK_PACKING);
    check(packed_count > 3800);
}

/* What the links take now decides whether compression still gains. */
static void test_pack_choice_note__link_becomes_slower__its_pace_of_now(void)
{
    enum { HUNDREDTH_MB = 10000 };
    begin(1, true);
    run(&(struct world){100, 1000, 400, 40}, 4000);
    check(choice.bytes_per_s / HUNDREDTH_MB > 9000 && choice.bytes_per_s / HUNDREDTH_MB < 12000);
    run(&(struct world){50, 1000, 400, 40}, 4000);
    check_equal(choice.state, PACK_PACKING);
    check(choice.bytes_per_s / HUNDREDTH_MB > 4500 && choice.bytes_per_s / HUNDREDTH_MB < 6000);
}

static void test_pack_choice_note__noise__tried_and_left(void)
{
    begin(1, true);
    run(&(struct world){100, 1000, 400, 100}, 1000);
    check_equal(choice.state, PACK_RESTING);
    check(packed_count > 0 && packed_count < 20);
}

static void test_pack_choice_note__noise_for_long__tried_more_and_more_seldom(void)
{
    begin(1, true);
    run(&(struct world){100, 1000, 400, 100}, 40000);
    check(packed_count >= 40 && packed_count <= 64); /* 7 times, instead of 36 */
}

static void test_pack_choice_note__link_faster_than_packing__tried_and_left(void)
{
    begin(1, true);
    run(&(struct world){300, 3000, 320, 40}, 1000);
    check_equal(choice.state, PACK_RESTING);
    check(packed_count > 0 && packed_count < 20);
}

static void test_pack_choice_note__link_faster_than_any_packing__not_tried(void)
{
    begin(1, true);
    run(&(struct world){1000, 9000, 3000, 40}, 1000);
    check_equal(choice.state, PACK_WATCHING);
    check_equal(packed_count, 0);
}

static void test_pack_choice_note__many_readers__their_speed_counts(void)
{
    begin(4, true);
    run(&(struct world){1000, 9000, 400, 40}, 1000);
    check_equal(choice.state, PACK_PACKING);
}

/* The sender has no slot either; the target alone knows that the link is not to blame. */
static void test_pack_choice_note__target_is_slow__never_tried(void)
{
    begin(1, true);
    run(&(struct world){1000, 100, 400, 40}, 5000);
    check_equal(choice.state, PACK_WATCHING);
    check_equal(packed_count, 0);
}

static void test_pack_choice_note__target_almost_as_slow_as_link__never_tried(void)
{
    begin(1, true);
    run(&(struct world){100, 160, 400, 40}, 5000); /* starved for 37 % */
    check_equal(packed_count, 0);
    run(&(struct world){100, 180, 400, 40}, 500); /* for 44 % */
    check(packed_count > 0);
}

static void test_pack_choice_note__sender_has_slots__never_tried(void)
{
    begin(1, true);
    for (unsigned i = 0; i < 1000; i++) { /* three quarters of the time go into reading */
        uint64_t waited = totals.waited_ns;
        run(&(struct world){100, 1000, 400, 40}, 1);
        totals.waited_ns = waited + (totals.waited_ns - waited) * 74 / 100;
    }
    check_equal(packed_count, 0);
}

static void test_pack_choice_note__target_that_does_not_report__senders_view_counts(void)
{
    begin(1, false);
    for (unsigned i = 0; i < 500; i++) {
        run(&(struct world){100, 1000, 400, 40}, 1);
        totals.starved_us = 0;
        totals.target_us = 0;
    }
    check_equal(choice.state, PACK_PACKING);
}

static void test_pack_choice_note__no_report_yet__not_tried(void)
{
    begin(1, true);
    for (unsigned i = 0; i < 500; i++) {
        run(&(struct world){100, 1000, 400, 40}, 1);
        totals.starved_us = 0;
        totals.target_us = 0;
    }
    check_equal(packed_count, 0);
}

static void test_pack_choice_note__target_becomes_the_limit__stops(void)
{
    begin(1, true);
    run(&(struct world){100, 1000, 400, 40}, 500);
    check_equal(choice.state, PACK_PACKING);
    run(&(struct world){100, 90, 400, 40}, 300); /* it takes less than the link did plainly */
    check_equal(choice.state, PACK_RESTING);
    uint32_t count = packed_count;
    run(&(struct world){100, 90, 400, 40}, 5000);
    check_equal(packed_count, count);
}

/* Packed, the link outruns the target, and plain it would not: stopping would cost time. */
static void test_pack_choice_note__target_between_plain_and_packed__goes_on(void)
{
    begin(1, true);
    run(&(struct world){100, 190, 400, 40}, 4000);
    check_equal(choice.state, PACK_PACKING);
    check(packed_count > 3500);
}

static void test_pack_choice_note__link_becomes_fast__stops(void)
{
    begin(1, true);
    run(&(struct world){100, 2000, 400, 40}, 500);
    check_equal(choice.state, PACK_PACKING);
    run(&(struct world){3000, 2000, 400, 40}, 3000);
    check_equal(choice.state, PACK_WATCHING);
    uint32_t count = packed_count;
    run(&(struct world){3000, 2000, 400, 40}, 1000);
    check_equal(packed_count, count);
}

static void test_pack_choice_note__target_begins_anew__counts_from_there(void)
{
    begin(1, true);
    run(&(struct world){100, 1000, 400, 40}, 30);
    totals.target_us = 0; /* another session */
    totals.starved_us = 0;
    run(&(struct world){100, 1000, 400, 40}, 500);
    check_equal(choice.state, PACK_PACKING);
}

static void test_pack_choice_note__text_turns_into_noise__stops(void)
{
    begin(1, true);
    run(&(struct world){100, 1000, 400, 40}, 500);
    check_equal(choice.state, PACK_PACKING);
    run(&(struct world){100, 1000, 400, 100}, 200);
    check_equal(choice.state, PACK_RESTING);
    run(&(struct world){100, 1000, 400, 40}, 2500); /* and tries again later */
    check_equal(choice.state, PACK_PACKING);
}

static void test_pack_choice_init__off_and_always__stay(void)
{
    begin(1, true);
    pack_choice_init(&choice, PACK_OFF, 1, true);
    run(&(struct world){100, 1000, 400, 40}, 100);
    check(!pack_choice_packs(&choice));
    pack_choice_init(&choice, PACK_ALWAYS, 1, true);
    run(&(struct world){1000, 100, 400, 100}, 100);
    check(pack_choice_packs(&choice));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_pack_choice_note__slow_link_and_text__packs_and_goes_on),
    CHECK_TEST(test_pack_choice_note__link_becomes_slower__its_pace_of_now),
    CHECK_TEST(test_pack_choice_note__noise__tried_and_left),
    CHECK_TEST(test_pack_choice_note__noise_for_long__tried_more_and_more_seldom),
    CHECK_TEST(test_pack_choice_note__link_faster_than_packing__tried_and_left),
    CHECK_TEST(test_pack_choice_note__link_faster_than_any_packing__not_tried),
    CHECK_TEST(test_pack_choice_note__many_readers__their_speed_counts),
    CHECK_TEST(test_pack_choice_note__target_is_slow__never_tried),
    CHECK_TEST(test_pack_choice_note__target_almost_as_slow_as_link__never_tried),
    CHECK_TEST(test_pack_choice_note__sender_has_slots__never_tried),
    CHECK_TEST(test_pack_choice_note__target_that_does_not_report__senders_view_counts),
    CHECK_TEST(test_pack_choice_note__no_report_yet__not_tried),
    CHECK_TEST(test_pack_choice_note__target_becomes_the_limit__stops),
    CHECK_TEST(test_pack_choice_note__target_between_plain_and_packed__goes_on),
    CHECK_TEST(test_pack_choice_note__link_becomes_fast__stops),
    CHECK_TEST(test_pack_choice_note__target_begins_anew__counts_from_there),
    CHECK_TEST(test_pack_choice_note__text_turns_into_noise__stops),
    CHECK_TEST(test_pack_choice_init__off_and_always__stay),
};

CHECK_MAIN("pack_choice", tests)
