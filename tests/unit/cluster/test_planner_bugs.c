/* SPDX-License-Identifier: Apache-2.0 */
/* test_planner_bugs.c — the judge of random clusters finds every bug that is planted in the
 * planner, and none in the planner without one. */
#include <inttypes.h>
#include <stdio.h>

#include "check.h"
#include "planner_bug.h"
#include "planner_world.h"

enum { CLUSTER_COUNT = 2000 };

enum planner_bug planner_bug = PLANNER_BUG_NONE;

static struct planner_world world;

static const char *const bug_sentences[] = {
#define BUG_SENTENCE(name, sentence) #name ": " sentence,
    PLANNER_BUG_LIST(BUG_SENTENCE)
#undef BUG_SENTENCE
};

/* The seed of the first cluster that shows the bug; 0: none does. */
static uint64_t first_found(void)
{
    for (uint64_t seed = 1; seed <= CLUSTER_COUNT; seed++) {
        struct planner_result *result = NULL;
        struct haul_error error;
        char text[WORLD_TEXT_BYTES_MAX];
        world_make(&world, seed);
        bool found = planner_balance(&world.cluster, world.measure, &world.limits, &result, NULL,
                                     &error) == HAUL_OK &&
                     !world_judge(&world, result, text);
        planner_result_destroy(result);
        if (found) {
            (void)printf("  cluster %" PRIu64 ": %s\n", seed, text);
            return seed;
        }
    }
    return 0;
}

static void test_judge__every_planted_bug__found(void)
{
    for (size_t bug = 0; bug < CHECK_COUNT(bug_sentences); bug++) {
        planner_bug = (enum planner_bug)bug;
        (void)printf("%s\n", bug_sentences[bug]);
        bool found = first_found() != 0;
        check_equal(found, bug != PLANNER_BUG_NONE);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_judge__every_planted_bug__found),
};

CHECK_MAIN("planner_bugs", tests)
