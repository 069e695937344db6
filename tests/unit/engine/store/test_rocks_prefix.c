/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_prefix.c — databases with prefix lookups: scans see every key all the same. */
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "foreign_database.h"
#include "haul/migration.h"
#include "haul/store.h"

enum { KEYS_MAX = 16, FAMILY = 0 };

static struct foreign_database foreign;
static struct haul_error error;

/* Keys that begin with 'a' and with 'c'; no filter contains 'b'. Bloom filters hold prefixes only,
 * in tables and in memory. */
static struct haul_store *open_store(bool flushed)
{
    static const char *const keys[] = {"a1", "a2", "c1", "c2", "c3"};
    struct haul_store *store = NULL;
    struct haul_rocks_options options = {.read_only = false};
    foreign_init(&foreign);
    foreign_set(&foreign, "prefix_extractor=fixed:1;memtable_prefix_bloom_size_ratio=0.25;"
                          "block_based_table_factory={filter_policy=bloomfilter:10:false;"
                          "whole_key_filtering=false};avoid_flush_during_recovery=true");
    foreign_open(&foreign);
    for (size_t i = 0; i < CHECK_COUNT(keys); i++) {
        foreign_put(&foreign, keys[i], "value");
    }
    foreign_close(&foreign);
    check_or_stop(haul_rocks_store_open(foreign.path, &options, &store, &error) == HAUL_OK);
    check_or_stop(!flushed || store->ops->flush(store, &error) == HAUL_OK);
    return store;
}

/* The second letters of the keys of a scan. */
static const char *scan(struct haul_store *store, const char *start, const char *end)
{
    static char letters[KEYS_MAX + 1];
    size_t count = 0;
    struct haul_scan *scan = NULL;
    struct haul_record record;
    enum haul_status status =
        store->ops->scan_open(store, NULL, FAMILY, slice_of(start, strlen(start)),
                              slice_of(end, strlen(end)), &scan, &error);
    check_or_stop(status == HAUL_OK);
    while (count < KEYS_MAX && (status = store->ops->scan_next(scan, &record, &error)) == HAUL_OK) {
        letters[count++] = (char)record.key.data[1];
    }
    check_status(status, HAUL_NOT_FOUND);
    store->ops->scan_close(scan);
    letters[count] = '\0';
    return letters;
}

static void check_scans(bool flushed)
{
    struct haul_store *store = open_store(flushed);
    check_text(scan(store, "", ""), "12123");
    check_text(scan(store, "b", ""), "123");
    check_text(scan(store, "b", "c2"), "1");
    check_text(scan(store, "a2", "c2"), "21");
    check_text(scan(store, "", "b"), "12");
    haul_store_close(store);
    foreign_fini(&foreign);
}

static void test_rocks_scan__bound_of_unknown_prefix_in_tables__all_keys(void)
{
    check_scans(true);
}

static void test_rocks_scan__bound_of_unknown_prefix_in_memory__all_keys(void)
{
    check_scans(false);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_scan__bound_of_unknown_prefix_in_tables__all_keys),
    CHECK_TEST(test_rocks_scan__bound_of_unknown_prefix_in_memory__all_keys),
};
CHECK_MAIN("rocks_prefix", tests)
