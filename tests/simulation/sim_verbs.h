/* SPDX-License-Identifier: Apache-2.0 */
/* sim_verbs.h — an RDMA card in each simulated host, behind the product's table of calls.
 *
 * Both hosts live in one address space: a write is copied to the peer's memory at its time of
 * arrival, read from the sender's memory at that moment, and acknowledged later. A queue pair keeps
 * the order of its writes. What a process has registered ends with the process. */
#ifndef HAUL_SIM_VERBS_H
#define HAUL_SIM_VERBS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_kernel.h"

/* Name, sentence: what goes wrong once in the life of a queue pair. */
#define SIM_VERBS_FAULT_LIST(X)                                   \
    X(LOST, "a completion is lost")                               \
    X(TWICE, "a completion is told twice")                        \
    X(STATUS, "a write fails with one of the statuses there are") \
    X(ERROR, "the queue pair goes into error")                    \
    X(NOT_READY, "the peer's card answers that it is not ready")  \
    X(FLIP, "a bit of what was placed is another one")            \
    X(SILENCE, "nothing passes between the two for a while")

enum sim_verbs_fault {
#define SIM_VERBS_ENUM(name, sentence) SIM_VERBS_##name,
    SIM_VERBS_FAULT_LIST(SIM_VERBS_ENUM)
#undef SIM_VERBS_ENUM
        SIM_VERBS_FAULT_COUNT
};

const char *sim_verbs_fault_name(enum sim_verbs_fault fault);

/* Parts are of ten thousand. */
struct sim_verbs_options {
    uint32_t fault_parts; /* of the queue pairs: one fault, ... */
    uint32_t fault_max;   /* ... within this many writes */
    uint32_t call_parts;  /* of the calls: they fail */
    bool absent[SIM_HOST_COUNT_MAX]; /* the host has no card */
};

struct sim_verbs_figures {
    uint64_t queue_pairs, writes, calls_failed, refused_writes, not_ready;
    uint64_t faults[SIM_VERBS_FAULT_COUNT];
};

extern struct sim_verbs_options sim_verbs_options;
extern struct sim_verbs_figures sim_verbs_figures;

void sim_verbs_init(void);
/* Perform what is due. */
void sim_verbs_deliver(void);
uint64_t sim_verbs_next_ns(void);

/* The process is gone and its host's kernel cleans up; after a power failure, nobody does. */
void sim_verbs_kill(struct sim_process *process);
void sim_verbs_power_failure(int host);
/* Move every queue pair to the error state / silence it for a while, now. */
void sim_verbs_cut_all(void);
void sim_verbs_silence_all(void);
void sim_verbs_heal(void);
/* Objects that a process has created and not destroyed. */
uint32_t sim_verbs_count(const struct sim_process *process);

#endif
