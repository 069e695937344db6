/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_arrived.c — a job continues: records after its positions are removed, and records
 * before them count only if they are unchanged. */
#include "target_arrived.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "job_journal.h"
#include "kept_log.h"
#include "rocks_fixture.h"
#include "rocks_foreign.h"
#include "target_admission.h"
#include "target_journal.h"

enum { EPOCH = 1, RECORD_COUNT = 10 };

static struct rocks_fixture source;
static struct rocks_fixture target;
static struct haul_target_options options;
static struct target_journal journal;
static struct target_left left;         /* by the attempt before */
static const struct haul_range *ranges; /* one stream each; NULL: everything, one stream */
static size_t range_count;
static struct haul_error error;

static void start(void)
{
    rocks_fixture_open(&source);
    rocks_fixture_open(&target);
    memset(&error, 0, sizeof(error));
    memset(&left, 0, sizeof(left));
    ranges = NULL;
    range_count = 0;
    options = (struct haul_target_options){.store = target.store, .log = &kept_log};
}

static void finish(void)
{
    rocks_fixture_close(&source);
    rocks_fixture_close(&target);
}

/* --- one attempt and the next ----------------------------------------------------------------- */

/* The job as its source's Hello names it. */
static void come(bool resume)
{
    haul_control_Hello hello = {.epoch = EPOCH, .resume = resume, .job = {.size = HAUL_JOB_BYTES}};
    uint64_t new_version = 0;
    hello.source_identity.size = 1;
    hello.source_identity.bytes[0] = 's';
    target_journal_init(&journal, &options);
    check_status(target_journal_look_up(&journal, &hello, &new_version, &error), HAUL_OK);
    check_equal(journal.knowledge, resume ? JOB_COPYING : JOB_UNKNOWN);
}

/* And its plan, in write batches. */
static enum haul_status check_plan(void)
{
    struct haul_source_options source_options = {
        .ranges = ranges, .range_count = range_count, .lane = HAUL_LANE_WRITE_BATCH};
    struct plan plan;
    check_or_stop(plan_make(&plan, source.store, &source_options, 0, &error) == HAUL_OK);
    plan.new_version = plan.old_version + 1;
    journal.left = left;
    return target_admission_check(&journal, &plan, &error);
}

static void put(struct haul_slice key)
{
    rocks_fixture_put(&target, 0, key, text_slice("v"));
}

/* The first attempt: these records are there and recorded; the stream stands at the last of them in
 * `keys`' order. */
static void bring(const struct haul_slice *keys, size_t count, bool finished)
{
    struct stream_position position = {.next_batch = 1, .finished = finished, .resumable = true};
    come(false);
    check_status(check_plan(), HAUL_OK);
    for (size_t i = 0; i < count; i++) {
        put(keys[i]);
        digest_add(&position.digest, NULL, keys[i], text_slice("v"));
    }
    position.last_key = keys[count - 1];
    check_status(target_journal_positions(&journal, &position, 1, &error), HAUL_OK);
    left =
        (struct target_left){.known = true, .sequence = target.store->ops->sequence(target.store)};
    target_journal_fini(&journal);
}

static void bring_texts(const char *const *keys, size_t count, bool finished)
{
    struct haul_slice slices[RECORD_COUNT];
    for (size_t i = 0; i < count; i++) {
        slices[i] = text_slice(keys[i]);
    }
    bring(slices, count, finished);
}

/* The next attempt. `*anew`: whether it begins anew. */
static void go_on(bool *anew)
{
    come(true);
    check_status(check_plan(), HAUL_OK);
    *anew = journal.begun_anew[0] != '\0';
    check_equal(kept_log_had("warning: the job is copied from the start: "), *anew);
    check_equal(journal.positions[0].next_batch, *anew ? 0 : 1);
    check_equal(journal.positions[0].digest.count == 0, *anew);
    check_equal(journal_state(journal.file)->stream_count == 0, *anew);
    target_journal_fini(&journal);
}

static void goes_on(void)
{
    bool anew = true;
    go_on(&anew);
    check(!anew);
}

static void begins_anew(void)
{
    bool anew = false;
    go_on(&anew);
    check(anew);
    check_equal(rocks_fixture_count(&target, "default"), 0);
}

static bool target_has(struct haul_slice key)
{
    uint8_t *value = NULL;
    size_t size = 0;
    enum haul_status status =
        target.store->ops->get(target.store, NULL, 0, key, &value, &size, &error);
    free(value);
    return status == HAUL_OK;
}

