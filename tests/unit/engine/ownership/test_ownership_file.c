/* SPDX-License-Identifier: Apache-2.0 */
/* test_ownership_file.c — the ownership record on disk: every call fails once, power fails, others
 * change it at the same time. */
#include "ownership_file.h"

#include <stdlib.h>

#include "check.h"
#include "fake_disk.h"
#include "range_map_text.h"

enum { SEED_COUNT = 40, SWEEP_CALLS_MAX = 200 };

static struct fake_disk disk;
static struct haul_error error;
static const char directory[] = "/db/haul";

/* A job that moves everything, to version `*context`. */
static enum haul_status move_all(void *context, struct ownership *ownership,
                                 struct haul_error *failed)
{
    struct key_range all = {.start = NULL};
    (void)failed;
    check_status(key_range_init(&all, slice_of(NULL, 0), slice_of(NULL, 0)), HAUL_OK);
    const struct ownership_move move = {.family = "default",
                                        .ranges = &all,
                                        .range_count = 1,
                                        .mark = {.state = OWNERSHIP_RELEASED}};
    ownership->config_version = *(const uint64_t *)context;
    enum haul_status status = ownership_put(ownership, &move);
    key_range_fini(&all);
    return status;
}

static enum haul_status refuse(void *context, struct ownership *ownership,
                               struct haul_error *failed)
{
    ownership->config_version = *(const uint64_t *)context;
    return haul_error_set(failed, HAUL_FENCED, NULL, 0, "refused by the test");
}

static enum haul_status update(uint64_t version)
{
    return ownership_update(&disk.calls, directory, move_all, &version, &error);
}

/* The version of the file; UINT64_MAX: unreadable. */
static uint64_t version_now(void)
{
    struct ownership ownership;
    if (ownership_read(&disk.calls, directory, &ownership, &error) != HAUL_OK) {
        return UINT64_MAX;
    }
    uint64_t version = ownership.config_version;
    check(version == 0 || ownership.family_count == 1);
    ownership_fini(&ownership);
    return version;
}

static bool exists(const char *path)
{
    return disk.names[fake_disk_name(&disk, path)].inode >= 0;
}

static void test_ownership_read__no_file__version_0_and_nothing_moved(void)
{
    fake_disk_init(&disk, 1);
    check_equal(version_now(), 0);
    fake_disk_fini(&disk);
}

static void test_ownership_update__twice__new_file_is_durable(void)
{
    for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
        fake_disk_init(&disk, seed);
        check_status(update(1), HAUL_OK);
        check_status(update(2), HAUL_OK);
        fake_disk_crash(&disk);
        check_equal(version_now(), 2);
        fake_disk_fini(&disk);
    }
}

static void test_ownership_update__change_refuses__file_unchanged(void)
{
    uint64_t version = 9;
    fake_disk_init(&disk, 1);
    check_status(update(5), HAUL_OK);
    check_error(ownership_update(&disk.calls, directory, refuse, &version, &error), HAUL_FENCED,
                error);
    check_equal(version_now(), 5);
    check(!exists("/db/haul/ownership.tmp"));
    check_equal(fake_disk_open_count(&disk), 0);
    fake_disk_fini(&disk);
}

/* --- the lock --------------------------------------------------------------------------------- */

static int lock_fd;
static unsigned pauses_left;

/* The holder releases the lock after some pauses. */
static void pause_and_unlock(void *context, unsigned pause_ms)
{
    (void)pause_ms;
    if (pauses_left > 0 && --pauses_left == 0) {
        (void)fake_disk_close(context, lock_fd);
    }
}

static void lock_for(unsigned pauses)
{
    fake_disk_init(&disk, 1);
    check_status(update(1), HAUL_OK);
    disk.calls.pause = pause_and_unlock;
    pauses_left = pauses;
    lock_fd = fake_disk_open(&disk, "/db/haul/ownership.lock", O_CREAT, 0);
    check_equal(fake_disk_flock(&disk, lock_fd, LOCK_EX), 0);
}

