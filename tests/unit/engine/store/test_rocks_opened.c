/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_opened.c — how a database is open: with which families and options, and what an open
 * writes into its directory. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "foreign_database.h"
#include "haul/store.h"
#include "job_journal.h"
#include "plan.h"
#include "rocks_fixture.h"
#include "rocks_store.h"

enum { FILE_NUMBER_MAX = 999, TEXT_BYTES = 1 << 16 };

static struct foreign_database foreign;
static struct haul_store *store;
static struct haul_error error;
static uint64_t sequence_lost; /* of the last sequence number that RocksDB reports */

uint64_t __real_rocksdb_get_latest_sequence_number(rocksdb_t *db);
uint64_t __wrap_rocksdb_get_latest_sequence_number(rocksdb_t *db);
uint64_t __wrap_rocksdb_get_latest_sequence_number(rocksdb_t *db)
{
    return __real_rocksdb_get_latest_sequence_number(db) - sequence_lost;
}

static void start(const char *options)
{
    foreign_init(&foreign);
    foreign_set(&foreign, options);
    rocksdb_options_set_create_if_missing(foreign.options, 1);
    foreign_open(&foreign);
    foreign_put(&foreign, "key", "value");
}

static void add_family(const char *name)
{
    char *message = NULL;
    rocksdb_column_family_handle_t *handle =
        rocksdb_create_column_family(foreign.db, foreign.options, name, &message);
    foreign_check(message);
    rocksdb_column_family_handle_destroy(handle);
}

static enum haul_status open_with(struct haul_rocks_options options)
{
    foreign_close(&foreign);
    store = NULL;
    return haul_rocks_store_open(foreign.path, &options, &store, &error);
}

static void must_open(struct haul_rocks_options options)
{
    check_or_stop(open_with(options) == HAUL_OK);
}

static void stop(void)
{
    haul_store_close(store);
    store = NULL;
    foreign_fini(&foreign);
}

/* Valid until the next call. */
static const char *path_of(const char *name)
{
    static char path[600];
    (void)snprintf(path, sizeof(path), "%s/%s", foreign.path, name);
    return path;
}

/* The newest OPTIONS file, valid until the next call. */
static const char *options_path(void)
{
    static char path[600];
    path[0] = '\0';
    for (unsigned number = 1; number <= FILE_NUMBER_MAX; number++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "OPTIONS-%06u", number);
        if (access(path_of(name), F_OK) == 0) {
            (void)snprintf(path, sizeof(path), "%s", path_of(name));
        }
    }
    check_or_stop(path[0] != '\0');
    return path;
}

static void read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "rb");
    check_or_stop(file != NULL);
    text[fread(text, 1, size - 1, file)] = '\0';
    check_equal(fclose(file), 0);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    check_or_stop(file != NULL);
    check(fputs(text, file) >= 0);
    check_equal(fclose(file), 0);
}

/* --- families --------------------------------------------------------------------------------- */

static void check_families(size_t expected_count, const char *last)
{
    struct haul_family families[HAUL_FAMILY_COUNT_MAX];
    size_t count = 0;
    check_status(store->ops->families(store, families, HAUL_FAMILY_COUNT_MAX, &count, &error),
                 HAUL_OK);
    check_equal(count, expected_count);
    check_text(families[0].name, "default");
    check_text(families[count - 1].name, last);
}

static void test_open__families_are_named__only_these_when_reading(void)
{
    const char *const names[] = {"b"};
    start("");
    add_family("a");
    add_family("b");
    must_open((struct haul_rocks_options){.read_only = true, .families = names, .family_count = 1});
    check_families(2, "b");
    haul_store_close(store);
    must_open((struct haul_rocks_options){.read_only = true});
    check_families(3, "b");
    haul_store_close(store);
    must_open((struct haul_rocks_options){.families = names, .family_count = 1});
    check_families(3, "b");
    haul_store_close(store);
    must_open((struct haul_rocks_options){.families_of_jobs = true});
    check_families(3, "b");
    stop();
}

