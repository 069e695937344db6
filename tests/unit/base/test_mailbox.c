/* SPDX-License-Identifier: Apache-2.0 */
/* test_mailbox.c — the bounded queue between threads: order, bounds, waits, the descriptor. */
#include "mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "check.h"
#include "clock.h"

enum { CAPACITY = 3, MESSAGE_COUNT = 5000, WAIT_MS = 20000 };

static struct mailbox *mailbox;

static void open_mailbox(void)
{
    mailbox_destroy(mailbox);
    mailbox = NULL;
    check_or_stop(mailbox_create(CAPACITY, sizeof(uint64_t), &mailbox) == HAUL_OK);
}

/* The linker replaces the C library's function by this one (--wrap). */
static atomic_int timed_waits;
int __real_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    timed_waits++;
    return __real_pthread_cond_timedwait(condition, mutex, until);
}

static void close_mailbox(void)
{
    mailbox_destroy(mailbox);
    mailbox = NULL;
}

static enum haul_status push(uint64_t value)
{
    return mailbox_push(mailbox, &value);
}

static void check_pop(uint64_t expected)
{
    uint64_t value = ~expected;
    check_status(mailbox_pop(mailbox, &value), HAUL_OK);
    check_equal(value, expected);
}

static bool is_readable(void)
{
    struct pollfd watched = {.fd = mailbox_fd(mailbox), .events = POLLIN};
    return poll(&watched, 1, 0) == 1;
}

static uint64_t soon_ns(void)
{
    return clock_deadline_ns(&clock_monotonic, 1);
}

static uint64_t late_ns(void)
{
    return clock_deadline_ns(&clock_monotonic, WAIT_MS);
}

static void test_mailbox_pop__several_messages__in_order(void)
{
    open_mailbox();
    for (uint64_t round = 0; round < 10; round++) { /* around the ring */
        check_status(push(2 * round), HAUL_OK);
        check_status(push(2 * round + 1), HAUL_OK);
        check_equal(mailbox_count(mailbox), 2);
        check_pop(2 * round);
        check_pop(2 * round + 1);
    }
    close_mailbox();
}

static void test_mailbox_push__full__again(void)
{
    open_mailbox();
    for (uint64_t i = 0; i < CAPACITY; i++) {
        check_status(push(i), HAUL_OK);
    }
    check_status(push(9), HAUL_AGAIN);
    check_equal(mailbox_count(mailbox), CAPACITY);
    check_pop(0);
    check_status(push(9), HAUL_OK);
    close_mailbox();
}

static void test_mailbox_pop__empty__again(void)
{
    uint64_t value;
    open_mailbox();
    check_status(mailbox_pop(mailbox, &value), HAUL_AGAIN);
    close_mailbox();
}

/* A loop polls its mailboxes in every turn. A wait for a time that has passed costs 20 us, because
 * the system sets a timer and puts the thread to sleep. */
static void test_mailbox_pop__empty__does_not_wait(void)
{
    uint64_t value;
    open_mailbox();
    timed_waits = 0;
    check_status(mailbox_pop(mailbox, &value), HAUL_AGAIN);
    check_equal(timed_waits, 0);
    check_status(mailbox_pop_wait(mailbox, &value, soon_ns()), HAUL_TIMEOUT);
    check(timed_waits > 0);
    close_mailbox();
}

static void test_mailbox_push__full__does_not_wait(void)
{
    open_mailbox();
    for (uint64_t i = 0; i < CAPACITY; i++) {
        check_status(push(i), HAUL_OK);
    }
    timed_waits = 0;
    check_status(push(CAPACITY), HAUL_AGAIN);
    check_equal(timed_waits, 0);
    close_mailbox();
}

static void test_mailbox_push_wait__full_until_the_deadline__timeout(void)
{
    uint64_t value = 1;
    open_mailbox();
    for (uint64_t i = 0; i < CAPACITY; i++) {
        check_status(push(i), HAUL_OK);
    }
    uint64_t deadline_ns = soon_ns();
    check_status(mailbox_push_wait(mailbox, &value, deadline_ns), HAUL_TIMEOUT);
    check(clock_now_ns(&clock_monotonic) >= deadline_ns);
    close_mailbox();
}

static void test_mailbox_pop_wait__empty_until_the_deadline__timeout(void)
{
    uint64_t value;
    open_mailbox();
    uint64_t deadline_ns = soon_ns();
    check_status(mailbox_pop_wait(mailbox, &value, deadline_ns), HAUL_TIMEOUT);
    check(clock_now_ns(&clock_monotonic) >= deadline_ns);
    close_mailbox();
}

