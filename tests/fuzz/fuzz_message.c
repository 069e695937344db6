/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_message.c — control messages as a peer may send them: type byte, body.
 *
 * What decodes also encodes again, from then on to the same bytes; an accepted plan is sound. */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "fuzz_target.h"
#include "plan.h"

static void check_range(const struct key_range *range)
{
    struct haul_slice start = key_range_start(range);
    struct haul_slice end = key_range_end(range);
    haul_assert(start.size <= PLAN_RANGE_KEY_BYTES_MAX && end.size <= PLAN_RANGE_KEY_BYTES_MAX);
    haul_assert(end.size == 0 || slice_compare(start, end) < 0);
}

/* What all code after plan_from_message relies on. */
static void check_plan(const struct plan *plan)
{
    haul_assert(plan->family_count > 0 && plan->family_count <= HAUL_FAMILY_COUNT_MAX);
    haul_assert(plan->range_count > 0 && plan->range_count <= HAUL_RANGE_COUNT_MAX);
    haul_assert(plan->stream_count > 0 && plan->stream_count <= PLAN_STREAM_COUNT_MAX);
    haul_assert(plan->new_version > plan->old_version);
    for (size_t i = 0; i < plan->range_count; i++) {
        check_range(&plan->ranges[i]);
        for (size_t other = 0; other < i; other++) {
            haul_assert(!key_range_overlaps(&plan->ranges[i], &plan->ranges[other]));
        }
    }
    for (size_t i = 0; i < plan->stream_count; i++) {
        const struct plan_stream *stream = &plan->streams[i];
        check_range(&stream->range);
        haul_assert(stream->id == i && stream->family < plan->family_count);
        haul_assert(plan_contains(plan, key_range_start(&stream->range)));
        for (size_t other = 0; other < i; other++) {
            haul_assert(plan->streams[other].family != stream->family ||
                        !key_range_overlaps(&stream->range, &plan->streams[other].range));
        }
    }
}

/* Streams cover each range of each family, in order. */
static void check_covered(const struct plan *plan)
{
    size_t at = 0;
    for (size_t i = 0; i < plan->family_count * plan->range_count; i++) {
        const struct key_range *range = &plan->ranges[i % plan->range_count];
        struct haul_slice reached = key_range_start(range);
        bool covered = false;
        while (!covered) {
            haul_assert(at < plan->stream_count);
            const struct plan_stream *stream = &plan->streams[at++];
            haul_assert(stream->family == i / plan->range_count);
            haul_assert(slice_compare(key_range_start(&stream->range), reached) == 0);
            reached = key_range_end(&stream->range);
            covered = slice_compare(reached, key_range_end(range)) == 0;
            haul_assert(covered || reached.size > 0);
        }
    }
    haul_assert(at == plan->stream_count);
}

static void try_plan(const struct message *message)
{
    struct haul_error error;
    struct plan plan;
    enum haul_status status = plan_from_message(&plan, message, &error);
    if (status != HAUL_OK) {
        haul_assert(status == HAUL_PROTOCOL && error.status == status);
        return;
    }
    check_plan(&plan);
    check_covered(&plan);
    struct message again;
    struct plan same;
    expect_status(plan_to_message(&plan, &again), HAUL_OK);
    expect_status(plan_from_message(&same, &again, &error), HAUL_OK);
    haul_assert(plan_equal(&plan, &same));
    message_release(&again);
    plan_fini(&same);
    plan_fini(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = cursor_of(data, size);
    unsigned type = cursor_u8(&input);
    struct haul_slice body = cursor_slice(&input, cursor_left(&input));
    struct haul_error error;
    struct message message;
    enum haul_status status = message_decode(type, body, &message, &error);
    if (status != HAUL_OK) {
        haul_assert(status == HAUL_PROTOCOL && error.status == status);
        return 0;
    }
    uint8_t *once;
    uint8_t *twice;
    size_t once_size;
    size_t twice_size;
    struct message again;
    expect_status(message_encode(&message, &once, &once_size), HAUL_OK);
    expect_status(message_decode(type, slice_of(once, once_size), &again, &error), HAUL_OK);
    expect_status(message_encode(&again, &twice, &twice_size), HAUL_OK);
    haul_assert(once_size == twice_size && memcmp(once, twice, once_size) == 0);
    if (type == MESSAGE_PLAN) {
        try_plan(&message);
    }
    free(once);
    free(twice);
    message_release(&again);
    message_release(&message);
    return 0;
}
