/* SPDX-License-Identifier: Apache-2.0 */
/* target_lefts.h — what the last attempts of jobs on this receiver have left in the database
 * (target_arrived.h), for the next attempts. Of the last jobs only; of older ones nothing is known,
 * and they are read back. Thread: the loop's. */
#ifndef HAUL_TARGET_LEFTS_H
#define HAUL_TARGET_LEFTS_H

#include <stddef.h>

#include "target_arrived.h"

enum { TARGET_LEFTS_MAX = 2 * HAUL_TARGET_JOBS_MAX };

/* Zeroed: nothing is known. */
struct target_lefts {
    struct target_left jobs[TARGET_LEFTS_MAX];
    size_t next; /* the place of the next new job: the oldest */
};

/* What is known of a job: its entry, a new one if it has none. Valid until the next call. */
struct target_left *target_lefts_of(struct target_lefts *lefts, const uint8_t job[HAUL_JOB_BYTES]);
/* The same without a new entry; zeros: nothing. */
struct target_left target_lefts_find(const struct target_lefts *lefts,
                                     const uint8_t job[HAUL_JOB_BYTES]);

#endif
