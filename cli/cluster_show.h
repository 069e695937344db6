/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_show.h — what happens in the run of a plan, for people and programs: events as lines or
 * as JSON, and on a terminal a bar for each job and one for the whole. */
#ifndef HAUL_CLUSTER_SHOW_H
#define HAUL_CLUSTER_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster_run.h"
#include "cluster_watch.h"
#include "output.h"
#include "plan_file.h"

struct cluster_show {
    struct output *output;
    const struct cluster_plan *plan;
    const struct cluster_run *run;
    const struct cluster_watch *watch;
    enum run_move_state *states; /* as shown last */
    unsigned *failures;
    bool first; /* no round was shown yet */
    enum run_order order;
    bool closed;
    size_t waiting_for;
    uint64_t progress_ms; /* when figures were shown last */
};

/* Errors: NO_MEMORY. */
enum haul_status cluster_show_init(struct cluster_show *show, struct output *output,
                                   const struct cluster_plan *plan, const struct cluster_run *run,
                                   const struct cluster_watch *watch,
                                   struct haul_error *error) HAUL_MUST_CHECK;
void cluster_show_fini(struct cluster_show *show);

/* Behind a step: what has changed since the last one, and the bars. */
void cluster_show_round(struct cluster_show *show, const struct run_round *round);

/* A move has begun. */
void cluster_show_begun(struct cluster_show *show, size_t move);

/* The name of a node of the plan, "host:port". */
void cluster_show_node(const struct cluster_plan *plan, size_t node,
                       char name[TOPOLOGY_NAME_BYTES_MAX]);

/* "waiting", "running", "handed over", "done". */
const char *cluster_show_state(enum run_move_state state);

/* The part of the plan's bytes that has moved, 0 to 1. */
double cluster_show_fraction(const struct cluster_plan *plan, const struct cluster_run *run,
                             const struct cluster_watch *watch);

/* The progress of a running move; NULL: its source shows none. */
const struct watch_progress *cluster_show_progress(const struct cluster_watch *watch,
                                                   const struct run_move *move);

#endif
