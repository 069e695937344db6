/* SPDX-License-Identifier: Apache-2.0 */
/* test_durable_file.c — complete reads and writes, locks and names, on a disk that fails, is full
 * or loses power. */
#include "durable_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "fake_disk.h"
#include "wall_clock.h"

enum { SEED_COUNT = 64 };

static const char path[] = "/db/file";
static struct fake_disk disk;
static struct haul_error error;
static int fd;

static void start(void)
{
    fake_disk_init(&disk, 1);
    memset(&error, 0, sizeof(error));
    fd = -1;
}

/* No test leaks a descriptor. */
static void finish(unsigned open_count)
{
    check_equal(fake_disk_open_count(&disk), open_count);
    fake_disk_fini(&disk);
}

static void start_with_file(void)
{
    start();
    check_or_stop(durable_file_open(&disk.calls, path, O_RDWR | O_CREAT, &fd, &error) == HAUL_OK);
}

/* A file of `size` bytes that differ from their neighbours. */
static void start_with_bytes(size_t size)
{
    start_with_file();
    struct fake_inode *inode = fake_disk_find(&disk, path);
    check_or_stop(inode != NULL);
    fake_disk_reach(inode, size);
    for (size_t i = 0; i < size; i++) {
        inode->bytes[i] = (uint8_t)(i * 7 + i / 256);
    }
    inode->size = size;
}

static struct haul_slice ten_bytes(void)
{
    return (struct haul_slice){(const uint8_t *)"0123456789", 10};
}

static bool file_is(const char *text)
{
    const struct fake_inode *inode = fake_disk_find(&disk, path);
    return inode != NULL && inode->size == strlen(text) &&
           memcmp(inode->bytes, text, inode->size) == 0;
}

/* --- statuses and paths ----------------------------------------------------------------------- */

static void test_durable_file_status__errnos__their_statuses(void)
{
    static const struct {
        int code;
        enum haul_status status;
    } rows[] = {
        {ENOSPC, HAUL_NO_SPACE}, {EDQUOT, HAUL_NO_SPACE},  {ENOMEM, HAUL_NO_MEMORY},
        {EMFILE, HAUL_LIMIT},    {ENFILE, HAUL_LIMIT},     {EFBIG, HAUL_LIMIT},
        {ENOLCK, HAUL_LIMIT},    {ENOENT, HAUL_NOT_FOUND}, {EEXIST, HAUL_EXISTS},
        {EIO, HAUL_IO},          {EACCES, HAUL_IO},
    };
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        check_status(durable_file_status(rows[i].code), rows[i].status);
    }
}

static void test_durable_file_path__longest_that_fits__joined(void)
{
    static char directory[DURABLE_FILE_PATH_BYTES_MAX];
    static char joined[DURABLE_FILE_PATH_BYTES_MAX];
    size_t size = DURABLE_FILE_PATH_BYTES_MAX - sizeof("/name");
    memset(directory, 'd', size);
    directory[size] = '\0';
    check_status(durable_file_path(directory, "name", joined, &error), HAUL_OK);
    check_equal(strlen(joined), DURABLE_FILE_PATH_BYTES_MAX - 1);
    check_text(joined + size, "/name");
}

static void test_durable_file_path__one_byte_longer__invalid(void)
{
    static char directory[DURABLE_FILE_PATH_BYTES_MAX];
    static char joined[DURABLE_FILE_PATH_BYTES_MAX];
    size_t size = DURABLE_FILE_PATH_BYTES_MAX - sizeof("/name") + 1;
    memset(directory, 'd', size);
    directory[size] = '\0';
    check_error(durable_file_path(directory, "name", joined, &error), HAUL_INVALID, error);
    check(strstr(error.text, "name") != NULL);
}

/* --- open and lock ---------------------------------------------------------------------------- */

static void test_durable_file_open__missing__not_found(void)
{
    start();
    check_error(durable_file_open(&disk.calls, path, O_RDWR, &fd, &error), HAUL_NOT_FOUND, error);
    check_equal(fd, -1);
    check_equal(error.code, ENOENT);
    check(strstr(error.text, path) != NULL);
    finish(0);
}

