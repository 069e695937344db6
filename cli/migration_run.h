/* SPDX-License-Identifier: Apache-2.0 */
/* migration_run.h — wait for the end of a migration with progress on stderr, then report it. */
#ifndef HAUL_MIGRATION_RUN_H
#define HAUL_MIGRATION_RUN_H

#include "haul/migration.h"
#include "output.h"
#include "signal_watch.h"

/* Wait for the end. `result` is filled. Signals cancel the migration while it runs. */
void migration_run_wait(struct haul_migration *migration, struct signal_watch *watch,
                        struct output *output, struct haul_result *result);

/* Print error line, summary or JSON document. Returns the exit code. */
int migration_run_report(const struct haul_result *result, int signal_number,
                         struct output *output);

/* Report what failed before there was a migration. Returns the exit code. */
int migration_run_refused(enum haul_status status, struct haul_error *error,
                          struct output *output);

#endif
