/* SPDX-License-Identifier: Apache-2.0 */
/* test_ownership.c — the list of handed-over ranges and its compare-and-swap on disk. */
#include "ownership.h"

#include <stdlib.h>

#include "bytes.h"
#include "check.h"
#include "crc32c.h"
#include "fake_disk.h"

enum { SEED_COUNT = 40, SWEEP_CALLS_MAX = 200 };

static struct fake_disk disk;
static struct haul_error error;
static const char directory[] = "/db/haul";

static struct haul_slice text_slice(const char *text)
{
    return slice_of(text, strlen(text));
}

/* [start, end) of one family (NULL: all), for job number `job`. */
static void add(struct ownership *ownership, uint8_t job, enum ownership_state state,
                const char *range, const char *family)
{
    char families[1][HAUL_NAME_BYTES_MAX] = {""};
    struct ownership_entry entry = {.job_id = {job}, .state = state};
    check_status(key_range_parse(&entry.range, range, &error), HAUL_OK);
    if (family != NULL) {
        (void)snprintf(families[0], sizeof(families[0]), "%s", family);
        entry.families = families;
        entry.family_count = 1;
    }
    check_status(ownership_add(ownership, &entry), HAUL_OK);
    key_range_fini(&entry.range);
}

/* Two entries at the given version. */
static void fill(struct ownership *ownership, uint64_t version)
{
    ownership_init(ownership);
    ownership->config_version = version;
    ownership->epoch = version * 10;
    add(ownership, 1, OWNERSHIP_RELEASED, "a:m", NULL);
    add(ownership, 2, OWNERSHIP_FROZEN, "x:", "default");
}

static enum haul_status swap_to(uint64_t expected, uint64_t version)
{
    struct ownership next;
    fill(&next, version);
    enum haul_status status = ownership_swap(&disk.calls, directory, expected, &next, &error);
    ownership_fini(&next);
    return status;
}

/* The version of the file; UINT64_MAX: it cannot be read. */
static uint64_t version_now(void)
{
    struct ownership ownership;
    if (ownership_read(&disk.calls, directory, &ownership, &error) != HAUL_OK) {
        return UINT64_MAX;
    }
    uint64_t version = ownership.config_version;
    check(version == 0 || ownership.entry_count == 2);
    ownership_fini(&ownership);
    return version;
}

/* What ownership_find says about a range. */
static enum ownership_state state_of(const struct ownership *ownership, const char *family,
                                     const char *range)
{
    struct key_range wanted;
    check_status(key_range_parse(&wanted, range, &error), HAUL_OK);
    const struct ownership_entry *entry = ownership_find(ownership, family, &wanted);
    key_range_fini(&wanted);
    return entry == NULL ? (enum ownership_state)0 : entry->state;
}

static void test_ownership_find__range_touched__newest_entry(void)
{
    struct ownership ownership;
    fill(&ownership, 1);
    check_equal(state_of(&ownership, "default", "l:z"), OWNERSHIP_FROZEN);
    check_equal(state_of(&ownership, "other", "l:z"), OWNERSHIP_RELEASED);
    check_equal(state_of(&ownership, NULL, "y:z"), OWNERSHIP_FROZEN);
    add(&ownership, 3, OWNERSHIP_IMPORTED, "b:c", NULL);
    check_equal(state_of(&ownership, "default", "b:c"), OWNERSHIP_IMPORTED);
    ownership_fini(&ownership);
}

static void test_ownership_find__range_not_touched__none(void)
{
    struct ownership ownership;
    fill(&ownership, 1);
    check_equal(state_of(&ownership, "default", "m:x"), 0);
    check_equal(state_of(&ownership, "other", "x:"), 0);
    ownership_fini(&ownership);
}

static void test_ownership_drop__job__only_its_entries_go(void)
{
    static const uint8_t job_id[OWNERSHIP_JOB_ID_BYTES] = {1};
    struct ownership ownership;
    fill(&ownership, 1);
    add(&ownership, 1, OWNERSHIP_RELEASED, "n:o", NULL);
    ownership_drop(&ownership, job_id);
    check_equal(ownership.entry_count, 1);
    check_equal(state_of(&ownership, NULL, "a:p"), 0);
    check_equal(state_of(&ownership, "default", "x:"), OWNERSHIP_FROZEN);
    ownership_fini(&ownership);
}

