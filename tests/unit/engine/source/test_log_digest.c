/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_digest.c — the digest of a changing database, over a view and over newer ones, compared
 * with a scan. */
#include "log_digest.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum { KEY_COUNT = 3000, SMALL_LEDGER_BYTES = 2 << 20 };

static struct rocks_fixture fixture;
static struct haul_store_ops watched;
static enum haul_status (*open_view)(struct haul_store *store, struct haul_snapshot **snapshot,
                                     uint64_t *sequence, struct haul_error *error);
static enum haul_status (*next_of_log)(struct haul_wal_reader *wal, struct haul_log_batch *batch,
                                       struct haul_error *error);
static enum haul_status (*sync_log)(struct haul_store *store, struct haul_error *error);
static bool writes_meanwhile; /* a writer does, while a view is taken */
static unsigned view_count;
static unsigned gaps; /* this many reads of the log find one */
static unsigned sync_count;
static enum haul_status sync_status;
static struct plan plan;
static struct haul_snapshot *snapshot;
static struct digest at_view;
static struct log_digest *follower;
static atomic_bool never;
static struct haul_error error;

static void put(uint32_t number, const char *value)
{
    char key[16];
    (void)snprintf(key, sizeof(key), "k%08u", number);
    rocks_fixture_put(&fixture, 0, text_slice(key), text_slice(value));
}

/* The sequence number is read first: a later write is in the view, and after its number. */
static enum haul_status take_view(struct haul_store *store, struct haul_snapshot **taken,
                                  uint64_t *sequence, struct haul_error *failed)
{
    uint64_t before = store->ops->sequence(store);
    if (writes_meanwhile) {
        put(KEY_COUNT + view_count, "written while the view was taken");
    }
    view_count++;
    enum haul_status status = open_view(store, taken, sequence, failed);
    *sequence = before;
    return status;
}

static enum haul_status read_log(struct haul_wal_reader *wal, struct haul_log_batch *batch,
                                 struct haul_error *failed)
{
    if (gaps > 0) {
        gaps--;
        return haul_error_set(failed, HAUL_GAP, NULL, 0, "the end is not there");
    }
    return next_of_log(wal, batch, failed);
}

static enum haul_status sync_or_fail(struct haul_store *store, struct haul_error *failed)
{
    sync_count++;
    return sync_status == HAUL_OK ? sync_log(store, failed)
                                  : haul_error_set(failed, sync_status, "fsync", 0, "no sync");
}

static struct digest scan_family(uint32_t family_id, const struct haul_snapshot *view)
{
    const struct haul_slice none = {NULL, 0};
    struct digest digest = {.count = 0};
    struct haul_scan *scan = NULL;
    struct haul_record record;
    check_or_stop(fixture.store->ops->scan_open(fixture.store, view, family_id, none, none, &scan,
                                                &error) == HAUL_OK);
    while (fixture.store->ops->scan_next(scan, &record, &error) == HAUL_OK) {
        digest_add(&digest, NULL, record.key, record.value);
    }
    fixture.store->ops->scan_close(scan);
    return digest;
}

static struct digest scan(const struct haul_snapshot *view)
{
    return scan_family(0, view);
}

/* Over whatever families the fixture has. */
static void begin_opened(void)
{
    struct haul_source_options options = {.lane = HAUL_LANE_WRITE_BATCH};
    uint64_t sequence = 0;
    watched = *fixture.store->ops;
    open_view = watched.snapshot_open;
    watched.snapshot_open = take_view;
    next_of_log = watched.wal_next;
    watched.wal_next = read_log;
    sync_log = watched.sync;
    watched.sync = sync_or_fail;
    gaps = 0;
    sync_count = 0;
    sync_status = HAUL_OK;
    fixture.store->ops = &watched;
    writes_meanwhile = false;
    view_count = 0;
    for (uint32_t i = 0; i < KEY_COUNT; i += 2) {
        put(i, "from the beginning");
    }
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    check_status(open_view(fixture.store, &snapshot, &sequence, &error), HAUL_OK);
    at_view = scan(snapshot);
    const struct log_digest_options made = {.store = fixture.store,
                                            .plan = &plan,
                                            .snapshot = snapshot,
                                            .sequence = sequence,
                                            .memory_bytes_max = SMALL_LEDGER_BYTES};
    check_or_stop(log_digest_create(&made, &follower, &error) == HAUL_OK);
}

