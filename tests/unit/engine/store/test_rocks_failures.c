/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_failures.c — each allocation, and each call that RocksDB answers, fails in turn: the
 * operation returns that error, and works when it is repeated. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "failing_memory.h"
#include "raw_batch.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"
#include "rocks_store.h"

enum { RECORD_COUNT = 3000, VALUE_BYTES = 600, FAILURES_MAX = 500 };

static struct rocks_fixture fixture;
static const struct haul_store_ops *ops;
static struct haul_error error;

/* --- failing calls ---------------------------------------------------------------------------- */

/* Of the calls below, the one with this number fails, from 1; 0: none. */
static unsigned call_fails_at;
static unsigned call_count;

static bool is_turn(void)
{
    call_count++;
    return call_count == call_fails_at;
}

static enum haul_status fail(struct haul_error *failure)
{
    return haul_error_set(failure, HAUL_IO, "test", 0, "the disk is broken");
}

/* The linker leads calls between the store's files here. `message` is what RocksDB has reported:
 * a successful finish or creation owns something that only its caller can free, so those do not
 * fail. */
enum haul_status __real_rocks_error(char *message, const char *call, struct haul_error *failure);
enum haul_status __wrap_rocks_error(char *message, const char *call, struct haul_error *failure);
enum haul_status __wrap_rocks_error(char *message, const char *call, struct haul_error *failure)
{
    static const char *const passed[] = {"finish table file", "create column family",
                                         "drop column family", "load options", "open database"};
    for (size_t i = 0; i < CHECK_COUNT(passed); i++) {
        if (strcmp(call, passed[i]) == 0) {
            return __real_rocks_error(message, call, failure);
        }
    }
    return message == NULL && is_turn() ? fail(failure)
                                        : __real_rocks_error(message, call, failure);
}

enum haul_status __real_rocks_read_error(const struct rocks_family *family, char *message,
                                         const char *call, struct haul_error *failure);
enum haul_status __wrap_rocks_read_error(const struct rocks_family *family, char *message,
                                         const char *call, struct haul_error *failure);
enum haul_status __wrap_rocks_read_error(const struct rocks_family *family, char *message,
                                         const char *call, struct haul_error *failure)
{
    bool fails = message == NULL && strcmp(call, "get") != 0 && is_turn();
    return fails ? fail(failure) : __real_rocks_read_error(family, message, call, failure);
}

enum haul_status __real_rocks_family(struct rocks_store *store, uint32_t family_id,
                                     const struct rocks_family **family,
                                     struct haul_error *failure);
enum haul_status __wrap_rocks_family(struct rocks_store *store, uint32_t family_id,
                                     const struct rocks_family **family,
                                     struct haul_error *failure);
enum haul_status __wrap_rocks_family(struct rocks_store *store, uint32_t family_id,
                                     const struct rocks_family **family, struct haul_error *failure)
{
    return is_turn() ? fail(failure) : __real_rocks_family(store, family_id, family, failure);
}

enum haul_status __real_rocks_family_range(struct rocks_store *store, uint32_t family_id,
                                           struct haul_slice start, struct haul_slice end,
                                           const struct rocks_family **family,
                                           struct haul_error *failure);
enum haul_status __wrap_rocks_family_range(struct rocks_store *store, uint32_t family_id,
                                           struct haul_slice start, struct haul_slice end,
                                           const struct rocks_family **family,
                                           struct haul_error *failure);
enum haul_status __wrap_rocks_family_range(struct rocks_store *store, uint32_t family_id,
                                           struct haul_slice start, struct haul_slice end,
                                           const struct rocks_family **family,
                                           struct haul_error *failure)
{
    return is_turn() ? fail(failure)
                     : __real_rocks_family_range(store, family_id, start, end, family, failure);
}

enum haul_status __real_rocks_write(struct rocks_store *store,
                                    const rocksdb_writeoptions_t *options,
                                    rocksdb_writebatch_t *batch, const char *call,
                                    struct haul_error *failure);
enum haul_status __wrap_rocks_write(struct rocks_store *store,
                                    const rocksdb_writeoptions_t *options,
                                    rocksdb_writebatch_t *batch, const char *call,
                                    struct haul_error *failure);
