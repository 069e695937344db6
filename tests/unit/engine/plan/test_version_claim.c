/* SPDX-License-Identifier: Apache-2.0 */
/* test_version_claim.c — comparing and agreeing on config versions. */
#include "version_claim.h"

#include <string.h>

#include "check.h"

static struct haul_error error;

static void test_version_claim_compare__both_authoritative_and_different__refused(void)
{
    const struct version_claim old = {4, true};
    const struct version_claim young = {5, true};
    check_error(version_claim_compare(&young, &old, &error), HAUL_VERSION, error);
    check(strstr(error.hint, "target's view is stale") != NULL);
    check_error(version_claim_compare(&old, &young, &error), HAUL_VERSION, error);
    check(strstr(error.hint, "source's view is stale") != NULL);
    check_status(version_claim_compare(&old, &old, &error), HAUL_OK);
}

static void test_version_claim_compare__a_counter_of_its_own__never_refused(void)
{
    const struct version_claim given = {4, true};
    const struct version_claim own = {77, false};
    check_status(version_claim_compare(&given, &own, &error), HAUL_OK);
    check_status(version_claim_compare(&own, &given, &error), HAUL_OK);
    check_status(version_claim_compare(&own, &own, &error), HAUL_OK);
}

/* The target can own at the version that the source proposes, whatever both sides did before. */
static void test_version_claim_next__any_two__greater_than_both_and_accepted(void)
{
    static const uint64_t versions[] = {0, 1, 2, 7, 10000, VERSION_STEP_MAX - 1};
    for (size_t i = 0; i < CHECK_COUNT(versions); i++) {
        for (size_t j = 0; j < CHECK_COUNT(versions); j++) {
            const struct version_claim source = {versions[i], false};
            const struct version_claim target = {versions[j], false};
            uint64_t next = version_claim_next(&source, &target);
            check(next > versions[i] && next > versions[j]);
            check_status(version_claim_check(&source, &target, next, &error), HAUL_OK);
        }
    }
}

static void test_version_claim_check__not_above_the_targets__version(void)
{
    const struct version_claim source = {0, false};
    const struct version_claim target = {5, false};
    check_error(version_claim_check(&source, &target, 1, &error), HAUL_VERSION, error);
    check_error(version_claim_check(&source, &target, 5, &error), HAUL_VERSION, error);
    check_status(version_claim_check(&source, &target, 6, &error), HAUL_OK);
}

/* One job cannot use up all versions that follow. */
static void test_version_claim_check__too_far__version(void)
{
    const struct version_claim source = {0, false};
    const struct version_claim boastful = {UINT64_MAX - 1, false};
    const struct version_claim given = {UINT64_MAX, true};
    const struct version_claim target = {5, false};
    check_error(version_claim_check(&source, &target, 7, &error), HAUL_VERSION, error);
    check_error(version_claim_check(&source, &target, UINT64_MAX, &error), HAUL_VERSION, error);
    check(strstr(error.hint, "give both sides the same --config-version") != NULL);
    check_error(version_claim_check(&boastful, &target, UINT64_MAX, &error), HAUL_VERSION, error);
    check_error(version_claim_check(&boastful, &target, 6 + VERSION_STEP_MAX, &error), HAUL_VERSION,
                error);
    check_status(version_claim_check(&boastful, &target, 5 + VERSION_STEP_MAX, &error), HAUL_OK);
    check_error(version_claim_check(&given, &given, UINT64_MAX, &error), HAUL_VERSION, error);
    check_equal(version_claim_next(&given, &target), UINT64_MAX);
}

/* An embedder's register may count in other units than ours. */
static void test_version_claim_check_theirs__too_far__version(void)
{
    const struct version_claim source = {5, false};
    const struct version_claim given = {5, true};
    const struct version_claim far = {5 + VERSION_STEP_MAX - 1, false};
    const struct version_claim too_far = {5 + VERSION_STEP_MAX, false};
    const struct version_claim last = {VERSION_MAX, true};
    const struct version_claim end = {UINT64_MAX, true};
    check_status(version_claim_check_theirs(&source, &far, &error), HAUL_OK);
    check_error(version_claim_check_theirs(&source, &too_far, &error), HAUL_VERSION, error);
    check_status(version_claim_check_theirs(&given, &too_far, &error), HAUL_OK);
    check_error(version_claim_check_theirs(&given, &last, &error), HAUL_VERSION, error);
    check_error(version_claim_check_theirs(&given, &end, &error), HAUL_VERSION, error);
    check(strstr(error.text, "too far from the source's 5") != NULL);
}

static void test_version_claim_check__authoritative_target_far_ahead__goes_on(void)
{
    const struct version_claim target = {VERSION_MAX - 1, true};
    check_status(version_claim_check(&target, &target, VERSION_MAX, &error), HAUL_OK);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_version_claim_compare__both_authoritative_and_different__refused),
    CHECK_TEST(test_version_claim_compare__a_counter_of_its_own__never_refused),
    CHECK_TEST(test_version_claim_next__any_two__greater_than_both_and_accepted),
    CHECK_TEST(test_version_claim_check__not_above_the_targets__version),
    CHECK_TEST(test_version_claim_check__too_far__version),
    CHECK_TEST(test_version_claim_check_theirs__too_far__version),
    CHECK_TEST(test_version_claim_check__authoritative_target_far_ahead__goes_on),
};
CHECK_MAIN("version_claim", tests)
