/* SPDX-License-Identifier: Apache-2.0 */
/* sim_world.c — the loop around the scheduler: operators, clients, phases and checks. */
#include "sim_world.h"

#include <string.h>

#include "clock.h"
#include "sim_chaos.h"
#include "sim_client.h"
#include "sim_descriptor.h"
#include "sim_host.h"
#include "sim_kernel.h"
#include "sim_report.h"

enum {
    LIVENESS_STEPS_MAX = 3000000,
    LIVENESS_ATTEMPTS_MAX = 40,
    LAST_STEPS = 200, /* of clients and late messages, behind a job that is done */
    RESTART_MS_MAX = 3000,
    CLIENT_WRITES_MAX = 100, /* a job that never catches up is no news */
};

#define LIVENESS_NS_MAX (UINT64_C(3600) * NS_PER_S)

struct world {
    const struct sim_options *options;
    struct sim_random random;
    struct sim_host hosts[SIM_HOST_COUNT];
    struct sim_client client;
    struct sim_chaos chaos;
    uint64_t next_client;
    bool source_done;
};

static struct world world; /* large */

/* --- ownership changes ------------------------------------------------------------------------ */

/* The source has decided: the target must hold everything already, durably. */
static void on_release(void *context)
{
    struct world *self = context;
    sim_say("the source releases");
    if (!self->client.model_valid) {
        sim_client_check_copy(&self->client, "when the source decides");
    }
}

static void on_own(void *context)
{
    struct world *self = context;
    sim_say("the target owns");
    if (sim_host_claim(&self->hosts[SIM_SOURCE]) != JOURNAL_YIELDS) {
        sim_fail("I4", "the target owns what the source has not given up");
    }
    if (!self->client.model_valid) {
        sim_client_check_copy(&self->client, "when the target takes over");
        sim_client_hand_over(&self->client);
    }
    self->hosts[SIM_TARGET].owned = true;
}

static void on_write(void *context, uint32_t family_id, struct haul_slice begin,
                     struct haul_slice end)
{
    const struct world *self = context;
    sim_client_check_record(&self->client, family_id, begin, end);
}

/* --- operators -------------------------------------------------------------------------------- */

/* Is everything said and done on the source? */
static bool source_is_done(struct sim_host *source)
{
    uint32_t open_jobs;
    return sim_host_look(source, &open_jobs) == JOURNAL_YIELDS && open_jobs == 0;
}

static enum sim_attempt next_attempt(struct world *self)
{
    struct sim_host *source = &self->hosts[SIM_SOURCE];
    if (sim_host_claim(source) == JOURNAL_YIELDS ||
        (source->finished && source->outcome == HAUL_IN_DOUBT)) {
        return SIM_RESOLVE;
    }
    bool nothing_left = source->finished && source->outcome == HAUL_NOT_FOUND;
    return nothing_left || sim_random_below(&self->random, 2) == 0 ? SIM_SEND : SIM_RESUME;
}

static void schedule(struct world *self, struct sim_host *host)
{
    host->restart_ns =
        sim_kernel.now_ns + (uint64_t)NS_PER_MS * sim_random_below(&self->random, RESTART_MS_MAX);
}

