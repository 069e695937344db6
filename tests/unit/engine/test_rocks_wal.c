/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_wal.c — the log read batch by batch; whatever is missing is a GAP, never silence. */
#include <dirent.h>
#include <poll.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "check.h"
#include "haul/store.h"
#include "log_links.h"
#include "raw_batch.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"

static struct rocks_fixture fixture;
static const struct haul_store_ops *ops;
static struct haul_wal_reader *reader;
static struct haul_log_batch batch;
static struct haul_error error;

static void open_fixture(void)
{
    rocks_fixture_open(&fixture);
    ops = fixture.store->ops;
    memset(&error, 0, sizeof(error));
}

/* The log of before stays readable. */
static void open_store_keeping(void)
{
    struct haul_rocks_options options = {.create_if_missing = true, .keep_log = true};
    fixture.store = NULL;
    check_or_stop(haul_rocks_store_open(fixture.path, &options, &fixture.store, &error) == HAUL_OK);
    ops = fixture.store->ops;
}

static void open_keeping(void)
{
    rocks_fixture_make_directory(&fixture);
    open_store_keeping();
}

static void open_reader(uint64_t sequence)
{
    check_or_stop(ops->wal_open(fixture.store, sequence, &reader, &error) == HAUL_OK);
}

static void close_reader(void)
{
    ops->wal_close(reader);
    reader = NULL;
}

static void close_all(void)
{
    if (reader != NULL) {
        close_reader();
    }
    rocks_fixture_close(&fixture);
}

static void put(const char *key)
{
    rocks_fixture_put(&fixture, 0, text_slice(key), text_slice("value"));
}

static enum haul_status next(void)
{
    return ops->wal_next(reader, &batch, &error);
}

/* One batch of `count` Puts with keys "<prefix>0", ... */
static void put_many(char prefix, uint32_t count, unsigned flags)
{
    uint8_t memory[512];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    for (uint32_t i = 0; i < count; i++) {
        char key[] = {prefix, (char)('0' + i), '\0'};
        bool fits = raw_batch_put(&writer, 0, text_slice(key), text_slice("v"));
        haul_assert(fits);
    }
    struct haul_slice bytes = slice_of(memory, raw_batch_finish(&writer));
    check_status(ops->write(fixture.store, bytes, flags, &error), HAUL_OK);
}

/* The batch just read: its first number, its number of records, its first key. */
static void check_batch(uint64_t sequence, uint32_t count, const char *key)
{
    struct raw_batch_reader raw;
    struct raw_record record;
    check_equal(batch.sequence, sequence);
    check_or_stop(raw_batch_open(&raw, batch.data) == HAUL_OK);
    check_equal(raw.count, count);
    check_or_stop(raw_batch_next(&raw, &record) == HAUL_OK);
    check(slice_compare(record.key, text_slice(key)) == 0);
    check_equal(ops->wal_position(reader), sequence + count);
}

/* Flush, so that the log up to here is not needed any more and, unless it is kept, goes. */
static void flush(void)
{
    check_status(ops->flush(fixture.store, &error), HAUL_OK);
}

static size_t count_log_files(void)
{
    size_t count = 0;
    DIR *directory = opendir(fixture.path);
    haul_assert(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const char *suffix = strrchr(entry->d_name, '.');
        count += suffix != NULL && strcmp(suffix, ".log") == 0 ? 1 : 0;
    }
    (void)closedir(directory);
    return count;
}

/* The same, and its file is gone: a thread of RocksDB removes it, mostly before it tells that the
 * flush is done. */
