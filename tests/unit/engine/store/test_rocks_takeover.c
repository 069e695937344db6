/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_takeover.c — families with the options of another database, which may be hostile, and
 * the first family of a new database. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "family_options.h"
#include "rocks_fixture.h"
#include "rocks_known.h"
#include "rocks_store.h"

static struct rocks_fixture fixture;
static const struct haul_store_ops *ops;
static struct haul_family family;
static struct haul_error error;

static void open_fixture(void)
{
    rocks_fixture_open(&fixture);
    ops = fixture.store->ops;
    memset(&error, 0, sizeof(error));
}

static enum haul_status make(const char *name, const char *options)
{
    return ops->family_create_like(fixture.store, name, options, &family, &error);
}

/* An option of the family as the store reports it, "" if it does not. */
static const char *option_of(uint32_t family_id, const char *name)
{
    static char text[256];
    char *options = NULL;
    struct haul_slice value = {NULL, 0};
    check_or_stop(ops->family_options(fixture.store, family_id, &options, &error) == HAUL_OK);
    (void)family_options_find(options, text_slice(name), &value);
    (void)snprintf(text, sizeof(text), "%.*s", (int)value.size,
                   value.size == 0 ? "" : (const char *)value.data);
    free(options);
    return text;
}

static void test_family_create_like__options__in_force_and_said(void)
{
    open_fixture();
    check_status(make("new", "compression=kZSTD\ntable.block_size=16384\n"
                             "table.filter_policy=bloomfilter:8:false\nmin_blob_size=7\n"
                             "merge_operator=MaxOperator\n"
                             "comparator=rocksdb.ReverseBytewiseComparator\n"),
                 HAUL_OK);
    check_text(family.comparator, "rocksdb.ReverseBytewiseComparator");
    check_text(family.merge_operator, "MaxOperator");
    check_text(option_of(family.id, "compression"), "kZSTD");
    check_text(option_of(family.id, "table.block_size"), "16384");
    check_text(option_of(family.id, "table.filter_policy"), "bloomfilter:8:false");
    check_text(option_of(family.id, "min_blob_size"), "7");
    rocks_fixture_close(&fixture);
}

/* An option of a newer release: the others are applied all the same. */
static void test_family_create_like__unknown_name_or_value__left_out(void)
{
    open_fixture();
    check_status(make("new", "shiny_option=1\ncompression=kShiny\ntable.block_size=many\n"
                             "num_levels=4\nno value\n"),
                 HAUL_OK);
    check_text(option_of(family.id, "num_levels"), "4");
    check_text(option_of(family.id, "compression"), "kSnappyCompression");
    check_text(option_of(family.id, "table.block_size"), "4096");
    rocks_fixture_close(&fixture);
}

/* A peer may set the listed options, and nothing else. */
static void test_family_create_like__value_that_leaves_its_option__left_out(void)
{
    open_fixture();
    check_status(make("new", "num_levels=4;disable_auto_compactions=true\n"
                             "table.block_size=16384};disable_auto_compactions=true;{a=b\n"
                             "write_buffer_size=1\ncompaction_style=kCompactionStyleFIFO\n"
                             "compaction_filter=RemoveEmptyValueCompactionFilter\n"
                             "table.filter_policy=rocksdb.internal.Standard128RibbonFilter:9\n"
                             "prefix_extractor=test.Strange\nmerge_operator=MergeSortOperator\n"),
                 HAUL_OK);
    check_text(option_of(family.id, "num_levels"), "7");
    check_text(option_of(family.id, "table.block_size"), "4096");
    check_text(option_of(family.id, "compaction_style"), "kCompactionStyleLevel");
    check_text(option_of(family.id, "compaction_filter"), "nullptr");
    check_text(option_of(family.id, "prefix_extractor"), "nullptr");
    check_text(option_of(family.id, "table.filter_policy"), "nullptr");
    check_text(family.merge_operator, "");
    rocks_fixture_close(&fixture);
}

