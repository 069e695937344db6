/* SPDX-License-Identifier: Apache-2.0 */
/* test_condition.c — deadlines are those of the monotonic clock, and a signal ends a wait. */
#include "condition.h"

#include "check.h"
#include "clock.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition;
static bool is_signalled;

static uint64_t now_ns(void)
{
    return clock_now_ns(&clock_monotonic);
}

static void *signal_once(void *argument)
{
    (void)argument;
    (void)pthread_mutex_lock(&lock);
    is_signalled = true;
    (void)pthread_cond_signal(&condition);
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

/* Nobody signals: the waits end with the deadline, and not before it. */
static void test_condition_wait__nobody_signals__until_the_deadline(void)
{
    condition_init(&condition);
    (void)pthread_mutex_lock(&lock);
    uint64_t deadline_ns = now_ns() + 20 * NS_PER_MS;
    while (condition_wait(&condition, &lock, deadline_ns)) {
        /* for no reason */
    }
    check(now_ns() >= deadline_ns);
    check(!condition_wait(&condition, &lock, now_ns() - NS_PER_MS));
    check(!condition_wait(&condition, &lock, 0)); /* do not wait */
    (void)pthread_mutex_unlock(&lock);
    (void)pthread_cond_destroy(&condition);
}

static void test_condition_wait__signalled__before_any_deadline(void)
{
    const uint64_t deadlines[] = {now_ns() + 3600 * NS_PER_S, CLOCK_NEVER};
    for (size_t i = 0; i < CHECK_COUNT(deadlines); i++) {
        pthread_t thread;
        bool in_time = true;
        is_signalled = false;
        condition_init(&condition);
        (void)pthread_mutex_lock(&lock);
        check_or_stop(pthread_create(&thread, NULL, signal_once, NULL) == 0);
        while (!is_signalled && in_time) {
            in_time = condition_wait(&condition, &lock, deadlines[i]);
        }
        check(in_time);
        (void)pthread_mutex_unlock(&lock);
        (void)pthread_join(thread, NULL);
        (void)pthread_cond_destroy(&condition);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_condition_wait__nobody_signals__until_the_deadline),
    CHECK_TEST(test_condition_wait__signalled__before_any_deadline),
};

CHECK_MAIN("condition", tests)
