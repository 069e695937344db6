/* SPDX-License-Identifier: Apache-2.0 */
/* sim_operator.c — what a sensible operator does next, for each host and each task. */
#include "sim_operator.h"

#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "sim_loss.h"
#include "sim_owner.h"
#include "sim_records.h"
#include "sim_repair.h"
#include "sim_report.h"
#include "sim_world.h"

enum {
    RESTART_MS_MAX = 3000,
    PROMPT_MS_MAX = 150,
    ATTEMPTS_MAX = 3,
    DEAD_MS_MAX = 5000,
    BUSY_MS = 500,
    BUSY_DOUBLINGS = 4
};

/* Usually at once, because idle time costs steps too. */
static uint64_t soon(struct sim_world *world, uint32_t ms_max)
{
    ms_max = sim_random_below(&world->random, 4) == 0 ? ms_max : PROMPT_MS_MAX;
    return sim_kernel.now_ns + 1 + (uint64_t)NS_PER_MS * sim_random_below(&world->random, ms_max);
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* Registers are copies of what a cluster has agreed on, and some receive a change later than
 * others. */
static bool has_stale_register(const struct sim_task *task)
{
    return task->source->own_register.in_use &&
           (strstr(task->text, "config versions differ") != NULL ||
            strstr(task->text, "config version moved") != NULL);
}

static void bring_up_to_date(struct sim_register *one, struct sim_register *other)
{
    one->version = one->version > other->version ? one->version : other->version;
    other->version = one->version;
}

/* Whether a job from the task's source to its target has ended since the task began. */
static bool has_moved_something(const struct sim_task *task)
{
    const struct sim_truth *truth = task->source->truth;
    for (uint32_t i = task->handed_before; i < truth->handed_count; i++) {
        const struct sim_handed *handed = &truth->handed[i % SIM_HANDED_COUNT];
        if (handed->from == task->source->number && handed->to == task->target->number &&
            handed->owned) {
            return true;
        }
    }
    return false;
}

/* Success requires that the target owns and reports so. An alarm means that something was
 * damaged. */
static void check_outcome(const struct sim_world *world, const struct sim_task *task)
{
    if ((task->request.cells & world->truth.contested) != 0) {
        return;
    }
    const struct sim_handed *decision = sim_task_decision(task);
    /* `resume` continues any job that was left. */
    bool owned = task->verb == SIM_VERB_RESUME ? has_moved_something(task)
                                               : decision != NULL && decision->owned;
    bool moves = task->verb == SIM_VERB_SEND || task->verb == SIM_VERB_RESUME;
    if (task->outcome == HAUL_OK && moves && !owned) {
        sim_fail("I6", "%s reports success, and %s never took over", task->source->name,
                 task->target->name);
    }
    const uint64_t *seen = world->chaos.seen;
    bool alarm = task->outcome == HAUL_PROTOCOL || task->outcome == HAUL_CORRUPT ||
                 task->outcome == HAUL_FENCED || task->outcome == HAUL_INTERNAL;
    bool reason =
        seen[SIM_FAULT_ROT] > 0 || seen[SIM_FAULT_RESET] > 0 || seen[SIM_FAULT_LIE] > 0 ||
        sim_verbs_figures.faults[SIM_VERBS_FLIP] > 0 || sim_network_figures.flips > 0 ||
        sim_verbs_figures.faults[SIM_VERBS_STATUS] > 0 || sim_network_figures.replays > 0 ||
        task->target->foreign > 0 || has_stale_register(task) ||
        strstr(task->text, SIM_STORE_FAILURE) != NULL || seen[SIM_FAULT_MEMORY] > 0 ||
        /* the receiver ended while we connected */
        strstr(task->text, "not a haul peer") != NULL || strstr(task->text, "preamble") != NULL ||
        /* The target's operator gave the job up. */
        strstr(task->text, "was never sent") != NULL ||
        strstr(task->text, "were never sent") != NULL;
    if (alarm && !reason) {
        sim_fail("I6", "%s, though nothing was damaged: %s", haul_status_name(task->outcome),
                 task->text);
    }
}

/* The target gave away a part of the cells, and would lose records that it owns in others: only one
 * of that part is to come back. */
static void follow_selection(struct sim_world *world, struct sim_task *task)
{
    uint32_t given = task->request.cells & sim_records_of(task->target)->released;
    bool refused = task->finished && task->outcome == HAUL_NOT_EMPTY &&
                   strstr(task->text, "gave away a part of these ranges") != NULL;
    if (refused && given != 0) {
        sim_request_draw(&task->request, &world->random, given & (~given + 1), 0);
    }
}

/* The command of the task has ended, or died with its host. */
static void take_result(struct sim_world *world, struct sim_task *task)
{
    struct sim_command *command = task->command;
    task->command = NULL;
    task->finished = command->finished;
    task->verb = command->verb;
    task->outcome = command->outcome;
    (void)snprintf(task->text, sizeof(task->text), "%s", command->text);
    sim_command_drop(command);
    if (task->finished) {
        check_outcome(world, task);
        follow_selection(world, task);
    }
    if (task->finished && has_stale_register(task)) {
        bring_up_to_date(&task->source->own_register, &task->target->own_register);
    }
    task->committed = sim_task_is_settled(task);
    task->over = task->committed ||
                 (task->mistaken && task->finished && task->attempts >= ATTEMPTS_MAX) ||
                 (task->mistaken && task->outcome == HAUL_MISMATCH);
    /* After "busy" the operator waits, longer each time: a hook may take half a minute. */
    bool busy = task->finished && task->outcome == HAUL_BUSY;
    uint64_t busy_ns = (uint64_t)BUSY_MS * NS_PER_MS << task->busy_doublings;
    task->next_ns = busy ? sim_kernel.now_ns + busy_ns : soon(world, RESTART_MS_MAX);
    uint32_t doublings = busy && sim_kernel.calm ? task->busy_doublings + 1 : 0;
    task->busy_doublings = doublings < BUSY_DOUBLINGS ? doublings : BUSY_DOUBLINGS;
}

/* `resume` continues whatever job was left: it would take another task's job to this target. */
static bool has_other_job(const struct sim_task *task)
{
    const struct sim_records *records = sim_records_of(task->source);
    bool other = false;
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        other = other || (job->role == JOURNAL_SOURCE && job->phase != JOURNAL_PHASE_ABORTED &&
                          job->cells != task->request.cells);
    }
    return other;
}

