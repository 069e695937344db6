/* SPDX-License-Identifier: Apache-2.0 */
/* test_line_survey.c — which lines a plan takes, and what follows from their round trips and
 * rates. */
#include <stdio.h>

#include "check.h"
#include "line_survey.h"
#include "topology_texts.h"

enum { MOVE_COUNT = 4 };

static struct haul_error error;
static struct line_survey survey;
static struct run_move run_moves[MOVE_COUNT];
static struct planner_move plan_moves[MOVE_COUNT];
static struct cluster_run run;
static struct cluster_plan plan;

static void set_move(size_t index, const char *from, const char *to, uint32_t wave, uint64_t bytes)
{
    run_moves[index] = (struct run_move){.state = RUN_MOVE_WAITING};
    (void)snprintf(run_moves[index].from, sizeof(run_moves[index].from), "%s", from);
    (void)snprintf(run_moves[index].to, sizeof(run_moves[index].to), "%s", to);
    plan_moves[index] = (struct planner_move){.wave = wave, .bytes = bytes};
}

/* A gives to C twice and B to D once in two waves; what B gives to C is done. */
static void begin(void)
{
    run = (struct cluster_run){.moves = run_moves, .move_count = MOVE_COUNT};
    plan = (struct cluster_plan){.moves = plan_moves, .move_count = MOVE_COUNT};
    set_move(0, ID_A, ID_C, 0, 1000);
    set_move(1, ID_B, ID_D, 0, 6000);
    set_move(2, ID_A, ID_C, 1, 3000);
    set_move(3, ID_B, ID_C, 1, 9000);
    run_moves[3].state = RUN_MOVE_DONE;
    check_status(line_survey_init(&run, &survey, &error), HAUL_OK);
}

static void measure(size_t line, uint64_t round_trip_us, uint64_t rate)
{
    survey.lines[line].measured = true;
    survey.lines[line].round_trip_us = round_trip_us;
    survey.lines[line].rate = rate;
}

static void test_init__moves_of_one_pair_and_a_done_one__each_line_once(void)
{
    begin();
    check_equal(survey.count, 2);
    check_equal(survey.lines[0].first_move, 0);
    check_equal(survey.lines[1].first_move, 1);
    line_survey_fini(&survey);
}

static void test_seconds__the_slowest_move_of_each_wave(void)
{
    begin();
    check(line_survey_seconds(&survey, &run, &plan, 0) < 0);
    measure(0, 1, 1000);
    measure(1, 1, 2000);
    check_equal((uint64_t)line_survey_seconds(&survey, &run, &plan, 0), 3 + 3);
    check_equal((uint64_t)line_survey_seconds(&survey, &run, &plan, 500), 12 + 6);
    check_equal((uint64_t)line_survey_seconds(&survey, &run, &plan, 1500), 4 + 3);
    check_equal((uint64_t)line_survey_longest_seconds(&survey, &run, &plan, ID_A, 0), 3);
    check_equal((uint64_t)line_survey_longest_seconds(&survey, &run, &plan, ID_C, 0), 0);
    line_survey_fini(&survey);
}

static void test_seconds__a_line_that_was_not_measured__not_counted(void)
{
    begin();
    measure(0, 1, 1000);
    check_equal((uint64_t)line_survey_seconds(&survey, &run, &plan, 0), 1 + 3);
    measure(1, 1, 0);
    check_equal((uint64_t)line_survey_seconds(&survey, &run, &plan, 0), 1 + 3);
    line_survey_fini(&survey);
}

static void test_freeze__ten_round_trips_of_the_longest_line(void)
{
    begin();
    check_equal(line_survey_freeze_ms_min(&survey, &run, ID_A), 0);
    measure(0, 50001, 1);
    check_equal(line_survey_freeze_ms_min(&survey, &run, ID_A), 501);
    check_equal(line_survey_freeze_ms_min(&survey, &run, ID_B), 0);
    measure(1, 40, 1);
    check_equal(line_survey_freeze_ms_min(&survey, &run, ID_B), 1);
    line_survey_fini(&survey);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_init__moves_of_one_pair_and_a_done_one__each_line_once),
    CHECK_TEST(test_seconds__the_slowest_move_of_each_wave),
    CHECK_TEST(test_seconds__a_line_that_was_not_measured__not_counted),
    CHECK_TEST(test_freeze__ten_round_trips_of_the_longest_line),
};

CHECK_MAIN("line_survey", tests)