static void flush_and_purge(void)
{
    enum { PATIENCE_MS = 60000 };
    flush();
    for (int waited_ms = 0; count_log_files() > 1 && waited_ms < PATIENCE_MS; waited_ms++) {
        (void)poll(NULL, 0, 1);
    }
    check_equal(count_log_files(), 1);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void test_rocks_wal_next__empty_database__again(void)
{
    open_fixture();
    open_reader(1);
    check_status(next(), HAUL_AGAIN);
    check_equal(ops->wal_position(reader), 1);
    close_all();
}

static void test_rocks_wal_next__single_writes__each_in_order_then_again(void)
{
    open_fixture();
    put("a");
    put("b");
    open_reader(1);
    check_status(next(), HAUL_OK);
    check_batch(1, 1, "a");
    check_status(next(), HAUL_OK);
    check_batch(2, 1, "b");
    check_status(next(), HAUL_AGAIN);
    check_status(next(), HAUL_AGAIN);
    check_equal(ops->wal_position(reader), 3);
    close_all();
}

static void test_rocks_wal_next__written_behind_the_tail__read_on(void)
{
    open_fixture();
    put("a");
    open_reader(1);
    check_status(next(), HAUL_OK);
    for (uint64_t sequence = 2; sequence < 50; sequence++) {
        check_status(next(), HAUL_AGAIN);
        put("later");
        check_status(next(), HAUL_OK);
        check_batch(sequence, 1, "later");
    }
    close_all();
}

static void test_rocks_wal_next__several_records_a_batch__numbers_are_of_records(void)
{
    open_fixture();
    put_many('a', 3, 0);
    put_many('b', 5, 0);
    put("c");
    open_reader(1);
    check_status(next(), HAUL_OK);
    check_batch(1, 3, "a0");
    check_status(next(), HAUL_OK);
    check_batch(4, 5, "b0");
    check_status(next(), HAUL_OK);
    check_batch(9, 1, "c");
    check_equal(ops->sequence(fixture.store), 9);
    check_status(next(), HAUL_AGAIN);
    close_all();
}

static void test_rocks_wal_next__number_inside_a_batch__that_whole_batch(void)
{
    open_fixture();
    put_many('a', 3, 0);
    put_many('b', 5, 0);
    open_reader(6);
    check_status(next(), HAUL_OK);
    check_batch(4, 5, "b0");
    check_status(next(), HAUL_AGAIN);
    close_all();
}

static void test_rocks_wal_open__behind_the_last_number__again_until_written(void)
{
    open_fixture();
    put("a");
    open_reader(2);
    check_status(next(), HAUL_AGAIN);
    put("b");
    check_status(next(), HAUL_OK);
    check_batch(2, 1, "b");
    close_all();
}

/* A number that the database has not come to: it is another one, or was put back. */
static void test_rocks_wal_next__number_beyond_the_database__gap(void)
{
    open_fixture();
    put("a");
    open_reader(10);
    check_status(next(), HAUL_GAP);
    check_equal(error.status, HAUL_GAP);
    close_all();
}

static void test_rocks_wal_next__log_file_changes__goes_on_without_a_hole(void)
{
    open_fixture();
    check_status(ops->wal_pin(fixture.store, &error), HAUL_OK);
    open_reader(1);
    for (uint64_t sequence = 1; sequence <= 6; sequence++) {
        put("key");
        flush(); /* begins a new log file */
        check_status(next(), HAUL_OK);
        check_batch(sequence, 1, "key");
    }
    check_status(next(), HAUL_AGAIN);
    ops->wal_unpin(fixture.store);
    close_all();
}

/* What tables have is not needed in the log any more. */
static void test_rocks_wal_next__after_a_flush_and_a_restart__gap(void)
{
    open_fixture();
    put("a");
    flush();
    rocks_fixture_reopen(&fixture);
    open_reader(1);
    check_status(next(), HAUL_GAP);
    put("b");
    check_status(next(), HAUL_GAP);
    close_all();
}

static void test_rocks_wal_next__after_a_restart__the_same_numbers(void)
{
    open_fixture();
    put("a");
    rocks_fixture_reopen(&fixture);
    open_reader(1);
    check_status(next(), HAUL_OK);
    check_batch(1, 1, "a");
    close_all();
}

static void test_rocks_wal_next__after_a_restart_with_kept_log__the_same_numbers(void)
{
    open_keeping();
    put_many('a', 3, 0);
    put("b");
    ops->close(fixture.store);
    open_store_keeping();
    open_reader(4);
    check_status(next(), HAUL_OK);
    check_batch(4, 1, "b");
    check_status(next(), HAUL_AGAIN);
    put("c");
    check_status(next(), HAUL_OK);
    check_batch(5, 1, "c");
    close_all();
}

static void test_rocks_wal_next__log_flushed_by_hand__tail_is_found(void)
{
    rocks_fixture_make_directory(&fixture);
    struct foreign_database foreign = {.manual_wal_flush = true};
    rocks_foreign_make(fixture.path, &foreign);
    struct haul_rocks_options options = {0};
    check_or_stop(haul_rocks_store_open(fixture.path, &options, &fixture.store, &error) == HAUL_OK);
    ops = fixture.store->ops;
    uint64_t sequence = ops->sequence(fixture.store) + 1;
    open_reader(sequence);
    check_status(next(), HAUL_AGAIN);
    put("held");
    check_status(next(), HAUL_OK);
    check_batch(sequence, 1, "held");
    close_all();
}

static const char *status_now; /* what RocksDB says of the log; NULL: as it is */

unsigned char __real_rocksdb_wal_iter_valid(const rocksdb_wal_iterator_t *iterator);
unsigned char __wrap_rocksdb_wal_iter_valid(const rocksdb_wal_iterator_t *iterator);
unsigned char __wrap_rocksdb_wal_iter_valid(const rocksdb_wal_iterator_t *iterator)
{
    return status_now == NULL ? __real_rocksdb_wal_iter_valid(iterator) : 0;
}

void __real_rocksdb_wal_iter_status(const rocksdb_wal_iterator_t *iterator, char **message);
void __wrap_rocksdb_wal_iter_status(const rocksdb_wal_iterator_t *iterator, char **message);
void __wrap_rocksdb_wal_iter_status(const rocksdb_wal_iterator_t *iterator, char **message)
{
    if (status_now == NULL) {
        __real_rocksdb_wal_iter_status(iterator, message);
    } else {
        *message = strdup(status_now);
    }
}

static const char *opening_now; /* what it says when the log is opened */

rocksdb_wal_iterator_t *__real_rocksdb_get_updates_since(rocksdb_t *db, uint64_t sequence,
                                                         const rocksdb_wal_readoptions_t *options,
                                                         char **message);
rocksdb_wal_iterator_t *__wrap_rocksdb_get_updates_since(rocksdb_t *db, uint64_t sequence,
                                                         const rocksdb_wal_readoptions_t *options,
                                                         char **message);
rocksdb_wal_iterator_t *__wrap_rocksdb_get_updates_since(rocksdb_t *db, uint64_t sequence,
                                                         const rocksdb_wal_readoptions_t *options,
                                                         char **message)
{
    if (opening_now == NULL) {
        return __real_rocksdb_get_updates_since(db, sequence, options, message);
    }
    *message = strdup(opening_now);
    return NULL;
}

static void test_rocks_wal_next__log_cannot_be_opened__by_its_cause(void)
{
    static const struct {
        const char *message;
        enum haul_status status;
    } cases[] = {
        {"IO error: While opendir: /db: Input/output error", HAUL_IO},
        {"Corruption: missing or truncated header", HAUL_CORRUPT},
        {"NotFound: Requested sequence not yet written in the db", HAUL_GAP},
    };
    open_fixture();
    put("a");
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        open_reader(1);
        opening_now = cases[i].message;
        check_error(next(), cases[i].status, error);
        opening_now = NULL;
        check_status(next(), HAUL_OK);
        close_reader();
    }
    close_all();
}

