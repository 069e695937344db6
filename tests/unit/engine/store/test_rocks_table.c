/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_table.c — table files: built in order, moved into the store, gone when given up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "haul/store.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"

static unsigned writebacks;

int __real_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    writebacks++;
    return __real_sync_file_range(fd, offset, size, flags);
}

static struct rocks_fixture fixture;
static const struct haul_store_ops *ops;
static struct haul_table *table;
static struct haul_error error;
static char paths[2][300];

static void set_paths(void)
{
    ops = fixture.store->ops;
    memset(&error, 0, sizeof(error));
    table = NULL;
    for (int i = 0; i < 2; i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "%s/staged-%d.sst", fixture.path, i);
    }
}

static void open_fixture(void)
{
    rocks_fixture_open(&fixture);
    set_paths();
}

static void open_reverse(void)
{
    rocks_fixture_make_directory(&fixture);
    struct foreign_database foreign = {.comparator = FOREIGN_REVERSE};
    rocks_foreign_make(fixture.path, &foreign);
    struct haul_rocks_options options = {0};
    check_or_stop(haul_rocks_store_open(fixture.path, &options, &fixture.store, &error) == HAUL_OK);
    set_paths();
}

static void begin(uint32_t family_id, int number)
{
    check_or_stop(ops->table_create(fixture.store, family_id, paths[number], &table, &error) ==
                  HAUL_OK);
}

static enum haul_status put(const char *key, const char *value)
{
    return ops->table_put(table, text_slice(key), text_slice(value), &error);
}

static enum haul_status finish(void)
{
    struct haul_table *finished = table;
    table = NULL;
    return ops->table_finish(finished, &error);
}

/* A finished table with these keys, one letter each, and one value. */
static void build(uint32_t family_id, int number, const char *letters, const char *value)
{
    begin(family_id, number);
    for (; *letters != '\0'; letters++) {
        char key[] = {*letters, '\0'};
        check_status(put(key, value), HAUL_OK);
    }
    check_status(finish(), HAUL_OK);
}

static enum haul_status ingest(uint32_t family_id, size_t count)
{
    const char *const names[] = {paths[0], paths[1]};
    return ops->table_ingest(fixture.store, family_id, names, count, &error);
}

static bool is_there(int number)
{
    return access(paths[number], F_OK) == 0;
}

/* The value of a key as text, "" if absent. */
static const char *value_of(uint32_t family_id, const char *key)
{
    static char text[64];
    uint8_t *value = NULL;
    size_t size = 0;
    struct haul_error ignored;
    enum haul_status status =
        ops->get(fixture.store, NULL, family_id, text_slice(key), &value, &size, &ignored);
    (void)snprintf(text, sizeof(text), "%.*s", status == HAUL_OK ? (int)size : 0,
                   status == HAUL_OK ? (const char *)value : "");
    free(status == HAUL_OK ? value : NULL);
    return text;
}

/* --- building --------------------------------------------------------------------------------- */

