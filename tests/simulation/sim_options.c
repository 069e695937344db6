/* SPDX-License-Identifier: Apache-2.0 */
/* sim_options.c — draws the options from the seed alone. */
#include "sim_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim_gates.h"

const char *sim_fault_name(enum sim_fault fault)
{
    static const char *const names[] = {
#define SIM_FAULT_NAME(name, sentence) #name,
        SIM_FAULT_LIST(SIM_FAULT_NAME)
#undef SIM_FAULT_NAME
    };
    return names[fault];
}

static const struct haul_transport_list automatic = {{HAUL_TRANSPORT_NONE}};
static const struct haul_transport_list rdma_only = {{HAUL_TRANSPORT_VERBS}};
static const struct haul_transport_list tcp_only = {{HAUL_TRANSPORT_TCP}};

static const char *shape_name(enum sim_shape shape)
{
    static const char *const names[] = {
#define SIM_SHAPE_NAME(name, sentence) #name,
        SIM_SHAPE_LIST(SIM_SHAPE_NAME)
#undef SIM_SHAPE_NAME
    };
    return names[shape];
}

/* One of `count` values. */
static uint32_t pick(struct sim_random *random, const uint32_t *values, uint32_t count)
{
    return values[sim_random_below(random, count)];
}

#define PICK(random, ...)                         \
    pick(random, (const uint32_t[]){__VA_ARGS__}, \
         (uint32_t)(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))

static void draw_world(struct sim_options *options, struct sim_random *random)
{
    options->shape = (enum sim_shape)sim_random_below(random, SIM_SHAPE_COUNT);
    options->host_count = options->shape == SIM_SHAPE_PAIR ? 2 : PICK(random, 2, 3, 3, 4, 6);
    options->task_count = PICK(random, 1, 1, 1, 2, 2, 4);
    options->tasks_at_once = PICK(random, 1, 1, 1, 2, 3);
    options->whole_parts = PICK(random, 0, 2000, 6000);
    options->histories = sim_random_below(random, 3) == 0;
    options->registers = sim_random_below(random, 6) == 0;
    options->exclusive = sim_random_below(random, 3) == 0;
    if (!SIM_GATE_MANY) {
        options->host_count = 2;
        options->tasks_at_once = 1;
    }
}

static void draw_data(struct sim_options *options, struct sim_random *random)
{
    options->metadata = sim_random_below(random, 4) == 0;
    options->record_count = PICK(random, 0, 5, 15, 30);
    options->long_parts = SIM_GATE_LONG * PICK(random, 0, 0, 0, 300);
    options->value_bytes_max = PICK(random, 8, 60, 300);
    options->huge_parts = PICK(random, 0, 0, 0, 300);
    options->record_bytes = PICK(random, 1, 1 << 20, 4 << 20, 20 << 20);
    options->targets_dirty = sim_random_below(random, 5) == 0;
}

static void draw_job(struct sim_options *options, struct sim_random *random)
{
    options->link.slot_count = PICK(random, 1, 2, 3, 4, 8);
    options->link.slot_size_bytes = 4096;
    options->link.peer_timeout_ms = PICK(random, 100, 300, 1000, 3000);
    options->link.spin_us = PICK(random, 1, 1, 1, 20);
    options->link_count = PICK(random, 1, 1, 2, 3);
    options->reader_count = PICK(random, 1, 2, 3);
    options->applier_count = PICK(random, 1, 2, 3);
    options->batch_bytes_min = PICK(random, 100, 300, 1000);
    options->batch_bytes_max = options->batch_bytes_min * PICK(random, 1, 2, 4);
    options->rate_bytes_per_second = PICK(random, 0, 0, 0, 0, 1000000);
    options->lag_bytes_max = PICK(random, 64, 512, 4096, 65536);
    options->table_bytes = PICK(random, 100, 1000, 100000);
    options->freeze_max_ms = PICK(random, 5, 50, 500, 3000);
    options->retry_max_ms = PICK(random, 1, 3000, 30000);
    options->lane = (enum haul_lane)sim_random_below(random, 3);
    for (int i = 0; i < SIM_HOST_COUNT_MAX; i++) {
        bool ingests = options->lane == HAUL_LANE_INGEST || sim_random_below(random, 2) == 0;
        options->features[i] = HAUL_STORE_WAL | (ingests ? HAUL_STORE_INGEST : 0);
    }
    options->reserve_hook = sim_random_below(random, 2) == 0;
    options->once = sim_random_below(random, 3) == 0;
    options->transports = tcp_only;
}

