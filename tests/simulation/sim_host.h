/* SPDX-License-Identifier: Apache-2.0 */
/* sim_host.h — one machine of a simulated world: its disk, its database, and which cells its
 * embedder may accept writes to.
 *
 * The embedder is up or down; commands (sim_command.h) are the migrations that run in it. What it
 * accepts follows from what it owned at the start and from the records beside its database, which
 * it reads again at each start and after each command. */
#ifndef HAUL_SIM_HOST_H
#define HAUL_SIM_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_cells.h"
#include "sim_disk.h"
#include "sim_options.h"
#include "sim_register.h"
#include "sim_store.h"

struct sim_truth;
struct sim_command;

struct sim_host {
    int number;
    char name[2];      /* "a", "b", ... */
    char path[4];      /* of the database: "/a", ... */
    char directory[8]; /* "/a/haul", ... */
    char address[24];
    char identity[16]; /* of its database */
    const struct sim_options *options;
    struct sim_random *random;
    struct sim_truth *truth;
    struct sim_disk disk;
    struct sim_store store;
    bool used;
    bool up;
    bool lost;           /* the host is lost for good */
    uint64_t restart_ns; /* when down: the time of its return; 0: not decided */
    uint32_t base;       /* cells that it owned before any record */
    struct sim_register own_register;
    uint32_t accepts;             /* cells that it accepts writes to */
    uint32_t expected;            /* cells that jobs are to bring here */
    uint32_t foreign;             /* foreign writes to ranges that were arriving */
    struct sim_command *receiver; /* the receiver's command; NULL: none */
    uint64_t receive_ns;          /* the earliest start of the next one */
    uint32_t takes_back;          /* cells that its operator takes back from a lost host */
    uint64_t loss_ns;             /* the earliest time of the next command for that */
    bool copied;                  /* its database is a copy, which no operator has declared yet */
    bool copied_unmarked;         /* from a release that cannot recognize it: C1 at once */
    bool was_reset;               /* its database was set back, not declared yet */
    struct sim_store_state *kept; /* NULL: no checkpoint */
    bool moved;  /* its directory has changed or is unknown, which no operator has declared yet */
    bool told;   /* a command was refused for one of these reasons */
    bool forgot; /* the jobs that it has had */
    bool is_repaired; /* its operator must do that first */
    uint32_t repairs; /* commands typed to repair a bad state */
};

void sim_host_init(struct sim_host *host, int number, const struct sim_options *options,
                   struct sim_random *random, struct sim_truth *truth);
/* Start the embedder; it serves what its records allow. */
void sim_host_start(struct sim_host *host);
/* The last command has ended: close and reopen the database and its directory. */
void sim_host_reopen(struct sim_host *host);
/* Kill every process of the host. */
void sim_host_kill(struct sim_host *host);
/* The same, and lose what was not synced. */
void sim_host_power_failure(struct sim_host *host);
/* The host goes on with a copy of the other one's database, and serves nothing from it. */
void sim_host_copy(struct sim_host *host, const struct sim_host *from);
/* Restore its database, but not the folder beside it, to the state at the last call. False: there
 * was no such call. */
bool sim_host_set_back(struct sim_host *host);
/* Remove the host with its disk, for good. */
void sim_host_lose(struct sim_host *host);

/* The records may have changed: accept what they allow. */
void sim_host_refresh(struct sim_host *host);
/* The cells that the embedder owns by its records, without those in doubt. */
uint32_t sim_host_claims(struct sim_host *host);

/* The id of a family in its database. False: the database lacks it (so far). */
bool sim_host_find_family(const struct sim_host *host, uint32_t family, uint32_t *id);
/* The reverse; SIM_FAMILY_COUNT: not one of ours. */
uint32_t sim_host_family_of(const struct sim_host *host, uint32_t id);

#endif
