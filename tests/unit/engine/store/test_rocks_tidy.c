/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_tidy.c — what a closed or crashed source leaves beside its database: the second names
 * of its log stay as long as one of its jobs can continue. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "database_lock.h"
#include "instance.h"
#include "job_journal.h"
#include "log_links.h"
#include "plan.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"

static struct rocks_fixture fixture;
static struct haul_error error;

/* A database with records in its log. */
static void start(void)
{
    rocks_fixture_open(&fixture);
    rocks_fixture_put(&fixture, 0, text_slice("key"), text_slice("value"));
    haul_store_close(fixture.store);
    fixture.store = NULL;
}

static void open_source(bool read_only)
{
    struct haul_rocks_options options = {.read_only = read_only, .keep_log = true};
    check_or_stop(haul_rocks_store_open(fixture.path, &options, &fixture.store, &error) == HAUL_OK);
}

static void close_source(void)
{
    haul_store_close(fixture.store);
    fixture.store = NULL;
}

/* Valid until the next call. */
static const char *path_of(const char *name)
{
    static char path[600];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
    return path;
}

static bool is_there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static void make_folder(void)
{
    check_or_stop(mkdir(path_of("haul"), 0755) == 0);
}

static void make(const char *name)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT, 0644);
    check_or_stop(fd >= 0);
    check_equal(close(fd), 0);
}

/* The number of log files in the archive. */
static size_t kept_count(void)
{
    DIR *directory = opendir(path_of("archive"));
    const struct dirent *entry;
    size_t count = 0;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        count += strstr(entry->d_name, ".log") != NULL;
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return count;
}

