/* SPDX-License-Identifier: Apache-2.0 */
/* test_migration.c — whole migrations between two real databases in one process, over TCP. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "haul/migration.h"
#include "migration_wait.h"
#include "ownership_file.h"
#include "rocks_fixture.h"

enum { WAIT_MS = 60000, SLOT_BYTES = 64 << 10 };

struct world {
    struct rocks_fixture source;
    struct rocks_fixture target;
    struct haul_source_options source_options;
    struct haul_target_options target_options;
    struct haul_result source_result;
    struct haul_result target_result;
};

static struct world world;

static void open_world(void)
{
    memset(&world, 0, sizeof(world));
    rocks_fixture_open(&world.source);
    rocks_fixture_open(&world.target);
    struct haul_link_options link = {.slot_size_bytes = SLOT_BYTES, .peer_timeout_ms = 10000};
    world.source_options = (struct haul_source_options){
        .store = world.source.store,
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = link,
        .batch_size_bytes_min = 16 << 10,
        .batch_size_bytes_max = 32 << 10,
    };
    world.target_options = (struct haul_target_options){
        .size_bytes = sizeof(world.target_options),
        .store = world.target.store,
        .listen = "127.0.0.1:0",
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = link,
        .once = true,
    };
}

static void close_world(void)
{
    rocks_fixture_close(&world.source);
    rocks_fixture_close(&world.target);
}

/* Run one migration; returns the source's status. The target is cancelled if the source was
 * refused. */
static enum haul_status migrate(void)
{
    struct haul_migration *target = NULL;
    struct haul_migration *source = NULL;
    struct haul_error error = {0};
    check_status(haul_target_start(&world.target_options, &target, &error), HAUL_OK);
    if (target == NULL) {
        return HAUL_INTERNAL;
    }
    world.source_options.to = haul_migration_address(target);
    enum haul_status status = haul_source_start(&world.source_options, &source, &error);
    if (status == HAUL_OK) {
        status = migration_wait(source, WAIT_MS, &world.source_result);
        haul_migration_destroy(source);
    } else {
        world.source_result.error = error;
    }
    if (status != HAUL_OK) {
        haul_migration_cancel(target);
    }
    (void)migration_wait(target, WAIT_MS, &world.target_result);
    haul_migration_destroy(target);
    return status;
}

static void check_moved(void)
{
    check_status(migrate(), HAUL_OK);
    check_status(world.target_result.status, HAUL_OK);
    check(world.source_result.verified);
    check_equal(rocks_fixture_differences(&world.source, &world.target, NULL, 0), 0);
}

static void run_lanes(void (*body)(enum haul_lane lane))
{
    static const enum haul_lane lanes[] = {HAUL_LANE_WRITE_BATCH, HAUL_LANE_INGEST};
    for (size_t i = 0; i < 2; i++) {
        open_world();
        world.target_options.lane = lanes[i];
        body(lanes[i]);
        close_world();
    }
}

/* --- what can be moved ------------------------------------------------------------------------ */

static void test_migration__empty_database__commits(void)
{
    open_world();
    check_moved();
    check_equal(world.source_result.families[0].records, 0);
    close_world();
}

static void move_many(enum haul_lane lane)
{
    rocks_fixture_fill(&world.source, 0, "key", 20000, 1000);
    check_moved();
    check_equal(world.source_result.families[0].records, 20000);
    check_equal(world.source_result.lane, lane);
    check_text(world.source_result.families[0].digest, world.target_result.families[0].digest);
}

static void test_migration__many_records__equal_in_both_lanes(void)
{
    run_lanes(move_many);
}

static void move_odd_records(enum haul_lane lane)
{
    (void)lane;
    static const uint8_t binary[] = {0x00, 0xff, 0x00, 0x01, 0x80};
    rocks_fixture_put(&world.source, 0, slice_of("", 0), text_slice("value of the empty key"));
    rocks_fixture_put(&world.source, 0, text_slice("empty value"), slice_of("", 0));
    rocks_fixture_put(&world.source, 0, slice_of(binary, sizeof(binary)),
                      slice_of(binary, sizeof(binary)));
    check_moved();
    check_equal(world.source_result.families[0].records, 3);
}

