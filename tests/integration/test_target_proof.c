/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_proof.c — what the target has verified when it sends Prepared, with a store that
 * loses what it was given. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "haul/migration.h"
#include "migration_wait.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"

enum { WAIT_MS = 60000, SLOT_BYTES = 64 << 10 };

struct world {
    struct rocks_fixture source;
    struct rocks_fixture target;
    struct haul_source_options source_options;
    struct haul_target_options target_options;
    struct haul_result source_result;
    struct haul_result target_result;
    const struct haul_store_ops *rocks; /* of the target, unchanged */
    struct haul_store_ops ops;          /* of the target, as the test wants them */
    atomic_uint_fast64_t syncs;
    atomic_uint_fast64_t writes;
    atomic_uint_fast64_t ingests;
};

static struct world world;

static enum haul_status count_sync(struct haul_store *store, struct haul_error *error)
{
    (void)atomic_fetch_add(&world.syncs, 1);
    return world.rocks->sync(store, error);
}

static enum haul_status count_write(struct haul_store *store, struct haul_slice batch,
                                    unsigned flags, struct haul_error *error)
{
    (void)atomic_fetch_add(&world.writes, 1);
    return world.rocks->write(store, batch, flags, error);
}

static void open_world(enum haul_lane lane)
{
    memset(&world, 0, sizeof(world));
    rocks_fixture_open(&world.source);
    rocks_fixture_open(&world.target);
    world.rocks = world.target.store->ops;
    world.ops = *world.rocks;
    world.ops.sync = count_sync;
    world.ops.write = count_write;
    world.target.store->ops = &world.ops;
    struct haul_link_options link = {.slot_size_bytes = SLOT_BYTES, .peer_timeout_ms = 10000};
    world.source_options = (struct haul_source_options){
        .store = world.source.store,
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = link,
        .batch_size_bytes_min = 16 << 10,
        .batch_size_bytes_max = 32 << 10,
        .freeze_max_ms = WAIT_MS, /* one freeze, however busy the machine is */
    };
    world.target_options = (struct haul_target_options){
        .store = world.target.store,
        .listen = "127.0.0.1:0",
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = link,
        .once = true,
        .lane = lane,
        .table_size_bytes = 1 << 20,
    };
}

static void close_world(void)
{
    rocks_fixture_close(&world.source);
    rocks_fixture_close(&world.target);
}

/* Run one migration; returns the source's status. */
static enum haul_status migrate(void)
{
    struct haul_migration *target = NULL;
    struct haul_migration *source = NULL;
    struct haul_error error = {0};
    check_or_stop(haul_target_start(&world.target_options, &target, &error) == HAUL_OK);
    world.source_options.to = haul_migration_address(target);
    enum haul_status status = haul_source_start(&world.source_options, &source, &error);
    check_or_stop(status == HAUL_OK);
    status = migration_wait(source, WAIT_MS, &world.source_result);
    haul_migration_destroy(source);
    if (status != HAUL_OK) {
        haul_migration_cancel(target);
    }
    (void)migration_wait(target, WAIT_MS, &world.target_result);
    haul_migration_destroy(target);
    return status;
}

/* --- durable ---------------------------------------------------------------------------------- */

/* The range counts as empty while its last deletions are in memory: they must be durable before the
 * tables that took their place are handed over. */
static void test_prepared__ingested_tables_only__log_was_synced(void)
{
    open_world(HAUL_LANE_INGEST);
    rocks_fixture_fill(&world.source, 0, "key", 8000, 1000);
    check_status(migrate(), HAUL_OK);
    check_equal(world.source_result.lane, HAUL_LANE_INGEST);
    check_equal(atomic_load(&world.writes), 0);
    /* For the instance at the start, at the plan, before Prepared, and for the instance again. */
    check_equal(atomic_load(&world.syncs), 4);
    close_world();
}

static void test_prepared__write_batches__log_was_synced(void)
{
    open_world(HAUL_LANE_WRITE_BATCH);
    rocks_fixture_fill(&world.source, 0, "key", 100, 100);
    check_status(migrate(), HAUL_OK);
    check(atomic_load(&world.writes) > 0);
    check(atomic_load(&world.syncs) > 0);
    close_world();
}

/* --- readable --------------------------------------------------------------------------------- */

