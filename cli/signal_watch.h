/* SPDX-License-Identifier: Apache-2.0 */
/* signal_watch.h — handles SIGINT, SIGTERM, SIGHUP and SIGUSR1 in a thread of its own.
 *
 * The first SIGINT, SIGTERM or SIGHUP stops the watched migration, which keeps what has arrived;
 * work that polls sees it and stops by itself; with neither, it ends the process. The second always
 * ends the process. A signal that was ignored at the start, as with nohup, stays ignored. SIGUSR1
 * makes `wake_fd` readable. */
#ifndef HAUL_SIGNAL_WATCH_H
#define HAUL_SIGNAL_WATCH_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"
#include "output.h"

struct signal_watch {
    struct output *output;
    pthread_t thread;
    pthread_mutex_t lock;
    struct haul_migration *migration; /* protected by `lock`, as is the next member */
    bool polled;
    int number; /* the first signal; 0: none */
    uint64_t number_ns;
    sigset_t signals;
    bool stopping;
    int wake_fd;
};

/* Block the signals in this thread and all later ones, and start the thread. Call it before the
 * library makes threads. Errors: LIMIT. */
enum haul_status signal_watch_init(struct signal_watch *watch, struct output *output,
                                   struct haul_error *error) HAUL_MUST_CHECK;
void signal_watch_fini(struct signal_watch *watch);

/* From now on a signal stops `migration`; if one has come earlier, stop it now. NULL: signals end
 * the process, unless its work polls. */
void signal_watch_set(struct signal_watch *watch, struct haul_migration *migration);

/* From now on the caller's work polls signal_watch_is_cancelled and ends by itself. */
void signal_watch_set_polled(struct signal_watch *watch);

/* The signal that stops the command; 0: none. */
int signal_watch_number(struct signal_watch *watch);
/* The same as a callback; `watch` is a struct signal_watch. */
bool signal_watch_is_cancelled(void *watch);
/* Empty `wake_fd`. Has a signal come since the last call? If none stops the command, it requested
 * the figures. */
bool signal_watch_take_request(struct signal_watch *watch);

#endif
