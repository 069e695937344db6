/* SPDX-License-Identifier: Apache-2.0 */
/* target_damages.c — one counter, for one job. */
#include "target_damages.h"

#include <string.h>

uint32_t target_damages_of(const struct target_damages *damages, const uint8_t job[HAUL_JOB_BYTES])
{
    return memcmp(damages->job, job, HAUL_JOB_BYTES) == 0 ? damages->count : 0;
}

void target_damages_add(struct target_damages *damages, const uint8_t job[HAUL_JOB_BYTES])
{
    damages->count = target_damages_of(damages, job) + 1;
    memcpy(damages->job, job, HAUL_JOB_BYTES);
}