static void test_migration__empty_and_binary_keys_and_values__equal(void)
{
    run_lanes(move_odd_records);
}

static void move_large_values(enum haul_lane lane)
{
    (void)lane;
    size_t sizes[] = {SLOT_BYTES - 200, SLOT_BYTES - 64, SLOT_BYTES, 3 * SLOT_BYTES, 5 << 20};
    uint8_t *value = malloc(5 << 20);
    memset(value, 'v', 5 << 20);
    for (size_t i = 0; i < 5; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "large%zu", i);
        rocks_fixture_put(&world.source, 0, text_slice(key), slice_of(value, sizes[i]));
        (void)snprintf(key, sizeof(key), "small%zu", i);
        rocks_fixture_put(&world.source, 0, text_slice(key), text_slice("x"));
    }
    free(value);
    check_moved();
}

static void test_migration__values_larger_than_a_slot__equal(void)
{
    run_lanes(move_large_values);
}

static void test_migration__overwritten_and_deleted_records__only_the_last_state(void)
{
    open_world();
    rocks_fixture_fill(&world.source, 0, "key", 1000, 100);
    rocks_fixture_fill(&world.source, 0, "key", 500, 50);
    rocks_fixture_delete(&world.source, 0, text_slice("key00000007"));
    check_moved();
    check_equal(rocks_fixture_count(&world.target, "default"), 999);
    close_world();
}

static void move_families(enum haul_lane lane)
{
    (void)lane;
    static const char *const metadata[] = {"meta"};
    /* The target numbers its families differently. */
    (void)rocks_fixture_family(&world.target, "other");
    uint32_t data = rocks_fixture_family(&world.source, "data");
    uint32_t meta = rocks_fixture_family(&world.source, "meta");
    rocks_fixture_fill(&world.source, 0, "a", 100, 100);
    rocks_fixture_fill(&world.source, data, "b", 5000, 1000);
    rocks_fixture_fill(&world.source, meta, "c", 300, 10);
    world.source_options.metadata_families = metadata;
    world.source_options.metadata_family_count = 1;
    world.source_options.reader_count = 3;
    world.source_options.link_count = 2;
    check_moved();
    check_equal(rocks_fixture_count(&world.target, "data"), 5000);
    check_equal(rocks_fixture_count(&world.target, "meta"), 300);
}

static void test_migration__several_families_missing_on_target__created_and_equal(void)
{
    run_lanes(move_families);
}

static void test_migration__ranges_given__moves_only_these(void)
{
    open_world();
    rocks_fixture_fill(&world.source, 0, "key", 1000, 10);
    rocks_fixture_fill(&world.target, 0, "other", 10, 10);
    struct haul_range ranges[] = {
        {text_slice("key00000500"), text_slice("key00000600")},
        {text_slice("key00000100"), text_slice("key00000150")},
    };
    world.source_options.ranges = ranges;
    world.source_options.range_count = 2;
    check_status(migrate(), HAUL_OK);
    check_equal(rocks_fixture_count(&world.target, "default"), 160);
    check_equal(rocks_fixture_differences(&world.source, &world.target, ranges, 2), 0);
    close_world();
}

/* --- what is refused -------------------------------------------------------------------------- */

static void test_migration__target_range_not_empty__refused_and_untouched(void)
{
    open_world();
    rocks_fixture_fill(&world.source, 0, "key", 10, 10);
    rocks_fixture_fill(&world.target, 0, "key", 3, 20);
    check_status(migrate(), HAUL_NOT_EMPTY);
    check_equal(rocks_fixture_count(&world.target, "default"), 3);
    close_world();
}

static void overwrite(enum haul_lane lane)
{
    (void)lane;
    rocks_fixture_fill(&world.source, 0, "key", 10000, 1000);
    rocks_fixture_fill(&world.target, 0, "kez", 300, 20);
    world.source_options.overwrite = true;
    world.target_options.allow_overwrite = true;
    check_moved();
}

static void test_migration__overwrite__replaces_what_was_there(void)
{
    run_lanes(overwrite);
}

static void test_migration__unknown_family__not_found(void)
{
    static const char *const names[] = {"nothing"};
    open_world();
    world.source_options.families = names;
    world.source_options.family_count = 1;
    check_status(migrate(), HAUL_NOT_FOUND);
    close_world();
}

