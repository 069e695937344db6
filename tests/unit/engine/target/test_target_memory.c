/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_memory.c — each allocation, and each write of the store, fails in turn while a target
 * sets its appliers up, applies batches and answers: it says so, and nothing stays open. */
#include <stdlib.h>
#include <string.h>

#include "applier.h"
#include "config_version.h"
#include "failing_store.h"
#include "raw_batch.h"
#include "stream_position.h"
#include "target_answer.h"
#include "target_journal.h"
#include "target_overwrite.h"

enum { SLOT_BYTES = 4096, BLOCKS = 4, THREADS = 2, STREAMS = 2, EMPTY_BATCH_BYTES = 12 };

static struct haul_store_ops ops;
static struct plan plan;
static struct stream_position positions[STREAMS];
static struct haul_error error;
static uint8_t key[] = "kb";
static size_t written_bytes; /* of the last batch */

static enum haul_status write_batch(struct haul_store *store, struct haul_slice batch,
                                    unsigned flags, struct haul_error *failed)
{
    (void)store;
    (void)flags;
    enum haul_status status = failing_call(failed);
    written_bytes = status == HAUL_OK ? batch.size : 0;
    return status;
}

static enum haul_status write_pieces(struct haul_store *store, const struct haul_slice *pieces,
                                     size_t piece_count, unsigned flags, struct haul_error *failed)
{
    (void)store;
    (void)flags;
    enum haul_status status = failing_call(failed);
    written_bytes = 0;
    for (size_t i = 0; status == HAUL_OK && i < piece_count; i++) {
        written_bytes += pieces[i].size;
    }
    return status;
}

static enum haul_status get_nothing(struct haul_store *store, const struct haul_snapshot *snapshot,
                                    uint32_t family_id, struct haul_slice wanted, uint8_t **value,
                                    size_t *value_size, struct haul_error *failed)
{
    (void)store;
    (void)snapshot;
    (void)family_id;
    (void)wanted;
    (void)value;
    (void)value_size;
    enum haul_status status = failing_call(failed);
    return status == HAUL_OK ? haul_error_set(failed, HAUL_NOT_FOUND, NULL, 0, "none") : status;
}

static size_t annotate(void *context, const char *family, struct haul_slice put_key,
                       struct haul_slice value, uint8_t blob[HAUL_LOG_DATA_BYTES_MAX])
{
    (void)context;
    (void)put_key;
    (void)value;
    check_text(family, "default");
    blob[0] = 'b';
    return 1;
}

static const struct haul_hooks hooks = {.annotate = annotate};

/* Two streams, of which the first one has come up to "kb". */
static void start(void)
{
    static const struct haul_range ranges[STREAMS] = {
        {.start = {(const uint8_t *)"k", 1}, .end = {(const uint8_t *)"l", 1}},
        {.start = {(const uint8_t *)"m", 1}, .end = {(const uint8_t *)"n", 1}}};
    static const struct haul_source_options source = {
        .lane = HAUL_LANE_INGEST, .ranges = ranges, .range_count = STREAMS};
    failing_store_init(NULL, 0);
    ops = failing_ops;
    ops.write = write_batch;
    ops.write_pieces = write_pieces;
    ops.get = get_nothing;
    failing.base.ops = &ops;
    memset(&error, 0, sizeof(error));
    check_or_stop(plan_make(&plan, &failing.base, &source, 0, &error) == HAUL_OK);
    check_or_stop(plan.stream_count == STREAMS);
    plan.streams[1].bytes = UINT64_C(1) << 30; /* for table files */
    memset(positions, 0, sizeof(positions));
    positions[0].next_batch = 1;
    positions[0].resumable = true;
    positions[0].last_key = slice_of(key, 2);
    positions[1].stream = 1;
}

static void look(bool was_failed)
{
    (void)was_failed;
    plan_fini(&plan);
}

/* --- appliers --------------------------------------------------------------------------------- */

static enum haul_status set_up(void)
{
    struct applier *applier = NULL;
    const struct applier_options options = {.store = &failing.base,
                                            .plan = &plan,
                                            .lane = HAUL_LANE_INGEST,
                                            .thread_count = THREADS,
                                            .slot_size_bytes = SLOT_BYTES,
                                            .block_count_max = BLOCKS,
                                            .table_size_bytes = 1 << 20,
                                            .staging_directory = "/db/haul",
                                            .job = "00",
                                            .positions = positions};
    enum haul_status status = applier_create(&options, &applier, &error);
    check((status == HAUL_OK) == (applier != NULL));
    applier_destroy(applier);
    return status;
}

static void test_applier_create__nth_allocation_fails__no_memory_and_nothing_is_left(void)
{
    static const struct failing_step step = {
        .error = &error, .prepare = start, .act = set_up, .look = look, .fixed_path = true};
    failing_sweep(&step);
}

/* --- batches ---------------------------------------------------------------------------------- */

static enum haul_status take(struct apply_stream *stream, uint64_t number, const char *put_key)
{
    uint8_t bytes[256];
    struct raw_batch_writer writer;
    struct slot_header header = {.batch = number, .record_count = 1};
    uint64_t records = 0;
    raw_batch_begin(&writer, bytes, sizeof(bytes));
    check(raw_batch_put(&writer, 0, slice_of(put_key, strlen(put_key)), slice_of("v", 1)));
    enum haul_status status = apply_stream_take(
        stream, &header, slice_of(bytes, raw_batch_finish(&writer)), &records, &error);
    check(status != HAUL_OK || records == 1);
    return status;
}