static void test_ownership_update__another_change_runs__waits(void)
{
    lock_for(5);
    check_status(update(2), HAUL_OK);
    check_equal(pauses_left, 0);
    check_equal(version_now(), 2);
    fake_disk_fini(&disk);
}

static void test_ownership_update__another_change_hangs__busy(void)
{
    lock_for(0);
    check_status(update(2), HAUL_BUSY);
    (void)fake_disk_close(&disk, lock_fd);
    check_equal(version_now(), 1);
    check_status(update(2), HAUL_OK);
    fake_disk_fini(&disk);
}

/* Writers are frozen meanwhile: the wait ends at its deadline. */
static void test_ownership_update_within__another_change_hangs__busy_in_time(void)
{
    enum { WAIT_MS = 50 };
    uint64_t version = 2;
    lock_for(1000);
    check_error(
        ownership_update_within(&disk.calls, directory, WAIT_MS, move_all, &version, &error),
        HAUL_BUSY, error);
    check_equal(pauses_left, 1000 - WAIT_MS / 10);
    check_error(ownership_update_within(&disk.calls, directory, 0, move_all, &version, &error),
                HAUL_BUSY, error);
    check_equal(pauses_left, 1000 - WAIT_MS / 10);
    (void)fake_disk_close(&disk, lock_fd);
    check_status(ownership_update_within(&disk.calls, directory, 0, move_all, &version, &error),
                 HAUL_OK);
    check_equal(version_now(), 2);
    fake_disk_fini(&disk);
}

/* --- failures --------------------------------------------------------------------------------- */

static void test_ownership_update__file_damaged__corrupt_and_kept(void)
{
    fake_disk_init(&disk, 1);
    check_status(update(1), HAUL_OK);
    fake_disk_find(&disk, "/db/haul/ownership")->bytes[20] ^= 1;
    check_status(update(2), HAUL_CORRUPT);
    check(strstr(error.hint, "`haul owner --db DIR --rebuild`") != NULL);
    check_equal(version_now(), UINT64_MAX);
    fake_disk_fini(&disk);
}

static void test_ownership_update__disk_full__no_space_and_nothing_left(void)
{
    fake_disk_init(&disk, 1);
    check_status(update(1), HAUL_OK);
    disk.space_bytes = 10;
    check_status(update(2), HAUL_NO_SPACE);
    check_equal(version_now(), 1);
    check(!exists("/db/haul/ownership.tmp"));
    disk.space_bytes = SIZE_MAX / 2;
    check_status(update(2), HAUL_OK);
    check_equal(version_now(), 2);
    fake_disk_fini(&disk);
}

/* Nothing is written through a file that a crash left, or a link that somebody placed there. */
static void test_ownership_update__unfinished_file_is_there__replaced(void)
{
    fake_disk_init(&disk, 1);
    check_status(update(1), HAUL_OK);
    int fd = fake_disk_open(&disk, "/db/haul/ownership.tmp", O_CREAT, 0);
    check_equal(fake_disk_pwrite(&disk, fd, "left", 4, 0), 4);
    check_status(update(2), HAUL_OK);
    check_equal(fake_disk_file(&disk, fd)->size, 4);
    check_equal(version_now(), 2);
    (void)fake_disk_close(&disk, fd);
    fake_disk_fini(&disk);
}

static void test_ownership_update__nth_call_fails__old_version_or_in_doubt(void)
{
    bool reached = true;
    for (unsigned n = 1; reached && n < SWEEP_CALLS_MAX; n++) {
        fake_disk_init(&disk, n);
        check_status(update(1), HAUL_OK);
        fake_disk_fail(&disk, n, false);
        enum haul_status status = update(2);
        reached = disk.call_count >= n;
        fake_disk_fail(&disk, 0, false);
        check_equal(status != HAUL_OK, reached);
        check_equal(version_now(), status == HAUL_OK || status == HAUL_IN_DOUBT ? 2 : 1);
        check_equal(fake_disk_open_count(&disk), 0);
        fake_disk_fini(&disk);
    }
    check(!reached);
}

