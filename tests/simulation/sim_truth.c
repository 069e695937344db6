/* SPDX-License-Identifier: Apache-2.0 */
/* sim_truth.c — owners, and the two moments at which they change. */
#include "sim_truth.h"

#include <string.h>

#include "assertion.h"
#include "sim_command.h"
#include "sim_compare.h"
#include "sim_gates.h"
#include "sim_hooks.h"
#include "sim_report.h"

void sim_truth_init(struct sim_truth *truth, struct sim_host *hosts)
{
    memset(truth, 0, sizeof(*truth));
    memset(truth->owner, SIM_NOBODY, sizeof(truth->owner));
    truth->hosts = hosts;
    truth->lineage_count = 1;
}

static int8_t *owner_of(struct sim_truth *truth, int host, uint32_t cell)
{
    return &truth->owner[truth->lineage[host][cell]][cell];
}

void sim_truth_give(struct sim_truth *truth, const struct sim_host *host, uint32_t cells)
{
    for (uint32_t cell = 0; cell < SIM_CELL_COUNT; cell++) {
        if ((cells >> cell & 1) != 0) {
            *owner_of(truth, host->number, cell) = (int8_t)host->number;
        }
    }
}

void sim_truth_abandon(struct sim_truth *truth, const struct sim_host *host, uint32_t cells)
{
    cells &= sim_truth_owned(truth, host);
    for (uint32_t cell = 0; cell < SIM_CELL_COUNT; cell++) {
        if ((cells >> cell & 1) != 0) {
            *owner_of(truth, host->number, cell) = SIM_NOBODY;
        }
    }
}

void sim_truth_contest(struct sim_truth *truth, uint32_t cells)
{
    char text[96];
    sim_cells_format(cells, text, sizeof(text));
    if ((cells & ~truth->contested) != 0) {
        sim_say("contested from now on: %s", text);
    }
    truth->contested |= cells;
}

uint32_t sim_truth_owned(const struct sim_truth *truth, const struct sim_host *host)
{
    uint32_t owned = 0;
    for (uint32_t cell = 0; cell < SIM_CELL_COUNT; cell++) {
        uint8_t lineage = truth->lineage[host->number][cell];
        owned |= truth->owner[lineage][cell] == host->number ? UINT32_C(1) << cell : 0;
    }
    return owned;
}

void sim_truth_check_owner(const struct sim_truth *truth, const struct sim_host *host,
                           uint32_t cells, const char *what)
{
    uint32_t wrong = cells & ~sim_truth_owned(truth, host) & ~truth->contested;
    if (wrong != 0) {
        char text[96];
        sim_cells_format(wrong, text, sizeof(text));
        sim_fail("I4", "%s %s, and does not own %s", host->name, what, text);
    }
}

/* --- hand-overs ------------------------------------------------------------------------------- */

static struct sim_handed *find_handed(struct sim_truth *truth, const uint8_t *job)
{
    uint32_t count =
        truth->handed_count < SIM_HANDED_COUNT ? truth->handed_count : SIM_HANDED_COUNT;
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(truth->handed[i].job, job, HAUL_JOB_BYTES) == 0) {
            return &truth->handed[i];
        }
    }
    return NULL;
}

/* Whether the job is prepared on any host. */
static struct sim_host *find_target(struct sim_truth *truth, const struct sim_job_record *job)
{
    for (int i = 0; i < SIM_HOST_COUNT_MAX; i++) {
        struct sim_host *host = &truth->hosts[i];
        if (!host->used || host->copied) {
            continue;
        }
        const struct sim_records *records = sim_records_of(host);
        const struct sim_job_record *found = sim_records_find(records, JOURNAL_TARGET, job->id);
        if (found != NULL && (found->phase == JOURNAL_PHASE_PREPARED || found->committed)) {
            return host;
        }
    }
    return NULL;
}

static void hand_over(struct sim_truth *truth, struct sim_host *source, struct sim_host *target,
                      const struct sim_job_record *job)
{
    char text[96];
    sim_cells_format(job->cells, text, sizeof(text));
    sim_say("%s has decided: %s of %s is %s's", source->name, text, source->name, target->name);
    sim_truth_check_owner(truth, source, job->cells, "hands over");
    sim_compare_hosts(source, target, job->cells & ~truth->contested, "when the source decides");
    struct sim_handed *handed = &truth->handed[truth->handed_count++ % SIM_HANDED_COUNT];
    *handed =
        (struct sim_handed){.from = source->number, .to = target->number, .cells = job->cells};
    memcpy(handed->job, job->id, HAUL_JOB_BYTES);
    for (uint32_t cell = 0; cell < SIM_CELL_COUNT; cell++) {
        if ((job->cells >> cell & 1) != 0) {
            *owner_of(truth, source->number, cell) = (int8_t)target->number;
            truth->lineage[target->number][cell] = truth->lineage[source->number][cell];
        }
    }
}

