/* SPDX-License-Identifier: Apache-2.0 */
/* test_apply_lane.c — which lane a job and a stream take, and that each lane fills its table of
 * operations. */
#include "apply_lane.h"

#include <stdio.h>

#include "check.h"

static const enum haul_lane lanes[] = {
#define LANE(name, number, text, prefix) HAUL_LANE_##name,
    HAUL_LANES(LANE)
#undef LANE
};

static uint32_t features;

static uint32_t tell_features(const struct haul_store *store)
{
    (void)store;
    return features;
}

static const struct haul_store_ops store_ops = {.features = tell_features};
static struct haul_store store = {.ops = &store_ops};

static void test_apply_lane_table__each_lane__every_slot_is_filled(void)
{
    for (size_t i = 0; i < CHECK_COUNT(lanes); i++) {
        const struct apply_lane_ops *ops = apply_lane_table(lanes[i]);
        check_or_stop(ops != NULL);
        check_equal(ops->lane, lanes[i]);
        check(ops->suits_store != NULL && ops->suits_stream != NULL && ops->create != NULL);
        check(ops->put != NULL && ops->commit != NULL && ops->is_full != NULL);
        check(ops->flush != NULL && ops->destroy != NULL);
    }
    check(apply_lane_table(HAUL_LANE_AUTO) == NULL);
    check(apply_lane_table((enum haul_lane)77) == NULL);
}

static void test_haul_lane_parse__names__lanes_and_back(void)
{
    enum haul_lane lane = HAUL_LANE_INGEST;
    check_status(haul_lane_parse("auto", &lane), HAUL_OK);
    check_equal(lane, HAUL_LANE_AUTO);
    for (size_t i = 0; i < CHECK_COUNT(lanes); i++) {
        check_status(haul_lane_parse(haul_lane_name(lanes[i]), &lane), HAUL_OK);
        check_equal(lane, lanes[i]);
    }
    check_status(haul_lane_parse("Ingest", &lane), HAUL_INVALID);
    check(haul_lane_name((enum haul_lane)77) == NULL);
}

static void test_apply_lane_choose__wanted_and_what_the_store_allows__lane_or_unsupported(void)
{
    static const struct {
        uint32_t features;
        enum haul_lane wanted;
        enum haul_status status;
        enum haul_lane lane;
    } cases[] = {
        {HAUL_STORE_INGEST, HAUL_LANE_AUTO, HAUL_OK, HAUL_LANE_INGEST},
        {HAUL_STORE_INGEST, HAUL_LANE_INGEST, HAUL_OK, HAUL_LANE_INGEST},
        {HAUL_STORE_INGEST, HAUL_LANE_WRITE_BATCH, HAUL_OK, HAUL_LANE_WRITE_BATCH},
        {0, HAUL_LANE_AUTO, HAUL_OK, HAUL_LANE_WRITE_BATCH},
        {0, HAUL_LANE_INGEST, HAUL_UNSUPPORTED, HAUL_LANE_AUTO},
        {HAUL_STORE_INGEST | HAUL_STORE_FOLLOWERS, HAUL_LANE_AUTO, HAUL_OK, HAUL_LANE_WRITE_BATCH},
        {HAUL_STORE_INGEST | HAUL_STORE_FOLLOWERS, HAUL_LANE_INGEST, HAUL_UNSUPPORTED,
         HAUL_LANE_AUTO},
        {HAUL_STORE_INGEST, (enum haul_lane)77, HAUL_UNSUPPORTED, HAUL_LANE_AUTO},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        enum haul_lane lane = HAUL_LANE_AUTO;
        struct haul_error error = {0};
        features = cases[i].features;
        check_status(apply_lane_choose(&store, cases[i].wanted, &lane, &error), cases[i].status);
        check_equal(lane, cases[i].lane);
        check_equal(error.status, cases[i].status);
        check_equal(error.hint[0] != '\0', cases[i].status != HAUL_OK);
    }
}

static void test_apply_lane_for_stream__size_and_order__ingest_or_batches(void)
{
    enum { MIN = 4 << 20 };
    static const struct {
        enum haul_lane job;
        const char *comparator;
        uint64_t bytes;
        enum haul_lane lane;
    } cases[] = {
        {HAUL_LANE_INGEST, HAUL_COMPARATOR_BYTEWISE, MIN, HAUL_LANE_INGEST},
        {HAUL_LANE_INGEST, HAUL_COMPARATOR_BYTEWISE, MIN - 1, HAUL_LANE_WRITE_BATCH},
        {HAUL_LANE_INGEST, HAUL_COMPARATOR_REVERSE, MIN, HAUL_LANE_WRITE_BATCH},
        {HAUL_LANE_WRITE_BATCH, HAUL_COMPARATOR_BYTEWISE, MIN, HAUL_LANE_WRITE_BATCH},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        struct plan_family family = {.metadata = false};
        const struct plan_stream stream = {.bytes = cases[i].bytes};
        (void)snprintf(family.family.comparator, sizeof(family.family.comparator), "%s",
                       cases[i].comparator);
        check_equal(apply_lane_for_stream(cases[i].job, &family, &stream)->lane, cases[i].lane);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_apply_lane_table__each_lane__every_slot_is_filled),
    CHECK_TEST(test_haul_lane_parse__names__lanes_and_back),
    CHECK_TEST(test_apply_lane_choose__wanted_and_what_the_store_allows__lane_or_unsupported),
    CHECK_TEST(test_apply_lane_for_stream__size_and_order__ingest_or_batches),
};

CHECK_MAIN("apply_lane", tests)
