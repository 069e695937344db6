/* SPDX-License-Identifier: Apache-2.0 */
/* sim_records.h — what the records beside a simulated database say, in cells: its journals and its
 * ownership file, read as anybody could read them at this moment. */
#ifndef HAUL_SIM_RECORDS_H
#define HAUL_SIM_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "journal_state.h"
#include "sim_host.h"

enum { SIM_RECORDS_JOB_COUNT = 256 };

struct sim_job_record {
    uint8_t id[HAUL_JOB_BYTES];
    enum journal_role role;
    enum journal_phase phase;
    uint64_t state; /* of its file, when it was read */
    bool readable;
    bool in_doubt;  /* its journal alone does not tell who owns */
    bool decided;   /* the journal says so */
    bool released;  /* the ownership file does */
    bool committed; /* source: decided to commit, by either record. Target: owns */
    uint64_t new_version;
    bool planned; /* `cells` is known: a job's plan never changes */
    uint32_t cells;
};

struct sim_records {
    uint64_t changes;  /* of the disk, when they were read */
    uint64_t state;    /* of the ownership file, then */
    bool readable;     /* the ownership file is */
    uint32_t released; /* cells that the file gives to others */
    uint32_t imported; /* cells that it has from others */
    uint64_t version;
    struct sim_job_record jobs[SIM_RECORDS_JOB_COUNT];
    uint32_t job_count;
};

/* Ownership: borrowed until the next call for this host. */
const struct sim_records *sim_records_of(struct sim_host *host);
/* Nothing is known of any host. */
void sim_records_reset(void);

/* Is there something to do on this host: a journal that is not done? Those that are aborted wait
 * for the next job. */
uint32_t sim_records_open_count(const struct sim_records *records, enum journal_role role);
/* The source has decided, and its journal is still there: the first such job, or NULL. */
const struct sim_job_record *sim_records_decided(const struct sim_records *records);
const struct sim_job_record *sim_records_find(const struct sim_records *records,
                                              enum journal_role role,
                                              const uint8_t id[HAUL_JOB_BYTES]);

/* Before the world begins: an ownership file of format 1 with this version and, for each cell, an
 * entry of its own; later entries hide older ones of `hidden`. */
void sim_records_invent(struct sim_host *host, uint64_t version, uint32_t released,
                        uint32_t imported, uint32_t hidden);

#endif
