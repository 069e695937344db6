/* SPDX-License-Identifier: Apache-2.0 */
/* target_driver.h — drives one job on the taking end: its channel, session, links and appliers.
 * The listener around it is target_migration.c.
 *
 * Whoever has connected is a caller. Its Hello is answered when no job runs, and with its Plan, or
 * the Commit of what it had prepared, it takes the slot and is the job; until then it changes
 * nothing, and costs a socket and some memory. Thread: the loop's. */
#ifndef HAUL_TARGET_DRIVER_H
#define HAUL_TARGET_DRIVER_H

#include "call_worker.h"
#include "haul/migration.h"
#include "link.h"
#include "message.h"
#include "option_report.h"
#include "poll_group.h"
#include "target_slot.h"

struct target_driver;

struct target_driver_options {
    const struct haul_target_options *target; /* resolved; borrowed */
    char *identity; /* as peers know the database; borrowed, and kept up to date by its jobs */
    const struct haul_clock *clock;
    struct poll_group *group;
    struct call_worker *worker; /* of all jobs; borrowed, as the next */
    struct target_slot *slot;
    struct link_address peer;
    const haul_control_TransportOffer *offers; /* borrowed */
    size_t offer_count;
};

/* Take over the socket of a control connection, also on error. */
enum haul_status target_driver_create(const struct target_driver_options *options, int fd,
                                      struct target_driver **driver,
                                      struct haul_error *error) HAUL_MUST_CHECK;
void target_driver_destroy(struct target_driver *driver);

/* Our address on the control connection, and the peer's. */
void target_driver_address(const struct target_driver *driver, struct link_address *local);
const struct link_address *target_driver_peer(const struct target_driver *driver);
/* What the caller has introduced itself with; all zero before. */
const haul_control_Hello *target_driver_hello(const struct target_driver *driver);
/* Has it not said Hello yet? */
bool target_driver_is_silent(const struct target_driver *driver);

/* May a data link with this ticket come in? OK, AUTH or BUSY. */
enum haul_status target_driver_admits(const struct target_driver *driver,
                                      const struct link_ticket *ticket) HAUL_MUST_CHECK;
/* Take it. */
void target_driver_admit(struct target_driver *driver, struct listener *listener,
                         struct link_incoming *incoming);

/* Do what there is to do. True: something happened. */
bool target_driver_poll(struct target_driver *driver);
/* A call of a job has returned. */
void target_driver_returned(const struct call *call);
uint64_t target_driver_deadline_ns(const struct target_driver *driver);
/* Calls that take long are to end soon: nobody waits for what they bring. */
void target_driver_end_calls(struct target_driver *driver);
/* Does a call run, or wait? The job cannot be destroyed then. */
bool target_driver_has_calls(const struct target_driver *driver);
/* Another job has taken the slot: a caller that has said Hello is told to try again. */
void target_driver_refuse_busy(struct target_driver *driver);
/* End it, and keep what has arrived; end it, and discard that. */
void target_driver_stop(struct target_driver *driver);
void target_driver_cancel(struct target_driver *driver);
/* Over; its calls or its last words are still waited for? */
bool target_driver_is_ending(const struct target_driver *driver);
/* Over, and everything was said to the peer? */
bool target_driver_has_ended(const struct target_driver *driver);
/* Lost its source, and can be taken up again by it? Only after the end. */
bool target_driver_is_resumable(const struct target_driver *driver);
/* Was it no job, but a source that compares? `*records` is what was read for it. */
bool target_driver_compared(const struct target_driver *driver, uint64_t *records);
/* Is it a job that `once` may end with: one whose plan was accepted, and whose data could come or
 * had come before? */
bool target_driver_was_real(const struct target_driver *driver);

void target_driver_progress(const struct target_driver *driver, struct haul_progress *progress);
void target_driver_result(const struct target_driver *driver, struct haul_result *result);
/* In what the families differ from the source's; the job has ended, the caller may take it. */
struct option_report *target_driver_differences(struct target_driver *driver);

#endif
