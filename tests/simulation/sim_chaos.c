/* SPDX-License-Identifier: Apache-2.0 */
/* sim_chaos.c — every fault in a function of a few lines. */
#include "sim_chaos.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "sim_network.h"
#include "sim_report.h"
#include "sim_verbs.h"

enum {
    CALLS_MAX = 30, /* a call that is to fail is one of the next so many */
    PAUSE_MS_MAX = 8000,
    SPACE_BYTES_MAX = 600,
};

void sim_chaos_init(struct sim_chaos *chaos, const struct sim_options *options,
                    struct sim_random *random, struct sim_host *hosts)
{
    *chaos = (struct sim_chaos){.options = options, .random = random, .hosts = hosts};
    chaos->next_step = sim_random_below(random, 2 * options->fault_steps);
}

static uint32_t some(struct sim_chaos *chaos, uint32_t limit)
{
    return 1 + sim_random_below(chaos->random, limit);
}

static void pause(struct sim_chaos *chaos, struct sim_host *host)
{
    sim_say("%s stops", host->process->name);
    host->process->paused_until_ns =
        sim_kernel.now_ns + (uint64_t)NS_PER_MS * some(chaos, PAUSE_MS_MAX);
}

static void fail_disk(struct sim_chaos *chaos, struct sim_host *host)
{
    bool for_ever = sim_random_below(chaos->random, 3) == 0;
    sim_say("the disk of %s will fail", host->process->name);
    sim_disk_fail(&host->disk, some(chaos, CALLS_MAX), EIO, for_ever);
}

static void fill_disk(struct sim_chaos *chaos, struct sim_host *host)
{
    sim_say("the disk of %s is nearly full", host->process->name);
    host->disk.space_bytes = some(chaos, SPACE_BYTES_MAX);
}

static void fail_store(struct sim_chaos *chaos, struct sim_host *host)
{
    static const enum haul_status statuses[] = {HAUL_STORE, HAUL_NO_SPACE, HAUL_IO, HAUL_CORRUPT};
    sim_say("the database of %s will fail", host->process->name);
    sim_store_fail(&host->store, some(chaos, 3 * CALLS_MAX),
                   statuses[sim_random_below(chaos->random, 4)]);
}

/* A hole in the log; for ever, as far as the job is concerned. */
static void purge(struct sim_chaos *chaos, struct sim_host *source)
{
    (void)chaos;
    sim_say("the log is purged");
    sim_store_purge(&source->store, source->store.sequence);
}

static void ingest(struct sim_chaos *chaos, struct sim_host *source)
{
    struct sim_version about = {
        .family_id = 0, .ingested = true, .sequence = ++source->store.sequence};
    struct haul_slice value = {.data = (const uint8_t *)"ingested", .size = 8};
    struct haul_slice key = {.data = (const uint8_t *)"d", .size = 1};
    (void)chaos;
    if (!source->accepts) {
        source->store.sequence--;
        return;
    }
    sim_say("somebody ingests");
    sim_versions_put(&source->store.versions, &about, key, &value);
    source->store.foreign_ingests++;
    source->store.log.synced = source->store.sequence;
}

/* An embedder that does not keep others off the ranges while they come in. */
static void write_foreign(struct sim_chaos *chaos, struct sim_host *target)
{
    static const uint8_t record[] = {0, 0, 0,   0,   0, 0,   0,   0,   1,   0,   0,   0,
                                     1, 2, 'd', 'x', 7, 'f', 'o', 'r', 'e', 'i', 'g', 'n'};
    struct haul_error error;
    /* From the freeze on the digest may have been taken: only the hook helps then. */
    const struct sim_host *source = &chaos->hosts[SIM_SOURCE];
    bool begun = source->attempts == 1 && target->store.written > 0 && target->foreign == 0;
    if (chaos->options->reserve_hook || target->owned || target->store.dead || !begun ||
        !source->accepts) {
        return;
    }
    sim_say("somebody else writes to the target");
    enum haul_status status = target->store.base.ops->write(
        &target->store.base, slice_of(record, sizeof(record)), HAUL_WRITE_SYNC, &error);
    target->foreign += status == HAUL_OK;
}

static void fail_memory(struct sim_chaos *chaos, struct sim_host *host)
{
    sim_say("%s will lack memory", host->process->name);
    host->process->heap.fail_in = some(chaos, 10 * CALLS_MAX);
}

static void cancel_or_stop(struct sim_chaos *chaos, struct sim_host *host)
{
    bool stops = sim_random_below(chaos->random, 2) == 0;
    if (host->migration != NULL) {
        sim_say("the operator %s %s", stops ? "stops" : "cancels", host->process->name);
        (stops ? haul_migration_stop : haul_migration_cancel)(host->migration);
    }
}