static void draw_network(struct sim_options *options, struct sim_random *random)
{
    struct sim_network_options *network = &options->network;
    network->latency_us_max = PICK(random, 10, 100, 2000, 20000);
    network->jitter_us_max = PICK(random, 0, 50, 5000);
    network->buffer_bytes = PICK(random, 512, 5000, 65536);
    network->cut_parts = PICK(random, 0, 0, 500, 3000);
    network->cut_bytes_max = PICK(random, 100, 1000, 10000);
    network->silence_parts = PICK(random, 0, 0, 500);
    network->refuse_parts = PICK(random, 0, 0, 1000);
    network->flip_parts = PICK(random, 0, 0, 0, 1000);
    network->replay_parts = PICK(random, 0, 0, 3000);
}

static void draw_faults(struct sim_options *options, struct sim_random *random)
{
    bool quiet = sim_random_below(random, 10) == 0;
    uint32_t share = PICK(random, 1, 3, 6, 10);
    for (int i = 0; i <= SIM_FAULT_LOSS; i++) {
        options->faults[i] = !quiet && sim_random_below(random, 12) < share;
    }
    /* Rare in practice, and it ends the job each time. */
    options->faults[SIM_FAULT_INGEST] =
        options->faults[SIM_FAULT_INGEST] && sim_random_below(random, 3) == 0;
    options->faults[SIM_FAULT_LOSS] =
        SIM_GATE_LOSS && options->faults[SIM_FAULT_LOSS] && sim_random_below(random, 3) == 0;
    if (!options->faults[SIM_FAULT_FOREIGN] || sim_random_below(random, 3) != 0) {
        options->faults[SIM_FAULT_FOREIGN] = false;
    } else {
        /* Nobody notices it between two attempts, so nothing else goes wrong then. */
        memset(options->faults, 0, sizeof(options->faults));
        options->faults[SIM_FAULT_FOREIGN] = true;
        options->network.cut_parts = 0;
        options->network.silence_parts = 0;
        options->network.flip_parts = 0;
        options->network.refuse_parts = 0;
        options->targets_dirty = false;
        options->task_count = 1;
    }
    options->victim = (enum sim_victim)sim_random_below(random, 3);
    options->fault_steps = PICK(random, 100, 300, 800, 2000);
    options->stall_parts = PICK(random, 0, 0, 3, 30);
    options->freeze_fail_parts = PICK(random, 0, 0, 2000);
    options->hook_fail_parts = PICK(random, 0, 0, 0, 1000);
    options->preempt_parts = PICK(random, 0, 0, 500, 2000);
    options->safety_steps = PICK(random, 1000, 2000, 4000);
}

/* From a stream of its own. A flag while no host is lost is another question than a flag while one
 * is, and an embedder with a register does not consult the record. */
static void draw_risks(struct sim_options *options)
{
    struct sim_random random = {.state = options->seed ^ UINT64_C(0x0f0ce0da7a0f0ce0)};
    bool fits = !options->registers && !options->faults[SIM_FAULT_FOREIGN];
    if (!fits || sim_random_below(&random, 4) != 0) {
        return;
    }
    options->faults[SIM_FAULT_LOSS] = false;
    options->faults[SIM_FAULT_RISK] = sim_random_below(&random, 3) != 0;
    options->faults[SIM_FAULT_ROT] = SIM_GATE_ROT && sim_random_below(&random, 3) == 0;
    options->faults[SIM_FAULT_CLONE] = SIM_GATE_CLONE && sim_random_below(&random, 3) == 0;
    options->faults[SIM_FAULT_COMMAND] =
        options->faults[SIM_FAULT_COMMAND] || options->faults[SIM_FAULT_CLONE];
    options->faults[SIM_FAULT_RESET] = SIM_GATE_RESET && sim_random_below(&random, 4) == 0;
    options->faults[SIM_FAULT_MOVE] = SIM_GATE_MOVE && sim_random_below(&random, 3) == 0;
}

