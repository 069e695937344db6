/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_attach.c — a store over a database that its owner has open: it works on the database,
 * follows its options, and leaves it open. */
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "haul/store.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture; /* only its directory */
static rocksdb_options_t *options;
static rocksdb_t *db;
static rocksdb_column_family_handle_t *handles[2];
static struct haul_rocks_family families[2];
static struct haul_rocks_database database;
static struct haul_store *store;
static struct haul_error error;
static uint32_t features_now;

static uint32_t owner_features(void *context)
{
    return context == &features_now ? features_now : 0;
}

static void open_database(void)
{
    rocks_fixture_make_directory(&fixture);
    char *message = NULL;
    options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_create_missing_column_families(options, 1);
    const char *names[] = {"default", "metadata"};
    const rocksdb_options_t *family_options[] = {options, options};
    db = rocksdb_open_column_families(options, fixture.path, 2, names, family_options, handles,
                                      &message);
    check_or_stop(message == NULL);
    for (size_t i = 0; i < 2; i++) {
        families[i] =
            (struct haul_rocks_family){.name = names[i], .handle = handles[i], .options = options};
    }
    database = (struct haul_rocks_database){
        .path = fixture.path, .db = db, .families = families, .family_count = 2};
    memset(&error, 0, sizeof(error));
    store = NULL;
}

static void close_database(void)
{
    rocksdb_column_family_handle_destroy(handles[0]);
    rocksdb_column_family_handle_destroy(handles[1]);
    rocksdb_close(db);
    rocksdb_options_destroy(options);
    rocks_fixture_close(&fixture);
}

static void attach(void)
{
    check_or_stop(haul_rocks_store_attach(&database, &store, &error) == HAUL_OK);
}

static void owner_put(size_t family, const char *key, const char *value)
{
    char *message = NULL;
    rocksdb_writeoptions_t *write_options = rocksdb_writeoptions_create();
    rocksdb_put_cf(db, write_options, handles[family], key, strlen(key), value, strlen(value),
                   &message);
    rocksdb_writeoptions_destroy(write_options);
    check_or_stop(message == NULL);
}

static void test_haul_rocks_store_attach__two_families__named_and_numbered(void)
{
    open_database();
    attach();
    struct haul_family found[HAUL_FAMILY_COUNT_MAX];
    size_t count = 0;
    check_status(store->ops->families(store, found, HAUL_FAMILY_COUNT_MAX, &count, &error),
                 HAUL_OK);
    check_equal(count, 2);
    check_text(found[1].name, "metadata");
    check_equal(found[1].id, rocksdb_column_family_handle_get_id(handles[1]));
    check_text(found[1].comparator, "leveldb.BytewiseComparator");
    check_text(found[1].merge_operator, "");
    check(strlen(store->ops->identity(store)) > 0);
    haul_store_close(store);
    close_database();
}

static void test_haul_rocks_store_attach__owner_writes__seen_in_scan_and_log(void)
{
    open_database();
    attach();
    uint64_t before = store->ops->sequence(store);
    owner_put(1, "key", "value");
    struct haul_scan *scan = NULL;
    struct haul_record record;
    uint32_t id = rocksdb_column_family_handle_get_id(handles[1]);
    check_status(
        store->ops->scan_open(store, NULL, id, slice_of("k", 1), slice_of("l", 1), &scan, &error),
        HAUL_OK);
    check_status(store->ops->scan_next(scan, &record, &error), HAUL_OK);
    check_equal(record.value.size, 5);
    store->ops->scan_close(scan);
    struct haul_wal_reader *reader = NULL;
    struct haul_log_batch batch;
    check_status(store->ops->wal_open(store, before + 1, &reader, &error), HAUL_OK);
    check_status(store->ops->wal_next(reader, &batch, &error), HAUL_OK);
    check_equal(batch.sequence, before + 1);
    store->ops->wal_close(reader);
    haul_store_close(store);
    close_database();
}

static void test_haul_rocks_store_attach__log_pinned__unpinned_again(void)
{
    open_database();
    attach();
    check_status(store->ops->wal_pin(store, &error), HAUL_OK);
    store->ops->wal_unpin(store);
    haul_store_close(store);
    close_database();
}

