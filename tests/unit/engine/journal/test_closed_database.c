/* SPDX-License-Identifier: Apache-2.0 */
/* test_closed_database.c — what the files of a closed database reveal. */
#include "closed_database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "haul/owner.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture;
static struct closed_database closed;
static struct haul_error error;

static void close_store(void)
{
    fixture.store->ops->close(fixture.store);
    fixture.store = NULL;
}

static void write_identity(const char *text)
{
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/IDENTITY", fixture.path);
    FILE *file = fopen(path, "wb");
    check_or_stop(file != NULL);
    check(fputs(text, file) >= 0);
    check_equal(fclose(file), 0);
}

static void test_closed_database_look__identity__first_line_as_far_as_it_goes(void)
{
    static const struct {
        const char *written;
        const char *expected;
    } cases[] = {{"abc", "abc"}, {"abc\n", "abc"}, {"abc\r\nd", "abc"}, {"", ""}};
    char path[600];
    rocks_fixture_open(&fixture);
    close_store();
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        write_identity(cases[i].written);
        check_status(closed_database_look(fixture.path, false, &closed, &error), HAUL_OK);
        check_text(closed.identity, cases[i].expected);
        check(closed.place.identity == closed.identity);
        check_equal(closed.place.sequence, UINT64_MAX);
    }
    (void)snprintf(path, sizeof(path), "%s/haul", fixture.path);
    check_text(closed.directory, path);
    (void)snprintf(path, sizeof(path), "%s/IDENTITY", fixture.path);
    check_equal(unlink(path), 0);
    check_status(closed_database_look(fixture.path, false, &closed, &error), HAUL_OK);
    check_text(closed.identity, "");
    rocks_fixture_close(&fixture);
}

static void test_closed_database_look__no_directory__not_found(void)
{
    char path[600];
    rocks_fixture_open(&fixture);
    (void)snprintf(path, sizeof(path), "%s/CURRENT", fixture.path);
    check_error(closed_database_look(path, false, &closed, &error), HAUL_NOT_FOUND, error);
    (void)snprintf(path, sizeof(path), "%s/nothing", fixture.path);
    check_error(closed_database_look(path, false, &closed, &error), HAUL_NOT_FOUND, error);
    rocks_fixture_close(&fixture);
}

static void test_closed_database_look__name_at_the_limit__invalid_behind_it(void)
{
    static char path[HAUL_DIRECTORY_BYTES_MAX + 1];
    memset(path, '/', sizeof(path) - 1);
    path[HAUL_DIRECTORY_BYTES_MAX - 1] = '\0';
    check_status(closed_database_look(path, false, &closed, &error), HAUL_OK); /* the root */
    path[HAUL_DIRECTORY_BYTES_MAX - 1] = '/';
    check_error(closed_database_look(path, false, &closed, &error), HAUL_INVALID, error);
}

/* Records that no flush has moved into tables are in the log alone. */
static void test_closed_database_sequence__records_in_the_log__counted(void)
{
    rocks_fixture_open(&fixture);
    rocks_fixture_fill(&fixture, 0, "k", 10, 10);
    uint64_t written = fixture.store->ops->sequence(fixture.store);
    close_store();
    uint64_t tables = closed_database_sequence(fixture.path, 0);
    check(tables < written);
    check_equal(closed_database_sequence(fixture.path, written), written);
    check_equal(closed_database_sequence(fixture.path, written + 5), written);
    rocks_fixture_close(&fixture);
}

static void test_closed_database_sequence__flushed__by_the_tables(void)
{
    rocks_fixture_open(&fixture);
    rocks_fixture_fill(&fixture, 0, "k", 10, 10);
    check_status(fixture.store->ops->flush(fixture.store, &error), HAUL_OK);
    uint64_t written = fixture.store->ops->sequence(fixture.store);
    close_store();
    check_equal(closed_database_sequence(fixture.path, 1), written);
    check_equal(closed_database_sequence(fixture.path, written), written);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_closed_database_look__identity__first_line_as_far_as_it_goes),
    CHECK_TEST(test_closed_database_look__no_directory__not_found),
    CHECK_TEST(test_closed_database_look__name_at_the_limit__invalid_behind_it),
    CHECK_TEST(test_closed_database_sequence__records_in_the_log__counted),
    CHECK_TEST(test_closed_database_sequence__flushed__by_the_tables),
};
CHECK_MAIN("closed_database", tests)
