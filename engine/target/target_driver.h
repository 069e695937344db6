/* SPDX-License-Identifier: Apache-2.0 */
/* target_driver.h — drives one job on the target: its channel, session, links and appliers.
 * target_migration.c is the listener around all jobs.
 *
 * A connected peer is a caller. The target answers its Hello while a place for a job is free. With
 * its Plan, or the Commit of a prepared job, the caller takes a place and becomes a job; until then
 * it changes nothing, and costs a socket and some memory. Thread: the loop's. */
#ifndef HAUL_TARGET_DRIVER_H
#define HAUL_TARGET_DRIVER_H

#include "call_worker.h"
#include "haul/migration.h"
#include "link.h"
#include "message.h"
#include "option_report.h"
#include "poll_group.h"
#include "target_places.h"

struct target_driver;

struct target_driver_options {
    const struct haul_target_options *target; /* resolved; borrowed */
    char *identity; /* as peers know the database; borrowed; jobs keep it up to date */
    const struct haul_clock *clock;
    struct poll_group *group;
    struct call_worker *worker; /* of all callers; borrowed, like the next */
    struct target_places *places;
    struct link_address peer;
    const haul_control_TransportOffer *offers; /* borrowed */
    size_t offer_count;
};

/* Takes the socket of a control connection over, also on error. */
enum haul_status target_driver_create(const struct target_driver_options *options,
                                      struct tls_socket socket, struct target_driver **driver,
                                      struct haul_error *error) HAUL_MUST_CHECK;
void target_driver_destroy(struct target_driver *driver);

/* The local address of the control connection, and the peer's. */
void target_driver_address(const struct target_driver *driver, struct link_address *local);
const struct link_address *target_driver_peer(const struct target_driver *driver);
/* The caller's Hello; all zero before it came. */
const haul_control_Hello *target_driver_hello(const struct target_driver *driver);
/* Has it not sent Hello yet? */
bool target_driver_is_silent(const struct target_driver *driver);

/* Is the ticket of this driver's session? */
bool target_driver_has_session(const struct target_driver *driver,
                               const struct link_ticket *ticket);
/* May a data link with this ticket be admitted? Then the ticket is used up, and `frames` is the
 * link's key. Errors: those of link_admission_take; AUTH before a plan was accepted. */
enum haul_status target_driver_admits(struct target_driver *driver, enum haul_transport transport,
                                      const struct link_ticket *ticket,
                                      struct frame_key *frames) HAUL_MUST_CHECK;
/* Admit it, or refuse it. */
void target_driver_admit(struct target_driver *driver, struct listener *listener,
                         struct link_incoming *incoming);

/* Do all pending work. True: something happened. */
bool target_driver_poll(struct target_driver *driver);
/* A call of a job has returned. */
void target_driver_returned(const struct call *call);
uint64_t target_driver_deadline_ns(const struct target_driver *driver);
/* End long calls soon: nobody waits for their results. */
void target_driver_end_calls(struct target_driver *driver);
/* Does a call run or wait? The job must not be destroyed then. */
bool target_driver_has_calls(const struct target_driver *driver);
/* Other jobs have all places: a caller that has sent Hello gets the answer to try again. */
void target_driver_refuse_busy(struct target_driver *driver);
/* End the job and keep what has arrived; end the job and discard that. */
void target_driver_stop(struct target_driver *driver);
void target_driver_cancel(struct target_driver *driver);
/* Has it ended, but must still wait for its calls or its last messages? */
bool target_driver_is_ending(const struct target_driver *driver);
/* Has it ended, with all messages sent to the peer? */
bool target_driver_has_ended(const struct target_driver *driver);
/* Has it lost its source, which can resume it? Only after the end. */
bool target_driver_is_resumable(const struct target_driver *driver);
/* Was it a comparison instead of a job? `*records`: records read for it. */
bool target_driver_compared(const struct target_driver *driver, uint64_t *records);
/* Does it count for `once`? Its plan was accepted, and its data could come or had come before. */
bool target_driver_was_real(const struct target_driver *driver);

void target_driver_progress(const struct target_driver *driver, struct haul_progress *progress);
void target_driver_result(const struct target_driver *driver, struct haul_result *result);
/* How the families differ from the source's. After the job's end the caller may take the report
 * over. */
struct option_report *target_driver_differences(struct target_driver *driver);

#endif