static enum sim_verb next_verb(struct sim_world *world, const struct sim_task *task)
{
    const struct sim_records *records = sim_records_of(task->source);
    if (sim_records_decided(records) != NULL ||
        (task->finished && task->outcome == HAUL_IN_DOUBT)) {
        return SIM_VERB_RESOLVE;
    }
    if (task->finished && strstr(task->text, "the job was begun with database") != NULL) {
        return SIM_VERB_CANCEL; /* of a job whose target is lost */
    }
    if (task->finished && task->outcome == HAUL_UNCONFIRMED) {
        return SIM_VERB_CANCEL; /* of a job that was begun with another target */
    }
    if (task->finished && strstr(task->text, ".journal is COMMITTED") != NULL) {
        return SIM_VERB_CANCEL; /* which finishes a job that came here and is ours */
    }
    if (task->finished && strstr(task->text, "and has given the job up") != NULL) {
        return SIM_VERB_RESOLVE; /* of a hand-over that the target knows better */
    }
    if (task->finished && strstr(task->text, "it was restored from before that") != NULL) {
        return SIM_VERB_FORGET; /* of a database whose record was rebuilt */
    }
    bool nothing_left = task->attempts == 0 || has_other_job(task) || task->mistaken ||
                        (task->finished && task->outcome == HAUL_NOT_FOUND);
    return nothing_left || sim_random_below(&world->random, 2) == 0 ? SIM_VERB_SEND
                                                                    : SIM_VERB_RESUME;
}

/* The peer of the job to resolve, which another task may have left. NULL: there is none. */
static struct sim_host *target_of_decided(struct sim_host *source)
{
    const struct sim_truth *truth = source->truth;
    const struct sim_job_record *job =
        source->copied ? NULL : sim_records_decided(sim_records_of(source));
    for (uint32_t i = 0; job != NULL && i < truth->handed_count && i < SIM_HANDED_COUNT; i++) {
        if (memcmp(truth->handed[i].job, job->id, HAUL_JOB_BYTES) == 0) {
            return &truth->hosts[truth->handed[i].to];
        }
    }
    return NULL;
}

/* Whether another host tries to reach this one's receiver. */
static bool is_awaited(const struct sim_world *world, const struct sim_host *host)
{
    bool awaited = false;
    for (uint32_t i = 0; i < world->task_count; i++) {
        const struct sim_task *task = &world->tasks[i];
        awaited = awaited ||
                  (task->target == host && task->command != NULL && task->command->process != NULL);
    }
    return awaited;
}

