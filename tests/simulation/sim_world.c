/* SPDX-License-Identifier: Apache-2.0 */
/* sim_world.c — the loop around the scheduler: operators, clients, phases and checks. */
#include "sim_world.h"

#include <string.h>

#include "clock.h"
#include "sim_chaos.h"
#include "sim_descriptor.h"
#include "sim_kernel.h"
#include "sim_operator.h"
#include "sim_report.h"
#include "sim_schedule.h"
#include "sim_table.h"

enum {
    LIVENESS_STEPS_MAX = 3000000,
    LIVENESS_COMMANDS_MAX = 200, /* most of them find another command running */
    LAST_STEPS = 100,            /* steps for clients and late messages after a job is done */
    CLIENT_WRITES_MAX = 100,     /* a job that never catches up shows nothing new */
};

#define LIVENESS_NS_MAX (UINT64_C(3600) * NS_PER_S)

static struct sim_world world; /* large */

/* --- steps ------------------------------------------------------------------------------------ */

static void serve_clients(struct sim_world *self)
{
    bool wanted = self->options->client_steps > 0 && self->client.writes < CLIENT_WRITES_MAX;
    if (wanted && sim_kernel.steps >= self->next_client) {
        self->next_client =
            sim_kernel.steps + 1 + sim_random_below(&self->random, 2 * self->options->client_steps);
        sim_client_write(&self->client);
    }
}

/* When an operator acts unprompted. */
static uint64_t next_deadline(const struct sim_world *self)
{
    uint64_t until = sim_kernel.now_ns + NS_PER_S;
    until = self->next_task_ns > sim_kernel.now_ns && self->next_task_ns < until
                ? self->next_task_ns
                : until;
    for (uint32_t i = 0; i < self->options->host_count; i++) {
        const struct sim_host *host = &self->hosts[i];
        bool starts = host->restart_ns > sim_kernel.now_ns && host->restart_ns < until;
        until = starts ? host->restart_ns : until;
        bool receives = host->receive_ns > sim_kernel.now_ns && host->receive_ns < until;
        until = receives ? host->receive_ns : until;
    }
    for (uint32_t i = 0; i < self->task_count; i++) {
        const struct sim_task *task = &self->tasks[i];
        bool types = !task->over && task->next_ns > sim_kernel.now_ns && task->next_ns < until;
        until = types ? task->next_ns : until;
    }
    return until;
}

static void take_unwatched(void)
{
    for (int i = 0; i < SIM_COMMAND_COUNT; i++) {
        struct sim_command *command = sim_command_at(i);
        if (command->used && command->is_unwatched && command->process == NULL) {
            sim_command_drop(command);
        }
    }
}

static void step(struct sim_world *self)
{
    (void)sim_kernel_step(self->wake_ns);
    if (sim_kernel.now_ns >= self->wake_ns || sim_commands_ended() != self->ended_seen) {
        self->ended_seen = sim_commands_ended();
        take_unwatched();
        sim_schedule_step(self);
        sim_operator_step(self);
        self->wake_ns = next_deadline(self);
        self->done = sim_operator_is_done(self);
    }
    serve_clients(self);
}

static void run_safety(struct sim_world *self)
{
    while (sim_kernel.steps < self->options->safety_steps && !self->done) {
        step(self);
        sim_chaos_step(self);
    }
}

static void run_liveness(struct sim_world *self)
{
    uint64_t steps = sim_kernel.steps;
    uint64_t started_ns = sim_kernel.now_ns;
    uint64_t commands = self->commands;
    sim_say("--- no more faults");
    sim_chaos_end(self);
    sim_kernel.calm = true;
    self->wake_ns = 0;
    self->done = false;
    while (!self->done) {
        step(self);
        if (sim_kernel.steps > steps + LIVENESS_STEPS_MAX ||
            sim_kernel.now_ns > started_ns + LIVENESS_NS_MAX ||
            self->commands > commands + LIVENESS_COMMANDS_MAX) {
            sim_fail("liveness", "no end after %llu steps, %llu commands; the last: %s",
                     (unsigned long long)(sim_kernel.steps - steps),
                     (unsigned long long)(self->commands - commands),
                     self->task_count > 0 ? self->tasks[self->task_count - 1].text : "");
        }
    }
}

/* --- the end ---------------------------------------------------------------------------------- */

static void end_commands(void)
{
    for (int i = 0; i < SIM_COMMAND_COUNT; i++) {
        struct sim_command *command = sim_command_at(i);
        while (command->used && command->process != NULL) {
            sim_command_stop(command);
            (void)sim_kernel_step(sim_kernel.now_ns + NS_PER_S);
        }
    }
}

