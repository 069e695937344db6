/* SPDX-License-Identifier: Apache-2.0 */
/* test_load_ledger.c — the ledger of a load keeps what was added to it, and only that. */
#include "load_ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

enum { RECORD_BYTES = 24, ENTRIES_MAX = 8, BLOCK_RECORDS = 4096 };

static struct haul_error error;
static struct load_ledger ledger;
static char path[64];
static struct load_entry entries[ENTRIES_MAX];
static size_t entry_count;

static void make_path(void)
{
    (void)snprintf(path, sizeof(path), "/tmp/haul-ledger-XXXXXX");
    int fd = mkstemp(path);
    check_or_stop(fd >= 0);
    (void)close(fd);
}

static void add(uint64_t version, uint32_t key, bool is_delete, bool acknowledged)
{
    const struct load_entry entry = {
        .version = version, .key = key, .is_delete = is_delete, .acknowledged = acknowledged};
    check_status(load_ledger_add(&ledger, &entry, &error), HAUL_OK);
}

/* A ledger of three records, closed. */
static void make_three(void)
{
    make_path();
    check_or_stop(load_ledger_open(&ledger, path, &error) == HAUL_OK);
    check_equal(ledger.version, 0);
    add(1, 7, false, false);
    add(1, 7, false, true);
    add(2, UINT32_MAX, true, false);
    check_equal(ledger.version, 2);
    check_status(load_ledger_sync(&ledger, &error), HAUL_OK);
    load_ledger_close(&ledger);
}

static enum haul_status take(void *context, const struct load_entry *entry)
{
    (void)context;
    if (entry_count == ENTRIES_MAX) {
        return HAUL_LIMIT;
    }
    entries[entry_count++] = *entry;
    return HAUL_OK;
}

static enum haul_status read_all(void)
{
    entry_count = 0;
    return load_ledger_read(path, take, NULL, &error);
}

