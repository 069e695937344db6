/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan_sample.c — finding entities before a plan is sent, and how far the search goes. */
#include "plan_sample.h"

#include <string.h>

#include "check.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture;
static struct haul_error error;

static enum haul_status sample(const char *start, const char *end)
{
    struct plan plan;
    struct haul_range range = {text_slice(start), text_slice(end)};
    struct haul_source_options options = {
        .store = fixture.store, .ranges = &range, .range_count = 1};
    enum haul_status status = plan_make(&plan, fixture.store, &options, 0, &error);
    check_or_stop(status == HAUL_OK);
    status = plan_sample(&plan, fixture.store, NULL, &error);
    plan_fini(&plan);
    return status;
}

static void open_fixture(void)
{
    rocks_fixture_open(&fixture);
    error = (struct haul_error){0};
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("1"));
}

static void test_plan_sample__plain_values__ok(void)
{
    open_fixture();
    check_status(sample("", ""), HAUL_OK);
    rocks_fixture_close(&fixture);
}

static void test_plan_sample__entity_in_any_family__unsupported_by_key(void)
{
    open_fixture();
    uint32_t other = rocks_fixture_family(&fixture, "other");
    rocks_fixture_put_entity(&fixture, other, text_slice("b"), "name", "value");
    check_status(sample("", ""), HAUL_UNSUPPORTED);
    check(strstr(error.text, "'b'") != NULL);
    check(strstr(error.hint, "store them as plain values first") != NULL);
    rocks_fixture_close(&fixture);
}

static void test_plan_sample__entity_outside_the_range__ok(void)
{
    open_fixture();
    rocks_fixture_put_entity(&fixture, 0, text_slice("b"), "name", "value");
    check_status(sample("a", "b"), HAUL_OK);
    check_status(sample("b", "c"), HAUL_UNSUPPORTED);
    rocks_fixture_close(&fixture);
}

/* A large database is not read twice. */
static void test_plan_sample__behind_the_limit_of_bytes__not_read(void)
{
    static uint8_t value[PLAN_SAMPLE_BYTES_MAX];
    open_fixture();
    rocks_fixture_put(&fixture, 0, text_slice("b"), slice_of(value, sizeof(value)));
    rocks_fixture_put_entity(&fixture, 0, text_slice("c"), "name", "value");
    check_status(sample("", ""), HAUL_OK);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_plan_sample__plain_values__ok),
    CHECK_TEST(test_plan_sample__entity_in_any_family__unsupported_by_key),
    CHECK_TEST(test_plan_sample__entity_outside_the_range__ok),
    CHECK_TEST(test_plan_sample__behind_the_limit_of_bytes__not_read),
};

CHECK_MAIN("plan_sample", tests)
