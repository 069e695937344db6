/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_look.c — what a look at a database's files finds, each fact alone. RocksDB makes the
 * database, and the test changes one of its files. */
#include "store_look.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "check.h"
#include "rocks_fixture.h"

enum { FOOTER_TAIL_BYTES = 12 };

static struct rocks_fixture fixture;
static struct store_look look;
static struct haul_error error;
static char table[512]; /* path of the only one */
static uint64_t table_number;

static const char *path_of(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    check_or_stop(file != NULL);
    (void)fputs(text, file);
    (void)fclose(file);
}

/* A closed database of one table. */
static void begin(void)
{
    rocks_fixture_open(&fixture);
    rocks_fixture_fill(&fixture, 0, "k", 100, 20);
    check_or_stop(fixture.store->ops->flush(fixture.store, &error) == HAUL_OK);
    haul_store_close(fixture.store);
    fixture.store = NULL;
    DIR *entries = opendir(fixture.path);
    const struct dirent *entry;
    table[0] = '\0';
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (strstr(entry->d_name, ".sst") != NULL) {
            check_or_stop(table[0] == '\0');
            (void)snprintf(table, sizeof(table), "%s/%s", fixture.path, entry->d_name);
            table_number = strtoull(entry->d_name, NULL, 10);
        }
    }
    (void)closedir(entries);
    check_or_stop(table[0] != '\0');
}

static enum haul_status open_look(const char *wal_dir)
{
    const struct store_look_options options = {.directory = fixture.path, .wal_dir = wal_dir};
    return store_look_open(&options, &look, &error);
}

static void look_at(const char *wal_dir)
{
    check_or_stop(open_look(wal_dir) == HAUL_OK);
}

static void end(void)
{
    store_look_close(&look);
    rocks_fixture_close(&fixture);
}

static void patch_footer(uint32_t version, uint64_t magic)
{
    uint8_t tail[FOOTER_TAIL_BYTES];
    int fd = open(table, O_WRONLY | O_CLOEXEC);
    put_u32(tail, version);
    put_u64(tail + 4, magic);
    off_t size = lseek(fd, 0, SEEK_END);
    check(pwrite(fd, tail, sizeof(tail), size - FOOTER_TAIL_BYTES) == FOOTER_TAIL_BYTES);
    (void)close(fd);
}

/* --- the database ----------------------------------------------------------------------------- */

static void test_store_look_open__plain_database__nothing_special(void)
{
    begin();
    look_at(NULL);
    check_text(look.directory, fixture.path);
    check(look.has_identity && !look.has_stacked_blobs && !look.is_leveldb);
    check_equal(look.wal_place, WAL_HERE);
    check_text(look.wal_dir, fixture.path);
    check_text(look.other_path, "");
    check_equal(look.missing_table, 0);
    check_equal(look.cut_table, 0);
    check_equal(look.foreign_tables, TABLE_BLOCK_BASED);
    check(look.table_format_max >= 2);
    check(strstr(look.manifest_path, "MANIFEST-") != NULL);
    end();
}

static void test_store_look_open__named_log_directory_is_none__not_found(void)
{
    char file[sizeof(fixture.path) + sizeof("/CURRENT")];
    begin();
    (void)snprintf(file, sizeof(file), "%s/CURRENT", fixture.path);
    check_error(open_look("/nowhere/wal"), HAUL_NOT_FOUND, error);
    check(strstr(error.text, "/nowhere/wal") != NULL && strstr(error.hint, "--wal-dir") != NULL);
    store_look_close(&look);
    check_error(open_look(file), HAUL_NOT_FOUND, error);
    end();
}

static void test_store_look_open__no_database__not_found_and_closable(void)
{
    rocks_fixture_make_directory(&fixture);
    check_error(open_look(NULL), HAUL_NOT_FOUND, error);
    end();
}

static void test_store_look_open__blob_dir__only_a_directory_counts(void)
{
    begin();
    write_file("blob_dir", "");
    look_at(NULL);
    check(!look.has_stacked_blobs);
    store_look_close(&look);
    check_or_stop(unlink(path_of("blob_dir")) == 0 && mkdir(path_of("blob_dir"), 0700) == 0);
    look_at(NULL);
    check(look.has_stacked_blobs);
    end();
}

/* --- tables ----------------------------------------------------------------------------------- */