static void test_ownership_update__power_lost_at_nth_call__old_or_new_whole(void)
{
    bool reached = true;
    unsigned olds = 0;
    for (unsigned n = 1; reached && n < SWEEP_CALLS_MAX; n++) {
        for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
            fake_disk_init(&disk, seed);
            check_status(update(1), HAUL_OK);
            fake_disk_fail(&disk, n, true);
            enum haul_status status = update(2);
            reached = disk.call_count >= n;
            fake_disk_crash(&disk);
            uint64_t version = version_now();
            check(version == 2 || (version == 1 && status != HAUL_OK));
            olds += version == 1;
            fake_disk_fini(&disk);
        }
    }
    check(!reached);
    check(olds > 0);
}

/* --- a rename that is not what it says -------------------------------------------------------- */

static bool rename_takes_effect;
static bool reads_fail;

static int failing_rename(void *context, const char *from, const char *to)
{
    if (rename_takes_effect) {
        (void)fake_disk_rename(context, from, to);
    }
    if (reads_fail) {
        struct fake_disk *faulty = context;
        fake_disk_fail(faulty, 1, true);
    }
    errno = ENOENT;
    return -1;
}

static enum haul_status update_with_rename(bool takes_effect, bool then_reads_fail)
{
    fake_disk_init(&disk, 1);
    check_status(update(1), HAUL_OK);
    rename_takes_effect = takes_effect;
    reads_fail = then_reads_fail;
    disk.calls.rename = failing_rename;
    enum haul_status status = update(2);
    fake_disk_fail(&disk, 0, false);
    return status;
}

static void test_ownership_update__rename_fails_but_took_effect__ok(void)
{
    check_status(update_with_rename(true, false), HAUL_OK);
    fake_disk_crash(&disk);
    check_equal(version_now(), 2);
    fake_disk_fini(&disk);
}

static void test_ownership_update__rename_fails_without_effect__its_error(void)
{
    check_status(update_with_rename(false, false), HAUL_NOT_FOUND);
    check_equal(version_now(), 1);
    fake_disk_fini(&disk);
}

static void test_ownership_update__rename_fails_and_file_unreadable__in_doubt(void)
{
    check_status(update_with_rename(true, true), HAUL_IN_DOUBT);
    fake_disk_fini(&disk);
    check_status(update_with_rename(false, true), HAUL_IN_DOUBT);
    fake_disk_fini(&disk);
}

/* --- rehearsing ------------------------------------------------------------------------------- */

static void test_ownership_rehearse__would_work__ok_and_nothing_is_there(void)
{
    uint64_t version = 2;
    fake_disk_init(&disk, 1);
    check_status(update(1), HAUL_OK);
    check_status(ownership_rehearse(&disk.calls, directory, move_all, &version, &error), HAUL_OK);
    check_equal(version_now(), 1);
    check(!exists("/db/haul/ownership.tmp"));
    disk.space_bytes = 10;
    check_error(ownership_rehearse(&disk.calls, directory, move_all, &version, &error),
                HAUL_NO_SPACE, error);
    check_equal(version_now(), 1);
    fake_disk_fini(&disk);
}

/* --- rebuilding ------------------------------------------------------------------------------- */

static void test_ownership_rebuild__damaged__set_aside_and_replaced(void)
{
    uint64_t version = 5;
    fake_disk_init(&disk, 1);
    check_status(update(1), HAUL_OK);
    struct fake_inode *damaged = fake_disk_find(&disk, "/db/haul/ownership");
    damaged->bytes[26] ^= 1;
    size_t size = damaged->size;
    check_status(ownership_rebuild(&disk.calls, directory, 1234, move_all, &version, &error),
                 HAUL_OK);
    check_equal(version_now(), 5);
    check_equal(fake_disk_find(&disk, "/db/haul/ownership.damaged-1234")->size, size);
    check_equal(fake_disk_open_count(&disk), 0);
    fake_disk_fini(&disk);
}

