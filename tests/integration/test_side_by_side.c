/* SPDX-License-Identifier: Apache-2.0 */
/* test_side_by_side.c — several jobs at the same time, from several databases or one. Their freezes
 * wait for each other, so none of them can end before all have come. */
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "check.h"
#include "clock.h"
#include "haul/migration.h"
#include "migration_wait.h"
#include "rocks_fixture.h"

enum {
    WAIT_MS = 60000,
    TURN_MS = 5,
    TURNS_MAX = WAIT_MS / TURN_MS,
    JOB_COUNT = 3,
    KEY_COUNT = 500
};

static struct rocks_fixture first;
static struct rocks_fixture second;
static struct rocks_fixture third;
static struct rocks_fixture target;
static struct haul_migration *receiver;
static struct haul_migration *senders[JOB_COUNT];
static struct haul_result results[JOB_COUNT];
static struct haul_result received;
static struct haul_rate *rate; /* that the sources share; NULL: none */
static struct haul_error error;
static atomic_uint frozen; /* freezes so far */
static atomic_uint frozen_wanted;
static uint8_t owned[JOB_COUNT][HAUL_JOB_BYTES];
static atomic_uint own_count;
static atomic_uint ended_count;
static atomic_uint hooks_running;

/* --- hooks ------------------------------------------------------------------------------------ */

/* Waits until all jobs that the test wants are frozen. */
static enum haul_status freeze(void *context, uint32_t deadline_ms, struct haul_error *failed)
{
    (void)context;
    (void)deadline_ms;
    (void)failed;
    (void)atomic_fetch_add(&frozen, 1);
    for (int i = 0; i < TURNS_MAX && atomic_load(&frozen) < atomic_load(&frozen_wanted); i++) {
        (void)poll(NULL, 0, TURN_MS);
    }
    return HAUL_OK;
}

static enum haul_status reserve(void *context, const struct haul_reservation *wanted,
                                struct haul_error *failed)
{
    (void)context;
    (void)wanted;
    (void)failed;
    check_equal(atomic_fetch_add(&hooks_running, 1), 0);
    (void)poll(NULL, 0, 10 * TURN_MS);
    (void)atomic_fetch_sub(&hooks_running, 1);
    return HAUL_OK;
}

static enum haul_status own_job(void *context, const uint8_t job[HAUL_JOB_BYTES],
                                uint64_t new_version, struct haul_error *failed)
{
    (void)context;
    (void)failed;
    check(new_version > 0);
    check_equal(atomic_fetch_add(&hooks_running, 1), 0);
    unsigned at = atomic_fetch_add(&own_count, 1);
    if (at < JOB_COUNT) {
        memcpy(owned[at], job, HAUL_JOB_BYTES);
    }
    (void)atomic_fetch_sub(&hooks_running, 1);
    return HAUL_OK;
}

static void job_ended(void *context, const struct haul_result *result)
{
    (void)context;
    (void)result;
    (void)atomic_fetch_add(&ended_count, 1);
}

/* --- world ------------------------------------------------------------------------------------ */

static struct haul_target_options target_options(uint32_t jobs_max)
{
    return (struct haul_target_options){
        .size_bytes = sizeof(struct haul_target_options),
        .store = target.store,
        .listen = "127.0.0.1:0",
        .transports = {{HAUL_TRANSPORT_TCP}},
        .jobs_max = jobs_max,
        .hooks = {.reserve = reserve, .own_job = own_job, .job_ended = job_ended}};
}

static void begin(uint32_t jobs_max, unsigned wanted)
{
    rocks_fixture_open(&first);
    rocks_fixture_open(&second);
    rocks_fixture_open(&third);
    rocks_fixture_open(&target);
    rocks_fixture_fill(&first, 0, "a", KEY_COUNT, 100);
    rocks_fixture_fill(&second, 0, "b", KEY_COUNT, 100);
    rocks_fixture_fill(&third, 0, "c", KEY_COUNT, 100);
    atomic_store(&frozen, 0);
    atomic_store(&frozen_wanted, wanted);
    atomic_store(&own_count, 0);
    atomic_store(&ended_count, 0);
    atomic_store(&hooks_running, 0);
    memset(&error, 0, sizeof(error));
    const struct haul_target_options options = target_options(jobs_max);
    check_or_stop(haul_target_start(&options, &receiver, &error) == HAUL_OK);
}

