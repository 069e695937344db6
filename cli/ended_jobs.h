/* SPDX-License-Identifier: Apache-2.0 */
/* ended_jobs.h — how the last jobs of a running command have ended, for whoever has cancelled one
 * of them.
 *
 * Thread: any, except for init and fini. */
#ifndef HAUL_ENDED_JOBS_H
#define HAUL_ENDED_JOBS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "haul/migration.h"

enum { ENDED_JOBS_MAX = 2 * HAUL_TARGET_JOBS_MAX };

struct ended_jobs {
    pthread_mutex_t lock; /* of the rest */
    struct {
        bool used;
        uint8_t job[HAUL_JOB_BYTES];
        struct haul_error error;
    } jobs[ENDED_JOBS_MAX];
    size_t next; /* the place of the next one: the oldest */
};

void ended_jobs_init(struct ended_jobs *ended);
void ended_jobs_fini(struct ended_jobs *ended);

void ended_jobs_put(struct ended_jobs *ended, const struct haul_result *result);
/* Forget an earlier end of this job, which runs again. */
void ended_jobs_forget(struct ended_jobs *ended, const uint8_t job[HAUL_JOB_BYTES]);
/* False: no end of this job is known. */
bool ended_jobs_find(struct ended_jobs *ended, const uint8_t job[HAUL_JOB_BYTES],
                     struct haul_error *error);

#endif
