/* SPDX-License-Identifier: Apache-2.0 */
/* job_list.c — ids behind each other. */
#include "job_list.h"

#include <string.h>

size_t job_list_count(const struct job_list *jobs)
{
    return jobs->size_bytes / HAUL_JOB_BYTES;
}

const uint8_t *job_list_at(const struct job_list *jobs, size_t at)
{
    return &jobs->ids[at * HAUL_JOB_BYTES];
}

bool job_list_add(struct job_list *jobs, const uint8_t id[HAUL_JOB_BYTES])
{
    bool fits = jobs->size_bytes + HAUL_JOB_BYTES <= sizeof(jobs->ids);
    if (fits) {
        memcpy(&jobs->ids[jobs->size_bytes], id, HAUL_JOB_BYTES);
        jobs->size_bytes += HAUL_JOB_BYTES;
    }
    return fits;
}

struct haul_slice job_list_slice(const struct job_list *jobs)
{
    return slice_of(jobs->ids, jobs->size_bytes);
}

void job_list_take(struct job_list *jobs, struct haul_slice ids)
{
    bool fits = true;
    jobs->size_bytes = 0;
    for (size_t at = 0; at + HAUL_JOB_BYTES <= ids.size && fits; at += HAUL_JOB_BYTES) {
        fits = job_list_add(jobs, ids.data + at);
    }
}