/* Success means: the target owns, and says so. */
static void check_outcome(const struct world *self)
{
    const struct sim_host *source = &self->hosts[SIM_SOURCE];
    if (source->finished && source->outcome == HAUL_OK && !self->hosts[SIM_TARGET].owned) {
        sim_fail("I6", "the source reports success, and the target never took over");
    }
    bool alarm = source->outcome == HAUL_PROTOCOL || source->outcome == HAUL_CORRUPT ||
                 source->outcome == HAUL_FENCED;
    bool reason = sim_verbs_figures.faults[SIM_VERBS_FLIP] > 0 || sim_network_figures.flips > 0 ||
                  sim_verbs_figures.faults[SIM_VERBS_STATUS] > 0 ||
                  sim_network_figures.replays > 0 || self->hosts[SIM_TARGET].foreign > 0 ||
                  strstr(source->text, SIM_STORE_FAILURE) != NULL ||
                  self->chaos.seen[SIM_FAULT_MEMORY_SOURCE] > 0 ||
                  self->chaos.seen[SIM_FAULT_MEMORY_TARGET] > 0 ||
                  /* It went while we knocked. */
                  strstr(source->text, "not a haul peer") != NULL ||
                  strstr(source->text, "preamble") != NULL ||
                  /* The target was told to give the job up. */
                  strstr(source->text, "than was sent") != NULL ||
                  strstr(source->text, "than were sent") != NULL;
    if (source->finished && alarm && !reason) {
        sim_fail("I6", "%s, though nothing was damaged: %s", haul_status_name(source->outcome),
                 source->text);
    }
}

static void operate_source(struct world *self)
{
    struct sim_host *source = &self->hosts[SIM_SOURCE];
    if (source->process != NULL || self->source_done) {
        return;
    }
    if (source->restart_ns == 0) {
        check_outcome(self);
        self->source_done = source_is_done(source);
        schedule(self, source);
        return;
    }
    if (sim_kernel.now_ns >= source->restart_ns) {
        source->restart_ns = 0;
        /* What the message advises. */
        source->overwrite =
            source->finished && (source->outcome == HAUL_BUSY || source->outcome == HAUL_NOT_EMPTY);
        source->overwrites += source->overwrite;
        sim_host_start(source, next_attempt(self));
    }
}

static void operate_target(struct world *self)
{
    struct sim_host *target = &self->hosts[SIM_TARGET];
    if (target->process != NULL) {
        return;
    }
    if (target->restart_ns == 0) {
        schedule(self, target);
    } else if (sim_kernel.now_ns >= target->restart_ns) {
        target->restart_ns = 0;
        sim_host_start(target, SIM_SEND);
    }
}

/* --- steps ------------------------------------------------------------------------------------ */

static void serve_clients(struct world *self)
{
    bool wanted = self->options->client_steps > 0 && self->client.writes < CLIENT_WRITES_MAX;
    if (wanted && sim_kernel.steps >= self->next_client) {
        self->next_client =
            sim_kernel.steps + 1 + sim_random_below(&self->random, 2 * self->options->client_steps);
        sim_client_write(&self->client);
    }
}

static void check_step(const struct world *self)
{
    if (self->hosts[SIM_SOURCE].accepts && self->hosts[SIM_TARGET].accepts) {
        sim_fail("I4", "both sides accept writes");
    }
}

static void step(struct world *self)
{
    uint64_t until = sim_kernel.now_ns + NS_PER_S;
    for (int i = 0; i < SIM_HOST_COUNT; i++) {
        const struct sim_host *host = &self->hosts[i];
        bool waits = host->process == NULL && host->restart_ns > sim_kernel.now_ns;
        until = waits && host->restart_ns < until ? host->restart_ns : until;
    }
    (void)sim_kernel_step(until);
    check_step(self);
    operate_source(self);
    operate_target(self);
    serve_clients(self);
    check_step(self);
}

/* Both sides agree that the target has it, and nothing is left to do. */
static bool is_done(struct world *self)
{
    return self->source_done && self->hosts[SIM_TARGET].process != NULL &&
           self->hosts[SIM_TARGET].accepts;
}

static void run_safety(struct world *self)
{
    while (sim_kernel.steps < self->options->safety_steps && !is_done(self)) {
        step(self);
        sim_chaos_step(&self->chaos);
    }
}

