/* SPDX-License-Identifier: Apache-2.0 */
/* sim_loss.c — types the commands whose flag names the risk when there is none: the other host is
 * lost for good. */
#include "sim_loss.h"

#include <string.h>

#include "clock.h"
#include "sim_report.h"
#include "sim_world.h"

enum { RETRY_MS = 200 };

bool sim_loss_is_any(const struct sim_world *world)
{
    bool any = false;
    for (uint32_t i = 0; i < world->options->host_count; i++) {
        any = any || world->hosts[i].lost;
    }
    return any;
}

/* Of a hand-over by this host: the cells that a lost host owns by it. */
static uint32_t cells_lost_by(const struct sim_world *world, const struct sim_host *host,
                              uint32_t index)
{
    const struct sim_truth *truth = &world->truth;
    const struct sim_handed *handed = &truth->handed[index % SIM_HANDED_COUNT];
    const struct sim_host *to = &world->hosts[handed->to];
    uint32_t cells = handed->from == host->number && to->lost ? handed->cells : 0;
    cells &= sim_truth_owned(truth, to);
    for (uint32_t i = index + 1; i < truth->handed_count; i++) {
        const struct sim_handed *later = &truth->handed[i % SIM_HANDED_COUNT];
        cells &= later->to == handed->to ? ~later->cells : UINT32_MAX;
    }
    return cells;
}

/* What the host takes back next: all of a job, or one cell of it. */
static uint32_t cells_to_take(const struct sim_world *world, const struct sim_host *host)
{
    for (uint32_t i = 0; i < world->truth.handed_count; i++) {
        uint32_t cells = cells_lost_by(world, host, i);
        if (cells != 0) {
            bool all = cells == world->truth.handed[i % SIM_HANDED_COUNT].cells;
            return all ? cells : cells & (~cells + 1);
        }
    }
    return 0;
}

/* A prepared job whose source is known to no living host; NULL: none. */
static const struct sim_job_record *job_in_doubt(struct sim_world *world, struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host); /* no client writes meanwhile */
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        bool alone = job->role == JOURNAL_TARGET && job->phase == JOURNAL_PHASE_PREPARED;
        for (uint32_t j = 0; j < world->options->host_count && alone; j++) {
            struct sim_host *other = &world->hosts[j];
            alone = other->lost ||
                    sim_records_find(sim_records_of(other), JOURNAL_SOURCE, job->id) == NULL;
        }
        if (alone) {
            return job;
        }
    }
    return NULL;
}

bool sim_loss_is_open(struct sim_world *world, struct sim_host *host)
{
    return host->takes_back != 0 || cells_to_take(world, host) != 0 ||
           job_in_doubt(world, host) != NULL;
}

static void type(struct sim_world *world, struct sim_host *host, enum sim_verb verb)
{
    struct sim_command *command = sim_command_new(host, verb);
    if (command != NULL) {
        command->request.cells = host->takes_back;
        command->is_unwatched = true;
        command->accepts = true;
        host->loss_ns = sim_kernel.now_ns + RETRY_MS * NS_PER_MS;
        world->commands++;
        sim_command_start(command);
    }
}

/* Whether a job will clear what it has brought here; an aborted one may still have to. */
static bool may_clear(struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host);
    bool any = false;
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        any = any || (job->role == JOURNAL_TARGET && job->phase != JOURNAL_PHASE_DONE);
    }
    return any;
}

bool sim_loss_step(struct sim_world *world, struct sim_host *host)
{
    bool runs = sim_command_find(host, SIM_VERB_RECLAIM) != NULL ||
                sim_command_find(host, SIM_VERB_FORCE) != NULL;
    if (runs || sim_kernel.now_ns < host->loss_ns) {
        return true;
    }
    if ((host->takes_back & sim_records_of(host)->released) == 0) {
        host->takes_back = cells_to_take(world, host);
    }
    const struct sim_job_record *job = job_in_doubt(world, host);
    if (host->takes_back != 0 && may_clear(host) && job == NULL) {
        type(world, host, SIM_VERB_CANCEL); /* we must not own the cells again that it will clear */
    } else if (host->takes_back != 0 && job == NULL) {
        sim_truth_give(&world->truth, host, host->takes_back);
        host->base |= host->takes_back;
        type(world, host, SIM_VERB_RECLAIM);
    } else if (job != NULL) {
        sim_truth_abandon(&world->truth, host, job->cells);
        type(world, host, SIM_VERB_FORCE);
    }
    return host->takes_back != 0 || job != NULL;
}