static void begin(void)
{
    rocks_fixture_open(&fixture);
    begin_opened();
}

static void end(void)
{
    log_digest_destroy(follower);
    watched.snapshot_close(fixture.store, snapshot);
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

static void check_agrees(void)
{
    struct digest digest = at_view;
    struct digest now = scan(NULL);
    check_status(log_digest_follow(follower, &never, &error), HAUL_OK);
    check_status(log_digest_join(follower, 0, &digest), HAUL_OK);
    check(digest_equal(&digest, &now));
}

static void test_log_digest_join__written_behind_the_view__equals_a_scan(void)
{
    begin();
    put(1, "new");
    put(2, "changed");
    rocks_fixture_delete(&fixture, 0, text_slice("k00000004"));
    check_agrees();
    check_equal(log_digest_sequence(follower), watched.sequence(fixture.store));
    check_equal(view_count, 0);
    end();
}

/* The newer view succeeds only when the reader has passed everything that it holds. */
static void test_log_digest_renew__writes_while_the_view_is_taken__equals_a_scan(void)
{
    begin();
    writes_meanwhile = true;
    for (uint32_t round = 0; round < 6; round++) {
        for (uint32_t i = 0; i < KEY_COUNT; i++) {
            put((i * 7 + round) % KEY_COUNT, "a value of this round");
        }
        check_status(log_digest_follow(follower, &never, &error), HAUL_OK);
        log_digest_renew(follower); /* takes a view when it is due */
        log_digest_renew(follower); /* and asks at once whether that may succeed */
        check_agrees();
        log_digest_renew(follower);
        check_agrees();
    }
    check(view_count > 2);
    end();
}

static void test_log_digest_renew__writes_are_about_to_be_frozen__no_newer_view(void)
{
    begin();
    log_digest_hurry(follower, true);
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        put(i, "a value of this round");
    }
    check_status(log_digest_follow(follower, &never, &error), HAUL_OK);
    log_digest_renew(follower);
    check_equal(view_count, 0);
    log_digest_hurry(follower, false);
    log_digest_renew(follower);
    check_equal(view_count, 1);
    check_agrees();
    end();
}

/* A burst of writes just before a freeze is not read for twice as long as its round needs. */
static void test_log_digest_follow_ahead__writes_are_about_to_be_frozen__leaves(void)
{
    begin();
    uint64_t before = log_digest_sequence(follower);
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        put(i, "a value of this round");
    }
    log_digest_hurry(follower, true);
    check_status(log_digest_follow_ahead(follower, &never, &error), HAUL_OK);
    check_equal(log_digest_sequence(follower), before);
    check_status(log_digest_follow(follower, &never, &error), HAUL_OK);
    check_equal(log_digest_sequence(follower), fixture.store->ops->sequence(fixture.store));
    check_agrees();
    end();
}

static void test_log_digest_follow_ahead__nothing_is_frozen__to_the_end(void)
{
    begin();
    put(1, "a value of this round");
    check_status(log_digest_follow_ahead(follower, &never, &error), HAUL_OK);
    check_equal(log_digest_sequence(follower), fixture.store->ops->sequence(fixture.store));
    check_agrees();
    end();
}

/* --- an end of the log that is in memory only ------------------------------------------------- */

static void test_log_digest_follow__end_is_not_on_disk__synced_and_read_again(void)
{
    begin();
    put(1, "new");
    put(2, "changed");
    gaps = 1;
    check_agrees();
    check_equal(sync_count, 1);
    check_equal(log_digest_sequence(follower), watched.sequence(fixture.store));
    check_agrees();
    check_equal(sync_count, 1);
    end();
}