static void test_migration__overlapping_ranges__invalid(void)
{
    open_world();
    struct haul_range ranges[] = {{text_slice("a"), text_slice("m")},
                                  {text_slice("l"), text_slice("z")}};
    world.source_options.ranges = ranges;
    world.source_options.range_count = 2;
    check_status(migrate(), HAUL_INVALID);
    close_world();
}

/* Impossible batches and rings are refused, and do not end a process later. */
static void test_migration__sizes_out_of_bounds__invalid(void)
{
    struct haul_migration *target = NULL;
    open_world();
    world.source_options.batch_size_bytes_min = HAUL_BATCH_SIZE_BYTES_MIN - 1;
    check_status(migrate(), HAUL_INVALID);
    world.source_options.batch_size_bytes_min = HAUL_BATCH_SIZE_BYTES_MIN;
    check_status(migrate(), HAUL_OK);
    world.source_options.link.slot_count = HAUL_SLOT_COUNT_MAX + 1;
    check_status(migrate(), HAUL_INVALID);
    world.target_options.link.slot_count = HAUL_SLOT_COUNT_MAX + 1;
    check_status(haul_target_start(&world.target_options, &target, NULL), HAUL_INVALID);
    world.target_options.link.slot_count = 0;
    world.target_options.link.slot_size_bytes = SLOT_BYTES + 1;
    check_status(haul_target_start(&world.target_options, &target, NULL), HAUL_INVALID);
    close_world();
}

static void test_migration__config_versions_differ__refused(void)
{
    open_world();
    world.source_options.keep_versions = true;
    world.source_options.config_version = 5;
    world.target_options.keep_versions = true;
    world.target_options.config_version = 4;
    check_status(migrate(), HAUL_VERSION);
    world.target_options.config_version = 6;
    check_status(migrate(), HAUL_VERSION);
    close_world();
}

static void test_migration__nobody_listens__refused(void)
{
    open_world();
    struct haul_migration *source = NULL;
    struct haul_error error = {0};
    world.source_options.to = "127.0.0.1:1";
    check_status(haul_source_start(&world.source_options, &source, &error), HAUL_OK);
    check_status(migration_wait(source, WAIT_MS, &world.source_result), HAUL_REFUSED);
    haul_migration_destroy(source);
    close_world();
}

/* Both ends, with a slow source in the middle of its copy. */
static void start_copy(struct haul_migration **source, struct haul_migration **target)
{
    struct haul_error error = {0};
    rocks_fixture_fill(&world.source, 0, "key", 20000, 1000);
    world.source_options.rate_bytes_per_second = 1 << 20;
    check_or_stop(haul_target_start(&world.target_options, target, &error) == HAUL_OK);
    world.source_options.to = haul_migration_address(*target);
    check_or_stop(haul_source_start(&world.source_options, source, &error) == HAUL_OK);
    struct haul_progress progress = {0};
    while (progress.phase < HAUL_PHASE_COPYING) {
        (void)poll(NULL, 0, 1);
        haul_migration_progress(*source, &progress);
    }
}

static void test_haul_migration_cancel__while_it_runs__target_cleared(void)
{
    struct haul_migration *target = NULL;
    struct haul_migration *source = NULL;
    open_world();
    start_copy(&source, &target);
    haul_migration_cancel(source);
    check_status(migration_wait(source, WAIT_MS, &world.source_result), HAUL_CANCELLED);
    check_status(migration_wait(target, WAIT_MS, &world.target_result), HAUL_CANCELLED);
    haul_migration_destroy(source);
    haul_migration_destroy(target);
    check_equal(rocks_fixture_count(&world.target, "default"), 0);
    check_equal(rocks_fixture_count(&world.source, "default"), 20000);
    close_world();
}

