/* SPDX-License-Identifier: Apache-2.0 */
/* source_driver.h — drives one job on the source: its channel, session, links and readers. The
 * thread around it is source_migration.c; the target's driver is target_driver.h.
 * Thread: the loop's. */
#ifndef HAUL_SOURCE_DRIVER_H
#define HAUL_SOURCE_DRIVER_H

#include "clock.h"
#include "haul/migration.h"
#include "migration_thread.h"
#include "poll_group.h"
#include "source_intent.h"

struct source_driver;

/* The pointers are borrowed. */
struct source_driver_options {
    struct haul_migration *migration; /* the owner of the thread: options report, address, job id */
    struct source_intent *intent;     /* after source_intent_begin */
    const struct haul_clock *clock;
    struct poll_group *group;
    uint64_t started_ns;
};

/* Connect to the target. Errors: LIMIT, NO_MEMORY, those of source_copy_init and of the channel. */
enum haul_status source_driver_create(const struct source_driver_options *options,
                                      struct source_driver **driver,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* Submitted calls run to their end first. */
void source_driver_destroy(struct source_driver *driver);

/* Call on the loop thread, before anything else. */
void source_driver_begin(struct source_driver *driver);
/* Do all pending work: messages, blocks, calls that have returned. True: something happened. */
bool source_driver_poll(struct source_driver *driver);
/* Report the time to the session, after the poll of a turn. True: something happened. */
bool source_driver_tick(struct source_driver *driver);
/* Before this time there is nothing to do without an event. */
uint64_t source_driver_deadline_ns(const struct source_driver *driver);
/* Do what need not be done in each turn: check whether the job makes progress, and how much disk it
 * pins, which may end it. */
void source_driver_look(struct source_driver *driver);

/* Stop and keep, or cancel and discard. */
void source_driver_request(struct source_driver *driver, enum migration_request request);
/* Limit the rate of the links from now on; 0: unlimited. Links that are opened later take the rate
 * from the intent's options. */
void source_driver_rate(struct source_driver *driver, uint64_t bytes_per_second);
/* Has the job ended, and no call runs any more? */
bool source_driver_has_ended(const struct source_driver *driver);
/* A job that waits only for an embedder's hook or a hanging disk seems to hang: log once what it
 * waits for. */
void source_driver_log_late_call(struct source_driver *driver);

void source_driver_progress(const struct source_driver *driver, struct haul_progress *progress);
/* After the end: fill in the result and end the journal, which may change the result's status. */
void source_driver_finish(struct source_driver *driver, struct haul_result *result);

#endif
