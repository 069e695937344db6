/* SPDX-License-Identifier: Apache-2.0 */
/* sim_command.c — the commands of all hosts, and what each one runs. */
#include "sim_command.h"

#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "haul/job.h"
#include "sim_descriptor.h"
#include "sim_hooks.h"
#include "sim_owner.h"
#include "sim_records.h"
#include "sim_report.h"
#include "sim_truth.h"
#include "sim_verbs.h"

enum { WAIT_MS = 1 << 30, RESUME_WAIT_MS = 5000 };

static struct sim_command commands[SIM_COMMAND_COUNT];
static uint64_t ended;

static const char *const words[] = {
#define SIM_VERB_WORD(name, word, sentence) word,
    SIM_VERB_LIST(SIM_VERB_WORD)
#undef SIM_VERB_WORD
};

const char *sim_verb_name(enum sim_verb verb)
{
    return words[verb];
}

/* --- the table -------------------------------------------------------------------------------- */

void sim_commands_init(void)
{
    memset(commands, 0, sizeof(commands));
    ended = 0;
}

uint64_t sim_commands_ended(void)
{
    return ended;
}

struct sim_command *sim_command_new(struct sim_host *host, enum sim_verb verb)
{
    for (int i = 0; i < SIM_COMMAND_COUNT; i++) {
        if (!commands[i].used) {
            commands[i] = (struct sim_command){.used = true, .verb = verb, .host = host};
            return &commands[i];
        }
    }
    return NULL;
}

void sim_command_drop(struct sim_command *command)
{
    haul_assert(command->process == NULL);
    command->used = false;
}

struct sim_command *sim_command_at(int index)
{
    return &commands[index];
}

static bool runs_on(const struct sim_command *command, const struct sim_host *host)
{
    return command->used && command->process != NULL && command->host == host;
}

struct sim_command *sim_command_find(const struct sim_host *host, enum sim_verb verb)
{
    for (int i = 0; i < SIM_COMMAND_COUNT; i++) {
        if (runs_on(&commands[i], host) && commands[i].verb == verb) {
            return &commands[i];
        }
    }
    return NULL;
}

uint32_t sim_command_count(const struct sim_host *host)
{
    uint32_t count = 0;
    for (int i = 0; i < SIM_COMMAND_COUNT; i++) {
        count += runs_on(&commands[i], host);
    }
    return count;
}

uint32_t sim_commands_frozen(const struct sim_host *host)
{
    uint32_t frozen = 0;
    for (int i = 0; i < SIM_COMMAND_COUNT; i++) {
        frozen |= runs_on(&commands[i], host) ? commands[i].frozen : 0;
    }
    return frozen;
}

void sim_commands_kill(const struct sim_host *host)
{
    ended++;
    for (int i = 0; i < SIM_COMMAND_COUNT; i++) {
        struct sim_command *command = &commands[i];
        if (runs_on(command, host)) {
            sim_say("%s of %s dies", command->process->name, host->name);
            sim_process_kill(command->process);
            command->process = NULL;
            command->migration = NULL;
            command->frozen = 0;
        }
    }
}

void sim_command_cancel(struct sim_command *command)
{
    if (command->migration != NULL) {
        sim_say("%s cancels %s", command->host->name, command->process->name);
        command->cancels = true;
        haul_migration_cancel(command->migration);
    }
}

bool sim_command_cancel_job(struct sim_command *command)
{
    struct haul_job_progress jobs[HAUL_TARGET_JOBS_MAX];
    if (command->migration == NULL) {
        return false;
    }
    size_t count = haul_migration_jobs(command->migration, jobs, HAUL_TARGET_JOBS_MAX);
    if (count == 0) {
        return false;
    }
    size_t which = sim_random_below(command->host->random, (uint32_t)count);
    sim_say("%s cancels a job of %s, of %zu", command->host->name, command->process->name, count);
    memcpy(command->cancelled_jobs[command->cancelled_count++ % SIM_CANCELLED_COUNT],
           jobs[which].job, HAUL_JOB_BYTES);
    return haul_migration_cancel_job(command->migration, jobs[which].job) == HAUL_OK;
}

void sim_command_stop(struct sim_command *command)
{
    if (command->migration != NULL) {
        sim_say("%s stops %s", command->host->name, command->process->name);
        haul_migration_stop(command->migration);
    }
}

/* --- what they run ---------------------------------------------------------------------------- */

void sim_command_note_end(struct sim_command *command, enum haul_status status, const char *text)
{
    command->finished = true;
    command->outcome = status;
    command->host->told = command->host->told || status == HAUL_MISMATCH;
    (void)snprintf(command->text, sizeof(command->text), "%s", text);
    sim_say("%s of %s ends: %s %s", command->process->name, command->host->name,
            haul_status_name(status), text);
}