/* --- what lies behind the positions ----------------------------------------------------------- */

static void test_target_arrived_restore__stands_at_the_empty_key__keeps_its_record(void)
{
    start();
    bring_texts((const char *[]){""}, 1, false);
    rocks_fixture_fill(&target, 0, "k", RECORD_COUNT, 10);
    goes_on();
    check(target_has(text_slice("")));
    check_equal(rocks_fixture_count(&target, "default"), 1);
    finish();
}

static void test_target_arrived_restore__stands_at_the_longest_key__only_what_is_behind_goes(void)
{
    static uint8_t key[HAUL_KEY_BYTES_MAX];
    memset(key, 'k', sizeof(key));
    struct haul_slice keys[] = {text_slice("a"), slice_of(key, sizeof(key))};
    start();
    bring(keys, CHECK_COUNT(keys), false);
    rocks_fixture_fill(&target, 0, "l", RECORD_COUNT, 10);
    goes_on();
    check(target_has(keys[0]) && target_has(keys[1]));
    check_equal(rocks_fixture_count(&target, "default"), 2);
    finish();
}

static void reverse(struct rocks_fixture *fixture)
{
    struct foreign_database foreign = {.comparator = FOREIGN_REVERSE};
    struct haul_rocks_options opening = {0};
    rocks_fixture_close(fixture);
    rocks_fixture_make_directory(fixture);
    rocks_foreign_make(fixture->path, &foreign);
    check_or_stop(haul_rocks_store_open(fixture->path, &opening, &fixture->store, &error) ==
                  HAUL_OK);
    for (const char *key = "abcde"; *key != '\0'; key++) {
        rocks_fixture_delete(fixture, 0, slice_of(key, 1));
    }
}

static void start_reverse(void)
{
    start();
    reverse(&source);
    reverse(&target);
    options.store = target.store;
}

static void test_target_arrived_restore__reverse_family__what_is_before_in_bytes_goes(void)
{
    start_reverse();
    bring_texts((const char *[]){"x", "m1", "m"}, 3, false);
    put(text_slice("l"));
    put(text_slice("a"));
    put(text_slice(""));
    goes_on();
    check(target_has(text_slice("x")) && target_has(text_slice("m")));
    check(target_has(text_slice("m1")));
    check_equal(rocks_fixture_count(&target, "default"), 3);
    finish();
}

static enum haul_status (*real_write)(struct haul_store *, struct haul_slice, unsigned,
                                      struct haul_error *);
static unsigned lazy_writes; /* that a power loss could undo */

static enum haul_status count_write(struct haul_store *store, struct haul_slice batch,
                                    unsigned flags, struct haul_error *failed)
{
    lazy_writes += (flags & HAUL_WRITE_SYNC) == 0;
    return real_write(store, batch, flags, failed);
}

/* Counts writes of the target's store that do not wait for the disk. */
static void watch_writes(struct haul_store_ops *ops)
{
    *ops = *target.store->ops;
    real_write = ops->write;
    ops->write = count_write;
    target.store->ops = ops;
    lazy_writes = 0;
}

static void test_target_arrived_restore__reverse_family_only_the_empty_key_behind__goes(void)
{
    struct haul_store_ops ops;
    start_reverse();
    bring_texts((const char *[]){"m"}, 1, false);
    put(text_slice(""));
    watch_writes(&ops);
    goes_on();
    check_equal(lazy_writes, 0);
    check(target_has(text_slice("m")));
    check_equal(rocks_fixture_count(&target, "default"), 1);
    finish();
}

/* Three streams: one stands at b, nothing is recorded of the next, the last has finished. */
static void bring_three_streams(void)
{
    static struct haul_range three[3];
    struct stream_position positions[] = {
        {.stream = 0, .next_batch = 1, .resumable = true},
        {.stream = 2, .next_batch = 1, .finished = true, .resumable = true}};
    static uint8_t keys[] = {'b', 'q'};
    three[0] = (struct haul_range){.start = text_slice("a"), .end = text_slice("g")};
    three[1] = (struct haul_range){.start = text_slice("g"), .end = text_slice("p")};
    three[2] = (struct haul_range){.start = text_slice("p"), .end = text_slice("z")};
    start();
    ranges = three;
    range_count = CHECK_COUNT(three);
    come(false);
    check_status(check_plan(), HAUL_OK);
    for (size_t i = 0; i < CHECK_COUNT(positions); i++) {
        positions[i].last_key = slice_of(&keys[i], 1);
        put(slice_of(&keys[i], 1));
        digest_add(&positions[i].digest, NULL, slice_of(&keys[i], 1), text_slice("v"));
    }
    check_status(target_journal_positions(&journal, positions, CHECK_COUNT(positions), &error),
                 HAUL_OK);
    left =
        (struct target_left){.known = true, .sequence = target.store->ops->sequence(target.store)};
    target_journal_fini(&journal);
}

