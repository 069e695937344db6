/* SPDX-License-Identifier: Apache-2.0 */
/* test_table_lane.c — table files of several lanes, of which only so many may be open. */
#include "table_lane.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "rocks_fixture.h"

enum { LANE_COUNT = 3 };

static struct rocks_fixture fixture;
static struct memory_budget budget;
static struct table_lane lanes[LANE_COUNT];
static struct haul_error error;

static void open_lanes(uint64_t open_max)
{
    rocks_fixture_open(&fixture);
    memory_budget_init(&budget, open_max);
    for (int i = 0; i < LANE_COUNT; i++) {
        char stem[300];
        (void)snprintf(stem, sizeof(stem), "%s/staged-%d", fixture.path, i);
        check_status(table_lane_init(&lanes[i], fixture.store, 0, stem, &error), HAUL_OK);
        lanes[i].budget = &budget;
    }
}

static void close_lanes(void)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        table_lane_fini(&lanes[i]);
    }
    check_equal(memory_budget_bytes(&budget), 0);
    rocks_fixture_close(&fixture);
}

static enum haul_status put(int lane, const char *key)
{
    return table_lane_put(&lanes[lane], text_slice(key), text_slice("v"), &error);
}

static void test_table_lane_put__more_lanes_than_may_be_open__limit(void)
{
    open_lanes(2);
    check_status(put(0, "a"), HAUL_OK);
    check_status(put(1, "b"), HAUL_OK);
    check_status(put(2, "c"), HAUL_LIMIT);
    check_status(put(0, "aa"), HAUL_OK); /* its file is open */
    close_lanes();
}

static void test_table_lane_flush__then_another__its_place_is_free(void)
{
    open_lanes(1);
    check_status(put(0, "a"), HAUL_OK);
    check_status(table_lane_flush(&lanes[0], &error), HAUL_OK);
    check_status(put(1, "b"), HAUL_OK);
    table_lane_fini(&lanes[1]);
    check_status(put(2, "c"), HAUL_OK);
    close_lanes();
}

static void test_table_lane_put__file_cannot_be_made__no_place_taken(void)
{
    open_lanes(1);
    (void)snprintf(lanes[0].stem, sizeof(lanes[0].stem), "%s/nowhere/staged", fixture.path);
    check(put(0, "a") != HAUL_OK);
    check_status(put(1, "b"), HAUL_OK);
    close_lanes();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_table_lane_put__more_lanes_than_may_be_open__limit),
    CHECK_TEST(test_table_lane_flush__then_another__its_place_is_free),
    CHECK_TEST(test_table_lane_put__file_cannot_be_made__no_place_taken),
};

CHECK_MAIN("table_lane", tests)