static void fill_source_options(struct sim_command *command, struct haul_source_options *source)
{
    const struct sim_options *options = command->host->options;
    const struct sim_request *request = &command->request;
    bool sends = command->verb == SIM_VERB_SEND;
    bool metadata = options->metadata && request->family_count > 1;
    *source = (struct haul_source_options){
        .size_bytes = sizeof(*source),
        .store = &command->host->store.base,
        .to = command->to->address,
        .transports = options->transports,
        .link = options->link,
        .link_count = options->link_count,
        .families = request->families,
        .family_count = request->everything ? 0 : request->family_count,
        .metadata_families = request->families,
        .metadata_family_count = sends && metadata && !request->everything ? 1 : 0,
        .ranges = request->ranges,
        .range_count = request->everything ? 0 : request->range_count,
        .reader_count = options->reader_count,
        .batch_size_bytes_min = options->batch_bytes_min,
        .batch_size_bytes_max = options->batch_bytes_max,
        .rate_bytes_per_second = options->rate_bytes_per_second,
        .compression = options->compression,
        .lane = options->lane,
        .overwrite = command->overwrite,
        .insecure = true,
        .freeze_max_ms = command->patient ? SIM_FREEZE_PATIENT_MS : options->freeze_max_ms,
        .retry_max_ms = options->retry_max_ms,
        .read_back = options->read_back,
        .log_data = options->log_data,
        .resume = command->verb == SIM_VERB_RESUME,
        .resolve = command->verb == SIM_VERB_RESOLVE,
        .accept_two_owners = true, /* set_back has marked the cells as contested */
        .lag_bytes_max = options->lag_bytes_max,
        .log = sim_verbose ? sim_report_log(command->host->number) : NULL,
    };
    sim_hooks_of_source(command, &source->hooks);
}

static void run_source(struct sim_command *command)
{
    struct haul_source_options options;
    struct haul_migration *migration = NULL;
    struct haul_error error = {0};
    fill_source_options(command, &options);
    enum haul_status status = haul_source_start(&options, &migration, &error);
    sim_host_refresh(command->host);
    if (status != HAUL_OK) {
        sim_command_note_end(command, status, error.text);
        return;
    }
    command->migration = migration;
    struct haul_result result = {.status = HAUL_TIMEOUT};
    if (haul_migration_ended(migration, WAIT_MS)) {
        result = *haul_migration_result(migration);
    }
    status = result.status;
    command->migration = NULL;
    haul_migration_destroy(migration);
    command->verified = result.verified;
    if (status == HAUL_OK && !result.verified && command->verb != SIM_VERB_RESOLVE) {
        sim_fail("I6", "%s reports success of what was not verified", command->host->name);
    }
    sim_command_note_end(command, status, result.error.text);
}

static void run_target(struct sim_command *command)
{
    const struct sim_options *options = command->host->options;
    struct haul_target_options target = {
        .size_bytes = sizeof(target),
        .store = &command->host->store.base,
        .listen = command->host->address,
        .transports = options->transports,
        .link = options->link,
        .once = options->once,
        .jobs_max = options->jobs_max,
        .allow_overwrite = true,
        .insecure = true, /* the hosts trust each other */
        .resume_wait_ms = RESUME_WAIT_MS,
        .applier_count = options->applier_count,
        .lane = HAUL_LANE_AUTO,
        .table_size_bytes = options->table_bytes,
        .log = sim_verbose ? sim_report_log(command->host->number) : NULL,
    };
    struct haul_migration *migration = NULL;
    struct haul_error error = {0};
    sim_hooks_of_target(command, &target.hooks);
    enum haul_status status = haul_target_start(&target, &migration, &error);
    if (status != HAUL_OK) {
        sim_command_note_end(command, status, error.text);
        return;
    }
    command->migration = migration;
    struct haul_result result = {.status = HAUL_TIMEOUT};
    if (haul_migration_ended(migration, WAIT_MS)) {
        result = *haul_migration_result(migration);
    }
    status = result.status;
    command->migration = NULL;
    haul_migration_destroy(migration);
    command->verified = result.verified;
    sim_command_note_end(command, status, result.error.text);
}

/* The operator knows every hand-over of the world. The record may lose everything else that was
 * restored, and what a flag has put at risk before. */
static enum haul_status give_up(struct haul_store *store, const struct sim_truth *truth,
                                const struct haul_job *job, struct haul_error *error)
{
    bool handed = false;
    for (uint32_t i = 0; i < truth->handed_count && i < SIM_HANDED_COUNT; i++) {
        const struct sim_handed *one = &truth->handed[i];
        handed = handed || (memcmp(one->job, job->id, HAUL_JOB_BYTES) == 0 &&
                            (one->cells & ~truth->contested) != 0);
    }
    enum haul_status status = haul_job_give_up(store, job, error);
    return status == HAUL_UNCONFIRMED && !handed ? haul_job_force_give_up(store, job, true, error)
                                                 : status;
}