static void test_haul_migration_destroy__while_it_runs__kept_and_the_next_goes_on(void)
{
    struct haul_migration *target = NULL;
    struct haul_migration *source = NULL;
    struct haul_error error = {0};
    open_world();
    start_copy(&source, &target);
    haul_migration_destroy(source);
    check_equal(rocks_fixture_count(&world.source, "default"), 20000);
    world.source_options.rate_bytes_per_second = 0;
    check_or_stop(haul_source_start(&world.source_options, &source, &error) == HAUL_OK);
    check_status(migration_wait(source, WAIT_MS, &world.source_result), HAUL_OK);
    check(world.source_result.resumed);
    check_status(migration_wait(target, WAIT_MS, &world.target_result), HAUL_OK);
    haul_migration_destroy(source);
    haul_migration_destroy(target);
    check_equal(rocks_fixture_count(&world.target, "default"), 20000);
    close_world();
}

/* --- live ------------------------------------------------------------------------------------- */

struct writer {
    pthread_t thread;
    pthread_mutex_t lock; /* held for each write */
    pthread_cond_t changed;
    bool frozen; /* called under the lock */
    atomic_bool stop;
    uint64_t written;
};

static struct writer writer;

/* Overwrites, deletes and adds until it must stop; at most 20,000 times a second, because a
 * sanitizer slows the migration to a tenth, and this thread, which only calls RocksDB, not at
 * all. */
static void *write_on(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; !atomic_load(&writer.stop); i++) {
        char key[32];
        char value[32];
        (void)snprintf(key, sizeof(key), "key%08u", i * 7919 % 40000);
        (void)snprintf(value, sizeof(value), "live%u", i);
        (void)pthread_mutex_lock(&writer.lock);
        while (writer.frozen && !atomic_load(&writer.stop)) {
            (void)pthread_cond_wait(&writer.changed, &writer.lock);
        }
        if (!atomic_load(&writer.stop)) {
            if (i % 5 == 0) {
                rocks_fixture_delete(&world.source, 0, text_slice(key));
            } else {
                rocks_fixture_put(&world.source, 0, text_slice(key), text_slice(value));
            }
            writer.written++;
        }
        (void)pthread_mutex_unlock(&writer.lock);
        if (i % 20 == 0) {
            (void)poll(NULL, 0, 1);
        }
    }
    return NULL;
}

static void set_frozen(bool frozen)
{
    (void)pthread_mutex_lock(&writer.lock);
    writer.frozen = frozen;
    (void)pthread_cond_broadcast(&writer.changed);
    (void)pthread_mutex_unlock(&writer.lock);
}

static enum haul_status freeze(void *context, uint32_t deadline_ms, struct haul_error *error)
{
    (void)context;
    (void)deadline_ms;
    (void)error;
    set_frozen(true);
    return HAUL_OK;
}

static void unfreeze(void *context)
{
    (void)context;
    set_frozen(false);
}

/* The target owns the range now: no more writes here. */
static void release(void *context, uint64_t new_version)
{
    (void)context;
    (void)new_version;
    atomic_store(&writer.stop, true);
    set_frozen(false);
}

static void move_live(enum haul_lane lane)
{
    (void)lane;
    rocks_fixture_fill(&world.source, 0, "key", 30000, 1000);
    world.source_options.hooks =
        (struct haul_hooks){.freeze = freeze, .unfreeze = unfreeze, .release = release};
    world.source_options.lag_bytes_max = 256 << 10;
    atomic_store(&writer.stop, false);
    writer.written = 0;
    (void)pthread_mutex_init(&writer.lock, NULL);
    (void)pthread_cond_init(&writer.changed, NULL);
    writer.frozen = false;
    (void)pthread_create(&writer.thread, NULL, write_on, NULL);
    enum haul_status status = migrate();
    atomic_store(&writer.stop, true);
    set_frozen(false);
    (void)pthread_join(writer.thread, NULL);
    check_status(status, HAUL_OK);
    check(writer.written > 0);
    check(world.source_result.write_pause_ms > 0);
    check_equal(rocks_fixture_differences(&world.source, &world.target, NULL, 0), 0);
    (void)pthread_cond_destroy(&writer.changed);
    (void)pthread_mutex_destroy(&writer.lock);
}

static void test_migration__writes_go_on_during_the_copy__nothing_lost(void)
{
    run_lanes(move_live);
}

/* --- other writers on the target -------------------------------------------------------------- */

static enum haul_status write_to_target(void *context, uint32_t deadline_ms,
                                        struct haul_error *error)
{
    (void)deadline_ms;
    (void)error;
    rocks_fixture_put(&world.target, 0, text_slice(context), text_slice("foreign"));
    return HAUL_OK;
}

