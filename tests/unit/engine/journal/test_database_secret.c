/* SPDX-License-Identifier: Apache-2.0 */
/* test_database_secret.c — the file of a database's secret on a disk that fails, tears and
 * fills. */
#include "database_secret.h"

#include <fcntl.h>
#include <string.h>

#include "check.h"
#include "fake_disk.h"

static struct fake_disk disk;
static struct haul_error error;
static struct database_secret secret;

static const char *store_directory(const struct haul_store *store)
{
    (void)store;
    return "/db";
}

static const void *store_files(const struct haul_store *store)
{
    (void)store;
    return &disk.calls;
}

static const struct haul_store_ops store_ops = {.directory = store_directory, .files = store_files};
static struct haul_store store = {.ops = &store_ops};

static void start(void)
{
    fake_disk_init(&disk, 1);
    memset(&error, 0, sizeof(error));
    check_equal(disk.calls.mkdir(disk.calls.context, "/db/haul", 0700), 0);
    int fd = disk.calls.open(disk.calls.context, "/db", O_RDONLY | O_DIRECTORY, 0);
    check_equal(disk.calls.fsync(disk.calls.context, fd), 0);
    check_equal(disk.calls.close(disk.calls.context, fd), 0);
}

static void finish(void)
{
    fake_disk_fini(&disk);
}

static bool is_same(const struct database_secret *a, const struct database_secret *b)
{
    return memcmp(a->bytes, b->bytes, DATABASE_SECRET_BYTES) == 0;
}

static struct fake_inode *file(void)
{
    int inode = disk.names[fake_disk_name(&disk, "/db/haul/secret")].inode;
    check_or_stop(inode >= 0);
    return &disk.inodes[inode];
}

static void test_database_secret_begin__first_use__drawn_and_kept_for_good(void)
{
    struct database_secret again;
    start();
    check_status(database_secret_begin(&store, &secret, &error), HAUL_OK);
    fake_disk_crash(&disk);
    check_status(database_secret_begin(&store, &again, &error), HAUL_OK);
    check(is_same(&secret, &again));
    uint8_t all = 0;
    for (size_t i = 0; i < DATABASE_SECRET_BYTES; i++) {
        all |= secret.bytes[i];
    }
    check(all != 0);
    finish();
}

/* Every call from the number `at` on fails, as for a process that is killed there. `*over`: there
 * are fewer calls. */
static enum haul_status begin_and_fail(unsigned at, bool *over)
{
    check_or_stop(at < 100);
    disk.fail_at = disk.call_count + at;
    disk.fail_for_ever = true;
    enum haul_status status = database_secret_begin(&store, &secret, &error);
    *over = disk.call_count < disk.fail_at;
    disk.fail_at = 0;
    return status;
}

/* A process is killed before each of its calls. The next one uses what it finds and tells peers,
 * and the power fails. */
static void test_database_secret_begin__maker_killed_and_then_the_power__used_one_stays(void)
{
    bool over = false;
    for (unsigned at = 1; !over; at++) {
        struct database_secret again;
        start();
        (void)begin_and_fail(at, &over);
        check_status(database_secret_begin(&store, &secret, &error), HAUL_OK);
        fake_disk_crash(&disk);
        check_status(database_secret_begin(&store, &again, &error), HAUL_OK);
        check(is_same(&secret, &again));
        finish();
    }
}

static void test_database_secret_begin__another_database__another_one(void)
{
    struct database_secret other;
    start();
    check_status(database_secret_begin(&store, &secret, &error), HAUL_OK);
    finish();
    start();
    disk.random = 77;
    check_status(database_secret_begin(&store, &other, &error), HAUL_OK);
    check(!is_same(&secret, &other));
    finish();
}

static void test_database_secret_begin__no_folder__not_found(void)
{
    fake_disk_init(&disk, 1);
    check_status(database_secret_begin(&store, &secret, &error), HAUL_NOT_FOUND);
    finish();
}

/* Whatever is left of the file, what was returned before stays, or was never returned. */
static void test_database_secret_begin__a_call_fails_and_the_power__sound_afterwards(void)
{
    bool over = false;
    for (unsigned at = 1; !over; at++) {
        struct database_secret again;
        start();
        enum haul_status status = begin_and_fail(at, &over);
        check(status == HAUL_OK || (error.status == status && error.text[0] != '\0'));
        fake_disk_crash(&disk);
        check_status(database_secret_begin(&store, &again, &error), HAUL_OK);
        check(status != HAUL_OK || is_same(&secret, &again));
        finish();
    }
}

static void test_database_secret_begin__any_bit_rotted__made_anew(void)
{
    start();
    check_status(database_secret_begin(&store, &secret, &error), HAUL_OK);
    size_t size = file()->size;
    finish();
    for (size_t bit = 0; bit < 8 * size; bit += 7) {
        struct database_secret again;
        struct database_secret third;
        start();
        check_status(database_secret_begin(&store, &secret, &error), HAUL_OK);
        file()->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_status(database_secret_begin(&store, &again, &error), HAUL_OK);
        check_status(database_secret_begin(&store, &third, &error), HAUL_OK);
        check(!is_same(&secret, &again));
        check(is_same(&again, &third));
        finish();
    }
}

static void test_database_secret_begin__disk_full__told_and_made_later(void)
{
    start();
    disk.space_bytes = 0;
    check_error(database_secret_begin(&store, &secret, &error), HAUL_NO_SPACE, error);
    disk.space_bytes = SIZE_MAX;
    check_status(database_secret_begin(&store, &secret, &error), HAUL_OK);
    finish();
}

static void test_database_secret_proof__another_job_or_secret__another_proof(void)
{
    static const struct database_secret one = {{1}};
    static const struct database_secret two = {{2}};
    static const uint8_t job[HAUL_JOB_BYTES] = {3};
    static const uint8_t other[HAUL_JOB_BYTES] = {4};
    struct source_proof proofs[3];
    struct source_proof again;
    check_status(database_secret_proof(&one, job, &proofs[0]), HAUL_OK);
    check_status(database_secret_proof(&one, other, &proofs[1]), HAUL_OK);
    check_status(database_secret_proof(&two, job, &proofs[2]), HAUL_OK);
    check_status(database_secret_proof(&one, job, &again), HAUL_OK);
    check(source_proof_fits(&proofs[0], &again));
    for (size_t i = 0; i < CHECK_COUNT(proofs); i++) {
        for (size_t j = 0; j < CHECK_COUNT(proofs); j++) {
            check(source_proof_fits(&proofs[i], &proofs[j]) == (i == j));
        }
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_database_secret_begin__first_use__drawn_and_kept_for_good),
    CHECK_TEST(test_database_secret_begin__maker_killed_and_then_the_power__used_one_stays),
    CHECK_TEST(test_database_secret_begin__another_database__another_one),
    CHECK_TEST(test_database_secret_begin__no_folder__not_found),
    CHECK_TEST(test_database_secret_begin__a_call_fails_and_the_power__sound_afterwards),
    CHECK_TEST(test_database_secret_begin__any_bit_rotted__made_anew),
    CHECK_TEST(test_database_secret_begin__disk_full__told_and_made_later),
    CHECK_TEST(test_database_secret_proof__another_job_or_secret__another_proof),
};
CHECK_MAIN("database_secret", tests)
