/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_links.c — second names and copies of log files: haul removes only what it made. */
#include "log_links.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "log_rescue.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture; /* only its directory */
static unsigned sync_count;          /* of the list */
static unsigned early_count;         /* second names that were made before the list was durable */

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    char name[64];
    char path[512] = "";
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    (void)!readlink(name, path, sizeof(path) - 1);
    sync_count += strstr(path, "/log-links") != NULL ? 1 : 0;
    return __real_fsync(fd);
}

int __real_linkat(int from, const char *name, int to, const char *new_name, int flags);
int __wrap_linkat(int from, const char *name, int to, const char *new_name, int flags);
int __wrap_linkat(int from, const char *name, int to, const char *new_name, int flags)
{
    early_count += sync_count == 0 ? 1 : 0;
    return __real_linkat(from, name, to, new_name, flags);
}
static struct haul_error error;

static void path_of(char path[512], const char *name)
{
    (void)snprintf(path, 512, "%s/%s", fixture.path, name);
}

static void make_file(const char *name, const char *text)
{
    char path[512];
    path_of(path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    check_or_stop(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
}

static void make_directory(const char *name)
{
    char path[512];
    path_of(path, name);
    check_or_stop(mkdir(path, 0755) == 0);
}

static bool is_there(const char *name)
{
    char path[512];
    path_of(path, name);
    return access(path, F_OK) == 0;
}

static void check_content(const char *name, const char *expected)
{
    char path[512];
    char text[64] = "";
    path_of(path, name);
    FILE *file = fopen(path, "re");
    check_or_stop(file != NULL);
    check(fgets(text, sizeof(text), file) != NULL);
    (void)fclose(file);
    check_text(text, expected);
}

static void begin(void)
{
    rocks_fixture_make_directory(&fixture);
    error = (struct haul_error){0};
    make_file("000004.log", "four");
    make_file("000007.log", "seven");
    make_file("LOG", "no log");
}

static void make_links(void)
{
    check_status(log_links_make(fixture.path, fixture.path, NULL, &error), HAUL_OK);
}

static void test_log_links__made_and_dropped__nothing_is_left(void)
{
    begin();
    make_links();
    check(log_links_exist(fixture.path));
    check_content("archive/000004.log", "four");
    check_content("archive/000007.log", "seven");
    check(!is_there("archive/LOG"));
    log_links_drop(fixture.path, fixture.path, false);
    check(!is_there("archive") && !is_there("haul"));
    check_content("000004.log", "four");
    rocks_fixture_close(&fixture);
}

static unsigned mode_of(const char *name)
{
    char path[512];
    struct stat found;
    path_of(path, name);
    check_or_stop(lstat(path, &found) == 0);
    return found.st_mode & 07777;
}

static void test_log_links_make__umask_of_nothing__the_owners_alone(void)
{
    begin();
    mode_t before = umask(0);
    make_links();
    (void)umask(before);
    check_equal(mode_of("haul"), 0700);
    check_equal(mode_of("haul/log-links"), 0600);
    log_links_drop(fixture.path, fixture.path, false);
    rocks_fixture_close(&fixture);
}

/* A link that somebody has planted is not followed. */
static void test_log_links_make__link_at_the_list__refused(void)
{
    char path[512];
    begin();
    make_directory("haul");
    path_of(path, "haul/log-links");
    check_equal(symlink("../LOG", path), 0);
    check(log_links_make(fixture.path, fixture.path, NULL, &error) != HAUL_OK);
    check_content("LOG", "no log");
    check(!is_there("archive"));
    rocks_fixture_close(&fixture);
}

static void test_log_links_drop__archive_of_the_owner__stays(void)
{
    begin();
    make_directory("archive");
    make_file("archive/000003.log", "three");
    make_file("archive/000004.log", "his own");
    make_links();
    check_content("archive/000004.log", "his own");
    log_links_drop(fixture.path, fixture.path, false);
    check_content("archive/000003.log", "three");
    check_content("archive/000004.log", "his own");
    check(!is_there("archive/000007.log"));
    check(!log_links_exist(fixture.path));
    rocks_fixture_close(&fixture);
}

static void test_log_links_make__again_with_a_new_log__both_go(void)
{
    begin();
    make_links();
    make_file("000009.log", "nine");
    make_links();
    check_content("archive/000009.log", "nine");
    log_links_drop(fixture.path, fixture.path, false);
    check(!is_there("archive"));
    rocks_fixture_close(&fixture);
}

static void test_log_links_drop__forget__names_stay(void)
{
    begin();
    make_links();
    log_links_drop(fixture.path, fixture.path, true);
    check(!log_links_exist(fixture.path));
    check_content("archive/000004.log", "four");
    rocks_fixture_close(&fixture);
}

/* What an interrupted job needs is kept even if other files cannot be. */
static void test_log_links_make__new_log_cannot_be_linked__earlier_links_stay(void)
{
    begin();
    make_links();
    make_directory("000009.log"); /* which no file system can link */
    make_file("000008.log", "eight");
    make_links();
    check_content("archive/000004.log", "four");
    check_content("archive/000007.log", "seven");
    check(!is_there("archive/000008.log") && !is_there("archive/000009.log"));
    check_content("haul/log-links", "archive\n");
    log_links_drop(fixture.path, fixture.path, false);
    check(!is_there("archive") && !is_there("haul"));
    rocks_fixture_close(&fixture);
}

static void test_log_links_make__first_log_cannot_be_linked__nothing_is_left(void)
{
    begin();
    make_directory("000009.log");
    make_links();
    check(!is_there("archive") && !is_there("haul"));
    rocks_fixture_close(&fixture);
}

/* --- copies ----------------------------------------------------------------------------------- */

static void rescue(const char *expected)
{
    char copy[512];
    check_status(log_rescue(fixture.path, fixture.path, copy, sizeof(copy), &error), HAUL_OK);
    check(strstr(copy, expected) != NULL);
}

static void test_log_rescue__same_log_again__one_copy_that_is_completed(void)
{
    begin();
    rescue("/haul/damaged-log-1");
    check_content("haul/damaged-log-1/000004.log", "four");
    check_content("haul/damaged-log-1/000007.log", "seven");
    check(!is_there("haul/damaged-log-1/LOG"));
    make_file("000009.log", "nine");
    rescue("/haul/damaged-log-1");
    check_content("haul/damaged-log-1/000009.log", "nine");
    rescue("/haul/damaged-log-1");
    check(!is_there("haul/damaged-log-2"));
    rocks_fixture_close(&fixture);
}

static void test_log_rescue__another_log__another_copy(void)
{
    char path[512];
    begin();
    rescue("/haul/damaged-log-1");
    path_of(path, "000007.log");
    check_equal(truncate(path, 2), 0);
    rescue("/haul/damaged-log-2");
    check_content("haul/damaged-log-1/000007.log", "seven");
    check_content("haul/damaged-log-2/000007.log", "se");
    rocks_fixture_close(&fixture);
}

static void test_log_rescue__completed_in_vain__the_copy_stays(void)
{
    char copy[512];
    begin();
    rescue("/haul/damaged-log-1");
    make_directory("000008.log");
    check_error(log_rescue(fixture.path, fixture.path, copy, sizeof(copy), &error), HAUL_IO, error);
    check_content("haul/damaged-log-1/000004.log", "four");
    check(!is_there("haul/damaged-log-1/000008.log"));
    rocks_fixture_close(&fixture);
}

static void test_log_rescue__log_that_cannot_be_read__io_and_nothing_left(void)
{
    char copy[512];
    begin();
    make_directory("000008.log"); /* reading it returns EISDIR */
    check_error(log_rescue(fixture.path, fixture.path, copy, sizeof(copy), &error), HAUL_IO, error);
    check(!is_there("haul/damaged-log-1"));
    rocks_fixture_close(&fixture);
}

/* After a crash the list shows which names are ours. */
static void test_log_links_make__list__durable_before_the_first_name(void)
{
    begin();
    sync_count = 0;
    early_count = 0;
    make_links();
    check(is_there("archive/000004.log"));
    check(sync_count > 0);
    check_equal(early_count, 0);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_log_links_make__list__durable_before_the_first_name),
    CHECK_TEST(test_log_links__made_and_dropped__nothing_is_left),
    CHECK_TEST(test_log_links_make__umask_of_nothing__the_owners_alone),
    CHECK_TEST(test_log_links_make__link_at_the_list__refused),
    CHECK_TEST(test_log_links_drop__archive_of_the_owner__stays),
    CHECK_TEST(test_log_links_make__again_with_a_new_log__both_go),
    CHECK_TEST(test_log_links_drop__forget__names_stay),
    CHECK_TEST(test_log_links_make__new_log_cannot_be_linked__earlier_links_stay),
    CHECK_TEST(test_log_links_make__first_log_cannot_be_linked__nothing_is_left),
    CHECK_TEST(test_log_rescue__same_log_again__one_copy_that_is_completed),
    CHECK_TEST(test_log_rescue__another_log__another_copy),
    CHECK_TEST(test_log_rescue__completed_in_vain__the_copy_stays),
    CHECK_TEST(test_log_rescue__log_that_cannot_be_read__io_and_nothing_left),
};

CHECK_MAIN("log_links", tests)