/* --- limits ----------------------------------------------------------------------------------- */

static enum haul_status receive(const char *name, const char *options)
{
    memset(&error, 0, sizeof(error));
    return ops->receive_check(fixture.store, name, options, &error);
}

/* What RocksDB would take memory, files or time without end for. */
static const struct {
    const char *option;
    const char *name; /* that the refusal has */
} beyond[] = {
    {"num_levels=65", "num_levels"},
    {"num_levels=2000000000", "num_levels"},
    {"num_levels=0", "num_levels"},
    {"memtable_prefix_bloom_size_ratio=1000000", "memtable_prefix_bloom_size_ratio"},
    {"blob_file_size=1", "blob_file_size"},
    {"blob_file_size=18446744073709551615", "blob_file_size"},
    {"blob_file_starting_level=2000000000", "blob_file_starting_level"},
    {"blob_garbage_collection_age_cutoff=1.01", "blob_garbage_collection_age_cutoff"},
    {"blob_garbage_collection_force_threshold=2", "blob_garbage_collection_force_threshold"},
    {"table.block_size=1", "block_size"},
    {"table.block_size=4294967296", "block_size"},
    {"table.block_size_deviation=101", "block_size_deviation"},
    {"table.block_restart_interval=2000000000", "block_restart_interval"},
    {"table.index_block_restart_interval=1025", "index_block_restart_interval"},
    {"table.metadata_block_size=1", "metadata_block_size"},
    {"table.data_block_hash_table_util_ratio=0.000001", "data_block_hash_table_util_ratio"},
    {"compression_opts={enabled=true;max_dict_bytes=4294967295;}", "max_dict_bytes"},
    {"compression_opts={parallel_threads=1000000}", "parallel_threads"},
    {"bottommost_compression_opts={level=1;zstd_max_train_bytes=4294967295;}",
     "zstd_max_train_bytes"},
};

static void test_rocks_receive_check__beyond_a_limit__refused_by_name(void)
{
    open_fixture();
    for (size_t i = 0; i < CHECK_COUNT(beyond); i++) {
        check_error(receive("new", beyond[i].option), HAUL_UNSUPPORTED, error);
        check(strstr(error.text, beyond[i].name) != NULL && strstr(error.text, "'new'") != NULL);
        check(error.hint[0] != '\0');
        check_status(receive("default", beyond[i].option), HAUL_UNSUPPORTED); /* made anew */
    }
    rocks_fixture_close(&fixture);
}

static void test_family_create_like__beyond_a_limit__left_out(void)
{
    open_fixture();
    check_status(make("plain", ""), HAUL_OK);
    uint32_t plain = family.id;
    for (size_t i = 0; i < CHECK_COUNT(beyond); i++) {
        char name[32];
        char option[ROCKS_OPTION_NAME_BYTES_MAX];
        char expected[256];
        (void)snprintf(name, sizeof(name), "f%zu", i);
        (void)snprintf(option, sizeof(option), "%.*s", (int)strcspn(beyond[i].option, "="),
                       beyond[i].option);
        (void)snprintf(expected, sizeof(expected), "%s", option_of(plain, option));
        check_status(make(name, beyond[i].option), HAUL_OK);
        check_text(option_of(family.id, option), expected);
    }
    rocks_fixture_close(&fixture);
}

/* RocksDB's parser takes more forms of a number than the stored options have. */
static void test_family_create_like__number_in_another_form__left_out(void)
{
    static const char *const forms[] = {
        "num_levels=1000k", "num_levels={100000}", "num_levels=-1", "num_levels=+100000",
        "num_levels=1e5",   "num_levels=100000x",  "num_levels=",   "num_levels= 100000",
    };
    open_fixture();
    for (size_t i = 0; i < CHECK_COUNT(forms); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "f%zu", i);
        check_status(receive(name, forms[i]), HAUL_OK);
        check_status(make(name, forms[i]), HAUL_OK);
        check_text(option_of(family.id, "num_levels"), "7");
    }
    check_status(make("nested", "compression_opts={{max_dict_bytes=4294967295;}}"), HAUL_OK);
    check(strstr(option_of(family.id, "compression_opts"), "max_dict_bytes=0;") != NULL);
    rocks_fixture_close(&fixture);
}

