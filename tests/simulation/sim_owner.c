/* SPDX-License-Identifier: Apache-2.0 */
/* sim_owner.c — the commands that change the record, and end jobs that only a flag can end. */
#include "sim_owner.h"

#include <string.h>

#include "haul/job.h"
#include "owner_change.h"
#include "owner_copy.h"
#include "sim_records.h"
#include "sim_report.h"
#include "sim_truth.h"

static void end(struct sim_command *command, enum haul_status status,
                const struct haul_error *error)
{
    sim_command_note_end(command, status, status == HAUL_OK ? "" : error->text);
}

/* Without the flag such a command must refuse. */
static void check_unconfirmed(const struct sim_command *command, enum haul_status status)
{
    if (status == HAUL_OK) {
        sim_fail("I4", "%s of %s asks for no consent", command->process->name, command->host->name);
    }
}

/* The journal of an unfinished job still shows what it has brought here. */
static uint32_t cells_owned_for_good(struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host);
    uint32_t cells = sim_truth_owned(host->truth, host);
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        bool open = job->role == JOURNAL_TARGET && job->phase != JOURNAL_PHASE_DONE;
        cells &= open ? ~job->cells : UINT32_MAX;
    }
    return cells;
}

/* Add to `base` the cells that the host owns even without its record and its journals. */
static void keep_claims(struct sim_host *host)
{
    host->base |= sim_records_of(host)->readable
                      ? sim_host_claims(host) & sim_truth_owned(host->truth, host)
                      : cells_owned_for_good(host);
}

/* --- reclaim ---------------------------------------------------------------------------------- */

static uint32_t spans_of(uint32_t cells)
{
    uint32_t spans = 0;
    for (uint32_t i = 0; i < SIM_CELL_COUNT; i++) {
        spans |= (cells >> i & 1) << i % SIM_SPAN_COUNT;
    }
    return spans;
}

uint32_t sim_owner_span(uint32_t cells)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < SIM_FAMILY_COUNT; i++) {
        bool has = (cells & sim_cells_of_family(i)) != 0;
        all |= has ? spans_of(cells) << sim_cell_index(i, 0) : 0;
    }
    return all;
}

/* Whether the cells are all of some families and some spans. */
static void run_reclaim(struct sim_command *command)
{
    const struct sim_host *host = command->host;
    const struct file_calls *calls = &host->disk.calls;
    const char *families[SIM_FAMILY_COUNT];
    struct haul_range ranges[SIM_SPAN_COUNT];
    struct haul_owner_selection selected = {.families = families, .ranges = ranges};
    struct haul_error error = {0};
    uint32_t spans = spans_of(command->request.cells);
    for (uint32_t i = 0; i < SIM_FAMILY_COUNT; i++) {
        if ((command->request.cells & sim_cells_of_family(i)) != 0) {
            families[selected.family_count++] = sim_family_name(i);
        }
    }
    for (uint32_t i = 0; i < SIM_SPAN_COUNT; i++) {
        if ((spans >> i & 1) != 0) {
            ranges[selected.range_count++] =
                (struct haul_range){.start = sim_span_start(i), .end = sim_span_end(i)};
        }
    }
    enum haul_status status = owner_reclaim(calls, host->directory, &selected, false, &error);
    check_unconfirmed(command, status);
    if (command->accepts) {
        status = owner_reclaim(calls, host->directory, &selected, true, &error);
    }
    end(command, status, &error);
}

/* --- force ------------------------------------------------------------------------------------ */

static enum haul_status force_one(struct sim_command *command, const struct sim_job_record *record,
                                  struct haul_error *error)
{
    struct haul_store *store = &command->host->store.base;
    struct haul_job job = {.role =
                               record->role == JOURNAL_TARGET ? HAUL_JOB_TARGET : HAUL_JOB_SOURCE};
    memcpy(job.id, record->id, sizeof(job.id));
    enum haul_status status = haul_job_force_give_up(store, &job, false, error);
    check_unconfirmed(command, status);
    return command->accepts ? haul_job_force_give_up(store, &job, true, error) : status;
}

static void run_force(struct sim_command *command)
{
    enum haul_status status = HAUL_NOT_FOUND;
    struct haul_error error = {0};
    struct sim_records records = *sim_records_of(command->host);
    for (uint32_t i = 0; i < records.job_count; i++) {
        const struct sim_job_record *job = &records.jobs[i];
        if (command->forces_one && memcmp(job->id, command->job, sizeof(job->id)) != 0) {
            continue;
        }
        bool in_doubt = job->role == JOURNAL_TARGET && job->phase == JOURNAL_PHASE_PREPARED;
        if (in_doubt || !job->readable) {
            status = force_one(command, job, &error);
        }
    }
    end(command, status, &error);
}

/* --- end -------------------------------------------------------------------------------------- */

