/* SPDX-License-Identifier: Apache-2.0 */
/* source_calls.h — the slow calls of a source's job: those that wait for the disk or for hooks of
 * the embedder. A call worker of the job's own runs them one after another.
 *
 * While a call runs, the job's records are the call worker's. Thread: the loop's. */
#ifndef HAUL_SOURCE_CALLS_H
#define HAUL_SOURCE_CALLS_H

#include "call_worker.h"
#include "clock.h"
#include "freeze_calls.h"
#include "lost_jobs.h"
#include "source_copy.h"
#include "source_job.h"
#include "source_session.h"

enum { HAUL_WAITING_BYTES_MAX = 256 };

/* What a Welcome says of the database that answers. */
struct source_peer {
    char identity[HAUL_IDENTITY_BYTES_MAX];
    struct version_claim version;
    bool owns;                             /* the ranges, by this very job */
    enum version_return returned;          /* or did, until it gave them back */
    enum job_phase phase;                  /* what it knows of the job */
    uint8_t given_back_by[HAUL_JOB_BYTES]; /* the newest job that gave us something */
    bool names_given_back;
    uint8_t waiting[HAUL_WAITING_BYTES_MAX]; /* ids of jobs of this source that are prepared */
    size_t waiting_bytes;
    struct job_list between; /* jobs by which, it says, one of the two owns */
};

struct source_calls {
    struct source_job *job; /* borrowed, as the next two */
    const struct source_copy *copy;
    const struct haul_clock *clock;
    struct call_worker *worker; /* NULL: not created, or finished */
    struct freeze_calls freezes;
    struct call bind;
    struct call accepted;
    struct call decide;
    struct call released;
    struct source_peer welcomed; /* by this database, at last */
    struct source_peer bound;    /* the one that bind is for; the call worker's */
    bool asks_again;             /* bind has found another job that a Hello is to name */
    struct message commit;       /* bind has found that this is to be said; else of no type */
    struct job_list lost;        /* bind has found no record here of these */
    struct job_list between;     /* jobs by which, by our record, one of the two owns */
    bool bind_again;             /* bind was under way for an earlier Welcome */
    uint64_t decide_until_ns;
    /* The call worker's while a freeze or an unfreeze runs. */
    uint64_t frozen_ns; /* when the freeze hook was called */
    bool hook_called;   /* the unfreeze hook belongs to it */
};

/* Errors: those of call_worker_create. */
enum haul_status source_calls_create(struct source_calls *calls, struct source_job *job,
                                     const struct source_copy *copy, const struct haul_clock *clock,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* What was submitted runs to its end first. Again: nothing. */
void source_calls_destroy(struct source_calls *calls);

/* Bind the job to the database that has welcomed us. */
void source_calls_bind(struct source_calls *calls, const haul_control_Welcome *welcome);
/* The target has taken the plan: what it supersedes is over there. */
void source_calls_accepted(struct source_calls *calls);
void source_calls_freeze(struct source_calls *calls);
void source_calls_unfreeze(struct source_calls *calls);
/* The lock of the ownership record is not waited for any longer than `until_ns`. */
void source_calls_decide(struct source_calls *calls, uint64_t until_ns);
void source_calls_released(struct source_calls *calls);

/* The next call that has returned, as an event of the session. */
enum source_calls_news {
    SOURCE_CALLS_NOTHING,
    SOURCE_CALLS_EVENT,
    SOURCE_CALLS_TIDIED, /* the session does not wait for it */
};
enum source_calls_news source_calls_next(struct source_calls *calls, struct source_event *event);

/* What runs, or has to run still: for a message; NULL: nothing. */
const char *source_calls_waited_for(const struct source_calls *calls);

#endif
