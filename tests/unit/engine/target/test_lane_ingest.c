/* SPDX-License-Identifier: Apache-2.0 */
/* test_lane_ingest.c — table files of several streams, with a limit on how many are open. */
#include "apply_lane.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "rocks_fixture.h"

enum { LANE_COUNT = 3 };

static struct rocks_fixture fixture;
static struct memory_budget budget;
static struct apply_lane *lanes[LANE_COUNT];
static struct haul_error error;

static const struct apply_lane_ops *ops(void)
{
    return apply_lane_table(HAUL_LANE_INGEST);
}

static void open_lanes(uint64_t open_max, const char *folder)
{
    rocks_fixture_open(&fixture);
    memory_budget_init(&budget, open_max);
    for (int i = 0; i < LANE_COUNT; i++) {
        char stem[300];
        (void)snprintf(stem, sizeof(stem), "%s/%sstaged-%d", fixture.path, i == 0 ? folder : "", i);
        const struct apply_lane_options options = {
            .store = fixture.store, .staging_stem = stem, .tables = &budget};
        check_status(ops()->create(&options, &lanes[i], &error), HAUL_OK);
    }
}

static void close_lane(int lane)
{
    if (lanes[lane] != NULL) {
        ops()->destroy(lanes[lane]);
        lanes[lane] = NULL;
    }
}

static void close_lanes(void)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        close_lane(i);
    }
    check_equal(memory_budget_bytes(&budget), 0);
    rocks_fixture_close(&fixture);
}

static enum haul_status put(int lane, const char *key)
{
    return ops()->put(lanes[lane], text_slice(key), text_slice("v"), &error);
}

static void test_lane_ingest_put__more_lanes_than_may_be_open__limit(void)
{
    open_lanes(2, "");
    check_status(put(0, "a"), HAUL_OK);
    check_status(put(1, "b"), HAUL_OK);
    check_status(put(2, "c"), HAUL_LIMIT);
    check_status(put(0, "aa"), HAUL_OK); /* its file is open */
    close_lanes();
}

static void test_lane_ingest_flush__then_another__its_place_is_free(void)
{
    open_lanes(1, "");
    check_status(put(0, "a"), HAUL_OK);
    check_status(ops()->flush(lanes[0], &error), HAUL_OK);
    check_status(put(1, "b"), HAUL_OK);
    close_lane(1);
    check_status(put(2, "c"), HAUL_OK);
    close_lanes();
}

static void test_lane_ingest_put__file_cannot_be_made__no_place_taken(void)
{
    open_lanes(1, "nowhere/");
    check(put(0, "a") != HAUL_OK);
    check_status(put(1, "b"), HAUL_OK);
    close_lanes();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_lane_ingest_put__more_lanes_than_may_be_open__limit),
    CHECK_TEST(test_lane_ingest_flush__then_another__its_place_is_free),
    CHECK_TEST(test_lane_ingest_put__file_cannot_be_made__no_place_taken),
};

CHECK_MAIN("lane_ingest", tests)
