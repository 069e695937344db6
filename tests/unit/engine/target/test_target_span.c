/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_span.c — stretches of the target's families: removed behind a key in any order, read
 * in steps, and their tables. */
#include <string.h>

#include "failing_store.h"
#include "plan.h"
#include "target_plan.h"

enum { RECORDS_PER_STEP = 4096 /* target_plan.c */ };

static struct haul_store_ops ops;
static struct haul_error error;
static uint64_t records_left; /* of the scan */
static unsigned step_count;
static unsigned steps_until_end; /* 0: never */
static unsigned table_calls;
static unsigned unsure_at; /* the call that finds a table missing; 0: none */

static enum haul_status open_in_own_order(struct haul_store *store,
                                          const struct haul_snapshot *snapshot, uint32_t family_id,
                                          struct haul_slice start, struct haul_slice end,
                                          struct haul_scan **scan, struct haul_error *failed)
{
    const struct haul_slice nothing = {NULL, 0};
    (void)start;
    (void)end;
    return failing_scan_open(store, snapshot, family_id, nothing, nothing, scan, failed);
}

static enum haul_status next_of_many(struct haul_scan *scan, struct haul_record *record,
                                     struct haul_error *failed)
{
    (void)scan;
    if (records_left == 0) {
        return haul_error_set(failed, HAUL_NOT_FOUND, NULL, 0, "the end");
    }
    records_left--;
    record->key = slice_of("k", 1);
    record->value = slice_of("v", 1);
    return HAUL_OK;
}

/* Only batches that delete the empty key are written. */
static enum haul_status write_deletion(struct haul_store *store, struct haul_slice batch,
                                       unsigned flags, struct haul_error *failed)
{
    (void)store;
    check(batch.size > 0);
    check_equal(flags, HAUL_WRITE_SYNC);
    enum haul_status status = failing_call(failed);
    for (size_t i = 0; i < failing.count && status == HAUL_OK; i++) {
        if (failing.records[i].key[0] == '\0') {
            memmove(&failing.records[i], &failing.records[i + 1],
                    (--failing.count - i) * sizeof(failing.records[0]));
        }
    }
    return status;
}

static enum haul_status check_tables(struct haul_store *store, uint32_t family_id,
                                     struct haul_slice start, struct haul_slice end, bool *sure,
                                     struct haul_error *failed)
{
    (void)store;
    (void)family_id;
    check(start.size == 1 && end.size == 1);
    table_calls++;
    *sure = table_calls != unsure_at;
    return failing_call(failed);
}

static bool next_step(void *context)
{
    check(context == &step_count);
    return ++step_count != steps_until_end;
}

static const struct haul_steps steps = {.next = next_step, .context = &step_count};

static void start(void)
{
    failing_store_init(NULL, 0);
    ops = failing_ops;
    ops.scan_open = open_in_own_order;
    ops.write = write_deletion;
    ops.tables_check = check_tables;
    failing.base.ops = &ops;
    memset(&error, 0, sizeof(error));
    step_count = steps_until_end = table_calls = unsure_at = 0;
}

/* --- clearing --------------------------------------------------------------------------------- */

/* In this family's order, the empty key comes behind "k". */
static void three_are_there(void)
{
    start();
    failing_store_put(0, "k");
    failing_store_put(0, "");
    failing_store_put(0, "m");
}

static enum haul_status clear_behind(void)
{
    const struct target_span behind = {.start = slice_of("k", 1)};
    return target_plan_clear_behind(&failing.base, &behind, NULL, &error);
}

static void check_first_is_left(bool was_failed)
{
    (void)was_failed;
    check_equal(failing.count, 1);
    check(failing_store_has(0, "k"));
}

static void test_target_plan_clear_behind__nth_call_fails__told_and_cleared_when_done_again(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = three_are_there,
                                             .act = clear_behind,
                                             .look = check_first_is_left,
                                             .fixed_path = true,
                                             .store_calls_min = 8};
    failing_sweep(&step);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void test_target_plan_digest_span__many_records__a_step_for_some_thousands(void)
{
    const struct target_span all = {.family = 0};
    struct digest digest = {0};
    start();
    ops.scan_next = next_of_many;
    records_left = 2 * RECORDS_PER_STEP + 1;
    check_status(target_plan_digest_span(&failing.base, &all, &digest, &steps, &error), HAUL_OK);
    check_equal(digest.count, 2 * RECORDS_PER_STEP + 1);
    check_equal(step_count, 2);
    digest = (struct digest){0};
    records_left = 2 * RECORDS_PER_STEP;
    step_count = 0;
    steps_until_end = 1;
    check_error(target_plan_digest_span(&failing.base, &all, &digest, &steps, &error), HAUL_CLOSED,
                error);
    check_equal(digest.count, RECORDS_PER_STEP);
    failing_store_fini();
}

/* --- tables ----------------------------------------------------------------------------------- */

static void test_target_plan_tables__one_is_missing_or_a_call_fails__no_more_calls(void)
{
    static const struct haul_range ranges[] = {
        {.start = {(const uint8_t *)"a", 1}, .end = {(const uint8_t *)"b", 1}},
        {.start = {(const uint8_t *)"c", 1}, .end = {(const uint8_t *)"d", 1}},
        {.start = {(const uint8_t *)"e", 1}, .end = {(const uint8_t *)"f", 1}}};
    const struct haul_source_options source = {.ranges = ranges, .range_count = 3};
    struct plan plan;
    bool sure = false;
    start();
    check_or_stop(plan_make(&plan, &failing.base, &source, 0, &error) == HAUL_OK);
    check_status(target_plan_tables(&failing.base, &plan, 0, &sure, &error), HAUL_OK);
    check(sure);
    check_equal(table_calls, 3);
    table_calls = 0;
    unsure_at = 2;
    check_status(target_plan_tables(&failing.base, &plan, 0, &sure, &error), HAUL_OK);
    check(!sure);
    check_equal(table_calls, 2);
    table_calls = unsure_at = 0;
    failing_fail(FAILING_STORE, 2);
    check_error(target_plan_tables(&failing.base, &plan, 0, &sure, &error), HAUL_IO, error);
    check_equal(table_calls, 2);
    plan_fini(&plan);
    failing_store_fini();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_plan_clear_behind__nth_call_fails__told_and_cleared_when_done_again),
    CHECK_TEST(test_target_plan_digest_span__many_records__a_step_for_some_thousands),
    CHECK_TEST(test_target_plan_tables__one_is_missing_or_a_call_fails__no_more_calls),
};
CHECK_MAIN("target_span", tests)
