/* SPDX-License-Identifier: Apache-2.0 */
/* test_feature_gate.c — each reason to refuse a database, alone, and cases that differ by one
 * byte. */
#include "feature_gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/store.h"

enum { FAMILIES_MAX = HAUL_FAMILY_COUNT_MAX + 2, TABLE_FORMAT = 5 };

static const struct feature_release release = {
    .major = 7, .minor = 8, .patch = 3, .table_format_max = TABLE_FORMAT};

static struct store_look look;
static struct manifest_family families[FAMILIES_MAX];
static struct stored_family stored;
static char names[FAMILIES_MAX][16];
static struct haul_error error;

/* A look at a database of one bytewise family without any special feature. */
static void begin(void)
{
    memset(&look, 0, sizeof(look));
    memset(&stored, 0, sizeof(stored));
    (void)snprintf(look.directory, sizeof(look.directory), "/db");
    for (size_t i = 0; i < FAMILIES_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "family%03zu", i);
        families[i] = (struct manifest_family){.name = names[i],
                                               .name_size = strlen(names[i]),
                                               .comparator = "leveldb.BytewiseComparator"};
    }
    (void)snprintf(stored.name, sizeof(stored.name), "%s", names[0]);
    look.manifest.families = families;
    look.manifest.family_count = 1;
    look.options.families = &stored;
    look.options.family_count = 1;
    look.table_format_max = TABLE_FORMAT;
    error = (struct haul_error){.status = HAUL_OK};
}

static enum haul_status gate(bool read_only)
{
    enum haul_status status = feature_gate_check(&look, &release, read_only, &error);
    check(status == HAUL_OK || (error.status == status && error.hint[0] != '\0'));
    return status;
}

/* Refused whether or not the database is to be written. */
static void check_refused(enum haul_status expected, const char *named)
{
    check_status(gate(false), expected);
    if (strstr(error.text, named) == NULL) {
        (void)printf("no '%s' in: %s\n", named, error.text);
    }
    check(strstr(error.text, named) != NULL);
    check_status(gate(true), expected);
}

static void test_feature_gate_check__nothing_special__ok(void)
{
    begin();
    check_status(gate(false), HAUL_OK);
    check_status(gate(true), HAUL_OK);
    look.options.family_count = 0; /* no OPTIONS file */
    check_status(gate(false), HAUL_OK);
}

static void test_feature_gate_check__other_kinds_of_database__refused(void)
{
    begin();
    look.is_leveldb = true;
    check_refused(HAUL_UNSUPPORTED, "LevelDB");
    begin();
    look.has_stacked_blobs = true;
    check_refused(HAUL_UNSUPPORTED, "BlobDB");
    begin();
    look.log.has_blob_index = true;
    check_refused(HAUL_UNSUPPORTED, "BlobDB");
}

static void test_feature_gate_check__table_files__by_their_format(void)
{
    static const enum table_kind known[] = {TABLE_BLOCK_BASED, TABLE_PLAIN, TABLE_CUCKOO};
    begin();
    look.table_format_max = TABLE_FORMAT + 1;
    check_refused(HAUL_VERSION, "format 6; up to 5");
    begin();
    look.foreign_tables = TABLE_UNKNOWN;
    check_refused(HAUL_UNSUPPORTED, "a format that RocksDB does not know");
    for (size_t i = 0; i < CHECK_COUNT(known); i++) {
        begin();
        look.foreign_tables = known[i];
        check_status(gate(false), HAUL_OK);
    }
}

static void test_feature_gate_check__places_of_files__told_or_refused(void)
{
    begin();
    (void)snprintf(look.other_path, sizeof(look.other_path), "/fast");
    check_refused(HAUL_UNSUPPORTED, "/fast");
    begin();
    look.missing_table = 12;
    check_status(gate(false), HAUL_UNSUPPORTED);
    check(strstr(error.text, "000012.sst") != NULL);
    check_status(gate(true), HAUL_OK); /* RocksDB reports it itself, and it does no harm */
    begin();
    look.wal_place = WAL_UNSURE;
    (void)snprintf(look.wal_dir, sizeof(look.wal_dir), "/logs");
    check_refused(HAUL_UNSUPPORTED, "/logs");
    look.wal_place = WAL_ELSEWHERE;
    check_status(gate(false), HAUL_OK);
}

static void test_feature_gate_check__transactions_in_the_log__refused(void)
{
    begin();
    look.log.has_prepared = true;
    (void)snprintf(look.log.prepared, sizeof(look.log.prepared), "'pay 7'");
    check_refused(HAUL_UNSUPPORTED, "'pay 7' is prepared");
    begin();
    look.log.has_persisted_prepare = true;
    check_refused(HAUL_UNSUPPORTED, "write-prepared");
}

static void test_feature_gate_check__names_of_families__one_to_127_bytes(void)
{
    static char name[HAUL_NAME_BYTES_MAX + 1];
    memset(name, 'n', HAUL_NAME_BYTES_MAX);
    begin();
    families[0].name = "";
    families[0].name_size = 0;
    check_refused(HAUL_UNSUPPORTED, "empty name");
    begin();
    families[0].name = name;
    families[0].name_size = HAUL_NAME_BYTES_MAX;
    check_refused(HAUL_UNSUPPORTED, "128 bytes");
    name[HAUL_NAME_BYTES_MAX - 1] = '\0';
    families[0].name_size = HAUL_NAME_BYTES_MAX - 1;
    check_status(gate(false), HAUL_OK);
    begin();
    families[0].name = "a\0b";
    families[0].name_size = 3;
    check_refused(HAUL_UNSUPPORTED, "a zero among them");
}

