/* SPDX-License-Identifier: Apache-2.0 */
/* sim_options.h — what one seed stands for: the shape of the data and of the job, and a mix of
 * faults of its own. */
#ifndef HAUL_SIM_OPTIONS_H
#define HAUL_SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"
#include "sim_network.h"
#include "sim_random.h"
#include "sim_verbs.h"

/* Name, sentence. */
#define SIM_FAULT_LIST(X)                                           \
    X(KILL_SOURCE, "the source's process dies")                     \
    X(KILL_TARGET, "the target's process dies")                     \
    X(POWER_SOURCE, "the source's host loses what was not synced")  \
    X(POWER_TARGET, "the target's host loses what was not synced")  \
    X(PAUSE_SOURCE, "the source's process is stopped for a while")  \
    X(PAUSE_TARGET, "the target's process is stopped for a while")  \
    X(CUT, "every connection is reset")                             \
    X(SILENCE, "every connection falls silent for a while")         \
    X(DISK_SOURCE, "calls on the source's journal fail")            \
    X(DISK_TARGET, "calls on the target's journal fail")            \
    X(SPACE_SOURCE, "the disk of the source's journal is full")     \
    X(SPACE_TARGET, "the disk of the target's journal is full")     \
    X(STORE_SOURCE, "a call of the source's database fails")        \
    X(STORE_TARGET, "a call of the target's database fails")        \
    X(PURGE, "log files that are still wanted are removed")         \
    X(INGEST, "somebody ingests a file into the source")            \
    X(FOREIGN, "somebody else writes to the target's ranges")       \
    X(CANCEL_SOURCE, "the source's operator cancels")               \
    X(CANCEL_TARGET, "the target's operator cancels")               \
    X(SECOND_JOB, "a second job is started on the source")          \
    X(MEMORY_SOURCE, "an allocation of the source's process fails") \
    X(MEMORY_TARGET, "an allocation of the target's process fails") \
    X(CLOCK, "time jumps ahead")

enum sim_fault {
#define SIM_FAULT_ENUM(name, sentence) SIM_FAULT_##name,
    SIM_FAULT_LIST(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULT_COUNT
};

const char *sim_fault_name(enum sim_fault fault);

struct sim_options {
    uint64_t seed;
    /* Data. */
    uint32_t family_count;
    bool metadata; /* the first family goes ahead */
    uint32_t range_count;
    uint32_t record_count; /* of the source, in and around the ranges */
    uint32_t value_bytes_max;
    uint32_t huge_parts; /* of ten thousand: values larger than a slot */
    uint64_t record_bytes;
    bool dense_values; /* half of the values cannot be made smaller */
    bool target_dirty; /* the target has records in the ranges, and the job overwrites */
    /* Job. */
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
    uint32_t target_features;
    bool reserve_hook;
    bool once;
    enum haul_transport_mode mode;
    enum haul_compression compression;
    /* Clients: a batch about every so many steps; 0: none. */
    uint32_t client_steps;
    /* Faults. */
    bool faults[SIM_FAULT_COUNT];
    uint32_t fault_steps; /* about so many between two */
    uint32_t stall_parts;
    uint32_t freeze_fail_parts;
    uint32_t preempt_parts;
    struct sim_network_options network;
    struct sim_verbs_options verbs;
    uint32_t safety_steps; /* then all faults end, and the job has to come to its end */
};

void sim_options_draw(struct sim_options *options, uint64_t seed);
/* Links of another kind than the seed has drawn. */
void sim_options_force(struct sim_options *options, enum haul_transport_mode mode);
void sim_options_print(const struct sim_options *options);

#endif