static void test_target_arrived_restore__last_of_three_streams_finished__others_are_cleared(void)
{
    bring_three_streams();
    put(text_slice("c")); /* after a position */
    put(text_slice("h")); /* of a stream without one */
    goes_on();
    check(target_has(text_slice("b")) && target_has(text_slice("q")));
    check_equal(rocks_fixture_count(&target, "default"), 2);
    finish();
}

static void test_target_arrived_restore__three_streams_begin_anew__each_keeps_its_number(void)
{
    bring_three_streams();
    rocks_fixture_delete(&target, 0, text_slice("q"));
    come(true);
    check_status(check_plan(), HAUL_OK);
    check(journal.begun_anew[0] != '\0');
    for (uint32_t i = 0; i < 3; i++) {
        check_equal(journal.positions[i].stream, i);
        check(!journal.positions[i].finished);
    }
    target_journal_fini(&journal);
    check_equal(rocks_fixture_count(&target, "default"), 0);
    finish();
}

/* --- what lies before them -------------------------------------------------------------------- */

static void bring_three(void)
{
    start();
    bring_texts((const char *[]){"a", "b", "c"}, 3, false);
}

static void test_target_arrived_restore__record_deleted__begins_anew(void)
{
    bring_three();
    rocks_fixture_delete(&target, 0, text_slice("b"));
    begins_anew();
    finish();
}

static void test_target_arrived_restore__record_added__begins_anew(void)
{
    bring_three();
    put(text_slice("bb"));
    begins_anew();
    finish();
}

static void test_target_arrived_restore__record_changed__begins_anew(void)
{
    bring_three();
    rocks_fixture_put(&target, 0, text_slice("c"), text_slice("w"));
    begins_anew();
    finish();
}

static void test_target_arrived_restore__record_at_the_position_deleted__begins_anew(void)
{
    bring_three();
    rocks_fixture_delete(&target, 0, text_slice("c"));
    begins_anew();
    finish();
}

static void test_target_arrived_restore__began_anew__goes_on_from_the_beginning(void)
{
    bool anew = true;
    bring_three();
    rocks_fixture_delete(&target, 0, text_slice("a"));
    begins_anew();
    come(true);
    check_status(check_plan(), HAUL_OK);
    anew = journal.begun_anew[0] != '\0';
    check(!anew);
    check_equal(journal.positions[0].next_batch, 0);
    target_journal_fini(&journal);
    finish();
}

/* --- when nobody can have changed it ---------------------------------------------------------- */

static unsigned scans;
static enum haul_status (*real_scan_open)(struct haul_store *, const struct haul_snapshot *,
                                          uint32_t, struct haul_slice, struct haul_slice,
                                          struct haul_scan **, struct haul_error *);

static enum haul_status count_scan(struct haul_store *store, const struct haul_snapshot *snapshot,
                                   uint32_t family, struct haul_slice from, struct haul_slice to,
                                   struct haul_scan **scan, struct haul_error *failed)
{
    scans += from.size == 0; /* clearing looks after the position only */
    return real_scan_open(store, snapshot, family, from, to, scan, failed);
}

/* Counts the scans of the whole stream. */
static void watch_scans(struct haul_store_ops *ops)
{
    *ops = *target.store->ops;
    real_scan_open = ops->scan_open;
    ops->scan_open = count_scan;
    target.store->ops = ops;
    scans = 0;
}

static void test_target_arrived_restore__open_all_the_time__nothing_is_read(void)
{
    struct haul_store_ops ops;
    bring_three();
    watch_scans(&ops);
    goes_on();
    check_equal(scans, 0);
    finish();
}

static void test_target_arrived_restore__another_process__read_back(void)
{
    struct haul_store_ops ops;
    bring_three();
    memset(&left, 0, sizeof(left));
    watch_scans(&ops);
    goes_on();
    check_equal(scans, 1);
    finish();
}

