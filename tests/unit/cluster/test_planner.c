/* SPDX-License-Identifier: Apache-2.0 */
/* test_planner.c — plans that one can read; planner_world.c judges random ones. */
#include "planner.h"

#include <string.h>

#include "check.h"

enum { NODE_COUNT = 4 };

static uint16_t owners[CLUSTER_SLOT_COUNT];
static uint64_t bytes[CLUSTER_SLOT_COUNT];
static struct planner_node nodes[NODE_COUNT];
static struct planner_cluster cluster;
static struct planner_limits limits;
static struct planner_result *result;
static struct haul_error error;
static size_t full_node;

/* Three nodes with a third each, and a fourth with nothing, which wants nothing. */
static void set_up(void)
{
    memset(&limits, 0, sizeof(limits));
    for (size_t i = 0; i < NODE_COUNT; i++) {
        nodes[i] = (struct planner_node){i < 3, 1, PLANNER_FREE_UNKNOWN};
    }
    for (size_t slot = 0; slot < CLUSTER_SLOT_COUNT; slot++) {
        owners[slot] = slot < 5462 ? 0 : slot < 10923 ? 1 : 2;
        bytes[slot] = 100;
    }
    cluster = (struct planner_cluster){owners, bytes, CLUSTER_SLOT_COUNT, nodes, NODE_COUNT};
    full_node = SIZE_MAX;
}

static enum haul_status balance(enum planner_measure measure)
{
    planner_result_destroy(result);
    result = NULL;
    return planner_balance(&cluster, measure, &limits, &result, &full_node, &error);
}

static enum haul_status move(uint16_t from, uint16_t to, struct slot_range range)
{
    planner_result_destroy(result);
    result = NULL;
    return planner_move_ranges(&cluster, from, to, &range, 1, &limits, &result, &full_node, &error);
}

static void test_balance__balanced_already__no_move(void)
{
    set_up();
    check_status(balance(PLANNER_SLOTS), HAUL_OK);
    check_equal(result->move_count, 0);
    check_equal(result->wave_count, 0);
    check_equal(result->effects[0].slots_after, 5462);
}

/* The first node has 100 slots of 100 to 150 KB among empty ones. What whole slots leave over could
 * be made up from empty ones only, one run after the other. */
static void fill_few(uint32_t seed)
{
    enum { FEW = 100, BYTES_MIN = 100000, BYTES_SPAN = 50000 };
    memset(bytes, 0, sizeof(bytes));
    for (int i = 0; i < FEW; i++) {
        seed = seed * 1664525 + 1013904223; /* Numerical Recipes' generator */
        bytes[(seed >> 8) % 5462] = BYTES_MIN + (seed >> 16) % BYTES_SPAN;
    }
}

static void test_balance__by_bytes_of_few_slots__few_moves(void)
{
    enum { SEED_COUNT = 50, MOVE_COUNT_MAX = 4, SLOT_BYTES_MAX = 150000 };
    set_up();
    limits.tolerance_permille = 20;
    for (uint32_t seed = 0; seed < SEED_COUNT; seed++) {
        fill_few(seed);
        check_status(balance(PLANNER_BYTES), HAUL_OK);
        check(result->move_count <= MOVE_COUNT_MAX);
        uint64_t mean = result->effects[0].bytes_before / 3;
        for (size_t i = 0; i < 3; i++) {
            check(result->effects[i].bytes_after + SLOT_BYTES_MAX > mean);
            check(result->effects[i].bytes_after < mean + SLOT_BYTES_MAX);
        }
    }
}

static void test_balance__empty_node__one_move_from_each(void)
{
    set_up();
    nodes[3].weight = 1;
    check_status(balance(PLANNER_SLOTS), HAUL_OK);
    check_equal(result->move_count, 3);
    check_equal(result->wave_count, 3); /* the new node takes one job at a time */
    check_equal(result->bytes, 409600);
    for (size_t i = 0; i < NODE_COUNT; i++) {
        check_equal(result->effects[i].slots_after, 4096);
    }
    check_equal(result->effects[3].extra_bytes_peak, 409600 + 2 * 136600);
}

static void test_balance__drained_node__keeps_nothing(void)
{
    set_up();
    nodes[1].weight = 0;
    check_status(balance(PLANNER_BYTES), HAUL_OK);
    check_equal(result->effects[1].slots_after, 0);
    check_equal(result->move_count, 2);
    /* Each receiver gets the end that joins its own slots. */
    for (size_t i = 0; i < 2; i++) {
        const struct planner_move *next = &result->moves[i];
        check(next->to == 0 ? next->slots.first == 5462 : next->slots.last == 10922);
    }
}

