/* SPDX-License-Identifier: Apache-2.0 */
/* target_jobs.c — a short list in the order in which jobs began. */
#include "target_jobs.h"

#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "planted_bug.h"

void target_jobs_fini(struct target_jobs *jobs)
{
    while (jobs->count > 0) {
        target_driver_destroy(jobs->drivers[--jobs->count]);
    }
}

void target_jobs_add(struct target_jobs *jobs, struct target_driver *driver)
{
    haul_assert(jobs->count < HAUL_TARGET_JOBS_MAX);
    jobs->drivers[jobs->count++] = driver;
}

struct target_driver *target_jobs_take(struct target_jobs *jobs, size_t index)
{
    haul_assert(index < jobs->count);
    struct target_driver *driver = jobs->drivers[index];
    jobs->count--;
    memmove(&jobs->drivers[index], &jobs->drivers[index + 1],
            (jobs->count - index) * sizeof(jobs->drivers[0]));
    return driver;
}

bool target_jobs_poll(struct target_jobs *jobs)
{
    bool any = false;
    for (size_t i = 0; i < jobs->count; i++) {
        any = target_driver_poll(jobs->drivers[i]) || any;
    }
    return any;
}

uint64_t target_jobs_deadline_ns(const struct target_jobs *jobs)
{
    uint64_t deadline = CLOCK_NEVER;
    for (size_t i = 0; i < jobs->count; i++) {
        uint64_t one = target_driver_deadline_ns(jobs->drivers[i]);
        deadline = one < deadline ? one : deadline;
    }
    return deadline;
}

void target_jobs_admit(struct target_jobs *jobs, struct listener *listener,
                       struct link_incoming *incoming)
{
    for (size_t i = 0; i < jobs->count; i++) {
        if (target_driver_has_session(jobs->drivers[i], &incoming->ticket)) {
            target_driver_admit(jobs->drivers[i], listener, incoming);
            return;
        }
    }
    listener_reject(listener, incoming, HAUL_AUTH);
}

/* --- ending ----------------------------------------------------------------------------------- */

bool target_jobs_all_end(const struct target_jobs *jobs)
{
    bool all = jobs->count > 0;
    for (size_t i = 0; i < jobs->count; i++) {
        all = all && target_driver_is_ending(jobs->drivers[i]);
    }
    return all;
}

void target_jobs_end(struct target_jobs *jobs, enum migration_request request)
{
    bool stops = request == MIGRATION_STOPS;
    for (size_t i = 0; i < jobs->count; i++) {
        if (!target_driver_is_ending(jobs->drivers[i])) {
            (stops ? target_driver_stop : target_driver_cancel)(jobs->drivers[i]);
        }
    }
}

void target_jobs_cancel(struct target_jobs *jobs, const uint8_t job[HAUL_JOB_BYTES])
{
    for (size_t i = 0; i < jobs->count; i++) {
        const haul_control_Hello *hello = target_driver_hello(jobs->drivers[i]);
        bool wanted =
            memcmp(hello->job.bytes, job, HAUL_JOB_BYTES) == 0 || HAUL_PLANTED_BUG(CANCEL_OF_ALL);
        if (wanted && !target_driver_is_ending(jobs->drivers[i])) {
            target_driver_cancel(jobs->drivers[i]);
        }
    }
}

void target_jobs_end_calls(struct target_jobs *jobs)
{
    for (size_t i = 0; i < jobs->count; i++) {
        target_driver_end_calls(jobs->drivers[i]);
    }
}

/* --- figures ---------------------------------------------------------------------------------- */

void target_jobs_figures(const struct target_jobs *jobs, struct haul_job_progress *figures)
{
    for (size_t i = 0; i < jobs->count; i++) {
        const struct target_driver *driver = jobs->drivers[i];
        memset(&figures[i], 0, sizeof(figures[i]));
        memcpy(figures[i].job, target_driver_hello(driver)->job.bytes, HAUL_JOB_BYTES);
        link_address_format(target_driver_peer(driver), figures[i].peer);
        target_driver_progress(driver, &figures[i].progress);
    }
}

static void add(struct haul_progress *sum, const struct haul_progress *one)
{
    sum->records += one->records;
    sum->bytes += one->bytes;
    sum->bytes_expected += one->bytes_expected;
    sum->wire_bytes += one->wire_bytes;
    sum->durable_records += one->durable_records;
    sum->durable_bytes += one->durable_bytes;
    sum->seconds = one->seconds > sum->seconds ? one->seconds : sum->seconds;
}

void target_jobs_sum(const struct haul_job_progress *figures, size_t count,
                     struct haul_progress *progress)
{
    for (size_t i = 0; i < count; i++) {
        if (i == 0) {
            *progress = figures[i].progress;
        } else {
            add(progress, &figures[i].progress);
        }
    }
}
