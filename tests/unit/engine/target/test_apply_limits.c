/* SPDX-License-Identifier: Apache-2.0 */
/* test_apply_limits.c — the longest keys that a stream accepts from a peer, and one byte more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_stream.h"
#include "check.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum { BATCH_BYTES_MAX = 2 * HAUL_KEY_BYTES_MAX + 4096 };

static struct rocks_fixture fixture;
static struct plan plan;
static struct apply_stream stream;
static struct haul_error error;
static uint8_t *key;
static uint8_t *memory;

static void begin(void)
{
    struct haul_source_options planned = {.lane = HAUL_LANE_WRITE_BATCH};
    rocks_fixture_open(&fixture);
    check_or_stop(plan_make(&plan, fixture.store, &planned, 0, &error) == HAUL_OK);
    struct apply_stream_options options = {.store = fixture.store,
                                           .plan = &plan,
                                           .lane = apply_lane_table(HAUL_LANE_WRITE_BATCH),
                                           .staging_stem = ""};
    check_or_stop(apply_stream_init(&stream, &options, &error) == HAUL_OK);
    key = malloc(HAUL_KEY_BYTES_MAX + 1);
    memory = malloc(BATCH_BYTES_MAX);
    check_or_stop(key != NULL && memory != NULL);
    memset(key, 'k', HAUL_KEY_BYTES_MAX + 1);
}

static void end(void)
{
    free(key);
    free(memory);
    apply_stream_fini(&stream);
    plan_fini(&plan);
    rocks_fixture_close(&fixture);
}

/* A batch of one record; `size` of its key, or of the end of its range. */
static enum haul_status take(enum raw_tag kind, size_t size)
{
    struct raw_batch_writer writer;
    struct slot_header header = {.batch = stream.next_batch, .record_count = 1};
    uint64_t applied = 0;
    bool fits = false;
    raw_batch_begin(&writer, memory, BATCH_BYTES_MAX);
    if (kind == RAW_PUT) {
        fits = raw_batch_put(&writer, 0, slice_of(key, size), text_slice("v"));
    } else {
        fits = raw_batch_delete_range(&writer, 0, text_slice("a"), slice_of(key, size));
    }
    check_or_stop(fits);
    struct haul_slice batch = slice_of(memory, raw_batch_finish(&writer));
    memset(&error, 0, sizeof(error));
    return apply_stream_take(&stream, &header, batch, &applied, &error);
}

static void test_apply_stream_take__longest_keys__taken_and_not_one_byte_more(void)
{
    static const enum raw_tag kinds[] = {RAW_PUT, RAW_DELETE_RANGE};
    for (size_t i = 0; i < CHECK_COUNT(kinds); i++) {
        begin();
        check_status(take(kinds[i], HAUL_KEY_BYTES_MAX + 1), HAUL_PROTOCOL);
        check(strstr(error.text, "too large") != NULL);
        check_equal(stream.next_batch, 0);
        check_equal(fixture.store->ops->sequence(fixture.store), 0);
        check_status(take(kinds[i], HAUL_KEY_BYTES_MAX), HAUL_OK);
        check_equal(stream.next_batch, 1);
        check_equal(fixture.store->ops->sequence(fixture.store), 1);
        end();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_apply_stream_take__longest_keys__taken_and_not_one_byte_more),
};

CHECK_MAIN("apply_limits", tests)
