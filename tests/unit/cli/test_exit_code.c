/* SPDX-License-Identifier: Apache-2.0 */
/* test_exit_code.c — every status has its exit code, and the table of --help names each code. */
#include "exit_code.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

/* Each status once; HAUL_STOPPED, which depends on the signal, has a test of its own. */
static const struct {
    enum haul_status status;
    int exit_code;
    bool retryable;
} expected[] = {
    {HAUL_OK, 0, false},          {HAUL_AGAIN, 5, true},        {HAUL_TIMEOUT, 5, true},
    {HAUL_CLOSED, 5, true},       {HAUL_CANCELLED, 9, false},   {HAUL_INVALID, 2, false},
    {HAUL_UNSUPPORTED, 3, false}, {HAUL_NO_MEMORY, 8, true},    {HAUL_LIMIT, 8, true},
    {HAUL_IO, 7, false},          {HAUL_NO_SPACE, 7, false},    {HAUL_NOT_FOUND, 3, false},
    {HAUL_EXISTS, 3, false},      {HAUL_BUSY, 5, true},         {HAUL_REFUSED, 5, true},
    {HAUL_UNREACHABLE, 5, true},  {HAUL_PROTOCOL, 7, false},    {HAUL_VERSION, 3, false},
    {HAUL_CORRUPT, 6, false},     {HAUL_AUTH, 4, false},        {HAUL_MISMATCH, 3, false},
    {HAUL_FENCED, 7, false},      {HAUL_NOT_EMPTY, 3, false},   {HAUL_GAP, 7, false},
    {HAUL_IN_DOUBT, 10, false},   {HAUL_STORE, 7, false},       {HAUL_INTERNAL, 1, false},
    {HAUL_STOPPED, 5, true},      {HAUL_UNCONFIRMED, 3, false},
};

static void test_exit_code_of__every_status__its_code(void)
{
    bool seen[HAUL_STATUS_COUNT] = {false};
    for (size_t i = 0; i < CHECK_COUNT(expected); i++) {
        int code = exit_code_of(expected[i].status, 0);
        if (code != expected[i].exit_code) {
            (void)printf("%s exits with %d\n", haul_status_name(expected[i].status), code);
        }
        check_equal(code, expected[i].exit_code);
        seen[expected[i].status] = true;
    }
    for (int status = 0; status < HAUL_STATUS_COUNT; status++) {
        if (!seen[status]) {
            (void)printf("%s has no exit code here\n", haul_status_name((enum haul_status)status));
        }
        check(seen[status]);
    }
}

static void test_exit_code_is_retryable__every_status__when_the_same_may_succeed(void)
{
    for (size_t i = 0; i < CHECK_COUNT(expected); i++) {
        check_equal(exit_code_is_retryable(exit_code_of(expected[i].status, 0)),
                    expected[i].retryable);
    }
    check(!exit_code_is_retryable(EXIT_CODE_SIGNAL));
}

static void test_exit_code_of__stopped_by_a_signal__names_it_and_is_retryable(void)
{
    check_equal(exit_code_of(HAUL_STOPPED, SIGINT), 130);
    check_equal(exit_code_of(HAUL_STOPPED, SIGTERM), 143);
    check_equal(exit_code_of(HAUL_STOPPED, SIGHUP), 129);
    check(exit_code_is_retryable(130));
    check(exit_code_is_retryable(129));
}

/* A signal does not hide another cause that ended the command. */
static void test_exit_code_of__other_status_and_a_signal__the_status_counts(void)
{
    check_equal(exit_code_of(HAUL_OK, SIGINT), 0);
    check_equal(exit_code_of(HAUL_IN_DOUBT, SIGTERM), 10);
    check_equal(exit_code_of(HAUL_CANCELLED, SIGINT), 9);
}

static void test_exit_code_table__every_code__has_a_line(void)
{
    static const int by_signal[] = {130};
    const char *table = exit_code_table();
    char line[16];
    for (size_t i = 0; i < CHECK_COUNT(expected) + CHECK_COUNT(by_signal); i++) {
        int code = i < CHECK_COUNT(expected) ? expected[i].exit_code
                                             : by_signal[i - CHECK_COUNT(expected)];
        (void)snprintf(line, sizeof(line), "  %-4d ", code);
        const char *found = strstr(table, line);
        check(found != NULL && (found == table || found[-1] == '\n'));
    }
    check(strstr(table, "143") != NULL);
    check(strstr(table, "129") != NULL);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_exit_code_of__every_status__its_code),
    CHECK_TEST(test_exit_code_is_retryable__every_status__when_the_same_may_succeed),
    CHECK_TEST(test_exit_code_of__stopped_by_a_signal__names_it_and_is_retryable),
    CHECK_TEST(test_exit_code_of__other_status_and_a_signal__the_status_counts),
    CHECK_TEST(test_exit_code_table__every_code__has_a_line),
};
CHECK_MAIN("exit_code", tests)