/* Then a version at which a peer got something is no sign of a set-back. */
static void test_ownership_rebuild__head_is_there__the_counter_goes_on(void)
{
    static const struct {
        size_t at; /* of the damaged byte */
        uint64_t before;
        uint64_t after;
    } cases[] = {
        {26, 9, 9},
        {26, 3, 5}, /* the journals show more */
        {3, 9, 5},  /* no head */
        {23, 9, 5}, /* no counter */
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        uint64_t version = 5;
        fake_disk_init(&disk, 1);
        check_status(update(cases[i].before), HAUL_OK);
        fake_disk_find(&disk, "/db/haul/ownership")->bytes[cases[i].at] ^= 1;
        check_status(ownership_rebuild(&disk.calls, directory, 1234, move_all, &version, &error),
                     HAUL_OK);
        check_equal(version_now(), cases[i].after);
        check_equal(fake_disk_open_count(&disk), 0);
        fake_disk_fini(&disk);
    }
}

static void test_ownership_rebuild__sound__not_found(void)
{
    uint64_t version = 5;
    fake_disk_init(&disk, 1);
    check_status(update(1), HAUL_OK);
    check_error(ownership_rebuild(&disk.calls, directory, 1234, move_all, &version, &error),
                HAUL_NOT_FOUND, error);
    check_equal(version_now(), 1);
    check_equal(fake_disk_open_count(&disk), 0);
    fake_disk_fini(&disk);
}

/* At no moment is the record missing: a reader would then claim everything. */
static void test_ownership_rebuild__power_lost_at_nth_call__never_without_a_record(void)
{
    bool reached = true;
    uint64_t version = 5;
    for (unsigned n = 1; reached && n < SWEEP_CALLS_MAX; n++) {
        for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
            fake_disk_init(&disk, seed);
            check_status(update(1), HAUL_OK);
            fake_disk_find(&disk, "/db/haul/ownership")->platter[20] ^= 1;
            fake_disk_find(&disk, "/db/haul/ownership")->bytes[26] ^= 1;
            fake_disk_fail(&disk, n, true);
            enum haul_status status =
                ownership_rebuild(&disk.calls, directory, 7, move_all, &version, &error);
            reached = disk.call_count >= n;
            fake_disk_crash(&disk);
            uint64_t now = version_now();
            check(now == 5 || (now == UINT64_MAX && status != HAUL_OK));
            fake_disk_fini(&disk);
        }
    }
    check(!reached);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_ownership_read__no_file__version_0_and_nothing_moved),
    CHECK_TEST(test_ownership_update__twice__new_file_is_durable),
    CHECK_TEST(test_ownership_update__change_refuses__file_unchanged),
    CHECK_TEST(test_ownership_update__another_change_runs__waits),
    CHECK_TEST(test_ownership_update__another_change_hangs__busy),
    CHECK_TEST(test_ownership_update_within__another_change_hangs__busy_in_time),
    CHECK_TEST(test_ownership_update__file_damaged__corrupt_and_kept),
    CHECK_TEST(test_ownership_update__disk_full__no_space_and_nothing_left),
    CHECK_TEST(test_ownership_update__unfinished_file_is_there__replaced),
    CHECK_TEST(test_ownership_update__nth_call_fails__old_version_or_in_doubt),
    CHECK_TEST(test_ownership_update__power_lost_at_nth_call__old_or_new_whole),
    CHECK_TEST(test_ownership_update__rename_fails_but_took_effect__ok),
    CHECK_TEST(test_ownership_update__rename_fails_without_effect__its_error),
    CHECK_TEST(test_ownership_update__rename_fails_and_file_unreadable__in_doubt),
    CHECK_TEST(test_ownership_rehearse__would_work__ok_and_nothing_is_there),
    CHECK_TEST(test_ownership_rebuild__damaged__set_aside_and_replaced),
    CHECK_TEST(test_ownership_rebuild__head_is_there__the_counter_goes_on),
    CHECK_TEST(test_ownership_rebuild__sound__not_found),
    CHECK_TEST(test_ownership_rebuild__power_lost_at_nth_call__never_without_a_record),
};
CHECK_MAIN("ownership_file", tests)
