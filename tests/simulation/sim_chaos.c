/* SPDX-License-Identifier: Apache-2.0 */
/* sim_chaos.c — one short function for each fault. */
#include "sim_chaos.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "sim_gates.h"
#include "sim_loss.h"
#include "sim_network.h"
#include "sim_owner.h"
#include "sim_records.h"
#include "sim_report.h"
#include "sim_verbs.h"
#include "sim_world.h"

enum {
    CALLS_MAX = 30, /* a failing call is one of the next so many */
    PAUSE_MS_MAX = 8000,
    SLOW_MS_MAX = 3000,
    SPACE_BYTES_MAX = 600,
};

void sim_chaos_init(struct sim_world *world)
{
    world->chaos = (struct sim_chaos){
        .next_step = sim_random_below(&world->random, 2 * world->options->fault_steps)};
}

static uint32_t some(struct sim_world *world, uint32_t limit)
{
    return 1 + sim_random_below(&world->random, limit);
}

/* A random running command of the host; NULL: none runs. */
static struct sim_command *some_command(struct sim_world *world, const struct sim_host *host)
{
    uint32_t first = sim_random_below(&world->random, SIM_COMMAND_COUNT);
    for (uint32_t i = 0; i < SIM_COMMAND_COUNT; i++) {
        struct sim_command *command = sim_command_at((int)((first + i) % SIM_COMMAND_COUNT));
        if (command->used && command->process != NULL && command->host == host) {
            return command;
        }
    }
    return NULL;
}

static void pause(struct sim_world *world, struct sim_command *command)
{
    uint64_t duration_ns = (uint64_t)NS_PER_MS * some(world, PAUSE_MS_MAX);
    sim_say("%s of %s stops", command->process->name, command->host->name);
    command->process->paused_until_ns = sim_kernel.now_ns + duration_ns;
    command->excused_ns += duration_ns;
}

static void fail_disk(struct sim_world *world, struct sim_host *host)
{
    bool for_ever = sim_random_below(&world->random, 3) == 0;
    sim_say("the disk of %s will fail", host->name);
    sim_disk_fail(&host->disk, some(world, CALLS_MAX), EIO, for_ever);
}

static void fill_disk(struct sim_world *world, struct sim_host *host)
{
    sim_say("the disk of %s is nearly full", host->name);
    host->disk.space_bytes = some(world, SPACE_BYTES_MAX);
}

static void fail_store(struct sim_world *world, struct sim_host *host)
{
    static const enum haul_status statuses[] = {HAUL_STORE, HAUL_NO_SPACE, HAUL_IO, HAUL_CORRUPT};
    sim_say("the database of %s will fail", host->name);
    sim_store_fail(&host->store, some(world, 3 * CALLS_MAX),
                   statuses[sim_random_below(&world->random, 4)]);
}

static bool ingest(struct sim_host *host)
{
    static const uint8_t key_bytes[] = {'d'};
    struct haul_slice value = {.data = (const uint8_t *)"ingested", .size = 8};
    struct haul_slice key = slice_of(key_bytes, 1);
    if ((host->accepts & sim_cell_of(0, key)) == 0) {
        return false;
    }
    struct sim_version about = {
        .family_id = 0, .ingested = true, .sequence = ++host->store.sequence};
    sim_say("somebody ingests into %s", host->name);
    sim_versions_put(&host->store.versions, &about, key, &value);
    host->store.foreign_ingests++;
    host->store.log.synced = host->store.sequence;
    return true;
}

/* An embedder that does not keep other writers off the ranges while they arrive. */
static bool write_foreign(struct sim_world *world)
{
    static const uint8_t record[] = {0, 0, 0,   0,   0, 0,   0,   0,   1,   0,   0,   0,
                                     1, 2, 'd', 'x', 7, 'f', 'o', 'r', 'e', 'i', 'g', 'n'};
    const struct sim_task *task = &world->tasks[0];
    struct haul_error error;
    uint32_t cell = sim_cell_of(0, slice_of(record + 14, 2));
    /* From the freeze on, the digest may have been taken: only the hook helps then. */
    bool begun = world->task_count == 1 && !task->over && task->attempts == 1 &&
                 task->target->store.written > 0 && task->target->foreign == 0 &&
                 (task->request.cells & task->source->accepts & cell) != 0;
    if (!begun || world->options->reserve_hook || task->target->store.dead || !task->target->up) {
        return false;
    }
    sim_say("somebody else writes to %s", task->target->name);
    struct sim_store *store = &task->target->store;
    enum haul_status status = store->base.ops->write(&store->base, slice_of(record, sizeof(record)),
                                                     HAUL_WRITE_SYNC, &error);
    task->target->foreign += status == HAUL_OK;
    return true;
}

