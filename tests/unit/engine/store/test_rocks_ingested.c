/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_ingested.c — ingested tables: present with all their records, compacted, or lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"
#include "rocks_size.h"
#include "rocks_store.h"

enum { RECORDS = 100 };

static struct rocks_fixture fixture;
static const struct haul_store_ops *ops;
static struct haul_error error;
static char path[300];
static const struct haul_slice none = {NULL, 0};

static void open_fixture(void)
{
    rocks_fixture_open(&fixture);
    ops = fixture.store->ops;
    memset(&error, 0, sizeof(error));
    (void)snprintf(path, sizeof(path), "%s/staged.sst", fixture.path);
}

/* A finished table of RECORDS records; keys begin with `prefix`. */
static void build(const char *prefix)
{
    struct haul_table *table = NULL;
    check_or_stop(ops->table_create(fixture.store, 0, path, &table, &error) == HAUL_OK);
    for (int i = 0; i < RECORDS; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "%s%04d", prefix, i);
        check_status(ops->table_put(table, text_slice(key), text_slice("value"), &error), HAUL_OK);
    }
    check_status(ops->table_finish(table, &error), HAUL_OK);
}

static enum haul_status ingest(void)
{
    const char *const paths[] = {path};
    return ops->table_ingest(fixture.store, 0, paths, 1, &error);
}

static void move_in(const char *prefix)
{
    build(prefix);
    check_status(ingest(), HAUL_OK);
}

static bool is_sure(struct haul_slice start, struct haul_slice end)
{
    bool sure = false;
    check_status(ops->tables_check(fixture.store, 0, start, end, &sure, &error), HAUL_OK);
    return sure;
}

static void test_rocks_ingested_check__as_ingested__sure(void)
{
    open_fixture();
    check(is_sure(none, none));
    move_in("a");
    move_in("b");
    check(is_sure(none, none));
    rocks_fixture_close(&fixture);
}

static void test_rocks_ingested_check__files_were_deleted__not_sure(void)
{
    open_fixture();
    move_in("a");
    move_in("b");
    rocks_foreign_delete_files(fixture.store);
    check(!is_sure(none, none));
    rocks_fixture_close(&fixture);
}

static void test_rocks_ingested_check__compacted_with_its_changes__sure(void)
{
    open_fixture();
    move_in("a");
    rocks_fixture_put(&fixture, 0, text_slice("a0001"), text_slice("changed"));
    rocks_fixture_put(&fixture, 0, text_slice("a0001x"), text_slice("new"));
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
    rocks_foreign_compact(fixture.store);
    check(is_sure(none, none));
    check_equal(rocks_fixture_count(&fixture, "default"), RECORDS + 1);
    rocks_fixture_close(&fixture);
}

/* Fewer records, as after deletions: the files alone cannot prove that all others are there. */
static void test_rocks_ingested_check__compacted_to_fewer_records__not_sure(void)
{
    open_fixture();
    move_in("a");
    rocks_fixture_delete(&fixture, 0, text_slice("a0001"));
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
    rocks_foreign_compact(fixture.store);
    check(!is_sure(none, none));
    rocks_fixture_close(&fixture);
}

static void test_rocks_ingested_check__lost_outside_of_the_range__sure(void)
{
    open_fixture();
    move_in("a");
    rocks_foreign_delete_files(fixture.store);
    move_in("b");
    check(is_sure(text_slice("b"), text_slice("c")));
    check(!is_sure(text_slice("a"), text_slice("b")));
    rocks_fixture_close(&fixture);
}

static void test_rocks_ingested_forget__lost_before__sure(void)
{
    open_fixture();
    move_in("a");
    rocks_foreign_delete_files(fixture.store);
    ops->tables_forget(fixture.store, 0, none, none);
    check(is_sure(none, none));
    rocks_fixture_close(&fixture);
}

static void test_range_clear__ingested_tables__are_forgotten(void)
{
    open_fixture();
    move_in("a");
    check_status(ops->range_clear(fixture.store, 0, none, none, NULL, &error), HAUL_OK);
    check(is_sure(none, none));
    rocks_fixture_close(&fixture);
}

