/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_domain.c — families whose index or memtable extracts a prefix of every key, and keys
 * outside the extractor's domain: RocksDB would abort the process. */
#include <string.h>

#include "check.h"
#include "foreign_database.h"
#include "haul/store.h"
#include "raw_batch.h"

#define HASH_INDEX "block_based_table_factory={index_type=kHashSearch}"
#define HASH_MEMORY "memtable=prefix_hash:100;allow_concurrent_memtable_write=false"
#define SHORT "a"
#define LONG "abcdef"

static struct foreign_database foreign;
static struct haul_store *store;
static struct haul_error error;

static enum haul_status write_key(uint32_t family, const char *key)
{
    uint8_t memory[256];
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    check_or_stop(raw_batch_put(&writer, family, slice_of(key, strlen(key)), slice_of("value", 5)));
    size_t size = raw_batch_finish(&writer);
    return store->ops->write(store, slice_of(memory, size), 0, &error);
}

static void open_store(void)
{
    struct haul_rocks_options options = {.read_only = false};
    check_or_stop(haul_rocks_store_open(foreign.path, &options, &store, &error) == HAUL_OK);
}

/* A database with these options, closed, and opened by haul. `key` is in its log. */
static void open_with(const char *options, const char *key)
{
    foreign_init(&foreign);
    foreign_set(&foreign, options);
    foreign_set(&foreign, "avoid_flush_during_shutdown=true");
    foreign_open(&foreign);
    foreign_put(&foreign, key, "value");
    foreign_close(&foreign);
    open_store();
}

static void close_all(void)
{
    haul_store_close(store);
    foreign_fini(&foreign);
}

/* Keys inside the domain are accepted, and the records become a table. */
static void check_refused(const char *options)
{
    open_with(options, LONG);
    check_status(write_key(0, SHORT), HAUL_UNSUPPORTED);
    check(strstr(error.text, "'default'") != NULL);
    check(error.hint[0] != '\0');
    check_status(write_key(0, LONG "g"), HAUL_OK);
    check_status(store->ops->flush(store, &error), HAUL_OK);
    close_all();
}

static void test_store_write__hash_index_and_short_key__unsupported(void)
{
    check_refused("prefix_extractor=fixed:4;" HASH_INDEX);
}

static void test_store_write__hash_memtable_and_short_key__unsupported(void)
{
    check_refused("prefix_extractor=fixed:4;" HASH_MEMORY);
}

static void test_store_write__prefix_of_every_key__ok(void)
{
    open_with("prefix_extractor=capped:4;" HASH_INDEX, SHORT);
    check_status(write_key(0, SHORT), HAUL_OK);
    check_status(store->ops->flush(store, &error), HAUL_OK);
    close_all();
}

static void test_table_put__hash_index_and_short_key__unsupported(void)
{
    struct haul_table *table = NULL;
    char path[FOREIGN_PATH_BYTES_MAX + 16];
    open_with("prefix_extractor=fixed:4;" HASH_INDEX, LONG);
    (void)snprintf(path, sizeof(path), "%s/table", foreign.path);
    check_or_stop(store->ops->table_create(store, 0, path, &table, &error) == HAUL_OK);
    check_error(store->ops->table_put(table, slice_of(SHORT, 1), slice_of("value", 5), &error),
                HAUL_UNSUPPORTED, error);
    store->ops->table_abandon(table);
    close_all();
}

/* The owner's own build has no assertions, and so such a key may be in its log. */
static void test_rocks_open__short_key_in_the_log_of_a_hash_index__flushed(void)
{
    open_with("prefix_extractor=fixed:4;" HASH_INDEX, SHORT);
    check_status(store->ops->flush(store, &error), HAUL_OK);
    close_all();
}

static void test_family_create_like__hash_index_of_the_source__takes_every_key(void)
{
    struct haul_family made;
    char *options = NULL;
    open_with("compression=kNoCompression", LONG);
    check_status(store->ops->family_create_like(
                     store, "new",
                     "prefix_extractor=rocksdb.FixedPrefix.4\ntable.index_type=kHashSearch\n",
                     &made, &error),
                 HAUL_OK);
    check_status(store->ops->family_options(store, made.id, &options, &error), HAUL_OK);
    check(options != NULL && strstr(options, "table.index_type=kBinarySearch\n") != NULL);
    check(options != NULL && strstr(options, "FixedPrefix.4") != NULL);
    free(options);
    check_status(write_key(made.id, SHORT), HAUL_OK);
    check_status(store->ops->flush(store, &error), HAUL_OK);
    close_all();
}

/* The extractor is the owner's code and does not travel, and the index is useless without it. */
static void test_family_create_like__hash_index_and_unknown_extractor__takes_every_key(void)
{
    struct haul_family made;
    open_with("compression=kNoCompression", LONG);
    check_status(store->ops->family_create_like(
                     store, "new", "prefix_extractor=my.Extractor\ntable.index_type=kHashSearch\n",
                     &made, &error),
                 HAUL_OK);
    check_status(write_key(made.id, LONG), HAUL_OK);
    check_status(store->ops->flush(store, &error), HAUL_OK);
    close_all();
}

static void test_store_attach__hash_index_and_short_key__unsupported(void)
{
    static const char *const names[] = {"default"};
    rocksdb_column_family_handle_t *handle = NULL;
    char *message = NULL;
    foreign_init(&foreign);
    foreign_set(&foreign, "prefix_extractor=fixed:4;" HASH_INDEX);
    const rocksdb_options_t *family_options[] = {foreign.options};
    foreign.db = rocksdb_open_column_families(foreign.options, foreign.path, 1, names,
                                              family_options, &handle, &message);
    foreign_check(message);
    struct haul_rocks_family family = {
        .name = "default", .handle = handle, .options = foreign.options};
    struct haul_rocks_database database = {
        .path = foreign.path, .db = foreign.db, .families = &family, .family_count = 1};
    check_or_stop(haul_rocks_store_attach(&database, &store, &error) == HAUL_OK);
    check_status(write_key(0, SHORT), HAUL_UNSUPPORTED);
    check_status(write_key(0, LONG), HAUL_OK);
    haul_store_close(store);
    rocksdb_column_family_handle_destroy(handle);
    foreign_fini(&foreign);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_store_write__hash_index_and_short_key__unsupported),
    CHECK_TEST(test_store_write__hash_memtable_and_short_key__unsupported),
    CHECK_TEST(test_store_write__prefix_of_every_key__ok),
    CHECK_TEST(test_table_put__hash_index_and_short_key__unsupported),
    CHECK_TEST(test_rocks_open__short_key_in_the_log_of_a_hash_index__flushed),
    CHECK_TEST(test_family_create_like__hash_index_of_the_source__takes_every_key),
    CHECK_TEST(test_family_create_like__hash_index_and_unknown_extractor__takes_every_key),
    CHECK_TEST(test_store_attach__hash_index_and_short_key__unsupported),
};
CHECK_MAIN("rocks_domain", tests)
