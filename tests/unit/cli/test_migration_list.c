/* SPDX-License-Identifier: Apache-2.0 */
/* test_migration_list.c — several migrations as one. They are fakes (--wrap). */
#include "migration_list.h"

#include <string.h>

#include "check.h"

enum { COUNT = 3 };

/* The address of each stands for a migration. */
static struct fake {
    struct haul_progress progress;
    uint8_t job;
    bool runs;
    unsigned stops;
    unsigned cancels;
} fakes[COUNT];

static struct migration_list list;

static struct fake *fake_of(const struct haul_migration *migration)
{
    return (struct fake *)(uintptr_t)migration;
}

static struct haul_migration *migration_of(size_t index)
{
    return (struct haul_migration *)(void *)&fakes[index];
}

void __wrap_haul_migration_progress(struct haul_migration *migration,
                                    struct haul_progress *progress);
void __wrap_haul_migration_progress(struct haul_migration *migration,
                                    struct haul_progress *progress)
{
    *progress = fake_of(migration)->progress;
}

size_t __wrap_haul_migration_jobs(struct haul_migration *migration, struct haul_job_progress *jobs,
                                  size_t count_max);
size_t __wrap_haul_migration_jobs(struct haul_migration *migration, struct haul_job_progress *jobs,
                                  size_t count_max)
{
    const struct fake *fake = fake_of(migration);
    if (!fake->runs || count_max == 0) {
        return 0;
    }
    jobs[0] = (struct haul_job_progress){.job = {fake->job}};
    return 1;
}

enum haul_status __wrap_haul_migration_cancel_job(struct haul_migration *migration,
                                                  const uint8_t job[HAUL_JOB_BYTES]);
enum haul_status __wrap_haul_migration_cancel_job(struct haul_migration *migration,
                                                  const uint8_t job[HAUL_JOB_BYTES])
{
    struct fake *fake = fake_of(migration);
    if (!fake->runs || fake->job != job[0]) {
        return HAUL_NOT_FOUND;
    }
    fake->cancels++;
    return HAUL_OK;
}

void __wrap_haul_migration_stop(struct haul_migration *migration);
void __wrap_haul_migration_stop(struct haul_migration *migration)
{
    fake_of(migration)->stops++;
}

void __wrap_haul_migration_cancel(struct haul_migration *migration);
void __wrap_haul_migration_cancel(struct haul_migration *migration)
{
    fake_of(migration)->cancels++;
}

static void begin(void)
{
    memset(fakes, 0, sizeof(fakes));
    memset(&list, 0, sizeof(list));
    for (size_t i = 0; i < COUNT; i++) {
        fakes[i] = (struct fake){.runs = true, .job = (uint8_t)(i + 1)};
        migration_list_add_source(&list, migration_of(i));
    }
}

static void test_migration_list_progress__three__sums_and_the_phase_of_the_first(void)
{
    struct haul_progress all;
    begin();
    fakes[0].progress = (struct haul_progress){.phase = HAUL_PHASE_FROZEN,
                                               .records = 1,
                                               .bytes = 10,
                                               .bytes_expected = 100,
                                               .pinned_log_bytes = 7,
                                               .seconds = 3};
    fakes[1].progress = (struct haul_progress){.phase = HAUL_PHASE_COPYING,
                                               .records = 2,
                                               .bytes = 20,
                                               .bytes_expected = 200,
                                               .pinned_log_bytes = 9,
                                               .rounds = 2,
                                               .seconds = 2};
    migration_list_progress(&list, &all);
    check_equal(all.phase, HAUL_PHASE_FROZEN);
    check_equal(all.records, 3);
    check_equal(all.bytes, 30);
    check_equal(all.bytes_expected, 300);
    check_equal(all.pinned_log_bytes, 9); /* of one database */
    check_equal(all.rounds, 2);
    check(all.seconds == 3);
    list.count = 0;
    migration_list_progress(&list, &all);
    check_equal(all.phase, HAUL_PHASE_CONNECTING);
}

static void test_migration_list_jobs__less_room_than_jobs__the_first(void)
{
    struct haul_job_progress jobs[COUNT];
    begin();
    check_equal(migration_list_jobs(&list, jobs, COUNT), COUNT);
    check_equal(jobs[2].job[0], 3);
    check_equal(migration_list_jobs(&list, jobs, 2), 2);
}

static void test_migration_list_cancel_job__one__the_others_go_on(void)
{
    begin();
    check(migration_list_cancel_job(&list, (uint8_t[HAUL_JOB_BYTES]){2}));
    check_equal(fakes[0].cancels + fakes[2].cancels, 0);
    check_equal(fakes[1].cancels, 1);
    check(!migration_list_cancel_job(&list, (uint8_t[HAUL_JOB_BYTES]){9}));
    migration_list_cancel(&list);
    check_equal(fakes[0].cancels, 1);
    check_equal(fakes[1].cancels, 2);
    migration_list_stop(&list);
    check_equal(fakes[2].stops, 1);
}

/* A client must not hear that it is gone before it is known how it has ended. */
static void test_migration_list_runs__source_has_ended__until_it_is_removed(void)
{
    const uint8_t second[HAUL_JOB_BYTES] = {2};
    begin();
    fakes[1].runs = false;
    check(migration_list_runs(&list, second));
    migration_list_remove(&list, migration_of(1));
    check(!migration_list_runs(&list, second));
    check_equal(list.count, COUNT - 1);
    check(list.items[1] == migration_of(2));
    check(migration_list_runs(&list, (uint8_t[HAUL_JOB_BYTES]){3}));
}

/* Its jobs come and go. */
static void test_migration_list_of__target__runs_what_it_runs_now(void)
{
    const uint8_t first[HAUL_JOB_BYTES] = {1};
    begin();
    const struct migration_list target = migration_list_of(migration_of(0));
    check(migration_list_runs(&target, first));
    fakes[0].runs = false;
    check(!migration_list_runs(&target, first));
    check_equal(migration_list_of(NULL).count, 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_migration_list_progress__three__sums_and_the_phase_of_the_first),
    CHECK_TEST(test_migration_list_jobs__less_room_than_jobs__the_first),
    CHECK_TEST(test_migration_list_cancel_job__one__the_others_go_on),
    CHECK_TEST(test_migration_list_runs__source_has_ended__until_it_is_removed),
    CHECK_TEST(test_migration_list_of__target__runs_what_it_runs_now),
};
CHECK_MAIN("migration_list", tests)