/* The foreign write comes when everything was copied and nothing is scanned any more. */
static enum haul_status migrate_with_foreign_write(const char *key)
{
    rocks_fixture_fill(&world.source, 0, "key", 1000, 100);
    world.source_options.hooks =
        (struct haul_hooks){.context = (void *)(uintptr_t)key, .freeze = write_to_target};
    return migrate();
}

static void write_inside(enum haul_lane lane)
{
    (void)lane;
    check_status(migrate_with_foreign_write("key00000500"), HAUL_CORRUPT);
    check_equal(rocks_fixture_count(&world.source, "default"), 1000);
    check_equal(rocks_fixture_count(&world.target, "default"), 0);
}

static void test_migration__foreign_write_into_the_range__digest_differs(void)
{
    run_lanes(write_inside);
}

static void write_outside(enum haul_lane lane)
{
    struct haul_range range = {text_slice("key"), text_slice("kez")};
    (void)lane;
    world.source_options.ranges = &range;
    world.source_options.range_count = 1;
    check_status(migrate_with_foreign_write("other"), HAUL_OK);
    check_equal(rocks_fixture_count(&world.target, "default"), 1001);
}

static void test_migration__foreign_write_beside_the_range__commits(void)
{
    run_lanes(write_outside);
}

struct guard {
    unsigned reserved;
    unsigned unreserved;
    unsigned owned;
    char start[16];
    uint8_t job[HAUL_JOB_BYTES]; /* which job reserved it */
};

static enum haul_status reserve(void *context, const struct haul_reservation *wanted,
                                struct haul_error *error)
{
    struct guard *guard = context;
    (void)error;
    guard->reserved++;
    memcpy(guard->job, wanted->job, sizeof(guard->job));
    check_equal(wanted->range_count, 1);
    check_equal(wanted->family_count, 1);
    check_text(wanted->families[0], "default");
    (void)snprintf(guard->start, sizeof(guard->start), "%.*s", (int)wanted->ranges[0].start.size,
                   (const char *)wanted->ranges[0].start.data);
    return HAUL_OK;
}

static void unreserve(void *context, const uint8_t job[HAUL_JOB_BYTES])
{
    struct guard *guard = context;
    guard->unreserved++;
    check(memcmp(guard->job, job, sizeof(guard->job)) == 0);
}

static enum haul_status own(void *context, uint64_t new_version, struct haul_error *error)
{
    (void)new_version;
    (void)error;
    ((struct guard *)context)->owned++;
    return HAUL_OK;
}

static enum haul_status migrate_guarded(struct guard *guard)
{
    struct haul_range range = {text_slice("key"), text_slice("kez")};
    world.source_options.ranges = &range;
    world.source_options.range_count = 1;
    world.target_options.hooks = (struct haul_hooks){
        .context = guard, .reserve = reserve, .unreserve = unreserve, .own = own};
    rocks_fixture_fill(&world.source, 0, "key", 1000, 100);
    return migrate();
}

static void test_migration__committed__reserved_then_owned(void)
{
    struct guard guard = {0};
    open_world();
    check_status(migrate_guarded(&guard), HAUL_OK);
    check_equal(guard.reserved, 1);
    check_equal(guard.unreserved, 0);
    check_equal(guard.owned, 1);
    check_text(guard.start, "key");
    check(memcmp(guard.job, world.source_result.job, sizeof(guard.job)) == 0);
    close_world();
}

static enum haul_status refuse_freeze(void *context, uint32_t deadline_ms, struct haul_error *error)
{
    (void)context;
    (void)deadline_ms;
    return haul_error_set(error, HAUL_TIMEOUT, NULL, 0, "writers do not stop");
}

/* The source keeps what has arrived; migrate() then cancels the target, which discards it, whether
 * its job is over or still ending (it waits for appliers). */
static void test_migration__never_frozen_then_cancelled__unreserved_and_cleared(void)
{
    for (int round = 0; round < 8; round++) {
        struct guard guard = {0};
        open_world();
        world.source_options.hooks.freeze = refuse_freeze;
        check_status(migrate_guarded(&guard), HAUL_TIMEOUT);
        check_equal(guard.reserved, 1);
        check_equal(guard.unreserved, 1);
        check_equal(guard.owned, 0);
        check_equal(rocks_fixture_count(&world.source, "default"), 1000);
        check_equal(rocks_fixture_count(&world.target, "default"), 0);
        close_world();
    }
}

