/* SPDX-License-Identifier: Apache-2.0 */
/* test_freeze_calls.c — the freeze hooks of an owner under a session that changes its mind. */
#include "freeze_calls.h"

#include <poll.h>
#include <pthread.h>

#include "check.h"

enum { LOSSES = 20, WAIT_MS = 20000 };

static struct call_worker *worker;
static struct freeze_calls calls;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: the freeze hook blocks */
static enum haul_status freeze_status;
static int freezes;
static int unfreezes;
static bool frozen;

static void hook_freeze(void *context, struct haul_error *error)
{
    (void)context;
    (void)pthread_mutex_lock(&gate);
    freezes++;
    check(!frozen); /* the hooks alternate */
    frozen = true;
    error->status = freeze_status;
    (void)pthread_mutex_unlock(&gate);
}

static void hook_unfreeze(void *context, struct haul_error *error)
{
    (void)context;
    unfreezes++;
    check(frozen);
    frozen = false;
    error->status = HAUL_OK;
}

static void start(void)
{
    struct haul_error error;
    freezes = 0;
    unfreezes = 0;
    frozen = false;
    freeze_status = HAUL_OK;
    check_or_stop(call_worker_create(&worker, &error) == HAUL_OK);
    freeze_calls_init(&calls, worker, hook_freeze, hook_unfreeze, NULL);
}

/* Take results until the hooks are idle. Returns how many answers the session would have got. */
static int settle(void)
{
    int answers = 0;
    struct pollfd wait = {.fd = call_worker_fd(worker), .events = POLLIN};
    while (freeze_calls_are_busy(&calls)) {
        check_or_stop(poll(&wait, 1, WAIT_MS) == 1);
        const struct call *call = call_worker_result(worker);
        check_or_stop(call != NULL);
        answers += freeze_calls_returned(&calls, call);
    }
    return answers;
}

static void finish(void)
{
    call_worker_destroy(worker);
}

static void test_freeze_calls_freeze__hook_returns__one_answer(void)
{
    start();
    freeze_calls_freeze(&calls);
    check_equal(settle(), 1);
    check_equal(calls.state, FREEZE_CALLS_FROZEN);
    check_equal(unfreezes, 0);
    freeze_calls_unfreeze(&calls);
    check_equal(settle(), 0);
    check_equal(calls.state, FREEZE_CALLS_THAWED);
    check_equal(unfreezes, 1);
    finish();
}

static void test_freeze_calls_freeze__hook_fails__answer_and_unfreeze(void)
{
    start();
    freeze_status = HAUL_TIMEOUT;
    freeze_calls_freeze(&calls);
    check_equal(settle(), 1);
    check_status(calls.freeze.error.status, HAUL_TIMEOUT);
    freeze_calls_unfreeze(&calls);
    check_equal(settle(), 0);
    check_equal(unfreezes, 1);
    finish();
}

static void test_freeze_calls_unfreeze__hook_blocks__unfreeze_comes_behind_it(void)
{
    start();
    (void)pthread_mutex_lock(&gate);
    freeze_calls_freeze(&calls);
    freeze_calls_unfreeze(&calls);
    check(freeze_calls_are_busy(&calls));
    (void)pthread_mutex_unlock(&gate);
    check_equal(settle(), 0); /* nobody waits for its answer */
    check_equal(freezes, 1);
    check_equal(unfreezes, 1);
    check(!frozen);
    finish();
}

/* The answer to the first freeze does not answer the second: writes went on in between. */
static void test_freeze_calls_freeze__taken_back_and_wanted_again__frozen_anew(void)
{
    start();
    (void)pthread_mutex_lock(&gate);
    freeze_calls_freeze(&calls);
    freeze_calls_unfreeze(&calls);
    freeze_calls_freeze(&calls);
    (void)pthread_mutex_unlock(&gate);
    check_equal(settle(), 1);
    check_equal(freezes, 2);
    check_equal(unfreezes, 1);
    check(frozen);
    finish();
}

static void lose_path_often(void)
{
    freeze_calls_freeze(&calls);
    for (int i = 0; i < LOSSES; i++) {
        freeze_calls_unfreeze(&calls);
        freeze_calls_freeze(&calls);
    }
}

static void test_freeze_calls_freeze__twenty_losses_while_the_hook_blocks__one_pair_more(void)
{
    start();
    (void)pthread_mutex_lock(&gate);
    lose_path_often();
    (void)pthread_mutex_unlock(&gate);
    check_equal(settle(), 1);
    check_equal(freezes, 2);
    check_equal(unfreezes, 1);
    check(frozen);
    finish();
}

static void test_freeze_calls_unfreeze__twenty_losses_while_the_hook_blocks__thawed(void)
{
    start();
    (void)pthread_mutex_lock(&gate);
    lose_path_often();
    freeze_calls_unfreeze(&calls);
    (void)pthread_mutex_unlock(&gate);
    check_equal(settle(), 0);
    check_equal(freezes, 1);
    check_equal(unfreezes, 1);
    check(!frozen);
    finish();
}

static void test_freeze_calls_unfreeze__not_frozen__hook_is_not_called(void)
{
    start();
    freeze_calls_unfreeze(&calls);
    check_equal(settle(), 0);
    check_equal(unfreezes, 0);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_freeze_calls_freeze__hook_returns__one_answer),
    CHECK_TEST(test_freeze_calls_freeze__hook_fails__answer_and_unfreeze),
    CHECK_TEST(test_freeze_calls_unfreeze__hook_blocks__unfreeze_comes_behind_it),
    CHECK_TEST(test_freeze_calls_freeze__taken_back_and_wanted_again__frozen_anew),
    CHECK_TEST(test_freeze_calls_freeze__twenty_losses_while_the_hook_blocks__one_pair_more),
    CHECK_TEST(test_freeze_calls_unfreeze__twenty_losses_while_the_hook_blocks__thawed),
    CHECK_TEST(test_freeze_calls_unfreeze__not_frozen__hook_is_not_called),
};

CHECK_MAIN("freeze_calls", tests)
