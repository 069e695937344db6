/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_drive.h — carries a plan out, round after round, until it is done or must stop. */
#ifndef HAUL_CLUSTER_DRIVE_H
#define HAUL_CLUSTER_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster_options.h"
#include "cluster_run.h"
#include "cluster_watch.h"
#include "controller.h"
#include "day_window.h"
#include "output.h"
#include "plan_file.h"

struct drive_options {
    const char *plan;
    struct cluster_options *cluster; /* `nodes` NULL: those of the plan */
    uint32_t parallel_max;           /* 0: no limit */
    struct day_window window;
    bool aborts;   /* an abort is what is wanted */
    bool no_probe; /* the lines are not measured */
};

/* A plan, and the nodes that it is for. Zeroed: nothing is open. */
struct drive {
    struct cluster_plan *plan;
    struct cluster_watch *watch;
    struct cluster_run *run;
    struct controller *controller; /* NULL: the run publishes by itself */
    uint64_t controller_ms;        /* when it has answered last */
    uint64_t ping_ms;              /* when it was asked last */
    bool changed;                  /* the last round has changed something */
    bool measured;                 /* the lines: once a process, before a move begins */
    int lock_fd;
    bool locked;
};

/* Read the plan and its orders, and reach its cluster; `locks`: as the one process that runs it.
 * Close it in any case. Errors: those of plan_file_read, run_control_lock, discovery_run,
 * cluster_watch_open and controller_find_shard; UNSUPPORTED (a master has no haul, or may not use
 * it). */
enum haul_status cluster_drive_open(struct drive *drive, const struct drive_options *options,
                                    bool locks, struct haul_error *error) HAUL_MUST_CHECK;
void cluster_drive_close(struct drive *drive, struct cluster_options *options);

/* Rounds until the end. Errors: why it has stopped, with what to do next; CANCELLED (aborted),
 * STOPPED with a signal. `*signal_number`: 0, or that signal. */
enum haul_status cluster_drive_run(struct drive *drive, const struct drive_options *options,
                                   struct output *output, int *signal_number,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* One round of questions, and where each move is; no command is sent. Errors: UNREACHABLE (no node
 * answers), NO_MEMORY. */
enum haul_status cluster_drive_look(struct drive *drive, struct haul_error *error) HAUL_MUST_CHECK;

#endif
