/* SPDX-License-Identifier: Apache-2.0 */
/* event_loop.c — a program with its own event loop sends a database and never waits for haul.
 *
 *   haul recv --db /data/b --listen 127.0.0.1:7447 --once     somewhere
 *   event_loop /data/a 127.0.0.1:7447
 *
 * The migration has its own threads. The loop polls haul_migration_fd, which becomes readable when
 * the migration has ended, together with its other descriptors: here a timer, which prints the
 * progress, and SIGINT, which stops the job and keeps what has arrived. */
#include <haul/migration.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MIGRATION, TIMER, SIGNAL, SOURCE_COUNT };

static int fail(const struct haul_error *error)
{
    char line[1024];
    haul_error_format(error, line, sizeof(line));
    (void)fprintf(stderr, "event_loop: %s\n", line);
    return 1;
}

static void print_progress(struct haul_migration *migration, int timer)
{
    uint64_t count = 0;
    struct haul_progress progress;
    (void)!read(timer, &count, sizeof(count));
    haul_migration_progress(migration, &progress);
    (void)printf("%s: %llu of about %llu bytes\n", haul_phase_name(progress.phase),
                 (unsigned long long)progress.bytes, (unsigned long long)progress.bytes_expected);
}

/* The program's loop; a real one would also serve clients. */
static void run_loop(struct haul_migration *migration, int timer, int signals)
{
    struct pollfd sources[SOURCE_COUNT] = {
        [MIGRATION] = {.fd = haul_migration_fd(migration), .events = POLLIN},
        [TIMER] = {.fd = timer, .events = POLLIN},
        [SIGNAL] = {.fd = signals, .events = POLLIN},
    };
    while ((sources[MIGRATION].revents & POLLIN) == 0 && poll(sources, SOURCE_COUNT, -1) >= 0) {
        if ((sources[TIMER].revents & POLLIN) != 0) {
            print_progress(migration, timer);
        }
        if ((sources[SIGNAL].revents & POLLIN) != 0) {
            struct signalfd_siginfo which;
            (void)!read(signals, &which, sizeof(which));
            haul_migration_stop(migration);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: event_loop DB ADDR:PORT\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* write each line at once, also to a file */
    sigset_t stops;
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &stops, NULL); /* before haul starts threads, which inherit it */
    int signals = signalfd(-1, &stops, SFD_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec often = {.it_interval = {.tv_nsec = 200000000},
                               .it_value = {.tv_nsec = 1000000}};
    (void)timerfd_settime(timer, 0, &often, NULL);

    struct haul_store *store = NULL;
    struct haul_migration *migration = NULL;
    struct haul_error error;
    struct haul_rocks_options open = {.size_bytes = sizeof(open), .keep_log = true};
    if (haul_rocks_store_open(argv[1], &open, &store, &error) != HAUL_OK) {
        return fail(&error);
    }
    struct haul_source_options options = {
        .size_bytes = sizeof(options), .store = store, .to = argv[2]};
    if (haul_source_start(&options, &migration, &error) != HAUL_OK) {
        return fail(&error);
    }
    run_loop(migration, timer, signals);

    /* The migration has ended, so this does not wait. */
    int code = 1;
    if (haul_migration_ended(migration, 0)) {
        const struct haul_result *result = haul_migration_result(migration);
        code = result->status == HAUL_OK ? 0 : fail(&result->error);
        (void)printf("%s: %llu records\n", haul_status_name(result->status),
                     (unsigned long long)result->progress.records);
    }
    haul_migration_destroy(migration);
    haul_store_close(store);
    (void)close(signals);
    (void)close(timer);
    return code;
}