static void test_balance__weights__in_proportion(void)
{
    set_up();
    nodes[0].weight = 2;
    check_status(balance(PLANNER_SLOTS), HAUL_OK);
    check_equal(result->effects[0].slots_after, 8192);
    check_equal(result->effects[1].slots_after, 4096);
}

static void test_balance__little_disk__smaller_moves(void)
{
    set_up();
    nodes[3].weight = 1;
    nodes[3].free_bytes = 409600 + 2 * 20000;
    check_status(balance(PLANNER_SLOTS), HAUL_OK);
    check(result->move_count >= 21);
    check(result->effects[3].extra_bytes_peak <= nodes[3].free_bytes);
    nodes[3].free_bytes = 409600;
    check_error(balance(PLANNER_SLOTS), HAUL_NO_SPACE, error);
    check_equal(full_node, 3);
    check(result == NULL);
    check_error(balance(PLANNER_BYTES), HAUL_NO_SPACE, error);
    check_equal(full_node, 3);
}

static void test_balance__jobs_and_parallel__waves(void)
{
    set_up();
    nodes[3].weight = 1;
    nodes[3].jobs_max = 3;
    check_status(balance(PLANNER_SLOTS), HAUL_OK);
    check_equal(result->wave_count, 1);
    limits.parallel_max = 2;
    check_status(balance(PLANNER_SLOTS), HAUL_OK);
    check_equal(result->wave_count, 2);
}

static void test_balance__one_huge_slot__within_its_size(void)
{
    set_up();
    bytes[0] = 100000000;
    check_status(balance(PLANNER_BYTES), HAUL_OK);
    check(result->effects[0].bytes_after >= 100000000);
    check(result->effects[1].bytes_after < 100000000);
}

static void test_balance__impossible_input__invalid(void)
{
    set_up();
    memset(nodes, 0, sizeof(nodes));
    check_error(balance(PLANNER_SLOTS), HAUL_INVALID, error); /* jobs_max 0 */
    for (size_t i = 0; i < NODE_COUNT; i++) {
        nodes[i].jobs_max = 1;
    }
    check_error(balance(PLANNER_SLOTS), HAUL_INVALID, error); /* no weight */
    set_up();
    owners[77] = NODE_COUNT;
    check_error(balance(PLANNER_SLOTS), HAUL_INVALID, error);
    set_up();
    limits.tolerance_permille = PLANNER_TOLERANCE_PERMILLE_MAX + 1;
    check_error(balance(PLANNER_SLOTS), HAUL_INVALID, error);
    set_up();
    bytes[5] = UINT64_C(1) << 60;
    check_error(balance(PLANNER_BYTES), HAUL_INVALID, error);
}

static void test_move_ranges__own_slots__cut_at_the_limit(void)
{
    set_up();
    limits.move_slots_max = 400;
    check_status(move(0, 3, (struct slot_range){1000, 1999}), HAUL_OK);
    check_equal(result->move_count, 3);
    check_equal(result->wave_count, 3);
    check_equal(result->effects[0].slots_after, 4462);
    check_equal(result->effects[3].bytes_after, 100000);
}

static void test_move_ranges__others_slots_or_itself__invalid(void)
{
    set_up();
    check_error(move(0, 3, (struct slot_range){5461, 5462}), HAUL_INVALID, error);
    check_error(move(0, 0, (struct slot_range){1, 2}), HAUL_INVALID, error);
    check_error(move(0, NODE_COUNT, (struct slot_range){1, 2}), HAUL_INVALID, error);
    nodes[3].free_bytes = 100;
    check_error(move(0, 3, (struct slot_range){1, 2}), HAUL_NO_SPACE, error);
    check_equal(full_node, 3);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_balance__balanced_already__no_move),
    CHECK_TEST(test_balance__by_bytes_of_few_slots__few_moves),
    CHECK_TEST(test_balance__empty_node__one_move_from_each),
    CHECK_TEST(test_balance__drained_node__keeps_nothing),
    CHECK_TEST(test_balance__weights__in_proportion),
    CHECK_TEST(test_balance__little_disk__smaller_moves),
    CHECK_TEST(test_balance__jobs_and_parallel__waves),
    CHECK_TEST(test_balance__one_huge_slot__within_its_size),
    CHECK_TEST(test_balance__impossible_input__invalid),
    CHECK_TEST(test_move_ranges__own_slots__cut_at_the_limit),
    CHECK_TEST(test_move_ranges__others_slots_or_itself__invalid),
};

int main(int argc, char **argv)
{
    int status = check_main("planner", tests, CHECK_COUNT(tests), argc, argv);
    planner_result_destroy(result);
    return status;
}