static void test_feature_gate_check__comparators__known_ones_and_no_timestamps(void)
{
    begin();
    families[0].comparator = "rocksdb.ReverseBytewiseComparator";
    check_status(gate(false), HAUL_OK);
    families[0].comparator = "leveldb.BytewiseComparator.u64ts";
    check_refused(HAUL_UNSUPPORTED, "timestamps");
    families[0].comparator = ".u64ts";
    check_refused(HAUL_UNSUPPORTED, "timestamps");
    families[0].comparator = "test.u64ts.v2"; /* only looks like it */
    check_refused(HAUL_MISMATCH, "comparator 'test.u64ts.v2'");
    families[0].comparator = "u64ts";
    check_refused(HAUL_MISMATCH, "comparator 'u64ts'");
    begin(); /* the manifest's is in force; OPTIONS may name another */
    (void)snprintf(stored.comparator, sizeof(stored.comparator), "{id=test.Order;}");
    check_refused(HAUL_MISMATCH, "comparator 'test.Order'");
}

static void test_feature_gate_check__merge_operators_and_table_factories__known_ones(void)
{
    begin();
    (void)snprintf(stored.merge_operator, sizeof(stored.merge_operator),
                   "{id=StringAppendOperator;delimiter=,;}");
    check_status(gate(false), HAUL_OK);
    (void)snprintf(stored.merge_operator, sizeof(stored.merge_operator), "MergeSortOperator");
    check_refused(HAUL_MISMATCH, "merge operator 'MergeSortOperator'");
    begin();
    (void)snprintf(stored.table_factory, sizeof(stored.table_factory), "PlainTable");
    check_status(gate(false), HAUL_OK);
    (void)snprintf(stored.table_factory, sizeof(stored.table_factory), "test.Table");
    check_status(gate(false), HAUL_MISMATCH);
    check(strstr(error.text, "table factory 'test.Table'") != NULL);
    check_status(gate(true), HAUL_OK); /* read-only: nothing is flushed with another factory */
}

/* RocksDB's own statistics family does not count. */
static void test_feature_gate_check__many_families__as_many_as_haul_opens(void)
{
    begin();
    look.options.family_count = 0;
    look.manifest.family_count = HAUL_FAMILY_COUNT_MAX;
    check_status(gate(false), HAUL_OK);
    look.manifest.family_count = HAUL_FAMILY_COUNT_MAX + 1;
    check_refused(HAUL_UNSUPPORTED, "257 column families");
    families[7].name = STATISTICS_FAMILY;
    families[7].name_size = strlen(STATISTICS_FAMILY);
    check_status(gate(false), HAUL_OK);
}

/* The last family is checked like the first. */
static void test_feature_gate_check__last_of_many_families__refused(void)
{
    begin();
    look.manifest.family_count = 9;
    families[8].comparator = "test.Order";
    check_refused(HAUL_MISMATCH, "'family008'");
}

/* A failure may come from a later release's format: then that is the error. */
static void test_feature_gate_explain__version_of_the_writer__later_ones_are_the_reason(void)
{
    static const struct {
        const char *version;
        bool later;
    } cases[] = {{"7.8.3", false},  {"7.9.0", true},  {"8.0.0", true},
                 {"6.29.5", false}, {"7.8.9", false}, {"10.1.2", true},
                 {"", false},       {"words", false}, {"99", false}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        (void)snprintf(look.options.version, sizeof(look.options.version), "%s", cases[i].version);
        haul_error_set(&error, HAUL_CORRUPT, NULL, 0, "the first reason");
        enum haul_status status = feature_gate_explain(&look, &release, HAUL_CORRUPT, &error);
        check_status(status, cases[i].later ? HAUL_VERSION : HAUL_CORRUPT);
        check(strstr(error.text, "the first reason") != NULL);
        check(!cases[i].later || strstr(error.text, cases[i].version) != NULL);
        haul_error_set(&error, HAUL_BUSY, NULL, 0, "in use");
        check_status(feature_gate_explain(&look, &release, HAUL_BUSY, &error), HAUL_BUSY);
        haul_error_set(&error, HAUL_VERSION, NULL, 0, "a field of a later release");
        check_error(feature_gate_explain(&look, &release, HAUL_VERSION, &error), HAUL_VERSION,
                    error);
        check(strstr(error.text, "and this is 7.8.3") != NULL);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_feature_gate_check__nothing_special__ok),
    CHECK_TEST(test_feature_gate_check__other_kinds_of_database__refused),
    CHECK_TEST(test_feature_gate_check__table_files__by_their_format),
    CHECK_TEST(test_feature_gate_check__places_of_files__told_or_refused),
    CHECK_TEST(test_feature_gate_check__transactions_in_the_log__refused),
    CHECK_TEST(test_feature_gate_check__names_of_families__one_to_127_bytes),
    CHECK_TEST(test_feature_gate_check__comparators__known_ones_and_no_timestamps),
    CHECK_TEST(test_feature_gate_check__merge_operators_and_table_factories__known_ones),
    CHECK_TEST(test_feature_gate_check__many_families__as_many_as_haul_opens),
    CHECK_TEST(test_feature_gate_check__last_of_many_families__refused),
    CHECK_TEST(test_feature_gate_explain__version_of_the_writer__later_ones_are_the_reason),
};
CHECK_MAIN("feature_gate", tests)
