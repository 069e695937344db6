/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_store.c — how RocksDB's errors are mapped, what each kind of store can do, and what a
 * close leaves in the log. */
#include "rocks_store.h"

#include <dirent.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture;
static struct haul_error error;

static enum haul_status translate(const char *message)
{
    size_t size = strlen(message) + 1;
    char *copy = malloc(size); /* as RocksDB's, freed by rocks_error */
    check_or_stop(copy != NULL);
    memcpy(copy, message, size);
    memset(&error, 0, sizeof(error));
    return rocks_error(copy, "some call", &error);
}

/* --- errors ----------------------------------------------------------------------------------- */

static void test_rocks_error__each_kind__status_words_and_hint(void)
{
    static const struct {
        const char *message;
        enum haul_status status;
        const char *hint; /* a part of it; "": none */
    } cases[] = {
        {"IO error: No space left on device: While appending: /db/1.log: No space left on device",
         HAUL_NO_SPACE, "free some space"},
        {"Corruption: of a copy: No space left on device (28)", HAUL_NO_SPACE, "free some space"},
        {"IO error: While appending to file: /db/1.log: Disk quota exceeded", HAUL_NO_SPACE,
         "quota"},
        {"IO error: While appending to file: /db/1.log: File too large", HAUL_LIMIT, "ulimit -f"},
        {"IO error: While open a file: /db/1.log: Too many open files", HAUL_LIMIT, "ulimit -n"},
        {"IO error: While mmap: /db/1.sst: Cannot allocate memory", HAUL_NO_MEMORY, "ulimit -v"},
        {"IO error: While open: /db/1.log: Read-only file system", HAUL_IO, "mount"},
        {"IO error: While open: /db/1.log: Permission denied", HAUL_IO, "as the user"},
        {"IO error: While open: /db/1.log: Operation not permitted", HAUL_IO, "lsattr"},
        {"IO error: lock hold by current process, acquire time 1: /db/LOCK: No locks available",
         HAUL_BUSY, "this process"},
        {"IO error: While lock file: /db/LOCK: No locks available", HAUL_IO, "rpc.statd"},
        {"IO error: While lock file: /db/LOCK: Resource temporarily unavailable", HAUL_BUSY,
         "another process"},
        {"Invalid argument: x: does not match existing comparator y", HAUL_MISMATCH, "embed"},
        {"Corruption: Invalid blob file number", HAUL_UNSUPPORTED, "BlobDB"},
        {"Invalid argument: merge_operator is not properly initialized", HAUL_UNSUPPORTED, "embed"},
        {"Corruption: block checksum mismatch", HAUL_CORRUPT, "ldb checkconsistency"},
        {"IO error: While pread: /db/1.sst: Input/output error", HAUL_IO, ""},
        {"Invalid argument: this is new", HAUL_STORE, ""},
        {"Not a start: Corruption and IO error", HAUL_STORE, ""},
        {"IO error: Disk quota exceeded: /db/1.log: Input/output error", HAUL_IO, ""},
        {"", HAUL_STORE, ""},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        check_status(translate(cases[i].message), cases[i].status);
        check_status(error.status, cases[i].status);
        check_text(error.text, cases[i].message);
        check_text(error.call, "some call");
        check(cases[i].hint[0] == '\0' ? error.hint[0] == '\0'
                                       : strstr(error.hint, cases[i].hint) != NULL);
    }
    check_status(rocks_error(NULL, "some call", &error), HAUL_OK);
}

/* A suffix is searched at the end only, even if it is the whole message. */
static void test_rocks_error__words_alone__translated(void)
{
    check_status(translate("File too large"), HAUL_LIMIT);
    check_status(translate("ile too large"), HAUL_STORE);
    check_status(translate("Corruption"), HAUL_CORRUPT);
}

/* --- what a store can do ---------------------------------------------------------------------- */

