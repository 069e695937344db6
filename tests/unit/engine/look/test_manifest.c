/* SPDX-License-Identifier: Apache-2.0 */
/* test_manifest.c — manifests of every age: families, files and log numbers, and what ends the
 * reading. */
#include "manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "rocks_fixture.h"

enum { EDIT_BYTES_MAX = 512, FILE_HEAD_BYTES = 7, WHOLE = 1 };

/* Tags, as RocksDB has them. */
enum {
    COMPARATOR = 1,
    LOG_NUMBER = 2,
    NEXT_FILE = 3,
    LAST_SEQUENCE = 4,
    COMPACT_CURSOR = 5,
    DELETED_FILE = 6,
    NEW_FILE = 7,
    MIN_LOG = 10,
    NEW_FILE2 = 100,
    NEW_FILE3 = 102,
    NEW_FILE4 = 103,
    PREVIOUS_LOG = 9,
    MAX_FAMILY = 203,
    ATOMIC_GROUP = 300,
    FAMILY = 200,
    FAMILY_ADD = 201,
    FAMILY_DROP = 202,
    BLOB_FILE = 400,
    IGNORABLE = 1 << 13,
};

static struct rocks_fixture fixture; /* only its directory */
static FILE *file;
static uint8_t edit[EDIT_BYTES_MAX];
static size_t edit_size;
static struct manifest manifest;
static char path[4096];
static struct haul_error error;

static void begin(void)
{
    rocks_fixture_make_directory(&fixture);
    (void)snprintf(path, sizeof(path), "%s/CURRENT", fixture.path);
    file = fopen(path, "we");
    check_or_stop(file != NULL && fputs("MANIFEST-000007\n", file) >= 0 && fclose(file) == 0);
    (void)snprintf(path, sizeof(path), "%s/MANIFEST-000007", fixture.path);
    file = fopen(path, "we");
    check_or_stop(file != NULL);
    edit_size = 0;
}

static void number(uint64_t value)
{
    check_or_stop(edit_size + 10 <= sizeof(edit));
    for (; value >= 0x80; value >>= 7) {
        edit[edit_size++] = (uint8_t)(value | 0x80);
    }
    edit[edit_size++] = (uint8_t)value;
}

static void text(const char *words)
{
    size_t size = strlen(words);
    number(size);
    check_or_stop(edit_size + size <= sizeof(edit));
    memcpy(edit + edit_size, words, size);
    edit_size += size;
}

/* Write the edit so far as a record of the file. */
static void end_edit(void)
{
    uint8_t head[FILE_HEAD_BYTES + EDIT_BYTES_MAX];
    head[6] = WHOLE;
    memcpy(head + FILE_HEAD_BYTES, edit, edit_size);
    uint32_t crc = crc32c(head + 6, edit_size + 1);
    put_u32(head, ((crc >> 15) | (crc << 17)) + UINT32_C(0xa282ead8));
    head[4] = (uint8_t)edit_size;
    head[5] = (uint8_t)(edit_size >> 8);
    check_or_stop(fwrite(head, 1, FILE_HEAD_BYTES + edit_size, file) ==
                  FILE_HEAD_BYTES + edit_size);
    edit_size = 0;
}

/* A table file; followed by more fields if the form has some. */
static void new_file(unsigned tag, uint64_t file_number, unsigned path_id)
{
    number(tag);
    number(1); /* level */
    number(file_number);
    if (tag == NEW_FILE3) {
        number(path_id);
    }
    number(4096);
    text("a");
    text("z");
    if (tag != NEW_FILE) {
        number(777); /* sequence numbers, which are no tags */
        number(888);
    }
    if (tag == NEW_FILE4 && path_id != 0) {
        const char id[] = {(char)path_id, '\0'};
        number(65);
        text(id);
    }
    if (tag == NEW_FILE4) {
        number(1);
    }
}

static enum haul_status read_it(void)
{
    char found[4096];
    check_or_stop(fclose(file) == 0);
    enum haul_status status = manifest_read(fixture.path, &manifest, found, sizeof(found), &error);
    check_text(found, path);
    return status;
}

static void end(void)
{
    manifest_fini(&manifest);
    rocks_fixture_close(&fixture);
}

static const struct manifest_file *table(uint64_t file_number)
{
    for (size_t i = 0; i < manifest.table_count; i++) {
        if (manifest.tables[i].number == file_number) {
            return &manifest.tables[i];
        }
    }
    return NULL;
}

/* Each form of a table file, with a next field that a wrong form would misread. */
static void test_manifest_read__table_files_of_every_release__found(void)
{
    static const unsigned forms[] = {NEW_FILE, NEW_FILE2, NEW_FILE3, NEW_FILE4};
    begin();
    for (size_t i = 0; i < CHECK_COUNT(forms); i++) {
        new_file(forms[i], 100 + i, 2);
        number(LAST_SEQUENCE);
        number(1000 + i);
        end_edit();
    }
    check_status(read_it(), HAUL_OK);
    check_equal(manifest.table_count, CHECK_COUNT(forms));
    check_equal(manifest.last_sequence, 1003);
    check(manifest.has_rocksdb_fields);
    check_or_stop(table(100) != NULL && table(101) != NULL);
    check_or_stop(table(102) != NULL && table(103) != NULL);
    check_equal(table(101)->path_id, 0);
    check_equal(table(102)->path_id, 2);
    check_equal(table(103)->path_id, 2);
    end();
}

