/* SPDX-License-Identifier: Apache-2.0 */
/* test_pinned_disk.c — how often the store is queried, what is too much, and what RocksDB's files
 * add up to. */
#include "pinned_disk.h"

#include <dirent.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "foreign_database.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum { VALUE_BYTES = 1 << 16 };

static uint64_t time_ns;
static uint64_t asking_takes_ns;
static unsigned asked_count;
static struct haul_error error;

static uint64_t test_now(void *context)
{
    (void)context;
    return time_ns;
}

static const struct haul_clock test_clock = {.now_ns = test_now};

static void test_pinned(struct haul_store *store, uint64_t *log_bytes, uint64_t *table_bytes)
{
    (void)store;
    asked_count++;
    time_ns += asking_takes_ns;
    *log_bytes = 600;
    *table_bytes = 500;
}

static const struct haul_store_ops test_ops = {.pinned_bytes = test_pinned};

static void test_pinned_disk_measure__within_a_second__not_again(void)
{
    struct haul_store store = {.ops = &test_ops};
    struct pinned_disk disk = {0};
    time_ns = 5 * NS_PER_S;
    asking_takes_ns = 0;
    asked_count = 0;
    pinned_disk_measure(&disk, &store, &test_clock);
    check_equal(disk.log_bytes, 600);
    check_equal(disk.table_bytes, 500);
    time_ns += NS_PER_S - 1;
    pinned_disk_measure(&disk, &store, &test_clock);
    check_equal(asked_count, 1);
    time_ns += 1;
    pinned_disk_measure(&disk, &store, &test_clock);
    check_equal(asked_count, 2);
}

static void test_pinned_disk_measure__takes_long__less_often(void)
{
    struct haul_store store = {.ops = &test_ops};
    struct pinned_disk disk = {0};
    time_ns = 0;
    asking_takes_ns = NS_PER_S;
    asked_count = 0;
    pinned_disk_measure(&disk, &store, &test_clock);
    time_ns += 99 * NS_PER_S;
    pinned_disk_measure(&disk, &store, &test_clock);
    check_equal(asked_count, 1);
    time_ns += NS_PER_S;
    pinned_disk_measure(&disk, &store, &test_clock);
    check_equal(asked_count, 2);
}

static void test_pinned_disk_measure__store_that_cannot_say__nothing(void)
{
    static const struct haul_store_ops silent = {.sequence = NULL};
    struct haul_store store = {.ops = &silent};
    struct pinned_disk disk = {.bytes_max = 1};
    pinned_disk_measure(&disk, &store, &test_clock);
    check(!pinned_disk_is_over(&disk));
}

static void test_pinned_disk_is_over__sum_of_both__more_than_the_limit(void)
{
    struct pinned_disk disk = {.log_bytes = 600, .table_bytes = 500, .bytes_max = 1100};
    check(!pinned_disk_is_over(&disk));
    disk.bytes_max = 1099;
    check(pinned_disk_is_over(&disk));
    disk.bytes_max = 599;
    check(pinned_disk_is_over(&disk));
    disk.bytes_max = 0;
    check(!pinned_disk_is_over(&disk));
}

/* --- RocksDB ---------------------------------------------------------------------------------- */

static void put(struct rocks_fixture *fixture, const char *key)
{
    static uint8_t memory[VALUE_BYTES + 256];
    static uint8_t value[VALUE_BYTES];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_put(&writer, 0, text_slice(key), slice_of(value, sizeof(value))));
    struct haul_slice batch = slice_of(memory, raw_batch_finish(&writer));
    check_status(fixture->store->ops->write(fixture->store, batch, 0, &error), HAUL_OK);
}

static void flush(struct rocks_fixture *fixture)
{
    check_status(fixture->store->ops->flush(fixture->store, &error), HAUL_OK);
}

/* RocksDB removes its files on a thread of its own, after the flush has returned, and reports that
 * to nobody. */
static bool comes_to_no_log(struct rocks_fixture *fixture)
{
    enum { WAIT_MS_MAX = 20000 };
    uint64_t log_bytes = 1;
    uint64_t table_bytes;
    for (int i = 0; i < WAIT_MS_MAX && log_bytes > 0; i++) {
        fixture->store->ops->pinned_bytes(fixture->store, &log_bytes, &table_bytes);
        (void)poll(NULL, 0, log_bytes > 0 ? 1 : 0);
    }
    return log_bytes == 0;
}

static void test_pinned_bytes__log_of_a_flush_while_pinned__until_unpinned(void)
{
    struct rocks_fixture fixture;
    uint64_t log_bytes;
    uint64_t table_bytes;
    rocks_fixture_open(&fixture);
    const struct haul_store_ops *ops = fixture.store->ops;
    check_status(ops->wal_pin(fixture.store, &error), HAUL_OK);
    put(&fixture, "a");
    ops->pinned_bytes(fixture.store, &log_bytes, &table_bytes);
    check_equal(log_bytes, 0); /* the database needs it itself */
    check_equal(table_bytes, 0);
    flush(&fixture);
    ops->pinned_bytes(fixture.store, &log_bytes, &table_bytes);
    check(log_bytes > VALUE_BYTES && log_bytes < 2 * VALUE_BYTES);
    check_equal(table_bytes, 0);
    ops->wal_unpin(fixture.store);
    put(&fixture, "b");
    flush(&fixture); /* RocksDB removes files after a flush */
    check(comes_to_no_log(&fixture));
    rocks_fixture_close(&fixture);
}

