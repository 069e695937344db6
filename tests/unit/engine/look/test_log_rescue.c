/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_rescue.c — copies of a damaged log: complete and durable, or none. An earlier copy of
 * the same log is reused, one of another log never touched. */
#include "log_rescue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "rocks_fixture.h"

enum { CALLS_MAX = 100, LOG_BYTES = 100000 };

static struct rocks_fixture fixture; /* only its directory */
static struct haul_error error;
static char copy[4096 + 600];
static unsigned calls;
static unsigned fail_at;
static unsigned syncs;

/* --- calls of the system ---------------------------------------------------------------------- */

static bool fails(void)
{
    calls++;
    errno = EIO;
    return calls == fail_at;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    syncs++;
    return fails() ? -1 : __real_fsync(fd);
}

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
/* Half of it, as the system may do at any time. */
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    return fails() ? -1 : __real_write(fd, data, size > 20000 ? size / 2 : size);
}

ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size)
{
    return fails() ? -1 : __real_read(fd, data, size);
}

int __real_openat(int fd, const char *path, int flags, unsigned mode);
int __wrap_openat(int fd, const char *path, int flags, unsigned mode);
int __wrap_openat(int fd, const char *path, int flags, unsigned mode)
{
    return fails() ? -1 : __real_openat(fd, path, flags, mode);
}

/* --- files ------------------------------------------------------------------------------------ */

static void write_file(const char *name, char byte)
{
    static char bytes[LOG_BYTES];
    char path[600];
    memset(bytes, byte, sizeof(bytes));
    (void)snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
    FILE *file = fopen(path, "wb");
    check_or_stop(file != NULL);
    check_equal(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
    check_equal(fclose(file), 0);
}

static void start(void)
{
    rocks_fixture_make_directory(&fixture);
    write_file("000004.log", 'a');
    write_file("000007.log", 'b');
    write_file("MANIFEST-000001", 'm');
    calls = 0;
    syncs = 0;
    fail_at = 0;
}

static enum haul_status rescue(void)
{
    return log_rescue(fixture.path, fixture.path, copy, sizeof(copy), &error);
}

/* The copy of a file, whose bytes are all this one; 0: there is none. */
static char byte_of(const char *directory, const char *name)
{
    static char bytes[LOG_BYTES + 1];
    char path[sizeof(copy) + 32];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return 0;
    }
    check_equal(fread(bytes, 1, sizeof(bytes), file), LOG_BYTES);
    check_equal(fclose(file), 0);
    for (size_t i = 1; i < LOG_BYTES; i++) {
        if (bytes[i] != bytes[0]) {
            return '?';
        }
    }
    return bytes[0];
}

static void check_copied(const char *name)
{
    char expected[600];
    (void)snprintf(expected, sizeof(expected), "%s/haul/%s", fixture.path, name);
    check_text(copy, expected);
    check_equal(byte_of(copy, "000004.log"), 'a');
    check_equal(byte_of(copy, "000007.log"), 'b');
    check_equal(byte_of(copy, "MANIFEST-000001"), 0);
}

static bool is_there(const char *name)
{
    char path[600];
    struct stat found;
    (void)snprintf(path, sizeof(path), "%s/haul/%s", fixture.path, name);
    return stat(path, &found) == 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_log_rescue__two_logs__both_durable_and_nothing_else(void)
{
    start();
    check_status(rescue(), HAUL_OK);
    check_copied("damaged-log-1");
    check_equal(syncs, 3); /* two files and the directory */
    rocks_fixture_close(&fixture);
}

static void test_log_rescue__again__the_same_copy(void)
{
    char path[sizeof(copy) + 32];
    start();
    check_status(rescue(), HAUL_OK);
    check_status(rescue(), HAUL_OK);
    check_copied("damaged-log-1");
    check(!is_there("damaged-log-2"));
    (void)snprintf(path, sizeof(path), "%s/000007.log", copy);
    check_equal(unlink(path), 0); /* a crash in the middle of it */
    check_status(rescue(), HAUL_OK);
    check_copied("damaged-log-1");
    rocks_fixture_close(&fixture);
}

static void test_log_rescue__copy_of_another_log__a_new_one(void)
{
    char path[sizeof(copy) + 32];
    start();
    check_status(rescue(), HAUL_OK);
    (void)snprintf(path, sizeof(path), "%s/000004.log", copy);
    check_equal(truncate(path, 10), 0);
    check_status(rescue(), HAUL_OK);
    check_copied("damaged-log-2");
    check(is_there("damaged-log-1/000004.log"));
    rocks_fixture_close(&fixture);
}

static void test_log_rescue__nth_call_fails__told_and_no_half_copy(void)
{
    unsigned at = 1;
    for (bool reached = true; reached && at < CALLS_MAX; at++) {
        start();
        fail_at = at;
        enum haul_status status = rescue();
        reached = calls >= at;
        fail_at = 0;
        check_status(status, reached ? HAUL_IO : HAUL_OK);
        check_equal(is_there("damaged-log-1"), !reached);
        check_status(rescue(), HAUL_OK);
        check_copied("damaged-log-1");
        rocks_fixture_close(&fixture);
    }
    check(at > 12 && at < CALLS_MAX);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_log_rescue__two_logs__both_durable_and_nothing_else),
    CHECK_TEST(test_log_rescue__again__the_same_copy),
    CHECK_TEST(test_log_rescue__copy_of_another_log__a_new_one),
    CHECK_TEST(test_log_rescue__nth_call_fails__told_and_no_half_copy),
};
CHECK_MAIN("log_rescue", tests)