static void test_ownership_add__empty_family_name__invalid(void)
{
    char families[1][HAUL_NAME_BYTES_MAX] = {""};
    struct ownership_entry entry = {
        .state = OWNERSHIP_FROZEN, .families = families, .family_count = 1};
    struct ownership ownership;
    ownership_init(&ownership);
    check_status(ownership_add(&ownership, &entry), HAUL_INVALID);
    check_equal(ownership.entry_count, 0);
    ownership_fini(&ownership);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void test_ownership_decode__encoded__encodes_to_the_same_bytes(void)
{
    struct ownership first;
    struct ownership second;
    uint8_t *bytes = NULL;
    uint8_t *again = NULL;
    size_t size = 0;
    size_t again_size = 0;
    fill(&first, 7);
    check_status(ownership_encode(&first, &bytes, &size), HAUL_OK);
    check_status(ownership_decode(&second, slice_of(bytes, size)), HAUL_OK);
    check_equal(second.config_version, 7);
    check_equal(second.epoch, 70);
    check_equal(second.entries[0].job_id[0], 1);
    check_text(second.entries[1].families[0], "default");
    check(slice_compare(key_range_end(&second.entries[0].range), text_slice("m")) == 0);
    check_status(ownership_encode(&second, &again, &again_size), HAUL_OK);
    check_equal(again_size, size);
    check(memcmp(bytes, again, size) == 0);
    free(bytes);
    free(again);
    ownership_fini(&first);
    ownership_fini(&second);
}

static void test_ownership_decode__any_bit_flipped_or_cut__refused(void)
{
    struct ownership ownership;
    struct ownership damaged;
    uint8_t *bytes = NULL;
    size_t size = 0;
    fill(&ownership, 7);
    check_status(ownership_encode(&ownership, &bytes, &size), HAUL_OK);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        enum haul_status status = ownership_decode(&damaged, slice_of(bytes, size));
        check(status == HAUL_CORRUPT || status == HAUL_VERSION);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++) {
        check_status(ownership_decode(&damaged, slice_of(bytes, cut)), HAUL_CORRUPT);
    }
    free(bytes);
    ownership_fini(&ownership);
}

static void check_sealed_is_corrupt(uint8_t *bytes, size_t size, size_t at, uint8_t value)
{
    uint8_t old = bytes[at];
    struct ownership damaged;
    bytes[at] = value;
    put_u32(bytes + size - 4, crc32c(bytes, size - 4));
    check_status(ownership_decode(&damaged, slice_of(bytes, size)), HAUL_CORRUPT);
    bytes[at] = old;
}

static void test_ownership_decode__sound_checksum_over_nonsense__corrupt(void)
{
    enum { ENTRY = 32 };
    struct ownership ownership;
    uint8_t *bytes = NULL;
    size_t size = 0;
    fill(&ownership, 7);
    check_status(ownership_encode(&ownership, &bytes, &size), HAUL_OK);
    check_sealed_is_corrupt(bytes, size, 10, 1);            /* not zero */
    check_sealed_is_corrupt(bytes, size, 12, 1);            /* fewer entries than bytes */
    check_sealed_is_corrupt(bytes, size, 12, 3);            /* more */
    check_sealed_is_corrupt(bytes, size, 15, 0xff);         /* billions */
    check_sealed_is_corrupt(bytes, size, ENTRY + 16, 9);    /* unknown state */
    check_sealed_is_corrupt(bytes, size, ENTRY + 19, 9);    /* too many families */
    check_sealed_is_corrupt(bytes, size, ENTRY + 23, 0x80); /* start behind the end of file */
    check_sealed_is_corrupt(bytes, size, ENTRY + 28, 'z');  /* start behind end */
    free(bytes);
    ownership_fini(&ownership);
}

/* --- the file --------------------------------------------------------------------------------- */

static void test_ownership_read__no_file__version_0_and_nothing_listed(void)
{
    fake_disk_init(&disk, 1);
    check_equal(version_now(), 0);
    fake_disk_fini(&disk);
}

static void test_ownership_swap__expected_version__new_file_is_durable(void)
{
    for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
        fake_disk_init(&disk, seed);
        check_status(swap_to(0, 1), HAUL_OK);
        check_status(swap_to(1, 2), HAUL_OK);
        fake_disk_crash(&disk);
        check_equal(version_now(), 2);
        fake_disk_fini(&disk);
    }
}

static void test_ownership_swap__version_moved_on__fenced_and_unchanged(void)
{
    fake_disk_init(&disk, 1);
    check_status(swap_to(0, 5), HAUL_OK);
    check_status(swap_to(0, 6), HAUL_FENCED);
    check_status(swap_to(4, 6), HAUL_FENCED);
    check_equal(version_now(), 5);
    check_equal(fake_disk_open_count(&disk), 0);
    fake_disk_fini(&disk);
}

static void test_ownership_swap__epoch_moved_on__fenced(void)
{
    struct ownership next;
    fake_disk_init(&disk, 1);
    check_status(swap_to(0, 5), HAUL_OK);
    fill(&next, 6);
    next.epoch = 49;
    check_status(ownership_swap(&disk.calls, directory, 5, &next, &error), HAUL_FENCED);
    ownership_fini(&next);
    fake_disk_fini(&disk);
}

