/* SPDX-License-Identifier: Apache-2.0 */
/* source_migration.c — the source's thread: one loop around the driver of one job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migration_thread.h"
#include "source_driver.h"
#include "source_intent.h"

enum { PROGRESS_INTERVAL_MS = 100 };

struct source_migration {
    struct haul_migration base;
    const struct haul_clock *clock;
    struct source_intent intent;
    struct poll_group *group;
    struct source_driver *driver;
    uint64_t started_ns;
    uint64_t published_ns;
    enum migration_request request; /* the last one passed to the driver */
};

/* --- the loop --------------------------------------------------------------------------------- */

static void check_request(struct source_migration *source)
{
    uint8_t job[HAUL_JOB_BYTES];
    if (poll_group_take_ready(source->group, source->base.request_fd)) {
        migration_drain_request(&source->base);
    }
    if (migration_take_cancel(&source->base, job)) { /* it has only one */
        haul_migration_cancel(&source->base);
    }
    enum migration_request request = migration_requested(&source->base);
    if (request != source->request) {
        source->request = request;
        source_driver_request(source->driver, request);
    }
    if (migration_take_rate(&source->base, &source->intent.options.rate_bytes_per_second)) {
        source_driver_rate(source->driver, source->intent.options.rate_bytes_per_second);
    }
}

/* `resolve` asks about jobs that have ended, one after the other: none of them runs. */
static void publish_now(struct source_migration *source)
{
    struct haul_job_progress job = {.reserved = {0}};
    memcpy(job.job, source->base.result.job, HAUL_JOB_BYTES);
    (void)snprintf(job.peer, sizeof(job.peer), "%s", source->intent.options.to);
    source_driver_progress(source->driver, &job.progress);
    migration_publish_jobs(&source->base, &job.progress, &job,
                           source->intent.options.resolve ? 0 : 1);
}

static void publish(struct source_migration *source)
{
    uint64_t now = clock_now_ns(source->clock);
    if (now - source->published_ns >= (uint64_t)PROGRESS_INTERVAL_MS * NS_PER_MS) {
        source->published_ns = now;
        source_driver_look(source->driver);
        publish_now(source);
    }
}

static uint64_t next_deadline(const struct source_migration *source)
{
    uint64_t deadline = clock_deadline_ns(source->clock, PROGRESS_INTERVAL_MS);
    uint64_t driver = source_driver_deadline_ns(source->driver);
    return driver < deadline ? driver : deadline;
}

static void run_source(struct haul_migration *migration)
{
    struct source_migration *source = (struct source_migration *)migration;
    source_driver_begin(source->driver);
    while (!source_driver_has_ended(source->driver)) {
        bool any = source_driver_poll(source->driver);
        check_request(source);
        any = source_driver_tick(source->driver) || any;
        publish(source);
        source_driver_log_late_call(source->driver);
        bool over = source_driver_has_ended(source->driver);
        (void)poll_group_wait(source->group, any || over, next_deadline(source));
    }
    source_driver_finish(source->driver, &source->base.result);
}

/* --- setting up ------------------------------------------------------------------------------- */

static void destroy_source(struct haul_migration *migration)
{
    struct source_migration *source = (struct source_migration *)migration;
    source_driver_destroy(source->driver);
    poll_group_destroy(source->group);
    source_intent_fini(&source->intent);
    migration_fini(&source->base);
    free(source);
}

static enum haul_status create_loop(struct source_migration *source, struct haul_error *error)
{
    enum haul_status status = poll_group_create(link_spin_us(&source->intent.options.link),
                                                source->clock, &source->group);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "cannot create the loop");
    }
    return poll_group_add_fd(source->group, source->base.request_fd);
}

static enum haul_status create_driver(struct source_migration *source, struct haul_error *error)
{
    const struct source_driver_options options = {.migration = &source->base,
                                                  .intent = &source->intent,
                                                  .clock = source->clock,
                                                  .group = source->group,
                                                  .started_ns = source->started_ns};
    return source_driver_create(&options, &source->driver, error);
}

static enum haul_status set_up(struct source_migration *source,
                               const struct haul_source_options *options, struct haul_error *error)
{
    enum haul_status status = source_intent_init(&source->intent, options, error);
    source->base.cpu_list = source->intent.options.cpu_list;
    if (status == HAUL_OK) {
        status = migration_init(&source->base, error);
    }
    if (status == HAUL_OK) {
        status = create_loop(source, error);
    }
    if (status == HAUL_OK) {
        status = source_intent_begin(&source->intent, error);
    }
    if (status == HAUL_OK) {
        status = create_driver(source, error);
    }
    if (status != HAUL_OK) {
        struct haul_error outcome = *error;
        outcome.status = status;
        struct source_ending ending = {.outcome = &outcome,
                                       .was_accepted = source->intent.journal.continued};
        source_journal_end(&source->intent.journal, &ending);
    }
    return status;
}

enum haul_status haul_source_start(const struct haul_source_options *options,
                                   struct haul_migration **migration, struct haul_error *error)
{
    struct source_migration *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a migration");
    }
    source->base.run = run_source;
    source->base.destroy = destroy_source;
    source->clock = &clock_monotonic;
    source->started_ns = clock_now_ns(source->clock);
    enum haul_status status = set_up(source, options, error);
    if (status == HAUL_OK) {
        publish_now(source);
        status = migration_start(&source->base, error);
    }
    if (status != HAUL_OK) {
        destroy_source(&source->base);
        return status;
    }
    *migration = &source->base;
    return HAUL_OK;
}
