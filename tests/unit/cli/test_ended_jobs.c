/* SPDX-License-Identifier: Apache-2.0 */
/* test_ended_jobs.c — which ends a receiver remembers. */
#include "ended_jobs.h"

#include <string.h>

#include "check.h"

static struct ended_jobs ended;
static struct haul_result result;
static struct haul_error error;

static void put(uint8_t job, enum haul_status status)
{
    memset(&result, 0, sizeof(result));
    result.job[0] = job;
    result.status = status;
    ended_jobs_put(&ended, &result);
}

static bool finds(uint8_t job)
{
    const uint8_t id[HAUL_JOB_BYTES] = {job};
    memset(&error, 0, sizeof(error));
    return ended_jobs_find(&ended, id, &error);
}

static void test_ended_jobs_find__two_jobs__each_its_last_end(void)
{
    ended_jobs_init(&ended);
    check(!finds(1));
    put(1, HAUL_CLOSED);
    put(2, HAUL_OK);
    put(1, HAUL_CANCELLED);
    check(finds(1));
    check_status(error.status, HAUL_CANCELLED);
    check(finds(2));
    check_status(error.status, HAUL_OK);
    ended_jobs_fini(&ended);
}

static void test_ended_jobs_forget__it_runs_again__no_end(void)
{
    static const uint8_t id[HAUL_JOB_BYTES] = {1};
    ended_jobs_init(&ended);
    put(1, HAUL_CLOSED);
    put(2, HAUL_OK);
    ended_jobs_forget(&ended, id);
    check(!finds(1) && finds(2));
    ended_jobs_forget(&ended, id);
    ended_jobs_fini(&ended);
}

static void test_ended_jobs_put__many__the_oldest_goes(void)
{
    ended_jobs_init(&ended);
    for (uint8_t i = 0; i <= ENDED_JOBS_MAX; i++) {
        put(i, HAUL_OK);
    }
    check(!finds(0) && finds(1) && finds(ENDED_JOBS_MAX));
    ended_jobs_fini(&ended);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_ended_jobs_find__two_jobs__each_its_last_end),
    CHECK_TEST(test_ended_jobs_forget__it_runs_again__no_end),
    CHECK_TEST(test_ended_jobs_put__many__the_oldest_goes),
};
CHECK_MAIN("ended_jobs", tests)
