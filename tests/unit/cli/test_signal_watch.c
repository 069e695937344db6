/* SPDX-License-Identifier: Apache-2.0 */
/* test_signal_watch.c — a signal before, during and after a migration. The migration is a fake
 * (--wrap). */
#include "signal_watch.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
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
    begin();
    signal_watch_set(&watch, migration());
    check(!signal_watch_take_request(&watch));
    send(SIGUSR1);
    check(is_awake(WAIT_MS));
    check(signal_watch_take_request(&watch));
    check(!signal_watch_take_request(&watch));
    check_equal(signal_watch_number(&watch), 0);
    check_equal(atomic_load(&stops), 0);
    check(!is_awake(0));
    end();
}

/* A process whose parent, nohup(1) or a script, ignores the signals. */
static void test_signal_watch__ignored_before__left_alone(void)
{
    static const int stops_of[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t none;
    check_equal(sigemptyset(&none), 0);
    for (size_t i = 0; i < CHECK_COUNT(stops_of); i++) {
        check_equal(pthread_sigmask(SIG_SETMASK, &none, NULL), 0); /* as at the start */
        check_or_stop(signal(stops_of[i], SIG_IGN) != SIG_ERR);
        begin();
        signal_watch_set(&watch, migration());
        send(stops_of[i]);
        send(SIGUSR1); /* the descriptor that wakes it */
        check(is_awake(WAIT_MS));
        check_equal(signal_watch_number(&watch), 0);
        for (size_t j = 0; j < CHECK_COUNT(stops_of); j++) {
            check_equal(sigismember(&watch.signals, stops_of[j]), j != i);
        }
        end();
        check_equal(atomic_load(&stops), 0);
        check_or_stop(signal(stops_of[i], SIG_IGN) != SIG_ERR); /* none is pending */
        check_or_stop(signal(stops_of[i], SIG_DFL) != SIG_ERR);
    }
}

/* --- ended at once, in a process of its own --------------------------------------------------- */

/* The reaction of a process to these signals, one after the other; 0: none. */
static void get_signals(bool polled, int first, int second)
{
    (void)alarm(WAIT_MS / 1000);
    output_init(&output, "test", &quiet);
    if (signal_watch_init(&watch, &output, &error) != HAUL_OK) {
        _exit(1);
    }
    if (polled) {
        signal_watch_set_polled(&watch);
    }
    (void)kill(getpid(), first);
    if (!is_awake(WAIT_MS) || second == 0) {
        _exit(2);
    }
    (void)kill(getpid(), second);
    (void)poll(NULL, 0, WAIT_MS);
    _exit(3);
}

static int exit_code_of_process(bool polled, int first, int second)
{
    int status = 0;
    (void)fflush(stdout);
    pid_t child = fork();
    check_or_stop(child >= 0);
    if (child == 0) {
        get_signals(polled, first, second);
    }
    check_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_signal_watch__nothing_to_stop__ended_at_once(void)
{
    check_equal(exit_code_of_process(false, SIGINT, 0), 130);
    check_equal(exit_code_of_process(false, SIGTERM, 0), 143);
    check_equal(exit_code_of_process(false, SIGHUP, 0), 129);
}

static void test_signal_watch__another_signal__ended_at_once(void)
{
    check_equal(exit_code_of_process(true, SIGTERM, SIGINT), 130);
    check_equal(exit_code_of_process(true, SIGINT, SIGTERM), 143);
    check_equal(exit_code_of_process(true, SIGINT, 0), 2);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_signal_watch__nothing_to_stop__ended_at_once),
    CHECK_TEST(test_signal_watch__another_signal__ended_at_once),
    CHECK_TEST(test_signal_watch__before_the_migration__it_is_stopped_when_it_comes),
    CHECK_TEST(test_signal_watch__while_it_runs__stopped_once),
    CHECK_TEST(test_signal_watch__status_asked_for__only_awake),
    CHECK_TEST(test_signal_watch__ignored_before__left_alone),
};

CHECK_MAIN("signal_watch", tests)
