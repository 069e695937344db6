/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_copy.c — what a target counts for a continued job. */
#include "target_copy.h"

#include <stdlib.h>

#include "check.h"

static void test_target_copy_count_finished__goes_on__what_the_records_say(void)
{
    struct plan_family families[] = {{.metadata = false}, {.metadata = true}};
    struct plan_stream streams[] = {{.family = 0, .bytes = 10},
                                    {.family = 1, .bytes = 20},
                                    {.family = 1, .bytes = 30},
                                    {.family = 0, .bytes = 40}};
    struct stream_position positions[] = {{.digest = {.count = 1, .bytes = 5}, .finished = true},
                                          {.digest = {.count = 2, .bytes = 6}, .finished = true},
                                          {.digest = {.count = 3, .bytes = 7}},
                                          {.digest = {.count = 0}}};
    const struct target_journal journal = {
        .plan = {.families = families, .family_count = 2, .streams = streams, .stream_count = 4},
        .positions = positions,
        .delta_next_batch = 9};
    struct target_copy copy = {.journal = &journal};
    target_copy_count_finished(&copy);
    check_equal(copy.durable_records, 6);
    check_equal(copy.durable_bytes, 18);
    check_equal(copy.recorded_streams, 2);
    check_equal(copy.metadata_streams, 2);
    check_equal(copy.finished_metadata_streams, 1);
    check_equal(copy.bytes_expected, 100);
    check_equal(copy.delta_batches, 9);
    check(copy.progress_due);
    free(copy.recorded);
}

static void test_target_copy_count_finished__new_job__nothing_is_done(void)
{
    struct plan_family families[] = {{.metadata = false}};
    struct plan_stream streams[] = {{.family = 0, .bytes = 10}};
    const struct target_journal journal = {
        .plan = {.families = families, .family_count = 1, .streams = streams, .stream_count = 1}};
    struct target_copy copy = {.journal = &journal};
    target_copy_count_finished(&copy);
    check_equal(copy.durable_records + copy.durable_bytes, 0);
    check_equal(copy.recorded_streams, 0);
    check_equal(copy.bytes_expected, 10);
    free(copy.recorded);
}

/* The first job has everything; whoever joins others has a part of it, and never nothing. */
static void test_target_copy_share__jobs__parts_of_slots_and_appliers(void)
{
    const struct haul_target_options target = {.applier_count = 3, .link = {.slot_count = 16}};
    struct target_copy copy = {.target = &target};
    target_copy_share(&copy, 1);
    check_equal(copy.applier_count, 3);
    check_equal(copy.links.config.options.slot_count, 16);
    target_copy_share(&copy, 2);
    check_equal(copy.applier_count, 1);
    check_equal(copy.links.config.options.slot_count, 8);
    target_copy_share(&copy, 17);
    check_equal(copy.applier_count, 1);
    check_equal(copy.links.config.options.slot_count, 1);
    check_equal(copy.jobs, 17);
}

/* An earlier process has copied: the records say what the database owns by the job. */
static void test_target_copy_result__owns_without_a_copy__what_the_records_say(void)
{
    static struct haul_result result;
    const struct target_journal journal = {.owned = {.count = 7, .bytes = 70}};
    const struct target_copy copy = {.journal = &journal};
    result.status = HAUL_OK;
    target_copy_result(&copy, &result);
    check_equal(result.progress.records, 7);
    check_equal(result.progress.bytes, 70);
    result = (struct haul_result){.status = HAUL_CLOSED};
    target_copy_result(&copy, &result);
    check_equal(result.progress.records, 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_copy_count_finished__goes_on__what_the_records_say),
    CHECK_TEST(test_target_copy_count_finished__new_job__nothing_is_done),
    CHECK_TEST(test_target_copy_share__jobs__parts_of_slots_and_appliers),
    CHECK_TEST(test_target_copy_result__owns_without_a_copy__what_the_records_say),
};
CHECK_MAIN("target_copy", tests)
