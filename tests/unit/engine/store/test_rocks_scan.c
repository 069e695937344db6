/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_scan.c — families, scans, snapshots, reads and writes of a real database. */
#include <dirent.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/store.h"
#include "raw_batch.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"

static struct rocks_fixture fixture;
static const struct haul_store_ops *ops;
static struct haul_error error;
static const struct haul_slice none;

static void open_fixture(void)
{
    rocks_fixture_open(&fixture);
    ops = fixture.store->ops;
    memset(&error, 0, sizeof(error));
}

static void put(const char *key, const char *value)
{
    rocks_fixture_put(&fixture, 0, text_slice(key), text_slice(value));
}

/* First letters of a scan's keys, in its order; '!' if it ended with an error. */
static const char *keys_of(const struct haul_snapshot *snapshot, struct haul_slice start,
                           struct haul_slice end)
{
    static char letters[64];
    size_t count = 0;
    struct haul_scan *scan = NULL;
    struct haul_record record;
    enum haul_status status = ops->scan_open(fixture.store, snapshot, 0, start, end, &scan, &error);
    while (status == HAUL_OK && count < sizeof(letters) - 2) {
        status = ops->scan_next(scan, &record, &error);
        if (status == HAUL_OK) {
            letters[count++] = record.key.size == 0 ? '.' : (char)record.key.data[0];
        }
    }
    if (status != HAUL_NOT_FOUND) {
        letters[count++] = '!';
    }
    letters[count] = '\0';
    if (scan != NULL) {
        ops->scan_close(scan);
    }
    return letters;
}

/* The value of a key as text, NULL if absent. */
static const char *value_of(uint32_t family_id, const char *key)
{
    static char text[64];
    uint8_t *value = NULL;
    size_t size = 0;
    if (ops->get(fixture.store, NULL, family_id, text_slice(key), &value, &size, &error) !=
        HAUL_OK) {
        return NULL;
    }
    (void)snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)value);
    free(value);
    return text;
}

/* --- families --------------------------------------------------------------------------------- */

static void test_rocks_family_create__new_name__listed_and_usable(void)
{
    open_fixture();
    struct haul_family family;
    check_status(ops->family_create(fixture.store, "new", &family, &error), HAUL_OK);
    check_text(family.name, "new");
    check(family.id != 0);
    struct haul_family families[4];
    size_t count = 0;
    check_status(ops->families(fixture.store, families, 4, &count, &error), HAUL_OK);
    check_equal(count, 2);
    rocks_fixture_put(&fixture, family.id, text_slice("key"), text_slice("there"));
    check_text(value_of(family.id, "key"), "there");
    check(value_of(0, "key") == NULL);
    rocks_fixture_close(&fixture);
}

static void test_rocks_family_create__reopened__still_there(void)
{
    open_fixture();
    uint32_t id = rocks_fixture_family(&fixture, "kept");
    rocks_fixture_put(&fixture, id, text_slice("key"), text_slice("there"));
    rocks_fixture_reopen(&fixture);
    check_text(value_of(id, "key"), "there");
    rocks_fixture_close(&fixture);
}

static void test_rocks_family_create__name_taken__exists(void)
{
    open_fixture();
    struct haul_family family;
    check_error(ops->family_create(fixture.store, "default", &family, &error), HAUL_EXISTS, error);
    rocks_fixture_close(&fixture);
}

static void test_rocks_family_create__name_empty_or_too_long__invalid(void)
{
    open_fixture();
    struct haul_family family;
    char name[HAUL_NAME_BYTES_MAX + 1] = "";
    check_error(ops->family_create(fixture.store, name, &family, &error), HAUL_INVALID, error);
    memset(name, 'n', HAUL_NAME_BYTES_MAX);
    check_error(ops->family_create(fixture.store, name, &family, &error), HAUL_INVALID, error);
    rocks_fixture_close(&fixture);
}

static void test_rocks_families__too_little_room__limit(void)
{
    open_fixture();
    (void)rocks_fixture_family(&fixture, "second");
    struct haul_family family;
    size_t count = 0;
    check_error(ops->families(fixture.store, &family, 1, &count, &error), HAUL_LIMIT, error);
    rocks_fixture_close(&fixture);
}

