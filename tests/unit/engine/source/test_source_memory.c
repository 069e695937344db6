/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_memory.c — each allocation fails in turn while a source sets its data side up and
 * starts it: NO_MEMORY, with a text, and nothing stays open. */
#include <string.h>

#include "clock.h"
#include "failing_store.h"
#include "source_copy.h"

enum { SLOTS = 4, SLOT_BYTES = 4096, LINKS = 2, READERS = 2 };

static struct source_copy copy;
static struct haul_error error;

static void start(void)
{
    failing_store_init(NULL, 0);
    failing_store_put(0, "k");
    memset(&error, 0, sizeof(error));
}

static struct haul_source_options source_options(void)
{
    return (struct haul_source_options){
        .store = &failing.base,
        .lane = HAUL_LANE_WRITE_BATCH,
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = {.slot_count = SLOTS, .slot_size_bytes = SLOT_BYTES},
        .link_count = LINKS,
        .reader_count = READERS,
        .batch_size_bytes_min = 1024,
        .batch_size_bytes_max = SLOT_BYTES,
    };
}

static enum haul_status set_up(const struct source_copy_options *options)
{
    haul_control_PlanAccepted accepted = haul_control_PlanAccepted_init_zero;
    enum haul_status status = source_copy_init(&copy, options, &error);
    if (status == HAUL_OK) {
        status = source_copy_start(&copy, &accepted, &error);
    }
    check(status != HAUL_OK || copy.copying);
    source_copy_fini(&copy);
    return status;
}

static enum haul_status set_up_anew(void)
{
    struct failing_held held = failing_hold();
    struct haul_source_options source = source_options();
    struct haul_snapshot *snapshot = NULL;
    struct poll_group *group = NULL;
    struct plan plan;
    uint64_t sequence = 0;
    check_or_stop(plan_make(&plan, &failing.base, &source, 0, &error) == HAUL_OK);
    check_or_stop(failing_ops.snapshot_open(&failing.base, &snapshot, &sequence, &error) ==
                  HAUL_OK);
    check_or_stop(poll_group_create(0, &clock_monotonic, &group) == HAUL_OK);
    const struct source_copy_options options = {.store = &failing.base,
                                                .source = &source,
                                                .plan = &plan,
                                                .snapshot = snapshot,
                                                .snapshot_sequence = sequence,
                                                .log_sequence = sequence,
                                                .epoch = 1,
                                                .clock = &clock_monotonic,
                                                .group = group};
    failing_go_on(&held);
    enum haul_status status = set_up(&options);
    held = failing_hold();
    failing_ops.snapshot_close(&failing.base, snapshot);
    plan_fini(&plan);
    poll_group_destroy(group);
    failing_go_on(&held);
    return status;
}

static void look_at_nothing(bool was_failed)
{
    (void)was_failed;
}

static void test_source_copy_start__nth_allocation_fails__no_memory_and_nothing_is_left(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = start,
                                             .act = set_up_anew,
                                             .look = look_at_nothing,
                                             .fixed_path = true};
    failing_sweep(&step);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_copy_start__nth_allocation_fails__no_memory_and_nothing_is_left),
};
CHECK_MAIN("source_memory", tests)