static void test_log_digest_follow__end_cannot_be_had__what_failed(void)
{
    begin();
    put(1, "new");
    gaps = 2;
    check_error(log_digest_follow(follower, &never, &error), HAUL_GAP, error);
    gaps = 2;
    check_error(log_digest_follow_ahead(follower, &never, &error), HAUL_GAP, error);
    gaps = 1;
    sync_status = HAUL_NO_SPACE;
    check_error(log_digest_follow(follower, &never, &error), HAUL_NO_SPACE, error);
    check_equal(sync_count, 3);
    check_agrees();
    end();
}

/* --- merges ----------------------------------------------------------------------------------- */

static struct haul_family merged; /* the greatest value of a key counts */
static bool merges_when_read;
static enum haul_status (*get_now)(struct haul_store *store, const struct haul_snapshot *view,
                                   uint32_t family_id, struct haul_slice key, uint8_t **value,
                                   size_t *size, struct haul_error *error);

static void merge(char value)
{
    const uint8_t batch[RAW_BATCH_HEADER_BYTES + 6] = {
        [8] = 1, /* record */
        [12] = RAW_FAMILY_MERGE,
        (uint8_t)merged.id,
        1,
        'x',
        1,
        (uint8_t)value,
    };
    check_status(watched.write(fixture.store, slice_of(batch, sizeof(batch)), 0, &error), HAUL_OK);
}

static enum haul_status merge_and_get(struct haul_store *store, const struct haul_snapshot *view,
                                      uint32_t family_id, struct haul_slice key, uint8_t **value,
                                      size_t *size, struct haul_error *failed)
{
    if (merges_when_read) {
        merges_when_read = false;
        merge('2');
    }
    return get_now(store, view, family_id, key, value, size, failed);
}

static void check_merged_agrees(void)
{
    struct digest digest = {.count = 0};
    struct digest now = scan_family(merged.id, NULL);
    check_status(log_digest_follow(follower, &never, &error), HAUL_OK);
    check_status(log_digest_join(follower, 1, &digest), HAUL_OK);
    check(digest_equal(&digest, &now));
    check_equal(now.count, 1);
}

/* What a merge makes of a key is read from the database, which is ahead of the log: by a merge that
 * the newer view does not have, and that comes in the log only behind it. */
static void test_log_digest_renew__merged_again_while_it_is_read__equals_a_scan(void)
{
    rocks_fixture_open(&fixture);
    check_or_stop(fixture.store->ops->family_create_like(fixture.store, "merged",
                                                         "merge_operator=MaxOperator\n", &merged,
                                                         &error) == HAUL_OK);
    begin_opened();
    get_now = watched.get;
    watched.get = merge_and_get;
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        put(i, "a value of this round");
    }
    check_status(log_digest_follow(follower, &never, &error), HAUL_OK);
    merge('1');
    log_digest_renew(follower);
    check_equal(view_count, 1);
    merges_when_read = true;
    check_status(log_digest_follow(follower, &never, &error), HAUL_OK);
    check(!merges_when_read);
    log_digest_renew(follower); /* the newer view succeeds */
    check_merged_agrees();
    check_agrees();
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_log_digest_follow__end_is_not_on_disk__synced_and_read_again),
    CHECK_TEST(test_log_digest_follow__end_cannot_be_had__what_failed),
    CHECK_TEST(test_log_digest_join__written_behind_the_view__equals_a_scan),
    CHECK_TEST(test_log_digest_renew__writes_while_the_view_is_taken__equals_a_scan),
    CHECK_TEST(test_log_digest_renew__writes_are_about_to_be_frozen__no_newer_view),
    CHECK_TEST(test_log_digest_renew__merged_again_while_it_is_read__equals_a_scan),
    CHECK_TEST(test_log_digest_follow_ahead__writes_are_about_to_be_frozen__leaves),
    CHECK_TEST(test_log_digest_follow_ahead__nothing_is_frozen__to_the_end),
};

CHECK_MAIN("log_digest", tests)
