/* SPDX-License-Identifier: Apache-2.0 */
/* sim_records.h — the records beside a simulated database, its journals and its ownership record,
 * in cells, as any reader would find them now. */
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
    bool foreign;   /* it names another database, or another file */
    bool bound;     /* source: it has met its target */
    bool in_doubt;  /* its journal alone leaves it in doubt */
    bool decided;   /* the journal says so */
    bool released;  /* the ownership file does */
    bool committed; /* source: has decided by either record. Target: owns */
    uint64_t new_version;
    bool planned; /* `cells` is known: a job's plan never changes */
    uint32_t cells;
};

struct sim_records {
    uint64_t changes;  /* the disk's change number at the time of reading */
    uint64_t state;    /* of the ownership record at that time */
    bool readable;     /* the ownership record is */
    uint32_t released; /* cells that the record gives to others */
    uint32_t imported; /* cells that it takes from others */
    uint64_t version;
    struct sim_job_record jobs[SIM_RECORDS_JOB_COUNT];
    uint32_t job_count;
};

/* Ownership: borrowed until the next call for this host. */
const struct sim_records *sim_records_of(struct sim_host *host);
/* Forget everything about all hosts. */
void sim_records_reset(void);

/* Whether this host has a journal that is not done. Aborted ones wait for the next job. */
uint32_t sim_records_open_count(const struct sim_records *records, enum journal_role role);
/* The first job that its source has decided and whose journal still exists, or NULL. */
const struct sim_job_record *sim_records_decided(const struct sim_records *records);
const struct sim_job_record *sim_records_find(const struct sim_records *records,
                                              enum journal_role role,
                                              const uint8_t id[HAUL_JOB_BYTES]);

/* Whether a job has been left that any target may take. */
bool sim_records_any_unbound(const struct sim_records *records);
/* Whether a journal belongs to no database of this host. */
bool sim_records_any_foreign(const struct sim_records *records);

/* For setting up the world: an ownership file of format 1 with this version and one entry for each
 * cell; later entries override older ones of `hidden`. */
void sim_records_invent(struct sim_host *host, uint64_t version, uint32_t released,
                        uint32_t imported, uint32_t hidden);

#endif