/* The sender chooses the keys: long ones are not kept, and then only the count proves anything. */
static void test_rocks_ingested_check__long_keys__by_number_only(void)
{
    static char key[5000];
    open_fixture();
    struct haul_table *table = NULL;
    memset(key, 'k', sizeof(key));
    struct haul_slice long_key = {(const uint8_t *)key, sizeof(key)};
    check_or_stop(ops->table_create(fixture.store, 0, path, &table, &error) == HAUL_OK);
    check_status(ops->table_put(table, long_key, text_slice("value"), &error), HAUL_OK);
    check_status(ops->table_finish(table, &error), HAUL_OK);
    check_status(ingest(), HAUL_OK);
    check(is_sure(none, none));
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("1"));
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
    rocks_foreign_compact(fixture.store);
    check(!is_sure(none, none));
    rocks_fixture_close(&fixture);
}

/* The store reports that it took the table, and has fewer records than were written. */
static void test_table_ingest__fewer_entries_are_live__corrupt(void)
{
    open_fixture();
    build("a");
    struct rocks_store *store = rocks_of(fixture.store);
    struct rocks_table_facts facts = {.entries = RECORDS + 1};
    check_or_stop(rocks_copy_key(text_slice("a0000"), &facts.first) &&
                  rocks_copy_key(text_slice("a0099"), &facts.last));
    rocks_ingested_drop(store, path);
    check_status(rocks_ingested_note(store, 0, path, &facts, &error), HAUL_OK);
    check_status(ingest(), HAUL_CORRUPT);
    check(strstr(error.text, "101 records, and has only 100 there") != NULL);
    check(strstr(error.hint, "check the LOG file of the database") != NULL);
    rocks_fixture_close(&fixture);
}

/* The end is exclusive: a key there belongs to another range. */
static void test_rocks_ingested_forget__begins_at_the_end__still_known(void)
{
    open_fixture();
    move_in("a");
    move_in("b");
    rocks_foreign_delete_files(fixture.store);
    ops->tables_forget(fixture.store, 0, none, text_slice("b0000"));
    check(is_sure(none, text_slice("b0000")));
    check(!is_sure(text_slice("b0000"), none));
    rocks_fixture_close(&fixture);
}

/* Both are proved; the first one alone shows that something is missing. */
static void test_table_ingest__first_of_two_is_short__corrupt(void)
{
    char second[300];
    open_fixture();
    build("a");
    struct rocks_table_facts facts = {.entries = RECORDS + 1};
    check_or_stop(rocks_copy_key(text_slice("a0000"), &facts.first) &&
                  rocks_copy_key(text_slice("a0099"), &facts.last));
    rocks_ingested_drop(rocks_of(fixture.store), path);
    check_status(rocks_ingested_note(rocks_of(fixture.store), 0, path, &facts, &error), HAUL_OK);
    (void)snprintf(second, sizeof(second), "%s", path);
    (void)snprintf(path, sizeof(path), "%s/second.sst", fixture.path);
    build("b");
    check_error(ops->table_ingest(fixture.store, 0, (const char *const[]){second, path}, 2, &error),
                HAUL_CORRUPT, error);
    rocks_fixture_close(&fixture);
}

static void test_rocks_ingested_check__unknown_family__not_found(void)
{
    bool sure = true;
    open_fixture();
    check_error(ops->tables_check(fixture.store, 7, none, none, &sure, &error), HAUL_NOT_FOUND,
                error);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_ingested_forget__begins_at_the_end__still_known),
    CHECK_TEST(test_rocks_ingested_check__as_ingested__sure),
    CHECK_TEST(test_rocks_ingested_check__files_were_deleted__not_sure),
    CHECK_TEST(test_rocks_ingested_check__compacted_with_its_changes__sure),
    CHECK_TEST(test_rocks_ingested_check__compacted_to_fewer_records__not_sure),
    CHECK_TEST(test_rocks_ingested_check__lost_outside_of_the_range__sure),
    CHECK_TEST(test_rocks_ingested_forget__lost_before__sure),
    CHECK_TEST(test_range_clear__ingested_tables__are_forgotten),
    CHECK_TEST(test_rocks_ingested_check__long_keys__by_number_only),
    CHECK_TEST(test_table_ingest__fewer_entries_are_live__corrupt),
    CHECK_TEST(test_table_ingest__first_of_two_is_short__corrupt),
    CHECK_TEST(test_rocks_ingested_check__unknown_family__not_found),
};

CHECK_MAIN("rocks_ingested", tests)
