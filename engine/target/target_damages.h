/* SPDX-License-Identifier: Apache-2.0 */
/* target_damages.h — counts the attempts of a job that ended because of damaged data. A source
 * whose link breaks may be gone before the message reaches it; it gets the count when it comes
 * back. Counts for the last job only, since the receiver started. Thread: the loop's. */
#ifndef HAUL_TARGET_DAMAGES_H
#define HAUL_TARGET_DAMAGES_H

#include <stdint.h>

#include "haul/migration.h"

struct target_damages {
    uint8_t job[HAUL_JOB_BYTES];
    uint32_t count;
};

void target_damages_add(struct target_damages *damages, const uint8_t job[HAUL_JOB_BYTES]);
uint32_t target_damages_of(const struct target_damages *damages, const uint8_t job[HAUL_JOB_BYTES]);

#endif
