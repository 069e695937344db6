/* SPDX-License-Identifier: Apache-2.0 */
/* test_catch_up.c — when rounds go on, wait, end in a freeze, or never end. */
#include "catch_up.h"

#include "check.h"

enum { LIMIT = 800 };

static struct catch_up made(void)
{
    struct catch_up catch_up;
    catch_up_init(&catch_up, LIMIT);
    return catch_up;
}

static void test_catch_up_next__lag_over_the_limit__round(void)
{
    struct catch_up catch_up = made();
    catch_up_note_round(&catch_up, LIMIT + 1, 5);
    check_equal(catch_up_next(&catch_up, 5), CATCH_UP_ROUND);
}

static void test_catch_up_next__lag_within_but_not_small__wait(void)
{
    struct catch_up catch_up = made();
    catch_up_note_round(&catch_up, LIMIT, 5);
    check_equal(catch_up_next(&catch_up, 5), CATCH_UP_WAIT);
    catch_up_note_round(&catch_up, LIMIT / 8 + 1, 6);
    check_equal(catch_up_next(&catch_up, 6), CATCH_UP_WAIT);
}

static void test_catch_up_next__small_lag__freeze_when_earlier_rounds_are_applied(void)
{
    struct catch_up catch_up = made();
    catch_up_note_round(&catch_up, LIMIT, 5);
    catch_up_note_round(&catch_up, LIMIT / 64, 6);
    check_equal(catch_up_next(&catch_up, 4), CATCH_UP_WAIT);
    check_equal(catch_up_next(&catch_up, 5), CATCH_UP_FREEZE); /* the last round is the pause */
    check(!catch_up_is_level(&catch_up, 5));
    check(catch_up_is_level(&catch_up, 6));
}

static void test_catch_up_next__lag_that_shrinks__freeze_when_it_does_so_no_more(void)
{
    struct catch_up catch_up = made();
    catch_up_note_round(&catch_up, LIMIT / 8, 5);
    check_equal(catch_up_next(&catch_up, 5), CATCH_UP_WAIT); /* a first one */
    catch_up_note_round(&catch_up, LIMIT / 16, 6);
    check_equal(catch_up_next(&catch_up, 6), CATCH_UP_WAIT);
    catch_up_note_round(&catch_up, LIMIT / 16 * 3 / 4, 7);
    check_equal(catch_up_next(&catch_up, 7), CATCH_UP_WAIT);
    catch_up_note_round(&catch_up, LIMIT / 16 * 3 / 4 - 1, 8);
    check_equal(catch_up_next(&catch_up, 8), CATCH_UP_FREEZE);
}

static void test_catch_up_next__lag_of_a_64th__freeze_though_it_shrinks(void)
{
    struct catch_up catch_up = made();
    catch_up_note_round(&catch_up, LIMIT / 64 + 1, 5);
    check_equal(catch_up_next(&catch_up, 5), CATCH_UP_WAIT);
    catch_up_note_round(&catch_up, LIMIT / 64, 6);
    check_equal(catch_up_next(&catch_up, 6), CATCH_UP_FREEZE);
}

static void test_catch_up_next__lag_that_stays_within__freeze_after_fifty_rounds(void)
{
    struct catch_up catch_up = made();
    for (uint64_t round = 1; round <= 50; round++) {
        catch_up_note_round(&catch_up, LIMIT, round);
        check_equal(catch_up_next(&catch_up, round), CATCH_UP_WAIT);
    }
    catch_up_note_round(&catch_up, LIMIT, 51);
    check_equal(catch_up_next(&catch_up, 49), CATCH_UP_WAIT);
    check_equal(catch_up_next(&catch_up, 50), CATCH_UP_FREEZE);
}

static void test_catch_up_next__lag_that_never_shrinks__gives_up_after_a_thousand(void)
{
    struct catch_up catch_up = made();
    for (uint64_t round = 1; round < 1000; round++) {
        catch_up_note_round(&catch_up, LIMIT + 1, round);
        check_equal(catch_up_next(&catch_up, round), CATCH_UP_ROUND);
    }
    catch_up_note_round(&catch_up, LIMIT + 1, 1000);
    check_equal(catch_up_next(&catch_up, 1000), CATCH_UP_GIVE_UP);
    catch_up_note_round(&catch_up, 0, 1001); /* writes that end late still end */
    check_equal(catch_up_next(&catch_up, 1001), CATCH_UP_FREEZE);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_catch_up_next__lag_over_the_limit__round),
    CHECK_TEST(test_catch_up_next__lag_within_but_not_small__wait),
    CHECK_TEST(test_catch_up_next__small_lag__freeze_when_earlier_rounds_are_applied),
    CHECK_TEST(test_catch_up_next__lag_that_shrinks__freeze_when_it_does_so_no_more),
    CHECK_TEST(test_catch_up_next__lag_of_a_64th__freeze_though_it_shrinks),
    CHECK_TEST(test_catch_up_next__lag_that_stays_within__freeze_after_fifty_rounds),
    CHECK_TEST(test_catch_up_next__lag_that_never_shrinks__gives_up_after_a_thousand),
};

CHECK_MAIN("catch_up", tests)
