/* SPDX-License-Identifier: Apache-2.0 */
/* sim_repair.c — the way out of each such state, as docs/OPERATIONS.md has it. */
#include "sim_repair.h"

#include <string.h>

#include "clock.h"
#include "sim_owner.h"
#include "sim_records.h"
#include "sim_report.h"
#include "sim_world.h"

enum { RETRY_MS = 200, REPAIRS_MAX = 40 };

struct repair {
    enum sim_verb verb; /* STATUS: nothing to do */
    const struct sim_job_record *job;
    uint32_t contested;
};

/* Whether a source on any living host knows the job. One that is over counts if it is `asked`
 * for. */
static bool has_source(struct sim_world *world, const uint8_t *job, bool asked)
{
    for (uint32_t i = 0; i < world->options->host_count; i++) {
        struct sim_host *host = &world->hosts[i];
        const struct sim_job_record *found =
            host->lost || host->copied
                ? NULL
                : sim_records_find(sim_records_of(host), JOURNAL_SOURCE, job);
        if (found != NULL && (asked || found->phase != JOURNAL_PHASE_ABORTED)) {
            return true;
        }
    }
    return false;
}

static const struct sim_handed *find_handed(const struct sim_world *world, const uint8_t *job)
{
    const struct sim_truth *truth = &world->truth;
    for (uint32_t i = 0; i < truth->handed_count && i < SIM_HANDED_COUNT; i++) {
        if (memcmp(truth->handed[i].job, job, HAUL_JOB_BYTES) == 0) {
            return &truth->handed[i];
        }
    }
    return NULL;
}

/* A decided source whose target has forgotten the job, or was made to forget it. */
static bool was_forgotten(struct sim_world *world, const struct sim_job_record *job)
{
    const struct sim_handed *handed = find_handed(world, job->id);
    bool sound = handed != NULL && handed->owned && !world->hosts[handed->to].forgot &&
                 (job->cells & world->truth.contested) == 0;
    if (job->role != JOURNAL_SOURCE || !job->committed || job->phase == JOURNAL_PHASE_DONE ||
        sound) {
        return false;
    }
    struct sim_host *target = handed == NULL ? NULL : &world->hosts[handed->to];
    const struct sim_job_record *its =
        target == NULL || target->lost
            ? NULL
            : sim_records_find(sim_records_of(target), JOURNAL_TARGET, job->id);
    bool forced = (job->cells & world->truth.contested) != 0; /* what is left of it goes later */
    bool gave_up = its == NULL || (forced && its->phase == JOURNAL_PHASE_ABORTED);
    return target == NULL || (!target->lost && gave_up);
}

/* A decided source that took a part back by force before its target had confirmed: a target that is
 * still to learn the decision would own that part as well. */
static bool was_parted(const struct sim_world *world, const struct sim_job_record *job,
                       uint32_t released)
{
    uint32_t left = job->cells & released;
    return job->role == JOURNAL_SOURCE && job->committed && job->phase != JOURNAL_PHASE_DONE &&
           left != 0 && left != job->cells && (job->cells & world->truth.contested) != 0;
}

/* The target serves and cannot report it, or nobody serves. There are two ways out; either will do,
 * since cells contested by a flag are not clear any longer. */
static struct repair end_or_reclaim(const struct sim_world *world, const struct sim_job_record *job)
{
    const struct sim_handed *handed = find_handed(world, job->id);
    bool contested = (job->cells & world->truth.contested) != 0;
    if (handed != NULL && handed->owned && !contested) {
        return (struct repair){.verb = SIM_VERB_END, .job = job};
    }
    bool ends = contested && (job->id[0] & 1) == 0;
    return (struct repair){
        .verb = ends ? SIM_VERB_END : SIM_VERB_RECLAIM, .job = job, .contested = job->cells};
}

/* `released`: cells that the host's record gives to others. Without any there is nothing to take
 * back, and the target may be informed once more. */
