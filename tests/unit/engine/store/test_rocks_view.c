/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_view.c — a view keeps what it has seen, even of a family whose compactions drop
 * records. */
#include "rocks_view.h"

#include <limits.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "check.h"
#include "haul/store.h"
#include "process_reads.h"
#include "rocks_fixture.h"

enum { RECORDS = 100 };

static struct rocks_fixture fixture; /* only its directory */
static rocksdb_options_t *options;
static rocksdb_compactionfilter_t *filter;
static rocksdb_t *db;
static rocksdb_column_family_handle_t *handle;
static struct haul_store *store;
static struct haul_snapshot *view;
static struct haul_error error;

/* --- the owner's filter ----------------------------------------------------------------------- */

static void no_destructor(void *state)
{
    (void)state;
}

static const char *filter_name(void *state)
{
    (void)state;
    return "test.DropAll";
}

static unsigned char drop_all(void *state, int level, const char *key, size_t key_size,
                              const char *value, size_t value_size, char **new_value,
                              size_t *new_size, unsigned char *changed)
{
    (void)state, (void)level, (void)key, (void)key_size, (void)value, (void)value_size;
    (void)new_value, (void)new_size;
    *changed = 0;
    return 1;
}

static void put(const char *key, const char *value)
{
    char *message = NULL;
    rocksdb_writeoptions_t *write_options = rocksdb_writeoptions_create();
    rocksdb_put_cf(db, write_options, handle, key, strlen(key), value, strlen(value), &message);
    rocksdb_writeoptions_destroy(write_options);
    check_or_stop(message == NULL);
}

static void flush_and_compact(void)
{
    char *message = NULL;
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    rocksdb_flush_cf(db, flush, handle, &message);
    rocksdb_flushoptions_destroy(flush);
    check_or_stop(message == NULL);
    rocksdb_compactoptions_t *compact = rocksdb_compactoptions_create();
    enum { FORCE = 2 }; /* rocksdb::BottommostLevelCompaction */
    rocksdb_compactoptions_set_bottommost_level_compaction(compact, FORCE);
    rocksdb_compact_range_cf_opt(db, handle, compact, NULL, 0, NULL, 0);
    rocksdb_compactoptions_destroy(compact);
}

/* --- somebody writes while a snapshot is taken ------------------------------------------------ */

static bool write_around_snapshot;

const rocksdb_snapshot_t *__real_rocksdb_create_snapshot(rocksdb_t *database);
const rocksdb_snapshot_t *__wrap_rocksdb_create_snapshot(rocksdb_t *database);

const rocksdb_snapshot_t *__wrap_rocksdb_create_snapshot(rocksdb_t *database)
{
    if (!write_around_snapshot) {
        return __real_rocksdb_create_snapshot(database);
    }
    put("w1", "before");
    const rocksdb_snapshot_t *snapshot = __real_rocksdb_create_snapshot(database);
    put("w2", "behind");
    return snapshot;
}

static unsigned changes_left; /* of the files, each seen by one iterator */

uint64_t __real_rocks_door_view_number(const rocksdb_iterator_t *iterator);
uint64_t __wrap_rocks_door_view_number(const rocksdb_iterator_t *iterator);

uint64_t __wrap_rocks_door_view_number(const rocksdb_iterator_t *iterator)
{
    static uint64_t changes;
    if (changes_left == 0) {
        return __real_rocks_door_view_number(iterator);
    }
    changes_left--;
    return UINT64_MAX - ++changes;
}

/* Nothing is read from a disk. */
int __wrap_getrusage(__rusage_who_t who, struct rusage *usage);

int __wrap_getrusage(__rusage_who_t who, struct rusage *usage)
{
    (void)who;
    memset(usage, 0, sizeof(*usage));
    return 0;
}

static void open_filtered(void)
{
    rocks_fixture_make_directory(&fixture);
    char *message = NULL;
    options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    filter = rocksdb_compactionfilter_create(NULL, no_destructor, drop_all, filter_name);
    rocksdb_options_set_compaction_filter(options, filter);
    const char *names[] = {"default"};
    const rocksdb_options_t *family_options[] = {options};
    db = rocksdb_open_column_families(options, fixture.path, 1, names, family_options, &handle,
                                      &message);
    check_or_stop(message == NULL);
    for (int i = 0; i < RECORDS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key%04d", i);
        put(key, "value");
    }
    struct haul_rocks_family family = {.name = "default", .handle = handle, .options = options};
    struct haul_rocks_database database = {
        .path = fixture.path, .db = db, .families = &family, .family_count = 1};
    check_or_stop(haul_rocks_store_attach(&database, &store, &error) == HAUL_OK);
    uint64_t sequence = 0;
    check_or_stop(store->ops->snapshot_open(store, &view, &sequence, &error) == HAUL_OK);
    check_equal(sequence, RECORDS);
}

