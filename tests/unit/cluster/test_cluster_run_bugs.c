/* SPDX-License-Identifier: Apache-2.0 */
/* test_cluster_run_bugs.c — the simulation finds every bug that is planted in the run of a plan,
 * and none in the run without one. */
#include <inttypes.h>
#include <stdio.h>

#include "check.h"
#include "cluster_run_bug.h"
#include "run_world.h"

enum { WORLD_COUNT = 600 };

enum run_bug run_bug = RUN_BUG_NONE;

static const char *const bug_sentences[] = {
#define BUG_SENTENCE(name, sentence) #name ": " sentence,
    RUN_BUG_LIST(BUG_SENTENCE)
#undef BUG_SENTENCE
};

static bool is_found(void)
{
    char text[RUN_WORLD_TEXT_BYTES_MAX];
    for (uint64_t seed = 1; seed <= WORLD_COUNT; seed++) {
        if (!run_world_check(seed, text)) {
            (void)printf("  world %" PRIu64 ": %s\n", seed, text);
            return true;
        }
    }
    return false;
}

static void test_simulation__every_planted_bug__found(void)
{
    for (size_t bug = 0; bug < CHECK_COUNT(bug_sentences); bug++) {
        run_bug = (enum run_bug)bug;
        (void)printf("%s\n", bug_sentences[bug]);
        check_equal(is_found(), bug != RUN_BUG_NONE);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_simulation__every_planted_bug__found),
};

CHECK_MAIN("cluster_run_bugs", tests)
