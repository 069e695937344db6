/* SPDX-License-Identifier: Apache-2.0 */
/* test_planner_world.c — 10,000 random clusters: every goal is reached within every limit. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "planner_world.h"

enum {
    CLUSTER_COUNT = 10000,
    /* Of the refusals for lack of disk: bounds and halves of slots make a few uncertain. */
    REFUSALS_UNPROVED_PERCENT_MAX = 1,
};

static struct planner_world world;

static void test_balance__random_clusters__every_goal_within_every_limit(void)
{
    const char *given = getenv("HAUL_PLANNER_SEED");
    uint64_t first = given == NULL ? 1 : strtoull(given, NULL, 10);
    unsigned refused = 0;
    unsigned unproved = 0;
    unsigned uneven = 0; /* refusals by slots of different sizes: nobody knows */
    uint64_t moves = 0;
    for (uint64_t seed = first; seed < first + CLUSTER_COUNT; seed++) {
        struct planner_result *result = NULL;
        struct haul_error error;
        char text[WORLD_TEXT_BYTES_MAX];
        world_make(&world, seed);
        enum haul_status status =
            planner_balance(&world.cluster, world.measure, &world.limits, &result, NULL, &error);
        if (status == HAUL_NO_SPACE) {
            bool known = world_is_even(&world);
            refused += known;
            uneven += !known;
            unproved += known && !world_lacks_disk(&world);
            continue;
        }
        bool ok = status == HAUL_OK && world_judge(&world, result, text);
        if (!ok) {
            (void)printf("seed %" PRIu64 ": %s\n", seed, status == HAUL_OK ? text : error.text);
        }
        check_or_stop(ok);
        moves += result->move_count;
        planner_result_destroy(result);
    }
    (void)printf("%d clusters, %" PRIu64 " moves; refused for lack of disk: %u, %u of them without "
                 "a proof, and %u that are hard to prove\n",
                 CLUSTER_COUNT, moves, refused, unproved, uneven);
    check(refused > CLUSTER_COUNT / 100);
    check(unproved * 100 <= refused * REFUSALS_UNPROVED_PERCENT_MAX);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_balance__random_clusters__every_goal_within_every_limit),
};

CHECK_MAIN("planner_world", tests)
