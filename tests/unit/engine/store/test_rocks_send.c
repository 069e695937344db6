/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_send.c — databases that their owner has open, with options under which no reader sees
 * them faithfully. */
#include <rocksdb/c.h>
#include <string.h>

#include "check.h"
#include "foreign_database.h"
#include "haul/store.h"
#include "rocks_door.h"

static struct foreign_database foreign;
static rocksdb_column_family_handle_t *handle;
static struct haul_store *store;
static struct haul_error error;

static void attach(void)
{
    static const char *const names[] = {"default"};
    const rocksdb_options_t *family_options[] = {foreign.options};
    char *message = NULL;
    foreign.db = rocksdb_open_column_families(foreign.options, foreign.path, 1, names,
                                              family_options, &handle, &message);
    foreign_check(message);
    struct haul_rocks_family family = {
        .name = "default", .handle = handle, .options = foreign.options};
    struct haul_rocks_database database = {
        .path = foreign.path, .db = foreign.db, .families = &family, .family_count = 1};
    error = (struct haul_error){0};
    check_or_stop(haul_rocks_store_attach(&database, &store, &error) == HAUL_OK);
}

static void open_with(const char *options)
{
    foreign_init(&foreign);
    foreign_set(&foreign, options);
    attach();
}

static void close_all(void)
{
    haul_store_close(store);
    rocksdb_column_family_handle_destroy(handle);
    foreign_fini(&foreign);
}

static enum haul_status check_send(void)
{
    static const uint32_t ids[] = {0};
    return store->ops->send_check(store, ids, 1, &error);
}

/* Refused, with the feature in the text, and a hint. */
static void check_refused(const char *feature)
{
    check_status(check_send(), HAUL_UNSUPPORTED);
    check(strstr(error.text, feature) != NULL);
    check(error.hint[0] != '\0');
}

static bool has_timestamps;

void __real_rocks_door_family(rocksdb_t *db, rocksdb_column_family_handle_t *family,
                              struct rocks_family_facts *facts);
void __wrap_rocks_door_family(rocksdb_t *db, rocksdb_column_family_handle_t *family,
                              struct rocks_family_facts *facts);
void __wrap_rocks_door_family(rocksdb_t *db, rocksdb_column_family_handle_t *family,
                              struct rocks_family_facts *facts)
{
    __real_rocks_door_family(db, family, facts);
    facts->timestamp_bytes = has_timestamps ? 8 : facts->timestamp_bytes;
}

static void test_rocks_send_check__user_timestamps__unsupported(void)
{
    open_with("compression=kNoCompression");
    has_timestamps = true;
    check_refused("user-defined timestamps");
    has_timestamps = false;
    check_status(check_send(), HAUL_OK);
    close_all();
}

static void test_rocks_send_check__unknown_family__not_found(void)
{
    static const uint32_t ids[] = {0, 7};
    open_with("compression=kNoCompression");
    check_error(store->ops->send_check(store, ids, 2, &error), HAUL_NOT_FOUND, error);
    close_all();
}

static void test_rocks_send_check__ordinary_options__ok(void)
{
    open_with("compression=kNoCompression");
    check_status(check_send(), HAUL_OK);
    close_all();
}

static void test_rocks_send_check__unordered_write__unsupported(void)
{
    open_with("unordered_write=true");
    check_refused("unordered_write");
    close_all();
}

static void test_rocks_send_check__in_place_updates__unsupported(void)
{
    open_with("inplace_update_support=true;allow_concurrent_memtable_write=false");
    check_refused("inplace_update_support");
    close_all();
}

static void test_rocks_send_check__plain_tables__unsupported(void)
{
    open_with(
        "plain_table_factory={user_key_len=0};prefix_extractor=fixed:3;allow_mmap_reads=true");
    check_refused("PlainTable");
    close_all();
}

