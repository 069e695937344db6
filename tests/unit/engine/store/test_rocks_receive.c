/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_receive.c — databases that their owner has open, whose own configuration would drop or
 * change what they receive. */
#include <rocksdb/c.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "check.h"
#include "foreign_database.h"
#include "haul/store.h"
#include "rocks_door.h"
#include "store_look.h"

enum { VALUE_BYTES = 100000 };

static struct foreign_database foreign;
static rocksdb_column_family_handle_t *handles[2];
static rocksdb_options_t *plain; /* of the family "default" */
static struct haul_store *store;
static struct haul_error error;

/* Families "default", which has RocksDB's own options, and "data", which has the foreign ones. */
static void attach(void)
{
    static const char *const names[] = {"default", "data"};
    char *message = NULL;
    plain = rocksdb_options_create();
    const rocksdb_options_t *family_options[] = {plain, foreign.options};
    rocksdb_options_set_create_missing_column_families(foreign.options, 1);
    foreign.db = rocksdb_open_column_families(foreign.options, foreign.path, 2, names,
                                              family_options, handles, &message);
    foreign_check(message);
    struct haul_rocks_family families[] = {
        {.name = "default", .handle = handles[0], .options = plain},
        {.name = "data", .handle = handles[1], .options = foreign.options}};
    struct haul_rocks_database database = {
        .path = foreign.path, .db = foreign.db, .families = families, .family_count = 2};
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
    for (int i = 0; i < 2; i++) {
        rocksdb_column_family_handle_destroy(handles[i]);
    }
    foreign_fini(&foreign);
    rocksdb_options_destroy(plain);
}

static enum haul_status receive(const char *name, const char *options)
{
    memset(&error, 0, sizeof(error));
    return store->ops->receive_check(store, name, options, &error);
}

/* "data" is refused with the feature in the text, and a hint; "default" is, if all are. */
static void check_refused(const char *feature, bool whole_database)
{
    check_status(receive("data", ""), HAUL_UNSUPPORTED);
    check_status(error.status, HAUL_UNSUPPORTED);
    check(strstr(error.text, feature) != NULL);
    check(strstr(error.text, whole_database ? foreign.path : "'data'") != NULL);
    check(error.hint[0] != '\0');
    check_status(receive("default", ""), whole_database ? HAUL_UNSUPPORTED : HAUL_OK);
}

static void test_rocks_receive_check__options__refused_by_name(void)
{
    static const struct {
        const char *options;
        const char *feature; /* NULL: not refused */
        bool whole_database;
    } cases[] = {
        {"compression=kNoCompression", NULL, false},
        {"compaction_style=kCompactionStyleUniversal", NULL, false},
        {"compaction_style=kCompactionStyleFIFO;max_open_files=-1", "FIFO compaction", false},
        {"unordered_write=true", "unordered_write", true},
        {"plain_table_factory={user_key_len=0};prefix_extractor=fixed:3;allow_mmap_reads=true",
         "PlainTable", false},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        open_with(cases[i].options);
        if (cases[i].feature == NULL) {
            check_status(receive("data", ""), HAUL_OK);
            check_status(receive("default", ""), HAUL_OK);
        } else {
            check_refused(cases[i].feature, cases[i].whole_database);
        }
        close_all();
    }
}

static const struct rocks_family_facts *facts_now; /* of "data"; NULL: its own */

void __real_rocks_door_family(rocksdb_t *db, rocksdb_column_family_handle_t *handle,
                              struct rocks_family_facts *facts);
void __wrap_rocks_door_family(rocksdb_t *db, rocksdb_column_family_handle_t *handle,
                              struct rocks_family_facts *facts);
void __wrap_rocks_door_family(rocksdb_t *db, rocksdb_column_family_handle_t *handle,
                              struct rocks_family_facts *facts)
{
    if (facts_now == NULL || handle != handles[1]) {
        __real_rocks_door_family(db, handle, facts);
    } else {
        *facts = *facts_now;
    }
}

/* What only the open database reveals, and no option of the C interface creates. */
static void test_rocks_receive_check__facts_of_the_family__refused_by_name(void)
{
    static const struct {
        struct rocks_family_facts facts;
        const char *feature; /* NULL: not refused */
    } cases[] = {
        {{.table_factory = "BlockBasedTable"}, NULL},        {{.table_factory = ""}, NULL},
        {{.timestamp_bytes = 8}, "user-defined timestamps"}, {{.has_paths = true}, "cf_paths"},
        {{.table_factory = "CuckooTable"}, "CuckooTable"},
    };
    open_with("compression=kNoCompression");
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        facts_now = &cases[i].facts;
        if (cases[i].feature == NULL) {
            check_status(receive("data", ""), HAUL_OK);
        } else {
            check_refused(cases[i].feature, false);
        }
    }
    facts_now = NULL;
    close_all();
}

static void test_rocks_receive_check__families_that_are_not_there__their_own_answer(void)
{
    open_with("compression=kNoCompression");
    check_status(receive("not made yet", ""), HAUL_OK);
    check_error(store->ops->receive_check(store, STATISTICS_FAMILY, "", &error), HAUL_UNSUPPORTED,
                error);
    check(strstr(error.text, STATISTICS_FAMILY) != NULL && error.hint[0] != '\0');
    close_all();
}