static void test_pinned_bytes__table_compacted_away_while_pinned__counted(void)
{
    struct rocks_fixture fixture;
    uint64_t log_bytes;
    uint64_t table_bytes;
    rocks_fixture_open(&fixture);
    const struct haul_store_ops *ops = fixture.store->ops;
    put(&fixture, "a");
    flush(&fixture);
    check_status(ops->wal_pin(fixture.store, &error), HAUL_OK);
    put(&fixture, "a");
    /* Clearing compacts the range. */
    check_status(ops->range_clear(fixture.store, 0, text_slice("a"), text_slice("b"), NULL, &error),
                 HAUL_OK);
    ops->pinned_bytes(fixture.store, &log_bytes, &table_bytes);
    check(table_bytes > 0);
    ops->wal_unpin(fixture.store);
    rocks_fixture_close(&fixture);
}

/* Values in files of their own are not pinned for that reason. */
static void test_pinned_bytes__values_outside_of_tables__live(void)
{
    struct rocks_fixture fixture;
    struct haul_family family;
    uint64_t log_bytes;
    uint64_t table_bytes;
    rocks_fixture_open(&fixture);
    const struct haul_store_ops *ops = fixture.store->ops;
    check_status(ops->family_create_like(fixture.store, "blobs",
                                         "enable_blob_files=true\nmin_blob_size=0\n", &family,
                                         &error),
                 HAUL_OK);
    rocks_fixture_fill(&fixture, family.id, "k", 100, 1000);
    put(&fixture, "a");
    flush(&fixture);
    ops->pinned_bytes(fixture.store, &log_bytes, &table_bytes);
    check_equal(table_bytes, 0);
    rocks_fixture_close(&fixture);
}

static int descriptor_count(void)
{
    DIR *entries = opendir("/proc/self/fd");
    int count = 0;
    check_or_stop(entries != NULL);
    while (readdir(entries) != NULL) {
        count++;
    }
    (void)closedir(entries);
    return count;
}

static void test_pinned_bytes__ten_times__no_descriptor_is_left(void)
{
    struct rocks_fixture fixture;
    uint64_t log_bytes;
    uint64_t table_bytes;
    rocks_fixture_open(&fixture);
    put(&fixture, "a");
    flush(&fixture);
    fixture.store->ops->pinned_bytes(fixture.store, &log_bytes, &table_bytes);
    int before = descriptor_count();
    for (int i = 0; i < 10; i++) {
        fixture.store->ops->pinned_bytes(fixture.store, &log_bytes, &table_bytes);
    }
    check(descriptor_count() < before + 10);
    rocks_fixture_close(&fixture);
}

/* The log of a database that keeps it elsewhere. */
static void test_pinned_bytes__log_in_its_own_directory__looked_for_there(void)
{
    struct foreign_database foreign;
    struct haul_store *store = NULL;
    char text[600];
    uint64_t log_bytes;
    uint64_t table_bytes;
    const struct haul_rocks_options options = {.read_only = false};
    foreign_init(&foreign);
    (void)snprintf(text, sizeof(text), "create_if_missing=true;wal_dir=%s/wal", foreign.path);
    foreign_set(&foreign, text);
    foreign_open(&foreign);
    foreign_close(&foreign);
    check_or_stop(haul_rocks_store_open(foreign.path, &options, &store, &error) == HAUL_OK);
    struct rocks_fixture fixture = {.store = store};
    check_status(store->ops->wal_pin(store, &error), HAUL_OK);
    put(&fixture, "a");
    flush(&fixture);
    store->ops->pinned_bytes(store, &log_bytes, &table_bytes);
    check(log_bytes > VALUE_BYTES);
    store->ops->wal_unpin(store);
    haul_store_close(store);
    foreign_fini(&foreign);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_pinned_bytes__values_outside_of_tables__live),
    CHECK_TEST(test_pinned_bytes__ten_times__no_descriptor_is_left),
    CHECK_TEST(test_pinned_disk_measure__within_a_second__not_again),
    CHECK_TEST(test_pinned_disk_measure__takes_long__less_often),
    CHECK_TEST(test_pinned_disk_measure__store_that_cannot_say__nothing),
    CHECK_TEST(test_pinned_disk_is_over__sum_of_both__more_than_the_limit),
    CHECK_TEST(test_pinned_bytes__log_of_a_flush_while_pinned__until_unpinned),
    CHECK_TEST(test_pinned_bytes__table_compacted_away_while_pinned__counted),
    CHECK_TEST(test_pinned_bytes__log_in_its_own_directory__looked_for_there),
};

CHECK_MAIN("pinned_disk", tests)