/* Accepts tables, and then loses what it has. */
static enum haul_status ingest_and_lose(struct haul_store *store, uint32_t family_id,
                                        const char *const *paths, size_t path_count,
                                        struct haul_error *error)
{
    enum haul_status status = world.rocks->table_ingest(store, family_id, paths, path_count, error);
    if (atomic_fetch_add(&world.ingests, 1) == 2) {
        rocks_foreign_delete_files(store);
    }
    return status;
}

static void test_prepared__tables_were_lost_meanwhile__refused_by_a_scan(void)
{
    open_world(HAUL_LANE_INGEST);
    world.ops.table_ingest = ingest_and_lose;
    rocks_fixture_fill(&world.source, 0, "key", 8000, 1000);
    check_status(migrate(), HAUL_CORRUPT);
    check(atomic_load(&world.ingests) > 3);
    check(!world.source_result.verified);
    close_world();
}

/* A compaction is no loss. */
static enum haul_status ingest_and_compact(struct haul_store *store, uint32_t family_id,
                                           const char *const *paths, size_t path_count,
                                           struct haul_error *error)
{
    enum haul_status status = world.rocks->table_ingest(store, family_id, paths, path_count, error);
    rocks_foreign_compact(store);
    return status;
}

static void test_prepared__tables_were_compacted_meanwhile__committed(void)
{
    open_world(HAUL_LANE_INGEST);
    world.ops.table_ingest = ingest_and_compact;
    rocks_fixture_fill(&world.source, 0, "key", 4000, 1000);
    check_status(migrate(), HAUL_OK);
    check_equal(rocks_fixture_count(&world.target, "default"), 4000);
    close_world();
}

/* --- read back -------------------------------------------------------------------------------- */

static enum haul_status keep_others_off(void *context, const struct haul_reservation *wanted,
                                        struct haul_error *error)
{
    (void)context;
    (void)wanted;
    (void)error;
    return HAUL_OK;
}

/* One record disappears after everything was counted. */
static enum haul_status sync_and_lose(struct haul_store *store, struct haul_error *error)
{
    rocks_fixture_delete(&world.target, 0, text_slice("key00000007"));
    return world.rocks->sync(store, error);
}

static void open_forgetful(enum haul_lane lane)
{
    open_world(lane);
    world.ops.sync = sync_and_lose;
    world.target_options.hooks.reserve = keep_others_off;
    rocks_fixture_fill(&world.source, 0, "key", 500, 100);
    check_equal(rocks_fixture_count(&world.source, "default"), 500);
    rocks_fixture_put(&world.source, 0, text_slice("key00000007"), text_slice("is there"));
}

static void test_read_back__not_asked_for__the_embedder_is_believed(void)
{
    open_forgetful(HAUL_LANE_WRITE_BATCH);
    check_status(migrate(), HAUL_OK);
    close_world();
}

static void test_read_back__record_lost_on_the_target__refused(void)
{
    static const enum haul_lane lanes[] = {HAUL_LANE_WRITE_BATCH, HAUL_LANE_INGEST};
    for (size_t i = 0; i < CHECK_COUNT(lanes); i++) {
        open_forgetful(lanes[i]);
        world.source_options.read_back = true;
        check_status(migrate(), HAUL_CORRUPT);
        check(!world.source_result.verified);
        close_world();
    }
}

static void test_read_back__asked_for_by_the_target_alone__refused(void)
{
    open_forgetful(HAUL_LANE_WRITE_BATCH);
    world.target_options.read_back = true;
    check_status(migrate(), HAUL_CORRUPT);
    close_world();
}

static void test_read_back__everything_is_there__committed(void)
{
    open_world(HAUL_LANE_INGEST);
    rocks_fixture_fill(&world.source, 0, "key", 4000, 1000);
    world.source_options.read_back = true;
    check_status(migrate(), HAUL_OK);
    check(world.source_result.verified);
    close_world();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_prepared__ingested_tables_only__log_was_synced),
    CHECK_TEST(test_prepared__write_batches__log_was_synced),
    CHECK_TEST(test_prepared__tables_were_lost_meanwhile__refused_by_a_scan),
    CHECK_TEST(test_prepared__tables_were_compacted_meanwhile__committed),
    CHECK_TEST(test_read_back__not_asked_for__the_embedder_is_believed),
    CHECK_TEST(test_read_back__record_lost_on_the_target__refused),
    CHECK_TEST(test_read_back__asked_for_by_the_target_alone__refused),
    CHECK_TEST(test_read_back__everything_is_there__committed),
};

CHECK_MAIN("target_proof", tests)
