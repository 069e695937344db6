/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_jobs.c — the list of running jobs: whose link it is, who is ended, and the sums. The
 * drivers are fakes. */
#include "target_jobs.h"

#include <string.h>

#include "check.h"
#include "clock.h"

struct target_driver {
    haul_control_Hello hello;
    struct link_address peer;
    struct haul_progress progress;
    uint8_t session;
    bool ending;
    bool active;
    unsigned stopped, cancelled, admitted, polled, destroyed;
    uint64_t deadline_ns;
};

static struct target_driver drivers[3];
static struct target_jobs jobs;
static enum haul_status rejected;

void __wrap_target_driver_destroy(struct target_driver *driver);
bool __wrap_target_driver_poll(struct target_driver *driver);
uint64_t __wrap_target_driver_deadline_ns(const struct target_driver *driver);
bool __wrap_target_driver_has_session(const struct target_driver *driver,
                                      const struct link_ticket *ticket);
void __wrap_target_driver_admit(struct target_driver *driver, struct listener *listener,
                                struct link_incoming *incoming);
bool __wrap_target_driver_is_ending(const struct target_driver *driver);
void __wrap_target_driver_stop(struct target_driver *driver);
void __wrap_target_driver_cancel(struct target_driver *driver);
const haul_control_Hello *__wrap_target_driver_hello(const struct target_driver *driver);
const struct link_address *__wrap_target_driver_peer(const struct target_driver *driver);
void __wrap_target_driver_progress(const struct target_driver *driver,
                                   struct haul_progress *progress);
void __wrap_listener_reject(struct listener *listener, struct link_incoming *incoming,
                            enum haul_status status);

void __wrap_target_driver_destroy(struct target_driver *driver)
{
    driver->destroyed++;
}

bool __wrap_target_driver_poll(struct target_driver *driver)
{
    driver->polled++;
    return driver->active;
}

uint64_t __wrap_target_driver_deadline_ns(const struct target_driver *driver)
{
    return driver->deadline_ns;
}

bool __wrap_target_driver_has_session(const struct target_driver *driver,
                                      const struct link_ticket *ticket)
{
    return ticket->session[0] == driver->session;
}

void __wrap_target_driver_admit(struct target_driver *driver, struct listener *listener,
                                struct link_incoming *incoming)
{
    (void)listener;
    (void)incoming;
    driver->admitted++;
}

bool __wrap_target_driver_is_ending(const struct target_driver *driver)
{
    return driver->ending;
}

void __wrap_target_driver_stop(struct target_driver *driver)
{
    driver->stopped++;
}

void __wrap_target_driver_cancel(struct target_driver *driver)
{
    driver->cancelled++;
}

const haul_control_Hello *__wrap_target_driver_hello(const struct target_driver *driver)
{
    return &driver->hello;
}

const struct link_address *__wrap_target_driver_peer(const struct target_driver *driver)
{
    return &driver->peer;
}

void __wrap_target_driver_progress(const struct target_driver *driver,
                                   struct haul_progress *progress)
{
    *progress = driver->progress;
}

