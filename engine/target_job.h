/* SPDX-License-Identifier: Apache-2.0 */
/* target_job.h — one job on the taking end: its channel, session, links and appliers. The listener
 * around it is target_migration.c. Thread: the loop's. */
#ifndef HAUL_TARGET_JOB_H
#define HAUL_TARGET_JOB_H

#include "haul/migration.h"
#include "link.h"
#include "option_report.h"
#include "poll_group.h"
#include "tcp_listener.h"

struct target_job;

struct target_job_options {
    const struct haul_target_options *target; /* resolved; borrowed */
    const struct haul_clock *clock;
    struct poll_group *group;
    bool rdma_offered;
    const char *rdma_refusal;
};

/* Take over the socket of a control connection, also on error. */
enum haul_status target_job_create(const struct target_job_options *options, int fd,
                                   struct target_job **job,
                                   struct haul_error *error) HAUL_MUST_CHECK;
void target_job_destroy(struct target_job *job);

/* Our address on the control connection. */
void target_job_address(const struct target_job *job, struct link_address *local);

/* May a data link with this ticket come in? OK, AUTH or BUSY. */
enum haul_status target_job_admits(const struct target_job *job,
                                   const struct link_ticket *ticket) HAUL_MUST_CHECK;
/* Take it; exactly one of the listeners is given. */
void target_job_admit(struct target_job *job, struct tcp_listener *tcp, struct listener *verbs,
                      struct link_incoming *incoming);

/* Do what there is to do. True: something happened. */
bool target_job_poll(struct target_job *job);
uint64_t target_job_deadline_ns(const struct target_job *job);
/* End it, and keep what has arrived; end it, and discard that. */
void target_job_stop(struct target_job *job);
void target_job_cancel(struct target_job *job);
/* Over, and everything was said to the peer? */
bool target_job_has_ended(const struct target_job *job);
/* Lost its source, and can be taken up again by it? Only after the end. */
bool target_job_is_resumable(const struct target_job *job);
/* Did it come as far as an accepted plan? (Refused callers do not count as jobs.) */
bool target_job_was_accepted(const struct target_job *job);

void target_job_progress(const struct target_job *job, struct haul_progress *progress);
void target_job_result(const struct target_job *job, struct haul_result *result);
/* In what the families differ from the source's; the job has ended, the caller may take it. */
struct option_report *target_job_differences(struct target_job *job);

#endif
