/* SPDX-License-Identifier: Apache-2.0 */
/* sim_host.h — one machine of a simulation: disk, database, the embedder's knowledge of whether it
 * may accept writes to the ranges, and the process that migrates. */
#ifndef HAUL_SIM_HOST_H
#define HAUL_SIM_HOST_H

#include <stdbool.h>

#include "haul/migration.h"
#include "journal_state.h"
#include "sim_disk.h"
#include "sim_kernel.h"
#include "sim_options.h"
#include "sim_store.h"

enum { SIM_SOURCE = 0, SIM_TARGET = 1, SIM_HOST_COUNT = 2 };

enum sim_attempt { SIM_SEND, SIM_RESUME, SIM_RESOLVE };

struct sim_host {
    int number;
    const struct sim_options *options;
    struct sim_random *random;
    struct sim_disk disk;
    struct sim_store store;
    struct sim_process *process;      /* NULL: down */
    struct haul_migration *migration; /* of the process; NULL: none */
    enum sim_attempt attempt;
    bool accepts;  /* clients' writes to the ranges */
    bool owned;    /* target: it has accepted them once */
    bool freezing; /* the hook was called since the process began */
    uint64_t restart_ns;
    /* Of the last attempt that ended by itself. */
    bool finished;
    enum haul_status outcome;
    char text[256];
    bool overwrite; /* the target has left-overs that nobody knows of any more */
    bool patient;   /* the operator gives a freeze more time */
    uint64_t attempts, commits, overwrites;
    uint64_t foreign; /* target: writes of others to the ranges before it owned them */
    /* Called in the moment in which ownership changes. */
    void (*on_release)(void *context);
    void (*on_own)(void *context);
    void *context;
};

void sim_host_init(struct sim_host *host, int number, const struct sim_options *options,
                   struct sim_random *random);
/* Start the process: of the source with this attempt. */
void sim_host_start(struct sim_host *host, enum sim_attempt attempt);
/* A second job beside the running one; it must not come to anything. */
void sim_host_start_second(struct sim_host *host);
void sim_host_kill(struct sim_host *host);
void sim_host_power_failure(struct sim_host *host);

/* What its records say, as anybody could read them now. */
enum journal_claim sim_host_claim(struct sim_host *host);
/* As well: jobs that are not done; those that are aborted wait for the next one. */
enum journal_claim sim_host_look(struct sim_host *host, uint32_t *open_jobs);

/* The ranges of the job. */
const struct haul_range *sim_ranges(void);
bool sim_in_range(const struct sim_options *options, struct haul_slice key);

#endif
