/* SPDX-License-Identifier: Apache-2.0 */
/* test_manifest_progress.c — CURRENT and the manifest that it names, in the states a database
 * leaves. */
#include "manifest_progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

static char directory[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    check_or_stop(file != NULL);
    check(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void start(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/haul-manifest-XXXXXX");
    check_or_stop(mkdtemp(directory) != NULL);
}

static void finish(void)
{
    static const char *const names[] = {"CURRENT", "MANIFEST-000012"};
    char path[128];
    for (size_t i = 0; i < CHECK_COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        check(unlink(path) == 0 || errno == ENOENT);
    }
    check_equal(rmdir(directory), 0);
}

static void test_manifest_progress_of__database__number_and_size(void)
{
    start();
    write_file("CURRENT", "MANIFEST-000012\n");
    write_file("MANIFEST-000012", "12345");
    for (int durable = 0; durable < 2; durable++) {
        struct manifest_progress progress = manifest_progress_of(directory, durable == 1);
        check_equal(progress.file, 12);
        check_equal(progress.bytes, 5);
    }
    finish();
}

static void test_manifest_progress_of__missing_or_foreign__not_known(void)
{
    static const char *const contents[] = {"", "MANIFEST-", "manifest-7\n", "MANIFEST-000007\n"};
    start();
    check_equal(manifest_progress_of(directory, false).file, 0);
    for (size_t i = 0; i < CHECK_COUNT(contents); i++) {
        write_file("CURRENT", contents[i]);
        struct manifest_progress progress = manifest_progress_of(directory, true);
        check_equal(progress.file, 0);
        check_equal(progress.bytes, 0);
    }
    finish();
}

static void test_manifest_progress_is_before__number_first_then_size__ordered(void)
{
    static const struct manifest_progress in_order[] = {{0, 0}, {3, 9}, {4, 1}, {4, 2}, {10, 0}};
    for (size_t i = 0; i < CHECK_COUNT(in_order); i++) {
        for (size_t j = 0; j < CHECK_COUNT(in_order); j++) {
            check_equal(manifest_progress_is_before(&in_order[i], &in_order[j]), i < j);
        }
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_manifest_progress_of__database__number_and_size),
    CHECK_TEST(test_manifest_progress_of__missing_or_foreign__not_known),
    CHECK_TEST(test_manifest_progress_is_before__number_first_then_size__ordered),
};

CHECK_MAIN("manifest_progress", tests)