/* Only something that is no file has a way out of its own. */
static void test_durable_file_open__no_file_or_no_right__which_of_them(void)
{
    static const struct {
        int code;
        enum haul_status status;
        const char *text;
        bool has_hint;
    } rows[] = {{ELOOP, HAUL_CORRUPT, "/db/file is not a regular file", true},
                {ENXIO, HAUL_CORRUPT, "/db/file is not a regular file", true},
                {EACCES, HAUL_IO, "cannot open /db/file", false}};
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        start();
        disk.fail_errno = rows[i].code;
        fake_disk_fail(&disk, 1, false);
        disk.fail_errno = rows[i].code;
        check_error(durable_file_open(&disk.calls, path, O_RDWR, &fd, &error), rows[i].status,
                    error);
        check_text(error.text, rows[i].text);
        check_equal(error.code, rows[i].code);
        check_equal(error.hint[0] != '\0', rows[i].has_hint);
        check_equal(fd, -1);
        finish(0);
    }
}

static void test_durable_file_open__exists_and_exclusive__exists(void)
{
    start_with_file();
    int other = -1;
    check_error(durable_file_open(&disk.calls, path, O_RDWR | O_CREAT | O_EXCL, &other, &error),
                HAUL_EXISTS, error);
    check_equal(other, -1);
    check_status(durable_file_open(&disk.calls, path, O_RDWR, &other, &error), HAUL_OK);
    check(other >= 0 && other != fd);
    finish(2);
}

static void test_durable_file_lock__somebody_has_it__busy(void)
{
    start_with_file();
    int other = -1;
    check_status(durable_file_open(&disk.calls, path, O_RDWR, &other, &error), HAUL_OK);
    check_status(durable_file_lock(&disk.calls, fd, path, &error), HAUL_OK);
    check_error(durable_file_lock(&disk.calls, other, path, &error), HAUL_BUSY, error);
    (void)disk.calls.close(disk.calls.context, fd);
    check_status(durable_file_lock(&disk.calls, other, path, &error), HAUL_OK);
    finish(1);
}

/* The lock of a replaced file locks nothing. */
static void test_durable_file_lock__file_lost_its_name__not_found(void)
{
    start_with_file();
    check_equal(disk.calls.unlink(disk.calls.context, path), 0);
    check_error(durable_file_lock(&disk.calls, fd, path, &error), HAUL_NOT_FOUND, error);
    finish(1);
}

static void test_durable_file_lock__nth_call_fails__its_error(void)
{
    static const char *const calls[] = {"flock", "fstat"};
    for (unsigned call = 1; call <= CHECK_COUNT(calls); call++) {
        start_with_file();
        fake_disk_fail(&disk, call, false);
        check_error(durable_file_lock(&disk.calls, fd, path, &error), HAUL_IO, error);
        check_text(error.call, calls[call - 1]);
        check_equal(error.code, EIO);
        finish(1);
    }
}

/* --- read ------------------------------------------------------------------------------------- */

static void test_durable_file_read__empty__no_bytes_but_memory(void)
{
    start_with_file();
    uint8_t *data = NULL;
    size_t size = 1;
    check_status(durable_file_read(&disk.calls, fd, 0, &data, &size), HAUL_OK);
    check(data != NULL);
    check_equal(size, 0);
    free(data);
    finish(1);
}

/* Sizes around the point where the buffer must grow, and with the limit at the last byte. */
static void test_durable_file_read__exactly_the_limit__whole(void)
{
    static const size_t sizes[] = {1, 16383, 16384, 16385, 32768, FAKE_FILE_BYTES_MAX};
    for (size_t i = 0; i < CHECK_COUNT(sizes); i++) {
        start_with_bytes(sizes[i]);
        uint8_t *data = NULL;
        size_t size = 0;
        check_status(durable_file_read(&disk.calls, fd, sizes[i], &data, &size), HAUL_OK);
        check_equal(size, sizes[i]);
        check(size == sizes[i] && memcmp(data, fake_disk_find(&disk, path)->bytes, size) == 0);
        free(data);
        finish(1);
    }
}

