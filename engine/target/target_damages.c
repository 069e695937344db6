/* SPDX-License-Identifier: Apache-2.0 */
/* target_damages.c — one counter for each of the last jobs. */
#include "target_damages.h"

#include <string.h>

/* TARGET_DAMAGES_JOBS_MAX: none. */
static size_t find(const struct target_damages *damages, const uint8_t job[HAUL_JOB_BYTES])
{
    size_t at = 0;
    while (
        at < TARGET_DAMAGES_JOBS_MAX &&
        (damages->jobs[at].count == 0 || memcmp(damages->jobs[at].job, job, HAUL_JOB_BYTES) != 0)) {
        at++;
    }
    return at;
}

uint32_t target_damages_of(const struct target_damages *damages, const uint8_t job[HAUL_JOB_BYTES])
{
    size_t at = find(damages, job);
    return at < TARGET_DAMAGES_JOBS_MAX ? damages->jobs[at].count : 0;
}

void target_damages_add(struct target_damages *damages, const uint8_t job[HAUL_JOB_BYTES])
{
    size_t at = find(damages, job);
    if (at == TARGET_DAMAGES_JOBS_MAX) {
        at = damages->next;
        damages->next = (at + 1) % TARGET_DAMAGES_JOBS_MAX;
        damages->jobs[at].count = 0;
        memcpy(damages->jobs[at].job, job, HAUL_JOB_BYTES);
    }
    damages->jobs[at].count++;
}
