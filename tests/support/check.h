/* SPDX-License-Identifier: Apache-2.0 */
/* check.h — the only door to CUnit: one executable a suite, one test a function.
 *
 *   static const struct check_test tests[] = {
 *       CHECK_TEST(test_credit_submit__ring_full__again),
 *   };
 *   CHECK_MAIN("credit", tests)
 *
 * A suite prints `suite: N passed, N failed, N skipped`, one line a failure, and ends with 0 only
 * when tests ran and none failed. Arguments name the tests to run (substrings). A skipped test
 * calls check_skip("reason") and returns; the reason is printed. */
#ifndef HAUL_TESTS_CHECK_H
#define HAUL_TESTS_CHECK_H

#include <string.h>

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>

#include "haul/status.h"

struct check_test {
    const char *name;
    void (*run)(void);
};

#define CHECK_TEST(function) \
    {                        \
#function, function  \
    }
#define CHECK_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define check(condition) CU_ASSERT(condition)
#define check_equal(actual, expected) CU_ASSERT_EQUAL(actual, expected)
#define check_text(actual, expected) CU_ASSERT_STRING_EQUAL(actual, expected)
/* Leaves the test if false (longjmp): keep resources in statics, not in locals. */
#define check_or_stop(condition) CU_ASSERT_FATAL(condition)

/* Compare statuses, naming both in the output when they differ. */
#define check_status(actual, expected) check_status_at(actual, expected, __FILE__, __LINE__)
void check_status_at(enum haul_status actual, enum haul_status expected, const char *file,
                     int line);

/* The call fails with this status, and `error` has it, with a text. */
#define check_error(call, expected, error)     \
    do {                                       \
        memset(&(error), 0, sizeof(error));    \
        check_status(call, expected);          \
        check_equal((error).status, expected); \
        check((error).text[0] != '\0');        \
    } while (0)

/* Mark the running test as skipped, with the reason. */
__attribute__((format(printf, 1, 2))) void check_skip(const char *format, ...);

int check_main(const char *suite, const struct check_test *tests, size_t test_count, int argc,
               char **argv);

#define CHECK_MAIN(suite, tests)                                         \
    int main(int argc, char **argv)                                      \
    {                                                                    \
        return check_main(suite, tests, CHECK_COUNT(tests), argc, argv); \
    }

#endif
