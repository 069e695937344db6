/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_slot.c — one job at a time. */
#include "target_slot.h"

#include "check.h"

static int first_place;
static int second_place;

static void test_target_slot_take__two_drivers__the_first_has_it(void)
{
    struct target_driver *first = (struct target_driver *)(void *)&first_place;
    struct target_driver *second = (struct target_driver *)(void *)&second_place;
    struct target_slot slot = {.holder = NULL};
    check(target_slot_is_free(&slot, first) && target_slot_is_free(&slot, second));
    check(target_slot_take(&slot, first));
    check(target_slot_take(&slot, first));
    check(!target_slot_take(&slot, second));
    check(target_slot_is_free(&slot, first));
    check(!target_slot_is_free(&slot, second));
    slot.holder = NULL;
    check(target_slot_take(&slot, second));
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_slot_take__two_drivers__the_first_has_it),
};
CHECK_MAIN("target_slot", tests)
