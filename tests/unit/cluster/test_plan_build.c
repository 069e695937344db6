/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan_build.c — goals in the words of an operator become plans with names. */
#include "plan_build.h"

#include "facts_fixture.h"

static struct node_facts_list list;
static struct cluster_plan *plan;
static struct haul_error error;

static enum haul_status build(const struct plan_goal *goal)
{
    if (list.nodes == NULL) {
        list = fixture_facts();
    }
    plan_file_destroy(plan);
    plan = NULL;
    return plan_build(&list, goal, &plan, &error);
}

static enum haul_status build_weight(const char *text)
{
    struct plan_goal goal = {.weights = {&text, 1}};
    return build(&goal);
}

static void test_build__no_goal__masters_with_slots_are_balanced_already(void)
{
    struct plan_goal goal = {.measure = PLANNER_SLOTS};
    check_status(build(&goal), HAUL_OK);
    check_equal(plan->move_count, 0);
    check_equal(plan->node_count, 3); /* the replica is no part of it */
    check_equal(plan->topology_version, 5);
}

static void test_build__added_and_drained__by_name_or_id(void)
{
    const char *added = "127.0.0.1:6669";
    const char *drained = ID_B;
    struct plan_goal goal = {.added = {&added, 1}, .drained = {&drained, 1}};
    check_status(build(&goal), HAUL_OK);
    check_equal(plan->move_count, 1);
    check_text(plan->nodes[plan->moves[0].from].id, ID_B);
    check_text(plan->nodes[plan->moves[0].to].id, ID_D);
    check_equal(plan->nodes[plan->moves[0].to].port, 6669);
    check_equal(plan->bytes, 40960000);
    check_equal(plan->nodes[1].effect.slots_after, 0);
}

static void test_build__by_bytes__size_of_the_database_decides(void)
{
    struct plan_goal goal = {.measure = PLANNER_BYTES};
    check_status(build(&goal), HAUL_OK);
    check_equal(plan->bytes, 20480000);
    check_text(plan->nodes[plan->moves[0].from].id, ID_A);
    check_text(plan->nodes[plan->moves[0].to].id, ID_B);
}

/* A has 81.92 MB in equal slots, B 118.08 MB in two. */
static void test_build__by_bytes__a_node_that_tells_sizes_is_believed(void)
{
    struct plan_goal goal = {.measure = PLANNER_BYTES};
    static const struct slot_range large = {8192, 8193};
    list.nodes[1].slot_bytes = calloc(CLUSTER_SLOT_COUNT, sizeof(uint64_t));
    check_or_stop(list.nodes[1].slot_bytes != NULL);
    list.nodes[1].slot_bytes[large.first] = 100000000;
    list.nodes[1].slot_bytes[large.last] = 18080000;
    check_status(build(&goal), HAUL_OK);
    check_or_stop(plan->move_count == 1);
    check_equal(plan->bytes, 18080000); /* both have 100 MB then */
    check_equal(plan->moves[0].slots.first, large.last);
    check_text(plan->nodes[plan->moves[0].from].id, ID_B);
    free(list.nodes[1].slot_bytes);
    list.nodes[1].slot_bytes = NULL;
}

static void test_build__by_bytes_that_nobody_reports__invalid(void)
{
    struct plan_goal goal = {.measure = PLANNER_BYTES};
    uint64_t kept = list.nodes[0].database_bytes;
    list.nodes[0].database_bytes = 0;
    list.nodes[1].database_bytes = NODE_FACTS_UNKNOWN;
    check_error(build(&goal), HAUL_INVALID, error);
    goal.measure = PLANNER_SLOTS;
    check_status(build(&goal), HAUL_OK);
    list.nodes[0].database_bytes = kept;
    list.nodes[1].database_bytes = kept / 2;
}

static void test_build__two_wishes_for_one_node__refused(void)
{
    const char *twice[] = {"127.0.0.1:6666=2", ID_A "=3"};
    const char *added = ID_A;
    struct plan_goal goals[] = {
        {.weights = {twice, 2}},
        {.weights = {twice, 1}, .drained = {&added, 1}},
        {.weights = {twice, 1}, .added = {&added, 1}},
        {.added = {&added, 1}, .drained = {&added, 1}},
    };
    for (size_t i = 0; i < CHECK_COUNT(goals); i++) {
        check_error(build(&goals[i]), HAUL_INVALID, error);
        check(strstr(error.text, "127.0.0.1:6666") != NULL);
    }
}

static void test_build__weights__checked(void)
{
    check_status(build_weight("127.0.0.1:6666=3"), HAUL_OK);
    check_equal(plan->nodes[0].effect.slots_after, 12288);
    check_status(build_weight(ID_D "=1"), HAUL_OK);
    check(plan->nodes[2].effect.slots_after > 5000);
    check_error(build_weight("127.0.0.1:6666"), HAUL_INVALID, error);
    check_error(build_weight("127.0.0.1:6666="), HAUL_INVALID, error);
    check_error(build_weight("127.0.0.1:6666=-1"), HAUL_INVALID, error);
    check_error(build_weight("127.0.0.1:6666=1x"), HAUL_INVALID, error);
    check_error(build_weight("127.0.0.1:6666=1000001"), HAUL_INVALID, error);
    check_error(build_weight("127.0.0.1:1=1"), HAUL_INVALID, error);
    check_error(build_weight("127.0.0.1:6668=1"), HAUL_INVALID, error); /* a replica */
}

static void test_build__ranges__between_two_nodes(void)
{
    struct plan_goal goal = {.from = ID_A, .to = ID_B, .slots = "0-99,200"};
    check_status(build(&goal), HAUL_OK);
    check_equal(plan->move_count, 2);
    check_equal(plan->wave_count, 2);
    goal.slots = "0-99,";
    check_error(build(&goal), HAUL_INVALID, error);
    goal.slots = "16383";
    check_error(build(&goal), HAUL_INVALID, error);
    goal.slots = NULL;
    check_error(build(&goal), HAUL_INVALID, error);
    const char *drained = ID_B;
    goal = (struct plan_goal){.from = ID_A, .to = ID_B, .slots = "0", .drained = {&drained, 1}};
    check_error(build(&goal), HAUL_INVALID, error);
}

static void test_build__no_disk__names_the_node(void)
{
    const char *added = ID_D;
    struct plan_goal goal = {.added = {&added, 1}};
    list.nodes[3].disk_used_bytes = list.nodes[3].disk_bytes - 1000;
    check_error(build(&goal), HAUL_NO_SPACE, error);
    check(strstr(error.text, "127.0.0.1:6669") != NULL);
    check(plan == NULL);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_build__no_goal__masters_with_slots_are_balanced_already),
    CHECK_TEST(test_build__added_and_drained__by_name_or_id),
    CHECK_TEST(test_build__by_bytes__size_of_the_database_decides),
    CHECK_TEST(test_build__by_bytes__a_node_that_tells_sizes_is_believed),
    CHECK_TEST(test_build__by_bytes_that_nobody_reports__invalid),
    CHECK_TEST(test_build__two_wishes_for_one_node__refused),
    CHECK_TEST(test_build__weights__checked),
    CHECK_TEST(test_build__ranges__between_two_nodes),
    CHECK_TEST(test_build__no_disk__names_the_node),
};

int main(int argc, char **argv)
{
    int result = check_main("plan_build", tests, CHECK_COUNT(tests), argc, argv);
    plan_file_destroy(plan);
    node_facts_list_fini(&list);
    return result;
}
