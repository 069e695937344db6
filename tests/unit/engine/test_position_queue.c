/* SPDX-License-Identifier: Apache-2.0 */
/* test_position_queue.c — positions on their way into the journal. */
#include "position_queue.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static struct position_queue queue;

static void add(uint32_t stream, size_t key_size)
{
    struct stream_position *positions = calloc(1, sizeof(*positions));
    check_or_stop(positions != NULL);
    positions->stream = stream;
    positions->last_key = calloc(1, key_size + 1);
    positions->last_key_size = key_size;
    position_queue_add(&queue, positions, 1);
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
    add(3, 5);
    add(4, 0);
    check(position_queue_take(&queue));
    check_equal(queue.taken_count, 2);
    check_equal(queue.taken[0].stream, 3);
    check_equal(queue.taken[1].stream, 4);
    position_queue_fini(&queue);
}

static void test_position_queue_take__while_busy__waits_for_done(void)
{
    memset(&queue, 0, sizeof(queue));
    add(1, 1);
    check(position_queue_take(&queue));
    add(2, 1);
    check(!position_queue_take(&queue));
    position_queue_done(&queue);
    check(!position_queue_is_busy(&queue));
    check(position_queue_take(&queue));
    check_equal(queue.taken[0].stream, 2);
    position_queue_fini(&queue);
}

static void test_position_queue_add__key_too_long_for_a_message__dropped(void)
{
    memset(&queue, 0, sizeof(queue));
    add(1, POSITION_KEY_BYTES_MAX + 1);
    check(!position_queue_take(&queue));
    add(2, POSITION_KEY_BYTES_MAX);
    check(position_queue_take(&queue));
    check_equal(queue.taken_count, 1);
    check_equal(queue.taken[0].stream, 2);
    position_queue_fini(&queue);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_position_queue_take__empty__nothing),
    CHECK_TEST(test_position_queue_take__two_added__both_in_order),
    CHECK_TEST(test_position_queue_take__while_busy__waits_for_done),
    CHECK_TEST(test_position_queue_add__key_too_long_for_a_message__dropped),
};

CHECK_MAIN("position_queue", tests)