void __wrap_listener_reject(struct listener *listener, struct link_incoming *incoming,
                            enum haul_status status)
{
    (void)listener;
    (void)incoming;
    rejected = status;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void start(void)
{
    memset(drivers, 0, sizeof(drivers));
    jobs = (struct target_jobs){.count = 0};
    rejected = HAUL_OK;
    for (uint8_t i = 0; i < 3; i++) {
        drivers[i].session = (uint8_t)(i + 1);
        drivers[i].hello.job.bytes[0] = (uint8_t)(0x10 + i);
        drivers[i].deadline_ns = 100 - i;
        target_jobs_add(&jobs, &drivers[i]);
    }
}

static void test_target_jobs_take__one_in_the_middle__the_others_keep_their_order(void)
{
    start();
    check(target_jobs_take(&jobs, 1) == &drivers[1]);
    check_equal(jobs.count, 2);
    check(jobs.drivers[0] == &drivers[0] && jobs.drivers[1] == &drivers[2]);
    target_jobs_fini(&jobs);
    check(drivers[0].destroyed == 1 && drivers[1].destroyed == 0 && drivers[2].destroyed == 1);
}

static void test_target_jobs_poll__jobs__each_in_turn_and_the_first_deadline(void)
{
    start();
    check(!target_jobs_poll(&jobs));
    drivers[0].active = true;
    check(target_jobs_poll(&jobs));
    for (size_t i = 0; i < 3; i++) {
        check_equal(drivers[i].polled, 2);
    }
    check_equal(target_jobs_deadline_ns(&jobs), 98);
    jobs.count = 0;
    check(target_jobs_deadline_ns(&jobs) == CLOCK_NEVER);
}

static void test_target_jobs_admit__links__to_the_job_of_their_session(void)
{
    struct link_incoming incoming = {.ticket = {.session = {2}}};
    start();
    target_jobs_admit(&jobs, NULL, &incoming);
    check(drivers[0].admitted == 0 && drivers[1].admitted == 1 && drivers[2].admitted == 0);
    check_status(rejected, HAUL_OK);
    incoming.ticket.session[0] = 9;
    target_jobs_admit(&jobs, NULL, &incoming);
    check_status(rejected, HAUL_AUTH);
    check_equal(drivers[1].admitted, 1);
}

static void test_target_jobs_end__some_end_already__the_others_are_ended(void)
{
    start();
    check(!target_jobs_all_end(&jobs));
    drivers[1].ending = true;
    target_jobs_end(&jobs, MIGRATION_STOPS);
    check(drivers[0].stopped == 1 && drivers[1].stopped == 0 && drivers[2].stopped == 1);
    target_jobs_end(&jobs, MIGRATION_CANCELS);
    check(drivers[0].cancelled == 1 && drivers[1].cancelled == 0 && drivers[2].cancelled == 1);
    drivers[0].ending = drivers[2].ending = true;
    check(target_jobs_all_end(&jobs));
    jobs.count = 0;
    check(!target_jobs_all_end(&jobs));
}

static void test_target_jobs_cancel__an_id__only_that_job(void)
{
    const uint8_t job[HAUL_JOB_BYTES] = {0x11};
    const uint8_t unknown[HAUL_JOB_BYTES] = {0x99};
    start();
    target_jobs_cancel(&jobs, job);
    target_jobs_cancel(&jobs, unknown);
    check(drivers[0].cancelled == 0 && drivers[1].cancelled == 1 && drivers[2].cancelled == 0);
    drivers[1].ending = true;
    target_jobs_cancel(&jobs, job);
    check_equal(drivers[1].cancelled, 1);
}

static void test_target_jobs_sum__jobs__sums_and_the_phase_of_the_oldest(void)
{
    struct haul_job_progress figures[HAUL_TARGET_JOBS_MAX];
    struct haul_progress sum = {.phase = HAUL_PHASE_LISTENING};
    start();
    for (size_t i = 0; i < 3; i++) {
        drivers[i].progress =
            (struct haul_progress){.phase = i == 0 ? HAUL_PHASE_COPYING : HAUL_PHASE_PLANNING,
                                   .records = 1 + i,
                                   .bytes = 10,
                                   .bytes_expected = 100,
                                   .wire_bytes = 20,
                                   .durable_records = 1,
                                   .durable_bytes = 2,
                                   .seconds = i == 1 ? 9 : 1};
    }
    target_jobs_figures(&jobs, figures);
    check_equal(figures[2].job[0], 0x12);
    check_equal(figures[2].progress.records, 3);
    target_jobs_sum(figures, 3, &sum);
    check_equal(sum.phase, HAUL_PHASE_COPYING);
    check_equal(sum.records, 6);
    check_equal(sum.bytes, 30);
    check_equal(sum.bytes_expected, 300);
    check_equal(sum.wire_bytes, 60);
    check_equal(sum.durable_records, 3);
    check_equal(sum.durable_bytes, 6);
    check(sum.seconds > 8.9);
    sum = (struct haul_progress){.phase = HAUL_PHASE_LISTENING};
    target_jobs_sum(figures, 0, &sum);
    check_equal(sum.phase, HAUL_PHASE_LISTENING);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_jobs_take__one_in_the_middle__the_others_keep_their_order),
    CHECK_TEST(test_target_jobs_poll__jobs__each_in_turn_and_the_first_deadline),
    CHECK_TEST(test_target_jobs_admit__links__to_the_job_of_their_session),
    CHECK_TEST(test_target_jobs_end__some_end_already__the_others_are_ended),
    CHECK_TEST(test_target_jobs_cancel__an_id__only_that_job),
    CHECK_TEST(test_target_jobs_sum__jobs__sums_and_the_phase_of_the_oldest),
};
CHECK_MAIN("target_jobs", tests)
