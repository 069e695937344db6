/* SPDX-License-Identifier: Apache-2.0 */
/* sim_schedule.c — sets up worlds and draws tasks. */
#include "sim_schedule.h"

#include "clock.h"
#include "sim_gates.h"
#include "sim_loss.h"
#include "sim_records.h"
#include "sim_report.h"
#include "sim_world.h"

enum { PAUSE_MS_MAX = 300, DIRTY_RECORDS = 3, VERSION_MAX = 9 };

/* --- beginnings ------------------------------------------------------------------------------- */

/* The cells of whole spans, one bit of `spans` each. */
static uint32_t cells_of_spans(uint32_t spans)
{
    uint32_t cells = 0;
    for (uint32_t family = 0; family < SIM_FAMILY_COUNT; family++) {
        cells |= spans << sim_cell_index(family, 0);
    }
    return cells;
}

static uint32_t first_owner(struct sim_world *world, uint32_t span)
{
    const struct sim_options *options = world->options;
    uint32_t others = options->host_count - 1;
    switch (options->shape) {
    case SIM_SHAPE_PAIR:
    case SIM_SHAPE_CHAIN:
    case SIM_SHAPE_FAN_OUT:
        return 0;
    case SIM_SHAPE_FAN_IN:
        return 1 + span % others;
    default:
        return sim_random_below(&world->random, options->host_count);
    }
}

/* A history: a version, and entries that agree with the present owners. */
static void invent_history(struct sim_world *world, struct sim_host *host)
{
    if (sim_random_below(&world->random, 3) == 0) {
        return; /* a new one among them */
    }
    uint32_t some = (uint32_t)sim_random_next(&world->random);
    uint64_t version = 1 + sim_random_below(&world->random, VERSION_MAX);
    sim_records_invent(host, version, SIM_CELLS_ALL & ~host->base & some, host->base & some >> 4,
                       some >> 8);
}

static void begin_host(struct sim_world *world, struct sim_host *host)
{
    const struct sim_options *options = world->options;
    sim_client_make_families(&world->client, host,
                             host->base != 0 || sim_random_below(&world->random, 2) == 0);
    sim_truth_give(&world->truth, host, host->base);
    sim_client_fill(&world->client, host, host->base, options->record_count);
    if (options->targets_dirty && host->base != SIM_CELLS_ALL) {
        sim_client_fill(&world->client, host, SIM_CELLS_ALL & ~host->base, DIRTY_RECORDS);
    } else if (host->base != SIM_CELLS_ALL && sim_random_below(&world->random, 4) == 0) {
        sim_client_unfill(&world->client, host, SIM_CELLS_ALL & ~host->base, DIRTY_RECORDS);
    }
    host->own_register.in_use = options->registers;
    host->own_register.owned = host->base;
    host->own_register.version = 1;
    if (options->histories && !options->registers && SIM_GATE_HISTORIES) {
        invent_history(world, host);
    }
}

void sim_schedule_begin(struct sim_world *world)
{
    for (uint32_t span = 0; span < SIM_SPAN_COUNT; span++) {
        world->hosts[first_owner(world, span)].base |= cells_of_spans(UINT32_C(1) << span);
    }
    for (uint32_t i = 0; i < world->options->host_count; i++) {
        begin_host(world, &world->hosts[i]);
    }
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* Cells that some job is moving. */
static uint32_t busy_cells(const struct sim_world *world)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < world->task_count; i++) {
        busy |= world->tasks[i].over ? 0 : world->tasks[i].request.cells;
    }
    return busy;
}

static uint32_t running_count(const struct sim_world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->task_count; i++) {
        count += !world->tasks[i].over;
    }
    return count;
}

static uint32_t choose_source(struct sim_world *world)
{
    uint32_t count = world->options->host_count;
    uint32_t any = sim_random_below(&world->random, count);
    bool fixed = world->options->shape == SIM_SHAPE_FAN_OUT;
    return fixed && sim_random_below(&world->random, 4) != 0 ? 0 : any;
}

static uint32_t choose_target(struct sim_world *world, uint32_t source)
{
    uint32_t count = world->options->host_count;
    uint32_t any = (source + 1 + sim_random_below(&world->random, count - 1)) % count;
    switch (world->options->shape) {
    case SIM_SHAPE_CHAIN:
        return (source + 1) % count;
    case SIM_SHAPE_FAN_IN:
        return source == 0 ? any : 0;
    default:
        return any;
    }
}

/* A job that its source has no right to start. */
static bool draw_mistake(struct sim_world *world, struct sim_task *task)
{
    uint32_t stale = 0;
    for (uint32_t i = 0; i < world->task_count; i++) {
        const struct sim_task *earlier = &world->tasks[i];
        stale |= earlier->source == task->source && earlier->committed ? earlier->request.cells : 0;
    }
    uint32_t owned = sim_truth_owned(&world->truth, task->source);
    uint32_t taken = sim_truth_owned(&world->truth, task->target) | busy_cells(world);
    taken |= world->truth.contested;
    stale &= ~owned & ~taken;
    if (stale == 0 || world->options->registers || task->source->forgot) {
        return false;
    }
    sim_request_draw(&task->request, &world->random, (stale | owned) & ~taken, 5000);
    return (task->request.cells & stale) != 0;
}

/* Cells that came here and that their source has not confirmed yet; it may be lost. */
static uint32_t cells_in_doubt(struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host);
    uint32_t cells = 0;
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        bool in_doubt = job->role == JOURNAL_TARGET && job->phase == JOURNAL_PHASE_PREPARED;
        cells |= in_doubt ? job->cells : 0;
    }
    return cells;
}

static bool draw_task(struct sim_world *world, struct sim_task *task)
{
    uint32_t source = choose_source(world);
    task->source = &world->hosts[source];
    task->target = &world->hosts[choose_target(world, source)];
    uint32_t cells =
        sim_truth_owned(&world->truth, task->source) & ~busy_cells(world) & ~world->truth.contested;
    if (task->source->lost || task->target->lost) {
        return false;
    }
    if (SIM_GATE_MISTAKES && sim_random_below(&world->random, 6) == 0 &&
        draw_mistake(world, task)) {
        task->mistaken = true;
        return true;
    }
    cells &= sim_loss_is_any(world) ? ~cells_in_doubt(task->source) : UINT32_MAX;
    if (cells == 0) {
        return false;
    }
    sim_request_draw(&task->request, &world->random, cells, world->options->whole_parts);
    return true;
}

void sim_schedule_step(struct sim_world *world)
{
    const struct sim_options *options = world->options;
    if (world->task_count == world->task_limit || sim_kernel.now_ns < world->next_task_ns ||
        running_count(world) >= options->tasks_at_once) {
        return;
    }
    uint64_t pause_ns = (uint64_t)NS_PER_MS * sim_random_below(&world->random, PAUSE_MS_MAX);
    world->next_task_ns = sim_kernel.now_ns + pause_ns;
    struct sim_task task = {.handed_before = world->truth.handed_count,
                            .overwrite = options->targets_dirty};
    if (!draw_task(world, &task)) {
        /* Perhaps no host is left that could hand over anything. */
        bool ends = sim_loss_is_any(world) || world->truth.contested != 0;
        world->task_limit = ends ? world->task_count : world->task_limit;
        return;
    }
    task.target->expected |= task.request.cells;
    world->tasks[world->task_count++] = task;
    char text[96];
    sim_cells_format(task.request.cells, text, sizeof(text));
    sim_say("--- %s is to hand over to %s: %s%s", task.source->name, task.target->name, text,
            task.mistaken ? ", by mistake" : "");
}