static void close_filtered(void)
{
    store->ops->snapshot_close(store, view);
    haul_store_close(store);
    rocksdb_column_family_handle_destroy(handle);
    rocksdb_close(db);
    rocksdb_options_destroy(options);
    rocksdb_compactionfilter_destroy(filter); /* options only borrow it */
    rocks_fixture_close(&fixture);
}

static uint64_t count_between(const char *start, const char *end)
{
    struct haul_scan *scan = NULL;
    struct haul_record record;
    uint64_t count = 0;
    enum haul_status status =
        store->ops->scan_open(store, view, 0, text_slice(start), text_slice(end), &scan, &error);
    while (status == HAUL_OK &&
           (status = store->ops->scan_next(scan, &record, &error)) == HAUL_OK) {
        count++;
    }
    check_status(status, HAUL_NOT_FOUND);
    if (scan != NULL) {
        store->ops->scan_close(scan);
    }
    return count;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_rocks_snapshot_open__filter_drops_records__scan_sees_them(void)
{
    open_filtered();
    flush_and_compact();
    check_equal(count_between("", ""), RECORDS);
    check_equal(count_between("key0010", "key0030"), 20);
    check_equal(count_between("key0099", ""), 1);
    check_equal(count_between("z", ""), 0);
    close_filtered();
}

static void test_rocks_snapshot_open__filter_drops_records__looked_up(void)
{
    open_filtered();
    flush_and_compact();
    put("key0007", "written again");
    uint8_t *value = NULL;
    size_t size = 0;
    check_status(store->ops->get(store, view, 0, text_slice("key0007"), &value, &size, &error),
                 HAUL_OK);
    check(size == 5 && memcmp(value, "value", size) == 0);
    free(value);
    value = NULL;
    check_status(store->ops->get(store, NULL, 0, text_slice("key0007"), &value, &size, &error),
                 HAUL_OK);
    check_equal(size, strlen("written again"));
    check(memcmp(value, "written again", size) == 0);
    free(value);
    check_status(store->ops->get(store, view, 0, text_slice("key0007a"), &value, &size, &error),
                 HAUL_NOT_FOUND);
    check_status(store->ops->get(store, view, 0, text_slice("z"), &value, &size, &error),
                 HAUL_NOT_FOUND);
    close_filtered();
}

enum { LARGE_RECORDS = 4000, LARGE_BYTES = 4096, LOOK_UPS = 50 };

/* In a table file, with values that do not compress. */
static void put_large_records(void)
{
    uint32_t random = 1;
    char key[16];
    char value[LARGE_BYTES + 1];
    for (int i = 0; i < LARGE_RECORDS; i++) {
        (void)snprintf(key, sizeof(key), "large%04d", i);
        for (size_t at = 0; at < LARGE_BYTES; at++) {
            random = random * 1664525 + 1013904223; /* Numerical Recipes, 7.1 */
            value[at] = (char)('!' + (random >> 24) % 90);
        }
        value[LARGE_BYTES] = '\0';
        put(key, value);
    }
    char *message = NULL;
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    rocksdb_flush_cf(db, flush, handle, &message);
    rocksdb_flushoptions_destroy(flush);
    check_or_stop(message == NULL);
}

/* Each touched key is looked up: reading ahead for each costs more than the copy. */
static void test_rocks_snapshot_open__filter_drops_records__a_look_up_reads_its_own_block(void)
{
    open_filtered();
    put_large_records();
    store->ops->snapshot_close(store, view);
    uint64_t sequence = 0;
    check_status(store->ops->snapshot_open(store, &view, &sequence, &error), HAUL_OK);
    struct process_reads before = process_reads_now();
    for (int i = 0; i < LOOK_UPS; i++) {
        char key[16];
        uint8_t *value = NULL;
        size_t size = 0;
        (void)snprintf(key, sizeof(key), "large%04d", i * 397 % LARGE_RECORDS);
        check_status(store->ops->get(store, view, 0, text_slice(key), &value, &size, &error),
                     HAUL_OK);
        check_equal(size, LARGE_BYTES);
        free(value);
    }
    check(process_reads_now().bytes - before.bytes < (uint64_t)LOOK_UPS * 4 * LARGE_BYTES);
    close_filtered();
}

static uint64_t reads_of_large_records(void)
{
    struct process_reads before = process_reads_now();
    check_equal(count_between("large", ""), LARGE_RECORDS);
    return process_reads_now().calls - before.calls;
}

/* Each view begins with large reads, whatever the one before met. */
static void test_rocks_snapshot_open__filter_drops_records__scans_choose_their_reads(void)
{
    open_filtered();
    put_large_records();
    for (int i = 0; i < 2; i++) {
        store->ops->snapshot_close(store, view);
        uint64_t sequence = 0;
        check_status(store->ops->snapshot_open(store, &view, &sequence, &error), HAUL_OK);
        uint64_t large = reads_of_large_records();
        uint64_t small = reads_of_large_records();
        check(small > 3 * large && small < LARGE_RECORDS / 10);
    }
    close_filtered();
}

static void test_rocks_snapshot_open__written_behind_it__not_seen(void)
{
    open_filtered();
    put("later", "value");
    check_equal(count_between("", ""), RECORDS);
    close_filtered();
}

/* The log is read from `sequence` on: what the snapshot lacks must be there. */
static void test_rocks_snapshot_open__written_meanwhile__sequence_is_before_it(void)
{
    open_filtered();
    store->ops->snapshot_close(store, view);
    uint64_t sequence = 0;
    write_around_snapshot = true;
    check_status(store->ops->snapshot_open(store, &view, &sequence, &error), HAUL_OK);
    write_around_snapshot = false;
    check(count_between("w1", "w2") == 1 && count_between("w2", "") == 0);
    check_equal(store->ops->sequence(store), RECORDS + 2);
    check(sequence <= RECORDS + 1); /* w2 has RECORDS + 2 */
    close_filtered();
}

/* A compaction may end while a view takes its iterators: then it takes all of them again. */
static void test_rocks_snapshot_open__files_change_meanwhile__taken_again_or_busy(void)
{
    uint64_t sequence = 0;
    open_filtered();
    store->ops->snapshot_close(store, view);
    changes_left = 3;
    check_status(store->ops->snapshot_open(store, &view, &sequence, &error), HAUL_OK);
    check_equal(changes_left, 0);
    check_equal(count_between("", ""), RECORDS);
    store->ops->snapshot_close(store, view);
    changes_left = UINT_MAX;
    check_error(store->ops->snapshot_open(store, &view, &sequence, &error), HAUL_BUSY, error);
    changes_left = 0;
    check_status(store->ops->snapshot_open(store, &view, &sequence, &error), HAUL_OK);
    close_filtered();
}

static void *scan_all(void *context)
{
    *(uint64_t *)context = count_between("", "");
    return NULL;
}

static void test_rocks_pin_borrow__more_scans_than_iterators__all_end(void)
{
    enum { SCANS = 3 * ROCKS_VIEW_SCANS };
    pthread_t threads[SCANS];
    uint64_t counts[SCANS];
    open_filtered();
    flush_and_compact();
    for (size_t i = 0; i < SCANS; i++) {
        check_or_stop(pthread_create(&threads[i], NULL, scan_all, &counts[i]) == 0);
    }
    for (size_t i = 0; i < SCANS; i++) {
        (void)pthread_join(threads[i], NULL);
        check_equal(counts[i], RECORDS);
    }
    close_filtered();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_snapshot_open__filter_drops_records__scan_sees_them),
    CHECK_TEST(test_rocks_snapshot_open__filter_drops_records__looked_up),
    CHECK_TEST(test_rocks_snapshot_open__filter_drops_records__a_look_up_reads_its_own_block),
    CHECK_TEST(test_rocks_snapshot_open__filter_drops_records__scans_choose_their_reads),
    CHECK_TEST(test_rocks_snapshot_open__written_behind_it__not_seen),
    CHECK_TEST(test_rocks_snapshot_open__written_meanwhile__sequence_is_before_it),
    CHECK_TEST(test_rocks_snapshot_open__files_change_meanwhile__taken_again_or_busy),
    CHECK_TEST(test_rocks_pin_borrow__more_scans_than_iterators__all_end),
};

CHECK_MAIN("rocks_view", tests)
