/* SPDX-License-Identifier: Apache-2.0 */
/* signal_watch.c — sigwait in a thread: no handler, so no call that is unsafe in one.
 *
 *   none --INT/TERM/HUP, migration set or polled--> stopped --INT/TERM/HUP, no echo--> _exit
 *   none --INT/TERM/HUP, neither------------------> _exit
 * Only `on_stop_signal` moves it. */
#include "signal_watch.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "exit_code.h"
#include "json_output.h"
#include "progress.h"

/* Nobody types a second signal that quickly. */
static const uint64_t echo_ns = 300000000;

/* SIGUSR1 and the signals that stop haul, except those that the process ignores. */
static void make_signal_set(sigset_t *set)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGUSR1);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        struct sigaction action;
        if (sigaction(stops[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            (void)sigaddset(set, stops[i]);
        }
    }
}

static void wake(struct signal_watch *watch)
{
    uint64_t one = 1;
    ssize_t written = write(watch->wake_fd, &one, sizeof(one));
    (void)written; /* a full pipe is readable already */
}

static const char *name_of(int number)
{
    return number == SIGINT ? "SIGINT" : number == SIGTERM ? "SIGTERM" : "SIGHUP";
}

/* Databases and jobs survive this like a crash: acknowledged writes are in the log, and durable
 * positions are kept. */
static void end_process(struct signal_watch *watch, int number)
{
    struct haul_error error;
    haul_error_set(&error, HAUL_STOPPED, NULL, 0, "ended at once by %s", name_of(number));
    output_error(watch->output, &error);
    if (watch->output->options.json) {
        json_output_error(watch->output->command, &error, EXIT_CODE_SIGNAL + number);
    }
    _exit(EXIT_CODE_SIGNAL + number);
}

/* timeout(1) signals the process and right afterwards its group, and some shells do the same: count
 * both as one request. `lock` is held. */
static bool is_echo(const struct signal_watch *watch, int number)
{
    return watch->number == number && progress_now_ns() - watch->number_ns < echo_ns;
}

static void on_stop_signal(struct signal_watch *watch, int number)
{
    (void)pthread_mutex_lock(&watch->lock);
    bool stops = (watch->migration != NULL || watch->polled) && watch->number == 0;
    bool echo = is_echo(watch, number);
    if (watch->number == 0) {
        watch->number = number;
        watch->number_ns = progress_now_ns();
    }
    if (stops && watch->migration != NULL) {
        haul_migration_stop(watch->migration);
    }
    (void)pthread_mutex_unlock(&watch->lock);
    if (echo) {
        return;
    }
    if (!stops) {
        end_process(watch, number);
    }
    output_line(watch->output,
                "%s: stopping, and keeping what has arrived; repeat it to end at once",
                name_of(number));
    wake(watch);
}

static void *run(void *context)
{
    struct signal_watch *watch = context;
    for (;;) {
        int number = 0;
        if (sigwait(&watch->signals, &number) != 0) {
            continue;
        }
        (void)pthread_mutex_lock(&watch->lock);
        bool stopping = watch->stopping;
        (void)pthread_mutex_unlock(&watch->lock);
        if (stopping) {
            return NULL;
        }
        if (number == SIGUSR1) {
            wake(watch);
        } else {
            on_stop_signal(watch, number);
        }
    }
}

enum haul_status signal_watch_init(struct signal_watch *watch, struct output *output,
                                   struct haul_error *error)
{
    memset(watch, 0, sizeof(*watch));
    watch->output = output;
    (void)pthread_mutex_init(&watch->lock, NULL);
    make_signal_set(&watch->signals);
    (void)pthread_sigmask(SIG_BLOCK, &watch->signals, NULL);
    watch->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (watch->wake_fd < 0) {
        (void)pthread_mutex_destroy(&watch->lock);
        return haul_error_set(error, HAUL_LIMIT, "eventfd", errno, "cannot watch signals");
    }
    int result = pthread_create(&watch->thread, NULL, run, watch);
    if (result != 0) {
        (void)close(watch->wake_fd);
        (void)pthread_mutex_destroy(&watch->lock);
        return haul_error_set(error, HAUL_LIMIT, "pthread_create", result, "cannot watch signals");
    }
    return HAUL_OK;
}

void signal_watch_fini(struct signal_watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    (void)pthread_mutex_unlock(&watch->lock);
    (void)pthread_kill(watch->thread, SIGUSR1);
    (void)pthread_join(watch->thread, NULL);
    (void)close(watch->wake_fd);
    (void)pthread_mutex_destroy(&watch->lock);
}

void signal_watch_set(struct signal_watch *watch, struct haul_migration *migration)
{
    (void)pthread_mutex_lock(&watch->lock);
    watch->migration = migration;
    if (migration != NULL && watch->number != 0) {
        haul_migration_stop(migration); /* the signal came before the migration */
    }
    (void)pthread_mutex_unlock(&watch->lock);
}

void signal_watch_set_polled(struct signal_watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    watch->polled = true;
    (void)pthread_mutex_unlock(&watch->lock);
}

int signal_watch_number(struct signal_watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    int number = watch->number;
    (void)pthread_mutex_unlock(&watch->lock);
    return number;
}

bool signal_watch_is_cancelled(void *watch)
{
    return signal_watch_number(watch) != 0;
}

bool signal_watch_take_request(struct signal_watch *watch)
{
    uint64_t wakes = 0;
    return read(watch->wake_fd, &wakes, sizeof(wakes)) == (ssize_t)sizeof(wakes);
}