/* Whether a command can be typed on this host now. An idle receiver makes room; in the liveness
 * phase only if no sender waits for it, or two operators could go on like that for ever. */
static bool has_turn(const struct sim_world *world, const struct sim_host *host)
{
    struct haul_progress progress;
    struct sim_command *receiver = sim_command_find(host, SIM_VERB_RECV);
    if (host->is_repaired) {
        return false;
    }
    if (!world->options->exclusive || sim_command_count(host) == 0) {
        return true;
    }
    if (receiver != NULL && receiver->migration != NULL) {
        haul_migration_progress(receiver->migration, &progress);
        bool awaited = sim_kernel.calm && is_awaited(world, host);
        if (progress.phase == HAUL_PHASE_LISTENING && !awaited) {
            sim_command_stop(receiver);
        }
    }
    return false;
}

static void type_next(struct sim_world *world, struct sim_task *task)
{
    if (!has_turn(world, task->source)) {
        task->next_ns = soon(world, PROMPT_MS_MAX);
        return;
    }
    enum sim_verb verb = next_verb(world, task);
    struct sim_command *command = sim_command_new(task->source, verb);
    if (command == NULL) {
        return;
    }
    /* Follow the advice of the message. */
    bool advised =
        task->finished && (task->outcome == HAUL_BUSY || task->outcome == HAUL_NOT_EMPTY);
    const struct sim_host *decided = target_of_decided(task->source);
    command->to = verb == SIM_VERB_RESOLVE && decided != NULL ? decided : task->target;
    command->request = task->request;
    command->accepts = verb == SIM_VERB_FORGET;
    if (command->accepts) {
        sim_truth_contest(&world->truth, sim_owner_forget_risk(task->source));
    }
    command->overwrite = task->overwrite || advised;
    command->patient = sim_kernel.calm;
    task->command = command;
    task->attempts++;
    world->commands++;
    sim_command_start(command);
}

static void operate_task(struct sim_world *world, struct sim_task *task)
{
    if (task->over || (task->command != NULL && task->command->process != NULL)) {
        return;
    }
    bool lost = sim_kernel.calm && (task->source->lost || task->target->lost);
    const struct sim_host *decided = sim_kernel.calm ? target_of_decided(task->source) : NULL;
    if (task->command != NULL) {
        take_result(world, task);
    } else if (lost || (task->request.cells & world->truth.contested) != 0) {
        task->over = true;
    } else if (decided != NULL && decided->lost) {
        (void)sim_loss_step(world, task->source); /* first of all */
    } else if (sim_task_is_settled(task)) {
        task->committed = true; /* another operator's command was enough */
        task->over = true;
    } else if (task->source->up && sim_kernel.now_ns >= task->next_ns) {
        type_next(world, task);
    }
}

/* --- hosts ------------------------------------------------------------------------------------ */

/* Whether something is to arrive here, or has not ended yet. */
static bool receives(struct sim_world *world, const struct sim_host *host)
{
    for (uint32_t i = 0; i < world->task_count; i++) {
        if (!world->tasks[i].over && world->tasks[i].target == host) {
            return true;
        }
    }
    for (uint32_t i = 0; i < world->options->host_count; i++) {
        if (!world->hosts[i].lost && target_of_decided(&world->hosts[i]) == host) {
            return true;
        }
    }
    return false;
}

static void look_side_by_side(struct sim_world *world, const struct sim_command *receiver)
{
    struct haul_job_progress jobs[HAUL_TARGET_JOBS_MAX];
    bool runs = receiver != NULL && receiver->migration != NULL;
    if (runs && world->options->jobs_max > 1 && !world->side_by_side) {
        size_t count = haul_migration_jobs(receiver->migration, jobs, HAUL_TARGET_JOBS_MAX);
        world->side_by_side = count > 1;
    }
}

static void operate_receiver(struct sim_world *world, struct sim_host *host)
{
    struct sim_command *command = host->receiver;
    bool wanted = receives(world, host);
    look_side_by_side(world, command);
    if (command != NULL && command->process == NULL) {
        sim_command_drop(command);
        host->receiver = NULL;
        host->receive_ns = soon(world, RESTART_MS_MAX);
    } else if (command != NULL && !wanted && !command->told_to_end) {
        command->told_to_end = command->migration != NULL;
        sim_command_stop(command);
    } else if (command == NULL && wanted && host->up && !host->is_repaired &&
               sim_kernel.now_ns >= host->receive_ns &&
               (!world->options->exclusive || sim_command_count(host) == 0)) {
        host->receiver = sim_command_new(host, SIM_VERB_RECV);
        if (host->receiver != NULL) {
            sim_command_start(host->receiver);
        }
    }
}

