/* SPDX-License-Identifier: Apache-2.0 */
/* check.c — runs one suite through CUnit and prints its closing line. */
#include "check.h"

#include <CUnit/Basic.h>
#include <dirent.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *running_name;
static bool running_skipped;
static unsigned skipped_count;

void check_status_at(enum haul_status actual, enum haul_status expected, const char *file, int line)
{
    if (actual != expected) {
        (void)printf("  %s:%d: status %s, expected %s\n", file, line, haul_status_name(actual),
                     haul_status_name(expected));
    }
    CU_assertImplementation(actual == expected, (unsigned)line, "status", file, "", CU_FALSE);
}

void check_skip(const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    (void)printf("SKIPPED %s: %s\n", running_name, reason);
    running_skipped = true;
}

static bool is_selected(const char *name, int argc, char **argv)
{
    bool selected = argc <= 1;
    for (int i = 1; i < argc; i++) {
        selected = selected || strstr(name, argv[i]) != NULL;
    }
    return selected;
}

static void print_failures(void)
{
    for (const CU_FailureRecord *failure = CU_get_failure_list(); failure != NULL;
         failure = failure->pNext) {
        (void)printf("  %s:%u: %s\n", failure->strFileName, failure->uiLineNumber,
                     failure->strCondition);
    }
}

/* Run one test; true when it passed or was skipped. */
static bool run_one(CU_pSuite suite, const struct check_test *test)
{
    CU_pTest registered = CU_add_test(suite, test->name, test->run);
    if (registered == NULL) {
        (void)printf("FAILED %s: cannot be registered\n", test->name);
        return false;
    }
    running_name = test->name;
    running_skipped = false;
    (void)CU_run_test(suite, registered);
    unsigned failures = CU_get_number_of_failures();
    if (failures > 0) {
        (void)printf("FAILED %s\n", test->name);
        print_failures();
    } else if (running_skipped) {
        skipped_count++;
    }
    (void)fflush(stdout);
    return failures == 0;
}

/* librdmacm opens every device once and keeps it. */
static bool is_of_a_card(int directory, const char *name)
{
    char path[64] = "";
    ssize_t size = readlinkat(directory, name, path, sizeof(path) - 1);
    return size > 0 && strstr(path, "infiniband") != NULL;
}

/* The open descriptors; 0 where the system cannot list them. */
static unsigned descriptor_count(void)
{
    unsigned count = 0;
    const struct dirent *entry;
    DIR *entries = opendir("/proc/self/fd");
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        count += is_of_a_card(dirfd(entries), entry->d_name) ? 0 : 1;
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return count;
}

/* No sanitizer finds leaked descriptors. A thread of RocksDB's may take a moment to close its
 * own. */
static bool closed_all(unsigned open_before)
{
    unsigned open_after = descriptor_count();
    for (int i = 0; i < 100 && open_after > open_before; i++) {
        (void)poll(NULL, 0, 10);
        open_after = descriptor_count();
    }
    if (open_after > open_before) {
        (void)printf("FAILED descriptors: %u are open that were not before\n",
                     open_after - open_before);
    }
    return open_after <= open_before;
}

int check_main(const char *suite_name, const struct check_test *tests, size_t test_count, int argc,
               char **argv)
{
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return 2;
    }
    CU_set_error_action(CUEA_IGNORE);
    (void)close(STDIN_FILENO); /* the first descriptor is 0, and as good as any other */
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    unsigned ran = 0;
    unsigned failed = 0;
    unsigned open_before = descriptor_count();
    for (size_t i = 0; i < test_count; i++) {
        if (is_selected(tests[i].name, argc, argv)) {
            failed += run_one(suite, &tests[i]) ? 0 : 1;
            ran++;
        }
    }
    CU_cleanup_registry();
    if (failed == 0 && !closed_all(open_before)) {
        failed = 1; /* a failed test leaks */
    }
    (void)printf("%s: %u passed, %u failed, %u skipped\n", suite_name, ran - failed - skipped_count,
                 failed, skipped_count);
    return ran > 0 && failed == 0 ? 0 : 1;
}