/* A disk that fails is no hole in the log, and a hole is no damage. */
static void test_rocks_wal_next__log_cannot_be_read__by_its_cause(void)
{
    static const struct {
        const char *message;
        enum haul_status status;
    } cases[] = {
        {"IO error: While pread offset 0 len 32768: /db/000004.log: Input/output error", HAUL_IO},
        {"Corruption: checksum mismatch", HAUL_CORRUPT},
        {"Corruption: Gap in sequence numbers. Could not seek to 3", HAUL_GAP},
        {"IO error: No such file or directory: /db/000004.log", HAUL_GAP},
        {"Try again: create a new iterator to fetch the new tail", HAUL_GAP},
    };
    open_fixture();
    put("a");
    put("b");
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        open_reader(1);
        check_status(next(), HAUL_OK);
        status_now = cases[i].message;
        check_error(next(), cases[i].status, error);
        check_equal(strstr(error.text, "has a hole") != NULL, cases[i].status == HAUL_GAP);
        status_now = NULL;
        check_status(next(), HAUL_OK); /* it has lost nothing */
        check_equal(batch.sequence, 2);
        close_reader();
    }
    close_all();
}

static void test_rocks_wal_next__two_readers__each_at_its_own_place(void)
{
    open_fixture();
    put("a");
    put("b");
    struct haul_wal_reader *second = NULL;
    struct haul_log_batch other;
    open_reader(1);
    check_or_stop(ops->wal_open(fixture.store, 2, &second, &error) == HAUL_OK);
    check_status(ops->wal_next(second, &other, &error), HAUL_OK);
    check_equal(other.sequence, 2);
    check_status(next(), HAUL_OK);
    check_batch(1, 1, "a");
    check_equal(ops->wal_position(second), 3);
    ops->wal_close(second);
    close_all();
}