/* From a stream of its own, too. Only reading everything back can detect a lie. */
static void draw_lies(struct sim_options *options)
{
    struct sim_random random = {.state = options->seed ^ UINT64_C(0x11e5a11e5a11e5a1)};
    options->hook_slow_ms = PICK(&random, 0, 0, 0, 0, 0, 0, 5000, 30000);
    options->read_back = sim_random_below(&random, 5) == 0;
    options->log_data = options->seed % 3 == 0;
    options->faults[SIM_FAULT_LIE] = options->read_back && !options->faults[SIM_FAULT_FOREIGN] &&
                                     sim_random_below(&random, 2) == 0;
    if (options->faults[SIM_FAULT_LIE]) {
        options->fault_steps = PICK(&random, 100, 300);
    }
}

/* From a stream of its own, so that the rest of the seed is the same for every transport. */
static void draw_verbs(struct sim_options *options)
{
    struct sim_random random = {.state = options->seed ^ UINT64_C(0x7e4b50fae7e4b50f)};
    struct sim_verbs_options *verbs = &options->verbs;
    uint32_t kind = sim_random_below(&random, 24);
    options->transports = kind >= 4 ? tcp_only : kind == 0 ? automatic : rdma_only;
    bool faulty = options->network.flip_parts + options->network.cut_parts > 0;
    verbs->fault_parts = faulty ? PICK(&random, 1000, 3000, 8000) : PICK(&random, 0, 0, 2000);
    verbs->fault_max = PICK(&random, 3, 20, 100);
    verbs->call_parts = faulty ? PICK(&random, 0, 10, 100) : 0;
    if (options->faults[SIM_FAULT_FOREIGN]) {
        verbs->fault_parts = 0; /* as above: nothing else goes wrong then */
        verbs->call_parts = 0;
    }
    uint32_t absent = sim_random_below(&random, 6);
    for (uint32_t i = 0;
         i < SIM_HOST_COUNT_MAX && options->transports.items[0] == HAUL_TRANSPORT_NONE; i++) {
        verbs->absent[i] = i % 3 == absent;
    }
    if (!haul_transport_is_built(HAUL_TRANSPORT_VERBS)) {
        options->transports = tcp_only;
    }
}

/* From a stream of its own, too. Only payloads of 4 KiB or more are compressed, so slots are
 * larger, batches fill them, and there are more of them. */
static void draw_compression(struct sim_options *options)
{
    struct sim_random random = {.state = options->seed ^ UINT64_C(0x95edbac0d3c95edb)};
    uint32_t kind = sim_random_below(&random, 12);
    options->compression = kind == 0   ? HAUL_COMPRESSION_ON
                           : kind == 1 ? HAUL_COMPRESSION_AUTO
                                       : HAUL_COMPRESSION_OFF;
    if (options->compression == HAUL_COMPRESSION_OFF) {
        return;
    }
    options->link.slot_size_bytes = PICK(&random, 8192, 16384);
    options->batch_bytes_min = PICK(&random, 4200, 6000);
    options->batch_bytes_max = options->batch_bytes_min * PICK(&random, 1, 2);
    options->record_count = PICK(&random, 15, 30, 60);
    options->value_bytes_max = PICK(&random, 60, 1000, 3000);
    options->huge_parts = PICK(&random, 0, 300, 1000);
    if (options->compression == HAUL_COMPRESSION_AUTO) {
        options->record_count = 60;
        options->rate_bytes_per_second = PICK(&random, 0, 1000000, 300000);
    }
    options->dense_values = sim_random_below(&random, 3) == 0;
}

/* From a stream of its own. Receivers that take several jobs at once, and often several senders. */
static void draw_side_by_side(struct sim_options *options)
{
    struct sim_random random = {.state = options->seed ^ UINT64_C(0x51debe51de510b5)};
    options->jobs_max = 1;
    if (!SIM_GATE_MANY || options->once || options->faults[SIM_FAULT_FOREIGN] ||
        sim_random_below(&random, 3) == 0) {
        return;
    }
    options->jobs_max = PICK(&random, 2, 3, 4);
    if (sim_random_below(&random, 2) == 0) {
        options->shape = sim_random_below(&random, 3) == 0 ? SIM_SHAPE_MIXED : SIM_SHAPE_FAN_IN;
        options->host_count = PICK(&random, 3, 4, 5);
        options->tasks_at_once = PICK(&random, 2, 3, 4);
        options->task_count = PICK(&random, 3, 4, 6);
    }
}

void sim_options_force(struct sim_options *options, const struct haul_transport_list *transports)
{
    options->transports = *transports;
    if (transports->items[0] == HAUL_TRANSPORT_VERBS) {
        memset(options->verbs.absent, 0, sizeof(options->verbs.absent));
    }
}