static void finish(void)
{
    haul_migration_destroy(receiver);
    rocks_fixture_close(&first);
    rocks_fixture_close(&second);
    rocks_fixture_close(&third);
    rocks_fixture_close(&target);
}

static enum haul_status try_to_send(unsigned number, struct rocks_fixture *source, const char *from,
                                    const char *to)
{
    const struct haul_range range = {text_slice(from), text_slice(to)};
    const struct haul_source_options options = {.size_bytes = sizeof(options),
                                                .store = source->store,
                                                .to = haul_migration_address(receiver),
                                                .transports = {{HAUL_TRANSPORT_TCP}},
                                                .ranges = &range,
                                                .range_count = 1,
                                                .freeze_max_ms = WAIT_MS,
                                                .retry_max_ms = WAIT_MS,
                                                .hooks = {.freeze = freeze},
                                                .rate = rate};
    return haul_source_start(&options, &senders[number], &error);
}

static void start(unsigned number, struct rocks_fixture *source, const char *from, const char *to)
{
    check_or_stop(try_to_send(number, source, from, to) == HAUL_OK);
}

static void end(unsigned number, enum haul_status status)
{
    check_status(migration_wait(senders[number], WAIT_MS, &results[number]), status);
    haul_migration_destroy(senders[number]);
}

static void wait_until(const atomic_uint *value, unsigned wanted)
{
    for (int i = 0; i < TURNS_MAX && atomic_load(value) < wanted; i++) {
        (void)poll(NULL, 0, TURN_MS);
    }
    check_equal(atomic_load(value), wanted);
}

/* The jobs that the target reports, once there are so many of them. */
static size_t look(struct haul_job_progress jobs[HAUL_TARGET_JOBS_MAX], size_t wanted)
{
    size_t count = 0;
    for (int i = 0; i < TURNS_MAX && count != wanted; i++) {
        count = haul_migration_jobs(receiver, jobs, HAUL_TARGET_JOBS_MAX);
        (void)poll(NULL, 0, TURN_MS);
    }
    return count;
}

static void stop_receiver(void)
{
    haul_migration_stop(receiver);
    check_status(migration_wait(receiver, WAIT_MS, &received), HAUL_STOPPED);
}

/* --- tests ------------------------------------------------------------------------------------ */

/* All three commit in the same moment. */
static void test_haul_target__three_jobs_at_once__each_is_handed_over(void)
{
    struct haul_job_progress jobs[HAUL_TARGET_JOBS_MAX];
    begin(JOB_COUNT, JOB_COUNT + 1);
    start(0, &first, "a", "b");
    start(1, &second, "b", "c");
    start(2, &third, "c", "d");
    wait_until(&frozen, JOB_COUNT);
    struct haul_progress all = {.records = 0};
    for (int i = 0; i < TURNS_MAX && all.records < JOB_COUNT * KEY_COUNT; i++) {
        (void)poll(NULL, 0, TURN_MS);
        haul_migration_progress(receiver, &all);
    }
    check_equal(all.records, JOB_COUNT * KEY_COUNT);
    check_equal(look(jobs, JOB_COUNT), JOB_COUNT);
    for (size_t i = 0; i < JOB_COUNT; i++) {
        check_equal(jobs[i].progress.records, KEY_COUNT);
        check(strncmp(jobs[i].peer, "127.0.0.1:", 10) == 0);
    }
    (void)atomic_fetch_add(&frozen, 1); /* all may go on */
    for (unsigned i = 0; i < JOB_COUNT; i++) {
        end(i, HAUL_OK);
        check_equal(results[i].progress.records, KEY_COUNT);
        check(results[i].verified);
    }
    wait_until(&own_count, JOB_COUNT);
    wait_until(&ended_count, JOB_COUNT);
    for (unsigned i = 0; i < JOB_COUNT; i++) {
        unsigned found = 0;
        for (unsigned j = 0; j < JOB_COUNT; j++) {
            found += memcmp(owned[j], results[i].job, HAUL_JOB_BYTES) == 0;
        }
        check_equal(found, 1);
    }
    check_equal(rocks_fixture_count(&target, "default"), JOB_COUNT * KEY_COUNT);
    check_equal(look(jobs, 0), 0);
    stop_receiver();
    finish();
}