static void run_liveness(struct world *self)
{
    uint64_t steps = sim_kernel.steps;
    uint64_t started_ns = sim_kernel.now_ns;
    uint64_t attempts = self->hosts[SIM_SOURCE].attempts;
    sim_say("--- no more faults");
    sim_chaos_end(&self->chaos);
    self->hosts[SIM_SOURCE].patient = true;
    while (!is_done(self)) {
        step(self);
        if (sim_kernel.steps > steps + LIVENESS_STEPS_MAX ||
            sim_kernel.now_ns > started_ns + LIVENESS_NS_MAX ||
            self->hosts[SIM_SOURCE].attempts > attempts + LIVENESS_ATTEMPTS_MAX) {
            sim_fail("liveness", "no end after %llu steps, %llu attempts; the last: %s",
                     (unsigned long long)(sim_kernel.steps - steps),
                     (unsigned long long)(self->hosts[SIM_SOURCE].attempts - attempts),
                     self->hosts[SIM_SOURCE].text);
        }
    }
}

/* Clients go on for a while, the target ends in good order, and what it has is what it should. */
static void run_end(struct world *self)
{
    struct sim_host *target = &self->hosts[SIM_TARGET];
    for (int i = 0; i < LAST_STEPS; i++) {
        step(self);
    }
    if (target->process == NULL) {
        sim_host_start(target, SIM_SEND);
        step(self);
    }
    sim_client_check_model(&self->client);
    while (target->process != NULL) {
        if (target->migration != NULL) {
            haul_migration_cancel(target->migration);
        }
        (void)sim_kernel_step(sim_kernel.now_ns + NS_PER_S);
    }
    sim_client_check_model(&self->client);
    if (sim_store_file_count(&target->store) > 0) {
        sim_fail("I7", "%u staging files are left", sim_store_file_count(&target->store));
    }
    for (int i = 0; i < SIM_PROCESS_COUNT; i++) {
        if (sim_kernel.processes[i].alive) {
            sim_process_kill(&sim_kernel.processes[i]); /* a second job that is still at it */
        }
    }
}

/* --- a seed ----------------------------------------------------------------------------------- */

static void begin(struct world *self, const struct sim_options *options)
{
    memset(self, 0, sizeof(*self));
    self->options = options;
    self->random.state = options->seed;
    sim_network_options = options->network;
    sim_verbs_options = options->verbs;
    sim_kernel_init(&self->random);
    sim_kernel.preempt_parts = options->preempt_parts;
    sim_codec_init(&self->random);
    for (int i = 0; i < SIM_HOST_COUNT; i++) {
        struct sim_host *host = &self->hosts[i];
        sim_host_init(host, i, options, &self->random);
        host->on_release = on_release;
        host->on_own = on_own;
        host->context = self;
    }
    self->hosts[SIM_TARGET].store.watch = on_write;
    self->hosts[SIM_TARGET].store.watch_context = self;
    sim_client_init(&self->client, options, &self->random, self->hosts);
    sim_client_fill(&self->client);
    sim_chaos_init(&self->chaos, options, &self->random, self->hosts);
    sim_host_start(&self->hosts[SIM_TARGET], SIM_SEND);
    sim_host_start(&self->hosts[SIM_SOURCE], SIM_SEND);
}

static void add_figures(const struct world *self, struct sim_figures *figures)
{
    figures->seeds++;
    figures->steps += sim_kernel.steps;
    figures->seconds += (double)sim_kernel.now_ns / (double)NS_PER_S;
    figures->attempts += self->hosts[SIM_SOURCE].attempts;
    figures->client_writes += self->client.writes;
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        figures->faults[i] += self->chaos.seen[i];
    }
    for (int i = 0; i < SIM_HOST_COUNT; i++) {
        figures->stalls += self->hosts[i].store.stalls;
    }
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
    figures->codec.packed += sim_codec_figures.packed;
    figures->codec.kept += sim_codec_figures.kept;
    figures->codec.unpacked += sim_codec_figures.unpacked;
    for (int i = 0; i < SIM_VERBS_FAULT_COUNT; i++) {
        cards->faults[i] += card->faults[i];
    }
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
