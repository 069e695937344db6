/* SPDX-License-Identifier: Apache-2.0 */
/* test_touched_keys.c — finds keys by hash and by span, within a memory limit. */
#include "touched_keys.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "check.h"

enum { KEY_COUNT = 600, SLOT_BYTES = 16, KEY_BYTES = 8 };

static struct memory_budget budget;
static struct touched_keys keys;
static unsigned visited_count;
static unsigned visited_sum;

static struct haul_slice key_of(uint32_t number)
{
    static char text[KEY_BYTES + 1];
    (void)snprintf(text, sizeof(text), "%08u", number);
    return slice_of(text, KEY_BYTES);
}

static struct touched_key *enter(uint32_t family_id, uint32_t number)
{
    const struct digest present = {.count = 1, .bytes = 10, .low = number, .high = 0};
    struct touched_key *touched = NULL;
    check_or_stop(touched_keys_enter(&keys, family_id, key_of(number), &present, &touched) ==
                  HAUL_OK);
    return touched;
}

static void start(uint64_t bytes_max)
{
    memory_budget_init(&budget, bytes_max);
    touched_keys_init(&keys, &budget);
}

static void finish(void)
{
    touched_keys_clear(&keys);
    check_equal(memory_budget_bytes(&budget), 0);
}

static void visit(void *context, struct touched_key *touched)
{
    (void)context;
    visited_count++;
    visited_sum += (unsigned)touched->now.low;
}

static void remove_span(uint32_t family_id, uint32_t begin, uint32_t end)
{
    char first[KEY_BYTES];
    visited_count = 0;
    visited_sum = 0;
    memcpy(first, key_of(begin).data, KEY_BYTES);
    check_status(
        touched_keys_remove(&keys, family_id, slice_of(first, KEY_BYTES), key_of(end), visit, NULL),
        HAUL_OK);
}

static void test_touched_keys_find__entered_and_others__the_key_or_null(void)
{
    start(1 << 20);
    check(touched_keys_find(&keys, 0, key_of(1)) == NULL);
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        (void)enter(i % 2, i);
    }
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        const struct touched_key *found = touched_keys_find(&keys, i % 2, key_of(i));
        check_or_stop(found != NULL);
        check_equal(found->now.low, i);
        check(touched_keys_find(&keys, 1 - i % 2, key_of(i)) == NULL);
    }
    check_equal(keys.key_count, KEY_COUNT);
    finish();
}

/* A table that was replaced by a larger one no longer counts, or the limit would come early. */
static void test_touched_keys_enter__table_grows__only_the_new_one_counts(void)
{
    start(1 << 20);
    (void)enter(0, 0);
    uint64_t arena_bytes = memory_budget_bytes(&budget) - keys.slot_count * SLOT_BYTES;
    size_t first_slot_count = keys.slot_count;
    for (uint32_t i = 1; i < KEY_COUNT; i++) {
        (void)enter(0, i);
        check_equal(memory_budget_bytes(&budget), keys.slot_count * SLOT_BYTES + arena_bytes);
    }
    check(keys.slot_count > first_slot_count);
    finish();
}

static void test_touched_keys_enter__no_room__limit_and_nothing_taken(void)
{
    const struct digest absent = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    struct touched_key *touched = NULL;
    start(100);
    check_status(touched_keys_enter(&keys, 0, key_of(1), &absent, &touched), HAUL_LIMIT);
    check(touched_keys_find(&keys, 0, key_of(1)) == NULL);
    finish();
}

static void test_touched_keys_remove__span__present_keys_of_the_family_once(void)
{
    const struct digest absent = {.count = 0, .bytes = 0, .low = 0, .high = 0};
    start(1 << 20);
    for (uint32_t i = 0; i < 100; i++) {
        (void)enter(i % 2, 99 - i);
    }
    check_status(touched_keys_set(&keys, touched_keys_find(&keys, 1, key_of(12)), &absent),
                 HAUL_OK);
    remove_span(1, 10, 20); /* 10, 12, ... 18 less 12 */
    check_equal(visited_count, 4);
    check_equal(visited_sum, 10 + 14 + 16 + 18);
    remove_span(1, 10, 20);
    check_equal(visited_count, 0);
    check_equal(touched_keys_find(&keys, 1, key_of(14))->now.count, 0);
    /* A key that returns is present again. */
    const struct digest again = {.count = 1, .bytes = 10, .low = 14, .high = 0};
    check_status(touched_keys_set(&keys, touched_keys_find(&keys, 1, key_of(14)), &again), HAUL_OK);
    remove_span(1, 0, 100);
    check_equal(visited_count, 50 - 4);
    finish();
}