/* An operator mistakes a copy for its original. */
static void send_from_copy(struct sim_world *world, struct sim_command *command)
{
    uint32_t to = sim_random_below(&world->random, world->options->host_count);
    command->verb = SIM_VERB_SEND;
    command->to = &world->hosts[to];
    sim_request_draw(&command->request, &world->random, SIM_CELLS_ALL, 5000);
    command->overwrite = sim_random_below(&world->random, 2) == 0;
}

/* Another operator types a command. */
static bool type_anything(struct sim_world *world, struct sim_host *host)
{
    static const enum sim_verb verbs[] = {SIM_VERB_STATUS, SIM_VERB_CANCEL, SIM_VERB_RESUME,
                                          SIM_VERB_RESOLVE, SIM_VERB_RECV};
    enum sim_verb verb = verbs[sim_random_below(&world->random, 5)];
    const struct sim_host *to =
        &world->hosts[sim_random_below(&world->random, world->options->host_count)];
    bool asks = verb == SIM_VERB_RESUME || verb == SIM_VERB_RESOLVE;
    bool taken =
        host->copied_unmarked || (world->options->exclusive && sim_command_count(host) > 0);
    /* it could take a job to another target than the task's */
    bool astray =
        verb == SIM_VERB_RESUME && world->options->host_count > 2 &&
        (world->options->tasks_at_once > 1 || sim_records_any_unbound(sim_records_of(host)));
    if (taken || astray || (asks && to == host && !SIM_GATE_SELF)) {
        return false;
    }
    struct sim_command *command = sim_command_new(host, verb);
    if (command == NULL) {
        return false;
    }
    command->to = asks ? to : NULL;
    command->is_unwatched = true;
    if (host->copied && SIM_GATE_INSTANCE && sim_random_below(&world->random, 2) == 0) {
        send_from_copy(world, command);
    }
    sim_command_start(command);
    return true;
}

static bool start_second(struct sim_world *world, struct sim_host *host)
{
    for (uint32_t i = 0; i < world->task_count && !world->options->exclusive; i++) {
        const struct sim_task *task = &world->tasks[i];
        /* An embedder with a register knows which ranges it owns. */
        bool owns =
            !host->own_register.in_use || (task->request.cells & ~host->own_register.owned) == 0;
        struct sim_command *command = owns && task->source == host && !task->over
                                          ? sim_command_new(host, SIM_VERB_SEND)
                                          : NULL;
        if (command != NULL) {
            command->to = task->target;
            command->request = task->request;
            command->overwrite = sim_random_below(&world->random, 2) == 0;
            command->refuses_freezes = true;
            command->is_unwatched = true;
            sim_command_start(command);
            return true;
        }
    }
    return false;
}

/* The cells that the flag puts at risk. */
static uint32_t cells_at_risk(struct sim_host *host, const struct sim_command *command)
{
    const struct sim_records *records = sim_records_of(host);
    uint32_t cells = 0;
    for (uint32_t i = 0; i < records->job_count && command->verb == SIM_VERB_FORCE; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        bool forced = !job->readable || (job->role == JOURNAL_TARGET && !job->committed);
        cells |= forced ? job->cells : 0;
    }
    for (uint32_t i = 0; i < records->job_count && command->verb == SIM_VERB_END; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        cells |= job->role == JOURNAL_SOURCE && job->committed ? job->cells : 0;
    }
    if (command->verb == SIM_VERB_RECLAIM) {
        cells = command->request.cells;
    } else if (command->verb == SIM_VERB_FORGET) {
        cells = sim_owner_forget_risk(host);
    } else if (command->verb == SIM_VERB_REBUILD && !records->readable) {
        cells = sim_owner_rebuild_risk(host);
    }
    return cells;
}

/* A reckless operator forces an end, although the other side may still exist. */
static bool type_risky(struct sim_world *world, struct sim_host *host)
{
    static const enum sim_verb verbs[] = {SIM_VERB_FORGET,  SIM_VERB_ADOPT, SIM_VERB_REBUILD,
                                          SIM_VERB_RECLAIM, SIM_VERB_FORCE, SIM_VERB_DROP,
                                          SIM_VERB_END};
    enum sim_verb verb = verbs[sim_random_below(&world->random, 7)];
    /* No check can cope with both a copy and its original going on. */
    bool accepts = sim_random_below(&world->random, 3) == 0 && !host->copied;
    uint32_t released = sim_records_of(host)->released;
    uint32_t some_cells = released & (uint32_t)sim_random_next(&world->random);
    bool taken =
        host->copied_unmarked || (world->options->exclusive && sim_command_count(host) > 0);
    struct sim_command *command = taken ? NULL : sim_command_new(host, verb);
    if (command == NULL) {
        return false;
    }
    command->accepts = accepts;
    command->is_unwatched = true;
    command->request.cells = sim_owner_span(some_cells != 0 ? some_cells : released);
    if (accepts) {
        sim_truth_contest(&world->truth, cells_at_risk(host, command));
    }
    sim_command_start(command);
    return true;
}

