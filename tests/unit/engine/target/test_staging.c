/* SPDX-License-Identifier: Apache-2.0 */
/* test_staging.c — the directory of table files that a job ingests. */
#include "staging.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture;
static struct haul_error error;
static char path[STAGING_PATH_BYTES_MAX];

static void start(void)
{
    rocks_fixture_open(&fixture);
    memset(&error, 0, sizeof(error));
    check_or_stop(staging_make(fixture.store, path, &error) == HAUL_OK);
}

static void put(const char *name)
{
    char file[STAGING_PATH_BYTES_MAX + 64];
    (void)snprintf(file, sizeof(file), "%s/%s", path, name);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    check_or_stop(fd >= 0);
    (void)close(fd);
}

static bool is_there(const char *name)
{
    char file[STAGING_PATH_BYTES_MAX + 64];
    (void)snprintf(file, sizeof(file), "%s/%s", path, name);
    return access(file, F_OK) == 0;
}

static void test_staging_remove__tables_and_other_files__only_tables_go(void)
{
    start();
    put("00-1.sst");
    put("notes");
    staging_remove(path, NULL);
    check(!is_there("00-1.sst") && is_there("notes"));
    rocks_fixture_close(&fixture);
}

static void test_staging_remove__tables__the_directory_goes(void)
{
    start();
    put("00-1.sst");
    staging_remove(path, NULL);
    check(access(path, F_OK) != 0);
    staging_remove("", NULL); /* none was made */
    rocks_fixture_close(&fixture);
}

static void test_staging_empty__two_jobs__the_files_of_the_other_stay(void)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {0xab, 1};
    start();
    put("ab010000000000000000000000000000-1.sst");
    put("cd010000000000000000000000000000-1.sst");
    staging_empty(path, job);
    check(!is_there("ab010000000000000000000000000000-1.sst"));
    check(is_there("cd010000000000000000000000000000-1.sst"));
    staging_empty("", job); /* none was made */
    rocks_fixture_close(&fixture);
}

static void test_staging_remove_of__two_jobs__the_files_of_the_other_stay(void)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {0xab, 1};
    start();
    put("ab010000000000000000000000000000-1.sst");
    put("cd010000000000000000000000000000-1.sst");
    check_status(staging_remove_of(fixture.store, job, &error), HAUL_OK);
    check(!is_there("ab010000000000000000000000000000-1.sst"));
    check(is_there("cd010000000000000000000000000000-1.sst"));
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_staging_remove__tables_and_other_files__only_tables_go),
    CHECK_TEST(test_staging_remove__tables__the_directory_goes),
    CHECK_TEST(test_staging_empty__two_jobs__the_files_of_the_other_stay),
    CHECK_TEST(test_staging_remove_of__two_jobs__the_files_of_the_other_stay),
};
CHECK_MAIN("staging", tests)
