/* SPDX-License-Identifier: Apache-2.0 */
/* ended_jobs.c — a ring of the last ends. */
#include "ended_jobs.h"

#include <string.h>

void ended_jobs_init(struct ended_jobs *ended)
{
    memset(ended, 0, sizeof(*ended));
    (void)pthread_mutex_init(&ended->lock, NULL);
}

void ended_jobs_fini(struct ended_jobs *ended)
{
    (void)pthread_mutex_destroy(&ended->lock);
}

void ended_jobs_put(struct ended_jobs *ended, const struct haul_result *result)
{
    ended_jobs_forget(ended, result->job);
    (void)pthread_mutex_lock(&ended->lock);
    size_t at = ended->next;
    ended->next = (at + 1) % ENDED_JOBS_MAX;
    ended->jobs[at].used = true;
    memcpy(ended->jobs[at].job, result->job, HAUL_JOB_BYTES);
    ended->jobs[at].error = result->error;
    ended->jobs[at].error.status = result->status;
    (void)pthread_mutex_unlock(&ended->lock);
}

/* With the lock held; ENDED_JOBS_MAX: none. */
static size_t find(const struct ended_jobs *ended, const uint8_t job[HAUL_JOB_BYTES])
{
    size_t at = 0;
    while (at < ENDED_JOBS_MAX &&
           (!ended->jobs[at].used || memcmp(ended->jobs[at].job, job, HAUL_JOB_BYTES) != 0)) {
        at++;
    }
    return at;
}

void ended_jobs_forget(struct ended_jobs *ended, const uint8_t job[HAUL_JOB_BYTES])
{
    (void)pthread_mutex_lock(&ended->lock);
    size_t at = find(ended, job);
    if (at < ENDED_JOBS_MAX) {
        ended->jobs[at].used = false;
    }
    (void)pthread_mutex_unlock(&ended->lock);
}

bool ended_jobs_find(struct ended_jobs *ended, const uint8_t job[HAUL_JOB_BYTES],
                     struct haul_error *error)
{
    (void)pthread_mutex_lock(&ended->lock);
    size_t at = find(ended, job);
    bool found = at < ENDED_JOBS_MAX;
    if (found) {
        *error = ended->jobs[at].error;
    }
    (void)pthread_mutex_unlock(&ended->lock);
    return found;
}