static enum haul_status freeze_too_long(void *context, uint32_t deadline_ms,
                                        struct haul_error *error)
{
    (void)context;
    (void)deadline_ms;
    (void)poll(NULL, 0, 4000);
    return haul_error_set(error, HAUL_TIMEOUT, NULL, 0, "too late");
}

static void count_late_hook(void *context, enum haul_log_level level, const char *line)
{
    (void)level;
    *(unsigned *)context += strstr(line, "waits only for the freeze hook") != NULL;
}

static void test_migration__freeze_hook_returns_late__log_tells_what_is_waited_for(void)
{
    unsigned lines = 0;
    struct haul_log log = {
        .write = count_late_hook, .context = &lines, .level_max = HAUL_LOG_WARNING};
    open_world();
    world.source_options.log = &log;
    world.source_options.link.peer_timeout_ms = 1000;
    world.source_options.hooks.freeze = freeze_too_long;
    check_status(migrate(), HAUL_TIMEOUT);
    check_equal(lines, 1);
    close_world();
}

/* --- config version --------------------------------------------------------------------------- */

/* An ownership_change: another job takes over what the context names. */
static enum haul_status release_all(void *context, struct ownership *ownership,
                                    struct haul_error *error)
{
    struct key_range all = {.start = NULL};
    (void)error;
    check_status(key_range_init(&all, slice_of(NULL, 0), slice_of(NULL, 0)), HAUL_OK);
    const struct ownership_move move = {.family = "default",
                                        .ranges = &all,
                                        .range_count = *(const size_t *)context,
                                        .mark = {.state = OWNERSHIP_RELEASED}};
    ownership->config_version += 10;
    enum haul_status status = ownership_put(ownership, &move);
    key_range_fini(&all);
    return status;
}

/* With the ranges of the job; none: another job of the database was decided meanwhile. */
static size_t released_count;

static enum haul_status move_version_on(void *context, uint32_t deadline_ms,
                                        struct haul_error *error)
{
    (void)deadline_ms;
    char directory[512];
    (void)snprintf(directory, sizeof(directory), "%s/haul", world.source.path);
    enum haul_status status =
        ownership_update(NULL, directory, release_all, &released_count, error);
    ((struct guard *)context)->reserved++;
    return status;
}

static void count_unfreeze(void *context)
{
    ((struct guard *)context)->unreserved++;
}

static void test_migration__version_moved_before_the_decision__committed(void)
{
    struct guard guard = {0};
    open_world();
    released_count = 0;
    rocks_fixture_fill(&world.source, 0, "key", 1000, 100);
    world.source_options.hooks = (struct haul_hooks){
        .context = &guard, .freeze = move_version_on, .unfreeze = count_unfreeze};
    check_status(migrate(), HAUL_OK);
    check_equal(guard.unreserved, 0);
    check_equal(rocks_fixture_count(&world.target, "default"), 1000);
    close_world();
}

static void test_migration__range_moved_before_the_decision__fenced_and_unfrozen(void)
{
    struct guard guard = {0};
    open_world();
    released_count = 1;
    rocks_fixture_fill(&world.source, 0, "key", 1000, 100);
    world.source_options.hooks = (struct haul_hooks){
        .context = &guard, .freeze = move_version_on, .unfreeze = count_unfreeze};
    check_status(migrate(), HAUL_FENCED);
    check_equal(guard.reserved, 1);
    check_equal(guard.unreserved, 1);
    check_equal(rocks_fixture_count(&world.target, "default"), 0);
    check_equal(rocks_fixture_count(&world.source, "default"), 1000);
    close_world();
}

static void test_migration__fenced_at_the_decision__unreserved_and_cleared(void)
{
    struct guard guard = {0};
    struct guard source_guard = {0};
    open_world();
    released_count = 1;
    world.source_options.hooks =
        (struct haul_hooks){.context = &source_guard, .freeze = move_version_on};
    check_status(migrate_guarded(&guard), HAUL_FENCED);
    check_equal(guard.reserved, 1);
    check_equal(guard.unreserved, 1);
    check_equal(guard.owned, 0);
    check_equal(rocks_fixture_count(&world.target, "default"), 0);
    close_world();
}