static void test_rocks_receive_check__within_the_limits__fits(void)
{
    open_fixture();
    check_status(receive("new", "num_levels=64\ntable.block_size=512\nblob_file_size=65536\n"
                                "table.metadata_block_size=16777216\nshiny=1000000000000\n"
                                "compression_opts={level=32767;max_dict_bytes=1048576;"
                                "parallel_threads=64;}\nmemtable_prefix_bloom_size_ratio=0.1\n"),
                 HAUL_OK);
    check_status(receive("new", NULL), HAUL_OK);
    rocks_fixture_close(&fixture);
}

/* The first and the last one would count, in different places. */
static void test_rocks_receive_check__option_twice__unsupported(void)
{
    open_fixture();
    check_error(receive("new", "num_levels=4\nmin_blob_size=1\nnum_levels=4\n"), HAUL_UNSUPPORTED,
                error);
    check(strstr(error.text, "num_levels twice") != NULL && error.hint[0] != '\0');
    check_status(receive("new", "block_size=4\ntable.block_size=4096\nshiny=1\nshiny=2\n"),
                 HAUL_OK);
    rocks_fixture_close(&fixture);
}

/* Its own options stay. */
static void test_rocks_receive_check__family_that_is_there__any_value(void)
{
    open_fixture();
    check_status(make("old", "num_levels=5\n"), HAUL_OK);
    check_status(receive("old", "num_levels=100\n"), HAUL_OK);
    check_status(receive("default", "num_levels=100\n"), HAUL_OK); /* beside another */
    rocks_fixture_close(&fixture);
}

/* Cut off, it would be another value. */
static void test_family_create_like__value_too_long__left_out(void)
{
    enum { PARSER_BYTES_MAX = 512 }; /* with the terminator */
    char options[600];
    for (int longer = 0; longer < 2; longer++) {
        (void)snprintf(options, sizeof(options), "min_blob_size=%0*d\nnum_levels=4\n",
                       PARSER_BYTES_MAX - 1 + longer, 77);
        open_fixture();
        check_status(make("new", options), HAUL_OK);
        check_text(option_of(family.id, "min_blob_size"), longer != 0 ? "0" : "77");
        check_text(option_of(family.id, "num_levels"), "4");
        rocks_fixture_close(&fixture);
    }
}

static void test_family_create_like__default_of_a_new_store__made_anew_under_its_identity(void)
{
    open_fixture();
    char identity[HAUL_IDENTITY_BYTES_MAX];
    (void)snprintf(identity, sizeof(identity), "%s", ops->identity(fixture.store));
    check_status(make("default", "compression=kZSTD\n"
                                 "comparator=rocksdb.ReverseBytewiseComparator\n"),
                 HAUL_OK);
    check_text(family.name, "default");
    check_text(option_of(0, "compression"), "kZSTD");
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("1"));
    rocks_fixture_reopen(&fixture);
    check_text(ops->identity(fixture.store), identity);
    check_text(option_of(0, "comparator"), "rocksdb.ReverseBytewiseComparator");
    check_equal(rocks_fixture_count(&fixture, "default"), 1);
    rocks_fixture_close(&fixture);
}

/* A file of the fixture's directory with this text. */
static void write_text(const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
    FILE *file = fopen(path, "we");
    check_or_stop(file != NULL);
    check(fputs(text, file) >= 0);
    check_equal(fclose(file), 0);
}

