/* SPDX-License-Identifier: Apache-2.0 */
/* test_migration_thread.c — what every migration does on either side: start, stop on request, be
 * waited for, be destroyed. Its loop is a fake. */
#include "migration_thread.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "few_descriptors.h"
#include "migration_wait.h"

enum { RECORDS = 77, WAIT_MS = 20000 };

static struct haul_migration migration;
static struct haul_error error;
static atomic_int destroyed_count;
static enum migration_request ended_by; /* what the loop was requested to do; read after its end */

/* A thread may be joined once. */
static unsigned join_count;

int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
    join_count++;
    return __real_pthread_join(thread, result);
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, timeout_ms) == 1;
}

/* Runs until an end is requested. */
static void run_until_asked(struct haul_migration *running)
{
    struct haul_progress progress = {.phase = HAUL_PHASE_COPYING, .records = RECORDS};
    migration_publish(running, &progress);
    while (migration_requested(running) == MIGRATION_GOES_ON) {
        (void)is_readable(running->request_fd, WAIT_MS);
        migration_drain_request(running);
    }
    ended_by = migration_requested(running);
    running->result.status = HAUL_STOPPED;
    running->result.progress = progress;
}

static void note_destroyed(struct haul_migration *ended)
{
    check(ended == &migration);
    atomic_fetch_add(&destroyed_count, 1);
    migration_fini(ended);
}

static void begin(void)
{
    memset(&migration, 0, sizeof(migration));
    migration.run = run_until_asked;
    migration.destroy = note_destroyed;
    atomic_store(&destroyed_count, 0);
    ended_by = MIGRATION_GOES_ON;
    check_or_stop(migration_init(&migration, &error) == HAUL_OK);
}

static void start(void)
{
    begin();
    check_or_stop(migration_start(&migration, &error) == HAUL_OK);
}

static void finish(void)
{
    haul_migration_destroy(&migration);
    check_equal(atomic_load(&destroyed_count), 1);
}

static void wait_until_copying(void)
{
    struct haul_progress progress = {.records = 0};
    for (int i = 0; i < WAIT_MS && progress.records == 0; i++) {
        haul_migration_progress(&migration, &progress);
        (void)poll(NULL, 0, 1);
    }
    check_equal(progress.phase, HAUL_PHASE_COPYING);
    check_equal(progress.records, RECORDS);
}

static void test_migration_ended__while_it_runs__timeout_then_its_result(void)
{
    struct haul_result result = {.status = HAUL_OK};
    struct haul_progress progress;
    start();
    wait_until_copying();
    join_count = 0;
    check_status(migration_wait(&migration, 1, &result), HAUL_TIMEOUT);
    check_status(migration_wait(&migration, 0, &result), HAUL_TIMEOUT);
    check(!is_readable(haul_migration_fd(&migration), 0));
    haul_migration_stop(&migration);
    check_status(migration_wait(&migration, UINT32_MAX, &result), HAUL_STOPPED);
    check_equal(ended_by, MIGRATION_STOPS);
    check_equal(result.progress.records, RECORDS);
    haul_migration_progress(&migration, &progress);
    check_equal(progress.phase, HAUL_PHASE_ENDED);
    check_equal(progress.records, RECORDS);
    for (int i = 0; i < 2; i++) { /* never */
        check(is_readable(haul_migration_fd(&migration), 0));
        memset(&result, 0, sizeof(result));
        check_status(migration_wait(&migration, 0, &result), HAUL_STOPPED);
        check_status(result.status, HAUL_STOPPED);
    }
    finish();
    check_equal(join_count, 1);
}

/* Requests only escalate; each wakes the loop. */
static void test_migration_cancel__before_and_behind_a_stop__discards(void)
{
    begin();
    check(!is_readable(migration.request_fd, 0));
    check_equal(migration_requested(&migration), MIGRATION_GOES_ON);
    haul_migration_stop(&migration);
    check_equal(migration_requested(&migration), MIGRATION_STOPS);
    check(is_readable(migration.request_fd, 0));
    migration_drain_request(&migration);
    check(!is_readable(migration.request_fd, 0));
    haul_migration_cancel(&migration);
    check_equal(migration_requested(&migration), MIGRATION_CANCELS);
    check(is_readable(migration.request_fd, 0));
    migration_drain_request(&migration);
    haul_migration_stop(&migration);
    check_equal(migration_requested(&migration), MIGRATION_CANCELS);
    check(is_readable(migration.request_fd, 0));
    check_or_stop(migration_start(&migration, &error) == HAUL_OK);
    struct haul_result result;
    check_status(migration_wait(&migration, WAIT_MS, &result), HAUL_STOPPED);
    check_equal(ended_by, MIGRATION_CANCELS);
    finish();
}

