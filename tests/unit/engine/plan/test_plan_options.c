/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan_options.c — sets of options in plans, over the wire and back, and their differences. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "family_options.h"
#include "option_report.h"
#include "plan_options.h"
#include "rocks_fixture.h"

static struct plan plan;
static struct plan received;
static struct message message;
static struct haul_error error;
static const char *texts[4];

static enum haul_status say_options(struct haul_store *store, uint32_t family_id, char **options,
                                    struct haul_error *ignored)
{
    (void)store;
    (void)ignored;
    *options = strdup(texts[family_id]);
    return HAUL_OK;
}

/* A plan of `count` families with the options `texts`, and its message. */
static void make_plan(size_t count)
{
    static const struct haul_store_ops ops = {.family_options = say_options};
    struct haul_store store = {&ops};
    memset(&plan, 0, sizeof(plan));
    memset(&received, 0, sizeof(received));
    plan.families = calloc(count, sizeof(*plan.families));
    received.families = calloc(count, sizeof(*received.families));
    check_or_stop(plan.families != NULL && received.families != NULL);
    plan.family_count = received.family_count = count;
    for (size_t i = 0; i < count; i++) {
        plan.families[i].family.id = (uint32_t)i;
    }
    check_or_stop(plan_options_read(&plan, &store, &error) == HAUL_OK);
    message_init(&message, MESSAGE_PLAN);
    message.as.plan.families = calloc(count, sizeof(*message.as.plan.families));
    message.as.plan.families_count = (pb_size_t)count;
    check_or_stop(plan_options_put(&plan, &message.as.plan) == HAUL_OK);
}

static void close_plan(void)
{
    message_release(&message);
    plan_fini(&plan);
    plan_fini(&received);
}

static void test_plan_options__families_alike__one_set_for_them(void)
{
    texts[0] = "a=1\n";
    texts[1] = "";
    texts[2] = "a=2\n";
    texts[3] = "a=1\n";
    make_plan(4);
    check_equal(message.as.plan.option_sets_count, 2);
    check_status(plan_options_take(&received, &message.as.plan, &error), HAUL_OK);
    check_text(plan_options_of(&received, 0), "a=1\n");
    check(plan_options_of(&received, 1) == NULL);
    check_text(plan_options_of(&received, 2), "a=2\n");
    check(plan_options_of(&received, 3) == plan_options_of(&received, 0));
    close_plan();
}

static void test_plan_options_put__set_too_long__left_out(void)
{
    char *text = calloc(1, PLAN_OPTION_SET_BYTES_MAX + 2);
    memset(text, 'x', PLAN_OPTION_SET_BYTES_MAX + 1);
    texts[0] = "a=1\n";
    texts[1] = text;
    make_plan(2);
    check_equal(message.as.plan.option_sets_count, 1);
    check_equal(message.as.plan.families[1].option_set, 0);
    check_status(plan_options_take(&received, &message.as.plan, &error), HAUL_OK);
    check(plan_options_of(&received, 1) == NULL);
    close_plan();
    free(text);
}

static void test_plan_options_take__set_that_is_not_there__protocol(void)
{
    texts[0] = "a=1\n";
    make_plan(1);
    message.as.plan.families[0].option_set = 2;
    check_error(plan_options_take(&received, &message.as.plan, &error), HAUL_PROTOCOL, error);
    close_plan();
}

static void test_plan_options_take__more_sets_than_families__protocol(void)
{
    texts[0] = "a=1\n";
    texts[1] = "a=2\n";
    make_plan(2);
    received.family_count = 1;
    check_error(plan_options_take(&received, &message.as.plan, &error), HAUL_PROTOCOL, error);
    check_equal(received.option_set_count, 0);
    close_plan();
}

static void test_plan_options_take__set_too_long__protocol(void)
{
    texts[0] = "a=1\n";
    make_plan(1);
    free(message.as.plan.option_sets[0]);
    message.as.plan.option_sets[0] = calloc(1, PLAN_OPTION_SET_BYTES_MAX + 2);
    memset(message.as.plan.option_sets[0], 'x', PLAN_OPTION_SET_BYTES_MAX + 1);
    check_error(plan_options_take(&received, &message.as.plan, &error), HAUL_PROTOCOL, error);
    close_plan();
}

/* --- differences ------------------------------------------------------------------------------ */

static void test_option_report__values_that_differ__over_the_wire(void)
{
    struct option_report report = {.items = NULL};
    struct option_report taken = {.items = NULL};
    haul_control_PlanAccepted accepted = {0};
    option_report_add(&report, "one", "a=1\nb=2\nonly_theirs=3\n", "b=3\na=1\nonly_ours=4\n");
    option_report_add(&report, "two", "a=1\n", "a=\n");
    option_report_put(&report, &accepted);
    option_report_take(&taken, &accepted);
    check_equal(taken.count, 2);
    check_text(taken.items[0].family, "one");
    check_text(taken.items[0].name, "b");
    check_text(taken.items[0].source, "2");
    check_text(taken.items[0].target, "3");
    check_text(taken.items[1].target, "");
    free(accepted.option_differences);
    option_report_fini(&report);
    option_report_fini(&taken);
}

static void test_option_report__more_than_there_is_room_for__counted(void)
{
    struct option_report report = {.items = NULL};
    struct option_report taken = {.items = NULL};
    haul_control_PlanAccepted accepted = {0};
    for (int i = 0; i < HAUL_OPTION_DIFFERENCES_MAX + 5; i++) {
        option_report_add(&report, "f", "a=1\n", "a=2\n");
    }
    option_report_put(&report, &accepted);
    option_report_take(&taken, &accepted);
    check_equal(taken.count, HAUL_OPTION_DIFFERENCES_MAX);
    check_equal(taken.total, HAUL_OPTION_DIFFERENCES_MAX + 5);
    free(accepted.option_differences);
    option_report_fini(&report);
    option_report_fini(&taken);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_plan_options__families_alike__one_set_for_them),
    CHECK_TEST(test_plan_options_put__set_too_long__left_out),
    CHECK_TEST(test_plan_options_take__set_that_is_not_there__protocol),
    CHECK_TEST(test_plan_options_take__more_sets_than_families__protocol),
    CHECK_TEST(test_plan_options_take__set_too_long__protocol),
    CHECK_TEST(test_option_report__values_that_differ__over_the_wire),
    CHECK_TEST(test_option_report__more_than_there_is_room_for__counted),
};

CHECK_MAIN("plan_options", tests)