enum haul_status __wrap_rocks_write(struct rocks_store *store,
                                    const rocksdb_writeoptions_t *options,
                                    rocksdb_writebatch_t *batch, const char *call,
                                    struct haul_error *failure)
{
    return is_turn() ? fail(failure) : __real_rocks_write(store, options, batch, call, failure);
}

enum haul_status __real_rocks_flush_family(struct rocks_store *store,
                                           const struct rocks_family *family,
                                           struct haul_error *failure);
enum haul_status __wrap_rocks_flush_family(struct rocks_store *store,
                                           const struct rocks_family *family,
                                           struct haul_error *failure);
enum haul_status __wrap_rocks_flush_family(struct rocks_store *store,
                                           const struct rocks_family *family,
                                           struct haul_error *failure)
{
    return is_turn() ? fail(failure) : __real_rocks_flush_family(store, family, failure);
}

enum haul_status __real_rocks_place_check(struct haul_store *base, struct haul_error *failure);
enum haul_status __wrap_rocks_place_check(struct haul_store *base, struct haul_error *failure);
enum haul_status __wrap_rocks_place_check(struct haul_store *base, struct haul_error *failure)
{
    return is_turn() ? fail(failure) : __real_rocks_place_check(base, failure);
}

enum haul_status __real_rocks_identity_keep(const struct rocks_store *store,
                                            struct haul_error *failure);
enum haul_status __wrap_rocks_identity_keep(const struct rocks_store *store,
                                            struct haul_error *failure);
enum haul_status __wrap_rocks_identity_keep(const struct rocks_store *store,
                                            struct haul_error *failure)
{
    return is_turn() ? fail(failure) : __real_rocks_identity_keep(store, failure);
}

/* --- sweeps ----------------------------------------------------------------------------------- */

struct sweep {
    void (*prepare)(void); /* before each try */
    enum haul_status (*act)(void);
    void (*end)(void);
    bool does_without_memory; /* the result is then only less exact */
    unsigned calls_min;       /* that can fail */
    unsigned calls_unneeded;  /* of these: without their result it takes another way */
};

static unsigned unneeded_count;

/* The call (or the allocation) `at` fails. False: there are not so many. */
static bool try_once(const struct sweep *sweep, unsigned at, bool is_memory)
{
    sweep->prepare();
    memset(&error, 0, sizeof(error));
    call_count = 0;
    call_fails_at = is_memory ? 0 : at;
    failing_memory_fail(is_memory ? at : 0);
    enum haul_status status = sweep->act();
    bool failed = is_memory ? failing_memory_failed() : call_count >= at;
    call_fails_at = 0;
    failing_memory_fail(0);
    if (!failed) {
        check_status(status, HAUL_OK);
    } else if (!is_memory && status == HAUL_OK) {
        unneeded_count++;
    } else if (!is_memory || !sweep->does_without_memory || status != HAUL_OK) {
        check_status(status, is_memory ? HAUL_NO_MEMORY : HAUL_IO);
        check_equal(error.status, status);
        check_status(sweep->act(), HAUL_OK);
    }
    sweep->end();
    return failed;
}

static void run_sweep(const struct sweep *sweep)
{
    unsigned at = 1;
    unneeded_count = 0;
    while (at <= FAILURES_MAX && try_once(sweep, at, false)) {
        at++;
    }
    check_equal(unneeded_count, sweep->calls_unneeded);
    check(at > sweep->calls_min && at <= FAILURES_MAX);
    at = 1;
    while (at <= FAILURES_MAX && try_once(sweep, at, true)) {
        at++;
    }
    check(at <= FAILURES_MAX);
}

static void make_full(void)
{
    rocks_fixture_open(&fixture);
    ops = fixture.store->ops;
    rocks_fixture_fill(&fixture, 0, "k", RECORD_COUNT, VALUE_BYTES);
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
    rocks_fixture_fill(&fixture, 0, "m", 1, VALUE_BYTES);
}

static void make_empty(void)
{
    rocks_fixture_open(&fixture);
    ops = fixture.store->ops;
}

static void end(void)
{
    rocks_fixture_close(&fixture);
}

static void nothing(void)
{
}

