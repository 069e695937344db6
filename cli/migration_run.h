/* SPDX-License-Identifier: Apache-2.0 */
/* migration_run.h — wait for the end of a migration with progress on stderr, then report it. */
#ifndef HAUL_MIGRATION_RUN_H
#define HAUL_MIGRATION_RUN_H

#include <stdbool.h>

#include "control_socket.h"
#include "haul/migration.h"
#include "haul/store.h"
#include "load_writer.h"
#include "output.h"
#include "signal_watch.h"

/* What a running migration is watched by. */
struct migration_watch {
    const char *directory; /* of the database, and `peer` of its work, for hints */
    const char *peer;
    struct signal_watch signals;
    struct control_server control;
    struct load_writer *load; /* ends with the migration; NULL: none */
};

/* What a command does with its open store. Returns the exit code. */
struct migration_work {
    int (*run)(struct haul_store *store, const void *options, struct migration_watch *watch,
               struct output *output);
    const void *options;
    const char *peer;    /* ADDR:PORT of the receiver, for hints; NULL: this is one */
    const char *wal_dir; /* NULL: as the database says */
    bool create;         /* the database, if it is missing */
    bool keep_log;       /* these two: see haul_rocks_options */
    bool read_only;
    const char *const *families; /* with read_only: those that are opened; NULL: all */
    size_t family_count;
    bool families_of_jobs; /* with read_only: only those of jobs that broke off */
};

/* Watch signals, open the database, run `work`, close. Failures are
 * reported. Returns the exit code. */
int migration_run_store(const char *directory, const struct migration_work *work,
                        struct output *output);

/* Let the load write for its lead, before there is a migration. A signal ends that, and so does
 * `haul cancel`: then the migration that is started behind it ends at once. */
void migration_run_lead(struct migration_watch *watch, struct output *output);

/* Wait for the end of a started migration, destroy it, print error line and summary or JSON
 * document. Signals and `haul cancel` cancel it while it runs. Returns the exit code. */
int migration_run_finish(struct haul_migration *migration, struct migration_watch *watch,
                         struct output *output);

/* Report a job of a receiver that goes on. Thread: any, one at a time. */
void migration_run_job_ended(const struct haul_result *result, const struct migration_watch *watch,
                             struct output *output);

/* Report what failed before there was a migration. Returns the exit code. */
int migration_run_refused(enum haul_status status, struct haul_error *error,
                          const struct migration_watch *watch, struct output *output);

#endif