/* As a program leaves it that ends between prepare and commit. */
static void leave_prepared(const char *name)
{
    char *message = NULL;
    rocksdb_transactiondb_options_t *database_options = rocksdb_transactiondb_options_create();
    rocksdb_transaction_options_t *options = rocksdb_transaction_options_create();
    rocksdb_writeoptions_t *write_options = rocksdb_writeoptions_create();
    rocksdb_transactiondb_t *db =
        rocksdb_transactiondb_open(foreign.options, database_options, foreign.path, &message);
    foreign_check(message);
    rocksdb_transaction_t *transaction =
        rocksdb_transaction_begin(db, write_options, options, NULL);
    rocksdb_transaction_set_name(transaction, name, strlen(name), &message);
    foreign_check(message);
    rocksdb_transaction_put(transaction, "key", 3, "value", 5, &message);
    foreign_check(message);
    rocksdb_transaction_prepare(transaction, &message);
    foreign_check(message);
    rocksdb_transaction_destroy(transaction);
    rocksdb_transactiondb_close(db);
    rocksdb_writeoptions_destroy(write_options);
    rocksdb_transaction_options_destroy(options);
    rocksdb_transactiondb_options_destroy(database_options);
}

static void test_rocks_send_check__prepared_transaction__unsupported_by_its_name(void)
{
    foreign_init(&foreign);
    leave_prepared("transfer");
    foreign_set(&foreign, "allow_2pc=true");
    attach();
    check_refused("transfer");
    close_all();
}

/* An owner who opens the database with two-phase commit, and whose log cannot be read. */
static void test_rocks_send_check__log_cannot_be_read__its_error(void)
{
    char log[512];
    foreign_init(&foreign);
    (void)snprintf(log, sizeof(log), "create_if_missing=true;allow_2pc=true;wal_dir=%s/wal",
                   foreign.path);
    foreign_set(&foreign, log);
    attach();
    check_status(check_send(), HAUL_OK);
    (void)snprintf(log, sizeof(log), "%s/wal", foreign.path);
    char moved[512];
    (void)snprintf(moved, sizeof(moved), "%s/moved", foreign.path);
    check_or_stop(rename(log, moved) == 0);
    check_error(check_send(), HAUL_IO, error);
    check_or_stop(rename(moved, log) == 0);
    close_all();
}

/* haul has looked at the log of a database that it opens itself. */
static void test_rocks_send_check__opened_by_haul__log_is_not_read_again(void)
{
    const struct haul_rocks_options options = {.read_only = false};
    char log[512];
    char moved[512];
    foreign_init(&foreign);
    (void)snprintf(log, sizeof(log), "create_if_missing=true;allow_2pc=true;wal_dir=%s/wal",
                   foreign.path);
    foreign_set(&foreign, log);
    foreign_open(&foreign);
    foreign_close(&foreign);
    check_or_stop(haul_rocks_store_open(foreign.path, &options, &store, &error) == HAUL_OK);
    (void)snprintf(log, sizeof(log), "%s/wal", foreign.path);
    (void)snprintf(moved, sizeof(moved), "%s/moved", foreign.path);
    check_or_stop(rename(log, moved) == 0);
    check_status(check_send(), HAUL_OK);
    check_or_stop(rename(moved, log) == 0);
    haul_store_close(store);
    foreign_fini(&foreign);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_send_check__user_timestamps__unsupported),
    CHECK_TEST(test_rocks_send_check__unknown_family__not_found),
    CHECK_TEST(test_rocks_send_check__ordinary_options__ok),
    CHECK_TEST(test_rocks_send_check__unordered_write__unsupported),
    CHECK_TEST(test_rocks_send_check__in_place_updates__unsupported),
    CHECK_TEST(test_rocks_send_check__plain_tables__unsupported),
    CHECK_TEST(test_rocks_send_check__prepared_transaction__unsupported_by_its_name),
    CHECK_TEST(test_rocks_send_check__log_cannot_be_read__its_error),
    CHECK_TEST(test_rocks_send_check__opened_by_haul__log_is_not_read_again),
};

CHECK_MAIN("rocks_send", tests)
