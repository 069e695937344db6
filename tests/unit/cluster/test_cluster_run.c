/* SPDX-License-Identifier: Apache-2.0 */
/* test_cluster_run.c — a run brings a thousand simulated plans to their end, whatever happens to
 * nodes, tool and topology. */
#include <inttypes.h>
#include <stdio.h>

#include "check.h"
#include "run_world.h"

enum { WORLD_COUNT = 1000 };

static void test_run__random_worlds__no_invariant_breaks(void)
{
    char text[RUN_WORLD_TEXT_BYTES_MAX];
    for (uint64_t seed = 1; seed <= WORLD_COUNT; seed++) {
        if (!run_world_check(seed, text)) {
            (void)printf("  world %" PRIu64 ": %s\n", seed, text);
            check(false);
            return;
        }
    }
}

/* Otherwise the worlds prove nothing. */
static void test_run__random_worlds__reach_every_end(void)
{
    const struct run_world_tally *tally = &run_world_tally;
    (void)printf("  %u completed, %u aborted, %u fenced, %u lost a node, %u failed, %u misfits, "
                 "%u refused; "
                 "%u kills, %u moves\n",
                 tally->completed, tally->aborted, tally->fenced, tally->lost, tally->failed,
                 tally->misfit, tally->refused, tally->kills, tally->moves);
    check(tally->completed > WORLD_COUNT / 2);
    check(tally->aborted > WORLD_COUNT / 40);
    check(tally->fenced > WORLD_COUNT / 40);
    check(tally->lost > WORLD_COUNT / 40);
    check(tally->failed > WORLD_COUNT / 40);
    check(tally->misfit > WORLD_COUNT / 40);
    check(tally->refused > WORLD_COUNT / 40);
    check(tally->kills > WORLD_COUNT);
    check(tally->moves > 4 * WORLD_COUNT);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_run__random_worlds__no_invariant_breaks),
    CHECK_TEST(test_run__random_worlds__reach_every_end),
};

CHECK_MAIN("cluster_run", tests)