static void test_store_look_open__footers__kind_and_format(void)
{
    static const struct {
        uint64_t magic;
        enum table_kind kind;
        uint32_t format;
    } cases[] = {{UINT64_C(0x88e241b785f4cff7), TABLE_BLOCK_BASED, 9},
                 {UINT64_C(0xdb4775248b80fb57), TABLE_BLOCK_BASED, 0},
                 {UINT64_C(0x8242229663bf9564), TABLE_PLAIN, 0},
                 {UINT64_C(0x4f3418eb7a8f13b8), TABLE_PLAIN, 0},
                 {UINT64_C(0x926789d0c5f17873), TABLE_CUCKOO, 0},
                 {UINT64_C(0x88e241b785f4cff8), TABLE_UNKNOWN, 0}};
    begin();
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        patch_footer(9, cases[i].magic);
        look_at(NULL);
        check_equal(look.foreign_tables, cases[i].kind);
        check_equal(look.table_format_max, cases[i].format);
        store_look_close(&look);
    }
    look_at(NULL);
    end();
}

static void test_store_look_open__table_cut_or_gone__its_number(void)
{
    struct stat found;
    begin();
    check_or_stop(stat(table, &found) == 0);
    check_or_stop(truncate(table, found.st_size - 1) == 0);
    look_at(NULL);
    check_equal(look.cut_table, table_number);
    check_equal(look.missing_table, 0);
    store_look_close(&look);
    check_or_stop(truncate(table, FOOTER_TAIL_BYTES - 1) == 0);
    look_at(NULL);
    check_equal(look.cut_table, table_number);
    check_equal(look.table_format_max, 0);
    store_look_close(&look);
    check_or_stop(truncate(table, found.st_size + 1) == 0); /* longer: RocksDB decides */
    look_at(NULL);
    check_equal(look.cut_table, 0);
    store_look_close(&look);
    check_or_stop(unlink(table) == 0);
    look_at(NULL);
    check_equal(look.missing_table, table_number);
    check_equal(look.cut_table, 0);
    end();
}

/* RocksDB's own error says why it cannot read one that is there. */
static void test_store_look_open__table_that_cannot_be_opened__not_missing(void)
{
    begin();
    check_or_stop(unlink(table) == 0 && symlink(table, table) == 0); /* a loop */
    look_at(NULL);
    check_equal(look.missing_table, 0);
    check_equal(look.cut_table, 0);
    end();
}

/* Names from before RocksDB 3: LevelDB's. */
static void test_store_look_open__table_of_the_older_name__found(void)
{
    char older[512];
    begin();
    (void)snprintf(older, sizeof(older), "%s", table);
    (void)snprintf(strstr(older, ".sst"), 5, ".ldb");
    check_or_stop(rename(table, older) == 0);
    look_at(NULL);
    check_equal(look.missing_table, 0);
    check(look.table_format_max >= 2);
    end();
}

/* --- where the log lies ----------------------------------------------------------------------- */

/* Make the OPTIONS file name `wal_dir`, and LOG say what RocksDB noted at the last open. */
static void name_log(const char *wal_dir, const char *log_name, const char *log)
{
    static char text[2048];
    (void)snprintf(text, sizeof(text),
                   "[Version]\n  rocksdb_version=7.8.3\n[DBOptions]\n  wal_dir=%s\n", wal_dir);
    write_file("OPTIONS-999999", text);
    (void)unlink(path_of("LOG"));
    write_file(log_name, log);
}

static void remove_logs(void)
{
    DIR *entries = opendir(fixture.path);
    const struct dirent *entry;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        if (strstr(entry->d_name, ".log") != NULL) {
            (void)unlink(path_of(entry->d_name));
        }
    }
    (void)closedir(entries);
}

static const char *summary_of(const char *directory, const char *wal_dir)
{
    static char text[2048];
    (void)snprintf(text, sizeof(text),
                   "2026/01/01 SST files in %s dir, Total Num: 1, files: 000009.sst \n"
                   "2026/01/01 Write Ahead Log file in %s: 000010.log size: 0 ; \n",
                   directory, wal_dir);
    return text;
}

static void check_place(enum wal_place place, const char *directory)
{
    look_at(NULL);
    check_equal(look.wal_place, place);
    check_text(look.wal_dir, directory);
    store_look_close(&look);
}

