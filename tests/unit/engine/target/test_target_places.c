/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_places.c — which jobs run at the same time. The drivers are only addresses. */
#include "target_places.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "plan.h"
#include "rocks_fixture.h"

enum { DRIVER_COUNT = 3 };

static int addresses[DRIVER_COUNT];
static struct target_places places;
static struct haul_error error;

static struct target_driver *driver(unsigned number)
{
    return (struct target_driver *)(void *)&addresses[number];
}

static void start(uint32_t count)
{
    places = (struct target_places){.count = count};
    memset(&error, 0, sizeof(error));
}

/* The Plan of a job that moves ["start", "end"). Released by the caller. */
static void make_plan(struct message *message, const char *start, const char *end)
{
    struct rocks_fixture source;
    struct plan plan;
    rocks_fixture_open(&source);
    const struct haul_range range = {.start = text_slice(start), .end = text_slice(end)};
    const struct haul_source_options options = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    check_or_stop(plan_make(&plan, source.store, &options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    check_or_stop(plan_to_message(&plan, message) == HAUL_OK);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

/* `first` NULL: without a plan. */
static enum haul_status take(unsigned number, uint8_t job, const char *first, const char *last)
{
    uint8_t id[HAUL_JOB_BYTES] = {job};
    struct message plan;
    if (first != NULL) {
        make_plan(&plan, first, last);
    }
    enum haul_status status =
        target_places_take(&places, driver(number), id, first == NULL ? NULL : &plan, &error);
    if (first != NULL) {
        message_release(&plan);
    }
    check(status != HAUL_OK || target_places_holds(&places, driver(number)));
    check(status != HAUL_BUSY || error.hint[0] != '\0');
    return status;
}

static void test_target_places_take__one_place__the_first_has_it(void)
{
    start(1);
    check_status(take(0, 1, NULL, NULL), HAUL_OK);
    check_status(take(0, 1, NULL, NULL), HAUL_OK); /* once more */
    check_status(take(1, 2, NULL, NULL), HAUL_BUSY);
    check(strstr(error.text, "another job runs") != NULL);
    check(target_places_holds(&places, driver(0)) && !target_places_holds(&places, driver(1)));
    target_places_leave(&places, driver(1)); /* has none */
    check_status(take(1, 2, NULL, NULL), HAUL_BUSY);
    target_places_leave(&places, driver(0));
    check_status(take(1, 2, NULL, NULL), HAUL_OK);
    target_places_fini(&places);
}

static void test_target_places_take__two_places__the_third_waits(void)
{
    start(2);
    check_status(take(0, 1, "a", "b"), HAUL_OK);
    check_equal(target_places_others(&places, driver(0)), 0);
    check_status(take(1, 2, "b", "c"), HAUL_OK);
    check_equal(target_places_others(&places, driver(0)), 1);
    check_status(take(2, 3, "c", "d"), HAUL_BUSY);
    check(strstr(error.text, "2 other jobs") != NULL);
    target_places_leave(&places, driver(0));
    check_status(take(2, 3, "c", "d"), HAUL_OK);
    target_places_fini(&places);
}

static void test_target_places_take__common_keys__waits(void)
{
    start(3);
    check_status(take(0, 1, "a", "c"), HAUL_OK);
    check_status(take(1, 2, "b", "d"), HAUL_BUSY);
    check(strstr(error.text, "brings a part of these ranges") != NULL);
    check(!target_places_holds(&places, driver(1)));
    check_status(take(1, 2, "c", "d"), HAUL_OK);
    target_places_leave(&places, driver(0));
    check_status(take(2, 3, "a", "c"), HAUL_OK);
    target_places_fini(&places);
}

/* The connection of the first attempt may not be known to be dead. */
static void test_target_places_take__same_job__waits(void)
{
    start(3);
    check_status(take(0, 1, NULL, NULL), HAUL_OK);
    check_status(take(1, 1, NULL, NULL), HAUL_BUSY);
    check(strstr(error.text, "another attempt") != NULL);
    uint8_t id[HAUL_JOB_BYTES] = {1};
    check(target_places_runs(&places, driver(1), id) &&
          !target_places_runs(&places, driver(0), id));
    target_places_leave(&places, driver(0));
    check_status(take(1, 1, NULL, NULL), HAUL_OK);
    target_places_fini(&places);
}

static void test_target_places_take__plan_without_families__refused(void)
{
    uint8_t id[HAUL_JOB_BYTES] = {1};
    struct message plan;
    start(1);
    message_init(&plan, MESSAGE_PLAN);
    check_status(target_places_take(&places, driver(0), id, &plan, &error), HAUL_PROTOCOL);
    check(!target_places_holds(&places, driver(0)));
    target_places_fini(&places);
}

static void test_target_places_brief__two_jobs__each_sees_what_the_other_claims(void)
{
    struct target_journal journals[2];
    memset(journals, 0, sizeof(journals));
    start(2);
    check_status(take(0, 1, "a", "b"), HAUL_OK);
    target_places_brief(&places, driver(0), &journals[0]);
    check(!journals[0].beside_others);
    check_status(take(1, 2, "c", "d"), HAUL_OK);
    target_places_brief(&places, driver(1), &journals[1]);
    check(journals[1].beside_others);
    space_claim_set(&journals[0].claim, 7);
    space_claim_set(&journals[1].claim, 5);
    check_equal(space_claim_others(&journals[0].claim), 5);
    check_equal(space_claim_others(&journals[1].claim), 7);
    space_claim_set(&journals[0].claim, 3); /* some of it has arrived */
    check_equal(space_claim_others(&journals[1].claim), 3);
    target_places_leave(&places, driver(0));
    check_equal(space_claim_others(&journals[1].claim), 0);
    target_places_leave(&places, driver(1));
    target_places_fini(&places);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_places_take__one_place__the_first_has_it),
    CHECK_TEST(test_target_places_take__two_places__the_third_waits),
    CHECK_TEST(test_target_places_take__common_keys__waits),
    CHECK_TEST(test_target_places_take__same_job__waits),
    CHECK_TEST(test_target_places_take__plan_without_families__refused),
    CHECK_TEST(test_target_places_brief__two_jobs__each_sees_what_the_other_claims),
};
CHECK_MAIN("target_places", tests)
