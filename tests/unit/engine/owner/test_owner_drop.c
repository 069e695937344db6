/* SPDX-License-Identifier: Apache-2.0 */
/* test_owner_drop.c — deleting handed-over ranges, and changes at the same time. */
#include "check.h"
#include "haul_folder.h"
#include "owner_change.h"
#include "owner_fixture.h"
#include "ownership_file.h"

static void test_owner_drop__handed_over__exactly_that(void)
{
    struct haul_owner_dropped dropped;
    start();
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_NOT_FOUND);
    move(VERSION_RELEASED, "b", "c");
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_OK);
    check_equal(dropped.ranges, 1);
    check_equal(rocks_fixture_count(&fixture, "default"), 2 * RECORD_COUNT);
    finish();
}

static enum haul_status no_families(struct haul_store *store, struct haul_family *families,
                                    size_t capacity, size_t *count, struct haul_error *failed)
{
    (void)store;
    (void)families;
    (void)capacity;
    (void)failed;
    *count = 0;
    return HAUL_OK;
}

static void test_owner_drop__the_family_is_gone__nothing_is_left(void)
{
    struct haul_owner_dropped dropped = {.ranges = 9};
    start();
    const struct haul_store_ops *real = fixture.store->ops;
    struct haul_store_ops without = *real;
    without.families = no_families;
    fixture.store->ops = &without;
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_NOT_FOUND);
    fixture.store->ops = real;
    move(VERSION_RELEASED, "b", "c");
    fixture.store->ops = &without;
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_OK);
    check_equal(dropped.ranges, 0);
    fixture.store->ops = real;
    check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
    finish();
}

static void test_owner_drop__not_confirmed__in_doubt_and_all_stays(void)
{
    struct haul_owner_dropped dropped;
    start();
    leave_decided();
    check_error(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_IN_DOUBT,
                error);
    check(strstr(error.hint, "run `haul resolve --db DIR --to ADDR:PORT` first") != NULL);
    check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
    finish();
}

/* What an operator does while `drop` works: take the second piece back when `drop` requests the
 * size of the `reclaim_at`-th piece, or clears it. */
static const struct haul_store_ops *real_ops;
static unsigned reclaim_at;
static enum haul_status reclaimed;

static void reclaim_second(void)
{
    const struct haul_range range = {.start = text_slice("c"), .end = text_slice("d")};
    const struct haul_owner_selection second = {.ranges = &range, .range_count = 1};
    char directory[1024];
    struct haul_error ignored;
    struct file_calls calls = file_calls_system;
    calls.pause = do_not_pause;
    check(haul_directory_of(fixture.store, directory, sizeof(directory)));
    if (reclaim_at > 0 && --reclaim_at == 0) {
        reclaimed = owner_reclaim(&calls, directory, &second, true, &ignored);
    }
}

static enum haul_status size_and_reclaim(struct haul_store *store, uint32_t family,
                                         struct haul_slice from, struct haul_slice to,
                                         uint64_t *bytes, struct haul_error *failed)
{
    reclaim_second();
    return real_ops->range_size(store, family, from, to, bytes, failed);
}

static enum haul_status clear_and_reclaim(struct haul_store *store, uint32_t family,
                                          struct haul_slice from, struct haul_slice to,
                                          const struct haul_steps *steps, struct haul_error *failed)
{
    reclaim_second();
    return real_ops->range_clear(store, family, from, to, steps, failed);
}

static enum haul_status drop_and_reclaim(bool while_it_clears, struct haul_owner_dropped *dropped)
{
    real_ops = fixture.store->ops;
    struct haul_store_ops ops = *real_ops;
    ops.range_size = while_it_clears ? ops.range_size : size_and_reclaim;
    ops.range_clear = while_it_clears ? clear_and_reclaim : ops.range_clear;
    reclaim_at = 2;
    fixture.store->ops = &ops;
    enum haul_status status = haul_owner_drop(fixture.store, &everything, dropped, &error);
    fixture.store->ops = real_ops;
    check_equal(reclaim_at, 0);
    return status;
}

static void test_owner_drop__taken_back_before_its_turn__busy_and_it_stays(void)
{
    struct haul_owner_dropped dropped;
    start();
    move(VERSION_RELEASED, "a", "b");
    move_as(other_job, VERSION_RELEASED, "c", "d");
    check_status(drop_and_reclaim(false, &dropped), HAUL_BUSY);
    check_status(reclaimed, HAUL_OK);
    check_equal(dropped.ranges, 1);
    check_equal(state_of("c", "d"), HAUL_OWNER_OWN);
    check_equal(rocks_fixture_count(&fixture, "default"), 2 * RECORD_COUNT);
    finish();
}

static void test_owner_drop__taken_back_while_it_goes__that_is_busy(void)
{
    struct haul_owner_dropped dropped;
    start();
    move(VERSION_RELEASED, "a", "b");
    move_as(other_job, VERSION_RELEASED, "c", "d");
    check_status(drop_and_reclaim(true, &dropped), HAUL_OK);
    check_status(reclaimed, HAUL_BUSY);
    check_equal(dropped.ranges, 2);
    check_equal(state_of("c", "d"), HAUL_OWNER_RELEASED);
    check_equal(rocks_fixture_count(&fixture, "default"), RECORD_COUNT);
    finish();
}

static void test_owner_drop__a_target_waits_for_its_plan__busy_and_all_stays(void)
{
    struct haul_owner_dropped dropped;
    struct journal *journal = NULL;
    bool existed = false;
    start();
    move(VERSION_RELEASED, "b", "c");
    check_status(
        job_journal_open(fixture.store, JOURNAL_TARGET, other_job, &journal, &existed, &error),
        HAUL_OK);
    check_error(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_BUSY, error);
    journal_close(journal);
    check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_OK);
    finish();
}

static void test_owner_drop__a_plan_cannot_be_read__all_stays(void)
{
    static const uint8_t rotten[] = {0xff, 0xff, 0xff};
    struct haul_owner_dropped dropped;
    struct journal *journal = NULL;
    bool existed = false;
    start();
    move(VERSION_RELEASED, "b", "c");
    check_status(
        job_journal_open(fixture.store, JOURNAL_TARGET, other_job, &journal, &existed, &error),
        HAUL_OK);
    check_status(job_journal_bind(journal, "the other", "host:1", &error), HAUL_OK);
    append(journal, &(struct journal_record){.type = JOURNAL_PLAN,
                                             .plan = slice_of(rotten, sizeof(rotten))});
    journal_close(journal);
    check_status(haul_owner_drop(fixture.store, &everything, &dropped, &error), HAUL_CORRUPT);
    check_equal(rocks_fixture_count(&fixture, "default"), 3 * RECORD_COUNT);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_owner_drop__handed_over__exactly_that),
    CHECK_TEST(test_owner_drop__the_family_is_gone__nothing_is_left),
    CHECK_TEST(test_owner_drop__not_confirmed__in_doubt_and_all_stays),
    CHECK_TEST(test_owner_drop__taken_back_before_its_turn__busy_and_it_stays),
    CHECK_TEST(test_owner_drop__taken_back_while_it_goes__that_is_busy),
    CHECK_TEST(test_owner_drop__a_target_waits_for_its_plan__busy_and_all_stays),
    CHECK_TEST(test_owner_drop__a_plan_cannot_be_read__all_stays),
};
CHECK_MAIN("owner_drop", tests)