/* A moved file is deleted and new in one edit, in either order. */
static void test_manifest_read__files_deleted_and_moved__only_live_ones(void)
{
    begin();
    for (uint64_t i = 1; i <= 900; i++) {
        new_file(NEW_FILE4, i, 0);
        end_edit();
    }
    for (uint64_t i = 1; i <= 900; i += 2) {
        number(DELETED_FILE);
        number(1);
        number(i);
        if (i % 10 == 1) {
            new_file(NEW_FILE4, i, 0);
        }
        end_edit();
    }
    check_status(read_it(), HAUL_OK);
    check_equal(manifest.table_count, 450 + 90);
    check(table(1) != NULL && table(2) != NULL && table(3) == NULL);
    end();
}

static void test_manifest_read__families_come_and_go__with_their_files(void)
{
    begin();
    number(COMPARATOR);
    text("leveldb.BytewiseComparator");
    end_edit();
    for (uint64_t id = 1; id <= 2; id++) {
        number(FAMILY);
        number(id);
        number(FAMILY_ADD);
        text(id == 1 ? "one" : "two");
        number(COMPARATOR);
        text("test.Order");
        number(LOG_NUMBER);
        number(20 + id);
        end_edit();
        new_file(NEW_FILE4, 50 + id, 0);
        number(FAMILY); /* comes after the family's own entries */
        number(id);
        end_edit();
    }
    number(FAMILY);
    number(1);
    number(FAMILY_DROP);
    end_edit();
    check_status(read_it(), HAUL_OK);
    check_or_stop(manifest.family_count == 2);
    check_text(manifest.families[0].name, "default");
    check_text(manifest.families[0].comparator, "leveldb.BytewiseComparator");
    check_text(manifest.families[1].name, "two");
    check_text(manifest.families[1].comparator, "test.Order");
    check_equal(manifest.families[1].log_number, 22);
    check(table(51) == NULL);
    check_or_stop(table(52) != NULL);
    check_equal(table(52)->family_id, 2);
    end();
}

static void test_manifest_read__log_numbers__written_down_or_the_lowest_family(void)
{
    begin();
    number(LOG_NUMBER);
    number(30);
    end_edit();
    number(FAMILY);
    number(1);
    number(FAMILY_ADD);
    text("one");
    number(LOG_NUMBER);
    number(20);
    end_edit();
    check_status(read_it(), HAUL_OK);
    check_equal(manifest.min_log_number, 20);
    check_equal(manifest.unflushed_log_number, 20);
    end();
    begin();
    number(LOG_NUMBER);
    number(30);
    number(MIN_LOG);
    number(25);
    end_edit();
    number(MIN_LOG);
    number(24); /* never goes back */
    end_edit();
    check_status(read_it(), HAUL_OK);
    check_equal(manifest.min_log_number, 25);
    check_equal(manifest.unflushed_log_number, 30);
    end();
}

/* Fields that a later release marks as ignorable are skipped; any other unknown field ends the
 * reading. */
static void test_manifest_read__field_of_a_later_release__skipped_or_version(void)
{
    begin();
    number(IGNORABLE + 5);
    text("later");
    number(LAST_SEQUENCE);
    number(12);
    end_edit();
    check_status(read_it(), HAUL_OK);
    check_equal(manifest.last_sequence, 12);
    end();
    begin();
    number(777);
    text("later");
    end_edit();
    check_status(read_it(), HAUL_VERSION);
    check(strstr(error.text, "777") != NULL);
    end();
    begin();
    new_file(NEW_FILE2, 1, 0);
    edit[0] = NEW_FILE4;
    number(66); /* mandatory, and unknown */
    text("x");
    number(1);
    end_edit();
    check_status(read_it(), HAUL_VERSION);
    end();
}

/* What follows them is read as if they were not there. */
static void test_manifest_read__fields_of_no_use__skipped_whole(void)
{
    static const struct {
        unsigned tag;
        bool has_text;
    } fields[] = {{NEXT_FILE, false},
                  {PREVIOUS_LOG, false},
                  {COMPACT_CURSOR, true},
                  {MAX_FAMILY, false},
                  {ATOMIC_GROUP, false}};
    for (size_t i = 0; i < CHECK_COUNT(fields); i++) {
        begin();
        number(fields[i].tag);
        number(2);
        if (fields[i].has_text) {
            text("a key of a compaction");
        }
        number(LAST_SEQUENCE);
        number(77);
        end_edit();
        check_status(read_it(), HAUL_OK);
        check_equal(manifest.last_sequence, 77);
        end();
    }
}

