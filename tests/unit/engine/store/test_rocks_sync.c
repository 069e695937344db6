/* SPDX-License-Identifier: Apache-2.0 */
/* test_rocks_sync.c — a sync of the log after a failed write is an error: RocksDB would abort the
 * process. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum { VALUE_BYTES = 1 << 20 };

static struct rocks_fixture fixture;
static struct haul_error error;
static uint8_t value[VALUE_BYTES];
static uint8_t memory[VALUE_BYTES + 4096];

static enum haul_status write_batch(unsigned flags)
{
    struct raw_batch_writer writer;
    raw_batch_begin(&writer, memory, sizeof(memory));
    check(raw_batch_put(&writer, 0, text_slice("key"), slice_of(value, sizeof(value))));
    return fixture.store->ops->write(fixture.store, slice_of(memory, raw_batch_finish(&writer)),
                                     flags, &error);
}

/* No file grows beyond this, as on a full disk. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    check_or_stop(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    check_or_stop(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void test_rocks_sync__behind_a_write_that_failed__the_same_error(void)
{
    const struct haul_store_ops *ops;
    rocks_fixture_open(&fixture);
    ops = fixture.store->ops;
    check_status(write_batch(0), HAUL_OK);
    check_status(ops->sync(fixture.store, &error), HAUL_OK);
    limit_files(VALUE_BYTES + VALUE_BYTES / 2);
    enum haul_status failed = write_batch(0);
    check(failed != HAUL_OK);
    check_status(ops->sync(fixture.store, &error), failed);
    check(strstr(error.text, "an earlier write to the log has failed") != NULL);
    check(strstr(error.hint, "and open the database again") != NULL);
    limit_files(RLIM_INFINITY);
    check(write_batch(HAUL_WRITE_SYNC) != HAUL_OK); /* RocksDB must be reopened */
    check(ops->sync(fixture.store, &error) != HAUL_OK);
    rocks_fixture_reopen(&fixture);
    check_status(write_batch(HAUL_WRITE_SYNC), HAUL_OK);
    check_equal(rocks_fixture_count(&fixture, "default"), 1);
    rocks_fixture_close(&fixture);
}

static enum haul_status sync_with(const char *name, const char *points_to)
{
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture.path, name);
    check_or_stop(symlink(points_to, path) == 0);
    enum haul_status status = fixture.store->ops->sync(fixture.store, &error);
    check_or_stop(unlink(path) == 0);
    return status;
}

static void open_reading(bool keep_log)
{
    const struct haul_rocks_options options = {.read_only = true, .keep_log = keep_log};
    check_or_stop(haul_rocks_store_open(fixture.path, &options, &fixture.store, &error) == HAUL_OK);
}

/* A source that only reads syncs what the owner has written. One of the files may go meanwhile. */
static void test_rocks_sync__only_reading__each_file_of_the_log(void)
{
    char aside[600];
    rocks_fixture_open(&fixture);
    check_status(write_batch(0), HAUL_OK);
    haul_store_close(fixture.store);
    open_reading(true);
    check_status(fixture.store->ops->sync(fixture.store, &error), HAUL_OK);
    check_error(sync_with("999998.log", "999998.log"), HAUL_IO, error); /* a loop */
    check(strstr(error.text, "999998.log") != NULL);
    check_status(sync_with("999998.log", "/nonexistent/haul"), HAUL_OK);
    check_status(sync_with("999998.other", "999998.other"), HAUL_OK);
    (void)snprintf(aside, sizeof(aside), "%s.aside", fixture.path);
    check_or_stop(rename(fixture.path, aside) == 0);
    check_error(fixture.store->ops->sync(fixture.store, &error), HAUL_IO, error);
    check(strstr(error.text, fixture.path) != NULL);
    check_or_stop(rename(aside, fixture.path) == 0);
    haul_store_close(fixture.store);
    open_reading(false);
    check_status(sync_with("999998.log", "999998.log"), HAUL_OK);
    rocks_fixture_close(&fixture);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_rocks_sync__only_reading__each_file_of_the_log),
    CHECK_TEST(test_rocks_sync__behind_a_write_that_failed__the_same_error),
};

int main(int argc, char **argv)
{
    (void)signal(SIGXFSZ, SIG_IGN);
    return check_main("rocks_sync", tests, CHECK_COUNT(tests), argc, argv);
}