/* Is only the journal's file left, or may another command that runs here just have come so far? */
static bool is_finished(const struct sim_command *command, const struct sim_job_record *record)
{
    const struct sim_job_record *now =
        sim_records_find(sim_records_of(command->host), JOURNAL_SOURCE, record->id);
    bool done = now == NULL || (now->readable && now->phase == JOURNAL_PHASE_DONE);
    return done || sim_command_count(command->host) > 1;
}

static enum haul_status end_one(struct sim_command *command, const struct sim_job_record *record,
                                struct haul_error *error)
{
    struct haul_store *store = &command->host->store.base;
    struct haul_job job = {.role = HAUL_JOB_SOURCE};
    memcpy(job.id, record->id, sizeof(job.id));
    bool decided = record->committed || !record->readable;
    bool finished = is_finished(command, record);
    enum haul_status status = haul_job_end_decided(store, &job, false, error);
    if (finished) {
        return status;
    }
    check_unconfirmed(command, status);
    if (command->accepts) {
        status = haul_job_end_decided(store, &job, true, error);
    }
    if (status == HAUL_OK && !decided) {
        sim_fail("I4", "%s ends a job as handed over that nothing has decided",
                 command->host->name);
    }
    return status;
}

static void run_end(struct sim_command *command)
{
    enum haul_status status = HAUL_NOT_FOUND;
    struct haul_error error = {0};
    struct sim_records records = *sim_records_of(command->host);
    for (uint32_t i = 0; i < records.job_count; i++) {
        const struct sim_job_record *job = &records.jobs[i];
        bool meant = !command->forces_one || memcmp(job->id, command->job, sizeof(job->id)) == 0;
        if (job->role == JOURNAL_SOURCE && meant) {
            status = end_one(command, job, &error);
        }
    }
    end(command, status, &error);
}

/* --- the rest --------------------------------------------------------------------------------- */

static struct instance_place place_of(struct sim_host *host)
{
    return (struct instance_place){.calls = &host->disk.calls,
                                   .directory = host->directory,
                                   .identity = host->identity,
                                   .sequence = host->store.sequence};
}

uint32_t sim_owner_forget_risk(struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host);
    uint32_t cells = records->released | (host->base & ~sim_truth_owned(host->truth, host));
    for (uint32_t i = 0; i < records->job_count; i++) {
        cells |= records->jobs[i].cells;
    }
    return cells;
}

static void run_forget(struct sim_command *command)
{
    struct sim_host *host = command->host;
    struct haul_error error = {0};
    keep_claims(host);
    const struct instance_place place = place_of(host);
    host->forgot = true; /* perhaps only a part, if it is killed meanwhile */
    enum haul_status status = owner_forget(&place, command->accepts, &error);
    if (status == HAUL_OK && !host->copied) { /* including what has arrived since */
        host->base |= cells_owned_for_good(host);
    }
    host->copied = host->copied && status != HAUL_OK;
    host->copied_unmarked = host->copied_unmarked && host->copied;
    end(command, status, &error);
}

static void run_adopt(struct sim_command *command)
{
    struct sim_host *host = command->host;
    struct haul_error error = {0};
    const struct instance_place place = place_of(host);
    enum haul_status status = owner_adopt(&place, false, &error);
    check_unconfirmed(command, status);
    if (command->accepts) {
        status = owner_adopt(&place, true, &error);
    }
    bool stays = status != HAUL_OK && status != HAUL_NOT_FOUND;
    host->moved = host->moved && stays;
    host->was_reset = host->was_reset && stays;
    end(command, status, &error);
}

uint32_t sim_owner_rebuild_risk(struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host);
    uint32_t cells = host->base & ~sim_truth_owned(host->truth, host);
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        cells |= job->role == JOURNAL_SOURCE && job->in_doubt ? job->cells : 0;
    }
    return cells;
}

static void run_rebuild(struct sim_command *command)
{
    struct sim_host *host = command->host;
    struct haul_error error = {0};
    if (!sim_records_of(host)->readable) {
        host->base |= cells_owned_for_good(host);
        host->forgot = true;
    }
    enum haul_status status =
        owner_rebuild(&host->disk.calls, host->directory, command->accepts, &error);
    end(command, status, &error);
}

static void run_drop(struct sim_command *command)
{
    static const struct haul_owner_selection all;
    struct haul_owner_dropped dropped;
    struct haul_error error = {0};
    enum haul_status status = haul_owner_drop(&command->host->store.base, &all, &dropped, &error);
    end(command, status, &error);
}

void sim_owner_run(struct sim_command *command)
{
    switch (command->verb) {
    case SIM_VERB_RECLAIM:
        run_reclaim(command);
        return;
    case SIM_VERB_FORCE:
        run_force(command);
        return;
    case SIM_VERB_FORGET:
        run_forget(command);
        return;
    case SIM_VERB_ADOPT:
        run_adopt(command);
        return;
    case SIM_VERB_REBUILD:
        run_rebuild(command);
        return;
    case SIM_VERB_END:
        run_end(command);
        return;
    default:
        run_drop(command);
        return;
    }
}