static void open_again(const struct haul_rocks_options *options)
{
    haul_store_close(fixture.store);
    fixture.store = NULL;
    check_or_stop(haul_rocks_store_open(fixture.path, options, &fixture.store, &error) == HAUL_OK);
}

static void test_haul_rocks_store_open__kinds__log_and_tables(void)
{
    static const struct {
        struct haul_rocks_options options;
        uint32_t features;
    } cases[] = {
        {{.read_only = false}, HAUL_STORE_WAL | HAUL_STORE_INGEST},
        {{.read_only = true}, 0},
        {{.read_only = true, .keep_log = true}, HAUL_STORE_WAL},
        {{.keep_log = true}, HAUL_STORE_WAL | HAUL_STORE_INGEST},
    };
    rocks_fixture_open(&fixture);
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        open_again(&cases[i].options);
        check_equal(fixture.store->ops->features(fixture.store), cases[i].features);
        check_text(fixture.store->ops->directory(fixture.store), fixture.path);
    }
    rocks_fixture_close(&fixture);
}

static void test_rocks_families__as_many_as_there_is_room_for__ok(void)
{
    struct haul_family families[2];
    size_t count = 0;
    rocks_fixture_open(&fixture);
    (void)rocks_fixture_family(&fixture, "one");
    check_status(fixture.store->ops->families(fixture.store, families, 2, &count, &error), HAUL_OK);
    check_equal(count, 2);
    check_error(fixture.store->ops->families(fixture.store, families, 1, &count, &error),
                HAUL_LIMIT, error);
    rocks_fixture_close(&fixture);
}

static void test_rocks_sequence__writes__counted(void)
{
    rocks_fixture_open(&fixture);
    check_equal(fixture.store->ops->sequence(fixture.store), 0);
    rocks_fixture_put(&fixture, 0, text_slice("k"), text_slice("v"));
    rocks_fixture_delete(&fixture, 0, text_slice("k"));
    check_equal(fixture.store->ops->sequence(fixture.store), 2);
    rocks_fixture_close(&fixture);
}

static bool holds(const char *key, const char *value)
{
    uint8_t *found = NULL;
    size_t size = 0;
    enum haul_status status =
        fixture.store->ops->get(fixture.store, NULL, 0, text_slice(key), &found, &size, &error);
    bool same = status == HAUL_OK && size == strlen(value) && memcmp(found, value, size) == 0;
    free(found);
    return same;
}

/* The cuts may lie anywhere, and LogData between two records is no record. */
static void test_rocks_write_pieces__cut_anywhere__as_one_batch(void)
{
    uint8_t memory[256];
    uint8_t blob[16];
    static const unsigned flags[] = {0, HAUL_WRITE_PUTS, HAUL_WRITE_PUTS | HAUL_WRITE_SYNC};
    struct raw_batch_writer writer;
    size_t blob_size = (size_t)(raw_log_data_encode(blob, text_slice("note")) - blob);
    check_equal(blob_size, raw_batch_log_data_size(4));
    for (size_t i = 0; i < CHECK_COUNT(flags); i++) {
        rocks_fixture_open(&fixture);
        raw_batch_begin(&writer, memory, sizeof(memory));
        check(raw_batch_put(&writer, 0, text_slice("a"), text_slice("one")));
        size_t first_end = (size_t)(writer.at - memory);
        check(raw_batch_put(&writer, 0, text_slice("b"), text_slice("two")));
        size_t size = raw_batch_finish(&writer);
        const struct haul_slice pieces[] = {
            slice_of(memory, 5), slice_of(memory + 5, first_end - 5), slice_of(blob, blob_size),
            slice_of(memory + first_end, size - first_end)};
        check_status(fixture.store->ops->write_pieces(fixture.store, pieces, CHECK_COUNT(pieces),
                                                      flags[i], &error),
                     HAUL_OK);
        check(holds("a", "one") && holds("b", "two"));
        check_equal(fixture.store->ops->sequence(fixture.store), 2);
        rocks_fixture_close(&fixture);
    }
}