/* Only once: two equal copies of a damaged record would be believed. */
static bool lie(struct sim_world *world, struct sim_host *host)
{
    if (world->chaos.seen[SIM_FAULT_LIE] > 0) {
        return false;
    }
    bool drops = sim_random_below(&world->random, 2) == 0;
    *(drops ? &host->store.drop_in : &host->store.hide_in) = some(world, CALLS_MAX);
    return true;
}

static bool rot(struct sim_host *host)
{
    if (sim_command_count(host) > 0) {
        sim_host_kill(host); /* a process would notice too late for any check */
    }
    if (!host->copied) {
        sim_truth_note_decisions(host->truth, host);
    }
    bool instance = !host->moved; /* a second flipped bit could not be repaired */
    bool any = sim_disk_rot(&host->disk, host->directory, &instance);
    host->moved = host->moved || (any && instance);
    return any;
}

static bool is_busy(const struct sim_world *world, const struct sim_host *host)
{
    bool busy = false;
    for (uint32_t i = 0; i < world->task_count; i++) {
        const struct sim_task *task = &world->tasks[i];
        busy = busy || (!task->over && (task->source == host || task->target == host));
    }
    return busy;
}

/* Another host, which owns nothing and has no job, goes on with a copy of this host's database. */
static bool copy_host(struct sim_world *world, struct sim_host *from)
{
    uint32_t first = sim_random_below(&world->random, world->options->host_count);
    for (uint32_t i = 0; i < world->options->host_count; i++) {
        struct sim_host *host = &world->hosts[(first + i) % world->options->host_count];
        bool fits = host != from && !from->copied && sim_truth_owned(&world->truth, host) == 0 &&
                    !is_busy(world, host) && sim_records_of(host)->job_count == 0 &&
                    (sim_records_of(from)->job_count > 0 || sim_records_of(from)->version > 0);
        if (fits) {
            sim_truth_note_decisions(&world->truth, from);
            sim_host_copy(host, from);
            return true;
        }
    }
    return false;
}

/* The host also loses what jobs have brought here durably. */
static bool set_back(struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host);
    if (!host->copied) {
        sim_truth_note_decisions(host->truth, host);
    }
    for (uint32_t i = 0; i < records->job_count && host->kept != NULL; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        bool prepared = job->role == JOURNAL_TARGET && (job->phase == JOURNAL_PHASE_PREPARED ||
                                                        job->phase == JOURNAL_PHASE_COMMITTED);
        if (prepared) {
            sim_truth_contest(host->truth, job->cells);
        }
    }
    return sim_host_set_back(host);
}

static bool move(struct sim_host *host)
{
    sim_host_kill(host);
    sim_say("%s goes on in another directory", host->name);
    sim_disk_move(&host->disk);
    host->moved = true;
    return true;
}

static bool strike_command(struct sim_world *world, enum sim_fault fault,
                           struct sim_command *command)
{
    if (command == NULL) {
        return false;
    }
    if (fault == SIM_FAULT_PAUSE) {
        pause(world, command);
    } else if (fault == SIM_FAULT_CANCEL) {
        bool stops = sim_random_below(&world->random, 2) == 0;
        if (stops || world->options->jobs_max == 1 || !sim_command_cancel_job(command)) {
            (stops ? sim_command_stop : sim_command_cancel)(command);
        }
    } else {
        sim_say("%s of %s will lack memory", command->process->name, command->host->name);
        command->process->heap.fail_in = some(world, 10 * CALLS_MAX);
    }
    return true;
}