static void test_rocks_receive_check__tables_in_other_directories__unsupported(void)
{
    char other[300];
    foreign_init(&foreign);
    (void)snprintf(other, sizeof(other), "%s/other", foreign.path);
    rocksdb_dbpath_t *path = rocksdb_dbpath_create(other, 1 << 30);
    rocksdb_options_set_db_paths(foreign.options, (const rocksdb_dbpath_t **)&path, 1);
    attach();
    rocksdb_dbpath_destroy(path);
    check_refused("db_paths", true);
    close_all();
}

/* --- compaction filters ----------------------------------------------------------------------- */

static void destroy_filter(void *state)
{
    (void)state;
}

static unsigned char keep_all(void *state, int level, const char *key, size_t key_size,
                              const char *value, size_t value_size, char **new_value,
                              size_t *new_size, unsigned char *changed)
{
    (void)state;
    (void)level;
    (void)key;
    (void)key_size;
    (void)value;
    (void)value_size;
    (void)new_value;
    (void)new_size;
    (void)changed;
    return 0;
}

static const char *name_filter(void *state)
{
    (void)state;
    return "test.Filter";
}

/* The source's filter of the same name drops the same. */
static void test_rocks_receive_check__compaction_filter__only_as_at_the_source(void)
{
    rocksdb_compactionfilter_t *filter =
        rocksdb_compactionfilter_create(NULL, destroy_filter, keep_all, name_filter);
    foreign_init(&foreign);
    rocksdb_options_set_compaction_filter(foreign.options, filter);
    attach();
    check_refused("'test.Filter'", false);
    check_status(receive("data", "compaction_filter=test.Other\n"), HAUL_UNSUPPORTED);
    check_status(receive("data", "compaction_filter=test.Filter\n"), HAUL_OK);
    check_status(receive("data", "compaction_filter_factory=test.Filter\n"), HAUL_OK);
    check_status(receive("default", "compaction_filter=test.Filter\n"), HAUL_OK);
    close_all();
    rocksdb_compactionfilter_destroy(filter);
}

/* --- space ------------------------------------------------------------------------------------ */

static void test_rocks_space__memory_not_flushed__in_the_figures(void)
{
    static char value[VALUE_BYTES];
    struct haul_space before;
    struct haul_space space;
    struct statvfs disk;
    char *message = NULL;
    open_with("compression=kNoCompression");
    check_status(store->ops->space(store, &before, &error), HAUL_OK);
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    rocksdb_put_cf(foreign.db, options, handles[1], "k", 1, value, sizeof(value), &message);
    rocksdb_writeoptions_destroy(options);
    foreign_check(message);
    check_status(store->ops->space(store, &space, &error), HAUL_OK);
    check(space.unwritten_bytes >= before.unwritten_bytes + VALUE_BYTES);
    check(space.unwritten_bytes < before.unwritten_bytes + (64 << 20));
    check_or_stop(statvfs(foreign.path, &disk) == 0);
    check_equal(space.total_bytes, (uint64_t)disk.f_blocks * disk.f_frsize);
    check(space.free_bytes > 0 && space.free_bytes <= space.total_bytes);
    close_all();
}

static void test_rocks_space__buffers_of_the_families__the_largest(void)
{
    struct haul_space space;
    open_with("write_buffer_size=10485760;max_write_buffer_number=3");
    check_status(store->ops->space(store, &space, &error), HAUL_OK);
    check(space.family_memory_bytes >= UINT64_C(3) * 10485760);
    check(space.log_ahead_bytes >= 10485760 + 1048576);
    check(space.log_ahead_bytes < space.family_memory_bytes);
    close_all();
}

static void test_rocks_space__directory_is_gone__io(void)
{
    char moved[512];
    struct haul_space space;
    open_with("compression=kNoCompression");
    (void)snprintf(moved, sizeof(moved), "%s-moved", foreign.path);
    check_or_stop(rename(foreign.path, moved) == 0);
    check_error(store->ops->space(store, &space, &error), HAUL_IO, error);
    check_or_stop(rename(moved, foreign.path) == 0);
    check_status(store->ops->space(store, &space, &error), HAUL_OK);
    check(space.total_bytes >= space.free_bytes && space.total_bytes > 0);
    close_all();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_receive_check__options__refused_by_name),
    CHECK_TEST(test_rocks_receive_check__facts_of_the_family__refused_by_name),
    CHECK_TEST(test_rocks_receive_check__families_that_are_not_there__their_own_answer),
    CHECK_TEST(test_rocks_receive_check__tables_in_other_directories__unsupported),
    CHECK_TEST(test_rocks_receive_check__compaction_filter__only_as_at_the_source),
    CHECK_TEST(test_rocks_space__memory_not_flushed__in_the_figures),
    CHECK_TEST(test_rocks_space__buffers_of_the_families__the_largest),
    CHECK_TEST(test_rocks_space__directory_is_gone__io),
};
CHECK_MAIN("rocks_receive", tests)
