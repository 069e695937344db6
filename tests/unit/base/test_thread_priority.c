/* SPDX-License-Identifier: Apache-2.0 */
/* test_thread_priority.c — each case runs in a thread of its own, because niceness cannot be
 * lowered again. */
#include "thread_priority.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "check.h"

struct standing {
    int policy;
    int niceness;
};

static struct standing before;
static struct standing after;

static struct standing of_this_thread(void)
{
    return (struct standing){.policy = sched_getscheduler(0),
                             .niceness = getpriority(PRIO_PROCESS, 0)};
}

static void *wait_turn(void *ignored)
{
    before = of_this_thread();
    thread_priority_wait_turn();
    after = of_this_thread();
    return ignored;
}

static void *step_back(void *ignored)
{
    before = of_this_thread();
    thread_priority_step_back();
    after = of_this_thread();
    return ignored;
}

static void *step_back_far(void *ignored)
{
    for (int i = 0; i < 10; i++) {
        thread_priority_step_back();
    }
    after = of_this_thread();
    return ignored;
}

static void *wait_turn_and_step_back(void *ignored)
{
    before = of_this_thread();
    thread_priority_wait_turn();
    thread_priority_step_back();
    after = of_this_thread();
    return ignored;
}

static void *of_a_chosen_policy(void *ignored)
{
    const struct sched_param none = {.sched_priority = 0};
    check(sched_setscheduler(0, SCHED_IDLE, &none) == 0); /* needs no privilege */
    before = of_this_thread();
    thread_priority_wait_turn();
    thread_priority_step_back();
    after = of_this_thread();
    return ignored;
}

static void run(void *(*body)(void *))
{
    pthread_t thread;
    check_or_stop(pthread_create(&thread, NULL, body, NULL) == 0);
    check_or_stop(pthread_join(thread, NULL) == 0);
}

static void test_thread_priority_wait_turn__ordinary_thread__batch_of_the_same_share(void)
{
    run(wait_turn);
    if (before.policy == SCHED_OTHER) {
        check_equal(after.policy, SCHED_BATCH);
    }
    check_equal(after.niceness, before.niceness);
}

static void test_thread_priority_step_back__ordinary_thread__five_nicer(void)
{
    run(step_back);
    check_equal(after.policy, before.policy);
    if (before.policy == SCHED_OTHER) {
        check_equal(after.niceness, before.niceness + 5 < 19 ? before.niceness + 5 : 19);
    }
    check_equal(of_this_thread().niceness, before.niceness); /* a different thread */
}

static void test_thread_priority_step_back__at_the_end__stays_there(void)
{
    run(step_back_far);
    if (before.policy == SCHED_OTHER) {
        check_equal(after.niceness, 19);
    }
}

/* The second call does not take the policy that the first one has set for a user's choice. */
static void test_thread_priority__one_call_after_the_other__both_take_effect(void)
{
    run(wait_turn_and_step_back);
    if (before.policy == SCHED_OTHER) {
        check_equal(after.policy, SCHED_BATCH);
        check_equal(after.niceness, before.niceness + 5 < 19 ? before.niceness + 5 : 19);
    }
}

static void test_thread_priority__policy_was_chosen__nothing_changes(void)
{
    run(of_a_chosen_policy);
    check_equal(after.policy, before.policy);
    check_equal(after.niceness, before.niceness);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_thread_priority_wait_turn__ordinary_thread__batch_of_the_same_share),
    CHECK_TEST(test_thread_priority_step_back__ordinary_thread__five_nicer),
    CHECK_TEST(test_thread_priority_step_back__at_the_end__stays_there),
    CHECK_TEST(test_thread_priority__one_call_after_the_other__both_take_effect),
    CHECK_TEST(test_thread_priority__policy_was_chosen__nothing_changes),
};

CHECK_MAIN("thread_priority", tests)