static struct repair needed_for(struct sim_world *world, const struct sim_job_record *job,
                                uint32_t released)
{
    struct repair none = {.verb = SIM_VERB_STATUS};
    bool unfinished = job->role == JOURNAL_TARGET && job->phase < JOURNAL_PHASE_PREPARED;
    if (unfinished && !has_source(world, job->id, true)) {
        return (struct repair){.verb = SIM_VERB_CANCEL, .job = job};
    }
    if (job->role == JOURNAL_TARGET && job->phase == JOURNAL_PHASE_PREPARED &&
        !has_source(world, job->id, false)) {
        bool decided = find_handed(world, job->id) != NULL;
        return (struct repair){
            .verb = SIM_VERB_FORCE, .job = job, .contested = decided ? job->cells : 0};
    }
    if ((job->cells & released) != 0 && was_forgotten(world, job)) {
        return end_or_reclaim(world, job);
    }
    if (was_parted(world, job, released)) {
        return (struct repair){.verb = SIM_VERB_END, .job = job, .contested = job->cells};
    }
    return none;
}

/* First the directory, then what is damaged: nothing else is possible before. */
static struct repair needed(struct sim_world *world, struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host);
    /* A journal that was damaged when the database was adopted may be read again later. */
    bool adopts = host->moved || host->was_reset || sim_records_any_foreign(records);
    struct repair repair = {.verb = host->copied ? SIM_VERB_FORGET
                                    : adopts     ? SIM_VERB_ADOPT
                                                 : SIM_VERB_STATUS};
    if (repair.verb == SIM_VERB_FORGET && !host->copied_unmarked) {
        /* from then on it owns what lies in it */
        repair.contested = sim_owner_forget_risk(host);
    }
    for (uint32_t i = 0; i < records->job_count && repair.verb == SIM_VERB_STATUS; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        if (!job->readable) {
            repair = (struct repair){.verb = SIM_VERB_FORCE, .job = job, .contested = job->cells};
        }
    }
    if (repair.verb == SIM_VERB_STATUS && !records->readable) {
        repair.verb = SIM_VERB_REBUILD;
        repair.contested = sim_owner_rebuild_risk(host);
    }
    for (uint32_t i = 0; i < records->job_count && repair.verb == SIM_VERB_STATUS; i++) {
        repair = needed_for(world, &records->jobs[i], records->released);
    }
    return repair;
}

static void type(struct sim_world *world, struct sim_host *host, const struct repair *repair)
{
    struct sim_command *command = sim_command_new(host, repair->verb);
    if (command == NULL) {
        return;
    }
    sim_truth_contest(&world->truth, repair->contested);
    command->accepts = true;
    command->is_unwatched = true;
    if (repair->job != NULL) {
        command->request.cells = repair->job->cells;
        command->forces_one = true;
        memcpy(command->job, repair->job->id, sizeof(command->job));
    }
    host->receive_ns = sim_kernel.now_ns + RETRY_MS * NS_PER_MS;
    world->commands++;
    if (++host->repairs > REPAIRS_MAX) {
        sim_fail("liveness", "no way out: %s of %s, over and over again",
                 sim_verb_name(repair->verb), host->name);
    }
    sim_command_start(command);
}

bool sim_repair_step(struct sim_world *world, struct sim_host *host)
{
    struct repair repair = needed(world, host);
    struct sim_command *receiver = sim_command_find(host, SIM_VERB_RECV);
    if (repair.verb == SIM_VERB_STATUS) {
        return false;
    }
    if (receiver != NULL) {
        sim_command_stop(receiver);
    }
    if (host->up && sim_command_count(host) == 0 && sim_kernel.now_ns >= host->receive_ns) {
        type(world, host, &repair);
    }
    return true;
}

bool sim_repair_is_open(struct sim_world *world, struct sim_host *host)
{
    return needed(world, host).verb != SIM_VERB_STATUS;
}
