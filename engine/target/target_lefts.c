/* SPDX-License-Identifier: Apache-2.0 */
/* target_lefts.c — a ring of the last jobs. */
#include "target_lefts.h"

#include <string.h>

/* TARGET_LEFTS_MAX: none. */
static size_t find(const struct target_lefts *lefts, const uint8_t job[HAUL_JOB_BYTES])
{
    size_t at = 0;
    while (at < TARGET_LEFTS_MAX && memcmp(lefts->jobs[at].job, job, HAUL_JOB_BYTES) != 0) {
        at++;
    }
    return at;
}

struct target_left *target_lefts_of(struct target_lefts *lefts, const uint8_t job[HAUL_JOB_BYTES])
{
    size_t at = find(lefts, job);
    if (at == TARGET_LEFTS_MAX) {
        at = lefts->next;
        lefts->next = (at + 1) % TARGET_LEFTS_MAX;
        lefts->jobs[at] = (struct target_left){.known = false};
        memcpy(lefts->jobs[at].job, job, HAUL_JOB_BYTES);
    }
    return &lefts->jobs[at];
}

struct target_left target_lefts_find(const struct target_lefts *lefts,
                                     const uint8_t job[HAUL_JOB_BYTES])
{
    size_t at = find(lefts, job);
    return at < TARGET_LEFTS_MAX ? lefts->jobs[at] : (struct target_left){.known = false};
}