/* No log file has a byte yet while the database counts a write: an iterator made now has no file
 * open, and must not be moved on. */
static void test_rocks_wal_next__asked_again_and_again_at_an_empty_log__gap_each_time(void)
{
    open_fixture();
    put("a");
    flush_and_purge();
    open_reader(1);
    for (int i = 0; i < 5; i++) {
        check_status(next(), HAUL_GAP);
    }
    put("b");
    check_status(next(), HAUL_GAP);
    close_all();
}

/* --- holes ------------------------------------------------------------------------------------ */

static void test_rocks_wal_next__log_purged__gap(void)
{
    open_fixture();
    put("a");
    put("b");
    flush_and_purge();
    put("c");
    open_reader(1);
    check_status(next(), HAUL_GAP);
    check(strstr(error.text, "1") != NULL && error.hint[0] != '\0');
    check_status(next(), HAUL_GAP); /* it does not step over the hole */
    check_equal(ops->wal_position(reader), 1);
    close_all();
}

/* RocksDB says OK, and yields nothing, when the whole log is gone. */
static void test_rocks_wal_next__log_purged_and_nothing_behind__gap(void)
{
    open_fixture();
    put("a");
    flush_and_purge();
    open_reader(1);
    check_status(next(), HAUL_GAP);
    close_all();
}

static void test_rocks_wal_next__purged_while_reading__gap(void)
{
    open_fixture();
    put("a");
    open_reader(1);
    check_status(next(), HAUL_OK);
    check_status(next(), HAUL_AGAIN);
    close_reader();
    put("b");
    flush_and_purge();
    put("c");
    flush_and_purge();
    open_reader(2);
    check_status(next(), HAUL_GAP);
    close_all();
}

static void test_rocks_wal_next__written_without_the_log__gap(void)
{
    open_fixture();
    put("a");
    put_many('b', 1, HAUL_WRITE_NO_WAL);
    put("c");
    open_reader(1);
    check_status(next(), HAUL_OK);
    check_batch(1, 1, "a");
    check_status(next(), HAUL_GAP);
    check_status(next(), HAUL_GAP);
    close_all();
}

static void test_rocks_wal_next__last_write_without_the_log__gap(void)
{
    open_fixture();
    put("a");
    put_many('b', 2, HAUL_WRITE_NO_WAL);
    open_reader(1);
    check_status(next(), HAUL_OK);
    check_status(next(), HAUL_GAP);
    close_all();
}

/* --- keeping ---------------------------------------------------------------------------------- */

