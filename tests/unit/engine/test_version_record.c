/* SPDX-License-Identifier: Apache-2.0 */
/* test_version_record.c — the version in force: of the file beside a database, or of the hooks. */
#include "version_record.h"

#include <string.h>

#include "check.h"
#include "plan.h"
#include "rocks_fixture.h"

static const uint8_t job[HAUL_JOB_BYTES] = {1, 2, 3};
static const uint8_t other_job[HAUL_JOB_BYTES] = {9};
static const struct haul_hooks no_hooks;
static struct rocks_fixture fixture;
static struct plan plan;
static struct haul_error error;
static uint64_t hook_version;

static enum haul_status get_hook_version(void *context, uint64_t *version,
                                         struct haul_error *failed)
{
    (void)failed;
    *version = *(uint64_t *)context;
    return HAUL_OK;
}

static struct haul_hooks version_hooks(void)
{
    return (struct haul_hooks){.context = &hook_version, .version_get = get_hook_version};
}

static void start(void)
{
    struct haul_source_options options = {.lane = HAUL_LANE_WRITE_BATCH};
    rocks_fixture_open(&fixture);
    memset(&error, 0, sizeof(error));
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
}

static void finish(void)
{
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

static enum haul_status swap(const struct haul_hooks *hooks, enum version_outcome outcome,
                             uint64_t expected, uint64_t next)
{
    struct version_swap to = {.outcome = outcome,
                              .job = job,
                              .plan = &plan,
                              .expected = expected,
                              .next = next,
                              .epoch = 1};
    return version_record_swap(fixture.store, hooks, &to, &error);
}

static void check_version(uint64_t expected, bool expected_known)
{
    uint64_t version = UINT64_MAX;
    bool known = !expected_known;
    check_status(version_record_get(fixture.store, &no_hooks, &version, &known, &error), HAUL_OK);
    check_equal(version, expected);
    check_equal(known, expected_known);
}

static bool is_released(const uint8_t *of)
{
    bool released = false;
    check_status(version_record_released(fixture.store, of, &released, &error), HAUL_OK);
    return released;
}

static void test_version_record_get__no_file__unknown(void)
{
    start();
    check_version(0, false);
    finish();
}

static void test_version_record_get__hook__its_version(void)
{
    start();
    struct haul_hooks hooks = version_hooks();
    uint64_t version = 0;
    bool known = false;
    hook_version = 77;
    check_status(version_record_get(fixture.store, &hooks, &version, &known, &error), HAUL_OK);
    check_equal(version, 77);
    check(known);
    finish();
}

static void test_version_record_swap__released__kept_and_range_refused(void)
{
    start();
    check_status(version_record_check(fixture.store, &no_hooks, &plan, &error), HAUL_OK);
    check(!is_released(job));
    check_status(swap(&no_hooks, VERSION_RELEASED, 0, 5), HAUL_OK);
    rocks_fixture_reopen(&fixture);
    check_version(5, true);
    check(is_released(job));
    check(!is_released(other_job));
    check_status(version_record_check(fixture.store, &no_hooks, &plan, &error), HAUL_MISMATCH);
    finish();
}

static void test_version_record_swap__imported__ours_to_send(void)
{
    start();
    check_status(swap(&no_hooks, VERSION_IMPORTED, 0, 5), HAUL_OK);
    check_version(5, true);
    check(!is_released(job));
    check_status(version_record_check(fixture.store, &no_hooks, &plan, &error), HAUL_OK);
    finish();
}

static void test_version_record_swap__another_version_in_force__fenced_unchanged(void)
{
    start();
    check_status(swap(&no_hooks, VERSION_IMPORTED, 0, 5), HAUL_OK);
    check_status(swap(&no_hooks, VERSION_RELEASED, 4, 6), HAUL_FENCED);
    check_version(5, true);
    check(!is_released(job));
    finish();
}

/* The register is the embedder's: it is compared, and nothing is written beside the database. */
static void test_version_record_swap__hook__compared_no_file(void)
{
    start();
    struct haul_hooks hooks = version_hooks();
    hook_version = 5;
    check_status(swap(&hooks, VERSION_RELEASED, 5, 6), HAUL_OK);
    check_status(swap(&hooks, VERSION_RELEASED, 4, 6), HAUL_FENCED);
    check_version(0, false);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_version_record_get__no_file__unknown),
    CHECK_TEST(test_version_record_get__hook__its_version),
    CHECK_TEST(test_version_record_swap__released__kept_and_range_refused),
    CHECK_TEST(test_version_record_swap__imported__ours_to_send),
    CHECK_TEST(test_version_record_swap__another_version_in_force__fenced_unchanged),
    CHECK_TEST(test_version_record_swap__hook__compared_no_file),
};

CHECK_MAIN("version_record", tests)