/* Each host serves what it owns, and nothing is left of any job. */
static void check_host(const struct sim_world *self, struct sim_host *host)
{
    uint32_t dark = sim_truth_owned(&self->truth, host) & ~host->accepts & ~self->truth.contested;
    if (dark != 0) {
        char text[96];
        sim_cells_format(dark, text, sizeof(text));
        sim_fail("I4", "nobody serves %s, which %s owns", text, host->name);
    }
    /* The next job, if there is one, removes what a forgotten job has left. */
    if (sim_store_file_count(&host->store) > 0 && !host->forgot) {
        sim_fail("I7", "%u staging files are left at %s", sim_store_file_count(&host->store),
                 host->name);
    }
    const struct sim_records *records = sim_records_of(host);
    uint32_t open = sim_records_open_count(records, JOURNAL_SOURCE) +
                    sim_records_open_count(records, JOURNAL_TARGET);
    if (open > 0) {
        sim_fail("I7", "%u jobs are not done at %s", open, host->name);
    }
}

/* Clients go on for a while, the receivers end in order, and every owner has all its data. */
static void run_end(struct sim_world *self)
{
    for (int i = 0; i < LAST_STEPS; i++) {
        step(self);
    }
    end_commands();
    for (uint32_t i = 0; i < self->options->host_count; i++) {
        struct sim_host *host = &self->hosts[i];
        if (!host->up && !host->lost) {
            sim_host_start(host);
        }
        if (!host->lost) {
            check_host(self, host);
        }
    }
}

/* --- a seed ----------------------------------------------------------------------------------- */

static void begin(struct sim_world *self, const struct sim_options *options)
{
    memset(self, 0, sizeof(*self));
    self->options = options;
    self->random.state = options->seed;
    sim_network_options = options->network;
    sim_verbs_options = options->verbs;
    sim_kernel_init(&self->random);
    sim_kernel.preempt_parts = options->preempt_parts;
    sim_codec_init(&self->random);
    sim_commands_init();
    sim_records_reset();
    sim_tables_init();
    sim_truth_init(&self->truth, self->hosts);
    sim_client_init(&self->client, options, &self->random, self->hosts);
    for (uint32_t i = 0; i < options->host_count; i++) {
        sim_host_init(&self->hosts[i], (int)i, options, &self->random, &self->truth);
        sim_tables_serve(&self->hosts[i].store);
    }
    self->task_limit = options->task_count;
    sim_schedule_begin(self);
    sim_chaos_init(self);
    for (uint32_t i = 0; i < options->host_count; i++) {
        sim_host_start(&self->hosts[i]);
    }
}

static void add_network_figures(struct sim_figures *figures)
{
    struct sim_network_figures *sum = &figures->network;
    const struct sim_network_figures *one = &sim_network_figures;
    sum->connections += one->connections;
    sum->cuts += one->cuts;
    sum->silences += one->silences;
    sum->refusals += one->refusals;
    sum->flips += one->flips;
    sum->replays += one->replays;
    struct sim_verbs_figures *cards = &figures->verbs;
    const struct sim_verbs_figures *card = &sim_verbs_figures;
    cards->queue_pairs += card->queue_pairs;
    cards->writes += card->writes;
    cards->calls_failed += card->calls_failed;
    cards->refused_writes += card->refused_writes;
    cards->not_ready += card->not_ready;
    for (int i = 0; i < SIM_VERBS_FAULT_COUNT; i++) {
        cards->faults[i] += card->faults[i];
    }
}

static void add_figures(const struct sim_world *self, struct sim_figures *figures)
{
    figures->seeds++;
    figures->steps += sim_kernel.steps;
    figures->seconds += (double)sim_kernel.now_ns / (double)NS_PER_S;
    figures->hosts += self->options->host_count;
    figures->tasks += self->task_count;
    figures->decisions += self->truth.handed_count;
    figures->commands += self->commands;
    figures->side_by_side += self->side_by_side;
    figures->client_writes += self->client.writes;
    for (uint32_t i = 0; i < self->task_count; i++) {
        figures->committed += self->tasks[i].committed;
    }
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        figures->faults[i] += self->chaos.seen[i];
    }
    for (uint32_t i = 0; i < self->options->host_count; i++) {
        figures->stalls += self->hosts[i].store.stalls;
    }
    figures->codec.packed += sim_codec_figures.packed;
    figures->codec.kept += sim_codec_figures.kept;
    figures->codec.unpacked += sim_codec_figures.unpacked;
    add_network_figures(figures);
}

void sim_world_run(const struct sim_options *options, struct sim_figures *figures)
{
    sim_report_begin(options);
    sim_host_reset();
    begin(&world, options);
    run_safety(&world);
    run_liveness(&world);
    run_end(&world);
    sim_kernel_fini();
    add_figures(&world, figures);
}