static void test_rocks_scan_open__unknown_family__not_found(void)
{
    open_fixture();
    struct haul_scan *scan = NULL;
    check_status(ops->scan_open(fixture.store, NULL, 77, none, none, &scan, &error),
                 HAUL_NOT_FOUND);
    check(strstr(error.text, "77") != NULL);
    rocks_fixture_close(&fixture);
}

/* --- scans ------------------------------------------------------------------------------------ */

static void fill_letters(void)
{
    put("d", "4");
    put("b", "2");
    put("a", "1");
    put("e", "5");
    put("c", "3");
}

static void test_rocks_scan__no_bounds__everything_in_order(void)
{
    open_fixture();
    fill_letters();
    check_text(keys_of(NULL, none, none), "abcde");
    rocks_fixture_close(&fixture);
}

static void test_rocks_scan__bounds__start_inclusive_end_exclusive(void)
{
    open_fixture();
    fill_letters();
    check_text(keys_of(NULL, text_slice("b"), text_slice("d")), "bc");
    check_text(keys_of(NULL, text_slice("bb"), none), "cde");
    check_text(keys_of(NULL, none, text_slice("cc")), "abc");
    rocks_fixture_close(&fixture);
}

static void test_rocks_scan__empty_range__sound_end(void)
{
    open_fixture();
    fill_letters();
    check_text(keys_of(NULL, text_slice("x"), text_slice("y")), "");
    rocks_fixture_close(&fixture);
}

static void test_rocks_scan__asked_after_the_end__still_the_end(void)
{
    open_fixture();
    put("a", "1");
    struct haul_scan *scan = NULL;
    struct haul_record record;
    check_status(ops->scan_open(fixture.store, NULL, 0, none, none, &scan, &error), HAUL_OK);
    check_status(ops->scan_next(scan, &record, &error), HAUL_OK);
    check_equal(record.value.size, 1);
    check_equal(record.value.data[0], '1');
    check_status(ops->scan_next(scan, &record, &error), HAUL_NOT_FOUND);
    check_status(ops->scan_next(scan, &record, &error), HAUL_NOT_FOUND);
    ops->scan_close(scan);
    rocks_fixture_close(&fixture);
}

static void test_rocks_scan__empty_key_and_value__found(void)
{
    open_fixture();
    put("", "");
    put("a", "1");
    check_text(keys_of(NULL, none, none), ".a");
    check_text(value_of(0, ""), "");
    rocks_fixture_close(&fixture);
}

static void test_rocks_scan__deleted_records__not_seen(void)
{
    open_fixture();
    fill_letters();
    rocks_fixture_delete(&fixture, 0, text_slice("c"));
    check_text(keys_of(NULL, none, none), "abde");
    rocks_fixture_close(&fixture);
}

static void test_rocks_scan__entity_with_columns__refused_by_key(void)
{
    open_fixture();
    fill_letters();
    rocks_fixture_put_entity(&fixture, 0, text_slice("b2"), "name", "value");
    check_text(keys_of(NULL, none, none), "ab!");
    check_status(error.status, HAUL_UNSUPPORTED);
    check(strstr(error.text, "wide-column entity at key") != NULL);
    check_text(keys_of(NULL, text_slice("c"), none), "cde");
    rocks_fixture_close(&fixture);
}

static void test_rocks_scan__entity_of_the_default_column__its_value(void)
{
    open_fixture();
    rocks_fixture_put_entity(&fixture, 0, text_slice("a"), "", "plain");
    check_text(keys_of(NULL, none, none), "a");
    check_text(value_of(0, "a"), "plain");
    rocks_fixture_close(&fixture);
}

/* --- snapshots -------------------------------------------------------------------------------- */

static void test_rocks_snapshot__written_after_it__not_seen(void)
{
    open_fixture();
    fill_letters();
    struct haul_snapshot *snapshot = NULL;
    uint64_t sequence = 0;
    check_status(ops->snapshot_open(fixture.store, &snapshot, &sequence, &error), HAUL_OK);
    put("f", "6");
    rocks_fixture_delete(&fixture, 0, text_slice("a"));
    check_text(keys_of(snapshot, none, none), "abcde");
    check_text(keys_of(NULL, none, none), "bcdef");
    ops->snapshot_close(fixture.store, snapshot);
    rocks_fixture_close(&fixture);
}