static void start_second(struct sim_host *source)
{
    for (int i = 0; i < SIM_PROCESS_COUNT; i++) {
        if (!sim_kernel.processes[i].alive) {
            sim_host_start_second(source);
            return;
        }
    }
}

/* Faults of one host; it is up. */
static void strike(struct sim_chaos *chaos, enum sim_fault fault, struct sim_host *host)
{
    switch (fault) {
    case SIM_FAULT_KILL_SOURCE:
    case SIM_FAULT_KILL_TARGET:
        sim_host_kill(host);
        return;
    case SIM_FAULT_POWER_SOURCE:
    case SIM_FAULT_POWER_TARGET:
        sim_host_power_failure(host);
        return;
    case SIM_FAULT_PAUSE_SOURCE:
    case SIM_FAULT_PAUSE_TARGET:
        pause(chaos, host);
        return;
    case SIM_FAULT_DISK_SOURCE:
    case SIM_FAULT_DISK_TARGET:
        fail_disk(chaos, host);
        return;
    case SIM_FAULT_SPACE_SOURCE:
    case SIM_FAULT_SPACE_TARGET:
        fill_disk(chaos, host);
        return;
    case SIM_FAULT_STORE_SOURCE:
    case SIM_FAULT_STORE_TARGET:
        fail_store(chaos, host);
        return;
    case SIM_FAULT_CANCEL_SOURCE:
    case SIM_FAULT_CANCEL_TARGET:
        cancel_or_stop(chaos, host);
        return;
    case SIM_FAULT_MEMORY_SOURCE:
    case SIM_FAULT_MEMORY_TARGET:
        fail_memory(chaos, host);
        return;
    case SIM_FAULT_PURGE:
        purge(chaos, host);
        return;
    case SIM_FAULT_FOREIGN:
        write_foreign(chaos, host);
        return;
    case SIM_FAULT_INGEST:
        ingest(chaos, host);
        return;
    default:
        start_second(host);
    }
}

static bool is_of_target(enum sim_fault fault)
{
    return fault == SIM_FAULT_KILL_TARGET || fault == SIM_FAULT_POWER_TARGET ||
           fault == SIM_FAULT_PAUSE_TARGET || fault == SIM_FAULT_DISK_TARGET ||
           fault == SIM_FAULT_SPACE_TARGET || fault == SIM_FAULT_STORE_TARGET ||
           fault == SIM_FAULT_CANCEL_TARGET || fault == SIM_FAULT_MEMORY_TARGET ||
           fault == SIM_FAULT_FOREIGN;
}

static void happen(struct sim_chaos *chaos, enum sim_fault fault)
{
    struct sim_host *host = &chaos->hosts[is_of_target(fault) ? SIM_TARGET : SIM_SOURCE];
    if (fault == SIM_FAULT_CUT) {
        sim_say("every connection is cut");
        sim_network_cut_all();
        sim_verbs_cut_all();
    } else if (fault == SIM_FAULT_SILENCE) {
        sim_say("every connection falls silent");
        sim_network_silence_all();
        sim_verbs_silence_all();
    } else if (fault == SIM_FAULT_CLOCK) {
        sim_say("time jumps");
        sim_kernel.now_ns += (uint64_t)NS_PER_MS * some(chaos, PAUSE_MS_MAX);
    } else if (host->process == NULL) {
        return;
    } else {
        strike(chaos, fault, host);
    }
    chaos->seen[fault]++;
}

void sim_chaos_step(struct sim_chaos *chaos)
{
    if (sim_kernel.steps < chaos->next_step) {
        return;
    }
    chaos->next_step = sim_kernel.steps + some(chaos, 2 * chaos->options->fault_steps);
    enum sim_fault enabled[SIM_FAULT_COUNT];
    uint32_t count = 0;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        if (chaos->options->faults[i]) {
            enabled[count++] = (enum sim_fault)i;
        }
    }
    if (count > 0) {
        happen(chaos, enabled[sim_random_below(chaos->random, count)]);
    }
}

void sim_chaos_end(struct sim_chaos *chaos)
{
    sim_network_heal();
    sim_verbs_heal();
    for (int i = 0; i < SIM_HOST_COUNT; i++) {
        struct sim_host *host = &chaos->hosts[i];
        sim_disk_fail(&host->disk, 0, 0, false);
        host->disk.space_bytes = SIZE_MAX;
        host->store.fail_in = 0;
        host->store.stall_parts = 0;
        if (host->process != NULL) {
            host->process->heap.fail_in = 0;
            host->process->paused_until_ns = 0;
        }
        /* What has failed once stays so for the life of the process: an operator starts it anew. */
        if (host->store.dead && host->process != NULL) {
            sim_host_kill(host);
        }
    }
}