static void test_manifest_read__blob_files__counted(void)
{
    begin();
    number(BLOB_FILE);
    for (int i = 0; i < 3; i++) {
        number(300);
    }
    text("method");
    text("checksum");
    number(7);
    text("a field behind it");
    number(0);
    number(LAST_SEQUENCE);
    number(5);
    end_edit();
    check_status(read_it(), HAUL_OK);
    check_equal(manifest.blob_file_count, 1);
    check_equal(manifest.last_sequence, 5);
    end();
}

/* LevelDB's has only the original fields. */
static void test_manifest_read__fields_that_leveldb_writes__not_taken_for_rocksdb(void)
{
    begin();
    number(COMPARATOR);
    text("leveldb.BytewiseComparator");
    number(LOG_NUMBER);
    number(3);
    number(NEXT_FILE);
    number(4);
    number(LAST_SEQUENCE);
    number(0);
    end_edit();
    check_status(read_it(), HAUL_OK);
    check(!manifest.has_rocksdb_fields);
    end();
}

static void test_manifest_read__record_torn_within__corrupt(void)
{
    begin();
    new_file(NEW_FILE4, 5, 0);
    edit_size -= 3;
    end_edit();
    check_status(read_it(), HAUL_CORRUPT);
    end();
}

static void test_manifest_read__no_current_or_no_manifest__not_found_or_corrupt(void)
{
    char found[4096];
    begin();
    check_or_stop(fclose(file) == 0 && remove(path) == 0);
    check_error(manifest_read(fixture.path, &manifest, found, sizeof(found), &error), HAUL_CORRUPT,
                error);
    rocks_fixture_close(&fixture);
    rocks_fixture_make_directory(&fixture);
    check_error(manifest_read(fixture.path, &manifest, found, sizeof(found), &error),
                HAUL_NOT_FOUND, error);
    check_text(found, "");
    rocks_fixture_close(&fixture);
}

static void test_manifest_select__some_names__these_and_the_default_stay(void)
{
    static const char *const names[] = {"three", "absent", "one"};
    static const char *const all[] = {"one", "two", "three", "four"};
    begin();
    for (uint64_t id = 1; id <= CHECK_COUNT(all); id++) {
        number(FAMILY);
        number(id);
        number(FAMILY_ADD);
        text(all[id - 1]);
        end_edit();
    }
    check_status(read_it(), HAUL_OK);
    check_equal(manifest.family_count, 5);
    manifest_select(&manifest, names, CHECK_COUNT(names));
    check_equal(manifest.family_count, 3);
    check_text(manifest.families[0].name, "default");
    check_text(manifest.families[1].name, "one");
    check_text(manifest.families[2].name, "three");
    end();
}

/* So many that the table of files grows while some are deleted. */
static void test_manifest_read__more_than_a_thousand_files__deleted_ones_stay_away(void)
{
    enum { FILE_COUNT = 1200, GONE_COUNT = 300, FILES_PER_EDIT = 10 };
    begin();
    for (uint64_t i = 1; i <= FILE_COUNT; i++) {
        new_file(NEW_FILE, i, 0);
        if (i % FILES_PER_EDIT == 0) {
            end_edit();
        }
        if (i % FILES_PER_EDIT == 0 && i <= GONE_COUNT) {
            for (uint64_t gone = i - FILES_PER_EDIT + 1; gone <= i; gone++) {
                number(DELETED_FILE);
                number(1); /* level */
                number(gone);
            }
            end_edit();
        }
    }
    check_status(read_it(), HAUL_OK);
    check_equal(manifest.table_count, FILE_COUNT - GONE_COUNT);
    check(table(GONE_COUNT) == NULL);
    check(table(GONE_COUNT + 1) != NULL && table(FILE_COUNT) != NULL);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_manifest_read__more_than_a_thousand_files__deleted_ones_stay_away),
    CHECK_TEST(test_manifest_select__some_names__these_and_the_default_stay),
    CHECK_TEST(test_manifest_read__table_files_of_every_release__found),
    CHECK_TEST(test_manifest_read__files_deleted_and_moved__only_live_ones),
    CHECK_TEST(test_manifest_read__families_come_and_go__with_their_files),
    CHECK_TEST(test_manifest_read__log_numbers__written_down_or_the_lowest_family),
    CHECK_TEST(test_manifest_read__field_of_a_later_release__skipped_or_version),
    CHECK_TEST(test_manifest_read__fields_of_no_use__skipped_whole),
    CHECK_TEST(test_manifest_read__blob_files__counted),
    CHECK_TEST(test_manifest_read__fields_that_leveldb_writes__not_taken_for_rocksdb),
    CHECK_TEST(test_manifest_read__record_torn_within__corrupt),
    CHECK_TEST(test_manifest_read__no_current_or_no_manifest__not_found_or_corrupt),
};
CHECK_MAIN("manifest", tests)
