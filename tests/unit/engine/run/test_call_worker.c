/* SPDX-License-Identifier: Apache-2.0 */
/* test_call_worker.c — the order of calls, their results, and an end that performs all accepted
 * calls. */
#include "call_worker.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "few_descriptors.h"

enum { CALL_COUNT = 40, WAIT_MS = 20000 };

static struct call_worker *worker;
static struct call calls[CALL_COUNT];
static struct call *order[CALL_COUNT]; /* in the order of execution */
static size_t ran;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: calls block */

static void run_call(void *context, struct haul_error *error)
{
    (void)pthread_mutex_lock(&gate);
    order[ran++] = context;
    (void)pthread_mutex_unlock(&gate);
    (void)haul_error_set(error, HAUL_NO_SPACE, "run_call", 0, "made up by the test");
}

static void start(void)
{
    struct haul_error error;
    memset(calls, 0, sizeof(calls));
    ran = 0;
    check_or_stop(call_worker_create(&worker, &error) == HAUL_OK);
    for (size_t i = 0; i < CALL_COUNT; i++) {
        calls[i] = (struct call){.run = run_call, .context = &calls[i]};
    }
}

static bool wait_for_result(void)
{
    struct pollfd wait = {.fd = call_worker_fd(worker), .events = POLLIN};
    return poll(&wait, 1, WAIT_MS) == 1;
}

static bool has_result(void)
{
    struct pollfd wait = {.fd = call_worker_fd(worker), .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

static void test_call_worker_result__nothing_submitted__none(void)
{
    start();
    check(call_worker_result(worker) == NULL);
    check(!has_result());
    call_worker_destroy(worker);
}

static void test_call_worker_submit__one_call__result_and_error_come_back(void)
{
    start();
    call_worker_submit(worker, &calls[0]);
    check(calls[0].under_way);
    check_or_stop(wait_for_result());
    check(call_worker_result(worker) == &calls[0]);
    check(!calls[0].under_way);
    check_status(calls[0].error.status, HAUL_NO_SPACE);
    check_text(calls[0].error.text, "made up by the test");
    check(!has_result());
    call_worker_destroy(worker);
}

static void run_well(void *context, struct haul_error *error)
{
    (void)context;
    (void)error;
}

static void test_call_worker_submit__failed_before__error_of_then_is_gone(void)
{
    start();
    call_worker_submit(worker, &calls[0]);
    check_or_stop(wait_for_result());
    check(call_worker_result(worker) == &calls[0]);
    calls[0].run = run_well;
    call_worker_submit(worker, &calls[0]);
    check_or_stop(wait_for_result());
    check(call_worker_result(worker) == &calls[0]);
    check_status(calls[0].error.status, HAUL_OK);
    check_text(calls[0].error.text, "");
    call_worker_destroy(worker);
}

/* More than any fixed queue would hold, all of them after one that blocks. */
static void test_call_worker_submit__many_behind_one_that_blocks__all_run_in_order(void)
{
    start();
    (void)pthread_mutex_lock(&gate);
    for (size_t i = 0; i < CALL_COUNT; i++) {
        call_worker_submit(worker, &calls[i]);
    }
    check(call_worker_result(worker) == NULL);
    (void)pthread_mutex_unlock(&gate);
    for (size_t i = 0; i < CALL_COUNT; i++) {
        check_or_stop(wait_for_result());
        check(call_worker_result(worker) == &calls[i]);
        check(order[i] == &calls[i]);
    }
    check(!has_result());
    call_worker_destroy(worker);
}

static void test_call_worker_submit__result_taken__may_be_submitted_again(void)
{
    start();
    for (size_t i = 0; i < CALL_COUNT; i++) {
        call_worker_submit(worker, &calls[0]);
        check_or_stop(wait_for_result());
        check(call_worker_result(worker) == &calls[0]);
    }
    check_equal(ran, CALL_COUNT);
    call_worker_destroy(worker);
}

static void test_call_worker_destroy__calls_wait__they_are_run(void)
{
    start();
    (void)pthread_mutex_lock(&gate);
    for (size_t i = 0; i < CALL_COUNT; i++) {
        call_worker_submit(worker, &calls[i]);
    }
    (void)pthread_mutex_unlock(&gate);
    call_worker_destroy(worker);
    check_equal(ran, CALL_COUNT);
}

static void test_call_worker_destroy__none__nothing(void)
{
    call_worker_destroy(NULL);
    check(true);
}

static void test_call_worker_create__no_descriptor__limit(void)
{
    struct haul_error error;
    few_descriptors_begin(0);
    enum haul_status status = call_worker_create(&worker, &error);
    few_descriptors_end();
    check_status(status, HAUL_LIMIT);
    check_status(error.status, HAUL_LIMIT);
    check_text(error.call, "eventfd");
}

static const struct check_test tests[] = {
    CHECK_TEST(test_call_worker_create__no_descriptor__limit),
    CHECK_TEST(test_call_worker_result__nothing_submitted__none),
    CHECK_TEST(test_call_worker_submit__one_call__result_and_error_come_back),
    CHECK_TEST(test_call_worker_submit__failed_before__error_of_then_is_gone),
    CHECK_TEST(test_call_worker_submit__many_behind_one_that_blocks__all_run_in_order),
    CHECK_TEST(test_call_worker_submit__result_taken__may_be_submitted_again),
    CHECK_TEST(test_call_worker_destroy__calls_wait__they_are_run),
    CHECK_TEST(test_call_worker_destroy__none__nothing),
};

CHECK_MAIN("call_worker", tests)