/* The process that rebuilt it died before the new one had the old name. */
static void test_family_create_like__died_before_its_identity__completed_at_the_next_open(void)
{
    open_fixture();
    char identity[HAUL_IDENTITY_BYTES_MAX];
    (void)snprintf(identity, sizeof(identity), "%s", ops->identity(fixture.store));
    write_text("IDENTITY.haul", identity);
    write_text("IDENTITY", "another");
    rocks_fixture_reopen(&fixture);
    check_text(fixture.store->ops->identity(fixture.store), identity);
    rocks_fixture_reopen(&fixture);
    check_text(fixture.store->ops->identity(fixture.store), identity);
    rocks_fixture_close(&fixture);
}

/* A family that cannot get the source's order is unchanged, for the next source too. */
static void test_family_create_like__cannot_be_made_anew__as_before(void)
{
    open_fixture();
    char identity[HAUL_IDENTITY_BYTES_MAX];
    char path[512];
    (void)snprintf(identity, sizeof(identity), "%s", ops->identity(fixture.store));
    (void)snprintf(path, sizeof(path), "%s/IDENTITY.haul", fixture.path);
    check_equal(mkdir(path, 0755), 0);
    check(make("default", "comparator=rocksdb.ReverseBytewiseComparator\n") != HAUL_OK);
    check_equal(rmdir(path), 0);
    check_text(option_of(0, "comparator"), "leveldb.BytewiseComparator");
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("1"));
    rocks_fixture_reopen(&fixture);
    check_text(fixture.store->ops->identity(fixture.store), identity);
    check_equal(rocks_fixture_count(&fixture, "default"), 1);
    rocks_fixture_close(&fixture);
}

static void test_family_create_like__default_that_was_written_to__exists(void)
{
    open_fixture();
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("1"));
    check_status(make("default", "compression=kZSTD\n"), HAUL_EXISTS);
    check_text(option_of(0, "compression"), "kSnappyCompression");
    check_equal(rocks_fixture_count(&fixture, "default"), 1);
    rocks_fixture_close(&fixture);
}

/* The process that made the database may have died before a plan came. */
static void test_family_create_like__default_of_an_earlier_process__made_anew(void)
{
    open_fixture();
    rocks_fixture_reopen(&fixture);
    ops = fixture.store->ops;
    check_status(make("default", "compression=kZSTD\nmerge_operator=MaxOperator\n"), HAUL_OK);
    check_text(option_of(0, "compression"), "kZSTD");
    check_text(family.merge_operator, "MaxOperator");
    rocks_fixture_close(&fixture);
}

static void test_family_create_like__default_with_options_that_somebody_chose__exists(void)
{
    open_fixture();
    check_status(make("default", "num_levels=4\n"), HAUL_OK);
    rocks_fixture_reopen(&fixture);
    ops = fixture.store->ops;
    check_status(make("default", "num_levels=5\n"), HAUL_EXISTS);
    check_text(option_of(0, "num_levels"), "4");
    rocks_fixture_close(&fixture);
}

static void test_family_create_like__beside_other_families__exists(void)
{
    open_fixture();
    (void)rocks_fixture_family(&fixture, "other");
    check_status(make("default", "compression=kZSTD\n"), HAUL_EXISTS);
    check_status(make("other", "compression=kZSTD\n"), HAUL_EXISTS);
    rocks_fixture_close(&fixture);
}

static void check_stored(const char *name, const char *expected)
{
    char value[ROCKS_OPTION_VALUE_BYTES_MAX];
    rocks_family_option(rocks_of(fixture.store), "one", name, value);
    check_text(value, expected);
}

