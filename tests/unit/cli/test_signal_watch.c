/* SPDX-License-Identifier: Apache-2.0 */
/* test_signal_watch.c — a signal before, while and after a migration is there. The migration is a
 * fake (--wrap). */
#include "signal_watch.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "check.h"
#include "output.h"

enum { WAIT_MS = 20000 };

static struct signal_watch watch;
static struct output output;
static const struct output_options quiet = {.quiet = true};
static atomic_uint stops;
static char fake; /* the address of the migration */
static struct haul_error error;

void __wrap_haul_migration_stop(struct haul_migration *migration);
void __wrap_haul_migration_stop(struct haul_migration *migration)
{
    check((void *)migration == (void *)&fake);
    atomic_fetch_add(&stops, 1);
}

static struct haul_migration *migration(void)
{
    return (struct haul_migration *)(void *)&fake;
}

static void begin(void)
{
    atomic_store(&stops, 0);
    output_init(&output, "test", &quiet);
    check_or_stop(signal_watch_init(&watch, &output, &error) == HAUL_OK);
    signal_watch_set_polled(&watch); /* a signal does not end the process at once */
}

static void end(void)
{
    signal_watch_fini(&watch);
    output_fini(&output);
}

static void send(int number)
{
    check_equal(kill(getpid(), number), 0);
}

static bool is_awake(int wait_ms)
{
    struct pollfd readable = {.fd = watch.wake_fd, .events = POLLIN};
    return poll(&readable, 1, wait_ms) == 1;
}

static void test_signal_watch__before_the_migration__it_is_stopped_when_it_comes(void)
{
    begin();
    check(!signal_watch_is_cancelled(&watch));
    send(SIGTERM);
    check(is_awake(WAIT_MS));
    check_equal(signal_watch_number(&watch), SIGTERM);
    check_equal(atomic_load(&stops), 0);
    signal_watch_set(&watch, migration());
    check_equal(atomic_load(&stops), 1);
    signal_watch_set(&watch, NULL);
    check_equal(atomic_load(&stops), 1);
    check(signal_watch_is_cancelled(&watch));
    end();
}

static void test_signal_watch__while_it_runs__stopped_once(void)
{
    begin();
    signal_watch_set(&watch, migration());
    check_equal(atomic_load(&stops), 0);
    send(SIGTERM);
    check(is_awake(WAIT_MS));
    check_equal(signal_watch_number(&watch), SIGTERM);
    check_equal(atomic_load(&stops), 1);
    end();
}

static void test_signal_watch__status_asked_for__only_awake(void)
{
    uint64_t wakes = 0;
    begin();
    signal_watch_set(&watch, migration());
    send(SIGUSR1);
    check(is_awake(WAIT_MS));
    check_equal(read(watch.wake_fd, &wakes, sizeof(wakes)), sizeof(wakes));
    check_equal(signal_watch_number(&watch), 0);
    check_equal(atomic_load(&stops), 0);
    check(!is_awake(0));
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_signal_watch__before_the_migration__it_is_stopped_when_it_comes),
    CHECK_TEST(test_signal_watch__while_it_runs__stopped_once),
    CHECK_TEST(test_signal_watch__status_asked_for__only_awake),
};

CHECK_MAIN("signal_watch", tests)
