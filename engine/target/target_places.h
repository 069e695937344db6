/* SPDX-License-Identifier: Apache-2.0 */
/* target_places.h — a receiver's places for jobs, and what its last jobs have left.
 *
 * A driver takes a place before it changes anything, and holds it until it is destroyed. No two
 * holders have the same job or overlapping ranges. Of jobs that no driver runs only their journals
 * know (target_others.h).
 *
 * Each place has a call worker of its own, for the calls of a job whose plan is accepted, so that
 * they do not wait for those of another. All calls before share one worker: plans are checked one
 * after the other, and a job that is alone may change what the store is made of (target_plan.h).
 *
 * Thread: the loop's. */
#ifndef HAUL_TARGET_PLACES_H
#define HAUL_TARGET_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "call_worker.h"
#include "haul/migration.h"
#include "message.h"
#include "plan.h"
#include "space_claims.h"
#include "target_damages.h"
#include "target_journal.h"
#include "target_lefts.h"

struct target_driver;

struct target_place {
    struct target_driver *holder; /* NULL: free */
    uint8_t job[HAUL_JOB_BYTES];
    struct plan plan; /* what it brings; no families: nothing, or only what journals say */
    struct call_worker *worker; /* borrowed; NULL: that of all callers */
};

/* Zeroed, with a count: all free. */
struct target_places {
    struct target_place places[HAUL_TARGET_JOBS_MAX];
    uint32_t count;
    uint64_t steps; /* of the long calls of all drivers */
    struct target_lefts lefts;
    struct target_damages damages;
    struct space_claims claims; /* the places' */
};

/* Frees what places hold. */
void target_places_fini(struct target_places *places);

/* May `driver` work on this job? Errors: BUSY (all places are taken; or another driver has the
 * job). */
enum haul_status target_places_check(const struct target_places *places,
                                     const struct target_driver *driver,
                                     const uint8_t job[HAUL_JOB_BYTES],
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Take a place, unless the driver has one. `plan`: its Plan; NULL: it brings nothing. Errors: as
 * above; BUSY (another driver's job has a part of the ranges), those of plan_from_message. */
enum haul_status target_places_take(struct target_places *places, struct target_driver *driver,
                                    const uint8_t job[HAUL_JOB_BYTES], const struct message *plan,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Before a call: what the job must know of the others, and of its own last attempt. */
void target_places_brief(struct target_places *places, const struct target_driver *driver,
                         struct target_journal *journal);
/* The worker of the driver's place; NULL: it has none of its own. */
struct call_worker *target_places_worker(struct target_places *places,
                                         const struct target_driver *driver);
/* The driver goes: free its place, if it has one. */
void target_places_leave(struct target_places *places, const struct target_driver *driver);

bool target_places_holds(const struct target_places *places, const struct target_driver *driver);
/* Places that other drivers hold. */
uint32_t target_places_others(const struct target_places *places,
                              const struct target_driver *driver);
/* Does another driver run this job? */
bool target_places_runs(const struct target_places *places, const struct target_driver *driver,
                        const uint8_t job[HAUL_JOB_BYTES]);

/* Why a source must wait when all places are taken. */
void target_places_explain_full(const struct target_places *places, struct haul_error *error);

#endif