/* RocksDB writes its OPTIONS file anew when a family is created. */
static void test_rocks_family_options__created_after_the_open__as_created(void)
{
    rocks_fixture_open(&fixture);
    rocks_fixture_reopen(&fixture);
    ops = fixture.store->ops;
    check_status(make("one", "num_levels=5\ntable.block_size=16384\n"), HAUL_OK);
    check_text(option_of(family.id, "num_levels"), "5");
    check_text(option_of(0, "num_levels"), "7");
    check_status(make("two", "num_levels=6\n"), HAUL_OK); /* the file was read a moment ago */
    check_text(option_of(family.id, "num_levels"), "6");
    check_stored("table.block_size", "16384");
    check_stored("num_levels", "5");
    check_stored("block_size", "");
    rocks_fixture_close(&fixture);
}

static void test_rocks_family_options__unknown_family__not_found(void)
{
    char *options = NULL;
    open_fixture();
    check_error(ops->family_options(fixture.store, 7, &options, &error), HAUL_NOT_FOUND, error);
    rocks_fixture_close(&fixture);
}

enum { READER_COUNT = 3, READ_COUNT = 200 };

static atomic_uint readings; /* that were as the first */
static char *first_reading;

static void *read_options(void *context)
{
    const uint32_t *family_id = context;
    for (int i = 0; i < READ_COUNT; i++) {
        char *options = NULL;
        struct haul_error failed;
        rocks_takeover_forget(rocks_of(fixture.store), false);
        if (ops->family_options(fixture.store, *family_id, &options, &failed) == HAUL_OK) {
            (void)atomic_fetch_add(&readings, strcmp(options, first_reading) == 0 ? 1 : 0);
            free(options);
        }
    }
    return NULL;
}

/* Several jobs of one database begin on threads of their own. */
static void test_rocks_family_options__several_threads__each_has_all_of_them(void)
{
    pthread_t readers[READER_COUNT];
    open_fixture();
    check_status(make("new", "compression=kZSTD\n"), HAUL_OK);
    check_or_stop(ops->family_options(fixture.store, family.id, &first_reading, &error) == HAUL_OK);
    atomic_store(&readings, 0);
    for (int i = 0; i < READER_COUNT; i++) {
        check_or_stop(pthread_create(&readers[i], NULL, read_options, &family.id) == 0);
    }
    for (int i = 0; i < READER_COUNT; i++) {
        check_equal(pthread_join(readers[i], NULL), 0);
    }
    check_equal(atomic_load(&readings), READER_COUNT * READ_COUNT);
    free(first_reading);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_family_create_like__options__in_force_and_said),
    CHECK_TEST(test_family_create_like__unknown_name_or_value__left_out),
    CHECK_TEST(test_family_create_like__value_that_leaves_its_option__left_out),
    CHECK_TEST(test_rocks_receive_check__beyond_a_limit__refused_by_name),
    CHECK_TEST(test_family_create_like__beyond_a_limit__left_out),
    CHECK_TEST(test_family_create_like__number_in_another_form__left_out),
    CHECK_TEST(test_rocks_receive_check__within_the_limits__fits),
    CHECK_TEST(test_rocks_receive_check__option_twice__unsupported),
    CHECK_TEST(test_rocks_receive_check__family_that_is_there__any_value),
    CHECK_TEST(test_family_create_like__value_too_long__left_out),
    CHECK_TEST(test_family_create_like__default_of_a_new_store__made_anew_under_its_identity),
    CHECK_TEST(test_family_create_like__died_before_its_identity__completed_at_the_next_open),
    CHECK_TEST(test_family_create_like__cannot_be_made_anew__as_before),
    CHECK_TEST(test_family_create_like__default_that_was_written_to__exists),
    CHECK_TEST(test_family_create_like__default_of_an_earlier_process__made_anew),
    CHECK_TEST(test_family_create_like__default_with_options_that_somebody_chose__exists),
    CHECK_TEST(test_family_create_like__beside_other_families__exists),
    CHECK_TEST(test_rocks_family_options__created_after_the_open__as_created),
    CHECK_TEST(test_rocks_family_options__unknown_family__not_found),
    CHECK_TEST(test_rocks_family_options__several_threads__each_has_all_of_them),
};

CHECK_MAIN("rocks_takeover", tests)