static void test_mailbox_close__messages_inside__popped_then_closed(void)
{
    uint64_t value;
    open_mailbox();
    check_status(push(1), HAUL_OK);
    mailbox_close(mailbox);
    check_status(push(2), HAUL_CLOSED);
    check_pop(1);
    check_status(mailbox_pop(mailbox, &value), HAUL_CLOSED);
    check_status(mailbox_pop_wait(mailbox, &value, CLOCK_NEVER), HAUL_CLOSED);
    close_mailbox();
}

static void test_mailbox_fd__as_messages_come_and_go__readable_while_there_are_some(void)
{
    open_mailbox();
    check(!is_readable());
    check_status(push(1), HAUL_OK);
    check_status(push(2), HAUL_OK);
    check(is_readable());
    check_pop(1);
    check(is_readable());
    check_pop(2);
    check(!is_readable());
    mailbox_close(mailbox);
    check(is_readable());
    close_mailbox();
}

static void *push_all(void *context)
{
    bool *sound = context;
    for (uint64_t i = 0; i < MESSAGE_COUNT; i++) {
        *sound = *sound && mailbox_push_wait(mailbox, &i, late_ns()) == HAUL_OK;
    }
    return NULL;
}

static void test_mailbox_pop_wait__other_thread_pushes__all_in_order(void)
{
    pthread_t thread;
    bool pushed = true;
    bool in_order = true;
    open_mailbox();
    check_or_stop(pthread_create(&thread, NULL, push_all, &pushed) == 0);
    for (uint64_t i = 0; i < MESSAGE_COUNT; i++) {
        uint64_t value = ~i;
        in_order =
            mailbox_pop_wait(mailbox, &value, late_ns()) == HAUL_OK && value == i && in_order;
    }
    check(pthread_join(thread, NULL) == 0);
    check(pushed);
    check(in_order);
    close_mailbox();
}

static void *close_it(void *context)
{
    (void)context;
    mailbox_close(mailbox);
    return NULL;
}

static void test_mailbox_close__other_thread_waits__woken_with_closed(void)
{
    pthread_t thread;
    uint64_t value;
    open_mailbox();
    check_or_stop(pthread_create(&thread, NULL, close_it, NULL) == 0);
    check_status(mailbox_pop_wait(mailbox, &value, late_ns()), HAUL_CLOSED);
    check(pthread_join(thread, NULL) == 0);
    close_mailbox();
}

static void *close_when_somebody_waits(void *context)
{
    const int *before = context;
    while (atomic_load(&timed_waits) == *before) {
        (void)sched_yield();
    }
    mailbox_close(mailbox);
    return NULL;
}

/* The close wakes it, not its deadline. */
static void test_mailbox_close__writer_waits_for_room__woken_with_closed(void)
{
    pthread_t thread;
    uint64_t value = 1;
    int before = atomic_load(&timed_waits);
    uint64_t deadline_ns = late_ns();
    open_mailbox();
    for (int i = 0; i < CAPACITY; i++) {
        check_status(push(value), HAUL_OK);
    }
    check_or_stop(pthread_create(&thread, NULL, close_when_somebody_waits, &before) == 0);
    check_status(mailbox_push_wait(mailbox, &value, deadline_ns), HAUL_CLOSED);
    check(clock_now_ns(&clock_monotonic) < deadline_ns);
    check(pthread_join(thread, NULL) == 0);
    close_mailbox();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_mailbox_pop__several_messages__in_order),
    CHECK_TEST(test_mailbox_push__full__again),
    CHECK_TEST(test_mailbox_pop__empty__again),
    CHECK_TEST(test_mailbox_pop__empty__does_not_wait),
    CHECK_TEST(test_mailbox_push__full__does_not_wait),
    CHECK_TEST(test_mailbox_push_wait__full_until_the_deadline__timeout),
    CHECK_TEST(test_mailbox_pop_wait__empty_until_the_deadline__timeout),
    CHECK_TEST(test_mailbox_close__messages_inside__popped_then_closed),
    CHECK_TEST(test_mailbox_fd__as_messages_come_and_go__readable_while_there_are_some),
    CHECK_TEST(test_mailbox_pop_wait__other_thread_pushes__all_in_order),
    CHECK_TEST(test_mailbox_close__other_thread_waits__woken_with_closed),
    CHECK_TEST(test_mailbox_close__writer_waits_for_room__woken_with_closed),
};

CHECK_MAIN("mailbox", tests)
