/* SPDX-License-Identifier: Apache-2.0 */
/* test_position_queue.c — positions on their way into the journal. */
#include "position_queue.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static struct position_queue queue;

static void add_position(uint32_t stream, bool resumable, bool finished)
{
    struct stream_position *positions = calloc(1, sizeof(*positions));
    check_or_stop(positions != NULL);
    positions->stream = stream;
    positions->last_key = slice_of(calloc(1, 1), 1);
    positions->resumable = resumable;
    positions->finished = finished;
    check_status(position_queue_add(&queue, positions, 1), HAUL_OK);
}

static void add(uint32_t stream)
{
    add_position(stream, true, false);
}

static void test_position_queue_take__empty__nothing(void)
{
    memset(&queue, 0, sizeof(queue));
    check(!position_queue_take(&queue));
    check(!position_queue_is_busy(&queue));
}

static void test_position_queue_take__two_added__both_in_order(void)
{
    memset(&queue, 0, sizeof(queue));
    add(3);
    add(4);
    check(position_queue_take(&queue));
    check_equal(queue.taken_count, 2);
    check_equal(queue.taken[0].stream, 3);
    check_equal(queue.taken[1].stream, 4);
    position_queue_fini(&queue);
}

static void test_position_queue_take__while_busy__waits_for_done(void)
{
    memset(&queue, 0, sizeof(queue));
    add(1);
    check(position_queue_take(&queue));
    add(2);
    check(!position_queue_take(&queue));
    position_queue_done(&queue);
    check(!position_queue_is_busy(&queue));
    check(position_queue_take(&queue));
    check_equal(queue.taken[0].stream, 2);
    position_queue_fini(&queue);
}

static void test_position_queue_add__nothing_could_go_on_from_there__left_out(void)
{
    memset(&queue, 0, sizeof(queue));
    add_position(1, false, false);
    check(!position_queue_take(&queue));
    add(2);
    check(position_queue_take(&queue));
    check_equal(queue.taken_count, 1);
    check_equal(queue.taken[0].stream, 2);
    position_queue_fini(&queue);
}

static void test_position_queue_taken_finished__some_are__counted(void)
{
    memset(&queue, 0, sizeof(queue));
    add_position(1, true, true);
    add(2);
    add_position(3, true, true);
    check_equal(position_queue_taken_finished(&queue), 0); /* they wait */
    check(position_queue_take(&queue));
    check_equal(position_queue_taken_finished(&queue), 2);
    position_queue_done(&queue);
    check_equal(position_queue_taken_finished(&queue), 0);
    position_queue_fini(&queue);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_position_queue_take__empty__nothing),
    CHECK_TEST(test_position_queue_take__two_added__both_in_order),
    CHECK_TEST(test_position_queue_take__while_busy__waits_for_done),
    CHECK_TEST(test_position_queue_add__nothing_could_go_on_from_there__left_out),
    CHECK_TEST(test_position_queue_taken_finished__some_are__counted),
};

CHECK_MAIN("position_queue", tests)
