/* SPDX-License-Identifier: Apache-2.0 */
/* sim_host.h — one machine of a simulated world: its disk, its database, and the embedder's
 * knowledge of which cells it may accept writes to.
 *
 * The embedder is up or down; commands (sim_command.h) are the migrations that run in it. What it
 * accepts follows from what it owned when the world began and from the records beside its database,
 * read anew at each start and behind each command. */
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
    bool lost;           /* it never comes back */
    uint64_t restart_ns; /* down: comes back then; 0: nobody has decided when */
    uint32_t base;       /* cells that it owned before any record */
    struct sim_register own_register;
    uint32_t accepts;             /* cells whose writes it takes */
    uint32_t expected;            /* cells that jobs were asked to bring here */
    uint32_t foreign;             /* writes of others to what it was receiving */
    struct sim_command *receiver; /* NULL: it does not receive */
    uint64_t receive_ns;          /* when it may begin to */
    uint32_t takes_back;          /* cells that its operator takes back from a lost host */
    uint64_t loss_ns;             /* when the next command for that may be typed */
    bool copied;                  /* its database is a copy, and nobody has said so yet */
    bool copied_unmarked;         /* and its folder is of a release that cannot tell: C1 at once */
    bool was_reset;               /* its database was set back, and nobody has said so yet */
    struct sim_store_state *kept; /* NULL: no checkpoint */
    bool moved;  /* its directory is another one, or nobody knows which: nobody has said so yet */
    bool told;   /* a command was refused for one of these */
    bool forgot; /* the jobs that it has had */
    bool is_repaired; /* its operator has to do that first */
    uint32_t repairs; /* commands that were typed to get it out of a bad state */
};

void sim_host_init(struct sim_host *host, int number, const struct sim_options *options,
                   struct sim_random *random, struct sim_truth *truth);
/* The embedder starts, and serves what its records let it serve. */
void sim_host_start(struct sim_host *host);
/* Its last command has ended: the database and its directory are closed, and opened anew. */
void sim_host_reopen(struct sim_host *host);
/* Every process of it dies. */
void sim_host_kill(struct sim_host *host);
/* And what was not synced is lost. */
void sim_host_power_failure(struct sim_host *host);
/* It goes on with a copy of the other one's database, and serves nothing from it. */
void sim_host_copy(struct sim_host *host, const struct sim_host *from);
/* Its database, but not the folder beside it, is what it was at the last call. False: there was
 * none. */
bool sim_host_set_back(struct sim_host *host);
/* It is gone, with its disk. */
void sim_host_lose(struct sim_host *host);

/* The records may have changed: accept what they say. */
void sim_host_refresh(struct sim_host *host);
/* The cells that the embedder owns by its records, without those that are in doubt. */
uint32_t sim_host_claims(struct sim_host *host);

/* The id of a family in its database. False: it is not there (yet). */
bool sim_host_find_family(const struct sim_host *host, uint32_t family, uint32_t *id);
/* The reverse; SIM_FAMILY_COUNT: it is none of ours. */
uint32_t sim_host_family_of(const struct sim_host *host, uint32_t id);

#endif