/* As an earlier release may have made it. */
static void test_haul_rocks_store_attach__directory_open_to_all__closed(void)
{
    char path[HAUL_DIRECTORY_BYTES_MAX];
    struct stat found;
    open_database();
    (void)snprintf(path, sizeof(path), "%s/haul", fixture.path);
    check_equal(mkdir(path, 0700), 0);
    check_equal(chmod(path, 0777), 0);
    check_status(haul_rocks_store_attach(&database, &store, &error), HAUL_OK);
    check_equal(stat(path, &found), 0);
    check_equal(found.st_mode & 07777, 0700);
    haul_store_close(store);
    close_database();
}

static void test_haul_store_close__attached__database_stays_open(void)
{
    open_database();
    attach();
    haul_store_close(store);
    owner_put(0, "after", "close");
    attach();
    uint8_t *value = NULL;
    size_t size = 0;
    check_status(store->ops->get(store, NULL, 0, text_slice("after"), &value, &size, &error),
                 HAUL_OK);
    check_equal(size, 5);
    free(value);
    haul_store_close(store);
    haul_store_close(NULL);
    close_database();
}

static void test_haul_rocks_store_attach__features_of_the_owner__asked_each_time(void)
{
    open_database();
    attach();
    check_equal(store->ops->features(store), HAUL_STORE_WAL | HAUL_STORE_INGEST);
    haul_store_close(store);
    database.features = owner_features;
    database.context = &features_now;
    features_now = HAUL_STORE_WAL;
    attach();
    check_equal(store->ops->features(store), HAUL_STORE_WAL);
    features_now = HAUL_STORE_WAL | HAUL_STORE_INGEST | HAUL_STORE_FOLLOWERS;
    check_equal(store->ops->features(store), features_now);
    haul_store_close(store);
    close_database();
}

static const char lineage[] = "lineage";

static size_t owner_log_data(void *context, uint8_t *blob)
{
    memcpy(blob, lineage, sizeof(lineage));
    return context == &features_now ? sizeof(lineage) : 0;
}

/* How many batches behind a sequence of the log end with the owner's LogData. */
static size_t count_closed(uint64_t since, size_t *batches)
{
    size_t closed = 0;
    struct haul_wal_reader *reader = NULL;
    struct haul_log_batch batch;
    *batches = 0;
    check_status(store->ops->wal_open(store, since, &reader, &error), HAUL_OK);
    enum haul_status status;
    while ((status = store->ops->wal_next(reader, &batch, &error)) == HAUL_OK) {
        size_t size = batch.data.size;
        bool ends = size > sizeof(lineage) &&
                    memcmp(batch.data.data + size - sizeof(lineage), lineage, sizeof(lineage)) == 0;
        closed += ends;
        (*batches)++;
    }
    check_status(status, HAUL_AGAIN);
    store->ops->wal_close(reader);
    return closed;
}

static void write_one(unsigned flags)
{
    uint8_t memory[64];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_put(&writer, 1, slice_of("key", 3), slice_of("value", 5)));
    check_status(
        store->ops->write(store, slice_of(memory, raw_batch_finish(&writer)), flags, &error),
        HAUL_OK);
}

/* A follower of the owner tells by it whether it may go on with this log. */
static void test_haul_rocks_store_attach__log_data_of_the_owner__ends_each_batch(void)
{
    open_database();
    database.log_data = owner_log_data;
    database.context = &features_now;
    database.size_bytes = sizeof(database);
    attach();
    uint64_t since = store->ops->sequence(store) + 1;
    size_t batches = 0;
    check_status(store->ops->wal_pin(store, &error), HAUL_OK);
    write_one(0);
    check_status(
        store->ops->range_clear(store, 1, slice_of(NULL, 0), slice_of(NULL, 0), NULL, &error),
        HAUL_OK);
    write_one(HAUL_WRITE_PUTS);
    check_equal(count_closed(since, &batches), 3);
    check_equal(batches, 3);
    store->ops->wal_unpin(store);
    haul_store_close(store);
    database.log_data = NULL;
    attach();
    since = store->ops->sequence(store) + 1;
    check_status(store->ops->wal_pin(store, &error), HAUL_OK);
    write_one(0);
    check_equal(count_closed(since, &batches), 0);
    store->ops->wal_unpin(store);
    haul_store_close(store);
    close_database();
}