/* For operations that change nothing: one database for all tries. */
static void sweep_reading(enum haul_status (*act)(void), unsigned calls_min,
                          bool does_without_memory)
{
    const struct sweep sweep = {nothing, act, nothing, does_without_memory, calls_min, 0};
    make_full();
    run_sweep(&sweep);
    end();
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum haul_status look_for_size(void)
{
    uint64_t bytes = 0;
    return ops->range_size(fixture.store, 0, text_slice("k"), text_slice("l"), &bytes, &error);
}

static void test_range_size__nth_call_fails__its_error(void)
{
    sweep_reading(look_for_size, 2, true);
}

static enum haul_status split(void)
{
    struct haul_slice keys[3];
    size_t count = 0;
    enum haul_status status = ops->range_split(fixture.store, 0, text_slice("k"), text_slice("l"),
                                               keys, 3, &count, &error);
    for (size_t i = 0; status == HAUL_OK && i < count; i++) {
        free((void *)(uintptr_t)keys[i].data);
    }
    return status;
}

static void test_range_split__nth_call_fails__its_error(void)
{
    sweep_reading(split, 1, true);
}

static enum haul_status scan_all(void)
{
    struct haul_scan *scan = NULL;
    struct haul_snapshot *snapshot = NULL;
    struct haul_record record;
    uint64_t sequence = 0;
    enum haul_status status = ops->snapshot_open(fixture.store, &snapshot, &sequence, &error);
    if (status != HAUL_OK) {
        return status;
    }
    status =
        ops->scan_open(fixture.store, snapshot, 0, text_slice("k"), text_slice("l"), &scan, &error);
    if (status == HAUL_OK) {
        while ((status = ops->scan_next(scan, &record, &error)) == HAUL_OK) {
        }
        ops->scan_close(scan);
    }
    ops->snapshot_close(fixture.store, snapshot);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status;
}

static void test_scan__nth_call_fails__its_error(void)
{
    sweep_reading(scan_all, 2, false);
}

static enum haul_status get_one(void)
{
    uint8_t *value = NULL;
    size_t size = 0;
    enum haul_status status =
        ops->get(fixture.store, NULL, 0, text_slice("k00000000"), &value, &size, &error);
    free(value);
    return status;
}

static void test_get__nth_call_fails__its_error(void)
{
    sweep_reading(get_one, 1, false);
}

static enum haul_status read_log(void)
{
    struct haul_wal_reader *reader = NULL;
    struct haul_log_batch batch;
    enum haul_status status = ops->wal_pin(fixture.store, &error);
    if (status != HAUL_OK) {
        return status;
    }
    status = ops->wal_open(fixture.store, ops->sequence(fixture.store), &reader, &error);
    if (status == HAUL_OK) {
        status = ops->wal_next(reader, &batch, &error);
        ops->wal_close(reader);
    }
    ops->wal_unpin(fixture.store);
    return status;
}

static void test_wal__nth_call_fails__its_error(void)
{
    sweep_reading(read_log, 1, false);
}

static enum haul_status check_both_sides(void)
{
    const uint32_t id = 0;
    enum haul_status status = ops->send_check(fixture.store, &id, 1, &error);
    return status == HAUL_OK ? ops->receive_check(fixture.store, "default", "", &error) : status;
}

static void test_send_check_and_receive_check__nth_call_fails__its_error(void)
{
    sweep_reading(check_both_sides, 1, true);
}

/* --- writing ---------------------------------------------------------------------------------- */

static enum haul_status clear(void)
{
    return ops->range_clear(fixture.store, 0, text_slice("k"), text_slice("l"), NULL, &error);
}

static void check_cleared(void)
{
    check_equal(rocks_fixture_count(&fixture, "default"), 1);
    end();
}

static void test_range_clear__nth_call_fails__its_error(void)
{
    const struct sweep sweep = {make_full, clear, check_cleared, true, 4, 2 /* for cuts */};
    run_sweep(&sweep);
}

static enum haul_status write_one(void)
{
    uint8_t memory[64];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_put(&writer, 0, text_slice("key"), text_slice("value")));
    struct haul_slice batch = slice_of(memory, raw_batch_finish(&writer));
    enum haul_status status = ops->write(fixture.store, batch, HAUL_WRITE_NO_WAL, &error);
    return status == HAUL_OK ? ops->flush(fixture.store, &error) : status;
}