static void test_haul_migration_cancel_job__one_of_two__the_other_goes_on(void)
{
    struct haul_job_progress jobs[HAUL_TARGET_JOBS_MAX];
    begin(2, 3);
    start(0, &first, "a", "b");
    wait_until(&frozen, 1);
    check_equal(look(jobs, 1), 1);
    start(1, &second, "b", "c");
    wait_until(&frozen, 2);
    check_equal(look(jobs, 2), 2); /* the oldest first */
    check_status(haul_migration_cancel_job(receiver, jobs[0].job), HAUL_OK);
    wait_until(&ended_count, 1);
    (void)atomic_fetch_add(&frozen, 1);
    end(0, HAUL_CANCELLED);
    end(1, HAUL_OK);
    check_equal(rocks_fixture_count(&target, "default"), KEY_COUNT);
    uint8_t unknown[HAUL_JOB_BYTES] = {1};
    check_status(haul_migration_cancel_job(receiver, unknown), HAUL_NOT_FOUND);
    stop_receiver();
    finish();
}

/* The second waits until the first has ended. */
static void test_haul_target__no_place__waits(void)
{
    begin(1, 2);
    start(0, &first, "a", "b");
    wait_until(&frozen, 1);
    start(1, &second, "b", "c");
    struct haul_progress progress = {.phase = HAUL_PHASE_CONNECTING};
    for (int i = 0; i < TURNS_MAX && progress.phase != HAUL_PHASE_RETRYING; i++) {
        haul_migration_progress(senders[1], &progress);
        (void)poll(NULL, 0, TURN_MS);
    }
    check_equal(progress.phase, HAUL_PHASE_RETRYING);
    (void)atomic_fetch_add(&frozen, 1);
    end(0, HAUL_OK);
    end(1, HAUL_OK);
    stop_receiver();
    finish();
}

/* A receiver that is cancelled ends with all its jobs. */
static void test_haul_migration_cancel__two_jobs__both_are_removed(void)
{
    begin(2, 3);
    start(0, &first, "a", "b");
    start(1, &second, "b", "c");
    wait_until(&frozen, 2);
    haul_migration_cancel(receiver);
    check_status(migration_wait(receiver, WAIT_MS, &received), HAUL_CANCELLED);
    (void)atomic_fetch_add(&frozen, 1);
    end(0, HAUL_CANCELLED);
    end(1, HAUL_CANCELLED);
    check_equal(rocks_fixture_count(&target, "default"), 0);
    check_equal(atomic_load(&ended_count), 1); /* the receiver's result is the other's */
    finish();
}

/* One database is the source of both, and of a third that would take a part of them. */
static void test_haul_source__jobs_of_one_database__side_by_side_unless_they_overlap(void)
{
    begin(JOB_COUNT, 3);
    rocks_fixture_fill(&first, 0, "c", KEY_COUNT, 100);
    start(0, &first, "a", "b");
    wait_until(&frozen, 1);
    start(1, &first, "c", "d");
    wait_until(&frozen, 2);
    check_error(try_to_send(2, &first, "a1", "a2"), HAUL_BUSY, error);
    (void)atomic_fetch_add(&frozen, 1);
    end(0, HAUL_OK);
    end(1, HAUL_OK);
    check_equal(rocks_fixture_count(&target, "default"), 2 * KEY_COUNT);
    check_error(try_to_send(2, &first, "a1", "a2"), HAUL_MISMATCH, error); /* handed over */
    stop_receiver();
    finish();
}