/* A database without an IDENTITY file has no identity yet; one whose file cannot be read has an
 * unknown one. */
static void test_haul_rocks_store_attach__identity_missing_or_unreadable__none_or_io(void)
{
    char path[300];
    open_database();
    (void)snprintf(path, sizeof(path), "%s/IDENTITY", fixture.path);
    attach();
    check(strlen(store->ops->identity(store)) > 0);
    haul_store_close(store);
    check_or_stop(unlink(path) == 0);
    attach();
    check_text(store->ops->identity(store), "");
    haul_store_close(store);
    check_or_stop(symlink("IDENTITY", path) == 0);
    check_error(haul_rocks_store_attach(&database, &store, &error), HAUL_IO, error);
    close_database();
}

static void test_haul_rocks_store_attach__new_family__unsupported(void)
{
    open_database();
    attach();
    struct haul_family created;
    check_error(store->ops->family_create(store, "more", &created, &error), HAUL_UNSUPPORTED,
                error);
    haul_store_close(store);
    close_database();
}

static void test_haul_rocks_store_attach__incomplete__invalid(void)
{
    open_database();
    families[1].options = NULL;
    check_error(haul_rocks_store_attach(&database, &store, &error), HAUL_INVALID, error);
    families[1].options = options;
    families[1].handle = NULL;
    check_error(haul_rocks_store_attach(&database, &store, &error), HAUL_INVALID, error);
    families[1].handle = handles[1];
    families[1].name = NULL;
    check_error(haul_rocks_store_attach(&database, &store, &error), HAUL_INVALID, error);
    families[1].name = "metadata";
    database.db = NULL;
    check_error(haul_rocks_store_attach(&database, &store, &error), HAUL_INVALID, error);
    database.db = db;
    database.path = NULL;
    check_error(haul_rocks_store_attach(&database, &store, &error), HAUL_INVALID, error);
    database.path = fixture.path;
    database.family_count = HAUL_FAMILY_COUNT_MAX + 1;
    check_error(haul_rocks_store_attach(&database, &store, &error), HAUL_LIMIT, error);
    close_database();
}

/* What RocksDB reports counts, not what the owner passes. */
static void test_haul_rocks_store_attach__merge_operator__as_rocksdb_has_it(void)
{
    struct haul_family found[HAUL_FAMILY_COUNT_MAX];
    size_t count = 0;
    open_database();
    rocksdb_options_t *merging = rocksdb_options_create();
    char *message = NULL;
    rocksdb_options_set_uint64add_merge_operator(merging);
    rocksdb_column_family_handle_t *counters =
        rocksdb_create_column_family(db, merging, "counters", &message);
    check_or_stop(message == NULL);
    struct haul_rocks_family given[] = {
        {.name = "counters", .handle = counters, .options = merging},
        {.name = "default", .handle = handles[0], .options = options, .merge_operator = "none"}};
    database.families = given;
    attach();
    check_status(store->ops->families(store, found, HAUL_FAMILY_COUNT_MAX, &count, &error),
                 HAUL_OK);
    check_equal(count, 2);
    check_text(found[0].merge_operator, "UInt64AddOperator");
    check_text(found[1].merge_operator, "");
    haul_store_close(store);
    rocksdb_column_family_handle_destroy(counters);
    rocksdb_options_destroy(merging);
    close_database();
}

