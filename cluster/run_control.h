/* SPDX-License-Identifier: Apache-2.0 */
/* run_control.h — what the operator wants of a plan: the file PLAN.control, which `haul cluster
 * run` reads once a round and the other commands write, and the lock on the plan, which the one
 * process that runs it holds. */
#ifndef HAUL_CLUSTER_RUN_CONTROL_H
#define HAUL_CLUSTER_RUN_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster_run.h"
#include "haul/status.h"

enum { RUN_CONTROL_URL_BYTES_MAX = 1024 };

struct run_control {
    enum run_order order;
    bool limits;                                /* the run sets the nodes' limits */
    uint64_t node_mb;                           /* MB (2^20) a second; 0: no limit */
    uint64_t total_mb;                          /* of all jobs together */
    char controller[RUN_CONTROL_URL_BYTES_MAX]; /* its URL; "": none */
};

/* "run", "pause", "abort". */
const char *run_order_name(enum run_order order);

/* Read PLAN.control; without the file everything is as by default: run, no limits of ours.
 * Errors: CORRUPT (no such file), IO, INVALID (the path is too long). */
enum haul_status run_control_read(const char *plan, struct run_control *control,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Replace it in one step. Errors: IO, NO_SPACE, NO_MEMORY, INVALID. */
enum haul_status run_control_write(const char *plan, const struct run_control *control,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Lock the plan, until the file is closed (close(*fd)) or the process ends. Errors: BUSY (another
 * process runs it), NOT_FOUND, IO. */
enum haul_status run_control_lock(const char *plan, int *fd,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Does a process hold the lock? */
bool run_control_is_locked(const char *plan);

#endif