static void test_write_and_flush__nth_call_fails__its_error(void)
{
    const struct sweep sweep = {make_empty, write_one, end, false, 1, 0};
    run_sweep(&sweep);
}

static enum haul_status ingest(void)
{
    char path[300];
    const char *const paths[] = {path};
    struct haul_table *table = NULL;
    bool sure = false;
    (void)snprintf(path, sizeof(path), "%s/table.sst", fixture.path);
    enum haul_status status = ops->table_create(fixture.store, 0, path, &table, &error);
    if (status != HAUL_OK) {
        return status;
    }
    status = ops->table_put(table, text_slice("m"), text_slice("value"), &error);
    if (status != HAUL_OK) {
        ops->table_abandon(table);
        return status;
    }
    status = ops->table_finish(table, &error);
    if (status == HAUL_OK) {
        status = ops->table_ingest(fixture.store, 0, paths, 1, &error);
    }
    (void)unlink(path);
    if (status == HAUL_OK) {
        status = ops->tables_check(fixture.store, 0, slice_of(NULL, 0), slice_of(NULL, 0), &sure,
                                   &error);
        check(status != HAUL_OK || sure);
    }
    return status;
}

/* The record of that key is in memory when the table comes. */
static void make_with_record_in_memory(void)
{
    make_empty();
    rocks_fixture_put(&fixture, 0, text_slice("m"), text_slice("older"));
}

static void test_table_ingest__nth_call_fails__its_error(void)
{
    const struct sweep sweep = {make_with_record_in_memory, ingest, end, false, 5, 0};
    run_sweep(&sweep);
}

static enum haul_status remake_default(void)
{
    struct haul_family created;
    return ops->family_create_like(fixture.store, "default",
                                   "comparator=rocksdb.ReverseBytewiseComparator\n", &created,
                                   &error);
}

static void test_family_create_like__removal_of_the_old_one_fails__its_error(void)
{
    make_empty();
    call_count = 0;
    call_fails_at = 2; /* the first one checks the directory */
    enum haul_status status = remake_default();
    call_fails_at = 0;
    check_status(status, HAUL_OK); /* the second try succeeds */
    end();
}

/* --- opening ---------------------------------------------------------------------------------- */

static void make_closed(void)
{
    make_full();
    haul_store_close(fixture.store);
    fixture.store = NULL;
}

static enum haul_status open_source(void)
{
    const struct haul_rocks_options options = {.keep_log = true, .families_of_jobs = true};
    return haul_rocks_store_open(fixture.path, &options, &fixture.store, &error);
}

static void test_haul_rocks_store_open__nth_allocation_fails__no_memory(void)
{
    const struct sweep sweep = {make_closed, open_source, end, true, 0, 0};
    run_sweep(&sweep);
}

static enum haul_status open_reader(void)
{
    const struct haul_rocks_options options = {.read_only = true, .families_of_jobs = true};
    return haul_rocks_store_open(fixture.path, &options, &fixture.store, &error);
}

static void test_haul_rocks_store_open__nth_allocation_of_a_reader_fails__no_memory(void)
{
    const struct sweep sweep = {make_closed, open_reader, end, true, 0, 0};
    run_sweep(&sweep);
}

/* A second store over the database of the first one. */
static enum haul_status attach(void)
{
    const struct rocks_store *rocks = rocks_of(fixture.store);
    const struct haul_rocks_family family = {.name = "default",
                                             .handle = rocks->families[0].handle,
                                             .options = rocks->families[0].options};
    const struct haul_rocks_database database = {
        .path = fixture.path, .db = rocks->db, .families = &family, .family_count = 1};
    struct haul_store *attached = NULL;
    enum haul_status status = haul_rocks_store_attach(&database, &attached, &error);
    if (status == HAUL_OK) {
        haul_store_close(attached);
    }
    return status;
}

static void test_haul_rocks_store_attach__nth_allocation_fails__no_memory(void)
{
    sweep_reading(attach, 0, false);
}