static void test_rocks_wal_pin__flushes__log_stays_until_unpinned(void)
{
    open_fixture();
    check_status(ops->wal_pin(fixture.store, &error), HAUL_OK);
    check_status(ops->wal_pin(fixture.store, &error), HAUL_OK);
    for (int i = 0; i < 3; i++) {
        put("key");
        flush();
    }
    ops->wal_unpin(fixture.store); /* counted: still pinned once */
    put("key");
    flush();
    open_reader(1);
    for (uint64_t sequence = 1; sequence <= 4; sequence++) {
        check_status(next(), HAUL_OK);
        check_batch(sequence, 1, "key");
    }
    check_status(next(), HAUL_AGAIN);
    close_reader();
    ops->wal_unpin(fixture.store);
    put("key");
    flush_and_purge();
    close_all();
}

static bool has_archive(void)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/archive", fixture.path);
    return access(path, F_OK) == 0;
}

static void test_rocks_archive_drop__closed__second_names_are_gone(void)
{
    open_keeping();
    put("a");
    ops->close(fixture.store);
    open_store_keeping();
    check(has_archive());
    check(log_links_exist(fixture.path));
    ops->close(fixture.store);
    check(!has_archive());
    open_store_keeping();
    close_all();
}

static void test_rocks_archive_keep__database_archives_itself__left_alone(void)
{
    static const struct foreign_database databases[] = {{.wal_ttl_seconds = 3600},
                                                        {.wal_size_limit_mb = 100}};
    for (size_t i = 0; i < CHECK_COUNT(databases); i++) {
        rocks_fixture_make_directory(&fixture);
        rocks_foreign_make(fixture.path, &databases[i]);
        open_store_keeping();
        put("a");
        flush();
        put("b");
        flush();
        ops->close(fixture.store);
        check(has_archive());
        open_store_keeping();
        check(!log_links_exist(fixture.path));
        open_reader(ops->sequence(fixture.store));
        check_status(next(), HAUL_OK);
        close_all();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_wal_next__empty_database__again),
    CHECK_TEST(test_rocks_wal_next__single_writes__each_in_order_then_again),
    CHECK_TEST(test_rocks_wal_next__written_behind_the_tail__read_on),
    CHECK_TEST(test_rocks_wal_next__several_records_a_batch__numbers_are_of_records),
    CHECK_TEST(test_rocks_wal_next__number_inside_a_batch__that_whole_batch),
    CHECK_TEST(test_rocks_wal_open__behind_the_last_number__again_until_written),
    CHECK_TEST(test_rocks_wal_next__number_beyond_the_database__gap),
    CHECK_TEST(test_rocks_wal_next__log_file_changes__goes_on_without_a_hole),
    CHECK_TEST(test_rocks_wal_next__after_a_flush_and_a_restart__gap),
    CHECK_TEST(test_rocks_wal_next__after_a_restart__the_same_numbers),
    CHECK_TEST(test_rocks_wal_next__after_a_restart_with_kept_log__the_same_numbers),
    CHECK_TEST(test_rocks_wal_next__log_flushed_by_hand__tail_is_found),
    CHECK_TEST(test_rocks_wal_next__log_cannot_be_opened__by_its_cause),
    CHECK_TEST(test_rocks_wal_next__log_cannot_be_read__by_its_cause),
    CHECK_TEST(test_rocks_wal_next__two_readers__each_at_its_own_place),
    CHECK_TEST(test_rocks_wal_next__asked_again_and_again_at_an_empty_log__gap_each_time),
    CHECK_TEST(test_rocks_wal_next__log_purged__gap),
    CHECK_TEST(test_rocks_wal_next__log_purged_and_nothing_behind__gap),
    CHECK_TEST(test_rocks_wal_next__purged_while_reading__gap),
    CHECK_TEST(test_rocks_wal_next__written_without_the_log__gap),
    CHECK_TEST(test_rocks_wal_next__last_write_without_the_log__gap),
    CHECK_TEST(test_rocks_wal_pin__flushes__log_stays_until_unpinned),
    CHECK_TEST(test_rocks_archive_drop__closed__second_names_are_gone),
    CHECK_TEST(test_rocks_archive_keep__database_archives_itself__left_alone),
};

CHECK_MAIN("rocks_wal", tests)
