/* SPDX-License-Identifier: Apache-2.0 */
/* target_damages.h — counts the attempts of a job that ended because of damaged data. A source
 * whose link breaks may be gone before the message reaches it; it gets the count when it comes
 * back. Counts for the last jobs that were damaged, since the receiver started.
 * Thread: the loop's. */
#ifndef HAUL_TARGET_DAMAGES_H
#define HAUL_TARGET_DAMAGES_H

#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"

enum { TARGET_DAMAGES_JOBS_MAX = 2 * HAUL_TARGET_JOBS_MAX };

/* Zeroed: none. */
struct target_damages {
    struct {
        uint8_t job[HAUL_JOB_BYTES];
        uint32_t count;
    } jobs[TARGET_DAMAGES_JOBS_MAX];
    size_t next; /* the place of the next new job: the oldest */
};

void target_damages_add(struct target_damages *damages, const uint8_t job[HAUL_JOB_BYTES]);
uint32_t target_damages_of(const struct target_damages *damages, const uint8_t job[HAUL_JOB_BYTES]);

#endif
