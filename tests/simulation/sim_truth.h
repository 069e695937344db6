/* SPDX-License-Identifier: Apache-2.0 */
/* sim_truth.h — who owns which cell of a simulated world: the reference for every promise.
 *
 * In each lineage a cell has exactly one owner at any time. The data of its owner's database is the
 * truth. Ownership changes at two moments only: when a source has decided (the target must then
 * hold everything durably), and when an operator types a flag that names the risk. A lineage is
 * what began as one set of data: a copy of a database that lives on beside its original starts
 * another lineage, and so does a range that was taken back although another database may own it. */
#ifndef HAUL_SIM_TRUTH_H
#define HAUL_SIM_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_host.h"
#include "sim_records.h"

enum { SIM_LINEAGE_COUNT = 8, SIM_HANDED_COUNT = 64, SIM_NOBODY = -1 };

/* A hand-over that was decided. */
struct sim_handed {
    uint8_t job[HAUL_JOB_BYTES];
    int from;
    int to;
    uint32_t cells;
    bool owned; /* the target has taken the cells over */
};

struct sim_truth {
    struct sim_host *hosts; /* SIM_HOST_COUNT_MAX of them */
    int8_t owner[SIM_LINEAGE_COUNT][SIM_CELL_COUNT];
    uint8_t lineage[SIM_HOST_COUNT_MAX][SIM_CELL_COUNT];
    uint32_t contested; /* cells of which nothing is promised any more */
    uint32_t lineage_count;
    struct sim_handed handed[SIM_HANDED_COUNT]; /* a ring */
    uint32_t handed_count;
};

void sim_truth_init(struct sim_truth *truth, struct sim_host *hosts);
/* Give the cells to the host, with the data that it has. */
void sim_truth_give(struct sim_truth *truth, const struct sim_host *host, uint32_t cells);
/* From now on nobody owns those of the cells that the host owned. */
void sim_truth_abandon(struct sim_truth *truth, const struct sim_host *host, uint32_t cells);
/* An operator has typed the flag that names the risk while the other side may still exist: from now
 * on these cells may have two owners or none. The promises still hold for all others. */
void sim_truth_contest(struct sim_truth *truth, uint32_t cells);
/* The cells that the host owns. */
uint32_t sim_truth_owned(const struct sim_truth *truth, const struct sim_host *host);
/* Fails unless the host owns all of the cells. */
void sim_truth_check_owner(const struct sim_truth *truth, const struct sim_host *host,
                           uint32_t cells, const char *what);

/* The source's records have changed durably: the target owns what they have decided by now. */
void sim_truth_note_decisions(struct sim_truth *truth, struct sim_host *source);
/* The target takes over the jobs that its records call committed, with the cells of those that have
 * this version. */
uint32_t sim_truth_note_owned(struct sim_truth *truth, struct sim_host *target,
                              uint64_t new_version);

/* Fails if an unfinished job brings cells here that the host owns: giving it up would clear
 * them. */
void sim_truth_check_jobs(const struct sim_truth *truth, struct sim_host *host);

/* A process of the host writes [begin, end) of a family, or one key (`is_key`). */
void sim_truth_check_write(const struct sim_truth *truth, const struct sim_host *host,
                           uint32_t family_id, struct haul_slice begin, struct haul_slice end,
                           bool is_key);

#endif
