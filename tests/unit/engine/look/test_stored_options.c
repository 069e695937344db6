/* SPDX-License-Identifier: Apache-2.0 */
/* test_stored_options.c — which OPTIONS file is read, and how its lines are understood. */
#include "stored_options.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture; /* only its directory */
static struct stored_options options;
static struct haul_error error;

static void begin(void)
{
    rocks_fixture_make_directory(&fixture);
}

static void end(void)
{
    stored_options_fini(&options);
    rocks_fixture_close(&fixture);
}

static void write_file(const char *name, const char *text)
{
    char path[400];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
    FILE *file = fopen(path, "we");
    check_or_stop(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void read_options(void)
{
    check_status(stored_options_read(fixture.path, &options, &error), HAUL_OK);
}

static void test_stored_options_read__several_files__the_newest(void)
{
    /* The order of a directory is arbitrary: several files, and the newest among many. */
    for (int newest = 20; newest < 30; newest++) {
        char name[40];
        char text[80];
        begin();
        for (int number = 3; number <= newest; number++) {
            (void)snprintf(name, sizeof(name), "OPTIONS-%06d", number);
            (void)snprintf(text, sizeof(text), "[Version]\n  rocksdb_version=7.8.%d\n", number);
            write_file(name, text);
        }
        write_file("OPTIONS-000099.dbtmp", "[Version]\n  rocksdb_version=9.9.9\n");
        read_options();
        (void)snprintf(text, sizeof(text), "7.8.%d", newest);
        check_text(options.version, text);
        check(strstr(options.path, name) != NULL);
        end();
    }
}

static void test_stored_options_read__no_file__empty(void)
{
    begin();
    read_options();
    check_text(options.path, "");
    check_equal(options.family_count, 0);
    end();
}

static void test_stored_options_read__names_and_values__unescaped(void)
{
    begin();
    write_file("OPTIONS-000005", "[DBOptions]\n"
                                 "  wal_dir=/data/a\\:b\n"
                                 "  WAL_ttl_seconds=0\n"
                                 "  WAL_size_limit_MB=5\n"
                                 "  write_identity_file=false\n"
                                 "  allow_2pc=true\n"
                                 "[CFOptions \"de\\nfault\"]\n"
                                 "  comparator=leveldb.BytewiseComparator\n"
                                 "  merge_operator=nullptr\n"
                                 "  inplace_update_support=true\n"
                                 "[TableOptions/BlockBasedTable \"de\\nfault\"]\n"
                                 "  comparator=of another section\n"
                                 "[CFOptions \"a \"quoted\" one\"]\n"
                                 "  merge_operator={id=StringAppendOperator;delimiter=,;}\n");
    read_options();
    check_text(options.wal_dir, "/data/a:b");
    check(options.archives_log);
    check(options.writes_no_identity);
    check(options.two_phase);
    check_equal(options.family_count, 2);
    const struct stored_family *first = stored_options_family(&options, "de\nfault");
    check_or_stop(first != NULL);
    check_text(first->comparator, "leveldb.BytewiseComparator");
    check_text(first->merge_operator, "");
    check(first->inplace_updates);
    const struct stored_family *second = stored_options_family(&options, "a \"quoted\" one");
    check_or_stop(second != NULL);
    char id[HAUL_NAME_BYTES_MAX];
    stored_options_id(second->merge_operator, id);
    check_text(id, "StringAppendOperator");
    stored_options_id("PlainTable", id);
    check_text(id, "PlainTable");
    check(stored_options_family(&options, "other") == NULL);
    end();
}

static void test_stored_options_read__each_way_to_archive__known(void)
{
    static const struct {
        const char *text;
        bool archives;
    } cases[] = {{"  WAL_ttl_seconds=1\n", true},
                 {"  WAL_size_limit_MB=1\n", true},
                 {"  WAL_ttl_seconds=0\n  WAL_size_limit_MB=0\n", false},
                 {"  WAL_ttl_seconds=nullptr\n", false},
                 {"  WAL_ttl_secondsX=5\n", false},
                 {"  WAL_ttl_seconds\n", false},
                 {"", false}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        char text[256];
        begin();
        (void)snprintf(text, sizeof(text), "[DBOptions]\n%s", cases[i].text);
        write_file("OPTIONS-000005", text);
        read_options();
        check_equal(options.archives_log, cases[i].archives);
        check(!options.writes_no_identity);
        check(!options.two_phase);
        end();
    }
}

/* Lines in a section of another kind belong to no family, and a later line counts. */
static void test_stored_options_read__sections_that_are_unknown__passed_over(void)
{
    begin();
    write_file("OPTIONS-000005",
               "  wal_dir=/before\n[DBOptions]\r\n  wal_dir=/first\r\n  wal_dir=/second\r\n"
               "[Unknown]\n  wal_dir=/other\n[CFOptions \"no end]\n  comparator=c\n"
               "[Version]\n  rocksdb_version=7\n  wal_dir=/version\n"
               "[CFOptions \"last\"]\n  table_factory=PlainTable");
    read_options();
    check_text(options.wal_dir, "/second");
    check_text(options.version, "7");
    check_equal(options.family_count, 2);
    check_text(options.families[0].name, "");
    check_text(options.families[0].comparator, "c");
    check_text(options.families[1].name, "last");
    check_text(options.families[1].table_factory, "PlainTable");
    check(!options.families[1].inplace_updates);
    end();
    check_error(stored_options_read("/nonexistent/haul", &options, &error), HAUL_IO, error);
    stored_options_fini(&options);
}

static void test_stored_options_unescape__room_and_odd_ends__always_ended(void)
{
    static const struct {
        const char *text;
        size_t room;
        const char *expected;
    } cases[] = {
        {"abc", 4, "abc"},  {"abc", 3, "ab"},   {"abc", 1, ""}, {"a\\nb\\rc", 16, "a\nb\rc"},
        {"a\\", 16, "a\\"}, {"\\\\", 16, "\\"}, {"", 16, ""}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        char to[17];
        memset(to, 'x', sizeof(to));
        stored_options_unescape(cases[i].text, strlen(cases[i].text), to, cases[i].room);
        check_text(to, cases[i].expected);
        check_equal(to[cases[i].room], 'x');
    }
}

static void test_stored_options_family__behind_the_end__none(void)
{
    begin();
    write_file("OPTIONS-000005", "[CFOptions \"default\"]\n  comparator=c\n");
    read_options();
    check(stored_options_family(&options, "default") == &options.families[0]);
    check(stored_options_family(&options, "defaul") == NULL);
    stored_options_fini(&options);
    check(stored_options_family(&options, "default") == NULL);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_stored_options_family__behind_the_end__none),
    CHECK_TEST(test_stored_options_read__each_way_to_archive__known),
    CHECK_TEST(test_stored_options_read__sections_that_are_unknown__passed_over),
    CHECK_TEST(test_stored_options_unescape__room_and_odd_ends__always_ended),
    CHECK_TEST(test_stored_options_read__several_files__the_newest),
    CHECK_TEST(test_stored_options_read__no_file__empty),
    CHECK_TEST(test_stored_options_read__names_and_values__unescaped),
};

CHECK_MAIN("stored_options", tests)
