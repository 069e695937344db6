/* SPDX-License-Identifier: Apache-2.0 */
/* sim_task.c — the state of a task, by the truth and by the source's records. */
#include "sim_task.h"

#include "sim_records.h"

const struct sim_handed *sim_task_decision(const struct sim_task *task)
{
    const struct sim_truth *truth = task->source->truth;
    for (uint32_t i = task->handed_before; i < truth->handed_count; i++) {
        const struct sim_handed *handed = &truth->handed[i % SIM_HANDED_COUNT];
        if (handed->from == task->source->number && handed->to == task->target->number &&
            handed->cells == task->request.cells) {
            return handed;
        }
    }
    return NULL;
}

bool sim_task_is_settled(const struct sim_task *task)
{
    const struct sim_handed *decision = sim_task_decision(task);
    if (decision == NULL || !decision->owned) {
        return false;
    }
    const struct sim_records *records = sim_records_of(task->source);
    const struct sim_job_record *job = sim_records_find(records, JOURNAL_SOURCE, decision->job);
    return job == NULL || job->phase == JOURNAL_PHASE_DONE;
}
