/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_stored.c — options as they stand in OPTIONS files, valid ones and odd ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "rocks_fixture.h"
#include "rocks_stored.h"

static struct rocks_fixture fixture;
static struct rocks_stored *stored;
static struct haul_error error;

static void write_file(const char *name, const char *text)
{
    char path[320];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
    FILE *file = fopen(path, "w");
    check_or_stop(file != NULL);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void read_stored(void)
{
    check_or_stop(rocks_stored_read(fixture.path, &stored, &error) == HAUL_OK);
}

static void close_stored(void)
{
    rocks_stored_free(stored);
    rocks_fixture_close(&fixture);
}

static void test_rocks_stored_read__database__options_of_each_section(void)
{
    rocks_fixture_open(&fixture);
    (void)rocks_fixture_family(&fixture, "data");
    read_stored();
    check(strchr(rocks_stored_value(stored, ROCKS_SECTION_VERSION, "", "rocksdb_version"), '.') !=
          NULL);
    check_text(rocks_stored_value(stored, ROCKS_SECTION_DATABASE, "", "unordered_write"), "false");
    check_text(rocks_stored_value(stored, ROCKS_SECTION_FAMILY, "data", "comparator"),
               "leveldb.BytewiseComparator");
    check_text(rocks_stored_value(stored, ROCKS_SECTION_TABLE, "default", "block_size"), "4096");
    check_text(rocks_stored_value(stored, ROCKS_SECTION_FAMILY, "data", "no_such_option"), "");
    check_text(rocks_stored_value(stored, ROCKS_SECTION_FAMILY, "none", "comparator"), "");
    close_stored();
}

static void test_rocks_stored_read__several_files__the_highest_number(void)
{
    rocks_fixture_make_directory(&fixture);
    write_file("OPTIONS-000009", "[CFOptions \"default\"]\n  num_levels=9\n");
    write_file("OPTIONS-000010", "[CFOptions \"default\"]\n  num_levels=10\n");
    write_file("OPTIONS-000011.dbtmp", "[CFOptions \"default\"]\n  num_levels=11\n");
    read_stored();
    check_text(rocks_stored_value(stored, ROCKS_SECTION_FAMILY, "default", "num_levels"), "10");
    close_stored();
}

static void test_rocks_stored_read__no_file__empty(void)
{
    rocks_fixture_make_directory(&fixture);
    read_stored();
    check_text(rocks_stored_value(stored, ROCKS_SECTION_FAMILY, "default", "num_levels"), "");
    close_stored();
}

static void test_rocks_stored_read__odd_lines__the_others_stand(void)
{
    rocks_fixture_make_directory(&fixture);
    write_file("OPTIONS-000001",
               "before=any section\n# a=b\n[CFOptions \"a \"quoted\" [name]\"]\r\n"
               "\ta=b=c\r\nno value\n  # d=e\n[Unknown/Thing \"x\"]\n  a=z\n"
               "[CFOptions \"last\"]\n  a=end");
    read_stored();
    check_text(rocks_stored_value(stored, ROCKS_SECTION_FAMILY, "a \"quoted\" [name]", "a"), "b=c");
    check_text(rocks_stored_value(stored, ROCKS_SECTION_FAMILY, "a \"quoted\" [name]", "# d"), "");
    check_text(rocks_stored_value(stored, ROCKS_SECTION_FAMILY, "last", "a"), "end");
    check_text(rocks_stored_value(stored, ROCKS_SECTION_VERSION, "", "before"), "");
    close_stored();
}

static void test_rocks_stored_read__no_such_directory__io(void)
{
    check_error(rocks_stored_read("/nonexistent/haul", &stored, &error), HAUL_IO, error);
}

static void check_class(const char *value, const char *expected)
{
    char name[16];
    rocks_stored_class(value, name, sizeof(name));
    check_text(name, expected);
}

static void test_rocks_stored_class__each_form__the_name(void)
{
    check_class("MaxOperator", "MaxOperator");
    check_class("{id=StringAppend;delimiter=,;}", "StringAppend");
    check_class("{id=Max}", "Max");
    check_class("nullptr", "");
    check_class("{id=nullptr;}", "");
    check_class("", "");
    check_class("ANameThatIsMuchTooLong", "ANameThatIsMuch");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_stored_read__database__options_of_each_section),
    CHECK_TEST(test_rocks_stored_read__several_files__the_highest_number),
    CHECK_TEST(test_rocks_stored_read__no_file__empty),
    CHECK_TEST(test_rocks_stored_read__odd_lines__the_others_stand),
    CHECK_TEST(test_rocks_stored_read__no_such_directory__io),
    CHECK_TEST(test_rocks_stored_class__each_form__the_name),
};

CHECK_MAIN("rocks_stored", tests)