static void test_migration_rate__set_twice__the_loop_takes_the_last_one_once(void)
{
    uint64_t rate = 5;
    begin();
    check(!migration_take_rate(&migration, &rate));
    check_equal(rate, 5);
    haul_migration_rate(&migration, 1000);
    haul_migration_rate(&migration, 0);
    check(is_readable(migration.request_fd, 0));
    check(migration_take_rate(&migration, &rate));
    check_equal(rate, 0);
    check(!migration_take_rate(&migration, &rate));
    haul_migration_rate(&migration, UINT64_MAX);
    check(migration_take_rate(&migration, &rate));
    check(rate == UINT64_MAX - 1);
    finish();
}

static void test_migration_destroy__while_it_runs__stopped_first(void)
{
    start();
    wait_until_copying();
    finish();
    check_equal(ended_by, MIGRATION_STOPS);
    haul_migration_destroy(NULL);
}

static void test_migration_destroy__never_started__only_freed(void)
{
    begin();
    finish();
    check_equal(migration_requested(&migration), MIGRATION_GOES_ON);
}

static void test_migration_start__processors_that_are_none__invalid(void)
{
    begin();
    migration.cpu_list = "no list";
    check_error(migration_start(&migration, &error), HAUL_INVALID, error);
    check_text(error.hint, "write it as 0-3,8");
    check(!migration.started);
    finish();
}

static void test_migration_init__too_few_descriptors__limit(void)
{
    for (unsigned spare = 0; spare < 3; spare++) {
        memset(&migration, 0, sizeof(migration));
        few_descriptors_begin(spare);
        enum haul_status status = migration_init(&migration, &error);
        few_descriptors_end();
        check_status(status, spare < 2 ? HAUL_LIMIT : HAUL_OK);
        migration_fini(&migration);
    }
}

static void test_migration_report_options__twice__the_later_ones(void)
{
    begin();
    for (size_t count = 1; count <= 2; count++) {
        struct option_report report = {.items = calloc(count, sizeof(*report.items)),
                                       .count = count};
        const struct haul_option_difference *items = report.items;
        check_or_stop(items != NULL);
        migration_report_options(&migration, &report);
        check(report.items == NULL && report.count == 0);
        check(migration.result.option_differences == items);
        check_equal(migration.result.option_difference_count, count);
    }
    finish();
}

static void test_migration_place_near__processors_were_named__stays(void)
{
    const struct link_address nowhere = {.size = 0};
    begin();
    migration.cpu_list = "0";
    migration_place_near(&migration, &nowhere, NULL);
    check(!migration.placed);
    migration.cpu_list = NULL;
    migration_place_near(&migration, &nowhere, NULL);
    check(migration.placed);
    (void)memcpy(migration.address, "h:1", 4);
    check_text(haul_migration_address(&migration), "h:1");
    finish();
}

static void test_migration_random__twice__not_the_same(void)
{
    uint8_t bytes[2][32] = {{0}};
    check_status(migration_random(bytes[0], sizeof(bytes[0])), HAUL_OK);
    check_status(migration_random(bytes[1], sizeof(bytes[1])), HAUL_OK);
    check(memcmp(bytes[0], bytes[1], sizeof(bytes[0])) != 0);
    check(bytes[0][31] != 0 || bytes[1][31] != 0 || bytes[0][30] != 0 || bytes[1][30] != 0);
}

static void test_phase_name__each__its_word(void)
{
    check_text(haul_phase_name(HAUL_PHASE_COPYING), "copying");
    check_text(haul_phase_name(HAUL_PHASE_ENDED), "ended");
    for (int i = 0; i < HAUL_PHASE_ENDED; i++) {
        for (int j = i + 1; j <= HAUL_PHASE_ENDED; j++) {
            check(strcmp(haul_phase_name((enum haul_phase)i),
                         haul_phase_name((enum haul_phase)j)) != 0);
        }
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_migration_ended__while_it_runs__timeout_then_its_result),
    CHECK_TEST(test_migration_cancel__before_and_behind_a_stop__discards),
    CHECK_TEST(test_migration_rate__set_twice__the_loop_takes_the_last_one_once),
    CHECK_TEST(test_migration_destroy__while_it_runs__stopped_first),
    CHECK_TEST(test_migration_destroy__never_started__only_freed),
    CHECK_TEST(test_migration_start__processors_that_are_none__invalid),
    CHECK_TEST(test_migration_init__too_few_descriptors__limit),
    CHECK_TEST(test_migration_report_options__twice__the_later_ones),
    CHECK_TEST(test_migration_place_near__processors_were_named__stays),
    CHECK_TEST(test_migration_random__twice__not_the_same),
    CHECK_TEST(test_phase_name__each__its_word),
};

CHECK_MAIN("migration_thread", tests)