void sim_truth_note_decisions(struct sim_truth *truth, struct sim_host *source)
{
    const struct sim_records *records = sim_records_of(source);
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        if (job->role != JOURNAL_SOURCE || !job->committed || find_handed(truth, job->id) != NULL) {
            continue;
        }
        struct sim_host *target = find_target(truth, job);
        if (target == NULL && (job->cells & truth->contested) != 0) {
            continue;
        }
        if (target == NULL) {
            sim_fail("I4", "%s has decided a job that nobody holds prepared", source->name);
        }
        hand_over(truth, source, target, job);
    }
}

uint32_t sim_truth_note_owned(struct sim_truth *truth, struct sim_host *target,
                              uint64_t new_version)
{
    uint32_t cells = 0;
    const struct sim_records *records = sim_records_of(target);
    for (uint32_t i = 0; i < records->job_count && !target->copied; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        bool fits = job->role == JOURNAL_TARGET && job->committed &&
                    (new_version == 0 || job->new_version == new_version);
        if (!fits) {
            continue;
        }
        struct sim_handed *handed = find_handed(truth, job->id);
        if (handed == NULL && (job->cells & truth->contested) != 0) {
            cells |= job->cells;
            continue;
        }
        if (handed == NULL || handed->to != target->number || handed->cells != job->cells) {
            sim_fail("I4", "%s owns what no source has given up", target->name);
        }
        if (!handed->owned) {
            sim_say("%s owns", target->name);
            handed->owned = true;
        }
        cells |= job->cells;
    }
    return cells;
}

void sim_truth_check_jobs(const struct sim_truth *truth, struct sim_host *host)
{
    const struct sim_records *records = sim_records_of(host);
    uint32_t owned = sim_truth_owned(truth, host) & ~truth->contested;
    for (uint32_t i = 0; i < records->job_count; i++) {
        const struct sim_job_record *job = &records->jobs[i];
        bool comes = job->role == JOURNAL_TARGET && job->phase < JOURNAL_PHASE_PREPARED;
        if (comes && job->readable && (job->cells & owned) != 0) {
            char text[96];
            sim_cells_format(job->cells & owned, text, sizeof(text));
            sim_fail("I1", "an unfinished job brings %s to %s, which owns it", text, host->name);
        }
    }
}

/* --- writes ----------------------------------------------------------------------------------- */

/* What a job of an earlier process has left may be removed: its owner was asked then. */
static bool was_asked_before(struct sim_host *host, uint32_t cells)
{
    const struct sim_records *records = sim_records_of(host);
    uint32_t known = 0;
    for (uint32_t i = 0; i < records->job_count; i++) {
        known |= records->jobs[i].role == JOURNAL_TARGET ? records->jobs[i].cells : 0;
    }
    return (cells & ~known) == 0;
}

void sim_truth_check_write(const struct sim_truth *truth, const struct sim_host *host,
                           uint32_t family_id, struct haul_slice begin, struct haul_slice end,
                           bool is_key)
{
    uint32_t family = sim_host_family_of(host, family_id);
    haul_assert(family < SIM_FAMILY_COUNT);
    uint32_t cells = is_key ? sim_cell_of(family, begin) : sim_cells_of_range(family, begin, end);
    char text[96];
    sim_cells_format(cells, text, sizeof(text));
    const struct sim_command *command = sim_process_current()->on_exit_context;
    bool asked = !host->options->reserve_hook || command->verb != SIM_VERB_RECV ||
                 sim_hooks_reserved(command) != 0 || !SIM_GATE_RESERVE;
    if (!asked && !was_asked_before((struct sim_host *)(uintptr_t)host, cells)) {
        sim_fail("I5", "%s writes to %s before its owner was asked", host->name, text);
    }
    if ((cells & ~host->expected) != 0 && command->verb != SIM_VERB_DROP) {
        sim_fail("I2", "a process of %s writes to %s, outside of what any job brings there",
                 host->name, text);
    }
    if ((cells & sim_truth_owned(truth, host) & ~truth->contested) != 0) {
        sim_fail("I1", "a process of %s writes to %s, which the database owns", host->name, text);
    }
}