static void change_byte(off_t at, uint8_t bits)
{
    uint8_t byte = 0;
    int fd = open(path, O_RDWR);
    check_or_stop(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= bits;
    check_or_stop(pwrite(fd, &byte, 1, at) == 1);
    (void)close(fd);
}

static void check_entry(size_t number, const struct load_entry *expected)
{
    check_equal(entries[number].version, expected->version);
    check_equal(entries[number].key, expected->key);
    check_equal(entries[number].is_delete, expected->is_delete);
    check_equal(entries[number].acknowledged, expected->acknowledged);
}

static void test_load_ledger_read__what_was_added__in_order(void)
{
    make_three();
    check_status(read_all(), HAUL_OK);
    check_equal(entry_count, 3);
    check_entry(0, &(struct load_entry){.version = 1, .key = 7});
    check_entry(1, &(struct load_entry){.version = 1, .key = 7, .acknowledged = true});
    check_entry(2, &(struct load_entry){.version = 2, .key = UINT32_MAX, .is_delete = true});
    (void)unlink(path);
}

static void test_load_ledger_open__ledger_of_before__goes_on_behind_it(void)
{
    make_three();
    check_status(load_ledger_open(&ledger, path, &error), HAUL_OK);
    check_equal(ledger.version, 2);
    add(3, 1, false, true);
    load_ledger_close(&ledger);
    check_status(read_all(), HAUL_OK);
    check_equal(entry_count, 4);
    check_equal(entries[3].version, 3);
    (void)unlink(path);
}

/* A process that died in the middle of a record. */
static void test_load_ledger_open__torn_tail__cut_off(void)
{
    make_three();
    check_or_stop(truncate(path, 3 * RECORD_BYTES - 5) == 0);
    check_status(read_all(), HAUL_OK);
    check_equal(entry_count, 2);
    check_status(load_ledger_open(&ledger, path, &error), HAUL_OK);
    check_equal(ledger.version, 1);
    add(2, 5, false, false);
    load_ledger_close(&ledger);
    check_status(read_all(), HAUL_OK);
    check_equal(entry_count, 3);
    check_equal(entries[2].key, 5);
    (void)unlink(path);
}

/* Every byte under a record's check, and the check itself: damage in the last record counts as a
 * tear. */
static void test_load_ledger_read__damaged_record__a_tear_only_at_the_end(void)
{
    for (off_t at = 0; at < 20; at++) {
        make_three();
        change_byte(2 * RECORD_BYTES + at, 0x10);
        check_status(read_all(), HAUL_OK);
        check_equal(entry_count, 2);
        change_byte(at, 0x10);
        check_error(read_all(), HAUL_CORRUPT, error);
        check_equal(entry_count, 0);
        check_error(load_ledger_open(&ledger, path, &error), HAUL_CORRUPT, error);
        check(strstr(error.text, "complete records follow it") != NULL);
        struct stat file;
        check(stat(path, &file) == 0 && file.st_size == 3 * RECORD_BYTES);
        (void)unlink(path);
    }
}

static void write_bytes(const char *bytes, size_t size)
{
    make_path();
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check_or_stop(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    (void)close(fd);
}

/* It is not truncated as one either. */
static void test_load_ledger_open__file_that_is_no_ledger__corrupt_and_left_as_it_is(void)
{
    static const char text[] = "a letter to somebody else, which is longer than a record is";
    struct stat file;
    write_bytes(text, sizeof(text));
    check_error(load_ledger_open(&ledger, path, &error), HAUL_CORRUPT, error);
    check(strstr(error.text, "is not a ledger of --load") != NULL);
    check(stat(path, &file) == 0 && file.st_size == (off_t)sizeof(text));
    check_error(read_all(), HAUL_CORRUPT, error);
    (void)unlink(path);
    for (off_t size = 1; size < RECORD_BYTES; size++) {
        write_bytes(text, (size_t)size);
        check_error(load_ledger_open(&ledger, path, &error), HAUL_CORRUPT, error);
        check(strstr(error.text, "is not a ledger of --load") != NULL);
        check(stat(path, &file) == 0 && file.st_size == size);
        check_error(read_all(), HAUL_CORRUPT, error);
        (void)unlink(path);
    }
}

/* A first record, complete or with zeros where nothing was written: nothing identifies it. */
static void test_load_ledger_open__first_record_torn__begins_anew(void)
{
    for (off_t size = 1; size < RECORD_BYTES; size++) {
        make_three();
        check_or_stop(truncate(path, size) == 0);
        check_error(read_all(), HAUL_CORRUPT, error);
        check(strstr(error.text, "there is nothing to check") != NULL);
        check_status(load_ledger_open(&ledger, path, &error), HAUL_OK);
        check_equal(ledger.version, 0);
        load_ledger_close(&ledger);
        (void)unlink(path);
    }
    static const char zeros[RECORD_BYTES - 1];
    write_bytes(zeros, sizeof(zeros));
    check_error(read_all(), HAUL_CORRUPT, error);
    check(strstr(error.text, "there is nothing to check") != NULL);
    check_status(load_ledger_open(&ledger, path, &error), HAUL_OK);
    load_ledger_close(&ledger);
    check_error(read_all(), HAUL_CORRUPT, error); /* empty by now */
    (void)unlink(path);
}

/* More records than one read returns; the callback may stop the reading. */
static void test_load_ledger_read__many_records__until_the_taker_has_enough(void)
{
    make_path();
    check_or_stop(load_ledger_open(&ledger, path, &error) == HAUL_OK);
    for (uint64_t version = 1; version <= BLOCK_RECORDS + 2; version++) {
        add(version, 1, false, true);
    }
    load_ledger_close(&ledger);
    check_status(read_all(), HAUL_LIMIT);
    check_equal(entry_count, ENTRIES_MAX);
    check_status(load_ledger_open(&ledger, path, &error), HAUL_OK);
    check_equal(ledger.version, BLOCK_RECORDS + 2);
    load_ledger_close(&ledger);
    (void)unlink(path);
}

static void test_load_ledger_read__no_file__not_found(void)
{
    make_path();
    (void)unlink(path);
    check_status(read_all(), HAUL_NOT_FOUND);
    check(strstr(error.text, path) != NULL);
}

static void test_load_ledger_add__disk_full__no_space(void)
{
    check_or_stop((ledger.fd = open("/dev/full", O_WRONLY)) >= 0);
    const struct load_entry entry = {.version = 1};
    check_error(load_ledger_add(&ledger, &entry, &error), HAUL_NO_SPACE, error);
    load_ledger_close(&ledger);
    check_equal(ledger.fd, -1);
}

static void test_load_ledger_open__a_wrong_name__not_found(void)
{
    check_error(load_ledger_open(&ledger, "/nowhere/ledger", &error), HAUL_NOT_FOUND, error);
    check(strstr(error.hint, "check the name") != NULL);
    check_error(load_ledger_open(&ledger, "/tmp", &error), HAUL_NOT_FOUND, error);
    check_error(load_ledger_read("/tmp", take, NULL, &error), HAUL_IO, error);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_load_ledger_read__what_was_added__in_order),
    CHECK_TEST(test_load_ledger_open__ledger_of_before__goes_on_behind_it),
    CHECK_TEST(test_load_ledger_open__torn_tail__cut_off),
    CHECK_TEST(test_load_ledger_read__damaged_record__a_tear_only_at_the_end),
    CHECK_TEST(test_load_ledger_open__file_that_is_no_ledger__corrupt_and_left_as_it_is),
    CHECK_TEST(test_load_ledger_open__first_record_torn__begins_anew),
    CHECK_TEST(test_load_ledger_read__many_records__until_the_taker_has_enough),
    CHECK_TEST(test_load_ledger_read__no_file__not_found),
    CHECK_TEST(test_load_ledger_add__disk_full__no_space),
    CHECK_TEST(test_load_ledger_open__a_wrong_name__not_found),
};
CHECK_MAIN("load_ledger", tests)