/* Two jobs of one database with a common rate: together they take as long as one would. */
static void test_haul_rate_create__two_sources__the_rate_is_of_both(void)
{
    enum { VALUE_BYTES = 1000, RATE = KEY_COUNT * VALUE_BYTES / 2 };
    begin(2, 0);
    rocks_fixture_fill(&first, 0, "y", KEY_COUNT, VALUE_BYTES);
    rocks_fixture_fill(&first, 0, "z", KEY_COUNT, VALUE_BYTES);
    check_or_stop(haul_rate_create(RATE, &rate, &error) == HAUL_OK);
    uint64_t begun_ns = clock_now_ns(&clock_monotonic);
    start(0, &first, "y", "z");
    start(1, &first, "z", "zz");
    end(0, HAUL_OK);
    end(1, HAUL_OK);
    uint64_t elapsed_ns = clock_now_ns(&clock_monotonic) - begun_ns;
    /* The first block leaves a debt of two seconds, which the second one waits for. */
    check(elapsed_ns > 3 * NS_PER_S / 2);
    haul_rate_destroy(rate);
    rate = NULL;
    stop_receiver();
    finish();
}

static void test_haul_migration_jobs__of_a_source__its_own_which_can_be_cancelled(void)
{
    struct haul_job_progress jobs[2];
    begin(2, 2);
    start(0, &first, "a", "b");
    check_equal(haul_migration_jobs(senders[0], jobs, 2), 1); /* at once */
    check_text(jobs[0].peer, haul_migration_address(receiver));
    wait_until(&frozen, 1);
    check_equal(haul_migration_jobs(senders[0], jobs, 0), 0);
    uint8_t unknown[HAUL_JOB_BYTES] = {1};
    check_status(haul_migration_cancel_job(senders[0], unknown), HAUL_NOT_FOUND);
    check_status(haul_migration_cancel_job(senders[0], jobs[0].job), HAUL_OK);
    (void)atomic_fetch_add(&frozen, 1);
    check_status(migration_wait(senders[0], WAIT_MS, &results[0]), HAUL_CANCELLED);
    check_equal(memcmp(results[0].job, jobs[0].job, HAUL_JOB_BYTES), 0);
    check_equal(haul_migration_jobs(senders[0], jobs, 2), 0);
    check_status(haul_migration_cancel_job(senders[0], jobs[0].job), HAUL_NOT_FOUND);
    haul_migration_destroy(senders[0]);
    stop_receiver();
    finish();
}

static enum haul_status own(void *context, uint64_t new_version, struct haul_error *failed)
{
    (void)context;
    (void)new_version;
    (void)failed;
    return HAUL_OK;
}

static enum haul_status try_to_start(const struct haul_target_options *options)
{
    struct haul_migration *none = NULL;
    return haul_target_start(options, &none, &error);
}

static void test_haul_target_start__jobs_max_that_cannot_be__invalid(void)
{
    rocks_fixture_open(&target);
    struct haul_target_options options = target_options(HAUL_TARGET_JOBS_MAX + 1);
    check_error(try_to_start(&options), HAUL_INVALID, error);
    options = target_options(2);
    options.once = true;
    check_error(try_to_start(&options), HAUL_INVALID, error);
    options = target_options(2);
    options.hooks.own_job = NULL;
    options.hooks.own = own;
    check_error(try_to_start(&options), HAUL_INVALID, error);
    rocks_fixture_close(&target);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_haul_target__three_jobs_at_once__each_is_handed_over),
    CHECK_TEST(test_haul_migration_cancel_job__one_of_two__the_other_goes_on),
    CHECK_TEST(test_haul_target__no_place__waits),
    CHECK_TEST(test_haul_migration_cancel__two_jobs__both_are_removed),
    CHECK_TEST(test_haul_source__jobs_of_one_database__side_by_side_unless_they_overlap),
    CHECK_TEST(test_haul_rate_create__two_sources__the_rate_is_of_both),
    CHECK_TEST(test_haul_migration_jobs__of_a_source__its_own_which_can_be_cancelled),
    CHECK_TEST(test_haul_target_start__jobs_max_that_cannot_be__invalid),
};
CHECK_MAIN("side_by_side", tests)
