/* SPDX-License-Identifier: Apache-2.0 */
/* test_read_ahead.c — large reads from a disk, small ones out of memory. */
#include "read_ahead.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "check.h"
#include "process_reads.h"
#include "rocks_fixture.h"

enum { LONG_BYTES = 64 << 20, SHORT_BYTES = 1 << 10 };

/* --- the system's account --------------------------------------------------------------------- */

static long disk_blocks;
static bool account_fails;

int __wrap_getrusage(__rusage_who_t who, struct rusage *usage);

int __wrap_getrusage(__rusage_who_t who, struct rusage *usage)
{
    check_equal(who, RUSAGE_THREAD);
    memset(usage, 0, sizeof(*usage));
    usage->ru_inblock = disk_blocks;
    errno = account_fails ? EINVAL : errno;
    return account_fails ? -1 : 0;
}

/* --- the choice ------------------------------------------------------------------------------- */

/* What follows a scan of so many bytes, for which so many blocks came from a disk. */
static enum read_ahead_source after(enum read_ahead_source next, uint64_t bytes, long blocks)
{
    struct read_ahead ahead = {.next = next};
    int64_t before = read_ahead_disk_blocks();
    disk_blocks += blocks;
    read_ahead_note(&ahead, bytes, before);
    return ahead.next;
}

static void test_read_ahead_note__long_scan_without_a_disk__memory(void)
{
    check_equal(after(READ_AHEAD_DISK, LONG_BYTES, 0), READ_AHEAD_MEMORY);
    check_equal(after(READ_AHEAD_MEMORY, LONG_BYTES, 0), READ_AHEAD_MEMORY);
}

static void test_read_ahead_note__a_block_from_a_disk__disk(void)
{
    check_equal(after(READ_AHEAD_MEMORY, LONG_BYTES, 1), READ_AHEAD_DISK);
    check_equal(after(READ_AHEAD_MEMORY, SHORT_BYTES, 1), READ_AHEAD_DISK);
    check_equal(after(READ_AHEAD_DISK, LONG_BYTES, 1), READ_AHEAD_DISK);
}

static void test_read_ahead_note__short_scan_without_a_disk__as_before(void)
{
    check_equal(after(READ_AHEAD_DISK, SHORT_BYTES, 0), READ_AHEAD_DISK);
    check_equal(after(READ_AHEAD_MEMORY, SHORT_BYTES, 0), READ_AHEAD_MEMORY);
}

static void test_read_ahead_note__nothing_is_counted__disk(void)
{
    account_fails = true;
    check_equal(after(READ_AHEAD_MEMORY, LONG_BYTES, 0), READ_AHEAD_DISK);
    account_fails = false;
}

/* --- scans ------------------------------------------------------------------------------------ */

enum { RECORDS = 256, RECORD_BYTES = 64 << 10 };

/* 16 MiB in table files. */
static void open_filled(struct rocks_fixture *fixture)
{
    struct haul_error error;
    rocks_fixture_open(fixture);
    rocks_fixture_fill(fixture, 0, "key", RECORDS, RECORD_BYTES);
    check_status(fixture->store->ops->flush(fixture->store, &error), HAUL_OK);
}

/* The reads of a scan of everything, for which so many blocks came from a disk. */
static uint64_t reads_of_scan(struct rocks_fixture *fixture, long blocks)
{
    const struct haul_store_ops *ops = fixture->store->ops;
    struct haul_slice none = {0};
    struct haul_scan *scan = NULL;
    struct haul_record record;
    struct haul_error error;
    unsigned count = 0;
    struct process_reads before = process_reads_now();
    check_or_stop(ops->scan_open(fixture->store, NULL, 0, none, none, &scan, &error) == HAUL_OK);
    while (ops->scan_next(scan, &record, &error) == HAUL_OK) {
        count++;
    }
    disk_blocks += blocks;
    ops->scan_close(scan);
    check_equal(count, RECORDS);
    return process_reads_now().calls - before.calls;
}

static void test_rocks_scan__the_last_one_read_no_disk__small_reads(void)
{
    struct rocks_fixture fixture;
    open_filled(&fixture);
    (void)reads_of_scan(&fixture, 1); /* opens the tables */
    uint64_t large = reads_of_scan(&fixture, 0);
    uint64_t small = reads_of_scan(&fixture, 1);
    check(small > 3 * large);
    check_equal(reads_of_scan(&fixture, 0), large);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_read_ahead_note__long_scan_without_a_disk__memory),
    CHECK_TEST(test_read_ahead_note__a_block_from_a_disk__disk),
    CHECK_TEST(test_read_ahead_note__short_scan_without_a_disk__as_before),
    CHECK_TEST(test_read_ahead_note__nothing_is_counted__disk),
    CHECK_TEST(test_rocks_scan__the_last_one_read_no_disk__small_reads),
};

CHECK_MAIN("read_ahead", tests)
