/* SPDX-License-Identifier: Apache-2.0 */
/* test_family_results.c — the families of a result, and their sum. */
#include "family_results.h"

#include <string.h>

#include "check.h"

static struct plan_family families[2];
static struct haul_result result;

static struct plan plan_of_two(void)
{
    memset(&result, 0, sizeof(result));
    memset(families, 0, sizeof(families));
    memcpy(families[0].family.name, "default", sizeof("default"));
    memcpy(families[1].family.name, "meta", sizeof("meta"));
    return (struct plan){.family_count = 2, .families = families};
}

static void test_family_results_fill__digests__each_family_and_the_sum(void)
{
    const struct plan plan = plan_of_two();
    const struct digest digests[2] = {{.count = 3, .bytes = 30}, {.count = 4, .bytes = 400}};
    const struct digest total = family_results_fill(&result, &plan, digests);
    check_equal(total.count, 7);
    check_equal(total.bytes, 430);
    check_equal(result.family_count, 2);
    check_text(result.families[0].name, "default");
    check_equal(result.families[0].records, 3);
    check_text(result.families[1].name, "meta");
    check_equal(result.families[1].bytes, 400);
}

static void test_family_results_fill__nothing_moved__names_and_zeros(void)
{
    const struct plan plan = plan_of_two();
    const struct digest total = family_results_fill(&result, &plan, NULL);
    check_equal(total.count, 0);
    check_equal(total.bytes, 0);
    check_equal(result.family_count, 2);
    check_text(result.families[1].name, "meta");
    check_equal(result.families[1].records, 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_family_results_fill__digests__each_family_and_the_sum),
    CHECK_TEST(test_family_results_fill__nothing_moved__names_and_zeros),
};
CHECK_MAIN("family_results", tests)