/* One batch, behind what has come already, and the position behind it. */
static enum haul_status apply(const struct plan_stream *planned)
{
    struct apply_stream stream;
    struct stream_position position;
    const struct apply_stream_options options = {.store = &failing.base,
                                                 .plan = &plan,
                                                 .stream = planned,
                                                 .lane = apply_lane_table(HAUL_LANE_WRITE_BATCH),
                                                 .staging_stem = "",
                                                 .position = &positions[planned == NULL],
                                                 .hooks = &hooks};
    uint64_t number = planned == NULL ? 0 : 1;
    enum haul_status status = apply_stream_init(&stream, &options, &error);
    if (status == HAUL_OK) {
        status = take(&stream, number, "kc and more than the last key had");
    }
    if (status == HAUL_OK) {
        check(written_bytes > EMPTY_BATCH_BYTES);
        status = apply_stream_flush(&stream, &error);
    }
    if (status == HAUL_OK) {
        status = apply_stream_position(&stream, &position);
        check(status != HAUL_OK || position.next_batch == number + 1);
        check(status == HAUL_OK ||
              haul_error_set(&error, status, NULL, 0, "no position") == status);
        stream_position_fini(&position);
    }
    apply_stream_fini(&stream);
    return status;
}

static enum haul_status apply_snapshot(void)
{
    return apply(&plan.streams[0]);
}

static enum haul_status apply_delta(void)
{
    return apply(NULL);
}

static void test_apply_stream_take__nth_call_fails__told_and_nothing_is_left(void)
{
    static const struct failing_step snapshot = {.error = &error,
                                                 .prepare = start,
                                                 .act = apply_snapshot,
                                                 .look = look,
                                                 .fixed_path = true,
                                                 .store_calls_min = 1};
    /* What only the digests of the changes lack is told when these are read. */
    static const struct failing_step delta = {.error = &error,
                                              .prepare = start,
                                              .act = apply_delta,
                                              .look = look,
                                              .fixed_path = true,
                                              .store_calls_min = 2,
                                              .silent_store = 1,
                                              .silent_memory = true};
    failing_sweep(&snapshot);
    failing_sweep(&delta);
}

/* --- answers ---------------------------------------------------------------------------------- */

static enum haul_status answer(void)
{
    const struct target_journal journal = {.plan = plan, .positions = positions};
    struct message message;
    enum haul_status status = target_answer_accepted(&journal, &message);
    if (status == HAUL_OK) {
        check_equal(message.as.plan_accepted.family_ids_count, 1);
        check_equal(message.as.plan_accepted.positions_count, STREAMS);
    } else {
        haul_error_set(&error, status, NULL, 0, "not answered");
    }
    message_release(&message);
    return status;
}

static void test_target_answer_accepted__nth_allocation_fails__no_memory_and_nothing_is_left(void)
{
    static const struct failing_step step = {
        .error = &error, .prepare = start, .act = answer, .look = look, .fixed_path = true};
    failing_sweep(&step);
}

/* --- overwriting ------------------------------------------------------------------------------ */

static void make_plan(const char *from, const char *to)
{
    const struct haul_range range = {.start = slice_of(from, 1), .end = slice_of(to, 1)};
    const struct haul_source_options asked = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH, .overwrite = true};
    check_or_stop(plan_make(&plan, &failing.base, &asked, 0, &error) == HAUL_OK);
}

/* k to l was given away; the plan takes k to m, where there are no records. */
static void start_given(void)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {1};
    static const struct haul_hooks no_hooks;
    const struct version_move moved = {.outcome = VERSION_RELEASED,
                                       .job = job,
                                       .peer = "peer/1",
                                       .plan = &plan,
                                       .new_version = 1,
                                       .epoch = 1};
    failing_store_init(NULL, 0);
    make_plan("k", "l");
    check_status(config_version_move(&failing.base, &no_hooks, &moved, &error), HAUL_OK);
    plan_fini(&plan);
    make_plan("k", "m");
}

static enum haul_status check_overwrite(void)
{
    const struct haul_target_options target = {.store = &failing.base};
    return target_overwrite_check(&target, &plan, NULL, 0, &error);
}

static void forget_plan(bool was_failed)
{
    (void)was_failed;
    plan_fini(&plan);
}

static void test_target_overwrite_check__nth_call_fails__told(void)
{
    static const struct failing_step step = {.error = &error,
                                             .prepare = start_given,
                                             .act = check_overwrite,
                                             .look = forget_plan,
                                             .disk_calls_min = 1};
    failing_sweep(&step);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_applier_create__nth_allocation_fails__no_memory_and_nothing_is_left),
    CHECK_TEST(test_apply_stream_take__nth_call_fails__told_and_nothing_is_left),
    CHECK_TEST(test_target_answer_accepted__nth_allocation_fails__no_memory_and_nothing_is_left),
    CHECK_TEST(test_target_overwrite_check__nth_call_fails__told),
};
CHECK_MAIN("target_memory", tests)