static void test_durable_file_read__one_byte_over_the_limit__limit(void)
{
    static const size_t sizes[] = {1, 16384, 16385, 40000};
    for (size_t i = 0; i < CHECK_COUNT(sizes); i++) {
        start_with_bytes(sizes[i]);
        uint8_t *data = NULL;
        size_t size = 0;
        check_status(durable_file_read(&disk.calls, fd, sizes[i] - 1, &data, &size), HAUL_LIMIT);
        check(data == NULL);
        finish(1);
    }
}

static void test_durable_file_read__interrupted__whole(void)
{
    start_with_bytes(20000);
    uint8_t *data = NULL;
    size_t size = 0;
    disk.fail_errno = EINTR;
    fake_disk_fail(&disk, 2, false);
    check_status(durable_file_read(&disk.calls, fd, 20000, &data, &size), HAUL_OK);
    check_equal(size, 20000);
    check(size == 20000 && memcmp(data, fake_disk_find(&disk, path)->bytes, size) == 0);
    free(data);
    finish(1);
}

static void test_durable_file_read__nth_read_fails__io(void)
{
    for (unsigned call = 1; call <= 3; call++) { /* two pieces and the end */
        start_with_bytes(20000);
        uint8_t *data = NULL;
        size_t size = 0;
        fake_disk_fail(&disk, call, false);
        check_status(durable_file_read(&disk.calls, fd, 20000, &data, &size), HAUL_IO);
        check(data == NULL);
        finish(1);
    }
}

/* --- write ------------------------------------------------------------------------------------ */

static void test_durable_file_write__short_writes__whole_at_its_offset(void)
{
    start_with_file();
    disk.write_bytes_max = 3;
    check_status(durable_file_write(&disk.calls, fd, ten_bytes(), 0), HAUL_OK);
    check_status(durable_file_write(&disk.calls, fd, ten_bytes(), 4), HAUL_OK);
    check(file_is("01230123456789"));
    finish(1);
}

static void test_durable_file_write__interrupted__whole(void)
{
    start_with_file();
    disk.write_bytes_max = 4;
    disk.fail_errno = EINTR;
    fake_disk_fail(&disk, 2, false);
    check_status(durable_file_write(&disk.calls, fd, ten_bytes(), 0), HAUL_OK);
    check(file_is("0123456789"));
    finish(1);
}

static void test_durable_file_write__disk_full__no_space(void)
{
    start_with_file();
    disk.space_bytes = 6;
    check_status(durable_file_write(&disk.calls, fd, ten_bytes(), 0), HAUL_NO_SPACE);
    check_equal(errno, ENOSPC);
    check(file_is("012345"));
    finish(1);
}

static void test_durable_file_write__no_bytes__no_call(void)
{
    start_with_file();
    fake_disk_fail(&disk, 1, false);
    struct haul_slice nothing = {NULL, 0};
    check_status(durable_file_write(&disk.calls, fd, nothing, 0), HAUL_OK);
    check_equal(disk.call_count, 0);
    finish(1);
}

static ssize_t write_nothing(void *context, int to, const void *data, size_t size, uint64_t offset)
{
    (void)to, (void)data, (void)size, (void)offset;
    ++*(unsigned *)context;
    errno = 0;
    return 0;
}

static void test_durable_file_write__write_of_nothing__io_not_for_ever(void)
{
    unsigned count = 0;
    struct file_calls calls = {.context = &count, .pwrite = write_nothing};
    check_status(durable_file_write(&calls, 0, ten_bytes(), 0), HAUL_IO);
    check_equal(errno, EIO);
    check_equal(count, 1);
}

/* --- directories and crashes ------------------------------------------------------------------ */

static void test_durable_file_make_directory__parent_missing__not_found(void)
{
    start();
    check_error(durable_file_make_directory(&disk.calls, "/nowhere/haul", &error), HAUL_NOT_FOUND,
                error);
    finish(0);
}

