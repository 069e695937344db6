/* SPDX-License-Identifier: Apache-2.0 */
/* test_run_reason.c — what a run says of a move that failed, by what its source has shown. */
#include "cluster_run.h"
#include "facts_fixture.h"

enum { MOVE_COUNT = 1, NODE_A = 0, NODE_B = 1, ROUND_MS = 500 };

static struct topology *topologies[FIXTURE_NODE_COUNT];
static struct run_view views[FIXTURE_NODE_COUNT];
static struct cluster_run *run;
static uint64_t now_ms;
static struct haul_error error;

static void step(void)
{
    struct run_round round = {.views = views, .count = FIXTURE_NODE_COUNT, .now_ms = now_ms};
    check_status(cluster_run_step(run, &round, &error), HAUL_OK);
    now_ms += ROUND_MS;
}

/* A run that has begun to move slots 0 to 99 from A to B. */
static void begin(void)
{
    static const char *const ids[FIXTURE_NODE_COUNT] = {ID_A, ID_B, ID_C, ID_D};
    struct plan_node nodes[] = {{.id = ID_A}, {.id = ID_B}};
    struct planner_move moves[MOVE_COUNT] = {{.slots = {0, 99}, .from = NODE_A, .to = NODE_B}};
    struct cluster_plan plan = {.topology_version = 5,
                                .nodes = nodes,
                                .node_count = 2,
                                .moves = moves,
                                .move_count = MOVE_COUNT};
    for (int i = 0; i < FIXTURE_NODE_COUNT; i++) {
        topologies[i] = fixture_topology(ids[i]);
        views[i] = (struct run_view){.id = ids[i],
                                     .name = ids[i],
                                     .answers = true,
                                     .topology = topologies[i],
                                     .failure = ""};
    }
    now_ms = ROUND_MS;
    check_status(cluster_run_create(&plan, FIXTURE_NODE_COUNT, 0, &run, &error), HAUL_OK);
    step();
    check(run->moves[0].begun);
}

static void show_job(enum run_job_state job, const char *failure)
{
    views[NODE_A].job = job;
    views[NODE_A].job_slots = (struct slot_range){0, 99};
    (void)snprintf(views[NODE_A].job_to, sizeof(views[NODE_A].job_to), "%s", ID_B);
    views[NODE_A].failure = failure;
    step();
}

static void end(void)
{
    cluster_run_destroy(run);
    for (int i = 0; i < FIXTURE_NODE_COUNT; i++) {
        topology_destroy(topologies[i]);
    }
}

static void silence(void)
{
    views[NODE_A].answers = false;
    step();
    views[NODE_A].answers = true;
}

static void test_reason__the_source_was_restarted__named(void)
{
    begin();
    show_job(RUN_JOB_START, "");
    silence();
    show_job(RUN_JOB_FAIL, "");
    check_equal(run->moves[0].failures, 1);
    check(strstr(run->moves[0].reason, "did not answer") != NULL);
    end();
    begin();
    silence();
    step(); /* it shows no job at all */
    check_equal(run->moves[0].failures, 1);
    check(strstr(run->moves[0].reason, "did not answer") != NULL);
    end();
}

static void test_reason__the_source_names_one__that_one(void)
{
    begin();
    silence();
    show_job(RUN_JOB_FAIL, "no space");
    check_text(run->moves[0].reason, "no space");
    end();
    begin();
    step();
    check_text(run->moves[0].reason, "its source has forgotten it");
    end();
    begin();
    show_job(RUN_JOB_FAIL, "");
    check_text(run->moves[0].reason, "its source names no reason");
    end();
}

/* What happened to an earlier attempt is no reason of the next one. */
static void test_reason__silent_in_an_earlier_attempt__not_named(void)
{
    begin();
    silence();
    show_job(RUN_JOB_FAIL, "");
    now_ms += CLUSTER_RUN_RETRY_MS;
    step();
    check(run->moves[0].begun);
    show_job(RUN_JOB_FAIL, "");
    check_equal(run->moves[0].failures, 2);
    check_text(run->moves[0].reason, "its source names no reason");
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_reason__the_source_was_restarted__named),
    CHECK_TEST(test_reason__the_source_names_one__that_one),
    CHECK_TEST(test_reason__silent_in_an_earlier_attempt__not_named),
};

CHECK_MAIN("run_reason", tests)
