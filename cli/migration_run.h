/* SPDX-License-Identifier: Apache-2.0 */
/* migration_run.h — wait for the end of a migration with progress on stderr, then report it. */
#ifndef HAUL_MIGRATION_RUN_H
#define HAUL_MIGRATION_RUN_H

#include <stdbool.h>

#include "control_socket.h"
#include "ended_jobs.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "load_writer.h"
#include "output.h"
#include "signal_watch.h"
#include "trust_options.h"

/* What watches a running migration. */
struct migration_watch {
    const char *directory; /* directory of the database, and address of the peer, for hints */
    const char *peer;
    struct signal_watch signals;
    struct control_server control;
    struct ended_jobs ended;  /* of several jobs */
    struct load_writer *load; /* ends with the migration; NULL: none */
    /* A sender's, at its end: why `haul drop` cannot delete the copy. Empty: it can. */
    char no_drop[HAUL_ERROR_TEXT_BYTES_MAX];
};

/* The work of a command with its open store. Returns the exit code. */
struct migration_work {
    int (*run)(struct haul_store *store, const void *options, struct migration_watch *watch,
               struct output *output);
    const void *options;
    struct trust_options *trust; /* in the options; its keys are there while `run` runs */
    const char *peer;    /* ADDR:PORT of the receiver, for hints; NULL: this side receives */
    const char *wal_dir; /* NULL: the database's own */
    bool create;         /* create the database if it is missing */
    bool keep_log;       /* for this and the next member see haul_rocks_options */
    bool read_only;
    const char *const *families; /* with read_only: the families to open; NULL: all */
    size_t family_count;
    bool families_of_jobs; /* with read_only: only the families of interrupted jobs */
};

/* Watch signals, open the database, run `work`, close. Failures are
 * reported. Returns the exit code. */
int migration_run_store(const char *directory, const struct migration_work *work,
                        struct output *output);

/* Let the load write for its lead, before the migration starts. A signal or `haul cancel` ends the
 * lead early; a migration that starts after that ends at once. */
void migration_run_lead(struct migration_watch *watch, struct output *output);

/* Wait for the end of a started migration, destroy it, print error line and summary or JSON
 * document. Signals and `haul cancel` cancel it while it runs. Returns the exit code. */
int migration_run_finish(struct haul_migration *migration, struct migration_watch *watch,
                         struct output *output);

/* Set `no_drop`, after a hand-over: `haul drop` opens every column family; can it? */
void migration_run_look_at_copy(struct migration_watch *watch);

/* Report a finished job of a receiver that keeps running. Thread: any, one at a time. */
void migration_run_job_ended(const struct haul_result *result, const struct migration_watch *watch,
                             struct output *output);

/* Report a failure from before the migration started. Returns the exit code. */
int migration_run_refused(enum haul_status status, struct haul_error *error,
                          const struct migration_watch *watch, struct output *output);

#endif