static void test_durable_file_make_directory__nth_call_fails__told_and_nothing_open(void)
{
    static const char *const calls[] = {"mkdir", "open", "fsync"};
    for (unsigned call = 1; call <= CHECK_COUNT(calls); call++) {
        start();
        fake_disk_fail(&disk, call, false);
        check_error(durable_file_make_directory(&disk.calls, "/db/haul", &error), HAUL_IO, error);
        check_text(error.call, calls[call - 1]);
        finish(0);
    }
}

static void test_durable_file_make_directory__crash__still_there(void)
{
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++) {
        start();
        disk.random = seed;
        check_status(durable_file_make_directory(&disk.calls, "/db/haul", &error), HAUL_OK);
        fake_disk_crash(&disk);
        check(fake_disk_find(&disk, "/db/haul") != NULL);
        finish(0);
    }
}

/* Its creator may have died before the name was durable. */
static void test_durable_file_make_directory__exists_unsynced__durable_too(void)
{
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++) {
        start();
        disk.random = seed;
        check_equal(disk.calls.mkdir(disk.calls.context, "/db/haul", 0700), 0);
        check_status(durable_file_make_directory(&disk.calls, "/db/haul", &error), HAUL_OK);
        fake_disk_crash(&disk);
        check(fake_disk_find(&disk, "/db/haul") != NULL);
        finish(0);
    }
}

/* Which directory is synced: the one that holds the name, however the path is written. */
static void test_durable_file_make_directory__paths__their_parent_synced(void)
{
    static const struct {
        const char *directory;
        const char *parent;
    } rows[] = {{"/db/haul/", "/db"}, {"/db/haul//", "/db"}, {"/top", "/"}, {"here", "."}};
    for (size_t i = 0; i < CHECK_COUNT(rows); i++) {
        start();
        int parent = fake_disk_name(&disk, rows[i].parent);
        if (disk.names[parent].inode < 0) {
            disk.names[parent].inode = fake_disk_inode(&disk, true);
        }
        disk.inodes[disk.names[parent].inode].dirty[0] = true;
        check_status(durable_file_make_directory(&disk.calls, rows[i].directory, &error), HAUL_OK);
        check(!disk.inodes[disk.names[parent].inode].dirty[0]);
        finish(0);
    }
}

/* Write a file and cut the power; returns whether it is complete afterwards. */
static bool survives(uint64_t seed, bool sync_file, bool sync_directory)
{
    start_with_file();
    disk.random = seed;
    check_status(durable_file_write(&disk.calls, fd, ten_bytes(), 0), HAUL_OK);
    check(!sync_file || disk.calls.fsync(disk.calls.context, fd) == 0);
    if (sync_directory) {
        check_status(durable_file_sync_directory(&disk.calls, "/db", &error), HAUL_OK);
    }
    fake_disk_crash(&disk);
    bool whole = file_is("0123456789");
    finish(0);
    return whole;
}

static void test_durable_file_sync_directory__crash__whole_only_after_both_syncs(void)
{
    unsigned both = 0;
    unsigned file_only = 0;
    unsigned directory_only = 0;
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++) {
        both += survives(seed, true, true);
        file_only += survives(seed, true, false);
        directory_only += survives(seed, false, true);
    }
    check_equal(both, SEED_COUNT);
    check(file_only < SEED_COUNT);
    check(directory_only < SEED_COUNT);
}

static void test_durable_file_sync_directory__missing__not_found(void)
{
    start();
    check_error(durable_file_sync_directory(&disk.calls, "/nowhere", &error), HAUL_NOT_FOUND,
                error);
    finish(0);
}

static void test_durable_file_sync_directory__sync_fails__io_and_closed(void)
{
    start();
    fake_disk_fail(&disk, 2, false);
    check_error(durable_file_sync_directory(&disk.calls, "/db", &error), HAUL_IO, error);
    check_text(error.call, "fsync");
    finish(0);
}

