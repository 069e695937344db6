/* SPDX-License-Identifier: Apache-2.0 */
/* source_driver.h — drives one job on the giving end: its channel, session, links and readers. The
 * thread around it is source_migration.c; the taking end's is target_driver.h.
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
    struct haul_migration *migration; /* whose thread it is: differences, place, id of the job */
    struct source_intent *intent;     /* begun */
    const struct haul_clock *clock;
    struct poll_group *group;
    uint64_t started_ns;
};

/* Connect to the target. Errors: LIMIT, NO_MEMORY, those of source_copy_init and of the channel. */
enum haul_status source_driver_create(const struct source_driver_options *options,
                                      struct source_driver **driver,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* Calls that were submitted run to their end first. */
void source_driver_destroy(struct source_driver *driver);

/* In the loop's thread, before anything else. */
void source_driver_begin(struct source_driver *driver);
/* Do what there is to do: messages, blocks, calls that have returned. True: something happened. */
bool source_driver_poll(struct source_driver *driver);
/* The time has moved on; after the poll of a turn. True: something happened. */
bool source_driver_tick(struct source_driver *driver);
/* Earlier than this there is nothing to do without an event. */
uint64_t source_driver_deadline_ns(const struct source_driver *driver);
/* What need not be looked at in each turn: whether the job makes progress, and the disk that it
 * pins, which may end it. */
void source_driver_look(struct source_driver *driver);

/* Stop and keep, or cancel and discard. */
void source_driver_request(struct source_driver *driver, enum migration_request request);
/* Over, and no call runs any more? */
bool source_driver_has_ended(const struct source_driver *driver);
/* A job that only waits for an embedder's hook, or for a disk that hangs, seems to hang: log what
 * it waits for, once. */
void source_driver_log_late_call(struct source_driver *driver);

void source_driver_progress(const struct source_driver *driver, struct haul_progress *progress);
/* Has ended: the result, and the end of the journal, which may change the result's status. */
void source_driver_finish(struct source_driver *driver, struct haul_result *result);

#endif
