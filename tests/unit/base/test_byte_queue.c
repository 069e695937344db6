/* SPDX-License-Identifier: Apache-2.0 */
/* test_byte_queue.c — order, growth and moving bytes to the front. */
#include <string.h>

#include "byte_queue.h"
#include "check.h"

static struct byte_queue queue;

static void append(uint8_t value, size_t size)
{
    check_or_stop(byte_queue_reserve(&queue, byte_queue_size(&queue) + size) == HAUL_OK);
    memset(queue.bytes + queue.end, value, size);
    queue.end += size;
}

static bool all_are(const uint8_t *bytes, uint8_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

static void test_byte_queue_reserve__grows__bytes_kept(void)
{
    append(1, 1000);
    append(2, 100000);
    check_equal(byte_queue_size(&queue), 101000);
    check(all_are(queue.bytes + queue.begin, 1, 1000));
    check(all_are(queue.bytes + queue.begin + 1000, 2, 100000));
    byte_queue_fini(&queue);
}

static void test_byte_queue_reserve__room_only_in_front__moved_without_growing(void)
{
    append(1, 3000);
    append(2, 1000);
    size_t capacity = queue.capacity;
    byte_queue_drop(&queue, 3000);
    append(3, capacity - 1000);
    check_equal(queue.capacity, capacity);
    check(all_are(queue.bytes + queue.begin, 2, 1000));
    check(all_are(queue.bytes + queue.begin + 1000, 3, capacity - 1000));
    byte_queue_fini(&queue);
}

static void test_byte_queue_drop__the_last_byte__starts_over_at_the_front(void)
{
    append(1, 10);
    byte_queue_drop(&queue, 4);
    check_equal(queue.begin, 4);
    byte_queue_drop(&queue, 6);
    check_equal(queue.begin, 0);
    check_equal(byte_queue_size(&queue), 0);
    byte_queue_fini(&queue);
}

static void test_byte_queue_fini__never_used__nothing(void)
{
    byte_queue_fini(&queue);
    check(queue.bytes == NULL);
    check_equal(queue.capacity, 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_byte_queue_reserve__grows__bytes_kept),
    CHECK_TEST(test_byte_queue_reserve__room_only_in_front__moved_without_growing),
    CHECK_TEST(test_byte_queue_drop__the_last_byte__starts_over_at_the_front),
    CHECK_TEST(test_byte_queue_fini__never_used__nothing),
};
CHECK_MAIN("byte_queue", tests)