/* Twice within a second, on a real disk with non-empty directories: nothing is lost. */
static void test_durable_file_aside__taken__the_next_second(void)
{
    char directory[] = "/tmp/haul-durable-XXXXXX";
    char names[2][DURABLE_FILE_ASIDE_BYTES_MAX];
    char name[128];
    struct haul_error failed = {.status = HAUL_OK};
    check_or_stop(mkdtemp(directory) != NULL);
    (void)snprintf(name, sizeof(name), "%s/file", directory);
    for (unsigned i = 0; i < 2; i++) {
        char inner[160];
        (void)snprintf(inner, sizeof(inner), "%s/something", name);
        check_equal(mkdir(name, 0700), 0);
        check_equal(mkdir(inner, 0700), 0);
        check_status(
            durable_file_aside(&file_calls_system, directory, "file", 7, names[i], &failed),
            HAUL_OK);
        check_status(durable_file_rename(&file_calls_system, directory, "file", names[i], &failed),
                     HAUL_OK);
    }
    check_text(names[0], "file.damaged-7");
    check_text(names[1], "file.damaged-8");
    for (unsigned i = 0; i < 2; i++) {
        char aside[320];
        (void)snprintf(aside, sizeof(aside), "%s/%s/something", directory, names[i]);
        check_equal(rmdir(aside), 0);
        aside[strlen(aside) - strlen("/something")] = '\0';
        check_equal(rmdir(aside), 0);
    }
    check_equal(rmdir(directory), 0);
}

/* --- renaming and removing -------------------------------------------------------------------- */

static void test_durable_file_rename__nth_call_fails__told(void)
{
    bool reached = true;
    for (unsigned at = 1; reached; at++) {
        start_with_file();
        (void)disk.calls.close(disk.calls.context, fd);
        fake_disk_fail(&disk, at, false);
        enum haul_status status = durable_file_rename(&disk.calls, "/db", "file", "other", &error);
        reached = disk.call_count >= at;
        check_status(status, reached ? HAUL_IO : HAUL_OK);
        check_equal(error.status, status);
        check_equal(fake_disk_find(&disk, "/db/other") != NULL, at > 1);
        finish(0);
        check_or_stop(at < 10);
    }
    start();
    check_error(durable_file_rename(&disk.calls, "/db", "file", "other", &error), HAUL_NOT_FOUND,
                error);
    check_text(error.call, "rename");
    finish(0);
}

static void test_durable_file__directory_too_long__invalid(void)
{
    static char endless[DURABLE_FILE_PATH_BYTES_MAX];
    char aside[DURABLE_FILE_ASIDE_BYTES_MAX];
    memset(endless, 'p', sizeof(endless) - 6); /* "file" fits, longer names do not */
    start();
    check_error(durable_file_rename(&disk.calls, endless, "longer", "x", &error), HAUL_INVALID,
                error);
    check_error(durable_file_rename(&disk.calls, endless, "x", "longer", &error), HAUL_INVALID,
                error);
    check_error(durable_file_aside(&disk.calls, endless, "file", 7, aside, &error), HAUL_INVALID,
                error);
    check_error(durable_file_put_aside(&disk.calls, endless, "longer", &error), HAUL_INVALID,
                error);
    check_error(durable_file_remove(&disk.calls, endless, "longer", &error), HAUL_INVALID, error);
    check_equal(disk.call_count, 0);
    finish(0);
}

static int open_refused(void *context, const char *name, int flags, unsigned mode)
{
    (void)context;
    (void)name;
    (void)flags;
    (void)mode;
    errno = EACCES;
    return -1;
}

/* A name that nobody may look at is not free. */
static void test_durable_file_aside__no_name_is_free__io(void)
{
    char aside[DURABLE_FILE_ASIDE_BYTES_MAX];
    start();
    disk.calls.open = open_refused;
    check_error(durable_file_aside(&disk.calls, "/db", "file", 7, aside, &error), HAUL_IO, error);
    finish(0);
}

