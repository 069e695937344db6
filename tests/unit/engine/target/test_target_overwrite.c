/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_overwrite.c — a plan that overwrites, at a target that gave away a part of its ranges
 * and owns records beside it. */
#include "target_overwrite.h"

#include "config_version.h"
#include "target_journal_fixture.h"

/* The target has records of j, k, l and m, and gave away k and m, to different databases. */
static void start_given(void)
{
    static const char *const keys[] = {"j", "k", "l", "m"};
    start();
    for (size_t i = 0; i < CHECK_COUNT(keys); i++) {
        rocks_fixture_fill(&target, 0, keys[i], RECORD_COUNT, 10);
    }
}

static void give(const char *from, const char *to, const char *peer)
{
    const uint8_t job[HAUL_JOB_BYTES] = {(uint8_t)from[0]};
    const struct haul_hooks no_hooks = {.context = NULL};
    const struct haul_range range = {.start = text_slice(from), .end = text_slice(to)};
    const struct haul_source_options whole = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    struct plan plan;
    check_or_stop(plan_make(&plan, target.store, &whole, 0, &error) == HAUL_OK);
    const struct version_move moved = {.outcome = VERSION_RELEASED,
                                       .job = job,
                                       .peer = peer,
                                       .plan = &plan,
                                       .new_version = 1,
                                       .epoch = 1};
    check_status(config_version_move(target.store, &no_hooks, &moved, &error), HAUL_OK);
    plan_fini(&plan);
}

/* What becomes of a job that moves this with `--overwrite`. */
static enum haul_status offer(const char *from, const char *to)
{
    identity = "another/1";
    check_equal(come(9, false), JOB_UNKNOWN);
    enum haul_status status = check_range(from, to, true);
    leave();
    return status;
}

static void test_target_overwrite_check__owned_records_beside_given_ones__refused_by_key(void)
{
    static const char *const ranges[][2] = {
        {"", ""}, {"k", ""}, {"", "l"}, {"k", "m"}, {"l", "m5"}};
    start_given();
    give("k", "l", "the other");
    give("m", "n", "a third");
    uint64_t before = rocks_fixture_count(&target, "default");
    for (size_t i = 0; i < CHECK_COUNT(ranges); i++) {
        check_error(offer(ranges[i][0], ranges[i][1]), HAUL_NOT_EMPTY, error);
        check(strstr(error.text, "gave away a part of these ranges and owns the rest") != NULL);
        check(strstr(error.text, ranges[i][0][0] == '\0' ? "example 'j" : "example 'l") != NULL);
        check(strstr(error.hint, "`--prefix`") != NULL);
        check_equal(rocks_fixture_count(&target, "default"), before);
        check_equal(job_count(), 0);
    }
    finish();
}

static void test_target_overwrite_check__only_given_or_only_owned__cleared(void)
{
    static const char *const ranges[][2] = {{"k", "l"}, {"m", ""}, {"j", "k"}};
    for (size_t i = 0; i < CHECK_COUNT(ranges); i++) {
        start_given();
        give("k", "l", "the other");
        give("m", "n", "a third");
        check_status(offer(ranges[i][0], ranges[i][1]), HAUL_OK);
        check_equal(rocks_fixture_count(&target, "default"), 3 * RECORD_COUNT);
        finish();
    }
}

/* What an unfinished job has brought is not owned, and an empty range holds nothing to lose. */
static void test_target_overwrite_check__brought_by_an_unfinished_job__cleared(void)
{
    start();
    give("k", "l", "the other");
    identity = "another/1";
    check_equal(come(8, false), JOB_UNKNOWN);
    check_status(check_range("l", "m", false), HAUL_OK);
    rocks_fixture_fill(&target, 0, "l", RECORD_COUNT, 10);
    leave();
    check_status(offer("k", "m"), HAUL_OK);
    check_equal(rocks_fixture_count(&target, "default"), 0);
    finish();
}

static enum haul_status version_get(void *context, uint64_t *version, struct haul_error *failed)
{
    (void)context;
    (void)failed;
    *version = 0;
    return HAUL_OK;
}

/* The record beside the database says nothing about who owns. */
static void test_target_overwrite_check__register_of_the_embedder__not_looked_at(void)
{
    struct plan plan;
    const struct haul_source_options whole = {.lane = HAUL_LANE_WRITE_BATCH, .overwrite = true};
    start_given();
    give("k", "l", "the other");
    check_or_stop(plan_make(&plan, target.store, &whole, 0, &error) == HAUL_OK);
    check_error(target_overwrite_check(&options, &plan, NULL, 0, &error), HAUL_NOT_EMPTY, error);
    options.hooks.version_get = version_get;
    check_status(target_overwrite_check(&options, &plan, NULL, 0, &error), HAUL_OK);
    plan_fini(&plan);
    finish();
}

/* Its source may have decided: whatever a new job brings, the prepared one stays unchanged. */
static void test_target_admission_check__other_ranges_prepared__it_is_kept(void)
{
    static const bool overwrite[] = {false, true};
    for (size_t i = 0; i < CHECK_COUNT(overwrite); i++) {
        start();
        prepare_and_leave();
        check_equal(come(2, false), JOB_UNKNOWN);
        (void)check_range("m", "n", overwrite[i]);
        leave();
        check_equal(rocks_fixture_count(&target, "default"), RECORD_COUNT);
        check_equal(come(1, true), JOB_PREPARED);
        leave();
        finish();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_admission_check__other_ranges_prepared__it_is_kept),
    CHECK_TEST(test_target_overwrite_check__owned_records_beside_given_ones__refused_by_key),
    CHECK_TEST(test_target_overwrite_check__only_given_or_only_owned__cleared),
    CHECK_TEST(test_target_overwrite_check__brought_by_an_unfinished_job__cleared),
    CHECK_TEST(test_target_overwrite_check__register_of_the_embedder__not_looked_at),
};

CHECK_MAIN("target_overwrite", tests)
