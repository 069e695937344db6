/* SPDX-License-Identifier: Apache-2.0 */
/* target_jobs.h — the drivers that hold a place (target_places.h): the jobs of a receiver, the
 * oldest first. All run on one loop, which polls each in turn.
 *
 * Ownership: the list owns the drivers until they are taken out. Thread: the loop's. */
#ifndef HAUL_TARGET_JOBS_H
#define HAUL_TARGET_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "migration_thread.h"
#include "target_driver.h"

/* Zeroed: none. */
struct target_jobs {
    struct target_driver *drivers[HAUL_TARGET_JOBS_MAX];
    size_t count;
};

void target_jobs_fini(struct target_jobs *jobs);

/* At most HAUL_TARGET_JOBS_MAX. */
void target_jobs_add(struct target_jobs *jobs, struct target_driver *driver);
/* Take the driver at this index out. */
struct target_driver *target_jobs_take(struct target_jobs *jobs, size_t index);

/* Poll each job. True: something happened. */
bool target_jobs_poll(struct target_jobs *jobs);
uint64_t target_jobs_deadline_ns(const struct target_jobs *jobs);
/* Admit a data link to the job of its session, or reject it. */
void target_jobs_admit(struct target_jobs *jobs, struct listener *listener,
                       struct link_incoming *incoming);

/* Does each of them end? False also if there is none. */
bool target_jobs_all_end(const struct target_jobs *jobs);
/* Stop or cancel those that do not end. */
void target_jobs_end(struct target_jobs *jobs, enum migration_request request);
/* Cancel the job with this id, if it runs. */
void target_jobs_cancel(struct target_jobs *jobs, const uint8_t job[HAUL_JOB_BYTES]);
void target_jobs_end_calls(struct target_jobs *jobs);

/* The figures of each job; at most HAUL_TARGET_JOBS_MAX. */
void target_jobs_figures(const struct target_jobs *jobs, struct haul_job_progress *figures);
/* Of all together: sums, the longest time, and phase, transport and wire of the oldest job.
 * `*progress` stays as it is if there is none. */
void target_jobs_sum(const struct haul_job_progress *figures, size_t count,
                     struct haul_progress *progress);

#endif