/* On a real disk: a fake one has no such directories. */
static void test_durable_file_remove__file_or_nothing_or_a_directory__only_that_is_kept(void)
{
    char directory[] = "/tmp/haul-durable-XXXXXX";
    char name[128];
    char aside[DURABLE_FILE_ASIDE_BYTES_MAX];
    char moved[512];
    check_or_stop(mkdtemp(directory) != NULL);
    (void)snprintf(name, sizeof(name), "%s/file", directory);
    check_status(durable_file_remove(&file_calls_system, directory, "file", &error), HAUL_OK);
    int made = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check(made >= 0 && close(made) == 0);
    check_status(durable_file_put_aside(&file_calls_system, directory, "file", &error), HAUL_OK);
    check_equal(access(name, F_OK), 0);
    check_status(durable_file_remove(&file_calls_system, directory, "file", &error), HAUL_OK);
    check(access(name, F_OK) != 0);
    check_equal(mkdir(name, 0700), 0);
    check_status(durable_file_remove(&file_calls_system, directory, "file", &error), HAUL_OK);
    check(access(name, F_OK) != 0);
    /* It has moved to the name of one of the last seconds. */
    bool found = false;
    for (uint64_t back_s = 0; back_s < 30 && !found; back_s++) {
        (void)snprintf(aside, sizeof(aside), "file.damaged-%" PRIu64, wall_clock_s() - back_s);
        (void)snprintf(moved, sizeof(moved), "%s/%s", directory, aside);
        found = rmdir(moved) == 0;
    }
    check(found);
    check_equal(rmdir(directory), 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_durable_file_aside__taken__the_next_second),
    CHECK_TEST(test_durable_file_status__errnos__their_statuses),
    CHECK_TEST(test_durable_file_path__longest_that_fits__joined),
    CHECK_TEST(test_durable_file_path__one_byte_longer__invalid),
    CHECK_TEST(test_durable_file_open__missing__not_found),
    CHECK_TEST(test_durable_file_open__no_file_or_no_right__which_of_them),
    CHECK_TEST(test_durable_file_open__exists_and_exclusive__exists),
    CHECK_TEST(test_durable_file_lock__somebody_has_it__busy),
    CHECK_TEST(test_durable_file_lock__file_lost_its_name__not_found),
    CHECK_TEST(test_durable_file_lock__nth_call_fails__its_error),
    CHECK_TEST(test_durable_file_read__empty__no_bytes_but_memory),
    CHECK_TEST(test_durable_file_read__exactly_the_limit__whole),
    CHECK_TEST(test_durable_file_read__one_byte_over_the_limit__limit),
    CHECK_TEST(test_durable_file_read__interrupted__whole),
    CHECK_TEST(test_durable_file_read__nth_read_fails__io),
    CHECK_TEST(test_durable_file_write__short_writes__whole_at_its_offset),
    CHECK_TEST(test_durable_file_write__interrupted__whole),
    CHECK_TEST(test_durable_file_write__disk_full__no_space),
    CHECK_TEST(test_durable_file_write__no_bytes__no_call),
    CHECK_TEST(test_durable_file_write__write_of_nothing__io_not_for_ever),
    CHECK_TEST(test_durable_file_make_directory__parent_missing__not_found),
    CHECK_TEST(test_durable_file_make_directory__nth_call_fails__told_and_nothing_open),
    CHECK_TEST(test_durable_file_make_directory__crash__still_there),
    CHECK_TEST(test_durable_file_make_directory__exists_unsynced__durable_too),
    CHECK_TEST(test_durable_file_make_directory__paths__their_parent_synced),
    CHECK_TEST(test_durable_file_sync_directory__crash__whole_only_after_both_syncs),
    CHECK_TEST(test_durable_file_sync_directory__missing__not_found),
    CHECK_TEST(test_durable_file_sync_directory__sync_fails__io_and_closed),
    CHECK_TEST(test_durable_file_rename__nth_call_fails__told),
    CHECK_TEST(test_durable_file__directory_too_long__invalid),
    CHECK_TEST(test_durable_file_aside__no_name_is_free__io),
    CHECK_TEST(test_durable_file_remove__file_or_nothing_or_a_directory__only_that_is_kept),
};

CHECK_MAIN("durable_file", tests)