static void test_rocks_snapshot__survives_flush_and_overwrite__old_value(void)
{
    open_fixture();
    put("a", "old");
    struct haul_snapshot *snapshot = NULL;
    uint64_t sequence = 0;
    check_status(ops->snapshot_open(fixture.store, &snapshot, &sequence, &error), HAUL_OK);
    put("a", "new");
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
    uint8_t *value = NULL;
    size_t size = 0;
    check_status(ops->get(fixture.store, snapshot, 0, text_slice("a"), &value, &size, &error),
                 HAUL_OK);
    check(slice_compare(slice_of(value, size), text_slice("old")) == 0);
    free(value);
    ops->snapshot_close(fixture.store, snapshot);
    rocks_fixture_close(&fixture);
}

static void test_rocks_snapshot__sequence__the_last_given_out(void)
{
    open_fixture();
    fill_letters();
    struct haul_snapshot *snapshot = NULL;
    uint64_t sequence = 0;
    check_status(ops->snapshot_open(fixture.store, &snapshot, &sequence, &error), HAUL_OK);
    check_equal(sequence, 5);
    check_equal(ops->sequence(fixture.store), 5);
    put("f", "6");
    check_equal(ops->sequence(fixture.store), 6);
    ops->snapshot_close(fixture.store, snapshot);
    rocks_fixture_close(&fixture);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* Flip some bytes of the first data block of every table file. */
static void damage_tables(void)
{
    DIR *directory = opendir(fixture.path);
    check_or_stop(directory != NULL);
    const struct dirent *entry;
    unsigned damaged = 0;
    while ((entry = readdir(directory)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot == NULL || strcmp(dot, ".sst") != 0) {
            continue;
        }
        char path[600];
        (void)snprintf(path, sizeof(path), "%s/%s", fixture.path, entry->d_name);
        FILE *file = fopen(path, "r+");
        check_or_stop(file != NULL);
        uint8_t bytes[16];
        check_equal(fseek(file, 20, SEEK_SET), 0);
        check_equal(fread(bytes, 1, sizeof(bytes), file), sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)~bytes[i];
        }
        check_equal(fseek(file, 20, SEEK_SET), 0);
        check_equal(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
        check_equal(fclose(file), 0);
        damaged++;
    }
    (void)closedir(directory);
    check_equal(damaged, 1);
}

static void open_damaged(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", 1000, 100);
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
    damage_tables();
    rocks_fixture_reopen(&fixture);
}

static void test_rocks_scan__table_damaged__corrupt_and_no_sound_end(void)
{
    open_damaged();
    struct haul_scan *scan = NULL;
    struct haul_record record;
    enum haul_status status = ops->scan_open(fixture.store, NULL, 0, none, none, &scan, &error);
    while (status == HAUL_OK) {
        status = ops->scan_next(scan, &record, &error);
    }
    check_status(status, HAUL_CORRUPT);
    check_error(ops->scan_next(scan, &record, &error), HAUL_CORRUPT, error);
    check(error.hint[0] != '\0');
    ops->scan_close(scan);
    rocks_fixture_close(&fixture);
}

static void test_rocks_get__table_damaged__corrupt(void)
{
    open_damaged();
    uint8_t *value = NULL;
    size_t size = 0;
    check_error(ops->get(fixture.store, NULL, 0, text_slice("key00000000"), &value, &size, &error),
                HAUL_CORRUPT, error);
    rocks_fixture_close(&fixture);
}

static void test_rocks_range_size__table_damaged__corrupt(void)
{
    open_damaged();
    uint64_t bytes = 0;
    check_error(ops->range_size(fixture.store, 0, none, none, &bytes, &error), HAUL_CORRUPT, error);
    rocks_fixture_close(&fixture);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void test_rocks_write__batch_of_all_kinds__takes_effect(void)
{
    open_fixture();
    fill_letters();
    uint32_t family = rocks_fixture_family(&fixture, "other");
    uint8_t memory[256];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_put(&writer, 0, text_slice("f"), text_slice("6")));
    check(raw_batch_put(&writer, family, text_slice("g"), text_slice("7")));
    check(raw_batch_delete(&writer, 0, text_slice("e")));
    check(raw_batch_delete_range(&writer, 0, text_slice("a"), text_slice("c")));
    size_t size = raw_batch_finish(&writer);
    check_status(ops->write(fixture.store, slice_of(memory, size), HAUL_WRITE_SYNC, &error),
                 HAUL_OK);
    check_text(keys_of(NULL, none, none), "cdf");
    check_text(value_of(family, "g"), "7");
    rocks_fixture_close(&fixture);
}

static void write_without_log(const char *key)
{
    uint8_t memory[64];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_put(&writer, 0, text_slice(key), text_slice("v")));
    size_t size = raw_batch_finish(&writer);
    check_status(ops->write(fixture.store, slice_of(memory, size), HAUL_WRITE_NO_WAL, &error),
                 HAUL_OK);
}

