/* SPDX-License-Identifier: Apache-2.0 */
/* test_plan_failures.c — each call of the store and each allocation fails in turn while a plan is
 * made, sent and read: the step reports it, and nothing is left of it. */
#include <stdlib.h>
#include <string.h>

#include "failing_store.h"
#include "plan.h"
#include "plan_options.h"

enum { FAMILY_COUNT = 2, RANGE_COUNT = 2, CUT_COUNT = 3 /* in every range */ };
enum { SIZE_BYTES = 100, STREAM_BYTES = 30 /* of a quarter and a bit */ };

static struct haul_store_ops ops;
static struct plan made;
static struct message message;
static struct haul_error error;

/* --- a store whose ranges are cut ------------------------------------------------------------- */

static enum haul_status split(struct haul_store *store, uint32_t family_id, struct haul_slice start,
                              struct haul_slice end, struct haul_slice *keys, size_t capacity,
                              size_t *count, struct haul_error *failed)
{
    (void)store;
    (void)family_id;
    (void)end;
    *count = 0;
    check_equal(capacity, CUT_COUNT);
    enum haul_status status = failing_call(failed);
    for (size_t i = 0; i < capacity && status == HAUL_OK; i++) {
        uint8_t *key = __real_malloc(2);
        check_or_stop(key != NULL);
        key[0] = start.data[0];
        key[1] = (uint8_t)('1' + i);
        keys[(*count)++] = slice_of(key, 2);
    }
    return status;
}

/* Each family has its own. */
static enum haul_status read_options(struct haul_store *store, uint32_t family_id, char **options,
                                     struct haul_error *failed)
{
    (void)store;
    enum haul_status status = failing_call(failed);
    if (status == HAUL_OK) {
        *options = __real_calloc(1, 8);
        check_or_stop(*options != NULL);
        (void)snprintf(*options, 8, "a=%u\n", (unsigned)family_id);
    }
    return status;
}

static void start(void)
{
    static const char *const families[] = {"one"};
    failing_store_init(families, 1);
    ops = failing_ops;
    ops.range_split = split;
    ops.family_options = read_options;
    failing.base.ops = &ops;
    memset(&error, 0, sizeof(error));
    memset(&made, 0, sizeof(made));
}

static bool is_empty(const struct plan *plan)
{
    return plan->families == NULL && plan->ranges == NULL && plan->streams == NULL &&
           plan->option_sets == NULL && plan->family_count + plan->range_count == 0 &&
           plan->stream_count + plan->option_set_count == 0;
}

static void check_whole(const struct plan *plan)
{
    check_equal(plan->family_count, FAMILY_COUNT);
    check_equal(plan->range_count, RANGE_COUNT);
    check_equal(plan->stream_count, FAMILY_COUNT * RANGE_COUNT * (CUT_COUNT + 1));
    check_equal(plan->option_set_count, FAMILY_COUNT);
    check_text(plan_options_of(plan, 0), "a=1\n"); /* of the metadata */
    for (size_t i = 0; i < plan->stream_count; i++) {
        check_equal(plan->streams[i].id, i);
        check_equal(plan->streams[i].bytes, SIZE_BYTES / (CUT_COUNT + 1));
    }
}

static enum haul_status make(struct plan *plan)
{
    static const struct haul_range ranges[RANGE_COUNT] = {
        {.start = {(const uint8_t *)"m", 1}, .end = {(const uint8_t *)"p", 1}},
        {.start = {(const uint8_t *)"b", 1}, .end = {(const uint8_t *)"d", 1}}};
    static const char *const metadata[] = {"one"};
    const struct haul_source_options options = {.ranges = ranges,
                                                .range_count = RANGE_COUNT,
                                                .metadata_families = metadata,
                                                .metadata_family_count = 1,
                                                .lane = HAUL_LANE_WRITE_BATCH};
    enum haul_status status = plan_make(plan, &failing.base, &options, STREAM_BYTES, &error);
    if (status == HAUL_OK) {
        status = plan_options_read(plan, &failing.base, &error);
        plan->new_version = 1;
    } else {
        check(is_empty(plan));
    }
    return status;
}

/* --- making ----------------------------------------------------------------------------------- */

static enum haul_status make_anew(void)
{
    plan_fini(&made);
    return make(&made);
}

static void check_made(bool was_failed)
{
    (void)was_failed;
    check_whole(&made);
    plan_fini(&made);
}

static void test_plan_make__nth_call_fails__told_and_nothing_is_left(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = start,
                                             .act = make_anew,
                                             .look = check_made,
                                             .fixed_path = true,
                                             .store_calls_min = 9};
    failing_sweep(&step);
}

/* --- over the wire ---------------------------------------------------------------------------- */

static void one_is_made(void)
{
    start();
    check_or_stop(make(&made) == HAUL_OK);
}

/* The caller has the only error that there is. */
static enum haul_status put(void)
{
    enum haul_status status = plan_to_message(&made, &message);
    return status == HAUL_OK ? HAUL_OK : haul_error_set(&error, status, NULL, 0, "not to be put");
}

static void check_put(bool was_failed)
{
    struct plan taken;
    (void)was_failed;
    check_status(plan_from_message(&taken, &message, &error), HAUL_OK);
    check(plan_equal(&made, &taken));
    check_whole(&taken);
    plan_fini(&taken);
    message_release(&message);
    plan_fini(&made);
}

static void test_plan_to_message__nth_allocation_fails__no_memory_and_nothing_is_left(void)
{
    static const struct failing_step step = {
        .error = &error, .prepare = one_is_made, .act = put, .look = check_put, .fixed_path = true};
    failing_sweep(&step);
}

static void one_is_sent(void)
{
    one_is_made();
    check_or_stop(plan_to_message(&made, &message) == HAUL_OK);
}

static enum haul_status take(void)
{
    struct plan taken;
    enum haul_status status = plan_from_message(&taken, &message, &error);
    check(status == HAUL_OK ? plan_equal(&made, &taken) : is_empty(&taken));
    plan_fini(&taken);
    return status;
}

static void check_taken(bool was_failed)
{
    (void)was_failed;
    message_release(&message);
    plan_fini(&made);
}

static void test_plan_from_message__nth_allocation_fails__no_memory_and_nothing_is_left(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = one_is_sent,
                                             .act = take,
                                             .look = check_taken,
                                             .fixed_path = true};
    failing_sweep(&step);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_plan_make__nth_call_fails__told_and_nothing_is_left),
    CHECK_TEST(test_plan_to_message__nth_allocation_fails__no_memory_and_nothing_is_left),
    CHECK_TEST(test_plan_from_message__nth_allocation_fails__no_memory_and_nothing_is_left),
};
CHECK_MAIN("plan_failures", tests)