static void test_haul_rocks_store_attach__names__at_their_limits(void)
{
    char name[HAUL_NAME_BYTES_MAX + 1];
    struct haul_family found[HAUL_FAMILY_COUNT_MAX];
    size_t count = 0;
    open_database();
    memset(name, 'n', sizeof(name));
    name[HAUL_NAME_BYTES_MAX] = '\0';
    families[1].name = name;
    check_error(haul_rocks_store_attach(&database, &store, &error), HAUL_INVALID, error);
    name[HAUL_NAME_BYTES_MAX - 1] = '\0';
    families[1].comparator = name;
    attach();
    check_status(store->ops->families(store, found, HAUL_FAMILY_COUNT_MAX, &count, &error),
                 HAUL_OK);
    check_text(found[1].name, name);
    check_text(found[1].comparator, name);
    haul_store_close(store);
    close_database();
}

/* The link may be switched to another database while the job runs. */
static void test_haul_rocks_store_attach__path_is_a_link__place_is_what_it_named(void)
{
    char path[300];
    open_database();
    (void)snprintf(path, sizeof(path), "%s-link", fixture.path);
    check_or_stop(symlink(fixture.path, path) == 0);
    database.path = path;
    attach();
    check_text(store->ops->directory(store), fixture.path);
    check_or_stop(unlink(path) == 0);
    check_status(store->ops->place_check(store, &error), HAUL_OK);
    haul_store_close(store);
    close_database();
}

static void test_haul_rocks_store_attach__directory_is_replaced__noticed(void)
{
    char moved[300];
    open_database();
    attach();
    (void)snprintf(moved, sizeof(moved), "%s-moved", fixture.path);
    check_or_stop(rename(fixture.path, moved) == 0);
    check_error(store->ops->place_check(store, &error), HAUL_NOT_FOUND, error);
    check_or_stop(rename(moved, fixture.path) == 0);
    check_status(store->ops->place_check(store, &error), HAUL_OK);
    haul_store_close(store);
    close_database();
}

static void test_haul_rocks_store_attach__folder_is_a_link__corrupt(void)
{
    char path[300];
    open_database();
    (void)snprintf(path, sizeof(path), "%s/haul", fixture.path);
    check_or_stop(symlink("/tmp", path) == 0);
    check_error(haul_rocks_store_attach(&database, &store, &error), HAUL_CORRUPT, error);
    check(strstr(error.hint, "if it was a link, put the directory") != NULL);
    close_database();
}

static void test_haul_rocks_store_attach__family_removed_or_remade__unsupported(void)
{
    struct haul_family created;
    open_database();
    attach();
    check_error(store->ops->family_drop(store, "metadata", &error), HAUL_UNSUPPORTED, error);
    check_error(store->ops->family_create_like(store, "more", "", &created, &error),
                HAUL_UNSUPPORTED, error);
    owner_put(1, "still", "there");
    haul_store_close(store);
    close_database();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_rocks_store_attach__two_families__named_and_numbered),
    CHECK_TEST(test_haul_rocks_store_attach__owner_writes__seen_in_scan_and_log),
    CHECK_TEST(test_haul_rocks_store_attach__log_pinned__unpinned_again),
    CHECK_TEST(test_haul_rocks_store_attach__directory_open_to_all__closed),
    CHECK_TEST(test_haul_store_close__attached__database_stays_open),
    CHECK_TEST(test_haul_rocks_store_attach__features_of_the_owner__asked_each_time),
    CHECK_TEST(test_haul_rocks_store_attach__log_data_of_the_owner__ends_each_batch),
    CHECK_TEST(test_haul_rocks_store_attach__identity_missing_or_unreadable__none_or_io),
    CHECK_TEST(test_haul_rocks_store_attach__new_family__unsupported),
    CHECK_TEST(test_haul_rocks_store_attach__incomplete__invalid),
    CHECK_TEST(test_haul_rocks_store_attach__merge_operator__as_rocksdb_has_it),
    CHECK_TEST(test_haul_rocks_store_attach__names__at_their_limits),
    CHECK_TEST(test_haul_rocks_store_attach__path_is_a_link__place_is_what_it_named),
    CHECK_TEST(test_haul_rocks_store_attach__directory_is_replaced__noticed),
    CHECK_TEST(test_haul_rocks_store_attach__folder_is_a_link__corrupt),
    CHECK_TEST(test_haul_rocks_store_attach__family_removed_or_remade__unsupported),
};

CHECK_MAIN("rocks_attach", tests)
