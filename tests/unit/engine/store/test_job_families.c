/* SPDX-License-Identifier: Apache-2.0 */
/* test_job_families.c — which families must be opened for the jobs of a database. */
#include "job_families.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "failing_memory.h"
#include "job_journal.h"
#include "plan.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture;
static struct haul_error error;
static const char **names;
static size_t count;

/* A job of two families; `ends`: it was given up. */
static void leave(enum journal_role role, uint8_t number, const char *one, const char *two,
                  bool ends)
{
    const char *const families[] = {one, two};
    struct haul_source_options options = {.families = families, .family_count = 2};
    struct journal *journal = NULL;
    struct plan plan;
    bool existed = false;
    uint8_t job[HAUL_JOB_BYTES];
    memset(job, number, sizeof(job));
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    check_or_stop(job_journal_open(fixture.store, role, job, &journal, &existed, &error) ==
                  HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    if (ends) {
        check_status(job_journal_aborted(journal, HAUL_CANCELLED, "no", &error), HAUL_OK);
    }
    journal_close(journal);
    plan_fini(&plan);
}

static void start(void)
{
    static const char *const made[] = {"a", "b", "c", "d", "e"};
    rocks_fixture_open(&fixture);
    for (size_t i = 0; i < CHECK_COUNT(made); i++) {
        (void)rocks_fixture_family(&fixture, made[i]);
    }
}

static bool is_named(const char *name)
{
    bool named = false;
    for (size_t i = 0; i < count; i++) {
        named = named || strcmp(names[i], name) == 0;
    }
    return named;
}

static void test_job_families_read__no_jobs__none(void)
{
    start();
    check_status(job_families_read(fixture.path, &names, &count, &error), HAUL_OK);
    check_equal(count, 0);
    check(names[0] == NULL);
    free(names);
    rocks_fixture_close(&fixture);
}

static void test_job_families_read__jobs_that_go_on__each_family_of_a_source_once(void)
{
    start();
    leave(JOURNAL_SOURCE, 1, "a", "b", false);
    leave(JOURNAL_SOURCE, 2, "b", "c", false);
    leave(JOURNAL_SOURCE, 3, "d", "a", true);
    leave(JOURNAL_TARGET, 4, "e", "a", false);
    check_status(job_families_read(fixture.path, &names, &count, &error), HAUL_OK);
    check_equal(count, 3);
    check(is_named("a") && is_named("b") && is_named("c"));
    check(names[3] == NULL);
    free(names);
    rocks_fixture_close(&fixture);
}

/* The code that opens the job reports what is wrong with it. */
static void test_job_families_read__a_journal_is_damaged__those_of_the_others(void)
{
    char path[600];
    char name[JOURNAL_NAME_BYTES_MAX];
    uint8_t job[HAUL_JOB_BYTES];
    start();
    leave(JOURNAL_SOURCE, 1, "a", "b", false);
    leave(JOURNAL_SOURCE, 2, "c", "d", false);
    memset(job, 1, sizeof(job));
    journal_name_format(JOURNAL_SOURCE, job, name);
    (void)snprintf(path, sizeof(path), "%s/haul/%s", fixture.path, name);
    int file = open(path, O_WRONLY);
    check(file >= 0 && pwrite(file, "x", 1, 20) == 1 && close(file) == 0);
    check_status(job_families_read(fixture.path, &names, &count, &error), HAUL_OK);
    check_equal(count, 2);
    check(is_named("c") && is_named("d"));
    free(names);
    rocks_fixture_close(&fixture);
}

/* A journal that cannot be read for lack of memory is one that the code that opens the job reports,
 * too. */
static void test_job_families_read__nth_allocation_fails__no_memory_or_fewer(void)
{
    unsigned refused = 0;
    start();
    leave(JOURNAL_SOURCE, 1, "a", "b", false);
    leave(JOURNAL_SOURCE, 2, "b", "c", false);
    bool failed = true;
    for (unsigned at = 1; failed; at++) {
        names = NULL;
        failing_memory_fail(at);
        enum haul_status status = job_families_read(fixture.path, &names, &count, &error);
        failed = failing_memory_failed();
        check_status(status, status == HAUL_OK ? HAUL_OK : HAUL_NO_MEMORY);
        check(failed || count == 3);
        check((names == NULL) == (status != HAUL_OK));
        refused += status != HAUL_OK;
        free(names);
    }
    check(refused >= 5); /* three names, the list of journals, and the result */
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_job_families_read__no_jobs__none),
    CHECK_TEST(test_job_families_read__jobs_that_go_on__each_family_of_a_source_once),
    CHECK_TEST(test_job_families_read__a_journal_is_damaged__those_of_the_others),
    CHECK_TEST(test_job_families_read__nth_allocation_fails__no_memory_or_fewer),
};
CHECK_MAIN("job_families", tests)
