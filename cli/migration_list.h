/* SPDX-License-Identifier: Apache-2.0 */
/* migration_list.h — the migrations that a command runs at the moment: one, or several of `haul
 * send --plan`.
 *
 * Thread: the command's. */
#ifndef HAUL_MIGRATION_LIST_H
#define HAUL_MIGRATION_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "haul/migration.h"

enum { MIGRATION_LIST_MAX = HAUL_TARGET_JOBS_MAX }; /* as many as `haul status` shows */

/* Borrowed, the oldest first. Zeroed is empty. */
struct migration_list {
    struct haul_migration *items[MIGRATION_LIST_MAX];
    uint8_t jobs[MIGRATION_LIST_MAX][HAUL_JOB_BYTES]; /* of sources */
    size_t count;
};

/* A list of one, which may be a target; NULL: of none. */
struct migration_list migration_list_of(struct haul_migration *migration);
void migration_list_add_source(struct migration_list *list, struct haul_migration *migration);
void migration_list_remove(struct migration_list *list, const struct haul_migration *migration);

/* The sums; phase, transport, wire and trust are those of the oldest. Without one: connecting. */
void migration_list_progress(const struct migration_list *list, struct haul_progress *progress);
/* The jobs of all, at most `count_max` of them. Returns their number. */
size_t migration_list_jobs(const struct migration_list *list, struct haul_job_progress *jobs,
                           size_t count_max);
void migration_list_stop(const struct migration_list *list);
void migration_list_cancel(const struct migration_list *list);
/* Does one of them run the job? A source runs its job as long as it is in the list, also when it
 * has ended and nobody has taken note of that. */
bool migration_list_runs(const struct migration_list *list, const uint8_t job[HAUL_JOB_BYTES]);
/* False: none of them runs the job. */
bool migration_list_cancel_job(const struct migration_list *list,
                               const uint8_t job[HAUL_JOB_BYTES]);

#endif