/* --- order ------------------------------------------------------------------------------------ */

/* Records what the target does to its store: the family of each ingested table. */
static struct {
    struct haul_store_ops ops;
    const struct haul_store_ops *real;
    uint32_t families[64];
    size_t count;
} spy;

static enum haul_status spy_ingest(struct haul_store *store, uint32_t family_id,
                                   const char *const *paths, size_t path_count,
                                   struct haul_error *error)
{
    if (spy.count < 64) {
        spy.families[spy.count++] = family_id;
    }
    return spy.real->table_ingest(store, family_id, paths, path_count, error);
}

static void test_migration__metadata_family_named__is_there_before_the_rest(void)
{
    static const char *const metadata[] = {"metadata"};
    open_world();
    rocks_fixture_fill(&world.source, 0, "key", 20000, 1000);
    uint32_t family = rocks_fixture_family(&world.source, "metadata");
    rocks_fixture_fill(&world.source, family, "key", 10000, 1000);
    world.source_options.metadata_families = metadata;
    world.source_options.metadata_family_count = 1;
    world.source_options.reader_count = 2;
    world.target_options.applier_count = 2;
    world.target_options.lane = HAUL_LANE_INGEST;
    world.target_options.table_size_bytes = 2 << 20;
    spy.real = world.target.store->ops;
    spy.ops = *spy.real;
    spy.ops.table_ingest = spy_ingest;
    spy.count = 0;
    world.target.store->ops = &spy.ops;
    check_moved();
    world.target.store->ops = spy.real;
    size_t first_other = 0;
    while (first_other < spy.count && spy.families[first_other] != 0) {
        first_other++;
    }
    check(first_other >= 4 && spy.count >= 12);
    for (size_t i = first_other; i < spy.count; i++) {
        check_equal(spy.families[i], 0);
    }
    close_world();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_migration__empty_database__commits),
    CHECK_TEST(test_migration__many_records__equal_in_both_lanes),
    CHECK_TEST(test_migration__empty_and_binary_keys_and_values__equal),
    CHECK_TEST(test_migration__values_larger_than_a_slot__equal),
    CHECK_TEST(test_migration__overwritten_and_deleted_records__only_the_last_state),
    CHECK_TEST(test_migration__several_families_missing_on_target__created_and_equal),
    CHECK_TEST(test_migration__ranges_given__moves_only_these),
    CHECK_TEST(test_migration__target_range_not_empty__refused_and_untouched),
    CHECK_TEST(test_migration__overwrite__replaces_what_was_there),
    CHECK_TEST(test_migration__unknown_family__not_found),
    CHECK_TEST(test_migration__overlapping_ranges__invalid),
    CHECK_TEST(test_migration__sizes_out_of_bounds__invalid),
    CHECK_TEST(test_migration__config_versions_differ__refused),
    CHECK_TEST(test_migration__nobody_listens__refused),
    CHECK_TEST(test_haul_migration_cancel__while_it_runs__target_cleared),
    CHECK_TEST(test_haul_migration_destroy__while_it_runs__kept_and_the_next_goes_on),
    CHECK_TEST(test_migration__writes_go_on_during_the_copy__nothing_lost),
    CHECK_TEST(test_migration__foreign_write_into_the_range__digest_differs),
    CHECK_TEST(test_migration__foreign_write_beside_the_range__commits),
    CHECK_TEST(test_migration__committed__reserved_then_owned),
    CHECK_TEST(test_migration__never_frozen_then_cancelled__unreserved_and_cleared),
    CHECK_TEST(test_migration__freeze_hook_returns_late__log_tells_what_is_waited_for),
    CHECK_TEST(test_migration__fenced_at_the_decision__unreserved_and_cleared),
    CHECK_TEST(test_migration__version_moved_before_the_decision__committed),
    CHECK_TEST(test_migration__range_moved_before_the_decision__fenced_and_unfrozen),
    CHECK_TEST(test_migration__metadata_family_named__is_there_before_the_rest),
};

CHECK_MAIN("migration", tests)
