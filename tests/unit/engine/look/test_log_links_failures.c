/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_links_failures.c — each system call fails in turn while the log gets its second names:
 * the job is told, and nothing is left, or what a job before it had kept. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "log_links.h"
#include "plain_file.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture; /* only its directory */
static struct haul_error error;
static unsigned call_count;
static unsigned fail_at; /* the call that fails, from 1; 0: none */
static int link_errno;   /* of every linkat; 0: it works */

static bool fails(void)
{
    call_count++;
    errno = EIO;
    return call_count == fail_at;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return fails() ? -1 : __real_fsync(fd);
}

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    return fails() ? -1 : __real_mkdir(path, mode);
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
    return fails() ? NULL : __real_opendir(path);
}

int __real_plain_file_open(const char *path, int flags, unsigned mode);
int __wrap_plain_file_open(const char *path, int flags, unsigned mode);
int __wrap_plain_file_open(const char *path, int flags, unsigned mode)
{
    return fails() ? -1 : __real_plain_file_open(path, flags, mode);
}

off_t __real_lseek(int fd, off_t offset, int whence);
off_t __wrap_lseek(int fd, off_t offset, int whence);
off_t __wrap_lseek(int fd, off_t offset, int whence)
{
    return fails() ? -1 : __real_lseek(fd, offset, whence);
}

int __wrap_dprintf(int fd, const char *format, ...);
int __wrap_dprintf(int fd, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = fails() ? -1 : vdprintf(fd, format, arguments);
    va_end(arguments);
    return written;
}

int __real_linkat(int from, const char *name, int to, const char *new_name, int flags);
int __wrap_linkat(int from, const char *name, int to, const char *new_name, int flags);
int __wrap_linkat(int from, const char *name, int to, const char *new_name, int flags)
{
    if (fails()) {
        return -1;
    }
    errno = link_errno;
    return link_errno != 0 ? -1 : __real_linkat(from, name, to, new_name, flags);
}

/* --- files ------------------------------------------------------------------------------------ */

static void path_of(char path[512], const char *name)
{
    (void)snprintf(path, 512, "%s/%s", fixture.path, name);
}

static void make_file(const char *name)
{
    char path[512];
    path_of(path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    check_or_stop(fd >= 0 && close(fd) == 0);
}

static bool is_there(const char *name)
{
    char path[512];
    path_of(path, name);
    return access(path, F_OK) == 0;
}

static void begin(void)
{
    rocks_fixture_make_directory(&fixture);
    memset(&error, 0, sizeof(error));
    make_file("000004.log");
    make_file("000007.log");
    link_errno = 0;
}

static enum haul_status make(unsigned at)
{
    call_count = 0;
    fail_at = at;
    enum haul_status status = log_links_make(fixture.path, fixture.path, NULL, &error);
    fail_at = 0;
    return status;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_log_links_make__nth_call_fails__told_and_nothing_left(void)
{
    bool reached = true;
    for (unsigned at = 1; reached; at++) {
        begin();
        enum haul_status status = make(at);
        reached = call_count >= at;
        check_status(status, reached ? HAUL_IO : HAUL_OK);
        check(!reached || (error.status == HAUL_IO && error.text[0] != '\0'));
        check_equal(is_there("archive/000004.log"), !reached);
        check_equal(is_there("archive"), !reached);
        check_status(make(0), HAUL_OK);
        check(is_there("archive/000004.log") && is_there("archive/000007.log"));
        log_links_drop(fixture.path, fixture.path, false);
        check(!is_there("archive") && is_there("000004.log") && is_there("000007.log"));
        rocks_fixture_close(&fixture);
        check_or_stop(at < 40);
    }
}

static void test_log_links_make__again_and_nth_call_fails__earlier_names_stay(void)
{
    bool reached = true;
    for (unsigned at = 1; reached; at++) {
        begin();
        check_status(make(0), HAUL_OK);
        make_file("000009.log");
        enum haul_status status = make(at);
        reached = call_count >= at;
        check_status(status, reached ? HAUL_IO : HAUL_OK);
        check(is_there("archive/000004.log") && is_there("archive/000007.log"));
        check_equal(is_there("archive/000009.log"), !reached);
        check_status(make(0), HAUL_OK);
        check(is_there("archive/000009.log"));
        log_links_drop(fixture.path, fixture.path, false);
        check(!is_there("archive"));
        rocks_fixture_close(&fixture);
        check_or_stop(at < 40);
    }
}

static void test_log_links_make__no_hard_links_here__job_goes_on_without(void)
{
    static const int codes[] = {EPERM, EOPNOTSUPP, ENOSYS, EXDEV, EMLINK, EACCES};
    for (size_t i = 0; i < CHECK_COUNT(codes); i++) {
        begin();
        link_errno = codes[i];
        check_status(make(0), HAUL_OK);
        check(!is_there("archive") && !log_links_exist(fixture.path));
        rocks_fixture_close(&fixture);
    }
}

static void test_log_links_make__log_is_gone_or_linked_meanwhile__no_failure(void)
{
    static const int codes[] = {ENOENT, EEXIST};
    for (size_t i = 0; i < CHECK_COUNT(codes); i++) {
        begin();
        link_errno = codes[i];
        check_status(make(0), HAUL_OK);
        check(log_links_exist(fixture.path));
        log_links_drop(fixture.path, fixture.path, false);
        rocks_fixture_close(&fixture);
    }
}

static void test_log_links_make__any_other_failure__io_and_nothing_left(void)
{
    begin();
    link_errno = ENOSPC;
    check_error(log_links_make(fixture.path, fixture.path, NULL, &error), HAUL_IO, error);
    check(!is_there("archive"));
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_log_links_make__nth_call_fails__told_and_nothing_left),
    CHECK_TEST(test_log_links_make__again_and_nth_call_fails__earlier_names_stay),
    CHECK_TEST(test_log_links_make__no_hard_links_here__job_goes_on_without),
    CHECK_TEST(test_log_links_make__log_is_gone_or_linked_meanwhile__no_failure),
    CHECK_TEST(test_log_links_make__any_other_failure__io_and_nothing_left),
};
CHECK_MAIN("log_links_failures", tests)