static void test_rocks_write_pieces__deletions__applied(void)
{
    uint8_t memory[64];
    struct raw_batch_writer writer;
    rocks_fixture_open(&fixture);
    rocks_fixture_put(&fixture, 0, text_slice("a"), text_slice("one"));
    rocks_fixture_put(&fixture, 0, text_slice("b"), text_slice("two"));
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_delete_range(&writer, 0, text_slice("a"), text_slice("b")));
    struct haul_slice piece = slice_of(memory, raw_batch_finish(&writer));
    check_status(fixture.store->ops->write_pieces(fixture.store, &piece, 1, 0, &error), HAUL_OK);
    check(!holds("a", "one") && holds("b", "two"));
    rocks_fixture_close(&fixture);
}

static void test_rocks_lost__each_call__store_and_a_hint(void)
{
    const struct haul_slice none = {NULL, 0};
    rocks_fixture_open(&fixture);
    const struct haul_store_ops *ops = fixture.store->ops;
    rocks_of(fixture.store)->lost = true;
    check_equal(ops->sequence(fixture.store), 0);
    check_error(ops->write(fixture.store, none, 0, &error), HAUL_STORE, error);
    check(strstr(error.text, fixture.path) != NULL && error.hint[0] != '\0');
    check_error(ops->sync(fixture.store, &error), HAUL_STORE, error);
    check_error(ops->flush(fixture.store, &error), HAUL_STORE, error);
    check_error(ops->range_clear(fixture.store, 0, none, none, NULL, &error), HAUL_STORE, error);
    struct haul_family family;
    check_error(ops->family_create(fixture.store, "new", &family, &error), HAUL_STORE, error);
    rocks_of(fixture.store)->lost = false;
    rocks_fixture_close(&fixture);
}

/* --- closing ---------------------------------------------------------------------------------- */

static size_t table_count(void)
{
    DIR *entries = opendir(fixture.path);
    const struct dirent *entry;
    size_t count = 0;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        count += dot != NULL && strcmp(dot, ".sst") == 0;
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return count;
}

/* A target's close writes tables of what it received; without new data it writes none, and neither
 * does a source's. */
static void test_haul_store_close__flush_at_close__only_what_was_written(void)
{
    static const struct {
        bool flushes;
        bool writes;
    } cases[] = {{true, false}, {false, true}, {true, true}};
    const struct haul_rocks_options keep = {.read_only = true, .keep_log = true};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        const struct haul_rocks_options options = {.flush_at_close = cases[i].flushes};
        rocks_fixture_open(&fixture);
        rocks_fixture_put(&fixture, 0, text_slice("before"), text_slice("v"));
        open_again(&options);
        size_t before = table_count(); /* an open may flush what it replays */
        if (cases[i].writes) {
            rocks_fixture_put(&fixture, 0, text_slice("new"), text_slice("v"));
        }
        haul_store_close(fixture.store);
        fixture.store = NULL;
        check_equal(table_count() > before, cases[i].flushes && cases[i].writes);
        check_or_stop(haul_rocks_store_open(fixture.path, &keep, &fixture.store, &error) ==
                      HAUL_OK);
        check_equal(rocks_fixture_count(&fixture, "default"), 1 + cases[i].writes);
        rocks_fixture_close(&fixture);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_error__each_kind__status_words_and_hint),
    CHECK_TEST(test_rocks_error__words_alone__translated),
    CHECK_TEST(test_haul_rocks_store_open__kinds__log_and_tables),
    CHECK_TEST(test_rocks_families__as_many_as_there_is_room_for__ok),
    CHECK_TEST(test_rocks_sequence__writes__counted),
    CHECK_TEST(test_rocks_write_pieces__cut_anywhere__as_one_batch),
    CHECK_TEST(test_rocks_write_pieces__deletions__applied),
    CHECK_TEST(test_rocks_lost__each_call__store_and_a_hint),
    CHECK_TEST(test_haul_store_close__flush_at_close__only_what_was_written),
};
CHECK_MAIN("rocks_store", tests)