/* List the jobs as `haul status` does, by their files. A job that owns is finished, not given
 * up. */
static void run_cancel(struct sim_command *command)
{
    enum haul_status status = HAUL_NOT_FOUND;
    struct haul_error error = {0};
    struct haul_hooks hooks;
    struct haul_store *store = &command->host->store.base;
    struct sim_records records = *sim_records_of(command->host);
    sim_hooks_of_target(command, &hooks);
    for (uint32_t i = 0; i < records.job_count; i++) {
        struct haul_job job = {.role = records.jobs[i].role == JOURNAL_SOURCE ? HAUL_JOB_SOURCE
                                                                              : HAUL_JOB_TARGET};
        memcpy(job.id, records.jobs[i].id, sizeof(job.id));
        bool owns = job.role == HAUL_JOB_TARGET && records.jobs[i].phase == JOURNAL_PHASE_COMMITTED;
        status = owns ? haul_job_finish(store, &hooks, &job, &error)
                      : give_up(store, command->host->truth, &job, &error);
        sim_yield();
    }
    sim_command_note_end(command, status, status == HAUL_OK ? "" : error.text);
}

static void run_status(struct sim_command *command)
{
    (void)sim_records_of(command->host);
    sim_command_note_end(command, HAUL_OK, "");
}

static void run_command(void *argument)
{
    struct sim_command *command = argument;
    switch (command->verb) {
    case SIM_VERB_RECV:
        run_target(command);
        return;
    case SIM_VERB_SEND:
    case SIM_VERB_RESUME:
    case SIM_VERB_RESOLVE:
        run_source(command);
        return;
    case SIM_VERB_CANCEL:
        run_cancel(command);
        return;
    case SIM_VERB_RECLAIM:
    case SIM_VERB_FORCE:
    case SIM_VERB_FORGET:
    case SIM_VERB_ADOPT:
    case SIM_VERB_REBUILD:
    case SIM_VERB_DROP:
    case SIM_VERB_END:
        sim_owner_run(command);
        return;
    case SIM_VERB_STATUS:
    case SIM_VERB_COUNT:
        run_status(command);
        return;
    }
}

/* --- life ------------------------------------------------------------------------------------- */

/* The process has ended normally: nothing of it may remain (I7). */
static void check_leaks(const struct sim_command *command)
{
    const struct sim_process *process = command->process;
    const struct sim_host *host = command->host;
    if (process->heap.count > 0) {
        sim_fail("I7", "%s left %llu blocks of memory behind", process->name,
                 (unsigned long long)process->heap.count);
    }
    if (sim_descriptor_count(process) > 0 || process->thread_count != 1) {
        sim_fail("I7", "%s left %u descriptors and %u threads behind", process->name,
                 sim_descriptor_count(process), process->thread_count - 1);
    }
    if (sim_verbs_count(process) > 0) {
        sim_fail("I7", "%s left %u objects of the RDMA card behind", process->name,
                 sim_verbs_count(process));
    }
    bool alone = sim_command_count(host) == 1;
    if (alone && (sim_store_handles(&host->store) > 0 || sim_disk_open_count(&host->disk) > 0)) {
        sim_fail("I7", "%s left %u handles of the database and %u files open", process->name,
                 sim_store_handles(&host->store), sim_disk_open_count(&host->disk));
    }
}

static void on_exit_process(void *context)
{
    struct sim_command *command = context;
    ended++;
    check_leaks(command);
    sim_hooks_check_freeze(command);
    bool alone = sim_command_count(command->host) == 1;
    command->process = NULL;
    command->frozen = 0;
    if (alone) {
        sim_host_reopen(command->host);
    }
    sim_host_refresh(command->host);
}

void sim_command_start(struct sim_command *command)
{
    bool reads = command->verb == SIM_VERB_SEND || command->verb == SIM_VERB_RESUME ||
                 command->verb == SIM_VERB_RESOLVE || command->verb == SIM_VERB_STATUS;
    command->process = sim_process_start(sim_verb_name(command->verb), command->host->number,
                                         run_command, command);
    command->process->reads_only = reads;
    command->process->on_exit = on_exit_process;
    command->process->on_exit_context = command;
    char cells[96] = "";
    if (sim_verbose) {
        sim_cells_format(command->request.cells, cells, sizeof(cells));
    }
    sim_say("%s starts %s%s%s %s%s%s", command->host->name, command->process->name,
            command->to == NULL ? "" : " to ", command->to == NULL ? "" : command->to->name, cells,
            command->overwrite ? ", overwriting" : "",
            command->accepts ? ", accepting two owners" : "");
}