/* --- more keys than are looked through one by one --------------------------------------------- */

enum { MANY_FAMILIES = 3, MANY_KEYS = 6000, ROUNDS = 40, KEYS_A_ROUND = 700 };

static bool is_present[MANY_FAMILIES][MANY_KEYS];
static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % bound;
}

static void touch_some(void)
{
    for (uint32_t i = 0; i < KEYS_A_ROUND; i++) {
        uint32_t family = random_below(MANY_FAMILIES);
        uint32_t number = random_below(MANY_KEYS);
        const struct digest present = {.count = 1, .low = number};
        struct touched_key *touched = touched_keys_find(&keys, family, key_of(number));
        if (touched == NULL) {
            (void)enter(family, number);
        } else {
            check_status(touched_keys_set(&keys, touched, &present), HAUL_OK);
        }
        is_present[family][number] = true;
    }
}

static void remove_some(void)
{
    uint32_t family = random_below(MANY_FAMILIES);
    uint32_t begin = random_below(MANY_KEYS);
    uint32_t end = begin + random_below(MANY_KEYS / 4);
    unsigned count = 0;
    unsigned sum = 0;
    for (uint32_t i = begin; i < end && i < MANY_KEYS; i++) {
        count += is_present[family][i] ? 1 : 0;
        sum += is_present[family][i] ? i : 0;
        is_present[family][i] = false;
    }
    remove_span(family, begin, end);
    check_equal(visited_count, count);
    check_equal(visited_sum, sum);
}

static void test_touched_keys_remove__thousands_in_any_order__each_present_key_once(void)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        start(64 << 20);
        random_state = seed;
        memset(is_present, 0, sizeof(is_present));
        for (int round = 0; round < ROUNDS; round++) {
            touch_some();
            remove_some();
            remove_some();
            check(keys.sorted_count <= keys.listed_count);
        }
        check(keys.sorted_count > 0);
        finish();
    }
}

/* Sorting needs memory; it is refused before a key is visited. */
static void test_touched_keys_remove__no_room_to_sort__limit_and_nothing_visited(void)
{
    start(64 << 20);
    (void)enter(1, 0);
    remove_span(0, 0, 1); /* from now on keys come unsorted */
    for (uint32_t i = 0; i < MANY_KEYS; i++) {
        (void)enter(0, i);
    }
    budget.bytes_max = memory_budget_bytes(&budget);
    char first[KEY_BYTES];
    memcpy(first, key_of(0).data, KEY_BYTES);
    visited_count = 0;
    check_status(
        touched_keys_remove(&keys, 0, slice_of(first, KEY_BYTES), key_of(MANY_KEYS), visit, NULL),
        HAUL_LIMIT);
    check_equal(visited_count, 0);
    budget.bytes_max = 64 << 20;
    remove_span(0, 0, MANY_KEYS);
    check_equal(visited_count, MANY_KEYS);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_touched_keys_remove__thousands_in_any_order__each_present_key_once),
    CHECK_TEST(test_touched_keys_remove__no_room_to_sort__limit_and_nothing_visited),
    CHECK_TEST(test_touched_keys_find__entered_and_others__the_key_or_null),
    CHECK_TEST(test_touched_keys_enter__table_grows__only_the_new_one_counts),
    CHECK_TEST(test_touched_keys_enter__no_room__limit_and_nothing_taken),
    CHECK_TEST(test_touched_keys_remove__span__present_keys_of_the_family_once),
};

CHECK_MAIN("touched_keys", tests)
