/* SPDX-License-Identifier: Apache-2.0 */
/* test_pack_choice.c — compresses where links are slow and it helps, and nowhere else. */
#include "pack_choice.h"

#include "check.h"
#include "clock.h"

enum { BLOCK_BYTES = 1 << 20 };

/* A link of that many MB/s, and readers that compress this fast, to that share. */
struct world {
    uint64_t link_mb_per_s;
    uint64_t pack_mb_per_s;
    unsigned packed_percent;
    bool behind;
};

static struct pack_choice choice;
static struct pack_figures figures;
static uint64_t now_ns;
static uint32_t packed_count;

static void begin(uint32_t reader_count)
{
    pack_choice_init(&choice, PACK_WATCHING, reader_count);
    figures = (struct pack_figures){0};
    now_ns = NS_PER_S;
    packed_count = 0;
}

static void run(const struct world *world, uint32_t block_count)
{
    for (uint32_t i = 0; i < block_count; i++) {
        uint64_t bytes = BLOCK_BYTES;
        if (pack_choice_packs(&choice)) {
            packed_count++;
            figures.raw_bytes += bytes;
            figures.ns += bytes * 1000 / world->pack_mb_per_s;
            bytes = bytes * world->packed_percent / 100;
            figures.packed_bytes += bytes;
        }
        now_ns += bytes * 1000 / world->link_mb_per_s;
        pack_choice_note(&choice, (uint32_t)bytes, world->behind, &figures, now_ns);
    }
}

static void test_pack_choice_note__slow_link_and_text__packs_and_goes_on(void)
{
    begin(1);
    run(&(struct world){100, 400, 40, true}, 2000);
    check_equal(choice.state, PACK_PACKING);
    check(packed_count > 1900);
}

static void test_pack_choice_note__noise__tried_and_left(void)
{
    begin(1);
    run(&(struct world){100, 400, 99, true}, 1000);
    check_equal(choice.state, PACK_RESTING);
    check(packed_count > 0 && packed_count < 20);
}

static void test_pack_choice_note__link_faster_than_packing__tried_and_left(void)
{
    begin(1);
    run(&(struct world){300, 320, 40, true}, 1000);
    check_equal(choice.state, PACK_RESTING);
    check(packed_count > 0 && packed_count < 20);
}

static void test_pack_choice_note__link_faster_than_any_packing__not_tried(void)
{
    begin(1);
    run(&(struct world){1000, 3000, 40, true}, 1000);
    check_equal(choice.state, PACK_RESTING);
    check_equal(packed_count, 0);
}

static void test_pack_choice_note__many_readers__their_speed_counts(void)
{
    begin(4);
    run(&(struct world){1000, 400, 40, true}, 1000);
    check_equal(choice.state, PACK_PACKING);
}

static void test_pack_choice_note__target_is_slow__never_tried(void)
{
    begin(1);
    run(&(struct world){100, 400, 40, false}, 5000);
    check_equal(packed_count, 0);
}

static void test_pack_choice_note__text_turns_into_noise__stops(void)
{
    begin(1);
    run(&(struct world){100, 400, 40, true}, 500);
    check_equal(choice.state, PACK_PACKING);
    run(&(struct world){100, 400, 100, true}, 200);
    check_equal(choice.state, PACK_RESTING);
    run(&(struct world){100, 400, 40, true}, 1500); /* and tries again later */
    check_equal(choice.state, PACK_PACKING);
}

static void test_pack_choice_init__off_and_always__stay(void)
{
    pack_choice_init(&choice, PACK_OFF, 1);
    run(&(struct world){100, 400, 40, true}, 100);
    check(!pack_choice_packs(&choice));
    pack_choice_init(&choice, PACK_ALWAYS, 1);
    run(&(struct world){100, 400, 100, false}, 100);
    check(pack_choice_packs(&choice));
}

static void test_pack_choice_note__behind_half_of_the_time__not_tried(void)
{
    begin(1);
    for (unsigned i = 0; i < 1000; i++) {
        run(&(struct world){100, 400, 40, i % 2 == 0}, 1);
    }
    check_equal(packed_count, 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_pack_choice_note__behind_half_of_the_time__not_tried),
    CHECK_TEST(test_pack_choice_note__slow_link_and_text__packs_and_goes_on),
    CHECK_TEST(test_pack_choice_note__noise__tried_and_left),
    CHECK_TEST(test_pack_choice_note__link_faster_than_packing__tried_and_left),
    CHECK_TEST(test_pack_choice_note__link_faster_than_any_packing__not_tried),
    CHECK_TEST(test_pack_choice_note__many_readers__their_speed_counts),
    CHECK_TEST(test_pack_choice_note__target_is_slow__never_tried),
    CHECK_TEST(test_pack_choice_note__text_turns_into_noise__stops),
    CHECK_TEST(test_pack_choice_init__off_and_always__stay),
};

CHECK_MAIN("pack_choice", tests)
