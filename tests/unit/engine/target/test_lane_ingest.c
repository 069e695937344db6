/* SPDX-License-Identifier: Apache-2.0 */
/* test_lane_ingest.c — table files of several streams, with a limit on how many are open. */
#include "apply_lane.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "rocks_fixture.h"

enum { LANE_COUNT = 3 };

static struct rocks_fixture fixture;
static struct memory_budget budget;
static struct apply_lane *lanes[LANE_COUNT];
static struct haul_error error;

static const struct apply_lane_ops *ops(void)
{
    return apply_lane_table(HAUL_LANE_INGEST);
}

static void open_lanes(uint64_t open_max, const char *folder)
{
    rocks_fixture_open(&fixture);
    memory_budget_init(&budget, open_max);
    for (int i = 0; i < LANE_COUNT; i++) {
        char stem[300];
        (void)snprintf(stem, sizeof(stem), "%s/%sstaged-%d", fixture.path, i == 0 ? folder : "", i);
        const struct apply_lane_options options = {
            .store = fixture.store, .staging_stem = stem, .tables = &budget};
        check_status(ops()->create(&options, &lanes[i], &error), HAUL_OK);
    }
}

static void close_lane(int lane)
{
    if (lanes[lane] != NULL) {
        ops()->destroy(lanes[lane]);
        lanes[lane] = NULL;
    }
}

static void close_lanes(void)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        close_lane(i);
    }
    check_equal(memory_budget_bytes(&budget), 0);
    rocks_fixture_close(&fixture);
}

static enum haul_status put(int lane, const char *key)
{
    return ops()->put(lanes[lane], text_slice(key), text_slice("v"), &error);
}

static void test_lane_ingest_put__more_lanes_than_may_be_open__limit(void)
{
    open_lanes(2, "");
    check_status(put(0, "a"), HAUL_OK);
    check_status(put(1, "b"), HAUL_OK);
    check_status(put(2, "c"), HAUL_LIMIT);
    check_status(put(0, "aa"), HAUL_OK); /* its file is open */
    close_lanes();
}

static void test_lane_ingest_flush__then_another__its_place_is_free(void)
{
    open_lanes(1, "");
    check_status(put(0, "a"), HAUL_OK);
    check_status(ops()->flush(lanes[0], &error), HAUL_OK);
    check_status(put(1, "b"), HAUL_OK);
    close_lane(1);
    check_status(put(2, "c"), HAUL_OK);
    close_lanes();
}

static void test_lane_ingest_put__file_cannot_be_made__no_place_taken(void)
{
    open_lanes(1, "nowhere/");
    check(put(0, "a") != HAUL_OK);
    check_status(put(1, "b"), HAUL_OK);
    close_lanes();
}

/* --- a store that fails ----------------------------------------------------------------------- */

enum { INGEST_TRIES = 8 };

static unsigned ingests;
static unsigned ingests_refused; /* with AGAIN, before it works */

static enum haul_status ingest_again(struct haul_store *store, uint32_t family_id,
                                     const char *const *paths, size_t count,
                                     struct haul_error *failed)
{
    (void)store, (void)family_id, (void)failed;
    check_equal(count, 1);
    check(access(paths[0], F_OK) == 0);
    return ingests++ < ingests_refused ? HAUL_AGAIN : HAUL_OK;
}

static enum haul_status fail_ingest(struct haul_store *store, uint32_t family_id,
                                    const char *const *paths, size_t count,
                                    struct haul_error *failed)
{
    (void)store, (void)family_id, (void)paths, (void)count;
    return haul_error_set(failed, HAUL_NO_SPACE, "ingest", 0, "no space");
}

static enum haul_status fail_finish(struct haul_table *table, struct haul_error *failed)
{
    fixture.store->ops->table_abandon(table);
    return haul_error_set(failed, HAUL_IO, "finish", 0, "the disk fails");
}

/* Is the first file of this lane in the staging folder? */
static bool is_staged(int lane)
{
    char path[320];
    (void)snprintf(path, sizeof(path), "%s/staged-%d-0.sst", fixture.path, lane);
    return access(path, F_OK) == 0;
}

static enum haul_status flush_with(const struct haul_store_ops *failing)
{
    const struct haul_store_ops *real = fixture.store->ops;
    check_status(put(0, "a"), HAUL_OK);
    check(is_staged(0));
    fixture.store->ops = failing;
    enum haul_status status = ops()->flush(lanes[0], &error);
    fixture.store->ops = real;
    return status;
}

/* A job may be given up after this: its files must not fill the disk for good. */
static void test_lane_ingest_flush__store_fails__no_file_is_left(void)
{
    open_lanes(1, "");
    struct haul_store_ops failing = *fixture.store->ops;
    failing.table_ingest = fail_ingest;
    check_error(flush_with(&failing), HAUL_NO_SPACE, error);
    check(!is_staged(0));
    close_lanes();
}

static void test_lane_ingest_flush__table_cannot_be_finished__no_file_is_left(void)
{
    open_lanes(1, "");
    struct haul_store_ops failing = *fixture.store->ops;
    failing.table_finish = fail_finish;
    check_error(flush_with(&failing), HAUL_IO, error);
    check(!is_staged(0));
    close_lanes();
}

static void test_lane_ingest_flush__store_wants_a_flush_first__tried_eight_times(void)
{
    for (unsigned refused = 0; refused <= INGEST_TRIES; refused++) {
        open_lanes(1, "");
        struct haul_store_ops failing = *fixture.store->ops;
        failing.table_ingest = ingest_again;
        ingests = 0;
        ingests_refused = refused;
        check_status(flush_with(&failing), refused < INGEST_TRIES ? HAUL_OK : HAUL_STORE);
        check_equal(ingests, refused < INGEST_TRIES ? refused + 1 : INGEST_TRIES);
        close_lanes();
    }
    check(strstr(error.text, "keeps requesting a flush") != NULL);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_lane_ingest_put__more_lanes_than_may_be_open__limit),
    CHECK_TEST(test_lane_ingest_flush__then_another__its_place_is_free),
    CHECK_TEST(test_lane_ingest_put__file_cannot_be_made__no_place_taken),
    CHECK_TEST(test_lane_ingest_flush__store_fails__no_file_is_left),
    CHECK_TEST(test_lane_ingest_flush__table_cannot_be_finished__no_file_is_left),
    CHECK_TEST(test_lane_ingest_flush__store_wants_a_flush_first__tried_eight_times),
};

CHECK_MAIN("lane_ingest", tests)