/* Nothing is known of another process, whatever the numbers happen to be. */
static void test_target_arrived_restore__nothing_known_and_same_sequence__read_back(void)
{
    struct haul_store_ops ops;
    bring_three();
    left.known = false;
    watch_scans(&ops);
    goes_on();
    check_equal(scans, 1);
    finish();
}

static enum haul_status fail_scan(struct haul_store *store, const struct haul_snapshot *snapshot,
                                  uint32_t family, struct haul_slice from, struct haul_slice to,
                                  struct haul_scan **scan, struct haul_error *failed)
{
    return from.size == 0 ? haul_error_set(failed, HAUL_IO, "scan", 0, "a disk that fails")
                          : real_scan_open(store, snapshot, family, from, to, scan, failed);
}

static void test_target_arrived_restore__cannot_be_read_back__error_and_all_stays(void)
{
    struct haul_store_ops ops;
    bring_three();
    memset(&left, 0, sizeof(left));
    watch_scans(&ops);
    ops.scan_open = fail_scan;
    come(true);
    check_status(check_plan(), HAUL_IO);
    target_journal_fini(&journal);
    ops.scan_open = real_scan_open;
    goes_on();
    check_equal(rocks_fixture_count(&target, "default"), 3);
    finish();
}

static void test_target_arrived_restore__another_jobs_end_is_known__read_back(void)
{
    struct haul_store_ops ops;
    bring_three();
    left.job[0] = 1;
    watch_scans(&ops);
    goes_on();
    check_equal(scans, 1);
    finish();
}

static enum haul_status reserve(void *context, const struct haul_reservation *wanted,
                                struct haul_error *failed)
{
    (void)context;
    (void)wanted;
    (void)failed;
    return HAUL_OK;
}

/* The embedder writes elsewhere, and keeps other writers off the ranges of the job. */
static void test_target_arrived_restore__embedder_keeps_others_off__nothing_is_read(void)
{
    struct haul_store_ops ops;
    bring_three();
    options.hooks.reserve = reserve;
    left.sequence = 0;
    watch_scans(&ops);
    goes_on();
    check_equal(scans, 0);
    finish();
}

/* Deltas may be in it already. */
static void test_target_arrived_restore__all_streams_finished__digest_of_what_is_there(void)
{
    start();
    bring_texts((const char *[]){"a", "b", "c"}, 3, true);
    rocks_fixture_delete(&target, 0, text_slice("b"));
    come(true);
    check_status(check_plan(), HAUL_OK);
    check(journal.begun_anew[0] == '\0');
    check_or_stop(journal.base_digests != NULL);
    check_equal(journal.base_digests[0].count, 2);
    target_journal_fini(&journal);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_arrived_restore__stands_at_the_empty_key__keeps_its_record),
    CHECK_TEST(test_target_arrived_restore__stands_at_the_longest_key__only_what_is_behind_goes),
    CHECK_TEST(test_target_arrived_restore__reverse_family__what_is_before_in_bytes_goes),
    CHECK_TEST(test_target_arrived_restore__reverse_family_only_the_empty_key_behind__goes),
    CHECK_TEST(test_target_arrived_restore__last_of_three_streams_finished__others_are_cleared),
    CHECK_TEST(test_target_arrived_restore__three_streams_begin_anew__each_keeps_its_number),
    CHECK_TEST(test_target_arrived_restore__record_deleted__begins_anew),
    CHECK_TEST(test_target_arrived_restore__record_added__begins_anew),
    CHECK_TEST(test_target_arrived_restore__record_changed__begins_anew),
    CHECK_TEST(test_target_arrived_restore__record_at_the_position_deleted__begins_anew),
    CHECK_TEST(test_target_arrived_restore__began_anew__goes_on_from_the_beginning),
    CHECK_TEST(test_target_arrived_restore__open_all_the_time__nothing_is_read),
    CHECK_TEST(test_target_arrived_restore__another_process__read_back),
    CHECK_TEST(test_target_arrived_restore__nothing_known_and_same_sequence__read_back),
    CHECK_TEST(test_target_arrived_restore__cannot_be_read_back__error_and_all_stays),
    CHECK_TEST(test_target_arrived_restore__another_jobs_end_is_known__read_back),
    CHECK_TEST(test_target_arrived_restore__embedder_keeps_others_off__nothing_is_read),
    CHECK_TEST(test_target_arrived_restore__all_streams_finished__digest_of_what_is_there),
};

CHECK_MAIN("target_arrived", tests)