static void test_rocks_flush__written_without_log__survives_reopening(void)
{
    open_fixture();
    write_without_log("a");
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
    rocks_fixture_reopen(&fixture);
    check_text(keys_of(NULL, none, none), "a");
    rocks_fixture_close(&fixture);
}

static unsigned log_syncs;   /* that were requested */
static unsigned log_flushes; /* without a sync */

void __real_rocksdb_flush_wal(rocksdb_t *db, unsigned char sync, char **message);
void __wrap_rocksdb_flush_wal(rocksdb_t *db, unsigned char sync, char **message);

void __wrap_rocksdb_flush_wal(rocksdb_t *db, unsigned char sync, char **message)
{
    log_syncs += sync != 0;
    log_flushes += sync == 0;
    __real_rocksdb_flush_wal(db, sync, message);
}

/* Data that has left the process is not on the disk yet. */
static void test_rocks_sync__written_with_log__synced(void)
{
    open_fixture();
    put("a", "1");
    log_syncs = 0;
    log_flushes = 0;
    check_status(ops->sync(fixture.store, &error), HAUL_OK);
    check_equal(log_syncs, 1);
    check_equal(log_flushes, 0);
    rocks_fixture_close(&fixture);
}

static void test_rocks_sync__manual_log__written_out(void)
{
    struct foreign_database database = {.manual_wal_flush = true};
    rocks_fixture_make_directory(&fixture);
    rocks_foreign_make(fixture.path, &database);
    static const struct haul_rocks_options options = {0};
    static const struct haul_rocks_options read_only = {.read_only = true};
    check_status(haul_rocks_store_open(fixture.path, &options, &fixture.store, &error), HAUL_OK);
    check_or_stop(fixture.store != NULL);
    ops = fixture.store->ops;
    put("z", "26");
    check_status(ops->sync(fixture.store, &error), HAUL_OK);
    /* A second look at the files sees what has left the process. */
    struct haul_store *writer = fixture.store;
    check_status(haul_rocks_store_open(fixture.path, &read_only, &fixture.store, &error), HAUL_OK);
    check_text(value_of(0, "z"), "26");
    fixture.store->ops->close(fixture.store);
    fixture.store = writer;
    rocks_fixture_close(&fixture);
}

/* --- clearing --------------------------------------------------------------------------------- */

static void check_clear(struct haul_slice start, struct haul_slice end, const char *left)
{
    open_fixture();
    put("", "");
    fill_letters();
    check_status(ops->range_clear(fixture.store, 0, start, end, NULL, &error), HAUL_OK);
    check_text(keys_of(NULL, none, none), left);
    rocks_fixture_reopen(&fixture);
    check_text(keys_of(NULL, none, none), left);
    rocks_fixture_close(&fixture);
}

static void test_rocks_range_clear__middle__neighbours_stay(void)
{
    check_clear(text_slice("b"), text_slice("d"), ".ade");
}

static void test_rocks_range_clear__unbounded_end__rest_stays(void)
{
    check_clear(text_slice("c"), none, ".ab");
}

static void test_rocks_range_clear__unbounded_start__empty_key_goes_too(void)
{
    check_clear(none, text_slice("c"), "cde");
}

static void test_rocks_range_clear__everything__nothing_left(void)
{
    check_clear(none, none, "");
}

static void test_rocks_range_clear__one_record__only_that_one(void)
{
    check_clear(text_slice("c"), text_slice("c1"), ".abde");
}

static void test_rocks_range_clear__largest_keys__gone(void)
{
    open_fixture();
    uint8_t high[32];
    memset(high, 0xff, sizeof(high));
    rocks_fixture_put(&fixture, 0, slice_of(high, sizeof(high)), text_slice("v"));
    rocks_fixture_put(&fixture, 0, slice_of(high, 1), text_slice("v"));
    check_status(ops->range_clear(fixture.store, 0, none, none, NULL, &error), HAUL_OK);
    check_text(keys_of(NULL, none, none), "");
    rocks_fixture_close(&fixture);
}

