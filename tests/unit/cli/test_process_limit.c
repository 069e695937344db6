/* SPDX-License-Identifier: Apache-2.0 */
/* test_process_limit.c — a process with too few resources finds out before RocksDB does. */
#include "process_limit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum { STEP_MIB = 16, MORE_MIB_MAX = 1024, STEPS = MORE_MIB_MAX / STEP_MIB };

static size_t address_space_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    check_or_stop(file != NULL && fscanf(file, "%lu", &pages) == 1);
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The result of a process that may have `more_mib` of address space more than this one. */
static enum haul_status check_with(size_t more_mib)
{
    struct haul_error error;
    int result = 0;
    rlim_t limit = address_space_bytes() + (more_mib << 20);
    (void)fflush(stdout);
    pid_t pid = fork();
    check_or_stop(pid >= 0);
    if (pid == 0) {
        struct rlimit space = {.rlim_cur = limit, .rlim_max = limit};
        enum haul_status status =
            setrlimit(RLIMIT_AS, &space) == 0 ? process_limit_check(&error) : HAUL_INTERNAL;
        bool says = status == HAUL_OK ||
                    (error.status == status && strstr(error.hint, "ulimit -v") != NULL);
        _exit(says ? (int)status : HAUL_INTERNAL);
    }
    check_equal(waitpid(pid, &result, 0), pid);
    check(WIFEXITED(result));
    return (enum haul_status)WEXITSTATUS(result);
}

static void test_process_limit_check__no_limit__ok(void)
{
    struct haul_error error;
    check_status(process_limit_check(&error), HAUL_OK);
}

/* First not even the threads fit, then only they do, then everything does. */
static void test_process_limit_check__address_space_grows__threads_then_spare_then_ok(void)
{
    size_t no_threads = 0;
    size_t no_space = 0;
    if (SANITIZED) {
        check_skip("a sanitizer needs terabytes");
        return;
    }
    enum haul_status last = HAUL_LIMIT;
    for (size_t step = 0; step <= STEPS && last != HAUL_OK; step++) {
        enum haul_status status = check_with(step * STEP_MIB);
        check(status == last || status == HAUL_OK ||
              (last == HAUL_LIMIT && status == HAUL_NO_MEMORY));
        no_threads += status == HAUL_LIMIT;
        no_space += status == HAUL_NO_MEMORY;
        last = status;
    }
    check_status(last, HAUL_OK);
    check(no_threads >= 1);
    check(no_space >= 3 && no_space <= 5); /* 64 MiB, in steps of 16 */
}

/* The result for `jobs` jobs in a process that has room for as many more descriptors. */
static enum haul_status check_jobs(uint32_t jobs, rlim_t descriptors)
{
    struct haul_error error;
    int result = 0;
    (void)fflush(stdout);
    pid_t pid = fork();
    check_or_stop(pid >= 0);
    if (pid == 0) {
        rlim_t limit = STDERR_FILENO + 1 + descriptors;
        while (open("/dev/null", O_RDONLY) <= STDERR_FILENO) { /* all below are open then */
        }
        for (int fd = STDERR_FILENO + 1; fd < (int)limit; fd++) {
            (void)close(fd); /* that the process has inherited */
        }
        struct rlimit open_files = {.rlim_cur = limit, .rlim_max = limit};
        enum haul_status status = setrlimit(RLIMIT_NOFILE, &open_files) == 0
                                      ? process_limit_check_jobs(jobs, &error)
                                      : HAUL_INTERNAL;
        bool says = status == HAUL_OK || strstr(error.hint, "--jobs") != NULL;
        _exit(says ? (int)status : HAUL_INTERNAL);
    }
    check_equal(waitpid(pid, &result, 0), pid);
    check(WIFEXITED(result));
    return (enum haul_status)WEXITSTATUS(result);
}

static void test_process_limit_check_jobs__descriptors_for_some__more_are_refused(void)
{
    check_status(check_jobs(0, 0), HAUL_OK);
    check_status(check_jobs(3, 48), HAUL_OK);
    check_status(check_jobs(3, 47), HAUL_LIMIT);
    check_status(check_jobs(4, 48), HAUL_LIMIT);
    check_status(check_jobs(15, 15 * 16), HAUL_OK);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_process_limit_check__no_limit__ok),
    CHECK_TEST(test_process_limit_check_jobs__descriptors_for_some__more_are_refused),
    CHECK_TEST(test_process_limit_check__address_space_grows__threads_then_spare_then_ok),
};
CHECK_MAIN("process_limit", tests)
