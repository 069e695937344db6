/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_earlier.c — which earlier jobs of a source end with a new one, and which stay. */
#include "source_earlier.h"

#include <string.h>

#include "check.h"
#include "job_journal.h"
#include "rocks_fixture.h"
#include "source_journal.h"

static struct rocks_fixture source;
static struct haul_source_options options;
static struct source_journal journal;
static struct haul_error error;

/* The new job's plan, bound to the target of the job k to l. */
static void bind_range(const char *start, const char *end, const struct plan *earlier,
                       size_t told_count)
{
    const struct haul_range range = {.start = text_slice(start), .end = text_slice(end)};
    struct plan next;
    options.ranges = &range;
    check_or_stop(plan_make(&next, source.store, &options, 0, &error) == HAUL_OK);
    source_journal_init(&journal, &options);
    check_status(source_journal_find(&journal, &error), HAUL_OK);
    check_status(source_journal_bind(&journal, "id", &next, &error), HAUL_OK);
    check_equal(journal.earlier.told_count, told_count);
    check_equal(source_earlier_count_apart(&journal.earlier, &next), 1 - told_count);
    check_equal(journal_state(journal.earlier.left_over.journals[0])->phase, JOURNAL_PHASE_COPYING);
    check(plan_is_same_request(earlier, &next) == (told_count == 1 && strcmp(start, "k") == 0));
    source_journal_fini(&journal);
    plan_fini(&next);
}

static void test_source_earlier_bind__other_ranges_of_the_same_target__both_stay(void)
{
    const struct haul_range range = {.start = text_slice("k"), .end = text_slice("l")};
    struct plan plan;
    rocks_fixture_open(&source);
    options =
        (struct haul_source_options){.store = source.store, .ranges = &range, .range_count = 1};
    check_or_stop(plan_make(&plan, source.store, &options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    source_journal_init(&journal, &options);
    memset(journal.job, 3, sizeof(journal.job));
    check_status(source_journal_begin(&journal, &plan, 0, &error), HAUL_OK);
    check_status(job_journal_bind(journal.file, "id", "host:1", &error), HAUL_OK);
    source_journal_fini(&journal);
    bind_range("x", "y", &plan, 0);
    bind_range("l", "m", &plan, 0);
    bind_range("k5", "m", &plan, 1);
    bind_range("k", "l", &plan, 1);
    plan_fini(&plan);
    rocks_fixture_close(&source);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_earlier_bind__other_ranges_of_the_same_target__both_stay),
};

CHECK_MAIN("source_earlier", tests)