static void test_ownership_swap__version_does_not_grow__invalid(void)
{
    fake_disk_init(&disk, 1);
    check_status(swap_to(0, 5), HAUL_OK);
    check_status(swap_to(5, 5), HAUL_INVALID);
    fake_disk_fini(&disk);
}

static void test_ownership_swap__another_swap_is_running__busy(void)
{
    fake_disk_init(&disk, 1);
    check_status(swap_to(0, 1), HAUL_OK);
    int fd = fake_disk_open(&disk, "/db/haul/ownership.lock", O_CREAT, 0);
    check_equal(fake_disk_flock(&disk, fd, LOCK_EX), 0);
    check_status(swap_to(1, 2), HAUL_BUSY);
    (void)fake_disk_close(&disk, fd);
    check_status(swap_to(1, 2), HAUL_OK);
    fake_disk_fini(&disk);
}

static void test_ownership_swap__file_damaged__corrupt_and_kept(void)
{
    fake_disk_init(&disk, 1);
    check_status(swap_to(0, 1), HAUL_OK);
    fake_disk_find(&disk, "/db/haul/ownership")->bytes[20] ^= 1;
    check_status(swap_to(1, 2), HAUL_CORRUPT);
    check_equal(version_now(), UINT64_MAX);
    fake_disk_fini(&disk);
}

static void test_ownership_swap__disk_full__no_space_and_unchanged(void)
{
    fake_disk_init(&disk, 1);
    check_status(swap_to(0, 1), HAUL_OK);
    disk.space_bytes = 10;
    check_status(swap_to(1, 2), HAUL_NO_SPACE);
    check_equal(version_now(), 1);
    disk.space_bytes = SIZE_MAX / 2;
    check_status(swap_to(1, 2), HAUL_OK);
    check_equal(version_now(), 2);
    fake_disk_fini(&disk);
}

static void test_ownership_swap__nth_call_fails__old_version_or_in_doubt(void)
{
    bool reached = true;
    for (unsigned n = 1; reached && n < SWEEP_CALLS_MAX; n++) {
        fake_disk_init(&disk, n);
        check_status(swap_to(0, 1), HAUL_OK);
        fake_disk_fail(&disk, n, false);
        enum haul_status status = swap_to(1, 2);
        reached = disk.call_count >= n;
        fake_disk_fail(&disk, 0, false);
        check_equal(status != HAUL_OK, reached);
        check_equal(version_now(), status == HAUL_OK || status == HAUL_IN_DOUBT ? 2 : 1);
        check_equal(fake_disk_open_count(&disk), 0);
        fake_disk_fini(&disk);
    }
    check(!reached);
}

static void test_ownership_swap__power_lost_at_nth_call__old_or_new_whole(void)
{
    bool reached = true;
    unsigned olds = 0;
    for (unsigned n = 1; reached && n < SWEEP_CALLS_MAX; n++) {
        for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
            fake_disk_init(&disk, seed);
            check_status(swap_to(0, 1), HAUL_OK);
            fake_disk_fail(&disk, n, true);
            enum haul_status status = swap_to(1, 2);
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

static const struct check_test tests[] = {
    CHECK_TEST(test_ownership_find__range_touched__newest_entry),
    CHECK_TEST(test_ownership_find__range_not_touched__none),
    CHECK_TEST(test_ownership_drop__job__only_its_entries_go),
    CHECK_TEST(test_ownership_add__empty_family_name__invalid),
    CHECK_TEST(test_ownership_decode__encoded__encodes_to_the_same_bytes),
    CHECK_TEST(test_ownership_decode__any_bit_flipped_or_cut__refused),
    CHECK_TEST(test_ownership_decode__sound_checksum_over_nonsense__corrupt),
    CHECK_TEST(test_ownership_read__no_file__version_0_and_nothing_listed),
    CHECK_TEST(test_ownership_swap__expected_version__new_file_is_durable),
    CHECK_TEST(test_ownership_swap__version_moved_on__fenced_and_unchanged),
    CHECK_TEST(test_ownership_swap__epoch_moved_on__fenced),
    CHECK_TEST(test_ownership_swap__version_does_not_grow__invalid),
    CHECK_TEST(test_ownership_swap__another_swap_is_running__busy),
    CHECK_TEST(test_ownership_swap__file_damaged__corrupt_and_kept),
    CHECK_TEST(test_ownership_swap__disk_full__no_space_and_unchanged),
    CHECK_TEST(test_ownership_swap__nth_call_fails__old_version_or_in_doubt),
    CHECK_TEST(test_ownership_swap__power_lost_at_nth_call__old_or_new_whole),
};
CHECK_MAIN("ownership", tests)