static void test_rocks_table_create__unknown_family__not_found(void)
{
    open_fixture();
    check_error(ops->table_create(fixture.store, 99, paths[0], &table, &error), HAUL_NOT_FOUND,
                error);
    check(table == NULL && !is_there(0));
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_create__no_such_directory__io(void)
{
    open_fixture();
    check_error(ops->table_create(fixture.store, 0, "/nonexistent/haul/t.sst", &table, &error),
                HAUL_IO, error);
    check_equal(error.status, HAUL_IO);
    check(table == NULL);
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_put__keys_not_ascending__store(void)
{
    open_fixture();
    begin(0, 0);
    check_status(put("b", "1"), HAUL_OK);
    check_status(put("a", "2"), HAUL_STORE);
    check_status(put("b", "2"), HAUL_STORE);
    check_status(put("c", "3"), HAUL_OK);
    ops->table_abandon(table);
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_put__reverse_family__in_its_own_order(void)
{
    open_reverse();
    begin(0, 0);
    check_status(put("z", "1"), HAUL_OK);
    check_status(put("y", "2"), HAUL_OK);
    check_status(put("z", "3"), HAUL_STORE);
    check_status(finish(), HAUL_OK);
    check_status(ingest(0, 1), HAUL_OK);
    check_text(value_of(0, "y"), "2");
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_size__after_each_record__bytes_of_keys_and_values(void)
{
    open_fixture();
    begin(0, 0);
    check_equal(ops->table_size(table), 0);
    check_status(put("key", "value"), HAUL_OK);
    check_equal(ops->table_size(table), 8);
    check_status(put("key2", ""), HAUL_OK);
    check_equal(ops->table_size(table), 12);
    ops->table_abandon(table);
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_size__refused_record__not_counted(void)
{
    open_fixture();
    begin(0, 0);
    check_status(put("b", "1"), HAUL_OK);
    check_status(put("a", "1"), HAUL_STORE);
    check_equal(ops->table_size(table), 2);
    ops->table_abandon(table);
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_finish__no_record__error_and_no_file(void)
{
    open_fixture();
    begin(0, 0);
    check_status(finish(), HAUL_STORE);
    check(!is_there(0));
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_abandon__records_in_it__no_file(void)
{
    open_fixture();
    begin(0, 0);
    check_status(put("a", "1"), HAUL_OK);
    check(is_there(0));
    ops->table_abandon(table);
    check(!is_there(0));
    rocks_fixture_close(&fixture);
}

/* --- ingesting -------------------------------------------------------------------------------- */

static void test_rocks_table_ingest__one_file__moved_in_and_durable(void)
{
    open_fixture();
    build(0, 0, "ace", "new");
    check(is_there(0));
    check_text(value_of(0, "c"), "");
    check_status(ingest(0, 1), HAUL_OK);
    check(!is_there(0));
    check_text(value_of(0, "c"), "new");
    rocks_fixture_reopen(&fixture);
    check_equal(rocks_fixture_count(&fixture, "default"), 3);
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_ingest__two_files__both_or_none(void)
{
    open_fixture();
    build(0, 0, "ab", "new");
    build(0, 1, "yz", "new");
    check_status(ingest(0, 2), HAUL_OK);
    check_text(value_of(0, "a"), "new");
    check_text(value_of(0, "z"), "new");
    build(0, 0, "cd", "later");
    check_status(ingest(0, 2), HAUL_IO); /* the second was moved away before */
    check_text(value_of(0, "c"), "");
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_ingest__named_family__only_there(void)
{
    open_fixture();
    uint32_t family_id = rocks_fixture_family(&fixture, "data");
    build(family_id, 0, "a", "new");
    check_status(ingest(family_id, 1), HAUL_OK);
    check_text(value_of(family_id, "a"), "new");
    check_text(value_of(0, "a"), "");
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_ingest__older_record_on_disk__replaced(void)
{
    open_fixture();
    rocks_fixture_put(&fixture, 0, text_slice("c"), text_slice("old"));
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
    build(0, 0, "ace", "new");
    check_status(ingest(0, 1), HAUL_OK);
    check_text(value_of(0, "c"), "new");
    rocks_fixture_close(&fixture);
}

/* RocksDB requests a flush first. */
static void test_rocks_table_ingest__older_record_in_memory__replaced(void)
{
    open_fixture();
    rocks_fixture_put(&fixture, 0, text_slice("c"), text_slice("old"));
    build(0, 0, "ace", "new");
    check_status(ingest(0, 1), HAUL_OK);
    check_text(value_of(0, "c"), "new");
    check(!is_there(0));
    rocks_fixture_close(&fixture);
}

/* Nothing of what was cleared may remain: a tombstone would cost the file its place on the bottom
 * level, and a sequence number that nobody wrote. */
static void test_rocks_table_ingest__range_was_cleared__takes_no_sequence_number(void)
{
    open_fixture();
    rocks_fixture_put(&fixture, 0, text_slice("b"), text_slice("old"));
    rocks_fixture_reopen(&fixture); /* from the log into a table file */
    check_status(ops->range_clear(fixture.store, 0, text_slice("a"), text_slice("d"), NULL, &error),
                 HAUL_OK);
    uint64_t sequence = ops->sequence(fixture.store);
    build(0, 0, "abc", "new");
    check_status(ingest(0, 1), HAUL_OK);
    check_equal(ops->sequence(fixture.store), sequence);
    check_text(value_of(0, "b"), "new");
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_ingest__written_afterwards__the_write_stands(void)
{
    open_fixture();
    build(0, 0, "ace", "new");
    check_status(ingest(0, 1), HAUL_OK);
    rocks_fixture_put(&fixture, 0, text_slice("c"), text_slice("newer"));
    rocks_fixture_delete(&fixture, 0, text_slice("e"));
    check_text(value_of(0, "c"), "newer");
    check_text(value_of(0, "e"), "");
    rocks_fixture_close(&fixture);
}

/* Changes that the log does not have: callers know what this interface ingests. */
static void test_rocks_foreign_ingests__own_and_another_partys__only_the_other_counts(void)
{
    open_fixture();
    check_equal(ops->foreign_ingests(fixture.store), 0);
    build(0, 0, "ac", "new");
    check_status(ingest(0, 1), HAUL_OK);
    check_equal(ops->foreign_ingests(fixture.store), 0);
    rocks_foreign_ingest(fixture.store, "x", "y");
    check_equal(ops->foreign_ingests(fixture.store), 1);
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_ingest__file_is_missing__io(void)
{
    open_fixture();
    check_status(ingest(0, 1), HAUL_IO);
    check_equal(error.status, HAUL_IO);
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_ingest__not_a_table__corrupt(void)
{
    open_fixture();
    FILE *file = fopen(paths[0], "w");
    check_or_stop(file != NULL);
    for (int i = 0; i < 100; i++) {
        (void)fputs("this is no table file\n", file);
    }
    (void)fclose(file);
    check_status(ingest(0, 1), HAUL_CORRUPT);
    rocks_fixture_put(&fixture, 0, text_slice("still"), text_slice("alive"));
    check_text(value_of(0, "still"), "alive");
    rocks_fixture_close(&fixture);
}

static void test_rocks_table_ingest__unknown_family__not_found(void)
{
    open_fixture();
    build(0, 0, "a", "new");
    check_status(ingest(99, 1), HAUL_NOT_FOUND);
    check(is_there(0));
    rocks_fixture_close(&fixture);
}

/* The final sync finds little left to write. */
static void test_rocks_table_put__each_four_mebibytes__writeback_begins(void)
{
    enum { PIECE_BYTES = 1 << 20, PIECES = 9 };
    static char value[PIECE_BYTES];
    open_fixture();
    begin(0, 0);
    writebacks = 0;
    for (int i = 0; i < PIECES; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        check_status(ops->table_put(table, text_slice(key), slice_of(value, sizeof(value)), &error),
                     HAUL_OK);
        check_equal(writebacks, (i + 1) / 4);
    }
    ops->table_abandon(table);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_table_create__unknown_family__not_found),
    CHECK_TEST(test_rocks_table_create__no_such_directory__io),
    CHECK_TEST(test_rocks_table_put__keys_not_ascending__store),
    CHECK_TEST(test_rocks_table_put__reverse_family__in_its_own_order),
    CHECK_TEST(test_rocks_table_size__after_each_record__bytes_of_keys_and_values),
    CHECK_TEST(test_rocks_table_size__refused_record__not_counted),
    CHECK_TEST(test_rocks_table_finish__no_record__error_and_no_file),
    CHECK_TEST(test_rocks_table_abandon__records_in_it__no_file),
    CHECK_TEST(test_rocks_table_ingest__one_file__moved_in_and_durable),
    CHECK_TEST(test_rocks_table_ingest__two_files__both_or_none),
    CHECK_TEST(test_rocks_table_ingest__named_family__only_there),
    CHECK_TEST(test_rocks_table_ingest__older_record_on_disk__replaced),
    CHECK_TEST(test_rocks_table_ingest__older_record_in_memory__replaced),
    CHECK_TEST(test_rocks_table_ingest__range_was_cleared__takes_no_sequence_number),
    CHECK_TEST(test_rocks_table_ingest__written_afterwards__the_write_stands),
    CHECK_TEST(test_rocks_foreign_ingests__own_and_another_partys__only_the_other_counts),
    CHECK_TEST(test_rocks_table_ingest__file_is_missing__io),
    CHECK_TEST(test_rocks_table_ingest__not_a_table__corrupt),
    CHECK_TEST(test_rocks_table_ingest__unknown_family__not_found),
    CHECK_TEST(test_rocks_table_put__each_four_mebibytes__writeback_begins),
};

CHECK_MAIN("rocks_table", tests)