/* Follow the advice of the refusal. */
static void adopt(struct sim_world *world, struct sim_host *host)
{
    bool wanted = host->told && !host->copied &&
                  (host->moved || host->was_reset || sim_records_any_foreign(sim_records_of(host)));
    host->told = host->told && wanted;
    if (!wanted || !host->up || sim_command_count(host) > 0) {
        return;
    }
    struct sim_command *command = sim_command_new(host, SIM_VERB_ADOPT);
    if (command != NULL) {
        command->is_unwatched = true;
        command->accepts = true;
        host->told = false;
        world->commands++;
        sim_command_start(command);
    }
}

static void operate_host(struct sim_world *world, struct sim_host *host)
{
    if (host->lost) {
        return;
    }
    sim_truth_check_jobs(&world->truth, host);
    if (!host->up && host->restart_ns == 0) {
        host->restart_ns = soon(world, RESTART_MS_MAX);
    } else if (!host->up && sim_kernel.now_ns >= host->restart_ns) {
        sim_host_start(host);
    } else if (host->up && host->store.dead && host->restart_ns == 0) {
        host->restart_ns = soon(world, DEAD_MS_MAX); /* the operator notices */
    } else if (host->up && host->store.dead && sim_kernel.now_ns >= host->restart_ns) {
        sim_host_kill(host);
    }
    operate_receiver(world, host);
    if (!sim_kernel.calm) {
        adopt(world, host); /* sim_repair.h does it later */
    }
}

static bool are_over(const struct sim_world *world)
{
    bool over = world->task_count == world->task_limit;
    for (uint32_t i = 0; i < world->task_count; i++) {
        over = over && world->tasks[i].over;
    }
    return over;
}

static uint32_t open_count(struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host);
    return sim_records_open_count(records, JOURNAL_SOURCE) +
           sim_records_open_count(records, JOURNAL_TARGET);
}

/* What earlier jobs have left and no later job has cleared. */
static void clean_up(struct sim_world *world, struct sim_host *host)
{
    struct sim_command *receiver = sim_command_find(host, SIM_VERB_RECV);
    if (receiver != NULL && (sim_loss_is_any(world) || !receives(world, host))) {
        sim_command_stop(receiver); /* a command that its operator has forgotten */
    }
    if (!host->up || open_count(host) == 0 || sim_kernel.now_ns < host->receive_ns ||
        !has_turn(world, host) || sim_command_count(host) > 0) {
        return;
    }
    const struct sim_host *decided = target_of_decided(host);
    struct sim_command *command =
        sim_command_new(host, decided == NULL ? SIM_VERB_CANCEL : SIM_VERB_RESOLVE);
    if (command != NULL) {
        command->to = decided;
        command->is_unwatched = true;
        host->receive_ns = soon(world, RESTART_MS_MAX);
        world->commands++;
        sim_command_start(command);
    }
}

void sim_operator_step(struct sim_world *world)
{
    bool cleans = sim_kernel.calm && are_over(world);
    for (uint32_t i = 0; i < world->options->host_count; i++) {
        struct sim_host *host = &world->hosts[i];
        bool repairs = (sim_kernel.calm && !sim_loss_is_any(world)) || host->copied_unmarked;
        host->is_repaired = repairs && !host->lost && sim_repair_step(world, host);
        operate_host(world, host);
        bool loses = cleans && !host->lost && host->up && sim_loss_is_any(world) &&
                     sim_loss_step(world, host);
        if (cleans && !host->lost && !loses && !host->is_repaired) {
            clean_up(world, host);
        }
    }
    for (uint32_t i = 0; i < world->task_count; i++) {
        operate_task(world, &world->tasks[i]);
    }
}

bool sim_operator_is_done(struct sim_world *world)
{
    bool done = are_over(world);
    if (!sim_kernel.calm) {
        return done;
    }
    for (uint32_t i = 0; i < world->options->host_count && done; i++) {
        struct sim_host *host = &world->hosts[i];
        /* A running command may still create a journal. */
        bool quiet = open_count(host) == 0 && sim_command_count(host) == 0;
        done = host->lost || (host->up && !host->is_repaired && quiet &&
                              (!sim_loss_is_any(world) || !sim_loss_is_open(world, host)));
    }
    return done;
}