static struct journal *begin(enum journal_role role)
{
    struct haul_source_options options = {.store = fixture.store};
    struct journal *journal = NULL;
    struct plan plan;
    bool existed = false;
    const uint8_t job[HAUL_JOB_BYTES] = {(uint8_t)role, 2, 3};
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    check_or_stop(job_journal_open(fixture.store, role, job, &journal, &existed, &error) ==
                  HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    plan_fini(&plan);
    return journal;
}

static void test_rocks_tidy__no_job__names_list_and_folder_are_gone(void)
{
    for (int read_only = 0; read_only < 2; read_only++) {
        start();
        open_source(read_only != 0);
        check(log_links_exist(fixture.path));
        check(kept_count() > 0);
        close_source();
        check(!log_links_exist(fixture.path));
        check_equal(kept_count(), 0);
        check(!is_there("haul"));
        check(is_there("LOCK"));
        rocks_fixture_close(&fixture);
    }
}

static void test_rocks_tidy__a_job_of_the_source_goes_on__names_stay(void)
{
    start();
    open_source(false);
    journal_close(begin(JOURNAL_SOURCE));
    close_source();
    check(log_links_exist(fixture.path));
    check(kept_count() > 0);
    haul_rocks_store_tidy(fixture.path);
    check(log_links_exist(fixture.path));
    check(kept_count() > 0);
    rocks_fixture_close(&fixture);
}

static void test_rocks_tidy__the_job_is_over__names_are_gone(void)
{
    static const enum journal_type ends[] = {JOURNAL_ABORTED, JOURNAL_RELEASED};
    for (size_t i = 0; i < CHECK_COUNT(ends); i++) {
        start();
        open_source(false);
        struct journal *journal = begin(JOURNAL_SOURCE);
        if (ends[i] == JOURNAL_ABORTED) {
            check_status(job_journal_aborted(journal, HAUL_CANCELLED, "no", &error), HAUL_OK);
        } else {
            check_status(job_journal_decide_late(journal, 0, 1, &error), HAUL_OK);
            check_status(job_journal_mark(journal, JOURNAL_RELEASED, true, &error), HAUL_OK);
        }
        journal_close(journal);
        close_source();
        check(!log_links_exist(fixture.path));
        check_equal(kept_count(), 0);
        check(is_there("haul")); /* with the journal */
        rocks_fixture_close(&fixture);
    }
}

static void test_rocks_tidy__only_a_target_has_a_job__names_are_gone(void)
{
    start();
    open_source(false);
    journal_close(begin(JOURNAL_TARGET));
    close_source();
    check(!log_links_exist(fixture.path));
    check_equal(kept_count(), 0);
    rocks_fixture_close(&fixture);
}

static void test_rocks_tidy__database_archives_its_log__no_names_and_its_archive_stays(void)
{
    const struct foreign_database archives = {.wal_ttl_seconds = 3600};
    rocks_fixture_make_directory(&fixture);
    rocks_foreign_make(fixture.path, &archives);
    open_source(false);
    check(!log_links_exist(fixture.path));
    close_source();
    size_t count = kept_count();
    make_folder();
    make("haul/log-links"); /* of an open before the owner chose to archive */
    open_source(false);
    journal_close(begin(JOURNAL_SOURCE));
    close_source();
    check(!log_links_exist(fixture.path));
    check(kept_count() >= count);
    rocks_fixture_close(&fixture);
}

/* --- the folder ------------------------------------------------------------------------------- */

static void test_rocks_tidy__instance_of_a_refused_source__gone_unless_it_was_there(void)
{
    char name[HAUL_IDENTITY_BYTES_MAX];
    start();
    open_source(false);
    check_status(instance_begin(fixture.store, name, &error), HAUL_OK);
    close_source();
    check(!is_there("haul"));
    open_source(false);
    check_status(instance_begin(fixture.store, name, &error), HAUL_OK);
    make("haul/other");
    close_source();
    check(is_there("haul/instance"));
    check_or_stop(unlink(path_of("haul/other")) == 0);
    open_source(false);
    close_source();
    check(is_there("haul/instance"));
    rocks_fixture_close(&fixture);
}

static void test_rocks_tidy__instance_of_a_receiver__stays(void)
{
    char name[HAUL_IDENTITY_BYTES_MAX];
    start();
    struct haul_rocks_options options = {.create_if_missing = true};
    check_or_stop(haul_rocks_store_open(fixture.path, &options, &fixture.store, &error) == HAUL_OK);
    check_status(instance_begin(fixture.store, name, &error), HAUL_OK);
    close_source();
    check(is_there("haul/instance"));
    rocks_fixture_close(&fixture);
}

static void test_rocks_tidy__directory_was_moved__nothing_in_the_new_one_changes(void)
{
    char moved[300];
    start();
    open_source(false);
    (void)snprintf(moved, sizeof(moved), "%s-moved", fixture.path);
    check_or_stop(rename(fixture.path, moved) == 0);
    check_or_stop(mkdir(fixture.path, 0755) == 0);
    make("LOCK");
    make_folder();
    close_source();
    check(is_there("LOCK"));
    check(is_there("haul"));
    rocks_fixture_close(&fixture);
    (void)snprintf(fixture.path, sizeof(fixture.path), "%.250s", moved);
    rocks_fixture_close(&fixture);
}

/* --- after a crash ---------------------------------------------------------------------------- */

/* The source's process ended while it had the database open. */
static void crash(void)
{
    struct haul_error ignored;
    check_or_stop(log_links_make(fixture.path, fixture.path, NULL, &ignored) == HAUL_OK);
    check_or_stop(kept_count() > 0);
}

static void test_haul_rocks_store_tidy__left_by_a_crash__gone(void)
{
    struct database_lock lock = {.fd = -1};
    start();
    crash();
    haul_rocks_store_tidy(fixture.path);
    check(!log_links_exist(fixture.path));
    check_equal(kept_count(), 0);
    check(!is_there("haul"));
    check(is_there("LOCK"));
    check_status(database_lock_acquire(fixture.path, &lock, &error), HAUL_OK);
    database_lock_release(&lock, fixture.path, true);
    rocks_fixture_close(&fixture);
}

static void test_haul_rocks_store_tidy__database_in_use__nothing_changes(void)
{
    struct database_lock lock = {.fd = -1};
    start();
    crash();
    check_or_stop(database_lock_acquire(fixture.path, &lock, &error) == HAUL_OK);
    haul_rocks_store_tidy(fixture.path);
    database_lock_release(&lock, fixture.path, true);
    check(log_links_exist(fixture.path));
    check(kept_count() > 0);
    rocks_fixture_close(&fixture);
}

static void test_haul_rocks_store_tidy__nothing_left__makes_no_lock_file(void)
{
    rocks_fixture_make_directory(&fixture);
    haul_rocks_store_tidy(fixture.path);
    check(!is_there("LOCK"));
    rocks_fixture_close(&fixture);
}

static void test_haul_rocks_store_tidy__no_database_there__list_stays(void)
{
    rocks_fixture_make_directory(&fixture);
    make_folder();
    make("haul/log-links");
    haul_rocks_store_tidy(fixture.path);
    check(log_links_exist(fixture.path));
    rocks_fixture_close(&fixture);
}

static void test_haul_rocks_store_tidy__owner_archives__only_the_list_is_gone(void)
{
    const struct foreign_database archives = {.wal_ttl_seconds = 3600};
    rocks_fixture_make_directory(&fixture);
    rocks_foreign_make(fixture.path, &archives);
    crash();
    size_t count = kept_count();
    haul_rocks_store_tidy(fixture.path);
    check(!log_links_exist(fixture.path));
    check_equal(kept_count(), count);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_tidy__no_job__names_list_and_folder_are_gone),
    CHECK_TEST(test_rocks_tidy__a_job_of_the_source_goes_on__names_stay),
    CHECK_TEST(test_rocks_tidy__the_job_is_over__names_are_gone),
    CHECK_TEST(test_rocks_tidy__only_a_target_has_a_job__names_are_gone),
    CHECK_TEST(test_rocks_tidy__database_archives_its_log__no_names_and_its_archive_stays),
    CHECK_TEST(test_rocks_tidy__instance_of_a_refused_source__gone_unless_it_was_there),
    CHECK_TEST(test_rocks_tidy__instance_of_a_receiver__stays),
    CHECK_TEST(test_rocks_tidy__directory_was_moved__nothing_in_the_new_one_changes),
    CHECK_TEST(test_haul_rocks_store_tidy__left_by_a_crash__gone),
    CHECK_TEST(test_haul_rocks_store_tidy__database_in_use__nothing_changes),
    CHECK_TEST(test_haul_rocks_store_tidy__nothing_left__makes_no_lock_file),
    CHECK_TEST(test_haul_rocks_store_tidy__no_database_there__list_stays),
    CHECK_TEST(test_haul_rocks_store_tidy__owner_archives__only_the_list_is_gone),
};
CHECK_MAIN("rocks_tidy", tests)
