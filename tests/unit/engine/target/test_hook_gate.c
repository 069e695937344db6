/* SPDX-License-Identifier: Apache-2.0 */
/* test_hook_gate.c — hooks that two threads call. */
#include "hook_gate.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "check.h"

enum { CALLS = 2000 };

static atomic_uint inside;
static atomic_uint most;
static atomic_uint calls;
static int context;

static void be_inside(const void *given)
{
    check(given == &context);
    unsigned now = atomic_fetch_add(&inside, 1) + 1;
    if (now > atomic_load(&most)) {
        atomic_store(&most, now);
    }
    (void)sched_yield();
    (void)atomic_fetch_add(&calls, 1);
    (void)atomic_fetch_sub(&inside, 1);
}

static enum haul_status reserve(void *given, const struct haul_reservation *wanted,
                                struct haul_error *error)
{
    (void)wanted;
    (void)error;
    be_inside(given);
    return HAUL_AUTH;
}

static void unreserve(void *given, const uint8_t job[HAUL_JOB_BYTES])
{
    check_equal(job[0], 7);
    be_inside(given);
}

static enum haul_status own_job(void *given, const uint8_t job[HAUL_JOB_BYTES],
                                uint64_t new_version, struct haul_error *error)
{
    (void)error;
    check_equal(job[0], 7);
    check_equal(new_version, 3);
    be_inside(given);
    return HAUL_OK;
}

static bool was_owned(void *given, const uint8_t job[HAUL_JOB_BYTES])
{
    check_equal(job[0], 7);
    be_inside(given);
    return true;
}

static void *call_all(void *argument)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {7};
    const struct haul_hooks *hooks = argument;
    struct haul_error error;
    for (int i = 0; i < CALLS; i++) {
        check_status(hooks->reserve(hooks->context, NULL, &error), HAUL_AUTH);
        hooks->unreserve(hooks->context, job);
        check_status(hooks->own_job(hooks->context, job, 3, &error), HAUL_OK);
        check(hooks->was_owned(hooks->context, job));
    }
    return NULL;
}

static void test_hook_gate__two_threads__one_hook_at_a_time(void)
{
    struct hook_gate gate;
    struct haul_hooks hooks = {.context = &context,
                               .reserve = reserve,
                               .unreserve = unreserve,
                               .own_job = own_job,
                               .was_owned = was_owned};
    pthread_t threads[2];
    hook_gate_init(&gate, &hooks);
    check(hooks.own == NULL && hooks.version_get == NULL && hooks.annotate == NULL);
    for (int i = 0; i < 2; i++) {
        check_or_stop(pthread_create(&threads[i], NULL, call_all, &hooks) == 0);
    }
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    check_equal(atomic_load(&calls), 2 * 4 * CALLS);
    check_equal(atomic_load(&most), 1);
    hook_gate_fini(&gate);
}

/* --- those that pass -------------------------------------------------------------------------- */

static enum haul_status version_get(void *given, uint64_t *version, struct haul_error *error)
{
    (void)error;
    check(given == &context);
    *version = 9;
    return HAUL_OK;
}

static enum haul_status own(void *given, uint64_t new_version, struct haul_error *error)
{
    (void)error;
    check(given == &context);
    check_equal(new_version, 4);
    return HAUL_OK;
}

static void job_ended(void *given, const struct haul_result *result)
{
    check(given == &context && result == NULL);
    (void)atomic_fetch_add(&calls, 1);
}

static size_t annotate(void *given, const char *family, struct haul_slice key,
                       struct haul_slice value, uint8_t blob[HAUL_LOG_DATA_BYTES_MAX])
{
    check(given == &context && family[0] == 'f' && key.size == 0 && value.size == 0);
    blob[0] = 5;
    return 1;
}

static void test_hook_gate__hooks_that_return_at_once__reach_the_embedder(void)
{
    struct hook_gate gate;
    struct haul_error error;
    uint64_t version = 0;
    uint8_t blob[HAUL_LOG_DATA_BYTES_MAX];
    struct haul_hooks hooks = {.context = &context,
                               .version_get = version_get,
                               .own = own,
                               .job_ended = job_ended,
                               .annotate = annotate};
    atomic_store(&calls, 0);
    hook_gate_init(&gate, &hooks);
    check_status(hooks.version_get(hooks.context, &version, &error), HAUL_OK);
    check_equal(version, 9);
    check_status(hooks.own(hooks.context, 4, &error), HAUL_OK);
    hooks.job_ended(hooks.context, NULL);
    check_equal(atomic_load(&calls), 1);
    check_equal(hooks.annotate(hooks.context, "f", (struct haul_slice){NULL, 0},
                               (struct haul_slice){NULL, 0}, blob),
                1);
    check_equal(blob[0], 5);
    hook_gate_fini(&gate);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_hook_gate__two_threads__one_hook_at_a_time),
    CHECK_TEST(test_hook_gate__hooks_that_return_at_once__reach_the_embedder),
};
CHECK_MAIN("hook_gate", tests)
