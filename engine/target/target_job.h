/* SPDX-License-Identifier: Apache-2.0 */
/* target_job.h — one job on the taking end: its channel, session, links and appliers. The listener
 * around it is target_migration.c.
 *
 * Whoever has connected is a caller. Its Hello is answered when no job runs, and with its Plan, or
 * the Commit of what it had prepared, it takes the slot and is the job; until then it changes
 * nothing, and costs a socket and some memory. Thread: the loop's. */
#ifndef HAUL_TARGET_JOB_H
#define HAUL_TARGET_JOB_H

#include "call_worker.h"
#include "haul/migration.h"
#include "link.h"
#include "message.h"
#include "option_report.h"
#include "poll_group.h"
#include "target_arrived.h"
#include "target_damages.h"

struct target_job;

/* For one job at a time. */
struct target_slot {
    struct target_job *holder; /* NULL: free */
    struct target_left left;   /* by the last job that was kept */
    struct target_damages damages;
};

struct target_job_options {
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
enum haul_status target_job_create(const struct target_job_options *options, int fd,
                                   struct target_job **job,
                                   struct haul_error *error) HAUL_MUST_CHECK;
void target_job_destroy(struct target_job *job);

/* Our address on the control connection, and the peer's. */
void target_job_address(const struct target_job *job, struct link_address *local);
const struct link_address *target_job_peer(const struct target_job *job);
/* What the caller has introduced itself with; all zero before. */
const haul_control_Hello *target_job_hello(const struct target_job *job);
/* Has it not said Hello yet? */
bool target_job_is_silent(const struct target_job *job);

/* May a data link with this ticket come in? OK, AUTH or BUSY. */
enum haul_status target_job_admits(const struct target_job *job,
                                   const struct link_ticket *ticket) HAUL_MUST_CHECK;
/* Take it. */
void target_job_admit(struct target_job *job, struct listener *listener,
                      struct link_incoming *incoming);

/* Do what there is to do. True: something happened. */
bool target_job_poll(struct target_job *job);
/* A call of a job has returned. */
void target_job_returned(const struct call *call);
uint64_t target_job_deadline_ns(const struct target_job *job);
/* Calls that take long are to end soon: nobody waits for what they bring. */
void target_job_end_calls(struct target_job *job);
/* Does a call run, or wait? The job cannot be destroyed then. */
bool target_job_has_calls(const struct target_job *job);
/* Another job has taken the slot: a caller that has said Hello is told to try again. */
void target_job_refuse_busy(struct target_job *job);
/* End it, and keep what has arrived; end it, and discard that. */
void target_job_stop(struct target_job *job);
void target_job_cancel(struct target_job *job);
/* Over; its calls or its last words are still waited for? */
bool target_job_is_ending(const struct target_job *job);
/* Over, and everything was said to the peer? */
bool target_job_has_ended(const struct target_job *job);
/* Lost its source, and can be taken up again by it? Only after the end. */
bool target_job_is_resumable(const struct target_job *job);
/* Was it no job, but a source that compares? `*records` is what was read for it. */
bool target_job_compared(const struct target_job *job, uint64_t *records);
/* Is it a job that `once` may end with: one whose plan was accepted, and whose data could come or
 * had come before? */
bool target_job_was_real(const struct target_job *job);

void target_job_progress(const struct target_job *job, struct haul_progress *progress);
void target_job_result(const struct target_job *job, struct haul_result *result);
/* In what the families differ from the source's; the job has ended, the caller may take it. */
struct option_report *target_job_differences(struct target_job *job);

#endif