void sim_options_draw(struct sim_options *options, uint64_t seed)
{
    struct sim_random random = {.state = seed ^ UINT64_C(0x5eed0fae5eed0fae)};
    memset(options, 0, sizeof(*options));
    options->seed = seed;
    draw_world(options, &random);
    draw_data(options, &random);
    draw_job(options, &random);
    draw_network(options, &random);
    draw_faults(options, &random);
    options->client_steps = PICK(&random, 0, 15, 50, 200);
    draw_risks(options);
    draw_lies(options);
    draw_verbs(options);
    draw_compression(options);
    draw_side_by_side(options);
}

static void print_faults(const struct sim_options *options)
{
    printf("  faults   about every %u steps, of %s:", options->fault_steps,
           options->victim == SIM_VICTIM_SOURCE   ? "sources"
           : options->victim == SIM_VICTIM_TARGET ? "targets"
                                                  : "any");
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        if (options->faults[i]) {
            printf(" %s", sim_fault_name((enum sim_fault)i));
        }
    }
    printf("\n  also     stalls %u, freeze fails %u, hooks fail %u, preemption %u of 10000, %u "
           "steps of safety, hooks block for %u ms\n",
           options->stall_parts, options->freeze_fail_parts, options->hook_fail_parts,
           options->preempt_parts, options->safety_steps, options->hook_slow_ms);
}

void sim_options_print(const struct sim_options *options)
{
    const struct sim_network_options *network = &options->network;
    printf("seed %" PRIu64 "\n", options->seed);
    printf("  world    %u hosts, %s, %u jobs, %u at once, %u of 10000 whole%s%s%s\n",
           options->host_count, shape_name(options->shape), options->task_count,
           options->tasks_at_once, options->whole_parts, options->histories ? ", histories" : "",
           options->registers ? ", registers" : "", options->exclusive ? ", exclusive" : "");
    printf("  data     %u records%s, values to %u%s bytes, huge %u, long %u of 10000, "
           "%" PRIu64 " bytes a record%s\n",
           options->record_count, options->metadata ? " (metadata first)" : "",
           options->value_bytes_max, options->dense_values ? " dense" : "", options->huge_parts,
           options->long_parts, options->record_bytes,
           options->targets_dirty ? ", targets not empty" : "");
    printf("  job      %s, %u links, %u slots, peer timeout %u ms, %u readers, %u appliers, "
           "batches %u to %u%s, rate %" PRIu64 ", lane %d\n",
           options->transports.items[0] == HAUL_TRANSPORT_TCP    ? "tcp"
           : options->transports.items[0] == HAUL_TRANSPORT_NONE ? "auto"
                                                                 : "rdma",
           options->link_count, options->link.slot_count, options->link.peer_timeout_ms,
           options->reader_count, options->applier_count, options->batch_bytes_min,
           options->batch_bytes_max,
           options->compression == HAUL_COMPRESSION_ON     ? ", compressed"
           : options->compression == HAUL_COMPRESSION_AUTO ? ", compressed if it pays"
                                                           : "",
           options->rate_bytes_per_second, (int)options->lane);
    printf("           lag %" PRIu64 ", tables of %" PRIu64 ", freeze %u ms, retry %u ms%s%s%s%s, "
           "clients every %u steps, %u jobs a receiver\n",
           options->lag_bytes_max, options->table_bytes, options->freeze_max_ms,
           options->retry_max_ms, options->reserve_hook ? ", reserves" : "",
           options->once ? ", once" : "", options->read_back ? ", read back" : "",
           options->log_data ? ", log data" : "", options->client_steps, options->jobs_max);
    printf("  network  latency %u us, jitter %u us, buffer %u, cut %u, silence %u, refuse %u, "
           "flip %u, replay %u of 10000, within %u bytes\n",
           network->latency_us_max, network->jitter_us_max, network->buffer_bytes,
           network->cut_parts, network->silence_parts, network->refuse_parts, network->flip_parts,
           network->replay_parts, network->cut_bytes_max);
    const struct sim_verbs_options *verbs = &options->verbs;
    if (options->transports.items[0] != HAUL_TRANSPORT_TCP) {
        printf("  rdma     faults %u, calls fail %u of 10000, within %u writes%s%s\n",
               verbs->fault_parts, verbs->call_parts, verbs->fault_max,
               verbs->absent[0] ? ", no card in a" : "", verbs->absent[1] ? ", none in b" : "");
    }
    print_faults(options);
}
