/* SPDX-License-Identifier: Apache-2.0 */
/* test_database_lock.c — the lock of a database: which process has it, and what remains in the
 * directory. */
#include "database_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture; /* only its directory */
static struct database_lock lock;
static struct haul_error error;
static char path[300];

/* The linker replaces stat and fstatat by these: with `subvolume`, devices have other numbers than
 * in the kernel's list of locks, as on btrfs. */
int __real_stat(const char *file, struct stat *found);
int __wrap_stat(const char *file, struct stat *found);
int __real_fstatat(int directory, const char *file, struct stat *found, int flags);
int __wrap_fstatat(int directory, const char *file, struct stat *found, int flags);
static unsigned subvolume;

int __wrap_stat(const char *file, struct stat *found)
{
    int result = __real_stat(file, found);
    found->st_dev += subvolume;
    return result;
}

int __wrap_fstatat(int directory, const char *file, struct stat *found, int flags)
{
    int result = __real_fstatat(directory, file, found, flags);
    found->st_dev += subvolume;
    return result;
}

static void start(bool has_file)
{
    rocks_fixture_make_directory(&fixture);
    (void)snprintf(path, sizeof(path), "%s/LOCK", fixture.path);
    if (has_file) {
        int fd = open(path, O_CREAT | O_WRONLY, 0644);
        check_or_stop(fd >= 0);
        (void)close(fd);
    }
    lock = (struct database_lock){.fd = -1};
}

/* Another process takes the lock, reports so and keeps it until end_other. */
static pid_t begin_other(void)
{
    int said[2];
    char byte = 0;
    check_or_stop(pipe(said) == 0);
    pid_t pid = fork();
    check_or_stop(pid >= 0);
    if (pid == 0) {
        struct database_lock theirs = {.fd = -1};
        struct haul_error ignored;
        byte = database_lock_acquire(fixture.path, &theirs, &ignored) == HAUL_OK;
        (void)!write(said[1], &byte, 1);
        (void)pause();
        _exit(0);
    }
    check_or_stop(read(said[0], &byte, 1) == 1 && byte == 1);
    (void)close(said[0]);
    (void)close(said[1]);
    return pid;
}

static void end_other(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    check_equal(waitpid(pid, NULL, 0), pid);
}

static void test_database_lock_release__file_was_not_there__gone_unless_kept(void)
{
    start(false);
    check_status(database_lock_acquire(fixture.path, &lock, &error), HAUL_OK);
    check(lock.made_file);
    database_lock_release(&lock, fixture.path, false);
    check_equal(lock.fd, -1);
    check(access(path, F_OK) != 0);
    check_status(database_lock_acquire(fixture.path, &lock, &error), HAUL_OK);
    database_lock_release(&lock, fixture.path, true);
    check(access(path, F_OK) == 0);
    rocks_fixture_close(&fixture);
}

static void test_database_lock_release__file_was_there__stays(void)
{
    start(true);
    check_status(database_lock_acquire(fixture.path, &lock, &error), HAUL_OK);
    check(!lock.made_file);
    database_lock_release(&lock, fixture.path, false);
    check(access(path, F_OK) == 0);
    rocks_fixture_close(&fixture);
}

static void test_database_lock_release__not_held__nothing(void)
{
    start(true);
    database_lock_release(&lock, fixture.path, false);
    check(access(path, F_OK) == 0);
    rocks_fixture_close(&fixture);
}

static void test_database_lock_acquire__another_process_has_it__busy_names_it(void)
{
    char expected[400];
    start(false);
    pid_t other = begin_other();
    check_error(database_lock_acquire(fixture.path, &lock, &error), HAUL_BUSY, error);
    (void)snprintf(expected, sizeof(expected), "the database in %s is in use by process %ld",
                   fixture.path, (long)other);
    check_text(error.text, expected);
    check_text(error.hint, "stop that process first");
    check_equal(lock.fd, -1);
    end_other(other);
    check_status(database_lock_acquire(fixture.path, &lock, &error), HAUL_OK);
    database_lock_release(&lock, fixture.path, false);
    rocks_fixture_close(&fixture);
}