/* Faults of one host, which is up. False: nothing could fail. */
static bool strike(struct sim_world *world, enum sim_fault fault, struct sim_host *host)
{
    switch (fault) {
    case SIM_FAULT_KILL:
        sim_host_kill(host);
        return true;
    case SIM_FAULT_POWER:
        sim_host_power_failure(host);
        return true;
    case SIM_FAULT_LOSS:
        if (sim_loss_is_any(world) || host->own_register.in_use) {
            return false;
        }
        sim_host_lose(host);
        return true;
    case SIM_FAULT_DISK:
        fail_disk(world, host);
        return true;
    case SIM_FAULT_SLOW:
        sim_say("the disk of %s is slow", host->name);
        host->disk.slow_ms = some(world, SLOW_MS_MAX);
        return true;
    case SIM_FAULT_SPACE:
        fill_disk(world, host);
        return true;
    case SIM_FAULT_STORE:
        fail_store(world, host);
        return true;
    case SIM_FAULT_PURGE:
        sim_say("the log of %s is purged", host->name);
        sim_store_purge(&host->store, host->store.sequence);
        return true;
    case SIM_FAULT_INGEST:
        return ingest(host);
    case SIM_FAULT_COMMAND:
        return type_anything(world, host);
    case SIM_FAULT_SECOND_JOB:
        return start_second(world, host);
    case SIM_FAULT_LIE:
        return lie(world, host);
    case SIM_FAULT_ROT:
        return rot(host);
    case SIM_FAULT_CLONE:
        return copy_host(world, host);
    case SIM_FAULT_RESET:
        return set_back(host);
    case SIM_FAULT_MOVE:
        return move(host);
    case SIM_FAULT_RISK:
        return type_risky(world, host);
    default:
        return strike_command(world, fault, some_command(world, host));
    }
}

/* Usually a host that takes part in a task. */
static struct sim_host *choose_host(struct sim_world *world)
{
    uint32_t count = world->options->host_count;
    struct sim_host *copied = &world->hosts[sim_random_below(&world->random, count)];
    if (copied->copied) {
        return copied;
    }
    uint32_t first = sim_random_below(&world->random, SIM_TASK_COUNT);
    bool source = world->options->victim == SIM_VICTIM_SOURCE ||
                  (world->options->victim == SIM_VICTIM_ANY && (first & 1) == 0);
    for (uint32_t i = 0; i < world->task_count && sim_random_below(&world->random, 8) != 0; i++) {
        const struct sim_task *task = &world->tasks[(first + i) % world->task_count];
        if (!task->over) {
            return source ? task->source : task->target;
        }
    }
    return &world->hosts[sim_random_below(&world->random, world->options->host_count)];
}

static void cut(struct sim_world *world, enum sim_fault fault)
{
    bool all = sim_random_below(&world->random, 2) == 0;
    int host = all ? -1 : choose_host(world)->number;
    sim_say("connections %s", fault == SIM_FAULT_CUT ? "are cut" : "fall silent");
    if (fault == SIM_FAULT_CUT) {
        sim_network_cut(host);
        sim_verbs_cut_all();
    } else {
        sim_network_silence(host);
        sim_verbs_silence_all();
    }
}

static void happen(struct sim_world *world, enum sim_fault fault)
{
    bool done = true;
    if (fault == SIM_FAULT_CUT || fault == SIM_FAULT_SILENCE) {
        cut(world, fault);
    } else if (fault == SIM_FAULT_CLOCK) {
        uint64_t jump_ns = (uint64_t)NS_PER_MS * some(world, PAUSE_MS_MAX);
        sim_say("time jumps");
        sim_kernel.now_ns += jump_ns;
        for (int i = 0; i < SIM_COMMAND_COUNT; i++) {
            sim_command_at(i)->excused_ns += jump_ns;
        }
    } else if (fault == SIM_FAULT_FOREIGN) {
        done = write_foreign(world);
    } else {
        struct sim_host *host = choose_host(world);
        done = host->up && strike(world, fault, host);
    }
    world->chaos.seen[fault] += done;
}

void sim_chaos_step(struct sim_world *world)
{
    struct sim_chaos *chaos = &world->chaos;
    if (sim_kernel.steps < chaos->next_step) {
        return;
    }
    chaos->next_step = sim_kernel.steps + some(world, 2 * world->options->fault_steps);
    enum sim_fault enabled[SIM_FAULT_COUNT];
    uint32_t count = 0;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        if (world->options->faults[i]) {
            enabled[count++] = (enum sim_fault)i;
        }
    }
    if (count > 0) {
        happen(world, enabled[sim_random_below(&world->random, count)]);
    }
}

static void heal(struct sim_host *host)
{
    sim_disk_fail(&host->disk, 0, 0, false);
    host->disk.slow_ms = 0;
    host->disk.space_bytes = SIZE_MAX;
    host->store.fail_in = 0;
    host->store.drop_in = 0;
    host->store.hide_in = 0;
    host->store.stall_parts = 0;
    /* A failed store stays failed until an operator reopens the database. */
    if (host->store.dead && host->up) {
        sim_host_kill(host);
    }
}

void sim_chaos_end(struct sim_world *world)
{
    sim_network_heal();
    sim_verbs_heal();
    for (uint32_t i = 0; i < world->options->host_count; i++) {
        if (!world->hosts[i].lost) {
            heal(&world->hosts[i]);
        }
    }
    for (int i = 0; i < SIM_PROCESS_COUNT; i++) {
        sim_kernel.processes[i].heap.fail_in = 0;
        sim_kernel.processes[i].paused_until_ns = 0;
    }
}