/* A view of a family whose compactions drop records has iterators, and copies values. */
static enum haul_status look_up_in_view(void)
{
    struct haul_snapshot *snapshot = NULL;
    uint8_t *value = NULL;
    size_t size = 0;
    uint64_t sequence = 0;
    rocks_of(fixture.store)->families[0].drops_records = true;
    enum haul_status status = ops->snapshot_open(fixture.store, &snapshot, &sequence, &error);
    if (status == HAUL_OK) {
        status =
            ops->get(fixture.store, snapshot, 0, text_slice("k00000000"), &value, &size, &error);
        check(status != HAUL_OK || size == VALUE_BYTES);
        free(value);
        value = NULL;
    }
    if (status == HAUL_OK) {
        status = ops->get(fixture.store, snapshot, 0, text_slice("z"), &value, &size, &error);
        check(status != HAUL_OK);
        status = status == HAUL_NOT_FOUND ? HAUL_OK : status;
    }
    if (snapshot != NULL) {
        ops->snapshot_close(fixture.store, snapshot);
    }
    return status;
}

static void test_get__in_a_view_nth_call_fails__its_error(void)
{
    sweep_reading(look_up_in_view, 1, false);
}

/* Options of the families, for the other side. */
static enum haul_status read_options(void)
{
    char *options = NULL;
    enum haul_status status = ops->family_options(fixture.store, 0, &options, &error);
    free(options);
    return status;
}

static void test_family_options__nth_call_fails__its_error(void)
{
    sweep_reading(read_options, 1, false);
}

/* Records so large that the edges of table files count instead of theirs. */
static void test_range_size__of_large_records_nth_call_fails__its_error(void)
{
    enum { LARGE_COUNT = 4, LARGE_BYTES = 600 << 10 };
    const struct sweep sizes = {nothing, look_for_size, nothing, true, 1, 0};
    const struct sweep parts = {nothing, split, nothing, true, 1, 0};
    make_empty();
    rocks_fixture_fill(&fixture, 0, "k", LARGE_COUNT, LARGE_BYTES);
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
    run_sweep(&sizes);
    run_sweep(&parts);
    end();
}

static enum haul_status check_tables(void)
{
    bool sure = false;
    enum haul_status status =
        ops->tables_check(fixture.store, 0, slice_of(NULL, 0), slice_of(NULL, 0), &sure, &error);
    check(status != HAUL_OK || sure);
    return status;
}

/* The ingested table is another file now. */
static void test_tables_check__compacted_and_nth_call_fails__its_error(void)
{
    const struct sweep sweep = {nothing, check_tables, nothing, false, 2, 0};
    make_with_record_in_memory();
    check_status(ingest(), HAUL_OK);
    rocks_foreign_compact(fixture.store);
    run_sweep(&sweep);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_range_size__nth_call_fails__its_error),
    CHECK_TEST(test_range_split__nth_call_fails__its_error),
    CHECK_TEST(test_scan__nth_call_fails__its_error),
    CHECK_TEST(test_get__nth_call_fails__its_error),
    CHECK_TEST(test_wal__nth_call_fails__its_error),
    CHECK_TEST(test_send_check_and_receive_check__nth_call_fails__its_error),
    CHECK_TEST(test_range_clear__nth_call_fails__its_error),
    CHECK_TEST(test_write_and_flush__nth_call_fails__its_error),
    CHECK_TEST(test_table_ingest__nth_call_fails__its_error),
    CHECK_TEST(test_family_create_like__removal_of_the_old_one_fails__its_error),
    CHECK_TEST(test_haul_rocks_store_open__nth_allocation_fails__no_memory),
    CHECK_TEST(test_haul_rocks_store_open__nth_allocation_of_a_reader_fails__no_memory),
    CHECK_TEST(test_haul_rocks_store_attach__nth_allocation_fails__no_memory),
    CHECK_TEST(test_get__in_a_view_nth_call_fails__its_error),
    CHECK_TEST(test_family_options__nth_call_fails__its_error),
    CHECK_TEST(test_range_size__of_large_records_nth_call_fails__its_error),
    CHECK_TEST(test_tables_check__compacted_and_nth_call_fails__its_error),
};
CHECK_MAIN("rocks_failures", tests)