static void test_rocks_range_clear__in_table_files__gone_and_no_bytes_left(void)
{
    open_fixture();
    rocks_fixture_fill(&fixture, 0, "key", 5000, 1000);
    put("neighbour", "stays");
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
    check_status(
        ops->range_clear(fixture.store, 0, text_slice("key"), text_slice("kez"), NULL, &error),
        HAUL_OK);
    uint64_t bytes = 1;
    check_status(ops->range_size(fixture.store, 0, none, none, &bytes, &error), HAUL_OK);
    check_equal(bytes, 14);
    check_text(value_of(0, "neighbour"), "stays");
    rocks_fixture_close(&fixture);
}

static void test_rocks_range_clear__other_family__untouched(void)
{
    open_fixture();
    uint32_t other = rocks_fixture_family(&fixture, "other");
    put("a", "1");
    rocks_fixture_put(&fixture, other, text_slice("a"), text_slice("1"));
    check_status(ops->range_clear(fixture.store, 0, none, none, NULL, &error), HAUL_OK);
    check_text(value_of(other, "a"), "1");
    rocks_fixture_close(&fixture);
}

static void test_rocks_range_clear__written_again__visible(void)
{
    open_fixture();
    fill_letters();
    check_status(ops->range_clear(fixture.store, 0, none, none, NULL, &error), HAUL_OK);
    put("c", "again");
    check_text(value_of(0, "c"), "again");
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_family_create__new_name__listed_and_usable),
    CHECK_TEST(test_rocks_family_create__reopened__still_there),
    CHECK_TEST(test_rocks_family_create__name_taken__exists),
    CHECK_TEST(test_rocks_family_create__name_empty_or_too_long__invalid),
    CHECK_TEST(test_rocks_families__too_little_room__limit),
    CHECK_TEST(test_rocks_scan_open__unknown_family__not_found),
    CHECK_TEST(test_rocks_scan__no_bounds__everything_in_order),
    CHECK_TEST(test_rocks_scan__bounds__start_inclusive_end_exclusive),
    CHECK_TEST(test_rocks_scan__empty_range__sound_end),
    CHECK_TEST(test_rocks_scan__asked_after_the_end__still_the_end),
    CHECK_TEST(test_rocks_scan__empty_key_and_value__found),
    CHECK_TEST(test_rocks_scan__deleted_records__not_seen),
    CHECK_TEST(test_rocks_scan__entity_with_columns__refused_by_key),
    CHECK_TEST(test_rocks_scan__entity_of_the_default_column__its_value),
    CHECK_TEST(test_rocks_snapshot__written_after_it__not_seen),
    CHECK_TEST(test_rocks_snapshot__survives_flush_and_overwrite__old_value),
    CHECK_TEST(test_rocks_snapshot__sequence__the_last_given_out),
    CHECK_TEST(test_rocks_scan__table_damaged__corrupt_and_no_sound_end),
    CHECK_TEST(test_rocks_get__table_damaged__corrupt),
    CHECK_TEST(test_rocks_range_size__table_damaged__corrupt),
    CHECK_TEST(test_rocks_write__batch_of_all_kinds__takes_effect),
    CHECK_TEST(test_rocks_flush__written_without_log__survives_reopening),
    CHECK_TEST(test_rocks_sync__written_with_log__synced),
    CHECK_TEST(test_rocks_sync__manual_log__written_out),
    CHECK_TEST(test_rocks_range_clear__middle__neighbours_stay),
    CHECK_TEST(test_rocks_range_clear__unbounded_end__rest_stays),
    CHECK_TEST(test_rocks_range_clear__unbounded_start__empty_key_goes_too),
    CHECK_TEST(test_rocks_range_clear__everything__nothing_left),
    CHECK_TEST(test_rocks_range_clear__one_record__only_that_one),
    CHECK_TEST(test_rocks_range_clear__largest_keys__gone),
    CHECK_TEST(test_rocks_range_clear__in_table_files__gone_and_no_bytes_left),
    CHECK_TEST(test_rocks_range_clear__other_family__untouched),
    CHECK_TEST(test_rocks_range_clear__written_again__visible),
};
CHECK_MAIN("rocks_scan", tests)
