/* SPDX-License-Identifier: Apache-2.0 */
/* test_awaited_job.c — which source `once` waits for, and how long. */
#include "awaited_job.h"

#include <string.h>

#include "check.h"
#include "clock.h"

static const uint64_t start_ns = 7 * NS_PER_S;

static haul_control_Hello hello_of(uint8_t job, const char *identity)
{
    haul_control_Hello hello = haul_control_Hello_init_zero;
    hello.job.size = 16;
    memset(hello.job.bytes, job, 16);
    hello.source_identity.size = (pb_size_t)strlen(identity);
    memcpy(hello.source_identity.bytes, identity, strlen(identity));
    hello.retry_ms = 30000;
    hello.peer_timeout_ms = 4000;
    return hello;
}

static void test_awaited_job_is__nobody_waits__every_job(void)
{
    struct awaited_job awaited = {.waits = false};
    haul_control_Hello hello = hello_of(1, "a");
    check(awaited_job_is(&awaited, &hello));
    check(!awaited_job_is_over(&awaited, UINT64_MAX));
}

static void test_awaited_job_is__job_or_source_of_the_lost_one__only_these(void)
{
    struct awaited_job awaited;
    haul_control_Hello lost = hello_of(1, "a");
    (void)awaited_job_begin(&awaited, &lost, 0, start_ns);
    haul_control_Hello same = hello_of(1, "a");
    haul_control_Hello next = hello_of(2, "a");
    haul_control_Hello copied = hello_of(1, "b");
    haul_control_Hello stranger = hello_of(2, "b");
    haul_control_Hello longer = hello_of(2, "ab");
    check(awaited_job_is(&awaited, &same));
    check(awaited_job_is(&awaited, &next));
    check(awaited_job_is(&awaited, &copied));
    check(!awaited_job_is(&awaited, &stranger));
    check(!awaited_job_is(&awaited, &longer));
    awaited_job_end(&awaited);
    check(awaited_job_is(&awaited, &stranger));
}

/* At least as long as the source retries: it may notice the loss by its own timeout. */
static void test_awaited_job_begin__source_says_its_retry_time__waits_longer(void)
{
    struct awaited_job awaited;
    haul_control_Hello hello = hello_of(1, "a");
    uint64_t wait_ms = awaited_job_begin(&awaited, &hello, 0, start_ns);
    check(wait_ms > 34000 && wait_ms < 44000);
    check(!awaited_job_is_over(&awaited, start_ns + wait_ms * NS_PER_MS - 1));
    check(awaited_job_is_over(&awaited, start_ns + wait_ms * NS_PER_MS));
}

static void test_awaited_job_begin__wait_given__that_one(void)
{
    struct awaited_job awaited;
    haul_control_Hello hello = hello_of(1, "a");
    check_equal(awaited_job_begin(&awaited, &hello, 1234, start_ns), 1234);
    check(awaited_job_is_over(&awaited, start_ns + UINT64_C(1234) * NS_PER_MS));
}

static void test_awaited_job_begin__source_says_nothing__ten_seconds(void)
{
    struct awaited_job awaited;
    haul_control_Hello hello = hello_of(1, "a");
    hello.retry_ms = 0;
    check_equal(awaited_job_begin(&awaited, &hello, 0, start_ns), 10000);
}

/* No peer makes us wait for months. */
static void test_awaited_job_begin__absurd_times__bounded(void)
{
    struct awaited_job awaited;
    haul_control_Hello hello = hello_of(1, "a");
    hello.retry_ms = UINT32_MAX;
    hello.peer_timeout_ms = UINT32_MAX;
    check(awaited_job_begin(&awaited, &hello, 0, start_ns) <=
          2 * (uint64_t)AWAITED_JOB_RETRY_MS_MAX + 10000);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_awaited_job_is__nobody_waits__every_job),
    CHECK_TEST(test_awaited_job_is__job_or_source_of_the_lost_one__only_these),
    CHECK_TEST(test_awaited_job_begin__source_says_its_retry_time__waits_longer),
    CHECK_TEST(test_awaited_job_begin__wait_given__that_one),
    CHECK_TEST(test_awaited_job_begin__source_says_nothing__ten_seconds),
    CHECK_TEST(test_awaited_job_begin__absurd_times__bounded),
};

CHECK_MAIN("awaited_job", tests)
