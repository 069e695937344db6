/* SPDX-License-Identifier: Apache-2.0 */
/* test_version_record.c — the version in force: of the file beside a database, or of the hooks. */
#include "version_record.h"

#include <string.h>

#include "check.h"
#include "fake_disk.h"
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

/* --- a swap that was in doubt ----------------------------------------------------------------- */

enum { SEED_COUNT = 20, SWEEP_CALLS_MAX = 200 };

static struct fake_disk disk;

static const char *disk_directory(const struct haul_store *store)
{
    (void)store;
    return "/db";
}

static const struct file_calls *disk_files(const struct haul_store *store)
{
    (void)store;
    return &disk.calls;
}

static const struct haul_store_ops disk_ops = {.directory = disk_directory, .files = disk_files};
static struct haul_store on_disk = {.ops = &disk_ops};

/* Call number `call` of the swap fails. True: it was in doubt, is settled, and the power fails. */
static bool settle_after(unsigned call)
{
    const struct version_swap to = {
        .outcome = VERSION_RELEASED, .job = job, .plan = &plan, .next = 1, .epoch = 1};
    fake_disk_fail(&disk, call, false);
    enum haul_status status = version_record_swap(&on_disk, &no_hooks, &to, &error);
    fake_disk_fail(&disk, 0, false);
    if (status != HAUL_IN_DOUBT) {
        return false;
    }
    check_status(version_record_settle(&on_disk, &error), HAUL_OK);
    fake_disk_crash(&disk);
    return true;
}

static void test_version_record_settle__swap_in_doubt_then_power_lost__released(void)
{
    unsigned doubts = 0;
    start();
    for (unsigned call = 1; call < SWEEP_CALLS_MAX; call++) {
        for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
            bool released = false;
            fake_disk_init(&disk, seed);
            if (settle_after(call)) {
                check_status(version_record_released(&on_disk, job, &released, &error), HAUL_OK);
                check(released);
                doubts++;
            }
            fake_disk_fini(&disk);
        }
    }
    check(doubts > 0);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_version_record_get__no_file__unknown),
    CHECK_TEST(test_version_record_get__hook__its_version),
    CHECK_TEST(test_version_record_swap__released__kept_and_range_refused),
    CHECK_TEST(test_version_record_swap__imported__ours_to_send),
    CHECK_TEST(test_version_record_swap__another_version_in_force__fenced_unchanged),
    CHECK_TEST(test_version_record_swap__hook__compared_no_file),
    CHECK_TEST(test_version_record_settle__swap_in_doubt_then_power_lost__released),
};

CHECK_MAIN("version_record", tests)