/* A second open and close of the file would release the first lock. */
static void check_second_is_refused(void)
{
    struct database_lock second = {.fd = -1};
    struct haul_error ignored;
    start(false);
    check_status(database_lock_acquire(fixture.path, &lock, &error), HAUL_OK);
    check_error(database_lock_acquire(fixture.path, &second, &error), HAUL_BUSY, error);
    check(strstr(error.hint, "it is open already, here or in another process") != NULL);
    pid_t pid = fork();
    check_or_stop(pid >= 0);
    if (pid == 0) {
        _exit(database_lock_acquire(fixture.path, &second, &ignored) == HAUL_BUSY ? 0 : 1);
    }
    int status = 1;
    check_equal(waitpid(pid, &status, 0), pid);
    check_equal(status, 0);
    database_lock_release(&lock, fixture.path, false);
    rocks_fixture_close(&fixture);
}

static void test_database_lock_acquire__held_here__busy_and_still_held(void)
{
    check_second_is_refused();
}

static void test_database_lock_acquire__held_here_on_a_subvolume__busy_and_still_held(void)
{
    subvolume = 1;
    check_second_is_refused();
    subvolume = 0;
}

static void test_database_lock_regain__released_by_a_close__held_again_or_false(void)
{
    start(false);
    check(!database_lock_regain(&lock));
    check_status(database_lock_acquire(fixture.path, &lock, &error), HAUL_OK);
    (void)close(open(path, O_RDWR)); /* as RocksDB's close does */
    check(database_lock_regain(&lock));
    (void)close(open(path, O_RDWR));
    pid_t other = begin_other();
    check(!database_lock_regain(&lock));
    end_other(other);
    check(database_lock_regain(&lock));
    database_lock_release(&lock, fixture.path, false);
    rocks_fixture_close(&fixture);
}

static void test_database_lock_acquire__no_directory__io(void)
{
    lock = (struct database_lock){.fd = -1};
    check_error(database_lock_acquire("/nowhere/at/all", &lock, &error), HAUL_IO, error);
    check_equal(lock.fd, -1);
}

/* Somebody here has the file open, which takes no lock. */
static void test_database_lock_acquire__open_here_and_another_file_locked__held(void)
{
    struct rocks_fixture other;
    struct database_lock others = {.fd = -1};
    start(true);
    rocks_fixture_make_directory(&other);
    check_or_stop(database_lock_acquire(other.path, &others, &error) == HAUL_OK);
    int fd = open(path, O_RDWR);
    check_or_stop(fd >= 0);
    check_status(database_lock_acquire(fixture.path, &lock, &error), HAUL_OK);
    database_lock_release(&lock, fixture.path, false);
    (void)close(fd);
    database_lock_release(&others, other.path, false);
    rocks_fixture_close(&other);
    rocks_fixture_close(&fixture);
}

static void test_database_lock_acquire__open_here_and_locked_elsewhere__names_that_process(void)
{
    char name[32];
    start(true);
    int fd = open(path, O_RDWR);
    check_or_stop(fd >= 0);
    pid_t pid = begin_other();
    check_error(database_lock_acquire(fixture.path, &lock, &error), HAUL_BUSY, error);
    (void)snprintf(name, sizeof(name), "process %ld", (long)pid);
    check(strstr(error.text, name) != NULL);
    end_other(pid);
    (void)close(fd);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_database_lock_release__file_was_not_there__gone_unless_kept),
    CHECK_TEST(test_database_lock_release__file_was_there__stays),
    CHECK_TEST(test_database_lock_release__not_held__nothing),
    CHECK_TEST(test_database_lock_acquire__another_process_has_it__busy_names_it),
    CHECK_TEST(test_database_lock_acquire__held_here__busy_and_still_held),
    CHECK_TEST(test_database_lock_acquire__held_here_on_a_subvolume__busy_and_still_held),
    CHECK_TEST(test_database_lock_regain__released_by_a_close__held_again_or_false),
    CHECK_TEST(test_database_lock_acquire__no_directory__io),
    CHECK_TEST(test_database_lock_acquire__open_here_and_another_file_locked__held),
    CHECK_TEST(test_database_lock_acquire__open_here_and_locked_elsewhere__names_that_process),
};
CHECK_MAIN("database_lock", tests)