static void test_store_look_open__log_directory_is_named__whose_it_is(void)
{
    struct rocks_fixture elsewhere;
    char below[400];
    begin();
    rocks_fixture_make_directory(&elsewhere);
    (void)snprintf(below, sizeof(below), "%s/wal", fixture.path);
    name_log(fixture.path, "LOG", "");
    check_place(WAL_HERE, fixture.path);
    check_or_stop(mkdir(below, 0700) == 0);
    name_log(below, "LOG", "");
    check_place(WAL_ELSEWHERE, below);
    name_log(elsewhere.path, "LOG", "");
    check_place(WAL_UNSURE, elsewhere.path);
    /* Noted at the last open, in LOG or an older one; but this directory has log files itself. */
    name_log(elsewhere.path, "LOG", summary_of(fixture.path, elsewhere.path));
    check_place(WAL_UNSURE, elsewhere.path);
    remove_logs();
    check_place(WAL_ELSEWHERE, elsewhere.path);
    name_log(elsewhere.path, "LOG.old.123", summary_of(fixture.path, elsewhere.path));
    check_place(WAL_ELSEWHERE, elsewhere.path);
    /* The newer of two counts. */
    write_file("LOG.old.124", summary_of("/another/database", elsewhere.path));
    check_place(WAL_UNSURE, elsewhere.path);
    write_file("LOG", summary_of(fixture.path, "/another/place"));
    check_place(WAL_UNSURE, elsewhere.path);
    rocks_fixture_close(&elsewhere);
    look_at(NULL);
    end();
}

/* Early releases name the database's own directory, which was moved. */
static void test_store_look_open__named_directory_is_gone_or_a_database__here_with_logs(void)
{
    struct rocks_fixture elsewhere;
    char current[400];
    begin();
    rocks_fixture_make_directory(&elsewhere);
    (void)snprintf(current, sizeof(current), "%s/CURRENT", elsewhere.path);
    FILE *file = fopen(current, "w");
    check_or_stop(file != NULL);
    (void)fclose(file);
    write_file("000099.log", "");
    name_log("/nonexistent/haul", "LOG", "");
    check_place(WAL_HERE, fixture.path);
    name_log(elsewhere.path, "LOG", "");
    check_place(WAL_HERE, fixture.path);
    remove_logs();
    check_place(WAL_UNSURE, elsewhere.path);
    name_log("/nonexistent/haul", "LOG", "");
    check_place(WAL_UNSURE, "/nonexistent/haul");
    check_or_stop(unlink(path_of("IDENTITY")) == 0); /* nobody has opened it here */
    check_place(WAL_HERE, fixture.path);
    rocks_fixture_close(&elsewhere);
    look_at(NULL);
    end();
}

static void test_store_look_open__log_directory_is_given__counts(void)
{
    struct rocks_fixture elsewhere;
    begin();
    rocks_fixture_make_directory(&elsewhere);
    look_at(elsewhere.path);
    check_equal(look.wal_place, WAL_ELSEWHERE);
    check_text(look.wal_dir, elsewhere.path);
    store_look_close(&look);
    look_at(fixture.path);
    check_equal(look.wal_place, WAL_HERE);
    check_text(look.wal_dir, fixture.path);
    rocks_fixture_close(&elsewhere);
    end();
}

static void test_store_look_open__tables_in_two_places__the_other_is_named(void)
{
    begin();
    (void)unlink(path_of("LOG"));
    static char text[1024];
    (void)snprintf(text, sizeof(text),
                   "SST files in %s dir, Total Num: 1, files: 1.sst \n"
                   "SST files in /mnt/other dir, Total Num: 1, files: 2.sst \n",
                   fixture.path);
    write_file("LOG", text);
    look_at(NULL);
    check_text(look.other_path, "/mnt/other");
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_store_look_open__plain_database__nothing_special),
    CHECK_TEST(test_store_look_open__named_log_directory_is_none__not_found),
    CHECK_TEST(test_store_look_open__no_database__not_found_and_closable),
    CHECK_TEST(test_store_look_open__blob_dir__only_a_directory_counts),
    CHECK_TEST(test_store_look_open__footers__kind_and_format),
    CHECK_TEST(test_store_look_open__table_cut_or_gone__its_number),
    CHECK_TEST(test_store_look_open__table_that_cannot_be_opened__not_missing),
    CHECK_TEST(test_store_look_open__table_of_the_older_name__found),
    CHECK_TEST(test_store_look_open__log_directory_is_named__whose_it_is),
    CHECK_TEST(test_store_look_open__named_directory_is_gone_or_a_database__here_with_logs),
    CHECK_TEST(test_store_look_open__log_directory_is_given__counts),
    CHECK_TEST(test_store_look_open__tables_in_two_places__the_other_is_named),
};
CHECK_MAIN("store_look", tests)
