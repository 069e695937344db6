/* SPDX-License-Identifier: Apache-2.0 */
/* send_run.h — carries out a plan: each move is a job of the same database, several of them at a
 * time.
 *
 * First everything is checked that can be checked without a receiver; one move that cannot begin
 * keeps all others from beginning. Then the hand-overs that an earlier run has decided are
 * finished, one after the other, because `resolve` runs alone. Then the moves run. One that fails
 * does not stop the others. What is done and what is not stands in the database's records: the plan
 * is never written. */
#ifndef HAUL_SEND_RUN_H
#define HAUL_SEND_RUN_H

#include "haul/store.h"
#include "migration_run.h"
#include "output.h"
#include "send_options.h"
#include "send_plan.h"

/* What `migration_work` passes on. */
struct send_work {
    const struct send_options *given;
    const struct send_plan *plan;
};

/* A `run` of migration_work; `work`: a struct send_work. Returns the exit code. */
int send_run(struct haul_store *store, const void *work, struct migration_watch *watch,
             struct output *output);

#endif
