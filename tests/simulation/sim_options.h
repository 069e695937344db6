/* SPDX-License-Identifier: Apache-2.0 */
/* sim_options.h — what a seed stands for: a world of databases, the jobs that move cells between
 * them, and a mix of faults. */
#ifndef HAUL_SIM_OPTIONS_H
#define HAUL_SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"
#include "sim_kernel.h"
#include "sim_network.h"
#include "sim_random.h"
#include "sim_verbs.h"

/* Name, sentence. */
#define SIM_FAULT_LIST(X)                                            \
    X(KILL, "the processes of a host die")                           \
    X(POWER, "a host loses what was not synced")                     \
    X(PAUSE, "a process is stopped for a while")                     \
    X(CUT, "connections are reset")                                  \
    X(SILENCE, "connections fall silent for a while")                \
    X(DISK, "calls on the journals of a host fail")                  \
    X(SLOW, "the disk of a host takes its time to sync")             \
    X(SPACE, "the disk of the journals is full")                     \
    X(STORE, "a call of a database fails")                           \
    X(PURGE, "log files that are still wanted are removed")          \
    X(INGEST, "somebody ingests a file into a source")               \
    X(FOREIGN, "somebody else writes to what a target is given")     \
    X(CANCEL, "an operator cancels a running command")               \
    X(COMMAND, "an operator types something, at a moment like any")  \
    X(SECOND_JOB, "the same job is started a second time")           \
    X(MEMORY, "an allocation of a process fails")                    \
    X(CLOCK, "time jumps ahead")                                     \
    X(LOSS, "a host never comes back")                               \
    X(ROT, "a record on the disk of a host is damaged")              \
    X(MOVE, "a database goes on in another directory")               \
    X(RISK, "an operator types what ends a state by force")          \
    X(LIE, "a database drops or hides a record, and says nothing")   \
    X(CLONE, "a host goes on with a copy of another one's database") \
    X(RESET, "a database is set back to what it was")

enum sim_fault {
#define SIM_FAULT_ENUM(name, sentence) SIM_FAULT_##name,
    SIM_FAULT_LIST(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULT_COUNT
};

const char *sim_fault_name(enum sim_fault fault);

/* Name, sentence: which database hands over to which. */
#define SIM_SHAPE_LIST(X)                           \
    X(PAIR, "two databases, there and back")        \
    X(CHAIN, "each hands on what it was given")     \
    X(FAN_OUT, "one database gives to all others")  \
    X(FAN_IN, "one database takes from all others") \
    X(MIXED, "whoever owns something gives to whomever")

enum sim_shape {
#define SIM_SHAPE_ENUM(name, sentence) SIM_SHAPE_##name,
    SIM_SHAPE_LIST(SIM_SHAPE_ENUM)
#undef SIM_SHAPE_ENUM
        SIM_SHAPE_COUNT
};

/* Which hosts faults hit. */
enum sim_victim { SIM_VICTIM_ANY, SIM_VICTIM_SOURCE, SIM_VICTIM_TARGET };

struct sim_options {
    uint64_t seed;
    /* World. */
    uint32_t host_count;
    enum sim_shape shape;
    uint32_t task_count; /* jobs, one after the other ... */
    uint32_t tasks_at_once;
    uint32_t whole_parts; /* of ten thousand: requests for as much as possible */
    bool histories;       /* databases have taken part in jobs before */
    bool registers;       /* embedders keep config version and ownership themselves */
    bool exclusive;       /* only one command at a time opens a database, as with the tool */
    /* Data. */
    bool metadata;         /* the first family is applied before the others */
    uint32_t record_count; /* of an owner */
    uint32_t value_bytes_max;
    uint32_t huge_parts; /* of ten thousand: values larger than a slot */
    uint32_t long_parts; /* of ten thousand: keys larger than a slot */
    uint64_t record_bytes;
    bool dense_values;  /* half of the values are incompressible */
    bool targets_dirty; /* other hosts have records in cells that they do not own */
    /* Jobs. */
    struct haul_link_options link;
    uint32_t link_count;
    uint32_t reader_count;
    uint32_t applier_count;
    uint32_t batch_bytes_min;
    uint32_t batch_bytes_max;
    uint64_t rate_bytes_per_second;
    uint64_t lag_bytes_max;
    uint64_t table_bytes;
    uint32_t freeze_max_ms;
    uint32_t retry_max_ms;
    enum haul_lane lane;
    uint32_t features[SIM_HOST_COUNT_MAX];
    bool reserve_hook;
    bool once;
    uint32_t jobs_max; /* of a receiver, at once */
    bool read_back;
    bool log_data;
    struct haul_transport_list transports;
    enum haul_compression compression;
    /* Clients: one batch in about this many steps; 0: none. */
    uint32_t client_steps;
    /* Faults. */
    bool faults[SIM_FAULT_COUNT];
    enum sim_victim victim;
    uint32_t fault_steps; /* the mean distance between two */
    uint32_t stall_parts;
    uint32_t freeze_fail_parts;
    uint32_t hook_fail_parts; /* of the other hooks */
    uint32_t hook_slow_ms;    /* the longest delay of one block in ten */
    uint32_t preempt_parts;
    struct sim_network_options network;
    struct sim_verbs_options verbs;
    uint32_t safety_steps; /* all faults end then, and every job must end */
};

void sim_options_draw(struct sim_options *options, uint64_t seed);
/* Replace the kind of links that the seed has drawn. */
void sim_options_force(struct sim_options *options, const struct haul_transport_list *transports);
void sim_options_print(const struct sim_options *options);

#endif
