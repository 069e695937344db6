/* SPDX-License-Identifier: Apache-2.0 */
/* migration_thread.h — the common part of both ends of a migration: the loop's thread, progress and
 * result for other threads, cancellation, and the end. */
#ifndef HAUL_MIGRATION_THREAD_H
#define HAUL_MIGRATION_THREAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "haul/migration.h"
#include "link.h"
#include "option_report.h"

/* What an operator has requested. */
enum migration_request {
    MIGRATION_GOES_ON,
    MIGRATION_STOPS,   /* end, and keep what has arrived */
    MIGRATION_CANCELS, /* end, and discard it */
};

struct haul_migration {
    /* The loop: fills in `result` and returns. Runs on the migration's own thread. */
    void (*run)(struct haul_migration *migration);
    /* Frees the parts of this end, including the struct. Called after the thread has ended. */
    void (*destroy)(struct haul_migration *migration);
    pthread_t thread;
    bool started;
    bool joined;
    pthread_mutex_t lock; /* for the next members */
    struct haul_progress progress;
    struct haul_job_progress jobs[HAUL_TARGET_JOBS_MAX]; /* those that run */
    size_t job_count;
    uint8_t cancels[HAUL_TARGET_JOBS_MAX][HAUL_JOB_BYTES]; /* jobs that are to be cancelled */
    size_t cancel_count;
    struct haul_result result;    /* the loop's until the end, then readable by all */
    struct option_report options; /* the result borrows its items */
    atomic_int request;           /* enum migration_request; only grows */
    atomic_uint_fast64_t rate;    /* a wanted rate in bytes a second, plus 1; 0: none is pending */
    bool initialized;             /* the lock exists, and descriptors are open unless -1 */
    int request_fd;               /* eventfd: wakes the loop */
    int ended_fd;                 /* eventfd: readable for ever after the end */
    const char *cpu_list;         /* NULL: near the network card */
    bool placed;
    char address[LINK_ADDRESS_TEXT_BYTES_MAX];
};

/* Errors: LIMIT (no descriptor). Call fini also after a failed init. */
enum haul_status migration_init(struct haul_migration *migration,
                                struct haul_error *error) HAUL_MUST_CHECK;
/* Start the thread on `run`. Errors: LIMIT; INVALID (cpu_list). */
enum haul_status migration_start(struct haul_migration *migration,
                                 struct haul_error *error) HAUL_MUST_CHECK;
void migration_fini(struct haul_migration *migration);

/* The loop's side. */
/* The first call moves the loop, and all threads that it starts later, to the NUMA node of the card
 * with this local address, unless processors were named. */
void migration_place_near(struct haul_migration *migration, const struct link_address *local,
                          const struct haul_log *log);
static inline enum migration_request migration_requested(const struct haul_migration *migration)
{
    return (enum migration_request)atomic_load(&migration->request);
}
/* True: the program wants another rate, now in `bytes_per_second`. */
bool migration_take_rate(struct haul_migration *migration, uint64_t *bytes_per_second);
/* Move the differences into the result; `report` becomes empty. */
void migration_report_options(struct haul_migration *migration, struct option_report *report);
/* Make `request_fd` unreadable again. */
void migration_drain_request(struct haul_migration *migration);
void migration_publish(struct haul_migration *migration, const struct haul_progress *progress);
/* The same with the jobs that run, at most HAUL_TARGET_JOBS_MAX. */
void migration_publish_jobs(struct haul_migration *migration, const struct haul_progress *progress,
                            const struct haul_job_progress *jobs, size_t count);
/* True: this job is to be cancelled. */
bool migration_take_cancel(struct haul_migration *migration, uint8_t job[HAUL_JOB_BYTES]);

/* Bytes from the system's random source. Errors: IO. */
enum haul_status migration_random(uint8_t *bytes, size_t size_bytes) HAUL_MUST_CHECK;

#endif