static void leave_job_of(const char *family)
{
    const char *const families[] = {family};
    struct haul_source_options options = {.families = families, .family_count = 1};
    const uint8_t job[HAUL_JOB_BYTES] = {1};
    struct journal *journal = NULL;
    struct plan plan;
    bool existed = false;
    check_or_stop(plan_make(&plan, store, &options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    check_or_stop(job_journal_open(store, JOURNAL_SOURCE, job, &journal, &existed, &error) ==
                  HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    journal_close(journal);
    plan_fini(&plan);
}

static void test_open__families_of_jobs__those_of_the_plans_when_reading(void)
{
    start("");
    add_family("a");
    add_family("b");
    must_open((struct haul_rocks_options){.families_of_jobs = true});
    leave_job_of("b");
    haul_store_close(store);
    must_open((struct haul_rocks_options){.read_only = true, .families_of_jobs = true});
    check_families(2, "b");
    stop();
}

/* --- options in force ------------------------------------------------------------------------- */

static void test_open__write_buffer_given__of_all_families_and_later_ones(void)
{
    enum { MIB = 3 };
    start("write_buffer_size=1234567");
    must_open((struct haul_rocks_options){.write_buffer_mib = MIB});
    const struct rocks_store *rocks = rocks_of(store);
    check_equal(rocksdb_options_get_write_buffer_size(rocks->options), (size_t)MIB << 20);
    check_equal(rocksdb_options_get_write_buffer_size(rocks->families[0].options),
                (size_t)MIB << 20);
    haul_store_close(store);
    must_open((struct haul_rocks_options){.write_buffer_mib = 0});
    rocks = rocks_of(store);
    check(rocksdb_options_get_write_buffer_size(rocks->options) != (size_t)MIB << 20);
    stop();
}

static void test_open__compaction_drops_tables__not_while_a_source_sends(void)
{
    start("compaction_style=kCompactionStyleFIFO;max_open_files=-1");
    must_open((struct haul_rocks_options){.keep_log = true});
    check_equal(rocksdb_options_get_disable_auto_compactions(rocks_of(store)->families[0].options),
                1);
    haul_store_close(store);
    must_open((struct haul_rocks_options){.keep_log = false});
    check_equal(rocksdb_options_get_disable_auto_compactions(rocks_of(store)->families[0].options),
                0);
    stop();
}

static void test_open__compaction_drops_nothing__goes_on_while_a_source_sends(void)
{
    start("");
    must_open((struct haul_rocks_options){.keep_log = true});
    check_equal(rocksdb_options_get_disable_auto_compactions(rocks_of(store)->families[0].options),
                0);
    stop();
}

static void test_open__owner_writes_unordered__haul_does_not(void)
{
    start("unordered_write=true");
    must_open((struct haul_rocks_options){.read_only = false});
    check_equal(rocksdb_options_get_unordered_write(rocks_of(store)->options), 0);
    stop();
}

static void test_open__owner_updates_in_place__haul_does_not(void)
{
    start("inplace_update_support=true;allow_concurrent_memtable_write=false");
    must_open((struct haul_rocks_options){.read_only = false});
    check_equal(rocksdb_options_get_inplace_update_support(rocks_of(store)->families[0].options),
                0);
    stop();
}

static void test_open__owner_refuses_existing_databases__opened(void)
{
    start("");
    foreign_close(&foreign);
    static char text[TEXT_BYTES];
    read_text(options_path(), text, sizeof(text));
    char *found = strstr(text, "error_if_exists=false");
    check_or_stop(found != NULL);
    memcpy(found, "error_if_exists=true ", strlen("error_if_exists=true "));
    write_text(options_path(), text);
    check_status(open_with((struct haul_rocks_options){.read_only = false}), HAUL_OK);
    stop();
}

static void test_open__records_in_the_log__not_flushed(void)
{
    start("");
    must_open((struct haul_rocks_options){.read_only = false});
    const rocksdb_livefiles_t *files = rocksdb_livefiles(rocks_of(store)->db);
    check_equal(rocksdb_livefiles_count(files), 0);
    rocksdb_livefiles_destroy(files);
    stop();
}

/* --- refused ---------------------------------------------------------------------------------- */

static void test_open__rocksdb_replays_less_than_the_log_has__unsupported(void)
{
    start("");
    sequence_lost = 1;
    check_error(open_with((struct haul_rocks_options){.read_only = false}), HAUL_UNSUPPORTED,
                error);
    sequence_lost = 0;
    check(strstr(error.text, "up to record 0 of 1") != NULL);
    check(strstr(error.hint, "the program that opens the database") != NULL);
    foreign_open(&foreign); /* nobody has it open, or locked */
    check_status(open_with((struct haul_rocks_options){.read_only = false}), HAUL_OK);
    stop();
}

/* RocksDB makes the operator without what it does not know of it. */
static void test_open__merge_operator_is_not_fully_known__unsupported(void)
{
    static char text[TEXT_BYTES];
    static char changed[TEXT_BYTES];
    start("merge_operator=stringappend");
    foreign_close(&foreign);
    read_text(options_path(), text, sizeof(text));
    char *rest = strstr(text, "delimiter=");
    check_or_stop(rest != NULL);
    (void)snprintf(changed, sizeof(changed), "%.*sunknown=1;%s", (int)(rest - text), text, rest);
    write_text(options_path(), changed);
    check_error(open_with((struct haul_rocks_options){.read_only = false}), HAUL_UNSUPPORTED,
                error);
    check(strstr(error.text, "merge") != NULL);
    stop();
}

/* --- the directory ---------------------------------------------------------------------------- */

static void test_open__options_text__restored_for_writing_and_untouched_by_reading(void)
{
    static char before[TEXT_BYTES];
    static char after[TEXT_BYTES];
    char path[600];
    start("unordered_write=true");
    foreign_close(&foreign);
    read_text(options_path(), before, sizeof(before));
    (void)snprintf(path, sizeof(path), "%s", options_path());
    must_open((struct haul_rocks_options){.read_only = true});
    haul_store_close(store);
    check_text(options_path(), path);
    must_open((struct haul_rocks_options){.read_only = false});
    haul_store_close(store);
    check(strcmp(options_path(), path) != 0); /* RocksDB has written a new one */
    read_text(options_path(), after, sizeof(after));
    check_text(after, before);
    must_open((struct haul_rocks_options){.read_only = true});
    stop();
}

/* A process died while it made the database anew. */
static void test_open__identity_was_kept_aside__restored_for_writing_only(void)
{
    start("");
    foreign_close(&foreign);
    write_text(path_of("IDENTITY.haul"), "the-kept-identity\n");
    must_open((struct haul_rocks_options){.read_only = true});
    check(strcmp(store->ops->identity(store), "the-kept-identity") != 0);
    haul_store_close(store);
    check(access(path_of("IDENTITY.haul"), F_OK) == 0);
    must_open((struct haul_rocks_options){.read_only = false});
    check_text(store->ops->identity(store), "the-kept-identity");
    check(access(path_of("IDENTITY.haul"), F_OK) != 0);
    stop();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_open__families_are_named__only_these_when_reading),
    CHECK_TEST(test_open__families_of_jobs__those_of_the_plans_when_reading),
    CHECK_TEST(test_open__write_buffer_given__of_all_families_and_later_ones),
    CHECK_TEST(test_open__compaction_drops_tables__not_while_a_source_sends),
    CHECK_TEST(test_open__compaction_drops_nothing__goes_on_while_a_source_sends),
    CHECK_TEST(test_open__owner_writes_unordered__haul_does_not),
    CHECK_TEST(test_open__owner_updates_in_place__haul_does_not),
    CHECK_TEST(test_open__owner_refuses_existing_databases__opened),
    CHECK_TEST(test_open__records_in_the_log__not_flushed),
    CHECK_TEST(test_open__rocksdb_replays_less_than_the_log_has__unsupported),
    CHECK_TEST(test_open__merge_operator_is_not_fully_known__unsupported),
    CHECK_TEST(test_open__options_text__restored_for_writing_and_untouched_by_reading),
    CHECK_TEST(test_open__identity_was_kept_aside__restored_for_writing_only),
};
CHECK_MAIN("rocks_opened", tests)
